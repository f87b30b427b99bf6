--- Figures: lines with bands, histograms, bars, heat maps, grids of images; reliability diagrams,
-- ROC and risk-coverage curves, images with their predictions. One call each, with defaults fit to
-- print.
--
-- gnuplot draws them, into SVG or PNG or as text; grids of images need libpng alone. At the prompt
-- a figure without path= and out= goes to the terminal, as a picture if that shows pictures (see
-- bnn.show). If gnuplot is
-- not installed, or a file cannot be written, a function returns nil and a message, and the run
-- continues. Files are written atomically; missing folders are made. Text is shown as written; a
-- newline starts a new line, and so does a word that does not fit. PNG needs an installed font that
-- has the characters. The colours are Okabe and Ito's, which the colour-blind can tell apart; a
-- series without a colour takes the next one. It takes the next dashes, mark and hatch too, so that
-- a figure reads in black and white, and at half its size. For a data set to look the same in all
-- figures, give all of them the same order = {"MNIST", "notMNIST", ...}: a series then has the
-- colour of its label's place in that list. By custom in-distribution data come first, and are
-- blue.
--     bnn.plot.lines{series = {{y = {1, 3, 2}, label = "loss"}}, path = "loss.svg"}
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local figure_screen = require "bnn.plot.canvas.figure_screen"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local plot_axes = require "bnn.plot.canvas.plot_axes"
local plot_bars = require "bnn.plot.plot_bars"
local plot_cells = require "bnn.plot.plot_cells"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_curves = require "bnn.plot.plot_curves"
local plot_gradients = require "bnn.plot.plot_gradients"
local plot_heatmap = require "bnn.plot.plot_heatmap"
local plot_history = require "bnn.plot.plot_history"
local plot_images = require "bnn.plot.plot_images"
local plot_learning = require "bnn.plot.plot_learning"
local plot_lines = require "bnn.plot.plot_lines"
local plot_parallel = require "bnn.plot.plot_parallel"
local plot_predictions = require "bnn.plot.plot_predictions"
local plot_reliability = require "bnn.plot.plot_reliability"
local plot_slice = require "bnn.plot.plot_slice"
local plot_snr = require "bnn.plot.plot_snr"
local plot_style = require "bnn.plot.canvas.plot_style"

local M = {}

local COLUMN = plot_columns.COLUMN

--- Holds the colours by name; every colour= option takes "#rrggbb" as well.
--     print(bnn.plot.colours.blue)                      -- #0072b2
M.colours = plot_style.colours

-- Grids of images, figures of predictions, of trials and of posteriors, from files of their own.
for _, family in ipairs{
  plot_images, plot_curves, plot_reliability, plot_predictions, plot_history, plot_slice,
  plot_cells, plot_parallel, plot_learning, plot_snr, plot_gradients,
} do
  for name, draw in pairs(family) do M[name] = draw end
end

-- ---- lines ----

local lines_spec = figure.spec{
  x = COLUMN, series = figure.SERIES,
  vlines = {type = "number", list = true}, vlabel = "string",
  shade = {type = "table", list = true, default = {}},
}

local function check_shade(what, shade)
  for i, span in ipairs(shade) do
    local from, to = span[1], span[2]
    local good = #span == 2 and type(from) == "number" and type(to) == "number" and from < to
    if not good then
      fail("%s: shade[%d]: expected {from, to} with from < to, got %s", what, i, kinds.show(span))
    end
  end
end

