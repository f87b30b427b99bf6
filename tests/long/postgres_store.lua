--- Databases of a PostgreSQL server, whose URLs are in the environment; postgres_store_test.sh
-- starts it and runs this.
local lu = require "luaunit"
local core = require "bnn.core"

local URL = assert(os.getenv "POSTGRES_URL")
local SOCKET_URL = assert(os.getenv "POSTGRES_SOCKET_URL")
local TLS_URL = os.getenv "POSTGRES_TLS_URL" -- where there is openssl
local MS = 20000

local function open(url, may_write, ms)
  return assert(core.sql_open(url or URL, may_write ~= false, ms or MS))
end

-- Rows of a statement that must not fail.
local function ask(db, sql, ...) return (assert(db:run(sql, ...))) end

-- The message and the kind of a statement that must.
local function refused(db, sql, ...)
  local rows, message, kind = db:run(sql, ...)
  lu.assertNil(rows, sql)
  lu.assertIsString(message)
  return message, kind
end

local function sleep(seconds) core.wait_jobs({}, seconds) end

-- Waits until f() is true.
local function eventually(f)
  for _ = 1, 200 do
    if f() then return true end
    sleep(0.05)
  end
  return false
end

TestValues = {}

function TestValues.test_values_come_back_as_they_were_given()
  local db <close> = open()
  lu.assertEquals(db:kind(), "postgresql")
  ask(db, [[CREATE TEMPORARY TABLE v (i BIGINT, r DOUBLE PRECISION, t TEXT COLLATE "C")]])
  for _, row in ipairs{
    {math.maxinteger, 0.1, "it's \"quoted\" \\ $1 ; --"}, {math.mininteger, 5e-324, ""},
    {0, -0.0, "gr\u{fc}n \u{1f600}\n\t\r\x01"}, {-1, 1.7976931348623157e308, ("x"):rep(1 << 20)},
    {1, math.huge, "NULL"}, {2, -math.huge, "NaN"}, {nil, nil, nil}, {3, 7, 12}, {4, nil, 0.5},
  } do
    local got = ask(db, "INSERT INTO v VALUES ($1, $2, $3) RETURNING i, r, t", row[1], row[2],
      row[3])[1]
    lu.assertEquals(got[1], row[1])
    lu.assertEquals(got[2], row[2] and row[2] + 0.0)
    lu.assertEquals(got[3], row[3] and tostring(row[3]))
    if row[1] then lu.assertEquals(math.type(got[1]), "integer") end
    if row[2] then lu.assertEquals(math.type(got[2]), "float") end
  end
  local nan = ask(db, "SELECT $1::float8", 0 / 0)[1][1]
  lu.assertTrue(nan ~= nan)
end

function TestValues.test_types_of_the_server_become_three()
  local db <close> = open()
  local rows, names = db:run[[SELECT 1::int2 AS a, 2::int4 AS b, 3::int8 AS c, 0.5::float4 AS d,
    0.25::float8 AS e, 1.5::numeric AS f, true AS g, false AS h, 'x'::varchar AS i, NULL AS j,
    count(*) AS k, '{"a": 1}'::jsonb AS l, 'name'::name AS m, 7::oid AS n FROM pg_am]]
  lu.assertEquals({table.unpack(rows[1], 1, 10)}, {1, 2, 3, 0.5, 0.25, 1.5, 1, 0, "x", nil})
  lu.assertEquals({table.unpack(rows[1], 12, 14)}, {'{"a": 1}', "name", 7})
  lu.assertEquals(math.type(rows[1][11]), "integer")
  lu.assertEquals(table.concat(names), "abcdefghijklmn")
end

function TestValues.test_values_are_by_number_and_each_has_a_type()
  local db <close> = open()
  lu.assertEquals(ask(db, "SELECT $2::bigint, $1::bigint, $2::bigint, '$3'", 1, 2, 3)[1],
    {2, 1, 2, "$3"})
  lu.assertStrContains(refused(db, "SELECT $2::bigint", 1, 2), "type of parameter $1")
  lu.assertEquals(ask(db, "SELECT $1::bigint, $2::text", 1)[1], {1})
end

