--- The trials of a sweep as columns of plain values, as figures and importances take them.
local parameter_columns = require "bnn.search.analysis.parameter_columns"
local strings = require "bnn.base.strings"

local M = {}

local TEXT_MOST = 16  -- characters of a category
local LOG_RATIO = 100 -- of the greatest to the least value of a list, for a logarithmic scale

--- The last that a trial reported, {step, value}, of the last of its seeds that did; or nil.
function M.last_report(result, trial)
  for r = #result.plan.seeds, 1, -1 do
    local reports = result.reports[r][trial.number]
    if reports then return reports[#reports] end
  end
end

-- What figures show of a trial for an objective: its value, or the last report if it was pruned.
local function shown_value(result, trial, i)
  if trial.state ~= "pruned" then return trial.values and trial.values[i] end
  local report = i == 1 and M.last_report(result, trial)
  return report and report[2]
end

--- The values of an objective, NaN where a trial has none, and the states of the trials. The value
-- of a pruned trial is the last that it reported.
function M.objective(result, i)
  local values, states = {}, {}
  for k, trial in ipairs(result.list) do
    values[k], states[k] = shown_value(result, trial, i) or 0 / 0, trial.state
  end
  return values, states
end

--- The values of an objective of the trials that are complete, NaN for the others.
function M.completed(result, i)
  local values, states = M.objective(result, i)
  for k, state in ipairs(states) do
    if state ~= "completed" then values[k] = 0 / 0 end
  end
  return values
end

-- The values of a parameter; whether they differ; and the least and the greatest, if all are
-- numbers.
local function values_of(trials, name)
  local values, first, differs, least, most = {}, nil, false, math.huge, -math.huge
  for i, trial in ipairs(trials) do
    local v = trial.config[name]
    local text = v ~= nil and parameter_columns.text(v)
    if first == nil then first = text end
    differs = differs or text ~= first
    values[i] = v
    if type(v) == "number" and least then
      least, most = math.min(least, v), math.max(most, v)
    elseif v ~= nil then
      least = nil
    end
  end
  return values, differs, least, most
end

-- The choices of a domain that has other values than numbers, in their order, cut short if they
-- differ then; and a function that gives the text of a value.
local function categories(domain)
  local is_category, texts, seen = false, {}, {}
  for i, choice in ipairs(domain.choices or {}) do
    is_category = is_category or type(choice) ~= "number"
    texts[i] = strings.cut(parameter_columns.text(choice), TEXT_MOST)
    if seen[texts[i]] then return domain.choices, parameter_columns.text end
    seen[texts[i]] = true
  end
  if not is_category then return nil end
  return texts, function(v) return strings.cut(parameter_columns.text(v), TEXT_MOST) end
end

local function mapped(values, text_of)
  local texts = {}
  for i, v in pairs(values) do texts[i] = text_of(v) end
  return texts
end

--- The parameters that differ between trials: a list of {name=, values=, log=, choices=}.
function M.parameters(result)
  local list = {}
  for _, parameter in ipairs(result.plan.space.parameters) do
    local name, domain = parameter.name, parameter.domain
    local values, differs, least, most = values_of(result.list, name)
    local is_log = least and least > 0
      and (domain.is_log or domain.choices and most / least >= LOG_RATIO) or nil
    local choices, text_of = categories(domain)
    if choices then values = mapped(values, text_of) end
    if differs then
      list[#list + 1] = {name = name, values = values, log = is_log, choices = choices}
    end
  end
  return list
end

--- The different values of a parameter as texts, in the order of the trials.
-- @return list, and a table by trial
function M.levels(parameter, count)
  local texts, seen, by_trial = {}, {}, {}
  for i = 1, count do
    local v = parameter.values[i]
    if v ~= nil then
      local text = parameter_columns.text(v)
      by_trial[i] = text
      if not seen[text] then seen[text], texts[#texts + 1] = true, text end
    end
  end
  return texts, by_trial
end

--- Whether two parameters are a table: half of the pairs of their values, or more, are there.
-- @param most integer: values of each, at most
function M.are_table(a, b, count, most)
  local rows, row_of = M.levels(a, count)
  local columns, column_of = M.levels(b, count)
  if #rows < 2 or #columns < 2 or #rows > most or #columns > most then return false end
  local seen, n = {}, 0
  for i = 1, count do
    local pair = row_of[i] and column_of[i] and row_of[i] .. "\0" .. column_of[i]
    if pair and not seen[pair] then seen[pair], n = true, n + 1 end
  end
  return 2 * n > #rows * #columns
end

return M
