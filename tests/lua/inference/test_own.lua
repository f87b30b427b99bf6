--- Posteriors and optimizers of one's own, loops of one's own, clipping.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local core = require "bnn.core"

local raises = bits.raises
local key = bnn.key(6)
local net = bnn.nn.mlp{7, 3}
local x = bnn.randn(key:fold "x", 48, 5)
local y = x:narrow(2, 1, 3):argmax(2):to "i32" - bnn.ones(48):to "i32"
local data = bnn.data.from_tensors{x = x, y = y}
local batch = {x = x, y = y}
local params = net:init(key, x)

local function elbo(q, opts)
  local all = {net = net, posterior = q, temperature = 1, data_size = 48}
  for name, value in pairs(opts or {}) do all[name] = value end
  return bnn.elbo(all)
end

local function largest(tensor) return tensor:abs():max():item() end

-- ---- optimizers ----

TestLoops = {}

-- By the plain stages, which two samples and clipping take, it is the same code: the same bits.
function TestLoops.test_gradient_and_update_are_a_step()
  for _, rule in ipairs{"adam", "sgd"} do
    for _, opts in ipairs{{num_samples = 2}, {num_samples = 1, clip = 0.05}} do
      local optimizer = bnn.optim[rule]{lr = 0.01, clip_norm = opts.clip}
      local one = elbo(bnn.posterior.meanfield(params), {num_samples = opts.num_samples})
      local two = elbo(bnn.posterior.meanfield(params), {num_samples = opts.num_samples})
      local left, right = optimizer:init(one), optimizer:init(two)
      for step = 1, 4 do
        local loss = assert(one:step(left, batch, key:fold(step)))
        local gradient, mean = two:gradient(batch, key:fold(step))
        lu.assertEquals(mean, loss)
        lu.assertTrue(right:update(two.posterior, gradient))
      end
      bits.assert_same(one.posterior.mu, two.posterior.mu, rule)
      bits.assert_same(one.posterior.logvar, two.posterior.logvar, rule)
      lu.assertEquals(right:steps(), 4)
    end
  end
end

function TestLoops.test_a_gradient_that_is_not_finite_changes_nothing()
  local q = bnn.posterior.meanfield(params)
  local state = bnn.optim.adam{}:init(q)
  local before, d = q:clone(), q:parts_of(bnn.ones(q:state_size()))
  d.flat:narrow(1, 1, 1)
  core.overwrite(d.flat:narrow(1, q:state_size(), 1), bnn.tensor{math.huge})
  local ok, message = state:update(q, d)
  lu.assertNil(ok)
  lu.assertStrContains(message, "is not finite")
  bits.assert_same(q.mu, before.mu)
  bits.assert_same(q.logvar, before.logvar)
  lu.assertEquals(state:steps(), 0)
end

TestClipping = {}

-- sgd's step is the gradient itself, so the change says what was clipped.
function TestClipping.test_norm_and_value()
  local g = bnn.tensor{3, -4, 0, 12}
  local function change(opts)
    opts.lr = 1
    local w = bnn.zeros(4)
    assert(bnn.optim.sgd(opts):init(bnn.nn.linear(2):init(key, bnn.zeros(1, 1)))
      :update(w, g))
    return w
  end
  lu.assertTrue(largest(change{} + g) == 0)
  lu.assertTrue(largest(change{clip_norm = 6.5} + g / 2) < 1e-6)
  lu.assertTrue(largest(change{clip_norm = 13.5} + g) == 0)
  lu.assertTrue(largest(change{clip_value = 3.5} + bnn.tensor{3, -3.5, 0, 3.5}) == 0)
  lu.assertTrue(largest(change{clip_norm = 6.5, clip_value = 2} + bnn.tensor{1.5, -2, 0, 2}) < 1e-6)
  lu.assertEquals(g:totable(), {3, -4, 0, 12}) -- stays as it was
end

