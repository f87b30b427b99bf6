--- What the record of a run says of its outcome: of one whose process ended before the ledger knew,
-- and of one that goes on after an earlier attempt.
local kinds = require "bnn.base.kinds"
local metric_summary = require "bnn.records.metric_summary"
local nearest = require "bnn.base.nearest"
local options = require "bnn.base.options"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"

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

-- "it has no metric 'acuracy' (did you mean 'accuracy'?); it has accuracy, nll"
local function lacks(metrics, name)
  local names = options.sorted_names(metrics)
  local near = nearest.find(name, names)
  return strings.message("it has no metric '%s'%s; it has %s", name,
    near and (" (did you mean '%s'?)"):format(near) or "",
    names[1] and table.concat(names, ", ") or "none")
end

--- The values of the objectives.
-- @param objectives list of {name=}
-- @param metrics table: by name
-- @return list of floats; or nil, what is wrong with one, and true if it is not there
function M.values(objectives, metrics)
  local values = {}
  for i, objective in ipairs(objectives) do
    local v = metrics[objective.name]
    if v == nil then return nil, lacks(metrics, objective.name), true end
    if type(v) ~= "number" then
      return nil, strings.message("its %s is %s, no number", objective.name, kinds.show(v))
    elseif v - v ~= 0 then
      return nil, strings.message("its %s is %s", objective.name, v ~= v and "not a number"
        or "infinite")
    end
    values[i] = v + 0.0 -- logs do not keep integers and floats apart
  end
  return values
end

return M
