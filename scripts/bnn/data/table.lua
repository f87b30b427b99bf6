--- Tables of columns, and the parts that networks learn from made of them.
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local params = require "bnn.params.params"
local parts = require "bnn.data.part"
local table_class = require "bnn.data.tables.table_class"
local table_columns = require "bnn.data.tables.table_columns"
local table_file = require "bnn.data.tables.table_file"
local table_like = require "bnn.data.tables.table_like"
local table_rows = require "bnn.data.tables.table_rows"
local table_schema = require "bnn.data.tables.table_schema"
local table_sql = require "bnn.data.tables.table_sql"

local M = {}

-- ---- parts ----

local Frame = {}

-- Raises unless a column is of numbers, all of which are there.
local function check_feature(what, column)
  if column.kind == "category" then
    fail("%s: column '%s' is a category; bnn.data.preprocess turns it into numbers, "
      .. "t:without{\"%s\"} leaves it out", what, column.name, column.name)
  end
  local missing = table_schema.missing(column)
  if missing > 0 then
    fail("%s: column '%s' lacks %d of %d values; bnn.data.preprocess fills them in", what,
      column.name, missing, column.values:size(1))
  end
  return column.values
end

-- The columns of numbers side by side: real [n, d].
local function stacked(columns, what)
  local values = {}
  for i, column in ipairs(columns) do
    values[i] = check_feature(what, column):view(column.values:size(1), 1)
  end
  return #values == 1 and values[1] or params.concat(values, 2)
end

-- y and its classes, from the columns that are labels.
local function labels(columns, what)
  local first = columns[1]
  if #columns > 1 or first.kind == "number" then
    local y = stacked(columns, what .. ": label")
    return #columns > 1 and y or y:view(y:size(1))
  end
  local missing = table_schema.missing(first)
  if missing > 0 then
    fail("%s: label: column '%s' lacks %d of %d values", what, first.name, missing,
      first.values:size(1))
  end
  return first.values, first.categories
end

-- The column of weights, which is put among those that are no features; nil without one.
local function take_weights(self, what, name, apart)
  if name == nil then return nil end
  what = what .. ": weight"
  local at = table_class.position(self, what, name)
  local column = self.columns[at]
  if apart[at] then
    fail("%s: expected another column than the label, got '%s'", what, column.name)
  end
  apart[at] = true
  return check_feature(what, column)
end

