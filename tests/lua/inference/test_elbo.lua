--- The ELBO: its value and gradients, beta and temperature, what a step changes, and the audit.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(6)
local N = 48
local net, x = bnn.nn.mlp{8, 3}, bnn.randn(key:fold "x", N, 6)
local params = net:init(key:fold "init", x)

-- Labels 0..2 from the sign pattern of two columns, so that there is something to learn.
local function labels()
  local list = {}
  for i, row in ipairs(x:totable()) do
    list[i] = (row[1] > 0 and 1 or 0) + (row[2] > 0 and 1 or 0) end
  return bnn.tensor(list, "i32")
end
local y = labels()
local data = bnn.data.from_tensors{x = x, y = y}

local function elbo(opts)
  opts = opts or {}
  opts.net = opts.net or net
  opts.posterior = opts.posterior or bnn.posterior.meanfield(params, {logvar = opts.logvar or -4})
  opts.logvar = nil
  if not opts.beta and not opts.temperature then opts.beta = 0.01 end
  return bnn.elbo(opts)
end

-- Runs steps on the whole data as one batch; the objective, its state, the losses.
local function run(objective, steps, opts)
  local state, losses = bnn.optim.adam{lr = 0.02}:init(objective), {}
  for i = 1, steps or 3 do
    losses[i] = assert(objective:step(state, {x = x, y = y}, key:fold(i), opts))
  end
  return objective, state, losses
end

local function assert_same_posterior(a, b, why)
  bits.assert_same(a.posterior.mu, b.posterior.mu, why)
  bits.assert_same(a.posterior.logvar, b.posterior.logvar, why)
end

TestValue = {}

function TestValue.test_the_loss_is_that_of_a_network_drawn_with_the_steps_key()
  for samples = 1, 3 do
    local objective = elbo{num_samples = samples}
    local want = 0
    for s = 1, samples do
      local w = objective.posterior:sample(key:fold("eps"):fold(s))
      want = want + net:apply(w, x):cross_entropy(y):mean():item() / samples
    end
    local loss = objective:step(bnn.optim.adam{}:init(objective), {x = x, y = y}, key)
    lu.assertAlmostEquals(loss, want, 1e-5)
  end
end

function TestValue.test_evaluate_is_log_likelihood_minus_beta_kl()
  local objective = elbo{beta = 0.03, kl = "leading", prior = 0.7}
  local e = objective:evaluate(data, {key = key})
  lu.assertEquals(e.kl_divergence, objective.posterior:kl{kl = "leading", prior = 0.7})
  lu.assertEquals(e.elbo, e.log_likelihood - 0.03 * e.kl_divergence)
  local w = objective.posterior:sample(key:fold(1))
  lu.assertAlmostEquals(e.log_likelihood, -net:apply(w, x):cross_entropy(y):mean():item(), 1e-5)
  lu.assertEquals(objective:evaluate(data, {key = key}), e)
  lu.assertNotEquals(objective:evaluate(data, {key = key:fold(1)}).log_likelihood, e.log_likelihood)
end

function TestValue.test_evaluate_takes_beta_at_its_step()
  local objective = elbo{beta = function(step) return step / 100 end}
  for step, beta in pairs{[0] = 0.01, [1] = 0.01, [50] = 0.5} do
    local e = objective:evaluate(data, {key = key, step = step})
    lu.assertAlmostEquals((e.log_likelihood - e.elbo) / e.kl_divergence, beta, 1e-9)
  end
end

-- dL/dmu = g + beta weight mu / s^2,
-- dL/dlogvar = (g (theta - mu) + beta weight (e^lv / s^2 - 1)) / 2
function TestValue.test_gradients_are_the_reparameterised_ones()
  for _, kl in ipairs{"sum", "leading"} do
    local objective = elbo{beta = 0.3, prior = 0.8, kl = kl}
    local q = objective.posterior
    local d, loss = objective:gradient({x = x, y = y}, key)
    local dmu, dlogvar = d.mu, d.logvar
    local w = q:sample(key:fold("eps"):fold(1))
    local f = bnn.value_and_grad(function(p) return net:apply(p, x):cross_entropy(y):mean() end)
    local value, g = f(w)
    lu.assertAlmostEquals(loss, value:item(), 1e-5)
    for name, mu in pairs(q.mu) do
      local weight = 0.3 * (kl == "sum" and 1 or 1 / mu:size(1))
      local variance = q.logvar[name]:exp()
      local want_mu = g[name] + mu * (weight / 0.64)
      local want_lv = (g[name] * (w[name] - mu) + weight * (variance / 0.64 - 1)) / 2
      lu.assertAlmostEquals((dmu[name] - want_mu):abs():max():item(), 0, 1e-5)
      lu.assertAlmostEquals((dlogvar[name] - want_lv):abs():max():item(), 0, 1e-5)
    end
  end
