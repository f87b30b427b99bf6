--- grad, value_and_grad and compile: what may be differentiated, what is an input and what a
--- constant, and what is refused.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(5)

local function live()
  collectgarbage()
  collectgarbage()
  return (bnn.memory())
end

TestGrad = {}

function TestGrad.test_of_a_number()
  local g = bnn.grad(function(a) return a * a * a end)(3)
  lu.assertEquals({g:shape(), g:item()}, {{}, 27})
  lu.assertAlmostEquals(bnn.grad(function(a) return 2 ^ a end)(3):item(), 8 * math.log(2), 1e-5)
end

function TestGrad.test_of_a_tensor()
  local g = bnn.grad(function(x) return (x * x):sum() end)(bnn.tensor{1, -2, 3})
  lu.assertEquals(g:totable(), {2, -4, 6})
end

function TestGrad.test_of_a_table_has_the_same_form()
  local t = {a = bnn.tensor{1, 2}, list = {bnn.tensor{{3, 4}}, 5}, name = "x"}
  local g = bnn.grad(function(p) return (p.a * p.list[1]):sum() * p.list[2] end)(t)
  lu.assertEquals(g.a:totable(), {15, 20})
  lu.assertEquals(g.list[1]:totable(), {{5, 10}})
  lu.assertEquals(g.list[2]:item(), 11)
  lu.assertEquals(t.list[2], 5)
end

function TestGrad.test_of_params_is_params()
  local net, x = bnn.nn.mlp{4, 3}, bnn.randn(key, 8, 6)
  local params = net:init(key, x)
  local loss, g = bnn.value_and_grad(function(p) return net:apply(p, x):square():mean() end)(params)
  lu.assertTrue(bnn.params.is(g))
  lu.assertEquals(g:names(), params:names())
  bits.assert_same(loss, net:apply(params, x):square():mean())
  -- A step against the gradient changes the loss by -rate |g|^2, to first order.
  local rate, size = 1e-3, (g.flat * g.flat):sum():item()
  local after = net:apply(params - rate * g, x):square():mean()
  lu.assertAlmostEquals((after - loss):item() / (-rate * size), 1, 0.05)
end

-- The gradient of each draw stands in its own place.
function TestGrad.test_of_samples_is_samples()
  local params = bnn.nn.mlp{4, 3}:init(key, bnn.randn(key, 8, 6))
  local samples = bnn.posterior.meanfield(params):samples(key, 3)
  local scale = bnn.tensor{1, 2, 3}:view(3, 1, 1)
  local function f(s) return (s["mlp/linear_0/w"]:square() * scale):sum() end
  for _, gradient in ipairs{bnn.grad(f), bnn.compile(bnn.grad(f))} do
    local g = gradient(samples)
    lu.assertTrue(bnn.samples.is(g))
    lu.assertEquals(g:names(), samples:names())
    bits.assert_same(g["mlp/linear_0/w"], samples["mlp/linear_0/w"] * scale * 2)
    lu.assertEquals(g["mlp/linear_1/b"]:abs():sum():item(), 0)
  end
end

function TestGrad.test_the_argument_may_be_another()
  local function f(a, b) return (a * a * b):sum() end
  local a, b = bnn.tensor{2, 3}, bnn.tensor{5, 7}
  lu.assertEquals(bnn.grad(f)(a, b):totable(), {20, 42})
  lu.assertEquals(bnn.grad(f, 2)(a, b):totable(), {4, 9})
  lu.assertEquals(bnn.compile(bnn.grad(f, 2))(a, b):totable(), {4, 9})
end

function TestGrad.test_further_results_come_behind()
  local function f(x) return x:sum(), x * 2, {twice = x:sum() * 2, text = "t"} end
  local x = bnn.tensor{1, 2}
  local g, double, more = bnn.grad(f)(x)
  lu.assertEquals({g:totable(), double:totable(), more.twice:item(), more.text},
    {{1, 1}, {2, 4}, 6, "t"})
  local value
  for _, with in ipairs{bnn.value_and_grad(f), bnn.compile(bnn.value_and_grad(f))} do
    value, g, double, more = with(x)
    lu.assertEquals({value:item(), g:totable(), double:totable(), more.twice:item()},
      {3, {1, 1}, {2, 4}, 6})
  end
