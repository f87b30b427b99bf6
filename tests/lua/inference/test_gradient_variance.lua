--- The variance of gradients: what is known in closed form, its standard errors, and that nothing
-- changes by measuring.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local linear_model = require "linear_model"

local raises, key = bits.raises, bnn.key(11)
local model = linear_model.of(key)
local N, SIGMA = linear_model.N, linear_model.SIGMA
local STD = {0.3, 0.5} -- of the weights

local function objective_of(more)
  local mu = model.net:init(key, model.x)
  local opts = {
    net = model.net, likelihood = bnn.likelihood.gaussian{sigma = SIGMA}, data_size = N,
    posterior = bnn.posterior.meanfield(mu, {logvar = function(_, shape)
      return (bnn.tensor(STD):log() * 2):view(table.unpack(shape))
    end}),
  }
  for name, value in pairs(more or {}) do opts[name] = value end
  return bnn.elbo(opts)
end

local function measure(objective, more)
  local opts = {objective = objective, data = model.data, batch_size = 5, batches = 200, draws = 3,
                key = key, progress = false}
  for name, value in pairs(more or {}) do opts[name] = value end
  return bnn.gradient_variance(opts)
end

local function assert_near(value, want, error, what)
  if math.abs(value - want) <= error then return end
  lu.fail(("%s is %.6g, expected %.6g +- %.2g"):format(what, value, want, error))
end

-- dL/dw = A w / sigma^2 - c for A = X'X / n: with w_j of deviation s_j the variance of element i is
-- the sum over j of (A_ij s_j / sigma^2)^2.
local function variance_of_noise(x)
  local a, sum = (x:t():mm(x) * (1 / (x:size(1) * SIGMA ^ 2))):totable(), 0
  for i = 1, 2 do
    for j = 1, 2 do sum = sum + (a[i][j] * STD[j]) ^ 2 / 2 end
  end
  return sum
end

-- The variance over examples of x (x mu - y) / sigma^2, of an element.
local function variance_of_examples(mu)
  local miss = model.x:mm(mu) - model.y
  return (model.x * miss * (1 / SIGMA ^ 2)):var(1):mean():item() * N / (N - 1)
end

TestGradientVariance = {}

function TestGradientVariance.test_the_noise_on_all_data_is_that_of_the_closed_form()
  local estimators = {{}, {num_samples = 3}}
  local v = measure(objective_of(), {batch_size = N, batches = 300, estimators = estimators})
  local want = variance_of_noise(model.x)
  for e, samples in ipairs{1, 3} do
    local row = v:find(v.estimators[e], "mu")
    assert_near(row.noise, want / samples, 4 * row.noise_se, "noise of mu")
    lu.assertTrue(row.noise_se < 0.1 * row.noise)
    assert_near(row.batch, 0, 4 * row.batch_se, "all data are no choice")
    assert_near(row.total, row.noise + row.batch, 1e-12, "total")
  end
  local row = v:find("num_samples=3", "mu")
  assert_near(row.noise_ratio, 3, 4 * row.noise_ratio_se, "one sample over three")
  assert_near(row.total_ratio, 3, 4 * row.total_ratio_se, "one sample over three, both parts")
  lu.assertTrue(row.noise_ratio_se < 0.4)
end

-- Batches of one example: what they differ in is known, and their noise is the mean over examples.
function TestGradientVariance.test_the_part_of_the_batch_is_that_of_the_closed_form()
  local objective = objective_of()
  local row = measure(objective, {batch_size = 1, batches = 20 * N}):find("as it is", "mu")
  local noise = 0
  for i = 1, N do noise = noise + variance_of_noise(model.x:narrow(1, i, 1)) / N end
  assert_near(row.noise, noise, 4 * row.noise_se, "noise")
  local mu = objective.posterior.mu["linear/w"]
  assert_near(row.batch, variance_of_examples(mu), 4 * row.batch_se, "batch")
