--- Tables of runs: a row for each, with what differs between them; groups of runs with mean,
-- standard deviation and standard error.
local core = require "bnn.core"
local log_text = require "bnn.log.log_text"
local number = require "bnn.base.number"
local run_filter = require "bnn.records.run_filter"
local strings = require "bnn.base.strings"

local M = {}

local FLAGS_MOST, METRICS_MOST = 8, 5

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list, strings.before)
  return list
end

-- Adds to `differs` the flags whose values differ between the runs of one experiment.
local function add_differing(runs, differs)
  local first, count = {}, {}
  for _, run in ipairs(runs) do
    for name, v in pairs(run.config) do
      if first[name] == nil then first[name] = v end
      if first[name] ~= v then differs[name] = true end
      count[name] = (count[name] or 0) + 1
    end
  end
  for name, n in pairs(count) do
    if n < #runs then differs[name] = true end
  end
end

--- The flags whose values differ between runs of the same experiment, by name.
function M.differing(runs)
  local by_experiment, differs = {}, {}
  for _, run in ipairs(runs) do
    local name = run.experiment or ""
    by_experiment[name] = by_experiment[name] or {}
    table.insert(by_experiment[name], run)
  end
  for _, list in pairs(by_experiment) do add_differing(list, differs) end
  return sorted(differs)
end

