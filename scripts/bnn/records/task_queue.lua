--- The tasks of sweeps in the ledger: a task is a replicate (seed) of a trial. Workers claim the
-- lowest open one, say that they live, and finish it; nobody gets one that another has.
--
-- A claim is one statement, so it needs no lock of its own. Every later write names the attempt: a
-- worker that was thought dead changes nothing of its successor's. A task whose worker is gone is
-- open again when its lease is over, by the clock of the store, or at once if the worker was a
-- process of this host. A statement whose answer was lost is sent again: a claim then looks for the
-- task that it may have got, and an end for itself.
--
-- The words in braces are the store's (bnn.store.store_sqlite, store_postgresql). The index of
-- open tasks begins with the sweep: by one on the trial alone SQLite reads the whole table once it
-- has counted it (ANALYZE; 33 claims a second with half of 1,000,000 tasks done). The claim names
-- it, to be sure.
local core = require "bnn.core"
local fail = require "bnn.base.fail"

local M = {}

--- The statements that make the table.
M.SCHEMA = {
  [[CREATE TABLE IF NOT EXISTS task (sweep {text} NOT NULL, trial BIGINT NOT NULL,
    replicate BIGINT NOT NULL, state BIGINT NOT NULL, attempt BIGINT NOT NULL, worker {text},
    lease BIGINT, run {text}, failure {text}, PRIMARY KEY (sweep, trial, replicate))]],
  [[CREATE INDEX IF NOT EXISTS task_open ON task (sweep, trial, replicate) WHERE state = 0]],
}

--- The states of a task, by number + 1.
M.STATES = {"open", "running", "completed", "failed", "pruned", "interrupted"}

local number_of = {}
for i, name in ipairs(M.STATES) do number_of[name] = i - 1 end

local LEASE_SECONDS = 60

local ADDS_AT_ONCE = 100 -- rows of one statement: each is a round trip to a server

--- The claim, whose plan a test looks at.
M.CLAIM = [[UPDATE task SET state = 1, attempt = attempt + 1, worker = $2, failure = NULL,
  lease = {now} + $3 WHERE state = 0 AND (sweep, trial, replicate) = (SELECT sweep, trial, replicate
  FROM {open_tasks} WHERE sweep = $1 AND state = 0 ORDER BY sweep, trial, replicate LIMIT 1
  {skip_locked}) RETURNING trial, replicate, attempt, run]]

local OWN = "sweep = $1 AND trial = $2 AND replicate = $3 AND attempt = $4 AND state = 1"

local BEAT = ([[UPDATE task SET lease = {now} + $5, run = coalesce($6, run) WHERE %s
  RETURNING 1]]):format(OWN)

local FINISH = ([[UPDATE task SET state = $5, run = coalesce($6, run), failure = $7, lease = NULL
  WHERE %s RETURNING 1]]):format(OWN)

-- Whether a task has that end, of that attempt, so that it was written before.
local HAS_ENDED = [[SELECT 1 FROM task WHERE sweep = $1 AND trial = $2 AND replicate = $3
  AND attempt = $4 AND state = $5]]

-- What a worker is at, by the ledger.
local HELD = [[SELECT trial, replicate, attempt, run FROM task WHERE sweep = $1 AND worker = $2
  AND state = 1]]

-- Where a worker's task is open again, unless it has had all its attempts.
local LOSE = ([[UPDATE task SET state = CASE WHEN attempt < $2 THEN 0 ELSE 3 END, lease = NULL,
  failure = $3 WHERE sweep = $1 AND state = 1 AND %s RETURNING state]])
local LOSE_EXPIRED, LOSE_WORKER = LOSE:format "lease < {now}", LOSE:format "worker = $4"

local Queue = {__name = "bnn.task_queue"}
Queue.__index = Queue

-- ---- workers ----

-- The time at which a process began, in ticks since the machine did; nil: there is none, or it has
-- ended and its parent has not asked yet.
local function start_of(pid)
  local file <close> = io.open(("/proc/%s/stat"):format(pid))
  local text = file and file:read "a"
  if not text then return nil end
  local state, rest = text:match "^.*%) (%a)(.*)$" -- the name before may hold anything
  if not state or state == "Z" or state == "X" then return nil end
  local n = 3
  for word in rest:gmatch "%S+" do
    n = n + 1
    if n == 22 then return word end
  end
