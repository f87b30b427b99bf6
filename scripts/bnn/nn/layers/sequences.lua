--- Windows over sequences [n, channels, t]: convolution and pooling, those of images of one row.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local pool = require "bnn.nn.layers.pool"
local windows = require "bnn.nn.layers.window"

local M = {}

-- [n, channels, 1, t] as [n, channels, t].
local function without_rows(y) return y:reshape(y:size(1), y:size(2), y:size(4)) end

--- Makes a convolution of sequences: [n, channels, t] -> [n, out, ...]; sequences [n, t] have one
-- channel. Parameters w [out, channels / groups, k], b [out], as in PyTorch. Recurrent layers have
-- time on the second axis: x:permute(1, 3, 2) turns one into the other.
--     local layer = bnn.nn.conv1d(16, 5, {stride = 2})
--     layer:apply(layer:init(key, x), x)                -- x [32, 3, 100] -> [32, 16, 48]
-- @param out integer: the number of kernels, which is the number of channels of the result
-- @param kernel integer: elements of a kernel along t
-- @param opts table:
--   stride=1    integer
--   padding=0   integer, or "same", which keeps the length under a stride of 1
--   dilation=1  integer: the distance between elements of the kernel
--   groups=1    integer that divides channels and out: the kernels of each of that many equal parts
--               see its channels alone; as many as channels make a depthwise convolution
--   bias=true   false leaves the bias out
--   w_init, b_init  functions (key, shape) -> tensor; bnn.nn.truncated_normal_kernel and
--               bnn.nn.zeros
-- @return layer
-- Raises when groups do not divide out and, when it is called, if they do not divide channels.
function M.conv1d(out, kernel, opts)
  out = expect.value("bnn.nn.conv1d: out", out, layer.SIZE)
  opts = options.check("bnn.nn.conv1d", opts,
    windows.layer_options(initializers.truncated_normal_kernel, initializers.zeros))
  local window = windows.read_row("bnn.nn.conv1d", "kernel", kernel, opts)
  local size, groups = window.size[2], windows.read_groups("bnn.nn.conv1d", opts.groups, out)
  local function forward(x)
    local channels
    x, channels = windows.sequences(x)
    windows.check_fit(x, window, true)
    local seen = windows.channels_of_group(x, channels, groups)
    local w = frame.parameter("w", {out, seen, size}, opts.w_init)
    local b = opts.bias and frame.parameter("b", {out}, opts.b_init) or core.zeros{out}
    w = core.ops.view(w, {out, seen, 1, size}) -- the op, which estimators replace
    return without_rows(core.ops.conv2d(x, w, b, window.stride, window.padding,
      window.dilation, groups))
  end
  return layer.new{
    kind = "conv1d", forward = forward,
    args = {out, size, {stride = window.stride[2], padding = window.padding[2],
                        dilation = window.dilation[2], bias = opts.bias,
                        groups = windows.groups_argument(groups)}},
    text = ("conv1d(%d, %s)"):format(out,
      windows.text(window, {1, 1}, opts.bias, windows.row_text, {{"groups", groups, 1}})),
  }
end

-- The layer of a pooling op over sequences.
local function pool_row(kind, op, size, opts)
  local what = "bnn.nn." .. kind
  opts = options.check(what, opts, {stride = "integer", padding = "integer"})
  local window = windows.read_row(what, "size", size, opts)
  pool.check_padding(what, window)
  local function forward(x)
    x = windows.sequences(x)
    windows.check_fit(x, window, true)
    return without_rows(op(x, window.size, window.stride, window.padding))
  end
  return layer.new{
    kind = kind, forward = forward,
    args = {window.size[2], {stride = window.stride[2], padding = window.padding[2]}},
    text = ("%s(%s)"):format(kind, windows.text(window, window.size, true, windows.row_text)),
  }
end

--- Makes a layer that takes the largest number of each window: sequences [n, channels, t] (or
-- [n, t]) -> [n, channels, ...]. A window with a NaN gives NaN.
--     bnn.nn.max_pool1d(2):apply({}, x)                 -- x [32, 3, 100] -> [32, 3, 50]
-- @param size integer
-- @param opts table: stride=size, padding=0, integers; padding is at most half the size, and is
--   never the largest
-- @return layer
function M.max_pool1d(size, opts)
  return pool_row("max_pool1d", core.ops.max_pool2d, size, opts)
end

--- Makes a layer that takes the mean of each window: sequences [n, channels, t] (or [n, t]) ->
-- [n, channels, ...].
--     bnn.nn.avg_pool1d(2, {stride = 1}):apply({}, x)   -- x [32, 3, 100] -> [32, 3, 99]
-- @param size integer
-- @param opts table: stride=size, padding=0, integers; padding counts as zeros, as in PyTorch by
--   default
-- @return layer
function M.avg_pool1d(size, opts)
  return pool_row("avg_pool1d", core.ops.avg_pool2d, size, opts)
end

return M
