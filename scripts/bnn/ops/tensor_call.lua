--- What functions of tensors take: a tensor or a list of numbers, and an axis.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"

local M = {}

--- A tensor, or a list of numbers as one; else raises.
function M.tensor(what, x)
  if kinds.is_plain(x) then return core.tensor(x) end
  return expect.tensor(what .. ": x", x, "a tensor or a list of numbers")
end

--- An axis counted from 1, of one that is counted from the end when it is negative, and the last by
-- default; raises if x has no such axis.
function M.axis(what, x, axis)
  local rank = x:dim()
  axis = axis == nil and rank or expect.value(what .. ": axis", axis, "integer")
  local counted = axis < 0 and axis + rank + 1 or axis
  if counted >= 1 and counted <= rank then return counted end
  fail("%s: axis: expected 1 to %d or -%d to -1, got %d", what, rank, rank, axis)
end

return M
