--- What a sweep shows at its end: text and table, the best trials, what mattered, figures, report.
package.path = (arg[0]:match "^.*/" or "./") .. "../?.lua;" .. (arg[0]:match "^.*/" or "./")
  .. "?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local run_folder = require "bnn.records.run_folder"
local sweep_result = require "bnn.sweep.sweep_result"
local sweeps = require "sweeps"

local in_folder, sweep = sweeps.in_folder, sweeps.sweep

local function page_of(result)
  local path = assert(result:report())
  return assert(run_folder.read(path)), path
end

-- Pages are long: what fails is the piece alone.
local function assert_has(text, piece)
  if not text:find(piece, 1, true) then lu.fail("not there: " .. piece) end
end

local function assert_lacks(text, piece)
  if text:find(piece, 1, true) then lu.fail("there: " .. piece) end
end

local function names_of(figures)
  local names = {}
  for i, figure in ipairs(figures) do names[i] = figure.path:match "([^/]+)%.%l+$" end
  table.sort(names)
  return table.concat(names, " ")
end

-- A function with two objectives, whose reports a pruner may see.
local function mixed(cfg, log)
  if cfg.kind == "bad" then error("no <b>" .. cfg.kind .. "</b>", 0) end
  for step = 10, 30, 10 do log:row(step, {{"loss", cfg.x + 1 / step}}) end
  return {loss = cfg.x + cfg.seed / 100, size = 10 - cfg.x}
end

TestText = {}

function TestText.test_it_has_the_counts_the_best_and_why_runs_failed()
  in_folder(function(root)
    local function f(cfg)
      if cfg.x > 2 then error(("x is %d\nmore"):format(cfg.x % 2), 0) end
      return {loss = (cfg.x - 2) ^ 2 + cfg.seed / 100}
    end
    local result = sweep(root, {experiment = f, space = {x = {1, 2, 3, 4, 5}}, seeds = 2})
    lu.assertEquals(result:text(), [[
5 trials: 2 completed, 3 failed

trial  x   loss      se  n
    2  2  0.015  0.0050  2
    1  1  1.015  0.0050  2

failed:
  trial 3, seed 1 and 3 more: x is 1
  trial 4, seed 1 and 1 more: x is 0
]])
    assert_lacks(result:text(0), "    2  2")
    lu.assertEquals(tostring(result), ("sweep: %s, 4 of 10 runs done, 6 failed"):format(
      result.name))
  end)
end

function TestText.test_one_trial_and_none_that_is_complete_have_texts()
  in_folder(function(root)
    lu.assertEquals(sweep(root, {space = {x = {2}}}):text(),
      "1 trial: 1 completed\n\ntrial  x     loss\n    1  2  0.01000\n")
    local result = sweep(root, {experiment = function() error("no", 0) end, name = "bad",
                                space = {x = {2}}})
    lu.assertEquals(result:text(), "1 trial: 1 failed\n\nfailed:\n  trial 1: no\n")
    lu.assertEquals(result:table(), "trial  x  loss\n")
    lu.assertNil(result.best)
  end)
end

function TestText.test_a_sweep_that_ended_early_has_unfinished_trials()
  in_folder(function(root)
    local f = function(cfg)
      if cfg.x == 1 then error("first", 0) end
      sweeps.sleep()
    end
    local result = sweep(root, {experiment = f, fail_fast = true, workers = 2})
    assert_has(result:text(), "2 trials: 1 failed, 1 unfinished\n")
  end)
end

function TestText.test_what_mattered_is_named_once_ten_trials_are_complete()
  in_folder(function(root)
    local function f(cfg) return {loss = (cfg.x - 2) ^ 2 + cfg.y / 1000} end
    local opts = {experiment = f, space = {x = {0, 1, 2, 3, 4, 5}, y = {1, 2}}, name = "s"}
    local result = sweep(root, opts)
    local first = result:importance()[1]
    lu.assertEquals(first.name, "x")
    lu.assertTrue(first.importance > 0.8)
    lu.assertStrMatches(result:text():match "\nwhat[^\n]*", "\nwhat mattered %(PED%-ANOVA%): "
      .. "x %d+%%, y %d+%%")
    opts.name, opts.space = "few", {x = {0, 1}, y = {1, 2}}
    result = sweep(root, opts)
    lu.assertEquals({result:importance()},
      {nil, "importance: expected at least 10 trials with a value, got 4"})
    assert_lacks(result:text(), "what mattered")
    opts.name, opts.space = "same", {x = {0}}
    lu.assertEquals({sweep(root, opts):importance()},
      {nil, "importance: no parameter differs between trials"})
  end)
end

TestTable = {}

