--- The figures of a comparison: metrics by method with their standard errors, cost against quality,
-- and reliability.
local bnn = require "bnn"

local scores = require "method_scores"
local statistics = require "method_statistics"

local M = {}

local function draw(path, ok, fault)
  io.stderr:write(ok and "wrote " .. path or "cannot draw " .. path .. ": " .. fault, "\n")
end

-- Bars of a metric: {name=, title=, of= function(v) or nil} by method.
local function bars(path, results, unit, title, list)
  local labels, series = {}, {}
  for i, result in ipairs(results) do labels[i] = result.name end
  for k, m in ipairs(list) do
    local y, std = {}, {}
    for i, result in ipairs(results) do
      local s = statistics.summary(result.runs, m.name, unit)
      y[i] = s.mean and (m.of and m.of(s.mean) or s.mean) or 0 / 0
      std[i] = s.se or 0
    end
    series[k] = {y = y, std = std, label = m.title}
  end
  draw(path, bnn.plot.bars{
    title = title, labels = labels, series = series, path = path, width = 900, height = 420,
    ylabel = list.ylabel, yrange = list.yrange, legend = series[2] and "bottom" or "none",
  })
end

-- The kinds of methods that are there, in the order of the rows, and the results of each.
local function by_kind(results)
  local kinds, of = {}, {}
  for _, result in ipairs(results) do
    if not of[result.kind] then kinds[#kinds + 1], of[result.kind] = result.kind, {} end
    table.insert(of[result.kind], result)
  end
  return kinds, of
end

-- A series of a point for each result.
local function points(results, unit, metric)
  local x, y = {}, {}
  for i, result in ipairs(results) do
    x[i] = statistics.summary(result.runs, "seconds", unit).mean or 0 / 0
    y[i] = statistics.summary(result.runs, metric, unit).mean or 0 / 0
  end
  return {x = x, y = y, style = "points"}
end

-- How good against what it costs: a point for each method, a figure for each kind of methods.
local function cost(folder, results, unit, metric, title)
  for _, kind in ipairs((by_kind(results))) do
    local others, series = {}, {}
    for _, result in ipairs(results) do
      local is_own = result.kind == kind
      if not is_own then others[#others + 1] = result end
      local one = is_own and points({result}, unit, metric) or nil
      if one then one.label, series[#series + 1] = result.name, one end
    end
    if others[1] then
      local rest = points(others, unit, metric)
      rest.label, rest.colour, series[#series + 1] = "others", "grey", rest
    end
    local path = ("%s/cost_%s.svg"):format(folder, kind)
    draw(path, bnn.plot.lines{
      title = ("%s against cost: %s"):format(title, kind), ylabel = title,
      xlabel = "seconds of a run on one thread", series = series, logx = true, path = path,
      width = 760, height = 480, legend = "right",
    })
  end
end

-- The bins of all runs of a method as one: lists of n, confidence and accuracy.
local function pooled(runs)
  local n, confidence, accuracy = {}, {}, {}
  for _, run in ipairs(runs) do
    for i, bin in ipairs(scores.bins(run.metrics.reliability or "")) do
      n[i] = (n[i] or 0) + bin.n
      confidence[i] = (confidence[i] or 0) + bin.n * bin.confidence
      accuracy[i] = (accuracy[i] or 0) + bin.n * bin.accuracy
    end
  end
  for i, count in ipairs(n) do
    confidence[i], accuracy[i] = confidence[i] / count, accuracy[i] / count
  end
  return n, confidence, accuracy
end

local LEAST = 20 -- examples in a bin of the common diagram

-- The series of a method in the common diagram: accuracy - confidence by confidence; nil without
-- bins of enough examples.
local function gap(result)
  local n, confidence, accuracy = pooled(result.runs)
  local x, y = {}, {}
  for i, count in ipairs(n) do
    if count >= LEAST then x[#x + 1], y[#y + 1] = confidence[i], accuracy[i] - confidence[i] end
  end
  return x[1] and {x = x, y = y, label = result.name, style = "both"} or nil
end

-- The diagram of a method.
local function diagram(folder, result)
  local n, confidence, accuracy = pooled(result.runs)
  if not n[1] then return end
  local path = ("%s/reliability_%s.svg"):format(folder, result.name)
  draw(path, bnn.plot.reliability{title = result.name, path = path, reliability = {
    n = bnn.tensor(n, "i64"), confidence = bnn.tensor(confidence, "f64"),
    accuracy = bnn.tensor(accuracy, "f64"),
  }})
end

-- A diagram of each method, and those of each kind side by side.
local function reliability(folder, results)
  local kinds, of = by_kind(results)
  for _, result in ipairs(results) do diagram(folder, result) end
  for _, kind in ipairs(kinds) do
    local series = {}
    for _, result in ipairs(of[kind]) do series[#series + 1] = gap(result) end
    local path = ("%s/reliability_of_%s.svg"):format(folder, kind)
    if series[1] then
      draw(path, bnn.plot.lines{
        title = ("Reliability: %s"):format(kind), xlabel = "confidence",
        ylabel = "accuracy - confidence", series = series, path = path, width = 760, height = 480,
        legend = "right",
      })
    end
  end
end

local function images(problem, folder, results, unit)
  bars(folder .. "/error.svg", results, unit, "Test error", {
    ylabel = "share of wrong answers", {name = "accuracy", of = function(v) return 1 - v end},
  })
  bars(folder .. "/nll.svg", results, unit, "Negative log-likelihood",
    {ylabel = "nats", {name = "nll"}})
  for _, set in ipairs(problem.unseen) do
    bars(("%s/auroc_%s.svg"):format(folder, set), results, unit, "AUROC against " .. set, {
      ylabel = "AUROC", yrange = {0.5, 1},
      {name = set .. "/max_probability", title = "max probability"},
      {name = set .. "/entropy", title = "entropy"},
      {name = set .. "/mutual_information", title = "mutual information"},
    })
  end
  cost(folder, results, unit, "nll", "negative log-likelihood")
  reliability(folder, results)
end

local function numbers(folder, results, unit)
  bars(folder .. "/rmse.svg", results, unit, "RMSE", {ylabel = "RMSE", {name = "rmse"}})
  bars(folder .. "/log_density.svg", results, unit, "Log density",
    {ylabel = "nats", {name = "log_density"}})
  bars(folder .. "/crps.svg", results, unit, "CRPS", {ylabel = "CRPS", {name = "crps"}})
  cost(folder, results, unit, "log_density", "log density")
end

--- Draws all figures of a problem into a folder of its name.
-- @param results list of {name=, kind=, runs=}, those that have runs
function M.draw(problem, results, unit, folder)
  folder = ("%s/methods_%s"):format(folder, problem.name)
  if problem.kind == "numbers" then return numbers(folder, results, unit) end
  return images(problem, folder, results, unit)
end

return M
