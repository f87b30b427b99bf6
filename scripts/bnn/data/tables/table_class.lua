--- Tables: columns by name, each of numbers or of categories, with what is missing kept as such.
--
-- A column is {name=, kind=, values=, categories=}. Of a "number" column values are real [n], NaN
-- where one is missing; of a "category" column they are i32 [n], places in categories from 0, -1
-- where one is missing. Columns are never changed, so tables share them.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local table_schema = require "bnn.data.tables.table_schema"

local M = {}

local Frame = {__name = "bnn.frame"}
Frame.__index = Frame

--- Whether a value is a table of bnn.data.table.
function M.is(value) return kinds.is_object(value, "frame") end

--- The class, for methods that need what is above this room.
M.class = Frame

--- Makes a table of columns that are known to be good: different names, values of one length.
-- @param columns list of {name=, kind=, values=, categories=}
-- @param size integer: rows
-- @param origin string or nil: where they come from, for messages
function M.new(columns, size, origin)
  local self = {columns = columns, size = size, origin = origin, names = {}}
  for i, column in ipairs(columns) do self.names[i] = column.name end
  return setmetatable(self, Frame)
end

-- ---- columns ----

local function missing_column(self, what, name)
  local near = type(name) == "string" and nearest.find(name, self.names)
  local hint = near and (" (did you mean '%s'?)"):format(near) or ""
  if type(name) == "string" then
    fail("%s: there is no column '%s'%s; the table has %d", what, name, hint, #self.names)
  end
  fail("%s: expected a column's name or its position within 1..%d, got %s", what, #self.names,
    kinds.show(name))
end

--- The position of a column by its name or its position, from the end when negative; or raises.
-- @param what string: the function, for messages
function M.position(self, what, name)
  local at = type(name) == "number" and math.tointeger(name)
  if at and at < 0 then at = #self.names + 1 + at end
  if self.columns[at or 0] then return at end
  for i, other in ipairs(self.names) do
    if other == name then return i end
  end
  missing_column(self, what, name)
end

--- The positions of columns that a list, or one name or position, says: a list in its order, and
-- the set of them; or raises.
function M.positions(self, what, names)
  if type(names) ~= "table" then names = {names} end
  local list, set = {}, {}
  for i, name in ipairs(names) do
    list[i] = M.position(self, what, name)
    if set[list[i]] then fail("%s: column '%s' is there twice", what, self.names[list[i]]) end
    set[list[i]] = true
  end
  return list, set
end

--- Returns a column.
--     local t = bnn.data.table{{name = "colour", values = {"red", "blue", "red"}}}
--     print(t:column("colour").values, t:column(1).categories[1])   -- i32 [3]: 1 0 1, blue
-- @param name string or integer: the column's name, or its position, from the end when negative
-- @return {name=, kind=, values=, categories=}: kind is "number", with values real [n] and NaN for
--   a missing one, or "category", with values i32 [n], which are places in the list categories,
--   from 0, and -1 for a missing one
-- Raises if there is no such column.
function Frame:column(name)
  local column = self.columns[M.position(self, "frame:column", name)]
  return {name = column.name, kind = column.kind, values = column.values,
    categories = column.categories and table.move(column.categories, 1, #column.categories, 1, {})}
end

--- Returns what the columns are, as data that a checkpoint or a file of JSON can keep.
--     local t = bnn.data.table{{name = "age", values = {31, 0/0, 50}}}
--     print(t:schema()[1].kind, t:schema()[1].missing)  -- number  1
-- @return list of {name=, kind=, categories=, missing=}: kind "number" or "category", whose
--   categories are a list of strings; missing is how many values are
function Frame:schema() return table_schema.of(self.columns) end

local function with_columns(self, positions)
  local columns = {}
  for i, at in ipairs(positions) do columns[i] = self.columns[at] end
  return M.new(columns, self.size, self.origin)
end

--- Returns a table of some columns, in the order of the list.
--     local t = bnn.data.table{{name = "a", values = {1}}, {name = "b", values = {2}}}
--     print(t:select{"b"}.names[1])                     -- b
-- @param names list of names or positions, or one of them
-- @return table of bnn.data.table
-- Raises if there is no such column, or one is in the list twice.
function Frame:select(names)
  return with_columns(self, (M.positions(self, "frame:select", names)))
end

--- Returns a table of all but some columns.
--     local t = bnn.data.table{{name = "a", values = {1}}, {name = "b", values = {2}}}
--     print(t:without("a").names[1])                    -- b
-- @param names list of names or positions, or one of them
-- @return table of bnn.data.table
-- Raises if there is no such column, or one is in the list twice.
function Frame:without(names)
  local _, set = M.positions(self, "frame:without", names)
  local rest = {}
  for i in ipairs(self.columns) do
    if not set[i] then rest[#rest + 1] = i end
  end
  return with_columns(self, rest)
end

-- ---- rows ----

-- A table of the same columns with other values: those that rows(values) gives.
local function with_rows(self, size, rows)
  local columns = {}
  for i, column in ipairs(self.columns) do
    columns[i] = {name = column.name, kind = column.kind, categories = column.categories,
                  values = rows(column.values)}
  end
  return M.new(columns, size, self.origin)
end

--- Returns rows first..last, both included, as a table that shares memory; `last` may lie beyond
-- the end.
--     local t = bnn.data.table{{name = "a", values = {1, 2, 3}}}
--     print(t:slice(2, 3).size)                         -- 2
-- @param first integer, from 1 (default 1)
-- @param last integer (default: the last row)
-- @return table of bnn.data.table
-- Raises if first is not a row, or last is before it.
function Frame:slice(first, last)
  local from, n = expect.row_range("frame:slice", self.size, first, last)
  return with_rows(self, n, function(values) return values:narrow(1, from, n) end)
end

--- Returns the rows of a list, in its order; a row may be there more than once.
--     local t = bnn.data.table{{name = "a", values = {10, 20, 30}}}
--     print(t:index{3, 1}:column("a").values)           -- real [2]: 30 10
-- @param rows tensor i32 [m] or list of integers: positions of rows, from 1
-- @return table of bnn.data.table with m rows
-- Raises if there is no such row.
function Frame:index(rows)
  if kinds.is_plain(rows) then rows = core.tensor(rows, "i32") end
  if not kinds.is_object(rows, "tensor") or rows:dim() ~= 1 then
    fail.expected("frame:index: rows", "a list or a tensor i32 [m] of positions", rows)
  end
  return with_rows(self, rows:size(1), function(values)
    return fail.within("frame:index", values.index, values, rows)
  end)
end

-- The values of a column as Lua has them: numbers and texts, nil where one is missing.
local function shown_values(column)
  local values, list = column.values:totable(), {}
  for i, v in ipairs(values) do
    if column.kind == "category" then
      list[i] = column.categories[v + 1]
    elseif v == v then
      list[i] = v
    end
  end
  return list
end

--- Returns the rows as Lua values, to look at.
--     local t = bnn.data.table{{name = "a", values = {1, 2}}, {name = "b", values = {"x", "y"}}}
--     print(t:slice(2, 2):totable()[1].b)               -- y
-- @return list of tables by the columns' names: numbers and strings, nil for what is missing
function Frame:totable()
  local rows = {}
  for i = 1, self.size do rows[i] = {} end
  for _, column in ipairs(self.columns) do
    for i, v in pairs(shown_values(column)) do rows[i][column.name] = v end
  end
  return rows
end

-- ---- looking ----

-- #t is how many rows it has.
function Frame:__len() return self.size end

function Frame:__tostring()
  local title = ("table: %d %s of %d %s"):format(self.size, self.size == 1 and "row" or "rows",
    #self.columns, #self.columns == 1 and "column" or "columns")
  return title .. "\n" .. table_schema.lines(self.columns)
end

expect_model.check_methods(Frame, "frame", expect_model.has "columns")

return M
