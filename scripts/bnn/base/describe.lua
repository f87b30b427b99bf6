--- Describes a table of the library in one line, which tostring and print show.
--
--     print(data)         data set: name = "mnist", train = {60000 examples, ...}, ...
--     print(prediction)   prediction: class = i32 [10], class_std = f32 [10], ..., std = f32 [10]
--
-- Tables of results (data sets, predictions, checkpoints) stay plain tables otherwise: their fields
-- can be read, copied and passed to grad as before.
local number = require "bnn.base.number"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local MOST = 200 -- characters

local function class_name(v)
  local meta = getmetatable(v)
  return type(meta) == "table" and type(meta.__name) == "string" and meta.__name
end

-- A value in a few words.
local function value_text(v)
  local class = class_name(v)
  if class == "bnn.tensor" then return v:dtype() .. " " .. shapes.text(v) end
  if type(v) == "string" then return '"' .. strings.shown(v) .. '"' end
  if math.type(v) == "float" then return number.format("%.6g", v) end
  local own = class and getmetatable(v).__tostring
  if own then return "{" .. tostring(v):match "[^\n]*" .. "}" end
  if type(v) == "table" then return #v > 0 and ("list of %d"):format(#v) or "table" end
  if type(v) == "userdata" then return type(v) end
  return number.text(v)
end

-- "kind: name = value, ..." of the fields with a name, by name; functions are left out.
local function line_of(kind, fields)
  local names, parts = {}, {}
  for name, value in next, fields do
    if type(name) == "string" and type(value) ~= "function" then names[#names + 1] = name end
  end
  table.sort(names, strings.before)
  for i, name in ipairs(names) do
    parts[i] = strings.shown(name) .. " = " .. value_text(fields[name])
  end
  local line = #parts > 0 and kind .. ": " .. table.concat(parts, ", ") or kind
  return #line <= MOST and line or line:sub(1, utf8.offset(line, 0, MOST - 2) - 1) .. "..."
end

local classes = {} -- kind -> metatable

--- Returns the same table, which now prints as one line.
-- @param kind string: "data set"
-- @param t table without a metatable
function M.as(kind, t)
  classes[kind] = classes[kind] or {
    __name = "bnn." .. kind, -- what errors call it
    __tostring = function(self) return line_of(kind, self) end,
    __parts = function(self) return self end, -- grad and compile go through it
    is_plain = true, -- its values can be kept like a table's
  }
  return setmetatable(t, classes[kind])
end

return M
