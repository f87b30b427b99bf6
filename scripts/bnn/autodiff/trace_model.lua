--- Traces a model: turns a function of its parameters and a batch into a program, which objectives
-- and predictions replay.
local core = require "bnn.core"
local expect_model = require "bnn.params.expect_model"
local named_tensors = require "bnn.params.named_tensors"
local network_input = require "bnn.autodiff.network_input"
local parameters = require "bnn.params.params"

local M = {}

-- In force while something is recorded.
local recording = core.scope()

--- Calls f(rec, ...) with a new recording, which is abandoned if f raises. A recorded function may
-- start another recording, and may yield: what other coroutines do is not recorded.
function M.recording(f, ...)
  local rec = core.recording()
  local function close(_, err)
    if err ~= nil then rec:abandon() end
  end
  local _ <close> = setmetatable({}, {__close = close})
  return recording:run(true, f, rec, ...)
end

--- Whether something is being recorded.
function M.active() return recording:value() ~= nil end

local function pack(...)
  if select("#", ...) == 1 then return (...) end
  return {...}
end

--- Returns a network's output: a tensor, or a list of them if its function returns several.
function M.output(net, params, x, opts)
  return pack(net:apply(params, x, opts))
end

--- The same of a network that predicts: while dropout is on, it keeps its running statistics.
function M.prediction(net, params, x, key, train)
  local opts = {key = key, train = train, statistics = train and "running" or nil}
  return M.output(net, params, x, opts)
end

-- The shape and type of n rows like those of x, as a network sees them.
local function batch_shape(x, n)
  local shape = x:shape()
  shape[1] = n
  return shape, network_input.dtype(x)
end

-- The tracers of a batch's tensors, in the order of their feeds.
local function record_batch(rec, source, n)
  local batch = {}
  for _, role in ipairs{"x", "y", "weight"} do
    batch[role] = named_tensors.map(source[role], function(tensor)
      return rec:rows(batch_shape(tensor, n))
    end)
  end
  return batch
end

-- The tracers of the batch, the key, weights of priors and of what an estimator draws by, and the
-- numbers of these inputs, from 0 in the order in which they are made: the runtime feeds them by
-- number.
local function record_inputs(rec, source, n, n_weights, recorder)
  local batch = record_batch(rec, source, n)
  local _, feeds = named_tensors.sources(source)
  for i, feed in ipairs(feeds) do feed[3] = i - 1 end
  local nodes = {feeds = feeds, key = #feeds, weights = -1, eps = -1, sign = -1}
  local key, weights, last = rec:key(), nil, nodes.key
  if n_weights > 0 then
    weights, last = rec:input({n_weights}), last + 1
    nodes.weights = last
  end
  local noise = recorder and {eps = rec:key()}
  if recorder then nodes.eps, last = last + 1, last + 1 end
  if recorder and recorder.antithetic then
    noise.sign, nodes.sign = rec:input{1}, last + 1
  end
  return nodes, batch, key, weights, noise
end

-- The weights as the program's parameters; of a posterior what it makes of them, or an estimator's
-- recorder.
local function record_weights(rec, own, key, recorder, noise)
  if recorder then return recorder:record(rec, own, noise) end
  local layout = parameters.is(own) and parameters.layout_of(own) or own:program_layout()
  local tracers = {}
  for _, entry in ipairs(layout) do tracers[entry.name] = rec:param(entry.offset, entry.shape) end
  if parameters.is(own) then return parameters.wrap(layout, tracers) end
  return own:weights_of(tracers, key)
end

local function record_model(rec, model, source, n, f, opts)
  local nodes, batch, key, weights, noise =
    record_inputs(rec, source, n, opts.weights or 0, opts.recorder)
  local own = expect_model.parameters_of("record", model)
  local params, phi = record_weights(rec, own, key, opts.recorder, noise)
  local outputs = f(params, batch, key, weights, phi)
  return rec:finish(outputs, {gradient = opts.gradient or false}), nodes
end

--- Records f for batches of n rows like those of x and y.
-- @param model table: posterior or params
-- @param source table: x and y, tensors [*, ...] or named ones, weight tensor [*]; y and weight or
--   nil
-- @param n integer: rows of a batch
-- @param f function(params, {x=, y=, weight=}, key, weights, phi) -> list of tensors, the program's
--   outputs; phi holds the buffers of a posterior that is defined in Lua
-- @param opts table: gradient=false, weights=0, the size of a further input [weights]; recorder, of
--   the weights (bnn.inference.estimators)
-- @return program, nodes {feeds=, key=, weights=, eps=, sign=} for core.objective and
--   core.prediction
function M.model(model, source, n, f, opts)
  return M.recording(record_model, model, source, n, f, opts)
end

--- A cache key: what selects a program for a batch of n rows like those of x and y. It shows one x
-- without its name.
function M.shape_key(source, n)
  local parts = {tostring(n)}
  local tensors, feeds = named_tensors.sources(source)
  for i, tensor in ipairs(tensors) do
    local name = feeds[i][1]
    if name ~= "x" then parts[#parts + 1] = name end
    if name ~= "weight" then
      parts[#parts + 1] = tensor:dtype()
      parts[#parts + 1] = table.concat(tensor:shape(), ",", 2)
    end
  end
  return table.concat(parts, ":")
end

return M
