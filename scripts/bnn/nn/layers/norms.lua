--- Normalisations beside layer_norm: by the root mean square, and by groups of channels.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

local EPS = {type = "number", min = 0, default = 1e-5}

--- Makes a root-mean-square normalisation (Zhang & Sennrich 2019): divides the last axis of x
-- [..., d] by the root of the mean of its squares, then multiplies by a gain. Parameters gain [d].
--     bnn.nn.sequential{bnn.nn.linear(64), bnn.nn.rms_norm(), bnn.nn.relu(), bnn.nn.linear(10)}
-- @param opts table: eps=1e-5, added to the mean
-- @return layer
function M.rms_norm(opts)
  opts = options.check("bnn.nn.rms_norm", opts, {eps = EPS})
  local function forward(x)
    local gain = frame.parameter("gain", {x:size(-1)}, initializers.ones)
    return x * (x:square():mean(-1, true) + opts.eps) ^ -0.5 * gain
  end
  return layer.new{
    kind = "rms_norm", args = {{eps = opts.eps}}, forward = forward,
    text = ("rms_norm(%s)"):format(layer.changed_text{{"eps", opts.eps, EPS.default}}:sub(3)),
  }
end

-- The shape of a parameter for each channel beside x: [1, channels, 1, ...].
local function beside(x)
  local shape = {1, x:size(2)}
  for axis = 3, x:dim() do shape[axis] = 1 end
  return shape
end

--- Makes a group normalisation (Wu & He 2018): x [n, channels, ...] is shifted and scaled to mean 0
-- and variance 1 over each of `groups` runs of channels of an example, then multiplied by a gain
-- and shifted by a bias for each channel. It has no statistics of a batch: training and prediction
-- are the same, and an example does not depend on others. Parameters gain [channels], bias
-- [channels].
--     bnn.nn.sequential{bnn.nn.conv2d(16, 3), bnn.nn.group_norm(4), bnn.nn.relu()}
-- @param groups integer that divides the channels
-- @param opts table: eps=1e-5, added to the variance
-- @return layer
function M.group_norm(groups, opts)
  local what = "bnn.nn.group_norm"
  groups = expect.value(what .. ": groups", groups, layer.SIZE)
  opts = options.check(what, opts, {eps = EPS})
  local function forward(x)
    local shape = x:shape()
    local channels = shape[2]
    if not channels or channels % groups ~= 0 then
      fail("x: expected [n, channels, ...] of channels in %d groups, got %s", groups,
        shapes.text(shape))
    end
    local width = channels // groups
    for axis = 3, #shape do width = width * shape[axis] end
    local rows = x:reshape(shape[1], groups, width)
    local flat = core.ops.layer_norm(rows, core.ones{width}, core.zeros{width}, opts.eps)
    local gain = frame.parameter("gain", {channels}, initializers.ones)
    local bias = frame.parameter("bias", {channels}, initializers.zeros)
    return flat:reshape(shape) * gain:reshape(beside(x)) + bias:reshape(beside(x))
  end
  return layer.new{
    kind = "group_norm", args = {groups, {eps = opts.eps}}, forward = forward,
    text = ("group_norm(%d%s)"):format(groups, layer.changed_text{{"eps", opts.eps, EPS.default}}),
  }
end

return M
