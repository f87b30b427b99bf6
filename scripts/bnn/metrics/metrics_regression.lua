--- Metrics of real-valued predictions, and quantiles. With bootstrap, the rows (positions of the
-- first axis) are resampled.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local normal = require "bnn.base.normal"

local M = {}

--- Computes the root of the mean squared difference over all elements of two tensors of the same
-- shape.
--     bnn.metrics.rmse({1, 2, 3}, {1, 2, 6})            -- 1.732
-- @param prediction tensor or list [n, ...], or what bnn.predict returns
-- @param target tensor or list of the same shape
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.rmse(prediction, target, opts)
  local what = "bnn.metrics.rmse"
  opts = bootstrap.options(what, opts)
  local mean = type(prediction) == "table" and prediction.mean
  local x = inputs.values(what, "prediction", mean or prediction, "prediction")
  local y = inputs.values(what, "target", target, "target")
  inputs.check_same_shape(what, x, "target", y)
  return bootstrap.evaluate(what, opts, core.mean_metric, core.squared_errors(x, y), true)
end

local function check_not_negative(what, item, x)
  for i, v in ipairs(x:reshape(x:numel()):totable()) do
    if v < 0 then fail("%s: %s %d: expected at least 0, got %.6g", what, item, i, v) end
  end
end

--- Computes the share of targets within the central interval of probability `level` of
-- N(mean, std^2), its ends included: about `level` if the predictive distribution is right.
--     bnn.metrics.coverage({0, 0}, {1, 1}, {0.5, 2}, 0.9)     -- 0.5: within 1.645 of the mean
-- @param mean, std tensors or lists [n, ...]: of the predictive distribution, noise included
--   (total_std)
-- @param target tensor or list of the same shape
-- @param level number in (0, 1)
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if level is not within (0, 1).
function M.coverage(mean, std, target, level, opts)
  local what = "bnn.metrics.coverage"
  opts = bootstrap.options(what, opts)
  local m = inputs.values(what, "mean", mean, "mean")
  local s = inputs.values(what, "std", std, "std")
  local y = inputs.values(what, "target", target, "target")
  inputs.check_same_shape(what, m, "std", s)
  inputs.check_same_shape(what, m, "target", y)
  check_not_negative(what, "std", s)
  if type(level) ~= "number" or not (level > 0 and level < 1) then
    fail("%s: level: expected a number between 0 and 1, got %s", what, kinds.show(level))
  end
  local within = core.within(m, s, y, normal.quantile((1 + level) / 2))
  return bootstrap.evaluate(what, opts, core.mean_metric, within, false)
end

--- Computes the q-quantile of all elements by linear interpolation between order statistics
-- (NumPy's default).
--     bnn.metrics.quantile({1, 2, 3, 4}, 0.5)           -- 2.5
-- @param x tensor of any shape or list of numbers, without NaN
-- @param q number in [0, 1]
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if x is empty or q is not in [0, 1].
function M.quantile(x, q, opts)
  local what = "bnn.metrics.quantile"
  opts = bootstrap.options(what, opts)
  local values = inputs.values(what, "x", x, "value")
  local n = values:numel()
  if n == 0 then fail("%s: x: expected at least one value, got none", what) end
  if type(q) ~= "number" or not (q >= 0 and q <= 1) then
    fail("%s: q: expected a number in [0, 1], got %s", what, kinds.show(q))
  end
  local flags = core.zeros({n}, "u8")
  return bootstrap.evaluate(what, opts, core.rank_metric, "quantile", values, flags, q, false)
end

return M
