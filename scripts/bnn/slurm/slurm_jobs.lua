--- The job arrays of a sweep: which were submitted, what has become of them, what is still to be.
--
-- The intent to submit an array is on record before sbatch is called, with the name of its job. If
-- the answer is lost, the next start looks for a job of that name before it submits again. What is
-- pending or running is not submitted twice; runs that two tasks want are claimed by one.
local core = require "bnn.core"
local run_folder = require "bnn.records.run_folder"
local slurm_programs = require "bnn.slurm.slurm_programs"
local slurm_script = require "bnn.slurm.slurm_script"
local strings = require "bnn.base.strings"

local M = {}

-- The states of a submission: intended, submitted; and, after which nobody asks for it, ended.
local Jobs = {__name = "bnn.slurm_jobs"}
Jobs.__index = Jobs

--- Makes the jobs of a sweep.
-- @param book bnn.sweep.sweep_book
function M.new(book) return setmetatable({book = book, arrays = {}, tasks = {}}, Jobs) end

local function change(self, array, facts)
  for name, v in pairs(facts) do array[name] = v end
  self.book:change_submission(array.id, facts)
end

-- ---- what has become of them ----

-- The arrays that may be there, and their names.
local function unended(self)
  local arrays, names = {}, {}
  for _, array in ipairs(self.book:submissions()) do
    if array.state ~= "ended" then
      arrays[#arrays + 1], names[#names + 1] = array, array.name
    end
  end
  return arrays, names
end

local function find(tasks, name)
  for _, task in ipairs(tasks) do
    if task.name == name then return task end
  end
end

-- An array that is on record as intended: sbatch's answer was lost, or it submitted nothing.
local function adopt(self, array, task)
  local job = task and task.job or slurm_programs.accounted(array.name)
  if not job then
    strings.notice(strings.message("the submission of %s did not reach Slurm", array.name))
    return change(self, array, {state = "ended", why = "never submitted"})
  end
  strings.notice(strings.message("%s is there as array %s, although sbatch had not said so",
    array.name, job))
  change(self, array, {state = "submitted", job = job})
end

-- Enters the end of the arrays of which no task is left.
local function end_arrays(self, arrays, tasks)
  local is_live = {}
  for _, task in ipairs(tasks) do
    if task.phase ~= "ended" then is_live[task.name] = true end
  end
  self.arrays = {}
  for _, array in ipairs(arrays) do
    if is_live[array.name] then
      self.arrays[#self.arrays + 1] = array
    elseif array.state ~= "ended" then
      change(self, array, {state = "ended"})
    end
  end
end

--- Asks Slurm for the arrays that have not ended, and enters what has become of them.
-- @return true; or nil, message: Slurm does not say, and nothing has changed
function Jobs:refresh()
  local arrays, names = unended(self)
  local tasks, fault = slurm_programs.tasks(names)
  if not tasks then return nil, fault end
  for _, array in ipairs(arrays) do
    if array.state == "intended" then adopt(self, array, find(tasks, array.name)) end
  end
  end_arrays(self, arrays, tasks)
  self.tasks = tasks
  return true
end

-- The number of tasks in each phase, and why the first one that is pending is.
local function count(tasks, name)
  local counts, reason = {pending = 0, running = 0, ending = 0, ended = 0}, nil
  for _, task in ipairs(tasks) do
    if not name or task.name == name then
      counts[task.phase] = counts[task.phase] + 1
      if task.phase == "pending" then reason = reason or task.reason end
    end
  end
  return counts, reason
end

--- Counts the tasks, as Slurm had them when it was last asked.
-- @return {pending=, running=, ending=, ended=}, and why the first one that is pending is
function Jobs:counts() return count(self.tasks) end

--- Whether a task is there that may make runs.
function Jobs:are_there()
  local counts = self:counts()
  return counts.pending + counts.running + counts.ending > 0
end

--- How many runs no task will make: those that are open or being made, less one for each task that
-- runs, and less what those make that wait.
-- @param counts table: of the runs, by state
function Jobs:missing(counts)
  local per_task, taken = {}, 0
  for _, array in ipairs(self.arrays) do per_task[array.name] = array.per_task end
  for _, task in ipairs(self.tasks) do
    if task.phase == "running" then taken = taken + 1 end
    if task.phase == "pending" then taken = taken + (per_task[task.name] or 1) end
  end
  return math.max(0, math.min(counts.open, counts.open + counts.running - taken))
end

-- ---- changing them ----

local function submit(self, array, opts)
  local id = run_folder.new_id()
  local all = {id = id, name = "bnn-" .. id, state = "intended", created = core.now()}
  for name, v in pairs(array) do all[name] = v end
  self.book:add_submission(id, {
    name = all.name, state = all.state, created = all.created, count = all.count,
    per_task = opts.per_task, throttle = all.throttle,
  })
  local job, fault = slurm_programs.submit(all.name, slurm_script.indices(all),
    slurm_script.text(all, opts))
  if not job then return nil, fault end
  change(self, all, {state = "submitted", job = job})
  strings.notice(strings.message("submitted array %s (%s) of %d task%s", job, all.name, all.count,
    all.count == 1 and "" or "s"))
  return true
end

--- Submits arrays.
-- @param arrays list of {count=, throttle=}, as slurm_script.arrays gives
-- @param opts table: as slurm_script.text takes it
-- @return true; or nil, message: what is on record as intended is looked for the next time
function Jobs:submit(arrays, opts)
  for _, array in ipairs(arrays) do
    local ok, fault = submit(self, array, opts)
    if not ok then return nil, fault end
  end
  return true
end

--- Cancels the arrays of this sweep that are there.
-- @param state string: their tasks in this state alone, such as "PENDING"; nil: all
-- @return how many; or nil, message
function Jobs:cancel(state)
  for _, array in ipairs(self.arrays) do
    local ok, fault = slurm_programs.cancel(array.name, state)
    if not ok then return nil, fault end
  end
  return #self.arrays
end

--- Describes the arrays that are there: rows for a table.
function Jobs:rows()
  local rows = {}
  for i, array in ipairs(self.arrays) do
    local counts, reason = count(self.tasks, array.name)
    rows[i] = {job = array.job or "", name = array.name, tasks = array.count,
               pending = counts.pending, running = counts.running + counts.ending,
               ended = counts.ended, reason = reason or ""}
  end
  return rows
end

return M
