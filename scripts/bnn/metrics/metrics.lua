--- Metrics: numbers about predictions.
--
-- Predictions are tensors or lists, or what bnn.predict gives; labels are classes 0..C-1. A
-- metric raises if a number is NaN (naming its position, from 1), inputs are empty or shapes
-- differ.
--
-- Every scalar metric takes `bootstrap = {key=, n=1000, level=0.95}` in its options and then
-- returns its value and {lo, hi}, the percentile interval over n resamples of the examples (in and
-- out of distribution apart, for metrics of two sets). One key gives the same resamples to every
-- metric of the same examples, with any number of threads. So do reliability, risk_coverage and
-- confusion_matrix, with an interval for each of their numbers.
--
--   classes       accuracy top_k nll brier confusion_matrix
--   calibration   ece mce adaptive_ece (aece) adaptive_mce reliability; bnn.calibration
--   in or out     auroc average_precision aupr fpr95 fpr roc_curve precision_recall_curve
--   selection     aurc e_aurc augrc risk_coverage reject_curve
--   regression    rmse coverage
--   scores        entropy energy quantile normal_quantile
local M = {}

for _, family in ipairs{
  "classification", "calibration", "ood", "selective", "regression", "uncertainty",
} do
  for name, value in pairs(require("bnn.metrics.metrics_" .. family)) do M[name] = value end
end

--- normal_quantile(p): the z below which a standard normal lies with probability p, 1.645 for 0.95.
M.normal_quantile = require "bnn.metrics.normal".quantile

return M