end

-- A standard error is the deviation of what it belongs to, over keys: 60 of them tell it to 4 *
-- 1/sqrt(2 * 60), and the scatter of few batches adds to that.
function TestGradientVariance.test_standard_errors_are_deviations_over_keys()
  local objective, sums = objective_of(), {}
  for _, name in ipairs{"noise", "batch", "total"} do sums[name] = {s = 0, ss = 0, se = 0} end
  for i = 1, 60 do
    local row = measure(objective, {batches = 60, key = key:fold(i)}):find("as it is", "mu")
    for name, sum in pairs(sums) do
      sum.s, sum.ss = sum.s + row[name], sum.ss + row[name] ^ 2
      sum.se = sum.se + row[name .. "_se"] ^ 2 / 60
    end
  end
  for name, sum in pairs(sums) do
    local deviation = math.sqrt((sum.ss - sum.s ^ 2 / 60) / 59)
    local ratio = math.sqrt(sum.se) / deviation
    assert_near(ratio, 1, 0.45, name .. ": standard error over deviation")
  end
end

function TestGradientVariance.test_one_batch_has_a_noise_alone()
  local v = measure(objective_of(), {batch_size = N, batches = 1, draws = 400})
  local row = v:find("as it is", "mu", "all")
  assert_near(row.noise, variance_of_noise(model.x), 4 * row.noise_se, "noise")
  lu.assertTrue(row.noise_se > 0 and row.noise_se < 0.15 * row.noise)
  lu.assertNil(row.batch)
  lu.assertNil(row.total_ratio)
  lu.assertStrContains(tostring(v), "1 batch of 40, 400 draws")
  lu.assertNil(tostring(v):find("first", 1, true))
end

function TestGradientVariance.test_nothing_changes_by_measuring()
  local function trained(looks)
    local objective = objective_of()
    objective.data_size = nil
    local state = bnn.optim.adam{lr = 0.1}:init(objective)
    local q = objective.posterior
    if looks then
      local before = q:clone()
      measure(objective, {batches = 3, estimators = {{}, {num_samples = 2}}})
      bits.assert_same(q.mu, before.mu)
      bits.assert_same(q.logvar, before.logvar)
      lu.assertNil(objective.data_size)
      lu.assertEquals(objective.num_samples, 1)
      lu.assertEquals(objective.recordings, 0)
      lu.assertNil(objective.last)
    end
    objective.data_size = N
    for step = 1, 3 do assert(objective:step(state, model.data, key:fold(step))) end
    return q
  end
  local a, b = trained(false), trained(true)
  bits.assert_same(a.mu, b.mu)
  bits.assert_same(a.logvar, b.logvar)
end

function TestGradientVariance.test_a_key_gives_the_same_on_any_number_of_threads()
  local function text(threads, own)
    bnn.threads(threads)
    return tostring(measure(objective_of(), {batches = 5, key = own}))
  end
  local one = text(1, key)
  lu.assertEquals(text(3, key), one)
  lu.assertNotEquals(text(1, key:fold(1)), one)
  bnn.threads(1)
end

