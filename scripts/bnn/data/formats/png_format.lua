--- PNG: an image.
local core = require "bnn.core"

-- Images without colour or transparency as [h, w], as NumPy and Pillow have them.
local function read(_, path)
  local x, fault = core.png_read(path)
  if not x then return nil, fault end
  return x:size(3) == 1 and x:select(3, 1):contiguous() or x
end

return {
  name = "png", title = ".png", about = "an image, u8 [h, w] or [h, w, 1 to 4 channels]",
  endings = {"png"}, begins = {"\x89PNG"}, holds = "image", library = "libpng", reads_gzip = true,
  read = read, read_image = core.png_read,
  save = function(path, x) return core.png_write(path, x) end,
  example = function() return core.tensor({{0, 128, 255}, {1, 2, 3}}, "u8") end,
}
