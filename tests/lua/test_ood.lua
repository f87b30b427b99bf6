--- bnn.ood: the rule of refusal, worked by hand; reports of in against out; what is refused.
local lu = require "luaunit"
local folder = arg[0]:match "^(.*)/" or "."
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
  local rule = ood.threshold(p, {percentile = 0.6})
  lu.assertAlmostEquals(rule.threshold, 2.4, 1e-12)
  rule.threshold = nil
  lu.assertEquals(rule, {score = "class_std", percentile = 0.6, n = 5})
  lu.assertEquals(ood.threshold(p).percentile, 0.99)
  lu.assertAlmostEquals(ood.threshold(p).threshold, 3.96, 1e-12)
  lu.assertEquals(ood.threshold(p, {percentile = 1}).threshold, 4)
end

function TestRule.test_refuses_what_is_above_its_threshold_and_what_is_no_number()
  local rule = {score = "class_std", threshold = 2}
  local p = prediction_of{1, 2, 2.5, nan, 1 / 0, -1 / 0}
  lu.assertEquals(ood.is_refused(p, rule):totable(), {0, 0, 1, 1, 1, 0})
  local none = {mean = bnn.zeros(0, 2), class_std = bnn.zeros(0)}
  lu.assertEquals(ood.is_refused(none, rule):shape(), {0})
end

-- Between neighbours in float lies a threshold that float can not hold: it must not become either.
function TestRule.test_a_threshold_between_two_floats_tells_them_apart()
  local low, high = 1, 1 + 2.0 ^ -23
  for _, t in ipairs{low + 2.0 ^ -25, low + 3 * 2.0 ^ -25} do
    local refused = ood.is_refused(prediction_of{low, high}, {score = "class_std", threshold = t})
    lu.assertEquals(refused:totable(), {0, 1})
  end
end

function TestRule.test_scores_are_fields_and_what_follows_from_them()
  local p = prediction_of({0, 1}, {probability = tensor{0.75, 0.5}, mine = tensor{{3}, {7}}})
  local rule = ood.threshold(p, {score = "one_minus_probability", percentile = 1})
  lu.assertEquals(rule.threshold, 0.5)
  lu.assertEquals(ood.threshold(p, {score = "mine", percentile = 0}).threshold, 3)
  lu.assertEquals(ood.is_refused(p, {score = "mine", threshold = 5}):totable(), {0, 1})
end

function TestRule.test_refusals_of_threshold()
  local p = prediction_of({0, 1}, {probability = tensor{1, 1}, class = tensor({0, 1}, "i32")})
  local function with(x) return prediction_of({0, 1}, {class_std = x}) end
  check_refusals(ood.threshold, {
    {"the prediction is a number, what bnn.predict gives is wanted", 3},
    {"the prediction has no mean [n, ...]", {class_std = tensor{1}}},
    {{"ood.threshold: the prediction has no score \"clas_std\": did you mean 'class_std'?",
      "there are class_std, one_minus_probability"}, p, {score = "clas_std"}},
    {"no score \"class_std\": it has none at all", {mean = bnn.zeros(2, 1)}},
    {"it falls with doubt: one_minus_probability is the score", p, {score = "probability"}},
    {"a label is no score", p, {score = "class"}},
    {"score is a function, which no checkpoint can keep: a name is wanted", p, {score = print}},
    {"percentile = 99: at most 1 is wanted", p, {percentile = 99}},
    {"unknown option 'percent': did you mean 'percentile'?", p, {percent = 1}},
    {"the score of prediction 2 is not a number", prediction_of{0, nan}},
    {"there are no predictions", {mean = bnn.zeros(0, 2), class_std = bnn.zeros(0)}},
    {"class_std is [3], a number for each of 2 predictions is wanted", with(bnn.zeros(3))},
    {"lies between a score of -inf and one of inf", with(tensor{-1 / 0, 1 / 0}),
     {percentile = 0.5}},
  })
end

function TestRule.test_refusals_of_is_refused()
  local p = prediction_of{0, 1}
  check_refusals(ood.is_refused, {
    {"the rule is to be what ood.threshold gives", p},
    {"the rule is to be what ood.threshold gives", p, {score = "class_std"}},
    {"the rule is to be what ood.threshold gives", p, {threshold = 1, score = 2}},
    {"the threshold is not a number", p, {score = "class_std", threshold = nan}},
    {"no score \"energy\": there are class_std", p, {score = "energy", threshold = 1}},
    {"ood.is_refused: the prediction is a nil", nil, {score = "class_std", threshold = 1}, n = 3},
  })
end

os.exit(lu.LuaUnit.run())
