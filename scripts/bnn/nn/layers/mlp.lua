--- Multi-layer perceptrons.
local core = require "bnn.core"
local activations = require "bnn.nn.layers.activations"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local flatten = require "bnn.nn.layers.flatten".flatten
local layer = require "bnn.nn.base.layer"
local linear = require "bnn.nn.layers.linear".linear
local options = require "bnn.base.options"

local M = {}

-- An activation as a function of a tensor.
local function read_activation(activation)
  if type(activation) ~= "string" then return activation end
  local known = {type = "string", choices = activations.names}
  return core.ops[expect.value("bnn.nn.mlp: activation", activation, known)]
end

--- Makes a multi-layer perceptron: flatten, then linear layers with an activation between them.
--     bnn.nn.mlp{64, 64, 10}                            -- x [n, ...] -> [n, 10]
--     bnn.nn.mlp{64, 64, 10, activation = "tanh"}
--     bnn.nn.mlp{64, 64, 10, activation = bnn.nn.leaky_relu(0.1)}
-- Parameters: mlp/linear_0/w, mlp/linear_0/b, ...
-- @param opts table: the sizes of the layers; activation="relu": the name of an elementwise layer,
--   a layer (one that has parameters shares them between its places), or a function of a tensor
-- @return layer
-- Raises if the list is empty or a size is below 1.
function M.mlp(opts)
  opts = options.check("bnn.nn.mlp", opts, {
    layer.SIZE, activation = {type = "string|layer|function", default = "relu"},
  })
  if #opts == 0 then
    fail "bnn.nn.mlp: expected a list of layer sizes, as {64, 64, 10}, got an empty list"
  end
  local activation = read_activation(opts.activation)
  local layers, flat = {}, flatten()
  for i, width in ipairs(opts) do layers[i] = linear(width) end
  local function forward(x)
    x = flat(x)
    for i, l in ipairs(layers) do
      x = l(x)
      if i < #layers then x = expect.tensor("activation", activation(x), "a tensor") end
    end
    return x
  end
  local text = tostring(opts.activation):gsub("^function.*", "function")
  local suffix = text == "relu" and "" or ", activation=" .. text
  return layer.new{
    kind = "mlp", args = {opts}, forward = forward, container = true,
    text = ("mlp{%s%s}"):format(table.concat(opts, ", "), suffix),
  }
end

return M
