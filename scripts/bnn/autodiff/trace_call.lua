--- A call of a Lua function, recorded as a program: what grad, compile and vmap share.
--
-- Numbers, tensors, keys and tables of them that are arguments become inputs of the program, in a
-- fixed order; the tensors of the results become its outputs. Where an argument is mapped, its
-- tensors have an axis more than what the function sees: the slices.
local core = require "bnn.core"
local parameters = require "bnn.params.params"
local trace_model = require "bnn.autodiff.trace_model"
local param_samples = require "bnn.params.param_samples"
local pytree = require "bnn.params.pytree"
local shapes = require "bnn.base.shapes"

local M = {}

--- Whether a value can be called.
function M.is_callable(f)
  local meta = getmetatable(f)
  return type(f) == "function" or type(meta) == "table" and meta.__call ~= nil
end

--- Where a function was written, for messages: "function at net.lua:12".
function M.place(f)
  while type(f) == "table" and f.f do f = f.f end
  if type(f) ~= "function" then return tostring(f) end
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return "a C function" end
  return ("function at %s:%d"):format(info.short_src, info.linedefined)
end

-- The input of the recording for one leaf of argument i.
local function add_input(rec, leaf, kind, mapped)
  if kind == "key" then return rec:key(), "key", {} end
  if kind == "number" then return rec:input({}), "number", {} end
  local shape, dtype = leaf:shape(), leaf:dtype()
  if mapped then table.remove(shape, 1) end
  if mapped and dtype == "u64" and #shape == 0 then return rec:key(), "key", shape end
  return rec:input(shape, dtype), dtype, shape
end

-- The arguments as the function sees them, and the list of inputs:
-- {tracer=, argument=, path=, type=, shape=, mapped=}.
local function trace_arguments(rec, args, mapped)
  local tracers, inputs = {n = args.n}, {}
  for i = 1, args.n do
    local is_mapped = mapped and mapped[i] or false
    tracers[i] = pytree.map(args[i], function(leaf, kind, path)
      local tracer, type_name, shape = add_input(rec, leaf, kind, is_mapped)
      inputs[#inputs + 1] = {tracer = tracer, argument = i, path = path:gsub("^%.", ""),
                             type = type_name, shape = shape, mapped = is_mapped}
      return tracer
    end)
  end
  return tracers, inputs
end

--- The leaves of concrete arguments, in the order of a call's inputs.
function M.values(args)
  local values = {}
  for i = 1, args.n do
    pytree.map(args[i], function(leaf)
      values[#values + 1] = leaf
      return leaf
    end)
  end
  return values
end

-- Replaces every tensor of the results by its number in the list of outputs.
local function collect_outputs(rec, results, outputs, what)
  local places = {n = results.n}
  for i = 1, results.n do
    places[i] = pytree.map(results[i], function(leaf, kind)
      if kind == "key" then error(what .. ": a key cannot be a result", 0) end
      outputs[#outputs + 1] = kind == "number" and rec:constant(core.tensor(leaf)) or leaf
      return #outputs
    end)
  end
  return places
end

local function check_loss(call, outputs)
  if call.places[1] ~= 1 then
    local fault = "grad: the function's first result is a %s, one number is wanted"
    error(fault:format(type(call.places[1])), 0)
  end
  local shape = outputs[1]:shape()
  for _, d in ipairs(shape) do
    if d ~= 1 then
      error(("grad: the function gives a tensor %s, one number is wanted: take its sum or mean")
        :format(shapes.text(shape)), 0)
    end
  end
end

-- The inputs with respect to which the gradient is taken: argument `argument`'s real tensors.
local function gradient_inputs(call, argument)
  local wrt = {}
  for _, input in ipairs(call.inputs) do
    local is_real = input.type == core.real or input.type == "number"
    if input.argument == argument and is_real then wrt[#wrt + 1] = input.tracer end
  end
  if #wrt == 0 then error(("grad: argument %d has no tensors"):format(argument), 0) end
  return wrt
end

local function record_call(rec, f, args, opts)
  local call = {argument = opts.argument, mapped = opts.mapped}
  local tracers
  tracers, call.inputs = trace_arguments(rec, args, opts.mapped)
  local results = table.pack(f(table.unpack(tracers, 1, tracers.n)))
  if results.n == 0 or results[1] == nil then
    error(opts.what .. ": the function gives nothing", 0)
  end
  local outputs = {}
  call.places = collect_outputs(rec, results, outputs, opts.what)
  call.outputs = {}
  for i, tensor in ipairs(outputs) do
    call.outputs[i] = {type = tensor:dtype(), shape = tensor:shape()}
  end
  if opts.argument then
    check_loss(call, outputs)
    local wrt = gradient_inputs(call, opts.argument)
    call.program = rec:finish(outputs, {gradient = true, wrt = wrt})
  else
    call.program = rec:finish(outputs)
  end
  for _, input in ipairs(call.inputs) do input.tracer = nil end
  return call
end

--- Records f on arguments like `args` (packed, with n).
-- @param opts table: what= a name for messages; argument= the number of the argument with respect
--   to which the gradient of the first result is taken, or nil; mapped= list of booleans, the
--   arguments that are seen slice by slice, or nil
-- @return call: program=, inputs=, outputs=, and what `results` and `gradient` need
function M.record(f, args, opts)
  return trace_model.recording(record_call, f, args, opts)
end

-- A tree of tensors in the form that users get; Params of slices are Samples.
local function finished(call, value)
  return pytree.concrete(value, call.mapped and param_samples.pack or parameters.pack)
end

--- The function's results, packed, from the program's outputs.
function M.results(call, outputs)
  local results = {n = call.places.n}
  for i = 1, call.places.n do
    results[i] = finished(call, pytree.map(call.places[i], function(at) return outputs[at] end))
  end
  return results
end

--- The gradient in the form of the argument, from the program's list of gradients.
function M.gradient(call, value, gradients)
  local i = 0
  return finished(call, pytree.map(value, function(leaf, kind)
    if kind == "key" or (kind == "tensor" and leaf:dtype() ~= core.real) then return nil end
    i = i + 1
    return gradients[i]
  end))
end

return M
