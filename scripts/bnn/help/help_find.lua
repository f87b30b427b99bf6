--- Finds the documentation of a name or a value.
--
-- Functions take the library, `bnn`, whose names are the public ones: nothing here requires it, as
-- it requires this.
local public = require "bnn.help.public"

local M = {}

--- The entries that a function accepts, in order.
function M.select(entries, wanted)
  local found = {}
  for _, entry in ipairs(entries) do
    if wanted(entry) then found[#found + 1] = entry end
  end
  return found
end

--- What stands behind the last point or colon of a name.
function M.last_part(name) return name:match "[^.:]+$" or name end

-- The value of a public name ("bnn.train", or "train"), followed through the library's tables.
local function public_value(bnn, name)
  local value = bnn
  for field in name:gsub("^bnn%.?", ""):gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    value = rawget(value, field)
  end
  return value
end

-- Whether an entry documents a function that C hands out: bnn.key, or an op, x:sum and bnn.sum.
local function is_of_c(bnn, entry, value)
  local name = not entry.field and (entry.name:match "^bnn%.([%w_]+)$"
    or entry.name:match "^x:([%w_]+)$" or entry.name:match "^([%w_]+)$")
  return name and type(value) == "function" and rawequal(public_value(bnn, name), value)
end

-- Objects whose class has another name in help, or no methods: what explains them.
local EXPLAINED = {
  data = "part", sweep_result = "result", ["ood.report"] = "report", ["shift.report"] = "report",
  prediction = "bnn.predict", ["data set"] = "bnn.data.load", batch = "part:batches",
  checkpoint = "bnn.checkpoint.load", model = "bnn.checkpoint.describe",
  evaluation = "objective:evaluate", ["named tensors"] = "bnn.data.from_tensors",
  summary = "bnn.metrics.summary",
  likelihood = "bnn.likelihood", gradient = "bnn.grad", vmap = "bnn.vmap", file = "file",
}

-- The name of an object's class, without "bnn.": "tensor"; nil of other values.
local function class_of(value)
  if type(value) ~= "table" and type(value) ~= "userdata" then return nil end
  local meta = getmetatable(value)
  local class = type(meta) == "table" and meta.__name
  return type(class) == "string" and class:gsub("^bnn%.", "") or nil
end

local function of_class(class, entries)
  class = EXPLAINED[class] or class
  return M.select(entries, function(entry)
    return entry.name == class or entry.name == "bnn." .. class
      or entry.name:sub(1, #class + 1) == class .. ":"
  end)
end

-- The method behind a function that checks what stands before its colon (bnn.params.expect_model).
local function unchecked(value)
  for i = 1, debug.getinfo(value, "u").nups do
    local name, method = debug.getupvalue(value, i)
    if name == "method" and type(method) == "function" then return method end
  end
  return value
end

-- The entries of a function of Lua by the place where it is defined: methods, too.
local function of_place(value, entries)
  local info = debug.getinfo(unchecked(value), "S")
  return M.select(entries, function(entry)
    local tail = entry.line == info.linedefined and entry.call and entry.file:gsub("^scripts/", "")
    return tail and info.source:sub(-#tail) == tail -- in the program, or in BNNLUA_SCRIPTS
  end)
end

-- The entries of a method of C's: x.view of a tensor, key.fold.
local function of_method(bnn, value, entries)
  local x = bnn.zeros(1)
  local objects = {tensor = x, x = x, key = bnn.key(0)}
  return M.select(entries, function(entry)
    local class, method = entry.name:match "^([%w_]+):([%w_]+)$"
    return objects[class] and rawequal(objects[class][method], value)
  end)
end

local function of_function(bnn, value, entries)
  local found = of_place(value, entries)
  return found[1] and found or of_method(bnn, value, entries)
end

--- The entries of a value: its own, or of an object those of its class and methods.
-- @return list of entries, and the name of the class, "bnn.tensor"
function M.by_value(bnn, value, entries)
  local found = M.select(entries, function(entry)
    return rawequal(public.value_of(entry), value) or is_of_c(bnn, entry, value)
  end)
  if not found[1] and type(value) == "function" then found = of_function(bnn, value, entries) end
  local class = class_of(value)
  if found[1] or not class then return found, class end
  return of_class(class, entries), class
end

--- The entries of a name: as written, with "bnn." in front, as what the library has under that name
-- (bnn.main is written in another module), or by its last part ("x:sum" and "t:sum" are "sum").
function M.by_name(bnn, name, entries)
  local function named(wanted)
    return M.select(entries, function(entry) return entry.name == wanted end)
  end
  local found = named(name)
  if not found[1] then found = named("bnn." .. name) end
  -- "linear" is an op, but a layer and a schedule too
  local is_whole = name:find "%."
  local value = not found[1] and is_whole and public_value(bnn, name)
  if value then found = M.by_value(bnn, value, entries) end
  if found[1] then return found end
  local last = M.last_part(name)
  return M.select(entries, function(entry) return M.last_part(entry.name) == last end)
end

return M
