--- Sweeps: many runs of an experiment, side by side, resumed by default.
local common = require "bnn.base.options"
local core = require "bnn.core"
local folders = require "bnn.base.folders"
local ledger_place = require "bnn.records.ledger_place"
local refusal = require "bnn.base.refusal"
local run_folder = require "bnn.records.run_folder"
local signal = require "bnn.signal"
local strings = require "bnn.base.strings"
local sweep_book = require "bnn.sweep.sweep_book"
local sweep_plan = require "bnn.sweep.sweep_plan"
local sweep_pool = require "bnn.sweep.sweep_pool"
local sweep_result = require "bnn.sweep.sweep_result"
local sweep_view = require "bnn.sweep.sweep_view"

local M = {}

local begun = {} -- what this program has swept: folder and name -> source

local function root_of(opts)
  local root = run_folder.root(opts.runs)
  local lacks = "bnn.sweep: its trials are kept in the folder of runs, and that is switched off: "
    .. "give runs=DIR or unset BNNLUA_RUNS"
  return refusal.assert_or_exit(root, lacks)
end

-- What is on record of the sweep; if the ledger does not know it, its folders do.
local function description_of(book)
  local before = book:description()
  if before then return before end
  book:restore()
  return book:description()
end

-- Two functions of one program may have the same script and the same space, and so the same name.
local function check_function(plan)
  local key, source = plan.root .. "/" .. plan.name, plan.source
  local before = begun[key]
  refusal.assert_or_exit(not before or source:is_same(before), strings.message("bnn.sweep: this "
    .. "program has swept another function, or one that had captured other values, as '%s': give "
    .. "each a name=", plan.name))
  begun[key] = source
end

-- Goes on with a sweep that is on record, if it is this one.
local function continue(plan, before, now)
  local lines = plan:differences(before)
  refusal.assert_or_exit(not lines[1], strings.message("the sweep '%s' is on record with other "
    .. "settings; give the new one another name=. %s", plan.name, table.concat(lines, "; ")))
  if before.code ~= now.code then
    strings.notice(strings.message("%s has changed since the sweep '%s' began: trials that are "
      .. "done stay, those that are left run the new one", now.script or "the function",
      plan.name))
  end
  local notice = plan:continue(before)
  if notice then strings.notice(notice) end
  if #before.seeds > #now.seeds then now.seeds = before.seeds end
  now.delay = plan.delay
end

-- Enters the sweep, or says what has changed since it was.
local function enter(plan, book)
  local before, now = description_of(book), plan:description()
  if before then continue(plan, before, now) end
  book:enter(now)
end