function TestClipping.test_a_step_clips_over_all_buffers()
  local q = bnn.posterior.meanfield(params)
  local objective, before = elbo(q), q:clone()
  local d = objective:gradient(batch, key)
  local norm = (d.flat ^ 2):sum():sqrt():item()
  objective:step(bnn.optim.sgd{lr = 1, clip_norm = norm / 4}:init(objective), batch, key)
  lu.assertTrue(largest(q.mu.flat - before.mu.flat + d.mu.flat / 4) < 1e-5)
  lu.assertTrue(largest(q.logvar.flat - before.logvar.flat + d.logvar.flat / 4) < 1e-5)
end

function TestClipping.test_same_bits_on_any_number_of_threads()
  local wide, threads = bnn.nn.mlp{300, 3}, bnn.threads()
  local start, want = wide:init(key, bnn.randn(key, 4, 90)), nil
  local input = {x = bnn.randn(key, 16, 90), y = y:narrow(1, 1, 16):contiguous()}
  for n = 1, 3 do
    bnn.threads(n)
    local objective = bnn.objective{net = wide, params = start:clone(), likelihood = "categorical"}
    objective:step(bnn.optim.adam{clip_norm = 1e-3}:init(objective), input, key)
    want = want or objective.params
    bits.assert_same(objective.params, want, n .. " threads")
  end
  bnn.threads(threads)
end

function TestClipping.test_options_are_shown_kept_and_checked()
  local optimizer = bnn.optim.adam{clip_norm = 2, clip_value = 0.5}
  lu.assertStrContains(tostring(optimizer), "eps=1e-08, clip_norm=2, clip_value=0.5}")
  local record = optimizer:init(params):state_dict()
  local again = bnn.optim.from_state_dict(record)
  lu.assertEquals(again.optimizer.clip_norm, 2)
  lu.assertEquals(again:clone():state_dict().options.clip_value, 0.5)
  raises("clip_norm: expected more than 0, got 0", bnn.optim.adam, {clip_norm = 0})
  raises("clip_value: expected more than 0, got -1", bnn.optim.sgd, {clip_value = -1})
end

TestDefinedOptimizer = {}

local own_adam = bnn.optim.define{
  name = "own_adam", slots = {m = 0, v = 0},
  options = {lr = 1e-3, b1 = 0.9, b2 = 0.999, eps = 1e-8},
  update = function(w, g, slots, step)
    local m = slots.m * step.b1 + g * (1 - step.b1)
    local v = slots.v * step.b2 + g * g * (1 - step.b2)
    local unbiased = (v / (1 - step.b2 ^ step.t)):sqrt()
    return w - m / (1 - step.b1 ^ step.t) / (unbiased + step.eps) * step.lr, {m = m, v = v}
  end,
}

local function trained(optimizer, steps, checkpoint)
  local objective = elbo(bnn.posterior.meanfield(params))
  local state = bnn.train{objective = objective, optimizer = optimizer, data = data, steps = steps,
                          batch_size = 16, key = key, checkpoint = checkpoint}
  return objective.posterior, state
end

-- Gradients near 0 make Adam's direction a matter of rounding: eps keeps these apart.
function TestDefinedOptimizer.test_adam_in_lua_is_adam()
  local q = trained(own_adam{lr = 0.01, eps = 1e-3}, 30)
  local want = trained(bnn.optim.adam{lr = 0.01, eps = 1e-3}, 30)
  lu.assertTrue(largest(q.mu.flat - want.mu.flat) < 1e-3)
  lu.assertTrue(largest(q.logvar.flat - want.logvar.flat) < 1e-3)
end

function TestDefinedOptimizer.test_resumes_to_the_same_bits()
  local path = os.tmpname()
  os.remove(path)
  local want = trained(own_adam{}, 12)
  trained(own_adam{}, 7, {path = path})
  local q, state = trained(own_adam{}, 12, {path = path, resume = true})
  bits.assert_same(q.mu, want.mu)
  bits.assert_same(q.logvar, want.logvar)
  lu.assertEquals(state:steps(), 12)
  os.execute("rm -r " .. path)
end

