--- The figures of a sweep: each objective over the trials and against each parameter, parallel
-- coordinates, learning curves, tables of colours for two parameters, the front of two objectives.
local folders = require "bnn.base.folders"
local plot = require "bnn.plot.plot"
local span = require "bnn.plot.plot_trials".span
local sweep_columns = require "bnn.sweep.sweep_columns"
local sweep_text = require "bnn.sweep.sweep_text"

local M = {}

local CURVES_MOST = 60 -- trials
local CELLS_MOST = 12  -- values of a parameter in a table of colours
local TABLES_MOST = 4  -- tables side by side, one for each value of a third parameter
local AXES_MOST = 12   -- parameters of a figure, the most important
local WIDE = 3         -- axes side by side, from which on a figure is wide
local LABEL_MOST = 60  -- letters
local LINES_MOST = 200 -- trials of parallel coordinates
local PNG_SCALE = 1

-- A figure: {name=, title=, about=, draw=, opts=}.
local function add(list, name, title, about, draw, opts)
  list[#list + 1] = {name = name, title = title, about = about, draw = draw, opts = opts}
end

-- The options that figures of an objective share.
local function base(result, i, more)
  local objective = result.plan.objectives[i]
  more.values, more.states = sweep_columns.objective(result, i)
  more.mode = objective.mode
  return more
end

-- ---- parameters ----

-- The importance of each parameter by name; nothing if it is not known.
local function importance_of(result)
  local by_name = {}
  for _, item in ipairs(result:importance() or {}) do by_name[item.name] = item.importance end
  return by_name
end

-- Parameters, the most important first.
local function ranked(parameters, importance)
  local list, place = table.move(parameters, 1, #parameters, 1, {}), {}
  for i, parameter in ipairs(parameters) do place[parameter] = i end
  table.sort(list, function(a, b)
    local x, y = importance[a.name] or 0, importance[b.name] or 0
    if x ~= y then return x > y end
    return place[a] < place[b]
  end)
  return list
end

-- The parameters that figures show: those that differ, or the most important of them.
local function axes_of(result, importance)
  local parameters = sweep_columns.parameters(result)
  if #parameters <= AXES_MOST then return parameters end
  return table.move(ranked(parameters, importance), 1, AXES_MOST, 1, {})
end

-- ---- curves ----

-- The trials of which curves are drawn: the best, then those that are not complete.
local function curve_trials(result)
  local trials = {}
  for _, trial in ipairs(result.ranking) do trials[#trials + 1] = trial end
  for _, trial in ipairs(result.list) do
    if trial.state ~= "completed" then trials[#trials + 1] = trial end
  end
  return table.move(trials, 1, math.min(#trials, CURVES_MOST), 1, {})
end

-- The reports of a run as x and y.
local function curve_of(reports)
  local x, y = {}, {}
  for i, report in ipairs(reports) do x[i], y[i] = report[1], report[2] end
  return {x = x, y = y}
end

-- A trial in a legend: its configuration if that is short.
local function label_of(plan, trial)
  local text = sweep_text.config(plan, trial.config)
  return #text <= LABEL_MOST and text or ("trial %d"):format(trial.number)
end

-- What the runs of a trial reported, and whether any did so more than once.
local function reported(result, trial)
  local runs, is_curve = {}, false
  for r in ipairs(result.plan.seeds) do
    local reports = result.reports[r][trial.number] or {}
    is_curve = is_curve or #reports > 1
    if #reports > 0 then runs[#runs + 1] = curve_of(reports) end
  end
  return runs, is_curve
end

local function add_curves(list, result)
  local plan, curves, chosen = result.plan, {}, curve_trials(result)
  local is_there, best = false, nil
  for _, trial in ipairs(chosen) do
    local runs, is_curve = reported(result, trial)
    is_there = is_there or is_curve
    if runs[1] then
      if trial == result.ranking[1] then best = #curves + 1 end
      curves[#curves + 1] = {label = label_of(plan, trial), runs = runs, state = trial.state}
    end
  end
  if not is_there then return end
  local about = #chosen < #result.list and (", of %d of the %d trials, the best first"):format(
    #chosen, #result.list) or ""
  add(list, "curves", "Learning curves", ("what each trial reported%s%s"):format(
    plan.seeds[2] and ", the mean over its seeds" or "", about), plot.learning_curves,
    {trials = curves, best = best, mode = plan.objectives[1].mode, xlabel = "step",
     ylabel = plan.objectives[1].name})
end

-- ---- tables of colours ----

-- The most important two parameters that form a table, in the order of the space.
local function table_of(parameters, importance, count)
  local list, place = ranked(parameters, importance), {}
  for i, parameter in ipairs(parameters) do place[parameter] = i end
  for j = 2, #list do
    for i = 1, j - 1 do
      local a, b = list[i], list[j]
      if sweep_columns.are_table(a, b, count, CELLS_MOST) then
        if place[a] > place[b] then a, b = b, a end
        return a, b
      end
    end
  end
end

-- The other parameters than two.
local function rest_of(parameters, a, b)
  local rest = {}
  for _, parameter in ipairs(parameters) do
    if parameter ~= a and parameter ~= b then rest[#rest + 1] = parameter end
  end
  return rest
end

-- The values of the trials at which a parameter has a level; NaN for the others.
local function values_at(values, by_trial, level)
  local some = {}
  for i, v in ipairs(values) do some[i] = by_trial[i] == level and v or 0 / 0 end
  return some
end

-- The ends of a scale that several tables share: of all values but those that are far worse.
local function shared_range(values, mode)
  local losses, sign = {}, mode == "max" and -1 or 1
  for _, v in ipairs(values) do
    if v - v == 0 then losses[#losses + 1] = sign * v end
  end
  local least, most = span(losses)
  if not least or least == most then return nil end
  return sign < 0 and {-most, -least} or {least, most}
end

local function add_tables(list, result, importance)
  local parameters = sweep_columns.parameters(result)
  local a, b = table_of(parameters, importance, #result.list)
  if not a then return end
  local objective = result.plan.objectives[1]
  local function cells(name, title, about, more)
    more.x, more.y, more.zlabel = a, b, objective.name
    add(list, name, title, about, plot.cells, base(result, 1, more))
  end
  local rest = rest_of(parameters, a, b)
  local levels, by_trial = {}, nil
  if #rest == 1 then levels, by_trial = sweep_columns.levels(rest[1], #result.list) end
  local title = ("%s over %s and %s"):format(objective.name, a.name, b.name)
  if #levels < 2 or #levels > TABLES_MOST then
    return cells("cells", title, rest[1] and "the mean over the other parameters in each cell"
      or "the mean in each cell", {})
  end
  local values = sweep_columns.completed(result, 1)
  for k, level in ipairs(levels) do
    cells(("cells-%d"):format(k), ("%s, %s=%s"):format(title, rest[1].name, level),
      "one scale for all values of " .. rest[1].name, {zrange = shared_range(values,
        objective.mode)})
    list[#list].opts.values = values_at(values, by_trial, level)
  end
end

-- ---- all ----

local function suffix(i) return i == 1 and "" or "-" .. i end

local function add_history(list, result, i)
  local name = result.plan.objectives[i].name
  add(list, "history" .. suffix(i), name .. " of each trial",
    "in the order of their numbers, and the best so far", plot.history,
    base(result, i, {ylabel = name}))
end

-- An objective against each parameter.
local function add_slice(list, result, i, axes)
  if not axes[1] then return end
  local name = result.plan.objectives[i].name
  add(list, "slice" .. suffix(i), name .. " against each parameter", nil, plot.slice,
    base(result, i, {ylabel = name, parameters = axes}))
  list[#list].is_wide = #axes >= WIDE
end

-- The best trials as a result of their own, if there are more than so many.
local function best_of(result, most)
  if #result.list <= most then return result, false end
  local list = table.move(result.ranking, 1, math.min(most, #result.ranking), 1, {})
  return {plan = result.plan, reports = result.reports, list = list}, true
end

local function add_parallel(list, result, importance)
  local some, is_part = best_of(result, LINES_MOST)
  local axes, name = axes_of(some, importance), result.plan.objectives[1].name
  if not axes[2] then return end
  local which = is_part and ("of the %d best trials"):format(#some.list) or "trial"
  add(list, "parallel", "Trials over all parameters",
    ("a line for each %s, in the colour of its %s"):format(which, name), plot.parallel,
    base(some, 1, {ylabel = name, parameters = axes}))
end

local function add_front(list, result)
  local one, two = table.unpack(result.plan.objectives)
  if #result.plan.objectives ~= 2 then return end
  local _, states = sweep_columns.objective(result, 1)
  add(list, "pareto", ("%s against %s"):format(two.name, one.name),
    "the trials that no other beats in both are joined", plot.pareto,
    {x = sweep_columns.completed(result, 1), y = sweep_columns.completed(result, 2),
     states = states, xlabel = one.name, ylabel = two.name, xmode = one.mode, ymode = two.mode})
end

-- What to draw.
local function drawings(result)
  local list, importance = {}, importance_of(result)
  local axes = axes_of(result, importance)
  add_front(list, result)
  for i in ipairs(result.plan.objectives) do add_history(list, result, i) end
  add_curves(list, result)
  add_tables(list, result, importance)
  add_parallel(list, result, importance)
  for i in ipairs(result.plan.objectives) do add_slice(list, result, i, axes) end
  return list
end

local function size_of(path)
  local file <close> = io.open(path, "rb")
  return file and file:seek "end" or 0
end

-- Draws one. An SVG of more than so many bytes is drawn as a PNG in its place.
-- @return {path=, title=, about=, is_wide=}; or nil, message
local function draw(drawing, folder, kind, most)
  local opts = drawing.opts
  opts.path = ("%s/%s.%s"):format(folder, drawing.name, kind)
  local drawn, fault = drawing.draw(opts)
  if not drawn then return nil, fault end
  if kind == "svg" and most and size_of(opts.path) > most then
    os.remove(opts.path)
    opts.scale = PNG_SCALE
    return draw(drawing, folder, "png")
  end
  return {path = opts.path, title = drawing.title, about = drawing.about,
          is_wide = drawing.is_wide}
end

--- Draws the figures of a sweep.
-- @param result bnn.sweep.sweep_result
-- @param folder string; it is made
-- @param kind string: "svg" or "png"
-- @param most integer or nil: bytes of an SVG; a larger figure becomes a PNG
-- @return list of {path=, title=, about= a line, or nil, is_wide= whether it needs a whole row};
--   or nil, message
function M.draw(result, folder, kind, most)
  if #result.list == 0 then return {} end
  local ok, fault = folders.make(folder)
  if not ok then return nil, fault end
  local done = {}
  for _, drawing in ipairs(drawings(result)) do
    local figure, why = draw(drawing, folder, kind, most)
    if not figure then return nil, why end
    done[#done + 1] = figure
  end
  return done
end

return M
