--- Metrics of a score that tells two sets apart, in-distribution from out.
--
-- A higher score means more out-of-distribution, and out-of-distribution is positive (label 1).
-- Each function takes scores [n] and labels [n] (1 or true: out; 0 or false: in), or one table
-- {id = scores, ood = scores} in place of both. Examples of equal score are one group,
-- which a threshold takes or leaves as a whole: their order does not matter. Both classes must be
-- there.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local options = require "bnn.base.options"

local M = {}

local RENAMED = {inside = "id", outside = "ood"}

-- {id =, ood =} as scores and flags.
local function join(what, sets)
  options.check(what, sets, {id = "any", ood = "any", renamed = RENAMED})
  local parts = {}
  for i, name in ipairs{"id", "ood"} do
    local x = inputs.values(what, name, sets[name], name .. " score")
    if x:numel() == 0 then fail("%s: %s: expected at least one score, got none", what, name) end
    parts[i] = x
  end
  return core.join_sets(parts[1], parts[2])
end

-- Weights of the joined sets, or of the scores, as a tensor f64; nil if there are none.
local function read_weight(what, is_sets, weight)
  if weight == nil then return nil end
  if not is_sets then return inputs.tensor(what, "weight", weight, "f64") end
  if type(weight) ~= "table" or weight.id == nil or weight.ood == nil then
    fail.expected(what .. ": weight", "a table {id =, ood =} as the scores", weight)
  end
  return (core.join_sets(inputs.tensor(what, "weight", weight.id, "f64"),
    inputs.tensor(what, "weight", weight.ood, "f64")))
end

-- The share of positives, under the weights if there are any.
local function base_rate(flags, weight)
  return (core.mean_metric(flags:to "f64", false, weight))
end

local function check_both_weigh(what, flags, weight)
  local share = fail.within(what, base_rate, flags, weight)
  if share > 0 and share < 1 then return end
  fail("%s: weight: expected one above 0 for each of the labels 0 and 1, got none for %d", what,
    share == 0 and 1 or 0)
end

-- Scores, flags (1: positive) and options from a metric's arguments.
local function read(what, scores, labels, opts, spec)
  local is_sets = type(scores) == "table"
    and (scores.id or scores.ood or scores.inside or scores.outside) ~= nil
  opts = bootstrap.options(what, is_sets and labels or opts, spec)
  local x, flags
  if is_sets then
    x, flags = join(what, scores)
  else
    x = inputs.vector(what, "scores", scores, "score")
    flags = inputs.flags(what, labels, x:size(1))
  end
  if opts.weight ~= nil then opts.weight = read_weight(what, is_sets, opts.weight) end
  local ones = core.count_flags(flags)
  if ones == 0 or ones == x:size(1) then
    fail("%s: expected labels 0 and 1 (in- and out-of-distribution), got %d only", what,
      ones == 0 and 0 or 1)
  end
  if opts.weight then check_both_weigh(what, flags, opts.weight) end
  if opts.positive ~= "in" then return x, flags, opts end
  return core.negated(x), core.flip_flags(flags), opts
end

local POSITIVE = {type = "string", choices = {"out", "in"}, default = "out"}

--- Computes the area under the ROC curve, by mid-ranks: the probability that an out-of-distribution
-- example scores higher than an in-distribution one, plus half that of a tie. It is 1/2 for a
-- constant score, and exact up to one division of integers.
--     bnn.metrics.auroc({0.1, 0.4, 0.3, 0.8}, {0, 0, 1, 1})                -- 0.75
--     bnn.metrics.auroc{id = {0.1, 0.4}, ood = {0.3, 0.8}}                 -- the same
--     bnn.metrics.auroc({id = id.class_std, ood = ood.class_std}, {bootstrap = {key = key}})
-- @param scores tensor or list [n], higher = more out-of-distribution; or {id=, ood=}
-- @param labels [n], 1 for out-of-distribution (positive); with {id=, ood=}, the options
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}, in and out resampled apart
-- @return number, and {lo, hi} with bootstrap
function M.auroc(scores, labels, opts)
  local x, flags
  x, flags, opts = read("bnn.metrics.auroc", scores, labels, opts)
  return bootstrap.evaluate("bnn.metrics.auroc", opts, core.rank_metric, "auroc", x, flags, 0, true)
