--- Elements that move along axes: flip, roll, pad, and the triangles of a matrix.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local tensor_call = require "bnn.ops.tensor_call"

local ops = core.ops

local M = {}

--- Reverses the elements along an axis.
--     bnn.flip{1, 2, 3}                                 --> {3, 2, 1}
--     bnn.flip({{1, 2}, {3, 4}}, 1)                     --> {{3, 4}, {1, 2}}
-- @param x tensor [..., n, ...] of any type, or a list
-- @param axis integer (default: the last)
-- @return tensor of the shape of x
-- Raises if x has no such axis.
function M.flip(x, axis)
  x = tensor_call.tensor("bnn.flip", x)
  axis = tensor_call.axis("bnn.flip", x, axis)
  local n, positions = x:size(axis), {}
  for i = 1, n do positions[i] = n + 1 - i end
  return ops.index(x, core.tensor(positions, "i32"), axis)
end

--- Moves the elements along an axis by `shift` places; those that leave at one end come in at the
-- other.
--     bnn.roll({1, 2, 3, 4}, 1)                         --> {4, 1, 2, 3}
--     bnn.roll({1, 2, 3, 4}, -1)                        --> {2, 3, 4, 1}
-- @param x tensor [..., n, ...] of any type, or a list
-- @param shift integer: towards the end when it is positive
-- @param axis integer (default: the last)
-- @return tensor of the shape of x
-- Raises if x has no such axis.
function M.roll(x, shift, axis)
  x = tensor_call.tensor("bnn.roll", x)
  axis = tensor_call.axis("bnn.roll", x, axis)
  shift = expect.value("bnn.roll: shift", shift, "integer")
  local n = x:size(axis)
  local first = n > 0 and shift % n or 0
  if first == 0 then return x end
  return ops.concat({x:narrow(axis, n - first + 1, first), x:narrow(axis, 1, n - first)}, axis)
end

-- {before, after} of one axis's entry, which may be one number for both.
local function widths_of(what, entry)
  local both = type(entry) == "number" and {entry, entry} or entry
  local ok = kinds.is_plain(both) and #both == 2
  for _, width in ipairs(ok and both or {}) do
    ok = ok and options.accept(width, {type = "integer", min = 0})
  end
  if ok then return both[1], both[2] end
  fail("%s: widths: expected for each axis a number of 0 or more or {before, after}, got %s", what,
    kinds.show(entry))
end

-- x with so many slices of a value before and after it along an axis.
local function surrounded(x, axis, before, after, value)
  local parts = {}
  local function add(width)
    local shape = x:shape()
    shape[axis] = width
    if width > 0 then parts[#parts + 1] = core.full(shape, value, x:dtype()) end
  end
  add(before)
  parts[#parts + 1] = x
  add(after)
  return parts[2] and ops.concat(parts, axis) or x
end

--- Surrounds a tensor with a constant.
--     bnn.pad({1, 2}, {{1, 2}})                         --> {0, 1, 2, 0, 0}
--     bnn.pad({{1, 2}}, {1, 0}, -1)                     --> {{-1, -1}, {1, 2}, {-1, -1}}
-- @param x tensor [n, m, ...] of any type, or a list
-- @param widths list, an entry for each axis: {before, after}, or a number for both
-- @param value number: what is put around x (default 0)
-- @return tensor [n + before + after, ...]
-- Raises unless there is an entry for each axis.
function M.pad(x, widths, value)
  x = tensor_call.tensor("bnn.pad", x)
  expect.plain_table("bnn.pad: widths", widths, "a list with an entry for each axis")
  value = value == nil and 0 or expect.value("bnn.pad: value", value, "number")
  if #widths ~= x:dim() then
    fail("bnn.pad: widths: expected %d entries, one for each axis, got %d", x:dim(), #widths)
  end
  for axis, entry in ipairs(widths) do
    local before, after = widths_of("bnn.pad", entry)
    x = surrounded(x, axis, before, after, value)
  end
  return x
end

-- x where column - row compares so with k, else 0.
local function triangle(what, x, k, keeps)
  x = tensor_call.tensor(what, x)
  k = k == nil and 0 or expect.value(what .. ": k", k, "integer")
  if x:dim() < 2 then
    fail("%s: x: expected a matrix or a stack of them, got %d axes", what, x:dim())
  end
  local rows, columns = x:size(-2), x:size(-1)
  local offset = core.arange(1, columns):real():view(1, columns)
    - core.arange(1, rows):real():view(rows, 1)
  return ops.where(keeps(offset, k), x, core.zeros({}, x:dtype()))
end

--- Keeps the upper triangle of a matrix: what is on diagonal k or above it; the rest is 0.
--     bnn.triu{{1, 2}, {3, 4}}                          --> {{1, 2}, {0, 4}}
-- @param x tensor [..., n, m] of any type, or a list
-- @param k integer: 0 is the main diagonal, 1 the one above it (default 0)
-- @return tensor of the shape of x
-- Raises if x has fewer than two axes.
function M.triu(x, k) return triangle("bnn.triu", x, k, ops.ge) end

--- Keeps the lower triangle of a matrix: what is on diagonal k or below it; the rest is 0.
--     bnn.tril{{1, 2}, {3, 4}}                          --> {{1, 0}, {3, 4}}
-- @param x tensor [..., n, m] of any type, or a list
-- @param k integer: 0 is the main diagonal, -1 the one below it (default 0)
-- @return tensor of the shape of x
-- Raises if x has fewer than two axes.
function M.tril(x, k) return triangle("bnn.tril", x, k, ops.le) end

return M
