--- Tables in text, as Lua sees them; test_csv.c holds the format.
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local lu = require "luaunit"
local bits = require "bits"
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

function TestCsv.test_words_and_missing_values_point_to_what_reads_them()
  local hint = "bnn.data.table reads categories, missing values and decimal commas"
  refuses(hint, "a,b\n1,red\n")
  refuses(hint, "a,b\n1,\n")
  refuses(hint, "1,5;2\n2,5;3\n")
  refuses(hint, "a,b\n1,?\n2,3\n", {label = "b"})
  local message = select(2, table_of "1,2\n3\n")
  lu.assertNotStrContains(message, "bnn.data.table")
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
  os.rename(file, file .. ".tsv")
  file = file .. ".tsv"
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
  lu.assertErrorMsgContains("expected one character", csv, file, {separator = "ab"})
  lu.assertErrorMsgContains("expected one character", csv, file, {delimiter = ""})
  lu.assertErrorMsgContains("delimiter and separator say one thing", csv, file,
    {separator = ",", delimiter = ","})
  lu.assertErrorMsgContains("drop: expected a list of names or positions", csv, file, {drop = {{}}})
  lu.assertErrorMsgContains("classes are those of a label column", csv, file, {classes = {"a"}})
  lu.assertErrorMsgContains("'a' is there twice", csv, file, {label = 1, classes = {"a", "a"}})
  lu.assertErrorMsgContains("expected names, got an empty list", csv, file,
    {label = 1, classes = {}})
  lu.assertErrorMsgContains("expected classes= or like=, got both", csv, file,
    {label = 1, classes = {"a"}, like = {"a"}})
  for _, drop in ipairs{{0}, {1.5}, {a = 1}, 2^40} do
    lu.assertErrorMsgContains("bnn.data.csv: drop: expected a list", csv, file, {drop = drop})
  end
  for _, label in ipairs{0, 2^31} do
    lu.assertErrorMsgContains("bnn.data.csv: label: expected a name or a position", csv, file,
      {label = label})
  end
  lu.assertErrorMsgContains("bnn.data.csv: path: expected a path, got a table", csv, {})
end

function TestCsv.test_a_first_row_that_lacks_its_first_value_is_no_header()
  for _, text in ipairs{",2.5,3.7\n1,2,3\n4,5,6\n", ",1,2\n1,2,3\n", "\t1\t2\n\t3\t4\n"} do
    refuses("row 1 (line 1), column 1: a missing value (header = true", text)
  end
  lu.assertEquals(table_of(",0,1\n0,2,3\n1,5,6\n").names, {"0", "1"})
  lu.assertEquals(table_of(",a,2012\n0,2,3\n1,5,6\n").names, {"a", "2012"})
end

function TestCsv.test_values_as_others_write_them_are_no_header()
  refuses("'1,5' is not a number (header = true", "1,5;2,5\n3;4\n")
  refuses("'2026-11-30' is not a number (header = true", "2026-11-30,2026-12-01\n3,4\n")
  lu.assertEquals(table_of("a1,%\n3,4\n").names, {"a1", "%"})
end

