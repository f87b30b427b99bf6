--- Multi-head attention.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local kinds = require "bnn.base.kinds"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

local function check_sequence(name, x, beside)
  if x:dim() == 3 and (not beside or x:size(1) == beside:size(1)) then return end
  fail("%s: expected [%s, positions, features], got %s", name, beside and beside:size(1) or "n",
    shapes.text(x))
end

-- Raises unless the heads share d evenly.
local function check_heads(x, heads, d)
  if d % heads == 0 then return end
  fail("x: expected features in %d heads, got %s", heads, shapes.text(x))
end

-- ---- what positions see ----

local GIVEN = {lengths = "tensor", mask = "tensor", bias = "tensor"}

-- context and the table of further tensors, either of which may be left out.
local function read_call(context, given)
  if kinds.is_plain(context) then context, given = nil, context end
  return context, options.check("bnn.nn.multi_head_attention", given, GIVEN)
end

-- Raises unless a mask fits scores [n, heads, t, s].
local function check_mask(mask, n, heads, t, s)
  local shape, fits = mask:shape(), mask:dim() >= 2 and mask:dim() <= 4
  local full = {table.unpack({n, t, s}, 4 - math.min(#shape, 3))}
  if #shape == 4 then full = {n, heads, t, s} end
  for i = 1, fits and #shape or 0 do
    fits = fits and (shape[i] == full[i] or shape[i] == 1 and i < #shape)
  end
  if fits then return end
  fail("mask: expected [%d, %d], [%d, %d, %d] or [%d, %d, %d, %d], or 1 for all but the last, "
    .. "got %s", t, s, n, t, s, n, heads, t, s, shapes.text(shape))
end

-- [n, t, s] as [n, 1, t, s], beside which another has heads.
local function beside_heads(x, other)
  if other:dim() < 4 or x:dim() ~= 3 then return x end
  return core.ops.view(x, {x:size(1), 1, x:size(2), x:size(3)})
end

-- What is added to the scores, for a bias and a mask that may be nil.
local function score_bias(mask, bias)
  if not mask then return bias end
  if mask:dtype() ~= core.real then mask = core.ops.ne(mask, 0) end
  if not bias then return core.ops.where(mask, 0, -math.huge) end
  return core.ops.where(beside_heads(mask, bias), beside_heads(bias, mask), -math.huge)
end

-- The op for a call; tensors that are not given are left out.
local function attend(q, k, v, given, heads, causal)
  if given.lengths then layer.check_lengths("bnn.nn.multi_head_attention", given.lengths, q) end
  if given.mask then check_mask(given.mask, q:size(1), heads, q:size(2), k:size(2)) end
  local args = {q, k, v, given.lengths}
  args[#args + 1] = score_bias(given.mask, given.bias)
  args[#args + 1] = heads
  args[#args + 1] = causal
  return core.ops.attention(table.unpack(args))
end

--- Makes a multi-head attention (Vaswani et al. 2017): each position of x [n, t, d] becomes a
-- mixture of all positions, or of those up to itself, weighed by how well its query fits their
-- keys; [n, t, d] again. Called with two tensors, layer(x, context), the queries are x's, the keys
-- and values those of context [n, s, c]. Parameters query/w [d, d], query/b [d], and the same of
-- key, value and linear, the last product.
--     local layer = bnn.nn.multi_head_attention(2, {causal = true})
--     local x = bnn.ones(1, 5, 4)
--     layer:apply(layer:init(key, x), x)                -- [1, 5, 4]
-- Inside a network, layer(x, {lengths =, mask =, bias =}) and layer(x, context, {...}) say what
-- positions see, causal or not. lengths [n], integers or real numbers, are how many keys each
-- padded example has: those after them are not seen, and what the layer gives at padded positions
-- of x is for pooling and loss to leave out. mask is 0 where a key is not seen (in
-- nn.MultiheadAttention of PyTorch it is the other way round): [t, s]; [n, 1, s], the keys of each
-- example; [n, t, s]; or [n, heads, t, s], with 1 for n, heads and t where it is shared. bias, of
-- such a shape, is added to the scores, and has a gradient. A position that sees no key gives what
-- the last product makes of 0.
--     local net = bnn.transform(function(v)             -- positions of zeros are padding
--       return layer(v, {mask = v:ne(0):any(3):view(v:size(1), 1, v:size(2))})
--     end)
--     net:apply(net:init(key, x), x) --> [1, 5, 4]
-- @param heads integer that divides d
-- @param opts table: causal=false, true where a position may only see itself and those before it;
--   bias=true; w_init=bnn.nn.truncated_normal, a function (key, shape) -> tensor
-- @return layer
-- Raises when it is called and d is not a multiple of heads, context has other examples, or
-- lengths, mask or bias have other shapes.
function M.multi_head_attention(heads, opts)
  local what = "bnn.nn.multi_head_attention"
  heads = expect.value(what .. ": heads", heads, layer.SIZE)
  opts = options.check(what, opts, {
    causal = {type = "boolean", default = false},
    bias = {type = "boolean", default = true},
    w_init = {type = "function", default = initializers.truncated_normal},
  })
  local function project(name, x, out)
    local w = frame.parameter(name .. "/w", {x:size(-1), out}, opts.w_init)
    local b = opts.bias and frame.parameter(name .. "/b", {out}, initializers.zeros)
      or core.zeros{out}
    return core.ops.linear(x, w, b)
  end
  local function forward(x, context, given)
    check_sequence("x", x)
    context, given = read_call(context, given)
    local d = x:size(3)
    check_heads(x, heads, d)
    if context == nil then
      context = x
    else
      check_sequence("context", expect.tensor("context", context, "a tensor"), x)
    end
    local q, k = project("query", x, d), project("key", context, d)
    local y = attend(q, k, project("value", context, d), given, heads, opts.causal)
    return project("linear", y, d)
  end
  return layer.new{
    kind = "multi_head_attention", args = {heads, {causal = opts.causal, bias = opts.bias}},
    forward = forward,
    text = ("multi_head_attention(%d%s)"):format(heads,
      layer.changed_text{{"causal", opts.causal, false}, {"bias", opts.bias, true}}),
  }
end

return M
