--- Samplers that do not learn: their laws, determinism, constraints and refusals.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. arg[0]:match "^.*/" .. "?.lua;" .. package.path
local lu = require "luaunit"
local bits = require "bits"
local bnn = require "bnn"
local laws = require "search_laws"
local halton_points = require "bnn.search.methods.halton_points"
local sobol_points = require "bnn.search.methods.sobol_points"

local search, space = bnn.search, bnn.space
local FREE = {"random", "sobol", "halton", "latin"}

local function mixed()
  return space{lr = space.log(1e-4, 1e-2), n = space.integer(1, 8), opt = {"adam", "sgd"},
    momentum = space.conditional("opt", "sgd", space.uniform(0, 1))}
end

TestSequences = {}

function TestSequences.test_sobol_points_are_those_of_joe_and_kuo()
  -- scipy.stats.qmc.Sobol(128, scramble=False, bits=32): points 0 to 7 as eighths, and point 63.
  for d, row in pairs{
    [1] = {0, 4, 6, 2, 3, 7, 5, 1, 0x04000000}, [2] = {0, 4, 2, 6, 3, 7, 1, 5, 0xcc000000},
    [3] = {0, 4, 2, 6, 5, 1, 7, 3, 0x5c000000}, [4] = {0, 4, 2, 6, 7, 3, 5, 1, 0x74000000},
    [10] = {0, 4, 6, 2, 5, 1, 3, 7, 0x94000000}, [64] = {0, 4, 6, 2, 1, 5, 7, 3, 0xbc000000},
    [128] = {0, 4, 2, 6, 5, 1, 7, 3, 0xa4000000},
  } do
    for i = 0, 7 do lu.assertEquals(sobol_points.point(i, d), row[i + 1] << 29, d) end
    lu.assertEquals(sobol_points.point(63, d), row[9], d)
  end
end

function TestSequences.test_halton_points_are_radical_inverses()
  for i, row in ipairs{{1 / 2, 1 / 3, 1 / 5}, {1 / 4, 2 / 3, 2 / 5}, {3 / 4, 1 / 9, 3 / 5},
                       {1 / 8, 4 / 9, 4 / 5}, {5 / 8, 7 / 9, 1 / 25}} do
    for d = 1, 3 do lu.assertAlmostEquals(halton_points.point(i, d), row[d], 1e-15) end
  end
  lu.assertEquals({halton_points.prime(1), halton_points.prime(5), halton_points.prime(1000)},
    {2, 11, 7919})
end

