--- The scores of bnn.ood: numbers of a prediction that measure how far each example lies from what
-- the network knows. Higher means more out-of-distribution.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local nearest = require "bnn.base.nearest"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

-- Scores that are not fields of a prediction: name -> the field they come from, and how.
local derived = {
  one_minus_probability = {"probability", function(p) return 1 - p end},
}

-- Fields with a number for each example that do not grow with uncertainty.
local NO_SCORES = {
  class = "a label is not a score",
  mean = "what is predicted is not a score",
  probability = "it falls with uncertainty; use one_minus_probability",
}

-- Whether a value is a tensor [n] or [n, 1].
local function is_column(x)
  return kinds.is_object(x, "tensor") and (x:dim() == 1 or x:dim() == 2 and x:size(2) == 1)
end

--- Lists the names of the scores that a prediction has, in alphabetical order.
function M.names(prediction)
  local has = {}
  for name, value in pairs(prediction) do has[name] = is_column(value) and not NO_SCORES[name] end
  for name, from in pairs(derived) do has[name] = is_column(prediction[from[1]]) end
  local names = {}
  for _, name in ipairs(options.sorted_names(has)) do
    if has[name] then names[#names + 1] = name end
  end
  return names
end

-- In the order to show them.
local USUAL = {
  "class_std", "mutual_information", "entropy", "expected_entropy", "one_minus_probability",
  "variation_ratio", "energy",
}

--- Lists the usual scores that a prediction has, in display order. Raises if it has none of them.
function M.usual(what, prediction)
  local has, names = {}, {}
  for _, name in ipairs(M.names(prediction)) do has[name] = true end
  for _, name in ipairs(USUAL) do
    if has[name] then names[#names + 1] = name end
  end
  if #names > 0 then return names end
  fail("%s: the prediction has none of the scores %s", what, table.concat(USUAL, ", "))
end

local function fail_missing(what, prediction, name)
  if NO_SCORES[name] and prediction[name] then
    fail("%s: score %q: %s", what, name, NO_SCORES[name])
  end
  local there = M.names(prediction)
  local near = nearest.find(name, there)
  fail("%s: the prediction has no score %q: %s%s", what, name,
    near and ("did you mean '%s'? "):format(near) or "",
    #there > 0 and "it has " .. table.concat(there, ", ") or "it has none at all")
end

--- Counts the examples of a prediction. Raises if it is not what bnn.predict returns.
function M.size(what, prediction)
  local wanted = "what bnn.predict returns"
  local mean = type(prediction) == "table" and prediction.mean
  if not mean and not kinds.is_plain(prediction) then
    fail.expected(what .. ": prediction", wanted, prediction)
  end
  if kinds.is_object(mean, "tensor") and mean:dim() > 0 then return mean:size(1) end
  fail("%s: prediction: expected %s, got a table without mean [n, ...]", what, wanted)
end

local function by_name(what, prediction, name)
  local from = derived[name]
  if from and is_column(prediction[from[1]]) then return from[2](prediction[from[1]]) end
  local is_there = is_column(prediction[name]) and not NO_SCORES[name]
  if not is_there then fail_missing(what, prediction, name) end
  return prediction[name]
end

--- Computes the scores of a prediction; NaN stays NaN.
-- @param what string: the function's name for messages
-- @param score string, or function(prediction) -> tensor or list [n]
-- @return tensor f64 [n]
function M.of(what, prediction, score)
  local n = M.size(what, prediction)
  local is_named = type(score) == "string"
  local values = is_named and by_name(what, prediction, score) or not is_named and score(prediction)
  local name = is_named and score or "what the score's function returns"
  local x = inputs.tensor(what, name, values, "f64")
  if x:numel() ~= n or not is_column(x) then
    fail("%s: %s: expected [%d], got %s", what, name, n, shapes.text(x))
  end
  return x:view(n)
end

--- Returns scores; raises if there are none, or one is NaN.
function M.check(what, x)
  if x:size(1) == 0 then fail("%s: the prediction has no examples", what) end
  local at = core.find_nan(x)
  if at then fail("%s: the score of prediction %d is not a number", what, at) end
  return x
end

return M
