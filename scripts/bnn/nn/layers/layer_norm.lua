--- The layer normalisation layer.
local core = require "bnn.core"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"

local M = {}

--- Makes a layer normalisation (Ba et al. 2016): shifts and scales the last axis of x [..., d] to
-- mean 0 and variance 1, then multiplies by a gain and adds a bias. Parameters gain [d], bias [d].
--     bnn.nn.sequential{bnn.nn.linear(64), bnn.nn.layer_norm(), bnn.nn.relu(), bnn.nn.linear(10)}
-- @param opts table: eps=1e-5, added to the variance
-- @return layer
function M.layer_norm(opts)
  opts = options.check("bnn.nn.layer_norm", opts, {
    eps = {type = "number", min = 0, default = 1e-5},
  })
  local function forward(x)
    local width = x:size(-1)
    local gain = frame.parameter("gain", {width}, initializers.ones)
    local bias = frame.parameter("bias", {width}, initializers.zeros)
    return core.ops.layer_norm(x, gain, bias, opts.eps)
  end
  return layer.new{
    kind = "layer_norm", args = {{eps = opts.eps}}, forward = forward, text = "layer_norm()",
  }
end

return M
