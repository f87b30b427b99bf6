--- Ledgers whose server goes away: what is repeated, what is kept, what is claimed once. The server
-- is a database of SQLite behind a store that loses connections when it is told to, before or after
-- it has done what was sent.
package.path = (arg[0]:match "^.*/" or "./") .. "../?.lua;" .. package.path
local lu = require "luaunit"
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local recorded_runs = require "recorded_runs"
local recorder = require "bnn.records.recorder"
local run_list = require "bnn.records.run_list"
local store_link = require "bnn.store.store_link"
local store_postgresql = require "bnn.store.store_postgresql"
local store_sqlite = require "bnn.store.store_sqlite"
local task_queue = require "bnn.records.task_queue"

local URL = "postgresql://nowhere/db"

-- What the server does: refuses connections; and pattern -> {when = "before" or "after", n = how
-- often} of statements that lose theirs, or raise what is given as `when`.
local server = {}

local function lost() return nil, "the server closed the connection", "lost" end

-- The fault that a statement is to have, if any.
local function fault_of(sql)
  for pattern, fault in pairs(server.faults or {}) do
    if sql:find(pattern, 1, true) and fault.n > 0 then
      fault.n = fault.n - 1
      return fault.when
    end
  end
end

local Database = {}
Database.__index = Database

function Database:run(sql, ...)
  if self.is_gone or server.is_away then return lost() end
  local when = fault_of(sql)
  if type(when) == "table" then error(when, 0) end
  if when == "before" then self.db:close() end -- what was begun is taken back
  local rows, names, kind
  if when ~= "before" then rows, names, kind = self.db:run(sql, ...) end
  if not when then return rows, names, kind end
  self.is_gone = true
  self.db:close()
  return lost()
end

function Database:close() self.db:close() end

local function open_server(_, may_write)
  server.connections = (server.connections or 0) + 1
  if server.is_away then return nil, "connection refused", "lost" end
  return setmetatable({db = assert(core.sql_open(server.path, may_write))}, Database)
end

-- A root whose ledger is at the server, while f(root) runs.
local function with_server(f)
  local before = {}
  for name, v in pairs(store_postgresql) do before[name] = v end
  for _, name in ipairs{"words", "BEGIN", "NEW", "SETTINGS", "MORE", "among"} do
    store_postgresql[name] = store_sqlite[name]
  end
  store_postgresql.LOCK_TABLES, store_postgresql.CHANNEL = nil, nil
  store_postgresql.open = open_server
  recorded_runs.in_folder(function(root)
    server = {path = root .. "/server.db"}
    recorded_runs.write(root .. "/ledger.txt", URL .. "\n")
    local ok, fault = pcall(f, root)
    for name, v in pairs(before) do store_postgresql[name] = v end
    if not ok then error(fault, 0) end
  end)
end

local function open(root)
  local book = assert(ledger.open(root, true))
  book:set_patience(5)
  return book
end

TestChanges = {}

