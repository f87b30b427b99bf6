--- The objective against each parameter, side by side.
local figure = require "bnn.plot.canvas.figure"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local parameter_columns = require "bnn.search.analysis.parameter_columns"
local plot_text = require "bnn.plot.canvas.plot_text"
local plot_trials = require "bnn.plot.plot_trials"

local M = {}

local COLUMNS = 3 -- of panels
local PANEL_WIDTH, PANEL_HEIGHT, ALONE = 280, 250, 560
local MOST_LETTERS = 9 -- of a category, which may be slanted
local SLANTED_BOTTOM = 104
local LEFT, BOTTOM, GAP, LEGEND, TITLE = 78, 66, 30, 34, 24

-- ---- layout ----

-- How many columns and rows of panels, and the figure's size.
local function layout(parameters, opts)
  local count = #parameters
  local columns = math.min(count, COLUMNS)
  local rows = (count + columns - 1) // columns
  opts.width = opts.width or LEFT + (columns == 1 and ALONE or columns * PANEL_WIDTH)
  opts.bottom = BOTTOM
  for _, parameter in ipairs(parameters) do
    local width = (opts.width - LEFT) / columns - GAP
    local choices = parameter.choices
    local is_slanted = choices and plot_trials.is_slanted(choices, width, MOST_LETTERS)
    if is_slanted then opts.bottom = SLANTED_BOTTOM end
  end
  opts.height = opts.height or rows * (PANEL_HEIGHT + opts.bottom) + LEGEND + 2 * TITLE
  return columns, rows
end

local function wrapped_title(opts)
  return plot_text.wrap(opts.title, plot_text.letters("x", 0.9, opts))
end

-- Where panel i is: its margins, as shares of the figure; whether it is at the left.
local function place(i, columns, rows, opts)
  local column, row = (i - 1) % columns, (i - 1) // columns
  local width = (opts.width - LEFT) / columns
  local lines = opts.title and plot_text.most_lines{wrapped_title(opts)} or 0
  local top = TITLE * (lines + 0.5)
  local height = (opts.height - LEGEND - top) / rows
  local left, high = LEFT + column * width, opts.height - top - row * height
  return number.format("set lmargin at screen %.5f; set rmargin at screen %.5f\n"
    .. "set tmargin at screen %.5f; set bmargin at screen %.5f\n", left / opts.width,
    (left + width - GAP) / opts.width, high / opts.height,
    (high - height + opts.bottom) / opts.height), column == 0, width - GAP, height - opts.bottom
end

-- ---- panels ----

local SPREAD, GOLDEN = 0.5, 0.6180339887 -- categories' points lie beside each other

-- Where trials are along the axis of a parameter, by trial.
local function places(column, n)
  local x = {}
  for i = 1, n do
    local v = column.values[i]
    x[i] = v and (column.choices and v + SPREAD * (i * GOLDEN % 1 - 0.5) or v)
  end
  return x
end

local function panel_frame(column, is_left, width, height, opts)
  local range = not column.choices and plot_trials.parameter_range(column) or {0, 1}
  local lines = {figure.frame{
    path = opts.path, width = width, height = height, legend = "none", xlabel = column.name,
    ylabel = is_left and opts.ylabel or nil, xrange = range, yrange = opts.yrange,
    logx = column.log, logy = opts.logy,
    is_whole = column.step ~= nil and column.step % 1 == 0,
  }}
  if column.choices then
    lines[2] = plot_trials.category_tics("x", column.choices, width, MOST_LETTERS)
  elseif column.log then
    lines[2] = plot_trials.log_tics("x", range, width)
  end
  if not is_left then lines[#lines + 1] = "set format y ''\n" end
  return table.concat(lines)
end

-- The legend, below all panels: items without rows, in a plot that shows nothing else.
local function legend(canvas, opts)
  local items, entries = {}, 0
  for _, item in ipairs(canvas.items) do
    if not item:find("notitle$", 1) then
      items[#items + 1] = item:gsub("^%$%S+ using %S+", "NaN")
      entries = entries + 1
    end
  end
  if entries == 0 or opts.legend == "none" then return "" end
  return "reset\nset encoding utf8\nunset border\nunset tics\nset key Left reverse samplen 2\n"
    .. number.format("set lmargin at screen 0\nset rmargin at screen 1\nset bmargin at screen 0\n"
      .. "set tmargin at screen %.5f\nset key at screen 0.5, screen %.5f center horizontal\n",
      LEGEND / opts.height, 0.5 * LEGEND / opts.height)
    .. "set xrange [0:1]\nset yrange [0:1]\nplot " .. table.concat(items, ", ") .. "\n"
end

local function commands(trials, columns, beyond, opts)
  local across, rows = layout(columns, opts)
  local names, data, panels, canvas = {0}, {}, {}, nil
  for i, column in ipairs(columns) do
    canvas = plot_trials.canvas(opts, names)
    canvas:add_trials(trials, places(column, trials.n), beyond)
    local margins, is_left, width, height = place(i, across, rows, opts)
    panels[#panels + 1] = "reset\n" .. panel_frame(column, is_left, width, height, opts) .. margins
      .. canvas:plot()
    data[#data + 1] = table.concat(canvas.data)
  end
  local title = opts.title and gnuplot.quote(wrapped_title(opts))
  title = title and ("title %s noenhanced"):format(title) or ""
  return table.concat{
    "set encoding utf8\n", table.concat(data), "set multiplot ", title, "\n",
    table.concat(panels),
    legend(canvas, opts), "unset multiplot\n",
  }
end

local slice_spec = figure.spec{
  parameters = {type = "table", list = true, required = true},
}
for name, kind in pairs(plot_trials.SPEC) do slice_spec[name] = kind end
for _, name in ipairs{"xlabel", "xrange", "logx", "out", "order"} do slice_spec[name] = nil end
slice_spec.path = {type = "string", required = true}
slice_spec.legend = {type = "string", default = "bottom", choices = {"bottom", "none"}}

--- Draws the objective of trials against each of their parameters, side by side.
--     bnn.plot.slice{values = {0.9, 0.5, 0.7, 0.95}, mode = "max", ylabel = "accuracy",
--                    path = "slice.svg", parameters = {
--       {name = "lr", values = {1e-3, 0.1, 0.01, 3e-3}, log = true},
--       {name = "optimizer", values = {"adam", "sgd", "adam", "sgd"}},
--     }}
-- The best trial has a ring. Failed trials are marked at the lower edge, and values that are far
-- worse than the others at the edge, as in bnn.plot.history.
-- @param opts table:
--   values=, states=, mode=: as for bnn.plot.history
--   parameters= a list of {name=, values= of each trial, nil where it lacks the parameter; log=true
--     for a logarithmic axis; low=, high= its range (default: that of the values); step=1 of whole
--     numbers; choices= a list, for categories (default: if not all values are numbers)}
--   path= a file that ends in .svg or .png; legend="bottom" or "none"; title=, ylabel=, yrange=,
--     logy=, width=, height=, scale=: as for bnn.plot.lines
-- @return true; or nil, message
function M.slice(opts)
  local what = "bnn.plot.slice"
  opts = options.check(what, opts, slice_spec)
  figure.check(what, opts)
  local trials = plot_trials.count_states(plot_trials.read(what, opts))
  local columns = parameter_columns.read_all(what, opts.parameters, trials.n)
  opts.ylabel = opts.ylabel or "objective"
  local beyond
  opts.yrange, beyond = plot_trials.value_range(trials, opts)
  return figure.render(commands(trials, columns, beyond, opts), opts)
end

return M
