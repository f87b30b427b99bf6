--- Reliability diagrams.
--
-- Two panels over one axis of confidence: how often the answers of a bin are right, beside the
-- diagonal where they are as often as they say; and how many there are, on logarithms, as most of
-- them crowd into the last bin.
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local metrics_calibration = require "bnn.metrics.metrics_calibration"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_style = require "bnn.plot.canvas.plot_style"
local plot_text = require "bnn.plot.canvas.plot_text"
local table_text = require "bnn.base.table_text"

local M = {}

local COLUMN = plot_columns.COLUMN
local MOST_NUMBERS = 20 -- bins that have room for their counts

-- ---- reading ----

local function check_parts(what, opts)
  local given = opts.prediction or opts.labels or opts.weight or opts.bins or opts.adaptive
  if opts.reliability and not given then
    return
  elseif opts.reliability or not (opts.prediction and opts.labels) then
    fail("%s: expected prediction= and labels=, or reliability=; got %s", what,
      figure.given(opts, {"prediction", "labels", "weight", "bins", "adaptive", "reliability"}))
  end
end

-- Makes whole numbers integers; false if some are not whole, as sums of weights may be.
local function as_counts(list)
  local are_counts = true
  for i, v in ipairs(list) do
    list[i] = math.tointeger(v) or v
    are_counts = are_counts and math.type(list[i]) == "integer"
  end
  return are_counts
end

-- The bins as lists {n=, confidence=, accuracy=}, checked; unit: what n is of.
local function read_bins(what, bins)
  local read, columns = {}, {}
  for i, name in ipairs{"n", "confidence", "accuracy"} do
    columns[i] = plot_columns.column(what, "reliability." .. name, bins[name])
    read[name] = columns[i].values
  end
  plot_columns.check_lengths(what, columns)
  read.unit = as_counts(read.n) and "examples" or "weight"
  for i, n in ipairs(read.n) do
    local sum = read.confidence[i] + read.accuracy[i]
    if n > 0 and sum ~= sum then
      fail("%s: bin %d: expected the means of its %s %s, got nan", what, i, number.text(n),
        read.unit)
    end
  end
  return read
end

-- The number (or weight) of the examples and sum n_b / n |accuracy_b - confidence_b|.
local function calibration_error(bins)
  local total, sum = 0, 0
  for i, n in ipairs(bins.n) do
    if n > 0 then
      total, sum = total + n, sum + n * math.abs(bins.accuracy[i] - bins.confidence[i])
    end
  end
  return total, total > 0 and sum / total or 0
end

-- Whether each mean lies within its part of 0..1, as those of bins of equal width do (to what their
-- mean is rounded by).
local function has_equal_width(bins)
  local count = #bins.n
  for i, n in ipairs(bins.n) do
    local at = bins.confidence[i] * count
    if n > 0 and (at < i - 1 - 1e-6 or at > i + 1e-6) then return false end
  end
  return true
end

-- 10000 as "10,000".
local function grouped(n)
  local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

local function heading(bins, is_even, title)
  local n, ece = calibration_error(bins)
  local size = bins.unit == "examples" and grouped(n) .. " examples"
    or number.format("weight %.6g", n)
  local text = number.format("%s %.4f, %s", is_even and "ECE" or "adaptive ECE", ece, size)
  return title and title .. "\n" .. text or text
end

-- ---- drawing ----

-- What places the panels, one above the other with their left edges in line.
local PANEL = "set lmargin at screen %g; set rmargin at screen 0.96\n"
  .. "set tmargin at screen %g; set bmargin at screen %g\n"

-- Rows of what there is: middle of the bin, count, confidence, accuracy, accuracy - confidence.
local function block(bins, is_even)
  local middle, n, confidence, accuracy, gap = {}, {}, {}, {}, {}
  for i, count in ipairs(bins.n) do
    if count > 0 then
      local k, c, a = #n + 1, bins.confidence[i], bins.accuracy[i]
      middle[k], n[k] = is_even and (i - 0.5) / #bins.n or c, count
      confidence[k], accuracy[k], gap[k] = c, a, a - c
    end
  end
  return plot_columns.block("b", {middle, n, confidence, accuracy, gap}, {})
end

local function upper_panel(opts, is_empty)
  local line = "%s with lines lw 1.5 dt (6,4) lc rgb '%s' title 'ideal'"
  local items = {line:format("x", plot_style.RULE)}
  if not is_empty then
    local gap = "$b using 3:3:(0):5 with vectors nohead lw 5 lc rgb '%s' title 'gap'"
    local points = "$b using 3:4 with linespoints pt 7 ps 0.8 lw 2 lc rgb '%s' title 'accuracy'"
    items[2] = gap:format(plot_style.colours.orange)
    items[3] = points:format(opts.colour)
  end
  return "set key at graph 0.5, graph 1.02 bottom center vertical maxrows 1\n"
    .. "set title offset 0,0.8\nset yrange [0:1]\nset format x ''\n"
    .. "plot " .. table.concat(items, ", ") .. "\n"
end

