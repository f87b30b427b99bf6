--- How trials read: "test/accuracy 0.978 (se 0.001, n 3), trial 7: beta=0.001 logvar=-7".
local number = require "bnn.base.number"
local kinds = require "bnn.base.kinds"

local M = {}

local function value_text(v)
  if type(v) == "string" then return v end
  if math.type(v) == "float" then return number.format("%.4g", v) end
  if type(v) == "table" then
    local items = {}
    for i, item in ipairs(v) do items[i] = value_text(item) end
    return table.concat(items, ",")
  end
  return kinds.show(v)
end

--- A value of a configuration, short.
M.value = value_text

--- The configuration of a trial in the order of the space: "beta=0.001 logvar=-7".
function M.config(plan, config)
  local words = {}
  for _, name in ipairs(plan.names) do
    if config[name] ~= nil then words[#words + 1] = name .. "=" .. value_text(config[name]) end
  end
  return table.concat(words, " ")
end

--- Mean and standard error of the first objective over the seeds of a trial; se is nil for one.
function M.mean_and_se(trial)
  local n = #trial.seeds
  if n < 2 then return trial.value, nil, n end
  local squares = 0
  for _, row in ipairs(trial.seeds) do squares = squares + (row.value - trial.value) ^ 2 end
  return trial.value, math.sqrt(squares / (n - 1) / n), n
end

--- A trial in one line.
function M.trial(plan, trial)
  local words = {}
  for i, objective in ipairs(plan.objectives) do
    words[i] = number.format("%s %.4g", objective.name, trial.values[i])
  end
  local _, se, n = M.mean_and_se(trial)
  if se then words[1] = words[1] .. number.format(" (se %.2g, n %d)", se, n) end
  return ("%s, trial %d: %s"):format(table.concat(words, ", "), trial.number,
    M.config(plan, trial.config))
end

return M
