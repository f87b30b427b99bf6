--- Tables of columns in memory: what they hold, what is taken out of them, and parts made of them.
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local lu = require "luaunit"
local bits = require "bits"
local bnn = require "bnn"
local json = require "bnn.base.json_codec"

local NAN = 0 / 0

local function pets()
  return bnn.data.table{
    {name = "age", values = {3, NAN, 12, 7}},
    {name = "kind", values = {"dog", "cat", nil, "cat"}},
    {name = "weight", values = bnn.tensor{10, 4, 5, 3.5}},
  }
end

local function refuses(want, f, ...)
  local ok, message = pcall(f, ...)
  lu.assertFalse(ok)
  lu.assertStrContains(message, want)
end

TestTable = {}

function TestTable.test_columns_are_numbers_or_categories()
  local t = pets()
  lu.assertEquals({t.size, #t, t.names}, {4, 4, {"age", "kind", "weight"}})
  local age, kind = t:column "age", t:column(2)
  lu.assertEquals({age.kind, age.categories}, {"number"})
  lu.assertEquals(age.values:isnan():totable(), {0, 1, 0, 0})
  lu.assertEquals(age.values:dtype(), bnn.tensor(0):dtype())
  lu.assertEquals({kind.kind, kind.categories}, {"category", {"cat", "dog"}})
  lu.assertEquals({kind.values:dtype(), kind.values:totable()}, {"i32", {1, 0, -1, 0}})
  lu.assertEquals(t:column(-1).name, "weight")
end

function TestTable.test_booleans_and_numbers_can_be_categories()
  local t = bnn.data.table{
    {name = "is", values = {true, false, true}},
    {name = "code", values = {10, 9, 10}, kind = "category"},
    {name = "class", values = bnn.tensor({0, -1, 2}, "i32"), categories = {"c", "b", "a"}},
    {name = "size", values = {"s", "l", "s"}, categories = {"s", "m", "l"}},
    {name = "codes", values = bnn.tensor({3, 20, 3}, "i32"), kind = "category"},
  }
  lu.assertEquals(t:column("is").categories, {"false", "true"})
  lu.assertEquals({t:column("code").categories, t:column("code").values:totable()},
    {{"9", "10"}, {1, 0, 1}})
  lu.assertEquals(t:totable()[1], {is = "true", code = "10", class = "c", size = "s", codes = "3"})
  lu.assertNil(t:totable()[2].class)
  lu.assertEquals(t:column("size").values:totable(), {0, 2, 0})
end

function TestTable.test_n_says_how_many_rows_there_are()
  local t = bnn.data.table{{name = "a", values = {1, nil}}, {name = "b", values = {}}, n = 3}
  lu.assertEquals(t.size, 3)
  lu.assertEquals(t:totable(), {{a = 1}, {}, {}})
end

function TestTable.test_rows_are_taken_by_the_names_of_their_columns()
  local t = bnn.data.table{{rooms = 3, kind = "flat", lift = true}, {rooms = NAN}, {kind = "house"},
                           {}}
  lu.assertEquals({t.size, t.names}, {4, {"kind", "lift", "rooms"}})
  lu.assertEquals(t:totable(),
    {{rooms = 3, kind = "flat", lift = "true"}, {}, {kind = "house"}, {}})
  lu.assertEquals({t:column("kind").kind, t:column("rooms").kind}, {"category", "number"})
  local again = bnn.data.table(t:totable())
  lu.assertEquals(again:totable(), t:totable())
  t = bnn.data.table{{name = "ann", values = 3}} -- names of columns like others
  lu.assertEquals(t:totable(), {{name = "ann", values = 3}})
end

function TestTable.test_rows_like_another_table()
  local t = bnn.data.table({{kind = "cat"}}, {like = pets(), optional = "weight"})
  lu.assertEquals({t.names, t:totable()}, {{"age", "kind"}, {{kind = "cat"}}})
  t = bnn.data.table({{age = 4}, {weight = 2}}, {like = pets()})
  lu.assertEquals({t.names, t:totable()}, {{"age", "kind", "weight"}, {{age = 4}, {weight = 2}}})
  lu.assertEquals({t:column("kind").kind, t:column("kind").categories},
    {"category", {"cat", "dog"}})
  refuses("column 'sort' is not one of those of the other table: age, kind, weight",
    bnn.data.table, {{sort = "cat"}}, {like = pets()})
end

function TestTable.test_faults_of_rows_name_them()
  local make = bnn.data.table
  refuses("bnn.data.table: row 2: expected names of columns, got the key 1", make, {{a = 1}, {3}})
  refuses("row 1: a: expected a number, a string or a boolean, got ", make, {{a = {1}}})
  refuses("(a column is {name =, values =})", make, {{name = "a", value = {1, 2}}})
  refuses("n: expected columns beside it, got rows", make, {{a = 1}, n = 2})
  refuses("expected columns, got none", make, {{}, {}})
  refuses("source: expected a path, or a list of columns or rows", make, 3)
  refuses('columns such as {name = "a", values = {1, 2}}, got a table by name', make,
    {a = {1, 2}, b = {3, 4}})
end

-- What is said of a column of whole numbers; a row of numbers that a float, or a double, rounds.
function TestTable.test_whole_numbers_that_are_rounded_are_reported()
  local is_single = bnn.tensor(0):dtype() == "f32"
  local long = is_single and 16777217 or 9007199254740993
  local function said_of(columns)
    return bits.notices_of(function() bnn.data.table(columns) end)
  end
  local want = "column 1 ('id'): 2 whole numbers are rounded, in row 2 %d to %d (as a category"
  want = want:format(long, long - 1)
  lu.assertStrContains(said_of{{name = "id", values = {7, long, nil, -long, 1e30}}}, want)
  lu.assertStrContains(said_of{{id = 16777216}, {id = long}}, "1 whole number is rounded, in row 2")
  for _, columns in ipairs{
    {{name = "id", values = {16777216, -16777216, 0.5, 16777216.5, 1e20}}},
    {{name = "id", values = {long}, kind = "category"}},
    {{name = "id", values = bnn.tensor({long, 16777216}, "f64")}},
  } do
    lu.assertEquals(said_of(columns), "")
  end
end

function TestTable.test_a_schema_is_plain_data()
  local schema = pets():schema()
  lu.assertEquals({schema[1].name, schema[1].kind, schema[1].missing}, {"age", "number", 1})
  lu.assertEquals(schema[2].categories, {"cat", "dog"})
  local copy = json.decode(json.encode(schema, ""))
  lu.assertEquals({#copy, copy[2].name, copy[2].categories[2], copy[2].missing},
    {3, "kind", "dog", 1})
  lu.assertStrContains(tostring(schema), "kind    category  2: cat, dog, 1 missing")
end

function TestTable.test_columns_and_rows_are_taken_out()
  local t = pets()
  lu.assertEquals(t:select{"weight", 1}.names, {"weight", "age"})
  lu.assertEquals(t:without("kind").names, {"age", "weight"})
  lu.assertEquals(t:slice(2, 9):column("weight").values:totable(), {4, 5, 3.5})
  lu.assertEquals(t:slice(5, 4).size, 0)
  local some = t:index(bnn.tensor({4, 1, 4}, "i32"))
  lu.assertEquals(some:totable(), {{age = 7, kind = "cat", weight = 3.5},
    {age = 3, kind = "dog", weight = 10}, {age = 7, kind = "cat", weight = 3.5}})
  lu.assertEquals(t:index{2}:column("kind").categories, {"cat", "dog"}) -- those of all rows
end

function TestTable.test_it_prints_as_a_summary()
  local text = tostring(pets())
  lu.assertStrContains(text, "table: 4 rows of 3 columns\n")
  lu.assertStrContains(text, "  age     number    3 to 12, 1 missing\n")
  lu.assertStrContains(text, "  kind    category  2: cat, dog, 1 missing\n")
  local wide = {}
  for i = 1, 50 do wide[i] = {name = "c" .. i, values = {}} end
  lu.assertStrContains(tostring(bnn.data.table(wide)), "... and 10 more")
end

function TestTable.test_parts_of_columns_of_numbers()
  local t = pets():without("age"):slice(1, 2)
  local part = t:part{label = "kind"}
  lu.assertEquals({part.x:totable(), part.y:totable(), part.y:dtype()},
    {{{10}, {4}}, {1, 0}, "i32"})
  lu.assertEquals({part.names, part.classes}, {{"weight"}, {"cat", "dog"}})
  t = bnn.data.table{{name = "a", values = {1, 2}}, {name = "b", values = {3, 4}},
                     {name = "c", values = {5, 6}}}
  lu.assertEquals(t:part{label = "b"}.y:totable(), {3, 4})
  lu.assertEquals(t:part{label = -1}.x:totable(), {{1, 3}, {2, 4}})
  local weighted = t:part{label = "b", weight = "c"}
  lu.assertEquals({weighted.weight:totable(), weighted.names}, {{5, 6}, {"a"}})
  lu.assertEquals(t:part{label = {"c", "a"}}.y:totable(), {{5, 1}, {6, 2}})
  lu.assertNil(t:part().y)
end

function TestTable.test_a_part_refuses_what_is_no_number()
  local t = pets()
  refuses("column 'kind' is a category; bnn.data.preprocess", function()
    t:without("age"):part{label = "weight"}
  end)
  refuses("column 'age' lacks 1 of 4 values; bnn.data.preprocess",
    function() t:without("kind"):part{label = "weight"} end)
  refuses("label: column 'kind' lacks 1 of 4", t.part, t, {label = "kind"})
  refuses("expected columns besides the label", function() t:select("age"):part{label = 1} end)
  refuses("no column 'wieght' (did you mean 'weight'?)", t.part, t, {label = "wieght"})
  refuses("weight: there is no column 'wieght'", t.part, t, {weight = "wieght"})
  refuses("weight: column 'kind' is a category", t.part, t, {label = "age", weight = "kind"})
  refuses("weight: expected another column than the label, got 'age'", t.part, t,
    {label = "age", weight = "age"})
end

function TestTable.test_columns_of_lua_like_another_table()
  local like, make = pets(), bnn.data.table
  local t = make({{name = "kind", values = {"cat"}}, {name = "age", values = {2}}},
    {like = like, optional = "weight"})
  lu.assertEquals({t.names, t:totable()}, {{"age", "kind"}, {{age = 2, kind = "cat"}}})
  lu.assertEquals({t:column("kind").categories, t:column("kind").values:totable()},
    {{"cat", "dog"}, {0}})
  t = make({{name = "age", values = {}}, {name = "kind", values = bnn.tensor({1}, "i32")},
    {name = "weight", values = {1}}, n = 1}, {like = like:schema()})
  lu.assertEquals(t:totable(), {{kind = "dog", weight = 1}})
  local function refuses_like(want, columns)
    refuses(want, make, columns, {like = like, optional = {"weight", "age"}})
  end
  refuses_like("there is no column 'kind'", {{name = "age", values = {2}}})
  refuses_like("'emu' is none of the 2 categories", {{name = "kind", values = {"emu"}}})
  refuses_like("expected a number, got \"x\"",
    {{name = "kind", values = {"cat"}}, {name = "age", values = {"x"}}})
  refuses_like("column 'size' is not one of those of the other table: age, kind, weight",
    {{name = "size", values = {2}}})
  refuses_like("two columns are called 'kind'",
    {{name = "kind", values = {"cat"}}, {name = "kind", values = {"cat"}}})
end

function TestTable.test_faults_name_the_column()
  local make = bnn.data.table
  refuses("columns 1 and 2 are both called 'a'", make,
    {{name = "a", values = {1}}, {name = "a", values = {1}}})
  refuses("column 2 ('b'): expected 2 values, got 1", make,
    {{name = "a", values = {1, 2}}, {name = "b", values = {1}}})
  refuses("column 1 ('a'): entry 2: expected a number, a string or a boolean, got a table", make,
    {{name = "a", values = {1, {}}}})
  refuses("entry 2: expected a number, got \"x\"", make,
    {{name = "a", values = {1, "x"}, kind = "number"}})
  refuses("entry 2: 'z' is none of the 2 categories", make,
    {{name = "a", values = {"x", "z"}, categories = {"x", "y"}}})
  refuses("expected places in the 2 categories", make,
    {{name = "a", values = bnn.tensor({2}, "i32"), categories = {"x", "y"}}})
  refuses("expected [n], got [1, 2]", make, {{name = "a", values = bnn.ones(1, 2)}})
  refuses("column 1: name: expected a string", make, {{values = {1}}})
  refuses("expected columns, got none", make, {})
  local t = pets()
  refuses("there is no column 'agee' (did you mean 'age'?)", t.column, t, "agee")
  refuses("expected a column's name or its position within 1..3, got 4", t.column, t, 4)
  refuses("column 'age' is there twice", t.select, t, {"age", 1})
  refuses("frame:index", t.index, t, {9})
  refuses("expected rows within 1..4", t.slice, t, 0)
  refuses("before the colon", t.column, "age")
end

os.exit(lu.LuaUnit.run(), true)