end

function TestValue.test_a_step_is_the_optimizer_on_these_gradients()
  local objective = elbo{beta = 0.3}
  local q = objective.posterior:clone()
  local d = objective:gradient({x = x, y = y}, key)
  objective:step(bnn.optim.sgd{lr = 0.5}:init(objective), {x = x, y = y}, key)
  local change = objective.posterior.mu.flat - q.mu.flat + 0.5 * d.mu.flat
  lu.assertAlmostEquals(change:abs():max():item(), 0, 1e-6)
  change = objective.posterior.logvar.flat - q.logvar.flat + 0.5 * d.logvar.flat
  lu.assertAlmostEquals(change:abs():max():item(), 0, 1e-5)
end

function TestValue.test_training_raises_the_elbo()
  local objective = elbo{temperature = 1, data_size = N}
  local before = objective:evaluate(data, {key = key}).elbo
  run(objective, 200)
  lu.assertTrue(objective:evaluate(data, {key = key}).elbo > before + 0.2)
end

TestBeta = {}

function TestBeta.test_a_temperature_is_beta_times_the_data_size()
  for _, T in ipairs{1, 0.25} do
    local a = run(elbo{temperature = T, data_size = N})
    local b = run(elbo{beta = T / N})
    assert_same_posterior(a, b, "T = " .. T)
    lu.assertEquals(a:evaluate(data, {key = key}), b:evaluate(data, {key = key}))
  end
  local default = bnn.elbo{net = net, posterior = bnn.posterior.meanfield(params), data_size = N}
  lu.assertEquals({default:beta_at(1), default.kl}, {1 / N, "sum"})
end

