--- The queue of a sweep's runs as files of one folder, for file systems that many machines share:
-- no locks, no database.
--
--   TRIAL.trial                     what was proposed for a trial
--   TRIAL-REPLICATE-ATTEMPT.claim   who makes an attempt; its time is the last sign of life
--   TRIAL-REPLICATE-ATTEMPT.end     how it ended, and what came out
--   TRIAL-REPLICATE-ATTEMPT.run     the run's id, and a line for each report; its owner's alone
--
-- All but the last are written to temporary files, synced and linked to their names, so one writer
-- wins, and a file that is there never changes. The highest attempt of a run says its state: the
-- one of its end, or that it is being made. Opening a run again is an attempt too, which ends at
-- once. Who was thought dead finds its end refused.
--
-- Times are compared as the file system gives them, never with the clock of a machine.
local core = require "bnn.core"
local json_codec = require "bnn.base.json_codec"
local notice = require "bnn.base.notice"
local refusal = require "bnn.base.refusal"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"
local task_queue = require "bnn.records.task_queue"

local M = {}

local LEASE_SECONDS = 60
local LOOK_SHARE = 20        -- looks take at most one part in so many of the time
local STALE_SECONDS = 86400  -- after which what a killed process was writing is removed
local MOST_DOUBLINGS = 6     -- of how many runs are left out by who has lost so often
local CLOCK = ".clock"       -- a file whose time is the time; it says that the queue is whole

local IS_STATE = {}
for _, state in ipairs(task_queue.STATES) do IS_STATE[state] = true end

local IS_END = {completed = true, failed = true, pruned = true}

local Queue = {}
Queue.__index = Queue

--- The queue in a folder, which need not be there yet.
function M.new(folder)
  return setmetatable({folder = folder, entries = {}, before = {}, proposed = {}, parts = {},
                       configs = {}, looked = -math.huge, took = 0, first = 1}, Queue)
end

-- ---- files ----

local function path_of(self, task, kind)
  return ("%s/%d-%d-%d.%s"):format(self.folder, task.trial, task.replicate, task.attempt, kind)
end

local function to_json(value)
  return assert(core.json_encode(assert(json_codec.encode(value, "sweep"))))
end

-- Writes a file that one writer gets: whether it was this one.
local function write_once(path, value)
  local won, fault = core.save_once(path, to_json(value))
  refusal.assert_or_exit(won ~= nil, fault)
  return won
end

local function is_there(path)
  local file <close> = io.open(path, "rb")
  return file ~= nil
end

-- What a .run file has: the id, and the lines of the reports that are whole; nil: there is none.
local function read_run(path)
  local text = run_folder.read(path)
  local id, lines = (text or ""):match "^run (%S+)\n(.*)$"
  return id, id and lines:match "^(.*\n)[^\n]*$" or ""
end

-- The id of an attempt's run, its own or that which it goes on with; and what that has reported.
local function run_of(self, task)
  local id, lines = read_run(path_of(self, task, "run"))
  if id then return id, lines end
  local claim = run_folder.read_json(path_of(self, task, "claim"))
  return type(claim) == "table" and claim.run or nil
end

M.run_of = run_of

-- ---- what there is ----

local function entry_of(entries, trial, replicate)
  local of = entries[trial]
  return of and of[replicate]
end

-- The entry of a run, {trial=, replicate=, attempt= the highest, has_end=, run_attempt= the highest
-- with a .run, ending= what the end of ended_attempt says}; ends that were read stay known.
local function make_entry(self, trial, replicate)
  local before = entry_of(self.before, trial, replicate) or {}
  local entry = {trial = trial, replicate = replicate, attempt = 0, ending = before.ending,
                 ended_attempt = before.ended_attempt}
  local of = self.entries[trial] or {}
  self.entries[trial], of[replicate] = of, entry
  return entry
end

-- Notes that an attempt has a file.
local function note(self, trial, replicate, attempt, kind)
  local entry = entry_of(self.entries, trial, replicate) or make_entry(self, trial, replicate)
  if kind == "run" then
    entry.run_attempt = math.max(entry.run_attempt or 0, attempt)
  elseif attempt > entry.attempt then
    entry.attempt, entry.has_end = attempt, kind == "end"
  elseif attempt == entry.attempt then
    entry.has_end = entry.has_end or kind == "end"
  end
  return entry
end

local integer = math.tointeger

