--- What a sweep has come to: its trials, the best of them, the Pareto set of several objectives.
local expect = require "bnn.base.expect"
local number = require "bnn.base.number"
local sweep_figures = require "bnn.sweep.sweep_figures"
local sweep_report = require "bnn.sweep.sweep_report"
local sweep_text = require "bnn.sweep.sweep_text"
local table_text = require "bnn.base.table_text"

local M = {}

local Result = {__name = "bnn.sweep_result"}
Result.__index = Result

function Result:__tostring()
  local counts = self.counts
  return ("sweep: %s, %d of %d runs done, %d failed"):format(self.name,
    counts.completed + counts.pruned, counts.total, counts.failed)
end

-- The trials that are complete, the best first; equals in the order of their numbers.
local function ranked(plan, trials)
  local list = {}
  for _, trial in ipairs(trials) do
    if trial.state == "completed" then list[#list + 1] = trial end
  end
  table.sort(list, function(a, b)
    local x, y = plan:loss(a.values), plan:loss(b.values)
    if x ~= y then return x < y end
    return a.number < b.number
  end)
  return list
end

-- A trial for users: plain values.
local function public(trial)
  local _, se, n = sweep_text.mean_and_se(trial)
  local runs = {}
  for r, run in ipairs(trial.runs) do runs[r] = run.run end
  return {number = trial.number, config = trial.config, value = trial.value, values = trial.values,
          se = se, n = n, runs = runs}
end

-- The mean of each metric over the runs of a trial, and the seconds that all took.
local function metrics_of(trial)
  local sums, counts, seconds = {}, {}, 0
  for _, run in pairs(trial.runs) do
    local outcome = run.outcome or {}
    seconds = seconds + (outcome.seconds or 0)
    for name, v in pairs(outcome.values and outcome.metrics or {}) do
      if type(v) == "number" then
        sums[name], counts[name] = (sums[name] or 0) + v, (counts[name] or 0) + 1
      end
    end
  end
  for name, sum in pairs(sums) do sums[name] = sum / counts[name] end
  return sums, seconds
end

-- The trials as columns: number, state, value, se, n, seconds, metrics by name, and the parameters;
-- NaN where a trial has no number.
local function columns_of(plan, trials)
  local columns = {number = {}, state = {}, value = {}, se = {}, n = {}, seconds = {}, metrics = {},
                   config = {}}
  for _, name in ipairs(plan.names) do columns.config[name] = {} end
  for i, trial in ipairs(trials) do
    local _, se, n = sweep_text.mean_and_se(trial)
    columns.number[i], columns.state[i] = trial.number, trial.state
    columns.value[i], columns.se[i], columns.n[i] = trial.value or 0 / 0, se or 0 / 0, n
    columns.metrics[i], columns.seconds[i] = metrics_of(trial)
    for name, column in pairs(columns.config) do
      local value = trial.config[name]
      column[i] = value == nil and 0 / 0 or value
    end
  end
  return columns
end

-- Whether values are at least as good as others in every objective, and better in one.
local function dominates(plan, a, b)
  local is_better = false
  for i, objective in ipairs(plan.objectives) do
    local x, y = a[i], b[i]
    if objective.mode == "max" then x, y = y, x end
    if x > y then return false end
    is_better = is_better or x < y
  end
  return is_better
end

-- The trials that no other dominates.
local function pareto_set(plan, ranking)
  local set = {}
  for _, trial in ipairs(ranking) do
    local is_dominated = false
    for _, other in ipairs(ranking) do
      is_dominated = is_dominated or dominates(plan, other.values, trial.values)
    end
    if not is_dominated then set[#set + 1] = public(trial) end
  end
  return set
end

--- Makes the result of a plan from its book.
function M.new(plan, book)
  local trials = book:trials(plan.seeds)
  local best = ranked(plan, trials)
  local self = setmetatable({
    name = plan.name, plan = plan, list = trials, ranking = best, counts = book:counts(),
    best = best[1] and public(best[1]) or nil, trials = columns_of(plan, trials), reports = {},
  }, Result)
  for r in ipairs(plan.seeds) do self.reports[r] = book:reports(r) end
  if plan.objectives[2] then self.pareto = pareto_set(plan, best) end
  return self
end

--- The titles of the columns of `row`.
function Result:columns()
  local plan = self.plan
  local columns = {"trial"}
  for _, name in ipairs(plan.names) do columns[#columns + 1] = name end
  for _, objective in ipairs(plan.objectives) do columns[#columns + 1] = objective.name end
  if plan.seeds[2] then
    columns[#columns + 1], columns[#columns + 2] = "se", "n"
  end
  return columns
end

-- A number with so many digits that count.
local function rounded(v, digits)
  return number.parse(number.format(("%%.%dg"):format(digits), v))
end

--- A trial as a row of a table.
function Result:row(trial)
  local row, plan = {trial.number}, self.plan
  for _, name in ipairs(plan.names) do
    local value = trial.config[name]
    if math.type(value) == "float" then value = rounded(value, 4) end
    row[#row + 1] = type(value) == "number" and value or value == nil and "-"
      or sweep_text.value(value)
  end
  for i in ipairs(plan.objectives) do row[#row + 1] = rounded(trial.values[i], 5) end
  if plan.seeds[2] then
    local _, se, n = sweep_text.mean_and_se(trial)
    row[#row + 1], row[#row + 2] = se and rounded(se, 2) or "-", n
  end
  return row
end

--- Renders what a sweep has come to as text: how many trials there are, and the best as a table.
-- @param count integer or nil: how many trials the table has, default 10
function Result:text(count)
  local states, words = {}, {}
  for _, state in ipairs(self.trials.state) do states[state] = (states[state] or 0) + 1 end
  for _, state in ipairs{"completed", "pruned", "failed", "running"} do
    if states[state] then words[#words + 1] = ("%d %s"):format(states[state], state) end
  end
  local head = ("%d trials: %s\n"):format(#self.list, table.concat(words, ", "))
  return self.best and head .. "\n" .. self:table(count) or head
end

--- Renders the best trials as a table.
--     local result = bnn.sweep{
--       experiment = function(cfg) return {loss = (cfg.x - 2) ^ 2} end, space = {x = {1, 2, 3}},
--       objective = "loss", mode = "min",
--     }
--     print(result:table(3))
-- @param count integer or nil: how many, default 10; several objectives: the Pareto set first
-- @return string
function Result:table(count)
  local rows = {}
  for i = 1, math.min(count or 10, #self.ranking) do
    rows[i] = self:row(self.ranking[i])
  end
  local columns = self:columns()
  for i, name in ipairs(columns) do columns[i] = {name, format = "%.5g"} end
  return table_text.render(rows, columns)
end

-- The folder of the sweep, beside those of its runs.
local function folder_of(self) return ("%s/sweeps/%s"):format(self.plan.root, self.name) end

--- Writes the report of a sweep, one HTML file that needs no network: the best trials, what
-- mattered, figures, and the report of the runs (bnn.run.report).
--     -- result = bnn.sweep{...}
--     -- local path = result:report "beta.html"
-- @param path string or nil: the file (default: report.html in the folder of the sweep, which is
--   sweeps/NAME in that of the runs)
-- @return the path; or nil, message
function Result:report(path)
  local folder = folder_of(self)
  path = path or folder .. "/report.html"
  local ok, fault = sweep_report.write(self, path, folder .. "/figures")
  if not ok then return nil, fault end
  return path
end

--- Draws the figures of a sweep, as the report shows them.
--     -- result = bnn.sweep{...}
--     -- for _, figure in ipairs(result:figures "figures") do print(figure.path, figure.title) end
-- @param folder string: where they go; it is made
-- @return list of {path=, title=}; or nil, message
function Result:figures(folder)
  expect.string("result:figures: folder", folder, "a path")
  return sweep_figures.draw(self, folder, "svg")
end

return M
