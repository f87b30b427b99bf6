--- The transposed convolution layer, which makes images larger.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local windows = require "bnn.nn.layers.window"

local M = {}

-- Kernels [channels, out / groups, kh, kw], of each group as truncated_normal_kernel draws [out,
-- channels, kh, kw]: scaled by what one element of the result sums over.
local function kernel_init(groups)
  return function(key, shape)
    local channels, out, rows, columns = table.unpack(shape)
    local w = initializers.truncated_normal_kernel(key, {out, channels, rows, columns})
    return w:permute(2, 1, 3, 4):contiguous() * math.sqrt(groups)
  end
end

--- Makes a transposed convolution: images [n, channels, h, w] -> [n, out, ...] of (h - 1) stride -
-- 2 padding + dilation (kernel - 1) + output_padding + 1 rows; images [n, h, w] have one channel.
-- It is what a convolution does to the gradient of its input, as PyTorch's ConvTranspose2d.
-- Parameters w [channels, out / groups, kh, kw], b [out].
--     local layer = bnn.nn.conv_transpose2d(8, 4, {stride = 2, padding = 1})
--     layer:apply(layer:init(key, x), x)                -- x [32, 16, 7, 7] -> [32, 8, 14, 14]
-- @param out integer: the number of channels of the result
-- @param kernel integer, or {rows, columns}
-- @param opts table:
--   stride=1    integer, or {rows, columns}: how far apart neighbours in x are in the result
--   padding=0   integer, {rows, columns}, or "same", which keeps the images' size under a stride
--               of 1: what is cut off on each side
--   output_padding=0  integer, or {rows, columns}, less than the stride or the dilation: rows and
--               columns that are added at the end
--   dilation=1  integer, or {rows, columns}: the distance between elements of the kernel
--   groups=1    integer that divides channels and out: the channels of each of that many equal
--               parts give its part of the result alone
--   bias=true   false leaves the bias out
--   w_init, b_init  functions (key, shape) -> tensor; the first draws a truncated normal over the
--               square root of channels / groups kh kw, the other is bnn.nn.zeros
-- @return layer
-- Raises when groups do not divide out and, when it is called, if they do not divide channels.
function M.conv_transpose2d(out, kernel, opts)
  local what = "bnn.nn.conv_transpose2d"
  out = expect.value(what .. ": out", out, layer.SIZE)
  local specs = windows.layer_options(nil, initializers.zeros)
  specs.output_padding = {type = windows.PAIR, default = 0}
  opts = options.check(what, opts, specs)
  local window = windows.read(what, "kernel", kernel, opts)
  local beyond = windows.read_beyond(what, opts.output_padding, window)
  local size, groups = window.size, windows.read_groups(what, opts.groups, out)
  local w_init = opts.w_init or kernel_init(groups)
  local function forward(x)
    local channels
    x, channels = windows.images(x)
    windows.channels_of_group(x, channels, groups)
    local w = frame.parameter("w", {channels, out // groups, size[1], size[2]}, w_init)
    local b = opts.bias and frame.parameter("b", {out}, opts.b_init) or core.zeros{out}
    return core.ops.conv_transpose2d(x, w, b, window.stride, window.padding, beyond,
      window.dilation, groups)
  end
  return layer.new{
    kind = "conv_transpose2d", forward = forward,
    args = {out, size, {stride = window.stride, padding = window.padding, output_padding = beyond,
                        dilation = window.dilation, bias = opts.bias,
                        groups = windows.groups_argument(groups)}},
    text = ("conv_transpose2d(%d, %s)"):format(out, windows.text(window, {1, 1}, opts.bias, nil,
      {{"output_padding", windows.pair_text(beyond), "0"}, {"groups", groups, 1}})),
  }
end

return M
