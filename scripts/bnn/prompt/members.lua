--- Reads fields and methods of a value without calling any code: its own keys, and those of the
-- tables that its metatables name as __index.
local strings = require "bnn.base.strings"

local M = {}

local DEEPEST = 20 -- tables that __index leads through

-- The methods of the library's tensors stand behind a function of C, which holds their table.
local function table_behind(index)
  if type(index) == "table" then return index end
  if type(index) ~= "function" or debug.getinfo(index, "S").what ~= "C" then return nil end
  local _, held = debug.getupvalue(index, 1)
  return type(held) == "table" and held or nil
end

-- The tables in which a field of the value is looked for, in that order.
local function tables_of(value)
  local tables = {}
  while #tables < DEEPEST do
    if type(value) == "table" then tables[#tables + 1] = value end
    local meta = debug.getmetatable(value)
    local index = type(meta) == "table" and table_behind(rawget(meta, "__index"))
    if not index or rawequal(index, value) then break end
    value = index
  end
  return tables
end

--- The value of a field, or nil.
function M.get(value, name)
  for _, t in ipairs(tables_of(value)) do
    local field = rawget(t, name)
    if field ~= nil then return field end
  end
end

--- The value of a path, {"bnn", "optim"}, from the globals on; or nil.
function M.follow(path)
  local value = _G
  for _, name in ipairs(path) do value = M.get(value, name) end
  return value
end

--- Lists the names of a value's fields, in alphabetical order.
-- @param value any
-- @param only_methods boolean: those of functions
function M.names(value, only_methods)
  local names, seen = {}, {}
  for _, t in ipairs(tables_of(value)) do
    for name, field in next, t do
      local fits = type(name) == "string" and name:find "^[%a_][%w_]*$" and not name:find "^__"
      if fits and not seen[name] and (not only_methods or type(field) == "function") then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  table.sort(names, strings.before)
  return names
end

return M
