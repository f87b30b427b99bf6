--- Initial values of parameters, functions (key, shape) -> tensor for w_init= and b_init=.
local core = require "bnn.core"
local expect = require "bnn.base.expect"

local M = {}

-- Truncated normal over the square root of the product of dims from..to.
local function scaled_normal(key, shape, from, to)
  local fan_in = 1
  for i = from, to do fan_in = fan_in * shape[i] end
  return core.truncated(key, shape) / math.sqrt(math.max(fan_in, 1))
end

local function check(name, key, shape)
  expect.key(name .. ": key", key)
  expect.shape(name .. ": shape", shape)
end

--- Truncated normal on [-2, 2], not rescaled, over sqrt(fan_in): Haiku's default for linear layers
-- (standard deviation 0.8796 / sqrt(fan_in)). fan_in is the product of all dims but the last.
function M.truncated_normal(key, shape)
  check("bnn.nn.truncated_normal", key, shape)
  return scaled_normal(key, shape, 1, #shape - 1)
end

--- The same for convolution kernels [out, channels, h, w]: fan_in is the product of all dims but
-- the first.
function M.truncated_normal_kernel(key, shape)
  check("bnn.nn.truncated_normal_kernel", key, shape)
  return scaled_normal(key, shape, 2, #shape)
end

--- Standard normal, the default of embeddings (as PyTorch's).
function M.normal(key, shape)
  check("bnn.nn.normal", key, shape)
  return core.randn(key, shape)
end

--- Zeros, the default of biases.
function M.zeros(_, shape) return core.zeros(expect.shape("bnn.nn.zeros: shape", shape)) end

--- Ones, the default of gains.
function M.ones(_, shape) return core.ones(expect.shape("bnn.nn.ones: shape", shape)) end

return M
