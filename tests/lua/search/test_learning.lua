--- Samplers that learn: TPE, CMA-ES and GP as functions of the history, and the Pareto set.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. arg[0]:match "^.*/" .. "?.lua;" .. package.path
local lu = require "luaunit"
local bits = require "bits"
local bnn = require "bnn"
local bounded_bfgs = require "bnn.search.methods.bounded_bfgs"
local cma = require "bnn.search.methods.cma"
local expected_improvement = require "bnn.search.methods.expected_improvement"
local gp = require "bnn.search.methods.gp"
local normal_mass = require "bnn.search.methods.normal_mass"
local pareto = require "bnn.search.methods.pareto"
local parzen = require "bnn.search.methods.parzen"
local symmetric_eigen = require "bnn.search.methods.symmetric_eigen"

local search, space = bnn.search, bnn.space
local LEARNING = {"tpe", "cmaes", "gp"}

local function mixed()
  return space{lr = space.log(1e-4, 1e-1), n = space.integer(1, 8), opt = {"adam", "sgd"},
    momentum = space.conditional("opt", "sgd", space.uniform(0, 1)), drop = "range:0:0.5:0.1"}
end

local function loss_of(cfg)
  return (math.log(cfg.lr, 10) + 2.5) ^ 2 + math.abs(cfg.n - 6) / 4 + (cfg.momentum or 0.4)
end

-- A sweep of n trials one after the other; `state_of` may say how one ended. With `quick` all are
-- random.
local function sweep(sampler, n, f, state_of, quick)
  local history, proposer = {}, quick and search.random(sampler.space, {key = 99}) or sampler
  for number = 1, n do
    local cfg = proposer:propose(number, history)
    local state = state_of and state_of(number) or "completed"
    history[number] = {number = number, config = cfg, state = state, value = f(cfg),
                       reports = {{1, f(cfg) + 1}, {2, f(cfg)}}}
  end
  return history
end

local function endings(number)
  return number % 7 == 3 and "pruned" or number % 11 == 5 and "failed" or "completed"
end

TestPurity = {}

function TestPurity.test_proposals_follow_from_key_number_and_history_in_any_order()
  for _, name in ipairs(LEARNING) do
    local sampler = search[name](mixed(), {key = 3})
    local history = sweep(sampler, 24, loss_of, endings, true)
    local shuffled = {}
    for i = 1, 24 do shuffled[i] = history[(i * 7) % 24 + 1] end
    local resumed = search.sampler(tostring(sampler), mixed(), {key = 3})
    for _, number in ipairs{25, 12} do
      local cfg = sampler:propose(number, history)
      lu.assertEquals(resumed:propose(number, shuffled), cfg, name)
      lu.assertTrue(sampler.space:check(cfg))
    end
    lu.assertTrue(sampler.learns)
    lu.assertNotEquals(search[name](mixed(), {key = 4}):propose(25, history),
      sampler:propose(25, history))
  end
end

function TestPurity.test_a_sweep_that_was_cut_proposes_the_same_again()
  for _, name in ipairs(LEARNING) do
    local whole = sweep(search[name](mixed(), {key = 5}), 18, loss_of, endings)
    local resumed = search[name](mixed(), {key = 5})
    for number = 1, 18 do
      local before = table.move(whole, 1, number - 1, 1, {})
      lu.assertEquals(resumed:propose(number, before), whole[number].config, name .. number)
    end
  end
end

function TestPurity.test_the_trial_itself_in_the_history_changes_nothing()
  for _, name in ipairs(LEARNING) do
    local sampler = search[name](mixed(), {key = 3})
    local history = sweep(sampler, 15, loss_of, nil, true)
    local cfg = sampler:propose(16, history)
    history[16] = {number = 16, config = cfg, state = "running"}
    lu.assertEquals(sampler:propose(16, history), cfg)
  end
end

function TestPurity.test_maximising_the_negative_is_minimising()
  for _, name in ipairs(LEARNING) do
    local least = sweep(search[name](mixed(), {key = 6}), 16, loss_of)
    local most = sweep(search[name](mixed(), {key = 6, mode = "max"}), 16,
      function(cfg) return -loss_of(cfg) end)
    for number = 1, 16 do lu.assertEquals(most[number].config, least[number].config, name) end
  end
end

function TestPurity.test_failures_and_nan_are_survived()
  for _, name in ipairs(LEARNING) do
    local sampler = search[name](mixed(), {key = 6})
    for what, f in pairs{
      nan = function() return 0 / 0 end, equal = function() return 1 end,
      infinite = function(cfg) return cfg.n > 4 and math.huge or cfg.n end,
      least = function(cfg) return cfg.n > 4 and -math.huge or 1e300 end,
    } do
      local history = sweep(sampler, 25, f, nil, true)
      lu.assertTrue(sampler.space:check(sampler:propose(26, history)), name .. what)
    end
    local history = sweep(sampler, 25, loss_of, function() return "failed" end, true)
    lu.assertTrue(sampler.space:check(sampler:propose(26, history)))
  end
