--- Layers that work along axes: softmax, parts of an axis, and pooling over whole images or
-- sequences.
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

--- Makes a layer that returns the parts of x [n, d, ...] along axis 2, of one width, as several
-- values: as the last of a sequential the two that bnn.likelihood.gaussian() takes, mean and log
-- sigma, of a network that a checkpoint can hold.
--     local net = bnn.nn.sequential{bnn.nn.mlp{50, 2}, bnn.nn.chunk(2)}
--     local mean, log_sigma = bnn.nn.chunk(2):apply({}, bnn.ones(5, 4))   -- [5, 2], [5, 2]
-- @param count integer: how many parts
-- @return layer
-- Raises when it is called and d is no multiple of count.
function M.chunk(count)
  local parts = expect.value("bnn.nn.chunk: count", count, {type = "integer", min = 1, max = 256})
  local function forward(x)
    if x:dim() < 2 or x:size(2) % parts ~= 0 then
      fail("expected [n, d, ...] with d a multiple of %d, got %s", parts, shapes.text(x))
    end
    local width, list = x:size(2) // parts, {}
    for i = 1, parts do list[i] = x:narrow(2, (i - 1) * width + 1, width) end
    return table.unpack(list)
  end
  return layer.new{kind = "chunk", args = {parts}, forward = forward,
                   text = ("chunk(%d)"):format(parts)}
end

return M
