--- Why does training fail at beta 1 and logvar -1? The two tricks of the tutorial as a study.
--
-- neptune.ai/blog/bayesian-neural-networks-with-jax trains with a small weight of the KL (beta) and
-- starts with little noise in the weights (logvar). This sweep trains networks for each pair of
-- them, by both ways to count the KL, and shows how accurate they are, how good their probabilities
-- are (nll), and how well their doubt tells data that they never saw from digits: the AUROC of
-- class_std, by which bnn.ood abstains, of those networks that have learned the digits.
local bnn = require "bnn"

local experiment = {
  about = "sweeps beta and logvar over a grid, with both KL modes and several seeds: tables and "
    .. "heat maps of accuracy, nll and AUROC",
  common = {"seed", "dataset"},
  defaults = {
    beta = {{1, 0.1, 0.01, 0.001}, "weights of the KL", type = "number", min = 0},
    logvar = {{-1, -4, -7, -10}, "initial log-variances of the weights", type = "number", min = -80,
              max = 80},
    kl = {{"sum", "leading"}, "how the KL is counted", type = "string",
          choices = {"sum", "leading"}},
    seeds = {3, "networks for each setting", min = 1},
    steps = {2000, "optimizer steps of each network", min = 1},
    lr = {1e-3, "Adam's learning rate", type = "number", above = 0},
    hidden = {{64, 64}, "units of each hidden layer", type = "integer", min = 1, max = 100000},
    predict_samples = {20, "networks averaged for a prediction", min = 1},
    ood_data = {nil, "data that no network has seen (default: notmnist if available, else "
                  .. "letters-unlike-digits)", type = "string"},
    workers = {0, "networks trained side by side, 0: one for each available processor", min = 0,
               result = false},
    name = {nil, "a name for the sweep (default: one made from its settings)", type = "string",
            result = false},
    figures = {"figures", "folder for heat maps; none if empty", type = "string", result = false},
  },
}

local LEARNED = 0.5 -- accuracy from which on doubt is compared

local METRICS = {
  {name = "accuracy", title = "accuracy", mode = "max"},
  {name = "nll", title = "negative log-likelihood", mode = "min"},
  {name = "auroc", title = "AUROC of %s", mode = "max"},
}

-- ---- one network ----

-- Trains a network. The data were loaded before its process was forked.
local function train(cfg, log, data, unseen)
  local key = bnn.key(cfg.seed)
  local sizes = table.move(cfg.hidden, 1, #cfg.hidden, 1, {})
  sizes[#sizes + 1] = 10
  local net = bnn.nn.mlp(sizes)
  local params = net:init(key:fold "init", data.train)
  local objective = bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(params, {logvar = cfg.logvar}),
    likelihood = "categorical", beta = cfg.beta, kl = cfg.kl,
  }
  local function predict(x)
    return bnn.predict(objective, x, {num_samples = cfg.predict_samples, key = key:fold "predict"})
  end
  local some = data.test:slice(1, math.min(2000, data.test.size))
  bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, data = data.train,
    steps = cfg.steps, key = key:fold "train", log = log, log_every = math.max(1, cfg.steps // 10),
    evaluate = function()
      return {{"accuracy", bnn.metrics.accuracy(predict(some.x), some.y)}}
    end,
  }
  local report = bnn.ood.evaluate{
    predict = predict, id = data.test, ood = {{name = "unseen", x = unseen.x}},
    scores = {"class_std"}, key = key:fold "ood", progress = false,
  }
  return {
    accuracy = report.accuracy, nll = bnn.metrics.nll(predict(data.test.x), data.test.y),
    auroc = report.ranking.class_std.unseen.auroc,
  }
end

-- ---- the tables ----

-- The mean of a metric over the seeds of each trial, NaN where it has none; of one kl or of all.
local function column(result, name, kl)
  local values = {}
  for i, metrics in ipairs(result.trials.metrics) do
    local is_shown = metrics[name] and (not kl or result.trials.config.kl[i] == kl)
      and (name ~= "auroc" or metrics.accuracy >= LEARNED)
    values[i] = is_shown and metrics[name] or 0 / 0
  end
  return values
end

-- The least and the greatest value for any kl, so that their heat maps have one scale; nil if there
-- are none, or all are the same.
local function range(result, name)
  local least, most = math.huge, -math.huge
  for _, v in ipairs(column(result, name)) do
    if v - v == 0 then least, most = math.min(least, v), math.max(most, v) end
  end
  return least < most and {least, most} or nil
end

-- Shows a metric for one way to count the KL: a table, and a heat map if there is a folder.
local function show(cfg, log, result, metric, kl, unseen)
  local config, title = result.trials.config, metric.title:format(unseen.title)
  local opts = {
    values = column(result, metric.name, kl), mode = metric.mode,
    zlabel = title, title = ("%s, kl=%s"):format(title, kl),
    x = {name = "beta", values = config.beta, log = true},
    y = {name = "logvar", values = config.logvar},
  }
  log:say("\n" .. bnn.assert_or_exit(bnn.plot.cells(opts)))
  if cfg.figures == "" then return end
  opts.path = ("%s/sweep_beta_%s_%s.svg"):format(cfg.figures, metric.name, kl)
  opts.zrange = range(result, metric.name)
  local ok, fault = bnn.plot.cells(opts)
  if not ok then io.stderr:write("no heat map: ", fault, "\n") end
end

function experiment.run(cfg, log)
  local data = bnn.data.load_or_exit{dataset = cfg.dataset, dir = cfg.data_dir, log = log}
  local unseen = bnn.data.load_unseen_or_exit{dataset = cfg.ood_data, like = data}
  local result = bnn.sweep{
    experiment = function(trial, trial_log) return train(trial, trial_log, data, unseen) end,
    space = {beta = cfg.beta, logvar = cfg.logvar, kl = cfg.kl}, sampler = "grid",
    config = {steps = cfg.steps, lr = cfg.lr, hidden = cfg.hidden, data = data.name,
              predict_samples = cfg.predict_samples, seed = cfg.seed},
    seeds = cfg.seeds, objective = "accuracy", name = cfg.name, workers = cfg.workers,
    runs = cfg.runs, progress = not cfg.quiet,
  }
  log:say(result:text(5))
  for _, metric in ipairs(METRICS) do
    for _, kl in ipairs(cfg.kl) do show(cfg, log, result, metric, kl, unseen) end
  end
  local report = result:report()
  if report then io.stderr:write("report: ", report, "\n") end
  return {best = result.best and result.best.value or 0 / 0}
end

return bnn.main(experiment)
