--- The LSTM of bench_lstm.py on this side: a line "N" on stdin makes N training steps and answers
-- with the seconds of one.
local bnn = require "bnn"
local core = require "bnn.core"
local nn = bnn.nn

local size = {batch = 128, t = 28, d = 28, units = 128, threads = 2}
for i = 1, #arg do
  local name, value = arg[i]:match "^%-%-(%w+)=(%d+)$"
  assert(size[name], arg[i])
  size[name] = tonumber(value)
end
bnn.threads(size.threads)

local net = nn.sequential{nn.lstm(size.units, {output = "last"}), nn.linear(10)}
local key = bnn.key(1)

local batch = {x = bnn.rand(key, size.batch, size.t, size.d),
               y = (bnn.rand(key, size.batch) * 10):floor():to "i32"}
local objective = bnn.objective{net = net, params = net:init(key, batch.x),
                                likelihood = "categorical"}
local state = bnn.optim.adam{lr = 1e-4}:init(objective)

for line in io.lines() do
  local steps, start = tonumber(line), core.ticks()
  for i = 1, steps do assert(objective:step(state, batch, key:fold(i))) end
  io.write(string.format("%.9f\n", (core.ticks() - start) / steps))
  io.flush()
end
