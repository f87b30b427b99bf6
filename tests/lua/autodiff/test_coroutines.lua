--- Coroutines that yield, fail or are given up while something is recorded or a network is called:
-- nothing of it is in force for anybody else, then or later.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local core = require "bnn.core"

local raises = bits.raises
local key, x = bnn.key(5), bnn.tensor{{1, 2}, {3, 4}}

local function pause(...) return coroutine.yield(...) end

-- Ways in: each calls `during` once, with something recorded or called around it, and gives a
-- number that depends on the factor.
local function linear_with(during, factor)
  return bnn.transform(function(input)
    local layer = bnn.nn.sequential{bnn.nn.linear(2, {b_init = bnn.nn.ones}), function(y)
      during()
      return y
    end}
    return layer(input) * factor
  end)
end

local ways = {}

function ways.grad(during, factor)
  return bnn.grad(function(p) during() return (p * factor):sum() end)(bnn.ones(2)):sum():item() / 2
end

function ways.value_and_grad(during, factor)
  local value = bnn.value_and_grad(function(p) during() return (p * factor):sum() end)(bnn.ones(1))
  return value:item()
end

function ways.compile(during, factor)
  return bnn.compile(function(p) during() return p * factor end)(bnn.ones(1)):item()
end

function ways.compiled_gradient(during, factor)
  local f = bnn.compile(bnn.grad(function(p) during() return (p * factor):sum() end))
  return f(bnn.ones(1)):item()
end

function ways.vmap(during, factor)
  return bnn.vmap(function(p) during() return p * factor end)(bnn.ones(1)):item()
end

function ways.objective(during, factor)
  local objective = bnn.objective{params = bnn.nn.linear(1):init(key, x), loss = function(p, batch)
    during()
    return batch.x:sum(2) * 0 + p["linear/b"] + factor
  end}
  return objective:step(bnn.optim.adam{lr = 0.1}:init(objective), {x = x}, key)
end

function ways.init(during, factor)
  return linear_with(during, factor):init(key, x)["sequential/linear_0/b"]:mean():item() * factor
end

function ways.apply(during, factor)
  local params = {["sequential/linear_0/w"] = bnn.zeros(2, 2),
                  ["sequential/linear_0/b"] = bnn.ones(2)}
  return linear_with(during, factor):apply(params, x):mean():item()
end

function ways.predict(during, factor)
  local params = linear_with(function() end, 1):init(key, x)
  local model = {net = linear_with(during, factor), params = params,
                 likelihood = bnn.likelihood.gaussian{sigma = 1}}
  return bnn.predict(model, x, {key = key}).mean:select(1, 1):select(1, 1):item()
end

local expected = {} -- by way: for the factors 1 and 3
for name, way in pairs(ways) do
  expected[name] = {way(function() end, 1), way(function() end, 3)}
end

