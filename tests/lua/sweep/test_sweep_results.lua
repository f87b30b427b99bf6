--- What sweeps come to: the same for any number of workers, seeds, several objectives, constraints,
-- samplers and pruners of one's own.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. arg[0]:match "^.*/" .. "?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local number = require "bnn.base.number"
local sweeps = require "sweeps"

local in_folder, sweep, text_of = sweeps.in_folder, sweeps.sweep, sweeps.text_of

-- A space with a condition and a constraint, and a function on it.
local function mixed()
  return bnn.space{
    x = bnn.space.uniform(0, 1), n = bnn.space.integer(1, 8), kind = {"a", "b"},
    m = bnn.space.conditional("kind", "b", bnn.space.log(1e-3, 1)),
    function(cfg) return cfg.x * cfg.n < 5 end,
  }
end

local function mixed_loss(cfg)
  return {loss = (cfg.x - 0.3) ^ 2 + cfg.n / 10 + (cfg.m or 0.5) + (cfg.kind == "a" and 0.1 or 0)}
end

TestWorkers = {}

function TestWorkers.test_samplers_that_do_not_learn_give_the_same_with_any_number()
  for _, name in ipairs{"random", "sobol", "halton", "latin", "grid:points=2"} do
    local texts = {}
    for workers = 1, 3, 2 do
      in_folder(function(root)
        local result = sweep(root, {
          experiment = mixed_loss, space = mixed(), sampler = name, trials = 6, key = 3,
          workers = workers,
        })
        lu.assertEquals(result.counts.completed, 6)
        texts[#texts + 1] = text_of(result)
      end)
    end
    lu.assertEquals(texts[1], texts[2], name)
  end
end

-- A sampler that goes on from the best of those that it sees.
local function climb(history, _, key)
  local best
  for _, trial in ipairs(history) do
    if trial.state == "completed" and (not best or trial.value < best.value) then best = trial end
  end
  local u = bnn.rand(key, 1):item()
  if not best then return {x = u * 4, y = 1} end
  best.config.x = best.config.x + (u - 0.5) / 2 -- which changes no other's history
  best.config.x = math.min(math.max(best.config.x, 0), 4)
  best.config.y = best.number % 3
  return best.config
end

function TestWorkers.test_samplers_that_learn_give_the_same_with_the_same_delay()
  local function space() return {x = bnn.space.uniform(0, 4), y = {0, 1, 2}} end
  for i, sampler in ipairs{"tpe:startup_trials=3", climb} do
    local texts = {}
    for _, workers in ipairs{1, 2, 3} do
      in_folder(function(root)
        texts[#texts + 1] = text_of(sweep(root, {
          experiment = function(cfg) return {loss = (cfg.x - 2) ^ 2 + cfg.y} end, space = space(),
          sampler = sampler, trials = 9, delay = 1, workers = workers,
        }))
      end)
    end
    lu.assertEquals({texts[2], texts[3]}, {texts[1], texts[1]}, i)
  end
end

-- What a sampler saw of each trial before, as text.
function TestWorkers.test_a_sampler_sees_the_trials_before_the_last_ones()
  in_folder(function(root)
    local seen = {}
    sweep(root, {
      space = {x = {1, 2, 3, 4, 5}}, trials = 5, workers = 3, sampler = function(history, _, _, n)
        local words = {}
        for i, trial in ipairs(history) do
          words[i] = ("%d %s %s"):format(trial.number, trial.state, number.text(trial.value))
        end
        seen[n] = table.concat(words, ", ")
        return {x = n}
      end,
    })
    lu.assertEquals(seen, {"", "1 running nil", "1 running nil, 2 running nil",
      "1 completed 1.01, 2 running nil, 3 running nil",
      "1 completed 1.01, 2 completed 0.01, 3 running nil, 4 running nil"})
  end)
end

