--- Reads parameters of trials as columns: numbers, or categories by their places.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

local SPEC = {
  name = {type = "string", required = true}, values = {type = "table", required = true},
  choices = "table", log = {type = "boolean", default = false},
  low = "number", high = "number", step = {type = "number", above = 0},
}

--- A value as a label: [64,64] for a list; 64 and 64.0 are the same.
function M.text(v)
  if type(v) == "string" then return v end
  if type(v) == "table" then return core.json_encode(v) end
  return number.text(math.type(v) == "float" and math.tointeger(v) or v)
end

local KINDS = {number = true, string = true, boolean = true, table = true}

-- Whether there is a value; raises if it cannot be one of a parameter.
local function is_there(what, v, i)
  if v ~= nil and not KINDS[type(v)] then
    fail("%s: values[%d]: expected a number, text, true, false or a list, got %s", what, i,
      kinds.shown(v))
  end
  return v ~= nil and v == v
end

-- The texts of the choices, those given or those that occur, sorted; nil if all are numbers.
local function choices_of(what, p, n)
  local texts, seen, is_category = {}, {}, p.choices ~= nil
  for _, choice in ipairs(p.choices or {}) do texts[#texts + 1] = M.text(choice) end
  if p.choices then return texts end
  for i = 1, n do
    local v = p.values[i]
    if is_there(what, v, i) then
      is_category = is_category or type(v) ~= "number"
      local text = M.text(v)
      if not seen[text] then texts[#texts + 1] = text end
      seen[text] = true
    end
  end
  if not is_category then return nil end
  table.sort(texts, strings.before)
  return texts
end

-- The places of the values among choices.
local function places(what, p, choices, n)
  local place_of, found = {}, {}
  for i, text in ipairs(choices) do place_of[text] = i end
  for i = 1, n do
    local v = p.values[i]
    if is_there(what, v, i) then
      found[i] = place_of[M.text(v)]
      if not found[i] then
        fail("%s: values[%d]: expected one of its choices %s, got %s", what, i,
          table.concat(choices, ", "), M.text(v))
      end
    end
  end
  return found
end

-- Numbers, and their range as far as it is not given.
local function numbers(what, p, n)
  local values, low, high = {}, math.huge, -math.huge
  for i = 1, n do
    local v = p.values[i]
    if is_there(what, v, i) then
      if p.log and v <= 0 then
        fail("%s: values[%d]: expected a number above 0, as log is true, got %g", what, i, v)
      end
      values[i], low, high = v, math.min(low, v), math.max(high, v)
    end
  end
  return values, p.low or low, p.high or high
end

--- The greatest index of a column with gaps.
function M.length(values)
  local n = 0
  for i in pairs(values) do
    if math.type(i) == "integer" then n = math.max(n, i) end
  end
  return n
end

--- Raises unless a column with gaps holds numbers alone; nan is one.
function M.check_numbers(what, values, n)
  for i = 1, n do
    if values[i] ~= nil and type(values[i]) ~= "number" then
      fail.expected(("%s[%d]"):format(what, i), "a number", values[i])
    end
  end
end

--- Trials as the columns that bnn.importance and the figures of trials take: values, states, and
-- parameters.
-- @param trials list of {config=, state=, value=, reports=}; a pruned one's value is its last
--   report
-- @param parameters list of {name=, log=, low=, high=, step=, choices=}
-- @return {values=, states=, parameters= with the values of each}
function M.of_trials(trials, parameters)
  local columns = {values = {}, states = {}, parameters = {}}
  for i, trial in ipairs(trials) do
    local last = trial.reports and trial.reports[#trial.reports]
    columns.states[i] = trial.state
    columns.values[i] = trial.value or trial.state == "pruned" and last and last[2] or nil
  end
  for k, p in ipairs(parameters) do
    local column = {values = {}}
    for name, field in pairs(p) do column[name] = field end
    for i, trial in ipairs(trials) do column.values[i] = trial.config[p.name] end
    columns.parameters[k] = column
  end
  return columns
end

--- Reads one parameter.
-- @param p table: name=, values= n entries, nil where a trial lacks it; choices= a list, for
--   categories; log=, low=, high=, step= of numbers, low and high by default the least and greatest
-- @param n how many trials there are
-- @return {name=, values= numbers or places of choices, by trial; choices= texts or nil; low=,
--   high=, step=, log=}
function M.read(what, p, n)
  p = options.check(what, p, SPEC)
  what = ("%s: %s"):format(what, strings.shown(p.name))
  local choices = choices_of(what, p, n)
  local column = {name = p.name, choices = choices, step = p.step, log = p.log}
  if choices then
    column.values, column.low, column.high = places(what, p, choices, n), 1, #choices
  else
    column.values, column.low, column.high = numbers(what, p, n)
  end
  return column
end

--- Reads a list of parameters, which may not be empty.
function M.read_all(what, parameters, n)
  if #parameters == 0 then fail("%s: parameters: expected at least one, got none", what) end
  local columns = {}
  for i, p in ipairs(parameters) do
    columns[i] = M.read(("%s: parameter %d"):format(what, i), p, n)
  end
  return columns
end

return M
