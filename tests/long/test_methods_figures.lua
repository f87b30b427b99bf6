--- Methods other than the mean-field posterior on the real MNIST, with the network of mnist.lua,
-- 784-64-64-10: what they reach. Needs $BNNLUA_DATA with mnist.
local lu = require "luaunit"
local bnn = require "bnn"

local set = os.getenv "BNNLUA_DATA" and bnn.data.load "mnist"
local is_there = set and set.train and set.train.size == 60000
local key = bnn.key(1)
local net = bnn.nn.mlp{64, 64, 10}

local function accuracy(model)
  local p = bnn.predict(model, set.test, {key = key:fold "predict", num_samples = 20})
  return bnn.metrics.accuracy(p, set.test.y)
end

TestMethods = {}

-- The weight of the KL is a hundredth of mnist.lua's 1e-3, and 0.6 of the exact ELBO's 1 / 60000.
function TestMethods.test_radial_reaches_96_percent()
  lu.skipIf(not is_there, "needs MNIST in $BNNLUA_DATA")
  local posterior = bnn.posterior.radial(net:init(key:fold "init", set.train))
  local objective = bnn.elbo{net = net, posterior = posterior, beta = 1e-5}
  bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 1e-3}, data = set.train,
            steps = 3000, key = key:fold "train"}
  lu.assertTrue(accuracy(objective) > 0.96) -- 0.970 at seed 1
end

-- Five networks beside the best of them: more right, and far less sure where they are wrong.
function TestMethods.test_an_ensemble_is_better_than_its_members()
  lu.skipIf(not is_there, "needs MNIST in $BNNLUA_DATA")
  local function fit(own)
    local params = net:init(own:fold "init", set.train)
    local objective = bnn.objective{net = net, params = params, likelihood = "categorical"}
    bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 1e-3}, data = set.train,
              steps = 3000, key = own}
    return objective
  end
  local q = bnn.ensemble{members = 5, key = key, fit = fit}
  local best, best_nll = 0, math.huge
  local function nll(model)
    local p = bnn.predict(model, set.test, {key = key})
    return bnn.metrics.nll(p.mean, set.test.y)
  end
  for i = 1, 5 do
    local member = {net = net, params = q.bank[i], likelihood = "categorical"}
    best, best_nll = math.max(best, accuracy(member)), math.min(best_nll, nll(member))
  end
  local all = {net = net, posterior = q, likelihood = "categorical"}
  local p = bnn.predict(all, set.test, {key = key})
  local right = bnn.metrics.accuracy(p, set.test.y)
  lu.assertTrue(right > best, ("%g, the best member %g"):format(right, best))
  lu.assertTrue(bnn.metrics.nll(p.mean, set.test.y) < best_nll)
end

os.exit(lu.LuaUnit.run())
