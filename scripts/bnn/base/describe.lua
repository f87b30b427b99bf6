--- Describes a table of the library in one line, which tostring and print show; of several of a
-- kind by name, such as the predictions of targets, each has a line.
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

-- The fields with a name, by name, without functions: those of which are(value) holds, or not.
local function names_of(fields, are, wanted)
  local names = {}
  for name, value in next, fields do
    local is_shown = type(name) == "string" and type(value) ~= "function"
    if is_shown and are(value) == wanted then names[#names + 1] = name end
  end
  table.sort(names, strings.before)
  return names
end

-- "kind: name = value, ..." of the fields of these names.
local function line_of(kind, fields, names)
  local parts = {}
  for i, name in ipairs(names) do
    parts[i] = strings.shown(name) .. " = " .. value_text(fields[name])
  end
  local line = #parts > 0 and kind .. ": " .. table.concat(parts, ", ") or kind
  return #line <= MOST and line or line:sub(1, utf8.offset(line, 0, MOST - 2) - 1) .. "..."
end

-- The line of a table, and below it one for each field that is of the same kind.
local function text_of(kind, fields)
  local class = getmetatable(fields)
  local function is_inner(value) return type(value) == "table" and getmetatable(value) == class end
  local inner_names = names_of(fields, is_inner, true)
  local lines = {line_of(kind, fields, names_of(fields, is_inner, false))}
  if #inner_names > 0 and lines[1] == kind then lines[1] = kind .. ":" end
  for _, name in ipairs(inner_names) do
    local inner = fields[name]
    lines[#lines + 1] = line_of("  " .. strings.shown(name), inner,
      names_of(inner, function() return true end, true))
  end
  return table.concat(lines, "\n")
end

local classes = {} -- kind -> metatable

--- The names of a table's fields, but for numbers, in a line.
function M.names(t)
  local function is_number(value) return type(value) == "number" end
  return strings.shown(table.concat(names_of(t, is_number, false), ", "))
end

--- Returns the same table, which now prints so.
-- @param kind string: "data set"
-- @param t table without a metatable
-- @param called function(t) -> what errors call one, or nil for the kind: once for all of a kind
function M.as(kind, t, called)
  classes[kind] = classes[kind] or {
    __name = "bnn." .. kind, -- what errors call it
    __tostring = function(self) return text_of(kind, self) end,
    __parts = function(self) return self end, -- grad and compile go through it
    is_plain = true, -- its values can be kept like a table's
  }
  classes[kind].called = called or classes[kind].called
  return setmetatable(t, classes[kind])
end

return M
