--- Metrics of real-valued predictions, and quantiles. With bootstrap, the rows (positions of the
-- first axis) are resampled.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local normal = require "bnn.base.normal"

local M = {}

-- A prediction and its targets, of one shape.
local function pair(what, prediction, target)
  local mean = type(prediction) == "table" and prediction.mean
  local x = inputs.values(what, "prediction", mean or prediction, "prediction")
  local y = inputs.values(what, "target", target, "target")
  inputs.check_same_shape(what, x, "target", y)
  return x, y
end

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
  local errors = core.squared_errors(pair(what, prediction, target))
  return bootstrap.evaluate(what, opts, core.mean_metric, errors, true)
end

--- Computes the mean absolute difference over all elements of two tensors of the same shape.
--     bnn.metrics.mae({1, 2, 3}, {1, 2, 6})             -- 1
-- @param prediction tensor or list [n, ...], or what bnn.predict returns
-- @param target tensor or list of the same shape
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.mae(prediction, target, opts)
  local what = "bnn.metrics.mae"
  opts = bootstrap.options(what, opts)
  local errors = core.absolute_errors(pair(what, prediction, target))
  return bootstrap.evaluate(what, opts, core.mean_metric, errors, false)
end

-- 1 - residual / total sum of squares of column k of `width`, of flat lists.
local function explained(what, x, y, k, width)
  local n, mean, residual, total = #y // width, 0, 0, 0
  for i = k, #y, width do mean = mean + y[i] / n end
  for i = k, #y, width do
    residual, total = residual + (y[i] - x[i]) ^ 2, total + (y[i] - mean) ^ 2
  end
  if total == 0 then
    fail("%s: target: expected numbers that differ, got %.6g alone", what, mean)
  end
  return 1 - residual / total
end

--- Computes the coefficient of determination R^2, the share of the targets' variance that is
-- explained; the mean over columns if there are several numbers an example, as in scikit-learn.
--     bnn.metrics.r2({1, 2, 4}, {1, 2, 3})              -- 0.5
-- @param prediction tensor or list [n, ...], or what bnn.predict returns
-- @param target tensor or list of the same shape
-- @param opts table: empty, as it takes no bootstrap=
-- @return number: 1 of perfect predictions, 0 of the mean alone, below 0 of worse ones
-- Raises if a column of targets is one number alone.
function M.r2(prediction, target, opts)
  local what = "bnn.metrics.r2"
  bootstrap.options(what, opts, {bootstrap = false})
  local x, y = pair(what, prediction, target)
  local width, sum = y:numel() // y:size(1), 0
  x, y = x:reshape(x:numel()):totable(), y:reshape(y:numel()):totable()
  for k = 1, width do sum = sum + explained(what, x, y, k, width) end
  return sum / width
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