--- The metrics of runs, by name: those that experiments returned first, which have no step.
function M.metrics(runs)
  local results, logged = {}, {}
  for _, run in ipairs(runs) do
    for name, m in pairs(run.metrics) do
      if m.step == nil then results[name] = true else logged[name] = true end
    end
  end
  for name in pairs(results) do logged[name] = nil end
  local list, more = sorted(results), sorted(logged)
  return table.move(more, 1, #more, #list + 1, list)
end

local function first_of(list, most)
  return table.move(list, 1, math.min(#list, most), 1, {})
end

local function any(runs, name)
  for _, run in ipairs(runs) do
    if run[name] ~= nil then return true end
  end
  return false
end

local function joined(...)
  local list = {}
  for _, part in ipairs{...} do table.move(part, 1, #part, #list + 1, list) end
  return list
end

-- Whether runs have different values of a field, or only some have one.
local function differ(runs, name)
  for _, run in ipairs(runs) do
    if run[name] ~= runs[1][name] then return true end
  end
  return false
end

-- Whether all runs of sweeps have the name of their sweep, so that one column says both.
local function are_named_by_sweep(runs)
  for _, run in ipairs(runs) do
    if run.sweep and run.sweep ~= run.name then return false end
  end
  return true
end

-- The columns that say where a run belongs, those that differ.
local function places(runs)
  local names = {}
  if any(runs, "name") then names[1] = "name" end
  if differ(runs, "sweep") and not are_named_by_sweep(runs) then names[#names + 1] = "sweep" end
  if differ(runs, "trial") then names[#names + 1] = "trial" end
  return names
end

--- The columns of a table of runs where none are asked for.
-- @return list of names; how many flags and metrics were left out
function M.columns(runs)
  local flags, metrics = M.differing(runs), M.metrics(runs)
  local shown_flags, shown_metrics = first_of(flags, FLAGS_MOST), first_of(metrics, METRICS_MOST)
  local columns = joined({"id"}, places(runs), {"experiment", "status", "wall_seconds"},
    shown_flags, shown_metrics)
  return columns, #flags - #shown_flags + #metrics - #shown_metrics
end

local function cell(run, name)
  if name == "tag" then return table.concat(sorted(run.tags), " ") end
  return run_filter.value(run, name)
end

--- The rows of a table of runs.
-- @param columns list of names
function M.rows(runs, columns)
  local rows = {}
  for r, run in ipairs(runs) do
    local row = {}
    for i, name in ipairs(columns) do row[i] = cell(run, name) end
    rows[r] = row
  end
  return rows
end

--- The columns as bnn.table_text takes them.
function M.titles(columns)
  local titles = {}
  for i, name in ipairs(columns) do
    titles[i] = {name, key = i, decimals = name == "wall_seconds" and 1 or 4}
  end
  return titles
end

-- ---- groups ----

-- What a group has in common, as one text: the values of the keys, or the whole configuration but
-- the seed.
local function group_key(run, keys)
  local parts = {}
  for i, name in ipairs(keys) do parts[i] = tostring(cell(run, name)) end
  return table.concat(parts, "\0")
end

--- Mean, standard deviation (with n - 1) and standard error of a list of numbers; those of one are
-- nil.
function M.moments(values)
  local n, sum, squares = #values, 0, 0
  for _, v in ipairs(values) do sum = sum + v end
  local mean = sum / n
  for _, v in ipairs(values) do squares = squares + (v - mean) ^ 2 end
  if n < 2 then return mean end
  local sd = math.sqrt(squares / (n - 1))
  return mean, sd, sd / math.sqrt(n)
end

local function without_seed(names)
  local keys = {}
  for _, name in ipairs(names) do
    if name ~= "seed" then keys[#keys + 1] = name end
  end
  return keys
end

--- Groups runs by the values of some names.
-- @param by list of names; {"config"}: by all flags that differ, except seed
-- @return list of {runs=, keys=}, and the names
function M.groups(runs, by)
  if by[1] == "config" then by = without_seed(M.differing(runs)) end
  local groups, at = {}, {}
  for _, run in ipairs(runs) do
    local key = group_key(run, by)
    local group = at[key]
    if not group then
      group = {runs = {}, keys = {}}
      for i, name in ipairs(by) do group.keys[i] = cell(run, name) end
      groups[#groups + 1], at[key] = group, group
    end
    group.runs[#group.runs + 1] = run
  end
  return groups, by
end

--- The rows of a table of groups: a row for each group and metric with mean, sd, se and n.
-- @param metrics list of names
-- @return rows, columns as bnn.table_text takes them
function M.group_rows(runs, by, metrics)
  local groups, keys = M.groups(runs, by)
  local rows = {}
  for _, group in ipairs(groups) do
    for _, name in ipairs(metrics) do
      local values = {}
      for _, run in ipairs(group.runs) do
        local v = run_filter.value(run, name)
        if type(v) == "number" then values[#values + 1] = v end
      end
      if values[1] then
        local row, k = {}, #keys
        for i = 1, k do row[i] = group.keys[i] end
        row[k + 1], row[k + 2] = name, #values
        row[k + 3], row[k + 4], row[k + 5] = M.moments(values)
        rows[#rows + 1] = row
      end
    end
  end
  return rows, M.titles(joined(keys, {"metric", "n", "mean", "sd", "se"}))
end

-- ---- files ----

--- A table as CSV.
function M.csv(rows, columns)
  local lines = {}
  local function add(row)
    local cells = {}
    for i = 1, #columns do cells[i] = row[i] == nil and "" or log_text.csv(row[i]) end
    lines[#lines + 1] = table.concat(cells, ",")
  end
  add(columns)
  for _, row in ipairs(rows) do add(row) end
  return table.concat(lines, "\n") .. "\n"
end

--- Runs as JSON, a list of objects with all that the ledger has of them; or nil, message.
function M.json(runs)
  local lines = {}
  for i, run in ipairs(runs) do
    local object = {config = run.config, metrics = {}, tags = sorted(run.tags)}
    for k, v in pairs(run) do
      if type(v) ~= "table" then object[k] = v end
    end
    for name, m in pairs(run.metrics) do
      local v = m.value
      object.metrics[name] = type(v) == "number" and v - v ~= 0 and number.exact(v) or v
    end
    local text, fault = core.json_encode(object)
    if not text then return nil, fault end
    lines[i] = "  " .. text
  end
  return "[\n" .. table.concat(lines, ",\n") .. "\n]\n"
end

return M
