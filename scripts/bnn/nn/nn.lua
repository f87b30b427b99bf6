--- Networks: layers as values, and `transform`, which makes init and apply of a function.
--
-- A layer is a value that can be called on a tensor inside a network: `bnn.nn.linear(64)(x)`. A net
-- has init(key, x) -> params and apply(params, x [, {key=, train=}]) -> y; any layer is a net by
-- itself. Paths are Haiku's: in a container layers count from 0, "mlp/linear_0/w"; in a function
-- the first has no number, "linear/w", "linear_1/w". A layer value called twice shares its weights.
local activations = require "bnn.nn.activations"
local frame = require "bnn.nn.frame"
local initializers = require "bnn.nn.initializers"
local layer_config = require "bnn.nn.layer_config"
local networks = require "bnn.nn.net"
local renamed = require "bnn.base.renamed"

-- A file each: its functions are those of bnn.nn, and make the layers of their names.
local ROWS = {
  require "bnn.nn.linear",
  require "bnn.nn.embedding",
  require "bnn.nn.conv2d",
  require "bnn.nn.pool",
  require "bnn.nn.layer_norm",
  require "bnn.nn.dropout",
  require "bnn.nn.flatten",
  require "bnn.nn.sequential",
  require "bnn.nn.mlp",
  activations.layers,
}

local M = {
  transform = networks.transform,
  parameter = frame.parameter,
  path = frame.path,
  docs = activations.docs,
}

for name, init in pairs(initializers) do M[name] = init end

local layers = {}
for _, row in ipairs(ROWS) do
  for name, make in pairs(row) do M[name], layers[name] = make, make end
end

--- A network as data, {kind = "mlp", args = {...}}, from which from_config makes it again; nil for
-- one that is made by a function (transform), or has one in it.
-- @param net a layer
function M.to_config(net) return layer_config.write(net) end

--- The network that to_config describes; or nil, message.
-- @param data as to_config gives it, from anywhere
function M.from_config(data) return layer_config.read(data, layers) end

renamed.functions(M, "bnn.nn", {of = "from_config", describe = "to_config"})

return M
