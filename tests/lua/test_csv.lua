--- Tables in text, as Lua sees them; test_csv.c holds the format.
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"

local csv = bnn.data.csv
local file

TestCsv = {}

function TestCsv:setUp() file = os.tmpname() end
function TestCsv:tearDown() os.remove(file) end

--- The part in a table of this text.
local function table_of(text, opts)
  local out = assert(io.open(file, "wb"))
  out:write(text)
  out:close()
  return csv(file, opts)
end

local function refuses(want, text, opts)
  local part, message = table_of(text, opts)
  lu.assertNil(part)
  lu.assertStrContains(message, want)
  lu.assertStrContains(message, file)
end

function TestCsv.test_columns_labels_and_names()
  local part = table_of("w,h,kind\n1,2,cat\n3,4,dog\n5,6,cat\n", {label = "kind"})
  lu.assertEquals(part.x:totable(), {{1, 2}, {3, 4}, {5, 6}})
  lu.assertEquals(part.x:dtype(), core.tensor(0):dtype())
  lu.assertEquals({part.y:dtype(), part.y:totable()}, {"i32", {0, 1, 0}})
  lu.assertEquals({part.names, part.classes, part.size}, {{"w", "h"}, {"cat", "dog"}, 3})
end

function TestCsv.test_labels_by_position()
  lu.assertEquals(table_of("1,2,3\n4,5,6\n", {label = 2}).y:totable(), {2, 5})
  lu.assertEquals(table_of("1,2,3\n4,5,6\n", {label = -1}).y:totable(), {3, 6})
  lu.assertNil(table_of("1,2,3\n").y)
end

function TestCsv.test_header_and_separator_can_be_said()
  lu.assertEquals(table_of("1;2\n3;4\n", {header = true}).names, {"1", "2"})
  lu.assertEquals(table_of("1|2\n3|4\n", {separator = "|"}).x:shape(), {2, 2})
  refuses("'a' is not a number", "a,b\n1,2\n", {header = false})
end

function TestCsv.test_the_ending_tsv_says_tabs()
  local name = os.tmpname()
  os.rename(name, name .. ".tsv")
  file = name .. ".tsv"
  lu.assertEquals(table_of("1\t2\n3\t4\n").x:shape(), {2, 2})
end

function TestCsv.test_faults_name_row_and_column()
  refuses("row 2 (line 3), column 1 'age': a missing value", "age,size\n1,2\n,4\n")
  refuses("row 2 (line 3), column 2 'size': 'big' is not a number", "age,size\n1,2\n3,big\n")
  refuses("row 2 (line 2) has 1 cells, the first has 2", "1,2\n3\n")
  refuses("no column is named 'weight'", "age,size\n1,2\n", {label = "weight"})
  refuses("holds no rows", "")
end

function TestCsv.test_misuse_raises()
  lu.assertErrorMsgContains("unknown option 'lable'", csv, file, {lable = "y"})
  lu.assertErrorMsgContains("one character is wanted", csv, file, {separator = "ab"})
  lu.assertErrorMsgContains("one character is wanted", csv, file, {separator = ""})
  lu.assertErrorMsgContains("a name or a column from 1 is wanted", csv, file, {label = 0})
  lu.assertErrorMsgContains("a path is wanted, got a table", csv, {})
end

function TestCsv.test_a_table_trains()
  local part = table_of("1,2,0\n3,4,1\n5,6,0\n7,8,1\n", {label = 3})
  local seen = 0
  for batch in part:batches{size = 2, key = bnn.key(1), epochs = 1} do
    lu.assertEquals(batch.x:shape(), {2, 2})
    seen = seen + batch.x:sum():item()
  end
  lu.assertEquals(seen, 36)
end

os.exit(lu.LuaUnit.run(), true)
