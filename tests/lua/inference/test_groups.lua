--- Optimizers by path: each tensor is updated as its own optimizer alone would, in every way that a
-- step may be made; states, checkpoints and what is refused.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(11)

local N = 96
local x = bnn.randn(key:fold "x", N, 3)
local y = x:narrow(2, 1, 1) * 2 + bnn.randn(key:fold "noise", N, 1) * 0.3
local data = bnn.data.from_tensors{x = x, y = y}
local noisy = bnn.likelihood.gaussian{}

-- Means, and a log sigma of its own.
local function network()
  return bnn.transform(function(input)
    return bnn.nn.mlp{7, 1}(input), bnn.nn.parameter("log_sigma", {1}, bnn.nn.zeros)
  end)
end

local net = network()
local start = net:init(key, x)

local function point_objective(opts)
  local all = {net = net, params = start:clone(), likelihood = noisy, prior = 1, data_size = N}
  for name, value in pairs(opts or {}) do all[name] = value end
  return bnn.objective(all)
end

local function elbo(opts)
  local all = {net = net, likelihood = noisy, data_size = N,
               posterior = bnn.posterior.meanfield(start, {only = {"mlp"}, logvar = -4})}
  for name, value in pairs(opts or {}) do all[name] = value end
  return bnn.elbo(all)
end

local function train(objective, optimizer, opts)
  local all = {objective = objective, optimizer = optimizer, data = data, steps = 12,
               batch_size = 32, key = key}
  for name, value in pairs(opts or {}) do all[name] = value end
  return bnn.train(all)
end

TestSteps = {}

-- Steps of groups beside each of their optimizers alone, on copies, by the same gradients.
local function assert_each_alone(objective, by_path, owners)
  local state = bnn.optim.groups(by_path):init(objective)
  local target = objective.posterior or objective.params
  local alone = {}
  for path, optimizer in pairs(by_path) do
    local copy = target:clone()
    alone[path] = {target = copy, state = optimizer:init(copy)}
  end
  for step = 1, 6 do
    local batch, k = {x = x, y = y}, key:fold(step)
    local gradient = objective:gradient(batch, k)
    for _, one in pairs(alone) do
      assert(one.state:update(one.target, gradient, nil, {key = k, data_size = N}))
    end
    assert(objective:step(state, batch, k))
  end
  local function buffers(of) return objective.posterior and of:buffers() or {{params = of}} end
  for path, names in pairs(owners) do
    local own = buffers(alone[path].target)
    for b, buffer in ipairs(buffers(target)) do
      for _, name in ipairs(names) do
        local got = buffer.params[name]
        if got then
          lu.assertTrue((got - own[b].params[name]):abs():max():item() < 1e-5, path .. " " .. name)
        end
      end
    end
  end
end

local FIRST, REST = {"mlp/linear_0/w", "mlp/linear_0/b"}, {"mlp/linear_1/w", "log_sigma"}

function TestSteps.test_each_tensor_is_updated_by_its_own()
  for _, opts in ipairs{{}, {num_samples = 3}, {shards = 2}} do
    assert_each_alone(point_objective(opts),
      {["mlp/linear_0"] = bnn.optim.adam{lr = 0.01}, default = bnn.optim.sgd{momentum = 0.5}},
      {["mlp/linear_0"] = FIRST, default = REST})
    assert_each_alone(elbo(opts),
      {["mlp/linear_0"] = bnn.optim.adam{lr = 0.01}, default = bnn.optim.rmsprop{}},
      {["mlp/linear_0"] = FIRST, default = REST})
  end
end

-- The noise of a sampler is the element's, whoever updates its neighbours.
function TestSteps.test_samplers_draw_what_they_would_alone()
  assert_each_alone(point_objective(),
    {["mlp/linear_0"] = bnn.sampler.sghmc{lr = 1e-3}, default = bnn.sampler.sgld{lr = 1e-3}},
    {["mlp/linear_0"] = FIRST, default = REST})
end

