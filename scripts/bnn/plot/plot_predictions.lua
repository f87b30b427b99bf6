--- Images with the prediction of each under it.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local figure_screen = require "bnn.plot.canvas.figure_screen"
local options = require "bnn.base.options"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_images = require "bnn.plot.plot_images"
local plot_pixels = require "bnn.plot.canvas.plot_pixels"
local prediction_captions = require "bnn.plot.prediction_captions"
local text_image = require "bnn.plot.canvas.text_image"

local M = {}

-- ---- as text ----

-- Images as lists of rows of numbers from 0 to 1.
local function rows_of(x)
  local scale = x:dtype() == "u8" and 255 or 1
  local images = x:totable()
  for _, image in ipairs(images) do
    for _, row in ipairs(image) do
      for k, v in ipairs(row) do
        v = v / scale
        row[k] = v == v and math.min(math.max(v, 0), 1) or 0.5
      end
    end
  end
  return images
end

-- Adds columns of black, so that captions have room.
local function widen(images, width)
  for _, image in ipairs(images) do
    for _, row in ipairs(image) do
      for k = #row + 1, width do row[k] = 0 end
    end
  end
end

local function text_of(x, captions, opts)
  local images, width, widest = rows_of(x), core.terminal "stdout" or 80, 0
  for _, caption in ipairs(captions) do widest = math.max(widest, utf8.len(caption) or #caption) end
  widen(images, widest)
  if opts.columns then width = opts.columns * (#images[1][1] + 1) - 1 end
  local text = text_image.grid(images, captions, opts.out and text_image.mode() or "none", width)
  if opts.out then opts.out:write(text) end
  return text
end

-- As bnn.show draws them; returns the captions as a text.
local function on_screen(x, captions, columns)
  return figure_screen.show(table.concat(captions, "\n"), x, {
    labels = captions, columns = columns, count = x:size(1),
    scale = x:dtype() ~= "u8" and {0, 1} or nil,
  })
end

--- Draws images with the prediction of each: the class and its probability, the standard deviation
-- of that over networks, and whether the answer abstains.
--     bnn.plot.predictions{x = x, prediction = bnn.predict(model, x, o), labels = y,
--                          threshold = 0.3, path = "predictions.png"}
-- "8? is 3, 57%", "std 0.45", "refused": the answer would be 8, with probability 57%, but abstains
-- (hence the ?), and the label is 3, which is shown only if it differs.
-- @param opts table:
--   x= tensor [n, h, w] or [n, 1, h, w]; u8, or real from 0 to 1
--   prediction= what bnn.predict returns for x: its class, probability and class_std
--   labels= [n] in 0..C-1; names= of the classes, a list from class 0 (default: their numbers)
--   threshold= a number: answers with a larger std, or one that is not a number, abstain; or rule=
--     as bnn.ood.fit_threshold returns it; or abstains= [n] of 1 (abstains) and 0
--   columns=, gap=, background=, scale=: as for bnn.plot.images
--   path= a file that ends in .png or .svg; without it the images are text
--   out= a file such as io.stdout that the text is written to, in shades if that is a terminal
--     which has them
-- @return true, or the text if no path is given; or nil, message
-- Raises if both path= and out= are given, or the lengths differ.
function M.predictions(opts)
  local what = "bnn.plot.predictions"
  opts = options.check(what, opts, {
    x = {type = "tensor", required = true}, prediction = {type = "table", required = true},
    labels = plot_columns.COLUMN, names = {type = "string", list = true}, threshold = "number",
    rule = "table", abstains = plot_columns.COLUMN, renamed = {refused = "abstains"},
    columns = {type = "integer", min = 1}, path = "string",
    gap = {type = "integer", min = 0, max = 1000}, background = {type = "number", min = 0, max = 1},
    scale = {type = "integer", min = 1, max = 100}, out = "userdata",
  })
  if opts.path and opts.out then fail("%s: expected path= or out=, got both", what) end
  local x = plot_pixels.images(what, opts.x)
  local is_shown = not opts.path and not opts.out and figure_screen.is_open()
  local captions = prediction_captions.read(what, opts, x:size(1),
    (opts.path or is_shown) and "\n" or " ")
  if is_shown then return on_screen(x, captions, opts.columns) end
  if not opts.path then return text_of(x, captions, opts) end
  return plot_images.images{
    x = x, captions = captions, path = opts.path,
    columns = opts.columns, gap = opts.gap, background = opts.background, scale = opts.scale,
  }
end

return M