end

-- This machine since it was started, or this container: hosts may share a name.
local function place()
  local file <close> = io.open "/proc/sys/kernel/random/boot_id"
  local boot = file and file:read(8)
  local first = start_of(1)
  local host = core.host():gsub("[:%s]", "_")
  return boot and first and ("%s:%s.%s"):format(host, boot, first) or host .. ":"
end

-- The task of one of our job arrays that this process is, "bnn-ID_INDEX@"; empty if it is none.
-- The program is the only process of such a task, unless it was started by srun.
local function slurm_task()
  local name, index = os.getenv "SLURM_JOB_NAME" or "", os.getenv "SLURM_ARRAY_TASK_ID" or ""
  local is_one = name:find "^bnn%-%d+%-%d+%-%d+%-%x+$" and index:find "^%d+$"
  return is_one and not os.getenv "SLURM_STEP_ID" and ("%s_%s@"):format(name, index) or ""
end

--- The name of this process as a worker: host:machine:pid:start, after the task of Slurm that it
-- is.
function M.worker()
  local _, pid = core.host()
  return ("%s%s:%d:%s"):format(slurm_task(), place(), pid, start_of(pid) or "")
end

--- Whether a worker is known to be dead: a process of this machine that has ended, or an earlier
-- process of the task of Slurm that this one is, which starts a task again when that is gone.
-- @param worker string, as M.worker gives
function M.is_dead(worker)
  local task, rest = worker:match "^(bnn%-[^@]*@)(.*)$"
  local where, pid, start = (rest or worker):match "^(.*):(%d+):(%d+)$"
  if where == place() then return start_of(pid) ~= start end
  return where ~= nil and task ~= nil and task == slurm_task()
end

-- ---- tables made again ----

--- Takes all tasks out of the ledger but those that are being run.
-- @param write function(sql, ...), as a ledger's `change` gives
function M.clear(write) write "DELETE FROM task WHERE state <> 1" end

--- Enters a task as folders have it, unless it is there.
-- @param write function(sql, ...)
-- @param task {sweep=, trial=, replicate=, state=, attempt=, run=, failure=}; one that is running
--   gets a lease
function M.restore(write, task)
  local lease = task.state == "running" and ("{now} + %d"):format(LEASE_SECONDS) or "NULL"
  write(([[INSERT INTO task (sweep, trial, replicate, state, attempt, run, failure, lease)
    VALUES ($1, $2, $3, $4, $5, $6, $7, %s)
    ON CONFLICT (sweep, trial, replicate) DO NOTHING]]):format(lease), task.sweep, task.trial,
    task.replicate, number_of[task.state], task.attempt, task.run, task.failure)
end

--- Opens the task of a run that is deleted, unless its worker is at it.
-- @param write function(sql, ...)
-- @param run_id string
-- @return sweep, trial, replicate; nil if there is none
function M.lose_run(write, run_id)
  local rows = write([[UPDATE task SET state = 0, run = NULL, failure = NULL, lease = NULL
    WHERE run = $1 AND state <> 1 RETURNING sweep, trial, replicate]], run_id)
  if rows[1] then return table.unpack(rows[1], 1, 3) end
end

-- ---- queues ----

--- The queue in a ledger.
-- @param book a ledger that may be written, which must stay open
-- @return queue; or nil, message
function M.new(book)
  local ok, fault = book:ask "SELECT 1 FROM task LIMIT 1"
  if not ok then -- a ledger of an earlier version
    ok, fault = book:change(function(write)
      for _, statement in ipairs(M.SCHEMA) do write(statement) end
    end)
  end
  if not ok then return nil, fault end
  return setmetatable({book = book, db = book.db, held = {}}, Queue)
end

-- Runs one statement: its rows, names, and whether it may have been run twice; or nil, message.
local function run(self, sql, ...)
  local rows, fault, is_again = self.book:ask(sql, ...)
  if rows then return rows, fault, is_again end
  return nil, ("%s: %s"):format(self.book.path, fault)
end

-- The number of a state.
local function state_number(what, state)
  return number_of[state] or fail.expected(what, table.concat(M.STATES, ", "), state)
end

