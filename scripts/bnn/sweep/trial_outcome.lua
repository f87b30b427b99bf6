--- What a run of a trial has come to: a state of the queue, the values of the sweep's objectives,
-- or why there are none; and the same as the run's folder has it.
local metric_summary = require "bnn.records.metric_summary"
local options = require "bnn.base.options"
local run_life = require "bnn.records.run_life"
local strings = require "bnn.base.strings"

local M = {}

--- The metrics of a run by name: the last of its log, and what it returned.
-- @param logged table: name -> value
-- @param returned what the experiment returned
function M.metrics(logged, returned)
  local metrics = {}
  for name, v in pairs(logged) do metrics[name] = v end
  for name, v in pairs(type(returned) == "table" and returned or {}) do
    if type(v) == "userdata" and v.item then v = v:item() end
    if type(name) == "string" and type(v) ~= "table" then metrics[name] = v end
  end
  return metrics
end

--- The values of the objectives.
-- @param objectives list of {name=, mode=}
-- @param metrics table: name -> value
-- @return list of numbers; or nil, what is wrong with them
function M.values(objectives, metrics)
  local values = {}
  for i, objective in ipairs(objectives) do
    local v = metrics[objective.name]
    if type(v) ~= "number" then
      local names = options.sorted_names(metrics)
      return nil, strings.message("it has no metric '%s'; it has %s", objective.name,
        names[1] and table.concat(names, ", ") or "none")
    end
    if v - v ~= 0 then
      return nil, strings.message("its %s is %s", objective.name, v ~= v and "not a number"
        or "infinite")
    end
    values[i] = v
  end
  return values
end

--- Completes the outcome of a run that came to its end.
-- @param outcome table with metrics; it gets values
-- @return state, and why it failed
function M.judge(objectives, outcome)
  local why
  outcome.values, why = M.values(objectives, outcome.metrics)
  return outcome.values and "completed" or "failed", why
end

-- ---- from folders ----

-- What the log and the results of a run say, for one whose process left no outcome: it was not the
-- sweep's, but that of `bnnlua -m runs resume`.
local function outcome_of_log(path, about)
  local metrics, last = {}, nil
  for name, m in pairs(metric_summary.read(path, about)) do
    metrics[name] = m.value
    if m.step and (not last or m.step > last) then last = m.step end
  end
  return {metrics = metrics, step = last, seconds = about.wall_seconds}
end

local STATES = {pruned = "pruned", failed = "failed", running = "running"}

--- Reads the outcome of a run from its folder.
-- @param path string: the folder
-- @param about table: what run.json holds
-- @param objectives list of {name=, mode=}
-- @return state, as bnn.records.task_queue has them; outcome {values=, metrics=, seconds=, step=};
--   and why, of one that is not completed
function M.of_folder(path, about, objectives)
  local status = run_life.status(path, about)
  local noted = status ~= "running" and about.outcome
  if noted then
    return noted.state, {values = noted.values, metrics = noted.metrics, seconds = noted.seconds,
                         step = noted.step}, noted.why or about.failure
  end
  local outcome = outcome_of_log(path, about)
  if status ~= "completed" then return STATES[status] or "interrupted", outcome, about.failure end
  local state, why = M.judge(objectives, outcome)
  return state, outcome, why
end

return M
