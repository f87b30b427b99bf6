--- Predictions: the mean and deviation over sampled networks, and what is said of classes.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local core = require "bnn.core"

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

-- x with a NaN in row 6.
local function holed_rows()
  local rows = x:totable()
  rows[6][2] = 0 / 0
  return bnn.tensor(rows)
end

TestPredict = {}

function TestPredict.test_mean_and_std_are_those_of_a_loop_over_samples()
  for _, samples in ipairs{1, 2, 30} do
    local p = bnn.predict(model, x, {num_samples = samples, key = key})
    local mean, std = by_loop(softmax, 1, samples)
    lu.assertEquals({p.mean:shape(), p.std:shape()}, {{37, 4}, {37, 4}})
    lu.assertTrue(distance(p.mean, mean) < 1e-6, samples)
    lu.assertTrue(distance(p.std, std) < 2e-6, samples)
  end
  lu.assertEquals(bnn.predict(model, x, {num_samples = 1, key = key}).std:abs():max():item(), 0)
end

function TestPredict.test_classes_count_from_0_with_their_probability_and_std()
  local p = bnn.predict(model, x, {num_samples = 20, key = key})
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
  local p = bnn.predict(model, x, {num_samples = 20, key = key})
  lu.assertTrue(distance(p.entropy, -(p.mean * p.mean:log()):sum(2)) < 1e-6)
  local sure = {likelihood = "categorical", params = bnn.nn.linear(3):init(key, bnn.zeros(1, 3)),
                net = bnn.transform(function(y) return bnn.nn.linear(3)(y) * 0 + y end)}
  local q = bnn.predict(sure, bnn.tensor{{1000, 0, 0}, {0, 0, 0}}, {key = key})
  lu.assertEquals(q.entropy[1], 0) -- 0 log 0 = 0
  lu.assertAlmostEquals(q.entropy[2], math.log(3), 1e-6)
end

-- The logits of each sample as plain lists, [sample][row][class].
local function logits_of_samples(samples)
  local all = {}
  for s = 1, samples do all[s] = net:apply(posterior:sample(key:fold(s)), x):totable() end
  return all
end

local function exps(z)
  local e, sum = {}, 0
  for c, v in ipairs(z) do
    e[c] = math.exp(v)
    sum = sum + e[c]
  end
  return e, sum
end

local function entropy(p)
  local h = 0
  for _, v in ipairs(p) do h = h - (v > 0 and v * math.log(v) or 0) end
  return h
end

