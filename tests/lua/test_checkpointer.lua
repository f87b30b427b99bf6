--- Trainings with checkpoints: going on gives the bits of never having stopped; what is kept, what
-- is refused, what a failed write does; models from files, and parameters for other networks.
local lu = require "luaunit"
local folder = arg[0]:match "^(.*)/" or "."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local core = require "bnn.core"
local bnn = require "bnn"

local _, _, jansson = pcall(core.json_encode, true)
local HAS_JANSSON = jansson == nil
local raises = bits.raises
local key = bnn.key(6)
local N = 60
local x = bnn.randn(key:fold "x", N, 6)

local function labels()
  local list = {}
  for i, row in ipairs(x:totable()) do
    list[i] = (row[1] > 0 and 1 or 0) + (row[2] > 0 and 1 or 0)
  end
  return bnn.tensor(list, "i32")
end
local y = labels()
local data = bnn.data.part{x = x, y = y}

-- ---- a folder for each test ----

local place

local function in_place(class)
  function class.setUp()
    lu.skipIf(not HAS_JANSSON, "no jansson")
    place = os.tmpname()
    os.remove(place)
    core.make_folder(place)
  end
  function class.tearDown()
    if place then os.execute("rm -rf '" .. place .. "'") end
    bnn.threads(0)
  end
  return class
end

local function names(path)
  local list = {}
  for name in pairs(core.list_dir(path) or {}) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- What f writes to stderr, and what it gives.