-- Points have no noise: no ratio; buffers that only one estimator has are compared with itself.
function TestGradientVariance.test_any_posterior()
  local x, labels = bnn.randn(key, 30, 4), bnn.zeros(30):to "i32"
  local net, data = bnn.nn.mlp{3, 2}, bnn.data.from_tensors{x = x, y = labels}
  local params = net:init(key, x)
  local point = bnn.objective{net = net, params = params, likelihood = "categorical"}
  local opts = {data = data, batch_size = 10, batches = 3}
  local v = measure(point, opts)
  local row = v:find("as it is", "mu")
  lu.assertEquals(row.noise, 0)
  lu.assertTrue(row.batch > 0)
  lu.assertNil(row.noise_ratio)
  local some = bnn.posterior.meanfield(params, {only = {"mlp/linear_1"}})
  opts.estimators = {{label = "some"}, {posterior = bnn.posterior.radial(params)}}
  v = measure(bnn.elbo{net = net, posterior = some}, opts)
  lu.assertEquals(v.estimators, {"some", "posterior=radial"})
  lu.assertEquals(v:find("some", "logvar").elements, 3 * 2 + 2)
  lu.assertEquals(v:find("posterior=radial", "logvar").elements, 4 * 3 + 3 + 3 * 2 + 2)
  lu.assertNil(v:find("some", "logvar", "mlp/linear_0/w"))
  lu.assertEquals(v:find("posterior=radial", "logvar", "mlp/linear_0/w").noise_ratio, 1)
  local sum = 0
  for _, one in ipairs(v.rows) do
    if one.estimator == "some" and one.buffer == "mu" and one.tensor ~= "all" then
      sum = sum + one.noise * one.elements
    end
  end
  assert_near(v:find("some", "mu").noise * params:numel(), sum, 1e-4 * sum, "all")
end

-- One draw for the whole batch is the noisiest, and what batches differ in does not depend on how
-- weights are drawn.
function TestGradientVariance.test_estimators_by_name()
  local x = bnn.randn(key:fold "more", 60, 4)
  local y = bnn.zeros(60):to "i32"
  local net, data = bnn.nn.mlp{8, 3}, bnn.data.from_tensors{x = x, y = y}
  local objective = bnn.elbo{net = net, posterior = bnn.posterior.meanfield(net:init(key, x),
                                                                            {logvar = -3})}
  local names = {"reparameterization", "local_reparameterization", "flipout"}
  local pair = {antithetic = true, num_samples = 2}
  local v = measure(objective, {data = data, batch_size = 30, batches = 60,
                                estimators = {names[1], names[2], names[3], pair}})
  lu.assertEquals(v.estimators, {names[1], names[2], names[3], "antithetic=true, num_samples=2"})
  for _, buffer in ipairs{"mu", "logvar"} do
    local one, own = v:find(names[1], buffer), v:find(names[2], buffer)
    local flipped, two = v:find(names[3], buffer), v:find(v.estimators[4], buffer)
    lu.assertTrue(own.noise_ratio > 5 and own.noise_ratio > flipped.noise_ratio)
    lu.assertTrue(flipped.noise_ratio > 1.5)
    lu.assertTrue(two.noise_ratio > 2)
    for _, other in ipairs{own, flipped, two} do
      local se = math.sqrt(one.batch_se ^ 2 + other.batch_se ^ 2)
      assert_near(other.batch, one.batch, 4 * se, "batch by " .. other.estimator)
    end
  end
end

function TestGradientVariance.test_wrong_arguments()
  local objective = objective_of()
  raises("objective: expected an objective, got nothing", bnn.gradient_variance, {key = key})
  raises("data: expected a part of a data set", measure, objective, {data = {x = model.x}})
  raises("batches: expected 1, or at least 3", measure, objective, {batches = 2})
  raises("draws: expected at least 2, got 1", measure, objective, {draws = 1})
  raises("got 'as it is' twice", measure, objective, {estimators = {{}, {}}})
  raises({"estimators[2]", "unknown option 'num_sample'", "did you mean 'num_samples'"}, measure,
    objective, {estimators = {{}, {num_sample = 2}}})
  raises({"estimators[1]", "did you mean flipout"}, measure, objective, {estimators = {"flipuot"}})
  raises("estimators[1]: label: expected a string, got a number", measure, objective,
    {estimators = {{label = 2}}})
  raises("estimators[1]: expected a name, or a table", measure, objective,
    {estimators = {model.net}})
  raises("batch_size is 41, the data have 40", measure, objective, {batch_size = N + 1})
  raises("variances:find: expected variances before the colon", function()
    measure(objective, {batches = 1}).find "x"
  end)
end

os.exit(lu.LuaUnit.run())
