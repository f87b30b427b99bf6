--- Parallel coordinates: a line for each trial over axes of the objective and of the parameters.
local figure = require "bnn.plot.canvas.figure"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local parameter_columns = require "bnn.search.analysis.parameter_columns"
local plot_heatmap = require "bnn.plot.plot_heatmap"
local plot_style = require "bnn.plot.canvas.plot_style"
local plot_text = require "bnn.plot.canvas.plot_text"
local plot_trials = require "bnn.plot.plot_trials"

local M = {}

local ABSENT = -0.1 -- where lines of trials pass that lack a parameter

-- ---- axes ----

-- An axis: {name=, low=, high=, log=, choices=}, at which a value has a height from 0 to 1.
local function height_of(axis, v)
  local low, high = axis.low, axis.high
  if axis.choices then low, high = 0.5, #axis.choices + 0.5 end
  if low >= high then return 0.5 end
  if axis.log then return math.log(v / low) / math.log(high / low) end
  return (v - low) / (high - low)
end

-- 1, 2 or 5 times a power of ten such that there are at most so many steps in a span.
local function nice_step(span, most)
  local power = 10.0 ^ math.floor(math.log(span / most, 10))
  for _, factor in ipairs{1, 2, 5, 10} do
    if factor * power * most >= span then return factor * power end
  end
end

local MOST_TICS = 6

