--- Every layer of bnn.nn, by its row: shapes, data and checkpoints, gradients, transforms, and what
-- is refused.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local layer_table = require "bnn.nn.layer_table"

local nn, key = bnn.nn, bnn.key(15)

-- The input of a row: normal draws, or ids from 1.
local function input_of(row)
  if not row.ids then return bnn.randn(key:fold "x", row.x) end
  local ids = {}
  for i = 1, bnn.zeros(row.x):numel() do ids[i] = 3 * i % row.ids + 1 end
  return bnn.tensor(ids, "i32"):view(row.x)
end

-- A row's layer, its input, and parameters away from their special initial values (0, 1).
local function case(row)
  local layer = nn[row[1]](table.unpack(row.args))
  local x = input_of(row)
  local params = {}
  for name, value in pairs(layer:init(key, x)) do
    params[name] = value + bnn.randn(key:fold(name), value:shape()) * 0.3
  end
  return layer, x, params
end

-- Adds a test for each row to a suite, or for those whose parameters `wanted` says yes to.
local function for_each(suite, name, check, wanted)
  for _, row in ipairs(layer_table.rows) do
    if not wanted or wanted(select(3, case(row))) then
      suite[("test_%s_%s"):format(row[1], name)] = function() check(row, case(row)) end
    end
  end
end

local function has_parameters(params) return next(params) ~= nil end

local function value(tensor) return tensor:real():sum():item() end

TestTable = {}

