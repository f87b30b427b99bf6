--- Records experiments: the flags, and the run itself, from a command line or from a configuration.
local checkpoint_flags = require "bnn.checkpoint.checkpoint_flags"
local configuration = require "bnn.base.configuration"
local core = require "bnn.core"
local data = require "bnn.data.data"
local ledger = require "bnn.records.ledger"
local ledger_place = require "bnn.records.ledger_place"
local logs = require "bnn.log.log"
local options = require "bnn.base.options"
local recorder = require "bnn.records.recorder"
local records = require "bnn.records.records"
local refusal = require "bnn.base.refusal"
local run_facts = require "bnn.records.run_facts"
local run_folder = require "bnn.records.run_folder"
local run_words = require "bnn.records.run_words"
local strings = require "bnn.base.strings"

local M = {}

--- The entries of an experiment's defaults.
M.entries = {
  record = {nil, "keep a record of a run from the command line, for `bnnlua -m runs`; it is "
              .. "kept unless --no_record is given", type = "boolean", result = false},
  runs = {nil, "the folder of records (default $BNNLUA_RUNS, else runs; an empty name: no record)",
          type = "string", result = false},
  ledger = ledger_place.FLAG,
  run_name = {nil, "a name for this run, in its record", type = "string", result = false},
  resume_run = {nil, "go on with this recorded run, which has the same flags: `bnnlua -m runs "
                  .. "resume ID` gives them", type = "string", result = false},
}

-- ---- what a record says of an experiment ----

-- The value of a flag, if it is the common one and not the experiment's own of that name.
local function common(experiment, cfg, name)
  if experiment.defaults[name] == M.entries[name] then return cfg[name] end
end

