--- Every metric of bnn.metrics, by its row: what is refused, what perfect predictions give, and
-- what does not change the number.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local metric_table = require "bnn.metrics.metric_table"

local metrics, key = bnn.metrics, bnn.key(16)
local N, C = 40, 3

-- Classes 0..C-1, about as many of each; others under another shift.
local function some_labels(shift)
  local list = {}
  for i = 1, N do list[i] = (7 * i + i // 5 + shift) % C end
  return bnn.tensor(list, "i32")
end

local labels = some_labels(0)
local flags = labels:real():eq(1):to "i32"
local draws = bnn.randn(key:fold "draws", N)
local logits = bnn.randn(key:fold "logits", N, C)

-- kind of inputs -> arguments of a metric, each with a row for each example: usual ones, and those
-- of perfect and of hopeless predictions. The names are what messages call a number in them.
local INPUTS = {
  classes = {
    usual = {logits:softmax(-1), labels}, items = {"prediction"},
    perfect = {bnn.data.one_hot(labels, C), labels},
    hopeless = {bnn.data.one_hot(some_labels(1), C), labels},
  },
  in_out = {
    usual = {draws, flags}, perfect = {flags:real(), flags}, hopeless = {-flags:real(), flags},
    items = {"score"},
  },
  targets = {
    usual = {draws, draws * 0.5 + 1}, perfect = {draws, draws}, hopeless = {draws, draws + 1e6},
    items = {"prediction", "target"},
  },
  normal = {
    usual = {draws, bnn.full({N}, 0.5), draws * 0.3}, items = {"mean", "std", "target"},
    hopeless = {draws, bnn.full({N}, 1e-6), draws + 9},
  },
  interval = {
    usual = {draws * 0.3 - 0.5, draws * 0.3 + 0.5, draws}, items = {"lower", "upper", "target"},
    hopeless = {draws, draws + 1e-6, draws + 9},
  },
  probabilities = {usual = {logits:softmax(-1)}, items = {"prediction"}},
  logits = {usual = {logits}, items = {"prediction"}},
  numbers = {usual = {draws}, items = {"value"}},
}

-- Calls a row's metric on arguments, its own further ones, and options.
local function call(row, arguments, opts)
  local all = {table.unpack(arguments)}
  for _, v in ipairs(row.args or {}) do all[#all + 1] = v end
  all[#all + 1] = opts
  return metrics[row[1]](table.unpack(all))
end

-- Every number in a result, in order.
local function numbers_in(result)
  if type(result) == "number" then return {result} end
  if type(result) == "userdata" then return result:reshape(result:numel()):totable() end
  local names, all = {}, {}
  for name in pairs(result) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    for _, v in ipairs(numbers_in(result[name])) do all[#all + 1] = v end
  end
  return all
end

-- Numbers are the same, or both are NaN, within rounding of sums in another order.
local function assert_near(got, want, why)
  got, want = numbers_in(got), numbers_in(want)
  lu.assertEquals(#got, #want, why)
  for i, v in ipairs(got) do
    local same = v == want[i] or v ~= v and want[i] ~= want[i]
    if not same then lu.assertAlmostEquals(v, want[i], 1e-6 * (1 + math.abs(v)), why) end
  end
end

local function changed(arguments, f)
  local new = {}
  for i, x in ipairs(arguments) do new[i] = f(x, i) end
  return new
end

TestTable = {}

function TestTable.test_every_function_is_a_row_and_every_row_a_function()
  local seen = {list = true, normal_quantile = true, summary = true} -- no metrics
  for _, row in ipairs(metric_table.rows) do
    lu.assertNil(seen[row[1]], row[1])
    seen[row[1]] = true
    lu.assertIs(metrics[row[1]], row[2][row[1]])
    lu.assertNotNil(INPUTS[row.inputs], row.inputs)
  end
  for name, value in pairs(metrics) do
    lu.assertTrue(type(value) ~= "function" or seen[name], name)
  end
end

function TestTable.test_the_list_and_its_text_have_all_of_them()
  local list = metrics.list()
  lu.assertEquals(#list, #metric_table.rows)
  local groups = {}
  for _, name in ipairs(metric_table.groups) do groups[name] = true end
  for i, row in ipairs(metric_table.rows) do
    lu.assertEquals(list[i].name, row[1])
    lu.assertTrue(groups[list[i].group], list[i].group)
    lu.assertStrContains(metrics.docs.list, " " .. row[1])
  end
  lu.assertEquals({list[1].best, list[1].better, list[1].range}, {1, "higher", {0, 1}})
  list[1].range[1] = 7
  lu.assertEquals(metrics.list()[1].range, {0, 1})
end

TestMetrics = {}

-- Adds a test for each row that `wanted` says yes to.
local function for_each(name, check, wanted)
  for _, row in ipairs(metric_table.rows) do
    if not wanted or wanted(row) then
      TestMetrics[("test_%s_%s"):format(row[1], name)] = function()
        check(row, INPUTS[row.inputs], "bnn.metrics." .. row[1] .. ": ")
      end
    end
  end
end

local function has_bootstrap(row) return row.bootstrap end
local function is_number(row) return row.result == "number" end

for_each("is_what_its_row_says_and_within_its_range", function(row, inputs)
  local kinds = {number = "number", table = "table", matrix = "userdata", rows = "userdata"}
  for _, name in ipairs{"usual", "perfect", "hopeless"} do
    if inputs[name] then
      local result = call(row, inputs[name])
      lu.assertEquals(type(result), kinds[row.result], name)
      if row.result == "rows" then lu.assertEquals(result:shape(), {N}) end
      for _, v in ipairs(numbers_in(result)) do
        local is_within = v >= row.range[1] - 1e-12 and v <= row.range[2] + 1e-12
        lu.assertTrue(is_within or v ~= v and row.result == "table", v)
      end
    end
  end
end)

for_each("of_perfect_predictions_is_best_and_of_hopeless_ones_is_not", function(row, inputs)
  lu.assertAlmostEquals(call(row, inputs.perfect), row.best, 1e-12)
  local usual = call(row, inputs.usual)
  lu.assertTrue(row.better == "higher" and usual < row.best or usual > row.best, usual)
  if row[1] == "e_aurc" then return end -- the order of the errors alone counts
  local hopeless = call(row, inputs.hopeless)
  lu.assertTrue(row.better == "higher" and hopeless < row.best or hopeless > row.best, hopeless)
end, function(row) return row.best end)

for_each("does_not_depend_on_the_order_of_the_examples", function(row, inputs)
  local order = bnn.permutation(key:fold "order", N)
  local got = call(row, changed(inputs.usual, function(x) return x:index(order) end))
  local want = call(row, inputs.usual)
  assert_near(got, row.result == "rows" and want:index(order) or want)
end)

for_each("takes_lists_as_tensors", function(row, inputs)
  assert_near(call(row, changed(inputs.usual, function(x) return x:totable() end)),
    call(row, inputs.usual))
  assert_near(call(row, changed(inputs.usual, function(x)
    return x:dtype() == "i32" and x:to "i64" or x:to "f64"
  end)), call(row, inputs.usual))
end)

for_each("refuses_nan_by_its_position", function(row, inputs, what)
  for i, item in ipairs(inputs.items) do
    local bad = changed(inputs.usual, function(x, k)
      if k ~= i then return x end
      local list = x:totable()
      if type(list[3]) == "table" then list[3][2] = 0 / 0 else list[3] = 0 / 0 end
      return list
    end)
    bits.raises({what, item .. " 3: ", "expected a number, got nan"}, call, row, bad)
  end
end)

for_each("refuses_nothing", function(row, inputs, what)
  local none = changed(inputs.usual, function(x) return x:narrow(1, 1, 0) end)
  bits.raises({what, "expected at least one"}, call, row, none)
  local function missing(x, k) return k == 1 and "none" or x end
  bits.raises({what, "expected a tensor or a list, got "}, call, row,
    changed(inputs.usual, missing))
end)

for_each("refuses_inputs_of_different_lengths", function(row, inputs, what)
  for i = 2, #inputs.usual do
    local bad = changed(inputs.usual, function(x, k)
      return k == i and x:narrow(1, 1, N - 1) or x
    end)
    bits.raises({what, "[40]", "[39]"}, call, row, bad)
  end
end, function(row) return #INPUTS[row.inputs].usual > 1 end)

for_each("refuses_labels_that_are_no_classes", function(row, inputs, what)
  local bad = changed(inputs.usual, function(x, k)
    return k == 2 and x:real():add(1):to "i32" or x
  end)
  bits.raises({what, "label ", "expected ", ", got "}, call, row, bad)
end, function(row) return row.inputs == "classes" or row.inputs == "in_out" end)

for_each("refuses_unknown_options", function(row, inputs, what)
  bits.raises({what, "unknown option 'bootstrp'"}, call, row, inputs.usual, {bootstrp = 1})
end, function(row) return row[1] ~= "entropy" end)

for_each("takes_no_bootstrap_if_its_row_says_so", function(row, inputs)
  bits.raises("unknown option 'bootstrap'", call, row, inputs.usual, {bootstrap = {key = key}})
end, function(row) return not row.bootstrap and row[1] ~= "entropy" end)

for_each("has_intervals_that_are_a_function_of_the_key", function(row, inputs)
  local function interval(own, threads)
    local before = bnn.threads()
    bnn.threads(threads)
    local value, edges = call(row, inputs.usual, {bootstrap = {key = own, n = 200}})
    bnn.threads(before)
    return value, numbers_in(edges)
  end
  local value, edges = interval(key, 1)
  assert_near(value, (call(row, inputs.usual)))
  local _, again = interval(key, 2)
  for i, v in ipairs(edges) do
    lu.assertTrue(v == again[i] or v ~= v and again[i] ~= again[i], i)
  end
  local differ = false -- with one key of ten at least: shares have few values
  for seed = 20, 29 do
    local _, other = interval(bnn.key(seed), 2)
    for i, v in ipairs(edges) do differ = differ or v ~= other[i] and v == v end
  end
  lu.assertTrue(differ)
  bits.raises("bootstrap: key: expected", call, row, inputs.usual, {bootstrap = {}})
end, has_bootstrap)

for_each("has_narrower_intervals_at_a_lower_level", function(row, inputs)
  local function interval(level)
    local _, edges = call(row, inputs.usual, {bootstrap = {key = key, n = 400, level = level}})
    return edges
  end
  local wide, narrow = interval(0.95), interval(0.5)
  lu.assertTrue(row.range[1] <= wide[1] and wide[1] <= narrow[1])
  lu.assertTrue(narrow[1] <= narrow[2])
  lu.assertTrue(narrow[2] <= wide[2] and wide[2] <= row.range[2])
  lu.assertTrue(wide[1] < wide[2])
end, function(row) return is_number(row) and row.bootstrap end)

-- Every resample of perfect predictions is perfect.
for_each("has_an_interval_of_no_width_for_perfect_predictions", function(row, inputs)
  local _, edges = call(row, inputs.perfect, {bootstrap = {key = key, n = 50}})
  lu.assertAlmostEquals(edges[1], row.best, 1e-12)
  lu.assertAlmostEquals(edges[2], row.best, 1e-12)
end, function(row) return row.best and row.bootstrap end)

local function takes_weights(row) return row.weight end

-- An example of weight k is k examples, and one of weight 0 none.
for_each("counts_a_weight_as_copies", function(row, inputs)
  local weight, rows = {}, {}
  for i = 1, N do
    weight[i] = (i * 5 + 2) % 4
    for _ = 1, weight[i] do rows[#rows + 1] = i end
  end
  rows = bnn.tensor(rows, "i32")
  local want = call(row, changed(inputs.usual, function(x) return x:index(rows) end))
  assert_near(call(row, inputs.usual, {weight = weight}), want)
end, takes_weights)

for_each("is_the_same_under_weights_of_1", function(row, inputs)
  local plain = numbers_in((call(row, inputs.usual)))
  for i, v in ipairs(numbers_in((call(row, inputs.usual, {weight = bnn.ones(N)})))) do
    lu.assertTrue(v == plain[i] or v ~= v and plain[i] ~= plain[i], i) -- to the bit, or both NaN
  end
end, takes_weights)

local SUMS = {confusion_matrix = true, reliability = true, pit_histogram = true}

for_each("has_weights_of_any_unit", function(row, inputs)
  local weight = {}
  for i = 1, N do weight[i] = (i * 5 + 2) % 4 end
  local want = call(row, inputs.usual, {weight = weight})
  assert_near((call(row, inputs.usual, {weight = bnn.tensor(weight) * 0.25})), want)
end, function(row) return row.weight == true and not SUMS[row[1]] end)

for_each("counts_by_its_weights", function(row, inputs)
  local twice = call(row, inputs.usual, {weight = bnn.full({N}, 2)})
  lu.assertNotAlmostEquals(twice, (call(row, inputs.usual)), 1e-6)
  bits.raises("weight: expected numbers of answers, more than 1 in all, got a sum of 1", call, row,
    inputs.usual, {weight = bnn.full({N}, 1 / N)})
  local one = bnn.zeros(N):totable()
  one[3] = 1
  lu.assertTrue((call(row, inputs.usual, {weight = one})) <= 1) -- one answer is one
end, function(row) return row.weight == "counts" end)

for_each("has_intervals_under_weights", function(row, inputs)
  local weight = {}
  for i = 1, N do weight[i] = 0.5 + i % 3 end
  local opts = {weight = weight, bootstrap = {key = key, n = 200}}
  local value, edges = call(row, inputs.usual, opts)
  lu.assertTrue(edges[1] <= value and value <= edges[2], value)
end, function(row) return row.weight and row.bootstrap and is_number(row) end)

for_each("refuses_what_are_no_weights", function(row, inputs, what)
  local function with(i, v)
    local weight = bnn.ones(N):totable()
    weight[i] = v
    return {weight = weight}
  end
  bits.raises({what, "weight 3: expected a finite number of at least 0, got -1"}, call, row,
    inputs.usual, with(3, -1))
  bits.raises({what, "weight 5: ", "got inf"}, call, row, inputs.usual, with(5, 1 / 0))
  bits.raises({what, "weight: expected [40], got [41]"}, call, row, inputs.usual, with(N + 1, 1))
  bits.raises({what, "weight: expected one above 0, got none"}, call, row, inputs.usual,
    {weight = bnn.zeros(N)})
end, takes_weights)

for_each("takes_no_weight_if_its_row_says_so", function(row, inputs)
  bits.raises("unknown option 'weight'", call, row, inputs.usual, {weight = bnn.ones(N)})
end, function(row) return not row.weight and row[1] ~= "entropy" end)

for_each("takes_both_sets_by_name", function(row, inputs)
  local sets = {id = {}, ood = {}}
  for i, score in ipairs(inputs.usual[1]:totable()) do
    local set = flags[i] == 1 and sets.ood or sets.id
    set[#set + 1] = score
  end
  assert_near((call(row, {sets})), (call(row, inputs.usual)))
  if row.weight then
    local weight = {id = bnn.full({#sets.id}, 2), ood = bnn.full({#sets.ood}, 3)}
    assert_near((call(row, {sets, {weight = weight}})),
      (call(row, inputs.usual, {weight = flags:real() + 2})))
    bits.raises("weight: expected a table {id =, ood =}", call, row, {sets, {weight = {1}}})
    weight.ood = bnn.zeros(#sets.ood)
    bits.raises("weight: expected one above 0 for each of the labels 0 and 1, got none for 1", call,
      row, {sets, {weight = weight}})
  end
  bits.raises("ood: expected at least one score, got none", call, row, {{id = {1}, ood = {}}})
end, function(row) return row.inputs == "in_out" end)

for_each("takes_what_predict_returns", function(row, inputs)
  local p = inputs.usual[1]
  local prediction = {mean = p, class = (p:argmax(-1):real() - 1):to "i32"}
  local rest = {table.unpack(inputs.usual)}
  rest[1] = prediction
  assert_near(call(row, rest), call(row, inputs.usual))
end, function(row) return row.inputs == "classes" or row.inputs == "probabilities" end)

os.exit(lu.LuaUnit.run())
