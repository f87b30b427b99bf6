--- The tables of a report: configurations with mean, sd, se and n of their metrics, and runs.
local html = require "bnn.html.html"
local number = require "bnn.base.number"
local parts = require "bnn.report.report_parts"
local report_view = require "bnn.report.report_view"
local run_filter = require "bnn.records.run_filter"
local runs_table = require "bnn.records.runs_table"

local M = {}

local KEYS_MOST, METRICS_MOST, NOTES_MOST, NOTE_MOST = 8, 6, 12, 300

local element = html.element

local function first_of(list, most) return table.move(list, 1, math.min(#list, most), 1, {}) end

-- The metrics that have a column: the one that orders, and the first of the others.
local function metric_columns(experiment)
  local names = {experiment.metric}
  for _, name in ipairs(experiment.metrics) do
    if name ~= experiment.metric and #names < METRICS_MOST then names[#names + 1] = name end
  end
  return names
end

-- ---- configurations ----

-- The moments of metrics for groups, and the decimals of each metric.
local function all_moments(groups, metrics)
  local moments, decimals = {}, {}
  for m, name in ipairs(metrics) do
    local means = {}
    for _, group in ipairs(groups) do
      moments[group] = moments[group] or {}
      moments[group][m] = report_view.moments(group, name)
      if moments[group][m] then means[#means + 1] = moments[group][m].mean end
    end
    decimals[m] = parts.decimals(means)
  end
  return moments, decimals
end

local function moments_cell(moments, decimals, expected)
  if not moments then return nil end
  local se = moments.se and ("se %s"):format(parts.deviation(moments.se, decimals)) or ""
  if moments.n ~= expected then se = ("%s n = %d"):format(se, moments.n) end
  return html.list{parts.mean_text(moments, decimals), se ~= "" and element("small", nil, se)}
end

local function count_cell(group)
  local n, all = #group.completed, #group.runs - group.repeats
  return n == all and n or ("%d of %d"):format(n, all)
end

-- A value of a configuration, with all of its digits.
local function value_text(v) return v ~= nil and number.text(v) or nil end

local function key_column(name, i, groups)
  local is_number = true
  for _, group in ipairs(groups) do
    is_number = is_number and (group.keys[i] == nil or type(group.keys[i]) == "number")
  end
  return {title = name, is_number = is_number}
end

-- The title of a metric's column; an arrow says which way is better where rows are ordered by it.
local function metric_title(experiment, name)
  if name ~= experiment.metric then return name end
  return name .. (experiment.mode == "min" and " ↓" or " ↑")
end

local function group_table(experiment)
  local groups = first_of(experiment.groups, report_view.GROUPS_MOST)
  local keys, metrics = first_of(experiment.keys, KEYS_MOST), metric_columns(experiment)
  local moments, decimals = all_moments(groups, metrics)
  local columns, rows = {}, {}
  for i, name in ipairs(keys) do columns[i] = key_column(name, i, groups) end
  columns[#columns + 1] = {title = "n", is_number = true}
  for m, name in ipairs(metrics) do
    columns[#keys + 1 + m] = {title = metric_title(experiment, name), is_number = true}
  end
  for g, group in ipairs(groups) do
    local row = {class = g == 1 and group.rank and #groups > 1 and "best"}
    for i in ipairs(keys) do row[i] = value_text(group.keys[i]) end
    row[#keys + 1] = count_cell(group)
    for m in ipairs(metrics) do
      row[#keys + 1 + m] = moments_cell(moments[group][m], decimals[m], #group.completed)
    end
    rows[g] = row
  end
  return {
    parts.grid(columns, rows),
    parts.left_out(#groups, #experiment.groups, "configuration",
      experiment.metric and "the best" or "the newest"),
    parts.left_out(#keys, #experiment.keys, "flag that differs"),
  }
end

local CAPTION = "Last values over the completed runs of a configuration, which differ in their "
  .. "seed: mean ± standard deviation (n − 1), below it the standard error. "

local function order_text(experiment)
  if not experiment.metric then return "" end
  return ("Ordered by %s, %s first."):format(experiment.metric,
    experiment.mode == "min" and "least" or "greatest")
end

local function repeats_text(experiment)
  local n = 0
  for _, group in ipairs(experiment.groups) do n = n + group.repeats end
  return n > 0 and (" %s with the seed and the results of another count once."):format(
    parts.count(n, "run"))
end

-- ---- runs ----

-- The columns of runs around those of flags and metrics.
local BEFORE = {"run", "name", "status", "seed"}
local AFTER = {{title = "time", is_number = true}, "tags"}

local function run_row(run, keys, metrics)
  local row = {element("code", nil, run.id), run.name,
               element("span", {class = run.status}, run.status), run.seed}
  for i, name in ipairs(keys) do row[#BEFORE + i] = value_text(run_filter.value(run, name)) end
  local count = #BEFORE + #keys
  for i, name in ipairs(metrics) do
    local v = run_filter.value(run, name)
    row[count + i] = type(v) == "number" and v or value_text(v)
  end
  count = count + #metrics
  row[count + 1] = run.wall_seconds and parts.duration(run.wall_seconds)
  row[count + 2] = runs_table.rows({run}, {"tag"})[1][1]
  return row
end

local function without(columns, rows, empty)
  local kept_columns, kept_rows = {}, {}
  for r, row in ipairs(rows) do kept_rows[r] = {class = row.class} end
  for i, column in ipairs(columns) do
    if not empty[i] then
      kept_columns[#kept_columns + 1] = column
      for r, row in ipairs(rows) do kept_rows[r][#kept_columns] = row[i] end
    end
  end
  return kept_columns, kept_rows
end

-- The columns that no row has anything in, and that of names if they are all the same.
local function empty_columns(columns, rows)
  local empty = {}
  for i, column in ipairs(columns) do
    local common = column == "name" and #rows > 1 and rows[1][i] or nil
    empty[i] = true
    for _, row in ipairs(rows) do
      if row[i] ~= nil and row[i] ~= "" and row[i] ~= common then empty[i] = false end
    end
  end
  return empty
end

local function run_table(experiment)
  local keys, metrics = first_of(experiment.keys, KEYS_MOST), metric_columns(experiment)
  local columns, rows = first_of(BEFORE, #BEFORE), {}
  for i, name in ipairs(keys) do
    columns[#columns + 1] = key_column(name, i, experiment.groups)
  end
  for _, name in ipairs(metrics) do columns[#columns + 1] = metric_title(experiment, name) end
  table.move(AFTER, 1, #AFTER, #columns + 1, columns)
  for i, run in ipairs(experiment.shown) do rows[i] = run_row(run, keys, metrics) end
  if experiment.groups[1].rank and #experiment.groups > 1 then rows[1].class = "best" end
  return parts.grid(without(columns, rows, empty_columns(columns, rows)))
end

local function notes_of(view, experiment)
  local items, total = {}, 0
  for _, run in ipairs(experiment.shown) do
    local _, notes = view:details(run)
    for _, row in ipairs(notes) do
      total = total + 1
      if total <= NOTES_MOST then
        items[total] = {html.list{element("code", nil, run.id)}, html.cut(row.note, NOTE_MOST)}
      end
    end
  end
  if total == 0 then return nil end
  return {element("h4", nil, "Notes"), parts.facts(items),
          parts.left_out(#items, total, "note")}
end

local function runs_of(view, experiment)
  local shown, total = #experiment.shown, #experiment.runs
  if #experiment.groups == total then -- the table of configurations would say the same
    return {run_table(experiment), parts.left_out(shown, total, "run", "the first in this order"),
            notes_of(view, experiment)}
  end
  local title = shown == total and ("All %s"):format(parts.count(total, "run"))
    or ("%d of %d runs"):format(shown, total)
  local rest = "those of the first configurations above; `bnnlua -m runs list` has all"
  return {group_table(experiment), parts.details(title, total <= 12, run_table(experiment),
    parts.left_out(shown, total, "run", rest), notes_of(view, experiment))}
end

--- The tables of each experiment.
function M.section(view)
  local body = {parts.note(CAPTION)}
  for _, experiment in ipairs(view.experiments) do
    body[#body + 1] = {element("h3", nil, experiment.name),
                       parts.note(order_text(experiment), repeats_text(experiment)),
                       runs_of(view, experiment)}
  end
  return parts.section("results", "Results", body)
end

return M
