--- Likelihoods: every row trains, predicts, is kept and shown; probabilities sum to 1, predictions
-- have the mean and the deviation of the distribution.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(3)
local N = 40
local x = bnn.randn(key:fold "x", N, 3)

-- Targets [N, 1] of each kind.
local function column(f)
  local list = {}
  for i = 1, N do list[i] = {f(i)} end
  return bnn.tensor(list)
end
local labels = {}
for i = 1, N do labels[i] = i % 4 end
labels = bnn.tensor(labels, "i32")
local counts = column(function(i) return i % 5 end)
local inside = column(function(i) return (i % 9 + 1) / 11 end) -- of (0, 1)
local bits_of = column(function(i) return i % 2 end)

-- A network of one value, and one of two: that and a parameter of its own.
local function one(width) return bnn.nn.mlp{6, width or 1} end
local function two(width)
  return bnn.transform(function(t)
    local h = bnn.nn.linear(6)(t):relu()
    return bnn.nn.linear(1)(h), bnn.nn.parameter("second", {width or 1}, bnn.nn.zeros)
  end)
end

local targets = {labels = labels, counts = counts, proportions = inside, bits = bits_of}
local rows = require "bnn.model.likelihood_rows"

-- f(likelihood, network, targets, what) for each example of each row.
local function each_case(f)
  for _, row in ipairs(rows) do
    for i, example in ipairs(row.examples) do
      local net = example.second and two(example.second) or one(example.outputs)
      f(bnn.likelihood[row.name](example.options), net, targets[example.targets or "proportions"],
        ("%s, example %d"):format(row.name, i))
    end
  end
end

local function objective_of(likelihood, net)
  local q = bnn.posterior.meanfield(net:init(key, x), {logvar = -6})
  return bnn.elbo{net = net, posterior = q, likelihood = likelihood, data_size = N,
                  temperature = 0.01}
end

TestRows = {}