-- What draws the counts: boxes with their numbers, where bins have room for them.
local function count_items(bins, is_even, opts)
  local bars = ("$b using 1:2 with impulses lw 3 lc rgb '%s' notitle"):format(opts.colour)
  if not is_even then return bars end
  bars = ("$b using 1:2 with boxes fs solid 0.6 border lc rgb '%s' fc rgb '%s' notitle"):format(
    opts.colour, opts.colour)
  if #bins.n > MOST_NUMBERS then return bars end
  local form = bins.unit == "examples" and "%d" or "%.3g"
  local numbers = "$b using 1:2:(sprintf('%s', $2)) with labels offset 0,0.7 noenhanced %s notitle"
  return bars .. ", " .. numbers:format(form, gnuplot.font(opts.path, 11))
end

-- The ends of the axis of counts, with room above for the greatest number. One of weights has at
-- least a thousandth of it.
local function count_range(bins)
  if bins.unit == "examples" then return 0.5, 10 * math.max(1, table.unpack(bins.n)) end
  local most, least = math.max(table.unpack(bins.n)), math.huge
  for _, n in ipairs(bins.n) do
    if n > 0 then least = math.min(least, n) end
  end
  return math.max(least, most / 1000) / 2, 10 * most
end

local function lower_panel(bins, is_even, is_empty, opts)
  local from, to = count_range(bins)
  return table.concat({
    "unset title", "unset key", "set format x '%g'", "set logscale y", "set ytics autofreq",
    ("set ylabel '%s'"):format(bins.unit),
    to < 1000 and "set format y '%g'" or "set format y '10^{%T}'",
    ("set xlabel %s noenhanced"):format(gnuplot.quote(opts.xlabel or "confidence")),
    number.format("set yrange [%s:%s]", from, to),
    number.format("set boxwidth %g", 1 / #bins.n),
    "plot " .. (is_empty and "NaN notitle" or count_items(bins, is_even, opts)),
  }, "\n") .. "\n"
end

local function commands(bins, is_even, opts)
  local data, rows = block(bins, is_even)
  local title = plot_text.wrap(opts.title, plot_text.letters("x", 0.9, opts))
  local title_lines = plot_text.most_lines{title}
  local left, below_title = 92 / opts.width, 1 - (38 + 23 * title_lines) / opts.height
  return table.concat{
    figure.frame{path = opts.path, title = title, ylabel = opts.ylabel or "accuracy",
                 width = opts.width, height = opts.height / 2, legend = "none", xrange = {0, 1}},
    data, "set multiplot\n", number.format(PANEL, left, below_title, 0.38),
    upper_panel(opts, rows == 0), number.format(PANEL, left, 0.34, 70 / opts.height),
    lower_panel(bins, is_even, rows == 0, opts),
    "unset multiplot\n",
  }
end

-- ---- as text ----

local function text_of(bins, is_even, title)
  local rows = {}
  for i, n in ipairs(bins.n) do
    if n > 0 then
      local c, a = bins.confidence[i], bins.accuracy[i]
      local range = number.format("%.3f to %.3f", (i - 1) / #bins.n, i / #bins.n)
      rows[#rows + 1] = {is_even and range or i, n, c, a, number.format("%+.3f", a - c)}
    end
  end
  return title .. "\n" .. table_text.render(rows, {
    "bin", bins.unit, "confidence", "accuracy", {"accuracy - confidence", align = "right"},
  })
end

--- Draws a reliability diagram: is an answer of confidence c right with probability c? It shows for
-- each bin the accuracy against the mean confidence, the gap to the diagonal, and below the number
-- of examples; and the expected calibration error.
--     bnn.plot.reliability{prediction = p, labels = data.test.y, path = "reliability.svg"}
-- @param opts table:
--   prediction=, labels=: as for bnn.metrics.reliability, with weight=, bins=15, adaptive=false; or
--     reliability= as that returns it. Sums of weights stand in the place of the examples
--   title=, xlabel=, ylabel=; colour="blue"
--   path= a file that ends in .svg or .png; without it the bins are a table of text
--   width=480, height=480 in units of 1/96 inch, scale=2 pixels of a PNG for each
--   out= a file such as io.stdout that the text is written to
-- @return true, or the text if no path is given; or nil, message
function M.reliability(opts)
  local what = "bnn.plot.reliability"
  local size = {type = "integer", min = 300, max = 10000, default = 480}
  opts = options.check(what, opts, {
    prediction = COLUMN, labels = COLUMN, weight = COLUMN, reliability = "table", title = "string",
    bins = {type = "integer", min = 1, max = 1000}, adaptive = "boolean", xlabel = "string",
    ylabel = "string", colour = "string", path = "string", out = "userdata", width = size,
    height = size, scale = {type = "number", above = 0, max = 10, default = 2},
  })
  figure.check(what, opts)
  check_parts(what, opts)
  opts.colour = plot_style.colour(what, opts.colour, 1)
  local bins = read_bins(what, opts.reliability or metrics_calibration.reliability(opts.prediction,
    opts.labels, {weight = opts.weight, bins = opts.bins, adaptive = opts.adaptive}))
  local is_even = not opts.adaptive and has_equal_width(bins)
  opts.title = heading(bins, is_even, opts.title)
  if opts.path then return figure.render(commands(bins, is_even, opts), opts) end
  local text = text_of(bins, is_even, opts.title)
  if opts.out then opts.out:write(text) end
  return text
end

return M
