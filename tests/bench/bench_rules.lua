--- What a step of each rule, and of each posterior, costs beside one of Adam on a mean-field
-- posterior of the same network: `build/bnnlua tests/bench/bench_rules.lua [ROUNDS]`. The costs in
-- the guide of methods (scripts/help/methods.md) are these over that of Adam on a point.
--
-- Processor time on one thread, in rounds of a few steps of each in turn, so that whatever else the
-- machine does slows all alike; medians of the ratios within a round. Posteriors start alike and
-- hardly move, as the cost of a product follows the zeros among what it multiplies.
local folder = (arg[0]:match "^(.*/)" or "./")
package.path = folder .. "?.lua;" .. package.path
local bnn = require "bnn"
local ratios = require "ratios"

local ROUNDS = math.tointeger(tonumber(arg[1])) or 60
local N, BATCH = 2048, 128
local key = bnn.key(1)
local x = bnn.rand(key:fold "x", N, 784)
local y = bnn.tensor((function()
  local labels = {}
  for i = 1, N do labels[i] = i % 10 end
  return labels
end)(), "i32")
local data = bnn.data.from_tensors{x = x, y = y}

local function variational(net, optimizer, make, opts)
  local posterior = make(net:init(key, x), {logvar = -7, rank = opts and opts.rank})
  local objective = bnn.elbo{net = net, posterior = posterior, likelihood = "categorical",
                             data_size = N, estimator = opts and opts.estimator}
  return {objective = objective, state = optimizer:init(objective)}
end

local function meanfield(net, optimizer, opts)
  return variational(net, optimizer, bnn.posterior.meanfield, opts)
end

local function point(net, optimizer)
  local objective = bnn.objective{net = net, params = net:init(key, x), prior = 1, data_size = N,
                                  likelihood = "categorical", temperature = 1}
  return {objective = objective, state = optimizer:init(objective)}
end

-- The same network with dropout after each hidden layer.
local function with_dropout(sizes)
  local nn = bnn.nn
  local layers = {nn.flatten()}
  for i = 1, #sizes - 1 do
    table.move({nn.linear(sizes[i]), nn.relu(), nn.dropout(0.2)}, 1, 3, #layers + 1, layers)
  end
  layers[#layers + 1] = nn.linear(sizes[#sizes])
  return nn.sequential(layers)
end

-- Name and training, the one that others are compared with first.
local function trainings(sizes)
  local net = bnn.nn.mlp{table.unpack(sizes)}
  local optim, sampler = bnn.optim, bnn.sampler
  local adam, h0 = optim.adam{lr = 1e-5}, (math.exp(7) - 1) / N
  return {
    {"mean-field adam", meanfield(net, adam)},
    {"ivon", meanfield(net, optim.ivon{lr = 1e-3, h0 = h0})},
    {"ivon gradsq", meanfield(net, optim.ivon{lr = 1e-3, h0 = h0, hessian = "gradsq"})},
    {"groups: adam, adam", meanfield(net, optim.groups{
      ["mlp/linear_2"] = optim.adam{lr = 1e-5}, default = adam})},
    {"radial", variational(net, adam, bnn.posterior.radial)},
    {"lowrank, rank 2", variational(net, adam, bnn.posterior.lowrank, {rank = 2})},
    {"local reparameterization", meanfield(net, adam, {estimator = "local_reparameterization"})},
    {"flipout", meanfield(net, adam, {estimator = "flipout"})},
    {"sghmc", point(net, sampler.sghmc{lr = 1e-3})},
    {"adaptive_sghmc", point(net, sampler.adaptive_sghmc{lr = 1e-6})},
    {"psgld", point(net, sampler.psgld{lr = 1e-6})},
    {"sgld", point(net, sampler.sgld{lr = 1e-4})},
    {"adam on a point", point(net, adam)},
    {"... with dropout", point(with_dropout(sizes), adam)},
  }
end

local function seconds_of(training, next_batch, steps)
  local from = os.clock()
  for _ = 1, steps do
    local step = training.state:steps() + 1
    assert(training.objective:step(training.state, next_batch(), key:fold(step)))
  end
  return os.clock() - from
end

local function measure(name, sizes, steps)
  local list, logs = trainings(sizes), {}
  local next_batch = data:batches{size = BATCH, key = key, epochs = math.huge}
  for i, row in ipairs(list) do
    logs[i] = {}
    seconds_of(row[2], next_batch, steps)
  end
  local base = {}
  for round = 1, ROUNDS do
    base[round] = seconds_of(list[1][2], next_batch, steps)
    for i = 2, #list do
      logs[i][round] = math.log(seconds_of(list[i][2], next_batch, steps) / base[round])
    end
  end
  local rows = {}
  for i = 2, #list do rows[i - 1] = ratios.row(list[i][1], {logs[i]}) end
  print(("%s, batch %d: a mean-field Adam step %.3f ms; times it:"):format(name, BATCH,
    1e3 * ratios.median(base) / steps))
  print(bnn.table_text.render(rows, ratios.columns))
end

bnn.threads(1)
measure("784-64-64-10", {64, 64, 10}, 20)
measure("784-400-400-10", {400, 400, 10}, 4)
