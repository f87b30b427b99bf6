--- Samplers and collectors: SGLD on a Gaussian whose posterior is known, what is collected, that a
-- resumed training collects the same.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(3)

-- Linear regression with noise of known size: the posterior is N(m, (N B)^-1).
local N, SIGMA, PRIOR = 40, 0.5, 1.5
local x = bnn.randn(key:fold "x", N, 2)
local y = x:mm(bnn.tensor{{1}, {-2}}) + bnn.randn(key:fold "noise", N, 1) * SIGMA
local net = bnn.nn.linear(1, {bias = false})
local data = bnn.data.from_tensors{x = x, y = y}

local function objective_of()
  return bnn.objective{net = net, params = net:init(key, x), prior = PRIOR, temperature = 1,
                       data_size = N, likelihood = bnn.likelihood.gaussian{sigma = SIGMA}}
end

local function train(opts)
  local all = {objective = objective_of(), data = data, batch_size = N, key = key}
  for name, value in pairs(opts) do all[name] = value end
  return bnn.train(all), all.objective
end

-- a [2, 2] as numbers a, b, c, d; its inverse and product.
local function entries(matrix) return table.unpack(matrix:view(4):totable()) end
local function inverse(a, b, c, d)
  local det = a * d - b * c
  return d / det, -b / det, -c / det, a / det
end

TestLangevin = {}

-- With all data in a batch, a step is w - m <- (1 - lr B)(w - m) + sqrt(2 lr / N) eps; its samples
-- have the covariance (B - lr/2 B^2)^-1 / N: that of the posterior for small lr. Of T samples with
-- correlation rho from one to the next, a mean is known to sqrt(v (1 + rho) / (1 - rho) / T), a
-- variance to v sqrt(2 (1 + rho^2) / (1 - rho^2) / T); five of these are allowed.
function TestLangevin.test_samples_have_the_posteriors_mean_and_covariance()
  local lr, T, burn_in = 0.02, 20000, 1000
  local state = train{optimizer = bnn.sampler.sgld{lr = lr}, steps = T,
                      collect = bnn.collect.samples{from = burn_in + 1, keep = T - burn_in}}
  local samples = state:posterior().bank.flat
  local a, b, c, d = entries((x:t():mm(x) / SIGMA ^ 2 + bnn.eye(2) / PRIOR ^ 2) / N)
  local ia, ib, ic, id = inverse(a, b, c, d)
  local r = (x:t():mm(y) / SIGMA ^ 2 / N):view(2):totable()
  local m = {ia * r[1] + ib * r[2], ic * r[1] + id * r[2]}
  local h = lr / 2
  local va, vb, _, vd = inverse(a - h * (a * a + b * c), b - h * (a * b + b * d),
    c - h * (c * a + d * c), d - h * (c * b + d * d))
  local v = {va / N, vd / N}
  local mean, n = samples:mean(1), T - burn_in
  local spread = samples - mean
  local got = (spread:t():mm(spread) / n):view(4):totable()
  local rho = {1 - lr * a, 1 - lr * d}
  for i = 1, 2 do
    local of_mean = math.sqrt(v[i] * (1 + rho[i]) / (1 - rho[i]) / n)
    lu.assertAlmostEquals(mean:totable()[i], m[i], 5 * of_mean)
    local of_variance = v[i] * math.sqrt(2 * (1 + rho[i] ^ 2) / (1 - rho[i] ^ 2) / n)
    lu.assertAlmostEquals(got[3 * i - 2], v[i], 5 * of_variance)
  end
  local of_covariance = math.sqrt(v[1] * v[2] * (1 + rho[1] ^ 2) / (1 - rho[1] ^ 2) / n)
  lu.assertAlmostEquals(got[2], vb / N, 5 * of_covariance)
end

function TestLangevin.test_without_noise_it_is_gradient_descent()
  local _, sampled = train{optimizer = bnn.sampler.sgld{lr = 0.05, noise = 0}, steps = 20}
  local _, descended = train{optimizer = bnn.optim.sgd{lr = 0.05}, steps = 20}
  lu.assertTrue((sampled.params.flat - descended.params.flat):abs():max():item() < 1e-5)
end

