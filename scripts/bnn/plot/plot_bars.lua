--- Histograms and bars: how they are read and what gnuplot is told of them. See bnn.plot.histogram
-- and bnn.plot.bars for what their options mean.
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local plot_axes = require "bnn.plot.canvas.plot_axes"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_lines = require "bnn.plot.plot_lines"
local plot_style = require "bnn.plot.canvas.plot_style"
local plot_text = require "bnn.plot.canvas.plot_text"

local M = {}

-- ---- histograms ----

local function check_range(what, range)
  if #range == 2 and range[1] < range[2] then return end
  fail("%s: range: expected {from, to} with from < to, got %s", what, kinds.show(range))
end

-- From the least to the greatest finite value of all series; 1 wide when they are the same.
local function extent(series)
  local least, most = math.huge, -math.huge
  for _, s in ipairs(series) do
    for _, v in ipairs(s.values) do
      if plot_columns.is_drawable(v) then least, most = math.min(least, v), math.max(most, v) end
    end
  end
  if least > most then least, most = 0, 1 end
  if least == most then least, most = least - 0.5, most + 0.5 end
  return least, most
end

-- How many values fall into each of `bins` equal parts of from..to (`to` itself into the last), and
-- how many do in all.
local function count(values, bins, from, to)
  local counts, total = {}, 0
  for i = 1, bins do counts[i] = 0 end
  for _, v in ipairs(values) do
    if v >= from and v <= to then
      local i = math.min(math.floor((v - from) / (to - from) * bins) + 1, bins)
      counts[i], total = counts[i] + 1, total + 1
    end
  end
  return counts, total
end

-- How high each bin is: how many values are in it, or their density.
local function heights_of(values, from, to, opts)
  local heights, total = count(values, opts.bins, from, to)
  local unit = opts.density and math.max(total, 1) * (to - from) / opts.bins or 1
  for k, height in ipairs(heights) do heights[k] = height / unit end
  return heights
end

