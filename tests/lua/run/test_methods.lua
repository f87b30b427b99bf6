--- The parts of experiments/methods.lua: statistics over runs, UCI sets, what is measured.
local lu = require "luaunit"
local bnn = require "bnn"

local folder = (arg[0]:match "^(.*/)" or "./") .. "../../../experiments/methods"
package.path = folder .. "/?.lua;" .. package.path
local method_list = require "method_list"
local problems = require "method_problems"
local scores = require "method_scores"
local statistics = require "method_statistics"
local tables = require "method_tables"

-- ---- statistics ----

TestMethodStatistics = {}

-- Tables of the distribution: 12.706, 2.086, 2.080, 2.042, 1.984, 1.962.
function TestMethodStatistics.test_quantiles_of_t()
  for n, want in pairs{[1] = 12.7062, [20] = 2.0860, [21] = 2.0796, [30] = 2.0423, [100] = 1.9840,
                       [1000] = 1.9623} do
    lu.assertAlmostEquals(statistics.t975(n), want, 1e-4)
  end
end

function TestMethodStatistics.test_moments()
  local m = statistics.moments{1, 2, 3, 6}
  lu.assertEquals(m.mean, 3)
  lu.assertAlmostEquals(m.sd, math.sqrt(14 / 3), 1e-15)
  lu.assertAlmostEquals(m.se, math.sqrt(14 / 3) / 2, 1e-15)
  lu.assertEquals(statistics.moments{4}, {mean = 4, n = 1})
  lu.assertEquals(statistics.moments{}, {n = 0})
end

local function run(split, seed, v) return {split = split, seed = seed, metrics = {v = v}} end

-- Splits 1 and 2 have means 2 and 6 over seeds; seeds 1 and 2 have means 3 and 5 over splits.
function TestMethodStatistics.test_units_are_splits_with_the_mean_over_seeds()
  local runs = {run(1, 1, 1), run(1, 2, 3), run(2, 1, 5), run(2, 2, 7)}
  local s = statistics.summary(runs, "v", "split")
  lu.assertEquals({s.mean, s.n}, {4, 2})
  lu.assertAlmostEquals(s.sd, math.sqrt(8), 1e-15)
  lu.assertAlmostEquals(s.se, 2, 1e-15)
  lu.assertAlmostEquals(s.seeds_sd, math.sqrt(2), 1e-15)
end

-- Differences 1, 2, 3 of the seeds that both have: mean 2, se 1 / sqrt 3, t of 2 degrees 4.3027.
function TestMethodStatistics.test_differences_are_paired()
  local first = {run(1, 1, 10), run(1, 2, 20), run(1, 3, 30), run(1, 4, 40)}
  local second = {run(1, 3, 33), run(1, 1, 11), run(1, 2, 22), run(1, 9, 0), run(1, 4, 0 / 0)}
  local d = statistics.difference(second, first, "v", "seed")
  lu.assertEquals({d.mean, d.n}, {2, 3})
  lu.assertAlmostEquals(d.half, 4.3027 / math.sqrt(3), 1e-12)
  lu.assertEquals(statistics.difference({run(1, 1, 3)}, first, "v", "seed"), {mean = -7, n = 1})
  lu.assertEquals(statistics.difference({run(2, 1, 3)}, first, "v", "seed"), {n = 0})
end

-- ---- tables ----

TestMethodTables = {}

local IMAGES = {kind = "images", unseen = {"letters"}}

local function classified(seed, accuracy, has_spread)
  local metrics = {accuracy = accuracy, nll = 0.1, brier = 0.2, ece = 0.3, seconds = 1.5,
                   megabytes = 99.6, ["letters/max_probability"] = 0.8, ["letters/entropy"] = 0.9}
  if has_spread then metrics["letters/mutual_information"] = 0.95 end
  return {split = 1, seed = seed, metrics = metrics}
end

