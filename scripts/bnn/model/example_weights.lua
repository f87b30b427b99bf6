--- Weights of examples: a number of at least 0 for each, by which its loss is multiplied.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local pytree = require "bnn.params.pytree"
local shapes = require "bnn.base.shapes"

local M = {}

local function check_values(what, weight)
  local is_good = core.ops.logical_and(core.ops.isfinite(weight), weight:ge(0))
  if weight:numel() == 0 or is_good:all():item() == 1 then return end
  local at = is_good:argmin():item()
  fail("%s: weight %d: expected a finite number of at least 0, got %s", what, at,
    kinds.show(weight[at]))
end

--- Returns weights as a contiguous real tensor [n], or raises.
-- @param what string: the function, for messages
-- @param weight tensor [n] or list
-- @param n integer: examples
function M.check(what, weight, n)
  local is_tensor = pytree.leaf_kind(weight) == "tensor"
  if not is_tensor and type(weight) ~= "table" then
    fail.expected(what .. ": weight", "a tensor [n] or a list of numbers", weight)
  end
  if not is_tensor then weight = fail.within(what .. ": weight", core.tensor, weight) end
  if weight:dim() ~= 1 or weight:size(1) ~= n then
    fail("%s: weight: expected [%d], a number for each example, got %s", what, n,
      shapes.text(weight))
  end
  weight = weight:real():contiguous()
  check_values(what, weight)
  return weight
end

return M
