--- What the prompt shows of values, what Tab offers, and its history.
local lu = require "luaunit"
local bnn = require "bnn"

local completion = require "bnn.prompt.completion"
local core = require "bnn.core"
local history = require "bnn.prompt.prompt_history"
local members = require "bnn.prompt.members"
local show_value = require "bnn.prompt.show_value"
local suggestion = require "bnn.prompt.suggestion"

TestValues = {}

function TestValues.test_plain_values()
  lu.assertEquals(show_value.results(1, 0.5, "text", true, nil), "1\t0.5\ttext\ttrue\tnil")
  lu.assertEquals(show_value.results "\27[2J", "\\x1b[2J")
end

function TestValues.test_tables_are_sorted_and_quoted()
  local t = {3, "a\n", z = 1, b = {x = 1}, ["end"] = 2, [0.5] = 1, [true] = 0}
  lu.assertEquals(show_value.results(t),
    [[{3, "a\n", [0.5] = 1, b = {x = 1}, ["end"] = 2, z = 1, [true] = 0}]])
  lu.assertEquals(show_value.results{}, "{}")
end

function TestValues.test_tables_are_limited_in_depth_width_and_length()
  local deep = {}
  for _ = 1, 10 do deep = {deep} end
  lu.assertEquals(show_value.results(deep), "{{{{{...}}}}}")
  local wide = {}
  for i = 1, 30 do wide["field" .. i] = {near = ("x"):rep(50), far = ("y"):rep(50)} end
  lu.assertStrContains(show_value.results(wide), "field30 = {...}")
  local long = {}
  for i = 1, 10000 do long[i] = i end
  local text = show_value.results(long)
  lu.assertStrContains(text, "... 9980 more")
  for line in text:gmatch "[^\n]+" do lu.assertTrue(#line <= 80, line) end
  lu.assertEquals(show_value.results{name = ("x"):rep(40), other = ("y"):rep(40)},
    ('{\n  name = "%s",\n  other = "%s"\n}'):format(("x"):rep(40), ("y"):rep(40)))
end

function TestValues.test_cycles_are_shown_and_tables_named_twice_are_not_cycles()
  local t, u = {}, {1}
  t.own, t.a, t.b = t, u, u
  lu.assertEquals(show_value.results(t), "{a = {1}, b = {1}, own = <cycle>}")
end

function TestValues.test_code_of_the_user_cannot_fail_it()
  local function fail() error "called" end
  local trap = setmetatable({x = 1}, {__index = fail, __pairs = fail, __len = fail, __eq = fail})
  lu.assertEquals(show_value.results(trap), "{x = 1}")
  local bad = setmetatable({}, {__tostring = fail})
  lu.assertStrContains(show_value.results(bad), "its __tostring failed")
  lu.assertStrContains(show_value.results{bad}, "its __tostring failed")
  local odd = setmetatable({}, {__tostring = function() return {} end})
  lu.assertStrContains(show_value.results(odd), "its __tostring failed")
end

function TestValues.test_tensors_have_a_summary_when_elements_are_left_out()
  lu.assertStrContains(show_value.results(bnn.arange(1, 100)), "min 1, mean 50.5, max 100")
  lu.assertStrContains(show_value.results(bnn.ones(20):log() * (0 / 0)), "20 of 20 are nan")
  lu.assertNotStrContains(show_value.results(bnn.ones(3)), "mean")
  lu.assertStrContains(show_value.results(bnn.zeros(5, 0)), "[5, 0]")
end

function TestValues.test_a_table_of_functions_is_a_list_of_names()
  lu.assertStrContains(show_value.results(bnn.optim), "adam()")
  lu.assertNotStrContains(show_value.results(bnn), "= function")
end

function TestValues.test_objects_of_the_library()
  local key = bnn.key(1)
  local data = bnn.data.cubic{key = key}
  local net = bnn.nn.mlp{3, 1}
  local posterior = bnn.posterior.meanfield(net:init(key, data.train.x))
  local objective = bnn.elbo{
    net = net, posterior = posterior, likelihood = "categorical", beta = 1,
  }
  lu.assertStrContains(show_value.results(data), "data set\n  name   cubic\n")
  lu.assertStrContains(show_value.results(data), "\n  train  data: 100 examples")
  lu.assertStrContains(show_value.results(posterior), "mlp/linear_0/w")
  local bank = bnn.posterior.empirical{posterior:mean(), posterior:mean()}
  lu.assertStrContains(show_value.results(bank), "mlp/linear_0/w")
  local mixed = show_value.results(bnn.posterior.mixture{posterior, bank, weights = {3, 1}})
  lu.assertStrContains(mixed, "tensors\n  0.75  mean-field posterior over")
  lu.assertStrContains(mixed, "\n  0.25  empirical posterior of 2 networks over")
  lu.assertStrContains(show_value.results(objective), "10 parameters}\nmean-field posterior")
  local prediction = bnn.predict(objective, data.train.x, {key = key, num_samples = 2})
  lu.assertStrContains(show_value.results(prediction), "\n  class ")
end

function TestValues.test_networks_show_their_layers_when_init_has_seen_the_input()
  local net = bnn.nn.sequential{bnn.nn.conv2d(6, 5), bnn.nn.relu(), bnn.nn.mlp{3, 10}}
  lu.assertStrContains(show_value.results(net), "known after net:init(key, x)")
  net:init(bnn.key(1), bnn.zeros(1, 1, 28, 28))
  local text = show_value.results(net)
  for _, piece in ipairs{
    "\n  sequential/conv2d_0         conv2d(6, 5)  [n, 6, 24, 24]         156  w [6,",
    "\n  sequential/relu_0 ", "\n  sequential/mlp_0/linear_1   linear(10)    [n, 10] ",
    "\n  10567 parameters",
  } do
    lu.assertStrContains(text, piece)
  end
  for line in text:gmatch "[^\n]+" do lu.assertTrue(utf8.len(line) <= 80, line) end
  local f = bnn.transform(function(x) return bnn.nn.linear(2)(x) end)
  f:init(bnn.key(1), bnn.ones(1, 3))
  lu.assertStrContains(show_value.results(f),
    "linear  linear(2)  [n, 2]           8  w [3, 2], b [2]")
  lu.assertEquals(show_value.results(bnn.nn.linear(3)), "linear(3)")
end

function TestValues.test_wide_tensors_fit_the_terminal()
  for _, x in ipairs{
    bnn.arange(1, 1000), bnn.arange(1, 1000):view(20, 50) * 1e9, bnn.zeros(3, 4, 5, 100),
    bnn.zeros(30, 30):to "u8", bnn.arange(1, 1000) * 1e-30,
  } do
    for line in show_value.results(x):gmatch "[^\n]+" do lu.assertTrue(#line <= 80, line) end
  end
  lu.assertStrContains(show_value.results(bnn.arange(1, 30):log() * -1 / 0), "are infinite")
end

function TestValues.test_lists_of_records_are_tables_where_they_are_long()
  local short = {{a = 1}, {a = 2}}
  lu.assertEquals(show_value.results(short), "{{a = 1}, {a = 2}}")
  local runs = {}
  for i = 1, 3 do
    runs[i] = {id = "run" .. i, path = ("x"):rep(60), metrics = {loss = {value = i, step = 9}},
               config = {lr = i / 10}, tags = {}}
  end
  lu.assertStrContains(show_value.results(runs), "id    metrics.loss  config.lr  path")
  lu.assertStrContains(show_value.results(runs), "\nrun2             2      0.200  xxx")
end

function TestValues.test_states_data_and_results_of_experiments()
  local key = bnn.key(1)
  local part = bnn.data.from_tensors{x = bnn.ones(4, 2), y = bnn.tensor({0, 1, 1, 0}, "i32")}
  lu.assertEquals(show_value.results(part), (("data: 4 examples, x REAL [4, 2], y i32\n"
    .. "  x  REAL [4, 2]  min 1, mean 1, max 1\n  y  i32 [4]  0  1  1  0"):gsub("REAL", core.real)))
  local net = bnn.nn.mlp{3, 2}
  local objective = bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(net:init(key, part)), beta = 1,
    likelihood = "categorical",
  }
  local state = bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = 1e-3}, data = part, steps = 2,
    batch_size = 2, key = key, collect = bnn.collect.average(),
  }
  local text = show_value.results(state)
  lu.assertStrContains(text, "after 2 steps\n  next rate  0.001\n  trains     mean-field posterior")
  lu.assertStrContains(text, "\n  collects   average{")
  local e = bnn.load "cubic"
  lu.assertStrContains(show_value.results(e), "experiment: Bayesian regression on")
  local result = e.run({steps = 2, figures = "", predict_samples = 2}, bnn.log.memory())
  lu.assertStrContains(show_value.results(result), "\n  .posterior  mean-field posterior over 151")
