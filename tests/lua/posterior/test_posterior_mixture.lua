--- Mixtures of posteriors: whose samples they draw, in which order, their moments, predictions,
-- files, and what is refused.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(9)
local net, x = bnn.nn.mlp{5, 3}, bnn.randn(key, 12, 6)
local params = {}
for i = 1, 5 do params[i] = net:init(key:fold(i), x) end
local gauss = bnn.posterior.meanfield(params[1], {logvar = -3})
local point, bank = bnn.posterior.point(params[2]), bnn.posterior.empirical{params[3], params[4]}
local q = bnn.posterior.mixture{gauss, point, bank, weights = {2, 1, 1}}
local model = {net = net, posterior = q, likelihood = "categorical"}

-- A SWAG over the same weights.
local function swag(i, logvar)
  local mean, noise = params[i], bnn.randn(key:fold("swag"):fold(i), 3, 53) * math.exp(logvar / 2)
  local sigma = mean:map(function(w) return w * 0 + math.exp(logvar / 2) end)
  return bnn.posterior.from_buffers("swag", {mu = mean, sigma = sigma,
    deviation = bnn.samples.new(bnn.params.layout_of(mean), noise)})
end

TestSamples = {}

function TestSamples.test_each_is_the_next_of_its_component()
  local order, had = {1, 2, 1, 3}, {0, 0, 0}
  for s = 1, 17 do
    local c = order[(s - 1) % 4 + 1]
    had[c] = had[c] + 1
    local own = key:fold(s)
    bits.assert_same(q:sample(own, s), q.components[c]:sample(own, had[c]), "sample " .. s)
  end
  bits.assert_same(q:samples(key, 6)[6], point:sample(key))
  lu.assertEquals(q.weights, {0.5, 0.25, 0.25})
  lu.assertEquals({q:numel(), #q:names(), #q:covered(), #q:points()}, {53, 4, 4, 0})
end

-- Of 4,000 keys: 2,000 of the Gaussian, 1,000 of the point and 500 of each of the bank, within 4
-- standard deviations of a binomial count.
function TestSamples.test_without_a_number_the_key_draws_the_component()
  local n, counts = 4000, {0, 0, 0, 0}
  for s = 1, n do
    local w = q:sample(key:fold("draws"):fold(s)).flat[1]
    local at = 1
    for i = 2, 4 do at = w == params[i].flat[1] and i or at end
    counts[at] = counts[at] + 1
  end
  for i, share in ipairs{0.5, 0.25, 0.125, 0.125} do
    lu.assertAlmostEquals(counts[i], n * share, 4 * math.sqrt(n * share * (1 - share)))
  end
end

-- The moments by the formula of total variance, against 20,000 samples: 4 standard errors, of a
-- deviation sqrt((kurtosis - 1) / 4 n) sigma < sigma / sqrt(n).
function TestSamples.test_mean_and_std_are_the_mixtures()
  local n = 20000
  local lowrank = bnn.posterior.lowrank(params[1], {rank = 2, logvar = -4, scale = 2})
  local mixed = bnn.posterior.mixture{gauss, swag(5, -2), bank, lowrank, weights = {2, 4, 3, 1}}
  local draws = mixed:samples(key, n).flat
  local mean, std = draws:mean(1):totable(), draws:std(1):totable()
  local want_mean, want_std = mixed:mean().flat:totable(), mixed:std().flat:totable()
  for i = 1, 53 do
    lu.assertAlmostEquals(mean[i], want_mean[i], 4 * want_std[i] / math.sqrt(n) + 1e-6)
    lu.assertAlmostEquals(std[i], want_std[i], 4 * want_std[i] / math.sqrt(n) + 1e-6)
  end
  bits.assert_same(bnn.posterior.mixture{point, point, point}:mean(), params[2])
  lu.assertEquals(bnn.posterior.mixture{point, point}:std().flat:max():item(), 0)
end

TestSupport = {}

function TestSupport.test_it_is_that_of_finite_components()
  local function support(list) return bnn.posterior.mixture(list):support() end
  lu.assertNil(q:support())
  lu.assertEquals(support{point}, 1)
  lu.assertEquals(support{point, bnn.posterior.point(params[5])}, 2)
  lu.assertEquals(support{bank, bank, bank}, 6)
  lu.assertEquals(support{point, bank}, 4)                   -- the point twice
  lu.assertEquals(support{point, bank, weights = {1, 2}}, 3) -- each once
  lu.assertNil(support{point, bank, weights = {0.1234, 0.8766}})
end

-- A mixture of ensembles is the ensemble of all, and none counts twice.
function TestSupport.test_a_mixture_of_ensembles_predicts_as_the_ensemble_of_all()
  local one, two = {params[1], params[2]}, {params[3], params[4]}
  local mixed = bnn.posterior.mixture{bnn.posterior.empirical(one), bnn.posterior.empirical(two)}
  local all = bnn.posterior.empirical{one[1], two[1], one[2], two[2]}
  local function predict(posterior, opts)
    local of = {net = net, posterior = posterior, likelihood = "categorical"}
    return bnn.predict(of, x, opts or {key = key})
  end
  local p, want = predict(mixed), predict(all)
  lu.assertEquals(p.num_samples, 4)
  bits.assert_same(p.mean, want.mean)
  bits.assert_same(p.mutual_information, want.mutual_information)
  raises("num_samples: expected at most 4", predict, mixed, {key = key, num_samples = 5})
end

TestPredictions = {}

function TestPredictions.test_the_first_samples_are_those_of_a_longer_prediction()
  local whole = bnn.predict(model, x, {key = key, num_samples = 11, draws = true})
  local some = bnn.predict(model, x, {key = key, num_samples = 4, draws = true})
  bits.assert_same(some.draws, whole.draws:narrow(1, 1, 4))
  local more = bnn.predict(model, x, {key = key, num_samples = 7, previous = some})
  bits.assert_same(more.mean, whole.mean)
  lu.assertEquals(bnn.predict(model, x, {key = key}).num_samples, 100)
  bits.assert_same(whole.draws[2], net:apply(params[2], x):softmax(-1))
end

-- By turns the variance of a mean is that within components alone: the points of a mixture of
-- points are weighed exactly.
function TestPredictions.test_points_are_weighed_exactly()
  local two = bnn.posterior.mixture{point, bnn.posterior.point(params[5]), weights = {1, 3}}
  local p = bnn.predict({net = net, posterior = two, likelihood = "categorical"}, x, {key = key})
  lu.assertEquals(p.num_samples, 4)
  local a, b = net:apply(params[2], x):softmax(-1), net:apply(params[5], x):softmax(-1)
  lu.assertTrue((p.mean - (a + b * 3) / 4):abs():max():item() < 1e-6)
end

function TestPredictions.test_previous_is_of_the_same_mixture()
  local p = bnn.predict(model, x, {key = key, num_samples = 4})
  local other = {net = net, likelihood = "categorical",
                 posterior = bnn.posterior.mixture{gauss, point, bank, weights = {1, 2, 1}}}
  raises("the parameters are not those of the 4 samples so far", bnn.predict, other, x,
    {key = key, num_samples = 4, previous = p})
end

function TestPredictions.test_mixtures_of_mixtures()
  local inner = bnn.posterior.mixture{gauss, point}
  local outer = bnn.posterior.mixture{inner, bank}
  local of = {net = net, posterior = outer, likelihood = "categorical"}
  local draws = bnn.predict(of, x, {key = key, num_samples = 6, draws = true}).draws
  bits.assert_same(draws[3], net:apply(params[2], x):softmax(-1)) -- inner's second
  bits.assert_same(draws[6], net:apply(params[3], x):softmax(-1)) -- the bank's third
  lu.assertEquals(tostring(outer),
    "mixture of mixture, empirical over 53 parameters in 4 tensors")
end

TestFiles = {}

local function saved_and_loaded(posterior)
  local path = os.tmpname()
  assert(bnn.checkpoint.save(path, {posterior = posterior}))
  local loaded = assert(bnn.checkpoint.load(path)).posterior
  os.remove(path)
  return loaded
end

function TestFiles.test_a_file_gives_the_same_samples()
  local nested = bnn.posterior.mixture{q, swag(5, -4), weights = {0.3, 0.7}}
  local loaded = saved_and_loaded(nested)
  lu.assertEquals(tostring(loaded), tostring(nested))
  lu.assertEquals(loaded.weights, nested.weights)
  bits.assert_same(loaded:samples(key, 40).flat, nested:samples(key, 40).flat)
end

function TestFiles.test_it_is_copied_into_one_of_the_same_form()
  local target = bnn.posterior.mixture{bnn.posterior.meanfield(params[5]),
    bnn.posterior.point(params[5]:clone()), bnn.posterior.empirical{params[5], params[5]},
    weights = {2, 1, 1}}
  lu.assertEquals(assert(bnn.checkpoint.load_into(target, q)), {})
  bits.assert_same(target:samples(key, 8).flat, q:samples(key, 8).flat)
  raises("target: expected params or a posterior of one family, got mixture of",
    bnn.checkpoint.load_into, bnn.posterior.mixture{gauss:clone(), point:clone()}, q)
  local copy = params[5]:clone()
  assert(bnn.checkpoint.load_into(copy, q)) -- the mean
  bits.assert_same(copy, q:mean())
end

function TestFiles.test_a_clone_shares_nothing()
  local own = bnn.posterior.mixture{bnn.posterior.point(params[5]:clone()), bank}
  local copy = own:clone()
  bnn.optim.sgd{lr = 1}:init(own.components[1]):update(own.components[1],
    params[5]:map(function(w) return w * 0 + 1 end))
  bits.assert_same(copy:sample(key, 1), params[5])
  bits.assert_differ(own:sample(key, 1), params[5])
end

TestFaults = {}

function TestFaults.test_it_predicts_and_is_not_trained()
  raises("got mixture, which predicts", bnn.elbo,
    {net = net, posterior = q, likelihood = "categorical"})
  raises("the mixture posterior predicts, it is not trained", bnn.optim.adam{}.init,
    bnn.optim.adam{}, q)
  raises("expected a posterior with a KL divergence, got mixture", q.kl, q)
  raises("expected a posterior with a KL divergence, got mixture", q.kl_terms, q, {prior = 0.1})
  raises("prune: posterior: expected a meanfield one, got mixture", bnn.prune,
    {posterior = q, fraction = 0.5})
end

function TestFaults.test_methods_want_their_object()
  raises("posterior:sample: expected a posterior before the colon, got a key", q.sample, key)
  raises("posterior:sample: key: expected a key, got a number", q.sample, q, 4)
  raises("posterior:support: expected a posterior before the colon, got nil", q.support, nil)
end

function TestFaults.test_refusals()
  local mixture = bnn.posterior.mixture
  raises("expected a posterior or more, got none", mixture, {})
  raises("2: expected a posterior, got params", mixture, {point, params[1]})
  raises("weights: expected 2, one for each posterior, got 1", mixture,
    {point, bank, weights = {1}})
  raises("weights: expected more than 0", mixture, {point, bank, weights = {1, 0}})
  raises("weights: expected each to be at least 0.0001 of their sum", mixture,
    {point, bank, weights = {1, 1e-6}})
  local other = bnn.nn.mlp{4, 3}
  raises("posterior 2: expected 'mlp/linear_0/w' [6, 5] for tensor 1, as in the first, got "
    .. "'mlp/linear_0/w' [6, 4]", mixture, {point, bnn.posterior.point(other:init(key, x))})
  local last = bnn.posterior.meanfield(params[1], {only = {"mlp/linear_1"}})
  raises("posterior 2: expected 'mlp/linear_0/w' [6, 5] for tensor 1, as in the first, got "
    .. "'mlp/linear_1/w' [5, 3]", mixture, {point, last})
  raises("posterior 2: expected one without dropout in predictions, as of the first", mixture,
    {point, bnn.posterior.mc_dropout(params[5])})
  local defined = bnn.posterior.define{name = "mixed_in", buffers = {mu = "params"},
    sample = function(phi) return phi.mu end, kl = function(phi) return phi.mu.flat:sum() end}
  raises("posterior 2: expected a family of the program, whose samples are weights, got mixed_in",
    mixture, {point, defined(params[1])})
end

os.exit(lu.LuaUnit.run())
