--- Split-conformal prediction: sets and thresholds with a guarantee that needs no model to be right
-- (Vovk et al. 2005; Angelopoulos and Bates 2021, "A gentle introduction to conformal prediction").
--
--     local p = bnn.predict(model, calibration.x, o)
--     local c = bnn.conformal.fit{probabilities = p, labels = calibration.y, alpha = 0.1}
--     local s = bnn.conformal.sets(c, bnn.predict(model, x, o))
--
-- If calibration and test examples are exchangeable, a test example's set holds its label with
-- probability at least 1 - alpha (and at most 1 - alpha + 1/(n + 1) without ties), over draws of
-- both. Examples from another distribution have no such promise. Calibrate on examples that neither
-- trained the network nor fitted a temperature. Thresholds take no weights: exchangeable examples
-- count alike. The fit is plain data: keep it with the checkpoint.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"

local M = {}

local function check_alpha(what, alpha)
  if type(alpha) ~= "number" or not (alpha > 0 and alpha < 1) then
    fail("%s: alpha: expected a number between 0 and 1, got %s", what, kinds.show(alpha))
  end
end

-- The ceil((n + 1)(1 - alpha))-th smallest of a list that it sorts, or nil when n is too small; the
-- billionth keeps rounding of, say, 10 * (1 - 0.7) from asking for one more.
local function corrected_quantile(scores, alpha)
  table.sort(scores)
  return scores[math.max(1, math.ceil((#scores + 1) * (1 - alpha) - 1e-9))]
end

--- Computes the threshold that a score of a new example exceeds with probability at most alpha: the
-- ceil((n + 1)(1 - alpha))-th smallest of n calibration scores. Abstaining above it on an
-- uncertainty abstains on at most a share alpha of in-distribution examples, on average over
-- calibration sets. It is infinite if n < 1/alpha - 1: so few examples cannot promise that.
--     bnn.conformal.threshold({0.1, 0.2, 0.3, 0.4}, 0.2)     -- 0.4
-- @param scores tensor or list [n], of calibration examples
-- @param alpha number in (0, 1)
-- @return number
function M.threshold(scores, alpha)
  local what = "bnn.conformal.threshold"
  local x = inputs.vector(what, "scores", scores, "score")
  check_alpha(what, alpha)
  return corrected_quantile(x:totable(), alpha) or math.huge
end

-- 1 - p of the class in each row, as numbers.
local function label_scores(what, p, labels)
  inputs.check_classes(what, labels, p:size(2))
  local rows, scores = p:totable(), {}
  for i, label in ipairs(labels:totable()) do scores[i] = 1 - rows[i][label + 1] end
  return scores
end

--- Fits prediction sets on calibration examples by the score 1 - p(label), whose sets are the
-- smallest on average (Sadinle et al. 2019).
--     bnn.conformal.fit{probabilities = p, labels = y, alpha = 0.1}     -- {threshold=, alpha=, n=}
-- @param opts table: probabilities= [n, C] or what bnn.predict returns; labels= [n] in 0..C-1;
--   alpha=0.1, the share of sets that may miss their label
-- @return table of numbers {threshold=, alpha=, n=}; threshold 1 (every class in every set) when
--   n < 1/alpha - 1
function M.fit(opts)
  local what = "bnn.conformal.fit"
  opts = options.check(what, opts, {
    probabilities = "any", labels = "any", alpha = {type = "number", default = 0.1},
  })
  check_alpha(what, opts.alpha)
  local p = inputs.probabilities(what, opts.probabilities)
  local scores = label_scores(what, p, inputs.labels(what, opts.labels, p:size(1)))
  return {threshold = corrected_quantile(scores, opts.alpha) or 1, alpha = opts.alpha, n = #scores}
end

--- Returns the set of classes of each example: those with 1 - p <= threshold. An empty set says
-- that no class is likely enough; several classes cannot be told apart.
--     local s = bnn.conformal.sets({threshold = 0.8}, {{0.7, 0.3}, {0.9, 0.1}})
--     print(s.member, s.size)                           -- {{1, 1}, {1, 0}}, {2, 1}
-- @param fit table as conformal.fit returns it
-- @param prediction probabilities [n, C], or what bnn.predict returns
-- @return table: member u8 [n, C], 1 for classes in the set; size i32 [n], classes in each set
function M.sets(fit, prediction)
  local what = "bnn.conformal.sets"
  local threshold = type(fit) == "table" and fit.threshold
  if type(threshold) ~= "number" then
    fail.expected(what .. ": fit", "what bnn.conformal.fit returns", fit)
  end
  local rows, size = inputs.probabilities(what, prediction):totable(), {}
  for i, row in ipairs(rows) do
    size[i] = 0
    for c, p in ipairs(row) do
      row[c] = 1 - p <= threshold and 1 or 0
      size[i] = size[i] + row[c]
    end
  end
  return {member = core.tensor(rows, "u8"), size = core.tensor(size, "i32")}
end

--- Computes the share of sets that hold their label.
--     local s = bnn.conformal.sets({threshold = 0.8}, {{0.7, 0.3}, {0.9, 0.1}})
--     bnn.conformal.coverage(s, {1, 1})                 -- 0.5
-- @param sets table as conformal.sets returns it
-- @param labels tensor or list [n] in 0..C-1
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.coverage(sets, labels, opts)
  local what = "bnn.conformal.coverage"
  opts = bootstrap.options(what, opts)
  if type(sets) ~= "table" or not sets.member then
    fail.expected(what .. ": sets", "what bnn.conformal.sets returns", sets)
  end
  local member = sets.member:to "f64"
  local missed = label_scores(what, member, inputs.labels(what, labels, member:size(1)))
  for i, v in ipairs(missed) do missed[i] = 1 - v end
  return bootstrap.evaluate(what, opts, core.mean_metric, core.tensor(missed, "f64"), false)
end

return M
