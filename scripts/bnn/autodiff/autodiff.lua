--- Gradients: records a Lua function of tensors once as a program, which C runs forward and
-- backward (as JAX's grad).
--
-- Numbers, tensors, keys and tables of them that are passed as arguments are inputs. What the
-- function captures is a constant: its memory, not a copy, so a posterior's mean that training
-- changes in place is read as it is at each run. Reading a value while recording (item, totable, a
-- comparison) raises. A recorded function may fold a key and pass it to dropout and randn_like;
-- make other draws before, and pass them as arguments.
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local trace_model = require "bnn.autodiff.trace_model"
local trace_call = require "bnn.autodiff.trace_call"

local M = {}

local Gradient = {__name = "bnn.gradient"}

function Gradient.__tostring(self)
  local kind = self.with_value and "value and gradient of " or "gradient of "
  return kind .. trace_call.place(self.f)
end
Gradient.__index = Gradient

-- value, gradient, further results; without the value if grad made it.
local function deliver(self, results, gradient)
  if not self.with_value then
    return table.pack(gradient, table.unpack(results, 2, results.n))
  end
  return table.pack(results[1], gradient, table.unpack(results, 2, results.n))
end

-- The results of a call, packed, from the program's outputs and gradients. vmap runs the program
-- itself.
function Gradient:results(call, args, outputs, gradients)
  local gradient = trace_call.gradient(args[self.argument], gradients)
  return deliver(self, trace_call.results(call, outputs), gradient)
end

-- Records a call: the call, and a function that runs its program.
function Gradient:build(args)
  local call = trace_call.record(self.f, args, {what = "bnn.grad", argument = self.argument})
  return call, function(run_args)
    local outputs, gradients = call.program:run(trace_call.values(run_args), {gradient = true})
    return self:results(call, run_args, outputs, gradients)
  end
end

function Gradient.__call(self, ...)
  if trace_model.active() then
    fail "bnn.grad: a gradient cannot be recorded inside grad, compile or a network; \z
      bnn.compile(bnn.value_and_grad(f)) compiles one"
  end
  local args = table.pack(...)
  local _, run = self:build(args)
  local results = run(args)
  return table.unpack(results, 1, results.n)
end

--- Whether a value is what grad or value_and_grad returns.
function M.is_gradient(value) return getmetatable(value) == Gradient end

local function gradient_of(what, f, argument, with_value)
  expect.callable(what .. ": f", f)
  argument = expect.value(what .. ": argument", argument or 1, {type = "integer", min = 1})
  return setmetatable({f = f, argument = argument, with_value = with_value}, Gradient)
end

--- Differentiates a function: bnn.grad(f)(params, ...) is the gradient of f's first result, one
-- number, with respect to its first argument, or to argument number `argument`. The gradient has
-- the form of that argument: a tensor, Params or a table. Further results of f follow the gradient.
--     local slope = bnn.grad(function(v) return (v ^ 3):sum() end)
--     slope(bnn.tensor{1, 2}) --> {3, 12}
-- @param f function of tensors
-- @param argument integer: the number of the argument, default 1
-- @return function of the same arguments
-- Raises if the first result is not one number, or f reads a value while it is recorded (item,
-- totable, a comparison).
function M.grad(f, argument) return gradient_of("bnn.grad", f, argument, false) end

--- Differentiates as bnn.grad does and returns the value first: value [], gradient, further
-- results.
--     local f = bnn.value_and_grad(function(p) return ((x:mm(p.w) - y) ^ 2):mean() end)
--     local loss, gradient = f(params) -- [], {w = [2, 1]}
-- @param f function of tensors, Params or tables of them, whose first result is a scalar
-- @param argument integer: which argument to differentiate by, 1 by default
-- @return function of the arguments of f: value [], gradient of the form of that argument,
--   further results of f
-- Raises if the first result is not one number, or f reads a value while it is recorded (item,
-- totable, a comparison).
function M.value_and_grad(f, argument)
  return gradient_of("bnn.value_and_grad", f, argument, true)
end

return M
