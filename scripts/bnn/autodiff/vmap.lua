--- vmap: calls a function on every slice of its arguments, recorded once, without a Lua loop.
local core = require "bnn.core"
local autodiff = require "bnn.autodiff.autodiff"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local trace_model = require "bnn.autodiff.trace_model"
local param_samples = require "bnn.params.param_samples"
local shapes = require "bnn.base.shapes"
local trace_call = require "bnn.autodiff.trace_call"
local pytree = require "bnn.params.pytree"

local M = {}

local Vmap = {__name = "bnn.vmap"}
Vmap.__index = Vmap

-- ---- arguments ----

local function is_key_list(value)
  if type(value) ~= "table" or getmetatable(value) or #value == 0 then return false end
  for _, v in pairs(value) do
    if pytree.leaf_kind(v) ~= "key" then return false end
  end
  return true
end

-- A list of keys as a tensor [S] of their bits, which is what a mapped key is read from.
local function key_bits(list)
  local bits = {}
  for i, key in ipairs(list) do bits[i] = key:bits() end
  return core.tensor(bits, "u64")
end

-- The axis along which argument i is mapped, or false.
local function axis_of(self, i)
  local axes = self.in_axes
  if type(axes) == "table" then return axes[i] or false end
  return axes
end

-- x with its axis number `axis` first.
local function to_front(x, axis, i)
  local rank = x:dim()
  local at = axis < 0 and axis + rank + 1 or axis
  if at < 1 or at > rank then
    fail("bnn.vmap: argument %d: expected tensors with an axis %d, got %s", i, axis,
      shapes.text(x))
  end
  if at == 1 then return x end
  local order = {at}
  for k = 1, rank do
    if k ~= at then order[#order + 1] = k end
  end
  return x:permute(order)
end

-- A mapped argument with its slices along axis 1.
local function prepare(value, axis, i)
  if is_key_list(value) then return key_bits(value) end
  if param_samples.is(value) and axis ~= 1 then
    fail("bnn.vmap: argument %d: expected in_axes 1 for samples, got %d", i, axis)
  end
  return (pytree.map(value, function(leaf, kind, path)
    if kind ~= "tensor" then
      local where = path == "" and "" or " (" .. path:sub(2) .. ")"
      fail("bnn.vmap: argument %d%s: expected a tensor, got a %s, which has no axis to map; "
        .. "in_axes = {...} with false there shares it between the slices", i, where, kind)
    end
    return to_front(leaf, axis, i)
  end))
end

-- The number of slices, which all mapped tensors agree on.
local function count_slices(args, mapped)
  local count, first
  for i = 1, args.n do
    if mapped[i] then
      pytree.map(args[i], function(leaf)
        local n = leaf:size(1)
        if count and n ~= count then
          fail("bnn.vmap: argument %d has %d slices, argument %d has %d; in_axes = {...} with "
            .. "false there shares an argument between the slices", i, n, first, count)
        end
        count, first = n, first or i
        return leaf
      end)
    end
  end
  return count or fail "bnn.vmap: expected a tensor to map in some argument, got none"
end

local function prepare_all(self, args)
  local ready, mapped = {n = args.n}, {}
  for i = 1, args.n do
    local axis = axis_of(self, i)
    mapped[i] = axis ~= false
    ready[i] = args[i]
    if axis then ready[i] = prepare(args[i], axis, i) end
  end
  local last = type(self.in_axes) == "table" and #self.in_axes or 0
  if last > args.n then
    fail("bnn.vmap: expected the %d arguments of in_axes, got %d", last, args.n)
  end
  return ready, mapped, count_slices(ready, mapped)
end

-- ---- calls ----

-- Whether each input of the program is mapped.
local function mapped_inputs(call)
  local list = {}
  for i, input in ipairs(call.inputs) do list[i] = input.mapped end
  return list
end

-- Records f on one slice: the call, and a function that runs its program on all slices.
function Vmap:build(args)
  local gradient = autodiff.is_gradient(self.f) and self.f or nil
  local first, mapped = prepare_all(self, args)
  local call = trace_call.record(gradient and gradient.f or self.f, first,
    {what = "bnn.vmap", mapped = mapped, argument = gradient and gradient.argument})
  local by_input = mapped_inputs(call)
  return call, function(run_args)
    local ready, _, count = prepare_all(self, run_args)
    local outputs, gradients = core.vmap(call.program, trace_call.values(ready), by_input, count)
    if gradient then return gradient:results(call, ready, outputs, gradients) end
    return trace_call.results(call, outputs)
  end
end

function Vmap.__call(self, ...)
  if trace_model.active() then
    fail "bnn.vmap: a vmap cannot be recorded inside grad, compile or a network; \z
      bnn.compile(bnn.vmap(f)) compiles one, bnn.vmap(bnn.grad(f)) maps a gradient"
  end
  local args = table.pack(...)
  local _, run = self:build(args)
  local results = run(args)
  return table.unpack(results, 1, results.n)
end

function Vmap.__tostring(self) return "vmap of " .. trace_call.place(self.f) end

local function check_axes(axes)
  if type(axes) ~= "table" then axes = {axes} end
  for i, axis in pairs(axes) do
    local is_axis = axis == false or math.type(axis) == "integer" and axis ~= 0
    if math.type(i) ~= "integer" or not is_axis then
      fail("bnn.vmap: in_axes: expected an axis (from 1) or false for each argument, got %s",
        kinds.show(axis))
    end
  end
end

--- Vectorises a function, as JAX's vmap: bnn.vmap(f)(...) calls f on every slice of its arguments
-- and stacks the results, so a result of shape [a] becomes [S, a].
--     local q = objective.posterior
--     local logits = bnn.vmap(function(p, x) return net:apply(p, x) end, {in_axes = {1, false}})
--     print(logits(q:samples(key, 100), x))                       -- [100, n, 10]
--     local each = bnn.vmap(bnn.grad(loss), {in_axes = {false, 1, 1}})  -- a gradient per example
-- f is recorded once and replayed in C on all threads; the bits are those of a Lua loop. Mapped
-- arguments are tensors (along axis 1 unless in_axes says otherwise), tables of them,
-- posterior:samples, or lists of keys. Params that f returns become Samples.
-- bnn.compile(bnn.vmap(f)) records once for each set of shapes instead of once per call.
-- @param f function, or what grad or value_and_grad returned
-- @param opts table: in_axes= a list with an axis for each mapped argument and false (or nothing,
--   at the end) for one that all slices share; or one axis for all arguments, default 1
-- @return function of the same arguments, each with one axis more where it is mapped
-- Raises if f reads a value while it is recorded, or mapped arguments differ in length.
function M.vmap(f, opts)
  opts = options.check("bnn.vmap", opts, {in_axes = {type = "any", default = 1}})
  expect.callable("bnn.vmap: f", f)
  check_axes(opts.in_axes)
  return setmetatable({f = f, in_axes = opts.in_axes}, Vmap)
end

return M
