--- Learning curves of trials.
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local options = require "bnn.base.options"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_lines = require "bnn.plot.plot_lines"
local plot_style = require "bnn.plot.canvas.plot_style"
local plot_trials = require "bnn.plot.plot_trials"

local M = {}

-- ---- reading ----

local CURVE = {x = plot_columns.COLUMN, y = {type = plot_columns.COLUMN, required = true}}

local function read_run(what, given)
  local run = options.check(what, given, CURVE)
  local y = plot_columns.column(what, "y", run.y)
  local x = run.x and plot_columns.column(what, "x", run.x) or plot_columns.count_up(y)
  plot_columns.check_lengths(what, {x, y})
  return {x = x.values, y = y.values}
end

-- Values at each step of several runs: sums, sums of squares and counts by step; the steps, sorted.
local function sums_of(runs)
  local steps, at = {}, {}
  for _, run in ipairs(runs) do
    for k, x in ipairs(run.x) do
      local v = run.y[k]
      if v - v == 0 and x == x then
        if not at[x] then steps[#steps + 1], at[x] = x, {} end
        table.insert(at[x], v)
      end
    end
  end
  table.sort(steps)
  return steps, at
end

local function mean_and_deviation(values)
  local sum, square = 0, 0
  for _, v in ipairs(values) do sum = sum + v end
  local mean = sum / #values
  for _, v in ipairs(values) do square = square + (v - mean) ^ 2 end
  return mean, math.sqrt(square / #values)
end

-- Runs, of which there are several, as one curve with a band of a deviation to each side.
local function average(runs)
  local steps, at = sums_of(runs)
  local curve = {x = steps, y = {}, low = {}, high = {}}
  for k, x in ipairs(steps) do
    local mean, deviation = mean_and_deviation(at[x])
    curve.y[k], curve.low[k], curve.high[k] = mean, mean - deviation, mean + deviation
  end
  return curve
end

local TRIAL = {
  x = plot_columns.COLUMN, y = plot_columns.COLUMN, runs = {type = "table", list = true},
  label = "string", state = {type = "string", choices = plot_trials.STATES, default = "completed"},
}

local function read_trial(what, given, i)
  what = ("%s: trial %d"):format(what, i)
  local trial = options.check(what, given, TRIAL)
  local runs = {}
  for k, run in ipairs(trial.runs or {{x = trial.x, y = trial.y}}) do
    runs[k] = read_run(trial.runs and ("%s: run %d"):format(what, k) or what, run)
  end
  local curve = #runs > 1 and average(runs) or runs[1] or {x = {}, y = {}}
  curve.label, curve.state = trial.label or ("trial %d"):format(i), trial.state
  return curve
end

-- The last point of a curve that can be drawn, or nil.
local function last_point(curve)
  for k = #curve.x, 1, -1 do
    if curve.y[k] - curve.y[k] == 0 then return curve.x[k], curve.y[k] end
  end
end

local function best_of(curves, sign)
  local best, least
  for _, curve in ipairs(curves) do
    local _, y = last_point(curve)
    if y and curve.state == "completed" and (not best or sign * y < least) then
      best, least = curve, sign * y
    end
  end
  return best
end

-- ---- drawing ----

local FEW = 6 -- curves that have a colour and a name each
local COLOURS = { -- of many, and how far they are seen through; of very many completed ones
  completed = "#900072b2", pruned = "#70e69f00", failed = "#40d55e00", running = "#707f7f7f",
}
local VERY_MANY, FAINT = 80, "#c80072b2"

-- The ends of curves that were cut short, as points; nil if there are none.
local function end_marks(curves, state, colour, label)
  local x, y = {}, {}
  for _, curve in ipairs(curves) do
    if curve.state == state then x[#x + 1], y[#y + 1] = last_point(curve) end
  end
  if #x == 0 then return nil end
  local mark = plot_trials.LOOKS[state].mark
  return {x = x, y = y, style = "points", mark = mark, colour = colour, label = label}
end

local function few_series(curves)
  local series = {}
  for i, curve in ipairs(curves) do
    series[i] = {
      x = curve.x, y = curve.y, low = curve.low, high = curve.high, label = curve.label,
      colour = plot_style.colour("bnn.plot.learning_curves", nil, i),
    }
  end
  for _, state in ipairs{"pruned", "failed"} do
    series[#series + 1] = end_marks(curves, state, plot_style.INK, state)
  end
  return series
end

-- Curves in the colours of their states, those that ended early over the others, then their ends,
-- and the best over them all.
local function many_series(curves, best)
  local series, labelled = {}, {}
  for _, state in ipairs(plot_trials.STATES) do
    local is_faint = state == "completed" and #curves > VERY_MANY
    for _, curve in ipairs(curves) do
      if curve.state == state and curve ~= best then
        series[#series + 1] = {
          x = curve.x, y = curve.y, style = "lines", width = 1,
          colour = is_faint and FAINT or COLOURS[state],
          label = not labelled[state] and state or nil,
        }
        labelled[state] = true
      end
    end
  end
  for _, state in ipairs{"pruned", "failed"} do
    series[#series + 1] = end_marks(curves, state, plot_trials.LOOKS[state].solid)
  end
  series[#series + 1] = best and {
    x = best.x, y = best.y, low = best.low, high = best.high, style = "lines", width = 3,
    colour = plot_style.INK, label = "best: " .. best.label,
  }
  return series
end

-- The range of y, if a few values, as at the start of training, are far worse than the others.
local function fit_range(curves, opts, sign)
  if opts.yrange or opts.logy then return end
  local losses = {}
  for _, curve in ipairs(curves) do
    for _, v in ipairs(curve.y) do
      if plot_columns.is_drawable(v) then losses[#losses + 1] = sign * v end
    end
  end
  local least, most, is_far = plot_trials.span(losses)
  if not is_far then return end
  local room = 0.06 * (most - least)
  opts.yrange = {sign * (least - room), sign * most}
  table.sort(opts.yrange)
end

local spec = figure.spec{
  trials = {type = "table", list = true, required = true}, mode = plot_trials.SPEC.mode,
  best = {type = "integer", min = 1},
}
spec.order = nil

--- Draws the learning curves of trials. Curves of pruned and failed trials end in a mark.
--     bnn.plot.learning_curves{mode = "max", xlabel = "step", ylabel = "accuracy",
--                              path = "curves.svg", trials = {
--       {x = {100, 200, 300}, y = {0.7, 0.8, 0.85}, label = "beta 0.1"},
--       {x = {100}, y = {0.5}, label = "beta 1", state = "pruned"},
--       {label = "beta 0.01", runs = {{x = {100, 200, 300}, y = {0.8, 0.9, 0.92}},
--                                     {x = {100, 200, 300}, y = {0.7, 0.88, 0.95}}}},
--     }}
-- Up to 6 have a colour and a name each, and bands. Of more, curves have the colours of their
-- states, and the best one is drawn over them. Values that are far worse than
-- the others, as at the start of training, are left off the axis.
-- @param opts table:
--   trials= a list of {y=, x= (default 1, 2, ...), label="trial I", state="completed", "pruned",
--     "failed" or "running"}; instead of x= and y= runs= a list of {y=, x=}, as of seeds: their
--     mean, and a band of a standard deviation to each side
--   mode="min" or "max", which is better
--   best= the place of the best trial, which may be so by what its curve does not show (default:
--     the completed one that ends best)
--   title=, xlabel=, ylabel=, xrange=, yrange=, logx=, logy=, legend=, path=, width=, height=,
--     scale=, out=: as for bnn.plot.lines
-- @return true, or the text if no path is given; or nil, message
-- Raises if best= is no trial's place.
function M.learning_curves(opts)
  local what = "bnn.plot.learning_curves"
  opts = options.check(what, opts, spec)
  figure.check(what, opts)
  if (opts.best or 0) > #opts.trials then
    fail("%s: best: expected the place of one of %d trials, got %d", what, #opts.trials, opts.best)
  end
  local curves, sign = {}, opts.mode == "max" and -1 or 1
  for i, trial in ipairs(opts.trials) do curves[i] = read_trial(what, trial, i) end
  fit_range(curves, opts, sign)
  local series = #curves <= FEW and few_series(curves)
    or many_series(curves, curves[opts.best] or best_of(curves, sign))
  if #series == 0 then series[1] = {x = {}, y = {}, colour = plot_style.INK} end
  return figure.render(plot_lines.commands(series, opts), opts)
end

return M
