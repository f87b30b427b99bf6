--- bnn.ood: the rule of abstention, worked by hand; reports; misuse.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local ood, tensor, nan = bnn.ood, bnn.tensor, 0 / 0

-- What bnn.predict would give for these scores, of two classes.
local function prediction_of(scores, fields)
  local p = {mean = bnn.full({#scores, 2}, 0.5), class_std = tensor(scores)}
  for name, value in pairs(fields or {}) do p[name] = value end
  return p
end

-- Row by row: f(...) raises a message with these words.
local function check_refusals(f, rows)
  for _, row in ipairs(rows) do bits.raises(row[1], f, table.unpack(row, 2, row.n or #row)) end
end

TestRule = {}

function TestRule.test_is_a_percentile_of_a_score_and_plain_data()
  local p = prediction_of{0, 1, 2, 3, 4}
  local rule = ood.fit_threshold(p, {percentile = 0.6})
  lu.assertAlmostEquals(rule.threshold, 2.4, 1e-12)
  rule.threshold = nil
  lu.assertEquals(rule, {score = "class_std", percentile = 0.6, n = 5})
  lu.assertEquals(ood.fit_threshold(p).percentile, 0.99)
  lu.assertAlmostEquals(ood.fit_threshold(p).threshold, 3.96, 1e-12)
  lu.assertEquals(ood.fit_threshold(p, {percentile = 1}).threshold, 4)
end

function TestRule.test_abstains_on_what_is_above_its_threshold_and_what_is_no_number()
  local rule = {score = "class_std", threshold = 2}
  local p = prediction_of{1, 2, 2.5, nan, 1 / 0, -1 / 0}
  lu.assertEquals(ood.abstains(p, rule):totable(), {0, 0, 1, 1, 1, 0})
  local none = {mean = bnn.zeros(0, 2), class_std = bnn.zeros(0)}
  lu.assertEquals(ood.abstains(none, rule):shape(), {0})
end

-- Between neighbours in float lies a threshold that float cannot hold: it must not become either.
function TestRule.test_a_threshold_between_two_floats_tells_them_apart()
  local low, high = 1, 1 + 2.0 ^ -23
  for _, t in ipairs{low + 2.0 ^ -25, low + 3 * 2.0 ^ -25} do
    local abstains = ood.abstains(prediction_of{low, high}, {score = "class_std", threshold = t})
    lu.assertEquals(abstains:totable(), {0, 1})
  end
end

function TestRule.test_scores_are_fields_and_what_follows_from_them()
  local p = prediction_of({0, 1}, {probability = tensor{0.75, 0.5}, mine = tensor{{3}, {7}}})
  local rule = ood.fit_threshold(p, {score = "one_minus_probability", percentile = 1})
  lu.assertEquals(rule.threshold, 0.5)
  lu.assertEquals(ood.fit_threshold(p, {score = "mine", percentile = 0}).threshold, 3)
  lu.assertEquals(ood.abstains(p, {score = "mine", threshold = 5}):totable(), {0, 1})
end

function TestRule.test_misuse_of_fit_threshold()
  local p = prediction_of({0, 1}, {probability = tensor{1, 1}, class = tensor({0, 1}, "i32")})
  local function with(x) return prediction_of({0, 1}, {class_std = x}) end
  check_refusals(ood.fit_threshold, {
    {"fit_threshold: prediction: expected what bnn.predict returns, got a number", 3},
    {"prediction: expected what bnn.predict returns, got a tensor", tensor{1}},
    {"got a table without mean [n, ...]", {class_std = tensor{1}}},
    {{"bnn.ood.fit_threshold: the prediction has no score \"clas_std\": did you mean 'class_std'?",
      "it has class_std, one_minus_probability"}, p, {score = "clas_std"}},
    {"no score \"class_std\": it has none at all", {mean = bnn.zeros(2, 1)}},
    {"score \"probability\": it falls with uncertainty; use one_minus_probability", p,
     {score = "probability"}},
    {"a label is not a score", p, {score = "class"}},
    {"score: expected a name, got a function, which a checkpoint cannot hold", p, {score = print}},
    {"percentile: expected at most 1, got 99", p, {percentile = 99}},
    {"unknown option 'percent': did you mean 'percentile'?", p, {percent = 1}},
    {"the score of prediction 2 is not a number", prediction_of{0, nan}},
    {"the prediction has no examples", {mean = bnn.zeros(0, 2), class_std = bnn.zeros(0)}},
    {"class_std: expected [2], got [3]", with(bnn.zeros(3))},
    {"percentile: 0.5 lies between a score of -inf and one of inf", with(tensor{-1 / 0, 1 / 0}),
     {percentile = 0.5}},
  })
end

function TestRule.test_misuse_of_abstains()
  local p = prediction_of{0, 1}
  check_refusals(ood.abstains, {
    {"bnn.ood.abstains: rule: expected {score=, threshold=}", p},
    {"as bnn.ood.fit_threshold returns, got a table", p, {score = "class_std"}},
    {"as bnn.ood.fit_threshold returns, got a table", p, {threshold = 1, score = 2}},
    {"rule.threshold: expected a number, got nan", p, {score = "class_std", threshold = nan}},
    {"no score \"energy\": it has class_std", p, {score = "energy", threshold = 1}},
    {"bnn.ood.abstains: prediction: expected what bnn.predict returns, got nil", nil,
     {score = "class_std", threshold = 1}, n = 3},
  })
end

function TestRule.test_old_names_say_the_new_ones()
  check_refusals(function(f) return f() end, {
    {"bnn.ood.threshold is now bnn.ood.fit_threshold", function() return ood.threshold end},
    {"bnn.ood.is_refused is now bnn.ood.abstains", function() return ood.is_refused end},
    {"bnn.ood.evaluate: inside is now id", function() ood.evaluate{inside = {}} end},
    {"bnn.ood.evaluate: outside is now ood", function() ood.evaluate{outside = {}} end},
    {"auroc: inside is now id", function() bnn.metrics.auroc{inside = {1}, outside = {2}} end},
    {"bnn.plot.roc: series 1: outside is now ood",
     function() bnn.plot.roc{series = {{id = {1}, outside = {2}}}} end},
  })
end

-- ---- evaluate ----

-- Sets whose examples hold their own prediction: x[i] = {probability of class 0, score}.
local function predict(x)
  local p, score = x:narrow(2, 1, 1), x:select(2, 2)
  return {mean = bnn.concat({p, 1 - p}, 2), class_std = score}
end

-- n examples, a share of them scored higher by `shift`, labelled 0 where p > 1/2 says so, but for
-- every tenth.
local function set_of(name, n, shift)
  local key = bnn.key(5):fold(name)
  local p, score = bnn.rand(key:fold "p", n, 1), bnn.rand(key:fold "score", n, 1) + shift
  local y = p:le(0.5):reshape(n):totable()
  for i = 1, n, 10 do y[i] = 1 - y[i] end
  return {x = bnn.concat({p, score}, 2), y = tensor(y, "i32"), title = name}
end

local id, near, far = set_of("digits", 200, 0), set_of("near", 80, 0.5), set_of("far", 60, 2)
local KEY = bnn.key(3)

local function evaluate(changes)
  local opts = {predict = predict, id = id, key = KEY, scores = {"class_std"},
                ood = {{name = "near", x = near.x}, {name = "far", x = far.x}}}
  for name, value in pairs(changes or {}) do opts[name] = value end
  return ood.evaluate(opts)
end

-- Rows of a half of the in-distribution set: which = 1, the one that is fitted on, or 2.
local function half(which)
  local order = bnn.permutation(KEY:fold "half", 200):totable()
  return table.move(order, which == 1 and 1 or 101, which == 1 and 100 or 200, 1, {})
end

local function share(values, above)
  local count = 0
  for _, v in ipairs(values) do count = count + (v > above and 1 or 0) end
  return count / #values
end

TestEvaluate = {}

function TestEvaluate.test_ranks_all_of_id_against_each_set_by_the_metrics()
  local r = evaluate()
  lu.assertEquals({r.id, r.ood, r.scores}, {"digits", {"near", "far"}, {"class_std"}})
  lu.assertEquals(r.n, {digits = 200, near = 80, far = 60})
  for name, set in pairs{near = near, far = far} do
    local both = {id = id.x:select(2, 2), ood = set.x:select(2, 2)}
    local got, m = r.ranking.class_std[name], bnn.metrics
    lu.assertEquals(got.auroc, (m.auroc(both)), name)
    for _, positive in ipairs{"out", "in"} do
      local o = {positive = positive}
      lu.assertEquals(got["average_precision_" .. positive], (m.average_precision(both, o)))
      lu.assertEquals(got["aupr_" .. positive], (m.aupr(both, o)))
      lu.assertEquals(got["fpr95_" .. positive], (m.fpr95(both, o)))
    end
    lu.assertEquals(got.base_rate, select(3, m.aupr(both)))
    lu.assertNil(got.intervals)
  end
  lu.assertEquals(r.ranking.class_std.far.auroc, 1)
end

function TestEvaluate.test_thresholds_are_fitted_on_one_half_and_reported_on_the_other()
  local r = evaluate{percentile = 0.9}
  lu.assertEquals({r.n_fit, r.n_report}, {100, 100})
  lu.assertEquals(r.fit_rows:totable(), half(1))
  local scores, labels = id.x:select(2, 2):totable(), id.y:totable()
  local fit, rest, right, kept = {}, {}, 0, 0
  for i, at in ipairs(half(1)) do fit[i] = scores[at] end
  local threshold = bnn.metrics.quantile(fit, 0.9)
  for i, at in ipairs(half(2)) do
    rest[i] = scores[at]
    local is_right = (id.x[at][1] < 0.5 and 1 or 0) == labels[at]
    if scores[at] <= threshold then
      kept, right = kept + 1, right + (is_right and 1 or 0)
    end
  end
  lu.assertEquals(r.rules.class_std,
    {score = "class_std", percentile = 0.9, threshold = threshold, n = 100})
  lu.assertAlmostEquals(r.abstained.class_std.digits, share(rest, threshold), 1e-12)
  lu.assertEquals(r.abstained.class_std.near, share(near.x:select(2, 2):totable(), threshold))
  lu.assertEquals(r.abstained.class_std.far, 1)
  lu.assertAlmostEquals(r.kept_accuracy.class_std, right / kept, 1e-12)
  lu.assertAlmostEquals(r.accuracy, 0.9, 1e-12) -- every tenth label is wrong
  local abstains = ood.abstains(predict(near.x), r.rules.class_std)
  lu.assertAlmostEquals(abstains:mean():item(), r.abstained.class_std.near, 1e-6)
end

function TestEvaluate.test_nothing_kept_has_no_accuracy()
  local fit = {}
  for i, at in ipairs(half(1)) do fit[at] = i end
  local function split(p) -- every score of the half that is fitted on is below the others
    local values = {}
    for i = 1, p.mean:size(1) do values[i] = fit[i] and 0 or 1 end
    return values
  end
  local r = evaluate{percentile = 0, scores = {split = split}}
  lu.assertEquals(r.abstained.split.digits, 1)
  lu.assertNil(r.kept_accuracy.split)
  lu.assertStrContains(r:text(), "none kept")
end

function TestEvaluate.test_conformal_sets_are_fitted_on_the_same_half()
  local r = evaluate{alpha = 0.2}
  local function rows(x, which) return x:index(1, tensor(half(which), "i64")) end
  local function labels(which)
    local all, some = id.y:totable(), {}
    for i, at in ipairs(half(which)) do some[i] = all[at] end
    return some
  end
  local fit = bnn.conformal.fit{probabilities = predict(rows(id.x, 1)), labels = labels(1),
                                alpha = 0.2}
  lu.assertEquals({r.conformal.threshold, r.conformal.n}, {fit.threshold, 100})
  local sets = bnn.conformal.sets(fit, predict(rows(id.x, 2)))
  local got = r.conformal.sets.digits
  lu.assertEquals(got.coverage, (bnn.conformal.coverage(sets, labels(2))))
  lu.assertAlmostEquals(got.size, sets.size:real():mean():item(), 1e-6)
  local other = bnn.conformal.sets(fit, predict(far.x)).size:totable()
  local not_single = 0
  for _, n in ipairs(other) do not_single = not_single + (n ~= 1 and 1 or 0) end
  lu.assertAlmostEquals(r.conformal.sets.far.not_single, not_single / 60, 1e-12)
  lu.assertNil(r.conformal.sets.far.coverage)
  lu.assertStrContains(evaluate{alpha = 1e-3}:text(),
    "100 are too few for that, and every set holds every class")
end

function TestEvaluate.test_each_set_is_predicted_once_and_no_prediction_is_kept()
  local calls, seen = 0, setmetatable({}, {__mode = "k"})
  local r = evaluate{predict = function(x)
    local p = predict(x)
    calls, seen[p] = calls + 1, true
    return p
  end}
  lu.assertEquals(calls, 3)
  collectgarbage()
  lu.assertNil(next(seen))
  lu.assertEquals(r.values.class_std.far:shape(), {60})
end

function TestEvaluate.test_forms_of_sets_and_scores()
  local r = evaluate{ood = {zeta = near.x, alpha = bnn.data.from_tensors{x = far.x}}}
  lu.assertEquals(r.ood, {"alpha", "zeta"}) -- by name
  lu.assertEquals(r.ranking.class_std.alpha.auroc, 1)
  r = evaluate{id = bnn.data.from_tensors{x = id.x, y = id.y}, ood = {}}
  lu.assertEquals({r.id, r.ood, r.ranking}, {"id", {}, {}})
  lu.assertStrContains(r:text(), "out: none")
  local function negated(p) return -p.class_std end
  r = evaluate{scores = {"class_std", negated = negated}}
  lu.assertEquals(r.scores, {"class_std", "negated"})
  lu.assertEquals(r.ranking.negated.far.auroc, 0)
  local function with_entropy(x)
    local p = predict(x)
    p.entropy, p.probability = bnn.metrics.entropy(p), p.mean:max(-1)
    return p
  end
  r = ood.evaluate{predict = with_entropy, id = id, ood = {}, key = KEY}
  lu.assertEquals(r.scores, {"class_std", "entropy", "one_minus_probability"})
end

function TestEvaluate.test_is_a_function_of_its_key()
  lu.assertEquals(evaluate():text(), evaluate():text())
  local other = evaluate{key = bnn.key(4)}
  lu.assertNotEquals(other.rules.class_std.threshold, evaluate().rules.class_std.threshold)
  lu.assertEquals(other.ranking, evaluate().ranking)
end

function TestEvaluate.test_bootstrap_gives_the_metrics_intervals()
  local bootstrap = {key = bnn.key(8), n = 50}
  local r = evaluate{bootstrap = bootstrap}
  local both = {id = id.x:select(2, 2), ood = near.x:select(2, 2)}
  local got = r.ranking.class_std.near
  local _, interval = bnn.metrics.auroc(both, {bootstrap = bootstrap})
  lu.assertEquals(got.intervals.auroc, interval)
  _, interval = bnn.metrics.fpr95(both, {positive = "in", bootstrap = bootstrap})
  lu.assertEquals(got.intervals.fpr95_in, interval)
  local text = ("%.4f (%.4f to %.4f)"):format(got.auroc, table.unpack(got.intervals.auroc))
  lu.assertStrContains(r:text(), text)
end

function TestEvaluate.test_the_tables_say_what_they_hold()
  local r = evaluate()
  local text = tostring(r)
  lu.assertEquals(text, r:text())
  bits.raises("report.refused is now report.abstained", function() return r.refused end)
  for _, piece in ipairs{
    "in: digits, 200 examples, accuracy 90.00%; out: near (80), far (60)",
    "scores above their 99th percentile on a half of digits (100)", "AP out", "AUPR in",
    "FPR95 out", "FPR95 in", "base rate", "at least 99%", "not one class",
    ("%.4f"):format(r.ranking.class_std.near.auroc), ("%.4g"):format(r.rules.class_std.threshold),
    ("%.2f%%"):format(100 * r.abstained.class_std.near),
  } do
    lu.assertStrContains(text, piece)
  end
  for percentile, name in pairs{
    [0.5] = "median", [0.01] = "1st", [0.52] = "52nd", [0.03] = "3rd", [0.11] = "11th",
    [0.13] = "13th", [0.991] = "99.1th", [0] = "0th", [1] = "100th",
  } do
    lu.assertStrContains(evaluate{percentile = percentile}:text(), "above their " .. name)
  end
end

function TestEvaluate.test_every_figure_is_a_row_of_the_log()
  local log = bnn.log.memory()
  local r = evaluate{log = log, step = 7, bootstrap = {key = KEY, n = 20}}
  lu.assertEquals({#log.blocks, log.blocks[1].step}, {1, 7})
  lu.assertEquals(log.blocks[1].rows, r:rows())
  local near_figures = r.ranking.class_std.near
  for name, value in pairs{
    ["ood/accuracy"] = r.accuracy, ["ood/class_std/near/auroc"] = near_figures.auroc,
    ["ood/class_std/near/auroc/low"] = near_figures.intervals.auroc[1],
    ["ood/class_std/near/base_rate"] = near_figures.base_rate,
    ["ood/class_std/threshold"] = r.rules.class_std.threshold,
    ["ood/class_std/digits/refused"] = r.abstained.class_std.digits,
    ["ood/class_std/far/refused"] = 1, ["ood/class_std/kept_accuracy"] = r.kept_accuracy.class_std,
    ["ood/conformal/digits/coverage"] = r.conformal.sets.digits.coverage,
    ["ood/conformal/far/not_single"] = r.conformal.sets.far.not_single,
  } do
    lu.assertEquals((log:last(name)), value, name)
  end
end

function TestEvaluate.test_refusals()
  local none, nans = bnn.zeros(0, 2), tensor{{0.5, 1}, {0.5, nan}}
  local function without(name)
    return {predict = name ~= "predict" and predict or nil, key = name ~= "key" and KEY or nil,
            id = name ~= "id" and id or nil, ood = name ~= "ood" and {} or nil}
  end
  for _, name in ipairs{"predict", "id", "ood", "key"} do
    bits.raises({"bnn.ood.evaluate", name .. ": expected"}, ood.evaluate, without(name))
  end
  local function part(x, y) return {x = x, y = y, title = "digits"} end
  check_refusals(evaluate, {
    {"unknown option 'odd': did you mean 'ood'?", {odd = {}}},
    {"bnn.ood.evaluate: bnn.log: expected a function of (step, rows)", {log = 3}},
    {"id: expected {x=, y= labels}, got a tensor", {id = near.x}},
    {"digits: y: expected labels [80], got nothing", {id = part(near.x)}},
    {"digits: expected at least 1 example, got 0", {id = part(none, tensor({}, "i32"))}},
    {"digits: expected at least 2 examples, as one half is fitted on, got 1",
     {id = part(bnn.full({1, 2}, 0.5), {0})}},
    {"bnn.ood.evaluate: digits: expected labels [80], got [200]",
     {id = part(near.x, id.y)}},
    {"label 80: expected a class in 0..1, got 2",
     {id = part(near.x, (bnn.arange(1, 80):eq(80) * 2):to "i32")}},
    {"near: expected at least 1 example, got 0", {ood = {near = none}}},
    {"near: expected a part of a data set, {x= [n, ...]}, got x = nil", {ood = {near = {y = 3}}}},
    {"ood: expected {name = part, ...}, got a part of a data set", {ood = id}},
    {"ood: expected {name = part, ...}, got a part of a data set",
      {ood = bnn.data.from_tensors{x = {a = bnn.ones(4, 2), b = bnn.ones(4, 3)}}}},
    {"ood[2]: name: expected a string, got nil", {ood = {{name = "a", x = near.x}, {x = near.x}}}},
    {'two sets are called "digits"', {ood = {digits = near.x}}},
    {'ood: expected a list or {name = part, ...}, got a list with "b"', {ood = {{name = "a",
     x = near.x}, b = near.x}}},
    {"scores: expected at least one, got none", {scores = {}}},
    {"scores[1]: expected a name, or name = function, got a function", {scores = {print}}},
    {"scores.mine: expected a function of a prediction, got a number", {scores = {mine = 3}}},
    {'scores names "class_std" twice', {scores = {"class_std", class_std = print}}},
    {"the prediction has no score \"energy\": it has class_std", {scores = {"energy"}}},
    {"ood: class_std: the score of prediction 2 is not a number",
     {ood = {ood = nans}}},
    {"what the score's function returns: expected [200], got [3]",
     {scores = {mine = function() return {1, 2, 3} end}}},
    {"what the score's function returns: expected a tensor or a list, got nil",
     {scores = {mine = function() end}}},
    {"percentile: expected at most 1, got 99", {percentile = 99}},
    {"alpha: expected less than 1, got 1", {alpha = 1}},
    {"bootstrap: key: expected", {bootstrap = {}}},
  })
end

function TestEvaluate.test_refusals_of_what_predict_gives()
  local function giving(f) return {predict = function(x) return f(predict(x)) end} end
  check_refusals(evaluate, {
    {"digits: prediction: expected what bnn.predict returns, got nil", giving(function() end)},
    {"digits: predict: expected 200 predictions, got 5",
     giving(function() return {mean = bnn.full({5, 2}, 0.5)} end)},
    {"digits: predict: expected at least 2 classes, got 1",
     giving(function(p) return {mean = bnn.ones(200, 1), class_std = p.class_std} end)},
    {"digits: prediction 1: expected probabilities (softmax of logits), got 2 as their sum",
     giving(function(p) return {mean = p.mean * 0 + 1, class_std = p.class_std} end)},
    {"digits: prediction 1: class 0: expected a number, got nan",
     giving(function(p) return {mean = p.mean * nan, class_std = p.class_std} end)},
  })
  bits.raises("the prediction has none of the scores class_std", ood.evaluate, {
    predict = function(x) return {mean = predict(x).mean} end, id = id, ood = {},
    key = KEY,
  })
end

-- ---- figures ----

local scratch = os.tmpname()
os.remove(scratch)
local GNUPLOT = require("bnn.core").run_program{"gnuplot", "-V"} ~= nil

TestFigures = {}

function TestFigures.test_a_histogram_and_a_roc_curve_for_each_score()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local function same(p) return p.class_std end
  local r = evaluate{scores = {"class_std", ["A score!"] = same, ["a_score_"] = same},
                     figures = scratch, title = "a network"}
  local names = {}
  for i, path in ipairs(r.figures) do
    names[i] = path:sub(#scratch + 2)
    local file <close> = assert(io.open(path))
    local svg = file:read "a"
    lu.assertStrContains(svg, "</svg>")
    lu.assertStrContains(svg, "near")
    lu.assertStrContains(svg, "a network")
    local is_histogram = path:find "histogram" ~= nil
    lu.assertEquals(svg:find "near: [%d.]+%% refused" ~= nil, is_histogram)
    lu.assertEquals(svg:find "refused above [%d.]+" ~= nil, is_histogram)
  end
  lu.assertEquals(names, {
    "ood_histogram_class_std.svg", "ood_roc_class_std.svg", "ood_histogram_a_score_.svg",
    "ood_roc_a_score_.svg", "ood_histogram_a_score__2.svg", "ood_roc_a_score__2.svg",
  })
  lu.assertEquals(#evaluate{ood = {}, figures = scratch}.figures, 1)
end

function TestFigures.test_a_threshold_that_is_infinite_is_not_drawn()
  lu.skipIf(not GNUPLOT, "no gnuplot")
  local r = evaluate{scores = {big = function(p) return p.class_std / 0 end}, figures = scratch}
  lu.assertEquals(r.rules.big.threshold, 1 / 0)
  lu.assertEquals(#r.figures, 2)
end

function TestFigures.test_none_where_none_are_asked_for_or_can_be_drawn()
  lu.assertEquals(evaluate().figures, {})
  lu.assertEquals(evaluate{figures = ""}.figures, {})
  local file = assert(io.open(scratch .. "_file", "w"))
  file:close()
  lu.assertEquals(evaluate{figures = scratch .. "_file"}.figures, {}) -- and the run went on
end

local status = lu.LuaUnit.run()
os.execute(("rm -rf '%s' '%s_file'"):format(scratch, scratch))
os.exit(status)
