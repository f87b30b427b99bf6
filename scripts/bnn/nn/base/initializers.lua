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

--- Draws from a truncated normal on [-2, 2], not rescaled, and divides by sqrt(fan_in): Haiku's
-- default for linear layers (standard deviation 0.8796 / sqrt(fan_in)). fan_in is the product of
-- all dims but the last.
--     bnn.nn.truncated_normal(key, {400, 10})           -- within [-0.1, 0.1]
-- @param key key
-- @param shape list
-- @return tensor of this shape
function M.truncated_normal(key, shape)
  check("bnn.nn.truncated_normal", key, shape)
  return scaled_normal(key, shape, 1, #shape - 1)
end

--- Draws as bnn.nn.truncated_normal, for convolution kernels [out, channels, h, w]: fan_in is the
-- product of all dims but the first.
--     bnn.nn.truncated_normal_kernel(key, {16, 1, 5, 5})     -- within [-0.4, 0.4]
-- @param key key
-- @param shape list
-- @return tensor of this shape
function M.truncated_normal_kernel(key, shape)
  check("bnn.nn.truncated_normal_kernel", key, shape)
  return scaled_normal(key, shape, 2, #shape)
end

--- Draws from the standard normal, the default of embeddings (as in PyTorch).
--     bnn.nn.linear(10, {b_init = bnn.nn.normal})
-- @param key key
-- @param shape list
-- @return tensor of this shape
function M.normal(key, shape)
  check("bnn.nn.normal", key, shape)
  return core.randn(key, shape)
end

--- Returns zeros, the default of biases.
--     bnn.nn.linear(10, {w_init = bnn.nn.zeros})
-- @param key key: has no effect
-- @param shape list
-- @return tensor of this shape
function M.zeros(_, shape) return core.zeros(expect.shape("bnn.nn.zeros: shape", shape)) end

--- Returns ones, the default of gains.
--     bnn.nn.linear(10, {b_init = bnn.nn.ones})
-- @param key key: has no effect
-- @param shape list
-- @return tensor of this shape
function M.ones(_, shape) return core.ones(expect.shape("bnn.nn.ones: shape", shape)) end

return M
