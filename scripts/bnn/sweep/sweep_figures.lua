--- The figures of a sweep: the objective over the trials and against each parameter, parallel
-- coordinates, learning curves, a table of colours for two parameters, the front of two objectives.
local folders = require "bnn.base.folders"
local plot = require "bnn.plot.plot"
local sweep_columns = require "bnn.sweep.sweep_columns"
local sweep_text = require "bnn.sweep.sweep_text"

local M = {}

local CURVES_MOST = 60 -- trials

-- The reports of a run as x and y.
local function curve_of(reports)
  local x, y = {}, {}
  for i, report in ipairs(reports) do x[i], y[i] = report[1], report[2] end
  return {x = x, y = y}
end

-- The learning curves of the trials, a run for each seed; nil if none has any.
local function curves_of(result)
  local trials, some = {}, false
  for i, trial in ipairs(result.list) do
    if i > CURVES_MOST then break end
    local runs = {}
    for r in ipairs(result.plan.seeds) do
      local reports = result.reports[r][trial.number] or {}
      if #reports > 1 then runs[#runs + 1] = curve_of(reports) end
    end
    if runs[1] then
      some = true
      trials[#trials + 1] = {label = sweep_text.config(result.plan, trial.config), runs = runs,
                             state = trial.state}
    end
  end
  return some and trials or nil
end

-- What to draw: a list of {file name, title, function(path) -> true; or nil, message}.
local function drawings(result)
  local plan = result.plan
  local values, states = sweep_columns.objective(result, 1)
  local objective, parameters = plan.objectives[1], sweep_columns.parameters(result)
  local list = {}
  local function add(name, title, draw, opts)
    opts.values, opts.states, opts.mode = values, states, objective.mode
    list[#list + 1] = {name, title, draw, opts}
  end
  add("history", "Objective of each trial", plot.history, {ylabel = objective.name})
  if parameters[1] then
    add("slice", "Objective against each parameter", plot.slice,
      {ylabel = objective.name, parameters = parameters})
  end
  if parameters[2] then
    add("parallel", "Trials over all parameters", plot.parallel,
      {ylabel = objective.name, parameters = parameters})
  end
  if #parameters == 2 and sweep_columns.are_table(parameters[1], parameters[2]) then
    add("cells", "Objective over both parameters", plot.cells,
      {zlabel = objective.name, x = parameters[1], y = parameters[2]})
  end
  local curves = curves_of(result)
  if curves then
    list[#list + 1] = {"curves", "Learning curves", plot.learning_curves,
                       {trials = curves, mode = objective.mode, xlabel = "step",
                        ylabel = objective.name}}
  end
  if #plan.objectives == 2 then
    local second = sweep_columns.objective(result, 2)
    list[#list + 1] = {"pareto", "Pareto front", plot.pareto,
                       {x = values, y = second, xmode = objective.mode, states = states,
                        ymode = plan.objectives[2].mode, xlabel = objective.name,
                        ylabel = plan.objectives[2].name}}
  end
  return list
end

--- Draws the figures of a sweep.
-- @param result bnn.sweep.sweep_result
-- @param folder string; it is made
-- @param kind string: "svg" or "png"
-- @return list of {path=, title=}; or nil, message
function M.draw(result, folder, kind)
  if #result.list == 0 then return {} end
  local ok, fault = folders.make(folder)
  if not ok then return nil, fault end
  local done = {}
  for _, drawing in ipairs(drawings(result)) do
    local name, title, draw, opts = table.unpack(drawing)
    opts.path = ("%s/%s.%s"):format(folder, name, kind)
    local drawn, why = draw(opts)
    if not drawn then return nil, why end
    done[#done + 1] = {path = opts.path, title = title}
  end
  return done
end

return M
