--- Databases as Lua sees them: what run gives, kinds of failure, URLs. With a server of PostgreSQL:
-- tests/long/postgres_store_test.sh.
local lu = require "luaunit"
local core = require "bnn.core"

local files = {}

local function new_file()
  local path = os.tmpname()
  os.remove(path)
  files[#files + 1] = path
  return path
end

TestUrls = {}

-- The message and the kind of a URL that is refused.
local function refusal(url, ms)
  local db, message, kind = core.sql_open(url, true, ms)
  lu.assertNil(db)
  return message, kind
end

function TestUrls.test_a_password_is_refused_and_not_shown()
  for _, url in ipairs{
    "postgresql://me:secret@host/db", "postgres://me:secret@host/db", "postgresql://:secret@host",
    "postgresql://host/db?password=secret", "postgresql://host/db?user=me&pass%77ord=secret",
  } do
    local message, kind = refusal(url)
    lu.assertStrContains(message,
      "the password belongs into ~/.pgpass, $PGPASSFILE or a service file")
    lu.assertNotStrContains(message, "secret")
    lu.assertNil(kind)
  end
end

function TestUrls.test_without_the_library_a_url_says_so()
  if core.engines()[1].version:find "^libpq" then return end
  lu.assertStrContains(refusal "postgresql://host/db", "libpq")
end

function TestUrls.test_no_server_is_lost_and_a_wrong_url_is_not()
  if not core.engines()[1].version:find "^libpq" then return end
  local message, kind = refusal("postgresql://127.0.0.1:1/db", 5000) -- a port of no service
  lu.assertStrContains(message, 'postgresql://127.0.0.1:1/db: ')
  lu.assertStrContains(message, "port 1")
  lu.assertEquals(kind, "lost")
  message, kind = refusal "postgresql://127.0.0.1/db?colour=red"
  lu.assertStrContains(message, "colour")
  lu.assertNil(kind)
end

function TestUrls.test_only_the_two_schemes_are_urls()
  local _, message, kind = core.sql_open("postgresql:/host/db", false)
  lu.assertStrContains(message, core.sql_version() and "unable to open" or "without SQLite")
  lu.assertNil(kind)
end

TestFiles = {}

function TestFiles.test_a_file_is_of_sqlite_and_has_no_channels()
  local db <close> = assert(core.sql_open(new_file(), true))
  lu.assertEquals(db:kind(), "sqlite")
  lu.assertFalse(db:notified())
  local done, message, kind = db:listen "tasks"
  lu.assertNil(done)
  lu.assertStrContains(message, "tasks: SQLite has no channels")
  lu.assertNil(kind)
  lu.assertErrorMsgContains("string expected", db.listen, db)
end

function TestFiles.test_wrong_sql_has_no_kind_and_a_lock_is_busy()
  local path = new_file()
  local db <close> = assert(core.sql_open(path, true, 0))
  local other <close> = assert(core.sql_open(path, true, 0))
  local rows, message, kind = db:run "SELEC"
  lu.assertNil(rows)
  lu.assertStrContains(message, "syntax error")
  lu.assertNil(kind)
  assert(db:run "CREATE TABLE t (x PRIMARY KEY)")
  assert(db:run "BEGIN IMMEDIATE")
  rows, message, kind = other:run("INSERT INTO t VALUES ($1)", 1)
  lu.assertNil(rows)
  lu.assertStrContains(message, "locked")
  lu.assertEquals(kind, "busy")
  assert(db:run "COMMIT")
  assert(other:run("INSERT INTO t VALUES ($1)", 1))
  rows, message, kind = db:run("INSERT INTO t VALUES ($1)", 1)
  lu.assertNil(rows)
  lu.assertStrContains(message, "UNIQUE")
  lu.assertNil(kind)
end

function TestFiles.test_one_statement_and_values_that_databases_have()
  local db <close> = assert(core.sql_open(new_file(), true))
  local _, several = db:run "SELECT 1; SELECT 2"
  local _, none = db:run " -- nothing"
  lu.assertEquals({several, none}, {
    "expected one statement of SQL, got several", "expected one statement of SQL, got none",
  })
  lu.assertEquals(db:run "SELECT 1;"[1], {1})
  lu.assertEquals(db:run("SELECT $1, $2, $3, $4", 1)[1], {1}) -- what is not given is NULL
  lu.assertErrorMsgContains("expected a number, string or nil, got table",
    db.run, db, "SELECT $1", {})
  db:close()
  db:close()
  lu.assertErrorMsgContains("database is closed", db.run, db, "SELECT 1")
  lu.assertErrorMsgContains("database is closed", db.kind, db)
  lu.assertErrorMsgContains("database is closed", db.notified, db)
end

if not core.sql_version() then
  print "no SQLite in this program: its files are left out"
  TestFiles = nil
end
local failures = lu.LuaUnit.run()
for _, path in ipairs(files) do os.remove(path) end
os.exit(failures, true)
