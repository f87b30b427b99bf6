--- Reads the command line of an experiment according to its table of defaults.
-- An entry is {value, "meaning", type=, min=, max=, above=, choices=, required=, infinite=, list=,
-- result=}. If there is no type, the value decides it, and for a list its elements: 4 is an
-- integer, 4.0 a number. {nil, "meaning", type = "string"} has no default. A table of entries is a
-- group: optimizer = {lr = {1e-3, "learning rate"}} makes --optimizer.lr.
--
-- Besides the entries there are --help, --config=FILE and --show_config, unless an entry has the
-- name.
local config_file = require "bnn.run.config_file"
local configuration = require "bnn.base.configuration"
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local schedule = require "bnn.inference.schedule"
local strings = require "bnn.base.strings"
local waiting_schedule = require "bnn.inference.waiting_schedule"

local M = {}

local function is_entry(t) return t[1] ~= nil or t[2] ~= nil end

-- Whether a table is a group of entries, and of groups.
local function is_group(t)
  if type(t) ~= "table" or is_entry(t) or next(t) == nil then return false end
  for name, entry in pairs(t) do
    if type(name) ~= "string" or type(entry) ~= "table" then return false end
    if not is_entry(entry) and not is_group(entry) then return false end
  end
  return true
end

--- Returns a table of defaults by full name: the entries of the group optimizer are
-- "optimizer.lr" and so on.
function M.flat(defaults)
  local flat = {}
  local function add(prefix, t)
    for name, entry in pairs(t) do
      if is_group(entry) then
        add(prefix .. name .. ".", entry)
      else
        flat[prefix == "" and name or prefix .. name] = entry
      end
    end
  end
  add("", defaults)
  return flat
end

