--- Parameters: named views into one flat buffer, their order, their arithmetic.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(3)
local net, x = bnn.nn.mlp{4, 3}, bnn.randn(key:fold "x", 8, 6)
local NAMES = {"mlp/linear_0/w", "mlp/linear_0/b", "mlp/linear_1/w", "mlp/linear_1/b"}

local function params() return net:init(key, x) end

TestParams = {}

function TestParams.test_the_tensors_are_views_into_the_flat_buffer()
  local p = params()
  lu.assertEquals(p.flat:shape(), {6 * 4 + 4 + 4 * 3 + 3})
  lu.assertEquals(p:numel(), 43)
  bits.assert_same(p["mlp/linear_0/w"], p.flat:narrow(1, 1, 24):view(6, 4))
  bits.assert_same(p["mlp/linear_1/w"], p.flat:narrow(1, 29, 12):view(4, 3))
  local q = bnn.posterior.meanfield(p)
  local objective = bnn.elbo{net = net, posterior = q, beta = 0}
  local view, before = q.mu["mlp/linear_1/w"], q.mu["mlp/linear_1/w"]:clone()
  objective:step(bnn.optim.adam{lr = 0.1}:init(objective), {x = x, y = bnn.zeros({8}, "i32")}, key)
  bits.assert_differ(view, before)
  bits.assert_same(view, q.mu.flat:narrow(1, 29, 12):view(4, 3))
end

function TestParams.test_old_names_say_the_new_ones()
  for old, new in pairs{gather = "pack", of_tensors = "wrap", join = "merge"} do
    raises(("bnn.params.%s is now bnn.params.%s"):format(old, new),
      function() return bnn.params[old] end)
  end
  raises("bnn.samples.of is now bnn.samples.stack", function() return bnn.samples.of end)
end

