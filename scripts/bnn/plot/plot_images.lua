--- Grids of grey images.
local fail = require "bnn.base.fail"
local files = require "bnn.data.files"
local figure_screen = require "bnn.plot.canvas.figure_screen"
local folders = require "bnn.base.folders"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local image_grid = require "bnn.plot.canvas.image_grid"
local observer = require "bnn.base.observer"
local options = require "bnn.base.options"
local plot_pixels = require "bnn.plot.canvas.plot_pixels"

local M = {}

local WIDEST = 32768 -- what our own reader takes

local function check_extent(what, x, opts)
  local rows = (x:size(1) + opts.columns - 1) // opts.columns
  local height = (rows * (x:size(2) + opts.gap) - opts.gap) * opts.scale
  local width = (opts.columns * (x:size(3) + opts.gap) - opts.gap) * opts.scale
  if math.max(height, width) <= WIDEST then return end
  fail("%s: expected a grid of at most %d pixels each way, got %d x %d", what, WIDEST, width,
    height)
end

local function check_sheet_path(what, opts)
  if opts.captions and not opts.path and not figure_screen.is_open() then
    fail("%s: path: expected a file to draw captions into, got nothing", what)
  end
  local kind = opts.path and gnuplot.kind_of(opts.path)
  if opts.path and kind ~= "png" and not (kind == "svg" and opts.captions) then
    fail("%s: path: expected a name that ends in .png%s, got %q", what,
      opts.captions and " or .svg" or "", opts.path)
  end
end

local function check_captions(what, x, captions)
  if captions and #captions ~= x:size(1) then
    fail("%s: captions: expected %d, one for each image, got %d", what, x:size(1), #captions)
  end
end

local images_spec = {
  x = {type = "tensor", required = true}, columns = {type = "integer", min = 1},
  gap = {type = "integer", min = 0, max = 1000}, background = {type = "number", min = 0, max = 1},
  scale = {type = "integer", min = 1, max = 100}, path = "string",
  captions = {type = "string", list = true},
}

local LEAST_CAPTIONED = 168 -- pixels, over which a caption can still be read at half its size

-- What depends on the other options: a square, and room and white paper for captions.
local function fill_in(opts, n, width)
  local captioned = math.min(math.ceil(LEAST_CAPTIONED / width), 100)
  opts.scale = opts.scale or opts.captions and captioned or 3
  opts.columns = math.min(opts.columns or math.ceil(math.sqrt(n)), n)
  opts.gap = opts.gap or opts.captions and 3 or 1
  opts.background = math.floor((opts.background or opts.captions and 1 or 0) * 255 + 0.5)
end

-- As bnn.show draws them, whatever their gap, background and scale are in a picture.
local function on_screen(x, opts, columns)
  local value = opts.captions and true or image_grid.make(x, opts)
  return figure_screen.show(value, x, {
    labels = opts.captions, columns = columns, scale = x:dtype() ~= "u8" and {0, 1} or nil,
    count = x:size(1),
  })
end

--- Draws grey images side by side in one picture, in rows from the top left.
--     bnn.plot.images{x = samples, columns = 4, path = "samples.png"}
-- @param opts table:
--   x= tensor [n, h, w] or [n, 1, h, w]: u8, or real from 0 (black) to 1; values outside are
--     clipped, and a NaN is a middle grey (128 of 255)
--   columns= images in a row (default: a square); gap=1 pixels of an image between them (3 with
--     captions); background=0 the grey of gaps and empty places, 0 to 1 (1 with captions)
--   scale=3 pixels of the picture, each way, for one of an image (with captions as many as make an
--     image 168 wide)
--   path= a file that ends in .png, or with captions also .svg
--   captions= a list of n strings below the images, 14 letters a line; drawn by gnuplot
-- @return true, or the picture as a tensor u8 [height, width] if no path is given; or nil, message
function M.images(opts)
  local what = "bnn.plot.images"
  opts = options.check(what, opts, images_spec)
  check_sheet_path(what, opts)
  local x = plot_pixels.images(what, opts.x)
  check_captions(what, x, opts.captions)
  local columns = opts.columns
  fill_in(opts, x:size(1), x:size(3))
  check_extent(what, x, opts)
  if not opts.path and figure_screen.is_open() then return on_screen(x, opts, columns) end
  if opts.captions then return image_grid.draw_captioned(x, opts) end
  local picture = image_grid.make(x, opts)
  if not opts.path then return picture end
  local ok, fault = folders.make_above(opts.path)
  if not ok then return nil, fault end
  local saved, why = files.save(opts.path, picture)
  if saved then observer.tell("figure", opts.path) end
  return saved, why
end

return M
