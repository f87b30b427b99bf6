--- Does the predictive interval open up where there are no data?
--
-- y = x^3 + noise on [-4, 4] (Hernandez-Lobato and Adams 2015), learned from 100 points, predicted
-- on [-6, 6]. The plotted band has two parts: how much the networks differ (epistemic), which
-- grows away from the data, and the noise of the observations (aleatoric), which does not.
local bnn = require "bnn"

local experiment = {
  about = "Bayesian regression on y = x^3 + noise: coverage, and how the band widens "
    .. "outside the data",
  renamed = {prior = "prior_std"},
  common = {"seed", "threads", "checkpoint", "stop", "monitor"},
  objective = {"test/rmse", "min"},
  defaults = {
    lr = {1e-2, "Adam's learning rate", type = "schedule", above = 0},
    batch_size = {100, "points per step", type = "integer", min = 1},
    steps = {10000, "optimizer steps", type = "integer", min = 0},
    temperature = {1, "1 is the exact ELBO, below 1 a cold posterior", type = "number", min = 0},
    logvar = {-7, "initial log-variance of every weight", type = "number", min = -80, max = 80},
    prior_std = {1, "standard deviation of the prior", type = "number", above = 0},
    hidden = {{50}, "units of each hidden layer", type = "integer", min = 1, max = 100000},
    samples = {1, "weight samples per step", type = "integer", min = 1},
    predict_samples = {500, "networks averaged for the band", type = "integer", min = 1},
    n = {100, "training points", type = "integer", min = 2},
    noise = {3, "standard deviation of the observations", type = "number", above = 0},
    learn_noise = {false, "learn the noise instead of fixing it in the likelihood"},
    log_interval = {2000, "steps between two log entries", type = "integer", min = 1,
                    result = false},
    figures = {"figures", "folder for the plot; none if empty", type = "string",
               result = false},
  },
}

-- ReLU layers and a mean; where the noise is learned, log sigma is one more parameter.
local function network(cfg)
  local sizes = {table.unpack(cfg.hidden)}
  sizes[#sizes + 1] = 1
  local mean = bnn.nn.mlp(sizes)
  if not cfg.learn_noise then return mean end
  return bnn.transform(function(x)
    return mean(x), bnn.nn.parameter("log_sigma", {1}, bnn.nn.zeros)
  end)
end

-- The band over [-6, 6] in the units of the data, as a picture.
local function draw(cfg, data, scale, grid, band)
  if cfg.figures == "" then return end
  local path = cfg.figures .. "/cubic.svg"
  local function x_of(x) return x * scale.x.std + scale.x.mean end
  local function y_of(y) return y * scale.y.std + scale.y.mean end
  local mean = y_of(band.mean)
  local function within(std)
    local deviations = std * scale.y.std * 2
    return {mean - deviations, mean + deviations}
  end
  local ok, fault = bnn.plot.lines{
    title = "y = x^3 + noise, learned on [-4, 4]", xlabel = "x", ylabel = "y", path = path,
    x = grid, yrange = {-160, 160}, vlines = {-4, 4}, vlabel = "ends of the data", height = 480,
    series = {
      {band = within(band.total_std), colour = "sky", label = "2 std, noise included"},
      {band = within(band.std), colour = "blue", label = "2 std of the networks"},
      {y = mean, colour = "blue", label = "mean"},
      {y = grid ^ 3, style = "dashes", colour = "black", label = "x^3"},
      {x = x_of(data.x), y = y_of(data.y), style = "points", colour = "black", label = "data"},
    },
  }
  io.stderr:write(ok and "wrote " .. path or "cannot draw " .. fault, "\n")
end

function experiment.run(cfg, log)
  local key = bnn.key(cfg.seed)
  local data = bnn.data.cubic{key = key:fold "data", n = cfg.n, noise = cfg.noise,
                              standardise = true}
  local train, test, scale = data.train, data.test, data.scale
  log:say(("data: y = x^3 + noise, %d training and %d test points on [-4, 4]"):format(train.size,
    test.size))

  local net, sigma = network(cfg), cfg.noise / scale.y.std:item()
  local posterior = bnn.posterior.meanfield(net:init(key:fold "init", train), {logvar = cfg.logvar})
  local objective = bnn.elbo{
    net = net, posterior = posterior, temperature = cfg.temperature, data_size = train.size,
    likelihood = bnn.likelihood.gaussian{sigma = not cfg.learn_noise and sigma or nil},
    prior = cfg.prior_std, num_samples = cfg.samples,
  }

  local predict = {num_samples = cfg.predict_samples, key = key:fold "predict"}
  local rmse, coverage
  local function evaluate(step)
    local y = bnn.predict(objective, test.x, predict)
    local figures = objective:evaluate(test, {key = key:fold "eval", step = step})
    rmse = bnn.metrics.rmse(y.mean, test.y) * scale.y.std:item()
    coverage = bnn.metrics.coverage(y.mean, y.total_std, test.y, 0.90)
    return {
      {"test/elbo", figures.elbo}, {"test/log_likelihood", figures.log_likelihood},
      {"test/kl_divergence", figures.kl_divergence}, {"test/rmse", rmse},
      {"test/coverage90", coverage},
    }
  end
  local state = bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, data = train, steps = cfg.steps,
    batch_size = math.min(cfg.batch_size, train.size), key = key:fold "train", log = log,
    log_every = cfg.log_interval, evaluate = evaluate,
    checkpoint = bnn.checkpoint.from_flags(cfg, {monitor = "test/rmse", mode = "min"}),
    stop = bnn.early_stopping.from_flags(cfg, {monitor = "test/rmse", mode = "min"}),
  }

  local grid = bnn.linspace(-6, 6, 121):reshape(121, 1)
  local band = bnn.predict(objective, (grid - scale.x.mean) / scale.x.std, predict)
  local rows, unit = {}, scale.y.std:item()
  for _, i in ipairs{1, 21, 41, 61, 81, 101, 121} do
    rows[#rows + 1] = {grid[i][1], grid[i][1] ^ 3, band.mean[i][1] * unit + scale.y.mean:item(),
      band.std[i][1] * unit, band.noise_std[i][1] * unit, band.total_std[i][1] * unit}
  end
  log:say(bnn.table_text.render(rows, {
    {"x", format = "%.0f"}, {"x^3", format = "%.1f"}, {"mean", format = "%.1f"},
    {"networks' std", format = "%.2f"}, {"noise", format = "%.2f"}, {"in all", format = "%.2f"},
  }))
  local widening = band.total_std[121][1] / band.total_std[61][1]
  log:say(bnn.number.format("the band at x = 6 is %.2f times that at x = 0", widening))
  draw(cfg, train, scale, grid, band)
  return {rmse = rmse, coverage90 = coverage, widening = widening},
    {model = objective, data = data, state = state}
end

return bnn.main(experiment)
