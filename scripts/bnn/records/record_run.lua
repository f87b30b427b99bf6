--- Records experiments that are run from the command line: the flags, and the run itself.
local logs = require "bnn.log.log"
local options = require "bnn.base.options"
local recorder = require "bnn.records.recorder"
local run_folder = require "bnn.records.run_folder"

local M = {}

--- The entries of an experiment's defaults.
M.entries = {
  record = {nil, "keep a record of a run from the command line, for `bnnlua -m runs`; it is "
              .. "kept unless --no_record is given", type = "boolean", result = false},
  runs = {nil, "the folder of records (default $BNNLUA_RUNS, else runs; an empty name: no record)",
          type = "string", result = false},
  run_name = {nil, "a name for this run, in its record", type = "string", result = false},
}

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

-- The flags that name files or folders which do not change the result, such as that of figures.
local function place_flags(experiment)
  local names = {}
  for _, name in ipairs(options.sorted_names(experiment.defaults)) do
    local entry = experiment.defaults[name]
    local is_text = entry.type == "string" or entry.type == nil and type(entry[1]) == "string"
    if entry.result == false and is_text and not entry.choices then names[#names + 1] = name end
  end
  return names
end

-- The configuration without the flags that say how it is recorded.
local function recorded(experiment, cfg)
  local copy = {}
  for name, v in pairs(cfg) do
    local entry = M.entries[name]
    if not entry or experiment.defaults[name] ~= entry then copy[name] = v end
  end
  return copy
end

local function start(experiment, cfg, argv)
  local root = run_folder.root(common(experiment, cfg, "runs"))
  local script = arg and arg[0]
  local is_off = experiment.defaults.record == M.entries.record and cfg.record == false
  if is_off or not root or type(script) ~= "string" then return nil end
  return recorder.start{
    root = root, script = script, argv = argv, config = recorded(experiment, cfg),
    about = experiment.about, name = common(experiment, cfg, "run_name"),
    result_flags = result_flags(experiment), place_flags = place_flags(experiment),
  }
end

--- Begins the record of a run, if it is to be recorded.
-- @param experiment table
-- @param cfg its complete configuration
-- @param argv list: the words of the command line
-- @return function(cfg, log), which runs the experiment with the record as a log too; and an object
--   whose closing ends the record, or nil
function M.start(experiment, cfg, argv)
  local record = start(experiment, cfg, argv)
  if not record then return experiment.run end
  local function run(config, log)
    local results = table.pack(experiment.run(config, logs.tee{log, record:log()}))
    record:results(results[1])
    return table.unpack(results, 1, results.n)
  end
  return run, record:until_closed()
end

return M
