--- Experiments: a table {about=, defaults=, run=function(cfg, log)}. The command line runs it if
-- its file is the program; sweeps, tests and the prompt load it and call run as a function. cfg
-- cannot be changed, nor its lists: {table.unpack(cfg.hidden)} is a copy. Tables of defaults may
-- have groups: cfg.optimizer.lr is --optimizer.lr.
-- Optional fields:
--   order        {"lr", ...}, the order of flags in --help
--   positional   {"image.png ...", "meaning"}, for an experiment that takes words besides flags:
--                cfg.positional is their list
--   common       {"seed", "dataset", "threads", "checkpoint", "stop", "monitor"}, groups of
--                shared flags: see bnn.common_flags
--   renamed      {data = "data_dir"}, old names of flags; using one is an error with the new name
--   objective    {"test/accuracy", "max"}, the metric that sweeps compare its runs by
local common_flags = require "bnn.run.common_flags"
local config_file = require "bnn.run.config_file"
local configuration = require "bnn.base.configuration"
local expect = require "bnn.base.expect"
local experiment_paths = require "bnn.run.experiment_paths"
local experiment_result = require "bnn.run.experiment_result"
local fail = require "bnn.base.fail"
local flags = require "bnn.run.flags"
local kinds = require "bnn.base.kinds"
local log_flags = require "bnn.run.log_flags"
local logs = require "bnn.log.log"
local on_finish = require "bnn.run.on_finish"
local options = require "bnn.base.options"
local record_run = require "bnn.records.record_run"
local refusal = require "bnn.base.refusal"
local strings = require "bnn.base.strings"
local usage = require "bnn.run.usage"

local M = {}

local LOAD = "bnn.load_experiment"

-- The experiment's own run behind each checked one that `seal` made.
local own_run = setmetatable({}, {__mode = "k"})

M.assert_or_exit = refusal.assert_or_exit

local function check_experiment(experiment)
  if type(experiment) ~= "table" or type(experiment.run) ~= "function" then
    fail.expected("experiment", "{about=, defaults=, run=function(cfg, log) ... end}", experiment)
  end
  if type(experiment.defaults or {}) ~= "table" then
    fail.expected("experiment: defaults", "a table", experiment.defaults)
  end
  local words = experiment.positional
  local is_good = words == nil or type(words) == "table" and type(words[1]) == "string"
    and type(words[2]) == "string"
  if not is_good then
    fail.expected("experiment: positional", '{"image.png ...", "meaning"}', words)
  end
end

--- Completes a configuration for an experiment's run: fills in the defaults and checks every value
-- as a flag's would be; raises if one is refused.
-- @param experiment table, as `main` and `load_experiment` return it
-- @param cfg table, or nil
function M.complete(experiment, cfg)
  local specs = flags.specs(experiment.defaults, experiment.renamed)
  if experiment.positional and not specs.positional then
    specs.positional = {type = "string", list = true, default = {}}
  end
  if type(cfg) == "table" then
    local given = configuration.flatten(cfg, specs)
    local made, name, wanted = flags.with_schedules(given, specs)
    if not made then fail("run: %s: expected %s, got %s", name, wanted, kinds.show(given[name])) end
    cfg = made
  end
  return configuration.freeze(options.check("run", cfg, specs), specs)
end

-- Makes experiment.run fill in, check and copy its configuration and make a console log where none
-- is given; e.run{...} and e:run{...} both work. A run that is checked already stays as it is.
local function seal(experiment)
  check_experiment(experiment)
  experiment.defaults = flags.flat(experiment.defaults or {})
  local run = experiment.run
  if own_run[run] then return experiment end
  common_flags.add(experiment)
  local ok, fault = fail.try(flags.specs, experiment.defaults)
  if not ok then fail("experiment: %s", fault) end
  local function checked_run(cfg, log, ...)
    if cfg == experiment then cfg, log = log, ... end
    local complete_cfg = M.complete(experiment, cfg)
    configuration.remember(complete_cfg, experiment)
    local _ <close> = common_flags.apply(experiment, complete_cfg)
    local command = common_flags.is_common(experiment, "on_finish") and complete_cfg.on_finish
    return experiment_result.join(on_finish.run(command, function()
      return log_flags.run(experiment, complete_cfg, logs.resolve(log), run)
    end))
  end
  own_run[checked_run] = run
  experiment.run = checked_run
  return experiment
end

-- Whether the function at `level` of the stack was called by the main chunk of the program: nothing
-- written in Lua, no dofile and no require stands between it and the host. `return bnn.main(e)` is
-- a tail call and leaves no frame of its chunk; where there is one it must be the script's own.
local function called_by_main_chunk(level)
  if not select(2, coroutine.running()) then return false end
  local below = level + 1
  local script = arg and arg[0]
  if not debug.getinfo(level, "t").istailcall then
    local caller = debug.getinfo(below, "S")
    if not caller or caller.what ~= "main" then return false end
    if caller.source:find "^@" and caller.source ~= "@" .. tostring(script) then return false end
    below = below + 1
  end
  while true do
    local frame = debug.getinfo(below, "Sf")
    if not frame then return true end
    if frame.what ~= "C" or frame.func == require or frame.func == dofile then return false end
    below = below + 1
  end