function TestWorkers.test_none_waits_for_the_slow_ones_if_the_sampler_does_not_learn()
  in_folder(function(root)
    sweep(root, {
      space = {x = {1, 2, 3, 4}}, experiment = function(cfg)
        if cfg.x == 1 then sweeps.wait_for(function() return sweeps.noted(root)["3"] end) end
        sweeps.note(root, cfg.x)
        return {loss = cfg.x}
      end,
    })
    lu.assertEquals(sweeps.noted(root), {["1"] = 1, ["2"] = 1, ["3"] = 1, ["4"] = 1})
  end)
end

TestResults = {}

function TestResults.test_the_best_the_columns_and_the_record_of_each_run()
  in_folder(function(root)
    local result = sweep(root, {seeds = 2, config = {seed = 4}})
    lu.assertEquals(tostring(result), ("sweep: %s, 6 of 6 runs done, 0 failed"):format(result.name))
    local best = result.best
    lu.assertEquals({best.number, best.config, best.n}, {2, {x = 2}, 2})
    lu.assertAlmostEquals(best.value, 0.045, 1e-15)
    lu.assertAlmostEquals(best.se, 0.005, 1e-12)
    lu.assertEquals(result.trials.number, {1, 2, 3})
    lu.assertAlmostEquals(result.trials.metrics[2].loss, 0.045, 1e-15)
    lu.assertAlmostEquals(result.trials.metrics_se[2].loss, 0.005, 1e-12)
    lu.assertEquals(result.trials.config, {x = {1, 2, 3}})
    lu.assertEquals(result.trials.state, {"completed", "completed", "completed"})
    local runs = assert(bnn.run.list{runs = root})
    lu.assertEquals(#runs, 6)
    for _, run in ipairs(runs) do
      local about = assert(bnn.run.open(run.id, {runs = root})).about
      lu.assertEquals({about.status, about.sweep, run.config.seed - 3, run.metrics.loss.value},
        {"completed", result.name, about.replicate, (about.trial - 2) ^ 2 + run.config.seed / 100})
      lu.assertEquals(result.list[about.trial].runs[about.replicate].run, run.id)
      lu.assertEquals(bnn.run.open(run.id, {runs = root}):verify(), {})
    end
  end)
end

function TestResults.test_metrics_may_be_tensors_and_come_from_the_log_or_the_result()
  in_folder(function(root)
    local result = sweep(root, {
      space = {x = {3}}, objective = {"last", "mean"}, experiment = function(cfg, log)
        for step = 1, 4 do log:row(step, {last = cfg.x * step, other = 1}) end
        return {mean = bnn.tensor{cfg.x, 4}:mean(), text = "so", flag = true, wide = bnn.zeros(2)}
      end,
    })
    lu.assertEquals(result.best.values, {12, 3.5})
    lu.assertEquals(result.list[1].runs[1].outcome.metrics,
      {last = 12, other = 1, mean = 3.5, text = "so", flag = true})
    lu.assertEquals(result.list[1].runs[1].outcome.step, 4)
    lu.assertEquals(bnn.run.open("last", {runs = root}).metrics.mean, 3.5)
  end)
end

function TestResults.test_several_objectives_have_a_pareto_set()
  in_folder(function(root)
    local result = sweep(root, {
      objective = {"gain", "cost"}, mode = {"max", "min"}, space = {x = {1, 2, 3}, y = {0, 1}},
      experiment = function(cfg) return {gain = cfg.x - cfg.y, cost = cfg.x} end,
    })
    local set = {}
    for i, trial in ipairs(result.pareto) do set[i] = trial.config end
    table.sort(set, function(a, b) return a.x < b.x end)
    lu.assertEquals(set, {{x = 1, y = 0}, {x = 2, y = 0}, {x = 3, y = 0}})
    lu.assertEquals(result.best.values, {3, 3})
  end)
end

function TestResults.test_a_parameter_that_is_not_there_is_nil_in_the_configuration()
  in_folder(function(root)
    local result = sweep(root, {
      experiment = function(cfg) return {loss = cfg.m == nil and 1 or cfg.m} end,
      space = {kind = {"a", "b"}, m = bnn.space.conditional("kind", "b", {0.25})},
    })
    lu.assertEquals(result.best.config, {kind = "b", m = 0.25})
    lu.assertEquals({result.list[1].config, result.list[1].value}, {{kind = "a"}, 1})
  end)
end

function TestResults.test_what_a_run_writes_is_in_its_record()
  in_folder(function(root)
    local e = {
      defaults = {x = {1, "x"}, figures = {"figures", "folder", type = "string", result = false},
                  table = {nil, "a file", type = "string", result = false}},
      run = function(cfg)
        os.execute(("mkdir -p '%s'"):format(cfg.figures))
        for _, path in ipairs{cfg.figures .. "/a.svg", cfg.table} do
          local file <close> = assert(io.open(path, "wb"))
          file:write(cfg.x)
        end
        print "to the record"
        return {loss = cfg.x}
      end,
    }
    local result = sweep(root, {experiment = e, config = {table = "some/where.csv"}})
    for i, trial in ipairs(result.list) do
      local run = assert(bnn.run.open(trial.runs[1].run, {runs = root}))
      for _, name in ipairs{"figures/a.svg", "files/where.csv"} do
        local file <close> = assert(io.open(run.path .. "/" .. name))
        lu.assertEquals(file:read "a", tostring(i))
      end
      local file <close> = assert(io.open(run.path .. "/output.txt"))
      lu.assertEquals(file:read "a", "to the record\n")
      lu.assertEquals({run:verify()}, {{}, #run:files() - 1})
    end
  end)
end

TestSamplers = {}

function TestSamplers.test_a_sampler_that_ends_early_ends_the_sweep()
  in_folder(function(root)
    local asked = 0
    local opts = {
      space = {x = {1, 2, 3}}, trials = 50, seeds = 2, sampler = function(history, _, _, n)
        asked = asked + 1
        if n > 2 then return nil, "all " .. #history .. " are good" end
        return {x = n}
      end,
    }
    for _ = 1, 2 do -- resumed, it does nothing more
      local result, said = sweep(root, opts)
      lu.assertEquals({#result.list, result.counts.total, result.counts.completed}, {2, 4, 4})
      lu.assertEquals(said[#said], "no more trials after 2: all 2 are good")
      lu.assertEquals(#bnn.run.list{runs = root}, 4)
    end
    lu.assertTrue(asked >= 4)
  end)
end

function TestSamplers.test_what_a_sampler_gets_wrong_is_its_error_and_leaves_nothing_claimed()
  in_folder(function(root)
    local opts = {space = {x = {1, 2}}, trials = 2, name = "s",
                  sampler = function(_, _, _, n) return {x = n == 1 and 1 or 9} end}
    lu.assertStrContains(sweeps.fault_of(root, opts), "trial 2: x: expected a value of 1,2, got 9")
    opts.sampler = function(_, _, _, n) return {x = n} end
    local result = sweep(root, opts) -- in the same program, which still lives
    lu.assertEquals({result.counts.completed, result.counts.total}, {2, 2})
  end)
end

function TestSamplers.test_an_error_in_a_constraint_is_the_sweeps()
  in_folder(function(root)
    local space = {x = {1, 2}, function(cfg) return cfg.x.y > 1 end}
    local fault = sweeps.fault_of(root, {space = space})
    lu.assertStrContains(fault, "attempt to index a number value (field 'x')")
  end)
end

TestPruners = {}

-- Logs `loss` x at steps 1 to 8.
local function log_loss(cfg, log)
  for step = 1, 8 do log:row(step, {loss = cfg.x}) end
  return {loss = cfg.x}
end

function TestPruners.test_a_rule_ends_runs_that_promise_little()
  in_folder(function(root)
    local result = sweep(root, {
      experiment = log_loss, space = {x = {1, 2, 0.5, 3}}, pruner = "asha:min=1:eta=2", workers = 1,
    })
    local states = {}
    for i, trial in ipairs(result.list) do states[i] = trial.state end
    lu.assertEquals(states, {"completed", "pruned", "completed", "pruned"})
    lu.assertEquals({result.counts.completed, result.counts.pruned, result.counts.failed},
      {2, 2, 0})
    lu.assertEquals(result.best.value, 0.5)
    local run = assert(bnn.run.open(result.list[2].runs[1].run, {runs = root}))
    lu.assertEquals({run.status, run:verify()}, {"pruned", {}, #run:files() - 1})
    lu.assertStrContains(result.list[2].runs[1].failure, "step 1")
    lu.assertEquals(result.list[2].runs[1].outcome.step, 1)
    local again, said = sweep(root, {
      experiment = log_loss, space = {x = {1, 2, 0.5, 3}}, pruner = "asha:min=1:eta=2",
    })
    lu.assertEquals(said, {("the sweep '%s' goes on: 4 of 4 runs are done"):format(result.name)})
    lu.assertEquals(text_of(again), text_of(result))
  end)
end

function TestPruners.test_a_function_decides_for_itself()
  in_folder(function(root)
    local result = sweep(root, {
      experiment = log_loss, space = {x = {1, 2, 3}}, workers = 1,
      pruner = function(trial, history, step)
        return trial.config.x == 2 and step == 3, ("at %d of %d"):format(step, #history)
      end,
    })
    lu.assertEquals({result.list[1].state, result.list[2].state, result.list[3].state},
      {"completed", "pruned", "completed"})
    lu.assertEquals(result.list[2].runs[1].failure, "at 3 of 2")
    lu.assertEquals(result.reports[1][2], {{1, 2}, {2, 2}, {3, 2}})
  end)
end

function TestPruners.test_an_error_in_a_pruner_fails_the_run_that_asked_it()
  in_folder(function(root)
    local result, said = sweep(root, {
      experiment = log_loss, space = {x = {1}}, pruner = function(trial) return trial.no.way end,
    })
    lu.assertEquals(result.counts.failed, 1)
    lu.assertStrContains(said[1], "trial 1 failed:")
    lu.assertStrContains(said[1], "attempt to index a nil value (field 'no')")
  end)
end

function TestPruners.test_wilcoxon_leaves_out_the_seeds_of_trials_that_are_worse()
  in_folder(function(root)
    local result = sweep(root, {
      space = {x = {2, 9}}, seeds = 8, pruner = "wilcoxon:p=0.1", workers = 1,
      experiment = function(cfg)
        sweeps.note(root, cfg.x)
        return {loss = cfg.x + cfg.seed / 100}
      end,
    })
    lu.assertEquals({result.list[1].state, result.list[2].state}, {"completed", "pruned"})
    local noted = sweeps.noted(root)
    lu.assertEquals(noted["2"], 8)
    -- 1 / 2^n < 0.1 from n = 4 on, if it is worse for all seeds.
    lu.assertEquals(noted["9"], 4)
    lu.assertEquals(result.counts.pruned, 4)
  end)
end

-- What TPE learns from pruned trials is what they reported last.
function TestPruners.test_samplers_see_what_pruned_trials_reported()
  in_folder(function(root)
    local seen
    sweep(root, {
      experiment = log_loss, space = {x = {1, 2, 3}}, trials = 3, workers = 1, delay = 0,
      pruner = function(trial, _, step) return trial.number == 1 and step == 2 end,
      sampler = function(history, _, _, n)
        if n == 2 then seen = history[1] end
        return {x = n}
      end,
    })
    lu.assertEquals({seen.state, seen.reports}, {"pruned", {{1, 1}, {2, 1}}})
  end)
end

TestNested = {}

function TestNested.test_a_run_may_be_a_sweep_itself()
  in_folder(function(root)
    local result = sweep(root, {
      space = {y = {1, 2}}, experiment = function(cfg)
        local inner = bnn.sweep{
          experiment = function(c) return {loss = c.x * cfg.y} end, space = {x = {3, 4}},
          objective = "loss", mode = "min", runs = root .. "/inner" .. cfg.y, workers = 2,
        }
        return {loss = inner.best.value, n = inner.counts.completed}
      end,
    })
    lu.assertEquals({result.best.value, result.list[2].value}, {3, 6})
    lu.assertTrue(core.is_folder(root .. "/inner1"))
  end)
end

for _, name in ipairs{"TestWorkers", "TestResults", "TestSamplers", "TestPruners", "TestNested"} do
  sweeps.in_both_stores(name)
end

os.exit(lu.LuaUnit.run())
