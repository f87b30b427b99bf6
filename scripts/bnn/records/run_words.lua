--- Configurations as words of a command line.
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

-- A value as text that is read back as the same kind of number: 2.0 is not 2.
local function value_text(v)
  if type(v) == "table" then
    local items = {}
    for i, item in ipairs(v) do items[i] = value_text(item) end
    return table.concat(items, ",")
  end
  local text = math.type(v) == "float" and number.exact(v) or number.text(v)
  return math.type(v) == "float" and text:find "^-?%d+$" and text .. ".0" or text
end

--- A flag and its value as one word: --lr=0.1, --no_log.
function M.flag(name, v)
  if type(v) == "boolean" then return ("--%s%s"):format(v and "" or "no_", name) end
  return ("--%s=%s"):format(name, value_text(v))
end

--- The flags of a configuration, sorted, and the plain words after them.
-- @param config table: values by full name, and positional, a list of plain words, or nil
-- @param is_left_out function(name, value): whether a flag is not wanted; or nil
function M.of_config(config, is_left_out)
  local words = {}
  for _, name in ipairs(options.sorted_names(config)) do
    local v = config[name]
    if name ~= "positional" and not (is_left_out and is_left_out(name, v)) then
      words[#words + 1] = M.flag(name, v)
    end
  end
  local plain = type(config.positional) == "table" and config.positional or {}
  if plain[1] then words[#words + 1] = "--" end
  return table.move(plain, 1, #plain, #words + 1, words)
end

--- Whether two values of a configuration are the same.
local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  if #a ~= #b then return false end
  for i, item in ipairs(a) do
    if not same(item, b[i]) then return false end
  end
  return true
end

M.same = same

--- The same for the flags that differ from an experiment's defaults.
-- @param defaults table of entries {value, "meaning"} by full name
function M.of_changes(config, defaults)
  return M.of_config(config, function(name, v)
    local entry = defaults[name]
    return type(v) == "function" or entry ~= nil and same(entry[1], v)
  end)
end

--- A command as a shell reads it: bnnlua, a script (nil: none, the prompt) and words.
function M.command(script, words)
  local parts = {"bnnlua", script and strings.shell_word(script)}
  for _, word in ipairs(words) do parts[#parts + 1] = strings.shell_word(word) end
  return table.concat(parts, " ")
end

return M
