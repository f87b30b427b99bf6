--- What a sweep has come to: its trials, the best of them, the Pareto set of several objectives.
local expect = require "bnn.base.expect"
local importance = require "bnn.search.analysis.importance".importance
local moments = require "bnn.records.runs_table".moments
local pareto_set = require "bnn.search.pareto_set"
local sweep_columns = require "bnn.sweep.sweep_columns"
local sweep_figures = require "bnn.sweep.sweep_figures"
local sweep_table = require "bnn.sweep.sweep_table"
local sweep_text = require "bnn.sweep.sweep_text"

local M = {}

local TRIALS_SHOWN, REASONS_SHOWN = 10, 5
local STATES = {{"completed"}, {"pruned"}, {"failed"}, {"running", "unfinished"}} -- and their words

local Result = {__name = "bnn.sweep_result"}
Result.__index = Result

function Result:__tostring()
  local counts = self.counts
  return ("sweep: %s, %d of %d runs done, %d failed"):format(self.name,
    counts.completed + counts.pruned, counts.total, counts.failed)
end

-- ---- the best ----

-- The trials that are complete, the best first by the first objective; equals by the next one, and
-- then in the order of their numbers.
local function ranked(plan, trials)
  local list = {}
  for _, trial in ipairs(trials) do
    if trial.state == "completed" then list[#list + 1] = trial end
  end
  table.sort(list, function(a, b)
    for i, objective in ipairs(plan.objectives) do
      local x, y = a.values[i], b.values[i]
      if x ~= y then return (x < y) == (objective.mode == "min") end
    end
    return a.number < b.number
  end)
  return list
end

-- The same with the Pareto set first, and how many are in it.
local function with_front_first(plan, ranking)
  local points, modes, is_front, list = {}, {}, {}, {}
  for i, objective in ipairs(plan.objectives) do modes[i] = objective.mode end
  for i, trial in ipairs(ranking) do points[i] = trial.values end
  local front = pareto_set.find("bnn.sweep", points, modes)
  for _, i in ipairs(front) do list[#list + 1], is_front[i] = ranking[i], true end
  for i, trial in ipairs(ranking) do
    if not is_front[i] then list[#list + 1] = trial end
  end
  return list, #front
end

-- ---- for users ----

-- A trial as plain values.
local function public(plan, trial)
  local _, se, n = sweep_text.mean_and_se(plan, trial)
  local runs = {}
  for r, run in pairs(trial.runs) do runs[r] = run.run end
  return {number = trial.number, config = trial.config, value = trial.value, values = trial.values,
          se = se, n = n, runs = runs}
end

-- The mean of each metric over the runs of a trial, its standard error if there are several, and
-- the seconds that all took.
local function metrics_of(plan, trial)
  local lists, means, errors, seconds = {}, {}, {}, 0
  for r in ipairs(plan.seeds) do
    local outcome = trial.runs[r] and trial.runs[r].outcome or {}
    seconds = seconds + (outcome.seconds or 0)
    for name, v in pairs(outcome.values and outcome.metrics or {}) do
      lists[name] = lists[name] or {}
      if type(v) == "number" then table.insert(lists[name], v) end
    end
  end
  for name, list in pairs(lists) do
    if list[1] then
      local mean, _, se = moments(list)
      means[name], errors[name] = mean, se
    end
  end
  return means, errors, seconds
end

-- The trials as columns: number, state, value, se, n, seconds, metrics and their errors by name,
-- and the parameters; NaN where a trial has no number.
local function columns_of(plan, trials)
  local columns = {number = {}, state = {}, value = {}, se = {}, n = {}, seconds = {}, metrics = {},
                   metrics_se = {}, config = {}}
  for _, name in ipairs(plan.names) do columns.config[name] = {} end
  for i, trial in ipairs(trials) do
    local _, se, n = sweep_text.mean_and_se(plan, trial)
    columns.number[i], columns.state[i] = trial.number, trial.state
    columns.value[i], columns.se[i], columns.n[i] = trial.value or 0 / 0, se or 0 / 0, n
    columns.metrics[i], columns.metrics_se[i], columns.seconds[i] = metrics_of(plan, trial)
    for name, column in pairs(columns.config) do
      local value = trial.config[name]
      column[i] = value == nil and 0 / 0 or value
    end
  end
  return columns
end

--- Makes the result of a plan from its book.
-- @return result: name, best, trials, pareto and counts, which are for users; plan, list= trials as
--   the book has them, ranking= the complete ones, best first, front= how many of these are the
--   Pareto set, reports= by replicate and trial
function M.new(plan, book)
  local trials = book:trials(plan.seeds)
  local ranking, front = ranked(plan, trials), nil
  if plan.objectives[2] then ranking, front = with_front_first(plan, ranking) end
  local self = setmetatable({
    name = plan.name, plan = plan, list = trials, ranking = ranking, front = front,
    counts = book:counts(), best = ranking[1] and public(plan, ranking[1]) or nil,
    trials = columns_of(plan, trials), reports = {},
  }, Result)
  for r in ipairs(plan.seeds) do self.reports[r] = book:reports(r) end
  if front then
    self.pareto = {}
    for i = 1, front do self.pareto[i] = public(plan, ranking[i]) end
  end
  return self
end

-- ---- as text ----

local function failures_text(result)
  local list, lines = sweep_text.failures(result.plan, result.list), {}
  for i = 1, math.min(#list, REASONS_SHOWN) do
    local item = list[i]
    lines[i] = ("  %s%s: %s\n"):format(item.run,
      item.count > 1 and (" and %d more"):format(item.count - 1) or "", item.why)
  end
  if not lines[1] then return "" end
  local more = #list - #lines
  return "\nfailed:\n" .. table.concat(lines)
    .. (more > 0 and ("  and %s\n"):format(sweep_text.count(more, "other reason")) or "")
end

local function importance_text(result)
  local words = {}
  for i, item in ipairs(result:importance() or {}) do
    words[i] = ("%s %.0f%%"):format(item.name, 100 * item.importance)
  end
  return words[2] and ("\nwhat mattered (PED-ANOVA): %s\n"):format(table.concat(words, ", ")) or ""
end

--- Renders what a sweep has come to as text: how many trials there are, the best as a table, which
-- parameters mattered, and why runs failed.
--     local result = bnn.sweep{
--       experiment = function(cfg) return {loss = (cfg.x - 2) ^ 2} end, space = {x = {1, 2, 3}},
--       objective = "loss", mode = "min", runs = "runs", name = "text",
--     }
--     io.write(result:text(2))
-- @param count integer or nil: how many trials the table has, default 10
-- @return string
function Result:text(count)
  local states, words = {}, {}
  for _, state in ipairs(self.trials.state) do states[state] = (states[state] or 0) + 1 end
  for _, row in ipairs(STATES) do
    local n = states[row[1]]
    if n then words[#words + 1] = ("%d %s"):format(n, row[2] or row[1]) end
  end
  local head = ("%s: %s"):format(sweep_text.count(#self.list, "trial"), table.concat(words, ", "))
  if self.front then head = ("%s; Pareto front: %d"):format(head, self.front) end
  return head .. "\n" .. (self.best and "\n" .. self:table(count) or "") .. importance_text(self)
    .. failures_text(self)
end

--- Renders the best trials as a table: the parameters, and the mean of each objective over the
-- seeds with its standard error.
--     local result = bnn.sweep{
--       experiment = function(cfg) return {loss = (cfg.x - 2) ^ 2} end, space = {x = {1, 2, 3}},
--       objective = "loss", mode = "min", runs = "runs", name = "table",
--     }
--     io.write(result:table(3))
-- @param count integer or nil: how many, default 10; of several objectives the Pareto set comes
--   first and has a * each
-- @return string; the titles alone if no trial is complete
function Result:table(count)
  if count ~= nil then
    expect.value("result:table: count", count, {type = "integer", min = 0})
  end
  return sweep_table.text(self, count or TRIALS_SHOWN)
end

-- ---- what mattered, figures, the report ----

--- Computes which parameters mattered for the first objective, as bnn.importance does, over the
-- trials that are complete.
--     local result = bnn.sweep{
--       experiment = function(cfg) return {loss = (cfg.x - 2) ^ 2 + cfg.y / 9} end, trials = 12,
--       space = {x = bnn.space.uniform(0, 4), y = {1, 2, 3}}, objective = "loss", mode = "min",
--       runs = "runs", name = "importance",
--     }
--     for _, p in ipairs(result:importance() or {}) do print(p.name, p.importance) end
-- @return list of {name=, importance=}, which sum up to 1, the greatest first; or nil, message if
--   fewer than 10 trials are complete, all have the same value, or no parameter differs
function Result:importance()
  local parameters = sweep_columns.parameters(self)
  if not parameters[1] then return nil, "importance: no parameter differs between trials" end
  return importance{values = sweep_columns.completed(self, 1), parameters = parameters,
                    mode = self.plan.objectives[1].mode}
end

-- The folder of the sweep, beside those of its runs.
local function folder_of(self) return ("%s/sweeps/%s"):format(self.plan.root, self.name) end

--- Writes the report of a sweep, one HTML file that needs no network: the best trials, what
-- mattered, figures, what failed or was pruned and why, and the report of the runs
-- (bnn.run.report).
--     local result = bnn.sweep{
--       experiment = function(cfg) return {loss = (cfg.x - 2) ^ 2} end, space = {x = {1, 2, 3}},
--       objective = "loss", mode = "min", runs = "runs", name = "report",
--     }
--     local path, message = result:report "loss.html"
-- @param path string or nil: the file (default: report.html in the folder of the sweep, which is
--   sweeps/NAME in that of the runs)
-- @return the path; or nil, message
function Result:report(path)
  if path ~= nil then expect.string("result:report: path", path, "a path") end
  local folder = folder_of(self)
  path = path or folder .. "/report.html"
  local ok, fault = require "bnn.sweep.sweep_report".write(self, path, folder .. "/figures")
  if not ok then return nil, fault end
  return path
end

--- Draws the figures of a sweep, as the report shows them: each objective over the trials and
-- against each parameter, parallel coordinates, learning curves, tables of colours where two
-- parameters form a grid, the front of two objectives.
--     local result = bnn.sweep{
--       experiment = function(cfg) return {loss = (cfg.x - 2) ^ 2} end, space = {x = {1, 2, 3}},
--       objective = "loss", mode = "min", runs = "runs", name = "figures",
--     }
--     for _, figure in ipairs(result:figures "figures" or {}) do
--       print(figure.path, figure.title)
--     end
-- @param folder string: where they go; it is made
-- @param kind string: "svg", the default, or "png"
-- @return list of {path=, title=, about=}; or nil, message
function Result:figures(folder, kind)
  expect.string("result:figures: folder", folder, "a path")
  if kind ~= nil then
    expect.value("result:figures: kind", kind, {type = "string", choices = {"svg", "png"}})
  end
  return sweep_figures.draw(self, folder, kind or "svg")
end

return M