end

function TestValues.test_logs_in_memory_and_models_of_checkpoints()
  local log = bnn.log.memory()
  lu.assertEquals(show_value.results(log), "log: 0 rows")
  log:row(7, {{"test/nll", 0.5}})
  lu.assertEquals(show_value.results(log), "log: 1 row, the last of step 7\n  test/nll  0.5")
  local net = bnn.nn.mlp{2}
  local model = require "bnn.base.describe".as("model", {
    net = net, params = net:init(bnn.key(1), bnn.ones(1, 3)), step = 5,
  })
  lu.assertStrContains(show_value.results(model), "\n  step    5\nmlp{2}\n  layer ")
  model.net = bnn.nn.mlp{2}
  lu.assertStrContains(show_value.results(model), "\n  step    5\n  mlp/linear_0/w  [3, 2]\n")
end

TestCompletion = {}

local complete = completion.new(bnn)

function TestCompletion.test_what_tab_inserts()
  _G.shown_value = {alpha_beta = 1, ["not a name"] = 2}
  for text, want in pairs{
    ["shown_value.al"] = "pha_beta", ["shown_val"] = "ue", ["bnn_absent.x"] = false,
    ["whi"] = "le", ["  "] = "  ", ["f()\n"] = "  ", ["('x'):re"] = false, ["x -- whi"] = false,
    ["table.unp"] = "ack", ["string.for"] = "mat",
  } do
    lu.assertEquals(complete(text) or false, want, text)
  end
