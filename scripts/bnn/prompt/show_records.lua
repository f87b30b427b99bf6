--- Lists of records, such as runs or the tensors of an audit, as a table with a row for each, where
-- they are too long to be read one after the other.
local number = require "bnn.base.number"
local show_names = require "bnn.prompt.show_names"
local show_object = require "bnn.prompt.show_object"
local strings = require "bnn.base.strings"
local table_text = require "bnn.base.table_text"

local M = {}

local MOST_ROWS, MOST_COLUMNS, MOST_CELL = 30, 12, 32
local FIRST = {id = 1, name = 2, number = 3, status = 4} -- columns that come before the others

local function is_plain(v) return type(v) == "table" and debug.getmetatable(v) == nil end

-- A metric of a run is {value=, step=, ...}.
local function value_of(v)
  return is_plain(v) and rawget(v, "value") or v
end

-- A record with the fields of the tables in it as fields of its own: metrics.loss.
local function flat(record)
  local row = {}
  for name, v in next, record do
    if is_plain(v) and next(v) ~= nil and #v == 0 then
      for inner, field in next, v do row[name .. "." .. tostring(inner)] = value_of(field) end
    else
      row[name] = v
    end
  end
  return row
end

-- The rows of a list of tables with names alone, and these names; nil for others.
local function rows_of(list)
  local seen, names, rows = {}, {}, {}
  for i = 1, #list do
    local record = rawget(list, i)
    if not is_plain(record) or next(record) == nil or #record > 0 then return nil end
    rows[i] = flat(record)
    for name in next, rows[i] do
      if type(name) ~= "string" then return nil end
      if not seen[name] then names[#names + 1], seen[name] = name, true end
    end
  end
  for key in next, list do
    if math.type(key) ~= "integer" then return nil end
  end
  return #rows > 1 and rows or nil, names
end

-- Of many columns those that tell the rows apart, and no more than a few.
local function chosen(rows, names)
  local list = {}
  for _, name in ipairs(names) do
    local differs = #names <= MOST_COLUMNS or FIRST[name] ~= nil
    for _, row in ipairs(rows) do differs = differs or row[name] ~= rows[1][name] end
    if differs and #list < MOST_COLUMNS then list[#list + 1] = name end
  end
  return list
end

local function rank(name)
  return FIRST[name] or name:find "^metrics%." and 5 or name:find "^config%." and 6 or 7
end

local function before(a, b)
  local rank_a, rank_b = rank(a), rank(b)
  if rank_a ~= rank_b then return rank_a < rank_b end
  return strings.before(a, b)
end

-- What a table within a record holds: a list's items, else its names.
local function inner_text(v)
  local texts = {}
  for i = 1, math.min(#v, 8) do texts[i] = number.text(v[i]) end
  if texts[1] then return "[" .. table.concat(texts, ", ") .. (#v > 8 and ", ..." or "") .. "]" end
  return "{" .. table.concat(show_names.sorted(v), ", ") .. "}"
end

local function cell(v)
  if type(v) == "number" or v == nil then return v end
  local text = show_object.line(v) or is_plain(v) and inner_text(v) or number.text(v)
  return strings.cut(text:match "[^\n]*", MOST_CELL)
end

local function render(rows, names)
  local shown = {}
  for i = 1, math.min(#rows, MOST_ROWS) do
    shown[i] = {}
    for k, name in ipairs(names) do shown[i][k] = cell(rows[i][name]) end
  end
  local lines, room = {}, show_names.width()
  for line in table_text.render(shown, names):gmatch "[^\n]+" do
    lines[#lines + 1] = strings.cut(line, room)
  end
  if #rows > MOST_ROWS then lines[#lines + 1] = ("... %d more"):format(#rows - MOST_ROWS) end
  return table.concat(lines, "\n")
end

--- The text of a list of records; nil for others.
-- @param v any
-- @param plain string: the list as a table of Lua, which is shown if each record has a line there
function M.text(v, plain)
  if not is_plain(v) then return nil end
  local _, lines = plain:gsub("\n", "")
  if lines <= #v + 1 and not plain:find("{...}", 1, true) then return nil end
  local rows, names = rows_of(v)
  if not rows then return nil end
  table.sort(names, before)
  return render(rows, chosen(rows, names))
end

return M
