--- Text tables for the end of a run: aligned columns, numbers right, words left.
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local number = require "bnn.base.number"
local strings = require "bnn.base.strings"

local M = {}

local function cell_text(v, column)
  if v == nil then return "-" end
  if v ~= v then return "nan" end -- without the sign that it has on some machines
  if column.format and type(v) == "number" then return number.format(column.format, v) end
  if math.type(v) == "float" then return number.fixed(v, column.decimals or 3) end
  return strings.shown(number.text(v))
end

local function width_of(text)
  return utf8.len(text) or #text
end

local function pad(text, width, right)
  local space = (" "):rep(width - width_of(text))
  return right and space .. text or text .. space
end

-- Fills in a column's texts, width and side from the rows: right where every value is a number.
local function measure(column, i, rows)
  local c = type(column) == "table" and column or {column}
  local m = {title = strings.shown(number.text(c[1] or c.title or "")), texts = {}, right = true}
  m.width = width_of(m.title)
  for r, row in ipairs(rows) do
    local v = row[c.key or m.title]
    if v == nil then v = row[i] end
    m.texts[r] = cell_text(v, c)
    m.width = math.max(m.width, width_of(m.texts[r]))
    if v ~= nil and type(v) ~= "number" then m.right = false end
  end
  if c.align then m.right = c.align == "right" end
  return m
end

local function line_of(measured, text_of)
  local cells = {}
  for i, m in ipairs(measured) do cells[i] = pad(text_of(m), m.width, m.right) end
  return (table.concat(cells, "  "):gsub("%s+$", ""))
end

--- Renders an aligned table as a string; its first line holds the titles.
--     local rows = {{"mnist", 0.978}, {"glyphs", 0.991}}
--     print(bnn.table_text.render(rows, {"data", {"accuracy", decimals = 2}}))
-- @param rows list: each row is a list of values in the order of the columns, or a table by key
-- @param columns list: titles, or {title, key=, decimals=3, format=, align="left"|"right"};
--   decimals: for floats; values too small for them get 3 digits (0.00012, 1e-05); format: for
--   every number, as for string.format
-- @return string, a line for each row
function M.render(rows, columns)
  expect.plain_table("bnn.table_text: rows", rows, "a list of rows")
  expect.plain_table("bnn.table_text: columns", columns, "a list of columns")
  for i, row in ipairs(rows) do
    if type(row) ~= "table" then fail.expected("bnn.table_text: row " .. i, "a table", row) end
  end
  local measured, lines = {}, {}
  for i, column in ipairs(columns) do measured[i] = measure(column, i, rows) end
  lines[1] = line_of(measured, function(m) return m.title end)
  for r = 1, #rows do
    lines[r + 1] = line_of(measured, function(m) return m.texts[r] end)
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
