--- Keys: deriving, drawing, refusing; the same key gives the same numbers whatever ran before.
local lu = require "luaunit"
local core = require "bnn.core"

local function raises(text, f, ...) lu.assertErrorMsgContains(text, f, ...) end

TestKeys = {}

function TestKeys.test_equal_seeds_give_equal_keys()
  lu.assertTrue(core.key(42) == core.key(42))
  lu.assertFalse(core.key(42) == core.key(43))
  lu.assertFalse(core.key(1) == 1)
  lu.assertTrue(core.key(3.0) == core.key(3))
  for _, seed in ipairs{0, -1, math.maxinteger, math.mininteger} do
    lu.assertEquals(math.type(core.key(seed):bits()), "integer")
  end
  raises("no integer representation", core.key, 0.5)
  raises("no integer representation", core.key, 2 ^ 63)
  raises("number expected", core.key, {})
  raises("number expected", core.key)
end

function TestKeys.test_folds_by_number_and_by_name_differ()
  local key = core.key(1)
  lu.assertTrue(key:fold(3) == key:fold(3.0))
  lu.assertTrue(key:fold "eps" == key:fold("eps"))
  lu.assertFalse(key:fold(1) == key:fold "1")
  lu.assertFalse(key:fold(1):fold(2) == key:fold(2):fold(1))
  lu.assertFalse(key:fold "" == key)
  lu.assertFalse(key:fold "a\0b" == key:fold "a")
  lu.assertTrue(key:fold(-1) ~= key:fold(1))
  raises("expected an integer or a string, got 3.5", key.fold, key, 3.5)
  raises("expected an integer", key.fold, key, 0 / 0)
  raises("expected an integer", key.fold, key, 2 ^ 63)
  raises("expected integer or string", key.fold, key)
  raises("expected integer or string", key.fold, key, {})
  raises("bnn.key expected", key.fold, 1, 1)
end

function TestKeys.test_split_keys_are_distinct()
  local key, seen = core.key(7), {}
  local keys = key:split(100)
  lu.assertEquals(#keys, 100)
  keys[#keys + 1] = key
  for i = 1, 100 do keys[#keys + 1] = key:fold(i) end
  for _, k in ipairs(keys) do
    lu.assertNil(seen[k:bits()])
    seen[k:bits()] = true
  end
  lu.assertTrue(key:split(2)[2] == key:split(100)[2])
  for _, n in ipairs{0, -1, math.mininteger} do
    raises("at least 1, got " .. n, key.split, key, n)
  end
  raises("at most", key.split, key, math.maxinteger)
end

function TestKeys.test_a_draw_depends_on_nothing_but_its_key()
  local first = core.randn(core.key(1), 100):totable()
  core.rand(core.key(2), 1000)
  math.random()
  lu.assertEquals(core.randn(core.key(1), 100):totable(), first)
  lu.assertEquals(core.randn(core.key(1), {10, 10}):view(100):totable(), first)
  lu.assertEquals(core.randn(core.key(1), 50):totable(), table.move(first, 1, 50, 1, {}))
end

function TestKeys.test_draws_have_their_moments()
  -- 4 sigma / sqrt(n) with n = 10^5: 0.0127 for unit variance
  local n, key = 100000, core.key(5)
  local rows = {
    {core.rand(key:fold(1), n), 0.5, 1 / 12}, {core.randn(key:fold(2), n), 0, 1},
    {core.truncated(key:fold(3), n), 0, 0.7737}, {core.rademacher(key:fold(4), n), 0, 1},
  }
  for i, row in ipairs(rows) do
    lu.assertAlmostEquals(row[1]:mean():item(), row[2], 0.0127, i)
    lu.assertAlmostEquals(row[1]:var():item(), row[3], 0.02, i)
  end
  lu.assertTrue(rows[1][1]:max():item() < 1)
  lu.assertTrue(rows[3][1]:abs():max():item() <= 2)
  lu.assertEquals(rows[4][1]:abs():min():item(), 1)
end

function TestKeys.test_a_permutation_has_every_position_once()
  local p = core.permutation(core.key(1), 1000)
  lu.assertEquals(p:dtype(), "i32")
  local list = p:totable()
  table.sort(list)
  for i = 1, 1000 do lu.assertEquals(list[i], i) end
  lu.assertEquals(core.permutation(core.key(1), 0):shape(), {0})
  raises("n: expected at least 0, got -1", core.permutation, core.key(1), -1)
  raises("at most 2147483647", core.permutation, core.key(1), 1 << 31)
  raises("bnn.key expected", core.permutation, 1, 5)
end

function TestKeys.test_bits_are_u64()
  local x = core.bits(core.key(1), 3)
  lu.assertEquals(x:dtype(), "u64")
  lu.assertEquals(core.bits(core.key(1), 3):totable(), x:totable())
  lu.assertEquals(math.type(x[1]), "integer")
  raises("n: expected at least 0, got -1", core.bits, core.key(1), -1)
end

function TestKeys.test_draws_refuse_what_is_no_key_or_shape()
  for _, draw in ipairs{core.rand, core.randn, core.truncated, core.rademacher} do
    raises("bnn.key expected", draw, 1, 3)
    raises("expected integers or a list of them", draw, core.key(1))
    raises("dim 1: expected at least 0, got -1", draw, core.key(1), -1)
  end
end

function TestKeys.test_a_key_prints_its_bits()
  lu.assertStrMatches(tostring(core.key(1)), "key %x+")
  lu.assertEquals(#tostring(core.key(1)), 20)
end

os.exit(lu.LuaUnit.run(), true)
