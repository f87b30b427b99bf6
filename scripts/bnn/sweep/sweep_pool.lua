--- The workers of a sweep: takes runs from the queue, forks a process for each, and sees to those
-- that end, die, take too long or are interrupted.
local core = require "bnn.core"
local data_cache = require "bnn.data.data_cache"
local run_facts = require "bnn.records.run_facts"
local signal = require "bnn.signal"
local strings = require "bnn.base.strings"
local sweep_history = require "bnn.sweep.sweep_history"
local trial_run = require "bnn.sweep.trial_run"

local M = {}

local TICK = 0.2       -- seconds that it waits for something to happen
local BEAT = 5         -- seconds between two signs of life of a run
local GRACE = 5        -- seconds between asking a run to stop and killing it
local SIGINT, SIGKILL, SIGTERM = 2, 9, 15

local Pool = {}
Pool.__index = Pool

--- Makes the pool of a plan.
-- @param book bnn.sweep.sweep_book
-- @param view bnn.sweep.sweep_view
function M.new(plan, book, view)
  local slots = {}
  for i = 1, plan.workers do slots[i] = false end
  return setmetatable({plan = plan, book = book, view = view, slots = slots, failed = 0,
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

-- The next run to make and its trial's configuration; nil if there is none yet.
local function next_run(self)
  local task = self.pending or self.book:claim()
  self.pending = task
  if not task then return nil end
  local proposal = self.history:proposal(task.trial)
  if not proposal then return nil end -- it learns from trials that still run
  self.pending = nil
  return task, proposal
end

-- Ends a run before its start if the other seeds of its trial have decided it.
local function is_decided(self, task)
  local state, why = self.history:verdict(task)
  if not state then return false end
  self.book:finish(task, state, nil, why)
  return true
end

local function start(self, i, task, proposal)
  self.facts = self.facts or run_facts.gather(self.plan.source.script)
  self.book:close()
  local plan, book, facts = self.plan, self.book, self.facts
  local job, fault = core.fork(function(send)
    trial_run.run(plan, book, task, proposal, facts, send)
  end)
  if not job then
    self.pending = task
    return nil, fault
  end
  local now = core.ticks()
  self.slots[i] = {job = job, task = task, started = now, beat = now + BEAT,
                   seed = plan.seeds[2] and plan.seeds[task.replicate]}
  return true
end

-- Gives the idle workers something to do.
local function fill(self)
  for i, slot in ipairs(self.slots) do
    while not slot and not self.slots[i] do
      local task, proposal = next_run(self)
      if not task then return end
      if not is_decided(self, task) then
        local ok, fault = start(self, i, task, proposal)
        if not ok then -- no process to be had: later
          self.fault = fault
          return
        end
      end
    end
  end
end

-- ---- endings ----

local signal_names = {[6] = "SIGABRT", [9] = "SIGKILL", [11] = "SIGSEGV", [15] = "SIGTERM"}

-- Why a process that said nothing is gone.
local function cause_of(slot, event)
  if slot.is_late then
    return ("took more than %g s"):format(slot.is_late)
  end
  if event.signal then
    return "killed by " .. (signal_names[event.signal] or "signal " .. event.signal)
  end
  return event.error or ("its process ended with status %d"):format(event.status)
end

-- A run whose process died without an entry: once more, or failed.
local function bury(self, slot, event)
  local why = cause_of(slot, event)
  local again = not slot.is_late and not self.stops and slot.task.attempt <= self.plan.opts.retries
  local interrupted = self.stops and not slot.is_late
  local state = interrupted and "interrupted" or again and "open" or "failed"
  if self.book:finish(slot.task, state, nil, why) and not interrupted then
    self.view:say(strings.message("trial %d: %s%s", slot.task.trial, why,
      again and "; it will be tried again" or ""))
  end
end

local function on_exit(self, slot, i, event)
  self.slots[i] = false
  local state, failure = self.book:state(slot.task)
  if state == "running" then
    bury(self, slot, event)
    state = self.book:state(slot.task)
  elseif state == "failed" then
    self.view:say(strings.message("trial %d failed: %s", slot.task.trial,
      (failure or "no reason given"):match "^[^\n]*"))
  end
  if state == "failed" and self.plan.opts.fail_fast and not self.stops then
    self.view:say "the first failure ends the sweep"
    self:stop(SIGINT)
  end
  self.view:add_run(core.ticks() - slot.started)
  self.history:changed(slot.task.trial)
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

local function is_over(self)
  if jobs_of(self)[1] then return false end
  if self.stops then return true end
  local counts = self.book:counts()
  return counts.open + counts.running == 0
end

local function turn(self)
  if not self.stops then fill(self) end
  local events, interrupt = core.wait_jobs(jobs_of(self), TICK)
  for _, event in ipairs(events) do handle(self, event) end
  if interrupt then on_interrupt(self, interrupt) end
  look_after(self)
  if self.view:is_due() then
    self.view:show(self.book:counts(), self.history:best(), self.slots)
  end
end

-- A run that was claimed and not begun is free again.
local function release_pending(self)
  if self.pending then self.book:finish(self.pending, "open") end
  self.pending = nil
end

--- Makes the runs that are left.
-- @return boolean: whether it was stopped before the end
function Pool:run()
  local _ <close> = setmetatable({}, {__close = function()
    for _, job in ipairs(jobs_of(self)) do job:kill(SIGKILL) end
    signal.finish(release_pending, self)
    self.view:erase()
  end})
  data_cache.enable()
  while not is_over(self) do turn(self) end
  return self.stops == true
end

return M
