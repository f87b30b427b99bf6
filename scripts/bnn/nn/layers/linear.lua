--- The linear layer.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"

local M = {}

--- Makes a linear layer: y = x w + b, x [..., in] -> y [..., out]. Parameters w [in, out], b [out].
--     local layer = bnn.nn.linear(10)
--     layer:init(key, bnn.ones(1, 4))                   -- linear/w [4, 10], linear/b [10]
--     bnn.nn.linear(10, {bias = false})                 -- w alone
-- @param out integer: features of the result
-- @param opts table: bias=true, w_init=bnn.nn.truncated_normal, b_init=bnn.nn.zeros, functions
--   (key, shape) -> tensor
-- @return layer
function M.linear(out, opts)
  out = expect.value("bnn.nn.linear: out", out, layer.SIZE)
  opts = options.check("bnn.nn.linear", opts, {
    bias = {type = "boolean", default = true},
    w_init = {type = "function", default = initializers.truncated_normal},
    b_init = {type = "function", default = initializers.zeros},
  })
  local function forward(x)
    local w = frame.parameter("w", {x:size(-1), out}, opts.w_init)
    local b = opts.bias and frame.parameter("b", {out}, opts.b_init) or core.zeros{out}
    return core.ops.linear(x, w, b)
  end
  return layer.new{
    kind = "linear", args = {out, {bias = opts.bias}}, forward = forward,
    text = ("linear(%d%s)"):format(out, layer.changed_text{{"bias", opts.bias, true}}),
  }
end

return M
