--- The flatten layer.
local layer = require "bnn.nn.base.layer"

local M = {}

local function forward(x)
  local shape, width = x:shape(), 1
  for i = 2, #shape do width = width * shape[i] end
  return #shape == 2 and x or x:reshape(shape[1], width)
end

--- Makes a layer that reshapes x [n, a, b, ...] to [n, a b ...].
--     bnn.nn.flatten():apply({}, bnn.ones(2, 3, 4))     -- [2, 12]
-- @return layer
function M.flatten()
  return layer.new{kind = "flatten", args = {}, forward = forward, text = "flatten()"}
end

return M