end

function TestGrad.test_other_arguments_are_constants_of_the_gradient()
  local function f(w, scale, x, k, how)
    return (w * x + bnn.ones(2):dropout(k, 0)):sum() * scale * (how == "twice" and 2 or 1)
  end
  local g = bnn.grad(f)(bnn.tensor{1, 2}, 3, bnn.tensor{5, 7}, key, "twice")
  lu.assertEquals(g:totable(), {30, 42})
end

function TestGrad.test_integer_tensors_have_no_gradient()
  local g = bnn.grad(function(p) return p.x:cross_entropy(p.y):mean() end){
    x = bnn.zeros(2, 3), y = bnn.tensor({0, 2}, "i32"),
  }
  lu.assertNil(g.y)
  lu.assertAlmostEquals(g.x[1]:totable(), {-1 / 3, 1 / 6, 1 / 6}, 1e-6)
end

function TestGrad.test_what_does_not_depend_on_the_argument_has_gradient_0()
  lu.assertEquals(bnn.grad(function(p) return p.a:sum() end){
    a = bnn.tensor{1}, b = bnn.tensor{1, 2},
  }.b:totable(), {0, 0})
  lu.assertEquals(bnn.grad(function() return 3 end)(bnn.tensor{1, 2}):totable(), {0, 0})
end

