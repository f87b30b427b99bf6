--- The transformer of bench_transformer.py on this side: a line "N" on stdin makes N training steps
-- and answers with the seconds of one.
local bnn = require "bnn"
local core = require "bnn.core"
local nn = bnn.nn

local size = {batch = 32, t = 64, d = 128, heads = 4, blocks = 2, vocabulary = 65, threads = 2}
for i = 1, #arg do
  local name, value = arg[i]:match "^%-%-(%w+)=(%d+)$"
  assert(size[name], arg[i])
  size[name] = tonumber(value)
end
bnn.threads(size.threads)

local layers = {nn.embedding(size.vocabulary, size.d), nn.positional_encoding("learned", {
  max_length = size.t,
})}
for _ = 1, size.blocks do
  layers[#layers + 1] = nn.transformer_block{heads = size.heads, causal = true}
end
layers[#layers + 1], layers[#layers + 2] = nn.layer_norm(), nn.linear(size.vocabulary)
local net, key = nn.sequential(layers), bnn.key(1)

local ids = (bnn.rand(key, size.batch, size.t) * size.vocabulary):floor()
local batch = {x = (ids + 1):to "i32", y = ids:to "i32"}
local objective = bnn.objective{net = net, params = net:init(key, batch.x),
                                likelihood = "categorical"}
local state = bnn.optim.adam{lr = 1e-4}:init(objective)

for line in io.lines() do
  local steps, start = tonumber(line), core.ticks()
  for i = 1, steps do assert(objective:step(state, batch, key:fold(i))) end
  io.write(string.format("%.9f\n", (core.ticks() - start) / steps))
  io.flush()
end