function TestDefinedOptimizer.test_a_step_gives_it_time_rate_options_and_key()
  local seen = bnn.optim.define{
    name = "seen", options = {a = 5},
    update = function(w, _, _, step)
      return w * 0 + step.t + step.lr * 100 + step.a * 1000 + step.data_size * 10000
        + bnn.randn_like(w, step.key) * 0, {}
    end,
  }
  local objective = bnn.objective{
    params = params:clone(), data_size = 48,
    loss = function(p, b) return b.x:narrow(2, 1, 1):reshape(48) + p.flat:sum() * 0 end,
  }
  local state = seen{lr = 0.5}:init(objective)
  objective:step(state, batch, key)
  objective:step(state, batch, key)
  lu.assertEquals(objective.params.flat[1], 2 + 50 + 5000 + 480000)
end

-- As by any other rule: nil and a message for what the data bring about.
function TestDefinedOptimizer.test_losses_and_labels_that_will_not_do_come_back()
  local objective = elbo(bnn.posterior.meanfield(params))
  local state, before = own_adam{}:init(objective), objective.posterior:clone()
  for message, wrong in pairs{
    ["the loss is nan"] = {x = x * math.huge, y = y},
    ["label"] = {x = x, y = (y:real() + 7):to "i32"},
  } do
    local loss, fault = objective:step(state, wrong, key)
    lu.assertNil(loss)
    lu.assertStrContains(fault, message)
    raises("objective:gradient: ", objective.gradient, objective, wrong, key)
  end
  bits.assert_same(objective.posterior.mu, before.mu)
  lu.assertEquals(state:steps(), 0)
end

function TestDefinedOptimizer.test_a_rule_of_the_program_s_name_and_wrong_results_are_refused()
  raises("expected one that is free, got 'adam'", bnn.optim.define,
    {name = "adam", update = print})
  local wrong = bnn.optim.define{name = "wrong", slots = {m = 0},
                                 update = function(w) return w:sum(), {} end}
  local objective = elbo(bnn.posterior.meanfield(params))
  raises("bnn.optim.wrong: update: expected the parameters f", objective.step, objective,
    wrong{}:init(objective), batch, key)
  raises("slots: m: expected the number that it starts from", bnn.optim.define,
    {name = "w", slots = {m = "a"}, update = print})
end

-- ---- posteriors ----

TestDefinedPosterior = {}

local function draw(phi, own)
  local w = {}
  for path, mu in pairs(phi.mu) do
    w[path] = mu + bnn.randn_like(mu, own:fold(path)) * (phi.logvar[path] / 2):exp()
  end
  return w
end

local function kl(phi, prior)
  local logvar, s2 = phi.logvar.flat, prior ^ 2
  return ((logvar:exp() + phi.mu.flat ^ 2) / s2 - 1 - logvar + math.log(s2)):sum() / 2
end

local function log_q(phi, w)
  local sum
  for path, mu in pairs(phi.mu) do
    local sigma = (phi.logvar[path] / 2):exp()
    local part = core.ops.gaussian_log_prob(w[path], mu, sigma):sum()
    sum = sum and sum + part or part
  end
  return sum
end

local gaussian = bnn.posterior.define{
  name = "own_gaussian", buffers = {mu = "params", logvar = -7}, sample = draw, kl = kl,
}
local estimated = bnn.posterior.define{
  name = "own_estimated", buffers = {mu = "params", logvar = -7}, sample = draw, log_prob = log_q,
}

function TestDefinedPosterior.test_kl_is_that_of_the_family_in_c()
  local want = bnn.posterior.meanfield(params, {logvar = -3}):kl{prior = 0.7}
  lu.assertAlmostEquals(gaussian(params, {logvar = -3}):kl{prior = 0.7}, want, 1e-4 * want)
  -- an estimate: -log prior varies by less than a percent over so many draws
  local own = estimated(params, {logvar = -3}):kl{prior = 0.7, key = key, num_samples = 200}
  lu.assertAlmostEquals(own, want, 0.05 * want)
end