-- Two optimizers that are the same do what one does, to the last bit.
function TestSteps.test_equal_optimizers_are_one()
  local function adam() return bnn.optim.adam{lr = 0.01} end
  for _, opts in ipairs{{}, {num_samples = 2}} do
    for _, clip in ipairs{{}, {clip_norm = 0.2, clip_value = 0.05}} do
      local one, several = elbo(opts), elbo(opts)
      train(one, bnn.optim.adam{lr = 0.01, clip_norm = clip.clip_norm,
                                clip_value = clip.clip_value})
      train(several, bnn.optim.groups({["mlp/linear_0/b"] = adam(), default = adam()}, clip))
      bits.assert_same(several.posterior.mu, one.posterior.mu)
      bits.assert_same(several.posterior.logvar, one.posterior.logvar)
    end
  end
end

-- Beside a noise that stays where it is, IVON is what it is with a noise that is given.
function TestSteps.test_ivon_with_a_learned_noise()
  local function ivon() return bnn.optim.ivon{lr = 0.05, h0 = 1} end
  for _, opts in ipairs{{}, {num_samples = 2}} do
    local learned = elbo(opts)
    train(learned, bnn.optim.groups{log_sigma = bnn.optim.adam{lr = 0}, default = ivon()})
    local mlp, params = bnn.nn.mlp{7, 1}, {}
    for i, entry in ipairs(bnn.nn.mlp{7, 1}:init(key, x):names()) do
      params[i] = {name = entry, shape = start[entry]:shape()}
    end
    params = bnn.params.new(bnn.params.layout(params), start.flat:narrow(1, 1, 36):clone())
    local given = bnn.elbo{net = mlp, posterior = bnn.posterior.meanfield(params, {logvar = -4}),
                           likelihood = bnn.likelihood.gaussian{sigma = 1}, data_size = N,
                           num_samples = opts.num_samples}
    train(given, ivon())
    local miss = learned.posterior.mu.flat:narrow(1, 1, 36) - given.posterior.mu.flat
    lu.assertTrue(miss:abs():max():item() < 1e-4)
    miss = learned.posterior.logvar.flat - given.posterior.logvar.flat
    lu.assertTrue(miss:abs():max():item() < 1e-4)
    lu.assertTrue((given.posterior.logvar.flat + 4):abs():max():item() > 1e-3) -- it moved
    lu.assertEquals(learned.posterior.mu.log_sigma:item(), 0)
  end
end

