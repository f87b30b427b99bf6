--- vmap: every slice has the bits of a call of its own, on any number of threads; samples of a
--- posterior; what is refused.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(21)
local nn = bnn.nn
local net = nn.sequential{nn.linear(6), nn.tanh(), nn.dropout(0.5), nn.linear(3)}

local function posterior()
  return bnn.posterior.meanfield(net:init(key, bnn.zeros(1, 5)), {logvar = -2})
end

TestSamples = {}

function TestSamples.test_each_is_the_draw_of_its_own_key()
  local q = posterior()
  local samples = q:samples(key, 40)
  lu.assertEquals({#samples, samples.flat:shape(), samples:names()},
    {40, {40, q.mu:numel()}, q.mu:names()})
  for _, s in ipairs{1, 2, 33, 40} do
    local draw = q:sample(key:fold(s))
    bits.assert_same(samples[s], draw, "sample " .. s)
    for _, name in ipairs(samples:names()) do
      bits.assert_same(samples[name][s], draw[name], name)
    end
  end
  lu.assertEquals(samples["sequential/linear_0/w"]:shape(), {40, 5, 6})
  local count = 0
  for i, params in ipairs(samples) do
    count = count + 1
    lu.assertTrue(bnn.params.is(params))
    lu.assertEquals(i, count)
  end
  lu.assertEquals({count, samples[0], samples[41], samples.nothing}, {40})
  lu.assertEquals(tostring(samples), "40 samples of 57 parameters in 4 tensors")
end

function TestSamples.test_of_a_posterior_over_some_tensors_hold_the_points_too()
  local params = net:init(key, bnn.zeros(1, 5))
  local q = bnn.posterior.meanfield(params, {only = {"sequential/linear_1"}, logvar = -1})
  local samples = q:samples(key, 3)
  for s = 1, 3 do
    bits.assert_same(samples[s], q:sample(key:fold(s)))
    bits.assert_same(samples["sequential/linear_0/w"][s], params["sequential/linear_0/w"])
  end
  bits.assert_differ(samples["sequential/linear_1/w"][1], params["sequential/linear_1/w"])
  local x = bnn.randn(key, 4, 5)
  local y = bnn.vmap(function(p) return net:apply(p, x) end)(samples)
  for s = 1, 3 do bits.assert_same(y[s], net:apply(samples[s], x)) end
end

function TestSamples.test_they_are_views_and_values()
  local samples = posterior():samples(key, 3)
  raises("samples are immutable", function() samples.x = 1 end)
  raises("expected a key, got a number", function() posterior():samples(1, 3) end)
  raises("expected an integer of at least 1, got 0", function() posterior():samples(key, 0) end)
  raises("at least 1, got 2.5", function() posterior():samples(key, 2.5) end)
end

TestVmap = {}

-- results[i] of g has the bits of f on slice i, for every i.
local function check_slices(count, g, args, slice, f)
  local got = table.pack(g(table.unpack(args)))
  for s = 1, count do
    local want = table.pack(f(table.unpack(slice(s))))
    lu.assertEquals(got.n, want.n)
    for i = 1, want.n do
      bits.assert_same(got[i]:select(1, s), want[i], ("slice %d, result %d"):format(s, i))
    end
  end
end

function TestVmap.test_a_network_under_samples_has_the_bits_of_a_loop_on_any_number_of_threads()
  local samples, x = posterior():samples(key, 17), bnn.randn(key, 9, 5)
  local keys = key:split(17)
  local function f(p, a, k)
    return net:apply(p, a, {key = k, train = true}), p["sequential/linear_1/b"]
  end
  local threads = bnn.threads()
  for _, n in ipairs{1, 2, 5} do
    bnn.threads(n)
    for _, g in ipairs{
      bnn.vmap(f, {in_axes = {1, false, 1}}), bnn.compile(bnn.vmap(f, {in_axes = {1, false, 1}})),
      bnn.vmap(bnn.compile(f), {in_axes = {1, false, 1}}),
    } do
      check_slices(17, g, {samples, x, keys}, function(s) return {samples[s], x, keys[s]} end, f)
    end
    local shared = bnn.vmap(f, {in_axes = {1}}) -- what is behind is shared
    check_slices(17, shared, {samples, x, key}, function(s) return {samples[s], x, key} end, f)
  end
  bnn.threads(threads)
end

function TestVmap.test_all_arguments_are_mapped_along_axis_1_by_default()
  local a, b = bnn.randn(key, 4, 3), bnn.randn(key:fold(1), 4, 3)
  local function f(x, y) return (x * y):sum(), x - y end
  check_slices(4, bnn.vmap(f), {a, b}, function(s) return {a[s], b[s]} end, f)
  lu.assertEquals(bnn.vmap(f)(a, b):shape(), {4})
end

function TestVmap.test_other_axes_tables_constants_and_structures()
  local x = bnn.randn(key, 3, 4, 5)
  local function f(t, scale) return {double = t.x * scale, list = {t.y:sum(), 7}} end
  for _, axis in ipairs{1, 2, 3, -1} do
    local n = x:size(axis)
    local y = bnn.randn(key:fold "y", 5, 5, 5):narrow(axis, 1, n)
    local out = bnn.vmap(f, {in_axes = {axis, false}})({x = x, y = y}, 3)
    for s = 1, n do
      bits.assert_same(out.double[s], x:select(axis, s) * 3)
      bits.assert_same(out.list[1]:select(1, s), y:select(axis, s):sum())
    end
    lu.assertEquals(out.list[2]:totable(), bnn.full({n}, 7):totable())
  end
  local g = bnn.vmap(function(a, how) return how == "neg" and -a or a end)
  lu.assertEquals({g(bnn.tensor{1, 2}, "neg"):totable(), g(bnn.tensor{1, 2}, "x"):totable()},
    {{-1, -2}, {1, 2}})
end

function TestVmap.test_strided_slices_are_read_where_they_are_or_copied()
  local x = bnn.randn(key, 6, 4)
  local function f(v) return v * 2 end
  for i, view in ipairs{x:t(), x:narrow(2, 2, 2), x[1]:broadcast_to(5, 4), x:narrow(1, 3, 2)} do
    bits.assert_same(bnn.vmap(f)(view), view * 2, "view " .. i)
  end
  lu.assertEquals(bnn.vmap(f)(bnn.zeros(0, 3)):shape(), {0, 3})
end

function TestVmap.test_integers_and_keys()
  local labels = bnn.tensor({{0, 2}, {1, 1}}, "i32")
  local x = bnn.randn(key, 2, 2, 3)
  local function f(a, y) return a:cross_entropy(y) end
  check_slices(2, bnn.vmap(f), {x, labels}, function(s) return {x[s], labels[s]} end, f)
  local keys = key:split(5)
  local function draw(k, like) return bnn.randn_like(like, k:fold "a") end
  local noise = bnn.vmap(draw, {in_axes = {1, false}})(keys, bnn.zeros(3))
  for s = 1, 5 do bits.assert_same(noise[s], bnn.randn(keys[s]:fold "a", 3)) end
  bits.assert_same(bnn.vmap(draw, {in_axes = {false, 1}})(keys[1], bnn.zeros(2, 3))[2],
    bnn.randn(keys[1]:fold "a", 3)) -- a key that is shared draws the same
end

function TestVmap.test_a_gradient_for_each_example_and_for_each_sample()
  local x, y = bnn.randn(key, 8, 5), bnn.zeros({8}, "i32")
  local params = posterior():mean()
  local function loss(p, a, label)
    return net:apply(p, a:reshape(1, 5)):cross_entropy(label:reshape(1)):sum()
  end
  local gradient = bnn.grad(loss)
  for _, g in ipairs{bnn.vmap(gradient, {in_axes = {false, 1, 1}}),
                     bnn.compile(bnn.vmap(gradient, {in_axes = {false, 1, 1}}))} do
    local each = g(params, x, y)
    lu.assertEquals(#each, 8)
    for s = 1, 8 do bits.assert_same(each[s], gradient(params, x[s], y:select(1, s))) end
  end
  local samples = posterior():samples(key, 4)
  local with_value, a, label = bnn.value_and_grad(loss), x[1], y:select(1, 1)
  local value, each = bnn.vmap(with_value, {in_axes = {1}})(samples, a, label)
  lu.assertEquals({value:shape(), #each}, {{4}, 4})
  for s = 1, 4 do
    local v, g = with_value(samples[s], a, label)
    bits.assert_same(value:select(1, s), v)
    bits.assert_same(each[s], g)
  end
end

function TestVmap.test_compiled_it_records_once_for_each_set_of_shapes()
  local calls = 0
  local g = bnn.compile(bnn.vmap(function(a, b)
    calls = calls + 1
    return a * b
  end, {in_axes = {1, false}}))
  for _ = 1, 3 do g(bnn.ones(4, 2), 3) end
  lu.assertEquals({calls, g:info()[1].ops}, {1, 1})
  g(bnn.ones(5, 2), 3)
  lu.assertEquals(calls, 2)
  lu.assertStrContains(tostring(g), "test_vmap.lua")
end

function TestVmap.test_it_can_not_be_recorded()
  local g = bnn.vmap(function(a) return a * 2 end)
  local pieces = {"test_vmap.lua:", "vmap: a vmap cannot be recorded", "bnn.compile(bnn.vmap(f))",
    "bnn.vmap(bnn.grad(f))"}
  raises(pieces, bnn.grad(function(a) return g(a):sum() end), bnn.ones(3))
  raises(pieces, bnn.compile(function(a) return g(a) + 1 end), bnn.ones(3))
  raises(pieces, bnn.vmap(function(a) return g(a) * 2 end), bnn.ones(3, 2))
  lu.assertEquals(g(bnn.ones(2)):totable(), {2, 2})
end

function TestVmap.test_refusals()
  local x, samples = bnn.ones(3, 2), posterior():samples(key, 4)
  local function f(a) return a end
  local rows = {
    {"argument 2 has 4 slices, argument 1 has 3", {}, x, bnn.ones(4)},
    {"bnn.vmap: argument 2: expected a tensor, got a number, which has no axis to map; in_axes",
     {}, x, 2},
    {"argument 1 (b.c): expected a tensor, got a number", {}, {a = x, b = {c = 1}}},
    {"argument 1: expected a tensor, got a key", {}, key},
    {"argument 1: expected tensors with an axis 1, got []", {}, bnn.tensor(1)},
    {"argument 1: expected tensors with an axis 3, got [3, 2]", {in_axes = 3}, x},
    {"argument 1: expected tensors with an axis -3, got [3, 2]", {in_axes = {-3}}, x},
    {"argument 1: expected in_axes 1 for samples, got 2", {in_axes = {2}}, samples},
    {"bnn.vmap: expected a tensor to map in some argument, got none", {in_axes = {false}}, x},
    {"bnn.vmap: expected a tensor to map in some argument, got none", {}, "text"},
    {"bnn.vmap: expected the 2 arguments of in_axes, got 1", {in_axes = {1, 1}}, x},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(bnn.vmap(f, row[2]), table.unpack(row, 3))
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
  raises("bnn.vmap: f: expected a function, got a number", bnn.vmap, 3)
  raises("bnn.vmap: in_axes: expected an axis (from 1) or false for each argument, got 0",
    bnn.vmap, f, {in_axes = {0}})
  raises('got "x"', bnn.vmap, f, {in_axes = {"x"}})
  raises("in_axis", bnn.vmap, f, {in_axis = 1})
  raises("a key cannot be a result", bnn.vmap(f), {key})
  raises("bnn.vmap: result of f: expected a tensor, got nothing", bnn.vmap(function() end), x)
  raises({"test_vmap.lua:", "a value is read while recording"},
    bnn.vmap(function(a) return a:sum():item() end), x)
  raises({"slice 2", "5"}, bnn.vmap(function(a, i) return a:index(i) end),
    x, bnn.tensor({{1}, {5}, {1}}, "i32"))
end

function TestVmap.test_nothing_is_left_behind()
  local function live()
    collectgarbage()
    collectgarbage()
    return (bnn.memory())
  end
  local samples, x = posterior():samples(key, 5), bnn.ones(2, 5)
  local g = bnn.vmap(function(p, a) return net:apply(p, a) end, {in_axes = {1}})
  local bad = bnn.vmap(function(a, i) return a:index(i) end)
  g(samples, x)
  local before = live()
  for _ = 1, 10 do
    g(samples, x)
    pcall(bad, x, bnn.tensor({{9}, {9}}, "i32"))
  end
  lu.assertEquals(live(), before)
end

os.exit(lu.LuaUnit.run())