-- Whether a statement changed the task of an attempt; or nil, message.
local function changed(rows, fault)
  if not rows then return nil, fault end
  return rows[1] ~= nil
end

-- The statement that adds n tasks; $1 is the sweep, then come a trial and a replicate for each.
local function adding(n)
  local rows = {}
  for i = 1, n do rows[i] = ("($1, $%d, $%d, 0, 0)"):format(2 * i, 2 * i + 1) end
  return ("INSERT INTO task (sweep, trial, replicate, state, attempt) VALUES %s ON CONFLICT "
    .. "(sweep, trial, replicate) DO NOTHING RETURNING 1"):format(table.concat(rows, ", "))
end

--- Adds tasks, which are open; those that are there stay as they are.
-- @param trials integer, or list of integers
-- @param replicates integer: how many of each trial, numbered from 1
-- @return how many are new; or nil, message
function Queue:add(sweep, trials, replicates)
  local numbers, new = {}, nil
  for _, trial in ipairs(type(trials) == "table" and trials or {trials}) do
    for k = 1, replicates do table.move({trial, k}, 1, 2, #numbers + 1, numbers) end
  end
  local ok, fault = self.book:change(function(write)
    new = 0
    for first = 1, #numbers, 2 * ADDS_AT_ONCE do
      local last = math.min(#numbers, first + 2 * ADDS_AT_ONCE - 1)
      local sql = adding((last - first + 1) // 2)
      new = new + #write(sql, sweep, table.unpack(numbers, first, last))
    end
  end)
  if ok then return new end
  return nil, fault
end

-- A task of this process: what it has had is remembered.
local function key_of(sweep, row) return ("%s %d %d %d"):format(sweep, row[1], row[2], row[3]) end

-- The task that a claim got whose answer was lost: one that this worker has and does not know of.
local function find_unknown(self, sweep, worker)
  local rows, fault = run(self, HELD, sweep, worker)
  if not rows then return nil, fault end
  for _, row in ipairs(rows) do
    if not self.held[key_of(sweep, row)] then return row end
  end
end

-- The row of a claim: if it was sent twice, each may have got one.
local function claim_row(self, sweep, worker, lease_seconds)
  if self.is_unsure then
    local row, fault = find_unknown(self, sweep, worker)
    if row or fault then return row, fault end
    self.is_unsure = false
  end
  local rows, fault, is_again = run(self, M.CLAIM, sweep, worker, lease_seconds)
  self.is_unsure = is_again or not rows
  return rows and rows[1], not rows and fault or nil
end

--- Claims the lowest open task.
-- @param worker string, as M.worker gives
-- @param lease_seconds integer: how long it may go without a beat (60)
-- @return {sweep=, trial=, replicate=, attempt=, run=}, where run is that of an earlier attempt, if
--   it had begun; nil if none is open; or nil, message
function Queue:claim(sweep, worker, lease_seconds)
  local row, fault = claim_row(self, sweep, worker, lease_seconds or LEASE_SECONDS)
  if not row then return nil, fault end
  self.held[key_of(sweep, row)] = true
  return {
    sweep = sweep, trial = row[1], replicate = row[2], attempt = row[3], run = row[4],
    lease_seconds = lease_seconds,
  }
end

--- Has the store tell of tasks of a sweep that are added, opened or ended.
-- @return boolean: whether it does
function Queue:listen(sweep) return self.db:listen(sweep) end

--- Whether it has told of any since the last call; without asking.
function Queue:notified() return self.db:notified() end

--- Says that a task's worker lives, and which run it makes.
-- @param task as claim gave it
-- @param run_id string or nil
-- @return true; false if the task is no longer the worker's; or nil, message
function Queue:beat(task, run_id)
  return changed(run(self, BEAT, task.sweep, task.trial, task.replicate, task.attempt,
    task.lease_seconds or LEASE_SECONDS, run_id))
end

--- Ends a task, within a transaction.
-- @param write function(sql, ...), as a ledger's `change` gives, or like its `ask`
-- @param is_again boolean: whether it may have been done before; nil: as the statement says
-- @param state, run_id, failure as Queue.finish takes them
-- @return boolean: whether the task was the worker's
function M.finish(write, is_again, task, state, run_id, failure)
  local n = state_number("task_queue.finish: state", state)
  local key = {task.sweep, task.trial, task.replicate, task.attempt, n}
  local rows, _, was_again = write(FINISH, key[1], key[2], key[3], key[4], n, run_id, failure)
  if rows[1] then return true end
  if is_again == nil then is_again = was_again end
  return is_again == true and write(HAS_ENDED, table.unpack(key))[1] ~= nil
end

--- Ends a task.
-- @param task as claim gave it
-- @param state string: "completed", "failed", "pruned" or "interrupted"; "open" gives it back
-- @param run_id string or nil
-- @param failure string or nil
-- @return true; false if the task is no longer the worker's; or nil, message
function Queue:finish(task, state, run_id, failure)
  local fault
  local function write(sql, ...)
    local rows, why, is_again = run(self, sql, ...)
    fault = fault or not rows and why
    return rows or {}, why, is_again
  end
  local is_own = M.finish(write, nil, task, state, run_id, failure)
  if fault then return nil, fault end
  return is_own
end

--- Opens tasks again.
-- @param states list of the states that they are in, such as {"failed", "interrupted"}
-- @param attempts integer: not those that have had so many (no limit)
-- @return how many; or nil, message
function Queue:reopen(sweep, states, attempts)
  local numbers = {}
  for i, state in ipairs(states) do
    numbers[i] = ("%d"):format(state_number("task_queue.reopen: states", state))
  end
  local sql = ("UPDATE task SET state = 0, lease = NULL WHERE sweep = $1 AND attempt < $2 AND "
    .. "state IN (%s) RETURNING 1"):format(table.concat(numbers, ", "))
  local rows, fault = run(self, sql, sweep, attempts or math.maxinteger)
  if not rows then return nil, fault end
  return #rows
end

-- Adds to the counts of what was lost.
local function count_lost(self, lost, sql, ...)
  local rows, fault = run(self, sql, ...)
  if not rows then error(fault, 0) end
  for _, row in ipairs(rows) do
    local name = row[1] == 0 and "open" or "failed"
    lost[name] = lost[name] + 1
  end
end

local function reclaim(self, sweep, attempts)
  local lost = {open = 0, failed = 0}
  count_lost(self, lost, LOSE_EXPIRED, sweep, attempts, "its worker did not answer")
  local workers, fault = run(self,
    "SELECT DISTINCT worker FROM task WHERE sweep = $1 AND state = 1", sweep)
  if not workers then error(fault, 0) end
  for _, row in ipairs(workers) do
    if row[1] and M.is_dead(row[1]) then
      count_lost(self, lost, LOSE_WORKER, sweep, attempts, "its worker died", row[1])
    end
  end
  return lost
end

--- Takes tasks back whose workers are gone.
-- @param attempts integer: those that have had so many have failed, the others are open (no limit)
-- @return {open=, failed=}: how many; or nil, message
function Queue:reclaim(sweep, attempts)
  local ok, lost = fail.try(reclaim, self, sweep, attempts or math.maxinteger)
  if ok then return lost end
  return nil, lost
end

--- Counts the tasks by state.
-- @return {open=, running=, completed=, ...}, 0 where there are none; or nil, message
function Queue:counts(sweep)
  local rows, fault = run(self, "SELECT state, count(*) FROM task WHERE sweep = $1 GROUP BY state",
    sweep)
  if not rows then return nil, fault end
  local counts = {}
  for _, name in ipairs(M.STATES) do counts[name] = 0 end
  for _, row in ipairs(rows) do counts[M.STATES[row[1] + 1]] = row[2] end
  return counts
end

--- Lists the tasks in their order.
-- @param from integer: the first trial (1)
-- @return list of {trial=, replicate=, state=, attempt=, worker=, run=, failure=}; or nil, message
function Queue:tasks(sweep, from)
  local rows, fault = run(self, "SELECT trial, replicate, state, attempt, worker, run, failure "
    .. "FROM task WHERE sweep = $1 AND trial >= $2 ORDER BY trial, replicate", sweep, from or 1)
  if not rows then return nil, fault end
  for i, row in ipairs(rows) do
    rows[i] = {
      trial = row[1], replicate = row[2], state = M.STATES[row[3] + 1], attempt = row[4],
      worker = row[5], run = row[6], failure = row[7],
    }
  end
  return rows
end

return M
