--- The objective over two parameters: a table of cells in colours, with the mean in each.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local parameter_columns = require "bnn.search.analysis.parameter_columns"
local plot_heatmap = require "bnn.plot.plot_heatmap"
local plot_style = require "bnn.plot.canvas.plot_style"
local plot_trials = require "bnn.plot.plot_trials"
local table_text = require "bnn.base.table_text"

local M = {}

-- ---- cells ----

-- 0.017, 1.8e-4
local function short(v)
  local size = math.abs(v)
  local is_small = size > 0 and size < 1e-3
  return (number.format(is_small and "%.1e" or "%.2g", v):gsub("e%-0", "e-"))
end

-- Numbers as cells: each of few, or intervals of equal length with their ends as labels.
local function number_cells(column, n, bins)
  local distinct, place_of = {}, {}
  for i = 1, n do
    local v = column.values[i]
    if v and not place_of[v] then distinct[#distinct + 1], place_of[v] = v, 0 end
  end
  table.sort(distinct)
  local labels, places = {}, {}
  if #distinct <= bins then
    for k, v in ipairs(distinct) do labels[k], place_of[v] = parameter_columns.text(v), k end
    for i = 1, n do places[i] = place_of[column.values[i]] end
    return labels, places
  end
  local scale = column.log and math.log or function(v) return v end
  local unscale = column.log and math.exp or scale
  local low, high = scale(column.low), scale(column.high)
  for k = 1, bins do
    local function edge(j) return short(unscale(low + (high - low) * j / bins)) end
    labels[k] = edge(k - 1) .. " to " .. edge(k)
  end
  for i = 1, n do
    local v = column.values[i]
    local place = v and (scale(v) - low) / (high - low) * bins // 1
    places[i] = v and math.min(math.max(place, 0), bins - 1) + 1
  end
  return labels, places
end

-- The labels of the cells along a parameter, and which one each trial is in.
local function cells_along(column, n, bins)
  if column.choices then return column.choices, column.values end
  return number_cells(column, n, bins)
end

-- Means and counts of the values in each cell: mean[row][column], nil where there is none.
local function means_of(trials, x, y, rows)
  local sums, counts, means = {}, {}, {}
  for row = 1, rows do sums[row], counts[row], means[row] = {}, {}, {} end
  for i = 1, trials.n do
    local column, row, value = x[i], y[i], trials.losses[i] and trials.values[i]
    if column and row and value and trials.states[i] == "completed" then
      row, column = math.tointeger(row), math.tointeger(column)
      sums[row][column] = (sums[row][column] or 0) + value
      counts[row][column] = (counts[row][column] or 0) + 1
    end
  end
  for row = 1, rows do
    for column, sum in pairs(sums[row]) do means[row][column] = sum / counts[row][column] end
  end
  return means
end

-- The row and the column of the best mean, or nil.
local function best_cell(means, columns, sign)
  local best, at_row, at_column
  for row = 1, #means do
    for column = 1, columns do
      local v = means[row][column]
      if v and (not best or sign * v < best) then
        best, at_row, at_column = sign * v, row, column
      end
    end
  end
  return at_row, at_column
end

-- ---- as a picture ----

-- The ends of the scale: of all means but those that are far worse than the others.
local function scale_of(means, columns, sign)
  local losses = {}
  for row = 1, #means do
    for column = 1, columns do
      local v = means[row][column]
      if v then losses[#losses + 1] = sign * v end
    end
  end
  local least, most = plot_trials.span(losses)
  if not least then return 0, 1 end
  if sign < 0 then least, most = -most, -least end
  return least, most
end

local GREAT = 1e5

-- A function that writes values such that they are told apart on a scale.
local function writer(least, most)
  local span, size = most - least, math.max(math.abs(least), math.abs(most))
  local is_plain = size < GREAT and size >= 1e-3 and span > 0
  local decimals = is_plain and math.min(math.max(math.ceil(-math.log(span, 10)) + 2, 0), 5)
  return function(v)
    if not is_plain or math.abs(v) >= GREAT then return number.format("%.4g", v) end
    return number.format(("%%.%df"):format(decimals), v)
  end
end

-- The text of a cell, light on the dark half of the palette.
local function cell_text(row, column, text, is_dark)
  local label = "set label '%s' at first %d, first %d center front textcolor rgb '%s'\n"
  return label:format(text, column, row, is_dark and "#ffffff" or plot_style.INK)
end

local function box(row, column, style)
  return number.format("set object rectangle from %g, %g to %g, %g %s\n", column - 0.5, row - 0.5,
    column + 0.5, row + 0.5, style)
end

local MISSING = "back fc rgb '#999999' fs pattern 4 noborder"
local BEST = "front fs empty border lc rgb '#d55e00' lw 4"

-- What is drawn over the colours: values, hatches where there are none, a frame round the best.
local function overlay(means, columns, trials, least, most)
  local write = writer(least, most)
  local lines, at_row, at_column = {}, best_cell(means, columns, trials.sign)
  for row = 1, #means do
    for column = 1, columns do
      local v = means[row][column]
      if v then
        local is_dark = most > least and (v - least) / (most - least) < 0.6
        lines[#lines + 1] = cell_text(row, column, write(v), is_dark)
      else
        lines[#lines + 1] = box(row, column, MISSING)
      end
    end
  end
  if at_row then lines[#lines + 1] = box(at_row, at_column, BEST) end
  return table.concat(lines)
end

local function matrix(means, columns)
  local rows = {}
  for row = 1, #means do
    rows[row] = {}
    for column = 1, columns do rows[row][column] = means[row][column] or 0 / 0 end
  end
  return core.tensor(rows)
end

local CELL_WIDTH, CELL_HEIGHT = 70, 44
local MARGINS, LETTER = 190, 8 -- besides the cells and the letters at their left
local SLANTED_HEIGHT = 6 -- of a letter of a slanted label
local MOST_LETTERS = 30 -- of the label of a row or a column

local function widest(labels)
  local most = 0
  for _, text in ipairs(labels) do most = math.max(most, utf8.len(text) or #text) end
  return math.min(most, MOST_LETTERS)
end

local function picture(means, grid, trials, opts)
  local columns, rows = #grid.xlabels, #grid.ylabels
  local beside = MARGINS + LETTER * widest(grid.ylabels)
  opts.width = opts.width or math.max(480, beside + CELL_WIDTH * columns)
  local is_slanted = plot_trials.is_slanted(grid.xlabels, opts.width - beside, MOST_LETTERS)
  local below = (is_slanted and SLANTED_HEIGHT or 2) * widest(grid.xlabels)
  opts.height = opts.height or math.max(300, 130 + below + CELL_HEIGHT * rows)
  local places = {x = {}, y = {}}
  for k = 1, columns do places.x[k] = k end
  for k = 1, rows do places.y[k] = k end
  local least, most = table.unpack(opts.zrange or {scale_of(means, columns, trials.sign)})
  local more = plot_trials.category_tics("x", grid.xlabels, opts.width - beside, MOST_LETTERS)
    .. plot_trials.category_tics("y", grid.ylabels, opts.height, MOST_LETTERS)
    .. overlay(means, columns, trials, least, most)
  return figure.render(plot_heatmap.commands("bnn.plot.cells", {
    z = matrix(means, columns), x = places.x, y = places.y, path = opts.path, title = opts.title,
    xlabel = grid.xname, ylabel = grid.yname, zlabel = opts.zlabel,
    zrange = least < most and {least, most} or {least - 0.5, most + 0.5},
    width = opts.width, height = opts.height, more = more,
  }), opts)
end

-- ---- as text ----

local function text_of(means, grid, trials, opts)
  local columns, rows = {grid.yname .. " \\ " .. grid.xname}, {}
  for k, label in ipairs(grid.xlabels) do columns[k + 1] = {label, align = "right"} end
  local write = writer(scale_of(means, #grid.xlabels, trials.sign))
  local at_row, at_column = best_cell(means, #grid.xlabels, trials.sign)
  for row = #grid.ylabels, 1, -1 do
    local cells = {grid.ylabels[row]}
    for column = 1, #grid.xlabels do
      local v = means[row][column]
      local is_best = row == at_row and column == at_column
      cells[column + 1] = v and write(v) .. (is_best and "*" or "") or "-"
    end
    rows[#rows + 1] = cells
  end
  return (opts.title and opts.title .. "\n" or "") .. table_text.render(rows, columns)
end

local size = {type = "integer", min = 5, max = 10000}
local cells_spec = {
  x = {type = "table", required = true}, y = {type = "table", required = true},
  bins = {type = "integer", min = 2, max = 50, default = 12}, title = "string", zlabel = "string",
  zrange = {type = "number", list = true}, path = "string", out = "userdata", width = size,
  height = size, scale = {type = "number", above = 0, max = 10, default = 2},
}
for name, kind in pairs(plot_trials.SPEC) do cells_spec[name] = kind end

--- Draws the objective over two parameters as a table of colours, with the mean of each cell in it.
--     bnn.plot.cells{values = {0.9, 0.7, 0.8, 0.95}, mode = "max", zlabel = "accuracy",
--       x = {name = "beta", values = {1, 0.1, 1, 0.1}, log = true},
--       y = {name = "logvar", values = {-7, -1, -1, -7}}, path = "cells.svg"}
-- Completed trials count, and trials of one cell, such as seeds, are averaged. Cells without one
-- are hatched; the best has a frame. Means that are far worse than the others have the colour of
-- the scale's end.
-- @param opts table:
--   values=, states=, mode=: as for bnn.plot.history
--   x=, y= the parameters, as those of bnn.plot.slice; numbers with more than bins=12 different
--     values are put together in so many intervals
--   zlabel= the name of the objective, zrange={from, to} the ends of its scale; title=, width=,
--     height=, scale=: as for bnn.plot.lines
--   path= a file that ends in .svg or .png; without it the means are a table of text, the best
--     with *
--   out= a file such as io.stdout that the text is written to
-- @return true, or the text if no path is given; or nil, message
-- Raises if no trial has both parameters.
function M.cells(opts)
  local what = "bnn.plot.cells"
  opts = options.check(what, opts, cells_spec)
  figure.check(what, opts)
  local trials = plot_trials.read(what, opts)
  local x = parameter_columns.read(what .. ": x", opts.x, trials.n)
  local y = parameter_columns.read(what .. ": y", opts.y, trials.n)
  local grid, at = {xname = x.name, yname = y.name}, {}
  grid.xlabels, at.x = cells_along(x, trials.n, opts.bins)
  grid.ylabels, at.y = cells_along(y, trials.n, opts.bins)
  if #grid.xlabels == 0 or #grid.ylabels == 0 then
    fail("%s: expected trials that have both parameters, got none", what)
  end
  local means = means_of(trials, at.x, at.y, #grid.ylabels)
  if opts.path then return picture(means, grid, trials, opts) end
  local text = text_of(means, grid, trials, opts)
  if opts.out then opts.out:write(text) end
  return text
end

return M
