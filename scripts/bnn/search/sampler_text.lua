--- Reads what users give for a sampler: "tpe", "tpe:candidates=48", {"tpe", candidates = 48}.
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"
local values = require "bnn.search.space_values"

local M = {}

-- Name and options of "tpe:startup_trials=20:candidates=48"; or nil, message.
local function parse(text)
  local words, own = values.split(text, "[:]"), {}
  for i = 2, #words do
    local name, word = words[i]:match "^([%a_][%w_]*)=(.+)$"
    if not name then
      return nil, strings.message("expected NAME=VALUE after %s:, got '%s'", words[1], words[i])
    end
    local v, fault = values.read(word)
    if v == nil then return nil, strings.message("%s: %s", name, fault) end
    own[name] = v
  end
  return words[1], own
end

-- Name and options of {"tpe", candidates = 48}.
local function from_table(given)
  local own = {}
  for k, v in pairs(given) do
    if k ~= 1 then own[k] = v end
  end
  return given[1], own
end

local function unknown(name, methods)
  local names = options.sorted_names(methods)
  local near = type(name) == "string" and nearest.find(name, names)
  return nil, ("expected one of %s or a function, got %s%s"):format(table.concat(names, ", "),
    kinds.show(name), near and (" (did you mean %s?)"):format(near) or "")
end

--- Reads a sampler's name and its options.
-- @param given string or table
-- @param methods table: name -> method
-- @return name, options; or nil, message
function M.read(given, methods)
  local name, own = given, {}
  if type(given) == "table" then
    name, own = from_table(given)
  elseif type(given) == "string" then
    name, own = parse(given)
    if not name then return nil, own end
  end
  if type(name) ~= "string" or not methods[name] then return unknown(name, methods) end
  local checked, fault = options.read(own, methods[name].options or {})
  if not checked then return nil, name .. ": " .. fault end
  return name, own
end

return M