-- Puts into the queue what is missing, failed, or left by processes that have died.
local function fill_queue(plan, book)
  book:fill(plan.trials, #plan.seeds)
  local counts = book:counts()
  local done = counts.completed + counts.pruned
  if done > 0 then
    strings.notice(strings.message("the sweep '%s' goes on: %d of %d runs are done", plan.name,
      done, counts.total))
  end
end

-- How to go on with a sweep that was stopped.
local function say_stopped(book)
  local counts = book:counts()
  strings.notice(strings.message("stopped with %d of %d runs done; the same command goes on",
    counts.completed + counts.pruned, counts.total))
end

-- The book of a sweep that has been entered, with the runs that are to be made in its queue.
local function begin(plan)
  refusal.assert_or_exit(folders.make(plan.root))
  refusal.assert_or_exit(ledger_place.settle(plan.root, plan.opts.ledger))
  run_folder.remove_unborn(plan.root)
  local book = sweep_book.new(plan.root, plan.name)
  check_function(plan)
  enter(plan, book)
  fill_queue(plan, book)
  return book
end

local function run(plan)
  local book <close> = begin(plan)
  local view <close> = sweep_view.new(plan)
  local pool = sweep_pool.new(plan, book, view)
  signal.hold(pool.run, pool)
  view:erase()
  if pool.stops then say_stopped(book) end
  if pool.interrupt then signal.raise(pool.interrupt) end
  return sweep_result.new(plan, book)
end

-- The plan that options make; raises what is wrong with them.
local function plan_of(opts)
  return sweep_plan.new(common.check("bnn.sweep", opts, sweep_plan.spec))
end

--- Raises what is wrong with the options of `sweep`, and runs nothing.
function M.check(opts) plan_of(opts) end

--- The plan that options make, with its folder of runs; nothing is written.
-- @param opts table: as `sweep` takes it
function M.plan(opts)
  local plan = plan_of(opts)
  plan.root = root_of(plan.opts)
  return plan
end

--- The book of a sweep that is on record, or nil.
function M.book_of(plan)
  if not core.is_folder(("%s/sweeps/%s"):format(plan.root, plan.name)) then return nil end
  local book = sweep_book.new(plan.root, plan.name)
  book.last, book.replicates = plan.trials, #plan.seeds
  return book
end

--- Enters a sweep whose runs others make.
-- @param plan as M.plan gives it
-- @return its book, with what is missing or failed in the queue; the caller closes it
M.enter = begin

--- Runs an experiment for many settings, side by side, and resumes by default: the same call again
-- makes the runs that are missing or have failed, and nothing else. Each run is a process of its
-- own on one thread, which is recorded as any run; one that fails, dies or takes too long ends
-- nothing else. help "sweeps" has more.
--     local result = bnn.sweep{
--       experiment = function(cfg) return {loss = (cfg.x - 2) ^ 2 + 0.01 * cfg.seed} end,
--       space = {x = bnn.space.uniform(0, 4)}, trials = 8, seeds = 2,
--       objective = "loss", mode = "min", name = "parabola", runs = "runs",
--     }
--     io.write(result:text(3))
--     print(result.best.config.x, result.best.value)
-- Ctrl-C starts no more runs, lets those that run write a checkpoint, and ends the program; the
-- same command goes on. With more trials= or seeds= a sweep is extended. Whatever else changes its
-- trials is refused under the same name=, with the differences.
-- @param opts table:
--   experiment  the file of one, an experiment, or a function(cfg, log) -> metrics by name
--   space       the parameters that differ, as bnn.space takes them
--   config      those that are the same for all trials: {steps = 1000}
--   trials      how many configurations (default: all of a grid; without a grid it is needed)
--   seeds       runs of each trial, 1: with config.seed, or the experiment's, and the seeds after
--               it; or a list of seeds. A trial's value is the mean over them
--   objective   the metric to compare trials by, or a list of several (default: the experiment's
--               `objective`, {name, mode}, else "test/accuracy"). If the experiment does not return
--               it, the last that it logged counts
--   mode        "max" or "min", or a list with one for each objective (default: for the
--               experiment's own objective its mode, else "max")
--   sampler     what proposes trials, as bnn.search.sampler takes it: "tpe",
--               "gp:startup_trials=20", a function (default: "grid" if the space is finite and
--               trials is not given, else "sobol")
--   pruner      what ends trials early, as bnn.pruner.new takes it: "asha:min=100" (default "none")
--   key         a seed or a key, 1: the root of what samplers draw
--   name        of the sweep (default: made from its script and its settings)
--   workers     runs side by side (default 0: one for each available processor)
--   delay       of samplers that learn: trial n follows from the results up to n - 1 - delay, for
--               any number of workers; more than delay + 1 of these wait (default: workers - 1 of
--               the call that began the sweep)
--   retries     how often a run whose process was killed is tried again by one call, 2
--   timeout     seconds that a run may take (default: no limit)
--   fail_fast   true ends the sweep with the first failure
--   keep_checkpoints  true keeps the checkpoints of runs that have ended
--   runs        the folder of records (default $BNNLUA_RUNS, else runs)
--   ledger      where the ledger of that folder is to be, if it has none yet: "sqlite", "folder" or
--               "postgresql://host/db" (default $BNNLUA_LEDGER, else "sqlite")
--   progress    false shows no progress on stderr
-- @return result, which prints as one line and has methods (result:text, result:report):
--   best    the best trial by the first objective, {number=, config=, value=, values= of each
--           objective, se= standard error over seeds or nil, n= seeds, runs= their ids}; nil if
--           none is complete
--   pareto  of several objectives: a list of the trials that no other beats, the best first
--   trials  all as columns: number, state ("completed", "pruned", "failed" or "running"), value,
--           se, n, seconds, config by parameter, metrics, a table by name for each, and
--           metrics_se, their standard errors over seeds; nan where there is nothing
--   counts  of the runs, by state, and total
--   name    of the sweep
--   Raises if an option is wrong, such as a parameter that the experiment does not have.
function M.sweep(opts)
  return run(M.plan(opts))
end

return M
