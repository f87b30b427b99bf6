--- Priors by name: a step with each is that with the same density as a function over ops; a scale
-- that is fitted; checkpoints, audits, refusals.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local number = require "bnn.base.number"
local core = require "bnn.core"

local raises = bits.raises
local key = bnn.key(6)
local N = 48
local net, x = bnn.nn.mlp{8, 3}, bnn.randn(key:fold "x", N, 6)
local params = net:init(key:fold "init", x)
local classes = {}
for i = 1, N do classes[i] = i % 3 end
local y = bnn.tensor(classes, "i32")
local data = bnn.data.from_tensors{x = x, y = y}
local batch = {x = x, y = y}
local names = {}
for name in pairs(bnn.prior.docs) do names[#names + 1] = name end
table.sort(names)

local function meanfield(only)
  return bnn.posterior.meanfield(params, {logvar = -3, only = only})
end

local function elbo(prior, opts)
  local all = {net = net, posterior = meanfield(), beta = 0.2, prior = prior}
  for name, value in pairs(opts or {}) do all[name] = value end
  return bnn.elbo(all)
end

local function largest(t) return t:abs():max():item() end

local function run(objective, optimizer, steps)
  local state = optimizer:init(objective)
  for t = 1, steps do assert(objective:step(state, batch, key:fold(t))) end
  return objective
end

-- ---- every row ----

TestRows = {}

function TestRows.test_there_are_many() lu.assertTrue(#names >= 12) end

function TestRows.test_a_prior_shows_its_parameters_which_data_restore()
  local priors = require "bnn.model.priors"
  for _, name in ipairs(names) do
    local prior = bnn.prior[name]()
    lu.assertStrContains(tostring(prior), name .. "{")
    local data_of = priors.describe(prior)
    lu.assertEquals(data_of.name, name)
    local back = priors.of_data(data_of)
    lu.assertEquals(tostring(back), tostring(prior))
    lu.assertEquals(priors.describe(name), data_of)
    for option in pairs(data_of) do
      lu.assertStrContains(bnn.prior.docs[name], option == "name" and name or "@param " .. option)
    end
  end
end

-- What a step does with the prior of a row, in whichever way, beside the same density in the
-- program.
local function cases(prior)
  local function objective(opts)
    local all = {net = net, likelihood = "categorical", beta = 0.2, prior = prior}
    for name, value in pairs(opts) do all[name] = value end
    return bnn.objective(all)
  end
  return {
    ["mean-field"] = elbo(prior), samples = elbo(prior, {num_samples = 3}),
    leading = elbo(prior, {kl = "leading"}), shards = elbo(prior, {shards = 3}),
    ["by path"] = elbo({["mlp/linear_0"] = prior, default = 0.5},
      {beta = {["mlp/linear_0/w"] = 0.3, default = 0.1}}),
    radial = elbo(prior, {posterior = bnn.posterior.radial(params, {logvar = -3})}),
    ["last layer"] = elbo(prior, {posterior = meanfield{"mlp/linear_1"}}),
    points = objective{params = params:clone(), weight_decay = 0.1},
  }
end

-- Closed forms have no noise: a Gaussian of a mean that is not 0 has none.
local function of_row(name) return bnn.prior[name](name == "normal" and {loc = 0.1} or nil) end

function TestRows.test_gradients_are_those_of_the_density_over_ops()
  for _, name in ipairs(names) do
    local prior = of_row(name)
    local plain = cases(function(w) return prior:log_prob(w) end)
    for case, objective in pairs(cases(prior)) do
      local got, loss = objective:gradient(batch, key)
      local want, plain_loss = plain[case]:gradient(batch, key)
      lu.assertEquals(loss, plain_loss)
      local miss = largest(got.flat - want.flat) / (1 + largest(want.flat))
      lu.assertTrue(miss < 2e-6, ("%s, %s: %g"):format(name, case, miss))
    end
  end
end

-- From step to step roundings grow where the prior is sharp, by Adam's division: three steps.
function TestRows.test_steps_are_those_of_the_density_over_ops()
  for _, name in ipairs(names) do
    local prior = of_row(name)
    for _, optimizer in ipairs{bnn.optim.adam{lr = 0.01}, bnn.optim.sgd{lr = 0.01},
                               bnn.optim.adam{lr = 0.01, clip_norm = 0.5}} do
      local got = run(elbo(prior), optimizer, 3).posterior
      local want = run(elbo(function(w) return prior:log_prob(w) end), optimizer, 3).posterior
      lu.assertTrue(largest(got.mu.flat - want.mu.flat) < 1e-4, name)
      lu.assertTrue(largest(got.logvar.flat - want.logvar.flat) < 1e-4, name)
      bits.assert_differ(got.mu, run(elbo(3), optimizer, 3).posterior.mu)
    end
  end
end

function TestRows.test_a_sampler_has_the_same_steps()
  for _, name in ipairs{"laplace", "horseshoe"} do
    local function sampled(prior)
      local objective = bnn.objective{
        net = net, params = params:clone(), likelihood = "categorical", temperature = 1,
        data_size = N, prior = prior,
      }
      return run(objective, bnn.sampler.sgld{lr = 1e-2}, 5).params.flat
    end
    local prior = bnn.prior[name]{}
    local want = sampled(function(w) return prior:log_prob(w) end)
    lu.assertTrue(largest(sampled(prior) - want) < 1e-5, name)
    bits.assert_differ(sampled(1), want)
  end
end

function TestRows.test_names_and_values_are_the_same()
  for _, name in ipairs(names) do
    bits.assert_same(run(elbo(name), bnn.optim.adam{}, 2).posterior.mu,
      run(elbo(bnn.prior[name]{}), bnn.optim.adam{}, 2).posterior.mu)
  end
end

-- The KL is the mean of log q - log prior, entropy in closed form: the same draws, the same sum.
function TestRows.test_kl_is_that_of_the_density_over_ops()
  for _, name in ipairs(names) do
    local prior = of_row(name)
    for _, q in ipairs{meanfield(), bnn.posterior.radial(params, {logvar = -3})} do
      local got = q:kl{prior = prior, key = key, num_samples = 3}
      local function density(w) return prior:log_prob(w) end
      local want = q:kl{prior = density, key = key, num_samples = 3}
      if want < math.huge then lu.assertAlmostEquals(got / want, 1, 1e-5, name) end
      lu.assertEquals(got < math.huge, want < math.huge)
    end
  end
end

function TestRows.test_a_posterior_of_ones_own_takes_them()
  local own = bnn.posterior.define{
    name = "own_for_priors", buffers = {mu = "params", logvar = -3},
    sample = function(phi, k)
      local w = {}
      for i, path in ipairs(params:names()) do
        local mu = phi.mu[path]
        w[path] = mu + (phi.logvar[path] / 2):exp() * bnn.randn_like(mu, k:fold(i))
      end
      return w
    end,
    log_prob = function(phi, w)
      local sum = 0
      for _, path in ipairs(params:names()) do
        local sigma = (phi.logvar[path] / 2):exp()
        sum = bnn.gaussian_log_prob(w[path], phi.mu[path], sigma):sum() + sum
      end
      return sum
    end,
  }
  local prior = bnn.prior.laplace{scale = 0.5}
  local got = run(elbo(prior, {posterior = own(params)}), bnn.optim.adam{}, 2)
  local want = run(elbo(function(w) return prior:log_prob(w) end, {posterior = own(params)}),
    bnn.optim.adam{}, 2)
  bits.assert_same(got.posterior.mu, want.posterior.mu)
  raises('"fitted"', function()
    run(elbo(bnn.prior.normal{scale = "fitted"}, {posterior = own(params)}), bnn.optim.adam{}, 1)
  end)
end

function TestRows.test_log_prob_is_the_ops()
  local w = bnn.tensor{-1, 0, 0.5}
  bits.assert_same(bnn.prior.student_t{df = 4, loc = 1, scale = 2}:log_prob(w),
    bnn.student_t_log_prob(w, 4, 1, 2))
  local prior = bnn.prior.laplace()
  raises("prior:log_prob: w: expected a tensor", prior.log_prob, prior, 3)
end

-- ---- Gaussian ----

TestGaussian = {}

function TestGaussian.test_a_number_is_a_normal_of_that_scale()
  for _, optimizer in ipairs{bnn.optim.adam{}, bnn.optim.sgd{lr = 0.1}} do
    bits.assert_same(run(elbo(0.5), optimizer, 3).posterior.mu,
      run(elbo(bnn.prior.normal{scale = 0.5}), optimizer, 3).posterior.mu)
  end
  local q = meanfield()
  lu.assertEquals(q:kl{prior = bnn.prior.normal{scale = 0.5}}, q:kl{prior = 0.5})
  bits.assert_same(run(elbo(1), bnn.optim.adam{}, 3).posterior.mu,
    run(elbo "normal", bnn.optim.adam{}, 3).posterior.mu)
end

local fitted = bnn.prior.normal{scale = "fitted"}

local function layer_of(name) return name:match "^(.*)/" end

-- For each tensor the root of the mean of a function of its name over all elements of its layer.
local function roots_by_layer(list, of)
  local sum, size, roots = {}, {}, {}
  for _, name in ipairs(list) do
    local layer, values = layer_of(name), of(name)
    sum[layer] = (sum[layer] or 0) + values:sum():item()
    size[layer] = (size[layer] or 0) + values:numel()
  end
  for i, name in ipairs(list) do
    roots[i] = math.sqrt(sum[layer_of(name)] / size[layer_of(name)])
  end
  return roots
end

-- sqrt of the mean of mu^2 + sigma^2 over the layer of each tensor.
local function scales_of(q)
  return roots_by_layer(q:names(), function(name)
    return q.mu[name] ^ 2 + q.logvar[name]:exp()
  end)
end

-- The same number for each tensor, fitted by hand: a step by the old scale moves the weights as one
-- with it given.
function TestGaussian.test_a_fitted_step_is_that_of_the_scale_of_the_posterior()
  for _, clip in ipairs{false, 1e3} do
    local optimizer = bnn.optim.adam{lr = 0.01, clip_norm = clip or nil}
    local objective = elbo(fitted)
    local state, q = optimizer:init(objective), objective.posterior
    for t = 1, 3 do
      local by_path = {}
      for i, scale in ipairs(scales_of(q)) do by_path[q:names()[i]] = scale end
      local other, before = elbo(by_path, {posterior = q:clone()}), state:clone()
      assert(objective:step(state, batch, key:fold(t)))
      assert(other:step(before, batch, key:fold(t)))
      lu.assertTrue(largest(q.mu.flat - other.posterior.mu.flat) < 1e-6)
      lu.assertTrue(largest(q.logvar.flat - other.posterior.logvar.flat) < 1e-6)
    end
  end
end

-- No other scale has a smaller KL.
function TestGaussian.test_the_fitted_scale_is_the_best()
  local q = meanfield()
  local best = q:kl{prior = fitted}
  local scales, by_path = scales_of(q), {}
  for i, name in ipairs(q:names()) do by_path[name] = scales[i] end
  lu.assertAlmostEquals(q:kl{prior = by_path} / best, 1, 1e-6)
  for _, layer in ipairs{"mlp/linear_0", "mlp/linear_1"} do
    local was = by_path[layer .. "/w"]
    for _, factor in ipairs{0.9, 1.1} do
      by_path[layer .. "/w"], by_path[layer .. "/b"] = was * factor, was * factor
      lu.assertTrue(q:kl{prior = by_path} > best)
    end
    by_path[layer .. "/w"], by_path[layer .. "/b"] = was, was
  end
end

-- A prior value for each tensor is a scale for each.
function TestGaussian.test_tensors_with_priors_of_their_own_have_scales_of_their_own()
  local q, own, scales = meanfield(), {}, {}
  for _, name in ipairs(q:names()) do
    own[name] = bnn.prior.normal{scale = "fitted"}
    scales[name] = (q.mu[name] ^ 2 + q.logvar[name]:exp()):mean():sqrt():item()
  end
  lu.assertAlmostEquals(q:kl{prior = own}, q:kl{prior = scales}, 1e-6 * q:kl{prior = scales})
  lu.assertTrue(q:kl{prior = own} < q:kl{prior = fitted})
  local got = elbo(own, {posterior = q}):gradient(batch, key)
  local want = elbo(scales, {posterior = q}):gradient(batch, key)
  lu.assertTrue(largest(got.flat - want.flat) < 1e-6 * (1 + largest(want.flat)))
end

function TestGaussian.test_the_audit_shows_fitted_scales()
  local objective = elbo(fitted, {data_size = N})
  for i, row in ipairs(objective:audit_rows()) do
    lu.assertAlmostEquals(row.prior_std * math.sqrt(row.temperature),
      scales_of(objective.posterior)[i], 1e-5)
    lu.assertEquals(row.prior, "normal")
  end
  lu.assertStrContains(tostring(objective), "prior=normal{loc=0, scale=fitted}")
end

function TestGaussian.test_points_and_radial_posteriors_are_fitted_too()
  local points = bnn.objective{net = net, params = params:clone(), likelihood = "categorical",
                               beta = 0.01, prior = fitted}
  local by_path = {}
  local roots = roots_by_layer(params:names(), function(name) return params[name] ^ 2 end)
  for i, name in ipairs(params:names()) do by_path[name] = math.max(1e-4, roots[i]) end
  local given = bnn.objective{net = net, params = params:clone(), likelihood = "categorical",
                              beta = 0.01, prior = by_path}
  local got, want = points:gradient(batch, key), given:gradient(batch, key)
  lu.assertTrue(largest(got.flat - want.flat) < 1e-6 * (1 + largest(want.flat)))
  local q = bnn.posterior.radial(params, {logvar = -3})
  roots = roots_by_layer(q:names(), function(name)
    return q.mu[name] ^ 2 + q.logvar[name]:exp() / q.mu[name]:numel()
  end)
  for i, name in ipairs(q:names()) do by_path[name] = roots[i] end
  local radial = elbo(fitted, {posterior = q}):gradient(batch, key)
  local plain = elbo(by_path, {posterior = q:clone()}):gradient(batch, key)
  lu.assertTrue(largest(radial.flat - plain.flat) < 1e-6)
end

-- ---- checkpoints ----

TestKept = {}

function TestKept:setUp()
  self.path = os.tmpname()
  os.remove(self.path)
end

function TestKept:tearDown() os.execute("rm -rf " .. self.path) end

local function train(objective, steps, path, resume)
  bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 0.02}, data = data,
            steps = steps, batch_size = 16, key = key, log = function() end,
            checkpoint = path and {path = path, resume = resume}}
  return objective
