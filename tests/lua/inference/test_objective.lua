--- Objectives of one's own: each kind against its formula, written out over ops and differentiated
-- by bnn.grad; what a posterior over some tensors leaves alone; evaluation; refusals.
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

-- Labels 0..2 from the sign pattern of two columns.
local function labels()
  local list = {}
  for i, row in ipairs(x:totable()) do
    list[i] = (row[1] > 0 and 1 or 0) + (row[2] > 0 and 1 or 0)
  end
  return bnn.tensor(list, "i32")
end
local y = labels()
local data = bnn.data.from_tensors{x = x, y = y}
local batch = {x = x, y = y}

local LAST = {"mlp/linear_1"}

local function posterior(only)
  return bnn.posterior.meanfield(params, {logvar = -3, only = only})
end

local function sum_of_squares(w) return (w ^ 2):sum() end

-- A prior of the user's own: log density of a Laplace distribution, smooth.
local function laplace(w) return -((w ^ 2 + 0.01):sqrt()):sum() / 0.3 end

-- A scale mixture of two Gaussians (Blundell et al. 2015), elementwise.
local function mixture(w)
  local wide = bnn.gaussian_log_prob(w, 0, 1) + math.log(0.3)
  local narrow = bnn.gaussian_log_prob(w, 0, 0.1) + math.log(0.7)
  return bnn.concat({wide:reshape(1, w:numel()), narrow:reshape(1, w:numel())}, 1):logsumexp(1)
end

-- KL(N(mu, e^v) || N(0, s^2)) over ops.
local function kl(mu, v, s)
  return ((v:exp() + mu ^ 2) / s ^ 2 - v):sum() / 2 + mu:numel() * (math.log(s) - 0.5)
end

-- beta (-log p(w) - entropy), for one draw.
local function density_kl(density)
  return function(w, _, v) return -(density(w):sum()) - v:sum() / 2 end
end

-- Each case: the objective, and what is added to the mean loss for one tensor of the posterior
-- (w drawn, mu, v = logvar, path) and for one that is a point (w, path).
local function none() return 0 end

local cases = {
  {name = "a given prior", opts = {beta = 0.3, prior = 0.5},
   random = function(_, mu, v) return 0.3 * kl(mu, v, 0.5) end},
  {name = "three samples", opts = {beta = 0.3, num_samples = 3},
   random = function(_, mu, v) return 0.3 * kl(mu, v, 1) end},
  {name = "a beta for each layer", opts = {beta = {["mlp/linear_1"] = 0.5, default = 0.1}},
   random = function(_, mu, v, path)
     return (path:find "linear_1" and 0.5 or 0.1) * kl(mu, v, 1)
   end},
  {name = "a beta for a layer that changes",
   opts = {beta = {["mlp/linear_1"] = function(step) return 0.5 * step end, default = 0}},
   random = function(_, mu, v, path) return path:find "linear_1" and 0.5 * kl(mu, v, 1) or 0 end},
  {name = "temperatures by path", opts = {
     temperature = {["mlp/linear_0"] = 2, ["mlp/linear_1"] = 1, ["mlp/linear_1/b"] = 0.5},
     data_size = 10},
   random = function(_, mu, v, path)
     local t = path:find "linear_0" and 2 or path:find "/b" and 0.5 or 1
     return t / 10 * kl(mu, v, 1)
   end},
  {name = "a prior for each layer",
   opts = {beta = 0.2, prior = {["mlp/linear_0"] = 2, default = 0.3}},
   random = function(_, mu, v, path)
     return 0.2 * kl(mu, v, path:find "linear_0" and 2 or 0.3)
   end},
  {name = "leading", opts = {beta = 0.3, kl = "leading"},
   random = function(_, mu, v) return 0.3 / mu:size(1) * kl(mu, v, 1) end},
  {name = "a density", opts = {beta = 0.2, prior = laplace},
   random = function(w, mu, v) return 0.2 * density_kl(laplace)(w, mu, v) end},
  {name = "a mixture, two samples", opts = {beta = 0.2, prior = mixture, num_samples = 2},
   random = function(w, mu, v) return 0.2 * density_kl(mixture)(w, mu, v) end},
  {name = "a density for one layer", opts = {
     beta = {["mlp/linear_0/w"] = 0.4, default = 0.1},
     prior = {["mlp/linear_0/w"] = laplace, default = 0.7}, kl = "leading"},
   random = function(w, mu, v, path)
     if path ~= "mlp/linear_0/w" then return 0.1 / mu:size(1) * kl(mu, v, 0.7) end
     return 0.4 / mu:size(1) * density_kl(laplace)(w, mu, v)
   end},
  {name = "a Bayesian last layer", only = LAST, opts = {beta = 0.3},
   random = function(_, mu, v) return 0.3 * kl(mu, v, 1) end},
  {name = "a Bayesian last layer, weight decay, two samples", only = LAST,
   opts = {beta = 0.3, weight_decay = {["mlp/linear_0/w"] = 0.2, default = 0.05}, num_samples = 2},
   random = function(_, mu, v) return 0.3 * kl(mu, v, 1) end,
   point = function(w, path) return (path:find "/w" and 0.1 or 0.025) * sum_of_squares(w) end},
  {name = "a Bayesian last layer with a density", only = LAST, opts = {beta = 0.3, prior = laplace},
   random = function(w, mu, v) return 0.3 * density_kl(laplace)(w, mu, v) end},
  {name = "weight decay", points = true, opts = {weight_decay = 0.2},
   point = function(w) return 0.1 * sum_of_squares(w) end},
  {name = "maximum likelihood", points = true, opts = {}},
  {name = "MAP", points = true, opts = {beta = 0.3, prior = 0.5},
   point = function(w) return 0.3 / 2 / 0.25 * sum_of_squares(w) end},
  {name = "MAP with a density", points = true, opts = {beta = 0.3, prior = laplace},
   point = function(w) return -0.3 * laplace(w) end},
}

