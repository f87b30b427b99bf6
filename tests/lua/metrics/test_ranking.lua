--- Metrics of scores that rank examples, in against out and sure against unsure: cases worked by
-- hand, properties, and the bootstrap.
local lu = require "luaunit"
local bnn = require "bnn"

local metrics, tensor = bnn.metrics, bnn.tensor
local near = function(got, want, what) lu.assertAlmostEquals(got, want, 1e-12, what) end

-- Row by row: pcall(f, ...) fails with these words.
local function check_refusals(f, rows)
  for i, row in ipairs(rows) do
    local ok, message = pcall(f, table.unpack(row, 2, row.n or #row))
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

-- n scores in [0, 1) with many ties, a third of them positive and shifted.
local function random_set(seed, n)
  local key = bnn.key(seed)
  local labels = bnn.rand(key:fold "labels", n):lt(1 / 3)
  local scores = ((bnn.rand(key:fold "scores", n) + labels * 0.3) * 20):totable()
  for i, v in ipairs(scores) do scores[i] = v // 1 end
  return tensor(scores), labels:to "i32"
end

TestRanking = {}

-- Positives 0.8 0.4 0.4, negatives 0.9 0.4 0.1: of nine pairs 0.8 wins two; each 0.4 wins one and
-- ties one.
local scores, labels = {0.9, 0.8, 0.4, 0.4, 0.4, 0.1}, {0, 1, 1, 1, 0, 0}

function TestRanking.test_worked_example()
  near(metrics.auroc(scores, labels), 5 / 9)
  -- thresholds 0.9: P 0, R 0;  0.8: 1/2, 1/3;  0.4: 3/5, 1
  local ap, interval, base = metrics.average_precision(scores, labels)
  near(ap, 1 / 3 * 1 / 2 + 2 / 3 * 3 / 5)
  lu.assertNil(interval)
  near(base, 0.5)
  near(metrics.aupr(scores, labels), 1 / 3 * (0 + 1 / 2) / 2 + 2 / 3 * (1 / 2 + 3 / 5) / 2)
  near(metrics.fpr95(scores, labels), 2 / 3) -- all of the tie at 0.4 is in
  near(metrics.fpr(scores, labels, {tpr = 1 / 3}), 1 / 3)
  -- negated, in-distribution positive: 0.1 first, then the tie, 0.8, 0.9
  near(metrics.fpr95(scores, labels, {positive = "in"}), 1)
  near(metrics.average_precision(scores, labels, {positive = "in"}),
    1 / 3 * 1 + 1 / 3 * 2 / 4 + 1 / 3 * 3 / 6)
end

function TestRanking.test_forms_of_the_arguments()
  local want = metrics.auroc(scores, labels)
  local flags = {false, true, true, true, false, false}
  local sets = {id = {0.9, 0.4, 0.1}, ood = tensor{0.8, 0.4, 0.4}:to "f64"}
  lu.assertEquals(metrics.auroc(scores, flags), want)
  lu.assertEquals(metrics.auroc(tensor(scores), tensor(labels, "u8")), want)
  lu.assertEquals(metrics.auroc({id = {0.9, 0.4, 0.1}, ood = {0.8, 0.4, 0.4}}), want)
  local key = bnn.key(1)
  local _, interval = metrics.auroc(sets, {bootstrap = {key = key, n = 50}})
  lu.assertEquals(#interval, 2)
  near(select(3, metrics.aupr({id = {1, 2, 3}, ood = {4}}, {positive = "in"})), 0.75)
end

function TestRanking.test_a_constant_score()
  local s, y = bnn.full({10}, 2), {1, 1, 1, 0, 0, 0, 0, 0, 0, 0}
  near(metrics.auroc(s, y), 0.5)
  near(metrics.average_precision(s, y), 0.3)
  near(metrics.aupr(s, y), 0.65)
  near(metrics.fpr95(s, y), 1)
end

function TestRanking.test_fpr95_counts_in_integers()
  -- 20 positives: 19 of them are 95%, exactly; the last stands below all negatives
  local s, y = {}, {}
  for i = 1, 19 do s[i], y[i] = 100 + i, 1 end
  for i = 20, 29 do s[i], y[i] = i, 0 end
  s[30], y[30] = -1, 1
  lu.assertEquals(metrics.fpr95(s, y), 0)
  s[19] = -2 -- 18 of 20 are not enough
  lu.assertEquals(metrics.fpr95(s, y), 1)
end

function TestRanking.test_infinities_are_scores_and_zero_has_no_sign()
  near(metrics.auroc({-1 / 0, 0, 1 / 0}, {0, 0, 1}), 1)
  near(metrics.auroc({0.0, -0.0}, {0, 1}), 0.5)
end

function TestRanking.test_negated_scores_mirror_auroc_and_monotone_maps_change_nothing()
  local s, y = random_set(3, 4001)
  local function all(x)
    return {metrics.auroc(x, y), metrics.average_precision(x, y), metrics.aupr(x, y),
            metrics.fpr95(x, y), metrics.fpr95(x, y, {positive = "in"})}
  end
  near(metrics.auroc(-s, y), 1 - metrics.auroc(s, y))
  lu.assertEquals(all(s * 8 - 3), all(s))
  lu.assertEquals(all((s / 20):exp()), all(s))
end

function TestRanking.test_the_order_of_the_examples_does_not_matter()
  local s, y = random_set(4, 1000)
  local order = bnn.permutation(bnn.key(9), 1000)
  local s2, y2 = s:index(1, order), y:real():index(1, order):to "i32"
  for _, name in ipairs{"auroc", "average_precision", "aupr", "fpr95", "aurc", "e_aurc", "augrc",
                        "adaptive_ece"} do
    local a, b = s / 30, s2 / 30 -- confidences are in [0, 1]
    lu.assertEquals(metrics[name](a, y), metrics[name](b, y2), name)
  end
end

function TestRanking.test_curves()
  local roc = metrics.roc_curve(scores, labels)
  lu.assertEquals(roc.threshold:totable(), {1 / 0, 0.9, 0.8, 0.4, 0.1})
  lu.assertEquals(roc.fpr:totable(), {0, 1 / 3, 1 / 3, 2 / 3, 1})
  lu.assertEquals(roc.tpr:totable(), {0, 0, 1 / 3, 1, 1})
  local pr = metrics.precision_recall_curve(scores, labels)
  lu.assertEquals(pr.recall:totable(), {0, 0, 1 / 3, 1, 1})
  lu.assertEquals(pr.precision:totable(), {1, 0, 1 / 2, 3 / 5, 1 / 2})
  lu.assertEquals(pr.base_rate, 0.5)
end

-- The copies of a row are as many rows; a score that nobody of weight has makes no point.
function TestRanking.test_curves_with_weights()
  local weight = {}
  for i = 1, #scores do weight[i] = i % 3 end
  local s, y = {}, {}
  for i, w in ipairs(weight) do
    for _ = 1, w do s[#s + 1], y[#y + 1] = scores[i], labels[i] end
  end
  for _, positive in ipairs{"out", "in"} do
    for _, name in ipairs{"roc_curve", "precision_recall_curve"} do
      local got = metrics[name](scores, labels, {weight = weight, positive = positive})
      local want = metrics[name](s, y, {positive = positive})
      for field, v in pairs(want) do
        local list = field == "base_rate" and {v} or v:totable()
        local mine = field == "base_rate" and {got[field]} or got[field]:totable()
        lu.assertEquals(mine, list, name .. " " .. field)
      end
    end
  end
end

function TestRanking.test_refusals()
  check_refusals(metrics.auroc, {
    {"score 2: expected a number, got nan", {1, 0 / 0}, {0, 1}},
    {"expected at least one score, got none", {}, {}},
    {"expected labels [3], got [2]", {1, 2, 3}, {0, 1}},
    {"scores: expected [n], got [1, 2]", {{1, 2}}, {0, 1}},
    {"expected labels 0 and 1 (in- and out-of-distribution), got 0 only", {1, 2}, {0, 0}},
    {"got 1 only", {1, 2}, {1, 1}},
    {"label 2: expected 0 or 1, got 2", {1, 2}, {0, 2}},
    {"labels: expected a tensor or a list, got nil", {1, 2}},
    {"ood: expected at least one score, got none", {id = {1}, ood = {}}},
    {"id: expected a tensor or a list, got nil", {ood = {1}}},
    {"unknown option 'out'", {id = {1}, out = {1}}},
    {"id score 1: expected a number, got nan", {id = {0 / 0}, ood = {1}}},
    {"unknown option 'boot'", {1, 2}, {0, 1}, {boot = {}}},
    {"key: expected", {1, 2}, {0, 1}, {bootstrap = {}}},
    {"level: expected less than 1", {1, 2}, {0, 1}, {bootstrap = {key = bnn.key(1), level = 1.0}}},
  })
  check_refusals(metrics.fpr, {{"tpr: expected", {1, 2}, {0, 1}, {tpr = 0}}})
  check_refusals(metrics.aupr, {{"positive: expected", {1, 2}, {0, 1}, {positive = "ood"}}})
end

function TestRanking.test_errors_point_at_the_caller()
  local ok, message = pcall(function() return metrics.auroc({1, 2}, {0, 0}), 1 end)
  lu.assertFalse(ok)
  lu.assertStrContains(message, "test_ranking.lua:")
end

TestSelective = {}

function TestSelective.test_worked_example()
  -- right, wrong, right, wrong by falling confidence: risks 0, 1/2, 1/3, 1/2
  local c, right = {0.9, 0.8, 0.7, 0.6}, {1, 0, 1, 0}
  local aurc = (0 + 1 / 2 + 1 / 3 + 1 / 2) / 4
  near(metrics.aurc(c, right), aurc)
  near(metrics.e_aurc(c, right), aurc - (0 + 0 + 1 / 3 + 2 / 4) / 4)
  near(metrics.augrc(c, right), (0 + 1 + 1 + 2) / 16)
  near(metrics.e_aurc({0.9, 0.8, 0.7, 0.6}, {1, 1, 0, 0}), 0)
end

function TestSelective.test_a_tie_spreads_its_errors()
  near(metrics.aurc({1, 1, 1, 1}, {0, 1, 1, 1}), 1 / 4)
  near(metrics.augrc({1, 1, 1, 1}, {0, 1, 1, 1}), (1 + 2 + 3 + 4) / 4 / 16)
  near(metrics.aurc({1, 0.5, 0.5}, {1, 1, 0}), (0 + 0.5 / 2 + 1 / 3) / 3)
end

function TestSelective.test_predictions_and_confidences_of_ones_own()
  local p = {{0.9, 0.1}, {0.2, 0.8}, {0.6, 0.4}}
  near(metrics.aurc(p, {1, 1, 0}), (1 + 1 / 2 + 1 / 3) / 3)
  near(metrics.aurc(p, {1, 1, 0}, {confidence = {-3, -1, -2}}), (0 + 0 + 1 / 3) / 3)
  near(metrics.aurc({mean = tensor(p)}, tensor({1, 1, 0}, "i32")), (1 + 1 / 2 + 1 / 3) / 3)
  check_refusals(metrics.aurc, {
    {"confidence: expected [3], got [2]", p, {1, 1, 0}, {confidence = {1, 2}}},
    {"confidence 2: expected a number, got nan", p, {1, 1, 0}, {confidence = {1, 0 / 0, 2}}},
    {"label 3: expected a class in 0..1, got 2", p, {1, 1, 2}},
    {"got 3 as their sum", {{1, 1, 1}}, {0}}, {"got 7 for class 1", {{0, 7}}, {0}},
  })
end

function TestSelective.test_curves()
  local c, right = {0.9, 0.7, 0.7, 0.6}, {1, 0, 1, 0}
  local risk = metrics.risk_coverage(c, right)
  lu.assertEquals(risk.coverage:totable(), {0.25, 0.75, 1})
  lu.assertEquals(risk.risk:totable(), {0, 1 / 3, 1 / 2})
  lu.assertEquals(risk.threshold:totable(), {0.9, 0.7, 0.6})
  local reject = metrics.reject_curve(c, right)
  lu.assertEquals(reject.rejected:totable(), {0, 0.25, 0.75})
  lu.assertEquals(reject.accuracy:totable(), {0.5, 1 - 1 / 3, 1})
  lu.assertEquals(reject.threshold:totable(), {0.6, 0.7, 0.9})
end

function TestSelective.test_curves_with_weights()
  local c, right = {0.9, 0.7, 0.7, 0.65, 0.6}, {1, 0, 1, 0, 0}
  local opts = {weight = {2, 1.5, 0.5, 0, 1}}
  local risk = metrics.risk_coverage(c, right, opts)
  lu.assertEquals(risk.coverage:totable(), {0.4, 0.8, 1})
  lu.assertEquals(risk.risk:totable(), {0, 0.375, 0.5})
  lu.assertEquals(risk.threshold:totable(), {0.9, 0.7, 0.6})
  local reject = metrics.reject_curve(c, right, opts)
  lu.assertEquals(reject.rejected:totable(), {0, 1 - 0.8, 0.6})
  lu.assertEquals(reject.accuracy:totable(), {0.5, 0.625, 1})
end

-- A row of weight k is k rows, in groups of a few and of many; a row of weight a + b is two, of a
-- and of b, one after the other if all are right or wrong.
function TestSelective.test_areas_are_of_as_many_answers_as_weights_say()
  local c, right = {0.9, 0.8, 0.7, 0.7, 0.6}, {1, 0, 1, 0, 1}
  for _, weight in ipairs{{2, 3, 1, 4, 2}, {900, 1, 70, 300, 5}, {1, 1000, 0, 65, 64}} do
    local cs, rights = {}, {}
    for i, w in ipairs(weight) do
      for _ = 1, w do cs[#cs + 1], rights[#rights + 1] = c[i], right[i] end
    end
    for _, name in ipairs{"aurc", "e_aurc", "augrc"} do
      near(metrics[name](c, right, {weight = weight}), metrics[name](cs, rights), name)
    end
  end
  for _, name in ipairs{"aurc", "e_aurc", "augrc"} do
    near(metrics[name]({4, 3, 2, 1}, {1, 0, 1, 0}, {weight = {2, 3, 40.25, 7}}),
      metrics[name]({6, 5, 4, 3, 2, 1}, {1, 0, 0, 1, 1, 0}, {weight = {2, 0.3, 2.7, 40, 0.25, 7}}))
  end
end

-- Of m right and then m wrong answers the curve is 0, then 1 - m / k: its mean is
-- (1 - log 2) / 2 of very many, within 1 / m.
function TestSelective.test_areas_of_large_weights_are_integrals()
  for _, m in ipairs{1e3 + 0.5, 1e9} do
    local value = metrics.aurc({2, 1}, {1, 0}, {weight = {m, m}})
    lu.assertAlmostEquals(value, (1 - math.log(2)) / 2, 1 / m)
    lu.assertAlmostEquals(metrics.e_aurc({2, 1}, {1, 0}, {weight = {m, m}}), 0, 1e-12)
    lu.assertAlmostEquals(metrics.augrc({2, 1}, {1, 0}, {weight = {m, m}}), 1 / 8, 1 / m)
  end
end

-- digamma(5.5) - digamma(3.5) = 1 / 3.5 + 1 / 4.5, and digamma(2) - digamma(1.5) = 2 log 2 - 1.
function TestSelective.test_areas_of_fractional_weights_are_by_the_digamma_function()
  local function aurc(...) return metrics.aurc({2, 1}, {0, 1}, {weight = {...}}) end
  near(aurc(2.5, 2), (2.5 + 2.5 * (1 / 3.5 + 1 / 4.5)) / 4.5)
  near(aurc(0.5, 1), (0.5 + 0.5 * (1 / 1.5)) / 1.5)
  near(metrics.aurc({3, 2, 1}, {0, 1, 1}, {weight = {0.5, 0.5, 1}}),
    (0.5 + 0.5 * (2 * math.log(2) - 1 + 1 / 2)) / 2)
end

TestBootstrap = {}

-- The intervals of every metric under these options.
local function intervals(boot)
  local s, y = random_set(5, 500)
  local c = s / 30
  local list = {}
  for _, name in ipairs{"auroc", "average_precision", "aupr", "fpr95", "aurc", "e_aurc", "augrc",
                        "ece", "mce", "adaptive_ece", "adaptive_mce"} do
    local value, interval = metrics[name](c, y, {bootstrap = boot})
    lu.assertEquals(value, (metrics[name](c, y)), name)
    lu.assertTrue(interval[1] <= interval[2], name)
    list[#list + 1] = interval
  end
  list[#list + 1] = select(2, metrics.quantile(s, 0.9, {bootstrap = boot}))
  list[#list + 1] = select(2, metrics.rmse(s, s * 2, {bootstrap = boot}))
  list[#list + 1] = select(2, metrics.coverage(s, s, s + 1, 0.9, {bootstrap = boot}))
  list[#list + 1] = select(2, metrics.accuracy(y, bnn.zeros({500}, "i32"), {bootstrap = boot}))
  return list
end

function TestBootstrap.test_the_same_key_gives_the_same_bits_on_any_number_of_threads()
  local before = bnn.threads()
  local boot = {key = bnn.key(7), n = 300}
  local want = intervals(boot)
  for _, threads in ipairs{1, 3} do
    bnn.threads(threads)
    lu.assertEquals(intervals(boot), want)
  end
  bnn.threads(before)
  lu.assertNotEquals(intervals{key = bnn.key(8), n = 300}, want)
end

function TestBootstrap.test_a_mean_has_the_normal_interval()
  local n = 2500
  local right = bnn.arange(1, n):le(1000):to "i32" -- 40%
  local value, interval = metrics.accuracy(right, bnn.ones({n}, "i32"),
    {bootstrap = {key = bnn.key(2), n = 4000, level = 0.9}})
  -- the standard error is sqrt(.4 * .6 / n) = 0.0098; a 5% quantile of 4000 resamples is within
  -- 4 * sqrt(.05 * .95 / 4000) / 0.103 = 0.13 of these
  lu.assertEquals(value, 0.4)
  local z = metrics.normal_quantile(0.95) * math.sqrt(0.24 / n)
  lu.assertAlmostEquals(interval[1], 0.4 - z, 0.14 * 0.0098 + 1 / n)
  lu.assertAlmostEquals(interval[2], 0.4 + z, 0.14 * 0.0098 + 1 / n)
end

-- AUROC of N(1, 1) against N(0, 1) is Phi(1 / sqrt 2) = 0.76025.
function TestBootstrap.test_intervals_cover_the_truth_as_often_as_they_say()
  local covered, runs = 0, 200
  for run = 1, runs do
    local key = bnn.key(run)
    local id, ood = bnn.randn(key:fold "in", 100), bnn.randn(key:fold "out", 100) + 1
    local sets = {id = id, ood = ood}
    local _, i = metrics.auroc(sets, {bootstrap = {key = key:fold "boot", n = 300, level = 0.9}})
    if i[1] <= 0.76025 and 0.76025 <= i[2] then covered = covered + 1 end
  end
  -- 0.9 within 4 * sqrt(.9 * .1 / 200) = 0.085, and a percentile interval's own error, O(1/n)
  lu.assertAlmostEquals(covered / runs, 0.9, 0.095)
end

function TestBootstrap.test_either_set_keeps_its_size()
  -- one out-of-distribution example: a resample of all would often have none
  local _, interval = metrics.auroc({id = {1, 2, 3, 4}, ood = {9}},
    {bootstrap = {key = bnn.key(1), n = 200}})
  lu.assertEquals(interval, {1, 1})
end

function TestBootstrap.test_what_is_infinite_counts_where_it_is_drawn()
  local _, interval = metrics.nll({{0, 1}, {0.5, 0.5}, {0.5, 0.5}}, {0, 0, 0},
    {bootstrap = {key = bnn.key(1), n = 200}})
  lu.assertAlmostEquals(interval[1], math.log(2), 1e-6)
  lu.assertEquals(interval[2], math.huge)
end

os.exit(lu.LuaUnit.run())
