--- The trials of a sweep as columns of plain values, as figures and importances take them.
local sweep_text = require "bnn.sweep.sweep_text"

local M = {}

local LOG_RATIO = 100 -- of the greatest to the least value, from which on a scale is logarithmic

--- The values of an objective, NaN where a trial has none, and the states of the trials.
function M.objective(result, i)
  local values, states = {}, {}
  for k, trial in ipairs(result.list) do
    values[k], states[k] = trial.values and trial.values[i] or 0 / 0, trial.state
  end
  return values, states
end

-- The values of a parameter, lists as text; whether they differ; and the least and the greatest, if
-- all are numbers.
local function values_of(trials, name)
  local values, first, differs, least, most = {}, nil, false, math.huge, -math.huge
  for i, trial in ipairs(trials) do
    local v = trial.config[name]
    if type(v) == "table" then v = sweep_text.value(v) end
    if first == nil then first = v end
    differs = differs or v ~= first
    values[i] = v
    if type(v) == "number" and least then
      least, most = math.min(least, v), math.max(most, v)
    elseif v ~= nil then
      least = nil
    end
  end
  return values, differs, least, most
end

--- The parameters that differ between trials: a list of {name=, values=, log=}.
function M.parameters(result)
  local list = {}
  for _, parameter in ipairs(result.plan.space.parameters) do
    local name, domain = parameter.name, parameter.domain
    local values, differs, least, most = values_of(result.list, name)
    local is_log = least and least > 0 and (domain.is_log or most / least >= LOG_RATIO) or nil
    if differs then list[#list + 1] = {name = name, values = values, log = is_log} end
  end
  return list
end

--- Whether two parameters are a table: every pair of their values is there or nearly so.
function M.are_table(a, b)
  local rows, columns, cells, n = {}, {}, {}, {0, 0, 0}
  local function count(seen, key, i)
    if not seen[key] then seen[key], n[i] = true, n[i] + 1 end
  end
  for i, v in pairs(a.values) do
    local w = b.values[i]
    if w ~= nil then
      count(rows, v, 1)
      count(columns, w, 2)
      count(cells, sweep_text.value(v) .. " " .. sweep_text.value(w), 3)
    end
  end
  return n[1] > 1 and n[2] > 1 and 2 * n[3] > n[1] * n[2]
end

return M
