--- Tables read from files: separators, headers, kinds of columns, and files like another.
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local lu = require "luaunit"
local bits = require "bits"
local bnn = require "bnn"
local number = require "bnn.base.number"
local json = require "bnn.base.json_codec"

local file

TestTableFile = {}

function TestTableFile:setUp() file = os.tmpname() end
function TestTableFile:tearDown() os.remove(file) end

local function write(text)
  local out = assert(io.open(file, "wb"))
  out:write(text)
  out:close()
  return file
end

local function read(text, opts) return assert(bnn.data.table(write(text), opts)) end

local function refuses(want, text, opts)
  local t, message = bnn.data.table(write(text), opts)
  lu.assertNil(t)
  lu.assertStrContains(message, want)
  lu.assertStrContains(message, file)
  lu.assertNotStrContains(message, "\n")
end

local function raises(want, opts)
  local ok, message = pcall(bnn.data.table, write "a,b\n1,2\n", opts)
  lu.assertFalse(ok)
  lu.assertStrContains(message, want)
end

-- The rows without a header, as lists.
local function rows_of(t)
  local rows = {}
  for i, row in ipairs(t:totable()) do
    rows[i] = {}
    for k, name in ipairs(t.names) do rows[i][k] = row[name] or "missing" end
  end
  return rows
end

-- ---- what separates the cells ----

function TestTableFile.test_one_table_in_many_spellings()
  local spellings = {
    "1,red\n2.5,blue\n", "1,red\r\n2.5,blue\r\n", "1,red\r2.5,blue", "1;red\n2.5;blue\n",
    "1\tred\n2.5\tblue\n", "1|red\n2.5|blue\n", "1   red\n2.5 blue\n", "1;red\n2,5;blue\n",
    "1\tred\n2,5\tblue\n", "\"1\",\"red\"\n\"2.5\",blue\n", "\xef\xbb\xbf1,red\n2.5,blue\n",
    "1,red\n\n2.5,blue\n\n", "n,c\n1,red\n2.5,blue\n", "n;c\n1;red\n2,5;blue\n",
    "\"n\" \"c\"\n\"r1\" 1 \"red\"\n\"r2\" 2.5 \"blue\"\n",
  }
  for _, text in ipairs(spellings) do
    lu.assertEquals(rows_of(read(text)), {{1, "red"}, {2.5, "blue"}}, text)
  end
end

function TestTableFile.test_a_comma_is_a_decimal_sign_where_it_separates_nothing()
  lu.assertEquals(rows_of(read "1,5;2\n2,5;-3,25e1\n"), {{1.5, 2}, {2.5, -32.5}})
  lu.assertEquals(rows_of(read("\"1,5\",2\n", {decimal = ",", delimiter = ","})), {{1.5, 2}})
  lu.assertEquals(rows_of(read("1,5;a\n2,5;b\n", {decimal = "."}))[1][1], "1,5")
  lu.assertEquals(rows_of(read "1,5;a;b\n2,5;c;d\n"), {{1.5, "a", "b"}, {2.5, "c", "d"}})
  local long = ("1,5;2\n"):rep(200)
  refuses("line 201, column 1: '1.5' has a point", long .. "1.5;2\n")
  lu.assertEquals(read("1,5;2.5\n3,5;a.b\n").columns[1].kind, "category")
end

function TestTableFile.test_quotes_hold_separators_and_line_ends()
  local t = read "a,b\n\"x, \"\"q\"\"\",1\n\"z\nz\",2\nw,3\n"
  lu.assertEquals(t:column("a").categories, {"w", 'x, "q"', "z\nz"})
  lu.assertEquals(t:column("a").values:totable(), {1, 2, 0})
  refuses("a quote is not closed", "a,b\n\"x,1\n")
end

-- ---- the header ----

function TestTableFile.test_a_header_is_found()
  lu.assertEquals(read("age,kind\n1,a\n2,b\n").names, {"age", "kind"})
  lu.assertEquals(read("shape,cap\nx,s\ny,s\nx,t\n").names, {"shape", "cap"})
  lu.assertEquals(read("p,x\ne,x\np,y\n").names, {"column_1", "column_2"})
  lu.assertEquals(read("1,a\n2,b\n").names, {"column_1", "column_2"})
  lu.assertEquals(read("1,2\n3,4\n", {header = true}).names, {"1", "2"})
  lu.assertEquals(read("a,b\nc,1\n", {header = false}).size, 2)
  lu.assertEquals(read("x,y\nx,z\n", {types = {x = "category"}}).names, {"x", "y"})