function TestRows.test_there_are_many()
  lu.assertTrue(#rows >= 19)
  for _, row in ipairs(rows) do
    lu.assertIsFunction(bnn.likelihood[row.name])
    lu.assertTrue(#row.examples > 0, row.name)
    lu.assertStrContains(row.doc, "    bnn.likelihood." .. row.name)
    for option in pairs(row.options) do lu.assertStrContains(row.doc, "@param " .. option) end
  end
end

function TestRows.test_a_training_raises_the_log_likelihood()
  each_case(function(likelihood, net, y, what)
    if likelihood.name == "uniform" then return end -- flat: nothing pulls
    local objective = bnn.objective{net = net, params = net:init(key, x), likelihood = likelihood}
    local data = {x = x, y = y}
    assert(objective:check_data(data))
    local before = objective:evaluate(data, {key = key}).log_likelihood
    local state = bnn.optim.adam{lr = 0.005}:init(objective)
    for t = 1, 200 do assert(objective:step(state, data, key:fold(t))) end
    local after = objective:evaluate(data, {key = key}).log_likelihood
    lu.assertTrue(after > before + 0.01, what)
  end)
end

function TestRows.test_data_restore_it_and_the_log_likelihood()
  each_case(function(likelihood, net, y, what)
    local data = bnn.likelihood.describe(likelihood)
    local back = assert(bnn.likelihood.of_data(data))
    lu.assertEquals(bnn.likelihood.describe(back), data, what)
    local model = {net = net, params = net:init(key, x)}
    local function log_likelihood(own)
      model.likelihood = own
      return bnn.log_likelihood(model, {x = x, y = y}, {key = key})
    end
    lu.assertEquals(log_likelihood(back), log_likelihood(likelihood), what)
  end)
end

function TestRows.test_a_checkpoint_opens_with_it()
  local path = os.tmpname()
  each_case(function(likelihood, _, _, what)
    local net = one()
    local model = {net = net, likelihood = likelihood}
    assert(bnn.checkpoint.save(path, {params = net:init(key, x),
                                      model = bnn.checkpoint.describe(model)}))
    local opened = assert(bnn.checkpoint.open(path)).likelihood
    lu.assertEquals(bnn.likelihood.describe(opened), bnn.likelihood.describe(likelihood), what)
  end)
  os.remove(path)
end

-- A point has no spread: total_std is the noise's.
function TestRows.test_predictions_have_the_rows_of_the_data()
  each_case(function(likelihood, net, _, what)
    local p = bnn.predict({net = net, params = net:init(key, x), likelihood = likelihood}, x,
      {key = key})
    lu.assertEquals(p.mean:size(1), N, what)
    lu.assertEquals(p.class ~= nil, likelihood.classes == true, what)
    lu.assertEquals(p.total_std ~= nil, likelihood.variance ~= nil or likelihood.sigma ~= nil, what)
    if likelihood.classes then
      lu.assertAlmostEquals(p.mean:sum(2):max():item(), 1, 1e-5, what)
      lu.assertAlmostEquals(p.mean:sum(2):min():item(), 1, 1e-5, what)
    elseif p.total_std then
      bits.assert_same(p.total_std, p.noise_std)
      lu.assertTrue(p.total_std:min():item() > 0, what)
    end
  end)
end

function TestRows.test_a_name_alone_is_its_defaults()
  for _, name in ipairs{"poisson", "student_t", "scale_mixture"} do
    lu.assertEquals(bnn.likelihood.describe(bnn.likelihood.resolve(name)),
      bnn.likelihood.describe(bnn.likelihood[name]()))
  end
  raises("bnn.likelihood.binomial: trials: expected an integer", bnn.likelihood.resolve, "binomial")
end

-- ---- probabilities ----

TestMoments = {}

-- A network whose outputs are given: no parameter counts.
local function giving(...)
  local values = {...}
  return bnn.transform(function(t)
    local zero = t:narrow(2, 1, 1) * 0 + bnn.nn.parameter("none", {1}, bnn.nn.zeros) * 0
    if #values == 1 then return zero + values[1] end
    return zero + values[1], bnn.nn.parameter("two", {1}, function(_, shape)
      return bnn.full(shape, values[2])
    end)
  end)
end

-- mean, standard deviation and the sum of probabilities, from log p at `points` that are `width`
-- apart; beside what bnn.predict says.
local function check_moments(what, likelihood, points, width, ...)
  local net = giving(...)
  local column_of_0 = bnn.zeros(#points, 1)
  local model = {net = net, params = net:init(key, column_of_0), likelihood = likelihood}
  local list = {}
  for i, point in ipairs(points) do list[i] = {point} end
  local output = {...}
  local first = column_of_0 + output[1]
  local log_p = likelihood.log_prob(output[2] and {first, bnn.full({1}, output[2])} or first,
    bnn.tensor(list)):totable()
  local sum, mean, square = 0, 0, 0
  for i, point in ipairs(points) do
    local p = math.exp(log_p[i]) * width
    sum, mean, square = sum + p, mean + p * point, square + p * point * point
  end
  lu.assertAlmostEquals(sum, 1, 1e-3, what)
  local p = bnn.predict(model, bnn.zeros(1, 1), {key = key})
  lu.assertAlmostEquals(p.mean:item() / mean, 1, 2e-3, what)
  lu.assertAlmostEquals(p.total_std:item() / math.sqrt(square - mean * mean), 1, 5e-3, what)
end

local function range(from, to, step)
  local points = {}
  for i = 0, math.floor((to - from) / step + 0.5) do points[i + 1] = from + i * step end
  return points
end

function TestMoments.test_counts()
  local l = bnn.likelihood
  check_moments("poisson", l.poisson(), range(0, 60, 1), 1, math.log(7))
  check_moments("binomial", l.binomial{trials = 9}, range(0, 9, 1), 1, -0.4)
  check_moments("negative binomial", l.negative_binomial{total_count = 2.5}, range(0, 300, 1), 1,
    math.log(6))
  check_moments("its own count", l.negative_binomial(), range(0, 300, 1), 1, math.log(6),
    math.log(2.5))
end

function TestMoments.test_positive_numbers_and_proportions()
  local l, positive = bnn.likelihood, range(5e-4, 40, 1e-3)
  check_moments("log-normal", l.log_normal{scale = 0.4}, positive, 1e-3, 0.3)
  check_moments("its own scale", l.log_normal(), positive, 1e-3, 0.3, math.log(0.4))
  check_moments("gamma", l.gamma{shape = 3}, positive, 1e-3, math.log(2))
  check_moments("its own shape", l.gamma(), positive, 1e-3, math.log(2), math.log(3))
  local proportions = range(5e-5, 1, 1e-4)
  check_moments("beta", l.beta{concentration = 5}, proportions, 1e-4, 0.3)
  check_moments("its own concentration", l.beta(), proportions, 1e-4, 0.3, math.log(5))
end

function TestMoments.test_noise_of_a_density()
  local l, reals = bnn.likelihood, range(-20, 30, 1e-3)
  for _, name in ipairs{"normal", "laplace", "logistic"} do
    check_moments(name, l[name]{scale = 0.7}, reals, 1e-3, 1.5)
    check_moments(name .. " of its own", l[name](), reals, 1e-3, 1.5, math.log(0.7))
  end
  check_moments("student_t", l.student_t{df = 9, scale = 0.7}, reals, 1e-3, 1.5)
  check_moments("mixture", l.scale_mixture{sigma1 = 2, sigma2 = 0.1}, reals, 1e-3, 1.5)
  check_moments("spike and slab", l.spike_and_slab{slab = 1}, reals, 1e-3, 1.5)
  check_moments("uniform, not around 0", l.uniform{low = 0, high = 3}, reals, 1e-3, 1.5)
end

function TestMoments.test_a_gaussian_has_two_names()
  local output, y = bnn.randn(key, 5, 2), bnn.randn(key:fold(1), 5, 2)
  bits.assert_same(bnn.likelihood.normal{scale = 0.3}.log_prob(output, y),
    bnn.likelihood.gaussian{sigma = 0.3}.log_prob(output, y))
end

function TestMoments.test_noise_without_a_variance_has_no_total_std()
  for _, likelihood in ipairs{
    bnn.likelihood.cauchy{scale = 1}, bnn.likelihood.student_t{df = 1.5, scale = 1},
    bnn.likelihood.horseshoe{scale = 1},
  } do
    local net = giving(2)
    local p = bnn.predict({net = net, params = net:init(key, x), likelihood = likelihood}, x,
      {key = key})
    lu.assertNil(p.total_std)
    lu.assertEquals(p.mean:mean():item(), 2)
  end
end

-- ---- an order of classes ----

TestOrdinal = {}

local function sigmoid(t) return 1 / (1 + math.exp(-t)) end

function TestOrdinal.test_probabilities_are_differences_of_sigmoids()
  local cuts = {-1, 0.5, 0.75}
  local likelihood = bnn.likelihood.ordinal{classes = 4, thresholds = cuts}
  local scores = {-30, -2, 0, 0.6, 4, 25}
  local p = likelihood.predict(bnn.tensor(scores)):totable()
  for i, s in ipairs(scores) do
    local before = 0
    for k = 1, 4 do
      local upto = cuts[k] and sigmoid(cuts[k] - s) or 1
      lu.assertAlmostEquals(p[i][k], upto - before, 1e-6)
      before = upto
    end
  end
end

-- Far from the thresholds a class has a log probability still, and a gradient.
function TestOrdinal.test_extreme_scores_are_finite()
  local likelihood = bnn.likelihood.ordinal{classes = 3}
  local function loss(s) return likelihood.log_prob(s, bnn.tensor({0, 1, 2, 0}, "i32")):sum() end
  local scores = bnn.tensor{500, -500, -1e30, 1e30}
  local value, gradient = loss(scores):item(), bnn.grad(loss)(scores):totable()
  lu.assertTrue(value < -1e30 and value > -math.huge)
  for i, want in ipairs{-1, 1, 1, -1} do lu.assertAlmostEquals(gradient[i], want, 1e-6) end
end

function TestOrdinal.test_a_score_of_0_gives_all_classes_the_same()
  local p = bnn.likelihood.ordinal{classes = 5}.predict(bnn.zeros(1)):totable()[1]
  for k = 1, 5 do lu.assertAlmostEquals(p[k], 0.2, 1e-6) end
end

function TestOrdinal.test_thresholds_of_the_network_are_increasing()
  local likelihood = bnn.likelihood.ordinal{classes = 4}
  local raw = bnn.tensor{-0.5, 0, math.log(2)} -- thresholds -0.5, 0.5, 2.5
  local want = bnn.likelihood.ordinal{classes = 4, thresholds = {-0.5, 0.5, 2.5}}
  local scores = bnn.tensor{-1, 0, 2}
  lu.assertTrue((likelihood.predict{scores, raw} - want.predict(scores)):abs():max():item() < 1e-6)
end

-- ---- limits and refusals ----

TestLimits = {}

function TestLimits.test_counts_at_their_ends()
  local inf = math.huge
  for i, row in ipairs{
    {bnn.negative_binomial_log_prob(0, -inf, 2), 0},
    {bnn.negative_binomial_log_prob(3, -inf, 2), -inf},
    {bnn.negative_binomial_log_prob(0, 0, 1), math.log(0.5)},
    {bnn.negative_binomial_log_prob(-1, 0, 1), -inf},
    {bnn.binomial_log_prob(0, -inf, 4), 0}, {bnn.binomial_log_prob(4, inf, 4), 0},
    {bnn.binomial_log_prob(1, -inf, 4), -inf}, {bnn.binomial_log_prob(5, 0, 4), -inf},
    {bnn.binomial_log_prob(0, 0, 0), 0}, {bnn.binomial_log_prob(2, 0, 4), math.log(6 / 16)},
  } do
    local got = row[1]:item()
    if row[2] > -inf then
      lu.assertAlmostEquals(got, row[2], 1e-6, "row " .. i)
    else
      lu.assertEquals(got, row[2], "row " .. i)
    end
  end
end

-- With more and more failures at the same mean a negative binomial is a Poisson distribution.
function TestLimits.test_a_large_total_count_is_a_poisson_distribution()
  local y, log_mean = bnn.tensor{{0}, {3}, {50}}, bnn.full({3, 1}, math.log(4))
  local many = bnn.likelihood.negative_binomial{total_count = 1e6}.log_prob(log_mean, y)
  local want = bnn.likelihood.poisson().log_prob(log_mean, y)
  lu.assertTrue((many - want):abs():max():item() < 2e-3)
end

function TestLimits.test_refusals()
  local l = bnn.likelihood
  local output, y = bnn.zeros(4, 1), bnn.zeros(4, 1)
  for i, row in ipairs{
    {"bnn.likelihood.student_t: df: expected more than 0, got -1", l.student_t, {df = -1}},
    {"bnn.likelihood.student_t: scale: expected more than 0", l.student_t, {scale = 0}},
    {"bnn.likelihood.student_t: unknown option 'sigma'", l.student_t, {sigma = 1}},
    {"bnn.likelihood.binomial: trials: expected an integer", l.binomial, {}},
    {"ordinal: thresholds: expected 2 for 3 classes, got 1", l.ordinal,
     {classes = 3, thresholds = {1}}},
    {"ordinal: thresholds: expected increasing numbers", l.ordinal,
     {classes = 3, thresholds = {1, 1}}},
    {"laplace: expected y [4, 1], the shape of the network's output, got [4]",
     l.laplace{scale = 1}.log_prob, output, bnn.zeros(4)},
    {"laplace: expected one tensor from the network, got 2 values", l.laplace{scale = 1}.log_prob,
     {output, output}, y},
    {"laplace: expected two values from the network, location and log scale; laplace{scale = 1}",
     l.laplace().log_prob, output, y},
    {"gamma: expected y of type f32, got i32: y:real() converts", l.gamma{shape = 1}.log_prob,
     output, y:to "i32"},
    {"ordinal: expected scores [n] or [n, 1] from the network, got [4, 2]",
     l.ordinal{classes = 3}.log_prob, bnn.zeros(4, 2), labels},
    {"ordinal: expected thresholds [2] from the network, got [3]", l.ordinal{classes = 3}.log_prob,
     {output, bnn.zeros(3)}, labels},
    {"label 3 of example 3", l.ordinal{classes = 3}.log_prob, bnn.zeros(N, 1), labels},
    {"poisson: expected targets y, the data have none", l.poisson().log_prob, output},
  } do
    local ok, message = pcall(row[2], row[3], row[4])
    lu.assertFalse(ok, "row " .. i)
    message = tostring(message):gsub("f64", "f32")
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

-- Padded sequences: what is said at ignored positions, and how many there are, changes nothing.
function TestLimits.test_ignored_labels_count_nothing()
  local logits = bnn.randn(key:fold "logits", 2, 3, 4)
  local y = bnn.tensor({{1, 3, -100}, {2, -100, -100}}, "i32")
  local zeros = bnn.tensor({{1, 3, 0}, {2, 0, 0}}, "i32")
  local seen = bnn.tensor{{1, 1, 0}, {1, 0, 0}}
  local ours, all = bnn.likelihood.categorical{ignore_index = -100}, bnn.likelihood.categorical()
  local function masked(l) return -(bnn.cross_entropy(l, zeros) * seen):sum(2) end
  bits.assert_same(ours.log_prob(logits, y), masked(logits))
  bits.assert_same(bnn.grad(function(l) return ours.log_prob(l, y):sum() end)(logits),
    bnn.grad(function(l) return masked(l):sum() end)(logits))
  raises("label -100 of example 1 is outside 0..3", all.log_prob, logits, y)
  raises("label 4 of example 2 is outside 0..3", ours.log_prob, logits,
    bnn.tensor({{1, 3, -100}, {4, -100, -100}}, "i32"))
  local net = bnn.nn.linear(4)
  local objective = bnn.objective{net = net, params = net:init(key, logits), likelihood = ours}
  assert(objective:check_data{x = logits, y = y})
  assert(objective:step(bnn.optim.adam{}:init(objective), {x = logits, y = y}, key))
  lu.assertTrue(objective:evaluate({x = logits, y = y}, {key = key}).loss > 0)
  raises("ignore_index: expected an integer, got 1.5", bnn.likelihood.categorical,
    {ignore_index = 1.5})
  raises("expected an integer, got 1.5", bnn.cross_entropy, logits, zeros, 1.5)
end

-- u8 targets are images, which only a likelihood that says so takes.
function TestLimits.test_bytes_are_targets_where_the_likelihood_says_so()
  local bytes = bits_of:to "u8"
  local function step(likelihood)
    local objective = objective_of(likelihood, one())
    return objective:step(bnn.optim.adam{}:init(objective), {x = x, y = bytes}, key)
  end
  assert(step "bernoulli")
  local function log_prob(output, y) return bnn.bernoulli_log_prob(output, y):sum(2) end
  assert(step{log_prob = log_prob, u8_targets = true})
  raises("y: expected numbers of another type, got u8", step, {log_prob = log_prob})
  raises("y: expected numbers of another type, got u8", step, "poisson")
end

-- A likelihood of one's own may give its variance as a number.
function TestLimits.test_a_variance_of_ones_own_is_a_number_or_a_function()
  local net = one()
  local function total_std(variance)
    local own = {log_prob = function() end, variance = variance}
    return bnn.predict({net = net, params = net:init(key, x), likelihood = own}, x,
      {key = key}).total_std
  end
  bits.assert_same(total_std(4), bnn.full({N, 1}, 2))
  bits.assert_same(total_std(function(output) return output * 0 + 4 end), bnn.full({N, 1}, 2))
end

os.exit(lu.LuaUnit.run())
