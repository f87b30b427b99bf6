--- Banks of weights: draws, the mean, predictions with every member once, files, and that they are
-- not trained.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local core = require "bnn.core"

local raises = bits.raises
local key = bnn.key(8)
local net, x = bnn.nn.mlp{5, 3}, bnn.randn(key, 12, 6)
local members = {}
for i = 1, 4 do members[i] = net:init(key:fold(i), x) end
local q = bnn.posterior.empirical(members)
local model = {net = net, posterior = q, likelihood = "categorical"}

TestBank = {}

function TestBank.test_samples_are_its_members_in_turn()
  lu.assertEquals(q:support(), 4)
  for s = 1, 6 do
    bits.assert_same(q:sample(key, s), members[(s - 1) % 4 + 1], "sample " .. s)
  end
  bits.assert_same(q:sample(bnn.key(1)), q:sample(bnn.key(2)))
  bits.assert_same(q:samples(key, 3).flat, q.bank.flat:narrow(1, 1, 3))
  lu.assertEquals(tostring(q), "empirical posterior of 4 networks over 53 parameters in 4 tensors")
end

function TestBank.test_mean_is_that_of_the_members()
  local want = (members[1].flat + members[2].flat + members[3].flat + members[4].flat) / 4
  lu.assertTrue((q:mean().flat - want):abs():max():item() < 1e-6)
  local same = bnn.posterior.empirical{members[2], members[2], members[2]}
  bits.assert_same(same:mean(), members[2])
end

function TestBank.test_a_clone_shares_nothing()
  local copy = q:clone()
  copy.bank.flat:narrow(1, 1, 1)
  core.overwrite(copy.bank.flat:view(-1), bnn.zeros(4 * 53))
  bits.assert_same(q:sample(key, 1), members[1])
end

TestPredictions = {}

-- Probabilities of each member, written out.
local function of_members(n)
  local list = {}
  for i = 1, n do list[i] = net:apply(members[i], x):softmax(-1) end
  return list
end

function TestPredictions.test_every_member_counts_once()
  local p = bnn.predict(model, x, {key = key})
  local list, sum = of_members(4), bnn.zeros(12, 3)
  for i = 1, 4 do sum = sum + list[i] end
  local mean = sum / 4
  lu.assertEquals(p.num_samples, 4)
  lu.assertTrue((p.mean - mean):abs():max():item() < 1e-6)
  local expected, total = bnn.zeros(12), -(mean * mean:log()):sum(2)
  for i = 1, 4 do expected = expected - (list[i] * list[i]:log()):sum(2) / 4 end
  lu.assertTrue((p.entropy - total):abs():max():item() < 1e-5)
  lu.assertTrue((p.mutual_information - (total - expected)):abs():max():item() < 1e-5)
  local classes = {}
  for i = 1, 4 do classes[i] = list[i]:argmax(2):totable() end
  for row = 1, 12 do -- the share of votes that the largest class has
    local votes, most = {}, 0
    for i = 1, 4 do
      local class = classes[i][row]
      votes[class] = (votes[class] or 0) + 1
      most = math.max(most, votes[class])
    end
    lu.assertAlmostEquals(p.variation_ratio:totable()[row], 1 - most / 4, 1e-6)
  end
end

function TestPredictions.test_first_previous_and_auto_stay_within_the_members()
  local all = bnn.predict(model, x, {key = key})
  local two = bnn.predict(model, x, {key = key, num_samples = 2})
  bits.assert_same(bnn.predict(model, x, {key = key, num_samples = 2, previous = two}).mean,
    all.mean)
  raises("expected at most 4, the number of networks in the posterior, got 5", bnn.predict, model,
    x, {key = key, num_samples = 5})
  raises("expected at most 4", bnn.predict, model, x,
    {key = key, num_samples = 3, previous = two})
  local auto = bnn.predict(model, x, {key = key, num_samples = "auto", tolerance = 1e-9})
  lu.assertEquals({auto.num_samples, auto.reached}, {4, false})
  local last = bnn.predict(model, x, {key = key, num_samples = 1, first = 4})
  lu.assertTrue((last.mean - of_members(4)[4]):abs():max():item() < 1e-6)
end

function TestPredictions.test_calibrates_like_any_other()
  local y = bnn.tensor({0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}, "i32")
  local p = bnn.predict(model, x, {key = key})
  local ece = bnn.metrics.ece(p.mean, y)
  lu.assertTrue(ece >= 0 and ece <= 1)
end

TestFiles = {}

function TestFiles.test_saved_and_opened_like_any_other()
  local path = os.tmpname()
  assert(bnn.checkpoint.save(path, {posterior = q, model = bnn.checkpoint.describe(model)}))
  local opened = assert(bnn.checkpoint.open(path))
  bits.assert_same(opened.posterior.bank.flat, q.bank.flat)
  lu.assertEquals(opened.posterior:names(), q:names())
  bits.assert_same(bnn.predict(opened, x, {key = key}).mean,
    bnn.predict(model, x, {key = key}).mean)
  os.remove(path)
end

function TestFiles.test_params_get_its_mean()
  local params = net:init(bnn.key(99), x)
  lu.assertEquals(bnn.checkpoint.load_into(params, q), {})
  bits.assert_same(params, q:mean())
end

function TestFiles.test_a_bank_is_copied_into_one_of_as_many()
  local other = bnn.posterior.empirical{members[4], members[3], members[2], members[1]}
  lu.assertEquals(assert(bnn.checkpoint.load_into(other, q)), {})
  bits.assert_same(other.bank.flat, q.bank.flat)
  local one = bnn.posterior.empirical{members[4]}
  local ok, fault = bnn.checkpoint.load_into(one, q)
  lu.assertNil(ok)
  lu.assertStrContains(fault, "'bank/mlp/linear_0/w': expected [1, 6, 5], got [4, 6, 5]")
  bits.assert_same(one.bank[1], members[4])
end

TestRefusals = {}

function TestRefusals.test_it_is_not_trained()
  raises("expected one that can be trained, got empirical, which predicts", bnn.elbo,
    {net = net, posterior = q})
  raises("the empirical posterior predicts, it is not trained", bnn.optim.adam{}.init,
    bnn.optim.adam{}, q)
  raises("expected a posterior with a KL divergence, got empirical", q.kl, q)
end

function TestRefusals.test_what_is_no_bank()
  raises("expected samples, or a list of params", bnn.posterior.empirical, members[1])
  raises("expected samples, or a list of params", bnn.posterior.empirical, {})
  raises("a list of params", bnn.posterior.empirical, {1})
  raises("group 1: expected at most 1 tensors, got 2", core.posterior, {3},
    {{family = "point", tensors = 2, buffers = {bnn.zeros(3)}}})
  raises("no family of posteriors is called 'points'", core.posterior, {3},
    {{family = "points", tensors = 1, buffers = {bnn.zeros(3)}}})
  raises("empirical: expected a row or more", core.posterior, {3},
    {{family = "empirical", tensors = 1, buffers = {bnn.zeros(3)}}})
  raises("a posterior over 0 of 3 elements", core.posterior, {3}, {})
end

os.exit(lu.LuaUnit.run())
