--- Pytrees, as in JAX: the arguments and results of functions that are traced.
--
-- A leaf is a tensor, a number or a key. A table (or Params) is a node, and so is an object whose
-- metatable has __parts, a function that returns its content as a table (batches, posteriors).
-- Anything else is static: a constant of the program.
local number = require "bnn.base.number"
local parameters = require "bnn.params.params"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local function class_name(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__name
end

--- "tensor", "key" or "number" for a leaf, else nil.
function M.leaf_kind(value)
  if type(value) == "number" then return "number" end
  local name = type(value) == "userdata" and class_name(value)
  if name == "bnn.tensor" then return "tensor" end
  if name == "bnn.key" then return "key" end
end

-- The children of a node, a table or Params; nil for leaves and static values.
local function node(value)
  if parameters.is(value) then return value end
  if type(value) ~= "table" then return nil end
  local meta = getmetatable(value)
  if not meta then return value end
  return type(meta) == "table" and meta.__parts and meta.__parts(value) or nil
end

-- Numbers that tell static objects apart; an address may come back when an object is gone.
local numbers, last_number = setmetatable({}, {__mode = "k"}), 0

local function number_of(object)
  if not numbers[object] then
    last_number = last_number + 1
    numbers[object] = last_number
  end
  return numbers[object]
end

-- The keys of a plain table, in an order that is the same every time.
local function sorted_keys(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b)
    if type(a) == "number" and type(b) == "number" then return a < b end
    return strings.before(type(a) .. number.text(a), type(b) .. number.text(b))
  end)
  return keys
end

--- Maps a pytree: returns the same structure with f(leaf, kind, path) for each leaf, called in a
-- fixed order.
function M.map(value, f, path)
  path = path or ""
  local kind = M.leaf_kind(value)
  if kind then return f(value, kind, path) end
  local parts = node(value)
  if not parts then return value end
  if parameters.is(parts) then
    local tensors = {}
    for name, tensor in pairs(parts) do tensors[name] = f(tensor, "tensor", path .. "." .. name) end
    return parameters.wrap(parameters.layout_of(parts), tensors)
  end
  local copy = {}
  for _, k in ipairs(sorted_keys(parts)) do
    copy[k] = M.map(parts[k], f, path .. "." .. number.text(k))
  end
  return copy
end

--- Returns the same pytree with each of its Params in one buffer, after a map to concrete tensors.
-- @param pack function(layout, tensors by name): bnn.params.pack by default
function M.concrete(value, pack)
  if parameters.is(value) then
    local tensors = {}
    for name, tensor in pairs(value) do tensors[name] = tensor end
    return (pack or parameters.pack)(parameters.layout_of(value), tensors)
  end
  if type(value) ~= "table" or getmetatable(value) then return value end
  local copy = {}
  for k, v in pairs(value) do copy[k] = M.concrete(v, pack) end
  return copy
end

-- A text that tells static values apart.
local function static_text(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if value == nil or type(value) == "boolean" or type(value) == "number" then
    return number.text(value)
  end
  return type(value) .. number_of(value)
end

--- The signature of a pytree, which selects a program: structure, shapes, types, static values.
function M.signature(value)
  local kind = M.leaf_kind(value)
  if kind == "tensor" then
    return value:dtype() .. shapes.text(value)
  end
  if kind then return kind end
  local parts, texts = node(value), {}
  if not parts then return static_text(value) end
  if parameters.is(parts) then
    for name, tensor in pairs(parts) do texts[#texts + 1] = name .. "=" .. M.signature(tensor) end
  else
    for _, k in ipairs(sorted_keys(parts)) do
      texts[#texts + 1] = static_text(k) .. "=" .. M.signature(parts[k])
    end
  end
  return "{" .. table.concat(texts, ";") .. "}"
end

return M
