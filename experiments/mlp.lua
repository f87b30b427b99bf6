--- A plain network for comparison with the Bayesian one: one value per weight, with weight decay.
--
-- The loss is the mean cross-entropy plus weight_decay / 2 times the sum of squared weights, biases
-- included: a maximum a posteriori estimate under a Gaussian prior of precision weight_decay times
-- the number of training images. It does not know its uncertainty; compare
-- experiments/mnist.lua --ood_data=letters.
local bnn = require "bnn"

local experiment = {
  about = "trains a plain MLP with weight decay on MNIST: accuracy and loss",
  common = {"seed", "dataset", "threads", "checkpoint", "stop", "monitor"},
  defaults = {
    lr = {1e-3, "Adam's learning rate", type = "schedule", above = 0},
    batch_size = {1000, "images per step", type = "integer", min = 1},
    steps = {5000, "optimizer steps", type = "integer", min = 0},
    weight_decay = {1e-4, "the penalty is this / 2 times the sum of squared parameters", min = 0},
    hidden = {{64, 64}, "units of each hidden layer", type = "integer", min = 1, max = 100000},
    log_interval = {1000, "steps between two log entries", type = "integer", min = 1,
                    result = false},
  },
}

function experiment.run(cfg, log)
  local data = bnn.data.load_or_exit{dataset = cfg.dataset, dir = cfg.data_dir, log = log}
  local key = bnn.key(cfg.seed)
  local sizes = {table.unpack(cfg.hidden)}
  sizes[#sizes + 1] = 10
  local net = bnn.nn.mlp(sizes)
  local objective = bnn.objective{
    net = net, params = net:init(key:fold "init", data.train), likelihood = "categorical",
    weight_decay = cfg.weight_decay,
  }
  bnn.assert_or_exit(objective:check_data(data.test))

  local parts = {{"test", data.test}, {"train", data.train:slice(1, 10000)}}
  local latest
  local function evaluate(step)
    local rows, eval_key = {}, key:fold "eval"
    latest = rows
    for _, part in ipairs(parts) do
      local name, examples = part[1], part[2]
      local prediction = bnn.predict(objective, examples.x, {key = eval_key})
      local figures = objective:evaluate(examples, {key = eval_key, step = step})
      rows[#rows + 1] = {name .. "/accuracy", bnn.metrics.accuracy(prediction, examples.y)}
      rows[#rows + 1] = {name .. "/loss", figures.loss + figures.penalty}
      rows[#rows + 1] = {name .. "/log_likelihood", figures.log_likelihood}
    end
    return rows
  end
  local state = bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, data = data.train,
    steps = cfg.steps, batch_size = cfg.batch_size, key = key:fold "train", log = log,
    log_every = cfg.log_interval, evaluate = evaluate,
    checkpoint = bnn.checkpoint.from_flags(cfg, {monitor = "test/accuracy"}),
    stop = bnn.early_stopping.from_flags(cfg, {monitor = "test/accuracy"}),
  }

  return {accuracy = latest[1][2], loss = latest[2][2]},
    {model = objective, data = data, state = state}
end

return bnn.main(experiment)