end

function TestPurity.test_constraints_hold()
  local given = {a = space.uniform(0, 1), b = space.uniform(0, 1),
                 function(cfg) return cfg.a + cfg.b > 1.2 end}
  for _, name in ipairs(LEARNING) do
    local sampler = search[name](given, {key = 2})
    for _, trial in ipairs(sweep(sampler, 18, function(cfg) return cfg.a + cfg.b end)) do
      lu.assertTrue(trial.config.a + trial.config.b > 1.2, name)
    end
  end
end

TestSearching = {}

function TestSearching.test_it_finds_a_bowl_and_random_search_does_not()
  local bowl = space{x = space.uniform(-5, 5), y = space.log(1e-3, 1e3)}
  local function f(cfg) return (cfg.x - 2) ^ 2 + (math.log(cfg.y, 10) + 1) ^ 2 end
  local function best(name)
    local list = {}
    for key = 1, 5 do
      local least, count = math.huge, name == "gp" and 18 or 50
      for _, trial in ipairs(sweep(search[name](bowl, {key = key}), count, f)) do
        least = math.min(least, trial.value)
      end
      list[key] = least
    end
    table.sort(list)
    return list[3]
  end
  local random = best "random"
  for _, name in ipairs(LEARNING) do
    local found = best(name)
    lu.assertTrue(found < random / 2, ("%s: %g, random: %g"):format(name, found, random))
  end
end

function TestSearching.test_a_running_trial_keeps_others_away()
  -- The best of 12 trials at x = 0.3; where a proposal runs, the next goes elsewhere.
  local line, history = {x = space.uniform(0, 1)}, {}
  for i = 1, 12 do
    local x = (i - 0.5) / 12
    history[i] = {number = i, config = {x = x}, state = "completed", value = (x - 0.3) ^ 2}
  end
  for _, name in ipairs{"tpe", "gp"} do
    local with, without = 0, 0
    for key = 1, name == "gp" and 6 or 20 do
      local sampler = search[name](line, {key = key})
      history[13] = nil
      local first = sampler:propose(13, history).x
      without = without + math.abs(sampler:propose(14, history).x - first)
      for i = 13, 18 do
        history[i] = {number = i, config = {x = first}, state = "running"}
      end
      with = with + math.abs(sampler:propose(19, history).x - first)
      for i = 13, 18 do history[i] = nil end
    end
    lu.assertTrue(with > 1.3 * without, ("%s: %g, alone %g"):format(name, with, without))
  end
end

function TestSearching.test_pruned_trials_tell_tpe_where_not_to_go()
  local line, history = {x = space.uniform(0, 1)}, {}
  for i = 1, 40 do
    local x = (i - 0.5) / 40
    history[i] = {number = i, config = {x = x}, state = x > 0.5 and "pruned" or "completed",
                  value = 1, reports = {{1, 0}}}
  end
  local above = 0
  for key = 1, 50 do
    if search.tpe(line, {key = key}):propose(41, history).x > 0.5 then above = above + 1 end
  end
  lu.assertTrue(above < 15, above)
end

function TestSearching.test_tpe_follows_a_front_of_two_objectives()
  -- x in [0, 1] trades y against 1 - y; z off 0.5 is worse in both.
  local s = {x = space.uniform(0, 1), z = space.uniform(0, 1)}
  local sampler, history, off = search.tpe(s, {key = 1, mode = {"min", "max"}}), {}, 0
  for number = 1, 60 do
    local cfg = sampler:propose(number, history)
    local extra = (cfg.z - 0.5) ^ 2
    history[number] = {number = number, config = cfg, state = "completed",
                       values = {cfg.x + extra, cfg.x - extra}}
    if number > 40 then off = off + math.abs(cfg.z - 0.5) / 20 end
  end
  lu.assertTrue(off < 0.15, off) -- 0.25 at random
end

TestCma = {}

function TestCma.test_a_generation_waits_for_all_its_trials()
  local s = {a = space.uniform(0, 1), b = space.uniform(0, 1)}
  local sampler, history = search.cmaes(s, {key = 3}), {}
  local size = cma.population_size(2)
  lu.assertEquals(size, 6)
  for number = 1, size do
    history[number] = {number = number, config = sampler:propose(number, history),
                       state = "completed", value = number}
  end
  local learned = sampler:propose(7, history)
  history[2] = {number = 2, config = history[2].config, state = "running"}
  local first = sampler:propose(7, history)
  lu.assertNotEquals(first, learned)
  lu.assertEquals(first, sampler:propose(7, {}))
