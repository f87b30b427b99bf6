--- Pooling layers.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local windows = require "bnn.nn.layers.window"

local M = {}

--- Raises if a window's padding is more than half its size.
function M.check_padding(what, window)
  for k = 1, 2 do
    if window.padding[k] > window.size[k] // 2 then
      fail("%s: padding: expected at most half the size %s, got %s", what, kinds.show(window.size),
        kinds.show(window.padding))
    end
  end
end

-- The layer of a pooling op.
local function pool(kind, op, size, opts)
  local what = "bnn.nn." .. kind
  opts = options.check(what, opts, {stride = windows.PAIR, padding = windows.PAIR})
  local window = windows.read(what, "size", size, opts)
  local stride, padding = window.stride, window.padding
  size = window.size
  M.check_padding(what, window)
  local function forward(x)
    x = windows.images(x)
    windows.check_fit(x, window)
    return op(x, size, stride, padding)
  end
  return layer.new{
    kind = kind, args = {size, {stride = stride, padding = padding}}, forward = forward,
    text = ("%s(%s)"):format(kind, windows.text(window, size, true)),
  }
end

--- Makes a layer that takes the largest number of each window: images [n, channels, h, w] (or
-- [n, h, w]) -> [n, channels, ...]. A window with a NaN gives NaN.
--     bnn.nn.max_pool(2):apply({}, x)                   -- x [32, 28, 28] -> [32, 1, 14, 14]
-- @param size integer, or {rows, columns}
-- @param opts table: stride=size, padding=0, integers or {rows, columns}; padding is at most half
--   the size, and is never the largest
-- @return layer
function M.max_pool(size, opts) return pool("max_pool", core.ops.max_pool2d, size, opts) end

--- Makes a layer that takes the mean of each window: images [n, channels, h, w] (or [n, h, w]) ->
-- [n, channels, ...].
--     bnn.nn.avg_pool(2, {stride = 1}):apply({}, x)     -- x [32, 28, 28] -> [32, 1, 27, 27]
-- @param size integer, or {rows, columns}
-- @param opts table: stride=size, padding=0, integers or {rows, columns}; padding counts as zeros,
--   as in PyTorch by default
-- @return layer
function M.avg_pool(size, opts) return pool("avg_pool", core.ops.avg_pool2d, size, opts) end

return M