local function objective_of(case, more)
  local opts = {net = net, likelihood = "categorical"}
  for k, v in pairs(case.opts) do opts[k] = v end
  for k, v in pairs(more or {}) do opts[k] = v end
  if case.points then
    opts.params = params:clone()
    return bnn.objective(opts)
  end
  opts.posterior = posterior(case.only)
  return bnn.elbo(opts)
end

-- L over ops, with the weights that a step with this key draws.
local function written_out(case, q, samples)
  return function(mu, logvar)
    local total = 0
    for s = 1, samples do
      local eps, weights = q and q:sample(key:fold("eps"):fold(s)), {}
      for path, m in pairs(mu) do
        weights[path] = m
        local v = logvar and logvar[path]
        if v then
          local noise = (eps[path] - q.mu[path]) / (q.logvar[path] / 2):exp()
          weights[path] = m + (v / 2):exp() * noise
        end
      end
      total = total + net:apply(weights, x):cross_entropy(y):mean() / samples
      for path, m in pairs(mu) do
        local v = logvar and logvar[path]
        local add = v and case.random(weights[path], m, v, path)
          or not v and (case.point or none)(weights[path], path) or 0
        total = total + add / samples
      end
    end
    return total
  end
end

local function plain(p)
  local copy = {}
  for path, tensor in pairs(p) do copy[path] = tensor:clone() end
  return copy
end

local function assert_near(got, want, tol, why)
  lu.assertEquals(got:shape(), want:shape(), why)
  local miss = (got - want):abs():max():item()
  lu.assertTrue(miss <= tol * (1 + want:abs():max():item()), why .. ": off by " .. miss)
end

TestGradients = {}