local function note_name(self, name)
  local trial, replicate, attempt, kind = name:match "^(%d+)%-(%d+)%-(%d+)%.(%l+)$"
  if trial then
    return note(self, integer(trial), integer(replicate), integer(attempt), kind)
  end
  local number = name:match "^(%d+)%.trial$"
  if number then self.proposed[integer(number)] = true end
  if name:find "%.part$" then self.parts[#self.parts + 1] = name end
end

--- Reads which files there are.
function Queue:look()
  local begun = core.ticks()
  local names, fault = core.list_names(self.folder)
  refusal.assert_or_exit(names, fault)
  self.before, self.entries, self.proposed, self.parts, self.first = self.entries, {}, {}, {}, 1
  for _, name in ipairs(names) do note_name(self, name) end
  self.before = {}
  self.looked = core.ticks()
  self.took = self.looked - begun
end

-- The same, unless it was done a moment ago: of a folder of 100,000 files it is no small thing.
local function look_again(self)
  if core.ticks() - self.looked > LOOK_SHARE * self.took then self:look() end
end

-- Reads an end that is there. One that cannot be read says that the run is to be made again.
local function read_ending(self, task)
  local path = path_of(self, task, "end")
  local ending, fault = run_folder.read_json(path)
  if type(ending) == "table" and IS_STATE[ending.state] then return ending end
  notice.say("%s: %s; its run is made again", path, fault or "is no end of a run")
  return {state = "open", run = (run_of(self, task))}
end

--- The end of an attempt: {state=, failure=, run=, outcome=}; nil: it has not ended.
function Queue:ending(task)
  local entry = entry_of(self.entries, task.trial, task.replicate)
  if entry and entry.ended_attempt == task.attempt then return entry.ending end
  if not is_there(path_of(self, task, "end")) then return nil end
  entry = note(self, task.trial, task.replicate, task.attempt, "end")
  entry.ending, entry.ended_attempt = read_ending(self, task), task.attempt
  return entry.ending
end

-- The state of a run, and the end that says so.
local function state_of(self, entry)
  if not entry or entry.attempt == 0 then return "open" end
  local ending = entry.has_end and self:ending(entry)
  return ending and ending.state or "running", ending or nil
end

-- Calls f(trial, replicate, entry) for all runs of some trials until it returns something.
local function each(self, first, last, replicates, f)
  for trial = first, last do
    for replicate = 1, replicates do
      local result = f(trial, replicate, entry_of(self.entries, trial, replicate))
      if result then return result end
    end
  end
end

-- ---- claims ----

-- The name of this process, which its children do not have.
local function worker_name(self)
  local _, pid = core.host()
  if self.pid ~= pid then self.pid, self.worker = pid, task_queue.worker() end
  return self.worker
end

-- Claims the next attempt of a run, which goes on with an earlier one: whether nobody else did.
local function try(self, task, worker)
  local won = write_once(path_of(self, task, "claim"),
    {worker = worker or worker_name(self), lease = LEASE_SECONDS, run = task.run})
  note(self, task.trial, task.replicate, task.attempt, "claim")
  return won
end

local function next_attempt(entry, trial, replicate, run)
  return {trial = trial, replicate = replicate, attempt = (entry and entry.attempt or 0) + 1,
          run = run}
end

-- A number from 0 to n - 1, another one in each process.
local function pick(self, n)
  local _, pid = core.host()
  self.draw = ((self.draw or pid) * 6364136223846793005 + 1442695040888963407) >> 1
  return (self.draw >> 31) % n
end

-- Tries the runs that are open, from the lowest on. Many who do so at a time would all go for the
-- same ones: who loses skips some.
-- @param may_skip boolean
-- @return the task; or nil, and whether some were left out
local function try_all(self, last, replicates, may_skip)
  local has_ended, losses, skip, has_skipped = true, 0, 0, false
  local task = each(self, self.first, last, replicates, function(trial, replicate, entry)
    local state, ending = state_of(self, entry)
    has_ended = has_ended and IS_END[state]
    if has_ended and replicate == replicates then self.first = trial + 1 end
    if state ~= "open" then return nil end
    if skip > 0 then
      skip, has_skipped = skip - 1, true
      return nil
    end
    local task = next_attempt(entry, trial, replicate, ending and ending.run)
    if try(self, task) then return task end
    losses = losses + 1
    skip = may_skip and pick(self, 1 << math.min(losses, MOST_DOUBLINGS)) or 0
  end)
  return task, has_skipped
end

--- Claims the lowest run that is open, or one near it.
-- @return {trial=, replicate=, attempt=, run=}, or nil
function Queue:claim(last, replicates)
  look_again(self)
  local looked = self.looked
  local task, has_skipped = try_all(self, last, replicates, true)
  if task then return task end
  look_again(self)
  if self.looked == looked and not has_skipped then return nil end
  return (try_all(self, last, replicates, false))
end

--- Ends an attempt.
-- @param ending table {state=, failure=, run=, outcome=}
-- @return boolean: whether it had not ended before
function Queue:finish(task, ending)
  ending.run = ending.run or run_of(self, task)
  local won = write_once(path_of(self, task, "end"), ending)
  note(self, task.trial, task.replicate, task.attempt, "end")
  return won
end

--- Gives a claim back that nothing was made of, as if it had not been.
function Queue:give_back(task)
  local is_used = is_there(path_of(self, task, "run")) or is_there(path_of(self, task, "end"))
  if is_used then return self:finish(task, {state = "open"}) end
  os.remove(path_of(self, task, "claim"))
  self.looked = -math.huge
  return true
end

--- Gives a run that has ended another state, by an attempt that ends with it.
-- @param task with the attempt that has ended, which is then the new one
-- @return boolean: whether nobody else did something with it
function Queue:amend(task, ending)
  local next_one = next_attempt(task, task.trial, task.replicate, ending.run)
  if not try(self, next_one) then return false end
  task.attempt = next_one.attempt
  return self:finish(task, ending)
end

--- Opens runs again.
-- @param states table: the set of states that they are in
function Queue:reopen(states, last, replicates)
  look_again(self)
  each(self, 1, last, replicates, function(_, _, entry)
    local state, ending = state_of(self, entry)
    if states[state] then
      self:amend(entry, {state = "open", run = ending.run, failure = ending.failure})
    end
  end)
end

-- ---- signs of life ----

--- Says that an attempt lives.
function Queue:beat(task) core.touch(path_of(self, task, "claim")) end

-- The time, as the file system has it.
local function now(self)
  local path = self.folder .. "/" .. CLOCK
  local ok, fault = core.touch(path)
  local time, why = core.modified(path)
  return refusal.assert_or_exit(ok and time, fault or why)
end

-- Why the worker of an attempt is taken for dead; nil: it is not, or the claim was given back.
local function cause_of_death(path, time)
  local modified = core.modified(path)
  if not modified then return nil end
  local claim = run_folder.read_json(path)
  claim = type(claim) == "table" and claim or {} -- one that cannot be read has a lease all the same
  if claim.worker and task_queue.is_dead(claim.worker) then return "its worker died" end
  local lease = claim.lease or LEASE_SECONDS
  return time - modified > lease and "its worker did not answer" or nil
end

-- Removes what processes were writing when they were killed.
local function remove_parts(self, time)
  for _, name in ipairs(self.parts) do
    local path = self.folder .. "/" .. name
    local modified = core.modified(path)
    if modified and time - modified > STALE_SECONDS then os.remove(path) end
  end
end

--- Takes runs back whose workers are gone.
function Queue:reclaim()
  self:look()
  local time = now(self)
  remove_parts(self, time)
  for _, of in pairs(self.entries) do
    for _, entry in pairs(of) do
      local is_running = entry.attempt > 0 and not entry.has_end
      local why = is_running and cause_of_death(path_of(self, entry, "claim"), time)
      if why then self:finish(entry, {state = "open", failure = why}) end
    end
  end
end

-- ---- runs and their reports ----

--- Says which run an attempt makes. One that goes on with an earlier run keeps what that reported.
-- @return boolean: whether the attempt has been claimed and has not ended
function Queue:begin(task, run_id)
  if not is_there(path_of(self, task, "claim")) or is_there(path_of(self, task, "end")) then
    return false
  end
  local lines = ""
  local earlier = {trial = task.trial, replicate = task.replicate, attempt = task.attempt - 1}
  while run_id == task.run and lines == "" and earlier.attempt > 0 do
    local id, reports = read_run(path_of(self, earlier, "run"))
    lines = id == run_id and reports or ""
    earlier.attempt = earlier.attempt - 1
  end
  refusal.assert_or_exit(core.save_bytes(path_of(self, task, "run"),
    ("run %s\n%s"):format(run_id, lines)))
  note(self, task.trial, task.replicate, task.attempt, "run")
  return true
end

--- Adds a report to the run of an attempt.
function Queue:report(task, step, value)
  local path = path_of(self, task, "run")
  local file <close>, fault = io.open(path, "ab")
  local ok, why = file, fault
  if file then ok, why = file:write(("%d %a\n"):format(step, value)) end
  if ok then ok, why = file:flush() end
  refusal.assert_or_exit(ok, why and strings.shown(why))
end

local NUMBERS = {inf = math.huge, ["-inf"] = -math.huge, nan = 0 / 0, ["-nan"] = 0 / 0}

-- The reports of lines; of two of one step the later counts.
local function reports_of(lines)
  local list, place = {}, {}
  for step, word in lines:gmatch "(%-?%d+) (%S+)\n" do
    local value = NUMBERS[word] or tonumber(word)
    step = integer(step)
    local i = place[step] or #list + 1
    place[step] = i
    list[i] = {step, value}
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

--- What the runs of one of the seeds reported: trial -> {{step, value}, ...}.
function Queue:reports(replicate, from)
  look_again(self)
  local reports = {}
  for trial, of in pairs(self.entries) do
    local entry = trial >= from and of[replicate]
    if entry and entry.run_attempt then
      local _, lines = read_run(path_of(self, {trial = trial, replicate = replicate,
        attempt = entry.run_attempt}, "run"))
      local list = reports_of(lines)
      if list[1] then reports[trial] = list end
    end
  end
  return reports
end

--- Opens the run of a trial that has been deleted, and forgets it.
-- @param run_id string
function Queue:lose_run(trial, replicate, run_id)
  self:look()
  local entry = entry_of(self.entries, trial, replicate)
  local _, ending = state_of(self, entry)
  if not ending or ending.run ~= run_id then return end
  local task = {trial = trial, replicate = replicate, attempt = entry.attempt}
  self:amend(task, {state = "open"})
  for attempt = 1, entry.run_attempt or 0 do
    task.attempt = attempt
    os.remove(path_of(self, task, "run"))
  end
end

-- ---- all of it ----

--- The runs that have been claimed: a list of {trial=, replicate=, state=, attempt=, run=,
-- failure=, outcome=}.
-- @param from integer: the first trial
function Queue:runs(from, replicates)
  look_again(self)
  local list = {}
  for trial, of in pairs(self.entries) do
    for replicate, entry in pairs(trial >= from and of or {}) do
      if replicate <= replicates and entry.attempt > 0 then
        local state, ending = state_of(self, entry)
        local about = ending or {run = (run_of(self, entry))}
        list[#list + 1] = {trial = trial, replicate = replicate, state = state,
                           attempt = entry.attempt, run = about.run, failure = about.failure,
                           outcome = about.outcome}
      end
    end
  end
  return list
end

--- Counts the runs by state: {open=, running=, ..., total=}.
function Queue:counts(last, replicates)
  look_again(self)
  local counts = {total = 0}
  for _, state in ipairs(task_queue.STATES) do counts[state] = 0 end
  each(self, 1, last, replicates, function(_, _, entry)
    local state = state_of(self, entry)
    counts[state], counts.total = counts[state] + 1, counts.total + 1
  end)
  return counts
end

-- ---- proposals ----

--- What was proposed for a trial, or nil.
function Queue:proposal(number)
  local config = self.configs[number]
  local path = ("%s/%d.trial"):format(self.folder, number)
  if config or not is_there(path) then return config end
  config = refusal.assert_or_exit(run_folder.read_json(path))
  refusal.assert_or_exit(type(config) == "table", path .. ": is no configuration of a trial")
  self.configs[number] = config
  return config
end

--- Enters a proposal unless another process did so first: the one that counts.
function Queue:propose(number, config)
  write_once(("%s/%d.trial"):format(self.folder, number), config)
  self.proposed[number] = true
  return self:proposal(number)
end

--- The proposals: number -> table.
function Queue:proposals(from, last)
  look_again(self)
  local proposals = {}
  for number in pairs(self.proposed) do
    if number >= from and number <= last then proposals[number] = self:proposal(number) end
  end
  return proposals
end

-- ---- making it ----

--- Whether the queue is there and whole.
function Queue:is_made() return is_there(self.folder .. "/" .. CLOCK) end

--- Says that the queue is whole.
function Queue:set_made()
  local won, fault = core.save_once(self.folder .. "/" .. CLOCK, "")
  refusal.assert_or_exit(won ~= nil, fault)
end

--- Enters a run as its record has it, unless the queue has it.
-- @param run {trial=, replicate=, proposal=, state=, run=, failure=, outcome=, reports= {{step,
--   value}, ...}}
function Queue:restore(run)
  if run.proposal then self:propose(run.trial, run.proposal) end
  local task = {trial = run.trial, replicate = run.replicate, attempt = 1, run = run.run}
  if not try(self, task, "unknown") then return end
  self:begin(task, run.run)
  for _, row in ipairs(run.reports) do self:report(task, row[1], row[2]) end
  if run.state == "running" then return end
  self:finish(task, {state = run.state, run = run.run, failure = run.failure,
                     outcome = run.outcome})
end

return M
