--- Out of distribution: which inputs are unlike those that a network was trained on, and when it
-- should say "I don't know".
--
--     local p = bnn.predict(model, validation.x, {num_samples = 100, key = key})
--     local rule = bnn.ood.fit_threshold(p, {score = "class_std", percentile = 0.99})
--     local abstains = bnn.ood.abstains(bnn.predict(model, x, o), rule)    -- [n]: 1 abstains
--
-- A score is a number for each example, higher = more out-of-distribution. The scores of a
-- prediction are class_std, entropy, expected_entropy, mutual_information, variation_ratio, energy,
-- one_minus_probability, and any other field [n] of it, such as one that you add.
local evaluation = require "bnn.ood.ood_evaluate"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local renamed = require "bnn.base.renamed"
local rules = require "bnn.predict.abstention_rule"
local scores = require "bnn.predict.prediction_scores"

local M = {}

--- Fits the rule of abstention: its threshold is a percentile of a score on in-distribution
-- examples, which neither trained the network nor will be reported on. The rule is plain data: save
-- it with the checkpoint.
--     local rule = bnn.ood.fit_threshold(p, {score = "entropy", percentile = 0.95})
--     print(rule.threshold, rule.n)                     -- a number of nats, 32
-- @param prediction what bnn.predict returns for these examples
-- @param opts table: score="class_std", the name of a score (see bnn.ood); percentile=0.99 in
--   [0, 1], by linear interpolation
-- @return table {score=, percentile=, threshold=, n=}, n the number of examples
-- Raises if score is a function, which a checkpoint cannot hold, or no number is finite.
function M.fit_threshold(prediction, opts)
  local what = "bnn.ood.fit_threshold"
  if type(opts) == "table" and type(opts.score) == "function" then
    fail("%s: score: expected a name, got a function, which a checkpoint cannot hold "
      .. "(prediction.mine = f(prediction), score = \"mine\")", what)
  end
  opts = options.check(what, opts, {
    score = {type = "string", default = "class_std"},
    percentile = {type = "number", min = 0, max = 1, default = 0.99},
  })
  local values = scores.check(what, scores.of(what, prediction, opts.score))
  return rules.fit(what, opts.score, values, opts.percentile)
end

--- Says which answers abstain under a rule: those whose score exceeds its threshold or is not a
-- number.
--     bnn.ood.abstains(p, {score = "entropy", threshold = 2.25})     -- [32] of 1 and 0
-- @param prediction what bnn.predict returns
-- @param rule table as bnn.ood.fit_threshold returns it; {score=, threshold=} is enough
-- @return tensor [n] of 1 (abstains) and 0
function M.abstains(prediction, rule)
  return rules.abstains("bnn.ood.abstains", prediction, rule)
end

--- Evaluates a network's scores on images that it does not know: how well each score separates them
-- from those that it knows, and how often a threshold abstains.
--
--     local report = bnn.ood.evaluate{
--       predict = function(x) return bnn.predict(model, x, {num_samples = 100, key = key}) end,
--       id = data.test, ood = {notMNIST = letters.test}, key = key:fold "ood",
--     }
--     print(report)      -- or report.ranking.class_std.notMNIST.auroc, report.abstained ...
--
-- All of `id` is ranked against each set. Thresholds and conformal sets are fitted on one half of
-- it, drawn by the key, and reported on the other; training never sees either. Each set is
-- predicted once.
-- @param opts table:
--   predict     function(x) -> what bnn.predict returns, for classes
--   id          part of a data set with x, y; `title` in it names it
--   ood         {name = part, ...}, or a list of {name=, x=} in the order to show; a part may be a
--               tensor; {}: none, for the thresholds alone
--   key         for the halves
--   scores      a list of names (see bnn.ood), and name = function(prediction) -> tensor [n] among
--               them; default all the usual ones that the predictions have
--   percentile  0.99: of a score on a half of `id`, its threshold
--   alpha       0.01: the share of conformal sets that may miss the label
--   bootstrap   {key=, n=1000, level=0.95}: intervals of the metrics in `ranking`
--   log, step   a log that gets every number as a row of that step (0)
--   figures     a folder for histograms and ROC curves; a line on stderr says which were written,
--               or why not
--   title       of the figures, such as the network's name
--   progress    false shows no progress on stderr
-- @return report: tostring(report) and report:text() are its tables, report:rows() its rows for a
--   log. Fields: id, ood, scores (names); n[set]; accuracy; n_fit, n_report (examples of the
--   halves); fit_rows i32 [n_fit], the rows fitted on; ranking[score][set] = {auroc=,
--   average_precision_out=, _in=, aupr_out=, _in=, fpr95_out=, _in=, base_rate=, intervals=} (see
--   bnn.metrics); rules[score], as bnn.ood.fit_threshold returns it; abstained[score][set], the
--   share; kept_accuracy[score] (nil if all abstain); conformal = {alpha=, threshold=, n=, sets =
--   {[set] = {coverage= (id), size=, not_single=}}}; values[score][set], the scores, tensors f64
--   [n]; figures, the files written
function M.evaluate(opts) return evaluation.evaluate(opts) end

renamed.functions(M, "bnn.ood", {threshold = "fit_threshold", is_refused = "abstains"})

return M
