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
  lu.assertEquals(metrics.accuracy(labels, {7, 8, 2, 9}), 0.25) -- of plain classes any may be
  lu.assertEquals(metrics.accuracy(tensor({1, 0, 0, 0}, "i32"), labels), 0)
end

function TestAccuracy.test_of_many_is_exact_to_a_float()
  local n = 30000
  local right = bnn.arange(1, n):le(20000):to "i32"
  lu.assertAlmostEquals(metrics.accuracy(right, bnn.ones({n}, "i32")), 20000 / n, 1e-4)
end

function TestAccuracy.test_refusals()
  local rows = {
    {"predictions are [3], targets [4]", tensor({0, 1, 1}, "i32"), labels},
    {"predictions are [4], targets [4, 1]", labels, labels:reshape(4, 1)}, -- would broadcast
    {"there are no predictions", bnn.zeros({0}, "i32"), bnn.zeros({0}, "i32")},
    {"the prediction is a nil", nil, labels}, {"the prediction is a table", {mean = 1}, labels},
    {"labels is a table", labels, {y = labels}}, {"labels is a nil", labels},
    {"prediction 2 is not a number for class 1", tensor{{1, 2}, {1, 0 / 0}}, {0, 1}},
    {"accuracy: prediction 1 is not a number for class 0",
     {class = tensor({0}, "i32"), mean = tensor{{0 / 0, 0 / 0}}}, {0}},
    -- labels that are counted from 1
    {"accuracy: label 2 is 2, predictions are of classes 0..1", {{1, 0}, {0, 1}}, {1, 2}},
    {"label 1 is -1, predictions are of classes 0..1",
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
  lu.assertErrorMsgContains(("test_metrics.lua:%d: accuracy: "):format(line), call)
  local source = "local f = ...; local value = f({0}, {0, 1}); return value"
  local stripped = load(string.dump(load(source), true))
  lu.assertErrorMsgEquals("accuracy: predictions are [1], targets [2]", stripped, metrics.accuracy)
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
    {"predictions are [2, 1], targets [2]", bnn.zeros(2, 1), bnn.zeros(2)}, -- would broadcast
    {"predictions are [2], targets [3]", bnn.zeros(2), bnn.zeros(3)},
    {"there are no predictions", bnn.zeros(0), bnn.zeros(0)}, {"the target is a nil", bnn.zeros(2)},
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
    {"there are no values", {}, 0.5}, {"there are no values", bnn.zeros(0), 0.5},
    {"value 2 is not a number", {1, 0 / 0}, 0.5},
    {"value 1 is not a number", tensor{0 / 0, 1}, 0.5},
    {"q is -0.1", {1}, -0.1}, {"q is 1.5", {1}, 1.5}, {"q is nil", {1}}, {"q is half", {1}, "half"},
    {"x is a number", 3, 0.5}, {"x is a nil", nil, 0.5},
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
  lu.assertErrorMsgContains("predictions are [4, 1], targets [4]", bnn.metrics.coverage, mean, std,
    target:reshape(4), 0.9)
  lu.assertErrorMsgContains("between 0 and 1", bnn.metrics.coverage, mean, std, target, 90)
  lu.assertErrorMsgContains("coverage: std 2 is -2, at least 0 is wanted", bnn.metrics.coverage,
    {0, 0}, {0, -2}, {0, 0}, 0.9)
  lu.assertEquals(bnn.metrics.coverage({1, 1}, {0, 0}, {1, 2}, 0.9), 0.5)
end

os.exit(lu.LuaUnit.run())
