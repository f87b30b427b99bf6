--- The tasks of sweeps: claims by many processes, workers that die, attempts and leases.
local lu = require "luaunit"
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local task_queue = require "bnn.records.task_queue"

-- How many tasks and processes; tests/long has more.
local size = rawget(_G, "CLAIMS") or {tasks = 1000, workers = 8, kills = 3}

local folders = {}

-- A new ledger and its queue.
local function new_queue()
  local root = os.tmpname()
  os.remove(root)
  assert(core.make_folder(root))
  folders[#folders + 1] = root
  local book = assert(ledger.open(root, true))
  return assert(task_queue.new(book)), root
end

-- The queue of another process.
local function open_queue(root) return assert(task_queue.new(assert(ledger.open(root, true)))) end

local function range(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

-- A text of a task: "3/1 attempt 2".
local function text_of(task)
  return task and ("%d/%d attempt %d"):format(task.trial, task.replicate, task.attempt)
end

-- A worker that has ended.
local function dead_worker()
  local job <close> = core.fork(function(send) send(task_queue.worker()) end)
  local name
  for _ = 1, 2 do
    for _, event in ipairs(core.wait_jobs({job}, 60)) do name = name or event.message end
  end
  return name
end

-- What counts has where it is not 0.
local function counts_of(queue)
  local counts = {}
  for name, n in pairs(queue:counts "s") do if n > 0 then counts[name] = n end end
  return counts
end

local me = task_queue.worker()

TestQueue = {}

function TestQueue.test_tasks_are_claimed_in_their_order_and_once()
  local queue = new_queue()
  lu.assertEquals(queue:add("s", {2, 1}, 2), 4)
  lu.assertEquals(queue:add("s", 2, 3), 1)
  lu.assertEquals(queue:add("other", 1, 1), 1)
  local got = {}
  for i = 1, 6 do got[i] = text_of(queue:claim("s", me)) end
  lu.assertEquals(got,
    {"1/1 attempt 1", "1/2 attempt 1", "2/1 attempt 1", "2/2 attempt 1", "2/3 attempt 1"})
  lu.assertEquals({queue:claim("s", me)}, {})
  lu.assertEquals(counts_of(queue), {running = 5})
end

function TestQueue.test_a_task_ends_once_and_for_its_own_attempt()
  local queue = new_queue()
  queue:add("s", 1, 1)
  local first = queue:claim("s", me)
  lu.assertTrue(queue:beat(first, "run-1"))
  lu.assertEquals(queue:reopen("s", {"running"}), 1)
  lu.assertFalse(queue:beat(first))
  lu.assertFalse(queue:finish(first, "completed", "run-1"))
  local second = queue:claim("s", me)
  lu.assertEquals({text_of(second), second.run}, {"1/1 attempt 2", "run-1"})
  lu.assertFalse(queue:finish(first, "failed"))
  lu.assertTrue(queue:finish(second, "failed", nil, "NaN"))
  lu.assertFalse(queue:finish(second, "completed"))
  local row = queue:tasks "s"[1]
  lu.assertEquals({row.state, row.attempt, row.run, row.failure, row.worker},
    {"failed", 2, "run-1", "NaN", me})
end

function TestQueue.test_tasks_are_opened_again_up_to_a_number_of_attempts()
  local queue = new_queue()
  queue:add("s", range(4), 1)
  for _, state in ipairs{"completed", "failed", "interrupted", "pruned"} do
    queue:finish(queue:claim("s", me), state)
  end
  lu.assertEquals(queue:reopen("s", {"failed", "interrupted"}, 1), 0)
  lu.assertEquals(queue:reopen("s", {"failed", "interrupted"}, 2), 2)
  lu.assertEquals(text_of(queue:claim("s", me)), "2/1 attempt 2")
  lu.assertTrue(queue:finish(queue:claim("s", me), "open"))
  lu.assertEquals(counts_of(queue), {completed = 1, pruned = 1, running = 1, open = 1})
end

function TestQueue.test_misuse_raises_and_faults_of_the_store_come_back()
  local queue = new_queue()
  queue:add("s", 1, 1)
  local task = queue:claim("s", me)
  lu.assertErrorMsgContains("state: expected open, running, completed", queue.finish, queue, task,
    "done")
  lu.assertErrorMsgContains("states: expected", queue.reopen, queue, "s", {"lost"})
  queue.db:run "DROP TABLE task"
  local _, fault = queue:claim("s", me)
  lu.assertStrContains(fault, "runs.db: no such table: task")
  for _, name in ipairs{"counts", "tasks", "reclaim"} do
    local result, why = queue[name](queue, "s")
    lu.assertNil(result)
    lu.assertStrContains(why, "no such table: task")
  end
  lu.assertNotNil(task_queue.new(queue.book), "an earlier ledger gets its table")
  lu.assertEquals(counts_of(queue), {})
end

TestWorkers = {}

function TestWorkers.test_only_processes_of_this_machine_are_known_to_be_dead()
  local dead = dead_worker()
  lu.assertTrue(task_queue.is_dead(dead))
  lu.assertFalse(task_queue.is_dead(me))
  lu.assertFalse(task_queue.is_dead("elsewhere" .. dead))
  lu.assertFalse(task_queue.is_dead "host:1")
  local where, pid, start = me:match "^(.*):(%d+):(%d+)$"
  local before = ("%s:%s:%d"):format(where, pid, start + 1) -- the number was used again
  lu.assertTrue(task_queue.is_dead(before))
  local job <close> = core.fork(function(send) send(task_queue.worker()) end)
  local name = core.wait_jobs({job}, 60)[1].message
  local limit = core.ticks() + 60
  repeat until task_queue.is_dead(name) or core.ticks() > limit -- nobody has waited for it
  lu.assertTrue(task_queue.is_dead(name))
end

-- What a process of a task of Slurm says of a worker: its own name, and whether that one is dead.
local function ask_task(index, worker)
  local done = assert(core.run_program{
    "env", "SLURM_JOB_NAME=bnn-20261130-153157-066-97a1", "SLURM_ARRAY_TASK_ID=" .. index,
    core.real_path "/proc/self/exe", "-e",
    ("local q = require 'bnn.records.task_queue' print(q.worker(), q.is_dead(%q))"):format(worker),
  })
  return done.output:match "^(%S+)%s+(%S+)"
end

function TestWorkers.test_slurm_starts_a_task_again_when_its_process_is_gone()
  local name, is_dead = ask_task("3", me)
  lu.assertEquals(is_dead, "false")
  lu.assertEquals(name:match "^.-@", "bnn-20261130-153157-066-97a1_3@")
  lu.assertTrue(task_queue.is_dead(name), "its process has ended here")
  local elsewhere = name:gsub("@", "@elsewhere")
  lu.assertFalse(task_queue.is_dead(elsewhere))
  lu.assertEquals(select(2, ask_task("3", elsewhere)), "true")
  lu.assertEquals(select(2, ask_task("4", elsewhere)), "false", "another task")
  lu.assertEquals(select(2, ask_task("x", elsewhere)), "false", "no task")
end

function TestWorkers.test_tasks_of_the_dead_are_taken_back_at_once_and_no_others()
  local queue = new_queue()
  queue:add("s", range(3), 1)
  queue:claim("s", me)
  queue:claim("s", dead_worker())
  queue:claim("s", "elsewhere:1:2")
  lu.assertEquals(queue:reclaim("s", 2), {open = 1, failed = 0})
  lu.assertEquals(text_of(queue:claim("s", dead_worker())), "2/1 attempt 2")
  lu.assertEquals(queue:reclaim("s", 2), {open = 0, failed = 1})
  lu.assertEquals(queue:tasks "s"[2].failure, "its worker died")
  lu.assertEquals(counts_of(queue), {running = 2, failed = 1})
end

function TestWorkers.test_a_lease_that_is_over_is_taken_back()
  local queue = new_queue()
  queue:add("s", range(2), 1)
  local late, alive = queue:claim("s", "elsewhere:1:2", -1), queue:claim("s", "elsewhere:1:3", -1)
  alive.lease_seconds = 60
  lu.assertTrue(queue:beat(alive))
  lu.assertEquals(queue:reclaim "s", {open = 1, failed = 0})
  lu.assertEquals({queue:beat(late), queue:beat(alive)}, {false, true})
end

-- The plan of the claim, as text.
local function plan_of(queue)
  local lines = {}
  local rows = assert(queue.db:run("EXPLAIN QUERY PLAN " .. task_queue.CLAIM, "s", me, 1))
  for i, row in ipairs(rows) do lines[i] = row[4] end
  return table.concat(lines, "\n")
end

function TestWorkers.test_the_claim_reads_the_index_of_open_tasks_whatever_is_known_of_the_table()
  local queue = new_queue()
  queue:add("s", range(300), 1)
  for _ = 1, 2 do
    lu.assertStrContains(plan_of(queue), "USING INDEX task_open (sweep=?)")
    lu.assertNil(plan_of(queue):find "SCAN task")
    lu.assertNil(plan_of(queue):find "TEMP B%-TREE")
    queue.db:run "ANALYZE"
    for _ = 1, 150 do queue:finish(queue:claim("s", me), "completed") end
  end
end

-- A worker that says what it claims, and ends what it has claimed, until there is nothing.
local function work(root, send)
  local queue, worker = open_queue(root), task_queue.worker()
  for task, fault in function() return queue:claim("s", worker) end do
    assert(not fault, fault)
    send(("claimed %d %d %d"):format(task.trial, task.replicate, task.attempt))
    if assert(queue:finish(task, "completed")) then send "finished" end
  end
end

-- Notes a claim by attempt; those of one attempt are one.
local function note_claim(claims, message)
  local task, attempt = message:match "^claimed (%d+ %d+) (%d+)$"
  local own = claims[task] or {}
  claims[task] = own
  lu.assertNil(own[attempt], "claimed twice: " .. message)
  own[attempt] = true
end

-- Runs workers to their end, some of which are killed; takes back what those had.
local function run_workers(queue, root, claims, kills)
  local jobs, ends, heard = {}, 0, 0
  for i = 1, size.workers do jobs[i] = assert(core.fork(function(send) work(root, send) end)) end
  while ends < #jobs do
    for _, event in ipairs(core.wait_jobs(jobs, 60)) do
      heard = heard + 1
      if event.message and event.message ~= "finished" then
        note_claim(claims, event.message)
      elseif not event.message then
        ends = ends + 1
        lu.assertTrue(event.status == 0 or event.signal == 9, event.error)
      end
      if kills > 0 and heard % (size.tasks // 4) == 0 then
        kills = kills - 1
        jobs[kills + 1]:kill(9)
      end
    end
  end
  return assert(queue:reclaim "s")
end

function TestWorkers.test_many_processes_claim_each_task_once_and_only_those_of_the_killed_again()
  local queue, root = new_queue()
  local trials = range(size.tasks // 2)
  lu.assertEquals(queue:add("s", trials, 2), #trials * 2)
  local claims, lost = {}, 0
  local taken = run_workers(queue, root, claims, size.kills)
  while counts_of(queue).open do
    lost = lost + taken.open
    taken = run_workers(queue, root, claims, 0)
  end
  lu.assertTrue(lost <= size.kills, lost)
  lu.assertEquals(counts_of(queue), {completed = #trials * 2})
  local n, again = 0, 0
  for _, own in pairs(claims) do
    n = n + 1
    for _ in pairs(own) do again = again + 1 end
  end
  lu.assertTrue(n <= #trials * 2 and n >= #trials * 2 - size.kills) -- a kill before it was said
  lu.assertTrue(again - n <= lost, "claimed again: " .. again - n)
  lu.assertEquals(queue.db:run "PRAGMA integrity_check"[1][1], "ok")
end

if not core.sql_version() then
  print "no SQLite in this program"
  os.exit(0)
end
local failures = lu.LuaUnit.run()
for _, root in ipairs(folders) do
  for _, ending in ipairs{"", "-wal", "-shm"} do os.remove(ledger.path(root) .. ending) end
  os.remove(root)
end
os.exit(failures, true)
