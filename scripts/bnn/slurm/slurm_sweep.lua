--- A sweep whose runs are made by Slurm's jobs: it is entered where its ledger is, what is missing
-- is submitted, and what the jobs do is followed there. Slurm is asked every 10 s at most.
local core = require "bnn.core"
local duration = require "bnn.base.duration"
local refusal = require "bnn.base.refusal"
local signal = require "bnn.signal"
local slurm_jobs = require "bnn.slurm.slurm_jobs"
local slurm_programs = require "bnn.slurm.slurm_programs"
local slurm_script = require "bnn.slurm.slurm_script"
local strings = require "bnn.base.strings"
local sweep = require "bnn.sweep.sweep"
local sweep_history = require "bnn.sweep.sweep_history"
local sweep_result = require "bnn.sweep.sweep_result"
local sweep_view = require "bnn.sweep.sweep_view"

local M = {}

local LOOK = 10     -- seconds between two questions to Slurm
local TICK = 0.2    -- seconds that it waits for a signal
local COUNT = 1     -- seconds between two questions to the ledger
local RECLAIM = 5   -- seconds between two looks for workers that have died
local CANCEL = 60   -- seconds that jobs have to end in

local assert_or_exit = refusal.assert_or_exit

-- ---- submitting ----

-- The arrays for so many runs, and how many runs a task makes.
local function arrays_for(runs, how)
  local largest, fault = slurm_programs.largest_array()
  if fault then
    strings.notice(strings.message("%s; taking %d for the largest array", fault, largest))
  end
  return slurm_script.arrays(runs, {
    per_task = how.per_task, throttle = how.throttle, largest = largest,
  })
end

-- The folder of runs as tasks find it, which need not be there yet.
local function absolute(root)
  return core.real_path(root) or root:sub(1, 1) == "/" and root
    or core.working_folder() .. "/" .. root
end

local function script_options(plan, how, per_task)
  local root = absolute(plan.root)
  assert_or_exit(not (root .. core.working_folder()):find "%c", strings.message("--slurm: a script "
    .. "cannot have a folder with control characters in its name: %s", root))
  return {root = root, sweep = plan.name, per_task = per_task,
          options = how.options}
end

-- Submits what nobody makes.
local function submit_missing(plan, book, jobs, how)
  local missing = jobs:missing(book:counts())
  if missing == 0 then return end
  local arrays, per_task = arrays_for(missing, how)
  local ok, fault = jobs:submit(arrays, script_options(plan, how, per_task))
  assert_or_exit(ok, strings.message("%s: the same command goes on from here", fault))
end

-- ---- following ----

local Follower = {}
Follower.__index = Follower

local function new_follower(plan, book, jobs, view)
  return setmetatable({plan = plan, book = book, jobs = jobs, view = view, next_look = 0,
                       next_count = 0, next_reclaim = core.ticks() + RECLAIM,
                       history = sweep_history.new(plan, book)}, Follower)
end

-- Asks Slurm, if it is time to.
local function look_at_jobs(self)
  if core.ticks() < self.next_look then return end
  local ok, fault = self.jobs:refresh()
  if not ok and not self.is_lost then
    self.view:say(strings.message("%s; asking again", fault))
  end
  self.is_lost = not ok
  self.next_look = core.ticks() + LOOK
end

-- Takes runs back whose tasks have died.
local function reclaim(self)
  if core.ticks() < self.next_reclaim then return end
  self.book:reclaim()
  self.next_reclaim = core.ticks() + RECLAIM
end

local function jobs_line(self)
  if self.is_lost then return "Slurm does not answer" end
  local counts, reason = self.jobs:counts()
  local words = ("tasks of Slurm: %d running, %d pending"):format(counts.running + counts.ending,
    counts.pending)
  return counts.pending > 0 and reason and ("%s (%s)"):format(words, reason) or words
end

-- Tells the view of runs that have ended since it was told last, for the time that is left.
local function note_ends(self, counts)
  local done = counts.completed + counts.pruned + counts.failed
  for _ = (self.done or done) + 1, done do self.view:add_run(0) end
  self.done = done
end

local function show(self, counts)
  note_ends(self, counts)
  if not self.view:is_due() then return end
  self.history:changed()
  self.view:show(counts, self.history:best(), {jobs_line(self)})
end

-- Whether nothing is left to be followed, and how many runs are open then.
local function is_over(self)
  look_at_jobs(self)
  reclaim(self)
  local counts = self.book:counts()
  show(self, counts)
  local left = counts.open + counts.interrupted
  if left + counts.running == 0 then return true, 0 end
  return not self.is_lost and not self.jobs:are_there() and counts.running == 0, left
end

