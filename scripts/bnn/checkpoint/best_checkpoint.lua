--- The best checkpoint of a training: the metric that selects it, and its value so far.
--
-- A `best` is {monitor=, mode=, value=}; monitor, a metric's name, is nil if there is none.
local options = require "bnn.base.options"
local refusal = require "bnn.base.refusal"
local strings = require "bnn.base.strings"

local M = {}

--- Makes a best without a value.
function M.new(monitor, mode) return {monitor = monitor, mode = mode} end

--- Describes a metric and mode: "test/accuracy (max)"; nil without a metric.
function M.text(monitor, mode)
  return monitor and ("%s (%s)"):format(monitor, mode == "min" and "min" or "max") or nil
end

-- "; it returns test/accuracy, test/elbo"
local function known_text(rows)
  local names = options.sorted_names(rows)
  for i, row in ipairs(rows) do names[i] = row[1] end
  return names[1] and "; it returns " .. table.concat(names, ", ")
end

--- Returns the number that evaluate returned for a metric, or ends the program with a refusal.
-- @param option string: the option of bnn.train that names the metric, "checkpoint" or "stop"
function M.value_in(rows, name, option)
  local value = rows[name]
  for _, row in ipairs(rows) do
    if row[1] == name then value = row[2] end
  end
  if type(value) == "userdata" and value.item then value = value:item() end
  if type(value) == "number" then return value end
  local given = value == nil and "does not return" .. (known_text(rows) or "")
    or "returns as a " .. type(value)
  refusal.assert_or_exit(nil,
    ("bnn.train: %s: monitor = '%s', which evaluate %s"):format(option, name, given))
end

--- Whether a value is better than the one so far; NaN never is.
function M.is_better(best, value)
  if value ~= value then return false end
  if best.value == nil then return true end
  if best.mode == "max" then return value > best.value end
  return value < best.value
end

-- What a checkpoint says of the best so far; nil if it says nothing.
local function noted(saved)
  local training = saved and saved.training or {}
  return type(training.best_value) == "number" and training or nil
end

--- Returns what the training that resumes from `saved` knows of its best. A best of that step or a
-- later one was found after `saved` was written. That step will be evaluated again, so the value
-- before it counts.
-- @param saved what checkpoint.load returned
-- @param file the same for best.safetensors, or nil
-- @return table {best=, best_mode=, best_value=}; or nil
function M.known(saved, file)
  return noted(file and file.step and file.step >= saved.step and saved or file)
end

--- Resumes from the known value if it is of the same metric. Otherwise any value will be better,
-- and best.safetensors is replaced at the next evaluation.
-- @param path string: of best.safetensors
function M.resume(best, known, path)
  if not (best.monitor and known) then return end
  local theirs, ours = M.text(known.best, known.best_mode), M.text(best.monitor, best.mode)
  if theirs == ours then
    best.value = known.best_value
  else
    strings.notice(strings.message(
      "WARNING: %s: best by %s, now by %s: the search for the best starts anew", path,
      theirs or "a metric that it does not name", ours))
  end
end

return M
