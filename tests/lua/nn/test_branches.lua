--- Layers of several ways and of whole axes: residual, parallel, rms_norm, group_norm, global_pool,
-- softmax: values against their formulas, shapes that do not fit, names, texts.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local nn, key, raises = bnn.nn, bnn.key(3), bits.raises
local x, images = bnn.randn(key, 4, 6), bnn.randn(key, 3, 4, 2, 5)

local function assert_near(got, want, tolerance)
  lu.assertEquals(got:shape(), want:shape())
  lu.assertTrue((got - want):abs():max():item() <= (tolerance or 1e-5))
end

TestBranches = {}

function TestBranches.test_a_residual_adds_its_input()
  local net = nn.residual(nn.sequential{nn.linear(8), nn.relu(), nn.linear(6)})
  local p = net:init(key, x)
  local path = "residual/sequential_0/linear_"
  lu.assertEquals(p:names(), {path .. "0/w", path .. "0/b", path .. "1/w", path .. "1/b"})
  local function w(name) return p[path .. name] end
  local inner = x:linear(w "0/w", w "0/b"):relu():linear(w "1/w", w "1/b")
  assert_near(net:apply(p, x), x + inner)
  lu.assertEquals(tostring(net), "residual(sequential{linear(8), relu(), linear(6)})")
end

function TestBranches.test_a_shortcut_may_change_the_shape()
  local net = nn.residual(nn.linear(3), {shortcut = nn.linear(3, {bias = false})})
  local p = net:init(key, x)
  lu.assertEquals(p:names(),
    {"residual/linear_0/w", "residual/linear_0/b", "residual/linear_1/w"})
  assert_near(net:apply(p, x), x:linear(p["residual/linear_0/w"], p["residual/linear_0/b"])
    + x:mm(p["residual/linear_1/w"]))
  raises("expected the shape of the shortcut, [1, 6], got [1, 3]", function()
    nn.residual(nn.linear(3)):init(key, x)
  end)
  raises("bnn.nn.residual: expected a layer or a function, got nil", nn.residual)
  raises("bnn.nn.residual: shortcut: expected a layer or a function, got a number", nn.residual,
    nn.linear(3), {shortcut = 3})
end

function TestBranches.test_parallel_layers_are_put_together()
  local function double(v) return v * 2 end
  assert_near(nn.parallel{double, nn.relu()}:apply({}, x), bnn.concat({x * 2, x:relu()}, 2))
  assert_near(nn.parallel{double, nn.relu(), combine = "sum"}:apply({}, x), x * 2 + x:relu())
  assert_near(nn.parallel{double, nn.relu(), axis = 3}:apply({}, images),
    bnn.concat({images * 2, images:relu()}, 3))
  raises("expected a list of layers, got an empty list", nn.parallel, {})
  raises("entry 2: expected a layer or a function, got a number", nn.parallel, {nn.relu(), 5})
  lu.assertEquals(tostring(nn.parallel{nn.relu(), nn.tanh(), combine = "sum"}),
    "parallel{relu(), tanh(), combine=sum}")
end

TestNorms = {}

function TestNorms.test_rms_norm_divides_by_the_root_of_the_mean_square()
  local net = nn.rms_norm{eps = 0.01}
  local p = net:init(key, x):map(function(w) return w * 3 end)
  assert_near(net:apply(p, x), x / (x:square():mean(2, true) + 0.01):sqrt() * 3)
  lu.assertEquals({tostring(nn.rms_norm()), tostring(net)}, {"rms_norm()", "rms_norm({eps=0.01})"})
end

-- Of one group it is layer_norm over all of an example, of as many as channels it is one of each.
function TestNorms.test_group_norm_normalises_runs_of_channels()
  local gain, bias = bnn.tensor{1, 2, 3, 4}, bnn.tensor{4, 3, 2, 1}
  for _, groups in ipairs{1, 2, 4} do
    local net = nn.group_norm(groups, {eps = 0.01})
    local p = net:init(key, images)
    lu.assertEquals(p:names(), {"group_norm/gain", "group_norm/bias"})
    p = p:map(function(_, name) return name:find "gain" and gain or bias end)
    local rows = images:reshape(3, groups, 40 // groups)
    local centred = rows - rows:mean(3, true)
    local scaled = centred / (rows:var(3, true) + 0.01):sqrt()
    local want = scaled:reshape(3, 4, 2, 5) * gain:reshape(1, 4, 1, 1) + bias:reshape(1, 4, 1, 1)
    assert_near(net:apply(p, images), want, 1e-4)
  end
  raises("x: expected [n, channels, ...] of channels in 3 groups, got [1, 4, 2, 5]", function()
    nn.group_norm(3):init(key, images)
  end)
  lu.assertEquals(tostring(nn.group_norm(2, {eps = 0.5})), "group_norm(2, {eps=0.5})")
end

TestAxes = {}

function TestAxes.test_pooling_takes_a_number_of_each_channel()
  assert_near(nn.global_pool():apply({}, images), images:mean{3, 4})
  assert_near(nn.global_pool("max"):apply({}, images), images:max{3, 4})
  assert_near(nn.global_pool("sum"):apply({}, images), images:sum{3, 4}, 1e-4)
  raises("x: expected [n, channels, ...], got [4, 6]", function()
    nn.global_pool():apply({}, x)
  end)
  raises("reduction: expected one of max, mean, sum", nn.global_pool, "median")
end

function TestAxes.test_chunk_gives_parts_as_several_values()
  local first, second = nn.chunk(2):apply({}, bnn.tensor{{1, 2, 3, 4}, {5, 6, 7, 8}})
  lu.assertEquals({first:totable(), second:totable()}, {{{1, 2}, {5, 6}}, {{3, 4}, {7, 8}}})
  lu.assertEquals(tostring(nn.chunk(2)), "chunk(2)")
  lu.assertErrorMsgContains("expected [n, d, ...] with d a multiple of 3, got [2, 4]",
    nn.chunk(3).apply, nn.chunk(3), {}, bnn.ones(2, 4))
  lu.assertErrorMsgContains("bnn.nn.chunk: count: expected at least 1, got 0", nn.chunk, 0)
end

function TestAxes.test_softmax_adds_up_to_1()
  bits.assert_same(nn.softmax():apply({}, x), x:softmax(-1))
  bits.assert_same(nn.softmax(2):apply({}, images), images:softmax(2))
  lu.assertEquals({tostring(nn.softmax()), tostring(nn.softmax(2))}, {"softmax()", "softmax(2)"})
end

os.exit(lu.LuaUnit.run())
