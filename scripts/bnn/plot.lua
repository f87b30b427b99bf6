--- Figures: lines with bands, sheets of images. One call each, with defaults fit to print.
--
-- Lines are drawn by gnuplot, into SVG or PNG or as text; sheets of images by libpng alone. Where
-- gnuplot is missing, or a file can not be written, a function gives nil and a message, and the run
-- goes on. A file is there whole or not at all. Colours are Okabe and Ito's, which the colour-blind
-- can tell apart, in an order that also differs in grey; series given no colour take them in turn.
local core = require "bnn.core"
local gnuplot = require "bnn.gnuplot"
local nearest = require "bnn.nearest"
local options = require "bnn.options"

local M = {}

--- The colours by name; "#rrggbb" will do as well.
M.colours = {
  blue = "#0072b2", orange = "#e69f00", green = "#009e73", vermillion = "#d55e00",
  purple = "#cc79a7", sky = "#56b4e9", black = "#000000", yellow = "#f0e442", grey = "#7f7f7f",
}

local TURNS = {"blue", "orange", "green", "vermillion", "purple", "sky", "black", "yellow"}
local MARKS = {7, 5, 9, 13, 11, 15} -- gnuplot's filled circle, square, triangle, ...

local function fail(level, text, ...) error(text:format(...), level + 1) end

-- ---- what is given ----

