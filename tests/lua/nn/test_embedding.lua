--- Integer inputs: what type a network sees, and embeddings from init to a checkpoint.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(17)

-- Token sequences [n, t] of ids 1..12; the class says whether more of them are even than odd.
local N, T, IDS = 96, 5, 12

local function sequences(dtype)
  local x, y = {}, {}
  for i = 1, N do
    local even = 0
    x[i] = {}
    for t = 1, T do
      x[i][t] = (i * 7 + t * t * 5 + i // 3) % IDS + 1
      even = even + (x[i][t] + 1) % 2
    end
    y[i] = even > T / 2 and 1 or 0
  end
  return bnn.data.from_tensors{x = bnn.tensor(x, dtype or "i32"), y = bnn.tensor(y, "i32")}
end
local part = sequences()

local function mean_over_tokens(x) return x:mean(2) end

local function classifier()
  return bnn.nn.sequential{bnn.nn.embedding(IDS, 6), mean_over_tokens, bnn.nn.linear(2)}
end

local function map_estimate(net, p)
  return bnn.objective{net = net, params = net:init(key, p or part), likelihood = "categorical"}
end

local function bayesian(net)
  return bnn.elbo{net = net, posterior = bnn.posterior.meanfield(net:init(key, part)),
                  likelihood = "categorical", temperature = 0.01, data_size = N}
end

local function train(objective, p, steps)
  return bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 0.05}, data = p or part,
                   steps = steps or 60, batch_size = 32, key = key:fold "train"}
end

local function accuracy(objective, p)
  p = p or part
  return bnn.metrics.accuracy(bnn.predict(objective, p, {num_samples = 4, key = key}), p.y)
end

-- ---- the layer ----

TestLayer = {}

function TestLayer.test_it_looks_up_rows_of_its_table()
  local net = bnn.nn.embedding(3, 2)
  local w = bnn.tensor{{1, 2}, {3, 4}, {5, 6}}
  for _, dtype in ipairs{"i32", "i64"} do
    local y = net:apply({["embedding/w"] = w}, bnn.tensor({{3, 1}, {2, 3}}, dtype))
    lu.assertEquals(y:totable(), {{{5, 6}, {1, 2}}, {{3, 4}, {5, 6}}})
  end
  lu.assertEquals(net:apply({["embedding/w"] = w}, bnn.tensor({2}, "i32")):totable(), {{3, 4}})
  lu.assertEquals(tostring(net), "embedding(3, 2)")
end

function TestLayer.test_its_first_values_are_standard_normal()
  local w = bnn.nn.embedding(200, 50):init(key, bnn.tensor({1}, "i32"))["embedding/w"]
  lu.assertEquals(w:shape(), {200, 50})
  -- 10,000 draws: four standard errors of the mean and of the deviation
  lu.assertTrue(math.abs(w:mean():item()) < 0.04)
  lu.assertTrue(math.abs(w:std():item() - 1) < 4 / math.sqrt(2e4))
  local zeros = bnn.nn.embedding(2, 3, {w_init = bnn.nn.zeros}):init(key, bnn.tensor({1}, "i32"))
  lu.assertEquals(zeros.flat:sum():item(), 0)
end

function TestLayer.test_what_it_cannot_look_up_is_refused_by_name()
  local net = classifier()
  local params = net:init(key, part)
  local real = bnn.ones(1):dtype()
  local fault = "sequential/embedding_0: x: expected ids 1..12 as i32 or i64, got %s"
  raises(fault:format(real), net.apply, net, params, bnn.ones(2, 3))
  raises("uint8 inputs become images", net.apply, net, params, bnn.tensor({{1}}, "u8"))
  raises("got u64", net.apply, net, params, bnn.tensor({{1}}, "u64"))
  raises("expected ids 1..12", net.init, net, key, bnn.ones(2, 3))
  raises("positions[2, 1] is 13: axis 1 of x [12, 6] has 1..12", net.apply, net, params,
    bnn.tensor({{1, 2}, {13, 3}}, "i32"))
  raises("bnn.nn.embedding: count: expected at least 1, got 0", bnn.nn.embedding, 0, 3)
  raises("bnn.nn.embedding: d: expected an integer, got 1.5", bnn.nn.embedding, 2, 1.5)
end

