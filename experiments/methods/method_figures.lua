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

-- How good against what it costs: a point for each method.
local function cost(path, results, unit, metric, title)
  local series = {}
  for i, result in ipairs(results) do
    local x = statistics.summary(result.runs, "seconds", unit).mean
    local y = statistics.summary(result.runs, metric, unit).mean
    series[i] = {x = {x or 0 / 0}, y = {y or 0 / 0}, label = result.name, style = "points"}
  end
  draw(path, bnn.plot.lines{
    title = title .. " against cost", xlabel = "seconds of a run on one thread", ylabel = title,
    series = series, logx = true, path = path, width = 760, height = 480, legend = "right",
  })
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

-- What confidence promises too much, by confidence, all methods side by side.
local function reliability(folder, results)
  local series = {}
  for _, result in ipairs(results) do
    local n, confidence, accuracy = pooled(result.runs)
    local x, y = {}, {}
    for i, count in ipairs(n) do
      if count >= LEAST then x[#x + 1], y[#y + 1] = confidence[i], accuracy[i] - confidence[i] end
    end
    if x[1] then series[#series + 1] = {x = x, y = y, label = result.name, style = "both"} end
    if n[1] then
      local path = ("%s/reliability_%s.svg"):format(folder, result.name)
      draw(path, bnn.plot.reliability{title = result.name, path = path, reliability = {
        n = bnn.tensor(n, "i64"), confidence = bnn.tensor(confidence, "f64"),
        accuracy = bnn.tensor(accuracy, "f64"),
      }})
    end
  end
  if not series[1] then return end
  local path = folder .. "/reliability.svg"
  draw(path, bnn.plot.lines{
    title = "Reliability", xlabel = "confidence", ylabel = "accuracy - confidence",
    series = series, path = path, width = 760, height = 480, legend = "right",
  })
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
  cost(folder .. "/cost.svg", results, unit, "nll", "negative log-likelihood")
  reliability(folder, results)
end

local function numbers(folder, results, unit)
  bars(folder .. "/rmse.svg", results, unit, "RMSE", {ylabel = "RMSE", {name = "rmse"}})
  bars(folder .. "/log_density.svg", results, unit, "Log density",
    {ylabel = "nats", {name = "log_density"}})
  bars(folder .. "/crps.svg", results, unit, "CRPS", {ylabel = "CRPS", {name = "crps"}})
  cost(folder .. "/cost.svg", results, unit, "log_density", "log density")
end

--- Draws all figures of a problem into a folder of its name.
-- @param results list of {name=, runs=}, those that have runs
function M.draw(problem, results, unit, folder)
  folder = ("%s/methods_%s"):format(folder, problem.name)
  if problem.kind == "numbers" then return numbers(folder, results, unit) end
  return images(problem, folder, results, unit)
end

return M