-- A transaction whose end was not heard of is sent again, and told so.
function TestChanges.test_a_transaction_is_repeated_as_a_whole()
  for when, is_again_at_end in pairs{before = true, after = true} do
    with_server(function(root)
      local book <close> = open(root)
      server.faults = {COMMIT = {when = when, n = 1}}
      local calls = {}
      assert(book:change(function(write, is_again)
        calls[#calls + 1] = is_again
        write("INSERT INTO tag VALUES ('a', 'b') ON CONFLICT (run, tag) DO NOTHING")
      end))
      lu.assertEquals(calls, {false, is_again_at_end})
      lu.assertEquals((book:ask "SELECT count(*) FROM tag"), {{1}})
    end)
  end
end

function TestChanges.test_what_is_wrong_is_not_repeated()
  with_server(function(root)
    local book <close> = open(root)
    local calls = 0
    local ok, fault, kind = book:change(function(write)
      calls = calls + 1
      write "INSERT INTO nowhere VALUES (1)"
    end)
    lu.assertEquals({ok, calls, kind}, {nil, 1, nil})
    lu.assertStrContains(fault, URL .. ": no such table: nowhere")
  end)
end

function TestChanges.test_patience_ends()
  with_server(function(root)
    local book <close> = open(root)
    book:set_patience(0)
    server.is_away = true
    local ok, fault, kind = book:change(function() error "not without a connection" end)
    lu.assertEquals({ok, fault, kind}, {nil, URL .. ": the server closed the connection", "lost"})
    ok, fault, kind = book:change(function() error "not without a connection" end)
    lu.assertEquals({ok, fault, kind}, {nil, URL .. ": connection refused", "lost"})
    server.is_away = false
    lu.assertEquals((book:ask "SELECT 1"), {{1}})
    server.is_away = true
    local none, why, lack, late = ledger.open(root, true)
    lu.assertEquals({none, why, lack}, {nil, URL .. ": connection refused", "lost"})
    server.is_away = false
    lu.assertEquals((late:ask "SELECT 1"), {{1}})
    late:close()
  end)
end

function TestChanges.test_all_that_is_written_of_a_run_may_be_repeated()
  with_server(function(root)
    local book <close> = open(root)
    local about = {id = "a", attempt = 1, status = "completed", host = "h", pid = 1, started = "t"}
    for _ = 1, 2 do
      assert(book:change(function(write)
        ledger.enter(write, about, {lr = 1}, root)
        ledger.put_metrics(write, about, {loss = {value = 1.5, step = 1}})
        ledger.finish(write, about)
        ledger.annotate(write, "a", {tag = "x"})
        ledger.annotate(write, "a", {note = "n", written = "w"})
      end))
    end
    for _, name in ipairs{"run", "attempt", "param", "metric", "tag", "note", "worker"} do
      lu.assertEquals(book:ask("SELECT count(*) FROM " .. name)[1], {1}, name)
    end
  end)
end

function TestChanges.test_the_child_of_a_fork_has_a_connection_of_its_own()
  with_server(function(root)
    local book <close> = open(root)
    local before = server.connections
    book:before_fork()
    local job <close> = core.fork(function(send)
      local rows = book:ask "SELECT 7"
      send(("%d %d"):format(rows[1][1], server.connections - before))
    end)
    local text
    for _ = 1, 2 do
      for _, event in ipairs(core.wait_jobs({job}, 60)) do text = text or event.message end
    end
    lu.assertEquals(text, "7 1")
    lu.assertEquals((book:ask "SELECT 1"), {{1}})
    lu.assertEquals(server.connections, before)
  end)
end

TestTasks = {}

-- A claim whose answer is lost may have got a task; none is left behind.
function TestTasks.test_a_claim_whose_answer_is_lost_loses_no_task()
  for _, when in ipairs{"before", "after"} do
    with_server(function(root)
      local queue, me = assert(task_queue.new(open(root))), task_queue.worker()
      lu.assertEquals(queue:add("s", {1, 2, 3}, 1), 3)
      server.faults = {["worker = $2"] = {when = when, n = 1}}
      local got = {}
      for _ = 1, 3 do got[assert(queue:claim("s", me)).trial] = true end
      lu.assertEquals(got, {true, true, true})
      lu.assertEquals({queue:claim("s", me)}, {})
      lu.assertEquals(queue:counts("s").running, 3)
      queue.book:close()
    end)
  end
end

function TestTasks.test_an_end_whose_answer_is_lost_is_still_the_workers()
  for _, when in ipairs{"before", "after"} do
    with_server(function(root)
      local queue = assert(task_queue.new(open(root)))
      queue:add("s", {1, 2}, 1)
      local task, other = queue:claim("s", "w"), queue:claim("s", "w")
      queue:reopen("s", {"running"})
      queue:claim("s", "else")
      server.faults = {["failure = $7"] = {when = when, n = 2}}
      lu.assertFalse(queue:finish(task, "completed"))
      queue:claim("s", "else")
      server.faults = {}
      lu.assertFalse(queue:finish(other, "completed"))
      local third = {sweep = "s", trial = 1, replicate = 1, attempt = 2}
      server.faults = {["failure = $7"] = {when = when, n = 1}}
      lu.assertTrue(queue:finish(third, "completed", "run"))
      lu.assertFalse(queue:finish(third, "failed"))
      queue.book:close()
    end)
  end
end

TestRecords = {}

local function start(root)
  local script = root .. "/toy.lua"
  recorded_runs.write(script, "return 1\n")
  return assert(recorder.start{root = root, script = script, argv = {}, config = {lr = 1},
    result_flags = {}, place_flags = {},
    facts = {sources = {}, machine = {}, repository = {}}})
end

-- Ends a record without waiting for a minute.
local function finish(record)
  local patience = record.ledger.set_patience
  record.ledger.set_patience = function(self) patience(self, 0) end
  record:finish "completed"
end

function TestRecords.test_what_a_server_is_to_have_is_kept_until_it_answers()
  with_server(function(root)
    server.is_away = true
    local record = start(root)
    record:log():row(1, {{"loss", 2}})
    record:note "kept"
    server.is_away = false
    finish(record)
    lu.assertFalse(record:is_kept_back())
    local book <close> = open(root)
    lu.assertEquals((book:ask "SELECT status FROM run"), {{"completed"}})
    lu.assertEquals((book:ask "SELECT value FROM metric"), {{2.0}})
    lu.assertEquals((book:ask "SELECT text FROM note"), {{"kept"}})
    lu.assertEquals(#assert(run_list.read(root)), 1)
  end)
end

function TestRecords.test_a_run_that_the_ledger_never_got_is_entered_by_rebuild()
  with_server(function(root)
    server.is_away = true
    local record = start(root)
    finish(record)
    lu.assertTrue(record:is_kept_back())
    lu.assertNil(record.fault)
    server.is_away = false
    lu.assertEquals(run_list.rebuild(root), 1)
    local book <close> = open(root)
    lu.assertEquals((book:ask "SELECT status FROM run"), {{"completed"}})
  end)
end

-- An interrupt while the ledger gets the end of a run: the record is closed and says what it lacks.
function TestRecords.test_an_interrupt_at_the_end_passes_when_the_record_is_closed()
  with_server(function(root)
    local record, interrupt = start(root), {}
    server.faults = {["UPDATE run SET status"] = {n = 1, when = interrupt}}
    local ok, err = pcall(finish, record)
    lu.assertEquals({ok, err == interrupt}, {false, true})
    lu.assertTrue(record:is_kept_back())
    lu.assertNil(recorder.current())
    lu.assertEquals(run_list.rebuild(root), 1)
    lu.assertEquals(assert(run_list.read(root))[1].status, "completed")
  end)
end

TestLinks = {}

function TestLinks.test_words_in_braces_are_the_stores()
  local sql = "SELECT {now}, '{other}' FROM {open_tasks} {skip_locked}"
  lu.assertEquals(store_link.expand(store_sqlite, sql), "SELECT CAST(strftime('%s', 'now') AS "
    .. "BIGINT), '{other}' FROM task INDEXED BY task_open ")
  lu.assertStrContains(store_link.expand(store_postgresql, sql), "FOR UPDATE SKIP LOCKED")
  for name in pairs(store_sqlite.words) do lu.assertNotNil(store_postgresql.words[name]) end
  for name in pairs(store_sqlite) do lu.assertNotNil(store_postgresql[name], name) end
end

function TestLinks.test_jitter_is_between_a_half_and_three_halves()
  local least, most = math.huge, 0
  for _ = 1, 200 do
    local j = store_link.jitter()
    least, most = math.min(least, j), math.max(most, j)
  end
  -- 200 draws miss the lower or the upper third of the range with a chance of (2/3)^200
  lu.assertTrue(least >= 0.5 and least < 5 / 6 and most <= 1.5 and most > 7 / 6)
end

if not core.sql_version() then
  print "no SQLite in this program"
  os.exit(0)
end
os.exit(lu.LuaUnit.run())
