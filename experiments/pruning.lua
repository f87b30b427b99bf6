--- How many weights does a Bayesian network need?
--
-- A weight whose mean is small beside its deviation says little: without those of the lowest
-- signal-to-noise ratio |mu| / sigma the network predicts as before (Blundell et al. 2015, section
-- 5.1). The same share of the smallest |mu| is taken out for comparison.
--
-- Test error in percent on MNIST (seed 1), beside table 2 of that paper:
--
--     taken out                          0%    50%    75%    90%    95%    98%
--     Blundell et al., 1200-1200       1.24   1.24   1.24     -    1.29   1.39
--     --hidden=1200,1200               1.88   1.87   1.90   1.83   1.93   2.71
--       of the smallest |mu|           1.88   1.76   1.86   2.28   7.02  39.17
--     64-64, the defaults              2.17   2.12   2.62   9.32  35.62  77.69
--       of the smallest |mu|           2.17   2.19   3.44  22.08  74.31  85.33
--
-- Theirs is trained for hundreds of epochs with a prior that is a mixture of two scales; ours for
-- 10,000 steps of 128 images, 21 epochs, with N(0, 1) (the large one with --predict_samples=10).
local bnn = require "bnn"

local experiment = {
  about = "trains a variational Bayesian MLP on MNIST, takes out the weights of the lowest "
    .. "signal-to-noise ratio, and reports accuracy, nll and KL at each fraction",
  common = {"seed", "dataset", "threads", "checkpoint", "stop", "monitor"},
  defaults = {
    lr = {1e-3, "Adam's learning rate", type = "schedule", above = 0},
    batch_size = {128, "images per step", type = "integer", min = 1},
    steps = {10000, "optimizer steps", type = "integer", min = 0},
    temperature = {1, "1 is the exact ELBO, below 1 a cold posterior", type = "number", min = 0},
    logvar = {-7, "initial log-variance of every weight", type = "number", min = -80, max = 80},
    prior_std = {1, "standard deviation of the prior", type = "number", above = 0},
    estimator = {"reparameterization", "of the gradient: see help of bnn.elbo",
                 choices = {"reparameterization", "local_reparameterization", "flipout"}},
    hidden = {{64, 64}, "units of each hidden layer", type = "integer", min = 1, max = 100000},
    predict_samples = {100, "networks averaged for a prediction", type = "integer", min = 1},
    fractions = {{0, 0.5, 0.75, 0.9, 0.95, 0.98}, "shares of the weights that are taken out",
                 type = "number", min = 0, max = 1},
    log_interval = {2000, "steps between two log entries", type = "integer", min = 1,
                    result = false},
    figures = {"figures", "folder for the plots; none if empty", type = "string", result = false},
  },
}

-- Accuracy and nll of a posterior, and its KL.
local function measure(objective, posterior, test, sampling)
  local model = {net = objective.net, posterior = posterior, likelihood = "categorical"}
  local p = bnn.predict(model, test.x, sampling)
  return {accuracy = bnn.metrics.accuracy(p, test.y), nll = bnn.metrics.nll(p, test.y),
          kl = posterior:kl{prior = objective.prior}}
end

local function say_drawn(path, ok, fault)
  io.stderr:write(ok and "wrote " .. path or "cannot draw " .. fault, "\n")
end

local function draw_all(cfg, posterior, series)
  if cfg.figures == "" then return end
  local path = cfg.figures .. "/pruning_snr.svg"
  say_drawn(path, bnn.plot.snr{
    title = "Signal-to-noise ratio of the weights", posterior = posterior, fraction = 0.75,
    path = path,
  })
  path = cfg.figures .. "/pruning.svg"
  say_drawn(path, bnn.plot.lines{
    title = "Accuracy without some of the weights", xlabel = "share taken out",
    ylabel = "test accuracy", series = series, path = path,
  })
end

-- Rows of the table, and curves, for one way to choose the weights.
local function prune_by(by, objective, test, cfg, sampling)
  local rows, curve = {}, {x = {}, y = {}, label = by, style = "both"}
  for i, fraction in ipairs(cfg.fractions) do
    local pruned = bnn.prune{posterior = objective.posterior, fraction = fraction, by = by}
    local m = measure(objective, pruned, test, sampling)
    rows[i] = {by, 100 * fraction, pruned.mask.flat:sum():item(), m.accuracy, m.nll, m.kl}
    curve.x[i], curve.y[i] = fraction, m.accuracy
  end
  return rows, curve
end

function experiment.run(cfg, log)
  local data = bnn.data.load_or_exit{dataset = cfg.dataset, dir = cfg.data_dir, log = log}
  local key = bnn.key(cfg.seed)
  local sizes = {table.unpack(cfg.hidden)}
  sizes[#sizes + 1] = 10
  local net = bnn.nn.mlp(sizes)
  local params = net:init(key:fold "init", data.train)
  local objective = bnn.elbo{
    net = net, likelihood = "categorical", temperature = cfg.temperature, prior = cfg.prior_std,
    posterior = bnn.posterior.meanfield(params, {logvar = cfg.logvar}), estimator = cfg.estimator,
  }
  bnn.assert_or_exit(objective:check_data(data.test))

  local sampling = {num_samples = cfg.predict_samples, key = key:fold "predict"}
  local state = bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, data = data.train,
    steps = cfg.steps, batch_size = cfg.batch_size, key = key:fold "train", log = log,
    log_every = cfg.log_interval,
    evaluate = function()
      local m = measure(objective, objective.posterior, data.test, sampling)
      return {{"test/accuracy", m.accuracy}, {"test/nll", m.nll}, {"test/kl_divergence", m.kl}}
    end,
    checkpoint = bnn.checkpoint.from_flags(cfg, {monitor = "test/accuracy"}),
    stop = bnn.early_stopping.from_flags(cfg, {monitor = "test/accuracy"}),
  }

  local rows, series = {}, {}
  for i, by in ipairs{"snr", "magnitude"} do
    local more
    more, series[i] = prune_by(by, objective, data.test, cfg, sampling)
    table.move(more, 1, #more, #rows + 1, rows)
  end
  log:say(bnn.table_text.render(rows, {
    "by", {"taken out", format = "%.0f%%"}, {"weights left", format = "%.0f"},
    {"accuracy", format = "%.4f"}, {"nll", format = "%.4f"}, {"KL", format = "%.0f"},
  }))
  draw_all(cfg, objective.posterior, series)
  local last = #cfg.fractions
  return {accuracy = series[1].y[1], accuracy_pruned = series[1].y[last]},
    {model = objective, data = data, state = state}
end

return bnn.main(experiment)
