--- Optimizers: Adam and SGD against their formulas, schedules, states, what is refused.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local core = require "bnn.core"

local raises = bits.raises
local key = bnn.key(2)

-- Ten steps on w [4] with gradients that change, by state:update and by a rule in plain Lua.
local function assert_follows(optimizer, rule)
  local w = bnn.tensor{1, -2, 3, 0}
  local params = bnn.params.new(bnn.params.layout{{name = "w", shape = {4}}}, w)
  local state = optimizer:init(params)
  local mine = w:totable()
  for t = 1, 10 do
    local g = bnn.randn(key:fold(t), 4)
    state:update(params, g)
    for i, gi in ipairs(g:totable()) do mine[i] = mine[i] - rule(i, gi, t) end
  end
  lu.assertEquals(state:steps(), 10)
  lu.assertAlmostEquals(params.w:totable(), mine, 1e-5)
end

TestRules = {}

function TestRules.test_adam_is_its_formula()
  for _, o in ipairs{{}, {lr = 0.1}, {lr = 0.05, b1 = 0.5, b2 = 0.9, eps = 1e-3}} do
    local lr, b1, b2, eps = o.lr or 1e-3, o.b1 or 0.9, o.b2 or 0.999, o.eps or 1e-8
    local m, v = {0, 0, 0, 0}, {0, 0, 0, 0}
    assert_follows(bnn.optim.adam(o), function(i, g, t)
      m[i], v[i] = b1 * m[i] + (1 - b1) * g, b2 * v[i] + (1 - b2) * g * g
      return lr * (m[i] / (1 - b1 ^ t)) / (math.sqrt(v[i] / (1 - b2 ^ t)) + eps)
    end)
  end
end

function TestRules.test_sgd_with_momentum_is_torchs()
  for _, momentum in ipairs{0, 0.9} do
    local buffer = {}
    assert_follows(bnn.optim.sgd{lr = 0.1, momentum = momentum}, function(i, g)
      buffer[i] = buffer[i] and momentum * buffer[i] + g or g
      return 0.1 * buffer[i]
    end)
  end
end

function TestRules.test_lr_may_be_a_function_of_the_step()
  assert_follows(bnn.optim.sgd{lr = function(step) return 1 / step end}, function(_, g, t)
    return g / t
  end)
  local state = bnn.optim.adam{lr = bnn.schedule.linear{from = 1, to = 0, steps = 11}}:init(
    bnn.nn.linear(2):init(key, bnn.zeros(1, 3)))
  lu.assertAlmostEquals({state:rate(1), state:rate(6), state:rate(11)}, {1, 0.5, 0}, 1e-12)
end

function TestRules.test_update_takes_params_or_flat_tensors_and_an_lr_of_its_own()
  local p = bnn.nn.linear(2):init(key, bnn.zeros(1, 3))
  local want, g = p.flat - 0.5, p:map(function(t) return t * 0 + 1 end)
  bnn.optim.sgd{lr = 9}:init(p):update(p, g, 0.5)
  bits.assert_same(p.flat, want)
  bnn.optim.sgd{lr = 0.5}:init(p):update(p.flat, g.flat)
  bits.assert_same(p.flat, want - 0.5)
end

function TestRules.test_a_loop_of_ones_own_fits_a_line()
  local x = bnn.randn(key, 64, 2)
  local y = x:mm(bnn.tensor{{2}, {-1}}) + 0.5
  local net = bnn.nn.linear(1)
  local p = net:init(key:fold "init", x)
  local function mse(q) return (net:apply(q, x) - y):square():mean() end
  local f = bnn.compile(bnn.value_and_grad(mse))
  local state = bnn.optim.adam{lr = 0.05}:init(p)
  for _ = 1, 400 do
    local _, gradient = f(p)
    state:update(p, gradient)
  end
  lu.assertTrue(mse(p):item() < 1e-4)
  lu.assertAlmostEquals(p["linear/w"]:reshape(2):totable(), {2, -1}, 0.02)
  lu.assertAlmostEquals(p["linear/b"]:item(), 0.5, 0.02)
end

TestStates = {}

function TestStates.test_a_clone_is_independent()
  local function fresh() return bnn.nn.linear(2):init(key, bnn.zeros(1, 3)) end
  local p, g = fresh(), bnn.randn(key, 8)
  local state = bnn.optim.adam{lr = 0.1}:init(p)
  state:update(p, g)
  local copy, q = state:clone(), p:clone()
  state:update(p, g * 2)
  state:update(p, g * 3)
  lu.assertEquals({state:steps(), copy:steps()}, {3, 1})
  copy:update(q, g * 2)
  copy:update(q, g * 3)
  bits.assert_same(p, q)
end

function TestStates.test_a_state_is_made_again_from_its_record()
  for _, optimizer in ipairs{bnn.optim.adam{lr = 0.1, eps = 1e-3}, bnn.optim.sgd{momentum = 0.5}} do
    local p = bnn.nn.linear(2):init(key, bnn.zeros(1, 3))
    local state = optimizer:init(p)
    state:update(p, bnn.randn(key, 8))
    local copy, q = bnn.optim.from_state_dict(state:state_dict()), p:clone()
    lu.assertEquals({copy:steps(), tostring(copy.optimizer)}, {1, tostring(optimizer)})
    state:update(p, bnn.ones(8))
    copy:update(q, bnn.ones(8))
    bits.assert_same(p, q)
  end