function TestLangevin.test_noise_may_be_a_schedule()
  local steps = {}
  local function noise(step)
    steps[#steps + 1] = step
    return step > 5 and 1 or 0
  end
  local state = train{optimizer = bnn.sampler.sgld{lr = 0.05, noise = noise}, steps = 5}
  local _, descended = train{optimizer = bnn.optim.sgd{lr = 0.05}, steps = 5}
  lu.assertTrue((state:posterior().mu.flat - descended.params.flat):abs():max():item() < 1e-6)
  lu.assertEquals(steps, {1, 2, 3, 4, 5})
end

function TestLangevin.test_same_key_same_bits_on_any_number_of_threads()
  local wide = bnn.nn.mlp{200, 1}
  local before, want = bnn.threads(), nil
  local input = bnn.randn(key, 64, 90)
  local set = bnn.data.from_tensors{x = input, y = input:narrow(2, 1, 1)}
  for threads = 1, 3 do
    bnn.threads(threads)
    local objective = bnn.objective{net = wide, params = wide:init(key, input), prior = 1,
                                    likelihood = bnn.likelihood.gaussian{sigma = 1}}
    bnn.train{objective = objective, optimizer = bnn.sampler.sgld{}, data = set, steps = 3,
              batch_size = 64, key = key}
    want = want or objective.params
    bits.assert_same(objective.params, want, threads .. " threads")
  end
  bnn.threads(before)
end

function TestLangevin.test_refusals()
  local objective = objective_of()
  objective.data_size = nil
  local state = bnn.sampler.sgld{}:init(objective)
  local loss, message = objective:step(state, {x = x, y = y}, key, {beta = 0})
  lu.assertNil(loss)
  lu.assertStrContains(message, "sgld: expected data_size")
  raises("bnn.sampler.sgld: unknown option 'momentum'", bnn.sampler.sgld, {momentum = 1})
  raises("bnn.sampler.sgld: lr: expected a number in [0, inf), got -1", bnn.sampler.sgld, {lr = -1})
  raises("unknown option 'noise'", bnn.optim.adam, {noise = 1})
end

TestCollectors = {}

-- What a step leaves, step by step.
local function trace(steps)
  local list, objective = {}, objective_of()
  bnn.train{objective = objective, optimizer = bnn.sampler.sgld{lr = 0.05}, data = data,
            steps = steps, batch_size = N, key = key,
            on_step = function(step) list[step] = objective.params:clone() end}
  return list
end

function TestCollectors.test_samples_are_the_newest_of_every_so_many()
  local list = trace(20)
  local function collected(opts, steps)
    return train{optimizer = bnn.sampler.sgld{lr = 0.05}, steps = steps or 20,
                 collect = bnn.collect.samples(opts)}:posterior()
  end
  local q = collected{from = 4, every = 3, keep = 10} -- 4, 7, 10, 13, 16, 19
  lu.assertEquals(q:support(), 6)
  for i = 1, 6 do bits.assert_same(q.bank[i], list[1 + 3 * i]) end
  q = collected{from = 4, every = 3, keep = 4} -- the newest: 10, 13, 16, 19
  lu.assertEquals(q:support(), 4)
  for i = 1, 4 do bits.assert_same(q.bank[i], list[7 + 3 * i]) end
  lu.assertEquals(collected({}, 3):support(), 3)
end

function TestCollectors.test_average_is_the_mean()
  local list = trace(10)
  local state = train{optimizer = bnn.sampler.sgld{lr = 0.05}, steps = 10,
                      collect = bnn.collect.average{from = 7}}
  local want = (list[7].flat + list[8].flat + list[9].flat + list[10].flat) / 4
  local q = state:posterior()
  lu.assertEquals(q.family, "point")
  lu.assertTrue((q.mu.flat - want):abs():max():item() < 1e-6)
end

function TestCollectors.test_without_one_it_is_what_was_trained()
  local state, objective = train{optimizer = bnn.optim.adam{}, steps = 2}
  bits.assert_same(state:posterior().mu, objective.params)
  lu.assertEquals(state:posterior().family, "point")
end

function TestCollectors.test_a_state_goes_on_collecting()
  local collect = bnn.collect.samples{from = 2, every = 2, keep = 3}
  local optimizer = bnn.sampler.sgld{lr = 0.05}
  local whole = train{optimizer = optimizer, steps = 9, collect = collect}
  local state, objective = train{optimizer = optimizer, steps = 5, collect = collect}
  local at_5 = state:clone()
  bnn.train{objective = objective, optimizer = optimizer, data = data, steps = 4, batch_size = N,
            key = key, state = state}
  bits.assert_same(state:posterior().bank.flat, whole:posterior().bank.flat)
  lu.assertEquals(at_5:posterior():support(), 2)
end

function TestCollectors.test_a_resumed_training_collects_the_same()
  local path = os.tmpname()
  os.remove(path)
  local function run(steps, checkpoint, keep)
    return (train{optimizer = bnn.sampler.sgld{lr = 0.05}, steps = steps, checkpoint = checkpoint,
                  collect = bnn.collect.samples{from = 3, every = 2, keep = keep or 4}})
  end
  local whole = run(14)
  run(8, {path = path})
  local resumed = run(14, {path = path, resume = true})
  bits.assert_same(resumed:posterior().bank.flat, whole:posterior().bank.flat)
  lu.assertEquals(resumed.collector.count, whole.collector.count)
  raises("collect: samples{from=3, every=2, keep=4} in the checkpoint", run, 16,
    {path = path, resume = true}, 5)
  os.execute("rm -r " .. path)
end

function TestCollectors.test_a_state_collects_in_one_way()
  local state, objective = train{optimizer = bnn.optim.sgd{}, steps = 1,
                                 collect = bnn.collect.samples{keep = 4}}
  raises("collect: expected samples{from=1, every=1, keep=4}, as in the state, got "
    .. "average{from=1, every=1}", train, {objective = objective, optimizer = bnn.optim.sgd{},
    steps = 1, state = state, collect = bnn.collect.average{}})
end

function TestCollectors.test_refusals()
  raises("expected steps from 9 on", function()
    return train{optimizer = bnn.optim.sgd{}, steps = 2,
                 collect = bnn.collect.average{from = 9}}:posterior()
  end)
  raises("from: expected at least 1, got 0", bnn.collect.samples, {from = 0})
  raises("unknown option 'keep'", bnn.collect.average, {keep = 2})
  raises("collect: expected a collector", train, {optimizer = bnn.optim.sgd{}, steps = 1,
                                                  collect = {from = 1}})
end

os.exit(lu.LuaUnit.run())