function TestParams.test_pairs_names_and_length_go_in_order()
  local p, names = params(), {}
  for name, tensor in pairs(p) do
    names[#names + 1] = name
    bits.assert_same(tensor, p[name])
  end
  lu.assertEquals(names, NAMES)
  lu.assertEquals(p:names(), NAMES)
  lu.assertEquals(#p, 4)
end

function TestParams.test_text_shows_names_and_shapes()
  local text = tostring(params())
  for _, piece in ipairs{"43 in 4 tensors", "mlp/linear_0/w", "[6, 4]", "mlp/linear_1/b", "[3]"} do
    lu.assertStrContains(text, piece)
  end
end

function TestParams.test_arithmetic_gives_new_parameters()
  local p = params()
  local before = p:clone()
  local rows = {
    {p + p, p.flat * 2}, {p - p, p.flat - p.flat}, {p * p, p.flat * p.flat}, {p * 3, p.flat * 3},
    {3 * p, p.flat * 3}, {p / 2, p.flat / 2}, {1 - p, 1 - p.flat}, {p + 1, p.flat + 1},
    {1 / (p + 9), 1 / (p.flat + 9)}, {-p, -p.flat}, {p * bnn.tensor(2), p.flat * 2},
    {p:map(function(t) return t:exp() end), p.flat:exp()},
  }
  for i, row in ipairs(rows) do
    bits.assert_same(row[1].flat, row[2], "row " .. i)
    lu.assertEquals(row[1]:names(), NAMES)
  end
  bits.assert_same(p, before)
end

function TestParams.test_map_gets_the_names()
  local seen = {}
  local q = params():map(function(tensor, name)
    seen[#seen + 1] = name
    return name:find "/b$" and tensor + 1 or tensor * 0
  end)
  lu.assertEquals(seen, NAMES)
  lu.assertEquals(q.flat:sum():item(), 7)
end

function TestParams.test_a_clone_shares_no_memory()
  local q = bnn.posterior.meanfield(params())
  local clone, same = q.mu:clone(), q.mu
  local objective = bnn.elbo{net = net, posterior = q, beta = 0}
  objective:step(bnn.optim.adam{lr = 0.1}:init(objective), {x = x, y = bnn.zeros({8}, "i32")}, key)
  bits.assert_same(clone, params())
  bits.assert_differ(same, clone)
end

function TestParams.test_names_can_not_be_set()
  local p = params()
  raises({"test_params.lua:", "'w' cannot be set"}, function() p.w = 1 end)
  raises("cannot be set", function() p["mlp/linear_0/w"] = bnn.zeros(6, 4) end)
  raises("'flat' cannot be set", function() p.flat = bnn.zeros(43) end)
  lu.assertNil(p["mlp/linear_7/w"])
end

function TestParams.test_two_sets_must_agree()
  local p = params()
  local small, wide = bnn.nn.mlp{4}:init(key, x), bnn.nn.mlp{5, 3}:init(key, x)
  local thin = bnn.nn.mlp{4, 3}:init(key, bnn.zeros(1, 1))
  local function line(f) raises("test_params.lua:", f) end
  for _, pair in ipairs{{small, p}, {p, small}} do
    raises("only one side has 'mlp/linear_1/w'", function() return pair[1] + pair[2] end)
    line(function() return (pair[1] + pair[2]).flat end)
  end
  raises({"'mlp/linear_0/w'", "[6, 4]", "[6, 5]"}, function() return p - wide end)
  raises({"'mlp/linear_0/w'", "[6, 4]", "[1, 4]"}, function() return p - thin end) -- no broadcast
  raises("params:map: for 'mlp/linear_0/w': expected [1, 4], got [8, 6]", thin.map, thin,
    function() return x end)
  raises("params:map: for 'mlp/linear_0/w': expected [6, 4], got []",
    function() return p:map(function(t) return t:sum() end) end)
end

function TestParams.test_more_tensors_than_an_op_takes_are_gathered()
  local layers = {}
  for i = 1, 40 do layers[i] = bnn.nn.linear(2) end
  local p = bnn.nn.sequential(layers):init(key, bnn.zeros(1, 2))
  lu.assertEquals({#p, p:numel()}, {80, 240})
  bits.assert_same(p["sequential/linear_39/w"], p.flat:narrow(1, 235, 4):view(2, 2))
  bits.assert_same((p + p).flat, p.flat * 2)
end

-- ---- flat, while a function is recorded ----

TestFlat = {}

function TestFlat.test_gradients_flow_through_it()
  local p = params()
  local weights = bnn.arange(1, p:numel())
  local function f(q) return (q.flat * q.flat * weights):sum() end
  local value, gradient = bnn.value_and_grad(f)(p)
  lu.assertAlmostEquals(value:item(), f(p):item(), 1e-4 * math.abs(f(p):item()))
  bits.assert_same(gradient.flat, p.flat * weights * 2)
  bits.assert_same(bnn.compile(function(q) return q.flat end)(p), p.flat)
  local both = bnn.grad(function(q) return q.flat:sum() + (q["mlp/linear_0/w"] * 2):sum() end)(p)
  lu.assertEquals(both["mlp/linear_0/w"]:mean():item(), 3)
  lu.assertEquals(both["mlp/linear_1/b"]:mean():item(), 1)
end

function TestFlat.test_posteriors_and_samples_have_it_too()
  local q = bnn.posterior.meanfield(params())
  local g = bnn.grad(function(r) return (r.mu.flat * 3):sum() + r.logvar.flat:sum() end)(q)
  lu.assertEquals({g.mu.flat:min():item(), g.logvar.flat:max():item()}, {3, 1})
  local norms = bnn.vmap(function(p) return (p.flat ^ 2):sum() end)(q:samples(key, 3))
  local draws = q:samples(key, 3)
  for s = 1, 3 do
    local want = (draws[s].flat ^ 2):sum():item()
    lu.assertAlmostEquals(norms:totable()[s], want, 1e-5 * want)
  end
end

function TestFlat.test_an_objective_may_penalise_it()
  local p = params()
  local function loss_with(norm)
    return bnn.objective{params = p, loss = function(q, batch)
      return (net:apply(q, batch.x) ^ 2):sum(2) + norm(q)
    end}
  end
  local function by_name(q)
    local sum = 0
    for _, tensor in pairs(q) do sum = (tensor ^ 2):sum() + sum end
    return sum
  end
  local got = loss_with(function(q) return (q.flat ^ 2):sum() end):gradient({x = x}, key)
  local want = loss_with(by_name):gradient({x = x}, key)
  lu.assertTrue((got.flat - want.flat):abs():max():item() < 1e-5)
end

function TestFlat.test_clones_of_what_is_recorded_are_params()
  local function f(q) return q:clone().flat:sum() + q:sub("mlp").flat:sum() end
  local g = bnn.grad(f)(params())
  lu.assertEquals(g.flat:min():item(), 2)
end

-- Rows of two lengths were joined and cut anew: draws of no network.
function TestFlat.test_params_of_different_layouts_are_no_draws_of_one_network()
  local narrow = bnn.nn.linear(2):init(key, bnn.ones(1, 2))
  local wide = bnn.nn.linear(2):init(key, bnn.ones(1, 4))
  raises("got linear/w [2, 2] first and linear/w [4, 2] in number 2",
    function() bnn.samples.stack{narrow, wide} end)
  raises("number 2: expected params", function() bnn.samples.stack{narrow, false} end)
  lu.assertEquals(#bnn.samples.stack{narrow, narrow:clone()}, 2)
end

os.exit(lu.LuaUnit.run())
