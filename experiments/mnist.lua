--- A Bayesian classifier of handwritten digits, which can say "I don't know".
--
-- Every weight of the network is a Gaussian with its own mean and log-variance. Training maximises
-- the ELBO: it fits the digits with weights drawn from these Gaussians, and keeps them near the
-- prior N(0, 1). Predictions average many drawn networks, and abstain where these disagree.
local bnn = require "bnn"

local experiment = {
  about = "trains a variational Bayesian MLP on MNIST, reports accuracy and ELBO, and abstains on "
    .. "images that it is unsure of",
  renamed = {prior = "prior_std", ood = "ood_data"},
  common = {"seed", "dataset", "threads", "checkpoint", "stop", "monitor"},
  defaults = {
    lr = {1e-3, "Adam's learning rate", type = "schedule", above = 0},
    batch_size = {128, "images per step", type = "integer", min = 1},
    steps = {10000, "optimizer steps", type = "integer", min = 0},
    beta = {nil, "weight of the KL against the mean log-likelihood (default 0.001)",
            type = "schedule", min = 0},
    temperature = {nil, "alternative to beta, which becomes temperature / number of training "
                     .. "images; with --kl=sum, 1 is the exact ELBO", type = "number", min = 0},
    kl = {"leading", "sum: the KL divergence; leading: the KL of each tensor divided by its first "
            .. "dimension, as in neptune.ai/blog/bayesian-neural-networks-with-jax",
          choices = {"leading", "sum"}},
    logvar = {-7, "initial log-variance of every weight", type = "number", min = -80, max = 80},
    prior_std = {1, "standard deviation of the prior", type = "number", above = 0},
    hidden = {{64, 64}, "units of each hidden layer", type = "integer", min = 1, max = 100000},
    samples = {1, "weight samples per step", type = "integer", min = 1},
    eval_samples = {10, "networks averaged for the accuracy in the log", type = "integer", min = 1},
    predict_samples = {100, "networks averaged for the closing table and the abstention rule",
                       type = "integer", min = 1},
    log_interval = {1000, "steps between two log entries", type = "integer", min = 1,
                    result = false},
    ood_data = {nil, "out-of-distribution data, such as letters, notmnist or a folder: reports the "
                  .. "share on which it abstains (default for glyphs: letters-unlike-digits)",
                type = "string"},
  },
}

-- Computes five metrics of a part of the data, those of https://neptune.ai/blog/bayesian-neural-
-- networks-with-jax: accuracy by the mean of some networks, the others under one draw of the
-- weights.
local function diagnose(name, objective, part, cfg, key, step)
  local sampling = {num_samples = cfg.eval_samples, key = key:fold "accuracy"}
  local prediction = bnn.predict(objective, part.x, sampling)
  local figures = objective:evaluate(part, {key = key:fold "elbo", step = step})
  return {
    {name .. "/accuracy", bnn.metrics.accuracy(prediction, part.y)},
    {name .. "/elbo", figures.elbo},
    {name .. "/log_likelihood", figures.log_likelihood},
    {name .. "/kl_divergence", figures.kl_divergence},
    {name .. "/mean_approximate_evidence", math.exp(figures.elbo / 10)},
  }
end

-- A few test images with what is predicted, how surely, and how much the networks disagree.
local function say_examples(log, prediction, labels, rule)
  local class, probability, std = prediction.class, prediction.probability, prediction.class_std
  local rows, abstains = {}, bnn.ood.abstains(prediction, rule)
  for i = 1, labels:size(1) do
    rows[i] = {i, labels[i], class[i], 100 * probability[i], std[i],
               abstains[i] == 1 and "refused" or ""}
  end
  log:say(bnn.table_text.render(rows, {
    "image", "label", "prediction", {"probability", format = "%.1f%%", align = "left"},
    {"std", format = "%.3f", align = "left"}, "answer",
  }))
end

