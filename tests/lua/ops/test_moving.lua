--- sort, topk, flip, roll, pad, triu, tril: values, types, gradients, refusals.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(1)

-- The gradient of sum(weights * f(x)) at x.
local function slope(f, x, weights)
  return bnn.grad(function(v) return (f(v) * weights):sum() end)(x):totable()
end

TestOrder = {}

function TestOrder.test_values_and_positions()
  local values, positions = bnn.sort{{3, 1, 2}, {5, 5, 4}}
  lu.assertEquals(values:totable(), {{1, 2, 3}, {4, 5, 5}})
  lu.assertEquals(positions:totable(), {{2, 3, 1}, {3, 1, 2}})
  lu.assertEquals(positions:dtype(), "i64")
  values = bnn.sort({{3, 1, 2}, {5, 5, 4}}, 1, true)
  lu.assertEquals(values:totable(), {{5, 5, 4}, {3, 1, 2}})
end

-- Against Lua's own sort, long enough for every way of the op.
function TestOrder.test_long_ones()
  for _, n in ipairs{1, 2, 15, 16, 17, 100, 1000, 4097} do
    for _, x in ipairs{
      bnn.randn(key:fold(n), n), (bnn.rand(key:fold(n), n) * 7):floor(), bnn.zeros(n),
      bnn.arange(1, n):real(), -bnn.arange(1, n):real(),
    } do
      local want, positions = x:totable(), x:argsort():totable()
      local list = x:totable()
      table.sort(want)
      for i = 1, n do
        lu.assertEquals(list[positions[i]], want[i])
        local is_stable = i == 1 or want[i] ~= want[i - 1] or positions[i] > positions[i - 1]
        lu.assertTrue(is_stable)
      end
      local down = x:argsort(1, true):totable()
      for i = 1, n do lu.assertEquals(list[down[i]], want[n + 1 - i]) end
    end
  end
end

function TestOrder.test_nan_is_the_largest()
  local nan = 0 / 0
  lu.assertEquals(bnn.tensor{nan, 1, 1 / 0, nan}:argsort():totable(), {2, 3, 1, 4})
  lu.assertEquals(bnn.tensor{nan, 1, 1 / 0, nan}:argsort(1, true):totable(), {1, 4, 3, 2})
end

function TestOrder.test_integers_of_all_types()
  for _, dtype in ipairs{"u8", "i32", "i64", "u64"} do
    local values, positions = bnn.tensor({7, 200, 0, 7}, dtype):sort()
    lu.assertEquals({values:dtype(), values:totable()}, {dtype, {0, 7, 7, 200}})
    lu.assertEquals(positions:totable(), {3, 1, 4, 2})
  end
  lu.assertEquals(bnn.tensor({2 ^ 63, 1}, "u64"):argsort():totable(), {2, 1})
  lu.assertEquals(bnn.tensor({-1, -5}, "i64"):argsort():totable(), {2, 1})
end

function TestOrder.test_the_largest_and_the_smallest()
  local x = bnn.tensor{{3, 9, 2, 7}, {1, 0, 8, 4}}
  local values, positions = x:topk(2)
  lu.assertEquals({values:totable(), positions:totable()}, {{{9, 7}, {8, 4}}, {{2, 4}, {3, 4}}})
  lu.assertEquals(x:topk(1, 1, false):totable(), {{1, 0, 2, 4}})
  lu.assertEquals(x:topk(0):shape(), {2, 0})
  raises("bnn.topk: k: expected at most 4, the size of axis 2, got 5", function() x:topk(5) end)
  raises("axis: expected 1 to 2 or -2 to -1, got 3", function() x:topk(1, 3) end)
  raises("bnn.sort: x: expected a tensor or a list of numbers, got nil", function() bnn.sort() end)
end

function TestOrder.test_gradients_go_to_the_elements_that_values_are()
  local x = bnn.tensor{3, 1, 2}
  lu.assertEquals(slope(function(v) return (bnn.sort(v)) end, x, bnn.tensor{10, 20, 30}),
    {30, 10, 20})
  lu.assertEquals(slope(function(v) return (v:topk(1)) end, x, bnn.tensor{5}), {5, 0, 0})
end

TestRunning = {}

function TestRunning.test_sums_and_products_along_any_axis()
  local x = bnn.tensor{{1, 2, 3}, {4, 0, 6}}
  lu.assertEquals(x:cumsum():totable(), {{1, 3, 6}, {4, 4, 10}})
  lu.assertEquals(x:cumsum(1):totable(), {{1, 2, 3}, {5, 2, 9}})
  lu.assertEquals(x:cumprod():totable(), {{1, 2, 6}, {4, 0, 0}})
  lu.assertEquals(x:to("i32"):cumprod(1):dtype(), "i64")
  lu.assertEquals(x:to("u8"):cumsum(1):totable(), {{1, 2, 3}, {5, 2, 9}})
  lu.assertEquals(bnn.zeros(2, 0):cumsum():shape(), {2, 0})