-- The scores of row i over all samples, by their definitions.
local function scores_by_loop(all, i)
  local mean, logits, votes, expected = {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, 0
  for _, sample in ipairs(all) do
    local p, sum = exps(sample[i])
    local best = 1
    for c = 1, 4 do
      p[c] = p[c] / sum
      mean[c], logits[c] = mean[c] + p[c] / #all, logits[c] + sample[i][c] / #all
      if p[c] > p[best] then best = c end
    end
    votes[best] = votes[best] + 1
    expected = expected + entropy(p) / #all
  end
  local _, sum = exps(logits)
  return {
    entropy = entropy(mean), expected_entropy = expected,
    mutual_information = entropy(mean) - expected,
    variation_ratio = 1 - math.max(table.unpack(votes)) / #all, energy = -math.log(sum),
  }
end

function TestPredict.test_scores_of_classes_are_those_of_a_plain_loop()
  for _, samples in ipairs{1, 2, 30} do
    local p = bnn.predict(model, x, {num_samples = samples, key = key})
    local all = logits_of_samples(samples)
    lu.assertEquals(p.num_samples, samples)
    for i = 1, 37 do
      for name, want in pairs(scores_by_loop(all, i)) do
        lu.assertEquals(p[name]:shape(), {37})
        lu.assertTrue(math.abs(p[name][i] - want) < 2e-6, name .. " " .. i)
      end
    end
    lu.assertTrue(p.mutual_information:min():item() >= 0)
  end
end

-- Some networks say (1, 0), the others (1/2, 1/2), which is a vote for the first: dropout of an
-- input of 40, or 80 when it is kept.
function TestPredict.test_scores_of_a_worked_example()
  local switch = bnn.nn.sequential{bnn.nn.dropout(0.5), bnn.nn.linear(2)}
  local params = switch:init(key, bnn.ones(1, 1))
  core.overwrite(params.flat, bnn.tensor{1, 0, 0, 0})
  local m = {net = switch, params = params, likelihood = "categorical"}
  local p = bnn.predict(m, bnn.full({1, 1}, 40), {num_samples = 200, key = key, train = true})
  local kept = 2 * p.mean[1][1] - 1
  lu.assertTrue(kept > 0.35 and kept < 0.65) -- 1/2 +- 4 sqrt(1/4/200)
  lu.assertAlmostEquals(p.expected_entropy[1], (1 - kept) * math.log(2), 1e-6)
  lu.assertAlmostEquals(p.entropy[1], entropy{(1 + kept) / 2, (1 - kept) / 2}, 1e-6)
  lu.assertAlmostEquals(p.mutual_information[1], p.entropy[1] - p.expected_entropy[1], 1e-6)
  lu.assertEquals({p.variation_ratio[1], p.class[1]}, {0, 0})
  lu.assertAlmostEquals(p.energy[1], -80 * kept, 1e-4)
end

function TestPredict.test_one_network_knows_of_no_disagreement()
  local plain = {net = net, params = posterior:mean(), likelihood = "categorical"}
  local p = bnn.predict(plain, x, {key = key, num_samples = 5})
  lu.assertEquals(p.mutual_information:abs():max():item(), 0)
  lu.assertEquals(p.variation_ratio:abs():max():item(), 0)
  bits.assert_same(p.entropy, p.expected_entropy)
end

function TestPredict.test_a_nan_in_a_row_shows_in_all_that_is_said_of_it()
  local holed = holed_rows()
  local p = bnn.predict(model, holed, {num_samples = 3, key = key})
  local names = {"probability", "class_std", "entropy", "expected_entropy", "mutual_information",
                 "variation_ratio", "energy"}
  for _, name in ipairs(names) do
    for i = 1, 37 do lu.assertEquals(p[name][i] ~= p[name][i], i == 6, name .. " " .. i) end
  end
end

function TestPredict.test_is_a_function_of_the_key()
  local a = bnn.predict(model, x, {num_samples = 5, key = key})
  bnn.randn(bnn.key(1), 100)
  local b = bnn.predict(model, x, {num_samples = 5, key = key})
  bits.assert_same(a.mean, b.mean)
  bits.assert_same(a.std, b.std)
  bits.assert_differ(a.mean, bnn.predict(model, x, {num_samples = 5, key = key:fold(1)}).mean)
end

function TestPredict.test_threads_and_the_other_rows_do_not_show()
  local many = bnn.randn(key:fold "many", 613, 6)
  local before = bnn.threads()
  local whole
  for threads = 1, 3 do
    bnn.threads(threads)
    local p = bnn.predict(model, many, {num_samples = 7, key = key})
    whole = whole or p
    bits.assert_same(p.mean, whole.mean, threads .. " threads")
    bits.assert_same(p.std, whole.std, threads .. " threads")
  end
  bnn.threads(before)
  for _, n in ipairs{1, 239} do -- products of fewer rows than a chunk
    local some = bnn.predict(model, many:narrow(1, 1, n), {num_samples = 7, key = key})
    lu.assertEquals(some.mean:shape(), {n, 4})
    lu.assertTrue(distance(some.mean, whole.mean:narrow(1, 1, n)) < 1e-6, n)
    lu.assertTrue(distance(some.std, whole.std:narrow(1, 1, n)) < 1e-6, n)
  end
  local none = bnn.predict(model, many:narrow(1, 1, 0), {num_samples = 7, key = key})
  lu.assertEquals(none.mean:shape(),
    {0, 4})
end

-- The names of all tensors in a prediction.
local function tensors_of(p)
  local names = {}
  for name, value in pairs(p) do names[#names + 1] = type(value) == "userdata" and name or nil end
  return names
end

-- Predicts 613 rows of networks of several sizes at once and in parts {from, count, chunk}.
local function for_each_part(parts, check)
  for _, sizes in ipairs{{6, 8, 4}, {20, 50, 1}, {64, 64, 64, 10}, {9, 33, 17, 3}, {784, 64, 10}} do
    local many = bnn.rand(key:fold "many", 613, sizes[1])
    local mlp = bnn.nn.mlp{table.unpack(sizes, 2)}
    local q = bnn.posterior.meanfield(mlp:init(key, many), {logvar = -4})
    local m = {net = mlp, posterior = q, likelihood = "categorical"}
    local whole = bnn.predict(m, many, {num_samples = 2, key = key})
    for _, part in ipairs(parts) do
      local some = bnn.predict(m, many:narrow(1, part[1], part[2]),
        {num_samples = 2, key = key, chunk = part[3]})
      for _, name in ipairs(tensors_of(some)) do
        check(some[name], whole[name]:narrow(1, part[1], part[2]),
          ("%s of %d rows from %d of %s"):format(name, part[2], part[1], table.concat(sizes, "-")))
      end
    end
  end
end

function TestPredict.test_a_set_in_parts_of_whole_chunks_gives_the_same_bits()
  for_each_part({{1, 240}, {241, 240}, {1, 480}, {241, 373}, {1, 7, 240}, {481, 133, 240},
                 {241, 1, 240}}, bits.assert_same)
end

-- Narrow networks and one output are where products mind a row's place the most. The kernels that
-- OpenBLAS has for AVX2 mind it in any chunk, those for AVX-512 not in one of 240 rows.
function TestPredict.test_a_set_in_any_parts_gives_the_same_numbers()
  local minds = true
  for _, library in ipairs(core.versions()) do
    if library.version:find("core SkylakeX", 1, true) then minds = false end
  end
  local function check(a, b, why)
    if not minds then return bits.assert_same(a, b, why) end
    lu.assertTrue(distance(a:real(), b:real()) < 1e-5, why)
  end
  for_each_part({{1, 241}, {8, 250}, {97, 500}, {373, 241}, {30, 1, 240}, {573, 41, 240}}, check)
end

function TestPredict.test_in_parts_with_first()
  local all = bnn.predict(model, x, {num_samples = 12, key = key})
  local a = bnn.predict(model, x, {num_samples = 4, key = key})
  local b = bnn.predict(model, x, {num_samples = 8, key = key, first = 5})
  lu.assertTrue(distance(b.mean, (by_loop(softmax, 5, 12))) < 1e-6)
  lu.assertTrue(distance(all.mean, a.mean / 3 + b.mean * (2 / 3)) < 1e-6)
end

function TestPredict.test_old_names_say_the_new_ones()
  raises("bnn.predict: samples is now num_samples", bnn.predict, model, x, {samples = 1, key = key})
  raises("bnn.predict: continue is now previous", bnn.predict, model, x, {continue = {}, key = key})
  local p = bnn.predict(model, x, {num_samples = 1, key = key})
  raises("samples is now", function() return p.samples end)
end

function TestPredict.test_100_samples_by_default_and_1_without_a_posterior()
  bits.assert_same(bnn.predict(model, x, {key = key}).mean,
    bnn.predict(model, x, {key = key, num_samples = 100}).mean)
  local plain = {net = net, params = posterior:mean(), likelihood = "categorical"}
  local p = bnn.predict(plain, x, {key = key})
  lu.assertTrue(distance(p.mean, softmax(net:apply(posterior.mu, x))) < 1e-6)
  lu.assertEquals(p.std:abs():max():item(), 0)
  bits.assert_same(p.mean, bnn.predict(plain, x, {key = bnn.key(1)}).mean)
end

function TestPredict.test_parts_of_data_sets_and_uint8_images()
  local part = bnn.data.from_tensors{x = x}
  bits.assert_same(bnn.predict(model, part, {num_samples = 3, key = key}).mean,
    bnn.predict(model, x, {num_samples = 3, key = key}).mean)
  local image = bnn.tensor({{0, 255, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 200}}, "u8")
  bits.assert_same(bnn.predict(model, image, {num_samples = 3, key = key}).mean,
    bnn.predict(model, image:real() / 255, {num_samples = 3, key = key}).mean)
end

function TestPredict.test_views_are_inputs()
  local wide = bnn.randn(key:fold "wide", 6, 37)
  local p = bnn.predict(model, wide:t(), {num_samples = 3, key = key})
  bits.assert_same(p.mean,
    bnn.predict(model, wide:t():contiguous(), {num_samples = 3, key = key}).mean)
end

function TestPredict.test_training_goes_on_behind_an_objective()
  local objective = bnn.elbo{net = net, posterior = posterior:clone(), beta = 0.01}
  local before = bnn.predict(objective, x, {num_samples = 3, key = key})
  bits.assert_same(before.mean, bnn.predict(model, x, {num_samples = 3, key = key}).mean)
  local state = bnn.optim.adam{lr = 0.1}:init(objective)
  objective:step(state, {x = x, y = bnn.zeros({37}, "i32")}, key)
  bits.assert_differ(before.mean, bnn.predict(objective, x, {num_samples = 3, key = key}).mean)
end

function TestPredict.test_a_model_that_changes_is_seen()
  local m = {net = net, posterior = posterior, likelihood = "categorical"}
  bnn.predict(m, x, {num_samples = 3, key = key})
  m.likelihood = "bernoulli"
  local p = bnn.predict(m, x, {num_samples = 3, key = key})
  lu.assertTrue(distance(p.mean, (by_loop(function(y) return y:sigmoid() end, 1, 3))) < 1e-6)
  m.net = bnn.nn.mlp{8, 4, activation = "tanh"}
  bits.assert_differ(p.mean, bnn.predict(m, x, {num_samples = 3, key = key}).mean)
end

-- Noise is folded as in a step, key:fold("noise"):fold(s); weights stay those of key:fold(s).
function TestPredict.test_noise_is_that_of_apply_with_the_key_of_its_sample()
  local dropout = bnn.nn.sequential{bnn.nn.linear(8), bnn.nn.dropout(0.5), bnn.nn.linear(4)}
  local points = dropout:init(key, x)
  local q = bnn.posterior.meanfield(points, {logvar = -3})
  for s = 1, 3 do
    local noise = {key = key:fold("noise"):fold(s), train = true}
    local opts = {key = key, num_samples = 1, first = s, train = true}
    local one = bnn.predict({net = dropout, params = points, likelihood = "categorical"}, x, opts)
    bits.assert_same(one.mean, dropout:apply(points, x, noise):softmax(-1))
    one = bnn.predict({net = dropout, posterior = q, likelihood = "categorical"}, x, opts)
    bits.assert_same(one.mean, dropout:apply(q:sample(key:fold(s)), x, noise):softmax(-1))
  end
end

function TestPredict.test_dropout_can_stay_on()
  local noisy = bnn.nn.sequential{bnn.nn.dropout(0.5), bnn.nn.linear(4)}
  local m = {net = noisy, params = noisy:init(key, x), likelihood = "categorical"}
  lu.assertEquals(bnn.predict(m, x, {key = key, num_samples = 20}).std:max():item(), 0)
  local p = bnn.predict(m, x, {key = key, num_samples = 20, train = true})
  lu.assertTrue(p.std:max():item() > 0.01)
  bits.assert_same(p.mean, bnn.predict(m, x, {key = key, num_samples = 20, train = true}).mean)
end

function TestPredict.test_a_network_that_mixes_rows_sees_all_of_them()
  local centred = bnn.transform(function(y) return bnn.nn.linear(4)(y - y:mean(1, true)) end)
  local m = {net = centred, params = centred:init(key, x), likelihood = "categorical"}
  local many = bnn.randn(key:fold "many", 600, 6)
  local p = bnn.predict(m, many, {key = key})
  lu.assertTrue(distance(p.mean, softmax(centred:apply(m.params, many))) < 1e-6)
end

TestParts = {}

local function assert_same_prediction(a, b, why)
  local names = tensors_of(a)
  lu.assertTrue(#names >= 2)
  for _, name in ipairs(names) do bits.assert_same(a[name], b[name], (why or "") .. name) end
  lu.assertEquals(a.num_samples, b.num_samples)
end

function TestParts.test_samples_in_parts_have_the_bits_of_one_call()
  local all = bnn.predict(model, x, {num_samples = 100, key = key})
  local p
  for _, samples in ipairs{50, 1, 7, 42} do
    local before = p and {p.mean:clone(), p.num_samples}
    local more = bnn.predict(model, x, {num_samples = samples, key = key, previous = p})
    if p then -- what was continued stays as it is, and can be continued again
      bits.assert_same(p.mean, before[1])
      lu.assertEquals(p.num_samples, before[2])
      assert_same_prediction(
        bnn.predict(model, x, {num_samples = samples, key = key, previous = p}), more)
    end
    p = more
  end
  assert_same_prediction(p, all)
  lu.assertEquals(#tensors_of(p), 10)
end

function TestParts.test_the_options_of_a_prediction_go_on_with_it()
  local opts = {num_samples = 5, key = key, train = true, first = 3, chunk = 48}
  local noisy = bnn.nn.sequential{bnn.nn.dropout(0.5), bnn.nn.linear(4)}
  local m = {net = noisy, params = noisy:init(key, x), likelihood = "categorical"}
  local p = bnn.predict(m, x, {num_samples = 4, key = key, previous = bnn.predict(m, x, opts)})
  opts.num_samples = 9
  assert_same_prediction(p, bnn.predict(m, x, opts))
end

function TestParts.test_other_likelihoods_continue_too()
  local pair = bnn.transform(function(y) return bnn.nn.linear(2)(y), bnn.nn.linear(2)(y) end)
  local q = bnn.posterior.meanfield(pair:init(key, x), {logvar = -2})
  for _, m in ipairs{{net = pair, posterior = q, likelihood = "gaussian"},
                     {net = net, posterior = posterior, likelihood = "bernoulli"}} do
    local p = bnn.predict(m, x, {num_samples = 5, key = key})
    assert_same_prediction(bnn.predict(m, x, {num_samples = 4, key = key, previous = p}),
      bnn.predict(m, x, {num_samples = 9, key = key}), m.likelihood .. " ")
  end
end

function TestParts.test_what_does_not_go_on_is_refused_by_name()
  local mine = {net = net, posterior = posterior:clone(), likelihood = "categorical"}
  local p = bnn.predict(mine, x, {num_samples = 5, key = key})
  local copy, other_net = {}, bnn.nn.mlp{8, 4}
  for name, value in pairs(p) do copy[name] = value end
  local other = {net = net, posterior = mine.posterior, likelihood = "bernoulli"}
  local rows = {
    {"bnn.predict: previous: key is another than that of the 5 samples so far", mine, x,
     {key = key:fold(1)}},
    {"[36, 6], the 5 samples so far are of", mine, x:narrow(1, 1, 36)},
    {"previous: x holds other values", mine, x + 1},
    {"previous: expected the model's likelihood of the 5 samples so far, got another", other, x},
    {"previous: expected the model's net of the 5 samples so far, got another",
     {net = other_net, posterior = mine.posterior, likelihood = "categorical"}, x},
    {"previous: the parameters are not those of the 5 samples", {net = net,
      posterior = bnn.posterior.meanfield(mine.posterior.mu), likelihood = "categorical"}, x},
    {"previous: expected train false, as for the 5 samples so far, got true", mine, x,
     {train = true}},
    {"previous: expected first 1, as for the 5 samples so far, got 6", mine, x, {first = 6}},
    {"previous: expected chunk not given, as for the 5 samples so far, got 48", mine, x,
     {chunk = 48}},
    {"previous: expected a result of bnn.predict itself", mine, x, {previous = copy}},
    {"previous: expected a table, got 5", mine, x, {previous = 5}},
  }
  for _, row in ipairs(rows) do
    local opts = {num_samples = 3, key = key, previous = p}
    for name, value in pairs(row[4] or {}) do opts[name] = value end
    raises(row[1], bnn.predict, row[2], row[3], opts)
  end
  lu.assertEquals(bnn.predict(mine, x, {num_samples = 3, key = key, previous = p}).num_samples, 8)
  core.overwrite(mine.posterior.mu.flat, mine.posterior.mu.flat * 1.01) -- it was trained on
  raises("the parameters are not those of the 5 samples so far", bnn.predict, mine, x,
    {num_samples = 3, key = key, previous = p})
end

function TestParts.test_what_a_prediction_carries_goes_with_it()
  local function alive()
    collectgarbage()
    collectgarbage()
    return (core.memory())
  end
  bnn.predict(model, x, {num_samples = 2, key = key})
  local before = alive()
  for _ = 1, 20 do bnn.predict(model, x, {num_samples = 2, key = key}) end
  lu.assertEquals(alive(), before)
end

TestAuto = {}

-- The largest standard error of a mean, from a prediction of S samples.
local function error_of(p) return p.std:max():item() / math.sqrt(p.num_samples - 1) end

function TestAuto.test_goes_on_until_every_mean_is_known()
  for _, tolerance in ipairs{0.2, 0.05, 0.02} do
    local p = bnn.predict(model, x, {num_samples = "auto", key = key, tolerance = tolerance})
    lu.assertTrue(p.reached)
    lu.assertTrue(p.standard_error <= tolerance)
    lu.assertAlmostEquals(p.standard_error, error_of(p), 1e-6)
    lu.assertEquals(p.num_samples % 16, 0)
    if p.num_samples > 16 then -- not at the look before
      local less = bnn.predict(model, x, {num_samples = p.num_samples - 16, key = key})
      lu.assertTrue(error_of(less) > tolerance)
    end
    assert_same_prediction(p, bnn.predict(model, x, {num_samples = p.num_samples, key = key}))
  end
end

function TestAuto.test_0_02_and_1000_by_default_for_classes()
  local p = bnn.predict(model, x, {num_samples = "auto", key = key})
  assert_same_prediction(p,
    bnn.predict(model, x, {num_samples = "auto", key = key, tolerance = 0.02, max_samples = 1000}))
  lu.assertTrue(p.num_samples > 16)
  p = bnn.predict(model, x, {num_samples = "auto", key = key, tolerance = 1e-9})
  lu.assertEquals({p.num_samples, p.reached}, {1000, false})
end

function TestAuto.test_max_samples_ends_it_unreached()
  for _, most in ipairs{2, 16, 17, 40} do
    local p = bnn.predict(model, x,
      {num_samples = "auto", key = key, tolerance = 1e-6, max_samples = most})
    lu.assertEquals({p.num_samples, p.reached}, {most, false})
    lu.assertAlmostEquals(p.standard_error, error_of(p), 1e-6)
    assert_same_prediction(p, bnn.predict(model, x, {num_samples = most, key = key}))
  end
end

function TestAuto.test_is_where_it_would_be_after_a_continued_call()
  local auto = {num_samples = "auto", key = key, tolerance = 0.03}
  local p = bnn.predict(model, x, auto)
  auto.previous = bnn.predict(model, x, {num_samples = 5, key = key})
  assert_same_prediction(bnn.predict(model, x, auto), p)
  auto.previous = p
  assert_same_prediction(bnn.predict(model, x, auto), p) -- nothing is left to do
  local more = bnn.predict(model, x, {num_samples = 16, key = key, previous = p})
  lu.assertEquals(more.num_samples, p.num_samples + 16)
  lu.assertNil(more.reached)
end

function TestAuto.test_of_means_the_tolerance_is_in_their_units()
  local m = {net = net, posterior = posterior, likelihood = bnn.likelihood.gaussian{sigma = 0.5}}
  raises({"bnn.predict: tolerance: expected", "in the units"}, bnn.predict, m, x,
    {num_samples = "auto", key = key})
  local p = bnn.predict(m, x, {num_samples = "auto", key = key, tolerance = 0.3})
  lu.assertTrue(p.reached)
  lu.assertAlmostEquals(p.standard_error, error_of(p), 1e-5)
end

function TestAuto.test_a_nan_ends_it_at_the_first_look()
  local holed = holed_rows()
  local p = bnn.predict(model, holed, {num_samples = "auto", key = key})
  lu.assertEquals({p.num_samples, p.reached}, {16, false})
  lu.assertTrue(p.standard_error ~= p.standard_error)
end

function TestAuto.test_no_rows_and_networks_that_agree_need_one_look()
  local none = bnn.predict(model, x:narrow(1, 1, 0), {num_samples = "auto", key = key})
  lu.assertEquals({none.num_samples, none.reached, none.standard_error}, {16, true, 0})
  local plain = {net = net, params = posterior:mean(), likelihood = "categorical"}
  local p = bnn.predict(plain, x, {num_samples = "auto", key = key})
  lu.assertEquals({p.num_samples, p.reached, p.standard_error}, {16, true, 0})
end

TestOthers = {}

function TestOthers.test_gaussian_likelihoods_have_a_total_std()
  local m = {net = net, posterior = posterior, likelihood = bnn.likelihood.gaussian{sigma = 0.5}}
  local p = bnn.predict(m, x, {num_samples = 9, key = key})
  local mean, std = by_loop(function(y) return y end, 1, 9)
  lu.assertTrue(distance(p.mean, mean) < 2e-6)
  lu.assertTrue(distance(p.std, std) < 5e-6)
  lu.assertTrue(distance(p.total_std, (p.std ^ 2 + 0.25):sqrt()) < 1e-6)
  for _, name in ipairs{"class", "entropy", "mutual_information", "energy", "reached"} do
    lu.assertNil(p[name], name)
  end
  lu.assertEquals(p.num_samples, 9)
end

-- The parts of the variance: of the means (epistemic), and the mean of e^(2 log sigma).
function TestOthers.test_noise_that_the_network_gives_is_averaged_as_a_variance()
  local pair = bnn.transform(function(y) return bnn.nn.linear(2)(y), bnn.nn.linear(2)(y) end)
  local q = bnn.posterior.meanfield(pair:init(key, x), {logvar = -2})
  local p = bnn.predict({net = pair, posterior = q, likelihood = "gaussian"}, x,
    {num_samples = 7, key = key})
  local mean, variance = 0, 0
  for s = 1, 7 do
    local value, log_sigma = pair:apply(q:sample(key:fold(s)), x)
    mean, variance = mean + value / 7, variance + (log_sigma * 2):exp() / 7
  end
  lu.assertTrue(distance(p.mean, mean) < 5e-6)
  lu.assertTrue(distance(p.noise_std / variance:sqrt(), bnn.ones(37, 2)) < 1e-5)
  lu.assertTrue(distance(p.total_std / (p.std ^ 2 + variance):sqrt(), bnn.ones(37, 2)) < 1e-5)
end

-- Probabilities of one's own: all but the energy, unless the likelihood says what the logits are.
function TestOthers.test_classes_of_a_likelihood_of_the_user()
  local own = {log_prob = function(y) return y:sum(2) end, classes = true,
               predict = function(y) return (y * 2):softmax(-1) end}
  local m = {net = net, posterior = posterior, likelihood = own}
  local p = bnn.predict(m, x, {num_samples = 6, key = key})
  lu.assertTrue(distance(p.mean, (by_loop(function(y) return softmax(y * 2) end, 1, 6))) < 1e-6)
  lu.assertTrue(p.mutual_information:min():item() > 0)
  lu.assertNil(p.energy)
  own.logits = function(y) return y * 2 end
  local with = bnn.predict({net = net, posterior = posterior, likelihood = own}, x,
    {num_samples = 6, key = key})
  bits.assert_same(with.mutual_information, p.mutual_information)
  local logits = by_loop(function(y) return y * 2 end, 1, 6)
  lu.assertTrue(distance(with.energy, -logits:logsumexp(-1)) < 1e-5)
  own.logits = function() return 3 end
  raises("likelihood to give one tensor [n, ...], got a number", bnn.predict,
    {net = net, posterior = posterior, likelihood = own}, x, {num_samples = 6, key = key})
  own.logits = function(y) return y:sum() end
  raises("logits: expected a row for each of 37 examples, got []", bnn.predict,
    {net = net, posterior = posterior, likelihood = own}, x, {num_samples = 6, key = key})
end

function TestOthers.test_a_likelihood_of_the_user_says_what_is_averaged()
  local function log_prob(output) return output:sum(2) end
  local m = {net = net, posterior = posterior, likelihood = {log_prob = log_prob}}
  lu.assertTrue(distance(bnn.predict(m, x, {num_samples = 4, key = key}).mean,
    (by_loop(function(y) return y end, 1, 4))) < 2e-6)
  m.likelihood = {log_prob = log_prob, predict = function(y) return y:square() end}
  lu.assertTrue(distance(bnn.predict(m, x, {num_samples = 4, key = key}).mean,
    (by_loop(function(y) return y:square() end, 1, 4))) < 1e-5)
end

function TestOthers.test_log_likelihood_is_of_one_draw()
  local y = bnn.zeros({37}, "i32")
  local got = bnn.log_likelihood(model, {x = x, y = y}, {key = key})
  local w = posterior:sample(key:fold(1))
  lu.assertAlmostEquals(got, -net:apply(w, x):cross_entropy(y):mean():item(), 1e-5)
end

TestRefusals = {}

function TestRefusals.test_what_is_no_model_is_refused_at_the_line_of_the_caller()
  for _, no_model in ipairs{"night", net, {net = net, likelihood = "categorical"}} do
    local line = debug.getinfo(1, "l").currentline + 1
    local function call() return (bnn.predict(no_model, x, {key = key})) end
    raises(("test_predict.lua:%d: bnn.predict: "):format(line), call)
  end
end

function TestRefusals.test_misuse_names_what_is_wrong()
  local rows = {
    {"key: expected", model, x}, {"key: expected", model, x, {num_samples = 3}},
    {"expected a key", model, x, {key = 1}},
    {"num_samples: expected at least 1", model, x, {key = key, num_samples = 0}},
    {"bnn.predict: num_samples: expected", model, x,
     {key = key, num_samples = 9.007e15}},
    {"bnn.predict: first: expected at most", model, x, {key = key, first = 1 << 31}},
    {'num_samples: expected an integer or "auto", got "many"', model, x,
     {key = key, num_samples = "many"}},
    {'num_samples: expected an integer or "auto"', model, x, {key = key, num_samples = 2.5}},
    {"num_samples: expected a number or a string, got true", model, x,
     {key = key, num_samples = true}},
    {'tolerance: expected num_samples = "auto"', model, x, {key = key, tolerance = 0.1}},
    {'max_samples: expected num_samples = "auto"', model, x,
     {key = key, num_samples = 3, max_samples = 9}},
    {"tolerance: expected more than 0", model, x, {key = key, num_samples = "auto", tolerance = 0}},
    {"max_samples: expected at least 2", model, x,
     {key = key, num_samples = "auto", max_samples = 1}},
    {"chunk: expected at least 1", model, x, {key = key, chunk = 0}},
    {"did you mean 'num_samples'", model, x, {key = key, num_sample = 3}},
    {"model: expected an objective", nil, x, {key = key}},
    {"posterior= or params=", net, x, {key = key}},
    {"posterior= or params=", {net = net, likelihood = "categorical"}, x, {key = key}},
    {"likelihood: expected 'bernoulli'", {net = net, posterior = posterior}, x, {key = key}},
    {"likelihood: expected",
     {net = net, posterior = posterior, likelihood = "softmax"}, x, {key = key}},
    {"tensor [n, ...]", model, {1, 2}, {key = key}}, {"tensor [n, ...]", model, nil, {key = key}},
    {"tensor [n, ...]", model, bnn.tensor(3), {key = key}},
    {"mlp/linear_0: w: expected [7, 8] for x [3, 7], got [6, 8]", model,
     bnn.zeros(3, 7), {key = key}},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(bnn.predict, table.unpack(row, 2, 4))
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

function TestRefusals.test_sums_that_say_nothing_yet_or_no_more()
  local rec = core.recording()
  local program = rec:finish({rec:rows{3, 2} * 1}, {gradient = false})
  local sums = core.prediction(program, 5, {{output = 0}})
  lu.assertEquals({sums:samples(), sums:standard_error()}, {0, math.huge})
  for _, name in ipairs{"moments", "extra", "scores"} do
    raises("expected samples, got none yet", sums[name], sums)
  end
  local x5 = bnn.randn(key, 5, 2)
  local none = core.posterior({}, {{family = "point", tensors = 0, buffers = {bnn.zeros(0)}}})
  lu.assertTrue(sums:add(program, {feeds = {{"x", "x", 0}}, samples = 2}, none, key, {x5}))
  bits.assert_same(sums:moments(), x5)
  raises("expected a prediction of classes", sums.scores, sums)
  lu.assertEquals(sums:extra():shape(), {5, 0})
  raises("rows: expected at least 0, got -1", core.prediction, program, -1, {{output = 0}})
  raises("head: expected at most 1, got 2", sums.moments, sums, 2)
  local closed
  do
    local s <close> = sums
    closed = s
  end
  raises("prediction is closed", closed.samples, closed)
  raises("prediction is closed", closed.clone, closed)
end

function TestRefusals.test_a_label_out_of_range_is_one_line()
  local y = bnn.full({37}, 4, "i32")
  local ok, err = pcall(bnn.log_likelihood, model, {x = x, y = y}, {key = key})
  lu.assertFalse(ok)
  lu.assertTrue(require "bnn.signal".is_refusal(err))
  raises("label 4 of example 1 is outside 0..3", error, err)
end

-- A row that is not a number has no class, in whatever looks at the predictions.
function TestPredict.test_a_row_of_nan_has_no_class_and_every_rule_refuses_it()
  local p = bnn.predict(model, holed_rows(), {key = key, num_samples = 4})
  for _, name in ipairs{"probability", "class_std", "entropy", "mutual_information", "energy",
                        "expected_entropy", "variation_ratio"} do
    for i = 1, 37 do lu.assertEquals(p[name][i] ~= p[name][i], i == 6, name) end
  end
  local labels = bnn.zeros({37}, "i32")
  for i = 1, 37 do lu.assertEquals(p.class[i] == -1, i == 6) end
  for _, score in ipairs{"class_std", "entropy", "energy", "variation_ratio"} do
    local refused = bnn.ood.abstains(p, {score = score, threshold = math.huge})
    lu.assertEquals(refused:sum():item(), 1)
    lu.assertEquals(refused[6], 1)
  end
  p.own = bnn.zeros(37) -- a score that says nothing of it
  lu.assertEquals(bnn.ood.abstains(p, {score = "own", threshold = 1})[6], 1)
  for _, metric in ipairs{"accuracy", "nll", "brier", "ece", "aurc", "confusion_matrix"} do
    raises("prediction 6: ", bnn.metrics[metric], p, labels)
  end
end

function TestPredict.test_calibrating_leaves_a_row_of_nan_as_it_is()
  local labels = {}
  for i = 1, 37 do labels[i] = i % 4 end
  local opts = {key = key, num_samples = 4}
  local good = bnn.predict(model, x, opts)
  local fit = bnn.calibration.fit{prediction = good, labels = labels, percentile = 1}
  local p = bnn.calibration.apply(fit, bnn.predict(model, holed_rows(), opts))
  local want = bnn.calibration.apply(fit, good)
  lu.assertEquals(p.class[6], -1)
  lu.assertEquals(p.abstains:sum():item(), 1)
  lu.assertEquals(p.abstains[6], 1)
  lu.assertNaN(p.probability[6])
  lu.assertNaN(p.entropy[6])
  for i = 1, 37 do
    if i ~= 6 then lu.assertAlmostEquals(p.probability[i], want.probability[i], 1e-6) end
  end
end

os.exit(lu.LuaUnit.run())
