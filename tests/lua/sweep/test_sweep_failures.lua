--- Runs that fail, die, take too long or are interrupted: what becomes of them and of the others.
package.path = arg[0]:match "^.*/" .. "../?.lua;" .. arg[0]:match "^.*/" .. "?.lua;" .. package.path
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local sweeps = require "sweeps"

local in_folder, sweep = sweeps.in_folder, sweeps.sweep

-- Sweeps x = 1, 2, 3 with a function that does something special at x = 2.
local function with_second(root, special, opts)
  local all = {
    workers = 1, experiment = function(cfg, log)
      sweeps.note(root, cfg.x)
      if cfg.x == 2 then
        local result = table.pack(special(cfg, log))
        if result.n > 0 then return table.unpack(result, 1, result.n) end
      end
      return {loss = cfg.x, other = 1}
    end,
  }
  for name, v in pairs(opts or {}) do all[name] = v end
  return sweep(root, all)
end

-- The states of the trials, and why the second failed.
local function states_of(result)
  local states = {}
  for i, trial in ipairs(result.list) do states[i] = trial.state end
  local run = result.list[2].runs[1]
  return table.concat(states, " "), run and run.failure
end

TestFailures = {}

function TestFailures.test_a_run_that_fails_says_why_and_the_others_go_on()
  for _, row in ipairs{
    {function() error "no such thing" end, "no such thing"},
    {function() error({}, 0) end, "table: 0x"},
    {function() bnn.assert_or_exit(nil, "data are missing") end, "data are missing"},
    {function() return nil, "the world refuses" end, "the world refuses"},
    {function() return nil end, "it has no metric 'loss'; it has none"},
    {function() return {los = 1, other = 2} end,
      "it has no metric 'loss' (did you mean 'los'?); it has los, other"},
    {function() return 3 end, "the experiment's result: expected a table of metrics, got a number"},
    {function() return {loss = "small"} end, 'its loss is "small", no number'},
    {function() return {loss = 0 / 0} end, "its loss is not a number"},
    {function() return {loss = math.huge} end, "its loss is infinite"},
    {function() os.exit(3) end, "its process ended with status 3"},
  } do
    in_folder(function(root)
      local result, said = with_second(root, row[1])
      local states, why = states_of(result)
      lu.assertEquals(states, "completed failed completed")
      lu.assertStrContains(why, row[2])
      lu.assertEquals(#said, 1)
      lu.assertStrContains(said[1], "trial 2 failed: ")
      lu.assertStrContains(said[1], row[2])
      lu.assertEquals({result.counts.failed, result.best.number}, {1, 1})
    end)
  end
end

function TestFailures.test_a_trial_fails_if_one_of_its_seeds_does()
  in_folder(function(root)
    local result = with_second(root, function(cfg)
      if cfg.seed == 2 then error "unlucky" end
    end, {seeds = 3})
    lu.assertEquals((states_of(result)), "completed failed completed")
    lu.assertEquals({result.counts.completed, result.counts.failed}, {8, 1})
    lu.assertEquals(#result.list[2].seeds, 2)
  end)
end

-- It has cost a whole run to find out; forty would be no wiser.
function TestFailures.test_a_metric_that_the_first_run_lacks_ends_the_sweep()
  in_folder(function(root)
    local result, said = sweep(root, {objective = "los", workers = 1})
    lu.assertEquals(said, {
      "trial 1 failed: it has no metric 'los' (did you mean 'loss'?); it has loss",
      "the others will have none either: the sweep ends",
      "stopped with 0 of 3 runs done; the same command goes on",
    })
    lu.assertEquals({result.counts.failed, result.counts.open}, {1, 2})
  end)
end

function TestFailures.test_the_first_failure_may_end_the_sweep()
  in_folder(function(root)
    local result, said = with_second(root, function() error "no" end, {fail_fast = true})
    lu.assertEquals({result.counts.completed, result.counts.failed, result.counts.open}, {1, 1, 1})
    lu.assertEquals(said[2], "the first failure ends the sweep")
    lu.assertEquals(sweeps.noted(root), {["1"] = 1, ["2"] = 1})
  end)
end

-- Those that run meanwhile are interrupted; they are not failures.
function TestFailures.test_what_runs_when_the_first_failure_comes_is_interrupted()
  in_folder(function(root)
    local result = with_second(root, function()
      sweeps.wait_for(function() return sweeps.noted(root)["sleeps"] end)
      error "no"
    end, {
      fail_fast = true, workers = 2, space = {x = {2, 3}}, experiment = function(cfg)
        if cfg.x == 3 then
          sweeps.note(root, "sleeps")
          sweeps.sleep()
        end
        sweeps.wait_for(function() return sweeps.noted(root)["sleeps"] end)
        error "no"
      end,
    })
    lu.assertEquals({result.counts.failed, result.counts.interrupted}, {1, 1})
    local states = {}
    for _, run in ipairs(bnn.run.list{runs = root}) do states[#states + 1] = run.status end
    table.sort(states)
    lu.assertEquals(states, {"failed", "interrupted"})
  end)
end

TestDeaths = {}

function TestDeaths.test_a_run_that_is_killed_is_tried_again()
  in_folder(function(root)
    local result, said = with_second(root, function()
      if sweeps.noted(root)["2"] < 3 then sweeps.die() end
    end)
    lu.assertEquals((states_of(result)), "completed completed completed")
    lu.assertEquals(sweeps.noted(root), {["1"] = 1, ["2"] = 3, ["3"] = 1})
    local again = "trial 2: killed by SIGKILL; it will be tried again"
    lu.assertEquals(said, {again, again})
    lu.assertEquals(#bnn.run.list{runs = root}, 3) -- one run, of three attempts
    lu.assertEquals(bnn.run.open(result.list[2].runs[1].run, {runs = root}).about.attempt, 3)
  end)
end

function TestDeaths.test_one_that_is_always_killed_fails()
  in_folder(function(root)
    for _, retries in ipairs{0, 1} do
      local result, said = with_second(root, sweeps.die, {retries = retries})
      local states, why = states_of(result)
      lu.assertEquals({states, why}, {"completed failed completed", "killed by SIGKILL"})
      lu.assertEquals(said[#said], "trial 2 failed: killed by SIGKILL")
    end
    -- Attempts of an earlier sitting do not count.
    lu.assertEquals(sweeps.noted(root), {["1"] = 1, ["2"] = 3, ["3"] = 1})
  end)
end

-- A signal from outside, such as by a batch system that ends a process.
function TestDeaths.test_one_that_others_interrupt_is_tried_again()
  in_folder(function(root)
    local result, said = with_second(root, function()
      local _, pid = core.host()
      if sweeps.noted(root)["2"] > 1 then return end
      os.execute(("kill -TERM %d"):format(pid))
      sweeps.sleep()
    end)
    lu.assertEquals((states_of(result)), "completed completed completed")
    lu.assertStrMatches(said[1], "trial 2: interrupted by SIGTERM.*; it will be tried again")
  end)
end

function TestDeaths.test_one_that_takes_too_long_is_ended()
  in_folder(function(root)
    local result, said = with_second(root, sweeps.sleep, {timeout = 0.3})
    local states, why = states_of(result)
    lu.assertEquals({states, why}, {"completed failed completed", "took more than 0.3 s"})
    lu.assertEquals(said, {"trial 2 failed: took more than 0.3 s"})
    lu.assertEquals(sweeps.noted(root)["2"], 1)
  end)
end

-- The record was sealed, and the process died before the ledger knew.
function TestDeaths.test_a_run_that_died_after_its_record_was_complete_is_not_made_again()
  local mt = sweeps.book_class()
  local finish = mt.finish
  for _, row in ipairs{{"completed", function() return {loss = 0.125, more = 7} end},
                       {"pruned", function(_, log)
                         log:row(1, {loss = 5})
                         log:row(2, {loss = 0.125})
                       end}} do
    local state, special = row[1], row[2]
    in_folder(function(root)
      function mt.finish(...)
        if select(2, ...).trial == 2 and not sweeps.noted(root).died then
          sweeps.note(root, "died")
          sweeps.die()
        end
        return finish(...)
      end
      local result = with_second(root, special, {
        pruner = function(trial, _, step) return step == 2, "at " .. trial.config.x end,
      })
      mt.finish = finish
      local states, why = states_of(result)
      lu.assertEquals({states, why}, {("completed %s completed"):format(state),
        state == "pruned" and "at 2" or nil})
      lu.assertEquals(sweeps.noted(root), {["1"] = 1, ["2"] = 1, ["3"] = 1, died = 1})
      local outcome = result.list[2].runs[1].outcome
      lu.assertEquals(outcome.metrics.loss, 0.125)
      lu.assertEquals(outcome.values, state == "completed" and {0.125} or nil)
      lu.assertEquals(#bnn.run.list{runs = root}, 3)
    end)
  end
end

-- Its task was given to another before it began.
function TestDeaths.test_a_run_that_has_been_taken_over_is_not_made()
  local mt = sweeps.book_class()
  local begin = mt.begin
  in_folder(function(root)
    function mt.begin(self, task, id)
      if task.trial == 2 and not sweeps.noted(root).robbed then
        sweeps.note(root, "robbed")
        task = setmetatable({attempt = task.attempt - 1}, {__index = task})
      end
      return begin(self, task, id)
    end
    local result = with_second(root, function() end)
    mt.begin = begin
    local states, why = states_of(result)
    lu.assertEquals(states, "completed failed completed")
    lu.assertStrContains(why, "another process has taken it over")
    lu.assertEquals(sweeps.noted(root), {["1"] = 1, ["3"] = 1, robbed = 1})
  end)
end

for _, name in ipairs{"TestFailures", "TestDeaths"} do
  sweeps.in_both_stores(name)
end

os.exit(lu.LuaUnit.run())