--- Draws lines, points and bands over x.
--     bnn.plot.lines{
--       x = grid, path = "cubic.svg", xlabel = "x", ylabel = "y", vlines = {-4, 4},
--       series = {
--         {y = p.mean, std = p.total_std, label = "mean and total deviation"},
--         {x = data.x, y = data.y, style = "points", colour = "black", label = "data"},
--       },
--     }
-- A value that is not finite (or not above 0 on a logarithmic axis) leaves a gap.
-- @param opts table:
--   series= a list of {y=, x=, label=, style=, colour=, and a band: std= (y - std to y + std) or
--     band={low, high}}; y may be left out if there is a band. Columns are tensors [n] or [n, 1]
--     or lists; style is "lines", "points", "both" or "dashes", by default lines, dashed
--     differently after the first series; colour is one of bnn.plot.colours or "#rrggbb". Later
--     series are drawn over earlier ones
--   x= of the series that have none of their own (default 1, 2, ...)
--   title=, xlabel=, ylabel=; xrange={from, to}, yrange=; logx=false, logy=false
--   vlines={x, ...} vertical dashed lines, vlabel= their name in the legend; shade={{from, to},
--     ...} grey from one x to another (math.huge: to the edge); legend="bottom", "right" or "none";
--     order= a list of labels; the place in it decides the colour, dashes and marks of a series
--   path= a file that ends in .svg or .png; without it the plot is text
--   width=640, height=400 in units of 1/96 inch, scale=2 pixels of a PNG for each; for text in
--     characters (default: the terminal's width, 24)
--   out= a file such as io.stdout that the text is written to
-- @return true, or the text if no path is given; or nil, message
function M.lines(opts)
  local what = "bnn.plot.lines"
  opts = options.check(what, opts, lines_spec)
  figure.check(what, opts)
  check_shade(what, opts.shade)
  return figure.render(plot_lines.commands(plot_lines.read(what, opts), opts), opts)
end

-- ---- histograms, bars, heat maps ----

local histogram_spec = figure.spec{
  series = figure.SERIES, bins = {type = "integer", min = 1, max = 10000, default = 30},
  range = {type = "number", list = true}, density = {type = "boolean", default = true},
  vlines = {type = "number", list = true}, vlabel = "string",
  shade = {type = "table", list = true, default = {}},
}

--- Draws histograms of one or more samples over the same bins, such as a score on in- and
-- out-of-distribution data.
--     bnn.plot.histogram{
--       series = {{x = id.class_std, label = "MNIST"}, {x = ood.class_std, label = "B"}},
--       xlabel = "std of the predicted class", path = "std.svg",
--       vlines = {threshold}, vlabel = "threshold",
--     }
-- The first series is filled. Up to two more are hatched, unless heights are logarithmic.
-- @param opts table:
--   series= a list of {x=, label=, colour=}; x is a tensor [n] or a list, whose values that are not
--     finite are left out
--   bins=30 of equal width over range={from, to} (default: all values); values outside are left out
--   density=true: the area under each is 1; false: counts
--   and the options of bnn.plot.lines, except those about its series
-- @return true, or the text if no path is given; or nil, message
function M.histogram(opts)
  local what = "bnn.plot.histogram"
  opts = options.check(what, opts, histogram_spec)
  figure.check(what, opts)
  check_shade(what, opts.shade)
  return figure.render(plot_bars.histogram(what, opts), opts)
end

local bars_spec = figure.spec{
  series = figure.SERIES, labels = {type = "string", list = true, required = true},
}
for _, name in ipairs{"xrange", "logx"} do bars_spec[name] = nil end

--- Draws bars from 0, side by side if there are several series.
--     bnn.plot.bars{labels = {"std", "entropy"}, ylabel = "AUROC", path = "auroc.svg",
--                   series = {{y = {0.999, 0.995}, std = {0.001, 0.002}, label = "Bayesian"}}}
-- @param opts table:
--   labels= n strings below the axis
--   series= a list of {y=, std=, label=, colour=}; y and std, which is marked on the bar, are
--     tensors [n] or lists; a value that is not finite has no bar
--   logy=false; true: bars begin at the lower end of the axis, by default a power of ten below the
--     least value; a value that is not above 0 has no bar
--   title=, xlabel=, ylabel=, yrange=, legend=, order=, path=, width=, height=, scale=, out=: as
--     for bnn.plot.lines
-- @return true, or the text if no path is given; or nil, message
function M.bars(opts)
  local what = "bnn.plot.bars"
  opts = options.check(what, opts, bars_spec)
  figure.check(what, opts)
  return figure.render(plot_bars.bars(what, opts), opts)
end

local heatmap_spec = figure.spec{
  z = {type = "tensor", required = true}, x = COLUMN, y = COLUMN, zlabel = "string",
  zrange = {type = "number", list = true},
}
for _, name in ipairs{"xrange", "yrange", "logx", "logy", "legend", "out", "order"} do
  heatmap_spec[name] = nil
end

--- Draws a matrix in colours, with their scale beside it.
--     bnn.plot.heatmap{z = std, x = grid, y = grid, zlabel = "std", path = "std.png"}
-- @param opts table:
--   z= tensor [h, w]; values that are not finite stay white
--   x=, y= the positions of its columns and rows, evenly spaced: tensors or lists. Without y the
--     rows are 1, 2, ... from the top, as a matrix is written; with it y grows upwards
--   zlabel= of the scale; zrange={from, to} its ends (default: the least and greatest of z)
--   title=, xlabel=, ylabel=, path=, width=, height=, scale=: as for bnn.plot.lines; a path is
--   needed except at the prompt
-- @return true; or nil, message
-- Raises if z is not [h, w], or the positions are not as many or not evenly spaced.
function M.heatmap(opts)
  local what = "bnn.plot.heatmap"
  opts = options.check(what, opts, heatmap_spec)
  figure.check(what, opts)
  plot_axes.check_range(what, "zrange", opts.zrange, false)
  if not opts.path and figure_screen.is_open() then
    return figure_screen.show(true, opts.z, {title = opts.title, scale = opts.zrange})
  end
  if not opts.path then fail("%s: path: expected a string, got nothing", what) end
  return figure.render(plot_heatmap.commands(what, opts), opts)
end

return M