function TestBeta.test_beta_may_be_a_function_of_the_step()
  local seen = {}
  local schedule = function(step)
    seen[#seen + 1] = step
    return step == 2 and 0.5 or 0.01
  end
  local scheduled = run(elbo{beta = schedule})
  lu.assertEquals(seen, {1, 2, 3})
  local by_hand = elbo{beta = 9}
  local state = bnn.optim.adam{lr = 0.02}:init(by_hand)
  for i = 1, 3 do
    by_hand:step(state, {x = x, y = y}, key:fold(i), {beta = i == 2 and 0.5 or 0.01})
  end
  assert_same_posterior(scheduled, by_hand)
  assert_same_posterior(run(elbo{temperature = function(step) return step end, data_size = N}),
    run(elbo{beta = function(step) return step / N end}))
end

function TestBeta.test_beta_and_lr_of_a_step_replace_the_objectives()
  assert_same_posterior(run(elbo{beta = 5}, 3, {beta = 0.01}), run(elbo{beta = 0.01}))
  local a, b = elbo(), elbo()
  a:step(bnn.optim.adam{lr = 7}:init(a), {x = x, y = y}, key, {lr = 0.02})
  b:step(bnn.optim.adam{lr = 0.02}:init(b), {x = x, y = y}, key)
  assert_same_posterior(a, b)
end

function TestBeta.test_beta_0_leaves_out_the_kl()
  local q = bnn.posterior.meanfield(params)
  local d = elbo{beta = 0, posterior = q}:gradient({x = x, y = y}, key)
  local other = elbo{beta = 0, posterior = q, prior = 1e-3, kl = "leading"}
  bits.assert_same(d.flat, other:gradient({x = x, y = y}, key).flat)
end

TestStep = {}

function TestStep.test_same_key_same_bits()
  local a, _, losses = run(elbo{num_samples = 2}, 5)
  bnn.randn(bnn.key(1), 100)
  local b, _, again = run(elbo{num_samples = 2}, 5)
  assert_same_posterior(a, b)
  lu.assertEquals(losses, again)
  lu.assertFalse(bits.same(a.posterior.mu, run(elbo{num_samples = 3}, 5).posterior.mu))
end

function TestStep.test_a_batch_of_a_data_set_gives_the_bits_of_its_tensors()
  local a, b = elbo(), elbo()
  local state_a, state_b = bnn.optim.adam{}:init(a), bnn.optim.adam{}:init(b)
  local i = 0
  for batch in data:batches{size = 20, key = key, epochs = 2, drop_last = false} do
    i = i + 1
    a:step(state_a, batch, key:fold(i))
    b:step(state_b, {x = batch.x, y = batch.y}, key:fold(i))
  end
  lu.assertEquals(i, 6)
  assert_same_posterior(a, b)
end

function TestStep.test_uint8_images_are_divided_by_255()
  local rows = {}
  for i = 1, 4 do rows[i] = {i * 10, 255, 0, 3 * i, 128, 77} end
  local images = bnn.tensor(rows, "u8")
  local a, b = elbo(), elbo()
  local some = y:narrow(1, 1, 4)
  a:step(bnn.optim.adam{}:init(a), {x = images, y = some}, key)
  b:step(bnn.optim.adam{}:init(b), {x = images:real() / 255, y = some}, key)
  assert_same_posterior(a, b)
end

function TestStep.test_dropout_is_on_while_training_only()
  local noisy = bnn.nn.sequential{bnn.nn.linear(8), bnn.nn.relu(), bnn.nn.dropout(0.5),
    bnn.nn.linear(3)}
  local plain = bnn.nn.sequential{bnn.nn.linear(8), bnn.nn.relu(), bnn.nn.linear(3)}
  local p = noisy:init(key, x)
  local function make(n) return elbo{net = n, posterior = bnn.posterior.meanfield(p)} end
  local a, b = make(noisy), make(plain)
  lu.assertEquals(a:evaluate(data, {key = key}), b:evaluate(data, {key = key}))
  local _, _, losses_a = run(a, 2)
  local _, _, losses_b = run(b, 2)
  lu.assertNotEquals(losses_a[1], losses_b[1])
  local _, _, again = run(make(noisy), 2)
  lu.assertEquals(losses_a, again)
end

function TestStep.test_nan_is_nil_and_a_message_and_changes_nothing()
  local objective = elbo()
  local state = bnn.optim.adam{}:init(objective)
  objective:step(state, {x = x, y = y}, key)
  local q, copy = objective.posterior:clone(), state:clone()
  local loss, message = objective:step(state, {x = x * (0 / 0), y = y}, key)
  lu.assertNil(loss)
  lu.assertStrContains(message, "not a number")
  bits.assert_same(objective.posterior.mu, q.mu)
  bits.assert_same(objective.posterior.logvar, q.logvar)
  lu.assertEquals(state:steps(), 1)
  local other = elbo{posterior = q}
  objective:step(state, {x = x, y = y}, key:fold(2))
  other:step(copy, {x = x, y = y}, key:fold(2))
  assert_same_posterior(objective, other)
end

function TestStep.test_a_label_out_of_range_is_nil_and_a_message()
  local objective = elbo()
  local state = bnn.optim.adam{}:init(objective)
  local bad = y:real():totable()
  bad[7] = 3
  for _, value in ipairs{3, -1} do
    bad[7] = value
    local loss, message = objective:step(state, {x = x, y = bnn.tensor(bad, "i32")}, key)
    lu.assertNil(loss)
    lu.assertStrContains(message, ("label %d of example 7 is outside 0..2"):format(value))
  end
  lu.assertEquals(state:steps(), 0)
end

function TestStep.test_bad_numbers_are_nil_and_a_message()
  local objective = elbo()
  local state = bnn.optim.adam{}:init(objective)
  for text, opts in pairs{["lr: expected a number in [0, inf), got -1"] = {lr = -1},
    ["beta: expected a number of 0 or more, got -1"] = {beta = -1}} do
    local loss, message = objective:step(state, {x = x, y = y}, key, opts)
    lu.assertNil(loss)
    lu.assertStrContains(message, text)
  end
end

function TestStep.test_misuse_raises()
  local objective = elbo()
  local state = bnn.optim.adam{}:init(objective)
  local batch = {x = x, y = y}
  local rows = {
    {"objective:step: state: expected a state, as optimizer:init(objective) gives it, got nil"},
    {"got a table", {}, batch, key},
    {"key: expected a key, got nil", state, batch},
    {"key: expected a key, got a number", state, batch, 3},
    {"did you mean 'beta'", state, batch, key, {bta = 1}},
    {"expected labels y, the data have none", state, {x = x}, key},
    {"[6, 8]", state, {x = bnn.zeros(N, 7), y = y}, key},
    {"x has 48 rows, y is [47]", state, {x = x, y = y:narrow(1, 1, 47)}, key},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(objective.step, objective, table.unpack(row, 2, 5))
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

TestLikelihoods = {}

function TestLikelihoods.test_one_of_the_user_over_ops()
  local mine = {log_prob = function(logits, t) return -logits:cross_entropy(t) end}
  assert_same_posterior(run(elbo{likelihood = mine}), run(elbo()))
  local shifted = {log_prob = function(logits, t) return -2 * logits:cross_entropy(t) - 1 end}
  local a, _, losses = run(elbo{likelihood = shifted, beta = 0.02}, 1)
  local _, _, plain = run(elbo{beta = 0.01}, 1)
  lu.assertAlmostEquals(losses[1], 2 * plain[1] + 1, 1e-5)
  lu.assertStrContains(tostring(a), "likelihood=of your own")
end

function TestLikelihoods.test_one_of_the_user_may_mix_the_rows_of_a_batch()
  local mean = {log_prob = function(logits, t)
    local log_p = -logits:cross_entropy(t)
    return log_p - log_p:mean() + log_p:mean() -- rows meet
  end}
  local a, _, losses = run(elbo{likelihood = mean}, 1)
  local b, _, want = run(elbo(), 1)
  lu.assertAlmostEquals(losses[1], want[1], 1e-6)
  lu.assertAlmostEquals((a.posterior.mu.flat - b.posterior.mu.flat):abs():max():item(), 0, 1e-3)
end

function TestLikelihoods.test_gaussian_is_the_normal_density()
  local regression = bnn.nn.mlp{4, 2}
  local q = bnn.posterior.meanfield(regression:init(key, x))
  local t = bnn.randn(key:fold "t", N, 2)
  local objective = elbo{net = regression, posterior = q,
    likelihood = bnn.likelihood.gaussian{sigma = 0.5}}
  local w = q:sample(key:fold(1))
  local log_p = -((regression:apply(w, x) - t) ^ 2):sum(2) / (2 * 0.25)
    - 2 * (math.log(0.5) + 0.5 * math.log(2 * math.pi))
  local got = objective:evaluate({x = x, y = t}, {key = key}).log_likelihood
  lu.assertAlmostEquals(got, log_p:mean():item(), 1e-4)
end

function TestLikelihoods.test_bernoulli_takes_grey_targets()
  local decoder = bnn.nn.mlp{5}
  local q = bnn.posterior.meanfield(decoder:init(key, x))
  local t = bnn.rand(key:fold "t", N, 5)
  local objective = elbo{net = decoder, posterior = q, likelihood = "bernoulli"}
  local p = decoder:apply(q:sample(key:fold(1)), x):sigmoid()
  local log_p = (t * p:log() + (1 - t) * (1 - p):log()):sum(2):mean():item()
  lu.assertAlmostEquals(objective:evaluate({x = x, y = t}, {key = key}).log_likelihood, log_p, 1e-4)
end

-- log(y!) of y = 0..4 from a table.
function TestLikelihoods.test_poisson_is_the_probability_of_counts()
  local counts = bnn.nn.mlp{4, 2}
  local q = bnn.posterior.meanfield(counts:init(key, x))
  local t, log_factorial = {}, {[0] = 0, 0, math.log(2), math.log(6), math.log(24)}
  for i = 1, N do t[i] = {i % 5, (3 * i) % 5} end
  t = bnn.tensor(t)
  local objective = elbo{net = counts, posterior = q, likelihood = "poisson"}
  local log_rate = counts:apply(q:sample(key:fold(1)), x)
  local log_p = 0
  for i = 1, N do
    for j = 1, 2 do
      local y_ij, l = t[i][j], log_rate[i][j]
      log_p = log_p + (y_ij * l - math.exp(l) - log_factorial[math.tointeger(y_ij)]) / N
    end
  end
  local figures = objective:evaluate({x = x, y = t}, {key = key})
  lu.assertAlmostEquals(figures.log_likelihood, log_p, 1e-4)
  local rates = bnn.predict(objective, x, {num_samples = 1, key = key}).mean
  lu.assertAlmostEquals((rates - log_rate:exp()):abs():max():item(), 0, 1e-5)
  local state = bnn.optim.adam{}:init(objective)
  lu.assertNotNil(objective:step(state, {x = x, y = t}, key))
  raises("poisson: expected y of type", objective.step, objective, state, {x = x, y = t:to "i32"},
    key)
end

-- [n, 1] against [n] would broadcast to [n, n] and train on nonsense.
function TestLikelihoods.test_targets_of_another_shape_are_refused()
  local one = bnn.nn.mlp{1}
  local q = bnn.posterior.meanfield(one:init(key, x))
  local gaussian = bnn.likelihood.gaussian{sigma = 1}
  for name, likelihood in pairs{gaussian = gaussian, bernoulli = "bernoulli",
                                poisson = "poisson"} do
    local objective = elbo{net = one, posterior = q, likelihood = likelihood}
    local state = bnn.optim.adam{}:init(objective)
    raises({name, "[48, 1]", "got [48]"}, objective.step, objective, state,
      {x = x, y = bnn.zeros(N)}, key)
    raises({name, "expected targets y"}, objective.step, objective, state, {x = x}, key)
    lu.assertNotNil(objective:step(state, {x = x, y = bnn.zeros(N, 1)}, key))
  end
end

function TestLikelihoods.test_a_loss_of_another_shape_is_refused()
  local rows = {log_prob = function(logits) return logits end}
  local objective = elbo{likelihood = rows}
  raises("log_prob: expected one number an example, [48], got [48, 3]", objective.step, objective,
    bnn.optim.adam{}:init(objective), {x = x, y = y}, key)
  -- a sum over the batch would be another objective, and a number is none
  local sum = elbo{likelihood = {log_prob = function(logits) return logits:sum() end}}
  raises("log_prob: expected one number an example, [48], got []", sum.step, sum,
    bnn.optim.adam{}:init(sum), {x = x, y = y}, key)
  local number = elbo{likelihood = {log_prob = function() return 3 end}}
  raises("log_prob: expected one number an example, [48], got a number", number.step, number,
    bnn.optim.adam{}:init(number), {x = x, y = y}, key)
end

function TestLikelihoods.test_a_changed_objective_is_recorded_again()
  local function moved(change)
    local objective = elbo{beta = 1}
    local state = bnn.optim.sgd{lr = 0.1}:init(objective)
    objective:step(state, {x = x, y = y}, key)
    if change then change(objective) end
    objective:step(state, {x = x, y = y}, key)
    return objective.posterior.mu
  end
  local plain = moved()
  bits.assert_same(moved(function() end), plain)
  bits.assert_differ(moved(function(o) o.prior = 0.1 end), plain)
  bits.assert_differ(moved(function(o) o.kl = "leading" end), plain)
  bits.assert_differ(moved(function(o) o.num_samples = 2 end), plain)
end

function TestLikelihoods.test_a_batch_that_is_none_is_named()
  local objective = elbo()
  local state = bnn.optim.adam{}:init(objective)
  raises("objective:step: batch.x: expected a tensor, got nil", objective.step, objective, state,
    {x, y}, key)
  raises("batch.y: expected a tensor, got a table", objective.step, objective, state,
    {x = x, y = {1}}, key)
  local across = x:t():contiguous():t() -- a strided view of the same numbers
  lu.assertEquals(objective:step(state, {x = across, y = y}, key),
    (elbo():step(bnn.optim.adam{}:init(objective), {x = x, y = y}, key)))
end

function TestLikelihoods.test_a_closed_state_is_refused()
  local objective = elbo()
  local state = bnn.optim.adam{}:init(objective)
  do local _ <close> = state.moments end
  raises("optimizer state is closed", objective.step, objective, state, {x = x, y = y}, key)
  raises("optimizer state is closed", state.clone, state)
end

function TestLikelihoods.test_a_net_of_the_user_is_any_table_with_apply()
  local own = {apply = function(_, p, input) return input:mm(p.w) end}
  local layout = bnn.params.layout{{name = "w", shape = {6, 3}}}
  local q = bnn.posterior.meanfield(bnn.params.pack(layout, {w = bnn.zeros(6, 3)}))
  local objective = run(elbo{net = own, posterior = q, beta = 0}, 50)
  local accuracy = bnn.metrics.accuracy(bnn.predict(objective, x, {key = key}), y)
  lu.assertTrue(accuracy > 0.6)
end

function TestLikelihoods.test_refusals()
  local q = bnn.posterior.meanfield(params)
  local rows = {
    {'got "categoricl"', "categoricl"}, {"likelihood: expected 'bernoulli'", "norml"},
    {"a function", bnn.likelihood.gaussian}, {"a table with log_prob", {}}, {"got 3", 3},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(bnn.elbo, {net = net, posterior = q, beta = 1, likelihood = row[2]})
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
  raises("sigma: expected more than 0", bnn.likelihood.gaussian, {sigma = 0})
end

function TestLikelihoods.test_a_table_with_a_field_that_nobody_reads_is_refused()
  local function log_prob(logits, t) return -logits:cross_entropy(t) end
  local function of(fields)
    fields.log_prob = fields.log_prob or log_prob
    return function() return elbo{likelihood = fields} end
  end
  raises({"likelihood: unknown option 'predct'", "did you mean 'predict'"}, of{predct = print})
  raises("predict: expected a function, got 3", of{predict = 3})
  raises("log_prob: expected a function, got 3", of{log_prob = 3})
  raises("test_elbo.lua:", function()
    local row = bnn.predict({net = net, params = params, likelihood = {log_prob = print, sgma = 1}},
      x)
    return row
  end)
  lu.assertEquals(elbo{likelihood = {name = "mine", log_prob = log_prob, classes = true,
    predict = function(logits) return logits:softmax(-1) end}}.likelihood.name, "mine")
end

function TestLikelihoods.test_a_network_of_two_values_is_refused_by_name()
  local two = bnn.transform(function(input) return bnn.nn.linear(3)(input), input end)
  local q = bnn.posterior.meanfield(two:init(key, x))
  local rows = {
    {"categorical: expected one tensor of logits [n, C] from the network, got 2 values",
     "categorical", y},
    {"bernoulli: expected one tensor of", "bernoulli", x},
    {"poisson: expected one tensor of", "poisson", x},
    {"gaussian: expected one tensor of means from the network, got 2 values",
     bnn.likelihood.gaussian{sigma = 1}, x},
  }
  for _, row in ipairs(rows) do
    local objective = bnn.elbo{net = two, posterior = q, likelihood = row[2]}
    raises(row[1], objective.evaluate, objective, {x = x, y = row[3]}, {key = key})
    raises(row[1], bnn.predict, objective, x, {key = key})
  end
end

TestMaking = {}

function TestMaking.test_refusals()
  local q = bnn.posterior.meanfield(params)
  local rows = {
    {"expected beta= or temperature=, got both",
     {net = net, posterior = q, beta = 1, temperature = 1}},
    {"net: expected", {posterior = q}}, {"posterior: expected", {net = net}},
    {"expected a posterior", {net = net, posterior = params}},
    {"net: expected a network with apply", {net = print, posterior = q}},
    {"net: expected a network with apply", {net = {}, posterior = q}},
    {"did you mean 'likelihood'", {net = net, posterior = q, likelyhood = "categorical"}},
    {"one of sum, leading", {net = net, posterior = q, kl = "mean"}},
    {"num_samples: expected at least 1", {net = net, posterior = q, num_samples = 0}},
    {"prior: expected more than 0", {net = net, posterior = q, prior = 0}},
    {"data_size: expected", {net = net, posterior = q, data_size = 0}},
    {"a number or a function of the step", {net = net, posterior = q, beta = "warm"}},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(bnn.elbo, row[2])
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
  local no_size = bnn.elbo{net = net, posterior = q}
  raises("bnn.elbo: expected data_size=", no_size.beta_at, no_size, 1)
  raises("bnn.elbo: expected data_size=", no_size.audit, no_size)
  raises("bnn.elbo: beta: expected a number from its function at step 4, got nil", function()
    return elbo{beta = function() end}:beta_at(4)
  end)
end

function TestMaking.test_text_says_what_it_is()
  lu.assertEquals(tostring(elbo{beta = 0.5, kl = "leading"}),
    "elbo{beta=0.5, kl=leading, prior=1, num_samples=1, likelihood=categorical, 83 parameters}")
  lu.assertStrContains(tostring(elbo{temperature = function() return 1 end}),
    "temperature=schedule")
end

TestCheckData = {}

function TestCheckData.test_labels_within_the_classes_are_fine()
  lu.assertTrue(elbo():check_data(data))
  lu.assertTrue(elbo{likelihood = {log_prob = print}}:check_data{x = x})
end

function TestCheckData.test_a_label_beyond_the_classes_is_named_with_its_place()
  local ten = bnn.nn.mlp{10}
  local objective = elbo{net = ten, posterior = bnn.posterior.meanfield(ten:init(key, x))}
  local list = y:totable()
  list[41] = 10
  local ok,
    message = objective:check_data(bnn.data.from_tensors{x = x, y = bnn.tensor(list, "i32")})
  lu.assertNil(ok)
  lu.assertEquals(message, "label 10 of example 41 is outside 0..9, the network's 10 classes")
  list[7] = -1
  ok, message = objective:check_data(bnn.data.from_tensors{x = x, y = bnn.tensor(list, "i32")})
  lu.assertEquals({ok, message},
    {nil, "label -1 of example 7 is outside 0..9, the network's 10 classes"})
  list[7] = 9
  local part = bnn.data.from_tensors{x = x, y = bnn.tensor(list, "i32"), origin = "some/labels"}
  lu.assertEquals(select(2, objective:check_data(part:slice(2))),
    "some/labels: label 10 of example 40 is outside 0..9, the network's 10 classes")
end

function TestCheckData.test_labels_are_whole_numbers_of_any_type()
  for _, other in ipairs{y:real(), y:reshape(N, 1), y:real():reshape(N, 1), y:to "u8"} do
    lu.assertTrue(elbo():check_data(bnn.data.from_tensors{x = x, y = other}))
  end
  local list = y:totable()
  list[3] = 0.5
  for text, other in pairs{
    ["labels are [24, 2], expected [n] or [n, 1]"] = y:reshape(N // 2, 2),
    ["label 3 is 0.5, expected a whole number"] = bnn.tensor(list),
  } do
    local ok, message = elbo():check_data{x = x, y = other}
    lu.assertEquals({ok, message}, {nil, text})
  end
  local ok, message = elbo():check_data(bnn.data.from_tensors{x = x})
  lu.assertEquals({ok, message}, {nil, "the data have no labels"})
end

function TestCheckData.test_labels_of_any_type_give_the_bits_of_i32()
  local function losses(targets)
    local objective, part = elbo(), bnn.data.from_tensors{x = x, y = targets}
    local state, found = bnn.optim.adam{lr = 1e-2}:init(objective), {}
    for batch in part:batches{size = 8, key = key, epochs = 1} do
      found[#found + 1] = objective:step(state, batch, key)
    end
    found[#found + 1] = objective:value({x = x, y = targets}, key).loss
    found[#found + 1] = objective:evaluate(part, {key = key}).loss
    found[#found + 1] = bnn.log_likelihood(objective, part, {key = key})
    return found
  end
  local wanted = losses(y)
  for _, other in ipairs{y:real(), y:reshape(N, 1), y:to "u8", y:to "i64"} do
    lu.assertEquals(losses(other), wanted)
  end
  raises("label 2 is 0.5, expected a whole number", elbo().value, elbo(),
    {x = x:narrow(1, 1, 2), y = bnn.tensor{0, 0.5}}, key)
end

TestAudit = {}

local article = bnn.nn.mlp{64, 64, 10}
local article_params = article:init(key, bnn.zeros(1, 784))

local function audit(opts)
  opts.net, opts.posterior = article, bnn.posterior.meanfield(article_params)
  opts.data_size = 60000
  local lines = {}
  local out = {write = function(_, ...) for _, s in ipairs{...} do lines[#lines + 1] = s end end}
  local rows = bnn.elbo(opts):audit{out = out}
  return rows, table.concat(lines)
end

-- With beta 1e-3 and kl = "leading" the temperatures beta N / shape[1] are 0.0765 for the first
-- matrix, 0.9375 for the other two and the first two biases, 6.0 for the last bias.
function TestAudit.test_leading_kl_is_no_elbo()
  local rows, text = audit{beta = 1e-3, kl = "leading"}
  local want = {
    {"mlp/linear_0/w", 0.0765, 3.61}, {"mlp/linear_0/b", 0.9375, 1.03},
    {"mlp/linear_1/w", 0.9375, 1.03}, {"mlp/linear_1/b", 0.9375, 1.03},
    {"mlp/linear_2/w", 0.9375, 1.03}, {"mlp/linear_2/b", 6.0, 0.41},
  }
  lu.assertEquals(#rows, #want)
  for i, row in ipairs(want) do
    lu.assertEquals(rows[i].name, row[1])
    lu.assertAlmostEquals(rows[i].temperature, row[2], 5e-5)
    lu.assertAlmostEquals(rows[i].prior_std, row[3], 5e-3)
    lu.assertTrue(text:find(row[1], 1, true) ~= nil)
  end
  for _, piece in ipairs{"[784, 64]", "0.0765", "0.9375", "6.0000", "3.61", "1.03", "0.41", "KL"} do
    lu.assertStrContains(text, piece)
  end
  lu.assertStrContains(text, "This is not an ELBO: its temperatures differ, from 0.07653 to 6.")
end

function TestAudit.test_the_kl_of_a_tensor_is_its_sum()
  local rows = audit{beta = 1e-3, kl = "leading"}
  local q, sum = bnn.posterior.meanfield(article_params), 0
  for _, row in ipairs(rows) do sum = sum + row.kl end
  lu.assertAlmostEquals(sum / q:kl(), 1, 1e-12)
end

function TestAudit.test_verdicts()
  local exact = "This is an exact ELBO: every temperature is 1."
  local function tempered(T)
    return ("This is not an exact ELBO: it is tempered, at temperature %s throughout."):format(T)
  end
  local rows = {
    {{temperature = 1}, exact}, {{beta = 1 / 60000}, exact}, {{beta = 1.6667e-5}, exact},
    {{}, exact},
    {{temperature = 0.1}, tempered "0.1"}, {{beta = 1e-3}, tempered "60"},
    {{beta = 0}, tempered "0"},
    {{temperature = 1, kl = "leading"}, "This is not an ELBO: its temperatures differ, from"},
  }
  for i, row in ipairs(rows) do
    local _, text = audit(row[1])
    lu.assertStrContains(text, row[2], false, "row " .. i)
  end
end

function TestAudit.test_takes_beta_at_a_step()
  local objective = elbo{beta = function(step) return step / N end, data_size = N}
  lu.assertAlmostEquals(objective:audit_rows(1)[1].temperature, 1, 1e-12)
  lu.assertAlmostEquals(objective:audit_rows(5)[1].temperature, 5, 1e-12)
  local text = {}
  local function write(_, ...) text[#text + 1] = table.concat{...} end
  objective:audit{step = 5, out = {write = write}}
  lu.assertStrContains(table.concat(text), "temperature 5 throughout")
end

function TestAudit.test_speaks_of_the_beta_that_was_used_last()
  local objective = elbo{temperature = 1, data_size = N}
  bnn.train{objective = objective, optimizer = bnn.optim.adam{}, steps = 3, batch_size = N,
            beta = 5, data = bnn.data.from_tensors{x = x, y = y}, key = key}
  local text = {}
  local function write(_, ...) text[#text + 1] = table.concat{...} end
  objective:audit{out = {write = write}}
  lu.assertStrContains(table.concat(text), ("beta 5, as at step 3, with %d examples. "):format(N))
  lu.assertStrContains(table.concat(text), ("temperature %d throughout"):format(5 * N))
  lu.assertAlmostEquals(objective:audit_rows(1)[1].temperature, 1, 1e-12)
end

os.exit(lu.LuaUnit.run())
