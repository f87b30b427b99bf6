--- Layers as data: what a checkpoint holds of a network, and the network of that again.
--
-- A layer is {kind = "linear", args = {64, {bias = true}}}, the call that makes it. One that has
-- come before, {kind = "same", args = {k}}, is the k-th that has begun: it shares its weights.
local fail = require "bnn.base.fail"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"

local M = {}

local DEPTH_MAX = 40 -- of layers in layers

-- ---- writing ----

local write_layer

-- An argument of a layer's call as data: numbers and words, tables of them, layers; nil for what a
-- file does not hold, a function or an object. Lists come before names, so that reading meets
-- layers in the same order.
local function write_argument(value, seen)
  if layer.is(value) then return write_layer(value, seen) end
  if type(value) == "function" or type(value) == "userdata" then return nil end
  if type(value) ~= "table" then return value end
  local copy = {}
  for i, item in ipairs(value) do
    copy[i] = write_argument(item, seen)
    if copy[i] == nil then return nil end
  end
  for _, name in ipairs(options.sorted_names(value)) do
    copy[name] = write_argument(value[name], seen)
    if copy[name] == nil then return nil end
  end
  return copy
end

function write_layer(l, seen)
  if seen[l] then return {kind = "same", args = {seen[l]}} end
  seen.count = seen.count + 1
  seen[l] = seen.count
  local args = write_argument(l.args, seen)
  return args and {kind = l.kind, args = args}
end

--- A layer as data, or nil: for a net of a function, and a layer with a function in its arguments.
function M.write(net)
  if not layer.is(net) then return nil end
  return write_layer(net, {count = 0})
end

-- ---- reading ----

local read_layer

-- The argument that data stand for.
local function read_argument(value, seen)
  if type(value) ~= "table" then return value end
  if type(value.kind) == "string" then return read_layer(value, seen) end
  local copy = {}
  for i, item in ipairs(value) do copy[i] = read_argument(item, seen) end
  for _, name in ipairs(options.sorted_names(value)) do
    copy[name] = read_argument(value[name], seen)
  end
  return copy
end

-- The layer that data describe; raises.
function read_layer(data, seen)
  local kind, args = data.kind, data.args
  if type(args) ~= "table" then fail("layer '%s' has no args", kind) end
  if kind == "same" then
    return seen.made[args[1]] or fail("layer %s comes before it is made", tostring(args[1]))
  end
  local make = seen.layers[kind]
  if not make then fail("no layer of bnn.nn is called '%s'", kind) end
  if seen.depth >= DEPTH_MAX then fail("layers are nested more than %d deep", DEPTH_MAX) end
  seen.count, seen.depth = seen.count + 1, seen.depth + 1
  local own = seen.count
  local net = make(table.unpack(read_argument(args, seen)))
  seen.made[own], seen.depth = net, seen.depth - 1
  return net
end

--- The layer that data describe; or nil, message.
-- @param data as write gives it, from anywhere
-- @param layers table: kind -> function that makes such a layer
function M.read(data, layers)
  if type(data) ~= "table" or type(data.kind) ~= "string" then
    return nil, "no network of bnn.nn is described"
  end
  local ok, net = fail.try(read_layer, data, {count = 0, depth = 0, made = {}, layers = layers})
  if ok then return net end
  return nil, "its network: " .. fail.without_place(net)
end

return M
