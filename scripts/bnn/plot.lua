--- Figures: lines with bands, sheets of images. One call each, with defaults fit to print.
--
-- Lines are drawn by gnuplot, into SVG or PNG or as text; sheets of images by libpng alone. Where
-- gnuplot is missing, or a file can not be written, a function gives nil and a message, and the run
-- goes on. A file is there whole or not at all. Text is shown as it is written; a newline begins
-- another line. Colours are Okabe and Ito's, which the colour-blind can tell apart; what is given
-- none takes them in turn.
local figure = require "bnn.figure"
local files = require "bnn.files"
local options = require "bnn.options"
local sheet = require "bnn.sheet"

local M = {}

--- The colours by name; "#rrggbb" will do as well wherever a colour is wanted.
M.colours = figure.colours

local fail, COLUMN = figure.fail, figure.COLUMN

-- ---- series of lines ----

local series_spec = {
  x = COLUMN, y = COLUMN, label = "string", colour = "string", std = COLUMN, band = "table",
  style = {type = "string", choices = {"lines", "points", "both", "dashes"}},
}

-- The two edges of a series' band as columns, or nil.
local function read_band(what, s, y, level)
  if s.band then
    options.check(what .. ": band", s.band, {{type = COLUMN}}, level + 2)
    if #s.band ~= 2 then fail(level + 1, "%s: band: {low, high} is wanted", what) end
    return figure.column(what, "the band's low edge", s.band[1], level + 1),
      figure.column(what, "the band's high edge", s.band[2], level + 1)
  elseif not s.std then
    return nil
  end
  local std = figure.column(what, "std", s.std, level + 1)
  figure.check_lengths(what, {y, std}, level + 1)
  local low, high = {}, {}
  for i, v in ipairs(y.values) do low[i], high[i] = v - std.values[i], v + std.values[i] end
  return {name = "std", given = s.std, values = low}, {name = "std", given = s.std, values = high}
end

local function check_parts(what, s, level)
  if s.band and s.std then fail(level + 1, "%s: either band or std is wanted", what) end
  if s.y then return end
  if not s.band then fail(level + 1, "%s: y is missing: a tensor or a list is wanted", what) end
  if s.style then fail(level + 1, "%s: style is that of y, which is missing", what) end
end

-- A series as it is drawn: lists x, y, low, high (y or the edges may be nil), colour=, label=,
-- style=.
local function read_series(given, i, shared_x, level)
  local name = type(given.label) == "string" and (" (%s)"):format(given.label) or ""
  local what = ("bnn.plot.lines: series %d%s"):format(i, name)
  local s = options.check(what, given, series_spec, level + 2)
  check_parts(what, s, level + 1)
  local y = s.y and figure.column(what, "y", s.y, level + 1)
  local low, high = read_band(what, s, y, level + 1)
  local x = s.x or shared_x
  x = x and figure.column(what, "x", x, level + 1) or figure.count_up(y or low)
  figure.check_lengths(what, {x, y or low, low, high}, level + 1)
  return {
    x = x.values, y = y and y.values, low = low and low.values, high = high and high.values,
    label = s.label, style = s.style or "lines",
    colour = figure.colour(what, s.colour, i, level + 1),
  }
end

-- ---- what gnuplot is told of them ----

local MARKS = {7, 5, 9, 13, 11, 15} -- its filled circle, square, triangle, ...

