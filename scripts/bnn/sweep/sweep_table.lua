--- The best trials of a sweep as rows: of a table of text, and of one in the report.
local number = require "bnn.base.number"
local sweep_text = require "bnn.sweep.sweep_text"
local table_text = require "bnn.base.table_text"

local M = {}

-- The values of an objective.
local function values_of(trials, i)
  local values = {}
  for k, trial in ipairs(trials) do values[k] = trial.values[i] end
  return values
end

local function is_number_column(trials, name)
  for _, trial in ipairs(trials) do
    local v = trial.config[name]
    if v ~= nil and type(v) ~= "number" then return false end
  end
  return true
end

-- An objective with the standard error over seeds, if there are several.
local function add_objective(columns, result, trials, i)
  local plan, decimals = result.plan, number.decimals(values_of(trials, i))
  columns[#columns + 1] = {
    title = plan.objectives[i].name, is_number = true,
    cell = function(trial) return number.fixed(trial.values[i], decimals) end,
  }
  if not plan.seeds[2] then return end
  columns[#columns + 1] = {title = "se", is_number = true, cell = function(trial)
    local _, se = sweep_text.mean_and_se(plan, trial, i)
    return se and number.fixed(se, decimals + 1)
  end}
end

-- The columns of a table of some trials: {title=, is_number=, cell=function(trial) -> text or nil}.
local function columns_of(result, trials)
  local plan, columns = result.plan, {}
  columns[1] = {title = "trial", is_number = true,
                cell = function(trial) return number.text(trial.number) end}
  for _, name in ipairs(plan.names) do
    columns[#columns + 1] = {
      title = name, is_number = is_number_column(trials, name),
      cell = function(trial)
        return trial.config[name] ~= nil and sweep_text.value(trial.config[name]) or nil
      end,
    }
  end
  for i in ipairs(plan.objectives) do add_objective(columns, result, trials, i) end
  if plan.seeds[2] then
    columns[#columns + 1] = {title = "n", is_number = true, cell = function(trial)
      return number.text((select(3, sweep_text.mean_and_se(plan, trial))))
    end}
  end
  return columns
end

--- The best trials as a table; those of the Pareto set come first and have a *.
-- @param count integer: how many, at most
-- @return columns, a list of {title=, is_number=}; rows, lists of texts, nil where there is none
function M.best(result, count)
  local trials = table.move(result.ranking, 1, math.min(count, #result.ranking), 1, {})
  local columns, rows, place = columns_of(result, trials), {}, {}
  for i, trial in ipairs(trials) do place[trial] = i end
  if result.front then
    columns[#columns + 1] = {title = "Pareto", is_number = false, cell = function(trial)
      return place[trial] <= result.front and "*" or nil
    end}
  end
  for i, trial in ipairs(trials) do
    rows[i] = {}
    for k, column in ipairs(columns) do rows[i][k] = column.cell(trial) end
  end
  return columns, rows
end

--- The best trials as a table of text.
function M.text(result, count)
  local columns, rows = M.best(result, count)
  for i, column in ipairs(columns) do
    columns[i] = {column.title, key = i, align = column.is_number and "right" or "left"}
  end
  return table_text.render(rows, columns)
end

return M
