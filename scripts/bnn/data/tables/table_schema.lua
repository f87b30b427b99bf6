--- What the columns of a table are, without their values: a schema, which is plain data.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local number = require "bnn.base.number"
local strings = require "bnn.base.strings"

local M = {}

local COLUMNS_SHOWN = 40

--- How many values of a column are missing.
function M.missing(column)
  local v = column.values
  if v:size(1) == 0 then return 0 end
  local is_missing = column.kind == "category" and v:eq(-1) or v:ne(v)
  -- a sum of ones in float is no count beyond 2^24
  return math.tointeger(is_missing:to("i32"):sum():item())
end

-- "0.42 to 80" of what is there; nil where nothing is.
local function range_words(values)
  if values:size(1) == 0 then return nil end
  local is_there = values:eq(values)
  local least = core.ops.where(is_there, values, math.huge):min():item()
  local most = core.ops.where(is_there, values, -math.huge):max():item()
  if least > most then return nil end
  return number.format("%.6g to %.6g", least, most)
end

-- What a column, or its row of a schema, holds, in words.
local function content(column)
  local words = {}
  if column.kind == "category" then
    words[1] = ("%d: %s"):format(#column.categories, classes.words(column.categories))
  elseif column.values then
    words[1] = range_words(column.values)
  end
  local missing = column.missing or M.missing(column)
  if missing > 0 then words[#words + 1] = ("%d missing"):format(missing) end
  return table.concat(words, ", ")
end

--- A line for each of the first columns: name, kind, range or categories, how many are missing.
-- @param columns list of columns, or a schema
function M.lines(columns)
  local width, lines = 0, {}
  for i = 1, math.min(#columns, COLUMNS_SHOWN) do
    width = math.max(width, utf8.len(columns[i].name) or #columns[i].name)
  end
  for i = 1, math.min(#columns, COLUMNS_SHOWN) do
    local name = columns[i].name
    local space = (" "):rep(width - (utf8.len(name) or #name))
    local line = ("  %s%s  %-8s  %s"):format(name, space, columns[i].kind, content(columns[i]))
    lines[i] = strings.shown((line:gsub("%s+$", "")))
  end
  local more = #columns - COLUMNS_SHOWN
  if more > 0 then lines[#lines + 1] = ("  ... and %d more"):format(more) end
  return table.concat(lines, "\n")
end

local Schema = {__name = "bnn.schema", is_plain = true, is_list = true}

function Schema:__tostring()
  return ("schema: %d %s\n"):format(#self, #self == 1 and "column" or "columns") .. M.lines(self)
end

--- The schema of columns; frame:schema documents it.
function M.of(columns)
  local schema = {}
  for i, column in ipairs(columns) do
    local names = column.categories
    schema[i] = {name = column.name, kind = column.kind, missing = M.missing(column),
                 categories = names and table.move(names, 1, #names, 1, {})}
  end
  return setmetatable(schema, Schema)
end

return M
