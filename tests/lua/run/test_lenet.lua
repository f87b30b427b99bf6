--- experiments/lenet.lua as a function: short runs, plain and Bayesian, on a small set.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local idx = require "idx_files"
local bnn = require "bnn"

local lenet = bnn.load_experiment(folder .. "/../../experiments/lenet.lua")
local here = idx.folder()
local set = idx.set(here .. "/set", 300, 150)

-- Runs the experiment on the small set with what `cfg` changes; its metrics, artefacts and log.
local function run(cfg)
  local all = {data_dir = set, batch_size = 50, epochs = 4, lr = 3e-3, predict_samples = 3}
  for name, value in pairs(cfg or {}) do all[name] = value end
  local log = bnn.log.memory()
  local metrics, artefacts = lenet.run(all, log)
  return metrics, artefacts, log
end

TestLenet = {}

function TestLenet.test_learns_either_way()
  for _, bayesian in ipairs{false, true} do
    local metrics, made, log = run{bayesian = bayesian}
    lu.assertTrue(metrics.accuracy > 0.8, tostring(metrics.accuracy))
    lu.assertEquals(metrics.accuracy, log:last "test/accuracy")
    lu.assertEquals(made.model.posterior ~= nil, bayesian)
    local params = bayesian and made.model.posterior.mu or made.model.params
    lu.assertEquals(params["sequential/conv2d_0/w"]:shape(), {6, 1, 5, 5})
    lu.assertEquals(params["sequential/conv2d_1/w"]:shape(), {16, 6, 5, 5})
    lu.assertEquals(params["sequential/linear_0/w"]:shape(), {400, 120})
    lu.assertEquals(params:numel(), 61706) -- LeNet-5's, with all maps of one layer joined
  end
end

function TestLenet.test_any_number_of_threads_gives_the_same_bits()
  for _, bayesian in ipairs{false, true} do
    local _, one = run{bayesian = bayesian, epochs = 2, threads = 1, batch_size = 150}
    for threads = 2, 4 do
      local _, more = run{bayesian = bayesian, epochs = 2, threads = threads, batch_size = 150}
      for _, name in ipairs(bayesian and {"mu", "logvar"} or {"params"}) do
        local a = bayesian and one.model.posterior[name] or one.model.params
        local b = bayesian and more.model.posterior[name] or more.model.params
        bits.assert_same(a, b, threads .. " threads")
      end
    end
  end
  bnn.threads(0)
end

-- A learning rate that ends at 0 with the training: what it is in the last epoch shows its end.
function TestLenet.test_a_schedule_ends_with_the_epochs()
  local _, _, log = run{epochs = 2, lr = "step:3e-3:0:6"} -- 6 steps an epoch: the second is idle
  local _, whole = log:curve "test/accuracy"
  lu.assertEquals(whole[2], whole[3])
  local _, made = run{epochs = 2, lr = "linear:3e-3:0"}
  local _, want = run{epochs = 2, lr = "linear:3e-3:0:12"}
  bits.assert_same(made.model.params, want.model.params)
  local _, other = run{epochs = 2, lr = "linear:3e-3:0:6"}
  bits.assert_differ(made.model.params, other.model.params)
end

local status = lu.LuaUnit.run()
idx.remove(here)
os.exit(status)
