--- Flags that many experiments have, common = {"seed", ...} (bnn.run.common_flags).
local lu = require "luaunit"
local bnn = require "bnn"
local usage = require "bnn.run.usage"

local threads = bnn.threads()

local function toy(fields)
  local e = {
    common = {"seed", "dataset", "threads"}, defaults = {lr = {0.1, "learning rate"}},
    run = function(cfg) return cfg end,
  }
  for name, value in pairs(fields or {}) do e[name] = value end
  return bnn.main(e)
end

TestCommon = {}

function TestCommon:tearDown() bnn.threads(threads) end

function TestCommon.test_they_are_among_the_defaults_and_reach_the_run()
  local e = toy()
  lu.assertEquals(e.run{lr = 0.2, data_dir = "x", threads = 2},
    {lr = 0.2, seed = 1, data_dir = "x", threads = 2})
  lu.assertErrorMsgContains("run: seed: expected an integer, got 0.5", e.run, {seed = 0.5})
  lu.assertErrorMsgContains("unknown option 'resume'", e.run, {resume = true})
end

function TestCommon.test_the_threads_are_set_before_the_run()
  local e = toy{run = function() return bnn.threads() end}
  lu.assertEquals({e.run{threads = 2}, e.run{threads = 1}}, {2, 1})
end

function TestCommon.test_an_entry_of_the_experiment_replaces_the_common_one()
  local e = toy{defaults = {seed = {7, "my own", type = "integer"}}}
  lu.assertEquals(e.run{}.seed, 7)
  lu.assertEquals(toy().run{}.seed, 1)
end

function TestCommon.test_experiments_that_declare_their_own_have_no_others()
  local e = bnn.main{defaults = {threads = {3, "their own"}}, run = function(cfg) return cfg end}
  lu.assertEquals(e.run{}, {threads = 3})
  lu.assertEquals(bnn.threads(), threads)
end

function TestCommon.test_the_old_name_of_data_dir_says_the_new_one()
  lu.assertErrorMsgContains("run: data is now data_dir", toy().run, {data = "x"})
  local e = toy{renamed = {rate = "lr"}}
  lu.assertErrorMsgContains("run: data is now data_dir", e.run, {data = "x"})
  lu.assertErrorMsgContains("run: rate is now lr", e.run, {rate = 1})
  lu.assertErrorMsgContains("bnn.data.flags.data is now bnn.data.flags.data_dir",
    function() return bnn.data.flags.data end)
end

function TestCommon.test_help_shows_them_after_the_experiments_own_in_the_order_of_common()
  local e = toy{
    common = {"checkpoint", "stop", "monitor", "seed"},
    defaults = {zeta = {1, "z"}, alpha = {1, "a"}},
  }
  lu.assertEquals(usage.order(e, function() end), {"zeta", "alpha", "checkpoint",
    "checkpoint_every", "resume", "resume_anyway", "stop_patience", "stop_min_delta", "monitor",
    "seed", "log", "tensorboard", "record", "runs", "ledger", "run_name", "resume_run",
    "quiet", "on_finish"})
end

function TestCommon.test_an_unknown_name_is_named()
  lu.assertErrorMsgContains(
    "expected one of checkpoint, dataset, hook, log, monitor, progress, record, seed, stop, "
      .. "threads (did you ",
    toy, {common = {"sed"}})
  lu.assertErrorMsgContains("experiment: common: expected a list", toy, {common = "seed"})
end

os.exit(lu.LuaUnit.run())