-- Follows the jobs to the end.
-- @return nil; or the number of the signal that ended it, and how many runs are open
local function follow(self)
  while true do
    if core.ticks() >= self.next_count then
      local ends, left = is_over(self)
      if ends then return nil, left end
      self.next_count = core.ticks() + COUNT
    end
    local _, interrupt = core.wait_jobs({}, TICK)
    if interrupt then return interrupt end
  end
end

local function say_detached(plan)
  strings.notice(strings.message("the jobs go on. The same command follows them again; bnnlua -m "
    .. "sweep --cancel --runs=%s --name=%s cancels them", strings.shell_word(plan.root),
    strings.shell_word(plan.name)))
end

-- Cancels the tasks that still wait when all runs are done, as others have made theirs.
local function cancel_needless(jobs)
  if not jobs:are_there() then return end
  local ok, fault = jobs:refresh()
  if ok and jobs:counts().pending > 0 then ok, fault = jobs:cancel "PENDING" end
  if not ok then strings.notice(fault) end
end

-- Submits what is missing and follows it. Signals are held, so sbatch's answer is on record.
local function make(plan, book, view, how)
  local jobs = slurm_jobs.new(book)
  assert_or_exit(jobs:refresh())
  submit_missing(plan, book, jobs, how)
  if how.no_wait then return nil, 0 end
  local interrupt, left = follow(new_follower(plan, book, jobs, view))
  if left == 0 then cancel_needless(jobs) end
  return interrupt, left
end

local function make_to_end(plan, book, how)
  local view <close> = sweep_view.new(plan)
  local interrupt, left = signal.hold(make, plan, book, view, how)
  view:erase()
  if interrupt then
    say_detached(plan)
    signal.raise(interrupt)
  end
  assert_or_exit(left == 0, strings.message("none of its jobs is left, open runs: %d. A "
    .. "time limit, a node that failed or scancel has ended them (%s/sweeps/%s/slurm-*.out); the "
    .. "same command submits what is open", left, plan.root, plan.name))
end

-- ---- the commands ----

-- The runs that are not done: those of the whole sweep if it is not on record.
local function count_left(plan)
  local book <close> = sweep.book_of(plan)
  local total = plan.trials * #plan.seeds
  if not book then return total end
  local counts = book:counts()
  return math.max(0, total - counts.completed - counts.pruned - counts.running)
end

--- Returns the scripts that would be submitted for runs that are not done. Nothing is written.
-- @param plan, how as M.run takes them
function M.dry_run(plan, how)
  local arrays, per_task = arrays_for(count_left(plan), how)
  local texts = {}
  for i, array in ipairs(arrays) do
    array.name = ("bnn-dry-run-%d"):format(i)
    texts[i] = slurm_script.text(array, script_options(plan, how, per_task))
  end
  return table.concat(texts, "\n")
end

--- Runs a sweep by jobs of Slurm.
-- @param plan as bnn.sweep.sweep.plan gives it
-- @param how table: options, as slurm_options.read gives them; per_task, runs that a task makes;
--   throttle, how many tasks run at a time (0: no limit); no_wait, true to submit and return
-- @return what bnn.sweep returns; nil if it does not wait
function M.run(plan, how)
  local book <close> = sweep.enter(plan)
  make_to_end(plan, book, how)
  if not how.no_wait then return sweep_result.new(plan, book) end
end

-- ---- cancelling ----

-- Sets the runs that are open aside, until the sweep's own command opens them again.
local function set_aside(book)
  local n = 0
  while true do
    local task = book:claim()
    if not task then return n end
    if book:finish(task, "interrupted") then n = n + 1 end
  end
end

-- Waits for jobs that are told to end.
local function await_end(jobs)
  local patience = core.ticks() + CANCEL
  while jobs:are_there() and core.ticks() < patience do
    core.wait_jobs({}, 1)
    signal.raise_if_pending()
    assert_or_exit(jobs:refresh())
  end
  return not jobs:are_there()
end

--- Cancels the jobs of a sweep: its own alone. Runs that they make write a checkpoint.
-- @param book of the sweep
-- @return what was done, as a line
function M.cancel(book)
  local jobs = slurm_jobs.new(book)
  assert_or_exit(jobs:refresh())
  local aside = set_aside(book)
  local n = assert_or_exit(jobs:cancel())
  local has_ended = await_end(jobs)
  aside = aside + set_aside(book)
  assert_or_exit(has_ended, ("its jobs have not ended within %s: --status shows them"):format(
    duration.text(CANCEL)))
  return ("cancelled %d array%s; %d run%s set aside until the sweep's command is given again")
    :format(n, n == 1 and "" or "s", aside, aside == 1 and " is" or "s are")
end

return M
