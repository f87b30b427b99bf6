--- Antithetic pairs: weights on opposite sides of the mean, what they do to the variance of
-- gradients, and what takes none.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(31)
local N = 6
local x = bnn.randn(key:fold "x", N, 3)
local net = bnn.nn.mlp{4, 2}
local params = net:init(key, x)
local zero = params:map(function(w) return w * 0 end)
local labels = bnn.tensor({0, 1, 1, 0, 1, 0}, "i32")
local coefficients = bnn.randn(key:fold "c", params:numel())

local makers = {meanfield = bnn.posterior.meanfield, radial = bnn.posterior.radial}

local function objective_of(posterior, loss, opts)
  local given = {posterior = posterior, loss = loss, beta = 0}
  for name, value in pairs(opts) do given[name] = value end
  return bnn.objective(given)
end

local function per_example(value, batch) return batch.x:narrow(2, 1, 1):reshape(N) * 0 + value end

local function linear(w, batch) return per_example((w.flat * coefficients):sum(), batch) end

local function smooth(w, batch)
  return bnn.cross_entropy(net:apply(w, batch.x), labels)
end

TestPairs = {}

-- Of a loss that is linear in the weights the gradient of mu is its slope whatever is drawn, and
-- what else a pair gives is 0: but for roundings of numbers of size 2, and of the two terms of a
-- pair, of some 0.03.
function TestPairs.test_a_linear_loss_has_no_variance()
  for name, make in pairs(makers) do
    local objective = objective_of(make(zero), linear, {num_samples = 2, antithetic = true})
    for s = 1, 4 do
      local d, loss = objective:gradient({x = x}, key:fold(s))
      lu.assertEquals(loss, 0, name)
      lu.assertTrue((d.mu.flat - coefficients):abs():max():item() < 1e-6, name)
      lu.assertTrue(d.logvar.flat:abs():max():item() < 1e-8, name)
    end
  end
end

-- The pairs of four samples are those of the keys of samples 1 and 3.
function TestPairs.test_the_second_of_a_pair_is_the_mirror_image_of_the_first()
  for name, make in pairs(makers) do
    local q = make(params, {logvar = -1})
    local objective = objective_of(q, smooth, {num_samples = 4, antithetic = true})
    local _, loss = objective:gradient({x = x}, key)
    local want = 0
    for _, s in ipairs{1, 3} do
      local w = q:sample(key:fold("eps"):fold(s))
      local mirrored = q:mean():map(function(mean, path) return mean * 2 - w[path] end)
      for _, at in ipairs{w, mirrored} do want = want + smooth(at, {x = x}):mean():item() / 4 end
    end
    lu.assertAlmostEquals(loss, want, 1e-5, name)
  end
end

-- Mean and variance of the gradients of mu over many keys; the mean of the squared differences of
-- the means in their standard errors is about 1, by the law of large numbers over the weights.
local function moments(antithetic, n)
  local q = bnn.posterior.meanfield(params, {logvar = -4})
  local objective = objective_of(q, smooth, {num_samples = 2, antithetic = antithetic})
  local mean, squares = bnn.zeros(params:numel()), bnn.zeros(params:numel())
  for s = 1, n do
    local d = objective:gradient({x = x}, key:fold(s)).mu.flat
    mean, squares = mean + d / n, squares + d ^ 2 / n
  end
  return mean, squares - mean ^ 2
end

function TestPairs.test_gradients_are_unbiased_and_vary_less()
  local n = 500
  local mean, variance = moments(false, n)
  local mirrored, less = moments(true, n)
  local ratio = (less:sum() / variance:sum()):item()
  lu.assertTrue(ratio < 0.3, ratio)
  local miss = ((mean - mirrored) ^ 2 / ((variance + less) / n)):mean():item()
  lu.assertTrue(miss < 2.5, miss)
end

-- The noise of the network is each sample's own.
function TestPairs.test_the_noise_of_the_program_is_not_mirrored()
  local function noisy(_, batch, k) return per_example(bnn.randn_like(batch.x, k):mean(), batch) end
  local objective = objective_of(bnn.posterior.meanfield(params), noisy,
    {num_samples = 2, antithetic = true})
  local _, loss = objective:gradient({x = x}, key)
  local want = 0
  for s = 1, 2 do want = want + bnn.randn_like(x, key:fold("noise"):fold(s)):mean():item() / 2 end
  lu.assertAlmostEquals(loss, want, 1e-6)
end

function TestPairs.test_steps_have_the_same_bits_on_any_number_of_threads()
  local function train(threads)
    local before = bnn.threads()
    bnn.threads(threads)
    local q = bnn.posterior.meanfield(params, {logvar = -3})
    local objective = objective_of(q, smooth, {num_samples = 4, antithetic = true, beta = 0.1})
    local state = bnn.optim.adam{lr = 0.05}:init(objective)
    for step = 1, 5 do assert(objective:step(state, {x = x}, key:fold(step))) end
    bnn.threads(before)
    return q
  end
  local one, two = train(1), train(2)
  bits.assert_same(one.mu, two.mu)
  bits.assert_same(one.logvar, two.logvar)
end

-- A field that is changed is obeyed by the next step, and shown.
function TestPairs.test_the_objective_says_so()
  local objective = objective_of(bnn.posterior.meanfield(params), smooth, {num_samples = 2})
  local plain = objective:gradient({x = x}, key)
  lu.assertNil(tostring(objective):find "antithetic")
  objective.antithetic = true
  lu.assertStrContains(tostring(objective), "num_samples=2, antithetic=true")
  bits.assert_differ(plain.flat, objective:gradient({x = x}, key).flat)
end

TestRefused = {}

function TestRefused.test_what_has_no_pairs()
  local q = bnn.posterior.meanfield(params)
  local function refuses(pieces, opts)
    opts.antithetic, opts.loss = true, smooth
    raises(pieces, bnn.objective, opts)
  end
  for _, n in ipairs{1, 3} do
    refuses("bnn.objective: antithetic: expected an even num_samples, as samples come in pairs, "
      .. "got " .. n, {posterior = q, num_samples = n})
  end
  refuses("antithetic: expected a posterior whose weights are drawn, got params",
    {params = params, num_samples = 2})
  refuses("antithetic: expected a posterior whose weights are drawn, got point",
    {posterior = bnn.posterior.point(params), num_samples = 2})
  local own = bnn.posterior.define{name = "own_pairs", buffers = {mu = "params"}, kl = print,
                                   sample = function(phi) return phi.mu end}
  refuses("antithetic: expected a family of the program, got own_pairs, whose sample function",
    {posterior = own(params), num_samples = 2})
  raises("antithetic: expected true or false, got 1", bnn.objective,
    {posterior = q, loss = smooth, antithetic = 1})
end

os.exit(lu.LuaUnit.run())
