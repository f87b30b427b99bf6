--- Metrics of classes and their probabilities; handed out by bnn.metrics.
local core = require "bnn.core"
local inputs = require "bnn.metrics.metric_inputs"
local number = require "bnn.base.number"
local pytree = require "bnn.params.pytree"

local M = {}

-- How many classes what bnn.predict gives is about, where its mean is there; else nil.
local function count_of(prediction)
  local mean = type(prediction) == "table" and prediction.mean
  return pytree.leaf_kind(mean) == "tensor" and mean:dim() == 2 and mean:size(2) or nil
end

-- The class of each prediction: given as such [n], or the largest of the scores [n, C]; and C,
-- where that is known. What has a class all the same, where its probabilities are not numbers, is
-- refused.
local function classes_of(what, prediction)
  local x = type(prediction) == "table" and prediction.class or prediction
  local values, count = inputs.prediction(what, x), count_of(prediction)
  if count then inputs.prediction(what, prediction) end
  if values:dim() ~= 2 then return inputs.tensor(what, "the prediction", x, "i32"), count end
  local _, class = core.top_label(values)
  return class, values:size(2)
end

-- Classes and labels, both i32 [n], and how many classes there are, or nil. A label that no answer
-- could be is refused, as of classes that are counted from 1.
local function answers(what, prediction, labels)
  local class, classes = classes_of(what, prediction)
  labels = inputs.labels(what, labels, class:numel())
  inputs.check_same_shape(what, class, labels)
  if classes then inputs.check_classes(what, labels, classes) end
  return class, labels, classes
end

--- The share of right answers. Of equal scores the first class is the answer.
-- @param prediction classes [n] (0..C-1), scores [n, C], or what bnn.predict gives
-- @param labels tensor or list [n], 0..C-1
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.accuracy(prediction, labels, opts)
  opts = inputs.options("accuracy", opts)
  local class, label = answers("accuracy", prediction, labels)
  local right = core.equal_labels(class, label)
  return inputs.evaluate("accuracy", opts, core.mean_metric, right:to "f64", false)
end

--- The share of examples whose class is among the k with the largest scores. Of equal scores those
-- of the first classes come first, so top_k with k = 1 is accuracy.
-- @param prediction scores or probabilities [n, C], or what bnn.predict gives
-- @param labels tensor or list [n], 0..C-1
-- @param k integer, 1..C
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.top_k(prediction, labels, k, opts)
  opts = inputs.options("top_k", opts)
  local scores = inputs.scores("top_k", prediction)
  if math.type(k) ~= "integer" or k < 1 or k > scores:size(2) then
    inputs.fail("top_k: k is %s, an integer in 1..%d is wanted", number.text(k), scores:size(2))
  end
  labels = inputs.labels("top_k", labels, scores:size(1))
  inputs.check_classes("top_k", labels, scores:size(2))
  local rank = inputs.call("top_k", core.row_scores, "rank", scores, labels)
  return inputs.evaluate("top_k", opts, core.mean_metric, rank:real():lt(k):to "f64", false)
end

-- The mean of a score of each row of probabilities.
local function mean_score(what, prediction, labels, opts)
  opts = inputs.options(what, opts)
  local p = inputs.probabilities(what, prediction)
  labels = inputs.labels(what, labels, p:size(1))
  inputs.check_classes(what, labels, p:size(2))
  local values = inputs.call(what, core.row_scores, what, p, labels)
  return inputs.evaluate(what, opts, core.mean_metric, values, false)
end

--- The mean negative log-likelihood of the labels in nats: the log of the mean probability over
-- networks, not the mean of the logs. Infinite where a label has probability 0: nothing is clipped.
-- @param prediction probabilities [n, C], or what bnn.predict gives
-- @param labels tensor or list [n], 0..C-1
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.nll(prediction, labels, opts) return mean_score("nll", prediction, labels, opts) end

--- The Brier score of several classes: the mean over examples of the sum over classes of
-- (p_c - [c = label])^2. From 0 to 2; for two classes it is twice scikit-learn's brier_score_loss.
-- @param prediction probabilities [n, C], or what bnn.predict gives
-- @param labels tensor or list [n], 0..C-1
-- @param opts table: bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.brier(prediction, labels, opts) return mean_score("brier", prediction, labels, opts) end

--- How often each class (rows) was answered with each (columns), as in scikit-learn.
-- @param prediction classes [n], scores [n, C], or what bnn.predict gives
-- @param labels tensor or list [n]
-- @param opts table: classes=, their number; by default that of the scores, and of plain classes
--   one more than the largest seen; bootstrap={key=, n=1000, level=0.95}
-- @return tensor i64 [C, C], and {lo, hi} of tensors f64 [C, C] with bootstrap
function M.confusion_matrix(prediction, labels, opts)
  local what = "confusion_matrix"
  opts = inputs.options(what, opts, {classes = {type = "integer", min = 1}})
  local class, label, known = answers(what, prediction, labels)
  local classes = opts.classes or known
  if not classes then
    classes = math.max(1, class:real():max():item() + 1, label:real():max():item() + 1) // 1 | 0
  end
  local counts = inputs.call(what, core.confusion, label, class, classes)
  if not opts.bootstrap then return counts end
  local cell, answered = label:totable(), class:totable()
  for i, of in ipairs(cell) do cell[i] = of * classes + answered[i] end
  local ones = core.full({#cell}, 1)
  local interval = inputs.intervals(opts.bootstrap, "total", cell, ones, classes * classes)
  for i, edge in ipairs(interval) do interval[i] = edge:view(classes, classes) end
  return counts, interval
end

return M
