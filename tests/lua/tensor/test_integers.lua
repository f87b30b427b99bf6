--- Integer tensors: exact arithmetic that wraps, 64-bit sums, comparisons of any two types.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local TYPES = {"u8", "i32", "i64", "u64"}
local LOWEST = {u8 = 0, i32 = -2 ^ 31 | 0, i64 = math.mininteger, u64 = 0}
local HIGHEST = {u8 = 255, i32 = 2 ^ 31 - 1 | 0, i64 = math.maxinteger, u64 = math.maxinteger}
local SIGNED = {i32 = true, i64 = true}

-- n mod 2^bits, as an element of the type reads.
local function wrapped(n, dtype)
  if dtype == "u8" then return n & 0xff end
  if dtype == "i32" then return (n & 0xffffffff ~ 0x80000000) - 0x80000000 end
  return n
end

TestArithmetic = {}

function TestArithmetic.test_it_is_exact_and_wraps_around()
  for _, dtype in ipairs(TYPES) do
    local list = {LOWEST[dtype], HIGHEST[dtype], 0, 1, 2, 100}
    local x = bnn.tensor(list, dtype)
    for _, c in ipairs{
      {x + 1, function(v) return v + 1 end}, {1 - x, function(v) return 1 - v end},
      {x - 3, function(v) return v - 3 end}, {x * 7, function(v) return v * 7 end},
      {x * x, function(v) return v * v end}, {-x, function(v) return -v end},
      {x:square(), function(v) return v * v end},
      {x + {1, 2, 3, 4, 5, 6}, function(v, i) return v + i end},
      {x:maximum(2), function(v) return math.max(v, 2) end},
      {x:minimum(2.0), function(v) return math.min(v, 2) end},
      {x:abs(), function(v) return v < 0 and SIGNED[dtype] and -v or v end},
      {x:sign(), function(v) return v == 0 and 0 or (v < 0 and -1 or 1) end},
    } do
      lu.assertEquals(c[1]:dtype(), dtype)
      for i, got in ipairs(c[1]:totable()) do
        lu.assertEquals(got, wrapped(c[2](list[i], i), dtype), dtype .. " " .. i)
      end
    end
  end
end