local function stderr_of(f, ...)
  local was, text = io.stderr, {}
  io.stderr = {write = function(_, ...) -- luacheck: ignore 122
    for _, part in ipairs{...} do text[#text + 1] = part end
  end}
  local results = table.pack(pcall(f, ...))
  io.stderr = was -- luacheck: ignore 122
  if not results[1] then error(results[2], 0) end
  return table.concat(text), table.unpack(results, 2, results.n)
end

-- ---- kinds of trainings ----

local net = bnn.nn.mlp{8, 3}
local with_dropout = bnn.nn.sequential{bnn.nn.linear(8), bnn.nn.dropout(0.3), bnn.nn.relu(),
                                       bnn.nn.linear(3)}

local kinds = {
  {name = "elbo", objective = function()
    return bnn.elbo{net = net, posterior = bnn.posterior.meanfield(net:init(key, x)),
                    samples = 2, beta = function(step) return 1e-4 * step end}
  end, optimizer = bnn.optim.adam{lr = 0.02}},
  {name = "last layer", objective = function()
    local q = bnn.posterior.meanfield(net:init(key, x), {only = {"mlp/linear_1"}})
    return bnn.elbo{net = net, posterior = q, temperature = 0.1}
  end, optimizer = bnn.optim.sgd{lr = 0.02, momentum = 0.9}},
  {name = "dropout", objective = function()
    return bnn.objective{net = with_dropout, params = with_dropout:init(key, x),
                         likelihood = "categorical", weight_decay = 1e-3}
  end, optimizer = bnn.optim.adam{lr = bnn.schedule.cosine{from = 0.05, to = 0, steps = 40}}},
}

local function parameters_of(objective)
  local q = objective.posterior
  return q and {q.mu, q.logvar} or {objective.params}
end

-- Trains; gives the objective, the state, and the rows of the log.
local function train(kind, steps, checkpoint, more)
  local objective, log = kind.objective(), bnn.log.memory()
  local opts = {
    objective = objective, optimizer = kind.optimizer, data = data, steps = steps, batch_size = 16,
    key = key:fold "train", log = log, log_every = 10, checkpoint = checkpoint,
    evaluate = function()
      return {{"loss", objective:evaluate(data, {key = key:fold "eval"}).loss}}
    end,
  }
  for name, value in pairs(more or {}) do opts[name] = value end
  local state = bnn.train(opts)
  return objective, state, log
end

-- {[step] = value} of what was logged.
local function rows_of(log)
  local rows = {}
  for _, block in ipairs(log.blocks) do rows[block.step] = block.rows[1][2] end
  return rows
end

TestGoingOn = in_place{}

function TestGoingOn.test_a_training_that_stopped_has_the_bits_of_one_that_did_not()
  for i, kind in ipairs(kinds) do
    for threads = 1, 3 do
      bnn.threads(threads)
      local dir = ("%s/%d_%d"):format(place, i, threads)
      local whole, whole_state, whole_log = train(kind, 40)
      train(kind, 17, {path = dir, every = 10})
      local said, objective, state, log = stderr_of(train, kind, 40, {path = dir, resume = true})
      lu.assertStrContains(said, "resumed from " .. dir .. "/step_00000017.safetensors")
      for k, params in ipairs(parameters_of(objective)) do
        bits.assert_same(params, parameters_of(whole)[k], kind.name)
      end
      lu.assertEquals(state:steps(), 40)
      for k, moment in ipairs(state.moments:slots()) do
        bits.assert_same(moment, whole_state.moments:slots()[k], kind.name)
      end
      local rows, want = rows_of(log), rows_of(whole_log)
      for _, step in ipairs{20, 30, 40} do lu.assertEquals(rows[step], want[step], kind.name) end
      lu.assertNil(rows[0])
      lu.assertNil(rows[17])
    end
  end
end

function TestGoingOn.test_a_training_that_is_over_says_its_figures_again()
  local _, _, before = train(kinds[1], 20, {path = place .. "/a"})
  local _, _, _, log = stderr_of(train, kinds[1], 20, {path = place .. "/a", resume = true})
  lu.assertEquals(rows_of(log), {[20] = rows_of(before)[20]})
end

function TestGoingOn.test_nothing_to_resume_from_begins_anew()
  local said, objective = stderr_of(train, kinds[1], 5, {path = place .. "/new", resume = true})
  lu.assertStrContains(said, "nothing to resume from, the training begins")
  lu.assertStrContains(table.concat(names(place .. "/new"), " "), "step_00000005.safetensors")
  bits.assert_same(objective.posterior.mu, (train(kinds[1], 5)).posterior.mu)
end

TestKeeping = in_place{}

function TestKeeping.test_the_last_few_are_kept()
  train(kinds[1], 23, {path = place, every = 5, keep = 2})
  lu.assertEquals(names(place), {"step_00000020.safetensors", "step_00000023.safetensors"})
end

-- The figure falls until step 20, then rises: the best stays.
function TestKeeping.test_the_best_is_kept()
  local at
  local function evaluate(step)
    at = step
    return {{"figure", math.abs(step - 20)}, {"other", 0 / 0}}
  end
  local more = {evaluate = evaluate, log_every = 5}
  train(kinds[1], 40, {path = place, best = "figure", mode = "min"}, more)
  lu.assertEquals(at, 40)
  lu.assertEquals(assert(bnn.checkpoint.load(place .. "/best.safetensors")).step, 20)
  train(kinds[1], 20, {path = place .. "/max", best = "figure", mode = "max"}, more)
  lu.assertEquals(assert(bnn.checkpoint.load(place .. "/max/best.safetensors")).step, 0)
  -- a number that is none is never the best
  train(kinds[1], 20, {path = place .. "/nan", best = "other"}, more)
  lu.assertNil((bnn.checkpoint.load(place .. "/nan/best.safetensors")))
  raises("best = 'nope', which evaluate does not give", train, kinds[1], 20,
    {path = place .. "/no", best = "nope"}, more)
end

function TestKeeping.test_extras_and_config_are_kept()
  train(kinds[1], 4, {path = place, config = {lr = 0.5}, extras = function(step)
    return {threshold = step / 2}
  end})
  local saved = assert(bnn.checkpoint.load(place .. "/step_00000004.safetensors"))
  lu.assertEquals(saved.config, {lr = 0.5})
  lu.assertEquals(saved.extras, {threshold = 2.0})
end

TestRefusing = in_place{}

function TestRefusing.test_another_training_is_refused_by_name()
  train(kinds[1], 5, {path = place, config = {lr = 0.5, steps = 5}})
  local rows = {
    {"lr: 0.5 in the checkpoint, 0.25 here", {config = {lr = 0.25, steps = 9}}},
    {"batch_size: 16 in the checkpoint, 8 here", {config = {lr = 0.5}}, {batch_size = 8}},
    {"data_size: 60 in the checkpoint, 50 here", {}, {data = data:slice(1, 50)}},
    {"key: ", {}, {key = bnn.key(1)}},
    {"optimizer_options: ", {}, {optimizer = bnn.optim.adam{lr = 0.5}}},
  }
  for _, row in ipairs(rows) do
    row[2].path, row[2].resume = place, true
    local ok, fault = pcall(train, kinds[1], 9, row[2], row[3])
    lu.assertFalse(ok)
    lu.assertStrContains(tostring(fault), row[1])
    lu.assertStrContains(tostring(fault), "resume_anyway")
  end
  local said = stderr_of(train, kinds[1], 9, {path = place, resume_anyway = true}, {batch_size = 8})
  lu.assertStrContains(said, "going on although it differs: batch_size")
end

function TestRefusing.test_an_earlier_training_is_not_overwritten()
  train(kinds[1], 5, {path = place})
  local ok, fault = pcall(train, kinds[1], 5, {path = place})
  lu.assertFalse(ok)
  lu.assertStrContains(tostring(fault), "holds checkpoints of an earlier training")
  local said
  said, ok, fault = stderr_of(pcall, train, kinds[3], 9, {path = place, resume_anyway = true})
  lu.assertStrContains(said, "going on although it differs")
  lu.assertFalse(ok)
  lu.assertStrContains(tostring(fault), "'sequential/linear_0/b' is missing, wanted [8]")
end

function TestRefusing.test_a_write_that_fails_is_said_and_the_training_goes_on()
  local path = place .. "/gone"
  local said, objective = stderr_of(train, kinds[1], 20, {path = path, every = 5}, {
    on_step = function(step)
      if step == 7 then
        os.execute(("rm -rf '%s'; : >'%s'"):format(path, path))
      end
    end,
  })
  lu.assertStrContains(said, "WARNING: no checkpoint at step 10")
  lu.assertStrContains(said, "WARNING: no checkpoint at step 20")
  bits.assert_same(objective.posterior.mu, (train(kinds[1], 20)).posterior.mu)
end

TestModels = in_place{}

function TestModels.test_a_file_opens_to_a_model_that_predicts_the_same_bits()
  for i, kind in ipairs(kinds) do
    local path = ("%s/%d"):format(place, i)
    local objective = train(kind, 10, {path = path})
    local model = assert(bnn.checkpoint.open(path .. "/step_00000010.safetensors"))
    local opts = {samples = 5, key = key}
    bits.assert_same(bnn.predict(model, x, opts).mean, bnn.predict(objective, x, opts).mean)
    lu.assertEquals(tostring(model.net), tostring(objective.net))
    lu.assertEquals(model.step, 10)
  end
end

function TestModels.test_a_network_made_by_a_function_is_given()
  local own = bnn.transform(function(input) return bnn.nn.linear(3)(input) end)
  local params = own:init(key, x)
  local path = place .. "/own.safetensors"
  assert(bnn.checkpoint.save(path, {params = params,
    model = bnn.checkpoint.describe{net = own, likelihood = bnn.likelihood.categorical()}}))
  local model, fault = bnn.checkpoint.open(path)
  lu.assertNil(model)
  lu.assertStrContains(fault, "its network was made by a function")
  model = assert(bnn.checkpoint.open(path, {net = own}))
  lu.assertEquals(model.likelihood.name, "categorical")
  bits.assert_same(model.net:apply(model.params, x), own:apply(params, x))
end

function TestModels.test_every_layer_is_data()
  local nn = bnn.nn
  local whole = nn.sequential{
    nn.conv2d(4, {3, 5}, {stride = {1, 2}, padding = {1, 2}, bias = false}), nn.relu(),
    nn.max_pool(2, {padding = 1}), nn.conv2d(3, 3, {padding = "same"}), nn.tanh(),
    nn.avg_pool({1, 2}, {stride = 1}), nn.leaky_relu(0.3), nn.flatten(),
    nn.linear(5, {bias = false}), nn.layer_norm{eps = 1e-3}, nn.gelu(), nn.dropout(0.25),
    nn.softplus(), nn.sin(), nn.sigmoid(),
    nn.mlp{4, 2, activation = "tanh"},
  }
  local made = assert(nn.of(nn.describe(whole)))
  local images = bnn.randn(key, 2, 1, 9, 12)
  local params = whole:init(key, images)
  lu.assertEquals(made:init(key, images):names(), params:names())
  local opts = {key = key, train = true}
  bits.assert_same(made:apply(params, images, opts), whole:apply(params, images, opts))
  lu.assertEquals(nn.describe(made), nn.describe(whole))
  lu.assertNil(nn.describe(nn.sequential{function(input) return input end}))
  for _, bad in ipairs{false, {}, {kind = "transform", args = {}}, {kind = "linear", args = {-1}},
                       {kind = "mlp", args = {{"x"}}}, {kind = "sequential", args = {{7}}},
                       {kind = "of", args = {{}}}, {kind = "linear", args = 3}} do
    local none, fault = nn.of(bad)
    lu.assertNil(none)
    lu.assertEquals(type(fault), "string")
  end
end

TestTaking = {}

function TestTaking.test_what_does_not_fit_is_named()
  local target, source = net:init(key, x), bnn.nn.mlp{7, 3}:init(bnn.key(1), x)
  local before = target:clone()
  local ok, fault = bnn.checkpoint.take(target, source)
  lu.assertNil(ok)
  lu.assertStrContains(fault, "'mlp/linear_0/w' is [6, 7], wanted [6, 8]")
  bits.assert_same(target, before)
  local faults = bnn.checkpoint.take(target, source, {strict = false})
  lu.assertEquals(#faults, 3)
  bits.assert_same(target["mlp/linear_1/b"], source["mlp/linear_1/b"])
  bits.assert_same(target["mlp/linear_1/w"], before["mlp/linear_1/w"])
  local others = {["mlp/linear_0/b"] = bnn.zeros(8), z = bnn.zeros(1)}
  lu.assertEquals(bnn.checkpoint.compare(target, others),
    {"'mlp/linear_0/w' is missing, wanted [6, 8]", "'mlp/linear_1/b' is missing, wanted [3]",
     "'mlp/linear_1/w' is missing, wanted [8, 3]", "'z' [1] is surplus"})
end

function TestTaking.test_params_become_the_mean_of_a_posterior()
  local trained = net:init(bnn.key(1), x)
  local q = bnn.posterior.meanfield(net:init(key, x))
  lu.assertEquals(bnn.checkpoint.take(q, trained), {})
  bits.assert_same(q.mu, trained)
  lu.assertEquals(q.logvar.flat:max():item(), -7)
  local other = bnn.posterior.meanfield(trained, {logvar = -3})
  lu.assertEquals(bnn.checkpoint.take(q, other), {})
  lu.assertEquals(q.logvar.flat:max():item(), -3)
end

function TestTaking.test_deviations_in_proportion_to_the_weights()
  local params = net:init(key, x)
  local q = bnn.posterior.moped(params, {fraction = 0.2, least = -12})
  bits.assert_same(q.mu, params)
  local w = params["mlp/linear_0/w"]
  local sigma, want = (q.logvar["mlp/linear_0/w"] / 2):exp(), (w:abs() * 0.2):maximum(math.exp(-6))
  lu.assertTrue((sigma - want):abs():max():item() < 1e-6)
  lu.assertAlmostEquals(q.logvar["mlp/linear_0/b"]:max():item(), -12, 1e-5) -- biases are 0
  lu.assertEquals(bnn.posterior.moped(params, {only = {"mlp/linear_1"}}).logvar:names(),
    {"mlp/linear_1/w", "mlp/linear_1/b"})
end

os.exit(lu.LuaUnit.run())
