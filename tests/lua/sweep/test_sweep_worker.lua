--- Workers that join a sweep: its plan made again from its description, how much they make, what
-- they refuse, and what an interrupt leaves.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. arg[0]:match "^.*/" .. "?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local options = require "bnn.base.options"
local placement = require "bnn.base.placement"
local recorded = require "recorded_runs"
local run_folder = require "bnn.records.run_folder"
local signal = require "bnn.signal"
local strings = require "bnn.base.strings"
local sweep_book = require "bnn.sweep.sweep_book"
local sweep_command = require "bnn.sweep.sweep_command"
local sweep_plan = require "bnn.sweep.sweep_plan"
local sweep_worker = require "bnn.sweep.sweep_worker"
local sweeps = require "sweeps"

local in_folder = sweeps.in_folder

local TOY = [[
local bnn = require "bnn"
local core = require "bnn.core"
return bnn.main{
  about = "a toy",
  defaults = {seed = {1, "seed"}, x = {1, "x"}, t = {"a", "text"}, m = {0.5, "more"},
              hidden = {{1}, "list", type = "integer", list = true}, sleep = {false, "sleeps"},
              lr = {0.1, "rate", type = "schedule"}},
  run = function(cfg, log)
    log:row(1, {loss = cfg.x})
    if cfg.sleep then core.run_program{"sleep", "60"} end
    if cfg.x == 13 then error "unlucky" end
    return {loss = (cfg.x - 2) ^ 2 + cfg.seed / 100}
  end,
}
]]

