--- The same sweep again: what is missing or has failed is made, and nothing else.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. arg[0]:match "^.*/" .. "?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local sweeps = require "sweeps"

local in_folder, sweep, text_of = sweeps.in_folder, sweeps.sweep, sweeps.text_of

-- A function of a sweep that notes its runs: "2 seed 1".
local function noting(root)
  return function(cfg)
    sweeps.note(root, ("%s seed %d"):format(cfg.x, cfg.seed))
    return sweeps.parabola(cfg)
  end
end

TestAgain = {}

function TestAgain.test_nothing_is_run_twice()
  in_folder(function(root)
    local opts = {experiment = noting(root)}
    local first, said = sweep(root, opts)
    lu.assertEquals(said, {})
    local second, said_again = sweep(root, opts)
    lu.assertEquals(text_of(second), text_of(first))
    lu.assertEquals(said_again,
      {("the sweep '%s' goes on: 3 of 3 runs are done"):format(first.name)})
    lu.assertEquals(sweeps.noted(root), {["1 seed 1"] = 1, ["2 seed 1"] = 1, ["3 seed 1"] = 1})
  end)
end

function TestAgain.test_what_failed_is_made_again_and_what_was_interrupted_goes_on()
  in_folder(function(root)
    local opts = {workers = 1, experiment = function(cfg)
      sweeps.note(root, cfg.x)
      if cfg.x == 2 and sweeps.noted(root)["2"] == 1 then error "not yet" end
      return {loss = cfg.x}
    end}
    lu.assertEquals(sweep(root, opts).counts.failed, 1)
    local result = sweep(root, opts)
    lu.assertEquals({result.counts.completed, result.counts.failed}, {3, 0})
    lu.assertEquals(sweeps.noted(root), {["1"] = 1, ["2"] = 2, ["3"] = 1})
    lu.assertNil(result.list[2].runs[1].failure)
  end)
end

