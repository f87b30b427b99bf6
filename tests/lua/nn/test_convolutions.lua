--- Convolutions beyond the plain one: dilation, sequences, the transpose; layers from functions.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local nn, key = bnn.nn, bnn.key(5)
local raises = bits.raises

local function batch(...) return bnn.randn(key:fold "x", {...}) end

-- The texts of a net's parameters: "conv1d/w[4,2,3]".
local function layout(net, x)
  local list = {}
  local params = net:init(key, x)
  for _, name in ipairs(params:names()) do
    list[#list + 1] = ("%s[%s]"):format(name, table.concat(params[name]:shape(), ","))
  end
  return list
end

TestDilation = {}

function TestDilation.test_is_the_op_s()
  local x, net = batch(2, 3, 9, 11), nn.conv2d(4, 3, {stride = {1, 2}, dilation = {2, 3}})
  local p = net:init(key, x)
  bits.assert_same(net:apply(p, x), x:conv2d(p["conv2d/w"], p["conv2d/b"], {1, 2}, 0, {2, 3}))
  lu.assertEquals(tostring(net), "conv2d(4, 3, {stride={1, 2}, dilation={2, 3}})")
  lu.assertEquals(tostring(nn.from_config(nn.to_config(net))), tostring(net))
end

-- Zeros between a kernel's elements make the same convolution.
function TestDilation.test_is_a_kernel_with_zeros_in_between()
  local x, w, b = batch(2, 2, 9, 8), bnn.randn(key, {3, 2, 2, 3}), bnn.randn(key, {3})
  local rows = bnn.stack({w, w * 0}, 4):view(3, 2, 4, 3):narrow(3, 1, 3):contiguous()
  local wide = bnn.stack({rows, rows * 0, rows * 0}, 5):view(3, 2, 3, 9):narrow(4, 1, 7)
  local got, want = x:conv2d(w, b, 1, 2, {2, 3}), x:conv2d(wide, b, 1, 2)
  lu.assertAlmostEquals((got - want):abs():max():item(), 0, 1e-5)
end

function TestDilation.test_same_padding_keeps_the_size()
  for _, case in ipairs{{3, 2}, {5, 3}, {{2, 3}, {2, 1}}} do
    local x = batch(2, 1, 9, 8)
    local net = nn.conv2d(2, case[1], {padding = "same", dilation = case[2]})
    lu.assertEquals(net:apply(net:init(key, x), x):shape(), {2, 2, 9, 8})
  end
  raises('expected odd sizes for padding = "same", got {2, 2}', nn.conv2d, 2, 2,
    {padding = "same"})
end

-- What a checkpoint of old says of a convolution is what it says today.
function TestDilation.test_a_plain_layer_is_described_as_ever()
  lu.assertEquals(nn.to_config(nn.conv2d(2, 3)), {kind = "conv2d",
    args = {2, {3, 3}, {stride = {1, 1}, padding = {0, 0}, bias = true}}})
end

function TestDilation.test_windows_that_do_not_fit_are_one_line()
  local net = nn.conv2d(2, 3, {dilation = 4})
  raises({"x: expected images no smaller than a window of {3, 3}, dilation {4, 4}, with padding",
          "got [1, 1, 8, 9]"}, net.init, net, key, batch(2, 8, 9))
  raises("bnn.nn.conv2d: dilation: expected an integer of at least 1", nn.conv2d, 2, 3,
    {dilation = 0})
end

TestSequences = {}

function TestSequences.test_conv1d_is_a_convolution_of_one_row()
  local x, net = batch(2, 3, 20), nn.conv1d(4, 3, {stride = 2, padding = 1, dilation = 2})
  lu.assertEquals(layout(net, x), {"conv1d/w[4,3,3]", "conv1d/b[4]"})
  local p = net:init(key, x)
  local w = p["conv1d/w"]:view(4, 3, 1, 3)
  local want = x:view(2, 3, 1, 20):conv2d(w, p["conv1d/b"], {1, 2}, {0, 1}, {1, 2})
  lu.assertEquals(net:apply(p, x):shape(), {2, 4, 9})
  bits.assert_same(net:apply(p, x), want:view(2, 4, 9))
  lu.assertEquals(tostring(net), "conv1d(4, 3, {stride=2, padding=1, dilation=2})")
end

function TestSequences.test_by_hand()
  local net = nn.conv1d(1, 2)
  local p = {["conv1d/w"] = bnn.tensor{{{1, 10}}}, ["conv1d/b"] = bnn.tensor{0.5}}
  lu.assertEquals(net:apply(p, bnn.tensor{{1, 2, 3}}):totable(), {{{21.5, 32.5}}})
  local x = bnn.tensor{{{1, 5, 2, 4, 6}}}
  lu.assertEquals(nn.max_pool1d(2):apply({}, x):totable(), {{{5, 4}}})
  lu.assertEquals(nn.max_pool1d(3, {stride = 1, padding = 1}):apply({}, x):totable(),
    {{{5, 5, 5, 6, 6}}})
  lu.assertEquals(nn.avg_pool1d(2, {stride = 3}):apply({}, x):totable(), {{{3, 5}}})
  lu.assertEquals(nn.avg_pool1d(2, {padding = 1}):apply({}, x):totable(), {{{0.5, 3.5, 5}}})
end

function TestSequences.test_without_bias_and_with_the_same_length()
  local x, net = batch(2, 20), nn.conv1d(4, 5, {padding = "same", bias = false})
  lu.assertEquals(layout(net, x), {"conv1d/w[4,1,5]"})
  lu.assertEquals(net:apply(net:init(key, x), x):shape(), {2, 4, 20})
  lu.assertEquals(tostring(net), "conv1d(4, 5, {padding=2, bias=false})")
end

function TestSequences.test_what_is_refused_is_one_line()
  raises("conv1d: x: expected [n, channels, t] or [n, t], got [1, 3, 4, 5]", nn.conv1d(2, 3).init,
    nn.conv1d(2, 3), key, batch(2, 3, 4, 5))
  raises("x: expected sequences no smaller than a window of 5, dilation 2, with padding 1, got 6",
    nn.conv1d(2, 5).init, nn.conv1d(2, 5, {dilation = 2, padding = 1}), key, batch(2, 3, 6))
  for _, case in ipairs{
    {"bnn.nn.conv1d: kernel: expected an integer of at least 1, got nil", nn.conv1d, 3},
    {"bnn.nn.conv1d: kernel: expected an integer of at least 1, got {3, 3}", nn.conv1d, 3, {3, 3}},
    {"bnn.nn.conv1d: stride: expected an integer of at least 1, got 0", nn.conv1d, 3, 3,
     {stride = 0}},
    {"bnn.nn.conv1d: padding: expected an integer of at least 0, got -1", nn.conv1d, 3, 3,
     {padding = -1}},
    {"bnn.nn.conv1d: dilation: expected an integer of at least 1, got 0", nn.conv1d, 3, 3,
     {dilation = 0}},
    {"bnn.nn.max_pool1d: padding: expected at most half the size", nn.max_pool1d, 2, {padding = 2}},
    {"bnn.nn.avg_pool1d: size: expected an integer of at least 1, got 0", nn.avg_pool1d, 0},
  } do
    raises(table.unpack(case))
  end
end

TestTranspose = {}

function TestTranspose.test_is_the_op_s()
  local x = batch(2, 3, 4, 5)
  local net = nn.conv_transpose2d(4, {3, 2}, {stride = 2, padding = 1, output_padding = {1, 0}})
  lu.assertEquals(layout(net, x), {"conv_transpose2d/w[3,4,3,2]", "conv_transpose2d/b[4]"})
  local p = net:init(key, x)
  bits.assert_same(net:apply(p, x), x:conv_transpose2d(p["conv_transpose2d/w"],
    p["conv_transpose2d/b"], 2, 1, {1, 0}))
  lu.assertEquals(tostring(net),
    "conv_transpose2d(4, {3, 2}, {stride=2, padding=1, output_padding={1, 0}})")
end

-- The gradient of a convolution's input, which is what it is named after.
function TestTranspose.test_is_the_gradient_of_a_convolution()
  local w, y = bnn.randn(key, {3, 2, 3, 3}), batch(2, 3, 4, 4)
  local slope = bnn.grad(function(t) return (t.x:conv2d(w, {0, 0, 0}, 2, 1) * y):sum() end){
    x = bnn.zeros(2, 2, 8, 8)}
  local made = y:conv_transpose2d(w, {0, 0}, 2, 1, 1)
  lu.assertAlmostEquals((made - slope.x):abs():max():item(), 0, 1e-5)
end

function TestTranspose.test_initial_kernels_are_scaled_by_what_they_sum()
  local w = nn.conv_transpose2d(30, 5):init(key, batch(1, 20, 3, 3))["conv_transpose2d/w"]
  local scale = 1 / math.sqrt(20 * 25)
  lu.assertAlmostEquals(w:std():item(), 0.8796 * scale, 0.03 * scale)
  lu.assertTrue(w:abs():max():item() <= 2 * scale)
end

function TestTranspose.test_what_is_refused_is_one_line()
  raises("bnn.nn.conv_transpose2d: output_padding: expected less than the stride or the dilation",
    nn.conv_transpose2d, 2, 3, {output_padding = 1})
  local net = nn.conv_transpose2d(2, 1, {padding = 3})
  raises("padding [3, 3] leaves nothing", net.init, net, key, batch(2, 4, 5))
end

TestGroups = {}

-- Part i of `count` along an axis.
local function part(x, axis, i, count)
  local width = x:size(axis) // count
  return x:narrow(axis, (i - 1) * width + 1, width):contiguous()
end

-- One convolution per group, of its channels, kernels and biases.
local function separately(op, groups, ...)
  local rest = table.pack(...)
  return function(x, w, b)
    local made = {}
    for i = 1, groups do
      made[i] = op(part(x, 2, i, groups), part(w, 1, i, groups), part(b, 1, i, groups),
        table.unpack(rest, 1, rest.n))
    end
    return bnn.concat(made, 2)
  end
end

-- Values and gradients of f(x, w, b), weighted so that no two elements count alike.
local function slopes_of(f, tensors)
  return bnn.value_and_grad(function(t)
    local y = f(t.x, t.w, t.b)
    return (y * y:sin()):sum()
  end)(tensors)
end

local function assert_near(got, want, why)
  local miss, scale = (got - want):abs():max():item(), 1 + want:abs():max():item()
  lu.assertTrue(miss <= 1e-4 * scale, ("%s: %g of %g"):format(why, miss, scale))
end

local function check_groups(f, g, tensors, why)
  assert_near(f(tensors.x, tensors.w, tensors.b), g(tensors.x, tensors.w, tensors.b), why)
  local got, d = slopes_of(f, tensors)
  local want, own = slopes_of(g, tensors)
  assert_near(got, want, why .. ": sum")
  for _, name in ipairs{"x", "w", "b"} do assert_near(d[name], own[name], why .. ": d" .. name) end
end

-- groups, channels and kernels of each, stride, padding, dilation
local GROUPS = {
  {2, 3, 2, 1, 0, 1}, {3, 1, 1, 1, 1, 1}, {5, 1, 2, 2, 1, 1}, {2, 2, 3, {2, 1}, 1, {1, 2}},
  {4, 2, 2, 3, 2, 1},
}

function TestGroups.test_are_separate_convolutions()
  for i, case in ipairs(GROUPS) do
    local groups, channels, out, stride, padding, dilation = table.unpack(case)
    local t = {x = batch(3, groups * channels, 9, 8), b = bnn.randn(key:fold "b", groups * out),
      w = bnn.randn(key:fold "w", groups * out, channels, 3, 3)}
    check_groups(function(x, w, b) return x:conv2d(w, b, stride, padding, dilation, groups) end,
      separately(bnn.conv2d, groups, stride, padding, dilation), t, "conv2d " .. i)
    t.x = batch(3, groups * channels, 4, 5)
    t.w = bnn.randn(key:fold "w", groups * channels, out, 3, 3)
    check_groups(function(x, w, b)
      return x:conv_transpose2d(w, b, stride, padding, 0, dilation, groups)
    end, separately(bnn.conv_transpose2d, groups, stride, padding, 0, dilation), t,
      "conv_transpose2d " .. i)
  end
end

function TestGroups.test_layers_are_the_ops()
  local x = batch(2, 4, 6, 7)
  local net = nn.conv2d(6, 3, {groups = 2, padding = 1})
  lu.assertEquals(layout(net, x), {"conv2d/w[6,2,3,3]", "conv2d/b[6]"})
  local p = net:init(key, x)
  bits.assert_same(net:apply(p, x), x:conv2d(p["conv2d/w"], p["conv2d/b"], 1, 1, 1, 2))
  net = nn.conv_transpose2d(6, 3, {groups = 2})
  lu.assertEquals(layout(net, x), {"conv_transpose2d/w[4,3,3,3]", "conv_transpose2d/b[6]"})
  p = net:init(key, x)
  bits.assert_same(net:apply(p, x), x:conv_transpose2d(p["conv_transpose2d/w"],
    p["conv_transpose2d/b"], 1, 0, 0, 1, 2))
  x, net = batch(2, 4, 9), nn.conv1d(4, 3, {groups = 4})
  lu.assertEquals(layout(net, x), {"conv1d/w[4,1,3]", "conv1d/b[4]"})
  p = net:init(key, x)
  bits.assert_same(net:apply(p, x), x:view(2, 4, 1, 9):conv2d(p["conv1d/w"]:view(4, 1, 1, 3),
    p["conv1d/b"], 1, 0, 1, 4):view(2, 4, 7))
end

function TestGroups.test_are_shown_and_kept_in_a_configuration()
  for net, text in pairs{
    [nn.conv2d(6, 3, {groups = 2})] = "conv2d(6, 3, {groups=2})",
    [nn.conv1d(6, 3, {groups = 3, stride = 2})] = "conv1d(6, 3, {stride=2, groups=3})",
    [nn.conv_transpose2d(6, 3, {groups = 2})] = "conv_transpose2d(6, 3, {groups=2})",
  } do
    lu.assertEquals(tostring(net), text)
    lu.assertEquals(tostring(nn.from_config(nn.to_config(net))), text)
  end
end

-- A network per slice of weights, as samples of a posterior are.
function TestGroups.test_vmap_over_weights()
  local x, w, b = batch(2, 4, 5, 6), bnn.randn(key, {3, 4, 2, 3, 3}), bnn.randn(key, {3, 4})
  local made = bnn.vmap(function(own_w, own_b)
    return x:conv2d(own_w, own_b, 1, 1, 1, 2)
  end)(w, b)
  for s = 1, 3 do
    local one = x:conv2d(w:narrow(1, s, 1):view(4, 2, 3, 3), b:narrow(1, s, 1):view(4), 1, 1, 1, 2)
    bits.assert_same(made:narrow(1, s, 1):view(2, 4, 5, 6):contiguous(), one)
  end
end

-- Each element of the result sums over the channels of its group.
function TestGroups.test_initial_kernels_are_scaled_by_what_they_sum()
  local x, scale = batch(1, 40, 3, 3), 1 / math.sqrt(10 * 9)
  for _, kind in ipairs{"conv2d", "conv_transpose2d"} do
    local w = nn[kind](120, 3, {groups = 4}):init(key, x)[kind .. "/w"]
    lu.assertAlmostEquals(w:std():item(), 0.8796 * scale, 0.03 * scale)
  end
end

function TestGroups.test_what_is_refused_is_one_line()
  for _, kind in ipairs{"conv2d", "conv1d", "conv_transpose2d"} do
    raises(("bnn.nn.%s: groups: expected a divisor of out = 6, got 4"):format(kind), nn[kind], 6, 3,
      {groups = 4})
    raises(("bnn.nn.%s: groups: expected at least 1, got 0"):format(kind), nn[kind], 6, 3,
      {groups = 0})
    local x = kind == "conv1d" and batch(2, 4, 9) or batch(2, 4, 9, 9)
    local net = nn[kind](6, 3, {groups = 3})
    raises("x: expected channels that groups = 3 divides, got", net.init, net, key, x)
  end
end

TestLambda = {}

function TestLambda.test_a_function_is_a_layer_with_a_name()
  local net = nn.lambda(function(x) return nn.linear(2)(x):tanh() end, {name = "squash"})
  local x = batch(3, 4)
  lu.assertEquals(layout(net, x), {"squash/linear/w[4,2]", "squash/linear/b[2]"})
  lu.assertEquals(layout(nn.sequential{net, nn.linear(1)}, x), {
    "sequential/squash_0/linear/w[4,2]", "sequential/squash_0/linear/b[2]",
    "sequential/linear_0/w[2,1]", "sequential/linear_0/b[1]",
  })
  lu.assertEquals(tostring(net), 'lambda(function, {name="squash"})')
  lu.assertEquals(tostring(nn.lambda(math.sin)), "lambda(function)")
  lu.assertEquals(nn.lambda(function(t) return t * 2 end):apply({}, bnn.tensor{1, 2}):totable(),
    {2, 4})
end

function TestLambda.test_a_file_does_not_hold_it()
  lu.assertNil(nn.to_config(nn.lambda(math.sin)))
  lu.assertNil(nn.to_config(nn.sequential{nn.linear(2), nn.lambda(math.sin)}))
end

function TestLambda.test_what_is_refused_is_one_line()
  raises("bnn.nn.lambda: f: expected a function, got a number", nn.lambda, 3)
  raises('bnn.nn.lambda: name: expected a string without "/", got "a/b"', nn.lambda, math.sin,
    {name = "a/b"})
  local net = nn.lambda(function() return 3 end, {name = "three"})
  raises({"three: result: expected a tensor, got"}, net.apply, net, {}, batch(2, 2))
end

os.exit(lu.LuaUnit.run())
