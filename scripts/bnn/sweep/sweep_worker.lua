--- Workers that join sweeps which others have entered, on this machine or on others: they make runs
-- that are open, until there are none. The plan of a sweep is made again from its description.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local folders = require "bnn.base.folders"
local ledger_place = require "bnn.records.ledger_place"
local options = require "bnn.base.options"
local placement = require "bnn.base.placement"
local refusal = require "bnn.base.refusal"
local run_folder = require "bnn.records.run_folder"
local signal = require "bnn.signal"
local strings = require "bnn.base.strings"
local sweep_book = require "bnn.sweep.sweep_book"
local sweep_command = require "bnn.sweep.sweep_command"
local sweep_plan = require "bnn.sweep.sweep_plan"
local sweep_pool = require "bnn.sweep.sweep_pool"
local sweep_view = require "bnn.sweep.sweep_view"

local M = {}

local LOOK_SECONDS = 1 -- between two looks for sweeps that have open runs

local SPEC = {
  root = {type = "string", required = true},
  name = "string",
  workers = {type = "integer", min = 0, default = 0},
  runs = "string",
  count = {type = "integer", min = 1},
  wait = {type = "number", min = 0, default = 0},
  progress = {type = "boolean", default = true},
}

-- ---- where ----

-- The folder of runs: root itself, or the one whose ledger is at a URL.
local function root_of(opts)
  if not ledger_place.is_url(opts.root) then
    local root = run_folder.root(opts.root)
    refusal.assert_or_exit(root and core.is_folder(root), strings.message("--worker: %s: no such "
      .. "folder of runs", opts.root))
    return root
  end
  local place, fault = ledger_place.parse(opts.root)
  refusal.assert_or_exit(place, fault and "--worker: " .. fault)
  local lacks = "--worker: a folder for the records is needed, and that is switched off: give "
    .. "--runs=DIR or unset BNNLUA_RUNS"
  local root = refusal.assert_or_exit(run_folder.root(opts.runs), lacks)
  refusal.assert_or_exit(folders.make(root))
  refusal.assert_or_exit(ledger_place.settle(root, opts.root))
  return root
end

-- ---- one sweep ----

-- The plan of a sweep, made again; or nil, message.
local function plan_of(root, description, workers, opts)
  local given, fault = sweep_command.options(description)
  if not given then return nil, fault end
  given.workers, given.progress, given.runs = workers, opts.progress, root
  local ok, plan = fail.try(function()
    return sweep_plan.new(options.check("bnn.sweep", given, sweep_plan.spec))
  end)
  if not ok then return nil, fail.without_place(tostring(plan)) end
  plan.root = root
  local lines = plan:differences(description)
  if lines[1] then
    return nil, "its options make another sweep here: " .. table.concat(lines, "; ")
  end
  if description.code ~= plan.source:hash() then
    strings.notice(strings.message("%s is not what it was when the sweep '%s' began",
      plan.source.script, description.name))
  end
  plan:continue(description)
  return plan
end

-- Makes runs of a sweep that is open.
-- @return pool; or nil, message
local function join(self, book, description)
  local plan, fault = plan_of(self.root, description, self.workers, self.opts)
  if not plan then return nil, fault end
  local view <close> = sweep_view.new(plan)
  local pool = sweep_pool.new(plan, book, view, self.left)
  signal.hold(pool.run, pool)
  view:erase()
  if pool.interrupt then signal.raise(pool.interrupt) end
  return pool
end

-- Adds up what a pool has made.
local function add(self, pool)
  self.made, self.failed = self.made + pool.made, self.failed + pool.failed
  self.left = self.left - pool.made
end

-- Joins a sweep if it has open runs: whether there were any.
local function visit(self, name)
  local book <close> = sweep_book.new(self.root, name)
  local description = book:description()
  if not description then
    refusal.assert_or_exit(not self.opts.name, strings.message("--name: there is no sweep '%s' in "
      .. "%s", name, self.opts.root))
    return false
  end
  book:join(description.trials, #description.seeds)
  if self.refused[name] or book:counts().open == 0 then return false end
  local pool, fault = join(self, book, description)
  if pool then
    add(self, pool)
    return pool.made > 0
  end
  refusal.assert_or_exit(not self.opts.name, fault)
  strings.notice(strings.message("skipping the sweep '%s': %s", name, fault))
  self.refused[name] = true
  return false
end

-- ---- all of them ----

-- Visits the sweeps once: whether runs were made.
local function visit_all(self)
  local names = {self.opts.name}
  if not names[1] then
    names = refusal.assert_or_exit(sweep_book.names(self.root))
  end
  local has_made = false
  for _, name in ipairs(names) do
    if self.left > 0 then has_made = visit(self, name) or has_made end
  end
  return has_made
end

--- Makes open runs of sweeps until there are none. An interrupt lets the runs write checkpoints,
-- opens them again, and is raised.
-- @param opts table:
--   root      the folder of runs, or the URL of a group's ledger
--   name      the sweep; nil: all that have open runs, oldest first
--   workers   runs side by side; 0: one for each processor that Slurm or HyperQueue gave, else 1
--   runs      the folder of records if root is a URL (default $BNNLUA_RUNS, else runs)
--   count     how many runs to make at most; nil: no limit
--   wait      seconds for which it looks for new ones after the last, 0
--   progress  false shows no progress on stderr
-- @return {made=, failed=}: how many runs were begun, and how many of them failed
--   Ends the program if the named sweep is not there or cannot be made again here.
function M.run(opts)
  opts = options.check("sweep_worker.run", opts, SPEC)
  local self = {opts = opts, root = root_of(opts), refused = {}, made = 0, failed = 0,
                left = opts.count or math.huge,
                workers = opts.workers > 0 and opts.workers or placement.processors() or 1}
  run_folder.remove_unborn(self.root)
  local last = core.ticks()
  while self.left > 0 do
    if visit_all(self) then last = core.ticks() end
    if core.ticks() - last >= opts.wait then break end
    core.wait_jobs({}, LOOK_SECONDS)
  end
  return {made = self.made, failed = self.failed}
end

return M
