--- Images on a screen: by a protocol for pictures, or as text.
local core = require "bnn.core"
local image_grid = require "bnn.plot.canvas.image_grid"
local picture_layout = require "bnn.show.picture_layout"
local picture_protocols = require "bnn.show.picture_protocols"
local picture_values = require "bnn.show.picture_values"
local plot_text = require "bnn.plot.canvas.plot_text"
local strings = require "bnn.base.strings"
local text_image = require "bnn.plot.canvas.text_image"

local M = {}

local GAP_GREY = 0 -- the byte of what is between images
local MOST = {picture = 100, text = 20} -- images, if nobody says how many

-- ---- one picture ----

-- The rows of a picture for text_image: numbers, or {r, g, b}, from 0 to 1.
local function rows_of(picture)
  local rows = picture:totable()
  for _, row in ipairs(rows) do
    for i, v in ipairs(row) do
      row[i] = type(v) == "number" and v / 255 or {v[1] / 255, v[2] / 255, v[3] / 255}
    end
  end
  return rows
end

local function text_lines(screen, picture)
  local lines = text_image.lines(rows_of(picture), screen.depth)
  if screen.depth ~= "none" then return lines end
  for i, line in ipairs(lines) do lines[i] = line:gsub("%s+$", "") end
  return lines
end

--- What draws a picture as it is, a pixel for each of its own.
-- @param screen table, as show_screen.find returns it
-- @param picture tensor u8 [h, w] or [h, w, 3]
-- @return the text; or nil, message
function M.picture(screen, picture)
  if not screen.is_picture then return table.concat(text_lines(screen, picture), "\n") .. "\n" end
  local sequence, fault = picture_protocols[screen.way](picture, screen.cell)
  if not sequence then return nil, fault end
  return sequence .. "\n"
end

-- ---- many images in one picture ----

-- Images [n, h, w] or [n, h, w, 3] of another size.
local function resized(x, height, width)
  local n, h, w, parts = x:size(1), x:size(2), x:size(3), x:dim() == 4 and 3 or 1
  if h == height and w == width then return x end
  local stack = core.image_resize(x:contiguous():view(n * h, w, parts), n * height, width)
  if parts == 1 then return stack:view(n, height, width) end
  return stack:view(n, height, width, parts)
end

-- Images of one size as a picture, `pitch` apart along a row.
local function mosaic(x, across, gap)
  local n, h, w, parts = x:size(1), x:size(2), x:size(3), x:dim() == 4 and 3 or 1
  local picture = image_grid.make(x:contiguous():view(n, h, w * parts), {
    columns = across, gap = gap, background = GAP_GREY, scale = 1, parts = parts,
  })
  if parts == 1 then return picture end
  return picture:contiguous():view(picture:size(1), picture:size(2) // parts, parts)
end

-- ---- labels ----

-- One line of the labels of images from..to, each as wide as an image.
local function label_line(texts, k, from, to, columns)
  local cells = {}
  for i = from, to do
    local text = strings.cut(texts[i][k] or "", columns - 1)
    cells[#cells + 1] = text .. (" "):rep(columns - (utf8.len(text) or #text))
  end
  return (table.concat(cells):gsub("%s+$", ""))
end

-- Labels as lists of lines; the most lines and the most letters of one.
local function read_labels(labels)
  local texts, lines, letters = {}, 1, 1
  for i, label in ipairs(labels) do
    texts[i] = {}
    for line in (strings.shown(label, true) .. "\n"):gmatch "(.-)\n" do
      table.insert(texts[i], line)
      letters = math.max(letters, utf8.len(line) or #line)
    end
    lines = math.max(lines, #texts[i])
  end
  return texts, lines, letters
end

-- A row of images under their labels, as text: they stand apart, each on its own ground.
local function text_row(screen, x, columns)
  local rows, n = {}, x:size(1)
  for i = 1, n do
    for y, line in ipairs(text_image.lines(rows_of(x:select(1, i)), screen.depth)) do
      local space = i < n and (" "):rep(columns - x:size(3)) or ""
      rows[y] = (rows[y] or "") .. line .. space
    end
  end
  if screen.depth == "none" then
    for y, row in ipairs(rows) do rows[y] = row:gsub("%s+$", "") end
  end
  return table.concat(rows, "\n") .. "\n"
end

local function row_of(screen, x, grid, columns)
  if not screen.is_picture then return text_row(screen, x, columns) end
  return M.picture(screen, mosaic(x, x:size(1), grid.pitch - grid.width))
end

local function labelled(screen, x, grid, texts, lines)
  local parts, columns = {}, grid.pitch // screen.cell.width
  for from = 1, grid.count, grid.across do
    local to = math.min(from + grid.across - 1, grid.count)
    for k = 1, lines do parts[#parts + 1] = label_line(texts, k, from, to, columns) .. "\n" end
    local text, fault = row_of(screen, x:narrow(1, from, to - from + 1), grid, columns)
    if not text then return nil, fault end
    parts[#parts + 1] = text
  end
  return table.concat(parts)
end

-- ---- all of it ----

-- How many of n images may be shown, and the plan of where.
local function plan(screen, x, n, opts, letters, lines)
  local most = opts.count or (screen.is_picture and MOST.picture or MOST.text)
  return picture_layout.plan(screen, math.min(n, most), x:size(2), x:size(3), {
    width = opts.width, across = opts.columns, count = opts.count, letters = letters, lines = lines,
  })
end

local LONGEST = 24 -- letters of a label that are shown, however small its image

local function title_line(title, columns)
  return title and plot_text.wrap(strings.shown(title, true), columns) .. "\n" or ""
end

-- The line below: how many are shown, and what was scaled.
local function notes_line(shown, n, range)
  local notes = {}
  if shown < n then notes[1] = ("the first %d of %d"):format(shown, n) end
  notes[#notes + 1] = range
  return notes[1] and table.concat(notes, "; ") .. "\n" or ""
end

--- Draws images with a title above and, below, what was scaled and left out.
-- @param screen table, as show_screen.find returns it
-- @param x tensor, as picture_values.batch returns it
-- @param opts table: title=, labels= a list of strings, one for each image, or nil; width=,
--   columns=, count=, scale= as for bnn.show
-- @return the text; or nil, message
function M.draw(screen, x, opts)
  local n, texts, lines, letters = x:size(1), nil, nil, nil
  if opts.labels then
    texts, lines, letters = read_labels(opts.labels)
    letters = math.min(letters, LONGEST, (opts.width or screen.columns) - 1)
  end
  local grid = plan(screen, x, n, opts, letters, lines)
  local bytes, range = picture_values.bytes(x:narrow(1, 1, grid.count), opts.scale)
  bytes = resized(bytes, grid.height, grid.width)
  local text, fault
  if texts then
    text, fault = labelled(screen, bytes, grid, texts, lines)
  else
    text, fault = M.picture(screen, mosaic(bytes, grid.across, grid.gap))
  end
  if not text then return nil, fault end
  return title_line(opts.title, screen.columns) .. text .. notes_line(grid.count, n, range)
end

return M
