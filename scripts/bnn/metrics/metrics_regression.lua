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
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
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
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.mae(prediction, target, opts)
  local what = "bnn.metrics.mae"
  opts = bootstrap.options(what, opts)
  local errors = core.absolute_errors(pair(what, prediction, target))
  return bootstrap.evaluate(what, opts, core.mean_metric, errors, false)
end

-- 1 - residual / total sum of squares of column k of `width`, of flat lists; w: of the rows.
local function explained(what, x, y, w, k, width)
  local sum, mean, residual, total = 0, 0, 0, 0
  for row, weight in ipairs(w) do
    sum, mean = sum + weight, mean + weight * y[(row - 1) * width + k]
  end
  mean = mean / sum
  for row, weight in ipairs(w) do
    local i = (row - 1) * width + k
    residual = residual + weight * (y[i] - x[i]) ^ 2
    total = total + weight * (y[i] - mean) ^ 2
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
-- @param opts table: weight= [n]
-- @return number: 1 of perfect predictions, 0 of the mean alone, below 0 of worse ones
-- Raises if a column of targets is one number alone.
function M.r2(prediction, target, opts)
  local what = "bnn.metrics.r2"
  opts = bootstrap.options(what, opts, {bootstrap = false})
  local x, y = pair(what, prediction, target)
  local n = y:size(1)
  local width, sum = y:numel() // n, 0
  local weight = bootstrap.weight(what, opts) or core.full({n}, 1):to "f64"
  fail.within(what, core.check_weights, weight, n)
  x, y = x:reshape(x:numel()):totable(), y:reshape(y:numel()):totable()
  weight = weight:totable()
  for k = 1, width do sum = sum + explained(what, x, y, weight, k, width) end
  return sum / width
end

local function check_not_negative(what, item, x)
  for i, v in ipairs(x:reshape(x:numel()):totable()) do
    if v < 0 then fail("%s: %s %d: expected at least 0, got %.6g", what, item, i, v) end
  end
end

local function check_level(what, level)
  if type(level) ~= "number" or not (level > 0 and level < 1) then
    fail("%s: level: expected a number between 0 and 1, got %s", what, kinds.show(level))
  end
end

--- Computes the share of targets within the central interval of probability `level` of
-- N(mean, std^2), its ends included: about `level` if the predictive distribution is right.
--     bnn.metrics.coverage({0, 0}, {1, 1}, {0.5, 2}, 0.9)     -- 0.5: within 1.645 of the mean
-- @param mean, std tensors or lists [n, ...]: of the predictive distribution, noise included
--   (total_std)
-- @param target tensor or list of the same shape
-- @param level number in (0, 1)
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if level is not within (0, 1).
function M.coverage(mean, std, target, level, opts)
  local what = "bnn.metrics.coverage"
  opts = bootstrap.options(what, opts)
  local m, s, y = inputs.of_one_shape(what, {"mean", mean}, {"std", std}, {"target", target})
  check_not_negative(what, "std", s)
  check_level(what, level)
  local within = core.within(m, s, y, normal.quantile((1 + level) / 2))
  return bootstrap.evaluate(what, opts, core.mean_metric, within, false)
end

local function check_intervals(what, lower, upper)
  upper = upper:reshape(upper:numel()):totable()
  for i, v in ipairs(lower:reshape(lower:numel()):totable()) do
    if v > upper[i] then
      fail("%s: interval %d: expected lower up to upper, got %.6g and %.6g", what, i, v, upper[i])
    end
  end
end

--- Computes the mean interval score of central intervals of probability `level` (Gneiting & Raftery
-- 2007, section 6.2), in the units of the targets: their width, and 2 / (1 - level) times how far
-- a target lies outside. It is lowest, over all intervals, for the quantiles of the targets' own
-- distribution, so it rewards narrow ones that cover.
--     bnn.metrics.interval_score({0, 0}, {2, 2}, {1, 3}, 0.9)     -- 12: (2 + 2 + 20 * 1) / 2
-- @param lower, upper tensors or lists [n, ...]: the ends of the intervals
-- @param target tensor or list of the same shape
-- @param level number in (0, 1)
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if an interval ends before it begins, or level is not within (0, 1).
function M.interval_score(lower, upper, target, level, opts)
  local what = "bnn.metrics.interval_score"
  opts = bootstrap.options(what, opts)
  local l, u, y = inputs.of_one_shape(what, {"lower", lower}, {"upper", upper},
    {"target", target})
  check_level(what, level)
  check_intervals(what, l, u)
  local scores = core.interval_scores(l, u, y, 1 - level)
  return bootstrap.evaluate(what, opts, core.mean_metric, scores, false)
end

--- Computes the q-quantile of all elements by linear interpolation between order statistics
-- (NumPy's default). It takes no weights: there is no such interpolation between weighted numbers.
--     bnn.metrics.quantile({1, 2, 3, 4}, 0.5)           -- 2.5
-- @param x tensor of any shape or list of numbers, without NaN
-- @param q number in [0, 1]
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if x is empty or q is not in [0, 1].
function M.quantile(x, q, opts)
  local what = "bnn.metrics.quantile"
  opts = bootstrap.options(what, opts, {weight = false})
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