--- Makes a part of the columns, all of which must be numbers, none of them missing.
--     local t = bnn.data.table{
--       {name = "size", values = {1, 2, 4}}, {name = "kind", values = {"ant", "bee", "ant"}},
--     }
--     local part = t:part{label = "kind"}
--     print(part.x, part.y, part.classes[2])            -- real [3, 1], i32 [3]: 0 1 0, bee
-- @param opts table: label= the column of y by name or position, or a list of such columns, which
--   must be numbers; weight= the column of the examples' weights, by name or position
-- @return part: x real [n, d] of the other columns, names= theirs; y i32 [n] with classes= of a
--   label that is a category, real [n] of numbers, real [n, k] of a list; no y without a label;
--   weight real [n] if there is such a column
-- Raises if there is no such column, none is left, or one is a category or lacks values; the
--   message names it.
function Frame:part(opts)
  local what = "frame:part"
  opts = options.check(what, opts, {label = "string|integer|table", weight = "string|integer"})
  local chosen, apart = {}, {}
  if opts.label ~= nil then chosen, apart = table_class.positions(self, what, opts.label) end
  local weight = take_weights(self, what, opts.weight, apart)
  local features, names, targets = {}, {}, {}
  for i, column in ipairs(self.columns) do
    if not apart[i] then features[#features + 1], names[#names + 1] = column, column.name end
  end
  for k, at in ipairs(chosen) do targets[k] = self.columns[at] end
  if #features == 0 then fail("%s: expected columns besides the label, got none", what) end
  local y, classes
  if targets[1] then y, classes = labels(targets, what) end
  return parts.from_tensors{x = stacked(features, what), y = y, weight = weight, names = names,
                            classes = classes, origin = self.origin}
end

expect_model.check_methods(Frame, "frame", table_class.is)
for name, method in pairs(Frame) do table_class.class[name] = method end

-- ---- tables ----

--- Reads a table from a file, or makes one of columns or rows of Lua: columns by name, of numbers
-- or of categories, in which values may be missing.
--     local t = bnn.data.table{
--       {name = "age", values = {31, 0/0, 50}},
--       {name = "colour", values = {"red", "blue", "red"}},
--     }
--     print(t.size, t:column("colour").categories[1])   -- 3  blue
--     local rows = bnn.data.table{{age = 31, colour = "red"}, {colour = "blue"}}
--     print(rows.size, rows:schema()[1].missing)        -- 2  1
-- A file is text, plain or gzip, whatever its name ends in. What the options leave open is found,
-- and reported on stderr in a line: the delimiter (comma, tab, semicolon, bar or blanks); a decimal
-- comma; whether the first row is a header (its cells are names, over a column of numbers, or over
-- texts of which it holds none); the columns' kinds. A column is of numbers when all of its cells
-- are, else of categories, sorted by their texts, or by number when they are numbers. Missing are
-- empty cells, ?, NA, N/A, NaN, null and their like. Without a header columns are called column_1,
-- column_2 ... A first column without a name that only tells the rows apart is left out. Numbers
-- are kept as floats: whole ones beyond 2^24, such as long identifiers, are rounded, and reported.
--
-- With like= a file has the columns of another table, matched by name, or by position where it has
-- no header, and in that order. Categories keep the numbers that they have there; a new one,
-- another column, and one that is absent are errors.
-- @param source string, the path of a file; or a list of rows, tables by the columns' names, in
--   which a missing value is NaN or left out (the columns are in the order of their names); or a
--   list of columns {name=, values=, kind=, categories=}. values are a tensor [n] or a list, in
--   which NaN and nil are missing. A list (or column of rows) that holds a string or a boolean is a
--   category, another one numbers; kind = "category" makes categories of numbers. categories= are
--   their texts in their order (default: sorted), and a tensor i32 beside them holds places in
--   them, from 0, or -1. n= beside the columns says how many rows there are, if all lists may end
--   with nil
-- @param opts table, of which columns and rows of Lua take like= and optional=:
--   types      {name or position = "number", "category" or "ignore"}: what columns are. A cell that
--              is no number in a column of numbers is an error with its line; "ignore" leaves a
--              column out
--   categories {name or position = list}: all texts of a column, in their order
--   missing    list of strings that stand for missing values too: {"-999", "unknown"}
--   header     true or false
--   delimiter  a character; " " stands for any number of blanks and tabs. separator= is the same
--   decimal    "." or ","
--   like       another table, or its schema; or what bnn.data.preprocess fitted, or a model of
--              bnn.checkpoint.open that has it, whose targets the file need not have
--   optional   names of columns of like= that the file need not have, such as the label: one or a
--              list
--   hint       what users are told to write to leave a column out, with %s for its name, such as
--              a program's "--ignore=%s" (default: types = {NAME = "ignore"})
-- @return table of bnn.data.table: size, names, and the methods column, schema, select, without,
--   slice, index, part, totable; #t is its size, print(t) shows its columns. Or nil, message, when
--   a file cannot be read
-- Raises if columns of Lua have one name or different lengths, a value is of another kind, or they
-- are not like= the other table. What no row has of the other table's columns is missing.
function M.table(source, opts)
  local what = "bnn.data.table"
  if type(source) == "string" then return table_file.read(what, source, opts) end
  opts = options.check(what, opts, {like = "table", optional = "string|table"})
  if not kinds.is_plain(source) then
    fail.expected(what .. ": source", "a path, or a list of columns or rows", source)
  end
  for _, key in ipairs(options.sorted_names(source)) do
    if key ~= "n" then
      fail("%s: source: expected a list of rows, or of columns such as {name = %s, values = "
        .. "{1, 2}}, got a table by name", what, kinds.show(key))
    end
  end
  local given = options.check(what, source, {{type = "table"}, n = {type = "integer", min = 0}})
  local are_rows = table_rows.are_rows(given)
  if are_rows then given = table_rows.columns(what, given) end
  if opts.like then given = table_like.specs(what, given, opts, are_rows) end
  local columns, size = table_columns.from_lua(what, given, given.n)
  return table_class.new(columns, size)
end

--- Makes a table of what a query of a database gives: SQLite's, in a file, or a PostgreSQL
-- server's.
--     local query = "SELECT age, kind FROM pets WHERE age > $1"
--     local t = bnn.data.sql("pets.db", query, {params = {1}})
--     local part = t and t:part{label = "kind"}
-- A column in which all values are numbers is one of numbers, another one a category; NULL is
-- missing. Nothing is written to the database.
-- @param database string: path of a file of SQLite, or postgresql://host/db
-- @param query string: one statement of SQL
-- @param opts table: params= the list of values for $1, $2 ...; types=, categories=, missing=,
--   like= and optional=, as for bnn.data.table
-- @return table of bnn.data.table; or nil, message, with the database's own words if the statement
--   is wrong, and if it gives no rows
function M.sql(database, query, opts)
  local what = "bnn.data.sql"
  expect.string(what .. ": database", database, "a path or a URL")
  return table_sql.read(what, database, expect.string(what .. ": query", query, "SQL"), opts)
end

return M
