--- Tables like another: which column of a file is which of the other table's, or why none is.
local classes = require "bnn.model.classes"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local strings = require "bnn.base.strings"

local M = {}

local malformed = strings.malformed

--- The columns of like=: a table, a schema, a preprocess value or a model that has one; raises when
-- it is none of them. The schema of a preprocess value also has columns of the kind "ignore", and
-- those that are optional.
function M.columns(what, like)
  if kinds.is_object(like.preprocess, "preprocess") then like = like.preprocess end
  if kinds.is_object(like, "preprocess") then like = like:schema() end
  local columns = kinds.is_object(like, "frame") and like.columns or like
  for i, column in ipairs(columns) do
    local is_one = type(column) == "table" and type(column.name) == "string"
      and (column.kind == "number" or column.kind == "ignore"
        or column.kind == "category" and column.categories)
    if not is_one then
      fail("%s: like: expected a table of bnn.data.table or its schema; entry %d is no column",
        what, i)
    end
  end
  if #columns == 0 then fail.expected(what .. ": like", "a table or its schema", like) end
  return columns
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(type(names) == "table" and names or {names}) do set[name] = true end
  return set
end

local function names_of(columns)
  local names = {}
  for i, column in ipairs(columns) do names[i] = column.name end
  return names
end

-- Whether names are those that columns without a header get.
local function are_positions(names)
  for i, name in ipairs(names) do
    if name ~= "column_" .. i then return false end
  end
  return true
end

-- Whether the first row is a header: it has one of the names, or it is all names though the other
-- table has numbers in one of these columns.
local function has_header(first, all_names, columns, opts)
  if opts.header ~= nil then return opts.header end
  local names = names_of(columns)
  local known = set_of(names)
  for _, cell in ipairs(first) do
    if known[cell] then return true end
  end
  if not all_names or are_positions(names) then return false end
  for _, column in ipairs(columns) do
    if column.kind == "number" then return true end
  end
  return false
end

-- ---- by name ----

local function ignored(first, opts)
  local set = {}
  for column in pairs(opts.types or {}) do
    for k, cell in ipairs(first) do
      if column == cell or column == k or column == k - #first - 1 then set[k] = true end
    end
  end
  return set
end

local function unknown_column(path, k, name, names)
  local near = nearest.find(name, names)
  local hint = near and (" (did you mean '%s'?)"):format(near) or ""
  return malformed(path, "column %d '%s' is not one of those of the other table%s: %s (types = "
    .. "{[%d] = \"ignore\"} leaves it out)", k, name, hint, classes.words(names), k)
end

-- The place of each name in the header; or nil, fault.
local function places_of(path, first, skipped, names)
  local known, places = set_of(names), {}
  for k, name in ipairs(first) do
    local is_index = name == "" or k == 1 and name:find "^Unnamed: 0"
    if name == "" then name = ("column_%d"):format(k) end
    if not known[name] and not skipped[k] and not is_index then
      return unknown_column(path, k, name, names)
    elseif known[name] and places[name] then
      return malformed(path, "columns %d and %d are both called '%s'", places[name], k, name)
    end
    if not skipped[k] then places[name] = k end
  end
  return places
end

local function by_name(path, first, columns, optional, opts)
  local names = names_of(columns)
  local places, fault = places_of(path, first, ignored(first, opts), names)
  if not places then return nil, fault end
  local order, absent = {}, {}
  for _, column in ipairs(columns) do
    local at = column.kind ~= "ignore" and places[column.name]
    if at then
      order[#order + 1] = {name = column.name, at = at, like = column}
    elseif optional[column.name] or column.optional then
      absent[#absent + 1] = column.name
    elseif column.kind ~= "ignore" then
      return malformed(path, "has no column '%s', which the other table has (optional = \"%s\" "
        .. "lets it be absent)", column.name, column.name)
    end
  end
  return order, absent
end

-- ---- by position ----

local function by_position(path, first, columns, optional)
  local order, absent, needed = {}, {}, {}
  for _, column in ipairs(columns) do
    local to = (optional[column.name] or column.optional) and absent or needed
    to[#to + 1] = column
  end
  local used = #first == #columns and columns or needed
  if #first ~= #used then
    local counts = #absent > 0 and #columns > #needed and ("%d or %d"):format(#needed, #columns)
      or ("%d"):format(#columns)
    return malformed(path, "has %d columns and no header, the other table has %s", #first, counts)
  end
  for k, column in ipairs(used) do
    if column.kind ~= "ignore" then
      order[#order + 1] = {name = column.name, at = k, like = column}
    end
  end
  return order, used == columns and {} or names_of(absent)
end

--- How a file is read like another table.
-- @param first list of strings: the cells of its first row
-- @param all_names boolean: whether all of these may be names
-- @param opts table: like=, optional=, header=, types=
-- @return {header=, kinds=, categories=, order=, absent=}: order is a list of {name=, at=}, columns
--   of the file in the order of the other table; or nil, message
function M.plan(path, first, all_names, opts)
  local columns = M.columns("bnn.data.table", opts.like)
  local header = has_header(first, all_names, columns, opts)
  local match = header and by_name or by_position
  local order, absent = match(path, first, columns, set_of(opts.optional), opts)
  if not order then return nil, absent end
  local plan = {header = header, kinds = {}, categories = {}, order = order, absent = absent}
  for k in ipairs(first) do plan.kinds[k] = "ignore" end
  for _, row in ipairs(order) do
    plan.kinds[row.at], plan.categories[row.at] = row.like.kind, row.like.categories
  end
  return plan
end

-- ---- columns of Lua ----

-- name -> column of a list; raises for one that the other table does not have.
local function by_their_names(what, given, names)
  local known, own = set_of(names), {}
  for i, c in ipairs(given) do
    if type(c.name) ~= "string" then
      fail.expected(("%s: column %d: name"):format(what, i), "a string", c.name)
    end
    if own[c.name] then fail("%s: two columns are called '%s'", what, c.name) end
    if not known[c.name] then
      fail("%s: column '%s' is not one of those of the other table: %s", what, c.name,
        classes.words(names))
    end
    own[c.name] = c
  end
  return own
end

--- Columns of Lua with the kinds, the categories and the order of another table's; raises when one
-- is unknown, or absent and neither left out nor optional.
-- @param what string: the function, for messages
-- @param given list of {name=, values=}
-- @param opts table: like=, optional=
-- @param of_rows boolean: whether these are of rows, in which a missing value leaves no trace
-- @return list of {name=, values=, kind=, categories=}
function M.specs(what, given, opts, of_rows)
  local columns, specs = M.columns(what, opts.like), {n = given.n}
  local own, optional = by_their_names(what, given, names_of(columns)), set_of(opts.optional)
  for _, column in ipairs(columns) do
    local may_lack = column.kind == "ignore" or column.optional or optional[column.name]
    local c = own[column.name] or of_rows and not may_lack and {values = {}}
    if c and column.kind ~= "ignore" then
      specs[#specs + 1] = {name = column.name, values = c.values, kind = column.kind,
                           categories = column.categories}
    elseif not may_lack then
      fail("%s: there is no column '%s', which the other table has (optional = \"%s\" lets it be "
        .. "absent)", what, column.name, column.name)
    end
  end
  return specs
end

return M
