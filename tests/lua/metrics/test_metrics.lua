--- Metrics on small cases worked by hand.
local lu = require "luaunit"
local bnn = require "bnn"

local metrics, tensor = bnn.metrics, bnn.tensor

TestAccuracy = {}

local labels = tensor({0, 1, 2, 1}, "i32")

function TestAccuracy.test_of_classes_scores_and_predictions()
  local classes = tensor({0, 1, 1, 1}, "i32")
  local scores = tensor{{9, 1, 0}, {0, 1, 0}, {0, 5, 4}, {-3, -1, -2}}
  for i, prediction in ipairs{classes, classes:real(), scores, {class = classes}} do
    lu.assertEquals(metrics.accuracy(prediction, labels), 0.75, i)
  end
  lu.assertEquals(metrics.accuracy({0, 1, 1, 1}, {0, 1, 2, 1}), 0.75)
  lu.assertEquals(metrics.accuracy({{9, 1}, {1, 1}}, {0, 0}), 1) -- of equal scores the first
  lu.assertEquals(metrics.accuracy(labels, labels), 1)
  for _, column in ipairs{labels:reshape(4, 1), labels:real():reshape(4, 1)} do
    lu.assertEquals(metrics.accuracy(scores, column), 0.75)
    lu.assertEquals(metrics.confusion_matrix(scores, column):totable(),
      metrics.confusion_matrix(scores, labels):totable())
  end
  lu.assertEquals(metrics.accuracy(labels, {7, 8, 2, 9}), 0.25) -- of plain classes any may be
  lu.assertEquals(metrics.accuracy(tensor({1, 0, 0, 0}, "i32"), labels), 0)
end

-- print(metrics.accuracy(...)) shows a number, not a number and nil.
function TestAccuracy.test_without_a_bootstrap_one_value_is_returned()
  local scores, asked = tensor{{0.9, 0.1}, {0.3, 0.7}, {0.6, 0.4}}, {bootstrap = {key = bnn.key(1)}}
  for _, name in ipairs{
    "accuracy", "brier", "nll", "ece", "aurc", "confusion_matrix", "reliability", "risk_coverage",
  } do
    lu.assertEquals(select("#", metrics[name](scores, {0, 1, 1})), 1, name)
    lu.assertEquals(select("#", metrics[name](scores, {0, 1, 1}, asked)), 2, name)
  end
  lu.assertEquals(select("#", metrics.rmse({1, 2}, {1, 3})), 1)
end

function TestAccuracy.test_of_many_is_exact_to_a_float()
  local n = 30000
  local right = bnn.arange(1, n):le(20000):to "i32"
  lu.assertAlmostEquals(metrics.accuracy(right, bnn.ones({n}, "i32")), 20000 / n, 1e-4)
end

