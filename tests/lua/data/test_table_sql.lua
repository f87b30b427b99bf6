--- Tables from queries of a database.
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"

local file

TestTableSql = {}

function TestTableSql:setUp()
  if not core.sql_version() then lu.skip "built without SQLite" end
  file = os.tmpname()
  local db <close> = assert(core.sql_open(file, true))
  for _, statement in ipairs{
    "CREATE TABLE pets (age, kind, code)",
    "INSERT INTO pets VALUES (3, 'dog', '7'), (NULL, 'cat', '8'), (2.5, NULL, '-999')",
  } do
    assert(db:run(statement))
  end
end

function TestTableSql:tearDown() if file then os.remove(file) end end

local function refuses(want, query, opts)
  local t, message = bnn.data.sql(file, query, opts)
  lu.assertNil(t)
  lu.assertStrContains(message, want)
  lu.assertStrContains(message, file)
end

function TestTableSql.test_values_say_what_columns_are()
  local t = assert(bnn.data.sql(file, "SELECT age, kind, code AS c FROM pets"))
  lu.assertEquals(t.names, {"age", "kind", "c"})
  lu.assertEquals(t:totable(), {{age = 3, kind = "dog", c = "7"}, {kind = "cat", c = "8"},
    {age = 2.5, c = "-999"}})
  lu.assertEquals(t:column("kind").categories, {"cat", "dog"})
  lu.assertEquals({t.columns[1].kind, t:schema()[2].missing, t.origin}, {"number", 1, file})
end

function TestTableSql.test_parameters_and_options()
  local t = assert(bnn.data.sql(file, "SELECT kind, code FROM pets WHERE age > $1 ORDER BY age",
    {params = {2}, types = {code = "number"}, categories = {kind = {"emu", "dog"}},
     missing = {"-999"}}))
  lu.assertEquals(t:totable(), {{}, {kind = "dog", code = 7}})
  lu.assertEquals(t:column("kind").values:totable(), {-1, 1})
  refuses("row 2, column 1 'kind': 'cat' is not a number",
    "SELECT kind FROM pets ORDER BY kind", {types = {kind = "number"}})
  refuses("there is no column \"x\"", "SELECT kind FROM pets", {types = {x = "number"}})
  t = assert(bnn.data.sql(file, "SELECT kind, age FROM pets", {types = {kind = "ignore"}}))
  lu.assertEquals(t.names, {"age"})
end

function TestTableSql.test_a_query_like_another()
  local like = assert(bnn.data.sql(file, "SELECT age, kind FROM pets"))
  local t = assert(bnn.data.sql(file, "SELECT kind FROM pets WHERE age = 3",
    {like = like, optional = {"age"}}))
  lu.assertEquals(t:column("kind").values:totable(), {1})
  refuses("'emu' is none of the 2 categories", "SELECT 1 AS age, 'emu' AS kind", {like = like})
  refuses("has no column 'age'", "SELECT kind FROM pets", {like = like})
end

function TestTableSql.test_what_is_wrong_is_said()
  refuses("no such column: ages", "SELECT ages FROM pets")
  refuses("syntax error", "SELEC age FROM pets")
  refuses("gives no rows", "SELECT age FROM pets WHERE age > 10")
  refuses("expected one statement", "SELECT 1; SELECT 2")
  refuses("columns 1 and 2 are both called 'age'", "SELECT age, age FROM pets")
  refuses("readonly", "DELETE FROM pets")
  local t, message = bnn.data.sql("/nowhere/x.db", "SELECT 1")
  lu.assertNil(t)
  lu.assertStrContains(message, "/nowhere/x.db")
  local ok, fault = pcall(bnn.data.sql, file)
  lu.assertFalse(ok)
  lu.assertStrContains(fault, "bnn.data.sql: query: expected SQL")
end

os.exit(lu.LuaUnit.run(), true)
