--- Checks option tables: every library function that takes `{name = value}` reads it through here.
--
--     local opts = options.check("bnn.train", given, {
--       objective = {type = "table", required = true},
--       steps = {type = "integer", min = 1, required = true},
--       beta = "schedule", log = "any", batch_size = {type = "integer", min = 1, default = 128},
--     })
--
-- A spec is a kind, or {type=, default=, required=, min=, max=, above=, choices=, list=,
-- infinite=}; `list = true` expects a list of such values. spec[1] describes the list part of the
-- table itself, as in `bnn.nn.mlp{64, 10, activation = "relu"}`; without it a list part is an
-- error. spec.renamed = {samples = "num_samples"} are old names of options, which raise "samples is
-- now num_samples". Kinds are those of bnn.base.kinds.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local number = require "bnn.base.number"
local strings = require "bnn.base.strings"

local M = {}

local function choice_fault(v, choices)
  local names = {}
  for i, choice in ipairs(choices) do
    if choice == v then return nil end
    names[i] = number.text(choice)
  end
  local near = nearest.find(number.text(v), names)
  local wanted = "one of " .. table.concat(names, ", ")
  return near and ("%s (did you mean %s?)"):format(wanted, near) or wanted
end

local function range_fault(v, spec)
  if type(v) ~= "number" then return nil end
  if spec.min and v < spec.min then return number.format("at least %s", spec.min) end
  if spec.max and v > spec.max then return number.format("at most %s", spec.max) end
  if spec.above and v <= spec.above then return number.format("more than %s", spec.above) end
end

local function accept_one(v, spec)
  if not kinds.has(v, spec) then
    local finite = type(v) == "number" and not kinds.is_finite(v) and kinds.has(0, spec)
    return nil, finite and "a finite number" or kinds.text(spec.type)
  end
  if spec.type == "integer" then v = math.tointeger(v) or v end -- an infinite one stays
  local fault = spec.choices and choice_fault(v, spec.choices) or range_fault(v, spec)
  if fault then return nil, fault end
  return v
end

--- Checks one value against a spec. Returns the value (1e4 as 10000 for an integer, lists as a
-- copy), or nil and what is expected instead, "an integer". A spec given as a plain word is a kind.
function M.accept(v, spec)
  if type(spec) == "string" then spec = {type = spec} end
  if not spec.list then return accept_one(v, spec) end
  if type(v) ~= "table" then return nil, "a list" end
  local copy = {}
  for i = 1, #v do
    local item, fault = accept_one(v[i], spec)
    if fault then return nil, fault end
    copy[i] = item
  end
  for k in pairs(v) do
    if copy[k] == nil then return nil, "a list without named entries" end
  end
  return copy
end

--- Lists the names in a table in alphabetical order.
function M.sorted_names(t)
  local names = {}
  for name in pairs(t) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names, strings.before)
  return names
end

-- The names of the options that a spec knows, in alphabetical order.
local function known_names(spec)
  local known = {}
  for _, name in ipairs(M.sorted_names(spec)) do
    if name ~= "renamed" then known[#known + 1] = name end
  end
  return known
end

-- "unknown option 'stpes': did you mean 'steps'? known are ...", "samples is now num_samples"
local function unknown(name, spec)
  local new = (spec.renamed or {})[name]
  if new then return ("%s is now %s"):format(name, new) end
  local known = known_names(spec)
  local text = type(name) == "string" and "'" .. strings.shown(name) .. "'" or kinds.show(name)
  if #known == 0 then return ("unknown option %s: it takes no named options"):format(text) end
  local near = type(name) == "string" and nearest.find(name, known)
  local hint = near and ("did you mean '%s'? "):format(near) or ""
  return ("unknown option %s: %sknown are %s"):format(text, hint, table.concat(known, ", "))
end

-- The kind of an entry: that of the list part for 1, 2, ...
local function kind_of(name, spec)
  if math.type(name) == "integer" and name >= 1 then return spec[1] end
  return type(name) == "string" and name ~= "renamed" and spec[name]
end

-- Every key of a table in an order that does not change from run to run, so that the first fault
-- does not.
local function ordered_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == "number" and type(b) == "number" then return a < b end
    return strings.before(number.text(a), number.text(b))
  end)
  return keys
end

local function read(given, spec)
  local opts, keys = {}, ordered_keys(given)
  for _, name in ipairs(keys) do
    if not kind_of(name, spec) then return nil, unknown(name, spec) end
  end
  for _, name in ipairs(keys) do
    local v, fault = M.accept(given[name], kind_of(name, spec))
    if fault then
      return nil, strings.message("%s: expected %s, got %s", name, fault, kinds.show(given[name]))
    end
    opts[name] = v
  end
  for _, name in ipairs(known_names(spec)) do
    local kind = spec[name]
    local wanted = type(kind) == "table" and opts[name] == nil
    if wanted and kind.required then
      local wants = kind.list and "a list" or kinds.text(kind.type)
      return nil, strings.message("%s: expected %s, got nothing", name, wants)
    elseif wanted and kind.default ~= nil then
      opts[name] = kind.list and table.move(kind.default, 1, #kind.default, 1, {}) or kind.default
    end
  end
  return opts
end

--- Reads an option table: a copy with the defaults filled in; or nil, message.
-- @param given table or nil
-- @param spec table: name -> kind or spec, as above
function M.read(given, spec)
  local meta = type(given) == "table" and getmetatable(given) or {}
  local is_object = meta.__index and not meta.is_plain -- it has methods; a configuration has none
  if is_object or given ~= nil and type(given) ~= "table" then
    return nil, "expected a table of options, got " .. kinds.show(given)
  end
  return read(given or {}, spec)
end

--- Reads an option table as `read` does, and raises messages at the user's line as "what: ...".
-- @param what string: the function's name for messages
function M.check(what, given, spec)
  local opts, fault = M.read(given, spec)
  if fault then fail("%s: %s", what, fault) end
  return opts
end

return M
