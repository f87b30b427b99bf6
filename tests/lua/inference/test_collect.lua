--- Collectors of cyclical trainings: snapshots at the end of each cycle, samples of the part of a
-- cycle in which a sampler samples, averages; the noise that a cycle draws.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(23)
local net = bnn.nn.mlp{4, 3}
local x = bnn.randn(key:fold "x", 64, 5)
local y = (x:narrow(2, 1, 3)):argmax(2):to("i32") - bnn.ones(64):to("i32")
local data = bnn.data.from_tensors{x = x, y = y}
local start = net:init(key:fold "init", x)

-- Trains from the same start; returns the posterior that was collected, and the weights after each
-- step.
local function train(optimizer, steps, collect, opts)
  local list, params = {}, start:clone()
  local objective = bnn.objective{net = net, params = params, likelihood = "categorical",
                                  weight_decay = 1e-3}
  local train_opts = {objective = objective, optimizer = optimizer, data = data, steps = steps,
                      batch_size = 16, key = key, collect = collect,
                      on_step = function(step) list[step] = params:clone() end}
  for name, value in pairs(opts or {}) do train_opts[name] = value end
  local state = bnn.train(train_opts)
  return state:posterior(), list
end

local function assert_bank(q, list, steps)
  lu.assertEquals(q:support(), #steps)
  for i, step in ipairs(steps) do bits.assert_same(q.bank[i], list[step], "step " .. step) end
end

local PERIOD = 6
local cyclical = bnn.schedule.cyclical{period = PERIOD, from = 0.2}

TestSnapshots = {}

function TestSnapshots.test_are_the_weights_at_the_end_of_each_cycle()
  local optimizer = bnn.optim.sgd{lr = cyclical, momentum = 0.9}
  local q, list = train(optimizer, 4 * PERIOD + 3, bnn.collect.snapshots{period = PERIOD})
  assert_bank(q, list, {6, 12, 18, 24})
  q = train(optimizer, 4 * PERIOD + 3, bnn.collect.snapshots{period = PERIOD, keep = 2})
  assert_bank(q, list, {18, 24})
  lu.assertEquals(cyclical(7), 0.2)                      -- the rate rises again after one,
  lu.assertAlmostEquals(cyclical(6), 0.2 * (1 + math.cos(math.pi * 5 / 6)) / 2, 1e-12)
end

function TestSnapshots.test_they_predict_together_as_an_ensemble()
  local q = train(bnn.optim.sgd{lr = cyclical}, 3 * PERIOD, bnn.collect.snapshots{period = PERIOD})
  local p = bnn.predict({net = net, posterior = q, likelihood = "categorical"}, x, {key = key})
  lu.assertEquals(p.num_samples, 3)
  lu.assertTrue(p.mutual_information:max():item() > 0)
end

function TestSnapshots.test_burn_in_is_left_out_whole()
  local sampler = bnn.sampler.psgld{lr = 1e-3, burn_in = 8}
  local q, list = train(sampler, 20, bnn.collect.samples{period = PERIOD, from = 2, every = 3})
  assert_bank(q, list, {11, 14, 17, 20}) -- 2, 5, 8 are burn-in
end

TestCycles = {}

-- Half of a cycle without noise, in which SGLD is gradient descent; half with it.
function TestCycles.test_no_noise_while_a_cycle_explores()
  local noise = bnn.schedule.cyclical{period = PERIOD,
                                      of = bnn.schedule.piecewise{{1, 0}, {PERIOD // 2 + 1, 1}}}
  local sampler = bnn.sampler.sgld{lr = cyclical, noise = noise}
  local collect = bnn.collect.samples{period = PERIOD, from = PERIOD // 2 + 1}
  local q, list = train(sampler, 2 * PERIOD, collect)
  assert_bank(q, list, {4, 5, 6, 10, 11, 12})
  local _, descent = train(bnn.optim.sgd{lr = cyclical, momentum = 0}, PERIOD, collect)
  for step = 1, 3 do
    local miss = (list[step].flat - descent[step].flat):abs():max():item()
    lu.assertTrue(miss < 1e-5, "step " .. step)
  end
  lu.assertTrue((list[4].flat - descent[4].flat):abs():max():item() > 1e-3)
end

function TestCycles.test_averages_and_swag_of_cycle_ends()
  local optimizer = bnn.optim.sgd{lr = cyclical}
  local at_ends = {period = PERIOD, from = PERIOD}
  local average, list = train(optimizer, 3 * PERIOD, bnn.collect.average(at_ends))
  local want = (list[6].flat + list[12].flat + list[18].flat) / 3
  lu.assertTrue((average.mu.flat - want):abs():max():item() < 1e-6)
  local swag = train(optimizer, 3 * PERIOD, bnn.collect.swag(at_ends))
  lu.assertTrue((swag.mu.flat - want):abs():max():item() < 1e-6)
  lu.assertEquals(#swag.deviation, 3)
end

-- Of every step, against the sum of all weights: 15 of some 1 in float.
function TestCycles.test_swa_is_the_plain_average()
  local q, list = train(bnn.optim.adam{lr = 1e-2}, 40, bnn.collect.average{from = 11, every = 2})
  local sum = bnn.zeros(start:numel())
  for step = 11, 40, 2 do sum = sum + list[step].flat end
  local miss = (q.mu.flat - sum / 15):abs():max():item()
  lu.assertTrue(miss < 1e-6, miss)
  lu.assertEquals(q.family, "point")
end

TestResuming = {}

function TestResuming.test_cycles_go_on_where_they_were()
  local path = os.tmpname()
  os.remove(path)
  local optimizer = bnn.optim.sgd{lr = cyclical, momentum = 0.9}
  local collect = bnn.collect.snapshots{period = PERIOD, keep = 3}
  local whole = train(optimizer, 26, collect)
  train(optimizer, 15, collect, {checkpoint = {path = path}})
  local resumed = train(optimizer, 26, collect, {checkpoint = {path = path, resume = true}})
  bits.assert_same(resumed.bank.flat, whole.bank.flat)
  raises("collect: samples{from=6, every=1, keep=3, period=6} in the checkpoint", train, optimizer,
    26, bnn.collect.snapshots{period = 5, keep = 3}, {checkpoint = {path = path, resume = true}})
  os.execute("rm -r " .. path)
end

-- A noise that is a function is no number in a file: what resumes has to give it.
function TestResuming.test_a_noise_of_the_step_is_given_again()
  local sampler = bnn.sampler.sgld{lr = 1e-3, noise = function(step) return step % 2 end}
  local objective = bnn.objective{net = net, params = start:clone(), likelihood = "categorical",
                                  data_size = 64}
  local record = sampler:init(objective):state_dict()
  lu.assertNil(record.options.noise)
  local state = bnn.optim.from_state_dict(record)
  raises("noise: the noise was a function of the step", objective.step, objective, state,
    {x = x, y = y}, key)
  state:set_optimizer(sampler)
  lu.assertEquals({state:noise(1), state:noise(2)}, {1, 0})
  lu.assertNotNil(objective:step(state, {x = x, y = y}, key))
end

TestFaults = {}

function TestFaults.test_refusals()
  raises("bnn.collect.snapshots: period: expected an integer, got nothing", bnn.collect.snapshots,
    {keep = 2})
  raises("bnn.collect.samples: from: expected a step of the cycle, at most period = 5, got 6",
    bnn.collect.samples, {period = 5, from = 6})
  raises("unknown option 'cycles'", bnn.collect.snapshots, {period = 5, cycles = 2})
  raises("expected steps from 6 of a cycle of 6 on, after which the collector collects, got none",
    train, bnn.optim.sgd{}, 5, bnn.collect.snapshots{period = 6})
end

os.exit(lu.LuaUnit.run())
