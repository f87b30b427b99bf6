--- What a sweep is asked for: wrong options, names, seeds, what is the same sweep.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. arg[0]:match "^.*/" .. "?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local options = require "bnn.base.options"
local sweep_plan = require "bnn.sweep.sweep_plan"
local sweeps = require "sweeps"

local function experiment()
  return {
    defaults = {
      lr = {0.1, "rate", above = 0}, steps = {3, "steps", type = "integer", min = 1},
      kind = {"a", "kind", choices = {"a", "b"}}, seed = {5, "seed"},
      hidden = {{8}, "units", type = "integer"},
    },
    objective = {"loss", "min"}, run = function() return {loss = 1} end,
  }
end

-- The plan of a sweep of the experiment above.
local function plan_of(opts)
  local all = {experiment = experiment(), space = {lr = {0.1, 0.2}}}
  for name, v in pairs(opts) do all[name] = v end
  return sweep_plan.new(options.check("bnn.sweep", all, sweep_plan.spec))
end

TestPlan = {}

function TestPlan.test_wrong_options_are_refused_before_anything_runs()
  local e = experiment()
  local free = bnn.space.uniform(0.1, 1)
  for _, row in ipairs{
    {{spase = {}}, "unknown option 'spase': did you mean 'space'"},
    {{experiment = 3}, "experiment: expected the path of one, an experiment or a function"},
    {{experiment = "nowhere.lua"}, "nowhere.lua"},
    {{space = 3}, "space: expected"},
    {{space = {}}, "expected at least one parameter"},
    {{experiment = e, space = {lrr = {1}}}, "space: sweep has no flag 'lrr': did you mean 'lr'?"},
    {{experiment = e, space = {lr = {0.1, 0}}}, "space: lr: expected more than 0, got 0"},
    {{experiment = e, space = {lr = "1:2"}}, "space: lr: expected a number, got \"1:2\"; between "
      .. "bounds: integer:1:2, uniform:1:2 or log:1:2"},
    {{experiment = e, space = {lr = bnn.space.uniform(-1, 1)}},
      "space: lr: expected more than 0, got -1"},
    {{experiment = e, space = {kind = {"a", "c"}}}, 'kind: expected one of a, b, got "c"'},
    {{experiment = e, space = {hidden = {8, 16}}}, "space: hidden: expected a list, got 8"},
    {{experiment = e, space = {steps = {1.5, 2}}}, "steps: expected an integer, got 1.5"},
    {{experiment = e, space = {lr = {1}}, config = {step = 3}},
      "config: sweep has no flag 'step': did you mean 'steps'?"},
    {{experiment = e, space = {lr = {1}}, config = {steps = 0}},
      "config: steps: expected at least 1, got 0"},
    {{config = {x = 1}}, "x is in the space and in config"},
    {{trials = 0}, "trials: expected at least 1"},
    {{trials = 1.5}, "trials: expected an integer"},
    {{space = {x = free}, sampler = "tpe"}, "trials: expected how many, as the sampler tpe"},
    {{space = {x = free}, sampler = "grid"}, "x is continuous"},
    {{sampler = "rndom", trials = 3}, 'got "rndom" (did you mean random?)'},
    {{sampler = "tpe:candidate=3", trials = 3}, "candidate"},
    {{sampler = 3}, "sampler: expected"},
    {{pruner = "ashaa"}, "ashaa"},
    {{pruner = "asha:etta=3"}, "etta"},
    {{pruner = "median", objective = {"a", "b"}, sampler = "random", trials = 2},
      "pruner: expected one objective, got 2"},
    {{sampler = "gp", trials = 3, objective = {"a", "b"}}, "expected one objective, got 2"},
    {{mode = "least"}, "mode: expected one of max, min"},
    {{mode = {"max", "min"}}, "mode: expected one, or one for each of 1 objectives, got 2"},
    {{objective = {}}, "objective: expected a text or more, got an empty list"},
    {{objective = {"a", 3}}, "objective: expected a string"},
    {{objective = {"a", "a"}}, "objective: 'a' is named twice"},
    {{seeds = 0}, "seeds: expected an integer of at least 1 or a list of integers, got 0"},
    {{seeds = "3"}, 'seeds: expected an integer or a list of integers, got "3"'},
    {{seeds = {}}, "seeds: expected a list of integers"},
    {{seeds = {1, 2, 1}}, "seeds: 1 is there twice"},
    {{seeds = 2, space = {seed = {1, 2}}}, "seeds: expected 1, as seed is in the space, got 2"},
    {{experiment = {run = function() end}, seeds = 2, space = {x = {1}}}, "no flag"},
    {{workers = -1}, "workers: expected at least 0"},
    {{timeout = 0}, "timeout: expected more than 0"},
    {{retries = -1}, "retries: expected at least 0"},
    {{key = "1"}, "key: expected"},
    {{name = "a/b"}, "name: expected one without slashes"},
    {{name = ".."}, "name: expected one without slashes"},
    {{name = ""}, "name: expected one without slashes"},
  } do
    local opts, text = row[1], row[2]
    lu.assertStrContains(sweeps.fault_of("/nowhere/at/all", opts), text)
  end
end

function TestPlan.test_flags_that_a_sweep_sees_to_are_refused()
  local e = {common = {"seed", "checkpoint"}, defaults = {x = {1, "x"}},
             run = function() return {} end}
  for name, text in pairs{
    checkpoint = "config: checkpoint: the checkpoints of each run are in its record",
    resume = "config: resume: runs go on by themselves",
  } do
    local fault = sweeps.fault_of("/nowhere/at/all",
      {experiment = e, config = {[name] = name == "resume" or "here"}})
    lu.assertStrContains(fault, text)
  end
  e = {defaults = {x = {1, "x"}, checkpoint = {"c", "its own"}}, run = function() return {} end}
  lu.assertEquals(plan_of{experiment = e, space = {x = {1}}, config = {checkpoint = "d"}}.config,
    {checkpoint = "d"})
