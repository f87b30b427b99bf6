--- Samplers and collectors: each sampler on a Gaussian whose posterior is known, what is collected,
-- that a resumed training collects the same.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local linear_model = require "linear_model"

local raises = bits.raises
local key = bnn.key(3)

local N, SIGMA, PRIOR = linear_model.N, linear_model.SIGMA, linear_model.PRIOR
local regression = linear_model.of(key)
local x, net, data = regression.x, regression.net, regression.data

local function objective_of()
  return bnn.objective{net = net, params = net:init(key, x), prior = PRIOR, temperature = 1,
                       data_size = N, likelihood = bnn.likelihood.gaussian{sigma = SIGMA}}
end

local function train(opts)
  local all = {objective = objective_of(), data = data, batch_size = N, key = key}
  for name, value in pairs(opts) do all[name] = value end
  return bnn.train(all), all.objective
end

TestLaws = {}

-- Two posteriors N(m, (N B)^-1): of the regression, and a Gaussian itself, whose numbers depend on
-- each other (correlation -0.69). Each has its objective, and {B, m, covariance as a list}.
local TARGETS = {}

function TARGETS.regression()
  local precision, covariance, m = linear_model.posterior(regression, 1)
  for _, row in ipairs(precision) do
    for j = 1, 2 do row[j] = row[j] / N end
  end
  return objective_of(), {B = precision, m = m, covariance = covariance}
end

function TARGETS.gaussian()
  local B, m = {{4, 2.4}, {2.4, 3}}, {0.5, -1}
  local det = N * (B[1][1] * B[2][2] - B[1][2] ^ 2)
  local params = bnn.params.new(bnn.params.layout{{name = "w", shape = {2}}}, bnn.zeros(2))
  local precision, centre = bnn.tensor(B), bnn.tensor{m}
  local objective = bnn.objective{params = params, data_size = N, loss = function(p, batch)
    local d = p.w:view(1, 2) - centre
    return (d:mm(precision) * d):sum() * 0.5 + batch.y:view(-1) * 0
  end}
  return objective, {B = B, m = m, covariance = {B[2][2] / det, -B[1][2] / det, -B[2][1] / det,
                                                B[1][1] / det}}
end

local function product(a, b)
  local c = {}
  for i, row in ipairs(a) do
    c[i] = {}
    for j = 1, #b[1] do
      c[i][j] = 0
      for k = 1, #b do c[i][j] = c[i][j] + row[k] * b[k][j] end
    end
  end
  return c
end

local function transposed(a)
  local t = {}
  for j = 1, #a[1] do
    t[j] = {}
    for i = 1, #a do t[j][i] = a[i][j] end
  end
  return t
end

-- The covariance that s <- A s + n, n ~ N(0, Q), comes to: sum of A^k Q A'^k, by doubling.
local function stationary(a, q)
  for _ = 1, 30 do
    local more = product(product(a, q), transposed(a))
    for i, row in ipairs(q) do
      for j = 1, #row do row[j] = row[j] + more[i][j] end
    end
    a = product(a, a)
  end
  return q
end

-- With all data in a batch, of B w - r for a gradient, a step is linear in w - m. What each sampler
-- makes of it, with steps scaled by the diagonal c: w - m <- (1 - lr c B)(w - m) + noise, or
-- (v, w - m) for those with a velocity. Returns the covariance of w.
local function langevin_law(b, lr, c)
  local a, q = {{0, 0}, {0, 0}}, {{0, 0}, {0, 0}}
  for i = 1, 2 do
    for j = 1, 2 do a[i][j] = (i == j and 1 or 0) - lr * c[i] * b[i][j] end
    q[i][i] = 2 * lr * c[i] / N
  end
  return stationary(a, q)
end

local function hamiltonian_law(b, lr, alpha, c, variance)
  local a, q = {{}, {}, {}, {}}, {{}, {}, {}, {}}
  for i = 1, 2 do
    for j = 1, 2 do
      local is_same = i == j and 1 or 0
      a[i][j], a[i][j + 2] = is_same * (1 - alpha), -lr * c[i] * b[i][j]
      a[i + 2][j], a[i + 2][j + 2] = a[i][j], is_same + a[i][j + 2]
      local noise = is_same * variance[i]
      q[i][j], q[i][j + 2], q[i + 2][j], q[i + 2][j + 2] = noise, noise, noise, noise
    end
  end
  local all = stationary(a, q)
  return {{all[3][3], all[3][4]}, {all[4][3], all[4][4]}}
end

