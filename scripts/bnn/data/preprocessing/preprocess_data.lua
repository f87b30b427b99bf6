--- What fitted preprocess values hold, as plain data: written for checkpoints, and read back.
--
-- Data may come from anywhere: whatever is wrong with them is a message.
local column_steps = require "bnn.data.preprocessing.column_steps"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

local VERSION = 1

local TEXT = {type = "string", required = true}
local LIST = {type = "table", required = true}
local NAMES = {type = "string", list = true, required = true}

local ENCODING = {
  step = {type = "string", choices = {"one_hot", "ordinal"}, required = true},
  unknown = {type = "string", choices = {"error", "zeros"}},
}

local COLUMN = {
  number = {name = TEXT, kind = TEXT, steps = LIST},
  category = {name = TEXT, kind = TEXT, steps = LIST, categories = NAMES,
              missing = {type = "boolean", required = true}},
  ignored = {name = TEXT, kind = TEXT, steps = LIST, ignore = "boolean"},
}

local TARGET = {
  number = {kind = TEXT, columns = LIST},
  category = {kind = TEXT, name = TEXT, classes = NAMES},
}

local WHOLE = {
  version = {type = "integer", min = VERSION, max = VERSION, required = true},
  columns = LIST, target = "table", weight = "string", order = NAMES,
  size = {type = "integer", min = 0, required = true},
}

-- What is wrong, and where.
local function at(place, fault) return nil, strings.message("%s: %s", place, fault) end

-- Reads each entry of a list; or nil, fault.
local function each(place, list, read)
  local result = {}
  if not kinds.is_plain(list) or #list == 0 and next(list) ~= nil then
    return at(place, "expected a list")
  end
  for i, item in ipairs(list) do
    local value, fault = read(("%s %d"):format(place, i), item)
    if not value then return nil, fault end
    result[i] = value
  end
  return result
end

-- A table by a spec; or nil, fault.
local function read(place, given, spec)
  local value, fault = options.read(given, spec)
  if not value then return at(place, fault) end
  if given == nil then return at(place, "expected a table") end
  return value
end

local function read_step(place, given)
  local row = type(given) == "table" and column_steps.rows[given.step]
  if not row then return at(place, "expected a known step") end
  local spec = {step = TEXT}
  for name, kind in pairs(row.saved) do spec[name] = kind end
  return read(place, given, spec)
end

local function read_encoding(place, given) return read(place, given, ENCODING) end

-- The fault of a list of names: one that is there twice.
local function repeated(place, names)
  local seen = {}
  for _, name in ipairs(names) do
    if seen[name] then return select(2, at(place, "'" .. name .. "' is there twice")) end
    seen[name] = true
  end
end

local function read_category(place, column)
  local fault = repeated(place, column.categories)
  if not fault and #column.steps ~= 1 then
    fault = select(2, at(place, "expected one step of categories"))
  end
  if fault then return nil, fault end
  column.steps, fault = each(place .. ": step", column.steps, read_encoding)
  return not fault and column or nil, fault
end

local function read_column(place, given)
  local kind = type(given) == "table" and given.kind
  if not TARGET[kind] then return at(place, "expected the kind number or category") end
  local column, fault = read(place, given, given.ignore and COLUMN.ignored or COLUMN[kind])
  if not column then return nil, fault end
  if column.ignore then
    column.steps = {}
    return column
  end
  if kind == "category" then return read_category(place, column) end
  column.steps, fault = each(place .. ": step", column.steps, read_step)
  return not fault and column or nil, fault
end

-- The steps of targets are those that can be undone.
local TARGET_STEPS = {standardise = true, log = true, log1p = true}

local function read_target_column(place, given)
  local column, fault = read(place, given, {name = TEXT, steps = LIST})
  if not column then return nil, fault end
  column.steps, fault = each(place .. ": step", column.steps, read_step)
  if fault then return nil, fault end
  for _, step in ipairs(column.steps) do
    if not TARGET_STEPS[step.step] then return at(place, "expected steps that can be undone") end
  end
  return column
end

local function read_target(given)
  local spec = TARGET[given.kind]
  if not spec then return at("target", "expected the kind number or category") end
  local target, fault = read("target", given, spec)
  if not target then return nil, fault end
  if target.classes then
    fault = repeated("target", target.classes)
      or not target.classes[1] and "target: expected classes"
    return not fault and target or nil, fault or nil
  end
  target.columns, fault = each("target", target.columns, read_target_column)
  if not fault and not target.columns[1] then return at("target", "expected a column") end
  return not fault and target or nil, fault
end

local function names_of(list)
  local names = {}
  for i, item in ipairs(list) do names[i] = item.name end
  return names
end

--- What a fitted value holds, as a checkpoint keeps it.
-- @param data {columns=, target=, weight=, size=, order=}
function M.describe(data)
  return {version = VERSION, columns = data.columns, target = data.target, weight = data.weight,
          size = data.size, order = data.order}
end

-- Whether a column of x remains.
local function has_columns(columns)
  for _, column in ipairs(columns) do
    if not column.ignore then return true end
  end
end

--- Reads what M.describe gave.
-- @return {columns=, target=, weight=, size=, order=}; or nil, what is wrong
function M.read(given)
  local data, fault = read("preprocess", given, WHOLE)
  if not data then return nil, fault end
  data.columns, fault = each("column", data.columns, read_column)
  if not fault then fault = repeated("columns", names_of(data.columns)) end
  if not fault then fault = repeated("order", data.order) end
  if not fault and not has_columns(data.columns) then fault = "expected a column of x, got none" end
  if not fault and data.target then data.target, fault = read_target(data.target) end
  if fault then return at("preprocess", fault) end
  return data
end

return M
