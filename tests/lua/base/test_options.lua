--- Checked option tables (bnn.options) and the nearest name (bnn.nearest).
local lu = require "luaunit"
local core = require "bnn.core"
local nearest = require "bnn.base.nearest"
local options = require "bnn.base.options"

local spec = {
  steps = {type = "integer", min = 1, required = true},
  beta = "schedule", log = "any",
  hidden = {type = "integer", list = true, default = {64}},
  mode = {type = "string", choices = {"sum", "leading"}, default = "sum"},
  key = "key", size = "number|string",
}

local function train(opts) return options.check("bnn.train", opts, spec), nil end

local function fault_of(f, ...)
  local ok, fault = pcall(f, ...)
  lu.assertFalse(ok)
  return fault
end

TestOptions = {}

function TestOptions.test_defaults_are_filled_in_as_copies()
  local opts = train{steps = 1e3}
  lu.assertEquals(opts, {steps = 1000, hidden = {64}, mode = "sum"})
  lu.assertEquals(math.type(opts.steps), "integer")
  opts.hidden[1] = 0
  lu.assertEquals(spec.hidden.default, {64})
end

function TestOptions.test_the_table_given_is_left_as_it_was()
  local given = {steps = 3, hidden = {1}}
  local opts = train(given)
  opts.hidden[1], opts.steps = 7, 7
  lu.assertEquals(given, {steps = 3, hidden = {1}})
end

function TestOptions.test_what_is_wrong_is_named_with_what_is_wanted()
  local known = "known are beta, hidden, key, log, mode, size, steps"
  local rows = {
    {{stpes = 1}, "bnn.train: unknown option 'stpes': did you mean 'steps'? " .. known},
    {{steps = 1, zzzzz = 1}, "bnn.train: unknown option 'zzzzz': " .. known},
    {{steps = 1, 5}, "bnn.train: unknown option 1: " .. known},
    {{}, "bnn.train: steps: expected an integer, got nothing"},
    {nil, "bnn.train: steps: expected an integer, got nothing"},
    {5, "bnn.train: expected a table of options, got 5"},
    {{steps = 0}, "bnn.train: steps: expected at least 1, got 0"},
    {{steps = "3"}, "bnn.train: steps: expected an integer, got \"3\""},
    {{steps = 1, beta = "x"},
      "bnn.train: beta: expected a number or a function of the step, got \"x\""},
    {{steps = 1, beta = 0 / 0}, "bnn.train: beta: expected a finite number, got nan"},
    {{steps = 1, beta = -(0 / 0)}, "bnn.train: beta: expected a finite number, got nan"},
    {{steps = 1, mode = core.zeros(2)}, "bnn.train: mode: expected a string, got a tensor"},
    {{steps = 1, size = core.key(1)}, "bnn.train: size: expected a number or a string, got a key"},
    {{steps = 1, hidden = 3}, "bnn.train: hidden: expected a list, got 3"},
    {{steps = 1, hidden = {1, 0.5}}, "bnn.train: hidden: expected an integer, got {1, 0.5}"},
    {{steps = 1, hidden = {1, a = 2}}, "expected a list without named entries"},
    {{steps = 1, mode = "sun"}, "expected one of sum, leading (did you mean sum?)"},
    {{steps = 1, key = 3}, "bnn.train: key: expected a key, got 3"},
    {{steps = 1, size = {}}, "bnn.train: size: expected a number or a string, got a table"},
  }
  for i = 1, #rows do lu.assertStrContains(fault_of(train, rows[i][1]), rows[i][2]) end
end

function TestOptions.test_a_list_that_is_missing_is_called_a_list()
  local wants = {names = {type = "string", list = true, required = true}}
  lu.assertStrContains(fault_of(options.check, "f", {}, wants), "f: names: expected a list")
end

function TestOptions.test_the_error_is_at_the_line_of_the_caller()
  local line = debug.getinfo(1, "l").currentline + 1
  local fault = fault_of(function() options.check("bnn.train", {}, spec) end)
  lu.assertStrContains(fault, "test_options.lua:" .. line .. ": bnn.train:")
  fault = fault_of(function() require "bnn".train{} end) -- through functions of the library
  lu.assertStrContains(fault, ("test_options.lua:%d: bnn.train:"):format(line + 2))
end

function TestOptions.test_an_object_is_known_by_the_name_of_its_metatable()
  local key = setmetatable({}, {__name = "bnn.key"})
  lu.assertIs(train{steps = 1, key = key}.key, key)
end

function TestOptions.test_callable_objects_are_functions()
  local schedule = setmetatable({}, {__call = function() return 1 end})
  lu.assertIs(train{steps = 1, beta = schedule}.beta, schedule)
end

function TestOptions.test_false_is_a_value_not_an_absence()
  local opts = options.check("f", {on = false}, {on = {type = "boolean", default = true}})
  lu.assertFalse(opts.on)
end

function TestOptions.test_a_list_part_is_taken_where_the_spec_has_one()
  local layers = {[1] = {type = "integer", min = 1}, activation = "string"}
  local opts = options.check("mlp", {64, 10, activation = "relu"}, layers)
  lu.assertEquals(opts, {64, 10, activation = "relu"})
  local fault = fault_of(options.check, "mlp", {64, 0}, layers)
  lu.assertStrContains(fault, "mlp: 2: expected at least 1")
end

TestNearest = {}

function TestNearest.test_distances()
  local rows = {
    {"", "", 0}, {"abc", "", 3}, {"", "ab", 2}, {"beta", "beta", 0}, {"beat", "beta", 1},
    {"kitten", "sitting", 3}, {"steps", "stpes", 1}, {"lr", "rl", 1}, {"abcd", "badc", 2},
  }
  for _, row in ipairs(rows) do
    lu.assertEquals(nearest.distance(row[1], row[2]), row[3], row[1])
    lu.assertEquals(nearest.distance(row[2], row[1]), row[3], row[2])
  end
end

function TestNearest.test_the_nearest_is_found_and_the_far_is_not()
  local names = {"beta", "batch_size", "steps", "samples", "eval_samples"}
  local rows = {
    {"beat", "beta"}, {"batch", "batch_size"}, {"STEPS", "steps"}, {"sample", "samples"},
  }
  for _, row in ipairs(rows) do lu.assertEquals(nearest.find(row[1], names), row[2]) end
  lu.assertNil(nearest.find("temperature", names))
  lu.assertNil(nearest.find("x", names))
end

function TestNearest.test_several_come_in_order()
  lu.assertEquals(nearest.list("mean", {"man", "median", "mean", "mea"}, 3), {"mean", "man", "mea"})
end

os.exit(lu.LuaUnit.run())
