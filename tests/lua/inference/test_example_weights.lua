--- Weights of examples: an example of weight k is k examples, in every loss.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises, key = bits.raises, bnn.key(7)
local N = 12
local x = bnn.randn(key:fold "x", N, 5)
local labels = bnn.tensor({0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}, "i32")
local WEIGHT = {1, 0, 3, 2, 1, 0, 1, 2, 0, 1, 4, 1} -- 16 examples

-- The rows as often as WEIGHT says.
local copies = {}
for i, w in ipairs(WEIGHT) do
  for _ = 1, w do copies[#copies + 1] = i end
end
copies = bnn.tensor(copies, "i32")

local function assert_near(got, want, why)
  local most = (got - want):abs():max():item()
  lu.assertTrue(most <= 1e-5 * (1 + want:abs():max():item()), ("%s: %g apart"):format(why, most))
end

-- Makes the same objective each time: the draws of its weights do not depend on the rows.
local OBJECTIVES = {
  elbo = function(likelihood)
    local net = bnn.nn.mlp{4, 3}
    local q = bnn.posterior.meanfield(net:init(key, x), {logvar = -6})
    return bnn.elbo{net = net, posterior = q, likelihood = likelihood or "categorical", beta = 0.01}
  end,
  two_samples_in_shards = function()
    local net = bnn.nn.mlp{4, 3}
    local q = bnn.posterior.meanfield(net:init(key, x), {logvar = -6})
    return bnn.elbo{net = net, posterior = q, likelihood = "categorical", beta = 0.01,
                    num_samples = 2, shards = 2}
  end,
  prior_in_the_program = function()
    local net = bnn.nn.mlp{4, 3}
    local q = bnn.posterior.meanfield(net:init(key, x), {logvar = -6})
    return bnn.elbo{net = net, posterior = q, likelihood = "categorical", beta = 0.01,
                    prior = function(w) return -(w ^ 2) end}
  end,
  loss_of_ones_own = function()
    local net = bnn.nn.mlp{4, 3}
    return bnn.objective{params = net:init(key, x), weight_decay = 0.1,
      loss = function(params, batch)
        lu.assertNil(batch.weight)
        return bnn.cross_entropy(net:apply(params, batch.x), batch.y)
      end}
  end,
}

local function gradient_of(objective, batch)
  local g = objective:gradient(batch, key:fold "step")
  return g.mu and g.mu.flat or g.flat
end

-- The gradient of the penalties alone, which weights leave as it is.
local function gradient_of_penalty(make)
  local objective = make()
  local batch = {x = x, y = labels, weight = bnn.zeros(N)}
  return gradient_of(objective, batch)
end

TestLoss = {}

-- L is a mean over the rows of the batch: 12 L of 12 weighted rows has the 16 L of 16 copies.
for name, make in pairs(OBJECTIVES) do
  TestLoss["test_a_weight_counts_as_copies_" .. name] = function()
    local penalty = gradient_of_penalty(make)
    local weighted = gradient_of(make(), {x = x, y = labels, weight = WEIGHT}) - penalty
    local copied = gradient_of(make(), {x = x:index(copies), y = labels:index(copies)}) - penalty
    lu.assertTrue(copied:abs():max():item() > 1e-3)
    assert_near(weighted * N, copied * #copies, name)
  end
end

function TestLoss.test_every_likelihood()
  local targets = {
    categorical = labels, gaussian = bnn.randn(key:fold "y", N, 3), poisson = labels:real(),
    bernoulli = labels:real():ge(1):real(),
  }
  for name, y in pairs(targets) do
    if y:dim() == 1 and name ~= "categorical" then y = y:view(N, 1) end
    local likelihood = name == "gaussian" and bnn.likelihood.gaussian{sigma = 0.5} or name
    local function make()
      local net = bnn.nn.mlp{4, y:dim() > 1 and y:size(2) or 3}
      local q = bnn.posterior.meanfield(net:init(key, x), {logvar = -6})
      return bnn.elbo{net = net, posterior = q, likelihood = likelihood, beta = 0}
    end
    local weighted = gradient_of(make(), {x = x, y = y, weight = WEIGHT})
    local copied = gradient_of(make(), {x = x:index(copies), y = y:index(copies)})
    assert_near(weighted * N, copied * #copies, name)
  end
end

function TestLoss.test_other_estimators()
  for _, estimator in ipairs{"local_reparameterization", "flipout"} do
    local function make()
      local net = bnn.nn.mlp{4, 3}
      local q = bnn.posterior.meanfield(net:init(key, x), {logvar = -6})
      return bnn.elbo{net = net, posterior = q, likelihood = "categorical", beta = 0,
                      estimator = estimator}
    end
    local function loss(weight)
      return gradient_of(make(), {x = x, y = labels, weight = weight})
    end
    local ones = bnn.ones(N)
    bits.assert_same(loss(ones), gradient_of(make(), {x = x, y = labels}))
    assert_near(loss(ones * 2), loss(ones) * 2, estimator)
  end
end

function TestLoss.test_evaluate_weighs_the_loss_and_leaves_figures()
  local objective = OBJECTIVES.elbo()
  local one = objective:evaluate({x = x, y = labels, weight = WEIGHT}, {key = key})
  local many = objective:evaluate({x = x:index(copies), y = labels:index(copies)}, {key = key})
  lu.assertAlmostEquals(one.log_likelihood * N, many.log_likelihood * #copies, 1e-4)
  lu.assertAlmostEquals(one.loss, -one.log_likelihood, 1e-6)
  lu.assertAlmostEquals(one.kl_divergence, many.kl_divergence, 1e-6)
  local net = bnn.nn.mlp{3}
  local own = bnn.objective{params = net:init(key, x), loss = function(params, batch)
    local output = net:apply(params, batch.x)
    return bnn.cross_entropy(output, batch.y), {first = batch.x:select(2, 1)}
  end}
  local part = bnn.data.from_tensors{x = x, y = labels, weight = WEIGHT}
  lu.assertAlmostEquals(own:evaluate(part, {key = key}).first, x:select(2, 1):mean():item(), 1e-6)
end

function TestLoss.test_training_reads_the_weights_of_its_data()
  local function trained(part)
    local objective = OBJECTIVES.loss_of_ones_own()
    bnn.train{objective = objective, optimizer = bnn.optim.sgd{lr = 0.1}, data = part, steps = 4,
              batch_size = 6, key = key}
    return objective.params.flat
  end
  local part = bnn.data.from_tensors{x = x, y = labels}
  local plain = trained(part)
  bits.assert_same(trained(part:with{weight = bnn.ones(N)}), plain)
  lu.assertTrue((trained(part:with{weight = WEIGHT}) - plain):abs():max():item() > 1e-4)
  -- a batch of one's own has them too
  local objective, opt = OBJECTIVES.loss_of_ones_own(), bnn.optim.sgd{lr = 0.1}
  local state, step = opt:init(objective), 0
  for batch in part:with{weight = WEIGHT}:batches{size = 6, key = key, epochs = 2} do
    step = step + 1
    objective:step(state, {x = batch.x, y = batch.y, weight = batch.weight}, key:fold(step))
  end
  assert_near(objective.params.flat, trained(part:with{weight = WEIGHT}), "own loop")
end

function TestLoss.test_refuses_what_are_no_weights()
  local objective = OBJECTIVES.elbo()
  local function with(weight) return {x = x, y = labels, weight = weight} end
  local what = "objective:gradient: "
  raises({what, "weight: expected [12], a number for each example, got [3]"}, objective.gradient,
    objective, with{1, 2, 3}, key)
  local bad = bnn.ones(N):totable()
  bad[4] = -0.5
  raises({what, "weight 4: expected a finite number of at least 0, got -0.5"}, objective.gradient,
    objective, with(bad), key)
  bad[4] = 0 / 0
  raises({what, "weight 4: expected a finite number"}, objective.gradient, objective, with(bad),
    key)
  raises({what, "weight: expected a tensor [n] or a list of numbers, got a string"},
    objective.gradient, objective, with "all", key)
end

TestParts = {}

function TestParts.test_keep_their_weights()
  local part = bnn.data.from_tensors{x = x, y = labels, weight = WEIGHT}
  lu.assertStrContains(tostring(part), ", weight")
  lu.assertEquals(part.weight:totable(), WEIGHT)
  lu.assertEquals(part:slice(3, 4).weight:totable(), {3, 2})
  lu.assertEquals(part:index{11, 1}.weight:totable(), {4, 1})
  lu.assertEquals(part:with{x = x * 2}.weight:totable(), WEIGHT)
  lu.assertEquals(bnn.data.standardise(part).weight:totable(), WEIGHT)
  local first, second = bnn.data.random_split(part, {fraction = 0.5, key = key})
  lu.assertEquals(first.weight:sum():item() + second.weight:sum():item(), 16)
  raises("bnn.data.from_tensors: weight 2: expected a finite number of at least 0, got -1",
    bnn.data.from_tensors, {x = bnn.ones(2, 1), weight = {1, -1}})
  raises("bnn.data.from_tensors: weight: expected [2]", bnn.data.from_tensors,
    {x = bnn.ones(2, 1), weight = {1}})
end

function TestParts.test_augmented_keep_their_weights()
  local part = bnn.data.from_tensors{x = bnn.ones(4, 5, 5), y = bnn.tensor({0, 1, 0, 1}, "i32"),
                                     weight = {1, 2, 3, 4}}
  local augmented = part:augment{bnn.augment.shift(1)}
  lu.assertEquals(augmented.weight:totable(), {1, 2, 3, 4})
  for batch in augmented:batches{size = 4, key = key} do
    lu.assertEquals({batch.x:shape(), batch.weight:sum():item()}, {{4, 5, 5}, 10})
  end
end

-- A mixed example has the weights of both, times their shares, and so have its classes of it: the
-- loss, which is linear in them, is the sum of both weighted ones.
function TestParts.test_mixed_examples_have_the_weights_of_both()
  local function batch_of(weight, apart)
    local part = bnn.data.from_tensors{x = x, y = labels, weight = weight}
    if not apart then part = part:augment{bnn.augment.mixup(1)} end
    return part:batches{size = N, key = key}()
  end
  local apart = batch_of(WEIGHT, true)
  local plain, same, mixed = batch_of(nil), batch_of(bnn.full({N}, 2)), batch_of(WEIGHT)
  lu.assertNil(plain.weight)
  lu.assertEquals(same.weight:totable(), bnn.full({N}, 2):totable())
  bits.assert_same(mixed.x, plain.x)
  assert_near(same.y, plain.y, "equal weights")
  assert_near(mixed.y:sum(2), bnn.ones(N), "shares")
  local weighed, count = (mixed.y * mixed.weight:view(N, 1)):totable(), 0
  for i, row in ipairs(plain.y:totable()) do
    local own, weight = apart.y[i] + 1, apart.weight[i]
    for class, share in ipairs(row) do -- of two classes each is one example's
      if class ~= own and share > 0 then
        lu.assertAlmostEquals(weighed[i][own], row[own] * weight, 1e-5)
        lu.assertAlmostEquals(weighed[i][class] + row[own] * weight, mixed.weight[i], 1e-5)
        count = count + 1
      end
    end
  end
  lu.assertTrue(count >= 3, count)
  local function gradient(batch) return bits.of(gradient_of(OBJECTIVES.elbo(), batch)) end
  lu.assertEquals(gradient(mixed), gradient{x = mixed.x, y = mixed.y, weight = mixed.weight})
  lu.assertNotEquals(gradient(mixed), gradient{x = mixed.x, y = mixed.y})
  lu.assertNotEquals(gradient(mixed), gradient(plain))
end

function TestParts.test_weights_are_mixed_without_targets_too()
  local ones = bnn.data.from_tensors{x = bnn.arange(1, N):view(N, 1), weight = bnn.arange(1, N)}
  local batch = ones:augment{bnn.augment.mixup(1)}:batches{size = N, key = key}()
  assert_near(batch.weight, batch.x:view(N), "the same shares")
  lu.assertNil(batch.y)
end

TestClasses = {}

-- scikit-learn's compute_class_weight("balanced"): n / (C n_c).
function TestClasses.test_weights_balance_the_classes()
  local y = bnn.tensor({0, 0, 0, 1, 2, 2}, "i32")
  local weights = bnn.data.class_weights(y):totable()
  for c, want in ipairs{6 / 9, 2, 1} do lu.assertAlmostEquals(weights[c], want, 1e-6) end
  local part = bnn.data.weigh_classes(bnn.data.from_tensors{x = bnn.ones(6, 1), y = y})
  lu.assertAlmostEquals(part.weight:mean():item(), 1, 1e-6)
  raises("bnn.data.class_weights: y: expected examples of every class, got none of class 1",
    bnn.data.class_weights, {0, 2})
  raises("bnn.data.class_weights: y: expected labels of 0 to 1, got 2", bnn.data.class_weights,
    {0, 2}, {classes = 2})
end

function TestClasses.test_weights_by_name_multiply_those_that_are_there()
  local part = bnn.data.from_tensors{x = bnn.ones(3, 1), y = bnn.tensor({0, 1, 1}, "i32"),
                                     classes = {"cat", "dog"}, weight = {1, 2, 3}}
  lu.assertEquals(bnn.data.weigh_classes(part, {dog = 5, cat = 2}).weight:totable(), {2, 10, 15})
  lu.assertEquals(bnn.data.weigh_classes(part, {2, 5}).weight:totable(), {2, 10, 15})
  raises("bnn.data.weigh_classes: weights: ", bnn.data.weigh_classes, part, {dog = 5})
  for _, one in ipairs{{1}, bnn.ones(1)} do
    raises("weights: expected one for each of the 2 classes, got 1", bnn.data.weigh_classes, part,
      one)
  end
  raises("unknown option 'cow'", bnn.data.weigh_classes, part, {dog = 5, cat = 1, cow = 1})
  raises("bnn.data.weigh_classes: y: expected labels of 0 to 0, got 1", bnn.data.weigh_classes,
    bnn.data.from_tensors{x = part.x, y = part.y}, {3})
end

os.exit(lu.LuaUnit.run())