function TestCsv.test_a_mark_among_numbers_does_not_make_classes_of_them()
  for _, mark in ipairs{"None", "-", ".", "?"} do
    refuses(("row 2, column 2: '%s' stands for a missing label"):format(mark),
      ("x,y\n1,1.5\n2,%s\n3,2.5\n"):format(mark), {label = "y"})
  end
  local comma = "x;y\n1;1,5\n2;2,5\n"
  refuses("row 1, column 2: '1,5' has a comma, expected a number", comma, {label = "y"})
  lu.assertEquals(table_of(comma, {label = "y", classes = {"2,5", "1,5"}}).y:totable(), {1, 0})
  refuses("row 2, column 2: '1e999' is more than a", "x,y\n1,1.5\n2,1e999\n", {label = "y"})
  for _, row in ipairs{{"+", "-"}, {"None", "Some"}, {'"-"', "1"}, {"1e999", "x"}} do
    local part = table_of(("x,y\n1,%s\n2,%s\n"):format(table.unpack(row)), {label = "y"})
    lu.assertEquals(#part.classes, 2, row[1])
  end
end

function TestCsv.test_zero_bytes_are_no_text()
  refuses("got a zero byte at 8", "a,b\n1,2\0\n")
  refuses("got a zero byte at 10", "x,y\n1,a\n2\0,a\n", {label = "y"})
  refuses("got a zero byte at 7", "x,y\n1,\0a\n2,a\n", {label = "y"})
  refuses("is it UTF-16?", "\xff\xfea\0,\0b\0\n\0001\0,\0002\0\n\0")
end

function TestCsv.test_a_name_may_be_dropped_and_said_again()
  lu.assertEquals(table_of("a,b\n1,2\n", {drop = {"a", "a"}}).names, {"b"})
  refuses("column 1 cannot be both dropped and the labels", "a,b,c\n1,2,3\n",
    {drop = "a", label = "a"})
  lu.assertEquals(table_of("a,a,c\n1,2,3\n", {drop = 1, label = "a"}).y:totable(), {2})
end

function TestCsv.test_columns_are_left_out()
  local part = table_of("id,a,note,y\nx,1,new,0\nz,2,old,1\n", {label = "y", drop = {"id", 3}})
  lu.assertEquals({part.names, part.x:totable()}, {{"a"}, {{1}, {2}}})
  lu.assertEquals(table_of("1,2,3\n4,5,6\n", {drop = -1}).x:totable(), {{1, 2}, {4, 5}})
  lu.assertEquals(table_of("a,b\n4,5\n", {drop = "a"}).names, {"b"})
  refuses("has no column besides those left out", "a,b\n4,5\n", {drop = {1, 2}})
end

function TestCsv.test_an_index_without_a_name_is_no_feature()
  for _, text in ipairs{",a,b\n0,1,2\n1,3,4\n", "Unnamed: 0,a,b\n7,1,2\n3,3,4\n",
                        '"a" "b"\n"1" 1 2\n"2" 3 4\n'} do
    local part = table_of(text)
    lu.assertEquals({part.names, part.x:totable()}, {{"a", "b"}, {{1, 2}, {3, 4}}})
  end
  refuses("column 1 has no name and does not number the rows: '3' is there twice",
    ",a\n3,1\n3,2\n")
end

function TestCsv.test_no_label_slips_in_among_the_features()
  refuses("columns 1 and 3 are both named 'y'", "y,x,y\n0,5,0\n1,6,1\n", {label = "y"})
end

function TestCsv.test_what_is_ambiguous_is_refused_with_the_option_that_settles_it()
  local text = "0,1,2\n0.5,1.5,0\n2.5,3.5,1\n"
  refuses("header = true if it holds names", text, {label = -1})
  lu.assertEquals(table_of(text, {label = -1, header = true}).y:totable(), {0, 1})
  lu.assertEquals(table_of(text, {label = -1, header = false}).y:totable(), {2, 0, 1})
  refuses("row 1 (line 1), column 1: 'nan' is not a number", "nan,nan\n1,2\n")
  refuses("row 1 (line 1), column 1: '?' is not a number", "?,?,yes\n1,2,no\n", {label = -1})
end

function TestCsv.test_a_label_by_name_says_that_there_is_a_header()
  local part = table_of("0,1,2\n0.5,1.5,0\n2.5,3.5,1\n", {label = "2"})
  lu.assertEquals({part.names, part.y:totable()}, {{"0", "1"}, {0, 1}})
end

local function notices_of(f)
  return (bits.notices_of(f):gsub(file:gsub("%p", "%%%0"), "FILE"))
end

function TestCsv.test_what_was_decided_is_said_in_one_line_and_once()
  local rows = {
    {"a,b\n1,2\n", {}, "FILE: 1 row of 2 columns; the first row is a header; no label column\n"},
    {"1,2\n3,4\n", {label = 2}, "FILE: 2 rows of 2 columns; no header; label in column 2\n"},
    {"a;k\n1;dog\n2;cat\n", {label = "k"}, "FILE: 2 rows of 2 columns; delimiter ';'; the first "
      .. "row is a header; label 'k' (column 2), classes cat, dog\n"},
    {"  5   6\n7\t 8\n", {}, "FILE: 2 rows of 2 columns; delimiter blanks; no header; no label "
      .. "column\n"},
    {",a\n0,5\n1,6\n", {header = true}, "FILE: 2 rows of 2 columns; the first row is a header; no "
      .. "label column; column 1, an index without a name, left out\n"},
    {"1,6\n2,7\n3,8\n", {}, "FILE: 3 rows of 2 columns; no header; no label column; column 1 "
      .. "numbers the rows, yet is a feature (drop = {1} leaves it out)\n"},
    {"3\t4\n", {header = false}, "FILE: 1 row of 2 columns; delimiter tab; no header; no label "
      .. "column\n"},
    {"a,b\n1,2\n", {header = true, label = "b"}, ""},
    {"a;b\n1;2\n", {header = true, delimiter = ";"}, ""},
    {",a\n0,5\n1,6\n", {header = true, drop = {1}}, ""},
    {"3,4\n", {header = false}, ""},
  }
  for i, row in ipairs(rows) do
    local said = notices_of(function() assert(table_of(row[1], row[2])) end)
    lu.assertEquals({i, said}, {i, row[3]})
    lu.assertEquals(notices_of(function() table_of(row[1], row[2]) end), "", i)
  end
end

function TestCsv.test_any_ending_is_a_table_when_its_content_is_text()
  local name = file
  os.remove(name)
  for _, ending in ipairs{".data", ".txt", ".dat", ".names", "", ".csv.bak"} do
    file = name .. ending
    local part = table_of("1 2\n3 4\n")
    lu.assertEquals(bnn.data.read(file).x:totable(), part.x:totable())
    lu.assertEquals(bnn.data.load(file, {label = 2}).train.y:totable(), {2, 4})
    os.remove(file)
  end
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
