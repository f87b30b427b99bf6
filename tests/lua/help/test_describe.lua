--- What print shows of the library's objects: one line, never an address.
local lu = require "luaunit"
local bnn = require "bnn"

local key = bnn.key(1)
local data = bnn.data.cubic{key = key}
local net = bnn.transform(function(x) return bnn.nn.linear(1)(x) end)
local params = net:init(key, data.train.x)
local objective = bnn.elbo{
  net = net, posterior = bnn.posterior.meanfield(params), temperature = 1,
  likelihood = bnn.likelihood.gaussian{sigma = 3}, data_size = data.train.size,
}
local prediction = bnn.predict(objective, data.test.x, {num_samples = 2, key = key})

TestLines = {}

function TestLines.test_nothing_prints_as_an_address()
  local batch = data.train:batches{size = 10, key = key}()
  local f = function(x) return x end
  for _, row in ipairs{
    {data, "data set: name = \"cubic\", test = {data: 1000 examples"},
    {data.train, "data: 100 examples, x f32 [100, 1], y f32"}, {batch, "batch: 10 of data: 100"},
    {net, "net: function at tests/lua/help/test_describe.lua:7"}, {bnn.nn.mlp{3, 1}, "mlp{3, 1}"},
    {params, "parameters: 2 in 2 tensors"}, {objective.posterior, "mean-field posterior over 2"},
    {objective, "elbo{"}, {objective.likelihood, "likelihood: name = \"gaussian\", sigma = 3"},
    {bnn.optim.adam(), "adam{"}, {bnn.optim.adam():init(objective), "after 0 steps"},
    {prediction, "prediction: mean = f32 [1000, 1], "}, {prediction, "num_samples = 2, std = f32"},
    {objective:evaluate(data.test, {key = key}), "evaluation: elbo = "},
    {bnn.grad(f), "gradient of function at tests/lua/help/test_describe.lua:19"},
    {bnn.value_and_grad(f), "value and gradient of function at "}, {bnn.log.memory(), "log"},
  } do
    local text = tostring(row[1])
    lu.assertStrContains(text, (row[2]:gsub("f32", bnn.ones(1):dtype())))
    lu.assertNil(text:find "0x%x+")
  end
end

function TestLines.test_a_line_is_short_and_obeys_nobody()
  local describe = require "bnn.base.describe"
  local text = tostring(describe.as("thing", {["a\27"] = "b\n", f = print, n = 0.1, list = {1, 2}}))
  lu.assertEquals(text, 'thing: a\\x1b = "b\\n", list = list of 2, n = 0.1')
  text = tostring(describe.as("thing", {a = ("é"):rep(300)}))
  lu.assertNotNil(utf8.len(text))
  lu.assertTrue(#text <= 200)
  lu.assertEquals(tostring(describe.as("thing", {})), "thing")
end

TestTables = {}

-- A result is a table in all but its printing.
function TestTables.test_results_go_through_grad_and_into_files()
  local g = bnn.grad(function(p) return (p.mean * p.mean):sum() end)(prediction)
  lu.assertEquals(g.mean:shape(), prediction.mean:shape())
  local path = os.tmpname()
  assert(bnn.checkpoint.save(path, {params = params, extras = {p = prediction}}))
  local back = assert(bnn.checkpoint.load(path))
  lu.assertStrContains(tostring(back), "checkpoint: extras = table, params = {parameters: 2")
  lu.assertEquals(back.extras.p.num_samples, 2)
  assert(bnn.checkpoint.save(path, back))
  os.remove(path)
end

function TestTables.test_the_length_of_a_part_is_its_examples()
  lu.assertEquals({#data.train, #data.test, #data.train:slice(3, 7)}, {100, 1000, 5})
end

os.exit(lu.LuaUnit.run())
