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
local evaluation = require "bnn.ood.ood_evaluate"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local rules = require "bnn.ood.ood_rule"
local scores = require "bnn.ood.ood_scores"
local pytree = require "bnn.params.pytree"

local M = {}

--- The article's rule of refusal: a percentile of a score on in-distribution examples, which
-- neither trained the network nor will be reported on. Plain data: keep it with the checkpoint.
-- @param prediction what bnn.predict gives for these examples
-- @param opts table: score="class_std", the name of a score (see bnn.ood); percentile=0.99 in
--   [0, 1], by linear interpolation
-- @return table {score=, percentile=, threshold=, n= of examples}
function M.threshold(prediction, opts)
  local what = "ood.threshold"
  if type(opts) == "table" and type(opts.score) == "function" then
    fail("%s: score is a function, which no checkpoint can keep: a name is wanted "
      .. "(prediction.mine = f(prediction), score = \"mine\")", what)
  end
  opts = options.check(what, opts, {
    score = {type = "string", default = "class_std"},
    percentile = {type = "number", min = 0, max = 1, default = 0.99},
  })
  local values = scores.check(what, scores.of(what, prediction, opts.score))
  return rules.fit(what, opts.score, values, opts.percentile)
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
    fail("%s: the rule is to be what ood.threshold gives, {score=, threshold=}", what)
  end
  if threshold ~= threshold then fail("%s: the threshold is not a number", what) end
  local refused = rules.refused(scores.of(what, prediction, score), rule)
  local class = pytree.leaf_kind(prediction.class) == "tensor" and prediction.class:totable() or {}
  for i, c in ipairs(class) do
    if c < 0 then refused[i] = 1 end -- no answer: the prediction is not a number
  end
  return core.tensor(refused)
end

--- Evaluates what a network's scores say of images that it does not know: how well each tells a set
-- that it does not know from the one that it does, and how often a threshold abstains.
--
--     local report = bnn.ood.evaluate{
--       predict = function(x) return bnn.predict(model, x, {samples = 100, key = key}) end,
--       id = data.test, ood = {notMNIST = letters.test}, key = key:fold "ood",
--     }
--     print(report)      -- or report.ranking.class_std.notMNIST.auroc, report.refused ...
--
-- All of `id` is ranked against each set. Thresholds and conformal sets are fitted on one half
-- of it, drawn by the key, and what they do is reported on the other; the training never sees
-- either. Each set is predicted once.
-- @param opts table:
--   predict     function(x) -> what bnn.predict gives, for classes
--   id          part of a data set with x, y; `title` in it names it
--   ood         {name = part, ...}, or a list of {name=, x=} in the order to show; a tensor will
--               do for a part; {}: none, for the thresholds alone
--   key         for the halves
--   scores      a list of names (see bnn.ood), and name = function(prediction) -> tensor [n] among
--               them; all the usual ones that the predictions have when left out
--   percentile  0.99: of a score on a half of `id`, its threshold
--   alpha       0.01: the share of conformal sets that may miss the label
--   bootstrap   {key=, n=1000, level=0.95}: intervals of the figures of ranking
--   log, step   a log that gets every figure as a row of that step (0)
--   figures     a folder for pictures: histograms and ROC curves. Which are drawn, or why not, is
--               said on stderr
--   title       of the pictures, such as the network's name
-- @return report: tostring(report) and report:text() are its tables, report:rows() its rows for a
--   log. Fields: id, ood, scores (names); n[set]; accuracy; n_fit, n_report (examples of
--   the halves); fit_rows i32 [n_fit], of those that were fitted on; ranking[score][set] =
--   {auroc=, average_precision_out=, _in=, aupr_out=, _in=, fpr95_out=, _in=, base_rate=,
--   intervals=} (see bnn.metrics); rules[score], as bnn.ood.threshold gives it;
--   refused[score][set]; kept_accuracy[score] (nil where nothing is kept); conformal = {alpha=,
--   threshold=, n=, sets = {[set] = {coverage= (id), size=, not_single=}}};
--   values[score][set], the scores, tensors f64 [n]; figures, the files drawn
function M.evaluate(opts) return evaluation.evaluate(opts) end

return M
