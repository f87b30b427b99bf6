--- The transformer of bench_transformer.py on this side.
package.path = (arg[0]:match "^(.*/)" or "./") .. "?.lua;" .. package.path
local bnn = require "bnn"
local turns = require "turns"
local nn = bnn.nn

local size = turns.sizes{batch = 32, t = 64, d = 128, heads = 4, blocks = 2, vocabulary = 65}
local layers = {
  nn.embedding(size.vocabulary, size.d),
  nn.positional_encoding("learned", {max_length = size.t}),
}
for _ = 1, size.blocks do
  layers[#layers + 1] = nn.transformer_block{heads = size.heads, causal = true}
end
layers[#layers + 1], layers[#layers + 2] = nn.layer_norm(), nn.linear(size.vocabulary)

local key = bnn.key(1)
local ids = (bnn.rand(key, size.batch, size.t) * size.vocabulary):floor()
turns.train(nn.sequential(layers), {x = (ids + 1):to "i32", y = ids:to "i32"}, key)