end

local function precision_metric(name, scores, labels, opts)
  local what = "bnn.metrics." .. name
  local x, flags
  x, flags, opts = read(what, scores, labels, opts, {positive = POSITIVE})
  local value, interval = bootstrap.evaluate(what, opts, core.rank_metric, name, x, flags, 0, true)
  return value, interval, base_rate(flags, opts.weight)
end

--- Computes the average precision: the sum over distinct scores of (R_k - R_(k-1)) P_k, as
-- scikit-learn's average_precision_score, without interpolation. For a constant score it is the
-- base rate.
--     bnn.metrics.average_precision({0.1, 0.4, 0.3, 0.8}, {0, 0, 1, 1})     -- 0.833 nil 0.5
-- @param scores tensor or list [n], higher = more out-of-distribution; or {id=, ood=}
-- @param labels [n], 1 for out-of-distribution; with {id=, ood=}, the options
-- @param opts table: weight= [n], positive="out" ("in": in-distribution is positive and scores are
--   negated, the AUPR-in of the literature), bootstrap={key=, n=1000, level=0.95}, in and out
--   resampled apart
-- @return number; {lo, hi} with bootstrap, else nil; the base rate, the share of positives
function M.average_precision(scores, labels, opts)
  return precision_metric("average_precision", scores, labels, opts)
end