-- The flags that decide the result.
local function result_flags(experiment)
  local names = {}
  for _, name in ipairs(options.sorted_names(experiment.defaults)) do
    if experiment.defaults[name].result ~= false then names[#names + 1] = name end
  end
  return names
end

-- Whether a flag names a file or a folder where a run may write, such as that of figures.
local function is_place(entry)
  local is_text = entry.type == "string" or entry.type == nil and type(entry[1]) == "string"
  return is_text and entry.result == false and not entry.choices and entry ~= data.flags.data_dir
end

local function place_flags(experiment)
  local names = {}
  for _, name in ipairs(options.sorted_names(experiment.defaults)) do
    if is_place(experiment.defaults[name]) then names[#names + 1] = name end
  end
  return names
end

-- The configuration by full name, without the flags that say how it is recorded. Schedules are
-- their text; a function of a user's own has none.
local function recorded(experiment, cfg)
  local copy = {}
  for name, v in pairs(configuration.flatten(cfg, experiment.defaults)) do
    local entry = M.entries[name]
    if type(v) == "function" then v = configuration.text(v) or "a function" end
    if not entry or experiment.defaults[name] ~= entry then copy[name] = v end
  end
  return copy
end

-- ---- checkpoints in the record ----

-- The configuration with some values replaced.
local function with(cfg, changes)
  local copy = {}
  for name, v in pairs(cfg) do copy[name] = v end
  for name, v in pairs(changes) do copy[name] = v or nil end
  return copy
end

-- The configuration that a recorded run gets: its checkpoints are in its folder, if it is to write
-- any and no other folder is named, and it goes on from those that are there.
local function run_config(experiment, cfg, record)
  if not checkpoint_flags.are_in(experiment.defaults) then return cfg end
  local goes_on = record.about.attempt > 1
  if not (cfg.checkpoint or cfg.checkpoint_every or goes_on) then return cfg end
  return with(cfg, {checkpoint = cfg.checkpoint or record.folder.path .. "/checkpoints",
                    resume = cfg.resume or goes_on})
end

-- The same of a run that was to be recorded and is not.
local function unrecorded_config(experiment, cfg)
  local has_place = cfg.checkpoint or not cfg.checkpoint_every
  if has_place or not checkpoint_flags.are_in(experiment.defaults) then return cfg end
  strings.notice "no checkpoints are written: they would be in the record (--checkpoint=DIR)"
  return with(cfg, {checkpoint_every = false})
end

-- ---- resuming ----

-- Whether a recorded run is one of these sources; or nil, message.
local function check_sources(about, script, sources)
  local hashes = {}
  for _, source in ipairs(sources) do hashes[source.module or ""] = source.sha256 end
  for _, source in ipairs(about.sources or {}) do
    local now = hashes[source.module or ""]
    if now ~= source.sha256 and (now or not source.module) then
      return nil, strings.message("%s: cannot resume with %s: it is not the recorded %s "
        .. "(`bnnlua -m runs resume %s` runs that)", about.id, script, source.path, about.id)
    end
  end
  return true
end

-- Whether its flags that decide the result are these; or nil, message.
local function check_config(experiment, about, theirs, ours)
  for _, name in ipairs(result_flags(experiment)) do
    local a, b = theirs[name], ours[name]
    local there, here = a ~= nil and ledger.value_text(a), b ~= nil and ledger.value_text(b)
    if there ~= here then
      return nil, strings.message("%s: cannot resume: %s: %s in the record, %s here", about.id,
        name, there or "not given", here or "not given")
    end
  end
  return true
end

local function resume(experiment, cfg, opts)
  local ours = recorded(experiment, cfg)
  return recorder.resume{
    root = opts.root, id = opts.resume, machine = opts.facts and opts.facts.machine,
    check = function(about, theirs)
      local sources, fault = opts.facts and opts.facts.sources, nil
      if not sources then sources, fault = run_facts.sources(opts.script) end
      if not sources then return nil, fault end
      local ok, why = check_sources(about, opts.script, sources)
      if not ok then return nil, why end
      return check_config(experiment, about, theirs, ours)
    end,
  }
end

local function start(experiment, cfg, opts)
  local config = recorded(experiment, cfg)
  return recorder.start{
    root = opts.root, script = opts.script, config = config, about = experiment.about,
    argv = opts.argv or run_words.of_changes(config, experiment.defaults), name = opts.name,
    result_flags = result_flags(experiment), place_flags = place_flags(experiment),
    labels = opts.labels, facts = opts.facts,
  }
end

-- ---- both ways in ----

--- Begins the record of a run.
-- @param experiment table, as bnn.main and bnn.load_experiment return it
-- @param cfg its complete configuration
-- @param opts table:
--   root     the folder of runs
--   script   the path of the script
--   argv     the words of the command line; nil: those that give the configuration
--   name     a name for the run, or nil
--   labels   {sweep=, trial=, replicate=} of a run of a sweep, or nil
--   facts    what bnn.records.run_facts.gather(script) returned, for a caller that starts many
--   resume   the id of a run that died, failed or was interrupted: this is its next attempt
-- @return recorder, and function(cfg, log), which runs the experiment and records it; or nil,
--   message
function M.begin(experiment, cfg, opts)
  local record, fault = (opts.resume and resume or start)(experiment, cfg, opts)
  if not record then return nil, fault end
  return record, function(config, log)
    -- The record first: the other may end the run, as that of a sweep does which prunes.
    local results = table.pack(experiment.run(run_config(experiment, config, record),
      logs.tee{record:log(), log}))
    record:results(results[1])
    return table.unpack(results, 1, results.n)
  end
end

-- The id of the run that --resume_run means; refuses one that is not there.
local function resumed_id(experiment, cfg, root)
  local word = common(experiment, cfg, "resume_run")
  if not word then return nil end
  refusal.assert_or_exit(root and core.is_folder(root),
    "--resume_run needs the folder of records: --runs=DIR")
  return (refusal.assert_or_exit(records.find(word, {runs = root})))
end

--- Begins the record of a run from the command line, if it is to be recorded.
-- @param experiment table
-- @param cfg its complete configuration
-- @param argv list: the words of the command line
-- @return function(cfg, log), which runs the experiment with the record as a log too; and an object
--   whose closing ends the record, or nil
function M.start(experiment, cfg, argv)
  local root, script = run_folder.root(common(experiment, cfg, "runs")), arg and arg[0]
  local is_off = experiment.defaults.record == M.entries.record and cfg.record == false
  local id = resumed_id(experiment, cfg, not is_off and root)
  if is_off or not root or type(script) ~= "string" then return experiment.run end
  local wanted = common(experiment, cfg, "ledger")
  if wanted then refusal.assert_or_exit(ledger_place.settle(root, wanted)) end
  local record, run = M.begin(experiment, cfg, {root = root, script = script, argv = argv,
    name = common(experiment, cfg, "run_name"), resume = id})
  if record then return run, record:until_closed() end
  refusal.assert_or_exit(not id, run)
  strings.notice(("this run is not recorded: %s"):format(run))
  return function(config, log) return experiment.run(unrecorded_config(experiment, config), log) end
end

return M