-- Lua's own numbers are i64; those of the other types are smaller here.
function TestArithmetic.test_quotients_are_lua_s()
  for _, dtype in ipairs(TYPES) do
    local list = {LOWEST[dtype], HIGHEST[dtype], 0, 1, 100, 7, SIGNED[dtype] and -7 or 9}
    local x = bnn.tensor(list, dtype)
    for _, by in ipairs{1, 3, 8, SIGNED[dtype] and -1 or 2, SIGNED[dtype] and -3 or 5} do
      local quotient, rest = (x // by):totable(), (x % by):totable()
      local cut = x:fmod(by):totable()
      for i, v in ipairs(list) do
        lu.assertEquals(quotient[i], wrapped(v // by, dtype), dtype)
        lu.assertEquals(rest[i], v % by, dtype)
        lu.assertEquals(cut[i], math.fmod(v, by), dtype)
      end
      lu.assertEquals((x // by):dtype(), dtype)
    end
  end
  lu.assertEquals((7 // bnn.tensor({2}, "i32")):totable(), {3})
  lu.assertEquals((-7 % bnn.tensor({2}, "i32")):totable(), {1})
end

function TestArithmetic.test_nothing_is_divided_by_0()
  local x = bnn.tensor({1, 2}, "i32")
  raises("b: element 2 is 0: integers cannot be divided by it", function()
    return x // bnn.tensor({1, 0}, "i32")
  end)
  raises("b: element 1 is 0", function() return x % 0 end)
  raises("b: element 1 is 0", function() return x:fmod(0) end)
end

function TestArithmetic.test_whole_numbers_stay_whole()
  for _, dtype in ipairs(TYPES) do
    local x = bnn.tensor({LOWEST[dtype], HIGHEST[dtype], 5}, dtype)
    for _, name in ipairs{"floor", "ceil", "round", "trunc"} do
      local y = x[name](x)
      lu.assertEquals({y:dtype(), y:totable()}, {dtype, x:totable()}, name)
    end
    lu.assertEquals(x:isnan():totable(), {0, 0, 0})
    lu.assertEquals(x:isinf():totable(), {0, 0, 0})
    lu.assertEquals(x:isfinite():totable(), {1, 1, 1})
  end
end

function TestArithmetic.test_a_product_has_64_bits()
  local x = bnn.tensor({{2 ^ 20, 2 ^ 20}, {3, 5}}, "i32")
  lu.assertEquals({x:prod(2):dtype(), x:prod(2):totable()}, {"i64", {1 << 40, 15}})
  lu.assertEquals(bnn.tensor({1 << 40, 1 << 40}, "i64"):prod():item(), 0)
end

TestLogic = {}

function TestLogic.test_what_is_not_0_is_true()
  for _, dtype in ipairs{"u8", "i32", "i64", "u64"} do
    local x, y = bnn.tensor({0, 0, 1, 200}, dtype), bnn.tensor{0, 0.5, 0, -1}
    lu.assertEquals(x:logical_and(y):totable(), {0, 0, 0, 1})
    lu.assertEquals(x:logical_or(y):totable(), {0, 1, 1, 1})
    lu.assertEquals(x:logical_xor(y):totable(), {0, 1, 1, 0})
    lu.assertEquals(x:logical_not():totable(), {1, 1, 0, 0})
    lu.assertEquals(x:view(2, 2):any(2):totable(), {0, 1})
    lu.assertEquals(x:view(2, 2):all(2):totable(), {0, 1})
  end
  lu.assertEquals(bnn.tensor({2 ^ 63}, "u64"):logical_not():item(), 0)
end

function TestArithmetic.test_it_broadcasts()
  local column, row = bnn.tensor({{1}, {2}}, "i64"), bnn.tensor({10, 20, 30}, "i64")
  lu.assertEquals((column + row):totable(), {{11, 21, 31}, {12, 22, 32}})
  lu.assertEquals((column * row):sum(1):totable(), {30, 60, 90})
end

function TestArithmetic.test_a_number_that_the_type_lacks_is_refused()
  local x = bnn.tensor({1, 2}, "u8")
  for _, bad in ipairs{0.5, 256, -1, 1 / 0} do
    raises({"beside a tensor of type u8", ":real() converts"}, function() return x + bad end)
    raises("beside a tensor of type u8", function() return bad * x end)
  end
  raises("i64 cannot hold", function() return bnn.tensor({1, 2}, "i64") + {1, 2.5} end)
  raises("beside a tensor of type u64", function() return bnn.tensor({1}, "u64") - 2.0 ^ 64 end)
  lu.assertEquals((bnn.tensor({0}, "u64") + 2.0 ^ 63):item(), math.mininteger)
  lu.assertEquals((bnn.tensor({5}, "u64") + -2):item(), 3)
end

function TestArithmetic.test_what_is_no_arithmetic_of_integers_names_the_conversion()
  local x = bnn.tensor({1, 2}, "i32")
  for _, f in ipairs{
    function() return x / 2 end, function() return x ^ 2 end, function() return x:mean() end,
    function() return x:exp() end, function() return x:softmax() end, function() return x:std() end,
    function() return x + bnn.ones(2) end, function() return bnn.ones(2):maximum(x) end,
    function() return bnn.where(bnn.ones(2), x, bnn.ones(2)) end,
    function() return bnn.where(x, bnn.ones(2), 0) end,
    function() return x:reshape(1, 2):mm(bnn.ones(2, 1)) end,
  } do
    raises({": expected " .. bnn.ones(1):dtype() .. ", got i32", ":real() converts"}, f)
  end
  raises('b: expected i32, as a is, got i64: :to("i32") converts', function()
    return x + x:to "i64"
  end)
  raises("b: expected i32, as a is, got i64", bnn.where, bnn.ones(2), x, x:to "i64")
  raises("got bnn.key", bnn.ops.add, bnn.key(1), 1)
  raises("got bnn.key", bnn.ops.eq, 1, bnn.key(1))
end

function TestArithmetic.test_clamp_takes_whole_bounds()
  for _, dtype in ipairs(TYPES) do
    local x = bnn.tensor({0, 1, 5, 9, 200}, dtype)
    lu.assertEquals(x:clamp(1, 9):totable(), {1, 1, 5, 9, 9})
    lu.assertEquals(x:clamp(-1e15, 1 / 0):totable(), {0, 1, 5, 9, 200})
    raises("lo: expected a whole number", x.clamp, x, 0.5, 3)
  end
  local ends = bnn.tensor({math.mininteger, math.maxinteger}, "i64")
  lu.assertEquals(ends:clamp(-1 / 0, 1 / 0):totable(), {math.mininteger, math.maxinteger})
end

function TestArithmetic.test_where_picks_integers()
  for _, dtype in ipairs(TYPES) do
    local x = bnn.tensor({1, 7, 3}, dtype)
    local y = bnn.where(x:gt(2), x, 0)
    lu.assertEquals(y:dtype(), dtype)
    lu.assertEquals(y:totable(), {0, 7, 3})
    lu.assertEquals(bnn.where(x:eq(7), 1, x):totable(), {1, 1, 3})
  end
end

TestReductions = {}

function TestReductions.test_sums_have_64_bits()
  local x = bnn.tensor({0x7fffffff}, "i32"):broadcast_to(3, 5)
  lu.assertEquals(x:sum():item(), 15 * (2 ^ 31 - 1 | 0))
  lu.assertEquals(x:sum(1):dtype(), "i64")
  lu.assertEquals(x:sum(2, true):totable(), {{5 * 0x7fffffff}, {5 * 0x7fffffff}, {5 * 0x7fffffff}})
  lu.assertEquals(bnn.full({1000}, 255):to "u8":sum():item(), 255000)
  lu.assertEquals(bnn.tensor({2 ^ 53 | 0, 1}, "i64"):sum():item(), (2 ^ 53 | 0) + 1)
  lu.assertEquals(bnn.tensor({math.maxinteger, 1}, "i64"):sum():item(), math.mininteger)
  local u = bnn.tensor({2 ^ 63, 1}, "u64"):sum()
  lu.assertEquals(u:dtype(), "u64")
  lu.assertEquals(u:item(), math.mininteger + 1)
  lu.assertEquals(bnn.zeros({0, 2}, "i32"):sum(1):totable(), {0, 0})
end

function TestReductions.test_extremes_and_their_places()
  local near = {2 ^ 53 | 0, (2 ^ 53 | 0) + 1, 3} -- the same two as doubles
  local x = bnn.tensor({near, {5, -5, 5}}, "i64")
  lu.assertEquals(x:max(2):totable(), {(2 ^ 53 | 0) + 1, 5})
  lu.assertEquals(x:min():item(), -5)
  lu.assertEquals(x:min(1):totable(), {5, -5, 3})
  lu.assertEquals(x:argmax(2):totable(), {2, 1})
  lu.assertEquals(x:argmin(1):totable(), {2, 2, 1})
  lu.assertEquals(x:argmax():item(), 2)
  local u = bnn.tensor({1, 2 ^ 63, 2}, "u64")
  lu.assertEquals(u:argmax():item(), 2)
  lu.assertEquals(u:max():item(), math.mininteger)
  lu.assertEquals(bnn.tensor({3, 200}, "u8"):max():dtype(), "u8")
  raises("nothing to choose from", function() return bnn.zeros({0}, "i32"):max() end)
end

TestComparisons = {}

local OPERATORS = {
  eq = function(a, b) return a == b end, ne = function(a, b) return a ~= b end,
  lt = function(a, b) return a < b end, le = function(a, b) return a <= b end,
  gt = function(a, b) return a > b end, ge = function(a, b) return a >= b end,
}

-- Lua compares its integers and floats by value, which is the reference here; a u64 is a float
-- beyond 2^63.
local VALUES = {
  u8 = {0, 1, 2, 255}, i32 = {-2 ^ 31 | 0, -1, 0, 1, 16777217, 2 ^ 31 - 1 | 0},
  i64 = {math.mininteger, -1, 0, 1, 2, (2 ^ 53 | 0) + 1, math.maxinteger},
  u64 = {0, 1, (2 ^ 53 | 0) + 1, math.maxinteger, 2.0 ^ 63, 2.0 ^ 64 - 2048},
  f32 = {-1 / 0, -1.5, 0, 1, 16777216, 2.0 ^ 63, 2.0 ^ 64, 1 / 0, 0 / 0},
  f64 = {-2.0 ^ 63, -0.5, 0, 1, 1.5, 2.0 ^ 53, 2.0 ^ 63, 2.0 ^ 64, 1 / 0, 0 / 0},
}

function TestComparisons.test_any_two_types_compare_by_value()
  for ta, list_a in pairs(VALUES) do
    for tb, list_b in pairs(VALUES) do
      local a, b = bnn.tensor(list_a, ta):view(-1, 1), bnn.tensor(list_b, tb)
      for name, holds in pairs(OPERATORS) do
        local got = a[name](a, b)
        lu.assertEquals(got:dtype(), bnn.ones(1):dtype())
        for i, row in ipairs(got:totable()) do
          for j, value in ipairs(row) do
            lu.assertEquals(value, holds(list_a[i], list_b[j]) and 1 or 0, ("%s(%s %s, %s %s)")
              :format(name, ta, list_a[i], tb, list_b[j]))
          end
        end
      end
    end
  end
end

function TestComparisons.test_numbers_compare_by_value_whether_the_type_has_them_or_not()
  for _, dtype in ipairs(TYPES) do
    local list = dtype == "u64" and {0, 1, math.maxinteger} or {LOWEST[dtype], 1, HIGHEST[dtype]}
    local x = bnn.tensor(list, dtype)
    for _, number in ipairs{0, 1, 1.5, -1, 256, 2 ^ 31, 1e300, -1e300, 1 / 0, math.maxinteger,
                            math.mininteger, 0 / 0} do
      for name, holds in pairs(OPERATORS) do
        for i, value in ipairs(x[name](x, number):totable()) do
          lu.assertEquals(value, holds(list[i], number) and 1 or 0,
            ("%s(%s %s, %s)"):format(name, dtype, list[i], number))
        end
        local swapped = bnn.ops[name](number, x):totable()
        for i, value in ipairs(swapped) do
          lu.assertEquals(value, holds(number, list[i]) and 1 or 0)
        end
      end
    end
  end
end

function TestComparisons.test_an_accuracy_is_a_line()
  local y = bnn.tensor({0, 2, 1, 1}, "i32")
  local logits = bnn.tensor{{3, 1, 0}, {0, 1, 2}, {5, 1, 0}, {0, 1, 0}}
  lu.assertEquals((logits:argmax(2) - 1):eq(y):mean():item(), 0.75)
  lu.assertEquals((logits:argmax(2) - 1):eq(y):real():mean():item(), 0.75)
  lu.assertEquals(y:eq(1):sum():item(), 2)
end

TestRecorded = {}

function TestRecorded.test_programs_give_what_eager_calls_give()
  local function f(x, z)
    return x + 1, 9 - x, x * z, x:sum(1), x:max(2), x:argmax(2), x:eq(z), x:lt(2.5):mean(),
      bnn.where(x:gt(1), x, 0), x:clamp(1, 2), -x, x:real() / 2
  end
  for _, dtype in ipairs(TYPES) do
    local x = bnn.tensor({{1, 2, 3}, {3, 2, 0}}, dtype)
    local z = bnn.tensor({1, 2, 0}, dtype)
    local eager, recorded = table.pack(f(x, z)), table.pack(bnn.compile(f)(x, z))
    for i = 1, eager.n do
      lu.assertEquals(recorded[i]:dtype(), eager[i]:dtype())
      lu.assertEquals(recorded[i]:totable(), eager[i]:totable(), dtype .. ", result " .. i)
    end
  end
end

function TestRecorded.test_gradients_pass_beside_integers()
  local x = bnn.tensor({0, 1, 2, 1}, "i32")
  local function f(w) return (w:index(x + 1) * x:real() * x:eq(1)):sum() end
  local g = bnn.grad(f)(bnn.ones(3))
  lu.assertEquals(g:totable(), {0, 2, 0})
  local h = bnn.grad(function(w) return bnn.where(x:gt(0), w, 0):sum() end)(bnn.ones(4))
  lu.assertEquals(h:totable(), {0, 1, 1, 1})
end

os.exit(lu.LuaUnit.run())