function TestTable.test_values_are_short_and_missing_ones_are_dashes()
  in_folder(function(root)
    local long = ("a long name "):rep(9)
    local result = sweep(root, {
      experiment = function(cfg) return {loss = cfg.lr * (cfg.a and 2 or 1)} end,
      space = {lr = {0.123456789}, sizes = bnn.space.choice{{64, 64}, {1000000}},
               kind = {long, "b"}, a = bnn.space.conditional("kind", "b", {1, 2})},
    })
    local lines = {}
    for line in result:table():gmatch "[^\n]+" do lines[#lines + 1] = line end
    lu.assertEquals(lines[1], "trial  kind" .. (" "):rep(36) .. "  a      lr  sizes      loss")
    lu.assertEquals(lines[2], "    1  " .. long:sub(1, 39) .. "…  -  0.1235  64,64    0.1235")
    lu.assertEquals(lines[4], "    3  b" .. (" "):rep(39) .. "  1  0.1235  64,64    0.2469")
    lu.assertEquals(#lines, 7)
  end)
end

function TestTable.test_wrong_arguments_raise()
  in_folder(function(root)
    local result = sweep(root, {space = {x = {2}}})
    for _, row in ipairs{
      {"result:table: count: expected an integer", result.table, "x"},
      {"result:report: path: expected a path, got a number", result.report, 3},
      {"result:figures: folder: expected a path, got nil", result.figures},
      {"result:figures: kind: expected", result.figures, "x", "pdf"},
    } do
      lu.assertErrorMsgContains(row[1], row[2], result, row[3], row[4])
    end
  end)
end

TestObjectives = {}

function TestObjectives.test_the_pareto_set_comes_first_and_is_marked()
  in_folder(function(root)
    local values = {{1, 5}, {2, 2}, {3, 3}, {2, 1}, {1, 5}, {4, 0}}
    local result = sweep(root, {
      experiment = function(cfg) return {a = values[cfg.i][1], b = values[cfg.i][2]} end,
      space = {i = {1, 2, 3, 4, 5, 6}}, objective = {"a", "b"}, mode = "min", seeds = 2,
    })
    local front = {}
    for i, trial in ipairs(result.pareto) do front[i] = trial.number end
    lu.assertEquals(front, {1, 5, 4, 6})
    lu.assertEquals(result.best.number, 1)
    lu.assertEquals(result:table(5), [[
trial  i      a      se      b      se  n  Pareto
    1  1  1.000  0.0000  5.000  0.0000  2  *
    5  5  1.000  0.0000  5.000  0.0000  2  *
    4  4  2.000  0.0000  1.000  0.0000  2  *
    6  6  4.000  0.0000  0.000  0.0000  2  *
    2  2  2.000  0.0000  2.000  0.0000  2  -
]])
    assert_has(result:text(), "6 trials: 6 completed; Pareto front: 4\n")
    lu.assertEquals(names_of(result:figures(root .. "/f")),
      "history history-2 pareto slice slice-2")
    local page = page_of(result)
    assert_has(page, "<h3 style=\"margin-top:0\">Pareto front</h3>")
    local head = page:match "^(.*)<section id=\"sweep%-figures\""
    lu.assertEquals(select(2, head:gsub('<tr class="best">', "")), 4)
  end)
end

function TestObjectives.test_equals_are_ordered_by_the_next_objective()
  in_folder(function(root)
    local result = sweep(root, {
      experiment = function(cfg) return {a = 1, b = -cfg.i} end, space = {i = {1, 2, 3}},
      objective = {"a", "b"}, mode = {"max", "min"},
    })
    lu.assertEquals({result.best.number, #result.pareto}, {3, 1})
  end)
end

TestFigures = {}

local function figures_of(root, name, opts)
  opts.name = name
  local list = assert(sweep(root, opts):figures(root .. "/" .. name))
  for _, figure in ipairs(list) do
    assert_has(assert(run_folder.read(figure.path)), "</svg>")
  end
  return names_of(list)
end

function TestFigures.test_they_are_what_the_trials_have()
  in_folder(function(root)
    local function f(cfg) return {loss = cfg.x + (cfg.y or 0) + (cfg.z == "b" and 1 or 0)} end
    lu.assertEquals(figures_of(root, "constant", {space = {x = {2}}}), "history")
    lu.assertEquals(figures_of(root, "one", {}), "history slice")
    lu.assertEquals(figures_of(root, "grid", {experiment = f, space = {x = {1, 2}, y = {1, 2}}}),
      "cells history parallel slice")
    lu.assertEquals(figures_of(root, "three", {experiment = f,
      space = {x = {1, 2}, y = {1, 2}, z = {"a", "b"}}}),
      "cells-1 cells-2 history parallel slice")
    lu.assertEquals(figures_of(root, "points", {experiment = f, trials = 6,
      space = {x = bnn.space.uniform(0, 1), y = bnn.space.log(1, 2)}}), "history parallel slice")
    lu.assertEquals(figures_of(root, "curves", {experiment = mixed,
      space = {x = {1, 2, 3}, kind = {"good", "bad"}}}), "cells curves history parallel slice")
    lu.assertEquals(figures_of(root, "failed", {space = {x = {1, 2}},
      experiment = function() error("no", 0) end}), "history slice")
  end)
end

function TestFigures.test_a_picture_of_pixels_is_drawn_where_asked_for()
  in_folder(function(root)
    local list = assert(sweep(root, {}):figures(root .. "/f", "png"))
    lu.assertEquals(run_folder.read(list[1].path):sub(2, 4), "PNG")
    assert(io.open(root .. "/file", "w")):close()
    local none, fault = sweep(root, {}):figures(root .. "/file/f")
    lu.assertNil(none)
    assert_has(fault, "file")
  end)
end

TestPage = {}

function TestPage.test_it_shows_failed_and_pruned_trials_with_their_reasons()
  in_folder(function(root)
    local result = sweep(root, {
      experiment = mixed, space = {x = {1, 2, 3}, kind = {"<good>", "bad"}}, name = "a & b",
      pruner = function(trial, _, step) return trial.config.x == 3 and step >= 20, "x is <3>" end,
    })
    local page, path = page_of(result)
    lu.assertEquals(path, root .. "/sweeps/a & b/report.html")
    assert_has(page, "<h1>Sweep a &amp; b</h1>")
    assert_has(page, '<span class="completed">2 completed</span>')
    assert_has(page, '<span class="pruned">1 pruned</span>')
    assert_has(page, '<span class="failed">3 failed</span>')
    assert_has(page, "no &lt;b&gt;bad&lt;/b&gt;")
    assert_has(page, 'id="pruned"')
    assert_has(page, "x is &lt;3&gt;")
    assert_has(page, ">20</td><td class=\"number\">3.050</td>")
    assert_lacks(page, "<b>bad")
    assert_lacks(page, "<good>")
    assert_has(page, "id=\"results\"")
    assert_lacks(page, "id=\"best\"")
    assert_has(page, "&lt;good&gt;")
  end)
end

function TestPage.test_runs_of_a_function_have_no_command_of_their_own()
  in_folder(function(root)
    local page = page_of(sweep(root, {}))
    assert_lacks(page, "id=\"commands\"")
    assert_has(page:gsub("<[^>]*>", ""), "bnnlua " .. arg[0])
    assert_has(page, "The trials are runs of a function of this script")
  end)
end

function TestPage.test_a_trial_of_a_file_has_the_command_that_makes_it_again()
  in_folder(function(root)
    local path = root .. "/toy.lua"
    local file <close> = assert(io.open(path, "w"))
    file:write [[
      local bnn = require "bnn"
      return bnn.main{about = "a toy", objective = {"loss", "min"},
        defaults = {lr = {0.5, "rate"}, seed = {1, "seed"}, steps = {3, "steps"}},
        run = function(cfg) return {loss = cfg.lr} end}]]
    file:close()
    local result = sweep(root, {experiment = path, space = {lr = {0.25, 0.125}}, seeds = 2,
                                config = {steps = 2}, objective = false, mode = false})
    local page = page_of(result)
    local command = page:gsub("<[^>]*>", "")
    assert_has(command, "bnnlua " .. path .. " --lr=0.125 --seed=1 --steps=2")
    assert_has(page, "id=\"commands\"")
  end)
end

function TestPage.test_it_is_written_where_asked_for_also_if_nothing_is_complete()
  in_folder(function(root)
    local result = sweep(root, {experiment = function() error("no", 0) end})
    local path = root .. "/some/where.html"
    lu.assertEquals(result:report(path), path)
    assert_has(assert(run_folder.read(path)), "No trial is complete.")
    assert(io.open(root .. "/file", "w")):close()
    local none, fault = result:report(root .. "/file/x.html")
    lu.assertNil(none)
    assert_has(fault, root .. "/file")
  end)
end

-- A result of a sweep of many trials that was never made.
local function large(root, n)
  local plan = sweep(root, {
    space = {x = bnn.space.uniform(0, 4), lr = bnn.space.log(1e-4, 1), kind = {"a", "b", "c"}},
    trials = 1,
  }).plan
  local trials, reports = {}, {}
  for i = 1, n do
    local cfg = plan.sampler:propose(i, {})
    local value = (cfg.x - 2) ^ 2 + math.log(cfg.lr, 10)
    local run = {state = "completed", outcome = {values = {value}, metrics = {loss = value},
                                                 seconds = 1}}
    trials[i] = {number = i, config = cfg, state = "completed", runs = {run}, values = {value},
                 value = value, seeds = {{seed = 1, value = value}}, reports = {}}
    reports[i] = {}
    for step = 1, 20 do reports[i][step] = {step, value + 1 / step} end
  end
  return sweep_result.new(plan, {
    trials = function() return trials end, reports = function() return reports end,
    counts = function() return {completed = n, pruned = 0, failed = 0, total = n} end,
  })
end

function TestPage.test_a_thousand_trials_fit_on_a_page_with_all_figures()
  in_folder(function(root)
    local from = os.clock()
    local result = large(root, 1000)
    assert_has(result:text(), "1000 trials: 1000 completed")
    local page = page_of(result)
    lu.assertTrue(os.clock() - from < 4, os.clock() - from)
    lu.assertTrue(#page < 1000000, #page)
    assert_lacks(page, "Left out")
    lu.assertEquals(select(2, page:gsub("<figcaption>", "")), 4)
    assert_has(page, "of 60 of the 1000 trials, the best first")
    assert_has(page, "a line for each of the 200 best trials")
    assert_has(page, "20 trials shown of 1000")
  end)
end

os.exit(lu.LuaUnit.run())