function TestGrad.test_refusals()
  local x = bnn.tensor{1, 2}
  local rows = {
    {"expected one number, got a tensor [2]: take its sum or mean",
     bnn.grad(function(a) return a end), x},
    {"first result of f: expected one number, got a table",
     bnn.grad(function(a) return {a = a:sum(), b = a:sum()} end), x},
    {"first result of f: expected one number, got a string",
     bnn.grad(function() return "s" end), x},
    {"bnn.grad: result of f: expected a tensor, got nothing",
     bnn.grad(function() end), x},
    {"bnn.grad: result of f: expected a tensor, got nothing",
     bnn.value_and_grad(function() return nil, 1 end), x},
    {"bnn.grad: argument 1: expected tensors in it, got none",
     bnn.grad(function(_, b) return b:sum() end), "s", x},
    {"bnn.grad: argument 3: expected tensors in it, got none",
     bnn.grad(function(a) return a:sum() end, 3), x},
    {"bnn.grad: f: expected a function, got nil", bnn.grad},
    {"bnn.grad: f: expected a function, got a table", bnn.grad, {}},
    {"bnn.value_and_grad: f: expected a function", bnn.value_and_grad, 3},
    {"bnn.grad: argument: expected at least 1, got 0", bnn.grad, print, 0},
    {"bnn.grad: argument: expected an integer, got 1.5", bnn.grad, print, 1.5},
    {"bnn.compile: f: expected a function, got a number", bnn.compile, 3},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(table.unpack(row, 2, 4))
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

-- Every way in which a function can read a value, and what its message says to do instead. Each f
-- stands on a line of its own, which the message names.
local readings = {
  {"bnn.where(c, a, b)", function(a) if a:sum():item() > 0 then return a:sum() end end},
  {"bnn.where(c, a, b)", function(a) return a:sum() * a:totable()[1] end},
  {"x:select(axis, i)", function(a) return a:sum() * a[1] end},
  {"x:select(axis, i)", function(a) return a:sum() * a[{2}] end},
  {"x:select(axis, i)", function(a) for _, v in ipairs(a) do a = a * v end return a:sum() end},
  {"bnn.where(x:gt(y), a, b)", function(a) if a:sum() > 0 then return a:sum() end end},
  {"bnn.where(x:gt(y), a, b)", function(a) if 1 <= a:sum() then return a:sum() end end},
  {"bnn.where(x:gt(y), a, b)", function(a) return a:sum() == a:mean() and a:sum() end},
  {"bnn.where(x:gt(y), a, b)", function(a) return a ~= bnn.tensor{1, 2} and a:sum() end},
  {"bnn.where(x:gt(y), a, b)", function(a) return math.max(a:sum(), 1) end},
  {"bnn.where(c, a, b)", function(a) return a:sum() * #("x" .. a:sum()) end},
  {"bnn.where(c, a, b)", function(a) return bnn.tensor(a):sum() end},
  {"bnn.where(c, a, b)", function(a) return bnn.tensor{a:sum(), 1}:sum() end},
  {"bnn.where(c, a, b)", function(a) return bnn.zeros(a:sum()):sum() end},
  {"bnn.where(c, a, b)", function(a) return a:narrow(1, a:sum(), 1):sum() end},
  {"bnn.where(c, a, b)", function(a) return a:clamp(0, a:mean()):sum() end},
  {"bnn.where(c, a, b)", function(a) return a:sum(a:sum()) end},
  {"bnn.where(c, a, b)", function(a) return bnn.full({2}, a:sum()):sum() end},
  {"", function(a) local m = bnn.metrics.accuracy(a, a) return a:sum() * m end},
  {"convert the value before", function(a) return a:to("i32"):real():sum() end},
}

function TestGrad.test_reading_a_value_raises_with_the_line_and_says_what_to_do_instead()
  local x = bnn.tensor{1, 2}
  for i, row in ipairs(readings) do
    local line = debug.getinfo(row[2], "S").linedefined
    local where = ("test_autodiff.lua:%d: "):format(line)
    for _, wrap in ipairs{bnn.grad, bnn.value_and_grad, bnn.compile} do
      local ok, message = pcall(wrap(row[2]), x)
      lu.assertFalse(ok, "row " .. i)
      lu.assertStrContains(message, where, false, "row " .. i)
      lu.assertStrContains(message, row[1], false, "row " .. i)
      lu.assertStrContains(message, "while recording: ", false, "row " .. i)
    end
  end
end

function TestGrad.test_what_lua_itself_refuses_has_the_line_too()
  for _, f in ipairs{
    function(a) return math.floor(a) end, function(a) for i = 1, a do a = a * i end return a end,
    function(a) return ("%d"):format(a) end, function(a) return a << 1 end,
  } do raises("test_autodiff.lua:" .. debug.getinfo(f, "S").linedefined, bnn.compile(f), 3) end
end

function TestGrad.test_equality_outside_of_a_recording_is_that_of_objects()
  local x, kept = bnn.tensor{1, 2}, nil
  bnn.compile(function(a)
    kept = a
    return a + 1
  end)(x)
  lu.assertEquals({x == x, x == x:clone(), kept == x, x == 3}, {true, false, false, false})
  raises("'..'", function() return "x is " .. x end)
end

TestCompile = {}

function TestCompile.test_gives_the_bits_of_the_function()
  local functions = {
    function(x) return x:softmax(-1):log() * 3 end,
    function(x) return (x:mm(x:t()) / 7):tanh(), x:sum(1), x[2] end,
    function(x) return {a = x:exp(), b = {x:mean(), 2}} end,
    function(x) return x end,
  }
  for _, rows in ipairs{1, 3, 40} do
    local x = bnn.randn(key:fold(rows), rows + 1, 5)
    for i, f in ipairs(functions) do
      local want, got = table.pack(f(x)), table.pack(bnn.compile(f)(x))
      lu.assertEquals(got.n, want.n)
      for j = 1, want.n do
        if type(want[j]) == "table" then
          bits.assert_same(got[j].a, want[j].a)
          bits.assert_same(got[j].b[1], want[j].b[1])
          lu.assertEquals(got[j].b[2]:item(), 2)
        else
          bits.assert_same(got[j], want[j], ("function %d, result %d"):format(i, j))
        end
      end
    end
  end
end

function TestCompile.test_gradients_have_the_bits_of_grad()
  local net, x = bnn.nn.mlp{8, 3}, bnn.randn(key, 40, 6)
  local params = net:init(key, x)
  local f = bnn.value_and_grad(function(p, y) return net:apply(p, y):log_softmax(-1):mean() end)
  local compiled = bnn.compile(f)
  for step = 1, 3 do
    local value, gradient = f(params, x)
    local value2, gradient2 = compiled(params, x)
    bits.assert_same(value2, value, "step " .. step)
    bits.assert_same(gradient2, gradient, "step " .. step)
    params = params - 0.1 * gradient
  end
  lu.assertEquals(#compiled:info(), 1)
end

function TestCompile.test_records_once_for_each_set_of_shapes()
  local calls = 0
  local f = bnn.compile(function(p, x)
    calls = calls + 1
    return p.w * x
  end)
  local function call(n) return f({w = 2}, bnn.ones(n)):sum():item() end
  lu.assertEquals({call(3), call(3), call(4), call(3), call(4)}, {6, 6, 8, 6, 8})
  lu.assertEquals({calls, #f:info()}, {2, 2})
  f({w = bnn.tensor(2)}, bnn.ones(3)) -- a tensor where a number was
  f({w = 2, z = 1}, bnn.ones(3))
  lu.assertEquals(calls, 4)
end

function TestCompile.test_numbers_tensors_and_keys_are_inputs()
  local calls = 0
  local f = bnn.compile(function(x, beta, k)
    calls = calls + 1
    return x:dropout(k, 0.5) * beta
  end)
  local x = bnn.ones(50)
  for i = 1, 4 do
    local k = key:fold(i)
    bits.assert_same(f(x + i, i / 2, k), (x + i):dropout(k, 0.5) * (i / 2))
  end
  bits.assert_differ(f(x, 1, key:fold(1)), f(x, 1, key:fold(2)))
  lu.assertEquals(calls, 1)
end

function TestCompile.test_keys_can_be_folded_inside()
  local f = bnn.compile(function(x, k)
    return x:dropout(k:fold "a", 0.5) + x:dropout(k:fold(2), 0.5)
  end)
  local x = bnn.ones(50)
  bits.assert_same(f(x, key), x:dropout(key:fold "a", 0.5) + x:dropout(key:fold(2), 0.5))
end

function TestCompile.test_what_is_captured_is_a_constant()
  local scale, shift = 2, bnn.tensor{10, 20}
  local f = bnn.compile(function(x) return x * scale + shift end)
  lu.assertEquals(f(bnn.tensor{1, 2}):totable(), {12, 24})
  scale, shift = 100, bnn.tensor{0, 0}
  lu.assertEquals(f(bnn.tensor{3, 4}):totable(), {16, 28})
end

function TestCompile.test_strings_booleans_and_functions_choose_a_program()
  local f = bnn.compile(function(x, how, g)
    if g then return g(x) end
    return how == true and x + 1 or how == "double" and x * 2 or x
  end)
  local x = bnn.tensor{3}
  local function value(...) return f(x, ...):item() end
  lu.assertEquals({value(), value "double", value(true), value "other"}, {3, 6, 4, 3})
  lu.assertEquals(value(nil, function(y) return y * 7 end), 21)
  lu.assertEquals(value(nil, function(y) return y * 8 end), 24)
  local sum = bnn.compile(function(t) return (t[1] or 0) * 10 + (t["1"] or 0) end)
  lu.assertEquals({sum{2}:item(), sum{["1"] = 2}:item()}, {20, 2})
end

function TestCompile.test_objects_are_told_apart_even_when_they_look_alike()
  local net, x = bnn.nn.mlp{3}, bnn.randn(key, 5, 6)
  local f = bnn.compile(function(q, y) return net:apply(q.mu, y) end)
  for seed = 1, 3 do
    local q = bnn.posterior.meanfield(net:init(bnn.key(seed), x))
    bits.assert_same(f(q, x), net:apply(q.mu, x), "posterior " .. seed)
  end
  lu.assertEquals(#f:info(), 1)
  local apply = bnn.compile(function(n, p, y) return n:apply(p, y) end)
  local p = bnn.nn.mlp{3, 3}:init(key, x)
  for _, activation in ipairs{"relu", "tanh"} do
    local n = bnn.nn.mlp{3, 3, activation = activation} -- both are called mlp{3, 3}
    bits.assert_same(apply(n, p, x), n:apply(p, x), activation)
  end
end

function TestCompile.test_a_batch_is_its_x_and_y()
  local data = bnn.data.from_tensors{x = bnn.randn(key, 20, 3), y = bnn.zeros({20}, "i32")}
  local calls = 0
  local f = bnn.compile(bnn.grad(function(w, batch)
    calls = calls + 1
    return batch.x:mm(w):cross_entropy(batch.y):mean()
  end))
  local w = bnn.randn(key:fold "w", 3, 4)
  for batch in data:batches{size = 5, key = key, epochs = 1} do
    local want = bnn.grad(function(v) return batch.x:mm(v):cross_entropy(batch.y):mean() end)(w)
    bits.assert_same(f(w, batch), want)
  end
  lu.assertEquals(calls, 1)
end

function TestCompile.test_compiled_functions_may_be_called_in_recorded_ones()
  local square = bnn.compile(function(x) return x * x end)
  local x = bnn.tensor{1, 2, 3}
  lu.assertEquals(bnn.grad(function(y) return square(y):sum() end)(x):totable(), {2, 4, 6})
  lu.assertEquals(bnn.grad(bnn.compile(function(y) return square(y):sum() end))(x):totable(),
    {2, 4, 6})
  lu.assertEquals(bnn.compile(function(y) return square(y) + square(square(y)) end)(x):totable(),
    {2, 20, 90})
  local net = bnn.transform(function(y) return square(bnn.nn.linear(2)(y)) end)
  local p = net:init(key, bnn.zeros(1, 3))
  local linear = x:reshape(1, 3):linear(p["linear/w"], p["linear/b"])
  bits.assert_same(net:apply(p, x:reshape(1, 3)), linear * linear)
  lu.assertEquals(square(x):totable(), {1, 4, 9})
end

function TestCompile.test_a_gradient_inside_a_recording_is_refused_with_a_way_out()
  local g = bnn.grad(function(x) return (x * x):sum() end)
  local x = bnn.tensor{1, 2}
  local pieces = {"test_autodiff.lua:", "a gradient cannot be recorded",
    "bnn.compile(bnn.value_and_grad(f))"}
  raises(pieces, function() return bnn.compile(function(y) return y - 0.1 * g(y) end)(x) end)
  raises(pieces, function() return bnn.grad(function(y) return (y * g(y)):sum() end)(x) end)
  lu.assertEquals(g(x):totable(), {2, 4})
end

function TestCompile.test_a_result_of_a_run_is_its_own()
  local f = bnn.compile(function(x) return x + 1 end)
  local a = f(bnn.tensor{1})
  f(bnn.tensor{5})
  lu.assertEquals(a:item(), 2)
end

function TestCompile.test_a_draw_inside_says_where_to_draw()
  local draws = {
    function(x, k) return x * bnn.randn(k, 3) end, function(x, k) return x * bnn.rand(k, 3) end,
    function(x, k) return x * bnn.truncated(k, 3) end,
    function(x, k) return x:index(bnn.permutation(k, 3)) end,
  }
  for _, f in ipairs(draws) do
    raises({"test_autodiff.lua:", "a value is read while recording", "bnn.randn_like(x, key)",
      "made before and passed as an argument"}, bnn.compile(f), bnn.ones(3), key)
  end
  raises({"test_autodiff.lua:", "compare keys before"},
    bnn.compile(function(x, k) return k == key and x or x end), bnn.ones(3), key)
  raises({"test_autodiff.lua:", "key:fold"}, bnn.compile(function(k) return k:bits() end), key)
end

function TestCompile.test_noise_in_the_shape_of_a_tensor_is_that_of_the_key()
  local x = bnn.zeros(7, 5)
  bits.assert_same(bnn.randn_like(x, key), bnn.randn(key, x:shape()))
  bits.assert_same(x:rand_like(key), bnn.rand(key, 7, 5))
  local f = bnn.compile(function(y, k) return bnn.randn_like(y, k:fold "eps"), y:rand_like(k) end)
  local normal, uniform = f(x, key)
  bits.assert_same(normal, bnn.randn(key:fold "eps", 7, 5))
  bits.assert_same(uniform, bnn.rand(key, 7, 5))
  -- no gradient goes through the draw, and reparameterised ones go around it
  local g = bnn.grad(function(s, y) return (s * bnn.randn_like(y + s, key)):sum() end)(2, x)
  lu.assertAlmostEquals(g:item(), bnn.randn(key, 7, 5):sum():item(), 1e-4)
end

function TestCompile.test_keys_are_no_results()
  raises("a key cannot be a result", bnn.compile(function(k) return k:fold(1) end), key)
end

function TestCompile.test_integers_become_numbers_while_recording()
  local numbers = bnn.compile(function(x) return x:real(), x:to(bnn.ones(1):dtype()) end)
  for _, dtype in ipairs{"u8", "i32", "i64", "u64"} do
    local x = bnn.tensor({{0, 1, 2}, {200, 7, 255}}, dtype)
    for _, y in ipairs{numbers(x)} do bits.assert_same(y, x:real()) end
  end
  raises("to i32 while recording", bnn.compile(function(x) return x:to "i32" end), bnn.ones(2))
  local compared = bnn.compile(function(labels)
    return labels:real():eq(2), labels:real():view(3, 1):eq{0, 1, 2}
  end)
  local twos, one_hot = compared(bnn.tensor({2, 0, 1}, "i32"))
  lu.assertEquals(twos:totable(), {1, 0, 0})
  bits.assert_same(one_hot, bnn.data.one_hot({2, 0, 1}, 3))
end

function TestCompile.test_uint8_images_are_divided_by_255()
  local net = bnn.nn.linear(2)
  local image = bnn.tensor({{0, 51, 255}, {1, 2, 3}}, "u8")
  local f = bnn.compile(function(p, x) return net:apply(p, x) end)
  local params = net:init(key, image)
  bits.assert_same(f(params, image), net:apply(params, image))
end

TestLeaks = {}

function TestLeaks.test_errors_leave_nothing_behind()
  local x = bnn.ones(100)
  local functions = {
    bnn.grad(function(a) return a * 2 end),
    bnn.grad(function(a) error("inside " .. tostring(a * 2)) end),
    bnn.compile(function(a) return a:item() end),
    bnn.compile(function(a) return bnn.grad(function(b) error(tostring(b + 1)) end)(a) end),
    bnn.compile(function(a) return bnn.compile(function(b) error(tostring(b + 1)) end)(a) end),
  }
  for _, f in ipairs(functions) do lu.assertFalse((pcall(f, x))) end
  local before = live()
  for _ = 1, 20 do
    for _, f in ipairs(functions) do lu.assertFalse((pcall(f, x))) end
  end
  lu.assertEquals(live(), before)
end

function TestLeaks.test_a_failed_recording_is_dropped_at_once()
  local kept
  local function fails(a)
    kept = a * 2
    error "after that"
  end
  for _, wrap in ipairs{bnn.grad, bnn.value_and_grad, bnn.compile} do
    raises("after that", wrap(fails), bnn.ones(3))
    raises("ended", function() return kept + 1 end)
  end
end

function TestLeaks.test_gradients_and_compiled_functions_die()
  local x = bnn.ones(100)
  local before = live()
  for i = 1, 10 do
    bnn.grad(function(a) return (a * i):sum() end)(x)
    bnn.compile(function(a) return (a * i):sum() end)(x)
  end
  lu.assertEquals(live(), before)
end

os.exit(lu.LuaUnit.run())