-- The penalty's part of the gradient is exact, so that it is found without the noise of draws.
function TestDefinedPosterior.test_a_step_follows_its_kl()
  local function gradient_of(q)
    local function loss(p, b) return b.x:narrow(2, 1, 1):reshape(48) + p.flat:sum() * 0 end
    return bnn.objective{posterior = q, beta = 0.25, prior = 0.7, loss = loss}:gradient(batch, key)
  end
  local own = gradient_of(gaussian(params, {logvar = -3}))
  local want = gradient_of(bnn.posterior.meanfield(params, {logvar = -3}))
  lu.assertTrue(largest(own.mu.flat - want.mu.flat) < 1e-5)
  lu.assertTrue(largest(own.logvar.flat - want.logvar.flat) < 1e-5)
end

function TestDefinedPosterior.test_trains_predicts_and_resumes()
  for _, make in ipairs{gaussian, estimated} do
    local path = os.tmpname()
    os.remove(path)
    local function run(steps, checkpoint)
      local objective = elbo(make(params), {temperature = 0.01})
      bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 0.02}, data = data,
                steps = steps, batch_size = 16, key = key, checkpoint = checkpoint}
      return objective
    end
    local whole = run(60)
    run(25, {path = path})
    local resumed = run(60, {path = path, resume = true})
    bits.assert_same(whole.posterior.mu, resumed.posterior.mu)
    bits.assert_same(whole.posterior.logvar, resumed.posterior.logvar)
    local model = assert(bnn.checkpoint.open(path))
    local p = bnn.predict(model, x, {key = key, num_samples = 20})
    lu.assertTrue(bnn.metrics.accuracy(p.class, y) > 0.8)
    bits.assert_same(bnn.predict(whole, x, {key = key, num_samples = 20}).mean, p.mean)
    lu.assertTrue(p.mutual_information:max():item() > 0)
    lu.assertTrue(whole:evaluate(data, {key = key}).elbo < 0)
    os.execute("rm -r " .. path)
  end
end

-- Programs are recorded for the family that there is.
function TestDefinedPosterior.test_an_objective_may_get_a_posterior_of_another_family()
  local objective = elbo(bnn.posterior.meanfield(params))
  for _, make in ipairs{gaussian, bnn.posterior.meanfield, bnn.posterior.radial} do
    objective.posterior = make(params)
    assert(objective:step(bnn.optim.adam{}:init(objective), batch, key))
    local fresh = elbo(objective.posterior:clone())
    bits.assert_same(bnn.predict(objective, x, {key = key, num_samples = 3}).mean,
      bnn.predict(fresh, x, {key = key, num_samples = 3}).mean)
  end
end

function TestDefinedPosterior.test_a_file_of_a_family_that_is_not_defined_says_so()
  local path = os.tmpname()
  assert(bnn.checkpoint.save(path, {posterior = gaussian(params)}))
  local command = ("%s -e 'print(select(2, require(\"bnn\").checkpoint.load(%q)))' 2>&1"):format(
    os.getenv "BNNLUA" or "build/bnnlua", path)
  local pipe <close> = assert(io.popen(command))
  lu.assertStrContains(pipe:read "a", "got own_gaussian")
  os.remove(path)
end

function TestDefinedPosterior.test_refusals()
  local free = {name = "free", buffers = {mu = "params"}, sample = draw, kl = kl}
  local function with(changes)
    local opts = {}
    for name, value in pairs(free) do opts[name] = value end
    for name, value in pairs(changes) do opts[name] = value or nil end
    return opts
  end
  raises("expected kl= or log_prob=, got both", bnn.posterior.define, with{log_prob = log_q})
  raises("expected kl= or log_prob=, got neither", bnn.posterior.define, with{kl = false})
  raises("expected one that is free, got 'meanfield'", bnn.posterior.define,
    with{name = "meanfield"})
  raises('expected one that starts from the "params", got none', bnn.posterior.define,
    with{buffers = {mu = 0}})
  raises('mu: expected "params", a number or function(path, shape)', bnn.posterior.define,
    with{buffers = {mu = "a"}})
  raises("temperature: expected one weight and the sum", elbo, gaussian(params),
    {temperature = {default = 1}})
  local broken = bnn.posterior.define(with{sample = function(phi) return {phi.mu} end})(params)
  raises("sample: 'mlp/linear_0/w': expected a tensor of the weights", broken.sample, broken, key)
end

os.exit(lu.LuaUnit.run())
