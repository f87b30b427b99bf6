--- Sweeps: many runs of an experiment, side by side, resumed by default.
local common = require "bnn.base.options"
local folders = require "bnn.base.folders"
local refusal = require "bnn.base.refusal"
local run_folder = require "bnn.records.run_folder"
local signal = require "bnn.signal"
local strings = require "bnn.base.strings"
local sweep_book = require "bnn.sweep.sweep_book"
local sweep_plan = require "bnn.sweep.sweep_plan"
local sweep_pool = require "bnn.sweep.sweep_pool"
local sweep_record = require "bnn.sweep.sweep_record"
local sweep_result = require "bnn.sweep.sweep_result"
local sweep_view = require "bnn.sweep.sweep_view"

local M = {}

local function root_of(opts)
  local root = run_folder.root(opts.runs)
  local lacks = "bnn.sweep: its trials are kept in the folder of runs, and that is switched off: "
    .. "give runs=DIR or unset BNNLUA_RUNS"
  return refusal.assert_or_exit(root, lacks)
end

-- What is on record of the sweep; if the ledger does not know it, its folders do.
local function description_of(plan, book)
  local before = book:description()
  if before then return before end
  local is_there, fault = sweep_record.restore(plan.root, plan.name)
  refusal.assert_or_exit(is_there ~= nil, fault)
  return is_there and book:description()
end

-- Enters the sweep, or says what has changed since it was.
local function enter(plan, book)
  local before, now = description_of(plan, book), plan:description()
  if before then
    local lines = plan:differences(before)
    refusal.assert_or_exit(not lines[1], strings.message("the sweep '%s' is on record with other "
      .. "settings; give the new one another name=. %s", plan.name, table.concat(lines, "; ")))
    if before.code ~= now.code then
      strings.notice(strings.message("%s has changed since the sweep '%s' began: trials that are "
        .. "done stay, those that are left run the new one", now.script or "the function",
        plan.name))
    end
  end
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

local function run(plan)
  local book <close> = sweep_book.new(plan.root, plan.name)
  enter(plan, book)
  fill_queue(plan, book)
  local view <close> = sweep_view.new(plan)
  local pool = sweep_pool.new(plan, book, view)
  signal.hold(pool.run, pool)
  view:erase()
  if pool.stops then say_stopped(book) end
  if pool.interrupt then signal.raise(pool.interrupt) end
  return sweep_result.new(plan, book)
end

function M.sweep(opts)
  opts = common.check("bnn.sweep", opts, sweep_plan.spec)
  local plan = sweep_plan.new(opts)
  plan.root = root_of(opts)
  refusal.assert_or_exit(folders.make(plan.root))
  return run(plan)
end

return M
