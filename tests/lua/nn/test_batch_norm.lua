--- batch_norm: values and gradients against ops, its running statistics through steps, predictions,
-- posteriors, checkpoints and averages; state and is_training of layers of one's own.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local nn, key, raises = bnn.nn, bnn.key(7), bits.raises
local n = 12
local x = bnn.randn(key:fold "x", n, 1, 5, 5) * 2 + 1
local rows = {}
for i = 1, n do rows[i] = i % 3 end
local y = bnn.tensor(rows, "i32")
local batch = {x = x, y = y}

local function assert_near(got, want, tolerance)
  lu.assertEquals(got:shape(), want:shape())
  lu.assertTrue((got - want):abs():max():item() <= (tolerance or 1e-5))
end

local function new_net(opts)
  return nn.sequential{nn.conv2d(3, 3), nn.batch_norm(opts), nn.relu(), nn.flatten(), nn.linear(4),
    nn.batch_norm(opts), nn.relu(), nn.linear(3)}
end

local net = new_net()
local MEAN, VAR = "sequential/batch_norm_0/running_mean", "sequential/batch_norm_0/running_var"
local W = "sequential/conv2d_0/w"

local function initial() return net:init(key:fold "init", x) end

-- An objective of these parameters or this posterior.
local function objective_of(own, opts)
  local spec = {net = net, likelihood = "categorical", data_size = n}
  spec[bnn.params.is(own) and "params" or "posterior"] = own
  for name, value in pairs(opts or {}) do spec[name] = value end
  return bnn.objective(spec)
end

local function train(own, steps, opts)
  local objective = objective_of(own, opts)
  local state = bnn.optim.adamw{lr = 1e-2, weight_decay = 0.1}:init(objective)
  for i = 1, steps do assert(objective:step(state, batch, key:fold(i))) end
  return objective
end

-- Mean and unbiased variance of each channel of h [n, c, ...].
local function statistics_of(h)
  local rank = h:dim()
  local axes = rank == 4 and {1, 3, 4} or {1}
  local count = h:numel() // h:size(2)
  return h:mean(axes), h:var(axes) * (count / (count - 1))
end

TestValues = {}

