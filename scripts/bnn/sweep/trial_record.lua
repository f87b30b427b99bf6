--- What the record of a run says of its outcome: of one whose process ended before the ledger knew,
-- and of one that goes on after an earlier attempt.
local metric_summary = require "bnn.records.metric_summary"
local run_folder = require "bnn.records.run_folder"

local M = {}

-- The last value of each metric in the log of a run, and the last step of it.
local function read_log(path, about)
  local metrics, step = {}, nil
  for _, block in ipairs(metric_summary.blocks(path, about) or {}) do
    for _, row in ipairs(block.rows) do metrics[row[1]] = row[2] end
    if not step or block.step > step then step = block.step end
  end
  return metrics, step
end

--- Reads what a run has come to.
-- @param path string: its folder
-- @return {status=, failure=, metrics=, step=, seconds=}, where metrics are the last of its log and
--   what it returned; or nil if there is no such record
function M.read(path)
  local about = run_folder.read_json(path .. "/run.json")
  if not about then return nil end
  local metrics, step = read_log(path, about)
  for name, v in pairs(about.results or {}) do metrics[name] = v end
  return {status = about.status, failure = about.failure, metrics = metrics, step = step,
          seconds = about.wall_seconds}
end

return M