end

function TestTableFile.test_a_first_row_of_numbers_that_may_be_names_is_refused()
  for _, text in ipairs{"0,1,2\n5,6,7\n", "id,2019,2020\na,1.5,2.5\nb,0.5,3\n",
                        "1,2\n0.5,3\n"} do
    refuses("names or numbers? header = true", text)
    lu.assertEquals(read(text, {header = false}).size, select(2, text:gsub("\n", "")))
  end
  lu.assertEquals(read("a,1,2\na,1.5,2.5\nb,0.5,3\n").size, 3) -- as the text is there again
  lu.assertEquals(read("3,1\n4,2\n").size, 2)
end

function TestTableFile.test_an_index_without_a_name_is_left_out()
  lu.assertEquals(read(",a\n0,5\n1,6\n2,7\n").names, {"a"})
  lu.assertEquals(read("Unnamed: 0,a\n1,5\n2,6\n3,7\n").names, {"a"})
  lu.assertEquals(read("\"\",a\nann,5\nbob,6\ncid,7\n").names, {"a"})
  lu.assertEquals(read(",a\n3,5\n3,6\n2,7\n").names, {"column_1", "a"})
end

function TestTableFile.test_a_delimiter_may_end_each_line()
  local t = read "x,y,\n1,2,\n3,4,\n"
  lu.assertEquals({t.names, rows_of(t)}, {{"x", "y"}, {{1, 2}, {3, 4}}})
  lu.assertEquals(rows_of(read("x,y,\n5,6,\n", {like = t})), {{5, 6}})
  t = read "x,,y\n1,2,a\n3,4,b\n"
  lu.assertEquals(t.names, {"x", "column_2", "y"})
  lu.assertEquals(rows_of(read("x,,y\n5,6,a\n", {like = t})), {{5, 6, "a"}})
  lu.assertEquals(read("p,,x\ne,,y\nf,b,z\n").size, 3)
end

-- ---- columns ----

function TestTableFile.test_missing_values_have_many_marks()
  local t = read "n,c\n1,x\n,\nNA,NA\n?,?\nnan,NaN\nnull,null\nN/A,N/A\n\"\",\"\"\n2,None\n"
  lu.assertEquals({t.columns[1].kind, t:schema()[1].missing}, {"number", 7})
  lu.assertEquals({t.columns[2].categories, t:schema()[2].missing}, {{"None", "x"}, 7})
  t = read("n,c\n-999,x\n3,unknown\n", {missing = {"-999", "unknown"}})
  lu.assertEquals(rows_of(t), {{"missing", "x"}, {3, "missing"}})
  t = read "n,c\n1,\n2,\n"
  lu.assertEquals({t.columns[2].kind, t:schema()[2].missing}, {"number", 2})
end

function TestTableFile.test_categories_are_sorted_as_numbers_or_by_text()
  local text = "code,b\n10,true\n9,false\n10,true\n"
  local t = read(text, {types = {code = "category"}})
  lu.assertEquals({t.columns[1].categories, t.columns[1].values:totable()},
    {{"9", "10"}, {1, 0, 1}})
  lu.assertEquals(t.columns[2].categories, {"false", "true"})
  t = read(text, {types = {[1] = "category"}, categories = {[-1] = {"true", "maybe", "false"}}})
  lu.assertEquals(t:column("b").values:totable(), {0, 2, 0})
  refuses("line 3, column 2 'b': 'false' is none of the 1 categories: true", text,
    {categories = {b = {"true"}}})
end

function TestTableFile.test_types_are_said()
  local text = "id,a,a,y\n7,1,1,x\n8,2,2,3\n"
  lu.assertEquals(read(text, {types = {id = "ignore", [3] = "ignore"}}).names, {"a", "y"})
  refuses("line 2, column 4 'y': 'x' is not a number", text,
    {types = {y = "number", [3] = "ignore"}})
  refuses("columns 2 and 3 are both called 'a' (types = {[3] = \"ignore\"}", text)
  refuses("there is no column \"yy\" (did you mean 'y'?)", text, {types = {yy = "number"}})
  refuses("there is no column 5", text, {types = {[5] = "number"}})
  refuses("no columns besides those left out", "a\n1\n2\n", {types = {a = "ignore"}})
  lu.assertEquals(read("1,2\n3,4\n", {types = {column_2 = "category"}}).columns[2].categories,
    {"2", "4"})
