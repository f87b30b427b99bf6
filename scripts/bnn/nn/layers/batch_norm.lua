--- The batch normalisation layer.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

local DEFAULT = {eps = 1e-5, momentum = 0.1, affine = true}

-- Gain and bias [channels]; without parameters 1 and 0.
local function gain_and_bias(channels, affine)
  if not affine then return core.ones{channels}, core.zeros{channels} end
  return frame.parameter("gain", {channels}, initializers.ones),
    frame.parameter("bias", {channels}, initializers.zeros)
end

-- Moves running statistics towards those of x.
local function follow(x, mean, variance, momentum)
  local axes = {1}
  for axis = 3, x:dim() do axes[#axes + 1] = axis end
  local own_mean, own_variance = x:mean(axes), x:var(axes, false, 1)
  frame.update_state(mean, mean * (1 - momentum) + own_mean * momentum)
  frame.update_state(variance, variance * (1 - momentum) + own_variance * momentum)
end

-- Normalised by the running statistics.
local function by_running(x, gain, bias, mean, variance, eps)
  local shape = {1, x:size(2)}
  for axis = 3, x:dim() do shape[axis] = 1 end
  local scale = gain * (variance + eps) ^ -0.5
  return x * scale:reshape(shape) + (bias - mean * scale):reshape(shape)
end

local function forward_of(opts)
  return function(x)
    if x:dim() < 2 then fail("x: expected [n, channels, ...], got %s", shapes.text(x)) end
    local channels = x:size(2)
    local gain, bias = gain_and_bias(channels, opts.affine)
    local mean = frame.state("running_mean", {channels}, initializers.zeros)
    local variance = frame.state("running_var", {channels}, initializers.ones)
    if frame.current "bnn.nn.batch_norm".pass.statistics == "running" then
      return by_running(x, gain, bias, mean, variance, opts.eps)
    end
    local count = channels > 0 and x:numel() // channels or 0
    if count < 2 then
      fail("x: expected two values a channel or more while training, got %s", shapes.text(x))
    end
    local y = core.ops.batch_norm(x, gain, bias, opts.eps)
    follow(x, mean, variance, frame.momentum(opts.momentum))
    return y
  end
end

--- Makes a batch normalisation (Ioffe & Szegedy 2015): x [n, channels, ...], features [n, channels]
-- or images [n, channels, h, w], is shifted and scaled to mean 0 and variance 1 for each channel,
-- then multiplied by a gain and shifted by a bias. While training by mean and variance of the
-- batch, over all examples and places; each step moves running ones towards them by `momentum`
-- (those of the unbiased variance, as PyTorch does). Else by the running ones, so that a prediction
-- does not depend on other examples; bnn.posterior.mc_dropout predicts so too. Parameters gain
-- [channels], bias [channels]; state running_mean [channels], running_var [channels], which params
-- and checkpoints hold and no posterior covers (bnn.nn.state).
--     bnn.nn.sequential{bnn.nn.conv2d(16, 3), bnn.nn.batch_norm(), bnn.nn.relu()}
--     bnn.nn.batch_norm():init(bnn.key(1), bnn.ones(2, 3)):names() -- gain, bias, running_mean, ...
-- As the rows of a batch meet, threads share the ops of a step one after the other, not blocks of
-- rows from the first op to the last, and shards above 1 are refused. Averages of weights
-- (bnn.collect.average, bnn.collect.swag) need new statistics: bnn.update_statistics. A loss that
-- is not a mean over independent examples is no likelihood of the data; bnn.nn.group_norm has no
-- such coupling.
-- @param opts table:
--   momentum  of the running statistics, 0.1: the weight of the newest batch
--   eps       added to the variance, 1e-5
--   affine    whether there are gain and bias, true
-- @return layer
-- Raises, when it is called while training, for a batch with one value a channel.
function M.batch_norm(opts)
  opts = options.check("bnn.nn.batch_norm", opts, {
    momentum = {type = "number", min = 0, max = 1, default = DEFAULT.momentum},
    eps = {type = "number", min = 0, default = DEFAULT.eps},
    affine = {type = "boolean", default = DEFAULT.affine},
  })
  local changed = layer.changed_text{
    {"momentum", opts.momentum, DEFAULT.momentum}, {"eps", opts.eps, DEFAULT.eps},
    {"affine", opts.affine, DEFAULT.affine},
  }
  return layer.new{
    kind = "batch_norm", forward = forward_of(opts),
    text = ("batch_norm(%s)"):format(changed:sub(3)),
    args = {{momentum = opts.momentum, eps = opts.eps, affine = opts.affine}},
  }
end

return M
