--- Is the Bayes posterior too warm?
--
-- A posterior at temperature T < 1 is colder than Bayes' rule: narrower, closer to the data.
-- Wenzel et al. 2020 ("How good is the Bayes posterior in deep neural networks really?") found that
-- networks sampled at T far below 1 predict better than at T = 1. Here each T trains networks of
-- its own, and the tutorial at neptune.ai/blog/bayesian-neural-networks-with-jax joins them: its
-- way to weigh the KL is a temperature for each tensor.
--
-- Tempering the likelihood leaves the prior as it is: exp(-loss / T) prior(w). Tempering the whole
-- posterior, as Wenzel et al. do, narrows the prior too: (exp(-loss) prior(w))^(1 / T), a prior of
-- deviation s sqrt(T) beside the tempered likelihood.
--
-- At its defaults on MNIST: nll (standard error over three seeds; AUROC by the largest
-- probability):
--
--     T                     1                       0.1                     0.001
--     meanfield             0.067 (0.001; 0.998)    0.076 (0.004; 0.996)    0.078 (0.004; 0.898)
--     --tempers=posterior                           0.072 (0.003; 0.971)    0.075 (0.004; 0.799)
--     --method=sghmc        0.086 (0.001; 0.941)    0.069 (0.002; 0.917)    0.066 (0.002; 0.894)
--     the tutorial's        0.073 (0.003; 0.995), from T = 0.077 to 6
--
-- Samples predict better below 1, as in that paper; the mean field does not. Both tell what no
-- network has seen best at 1.
local bnn = require "bnn"

local experiment = {
  about = "trains networks at temperatures from 1 down, with several seeds: accuracy, nll, ECE, KL "
    .. "and AUROC of each, and where the objective of a tutorial lies among them",
  common = {"seed", "dataset"},
  defaults = {
    temperatures = {{1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001}, "1 is Bayes, below 1 is colder",
                    type = "number", above = 0},
    method = {"meanfield", "meanfield: a Gaussian for each weight, by the ELBO; sghmc: weights "
                .. "sampled by stochastic-gradient Hamiltonian Monte Carlo",
              choices = {"meanfield", "sghmc"}},
    tempers = {"likelihood", "what the temperature is of: the likelihood, beside an unchanged "
                 .. "prior, or the posterior", choices = {"likelihood", "posterior"}},
    tutorial = {true, "also trains with the tutorial's KL, each tensor's divided by its first "
                  .. "dimension (meanfield, --tempers=likelihood)", type = "boolean"},
    beta = {1e-3, "weight of the tutorial's KL", type = "number", above = 0},
    seeds = {3, "networks for each temperature", type = "integer", min = 1},
    steps = {10000, "optimizer steps of each network; sghmc: half are burn-in", type = "integer",
             min = 2},
    batch_size = {128, "images per step", type = "integer", min = 1},
    lr = {nil, "learning rate (default: 0.001 for meanfield, by Adam; 0.03 for sghmc)",
          type = "number", above = 0},
    logvar = {-7, "meanfield: initial log-variance of every weight", type = "number", min = -80,
              max = 80},
    prior_std = {1, "standard deviation of the prior", type = "number", above = 0},
    hidden = {{64, 64}, "units of each hidden layer", type = "integer", min = 1, max = 100000},
    predict_samples = {50, "networks averaged for a prediction", type = "integer", min = 1},
    ood_data = {nil, "data that no network has seen (default: notmnist if available, else "
                  .. "letters-unlike-digits)", type = "string"},
    workers = {0, "networks trained side by side, 0: one for each available processor", min = 0,
               result = false},
    name = {nil, "a name for the sweep (default: one made from its settings)", type = "string",
            result = false},
    figures = {"figures", "folder for the plots; none if empty", type = "string", result = false},
  },
}

-- By name: title, format in the table, name there.
local METRICS = {
  {"accuracy", "test accuracy", "%.4f"}, {"nll", "negative log-likelihood", "%.4f"},
  {"ece", "ECE", "%.4f"}, {"kl", "KL", "%.0f"},
  {"auroc_probability", "AUROC of one minus the largest probability", "%.4f",
   "AUROC max p"},
  {"auroc_mi", "AUROC of the mutual information", "%.4f", "AUROC MI"},
}

-- ---- one network ----

-- Each trains a network and returns what predicts: a model, and its KL if it has one. opts are
-- those of bnn.train.
local methods = {}

