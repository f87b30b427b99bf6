--- Heat maps: how they are read and what gnuplot is told of them. See bnn.plot.heatmap for what
-- their options mean.
local figure = require "bnn.figure"
local gnuplot = require "bnn.gnuplot"

local M = {}

local fail = figure.fail

-- matplotlib's viridis, at ten points: even to the eye, also in grey and to the colour-blind.
local VIRIDIS = {
  "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b",
  "#fde725",
}

local function palette()
  local steps = {}
  for i, colour in ipairs(VIRIDIS) do steps[i] = ("%d '%s'"):format(i, colour) end
  return ("set palette defined (%s)\n"):format(table.concat(steps, ", "))
end

-- The first of n evenly spaced places and the step between them; 1, 2, ... when none are given.
local function places(what, name, given, n, level)
  if not given then return 1, 1 end
  local column = figure.column(what, name, given, level + 1)
  local v = column.values
  if #v ~= n then
    fail(level + 1, "%s: %s is %s, z has %d of them", what, name, figure.shape_text(given), n)
  end
  local step = n > 1 and (v[n] - v[1]) / (n - 1) or 1
  for i = 1, n do
    local miss = math.abs(v[i] - (v[1] + (i - 1) * step))
    if not (step ~= 0 and miss <= 1e-3 * math.abs(step)) then
      fail(level + 1, "%s: %s[%d] is %g: evenly spaced places are wanted", what, name, i, v[i])
    end
  end
  return v[1], step
end

local function block(z)
  local rows = {"$z << EOD"}
  for _, row in ipairs(z:totable()) do
    for k, v in ipairs(row) do
      row[k] = figure.is_drawable(v) and ("%.12g"):format(v) or "NaN"
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

--- The commands of a heat map.
-- @param opts table: checked options of bnn.plot.heatmap
function M.commands(what, opts, level)
  local z = opts.z
  if z:dim() ~= 2 or z:numel() == 0 then
    fail(level + 1, "%s: z is %s, wanted [h, w]", what, figure.shape_text(z))
  end
  local h, w = z:size(1), z:size(2)
  local x, dx = places(what, "x", opts.x, w, level + 1)
  local y, dy = places(what, "y", opts.y, h, level + 1)
  local left, right = edges(x, dx, w)
  local bottom, top = edges(y, dy, h)
  if not opts.y then bottom, top = top, bottom end -- a matrix has its first row on top
  local lines = {
    figure.frame({
      path = opts.path, title = opts.title, xlabel = opts.xlabel, ylabel = opts.ylabel,
      legend = "none", xrange = {left, right}, yrange = {bottom, top}, width = opts.width,
      is_whole = not opts.x,
    }), "unset grid\nset border 15\n", palette(),
  }
  if opts.zlabel then
    lines[#lines + 1] = ("set cblabel %s noenhanced offset 1\n"):format(gnuplot.quote(opts.zlabel))
  end
  if opts.zrange then
    lines[#lines + 1] = ("set cbrange [%.12g:%.12g]\n"):format(table.unpack(opts.zrange))
  end
  local k = figure.repeats(opts.path, math.max(h, w))
  lines[#lines + 1] = block(figure.enlarge(z, k))
  local place = "%.12g+%%s*%.12g"
  lines[#lines + 1] = figure.image_item("z", k, place:format(x, dx), place:format(y, dy))
  return table.concat(lines)
end

return M