local function shape_text(v)
  local shape = type(v) == "userdata" and v:shape() or {#v}
  return "[" .. table.concat(shape, ", ") .. "]"
end

-- Whether all elements lie along one axis.
local function is_vector(x)
  local most = 0
  for i = 1, x:dim() do most = math.max(most, x:size(i)) end
  return x:dim() > 0 and most == x:numel()
end

-- The numbers of a list or of a tensor [n] ([n, 1] as well), as a list.
local function numbers(what, name, v, level)
  if type(v) == "userdata" then
    if not is_vector(v) then fail(level, "%s: %s is %s, wanted [n]", what, name, shape_text(v)) end
    return v:contiguous():view(v:numel()):totable()
  end
  for i = 1, #v do
    if type(v[i]) ~= "number" then
      fail(level, "%s: %s[%d] is a %s, a number is wanted", what, name, i, type(v[i]))
    end
  end
  return v
end

local function check_lengths(what, columns, level)
  local first = columns[1]
  for _, c in ipairs(columns) do
    if #c.values ~= #first.values then
      fail(level, "%s: %s is %s, %s is %s", what, first.name, shape_text(first.given), c.name,
        shape_text(c.given))
    end
  end
end

local function colour_of(what, colour, turn, level)
  if not colour then return M.colours[TURNS[(turn - 1) % #TURNS + 1]] end
  local known = M.colours[colour] or colour:match "^#%x%x%x%x%x%x$"
  if known then return known end
  local names = options.sorted_names(M.colours)
  local near = nearest.find(colour, names)
  fail(level, "%s: colour = %q: %s#rrggbb or one of %s is wanted", what, colour,
    near and ("did you mean '%s'? "):format(near) or "", table.concat(names, ", "))
end

local function check_range(what, name, range, is_log, level)
  if not range then return end
  if #range ~= 2 or range[1] == range[2] then
    fail(level, "%s: %s = {%s}: two numbers that differ are wanted", what, name,
      table.concat(range, ", "))
  end
  if is_log and math.min(range[1], range[2]) <= 0 then
    fail(level, "%s: %s = {%s}: an axis of logarithms begins above 0", what, name,
      table.concat(range, ", "))
  end
end

-- ---- series ----

local VECTOR = "tensor|table"
local series_spec = {
  x = VECTOR, y = VECTOR, label = "string", colour = "string", std = VECTOR, band = "table",
  style = {type = "string", choices = {"lines", "points", "both", "dashes"}},
}

-- {name=, given=, values=}
local function read_column(what, name, v, level)
  return {name = name, given = v, values = numbers(what, name, v, level + 1)}
end

-- 1, 2, ... for a series without x.
local function count_up(like)
  local x = {}
  for i = 1, #like.values do x[i] = i end
  return {name = "x", given = x, values = x}
end

-- The two edges of a series' band as columns, or nil.
local function read_band(what, s, y, level)
  if s.band then
    options.check(what .. ": band", s.band, {{type = VECTOR, required = true}}, level + 2)
    if #s.band ~= 2 then fail(level, "%s: band has %d parts, wanted {low, high}", what, #s.band) end
    return read_column(what, "the band's low edge", s.band[1], level + 1),
      read_column(what, "the band's high edge", s.band[2], level + 1)
  elseif not s.std then
    return nil
  end
  local std = read_column(what, "std", s.std, level + 1)
  check_lengths(what, {y, std}, level + 1)
  local low, high = {}, {}
  for i, v in ipairs(y.values) do low[i], high[i] = v - std.values[i], v + std.values[i] end
  return {name = "std", given = s.std, values = low}, {name = "std", given = s.std, values = high}
end

local function check_parts(what, s, level)
  if s.band and s.std then fail(level, "%s: either band or std is wanted", what) end
  if not s.y and not s.band then fail(level, "%s: y is missing: a tensor is wanted", what) end
  if s.style and not s.y then fail(level, "%s: style is that of y, which is missing", what) end
end

-- A series as it is drawn: columns x, y, low, high (lists; y or the edges may be nil), colour=,
-- label=, style=.
local function read_series(given, i, shared_x, level)
  local name = type(given) == "table" and type(given.label) == "string" and given.label
  local what = ("bnn.plot.lines: series %d%s"):format(i, name and (" (%s)"):format(name) or "")
  local s = options.check(what, given, series_spec, level + 2)
  check_parts(what, s, level + 1)
  local y = s.y and read_column(what, "y", s.y, level + 1)
  local low, high = read_band(what, s, y, level + 1)
  local x = s.x or shared_x
  x = x and read_column(what, "x", x, level + 1) or count_up(y or low)
  check_lengths(what, {x, y or low, low, high}, level + 1)
  return {
    x = x.values, y = y and y.values, low = low and low.values, high = high and high.values,
    label = s.label, style = s.style or "lines",
    colour = colour_of(what, s.colour, i, level + 1),
  }
end

-- ---- gnuplot's side of them ----

local MOST = 1e300 -- gnuplot takes what is greater for undefined

local function is_drawable(v, is_log)
  return math.abs(v) < MOST and not (is_log and v <= 0) -- NaN is not
end

-- A block of data of these columns, and how many rows it has; where one value can not be drawn
-- there is an empty line, which parts a line or a band.
local function block(name, columns, log)
  local rows, count, parted = {("$%s << EOD"):format(name)}, 0, false
  for i = 1, #columns[1] do
    local cells, good = {}, true
    for k, column in ipairs(columns) do
      good = good and is_drawable(column[i], k == 1 and log.x or k > 1 and log.y)
      cells[k] = ("%.12g"):format(column[i])
    end
    if good then
      if parted and count > 0 then rows[#rows + 1] = "" end
      rows[#rows + 1], count = table.concat(cells, " "), count + 1
    end
    parted = not good
  end
  rows[#rows + 1] = "EOD\n"
  return table.concat(rows, "\n"), count
end

local function titled(label)
  local title = label and label ~= "" and gnuplot.quote(label)
  return title and ("title %s noenhanced"):format(title) or "notitle"
end

-- How y is drawn, by style.
local function line_of(s)
  local line = ("lw 2 lc rgb '%s'"):format(s.colour)
  local mark = s.mark and ("pt %d ps 0.5"):format(s.mark)
  if s.style == "points" then return ("with points %s lc rgb '%s'"):format(mark, s.colour) end
  if s.style == "both" then return ("with linespoints %s %s"):format(mark, line) end
  return ("with lines %s%s"):format(line, s.style == "dashes" and " dt (8,5)" or "")
end

-- Adds what draws a series: its data to `data`, its items to `items`. Without a row to draw it keeps
-- its place in the legend.
local function add_series(data, items, s, log)
  local function add(columns, using, way, title)
    local name = ("d%d"):format(#data + 1)
    local text, count = block(name, columns, log)
    data[#data + 1] = text
    local source = count > 0 and ("$%s using %s"):format(name, using) or "NaN"
    items[#items + 1] = ("%s %s %s"):format(source, way, title)
  end
  if s.low then
    local fill = ("with filledcurves fc rgb '%s' fs transparent solid 0.2 noborder"):format(s.colour)
    add({s.x, s.low, s.high}, "1:2:3", fill, s.y and "notitle" or titled(s.label))
  end
  if s.y then add({s.x, s.y}, "1:2", line_of(s), titled(s.label)) end
end

-- Series with points take the marks in turn.
local function give_marks(series)
  local turn = 0
  for _, s in ipairs(series) do
    if s.style == "points" or s.style == "both" then
      s.mark, turn = MARKS[turn % #MARKS + 1], turn + 1
    end
  end
end

-- Whether any point of any series can be drawn.
local function has_points(series, log)
  for _, s in ipairs(series) do
    for i, x in ipairs(s.x) do
      local y, z = (s.y or s.low)[i], (s.low or s.y)[i]
      if is_drawable(x, log.x) and (is_drawable(y, log.y) or is_drawable(z, log.y)) then
        return true
      end
    end
  end
  return false
end

local INK, RULE, GRID = "#333333", "#666666", "#e4e4e4"

-- Axes and grid of a picture.
local look = table.concat({
  ("set border 3 lc rgb '%s'"):format(INK),
  "set minussign",
  ("set tics nomirror out scale 0.5 textcolor rgb '%s'"):format(INK),
  ("set grid lt 1 lw 0.8 lc rgb '%s'"):format(GRID),
}, "\n")

local legends = {
  bottom = "set key bmargin center horizontal height 1",
  right = "set key rmargin top vertical",
  none = "unset key",
}

-- 1, 2, 5, 10, ... within a range: the tics of logarithms over less than two decades, where powers
-- of ten alone would be too few.
local function log_tics(from, to)
  local tics = {}
  for power = math.floor(math.log(from, 10)), math.ceil(math.log(to, 10)) do
    for _, digit in ipairs{1, 2, 5} do
      local tic = digit * 10.0 ^ power
      if tic >= from and tic <= to then tics[#tics + 1] = ("%.12g"):format(tic) end
    end
  end
  return table.concat(tics, ", ")
end

local function log_axis(name, range, is_text)
  local lines = {("set logscale %s"):format(name)}
  local from, to = table.unpack(range or {1, math.huge})
  if math.max(from, to) / math.min(from, to) < 100 then
    lines[2] = ("set %stics (%s)"):format(name, log_tics(math.min(from, to), math.max(from, to)))
  elseif not is_text then
    lines[2] = ("set format %s '10^{%%T}'"):format(name)
  end
  return table.concat(lines, "\n")
end

local function axis(name, label, range, is_log, blank, is_text)
  local lines = {}
  local function add(text, ...) lines[#lines + 1] = text:format(...) end
  if label then
    add("set %slabel %s noenhanced", name, gnuplot.quote(label))
  end
  if blank and not range then range = is_log and {1, 10} or {0, 1} end
  if is_log then lines[#lines + 1] = log_axis(name, range, is_text) end
  if range then add("set %srange [%.12g:%.12g]", name, range[1], range[2]) end
  return table.concat(lines, "\n")
end

local function add_marks(lines, opts)
  for _, x in ipairs(opts.vlines or {}) do
    lines[#lines + 1] = ("set arrow from first %.12g, graph 0 to first %.12g, graph 1 nohead back "
      .. "dt (6,4) lc rgb '%s'"):format(x, x, RULE)
  end
  for _, span in ipairs(opts.shade) do
    local corners = {}
    for i, x in ipairs(span) do
      local at = math.abs(x) < math.huge and ("first %.12g"):format(x)
      corners[i] = ("%s, graph %d"):format(at or x < 0 and "graph 0" or "graph 1", i - 1)
    end
    lines[#lines + 1] = ("set object rectangle from %s to %s behind fc rgb '%s' fs transparent "
      .. "solid 0.07 noborder"):format(corners[1], corners[2], INK)
  end
end

local function commands_of(series, opts, is_text)
  local log = {x = opts.logx, y = opts.logy}
  local blank = not has_points(series, log)
  local lines, data, items = {"set encoding utf8"}, {}, {}
  local function add(text) lines[#lines + 1] = text end
  if not is_text then add(look) end
  if opts.title then add(("set title %s noenhanced"):format(gnuplot.quote(opts.title))) end
  add(axis("x", opts.xlabel, opts.xrange, opts.logx, blank, is_text))
  add(axis("y", opts.ylabel, opts.yrange, opts.logy, blank, is_text))
  if not is_text then add "set key Left reverse samplen 2" end
  add(legends[opts.legend])
  add_marks(lines, opts)
  give_marks(series)
  for _, s in ipairs(series) do add_series(data, items, s, log) end
  return ("%s\n%splot %s\n"):format(table.concat(lines, "\n"), table.concat(data),
    table.concat(items, ", "))
end

-- ---- lines ----

local NUMBERS = {type = "number", list = true}
local SIZE = {type = "integer", min = 20, max = 10000}
local lines_spec = {
  x = VECTOR, series = {type = "table", list = true, required = true}, title = "string",
  xlabel = "string", ylabel = "string", xrange = NUMBERS, yrange = NUMBERS,
  logx = "boolean", logy = "boolean", vlines = NUMBERS,
  shade = {type = "table", list = true, default = {}},
  legend = {type = "string", default = "bottom", choices = {"bottom", "right", "none"}},
  path = "string", width = SIZE, height = SIZE, scale = {type = "number", above = 0, max = 10},
  out = "userdata",
}

local function check_path(what, opts, level)
  if not opts.path then return end
  if not gnuplot.kind_of(opts.path) then
    fail(level, "%s: path = %q: a name that ends in .svg or .png is wanted", what, opts.path)
  end
  if opts.out then fail(level, "%s: either path or out is wanted", what) end
end

local function check_shade(what, shade, level)
  for i, span in ipairs(shade) do
    local from, to = span[1], span[2]
    local good = #span == 2 and type(from) == "number" and type(to) == "number" and from < to
    if not good then
      fail(level, "%s: shade[%d]: {from, to} with from < to is wanted", what, i)
    end
  end
end

-- Draws commands where the options say: into the file, or as text.
local function render(commands, opts)
  if opts.path then
    return gnuplot.draw(opts.path, commands, {
      width = opts.width or 640, height = opts.height or 400, scale = opts.scale,
      title = opts.title,
    })
  end
  local text, fault = gnuplot.text(commands, {
    width = opts.width or core.terminal "stdout" or 80, height = opts.height or 24,
  })
  if not text then return nil, fault end
  if opts.out then opts.out:write(text) end
  return text
end

--- Lines, points and bands over x.
--     bnn.plot.lines{
--       x = grid, path = "cubic.svg", xlabel = "x", ylabel = "y", vlines = {-4, 4},
--       series = {
--         {y = p.mean, std = p.total_std, label = "mean and total deviation"},
--         {x = data.x, y = data.y, style = "points", colour = "black", label = "data"},
--       },
--     }
-- What is not finite (and what is not above 0 on an axis of logarithms) leaves a gap. Text is shown
-- as it is written; a newline begins another line.
-- @param opts table:
--   series= a list of {y=, x=, label=, style=, colour=, and a band: std= (y +- std) or
--     band={low, high}}; y may be left out where there is a band. Columns are tensors [n] or [n, 1]
--     or lists; style is "lines", "points", "both" or "dashes"; colour one of bnn.plot.colours or
--     "#rrggbb"
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
  check_path(what, opts, 2)
  check_range(what, "xrange", opts.xrange, opts.logx, 2)
  check_range(what, "yrange", opts.yrange, opts.logy, 2)
  check_shade(what, opts.shade, 2)
  for i, s in ipairs(opts.series) do series[i] = read_series(s, i, opts.x, 2) end
  return render(commands_of(series, opts, not opts.path), opts)
end

return M
