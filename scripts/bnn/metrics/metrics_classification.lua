--- Metrics of classes and their probabilities.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local pytree = require "bnn.params.pytree"

local M = {}

-- The number of classes in a prediction that has a mean; else nil.
local function count_of(prediction)
  local mean = type(prediction) == "table" and prediction.mean
  return pytree.leaf_kind(mean) == "tensor" and mean:dim() == 2 and mean:size(2) or nil
end

-- The class of each prediction: given as such [n], or the largest of the scores [n, C]; and C, if
-- known. Raises if probabilities are not numbers, even if there is a class.
local function classes_of(what, prediction)
  local x = type(prediction) == "table" and prediction.class or prediction
  local values, count = inputs.prediction(what, x), count_of(prediction)
  if count then inputs.prediction(what, prediction) end
  if values:dim() ~= 2 then return inputs.tensor(what, "prediction", x, "i32"), count end
  local _, class = core.top_label(values)
  return class, values:size(2)
end

-- Classes and labels, both i32 [n], and how many classes there are, or nil. Raises if a label is
-- not a class, as when they are counted from 1.
local function answers(what, prediction, labels)
  local class, classes = classes_of(what, prediction)
  labels = inputs.labels(what, labels, class:numel())
  inputs.check_same_shape(what, class, "labels", labels)
  if classes then inputs.check_classes(what, labels, classes) end
  return class, labels, classes
end

--- Computes the share of right answers. Of equal scores the first class is the answer.
--     bnn.metrics.accuracy({{0.9, 0.1}, {0.3, 0.7}}, {0, 0})     -- 0.5
-- @param prediction classes [n] (0..C-1), scores [n, C], or what bnn.predict returns
-- @param labels tensor or list [n], 0..C-1
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.accuracy(prediction, labels, opts)
  local what = "bnn.metrics.accuracy"
  opts = bootstrap.options(what, opts)
  local class, label = answers(what, prediction, labels)
  local right = core.equal_labels(class, label)
  return bootstrap.evaluate(what, opts, core.mean_metric, right:to "f64", false)
end

--- Computes the share of examples whose class is among the k with the largest scores. Of equal
-- scores those of the first classes come first, so top_k with k = 1 is accuracy.
--     bnn.metrics.top_k({{0.5, 0.3, 0.2}, {0.5, 0.3, 0.2}}, {1, 2}, 2)     -- 0.5
-- @param prediction scores or probabilities [n, C], or what bnn.predict returns
-- @param labels tensor or list [n], 0..C-1
-- @param k integer, 1..C
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if k is not in 1..C.
function M.top_k(prediction, labels, k, opts)
  local what = "bnn.metrics.top_k"
  opts = bootstrap.options(what, opts)
  local scores = inputs.scores(what, prediction)
  if math.type(k) ~= "integer" or k < 1 or k > scores:size(2) then
    fail("%s: k: expected an integer in 1..%d, got %s", what, scores:size(2), kinds.show(k))
  end
  labels = inputs.labels(what, labels, scores:size(1))
  inputs.check_classes(what, labels, scores:size(2))
  local rank = fail.within(what, core.row_scores, "rank", scores, labels)
  return bootstrap.evaluate(what, opts, core.mean_metric, rank:real():lt(k):to "f64", false)
end

-- The mean of a score of each row of probabilities.
local function mean_score(name, prediction, labels, opts)
  local what = "bnn.metrics." .. name
  opts = bootstrap.options(what, opts)
  local p = inputs.probabilities(what, prediction)
  labels = inputs.labels(what, labels, p:size(1))
  inputs.check_classes(what, labels, p:size(2))
  local values = fail.within(what, core.row_scores, name, p, labels)
  return bootstrap.evaluate(what, opts, core.mean_metric, values, false)
end

--- Computes the mean negative log-likelihood of the labels in nats: the log of the mean probability
-- over networks, not the mean of the logs. It is infinite if a label has probability 0: nothing is
-- clipped.
--     bnn.metrics.nll({{0.5, 0.5}, {0.25, 0.75}}, {0, 1})     -- 0.490: -(log 0.5 + log 0.75) / 2
-- @param prediction probabilities [n, C], or what bnn.predict returns
-- @param labels tensor or list [n], 0..C-1
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.nll(prediction, labels, opts) return mean_score("nll", prediction, labels, opts) end

--- Computes the Brier score of several classes: the mean over examples of the sum over classes of
-- (p_c - [c = label])^2, from 0 to 2. For two classes it is twice scikit-learn's brier_score_loss
-- (Brier 1950).
--     bnn.metrics.brier({{0.5, 0.5}}, {0})              -- 0.5
-- @param prediction probabilities [n, C], or what bnn.predict returns
-- @param labels tensor or list [n], 0..C-1
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.brier(prediction, labels, opts) return mean_score("brier", prediction, labels, opts) end

-- Classes, labels, and how many classes there are: `given`, or that of the scores, or one more than
-- the largest seen.
local function counted_answers(what, prediction, labels, given)
  local class, label, known = answers(what, prediction, labels)
  if given or known then return class, label, given or known end
  local largest = math.max(0, class:real():max():item(), label:real():max():item())
  local count = math.tointeger(largest) + 1
  inputs.check_classes(what, label, count)
  return class, label, count
end

