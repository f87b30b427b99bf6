--- How trials read: "test/accuracy 0.978 (se 0.001, n 3), trial 7: beta=0.001 logvar=-7".
local number = require "bnn.base.number"
local kinds = require "bnn.base.kinds"
local moments = require "bnn.records.runs_table".moments
local strings = require "bnn.base.strings"

local M = {}

local VALUE_MOST = 40  -- characters of a value
local REASON_MOST = 200 -- of why a run failed

local function value_text(v)
  if type(v) == "string" then return v end
  if math.type(v) == "float" then return number.format("%.4g", v) end
  if type(v) == "table" then
    local items = {}
    for i, item in ipairs(v) do items[i] = value_text(item) end
    return table.concat(items, ",")
  end
  return kinds.show(v)
end

--- A value of a configuration, short.
function M.value(v) return strings.cut(value_text(v), VALUE_MOST) end

--- "1 trial", "3 trials".
function M.count(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

--- The configuration of a trial in the order of the space: "beta=0.001 logvar=-7".
function M.config(plan, config)
  local words = {}
  for _, name in ipairs(plan.names) do
    if config[name] ~= nil then words[#words + 1] = name .. "=" .. M.value(config[name]) end
  end
  return table.concat(words, " ")
end

--- Mean and standard error of an objective over the seeds of a trial, and how many have a value; se
-- is nil for one.
-- @param i integer or nil: which objective, default the first
function M.mean_and_se(plan, trial, i)
  local values = {}
  for r in ipairs(plan.seeds) do
    local outcome = trial.runs[r] and trial.runs[r].outcome
    if outcome and outcome.values then values[#values + 1] = outcome.values[i or 1] end
  end
  if not values[2] then return values[1], nil, #values end
  local _, _, se = moments(values)
  return trial.values[i or 1], se, #values
end

--- A trial in one line.
function M.trial(plan, trial)
  local words = {}
  for i, objective in ipairs(plan.objectives) do
    local _, se, n = M.mean_and_se(plan, trial, i)
    words[i] = number.format("%s %.4g", objective.name, trial.values[i])
      .. (se and number.format(" (se %.2g, n %d)", se, n) or "")
  end
  return ("%s, trial %d: %s"):format(table.concat(words, ", "), trial.number,
    M.config(plan, trial.config))
end

--- Why a run failed or was pruned, in one line.
function M.reason(run)
  local line = (run.failure or ""):match "^[^\n]*"
  return line ~= "" and strings.cut(line, REASON_MOST) or "no reason given"
end

--- A run of a trial: "trial 3", or "trial 3, seed 2" if there are several.
function M.run(plan, trial, replicate)
  local seed = plan.seeds[2] and plan.seeds[replicate]
  return seed and ("trial %d, seed %d"):format(trial.number, seed)
    or ("trial %d"):format(trial.number)
end

--- The runs that failed, by reason.
-- @param trials list, as bnn.sweep.sweep_book has them
-- @return list of {why=, count=, run= the first of them as text}
function M.failures(plan, trials)
  local list, by_reason = {}, {}
  local function add(trial, r)
    local run = trial.runs[r]
    if not run or run.state ~= "failed" then return end
    local why = M.reason(run)
    if not by_reason[why] then
      by_reason[why] = {why = why, count = 0, run = M.run(plan, trial, r)}
      list[#list + 1] = by_reason[why]
    end
    by_reason[why].count = by_reason[why].count + 1
  end
  for _, trial in ipairs(trials) do
    for r in ipairs(plan.seeds) do add(trial, r) end
  end
  return list
end

return M