function TestLayer.test_a_sum_of_gradients_goes_to_each_row_that_was_looked_up()
  local net = bnn.nn.embedding(4, 2)
  local gradient = bnn.grad(function(w)
    return (net:apply({["embedding/w"] = w}, bnn.tensor({{2, 2}, {4, 2}}, "i32"))
      * bnn.tensor{{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}):sum()
  end)(bnn.zeros(4, 2))
  lu.assertEquals(gradient:totable(), {{0, 0}, {11, 14}, {0, 0}, {5, 6}})
end

-- ---- one type everywhere ----

TestTypes = {}

-- A network that writes down the types of what it sees.
local function witness(seen, convert)
  return bnn.transform(function(x)
    seen[#seen + 1] = x:dtype()
    return bnn.nn.linear(2)(convert(x))
  end)
end


function TestTypes.test_init_steps_and_predictions_see_one_type()
  local real = bnn.ones(1):dtype()
  for dtype, want in pairs{i32 = "i32", i64 = "i64", u8 = real, [real] = real} do
    local p = bnn.data.from_tensors{x = bnn.ones(N, T):to(dtype), y = part.y}
    local seen = {}
    local net = witness(seen, function(x) return x:real() end)
    local params = net:init(key, p)
    local o = bnn.elbo{net = net, posterior = bnn.posterior.meanfield(params), temperature = 1}
    net:apply(params, p.x)
    train(o, p, 2)
    o:evaluate(p, {key = key})
    o:value({x = p.x, y = p.y}, key)
    bnn.predict(o, p, {num_samples = 2, key = key})
    bnn.log_likelihood(o, p, {key = key})
    bnn.compile(function(q, x) return net:apply(q, x) end)(params, p.x)
    bnn.grad(function(q, x) return net:apply(q, x):sum() end)(params, p.x)
    bnn.vmap(function(q, x) return net:apply(q, x) end, {in_axes = {1, false}})(
      o.posterior:samples(key, 2), p.x)
    lu.assertTrue(#seen >= 9, #seen)
    for i, found in ipairs(seen) do lu.assertEquals(found, want, dtype .. ", use " .. i) end
  end
end

function TestTypes.test_a_layer_that_computes_refuses_integers_from_init_on()
  local net = bnn.nn.mlp{4, 2}
  raises("mlp/linear_0: wrong type of tensor: linear: x: expected", net.init, net, key, part)
  local net_of_reals = bnn.nn.sequential{function(x) return x:real() end, net}
  local o = map_estimate(net_of_reals)
  train(o, part, 2)
  lu.assertEquals(bnn.predict(o, part, {key = key}).mean:shape(), {N, 2})
end

-- ---- training ----

TestTraining = {}

function TestTraining.test_an_embedding_learns_as_a_point_and_as_a_posterior()
  for _, dtype in ipairs{"i32", "i64"} do
    local p = sequences(dtype)
    local point = map_estimate(classifier(), p)
    train(point, p)
    lu.assertTrue(accuracy(point, p) > 0.95, accuracy(point, p))
  end
  local q = bayesian(classifier())
  local before = q.posterior.mu["sequential/embedding_0/w"]:clone()
  train(q)
  lu.assertTrue(accuracy(q) > 0.9, accuracy(q))
  lu.assertTrue((q.posterior.mu["sequential/embedding_0/w"] - before):abs():max():item() > 0.1)
end

function TestTraining.test_a_posterior_may_cover_the_table_alone_or_all_but_it()
  for _, only in ipairs{"sequential/embedding_0", "sequential/linear_0"} do
    local net = classifier()
    local o = bnn.elbo{net = net, temperature = 0.01, data_size = N,
                       posterior = bnn.posterior.meanfield(net:init(key, part), {only = {only}})}
    train(o)
    lu.assertTrue(accuracy(o) > 0.9, only)
  end
end

function TestTraining.test_a_step_is_the_gradient_of_the_whole_loss()
  local net = classifier()
  local o = map_estimate(net)
  local got = o:gradient({x = part.x, y = part.y}, key)
  local want = bnn.grad(function(p)
    return net:apply(p, part.x):cross_entropy(part.y):mean()
  end)(o.params)
  for name, tensor in pairs(want) do
    lu.assertTrue((got[name] - tensor):abs():max():item() < 1e-6, name)
  end
end

-- Rows that no batch has looked up keep their values to the bit under SGD; sums into one row do not
-- depend on the threads.
function TestTraining.test_rows_that_are_not_looked_up_do_not_move()
  local net = bnn.nn.sequential{bnn.nn.embedding(500, 40), mean_over_tokens, bnn.nn.linear(2)}
  local results = {}
  for _, threads in ipairs{1, 2, 4} do
    bnn.threads(threads)
    local o = map_estimate(net)
    local w = o.params["sequential/embedding_0/w"]
    local before = w:clone()
    local state = bnn.optim.sgd{lr = 1}:init(o)
    for i = 1, 3 do assert(o:step(state, {x = part.x, y = part.y}, key:fold(i))) end
    bits.assert_same(w:narrow(1, IDS + 1, 500 - IDS), before:narrow(1, IDS + 1, 500 - IDS))
    for id = 1, IDS do lu.assertTrue((w[id] - before[id]):abs():max():item() > 0) end
    results[#results + 1] = o.params.flat:clone()
  end
  bnn.threads(0)
  bits.assert_same(results[2], results[1])
  bits.assert_same(results[3], results[1])
end

function TestTraining.test_an_id_outside_of_the_table_changes_nothing()
  for _, bad in ipairs{0, -3, 13, 2 ^ 31 - 1} do
    local rows = part.x:totable()
    rows[70][4] = math.tointeger(bad)
    local p = bnn.data.from_tensors{x = bnn.tensor(rows, "i32"), y = part.y}
    for _, make in ipairs{map_estimate, bayesian} do
      local o = make(classifier())
      local mu = o.posterior and o.posterior.mu or o.params
      local before, state = mu.flat:clone(), bnn.optim.adam{}:init(o)
      local order = {}
      for i = 1, 40 do order[i] = 70 + 5 - i end -- row 70 is the fifth of the batch
      local batch = {source = {x = p.x, y = p.y}, rows = bnn.tensor(order, "i32"), from = 1,
                     count = 40}
      local loss, message = o:step(state, batch, key)
      lu.assertNil(loss)
      lu.assertStrContains(message, ("positions[5, 4] is %d: axis 1 of x [12, 6] has 1..12, in row "
        .. "70 of 96"):format(bad))
      lu.assertEquals(state:steps(), 0)
      bits.assert_same(mu.flat, before)
    end
  end
end

-- Without targets too, whose gathering is where inputs used to be looked at.
function TestTraining.test_ids_are_checked_where_there_are_no_targets()
  local net = bnn.nn.embedding(IDS, 3)
  local o = bnn.objective{params = net:init(key, part), loss = function(params, batch)
    return (net:apply(params, batch.x) ^ 2):mean{2, 3}
  end}
  local state = bnn.optim.adam{}:init(o)
  lu.assertIsNumber(o:step(state, {x = part.x}, key))
  local loss, message = o:step(state, {x = bnn.full({N, T}, 100):to "i32"}, key)
  lu.assertNil(loss)
  lu.assertStrContains(message, "axis 1 of x [12, 3] has 1..12")
end

function TestTraining.test_a_label_out_of_range_names_its_row()
  local labels = part.y:totable()
  labels[33] = 2
  local o = map_estimate(classifier())
  local batch = {x = part.x, y = bnn.tensor(labels, "i32")}
  local loss, message = o:step(bnn.optim.adam{}:init(o), batch, key)
  lu.assertNil(loss)
  lu.assertStrContains(message, "label 2 of example 33 is outside 0..1, in row 33 of 96")
end

function TestTraining.test_predictions_name_the_row_of_an_id_outside()
  local rows = {}
  for i = 1, 300 do rows[i] = {1, 2, 3, 4, 5} end
  rows[290][2] = 99
  local o = map_estimate(classifier())
  raises("positions[290, 2] is 99", bnn.predict, o, bnn.tensor(rows, "i32"), {key = key})
end

function TestTraining.test_positions_that_the_network_computes_train_too()
  local net = bnn.transform(function(x)
    return bnn.nn.linear(2)(bnn.nn.embedding(IDS, 6)(x:narrow(2, 1, 3)):mean(2))
  end)
  local o = map_estimate(net)
  train(o, part, 3)
  lu.assertEquals(bnn.predict(o, part, {key = key}).mean:shape(), {N, 2})
end

-- ---- checkpoints ----

TestCheckpoint = {}

function TestCheckpoint.test_a_checkpoint_opens_and_predicts_the_same()
  local path = os.tmpname()
  local o = bayesian(bnn.nn.sequential{
    bnn.nn.embedding(IDS, 6), bnn.nn.flatten(), bnn.nn.linear(2)})
  train(o, part, 5)
  assert(bnn.checkpoint.save(path, {posterior = o.posterior, model = bnn.checkpoint.describe(o)}))
  local model = assert(bnn.checkpoint.open(path))
  os.remove(path)
  lu.assertEquals(tostring(model.net), tostring(o.net))
  local opts = {num_samples = 3, key = key}
  bits.assert_same(bnn.predict(model, part, opts).mean, bnn.predict(o, part, opts).mean)
end

os.exit(lu.LuaUnit.run())
