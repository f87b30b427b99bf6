--- Objectives of trials one after another, and of two objectives the Pareto front.
local figure = require "bnn.plot.canvas.figure"
local options = require "bnn.base.options"
local parameter_columns = require "bnn.search.analysis.parameter_columns"
local plot_axes = require "bnn.plot.canvas.plot_axes"
local plot_style = require "bnn.plot.canvas.plot_style"
local plot_trials = require "bnn.plot.plot_trials"

local M = {}

local function spec_of(more)
  local spec = figure.spec(more)
  spec.order = nil
  return spec
end

-- ---- history ----

-- The best objective of completed trials so far, as a staircase.
local function best_so_far(trials, numbers)
  local x, y, best = {}, {}, nil
  local function add(i, loss)
    x[#x + 1], y[#y + 1] = numbers[i], trials.sign * loss
  end
  for i = 1, trials.n do
    local loss = trials.states[i] == "completed" and trials.losses[i]
    if loss and (not best or loss < best) then
      if best then add(i, best) end
      add(i, loss)
      best = loss
    end
  end
  if best then add(trials.n, best) end
  return {x, y}
end

local function count_up(n)
  local numbers = {}
  for i = 1, n do numbers[i] = i end
  return numbers
end

local history_spec = spec_of(plot_trials.SPEC)
history_spec.logx = nil

--- Draws the objective of each trial in their order, and the best so far: is the sweep still
-- finding better ones?
--     bnn.plot.history{values = {0.9, 0.93, nil, 0.91, 0.95}, mode = "max", ylabel = "accuracy",
--                      states = {"completed", "completed", "failed", "pruned", "completed"},
--                      path = "history.svg"}
-- Failed trials are marked at the lower edge. Values that are far worse than the others are marked
-- at the edge if these would be pressed into a line.
-- @param opts table:
--   values= the objective of trial 1, 2, ... (of a pruned one the last); nil or nan if it has none
--   states= of each "completed", "pruned", "failed" or "running" (default: completed if it has a
--     finite value, else failed)
--   mode="min" or "max"
--   title=, xlabel=, ylabel=, xrange=, yrange=, logy=, legend=, path=, width=, height=, scale=,
--     out=: as for bnn.plot.lines
-- @return true, or the text if no path is given; or nil, message
function M.history(opts)
  local what = "bnn.plot.history"
  opts = options.check(what, opts, history_spec)
  figure.check(what, opts)
  local trials = plot_trials.count_states(plot_trials.read(what, opts))
  local numbers = count_up(trials.n)
  local yrange, beyond = plot_trials.value_range(trials, opts)
  opts.yrange = yrange
  opts.xrange = opts.xrange or {0, trials.n + 1}
  opts.xlabel, opts.ylabel = opts.xlabel or "trial", opts.ylabel or "objective"
  opts.is_whole = true
  local canvas = plot_trials.canvas(opts)
  local line = ("with lines lw 2 lc rgb '%s'"):format(plot_style.INK)
  canvas:add(best_so_far(trials, numbers), line, trials.best and "best so far")
  canvas:add_trials(trials, numbers, beyond)
  opts.entries = canvas.entries
  return figure.render(figure.frame(opts) .. table.concat(canvas.data) .. canvas:plot(), opts)
end

-- ---- Pareto front ----

-- Losses of both objectives of the trials that have both, by trial, and these trials.
local function both(opts, n)
  local x, y, list = {}, {}, {}
  for i = 1, n do
    local a, b = opts.x[i], opts.y[i]
    if a and b and a - a == 0 and b - b == 0 then
      x[i], y[i] = opts.xmode == "max" and -a or a, opts.ymode == "max" and -b or b
      list[#list + 1] = i
    end
  end
  return x, y, list
end

-- The trials that no other beats, in the order of the first objective.
local function front_of(x, y, list)
  table.sort(list, function(i, k)
    if x[i] ~= x[k] then return x[i] < x[k] end
    if y[i] ~= y[k] then return y[i] < y[k] end
    return i < k
  end)
  local front, least = {}, math.huge
  for _, i in ipairs(list) do
    local last = front[#front]
    local is_same = last and x[i] == x[last] and y[i] == y[last]
    if y[i] < least or is_same then front[#front + 1] = i end
    least = math.min(least, y[i])
  end
  return front
end

-- The edge of what the front beats, as a staircase.
local function staircase(opts, front)
  local x, y = {}, {}
  for k, i in ipairs(front) do
    if k > 1 then x[#x + 1], y[#y + 1] = opts.x[i], opts.y[front[k - 1]] end
    x[#x + 1], y[#y + 1] = opts.x[i], opts.y[i]
  end
  return {x, y}
end

-- Columns of the trials on the front, or of the others in one state.
local function split(opts, states, list, front)
  local is_front, columns = {}, {front = {{}, {}}}
  for _, i in ipairs(front) do is_front[i] = true end
  for _, i in ipairs(list) do
    local group = is_front[i] and "front" or states[i]
    columns[group] = columns[group] or {{}, {}}
    table.insert(columns[group][1], opts.x[i])
    table.insert(columns[group][2], opts.y[i])
  end
  return columns
end

local MODE = plot_trials.SPEC.mode
local pareto_spec = spec_of{
  x = {type = "table", required = true}, y = {type = "table", required = true}, states = "table",
  xmode = MODE, ymode = MODE,
}

--- Draws two objectives of trials against each other, and their Pareto front: the completed trials
-- of which none is beaten in both.
--     local loss, size = {0.3, 0.2, 0.25, 0.1}, {10, 40, 80, 400}
--     bnn.plot.pareto{x = size, y = loss, xlabel = "units", ylabel = "nll", logx = true,
--                     path = "pareto.svg"}
-- @param opts table:
--   x=, y= the objectives of trial 1, 2, ...; nil or nan if there is none
--   xmode="min", ymode="min": or "max"; states= as for bnn.plot.history
--   title=, xlabel=, ylabel=, xrange=, yrange=, logx=, logy=, legend=, path=, width=, height=,
--     scale=, out=: as for bnn.plot.lines
-- @return true, or the text if no path is given; or nil, message
function M.pareto(opts)
  local what = "bnn.plot.pareto"
  opts = options.check(what, opts, pareto_spec)
  figure.check(what, opts)
  local n = math.max(parameter_columns.length(opts.x), parameter_columns.length(opts.y))
  parameter_columns.check_numbers(what .. ": x", opts.x, n)
  parameter_columns.check_numbers(what .. ": y", opts.y, n)
  local x, y, list = both(opts, n)
  local states, completed = plot_trials.states(what, opts.states, opts.y, n), {}
  for _, i in ipairs(list) do
    if states[i] == "completed" then completed[#completed + 1] = i end
  end
  local front = front_of(x, y, completed)
  if #list == 0 then plot_axes.fill_ranges(opts) end
  local columns, canvas = split(opts, states, list, front), plot_trials.canvas(opts)
  local line = ("with lines lw 1.5 lc rgb '%s'"):format(plot_style.INK)
  canvas:add(staircase(opts, front), line)
  for _, state in ipairs(plot_trials.STATES) do
    if columns[state] then
      canvas:add(columns[state], plot_trials.point_way(state, #list > 60), state)
    end
  end
  canvas:add(columns.front, ("with points pt 7 ps 1 lc rgb '%s'"):format(plot_style.INK),
    ("Pareto front (%d)"):format(#front))
  opts.entries = canvas.entries
  return figure.render(figure.frame(opts) .. table.concat(canvas.data) .. canvas:plot(), opts)
end

return M
