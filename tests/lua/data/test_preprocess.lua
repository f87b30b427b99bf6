--- Tables into parts by what was fitted to the training rows, and predictions back into units.
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local table_preprocess = require "bnn.data.table_preprocess"

local NAN = 0 / 0

-- A table of columns by name; "" is missing.
local function rows_of(columns)
  local names, list = {}, {}
  for name in pairs(columns) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    local values = {}
    for k, v in ipairs(columns[name]) do values[k] = v == "" and NAN or v end
    list[i] = {name = name, values = values}
  end
  return bnn.data.table(list)
end

local function fit(opts, columns) return bnn.data.preprocess(opts):fit(rows_of(columns)) end

local function near(got, want, margin)
  lu.assertEquals(#got, #want)
  for i, v in ipairs(want) do
    if type(v) == "table" then near(got[i], v, margin)
    else lu.assertAlmostEquals(got[i], v, margin or 1e-5) end
  end
end

local function refuses(want, f, ...) lu.assertErrorMsgContains(want, f, ...) end

-- The column of a part with this name.
local function column(part, name)
  for i, known in ipairs(part.names) do
    if known == name then return part.x:narrow(2, i, 1):reshape(part.size):totable() end
  end
  error("no column " .. name)
end

TestRows = {}

-- One row to predict, part of which is known, with like= or without.
function TestRows.test_what_no_row_has_is_missing_of_its_kind()
  local rows = {age = {1, NAN, 3}, kind = {"cat", "", "dog"}, id = {"a", "b", "c"}, y = {1, 2, 4}}
  local prep = fit({label = "y", columns = {id = "ignore"}}, rows)
  local function x(...)
    local part = prep:apply(bnn.data.table(...))
    lu.assertNil(part.y)
    return part.x:totable()[1]
  end
  local cat = column(prep:apply(rows_of(rows)), "kind=cat")
  lu.assertEquals(cat, {1, 0, 0})
  local width = #prep.names
  local bare = x({{age = 3}}, {like = prep})
  lu.assertEquals({#bare, bare[width]}, {width, 1}) -- kind=missing
  lu.assertEquals(x({{age = 3}}, {like = prep, optional = "id"}), bare)
  lu.assertEquals(x({{age = 3, id = "z"}}, {like = prep}), bare)
  lu.assertEquals(x{{name = "age", values = {3}}, {name = "kind", values = {}}, n = 1}, bare)
  lu.assertEquals(x{{age = 3, kind = NAN}}, bare)
  lu.assertEquals(x({{name = "age", values = {3}}, {name = "kind", values = {}}, n = 1},
    {like = prep}), bare)
  local ageless = x({{kind = "dog"}}, {like = prep})
  lu.assertEquals(x{{name = "kind", values = {"dog"}},
                    {name = "age", values = {}, kind = "category"}, n = 1}, ageless)
  refuses("column 'kind': expected categories, as in training, got numbers", prep.apply, prep,
    bnn.data.table{{age = 3, kind = NAN}, {age = 3, kind = 7}})
  refuses("there is no column 'age'", bnn.data.table, {{name = "kind", values = {"cat"}}},
    {like = prep})
end

TestSteps = {}

function TestSteps.test_standardised_columns_have_mean_0_and_deviation_1()
  local rows = {a = {1, 2, 3, 6}, y = {0, 0, 1, 1}}
  local part = fit({label = "y"}, rows):apply(rows_of(rows))
  local std = math.sqrt(3.5)
  near(column(part, "a"), {-2 / std, -1 / std, 0, 3 / std})
end

function TestSteps.test_a_constant_column_loses_its_mean_only()
  local prep = fit({}, {a = {5, 5, 5}})
  near(column(prep:apply(rows_of{a = {5, 7}}), "a"), {0, 2})
end

function TestSteps.test_the_median_fills_what_is_missing_and_an_indicator_says_so()
  local rows = {a = {1, NAN, 2, 9}}
  local part = fit({numbers = "impute"}, rows):apply(rows_of(rows))
  lu.assertEquals(part.names, {"a", "a=missing"})
  near(part.x:totable(), {{1, 0}, {2, 1}, {2, 0}, {9, 0}})
  local plain = fit({numbers = {"impute", value = 7, indicator = false}}, rows)
  near(plain:apply(rows_of(rows)).x:totable(), {{1}, {7}, {2}, {9}})
end

function TestSteps.test_the_median_fills_values_that_are_missing_later_only()
  local prep = fit({numbers = "impute"}, {a = {1, 2, 9}})
  lu.assertEquals(prep.names, {"a"})
  near(prep:apply(rows_of{a = {NAN, 4}}).x:totable(), {{2}, {4}})
end

function TestSteps.test_without_impute_a_missing_value_is_an_error_with_its_row()
  refuses("column 'a': 1 of 3 values are missing, the first in row 2", fit,
    {numbers = "standardise"}, {a = {1, NAN, 3}})
  local prep = fit({numbers = "standardise"}, {a = {1, 2, 3}})
  refuses("preprocess:apply: column 'a': 1 of 1", prep.apply, prep, rows_of{a = {NAN}})
end

function TestSteps.test_logarithms_refuse_what_is_outside_their_domain()
  local e = math.exp(1)
  near(column(fit({numbers = "log"}, {a = {1, e}}):apply(rows_of{a = {e, 1}}), "a"), {1, 0})
  near(column(fit({numbers = "log1p"}, {a = {0, e - 1}}):apply(rows_of{a = {0, 1e-7}}), "a"),
    {0, 1e-7}, 1e-12)
  refuses("column 'a': log: expected numbers above 0, row 2 is 0", fit, {numbers = "log"},
    {a = {1, 0}})
  refuses("log1p: expected numbers above -1, row 1 is -1", fit, {numbers = "log1p"}, {a = {-1, 0}})
end

function TestSteps.test_clip_goes_to_bounds_or_to_quantiles_of_the_training_rows()
  local wide = rows_of{a = {-100, 5, 100}}
  near(column(fit({numbers = {"clip", min = 0, max = 10}}, {a = {1, 2}}):apply(wide), "a"),
    {0, 5, 10})
  near(column(fit({numbers = {"clip", max = 10}}, {a = {1, 2}}):apply(wide), "a"), {-100, 5, 10})
  local quarter = {"clip", quantiles = {0.25, 0.75}}
  near(column(fit({numbers = quarter}, {a = {0, 2, 4, 6, 8}}):apply(wide), "a"), {2, 5, 6})
  local usual = {}
  for i = 0, 100 do usual[i + 1] = i end
  near(column(fit({numbers = "clip"}, {a = usual}):apply(wide), "a"), {1, 5, 99})
  refuses("expected min of at most max", fit, {numbers = {"clip", min = 2, max = 1}}, {a = {1, 2}})
  refuses("expected quantiles=, or min= and max=, got both", fit,
    {numbers = {"clip", min = 2, quantiles = {0, 1}}}, {a = {1, 2}})
end

function TestSteps.test_steps_run_in_the_order_in_which_they_are_given()
  local rows = {a = {1, NAN, math.exp(2)}}
  near(column(fit({numbers = {"log", "impute"}}, rows):apply(rows_of(rows)), "a"), {0, 1, 2})
  local median = math.log((1 + math.exp(2)) / 2)
  near(column(fit({numbers = {"impute", "log"}}, rows):apply(rows_of(rows)), "a"), {0, median, 2})
end

function TestSteps.test_an_infinite_value_and_a_column_without_values_are_errors()
  refuses("column 'a': expected finite numbers, row 2 is infinite", fit, {}, {a = {1, 1 / 0}})
  refuses("column 'b': expected a value, all training rows lack one", fit, {},
    {a = {1, 2}, b = {NAN, NAN}})
end

TestCategories = {}

function TestCategories.test_one_hot_columns_go_by_name_whatever_the_numbers()
  local prep = fit({}, {c = {"red", "blue", "red"}})
  lu.assertEquals(prep.names, {"c=blue", "c=red"})
  near(prep:apply(rows_of{c = {"red", "blue"}}).x:totable(), {{0, 1}, {1, 0}})
  near(prep:apply(rows_of{c = {"red"}}).x:totable(), {{0, 1}})
end

function TestCategories.test_a_missing_category_has_a_column_where_training_rows_lack_one()
  local rows = {c = {"red", "", "blue"}}
  local prep = fit({}, rows)
  lu.assertEquals(prep.names, {"c=blue", "c=red", "c=missing"})
  near(prep:apply(rows_of(rows)).x:totable(), {{0, 1, 0}, {0, 0, 1}, {1, 0, 0}})
end

function TestCategories.test_a_new_category_is_an_error_or_zeros()
  local rows, new = {c = {"red", "blue"}}, rows_of{c = {"green", "red"}}
  local prep = fit({}, rows)
  refuses("column 'c': row 1: expected one of blue, red, got 'green'", prep.apply, prep, new)
  refuses("got a missing value, none was in training", prep.apply, prep,
    rows_of{c = {"", "red"}})
  local lenient = fit({categories = {"one_hot", unknown = "zeros"}}, rows)
  near(lenient:apply(new).x:totable(), {{0, 0}, {0, 1}})
end

function TestCategories.test_ordinal_gives_the_numbers_that_embeddings_take()
  local rows = {c = {"red", "", "blue"}}
  local prep = fit({categories = "ordinal"}, rows)
  near(prep:apply(rows_of(rows)).x:totable(), {{1}, {2}, {0}})
end

function TestCategories.test_a_category_without_training_rows_keeps_its_column()
  local all = rows_of{c = {"red", "blue", "red"}}
  local prep = bnn.data.preprocess{}:fit(all:index(bnn.tensor({1, 3}, "i32")))
  lu.assertEquals(prep.names, {"c=blue", "c=red"})
  near(prep:apply(all).x:totable(), {{0, 1}, {1, 0}, {0, 1}})
end

TestPreprocess = {}

function TestPreprocess.test_nothing_is_learnt_from_other_rows()
  local train = {a = {1, 2, NAN, 3}, c = {"x", "y", "x", "y"}, y = {1, 2, 3, 4}}
  local prep = fit({label = "y"}, train)
  local before = tostring(prep)
  local one = prep:apply(rows_of{a = {2}, c = {"y"}, y = {2}})
  local among = prep:apply(rows_of{a = {1000, 2}, c = {"x", "y"}, y = {500, 2}})
  lu.assertEquals(among.x[2]:totable(), one.x[1]:totable())
  lu.assertEquals(among.y[2]:totable(), one.y[1]:totable())
  lu.assertEquals(tostring(prep), before)
end

function TestPreprocess.test_columns_may_differ_or_be_left_out()
  local rows = {a = {1, 10, 100}, id = {7, 8, 9}, y = {1, 2, 3}}
  local prep = fit({label = "y", columns = {a = "log", id = "ignore"}}, rows)
  lu.assertEquals(prep.names, {"a"})
  near(column(prep:apply(rows_of{a = {1}}), "a"), {0}) -- neither id nor y is needed
  lu.assertNil(prep:apply(rows_of{a = {1}}).y)
end

function TestPreprocess.test_the_part_has_names_classes_and_what_made_it()
  local rows = {a = {1, 2, 3}, kind = {"cat", "dog", "cat"}}
  local prep = fit({label = "kind"}, rows)
  local part = prep:apply(rows_of(rows))
  lu.assertEquals({part.y:dtype(), part.y:totable()}, {"i32", {0, 1, 0}})
  lu.assertEquals({part.classes, part.names}, {{"cat", "dog"}, {"a"}})
  lu.assertTrue(part.preprocess == prep)
  lu.assertTrue(part:slice(1, 2).preprocess == prep)
  lu.assertEquals(prep:apply(rows_of{a = {1}, kind = {"dog"}}).y:totable(), {1})
  refuses("column 'kind': row 1: expected one of cat, dog, got 'cow'", prep.apply, prep,
    rows_of{a = {1}, kind = {"cow"}})
  refuses("fitted to a target of numbers, got classes", prep.invert, prep, part.x)
end

function TestPreprocess.test_a_table_may_have_many_columns()
  local columns = {}
  for i = 1, 70 do columns[("c%02d"):format(i)] = {i, 2 * i} end
  local part = fit({numbers = {}}, columns):apply(rows_of(columns))
  lu.assertEquals({part.x:shape(), part.x[2][70], part.names[70]}, {{2, 70}, 140, "c70"})
end

function TestPreprocess.test_several_targets()
  local rows = {a = {1, 2, 3}, u = {10, 20, 30}, v = {-1, 0, 4}}
  local prep = fit({label = {"u", "v"}}, rows)
  local part = prep:apply(rows_of(rows))
  lu.assertEquals(part.y:shape(), {3, 2})
  near(prep:invert(part.y):totable(), {{10, -1}, {20, 0}, {30, 4}})
  refuses("expected [..., 2], a column for each target, got [3, 1]", prep.invert, prep,
    part.y:narrow(2, 1, 1))
end

function TestPreprocess.test_a_target_is_never_missing()
  refuses("column 'y': expected a target in each row, row 2 lacks one", fit, {label = "y"},
    {a = {1, 2}, y = {1, NAN}})
end

-- A column of weights is neither x nor y, stays as it is, and may be absent after training.
function TestPreprocess.test_a_column_of_weights()
  local rows = {a = {1, 2, 3, 6}, w = {0, 1, 2, 0.5}, y = {0, 0, 1, 1}}
  local prep = fit({label = "y", weight = "w"}, rows)
  lu.assertEquals(prep.names, {"a"})
  lu.assertEquals(prep:apply(rows_of(rows)).weight:totable(), rows.w)
  lu.assertNil(prep:apply(rows_of{a = {1}}).weight)
  lu.assertEquals(prep:schema()[2], {name = "w", kind = "number", optional = true})
  lu.assertStrContains(tostring(prep), "weight")
  local again = table_preprocess.of_data(table_preprocess.describe("test", prep))
  lu.assertEquals(again:apply(rows_of(rows)).weight:totable(), rows.w)
  refuses("preprocess:fit: expected a column 'v'", fit, {label = "y", weight = "v"}, rows)
  refuses("column 'w': weight 2: expected a finite number of at least 0, got -1", fit,
    {weight = "w"}, {a = {1, 2}, w = {1, -1}})
  refuses("column 'w': expected weights, numbers, got categories", fit, {weight = "w"},
    {a = {1, 2}, w = {"x", "y"}})
  refuses("bnn.data.preprocess: weight: expected another column than the label, got 'y'",
    bnn.data.preprocess, {label = "y", weight = "y"})
end

function TestPreprocess.test_its_schema_has_the_columns_that_it_needs_in_their_order()
  local t = bnn.data.table{
    {name = "y", values = {1, 2}}, {name = "id", values = {8, 9}},
    {name = "c", values = {"red", "blue"}}, {name = "a", values = {3, 4}},
  }
  local schema = bnn.data.preprocess{label = "y", columns = {id = "ignore"}}:fit(t):schema()
  lu.assertEquals(schema, {
    {name = "y", kind = "number", optional = true}, {name = "id", kind = "ignore"},
    {name = "c", kind = "category", categories = {"blue", "red"}}, {name = "a", kind = "number"},
  })
  local kinds = bnn.data.preprocess{label = "c"}:fit(t):schema()
  lu.assertEquals(kinds[3],
    {name = "c", kind = "category", categories = {"blue", "red"}, optional = true})
end

function TestPreprocess.test_it_prints_what_each_column_becomes()
  local text = tostring(fit({label = "y", columns = {id = "ignore"}},
    {a = {1, NAN, 3}, c = {"x", "y", "x"}, id = {1, 2, 3}, y = {10, 20, 60}}))
  for _, words in ipairs{"x [n, 4], fitted to 3 rows", "one_hot: x, y", "ignored",
                         "impute 2 and flag, standardise (mean 2, ",
                         "standardise (mean 30, std 21.602)"} do
    lu.assertStrContains(text, words)
  end
  lu.assertStrContains(tostring(bnn.data.preprocess{}), "not fitted")
end

function TestPreprocess.test_a_plain_table_is_told_from_one_of_columns()
  local prep = fit({}, {a = {1, 2}})
  refuses("table: expected a table, as bnn.data.table reads it, got a plain Lua table", prep.apply,
    prep, {a = 1})
end

function TestPreprocess.test_misuse_raises_in_one_line()
  local preprocess = bnn.data.preprocess
  refuses("unknown option 'lable': did you mean 'label'?", preprocess, {lable = "y"})
  refuses("numbers: expected steps, or \"ignore\"", preprocess, {numbers = 3})
  refuses("(did you mean standardise?)", preprocess, {numbers = "standardize"})
  refuses("expected steps of numbers, such as \"standardise\", got one_hot", preprocess,
    {numbers = "one_hot"})
  refuses("expected steps of categories, such as \"one_hot\", got log", preprocess,
    {categories = "log"})
  refuses("'log' is there twice", preprocess, {numbers = {"log", "log"}})
  refuses("columns: 'a': clip: unknown option 'mni'", preprocess,
    {columns = {a = {"clip", mni = 1}}})
  refuses("target: expected \"standardise\"", preprocess, {target = {"standardise", "log"}})
  refuses("target: expected \"standardise\"", preprocess, {target = "clip"})
  refuses("label: expected a name or", preprocess, {label = {3}})
  refuses("columns: expected names of columns, got 1", preprocess, {columns = {"log"}})
  refuses("expected a column 'prise' (did you mean 'price'?)", fit, {label = "prise"},
    {a = {1, 2}, price = {1, 2}})
  refuses("column 'c': expected steps of categories", fit, {columns = {c = "log"}},
    {c = {"x", "y"}})
  refuses("expected a column besides targets, got none", fit, {label = "a"}, {a = {1, 2}})
  refuses("table: expected a table, as bnn.data.table reads it, got a number", function()
    preprocess{}:fit(3)
  end)
  refuses("expected a fitted preprocess: prep:fit(table) makes one", function()
    preprocess{}:apply(rows_of{a = {1}})
  end)
  local prep = fit({label = "y"}, {a = {1, 2}, y = {1, 2}})
  refuses("got a fitted one", prep.fit, prep, rows_of{a = {1}})
  refuses("expected a column 'a'", prep.apply, prep, rows_of{b = {1}})
  refuses("column 'a': expected numbers, as in training, got categories", prep.apply, prep,
    rows_of{a = {"x"}})
  refuses("expected a preprocess before the colon", prep.apply, rows_of{a = {1}})
  refuses("expected level= or deviations=, got both", prep.interval, prep, {},
    {level = 0.9, deviations = 2})
  refuses("expected a number between 0 and 1, got 1", prep.interval, prep, {}, {level = 1})
end

TestUnits = {}

local key = bnn.key(5)
local RENTS = {a = {1, 2, 3, 4}, y = {100, 250, 400, 1000}}

-- A prediction of n rows by `draws` networks, as bnn.predict gives it.
local function prediction_of(n, draws)
  local means = bnn.randn(key:fold "m", draws, n, 1)
  local stds = bnn.rand(key:fold "s", draws, n, 1) + 0.5
  local mean = means:mean(1)
  local spread, noise = ((means - mean) ^ 2):mean(1), (stds ^ 2):mean(1)
  return {mean = mean, std = spread:sqrt(), noise_std = noise:sqrt(), draws = means,
          total_std = (spread + noise):sqrt(), draws_std = stds, num_samples = draws}
end

function TestUnits.test_standardised_predictions_and_their_deviations_are_undone_exactly()
  local prep = fit({label = "y"}, RENTS)
  near(prep:invert(prep:apply(rows_of(RENTS)).y):totable(), {{100}, {250}, {400}, {1000}}, 1e-2)
  local p = prediction_of(4, 3)
  local q, mean, std = prep:invert(p), 437.5, math.sqrt((337.5^2 + 187.5^2 + 37.5^2 + 562.5^2) / 4)
  near(q.mean:totable(), (p.mean * std + mean):totable(), 1e-2)
  near(q.draws[2]:totable(), (p.draws[2] * std + mean):totable(), 1e-2)
  for _, name in ipairs{"std", "noise_std", "total_std"} do
    near(q[name]:totable(), (p[name] * std):totable(), 1e-2)
  end
  near(q.draws_std[3]:totable(), (p.draws_std[3] * std):totable(), 1e-2)
  local interval = prep:interval(p, {deviations = 2})
  near(interval.hi:totable(), (q.mean + q.total_std * 2):totable(), 1e-1)
  near(prep:interval(p).lo:totable(), (q.mean - q.total_std * 1.6448536):totable(), 1e-1)
end

function TestUnits.test_metrics_are_in_the_units_of_the_target()
  local prep = fit({label = "y"}, RENTS)
  local part, p = prep:apply(rows_of(RENTS)), prediction_of(4, 3)
  local scaled, own = bnn.metrics.summary(p, part.y), prep:summary(p, part.y)
  local std = prep:invert(bnn.ones(1)):item() - prep:invert(bnn.zeros(1)):item()
  lu.assertAlmostEquals(own.rmse, scaled.rmse * std, 1e-2)
  lu.assertAlmostEquals(own.mae, scaled.mae * std, 1e-2)
  lu.assertAlmostEquals(own.crps, scaled.crps * std, 1e-2)
  lu.assertAlmostEquals(own.r2, scaled.r2, 1e-4)
  lu.assertEquals(own.coverage_90, scaled.coverage_90)
  lu.assertAlmostEquals(own.log_predictive_density,
    scaled.log_predictive_density - math.log(std), 1e-3)
end

-- Of 400,000 draws of the mixture: 4 sigma of their mean is 4 std / sqrt(400000) < 0.7% of std.
function TestUnits.test_a_logarithm_is_undone_by_the_moments_of_the_mixture()
  local prep = fit({label = "y", target = {"log", "standardise"}}, RENTS)
  local p = prediction_of(1, 4)
  p.draws, p.draws_std = p.draws * 0.3, p.draws_std * 0.3
  local q = prep:invert(p)
  local noise = bnn.randn(key:fold "draws", 4, 100000, 1)
  local samples = prep:invert(noise * p.draws_std:reshape(4, 1, 1) + p.draws:reshape(4, 1, 1))
  local mean = samples:mean():item()
  local std = math.sqrt(((samples - mean) ^ 2):mean():item())
  lu.assertAlmostEquals(q.mean:item(), mean, 0.01 * std)
  lu.assertAlmostEquals(q.total_std:item(), std, 0.05 * std)
  lu.assertAlmostEquals(q.std:item() ^ 2 + q.noise_std:item() ^ 2, q.total_std:item() ^ 2,
    1e-4 * std ^ 2)
  p.draws = nil
  refuses("expected a prediction with its draws", prep.invert, prep, p)
end

-- The density of y is that of its logarithm times 1/y: their integral over y is 1.
function TestUnits.test_the_density_of_a_logarithm_has_its_jacobian()
  for name, shift in pairs{log = 0, log1p = 1} do
    local prep = fit({label = "y", target = {name, "standardise"}}, RENTS)
    local one = prediction_of(1, 3)
    one.draws, one.draws_std = one.draws * 0.2, one.draws_std * 0.2
    local integral, step = 0, 0.01
    for log_y = 1, 10, step do
      local y = math.exp(log_y) - shift
      local z = prep:apply(rows_of{a = {1}, y = {y}}).y
      integral = integral
        + math.exp(prep:summary(one, z).log_predictive_density) * (y + shift) * step
    end
    lu.assertAlmostEquals(integral, 1, 1e-3)
  end
end

-- A row of weight 2 counts as two, one of weight 0 as none, whatever became of the target.
function TestUnits.test_metrics_take_weights()
  local twice = bnn.tensor({1, 3, 3, 4}, "i32")
  for _, target in ipairs{"standardise", "log", {"log1p", "standardise"}} do
    local prep = fit({label = "y", target = target}, RENTS)
    local part, p, repeated = prep:apply(rows_of(RENTS)), prediction_of(4, 3), {}
    for name, x in pairs(p) do
      if type(x) == "number" then repeated[name] = x
      elseif x:dim() == 2 then repeated[name] = x:index(twice)
      else
        repeated[name] = x:permute(2, 1, 3):contiguous():index(twice):permute(2, 1, 3):contiguous()
      end
    end
    local weighted = prep:summary(p, part.y, {weight = {1, 0, 2, 1}})
    local want = prep:summary(repeated, part.y:index(twice))
    for name, value in pairs(want) do
      lu.assertAlmostEquals(weighted[name], value, 1e-3 * math.max(1, math.abs(value)), name)
    end
    refuses("weight", prep.summary, prep, p, part.y, {weight = {1}})
    refuses("unknown option 'weights'", prep.summary, prep, p, part.y, {weights = {1, 1, 1, 1}})
  end
end

function TestUnits.test_the_interval_of_a_logarithm_is_that_of_the_logarithm_taken_back()
  local prep = fit({label = "y", target = "log"}, RENTS)
  local p = {mean = bnn.full({1, 1}, 2), total_std = bnn.full({1, 1}, 0.5)}
  local interval = prep:interval(p, {deviations = 1})
  lu.assertAlmostEquals(interval.lo:item(), math.exp(1.5), 1e-4)
  lu.assertAlmostEquals(interval.hi:item(), math.exp(2.5), 1e-4)
end

function TestUnits.test_targets_of_plain_parts_are_standardised_and_undone()
  local x = bnn.randn(key, 4, 2)
  local part = bnn.data.from_tensors{x = x, y = bnn.tensor{100, 250, 400, 1000}}
  local train, stats = bnn.data.standardise(part, {y = true})
  lu.assertAlmostEquals(train.y:mean():item(), 0, 1e-6)
  lu.assertAlmostEquals((train.y ^ 2):mean():item(), 1, 1e-5)
  near(bnn.data.unstandardise(train.y, stats):totable(), {100, 250, 400, 1000}, 1e-2)
  local again = bnn.data.standardise(part:slice(2, 3), stats)
  near(again.y:totable(), train.y:narrow(1, 2, 2):totable())
  local p, std = {mean = bnn.zeros(4), std = bnn.ones(4)}, stats.y.std:item()
  local q = bnn.data.unstandardise(p, stats)
  near({q.mean[1], q.std[1]}, {437.5, std}, 1e-2)
  lu.assertNil(select(2, bnn.data.standardise(part)).y)
  lu.assertEquals(bnn.data.standardise(part).y:totable(), part.y:totable())
end

function TestUnits.test_targets_of_plain_parts_that_cannot_be_standardised()
  local x, y = bnn.randn(key, 3, 2), bnn.tensor({0, 1, 0}, "i32")
  local standardise, part = bnn.data.standardise, bnn.data.from_tensors{x = x}
  local _, stats = standardise(part)
  refuses("y: expected a part with targets of numbers, got none", standardise, part, {y = true})
  refuses("got classes", standardise,
    bnn.data.from_tensors{x = x, y = y, classes = {"a", "b"}}, {y = true})
  refuses("expected those of bnn.data.standardise(part, {y = true})", bnn.data.unstandardise, x,
    stats)
  refuses("expected {mean=, std=} beside mean=, got true", standardise, part,
    {mean = stats.mean, std = stats.std, y = true})
  refuses("expected mean= and std= beside y=", standardise, part, {y = {}})
end

TestData = {}

local has_json = core.json_encode(true) ~= nil -- test_safetensors.lua tells of it

local function copy(data) return core.json_decode(core.json_encode(data)) end

local function described()
  local rows = {a = {1, NAN, 3, 4}, b = {1, 2, 3, 4}, c = {"x", "y", "", "x"}, y = {1, 2, 4, 9}}
  local prep = fit({label = "y", target = {"log", "standardise"}, columns = {b = "ignore"},
                    numbers = {"clip", "impute", "standardise"}}, rows)
  return table_preprocess.describe("test", prep), prep, rows_of(rows)
end

function TestData.test_a_value_made_of_its_data_does_the_same_bit_for_bit()
  if not has_json then return end
  local data, prep, rows = described()
  local back = assert(table_preprocess.of_data(copy(data)))
  lu.assertEquals(tostring(back), tostring(prep))
  local first, second = prep:apply(rows), back:apply(rows)
  lu.assertEquals(second.x:totable(), first.x:totable())
  lu.assertEquals(back:invert(second.y):totable(), prep:invert(first.y):totable())
  local kinds = fit({label = "c"}, {a = {1, 2}, c = {"x", "y"}})
  lu.assertEquals(table_preprocess.of_data(copy(table_preprocess.describe("test", kinds))).classes,
    {"x", "y"})
end

function TestData.test_data_that_are_damaged_anywhere_give_a_message()
  if not has_json then return end
  local data, _, rows = described()
  local refused = 0
  local function try(path, value)
    local bad = copy(data)
    local at = bad
    for i = 1, #path - 1 do at = at[path[i]] end
    at[path[#path]] = value
    local prep, fault = table_preprocess.of_data(bad)
    if not prep then
      lu.assertIsString(fault)
      lu.assertStrContains(fault, "preprocess: ")
      refused = refused + 1
      return
    end
    local ok, message = pcall(function() return prep:invert(prep:apply(rows).y), tostring(prep) end)
    if not ok then lu.assertIsString(message) end -- such as a mean that f32 cannot hold
  end
  local paths = {}
  local function collect(t, path)
    for name, value in pairs(t) do
      local own = table.move(path, 1, #path, 1, {})
      own[#own + 1] = name
      paths[#paths + 1] = own
      if type(value) == "table" then collect(value, own) end
    end
  end
  collect(copy(data), {})
  for _, path in ipairs(paths) do
    for _, value in ipairs{"text", -1, 1e300, false, {}, {1}, {{}}} do try(path, value) end
    try(path, nil)
  end
  lu.assertTrue(refused > #paths * 4)
  for _, bad in ipairs{false, 3, "x", {}, {1}} do
    lu.assertIsString(select(2, table_preprocess.of_data(bad)))
  end
end

TestFiles = {}

local function file_of(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

-- Reads a table of this text.
local function read(text, opts)
  local path = file_of(text)
  local rows, fault = bnn.data.table(path, opts)
  os.remove(path)
  return rows, fault
end

local TRAINING = "id,c,a,y\np1,red,1,10\np2,blue,?,30\np3,red,3,20\n"

function TestFiles.test_a_raw_file_is_read_by_what_was_fitted_to_another()
  local prep = bnn.data.preprocess{label = "y", columns = {id = "ignore"}}:fit(read(TRAINING))
  local first = prep:apply(read(TRAINING, {like = prep}))
  lu.assertEquals(prep:invert(first.y):size(1), 3)
  for _, text in ipairs{"c,a\nblue,3\nblue,NA\n", "a,id,c\n3,new,blue\n,p1,blue\n",
                        "a,c,y\n3,blue,7\n?,blue,8\n"} do
    local part = prep:apply(assert(read(text, {like = prep})))
    lu.assertEquals(part.names, {"c=blue", "c=red", "a", "a=missing"})
    near(part.x:totable(), {{1, 0, math.sqrt(1.5), 0}, {1, 0, 0, 1}})
  end
  local like = {like = {preprocess = prep}} -- as of a model
  lu.assertEquals(read("c,a\nred,3\n", like):column("c").categories, {"blue", "red"})
  local rows, fault = read("c,a\ngreen,3\n", {like = prep})
  lu.assertNil(rows)
  lu.assertStrContains(fault, "green")
  lu.assertStrContains(select(2, read("a,id\n3,p1\n", {like = prep})), "has no column 'c'")
end

function TestFiles.test_a_file_without_a_header_is_read_by_the_places_of_columns()
  local train = read("7 red 1 10\n8 blue 2 30\n", {header = false})
  local prep = bnn.data.preprocess{label = "column_4", columns = {column_1 = "ignore"}}:fit(train)
  local part = prep:apply(assert(read("9 blue 2 30\n5 red 1 10\n", {like = prep, header = false})))
  near(part.x:totable(), {{1, 0, 1}, {0, 1, -1}})
  near(part.y:totable(), {{1}, {-1}})
  local blind = prep:apply(assert(read("9 blue 2\n", {like = prep, header = false})))
  near(blind.x:totable(), {{1, 0, 1}})
  lu.assertNil(blind.y)
end

os.exit(lu.LuaUnit.run())