function TestAgain.test_more_trials_and_seeds_extend_it_and_fewer_show_less()
  in_folder(function(root)
    local function of(trials, seeds)
      return {experiment = noting(root), space = {x = {1, 2, 3, 4, 5, 6, 7, 8}}, sampler = "random",
              name = "s", trials = trials, seeds = seeds}
    end
    local small = sweep(root, of(3, 1))
    lu.assertEquals({#small.list, small.counts.total}, {3, 3})
    local wide = sweep(root, of(5, 2))
    lu.assertEquals({#wide.list, wide.counts.total, wide.counts.completed}, {5, 10, 10})
    local runs = #bnn.run.list{runs = root}
    lu.assertEquals(runs, 10)
    local again, said = sweep(root, of(3, 1))
    lu.assertEquals(text_of(again), text_of(small))
    lu.assertEquals({again.counts.total, again.best.n}, {3, 1})
    lu.assertEquals(said, {"the sweep 's' goes on: 3 of 3 runs are done"})
    lu.assertEquals(text_of(sweep(root, of(5, 2))), text_of(wide))
    lu.assertEquals(#bnn.run.list{runs = root}, runs)
    in_folder(function(other) -- and it is what it would have been at once
      lu.assertEquals(text_of(sweep(other, of(5, 2))), text_of(wide))
    end)
  end)
end

-- What an earlier sitting left beyond is not made by one that asks for less.
function TestAgain.test_fewer_trials_leave_the_others_alone()
  in_folder(function(root)
    local opts = {experiment = function(cfg)
      sweeps.note(root, cfg.x)
      if cfg.x > 1 and sweeps.noted(root)["3"] == nil then error "no" end
      return {loss = cfg.x}
    end, workers = 1, name = "s", sampler = "grid", trials = 3, fail_fast = true}
    sweep(root, opts) -- 2 fails, 3 is not begun
    opts.trials, opts.fail_fast = 1, nil
    local result = sweep(root, opts)
    lu.assertEquals({result.counts.total, result.counts.completed}, {1, 1})
    lu.assertEquals(sweeps.noted(root), {["1"] = 1, ["2"] = 1})
    opts.trials = 3
    lu.assertEquals(sweep(root, opts).counts.failed, 1)
    lu.assertEquals(sweep(root, opts).counts.completed, 3)
    lu.assertEquals(sweeps.noted(root), {["1"] = 1, ["2"] = 3, ["3"] = 1})
  end)
end

function TestAgain.test_other_settings_under_the_same_name_are_refused_with_the_differences()
  in_folder(function(root)
    sweep(root, {name = "s", seeds = {1, 2}})
    for _, row in ipairs{
      {{space = {x = {1, 2}}}, "space: was x=1,2,3, is x=1,2"},
      {{config = {y = 1}}, "config: was none, is y=1"},
      {{objective = "gain"}, "objective: was min loss, is min gain"},
      {{mode = "max"}, "objective: was min loss, is max loss"},
      {{sampler = "random", trials = 3}, "sampler: was grid, is random"},
      {{pruner = "median"}, "pruner: was none, is median"},
      {{key = 9}, "key: was 1, is 9"},
      {{seeds = {1, 3}}, "seeds: was 1, 2, is 1, 3"},
      {{seeds = 1, config = {seed = 2}}, "first seed: was 1, is 2"},
    } do
      local opts = {name = "s", seeds = {1, 2}}
      for name, v in pairs(row[1]) do opts[name] = v end
      local fault = sweeps.fault_of(root, opts)
      lu.assertStrContains(fault, "the sweep 's' is on record with other settings; give the new "
        .. "one another name=. ")
      lu.assertStrContains(fault, row[2])
    end
    sweep(root, {name = "s"}) -- fewer seeds do not forget the others
    lu.assertStrContains(sweeps.fault_of(root, {name = "s", seeds = {1, 3}}),
      "seeds: was 1, 2, is 1, 3")
  end)
end

function TestAgain.test_a_sampler_that_learns_goes_on_with_the_delay_that_it_began_with()
  in_folder(function(root)
    local function of(workers, trials, delay)
      return {sampler = "tpe:startup_trials=2", space = {x = bnn.space.uniform(0, 4)},
              workers = workers, trials = trials, delay = delay}
    end
    local first = sweep(root, of(1, 4))
    local result, said = sweep(root, of(3, 7))
    lu.assertEquals(result.name, first.name)
    lu.assertEquals(said[1], "2 of 3 workers have nothing to do: the sweep began with delay=0")
    in_folder(function(other)
      lu.assertEquals(text_of(sweep(other, of(1, 7))), text_of(result))
    end)
    sweep(root, {name = "s", sampler = "tpe", trials = 1, delay = 1})
    local other = {name = "s", sampler = "tpe", trials = 1, delay = 2}
    lu.assertStrContains(sweeps.fault_of(root, other), "delay: was 1, is 2")
  end)
end

function TestAgain.test_what_a_killed_program_was_writing_is_removed()
  in_folder(function(root)
    local folder = sweep(root, {name = "s"}) and root .. "/sweeps/s"
    local living, dead = 1, 0x7fffffff -- more processes than there can be
    for _, pid in ipairs{living, dead} do
      assert(io.open(("%s/sweep.json.%d.part"):format(folder, pid), "wb")):close()
    end
    sweep(root, {name = "s"})
    local there = core.list_dir(folder)
    lu.assertNotNil(there[("sweep.json.%d.part"):format(living)])
    lu.assertNil(there[("sweep.json.%d.part"):format(dead)])
  end)
end

TestChanges = {}

-- Runs a script as a program of its own; its output and what it says.
local function run_script(root, path, text, ...)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local done = assert(core.run_program({arg[-1], path, root, ...}, nil, 60))
  return done.output, done.errors, done.status
end

local SCRIPT = [[
local bnn = require "bnn"
local function f(cfg) return {loss = cfg.x * %s} end
local result = bnn.sweep{experiment = f, space = {x = {1, 2, 3}}, objective = "loss", mode = "min",
  runs = arg[1], name = "s", progress = false, sampler = "grid", trials = tonumber(arg[2])}
for i, v in ipairs(result.trials.value) do io.write(v, " ") end
]]

function TestChanges.test_a_changed_script_is_noticed_and_what_is_done_stays()
  in_folder(function(root)
    local path = root .. "/my_sweep.lua"
    lu.assertEquals({run_script(root, path, SCRIPT:format "1", "2")}, {"1 2 ", "", 0})
    local out, said, status = run_script(root, path, SCRIPT:format "10", "3")
    lu.assertEquals({out, status}, {"1 2 30 ", 0})
    lu.assertStrContains(said, "my_sweep.lua has changed since the sweep 's' began: trials that "
      .. "are done stay, those that are left run the new one\n")
    out, said = run_script(root, path, SCRIPT:format "10", "3")
    lu.assertEquals({out, said},
      {"1 2 30 ", "the sweep 's' goes on: 3 of 3 runs are done\n"})
  end)
end

-- A file that was moved is the same; another one of the same settings is not.
function TestChanges.test_another_script_is_refused()
  in_folder(function(root)
    run_script(root, root .. "/a.lua", SCRIPT:format "1", "2")
    local out, said = run_script(root, root .. "/b.lua", SCRIPT:format "1", "2")
    lu.assertEquals(out, "")
    lu.assertStrContains(said, "experiment: was a, is b")
    assert(core.make_folder(root .. "/c"))
    out = run_script(root, root .. "/c/a.lua", SCRIPT:format "1", "3")
    lu.assertEquals(out, "1 2 3 ")
    assert(core.make_folder(root .. "/d"))
    said = select(2, run_script(root, root .. "/d/a.lua", SCRIPT:format "2", "3"))
    lu.assertStrMatches(said, ".*script: was %S*/c/a.lua, is %S*/d/a.lua\n")
  end)
end

-- Closures of one function differ by what they have captured, which a script cannot show.
function TestChanges.test_two_functions_of_a_program_need_two_names()
  in_folder(function(root)
    local function times(k, more)
      return function(cfg) return {loss = cfg.x * k + (more and more.plus or 0)} end
    end
    local f = times(2)
    sweep(root, {experiment = f})
    sweep(root, {experiment = f})
    sweep(root, {experiment = times(2)})
    for _, other in ipairs{times(3), times(2, {plus = 1}), function() return {loss = 1} end,
                           {defaults = {x = {1, "x"}}, run = function() return {loss = 1} end}} do
      local name = sweep(root, {experiment = times(2)}).name
      lu.assertStrContains(sweeps.fault_of(root, {experiment = other, name = name}),
        ("as '%s': give each a name="):format(name))
    end
    lu.assertEquals(sweep(root, {experiment = times(3), name = "three"}).best.value, 3)
  end)
end

TestTogether = {}

-- Runs f in children and waits for all of them; their ends.
local function side_by_side(...)
  local jobs, ends = {}, {}
  for i, f in ipairs{...} do jobs[i] = assert(core.fork(f)) end
  while #ends < #jobs do
    for _, event in ipairs(core.wait_jobs(jobs, 60)) do
      if not event.message then ends[#ends + 1] = event.status or -event.signal end
    end
  end
  return ends
end

function TestTogether.test_two_programs_at_one_sweep_share_its_runs()
  for _, sampler in ipairs{"random", "tpe:startup_trials=3"} do
    in_folder(function(root)
      local function go()
        sweep(root, {experiment = function(cfg)
          sweeps.note(root, ("%.3f"):format(cfg.x))
          return {loss = cfg.x}
        end, space = {x = bnn.space.uniform(0, 1)}, trials = 12, sampler = sampler, delay = 1,
        name = "s"})
      end
      lu.assertEquals(side_by_side(go, go), {0, 0})
      local n = 0
      for _, times in pairs(sweeps.noted(root)) do
        lu.assertEquals(times, 1)
        n = n + 1
      end
      lu.assertEquals({n, #bnn.run.list{runs = root}}, {12, 12})
    end)
  end
end

-- The one that is left takes over what the other had begun.
function TestTogether.test_one_of_two_programs_may_be_killed()
  in_folder(function(root)
    local function of(word)
      return {name = "s", workers = 1, experiment = function(cfg)
        sweeps.note(root, word)
        if word == "first" then
          sweeps.wait_for(function() return sweeps.noted(root).second end)
          sweeps.note(root, "waits")
          sweeps.sleep()
        end
        if cfg.x == 2 then
          sweeps.wait_for(function() return sweeps.noted(root).killed end)
        end
        return sweeps.parabola(cfg)
      end}
    end
    local first = assert(core.fork(function() sweep(root, of "first") end))
    sweeps.wait_for(function() return sweeps.noted(root).first end)
    local second = assert(core.fork(function() sweep(root, of "second") end))
    sweeps.wait_for(function() return sweeps.noted(root).waits end)
    os.execute(("kill -KILL %d"):format(first:pid())) -- it alone: its child is told by the system
    sweeps.note(root, "killed")
    local events = core.wait_jobs({second}, 60)
    lu.assertEquals(events[1].status, 0)
    lu.assertEquals(sweep(root, of "third").counts.completed, 3)
    lu.assertEquals(sweeps.noted(root), {first = 1, second = 3, waits = 1, killed = 1})
    first:close()
  end)
end

for _, name in ipairs{"TestAgain", "TestChanges", "TestTogether"} do
  sweeps.in_both_stores(name)
end

os.exit(lu.LuaUnit.run())
