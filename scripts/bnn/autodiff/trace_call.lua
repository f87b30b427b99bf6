--- Traces a call of a Lua function, for grad, compile and vmap.
--
-- The function is called once on tracers, which record what it does as a program. The leaves of its
-- arguments (numbers, tensors, keys, also in tables) become the inputs of the program, in a fixed
-- order, and the tensors of its results the outputs. A mapped argument has one axis more than the
-- function sees: that of the slices.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local parameters = require "bnn.params.params"
local trace_model = require "bnn.autodiff.trace_model"
local param_samples = require "bnn.params.param_samples"
local pytree = require "bnn.params.pytree"
local shapes = require "bnn.base.shapes"

local M = {}

--- Returns where a function was written, for messages: "function at net.lua:12".
function M.place(f)
  while type(f) == "table" and f.f do f = f.f end
  if type(f) ~= "function" then return tostring(f) end
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return "a C function" end
  return ("function at %s:%d"):format(info.short_src, info.linedefined)
end

-- The tracer of one leaf, its type, and its shape as the function sees it.
local function add_input(rec, leaf, kind, mapped)
  if kind == "key" then return rec:key(), "key", {} end
  if kind == "number" then return rec:input({}), "number", {} end
  local shape, dtype = leaf:shape(), leaf:dtype()
  if mapped then table.remove(shape, 1) end
  if mapped and dtype == "u64" and #shape == 0 then return rec:key(), "key", shape end
  return rec:input(shape, dtype), dtype, shape
end

-- The arguments with tracers for leaves, and the inputs of the program: a list of
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

--- Lists the leaves of concrete arguments, in the order of a call's inputs.
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

-- The results with numbers for tensors: their places in the list of outputs, to which this adds.
local function collect_outputs(rec, results, outputs, what)
  local places = {n = results.n}
  for i = 1, results.n do
    places[i] = pytree.map(results[i], function(leaf, kind)
      if kind == "key" then fail("%s: a key cannot be a result", what) end
      outputs[#outputs + 1] = kind == "number" and rec:constant(core.tensor(leaf)) or leaf
      return #outputs
    end)
  end
  return places
end

-- Raises unless the first result is one number.
local function check_loss(call, outputs)
  if call.places[1] ~= 1 then
    fail.expected("bnn.grad: first result of f", "one number", call.places[1])
  end
  local shape = outputs[1]:shape()
  for _, d in ipairs(shape) do
    if d ~= 1 then
      fail("bnn.grad: first result of f: expected one number, got a tensor %s: take its sum or "
        .. "mean", shapes.text(shape))
    end
  end
end

-- The tracers with respect to which the gradient is taken: the real leaves of an argument.
local function gradient_inputs(call, argument)
  local wrt = {}
  for _, input in ipairs(call.inputs) do
    local is_real = input.type == core.real or input.type == "number"
    if input.argument == argument and is_real then wrt[#wrt + 1] = input.tracer end
  end
  if #wrt == 0 then fail("bnn.grad: argument %d: expected tensors in it, got none", argument) end
  return wrt
end

local function record_call(rec, f, args, opts)
  local call = {argument = opts.argument}
  local tracers
  tracers, call.inputs = trace_arguments(rec, args, opts.mapped)
  local results = table.pack(f(table.unpack(tracers, 1, tracers.n)))
  if results.n == 0 or results[1] == nil then
    fail("%s: result of f: expected a tensor, got nothing", opts.what)
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
-- @param opts table: what= the function's name for messages; argument= the number of the argument
--   with respect to which the first result is differentiated, or nil; mapped= list of booleans, the
--   arguments that f sees slice by slice, or nil
-- @return call: program=, inputs=, outputs=, and what `results` and `gradient` need
function M.record(f, args, opts)
  return trace_model.recording(record_call, f, args, opts)
end

-- Params in one buffer; tensors with one more axis than the layout has are those of Samples.
local function pack(layout, tensors)
  local first = layout[1]
  local has_draws = first and tensors[first.name]:dim() > #first.shape
  return (has_draws and param_samples.pack or parameters.pack)(layout, tensors)
end

-- A pytree of concrete tensors as users get it.
local function finished(value) return pytree.concrete(value, pack) end

--- Returns the function's results, packed, from the program's outputs.
function M.results(call, outputs)
  local results = {n = call.places.n}
  for i = 1, call.places.n do
    results[i] = finished(pytree.map(call.places[i], function(at) return outputs[at] end))
  end
  return results
end

--- Returns the gradient in the form of the argument, from the program's list of gradients.
function M.gradient(value, gradients)
  local i = 0
  return finished(pytree.map(value, function(leaf, kind)
    if kind == "key" or (kind == "tensor" and leaf:dtype() ~= core.real) then return nil end
    i = i + 1
    return gradients[i]
  end))
end

return M