end

-- A float counts one by one up to 2^24 only.
function TestRunning.test_a_long_sum_keeps_its_digits()
  local y = bnn.full({300000}, 0.1):cumsum()
  local tenth = bnn.full({1}, 0.1):item()
  lu.assertAlmostEquals(y[300000] / (300000 * tenth), 1, 1e-7)
end

-- Of a product with a zero only what stands at the zero or before it has a gradient.
function TestRunning.test_gradients_with_zeros()
  local alone = slope(function(v) return v:cumprod() end, bnn.tensor{0 / 0}, bnn.tensor{3})
  lu.assertEquals(alone, {3})
  local g = slope(function(v) return v:cumprod() end, bnn.tensor{2, 0, 3, 0, 5}, bnn.ones(5))
  lu.assertEquals(g, {1, 2 + 6, 0, 0, 0})
  g = slope(function(v) return v:cumsum() end, bnn.tensor{1, 2, 3}, bnn.tensor{1, 10, 100})
  lu.assertEquals(g, {111, 110, 100})
end

TestMoving = {}

function TestMoving.test_flip_and_roll()
  local x = bnn.tensor({{1, 2, 3}, {4, 5, 6}}, "i32")
  lu.assertEquals(x:flip():totable(), {{3, 2, 1}, {6, 5, 4}})
  lu.assertEquals(x:flip(1):totable(), {{4, 5, 6}, {1, 2, 3}})
  lu.assertEquals(x:roll(1):totable(), {{3, 1, 2}, {6, 4, 5}})
  lu.assertEquals(x:roll(-4):totable(), {{2, 3, 1}, {5, 6, 4}})
  lu.assertEquals(x:roll(3):totable(), x:totable())
  lu.assertEquals(bnn.zeros(2, 0):roll(1):shape(), {2, 0})
  lu.assertEquals(x:flip():dtype(), "i32")
end

function TestMoving.test_pad()
  local x = bnn.tensor({{1, 2}}, "i32")
  lu.assertEquals(x:pad({1, {0, 2}}, 7):totable(),
    {{7, 7, 7, 7}, {1, 2, 7, 7}, {7, 7, 7, 7}})
  lu.assertEquals(x:pad{0, 0}:totable(), {{1, 2}})
  lu.assertEquals(x:pad({1, 1}):dtype(), "i32")
  raises("expected 2 entries, one for each axis, got 1", function() x:pad{1} end)
  raises("a number of 0 or more or {before, after}, got -1", function() x:pad{1, -1} end)
  raises("got {1, 2, 3}", function() x:pad{1, {1, 2, 3}} end)
end

function TestMoving.test_triangles()
  local x = bnn.tensor({{1, 2, 3}, {4, 5, 6}}, "i64")
  lu.assertEquals(x:triu():totable(), {{1, 2, 3}, {0, 5, 6}})
  lu.assertEquals(x:tril():totable(), {{1, 0, 0}, {4, 5, 0}})
  lu.assertEquals(x:triu(1):totable(), {{0, 2, 3}, {0, 0, 6}})
  lu.assertEquals(x:tril(-1):totable(), {{0, 0, 0}, {4, 0, 0}})
  local stack = bnn.ones(2, 2, 2):tril()
  lu.assertEquals(stack:totable(), {{{1, 0}, {1, 1}}, {{1, 0}, {1, 1}}})
  -- what is left out is 0, whatever it was
  lu.assertEquals(bnn.tensor{{1, 0 / 0}, {2, 3}}:tril():totable(), {{1, 0}, {2, 3}})
  raises("expected a matrix or a stack of them, got 1 axes", function() bnn.triu{1, 2} end)
end

function TestMoving.test_gradients_move_back()
  local x, w = bnn.tensor{1, 2, 3}, bnn.tensor{10, 20, 30}
  lu.assertEquals(slope(function(v) return v:flip() end, x, w), {30, 20, 10})
  lu.assertEquals(slope(function(v) return v:roll(1) end, x, w), {20, 30, 10})
  lu.assertEquals(slope(function(v) return v:pad{{1, 0}} end, x, bnn.tensor{1, 2, 3, 4}), {2, 3, 4})
end

-- A network made of them is replayed in blocks of rows and gives what each row alone does.
function TestMoving.test_they_are_recorded()
  local f = bnn.compile(function(v)
    local sorted = bnn.sort(v, 2, true)
    return sorted:roll(1, 2):flip(2):cumsum(2)
  end)
  local x = bnn.randn(key, 300, 5)
  bits.assert_same(f(x), bnn.sort(x, 2, true):roll(1, 2):flip(2):cumsum(2))
end

os.exit(lu.LuaUnit.run())