-- The number that a scale adapts to: 1 / (lambda + sqrt V).
local function scales(state, slot, lambda)
  local v = state:state_dict().moments[slot]:totable()
  return {1 / (lambda + math.sqrt(v[1])), 1 / (lambda + math.sqrt(v[2]))}
end

local ALPHA = 0.1
local LAWS = {
  sgld = {options = {lr = 0.015}, law = function(b) return langevin_law(b, 0.015, {1, 1}) end},
  psgld = {options = {lr = 0.005, lambda = 1e-5, burn_in = 500}, law = function(b, state)
    return langevin_law(b, 0.005, scales(state, 1, 1e-5))
  end},
  sghmc = {options = {lr = 0.005, alpha = ALPHA}, law = function(b)
    local noise = 2 * ALPHA * 0.005 / N
    return hamiltonian_law(b, 0.005, ALPHA, {1, 1}, {noise, noise})
  end},
  adaptive_sghmc = {options = {lr = 3e-4, alpha = ALPHA, burn_in = 500}, law = function(b, state)
    local c, lr, noise = scales(state, 4, 1e-5), 3e-4, {}
    for i = 1, 2 do noise[i] = lr * (2 * ALPHA * c[i] / N - lr) end
    return hamiltonian_law(b, lr, ALPHA, c, noise)
  end},
}

-- The mean of some numbers, and its Monte-Carlo error by the means of 40 parts in a row, which are
-- long beside the memory of a chain: its effective size is the numbers' variance over that squared.
local function mean_and_error(values)
  local size, mean, squares = #values // 40, 0, 0
  for k = 0, 39 do
    local part = 0
    for i = 1, size do part = part + values[k * size + i] / size end
    mean, squares = mean + part / 40, squares + part ^ 2 / 40
  end
  return mean, math.sqrt(math.max(0, squares - mean ^ 2) / 39)
end

-- The mean of the samples is that of the posterior, their covariance that of the sampler's law,
-- within five of their Monte-Carlo errors.
local function check_law(samples, m, covariance)
  local values = {{}, {}, {}, {}, {}}
  for i, sample in ipairs(samples) do
    local d, e = sample[1] - m[1], sample[2] - m[2]
    for k, value in ipairs{d, e, d * d, d * e, e * e} do values[k][i] = value end
  end
  local wanted = {0, 0, covariance[1][1], covariance[1][2], covariance[2][2]}
  for k, want in ipairs(wanted) do
    local mean, error_of = mean_and_error(values[k])
    lu.assertAlmostEquals(mean, want, 5 * error_of)
    lu.assertTrue(k < 3 or error_of < 0.2 * math.max(wanted[3], wanted[5])) -- so it tells something
  end
end

-- The law itself differs from the posterior by the size of the steps alone, of all its numbers.
local function check_near(covariance, exact)
  local size = {math.sqrt(exact[1]), math.sqrt(exact[4])}
  for i = 1, 2 do
    for j = 1, 2 do
      local miss = covariance[i][j] - exact[2 * i + j - 2]
      lu.assertAlmostEquals(miss / (size[i] * size[j]), 0, 0.06)
    end
  end
end

for target, make in pairs(TARGETS) do
  for name, case in pairs(LAWS) do
    TestLaws["test_" .. name .. "_samples_the_posterior_of_the_" .. target] = function()
      local burn_in, n = case.options.burn_in or 500, 5000
      local from = not case.options.burn_in and burn_in + 1 or nil -- by default after its burn-in
      local objective, exact = make()
      local state = train{objective = objective, optimizer = bnn.sampler[name](case.options),
                          steps = burn_in + n, collect = bnn.collect.samples{from = from, keep = n}}
      local covariance = case.law(exact.B, state)
      check_law(state:posterior().bank.flat:totable(), exact.m, covariance)
      check_near(covariance, exact.covariance)
    end
  end
end

function TestLaws.test_every_sampler_has_one()
  for name in pairs(bnn.sampler.docs) do
    lu.assertNotNil(LAWS[name], name)
  end
end

-- After three steps, two of which adapt what adapts.
for name in pairs(LAWS) do
  TestLaws["test_" .. name .. "_gives_the_same_bits_on_any_number_of_threads"] = function()
    local wide, before, want = bnn.nn.mlp{200, 1}, bnn.threads(), nil
    local input = bnn.randn(key, 64, 90)
    local set = bnn.data.from_tensors{x = input, y = input:narrow(2, 1, 1)}
    for threads = 1, 3 do
      bnn.threads(threads)
      local objective = bnn.objective{net = wide, params = wide:init(key, input), prior = 1,
                                      likelihood = bnn.likelihood.gaussian{sigma = 1}}
      local optimizer = bnn.sampler[name]{burn_in = LAWS[name].options.burn_in and 2}
      bnn.train{objective = objective, optimizer = optimizer, data = set, steps = 3,
                batch_size = 64, key = key}
      want = want or objective.params
      bits.assert_same(objective.params, want, threads .. " threads")
    end
    bnn.threads(before)
  end
