--- The metrics of bnn.metrics, a row each: to add one, write it in a file and add its row.
--
-- A row is {name, module, group=, inputs=, ...}: module[name] computes it. Its name in bnn.metrics,
-- help, bnn.metrics.list and its tests follow from the row:
--   group      the heading in the list
--   inputs     its first arguments: "classes" (probabilities [n, C] and labels), "in_out" (scores
--              and labels, 1 for out-of-distribution), "targets" (numbers and targets), "normal"
--              (means, standard deviations and targets), "interval" (their ends and targets),
--              "probabilities", "logits" or "numbers"
--   args       arguments between those and the options, as the tests give them
--   result     "number", "table" (tensors by name), "matrix" or "rows" (one number an example)
--   range      {lowest, highest} of its numbers
--   best       its value for perfect predictions
--   better     "higher" or "lower"
--   bootstrap  false: it takes no bootstrap= option
--   weight     false: it takes no weight= option; "counts": it does, and the sum of the weights
--              matters too, as the number of examples
local calibration = require "bnn.metrics.metrics_calibration"
local classification = require "bnn.metrics.metrics_classification"
local mixture = require "bnn.metrics.metrics_mixture"
local ood = require "bnn.metrics.metrics_ood"
local regression = require "bnn.metrics.metrics_regression"
local selective = require "bnn.metrics.metrics_selective"
local uncertainty = require "bnn.metrics.metrics_uncertainty"

local M = {}

local POSITIVE, ANY = {0, math.huge}, {-math.huge, math.huge}

--- The groups, in the order of the list.
M.groups = {"classes", "calibration", "in or out", "selection", "regression", "uncertainty"}

-- Rows of one group and kind of inputs; what they leave out is as in `common`.
local function group(common)
  return function(rows)
    for _, row in ipairs(rows) do
      for name, value in pairs(common) do
        if row[name] == nil then row[name] = value end
      end
      row.result = row.result or "number"
      if row.bootstrap == nil then row.bootstrap = row.result ~= "rows" end
      if row.weight == nil then row.weight = row.result ~= "rows" end
      if row.best then row.better = row.best == row.range[1] and "lower" or "higher" end
      M.rows[#M.rows + 1] = row
    end
  end
end

--- The rows, in the order of their groups.
M.rows = {}

group{group = "classes", inputs = "classes", range = {0, 1}}{
  {"accuracy", classification, best = 1},
  {"top_k", classification, args = {2}, best = 1},
  {"nll", classification, range = POSITIVE, best = 0},
  {"brier", classification, range = {0, 2}, best = 0},
  {"balanced_accuracy", classification, best = 1},
  {"f1", classification, best = 1},
  {"cohens_kappa", classification, range = {-1, 1}, best = 1},
  {"confusion_matrix", classification, result = "matrix", range = POSITIVE},
}

group{group = "calibration", inputs = "classes", range = {0, 1}, best = 0}{
  {"ece", calibration},
  {"mce", calibration},
  {"adaptive_ece", calibration},
  {"aece", calibration},
  {"adaptive_mce", calibration},
  {"reliability", calibration, result = "table", range = POSITIVE, best = false},
}

group{group = "in or out", inputs = "in_out", range = {0, 1}}{
  {"auroc", ood, best = 1},
  {"average_precision", ood, best = 1},
  {"aupr", ood, best = 1},
  {"fpr95", ood, best = 0},
  {"fpr", ood, best = 0},
  {"roc_curve", ood, result = "table", range = ANY, bootstrap = false},
  {"precision_recall_curve", ood, result = "table", range = ANY, bootstrap = false},
}

group{group = "selection", inputs = "classes", range = {0, 1}, best = 0}{
  {"aurc", selective, weight = "counts"},
  {"e_aurc", selective, weight = "counts"},
  {"augrc", selective, weight = "counts"},
  {"risk_coverage", selective, result = "table", best = false},
  {"reject_curve", selective, result = "table", best = false, bootstrap = false},
}

group{group = "regression"}{
  {"rmse", regression, inputs = "targets", range = POSITIVE, best = 0},
  {"mae", regression, inputs = "targets", range = POSITIVE, best = 0},
  {"r2", regression, inputs = "targets", range = {-math.huge, 1}, best = 1, bootstrap = false},
  {"coverage", regression, inputs = "normal", args = {0.9}, range = {0, 1}},
  {"log_predictive_density", mixture, inputs = "normal", range = ANY, better = "higher"},
  {"crps", mixture, inputs = "normal", range = POSITIVE, better = "lower"},
  {"interval_score", regression, inputs = "interval", args = {0.9}, range = POSITIVE,
   better = "lower"},
  {"pit", mixture, inputs = "normal", result = "rows", range = {0, 1}},
  {"pit_histogram", mixture, inputs = "normal", result = "table", range = POSITIVE,
   bootstrap = false},
}

group{group = "uncertainty"}{
  {"entropy", uncertainty, inputs = "probabilities", result = "rows", range = POSITIVE},
  {"energy", uncertainty, inputs = "logits", result = "rows", range = ANY},
  {"quantile", regression, inputs = "numbers", args = {0.3}, range = ANY, weight = false},
}

-- The metrics as users see them; M.doc documents it.
function M.list()
  local list = {}
  for i, row in ipairs(M.rows) do
    list[i] = {
      name = row[1], group = row.group, inputs = row.inputs, result = row.result,
      range = {table.unpack(row.range)}, best = row.best or nil, better = row.better,
      bootstrap = row.bootstrap, weight = row.weight,
    }
  end
  return list
end

-- "classes       accuracy top_k ...", a line for each group.
local function group_lines()
  local lines = {}
  for i, name in ipairs(M.groups) do
    local names = {}
    for _, row in ipairs(M.rows) do
      if row.group == name then names[#names + 1] = row[1] end
    end
    lines[i] = ("  %-12s  %s"):format(name, table.concat(names, " "))
  end
  return table.concat(lines, "\n")
end

--- The text of bnn.metrics.list in help, written from the rows.
M.doc = [[list(): lists the metrics, what they take and which values are better
    for _, m in ipairs(bnn.metrics.list()) do print(m.name, m.better) end  -- accuracy higher, ...
]] .. group_lines() .. "\n" .. [[
@return list of tables: name; group; inputs, "classes" (probabilities [n, C] and labels [n]),
  "in_out" (scores [n] and labels 0 or 1), "targets", "normal" (mean, std, target), "interval"
  (lower, upper, target), "probabilities", "logits" or "numbers"; result, "number", "table",
  "matrix" or "rows"; range; best, its value for perfect predictions, and better, "higher" or
  "lower", or nil; bootstrap and weight, whether it takes them (weight is "counts" if the
  sum of the weights matters too, as the number of examples)]]

return M
