--- A Bayesian classifier of handwritten digits, which can say "I don't know".
--
-- Every weight of the network is a Gaussian with a mean and a log-variance of its own. Training
-- maximises the ELBO: fit the digits with weights drawn from these Gaussians, and stay near the
-- prior N(0, 1). To predict, draw many networks and average; where they disagree, refuse to answer.
local bnn = require "bnn"

local experiment = {
  about = "variational Bayesian MLP on MNIST: accuracy, ELBO, and which images it refuses",
  defaults = {
    lr = {1e-3, "Adam's learning rate", above = 0},
    batch_size = {128, "images a step", type = "integer", min = 1},
    steps = {10000, "optimizer steps", type = "integer", min = 0},
    beta = {nil, "weight of the KL beside the mean log-likelihood (default 0.001)", type = "number",
            min = 0},
    temperature = {nil, "instead of beta, which is then temperature / number of training images; "
                     .. "with --kl=sum, 1 is the exact ELBO", type = "number", min = 0},
    kl = {"leading", "sum: the KL divergence; leading: each tensor's divided by its first "
            .. "dimension, as in the article", choices = {"leading", "sum"}},
    logvar = {-7, "initial log-variance of every weight", min = -80, max = 80},
    prior = {1, "standard deviation of the prior", above = 0},
    hidden = {{64, 64}, "units of each hidden layer", type = "integer", min = 1, max = 100000},
    samples = {1, "weight samples a step", type = "integer", min = 1},
    eval_samples = {10, "networks averaged for the accuracy in the log", type = "integer", min = 1},
    predict_samples = {100, "networks averaged for the closing table and what is refused",
                       type = "integer", min = 1},
    log_interval = {1000, "steps between two diagnostics", type = "integer", min = 1},
    seed = {1, "root of every random key", type = "integer"},
    dataset = {nil, "mnist, fashion-mnist, glyphs or a folder of IDX files (default: mnist; where "
                 .. "it is not to be had, glyphs, digits that the program draws)", type = "string"},
    data = {nil, "folder of the four files, or one that holds them in a folder called as the "
              .. "dataset (default: $BNNLUA_DATA, the system's, the cache, a download)",
            type = "string", result = false},
    ood = {nil, "another data set, such as letters, notmnist or a folder: how many of its images "
             .. "are refused (default for glyphs: letters-unlike-digits)", type = "string"},
    threads = {0, "threads to work with, 0: one for each processor", type = "integer", min = 0,
               max = 256, result = false},
  },
}

-- The article's five figures for one part of the data: accuracy by the mean of some networks, the
-- rest under one draw of the weights.
local function diagnose(name, objective, part, cfg, key, step)
  local sampling = {samples = cfg.eval_samples, key = key:fold "accuracy"}
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
local function say_examples(log, prediction, labels, threshold)
  local class, probability, std = prediction.class, prediction.probability, prediction.class_std
  local rows = {}
  for i = 1, math.min(10, labels:size(1)) do
    rows[i] = {i, labels[i], class[i], ("%.1f%%"):format(100 * probability[i]),
               ("%.3f"):format(std[i]), std[i] <= threshold and "" or "refused"}
  end
  local header = {"image", "label", "prediction", "probability", "std", "answer"}
  log:say(bnn.table_text.render(rows, header))
end

-- How many images the threshold refuses, as a share; what is not a number is refused as well.
local function say_refused(log, name, std, threshold)
  local n = std:size(1)
  local refused = n - std:le(threshold):sum():item()
  local line = "refused at that threshold: %d of %d images of %s (%.1f%%)"
  log:say(line:format(refused, n, name, 100 * refused / n))
  return refused / n
end

-- A set that the network has not seen, or nil; for the digits that the program draws, letters by
-- the same hands.
local function load_unseen(cfg, data)
  local name = cfg.ood or data.name == "glyphs" and "letters-unlike-digits"
  return name and bnn.demand(bnn.data.load(name)) or nil
end

-- The data to learn from; the second value says why they are not MNIST, where nobody asked for
-- others.
local function load_data(cfg)
  local data, fault, cause = bnn.data.load(cfg.dataset or "mnist", {dir = cfg.data})
  local may_replace = not data and cause and not cfg.dataset and not cfg.data
  local glyphs = may_replace and bnn.data.load "glyphs"
  if not glyphs then return bnn.demand(data, fault), "" end
  io.stderr:write(fault, "\n")
  return glyphs, (": digits drawn by the program, as MNIST is not here and %s"):format(cause)
end

-- Ends the program when images have another size than those that the network is trained on.
local function demand_size(data, train)
  local wanted = table.concat(train.x:shape(), " x ", 2)
  for _, name in ipairs{"train", "test"} do
    local size = data[name] and table.concat(data[name].x:shape(), " x ", 2) or wanted
    local fault = "%s: the %s images are %s, those to learn from %s"
    bnn.demand(size == wanted, fault:format(data.dir or data.title, name, size, wanted))
  end
end

function experiment.run(cfg, log)
  local both = "--beta and --temperature are two ways to say one thing; give one of them"
  bnn.demand(not (cfg.beta and cfg.temperature), both)
  bnn.threads(cfg.threads)
  local data, why = load_data(cfg)
  local where = data.dir or data.title
  local train = bnn.demand(data.train, where .. ": the data have no training images")
  local test = bnn.demand(data.test, where .. ": the data have no test images")
  local unseen = load_unseen(cfg, data)
  demand_size(data, train)
  if unseen then demand_size(unseen, train) end
  local line = "data: %s, %d training and %d test images%s"
  log:say(line:format(data.title, train.size, test.size, why))

  local key = bnn.key(cfg.seed)
  local sizes = table.move(cfg.hidden, 1, #cfg.hidden, 1, {})
  sizes[#sizes + 1] = 10
  local net = bnn.nn.mlp(sizes)
  local posterior = bnn.posterior.meanfield(net:init(key:fold "init", train), {logvar = cfg.logvar})
  local objective = bnn.elbo{
    net = net, posterior = posterior, likelihood = "categorical",
    beta = cfg.beta or not cfg.temperature and 1e-3 or nil, temperature = cfg.temperature,
    kl = cfg.kl, prior = cfg.prior, samples = cfg.samples, data_size = train.size,
  }

  bnn.demand(objective:check_data(test))

  local eval_key, some_train = key:fold "eval", train:slice(1, 10000)
  local function evaluate(step)
    local figures = diagnose("test", objective, test, cfg, eval_key, step)
    local more = diagnose("train", objective, some_train, cfg, eval_key, step)
    return table.move(more, 1, #more, #figures + 1, figures)
  end
  bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, data = train, steps = cfg.steps,
    batch_size = cfg.batch_size, key = key:fold "train", log = log, log_every = cfg.log_interval,
    evaluate = evaluate,
  }

  local predict = {samples = cfg.predict_samples, key = key:fold "predict"}
  local prediction = bnn.predict(objective, test.x, predict)
  local threshold = bnn.metrics.quantile(prediction.class_std, 0.99)
  say_examples(log, prediction, test.y, threshold)
  log:say(("99th percentile of the predicted class's std, test images: %.3f"):format(threshold))
  local metrics = {accuracy = bnn.metrics.accuracy(prediction, test.y), threshold = threshold}
  if unseen then
    local other = bnn.predict(objective, unseen.test or unseen.train, predict)
    say_refused(log, data.title .. ", test", prediction.class_std, threshold)
    metrics.refused = say_refused(log, unseen.title, other.class_std, threshold)
  end
  return metrics, {model = objective, data = data}
end

return bnn.main(experiment)
