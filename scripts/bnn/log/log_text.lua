--- Values and lines as log files hold them.
local number = require "bnn.base.number"
local strings = require "bnn.base.strings"

local M = {}

--- A value as a cell of CSV.
function M.csv(v)
  local text = type(v) == "number" and number.exact(v) or number.text(v)
  return text:find '[,"\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
end

--- A value as JSON; numbers that are not finite are null.
function M.json(v)
  if type(v) == "boolean" then return tostring(v) end
  if type(v) == "number" then
    return (v ~= v or v == math.huge or v == -math.huge) and "null" or number.exact(v)
  end
  local function escape(c) return ("\\u%04x"):format(c:byte()) end
  return '"' .. strings.utf8(v):gsub('[\0-\31\127"\\]', escape) .. '"'
end

--- A block of rows as a line of JSON.
function M.json_line(step, rows)
  local fields = {('"step":%d'):format(step)}
  for _, row in ipairs(rows) do
    fields[#fields + 1] = M.json(row[1]) .. ":" .. M.json(row[2])
  end
  return "{" .. table.concat(fields, ",") .. "}\n"
end

--- What is added to a last line of CSV that was cut short, so that it is no row: its number may
-- have lost digits.
-- @param line string
function M.csv_ending(line)
  local _, quotes = line:gsub('"', "")
  return (quotes % 2 == 1 and '"' or "") .. ",cut short\n"
end

--- The same for JSON, where half an object is none.
function M.json_ending() return "\n" end

return M