end

function TestKept:test_a_training_resumes_to_the_same_bits()
  for _, prior in ipairs{fitted, "laplace", bnn.prior.scale_mixture{sigma2 = 0.1}} do
    local whole = train(elbo(prior), 24)
    train(elbo(prior), 10, self.path)
    local resumed = train(elbo(prior), 24, self.path, true)
    bits.assert_same(whole.posterior.mu, resumed.posterior.mu)
    bits.assert_same(whole.posterior.logvar, resumed.posterior.logvar)
    os.execute("rm -rf " .. self.path)
  end
end

function TestKept:test_another_prior_is_another_training()
  train(elbo "laplace", 4, self.path)
  raises("prior: {loc=0, name=laplace, scale=1} in the checkpoint, {loc=0, name=laplace, scale=2}",
    train, elbo(bnn.prior.laplace{scale = 2}), 8, self.path, true)
  train(elbo(bnn.prior.laplace()), 8, self.path, true)
end

function TestKept:test_an_opened_model_has_its_prior()
  for i, row in ipairs{
    {0.5, "0.5"}, {"laplace", "laplace{loc=0, scale=1}"},
    {bnn.prior.student_t{df = 5}, "student_t{df=5, loc=0, scale=1}"},
    {fitted, "normal{loc=0, scale=fitted}"},
  } do
    train(elbo(row[1]), 2, self.path)
    local model = assert(bnn.checkpoint.open(self.path))
    lu.assertEquals(number.text(model.prior), row[2], "row " .. i)
    assert(elbo(model.prior, {posterior = model.posterior}):step(
      bnn.optim.adam{}:init(model.posterior), batch, key))
    os.execute("rm -rf " .. self.path)
  end
  train(elbo{["mlp/linear_0"] = "laplace", default = 2}, 2, self.path)
  local by_path = assert(bnn.checkpoint.open(self.path)).prior
  lu.assertEquals(by_path.default, 2)
  lu.assertEquals(tostring(by_path["mlp/linear_0"]), "laplace{loc=0, scale=1}")
