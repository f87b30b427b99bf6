--- A convolutional network like LeNet-5 (LeCun et al. 1998) on digits: plain or, with --bayesian,
-- with a posterior over every kernel and weight.
--
-- Two convolutions of 5 x 5 with pooling between, then three linear layers. The first convolution
-- pads the 28 x 28 images, as the original's were 32 x 32.
local bnn = require "bnn"
local nn = bnn.nn

local experiment = {
  about = "trains a convolutional network like LeNet-5 on MNIST, plain or Bayesian",
  renamed = {samples = "predict_samples"},
  common = {"seed", "dataset", "threads", "checkpoint", "stop", "monitor"},
  defaults = {
    bayesian = {false, "learn a posterior over the weights, by the exact ELBO"},
    lr = {1e-3, "Adam's learning rate", type = "schedule", above = 0},
    batch_size = {128, "images per step", type = "integer", min = 1},
    epochs = {3, "passes over the training images", type = "integer", min = 0},
    logvar = {-7, "with --bayesian: initial log-variance of every weight", type = "number",
              min = -80, max = 80},
    temperature = {1, "with --bayesian: 1 is the exact ELBO, below 1 a cold posterior",
                   type = "number", min = 0},
    predict_samples = {20, "with --bayesian: networks averaged for a prediction",
                       type = "integer", min = 1},
  },
}

local function lenet()
  return nn.sequential{
    nn.conv2d(6, 5, {padding = "same"}), nn.relu(), nn.max_pool(2),
    nn.conv2d(16, 5), nn.relu(), nn.max_pool(2),
    nn.flatten(), nn.linear(120), nn.relu(), nn.linear(84), nn.relu(), nn.linear(10),
  }
end

local function make_objective(cfg, key, train)
  local net = lenet()
  local params = net:init(key:fold "init", train)
  if not cfg.bayesian then
    return bnn.objective{net = net, params = params, likelihood = "categorical"}
  end
  return bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(params, {logvar = cfg.logvar}),
    likelihood = "categorical", temperature = cfg.temperature, data_size = train.size,
  }
end

function experiment.run(cfg, log)
  local data = bnn.data.load_or_exit{dataset = cfg.dataset, dir = cfg.data_dir, log = log}
  local key = bnn.key(cfg.seed)
  local objective = make_objective(cfg, key, data.train)
  bnn.assert_or_exit(objective:check_data(data.test))

  local latest
  local function evaluate(step)
    local num_samples = cfg.bayesian and cfg.predict_samples or nil
    local sampling = {num_samples = num_samples, key = key:fold "eval"}
    local prediction = bnn.predict(objective, data.test.x, sampling)
    local figures = objective:evaluate(data.test, {key = key:fold "eval", step = math.max(step, 1)})
    latest = {
      {"test/accuracy", bnn.metrics.accuracy(prediction, data.test.y)},
      {"test/log_likelihood", figures.log_likelihood},
    }
    if cfg.bayesian then latest[3] = {"test/kl_divergence", figures.kl_divergence} end
    return latest
  end
  local per_epoch = math.max(data.train.size // cfg.batch_size, 1)
  local steps = cfg.epochs * per_epoch
  local state = bnn.train{
    objective = objective, data = data.train, steps = steps, batch_size = cfg.batch_size,
    optimizer = bnn.optim.adam{lr = bnn.schedule.with_steps(cfg.lr, steps)},
    key = key:fold "train", log = log, log_every = per_epoch, evaluate = evaluate,
    checkpoint = bnn.checkpoint.from_flags(cfg, {monitor = "test/accuracy"}),
    stop = bnn.early_stopping.from_flags(cfg, {monitor = "test/accuracy"}),
  }
  return {accuracy = latest[1][2], log_likelihood = latest[2][2]},
    {model = objective, data = data, state = state}
end

return bnn.main(experiment)
