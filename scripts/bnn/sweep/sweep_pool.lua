--- The workers of a sweep: takes runs from the queue, forks a process for each, and sees to those
-- that end, die, take too long or are interrupted.
local core = require "bnn.core"
local data_cache = require "bnn.data.data_cache"
local refusal = require "bnn.base.refusal"
local run_facts = require "bnn.records.run_facts"
local run_folder = require "bnn.records.run_folder"
local signal = require "bnn.signal"
local store_link = require "bnn.store.store_link"
local strings = require "bnn.base.strings"
local sweep_history = require "bnn.sweep.sweep_history"
local task_queue = require "bnn.records.task_queue"
local trial_run = require "bnn.sweep.trial_run"

local M = {}

local TICK = 0.2       -- seconds that it waits for something to happen
local TOLD = 5         -- the same where the store tells of what happens
local BEAT = 5         -- seconds between two signs of life of a run
local GRACE = 5        -- seconds between asking a run to stop and killing it
local PATIENCE = 30    -- seconds for which processes of an earlier sitting may end
local SIGINT, SIGKILL, SIGTERM = 2, 9, 15

local Pool = {}
Pool.__index = Pool

--- Makes the pool of a plan.
-- @param book bnn.sweep.sweep_book
-- @param view bnn.sweep.sweep_view
-- @param most number: of a worker that joins a sweep, how many runs it makes (math.huge: no
--   limit); it ends when none is open, and what it does not end is open again; nil: the sweep's own
function M.new(plan, book, view, most)
  local slots = {}
  for i = 1, plan.workers do slots[i] = false end
  return setmetatable({plan = plan, book = book, view = view, slots = slots, deaths = {},
                       joins = most ~= nil, most = most or math.huge, made = 0, failed = 0,
                       next_look = 0, next_count = 0, next_reclaim = 0,
                       history = sweep_history.new(plan, book)}, Pool)
end