-- That nothing is in force: gradients, slices, programs and layers are what they are by themselves.
local function assert_nothing_is_recorded(where)
  local g = bnn.grad(function(p) return (p ^ 2):sum() end)(bnn.tensor{1, 2})
  lu.assertEquals(g:totable(), {2, 4}, where)
  lu.assertEquals(bnn.vmap(function(p) return p + 1 end)(bnn.ones(2)):totable(), {2, 2}, where)
  local compiled = bnn.compile(function(p) return p * 2 end)
  lu.assertEquals(compiled(bnn.ones(1)):item(), 2, where)
  lu.assertEquals(#compiled:info(), 1, where)
  lu.assertErrorMsgContains("expected to be called inside a network", bnn.nn.linear(2), x)
  lu.assertEquals(bnn.nn.path(), "", where)
end

local function each_way(f)
  for _, name in ipairs(require "bnn.base.options".sorted_names(ways)) do
    f(ways[name], name)
    assert_nothing_is_recorded(name)
  end
end

local function collect() for _ = 1, 3 do collectgarbage() end end

TestGivenUp = {}

function TestGivenUp.test_dropped_while_it_is_suspended()
  each_way(function(way, name)
    local co = coroutine.create(way)
    lu.assertTrue(coroutine.resume(co, pause, 1))
    lu.assertEquals(coroutine.status(co), "suspended", name)
    assert_nothing_is_recorded(name .. ", suspended")
    co = nil -- luacheck: ignore
    collect()
  end)
end

function TestGivenUp.test_closed_while_it_is_suspended()
  each_way(function(way, name)
    local co, closed = coroutine.create(way), false
    coroutine.resume(co, function()
      local _ <close> = setmetatable({}, {__close = function() closed = true end})
      pause()
    end, 1)
    lu.assertTrue(coroutine.close(co), name)
    lu.assertTrue(closed, name)
  end)
end

-- coroutine.resume closes nothing of what has failed; coroutine.wrap does.
function TestGivenUp.test_failed()
  for _, fault in ipairs{"a message", {code = 1}, false} do
    each_way(function(way, name)
      local co = coroutine.create(way)
      local ok, err = coroutine.resume(co, function() error(fault, 0) end, 1)
      lu.assertFalse(ok, name)
      lu.assertEquals(err, fault, name)
      assert_nothing_is_recorded(name .. ", not closed")
      lu.assertFalse(pcall(coroutine.wrap(way), function() error(fault, 0) end, 1), name)
      lu.assertFalse(pcall(way, function() error(fault, 0) end, 1), name)
    end)
  end
end

-- As a signal does it: from a hook, after any number of instructions.
local function interrupted_after(n, f, ...)
  debug.sethook(function()
    debug.sethook()
    error "stop"
  end, "", n)
  f(...)
  debug.sethook()
end

local function interrupt_anywhere(call)
  for _, name in ipairs{"grad", "init"} do
    local n, ok = 0, false
    while not ok do
      n = n + 1
      ok = call(interrupted_after, n, ways[name], function() end, 1)
      lu.assertErrorMsgContains("expected to be called inside a network", bnn.nn.linear(2), x)
      lu.assertEquals(bnn.grad(function(p) return p:sum() end)(bnn.ones(1)):item(), 1, name)
    end
    lu.assertTrue(n > 100, name)
  end
end

function TestGivenUp.test_interrupted_anywhere() interrupt_anywhere(pcall) end

function TestGivenUp.test_interrupted_anywhere_in_a_coroutine_that_is_not_closed()
  interrupt_anywhere(function(f, ...) return coroutine.resume(coroutine.create(f), ...) end)
end

TestTurns = {}

function TestTurns.test_what_is_resumed_goes_on_as_if_it_had_never_yielded()
  each_way(function(way, name)
    local co = coroutine.wrap(way)
    lu.assertEquals(co(pause, 3), nil)
    assert_nothing_is_recorded(name .. ", suspended")
    lu.assertEquals(co(), expected[name][2], name)
    lu.assertNotEquals(expected[name][1], expected[name][2], name)
  end)
end

-- In both orders of ending, every way beside every other.
function TestTurns.test_two_that_take_turns_do_not_mix()
  each_way(function(way, name)
    for other_name, other in pairs(ways) do
      for _, first_ends_first in ipairs{true, false} do
        local a, b = coroutine.wrap(way), coroutine.wrap(other)
        a(pause, 1)
        b(pause, 3)
        local of_a = first_ends_first and a()
        local of_b = b()
        of_a = of_a or a()
        lu.assertEquals({of_a, of_b}, {expected[name][1], expected[other_name][2]},
          name .. " beside " .. other_name)
      end
    end
  end)
end

-- A coroutine made within belongs to what is recorded, as any function that is called there.
function TestTurns.test_a_generator_within_is_part_of_what_is_recorded()
  local net = bnn.transform(function(input)
    local layers = coroutine.wrap(function()
      for _, width in ipairs{3, 4} do coroutine.yield(bnn.nn.linear(width)) end
      local inner = coroutine.wrap(function() return bnn.nn.linear(5)(bnn.ones(2, 1)) end)
      inner()
    end)
    local y = layers()(input)
    y = layers()(y)
    layers()
    return y
  end)
  lu.assertEquals(net:init(key, x):names(), {
    "linear/w", "linear/b", "linear_1/w", "linear_1/b", "linear_2/w", "linear_2/b"})
  raises("cannot be recorded", function()
    bnn.grad(function(p)
      coroutine.wrap(function() bnn.grad(function(q) return q:sum() end)(p) end)()
      return p:sum()
    end)(bnn.ones(1))
  end)
end

-- b is recorded by the main coroutine, and resumes a, which is in the middle of its own.
function TestTurns.test_a_recording_may_resume_another()
  local a = coroutine.wrap(ways.apply)
  a(pause, 1)
  local gradient = bnn.grad(function(p) return (p * a()):sum() end)(bnn.ones(1))
  lu.assertEquals(gradient:item(), expected.apply[1])
  assert_nothing_is_recorded()
end

-- A layer in a layer that another coroutine is in as well keeps its own path.
function TestTurns.test_paths_belong_to_the_coroutine()
  local function paths()
    local seen = {}
    local net = bnn.nn.sequential{bnn.nn.linear(2), function(y)
      seen[1] = bnn.nn.path()
      coroutine.yield()
      seen[2] = bnn.nn.path()
      return bnn.nn.linear(1)(y)
    end}
    return net:init(key, x):names(), seen
  end
  local a, b = coroutine.wrap(paths), coroutine.wrap(paths)
  a()
  b()
  lu.assertEquals(bnn.nn.path(), "")
  for _, turn in ipairs{a, b} do
    local names, seen = turn()
    lu.assertEquals(seen, {"sequential", "sequential"})
    lu.assertEquals(names, {"sequential/linear_0/w", "sequential/linear_0/b",
      "sequential/linear_1/w", "sequential/linear_1/b"})
  end
end

function TestTurns.test_one_compiled_function_recorded_by_two_at_once_is_kept_once()
  local turns = 0
  local f = bnn.compile(function(p)
    turns = turns + 1
    if turns <= 2 then coroutine.yield() end
    return p * 2
  end)
  local function call() return f(bnn.ones(1)):item() end
  local a, b = coroutine.wrap(call), coroutine.wrap(call)
  a()
  b()
  lu.assertEquals({a(), b(), call()}, {2, 2, 2})
  lu.assertEquals(turns, 2)
  lu.assertEquals(#f:info(), 1)
  for n = 2, 70 do f(bnn.ones(n)) end -- more than are kept: the count is right
  lu.assertEquals(#f:info(), 64)
end

TestLayers = {}

function TestLayers.test_a_layer_that_fails_and_is_caught_leaves_the_paths_of_the_others()
  local net = bnn.transform(function(input)
    lu.assertFalse(pcall(bnn.nn.sequential{function() error "no" end}, input))
    return bnn.nn.linear(1)(input)
  end)
  lu.assertEquals(net:init(key, x):names(), {"linear/w", "linear/b"})
end

TestScope = {}

function TestScope.test_the_innermost_value_is_in_force_until_its_function_ends()
  local scope = core.scope()
  lu.assertNil(scope:value())
  lu.assertEquals({scope:run("a", function(...)
    lu.assertEquals(scope:value(), "a")
    lu.assertFalse(pcall(scope.run, scope, "b", error, "x"))
    scope:run("c", function() lu.assertEquals(scope:value(), "c") end)
    lu.assertEquals(scope:value(), "a")
    return ...
  end, 1, nil, 3)}, {1, nil, 3})
  lu.assertNil(scope:value())
  raises("bad argument", scope.run, scope)
  raises("bad argument", scope.run, {}, 1, print)
end

function TestScope.test_a_coroutine_sees_the_nearest_value_around_it()
  local scope = core.scope()
  local inside = coroutine.create(function()
    while true do coroutine.yield(scope:value()) end
  end)
  local function value_inside() return select(2, coroutine.resume(inside)) end
  lu.assertNil(value_inside())
  scope:run("main", function()
    lu.assertEquals(value_inside(), "main")
    coroutine.wrap(function()
      lu.assertEquals(value_inside(), "main")
      scope:run("middle", function() lu.assertEquals(value_inside(), "middle") end)
      lu.assertEquals(value_inside(), "main")
    end)()
    local left = coroutine.wrap(function() scope:run("left", coroutine.yield) end)
    left()
    lu.assertEquals(value_inside(), "main")
  end)
  lu.assertNil(value_inside())
end

function TestScope.test_values_do_not_outlive_their_coroutine()
  local scope, gone = core.scope(), setmetatable({}, {__mode = "k"})
  local function leave()
    local value = {}
    gone[value] = true
    coroutine.wrap(function() scope:run(value, coroutine.yield) end)()
  end
  leave()
  collect()
  lu.assertNil(next(gone))
  lu.assertNil(scope:value())
end

os.exit(lu.LuaUnit.run())
