--- Networks: paths, shapes, initial values, sharing, dropout, and what is refused.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local nn, raises = bnn.nn, bits.raises
local key = bnn.key(7)

local function batch(n, ...) return bnn.randn(key:fold "x", n, ...) end

-- "path[shape]" of every parameter, in order.
local function layout(net, x)
  local list = {}
  for name, tensor in pairs(net:init(key, x)) do
    list[#list + 1] = name .. "[" .. table.concat(tensor:shape(), ",") .. "]"
  end
  return list
end

TestPaths = {}

function TestPaths.test_containers_count_from_0()
  lu.assertEquals(layout(nn.mlp{64, 10}, batch(2, 784)), {
    "mlp/linear_0/w[784,64]", "mlp/linear_0/b[64]", "mlp/linear_1/w[64,10]", "mlp/linear_1/b[10]",
  })
end

function TestPaths.test_in_a_function_the_first_has_no_number()
  local net = bnn.transform(function(x) return nn.linear(3)(nn.linear(4)(x):relu()) end)
  lu.assertEquals(layout(net, batch(2, 5)),
    {"linear/w[5,4]", "linear/b[4]", "linear_1/w[4,3]", "linear_1/b[3]"})
end

function TestPaths.test_containers_nest()
  local net = nn.sequential{
    nn.mlp{4, 4}, nn.sequential{nn.linear(2), nn.tanh()}, function(x) return nn.linear(7)(x) end,
    nn.mlp{2},
  }
  lu.assertEquals(layout(net, batch(2, 6)), {
    "sequential/mlp_0/linear_0/w[6,4]", "sequential/mlp_0/linear_0/b[4]",
    "sequential/mlp_0/linear_1/w[4,4]", "sequential/mlp_0/linear_1/b[4]",
    "sequential/sequential_0/linear_0/w[4,2]", "sequential/sequential_0/linear_0/b[2]",
    "sequential/linear_0/w[2,7]", "sequential/linear_0/b[7]",
    "sequential/mlp_1/linear_0/w[7,2]", "sequential/mlp_1/linear_0/b[2]",
  })
end

function TestPaths.test_any_layer_is_a_net_by_itself()
  local layer, x = nn.linear(3), batch(4, 5)
  local params = layer:init(key, x)
  lu.assertEquals(params:names(), {"linear/w", "linear/b"})
  lu.assertEquals(layer:apply(params, x):shape(), {4, 3})
  bits.assert_same(layer:apply(params, x), x:linear(params["linear/w"], params["linear/b"]))
end

function TestPaths.test_a_linear_layer_without_bias_has_only_w()
  local net = nn.linear(3, {bias = false})
  local x = batch(4, 5)
  lu.assertEquals(layout(net, x), {"linear/w[5,3]"})
  local params = net:init(key, x)
  lu.assertAlmostEquals((net:apply(params, x) - x:mm(params["linear/w"])):abs():max():item(),
    0, 1e-6)
end

function TestPaths.test_a_user_layer_has_parameters_of_its_own()
  local net = bnn.transform(function(x)
    return x * nn.parameter("scale", {x:size(-1)}, function(_, shape) return bnn.full(shape, 2) end)
  end)
  local x = batch(3, 4)
  lu.assertEquals(layout(net, x), {"scale[4]"})
  bits.assert_same(net:apply(net:init(key, x), x), x * 2)
end

function TestPaths.test_a_network_without_parameters_works()
  local net, x = nn.relu(), batch(3, 4)
  local params = net:init(key, x)
  lu.assertEquals({#params, params:numel()}, {0, 0})
  bits.assert_same(net:apply(params, x), x:relu())
end

TestInit = {}

function TestInit.test_weights_are_a_truncated_normal_over_sqrt_of_fan_in()
  local w = nn.linear(500):init(key, batch(1, 400))["linear/w"]
  local limit = 2 / math.sqrt(400)
  lu.assertTrue(w:abs():max():item() <= limit)
  lu.assertTrue(w:abs():max():item() > 0.99 * limit)
  -- 200,000 values: the error of the mean is sigma / sqrt n, the deviation's below sigma / sqrt(2n)
  local sigma = 0.8796 / math.sqrt(400)
  lu.assertAlmostEquals(w:mean():item(), 0, 4 * sigma / math.sqrt(2e5))
  lu.assertAlmostEquals((w ^ 2):mean():sqrt():item(), sigma, 4 * sigma / math.sqrt(4e5))
end

function TestInit.test_biases_are_0()
  lu.assertEquals(nn.linear(6):init(key, batch(1, 4))["linear/b"]:totable(), {0, 0, 0, 0, 0, 0})
end

function TestInit.test_a_tensor_is_a_function_of_key_and_path_alone()
  local x = batch(2, 6)
  local short, long = nn.mlp{4, 3}:init(key, x), nn.mlp{4, 3, 9}:init(key, x)
  bits.assert_same(short["mlp/linear_0/w"], long["mlp/linear_0/w"])
  bits.assert_same(short["mlp/linear_1/w"], long["mlp/linear_1/w"])
  bits.assert_same(short["mlp/linear_0/w"], nn.mlp{4, 3}:init(key, x)["mlp/linear_0/w"])
  bits.assert_differ(short["mlp/linear_0/w"], nn.mlp{4, 3}:init(bnn.key(8), x)["mlp/linear_0/w"])
  local square = nn.mlp{6, 6}:init(key, x)
  bits.assert_differ(square["mlp/linear_0/w"], square["mlp/linear_1/w"])
end

function TestInit.test_only_the_shape_of_a_row_matters()
  local net = nn.mlp{4, 3}
  local a = net:init(key, batch(2, 6))
  bits.assert_same(a, net:init(key, bnn.zeros(50, 6)))
  bits.assert_same(a, net:init(key, bnn.data.from_tensors{x = batch(9, 6)}))
  bits.assert_same(a, net:init(key, bnn.zeros({2, 2, 3}, "u8")))
end

function TestInit.test_initial_values_can_be_functions_of_the_user()
  local function ones(_, shape) return bnn.ones(shape) end
  local params = nn.linear(2, {w_init = ones, b_init = ones}):init(key, batch(1, 3))
  lu.assertEquals(params.flat:totable(), {1, 1, 1, 1, 1, 1, 1, 1})
end

TestApply = {}

function TestApply.test_an_mlp_is_its_formula()
  local net, x = nn.mlp{4, 3}, batch(5, 6)
  local p = net:init(key, x)
  local hidden = x:linear(p["mlp/linear_0/w"], p["mlp/linear_0/b"]):relu()
  bits.assert_same(net:apply(p, x), hidden:linear(p["mlp/linear_1/w"], p["mlp/linear_1/b"]))
  local tanh = nn.mlp{4, 3, activation = "tanh"}
  hidden = x:linear(p["mlp/linear_0/w"], p["mlp/linear_0/b"]):tanh()
  bits.assert_same(tanh:apply(p, x), hidden:linear(p["mlp/linear_1/w"], p["mlp/linear_1/b"]))
end

function TestApply.test_an_mlp_flattens_and_so_does_flatten()
  local x = batch(5, 2, 3)
  local net = nn.mlp{4}
  local p = net:init(key, x)
  bits.assert_same(net:apply(p, x), net:apply(p, x:reshape(5, 6)))
  lu.assertEquals(nn.flatten():apply(nn.flatten():init(key, x), x):shape(), {5, 6})
end

function TestApply.test_an_activation_may_be_a_name_a_layer_or_a_function()
  local x = batch(5, 6)
  local p = nn.mlp{4, 3}:init(key, x)
  local want = nn.mlp{4, 3, activation = "tanh"}:apply(p, x)
  for _, activation in ipairs{nn.tanh(), function(h) return h:tanh() end, bnn.tanh} do
    bits.assert_same(nn.mlp{4, 3, activation = activation}:apply(p, x), want)
  end
  local leaky = nn.mlp{4, 3, activation = nn.leaky_relu(0.3)}
  lu.assertEquals(tostring(leaky), "mlp{4, 3, activation=leaky_relu(0.3)}")
  local again = assert(nn.from_config(nn.to_config(leaky)))
  lu.assertEquals(tostring(again), tostring(leaky))
  bits.assert_same(again:apply(p, x), leaky:apply(p, x))
  lu.assertNil(nn.to_config(nn.mlp{4, 3, activation = function(h) return h end}))
  local normed = nn.mlp{4, 4, 4, 3, activation = nn.layer_norm()}
  lu.assertEquals(#normed:init(key, x), 10) -- three places share one gain and bias
  local broken = nn.mlp{4, 3, activation = function() end}
  raises("mlp: activation: expected a tensor, got nil", broken.apply, broken, p, x)
end

function TestApply.test_old_names_say_the_new_ones()
  raises("bnn.nn.of is now bnn.nn.from_config", function() return nn.of end)
  raises("bnn.nn.describe is now bnn.nn.to_config", function() return nn.describe end)
end

function TestApply.test_activations_are_the_ops()
  local x = batch(3, 4)
  for _, name in ipairs{
    "relu", "tanh", "sigmoid", "softplus", "gelu", "silu", "mish", "elu", "leaky_relu", "sin",
  } do
    local layer = nn[name]()
    bits.assert_same(layer:apply(layer:init(key, x), x), bnn.ops[name](x), name)
    lu.assertEquals(tostring(layer), name .. "()")
  end
end

function TestApply.test_uint8_images_are_divided_by_255()
  local image = bnn.tensor({{0, 1, 128}, {255, 51, 254}}, "u8")
  local net = nn.linear(4)
  local p = net:init(key, image)
  bits.assert_same(net:apply(p, image), net:apply(p, image:real() / 255))
end

function TestApply.test_a_layer_value_called_twice_shares_its_weights()
  local layer, x = nn.linear(6), batch(2, 6)
  local net = bnn.transform(function(y) return layer(layer(y)) + nn.linear(6)(y) end)
  local p = net:init(key, x)
  lu.assertEquals(p:names(), {"linear/w", "linear/b", "linear_1/w", "linear_1/b"})
  local function once(y) return y:linear(p["linear/w"], p["linear/b"]) end
  bits.assert_same(net:apply(p, x), once(once(x)) + x:linear(p["linear_1/w"], p["linear_1/b"]))
end

function TestApply.test_a_layer_belongs_to_no_network()
  local shared = nn.linear(6)
  local one = bnn.transform(function(y) return shared(y) end)
  local other = nn.sequential{nn.linear(6), shared}
  lu.assertEquals(one:init(key, batch(2, 6)):names(), {"linear/w", "linear/b"})
  lu.assertEquals(other:init(key, batch(2, 6)):names()[3], "sequential/linear_1/w")
  lu.assertEquals(one:init(key, batch(2, 6)):names(), {"linear/w", "linear/b"})
end

function TestApply.test_parameters_may_be_a_plain_table()
  local net, x = nn.linear(2), batch(3, 4)
  local p = net:init(key, x)
  bits.assert_same(net:apply({["linear/w"] = p["linear/w"], ["linear/b"] = p["linear/b"]}, x),
    net:apply(p, x))
end

function TestApply.test_networks_can_be_called_in_networks()
  local inner = nn.linear(4)
  local p = inner:init(key, batch(1, 6))
  local outer = bnn.transform(function(x) return nn.linear(2)(inner:apply(p, x)) end)
  local x = batch(3, 6)
  local q = outer:init(key, x)
  lu.assertEquals(q:names(), {"linear/w", "linear/b"})
  bits.assert_same(outer:apply(q, x), inner:apply(p, x):linear(q["linear/w"], q["linear/b"]))
end

function TestApply.test_eager_and_compiled_give_the_same_bits()
  local x = batch(33, 2, 3)
  local nets = {
    nn.mlp{8, 3}, nn.mlp{8, 8, 3, activation = "gelu"},
    nn.sequential{nn.flatten(), nn.linear(5), nn.softplus(), nn.dropout(0.3), nn.linear(2)},
    bnn.transform(function(y) return nn.linear(3)(nn.flatten()(y)):log_softmax() end),
  }
  for i, net in ipairs(nets) do
    local p = net:init(key, x)
    local compiled = bnn.compile(function(params, y, k)
      return net:apply(params, y, {key = k, train = true})
    end)
    bits.assert_same(compiled(p, x, key), net:apply(p, x, {key = key, train = true}), "net " .. i)
  end
end

TestImages = {}

function TestImages.test_a_convolution_is_the_op()
  local x = batch(3, 2, 9, 8)
  local net = nn.conv2d(4, {3, 5}, {stride = {1, 2}, padding = 1})
  lu.assertEquals(layout(net, x), {"conv2d/w[4,2,3,5]", "conv2d/b[4]"})
  local p = net:init(key, x)
  bits.assert_same(net:apply(p, x),
    x:conv2d(p["conv2d/w"], p["conv2d/b"], {1, 2}, {1, 1}))
  lu.assertEquals(net:apply(p, x):shape(), {3, 4, 9, 3})
  lu.assertEquals(tostring(net), "conv2d(4, {3, 5}, {stride={1, 2}, padding=1})")
  lu.assertEquals(tostring(nn.conv2d(6, 5)), "conv2d(6, 5)")
end

function TestImages.test_images_without_channels_have_one()
  local x = batch(3, 9, 8)
  local net = nn.sequential{nn.conv2d(2, 3), nn.relu(), nn.conv2d(3, 3), nn.max_pool(2)}
  lu.assertEquals(layout(net, x), {
    "sequential/conv2d_0/w[2,1,3,3]", "sequential/conv2d_0/b[2]", "sequential/conv2d_1/w[3,2,3,3]",
    "sequential/conv2d_1/b[3]",
  })
  local p = net:init(key, x)
  bits.assert_same(net:apply(p, x), net:apply(p, x:reshape(3, 1, 9, 8)))
  lu.assertEquals(nn.max_pool(2):apply({}, x):shape(), {3, 1, 4, 4})
end

function TestImages.test_padding_same_keeps_the_size()
  for _, kernel in ipairs{1, 3, 5, {3, 7}} do
    local net, x = nn.conv2d(2, kernel, {padding = "same"}), batch(2, 1, 9, 8)
    lu.assertEquals(net:apply(net:init(key, x), x):shape(), {2, 2, 9, 8})
  end
end

function TestImages.test_a_convolution_without_bias_has_only_w()
  local net, x = nn.conv2d(2, 3, {bias = false}), batch(2, 1, 5, 5)
  lu.assertEquals(layout(net, x), {"conv2d/w[2,1,3,3]"})
  local p = net:init(key, x)
  bits.assert_same(net:apply(p, x), x:conv2d(p["conv2d/w"], {0, 0}))
end

function TestImages.test_kernels_are_a_truncated_normal_over_sqrt_of_what_they_see()
  local w = nn.conv2d(400, 5, {b_init = nn.ones}):init(key, batch(1, 20, 5, 5))["conv2d/w"]
  local limit = 2 / math.sqrt(20 * 25)
  lu.assertTrue(w:abs():max():item() <= limit)
  lu.assertTrue(w:abs():max():item() > 0.99 * limit)
  -- 200,000 values: the error of the deviation is below sigma / sqrt(2n)
  local sigma = 0.8796 / math.sqrt(20 * 25)
  lu.assertAlmostEquals((w ^ 2):mean():sqrt():item(), sigma, 4 * sigma / math.sqrt(4e5))
end

function TestImages.test_pools_are_the_ops()
  local x = batch(3, 2, 9, 8)
  local rows = {
    {nn.max_pool(2), x:max_pool2d(2), "max_pool(2)"},
    {nn.max_pool({3, 2}, {stride = 1, padding = {1, 0}}), x:max_pool2d({3, 2}, 1, {1, 0}),
      "max_pool({3, 2}, {stride=1, padding={1, 0}})"},
    {nn.avg_pool(3, {padding = 1}), x:avg_pool2d(3, 3, 1), "avg_pool(3, {padding=1})"},
    {nn.avg_pool({9, 8}), x:mean({3, 4}, true), "avg_pool({9, 8})"},
  }
  for i, row in ipairs(rows) do
    local miss = (row[1]:apply({}, x) - row[2]):abs():max():item()
    lu.assertAlmostEquals(miss, 0, 1e-6, "row " .. i)
    lu.assertEquals(tostring(row[1]), row[3])
  end
end

function TestImages.test_layer_norm_starts_with_mean_0_and_variance_1()
  local net, x = nn.layer_norm(), batch(5, 3, 16) * 7 + 2
  lu.assertEquals(layout(net, x), {"layer_norm/gain[16]", "layer_norm/bias[16]"})
  local p = net:init(key, x)
  local y = net:apply(p, x)
  lu.assertAlmostEquals(y:mean(-1):abs():max():item(), 0, 1e-6)
  lu.assertAlmostEquals(((y ^ 2):mean(-1) - 1):abs():max():item(), 0, 1e-5)
  bits.assert_same(nn.layer_norm{eps = 0.5}:apply(p, x),
    x:layer_norm(p["layer_norm/gain"], p["layer_norm/bias"], 0.5))
end

-- What a network gives eagerly, compiled, and how its gradient goes with differences.
local function check_net(net, x)
  local p = net:init(key, x)
  local compiled = bnn.compile(function(params, y) return net:apply(params, y) end)
  bits.assert_same(compiled(p, x), net:apply(p, x))
  local f = function(params) return (net:apply(params, x) ^ 2):sum() end
  local g = bnn.grad(f)(p)
  for name, tensor in pairs(p) do
    local step = bnn.randn(key:fold(name), tensor:shape())
    local function along(t)
      local moved = {}
      for other, value in pairs(p) do moved[other] = other == name and value + step * t or value end
      return f(moved):item()
    end
    local slope, want = (along(1e-2) - along(-1e-2)) / 2e-2, (g[name] * step):sum():item()
    lu.assertAlmostEquals(slope, want, 2e-2 * (1 + math.abs(want)), name)
  end
end

function TestImages.test_a_convolutional_network_learns_by_the_right_gradient()
  check_net(nn.sequential{
    nn.conv2d(2, 3, {padding = "same"}), nn.tanh(), nn.avg_pool(2), nn.conv2d(3, 2), nn.flatten(),
    nn.layer_norm(), nn.linear(2),
  }, batch(4, 6, 6))
end

TestComposition = {}

-- x + f(x), with a convolution where the channels change.
local function residual(channels)
  return function(x)
    local h = nn.conv2d(channels, 3, {padding = "same"})(x):tanh()
    h = nn.conv2d(channels, 3, {padding = "same"})(h)
    return (h + nn.conv2d(channels, 1)(x)):tanh()
  end
end

function TestComposition.test_residual_blocks()
  local x = batch(4, 2, 5, 5)
  local net = nn.sequential{residual(3), residual(2), nn.flatten(), nn.linear(2)}
  local names = layout(net, x)
  lu.assertEquals(#names, 14)
  lu.assertEquals({names[1], names[5], names[7]}, {
    "sequential/conv2d_0/w[3,2,3,3]", "sequential/conv2d_2/w[3,2,1,1]",
    "sequential/conv2d_3/w[2,3,3,3]",
  })
  check_net(net, x)
  local one = bnn.transform(residual(3))
  local p = one:init(key, x)
  local h = x:conv2d(p["conv2d/w"], p["conv2d/b"], 1, 1):tanh()
  h = h:conv2d(p["conv2d_1/w"], p["conv2d_1/b"], 1, 1)
  bits.assert_same(one:apply(p, x), (h + x:conv2d(p["conv2d_2/w"], p["conv2d_2/b"])):tanh())
end

function TestComposition.test_two_heads_are_two_values()
  local function heads(h) return nn.linear(2)(h), nn.linear(3)(h):exp() end
  local x = batch(4, 6)
  local nets = {
    bnn.transform(function(y) return heads(nn.linear(5)(y):relu()) end),
    nn.sequential{nn.linear(5), nn.relu(), heads},
  }
  for i, net in ipairs(nets) do
    local p = net:init(key, x)
    lu.assertEquals(#p:names(), 6, "net " .. i)
    local mean, scale = net:apply(p, x)
    lu.assertEquals({mean:shape(), scale:shape()}, {{4, 2}, {4, 3}}, "net " .. i)
    local compiled = bnn.compile(function(params, y) return net:apply(params, y) end)
    local m, s = compiled(p, x)
    bits.assert_same(m, mean)
    bits.assert_same(s, scale)
    local g = bnn.grad(function(params)
      local a, b = net:apply(params, x)
      return a:sum() + b:sum()
    end)(p)
    for name, slope in pairs(g) do lu.assertTrue(slope:abs():sum():item() > 0, name) end
  end
end

TestDropout = {}

local drop = nn.sequential{nn.dropout(0.25)}
local ones = bnn.ones(100, 100)

local function dropped(opts) return drop:apply({}, ones, opts) end

function TestDropout.test_does_nothing_but_while_training()
  bits.assert_same(dropped(), ones)
  bits.assert_same(dropped{key = key}, ones)
  bits.assert_same(dropped{key = key, train = false}, ones)
  bits.assert_differ(dropped{key = key, train = true}, ones)
end

function TestDropout.test_drops_a_share_of_p_and_scales_the_rest()
  local y = dropped{key = key, train = true}
  local kept = y:gt(0):mean():item()
  lu.assertAlmostEquals(kept, 0.75, 4 * math.sqrt(0.75 * 0.25 / 1e4))
  lu.assertAlmostEquals(y:max():item(), 1 / 0.75, 1e-6)
  lu.assertAlmostEquals(y:sum():item(), y:gt(0):sum():item() / 0.75, 0.1)
end

function TestDropout.test_the_mask_is_a_function_of_the_key()
  local a = dropped{key = key, train = true}
  bnn.randn(bnn.key(99), 1000)
  bits.assert_same(a, dropped{key = key, train = true})
  bits.assert_differ(a, dropped{key = bnn.key(8), train = true})
end

function TestDropout.test_two_layers_and_two_calls_have_masks_of_their_own()
  local one = nn.dropout(0.5)
  local net = bnn.transform(function(x)
    return bnn.concat({one(x), one(x), nn.dropout(0.5)(x), one(x)}, 1)
  end)
  local x = bnn.ones(1, 64)
  local y = net:apply({}, x, {key = key, train = true})
  for i = 1, 4 do
    for j = i + 1, 4 do bits.assert_differ(y[i], y[j], ("calls %d and %d"):format(i, j)) end
  end
  bits.assert_same(y, net:apply({}, x, {key = key, train = true}))
end

function TestDropout.test_p_of_0_keeps_everything()
  local net = nn.dropout(0)
  bits.assert_same(net:apply({}, ones, {key = key, train = true}), ones)
end

function TestDropout.test_training_needs_a_key()
  raises("sequential/dropout_0: net:apply: key: expected a key while training", dropped,
    {train = true})
end

TestText = {}

function TestText.test_layers_show_what_is_not_the_default()
  local rows = {
    {"linear(3)", nn.linear(3)}, {"linear(3, {bias=false})", nn.linear(3, {bias = false})},
    {"conv2d(3, 5)", nn.conv2d(3, 5)}, {"leaky_relu(0.3)", nn.leaky_relu(0.3)},
    {"conv2d(3, 3, {stride=2, padding=1})", nn.conv2d(3, 3, {stride = 2, padding = 1})},
    {"conv2d(3, {3, 5}, {stride={1, 2}, bias=false})",
     nn.conv2d(3, {3, 5}, {stride = {1, 2}, bias = false})},
    {"max_pool(2)", nn.max_pool(2)}, {"max_pool(3, {stride=2})", nn.max_pool(3, {stride = 2})},
    {"mlp{3, 2}", nn.mlp{3, 2}}, {"mlp{3, 2, activation=tanh}", nn.mlp{3, 2, activation = "tanh"}},
  }
  for _, row in ipairs(rows) do lu.assertEquals(tostring(row[2]), row[1]) end
end

TestRefusals = {}

function TestRefusals.test_layers_outside_a_network()
  local x = batch(2, 3)
  raises({"test_nn.lua:", "bnn.nn.linear: expected to be called inside a network"}, function()
    local y = nn.linear(3)(x)
    return y
  end)
  raises("bnn.nn.parameter: expected to be called inside a network", nn.parameter, "w", {1},
    nn.zeros)
  nn.linear(3):init(key, x)
  raises("inside a network", function() return nn.linear(3)(x) end)
  pcall(function() bnn.transform(function() error "in it" end):init(key, x) end)
  raises("inside a network", function() return nn.linear(3)(x) end)
end

function TestRefusals.test_shapes_that_do_not_match_name_the_layer_and_both_shapes()
  local net, x = nn.mlp{4, 3}, batch(5, 6)
  local p = net:init(key, x)
  raises({"mlp/linear_0", "[6, 4]", "[5, 7]"}, net.apply, net, p, batch(5, 7))
  raises({"mlp/linear_0", "w: expected [6, 5] for x [5, 6], got [6, 4]"},
    function() return nn.mlp{5, 3}:apply(p, x) end)
  raises({"mlp/linear_1", "w: expected [4, 2]", "got [4, 3]"},
    function() return nn.mlp{4, 2}:apply(p, x) end)
  local bad_b = {["linear/w"] = bnn.zeros(6, 3), ["linear/b"] = bnn.zeros(1)}
  raises({"linear", "b: expected [3]", "got [1]"},
    function() return nn.linear(3):apply(bad_b, x) end)
  raises("mlp/linear_2: w: expected a tensor [3, 2], the parameters have none",
    function() return nn.mlp{4, 3, 2}:apply(p, x) end)
  local layer = nn.linear(5)
  local twice = bnn.transform(function(y) return layer(layer(y)) end)
  raises({"linear", "[6, 5]", "[5, 5]"}, twice.init, twice, key, x)
end

function TestRefusals.test_images_that_do_not_match_name_the_layer_and_the_shapes()
  local function apply(net, x, p) return function() return net:apply(p or {}, x) end end
  local net = nn.sequential{nn.conv2d(2, 3), nn.conv2d(3, 3)}
  local p = net:init(key, batch(2, 4, 9, 9))
  raises({"sequential/conv2d_0", "w: expected [2, 5, 3, 3] for x [2, 5, 9, 9], got [2, 4, 3, 3]"},
    apply(net, batch(2, 5, 9, 9), p))
  raises({"sequential/conv2d_1", "got [2, 2, 2, 7]", "{3, 3}", "padding {0, 0}"},
    apply(net, batch(2, 4, 4, 9), p))
  raises("conv2d: x: expected [n, channels, h, w] or [n, h, w], got [1, 9]", net.init,
    nn.conv2d(2, 3), key, batch(2, 9))
  raises({"max_pool: x: expected images", "{3, 3}", "got [2, 1, 2, 9]"},
    apply(nn.max_pool(3), batch(2, 1, 2, 9)))
  for _, make in ipairs{
    function() return (nn.max_pool(0)) end, function() return (nn.max_pool(2, {padding = 2})) end,
    function() return (nn.avg_pool(2, {pad = 2})) end, function() return (nn.conv2d(2, 0)) end,
    function() return (nn.conv2d(2, 2, {padding = "same"})) end,
  } do
    raises("test_nn.lua:", make)
  end
  raises({"layer_norm", "gain: expected [6]", "got [4]"}, apply(nn.layer_norm(), batch(2, 6),
    nn.layer_norm():init(key, batch(2, 4))))
end

function TestRefusals.test_wrong_arguments()
  local net, x = nn.mlp{4, 3}, batch(5, 6)
  local p = net:init(key, x)
  local rows = {
    {"list of layer sizes", nn.mlp, {}}, {"list of layer sizes", nn.mlp},
    {"at least 1", nn.mlp, {64, 0}}, {"an integer", nn.mlp, {1.5}}, {"got 64", nn.mlp, 64},
    {"did you mean 'activation'", nn.mlp, {3, activaton = "relu"}},
    {"did you mean relu?", nn.mlp, {3, activation = "rellu"}},
    {"one of cos, elu, gelu, leaky_relu", nn.mlp, {8, 1, activation = "sum"}},
    {"expected a string or a layer or a function", nn.mlp, {8, activation = 3}},
    {"bnn.nn.relu: expected at most 0 arguments, got 1", nn.relu, 1},
    {"at most 1", nn.leaky_relu, 0.1, 2},
    {'bnn.nn.leaky_relu: slope: expected a number, got "x"', nn.leaky_relu, "x"},
    {"bnn.nn.linear: out: expected at least 1, got 0", nn.linear, 0},
    {"out: expected an integer, got 1.5", nn.linear, 1.5},
    {"at most 2147483647, got 2147483648", nn.linear, 1 << 31},
    {"out: expected an integer, got nil", nn.linear},
    {'an integer, got "3"', nn.linear, "3"},
    {"did you mean 'bias'", nn.linear, 3, {bais = true}},
    {"bnn.nn.conv2d: out: expected at least 1, got 0", nn.conv2d, 0, 3},
    {"bnn.nn.conv2d: kernel: expected an integer of at least 1, or a list", nn.conv2d, 3},
    {"got 0", nn.conv2d, 3, 0}, {"got {3}", nn.conv2d, 3, {3}},
    {"bnn.nn.max_pool: size: expected an integer", nn.max_pool, {3, 1.5}},
    {"{rows, columns}", nn.avg_pool, "3"},
    {"bnn.nn.conv2d: stride: expected an integer of at least 1", nn.conv2d, 3, 3, {stride = 0}},
    {"got {2, 0}", nn.max_pool, 2, {stride = {2, 0}}},
    {"got -1", nn.conv2d, 3, 3, {padding = -1}},
    {'got "sme"', nn.conv2d, 3, 3, {padding = "sme"}},
    {'expected odd sizes for padding = "same", got {3, 4}', nn.conv2d, 3, {3, 4},
     {padding = "same"}},
    {"at most half the size {3, 3}", nn.max_pool, 3, {padding = 2}},
    {"did you mean 'stride'", nn.max_pool, 3, {strid = 2}},
    {"did you mean 'padding'", nn.conv2d, 3, 3, {pading = 2}},
    {"at least 0", nn.layer_norm, {eps = -1}},
    {"p: expected a number in [0, 1), got 1", nn.dropout, 1},
    {"got -0.1", nn.dropout, -0.1}, {"got nil", nn.dropout},
    {"got nan", function() return nn.dropout(-(0 / 0)) end},
    {"a list of layers", nn.sequential, {}}, {"a list of layers", nn.sequential, nn.linear(3)},
    {"entry 2: expected a layer or a function, got a number", nn.sequential, {nn.relu(), 3}},
    {"bnn.transform: f: expected a function, got a number", bnn.transform, 3},
    {"net:init: key: expected a key", net.init, net, 1, x},
    {"net:init: key: expected a key", net.init, net, x, key},
    {"tensor [n, ...]", net.init, net, key}, {"tensor [n, ...]", net.init, net, key, 3},
    {"tensor [n, ...]", net.init, net, key, bnn.tensor(3)},
    {"tensor [n, ...]", net.init, net, key, {1, 2}},
    {"net:apply: params: expected params", net.apply, net, nil, x},
    {"net:apply: params: expected params", net.apply, net, x, p},
    {"tensor [n, ...]", net.apply, net, p}, {"tensor [n, ...]", net.apply, net, p, {1, 2}},
    {"did you mean 'train'", net.apply, net, p, x, {trian = true}},
    {"expected a key", net.apply, net, p, x, {key = 3}},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(table.unpack(row, 2, 6))
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

function TestRefusals.test_nothing_where_a_tensor_is_wanted_names_the_place()
  local x = batch(2, 3)
  local function nothing() end
  local function of(...) return nn.sequential{...} end
  local rows = {
    {"sequential/function_1: result: expected a tensor, got nil",
     of(nn.relu(), nothing, nn.relu())},
    {"sequential/function_1: result: expected a tensor, got nil", of(nn.relu(), nothing)},
    {"sequential/function_0: result: expected a tensor, got a number",
     of(function() return 3 end, nn.linear(2))},
    {"linear: x: expected a tensor, got nil",
     bnn.transform(function() return (nn.linear(2)()) end)},
    {"bnn.nn.parameter: init: expected a function, got nil",
     bnn.transform(function(input) return input + nn.parameter("a", {3}) end)},
    {"net:init: initial value of 'linear/w': expected a tensor [3, 2], got a number",
     nn.linear(2, {w_init = function() return 3 end})},
  }
  for _, row in ipairs(rows) do raises(row[1], row[2].init, row[2], key, x) end
end

function TestRefusals.test_a_failing_network_leaves_nothing_behind()
  local net = bnn.transform(function(x)
    local y = nn.linear(100)(x)
    if x:size(1) == 1 then error "stop here" end
    return y
  end)
  local x = batch(2, 3)
  collectgarbage()
  collectgarbage()
  local before = bnn.memory()
  for _ = 1, 20 do raises("stop here", net.init, net, key, x) end
  collectgarbage()
  collectgarbage()
  lu.assertEquals((bnn.memory()), before)
end

TestFailingOps = {}

-- Nets in which an op fails on x [4, 5], and the path and shapes that the message names.
function TestFailingOps.test_an_op_that_fails_names_the_layer_and_the_shapes()
  local w = bnn.ones(32, 10)
  local function fails(x) return x:mm(w) end
  local rows = {
    {"network: ", "b: expected [5, *] for a [1, 5], got [32, 10]", bnn.transform(fails)},
    {"sequential/function_1: ", "b: expected [64, *] for a [1, 64], got [32, 10]",
      nn.sequential{nn.linear(64), fails}},
    {"sequential/sequential_0/function_1: ", "tensor 1 is [1, 64], tensor 2 is [32, 10]",
     nn.sequential{nn.linear(64), nn.sequential{nn.relu(), function(x)
       return bnn.concat({x, w}, 2)
     end}}},
    {"sequential/function_1: ", "[1, 8] and [3]",
     bnn.transform(function(x)
       return nn.sequential{nn.linear(8), function(y) return y + bnn.ones(3) end}(x)
     end)},
    {"sequential_1/function_0: ", "x is [1, 8]: 8 elements do not make [3, 7]",
     bnn.transform(function(x)
       x = nn.sequential{nn.linear(8)}(x)
       return nn.sequential{function(y) return y:view(3, 7) end}(x)
     end)},
    {"sequential/function_0: ", "x is [1, 5]",
     nn.sequential{function(y) return y:reshape(3, 7) end}},
    {"sequential/function_0: ", "axis: expected 1 to 2 or -2 to -1, got 3",
     nn.sequential{function(x) return x:sum(3) end}},
    {"sequential/function_0: ", "expected axis or list of axes, got string",
     nn.sequential{function(x) return x:sum("rows") end}},
    {"sequential/function_0: ", "expected boolean, got number",
     nn.sequential{function(x) return x:sum(1, 1) end}},
    {"sequential/function_0: ", "expected number, got nil",
     nn.sequential{function(x) return x:narrow(1, nil, 1) end}},
    {"sequential/function_0: ", "only one dim can be -1",
     nn.sequential{function(x) return x:view(-1, -1) end}},
    {"sequential/function_0: ", "an index of 3 axes into [1, 5]",
     nn.sequential{function(x) return x[{1, 2, 3}] end}},
    {"sequential/function_1: ", "for a [1, 5]", -- back from a layer, in the function again
     nn.sequential{nn.relu(), function(x) return fails(nn.sequential{nn.tanh()}(x)) end}},
  }
  local x = bnn.ones(4, 5)
  for i, row in ipairs(rows) do
    local ok, message = pcall(row[3].init, row[3], key, x)
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
    lu.assertStrContains(message, row[2], false, "row " .. i)
    lu.assertStrContains(message, "test_nn.lua", false, "row " .. i)
  end
end

function TestFailingOps.test_the_path_is_that_of_apply_too_and_gone_afterwards()
  local wide = true
  local net = bnn.nn.sequential{bnn.nn.linear(6), function(x) return x:view(wide and 24 or 25) end}
  local function run(x) return net:apply({["sequential/linear_0/w"] = bnn.ones(5, 6),
    ["sequential/linear_0/b"] = bnn.zeros(6)}, x) end
  lu.assertEquals(run(bnn.ones(4, 5)):shape(), {24})
  wide = false
  bits.raises({"test_nn.lua:", "sequential/function_1: ", "[4, 6]"}, run, bnn.ones(4, 5))
  bits.raises({"test_nn.lua:", "sequential/function_1: "}, bnn.compile(run), bnn.ones(4, 5))
  local ok, message = pcall(function() return bnn.ones(2):view(3) end)
  lu.assertEquals({ok, message:find "sequential" or message:find "network"}, {false})
end

os.exit(lu.LuaUnit.run())