-- The ELBO of a mean-field posterior, at a temperature, or with the tutorial's KL.
local function elbo(cfg, net, params)
  local narrowed = cfg.tempers == "posterior" and math.sqrt(cfg.temperature) or 1
  local is_tutorial = cfg.kl == "leading"
  return bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(params, {logvar = cfg.logvar}), kl = cfg.kl,
    likelihood = "categorical", prior = cfg.prior_std * narrowed, data_size = cfg.data_size,
    beta = is_tutorial and cfg.beta or nil,
    temperature = not is_tutorial and cfg.temperature or nil,
  }
end

function methods.meanfield(cfg, net, params, opts)
  local objective = elbo(cfg, net, params)
  opts.objective, opts.optimizer = objective, bnn.optim.adam{lr = cfg.lr or 1e-3}
  bnn.train(opts)
  return objective, objective.posterior:kl{prior = objective.prior}
end

-- Samples of the second half of the steps. The sampler's own temperature is that of the posterior;
-- the weight of the prior, T or 1, makes it one of the likelihood or leaves it so.
function methods.sghmc(cfg, net, params, opts)
  local T = cfg.temperature
  local burn_in = cfg.steps // 2
  opts.objective = bnn.objective{
    net = net, params = params, likelihood = "categorical", prior = cfg.prior_std,
    temperature = cfg.tempers == "likelihood" and T or 1,
  }
  opts.optimizer = bnn.sampler.sghmc{lr = cfg.lr or 0.03, noise = T}
  opts.collect = bnn.collect.samples{
    from = burn_in + 1, every = math.max(1, (cfg.steps - burn_in) // cfg.predict_samples),
    keep = cfg.predict_samples,
  }
  local posterior = bnn.train(opts):posterior()
  return {net = net, posterior = posterior, likelihood = "categorical"}
end

local function sizes(cfg)
  local list = table.move(cfg.hidden, 1, #cfg.hidden, 1, {})
  list[#list + 1] = 10
  return list
end

-- Trains a network and measures it. The data were loaded before its process was forked.
local function run_one(cfg, log, data, unseen)
  local key = bnn.key(cfg.seed)
  local net = bnn.nn.mlp(sizes(cfg))
  local model, kl = methods[cfg.method](cfg, net, net:init(key:fold "init", data.train), {
    data = data.train, steps = cfg.steps, batch_size = cfg.batch_size, key = key:fold "train",
    log = log,
  })
  local function predict(x)
    return bnn.predict(model, x, {num_samples = cfg.predict_samples, key = key:fold "predict"})
  end
  local p, other = predict(data.test.x), predict(unseen.x)
  local metrics = bnn.metrics.summary(p, data.test.y)
  local function auroc(score)
    return bnn.metrics.auroc{id = p[score] or 1 - p.probability,
                             ood = other[score] or 1 - other.probability}
  end
  return {accuracy = metrics.accuracy, nll = metrics.nll, ece = metrics.ece, kl = kl,
          auroc_probability = auroc "one_minus_probability", auroc_mi = auroc "mutual_information"}
end

-- ---- the tutorial's temperatures ----

-- Prints the tutorial's objective by tensor, and returns its temperatures in order.
local function audit(cfg, log, data)
  local net = bnn.nn.mlp(sizes(cfg))
  local params = net:init(bnn.key(cfg.seed):fold "init", data.train)
  local rows, lines = elbo({
    kl = "leading", logvar = cfg.logvar, prior_std = cfg.prior_std, beta = cfg.beta,
    data_size = data.train.size,
  }, net, params):audit_rows(1), {}
  local list = {}
  for i, row in ipairs(rows) do
    list[i] = row.temperature
    lines[i] = {row.name, table.concat(row.shape, " x "), row.temperature, row.prior_std}
  end
  table.sort(list)
  log:say "\nthe tutorial's KL as temperatures, and the prior's deviation beside them:"
  log:say(bnn.table_text.render(lines, {"tensor", "shape", {"temperature", format = "%.4g"},
                                        {"prior std", format = "%.2f"}}))
  return list
end

-- ---- tables and figures ----

local function title_of(result, i, T)
  if result.trials.config.kl[i] == "sum" then return bnn.number.format("%g", T) end
  return bnn.number.format("tutorial: %.3g to %.3g", T[1], T[#T])
end

-- One row a trial: each metric that the method has, and its standard error over the seeds.
local function say_table(result, log, places)
  local rows, columns, trials = {}, {"temperature"}, result.trials
  for i in ipairs(trials.metrics) do rows[i] = {title_of(result, i, places[i])} end
  for _, metric in ipairs(METRICS) do
    local name, is_there = metric[1], false
    for i, row in ipairs(rows) do
      row[#columns + 1], row[#columns + 2] = trials.metrics[i][name], trials.metrics_se[i][name]
      is_there = is_there or trials.metrics[i][name] ~= nil
    end
    if is_there then
      columns[#columns + 1] = {metric[4] or name, format = metric[3]}
      columns[#columns + 1] = {"se", key = name .. "_se", format = "%.1g"}
    end
  end
  log:say(bnn.table_text.render(rows, columns))
end

-- A metric over the temperature with a band of a standard error, and the tutorial as a line from
-- its coldest to its hottest tensor.
local function curves(result, name, places)
  local curve = {x = {}, y = {}, std = {}, style = "both",
                 label = "one temperature, and its standard error"}
  local series = {curve}
  for i, metrics in ipairs(result.trials.metrics) do
    local value, T = metrics[name], places[i]
    if value and type(T) == "table" then
      local line = {x = T, y = {}, style = "both", colour = "vermillion",
                    label = "the tutorial's, a point for each tensor"}
      for k in ipairs(T) do line.y[k] = value end
      series[2] = line
    elseif value then
      local n = #curve.x + 1
      curve.x[n], curve.y[n] = T, value
      curve.std[n] = result.trials.metrics_se[i][name] or 0
    end
  end
  return curve.x[1] and series or nil
end

local function draw(cfg, result, places)
  if cfg.figures == "" then return end
  for _, metric in ipairs(METRICS) do
    local series = curves(result, metric[1], places)
    local path = ("%s/temperature_%s_%s.svg"):format(cfg.figures, cfg.method, metric[1])
    if series then
      local ok, fault = bnn.plot.lines{
        series = series, path = path, logx = true, xlabel = "temperature of the " .. cfg.tempers,
        ylabel = metric[2], title = ("%s, %d seeds"):format(cfg.method, cfg.seeds),
      }
      io.stderr:write(ok and "wrote " .. path or "cannot draw " .. fault, "\n")
    end
  end
end

-- ---- the run ----

-- The space of the sweep, the tutorial's objective included or not.
local function space_of(cfg)
  local has_tutorial = cfg.tutorial and cfg.method == "meanfield" and cfg.tempers == "likelihood"
  return {
    kl = has_tutorial and {"sum", "leading"} or {"sum"},
    temperature = bnn.space.conditional("kl", "sum", cfg.temperatures),
  }, has_tutorial
end

function experiment.run(cfg, log)
  local data = bnn.data.load_or_exit{dataset = cfg.dataset, dir = cfg.data_dir, log = log}
  local unseen = bnn.data.load_unseen_or_exit{dataset = cfg.ood_data, like = data}
  local space, has_tutorial = space_of(cfg)
  local config = {data = data.name, unseen = unseen.title, data_size = data.train.size}
  for _, name in ipairs{"method", "tempers", "beta", "steps", "batch_size", "lr", "logvar",
                        "prior_std", "hidden", "predict_samples", "seed"} do
    config[name] = cfg[name]
  end
  local result = bnn.sweep{
    experiment = function(trial, trial_log) return run_one(trial, trial_log, data, unseen) end,
    space = space, sampler = "grid", config = config, seeds = cfg.seeds, objective = "nll",
    mode = "min", name = cfg.name, workers = cfg.workers, runs = cfg.runs, progress = not cfg.quiet,
  }
  local tutorial, places = has_tutorial and audit(cfg, log, data) or nil, {}
  for i, T in ipairs(result.trials.config.temperature) do
    places[i] = result.trials.config.kl[i] == "sum" and T or tutorial
  end
  log:say(("\nAUROC against %s; se: standard error over %d seeds"):format(unseen.title, cfg.seeds))
  say_table(result, log, places)
  draw(cfg, result, places)
  local report = result:report()
  if report then io.stderr:write("report: ", report, "\n") end
  local best = result.best
  return {nll = best and best.value or 0 / 0, temperature = best and best.config.temperature}
end

return bnn.main(experiment)
