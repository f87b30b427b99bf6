--- The same bits by a method of each kind: on one thread and on two, and resumed from a checkpoint.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local methods = require "trained_methods"

local STEPS, HALF = 20, 11

local function on_threads(n, f, ...)
  local before = bnn.threads()
  bnn.threads(n)
  local result = f(...)
  bnn.threads(before)
  return result
end

-- The buffers and the predictions of two posteriors.
local function assert_same(name, one, other, why)
  lu.assertEquals(tostring(one), tostring(other))
  local theirs = other:buffers()
  for i, buffer in ipairs(one:buffers()) do
    bits.assert_same(buffer.params, theirs[i].params, name .. why .. buffer.name)
  end
  local p, want = methods.predict(name, one), methods.predict(name, other)
  for _, field in ipairs{"mean", "std", "mutual_information"} do
    bits.assert_same(p[field], want[field], name .. why .. field)
  end
end

-- Trains to step 11, and resumes from the checkpoint of that step.
local function in_two_parts(name)
  local path = os.tmpname()
  os.remove(path)
  methods.train(name, HALF, {path = path, every = 5})
  local q
  bits.notices_of(function()
    q = methods.train(name, STEPS, {path = path, every = 5, resume = true})
  end)
  os.execute("rm -r " .. path)
  return q
end

TestMethods = {}

for _, name in ipairs(methods.names) do
  TestMethods["test_" .. name] = function()
    local one = on_threads(1, methods.train, name, STEPS)
    assert_same(name, on_threads(2, methods.train, name, STEPS), one, ", two threads: ")
    assert_same(name, on_threads(2, in_two_parts, name), one, ", resumed: ")
    local p = methods.predict(name, one)
    local is_point = one.family == "point"
    lu.assertEquals(p.mutual_information:max():item() > 0, not is_point, name)
  end
end

-- What would make the tests above say nothing.
function TestMethods.test_more_steps_are_other_bits()
  for _, name in ipairs(methods.names) do
    local one, more = methods.train(name, STEPS - 9), methods.train(name, STEPS)
    bits.assert_differ(methods.predict(name, one).mean, methods.predict(name, more).mean, name)
  end
end

os.exit(lu.LuaUnit.run())