end

function TestTableFile.test_what_is_no_table_is_refused()
  refuses("holds no rows", "")
  refuses("holds no rows", "\n\n")
  refuses("holds a header but no rows", "a,b\n")
  refuses("line 3 has 1 cells, the first row has 2", "a,b\n1,2\n3\n")
  refuses("zero byte", "a,b\n1\0,2\n")
  refuses("more than a", "a\n1e999\n")
  local t, message = bnn.data.table "/nowhere/x.csv"
  lu.assertNil(t)
  lu.assertStrContains(message, "/nowhere/x.csv")
end

function TestTableFile.test_options_are_checked()
  raises("give one of them", {delimiter = ",", separator = ","})
  raises("expected one character", {delimiter = ",,"})
  raises("decimal: expected one of", {decimal = "x"})
  raises("expected \"number\", \"category\" or \"ignore\" for \"a\"", {types = {a = "real"}})
  raises("expected a list of strings", {categories = {a = "x"}})
  raises("'x' is there twice", {categories = {a = {"x", "x"}}})
  raises("give like=", {optional = "a"})
  raises("like: expected a table", {like = {{1}}})
end

-- ---- like another table ----

local function training()
  return read "age,colour,y\n1,red,no\n2,blue,yes\n3,green,no\n"
end

function TestTableFile.test_a_table_like_another_keeps_its_categories()
  local like = training()
  for _, given in ipairs{like, like:schema(), json.decode(json.encode(like:schema(), ""))} do
    local t = read("y,colour,age\nyes,red,7\n", {like = given})
    lu.assertEquals(t.names, {"age", "colour", "y"})
    lu.assertEquals(t:column("colour").categories, {"blue", "green", "red"})
    lu.assertEquals({t:column("colour").values:totable(), t:column("y").values:totable()},
      {{2}, {1}})
  end
  lu.assertEquals(rows_of(read("7,red,yes\n,?,no\n", {like = like})),
    {{7, "red", "yes"}, {"missing", "missing", "no"}})
end

function TestTableFile.test_a_column_of_numbers_alone_stays_a_category()
  local like = read("zip,v\n10,1\n20,2\n", {types = {zip = "category"}})
  local t = read("zip,v\n20,5\n", {like = like})
  lu.assertEquals(t:column("zip").values:totable(), {1})
  refuses("line 2, column 1 'zip': '30' is none of the 2 categories: 10, 20", "zip,v\n30,1\n",
    {like = like})
end

function TestTableFile.test_what_differs_from_the_other_table_is_refused()
  local opts = {like = training()}
  refuses("line 3, column 2 'colour': 'pink' is none of the 3 categories: blue, green, red",
    "age,colour,y\n1,red,no\n1,pink,no\n", opts)
  refuses("line 2, column 1 'age': 'old' is not a number", "age,colour,y\nold,red,no\n", opts)
  refuses("has no column 'y', which the other table has", "age,colour\n1,red\n", opts)
  refuses("column 4 'w' is not one of those of the other table: age, colour, y",
    "age,colour,y,w\n1,red,no,1\n", opts)
  refuses("did you mean 'colour'", "age,color,y\n1,red,no\n", opts)
  refuses("columns 1 and 4 are both called 'age'", "age,colour,y,age\n1,red,no,1\n", opts)
  refuses("has 2 columns and no header, the other table has 3", "1,red\n", opts)
  lu.assertEquals(#read("age,colour,y,w\n1,red,no,1\n",
    {like = opts.like, types = {w = "ignore"}}).names, 3)
end

function TestTableFile.test_a_label_may_be_absent()
  local opts = {like = training(), optional = "y"}
  lu.assertEquals(read("age,colour\n1,red\n", opts).names, {"age", "colour"})
  lu.assertEquals(read("1,red\n", opts).names, {"age", "colour"})
  lu.assertEquals(read("1,red,no\n", opts).names, {"age", "colour", "y"})
  refuses("has no column 'age'", "colour,y\nred,no\n", opts)
