--- Which estimator of the gradient is the least noisy?
--
-- A step of variational inference draws weights, and its gradient is as noisy as that draw. One
-- draw for the whole batch is the noisiest way; a draw for each image, of what the layers compute
-- (Kingma et al. 2015) or by random signs (Wen et al. 2018), averages over the batch, and a pair of
-- opposite draws cancels in part. Here one network is trained, and on its way the variance of
-- each estimator is measured, at a fixed batch and for the choice of the batch, as in table 1 of
-- Kingma et al.
--
-- Times less noise than with one draw for the batch of 128, of all log-variances and of all means
-- (seed 1, standard errors below a sixth):
--
--                                at the start   after 10,000 steps of
--                                               one draw      local draws
--     local_reparameterization      69    2.8      13    1.0      25    1.3
--     flipout                      2.4    2.2     1.1    1.1     1.1    1.2
--     antithetic, a pair           3.1    3.9     2.3    3.0
--     two_samples                  2.0    2.0     2.1    2.0
local bnn = require "bnn"

-- What differs from one draw of the weights a step, by name.
local ESTIMATORS = {
  {"reparameterization", {}},
  {"two_samples", {num_samples = 2}},
  {"antithetic", {num_samples = 2, antithetic = true}},
  {"local_reparameterization", {estimator = "local_reparameterization"}},
  {"flipout", {estimator = "flipout"}},
}

local BUFFERS = {"mu", "logvar"}
local NAMES = {}
for i, row in ipairs(ESTIMATORS) do NAMES[i] = row[1] end

local experiment = {
  about = "trains a variational Bayesian MLP on MNIST and measures the variance of its gradients "
    .. "by several estimators, by layer, at the start, on the way and at the end",
  common = {"seed", "dataset", "threads"},
  defaults = {
    estimators = {nil, "what is compared, with the first (default: all of "
                    .. table.concat(NAMES, ", ") .. ")", type = "string", list = true},
    train_with = {NAMES[1], "one of these, with which the network is trained", type = "string"},
    variance_batch_sizes = {{128, 1000}, "images per step that variances are measured for; on the "
                              .. "way for the first", type = "integer", min = 1},
    batches = {50, "batches that variances are measured on", type = "integer", min = 3},
    draws = {4, "draws of the weights on each batch", type = "integer", min = 2},
    lr = {1e-3, "Adam's learning rate", type = "schedule", above = 0},
    batch_size = {128, "images per step of the training", type = "integer", min = 1},
    steps = {10000, "optimizer steps", type = "integer", min = 0},
    temperature = {1, "1 is the exact ELBO, below 1 a cold posterior", type = "number", min = 0},
    logvar = {-7, "initial log-variance of every weight", type = "number", min = -80, max = 80},
    prior_std = {1, "standard deviation of the prior", type = "number", above = 0},
    hidden = {{64, 64}, "units of each hidden layer", type = "integer", min = 1, max = 100000},
    log_interval = {1000, "steps between two log entries, each with a measurement",
                    type = "integer", min = 1},
    figures = {"figures", "folder for the plots; none if empty", type = "string", result = false},
  },
}

-- The options of an estimator; ends the program if there is none of that name.
local function options_of(name)
  for _, row in ipairs(ESTIMATORS) do
    if row[1] == name then return row[2] end
  end
  bnn.assert_or_exit(nil, ("no estimator '%s'; there are %s"):format(name,
    table.concat(NAMES, ", ")))
end

-- A table of options with some more.
local function with(options, more)
  local all = {}
  for name, value in pairs(options) do all[name] = value end
  for name, value in pairs(more) do all[name] = value end
  return all
end

