--- Metrics of selective prediction: which errors remain if the model abstains on the least
-- confident answers.
--
-- Each function takes predictions (probabilities [n, C], or what bnn.predict returns) and labels
-- [n] in 0..C-1; or confidences [n] and labels that are 1 if the answer was right, 0 if wrong.
-- The confidence is the largest probability, or any score given as `confidence=`, higher = surer
-- (an uncertainty negated). Among answers of one confidence the errors are spread evenly, which is
-- their expectation over orders: the order of the examples does not matter.
--
-- The areas are means over counts of answers, so for them a weight is a number of answers, whole or
-- not: twice the weights are twice the answers, and a mean weight of 1 leaves n of them.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"

local M = {}

-- Confidence, flags (1: wrong) and options.
local function read(what, prediction, labels, opts, spec)
  spec = spec or {}
  spec.confidence = "any"
  opts = bootstrap.options(what, opts, spec)
  local confidence, right = inputs.answers(what, prediction, labels)
  if opts.confidence ~= nil then
    local n = confidence:size(1)
    confidence = inputs.vector(what, "confidence", opts.confidence, "confidence")
    if confidence:size(1) ~= n then
      fail("%s: confidence: expected [%d], got [%d]", what, n, confidence:size(1))
    end
  end
  return confidence, core.flip_flags(right), opts
end

-- Raises if n weights stand for one answer in all, as those do that were divided by their sum.
local function check_counts(what, weight, n)
  fail.within(what, core.check_weights, weight, n)
  local sum, most = 0, 0
  for _, w in ipairs(weight:totable()) do
    sum, most = sum + w, math.max(most, w)
  end
  if sum > 1 + 1e-6 or most == sum then return end
  fail("%s: weight: expected numbers of answers, more than 1 in all, got a sum of %.6g", what, sum)
end

local function area(name, prediction, labels, opts)
  local what = "bnn.metrics." .. name
  local confidence, wrong
  confidence, wrong, opts = read(what, prediction, labels, opts)
  opts.weight = bootstrap.weight(what, opts)
  if opts.weight then check_counts(what, opts.weight, confidence:size(1)) end
  return bootstrap.evaluate(what, opts, core.rank_metric, name, confidence, wrong, 0, false)
end

