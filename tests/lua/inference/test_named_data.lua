--- Several inputs and targets by name: parts and their batches, networks, objectives, predictions,
-- metrics, streams and checkpoints of them; each against the same thing made of one tensor.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local nn, raises = bnn.nn, bits.raises
local key = bnn.key(4)
local N = 60
local image = (bnn.rand(key:fold(1), N, 4, 4) * 255):floor():to "u8"
local tab = bnn.randn(key:fold(2), N, 3)
local class = tab:sum(2):gt(0):to "i32"
local age = (tab:sum(2) + image:real():mean({2, 3}) / 255):reshape(N, 1)

local function part_of(opts)
  opts = opts or {}
  return bnn.data.from_tensors{x = {image = image, table = tab}, y = {class = class, age = age},
                               weight = opts.weight, classes = opts.classes}
end
local part = part_of()

local function two_headed()
  return nn.sequential{
    nn.parallel{image = nn.flatten(), table = nn.linear(4)}, nn.linear(8), nn.tanh(),
    nn.parallel{class = nn.linear(2), age = nn.linear(1), combine = "none"},
  }
end

local GAUSSIAN = bnn.likelihood.gaussian{sigma = 0.5}
local LIKELIHOOD = {class = "categorical", age = GAUSSIAN}

local function elbo(opts)
  opts = opts or {}
  local net = opts.net or two_headed()
  return bnn.elbo{net = net, likelihood = opts.likelihood or LIKELIHOOD, data_size = N,
                  posterior = bnn.posterior.meanfield(net:init(key, part))}
end

local function train(objective, data, opts)
  opts = opts or {}
  return bnn.train{objective = objective, data = data or part,
                   optimizer = bnn.optim.adam{lr = 0.01},
                   steps = opts.steps or 8, batch_size = opts.batch_size or 20, key = key:fold(9),
                   checkpoint = opts.checkpoint, progress = false}
end

TestParts = {}