function TestGradients.test_a_step_follows_the_objective_written_out_over_ops()
  for _, case in ipairs(cases) do
    local objective = objective_of(case)
    local d = objective:gradient(batch, key)
    local q = objective.posterior
    local dmu, dlogvar = q and d.mu or d, q and d.logvar
    local f = written_out(case, q, case.opts.num_samples or 1)
    local mu = plain(q and q.mu or objective.params)
    local logvar = q and plain(q.logvar)
    local want = bnn.grad(f, 1)(mu, logvar)
    for path, tensor in pairs(dmu) do assert_near(tensor, want[path], 1e-5, case.name .. path) end
    if q then
      want = bnn.grad(f, 2)(mu, logvar)
      lu.assertEquals(#dlogvar, #q.logvar)
      for path, tensor in pairs(dlogvar) do
        assert_near(tensor, want[path], 1e-5, case.name .. " logvar " .. path)
      end
      lu.assertEquals(d.flat:size(1), q:state_size())
    else
      lu.assertTrue(bnn.params.is(d))
    end
  end
end

function TestGradients.test_a_loss_of_ones_own_is_that_of_its_likelihood()
  for _, case in ipairs(cases) do
    local a, opts = objective_of(case), {}
    for k, v in pairs(case.opts) do opts[k] = v end
    opts.loss = function(p, b, k, train)
      return net:apply(p, b.x, {key = k, train = train}):cross_entropy(b.y)
    end
    opts[case.points and "params" or "posterior"] = case.points and params:clone()
      or posterior(case.only)
    local b = bnn.objective(opts)
    local left, right = bnn.optim.adam{}:init(a), bnn.optim.adam{}:init(b)
    for i = 1, 3 do
      lu.assertEquals(a:step(left, batch, key:fold(i)), b:step(right, batch, key:fold(i)))
    end
    bits.assert_same((a.posterior or {mu = a.params}).mu, (b.posterior or {mu = b.params}).mu)
  end
end

TestBlocks = {}

-- A batch of 131 goes through a step in blocks of 32 rows. Eagerly, block by block: the loss of
-- each example, and the gradient of the mean loss with respect to what each layer gives; then each
-- parameter's gradient over the rows of all blocks in order. To the last bit.
function TestBlocks.test_a_step_is_the_eager_evaluation_of_its_blocks_in_order()
  local n, size = 131, 32
  local inputs, list = bnn.randn(key:fold "blocks", n, 20), {}
  for i = 1, n do list[i] = i % 3 end
  local targets = bnn.tensor(list, "i32")
  local own = bnn.nn.mlp{16, 3}
  local q = bnn.posterior.meanfield(own:init(key, inputs), {logvar = -4})
  local objective = bnn.elbo{net = own, posterior = q, beta = 0}
  local gradient, loss = objective:gradient({x = inputs, y = targets}, key)
  local dmu = gradient.mu

  local w, linear = q:sample(key:fold("eps"):fold(1)), bnn.ops.linear
  local w0, b0 = w["mlp/linear_0/w"], w["mlp/linear_0/b"]
  local w1, b1 = w["mlp/linear_1/w"], w["mlp/linear_1/b"]
  local hidden, d0, d1, sum = {}, {}, {}, 0
  for from = 1, n, size do
    local rows = math.min(size, n - from + 1)
    local xb, yb = inputs:narrow(1, from, rows), targets:narrow(1, from, rows)
    for _, v in ipairs(own:apply(w, xb):cross_entropy(yb):totable()) do sum = sum + v end
    local z = linear(xb, w0, b0)
    local function mean_loss(at_z, at_logits)
      local logits = linear((z + at_z):relu(), w1, b1) + at_logits
      return logits:cross_entropy(yb):sum() * (1 / n)
    end
    local zeros = {bnn.zeros(rows, 16), bnn.zeros(rows, 3)}
    d0[#d0 + 1] = bnn.grad(mean_loss, 1)(table.unpack(zeros))
    d1[#d1 + 1] = bnn.grad(mean_loss, 2)(table.unpack(zeros))
    hidden[#hidden + 1] = z:relu()
  end
  lu.assertEquals(loss, sum / n)

  -- the gradient of a layer's parameters for the gradient d of what it gives
  local function of_layer(x_of_layer, weights, bias, d)
    return bnn.grad(function(p)
      return (linear(x_of_layer, p.w, p.b) * d):sum()
    end)({w = weights, b = bias})
  end
  local first = of_layer(inputs, w0, b0, bnn.concat(d0, 1))
  local last = of_layer(bnn.concat(hidden, 1), w1, b1, bnn.concat(d1, 1))
  bits.assert_same(dmu["mlp/linear_0/w"], first.w)
  bits.assert_same(dmu["mlp/linear_0/b"], first.b)
  bits.assert_same(dmu["mlp/linear_1/w"], last.w)
  bits.assert_same(dmu["mlp/linear_1/b"], last.b)
end

TestShards = {}

-- The gradients of three draws and the loss, with a number of shards.
local function in_shards(shards, threads)
  local objective = objective_of({opts = {beta = 0.3, num_samples = 3, shards = shards}})
  local before = bnn.threads()
  bnn.threads(threads)
  local d, loss = objective:gradient(batch, key)
  bnn.threads(before)
  return d, loss
end

-- 48 rows; 7 shards are of 7 rows, the last of 6.
function TestShards.test_gradients_are_those_of_the_batch_on_any_number_of_threads()
  local want, want_loss = in_shards(1, 1)
  for _, shards in ipairs{2, 3, 7, 48, 100} do
    local d, loss = in_shards(shards, 1)
    assert_near(d.mu.flat, want.mu.flat, 1e-5, shards .. " shards, mu")
    assert_near(d.logvar.flat, want.logvar.flat, 1e-5, shards .. " shards, logvar")
    lu.assertAlmostEquals(loss, want_loss, 1e-5)
    local again, same = in_shards(shards, 3)
    bits.assert_same(again.flat, d.flat)
    lu.assertEquals(same, loss)
  end
end

-- Steps are recorded anew when the number changes.
function TestShards.test_the_number_may_change()
  local objective = objective_of({opts = {beta = 0.3}})
  local _, one = objective:gradient(batch, key)
  objective.shards = 5
  lu.assertAlmostEquals(select(2, objective:gradient(batch, key)), one, 1e-5)
  lu.assertEquals(objective.recordings, 2)
end

function TestShards.test_a_loss_whose_rows_meet_is_refused()
  local objective = bnn.objective{params = params, shards = 4, loss = function(p, b)
    local scores = net:apply(p, b.x)
    return (scores - scores:mean(1)):cross_entropy(b.y)
  end}
  raises("4 shards: mean mixes rows of the batch", objective.gradient, objective, batch, key)
  objective.shards = 1
  objective:gradient(batch, key)
end

function TestShards.test_the_number_is_an_integer_of_at_least_one()
  local function made(shards)
    return {net = net, posterior = posterior(), beta = 1, shards = shards}
  end
  raises("shards: expected at least 1, got 0", bnn.elbo, made(0))
  raises("shards: expected an integer, got 1.5", bnn.elbo, made(1.5))
  local objective = bnn.elbo(made(1 << 40))
  raises("shards: expected an integer below 2^31", objective.gradient, objective, batch, key)
end

TestPartial = {}

function TestPartial.test_tensors_outside_of_the_posterior_are_points()
  local q = posterior(LAST)
  lu.assertEquals(q.logvar:names(), {"mlp/linear_1/w", "mlp/linear_1/b"})
  lu.assertEquals(q.mu:names(), {"mlp/linear_1/w", "mlp/linear_1/b", "mlp/linear_0/w",
                                 "mlp/linear_0/b"})
  for path, tensor in pairs(params) do bits.assert_same(q.mu[path], tensor) end
  local w = q:sample(key)
  for path, tensor in pairs(w) do
    local same = path:find "linear_0" ~= nil
    bits[same and "assert_same" or "assert_differ"](tensor, q.mu[path])
  end
  lu.assertStrContains(tostring(q), "over 27 parameters in 2 tensors, and 56 that are points")
  lu.assertEquals(q:state_size(), 83 + 27)
end

function TestPartial.test_only_takes_paths_layers_and_functions()
  local w = {"mlp/linear_0/w", "mlp/linear_1/w"}
  lu.assertEquals(posterior(w).logvar:names(), w)
  local function is_weight(_, shape) return #shape == 2 end
  lu.assertEquals(posterior(is_weight).logvar:names(), w)
  raises("only names 'mlp/linear_2', which the parameters lack", posterior, {"mlp/linear_2"})
  raises("expected only= to cover a parameter", posterior, function() return false end)
end

function TestPartial.test_training_moves_points_and_posterior()
  local q = posterior(LAST)
  local before = q:clone()
  local objective = bnn.elbo{net = net, posterior = q, beta = 1e-3}
  bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 0.02}, data = data, steps = 60,
            batch_size = 24, key = key}
  bits.assert_differ(q.mu["mlp/linear_0/w"], before.mu["mlp/linear_0/w"])
  bits.assert_differ(q.logvar["mlp/linear_1/w"], before.logvar["mlp/linear_1/w"])
  local prediction = bnn.predict(objective, x, {num_samples = 20, key = key})
  lu.assertTrue(bnn.metrics.accuracy(prediction, y) > 0.7)
  lu.assertTrue(prediction.std:min():item() > 0)
  lu.assertEquals(#objective:audit_rows(), 2)
end

TestPriors = {}

function TestPriors.test_the_kl_from_a_density_is_an_estimate_of_the_kl()
  local q = posterior()
  local function gaussian(w) return bnn.gaussian_log_prob(w, 0, 0.5) end
  -- 400 draws of 83 weights: the terms scatter by some mu sigma / s^2 = 0.4, so by 0.2 in all
  lu.assertAlmostEquals(q:kl{prior = gaussian, key = key, num_samples = 400},
    q:kl{prior = 0.5}, 0.8)
  raises("posterior:kl: key: expected a key", q.kl, q, {prior = gaussian})
end

function TestPriors.test_evaluation_has_the_elbo_of_a_density()
  local objective = bnn.elbo{net = net, posterior = posterior(), beta = 0.1, prior = mixture}
  local figures = objective:evaluate(data, {key = key})
  lu.assertAlmostEquals(figures.elbo, figures.log_likelihood - 0.1 * figures.kl_divergence, 1e-9)
  lu.assertEquals(objective:evaluate(data, {key = key}), figures)
  local text = {}
  objective.data_size = N
  local rows = objective:audit{out = {write = function(_, ...)
    for _, part in ipairs{...} do text[#text + 1] = part end
  end}}
  lu.assertNil(rows[1].prior_std)
  lu.assertStrContains(table.concat(text), "density")
end

TestEvaluation = {}

function TestEvaluation.test_figures_of_ones_own_are_means_over_the_data()
  local objective = bnn.objective{params = params, weight_decay = 0.02,
    loss = function(p, b)
      local logits = net:apply(p, b.x)
      return logits:cross_entropy(b.y), {
        largest = logits:max(2), whole = p["mlp/linear_0/w"]:sum(), number = 7,
      }
    end}
  local figures = objective:evaluate(data, {key = key})
  local logits = net:apply(params, x)
  lu.assertAlmostEquals(figures.loss, logits:cross_entropy(y):mean():item(), 1e-6)
  lu.assertAlmostEquals(figures.largest, logits:max(2):mean():item(), 1e-6)
  lu.assertAlmostEquals(figures.whole, params["mlp/linear_0/w"]:sum():item(), 1e-5)
  lu.assertEquals(figures.number, 7)
  lu.assertAlmostEquals(figures.penalty, 0.01 * (params.flat ^ 2):sum():item(), 1e-6)
  lu.assertNil(figures.kl_divergence)
  lu.assertEquals(objective:value(batch, key), figures)
end

function TestEvaluation.test_betas_by_path_weigh_the_kl_of_their_tensors()
  local q = posterior()
  local objective = bnn.elbo{net = net, posterior = q,
    beta = {["mlp/linear_1"] = function(step) return 0.1 * step end, default = 0.3}}
  local figures, want = objective:evaluate(data, {key = key, step = 4}), 0
  for _, term in ipairs(q:kl_terms{}) do
    want = want + (term.name:find "linear_1" and 0.4 or 0.3) * term.kl
  end
  lu.assertAlmostEquals(figures.log_likelihood - figures.elbo, want, 1e-6)
  lu.assertAlmostEquals(figures.kl_divergence, q:kl(), 1e-9)
  objective.data_size = N
  for _, row in ipairs(objective:audit_rows(2)) do
    lu.assertAlmostEquals(row.temperature, (row.name:find "linear_1" and 0.2 or 0.3) * N, 1e-9)
  end
end

function TestEvaluation.test_a_map_penalty_is_minus_log_prior()
  local objective = bnn.objective{params = params, net = net, likelihood = "categorical",
                                  beta = 0.2, prior = 0.5}
  local figures = objective:evaluate(data, {key = key})
  local want = 0
  for _, tensor in pairs(params) do
    want = want - bnn.gaussian_log_prob(tensor, 0, 0.5):sum():item()
  end
  lu.assertAlmostEquals(figures.kl_divergence, want, 1e-4)
  lu.assertAlmostEquals(figures.penalty, 0.2 * want, 1e-4)
  lu.assertAlmostEquals(figures.log_likelihood, -figures.loss, 1e-7)
end

TestNoise = {}

-- y = x w + noise whose deviation doubles where the first column is positive.
local function regression()
  local mean = x:narrow(2, 1, 2)
  local scale = x:narrow(2, 1, 1):gt(0):real() * 0.4 + 0.4
  return mean + bnn.randn(key:fold "noise", N, 2) * scale
end

function TestNoise.test_the_network_may_give_the_noise()
  local targets = regression()
  local nets = {
    bnn.transform(function(input)
      local head = bnn.nn.linear(2)
      return head(input), bnn.nn.linear(2)(input)
    end),
    bnn.transform(function(input)
      return bnn.nn.linear(2)(input), bnn.nn.parameter("log_sigma", {1}, bnn.nn.zeros)
    end),
  }
  for i, own in ipairs(nets) do
    local q = bnn.posterior.meanfield(own:init(key, x), {logvar = -6})
    local objective = bnn.elbo{net = own, posterior = q, likelihood = "gaussian", beta = 1e-3}
    local part = bnn.data.from_tensors{x = x, y = targets}
    local before = objective:evaluate(part, {key = key}).log_likelihood
    bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 0.02}, data = part,
              steps = 300, batch_size = N, key = key}
    lu.assertTrue(objective:evaluate(part, {key = key}).log_likelihood > before + 0.5)
    local prediction = bnn.predict(objective, x, {num_samples = 30, key = key})
    lu.assertEquals(prediction.mean:shape(), {N, 2})
    local sum = prediction.std ^ 2 + prediction.noise_std ^ 2
    assert_near(prediction.total_std ^ 2, sum, 1e-5, "law")
    local positive = x:narrow(2, 1, 1):gt(0):real()
    local noise = prediction.noise_std:mean(2):reshape(N, 1)
    local inside = (noise * positive):sum():item() / positive:sum():item()
    local outside = (noise * (1 - positive)):sum():item() / (1 - positive):sum():item()
    if i == 1 then lu.assertTrue(inside > 1.2 * outside) end
    if i == 2 then
      lu.assertAlmostEquals(inside, outside, 1e-3)
      lu.assertAlmostEquals(inside, 0.6, 0.2)
    end
  end
end

function TestNoise.test_a_network_without_noise_wants_sigma()
  local plain_net = bnn.nn.linear(2)
  local q = bnn.posterior.meanfield(plain_net:init(key, x))
  local objective = bnn.elbo{net = plain_net, posterior = q, likelihood = "gaussian", beta = 0}
  raises("expected two values from the network, mean and log sigma", objective.evaluate, objective,
    bnn.data.from_tensors{x = x, y = regression()}, {key = key})
end

TestMaking = {}

function TestMaking.test_refusals()
  local function loss(p, b) return net:apply(p, b.x):cross_entropy(b.y) end
  local rows = {
    {"expected params= or posterior=, got neither", {loss = loss}},
    {"expected params= or posterior=, got both",
     {loss = loss, params = params, posterior = posterior()}},
    {"expected loss=, or net= and likelihood=, got neither", {params = params}},
    {"expected loss=, or net= and likelihood=, got both",
     {params = params, loss = loss, likelihood = "categorical", net = net}},
    {"net: expected a network with apply", {params = params, likelihood = "categorical"}},
    {"beta names 'mlp/linear_2'", {posterior = posterior(), loss = loss,
                                   beta = {["mlp/linear_2"] = 1, default = 1}}},
    {"did you mean 'mlp/linear_1'", {posterior = posterior(), loss = loss,
                                     beta = {["mlp/liner_1"] = 1, default = 1}}},
    {"beta has nothing for 'mlp/linear_0/w'", {posterior = posterior(), loss = loss,
                                               beta = {["mlp/linear_1"] = 1}}},
    {"prior names 'mlp/linear_0'", {posterior = posterior(LAST), loss = loss,
                                    prior = {["mlp/linear_0"] = 1, default = 1}}},
    {"beta= or temperature=, got both",
     {posterior = posterior(), loss = loss, beta = 1, temperature = 1}},
    {"expected more than 0", {posterior = posterior(), loss = loss, prior = 0}},
    {"did you mean 'params'", {parms = params, loss = loss}},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(bnn.objective, row[2])
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

function TestMaking.test_a_loss_must_be_one_number_an_example()
  local rows = {
    {"loss: expected one number an example, [48], got []", function(p, b)
      return net:apply(p, b.x):cross_entropy(b.y):mean()
    end},
    {"loss: expected one number an example, [48], got [48, 3]", function(p, b)
      return net:apply(p, b.x)
    end},
    {"loss: expected one number an example, [48], got a number", function() return 3 end},
    {"prior of 'mlp/linear_0/w': expected its log density, a tensor, got a number", function(p, b)
      return net:apply(p, b.x):cross_entropy(b.y)
    end, function() return 1 end},
  }
  for _, row in ipairs(rows) do
    local objective = bnn.objective{posterior = posterior(), loss = row[2], beta = 1,
                                    prior = row[3]}
    raises(row[1], objective.gradient, objective, batch, key)
  end
end

function TestMaking.test_what_it_is_is_printed()
  local function text(case, more) return tostring(objective_of(case, more)) end
  lu.assertEquals(text(cases[3]),
    "elbo{beta=by path, kl=sum, prior=1, num_samples=1, likelihood=categorical, 83 parameters}")
  lu.assertEquals(text(cases[8]),
    "elbo{beta=0.2, kl=sum, prior=density, num_samples=1, likelihood=categorical, 83 parameters}")
  lu.assertEquals(text{points = true, opts = {weight_decay = 0.2}},
    "objective{weight_decay=0.2, num_samples=1, likelihood=categorical, 83 parameters}")
  lu.assertEquals(text{points = true, opts = {shards = 4}},
    "objective{num_samples=1, shards=4, likelihood=categorical, 83 parameters}")
end

function TestMaking.test_predict_wants_a_net()
  local objective = bnn.objective{params = params, loss = function(p, b)
    return net:apply(p, b.x):cross_entropy(b.y)
  end}
  raises("model.net: expected a network", bnn.predict, objective, x, {key = key})
  raises("objective:audit: expected an objective with a posterior", objective.audit, objective)
end

-- ---- what goes wrong ----

TestFaults = {}

-- A loss that is finite where its gradient is not.
local function half_infinite(p, b)
  return (p["mlp/linear_0/b"] * 0):sqrt():sum() + net:apply(p, b.x):cross_entropy(b.y)
end

function TestFaults.test_a_gradient_that_is_not_finite_is_said_and_not_written()
  for _, q in ipairs{false, posterior()} do
    local objective = bnn.objective{params = not q and params:clone() or nil, posterior = q or nil,
                                    beta = q and 0 or nil, loss = half_infinite}
    local state = bnn.optim.adam{}:init(objective)
    local loss, message = objective:step(state, batch, key)
    lu.assertNil(loss)
    lu.assertStrContains(message, "the gradient of 'mlp/linear_0/b' is not finite")
    local flat = (q and q.mu or objective.params).flat
    lu.assertEquals(flat:ne(flat):sum():item(), 0)
    lu.assertEquals(state:steps(), 0)
  end
end

function TestFaults.test_figures_have_names_of_their_own_and_are_numbers()
  local rows = {
    {"loss: figure 'loss': expected another name", {loss = 7}},
    {"figure 'penalty': expected another name", {penalty = 7}},
    {"figure 'a': expected a number or a tensor [] or [48], got a string", {a = "x"}},
    {"figure 'a': expected one number an example, [48], got [48, 6]", {a = x}},
    {"loss: the second value: expected a table name -> figure, got a tensor", x},
  }
  for _, row in ipairs(rows) do
    local objective = bnn.objective{params = params, loss = function(p, b)
      return net:apply(p, b.x):cross_entropy(b.y), row[2]
    end}
    raises(row[1], objective.value, objective, batch, key)
  end
end

function TestFaults.test_bytes_are_no_counts()
  local counts = bnn.tensor({1, 2, 3}, "u8")
  local plain_net = bnn.nn.linear(1)
  local function evaluate(name, targets)
    local inputs = x:narrow(1, 1, 3):contiguous()
    local objective = bnn.objective{params = plain_net:init(key, inputs), net = plain_net,
                                    likelihood = name}
    return objective:value({x = inputs, y = targets}, key).loss
  end
  raises("got u8, which is for images (y / 255): y:real() converts", evaluate, "poisson",
    counts:reshape(3, 1))
  lu.assertEquals(evaluate("categorical", bnn.zeros(3, "u8")), 0) -- classes may be bytes
  lu.assertEquals(type(evaluate("bernoulli", counts:reshape(3, 1))), "number")
end

function TestFaults.test_negative_weights_are_refused()
  local function make(opts)
    opts.net, opts.posterior = net, posterior()
    return bnn.elbo(opts)
  end
  raises("bnn.elbo: beta: expected at least 0, got -1", make, {beta = -1})
  raises("bnn.elbo: temperature: expected at least 0, got -1.0", make,
    {temperature = {["mlp/linear_0"] = -1.0, default = 1}})
  local objective = make{beta = function(step) return 1 - step end}
  raises("beta: expected at least 0 from its function at step 2, got -1", objective.beta_at,
    objective, 2)
  raises("objective:step: lr: expected a number, got a table", objective.step, objective,
    bnn.optim.adam{}:init(objective), batch, key, {lr = {}})
end

function TestFaults.test_what_a_batch_may_hold()
  local objective = objective_of(cases[1])
  raises("objective:value: batch: expected {x = tensor, y = tensor, weight = tensor}, got a "
    .. "field 'z'", objective.value, objective, {x = x, y = y, z = x}, key)
  raises("objective:evaluate: data: expected examples, got none", objective.evaluate, objective,
    {x = bnn.zeros(0, 6), y = bnn.zeros({0}, "i32")}, {key = key})
end

-- Steps for every size of a batch: few are kept, and it is said.
function TestFaults.test_many_shapes_are_said()
  local objective = objective_of(cases[1])
  local state, written = bnn.optim.adam{}:init(objective), {}
  local stderr = io.stderr
  io.stderr = {write = function(_, text) -- luacheck: ignore 122
    written[#written + 1] = text
  end}
  for n = 1, 20 do
    local rows = {x = x:narrow(1, 1, n):contiguous(), y = y:narrow(1, 1, n):contiguous()}
    assert(objective:step(state, rows, key:fold(n)))
  end
  io.stderr = stderr -- luacheck: ignore 122
  lu.assertEquals(#written, 2)
  lu.assertStrContains(written[1], "steps have been recorded for 9 shapes of batches")
  lu.assertEquals(objective.steppers.size, 8)
end

TestFigures = {}

function TestFigures.test_the_beta_is_that_of_the_last_step()
  local function ramp(step) return 0.1 * step end
  local objective = bnn.elbo{net = net, posterior = posterior(), beta = ramp}
  local function weight(opts)
    local figures = objective:value(batch, key, opts)
    return figures.penalty / figures.kl_divergence
  end
  lu.assertAlmostEquals(weight(), 0.1, 1e-9)
  local state = bnn.optim.adam{}:init(objective)
  for i = 1, 3 do objective:step(state, batch, key:fold(i)) end
  lu.assertAlmostEquals(weight(), 0.3, 1e-9)
  lu.assertAlmostEquals(weight{step = 7}, 0.7, 1e-9)
  lu.assertAlmostEquals(weight{beta = 2}, 2, 1e-9)
  objective:step(state, batch, key, {beta = 5}) -- an override is what holds
  lu.assertAlmostEquals(weight(), 5, 1e-9)
end

-- Outputs [n], [n, w] and [n, c, h, w] of a network that gives its noise.
function TestFigures.test_predictions_of_learned_noise_have_any_shape()
  for _, shape in ipairs{{6}, {6, 25}, {6, 1, 5, 5}} do
    local own = bnn.transform(function(input)
      return input * 1, input:log() + bnn.nn.parameter("zero", {}, bnn.nn.zeros)
    end)
    local inputs = bnn.rand(key:fold(#shape), table.unpack(shape)) + 0.5
    local model = {net = own, params = own:init(key, inputs), likelihood = "gaussian"}
    local prediction = bnn.predict(model, inputs, {key = key})
    local want = inputs:reshape(6, inputs:numel() // 6)
    assert_near(prediction.mean, want, 1e-6, "mean")
    assert_near(prediction.noise_std, want, 1e-5, "noise")
  end
end

function TestFigures.test_a_prediction_is_one_tensor()
  local two = bnn.transform(function(input) return input, input end)
  local model = {net = two, params = two:init(key, x), likelihood = {log_prob = function() end}}
  raises("to give one tensor [n, ...], got 2 values from the network", bnn.predict, model,
    x, {key = key})
  model.likelihood.predict = function(output) return output[1]:sum() end
  raises("predict: expected a row for each of 48 examples, got []", bnn.predict, model, x,
    {key = key})
end

TestLabels = {}

-- Two heads on one body: the class, and the label as a number, wanted the more the larger it is.
local function two_headed(p, b, number)
  local output = net:apply(p, b.x)
  local error_of = output:sum(-1) - number
  local one_hot = number:view(#number, 1):eq{0, 1, 2}
  return output:cross_entropy(b.y) + (1 + number) * error_of ^ 2 + (one_hot * output):sum(-1)
end

function TestLabels.test_are_numbers_in_a_loss_of_two_heads()
  local numbers = y:real()
  local function loss(p, b) return two_headed(p, b, b.y:real()) end
  local objective = bnn.objective{params = params, loss = loss}
  local gradient = objective:gradient(batch, key)
  local function mean_loss(p) return two_headed(p, batch, numbers):mean() end
  local want = bnn.grad(mean_loss)(plain(params))
  for path, tensor in pairs(gradient) do assert_near(tensor, want[path], 1e-5, path) end
  lu.assertAlmostEquals(objective:value(batch, key).loss, loss(params, batch):mean():item(), 1e-5)
end

TestMerge = {}

function TestMerge.test_networks_share_one_buffer_under_their_names()
  local encoder, decoder = bnn.nn.mlp{4, 2}, bnn.nn.linear(6)
  local a, b = encoder:init(key, x), decoder:init(key, bnn.zeros(1, 2))
  local both = bnn.params.merge{encoder = a, decoder = b}
  lu.assertEquals(both:names(), {"decoder/linear/w", "decoder/linear/b", "encoder/mlp/linear_0/w",
    "encoder/mlp/linear_0/b", "encoder/mlp/linear_1/w", "encoder/mlp/linear_1/b"})
  for path, tensor in pairs(a) do bits.assert_same(both:sub("encoder")[path], tensor) end
  bits.assert_same(both:sub("decoder").flat, b.flat)
  raises("there are no parameters below 'enc'", both.sub, both, "enc")
  raises("bnn.params.merge: parts: expected a table name -> params, got a table",
    bnn.params.merge, {a})

  local objective = bnn.objective{params = both, loss = function(p, part)
    local z = encoder:apply(p:sub "encoder", part.x)
    return ((decoder:apply(p:sub "decoder", z) - part.x) ^ 2):sum(2)
  end}
  local before = objective:value(batch, key).loss
  bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 0.02}, data = data, steps = 100,
            batch_size = N, key = key}
  lu.assertTrue(objective:value(batch, key).loss < 0.8 * before)
  bits.assert_same(decoder:apply(both:sub "decoder", bnn.ones(1, 2)),
    bnn.ones(1, 2):mm(both["decoder/linear/w"]) + both["decoder/linear/b"])
end

function TestMerge.test_a_posterior_over_one_of_them_is_still_found_by_name()
  local encoder, decoder = bnn.nn.mlp{4, 2}, bnn.nn.mlp{5, 6}
  local both = bnn.params.merge{encoder = encoder:init(key, x),
                               decoder = decoder:init(key, bnn.zeros(1, 2))}
  local q = bnn.posterior.meanfield(both, {only = {"encoder", "decoder/mlp/linear_1"}})
  local part = q.mu:sub "decoder" -- its tensors do not lie side by side
  lu.assertEquals(decoder:apply(part, bnn.ones(1, 2)):shape(), {1, 6})
  bits.assert_same(part["mlp/linear_0/w"], both["decoder/mlp/linear_0/w"])
end

-- More tensors than an op takes inputs.
TestDensities = {}

function TestDensities.test_a_prior_density_over_many_tensors()
  local widths = {}
  for i = 1, 20 do widths[i] = 2 end
  local deep = bnn.nn.mlp(widths)
  local q = bnn.posterior.meanfield(deep:init(bnn.key(1), bnn.ones(3, 2)), {logvar = -6})
  local o = bnn.elbo{net = deep, posterior = q, beta = 1e-3, prior = laplace}
  local loss = o:step(bnn.optim.adam{}:init(o), {x = bnn.ones(3, 2), y = bnn.zeros({3}, "i32")},
    bnn.key(2))
  lu.assertTrue(loss > 0)
end

os.exit(lu.LuaUnit.run())
