--- Metrics of real-valued predictions, and quantiles; handed out by bnn.metrics. With bootstrap,
-- the rows (positions of the first axis) are resampled.
local core = require "bnn.core"
local inputs = require "bnn.metrics.metric_inputs"
local normal = require "bnn.metrics.normal"
local number = require "bnn.base.number"

local M = {}

--- The root of the mean squared difference, over all elements of two tensors of the same shape.
-- @param prediction tensor or list [n, ...], or what bnn.predict gives
-- @param target of the same shape
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.rmse(prediction, target, opts)
  opts = inputs.options("rmse", opts)
  local mean = type(prediction) == "table" and prediction.mean
  local x = inputs.values("rmse", "the prediction", mean or prediction, "prediction")
  local y = inputs.values("rmse", "the target", target, "target")
  inputs.check_same_shape("rmse", x, y)
  return inputs.evaluate("rmse", opts, core.mean_metric, core.squared_errors(x, y), true)
end

local function check_not_negative(what, item, x)
  for i, v in ipairs(x:reshape(x:numel()):totable()) do
    if v < 0 then inputs.fail("%s: %s %d is %.6g, at least 0 is wanted", what, item, i, v) end
  end
end

--- The share of targets within the central interval of probability `level` of N(mean, std^2), its
-- ends included: `level` itself where the predictive distribution is right.
-- @param mean, std tensors or lists [n, ...]: of the predictive distribution, noise included
--   (total_std)
-- @param target of the same shape
-- @param level number in (0, 1): 0.90
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.coverage(mean, std, target, level, opts)
  opts = inputs.options("coverage", opts)
  local m = inputs.values("coverage", "the mean", mean, "mean")
  local s = inputs.values("coverage", "the std", std, "std")
  local y = inputs.values("coverage", "the target", target, "target")
  inputs.check_same_shape("coverage", m, s)
  inputs.check_same_shape("coverage", m, y)
  check_not_negative("coverage", "std", s)
  if type(level) ~= "number" or not (level > 0 and level < 1) then
    inputs.fail("coverage: level is %s, a number between 0 and 1 is wanted", number.text(level))
  end
  local within = core.within(m, s, y, normal.quantile((1 + level) / 2))
  return inputs.evaluate("coverage", opts, core.mean_metric, within, false)
end

--- The q-quantile of all elements by linear interpolation between order statistics (NumPy's
-- default).
-- @param x tensor or list of numbers, without NaN
-- @param q number in [0, 1]
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.quantile(x, q, opts)
  opts = inputs.options("quantile", opts)
  local values = inputs.values("quantile", "x", x, "value")
  local n = values:numel()
  if n == 0 then inputs.fail("quantile: there are no values") end
  if type(q) ~= "number" or not (q >= 0 and q <= 1) then
    inputs.fail("quantile: q is %s, a number in [0, 1] is wanted", number.text(q))
  end
  local flags = core.zeros({n}, "u8")
  return inputs.evaluate("quantile", opts, core.rank_metric, "quantile", values, flags, q, false)
end

return M
