--- Recording a model: a function of its parameters and a batch, as a program of the runtime.
local core = require "bnn.core"
local expect_model = require "bnn.params.expect_model"
local network_input = require "bnn.autodiff.network_input"
local parameters = require "bnn.params.params"

local M = {}

-- In force while something is recorded.
local recording = core.scope()

--- f(rec, ...) with a new recording, which is dropped when f fails. A function that is recorded may
-- make another recording, and may yield: what other coroutines do then is not part of it.
function M.recording(f, ...)
  local rec = core.recording()
  local function close(_, err)
    if err ~= nil then rec:abandon() end
  end
  local _ <close> = setmetatable({}, {__close = close})
  return recording:run(true, f, rec, ...)
end

--- Whether a recording is going on.
function M.active() return recording:value() ~= nil end

local function pack(...)
  if select("#", ...) == 1 then return (...) end
  return {...}
end

--- A network's output: a tensor, or the list of them when its function gives several.
function M.output(net, params, x, opts)
  return pack(net:apply(params, x, opts))
end

-- [n, rest of the shape of x], and the type that the runtime feeds.
local function batch_shape(x, n)
  local shape = x:shape()
  shape[1] = n
  return shape, network_input.dtype(x)
end

-- Inputs in this order; their numbers are what the runtime feeds them by.
local function record_inputs(rec, source, n, n_weights)
  local nodes, batch = {x = 0, y = -1, key = 1, weights = -1}, {}
  batch.x = rec:rows(batch_shape(source.x, n))
  if source.y then
    batch.y = rec:rows(batch_shape(source.y, n))
    nodes.y, nodes.key = 1, 2
  end
  local key, weights = rec:key(), nil
  if n_weights > 0 then
    weights = rec:input({n_weights})
    nodes.weights = nodes.key + 1
  end
  return nodes, batch, key, weights
end

local function record_model(rec, model, source, n, f, opts)
  local nodes, batch, key, weights = record_inputs(rec, source, n, opts.weights or 0)
  local layout, tracers = parameters.layout_of((expect_model.parameters_of("record", model))), {}
  for _, entry in ipairs(layout) do tracers[entry.name] = rec:param(entry.offset, entry.shape) end
  local outputs = f(parameters.wrap(layout, tracers), batch, key, weights)
  return rec:finish(outputs, {gradient = opts.gradient or false}), nodes
end

--- Records f for batches of n rows like those of x and y.
-- @param model table: posterior or params
-- @param source table: x tensor [*, ...], y tensor or nil
-- @param n integer: rows of a batch
-- @param f function(params, {x=, y=}, key, weights) -> list of tensors, the program's outputs
-- @param opts table: gradient=false, weights=0, the size of a further input [weights]
-- @return program, nodes {x=, y=, key=, weights=} for core.objective and core.predict
function M.model(model, source, n, f, opts)
  return M.recording(record_model, model, source, n, f, opts)
end

--- A name for the shapes of a batch, to find its program again.
function M.shape_key(source, n)
  local parts = {tostring(n), source.x:dtype(), table.concat(source.x:shape(), ",", 2)}
  if source.y then
    parts[4], parts[5] = source.y:dtype(), table.concat(source.y:shape(), ",", 2)
  end
  return table.concat(parts, ":")
end

return M