function TestAccuracy.test_refusals()
  local rows = {
    {"accuracy: expected labels [3], got [4]", tensor({0, 1, 1}, "i32"), labels},
    {"expected labels [4], got [2, 2]", labels, labels:reshape(2, 2)},
    {"expected labels [4], got [1, 4]", labels, labels:reshape(1, 4)},
    {"expected at least one prediction, got none", bnn.zeros({0}, "i32"), bnn.zeros({0}, "i32")},
    {"prediction: expected a tensor or a list, got nil", nil, labels},
    {"prediction: expected a tensor or a list, got a table", {mean = 1}, labels},
    {"labels: expected a tensor or a list, got a table", labels, {y = labels}},
    {"labels: expected a tensor or a list, got nil", labels},
    {"prediction 2: class 1: expected a number, got nan", tensor{{1, 2}, {1, 0 / 0}}, {0, 1}},
    {"accuracy: prediction 1: class 0: expected a number, got nan",
     {class = tensor({0}, "i32"), mean = tensor{{0 / 0, 0 / 0}}}, {0}},
    -- labels that are counted from 1
    {"accuracy: label 2: expected a class in 0..1, got 2", {{1, 0}, {0, 1}}, {1, 2}},
    {"label 1: expected a class in 0..1, got -1",
     {class = tensor({0}, "i32"), mean = tensor{{1, 0}}}, {-1}},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(metrics.accuracy, row[2], row[3])
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

function TestAccuracy.test_a_refusal_has_the_line_of_the_caller_where_there_is_one()
  local function call() return (metrics.accuracy({0}, {0, 1})) end
  local line = debug.getinfo(1, "l").currentline - 1
  lu.assertErrorMsgContains(("test_metrics.lua:%d: bnn.metrics.accuracy: "):format(line), call)
  local source = "local f = ...; local value = f({0}, {0, 1}); return value"
  local stripped = load(string.dump(load(source), true))
  local _, message = pcall(stripped, metrics.accuracy) -- its own line is not known: the next one's
  lu.assertStrContains(message, "bnn.metrics.accuracy: expected labels [1], got [2]")
  lu.assertNotStrContains(message, "scripts/bnn")
end

TestRmse = {}

function TestRmse.test_is_over_all_elements()
  lu.assertEquals(metrics.rmse(tensor{1, 2, 3}, tensor{1, 2, 3}), 0)
  lu.assertAlmostEquals(metrics.rmse(tensor{{1, 2}, {3, 4}}, tensor{{1, 2}, {3, 0}}), 2, 1e-6)
  lu.assertAlmostEquals(metrics.rmse(tensor{3, -4}, tensor{0, 0}), math.sqrt(12.5), 1e-6)
  lu.assertEquals(metrics.rmse({mean = tensor{1, 5}, std = tensor{9, 9}}, {1, 5}), 0)
end

function TestRmse.test_refusals()
  local rows = {
    {"bnn.metrics.rmse: expected target [2, 1], got [2]",
     bnn.zeros(2, 1), bnn.zeros(2)}, -- would broadcast
    {"expected target [2], got [3]", bnn.zeros(2), bnn.zeros(3)},
    {"expected at least one prediction, got none", bnn.zeros(0), bnn.zeros(0)},
    {"target: expected a tensor or a list, got nil", bnn.zeros(2)},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(metrics.rmse, row[2], row[3])
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

TestQuantile = {}

-- numpy.quantile(x, q), method "linear": position q (n - 1) between order statistics.
function TestQuantile.test_is_numpys_linear()
  local rows = {
    {{1, 2, 3, 4}, 0, 1}, {{1, 2, 3, 4}, 1, 4}, {{1, 2, 3, 4}, 0.5, 2.5},
    {{1, 2, 3, 4}, 0.25, 1.75},
    {{4, 1, 3, 2}, 0.25, 1.75}, {{7}, 0.3, 7}, {{1, 1, 1}, 0.9, 1}, {{10, 20}, 0.99, 19.9},
    {{-5, 0, 5, 100}, 0.9, 71.5}, {{3, 1, 2, 5, 4}, 0.1, 1.4}, {{0, 1 / 0}, 0, 0},
  }
  for i, row in ipairs(rows) do
    lu.assertAlmostEquals(metrics.quantile(row[1], row[2]), row[3], 1e-9, i)
    lu.assertAlmostEquals(metrics.quantile(tensor(row[1]), row[2]), row[3], 1e-5, i)
  end
  lu.assertAlmostEquals(metrics.quantile(bnn.linspace(0, 1, 101):reshape(101, 1), 0.99), 0.99, 1e-6)
end

function TestQuantile.test_leaves_its_argument_alone()
  local list = {3, 1, 2}
  metrics.quantile(list, 0.5)
  lu.assertEquals(list, {3, 1, 2})
end

function TestQuantile.test_refusals()
  local rows = {
    {"x: expected at least one value, got none", {}, 0.5},
    {"x: expected at least one value, got none", bnn.zeros(0), 0.5},
    {"value 2: expected a number, got nan", {1, 0 / 0}, 0.5},
    {"value 1: expected a number, got nan", tensor{0 / 0, 1}, 0.5},
    {"q: expected a number in [0, 1], got -0.1", {1}, -0.1}, {"got 1.5", {1}, 1.5},
    {"q: expected a number in [0, 1], got nil", {1}}, {'got "half"', {1}, "half"},
    {"x: expected a tensor or a list, got a number", 3, 0.5}, {"got nil", nil, 0.5},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(metrics.quantile, row[2], row[3])
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

TestCoverage = {}

-- From Python's statistics.NormalDist().inv_cdf.
function TestCoverage.test_normal_quantiles()
  local rows = {
    {0.5, 0}, {0.95, 1.6448536269514715}, {0.975, 1.9599639845400536}, {0.075, -1.439531470938456},
    {0.9, 1.2815515655446008}, {1e-5, -4.2648907939228256}, {1e-12, -7.034483825301132},
    {1e-300, -37.0470962993612}, {0.9999, 3.7190164854557084},
  }
  for _, row in ipairs(rows) do
    local z = bnn.metrics.normal_quantile(row[1])
    lu.assertAlmostEquals(z, row[2], 1e-15 * (4 + 4 * math.abs(row[2])))
    if row[1] > 1e-4 then
      lu.assertAlmostEquals(bnn.metrics.normal_quantile(1 - row[1]), -row[2], 1e-11)
    end
  end
  lu.assertEquals(bnn.metrics.normal_quantile(0), -math.huge)
  lu.assertEquals(bnn.metrics.normal_quantile(1), math.huge)
  for _, p in ipairs{-0.1, 1.1, 0 / 0, "x"} do
    lu.assertErrorMsgContains("a number in [0, 1]", bnn.metrics.normal_quantile, p)
  end
end

function TestCoverage.test_the_share_within_the_interval()
  local mean, std = bnn.zeros(4, 1), bnn.tensor{{1}, {2}, {1}, {1}}
  local target = bnn.tensor{{1.64}, {-3.2}, {1.65}, {-5}}
  lu.assertEquals(bnn.metrics.coverage(mean, std, target, 0.9), 0.5)
  lu.assertEquals(bnn.metrics.coverage(mean, std, target, 0.99), 0.75)
  lu.assertErrorMsgContains("bnn.metrics.coverage: expected target [4, 1], got [4]",
    bnn.metrics.coverage, mean, std,
    target:reshape(4), 0.9)
  lu.assertErrorMsgContains("between 0 and 1", bnn.metrics.coverage, mean, std, target, 90)
  lu.assertErrorMsgContains("coverage: std 2: expected at least 0, got -2", bnn.metrics.coverage,
    {0, 0}, {0, -2}, {0, 0}, 0.9)
  lu.assertEquals(bnn.metrics.coverage({1, 1}, {0, 0}, {1, 2}, 0.9), 0.5)
end

TestIntervals = {}

local N = 400
local key = bnn.key(7)
local probabilities = (bnn.randn(key, N, 3) * 2):softmax(-1)
local truth = (bnn.randn(key:fold "truth", N, 3)):argmax(-1):real():sub(1):to "i32"
local with = {bootstrap = {key = key:fold "boot", n = 500, level = 0.9}}

local function options(more)
  for name, value in pairs(with) do more[name] = value end
  return more
end

-- The interval of the accuracy, by the bootstrap of a single number.
local function of_accuracy(weight)
  local _, interval = metrics.accuracy(probabilities, truth, options{weight = weight})
  return interval
end

-- Weights of the examples: none, and some of which many are 0.
local WEIGHTS = {false, (bnn.rand(key:fold "weight", N) * 4 - 1):relu()}

function TestIntervals.test_one_bin_has_that_of_the_accuracy()
  for _, weight in ipairs(WEIGHTS) do
    local interval = of_accuracy(weight or nil)
    for _, adaptive in ipairs{false, true} do
      local opts = options{bins = 1, adaptive = adaptive, weight = weight or nil}
      local all, bins = metrics.reliability(probabilities, truth, opts)
      for i = 1, 2 do
        lu.assertAlmostEquals(bins.accuracy[i][1], interval[i], 1e-12)
        if not weight then lu.assertEquals(bins.n[i][1], N) end
      end
      lu.assertTrue(bins.n[1][1] <= all.n[1] and all.n[1] <= bins.n[2][1])
      lu.assertTrue(bins.confidence[1][1] < bins.confidence[2][1])
    end
  end
end

-- Bins of the weighted errors of calibration.
function TestIntervals.test_bins_have_the_weighted_errors()
  local opts = {weight = WEIGHTS[2], bins = 7}
  for name, adaptive in pairs{ece = false, adaptive_ece = true} do
    opts.adaptive = adaptive
    local bins, sum, n = metrics.reliability(probabilities, truth, opts), 0, 0
    lu.assertEquals(bins.n:dtype(), "f64")
    for b = 1, 7 do
      local weight = bins.n[b]
      n = n + weight
      if weight > 0 then sum = sum + weight * math.abs(bins.accuracy[b] - bins.confidence[b]) end
    end
    opts.adaptive = nil
    lu.assertAlmostEquals(sum / n, (metrics[name](probabilities, truth, opts)), 1e-12, name)
  end
  lu.assertEquals(metrics.reliability(probabilities, truth).n:dtype(), "i64")
end

function TestIntervals.test_bins_hold_the_examples_that_they_count()
  for _, adaptive in ipairs{false, true} do
    local bins, interval = metrics.reliability(probabilities, truth, options{adaptive = adaptive})
    for b = 1, 15 do
      local n, p = bins.n[b], bins.n[b] / N
      local reach = 3 * math.sqrt(N * p * (1 - p)) -- 0.9 of a binomial lies within 1.645
      lu.assertTrue(interval.n[1][b] <= n and n <= interval.n[2][b], b)
      lu.assertTrue(interval.n[2][b] - interval.n[1][b] <= 2 * reach, b)
      if n > 0 then
        local lo, hi = interval.accuracy[1][b], interval.accuracy[2][b]
        lu.assertTrue(lo <= bins.accuracy[b] and bins.accuracy[b] <= hi, b)
        lu.assertTrue(interval.confidence[1][b] <= bins.confidence[b])
        lu.assertTrue(bins.confidence[b] <= interval.confidence[2][b])
      else
        lu.assertNaN(interval.accuracy[1][b])
      end
    end
  end
end

function TestIntervals.test_the_risk_of_all_answers_is_what_accuracy_leaves()
  for _, weight in ipairs(WEIGHTS) do
    local opts = options{weight = weight or nil}
    local interval = of_accuracy(weight or nil)
    local curve, bands = metrics.risk_coverage(probabilities, truth, opts)
    local last = curve.risk:size(1)
    for i = 1, 2 do
      lu.assertAlmostEquals(bands.risk[i][last], 1 - interval[3 - i], 1e-12)
      lu.assertEquals(bands.coverage[i][last], 1)
      lu.assertEquals(bands.risk[i]:size(1), last)
    end
    for k = 1, last, 20 do
      local c, at = curve.coverage[k], bands.coverage
      lu.assertTrue(at[1][k] <= c + 1e-12 and c <= at[2][k] + 1e-12, k)
    end
  end
end

function TestIntervals.test_a_confusion_matrix_has_one_for_each_cell()
  local interval = of_accuracy()
  local right = {} -- 1 where the answer is right, so that one cell counts them
  local answers = probabilities:argmax(-1):totable()
  for i, label in ipairs(truth:totable()) do right[i] = answers[i] - 1 == label and 1 or 0 end
  local ones = bnn.ones({N}, "i32")
  local counts, cells = metrics.confusion_matrix(bnn.tensor(right, "i32"), ones, with)
  lu.assertEquals({counts:shape(), cells[1]:shape()}, {{2, 2}, {2, 2}})
  for i = 1, 2 do
    lu.assertAlmostEquals(cells[i][2][2], N * interval[i], 1e-9)
    lu.assertAlmostEquals(cells[i][2][1], N * (1 - interval[3 - i]), 1e-9)
    lu.assertEquals({cells[i][1][1], cells[i][1][2]}, {0, 0})
  end
end

function TestIntervals.test_are_a_function_of_the_key_and_are_not_there_unasked()
  local _, a = metrics.risk_coverage(probabilities, truth, with)
  local threads = bnn.threads()
  bnn.threads(1)
  local _, b = metrics.risk_coverage(probabilities, truth, with)
  bnn.threads(threads)
  lu.assertEquals(a.risk[1]:totable(), b.risk[1]:totable())
  local _, c = metrics.risk_coverage(probabilities, truth, {bootstrap = {key = key}})
  lu.assertNotEquals(a.risk[1]:totable(), c.risk[1]:totable())
  for _, name in ipairs{"risk_coverage", "reliability", "confusion_matrix"} do
    lu.assertEquals(select("#", metrics[name](probabilities, truth)), 1, name)
    lu.assertErrorMsgContains("key: expected", metrics[name], probabilities, truth,
      {bootstrap = {}})
  end
end

os.exit(lu.LuaUnit.run())
