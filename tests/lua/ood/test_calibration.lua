--- Calibration, scores of probabilities, temperature scaling, fits and conformal sets: cases worked
-- by hand, and what is guaranteed.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local metrics, tensor = bnn.metrics, bnn.tensor
local near = function(got, want, what) lu.assertAlmostEquals(got, want, 1e-6, what) end

local function check_refusals(f, rows)
  for i, row in ipairs(rows) do
    local ok, message = pcall(f, table.unpack(row, 2, row.n or #row))
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

TestScores = {}

-- Rounding may take a probability a little above 1: no score leaves its range by it. What is
-- further from one is refused, by name.
function TestScores.test_a_probability_a_hair_above_1_is_1()
  for _, over in ipairs{1 + 1e-7, 1 + 5e-4} do
    local row = {{over, 0, 0}, {0, 1, 0}}
    for _, h in ipairs(metrics.entropy(row):totable()) do lu.assertEquals(1 / h, math.huge) end
    lu.assertEquals(metrics.nll(row, {0, 1}), 0)
    lu.assertEquals(metrics.brier(row, {0, 1}), 0)
    lu.assertEquals(metrics.ece(row, {0, 1}), 0)
    lu.assertEquals(metrics.ece({over, 1}, {1, 1}), 0)
    lu.assertEquals(metrics.mce({over, 1}, {1, 1}), 0)
  end
  for _, name in ipairs{"entropy", "nll", "brier", "ece"} do
    for _, bad in ipairs{{1.002, 0}, {-0.01, 1.01}, {0 / 0, 1}} do
      lu.assertErrorMsgContains(name .. ": prediction 2", metrics[name], {{1, 0}, bad}, {0, 0})
    end
  end
  lu.assertErrorMsgContains("confidence 2: expected 0 to 1, got 1.002",
    metrics.ece, {1, 1.002}, {1, 1})
end

local p = {{0.7, 0.2, 0.1}, {0.1, 0.6, 0.3}, {0.25, 0.25, 0.5}}

function TestScores.test_worked_example()
  near(metrics.nll(p, {0, 2, 2}), -(math.log(0.7) + math.log(0.3) + math.log(0.5)) / 3)
  near(metrics.brier(p, {0, 2, 2}), (0.14 + 0.86 + 0.375) / 3)
  lu.assertEquals(metrics.top_k(p, {0, 2, 0}, 1), 1 / 3)
  lu.assertEquals(metrics.top_k(p, {0, 2, 0}, 2), 1)
  lu.assertEquals(metrics.top_k(p, {0, 2, 1}, 2), 2 / 3) -- of equal ones the first
  lu.assertEquals(metrics.top_k(p, {2, 0, 1}, 3), 1)
  near(metrics.nll({mean = tensor(p)}, tensor({0, 2, 2}, "i32")), metrics.nll(p, {0, 2, 2}))
end

function TestScores.test_ends_of_the_range()
  lu.assertEquals(metrics.brier({{1, 0}}, {1}), 2)
  lu.assertEquals(metrics.brier({{1, 0}}, {0}), 0)
  lu.assertEquals(metrics.nll({{1, 0}}, {1}), math.huge)
  lu.assertEquals(metrics.nll({{1, 0}}, {0}), 0)
end

function TestScores.test_confusion_matrix()
  local m = metrics.confusion_matrix({0, 1, 1, 2}, {0, 1, 2, 2})
  lu.assertEquals(m:totable(), {{1, 0, 0}, {0, 1, 0}, {0, 1, 1}})
  lu.assertEquals(metrics.confusion_matrix({0}, {0}, {classes = 2}):totable(), {{1, 0}, {0, 0}})
  -- class 2 is neither an answer nor a label, and has its row and column
  local answers = {{{0.5, 0.4, 0.1}, {0.2, 0.8, 0}}, {{3, 1, 2}, {0, 9, 1}}}
  answers[3] = {class = tensor({0, 1}, "i32"), mean = tensor(answers[1])}
  for _, prediction in ipairs(answers) do
    lu.assertEquals(metrics.confusion_matrix(prediction, {0, 1}):totable(),
      {{1, 0, 0}, {0, 1, 0}, {0, 0, 0}})
  end
  check_refusals(metrics.confusion_matrix, {
    {"label 1: expected a class in 0..1, got 2", {{1, 0}}, {2}},
    {"label 1 is 2, there are 2 classes", {2}, {0}, {classes = 2}},
    {"bootstrap: key: expected", {0}, {0}, {bootstrap = {}}},
  })
end

function TestScores.test_entropy_and_energy()
  local h = metrics.entropy({{1, 0}, {0.5, 0.5}}):totable()
  near(h[1], 0)
  near(h[2], math.log(2))
  near(metrics.energy({{0, 0}}):totable()[1], -math.log(2))
  near(metrics.energy({{1, 3}}, {temperature = 2}):totable()[1],
    -2 * math.log(math.exp(0.5) + math.exp(1.5)))
end

function TestScores.test_refusals()
  check_refusals(metrics.nll, {
    {"prediction 2: expected probabilities (softmax of logits), got 1.5 as their sum",
     {{0.5, 0.5}, {1, 0.5}}, {0, 0}},
    {"prediction 1: expected probabilities (softmax of logits), got -1 for class 0",
     {{-1, 2}}, {0}},
    {"prediction 1: class 1: expected a number, got nan", {{1, 0 / 0}}, {0}},
    {"nll: label 1: expected a class in 0..1, got 2", {{1, 0}}, {2}},
    {"got -1", {{1, 0}}, {-1}}, {"expected at least one prediction, got none", {}, {}},
    {"expected labels [1], got [2]", {{1, 0}}, {0, 0}},
    {"prediction: expected [n, classes], got [2]", {1, 0}, {0, 0}},
    {"element [1] is 0.5, which i32 cannot hold", {{1, 0}}, {0.5}},
    {"bnn.metrics.nll: labels: index or value out of range: element [1] is 0.5, which",
     {{1, 0}}, tensor{0.5}}, -- the line once
  })
  check_refusals(metrics.top_k, {
    {"k: expected an integer in 1..3, got 4", p, {0, 0, 0}, 4}, {"got 0", p, {0, 0, 0}, 0},
    {"got nil", p, {0, 0, 0}},
    {"top_k: label 2: expected a class in 0..2, got 3", p, {0, 3, 0}, 1},
  })
end

TestCalibration = {}

function TestCalibration.test_worked_example()
  -- bins of a quarter: (0, .25] holds .2 wrong; (.25, .5] .5 right and .4 wrong; (.75, 1] 1 right
  local c, right = {0.2, 0.5, 0.4, 1.0}, {0, 1, 0, 1}
  near(metrics.ece(c, right, {bins = 4}), (0.2 + 0.1 + 0) / 4)
  near(metrics.mce(c, right, {bins = 4}), 0.2)
  near(metrics.ece(c, right, {bins = 4, signed = true}), (2.1 - 2) / 4)
  local r = metrics.reliability(c, right, {bins = 4})
  lu.assertEquals(r.n:totable(), {1, 2, 0, 1})
  local accuracy, confidence = r.accuracy:totable(), r.confidence:totable()
  lu.assertEquals({accuracy[1], accuracy[2], accuracy[4]}, {0, 0.5, 1})
  near(confidence[2], 0.45)
  lu.assertTrue(accuracy[3] ~= accuracy[3] and confidence[3] ~= confidence[3]) -- empty
end

-- Edges belong to the bin below, and 0 to the first; in floats 0.2 * 15 is 3, as a double the float
-- 0.2 is more than 3/15.
function TestCalibration.test_bin_edges()
  local edges, right = {}, {}
  for m = 0, 15 do edges[m + 1], right[m + 1] = m / 15, 1 end
  for _, c in ipairs{edges, tensor(edges), tensor(edges, "f64")} do
    local n = metrics.reliability(c, right).n:totable()
    lu.assertEquals(n, {2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
  end
  local c = tensor({0.2, 0.4, 0.6, 0.8}, "f32")
  lu.assertEquals(metrics.reliability(c, {1, 1, 1, 1}).n:totable(),
    {0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0})
  local wide = metrics.reliability(c:to "f64", {1, 1, 1, 1}).n:totable()
  lu.assertEquals(wide[4], 1) -- 0.2f as a double: one bin up
end

function TestCalibration.test_adaptive_bins_have_equal_counts_and_keep_ties()
  local c, right = {0.9, 0.1, 0.5, 0.3}, {1, 0, 1, 0}
  local r = metrics.reliability(c, right, {bins = 2, adaptive = true})
  lu.assertEquals(r.n:totable(), {2, 2})
  near(metrics.adaptive_ece(c, right, {bins = 2}), (0.4 + 0.6) / 4)
  near(metrics.adaptive_mce(c, right, {bins = 2}), 0.3)
  near(metrics.adaptive_ece(c, right, {bins = 2, signed = true}), (1.8 - 2) / 4)
  near(metrics.aece(c, right, {bins = 2}), 0.25)
  r = metrics.reliability({0.5, 0.5, 0.5, 0.9}, right, {bins = 2, adaptive = true})
  lu.assertEquals(r.n:totable(), {3, 1})
end

function TestCalibration.test_of_predictions_is_that_of_their_confidences()
  local rows, y, c, right = {}, {}, {}, {}
  local u = bnn.rand(bnn.key(3), 400):totable()
  for i = 1, 200 do
    rows[i] = {u[i], 1 - u[i]}
    y[i] = u[200 + i] < 0.5 and 0 or 1
    c[i] = math.max(u[i], 1 - u[i])
    right[i] = (u[i] >= 1 - u[i]) == (y[i] == 0)
  end
  for _, name in ipairs{"ece", "mce", "adaptive_ece", "aurc"} do
    lu.assertEquals(metrics[name](rows, y), metrics[name](c, right), name)
  end
end

function TestCalibration.test_refusals()
  check_refusals(metrics.ece, {
    {"confidence 2: expected 0 to 1, got 1.5", {0.5, 1.5}, {1, 1}},
    {"prediction 2: expected a number, got nan", {0.5, 0 / 0}, {1, 1}},
    {"label 1: expected 0 or 1, got 3", {0.5}, {3}}, {"bins: expected", {0.5}, {1}, {bins = 0}},
    {"expected at least one prediction, got none", {}, {}},
  })
end

TestTemperature = {}

function TestTemperature.test_it_finds_the_temperature_that_made_the_labels()
  local n, classes, key = 20000, 5, bnn.key(1)
  local z = bnn.randn(key:fold "z", n, classes) * 2
  -- labels drawn from softmax(z / 2.5) by Gumbel's maximum
  local gumbel = -(-(bnn.rand(key:fold "u", n, classes) + 1e-7):log()):log()
  local y = ((z / 2.5 + gumbel):argmax(-1):real() - 1):to "i32"
  local t, fit = bnn.calibration.temperature{logits = z, labels = y}
  lu.assertAlmostEquals(t, 2.5, 0.1) -- about 4 standard errors of 0.025
  lu.assertTrue(fit.nll < fit.nll_before)
  local scaled = bnn.calibration.scale{logits = z, temperature = t}
  near(metrics.nll(scaled, y), fit.nll)
  near(metrics.nll(z:softmax(-1), y), fit.nll_before)
  for _, other in ipairs{t * 0.98, t * 1.02} do
    lu.assertTrue(metrics.nll(bnn.calibration.scale{logits = z, temperature = other}, y) > fit.nll)
  end
  local u = bnn.calibration.temperature{probabilities = z:softmax(-1), labels = y}
  lu.assertAlmostEquals(u, t, 1e-3)
  lu.assertEquals(metrics.accuracy(scaled, y), metrics.accuracy(z, y))
end

-- Two classes, logits (1, 0), three in four right: softmax is 3/4 at 1/T = log 3.
function TestTemperature.test_closed_form()
  local z = {{1, 0}, {1, 0}, {1, 0}, {1, 0}}
  local t = bnn.calibration.temperature{logits = z, labels = {0, 0, 0, 1}}
  lu.assertAlmostEquals(t, 1 / math.log(3), 1e-9)
end

function TestTemperature.test_without_an_inner_optimum_it_is_an_end_of_the_range()
  local z = {{1, 0}, {0, 1}}
  lu.assertEquals(bnn.calibration.temperature{logits = z, labels = {0, 1}}, 0.01)
  lu.assertEquals(bnn.calibration.temperature{logits = z, labels = {1, 0}}, 100)
  lu.assertEquals(bnn.calibration.temperature{logits = {{2, 2}}, labels = {0}}, 1)
  local sure = {{1, 0}, {1, 0}}
  local t = bnn.calibration.temperature{probabilities = sure, labels = {0, 1}} -- log 0 is finite
  lu.assertEquals(t, 100)
end

function TestTemperature.test_refusals()
  check_refusals(bnn.calibration.temperature, {
    {"calibration.temperature: expected logits= or probabilities=, got neither", {labels = {0}}},
    {"expected logits= or probabilities=, got both", {labels = {0}, logits = {{1}},
     probabilities = {{1}}}},
    {"logit 1 of example 1: expected a finite number, got inf", {labels = {0}, logits = {{0,
     1 / 0}}}},
    {"label 1 is 2", {labels = {2}, logits = {{0, 1}}}},
     {"labels: expected a tensor or a list, got nil", {logits = {{0, 1}}}},
  })
  check_refusals(bnn.calibration.scale,
    {{"temperature: expected", {logits = {{1}}, temperature = 0}}})
end

TestFit = {}

-- What bnn.predict gives for n examples of C classes and the labels, drawn from softmax(z / 2): the
-- network is over-confident.
local function drawn(key, n, classes)
  local z = bnn.randn(key:fold "z", n, classes) * 3
  local gumbel = -(-(bnn.rand(key:fold "u", n, classes) + 1e-7):log()):log()
  local mean, std = z:softmax(-1), bnn.rand(key:fold "std", n, classes) * 0.4
  local best = z:argmax(-1)
  local at = best:view(n, 1)
  return {
    mean = mean, std = std, class = (best:real() - 1):to "i32",
    probability = mean:gather(at, -1):view(n), class_std = std:gather(at, -1):view(n),
    entropy = metrics.entropy(mean), mine = bnn.rand(key:fold "mine", n),
  }, ((z / 2 + gumbel):argmax(-1):real() - 1):to "i32"
end

function TestFit.test_is_the_temperature_and_the_rule_and_what_they_do()
  local prediction, y = drawn(bnn.key(4), 3000, 4)
  local fit = bnn.calibration.fit{prediction = prediction, labels = y}
  local t, nll = bnn.calibration.temperature{probabilities = prediction, labels = y}
  lu.assertEquals({fit.temperature, fit.nll_before, fit.nll, fit.n},
    {t, nll.nll_before, nll.nll, 3000})
  lu.assertAlmostEquals(t, 2, 0.2)
  lu.assertEquals(fit.rule, bnn.ood.fit_threshold(prediction))
  lu.assertEquals(fit.ece_before, metrics.ece(prediction, y))
  lu.assertTrue(fit.ece < fit.ece_before / 2)
  local other = bnn.calibration.fit{prediction = prediction, labels = y, score = "mine",
                                    percentile = 0.5}
  lu.assertEquals(other.rule, bnn.ood.fit_threshold(prediction, {score = "mine", percentile = 0.5}))
end

-- A validation set on which every answer is right would make all answers certain.
function TestFit.test_without_an_inner_optimum_probabilities_stay()
  local prediction, never = drawn(bnn.key(5), 20, 3), {}
  for i, class in ipairs(prediction.class:totable()) do never[i] = (class + 1) % 3 end
  for _, labels in ipairs{prediction.class, never} do
    local fit = bnn.calibration.fit{prediction = prediction, labels = labels}
    lu.assertEquals({fit.temperature, fit.nll}, {1, fit.nll_before})
    near(fit.ece, fit.ece_before)
  end
end

function TestFit.test_applied_to_others_it_gives_what_it_says()
  local prediction, y = drawn(bnn.key(6), 2000, 4)
  local fit = bnn.calibration.fit{prediction = prediction, labels = y, percentile = 0.9}
  local copy = {}
  for name, value in pairs(prediction) do copy[name] = value end
  local applied = bnn.calibration.apply(fit, prediction)
  lu.assertEquals(prediction, copy) -- left alone
  near(metrics.nll(applied, y), fit.nll)
  near(metrics.ece(applied, y), fit.ece)
  local scaled = bnn.calibration.scale{probabilities = prediction, temperature = fit.temperature}
  bits.assert_same(applied.mean, scaled)
  bits.assert_same(applied.probability, (scaled:max(-1)))
  bits.assert_same(applied.entropy, metrics.entropy(scaled))
  for _, name in ipairs{"class", "std", "class_std", "mine"} do
    lu.assertIs(applied[name], prediction[name])
  end
  bits.assert_same(applied.abstains, bnn.ood.abstains(prediction, fit.rule))
  lu.assertEquals(applied.abstains:sum():item(), 200)
  bits.assert_same(applied.score, prediction.class_std:to "f64")
  lu.assertEquals(applied.temperature, fit.temperature)
end

-- The entropy at the temperature is another number than that which the rule was fitted on.
function TestFit.test_the_rule_sees_the_prediction_as_it_was()
  local prediction, y = drawn(bnn.key(7), 1000, 4)
  local fit = bnn.calibration.fit{prediction = prediction, labels = y, score = "entropy",
                                  percentile = 0.9}
  local applied = bnn.calibration.apply(fit, prediction)
  lu.assertEquals(applied.abstains:sum():item(), 100)
  bits.assert_same(applied.score, prediction.entropy:to "f64")
  bits.assert_differ(applied.entropy, prediction.entropy)
end

function TestFit.test_refusals()
  local good, y = drawn(bnn.key(8), 10, 3)
  local fit = bnn.calibration.fit{prediction = good, labels = y}
  local applied = bnn.calibration.apply(fit, good)
  local calibrated = "prediction: it is calibrated already, at temperature "
  local no_prediction = "prediction: expected what bnn.predict returns for classes, got "
  local bad = drawn(bnn.key(8), 10, 3)
  bad.mean = bad.mean * (0 / 0)
  check_refusals(bnn.calibration.fit, {
    {"bnn.calibration.fit: " .. no_prediction .. "nil", {labels = y}},
    {no_prediction .. "a tensor", {prediction = good.mean, labels = y}},
    {no_prediction .. "a table without class and mean", {prediction = {mean = good.mean},
     labels = y}},
    {"calibration.fit: " .. calibrated, {prediction = applied, labels = y}},
    {"expected labels [10], got [2]", {prediction = good, labels = {0, 1}}},
    {"calibration.fit: label 1: expected a class in 0..2, got 3",
     {prediction = good, labels = {3, 0, 0, 0, 0, 0, 0, 0, 0, 0}}},
    {"calibration.fit: prediction 1: ", {prediction = bad, labels = y}},
    {"unknown option 'percentil': did you mean 'percentile'?",
     {prediction = good, labels = y, percentil = 1}},
    {"calibration.fit: percentile: expected at most 1",
     {prediction = good, labels = y, percentile = 99}},
    {"calibration.fit: the prediction has no score \"stds\"",
     {prediction = good, labels = y, score = "stds"}},
  })
  local no_fit = "bnn.calibration.apply: fit: expected {temperature=, rule=}"
  check_refusals(bnn.calibration.apply, {
    {no_fit, nil, good, n = 3}, {no_fit, {}, good}, {no_fit, {temperature = 1}, good},
    {no_fit, {temperature = 0, rule = fit.rule}, good},
    {no_fit, {temperature = 1 / 0, rule = fit.rule}, good},
    {"calibration.apply: rule: expected {score=, threshold=}, as bnn.ood.fit_threshold returns",
     {temperature = 1, rule = {}}, good},
    {"bnn.calibration.apply: " .. no_prediction, fit, good.mean},
    {calibrated, fit, applied},
    {"calibration.apply: prediction 1: ", fit, bad},
  })
end

TestConformal = {}

function TestConformal.test_threshold_is_the_corrected_order_statistic()
  local scores = {}
  for i = 1, 9 do scores[i] = 10 - i end
  local rows = {{0.1, 9}, {0.2, 8}, {0.3, 7}, {0.5, 5}, {0.9, 1}, {0.95, 1}, {0.05, math.huge},
                {0.15, 9}}
  for _, row in ipairs(rows) do
    lu.assertEquals(bnn.conformal.threshold(scores, row[1]), row[2], row[1])
  end
  lu.assertEquals(scores[1], 9) -- left alone
end

function TestConformal.test_worked_example()
  local cal = {{0.9, 0.1, 0}, {0.6, 0.3, 0.1}, {0.2, 0.5, 0.3}, {0.25, 0.25, 0.5}}
  local fit = bnn.conformal.fit{probabilities = cal, labels = {0, 0, 2, 2}, alpha = 0.4}
  lu.assertEquals(fit.n, 4) -- scores .1 .4 .5 .7, the third of four: ceil(5 * .6)
  near(fit.threshold, 0.5)
  local sets = bnn.conformal.sets(fit, {{0.5, 0.5, 0}, {0.4, 0.3, 0.3}, {0, 0, 1}})
  lu.assertEquals(sets.member:totable(), {{1, 1, 0}, {0, 0, 0}, {0, 0, 1}})
  lu.assertEquals(sets.size:totable(), {2, 0, 1})
  lu.assertEquals(bnn.conformal.coverage(sets, {1, 0, 2}), 2 / 3)
end

function TestConformal.test_too_few_examples_promise_nothing_but_everything()
  local fit = bnn.conformal.fit{probabilities = {{1, 0}}, labels = {0}, alpha = 0.1}
  lu.assertEquals(fit.threshold, 1)
  lu.assertEquals(bnn.conformal.sets(fit, {{1, 0}}).member:totable(), {{1, 1}})
end

-- 200 draws of 99 calibration and 100 test examples, from a model that is wrong: coverage is
-- between 1 - alpha and 1 - alpha + 1/100 on average; its standard error is below 0.03 / sqrt(200)
-- * sqrt(2).
function TestConformal.test_coverage_is_as_promised_even_for_a_wrong_model()
  local sum, runs = 0, 200
  for run = 1, runs do
    local key = bnn.key(run)
    local z = bnn.randn(key:fold "z", 199, 4)
    local noise = -(-(bnn.rand(key:fold "u", 199, 4) + 1e-7):log()):log()
    local y = (z + noise):argmax(-1):real() - 1
    local wrong = (z * 5):softmax(-1)
    local fit = bnn.conformal.fit{probabilities = wrong:narrow(1, 1, 99), alpha = 0.2,
                                  labels = y:narrow(1, 1, 99):to "i32"}
    local sets = bnn.conformal.sets(fit, wrong:narrow(1, 100, 100))
    sum = sum + bnn.conformal.coverage(sets, y:narrow(1, 100, 100):to "i32")
  end
  lu.assertAlmostEquals(sum / runs, 0.805, 0.005 + 4 * 0.03 * math.sqrt(2 / runs))
end

function TestConformal.test_refusals()
  check_refusals(bnn.conformal.threshold, {
    {"alpha: expected a number between 0 and 1, got 0", {1}, 0}, {"got 1", {1}, 1},
    {"expected at least one score, got none", {}, 0.1},
    {"score 1: expected a number, got nan", {0 / 0}, 0.1},
  })
  check_refusals(bnn.conformal.sets, {{"what bnn.conformal.fit returns", 3, {{1}}}})
  check_refusals(bnn.conformal.coverage, {{"what bnn.conformal.sets returns", {}, {0}}})
end

os.exit(lu.LuaUnit.run())
