--- The public names of the library: what help shows of the documentation that its files hold.
--
-- bnn.train is written as function train of module bnn.train, bnn.main in module bnn.experiment:
-- they are shown under the names that users write. Modules that the library does not hand out, and
-- classes whose objects nobody gets, are left out.
local classes = require "bnn.help.help_classes"
local strings = require "bnn.base.strings"

local M = {}

local function module_of(entry)
  local ok, value = pcall(require, entry.module)
  return ok and value or nil
end

-- The value that an entry of a script documents, or nil (methods, and modules that do not load).
function M.value_of(entry)
  if not entry.field then return entry.value end
  local value = module_of(entry)
  for name in entry.field:gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  return value
end

-- Modules that hand out what internal ones hold: bnn.data.read of bnn.data.files, bnn.nn.linear of
-- bnn.nn.linear.
local COLLECTIONS = {"checkpoint", "data", "metrics", "nn", "plot", "run"}

-- function -> the name under which `bnn` itself has it, or a collection.
local function exported_functions(bnn)
  local names = {}
  for _, module in ipairs(COLLECTIONS) do
    for name, value in pairs(bnn[module] or {}) do
      if type(value) == "function" then names[value] = ("bnn.%s.%s"):format(module, name) end
    end
  end
  for name, value in pairs(bnn) do
    if type(value) == "function" then names[value] = "bnn." .. name end
  end
  return names
end

-- table of a module -> the field under which `bnn` hands it out.
local function exported_modules(bnn)
  local fields = {}
  for field, value in pairs(bnn) do
    if type(value) == "table" then fields[value] = field end
  end
  return fields
end

-- Functions that were made in a loop: their texts are in the module's table `docs`.
local function add_made(entries, bnn)
  for field, value in pairs(bnn) do
    for name, doc in pairs(type(value) == "table" and value.docs or {}) do
      local made = type(value[name]) == "function" and value[name]
      entries[#entries + 1] = {name = ("bnn.%s.%s"):format(field, name), doc = doc, value = made}
    end
  end
end

-- Whether an entry is of something that users meet: a function or module that `bnn` hands out, or a
-- method of an object that they get.
local function is_public(entry, bnn, taken, is_handed_out)
  local class = entry.name:match "^([%w_]+):"
  if class then return not classes.internal[class] end
  if entry.name:find "^bnn%.core%." then return false end
  if entry.value then return true end
  if entry.module then return entry.module == "bnn" or is_handed_out or taken[entry.name] end
  local name = entry.name:match "^bnn%.([%w_]+)$" -- a function of C's, or an op
  return not name or bnn[name] ~= nil
end

local function rename(entry, name)
  local copy = {}
  for k, v in pairs(entry) do copy[k] = v end
  copy.name = name
  copy.call = entry.call and name .. entry.call:sub(#entry.name + 1)
  return copy
end

--- The public entries under their public names, sorted.
-- @param entries list as docstrings.collect returns it
-- @param bnn table: the library
function M.names(entries, bnn)
  local functions, modules = exported_functions(bnn), exported_modules(bnn)
  local taken, handed_out, named = {}, {}, {}
  local is_of_one = {} -- modules that hold a function of their name: bnn.nn.linear
  for i, entry in ipairs(entries) do
    local value, field = M.value_of(entry), entry.module and modules[module_of(entry) or 0]
    local name = type(value) == "function" and functions[value]
    local table_name = type(value) == "table" and entry.field ~= "" and modules[value]
    if table_name then name = "bnn." .. table_name end -- bnn.sampler, which is part of another
    if name then taken[name] = true end
    if name and entry.module:match "[^.]+$" == entry.field then is_of_one[entry.module] = true end
    if field and not name and entry.field then
      name = "bnn." .. field .. (entry.field == "" and "" or "." .. entry.field)
    end
    named[i] = name and rename(entry, name) or entry
    handed_out[named[i]] = field ~= nil
  end
  add_made(named, bnn)
  local shown = {}
  for _, entry in ipairs(named) do
    -- a module behind a function of its name
    local is_shadowed = entry.field == "" and (taken[entry.name] or is_of_one[entry.module])
    if not is_shadowed and is_public(entry, bnn, taken, handed_out[entry]) then
      shown[#shown + 1] = entry
    end
  end
  table.sort(shown, function(a, b) return strings.before(a.name, b.name) end)
  return shown
end

return M
