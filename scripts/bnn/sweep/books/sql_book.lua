--- The book of a sweep in the ledger: its description, what was proposed for each trial, what came
-- out, and the values that runs reported on the way. The queue of runs is bnn.records.task_queue.
-- What each method is for is said in bnn.sweep.sweep_book.
--
-- A connection of SQLite does not survive a fork: after `before_fork` the next question opens
-- another.
-- A server that is away is waited for, as workers have nothing better to do.
local core = require "bnn.core"
local json_codec = require "bnn.base.json_codec"
local ledger = require "bnn.records.ledger"
local refusal = require "bnn.base.refusal"
local run_folder = require "bnn.records.run_folder"
local run_list = require "bnn.records.run_list"
local sweep_record = require "bnn.sweep.books.sweep_record"
local sweep_trials = require "bnn.sweep.books.sweep_trials"
local task_queue = require "bnn.records.task_queue"

local M = {}

local PATIENCE = 600 -- seconds that a server may be away
local HURRY = 0      -- at the end of a program that is interrupted

local state_numbers = {} -- as bnn.records.task_queue has them
for i, name in ipairs(task_queue.STATES) do state_numbers[name] = i - 1 end

local Book = {__name = "bnn.sql_book", trials = sweep_trials.list}
Book.__index = Book

--- The names of the sweeps in the ledger of a folder of runs, oldest first; or nil, message.
function M.names(root)
  local book <close>, fault, kind = ledger.open(root, false)
  if not book then return kind == "none" and {}, fault end
  local rows, why = book:ask "SELECT id FROM sweep ORDER BY created, id"
  for i, row in ipairs(rows or {}) do rows[i] = row[1] end
  return rows, why
end

--- Makes the book of a sweep in a folder of runs.
function M.new(root, name)
  return setmetatable({root = root, name = name, last = math.maxinteger,
                       replicates = math.maxinteger}, Book)
end

-- The ledger, opened when it is asked for.
local function opened(self)
  if not self.ledger then
    self.ledger = refusal.assert_or_exit(ledger.open(self.root, true, nil, PATIENCE))
  end
  return self.ledger
end

--- Closes the connection. Calling it twice is safe.
function Book:close()
  if self.ledger then self.ledger:close() end
  self.ledger, self.queue = nil, nil
end

Book.__close = Book.close

--- To be called before a fork, so that the child has no connection of this process.
function Book:before_fork()
  if self.ledger then self.ledger:before_fork() end
end

--- Waits no more for a server that is away: the program is to end.
function Book:hurry()
  if self.ledger then self.ledger:set_patience(HURRY) end
end

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

--- Enters what the folders of runs have of the sweep, if it is not in the ledger.
function Book:restore()
  local is_there, fault = sweep_record.restore(self.root, self.name)
  refusal.assert_or_exit(is_there ~= nil, fault)
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

--- The same for one that adds nothing: what failed or was interrupted stays so.
function Book:join(n, replicates)
  self.last, self.replicates = n, replicates
  self:reclaim()
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

--- Whether the store tells of runs that are added, opened or ended.
-- @return boolean: if not, it is to be asked again and again
function Book:listen() return queue(self):listen(self.name) end

--- Whether it has told of any since the last call.
function Book:notified() return queue(self):notified() end

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
  local rows, _, is_again = ask(self, [[UPDATE task SET state = $5, failure = $6, lease = NULL
    WHERE sweep = $1 AND trial = $2 AND replicate = $3 AND attempt = $4 AND state IN (1, 5)
    RETURNING 1]], self.name, task.trial, task.replicate, task.attempt, state_numbers[state],
    failure)
  return rows[1] ~= nil or is_again and self:state(task) == state
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

-- ---- what trials are made of ----

--- The configurations that were proposed: number -> table.
-- @param from integer: the first trial
function Book:proposals(from)
  local proposals = {}
  for _, row in ipairs(ask(self, [[SELECT number, config FROM trial WHERE sweep = $1
      AND number >= $2 AND number <= $3]], self.name, from, self.last)) do
    proposals[row[1]] = from_json(row[2])
  end
  return proposals
end

-- What came out of runs: trial -> replicate -> table.
local function read_outcomes(self, from)
  local outcomes = {}
  for _, row in ipairs(ask(self, [[SELECT trial, replicate, outcome FROM outcome
      WHERE sweep = $1 AND trial >= $2]], self.name, from)) do
    local of = outcomes[row[1]] or {}
    outcomes[row[1]], of[row[2]] = of, from_json(row[3])
  end
  return outcomes
end

--- The runs of trials in the queue.
-- @param from integer: the first trial
-- @return list of {trial=, replicate=, state=, attempt=, run=, failure=, outcome=}
function Book:runs(from)
  local tasks, runs = refusal.assert_or_exit(queue(self):tasks(self.name, from)), {}
  local outcomes = read_outcomes(self, from) -- after the tasks, which end with their outcomes
  for _, run in ipairs(tasks) do
    if run.replicate <= self.replicates then
      run.outcome = (outcomes[run.trial] or {})[run.replicate]
      runs[#runs + 1] = run
    end
  end
  return runs
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

-- ---- submissions to other engines ----

-- Enters the facts of a submission by a statement.
local function put_submission(self, sql, id, facts)
  change(self, function(write)
    write(sql, self.name, id, sweep_record.to_json(facts))
  end)
end

--- Enters a submission before it is made; one that is there stays.
-- @param id string
-- @param facts table of plain values; `created`, the time, is added
function Book:add_submission(id, facts)
  put_submission(self, [[INSERT INTO submission (sweep, id, facts) VALUES ($1, $2, $3)
    ON CONFLICT (sweep, id) DO NOTHING]], id, sweep_trials.with_time(facts))
end

--- Enters what is new of a submission: facts by name.
function Book:change_submission(id, facts)
  local before = ask(self, "SELECT facts FROM submission WHERE sweep = $1 AND id = $2", self.name,
    id)
  put_submission(self, "UPDATE submission SET facts = $3 WHERE sweep = $1 AND id = $2", id,
    sweep_trials.merge(before[1] and from_json(before[1][1]), facts))
end

--- Lists the submissions, oldest first: {id=, created=, ...facts}.
function Book:submissions()
  local rows = ask(self, "SELECT id, facts FROM submission WHERE sweep = $1", self.name)
  local list = {}
  for i, row in ipairs(rows) do
    list[i] = sweep_trials.merge(from_json(row[2]), {id = row[1]})
  end
  return sweep_trials.by_time(list)
end

return M
