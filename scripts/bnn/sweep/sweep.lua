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

local begun = {} -- what this program has swept: folder and name -> source

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
  local before, now = description_of(plan, book), plan:description()
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

local function run(plan)
  local book <close> = sweep_book.new(plan.root, plan.name)
  check_function(plan)
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
