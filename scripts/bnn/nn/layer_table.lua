--- The layers of bnn.nn, a row each: to add one, write its file and add its row.
--
-- A row is {name, module, args=, x=}: module[name] makes the layer. Its name in bnn.nn, help and
-- the layers that a checkpoint restores follow from the row, and so do its tests, which call it
-- with args on a tensor x of this shape (ids= from 1 to that number in place of normal draws).
-- random=true marks a layer that draws while training, statistics="batch" one that then normalises
-- by its batch, no_config=true one that to_config does not describe.
local activations = require "bnn.nn.layers.activations"
local axes = require "bnn.nn.layers.axes"
local branches = require "bnn.nn.layers.branches"
local linear = require "bnn.nn.layers.linear"
local norms = require "bnn.nn.layers.norms"
local pool = require "bnn.nn.layers.pool"
local sequences = require "bnn.nn.layers.sequences"

local M = {}

--- The rows, in the order of their kinds.
M.rows = {
  {"linear", linear, args = {3}, x = {4, 5}},
  {"embedding", require "bnn.nn.layers.embedding", args = {7, 3}, x = {4, 2}, ids = 7},
  {"conv2d", require "bnn.nn.layers.conv2d", args = {2, {3, 2}, {padding = {1, 0}}},
   x = {3, 2, 4, 5}},
  {"conv1d", sequences, args = {3, 2, {stride = 2, padding = 1, dilation = 2}}, x = {3, 2, 7}},
  {"conv_transpose2d", require "bnn.nn.layers.conv_transpose2d",
   args = {2, {3, 2}, {stride = 2, padding = {1, 0}, output_padding = 1}}, x = {3, 4, 2, 3}},
  {"max_pool", pool, args = {2, {stride = 1}}, x = {3, 2, 4, 5}},
  {"avg_pool", pool, args = {3, {padding = 1}}, x = {3, 2, 5, 4}},
  {"max_pool1d", sequences, args = {3, {stride = 2}}, x = {3, 2, 7}},
  {"avg_pool1d", sequences, args = {3, {padding = 1}}, x = {3, 2, 7}},
  {"layer_norm", require "bnn.nn.layers.layer_norm", args = {{eps = 1e-3}}, x = {4, 6}},
  {"batch_norm", require "bnn.nn.layers.batch_norm", args = {{momentum = 0.2, eps = 1e-3}},
   x = {3, 4, 2, 3}, statistics = "batch"},
  {"rms_norm", norms, args = {{eps = 1e-3}}, x = {4, 6}},
  {"group_norm", norms, args = {2, {eps = 1e-3}}, x = {3, 4, 2, 3}},
  {"global_pool", axes, args = {"sum"}, x = {3, 2, 4, 5}},
  {"softmax", axes, args = {2}, x = {4, 3}},
  {"dropout", require "bnn.nn.layers.dropout", args = {0.5}, x = {4, 9}, random = true},
  {"flatten", require "bnn.nn.layers.flatten", args = {}, x = {3, 2, 4}},
  {"sequential", require "bnn.nn.layers.sequential", args = {{linear.linear(4), linear.linear(2)}},
   x = {4, 3}},
  {"residual", branches, args = {linear.linear(4), {shortcut = linear.linear(4)}}, x = {4, 3}},
  {"parallel", branches, args = {{linear.linear(4), linear.linear(2), axis = 2}}, x = {4, 3}},
  {"lambda", require "bnn.nn.layers.lambda", x = {4, 3}, no_config = true,
   args = {function(x) return linear.linear(2)(x):tanh() end}},
  {"multi_head_attention", require "bnn.nn.layers.attention", args = {2, {causal = true}},
   x = {3, 4, 6}},
  {"positional_encoding", require "bnn.nn.layers.positional_encoding",
   args = {"learned", {max_length = 5}}, x = {3, 4, 6}},
  {"transformer_block", require "bnn.nn.layers.transformer_block",
   args = {{heads = 2, hidden = 5, causal = true, norm_first = false}}, x = {3, 4, 6}},
  {"mlp", require "bnn.nn.layers.mlp", args = {{5, 2, activation = "tanh"}}, x = {4, 3}},
}

for _, name in ipairs(activations.names) do
  M.rows[#M.rows + 1] = {name, activations.layers, args = activations.args[name], x = {4, 3}}
end

return M