--- Computes the area under the risk-coverage curve (Geifman and El-Yaniv 2017): the mean over
-- k = 1..n of the share of errors among the k most confident answers.
--     bnn.metrics.aurc({0.9, 0.8, 0.6, 0.5}, {1, 1, 0, 1})     -- 0.146: (0 + 0 + 1/3 + 1/4) / 4
--     bnn.metrics.aurc(p, y, {confidence = -p.class_std})
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n] in 0..C-1; with confidences, 1 for a right answer and 0 for a wrong one
-- @param opts table: weight= [n], numbers of answers; confidence= [n]; bootstrap={key=, n=1000,
--   level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if weights of several answers add up to 1 or less.
function M.aurc(prediction, labels, opts) return area("aurc", prediction, labels, opts) end

--- Computes the excess AURC: aurc minus the least that as many errors allow (all of them last),
-- (1/n) sum over k = n-m+1..n of (k - (n - m)) / k with m errors, exactly. The usual
-- r + (1 - r) log(1 - r) is its limit for large n, and a third too low at n = 100, m = 2.
--     bnn.metrics.e_aurc({0.9, 0.8, 0.6, 0.5}, {1, 1, 0, 1})     -- 0.0833: 0.146 - (1/4) / 4
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n] in 0..C-1; with confidences, 1 for a right answer and 0 for a wrong one
-- @param opts table: weight= [n], numbers of answers; confidence= [n]; bootstrap={key=, n=1000,
--   level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if weights of several answers add up to 1 or less.
function M.e_aurc(prediction, labels, opts) return area("e_aurc", prediction, labels, opts) end

--- Computes the area under the generalised risk-coverage curve (Traub et al. 2024): the mean over
-- k = 1..n of the errors among the k most confident answers, divided by n: 0 to 1/2 (+ 1/(2n)).
--     bnn.metrics.augrc({0.9, 0.8, 0.6, 0.5}, {1, 1, 0, 1})     -- 0.125: (0 + 0 + 1 + 1) / 16
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n] in 0..C-1; with confidences, 1 for a right answer and 0 for a wrong one
-- @param opts table: weight= [n], numbers of answers; confidence= [n]; bootstrap={key=, n=1000,
--   level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if weights of several answers add up to 1 or less.
function M.augrc(prediction, labels, opts) return area("augrc", prediction, labels, opts) end

-- For each distinct confidence from the highest: it, answers kept at it, errors among them.
local function kept(what, confidence, wrong, weight)
  local threshold, right, errors = fail.within(what, core.rank_counts, confidence, wrong, weight)
  right, errors = right:totable(), errors:totable()
  local count = {}
  for k = 1, #right do count[k] = right[k] + errors[k] end
  return threshold:totable(), count, errors
end

-- Intervals of coverage and risk at each threshold.
local function curve_intervals(boot, confidence, wrong, threshold, weight)
  local place, group = {}, confidence:totable()
  for k, c in ipairs(threshold) do place[c] = k - 1 end
  for i, c in ipairs(group) do group[i] = place[c] or 0 end -- those of no weight are nowhere
  local function interval(sum)
    return bootstrap.intervals(boot, sum, group, wrong, #threshold, weight)
  end
  return {coverage = interval "share_to", risk = interval "mean_to"}
end

--- Computes the risk-coverage curve, a point for each distinct confidence from the highest.
--     local curve = bnn.metrics.risk_coverage({0.9, 0.8, 0.6, 0.5}, {1, 1, 0, 1})
--     print(curve.coverage, curve.risk)                 -- 0.25 0.5 0.75 1, 0 0 0.333 0.25
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n]
-- @param opts table: weight= [n], confidence= [n], bootstrap={key=, n=1000, level=0.95}
-- @return table of tensors f64: coverage (the share of answers with confidence >= threshold), risk
--   (the share of errors among them), threshold; and with bootstrap {coverage=, risk=}, each
--   {lo, hi} of tensors f64, at these thresholds
function M.risk_coverage(prediction, labels, opts)
  local what = "bnn.metrics.risk_coverage"
  local confidence, wrong
  confidence, wrong, opts = read(what, prediction, labels, opts)
  local weight = bootstrap.weight(what, opts)
  local threshold, count, errors = kept(what, confidence, wrong, weight)
  local coverage, risk = {}, {}
  for k = 1, #count do
    coverage[k], risk[k] = count[k] / count[#count], errors[k] / count[k]
  end
  local curve = {coverage = core.tensor(coverage, "f64"), risk = core.tensor(risk, "f64"),
                 threshold = core.tensor(threshold, "f64")}
  if not opts.bootstrap then return curve end
  return curve, curve_intervals(opts.bootstrap, confidence, wrong, threshold, weight)
end

--- Computes the reject curve: accuracy against the share of answers rejected, least confident
-- first, from none rejected; a point for each distinct confidence from the lowest.
--     local curve = bnn.metrics.reject_curve({0.9, 0.8, 0.6, 0.5}, {1, 1, 0, 1})
--     print(curve.rejected, curve.accuracy)             -- 0 0.25 0.5 0.75, 0.75 0.667 1 1
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n]
-- @param opts table: weight= [n], confidence= [n]
-- @return table of tensors f64: rejected, accuracy (of what is kept), threshold (kept is confidence
--   >= threshold)
function M.reject_curve(prediction, labels, opts)
  local what = "bnn.metrics.reject_curve"
  local confidence, wrong
  confidence, wrong, opts = read(what, prediction, labels, opts, {bootstrap = false})
  local weight = bootstrap.weight(what, opts)
  local threshold, count, errors = kept(what, confidence, wrong, weight)
  local rejected, accuracy, least, n = {}, {}, {}, #count
  for k = n, 1, -1 do
    local i = n - k + 1
    rejected[i], accuracy[i] = 1 - count[k] / count[n], 1 - errors[k] / count[k]
    least[i] = threshold[k]
  end
  return {rejected = core.tensor(rejected, "f64"), accuracy = core.tensor(accuracy, "f64"),
          threshold = core.tensor(least, "f64")}
end

return M
