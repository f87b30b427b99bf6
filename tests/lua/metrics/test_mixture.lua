--- Metrics of distributions of numbers: known values, mixtures beside sums and integrals written
-- out, and the draws of a prediction that they are of.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local strings = require "bnn.base.strings"

local metrics, raises, key = bnn.metrics, bits.raises, bnn.key(3)

TestKnown = {}

-- N(y; m, s^2) by its formula; CRPS of a normal one: s (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)),
-- which is s (sqrt(2/pi) - 1/sqrt(pi)) at z = 0.
function TestKnown.test_of_a_normal()
  local log = -math.log(2 * math.pi) / 2
  lu.assertAlmostEquals(metrics.log_predictive_density({0}, {1}, {0}), log, 1e-12)
  lu.assertAlmostEquals(metrics.log_predictive_density({1, 0}, {2, 0.5}, {0, 0}),
    log + (-math.log(2) - 0.125 - math.log(0.5)) / 2, 1e-12)
  local at_0 = math.sqrt(2 / math.pi) - 1 / math.sqrt(math.pi)
  lu.assertAlmostEquals(metrics.crps({0}, {1}, {0}), at_0, 1e-12)
  lu.assertAlmostEquals(metrics.crps({5}, {3}, {5}), 3 * at_0, 1e-12)
  lu.assertAlmostEquals(metrics.crps({0}, {1}, {1}), 0.6024413576276163, 1e-12) -- z = 1
  lu.assertEquals(metrics.crps({0, 2}, {0, 0}, {1, 2}), 0.5) -- the mean absolute error
end

function TestKnown.test_mae_and_r2()
  lu.assertEquals(metrics.mae({1, 2, 3}, {1, 2, 6}), 1)
  lu.assertEquals(metrics.r2({1, 2, 4}, {1, 2, 3}), 0.5)
  lu.assertEquals(metrics.r2({2, 2, 2}, {1, 2, 3}), 0) -- the mean alone
  lu.assertEquals(metrics.r2({{1, 3}, {2, 3}, {4, 3}}, {{1, 2}, {2, 3}, {3, 4}}), 0.25)
  raises("bnn.metrics.r2: target: expected numbers that differ, got 2 alone", metrics.r2, {1, 2},
    {2, 2})
end

TestMixture = {}

local S, N, W = 5, 7, 2
local draws = bnn.randn(key:fold(1), S, N, W)
local stds = bnn.randn(key:fold(2), S, N, W):abs() + 0.1
local y = bnn.randn(key:fold(3), N, W)
local mixture = {mean = draws:mean(1), draws = draws, draws_std = stds}

function TestMixture.test_its_density_is_the_mean_of_the_draws()
  local d, s, t, sum = draws:totable(), stds:totable(), y:totable(), 0
  for i = 1, N do
    local density = 0
    for k = 1, S do
      local joint = 1
      for w = 1, W do
        local z = (t[i][w] - d[k][i][w]) / s[k][i][w]
        joint = joint * math.exp(-z * z / 2) / (s[k][i][w] * math.sqrt(2 * math.pi))
      end
      density = density + joint / S
    end
    sum = sum + math.log(density) / N
  end
  lu.assertAlmostEquals(metrics.log_predictive_density(mixture, y), sum, 1e-9)
  -- In units twice and three times as large.
  lu.assertAlmostEquals(metrics.log_predictive_density(mixture, y, {scale = {2, 3}}),
    sum - math.log(6), 1e-9)
  lu.assertAlmostEquals(metrics.log_predictive_density(mixture, y, {scale = 2}),
    sum - math.log(4), 1e-9)
end

-- The integral of (F(x) - [x >= y])^2 over x, by the midpoint rule.
function TestMixture.test_its_crps_is_the_integral_of_its_distribution()
  local d, s, t, sum = draws:totable(), stds:totable(), y:totable(), 0
  local function phi(z) -- the normal distribution, by a series (Marsaglia 2004)
    local term, total, i = z, z, 1
    if z < -8 or z > 8 then return z < 0 and 0 or 1 end
    while total + term ~= total do
      i = i + 2
      term = term * z * z / i
      total = total + term
    end
    return 0.5 + total * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
  end
  local n = 4000
  local h = 24 / n
  for k = 0, n - 1 do
    local x, F = -12 + (k + 0.5) * h, 0
    for j = 1, S do F = F + phi((x - d[j][1][1]) / s[j][1][1]) / S end
    sum = sum + (F - (x >= t[1][1] and 1 or 0)) ^ 2 * h
  end
  local one = {mean = 0, draws = draws:narrow(2, 1, 1):narrow(3, 1, 1):contiguous(),
               draws_std = stds:narrow(2, 1, 1):narrow(3, 1, 1):contiguous()}
  lu.assertAlmostEquals(metrics.crps(one, {{t[1][1]}}), sum, 1e-2 * sum)
