--- Checks the arguments of public functions, in one wording.
--
-- Messages are "bnn.predict: x: expected a tensor, got a table", raised at the user's line.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local options = require "bnn.base.options"

local M = {}

local function is_tensor(value) return kinds.is_object(value, "tensor") end

--- Returns a tensor, or raises that `wanted` was expected.
function M.tensor(what, value, wanted)
  if is_tensor(value) then return value end
  fail.expected(what, wanted, value)
end

--- Returns a key, or raises.
function M.key(what, value)
  if kinds.is_object(value, "key") then return value end
  fail.expected(what, "a key", value)
end

--- Returns a string, or raises that `wanted` was expected.
function M.string(what, value, wanted)
  if type(value) == "string" then return value end
  fail.expected(what, wanted or "a string", value)
end

--- Returns a table without a metatable, or raises that `wanted` was expected.
function M.plain_table(what, value, wanted)
  if kinds.is_plain(value) then return value end
  fail.expected(what, wanted, value)
end

--- Returns a shape, a list of sizes, or raises.
function M.shape(what, value)
  local is_list = kinds.is_plain(value)
  for _, size in ipairs(is_list and value or {}) do
    is_list = is_list and options.accept(size, {type = "integer", min = 0})
  end
  if is_list then return value end
  fail.expected(what, "a shape, as {784, 64}", value)
end

--- Returns a value as options.accept does, or raises "bnn.nn.linear: out: expected at least 1, got
-- 0".
-- @param spec a kind, or {type = "integer", min = 1}
function M.value(what, value, spec)
  local accepted, wanted = options.accept(value, spec)
  if wanted then fail("%s: expected %s, got %s", what, wanted, kinds.show(value)) end
  return accepted
end

--- Returns where rows first..last begin and how many they are, or raises unless they are rows of
-- `size`. last may lie beyond the end, and one before first gives none.
-- @param first integer, from 1 (default 1)
-- @param last integer (default: size)
-- @return integer, integer
function M.row_range(what, size, first, last)
  local from, to = math.tointeger(first or 1), math.tointeger(last or size)
  to = to and math.min(to, size)
  if not from or not to or from < 1 or from > to + 1 then
    fail("%s: expected rows within 1..%d, got %s..%s", what, size, number.text(first),
      number.text(last))
  end
  return from, to - from + 1
end

--- Returns a function, or another value that can be called, or raises.
function M.callable(what, value)
  if options.accept(value, "function") then return value end
  fail.expected(what, "a function", value)
end

return M
