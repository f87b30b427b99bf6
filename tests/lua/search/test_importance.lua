--- Importances of parameters (bnn.importance). tests/long/importance_test.sh compares with Optuna.
local lu = require "luaunit"
local bnn = require "bnn"
local parameter_columns = require "bnn.search.analysis.parameter_columns"
local parzen_grid = require "bnn.search.analysis.parzen_grid"

local importance = bnn.importance
local NAN = 0 / 0

local function raises(text, f, ...) lu.assertErrorMsgContains(text, f, ...) end

-- n trials whose loss is the first parameter, and two that say nothing: all over 1..n.
local function trials(n)
  local loss, x, y, kind = {}, {}, {}, {}
  for i = 1, n do
    loss[i], x[i] = i * 7 % n, 10.0 ^ (i * 7 % n / n)
    y[i], kind[i] = i * 11 % n, ({"a", "b", true})[i % 3 + 1]
  end
  return loss, {
    {name = "x", values = x, log = true}, {name = "y", values = y}, {name = "kind", values = kind},
  }
end

local function by_name(list)
  local shares, sum = {}, 0
  for i, p in ipairs(list) do
    shares[p.name], sum = p.importance, sum + p.importance
    lu.assertTrue(i == 1 or list[i - 1].importance >= p.importance)
  end
  lu.assertAlmostEquals(sum, 1, 1e-12)
  return shares
end

TestImportance = {}

function TestImportance.test_what_decides_is_first()
  local loss, parameters = trials(100)
  local shares = by_name(importance{values = loss, parameters = parameters})
  lu.assertTrue(shares.x > 0.8, shares.x)
  -- the greatest losses are at the other end of x, and say as much
  local max = by_name(importance{values = loss, parameters = parameters, mode = "max"})
  lu.assertTrue(max.x > 0.8)
  for i, v in ipairs(loss) do loss[i] = -v end
  lu.assertEquals(by_name(importance{values = loss, parameters = parameters}), max)
end

function TestImportance.test_trials_without_a_value_do_not_count()
  local loss, parameters = trials(60)
  local shares = by_name(importance{values = loss, parameters = parameters})
  for i = 61, 80 do
    loss[i] = i % 2 == 0 and NAN or i % 3 == 0 and math.huge or nil
    for _, p in ipairs(parameters) do p.values[i] = p.values[i - 60] end
  end
  lu.assertEquals(by_name(importance{values = loss, parameters = parameters}), shares)
end

function TestImportance.test_a_conditional_parameter_counts_where_it_is()
  local loss, parameters = trials(90)
  local under = {}
  for i = 1, 90 do under[i] = i % 3 == 0 and loss[i] / 100 or nil end
  parameters[2] = {name = "under", values = under}
  local shares = by_name(importance{values = loss, parameters = parameters})
  lu.assertTrue(shares.under > 0 and shares.under < shares.x)
  parameters[2].values = {[7] = 1}
  lu.assertEquals(by_name(importance{values = loss, parameters = parameters}).under, 0)
end

function TestImportance.test_a_parameter_of_one_value_is_none()
  local loss, parameters = trials(20)
  for i = 1, 20 do parameters[2].values[i] = 3 end
  lu.assertEquals(by_name(importance{values = loss, parameters = parameters}).y, 0)
  local alone = importance{values = loss, parameters = {parameters[2]}}
  lu.assertEquals(alone, {{name = "y", importance = 1}})
end

function TestImportance.test_too_little_is_said()
  local loss, parameters = trials(9)
  lu.assertEquals({importance{values = loss, parameters = parameters}},
    {nil, "importance: expected at least 10 trials with a value, got 9"})
  loss, parameters = trials(12)
  for i = 1, 12 do loss[i] = 1 end
  lu.assertEquals({importance{values = loss, parameters = parameters}},
    {nil, "importance: expected values that differ, got 12 trials of which all are best"})
end

function TestImportance.test_a_density_is_one_over_its_grid()
  local rows = {
    {{name = "x", values = {1, 5, 5, 9}}, 50}, {{name = "x", values = {1, 3, 3}, step = 1}, 3},
    {{name = "x", values = {1, 64}, step = 1, log = true}, 7},
    {{name = "x", values = {"a", "b", "a"}, choices = {"a", "b", "c"}}, 3},
  }
  for _, row in ipairs(rows) do
    local n = #row[1].values
    local column, all, sum = parameter_columns.read("x", row[1], n), {}, 0
    for i = 1, n do all[i] = i end
    local density = parzen_grid.density(column, all)
    for _, v in ipairs(density) do
      lu.assertTrue(v > 0)
      sum = sum + v
    end
    lu.assertEquals(#density, row[2])
    lu.assertAlmostEquals(sum, 1, 1e-12)
  end
end

function TestImportance.test_values_of_any_kind_are_labels()
  local p = parameter_columns.read("x", {name = "h", values = {{64, 64}, {400}, [4] = {64, 64}}}, 4)
  lu.assertEquals({p.choices, p.values}, {{"[400]", "[64,64]"}, {2, 1, [4] = 2}})
  p = parameter_columns.read("x", {name = "b", values = {64.0, 8, 64}, choices = {8, 64}}, 3)
  lu.assertEquals({p.choices, p.values}, {{"8", "64"}, {2, 1, 2}})
end

function TestImportance.test_trials_are_columns()
  local columns = parameter_columns.of_trials({
    {config = {lr = 1, opt = "sgd", momentum = 0.5}, state = "completed", value = 3},
    {config = {lr = 2, opt = "adam"}, state = "pruned", reports = {{1, 5}, {2, 4}}},
    {config = {lr = 3, opt = "adam"}, state = "failed", reports = {{1, 5}}},
  }, {{name = "lr", log = true}, {name = "opt"}, {name = "momentum"}})
  lu.assertEquals(columns, {
    values = {3, 4}, states = {"completed", "pruned", "failed"},
    parameters = {{name = "lr", log = true, values = {1, 2, 3}},
                  {name = "opt", values = {"sgd", "adam", "adam"}},
                  {name = "momentum", values = {0.5}}},
  })
end

function TestImportance.test_what_is_wrong_is_named()
  local loss, parameters = trials(12)
  local function with(p) return {values = loss, parameters = {p}} end
  raises("bnn.importance: parameters: expected at least one, got none", importance,
    {values = loss, parameters = {}})
  raises("bnn.importance: parameter 1: name: expected a string, got nothing", importance, with{
    values = {1}})
  raises("parameter 1: x: values[2]: expected a number above 0, as log is true, got 0", importance,
    with{name = "x", values = {1, 0}, log = true})
  raises("x: values[1]: expected one of its choices a, b, got c", importance,
    with{name = "x", values = {"c"}, choices = {"a", "b"}})
  raises("x: values[1]: expected a number, text, true, false or a list, got a function", importance,
    with{name = "x", values = {print}})
  raises('bnn.importance: values[1]: expected a number, got a string', importance,
    {values = {"x"}, parameters = parameters})
end

os.exit(lu.LuaUnit.run())
