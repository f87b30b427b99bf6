--- Many grey images as one, row by row.
local core = require "bnn.core"

local M = {}

local NAN = 128

-- 0..1 as 0..255; what lies outside is clipped, and what is not a number is a middle grey.
local function to_bytes(x)
  local values = x:contiguous():view(x:numel()):totable()
  for i, v in ipairs(values) do
    values[i] = v ~= v and NAN or math.floor(math.min(math.max(v, 0), 1) * 255 + 0.5)
  end
  return core.tensor(values, "u8"):view(table.unpack(x:shape()))
end

-- x with `count` more of a value at the end of an axis.
local function pad(x, axis, count, value)
  if count == 0 then return x end
  local shape = x:shape()
  shape[axis] = count
  return core.concat({x, core.full(shape, value, "u8")}, axis)
end

local function enlarge(x, scale)
  local h, w = x:size(1), x:size(2)
  local each = x:contiguous():view(h, 1, w, 1):broadcast_to(h, scale, w, scale)
  return each:contiguous():view(h * scale, w * scale)
end

--- One picture of n.
-- @param x tensor [n, h, w], n at least 1: u8, or real from 0 (black) to 1
-- @param opts table: columns=, gap= in pixels of an image, background= byte of gaps and of places
--   left over, scale= pixels of the picture for one of an image, along both axes
-- @return tensor u8 [height, width]
function M.make(x, opts)
  if x:dtype() ~= "u8" then x = to_bytes(x) end
  local n, gap, columns = x:size(1), opts.gap, opts.columns
  local rows = (n + columns - 1) // columns
  x = pad(x:contiguous(), 1, rows * columns - n, opts.background)
  x = pad(pad(x, 2, gap, opts.background), 3, gap, opts.background)
  local h, w = x:size(2), x:size(3)
  local whole = x:view(rows, columns, h, w):permute(1, 3, 2, 4):contiguous()
  whole = whole:view(rows * h, columns * w)
  return enlarge(whole:narrow(1, 1, rows * h - gap):narrow(2, 1, columns * w - gap), opts.scale)
end

return M
