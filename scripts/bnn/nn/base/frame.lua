--- Calls of networks: the path of the layer that is being called, and its parameters.
--
-- net:init and net:apply run a network's function in a pass; each layer called in it has a frame.
-- Paths are Haiku's: in a container layers count from 0, "mlp/linear_0/w"; in a function the first
-- has no number, "linear/w", "linear_1/w". A layer value called twice shares its weights.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local shapes = require "bnn.base.shapes"

local M = {}

-- The frame in force:
--   path      "" in the network's own function; "mlp/linear_0"
--   x         the layer's input, for messages
--   numbered  true in a container, whose layers count from 0
--   entry     in a sequential, the number from 0 of the plain function that is being called
--   pass      what the frames of one init or apply share:
--     params      apply: path -> tensor
--     key, train  apply's options
--     rec         init: the recording
--     tracers     init: path -> tensor of the recording
--     entries     init: list of {name=, shape=, init=}, the parameters that were asked for
--     layers      init: list of {path=, text=, shape=, parameters=, weights=}, the layers in the
--                 order in which they begin
--     taken       path without a number -> how many layers have it
--     names       layer value -> its path
--     calls       path -> calls of a dropout layer
local current = core.scope()

--- Runs a network's function on x.
-- @param pass table: params= key= train=, or rec= tracers= entries=
function M.run(pass, forward, x)
  pass.taken, pass.names, pass.calls = {}, {}, {}
  return current:run({path = "", pass = pass}, forward, x)
end

--- The frame in force; raises outside a network.
-- @param what string: the function's name for messages
function M.current(what)
  local frame = current:value()
  if frame then return frame end
  fail("%s: expected to be called inside a network, bnn.transform(function(x) ... end); a layer by "
    .. "itself has init and apply", what)
end

-- A path below the current one that no layer has yet: kind, kind_1, ... or in containers kind_0,
-- kind_1, ...
local function new_path(frame, kind)
  local base = frame.path == "" and kind or frame.path .. "/" .. kind
  local taken = frame.pass.taken
  local count = taken[base] or 0
  taken[base] = count + 1
  if count == 0 and not frame.numbered then return base end
  return base .. "_" .. count
end

-- Completes a layer's row when it ends, and passes on what it returned. `first`: the entries that
-- were there before.
local function note(pass, row, first, y, ...)
  row.shape = kinds.is_object(y, "tensor") and y:shape() or nil
  row.parameters, row.weights = 0, {}
  for i = first + 1, #pass.entries do
    local entry, size = pass.entries[i], 1
    for _, d in ipairs(entry.shape) do size = size * d end
    row.parameters = row.parameters + size
    row.weights[#row.weights + 1] = {entry.name:match "[^/]*$", entry.shape}
  end
  return y, ...
end

--- Calls a layer's function f(layer, x, ...) in a frame of the layer's own.
-- @param layer a value with kind= and perhaps container=true
function M.call(layer, f, x, ...)
  local outer = M.current("bnn.nn." .. layer.kind)
  local pass = outer.pass
  local path = pass.names[layer]
  if not path then
    path = new_path(outer, layer.kind)
    pass.names[layer] = path
  end
  local frame = {path = path, x = x, numbered = layer.container, pass = pass}
  if not pass.layers then return current:run(frame, f, layer, x, ...) end
  local row = {path = path, text = layer.text, is_container = layer.container}
  pass.layers[#pass.layers + 1] = row
  return note(pass, row, #pass.entries, current:run(frame, f, layer, x, ...))
end

-- Raises unless a parameter is there and has the shape that its layer asks for.
local function check_parameter(frame, name, tensor, shape)
  if tensor == nil then
    fail("%s: expected a tensor %s, the parameters have none", name, shapes.text(shape))
  end
  if shapes.equal(tensor, shape) then return tensor end
  local x = frame.x and (" for x %s"):format(shapes.text(frame.x)) or ""
  fail("%s: expected %s%s, got %s", name, shapes.text(shape), x, shapes.text(tensor))
end

--- Returns a parameter of the layer or function that is being called; net:init gives it its initial
-- value.
--     local function scale(h) return h * bnn.nn.parameter("scale", {h:size(-1)}, bnn.nn.ones) end
--     net = bnn.transform(function(h) return scale(bnn.nn.linear(3)(h)) end)
--     net:init(key, bnn.ones(1, 4)):names()             -- linear/w, linear/b, scale
-- @param name string: "w" in layer mlp/linear_0 gives the path "mlp/linear_0/w"
-- @param shape list
-- @param init function(key, shape) -> tensor of that shape
-- @return tensor of that shape
function M.parameter(name, shape, init)
  expect.string("bnn.nn.parameter: name", name)
  expect.shape("bnn.nn.parameter: shape", shape)
  local frame = M.current "bnn.nn.parameter"
  expect.callable("bnn.nn.parameter: init", init)
  local path = frame.path == "" and name or frame.path .. "/" .. name
  local pass = frame.pass
  local tensor = (pass.tracers or pass.params)[path]
  if tensor ~= nil or not pass.rec then return check_parameter(frame, name, tensor, shape) end
  local tracer = pass.rec:input(shape)
  pass.tracers[path] = tracer
  pass.entries[#pass.entries + 1] = {name = path, shape = shape, init = init}
  return tracer
end

--- Returns the path of the layer that is being called, such as "mlp/linear_0", for messages; ""
-- outside a layer.
--     local function show(h) print(bnn.nn.path()) return h end
--     bnn.nn.sequential{bnn.nn.linear(3), show}:init(key, x)     -- sequential
-- @return string
function M.path()
  local frame = current:value()
  return frame and frame.path or ""
end

-- Errors ask for the place: an op's, and those of bnn.base.fail.
core.on_failure(function()
  local frame = current:value()
  if not frame then return "" end
  local path = frame.path == "" and "network" or frame.path
  return frame.entry and ("%s/function_%d"):format(path, frame.entry) or path
end)

return M
