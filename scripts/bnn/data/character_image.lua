--- Images of characters, prepared as MNIST's were.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local formats = require "bnn.data.formats.formats"
local options = require "bnn.base.options"

local M = {}

-- An image that already has MNIST's size, with light ink; or nil, fault.
local function as_it_is(grey, ink)
  if grey:dtype() ~= "u8" then
    fail("bnn.data.image: expected an image of u8, got %s", grey:dtype())
  end
  local size = table.concat(grey:shape(), " x ")
  if size ~= "28 x 28" then return nil, "expected 28 x 28 if fit is false, got " .. size end
  return ink == "dark" and (255 - grey:real()):to "u8" or grey
end

--- Prepares an image of a character as MNIST's were: u8 [28, 28], ink 255 on 0, fitted to
-- 20 x 20 and centred by mass. Brightness and size of the image do not matter.
--     bnn.data.image(x[1], {ink = "light"})             -- u8 [28, 28]
--     bnn.data.image "photo.png"                        -- or nil, message
-- @param source string or tensor: an image file (PNG), or u8 [h, w]
-- @param opts table: ink="auto" ("dark" on light, "light" on dark); fit=true (false: an image of
--   28 x 28 as it is, its ink light unless ink="dark")
-- @return tensor u8 [28, 28]; or nil, message
function M.image(source, opts)
  opts = options.check("bnn.data.image", opts, {
    ink = {type = "string", default = "auto", choices = {"auto", "dark", "light"}},
    fit = {type = "boolean", default = true},
  })
  local make = opts.fit and core.image_character or as_it_is
  local is_file, fault = type(source) == "string", nil
  local grey = source
  if not is_file then expect.tensor("bnn.data.image", source, "a path or a tensor") end
  if is_file then grey, fault = formats.read_image(source, "grey") end
  if not grey then return nil, fault end
  local x, lack = make(grey:contiguous(), opts.ink)
  if not x then return nil, is_file and source .. ": " .. lack or lack end
  return x
end

return M