end

function TestKept:test_a_function_is_not_kept()
  train(elbo(function(w) return -(w ^ 2) end), 2, self.path)
  lu.assertNil(assert(bnn.checkpoint.open(self.path)).prior)
end

function TestKept.test_data_that_are_no_prior_are_none()
  local priors = require "bnn.model.priors"
  for i, odd in ipairs{
    -1, "laplace", {}, {name = "laplaces"}, {name = "laplace", scale = -1},
    {name = "normal", x = 1}, {name = "laplace", scale = {}},
    {by_path = {default = {name = 3}}}, {own = true}, true,
  } do lu.assertNil(priors.of_data(odd), "row " .. i) end
end

-- ---- what is refused and shown ----

TestShown = {}

function TestShown.test_refusals()
  for i, row in ipairs{
    {"bnn.elbo: prior: expected one of beta, cauchy", elbo, "laplac"},
    {"got 'laplac': did you mean 'laplace'?", elbo, "laplac"},
    {"bnn.elbo: prior: expected more than 0, got -1", elbo, {default = -1}},
    {"prior: expected a number, a name, a prior or a function of the weights, got a table", elbo,
     {default = {}}},
    {"bnn.prior.laplace: scale: expected more than 0, got 0", bnn.prior.laplace, {scale = 0}},
    {"bnn.prior.laplace: unknown option 'sigma'", bnn.prior.laplace, {sigma = 1}},
    {"bnn.prior.scale_mixture: pi: expected between 0 and 1, got 1", bnn.prior.scale_mixture,
     {pi = 1}},
    {"bnn.prior.uniform: expected low below high", bnn.prior.uniform, {low = 2}},
    {'bnn.prior.normal: scale: expected a number or "fitted", got "fit"', bnn.prior.normal,
     {scale = "fit"}},
    {"bnn.prior.normal: loc: expected 0 beside a fitted scale, got 1", bnn.prior.normal,
     {loc = 1, scale = "fitted"}},
    {"bnn.prior.laplace: scale: expected a number", bnn.prior.laplace, {scale = "fitted"}},
    -- a number that a float takes for 0
    {"bnn.prior.laplace: scale: ", bnn.prior.laplace, {scale = core.real == "f32" and 1e-60 or 0}},
    {'got one that is "fitted"', fitted.log_prob, fitted, bnn.ones(3)},
    {"posterior:kl: prior: expected one of", meanfield().kl, meanfield(), {prior = "x"}},
    {"posterior:kl: key: expected a key", meanfield().kl, meanfield(), {prior = "laplace"}},
  } do
    local ok, message = pcall(row[2], row[3], row[4])
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

function TestShown.test_an_audit_names_the_density()
  local lines = {}
  local out = {write = function(_, ...) lines[#lines + 1] = table.concat{...} end}
  local rows = elbo("laplace", {data_size = N}):audit{out = out, key = key}
  lu.assertStrContains(table.concat(lines), "laplace")
  lu.assertNil(rows[1].prior_std)
  lu.assertStrContains(tostring(elbo{["mlp/linear_0"] = "laplace", default = 1}), "prior=by path")
end

os.exit(lu.LuaUnit.run())
