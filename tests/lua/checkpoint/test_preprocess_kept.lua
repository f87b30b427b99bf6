--- What made the training data of a table is kept with the model: a checkpoint alone predicts a raw
-- table in units.
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"

if not core.json_encode(true) then -- test_safetensors.lua tells of it
  print "Ran 0 tests in 0.000 seconds, 0 successes, 0 failures"
  os.exit(true)
end

local NAN = 0 / 0
local key = bnn.key(3)
local path

TestKept = {}

function TestKept:setUp() path = os.tmpname() end
function TestKept:tearDown() os.remove(path) end

local function rows_of()
  return bnn.data.table{
    {name = "size", values = {20, 35, NAN, 80, 55, 40}},
    {name = "heating", values = {"gas", NAN, "oil", "gas", "oil", "gas"}},
    {name = "rent", values = {400, 500, 800, 1300, 900, 600}},
  }
end

-- A model that two steps have trained, its data, and what made them.
local function trained()
  local prep = bnn.data.preprocess{label = "rent"}:fit(rows_of())
  local part = prep:apply(rows_of())
  local net = bnn.nn.linear(1)
  local objective = bnn.elbo{
    net = net, likelihood = bnn.likelihood.gaussian{sigma = 0.5},
    posterior = bnn.posterior.meanfield(net:init(key:fold "init", part)),
  }
  bnn.train{objective = objective, optimizer = bnn.optim.adam{lr = 0.1}, data = part, steps = 2,
            batch_size = 6, key = key:fold "train", log = bnn.log.memory()}
  return objective, part, prep
end

local function save(model, described)
  assert(bnn.checkpoint.save(path, {posterior = model.posterior, model = described
    or bnn.checkpoint.describe(model)}))
end

function TestKept.test_training_hands_it_from_the_data_to_the_checkpoint()
  local objective, part, prep = trained()
  lu.assertTrue(objective.preprocess == prep)
  save(objective)
  local model = assert(bnn.checkpoint.open(path))
  lu.assertEquals(tostring(model.preprocess), tostring(prep))
  local again = model.preprocess:apply(rows_of())
  lu.assertEquals(again.x:totable(), part.x:totable())
  local opts = {key = key:fold "predict", num_samples = 8, draws = true}
  local before = prep:invert(bnn.predict(objective, part, opts))
  local after = model.preprocess:invert(bnn.predict(model, again, opts))
  for _, name in ipairs{"mean", "std", "total_std", "draws"} do
    lu.assertEquals(after[name]:totable(), before[name]:totable())
  end
end

function TestKept.test_a_model_without_one_has_none()
  local objective = trained()
  save{net = objective.net, posterior = objective.posterior, likelihood = objective.likelihood}
  lu.assertNil(assert(bnn.checkpoint.open(path)).preprocess)
end

function TestKept.test_damaged_data_are_a_message()
  local objective = trained()
  local described = bnn.checkpoint.describe(objective)
  for _, case in ipairs{
    {"text", "preprocess: expected a table"}, {{}, "preprocess: columns: expected a table"},
    {{version = 2, columns = {}, size = 1, order = {}}, "version: expected at most 1, got 2"},
    {{version = 1, columns = {{name = "a"}}, size = 1, order = {}},
     "column 1: expected the kind number"},
  } do
    described.preprocess = case[1]
    save(objective, described)
    local model, fault = bnn.checkpoint.open(path)
    lu.assertNil(model)
    lu.assertStrContains(fault, case[2])
    lu.assertStrContains(fault, path)
  end
end

function TestKept.test_one_that_is_not_fitted_is_refused()
  local objective = trained()
  objective.preprocess = bnn.data.preprocess{}
  lu.assertErrorMsgContains("bnn.checkpoint.describe: model.preprocess: expected a fitted",
    bnn.checkpoint.describe, objective)
end

os.exit(lu.LuaUnit.run())