end

function TestCompletion.test_options_come_from_the_documentation()
  lu.assertEquals(complete "bnn.optim.adam{clip_v", "alue = ")
  lu.assertEquals(complete "bnn.predict(model, x, {key = k, tole", "rance = ")
  lu.assertEquals(complete "bnn.train{steps = 3, on_", "step = ")
  lu.assertEquals(complete "x = {whi", "le", "a table of the user's own")
  local _, list = complete "bnn.optim.adam{"
  lu.assertStrContains(list, "clip_norm")
end

function TestCompletion.test_members_are_read_without_calls()
  local function fail() error "called" end
  local trap = setmetatable({own = 1}, {__index = setmetatable({far = fail}, {__index = fail})})
  lu.assertEquals(members.names(trap), {"far", "own"})
  lu.assertEquals(members.names(trap, true), {"far"})
  lu.assertNil(members.get(trap, "other"))
  local circle = {}
  setmetatable(circle, {__index = circle})
  lu.assertEquals(members.names(circle), {})
  lu.assertNotNil(members.get(bnn.ones(1), "sum"))
end

function TestCompletion.test_suggestions()
  lu.assertStrContains(suggestion.for_nil "table.conct", "did you mean table.concat?")
  lu.assertNil(suggestion.for_nil "table.zzzzzz")
  lu.assertNil(suggestion.for_nil "f(x)")
  lu.assertEquals(suggestion.for_error("stdin:1: attempt to call a nil value (field 'conct')",
    "x = table.conct{}"), "did you mean table.concat?")
end

TestHistory = {}

function TestHistory.test_entries_have_lines_and_come_once()
  local path = os.tmpname()
  os.remove(path)
  for _, text in ipairs{"a\nb", "c\\n", "a\nb", "d"} do history.append(path, text) end
  lu.assertEquals(history.read(path), {"c\\n", "a\nb", "d"})
  os.remove(path)
end

function TestHistory.test_a_long_file_is_cut_to_its_latest()
  local folder = os.tmpname()
  os.remove(folder)
  core.make_folder(folder)
  local path = folder .. "/history"
  local file = assert(io.open(path, "w"))
  for i = 1, 2 * history.MOST + 1 do file:write("x = ", i, "\n") end
  file:close()
  local kept = history.read(path)
  lu.assertEquals({#kept, kept[#kept]}, {history.MOST, "x = " .. 2 * history.MOST + 1})
  local lines = 0
  for _ in io.lines(path) do lines = lines + 1 end
  lu.assertEquals(lines, history.MOST)
  os.remove(path)
  os.remove(folder)
end

os.exit(lu.LuaUnit.run())
