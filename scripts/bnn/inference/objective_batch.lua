--- What an objective reads: batches of one's own, and targets as its likelihood takes them.
local classes = require "bnn.model.classes"
local example_weights = require "bnn.model.example_weights"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"

local M = {}

local BATCH = "{x = tensor, y = tensor, weight = tensor}" -- x and y may be tables by name
local FIELDS = {x = true, y = true, weight = true}

--- A batch of the user's own with contiguous tensors, or raises.
-- @param what string: the method, for messages
function M.check(what, batch)
  if type(batch) ~= "table" then fail.expected(what .. ": batch", BATCH, batch) end
  for _, name in ipairs{"x", "y"} do
    local value = batch[name]
    if named_tensors.is_named(value) then
      named_tensors.check(("%s: batch.%s"):format(what, name), value)
    elseif not kinds.is_object(value, "tensor") and (name == "x" or value ~= nil) then
      fail("%s: batch.%s: expected a tensor, got %s", what, name, kinds.shown(value))
    end
  end
  for name in pairs(getmetatable(batch) == nil and batch or {}) do
    if not FIELDS[name] then
      fail("%s: batch: expected %s, got a field '%s'", what, BATCH, tostring(name))
    end
  end
  return M.source(what, batch)
end

local function contiguous(tensor) return tensor:contiguous() end

--- The tensors of data, contiguous: {x=, y=, weight=}.
function M.source(what, data)
  local weight = data.weight
  if weight ~= nil then
    local x = named_tensors.first(data.x)
    weight = example_weights.check(what, weight, x:dim() > 0 and x:size(1) or 0)
  end
  return {x = named_tensors.map(data.x, contiguous), y = named_tensors.map(data.y, contiguous),
          weight = weight}
end

--- Inputs and targets as the objective's likelihood takes them; mostly `source` itself.
function M.with_labels(objective, what, source)
  local y = source.y
  if rawequal(y, objective.plain_y) then return source end
  local labels = classes.targets(what, objective.likelihood, y)
  if not rawequal(labels, y) then
    return {x = source.x, y = labels, weight = source.weight}
  end
  objective.plain_y = y
  return source
end

--- Raises for targets that are bytes, unless the likelihood takes them: they would be read as
-- images, y / 255, which no count or class is.
function M.check_targets(objective, what, source)
  local likelihood = objective.likelihood
  if not likelihood then return end
  named_tensors.each("y", source.y, function(y, name)
    local own = likelihood.targets and likelihood.targets[name:sub(3)] or likelihood
    if own.u8_targets or y:dtype() ~= "u8" then return end
    fail("%s: %s: expected numbers of another type, got u8, which is for images (y / 255): "
      .. "%s:real() converts", what, name, name)
  end)
end

return M
