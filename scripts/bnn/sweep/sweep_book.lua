--- A sweep in the ledger: its description, what was proposed for each trial, what came out, and the
-- values that runs reported on the way. The queue of runs is bnn.records.task_queue.
--
-- A connection does not survive a fork: `close` before one, and the next question opens another.
local core = require "bnn.core"
local json_codec = require "bnn.base.json_codec"
local ledger = require "bnn.records.ledger"
local refusal = require "bnn.base.refusal"
local run_folder = require "bnn.records.run_folder"
local run_list = require "bnn.records.run_list"
local sweep_record = require "bnn.sweep.sweep_record"
local task_queue = require "bnn.records.task_queue"

local M = {}

local state_numbers = {} -- as bnn.records.task_queue has them
for i, name in ipairs(task_queue.STATES) do state_numbers[name] = i - 1 end

local Book = {__name = "bnn.sweep_book"}
Book.__index = Book

--- Makes the book of a sweep in a folder of runs.
function M.new(root, name)
  return setmetatable({root = root, name = name, last = math.maxinteger,
                       replicates = math.maxinteger}, Book)
end

-- The ledger, opened when it is asked for.
local function opened(self)
  if not self.ledger then self.ledger = refusal.assert_or_exit(ledger.open(self.root, true)) end
  return self.ledger
end

--- Closes the connection. Calling it twice is safe.
function Book:close()
  if self.ledger then self.ledger:close() end
  self.ledger, self.queue = nil, nil
end

Book.__close = Book.close

-- The queue of the ledger, of this connection.
local function queue(self)
  if not self.queue then self.queue = refusal.assert_or_exit(task_queue.new(opened(self))) end
  return self.queue
end

local function change(self, f) refusal.assert_or_exit(opened(self):change(f)) end

local function ask(self, sql, ...)
  return refusal.assert_or_exit(opened(self):ask(sql, ...))
end

local function from_json(text)
  return text and assert(json_codec.decode(assert(core.json_decode(text))))
end

--- The description of the sweep as it was entered, or nil.
function Book:description()
  local rows = ask(self, "SELECT description FROM sweep WHERE id = $1", self.name)
  return rows[1] and from_json(rows[1][1])
end

--- Enters the sweep, or its newer description.
function Book:enter(description)
  local created = run_folder.time_text(core.now())
  refusal.assert_or_exit(sweep_record.write(self.root, description, created))
  change(self, function(write)
    write([[INSERT INTO sweep (id, description, created) VALUES ($1, $2, $3)
      ON CONFLICT (id) DO UPDATE SET description = excluded.description]], self.name,
      sweep_record.to_json(description), created)
  end)
end

--- The configuration that was proposed for a trial, or nil.
function Book:proposal(number)
  local rows = ask(self, "SELECT config FROM trial WHERE sweep = $1 AND number = $2", self.name,
    number)
  return rows[1] and from_json(rows[1][1])
end

--- Enters a proposal unless another process did so first.
-- @return the proposal that counts
function Book:propose(number, config)
  change(self, function(write)
    write([[INSERT INTO trial (sweep, number, config) VALUES ($1, $2, $3)
      ON CONFLICT (sweep, number) DO NOTHING]], self.name, number, sweep_record.to_json(config))
  end)
  return self:proposal(number)
end

-- ---- the queue ----

-- Leaves what an earlier sitting had more alone: nobody is to claim it.
local function set_beyond_aside(self)
  change(self, function(write)
    local beyond = " WHERE sweep = $1 AND state = 0 AND (trial > $2 OR replicate > $3)"
    write("DELETE FROM task" .. beyond .. " AND run IS NULL", self.name, self.last, self.replicates)
    write("UPDATE task SET state = 5" .. beyond, self.name, self.last, self.replicates)
  end)
end

--- Adds the runs of trials 1 to n, opens those again that failed or were interrupted, and takes
-- back those whose processes are gone. From now on counts and trials are of these alone.
-- @param replicates integer: runs of each trial
function Book:fill(n, replicates)
  local trials = {}
  for number = 1, n do trials[number] = number end
  self.last, self.replicates = n, replicates
  refusal.assert_or_exit(queue(self):add(self.name, trials, replicates))
  self:reclaim()
  refusal.assert_or_exit(queue(self):reopen(self.name, {"failed", "interrupted"}))
  set_beyond_aside(self)
