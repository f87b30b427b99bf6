--- Steps of some trainings beside those of a plain one, taking turns in one process, in processor
-- time of one thread: on the network of mnist.lua and on a LeNet, batch 128, mean field and Adam.
local bnn = require "bnn"
local networks = require "networks"
local ratios = require "ratios"
local table_text = require "bnn.base.table_text"

local M = {}

local STEPS = 10
local key = bnn.key(1)

-- A function that makes STEPS steps on a part and returns the processor time of one, in seconds.
local function stepper(net, part, estimator)
  local posterior = bnn.posterior.meanfield(net:init(key:fold "init", part))
  local objective = bnn.elbo{net = net, posterior = posterior, estimator = estimator,
                             data_size = part.size}
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

-- A row of text for each training, on one network.
local function add_rows(rows, name, net, data, others, rounds)
  local plain, steps, logs = stepper(net, data), {}, {}
  plain()
  for i, other in ipairs(others) do
    steps[i], logs[i] = stepper(net, other.part or data, other.estimator), {}
    steps[i]()
  end
  for r = 1, rounds do
    local time = plain()
    for i in ipairs(others) do logs[i][r] = math.log(steps[i]() / time) end
  end
  for i, other in ipairs(others) do
    rows[#rows + 1] = ratios.row(("%s, %s"):format(name, other.name), {logs[i]})
  end
end

--- Prints the ratios.
-- @param data part
-- @param others list of {name=, part= (default data), estimator=}
-- @param rounds integer; a fifth of them on the LeNet
function M.print(data, others, rounds)
  bnn.threads(1)
  local rows = {}
  add_rows(rows, "784-64-64-10", bnn.nn.mlp{64, 64, 10}, data, others, rounds)
  add_rows(rows, "LeNet", networks.lenet_net(), data, others, rounds // 5)
  io.write(table_text.render(rows, ratios.columns))
end

return M
