--- What a step costs on augmented images beside one on plain images: the network of mnist.lua and a
-- LeNet, batch 128, Adam, taking turns in one process, in processor time of one thread.
--     BNNLUA_DATA=DIR build/bnnlua tests/bench/bench_augment.lua [rounds]
local bnn = require "bnn"
local ratios = dofile "tests/bench/ratios.lua"
local table_text = require "bnn.base.table_text"

local augment = bnn.augment
local LISTS = {
  {augment.shift(2)}, {augment.flip()}, {augment.rotate(15)}, {augment.noise(0.1)},
  {augment.mixup(0.2)}, {augment.shift(2), augment.rotate(15), augment.mixup(0.2)},
}
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

-- A function that makes STEPS steps on a part and returns the processor time of one, in seconds.
local function stepper(net, part)
  local posterior = bnn.posterior.meanfield(net:init(key:fold "init", data))
  local objective = bnn.elbo{net = net, posterior = posterior, data_size = data.size}
  local state, made = bnn.optim.adam{lr = 1e-3}:init(objective), 0
  local batches = part:batches{size = 128, key = key, epochs = math.huge}
  return function()
    local before = os.clock()
    for _ = 1, STEPS do
      made = made + 1
      assert(objective:step(state, batches(), key:fold(made)))
    end
    return (os.clock() - before) / STEPS
  end
end

bnn.threads(1)
local rows = {}
for _, net in ipairs(nets) do
  local plain, others, logs = stepper(net[2], data), {}, {}
  plain()
  for i, list in ipairs(LISTS) do
    others[i], logs[i] = stepper(net[2], data:augment(list)), {}
    others[i]()
  end
  for r = 1, net[1] == "LeNet" and ROUNDS // 5 or ROUNDS do
    local time = plain()
    for i in ipairs(LISTS) do logs[i][r] = math.log(others[i]() / time) end
  end
  for i, list in ipairs(LISTS) do
    rows[#rows + 1] = ratios.row(("%s, %s"):format(net[1], data:augment(list).augmentation.text),
      {logs[i]})
  end
end
io.write(table_text.render(rows, ratios.columns))
