--- Series of lines, points and bands: how they are read and what gnuplot is told of them. See
-- bnn.plot.lines for what their options mean.
local figure = require "bnn.figure"
local options = require "bnn.options"
local thin = require "bnn.thin"

local M = {}

local fail, COLUMN = figure.fail, figure.COLUMN

-- ---- reading ----

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

local function read_one(what, given, i, shared_x, level)
  what = figure.series_name(what, given, i)
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

--- The series of checked options, as they are drawn: a list of {x=, y=, low=, high= lists of which
-- y or the edges may be nil; colour=, label=, style=}.
-- @param what string: the function's name for messages
-- @param level integer: where what is wrong is raised, as in figure.lua
function M.read(what, opts, level)
  if #opts.series == 0 then fail(level + 1, "%s: series is empty", what) end
  local series = {}
  for i, given in ipairs(opts.series) do
    series[i] = read_one(what, given, i, opts.x, level + 1)
  end
  return series
end

-- ---- drawing ----

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

-- A long line's columns without the points that are not seen at one column to a unit.
local function shorten(columns, opts)
  return thin.thin(columns, {
    columns = math.max(opts.width or 0, 640), range = opts.xrange, is_log = opts.logx,
    drawable_x = function(v) return figure.is_drawable(v, opts.logx) end,
    drawable_y = function(v) return figure.is_drawable(v, opts.logy) end,
  })
end

-- Adds what draws a series: its data to `data`, its items to `items`. Without a row to draw it
-- keeps its place in the legend.
local function add_series(data, items, s, opts)
  local log = {x = opts.logx, y = opts.logy}
  local function add(columns, using, way, title)
    local name = ("d%d"):format(#data + 1)
    if s.style == "lines" or s.style == "dashes" then columns = shorten(columns, opts) end
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
  for _, span in ipairs(opts.shade or {}) do
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

--- The commands that draw series.
-- @param opts table: checked options of bnn.plot.lines
function M.commands(series, opts)
  local log, data, items = {x = opts.logx, y = opts.logy}, {}, {}
  give_marks(series)
  for _, s in ipairs(series) do add_series(data, items, s, opts) end
  return table.concat{
    figure.frame(opts, not has_points(series, log)), marks_of(opts), table.concat(data),
    "plot ", table.concat(items, ", "), "\n",
  }
end

return M