local function jobs_of(self)
  local jobs = {}
  for _, slot in ipairs(self.slots) do
    if slot then jobs[#jobs + 1] = slot.job end
  end
  return jobs
end

local function slot_of(self, job)
  for i, slot in ipairs(self.slots) do
    if slot and slot.job == job then return slot, i end
  end
end

-- ---- starting ----

local function look_again(self, seconds) self.next_look = core.ticks() + seconds end

-- Seconds after which it looks again: where the store tells of what happens after some, and not all
-- pools at once; where looking is work for a server of files, each time after more.
local function pause(self)
  if self.is_told then return TOLD * store_link.jitter() end
  self.idle = math.min(2 * (self.idle or TICK / 2), self.book.LONGEST_PAUSE or TICK)
  return self.idle
end

-- Something has happened.
local function wake(self) self.next_look, self.next_count, self.idle = 0, 0, nil end

-- Whether the process of an earlier attempt still ends, which has until `patience`.
local function is_being_made(self, task)
  if not task.run or not run_folder.is_locked(self.plan.root .. "/" .. task.run) then
    return false
  end
  self.patience = self.patience or core.ticks() + PATIENCE
  return core.ticks() < self.patience
end

-- There are no more trials from this one on.
local function end_trials(self, number, why)
  self.book:cut(number)
  self.view:say(strings.message("no more trials after %d: %s", number - 1, why))
end

-- The next run to make and its trial's configuration; nil if there is none yet.
local function next_run(self)
  if core.ticks() < self.next_look or self.made >= self.most then return nil end
  local task = self.book:claim()
  if not task then return look_again(self, pause(self)) end
  self.claimed = task
  if not is_being_made(self, task) then
    local proposal, why = self.history:proposal(task.trial)
    if proposal then
      self.idle = nil
      return task, proposal
    end
    if why then end_trials(self, task.trial, why) end
  end
  self.claimed = nil
  self.book:finish(task, "open") -- if it is still there
  look_again(self, pause(self))
end

-- Ends a run before its start if the other seeds of its trial have decided it.
local function is_decided(self, task)
  local state, why = self.history:verdict(task)
  if not state then return false end
  self.book:finish(task, state, nil, why)
  self.claimed = nil
  return true
end

local function start(self, i, task, proposal)
  self.facts = self.facts or run_facts.gather(self.plan.source.script)
  local plan, book, now = self.plan, self.book, core.ticks()
  local opts = {proposal = proposal, facts = self.facts, began = now, gives_back = self.joins,
                parent = task_queue.worker(),
                watch = self.history:watch_of(task.replicate)}
  self.book:before_fork()
  local job, fault = core.fork(function(send)
    opts.send = send
    trial_run.run(plan, book, task, opts)
  end)
  if not job then return nil, fault end
  self.slots[i] = {job = job, task = task, started = now, beat = now + BEAT,
                   seed = plan.seeds[2] and plan.seeds[task.replicate]}
  self.claimed, self.patience, self.made = nil, nil, self.made + 1
  return true
end

-- There is no process to be had: another time, if there is anything to wait for.
local function on_no_process(self, task, fault)
  self.book:finish(task, "open")
  self.claimed = nil
  refusal.assert_or_exit(jobs_of(self)[1], fault)
  look_again(self, 1)
end

-- Gives the idle workers something to do.
local function fill(self)
  for i, slot in ipairs(self.slots) do
    while not slot and not self.slots[i] do
      local task, proposal = next_run(self)
      if not task then return end
      if not is_decided(self, task) then
        local ok, fault = start(self, i, task, proposal)
        if not ok then return on_no_process(self, task, fault) end
      end
    end
  end
end

-- ---- endings ----

local signal_names = {[6] = "SIGABRT", [9] = "SIGKILL", [11] = "SIGSEGV", [15] = "SIGTERM"}

-- Why a process that said nothing is gone.
local function cause_of(slot, event)
  if slot.is_late then return trial_run.late_text(slot.is_late) end
  if event.signal then
    return "killed by " .. (signal_names[event.signal] or "signal " .. event.signal)
  end
  return event.error or ("its process ended with status %d"):format(event.status)
end

-- How often a run has died since this program began, with this time.
local function count_death(self, task)
  local key = ("%d %d"):format(task.trial, task.replicate)
  self.deaths[key] = (self.deaths[key] or 0) + 1
  return self.deaths[key]
end

-- Whether a run may be tried again: not one that ended its process by itself.
local function may_again(self, slot, event)
  if slot.is_late or event.status and not event.error and not slot.was_interrupted then
    return false
  end
  return count_death(self, slot.task) <= self.plan.opts.retries
end

-- What becomes of a run that is stopped with its pool: who joins a sweep leaves it to others.
local function stopped_state(self) return self.joins and "open" or "interrupted" end

-- A run whose process died without an entry, or was told to stop by others: once more, or failed.
local function bury(self, slot, event, why)
  if self.stops and not slot.is_late then
    return self.book:bury(slot.task, stopped_state(self), why)
  end
  local again = may_again(self, slot, event)
  if self.book:bury(slot.task, again and "open" or "failed", why) and again then
    self.view:say(strings.message("trial %d: %s; it will be tried again", slot.task.trial, why))
  end
end

-- Ends the sweep where more of the same is to be expected.
local function stop_if_hopeless(self, slot)
  if self.stops then return end
  if self.plan.opts.fail_fast then
    self.view:say "the first failure ends the sweep"
  elseif slot.lacks_metric and self.book:counts().completed == 0 then
    self.view:say "the others will have none either: the sweep ends"
  else
    return
  end
  self:stop(SIGINT)
end

local function on_exit(self, slot, i, event)
  self.slots[i] = false
  local state, failure = self.book:state(slot.task)
  slot.was_interrupted = state == "interrupted"
  if state == "running" or state == "interrupted" then
    bury(self, slot, event, failure or cause_of(slot, event))
    state, failure = self.book:state(slot.task)
  end
  if state == "failed" then
    self.failed = self.failed + 1
    self.view:say(strings.message("trial %d failed: %s", slot.task.trial,
      (failure or "no reason given"):match "^[^\n]*"))
    stop_if_hopeless(self, slot)
  end
  wake(self)
  self.view:add_run(core.ticks() - slot.started)
  self.history:changed()
end

-- Loads what a run had to read, and hashes it: the next ones have both from this process.
local function share_data(text)
  local set = data_cache.preload(core.json_decode(text))
  if set then run_facts.data(set) end
end

local function handle(self, event)
  local slot, i = slot_of(self, event.job)
  if not slot then return end
  if not event.message then return on_exit(self, slot, i, event) end
  local kind, text = event.message:match "^(%l+) (.*)$"
  if kind == "progress" then slot.line = text end
  if kind == "lacks" then slot.lacks_metric = true end
  if kind == "data" then share_data(text) end
end

-- ---- while they run ----

-- Says that the runs live, and ends those that take too long.
local function look_after(self)
  local now, limit = core.ticks(), self.plan.opts.timeout
  for _, slot in ipairs(self.slots) do
    if slot and now >= slot.beat then
      slot.beat = now + BEAT
      self.book:beat(slot.task)
    end
    if slot and limit and now - slot.started > limit then
      local is_first = not slot.is_late
      if is_first or now - slot.started > limit + GRACE then
        slot.is_late = limit
        slot.job:kill(is_first and SIGTERM or SIGKILL)
      end
    end
  end
end

--- Starts nothing more, and asks the runs that are being made to stop.
-- @param number integer: SIGINT, after which they write a checkpoint, or SIGKILL
function Pool:stop(number)
  self.stops = true
  for _, job in ipairs(jobs_of(self)) do job:kill(number) end
end

-- The first Ctrl-C lets the runs write their checkpoints, the second kills them.
local function on_interrupt(self, number)
  self.interrupt = number
  if self.stops then return self:stop(SIGKILL) end
  self.view:say "no more runs are started; those that run write a checkpoint (Ctrl-C: end them now)"
  self:stop(SIGINT)
end

-- Takes runs back whose workers are gone, now and then.
local function reclaim(self)
  if core.ticks() < self.next_reclaim then return end
  self.book:reclaim()
  self.next_reclaim = core.ticks() + BEAT
end

-- Whether nothing is left. What others make at the same sweep is waited for, and taken over if they
-- die or are interrupted; not by one that joins.
local function is_over(self)
  if jobs_of(self)[1] then return false end
  if self.stops or self.made >= self.most then return true end
  if core.ticks() < self.next_count then return false end
  self.next_count = self.is_told and core.ticks() + pause(self) or 0
  local counts = self.book:counts()
  if counts.running > 0 then reclaim(self) end
  if self.joins then return counts.open == 0 and self.book:counts().open == 0 end
  if counts.open + counts.running + counts.interrupted == 0 then return true end
  if counts.interrupted > 0 then self.book:reopen() end
  return false
end

local function turn(self)
  if self.is_told and self.book:notified() then wake(self) end
  if not self.stops then fill(self) end
  local events, interrupt = core.wait_jobs(jobs_of(self), TICK)
  for _, event in ipairs(events) do handle(self, event) end
  if interrupt then on_interrupt(self, interrupt) end
  look_after(self)
  if self.view:is_due() then
    self.view:show(self.book:counts(), self.history:best(), self.slots)
  end
end

-- What is claimed and not made is free for others, if an error or an interrupt ends the pool.
local function release(self)
  for _, job in ipairs(jobs_of(self)) do job:close() end
  self.book:hurry()
  if self.claimed then self.book:finish(self.claimed, "open") end
  for i, slot in ipairs(self.slots) do
    if slot then self.book:bury(slot.task, stopped_state(self), "the sweep ended before it") end
    self.slots[i] = false
  end
end

-- The same after an error or an interrupt, which stays what ended the pool if the book refuses, as
-- one whose server is away does: its tasks are open again when their leases are over.
local function release_after(self, err)
  local ok, fault = pcall(signal.finish, release, self)
  if not ok and err == nil then error(fault, 0) end
end

--- Makes the runs that are left.
-- @return boolean: whether it was stopped before the end
function Pool:run()
  local _ <close> = setmetatable({}, {__close = function(_, err)
    release_after(self, err)
    self.view:erase()
  end})
  data_cache.enable()
  self.is_told = self.book:listen()
  while not is_over(self) do turn(self) end
  return self.stops == true
end

return M