-- By mean, square and division, for images and for features.
function TestValues.test_a_batch_is_normalised_by_its_own_statistics()
  for _, shape in ipairs{{6, 3, 2, 4}, {6, 3}, {4, 70}, {3, 2, 67}} do
    local h = bnn.randn(key:fold(#shape), table.unpack(shape)) * 3 + 2
    local c, axes = shape[2], {1}
    local beside = {1, c}
    for axis = 3, #shape do axes[#axes + 1], beside[axis] = axis, 1 end
    local gain, bias = bnn.rand(key, c) + 0.5, bnn.randn(key, c)
    local function plainly(v)
      local centred = v - v:mean(axes, true)
      local scale = ((centred * centred):mean(axes, true) + 0.1) ^ -0.5
      return centred * scale * gain:reshape(beside) + bias:reshape(beside)
    end
    local function by_op(v) return v:batch_norm(gain, bias, 0.1) end
    assert_near(by_op(h), plainly(h))
    local weights = bnn.randn(key:fold "weights", table.unpack(shape))
    local function gradient(f)
      return bnn.grad(function(v) return (f(v) * weights):sum() end)(h)
    end
    assert_near(gradient(by_op), gradient(plainly))
    local function of_gain(f) return bnn.grad(f)(gain) end
    assert_near(of_gain(function(g) return (h:batch_norm(g, bias, 0.1) * weights):sum() end),
      ((plainly(h) - bias:reshape(beside)) / gain:reshape(beside) * weights):sum(axes), 1e-4)
  end
end

function TestValues.test_predictions_use_the_running_statistics()
  local layer = nn.batch_norm{eps = 0.25}
  local h = bnn.randn(key, 5, 2, 3)
  local p = layer:init(key, h)
  lu.assertEquals(p:names(), {"batch_norm/gain", "batch_norm/bias", "batch_norm/running_mean",
    "batch_norm/running_var"})
  assert_near(layer:apply(p, h), h / math.sqrt(1.25))
  local other = p:map(function(t, name)
    return name:find "mean" and t + 3 or name:find "var" and t * 4 or t
  end)
  assert_near(layer:apply(other, h), (h - 3) / math.sqrt(4.25))
  local own = layer:apply(other, h, {train = true})
  assert_near(own, layer:apply(p, h, {train = true}), 0)
  assert_near(own, layer:apply(p, h, {statistics = "batch"}), 0)
  assert_near(layer:apply(other, h, {train = true, statistics = "running"}),
    layer:apply(other, h), 0)
  lu.assertEquals(nn.batch_norm{affine = false}:init(key, h):names(),
    {"batch_norm/running_mean", "batch_norm/running_var"})
  lu.assertEquals(tostring(nn.batch_norm()), "batch_norm()")
  lu.assertEquals(tostring(nn.batch_norm{momentum = 0.5, affine = false}),
    "batch_norm({momentum=0.5, affine=false})")
end

function TestValues.test_misuse_is_one_line()
  local layer = nn.batch_norm()
  raises({"batch_norm", "expected [n, channels, ...], got [1]"}, layer.init, layer, key,
    bnn.ones(4))
  raises("expected two values a channel or more while training, got [1, 3]", function()
    layer:apply(layer:init(key, bnn.ones(2, 3)), bnn.ones(1, 3), {train = true})
  end)
  raises("bnn.nn.batch_norm: momentum: expected", nn.batch_norm, {momentum = 2})
  raises("2 shards: batch_norm mixes rows of the batch", train, initial(), 1, {shards = 2})
end

TestSteps = {}

-- Three steps beside the same in Lua: batch statistics by the weights before each step.
function TestSteps.test_running_statistics_follow_each_batch()
  local p = initial()
  local objective = objective_of(p)
  local state = bnn.optim.adamw{lr = 1e-2}:init(objective)
  local mean, variance = bnn.zeros(3), bnn.ones(3)
  for i = 1, 3 do
    local h = x:conv2d(p[W], p["sequential/conv2d_0/b"])
    local own_mean, own_variance = statistics_of(h)
    mean, variance = mean * 0.9 + own_mean * 0.1, variance * 0.9 + own_variance * 0.1
    assert(objective:step(state, batch, key:fold(i)))
    assert_near(p[MEAN], mean)
    assert_near(p[VAR], variance, 1e-4)
  end
end

-- Whatever the rule does to a tensor without a gradient: decay, noise, a rule in Lua, clipping.
function TestSteps.test_no_rule_changes_them()
  local own = bnn.optim.define{
    name = "adds_one", update = function(w, _, slots) return w + 1, slots end,
  }
  local want = {}
  for _, optimizer in ipairs{
    bnn.optim.adamw{lr = 0.1, weight_decay = 1}, bnn.optim.sgd{lr = 0.1, momentum = 0.9},
    bnn.sampler.sgld{lr = 1e-2}, own{lr = 1}, bnn.optim.adam{lr = 0.1, clip_norm = 0.01},
  } do
    local p = initial()
    local objective = objective_of(p, {weight_decay = 0.1})
    assert(objective:step(optimizer:init(objective), batch, key))
    want[1] = want[1] or {p[MEAN]:clone(), p[VAR]:clone()}
    bits.assert_same(p[MEAN], want[1][1])
    bits.assert_same(p[VAR], want[1][2])
  end
end

function TestSteps.test_statistics_that_stand_still()
  local p = initial()
  local function loss(params, rows_, step_key)
    local output = net:apply(params, rows_.x, {key = step_key, train = true,
                                              statistics = "running"})
    return bnn.cross_entropy(output, rows_.y)
  end
  local before = p:clone()
  train(p, 2, {net = false, likelihood = false, loss = loss})
  bits.assert_same(p[MEAN], before[MEAN])
  bits.assert_same(p[VAR], before[VAR])
  lu.assertTrue((p[W] - before[W]):abs():max():item() > 0)
end

-- The mean over the samples of a step, which a point has alike.
function TestSteps.test_a_step_of_several_samples_is_one_update()
  local one, three = bnn.posterior.meanfield(initial(), {logvar = -60}),
    bnn.posterior.meanfield(initial(), {logvar = -60})
  train(one, 1)
  train(three, 1, {num_samples = 3})
  assert_near(one.mu[MEAN], three.mu[MEAN], 1e-6)
  assert_near(one.mu[VAR], three.mu[VAR], 1e-6)
  local wide = bnn.posterior.meanfield(initial(), {logvar = 0})
  train(wide, 1, {num_samples = 2})
  lu.assertTrue((one.mu[MEAN] - wide.mu[MEAN]):abs():max():item() > 1e-3)
end

-- Of the parts of merged parameters too.
function TestSteps.test_a_loss_of_ones_own_updates_them()
  local first, last = nn.batch_norm{momentum = 0.5}, nn.linear(3)
  local h = x:reshape(n, 25)
  local p = bnn.params.merge{a = first:init(key, h), b = last:init(key, h)}
  lu.assertEquals(p:names()[5], "a/batch_norm/running_mean")
  local objective = bnn.objective{params = p, loss = function(params, rows_, step_key, is_train)
    local out = first:apply(params:sub "a", rows_.x, {key = step_key, train = is_train})
    return bnn.cross_entropy(last:apply(params:sub "b", out), rows_.y)
  end}
  local state = bnn.optim.sgd{lr = 0.1}:init(objective)
  assert(objective:step(state, {x = h, y = y}, key))
  assert_near(p["a/batch_norm/running_mean"], h:mean(1) * 0.5)
end

-- 200 rows are several blocks, and large enough for threads.
function TestSteps.test_steps_have_the_same_bits_on_any_number_of_threads()
  local before, kept, losses = bnn.threads(), {}, {}
  local part = {x = bnn.randn(key, 200, 1, 10, 10), y = bnn.zeros(200):to "i32"}
  local own = nn.sequential{
    nn.conv2d(4, 3), nn.batch_norm(), nn.relu(), nn.dropout(0.2), nn.flatten(),
    nn.linear(130), nn.batch_norm(), nn.relu(), nn.linear(2),
  }
  for threads = 1, 3 do
    bnn.threads(threads)
    local objective = bnn.objective{net = own, params = own:init(key, part.x),
      likelihood = "categorical"}
    local state = bnn.optim.adam{lr = 1e-2}:init(objective)
    for step = 1, 4 do losses[threads] = objective:step(state, part, key:fold(step)) end
    kept[threads] = objective.params
    bits.assert_same(kept[threads], kept[1], threads .. " threads")
    lu.assertEquals(losses[threads], losses[1])
  end
  bnn.threads(before)
end

TestBayes = {}

local function families()
  local p = initial()
  return {
    bnn.posterior.meanfield(p), bnn.posterior.radial(p), bnn.posterior.lowrank(p),
    bnn.posterior.point(p:clone()), bnn.posterior.meanfield(p, {only = {"sequential/linear_1"}}),
  }
end

-- Its rule is for a posterior over all tensors: state does not count, nor do its numbers.
function TestBayes.test_ivon_trains_with_it()
  local q = bnn.posterior.meanfield(initial())
  local objective = objective_of(q, {prior = 1, temperature = 1})
  local state = bnn.optim.ivon{lr = 0.1}:init(objective)
  for i = 1, 3 do assert(objective:step(state, batch, key:fold(i))) end
  lu.assertTrue(q.mu[MEAN]:abs():max():item() > 0)
  local points = bnn.posterior.meanfield(initial(), {only = {"sequential/linear_1"}})
  raises("ivon", function() bnn.optim.ivon():init(objective_of(points, {prior = 1, beta = 1})) end)
end

-- Gain and bias are weights with a distribution; statistics are neither weights nor points.
function TestBayes.test_posteriors_cover_what_is_no_state()
  local q = bnn.posterior.meanfield(initial())
  lu.assertEquals(#q:covered(), 10)
  lu.assertEquals(q:points(), {})
  lu.assertNotNil(q.logvar["sequential/batch_norm_0/gain"])
  lu.assertNil(q.logvar[MEAN])
  lu.assertStrContains(tostring(q), "in 10 tensors, beside 14 numbers of state")
  for _, term in ipairs(q:kl_terms()) do lu.assertFalse(bnn.params.is_state(term.name)) end
  bits.assert_same(q:sample(key)[VAR], bnn.ones(3))
  raises("expected a distribution of parameters alone, got one of state, 'sequential/batch_norm_0",
    bnn.posterior.from_params, initial(), initial())
  raises("expected a distribution of parameters alone, got one of state, 'sequential/batch_norm_0",
    bnn.posterior.define{name = "no_state", buffers = {mu = "params"},
      sample = function(phi) return phi.mu end, kl = function(phi) return phi.mu.flat:sum() end},
    initial())
  local bad = bnn.params.pack(bnn.params.layout{{name = "running_a", shape = {1}},
    {name = "w", shape = {1}}}, {running_a = bnn.ones(1), w = bnn.ones(1)})
  raises("expected state after all parameters", bnn.posterior.point, bad)
end

function TestBayes.test_families_train_and_predict()
  for _, q in ipairs(families()) do
    local before = q:clone()
    local objective = train(q, 4, {prior = 1, temperature = 1})
    local w = "sequential/linear_1/w"
    lu.assertTrue((q:mean()[w] - before:mean()[w]):abs():max():item() > 0, q.family)
    lu.assertTrue((q:mean()[MEAN] - before:mean()[MEAN]):abs():max():item() > 0, q.family)
    bits.assert_same(q:clone():mean()[MEAN], q:mean()[MEAN])
    local model = {net = net, posterior = q, likelihood = "categorical"}
    local all = bnn.predict(model, x, {key = key, num_samples = 3}).mean
    local some = bnn.predict(model, x:narrow(1, 1, 2), {key = key, num_samples = 3}).mean
    assert_near(all:narrow(1, 1, 2), some) -- whatever other examples there are
    lu.assertTrue(objective:evaluate(batch, {key = key}).loss > 0)
  end
end

-- MC dropout keeps dropout on, and the running statistics.
function TestBayes.test_dropout_in_predictions_keeps_the_statistics()
  local thin = nn.sequential{nn.flatten(), nn.batch_norm(), nn.dropout(0.5), nn.linear(3)}
  local q = bnn.posterior.mc_dropout(thin:init(key, x))
  local model = {net = thin, posterior = q, likelihood = "categorical"}
  local far = x + 10 -- of which batch statistics would leave nothing
  local function spread(v)
    return bnn.predict(model, v, {key = key, num_samples = 4}).std:max():item()
  end
  lu.assertTrue(spread(x) > 0)
  local p = q:mean()
  local output = thin:apply(p, far, {key = key:fold "noise":fold(1), train = true,
                                    statistics = "running"})
  assert_near(bnn.predict(model, far, {key = key, num_samples = 1}).mean, output:softmax())
end

function TestBayes.test_estimators_draw_its_parameters()
  for _, estimator in ipairs{"local_reparameterization", "flipout"} do
    local q = bnn.posterior.meanfield(initial())
    local objective = bnn.elbo{net = net, posterior = q, data_size = n, estimator = estimator}
    local state = bnn.optim.adam{lr = 1e-2}:init(objective)
    for i = 1, 2 do assert(objective:step(state, batch, key:fold(i))) end
    lu.assertTrue((q.mu[MEAN]):abs():max():item() > 0)
    lu.assertTrue((q.logvar["sequential/batch_norm_0/gain"] + 7):abs():max():item() > 0)
  end
end

function TestBayes.test_ensembles_keep_theirs_each()
  local a, b = initial(), net:init(key:fold "other", x)
  train(a, 2)
  train(b, 3)
  local q = bnn.posterior.empirical{a, b}
  bits.assert_same(q.bank[1][MEAN], a[MEAN])
  bits.assert_same(q.bank[2][MEAN], b[MEAN])
  local both = bnn.predict({net = net, posterior = q, likelihood = "categorical"}, x, {key = key})
  local function alone(p) return net:apply(p, x):softmax() end
  assert_near(both.mean, (alone(a) + alone(b)) * 0.5)
end

TestKept = {}

local path
function TestKept.setUp() path = os.tmpname() end
function TestKept.tearDown() os.remove(path) end

-- What bnn.train is given, with these options more.
local function trained(posterior, opts)
  local objective = bnn.elbo{net = net, posterior = posterior, data_size = n}
  local all = {objective = objective, optimizer = bnn.optim.adam{lr = 1e-2},
               data = bnn.data.from_tensors(batch), batch_size = 5, key = key}
  for name, value in pairs(opts) do all[name] = value end
  return bnn.train(all)
end

function TestKept.test_a_model_of_a_checkpoint_predicts_alike()
  local q = bnn.posterior.meanfield(initial())
  local objective = train(q, 3)
  assert(bnn.checkpoint.save(path, {posterior = q, model = bnn.checkpoint.describe(objective)}))
  local model = assert(bnn.checkpoint.open(path))
  bits.assert_same(model.posterior.mu[VAR], q.mu[VAR])
  bits.assert_same(bnn.predict(model, x, {key = key, num_samples = 2}).mean,
    bnn.predict(objective, x, {key = key, num_samples = 2}).mean)
end

function TestKept.test_a_training_resumes_with_its_bits()
  local whole, parts = bnn.posterior.meanfield(initial()), bnn.posterior.meanfield(initial())
  trained(whole, {steps = 9})
  local check = {path = path .. ".d", every = 1000}
  trained(parts, {steps = 4, checkpoint = check})
  local again = bnn.posterior.meanfield(initial())
  check.resume = true
  trained(again, {steps = 9, checkpoint = check})
  os.execute("rm -rf " .. path .. ".d")
  bits.assert_same(again.mu.flat, whole.mu.flat)
  lu.assertTrue(again.mu[MEAN]:abs():max():item() > 0)
end

function TestKept.test_averages_get_new_statistics()
  for _, name in ipairs{"average", "swag", "samples"} do
    local q = trained(bnn.posterior.point(initial()), {
      steps = 6, optimizer = bnn.optim.sgd{lr = 0.1}, collect = bnn.collect[name](),
    }):posterior()
    local new = bnn.update_statistics(net, q, batch)
    local p = name == "samples" and new.bank[2] or new:mean()
    local mean, variance = statistics_of(x:conv2d(p[W], p["sequential/conv2d_0/b"]))
    assert_near(p[MEAN], mean)
    assert_near(p[VAR], variance, 1e-4)
    bits.assert_same(new:sample(key)[W], q:sample(key)[W])
    if name == "swag" then lu.assertNil(new.sigma[VAR]) end
  end
end

-- Two batches of different rows: means by rows.
function TestKept.test_batches_of_a_pass_count_by_their_rows()
  local layer, h = nn.batch_norm(), bnn.randn(key, 6, 2)
  local p = bnn.update_statistics(layer, layer:init(key, h), {x = h}, {batch_size = 4})
  assert_near(p["batch_norm/running_mean"], h:mean(1))
  local _, first = statistics_of(h:narrow(1, 1, 4))
  local _, last = statistics_of(h:narrow(1, 5, 2))
  assert_near(p["batch_norm/running_var"], first * (4 / 6) + last * (2 / 6))
  raises("model: expected running statistics in it", bnn.update_statistics, nn.linear(2),
    nn.linear(2):init(key, h), {x = h})
  raises("data: expected examples, got none", bnn.update_statistics, layer, p,
    {x = h:narrow(1, 1, 0)})
  raises("net: expected a network", bnn.update_statistics, 3, p, {x = h})
  raises("model: expected params or a posterior", bnn.update_statistics, layer, {}, {x = h})
end

TestOwn = {}

-- A layer of a function that keeps the largest value it has seen.
local function largest(h)
  local seen = nn.state("running_max", {1}, nn.zeros)
  if nn.is_training() then nn.update_state(seen, seen:maximum(h:max():reshape(1))) end
  return h * 0 + seen
end

function TestOwn.test_functions_have_state()
  local own = bnn.transform(function(h) return largest(nn.linear(1)(largest(h))) end)
  local h = bnn.tensor{{1}, {5}, {2}}
  local p = own:init(key, h)
  lu.assertEquals(p:names(), {"linear/w", "linear/b", "running_max"})
  local objective = bnn.objective{params = p, loss = function(params, rows_, _, is_train)
    return own:apply(params, rows_.x, {train = is_train}):reshape(3)
  end}
  assert(objective:step(bnn.optim.sgd{lr = 0}:init(objective), {x = h}, key))
  lu.assertTrue(p.running_max:item() >= 5) -- the second call went on from the first
  lu.assertEquals(own:apply(p, h):mean():item(), p.running_max:item())
end

function TestOwn.test_misuse_is_one_line()
  raises("bnn.nn.is_training: expected to be called inside a network", nn.is_training)
  local function init(f) return bnn.transform(f):init(key, bnn.ones(2, 2)) end
  raises("bnn.nn.parameter: name: expected one that does not begin with running_", init,
    function() return nn.parameter("running_w", {2}, nn.zeros) end)
  raises("bnn.nn.state: name: expected one that begins with running_, got 'w'", init,
    function() return nn.state("w", {2}, nn.zeros) end)
  raises("bnn.nn.update_state: value: expected [2], got [3]", init, function()
    nn.update_state(nn.state("running_w", {2}, nn.zeros), bnn.ones(3))
  end)
end

os.exit(lu.LuaUnit.run())
