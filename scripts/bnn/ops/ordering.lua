--- Elements in order: sort and topk, by the positions that the op argsort gives.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local tensor_call = require "bnn.ops.tensor_call"

local ops = core.ops

local M = {}

--- Sorts the elements along an axis; equal ones stay as they were, NaN counts as the largest.
-- Gradients go to the elements that the values are.
--     bnn.sort{3, 1, 2}                                 --> tensors {1, 2, 3} and {2, 3, 1}
--     bnn.sort(bnn.ones(2, 3), 1, true)                 -- descending, along axis 1
-- @param x tensor [..., n, ...], of any type, or a list
-- @param axis integer (default: the last)
-- @param descending boolean (default false)
-- @return tensor: the values; tensor i64: their positions in x, from 1, of the same shape
-- Raises if x has no such axis.
function M.sort(x, axis, descending)
  x = tensor_call.tensor("bnn.sort", x)
  axis = tensor_call.axis("bnn.sort", x, axis)
  if descending ~= nil then expect.value("bnn.sort: descending", descending, "boolean") end
  local positions = ops.argsort(x, axis, descending or false)
  return ops.gather(x, positions, axis), positions
end

--- Returns the k largest elements along an axis, the largest first.
--     bnn.topk({3, 1, 2}, 2)                            --> tensors {3, 2} and {1, 3}
--     bnn.topk({3, 1, 2}, 2, 1, false)                  -- the smallest: {1, 2} and {2, 3}
-- @param x tensor [..., n, ...], of any type, or a list
-- @param k integer of 0 or more, at most n
-- @param axis integer (default: the last)
-- @param largest boolean (default true)
-- @return tensor [..., k, ...]: the values; tensor i64: their positions in x, from 1
-- Raises if the axis has fewer than k elements.
function M.topk(x, k, axis, largest)
  x = tensor_call.tensor("bnn.topk", x)
  axis = tensor_call.axis("bnn.topk", x, axis)
  k = expect.value("bnn.topk: k", k, {type = "integer", min = 0})
  if largest ~= nil then expect.value("bnn.topk: largest", largest, "boolean") end
  if k > x:size(axis) then
    fail("bnn.topk: k: expected at most %d, the size of axis %d, got %d", x:size(axis), axis, k)
  end
  local positions = ops.argsort(x, axis, largest ~= false):narrow(axis, 1, k)
  return ops.gather(x, positions, axis), positions
end

return M