local function linear_tics(axis)
  local step, tics = nice_step(axis.high - axis.low, MOST_TICS), {}
  if axis.step and axis.step % 1 == 0 then step = math.max(step, 1) end
  for k = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9) do
    tics[#tics + 1] = k * step
  end
  return tics
end

local function log_tics(axis)
  local low, high = math.log(axis.low, 10), math.log(axis.high, 10)
  local digits = high - low < 2 and {1, 2, 5} or {1}
  local skip, tics = math.max(math.ceil((high - low) / MOST_TICS), 1), {}
  for power = math.floor(low), math.ceil(high), skip do
    for _, digit in ipairs(digits) do
      local v = digit * 10.0 ^ power
      if v >= axis.low * (1 - 1e-9) and v <= axis.high * (1 + 1e-9) then tics[#tics + 1] = v end
    end
  end
  return tics
end

-- The values that are written beside an axis, and their texts.
local function tics_of(axis)
  local tics, texts = {}, {}
  if axis.choices then
    for k in ipairs(axis.choices) do tics[k] = k end
    return tics, axis.choices
  end
  if axis.low >= axis.high then
    tics = {axis.low}
  else
    tics = axis.log and log_tics(axis) or linear_tics(axis)
  end
  for k, v in ipairs(tics) do texts[k] = plot_trials.short(v) end
  return tics, texts
end

local LINE = "set arrow from %d, 0 to %d, 1 nohead front lw 1.5 lc rgb '%s'\n"
local TIC = "set label %s at %d, %.5f right offset -0.4,0 front boxed noenhanced %s\n"

local function axis_commands(place, axis, opts)
  local lines, font = {LINE:format(place, place, plot_style.INK)}, gnuplot.font(opts.path, 11)
  local tics, texts = tics_of(axis)
  for k, v in ipairs(tics) do
    lines[#lines + 1] = number.format(TIC, gnuplot.quote(texts[k]), place, height_of(axis, v), font)
  end
  if axis.is_absent then
    lines[#lines + 1] = number.format(TIC, '"none"', place, ABSENT, font)
  end
  return table.concat(lines)
end

-- ---- lines ----

-- Adds a trial's line to columns x, y and colour, and a gap after it.
local function add_line(columns, axes, i, colour)
  local x, y, c = table.unpack(columns)
  for k, axis in ipairs(axes) do
    local v = axis.values[i]
    if v ~= nil or axis.is_absent then
      x[#x + 1], y[#y + 1] = k, v ~= nil and height_of(axis, v) or ABSENT
      c[#c + 1] = colour
    end
  end
  x[#x + 1], y[#y + 1], c[#c + 1] = 0 / 0, 0 / 0, 0 / 0
end

-- The trials in one state, the worst first.
local function in_state(trials, state)
  local list = {}
  for i = 1, trials.n do
    local is_there = trials.losses[i] or state == "failed"
    if trials.states[i] == state and is_there then list[#list + 1] = i end
  end
  local function loss(i) return trials.losses[i] or math.huge end
  table.sort(list, function(i, k)
    if loss(i) ~= loss(k) then return loss(i) > loss(k) end
    return i < k
  end)
  return list
end

local WAYS = {
  pruned = "with lines lw 1 dt (3,3) lc rgb '#50e69f00'",
  failed = "with lines lw 1 dt (1,3) lc rgb '#30d55e00'",
  running = "with lines lw 1 dt (6,3) lc rgb '#907f7f7f'",
  completed = "with lines lw 1.5 lc palette",
}

local function add_lines(canvas, trials, axes)
  for _, state in ipairs{"failed", "running", "pruned", "completed"} do
    local columns = {{}, {}, {}}
    for _, i in ipairs(in_state(trials, state)) do
      add_line(columns, axes, i, trials.values[i] or 0)
    end
    if state ~= "completed" then columns[3] = nil end
    if #columns[1] > 0 then
      canvas:add(columns, WAYS[state], state ~= "completed" and state)
    end
  end
  if not trials.best then return end
  local best = {{}, {}, {}}
  add_line(best, axes, trials.best, 0)
  canvas:add({best[1], best[2]}, ("with lines lw 4 lc rgb '%s'"):format(plot_style.INK), "best")
end

-- The axis of the objective: from the worst that is shown to the best.
local function objective_axis(trials, opts)
  local losses, values = {}, {}
  for i = 1, trials.n do losses[#losses + 1] = trials.losses[i] end
  local least, most = plot_trials.span(losses)
  if not least then least, most = 0, 1 end
  for i = 1, trials.n do
    local loss = trials.losses[i]
    values[i] = loss and trials.sign * math.min(loss, most)
  end
  local low, high = trials.sign * least, trials.sign * most
  return {name = opts.ylabel, values = values, low = math.min(low, high),
          high = math.max(low, high), log = opts.logy}
end

-- Whether a trial that is drawn lacks a parameter.
local function is_absent(column, trials)
  for i = 1, trials.n do
    local is_drawn = trials.losses[i] or trials.states[i] == "failed"
    if is_drawn and column.values[i] == nil then return true end
  end
  return false
end

local function axes_of(trials, columns, opts)
  local axes = {objective_axis(trials, opts)}
  for k, column in ipairs(columns) do
    column.is_absent = is_absent(column, trials)
    axes[k + 1] = column
  end
  return axes
end

local MOST_LETTERS = 24 -- of the name of an axis
local ROOM = 110 -- on the right, for the scale of colours

local function commands(trials, axes, opts)
  local canvas, lines, names = plot_trials.canvas(opts), {}, {}
  add_lines(canvas, trials, axes)
  local bottom = 0
  for k, axis in ipairs(axes) do
    lines[k], names[k] = axis_commands(k, axis, opts), axis.name
    if axis.is_absent then bottom = ABSENT end
  end
  opts.entries = canvas.entries
  local objective = axes[1]
  local span = objective.low < objective.high and {objective.low, objective.high}
    or {objective.low - 0.5, objective.high + 0.5}
  return table.concat{
    figure.frame(opts), "unset grid\nset border 0\nunset ytics\nset xtics scale 0\n",
    "set style textbox opaque noborder fillcolor rgb '#40ffffff' margins 0.3, 0.3\n",
    plot_trials.category_tics("x", names, opts.width - ROOM, MOST_LETTERS),
    number.format("set xrange [0.5:%g]\nset yrange [%g:1.03]\n", #axes + 0.2, bottom - 0.05),
    plot_heatmap.palette(), number.format("set cbrange [%.12g:%.12g]\n", span[1], span[2]),
    objective.log and "set logscale cb\n" or "",
    objective.log and span[2] / span[1] >= 100 and "set format cb '10^{%T}'\n" or "",
    number.format("set rmargin at screen %.5f\n", 1 - ROOM / opts.width),
    number.format("set colorbox user origin screen %.5f, 0.25 size screen %.5f, 0.58\n",
      1 - (ROOM - 14) / opts.width, 24 / opts.width),
    table.concat(lines), table.concat(canvas.data), canvas:plot(),
  }
end

local spec = figure.spec{parameters = {type = "table", list = true, required = true}}
for name, kind in pairs(plot_trials.SPEC) do spec[name] = kind end
for _, name in ipairs{"xlabel", "xrange", "yrange", "logx", "out", "order"} do spec[name] = nil end
spec.path = {type = "string", required = true}

local AXIS = 130 -- the width that an axis has

--- Draws a line for each trial over parallel axes: its objective and its parameters. Completed
-- trials have the colour of their objective, the best is drawn last.
--     bnn.plot.parallel{values = {0.9, 0.5, 0.7, 0.95}, mode = "max", ylabel = "accuracy",
--                       path = "parallel.svg", parameters = {
--       {name = "lr", values = {1e-3, 0.1, 0.01, 3e-3}, log = true},
--       {name = "optimizer", values = {"adam", "sgd", "adam", "sgd"}},
--     }}
-- A trial that lacks a parameter passes below its axis. Objectives that are far worse than the
-- others are at the end of their axis.
-- @param opts table:
--   values=, states=, mode=, parameters=: as for bnn.plot.slice
--   path= a file that ends in .svg or .png; ylabel= the name of the objective; logy=, title=,
--     legend=, width=, height=, scale=: as for bnn.plot.lines
-- @return true; or nil, message
function M.parallel(opts)
  local what = "bnn.plot.parallel"
  opts = options.check(what, opts, spec)
  figure.check(what, opts)
  local trials = plot_trials.read(what, opts)
  local columns = parameter_columns.read_all(what, opts.parameters, trials.n)
  opts.ylabel = opts.ylabel or "objective"
  opts.width = opts.width or math.max(plot_text.width(opts), ROOM + AXIS * (#columns + 1))
  local axes = axes_of(trials, columns, opts)
  opts.ylabel, opts.logy = nil, nil -- are those of the first axis, which gnuplot does not know
  return figure.render(commands(trials, axes, opts), opts)
end

return M
