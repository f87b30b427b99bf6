--- Layers that work along axes: softmax, and pooling over whole images or sequences.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local layer = require "bnn.nn.base.layer"
local shapes = require "bnn.base.shapes"

local M = {}

--- Makes a softmax layer: e^x over its sum along an axis. The likelihoods of classes take logits,
-- without it.
--     bnn.nn.softmax():apply({}, bnn.tensor{{0, math.log(3)}})      -- 0.25, 0.75
-- @param axis integer (default: the last)
-- @return layer
function M.softmax(axis)
  axis = axis == nil and -1 or expect.value("bnn.nn.softmax: axis", axis, "integer")
  return layer.new{
    kind = "softmax", args = {axis}, forward = function(x) return core.ops.softmax(x, axis) end,
    text = axis == -1 and "softmax()" or ("softmax(%d)"):format(axis),
  }
end

--- Makes a layer that takes one number of each channel: x [n, channels, ...] -> [n, channels], over
-- all axes behind the second.
--     bnn.nn.sequential{bnn.nn.conv2d(16, 3), bnn.nn.global_pool(), bnn.nn.linear(10)}
-- @param reduction string: "mean" (default), "max" or "sum"
-- @return layer
-- Raises when it is called and x has fewer than three axes.
function M.global_pool(reduction)
  reduction = expect.value("bnn.nn.global_pool: reduction", reduction or "mean",
    {type = "string", choices = {"max", "mean", "sum"}})
  local function forward(x)
    local axes = {}
    for axis = 3, x:dim() do axes[#axes + 1] = axis end
    if #axes == 0 then fail("x: expected [n, channels, ...], got %s", shapes.text(x)) end
    return core.ops[reduction](x, axes)
  end
  return layer.new{
    kind = "global_pool", args = {reduction}, forward = forward,
    text = reduction == "mean" and "global_pool()" or ('global_pool("%s")'):format(reduction),
  }
end

return M