local function objective_of(cfg, data, key)
  local sizes = table.move(cfg.hidden, 1, #cfg.hidden, 1, {})
  sizes[#sizes + 1] = 10
  local net = bnn.nn.mlp(sizes)
  local params = net:init(key:fold "init", data.train)
  return bnn.elbo(with(options_of(cfg.train_with), {
    net = net, likelihood = "categorical", temperature = cfg.temperature, prior = cfg.prior_std,
    posterior = bnn.posterior.meanfield(params, {logvar = cfg.logvar}), data_size = data.train.size,
  }))
end

-- Variances by the estimators of cfg, whatever the objective itself is trained with.
local function measure(cfg, objective, data, batch_size, key)
  local list = {}
  for i, name in ipairs(cfg.estimators) do
    list[i] = with({num_samples = 1, antithetic = false, estimator = "reparameterization",
                    label = name}, options_of(name))
  end
  return bnn.gradient_variance{
    objective = objective, estimators = list, data = data.train, batch_size = batch_size,
    batches = cfg.batches, draws = cfg.draws, key = key, progress = not cfg.quiet,
  }
end

-- ---- tables ----

local COLUMNS = {
  "buffer", "tensor", "estimator", {"noise", format = "%.3g"},
  {"+-", key = "noise_se", format = "%.1g"}, {"batch", format = "%.3g"},
  {"+-", key = "batch_se", format = "%.1g"}, {"less noise", key = "noise_ratio", format = "%.3g"},
  {"+-", key = "noise_ratio_se", format = "%.1g"},
  {"less in all", key = "total_ratio", format = "%.3g"},
  {"+-", key = "total_ratio_se", format = "%.1g"},
}

local VARIANCES = 7 -- of the columns, before the ratios

-- The weights of the first and the last layer, and all of a buffer, as the paper has them.
local function say_table(log, objective, variances, step)
  local names, shown, rows = objective.posterior:names(), {all = true}, {}
  for _, name in ipairs{names[1], names[#names - 1]} do shown[name] = true end
  for _, row in ipairs(variances.rows) do
    if shown[row.tensor] then rows[#rows + 1] = row end
  end
  local columns, head = COLUMNS, ("\nafter %d steps, batches of %d"):format(step,
    variances.batch_size)
  if variances.estimators[2] then
    head = ("%s; times less than %s"):format(head, variances.estimators[1])
  else
    columns = table.move(COLUMNS, 1, VARIANCES, 1, {})
  end
  log:say(head)
  log:say(bnn.table_text.render(rows, columns))
end

-- ---- figures ----

local function say_drawn(path, ok, fault)
  io.stderr:write(ok and "wrote " .. path or "cannot draw " .. fault, "\n")
end

-- The noise of a buffer over the training, a line for each estimator.
local function draw_curve(cfg, measured, buffer)
  local series = {}
  for i, name in ipairs(cfg.estimators) do
    series[i] = {x = {}, y = {}, label = name, style = "both"}
    for k, one in ipairs(measured) do
      series[i].x[k], series[i].y[k] = one.step, one.list[1]:find(name, buffer).noise
    end
  end
  local path = ("%s/gradient_variance_%s.svg"):format(cfg.figures, buffer)
  say_drawn(path, bnn.plot.lines{
    title = ("Noise of the gradient, %s, batches of %d"):format(buffer,
      cfg.variance_batch_sizes[1]),
    xlabel = "step", ylabel = "variance at a fixed batch", logy = true, series = series,
    path = path,
  })
end

local function draw_all(cfg, measured)
  if cfg.figures == "" then return end
  local last = measured[#measured]
  for _, buffer in ipairs(BUFFERS) do
    draw_curve(cfg, measured, buffer)
    if cfg.estimators[2] then
      local path = ("%s/gradient_variance_%s_tensors.svg"):format(cfg.figures, buffer)
      say_drawn(path, bnn.plot.gradient_variance{
        variances = last.list[1], buffer = buffer, path = path,
        title = ("Noise after %d steps, %s"):format(last.step, buffer),
      })
    end
  end
end

-- ---- the run ----

-- What measures after some steps: for the first size of batches on the way, for all at both ends.
-- `measured` gets {step=, list= variances by size}; the function returns rows for the log.
local function measurement(cfg, objective, data, key, measured)
  return function(step)
    local one, is_end = {step = step, list = {}}, step == 0 or step == cfg.steps
    for i, size in ipairs(cfg.variance_batch_sizes) do
      if i == 1 or is_end then
        one.list[i] = measure(cfg, objective, data, size, key:fold "variance")
      end
    end
    measured[#measured + 1] = one
    local numbers = objective:evaluate(data.test, {key = key:fold "eval", step = step})
    local rows = {{"test/elbo", numbers.elbo}, {"test/kl_divergence", numbers.kl_divergence}}
    for _, buffer in ipairs(BUFFERS) do
      for _, name in ipairs(cfg.estimators) do
        local row = one.list[1]:find(name, buffer)
        rows[#rows + 1] = {("noise/%s/%s"):format(buffer, name), row.noise}
      end
    end
    return rows
  end
end

-- How much less noise each estimator has at one end of the training: "logvar/flipout/128/start".
local function add_metrics(metrics, cfg, variances, where)
  for _, buffer in ipairs(BUFFERS) do
    for _, name in ipairs(cfg.estimators) do
      local which = ("%s/%s/%d/%s"):format(buffer, name, variances.batch_size, where)
      metrics[which] = variances:find(name, buffer).noise_ratio
    end
  end
end

function experiment.run(cfg, log)
  cfg = with(cfg, {estimators = cfg.estimators or NAMES})
  for _, name in ipairs(cfg.estimators) do options_of(name) end
  local data = bnn.data.load_or_exit{dataset = cfg.dataset, dir = cfg.data_dir, log = log}
  local key = bnn.key(cfg.seed)
  local objective = objective_of(cfg, data, key)
  bnn.assert_or_exit(objective:check_data(data.test))

  local measured = {}
  local state = bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, data = data.train,
    steps = cfg.steps, batch_size = cfg.batch_size, key = key:fold "train", log = log,
    log_every = cfg.log_interval,
    evaluate = measurement(cfg, objective, data, key, measured),
  }

  local metrics, first, last = {}, measured[1], measured[#measured]
  for _, one in ipairs(last == first and {first} or {first, last}) do
    for _, variances in ipairs(one.list) do
      say_table(log, objective, variances, one.step)
      add_metrics(metrics, cfg, variances, one == last and "end" or "start")
    end
  end
  draw_all(cfg, measured)
  return metrics, {model = objective, data = data, state = state, measured = measured}
end

return bnn.main(experiment)
