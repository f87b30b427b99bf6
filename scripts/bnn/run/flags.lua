--- Reads the command line of an experiment according to its table of defaults.
-- An entry is {value, "meaning", type=, min=, max=, above=, choices=, required=, infinite=, list=,
-- result=}. If there is no type, the value decides it, and for a list its elements: 4 is an
-- integer, 4.0 a number. {nil, "meaning", type = "string"} has no default.
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

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

--- Returns the spec (see bnn.options) of an entry of a defaults table; raises if it is malformed.
function M.spec(name, entry)
  if type(entry) ~= "table" or type(entry[2]) ~= "string" then
    error(("defaults.%s: expected {value, \"meaning\"}"):format(tostring(name)), 0)
  end
  if name == "help" or name == "renamed" or not name:find "^[%a_][%w_]*$" then
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
    local default, fault = options.accept(value, spec)
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

local function read_value(text, spec)
  if not spec.list then
    local value = read_word(text, spec)
    if value == nil and spec.type == "schedule" then return options.accept(value, "number") end
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
  local word, known = flag:gsub("^%-+", ""):gsub("-", "_"), {"help"}
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

-- Reads the flag at argv[i] into cfg; gives the index of the next word, or nil and what is wrong.
local function read_flag(argv, i, specs, cfg)
  local word, text = argv[i]:match "^%-%-([^=]+)=(.*)$"
  word = word or argv[i]:match "^%-%-([^=]+)$"
  local flag = argv[i]:match "^[^=]*"
  if flag == "--help" or flag == "-h" then return nil, flag .. " takes no value" end
  local name, denied = find_entry(word or "", specs)
  if not name then return nil, unknown_flag(flag, specs) end
  if cfg[name] ~= nil then return nil, flag .. ": given twice" end
  local spec = specs[name]
  if denied and text then return nil, flag .. " takes no value" end
  if denied or spec.type == "boolean" and not text then
    cfg[name] = not denied
    return i + 1
  end
  if not text then
    i, text = i + 1, argv[i + 1]
    if not text or text:find "^%-%-" then return nil, flag .. ": expected a value" end
  end
  local value, fault = read_value(text, spec)
  if fault then
    return nil, fault_text(flag, fault, spec, text)
  end
  cfg[name] = value
  return i + 1
end

local function read_words(argv, specs, positional)
  local cfg, words, i = {}, {}, 1
  while argv[i] do
    local fault
    if argv[i] == "--" then
      table.move(argv, i + 1, #argv, #words + 1, words)
      i = #argv + 1
    elseif argv[i]:find "^%-." and not argv[i]:find "^%-%.?%d" then
      i, fault = read_flag(argv, i, specs, cfg)
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
  return cfg
end

--- Reads a command line: `--k=v`, `--k v`, `--flag`, `--no_flag`, dashes as underscores.
-- @param argv list of strings
-- @param defaults table as above
-- @param positional nil, or true to accept plain words as cfg.positional
-- @param renamed table: old names of flags -> new ones, or nil
-- @return the complete configuration; or nil, one line with the flag and what is expected
function M.parse(argv, defaults, positional, renamed)
  local specs = M.specs(defaults, renamed)
  local cfg, fault = read_words(argv, specs, positional)
  if not cfg then return nil, fault end
  for _, name in ipairs(options.sorted_names(defaults)) do
    if cfg[name] == nil then cfg[name] = specs[name].default end
    if cfg[name] == nil and specs[name].required then
      return nil, ("--%s: expected a value: %s"):format(name, defaults[name][2])
    end
  end
  return cfg
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