end

function TestCma.test_a_foreign_point_is_cut_to_its_usual_length()
  local state = cma.new(2, {mean = {0.5, 0.5}, sigma = 0.01})
  local points = {}
  for i = 1, 6 do points[i] = {{0.5 + i / 1000, 0.5}, i} end
  points[1] = {{1e6, 0.5}, 0, is_foreign = true}
  local new = cma.update(state, points)
  lu.assertTrue(new.mean[1] < 0.53, new.mean[1])
  points[1].is_foreign = nil
  lu.assertTrue(cma.update(state, points).mean[1] > 1e5)
end

function TestCma.test_eigenvectors_rebuild_the_matrix()
  local a = {{4, 1, 0.5}, {1, 3, -0.2}, {0.5, -0.2, 1e-6}}
  local w, v = symmetric_eigen.decompose(a)
  for i = 1, 3 do
    for j = 1, 3 do
      local sum, dot = 0, 0
      for k = 1, 3 do
        sum, dot = sum + v[i][k] * w[k] * v[j][k], dot + v[k][i] * v[k][j]
      end
      lu.assertAlmostEquals(sum, a[i][j], 1e-14)
      lu.assertAlmostEquals(dot, i == j and 1 or 0, 1e-14)
    end
  end
end

TestGp = {}

function TestGp.test_expected_improvement_and_its_slopes()
  -- scipy: log(norm.pdf(z) + z norm.cdf(z)), in mpmath below -10.
  for z, want in pairs{[-2] = -4.76878352, [0] = -0.918938533, [3] = 1.098739665,
                       [-30] = -457.7246538, [-100] = -5010.129579} do
    lu.assertAlmostEquals(expected_improvement.log_h(z), want, 1e-6)
  end
  for _, mean in ipairs{-3, -0.5, 0.2, 2} do
    local _, by_mean, by_variance = expected_improvement.log_ei(mean, 0.3, 0.1)
    local h = 1e-6
    local function at(m, v) return (expected_improvement.log_ei(m, v, 0.1)) end
    lu.assertAlmostEquals(by_mean, (at(mean + h, 0.3) - at(mean - h, 0.3)) / 2 / h, 1e-6)
    lu.assertAlmostEquals(by_variance, (at(mean, 0.3 + h) - at(mean, 0.3 - h)) / 2 / h, 1e-5)
  end
end

function TestGp.test_minima_are_found_inside_and_on_the_bounds()
  local function f(x) -- Rosenbrock's
    local a, b = 1 - x[1], x[2] - x[1] ^ 2
    return a * a + 100 * b * b, {-2 * a - 400 * x[1] * b, 200 * b}
  end
  local opts = {tolerance = 1e-6, iterations = 200}
  local x = bounded_bfgs.minimise(f, {-1.2, 1}, opts)
  lu.assertAlmostEquals(x[1], 1, 1e-5)
  opts.low, opts.high = {-2, -2}, {0.5, 2}
  x = bounded_bfgs.minimise(f, {-1.2, 1}, opts)
  lu.assertAlmostEquals(x[1], 0.5, 1e-12)
  lu.assertAlmostEquals(x[2], 0.25, 1e-6)
  lu.assertNil(bounded_bfgs.minimise(function() end, {0}, {tolerance = 1, iterations = 1}))
end

function TestGp.test_a_process_goes_through_its_points_and_doubts_between_them()
  local rows, values = {}, {}
  for i = 1, 8 do rows[i], values[i] = {i / 9}, math.sin(i) end
  local process = gp.new(rows, values, {false}, 250)
  local mean, variance = process:predict{{4 / 9}, {0.5}, {1}}
  lu.assertAlmostEquals(mean[1], math.sin(4), 0.15)
  lu.assertTrue(variance[1] < variance[2] and variance[2] < variance[3])
end

TestParzen = {}

function TestParzen.test_masses_of_normal_intervals()
  -- scipy.special.log_ndtr and scipy.stats.norm.
  for z, want in pairs{[-38] = -726.5572160188201, [-5] = -15.064998393988727,
                       [-0.3] = -0.9621028181688505, [0] = -0.6931471805599453,
                       [3] = -0.0013508099647481925, [8] = -6.220960574271742e-16} do
    lu.assertAlmostEquals(normal_mass.log_below(z) / want, 1, 1e-13)
  end
  lu.assertAlmostEquals(normal_mass.log_between(20, 20.5), -203.917194464609, 1e-11)
  lu.assertAlmostEquals(normal_mass.log_between(-1, 1), -0.38171514630212616, 1e-15)
  lu.assertAlmostEquals(normal_mass.truncated_quantile(0.5, -1, 2),
    0.17116391801782482, 1e-15) -- scipy.stats.truncnorm(-1, 2).ppf(0.5)
