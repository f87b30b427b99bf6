--- The low-rank posterior as users have it: what it can fit, what is kept of it and copied, and
-- what it refuses. Its numbers are compared with dense matrices in tests/c/families.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local linear_model = require "linear_model"

local raises = bits.raises
local key = bnn.key(23)
local lowrank = bnn.posterior.lowrank
local x = bnn.randn(key:fold "x", 30, 4)
local y = bnn.tensor({0, 1, 2, 1, 0, 2, 1, 1, 0, 2, 0, 1, 2, 1, 0, 2, 1, 1, 0, 2, 0, 1, 2, 1, 0, 2,
                      1, 1, 0, 2}, "i32")
local net = bnn.nn.mlp{5, 3}
local params = net:init(key, x)
local data = bnn.data.from_tensors{x = x, y = y}

local function objective_of(q, opts)
  local given = {net = net, posterior = q, data_size = 30}
  for name, value in pairs(opts or {}) do given[name] = value end
  return bnn.elbo(given)
end

TestFit = {}

-- Two weights: a diagonal and one direction are any covariance. Adam's last steps, whose rate ends
-- at 0, leave some percent.
function TestFit.test_a_gaussian_posterior_with_correlations()
  local model = linear_model.of(key)
  local mixed = model.x:mm(bnn.tensor{{1, 0.9}, {0, 0.4}}) -- inputs that go together
  model.x, model.data = mixed, bnn.data.from_tensors{x = mixed, y = model.y}
  local _, covariance, m = linear_model.posterior(model, 1)
  local q = lowrank(model.net:init(key, mixed), {rank = 1, logvar = -4, scale = 0.3})
  local objective = bnn.elbo{net = model.net, posterior = q, prior = linear_model.PRIOR,
                             data_size = linear_model.N, num_samples = 8, antithetic = true,
                             likelihood = bnn.likelihood.gaussian{sigma = linear_model.SIGMA}}
  local lr = bnn.schedule.cosine{from = 0.03, steps = 4000}
  bnn.train{objective = objective, data = model.data, batch_size = linear_model.N, steps = 4000,
            key = key, optimizer = bnn.optim.adam{lr = lr}}
  local mu, d, l = q.mu.flat:totable(), q.logvar.flat:exp():totable(), q.factor.flat[1]:totable()
  local got = {d[1] + l[1] ^ 2, l[1] * l[2], l[1] * l[2], d[2] + l[2] ^ 2}
  local scale = math.sqrt(covariance[1] * covariance[4])
  lu.assertTrue(math.abs(covariance[2]) > 0.6 * scale) -- more than a mean-field one could fit
  for i = 1, 4 do lu.assertAlmostEquals(got[i] / scale, covariance[i] / scale, 0.1) end
  for i = 1, 2 do lu.assertAlmostEquals(mu[i], m[i], 0.2 * math.sqrt(covariance[3 * i - 2])) end
end

TestBuffers = {}

