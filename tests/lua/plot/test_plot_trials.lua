--- Figures of the trials of a sweep (bnn.plot.history, slice, parallel, cells, learning_curves,
-- pareto): what is drawn where, in SVGs that gnuplot writes.
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local plot_trials = require "bnn.plot.plot_trials"

local plot, NAN = bnn.plot, 0 / 0
local GNUPLOT = core.run_program{"gnuplot", "-V"} ~= nil
local folder

local function raises(text, f, ...) lu.assertErrorMsgContains(text, f, ...) end

local function in_folder(suite)
  function suite:setUp()
    lu.skipIf(not GNUPLOT, "no gnuplot")
    folder = os.tmpname()
    os.remove(folder)
    assert(core.make_folder(folder))
  end
  function suite:tearDown() os.execute("rm -rf " .. folder) end
  return suite
end

-- What a function of bnn.plot writes as SVG for these options.
local function svg_of(draw, opts)
  opts.path = folder .. "/x.svg"
  assert(draw(opts))
  local file <close> = assert(io.open(opts.path, "rb"))
  return file:read "a"
end

-- The texts of an SVG, parted by bars.
local function texts_of(svg)
  local texts = {}
  for text in svg:gmatch "<text>(.-)</text>" do texts[#texts + 1] = text:gsub("<.->", "") end
  return "|" .. table.concat(texts, "|") .. "|"
end

-- How many marks there are of each of gnuplot's kinds, those of the legend too.
local function marks_of(svg)
  local counts = {}
  for kind in svg:match("</defs>(.*)"):gmatch "<use xlink:href='#gpPt(%d+)'" do
    kind = tonumber(kind) + 1
    counts[kind] = (counts[kind] or 0) + 1
  end
  return counts
end

local CIRCLE, SQUARE, CROSS, RING, UP, DOWN = 7, 4, 2, 6, 9, 11

-- Seven trials: four completed, of which the third is the best for "max", two pruned, one failed.
local function sweep()
  return {
    values = {0.5, 0.7, 0.9, 0.6, 0.4, 0.3, nil}, mode = "max",
    states = {"completed", "completed", "completed", "completed", "pruned", "pruned", "failed"},
  }
end

local function with(t, more)
  for name, value in pairs(more) do t[name] = value end
  return t
end

local function parameters()
  return {
    {name = "lr", values = {1e-4, 1e-3, 1e-2, 1e-1, 1e-2, 1e-3, 1}, log = true},
    {name = "optimizer", values = {"adam", "sgd", "adam", "sgd", "sgd", "adam", "sgd"}},
    {name = "momentum", values = {nil, 0.5, nil, 0.9, 0.1, nil, 0.99}},
  }
end

TestReading = {}

function TestReading.test_states_and_the_best_follow_from_values()
  local values = {3, NAN, 1, [5] = 1, [6] = math.huge}
  local trials = plot_trials.read("x", {values = values, mode = "min"})
  lu.assertEquals(trials.states,
    {"completed", "failed", "completed", "failed", "completed", "failed"})
  lu.assertEquals({trials.best, trials.n}, {3, 6})
  lu.assertEquals(plot_trials.read("x", sweep()).best, 3)
  local pruned = {values = {3, 1}, states = {"completed", "pruned"}, mode = "min"}
  lu.assertEquals(plot_trials.read("x", pruned).best, 1)
  lu.assertNil(plot_trials.read("x", {values = {}, mode = "min"}).best)
end

function TestReading.test_what_is_far_worse_is_off_the_axis()
  local values = {1, 2, 3, 4, 5, 6, 7, 8, 1e6}
  local trials = plot_trials.read("x", {values = values, mode = "min"})
  local range, beyond = plot_trials.value_range(trials, {})
  lu.assertTrue(range[1] < 1 and range[2] > 8 and range[2] < 100)
  lu.assertEquals(beyond, {[9] = 1 + 3 * 6})
  trials = plot_trials.read("x", {values = values, mode = "max"}) -- then it is the best
  range, beyond = plot_trials.value_range(trials, {})
  lu.assertTrue(range[2] > 1e6)
  lu.assertEquals(beyond, {})
  lu.assertEquals({plot_trials.value_range(trials, {yrange = {0, 5}})}, {{0, 5}, {}})
end

function TestReading.test_tics_are_short()
  local rows = {[0.5] = "0.5", [200] = "200", [2e-5] = "2e-5", [5e7] = "5e7", [-1e-10] = "-1e-10",
                [0] = "0"}
  for v, text in pairs(rows) do lu.assertEquals(plot_trials.short(v), text) end
end

TestHistory = in_folder{}

function TestHistory.test_every_trial_is_marked_by_its_state()
  local svg = svg_of(plot.history, with(sweep(), {ylabel = "accuracy"}))
  local marks = marks_of(svg)
  -- one of each is in the legend
  lu.assertEquals({marks[CIRCLE], marks[SQUARE], marks[CROSS], marks[RING]}, {5, 3, 2, 2})
  lu.assertStrContains(texts_of(svg), "|trial|best so far|completed|pruned|failed|best|")
  local all = {values = {1, 2}}
  lu.assertStrContains(texts_of(svg_of(plot.history, all)), "|best so far|completed|best|")
end

function TestHistory.test_the_best_so_far_is_a_staircase_of_completed_trials()
  local svg = svg_of(plot.history, with(sweep(), {values = {0.5, 0.9, 0.7, 0.95, 1, 0.1}}))
  -- the legend's line; 0.5 at 1, 0.9 at 2, 0.95 at 4 and on to 7: the pruned 1 does not count
  local path = svg:match "gnuplot_plot_1.- d='(M[^']*)'"
  lu.assertEquals(select(2, path:gsub("[ML]", "")), 2 + 6, path)
end

function TestHistory.test_values_off_the_axis_are_marked_at_its_worse_edge()
  local values = {1, 2, 3, 4, 5, 6, 7, 8, 1e6}
  local svg = svg_of(plot.history, {values = values})
  lu.assertEquals(marks_of(svg)[UP], 2)
  lu.assertStrContains(texts_of(svg), "|off the axis|")
  for i, v in ipairs(values) do values[i] = -v end
  lu.assertEquals(marks_of(svg_of(plot.history, {values = values, mode = "max"}))[DOWN], 2)
end

function TestHistory.test_it_is_text_without_a_path_and_empty_without_trials()
  lu.assertStrContains(plot.history(with(sweep(), {ylabel = "accuracy"})), "best so far")
  lu.assertTrue(plot.history{values = {}, path = folder .. "/x.svg"})
  lu.assertTrue(plot.history{values = {NAN}, states = {"failed"}, path = folder .. "/x.svg"})
end

TestSlice = in_folder{}

function TestSlice.test_each_parameter_has_a_panel()
  local svg = svg_of(plot.slice, with(sweep(), {parameters = parameters(), ylabel = "accuracy"}))
  local texts, marks = texts_of(svg), marks_of(svg)
  for _, name in ipairs{"lr", "adam", "sgd", "optimizer", "momentum", "accuracy"} do
    lu.assertStrContains(texts, "|" .. name .. "|")
  end
  -- 4 + 4 + 2 completed, 2 + 2 + 1 pruned, 1 + 1 + 1 failed, of the best 1 + 1 + 0; and the legend
  lu.assertEquals({marks[CIRCLE], marks[SQUARE], marks[CROSS], marks[RING]}, {11, 6, 4, 3})
  lu.assertEquals(select(2, texts:gsub("|completed|", "")), 1)
end

function TestSlice.test_names_are_shown_as_written_and_cut_if_long()
  local svg = svg_of(plot.slice, {values = {1, 2}, title = "a_b %d", parameters = {
    {name = "x_{1}^2", values = {"50%", "the long name of a choice"}},
    {name = "y", values = {1, 2}},
  }})
  local texts = texts_of(svg)
  for _, text in ipairs{"a_b %d", "x_{1}^2", "50%", "the long\u{2026}"} do
    lu.assertStrContains(texts, "|" .. text .. "|")
  end
end

function TestSlice.test_one_parameter_and_one_value_have_an_axis()
  for _, p in ipairs{
    {name = "a", values = {3, 3}}, {name = "a", values = {3, 3}, log = true},
    {name = "a", values = {"x", "x"}}, {name = "a", values = {}}, {name = "a", values = {0.1, 0.3},
      log = true}, {name = "a", values = {1, 1e12}, log = true},
  } do
    lu.assertTrue(plot.slice{values = {1, 2}, parameters = {p}, path = folder .. "/x.svg"})
  end
end

TestParallel = in_folder{}

function TestParallel.test_a_line_runs_through_every_axis()
  local svg = svg_of(plot.parallel, with(sweep(), {parameters = parameters(), ylabel = "accuracy"}))
  local texts = texts_of(svg)
  lu.assertStrContains(texts, "|accuracy|lr|optimizer|momentum|")
  lu.assertStrContains(texts, "|failed|")
  for _, tic in ipairs{"1e-4", "adam", "sgd", "none", "0.2"} do
    lu.assertStrContains(texts, "|" .. tic .. "|")
  end
end

function TestParallel.test_it_is_drawn_of_anything()
  for _, opts in ipairs{
    {values = {}}, {values = {1}}, {values = {2, 2}}, {values = {NAN, NAN}},
    {values = {1e-9, 1, 1e9}, logy = true}, {values = {1, 2, 3, 4, 5, 6, 7, 8, -1e9}, mode = "max"},
  } do
    opts.parameters, opts.path = parameters(), folder .. "/x.svg"
    lu.assertTrue(plot.parallel(opts))
  end
end

TestCells = in_folder{}

local function grid()
  return {
    values = {0.5, 0.7, 0.6, 0.8, 0.9, nil}, mode = "max", zlabel = "accuracy",
    x = {name = "beta", values = {1, 1, 0.1, 0.1, 0.01, 0.01}},
    y = {name = "logvar", values = {-7, -7, -7, -1, -7, -1}},
  }
end

function TestCells.test_cells_hold_means_and_missing_ones_are_hatched()
  local svg = svg_of(plot.cells, grid())
  local texts = texts_of(svg)
  for _, text in ipairs{"0.600", "0.800", "0.900", "beta", "logvar", "0.01", "-7", "accuracy"} do
    lu.assertStrContains(texts, "|" .. text .. "|")
  end
  lu.assertNil(texts:find("nan", 1, true))
  lu.assertNotNil(svg:find "<pattern") -- hatches
end

function TestCells.test_as_text_they_are_a_table()
  lu.assertEquals(plot.cells(with(grid(), {title = "accuracy"})), table.concat({
    "accuracy",
    "logvar \\ beta    0.01    0.1      1",
    "-1                  -  0.800      -",
    "-7             0.900*  0.600  0.600",
    "",
  }, "\n"))
  local min = with(grid(), {mode = "min"})
  lu.assertStrContains(plot.cells(min), "0.600*")
end

function TestCells.test_pruned_trials_do_not_count()
  local opts = with(grid(), {states = {"completed", "pruned", "completed", "pruned", "completed"}})
  lu.assertStrContains(plot.cells(opts), "-7             0.900*  0.600  0.500")
  lu.assertStrContains(plot.cells(opts), "-1                  -      -      -")
end

function TestCells.test_many_numbers_are_put_together()
  local x, y, v = {}, {}, {}
  for i = 1, 100 do x[i], y[i], v[i] = 10.0 ^ (i / 25), i % 3, i end
  local opts = {values = v, bins = 4, x = {name = "x", values = x, log = true, low = 1},
                y = {name = "y", values = y}}
  local text = plot.cells(opts)
  lu.assertStrContains(text, "1 to 10  10 to 1e+02  1e+02 to 1e+03  1e+03 to 1e+04")
  -- y = 1 has 1, 4, .., 22 (and 25 = 10^1 begins the next)
  lu.assertStrContains(text, "11.5*")
end

TestCurves = in_folder{}

local function curve(state, y, label) return {y = y, state = state, label = label} end

function TestCurves.test_few_have_names_and_many_states()
  local few = {curve(nil, {1, 2, 3}, "a"), curve("pruned", {1, 2}, "b"), curve("failed", {1}, "c")}
  local svg = svg_of(plot.learning_curves, {trials = few, mode = "max"})
  lu.assertStrContains(texts_of(svg), "|a|b|c|pruned|failed|")
  lu.assertEquals({marks_of(svg)[SQUARE], marks_of(svg)[CROSS]}, {2, 2})
  for i = 1, 6 do few[#few + 1] = curve(nil, {1, 2, 3 + i}) end
  svg = svg_of(plot.learning_curves, {trials = few, mode = "max"})
  lu.assertStrContains(texts_of(svg), "|completed|pruned|failed|best: trial 9|")
  svg = svg_of(plot.learning_curves, {trials = few})
  lu.assertStrContains(texts_of(svg), "|best: a|")
  svg = svg_of(plot.learning_curves, {trials = few, best = 5})
  lu.assertStrContains(texts_of(svg), "|best: trial 5|")
end

function TestCurves.test_runs_are_averaged_with_a_band()
  local runs = {{x = {1, 2}, y = {1, 3}}, {x = {1, 2, 3}, y = {3, 5, 7}}}
  local svg = svg_of(plot.learning_curves, {trials = {{runs = runs}}, yrange = {0, 8}})
  lu.assertNotNil(svg:find "<polygon")
  lu.assertNil(svg_of(plot.learning_curves, {trials = {{y = {1, 2}}}}):find("<polygon"))
end

function TestCurves.test_they_are_drawn_of_anything()
  for _, trials in ipairs{{}, {curve(nil, {})}, {curve(nil, {NAN})}, {{runs = {}}},
                          {curve(nil, bnn.tensor{1, 2, 3})}} do
    lu.assertTrue(plot.learning_curves{trials = trials, path = folder .. "/x.svg"})
  end
end

TestPareto = in_folder{}

function TestPareto.test_the_front_is_what_nothing_beats()
  local x, y = {1, 2, 3, 2, 3, NAN, 1}, {3, 2, 1, 3, 3, 0, 3}
  local svg = svg_of(plot.pareto, {x = x, y = y})
  lu.assertStrContains(texts_of(svg), "|Pareto front (4)|") -- the last equals the first
  svg = svg_of(plot.pareto, {x = x, y = y, xmode = "max", ymode = "max"})
  lu.assertStrContains(texts_of(svg), "|Pareto front (1)|")
  local states = {"completed", "pruned", "completed", "completed", "completed"}
  svg = svg_of(plot.pareto, {x = {1, 2, 3, 2, 3}, y = {3, 2, 1, 3, 3}, states = states})
  lu.assertStrContains(texts_of(svg), "|completed|pruned|Pareto front (2)|")
  lu.assertTrue(plot.pareto{x = {}, y = {}, path = folder .. "/x.svg"})
end

TestWrong = {}

function TestWrong.test_what_is_wrong_is_named()
  local rows = {
    {"bnn.plot.history: values: expected a table, got nothing", plot.history, {}},
    {"bnn.plot.history: values[2]: expected a number, got a string", plot.history,
      {values = {1, "x"}}},
    {'states[1]: expected "completed", "pruned", "failed" or "running", got "done"', plot.history,
      {values = {1}, states = {"done"}}},
    {"unknown option 'xlogscale'", plot.history, {values = {}, xlogscale = true}},
    {"bnn.plot.slice: path: expected a string, got nothing", plot.slice,
      {values = {1}, parameters = {{name = "a", values = {1}}}}},
    {"bnn.plot.slice: parameters: expected at least one, got none", plot.slice,
      {values = {1}, parameters = {}, path = "x.svg"}},
    {"parameter 1: a: values[1]: expected a number above 0, as log is true, got 0", plot.parallel,
      {values = {1}, parameters = {{name = "a", values = {0}, log = true}}, path = "x.svg"}},
    {"bnn.plot.cells: y: name: expected a string, got nothing", plot.cells,
      {values = {1}, x = {name = "a", values = {1}}, y = {values = {1}}}},
    {"bnn.plot.cells: expected trials that have both parameters, got none", plot.cells,
      {values = {1}, x = {name = "a", values = {1}}, y = {name = "b", values = {}}}},
    {"bnn.plot.learning_curves: trial 1: run 2: y: expected a tensor or a table, got 3",
      plot.learning_curves, {trials = {{runs = {{y = {1}}, {y = 3}}}}}},
    {"trial 1: y: expected [1], as x, got [2]", plot.learning_curves,
      {trials = {{x = {1}, y = {1, 2}}}}},
    {"bnn.plot.learning_curves: best: expected the place of one of 1 trials, got 2",
      plot.learning_curves, {trials = {{y = {1}}}, best = 2}},
    {"bnn.plot.pareto: y[1]: expected a number, got true or false", plot.pareto,
      {x = {1}, y = {true}}},
  }
  for _, row in ipairs(rows) do raises(row[1], row[2], row[3]) end
end

os.exit(lu.LuaUnit.run())
