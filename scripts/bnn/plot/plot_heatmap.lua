--- Heat maps: how they are read and what gnuplot is told of them. See bnn.plot.heatmap for what
-- their options mean.
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local number = require "bnn.base.number"
local plot_axes = require "bnn.plot.canvas.plot_axes"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_pixels = require "bnn.plot.canvas.plot_pixels"
local plot_text = require "bnn.plot.canvas.plot_text"

local M = {}

-- matplotlib's viridis, at ten points: even to the eye, also in grey and to the colour-blind.
local VIRIDIS = {
  "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b",
  "#fde725",
}

--- The commands that set the palette.
function M.palette()
  local steps = {}
  for i, colour in ipairs(VIRIDIS) do steps[i] = ("%d '%s'"):format(i, colour) end
  return ("set palette defined (%s)\n"):format(table.concat(steps, ", "))
end

-- The first of n evenly spaced places and the step between them; 1, 2, ... when none are given.
local function places(what, name, given, n)
  if not given then return 1, 1 end
  local column = plot_columns.column(what, name, given)
  local v = column.values
  if #v ~= n then
    fail("%s: %s: expected [%d], as z has %s, got %s", what, name, n,
      name == "x" and "columns" or "rows", plot_columns.column_shape(given))
  end
  local step = n > 1 and (v[n] - v[1]) / (n - 1) or 1
  for i = 1, n do
    local miss = math.abs(v[i] - (v[1] + (i - 1) * step))
    if not (step ~= 0 and miss <= 1e-3 * math.abs(step)) then
      fail("%s: %s[%d]: expected evenly spaced places, got %g", what, name, i, v[i])
    end
  end
  return v[1], step
end

local function block(z)
  local rows = {"$z << EOD"}
  for _, row in ipairs(z:totable()) do
    for k, v in ipairs(row) do
      row[k] = plot_columns.is_drawable(v) and number.format("%.12g", v) or "NaN"
    end
    rows[#rows + 1] = table.concat(row, " ")
  end
  rows[#rows + 1] = "EOD\n"
  return table.concat(rows, "\n")
end

-- From edge to edge of n cells, upwards.
local function edges(first, step, n)
  local a, b = first - step / 2, first + step * (n - 0.5)
  return math.min(a, b), math.max(a, b)
end

local MOST_NUMBERED = 12 -- rows or columns that have room for a tic each

-- A tic at each of few places that are whole numbers, as rows, columns and classes are.
local function numbers(axis, first, step, n)
  local least = math.min(first, first + (n - 1) * step)
  if n > MOST_NUMBERED or first % 1 ~= 0 or step % 1 ~= 0 then return "" end
  return number.format("set %stics %.12g, %.12g\n", axis, least, math.abs(step))
end

-- From the least to the greatest of z that can be drawn.
local function span_of(z)
  local least, most = math.huge, -math.huge
  for _, v in ipairs(z:contiguous():view(z:numel()):totable()) do
    if plot_columns.is_drawable(v) then least, most = math.min(least, v), math.max(most, v) end
  end
  return least <= most and {least, most} or {0, 1}
end

local LINE = 21 -- the height of one of text
local MOST_LETTERS = 8 -- of a number of the scale, as of -2.5x10^6

-- The scale beside the matrix, with room for its numbers, and its name at the edge of the figure:
-- gnuplot itself looks at neither.
local function scale(opts)
  local span, width, letters, lines = opts.zrange or span_of(opts.z), plot_text.width(opts), 3, {}
  for _, v in ipairs(span) do
    local text = number.format("%.4g", v)
    letters = math.max(letters, #text + (text:find "e" and 2 or 1))
  end
  lines[1] = plot_axes.tic_format("cb", span, true)
  if opts.zrange then lines[2] = number.format("set cbrange [%.12g:%.12g]", span[1], span[2]) end
  local room, name = 54 + 9 * math.min(letters, MOST_LETTERS), opts.zlabel
  if name then
    name = plot_text.wrap(name, plot_text.letters("y", 0.7, opts))
    local side = LINE * plot_text.most_lines{name}
    local label = "set label %s at screen %.4f, graph 0.5 center rotate noenhanced"
    lines[#lines + 1] = number.format(label, gnuplot.quote(name), 1 - (side - 6) / width)
    room = room + side
  end
  lines[#lines + 1] = number.format("set rmargin at screen %.4f\n", 1 - room / width)
  return table.concat(lines, "\n")
end

--- The commands of a heat map.
-- @param opts table: checked options of bnn.plot.heatmap; more= commands before the matrix is drawn
function M.commands(what, opts)
  local z = opts.z
  if z:dim() ~= 2 or z:numel() == 0 then
    fail("%s: z: expected [h, w], got %s", what, plot_columns.column_shape(z))
  end
  local h, w = z:size(1), z:size(2)
  local x, dx = places(what, "x", opts.x, w)
  local y, dy = places(what, "y", opts.y, h)
  local left, right = edges(x, dx, w)
  local bottom, top = edges(y, dy, h)
  if not opts.y then bottom, top = top, bottom end -- a matrix has its first row on top
  local lines = {
    figure.frame({
      path = opts.path, title = opts.title, xlabel = opts.xlabel, ylabel = opts.ylabel,
      legend = "none", xrange = {left, right}, yrange = {bottom, top}, width = opts.width,
      height = opts.height, is_whole = not opts.x,
    }), "unset grid\nset border 15\n", M.palette(), numbers("x", x, dx, w), numbers("y", y, dy, h),
    scale(opts), opts.more or "",
  }
  local k = plot_pixels.repeats(opts.path, h, w)
  lines[#lines + 1] = block(plot_pixels.enlarge(z, k))
  local place = "%.12g+%%s*%.12g"
  lines[#lines + 1] = plot_pixels.image_item("z", k, number.format(place, x, dx),
    number.format(place, y, dy))
  return table.concat(lines)
end

return M