end

function TestStates.test_a_record_holds_no_schedule()
  local p = bnn.nn.linear(2):init(key, bnn.zeros(1, 3))
  local record = bnn.optim.sgd{lr = function() return 1 end}:init(p):state_dict()
  lu.assertNil(record.options.lr)
  local state = bnn.optim.from_state_dict(record)
  raises("the learning rate was a function of the step", state.update, state, p, bnn.ones(8))
  state:update(p, bnn.ones(8), 0.1)
  lu.assertEquals(state:steps(), 1)
end

function TestStates.test_old_names_say_the_new_ones()
  local state = bnn.optim.adam():init(bnn.nn.linear(2):init(key, bnn.zeros(1, 3)))
  raises("state:record is now state:state_dict", function() return state:record() end)
  raises("bnn.optim.restore is now bnn.optim.from_state_dict", function()
    return bnn.optim.restore(state:state_dict())
  end)
end

function TestStates.test_records_that_will_not_do()
  local function record(changes)
    local made = bnn.optim.adam():init(bnn.nn.linear(2):init(key, bnn.zeros(1, 3))):state_dict()
    for k, v in pairs(changes) do made[k] = v end
    return made
  end
  for words, changes in pairs{
    ["expected one of adam, adamw, ivon, lion, rmsprop, sgd, adaptive_sghmc, psgld, sghmc, sgld, "
       .. "got 'restore'"] = {name = "restore"},
    ["lr: expected a number in"] = {options = {lr = -1}},
    ["expected " .. core.real .. " [9]"] = {size = 9}, ["steps: expected"] = {steps = -1},
    ["moments: expected 2 of adam, got 1"] = {moments = {bnn.zeros(8)}},
    ["got i32 [8]"] = {moments = {bnn.zeros(8), bnn.zeros({8}, "i32")}},
    ["moment 1: expected " .. core.real .. " [8], got"] = {moments = {bnn.zeros(2, 4)}},
    ["unknown option 'extra'"] = {extra = 1},
  } do
    raises({"bnn.optim.", words}, bnn.optim.from_state_dict, record(changes))
  end
end

function TestStates.test_init_takes_params_posteriors_and_objectives()
  local net, x = bnn.nn.linear(2), bnn.randn(key, 4, 3)
  local p = net:init(key, x)
  local q = bnn.posterior.meanfield(p)
  local objective = bnn.elbo{net = net, posterior = q, beta = 1}
  local adam = bnn.optim.adam{}
  adam:init(p):update(p, bnn.zeros(8))
  local batch = {x = x, y = bnn.zeros({4}, "i32")}
  lu.assertNotNil(objective:step(adam:init(q), batch, key))
  lu.assertNotNil(objective:step(adam:init(objective), batch, key))
  raises("expected 16 elements, got 8", objective.step, objective, adam:init(p), batch, key)
  for _, bad in ipairs{{}, 3, net, x} do
    raises("expected an objective, a posterior or params", adam.init, adam, bad)
  end
  raises("got nil", adam.init, adam)
end

function TestStates.test_text_shows_the_options()
  lu.assertEquals(tostring(bnn.optim.adam{lr = 0.01}), "adam{lr=0.01, b1=0.9, b2=0.999, eps=1e-08}")
  lu.assertStrContains(tostring(bnn.optim.sgd{lr = function() return 1 end}), "sgd{lr=schedule, ")
end

function TestStates.test_refusals()
  local adam, sgd = bnn.optim.adam, bnn.optim.sgd
  local rows = {
    {"did you mean 'lr'", adam, {lrr = 1}},
    {"known are b1, b2, clip_norm, clip_value, eps, lr", adam, {weight = 1}},
    {"bnn.optim.adam: lr: expected a number in [0, inf), got -1", adam, {lr = -1}},
    {"bnn.optim.adam: b1: expected a number in [0, 1), got 1", adam, {b1 = 1}},
    {"b2: expected a number in [0, 1), got -0.1", adam, {b2 = -0.1}},
    {"momentum: expected a number in", sgd, {momentum = -1}},
    {"lr: expected a number or a function of the step", adam, {lr = "a"}},
    {"a finite number", sgd, {momentum = 1 / 0}}, {"got 3", adam, 3},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(function()
      local made = row[2](row[3])
      return made
    end)
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
    lu.assertStrContains(message, "test_optim.lua:", false, "row " .. i)
  end
  local p = bnn.nn.linear(2):init(key, bnn.zeros(1, 3))
  local state = adam{lr = function(step) return step < 2 and "fast" or -1 end}:init(p)
  raises("lr: expected a number from its function at step 1, got a string", state.update,
    state, p, p)
  raises("expected 8 elements, got 7", state.update, state, p, bnn.zeros(7), 0.1)
  raises("lr: expected a number in [0, inf), got -3", state.update, state, p, p, -3)
  lu.assertEquals(state:steps(), 0)
end

os.exit(lu.LuaUnit.run())
