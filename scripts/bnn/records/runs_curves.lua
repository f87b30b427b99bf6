--- The learning curves of runs, and their mean and deviation over groups.
local logs = require "bnn.log.log"
local plot = require "bnn.plot.plot"
local run_folder = require "bnn.records.run_folder"
local runs_table = require "bnn.records.runs_table"

local M = {}

local SERIES_MOST = 12

-- The curve of a run: steps and values as lists; nil if it has none.
local function curve_of(run, metric)
  local path = run.path .. "/metrics.jsonl"
  local log = run_folder.read(path) and logs.read(path)
  if not log then return nil end
  local steps, values = log:curve(metric)
  if not steps then return nil end
  return steps:totable(), values:totable()
end

-- What tells a run from the others, in a few words.
local function label_of(run, differing)
  local parts = {run.name or run.id:sub(-4)}
  for i = 1, math.min(3, #differing) do
    local v = run.config[differing[i]]
    if v ~= nil then parts[#parts + 1] = ("%s=%s"):format(differing[i], v) end
  end
  return table.concat(parts, " ")
end

local function series_of_runs(runs, metric)
  local series, differing, left_out = {}, runs_table.differing(runs), 0
  for _, run in ipairs(runs) do
    local x, y = curve_of(run, metric)
    if x and #series == SERIES_MOST then left_out = left_out + 1 end
    if x and #series < SERIES_MOST then
      series[#series + 1] = {x = x, y = y, label = label_of(run, differing)}
    end
  end
  return series, left_out
end

--- The mean and the standard deviation of curves at the steps that all have.
-- @param curves list of {x=, y=}, lists of numbers
-- @return steps, means, deviations (0 for one curve)
function M.mean(curves)
  local at = {}
  for _, curve in ipairs(curves) do
    for i, step in ipairs(curve.x) do
      at[step] = at[step] or {}
      table.insert(at[step], curve.y[i])
    end
  end
  local steps, means, sds = {}, {}, {}
  for step, values in pairs(at) do
    if #values == #curves then steps[#steps + 1] = step end
  end
  table.sort(steps)
  for i, step in ipairs(steps) do
    local mean, sd = runs_table.moments(at[step])
    means[i], sds[i] = mean, sd or 0
  end
  return steps, means, sds
end

local function mean_curve(runs, metric)
  local curves = {}
  for _, run in ipairs(runs) do
    local x, y = curve_of(run, metric)
    if x then curves[#curves + 1] = {x = x, y = y} end
  end
  local steps, means, sds = M.mean(curves)
  return steps, means, sds, #curves
end

local function series_of_groups(runs, metric, by)
  local groups, keys = runs_table.groups(runs, by)
  local series, left_out = {}, 0
  for _, group in ipairs(groups) do
    local x, y, std, n = mean_curve(group.runs, metric)
    local parts = {}
    for i, name in ipairs(keys) do parts[i] = ("%s=%s"):format(name, group.keys[i]) end
    parts[#parts + 1] = ("n=%d"):format(n)
    if x[1] and #series == SERIES_MOST then left_out = left_out + 1 end
    if x[1] and #series < SERIES_MOST then
      series[#series + 1] = {x = x, y = y, std = n > 1 and std or nil,
                             label = table.concat(parts, " ")}
    end
  end
  return series, left_out
end

--- Draws the curves of a metric.
-- @param runs list
-- @param metric string
-- @param opts table: path= of a figure (without it the plot is text), group= list of names
-- @return true or the text, and how many curves were left out; or nil, message
function M.draw(runs, metric, opts)
  local series, left_out
  if opts.group and opts.group[1] then
    series, left_out = series_of_groups(runs, metric, opts.group)
  else
    series, left_out = series_of_runs(runs, metric)
  end
  if not series[1] then return nil, ("no run has logged '%s'"):format(metric) end
  local done, fault = plot.lines{series = series, xlabel = "step", ylabel = metric,
                                 path = opts.path}
  if not done then return nil, fault end
  return done, left_out
end

return M
