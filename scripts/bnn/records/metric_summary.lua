--- What is kept of each metric of a run: its last value, its least and its largest, with the steps.
local log_read = require "bnn.log.log_read"
local run_folder = require "bnn.records.run_folder"

local M = {}

--- Takes a value into the summaries.
-- @param metrics table: by name {value=, step=, least=, least_step=, most=, most_step=}
function M.note(metrics, step, name, v)
  local m = metrics[name] or {}
  metrics[name], m.value, m.step = m, v, step
  if type(v) ~= "number" or v ~= v then return end
  if not m.least or v < m.least then m.least, m.least_step = v, step end
  if not m.most or v > m.most then m.most, m.most_step = v, step end
end

--- Takes the metrics that an experiment returned, which have no step.
function M.note_results(metrics, results)
  for name, v in pairs(type(results) == "table" and results or {}) do
    M.note(metrics, nil, name, type(v) == "boolean" and tostring(v) or v)
  end
end

--- Leaves out the rows of a log that a later row of the same step and name replaces.
-- @param blocks list of {step=, rows={{name, value}, ...}}, as bnn.log.read has it
function M.last_rows(blocks)
  local last, kept = {}, {}
  for b, block in ipairs(blocks) do
    for _, row in ipairs(block.rows) do
      last[row[1]] = last[row[1]] or {}
      last[row[1]][block.step] = b
    end
  end
  for b, block in ipairs(blocks) do
    local rows = {}
    for _, row in ipairs(block.rows) do
      if last[row[1]][block.step] == b then rows[#rows + 1] = row end
    end
    if rows[1] then kept[#kept + 1] = {step = block.step, rows = rows} end
  end
  return kept
end

--- Reads the log of a run; of one that was resumed, the last row of each step.
-- @param path string: its folder
-- @param about table: what run.json holds
-- @return list of blocks; or nil, message
function M.blocks(path, about)
  local file = path .. "/metrics.jsonl"
  local text = run_folder.read(file)
  if not text or text == "" then return {} end
  local blocks, fault = log_read.blocks(file, "jsonl")
  if not blocks then return nil, fault end
  return about.attempt == 1 and blocks or M.last_rows(blocks)
end

--- Reads the summaries of a run from its log and its results.
-- @param path string: its folder
-- @param about table: what run.json holds
function M.read(path, about)
  local metrics = {}
  for _, block in ipairs(M.blocks(path, about) or {}) do
    for _, row in ipairs(block.rows) do M.note(metrics, block.step, row[1], row[2]) end
  end
  M.note_results(metrics, about.results)
  return metrics
end

return M
