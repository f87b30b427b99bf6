--- Search spaces: domains, their texts, conditions, constraints, grids and refusals.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. package.path
local lu = require "luaunit"
local bits = require "bits"
local configuration = require "bnn.base.configuration"
local bnn = require "bnn"
local core = require "bnn.core"

local space = bnn.space

-- One of everything.
local function example()
  return space{
    beta = {1, 0.1, 0.01}, logvar = space.uniform(-10, -1), lr = space.log(1e-4, 1e-2),
    n = space.integer(1, 64, "log"), width = space.integer(8, 64, 8),
    dropout = space.range(0, 0.5, 0.1), hidden = space.choice{{64, 64}, {400, 400}},
    optimizer = {"adam", "sgd"}, steps = 1000, flag = {true, false}, title = {"a b", "c,d@e=f"},
    momentum = space.conditional("optimizer", "sgd", space.uniform(0, 0.99)),
    nesterov = space.conditional("momentum", {0.5}, {true, false}),
  }
end

TestSpace = {}

function TestSpace.test_its_text_reads_back_as_an_equal_space()
  local s = example()
  local again = assert(space.parse(tostring(s)))
  lu.assertTrue(s == again)
  lu.assertEquals(tostring(again), tostring(s))
  lu.assertEquals(s:describe(), again:describe())
  lu.assertFalse(s == space{beta = {1, 0.1}})
  lu.assertFalse(space{a = {1}} == space{a = {1}, function() return true end})
end

function TestSpace.test_the_order_is_that_of_names_and_parents_come_first()
  local names = {}
  for i, parameter in ipairs(example().parameters) do names[i] = parameter.name end
  lu.assertEquals(table.concat(names, " "), "beta dropout flag hidden logvar lr n optimizer "
    .. "momentum nesterov steps title width")
  local circle = space{z = {1, 2}, a = space.conditional("z", 1, {3})}
  lu.assertEquals(tostring(circle), "z=1,2 a=3@z=1")
end

function TestSpace.test_a_command_line_means_the_same_as_lua()
  local s = assert(space.parse{"beta=1,0.1,0.01", "logvar=uniform:-10:-1", "lr=log:1e-4:1e-2",
    "n=integer:1:64:log", "x=range:0:1:0.1", "opt=choice:adam,sgd", "m=uniform:0:1@opt=sgd",
    "hidden=[64,64],[400,400]", "on=true"})
  local t = space{beta = {1, 0.1, 0.01}, logvar = space.uniform(-10, -1),
    lr = space.log(1e-4, 1e-2), n = space.integer(1, 64, "log"), x = space.range(0, 1, 0.1),
    opt = {"adam", "sgd"}, m = space.conditional("opt", {"sgd"}, space.uniform(0, 1)),
    hidden = {{64, 64}, {400, 400}}, on = true}
  lu.assertTrue(s == t, tostring(s) .. "\n" .. tostring(t))
  lu.assertTrue(space{lr = "log:1e-4:1e-2", a = "1,2"}
    == space{lr = space.log(1e-4, 1e-2), a = {1, 2}})
end

function TestSpace.test_a_list_of_a_configuration_is_a_list_of_values()
  local cfg = configuration.freeze({hidden = {16, 32}}, {hidden = true})
  lu.assertTrue(space{hidden = cfg.hidden} == space{hidden = {16, 32}})
end

function TestSpace.test_a_description_is_plain_data()
  local described = example():describe()
  lu.assertEquals(core.json_decode(core.json_encode(described)), described)
  lu.assertEquals(described.parameters[6], {name = "lr", kind = "log", low = 1e-4, high = 1e-2,
                                            log = true})
end

TestDomains = {}