end

function TestPlan.test_without_a_folder_of_runs_there_is_no_sweep()
  lu.assertStrContains(sweeps.fault_of("", {}), "give runs=DIR or unset BNNLUA_RUNS")
end

function TestPlan.test_the_objective_and_its_mode_are_the_experiments_unless_given()
  local function objectives(opts) return plan_of(opts).objectives end
  lu.assertEquals(objectives{}, {{name = "loss", mode = "min"}})
  lu.assertEquals(objectives{mode = "max"}, {{name = "loss", mode = "max"}})
  lu.assertEquals(objectives{objective = "loss"}, {{name = "loss", mode = "min"}})
  lu.assertEquals(objectives{objective = "gain"}, {{name = "gain", mode = "max"}})
  lu.assertEquals(objectives{objective = {"gain", "loss"}},
    {{name = "gain", mode = "max"}, {name = "loss", mode = "min"}})
  lu.assertEquals(objectives{objective = {"a", "b"}, mode = {"min", "max"}},
    {{name = "a", mode = "min"}, {name = "b", mode = "max"}})
end

function TestPlan.test_seeds_follow_the_first_one()
  lu.assertEquals(plan_of{}.seeds, {5})
  lu.assertEquals(plan_of{seeds = 3}.seeds, {5, 6, 7})
  lu.assertEquals(plan_of{seeds = 2, config = {seed = 10}}.seeds, {10, 11})
  lu.assertEquals(plan_of{seeds = {7, 3}}.seeds, {7, 3})
  local plan = plan_of{seeds = {7, 3}}
  lu.assertEquals(plan:config_of({lr = 0.2}, 2), {lr = 0.2, seed = 3})
  plan = plan_of{space = {seed = {8, 9}}}
  lu.assertEquals(plan:config_of({seed = 9}, 1), {seed = 9})
end

function TestPlan.test_a_finite_space_is_a_grid_unless_trials_are_counted()
  for _, row in ipairs{
    {{}, "grid", 2}, {{trials = 5}, "sobol", 5}, {{trials = 5, sampler = "grid"}, "grid", 2},
    {{space = {lr = bnn.space.log(0.1, 1)}, trials = 7}, "sobol", 7},
    {{space = {lr = {0.1, 0.2}, steps = {1, 2}, function(cfg) return cfg.steps < 2 end}}, "grid",
      2},
  } do
    local plan = plan_of(row[1])
    lu.assertEquals({plan.sampler.name, plan.trials}, {row[2], row[3]})
  end
end

-- What decides trials is in the name, and what does not is not.
function TestPlan.test_the_name_follows_from_what_trials_depend_on()
  local name = plan_of{}.name
  lu.assertStrMatches(name, "sweep%-%x%x%x%x%x%x")
  for _, same in ipairs{{workers = 7}, {retries = 0}, {timeout = 3}, {fail_fast = true},
                        {seeds = 4}, {keep_checkpoints = true}, {runs = "elsewhere"}} do
    lu.assertEquals(plan_of(same).name, name)
  end
  local seen = {[name] = true}
  for _, other in ipairs{
    {space = {lr = {0.1, 0.3}}}, {space = {lr = {0.1, 0.2}, function(cfg) return cfg.lr > 0 end}},
    {space = {lr = {0.1, 0.2}, function(cfg) return cfg.lr > 0.05 end}}, {config = {steps = 4}},
    {config = {hidden = {8, 8}}}, {config = {hidden = {8, 16}}},
    {config = {hidden = {1, 2, 3, 4, 5, 6, 7, 8, 9}}},
    {config = {hidden = {1, 2, 3, 4, 5, 6, 7, 8, 10}}}, {objective = "other"}, {mode = "max"},
    {sampler = "random", trials = 2}, {sampler = "tpe", trials = 2},
    {sampler = "tpe:candidates=9", trials = 2}, {sampler = "tpe", trials = 2, delay = 0},
    {sampler = "latin", trials = 2}, {sampler = "latin", trials = 3}, {pruner = "median"},
    {key = 2}, {key = bnn.key(3)}, {config = {seed = 6}}, {seeds = {6, 7}},
  } do
    local another = plan_of(other).name
    lu.assertNil(seen[another], another)
    seen[another] = true
  end
  local tpe = {sampler = "tpe", trials = 2, workers = 1}
  local before = plan_of(tpe).name
  tpe.workers, tpe.trials = 8, 20
  lu.assertEquals(plan_of(tpe).name, before)
  lu.assertEquals(plan_of{name = "mine"}.name, "mine")
end

function TestPlan.test_runs_that_write_checkpoints_write_them_now_and_then_and_use_one_thread()
  local e = experiment()
  e.common = {"seed", "threads", "checkpoint"}
  local plan = plan_of{experiment = e}
  lu.assertEquals(plan:config_of({lr = 0.2}, 1),
    {lr = 0.2, seed = 5, threads = 1, checkpoint_every = 1000})
  plan = plan_of{experiment = e, config = {checkpoint_every = 50, threads = 2}}
  lu.assertEquals(plan:config_of({lr = 0.2}, 1),
    {lr = 0.2, seed = 5, threads = 2, checkpoint_every = 50})
end

os.exit(lu.LuaUnit.run())
