--- The rule of bnn.ood: an answer is refused where its score is above a threshold.
local fail = require "bnn.base.fail"
local metrics_regression = require "bnn.metrics.metrics_regression"

local M = {}

--- The rule whose threshold is a percentile of scores without NaN.
-- @param what string: the function's name for messages
-- @param name string: the score's
-- @param values tensor f64 [n]
-- @param percentile number in [0, 1]
-- @return table {score=, percentile=, threshold=, n=}
function M.fit(what, name, values, percentile)
  local threshold = metrics_regression.quantile(values, percentile)
  if threshold ~= threshold then
    fail("%s: percentile = %s lies between a score of -inf and one of inf", what, percentile)
  end
  return {score = name, percentile = percentile, threshold = threshold, n = values:size(1)}
end

--- Which scores a rule refuses: those above its threshold, and what is not a number.
-- @param values tensor f64 [n]
-- @return list of 1 (refused) and 0
function M.refused(values, rule)
  local refused = values:totable()
  -- in double: rounded to float, a threshold may cross the score it stands beside
  for i, v in ipairs(refused) do refused[i] = v <= rule.threshold and 0 or 1 end
  return refused
end

return M