-- Enters a sweep of the toy below root without making its runs; its plan.
local function enter(root, changes)
  if not core.list_dir(root)["toy.lua"] then recorded.write(root .. "/toy.lua", TOY) end
  local opts = {experiment = root .. "/toy.lua", space = {x = {1, 2, 3}}, objective = "loss",
                mode = "min", name = "toy", seeds = 2}
  for name, v in pairs(changes or {}) do opts[name] = v end
  local plan = sweep_plan.new(options.check("bnn.sweep", opts, sweep_plan.spec))
  local book <close> = sweep_book.new(root, plan.name)
  book:enter(plan:description())
  book:fill(plan.trials, #plan.seeds)
  return plan
end

-- Runs a worker: what it made, and what was said.
local function work(root, opts)
  local all, said = {root = root, progress = false}, {}
  for name, v in pairs(opts or {}) do all[name] = v end
  local notice = strings.notice
  function strings.notice(text) said[#said + 1] = text end
  local ok, done = pcall(sweep_worker.run, all)
  strings.notice = notice
  if not ok then error(done, 0) end
  return done, said
end

local function counts_of(root, name, seeds)
  local book <close> = sweep_book.new(root, name or "toy")
  book:join(3, seeds or 2)
  return book:counts()
end

-- How many runs have logged something.
local function count_logging(root)
  local count = 0
  for _, id in ipairs(run_folder.ids(root)) do
    local text = run_folder.read(("%s/%s/metrics.jsonl"):format(root, id)) or ""
    if text ~= "" then count = count + 1 end
  end
  return count
end

TestPlans = {}

function TestPlans.test_a_plan_is_made_again_as_it_was()
  for _, changes in ipairs{
    {},
    {seeds = {7, 3, 5}, config = {m = 0.25, t = "b c", hidden = {3, 4}}},
    {space = bnn.space.parse{"x=integer:1:9", "m=log:1e-4:1.5", 't="a text, x",b,"c@d=e"',
      "hidden=[64,64],[400]@t=b"}, trials = 5, sampler = "tpe:startup_trials=2", delay = 3,
      key = 9},
    {space = {x = {1, 2}}, pruner = "median", objective = {"loss", "other"}, mode = {"min", "max"}},
    {space = {m = bnn.space.uniform(0, 1 / 3)}, trials = 4, sampler = "latin"},
    {config = {lr = "cosine:0.1:100"}},
  } do
    if changes.pruner then changes.objective, changes.mode = "loss", "min" end
    in_folder(function(root)
      local plan = enter(root, changes)
      local book <close> = sweep_book.new(root, "toy")
      local again = sweep_plan.new(options.check("bnn.sweep",
        assert(sweep_command.options(book:description())), sweep_plan.spec))
      lu.assertEquals(again:differences(book:description()), {})
      lu.assertEquals(again.identity, plan.identity)
      lu.assertEquals({again.trials, again.seeds}, {plan.trials, plan.seeds})
    end)
  end
end

function TestPlans.test_what_has_no_text_is_left_to_its_own_script()
  local function constraint() return true end
  for _, changes in ipairs{
    {experiment = function() return {loss = 1} end},
    {space = {x = {1, 2}, constraint}},
    {sampler = function() return {x = 1} end, trials = 1},
  } do
    in_folder(function(root)
      enter(root, changes)
      lu.assertErrorMsgContains("start its script itself on that machine", function()
        local ok, fault = pcall(work, root, {name = "toy"})
        error(ok and "none" or tostring(fault), 0)
      end)
      local done, said = work(root)
      lu.assertEquals(done, {made = 0, failed = 0})
      lu.assertStrContains(said[1], "skipping the sweep 'toy': ")
    end)
  end
end

function TestPlans.test_an_experiment_that_is_another_here_is_refused()
  in_folder(function(root)
    enter(root)
    recorded.write(root .. "/toy.lua", (TOY:gsub("seed = {1,", "seed = {2,")))
    local ok, fault = pcall(work, root, {name = "toy"})
    lu.assertFalse(ok)
    lu.assertStrContains(tostring(fault), "first seed: was 1, is 2")
    os.remove(root .. "/toy.lua")
    ok, fault = pcall(work, root, {name = "toy"})
    lu.assertFalse(ok)
    lu.assertStrContains(tostring(fault), "toy.lua")
  end)
end

TestWork = {}

function TestWork.test_a_worker_makes_what_is_open_and_no_more()
  in_folder(function(root)
    enter(root)
    lu.assertEquals(work(root, {count = 1}), {made = 1, failed = 0})
    lu.assertEquals(work(root, {count = 2, workers = 2}), {made = 2, failed = 0})
    lu.assertEquals({counts_of(root).completed, counts_of(root).open}, {3, 3})
    lu.assertEquals(work(root), {made = 3, failed = 0})
    lu.assertEquals(work(root), {made = 0, failed = 0})
    local result = sweeps.sweep(root, {experiment = root .. "/toy.lua", name = "toy", seeds = 2})
    in_folder(function(other)
      local alone = sweeps.sweep(other, {experiment = root .. "/toy.lua", name = "toy", seeds = 2})
      lu.assertEquals(sweeps.text_of(result), sweeps.text_of(alone))
    end)
  end)
end

function TestWork.test_without_a_name_the_oldest_sweep_comes_first()
  in_folder(function(root)
    enter(root, {name = "z"})
    enter(root, {name = "a"})
    work(root, {count = 6})
    lu.assertEquals({counts_of(root, "z").completed, counts_of(root, "a").completed}, {6, 0})
    lu.assertEquals(work(root).made, 6)
  end)
end

function TestWork.test_a_run_that_failed_is_left_to_the_sweep()
  in_folder(function(root)
    enter(root, {space = {x = {1, 13, 3}}})
    lu.assertEquals(work(root), {made = 6, failed = 2})
    lu.assertEquals(work(root), {made = 0, failed = 0})
    lu.assertEquals(counts_of(root).failed, 2)
  end)
end

function TestWork.test_it_waits_for_new_runs_as_long_as_it_is_told()
  in_folder(function(root)
    enter(root, {space = {x = {1}}, seeds = 1})
    local job = assert(core.fork(function()
      core.wait_jobs({}, 0.3)
      enter(root, {space = {x = {1}}, seeds = 1, name = "later"})
    end))
    lu.assertEquals(work(root, {wait = 2.5}).made, 2)
    lu.assertEquals(core.wait_jobs({job}, 5)[1].status, 0)
  end)
end

function TestWork.test_what_is_interrupted_is_open_again()
  in_folder(function(root)
    enter(root, {config = {sleep = true}, seeds = 1})
    local _, pid = core.host()
    local job = assert(core.fork(function()
      sweeps.wait_for(function() return count_logging(root) == 2 end)
      os.execute(("kill -INT %d"):format(pid))
    end))
    local ok, err = pcall(signal.guard, work, root, {workers = 2})
    lu.assertFalse(ok)
    lu.assertTrue(signal.is_interrupt(err))
    core.wait_jobs({job}, 5)
    local counts = counts_of(root, "toy", 1)
    lu.assertEquals({counts.running, counts.interrupted, counts.failed}, {0, 0, 0})
    lu.assertEquals(counts.open, 3)
    for _, run in ipairs(bnn.run.list{runs = root}) do
      lu.assertEquals(run.status, "interrupted")
    end
    local book <close> = sweep_book.new(root, "toy")
    book:join(3, 1)
    lu.assertNotNil(book:claim().run)
  end)
end

TestPlacement = {}

function TestPlacement.test_what_placed_a_process_is_known_by_its_variables()
  local getenv = os.getenv
  for _, row in ipairs{
    {{}, nil, nil, nil},
    {{SLURM_JOB_ID = "18", SLURM_CPUS_PER_TASK = "4"}, {slurm = {job = "18"}}, "Slurm job 18", 4},
    {{SLURM_JOB_ID = "18", SLURM_ARRAY_JOB_ID = "17", SLURM_ARRAY_TASK_ID = "3",
      SLURM_RESTART_COUNT = "1", SLURM_CPUS_PER_TASK = "no"},
      {slurm = {job = "17", task = "3", restart = "1"}}, "Slurm job 17, task 3, restart 1", nil},
    {{HQ_JOB_ID = "5", HQ_TASK_ID = "2", HQ_INSTANCE_ID = "0", HQ_CPUS = "0,1,5",
      PARALLEL_SEQ = "9"}, {hyperqueue = {job = "5", task = "2", instance = "0"},
      parallel = {sequence = "9"}}, "HyperQueue job 5, task 2; GNU parallel sequence 9", 3},
  } do
    os.getenv = function(name) return row[1][name] end -- luacheck: ignore 122
    local placed, processors = placement.read(), placement.processors()
    os.getenv = getenv -- luacheck: ignore 122
    lu.assertEquals(placed, row[2])
    lu.assertEquals(placement.text(placed), row[3])
    lu.assertEquals(processors, row[4])
  end
end

for _, name in ipairs{"TestWork"} do sweeps.in_both_stores(name) end

os.exit(lu.LuaUnit.run())
