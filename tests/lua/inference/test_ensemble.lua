--- Ensembles: members trained side by side have the bits of members trained alone, on any number of
-- threads; what a fit raises ends all.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(5)
local net = bnn.nn.mlp{6, 3}
local x = bnn.randn(key:fold "x", 64, 4)
local y = (x:narrow(2, 1, 3)):argmax(2):to("i32") - bnn.ones(64):to("i32")
local data = bnn.data.from_tensors{x = x, y = y}

local function objective_of(own, posterior)
  local params = net:init(own:fold "init", x)
  local opts = {net = net, likelihood = "categorical", temperature = posterior and 1 or nil}
  if posterior then
    opts.posterior = bnn.posterior.meanfield(params)
  else
    opts.params = params
  end
  return bnn.objective(opts)
end

local function train(own)
  local objective = objective_of(own)
  bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 1e-2}, data = data,
            steps = 20, batch_size = 16, key = own}
  return objective
end

TestEnsemble = {}

function TestEnsemble.test_members_are_those_trained_alone_on_any_number_of_threads()
  local alone = {}
  for i = 1, 5 do alone[i] = train(key:fold("member"):fold(i)).params end
  local want = bnn.samples.stack(alone).flat
  for _, threads in ipairs{1, 2, 3, 5, 8} do
    local q = bnn.ensemble{members = 5, key = key, fit = train, threads = threads}
    bits.assert_same(q.bank.flat, want, threads .. " threads")
  end
end

-- Steps in a loop of one's own, of different lengths, with predictions in between.
function TestEnsemble.test_fits_may_loop_and_predict_as_they_like()
  local function fit(own, i)
    local objective = objective_of(own)
    local state = bnn.optim.sgd{lr = 0.1}:init(objective)
    for step = 1, 3 * i do
      assert(objective:step(state, {x = x, y = y}, own:fold(step)))
      if step % 4 == 0 then bnn.predict(objective, x, {key = own}) end
    end
    return objective.params
  end
  local one = bnn.ensemble{members = 3, key = key, fit = fit, threads = 1}
  local two = bnn.ensemble{members = 3, key = key, fit = fit, threads = 2}
  bits.assert_same(one.bank.flat, two.bank.flat)
  lu.assertNotEquals(one.bank[1].flat[1], one.bank[2].flat[1])
end

function TestEnsemble.test_members_that_are_posteriors_give_draws()
  local function fit(own)
    local objective = objective_of(own, true)
    bnn.train{objective = objective, optimizer = bnn.optim.adam{}, data = data, steps = 5,
              batch_size = 16, key = own}
    return objective
  end
  local q = bnn.ensemble{members = 2, key = key, fit = fit, num_samples = 7}
  lu.assertEquals(q:support(), 14)
  local first = fit(key:fold("member"):fold(1)).posterior
  bits.assert_same(q.bank[3], first:sample(key:fold("member"):fold(1):fold("eps"):fold(3)))
end

function TestEnsemble.test_members_that_are_posteriors_are_a_mixture()
  local function fit(own, i) return objective_of(own, i < 3) end
  local q = bnn.ensemble{members = 3, key = key, fit = fit}
  lu.assertEquals({q.family, #q.components, q:support()}, {"mixture", 3, nil})
  lu.assertEquals({q.components[1].family, q.components[3].family}, {"meanfield", "point"})
  local first = fit(key:fold("member"):fold(1), 1).posterior
  bits.assert_same(q:sample(key, 4), first:sample(key), "sample 4 is of member 1")
end

function TestEnsemble.test_it_predicts_with_all()
  local q = bnn.ensemble{members = 3, key = key, fit = train}
  local p = bnn.predict({net = net, posterior = q, likelihood = "categorical"}, x, {key = key})
  lu.assertEquals(p.num_samples, 3)
  lu.assertTrue(p.mutual_information:min():item() >= 0)
end

TestFaults = {}

function TestFaults.test_what_a_fit_raises_ends_all()
  local closed, steps = 0, 0
  local function fit(own, i)
    local _ <close> = setmetatable({}, {__close = function() closed = closed + 1 end})
    local objective = objective_of(own)
    local state = bnn.optim.sgd{}:init(objective)
    for step = 1, 50 do
      objective:step(state, {x = x, y = y}, own:fold(step))
      steps = steps + 1
      if i == 2 and step == 3 then error "member 2 has had enough" end
    end
    return objective
  end
  raises("member 2 has had enough", bnn.ensemble,
    {members = 3, key = key, fit = fit, threads = 2})
  lu.assertEquals(closed, 3)
  lu.assertTrue(steps < 50)
end

function TestFaults.test_misuse_within_a_step_is_the_fits_own()
  local function fit(own, i)
    local objective = objective_of(own)
    local state = bnn.optim.sgd{}:init(i == 2 and bnn.nn.linear(2):init(own, x) or objective)
    local ok, message = pcall(objective.step, objective, state, {x = x, y = y}, own)
    lu.assertEquals(ok, i ~= 2)
    if i == 2 then lu.assertStrContains(message, "state: expected 51 elements, got 10") end
    return objective
  end
  lu.assertEquals(bnn.ensemble{members = 3, key = key, fit = fit}:support(), 3)
end

function TestFaults.test_a_loss_that_is_not_a_number_comes_back()
  local function fit(own)
    local objective = objective_of(own)
    local state = bnn.optim.sgd{}:init(objective)
    local loss, message = objective:step(state, {x = x * math.huge, y = y}, own)
    lu.assertNil(loss)
    lu.assertStrContains(message, "the loss is nan")
    return objective
  end
  bnn.ensemble{members = 2, key = key, fit = fit}
end

function TestFaults.test_an_objective_makes_one_step_at_a_time()
  local shared = objective_of(key)
  local state = bnn.optim.sgd{}:init(shared)
  local function fit(own)
    for step = 1, 20 do shared:step(state, {x = x, y = y}, own:fold(step)) end
    return shared
  end
  raises("the objective is in another step", bnn.ensemble,
    {members = 2, key = key, fit = fit, threads = 2})
end

function TestFaults.test_members_share_no_state_and_no_params()
  local first, params = objective_of(key), net:init(key, x)
  local state = bnn.optim.sgd{}:init(first)
  local function fit(of_fit)
    return function(own)
      local objective, own_state = of_fit(own)
      for step = 1, 20 do objective:step(own_state, {x = x, y = y}, own:fold(step)) end
      return objective
    end
  end
  raises("the optimizer's state is in another step", bnn.ensemble, {
    members = 2, key = key, threads = 2,
    fit = fit(function(own) return objective_of(own), state end),
  })
  raises("the posterior or params are in another step", bnn.ensemble, {
    members = 2, key = key, threads = 2,
    fit = fit(function()
      local objective = bnn.objective{net = net, params = params, likelihood = "categorical"}
      return objective, bnn.optim.sgd{}:init(objective)
    end),
  })
end

function TestFaults.test_refusals()
  raises("expected params, a posterior, or an objective or model with one of them for member 1",
    bnn.ensemble, {members = 2, key = key, fit = function() return 7 end})
  raises("fit: expected a function, got nothing", bnn.ensemble, {key = key})
  raises("key: expected a key, got nothing", bnn.ensemble, {fit = train})
  raises("expected 1 networks of each member, as of the first, got 20 of member 2", bnn.ensemble,
    {members = 2, key = key, num_samples = 20,
     fit = function(own, i) return objective_of(own, i == 2) end})
end

os.exit(lu.LuaUnit.run())
