--- Multi-head attention.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
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

--- Makes a multi-head attention (Vaswani et al. 2017): each position of x [n, t, d] becomes a
-- mixture of all positions, or of those up to itself, weighed by how well its query fits their
-- keys; [n, t, d] again. Called with two tensors, layer(x, context), the queries are x's, the keys
-- and values those of context [n, s, c]. Parameters query/w [d, d], query/b [d], and the same of
-- key, value and linear, the last product.
--     local layer = bnn.nn.multi_head_attention(2, {causal = true})
--     local x = bnn.ones(1, 5, 4)
--     layer:apply(layer:init(key, x), x)                -- [1, 5, 4]
-- @param heads integer that divides d
-- @param opts table: causal=false, true where a position may only see itself and those before it;
--   bias=true; w_init=bnn.nn.truncated_normal, a function (key, shape) -> tensor
-- @return layer
-- Raises when it is called and d is not a multiple of heads, or context has other examples.
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
  local function forward(x, context)
    check_sequence("x", x)
    local d = x:size(3)
    check_heads(x, heads, d)
    if context == nil then
      context = x
    else
      check_sequence("context", expect.tensor("context", context, "a tensor"), x)
    end
    local q, k = project("query", x, d), project("key", context, d)
    local y = core.ops.attention(q, k, project("value", context, d), heads, opts.causal)
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