-- The outline of heights over bins as columns x and y, which goes down to a floor at its ends and
-- where bins are empty.
local function outline(heights, from, to, floor)
  local x, y, bins, before = {}, {}, #heights, 0
  local function add(edge, height)
    x[#x + 1], y[#y + 1] = from + (to - from) * edge / bins, height
  end
  for i, height in ipairs(heights) do
    if before == 0 and height > 0 then add(i - 1, floor) end
    if height > 0 then
      add(i - 1, height)
      add(i, height)
    elseif before > 0 then
      add(i - 1, floor)
      add(i - 1, 0 / 0)
    end
    before = height
  end
  if before > 0 then add(bins, floor) end
  return x, y
end

-- Where heights begin. An axis of logarithms is given whole powers of ten, of which the first is
-- below the least height.
local function floor_of(all_heights, opts)
  if not opts.logy then return 0 end
  if opts.yrange then return math.min(opts.yrange[1], opts.yrange[2]) end
  local least, most = math.huge, 0
  for _, heights in ipairs(all_heights) do
    for _, height in ipairs(heights) do
      if height > 0 then least, most = math.min(least, height), math.max(most, height) end
    end
  end
  if most == 0 then return 1 end
  local floor = 10.0 ^ (math.ceil(math.log(least, 10)) - 1)
  opts.yrange = {floor, 10.0 ^ (math.floor(math.log(most, 10)) + 1)}
  return floor
end

-- The axis spans all bins, empty ones too, and what is marked.
local function fit_xrange(opts, from, to)
  for _, place in ipairs(opts.vlines or {}) do
    if plot_columns.is_drawable(place) then
      from, to = math.min(from, place), math.max(to, place)
    end
  end
  if not (opts.logx and from <= 0) then opts.xrange = opts.xrange or {from, to} end
end

local MOST_HATCHED = 3 -- hatches over each other; more are a muddle

-- The first in turn is filled, and tells in-distribution from the others; others are hatched
-- where they are few and stand apart, as on logarithms they do not.
local function is_filled(turn, sets, opts)
  return turn == 1 or sets <= MOST_HATCHED and not opts.logy
end

local function fill(s, floor)
  s.is_area, s.low, s.high = true, {}, s.y
  for i = 1, #s.y do s.low[i] = floor end
end

local function read_samples(what, given, i, turn)
  what = plot_columns.series_name(what, given, i)
  local s = options.check(what, given, {
    x = {type = plot_columns.COLUMN, required = true}, label = "string", colour = "string",
  })
  return {
    values = plot_columns.column(what, "x", s.x).values, label = s.label,
    colour = plot_style.colour(what, s.colour, turn),
  }
end

--- The commands of a histogram.
-- @param opts table: checked options of bnn.plot.histogram
function M.histogram(what, opts)
  figure.check_series(what, opts.series)
  if opts.range then check_range(what, opts.range) end
  local samples, series, turns = {}, {}, plot_style.turns(opts.series, opts.order)
  for i, given in ipairs(opts.series) do
    samples[i] = read_samples(what, given, i, turns[i])
  end
  local from, to = extent(samples)
  if opts.range then from, to = table.unpack(opts.range) end
  local all_heights = {}
  for i, s in ipairs(samples) do all_heights[i] = heights_of(s.values, from, to, opts) end
  local floor = floor_of(all_heights, opts)
  for i, s in ipairs(samples) do
    local x, y = outline(all_heights[i], from, to, floor)
    series[i] = {x = x, y = y, label = s.label, colour = s.colour, turn = turns[i]}
    if is_filled(turns[i], #samples, opts) then fill(series[i], floor) end
  end
  fit_xrange(opts, from, to)
  opts.ylabel = opts.ylabel or opts.density and "density" or "count"
  return plot_lines.commands(series, opts)
end

-- ---- bars ----

local GROUP = 0.8 -- of the room for a label is taken by its bars

local function read_bars(what, given, i, turn, labels)
  what = plot_columns.series_name(what, given, i)
  local s = options.check(what, given, {
    y = {type = plot_columns.COLUMN, required = true}, std = plot_columns.COLUMN, label = "string",
    colour = "string",
  })
  local y = plot_columns.column(what, "y", s.y)
  local std = s.std and plot_columns.column(what, "std", s.std)
  plot_columns.check_lengths(what, {{name = "labels", given = labels, values = labels}, y, std})
  return {
    y = y.values, std = std and std.values, label = s.label, fill = plot_style.fill(turn, 0.85),
    colour = plot_style.colour(what, s.colour, turn),
  }
end

-- The bars of series i of n as columns: their middles, left and right edges, and where they begin.
local function sides(s, i, n, floor)
  local width = GROUP / n
  local middle, left, right, low = {}, {}, {}, {}
  for k = 1, #s.y do
    left[k] = k - GROUP / 2 + (i - 1) * width
    right[k] = left[k] + width * (n > 1 and 0.92 or 1)
    middle[k], low[k] = (left[k] + right[k]) / 2, floor
  end
  return middle, left, right, low
end

-- The outlines of the marks of deviation: stem and two caps, parted by what cannot be drawn.
local function marks(s, middle, cap, opts, floor)
  local x, y = {}, {}
  local function stroke(x1, y1, x2, y2)
    local n = #x
    x[n + 1], x[n + 2], x[n + 3] = x1, x2, 0 / 0
    y[n + 1], y[n + 2], y[n + 3] = y1, y2, 0 / 0
  end
  for k, at in ipairs(middle) do
    local low, high = s.y[k] - s.std[k], s.y[k] + s.std[k]
    if opts.logy and s.y[k] > 0 then low = math.max(low, floor) end
    stroke(at, low, at, high)
    stroke(at - cap, low, at + cap, low)
    stroke(at - cap, high, at + cap, high)
  end
  return {x, y}
end

-- Adds the bars of series i of n, and what marks their deviation; gives how many bars there are.
local function add_bars(data, items, s, i, n, opts, floor)
  local middle, left, right, low = sides(s, i, n, floor)
  local function add(name, columns, way, title)
    local text, rows = plot_columns.block(name, columns, {})
    data[#data + 1] = text
    items[#items + 1] = ("%s %s"):format(rows > 0 and ("$%s %s"):format(name, way) or "NaN", title)
    return rows
  end
  local way = "using 1:2:3:4:5:6 with boxxyerror fc rgb '%s' lw 1.2 %s border lc rgb '%s'"
  local rows = add("b" .. i, {middle, s.y, left, right, low, s.y},
    way:format(s.colour, s.fill, s.colour), figure.titled(s.label, opts))
  if s.std then
    local mark = "using 1:2 with lines lw 1.2 lc rgb '%s'"
    add("e" .. i, marks(s, middle, GROUP / n / 10, opts, floor), mark:format(plot_style.INK),
      "notitle")
  end
  return rows
end

-- The heights that can be drawn; the others become NaN, and have no bar.
local function drawn_heights(s, opts)
  local heights, y = {}, {}
  for k, v in ipairs(s.y) do
    local is_drawn = plot_columns.is_drawable(v, opts.logy)
    y[k] = is_drawn and v or 0 / 0
    if is_drawn then heights[#heights + 1] = v end
  end
  s.y = y
  return heights
end

-- Labels in lines that fit side by side, and whether they do: a long word may not.
local function fit_labels(labels, opts)
  local letters, texts, fits = plot_text.letters("x", 0.85 / #labels, opts), {}, true
  for k, label in ipairs(labels) do
    texts[k] = plot_text.wrap(label, letters)
    for line in texts[k]:gmatch "[^\n]+" do
      fits = fits and (utf8.len(line) or #line) <= letters
    end
  end
  return fits and texts or labels, fits
end

-- The names below the axis; slanted when they are too long to stand side by side.
local function tics(labels, is_slanted, opts)
  local texts = {}
  for k, label in ipairs(labels) do texts[k] = ("%s %d"):format(gnuplot.quote_tic(label), k) end
  return number.format("set xtics (%s) noenhanced%s\nset xrange [%g:%g]\n%s",
    table.concat(texts, ", "), is_slanted and opts.path and " rotate by 45 right" or "", 0.5,
    #labels + 0.5, opts.path and "set grid noxtics\n" or "")
end

--- The commands of bars.
-- @param opts table: checked options of bnn.plot.bars
function M.bars(what, opts)
  figure.check_series(what, opts.series)
  if #opts.labels == 0 then fail("%s: labels: expected at least one, got none", what) end
  local data, items, bars, turns = {}, {}, 0, plot_style.turns(opts.series, opts.order)
  local list, heights = {}, {}
  for i, given in ipairs(opts.series) do
    list[i] = read_bars(what, given, i, turns[i], opts.labels)
    heights[i] = drawn_heights(list[i], opts)
  end
  local floor = floor_of(heights, opts)
  for i, s in ipairs(list) do bars = bars + add_bars(data, items, s, i, #list, opts, floor) end
  if bars == 0 then plot_axes.fill_ranges(opts) end
  opts.entries = {}
  for _, s in ipairs(opts.series) do opts.entries[#opts.entries + 1] = s.label end
  local labels, fits = fit_labels(opts.labels, opts)
  local more = plot_text.most_lines(labels) - 1
  if more > 0 then opts.xlabel = ("\n"):rep(more) .. (opts.xlabel or " ") end
  return table.concat{
    figure.frame(opts), tics(labels, not fits, opts), table.concat(data), "plot ",
    table.concat(items, ", "), "\n",
  }
end

return M