-- The values of a domain at n evenly spread numbers of [0, 1).
local function spread(domain, n)
  local counts, list = {}, {}
  for i = 0, n - 1 do
    local v = domain:at((i + 0.5) / n)
    if not counts[v] then list[#list + 1] = v end
    counts[v] = (counts[v] or 0) + 1
  end
  return list, counts
end

function TestDomains.test_each_step_and_choice_is_equally_likely()
  for _, domain in ipairs{space.integer(1, 8), space.integer(8, 64, 8), space.range(0, 0.7, 0.1),
                          space.choice{"a", "b", "c", "d", "e", "f", "g", "h"}} do
    local list, counts = spread(domain, 800)
    lu.assertEquals(#list, 8)
    for _, v in ipairs(list) do lu.assertEquals(counts[v], 100, tostring(domain)) end
  end
end

function TestDomains.test_steps_are_short_decimals_and_stay_below_the_end()
  local list = spread(space.range(0, 0.55, 0.1), 600)
  lu.assertEquals(list, {0.0, 0.1, 0.2, 0.3, 0.4, 0.5})
  lu.assertEquals(math.type(space.range(2, 8, 2):at(0.5)), "integer")
  lu.assertEquals(space.integer(1, 10, 4).high, 9)
end

function TestDomains.test_log_has_as_much_in_each_decade()
  local counts = {0, 0, 0}
  for i = 0, 2999 do
    local v = space.log(1e-4, 1e-1):at((i + 0.5) / 3000)
    counts[math.floor(math.log(v / 1e-4, 10)) + 1] = counts[math.floor(math.log(v / 1e-4, 10)) + 1]
      + 1
  end
  lu.assertEquals(counts, {1000, 1000, 1000})
  local _, small = spread(space.integer(1, 64, "log"), 10000)
  local range = math.log(64.5 / 0.5) -- an integer k has log((k + 1/2) / (k - 1/2)) of it
  lu.assertAlmostEquals(small[1] / 1e4, math.log(3) / range, 2e-4)
  lu.assertAlmostEquals(small[40] / 1e4, math.log(40.5 / 39.5) / range, 2e-4)
end

function TestDomains.test_bounds_hold_and_the_unit_number_is_found_again()
  for _, domain in ipairs{space.uniform(-10, -1), space.log(1e-4, 1e-2), space.uniform(0.1, 0.3)} do
    for _, u in ipairs{0, 1e-12, 0.25, 0.5, 0.9, 1 - 1e-16} do
      local v = domain:at(u)
      lu.assertTrue(v >= domain.low and v <= domain.high, tostring(domain))
      lu.assertAlmostEquals(domain:unit(v), u, 1e-8)
      lu.assertTrue(domain:has(v))
    end
  end
  for _, domain in ipairs{space.integer(1, 9, 2), space.integer(1, 64, "log"),
                          space.range(0, 1, 0.1), space.choice{{1, 2}, {3}}} do
    for i = 1, domain:count() do
      local v = domain:value(i)
      lu.assertEquals(domain:at(domain:unit(v)), v)
      lu.assertEquals(domain:index(v), i)
    end
  end
end

function TestDomains.test_values_that_are_none_are_not_had()
  lu.assertFalse(space.integer(1, 9, 2):has(2))
  lu.assertFalse(space.uniform(0, 1):has "x")
  lu.assertFalse(space.uniform(0, 1):has(1.5))
  lu.assertFalse(space.range(0, 1, 0.1):has(0.15))
  lu.assertTrue(space.range(0, 1, 0.1):has(0.1 * 3))
  lu.assertFalse(space.choice{{64, 64}}:has{64})
end

TestConditions = {}

local function nested()
  return space{opt = {"adam", "sgd"}, m = space.conditional("opt", "sgd", space.uniform(0, 1)),
    k = space.conditional("m", {0.25, 0.75}, {1, 2})}
end

function TestConditions.test_a_parameter_is_there_only_under_its_parent()
  local s = nested()
  lu.assertEquals(s:at{opt = 0, m = 0.25, k = 0}, {opt = "adam"})
  lu.assertEquals(s:at{opt = 0.5, m = 0.3, k = 0}, {opt = "sgd", m = 0.3})
  lu.assertEquals(s:at{opt = 0.5, m = 0.25, k = 0}, {opt = "sgd", m = 0.25, k = 1})
end

function TestConditions.test_a_configuration_is_checked()
  local s = nested()
  lu.assertTrue(s:check{opt = "sgd", m = 0.5})
  for text, cfg in pairs{
    ["m: expected nothing, as opt is \"adam\", got 0.5"] = {opt = "adam", m = 0.5},
    ["m: expected a value of uniform:0:1@opt=sgd, got nil"] = {opt = "sgd"},
    ["opt: expected a value of adam,sgd, got \"rms\""] = {opt = "rms"},
    ["'x' is not a parameter of the space"] = {opt = "adam", x = 1},
  } do
    local ok, fault = s:check(cfg)
    lu.assertNil(ok)
    lu.assertEquals(fault, text)
  end
  lu.assertEquals({space{a = {1, 2}, function(c) return c.a > 1 end}:check{a = 1}},
    {nil, "a constraint does not hold"})
end

function TestConditions.test_constraints_cannot_change_the_configuration()
  local s = space{h = {{1, 2}}, function(cfg)
    cfg.h[1] = 7
    return true
  end}
  local cfg = s:at{h = 0}
  s:allows(cfg)
  lu.assertEquals(cfg, {h = {1, 2}})
end

function TestConditions.test_a_grid_has_each_configuration_once()
  local grid = nested():grid(5) -- m in 0, .25, .5, .75, 1: two of them have k
  lu.assertEquals(#grid, 1 + 3 + 2 * 2)
  local seen = {}
  for _, cfg in ipairs(grid) do
    local text = ("%s %s %s"):format(cfg.opt, cfg.m, cfg.k)
    lu.assertNil(seen[text])
    seen[text] = true
    lu.assertTrue(nested():check(cfg))
  end
  lu.assertEquals(space{lr = space.log(1e-4, 1e-2)}:grid(3), {{lr = 1e-4}, {lr = 1e-3},
                                                              {lr = 1e-2}})
  local _, fault = space{a = space.integer(1, 1000), b = space.integer(1, 1000)}:grid()
  lu.assertEquals(fault, "the grid has more than 100000 points")
end

TestWrongSpaces = {}

function TestWrongSpaces.test_a_wrong_text_says_what_is_expected()
  for text, words in pairs{
    ["lr=logg:1:2"] = "lr=logg:1:2: expected one of choice, integer, log, range, uniform before "
      .. "':', got 'logg' (did you mean log?)",
    ["lr=log:0:1"] = "lr=log:0:1: low: expected more than 0, got 0",
    ["lr=uniform:2:1"] = "high: expected more than 2, got 1",
    ["lr=uniform:0:inf"] = "high: expected a number, got \"inf\"",
    ["lr"] = "lr: expected NAME=VALUES or NAME=KIND:ARGUMENTS",
    ["=1"] = "=1: expected NAME=VALUES",
    ["x=range:0:1"] = "expected 3 numbers after range:, got '0:1'",
    ["x=range:0:1:2"] = "step: expected at most 1, got 2",
    ["n=integer:1:4:0"] = "step: expected an integer of at least 1, or log, got 0",
    ["n=integer:1.5:4"] = "low: expected an integer, got 1.5",
    ["n=integer:0:4:log"] = "low: expected at least 1, got 0",
    ["b=1,1.0"] = "choice: 1.0 is there twice",
    ["b=1,"] = "expected a value, got '' (it is empty)",
    ["h=[1,2"] = "expected a value, got '[1,2' (no JSON",
    ["m=1@op=x opt=1,2"] = "m: there is no parameter 'op' for its condition (did you mean opt?)",
    ["m=1@opt=3 opt=1,2"] = "m: opt is never 3: it is 1,2",
    ["a=1@b=1 b=1@a=1"] = "a: its condition depends on itself",
    ["a=1 a=2"] = "a: given twice",
    [""] = "expected at least one parameter, got none",
  } do
    local s, fault = space.parse(text)
    lu.assertNil(s, text)
    lu.assertStrContains(fault, words)
  end
end

function TestWrongSpaces.test_wrong_arguments_raise()
  for words, f in pairs{
    ["bnn.space: expected a table of parameters, got a number"] = function() space(3) end,
    ["bnn.space: constraint 1: expected a function of the configuration"] = function()
      space{a = {1}, 3}
    end,
    ["bnn.space: a: choice 1: expected a number, text, true, false or a list"] = function()
      space{a = {print}}
    end,
    ["bnn.space: a: choice: expected a list of values, got an empty one"] = function()
      space{a = {}}
    end,
    ["bnn.space: a b: it cannot be the name of a parameter"] = function() space{["a b"] = 1} end,
    ["bnn.space: lr: expected one of choice"] = function() space{lr = "lag:1:2"} end,
    ["bnn.space.uniform: low: expected a finite number, got nan"] = function()
      space.uniform(0 / 0, 1)
    end,
    ["bnn.space.log: low: expected more than 0, got -1"] = function() space.log(-1, 1) end,
    ["bnn.space.choice: choice: expected a list of values, got 3"] = function() space.choice(3) end,
    ["bnn.space.integer: high: expected at least 5, got 1"] = function() space.integer(5, 1) end,
    ["bnn.space.conditional: parent: expected the name of a parameter"] = function()
      space.conditional(1, 2, {3})
    end,
    ["bnn.space.conditional: expected a domain without a condition, got one under a"] = function()
      space.conditional("b", 2, space.conditional("a", 1, {3}))
    end,
    ["bnn.space.parse: text 1: expected a string"] = function() space.parse{1} end,
  } do
    bits.raises(words, f)
  end
end

os.exit(lu.LuaUnit.run())
