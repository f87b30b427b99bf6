--- Metrics: numbers that say how good predictions are. bnn.metrics.list() has all of them.
--
-- Predictions are tensors or lists, or what bnn.predict returns; labels are classes 0..C-1. A
-- metric raises if a number is NaN (naming its position, from 1), inputs are empty or shapes
-- differ.
--     bnn.metrics.accuracy(p, y)                                    -- 0.97
--     bnn.metrics.accuracy(p, y, {bootstrap = {key = key}})         -- 0.97  {0.96, 0.98}
-- Every scalar metric takes `bootstrap = {key=, n=1000, level=0.95}` in its options and then
-- returns its value and {lo, hi}, the percentile interval over n resamples of the examples (in and
-- out of distribution apart, for metrics of two sets). One key gives the same resamples to every
-- metric of the same examples, with any number of threads. reliability, risk_coverage and
-- confusion_matrix take it too, and return an interval for each of their numbers.
--
-- `weight = w`, a number of at least 0 for each example, weighs the examples, as scikit-learn's
-- sample_weight: a weight of 2 counts as two such examples, and 0 as none. Their unit is free, but
-- for the areas under risk-coverage curves, which are means over counts of answers. Metrics that
-- give a number for each example take none, nor does quantile, which interpolates between single
-- numbers.
local metric_table = require "bnn.metrics.metric_table"

local M = {list = metric_table.list, docs = {list = metric_table.doc}}

for _, row in ipairs(metric_table.rows) do M[row[1]] = row[2][row[1]] end

M.summary = require "bnn.metrics.all_metrics".summary
M.normal_quantile = require "bnn.base.normal".quantile

return M
