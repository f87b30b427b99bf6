--- The mean-field posterior: initial values, samples, the KL in both forms.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(4)
local net, x = bnn.nn.mlp{4, 3}, bnn.randn(key, 8, 6)
local params = net:init(key, x)
local meanfield = bnn.posterior.meanfield

-- sum over elements of log(s/sigma) + (sigma^2 + mu^2)/(2 s^2) - 1/2, in double.
local function kl_of(mu, logvar, s)
  local sum, lv = 0, logvar:reshape(logvar:numel()):totable()
  for i, m in ipairs(mu:reshape(mu:numel()):totable()) do
    sum = sum + math.log(s) - lv[i] / 2 + (math.exp(lv[i]) + m * m) / (2 * s * s) - 0.5
  end
  return sum
end

TestMeanField = {}

function TestMeanField.test_starts_at_the_parameters_and_minus_7()
  local q = meanfield(params)
  bits.assert_same(q.mu, params)
  bits.assert_same(q.logvar.flat, bnn.full({43}, -7))
  lu.assertEquals(q.logvar:names(), params:names())
  lu.assertEquals(tostring(q), "mean-field posterior over 43 parameters in 4 tensors")
end

function TestMeanField.test_logvar_is_a_number_a_table_or_a_function()
  bits.assert_same(meanfield(params, {logvar = -1}).logvar.flat, bnn.full({43}, -1))
  local by_path = {}
  for i, name in ipairs(params:names()) do by_path[name] = -i end
  local q = meanfield(params, {logvar = by_path})
  for i, name in ipairs(params:names()) do
    bits.assert_same(q.logvar[name], bnn.full(params[name]:shape(), -i), name)
  end
  local function by_shape(path, shape) return path:find "/b$" and -9 or -shape[1] end
  q = meanfield(params, {logvar = by_shape})
  lu.assertEquals(q.logvar["mlp/linear_0/w"]:max():item(), -6)
  lu.assertEquals(q.logvar["mlp/linear_1/b"]:totable(), {-9, -9, -9})
end