-- Series with points take the marks in turn.
local function give_marks(series)
  local turn = 0
  for _, s in ipairs(series) do
    if s.style == "points" or s.style == "both" then
      s.mark, turn = MARKS[turn % #MARKS + 1], turn + 1
    end
  end
end

-- How y is drawn, by style.
local function way_of(s)
  local line = ("lw 2 lc rgb '%s'"):format(s.colour)
  local mark = s.mark and ("pt %d ps 0.5"):format(s.mark)
  if s.style == "points" then return ("with points %s lc rgb '%s'"):format(mark, s.colour) end
  if s.style == "both" then return ("with linespoints %s %s"):format(mark, line) end
  return ("with lines %s%s"):format(line, s.style == "dashes" and " dt (8,5)" or "")
end

-- Adds what draws a series: its data to `data`, its items to `items`. Without a row to draw it
-- keeps its place in the legend.
local function add_series(data, items, s, log)
  local function add(columns, using, way, title)
    local name = ("d%d"):format(#data + 1)
    local text, count = figure.block(name, columns, log)
    data[#data + 1] = text
    local source = count > 0 and ("$%s using %s"):format(name, using) or "NaN"
    items[#items + 1] = ("%s %s %s"):format(source, way, title)
  end
  if s.low then
    local fill = "with filledcurves fc rgb '%s' fs transparent solid 0.2 noborder"
    local title = s.y and "notitle" or figure.titled(s.label)
    add({s.x, s.low, s.high}, "1:2:3", fill:format(s.colour), title)
  end
  if s.y then add({s.x, s.y}, "1:2", way_of(s), figure.titled(s.label)) end
end

-- Whether any point of any series can be drawn.
local function has_points(series, log)
  local function drawable(v, is_log) return v and figure.is_drawable(v, is_log) end
  for _, s in ipairs(series) do
    for i, x in ipairs(s.x) do
      local on_y = drawable(s.y and s.y[i], log.y) or drawable(s.low and s.low[i], log.y)
      if drawable(x, log.x) and on_y then return true end
    end
  end
  return false
end

-- Dashed lines across, and grey behind.
local function marks_of(opts)
  local lines = {}
  for _, x in ipairs(opts.vlines or {}) do
    lines[#lines + 1] = ("set arrow from first %.12g, graph 0 to first %.12g, graph 1 nohead back "
      .. "dt (6,4) lc rgb '%s'\n"):format(x, x, figure.RULE)
  end
  for _, span in ipairs(opts.shade) do
    local corners = {}
    for i, x in ipairs(span) do
      local at = math.abs(x) < math.huge and ("first %.12g"):format(x)
      corners[i] = ("%s, graph %d"):format(at or x < 0 and "graph 0" or "graph 1", i - 1)
    end
    lines[#lines + 1] = ("set object rectangle from %s to %s behind fc rgb '%s' fs transparent "
      .. "solid 0.07 noborder\n"):format(corners[1], corners[2], figure.INK)
  end
  return table.concat(lines)
end

local function commands_of(series, opts)
  local log, data, items = {x = opts.logx, y = opts.logy}, {}, {}
  give_marks(series)
  for _, s in ipairs(series) do add_series(data, items, s, log) end
  return table.concat{
    figure.frame(opts, not has_points(series, log)), marks_of(opts), table.concat(data),
    "plot ", table.concat(items, ", "), "\n",
  }
end

-- ---- lines ----

local lines_spec = figure.spec{
  x = COLUMN, series = {type = "table", list = true, required = true},
  vlines = {type = "number", list = true}, shade = {type = "table", list = true, default = {}},
}

local function check_shade(what, shade, level)
  for i, span in ipairs(shade) do
    local from, to = span[1], span[2]
    local good = #span == 2 and type(from) == "number" and type(to) == "number" and from < to
    if not good then
      fail(level + 1, "%s: shade[%d]: {from, to} with from < to is wanted", what, i)
    end
  end
end

--- Lines, points and bands over x.
--     bnn.plot.lines{
--       x = grid, path = "cubic.svg", xlabel = "x", ylabel = "y", vlines = {-4, 4},
--       series = {
--         {y = p.mean, std = p.total_std, label = "mean and total deviation"},
--         {x = data.x, y = data.y, style = "points", colour = "black", label = "data"},
--       },
--     }
-- What is not finite (and what is not above 0 on an axis of logarithms) leaves a gap.
-- @param opts table:
--   series= a list of {y=, x=, label=, style=, colour=, and a band: std= (y - std to y + std) or
--     band={low, high}}; y may be left out where there is a band. Columns are tensors [n] or [n, 1]
--     or lists; style is "lines", "points", "both" or "dashes"; colour one of bnn.plot.colours or
--     "#rrggbb". Later ones are drawn over earlier ones
--   x= of the series that have none of their own (1, 2, ... when left out)
--   title=, xlabel=, ylabel=; xrange={from, to}, yrange=; logx=false, logy=false
--   vlines={x, ...} dashed; shade={{from, to}, ...} grey from one x to another (math.huge: to the
--     edge); legend="bottom", "right" or "none"
--   path= a file that ends in .svg or .png; without one the plot is text
--   width=640, height=400 in units of 1/96 inch, scale=2 pixels of a PNG for each; of text in
--     characters (the terminal's width, 24)
--   out= a file such as io.stdout that the text is written to
-- @return true, or the text when no path is given; or nil, message
function M.lines(opts)
  local what, series = "bnn.plot.lines", {}
  opts = options.check(what, opts, lines_spec)
  if #opts.series == 0 then fail(2, "%s: series is empty", what) end
  figure.check(what, opts, 2)
  check_shade(what, opts.shade, 2)
  for i, s in ipairs(opts.series) do series[i] = read_series(s, i, opts.x, 2) end
  return figure.render(commands_of(series, opts), opts)
end

-- ---- images ----

-- [n, h, w] of [n, h, w] or [n, 1, h, w].
local function as_images(what, x, level)
  local shape = figure.shape_text(x)
  if x:dim() == 4 and x:size(2) == 1 then x = x:select(2, 1) end
  if x:dim() ~= 3 then
    fail(level + 1, "%s: x is %s, wanted [n, h, w] or [n, 1, h, w]", what, shape)
  end
  if x:numel() == 0 then fail(level + 1, "%s: x is %s: there are no pixels", what, shape) end
  return x
end

local WIDEST = 32768 -- what our own reader takes

local function check_extent(what, x, opts, level)
  local rows = (x:size(1) + opts.columns - 1) // opts.columns
  local height = (rows * (x:size(2) + opts.gap) - opts.gap) * opts.scale
  local width = (opts.columns * (x:size(3) + opts.gap) - opts.gap) * opts.scale
  if math.max(height, width) <= WIDEST then return end
  fail(level + 1, "%s: the sheet has %d x %d pixels, at most %d each way are wanted", what, width,
    height, WIDEST)
end

--- Grey images side by side in one picture, in rows from the top left.
--     bnn.plot.images{x = samples, columns = 4, path = "samples.png"}
-- @param opts table:
--   x= tensor [n, h, w] or [n, 1, h, w]: u8, or real from 0 (black) to 1; what lies outside is
--     clipped, and what is not a number is a middle grey (128 of 255)
--   columns= images in a row (a square when left out); gap=1 pixels of an image between them;
--     background=0 the grey of gaps and of places left over, from 0 to 1
--   scale=3 pixels of the picture, each way, for one of an image
--   path= a file that ends in .png
-- @return true, or the picture as a tensor u8 [height, width] when no path is given; or nil,
--   message
function M.images(opts)
  local what = "bnn.plot.images"
  opts = options.check(what, opts, {
    x = {type = "tensor", required = true}, columns = {type = "integer", min = 1},
    gap = {type = "integer", min = 0, max = 1000, default = 1},
    background = {type = "number", min = 0, max = 1, default = 0},
    scale = {type = "integer", min = 1, max = 100, default = 3}, path = "string",
  })
  if opts.path and not opts.path:lower():find "%.png$" then
    fail(2, "%s: path = %q: a name that ends in .png is wanted", what, opts.path)
  end
  local x = as_images(what, opts.x, 2)
  opts.columns = math.min(opts.columns or math.ceil(math.sqrt(x:size(1))), x:size(1))
  opts.background = math.floor(opts.background * 255 + 0.5)
  check_extent(what, x, opts, 2)
  local picture = sheet.make(x, opts)
  if opts.path then return files.save(opts.path, picture) end
  return picture
end

return M
