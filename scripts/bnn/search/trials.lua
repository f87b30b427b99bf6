--- Histories: the trials of a sweep as samplers see them.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"

local M = {}

local STATES = {completed = true, pruned = true, failed = true, running = true}

local function check(what, trial, i)
  local ok = type(trial) == "table" and options.accept(trial.number, {type = "integer", min = 1})
  if not ok or type(trial.config) ~= "table" or not STATES[trial.state] then
    fail("%s: history: trial %d: expected {number=, config=, state=\"completed\", value=, ...}, "
      .. "got %s", what, i, type(trial) == "table" and trial.state ~= nil
      and "state " .. kinds.show(trial.state) or kinds.show(trial))
  end
end

-- The objectives of a completed trial with the sign that makes less better. NaN is worst.
local function losses(what, trial, mode)
  local list = {}
  for i, m in ipairs(mode) do
    local v = trial.values and trial.values[i] or i == 1 and not trial.values and trial.value or nil
    if type(v) ~= "number" then
      fail("%s: history: trial %d: expected %d value(s), got %s", what, trial.number, #mode,
        kinds.show(trial.values or trial.value))
    end
    list[i] = v ~= v and math.huge or m == "max" and -v or v
  end
  return list
end

-- Where a pruned trial stood: its last step, and the value there with the sign of losses.
local function last_report(trial, mode)
  local step, value = nil, math.huge
  for _, report in ipairs(trial.reports or {}) do
    if not step or report[1] >= step then step, value = report[1], report[2] end
  end
  if value ~= value then value = math.huge elseif mode == "max" then value = -value end
  return step, step and value or math.huge
end

-- A trial as samplers read it: a list of losses if completed, the last report if pruned.
local function entry(what, trial, mode)
  local made = {number = trial.number, config = trial.config, state = trial.state}
  if trial.state == "completed" then
    made.losses = losses(what, trial, mode)
    made.loss = made.losses[1]
  elseif trial.state == "pruned" then
    made.step, made.loss = last_report(trial, mode[1])
  end
  return made
end

-- The trials of a history, checked and sorted by number, without the one that is proposed.
-- @param make function(trial) -> what stands for it
local function sorted(what, number, history, make)
  if history ~= nil and type(history) ~= "table" then
    fail.expected(what .. ": history", "a list of trials", history)
  end
  local list = {}
  for i, trial in ipairs(history or {}) do
    check(what, trial, i)
    if trial.number ~= number then list[#list + 1] = make(trial) end
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

--- Sorts a history by number, without the trial that is proposed, and checks it.
function M.sorted(what, _, number, history)
  return sorted(what, number, history, function(trial) return trial end)
end

--- Reads a history: checks it and sorts it by number. The trial that is proposed is left out.
-- @param sampler table with mode, a list of "min" and "max"
-- @param number integer: the trial that is proposed
-- @return list of {number=, config=, state=, loss=, losses=, step=}: a loss is a value with the
--   sign that makes less better; pruned trials have the step and the loss of their last report
function M.read(what, sampler, number, history)
  return sorted(what, number, history, function(trial) return entry(what, trial, sampler.mode) end)
end

--- The trials of some states.
--     trials.in_state(history, {completed = true})
function M.in_state(history, states)
  local list = {}
  for _, trial in ipairs(history) do
    if states[trial.state] then list[#list + 1] = trial end
  end
  return list
end

-- Whether a ranks before b: completed by loss, then pruned by more steps, then by loss, then by
-- number.
local function is_better(a, b)
  if a.state ~= b.state then return a.state == "completed" end
  if a.state == "pruned" then
    local p, q = a.step or -math.huge, b.step or -math.huge
    if p ~= q then return p > q end
  end
  if a.loss ~= b.loss then return a.loss < b.loss end
  return a.number < b.number
end

--- The completed and pruned trials, the best first: completed ones by loss, then pruned ones, those
-- with more steps first, then by their last value.
function M.ranked(history)
  local list = M.in_state(history, {completed = true, pruned = true})
  table.sort(list, is_better)
  return list
end

return M