function TestBuffers.test_are_what_the_constructor_says()
  local q = lowrank(params, {rank = 3, logvar = -2, scale = 0.5})
  lu.assertEquals({q.family, #q.factor, q:support()}, {"lowrank", 3, nil})
  lu.assertEquals(q:state_size(), 5 * q:numel())
  lu.assertStrContains(tostring(q), "low-rank posterior over 43 parameters in 4 tensors, of rank 3")
  bits.assert_same(q.mu, params)
  lu.assertAlmostEquals(q.factor.flat:std():item(), 0.5 * math.exp(-1) / math.sqrt(3), 0.02)
  bits.assert_same(q.factor.flat, lowrank(params, {rank = 3, logvar = -2, scale = 0.5}).factor.flat)
  bits.assert_differ(q.factor.flat,
    lowrank(params, {rank = 3, logvar = -2, scale = 0.5, key = key}).factor.flat)
  local copy = q:clone()
  local objective = objective_of(q)
  local state = bnn.optim.adam{lr = 0.1}:init(objective)
  state:update(q, objective:gradient({x = x, y = y}, key).flat)
  bits.assert_differ(q.factor.flat, copy.factor.flat)
  local variance = copy.logvar.flat:exp() + (copy.factor.flat ^ 2):sum(1)
  lu.assertTrue((copy:std().flat - variance:sqrt()):abs():max():item() < 1e-6)
end

function TestBuffers.test_points_stand_beside_it()
  local q = lowrank(params, {rank = 2, only = {"mlp/linear_1"}})
  lu.assertEquals(q:covered(), {"mlp/linear_1/w", "mlp/linear_1/b"})
  lu.assertEquals(q:state_size(), q:numel() + 3 * 18)
  lu.assertStrContains(tostring(q), ", of rank 2, and 25 that are points")
  local before, objective = q:clone(), objective_of(q)
  local d = objective:gradient({x = x, y = y}, key)
  lu.assertEquals({d.mu.flat:numel(), #d.factor, d.factor.flat:numel()}, {43, 2, 36})
  local state = bnn.optim.sgd{lr = 0.1}:init(objective)
  assert(objective:step(state, {x = x, y = y}, key))
  for name, buffer in pairs{mu = q.mu, logvar = q.logvar, factor = q.factor} do
    local miss = (before[name].flat - d[name].flat * 0.1 - buffer.flat):abs():max():item()
    lu.assertTrue(miss < 1e-6, name)
  end
end

-- A rule in pieces, in jobs with the gradients, after clipping, and of several samples: each
-- updates every row with its own gradient and its own state.
function TestBuffers.test_every_way_of_a_step_changes_all_rows_alike()
  local function step(opts, clip)
    local q = lowrank(params, {rank = 3, logvar = -2})
    local objective = objective_of(q, opts)
    local state = bnn.optim.adam{lr = 0.01, clip_norm = clip}:init(objective)
    for s = 1, 3 do assert(objective:step(state, {x = x, y = y}, key:fold(s))) end
    return q
  end
  local plain, clipped = step{}, step({}, 1e9)
  for _, name in ipairs{"mu", "logvar", "factor"} do
    local miss = (plain[name].flat - clipped[name].flat):abs():max():item()
    lu.assertTrue(miss < 1e-5, name)
  end
  bits.assert_differ(step{num_samples = 2}.factor.flat, plain.factor.flat)
end

-- Optimizers by path, whose states have all rows of their own tensors: one for all in two parts.
function TestBuffers.test_optimizers_by_path_update_all_rows()
  local function step(optimizer, opts)
    local q = lowrank(params, {rank = 3, logvar = -2, only = {"mlp/linear_1"}})
    local objective = objective_of(q, opts)
    local state = optimizer:init(objective)
    for s = 1, 3 do assert(objective:step(state, {x = x, y = y}, key:fold(s))) end
    return q
  end
  local function adam() return bnn.optim.adam{lr = 0.01} end
  local parts = {["mlp/linear_1/w"] = adam(), default = adam()}
  for _, opts in ipairs{{}, {num_samples = 2}} do
    local whole, grouped = step(adam(), opts), step(bnn.optim.groups(parts), opts)
    for _, name in ipairs{"mu", "logvar", "factor"} do
      bits.assert_same(whole[name].flat, grouped[name].flat, name)
    end
  end
end

-- A row counts as a buffer: the rows come in the order of the gradient.
function TestBuffers.test_variances_of_gradients_are_by_row()
  local q = lowrank(params, {rank = 2, logvar = -2})
  local v = bnn.gradient_variance{objective = objective_of(q), data = data, batch_size = 10,
                                  batches = 3, draws = 2, key = key}
  local names, size = {}, 0
  for _, row in ipairs(v.rows) do
    if row.tensor == "all" then
      names[#names + 1], size = row.buffer, size + row.elements
      lu.assertTrue(row.noise > 0)
    end
  end
  lu.assertEquals(names, {"mu", "logvar", "factor/1", "factor/2"})
  lu.assertEquals(size, q:state_size())
  -- Two draws on one batch: half of the squared difference.
  v = bnn.gradient_variance{objective = objective_of(q), data = data, batch_size = 10, batches = 1,
                            draws = 2, key = key}
  local batch, own = data:batches{size = 10, key = key}(), key:fold("noise"):fold(1):fold(1)
  local a = objective_of(q):gradient(batch, own:fold(1)).factor[2]
  local b = objective_of(q):gradient(batch, own:fold(2)).factor[2]
  for _, name in ipairs(a:names()) do
    local want = ((a[name] - b[name]) ^ 2):mean():item() / 2
    lu.assertAlmostEquals(v:find("as it is", "factor/2", name).noise, want, 1e-5 * want)
  end
end

function TestBuffers.test_steps_have_the_same_bits_on_any_number_of_threads()
  local function train(threads, opts)
    local before = bnn.threads()
    bnn.threads(threads)
    local q = lowrank(params, {rank = 4, logvar = -3})
    bnn.train{objective = objective_of(q, opts), data = data, batch_size = 30, steps = 5, key = key,
              optimizer = bnn.optim.adam{lr = 0.02}}
    bnn.threads(before)
    return q
  end
  for _, opts in ipairs{{}, {num_samples = 4, antithetic = true}, {prior = "laplace"}} do
    local one, two = train(1, opts), train(2, opts)
    for _, name in ipairs{"mu", "logvar", "factor"} do
      bits.assert_same(one[name].flat, two[name].flat, name)
    end
  end
end

TestPriors = {}

-- Of a prior that is sampled the gradient is that of the entropy and of -log prior at the weights;
-- of the normal prior that is drawn as one of these the same in the mean. Here: the part of the
-- factor, over many keys.
function TestPriors.test_a_sampled_prior_has_the_gradient_of_the_closed_form_in_the_mean()
  local q = lowrank(params, {rank = 2, logvar = -1, scale = 1})
  local function mean_gradient(prior, n)
    local objective = bnn.objective{posterior = q, prior = prior, beta = 1, num_samples = 2,
      antithetic = true, loss = function(w, batch)
        return batch.x:narrow(2, 1, 1):reshape(30) * 0 + w.flat:sum() * 0
      end}
    local sum = 0
    for s = 1, n do sum = objective:gradient({x = x}, key:fold(s)).flat / n + sum end
    return sum
  end
  local function normal(w) return w ^ 2 * (-0.5) end
  local exact, n = mean_gradient(1, 1), 3000
  local miss = (mean_gradient(normal, n) - exact):abs():max():item()
  lu.assertTrue(miss < 6 * 2 / math.sqrt(n), miss) -- w z varies by at most some 2
end

-- The scale that is fitted, one for a layer, is that of E w^2, whose part of the factor is its
-- squares.
function TestPriors.test_a_scale_is_fitted()
  local q = lowrank(params, {rank = 2, logvar = -2, scale = 2, only = {"mlp/linear_0"}})
  local fitted = bnn.prior.normal{scale = "fitted"}
  local moment = q.mu.flat:narrow(1, 1, 25) ^ 2 + q.logvar.flat:exp() + (q.factor.flat ^ 2):sum(1)
  local std = math.sqrt(moment:mean():item())
  lu.assertAlmostEquals(q:kl{prior = fitted}, q:kl{prior = std}, 1e-3)
  lu.assertTrue(q:kl{prior = fitted} < q:kl{prior = std * 1.2} - 0.1)
  local got = objective_of(q, {prior = fitted}):gradient({x = x, y = y}, key).flat
  local want = objective_of(q, {prior = std}):gradient({x = x, y = y}, key).flat
  lu.assertTrue((got - want):abs():max():item() < 1e-5)
end

TestKept = {}

local function saved_and_opened(q)
  local path = os.tmpname()
  local model = {net = net, posterior = q, likelihood = "categorical"}
  assert(bnn.checkpoint.save(path, {posterior = q, model = bnn.checkpoint.describe(model)}))
  local opened = assert(bnn.checkpoint.open(path))
  os.remove(path)
  return opened
end

function TestKept.test_a_file_keeps_it_and_its_predictions()
  local q = lowrank(params, {rank = 3, logvar = -2, only = {"mlp/linear_1"}})
  local opened = saved_and_opened(q)
  bits.assert_same(opened.posterior.factor.flat, q.factor.flat)
  local function predict(own)
    local model = {net = net, posterior = own, likelihood = "categorical"}
    return bnn.predict(model, x, {key = key, num_samples = 5}).mean
  end
  bits.assert_same(predict(opened.posterior), predict(q))
end

-- A training that was stopped goes on with the bits of one that was not, factor and all.
function TestKept.test_a_training_resumes()
  local path = os.tmpname()
  os.remove(path)
  local function train(steps, own)
    local q = lowrank(params, {rank = 3, logvar = -2})
    bnn.train{objective = objective_of(q), data = data, batch_size = 10, steps = steps, key = key,
              optimizer = bnn.optim.adam{lr = 0.02},
              checkpoint = own and {path = path, every = 4, resume = true} or nil}
    return q
  end
  train(4, true)
  local resumed, whole = train(9, true), train(9)
  os.execute("rm -rf '" .. path .. "'")
  for _, name in ipairs{"mu", "logvar", "factor"} do
    bits.assert_same(resumed[name].flat, whole[name].flat, name)
  end
end

function TestKept.test_weights_are_loaded_into_another()
  local from = lowrank(params, {rank = 3, logvar = -2, key = key})
  local to = lowrank(params, {rank = 3, logvar = -3})
  lu.assertEquals(bnn.checkpoint.load_into(to, from), {})
  for _, name in ipairs{"mu", "logvar", "factor"} do
    bits.assert_same(to[name].flat, from[name].flat, name)
  end
  local ok, fault = bnn.checkpoint.load_into(lowrank(params, {rank = 2}), from)
  lu.assertNil(ok)
  lu.assertStrContains(fault, "'factor/mlp/linear_0/w': expected [2, 4, 5], got [3, 4, 5]")
end

TestRefused = {}

function TestRefused.test_options()
  raises("bnn.posterior.lowrank: rank: expected at most 64, got 65", lowrank, params, {rank = 65})
  raises("rank: expected at least 1, got 0", lowrank, params, {rank = 0})
  raises("scale: expected more than 0, got 0", lowrank, params, {scale = 0})
  raises("key: expected a key", lowrank, params, {key = 1})
  raises("bnn.posterior.lowrank: logvar of 'mlp/linear_0/w': expected a number within -80..80",
    lowrank, params, {logvar = 81})
  raises("bnn.posterior.lowrank: params: expected params", lowrank, 3)
  raises("rank", bnn.posterior.meanfield, params, {rank = 2})
end

-- Its KL is one number, which has one weight.
function TestRefused.test_weights_by_tensor()
  local q = lowrank(params)
  local message = "expected one weight and the sum of a lowrank posterior, whose KL is one number"
  local by_path = {["mlp/linear_0"] = 1, default = 0.5}
  raises("bnn.elbo: beta: " .. message, objective_of, q, {beta = by_path})
  raises("bnn.elbo: temperature: " .. message, objective_of, q, {temperature = by_path})
  raises("bnn.elbo: kl: " .. message, objective_of, q, {kl = "leading"})
  raises("estimator", objective_of, q, {estimator = "flipout"})
  raises("estimator", objective_of, q, {estimator = "local_reparameterization"})
  raises('posterior:kl: kl: expected "sum" of the lowrank posterior, whose KL is one number', q.kl,
    q, {kl = "leading"})
  local objective = objective_of(q)
  local state = bnn.optim.sgd{}:init(objective)
  local loss, fault = objective:step(state, {x = x, y = y}, key, {beta = {1, 1, 2, 1}})
  lu.assertNil(loss)
  lu.assertStrContains(fault, "beta: expected one number for all tensors of a lowrank posterior")
end

function TestRefused.test_what_is_for_another_family()
  raises("expected a meanfield posterior over all tensors, got a lowrank", bnn.optim.ivon{}.init,
    bnn.optim.ivon{}, lowrank(params))
  raises("bnn.prune: posterior: expected a meanfield one, got lowrank", bnn.prune,
    {posterior = lowrank(params), fraction = 0.5})
end

-- NaN in the factor is found before anything is changed for the worse.
function TestRefused.test_nan()
  local q = lowrank(params, {rank = 2})
  local rows = q.factor.flat:totable()
  rows[1][3] = 0 / 0
  local broken = bnn.posterior.from_buffers("lowrank", {mu = q.mu, logvar = q.logvar,
    factor = bnn.samples.new(bnn.params.layout_of(params), bnn.tensor(rows))})
  local objective = objective_of(broken)
  local state = bnn.optim.adam{}:init(objective)
  local loss, fault = objective:step(state, {x = x, y = y}, key)
  lu.assertNil(loss)
  lu.assertStrContains(fault, "the loss is nan")
end

os.exit(lu.LuaUnit.run())
