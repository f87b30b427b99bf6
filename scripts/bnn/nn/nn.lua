--- Networks: layers as values, and `transform`, which makes a network from a function.
--
-- A layer is a value that can be called on a tensor inside a network: `bnn.nn.linear(64)(x)`. A net
-- has init(key, x) -> params and apply(params, x [, {key=, train=}]) -> y; any layer is a net by
-- itself.
--     local net = bnn.nn.sequential{bnn.nn.conv2d(8, 5), bnn.nn.relu(), bnn.nn.mlp{10}}
--     local params = net:init(key, x)
--     net:apply(params, x)                              -- [32, 10]
-- Paths are Haiku's: in a container layers count from 0, "mlp/linear_0/w"; in a function
-- the first has no number, "linear/w", "linear_1/w". A layer value called twice shares its weights.
local activations = require "bnn.nn.layers.activations"
local frame = require "bnn.nn.base.frame"
local initializers = require "bnn.nn.base.initializers"
local layer_config = require "bnn.nn.layer_config"
local layer_table = require "bnn.nn.layer_table"
local networks = require "bnn.nn.base.net"
local renamed = require "bnn.base.renamed"

local M = {
  transform = networks.transform,
  parameter = frame.parameter,
  state = frame.state,
  update_state = frame.update_state,
  is_training = frame.is_training,
  path = frame.path,
  docs = activations.docs,
}

for name, init in pairs(initializers) do M[name] = init end

local layers = {}
for _, row in ipairs(layer_table.rows) do
  local name, module = row[1], row[2]
  M[name], layers[name] = module[name], module[name]
end

--- Describes a network as a plain table, {kind = "mlp", args = {...}}, from which from_config makes
-- it again.
--     local config = bnn.nn.to_config(bnn.nn.mlp{8, 10})     -- config.kind is "mlp"
-- @param net layer
-- @return table; nil for a net made by a function (bnn.transform) or with a function inside
function M.to_config(net) return layer_config.write(net) end

--- Makes the network that to_config describes.
--     local config = bnn.nn.to_config(bnn.nn.mlp{8, 10})
--     print(bnn.nn.from_config(config))                 -- mlp{8, 10}
-- @param data table as to_config returns it, from anywhere
-- @return layer; or nil, message
function M.from_config(data) return layer_config.read(data, layers) end

renamed.functions(M, "bnn.nn", {of = "from_config", describe = "to_config"})

return M