end

-- Far from all draws every density underflows, and its log does not.
function TestMixture.test_far_off_it_stays_finite()
  local far = metrics.log_predictive_density(mixture, y + 1e4)
  lu.assertTrue(far < -1e6 and far > -math.huge, far)
end

function TestMixture.test_refusals()
  local what = "bnn.metrics.log_predictive_density: "
  raises(what .. "prediction: expected one with its draws", metrics.log_predictive_density,
    {mean = y}, y)
  raises("prediction: expected one of numbers with a variance, got one of classes", metrics.crps,
    {mean = y, draws = draws}, y)
  raises(what .. "std 2: expected above 0, got 0", metrics.log_predictive_density, {0, 0}, {1, 0},
    {0, 0})
  raises("bnn.metrics.crps: std 1: expected at least 0, got -1", metrics.crps, {0}, {-1}, {0})
  raises({what, "target", "[7, 2]", "[6, 2]"}, metrics.log_predictive_density, mixture,
    y:narrow(1, 1, 6))
  raises("scale: expected 2 numbers, one for each column, got 3", metrics.log_predictive_density,
    mixture, y, {scale = {1, 2, 3}})
  raises("scale 1: expected a number above 0, got 0", metrics.log_predictive_density, mixture, y,
    {scale = 0})
end

TestDraws = {}

local net = bnn.nn.mlp{8, 1}
local x = bnn.randn(key:fold "x", 9, 3)
local posterior = bnn.posterior.meanfield(net:init(key, x), {logvar = -3})

-- They are the networks of the prediction, whose mean and deviation are its own.
local function check_draws(model, opts, support)
  opts.key, opts.draws = key, true
  local p = bnn.predict(model, x, opts)
  local n = support or opts.num_samples
  lu.assertEquals(p.draws:shape(), {n, 9, p.mean:size(2)})
  lu.assertTrue((p.draws:mean(1) - p.mean):abs():max():item() < 1e-5)
  local spread = ((p.draws - p.mean) ^ 2):mean(1):sqrt()
  lu.assertTrue((spread - p.std):abs():max():item() < 1e-5)
  return p
end

function TestDraws.test_of_a_fixed_sigma()
  local model = {net = net, posterior = posterior,
                 likelihood = bnn.likelihood.gaussian{sigma = 0.25}}
  local p = check_draws(model, {num_samples = 40})
  lu.assertEquals(p.draws_std:shape(), p.draws:shape())
  lu.assertTrue((p.draws_std - 0.25):abs():max():item() < 1e-7)
  local from = bnn.predict(model, x, {num_samples = 4, first = 3, key = key, draws = true})
  bits.assert_same(from.draws, p.draws:narrow(1, 3, 4):contiguous())
  raises("draws: expected none with previous", bnn.predict, model, x,
    {num_samples = 1, key = key, draws = true, previous = p})
end

function TestDraws.test_of_a_noise_that_the_network_says()
  local two = bnn.transform(function(input)
    local log_sigma = bnn.nn.mlp({8, 1}, {name = "log_sigma"})
    return bnn.nn.mlp({8, 1}, {name = "mean"})(input), log_sigma(input)
  end)
  local model = {net = two, likelihood = "gaussian",
                 posterior = bnn.posterior.meanfield(two:init(key, x), {logvar = -3})}
  local p = check_draws(model, {num_samples = 5})
  local rms = (p.draws_std ^ 2):mean(1):sqrt()
  lu.assertTrue((rms - p.noise_std):abs():max():item() < 1e-5)
end

