--- Weights of examples by their classes, so that rare classes count as much as common ones.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local example_weights = require "bnn.model.example_weights"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

-- Labels i32 [n], none below 0, and one more than the largest; raises.
local function labels_of(what, y, count)
  local labels, fault = classes.labels(y)
  if not labels then fail("%s: y: %s", what, fault) end
  if labels:numel() == 0 then fail("%s: y: expected labels, got none", what) end
  local real = labels:real()
  local least, most = math.tointeger(real:min():item()), math.tointeger(real:max():item())
  if least < 0 or count and most >= count then
    fail("%s: y: expected labels of 0 to %d, got %d", what, (count or most + 1) - 1,
      least < 0 and least or most)
  end
  return labels, count or most + 1
end

--- Computes weights of classes that balance them: of class c n / (C n_c), so that all classes have
-- the same sum of weights, and weights are 1 on average over the examples (scikit-learn's
-- "balanced").
--     bnn.data.class_weights(bnn.tensor({0, 0, 0, 1}, "i32")):totable()     -- {0.667, 2}
-- @param y tensor [n] of labels 0, 1, ...
-- @param opts table: classes= their number (default: the largest label + 1)
-- @return tensor real [classes]
-- Raises if a class has no example.
function M.class_weights(y, opts)
  local what = "bnn.data.class_weights"
  opts = options.check(what, opts, {classes = {type = "integer", min = 1}})
  if kinds.is_plain(y) then y = fail.within(what .. ": y", core.tensor, y, "i32") end
  if not kinds.is_object(y, "tensor") then
    fail.expected(what .. ": y", "a tensor [n] of labels", y)
  end
  local labels, count = labels_of(what, y, opts.classes)
  local counts = {}
  for c = 1, count do counts[c] = 0 end
  for _, label in ipairs(labels:totable()) do counts[label + 1] = counts[label + 1] + 1 end
  for c, n in ipairs(counts) do
    if n == 0 then
      fail("%s: y: expected examples of every class, got none of class %d", what, c - 1)
    end
    counts[c] = labels:numel() / (count * n)
  end
  return core.tensor(counts)
end

-- The weights of classes by their names, as a list.
local function by_name(what, names, weights)
  local spec, list = {}, {}
  for _, name in ipairs(names) do spec[name] = {type = "number", required = true} end
  weights = options.check(what .. ": weights", weights, spec)
  for i, name in ipairs(names) do list[i] = weights[name] end
  return list
end

-- The weights of classes, which may have names, as a tensor.
local function by_class(what, y, names, weights)
  if weights == nil then return M.class_weights(y, {classes = names and #names}) end
  if type(weights) == "table" and weights[1] == nil and names then
    weights = by_name(what, names, weights)
  end
  local n = type(weights) == "table" and #weights
    or kinds.is_object(weights, "tensor") and weights:numel() or 0
  if n > 0 and names and #names ~= n then
    fail("%s: weights: expected one for each of the %d classes, got %d", what, #names, n)
  end
  return example_weights.check(what .. ": weights", weights, n)
end

--- Gives each example of a part the weight of its class, times the weight that it has.
--     local part = bnn.data.from_tensors{x = bnn.ones(4, 2), y = bnn.tensor({0, 0, 0, 1}, "i32")}
--     print(bnn.data.weigh_classes(part).weight)              --> {2/3, 2/3, 2/3, 2}
--     bnn.data.weigh_classes(part, {1, 5})                    -- class 1 counts five times
--     local two = part:with{y = {kind = part.y, size = bnn.ones(4, 1)}}
--     print(bnn.data.weigh_classes(two, nil, {target = "kind"}).weight) --> {2/3, 2/3, 2/3, 2}
-- @param part part with labels y [n]
-- @param weights tensor [C] or list of numbers of at least 0, or a table of them by the part's
--   class names (default: bnn.data.class_weights(part.y))
-- @param opts table: target= the name of the target whose classes are meant, of several
-- @return part: the same rows, with weight
-- Raises if a class has no weight, or of targets by name none is given.
function M.weigh_classes(part, weights, opts)
  local what = "bnn.data.weigh_classes"
  expect_model.part(what, part)
  opts = options.check(what, opts, {target = "string"})
  if kinds.is_plain(weights) and type(weights.target) == "string" then
    fail("%s: weights: expected numbers, got the option target: it stands in the third argument, "
      .. 'weigh_classes(part, nil, {target = "%s"})', what, strings.shown(weights.target))
  end
  if not part.y then fail("%s: part: expected labels y, got none", what) end
  local y, names = classes.of_target(what, part, opts.target)
  weights = by_class(what, y, names, weights)
  local labels = labels_of(what, y, weights:numel())
  local weight = weights:index((labels:real() + 1):to "i32")
  return part:with{weight = part.weight and part.weight * weight or weight}
end

return M