-- A posterior in Lua has tensors of its buffers; a path is that of the weights.
function TestSteps.test_of_a_posterior_of_ones_own()
  local gaussian = bnn.posterior.define{
    name = "groups_gaussian", buffers = {mu = "params", rho = -3},
    sample = function(phi, k)
      local w = {}
      for name, mu in pairs(phi.mu) do
        w[name] = mu + phi.rho[name]:softplus() * bnn.randn_like(mu, k:fold(name))
      end
      return w
    end,
    kl = function(phi) return (phi.mu.flat ^ 2):sum() end,
  }
  local made = gaussian(start)
  local objective = bnn.elbo{net = net, likelihood = noisy, data_size = N, posterior = made}
  local before = made:clone()
  local state = train(objective, bnn.optim.groups{log_sigma = bnn.optim.sgd{lr = 0},
                                                  default = bnn.optim.adam{}})
  bits.assert_same(made.mu.log_sigma, before.mu.log_sigma)
  bits.assert_same(made.rho.log_sigma, before.rho.log_sigma)
  bits.assert_differ(made.rho["mlp/linear_1/w"], before.rho["mlp/linear_1/w"])
  lu.assertEquals(#state:state_dict().of, 10)
end

function TestSteps.test_same_bits_on_any_number_of_threads_and_side_by_side()
  local before, want = bnn.threads(), nil
  local function fit(k)
    local objective = elbo()
    train(objective, bnn.optim.groups{log_sigma = bnn.optim.adam{}, default = bnn.optim.ivon{}},
      {key = k})
    return objective.posterior:mean()
  end
  for threads = 1, 3 do
    bnn.threads(threads)
    local mean = fit(key)
    want = want or mean
    bits.assert_same(mean, want)
  end
  bnn.threads(before)
  local keys = {}
  local q = bnn.ensemble{members = 2, threads = 2, key = key, fit = function(k, i)
    keys[i] = k
    return fit(k)
  end}
  for i = 1, 2 do bits.assert_same(q.bank[i], fit(keys[i])) end
end

TestStates = {}

local function some_groups(lr)
  return bnn.optim.groups({log_sigma = bnn.optim.adam{lr = lr or 5e-3},
                           default = bnn.sampler.psgld{lr = 1e-3, burn_in = 5}}, {clip_norm = 3})
end

function TestStates.test_what_it_says_of_itself()
  local state = some_groups(bnn.schedule.cosine{from = 1, steps = 11}):init(point_objective())
  lu.assertEquals(tostring(state.optimizer), "groups{default=psgld{lr=0.001, alpha=0.99, "
    .. "lambda=1e-05, burn_in=5}, log_sigma=adam{lr=schedule, b1=0.9, b2=0.999, eps=1e-08}, "
    .. "clip_norm=3}")
  lu.assertEquals(state:rate(1), {default = 1e-3, log_sigma = 1})
  lu.assertAlmostEquals(state:rate(6).log_sigma, 0.5, 1e-9)
  lu.assertEquals(state:noise(1), {default = 1, log_sigma = 1})
  lu.assertEquals(state.optimizer:burn_in(), 5)
  lu.assertEquals(state:steps(), 0)
end

function TestStates.test_a_collector_begins_after_the_burn_in_of_its_sampler()
  local state = train(point_objective(), some_groups(), {collect = bnn.collect.samples{}})
  lu.assertEquals(state:posterior():support(), 7)
end

function TestStates.test_it_is_made_again_from_its_record_and_copied()
  local objective = point_objective()
  local state = train(objective, some_groups())
  local again = point_objective{params = objective.params:clone()}
  local record = state:state_dict()
  lu.assertEquals({record.name, record.size, #record.moments, record.options},
    {"groups", 37, 3, {clip_norm = 3}})
  lu.assertEquals(record.of, {1, 1, 1, 1, 2})
  local copy, made = state:clone(), bnn.optim.from_state_dict(record)
  lu.assertEquals(tostring(made), tostring(state))
  local function step(of, s) assert(of:step(s, {x = x, y = y}, key)) end
  step(objective, state)
  step(again, made)
  bits.assert_same(again.params, objective.params)
  lu.assertEquals({copy:steps(), state:steps()}, {12, 13})
  record.of[1] = 3
  raises("expected a rule of 2, got 3", bnn.optim.from_state_dict, record)
  record.of[1], record.groups[1].size = 1, 35
  raises("moment 1: expected", bnn.optim.from_state_dict, record)
end

function TestStates.test_it_goes_on_with_other_rates_alone()
  local state = train(point_objective(), some_groups())
  state:set_optimizer(some_groups(0.5))
  lu.assertEquals(state:rate(1).log_sigma, 0.5)
  raises("state:set_optimizer: expected groups{", state.set_optimizer, state,
    bnn.optim.groups({default = bnn.sampler.psgld{lr = 1e-3, burn_in = 5}}, {clip_norm = 3}))
  raises("state:set_optimizer: expected groups{", state.set_optimizer, state, bnn.optim.adam{})
  raises("state:set_optimizer: expected adam{", function()
    bnn.optim.adam{}:init(start):set_optimizer(some_groups())
  end)
end

function TestStates.test_a_resumed_training_has_the_same_bits()
  local path = os.tmpname()
  os.remove(path)
  local function run(steps, checkpoint, lr)
    local objective = elbo()
    local rate = bnn.schedule.cosine{from = lr or 0.1, steps = 40}
    train(objective, bnn.optim.groups({log_sigma = bnn.optim.adam{lr = rate},
                                       default = bnn.optim.ivon{}}, {clip_value = 1}),
      {steps = steps, checkpoint = checkpoint})
    return objective.posterior
  end
  local whole = run(20)
  run(8, {path = path})
  local resumed = run(20, {path = path, resume = true})
  bits.assert_same(resumed.mu, whole.mu)
  bits.assert_same(resumed.logvar, whole.logvar)
  raises({"lr at step 20: {default=0.2, log_sigma=", "in the checkpoint"}, run, 24,
    {path = path, resume = true}, 0.7)
  os.execute("rm -r " .. path)
end

TestRefused = {}

function TestRefused.test_what_is_no_group()
  local groups, adam = bnn.optim.groups, bnn.optim.adam{}
  raises("bnn.optim.groups: expected a table by path", groups, adam)
  raises("bnn.optim.groups: expected a table by path", groups, {adam})
  raises("bnn.optim.groups: expected a table by path", groups, {})
  raises("bnn.optim.groups: 'w': expected an optimizer", groups, {w = 1e-3})
  raises("bnn.optim.groups: 'w': expected one optimizer, got groups", groups,
    {w = groups{default = adam}})
  raises("expected clip_norm= and clip_value= beside the paths", groups,
    {w = bnn.optim.adam{clip_norm = 1}})
  raises("unknown option 'clip'", groups, {w = adam}, {clip = 1})
  local own = bnn.optim.define{name = "groups_own", update = function(w, g) return w - g, {} end}
  raises("whose update is recorded for all parameters at once", groups, {w = own{}})
  local many = {default = adam}
  for i = 1, 8 do many["w" .. i] = bnn.optim.adam{} end
  raises("bnn.optim.groups: expected 1 to 8 optimizers, got 9", groups, many)
  for i = 1, 8 do many["w" .. i] = adam end
  lu.assertEquals(#groups(many).members, 1) -- one optimizer counts once
end

function TestRefused.test_tensors_that_do_not_fit()
  local adam, ivon = bnn.optim.adam{}, bnn.optim.ivon{}
  local function init(by_path, target)
    local optimizer = bnn.optim.groups(by_path)
    return function() return optimizer:init(target or start) end
  end
  raises("groups names 'mlp/linear_2', which the parameters lack: did you mean", init{
    ["mlp/linear_2"] = adam, default = adam})
  raises("groups has nothing for 'log_sigma': default = is for the rest", init{mlp = adam})
  raises({"optimizer:init of ivon: expected a meanfield posterior over all its tensors, got ",
          "points too: 'log_sigma'"}, init({["mlp/linear_0"] = adam, default = ivon}, elbo()))
  raises("expected a meanfield posterior over all its tensors, got a point posterior", init{
    log_sigma = adam, default = ivon})
  raises("(bnn.optim.groups has another optimizer for these)", ivon.init, ivon, elbo())
end

function TestRefused.test_steps_with_what_is_not_theirs()
  local objective = point_objective()
  local optimizer = bnn.optim.groups{log_sigma = bnn.optim.adam{}, default = bnn.optim.sgd{}}
  local state, batch = optimizer:init(objective), {x = x, y = y}
  raises("bnn.train: lr: expected none beside bnn.optim.groups", train, objective, optimizer,
    {lr = 0.1})
  raises("objective:step: lr: expected a table of numbers by path", objective.step, objective,
    state, batch, key, {lr = 0.1})
  raises("objective:step: lr: 'log_sigma': expected a number, got nil", objective.step,
    objective, state, batch, key, {lr = {default = 1}})
  local other = bnn.optim.groups{log_sigma = bnn.optim.adam{}, default = bnn.optim.sgd{}}
    :init(elbo())
  raises("the optimizer's state: expected", objective.step, objective, other, batch, key)
  local bad = {x = x, y = y * math.huge}
  local loss, message = objective:step(state, bad, key)
  lu.assertNil(loss)
  lu.assertStrContains(message, "the loss is")
  lu.assertEquals(state:steps(), 0)
end

os.exit(lu.LuaUnit.run())