function TestTable.test_each_name_is_a_row_once_and_a_function_of_the_library()
  local seen = {}
  for _, row in ipairs(layer_table.rows) do
    lu.assertNil(seen[row[1]], row[1])
    seen[row[1]] = true
    lu.assertIs(nn[row[1]], row[2][row[1]])
  end
  lu.assertTrue(#layer_table.rows >= 18, #layer_table.rows)
end

TestLayers = {}

for_each(TestLayers, "gives_as_many_rows_as_it_gets_and_keeps_them_apart", function(_, net, x, p)
  local y = net:apply(p, x)
  lu.assertEquals(y:size(1), x:size(1))
  local n = x:size(1)
  local last = net:apply(p, x:narrow(1, n, 1)) -- a product of one row may round otherwise
  lu.assertAlmostEquals((y:narrow(1, n, 1) - last):abs():max():item(), 0, 1e-5)
  local nothing = net:apply(p, x:narrow(1, 1, 0))
  lu.assertEquals({nothing:size(1), nothing:numel()}, {0, 0})
end)

for_each(TestLayers, "names_its_parameters_after_itself", function(row, _, _, p)
  for path in pairs(p) do lu.assertStrContains(path, row[1] .. "/") end
end, has_parameters)

for_each(TestLayers, "is_made_again_from_data", function(row, net, x, p)
  if row.no_config then
    lu.assertNil(nn.to_config(net))
    lu.assertNil(nn.to_config(nn.sequential{net}))
    return
  end
  local config = nn.to_config(net)
  lu.assertEquals(config.kind, row[1])
  local again = assert(nn.from_config(config))
  lu.assertEquals({tostring(again), nn.to_config(again)}, {tostring(net), config})
  lu.assertEquals(tostring(net):match "^[%w_]+", row[1])
  bits.assert_same(again:apply(p, x), net:apply(p, x))
  local inside = nn.sequential{net}
  lu.assertEquals(tostring(nn.from_config(nn.to_config(inside))), tostring(inside))
end)

for_each(TestLayers, "comes_back_from_a_checkpoint", function(row, net, x)
  local whole = nn.sequential{net, nn.flatten(), nn.linear(2)}
  if row.no_config then return end
  local params, path = whole:init(key, x), os.tmpname()
  local described = bnn.checkpoint.describe{net = whole, likelihood = "categorical"}
  assert(bnn.checkpoint.save(path, {params = params, model = described}))
  local model = assert(bnn.checkpoint.open(path))
  os.remove(path)
  lu.assertEquals(tostring(model.net), tostring(whole))
  bits.assert_same(model.net:apply(model.params, x), whole:apply(params, x))
end)

-- The slope of f at the tensors in `at` (by name), by differences along a random direction.
local function check_gradient(f, at)
  local gradient = bnn.grad(f)(at)
  for name, tensor in pairs(at) do
    local step = bnn.randn(key:fold "step":fold(name), tensor:shape())
    local function along(t)
      local moved = {}
      for other, v in pairs(at) do moved[other] = other == name and v + step * t or v end
      return f(moved):item()
    end
    local slope, want = (along(4e-3) - along(-4e-3)) / 8e-3, value(gradient[name] * step)
    if bnn.params.is_state(name) then
      lu.assertEquals(value(gradient[name]:abs()), 0, name)
    else
      lu.assertAlmostEquals(slope, want, 2e-2 * (1 + math.abs(want)), name)
      -- a bias of keys moves all scores of a query alike
      if not name:find "key/b$" then lu.assertTrue(value(gradient[name]:abs()) > 0, name) end
    end
  end
end

for_each(TestLayers, "has_the_gradient_that_differences_have", function(row, net, x, p)
  -- weights of its own for each output, so that none cancels another
  local y = net:apply(p, x)
  local weight = bnn.randn(key:fold "weight", y:shape())
  local function loss(params, input) return (net:apply(params, input) * weight):sum() end
  if next(p) then check_gradient(function(params) return loss(params, x) end, p) end
  if row.ids then return end -- ids have no gradient
  check_gradient(function(inputs) return loss(p, inputs.x) end, {x = x})
end)

for_each(TestLayers, "is_the_same_compiled_and_mapped", function(_, net, x, p)
  local function f(params, input) return net:apply(params, input) end
  local y = f(p, x)
  bits.assert_same(bnn.compile(f)(p, x), y)
  local function of_row(row) return f(p, row:reshape(1, table.unpack(row:shape()))) end
  local mapped = bnn.vmap(of_row)(x)
  lu.assertEquals(mapped:numel(), y:numel())
  lu.assertAlmostEquals((mapped:reshape(y:shape()) - y):abs():max():item(), 0, 1e-5)
end)

for_each(TestLayers, "draws_while_training_only_if_its_row_says_so", function(row, net, x, p)
  local function train(own) return net:apply(p, x, {key = own, train = true}) end
  bits.assert_same(train(key), train(key))
  bits.assert_same(net:apply(p, x), net:apply(p, x, {key = key}))
  if row.random then
    bits.assert_differ(train(key), train(bnn.key(16)))
    bits.assert_differ(train(key), net:apply(p, x))
  else
    bits.assert_same(train(key), train(bnn.key(16)))
    bits.assert_same(train(key), net:apply(p, x, {statistics = row.statistics}))
  end
end)

for_each(TestLayers, "refuses_what_is_no_tensor_and_to_be_called_outside", function(row, net, x)
  for text, input in pairs{["nil"] = false, ["a number"] = 3, ["a table"] = {{1}}} do
    local whole = bnn.transform(function() return (net(input or nil)) end)
    bits.raises({row[1] .. ": x: expected a tensor, got " .. text}, whole.init, whole, key, x)
  end
  bits.raises(("bnn.nn.%s: expected to be called inside a network"):format(row[1]), net, x)
end)

for_each(TestLayers, "refuses_parameters_that_are_missing_or_of_another_shape",
  function(row, net, x, p)
    for path, tensor in pairs(p) do
      local others, shape = {}, tensor:shape()
      for name, v in pairs(p) do others[name] = v end
      others[path] = nil
      local name = path:match "[^/]+$"
      bits.raises({row[1], name .. ": expected a tensor"}, net.apply, net, others, x)
      shape[#shape] = shape[#shape] + 1
      others[path] = bnn.zeros(shape)
      bits.raises({row[1], name .. ": expected ["}, net.apply, net, others, x)
    end
  end, has_parameters)

os.exit(lu.LuaUnit.run())
