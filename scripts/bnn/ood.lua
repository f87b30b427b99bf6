--- Out of distribution: which inputs are unlike those that a network has learnt from, and when it
-- is to say "I don't know".
--
--     local p = bnn.predict(model, validation.x, {samples = 100, key = key})
--     local rule = bnn.ood.threshold(p, {score = "class_std", percentile = 0.99})
--     local refused = bnn.ood.is_refused(bnn.predict(model, x, o), rule)    -- 1 where it is
--
-- A score is a number for each example, higher = more out-of-distribution. Of what bnn.predict
-- gives: class_std, entropy, expected_entropy, mutual_information, variation_ratio, energy,
-- one_minus_probability; and any other field [n] of a prediction, such as one that you add to it.
local core = require "bnn.core"
local inputs = require "bnn.metric_inputs"
local regression = require "bnn.regression"
local scores = require "bnn.ood_scores"

local M = {}

-- The percentile of scores without NaN.
local function percentile_of(what, values, percentile)
  local threshold = regression.quantile(values, percentile)
  if threshold == threshold then return threshold end
  inputs.fail("%s: percentile = %s lies between a score of -inf and one of inf", what, percentile)
end

--- The article's rule of refusal: a percentile of a score on in-distribution examples, which
-- neither trained the network nor will be reported on. Plain data: keep it with the checkpoint.
-- @param prediction what bnn.predict gives for these examples
-- @param opts table: score="class_std", the name of a score (see bnn.ood); percentile=0.99 in
--   [0, 1], by linear interpolation
-- @return table {score=, percentile=, threshold=, n= of examples}
function M.threshold(prediction, opts)
  local what = "ood.threshold"
  if type(opts) == "table" and type(opts.score) == "function" then
    inputs.fail("%s: score is a function, which no checkpoint can keep: a name is wanted "
      .. "(prediction.mine = f(prediction), score = \"mine\")", what)
  end
  opts = inputs.options(what, opts, {
    score = {type = "string", default = "class_std"}, bootstrap = false,
    percentile = {type = "number", min = 0, max = 1, default = 0.99},
  })
  local values = scores.check(what, scores.of(what, prediction, opts.score))
  return {
    score = opts.score, percentile = opts.percentile, n = values:size(1),
    threshold = percentile_of(what, values, opts.percentile),
  }
end

--- Which answers a rule refuses: those whose score is above its threshold, or is not a number.
-- @param prediction what bnn.predict gives
-- @param rule table as bnn.ood.threshold gives it; {score=, threshold=} will do
-- @return tensor [n] of 1 (refused) and 0
function M.is_refused(prediction, rule)
  local what = "ood.is_refused"
  local score = type(rule) == "table" and rule.score
  local threshold = type(rule) == "table" and rule.threshold
  if type(score) ~= "string" or type(threshold) ~= "number" then
    inputs.fail("%s: the rule is to be what ood.threshold gives, {score=, threshold=}", what)
  end
  if threshold ~= threshold then inputs.fail("%s: the threshold is not a number", what) end
  local refused = scores.of(what, prediction, score):totable()
  -- in double: rounded to float, a threshold may cross the score it stands beside
  for i, v in ipairs(refused) do refused[i] = v <= threshold and 0 or 1 end
  return core.tensor(refused)
end

return M
