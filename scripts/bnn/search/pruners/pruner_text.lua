--- Pruners as text, for the command line and for records: "asha:eta=4:min=100".
local nearest = require "bnn.base.nearest"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

-- The value of an option as it was written: a number where it is one.
local function value_of(text) return number.parse(text) or text end

local function unknown_rule(name, rules)
  local names = options.sorted_names(rules)
  local near = nearest.find(name, names)
  return strings.message("expected one of %s, got %q%s", table.concat(names, ", "), name,
    near and (" (did you mean %s?)"):format(near) or "")
end

--- Reads a pruner.
-- @param text string: NAME, or NAME:OPTION=VALUE:OPTION=VALUE
-- @param rules table: name -> rule
-- @return name, table of options as numbers and strings; or nil, message
function M.parse(text, rules)
  local words = {}
  for word in (text .. ":"):gmatch "([^:]*):" do words[#words + 1] = word end
  local name, opts = words[1], {}
  if not rules[name] then return nil, unknown_rule(name, rules) end
  for i = 2, #words do
    local option, value = words[i]:match "^([%a_]+)=(.+)$"
    if not option then
      return nil, strings.message("%s: expected OPTION=VALUE after a colon, got %q", name, words[i])
    elseif opts[option] then
      return nil, strings.message("%s: expected %s once, got %q", name, option, text)
    end
    opts[option] = value_of(value)
  end
  return name, opts
end

--- Writes a pruner as parse reads it: options that are not the default, by name.
function M.write(name, opts, spec)
  local words = {name}
  for _, option in ipairs(options.sorted_names(spec)) do
    local value, kind = opts[option], spec[option]
    if value ~= nil and value ~= (type(kind) == "table" and kind.default) then
      local shown = type(value) == "number" and number.exact(value) or tostring(value)
      words[#words + 1] = option .. "=" .. shown
    end
  end
  return table.concat(words, ":")
end

return M
