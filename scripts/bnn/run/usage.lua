--- The text of `--help`: what the experiment is about, and each flag with its meaning and default.
local common_flags = require "bnn.run.common_flags"
local flags = require "bnn.run.flags"
local help_text = require "bnn.help.help_text"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

local COLUMNS = 80
local COMMON_AT = 1 << 32 -- where the common flags are, after everything in a source
local MEANING_AT = 28 -- where meanings start; a longer flag stands on a line of its own

-- The text of the script that defines an experiment, or nil where it cannot be had.
local function source_of(run)
  local source = debug.getinfo(run, "S").source
  if source:sub(1, 1) ~= "@" then return source:find "\n" and source end
  local file = io.open(source:sub(2))
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

-- Where the table of defaults starts in the source: of several, the last above `run`, or else
-- the first.
local function defaults_at(text, run)
  local run_line, line, found = debug.getinfo(run, "S").linedefined, 0, nil
  for from, row in text:gmatch "()([^\n]*)\n?" do
    line = line + 1
    if row:find "%f[%w_]defaults%s*=%s*{" and (not found or line <= run_line) then found = from end
  end
  return found or 1
end

-- Where the entry of a full name is in the source: each part of it is after the one before.
local function place_of(text, name, from)
  local at = from
  for part in name:gmatch "[^.]+" do
    at = text:find("%f[%w_]" .. part .. "%s*=%s*{", at)
    if not at then return COMMON_AT end
  end
  return at
end

--- Lists the names of the defaults in display order: experiment.order first, then as in the source
-- (Lua's tables keep no order), then by name, then the common flags.
-- @param run function: the experiment's own run, whose source is read
function M.order(experiment, run)
  local at, names = {}, options.sorted_names(experiment.defaults)
  local text = source_of(run) or ""
  local from = defaults_at(text, run)
  for _, name in ipairs(names) do
    at[name] = place_of(text, name, from)
  end
  for i, name in ipairs(common_flags.names(experiment.common)) do
    if common_flags.is_common(experiment, name) then at[name] = COMMON_AT + i end
  end
  for i, name in ipairs(experiment.order or {}) do
    if not at[name] then error(("order: '%s' is not in defaults"):format(name), 0) end
    at[name] = i - math.maxinteger
  end
  table.sort(names, function(a, b)
    if at[a] ~= at[b] then return at[a] < at[b] end
    return strings.before(a, b)
  end)
  return names
end

local words = {
  number = "NUMBER", integer = "INTEGER", schedule = "NUMBER|SCHEDULE", string = "TEXT",
}

local function flag_text(name, spec)
  if spec.type == "boolean" then return ("  --[no_]%s"):format(name) end
  local word = words[spec.type] or "VALUE"
  if spec.choices then
    word = table.concat(spec.choices, "|")
  elseif spec.list then
    word = word .. ",..."
  end
  return ("  --%s=%s"):format(name, word)
end

local function default_text(spec)
  local value = spec.default
  if spec.required then return " (required)" end
  if value == nil then return "" end
  local text = spec.list and number.list(value, ",") or number.text(value)
  return (" (default %s)"):format(text == "" and "empty" or text)
end

local function add_entry(lines, flag, meaning)
  local wrapped = help_text.wrap(meaning, COLUMNS - MEANING_AT)
  if #flag + 2 > MEANING_AT then
    lines[#lines + 1] = flag
    flag = ""
  end
  for i, line in ipairs(wrapped) do
    lines[#lines + 1] = ("%-" .. MEANING_AT .. "s%s"):format(i == 1 and flag or "", line)
  end
end

local own_flags = {
  {"config", "  --config=FILE", "read flags from a file, JSON or a Lua table; flags override it"},
  {"show_config", "  --show_config", "print the values of all flags, as --config reads them"},
  {"help", "  --help", "show this text"},
}

-- How the experiment is started: what does not fit beside a long path goes below it.
local function add_usage(lines, program, ...)
  local line = "usage: " .. program
  for _, word in ipairs {...} do
    if #line + 1 + #word > COLUMNS then
      lines[#lines + 1] = line
      line = "       " .. word
    else
      line = line .. " " .. word
    end
  end
  lines[#lines + 1] = line
end

--- Returns the usage text of an experiment.
-- @param experiment table
-- @param program string: the command that starts it ("bnnlua experiments/mnist.lua")
-- @param run function: the experiment's own run
function M.text(experiment, program, run)
  local positional = experiment.positional
  local lines = {}
  add_usage(lines, program, "[--flag=value ...]", positional and positional[1])
  if experiment.about then
    lines[#lines + 1] = ""
    for _, line in ipairs(help_text.wrap(experiment.about, COLUMNS)) do lines[#lines + 1] = line end
  end
  lines[#lines + 1] = ""
  for _, name in ipairs(M.order(experiment, run)) do
    local entry = experiment.defaults[name]
    local spec = flags.spec(name, entry)
    add_entry(lines, flag_text(name, spec), entry[2] .. default_text(spec))
  end
  for _, row in ipairs(own_flags) do
    if not experiment.defaults[row[1]] then add_entry(lines, row[2], row[3]) end
  end
  if positional then add_entry(lines, "  " .. positional[1], positional[2]) end
  return table.concat(lines, "\n") .. "\n"
end

return M