-- Whether the first b^(j + k) points have one in each box of b1^-j by b2^-k.
local function assert_net(points, bases, powers, a, b)
  local seen, boxes = {}, {bases[1] ^ powers[1] // 1 | 0, bases[2] ^ powers[2] // 1 | 0}
  for i = 1, boxes[1] * boxes[2] do
    local x, y = points[i][a], points[i][b]
    local box = math.floor(x * boxes[1]) * boxes[2] + math.floor(y * boxes[2])
    lu.assertNil(seen[box], ("%d %d: two points in a box"):format(a, b))
    seen[box] = true
  end
end

function TestSequences.test_scrambled_sobol_points_are_nets_of_every_shape()
  local cube, names = laws.cube(bnn, 8)
  for seed = 1, 3 do
    local points = laws.points(search.sobol(cube, {key = seed}), names, 64)
    for k = 0, 6 do assert_net(points, {2, 2}, {k, 6 - k}, 1, 2) end
    for d = 1, 8 do assert_net(points, {2, 2}, {6, 0}, d, 1) end
  end
end

function TestSequences.test_halton_points_with_permuted_digits_are_nets()
  local cube, names = laws.cube(bnn, 5)
  local points = laws.points(search.halton(cube, {key = 4}), names, 243)
  assert_net(points, {2, 3}, {3, 2}, 1, 2)
  assert_net(points, {3, 5}, {2, 1}, 2, 3)
  assert_net(points, {2, 11}, {2, 1}, 1, 5)
end

function TestSequences.test_they_are_more_even_than_random_points()
  local cube, names = laws.cube(bnn, 4)
  local function mean_of(name)
    local sum = 0
    for seed = 1, 5 do
      local sampler = search.sampler(name, cube, {key = seed, trials = 64})
      sum = sum + laws.discrepancy(laws.points(sampler, names, 64))
    end
    return sum / 5
  end
  local random = mean_of "random"
  lu.assertTrue(mean_of "sobol" < random / 4)
  lu.assertTrue(mean_of "halton" < random / 3)
  lu.assertTrue(mean_of "latin" < random / 1.5)
end

function TestSequences.test_without_scrambling_the_points_are_plain()
  local cube, names = laws.cube(bnn, 2)
  local points = laws.points(search.halton(cube, {scramble = false}), names, 3)
  lu.assertAlmostEquals(points[3], {1 / 4, 2 / 3}, 1e-9)
  points = laws.points(search.sobol(cube, {scramble = false}), names, 3)
  lu.assertAlmostEquals(points[3], {3 / 4, 1 / 4}, 1e-9)
end

TestLaws = {}

function TestLaws.test_every_coordinate_is_uniform_whatever_the_key()
  -- Kolmogorov: 400 points beyond 1.95 / sqrt(400) once in 1000; the even ones are nearer still.
  local cube, names = laws.cube(bnn, 3)
  for _, name in ipairs(FREE) do
    for seed = 11, 13 do
      local points = laws.points(search.sampler(name, cube, {key = seed, trials = 400}), names, 400)
      for k = 1, 3 do
        lu.assertTrue(laws.kolmogorov(laws.column(points, k)) < 1.95 / 20, name .. names[k])
      end
    end
  end
end

function TestLaws.test_a_scrambled_point_is_uniform_over_keys()
  local cube = laws.cube(bnn, 3)
  for _, name in ipairs{"sobol", "halton"} do
    local sample = {}
    for seed = 1, 400 do sample[seed] = search[name](cube, {key = seed}):propose(3).x003 end
    lu.assertTrue(laws.kolmogorov(sample) < 1.95 / 20, name)
  end
end

function TestLaws.test_coordinates_do_not_follow_each_other()
  -- The correlation of 400 independent pairs is beyond 4 / sqrt(400) once in 16000.
  local cube, names = laws.cube(bnn, 24)
  for _, name in ipairs(FREE) do
    local points = laws.points(search.sampler(name, cube, {key = 5, trials = 400}), names, 400)
    for _, pair in ipairs{{1, 2}, {7, 8}, {20, 21}, {23, 24}} do
      local sum = 0
      for _, x in ipairs(points) do sum = sum + (x[pair[1]] - 0.5) * (x[pair[2]] - 0.5) end
      lu.assertTrue(math.abs(12 * sum / 400) < 0.2, ("%s %d"):format(name, pair[1]))
    end
  end
end

function TestLaws.test_a_latin_hypercube_has_one_trial_in_each_stratum()
  local cube, names = laws.cube(bnn, 3)
  local points = laws.points(search.latin(cube, {key = 2, trials = 20}), names, 40)
  for k = 1, 3 do
    for design = 0, 1 do -- trials 21 to 40 are another hypercube
      local seen = {}
      for i = 1, 20 do seen[math.floor(points[20 * design + i][k] * 20)] = true end
      for stratum = 0, 19 do lu.assertTrue(seen[stratum]) end
    end
  end
end

function TestLaws.test_a_grid_proposes_each_configuration_once_and_ends()
  local grid = search.grid(mixed(), {points = 3})
  lu.assertEquals(grid.count, 3 * 8 * (1 + 3))
  local seen = {}
  for number = 1, grid.count do
    local cfg = grid:propose(number)
    local text = ("%s %s %s %s"):format(cfg.lr, cfg.n, cfg.opt, cfg.momentum)
    lu.assertNil(seen[text])
    seen[text] = true
  end
  local cfg, message = grid:propose(grid.count + 1)
  lu.assertNil(cfg)
  lu.assertEquals(message, "grid has 96 configurations, there is no 97")
end

function TestLaws.test_configurations_are_of_the_space()
  for _, name in ipairs(FREE) do
    local sampler = search.sampler(name, mixed(), {key = 9, trials = 100})
    local with = 0
    for number = 1, 100 do
      local cfg = sampler:propose(number)
      lu.assertTrue(sampler.space:check(cfg))
      lu.assertEquals(cfg.momentum ~= nil, cfg.opt == "sgd")
      if cfg.momentum then with = with + 1 end
    end
    lu.assertTrue(with > 30 and with < 70, name .. with)
  end
end

TestPurity = {}

function TestPurity.test_a_proposal_depends_on_key_and_number_only()
  for _, name in ipairs(FREE) do
    local opts = {key = bnn.key(7), trials = 30}
    local forwards, backwards = search.sampler(name, mixed(), opts), {}
    local other = search.sampler(name, space.parse(tostring(mixed())), opts)
    for number = 30, 1, -1 do backwards[number] = other:propose(number, {}) end
    for number = 1, 30 do lu.assertEquals(forwards:propose(number), backwards[number], name) end
    lu.assertFalse(forwards.learns)
    local elsewhere = search.sampler(name, mixed(), {key = 8, trials = 30})
    lu.assertNotEquals(elsewhere:propose(1), forwards:propose(1))
  end
end

function TestPurity.test_proposals_are_the_callers_own()
  local sampler = search.grid{h = {{1, 2}, {3, 4}}}
  sampler:propose(1).h[1] = 99
  lu.assertEquals(sampler:propose(1), {h = {1, 2}})
end

function TestPurity.test_another_parameter_does_not_change_what_random_draws()
  local few = search.random({a = space.uniform(0, 1)}, {key = 3})
  local more = search.random({a = space.uniform(0, 1), b = {1, 2}}, {key = 3})
  for number = 1, 5 do lu.assertEquals(few:propose(number).a, more:propose(number).a) end
end

TestConstraints = {}

function TestConstraints.test_proposals_satisfy_them_and_repeat()
  local given = {a = space.uniform(0, 1), b = space.uniform(0, 1),
                 function(cfg) return cfg.a < cfg.b end}
  for _, name in ipairs(FREE) do
    local sampler = search.sampler(name, given, {key = 1, trials = 50})
    local list = {}
    for number = 1, 50 do
      list[number] = sampler:propose(number)
      lu.assertTrue(list[number].a < list[number].b)
    end
    local again = search.sampler(name, given, {key = 1, trials = 50})
    for _, number in ipairs{50, 3, 17} do lu.assertEquals(again:propose(number), list[number]) end
  end
  lu.assertEquals(search.grid{a = {1, 2, 3}, b = {1, 2, 3}, function(c) return c.a < c.b end}.count,
    3)
end

function TestConstraints.test_what_none_satisfies_is_said()
  local given = {a = space.uniform(0, 1), function() return false end}
  for _, name in ipairs(FREE) do
    local sampler = search.sampler(name, given, {trials = 5})
    bits.raises({"bnn.search." .. name, "none of 10000", "satisfied the constraints of the space"},
      sampler.propose, sampler, 1)
  end
  bits.raises("bnn.search.grid: no configuration satisfies the constraints", search.grid,
    {a = {1, 2}, function() return false end})
end

TestOwnSampler = {}

function TestOwnSampler.test_a_function_gets_history_space_key_and_number()
  local seen
  local sampler = search.sampler(function(history, own, key, number)
    seen = {#history, history[1] and history[1].value, tostring(own), number, key:bits()}
    return {a = number % 2 + 1}
  end, {a = {1, 2}}, {key = 3})
  local first = {number = 1, config = {a = 2}, state = "completed", value = 0.5}
  lu.assertEquals(sampler:propose(2, {first}), {a = 1})
  lu.assertEquals(seen, {1, 0.5, "a=1,2", 2, bnn.key(3):fold(2):bits()})
  lu.assertTrue(sampler.learns)
end

function TestOwnSampler.test_what_it_returns_is_checked()
  local result
  local sampler = search.sampler(function() return result end, {a = {1, 2}})
  local cfg, message = sampler:propose(1)
  lu.assertNil(cfg)
  lu.assertEquals(message, "the sampler's function returned nothing")
  result = {a = 3}
  bits.raises("trial 1: a: expected a value of 1,2, got 3", sampler.propose, sampler, 1)
  result = 3
  bits.raises("its function's result: expected a table, got a number", sampler.propose, sampler, 1)
end

TestChoosing = {}

function TestChoosing.test_names_texts_tables_and_samplers_are_taken()
  local s = space{a = space.uniform(0, 1)}
  local made = search.sampler("halton:scramble=false", s, {key = 1})
  lu.assertEquals(made:describe(), {name = "halton", options = {scramble = false}})
  lu.assertEquals(tostring(made), "halton:scramble=false")
  lu.assertEquals(search.sampler({"halton", scramble = false}, s):propose(2), made:propose(2))
  lu.assertTrue(search.sampler(made) == made)
end

function TestChoosing.test_a_wrong_text_says_what_is_expected()
  for text, words in pairs{
    soboll = "sampler: expected one of ", ["sobol:x"] = "expected NAME=VALUE after sobol:, got 'x'",
    ["sobol:scrambel=true"] = "sobol: unknown option 'scrambel': did you mean 'scramble'?",
    ["sobol:scramble=2"] = "sobol: scramble: expected true or false, got 2",
  } do
    local made, fault = search.sampler(text, {a = {1}})
    lu.assertNil(made)
    lu.assertStrContains(fault, words)
  end
  local made, refusal = search.sampler("grid", {a = space.uniform(0, 1)})
  lu.assertNil(made)
  lu.assertEquals(refusal, "sampler: grid: a is continuous (uniform:0:1): give points=, how many "
    .. "of its values")
  local _, fault = search.sampler("soboll", {a = {1}})
  lu.assertStrContains(fault, "(did you mean sobol?)")
end

function TestChoosing.test_wrong_arguments_raise()
  local s = {a = space.uniform(0, 1)}
  local sampler = search.random(s)
  local many = {}
  for i = 1, 129 do many["x" .. i] = {1, 2} end
  for words, f in pairs{
    ["bnn.search.sampler: expected one of"] = function() search.sampler(3, s) end,
    ["a function, got nil"] = function() search.sampler({}, s) end,
    ["bnn.search.random: mode: expected one of max, min, got \"least\""] = function()
      search.random(s, {mode = "least"})
    end,
    ["bnn.search.random: key: expected a key or an integer, got \"x\""] = function()
      search.random(s, {key = "x"})
    end,
    ["bnn.search.random: unknown option 'keys': did you mean 'key'?"] = function()
      search.random(s, {keys = 1})
    end,
    ["bnn.space: expected a table of parameters, got nil"] = function() search.random() end,
    ["bnn.search.grid: a is continuous (uniform:0:1): give points="] = function()
      search.grid(s)
    end,
    ["bnn.search.latin: expected size= or trials=, the number of trials, got neither"] = function()
      search.latin(s)
    end,
    ["bnn.search.sobol: expected at most 128 parameters, got 129"] = function()
      search.sobol(many)
    end,
    ["sampler:propose: number: expected at least 1, got 0"] = function() sampler:propose(0) end,
  } do
    bits.raises(words, f)
  end
  lu.assertNotNil(search.halton(many):propose(1).x129)
end

os.exit(lu.LuaUnit.run())