--- Counts how often each class (rows) was answered with each (columns), as in scikit-learn.
--     bnn.metrics.confusion_matrix({0, 1, 1}, {0, 0, 1})     -- {{1, 1}, {0, 1}}
-- @param prediction classes [n], scores [n, C], or what bnn.predict returns
-- @param labels tensor or list [n]
-- @param opts table: weight= [n]; classes=, their number: by default that of the scores; of plain
--   classes, one more than the largest seen; bootstrap={key=, n=1000, level=0.95}
-- @return tensor i64 [C, C], f64 of sums of weights; and {lo, hi} of tensors f64 [C, C] with
--   bootstrap
function M.confusion_matrix(prediction, labels, opts)
  local what = "bnn.metrics.confusion_matrix"
  opts = bootstrap.options(what, opts, {classes = {type = "integer", min = 1}})
  local class, label, classes = counted_answers(what, prediction, labels, opts.classes)
  local weight = bootstrap.weight(what, opts)
  local sums = fail.within(what, core.confusion, label, class, classes, weight)
  if not weight then sums = sums:to "i64" end
  if not opts.bootstrap then return sums end
  local cell, answered = label:totable(), class:totable()
  for i, of in ipairs(cell) do cell[i] = of * classes + answered[i] end
  local interval = bootstrap.intervals(opts.bootstrap, "total", cell, core.full({#cell}, 1),
    classes * classes, weight)
  for i, edge in ipairs(interval) do interval[i] = edge:view(classes, classes) end
  return sums, interval
end

-- ---- agreement by class ----

-- A metric of answers.h.
local function agreement(what, name, prediction, labels, opts, positive)
  local class, label, classes = counted_answers(what, prediction, labels)
  if positive and positive >= classes then
    fail("%s: class: expected one in 0..%d, got %d", what, classes - 1, positive)
  end
  return bootstrap.evaluate(what, opts, core.answer_metric, name, label, class, classes,
    positive or 0)
end

--- Computes the mean over the classes with examples of the share of their examples that is
-- answered right, which a class with many examples does not rule: the mean recall, as
-- scikit-learn's balanced_accuracy_score.
--     bnn.metrics.balanced_accuracy({0, 0, 0, 0}, {0, 0, 0, 1})     -- 0.5: 1 and 0
-- @param prediction classes [n], scores [n, C], or what bnn.predict returns
-- @param labels tensor or list [n], 0..C-1
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.balanced_accuracy(prediction, labels, opts)
  local what = "bnn.metrics.balanced_accuracy"
  return agreement(what, "balanced_accuracy", prediction, labels, bootstrap.options(what, opts))
end

--- Computes the F1 score, the harmonic mean of precision and recall: of a class c, twice its right
-- answers over its labels and answers together. It is 0 of a class that occurs in neither.
--     bnn.metrics.f1({0, 1, 1, 1}, {0, 0, 1, 1})                    -- 0.733: of 0.667 and 0.8
--     bnn.metrics.f1({0, 1, 1, 1}, {0, 0, 1, 1}, {class = 1})       -- 0.8
-- @param prediction classes [n], scores [n, C], or what bnn.predict returns
-- @param labels tensor or list [n], 0..C-1
-- @param opts table: average="macro", the mean over the classes that occur in labels or answers;
--   "weighted", that by the classes' shares of the labels; "micro", of all answers together, which
--   is the accuracy; class=, an integer: that class's own score in place of an average; weight=
--   [n]; bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if class is not one of the classes, or stands beside average.
function M.f1(prediction, labels, opts)
  local what = "bnn.metrics.f1"
  opts = bootstrap.options(what, opts, {
    average = {type = "string", choices = {"macro", "weighted", "micro"}},
    class = {type = "integer", min = 0},
  })
  if opts.class and opts.average then
    fail("%s: expected average or class, got both", what)
  end
  local name = opts.class and "f1_class" or "f1_" .. (opts.average or "macro")
  return agreement(what, name, prediction, labels, opts, opts.class)
end

local KAPPAS = {linear = "kappa_linear", quadratic = "kappa_quadratic"}

--- Computes Cohen's kappa, 1 - observed / expected disagreement of answers and labels, where the
-- expected one is that of answers drawn without a look at the example (Cohen 1960). It is 1 of
-- perfect answers and 0 of such blind ones. For ordered classes distance= says how much a
-- disagreement weighs, as scikit-learn's weights= (Cohen 1968).
--     bnn.metrics.cohens_kappa({0, 1, 1, 1}, {0, 0, 1, 1})                           -- 0.5
--     bnn.metrics.cohens_kappa({0, 1, 2, 2}, {0, 0, 1, 2}, {distance = "quadratic"}) -- 0.692
-- @param prediction classes [n], scores [n, C], or what bnn.predict returns
-- @param labels tensor or list [n], 0..C-1
-- @param opts table: distance="linear" (|c - d| of classes c and d) or "quadratic" ((c - d)^2);
--   default: every disagreement is as bad; weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises if all answers and labels are one class.
function M.cohens_kappa(prediction, labels, opts)
  local what = "bnn.metrics.cohens_kappa"
  opts = bootstrap.options(what, opts, {
    distance = {type = "string", choices = {"linear", "quadratic"}},
  })
  local value, edges = agreement(what, KAPPAS[opts.distance] or "kappa", prediction, labels, opts)
  if value ~= value then
    fail("%s: expected answers or labels of two classes, got one class alone", what)
  end
  return value, edges
end

return M
