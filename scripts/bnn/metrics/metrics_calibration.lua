--- Metrics of calibration: is an answer of confidence c right with probability c?
--
-- Confidence is the largest probability, and the answer its class. Each function takes predictions
-- (probabilities [n, C], or what bnn.predict returns) and labels [n] in 0..C-1; or confidences [n]
-- and labels that are 1 (true) if the answer was right, 0 (false) if wrong.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"

local M = {}

local BINS = {type = "integer", min = 1, max = 1 << 20, default = 15}

local function equal_width(what, name, prediction, labels, opts)
  local confidence, right, is_single = inputs.answers(what, prediction, labels)
  return bootstrap.evaluate(what, opts, core.binned_metric, name, confidence, is_single, right,
    opts.bins)
end

local function equal_count(what, name, prediction, labels, opts)
  local confidence, right = inputs.answers(what, prediction, labels)
  return bootstrap.evaluate(what, opts, core.rank_metric, name, confidence, right, opts.bins, false)
end

local function adaptive_ece(what, prediction, labels, opts)
  opts = bootstrap.options(what, opts, {bins = BINS, signed = {type = "boolean"}})
  local name = opts.signed and "adaptive_bias" or "adaptive_ece"
  return equal_count(what, name, prediction, labels, opts)
end

--- Computes the expected calibration error (Naeini et al. 2015): sum over bins of n_b / n
-- |accuracy_b - confidence_b|, 15 bins of equal width. Bin b covers ((b - 1) / 15, b / 15],
-- confidence 0 in the first: the index from 0 is clamp(ceil(15 c) - 1, 0, 14), in the precision of
-- the confidence c. Empty bins are skipped.
--     bnn.metrics.ece({{0.8, 0.2}, {0.6, 0.4}}, {0, 1})     -- 0.4: |1 - 0.8| / 2 + |0 - 0.6| / 2
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n] in 0..C-1; with confidences, 1 for a right answer and 0 for a wrong one
-- @param opts table: weight= [n], bins=15, bootstrap={key=, n=1000, level=0.95}, signed=false
--   (true: the sum of n_b / n (confidence_b - accuracy_b), above 0 for over-confidence; bins do not
--   matter to it)
-- @return number, and {lo, hi} with bootstrap
function M.ece(prediction, labels, opts)
  local what = "bnn.metrics.ece"
  opts = bootstrap.options(what, opts, {bins = BINS, signed = {type = "boolean"}})
  return equal_width(what, opts.signed and "bias" or "ece", prediction, labels, opts)
end

--- Computes the maximum calibration error: the largest |accuracy_b - confidence_b| of the bins of
-- ece that are not empty.
--     bnn.metrics.mce({{0.8, 0.2}, {0.6, 0.4}}, {0, 1})     -- 0.6
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n]
-- @param opts table: weight= [n], bins=15, bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.mce(prediction, labels, opts)
  local what = "bnn.metrics.mce"
  opts = bootstrap.options(what, opts, {bins = BINS})
  return equal_width(what, "mce", prediction, labels, opts)
end

--- Computes the adaptive calibration error (also aece): ece over bins of equal counts. An example
-- is in bin floor(bins * k / n), from 0, if k examples have a lower confidence: ties stay together,
-- so the order of the examples does not matter; bins then have unequal counts, or are empty and
-- skipped.
--     bnn.metrics.adaptive_ece(p, y, {bins = 10})
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n]
-- @param opts table: weight= [n], bins=15, bootstrap={key=, n=1000, level=0.95}, signed=false (as
--   for ece)
-- @return number, and {lo, hi} with bootstrap
function M.adaptive_ece(prediction, labels, opts)
  return adaptive_ece("bnn.metrics.adaptive_ece", prediction, labels, opts)
end

--- Computes bnn.metrics.adaptive_ece, under its short name.
--     bnn.metrics.aece(p, y)                            -- bnn.metrics.adaptive_ece(p, y)
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n]
-- @param opts table: weight= [n], bins=15, bootstrap={key=, n=1000, level=0.95}, signed=false (as
--   for ece)
-- @return number, and {lo, hi} with bootstrap
function M.aece(prediction, labels, opts)
  return adaptive_ece("bnn.metrics.aece", prediction, labels, opts)
end

--- Computes the largest |accuracy_b - confidence_b| of the bins of adaptive_ece.
--     bnn.metrics.adaptive_mce(p, y)
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n]
-- @param opts table: weight= [n], bins=15, bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
function M.adaptive_mce(prediction, labels, opts)
  local what = "bnn.metrics.adaptive_mce"
  opts = bootstrap.options(what, opts, {bins = BINS})
  return equal_count(what, "adaptive_mce", prediction, labels, opts)
end

--- Computes the bins of ece (or of adaptive_ece), which a reliability diagram shows. With bootstrap
-- examples stay in their bins, and a bin's means are over the resamples that have examples in it.
--     local bins = bnn.metrics.reliability(p, y)
--     print(bins.n, bins.confidence, bins.accuracy)     -- [15] each
-- @param prediction probabilities [n, C], what bnn.predict returns, or confidences [n]
-- @param labels [n]
-- @param opts table: weight= [n], bins=15, adaptive=false, bootstrap={key=, n=1000, level=0.95}
-- @return table of tensors [bins]: n i64, the examples in each bin, or f64, the sums of their
--   weights; confidence and accuracy f64, their means, NaN in an empty bin; and with bootstrap a
--   table of the same names, each {lo, hi} of tensors f64 [bins]
function M.reliability(prediction, labels, opts)
  local what = "bnn.metrics.reliability"
  opts = bootstrap.options(what, opts, {bins = BINS, adaptive = {type = "boolean"}})
  local confidence, right, is_single = inputs.answers(what, prediction, labels)
  local weight = bootstrap.weight(what, opts)
  local n, mean, accuracy, bin = fail.within(what, core.reliability, confidence, is_single, right,
    opts.bins, opts.adaptive or false, weight)
  local bins = {n = weight and n or n:to "i64", confidence = mean, accuracy = accuracy}
  if not opts.bootstrap then return bins end
  local function interval(sum, values)
    return bootstrap.intervals(opts.bootstrap, sum, bin, values, opts.bins, weight)
  end
  return bins, {
    n = interval("total", core.full({confidence:size(1)}, 1)),
    confidence = interval("mean", confidence), accuracy = interval("mean", right),
  }
end

return M
