--- Back to the units of the targets: undoes what preprocessing did to y, in values, deviations and
-- whole predictions.
--
-- Units are plain data: y was g(y) * 1/std - mean/std with g the identity, log or log1p:
--     {mean = {m, ...}, std = {s, ...}, log = nil, "log" or "log1p"}, one entry for each column
local core = require "bnn.core"
local describe = require "bnn.base.describe"
local example_weights = require "bnn.model.example_weights"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local metrics = require "bnn.metrics.all_metrics"
local mixture = require "bnn.metrics.metrics_mixture"
local normal = require "bnn.base.normal"
local options = require "bnn.base.options"
local regression = require "bnn.metrics.metrics_regression"
local shapes = require "bnn.base.shapes"

local M = {}

local DEVIATIONS = {"std", "noise_std", "total_std", "draws_std"}

-- Mean and standard deviation as tensors [k] that go with x [..., k], or [n] of one column.
local function scale_of(what, units, x)
  local k = #units.mean
  if k > 1 and (x:dim() == 0 or x:size(-1) ~= k) then
    fail("%s: expected [..., %d], a column for each target, got %s", what, k, shapes.text(x))
  end
  return core.tensor(units.mean), core.tensor(units.std)
end

-- Values before the mean and the standard deviation were taken: still logarithms, if they were.
local function unscaled(what, units, x)
  local mean, std = scale_of(what, units, x)
  return x:real() * std + mean
end

local function without_log(units, x)
  if not units.log then return x end
  return units.log == "log1p" and x:exp() - 1 or x:exp()
end

-- Values of any kind, such as means, samples or quantiles: y is a monotone function of them.
local function values(what, units, x) return without_log(units, unscaled(what, units, x)) end

-- A prediction of y * std + mean: exact.
local function affine(what, units, p)
  local result = {mean = values(what, units, p.mean), num_samples = p.num_samples}
  if p.draws then result.draws = values(what, units, p.draws) end
  for _, name in ipairs(DEVIATIONS) do
    local x = p[name]
    if x then
      local _, std = scale_of(what, units, x)
      result[name] = x * std
    end
  end
  if p.standard_error and #units.std == 1 then
    result.standard_error, result.reached = p.standard_error * units.std[1], p.reached
  end
  return result
end

-- The moments of a mixture of log-normal distributions, one for each draw: mean exp(m + v / 2) and
-- variance exp(2 m + v) (exp(v) - 1), which add up as variances do.
local function log_normal(what, units, p)
  if not (p.draws and p.draws_std) then
    fail("%s: expected a prediction with its draws, as bnn.predict(model, x, {draws = true}) gives "
      .. "it: the mean of a target whose logarithm was learnt depends on all of them", what)
  end
  local _, std = scale_of(what, units, p.draws)
  local m, v = unscaled(what, units, p.draws), (p.draws_std * std) ^ 2
  local means = (m + v / 2):exp()
  local mean = means:mean(1)
  local noise = (means ^ 2 * (v:exp() - 1)):mean(1)
  local spread = ((means - mean) ^ 2):mean(1)
  return {
    mean = units.log == "log1p" and mean - 1 or mean, std = spread:sqrt(), noise_std = noise:sqrt(),
    total_std = (spread + noise):sqrt(), num_samples = p.num_samples,
  }
end

local function is_prediction(x) return type(x) == "table" and kinds.is_object(x.mean, "tensor") end

--- Returns a tensor, or a prediction of numbers, in the units of the targets.
function M.invert(what, units, x)
  if kinds.is_object(x, "tensor") then return values(what .. ": x", units, x) end
  if not is_prediction(x) or x.class then
    fail.expected(what .. ": x", "a tensor, or what bnn.predict returned of numbers", x)
  end
  local invert = units.log and log_normal or affine
  return describe.as("prediction", invert(what .. ": x", units, x))
end

--- Returns {lo=, hi=}: mean - z total_std and mean + z total_std, in the units of the targets.
function M.interval(what, units, p, z)
  if not is_prediction(p) or not p.total_std then
    fail.expected(what .. ": prediction", "what bnn.predict returned of numbers with a noise", p)
  end
  local half = p.total_std * z
  return {lo = values(what, units, p.mean - half), hi = values(what, units, p.mean + half)}
end

--- The number of deviations of a normal interval of this probability.
function M.deviations(level) return normal.quantile((1 + level) / 2) end

-- The mean over examples, by their weights, of the log of d(network's y) / d(y).
local function log_jacobian(units, y, weight)
  local sum = 0
  for _, s in ipairs(units.std) do sum = sum - math.log(s) end
  if not units.log then return sum end
  local logs = (units.log == "log1p" and y + 1 or y):log():reshape(y:size(1), -1):sum(2)
  if not weight then return sum - logs:mean():item() end
  return sum - ((logs * weight):sum() / weight:sum()):item()
end

-- Metrics where the logarithm was learnt. The moments are the prediction's in the units of the
-- targets; the interval and the density are those of the logarithm, carried over.
local function log_summary(what, units, p, y, opts)
  opts = options.check(what, opts, {weight = "any"})
  local weight = opts.weight
  if weight ~= nil then weight = example_weights.check(what, weight, y:size(1)) end
  opts.weight = weight
  local own, target = M.invert(what, units, p), values(what, units, y)
  local result = describe.as("summary", {
    rmse = regression.rmse(own, target, opts), mae = regression.mae(own, target, opts),
    coverage_90 = regression.coverage(p.mean, p.total_std, y, 0.9, opts),
    log_predictive_density = mixture.log_predictive_density(p, y, opts)
      + log_jacobian(units, target, weight),
  })
  local ok, r2 = fail.try(regression.r2, own, target, opts)
  result.r2 = ok and r2 or nil
  return result
end

--- Computes the metrics of a prediction in the units of the targets.
-- @param y tensor as the network learnt it
-- @param opts table or nil: weight=, and bootstrap= unless a logarithm was learnt
function M.summary(what, units, p, y, opts)
  if units.log then return log_summary(what, units, p, y, opts) end
  return metrics.summary(M.invert(what, units, p), M.invert(what, units, y), opts)
end

return M