-- On how many images of a set the threshold abstains; it was fitted on half of the test images.
local function say_refused(log, report, set)
  local share = report.abstained.class_std[set]
  local is_test = set == report.id
  local n, half = is_test and report.n_report or report.n[set], is_test and ", the other half" or ""
  local line = "refused at that threshold: %.0f of %d images of %s%s (%.1f%%)"
  log:say(bnn.number.format(line, share * n, n, set, half, 100 * share))
  return share
end

-- A set that the network has not seen, or nil; for the digits that the program draws, letters by
-- the same hands.
local function load_unseen(cfg, data)
  local name = cfg.ood_data or data.name == "glyphs" and "letters-unlike-digits"
  return name and bnn.data.load_or_exit{dataset = name, like = data} or nil
end

-- Keeps a temperature and the rule of abstention with each checkpoint that may be opened later.
local function calibrate_checkpoints(cfg, test, rows, sampling)
  if not cfg.checkpoint then return end
  local validation = test:with{x = test.x:index(rows), y = test.y:index(rows)}
  local ok, fault = bnn.calibration.keep(cfg.checkpoint,
    {validation = validation, num_samples = sampling.num_samples, key = sampling.key})
  if not ok then io.stderr:write("WARNING: calibration not saved: ", fault, "\n") end
end

function experiment.run(cfg, log)
  local both = "--beta and --temperature are two ways to say one thing; give one of them"
  bnn.assert_or_exit(not (cfg.beta and cfg.temperature), both)
  local data = bnn.data.load_or_exit{dataset = cfg.dataset, dir = cfg.data_dir, log = log}
  local train, test, unseen = data.train, data.test, load_unseen(cfg, data)

  local key = bnn.key(cfg.seed)
  local sizes = {table.unpack(cfg.hidden)}
  sizes[#sizes + 1] = 10
  local net = bnn.nn.mlp(sizes)
  local posterior = bnn.posterior.meanfield(net:init(key:fold "init", train), {logvar = cfg.logvar})
  local objective = bnn.elbo{
    net = net, posterior = posterior, likelihood = "categorical",
    beta = cfg.beta or not cfg.temperature and 1e-3 or nil, temperature = cfg.temperature,
    kl = cfg.kl, prior = cfg.prior_std, num_samples = cfg.samples, data_size = train.size,
  }

  bnn.assert_or_exit(objective:check_data(test))

  local eval_key, some_train = key:fold "eval", train:slice(1, 10000)
  local function evaluate(step)
    local figures = diagnose("test", objective, test, cfg, eval_key, step)
    local more = diagnose("train", objective, some_train, cfg, eval_key, step)
    return table.move(more, 1, #more, #figures + 1, figures)
  end
  local state = bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, data = train, steps = cfg.steps,
    batch_size = cfg.batch_size, key = key:fold "train", log = log, log_every = cfg.log_interval,
    evaluate = evaluate,
    checkpoint = bnn.checkpoint.from_flags(cfg, {monitor = "test/accuracy"}),
    stop = bnn.early_stopping.from_flags(cfg, {monitor = "test/accuracy"}),
  }

  local sampling = {num_samples = cfg.predict_samples, key = key:fold "predict"}
  local function predict(x) return bnn.predict(objective, x, sampling) end
  local other = unseen and (unseen.test or unseen.train)
  local report = bnn.ood.evaluate{
    predict = predict, id = {x = test.x, y = test.y, title = data.title .. ", test"},
    ood = {other and {name = unseen.title, x = other.x}}, scores = {"class_std"},
    key = key:fold "ood",
  }
  local rule, few = report.rules.class_std, test:slice(1, 10)
  say_examples(log, predict(few.x), few.y, rule)
  local line = "99th percentile of the predicted class's std, half of the test images: %.3f"
  log:say(bnn.number.format(line, rule.threshold))
  local metrics = {accuracy = report.accuracy, threshold = rule.threshold}
  metrics.refused_test = say_refused(log, report, report.id)
  metrics.refused = unseen and say_refused(log, report, unseen.title)
  calibrate_checkpoints(cfg, test, report.fit_rows, sampling)
  return metrics, {model = objective, data = data, state = state}
end

return bnn.main(experiment)
