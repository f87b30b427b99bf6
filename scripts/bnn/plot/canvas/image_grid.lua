--- Many grey images as one, row by row; with captions by gnuplot, which has the letters.
local core = require "bnn.core"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local number = require "bnn.base.number"
local plot_pixels = require "bnn.plot.canvas.plot_pixels"
local plot_text = require "bnn.plot.canvas.plot_text"

local M = {}

-- 0..1 as 0..255; what lies outside is clipped, and what is not a number is a middle grey.
local function to_bytes(x) return core.image_levels(x, 0, 1) end

-- x with `count` more of a value at the end of an axis.
local function pad(x, axis, count, value)
  if count == 0 then return x end
  local shape = x:shape()
  shape[axis] = count
  return core.concat({x, core.full(shape, value, "u8")}, axis)
end

--- One picture of n.
-- @param x tensor [n, h, w], n at least 1: u8, or real from 0 (black) to 1 (with NaN in 128)
-- @param opts table: columns=, gap= in pixels of an image, background= byte of gaps and of places
--   left over, scale= pixels of the picture for one of an image, along both axes; parts=1 numbers
--   of a pixel, in the last axis of x: [n, h, w * parts]
-- @return tensor u8 [height, width]
function M.make(x, opts)
  if x:dtype() ~= "u8" then x = to_bytes(x) end
  local n, gap, columns, across = x:size(1), opts.gap, opts.columns, opts.gap * (opts.parts or 1)
  local rows = (n + columns - 1) // columns
  x = pad(x:contiguous(), 1, rows * columns - n, opts.background)
  x = pad(pad(x, 2, gap, opts.background), 3, across, opts.background)
  local h, w = x:size(2), x:size(3)
  local whole = x:view(rows, columns, h, w):permute(1, 3, 2, 4):contiguous()
  whole = whole:view(rows * h, columns * w)
  whole = whole:narrow(1, 1, rows * h - gap):narrow(2, 1, columns * w - across)
  return plot_pixels.enlarge(whole, opts.scale)
end

-- ---- captions ----

local LETTERS = 14 -- of a caption beside each other, under an image

-- A sheet as gnuplot's block of data.
local function block(picture)
  local rows = {"$sheet << EOD"}
  for _, row in ipairs(picture:totable()) do rows[#rows + 1] = table.concat(row, " ") end
  rows[#rows + 1] = "EOD\n"
  return table.concat(rows, "\n")
end

local function wrapped(captions)
  local texts = {}
  for i, caption in ipairs(captions) do texts[i] = plot_text.wrap(caption, LETTERS) end
  return texts
end

-- The picture of h x w pixels fills the canvas but for the gap around it, so that each is `scale`
-- wide.
local function canvas(h, w, opts)
  local gap, grey = opts.gap, opts.background
  return number.format([[
set encoding utf8
set lmargin at screen 0; set rmargin at screen 1
set bmargin at screen 0; set tmargin at screen 1
unset border; unset tics; unset key; unset colorbox
set palette gray gamma 1 maxcolors 256; set cbrange [0:255]
set xrange [%.1f:%.1f]; set yrange [%.1f:%.1f]
set object rectangle from screen -1,-1 to screen 2,2 behind fc rgb '#%02x%02x%02x' fs noborder
]], -0.5 - gap, w + gap - 0.5, h + gap - 0.5, -0.5 - gap, grey, grey, grey)
end

-- The captions, in letters of a size, below images of h x w pixels that lie `down` and `across`
-- from each other.
local function labels(captions, h, w, down, across, size, opts)
  local form = "set label %s at %.2f,%.2f center front noenhanced %s textcolor rgb '%s'\n"
  local colour = opts.background < 128 and "white" or "black"
  local lines = {}
  for i, caption in ipairs(captions) do
    local row, column = (i - 1) // opts.columns, (i - 1) % opts.columns
    local x, y = column * across + (w - 1) / 2, row * down + h - 0.5 + 0.7 * size / opts.scale
    local font = gnuplot.font(opts.path, size)
    lines[i] = number.format(form, gnuplot.quote(caption), x, y, font, colour)
  end
  return table.concat(lines)
end

--- Draws n images with a caption under each, black or white, whatever shows on the background.
-- @param x tensor [n, h, w] as for make
-- @param opts table: as for make; captions= n strings; path= that ends in .png or .svg
-- @return true; or nil, message
function M.draw_captioned(x, opts)
  local h, w, scale, gap = x:size(2), x:size(3), opts.scale, opts.gap
  local size = math.max(9, 1.8 * w * scale / LETTERS)
  local captions = wrapped(opts.captions)
  local strip = math.ceil(1.35 * size * plot_text.most_lines(captions) / scale)
  if x:dtype() ~= "u8" then x = to_bytes(x) end
  local picture = M.make(pad(x:contiguous(), 2, strip, opts.background),
    {columns = opts.columns, gap = gap, background = opts.background, scale = 1})
  local height, width = picture:size(1), picture:size(2)
  local k = plot_pixels.repeats(opts.path, height, width)
  local commands = table.concat{
    canvas(height, width, opts), labels(captions, h, w, h + strip + gap, w + gap, size, opts),
    block(plot_pixels.enlarge(picture, k)), plot_pixels.image_item("sheet", k, "%s", "%s"),
  }
  return gnuplot.draw(opts.path, commands, {
    width = (width + 2 * gap) * scale, height = (height + 2 * gap) * scale, scale = 1,
  })
end

return M
