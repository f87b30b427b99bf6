--- Toy data (bnn.data.cubic).
local lu = require "luaunit"
local bnn = require "bnn"

local cubic = bnn.data.cubic
local key = bnn.key(7)

local function raises(text, f, ...) lu.assertErrorMsgContains(text, f, ...) end

local function mean(x) return x:mean():item() end
local function deviation(x) return ((x - mean(x)) ^ 2):mean():sqrt():item() end
local function cube(x) return x * x * x end

TestCubic = {}

function TestCubic.test_parts_are_what_a_network_takes()
  local data = cubic{key = key}
  lu.assertEquals({data.train.x:shape(), data.train.y:shape()}, {{100, 1}, {100, 1}})
  lu.assertEquals({data.test.x:shape(), data.test.size}, {{1000, 1}, 1000})
  lu.assertEquals(data.train.x:dtype(), bnn.zeros(1):dtype())
  lu.assertEquals({data.name, data.scale}, {"cubic"})
  local batch = data.train:batches{size = 10, key = key}()
  lu.assertEquals({batch.x:shape(), batch.y:shape()}, {{10, 1}, {10, 1}})
end

function TestCubic.test_x_is_uniform_and_y_a_cube_and_noise()
  local n = 40000
  local train = cubic{key = key, n = n, noise = 2, range = {-1, 3}}.train
  lu.assertTrue(train.x:min():item() >= -1 and train.x:max():item() < 3)
  -- 4 sigma / sqrt n; a uniform's deviation is its width / sqrt 12, and its square's relative
  -- error sqrt(0.8 / n) (kurtosis 1.8), a normal's sqrt(2 / n)
  lu.assertAlmostEquals(mean(train.x), 1, 4 * 4 / 12 ^ 0.5 / n ^ 0.5)
  lu.assertAlmostEquals(deviation(train.x), 4 / 12 ^ 0.5, 4 / 12 ^ 0.5 * 2 * (0.8 / n) ^ 0.5)
  local noise = train.y - cube(train.x)
  lu.assertAlmostEquals(mean(noise), 0, 4 * 2 / n ^ 0.5)
  lu.assertAlmostEquals(deviation(noise), 2, 2 * 2 * (2 / n) ^ 0.5)
  lu.assertAlmostEquals(mean(noise * train.x), 0, 4 * 2 * 1.53 / n ^ 0.5) -- E x^2 = 7/3
  local exact = cubic{key = key, noise = 0}.test
  lu.assertEquals(exact.y:totable(), cube(exact.x):totable())
end

function TestCubic.test_it_is_a_function_of_the_key()
  local function numbers(part) return {part.x:totable(), part.y:totable()} end
  local a = cubic{key = key}
  bnn.randn(key, 1000)
  lu.assertEquals(numbers(cubic{key = key}.train), numbers(a.train))
  lu.assertEquals(numbers(cubic{key = key, n = 5}.test), numbers(a.test))
  lu.assertEquals(numbers(cubic{key = key, test = 5}.train), numbers(a.train))
  lu.assertNotEquals(numbers(cubic{key = key:fold(1)}.train), numbers(a.train))
  lu.assertNotEquals(a.test.x:narrow(1, 1, 100):totable(), a.train.x:totable())
end

function TestCubic.test_standardised_by_the_training_part()
  local plain, data = cubic{key = key}, cubic{key = key, standardise = true}
  for _, name in ipairs{"x", "y"} do
    lu.assertAlmostEquals(mean(data.train[name]), 0, 1e-5)
    lu.assertAlmostEquals(deviation(data.train[name]), 1, 1e-5)
    local scale = data.scale[name]
    lu.assertEquals({scale.mean:shape(), scale.std:shape()}, {{1}, {1}})
    for _, part in ipairs{"train", "test"} do
      local miss = data[part][name] * scale.std + scale.mean - plain[part][name]
      lu.assertTrue(miss:abs():max():item() < 1e-4)
    end
  end
end

function TestCubic.test_misuse_raises()
  raises("key: expected", cubic)
  raises("key: expected", cubic, {n = 3})
  raises("n: expected at least 1", cubic, {key = key, n = 0})
  raises("noise: expected", cubic, {key = key, noise = -1})
  raises("range: expected {from, to} with from < to, got {4, -4}",
    cubic, {key = key, range = {4, -4}})
  raises("from < to, got {4}", cubic, {key = key, range = {4}})
  raises("unknown option 'nois': did you mean 'noise'?", cubic, {key = key, nois = 1})
end

os.exit(lu.LuaUnit.run())
