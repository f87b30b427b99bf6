--- Series of lines, points and bands: how they are read and what gnuplot is told of them. See
-- bnn.plot.lines for what their options mean.
local downsample = require "bnn.plot.canvas.downsample"
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local plot_axes = require "bnn.plot.canvas.plot_axes"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_style = require "bnn.plot.canvas.plot_style"

local M = {}

local COLUMN, is_drawable = plot_columns.COLUMN, plot_columns.is_drawable

-- ---- reading ----

local series_spec = {
  x = COLUMN, y = COLUMN, label = "string", colour = "string", std = COLUMN, band = "table",
  style = {type = "string", choices = {"lines", "points", "both", "dashes"}},
}

-- The two edges of a series' band as columns, or nil.
local function read_band(what, s, y)
  if s.band then
    options.check(what .. ": band", s.band, {{type = COLUMN}})
    if #s.band ~= 2 then fail("%s: band: expected {low, high}, got a list of %d", what, #s.band) end
    return plot_columns.column(what, "the band's low edge", s.band[1]),
      plot_columns.column(what, "the band's high edge", s.band[2])
  elseif not s.std then
    return nil
  end
  local std = plot_columns.column(what, "std", s.std)
  plot_columns.check_lengths(what, {y, std})
  local low, high = {}, {}
  for i, v in ipairs(y.values) do low[i], high[i] = v - std.values[i], v + std.values[i] end
  return {name = "std", given = s.std, values = low}, {name = "std", given = s.std, values = high}
end

local function check_parts(what, s)
  if s.band and s.std then fail("%s: expected band= or std=, got both", what) end
  if s.y then return end
  if not s.band then fail("%s: y: expected a tensor or a list, got nothing", what) end
  if s.style then fail("%s: style: expected y=, whose it is, got none", what) end
end

local function read_one(what, given, i, turn, shared_x)
  what = plot_columns.series_name(what, given, i)
  local s = options.check(what, given, series_spec)
  check_parts(what, s)
  local y = s.y and plot_columns.column(what, "y", s.y)
  local low, high = read_band(what, s, y)
  local x = s.x or shared_x
  x = x and plot_columns.column(what, "x", x) or plot_columns.count_up(y or low)
  plot_columns.check_lengths(what, {x, y or low, low, high})
  return {
    x = x.values, y = y and y.values, low = low and low.values, high = high and high.values,
    is_area = not s.y, label = s.label, style = s.style,
    colour = plot_style.colour(what, s.colour, turn),
  }
end

--- The series of checked options, as they are drawn: a list of {x=, y=, low=, high= lists of which
-- y or the edges may be nil; colour=, label=, style=; turn= by its label if there is an order}.
-- is_area= for a band that is hatched in its turn, as one without a line is. What is not read but
-- made may also have width= of its line and mark= of its points.
-- @param what string: the function's name for messages
function M.read(what, opts)
  figure.check_series(what, opts.series)
  local series, turns = {}, plot_style.turns(opts.series, opts.order)
  for i, given in ipairs(opts.series) do
    series[i] = read_one(what, given, i, turns[i], opts.x)
    series[i].turn = opts.order and turns[i]
  end
  return series
end

-- ---- drawing ----

local function has_points(s) return s.style == "points" or s.style == "both" end

-- Marks, dashes and hatches go in turn each among those that have them, so that the only line
-- beside points is not dashed; if an order is given, it decides.
local function give_looks(series)
  local marks, dashes, hatches = 0, 0, 0
  for _, s in ipairs(series) do
    if has_points(s) then
      marks = marks + 1
      s.mark = s.mark or plot_style.mark(s.turn or marks)
    end
    if s.y and (not s.style or s.style == "both") then
      dashes = dashes + 1
      s.dashes = plot_style.dashes(s.turn or dashes)
    end
    if s.is_area then
      hatches = hatches + 1
      s.fill = plot_style.fill(s.turn or hatches, 0.25)
    end
  end
end

local function has_marks(series)
  for _, s in ipairs(series) do
    if s.mark then return true end
  end
  return false
end

local MANY = 50 -- points, which are drawn small