end

--- Takes runs back whose processes are gone, of this program or of another at the same sweep.
function Book:reclaim() refusal.assert_or_exit(queue(self):reclaim(self.name)) end

--- Opens the runs again that other programs at the same sweep left when they were interrupted.
function Book:reopen()
  ask(self, [[UPDATE task SET state = 0 WHERE sweep = $1 AND state = 5 AND trial <= $2
    AND replicate <= $3 RETURNING 1]], self.name, self.last, self.replicates)
end

--- Claims the next run.
-- @return {trial=, replicate=, attempt=, run=}, or nil
function Book:claim()
  local task, fault = queue(self):claim(self.name, task_queue.worker())
  refusal.assert_or_exit(not fault, fault)
  return task
end

--- Says that a run lives.
function Book:beat(task) refusal.assert_or_exit(queue(self):beat(task) ~= nil) end

--- Says which run is made for a task. What an earlier run reported is not this one's.
-- @return boolean: whether the task is still this attempt's; if not, the run is not to be made
function Book:begin(task, run_id)
  local is_own, fault = queue(self):beat(task, run_id)
  refusal.assert_or_exit(is_own ~= nil, fault)
  if is_own and run_id ~= task.run then
    change(self, function(write)
      write("DELETE FROM report WHERE sweep = $1 AND trial = $2 AND replicate = $3", self.name,
        task.trial, task.replicate)
    end)
  end
  return is_own
end

--- The state of a run in the queue, and why it failed.
function Book:state(task)
  local rows = ask(self, [[SELECT state, failure, attempt FROM task WHERE sweep = $1 AND trial = $2
    AND replicate = $3]], self.name, task.trial, task.replicate)
  local row = rows[1]
  if not row or row[3] ~= task.attempt then return nil end
  return task_queue.STATES[row[1] + 1], row[2]
end

--- Enters the end of a run whose process died, or was interrupted, without more to say.
-- @param state string: "open" to try it again, "failed", or "interrupted"
-- @return boolean: whether it was entered; not if another attempt has taken over
function Book:bury(task, state, failure)
  local rows = ask(self, [[UPDATE task SET state = $5, failure = $6, lease = NULL WHERE sweep = $1
    AND trial = $2 AND replicate = $3 AND attempt = $4 AND state IN (1, 5) RETURNING 1]], self.name,
    task.trial, task.replicate, task.attempt, state_numbers[state], failure)
  return rows[1] ~= nil
end

--- Counts the runs: by state, and `total`.
function Book:counts()
  local counts = {total = 0}
  for _, state in ipairs(task_queue.STATES) do counts[state] = 0 end
  for _, row in ipairs(ask(self, [[SELECT state, count(*) FROM task WHERE sweep = $1
      AND trial <= $2 AND replicate <= $3 GROUP BY state]], self.name, self.last,
      self.replicates)) do
    counts[task_queue.STATES[row[1] + 1]] = row[2]
    counts.total = counts.total + row[2]
  end
  return counts
end

--- Takes the runs that nobody has begun out of the queue, from a trial on: there are no more.
function Book:cut(number)
  self.last = math.min(self.last, number - 1)
  change(self, function(write)
    write("DELETE FROM task WHERE sweep = $1 AND trial >= $2 AND run IS NULL", self.name, number)
  end)
end

--- Enters what came out of a run, {values=, metrics=, seconds=, step=}, and its end in the queue:
-- both or none. Nothing is entered if another attempt has taken over.
-- @param state string, as bnn.records.task_queue has them
-- @return boolean: whether it was entered
function Book:finish(task, state, outcome, failure)
  local is_own = false
  change(self, function(write, is_again)
    is_own = task_queue.finish(write, is_again, task, state, nil, failure)
    if not is_own or not outcome then return end
    write([[INSERT INTO outcome (sweep, trial, replicate, outcome) VALUES ($1, $2, $3, $4)
      ON CONFLICT (sweep, trial, replicate) DO UPDATE SET outcome = excluded.outcome]], self.name,
      task.trial, task.replicate, sweep_record.to_json(outcome))
  end)
  return is_own
end

--- Enters the record of a run whose process ended before the ledger knew.
function Book:enter_record(id)
  change(self, function(write) run_list.enter(write, self.root .. "/" .. id) end)
end

