--- Calls of networks: the path of the layer that is being called, and its parameters.
--
-- net:init and net:apply run a network's function in a pass; each layer called in it has a frame.
-- Paths are Haiku's: in a container layers count from 0, "mlp/linear_0/w"; in a function the first
-- has no number, "linear/w", "linear_1/w". A layer value called twice shares its weights.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local parameters = require "bnn.params.params"
local shapes = require "bnn.base.shapes"

local M = {}

-- The frame in force:
--   path      "" in the network's own function; "mlp/linear_0"
--   x         the layer's input, for messages
--   numbered  true in a container, whose layers count from 0
--   entry     in a sequential, the number from 0 of the plain function that is being called
--   pass      what the frames of one init or apply share:
--     params      apply: path -> tensor
--     key, train, statistics  apply's options
--     rec         init: the recording
--     tracers     init: path -> tensor of the recording
--     entries     init: list of {name=, shape=, init=}, the parameters that were asked for
--     layers      init: list of {path=, text=, shape=, parameters=, state=, weights=,
--                 multiply_adds=}, the layers in the order in which they begin
--     taken       path without a number -> how many layers have it
--     names       layer value -> its path
--     calls       path -> calls of a dropout layer
local current = core.scope()

--- Runs a network's function on x, a tensor or several by name.
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
-- were there before, and `flops` the multiply-adds.
local function note(pass, row, first, flops, y, ...)
  row.shape = kinds.is_object(y, "tensor") and y:shape() or nil
  row.parameters, row.state, row.weights = 0, 0, {}
  row.multiply_adds = math.tointeger(pass.rec:flops() - flops)
  for i = first + 1, #pass.entries do
    local entry, size = pass.entries[i], 1
    for _, d in ipairs(entry.shape) do size = size * d end
    local field = parameters.is_state(entry.name) and "state" or "parameters"
    row[field] = row[field] + size
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
  return note(pass, row, #pass.entries, pass.rec:flops(), current:run(frame, f, layer, x, ...))
end

--- Calls f(...) within a frame below the current one, whose layers have paths with `name` in them:
-- "parallel/image/linear/w".
function M.inside(name, f, ...)
  local outer = M.current("bnn.nn")
  local path = outer.path == "" and name or outer.path .. "/" .. name
  return current:run({path = path, pass = outer.pass}, f, ...)
end

-- Raises unless a parameter is there and has the shape that its layer asks for.
local function check_parameter(frame, name, tensor, shape)
  if tensor == nil then
    fail("%s: expected a tensor %s, the parameters have none", name, shapes.text(shape))
  end
  if shapes.equal(tensor, shape) then return tensor end
  local is_tensor = kinds.is_object(frame.x, "tensor")
  local x = is_tensor and (" for x %s"):format(shapes.text(frame.x)) or ""
  fail("%s: expected %s%s, got %s", name, shapes.text(shape), x, shapes.text(tensor))
end

-- The tensor of a name in the frame in force; while net:init runs a tracer, whose entry it adds.
local function find(what, name, shape, init)
  expect.shape(what .. ": shape", shape)
  local frame = M.current(what)
  expect.callable(what .. ": init", init)
  local path = frame.path == "" and name or frame.path .. "/" .. name
  local pass = frame.pass
  local tensor = (pass.tracers or pass.params)[path]
  if tensor ~= nil or not pass.rec then return check_parameter(frame, name, tensor, shape) end
  local tracer = pass.rec:input(shape)
  pass.tracers[path] = tracer
  pass.entries[#pass.entries + 1] = {name = path, shape = shape, init = init}
  return tracer
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
-- Raises for a name that begins with running_.
function M.parameter(name, shape, init)
  expect.string("bnn.nn.parameter: name", name)
  if parameters.is_state(name) then
    fail("bnn.nn.parameter: name: expected one that does not begin with running_, which is state "
      .. "(bnn.nn.state), got '%s'", name)
  end
  return find("bnn.nn.parameter", name, shape, init)
end

-- ---- state ----

-- In force while new values of state are taken in: {value= old tensor -> new one, old= new -> old,
-- momentum= of running statistics in place of a layer's own, or nil}.
local updates = core.scope()

--- Calls f(...) and takes in what layers make of the state of their parameters.
-- @param momentum number in [0, 1] in place of that of layers, or nil
-- @return function(tensor) -> the new value of a tensor of the parameters that f was called on, or
--   nil; and what f returns
function M.with_updates(momentum, f, ...)
  local taken = {value = {}, old = {}, momentum = momentum}
  local function new_value(tensor) return taken.value[tensor] end
  return new_value, updates:run(taken, f, ...)
end

--- The momentum of running statistics: a layer's own, unless with_updates has another.
function M.momentum(own)
  local taken = updates:value()
  return taken and taken.momentum or own
end

--- Returns state of the layer or function that is being called: what a training step keeps account
-- of beside the parameters, such as running statistics. It is kept in params, and in checkpoints,
-- but is no weight: without gradient, prior, posterior or weight decay.
--     local function centred(h)
--       local mean = bnn.nn.state("running_mean", {h:size(2)}, bnn.nn.zeros)
--       if not bnn.nn.is_training() then return h - mean end
--       local own = h:mean(1)
--       bnn.nn.update_state(mean, mean * 0.9 + own * 0.1)
--       return h - own
--     end
--     bnn.transform(centred):init(key, bnn.ones(1, 4)):names()     -- running_mean
-- @param name string that begins with running_
-- @param shape list
-- @param init function(key, shape) -> tensor of that shape
-- @return tensor of that shape: what the last update in this call of the network gave, if any
-- Raises for another name.
function M.state(name, shape, init)
  expect.string("bnn.nn.state: name", name)
  if not parameters.is_state(name) then
    fail("bnn.nn.state: name: expected one that begins with running_, got '%s'", name)
  end
  local tensor, taken = find("bnn.nn.state", name, shape, init), updates:value()
  local latest = core.ops.stop_gradient(taken and taken.value[tensor] or tensor)
  if taken then taken.old[latest] = tensor end
  return latest
end

--- Gives state its value for the steps to come: a training step writes it, with the mean over its
-- weight samples if there are several. Elsewhere, as in net:apply, it has no effect.
--     local function counted(h)
--       local calls = bnn.nn.state("running_count", {1}, bnn.nn.zeros)
--       bnn.nn.update_state(calls, calls + 1)
--       return h
--     end
--     bnn.transform(counted):init(key, bnn.ones(1, 4)):names()     -- running_count
-- @param state tensor of any shape, as bnn.nn.state gave it
-- @param value tensor of the same shape
-- Raises outside of a network, and for another shape.
function M.update_state(state, value)
  M.current "bnn.nn.update_state"
  expect.tensor("bnn.nn.update_state: state", state, "a tensor of bnn.nn.state")
  expect.tensor("bnn.nn.update_state: value", value, "a tensor " .. shapes.text(state))
  if not shapes.equal(value, state:shape()) then
    fail("bnn.nn.update_state: value: expected %s, got %s", shapes.text(state), shapes.text(value))
  end
  local taken = updates:value()
  if not taken then return end
  local old = taken.old[state]
  if not old then fail.expected("bnn.nn.update_state: state", "a tensor of bnn.nn.state", state) end
  taken.value[old] = value
end

--- Whether the network that is being called is trained: steps say so, and net:apply with train =
-- true. Functions in bnn.transform and containers ask for it as layers do.
--     local net = bnn.transform(function(h) return bnn.nn.is_training() and h * 2 or h end)
--     net:apply({}, bnn.ones(1)):item() --> 1
-- @return boolean
-- Raises outside of a network.
function M.is_training() return M.current "bnn.nn.is_training".pass.train == true end

-- ---- places ----

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
