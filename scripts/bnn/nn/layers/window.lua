--- Windows that slide over images: what convolutions and pools share.
--
-- A window is {size=, stride=, padding=}, each {rows, columns}.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

-- A number for rows and columns, or a list of the two, as {rows, columns}.
local function read_pair(what, value, min)
  local spec = {type = "integer", min = min, max = layer.SIZE.max}
  local is_list = type(value) == "table" and #value == 2
  local rows = options.accept(is_list and value[1] or value, spec)
  local columns = options.accept(is_list and value[2] or value, spec)
  if rows and columns then return {rows, columns} end
  fail("%s: expected an integer of at least %d, or a list of two {rows, columns}, got %s", what,
    min, kinds.show(value))
end

--- Reads the window of a layer; raises if it is none.
-- @param what string: "bnn.nn.conv2d"
-- @param name string: what the layer calls its size
-- @param stride by default the size
-- @param padding by default 0; "same" keeps the size of images under a stride of 1
function M.read(what, name, size, stride, padding)
  size = read_pair(what .. ": " .. name, size, 1)
  stride = read_pair(what .. ": stride", stride or size, 1)
  if padding ~= "same" then
    padding = read_pair(what .. ": padding", padding or 0, 0)
  elseif size[1] % 2 == 1 and size[2] % 2 == 1 then
    padding = {size[1] // 2, size[2] // 2}
  else
    fail('%s: %s: expected odd sizes for padding = "same", got %s', what, name, kinds.show(size))
  end
  return {size = size, stride = stride, padding = padding}
end

--- Returns [n, h, w] as images of one channel [n, 1, h, w], and the number of channels. Raises if x
-- is not images, or if they are smaller than the window.
function M.images(x, window)
  local shape = x:shape()
  if #shape == 3 then
    x = x:reshape(shape[1], 1, shape[2], shape[3])
    shape = x:shape()
  end
  if #shape ~= 4 then
    fail("x: expected [n, channels, h, w] or [n, h, w], got %s", shapes.text(shape))
  end
  local size, padding = window.size, window.padding
  if shape[3] + 2 * padding[1] < size[1] or shape[4] + 2 * padding[2] < size[2] then
    fail("x: expected images no smaller than a window of %s, with padding %s, got %s",
      kinds.show(size), kinds.show(padding), shapes.text(shape))
  end
  return x, shape[2]
end

local function pair_text(pair)
  return pair[1] == pair[2] and tostring(pair[1]) or kinds.show(pair)
end

--- A window as a layer shows it: "3", "3, {stride=2, padding=1}".
-- @param stride the default, {rows, columns}
-- @param bias false is shown
function M.text(window, stride, bias)
  return pair_text(window.size) .. layer.changed_text{
    {"stride", pair_text(window.stride), pair_text(stride)},
    {"padding", pair_text(window.padding), "0"}, {"bias", bias, true},
  }
end

--- The spec of an option that read takes.
M.PAIR = "integer|table"

return M
