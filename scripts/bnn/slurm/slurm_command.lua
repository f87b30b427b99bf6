--- What `bnnlua -m sweep` has for Slurm: its flags, and what each makes it do.
local core = require "bnn.core"
local ledger_place = require "bnn.records.ledger_place"
local refusal = require "bnn.base.refusal"
local slurm_options = require "bnn.slurm.slurm_options"
local slurm_programs = require "bnn.slurm.slurm_programs"
local slurm_status = require "bnn.slurm.slurm_status"
local slurm_sweep = require "bnn.slurm.slurm_sweep"
local run_folder = require "bnn.records.run_folder"
local strings = require "bnn.base.strings"
local sweep = require "bnn.sweep.sweep"
local sweep_command = require "bnn.sweep.sweep_command"

local M = {}

local assert_or_exit = refusal.assert_or_exit

local function root_name(cfg)
  return assert_or_exit(run_folder.root(cfg.runs), "$BNNLUA_RUNS is empty: --runs=DIR names a "
    .. "folder of runs")
end

--- The flags, as bnn.run.flags takes them.
M.defaults = {
  slurm = {nil, "make the runs by job arrays of Slurm; options of sbatch, such as "
             .. "--slurm=\"--partition=x --time=1:00:00\". --workers is how many tasks run at a "
             .. "time (0: no limit)", type = "string"},
  runs_per_task = {1, "with --slurm: runs that a task of an array makes, one after the other",
                   min = 1},
  no_wait = {false, "with --slurm: submit, and do not follow the jobs"},
  dry_run = {false, "with --slurm: print the scripts that would be submitted; write nothing"},
  status = {false, "print how the sweep stands, or all sweeps without a name: runs by state, and "
              .. "jobs"},
  cancel = {false, "cancel the sweep's jobs of Slurm, and set its open runs aside"},
}

--- Their order.
M.ORDER = {"slurm", "runs_per_task", "no_wait", "dry_run", "status", "cancel"}

--- Ends the program if flags are given that mean nothing together.
function M.check(cfg)
  for _, name in ipairs{"no_wait", "dry_run"} do
    assert_or_exit(not cfg[name] or cfg.slurm, ("--%s: expected --slurm=OPTIONS too"):format(name))
  end
  assert_or_exit(cfg.runs_per_task == 1 or cfg.slurm, "--runs_per_task: expected --slurm=OPTIONS "
    .. "too")
  assert_or_exit(not (cfg.status and cfg.cancel), "--status or --cancel: not both")
end

-- Chooses where the ledger of a root is kept. The default is the folder's own files, which every
-- machine can read. SQLite is refused, because its locks are not reliable on shared file systems.
local function choose_ledger(root, wanted)
  local has, fault = ledger_place.find(root)
  assert_or_exit(not fault, fault)
  local named = wanted or os.getenv "BNNLUA_LEDGER"
  if named == "" then named = nil end
  local place = has or named or "folder"
  local cure = has and "`bnnlua -m runs move --runs=%s --ledger=folder` moves it, --runs=DIR takes "
    .. "another folder" or "--ledger=folder is, and --ledger=postgresql://host/db"
  assert_or_exit(place ~= "sqlite", strings.message("--slurm: SQLite, the ledger of %s, is not "
    .. "safe on a folder that machines share: " .. cure, root, strings.shell_word(root)))
  return wanted or not (has or named) and place or nil
end

--- Runs the sweep by Slurm's jobs.
-- @param opts table: as bnn.sweep takes it
-- @return what bnn.sweep returns; nil if there is nothing to show: --dry_run, --no_wait
function M.run(cfg, opts)
  local how = {options = assert_or_exit(slurm_options.read(cfg.slurm)), throttle = cfg.workers,
               per_task = cfg.runs_per_task, no_wait = cfg.no_wait}
  opts.ledger = choose_ledger(root_name(cfg), opts.ledger)
  local plan = sweep.plan(opts)
  assert_or_exit(sweep_command.options(plan:description()))
  if not cfg.dry_run then
    assert_or_exit(slurm_programs.version())
    return slurm_sweep.run(plan, how)
  end
  io.write(slurm_sweep.dry_run(plan, how))
end

local function root_of(cfg)
  local root = root_name(cfg)
  assert_or_exit(core.is_folder(root), root .. ": no such folder of runs; --runs=DIR names another")
  return root
end

local function print_status(root, names)
  local faults = {}
  for _, name in ipairs(names) do
    local book <close> = assert_or_exit(slurm_status.open(root, name))
    local text, fault = slurm_status.text(book)
    io.write(text)
    faults[#faults + 1] = fault
  end
  assert_or_exit(not faults[1], faults[1])
end

--- Prints how a sweep stands, or cancels its jobs.
-- @param name string: of the sweep; nil: of none
function M.ask(cfg, name)
  local root = root_of(cfg)
  if cfg.status then return print_status(root, name and {name} or slurm_status.names(root)) end
  assert_or_exit(name, "--cancel: expected --name=SWEEP, or the words that made it")
  local book <close> = assert_or_exit(slurm_status.open(root, name))
  io.write(slurm_sweep.cancel(book), "\n")
end

return M