end

function TestParzen.test_densities_integrate_to_one()
  local half = 0.05
  local stepped = {low = -half, high = 1 + half,
                   edges = function(x) return x - half, x + half end}
  local estimator = parzen.new({{low = 0, high = 2}, stepped, {count = 3}},
    {{0.1, 0.2, 1}, {0.5, 0.2, 3}, {1.9, 1, 1}})
  local sum, n = 0, 200
  for i = 1, n do
    for j = 0, 10 do
      for k = 1, 3 do
        sum = sum + math.exp(estimator:log_density{(i - 0.5) * 2 / n, j / 10, k}) * 2 / n
      end
    end
  end
  lu.assertAlmostEquals(sum, 1, 1e-4)
end

function TestParzen.test_old_observations_count_less()
  lu.assertEquals(parzen.weights(3), {1, 1, 1})
  local weights = parzen.weights(30)
  lu.assertAlmostEquals(weights[1], 1 / 30, 1e-15)
  lu.assertAlmostEquals(weights[3], 1 / 30 + (29 / 30) / 2, 1e-15)
  lu.assertEquals(weights[6], 1)
  lu.assertAlmostEquals(parzen.weights(26)[1], 1 / 26, 1e-15)
end

TestPareto = {}

function TestPareto.test_the_set_has_what_nothing_beats()
  local points = {{1, 5}, {2, 2}, {3, 3}, {5, 1}, {1, 5}, {0 / 0, 0}}
  lu.assertEquals(search.pareto(points), {1, 2, 4, 5})
  lu.assertEquals(search.pareto(points, {"max", "min"}), {4})
  lu.assertEquals(search.pareto(points, {"max", "max"}), {1, 3, 4, 5})
  lu.assertEquals(search.pareto({{3}, {1}, {1}}, "min"), {2, 3})
  lu.assertEquals(search.pareto{}, {})
end

function TestPareto.test_ranks_volumes_and_subsets()
  local points = {{1, 5}, {2, 2}, {3, 3}, {5, 1}, {6, 6}}
  lu.assertEquals(pareto.ranks(points), {{1, 2, 4}, {3}, {5}})
  lu.assertEquals(pareto.ranks(points, 3), {{1, 2, 4}})
  lu.assertEquals(pareto.hypervolume({{1, 5}, {2, 2}, {5, 1}}, {6, 6}), 1 + 16 + 1)
  lu.assertEquals(pareto.hypervolume({{1, 1, 1}, {0, 2, 2}}, {3, 3, 3}), 8 + 1)
  lu.assertEquals(pareto.subset(points, {1, 2, 4}, 2, {6, 6})[1], 2)
end

TestWrong = {}

function TestWrong.test_wrong_arguments_raise()
  local s = {a = space.uniform(0, 1)}
  local function with(trial)
    return function() search.tpe(s):propose(2, {trial}) end
  end
  for words, f in pairs{
    ["bnn.search.tpe: candidates: expected at least 1, got 0"] = function()
      search.tpe(s, {candidates = 0})
    end,
    ["bnn.search.cmaes: expected one objective, got 2"] = function()
      search.cmaes(s, {mode = {"min", "max"}})
    end,
    ["bnn.search.cmaes: expected a parameter that is a number without a condition"] = function()
      search.cmaes{a = {1, 2}}
    end,
    ["bnn.search.gp: expected one objective, got 2"] = function()
      search.gp(s, {mode = {"min", "max"}})
    end,
    ["sampler:propose: history: expected a list of trials, got a number"] = function()
      search.tpe(s):propose(2, 3)
    end,
    ["history: trial 1: expected {number=, config=, state="] = with{number = 1},
    ["got state \"done\""] = with{number = 1, config = {}, state = "done"},
    ["history: trial 1: expected 1 value(s), got nil"] = with{number = 1, config = {a = 0.5},
                                                              state = "completed"},
    ["bnn.search.pareto: points: expected a list of points"] = function() search.pareto(3) end,
    ["bnn.search.pareto: point 2: expected a list of 2 numbers"] = function()
      search.pareto{{1, 2}, {1}}
    end,
    ["bnn.search.pareto: mode: expected one of max, min"] = function()
      search.pareto({{1}}, "least")
    end,
  } do
    bits.raises(words, f)
  end
end

os.exit(lu.LuaUnit.run())
