--- The convolution layer.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local windows = require "bnn.nn.layers.window"

local M = {}

--- Makes a convolution: images [n, channels, h, w] -> [n, out, ...]; images [n, h, w] have one
-- channel. Parameters w [out, channels / groups, kh, kw], b [out].
--     local layer = bnn.nn.conv2d(16, 5)
--     layer:apply(layer:init(key, x), x)                -- x [32, 28, 28] -> [32, 16, 24, 24]
--     bnn.nn.conv2d(32, {3, 5}, {stride = 2, padding = 1})
--     bnn.nn.conv2d(32, 3, {groups = 32, padding = "same"})   -- depthwise, of 32 channels
--     bnn.nn.conv2d(32, 3, {dilation = 2, padding = "same"})
-- @param out integer: the number of kernels, which is the number of channels of the result
-- @param kernel integer, or {rows, columns}
-- @param opts table:
--   stride=1    integer, or {rows, columns}
--   padding=0   integer, {rows, columns}, or "same", which keeps the images' size under a stride
--               of 1
--   dilation=1  integer, or {rows, columns}: the distance between elements of the kernel
--   groups=1    integer that divides channels and out: the kernels of each of that many equal parts
--               see its channels alone; as many as channels make a depthwise convolution
--   bias=true   false leaves the bias out
--   w_init, b_init  functions (key, shape) -> tensor; bnn.nn.truncated_normal_kernel and
--               bnn.nn.zeros
-- @return layer
-- Raises when groups do not divide out and, when it is called, if they do not divide channels.
function M.conv2d(out, kernel, opts)
  out = expect.value("bnn.nn.conv2d: out", out, layer.SIZE)
  opts = options.check("bnn.nn.conv2d", opts,
    windows.layer_options(initializers.truncated_normal_kernel, initializers.zeros))
  local window = windows.read("bnn.nn.conv2d", "kernel", kernel, opts)
  local groups = windows.read_groups("bnn.nn.conv2d", opts.groups, out)
  local size, stride, padding = window.size, window.stride, window.padding
  local function forward(x)
    local channels
    x, channels = windows.images(x)
    windows.check_fit(x, window)
    local seen = windows.channels_of_group(x, channels, groups)
    local w = frame.parameter("w", {out, seen, size[1], size[2]}, opts.w_init)
    local b = opts.bias and frame.parameter("b", {out}, opts.b_init) or core.zeros{out}
    return core.ops.conv2d(x, w, b, stride, padding, window.dilation, groups)
  end
  return layer.new{
    kind = "conv2d", forward = forward,
    args = {out, size, {stride = stride, padding = padding, bias = opts.bias,
                        dilation = windows.dilation_argument(window.dilation),
                        groups = windows.groups_argument(groups)}},
    text = ("conv2d(%d, %s)"):format(out, windows.text(window, {1, 1}, opts.bias, nil,
      {{"groups", groups, 1}})),
  }
end

return M
