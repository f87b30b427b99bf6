--- Pooling layers.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local windows = require "bnn.nn.layers.window"

local M = {}

-- The layer of a pooling op.
local function pool(kind, op, size, opts)
  local what = "bnn.nn." .. kind
  opts = options.check(what, opts, {stride = windows.PAIR, padding = windows.PAIR})
  local window = windows.read(what, "size", size, opts.stride, opts.padding)
  local stride, padding = window.stride, window.padding
  size = window.size
  for k = 1, 2 do
    if padding[k] > size[k] // 2 then
      fail("%s: padding: expected at most half the size %s, got %s", what, kinds.show(size),
        kinds.show(padding))
    end
  end
  return layer.new{
    kind = kind, args = {size, {stride = stride, padding = padding}},
    forward = function(x) return op(windows.images(x, window), size, stride, padding) end,
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
