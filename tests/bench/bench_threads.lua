--- What more threads give a step: networks whose rows meet in batch_norm, beside one whose rows do
-- not. Points, Adam, batch 128; one step of each number of threads after the other, in the same
-- training, and the shortest times, as the machine may be shared.
--     BNNLUA_DATA=DIR build/bnnlua tests/bench/bench_threads.lua [threads [rounds]]
package.path = (arg[0]:match "^(.*/)" or "./") .. "?.lua;" .. package.path
local bnn = require "bnn"
local networks = require "networks"
local now = require "bnn.core".now
local table_text = require "bnn.base.table_text"

local THREADS, ROUNDS = tonumber(arg[1]) or 2, tonumber(arg[2]) or 100
local key = bnn.key(1)
local CASES = {
  {"784-400-400-10", bnn.nn.mlp{400, 400, 10}},
  {"784-64-64-10, batch norm", networks.normalised_mlp_net(64)},
  {"784-400-400-10, batch norm", networks.normalised_mlp_net(400)},
  {"784-1200-1200-10, batch norm", networks.normalised_mlp_net(1200)},
  {"resnet, batch norm", networks.resnet_net()},
}

-- A function that makes a step and returns its seconds.
local function stepper(net, part)
  local objective = bnn.objective{net = net, params = net:init(key, part),
                                  likelihood = "categorical"}
  local state, made = bnn.optim.adam{lr = 1e-3}:init(objective), 0
  local batches = part:batches{size = 128, key = key, epochs = math.huge}
  return function()
    local batch, before = batches(), now()
    made = made + 1
    assert(objective:step(state, batch, key:fold(made)))
    return now() - before
  end
end

local part, rows = bnn.data.load("mnist").train, {}
for i, case in ipairs(CASES) do
  local step, best = stepper(case[2], part), {math.huge, math.huge}
  for _ = 1, ROUNDS do
    for k, threads in ipairs{1, THREADS} do
      bnn.threads(threads)
      step() -- starts them
      best[k] = math.min(best[k], step(), step())
    end
  end
  rows[i] = {case[1], best[1] * 1e3, best[2] * 1e3, best[1] / best[2]}
end
io.write(table_text.render(rows, {
  "", {"1 thread, ms", decimals = 3}, {THREADS .. " threads, ms", decimals = 3},
  {"ratio", decimals = 2},
}))