function TestValues.test_many_rows_and_many_values()
  local db <close> = open()
  local rows = ask(db, "SELECT i, i::text FROM generate_series(1, 200000) AS i")
  lu.assertEquals({#rows, rows[200000][1], rows[200000][2]}, {200000, 200000, "200000"})
  local marks, values = {}, {}
  for i = 1, 200 do marks[i], values[i] = ("$%d::bigint"):format(i), i end
  lu.assertEquals(ask(db, "SELECT " .. table.concat(marks, ", "), table.unpack(values))[1], values)
end

TestFaults = {}

function TestFaults.test_wrong_sql_has_no_kind_and_leaves_the_connection()
  local db <close> = open()
  ask(db, "CREATE TEMPORARY TABLE t (i BIGINT PRIMARY KEY)")
  ask(db, "INSERT INTO t VALUES (1)")
  for sql, word in pairs{
    ["SELEC"] = "syntax error", ["SELECT * FROM nowhere"] = "does not exist",
    ["SELECT 1; SELECT 2"] = "expected one statement of SQL, got several",
    [" -- nothing"] = "expected one statement of SQL, got none",
    ["INSERT INTO t VALUES (1)"] = "duplicate key", ["SELECT 1/0"] = "division by zero",
    ["SELECT $1::bigint"] = "invalid input syntax", ["SELECT $70000"] = "expected up to $65535",
  } do
    local message, kind = refused(db, sql, "x")
    lu.assertStrContains(message, word)
    lu.assertNil(kind, sql)
  end
  lu.assertStrContains(refused(db, "SELECT $1::text", "a\0b"), "zero byte")
  lu.assertStrContains(refused(db, "SELECT '\0'"), "zero byte")
  lu.assertStrContains(refused(db, "SELECT $1::text", "\xff"), "invalid byte sequence")
  lu.assertEquals(ask(db, "SELECT i FROM t"), {{1}})
end

function TestFaults.test_a_failed_transaction_is_taken_back()
  local db <close> = open()
  ask(db, "CREATE TEMPORARY TABLE t (i BIGINT)")
  ask(db, "BEGIN")
  ask(db, "INSERT INTO t VALUES (1)")
  refused(db, "SELECT 1/0")
  lu.assertStrContains(refused(db, "INSERT INTO t VALUES (2)"), "transaction is aborted")
  ask(db, "ROLLBACK")
  lu.assertEquals(ask(db, "SELECT i FROM t"), {})
end

function TestFaults.test_copy_is_refused()
  local db <close> = open()
  lu.assertStrContains(refused(db, "COPY pg_am TO STDOUT"), "COPY")
  local other <close> = open()
  lu.assertStrContains(refused(other, "COPY pg_am FROM STDIN"), "COPY")
end

function TestFaults.test_a_lock_and_a_deadlock_are_busy()
  local one <close> = open()
  local other <close> = open()
  ask(one, "CREATE TABLE IF NOT EXISTS pair (i BIGINT PRIMARY KEY)")
  ask(one, "INSERT INTO pair VALUES (1), (2)")
  ask(one, "BEGIN")
  ask(one, "SELECT * FROM pair WHERE i = 1 FOR UPDATE")
  local _, kind = refused(other, "SELECT * FROM pair WHERE i = 1 FOR UPDATE NOWAIT")
  lu.assertEquals(kind, "busy")
  local job <close> = assert(core.fork(function(send)
    local db = open()
    ask(db, "SET deadlock_timeout = '100ms'")
    ask(db, "BEGIN")
    ask(db, "SELECT * FROM pair WHERE i = 2 FOR UPDATE")
    send "locked"
    local _, _, how = db:run "SELECT * FROM pair WHERE i = 1 FOR UPDATE"
    send(how or "done")
  end))
  lu.assertEquals(core.wait_jobs{job}[1].message, "locked")
  ask(one, "SET deadlock_timeout = '10s'")
  ask(one, "SELECT * FROM pair WHERE i = 2 FOR UPDATE") -- when the child has been refused
  lu.assertEquals(core.wait_jobs{job}[1].message, "busy")
  ask(one, "ROLLBACK")
  ask(one, "DROP TABLE pair")
end

TestLost = {}

function TestLost.test_a_killed_server_process_is_lost_and_a_new_connection_works()
  local db <close> = open()
  ask(db, "BEGIN")
  local pid = ask(db, "SELECT pg_backend_pid()")[1][1]
  lu.assertTrue(os.execute("kill -9 " .. pid))
  local _, kind = refused(db, "SELECT pg_sleep(20)")
  lu.assertEquals(kind, "lost")
  for _, method in ipairs{"run", "listen"} do
    local _, message, again = db[method](db, "SELECT 1")
    lu.assertStrContains(message, "lost")
    lu.assertEquals(again, "lost")
  end
  local _, _, third = db:notified()
  lu.assertEquals(third, "lost")
  -- The server ends all its processes and starts anew, and says so to who comes meanwhile.
  lu.assertTrue(eventually(function()
    local new, _, how = core.sql_open(URL, true, MS)
    if new then new:close() else lu.assertEquals(how, "lost") end
    return new
  end))
end

function TestLost.test_an_ended_session_is_lost()
  local db <close> = open()
  local other <close> = open()
  local pid = ask(db, "SELECT pg_backend_pid()")[1][1]
  ask(other, "SELECT pg_terminate_backend($1)", pid)
  local message, kind = refused(db, "SELECT pg_sleep(20)")
  lu.assertStrContains(message, "administrator")
  lu.assertEquals(kind, "lost")
end

function TestLost.test_a_server_that_does_not_answer_in_time_is_lost()
  local db <close> = open(URL, true, 1000)
  local before = core.ticks()
  local message, kind = refused(db, "SELECT pg_sleep(20)")
  lu.assertStrContains(message, "has not answered for 1 s")
  lu.assertEquals(kind, "lost")
  lu.assertTrue(core.ticks() - before < 15)
end

function TestLost.test_what_was_open_is_taken_back()
  local db <close> = open(URL, true, 1000)
  local other <close> = open()
  ask(other, "CREATE TABLE IF NOT EXISTS half (i BIGINT)")
  ask(db, "BEGIN")
  ask(db, "INSERT INTO half VALUES (1)")
  refused(db, "SELECT pg_sleep(600)")
  lu.assertEquals(ask(other, "SELECT count(*) FROM half"), {{0}})
  ask(other, "DROP TABLE half") -- which waits until the server has noticed that nobody waits
end

TestAccess = {}

function TestAccess.test_read_only_changes_nothing()
  local db <close> = open(URL, false)
  for _, sql in ipairs{"CREATE TABLE t (i INT)", "UPDATE pg_am SET amname = 'x'"} do
    local message, kind = refused(db, sql)
    lu.assertStrContains(message, "read-only transaction")
    lu.assertNil(kind)
  end
  ask(db, "BEGIN")
  lu.assertStrContains(refused(db, "CREATE TABLE t (i INT)"), "read-only transaction")
  ask(db, "ROLLBACK")
  ask(db, "START TRANSACTION ISOLATION LEVEL REPEATABLE READ")
  lu.assertEquals(ask(db, "SHOW transaction_read_only"), {{"on"}})
  ask(db, "COMMIT")
  lu.assertEquals(ask(db, "SELECT 1"), {{1}})
  local other <close> = open()
  lu.assertEquals(ask(other, "SHOW transaction_read_only"), {{"off"}})
end

function TestAccess.test_a_socket_serves_as_well_and_the_server_knows_who_we_are()
  local db <close> = open(SOCKET_URL)
  lu.assertEquals(ask(db, "SHOW application_name"), {{"bnnlua"}})
  lu.assertEquals(ask(db, "SHOW client_encoding"), {{"UTF8"}})
end

function TestAccess.test_who_is_refused_is_not_lost()
  for url, word in pairs{
    [URL:gsub("/postgres$", "/nowhere")] = 'database "nowhere" does not exist',
    [URL:gsub("bnn@", "nobody@")] = 'role "nobody" does not exist',
  } do
    local db, message, kind = core.sql_open(url, true, MS)
    lu.assertNil(db)
    lu.assertStrContains(message, word)
    lu.assertNotStrContains(message, "\\")
    lu.assertNil(kind)
  end
end

-- A user whose password only ~/.pgpass, or the file instead of it, has.
function TestAccess.test_a_password_comes_from_its_file_and_is_never_shown()
  local url = URL:gsub("bnn@", "guarded@")
  local db, message, kind = core.sql_open(url, true, MS)
  lu.assertNil(db)
  lu.assertStrContains(message, "no password supplied")
  lu.assertNil(kind)
  db, message, kind = core.sql_open(url .. "?passfile=" .. os.getenv "WRONG_PASSFILE", true, MS)
  lu.assertNil(db)
  lu.assertStrContains(message, "authentication failed")
  lu.assertNotStrContains(message, "wr0ng")
  lu.assertNil(kind)
  db = open(url .. "?passfile=" .. os.getenv "RIGHT_PASSFILE")
  lu.assertEquals(ask(db, "SELECT current_user::text"), {{"guarded"}})
  db:close()
end

TestNotifications = {}

function TestNotifications.test_a_notification_wakes_who_listens()
  local db <close> = open()
  local other <close> = open()
  local channel = 'tasks of "x"; \u{fc}'
  lu.assertTrue(db:listen(channel))
  lu.assertTrue(db:listen(channel))
  lu.assertFalse(db:notified())
  ask(other, "SELECT pg_notify($1, 'new')", channel)
  lu.assertTrue(eventually(function() return db:notified() end))
  lu.assertFalse(db:notified())
  ask(other, "SELECT pg_notify('another', '')")
  ask(other, "SELECT pg_notify($1, '')", channel)
  ask(db, "SELECT 1") -- it may come with an answer
  lu.assertTrue(eventually(function() return db:notified() end))
  lu.assertFalse(db:notified())
end

function TestNotifications.test_an_end_of_the_session_is_noticed()
  local db <close> = open()
  local other <close> = open()
  assert(db:listen "tasks")
  ask(other, "SELECT pg_terminate_backend($1)", ask(db, "SELECT pg_backend_pid()")[1][1])
  lu.assertTrue(eventually(function() return db:notified() == nil end))
  local _, _, kind = db:notified()
  lu.assertEquals(kind, "lost")
end

TestForks = {}

-- A child closes its parent's connection, opens its own, and ends; the parent's is as it was.
local function fork_beside(url)
  local db <close> = open(url)
  ask(db, "CREATE TEMPORARY TABLE IF NOT EXISTS kept (i BIGINT)")
  ask(db, "INSERT INTO kept VALUES (1)")
  for _ = 1, 3 do
    local job <close> = assert(core.fork(function(send)
      local message = refused(db, "SELECT 1")
      local listens, notified = db:listen "x", db:notified()
      db:close()
      local own <close> = open(url)
      local usable = not listens and notified == nil and ask(own, "SELECT 2")[1][1]
      send(("%s %s"):format(usable, message))
    end))
    lu.assertEquals(core.wait_jobs{job}[1].message,
      "2 the database was opened by another process, before a fork")
    lu.assertEquals(ask(db, "SELECT i FROM kept"), {{1}})
  end
end

function TestForks.test_a_child_leaves_its_parents_session_alone() fork_beside(URL) end

function TestForks.test_and_so_it_does_with_tls()
  lu.skipIf(not TLS_URL, "no openssl for a certificate")
  local db <close> = open(TLS_URL)
  lu.assertEquals(
    ask(db, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), {{1}})
  fork_beside(TLS_URL)
end

-- Locks of a parent that is killed are free although a child lives that has closed its handle.
function TestForks.test_a_child_does_not_keep_its_dead_parents_locks()
  local db <close> = open()
  ask(db, "CREATE TABLE held (i BIGINT)")
  local job <close> = assert(core.fork(function(send)
    local own = open()
    ask(own, "BEGIN")
    ask(own, "LOCK TABLE held")
    local child = assert(core.fork(function(tell)
      own:close()
      tell "closed"
      sleep(60)
    end))
    core.wait_jobs{child}
    send "locked"
    sleep(60)
  end))
  lu.assertEquals(core.wait_jobs{job}[1].message, "locked")
  job:kill(9)
  ask(db, "DROP TABLE held")
end

-- Nor do those of a process that is killed within a statement wait for its end.
function TestForks.test_a_killed_process_frees_its_locks()
  local db <close> = open()
  ask(db, "CREATE TABLE held (i BIGINT)")
  local job <close> = assert(core.fork(function(send)
    local own = open()
    ask(own, "BEGIN")
    ask(own, "LOCK TABLE held")
    send "locked"
    own:run "SELECT pg_sleep(600)"
  end))
  lu.assertEquals(core.wait_jobs{job}[1].message, "locked")
  sleep(0.2)
  job:kill(9)
  ask(db, "DROP TABLE held") -- the server is asked to look every 2 s
  lu.assertEquals(ask(db, "SHOW idle_in_transaction_session_timeout"), {{"1min"}})
end

TestLeaks = {}

local function count_files()
  local n = 0
  for _ in pairs(core.list_dir "/proc/self/fd") do n = n + 1 end
  return n
end

local function resident_kib()
  local file <close> = assert(io.open "/proc/self/status")
  return tonumber(file:read "a":match "VmRSS:%s*(%d+)")
end

function TestLeaks.test_a_thousand_connections_leave_nothing()
  local function turn(i)
    local db <close> = open(SOCKET_URL, i % 2 == 0)
    ask(db, "SELECT repeat('x', 10000), $1::bigint", i)
    refused(db, "SELEC")
    core.sql_open(URL:gsub("/postgres$", "/nowhere"), true, MS)
  end
  for i = 1, 50 do turn(i) end
  collectgarbage()
  local files, memory = count_files(), resident_kib()
  for i = 1, 1000 do turn(i) end
  collectgarbage()
  lu.assertEquals(count_files(), files)
  lu.assertTrue(resident_kib() - memory < 3000, resident_kib() - memory .. " KiB")
end

function TestLeaks.test_connections_that_are_dropped_are_collected()
  local files = count_files()
  for _ = 1, 300 do ask(open(SOCKET_URL), "SELECT 1") end -- more than the server lets in at a time
  collectgarbage()
  collectgarbage()
  lu.assertEquals(count_files(), files)
end

os.exit(lu.LuaUnit.run(), true)
