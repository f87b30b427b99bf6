--- Tensors as images of bytes: which axes are what, and which numbers are black and white.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local number = require "bnn.base.number"
local shapes = require "bnn.base.shapes"

local M = {}

local WANTED = "an image [h, w] or [h, w, 3], or images [n, h, w], [n, 1, h, w], [n, 3, h, w] or "
  .. "[n, h, w, 3]"

local function refuse(what, x)
  fail("%s: x: expected %s, got %s", what, WANTED, shapes.text(x))
end

-- x [.., .., ..] as a list of one image or of several; colour: nil where the shape tells.
local function batch_of_3(x, colour)
  local is_last = x:size(3) == 3
  if colour and not is_last and x:size(1) == 3 then
    x, is_last = x:permute(2, 3, 1), true
  end
  if is_last and colour ~= false then return x:contiguous():view(1, table.unpack(x:shape())) end
  if colour then return nil end
  return x
end

local function batch_of_4(x, colour)
  if colour ~= false and x:size(4) == 3 then return x end
  if colour ~= false and x:size(2) == 3 then return x:permute(1, 3, 4, 2) end
  if not colour and x:size(2) == 1 then return x:select(2, 1) end
  if not colour and x:size(4) == 1 then return x:select(4, 1) end
end

--- A tensor as [n, h, w] or [n, h, w, 3]; raises if it is neither an image nor images.
-- @param colour boolean: whether three channels are expected; nil: if the shape says so
function M.batch(what, x, colour)
  local d, images = x:dim(), nil
  if d == 2 and not colour then
    images = x:contiguous():view(1, x:size(1), x:size(2))
  elseif d == 3 then
    images = batch_of_3(x, colour)
  elseif d == 4 then
    images = batch_of_4(x, colour)
  end
  if not images or images:numel() == 0 then refuse(what, x) end
  return images
end

-- Where black and white are: given, or 0 and 1 if all lies between them, else the least and the
-- greatest; and whether these are what was found.
local function range_of(x, scale)
  if scale then return scale[1], scale[2] end
  local least, most = core.image_span(x)
  if not least or least >= 0 and most <= 1 and x:dtype():find "^f" then return 0, 1 end
  if least == most then return least - 0.5, most + 0.5, true end
  return least, most, true
end

--- Images as bytes.
-- @param x tensor: u8 as it is, unless scale is given; others from black at 0 to white at 1, or if
--   they leave that range, as integers do, from their least to their greatest
-- @param scale {black, white} or nil
-- @return tensor u8 of the same shape; and what was scaled to in words, or nil
function M.bytes(x, scale)
  if x:dtype() == "u8" and not scale then return x:contiguous() end
  local black, white, is_found = range_of(x, scale)
  local bytes = core.image_levels(x, black, white)
  return bytes, is_found and number.format("black is %.4g, white %.4g", black, white) or nil
end

return M