end

TestLangevin = {}

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

function TestLangevin.test_refusals()
  local objective = objective_of()
  objective.data_size = nil
  local state = bnn.sampler.sgld{}:init(objective)
  local loss, message = objective:step(state, {x = x, y = regression.y}, key, {beta = 0})
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

function TestCollectors.test_collecting_begins_after_burn_in()
  local optimizer = bnn.sampler.psgld{lr = 1e-3, burn_in = 6}
  lu.assertEquals(optimizer:burn_in(), 6)
  lu.assertEquals(bnn.optim.adam{}:burn_in(), 0)
  local function support(opts)
    return train{optimizer = optimizer, steps = 10, collect = bnn.collect.samples(opts)}:posterior()
      :support()
  end
  lu.assertEquals({support{}, support{from = 2}, support{every = 2}}, {4, 9, 2})
  local state, objective = train{optimizer = optimizer, steps = 8, collect = bnn.collect.samples{}}
  train{optimizer = optimizer, objective = objective, state = state, steps = 2,
        collect = bnn.collect.samples{}}
  lu.assertEquals(state:posterior():support(), 4)
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

-- The last three distances of what a path of weights gives, and their squares, written out.
function TestCollectors.test_swag_is_the_gaussian_of_its_paper()
  local from, steps, rank = 3, 9, 3
  local list = trace(steps)
  local q = train{optimizer = bnn.sampler.sgld{lr = 0.05}, steps = steps,
                  collect = bnn.collect.swag{from = from, rank = rank}}:posterior()
  local mean, squares, last = {0, 0}, {0, 0}, {}
  for step = from, steps do
    local w = list[step].flat:totable()
    last[step] = {}
    for i = 1, 2 do
      mean[i] = mean[i] + (w[i] - mean[i]) / (step - from + 1)
      squares[i] = squares[i] + w[i] ^ 2
      last[step][i] = w[i] - mean[i]
    end
  end
  local covariance = {{0, 0}, {0, 0}}
  for i = 1, 2 do
    lu.assertAlmostEquals(q.mu.flat[i], mean[i], 1e-5)
    local variance = squares[i] / (steps - from + 1) - mean[i] ^ 2
    lu.assertAlmostEquals(q.sigma.flat[i], math.sqrt(variance), 1e-4)
    for j = 1, 2 do
      covariance[i][j] = i == j and variance / 2 or 0
      for step = steps - rank + 1, steps do
        covariance[i][j] = covariance[i][j] + last[step][i] * last[step][j] / (2 * (rank - 1))
      end
    end
    lu.assertAlmostEquals(q:std().flat[i], math.sqrt(covariance[i][i]), 1e-4)
  end
  check_law(q:samples(key, 8000).flat:totable(), mean, covariance)
end

function TestCollectors.test_swag_predicts_and_is_kept()
  local state = train{optimizer = bnn.optim.sgd{lr = 0.05, momentum = 0.5}, steps = 12,
                      collect = bnn.collect.swag{from = 5, rank = 4}}
  local q, path = state:posterior(), os.tmpname()
  lu.assertEquals({q.family, #q.deviation, q:support()}, {"swag", 4, nil})
  lu.assertStrContains(tostring(q), "swag posterior over 2 parameters")
  local model = {net = net, posterior = q, likelihood = bnn.likelihood.gaussian{sigma = SIGMA}}
  local p = bnn.predict(model, x, {key = key, num_samples = 20})
  assert(bnn.checkpoint.save(path, {posterior = q}))
  model.posterior = assert(bnn.checkpoint.load(path)).posterior
  bits.assert_same(bnn.predict(model, x, {key = key, num_samples = 20}).mean, p.mean)
  bits.assert_same(q:clone():sample(key), q:sample(key))
  os.remove(path)
  raises("the swag posterior predicts, it is not trained", bnn.optim.sgd{}.init, bnn.optim.sgd{}, q)
  raises("rank: expected at least 2, got 1", bnn.collect.swag, {rank = 1})
  raises("deviation: expected samples, one at least", bnn.posterior.from_buffers, "swag",
    {mu = q.mu, sigma = q.sigma, deviation = q.mu})
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