end

--- Sets the message of an interrupt: "interrupted by SIGINT at step 1234: the parameters are those
-- of the last complete step". Leaves a message that is set, and other errors, alone.
function M.explain_interrupt(err)
  local meta = type(err) == "table" and getmetatable(err)
  if type(meta) ~= "table" or meta.__name ~= "bnn.interrupt" or err.message then return err end
  err.message = "interrupted by " .. tostring(err.name)
  if err.step then
    local where = " at step %d: the parameters are those of the last complete step"
    err.message = err.message .. where:format(err.step)
  end
  return err
end

-- The words after the script; without a script `arg` holds the interpreter's own.
local function command_line()
  return arg and arg[-1] and arg or {}
end

-- How the script was started, without the interpreter's own options, which its name is before.
local function program_name()
  local first = 0
  while arg and arg[first - 1] do first = first - 1 end
  local host = first < 0 and tostring(arg[first]):match "[^/]+$" or "bnnlua"
  if not host:find "^%w" then host = "bnnlua" end
  local script = arg and tostring(arg[0]) or "script.lua"
  return strings.shell_word(host) .. " " .. strings.shell_word(script)
end

local function run_from_command_line(experiment)
  local argv = command_line()
  if flags.wants_help(argv) then
    io.stdout:write(usage.text(experiment, program_name(), own_run[experiment.run]))
    return
  end
  local cfg, shows = M.assert_or_exit(flags.parse(argv, experiment.defaults,
    experiment.positional ~= nil, experiment.renamed))
  if shows then
    io.stdout:write(config_file.text(cfg, usage.order(experiment, own_run[experiment.run])))
    return
  end
  local run, _ <close> = record_run.start(experiment, cfg, argv)
  -- An error passes here on its way to the host: only interrupts change, they get their text.
  local _ <close> = setmetatable({}, {__close = function(_, err) M.explain_interrupt(err) end})
  refusal.collect_late(require "bnn.signal".guard, run, cfg, logs.console())
end

--- Ends an experiment's file: runs the experiment with the flags of the command line if the file is
-- the program. -h and --help print the flags.
--     local experiment = {
--       about = "counts steps",
--       defaults = {steps = {10, "number of steps", min = 1}},
--     }
--     function experiment.run(config) return {steps = config.steps} end
--     return bnn.main(experiment)
-- A wrong flag is one line on stderr and exit status 1.
-- @param experiment table {about=, defaults=, run=}
-- @return the experiment, whose `run` checks its configuration
function M.main(experiment)
  seal(experiment)
  if called_by_main_chunk(2) then run_from_command_line(experiment) end
  return experiment
end

-- The experiment of a file, and its path.
local function load_file(path)
  local chunk, message = loadfile(path)
  if not chunk then fail("%s: %s", LOAD, message) end
  return chunk(path), path
end

-- The experiment of a module that is loaded or can be found, or of a file of that name.
local function load_name(name)
  if package.loaded[name] or package.preload[name] or package.searchpath(name, package.path) then
    return require(name), name
  end
  local path, folders = experiment_paths.find(name)
  if path then return load_file(path) end
  fail("%s: %s: expected a file, a module or the name of an experiment; there is none in %s", LOAD,
    name, folders)
end

--- Loads the experiment of a file, a module or a name without running it.
--     local experiment = bnn.load_experiment "experiments/cubic.lua"
--     local metrics, artefacts = experiment.run({steps = 20}, log)
-- Flags that are left out have their defaults. What the run made can be read through its metrics:
-- metrics.objective, metrics.data and the other artefacts, net, posterior.
-- @param path string: a file (it has a slash or ends in .lua), the name of a module, or that of an
--   experiment: a file in the folder experiments, here, beside the program or where it is installed
-- @return the experiment, whose `run` checks its configuration; path= where it is from
-- Raises if there is none, it cannot be read or compiled, or returns no table with a function run.
function M.load_experiment(path)
  expect.string(LOAD, path, "a path")
  local is_file = path:find "/" or path:find "%.lua$"
  local experiment, found = (is_file and load_file or load_name)(path)
  if type(experiment) ~= "table" or type(experiment.run) ~= "function" then
    local got = type(experiment) == "table" and "a table" or kinds.shown(experiment)
    fail("%s: %s: expected a table with a function 'run', got %s", LOAD, found, got)
  end
  experiment.path = found
  return seal(experiment)
end

--- Loads an experiment by its name, as bnn.load_experiment does, to go on with what its run makes.
--     e = bnn.load "cubic"
--     r = e.run{steps = 50}
--     bnn.train{objective = r.objective, optimizer = r.state.optimizer, state = r.state,
--               data = r.data.train, lr = 1e-3, steps = 50, batch_size = 100, key = bnn.key(2)}
-- @param name string: "mnist", or any path that bnn.load_experiment takes
-- @return the experiment, whose `run` checks its configuration; path= where it is from
-- Raises if there is none, as bnn.load_experiment does.
function M.load(name) return M.load_experiment(name) end

--- Makes an experiment's run check its configuration, as `main` does, without running it.
-- @return the experiment
function M.seal(experiment) return seal(experiment) end

return M
