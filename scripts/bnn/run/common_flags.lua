--- Flags that many experiments share. An experiment lists their groups,
-- common = {"seed", "dataset", "threads", "checkpoint"}; an entry of the same name in its defaults
-- replaces the common one.
--
--   seed         seed
--   dataset      dataset, data_dir: for bnn.data.load_or_exit
--   threads      threads, which are set before the experiment runs
--   log          log, tensorboard, which every experiment has: where metrics go besides the console
--   progress     quiet, which every experiment has: no progress on stderr
--   hook         on_finish, which every experiment has: a command to run at the end
--   record       record, runs, ledger, run_name, resume_run, which every experiment has:
--                the record of a run
--   stop         stop_patience, stop_min_delta: for bnn.early_stopping.from_flags
--   monitor      monitor: the metric of these and of the best checkpoint
--   checkpoint   checkpoint, checkpoint_every, resume, resume_anyway: for bnn.checkpoint.from_flags
local checkpoint = require "bnn.checkpoint.checkpoint"
local core = require "bnn.core"
local data = require "bnn.data.data"
local fail = require "bnn.base.fail"
local log_flags = require "bnn.run.log_flags"
local on_finish = require "bnn.run.on_finish"
local options = require "bnn.base.options"
local progress = require "bnn.base.progress"
local record_run = require "bnn.records.record_run"

local M = {}

local entries = checkpoint.flags{
  seed = {1, "root of every random key", type = "integer"},
  dataset = data.flags.dataset,
  data_dir = data.flags.data_dir,
  threads = {0, "threads to use, 0: one for each available processor", type = "integer", min = 0,
             max = 256, result = false},
  stop_patience = {nil, "stop when the metric has not improved for this many log entries (default: "
                     .. "never)", type = "integer", min = 1},
  stop_min_delta = {nil, "with --stop_patience: gains up to this do not count (default 0)",
                    type = "number", min = 0},
  monitor = {nil, "the metric of --stop_patience and of the best checkpoint: max:NAME or min:NAME "
               .. "(default: the experiment's own)", type = "string"},
}
for name, entry in pairs(log_flags.entries) do entries[name] = entry end
entries.on_finish = on_finish.entry
entries.quiet = {nil, "show no progress on stderr", type = "boolean", result = false}
for name, entry in pairs(record_run.entries) do entries[name] = entry end

-- The flags behind each name, in the order of --help, and the old names of these.
local groups = {
  seed = {"seed"},
  dataset = {"dataset", "data_dir", renamed = {data = "data_dir"}},
  threads = {"threads"},
  log = {"log", "tensorboard"},
  progress = {"quiet"},
  hook = {"on_finish"},
  record = {"record", "runs", "ledger", "run_name", "resume_run"},
  stop = {"stop_patience", "stop_min_delta"},
  monitor = {"monitor"},
  checkpoint = {"checkpoint", "checkpoint_every", "resume", "resume_anyway"},
}

local OF_ALL = {"log", "record", "progress", "hook"}

local function has(list, name)
  for _, item in ipairs(list) do
    if item == name then return true end
  end
  return false
end

-- The groups of an experiment: those that it names, and those that all have.
local function groups_of(common)
  local list = {table.unpack(common or {})}
  for _, group in ipairs(OF_ALL) do
    if not has(list, group) then list[#list + 1] = group end
  end
  return list
end

--- Lists the names of an experiment's common flags, in the order of --help.
-- @param common list of names of groups, or nil
function M.names(common)
  local names = {}
  for _, group in ipairs(groups_of(common)) do
    table.move(groups[group], 1, #groups[group], #names + 1, names)
  end
  return names
end

--- Adds the common flags of an experiment to its defaults and its renamed; raises if a group is
-- unknown.
function M.add(experiment)
  local known = {type = "string", list = true, choices = options.sorted_names(groups)}
  local common, fault = options.accept(experiment.common or {}, known)
  if not common then fail.expected("experiment: common", fault, experiment.common) end
  common = groups_of(common)
  local defaults, renamed = {}, {}
  for _, name in ipairs(M.names(common)) do defaults[name] = entries[name] end
  for name, entry in pairs(experiment.defaults) do defaults[name] = entry end
  for _, group in ipairs(common) do
    for old, new in pairs(groups[group].renamed or {}) do renamed[old] = new end
  end
  for old, new in pairs(experiment.renamed or {}) do renamed[old] = new end
  experiment.defaults, experiment.renamed = defaults, renamed
end

--- Whether a flag of an experiment is a common one, which its source does not define.
function M.is_common(experiment, name) return experiment.defaults[name] == entries[name] end

--- Applies the common flags that act before the experiment runs.
-- @return an object to close after the run
function M.apply(experiment, cfg)
  for _, name in ipairs(M.names(experiment.common)) do
    if name == "threads" then core.threads(cfg.threads) end
  end
  local before = progress.set_quiet(false)
  progress.set_quiet(before or M.is_common(experiment, "quiet") and cfg.quiet == true)
  return setmetatable({}, {__close = function() progress.set_quiet(before) end})
end

return M
