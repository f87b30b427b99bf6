--- Metrics of answers by class, and weighted metrics: values that scikit-learn 1.7 gives.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local metrics, raises = bnn.metrics, bits.raises

local LABELS = {0, 0, 0, 0, 1, 1, 1, 2, 2, 4}
local ANSWERS = {0, 0, 1, 2, 1, 1, 0, 2, 4, 4}
local WEIGHT = {0.5, 1, 2, 0, 1, 3, 1.5, 1, 1, 0.25}

-- Options, and the value without and with WEIGHT; kappa with labels=range(5), as class 3 has none.
local ROWS = {
  {"balanced_accuracy", {}, 0.6666666666666666, 0.663961038961039},
  {"f1", {}, 0.6011904761904762, 0.5392976588628763},
  {"f1", {average = "macro"}, 0.6011904761904762, 0.5392976588628763},
  {"f1", {average = "weighted"}, 0.5952380952380952, 0.6096122878731575},
  {"f1", {average = "micro"}, 0.6, 0.6},
  {"f1", {class = 0}, 4 / 7, 6 / 13},
  {"f1", {class = 3}, 0, 0},
  {"f1", {class = 4}, 2 / 3, 1 / 3},
  {"cohens_kappa", {}, 0.452054794520548, 0.37306501547987614},
  {"cohens_kappa", {distance = "linear"}, 0.5833333333333334, 0.5054945054945055},
  {"cohens_kappa", {distance = "quadratic"}, 0.7297297297297297, 0.6771879483500718},
}

TestAgreement = {}

function TestAgreement.test_values_of_scikit_learn()
  for _, row in ipairs(ROWS) do
    local f, opts = metrics[row[1]], row[2]
    local why = row[1] .. " " .. (opts.average or opts.class or opts.distance or "")
    lu.assertAlmostEquals(f(ANSWERS, LABELS, opts), row[3], 1e-14, why)
    opts.weight = WEIGHT
    lu.assertAlmostEquals(f(ANSWERS, LABELS, opts), row[4], 1e-14, why)
    opts.weight = nil
  end
end

function TestAgreement.test_of_scores_and_of_what_predict_returns()
  local p = bnn.tensor{{0.2, 0.7, 0.1}, {0.6, 0.3, 0.1}}
  lu.assertAlmostEquals(metrics.f1(p, {1, 2}), 1 / 3, 1e-14) -- the classes 1, 0 and 2
  lu.assertEquals(metrics.balanced_accuracy({mean = p}, {1, 2}), 0.5)
  lu.assertEquals(metrics.f1(p, {1, 2}, {class = 2}), 0)
end

function TestAgreement.test_refuses_what_is_no_metric()
  raises("bnn.metrics.f1: expected average or class, got both", metrics.f1, {0}, {0},
    {class = 0, average = "micro"})
  raises("bnn.metrics.f1: class: expected one in 0..1, got 2", metrics.f1, {0, 1}, {0, 1},
    {class = 2})
  raises("bnn.metrics.f1: average: expected", metrics.f1, {0}, {0}, {average = "binary"})
  raises("bnn.metrics.cohens_kappa: expected answers or labels of two classes, got one class alone",
    metrics.cohens_kappa, {1, 1}, {1, 1})
  raises("bnn.metrics.f1: label 1", metrics.f1, {0, 1}, {-1, 1})
end

-- Resamples of four examples may hold one class alone, where kappa is not defined.
function TestAgreement.test_intervals_leave_out_resamples_without_a_value()
  local value, edges = metrics.cohens_kappa({0, 0, 0, 1}, {0, 0, 0, 1},
    {bootstrap = {key = bnn.key(1), n = 200}})
  lu.assertEquals({value, edges}, {1, {1, 1}})
end

TestWeights = {}

function TestWeights.test_values_of_scikit_learn()
  local scores = {0.1, 0.4, 0.3, 0.8, 0.4, 0.2, 0.9, 0.5}
  local opts = {weight = {1, 0.5, 2, 0.25, 1, 3, 0.75, 1}}
  local flags = {0, 0, 1, 1, 1, 0, 0, 1}
  lu.assertAlmostEquals(metrics.auroc(scores, flags, opts), 0.8011204481792716, 1e-14)
  local ap, _, rate = metrics.average_precision(scores, flags, opts)
  lu.assertAlmostEquals(ap, 0.6766615737203973, 1e-14)
  lu.assertAlmostEquals(rate, 4.25 / 9.5, 1e-14)
  local p = {{0.7, 0.2, 0.1}, {0.1, 0.8, 0.1}, {0.3, 0.3, 0.4}, {0.5, 0.25, 0.25}}
  local labels = {0, 2, 2, 1}
  opts = {weight = {1, 2, 0.5, 4}}
  lu.assertAlmostEquals(metrics.nll(p, labels, opts), 1.462022392045795, 1e-14)
  lu.assertAlmostEquals(metrics.accuracy(p, labels, opts), 0.2, 1e-14)
  local x, y = {1, 2, 3, 4.5}, {1.5, 2, 2, 5}
  lu.assertAlmostEquals(metrics.r2(x, y, opts), 0.9059982094897046, 1e-14)
  lu.assertAlmostEquals(metrics.rmse(x, y, opts), 0.48304589153964794, 1e-14)
  lu.assertAlmostEquals(metrics.mae(x, y, opts), 0.4, 1e-14)
end

function TestWeights.test_confusion_matrix_adds_them()
  local m = metrics.confusion_matrix({0, 1, 1}, {0, 0, 1}, {weight = {0.5, 2, 3}})
  lu.assertEquals({m:dtype(), m:totable()}, {"f64", {{0.5, 2}, {0, 3}}})
  lu.assertEquals(metrics.confusion_matrix({0, 1, 1}, {0, 0, 1}):dtype(), "i64")
end

os.exit(lu.LuaUnit.run())