--- Computes the area under the precision-recall curve by trapezoids, from recall 0 and precision 1,
-- as OpenOOD and pytorch-ood do (scikit-learn's auc of precision_recall_curve). It differs from
-- average_precision: below it without ties, usually above with coarse ones (a constant score at
-- base rate 0.3 has 0.65 against 0.3). Say which one a table shows.
--     bnn.metrics.aupr({0.1, 0.4, 0.3, 0.8}, {0, 0, 1, 1})     -- 0.792 nil 0.5
-- @param scores tensor or list [n], higher = more out-of-distribution; or {id=, ood=}
-- @param labels [n], 1 for out-of-distribution; with {id=, ood=}, the options
-- @param opts table: weight= [n], positive="out" ("in": in-distribution is positive and scores are
--   negated), bootstrap={key=, n=1000, level=0.95}, in and out resampled apart
-- @return number; {lo, hi} with bootstrap, else nil; the base rate, the share of positives
function M.aupr(scores, labels, opts) return precision_metric("aupr", scores, labels, opts) end

local function false_positives(name, tpr, scores, labels, opts, spec)
  local what = "bnn.metrics." .. name
  local x, flags
  x, flags, opts = read(what, scores, labels, opts, spec)
  return bootstrap.evaluate(what, opts, core.rank_metric, "fpr", x, flags, opts.tpr or tpr, true)
end

--- Computes the false positive rate at a true positive rate of 95%: with the largest threshold t
-- such that at least 95% of the positives score t or more (decided in integers, 20 TP >= 19 n1; all
-- of a tie is in), the share of negatives that score t or more.
--     bnn.metrics.fpr95({0.1, 0.4, 0.3, 0.8}, {0, 0, 1, 1})     -- 0.5
-- Two conventions give two numbers: positive = "out" (OpenOOD, pytorch-ood): the share of
-- in-distribution examples that are flagged when 95% of the others are; positive = "in" (LULA,
-- laplace-redux): the share of out-of-distribution examples that are accepted when 95% of the
-- in-distribution ones are (scores are negated).
-- @param scores tensor or list [n], higher = more out-of-distribution; or {id=, ood=}
-- @param labels [n], 1 for out-of-distribution; with {id=, ood=}, the options
-- @param opts table: weight= [n], positive="out", bootstrap={key=, n=1000, level=0.95}, in and out
--   resampled apart
-- @return number, and {lo, hi} with bootstrap
function M.fpr95(scores, labels, opts)
  return false_positives("fpr95", 0.95, scores, labels, opts, {positive = POSITIVE})
end

--- Computes the false positive rate at a given true positive rate (to six decimals), as fpr95.
--     bnn.metrics.fpr({0.1, 0.4, 0.3, 0.8}, {0, 0, 1, 1}, {tpr = 0.5})     -- 0
-- @param scores tensor or list [n], higher = more out-of-distribution; or {id=, ood=}
-- @param labels [n], 1 for out-of-distribution; with {id=, ood=}, the options
-- @param opts table: weight= [n], tpr=0.95 in [1e-6, 1], positive="out", bootstrap={key=, n=1000,
--   level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.fpr(scores, labels, opts)
  local tpr = {type = "number", min = 1e-6, max = 1, default = 0.95}
  return false_positives("fpr", nil, scores, labels, opts, {positive = POSITIVE, tpr = tpr})
end

-- For each distinct score from the highest, f(tp, fp, positives, negatives) -> x, y; after the
-- point (x0, y0) of a threshold above all.
local function curve(scores, flags, weight, x0, y0, f)
  local score, fp, tp = core.rank_counts(scores, flags, weight)
  local threshold, x, y = {math.huge}, {x0}, {y0}
  score, fp, tp = score:totable(), fp:totable(), tp:totable()
  for k = 1, #score do
    threshold[k + 1] = score[k]
    x[k + 1], y[k + 1] = f(tp[k], fp[k], tp[#tp], fp[#fp])
  end
  return core.tensor(x, "f64"), core.tensor(y, "f64"), core.tensor(threshold, "f64")
end

--- Computes the points of the ROC curve, one for each distinct score from the highest, after
-- (0, 0).
--     local curve = bnn.metrics.roc_curve({0.1, 0.4, 0.3, 0.8}, {0, 0, 1, 1})
--     print(curve.fpr)                                  -- 0 0 0.5 0.5 1
-- @param scores tensor or list [n], higher = more out-of-distribution; or {id=, ood=}
-- @param labels [n], 1 for out-of-distribution; with {id=, ood=}, the options
-- @param opts table: weight= [n], or {id=, ood=} as the scores (a score of examples of weight 0
--   alone has no point); positive="out"; for "in" thresholds are of the negated scores
-- @return table of tensors f64: fpr, tpr, threshold (positive is score >= threshold; the first inf)
function M.roc_curve(scores, labels, opts)
  local x, flags
  x, flags, opts = read("bnn.metrics.roc_curve", scores, labels, opts,
    {positive = POSITIVE, bootstrap = false})
  local function point(tp, fp, positives, negatives) return fp / negatives, tp / positives end
  local fpr, tpr, threshold = curve(x, flags, opts.weight, 0, 0, point)
  return {fpr = fpr, tpr = tpr, threshold = threshold}
end

--- Computes the points of the precision-recall curve, one for each distinct score from the highest,
-- after recall 0 and precision 1.
--     local curve = bnn.metrics.precision_recall_curve({0.1, 0.4, 0.3, 0.8}, {0, 0, 1, 1})
--     print(curve.precision)                            -- 1 1 0.5 0.667 0.5
-- @param scores tensor or list [n], higher = more out-of-distribution; or {id=, ood=}
-- @param labels [n], 1 for out-of-distribution; with {id=, ood=}, the options
-- @param opts table: weight= [n], or {id=, ood=} as the scores (a score of examples of weight 0
--   alone has no point); positive="out"; for "in" thresholds are of the negated scores
-- @return table: tensors f64 recall, precision, threshold (the first inf); number base_rate
function M.precision_recall_curve(scores, labels, opts)
  local x, flags
  x, flags, opts = read("bnn.metrics.precision_recall_curve", scores, labels, opts,
    {positive = POSITIVE, bootstrap = false})
  local function point(tp, fp, positives) return tp / positives, tp / (tp + fp) end
  local recall, precision, threshold = curve(x, flags, opts.weight, 0, 1, point)
  return {recall = recall, precision = precision, threshold = threshold,
          base_rate = base_rate(flags, opts.weight)}
end

return M