function TestDraws.test_of_classes_and_of_an_ensemble()
  local three = bnn.nn.mlp{8, 3}
  local members = {}
  for i = 1, 4 do members[i] = three:init(key:fold(i), x) end
  local p = check_draws({net = three, likelihood = "categorical",
                         posterior = bnn.posterior.empirical(members)}, {}, 4)
  lu.assertNil(p.draws_std)
  raises("got one of classes", metrics.crps, p, y)
end

TestPit = {}

-- The mean over draws of Phi, which is that of N(0, 1) at 0, 1.96 and -1.
function TestPit.test_is_the_distribution_function_at_the_target()
  local phi = {0.5, 0.9750021048517795, 0.15865525393145707}
  local got = metrics.pit({0, 1, 3}, {1, 2, 0.5}, {0, 1 + 2 * 1.96, 2.5}):totable()
  for i, p in ipairs(phi) do lu.assertAlmostEquals(got[i], p, 1e-14) end
  local p = {mean = bnn.zeros(1, 2), draws = bnn.tensor{{{0, 1}}, {{-1.96, 0}}},
             draws_std = bnn.ones(2, 1, 2)}
  local of_draws = metrics.pit(p, bnn.zeros(1, 2))
  lu.assertEquals(of_draws:shape(), {1, 2})
  lu.assertAlmostEquals(of_draws:totable()[1][1], (phi[1] + phi[2]) / 2, 1e-8)
  lu.assertAlmostEquals(of_draws:totable()[1][2], (phi[3] + phi[1]) / 2, 1e-8)
  lu.assertEquals(metrics.pit({1, 1, 1}, {0, 0, 0}, {0.9, 1, 1.1}):totable(), {0, 1, 1})
end

function TestPit.test_histogram_counts_and_its_distance_is_the_largest_gap()
  local h = metrics.pit_histogram({0, 0, 0}, {1, 1, 1}, {-9, 0.1, 9}, {bins = 2})
  lu.assertEquals(h.n:totable(), {1, 2})
  lu.assertAlmostEquals(h.density:totable()[2], 4 / 3, 1e-14)
  lu.assertAlmostEquals(h.distance, 1 / 3, 1e-12) -- just after 0, and just before 1
  local one = metrics.pit_histogram({0, 0}, {1, 1}, {90, 90})
  lu.assertEquals(one.n:totable()[10], 2) -- the last bin has its end
  lu.assertAlmostEquals(one.distance, 1, 1e-14)
end

-- Each number of an example has its weight; transforms 0, 0.5 | 1, 0 | 0.5, 1.
function TestPit.test_histogram_adds_weights()
  local mean, std = {{0, 0}, {0, 0}, {0, 0}}, {{1, 1}, {1, 1}, {1, 1}}
  local target = {{-90, 0}, {90, -90}, {0, 90}}
  local h = metrics.pit_histogram(mean, std, target, {bins = 2, weight = {0.5, 0, 1.5}})
  lu.assertEquals({h.n:dtype(), h.n:totable()}, {"f64", {0.5, 3.5}})
  lu.assertEquals(h.density:totable(), {0.25, 1.75})
  lu.assertEquals(h.distance, 0.375) -- 0.5 / 4 of them lie below 0.5
end

-- Right distributions are flat, narrow ones a U, wide ones a hump.
function TestPit.test_histogram_tells_narrow_and_wide_from_right()
  local n = 4000
  local target = bnn.randn(key:fold "targets", n)
  local function shape(std)
    return metrics.pit_histogram(bnn.zeros(n), bnn.full({n}, std), target, {bins = 4})
  end
  local function edge(h) return h.density:totable()[1] + h.density:totable()[4] end
  lu.assertAlmostEquals(edge(shape(1)), 2, 0.2)
  lu.assertTrue(edge(shape(0.5)) > 2.5 and edge(shape(2)) < 1.5)
  lu.assertTrue(shape(1).distance < 2 / math.sqrt(n)) -- one in 1,500 is above
  lu.assertTrue(shape(0.5).distance > 0.1)
end

TestInterval = {}

