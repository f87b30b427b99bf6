--- A function as a layer.
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"

local M = {}

--- Makes a layer of a function of a tensor. In a sequential a function needs none; a layer has a
-- name of its own in paths, errors and tables of layers. Layers that the function calls have their
-- paths below that name. A checkpoint holds its parameters, but not the function: to_config gives
-- nil, and the network must be made again to load them.
--     local net = bnn.nn.lambda(function(x) return x * 2 end, {name = "twice"})
--     net:apply({}, bnn.tensor{1, 2})                   -- 2, 4
-- @param f function(tensor [n, ...]) -> tensor [n, ...]
-- @param opts table: name="lambda", a string without "/"
-- @return layer
-- Raises when it is called and f returns no tensor.
function M.lambda(f, opts)
  f = expect.callable("bnn.nn.lambda: f", f)
  opts = options.check("bnn.nn.lambda", opts, {name = {type = "string", default = "lambda"}})
  local name = opts.name
  if name == "" or name:find "/" then
    fail('bnn.nn.lambda: name: expected a string without "/", got "%s"', name)
  end
  local function forward(x)
    local y = f(x)
    if not kinds.is_object(y, "tensor") then fail.expected("result", "a tensor", y) end
    return y
  end
  return layer.new{
    kind = name, args = {f}, forward = forward,
    text = ("lambda(function%s)"):format(
      layer.changed_text{{"name", ('"%s"'):format(name), '"lambda"'}}),
  }
end

return M