function TestParts.test_rows_are_taken_of_every_tensor()
  local some = part:index{7, 3}
  for name, tensor in pairs{image = image, table = tab} do
    bits.assert_same(some.x[name], tensor:index{7, 3})
    bits.assert_same(part:slice(5, 9).x[name], tensor:narrow(1, 5, 5))
  end
  bits.assert_same(some.y.age, age:index{7, 3})
  lu.assertEquals({part.size, #part:slice(51).y.class}, {N, 10})
  lu.assertEquals(tostring(part),
    ("data: 60 examples, x {image u8 [60, 4, 4], table %s [60, 3]}, y {age %s, class i32}"):format(
      tab:dtype(), tab:dtype()))
end

function TestParts.test_batches_hold_the_same_rows_of_every_tensor()
  local plain = bnn.data.from_tensors{x = tab, y = class}
  local next_plain = plain:batches{size = 25, key = key}
  for batch in part:batches{size = 25, key = key} do
    local want = next_plain()
    bits.assert_same(batch.x.table, want.x)
    bits.assert_same(batch.y.class, want.y)
    lu.assertEquals(batch.x.image:dtype(), tab:dtype()) -- bytes are images
    lu.assertEquals(batch.y.age:shape(), {25, 1})
  end
end

function TestParts.test_one_input_of_several_is_augmented()
  local made = part:augment({bnn.augment.noise(0.5)}, {input = "table"})
  local one = bnn.data.from_tensors{x = tab, y = class}:augment{bnn.augment.noise(0.5)}
  local next_one, next_plain = one:batches{size = 20, key = key}, part:batches{size = 20, key = key}
  for batch in made:slice(1):batches{size = 20, key = key} do
    local plain = next_plain()
    bits.assert_same(batch.x.table, next_one().x)
    bits.assert_same(batch.x.image, plain.x.image)
    bits.assert_same(batch.y.age, plain.y.age)
  end
  local targets = bnn.data.from_tensors{x = tab, y = {class = class, age = age}}
  local batch = targets:augment{bnn.augment.noise(0.5)}:batches{size = 20, key = key}()
  bits.assert_same(batch.x, one:batches{size = 20, key = key}().x)
  bits.assert_same(batch.y.age, part:batches{size = 20, key = key}().y.age)
  raises("part:augment: input: expected one of image, table, got nil", part.augment, part,
    {bnn.augment.noise(1)})
  raises("input: expected one of image, table, got \"colour\"", part.augment, part,
    {bnn.augment.noise(1)}, {input = "colour"})
  raises("input: expected none, as x is one tensor", one.augment, one, {bnn.augment.noise(1)},
    {input = "x"})
  raises("mixup: expected one tensor as x and as y, got several by name", part.augment, part,
    {bnn.augment.mixup(0.2)}, {input = "table"})
end

function TestParts.test_what_is_no_data_is_refused_with_its_name()
  local function from(x, y, classes)
    return function() bnn.data.from_tensors{x = x, y = y, classes = classes} end
  end
  raises("x.table: expected 60 rows, got [59, 3]",
    from{image = image, table = tab:narrow(1, 1, 59)})
  raises("x.table: expected a tensor, got a string", from{table = "file"})
  raises("x.table: expected a tensor, got a list, of which bnn.tensor makes one",
    from{table = {{1, 2}, {3, 4}}})
  raises("{image = tensor, table = tensor}, got a list, of which", from(tab, {0, 1}))
  raises("y.age: expected 60 rows, got [2]", from({table = tab}, {age = bnn.ones(2)}))
  raises("x.table: expected [n, ...], got a scalar", from{table = bnn.tensor(3)})
  raises("expected names such as", from{["a-b"] = tab})
  raises("expected names such as", from{x = tab})
  raises("classes: expected lists of names by target (age, class), got a list",
    from({t = tab}, {class = class, age = age}, {"a", "b"}))
  raises("classes: expected a list of names, as y is one tensor, got lists by target",
    from(tab, class, {class = {"a", "b"}}))
  raises("classes: kind: expected a list of names, got 3", from(tab, class, {kind = 3}))
  raises("classes: expected lists of names by target (class), got 'kind'",
    from({t = tab}, {class = class}, {kind = {"a", "b"}}))
  local many = {}
  for i = 1, 16 do many["x" .. i] = tab end
  raises("expected at most 15 tensors in x and y, got 16", from(many))
  raises("bnn.data.standardise: x: expected one tensor, got several (image, table)",
    bnn.data.standardise, part)
end

function TestParts.test_weights_and_splits_of_one_target()
  local weighed = bnn.data.weigh_classes(part, nil, {target = "class"})
  local want = bnn.data.weigh_classes(bnn.data.from_tensors{x = tab, y = class})
  bits.assert_same(weighed.weight, want.weight)
  raises("target: expected one of age, class, got nil", bnn.data.weigh_classes, part)
  raises('weigh_classes(part, nil, {target = "class"})', bnn.data.weigh_classes, part,
    {target = "class"})
  raises("target: expected none, as y is one tensor, got 'class'", bnn.data.weigh_classes, want,
    nil, {target = "class"})
  local named = bnn.data.weigh_classes(part_of{classes = {class = {"low", "high"}}},
    {low = 1, high = 3}, {target = "class"})
  lu.assertEquals(named.weight[1], class[1] == 1 and 3 or 1)
end

function TestParts.test_splits_are_stratified_by_one_target()
  local plain = bnn.data.from_tensors{x = tab, y = class}
  local opts = {folds = 3, key = key, stratified = "class"}
  local want = bnn.data.k_fold(plain, {folds = 3, key = key, stratified = true})
  for i, split in ipairs(bnn.data.k_fold(part, opts)) do
    bits.assert_same(split.test.x.table, want[i].test.x)
    lu.assertEquals(split.train.size, 40)
  end
  local _, held = bnn.data.random_split(part, {fraction = 0.2, key = key, stratified = "class"})
  lu.assertEquals(held.y.age:shape(), {12, 1})
  raises("bnn.data.k_fold: stratified: expected the name of a target, one of age, class, got true",
    bnn.data.k_fold, part, {folds = 3, key = key, stratified = true})
  local rare = bnn.data.from_tensors{x = {t = tab}, y = {class = bnn.arange(1, N):eq(1):to "i32"},
                                     classes = {class = {"common", "rare"}}}
  raises("got 1 of class 'rare'", bnn.data.k_fold, rare, opts)
end

TestNetworks = {}

-- A function of inputs by name is the network of their concatenation.
function TestNetworks.test_inputs_by_name_give_the_bits_of_one_input()
  local flat = bnn.concat({image:real():reshape(N, 16) / 255, tab}, 2)
  local function forward(h) return nn.linear(5)(nn.linear(6)(h):tanh()) end
  local by_name = bnn.transform(function(x)
    return forward(bnn.concat({x.image:reshape(x.image:size(1), 16), x.table}, 2))
  end)
  local plain = bnn.transform(forward)
  local params = by_name:init(key, part)
  lu.assertEquals(params:names(), plain:init(key, flat):names())
  bits.assert_same(by_name:apply(params, part.x), plain:apply(params, flat))
  raises("net:apply: x.table: expected a tensor, got a table", by_name.apply, by_name, params,
    {image = image, table = {{1, 2, 3}}})
  raises("net:init: x.table: expected 60 rows, got [3, 3]", function()
    by_name:init(key, {image = image, table = tab:narrow(1, 1, 3)})
  end)
end

function TestNetworks.test_a_layer_for_each_input_and_each_target()
  local net = two_headed()
  local params = net:init(key, part)
  lu.assertEquals(params:names()[1], "sequential/parallel_0/table/linear/w")
  local output = net:apply(params, part.x)
  lu.assertEquals({output.class:shape(), output.age:shape()}, {{N, 2}, {N, 1}})
  local h = bnn.concat({image:real():reshape(N, 16) / 255,
    tab:linear(params["sequential/parallel_0/table/linear/w"],
      params["sequential/parallel_0/table/linear/b"])}, 2)
  h = h:linear(params["sequential/linear_0/w"], params["sequential/linear_0/b"]):tanh()
  bits.assert_same(output.age, h:linear(params["sequential/parallel_1/age/linear/w"],
    params["sequential/parallel_1/age/linear/b"]))
  lu.assertEquals(tostring(nn.parallel{b = nn.relu(), a = nn.tanh(), combine = "sum"}),
    "parallel{a=tanh(), b=relu(), combine=sum}")
  local summary = net:summary(part)
  lu.assertEquals(summary.parameters, params:numel())
  local pair = nn.parallel{a = nn.sequential{nn.linear(4), nn.chunk(2)}, combine = "none"}
  lu.assertEquals(#pair:apply(pair:init(key, tab), tab).a, 2) -- a head of two values
end

function TestNetworks.test_what_does_not_fit_is_refused()
  local net = nn.parallel{image = nn.flatten(), table = nn.linear(4)}
  raises("parallel: x: expected an input 'table', got none of that name", net.init, net, key,
    {image = image})
  raises("parallel: x: expected a layer for each input, got none for 'sound'", net.init, net, key,
    {image = image, table = tab, sound = tab})
  raises("linear: x: expected one tensor, got several (image, table)", function()
    nn.linear(3):init(key, part)
  end)
  raises("x: expected one tensor for a list of layers, got several by name", function()
    nn.parallel{nn.relu(), nn.tanh()}:init(key, part)
  end)
  raises("expected a list of layers, or layers by name, got both", nn.parallel,
    {nn.relu(), image = nn.relu()})
  raises('combine: expected layers by name for "none", got a list', nn.parallel,
    {nn.relu(), combine = "none"})
  raises("bnn.nn.parallel: image: expected a layer or a function, got a number", nn.parallel,
    {image = 3})
end

TestObjectives = {}

-- The ELBO of a joint likelihood is that of a likelihood written by hand.
function TestObjectives.test_a_likelihood_for_each_target_is_their_sum()
  local by_hand = {
    name = "both",
    log_prob = function(output, y)
      return bnn.likelihood.categorical{}.log_prob(output.class, y.class)
        + GAUSSIAN.log_prob(output.age, y.age)
    end,
  }
  local one, other = elbo(), elbo{likelihood = by_hand}
  lu.assertStrContains(tostring(one), "likelihood=age gaussian, class categorical")
  train(one)
  train(other)
  bits.assert_same(one.posterior:mean().flat, other.posterior:mean().flat)
  local figures = one:evaluate(part, {key = key})
  lu.assertAlmostEquals(figures.log_likelihood,
    figures.log_likelihood_age + figures.log_likelihood_class, 1e-5)
  lu.assertAlmostEquals(figures.loss, other:evaluate(part, {key = key}).loss, 1e-6)
  lu.assertAlmostEquals(bnn.log_likelihood(one, part, {key = key}), figures.log_likelihood, 1e-5)
end

-- Real labels become integers once, so that steps find what they recorded.
function TestObjectives.test_labels_of_other_types_are_converted_once()
  local real = bnn.data.from_tensors{x = part.x, y = {class = class:real(), age = age}}
  local a, b = elbo(), elbo()
  train(a)
  train(b, real)
  bits.assert_same(a.posterior:mean().flat, b.posterior:mean().flat)
  lu.assertEquals(b.recordings, 1)
  local classes = require "bnn.model.classes"
  local once = classes.targets("f", b.likelihood, real.y)
  lu.assertTrue(rawequal(once, classes.targets("f", b.likelihood, real.y)))
  lu.assertTrue(rawequal(part.y, classes.targets("f", b.likelihood, part.y)))
end

-- A loss of one's own sees the tables; gathered in C and given by hand the bits are the same.
function TestObjectives.test_a_loss_of_ones_own_gets_the_tables()
  local net = two_headed()
  local function objective()
    return bnn.objective{
      params = net:init(key, part),
      loss = function(params, batch, k, is_training)
        local output = net:apply(params, batch.x, {key = k, train = is_training})
        local off = (output.age - batch.y.age):reshape(output.age:size(1))
        return bnn.cross_entropy(output.class, batch.y.class) + off:square()
      end,
    }
  end
  local a, b = objective(), objective()
  local left, right = bnn.optim.adam{}:init(a), bnn.optim.adam{}:init(b)
  local i = 0
  for batch in part:batches{size = 20, key = key, epochs = 3} do
    i = i + 1
    local by_hand = {x = batch.x, y = {class = batch.y.class, age = batch.y.age}}
    lu.assertEquals(a:step(left, batch, key:fold(i)), b:step(right, by_hand, key:fold(i)))
  end
  bits.assert_same(a.params.flat, b.params.flat)
end

function TestObjectives.test_examples_with_weights_count_so_often()
  local weight = bnn.arange(1, N):real():fmod(3)
  local rows = {}
  for i, w in ipairs(weight:totable()) do
    for _ = 1, w do rows[#rows + 1] = i end
  end
  local weighed, repeated = part_of{weight = weight}, part:index(rows)
  local objective = elbo()
  local a = objective:evaluate(weighed, {key = key}).log_likelihood_age * N
  local b = objective:evaluate(repeated, {key = key}).log_likelihood_age * #rows
  lu.assertAlmostEquals(a / b, 1, 1e-4)
  lu.assertTrue(train(objective, weighed) ~= nil)
end

function TestObjectives.test_threads_do_not_change_a_bit()
  local flats = {}
  local before = bnn.threads()
  for i, threads in ipairs{1, 3} do
    bnn.threads(threads)
    local objective = elbo()
    train(objective, nil, {batch_size = 60, steps = 5})
    flats[i] = objective.posterior:mean().flat
  end
  bnn.threads(before)
  bits.assert_same(flats[1], flats[2])
end

function TestObjectives.test_targets_that_do_not_fit_are_refused_in_a_line()
  local objective = elbo()
  local function fault(data) return select(2, objective:check_data(data)) end
  lu.assertTrue(objective:check_data(part))
  lu.assertStrContains(fault(bnn.data.from_tensors{x = part.x, y = {class = class}}),
    "expected the targets age, class, as the likelihood has them, got class")
  lu.assertStrContains(fault(bnn.data.from_tensors{x = part.x, y = class}),
    "expected targets by name, age, class, got one tensor")
  lu.assertStrContains(fault(bnn.data.from_tensors{x = part.x, y = {class = class + 1, age = age}}),
    "class: label 2 of example")
  lu.assertStrContains(select(2, elbo{likelihood = "categorical"}:check_data(part)),
    "expected a likelihood for each, {age = ...}")
  lu.assertEquals(objective:check_data(part_of{classes = {class = {"low", "high"}}}), true)
  lu.assertStrContains(fault(part_of{classes = {class = {"high", "low"}}}),
    "class: the classes are high, low; those of the model are low, high")
  raises("y.age: expected numbers of another type, got u8", function()
    objective:evaluate({x = part.x, y = {class = class, age = image:reshape(N, 16)}}, {key = key})
  end)
end

function TestObjectives.test_networks_that_give_other_outputs_are_refused()
  local net = nn.parallel{image = nn.flatten(), table = nn.linear(4)}
  raises("likelihood: expected outputs by name from the network, {age = ...}, got one tensor",
    function() elbo{net = nn.sequential{net, nn.linear(3)}}:evaluate(part, {key = key}) end)
  raises("target age: bnn.likelihood.gaussian: expected y [60, 1], the shape of the network's",
    function()
      elbo():evaluate({x = part.x, y = {class = class, age = age:view(N)}}, {key = key})
    end)
  raises("{class = ...}, got age", function()
    local age_only = nn.sequential{net, nn.parallel{age = nn.linear(1), combine = "none"}}
    elbo{net = age_only}:evaluate(part, {key = key})
  end)
  raises("another name for a target than num_samples", bnn.likelihood.resolve,
    {num_samples = "poisson"})
  raises("got a table (target class)", bnn.likelihood.resolve, {class = {}})
  raises('got {"a", "b"}', bnn.likelihood.resolve, {class = {"a", "b"}})
  raises('got "unheard of" (target class)', bnn.likelihood.resolve, {class = "unheard of"})
  raises("got 3 (target class)", bnn.likelihood.resolve, {class = 3, age = "gaussian"})
  raises("got a table", bnn.likelihood.resolve, {name = "mine", predict = print})
end

TestPredictions = {}

-- Each head is what a model of that head alone predicts.
function TestPredictions.test_each_target_has_its_own()
  local objective = elbo()
  train(objective)
  local net, opts = objective.net, {key = key, num_samples = 7}
  local p = bnn.predict(objective, part, opts)
  for name, likelihood in pairs(LIKELIHOOD) do
    local alone = bnn.transform(function(x) return net(x)[name] end)
    local want = bnn.predict({net = alone, likelihood = likelihood,
                              posterior = objective.posterior}, part.x, opts)
    for field, tensor in pairs(want) do
      if type(tensor) == "userdata" then bits.assert_same(p[name][field], tensor) end
    end
  end
  lu.assertEquals({p.num_samples, p.age.num_samples}, {7, 7})
  lu.assertNil(p.age.class)
end

function TestPredictions.test_samples_in_parts_and_draws()
  local objective = elbo()
  local whole = bnn.predict(objective, part.x, {key = key, num_samples = 9, draws = true})
  lu.assertEquals(whole.age.draws:shape(), {9, N, 1})
  lu.assertEquals(whole.class.draws:shape(), {9, N, 2})
  local half = bnn.predict(objective, part.x, {key = key, num_samples = 4})
  local rest = bnn.predict(objective, part.x, {key = key, num_samples = 5, previous = half})
  bits.assert_same(rest.class.mean, whole.class.mean)
  bits.assert_same(rest.age.std, whole.age.std)
  raises("x.table holds other values than for the 4 samples so far", function()
    bnn.predict(objective, {image = image, table = tab + 1},
      {key = key, num_samples = 5, previous = half})
  end)
end

function TestPredictions.test_tolerances_are_of_each_target()
  local objective = elbo()
  local function auto(tolerance)
    return bnn.predict(objective, part, {key = key, num_samples = "auto", tolerance = tolerance,
                                         max_samples = 64})
  end
  local p = auto{age = 1e9}
  lu.assertTrue(p.age.reached)
  lu.assertEquals(p.class.reached, p.class.standard_error <= 0.02)
  lu.assertEquals(auto(1e9).num_samples, 16)
  lu.assertEquals(auto{age = 1e-9, class = 1}.num_samples, 64)
  raises("tolerance: age: expected the largest acceptable standard error", auto)
  raises("tolerance: expected the names of targets, got an entry 'size'", auto,
    {size = 1, age = 1})
  raises("tolerance: age: expected a number", auto, {age = "small"})
end

function TestPredictions.test_summaries_are_by_target()
  local objective = elbo()
  local p = bnn.predict(objective, part, {key = key, num_samples = 5})
  local s = bnn.metrics.summary(p, part.y)
  lu.assertEquals(s.class.accuracy, bnn.metrics.accuracy(p.class, class))
  lu.assertEquals(s.age.rmse, bnn.metrics.rmse(p.age, age))
  raises("prediction: expected one of target 'size'", bnn.metrics.summary, p, {size = age})
  raises("y: expected targets by name, as the prediction has them, got a tensor",
    bnn.metrics.summary, p, class)
end

function TestPredictions.test_each_target_has_a_line_when_printed()
  local p = bnn.predict(elbo(), part, {key = key, num_samples = 3})
  local function lines_of(value)
    local lines = {}
    for line in tostring(value):gmatch "[^\n]+" do lines[#lines + 1] = line end
    return lines
  end
  local lines = lines_of(p)
  lu.assertEquals({#lines, lines[1]}, {3, "prediction: num_samples = 3"})
  lu.assertStrContains(lines[2], "  age: mean = ")
  lu.assertStrContains(lines[3], "  class: class = i32 [60]")
  lines = lines_of(bnn.metrics.summary(p, part.y))
  lu.assertEquals({#lines, lines[1]}, {3, "summary:"})
  lu.assertStrContains(lines[2], "rmse = ")
  lu.assertStrContains(lines[3], "nll = ")
end

function TestPredictions.test_what_takes_one_target_says_that_it_got_several()
  local p = bnn.predict(elbo(), part, {key = key, num_samples = 3})
  local several = "got predictions by target (age, class)"
  raises(several, bnn.metrics.rmse, p, age)
  raises(several, bnn.ood.fit_threshold, p)
  raises(several, bnn.calibration.fit, {prediction = p, labels = class})
  raises("labels: expected a tensor or a list, got tensors by name (age, class)",
    bnn.metrics.accuracy, p.class, part.y)
end

TestRest = {}

function TestRest.test_streams_hand_out_tables()
  local function open()
    local from = 1
    return function()
      if from > N then return nil end
      local chunk = part:slice(from, from + 24)
      from = from + 25
      return {x = chunk.x, y = {class = chunk.y.class, age = chunk.y.age}}
    end
  end
  local stream = bnn.data.stream(open, {size = N})
  local at = 1
  for batch in stream:batches{size = 20, key = key} do
    bits.assert_same(batch.x.table, tab:narrow(1, at, 20))
    bits.assert_same(batch.y.age, age:narrow(1, at, 20))
    at = at + 20
  end
  lu.assertEquals(at, N + 1)
  local objective = elbo()
  train(objective, stream)
  local lost = bnn.data.stream(function()
    local i = 0
    return function()
      i = i + 1
      return {x = i == 1 and part.x or {image = image}}
    end
  end)
  local ok, message = pcall(lost.head, lost, N + 1)
  lu.assertFalse(ok)
  lu.assertStrContains(tostring(message), "x of chunk 2: expected tensors by name, image, table as "
    .. "in the first chunk, got tensors by name, image")
end

function TestRest.test_a_checkpoint_brings_back_network_and_likelihoods()
  local path = os.tmpname()
  os.remove(path)
  local objective = elbo()
  local with_classes = part_of{classes = {class = {"low", "high"}}}
  train(objective, with_classes, {checkpoint = {path = path}})
  local model = assert(bnn.checkpoint.open(path))
  lu.assertEquals(model.classes, {class = {"low", "high"}})
  local resumed = elbo()
  train(resumed, with_classes, {checkpoint = {path = path, resume = true}, steps = 12})
  local whole = elbo()
  train(whole, nil, {steps = 12})
  bits.assert_same(resumed.posterior:mean().flat, whole.posterior:mean().flat)
  local other = with_classes:with{x = {image = image, table = tab + 1}}
  local ok, message = pcall(train, elbo(), other,
    {checkpoint = {path = path, resume = true}, steps = 13})
  os.execute(("rm -r '%s'"):format(path))
  lu.assertFalse(ok)
  lu.assertStrContains(tostring(message), "data_fingerprint")
  local opts = {key = key, num_samples = 3}
  bits.assert_same(bnn.predict(model, part, opts).age.mean,
    bnn.predict(objective, part, opts).age.mean)
end

function TestRest.test_running_statistics_of_inputs_by_name()
  local net = nn.sequential{
    nn.parallel{image = nn.flatten(), table = nn.batch_norm()}, nn.linear(2),
  }
  local params = bnn.update_statistics(net, net:init(key, part), part, {batch_size = 20})
  local mean = params["sequential/parallel_0/table/batch_norm/running_mean"]
  lu.assertTrue((mean - tab:mean(1)):abs():max():item() < 1e-5)
end

os.exit(lu.LuaUnit.run())
