--- The abstention rule: an answer abstains if a score of its prediction exceeds a threshold.
-- bnn.ood fits it, bnn.calibration stores it and bnn.plot draws it.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local metrics_regression = require "bnn.metrics.metrics_regression"
local scores = require "bnn.predict.prediction_scores"

local M = {}

--- Fits the rule: its threshold is a percentile of scores, which must not contain NaN.
-- @param what string: the function's name for messages
-- @param name string: the score's
-- @param values tensor f64 [n]
-- @param percentile number in [0, 1]
-- @return table {score=, percentile=, threshold=, n=}
function M.fit(what, name, values, percentile)
  local threshold = metrics_regression.quantile(values, percentile)
  if threshold ~= threshold then
    fail("%s: percentile: %s lies between a score of -inf and one of inf", what, percentile)
  end
  return {score = name, percentile = percentile, threshold = threshold, n = values:size(1)}
end

--- Compares scores with a rule's threshold; NaN abstains.
-- @param values tensor f64 [n]
-- @return list of 1 (abstains) and 0
function M.exceeds(values, rule)
  local flags = values:totable()
  -- in double: rounded to float, a threshold may cross the score it stands beside
  for i, v in ipairs(flags) do flags[i] = v <= rule.threshold and 0 or 1 end
  return flags
end

--- Returns which answers of a prediction abstain; NaN predictions do.
-- @param what string: the function's name for messages
-- @param prediction what bnn.predict returns
-- @param rule table {score=, threshold=}
-- @return tensor [n] of 1 (abstains) and 0
function M.abstains(what, prediction, rule)
  local score = type(rule) == "table" and rule.score
  local threshold = type(rule) == "table" and rule.threshold
  if type(score) ~= "string" or type(threshold) ~= "number" then
    fail.expected(what .. ": rule", "{score=, threshold=}, as bnn.ood.fit_threshold returns", rule)
  end
  if threshold ~= threshold then fail("%s: rule.threshold: expected a number, got nan", what) end
  local flags = M.exceeds(scores.of(what, prediction, score), rule)
  local has_class = kinds.is_object(prediction.class, "tensor")
  for i, class in ipairs(has_class and prediction.class:totable() or {}) do
    if class < 0 then flags[i] = 1 end -- no answer: the prediction is not a number
  end
  return core.tensor(flags)
end

return M
