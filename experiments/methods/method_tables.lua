--- The tables of a comparison, in blocks of columns that fit 120 characters, and all of it as rows
-- of a file.
local bnn = require "bnn"

local statistics = require "method_statistics"

local M = {}

local function auroc(set)
  return {title = "AUROC against " .. set, metrics = {
    {set .. "/max_probability", "max p", "%.4f"}, {set .. "/entropy", "entropy", "%.4f"},
    {set .. "/mutual_information", "MI", "%.4f"},
  }}
end

local COST = {title = "cost of a run on one thread", metrics = {
  {"seconds", "seconds", "%.2f"}, {"megabytes", "peak MB", "%.0f"},
}}

--- The blocks of a problem: lists of {title=, metrics= {name, title, format}}; cost is the last.
function M.blocks(problem)
  if problem.kind == "numbers" then
    return {
      {title = "predictions, in the units of the targets", metrics = {
        {"rmse", "RMSE", "%.3f"}, {"log_density", "log density", "%.3f"}, {"crps", "CRPS", "%.3f"},
      }},
      {title = "errors of the means", metrics = {{"mae", "MAE", "%.3f"}, {"r2", "R2", "%.4f"}}},
      COST,
    }
  end
  local list = {{title = "predictions", metrics = {
    {"accuracy", "accuracy", "%.4f"}, {"nll", "NLL", "%.4f"}, {"brier", "Brier", "%.4f"},
    {"ece", "ECE", "%.4f"},
  }}}
  for _, set in ipairs(problem.unseen) do list[#list + 1] = auroc(set) end
  list[#list + 1] = COST
  return list
end

local function has(results, metric)
  for _, result in ipairs(results) do
    for _, run in ipairs(result.runs) do
      if run.metrics[metric] then return true end
    end
  end
  return false
end

local function cell(format, v) return v and bnn.number.format(format, v) end

-- Mean, deviation and error of each metric of a block, a row for each method.
local function block_text(block, results, unit)
  local rows, columns = {}, {"method", "runs"}
  local over_splits = unit == "split"
  for _, m in ipairs(block.metrics) do
    columns[#columns + 1] = {m[2], align = "right"}
    columns[#columns + 1] = {over_splits and "se" or "sd", align = "right"}
    columns[#columns + 1] = {over_splits and "sd" or "se", align = "right"}
  end
  for i, result in ipairs(results) do
    local row, n = {result.name, #result.runs}, 2
    for _, m in ipairs(block.metrics) do
      local s = statistics.summary(result.runs, m[1], unit)
      row[n + 1] = cell(m[3], s.mean)
      row[n + 2] = cell(m[3], over_splits and s.se or not over_splits and s.sd or nil)
      row[n + 3] = cell(m[3], over_splits and s.seeds_sd or not over_splits and s.se or nil)
      n = n + 3
    end
    rows[i] = row
  end
  return bnn.table_text.render(rows, columns)
end

-- A mean difference to the first method with half the width of its interval, or nil.
local function difference_cell(m, runs, others, unit)
  local d = statistics.difference(runs, others, m[1], unit)
  if not d.mean then return nil end
  local half = d.half and " +- " .. cell(m[3], d.half) or ""
  return cell(m[3]:gsub("%%", "%%+"), d.mean) .. half
end

-- Differences to the first method, in those metrics that it has.
local function differences_text(block, results, unit)
  local rows, columns, metrics = {}, {"method"}, {}
  for _, m in ipairs(block.metrics) do
    if has({results[1]}, m[1]) then
      metrics[#metrics + 1], columns[#columns + 1] = m, {m[2], align = "right"}
    end
  end
  for i = 2, #results do
    local row = {results[i].name}
    for k, m in ipairs(metrics) do
      row[k + 1] = difference_cell(m, results[i].runs, results[1].runs, unit)
    end
    rows[i - 1] = row
  end
  return bnn.table_text.render(rows, columns)
end

local OVER = {
  seed = "Mean over seeds, its standard deviation (sd) and standard error (se).",
  split = "Mean over splits of the means over seeds, its standard error over splits (se), and the\n"
    .. "standard deviation of the means of seeds (sd).",
}

--- All tables as text: of values, then of differences to the first method.
-- @param results list of {name=, runs=}
-- @param unit string: "split" or "seed"
function M.text(problem, results, unit)
  local parts, blocks = {OVER[unit] .. "\n"}, M.blocks(problem)
  for _, block in ipairs(blocks) do
    parts[#parts + 1] = ("%s\n%s"):format(block.title, block_text(block, results, unit))
  end
  if not results[2] then return table.concat(parts, "\n") end
  for i = 1, #blocks - 1 do
    local title = ("%s: difference to %s, paired by %s, +- half of its 95%% interval (Student's t)")
      :format(blocks[i].title, results[1].name, unit)
    parts[#parts + 1] = title .. "\n" .. differences_text(blocks[i], results, unit)
  end
  return table.concat(parts, "\n")
end

--- All values as CSV: a line for each method and metric.
function M.csv(problem, results, unit)
  local lines = {"method,metric,mean,sd,se,n,seeds_sd,difference,half_width"}
  local function text(v) return v and bnn.number.text(v) or "" end
  for _, result in ipairs(results) do
    for _, block in ipairs(M.blocks(problem)) do
      for _, m in ipairs(block.metrics) do
        local s = statistics.summary(result.runs, m[1], unit)
        local d = statistics.difference(result.runs, results[1].runs, m[1], unit)
        if s.mean then
          lines[#lines + 1] = table.concat({result.name, m[1], text(s.mean), text(s.sd), text(s.se),
            text(s.n), text(s.seeds_sd), text(d.mean), text(d.half)}, ",")
        end
      end
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