function TestInterval.test_score_is_the_width_and_what_lies_outside()
  lu.assertEquals(metrics.interval_score({0}, {2}, {1}, 0.9), 2)
  lu.assertAlmostEquals(metrics.interval_score({0}, {2}, {3}, 0.9), 2 + 20, 1e-12)
  lu.assertAlmostEquals(metrics.interval_score({0}, {2}, {-0.5}, 0.5), 2 + 2, 1e-12)
  lu.assertAlmostEquals(metrics.interval_score({{0, 0}}, {{2, 4}}, {{1, 5}}, 0.5), 5, 1e-12)
  raises("bnn.metrics.interval_score: interval 2: expected lower up to upper, got 3 and 2",
    metrics.interval_score, {0, 3}, {2, 2}, {1, 1}, 0.9)
  raises("bnn.metrics.interval_score: level: expected", metrics.interval_score, {0}, {2}, {1}, 1)
end

-- Of all intervals the quantiles have the least score: proper (Gneiting & Raftery 2007).
function TestInterval.test_score_is_least_for_the_quantiles()
  local n = 4000
  local target = bnn.randn(key:fold "targets", n)
  local function score(reach)
    return metrics.interval_score(bnn.full({n}, -reach), bnn.full({n}, reach), target, 0.8)
  end
  local reach = metrics.normal_quantile(0.9)
  lu.assertTrue(score(reach) < score(0.7 * reach) and score(reach) < score(1.3 * reach))
end

TestSummary = {}

local function names_in(summary)
  local names = {}
  for name in pairs(summary) do names[#names + 1] = name end
  table.sort(names, strings.before)
  return table.concat(names, " ")
end

function TestSummary.test_has_what_applies_and_the_metrics_own_values()
  local three = bnn.nn.mlp{8, 3}
  local labels = bnn.tensor({0, 1, 2, 0, 1, 2, 0, 1, 2}, "i32")
  local p = bnn.predict({net = three, params = three:init(key, x), likelihood = "categorical"}, x,
    {key = key})
  local got = metrics.summary(p, labels)
  lu.assertEquals(names_in(got), "accuracy aurc balanced_accuracy brier cohens_kappa ece f1 nll")
  for name, value in pairs(got) do lu.assertEquals(value, (metrics[name](p, labels)), name) end
  local counts = {weight = {1, 2, 3, 1, 0.5, 1, 1, 2, 0}}
  for name, value in pairs(metrics.summary(p, labels, counts)) do
    lu.assertEquals(value, (metrics[name](p, labels, counts)), name)
    if name == "nll" or name == "aurc" then lu.assertNotEquals(value, got[name], name) end
  end
  lu.assertNil(metrics.summary(p, labels, {weight = bnn.full({9}, 1 / 9)}).aurc)

  local target = bnn.randn(key:fold "y", 9, 1)
  local model = {net = net, posterior = posterior,
                 likelihood = bnn.likelihood.gaussian{sigma = 0.25}}
  p = bnn.predict(model, x, {key = key, num_samples = 6, draws = true})
  got = metrics.summary(p, target)
  lu.assertEquals(names_in(got),
    "coverage_90 crps interval_score_90 log_predictive_density mae r2 rmse")
  lu.assertEquals(got.coverage_90, (metrics.coverage(p.mean, p.total_std, target, 0.9)))
  for _, name in ipairs{"crps", "log_predictive_density", "mae", "r2", "rmse"} do
    lu.assertEquals(got[name], (metrics[name](p, target)), name)
  end
  p = bnn.predict(model, x, {key = key, num_samples = 6})
  lu.assertEquals(names_in(metrics.summary(p, target)), "coverage_90 interval_score_90 mae r2 rmse")
  local with = metrics.summary(p, target, {bootstrap = {key = key, n = 50}})
  lu.assertEquals(names_in(with), "coverage_90 interval_score_90 intervals mae rmse")
  lu.assertEquals(names_in(with.intervals), "coverage_90 interval_score_90 mae rmse")
  local weight = {1, 2, 3, 4, 5, 6, 7, 8, 0}
  local weighted = metrics.summary(p, target, {weight = weight})
  for _, name in ipairs{"mae", "r2", "rmse"} do
    lu.assertEquals(weighted[name], metrics[name](p, target, {weight = weight}), name)
    lu.assertNotEquals(weighted[name], got[name], name)
  end
  lu.assertTrue(with.intervals.rmse[1] <= with.rmse and with.rmse <= with.intervals.rmse[2])
  raises("bnn.metrics.summary: prediction: expected what bnn.predict returned", metrics.summary, x,
    labels)
end

os.exit(lu.LuaUnit.run())
