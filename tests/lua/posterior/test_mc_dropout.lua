--- MC dropout as a posterior: it predicts with dropout on, as train = true does, trains as a point
-- does, and comes back from files.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(19)
local x = bnn.randn(key, 40, 6)
local y = (x:narrow(2, 1, 3)):argmax(2):to("i32") - bnn.ones(40):to("i32")
local data = bnn.data.from_tensors{x = x, y = y}
local net = bnn.nn.sequential{bnn.nn.linear(8), bnn.nn.relu(), bnn.nn.dropout(0.3),
                              bnn.nn.linear(3)}
local params = net:init(key:fold "init", x)
local q = bnn.posterior.mc_dropout(params)
local model = {net = net, posterior = q, likelihood = "categorical"}
local plain = {net = net, params = params, likelihood = "categorical"}

TestPredictions = {}

function TestPredictions.test_dropout_stays_on()
  local p = bnn.predict(model, x, {key = key})
  local want = bnn.predict(plain, x, {key = key, train = true, num_samples = 100})
  lu.assertEquals(p.num_samples, 100)
  for _, name in ipairs{"mean", "std", "mutual_information", "entropy", "class_std"} do
    bits.assert_same(p[name], want[name], name)
  end
  lu.assertTrue(p.mutual_information:min():item() > 0)
end

function TestPredictions.test_train_false_is_the_whole_network()
  local p = bnn.predict(model, x, {key = key, train = false})
  lu.assertEquals(p.num_samples, 1)
  bits.assert_same(p.mean, bnn.predict(plain, x, {key = key}).mean)
  lu.assertEquals({q:support(), q:support(false), q:keeps_dropout()}, {nil, 1, true})
  lu.assertEquals(bnn.posterior.point(params):keeps_dropout(), false)
end

function TestPredictions.test_draws_and_later_samples_keep_it_on()
  local p = bnn.predict(model, x, {key = key, num_samples = 6, draws = true})
  bits.assert_differ(p.draws[1], p.draws[2])
  lu.assertTrue((p.draws:mean(1) - p.mean):abs():max():item() < 1e-6)
  local some = bnn.predict(model, x, {key = key, num_samples = 2})
  local more = bnn.predict(model, x, {key = key, num_samples = 4, previous = some})
  bits.assert_same(more.mean, p.mean)
end

-- The log-likelihood of one draw, by the network with the key of its noise.
function TestPredictions.test_log_likelihood_keeps_it_on()
  local value = bnn.log_likelihood(model, data, {key = key})
  local logits = net:apply(params, x, {key = key:fold("noise"):fold(1), train = true})
  local at = bnn.likelihood.categorical().log_prob(logits, y)
  lu.assertAlmostEquals(value, at:mean():item(), 1e-5)
  lu.assertNotAlmostEquals(value, bnn.log_likelihood(plain, data, {key = key}), 1e-3)
end

function TestPredictions.test_a_network_without_dropout_is_refused()
  local own = bnn.nn.mlp{4, 3}
  local without = {net = own, likelihood = "categorical",
                   posterior = bnn.posterior.mc_dropout(own:init(key, x))}
  raises("model.net: expected a network with dropout (bnn.nn.dropout), as the mc_dropout posterior "
    .. "predicts with it, got one that draws nothing", bnn.predict, without, x, {key = key})
  lu.assertEquals(bnn.predict(without, x, {key = key, train = false}).num_samples, 1)
end

TestTraining = {}

-- MAP with dropout: bit for bit the point's training.
function TestTraining.test_it_trains_as_a_point_does()
  local function trained(posterior)
    local objective = bnn.elbo{net = net, posterior = posterior, likelihood = "categorical",
                               temperature = 1}
    local state = bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 1e-2},
                            data = data, steps = 20, batch_size = 10, key = key}
    return objective, state
  end
  local objective, state = trained(bnn.posterior.mc_dropout(params:clone()))
  local of_point = trained(bnn.posterior.point(params:clone()))
  bits.assert_same(objective.posterior.mu, of_point.posterior.mu)
  lu.assertEquals(state:posterior().family, "mc_dropout")
  lu.assertEquals(objective.posterior:points(), of_point.posterior:points())
  lu.assertEquals(objective.posterior:kl{prior = 0.5}, of_point.posterior:kl{prior = 0.5})
  lu.assertEquals(bnn.predict(objective, x, {key = key}).num_samples, 100)
end

TestFiles = {}

function TestFiles.test_a_file_predicts_the_same()
  local path = os.tmpname()
  assert(bnn.checkpoint.save(path, {posterior = q, model = bnn.checkpoint.describe(model)}))
  local opened = assert(bnn.checkpoint.open(path))
  os.remove(path)
  lu.assertEquals(tostring(opened.posterior),
    "MC dropout posterior over 83 parameters in 4 tensors")
  local p, want = bnn.predict(opened, x, {key = key}), bnn.predict(model, x, {key = key})
  bits.assert_same(p.mean, want.mean)
end

function TestFiles.test_several_networks_are_a_mixture()
  local two = bnn.posterior.mixture{q, bnn.posterior.mc_dropout(net:init(key:fold "other", x))}
  lu.assertEquals({two:keeps_dropout(), two:support(), two:support(false)}, {true, nil, 2})
  local of = {net = net, posterior = two, likelihood = "categorical"}
  local p = bnn.predict(of, x, {key = key, draws = true, num_samples = 4})
  bits.assert_same(p.draws[1], bnn.predict(model, x, {key = key, num_samples = 1}).mean)
  bits.assert_differ(p.draws[1], p.draws[3])
end

os.exit(lu.LuaUnit.run())