-- The type that an entry's value stands for. Whole numbers written as such are integers, unless the
-- entry speaks of fractions elsewhere or takes infinity.
local function type_of(entry)
  local value = entry[1]
  local items = type(value) == "table" and value or {value}
  if type(items[1]) ~= "number" then
    return type(value) == "table" and #items == 0 and "number"
      or items[1] == nil and "string" or type(items[1])
  end
  local bounds = {entry.min or 0, entry.max or 0, entry.above or 0}
  for _, item in ipairs(table.move(items, 1, #items, 4, bounds)) do
    if math.type(item) ~= "integer" or entry.infinite then return "number" end
  end
  return "integer"
end

-- What is expected instead of a number that is outside of a spec's bounds, or nil. Values that a
-- schedule ends at may be on them.
local function bounds_fault(v, spec)
  local range = {type = "number", min = spec.min or spec.above, max = spec.max}
  local _, fault = options.accept(v, range)
  return fault
end

-- The text of a schedule, or its number; nil and what is expected if it is neither. How many steps
-- it has to end after may not be known yet.
local function accept_schedule(text, spec)
  local made, ends = schedule.parse(text, {steps = 1})
  if not made then return nil, ends end
  if type(made) == "number" then return options.accept(made, spec) end
  for _, v in ipairs(ends) do
    local fault = bounds_fault(v, spec)
    if fault then return nil, "a schedule of values that are " .. fault end
  end
  return text
end

--- Checks a value against the spec of a flag: as options.accept, and takes the text of a schedule.
-- @return value; or nil, what is expected instead
function M.accept(value, spec)
  local is_text = spec.type == "schedule" and type(value) == "string"
  return (is_text and accept_schedule or options.accept)(value, spec)
end

local accept = M.accept

--- Makes functions of the schedules that values have as text.
-- @param flat table: values by full name, of which `steps` says when schedules end; where there are
--   `epochs` instead, bnn.schedule.with_steps does
-- @param specs table
-- @return table: a copy with functions; or nil, the name of a value, and what is expected
function M.with_schedules(flat, specs)
  local copy, steps = {}, flat.steps
  if steps == nil and specs.steps then steps = specs.steps.default end
  steps = math.type(steps) == "integer" and math.max(steps, 1) or nil
  for name, value in pairs(flat) do copy[name] = value end
  for name, spec in pairs(specs) do
    local value = flat[name]
    if value == nil then value = spec.default end
    if name ~= "renamed" and spec.type == "schedule" and type(value) == "string" then
      local text, wanted = accept_schedule(value, spec)
      if not text then return nil, name, wanted end
      copy[name], wanted = schedule.parse(value, {steps = steps})
      if not copy[name] and specs.epochs then copy[name] = waiting_schedule.new(value) end
      if not copy[name] then return nil, name, wanted end
      if type(copy[name]) == "function" then configuration.set_text(copy[name], value) end
    end
  end
  return copy
end

--- Returns the spec (see bnn.options) of an entry of a defaults table; raises if it is malformed.
function M.spec(name, entry)
  if type(entry) ~= "table" or type(entry[2]) ~= "string" then
    error(("defaults.%s: expected {value, \"meaning\"}"):format(tostring(name)), 0)
  end
  local rest = ("." .. name):gsub("%.[%a_][%w_]*", "")
  if name == "help" or name == "renamed" or rest ~= "" then
    error(strings.message("defaults: '%s' cannot be the name of a flag", name), 0)
  end
  local value = entry[1]
  local spec = {
    type = entry.type or type_of(entry), list = entry.list or type(value) == "table",
    min = entry.min, max = entry.max, above = entry.above, infinite = entry.infinite,
    choices = entry.choices, required = entry.required,
  }
  spec.inferred = entry.type == nil and spec.type == "integer"
  if value ~= nil then
    local default, fault = accept(value, spec)
    if fault then
      error(strings.message("defaults.%s: expected %s, got %s", name, fault, kinds.show(value)), 0)
    end
    spec.default = default
  end
  return spec
end

--- Returns the specs of all entries of a defaults table, by name.
-- @param renamed table: old names of flags -> new ones, or nil
function M.specs(defaults, renamed)
  local specs = {renamed = renamed}
  for _, name in ipairs(options.sorted_names(defaults)) do
    specs[name] = M.spec(name, defaults[name])
  end
  return specs
end

local booleans = {
  ["true"] = true, yes = true, on = true, ["1"] = true,
  ["false"] = false, no = false, off = false, ["0"] = false,
}

local infinities = {
  inf = math.huge, ["+inf"] = math.huge, infinity = math.huge, ["-inf"] = -math.huge,
  ["-infinity"] = -math.huge,
}

-- Text as a value of a kind; nil where the text cannot be one (the check then says what is wanted).
local function read_word(text, spec)
  if spec.type == "string" then return text end
  if spec.type == "boolean" then return booleans[strings.lower(text)] end
  local infinity = spec.infinite and infinities[strings.lower(text)]
  return infinity or number.parse(text)
end

--- Reads a value from the text behind a flag.
-- @return value; or nil, what is expected instead
function M.read_value(text, spec)
  if not spec.list then
    local value = read_word(text, spec)
    if spec.type == "schedule" then return accept(text, spec) end
    return options.accept(value, spec)
  end
  local items = {}
  for word in (text == "" and "" or text .. ","):gmatch "([^,]*)," do
    local item = read_word(word, spec)
    if item == nil then
      return nil, kinds.text(spec.type) .. ", or several with commas"
    end
    items[#items + 1] = item
  end
  return options.accept(items, spec)
end

-- The name of the entry that a flag means, and whether it says no: --batch-size, --no_ood.
local function find_entry(word, specs)
  local name = word:gsub("-", "_")
  if name == "renamed" then return nil end -- the old names, see M.specs
  if specs[name] then return name, false end
  local denied = name:match "^no_(.+)"
  if denied and specs[denied] and specs[denied].type == "boolean" then return denied, true end
end

-- Whether a number is refused as no integer where the experiment does not say so but by its
-- default.
local function is_inferred_integer(spec, text)
  local value = number.parse(text)
  return spec.inferred and value and not options.accept(value, "integer")
    and math.abs(value) < 2 ^ 53
end

local function fault_text(flag, wanted, spec, text)
  if not is_inferred_integer(spec, text) then
    return ("%s: expected %s, got '%s'"):format(flag, wanted, text)
  end
  return ("%s: expected %s, as its default is, got '%s' (a number of any kind: type = \"number\" "
    .. "in the experiment's defaults)"):format(flag, wanted, text)
end

-- "--no_fit is now --no_preprocess", or nil for a flag that never was.
local function renamed_flag(flag, name, renamed)
  local new = renamed[name]
  local denied = not new and name:match "^no_(.+)"
  if denied and renamed[denied] then new = "no_" .. renamed[denied] end
  return new and ("%s is now --%s"):format(flag, new)
end

local function unknown_flag(flag, specs)
  local word, known = flag:gsub("^%-+", ""):gsub("-", "_"), {"help", "config", "show_config"}
  local news = specs.renamed and renamed_flag(flag, word, specs.renamed)
  if news then return news end
  for name, spec in pairs(specs) do
    if name ~= "renamed" then known[#known + 1] = name end
    if spec.type == "boolean" and flag:find "^%-%-no[_-]" then known[#known + 1] = "no_" .. name end
  end
  local near = nearest.find(word, known)
  if near then return ("unknown flag %s: did you mean --%s?"):format(flag, near) end
  return ("unknown flag %s: --help lists the flags"):format(flag)
end

-- The flags that are no entries.
local own_specs = {config = {type = "string"}, show_config = {type = "boolean"}}

-- The name and spec of the flag that a word means, and whether it says no.
local function find_flag(word, specs)
  local name, denied = find_entry(word, specs)
  if name then return name, specs[name], denied end
  name = word:gsub("-", "_")
  if own_specs[name] then return name, own_specs[name], false end
end

-- Reads the flag at argv[i] into cfg, or into `own` if it is no entry; gives the index of the next
-- word, or nil and what is wrong.
local function read_flag(argv, i, specs, cfg, own)
  local word, text = argv[i]:match "^%-%-([^=]+)=(.*)$"
  word = word or argv[i]:match "^%-%-([^=]+)$"
  local flag = argv[i]:match "^[^=]*"
  if flag == "--help" or flag == "-h" then return nil, flag .. " takes no value" end
  local name, spec, denied = find_flag(word or "", specs)
  if not name then return nil, unknown_flag(flag, specs) end
  if spec == own_specs[name] then cfg = own end
  if cfg[name] ~= nil then return nil, flag .. ": given twice" end
  if denied and text then return nil, flag .. " takes no value" end
  if denied or spec.type == "boolean" and not text then
    cfg[name] = not denied
    return i + 1
  end
  if not text then
    i, text = i + 1, argv[i + 1]
    if not text or text:find "^%-%-" then return nil, flag .. ": expected a value" end
  end
  local value, fault = M.read_value(text, spec)
  if fault then
    return nil, fault_text(flag, fault, spec, text)
  end
  cfg[name] = value
  return i + 1
end

-- Returns what the command line says: values by full name, and those of --config and --show_config.
local function read_words(argv, specs, positional)
  local cfg, own, words, i = {}, {}, {}, 1
  while argv[i] do
    local fault
    if argv[i] == "--" then
      table.move(argv, i + 1, #argv, #words + 1, words)
      i = #argv + 1
    elseif argv[i]:find "^%-." and not argv[i]:find "^%-%.?%d" then
      i, fault = read_flag(argv, i, specs, cfg, own)
      if fault then return nil, fault end
    else
      words[#words + 1] = argv[i]
      i = i + 1
    end
  end
  if words[1] and not positional then
    return nil, ("unexpected argument %s: flags are written --name=value"):format(words[1])
  end
  cfg.positional = positional and words or cfg.positional
  return cfg, own
end

-- "unknown key 'stpes': did you mean 'steps'?"
local function unknown_key(name, specs)
  local new = specs.renamed and specs.renamed[name]
  if new then return strings.message("%s is now %s", name, new) end
  local known = {}
  for other in pairs(specs) do
    if other ~= "renamed" then known[#known + 1] = other end
  end
  local near = nearest.find(name, known)
  return strings.message("unknown key '%s': %s", name,
    near and "did you mean '" .. near .. "'?" or "--help lists the flags, which are the keys")
end

-- Adds the values of a file that cfg does not have; gives nil and "FILE:LINE: what is wrong".
local function add_file(cfg, path, specs)
  local entries, fault = config_file.read(path)
  if not entries then return nil, fault end
  for _, entry in ipairs(entries) do
    local spec = entry.name ~= "renamed" and specs[entry.name]
    local value
    if spec then
      value, fault = accept(entry.value, spec)
      fault = fault and strings.message("%s: expected %s, got %s", entry.name, fault,
        kinds.show(entry.value))
    else
      fault = unknown_key(entry.name, specs)
    end
    if fault then return nil, strings.message("%s:%d: %s", path, entry.line, fault) end
    if cfg[entry.name] == nil then cfg[entry.name] = value end
  end
  return true
end

--- Reads a command line: `--k=v`, `--k v`, `--flag`, `--no_flag`, dashes as underscores. --config
-- names a file of values (bnn.run.config_file); flags override it.
-- @param argv list of strings
-- @param defaults table as above
-- @param positional nil, or true to accept plain words as cfg.positional
-- @param renamed table: old names of flags -> new ones, or nil
-- @return the complete configuration by full name, and whether --show_config was given; or nil, one
--   line with the flag and what is expected
function M.parse(argv, defaults, positional, renamed)
  defaults = M.flat(defaults)
  local specs = M.specs(defaults, renamed)
  local cfg, own = read_words(argv, specs, positional)
  if not cfg then return nil, own end
  if own.config then
    local ok, fault = add_file(cfg, own.config, specs)
    if not ok then return nil, fault end
  end
  for _, name in ipairs(options.sorted_names(defaults)) do
    if cfg[name] == nil then cfg[name] = specs[name].default end
    if cfg[name] == nil and specs[name].required then
      return nil, ("--%s: expected a value: %s"):format(name, defaults[name][2])
    end
  end
  local _, name, wanted = M.with_schedules(cfg, specs)
  if name then return nil, fault_text("--" .. name, wanted, specs[name], cfg[name]) end
  return cfg, own.show_config
end

--- Whether a command line asks for help: -h or --help before any `--`.
function M.wants_help(argv)
  for _, word in ipairs(argv) do
    if word == "--" then return false end
    if word == "-h" or word == "--help" then return true end
  end
  return false
end

return M