function TestMeanField.test_refusals()
  local w = "mlp/linear_0/w"
  local rows = {
    {"a number or a table or a function", {logvar = "x"}}, {"finite", {logvar = 1 / 0}},
    {"within -80..80", {logvar = 81}}, {"within -80..80", {logvar = -80.5}},
    {"logvar names 'nope'", {logvar = {nope = 1}}},
    {"logvar has nothing for 'mlp/linear_0/b'", {logvar = {[w] = 1}}},
    {"expected a number within -80..80, got \"abc\"", {logvar = function() return "abc" end}},
    {"logvar of 'mlp/linear_0/w': expected", {logvar = function() return 0 / 0 end}},
    {"did you mean 'logvar'", {logvra = 1}},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(meanfield, params, row[2])
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
  for _, bad in ipairs{net, x, 3} do
    raises("expected params, as net:init returns them", meanfield, bad)
  end
  raises("expected params", meanfield)
  raises("posterior:sample: key: expected a key, got a number", meanfield(params).sample,
    meanfield(params), 3)
end

function TestMeanField.test_clone_and_mean_are_independent_of_later_steps()
  local q = meanfield(params)
  local clone, mean = q:clone(), q:mean()
  local objective = bnn.elbo{net = net, posterior = q, beta = 1}
  local state = bnn.optim.adam{lr = 0.1}:init(objective)
  objective:step(state, {x = x, y = bnn.zeros({8}, "i32")}, key)
  bits.assert_differ(q.mu, params)
  bits.assert_differ(q.logvar.flat, bnn.full({43}, -7))
  bits.assert_same(clone.mu, params)
  bits.assert_same(clone.logvar.flat, bnn.full({43}, -7))
  bits.assert_same(mean, params)
  bits.assert_same(q:clone().mu, q.mu)
end

function TestMeanField.test_is_made_of_its_parts()
  local q = bnn.posterior.meanfield(bnn.nn.linear(2):init(bnn.key(1), bnn.zeros(1, 3)))
  local same = bnn.posterior.from_params(q.mu, q.logvar)
  lu.assertTrue(rawequal(same.mu, q.mu) and rawequal(same.logvar, q.logvar))
  lu.assertEquals(tostring(same), tostring(q))
  local other = bnn.nn.linear(4):init(bnn.key(1), bnn.zeros(1, 3))
  bits.raises("expected logvar 'linear/w' [3, 2], as in mu, got [3, 4]",
    bnn.posterior.from_params, q.mu, other)
  other = bnn.params.new(bnn.params.layout{{name = "v", shape = {1}}}, bnn.zeros(1))
  bits.raises("expected tensors of mu in logvar, got 'v'", bnn.posterior.from_params, q.mu, other)
  local b = bnn.params.pack(bnn.params.layout{{name = "linear/b", shape = {2}}},
    {["linear/b"] = bnn.zeros(2)})
  bits.raises("expected 'linear/w', as in mu, for tensor 1 of logvar, got 'linear/b'",
    bnn.posterior.from_params, q.mu, b)
  local none = bnn.params.new({}, bnn.zeros(0))
  bits.raises("expected a tensor in logvar", bnn.posterior.from_params, q.mu, none)
  bits.raises("expected params", bnn.posterior.from_params, q.mu, {})
  bits.raises("bnn.posterior.of is now bnn.posterior.from_params", function()
    return bnn.posterior.of(q.mu, q.logvar)
  end)
end

TestSample = {}

function TestSample.test_is_a_function_of_the_key()
  local q = meanfield(params)
  local a = q:sample(key)
  bnn.randn(bnn.key(77), 500)
  q:sample(bnn.key(78))
  bits.assert_same(a, q:sample(key))
  bits.assert_differ(a, q:sample(key:fold(1)))
  lu.assertEquals(a:names(), params:names())
  lu.assertEquals(a["mlp/linear_0/w"]:shape(), {6, 4})
end

function TestSample.test_has_the_posteriors_mean_and_deviation()
  local wide = bnn.nn.linear(1):init(key, bnn.zeros(1, 1e5))
  local p = wide:map(function(t) return t * 0 + 3 end)
  local eps = (meanfield(p, {logvar = 2 * math.log(0.5)}):sample(key).flat - 3) / 0.5
  lu.assertAlmostEquals(eps:mean():item(), 0, 4 / math.sqrt(1e5))
  lu.assertAlmostEquals((eps ^ 2):mean():item(), 1, 4 * math.sqrt(2 / 1e5))
end

function TestSample.test_the_noise_does_not_depend_on_mean_and_variance()
  local a = meanfield(params, {logvar = 0}):sample(key).flat - params.flat
  local b = meanfield(params * 0, {logvar = 2 * math.log(2)}):sample(key).flat / 2
  lu.assertAlmostEquals((a - b):abs():max():item(), 0, 1e-5)
end

function TestSample.test_hardly_differs_from_the_mean_at_logvar_minus_80()
  local q = meanfield(params, {logvar = -80})
  lu.assertTrue((q:sample(key).flat - params.flat):abs():max():item() < 1e-15)
end

TestStd = {}

local function assert_near(a, b, bound)
  lu.assertTrue((a / b - 1):abs():max():item() < (bound or 1e-6))
end

function TestStd.test_is_sigma_and_0_of_points()
  local q = meanfield(params, {logvar = -3, only = {"mlp/linear_1"}})
  local std = q:std()
  lu.assertEquals(std:names(), q:names())
  assert_near(std["mlp/linear_1/w"], bnn.full({4, 3}, math.exp(-1.5)))
  lu.assertEquals(std["mlp/linear_0/w"]:abs():max():item(), 0)
  lu.assertEquals(bnn.posterior.point(params):std().flat:abs():max():item(), 0)
end

function TestStd.test_of_radial_noise_is_less_the_more_weights_there_are()
  local std = bnn.posterior.radial(params, {logvar = 0}):std()
  assert_near(std["mlp/linear_0/w"], bnn.full({6, 4}, 1 / math.sqrt(24)))
  assert_near(std["mlp/linear_1/b"], bnn.full({3}, 1 / math.sqrt(3)))
end

function TestStd.test_of_a_bank_is_the_populations()
  local q = bnn.posterior.empirical{params, params * 3}
  lu.assertTrue((q:std().flat - params.flat:abs()):abs():max():item() < 1e-6)
end

function TestStd.test_of_a_family_of_ones_own_is_what_it_says()
  local function family(name, std)
    return bnn.posterior.define{
      name = name, buffers = {mu = "params", rho = -3}, std = std,
      sample = function(phi) return phi.mu end,
      kl = function(phi) return phi.mu.flat:sum() end,
    }
  end
  lu.assertNil(family("without_std")(params):std())
  local q = family("with_std", function(phi)
    return phi.rho:map(function(rho) return rho:exp() end)
  end)(params)
  assert_near(q:std().flat, bnn.full({params:numel()}, math.exp(-3)))
  raises("posterior broken_std: std: 'mlp/linear_0/w': expected a tensor", function()
    family("broken_std", function() return {} end)(params):std()
  end)
end

TestKL = {}

function TestKL.test_is_the_closed_form()
  for _, prior in ipairs{1, 0.5, 3} do
    local function logvar(path) return path:find "linear_0" and -3 or 0.5 end
    local q = meanfield(params, {logvar = logvar})
    local sum, leading = 0, 0
    for name, mu in pairs(q.mu) do
      local kl = kl_of(mu, q.logvar[name], prior)
      sum, leading = sum + kl, leading + kl / mu:size(1)
    end
    lu.assertAlmostEquals(q:kl{prior = prior} / sum, 1, 1e-6)
    lu.assertAlmostEquals(q:kl{prior = prior, kl = "sum"} / sum, 1, 1e-6)
    lu.assertAlmostEquals(q:kl{prior = prior, kl = "leading"} / leading, 1, 1e-6)
  end
end

function TestKL.test_is_0_at_the_prior_and_positive_elsewhere()
  local zero = params * 0
  lu.assertAlmostEquals(meanfield(zero, {logvar = 0}):kl(), 0, 1e-9)
  lu.assertAlmostEquals(meanfield(zero, {logvar = 2 * math.log(2)}):kl{prior = 2}, 0, 1e-5)
  lu.assertTrue(meanfield(zero, {logvar = 0.1}):kl() > 0)
  lu.assertTrue(meanfield(zero, {logvar = -0.1}):kl() > 0)
end

function TestKL.test_terms_name_the_tensors()
  local q, names, sum = meanfield(params), {}, 0
  for i, term in ipairs(q:kl_terms{kl = "leading"}) do
    names[i], sum = term.name, sum + term.kl * term.weight
    lu.assertEquals({term.shape, term.weight},
      {q.mu[term.name]:shape(), 1 / q.mu[term.name]:size(1)})
  end
  lu.assertEquals(names, params:names())
  lu.assertEquals(sum, q:kl{kl = "leading"})
end

-- By PyTorch, 784-64-64-10 under "leading" starts at 423.54 (logvar -7) and 26.41 (logvar -1),
-- +- 0.01 over seeds.
function TestKL.test_the_tutorials_network_starts_where_it_does_there()
  local mlp = bnn.nn.mlp{64, 64, 10}
  for seed = 1, 3 do
    local p = mlp:init(bnn.key(seed), bnn.zeros(1, 784))
    lu.assertAlmostEquals(meanfield(p, {logvar = -7}):kl{kl = "leading"}, 423.54, 0.05)
    lu.assertAlmostEquals(meanfield(p, {logvar = -1}):kl{kl = "leading"}, 26.41, 0.03)
  end
end

function TestKL.test_refusals()
  local q = meanfield(params)
  local function kl(opts)
    local value = q:kl(opts)
    return value
  end
  raises({"test_posterior.lua:", "kl: prior: expected more than 0"}, kl, {prior = 0})
  raises("one of sum, leading", kl, {kl = "mean"})
  raises("did you mean 'prior'", kl, {piror = 1})
end

os.exit(lu.LuaUnit.run())
