--- Encodes tables of plain values as JSON and decodes them, bit for bit.
--
-- Booleans, integers, finite numbers, UTF-8, lists and tables by name are themselves. The rest is a
-- table with one name that begins with $: {"$number": bits} for infinities and NaN, {"$bytes": hex}
-- for strings that are not UTF-8, {"$key": bits} for keys, {"$pairs": [[key, value], ...]} for
-- tables that are neither lists nor by name, and {"$tensor": name} for tensors, which are stored
-- elsewhere. The user's names that begin with $ get another $.
local configuration = require "bnn.base.configuration"
local core = require "bnn.core"
local number = require "bnn.base.number"
local strings = require "bnn.base.strings"

local M = {}

local DEPTH_MAX = 60

local function is_text(v)
  return type(v) == "string" and utf8.len(v) ~= nil and not v:find "\0"
end

local function to_hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- The bytes of a text of hexadecimal digits; nil when it is none.
local function from_hex(text)
  if type(text) ~= "string" or #text % 2 == 1 or text:find "[^%x]" then return nil end
  return (text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function class_name(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__name
end

-- The keys of a table in an order that does not change from run to run.
local function ordered_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then return strings.before(type(a), type(b)) end
    if type(a) == "number" then return a < b end
    return strings.before(number.text(a), number.text(b))
  end)
  return keys
end

-- ---- writing ----

local encode

local function encode_list(t, path, into)
  local list = {}
  for i, v in ipairs(t) do
    local item, fault = encode(v, path .. "/" .. i, into)
    if fault then return nil, fault end
    list[i] = item
  end
  return list
end

local function encode_named(t, keys, path, into)
  local object = {}
  for _, key in ipairs(keys) do
    local value, fault = encode(t[key], path .. "/" .. key, into)
    if fault then return nil, fault end
    object[key:find "^%$" and "$" .. key or key] = value
  end
  return object
end

local function encode_pairs(t, keys, path, into)
  local list = {}
  for i, key in ipairs(keys) do
    local name = path .. "/" .. number.text(key)
    local kind = type(key)
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
      return nil, strings.message("%s: a %s is not a plain key", path, kind)
    end
    local value, fault = encode(t[key], name, into)
    if fault then return nil, fault end
    list[i] = {encode(key, name, into), value}
  end
  return {["$pairs"] = list}
end

local function encode_table(t, path, into)
  local meta = getmetatable(t)
  if meta and not (type(meta) == "table" and meta.is_plain) then
    return nil, strings.message("%s: %s is not a plain value", path, class_name(t) or "an object")
  end
  if into.depth >= DEPTH_MAX then
    return nil, strings.message("%s: tables are nested more than %d deep, or hold themselves",
      path:sub(1, 40), DEPTH_MAX)
  end
  into.depth = into.depth + 1
  local keys, named, listed = ordered_keys(t), true, true
  for i, key in ipairs(keys) do
    named = named and is_text(key)
    listed = listed and key == i
  end
  local form = named and encode_named or listed and encode_list
  local value, fault
  if form == encode_list then
    value, fault = encode_list(t, path, into)
  else
    value, fault = (form or encode_pairs)(t, keys, path, into)
  end
  into.depth = into.depth - 1
  return value, fault
end

local function encode_tensor(x, path, into)
  if not into.tensors then return nil, path .. ": a tensor is not a plain value" end
  if not is_text(path) then return nil, strings.message("%q cannot be a tensor's name", path) end
  if into.tensors[path] then
    return nil, strings.message("two tensors would be called '%s'",
      path)
  end
  into.tensors[path] = x
  return {["$tensor"] = path}
end

function encode(v, path, into)
  local kind = type(v)
  if kind == "boolean" or math.type(v) == "integer" then return v end
  if kind == "number" then
    if v - v == 0 then return v end
    return {["$number"] = to_hex(string.pack(">d", v))}
  end
  if kind == "string" then return is_text(v) and v or {["$bytes"] = to_hex(v)} end
  if kind == "table" then return encode_table(v, path, into) end
  if kind == "function" and configuration.text(v) then return configuration.text(v) end
  local class = class_name(v)
  if class == "bnn.key" then return {["$key"] = ("%016x"):format(v:bits())} end
  if class == "bnn.tensor" then return encode_tensor(v, path, into) end
  return nil, strings.message("%s: a %s is not a plain value", path, class or kind)
end

--- Encodes a plain value for core.json_encode.
-- @param v boolean, number, string, key, or a table of these; tensors too if `tensors` is given
-- @param path string: the name of v, in faults and in the tensors' names: path/field/field
-- @param tensors table: gets the tensors in v by name
-- @return tree; or nil, what is not a plain value and where
function M.encode(v, path, tensors)
  return encode(v, path, {depth = 0, tensors = tensors})
end

-- ---- reading ----

local decode

local function decode_pairs(list, tensor_of)
  local t = {}
  if type(list) ~= "table" then return nil, "$pairs is not a list" end
  for _, pair in ipairs(list) do
    local key, value, fault
    if type(pair) == "table" then key, fault = decode(pair[1], tensor_of) end
    if not fault and type(pair) == "table" then value, fault = decode(pair[2], tensor_of) end
    if fault then return nil, fault end
    if key == nil or key ~= key or value == nil then return nil, "$pairs lacks a key or a value" end
    t[key] = value
  end
  return t
end

local tags = {
  ["$number"] = function(text)
    local bytes = from_hex(text)
    if not bytes or #bytes ~= 8 then return nil, "$number is not 64 bits" end
    return (string.unpack(">d", bytes))
  end,
  ["$bytes"] = function(text)
    local bytes = from_hex(text)
    if not bytes then return nil, "$bytes is not hexadecimal" end
    return bytes
  end,
  ["$key"] = function(text)
    local bytes = from_hex(text)
    if not bytes or #bytes ~= 8 then return nil, "$key is not 64 bits" end
    return core.key_of_bits((string.unpack(">i8", bytes)))
  end,
  ["$pairs"] = decode_pairs,
  ["$tensor"] = function(name, tensor_of)
    if type(name) ~= "string" or not tensor_of then return nil, "$tensor is out of place" end
    return tensor_of(name)
  end,
}

function decode(v, tensor_of)
  if type(v) ~= "table" then return v end
  local name, content = next(v)
  if tags[name] then
    if next(v, name) ~= nil then return nil, name .. " is not alone" end
    return tags[name](content, tensor_of)
  end
  local t = {}
  for key, item in pairs(v) do
    local value, fault = decode(item, tensor_of)
    if fault then return nil, fault end
    if type(key) == "string" and key:find "^%$" then
      if key:sub(1, 2) ~= "$$" then return nil, strings.message("%s is not known", key) end
      key = key:sub(2)
    end
    t[key] = value
  end
  return t
end

--- Decodes a tree that M.encode made.
-- @param tree as core.json_decode returns it
-- @param tensor_of function(name) -> tensor; or nil, fault
-- @return value; or nil, what is wrong with the tree
function M.decode(tree, tensor_of) return decode(tree, tensor_of) end

return M
