--- Predictions: the mean and deviation over sampled networks, and what is said of classes.
local lu = require "luaunit"
local folder = arg[0]:match "^(.*)/" or "."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(12)
local net, x = bnn.nn.mlp{8, 4}, bnn.randn(key:fold "x", 37, 6)
local posterior = bnn.posterior.meanfield(net:init(key:fold "init", x), {logvar = -2})
local model = {net = net, posterior = posterior, likelihood = "categorical"}

-- max |a - b|
local function distance(a, b) return (a - b):abs():max():item() end

-- Mean and population deviation over samples first..last of f(network's output), by a plain loop.
local function by_loop(f, first, last, input)
  local outputs, mean = {}, 0
  for s = first, last do
    outputs[#outputs + 1] = f(net:apply(posterior:sample(key:fold(s)), input or x))
    mean = mean + outputs[#outputs] / (last - first + 1)
  end
  local variance = 0
  for _, y in ipairs(outputs) do variance = variance + (y - mean) ^ 2 / #outputs end
  return mean, variance:sqrt()
end

local function softmax(logits) return logits:softmax(-1) end

TestPredict = {}

function TestPredict.test_mean_and_std_are_those_of_a_loop_over_samples()
  for _, samples in ipairs{1, 2, 30} do
    local p = bnn.predict(model, x, {samples = samples, key = key})
    local mean, std = by_loop(softmax, 1, samples)
    lu.assertEquals({p.mean:shape(), p.std:shape()}, {{37, 4}, {37, 4}})
    lu.assertTrue(distance(p.mean, mean) < 1e-6, samples)
    lu.assertTrue(distance(p.std, std) < 2e-6, samples)
  end
  lu.assertEquals(bnn.predict(model, x, {samples = 1, key = key}).std:abs():max():item(), 0)
end

function TestPredict.test_classes_count_from_0_with_their_probability_and_std()
  local p = bnn.predict(model, x, {samples = 20, key = key})
  lu.assertEquals({p.class:dtype(), p.class:shape(), p.class_std:shape()}, {"i32", {37}, {37}})
  local seen = {}
  for i = 1, 37 do
    local best = p.mean[i]:argmax():item()
    lu.assertEquals(p.class[i], best - 1)
    lu.assertEquals({p.probability[i], p.class_std[i]}, {p.mean[i][best], p.std[i][best]})
    lu.assertEquals(p.probability[i], p.mean[i]:max():item())
    seen[best] = true
  end
  lu.assertTrue(next(seen, next(seen)) ~= nil) -- more than one class, or the test says little
end

function TestPredict.test_entropy_is_that_of_the_mean_in_nats()
  local p = bnn.predict(model, x, {samples = 20, key = key})
  lu.assertTrue(distance(p.entropy, -(p.mean * p.mean:log()):sum(2)) < 1e-6)
  local sure = {likelihood = "categorical", params = bnn.nn.linear(3):init(key, bnn.zeros(1, 3)),
                net = bnn.transform(function(y) return bnn.nn.linear(3)(y) * 0 + y end)}
  local q = bnn.predict(sure, bnn.tensor{{1000, 0, 0}, {0, 0, 0}}, {key = key})
  lu.assertEquals(q.entropy[1], 0) -- 0 log 0 = 0
  lu.assertAlmostEquals(q.entropy[2], math.log(3), 1e-6)
end

function TestPredict.test_is_a_function_of_the_key()
  local a = bnn.predict(model, x, {samples = 5, key = key})
  bnn.randn(bnn.key(1), 100)
  local b = bnn.predict(model, x, {samples = 5, key = key})
  bits.assert_same(a.mean, b.mean)
  bits.assert_same(a.std, b.std)
  bits.assert_differ(a.mean, bnn.predict(model, x, {samples = 5, key = key:fold(1)}).mean)
end

function TestPredict.test_threads_and_the_other_rows_do_not_show()
  local many = bnn.randn(key:fold "many", 613, 6)
  local before = bnn.threads()
  local whole
  for threads = 1, 3 do
    bnn.threads(threads)
    local p = bnn.predict(model, many, {samples = 7, key = key})
    whole = whole or p
    bits.assert_same(p.mean, whole.mean, threads .. " threads")
    bits.assert_same(p.std, whole.std, threads .. " threads")
  end
  bnn.threads(before)
  for _, n in ipairs{1, 249, 250, 251, 500, 501} do
    local some = bnn.predict(model, many:narrow(1, 1, n), {samples = 7, key = key})
    lu.assertEquals(some.mean:shape(), {n, 4})
    lu.assertTrue(distance(some.mean, whole.mean:narrow(1, 1, n)) < 1e-6, n)
    lu.assertTrue(distance(some.std, whole.std:narrow(1, 1, n)) < 1e-6, n)
  end
  lu.assertEquals(bnn.predict(model, many:narrow(1, 1, 0), {samples = 7, key = key}).mean:shape(),
    {0, 4})
end

function TestPredict.test_in_parts_with_first()
  local all = bnn.predict(model, x, {samples = 12, key = key})
  local a = bnn.predict(model, x, {samples = 4, key = key})
  local b = bnn.predict(model, x, {samples = 8, key = key, first = 5})
  lu.assertTrue(distance(b.mean, (by_loop(softmax, 5, 12))) < 1e-6)
  lu.assertTrue(distance(all.mean, a.mean / 3 + b.mean * (2 / 3)) < 1e-6)
end

function TestPredict.test_100_samples_by_default_and_1_without_a_posterior()
  bits.assert_same(bnn.predict(model, x, {key = key}).mean,
    bnn.predict(model, x, {key = key, samples = 100}).mean)
  local plain = {net = net, params = posterior:mean(), likelihood = "categorical"}
  local p = bnn.predict(plain, x, {key = key})
  lu.assertTrue(distance(p.mean, softmax(net:apply(posterior.mu, x))) < 1e-6)
  lu.assertEquals(p.std:abs():max():item(), 0)
  bits.assert_same(p.mean, bnn.predict(plain, x, {key = bnn.key(1)}).mean)
end

function TestPredict.test_parts_of_data_sets_and_uint8_images()
  bits.assert_same(bnn.predict(model, bnn.data.part{x = x}, {samples = 3, key = key}).mean,
    bnn.predict(model, x, {samples = 3, key = key}).mean)
  local image = bnn.tensor({{0, 255, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 200}}, "u8")
  bits.assert_same(bnn.predict(model, image, {samples = 3, key = key}).mean,
    bnn.predict(model, image:real() / 255, {samples = 3, key = key}).mean)
end

function TestPredict.test_views_are_inputs()
  local wide = bnn.randn(key:fold "wide", 6, 37)
  local p = bnn.predict(model, wide:t(), {samples = 3, key = key})
  bits.assert_same(p.mean, bnn.predict(model, wide:t():contiguous(), {samples = 3, key = key}).mean)
end

function TestPredict.test_training_goes_on_behind_an_objective()
  local objective = bnn.elbo{net = net, posterior = posterior:clone(), beta = 0.01}
  local before = bnn.predict(objective, x, {samples = 3, key = key})
  bits.assert_same(before.mean, bnn.predict(model, x, {samples = 3, key = key}).mean)
  local state = bnn.optim.adam{lr = 0.1}:init(objective)
  objective:step(state, {x = x, y = bnn.zeros({37}, "i32")}, key)
  bits.assert_differ(before.mean, bnn.predict(objective, x, {samples = 3, key = key}).mean)
end

function TestPredict.test_a_model_that_changes_is_seen()
  local m = {net = net, posterior = posterior, likelihood = "categorical"}
  bnn.predict(m, x, {samples = 3, key = key})
  m.likelihood = "bernoulli"
  local p = bnn.predict(m, x, {samples = 3, key = key})
  lu.assertTrue(distance(p.mean, (by_loop(function(y) return y:sigmoid() end, 1, 3))) < 1e-6)
  m.net = bnn.nn.mlp{8, 4, activation = "tanh"}
  bits.assert_differ(p.mean, bnn.predict(m, x, {samples = 3, key = key}).mean)
end

function TestPredict.test_dropout_can_stay_on()
  local noisy = bnn.nn.sequential{bnn.nn.dropout(0.5), bnn.nn.linear(4)}
  local m = {net = noisy, params = noisy:init(key, x), likelihood = "categorical"}
  lu.assertEquals(bnn.predict(m, x, {key = key, samples = 20}).std:max():item(), 0)
  local p = bnn.predict(m, x, {key = key, samples = 20, train = true})
  lu.assertTrue(p.std:max():item() > 0.01)
  bits.assert_same(p.mean, bnn.predict(m, x, {key = key, samples = 20, train = true}).mean)
end

function TestPredict.test_a_network_that_mixes_rows_sees_all_of_them()
  local centred = bnn.transform(function(y) return bnn.nn.linear(4)(y - y:mean(1, true)) end)
  local m = {net = centred, params = centred:init(key, x), likelihood = "categorical"}
  local many = bnn.randn(key:fold "many", 600, 6)
  local p = bnn.predict(m, many, {key = key})
  lu.assertTrue(distance(p.mean, softmax(centred:apply(m.params, many))) < 1e-6)
end

TestOthers = {}

function TestOthers.test_gaussian_likelihoods_have_a_total_std()
  local m = {net = net, posterior = posterior, likelihood = bnn.likelihood.gaussian{sigma = 0.5}}
  local p = bnn.predict(m, x, {samples = 9, key = key})
  local mean, std = by_loop(function(y) return y end, 1, 9)
  lu.assertTrue(distance(p.mean, mean) < 2e-6)
  lu.assertTrue(distance(p.std, std) < 5e-6)
  lu.assertTrue(distance(p.total_std, (p.std ^ 2 + 0.25):sqrt()) < 1e-6)
  lu.assertNil(p.class)
end

function TestOthers.test_a_likelihood_of_the_user_says_what_is_averaged()
  local function log_prob(output) return output:sum(2) end
  local m = {net = net, posterior = posterior, likelihood = {log_prob = log_prob}}
  lu.assertTrue(distance(bnn.predict(m, x, {samples = 4, key = key}).mean,
    (by_loop(function(y) return y end, 1, 4))) < 2e-6)
  m.likelihood = {log_prob = log_prob, predict = function(y) return y:square() end}
  lu.assertTrue(distance(bnn.predict(m, x, {samples = 4, key = key}).mean,
    (by_loop(function(y) return y:square() end, 1, 4))) < 1e-5)
end

function TestOthers.test_log_likelihood_is_of_one_draw()
  local y = bnn.zeros({37}, "i32")
  local got = bnn.log_likelihood(model, {x = x, y = y}, {key = key})
  local w = posterior:sample(key:fold(1))
  lu.assertAlmostEquals(got, -net:apply(w, x):cross_entropy(y):mean():item(), 1e-5)
end

TestRefusals = {}

function TestRefusals.test_misuse_names_what_is_wrong()
  local rows = {
    {"'key' is missing", model, x}, {"'key' is missing", model, x, {samples = 3}},
    {"a key is wanted", model, x, {key = 1}},
    {"samples = 0: at least 1", model, x, {key = key, samples = 0}},
    {"did you mean 'samples'", model, x, {key = key, sample = 3}},
    {"model is a nil", nil, x, {key = key}}, {"posterior= or params=", net, x, {key = key}},
    {"posterior= or params=", {net = net, likelihood = "categorical"}, x, {key = key}},
    {"likelihood is missing", {net = net, posterior = posterior}, x, {key = key}},
    {"likelihood is 'softmax'",
     {net = net, posterior = posterior, likelihood = "softmax"}, x, {key = key}},
    {"tensor [n, ...]", model, {1, 2}, {key = key}}, {"tensor [n, ...]", model, nil, {key = key}},
    {"tensor [n, ...]", model, bnn.tensor(3), {key = key}},
    {"mlp/linear_0: w is [6, 8], wanted [7, 8]", model, bnn.zeros(3, 7), {key = key}},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(bnn.predict, table.unpack(row, 2, 4))
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

function TestRefusals.test_a_label_out_of_range_is_one_line()
  local y = bnn.full({37}, 4, "i32")
  local ok, err = pcall(bnn.log_likelihood, model, {x = x, y = y}, {key = key})
  lu.assertFalse(ok)
  lu.assertTrue(require "bnn.signal".is_refusal(err))
  raises("label 4 of example 1 is outside 0..3", error, err)
end

os.exit(lu.LuaUnit.run())