function TestMethodTables.test_rows_and_differences()
  local text = tables.text(IMAGES, {
    {name = "map", runs = {classified(1, 0.9), classified(2, 0.92)}},
    {name = "ivon", runs = {classified(1, 0.92, true), classified(2, 0.96, true)}},
  }, "seed")
  lu.assertStrContains(text, "map        2    0.9100  0.0141  0.0100  0.1000  0.0000")
  lu.assertStrContains(text, "ivon       2    0.9400  0.0283  0.0200")
  lu.assertStrContains(text, "ivon    +0.0300 +- 0.1271  +0.0000 +- 0.0000") -- 12.7062 * 0.01
  lu.assertStrContains(text, "AUROC against letters")
  local row = text:match "letters\nmethod[^\n]+\n(map[^\n]+)"
  lu.assertEquals(row:gsub(" +", " "), "map 2 0.8000 0.0000 0.0000 0.9000 0.0000 0.0000 - - -")
  for line in text:gmatch "[^\n]+" do lu.assertTrue(#line <= 120, line) end
end

function TestMethodTables.test_csv_has_a_line_for_each_value()
  local csv = tables.csv(IMAGES, {{name = "map", runs = {classified(1, 0.5)}}}, "seed")
  lu.assertStrContains(csv, "method,metric,mean,sd,se,n,seeds_sd,difference,half_width\n")
  lu.assertStrContains(csv, "map,accuracy,0.5,,,1,,0.0,\n")
  lu.assertEquals(select(2, csv:gsub("\n", "")), 1 + 8)
end

-- ---- problems ----

TestMethodProblems = {}

local uci

local function write(name, lines)
  local file = assert(io.open(uci .. "/" .. name, "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end

-- Six rows whose target, column 1, is ten times the row; features are columns 2 and 0.
function TestMethodProblems.setUp()
  uci = os.tmpname()
  os.remove(uci)
  assert(os.execute("mkdir " .. uci))
  write("data.txt", {"1 10\t3", "2 20 1", "3 30 4", "4 40  1", "5 50 5", "6 60 9"})
  write("index_features.txt", {"2", "0"})
  write("index_target.txt", {"1"})
  write("index_train_0.txt", {"0.0", "2.0", "4.0"})
  write("index_test_0.txt", {"1.0", "5.0"})
  write("index_train_1.txt", {"1", "2", "3", "4"})
  write("index_test_1.txt", {"0"})
end

function TestMethodProblems.tearDown() os.execute("rm -r " .. uci) end

function TestMethodProblems.test_uci_sets_have_their_published_splits()
  local said = {}
  local problem = problems.load({dataset = uci, splits = 20},
    {say = function(_, line) said[#said + 1] = line end})
  lu.assertEquals({problem.kind, problem.splits, problem.rows}, {"numbers", 2, 3})
  lu.assertStrContains(said[1], "3 training and 2 test rows in each of 2 splits")
  local task = problem.task({steps = 10, batch_size = 64}, 1)
  local unit = math.sqrt(800 / 3) -- of targets 10, 30, 50
  lu.assertAlmostEquals(task.unit, unit, 1e-5)
  lu.assertEquals(task.batch_size, 3)
  local y, x = task.test.y:totable(), task.test.x:totable()
  lu.assertAlmostEquals(y[1][1], -10 / unit, 1e-6)
  lu.assertAlmostEquals(y[2][1], 30 / unit, 1e-6)
  lu.assertAlmostEquals(x[1][2], -1 / math.sqrt(8 / 3), 1e-6) -- column 0: 2 of 1, 3, 5
  lu.assertAlmostEquals(x[2][1], 5 / math.sqrt(2 / 3), 1e-5)  -- column 2: 9 of 3, 4, 5
  lu.assertEquals(problem.task({steps = 10, batch_size = 2}, 2).train.size, 4)
end

-- What a noise that was learned is to the weights that follow it.
function TestMethodProblems.test_a_known_noise_comes_back_into_the_weights()
  local problem = problems.load({dataset = "cubic", splits = 2, hidden = {3}},
    {say = function() end})
  local task = problem.task({steps = 1, batch_size = 8}, 1)
  local whole = task.net:init(bnn.key(1), task.train)
  local known = task.at_known_noise(whole)
  lu.assertAlmostEquals(known.variance, math.exp(-2), 1e-6)
  lu.assertEquals(#known.params:names(), #whole:names() - 1)
  local bank = known.complete(bnn.posterior.point(known.params), bnn.key(2), 5)
  lu.assertEquals(bank:support(), 1)
  lu.assertEquals(bank.bank[1].flat:totable(), whole.flat:totable())
end

-- ---- scores ----

TestMethodScores = {}

function TestMethodScores.test_bins_come_back_from_a_record()
  local bins = scores.bins "0:0:0 12:0.250000:0.500000"
  lu.assertEquals(bins[1], {n = 0, confidence = 0, accuracy = 0})
  lu.assertEquals(bins[2], {n = 12, confidence = 0.25, accuracy = 0.5})
  lu.assertEquals(#bins, 2)
end

-- A network that knows its answer to within sigma = 2 in units of 10.
function TestMethodScores.test_numbers_are_in_the_units_of_the_targets()
  local net = bnn.transform(function(x) return x end)
  local model = {net = net, params = net:init(bnn.key(1), bnn.zeros(2, 1)),
                 likelihood = bnn.likelihood.gaussian{sigma = 0.2}}
  local test = {x = bnn.tensor{{0}, {1}}, y = bnn.tensor{{0.1}, {1.3}}}
  local s = scores.measure(model, nil, {test = test, unit = 10}, bnn.key(1))
  lu.assertAlmostEquals(s.rmse, math.sqrt(5), 1e-5)
  lu.assertAlmostEquals(s.mae, 2, 1e-5)
  local density = -math.log(2) - math.log(2 * math.pi) / 2 - 5 / 8 -- errors 1 and 3, sigma 2
  lu.assertAlmostEquals(s.log_density, density, 1e-5)
end

-- ---- methods ----

TestMethodList = {}

-- Each of them fits and predicts, on tasks of both kinds that it has settings for.
function TestMethodList.test_all_methods_fit_numbers()
  local problem = problems.load({dataset = "cubic", splits = 1, hidden = {4}},
    {say = function() end})
  for _, row in ipairs(method_list) do
    local s = {steps = 20, batch_size = 16}
    for name, v in pairs(row.numbers or {}) do s[name] = v end
    local task = problem.task(s, 1)
    local made, sampling = nil, nil
    if row.numbers then made, sampling = row.fit(task, s, bnn.key(1)) end
    if made then
      local model = made.net and made
        or {net = task.net, posterior = made, likelihood = task.likelihood}
      local result = scores.measure(model, sampling, task, bnn.key(2))
      lu.assertTrue(result.log_density == result.log_density and result.crps > 0, row.name)
    end
  end
end

os.exit(lu.LuaUnit.run())