-- How y is drawn, by style.
local function way_of(s)
  local colour = ("lc rgb '%s'"):format(s.colour)
  local dashes = s.style == "dashes" and " dt (8,5)" or s.dashes or ""
  local line = ("lw %d %s%s"):format(s.width or 2, colour, dashes)
  if s.style == "points" then
    return number.format("with points pt %d ps %g %s", s.mark, #s.x > MANY and 0.6 or 0.8, colour)
  end
  if s.style ~= "both" then return "with lines " .. line end
  return ("with linespoints pt %d ps 0.8 %s"):format(s.mark, line)
end

-- A long line's columns without the points that are not seen at one column to a unit.
local function shorten(columns, opts)
  return downsample.thin(columns, {
    columns = math.max(opts.width or 0, 640), range = opts.xrange, is_log = opts.logx,
    drawable_x = function(v) return is_drawable(v, opts.logx) end,
    drawable_y = function(v) return is_drawable(v, opts.logy) end,
  })
end

-- The points of a line that have no neighbour to draw a line to, as columns.
local function lonely_points(s, log)
  local function is_drawn(i)
    return s.x[i] and is_drawable(s.x[i], log.x) and is_drawable(s.y[i], log.y)
  end
  local x, y = {}, {}
  for i = 1, #s.x do
    if is_drawn(i) and not is_drawn(i - 1) and not is_drawn(i + 1) then
      x[#x + 1], y[#y + 1] = s.x[i], s.y[i]
    end
  end
  return x, y
end

-- Adds what draws a series: its data to `data`, its items to `items`. Without a row to draw it
-- keeps its place in the legend.
local function add_series(data, items, s, opts)
  local log, title = {x = opts.logx, y = opts.logy}, figure.titled(s.label, opts)
  local function add(columns, using, way, shown)
    local name = ("d%d"):format(#data + 1)
    if not has_points(s) then columns = shorten(columns, opts) end
    local text, count = plot_columns.block(name, columns, log)
    data[#data + 1] = text
    local source = count > 0 and ("$%s using %s"):format(name, using) or "NaN"
    items[#items + 1] = ("%s %s %s"):format(source, way, shown)
  end
  if s.low then
    local way = "with filledcurves fc rgb '%s' %s noborder"
    local fill = s.fill or "fs transparent solid 0.2"
    add({s.x, s.low, s.high}, "1:2:3", way:format(s.colour, fill), s.y and "notitle" or title)
  end
  if not s.y then return end
  add({s.x, s.y}, "1:2", way_of(s), title)
  if has_points(s) then return end
  local x, y = lonely_points(s, log)
  local way = ("with points pt 7 ps 0.5 lc rgb '%s'"):format(s.colour)
  if #x > 0 then add({x, y}, "1:2", way, "notitle") end
end

local function widen(span, v) span[1], span[2] = math.min(span[1], v), math.max(span[2], v) end

-- The spans of x and of y over the points that can be drawn, and whether their x are whole numbers;
-- nil when there are none.
local function spans_of(series, log)
  local xspan, yspan, is_whole = {math.huge, -math.huge}, {math.huge, -math.huge}, true
  local function add(x, y, z)
    local good = is_drawable(x, log.x) and is_drawable(y, log.y)
      and is_drawable(z, log.y)
    if not good then return end
    widen(xspan, x)
    widen(yspan, y)
    widen(yspan, z)
    is_whole = is_whole and x % 1 == 0
  end
  for _, s in ipairs(series) do
    for i, x in ipairs(s.x) do
      if s.y then add(x, s.y[i], s.y[i]) end
      if s.low then add(x, s.low[i], s.high[i]) end
    end
  end
  if xspan[1] <= xspan[2] then return xspan, yspan, is_whole end
end

local function within(x, range, is_log)
  if not is_drawable(x, is_log) then return false end
  return not range or x >= math.min(range[1], range[2]) and x <= math.max(range[1], range[2])
end

-- Dashed lines across: arrows, and points that nobody sees where the axis is to reach them. What
-- lies outside of a given range is left out.
local function add_vlines(lines, data, items, opts)
  local arrow = "set arrow from first %.12g, graph 0 to first %.12g, graph 1 nohead back "
    .. "lw 1.5 dt (6,4) lc rgb '%s'\n"
  local x, y, some_y = {}, {}, opts.yspan and opts.yspan[1] or 1
  for _, place in ipairs(opts.vlines or {}) do
    if within(place, opts.xrange, opts.logx) then
      lines[#lines + 1] = number.format(arrow, place, place, plot_style.INK)
      x[#x + 1], y[#y + 1] = place, some_y
    end
  end
  if #x == 0 then return end
  if opts.vlabel then
    local entry = "NaN with lines lw 1.5 dt (6,4) lc rgb '%s' %s"
    items[#items + 1] = entry:format(plot_style.INK, figure.titled(opts.vlabel, opts))
  end
  if opts.xrange then return end
  data[#data + 1] = plot_columns.block("v", {x, y}, {})
  items[#items + 1] = "$v using 1:2 with dots lc rgb '#ff000000' notitle"
end

-- Grey areas from one x to another, below what is drawn.
local function add_shade(lines, opts)
  for _, span in ipairs(opts.shade or {}) do
    local corners = {}
    for i, x in ipairs(span) do
      local inside = math.abs(x) < math.huge and not (opts.logx and x <= 0)
      corners[i] = ("%s, graph %d"):format(inside and number.format("first %.12g", x)
        or i == 1 and "graph 0" or "graph 1", i - 1)
    end
    local box = "set object rectangle from %s to %s behind clip fc rgb '%s' "
      .. "fs transparent solid 0.07 noborder\n"
    lines[#lines + 1] = box:format(corners[1], corners[2], plot_style.INK)
  end
end

--- The commands that draw series.
-- @param opts table: checked options of bnn.plot.lines
function M.commands(series, opts)
  local lines, data, items = {}, {}, {}
  opts.xspan, opts.yspan, opts.is_whole = spans_of(series,
    {x = opts.logx, y = opts.logy})
  if not opts.yspan then plot_axes.fill_ranges(opts) end
  give_looks(series)
  opts.entries = {opts.vlabel}
  for _, s in ipairs(series) do
    add_series(data, items, s, opts)
    opts.entries[#opts.entries + 1] = s.label
  end
  add_vlines(lines, data, items, opts)
  add_shade(lines, opts)
  -- A line fills its axis; marks want room at the ends, and logarithms whole powers for their tics.
  local is_tight = not opts.xrange and not opts.logx and not has_marks(series)
  if is_tight then lines[#lines + 1] = "set autoscale xfix\n" end
  return table.concat{
    figure.frame(opts), table.concat(lines), table.concat(data), "plot ",
    table.concat(items, ", "), "\n",
  }
end

return M
