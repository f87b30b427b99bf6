--- Gradients and compiled functions: a Lua function of tensors is recorded once as a program, which
-- C replays forward and backward (as JAX's grad and jit).
--
-- Numbers, tensors, keys and tables of them that are passed as arguments are inputs; what the
-- function captured is a constant (its memory, not a copy: a posterior's mean that training changes
-- in place is seen as it is then). A value that is read while recording (item, totable) raises. A
-- key may be folded, and given to dropout; other draws are made before and passed as arguments.
local core = require "bnn.core"
local record = require "bnn.record"
local tree = require "bnn.tree"

local M = {}

-- Makes an input of the recording for every leaf of the arguments.
local function trace_arguments(rec, args)
  local tracers = {n = args.n}
  local leaves, kinds = {}, {}
  for i = 1, args.n do
    tracers[i] = tree.map(args[i], function(leaf, kind)
      local tracer
      if kind == "key" then
        tracer = rec:key()
      else
        tracer = kind == "number" and rec:input({}) or rec:input(leaf:shape(), leaf:dtype())
      end
      leaves[#leaves + 1], kinds[#kinds + 1] = tracer, i
      return tracer
    end)
  end
  return tracers, leaves, kinds
end

-- The leaves of concrete arguments, in the order of trace_arguments.
local function argument_values(args)
  local values = {}
  for i = 1, args.n do
    tree.map(args[i], function(leaf)
      values[#values + 1] = leaf
      return leaf
    end)
  end
  return values
end

-- Replaces every tensor of a tree of results by its number in the list of outputs.
local function collect_outputs(rec, results, outputs)
  local places = {n = results.n}
  for i = 1, results.n do
    places[i] = tree.map(results[i], function(leaf, kind)
      if kind == "key" then error("compile: a key can not be a result", 0) end
      outputs[#outputs + 1] = kind == "number" and rec:constant(core.tensor(leaf)) or leaf
      return #outputs
    end)
  end
  return places
end

-- The results of a replay in the form in which the function gave them.
local function restore(places, values)
  local results = {n = places.n}
  for i = 1, places.n do
    results[i] = tree.concrete(tree.map(places[i], function(at) return values[at] end))
  end
  return results
end

-- Records f on arguments like `args`.
local function record_call(rec, f, args, what)
  local tracers, leaves, kinds = trace_arguments(rec, args)
  local results = table.pack(f(table.unpack(tracers, 1, tracers.n)))
  if results.n == 0 or results[1] == nil then error(what .. ": the function gives nothing", 0) end
  local outputs = {}
  local places = collect_outputs(rec, results, outputs)
  return {rec = rec, leaves = leaves, kinds = kinds, outputs = outputs, places = places}
end

-- ---- functions that can be recorded: plain ones, and those that give gradients ----

local Gradient = {__name = "bnn.gradient"}
Gradient.__index = Gradient

local function build_forward(f, args)
  local r = record.recording(record_call, f, args, "compile")
  local program = r.rec:finish(r.outputs)
  return function(values)
    return restore(r.places, program:run(values))
  end, program
end

local function check_loss(r)
  if r.places[1] ~= 1 then
    local fault = "grad: the function's first result is a %s, one number is wanted"
    error(fault:format(type(r.places[1])), 0)
  end
  local shape = r.outputs[1]:shape()
  for _, d in ipairs(shape) do
    if d ~= 1 then
      error(("grad: the function gives a tensor [%s], one number is wanted: take its sum or mean")
        :format(table.concat(shape, ", ")), 0)
    end
  end
end

-- Differentiates the first result with respect to argument number self.argument.
local function build_gradient(self, args)
  local r = record.recording(record_call, self.f, args, "grad")
  check_loss(r)
  local wrt = {}
  for i, tracer in ipairs(r.leaves) do
    if r.kinds[i] == self.argument and tracer.dtype and tracer:dtype() == core.real then
      wrt[#wrt + 1] = tracer
    end
  end
  if #wrt == 0 then error(("grad: argument %d has no tensors"):format(self.argument), 0) end
  local program = r.rec:finish(r.outputs, {gradient = true, wrt = wrt})
  return function(values, run_args)
    local outputs, gradients = program:run(values, {gradient = true})
    local i = 0
    local gradient = tree.concrete(tree.map(run_args[self.argument], function(leaf, kind)
      if kind == "key" or (kind == "tensor" and leaf:dtype() ~= core.real) then return nil end
      i = i + 1
      return gradients[i]
    end))
    return restore(r.places, outputs), gradient
  end, program
end

-- value, gradient, further results; or the gradient alone.
local function deliver(self, results, gradient)
  if not self.with_value then return gradient, table.unpack(results, 2, results.n) end
  return results[1], gradient, table.unpack(results, 2, results.n)
end

function Gradient.__call(self, ...)
  if record.active() then
    error("grad: a gradient can not be recorded, inside grad, compile or a network; "
      .. "bnn.compile(bnn.value_and_grad(f)) compiles one", 2)
  end
  local args = table.pack(...)
  local run = build_gradient(self, args)
  return deliver(self, run(argument_values(args), args))
end

local function is_callable(f)
  local meta = getmetatable(f)
  return type(f) == "function" or type(meta) == "table" and meta.__call ~= nil
end

local function gradient_of(f, argument, with_value, what)
  if not is_callable(f) then error(what .. ": a function is wanted, got " .. type(f), 3) end
  argument = argument or 1
  if math.type(argument) ~= "integer" or argument < 1 then
    local fault = "%s: argument %s, the number of an argument is wanted"
    error(fault:format(what, tostring(argument)), 3)
  end
  return setmetatable({f = f, argument = argument, with_value = with_value}, Gradient)
end

--- g = bnn.grad(f): g(params, ...) is the gradient of f's first result, one number, with respect to
-- its first argument (or argument number `argument`): a tensor, Params or table of the same form.
-- Further results of f are given behind it.
function M.grad(f, argument) return gradient_of(f, argument, false, "grad") end

--- As grad, with the value in front: value [], gradient, further results.
--     local f = bnn.value_and_grad(function(p) return ((x:mm(p.w) - y) ^ 2):mean() end)
--     local loss, gradient = f(params)
function M.value_and_grad(f, argument) return gradient_of(f, argument, true, "value_and_grad") end

local Compiled = {__name = "bnn.compiled"}
Compiled.__index = Compiled

--- The programs that a compiled function has made: a list of {ops=, bytes=, flops=, ...}.
function Compiled:info()
  local list = {}
  for i, program in ipairs(self.programs) do list[i] = program:info() end
  return list
end

function Compiled.__call(self, ...)
  if record.active() then return self.f(...) end -- becomes part of what is being recorded
  local args = table.pack(...)
  local parts = {}
  for i = 1, args.n do parts[i] = tree.signature(args[i]) end
  local signature = table.concat(parts, "|")
  local run = self.runs[signature]
  if not run then
    local build = getmetatable(self.f) == Gradient and build_gradient or build_forward
    local program
    run, program = build(self.f, args)
    self.runs[signature] = run
    self.programs[#self.programs + 1] = program
  end
  local results, gradient = run(argument_values(args), args)
  if getmetatable(self.f) == Gradient then return deliver(self.f, results, gradient) end
  return table.unpack(results, 1, results.n)
end

--- Compiles a function of tensors, or what grad and value_and_grad give, as JAX's jit: recorded
-- once for each set of argument shapes, then replayed without Lua. Its values and bits are those
-- of f itself. Called in another function that is recorded, it becomes a part of that.
function M.compile(f)
  if not is_callable(f) then
    error("compile: a function is wanted, got " .. type(f), 2)
  end
  return setmetatable({f = f, runs = {}, programs = {}}, Compiled)
end

return M