end

-- ---- what is said ----

-- The notices of reading this text, without the path in front.
local function notice_of(text, opts)
  local said = bits.notices_of(function() read(text, opts) end)
  return (said:gsub("^[^:]*: ", ""))
end

function TestTableFile.test_what_was_found_is_said()
  lu.assertEquals(notice_of "n;c\n1,5;red\n?;blue\n", "2 rows of 2 columns; delimiter ';'; "
    .. "decimal comma; the first row is a header; categories: c (2); missing: n 1\n")
  lu.assertStrContains(notice_of("1,x\n2,y\n"), "no header; categories: column_2 (2)")
  local many = {"v,w"}
  for i = 1, 30 do many[i + 1] = ("%d,r%d"):format(i % 7, i) end
  many[20] = "oops,r19"
  local said = notice_of(table.concat(many, "\n"))
  lu.assertStrContains(said, "v is a category, as line 20 holds 'oops' (29 of 30 cells are "
    .. "numbers)")
  lu.assertStrContains(said, "each row has a category of its own in w (types = {w = \"ignore\"}")
  lu.assertStrContains(notice_of("id,v\n1,4\n2,7\n3,1\n"), "id numbers the rows")
  lu.assertStrContains(notice_of(",v\n1,4\n2,7\n3,1\n"), "an index without a name, left out")
end

function TestTableFile.test_rounded_whole_numbers_are_said()
  local is_single = bnn.tensor(0):dtype() == "f32"
  local long = is_single and 16777217 or 9007199254740993
  local text = ("v,id\n1.5,16777216\n2,%d\n3.5,-%d\n1e30,?\n"):format(long, long)
  local want = ("in id 2 whole numbers are rounded, in line 3 %d to %d (as a category each keeps "
    .. "its own)\n"):format(long, long - 1)
  lu.assertStrContains(notice_of(text), "; " .. want)
  local like = read("v,id\n1,2\n")
  lu.assertEquals(notice_of(text, {like = like}), want)
  for _, other in ipairs{"v,id\n1.5,16777216\n", "v,id\n1.5,16777216.5\n", "v,id\n1e30,3e20\n"} do
    lu.assertNotStrContains(notice_of(other), "rounded")
  end
  lu.assertNotStrContains(notice_of(text, {types = {id = "category"}}), "rounded")
end

-- A program says how its users leave a column out.
function TestTableFile.test_a_hint_may_be_given()
  local opts = {hint = "--ignore=%s"}
  lu.assertStrContains(notice_of("id,v\n1,4\n2,7\n3,1\n", opts),
    "id numbers the rows (--ignore=id leaves it out)")
  local many = {"v,a%1"}
  for i = 1, 30 do many[i + 1] = ("%d,r%d"):format(i % 7, i) end
  lu.assertStrContains(notice_of(table.concat(many, "\n"), opts), "(--ignore=a%1 leaves it out)")
  local _, fault = pcall(read, "a,a\n1,x\n", opts)
  lu.assertStrContains(fault, "columns 1 and 2 are both called 'a'")
  lu.assertNotStrContains(fault, "types")
end

-- ---- the whole way ----

function TestTableFile.test_a_file_becomes_a_part()
  local part = read("w,h,kind\n1,2,cat\n3,4,dog\n5,6,cat\n"):part{label = "kind"}
  lu.assertEquals({part.x:totable(), part.y:totable(), part.classes, part.names},
    {{{1, 2}, {3, 4}, {5, 6}}, {0, 1, 0}, {"cat", "dog"}, {"w", "h"}})
  lu.assertEquals(part.origin, file)
end

function TestTableFile.test_numbers_are_those_of_the_reader_of_numbers()
  local lines = {"a,b,c"}
  for i = 1, 500 do
    lines[i + 1] = number.format("%.17g,%g,%d", math.sin(i) * 10 ^ (i % 30 - 15), i / 7, i)
  end
  local text = table.concat(lines, "\n")
  local part = read(text):part()
  lu.assertEquals(bits.of(part.x), bits.of(bnn.data.csv(file).x))
end

os.exit(lu.LuaUnit.run(), true)
