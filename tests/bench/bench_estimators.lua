--- What a step costs by each estimator of bnn.elbo beside the shared draw: the network of mnist.lua
-- and a LeNet, batch 128, Adam, taking turns in one process, in processor time of one thread.
--     BNNLUA_DATA=DIR build/bnnlua tests/bench/bench_estimators.lua [rounds]
local bnn = require "bnn"
local ratios = dofile "tests/bench/ratios.lua"
local table_text = require "bnn.base.table_text"

local SHARED = "reparameterization"
local OTHERS = {"local_reparameterization", "flipout"}
local STEPS, ROUNDS = 10, tonumber(arg[1]) or 100
local key, data = bnn.key(1), bnn.data.load("mnist").train

local nets = {
  {"784-64-64-10", bnn.nn.mlp{64, 64, 10}},
  {"LeNet", bnn.nn.sequential{
    bnn.nn.conv2d(6, 5, {padding = "same"}), bnn.nn.relu(), bnn.nn.max_pool(2),
    bnn.nn.conv2d(16, 5), bnn.nn.relu(), bnn.nn.max_pool(2),
    bnn.nn.flatten(), bnn.nn.linear(120), bnn.nn.relu(), bnn.nn.linear(84), bnn.nn.relu(),
    bnn.nn.linear(10),
  }},
}

-- A function that makes STEPS steps and returns the processor time of one, in seconds.
local function stepper(net, estimator)
  local posterior = bnn.posterior.meanfield(net:init(key:fold "init", data))
  local objective = bnn.elbo{net = net, posterior = posterior, estimator = estimator,
                             data_size = data.size}
  local state, batches, made = bnn.optim.adam{lr = 1e-3}:init(objective), nil, 0
  return function()
    local before = os.clock()
    for _ = 1, STEPS do
      made = made + 1
      local batch = batches and batches()
      if not batch then
        batches = data:batches{size = 128, key = key:fold(made), drop_last = true}
        batch = batches()
      end
      assert(objective:step(state, batch, key:fold(made)))
    end
    return (os.clock() - before) / STEPS
  end
end

bnn.threads(1)
local rows = {}
for _, net in ipairs(nets) do
  local shared, others, logs = stepper(net[2], SHARED), {}, {}
  shared()
  for i, name in ipairs(OTHERS) do
    others[i], logs[i] = stepper(net[2], name), {}
    others[i]()
  end
  for r = 1, net[1] == "LeNet" and ROUNDS // 5 or ROUNDS do
    local time = shared()
    for i in ipairs(OTHERS) do logs[i][r] = math.log(others[i]() / time) end
  end
  for i, name in ipairs(OTHERS) do
    rows[#rows + 1] = ratios.row(net[1] .. ", " .. name, {logs[i]})
  end
end
io.write(table_text.render(rows, ratios.columns))
