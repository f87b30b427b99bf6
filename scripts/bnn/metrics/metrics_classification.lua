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
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
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
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
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
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.nll(prediction, labels, opts) return mean_score("nll", prediction, labels, opts) end

--- Computes the Brier score of several classes: the mean over examples of the sum over classes of
-- (p_c - [c = label])^2, from 0 to 2. For two classes it is twice scikit-learn's brier_score_loss
-- (Brier 1950).
--     bnn.metrics.brier({{0.5, 0.5}}, {0})              -- 0.5
-- @param prediction probabilities [n, C], or what bnn.predict returns
-- @param labels tensor or list [n], 0..C-1
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.brier(prediction, labels, opts) return mean_score("brier", prediction, labels, opts) end

--- Counts how often each class (rows) was answered with each (columns), as in scikit-learn.
--     bnn.metrics.confusion_matrix({0, 1, 1}, {0, 0, 1})     -- {{1, 1}, {0, 1}}
-- @param prediction classes [n], scores [n, C], or what bnn.predict returns
-- @param labels tensor or list [n]
-- @param opts table: classes=, their number: by default that of the scores; of plain classes, one
--   more than the largest seen; bootstrap={key=, n=1000, level=0.95}
-- @return tensor i64 [C, C], and {lo, hi} of tensors f64 [C, C] with bootstrap
function M.confusion_matrix(prediction, labels, opts)
  local what = "bnn.metrics.confusion_matrix"
  opts = bootstrap.options(what, opts, {classes = {type = "integer", min = 1}})
  local class, label, known = answers(what, prediction, labels)
  local classes = opts.classes or known
  if not classes then
    classes = math.max(1, class:real():max():item() + 1, label:real():max():item() + 1) // 1 | 0
  end
  local counts = fail.within(what, core.confusion, label, class, classes)
  if not opts.bootstrap then return counts end
  local cell, answered = label:totable(), class:totable()
  for i, of in ipairs(cell) do cell[i] = of * classes + answered[i] end
  local ones = core.full({#cell}, 1)
  local interval = bootstrap.intervals(opts.bootstrap, "total", cell, ones, classes * classes)
  for i, edge in ipairs(interval) do interval[i] = edge:view(classes, classes) end
  return counts, interval
end

return M
