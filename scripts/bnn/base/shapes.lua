--- Shapes: their text in messages, and comparison.
--
-- The functions take a tensor or its shape, a list of sizes.
local M = {}

local function sizes(x) return type(x) == "table" and x or x:shape() end

--- Shows a shape: "[128, 784]"; a scalar's is "[]".
-- @param x tensor, or list of sizes
-- @param first integer: the first axis that is shown, 1; 2 gives the shape of one row
function M.text(x, first) return "[" .. table.concat(sizes(x), ", ", first or 1) .. "]" end

--- Whether two tensors, or lists of sizes, have the same shape.
function M.equal(a, b)
  a, b = sizes(a), sizes(b)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return false end
  end
  return true
end

return M
