--- The flatten layer.
local layer = require "bnn.nn.layer"

local M = {}

local function forward(x)
  local shape, width = x:shape(), 1
  for i = 2, #shape do width = width * shape[i] end
  return #shape == 2 and x or x:reshape(shape[1], width)
end

--- Makes [n, a, b, ...] into [n, a b ...].
function M.flatten()
  return layer.new{kind = "flatten", args = {}, forward = forward, text = "flatten()"}
end

return M
