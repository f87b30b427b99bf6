--- Patience: a trial is left alone until its best value before the last `patience` + 1 reports
-- beats the best of these by more than `delta` (Optuna's PatientPruner).
local number = require "bnn.base.number"
local reports = require "bnn.search.pruners.pruner_reports"

local M = {}

--- What every rule takes.
M.OPTIONS = {
  patience = {type = "integer", min = 0}, delta = {type = "number", min = 0, default = 0},
}

--- Whether the reports have not become better for so long; and in words.
-- @param opts table: patience=, delta=
-- @param case table: reports= list of {step, value}, less is better; sign=
function M.is_over(opts, case)
  local last_before = #case.reports - opts.patience - 1
  if last_before < 1 then return false end
  local before = reports.best(case.reports, 1, last_before)
  local after = reports.best(case.reports, last_before + 1)
  local is_worse = before + opts.delta < after
  if not is_worse then return false end
  return true, number.format("no better than %.6g in the last %d reports, %.6g", case.sign * before,
    opts.patience + 1, case.sign * after)
end

M.patient = {
  options = {patience = {type = "integer", min = 0, required = true}},
  decide = function(opts, case) return M.is_over(opts, case) end,
}

return M