--- Enters a value that a run reported.
function Book:report(task, step, value)
  change(self, function(write)
    write([[INSERT INTO report (sweep, trial, replicate, step, value) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (sweep, trial, replicate, step) DO UPDATE SET value = excluded.value]], self.name,
      task.trial, task.replicate, step, value)
  end)
end

-- ---- trials ----

-- The trials from a number on, by number, with their proposals.
local function read_proposals(self, from)
  local rows = ask(self, [[SELECT number, config FROM trial WHERE sweep = $1 AND number >= $2
    AND number <= $3 ORDER BY number]], self.name, from, self.last)
  local trials = {}
  for _, row in ipairs(rows) do
    trials[row[1]] = {number = row[1], config = from_json(row[2]), runs = {}, reports = {}}
  end
  return trials
end

local function add_runs(self, trials, from)
  for _, row in ipairs(refusal.assert_or_exit(queue(self):tasks(self.name, from))) do
    local trial = trials[row.trial]
    if trial and row.replicate <= self.replicates then trial.runs[row.replicate] = row end
  end
  local rows = ask(self, [[SELECT trial, replicate, outcome FROM outcome
    WHERE sweep = $1 AND trial >= $2]], self.name, from)
  for _, row in ipairs(rows) do
    local run = trials[row[1]] and trials[row[1]].runs[row[2]]
    if run then run.outcome = from_json(row[3]) end
  end
end

--- Returns what the runs of one of the seeds reported: trial -> {{step, value}, ...}.
-- @param from integer: the first trial (1)
function Book:reports(replicate, from)
  local reports = {}
  local rows = ask(self, [[SELECT trial, step, value FROM report WHERE sweep = $1 AND trial >= $2
    AND replicate = $3 ORDER BY trial, step]], self.name, from or 1, replicate)
  for _, row in ipairs(rows) do
    local list = reports[row[1]] or {}
    reports[row[1]], list[#list + 1] = list, {row[2], row[3] == nil and 0 / 0 or row[3]}
  end
  return reports
end

-- Adds the reports of one of the seeds, which are compared with each other.
local function add_reports(self, trials, replicate, from)
  for number, list in pairs(self:reports(replicate, from)) do
    if trials[number] then trials[number].reports = list end
  end
end

-- The mean of each objective over the runs that have an outcome, in the order of the seeds.
local function mean_values(runs, replicates)
  local sums, n = {}, 0
  for r = 1, replicates do
    local values = runs[r] and runs[r].outcome and runs[r].outcome.values
    if values then n = n + 1 end
    for i, v in ipairs(values or {}) do sums[i] = (sums[i] or 0) + v end
  end
  for i, sum in ipairs(sums) do sums[i] = sum / n end
  return n > 0 and sums or nil
end

-- The state of a trial from those of its runs: it failed if one of them did.
local function state_of(runs, replicates)
  local seen, n = {}, 0
  for _, run in pairs(runs) do
    seen[run.state] = true
    n = n + (run.state == "completed" and 1 or 0)
  end
  if seen.failed then return "failed" end
  if seen.pruned then return "pruned" end
  return n >= replicates and "completed" or "running"
end

local function complete(trial, seeds)
  trial.values = mean_values(trial.runs, #seeds)
  trial.value = trial.values and trial.values[1]
  trial.state, trial.seeds = state_of(trial.runs, #seeds), {}
  for r, seed in ipairs(seeds) do
    local run = trial.runs[r]
    local values = run and run.outcome and run.outcome.values
    if values then trial.seeds[#trial.seeds + 1] = {seed = seed, value = values[1]} end
  end
end

--- Lists the trials in the order of their numbers.
-- @param seeds list: of each trial
-- @param opts table: from= the first one (1); replicate= with its reports
-- @return list of {number=, config=, state="completed"|"pruned"|"failed"|"running", value=, values=
--   (means over the seeds), runs = {[replicate] = {state=, run=, outcome=, failure=}}, reports =
--   {{step, value}, ...}, seeds = {{seed=, value=}, ...}}
function Book:trials(seeds, opts)
  local from = opts and opts.from or 1
  local by_number, list = read_proposals(self, from), {}
  add_runs(self, by_number, from)
  if opts and opts.replicate then add_reports(self, by_number, opts.replicate, from) end
  for _, trial in pairs(by_number) do
    complete(trial, seeds)
    list[#list + 1] = trial
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

return M
