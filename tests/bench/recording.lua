--- What the record of a run costs: processor time of an experiment with all sinks (its record,
-- --log=FILE.jsonl, --tensorboard=DIR) beside the same with none, in pairs of runs one after the
-- other, whose order alternates.
--     build/bnnlua tests/bench/recording.lua --pairs=20
-- Processor time, user and system, of whole processes: others on the machine change it less than
-- they change the time that passes. A control, the run without sinks twice, says how well it is
-- known: its ratio should be 1.
package.path = (arg[0]:match "^.*/" or "./") .. "?.lua;" .. package.path
local bnn = require "bnn"
local core = require "bnn.core"
local flags = require "bnn.run.flags"
local ratios = require "ratios"
local usage = require "bnn.run.usage"

local about = "the processor time of an experiment with all records and logs, and without"
local defaults = {
  program = {"build/bnnlua", "the program that runs it", type = "string"},
  experiment = {"experiments/mnist.lua", "what is run", type = "string"},
  args = {"--threads=1", "its flags; steps are those of its default", type = "string"},
  pairs = {12, "pairs of runs", type = "integer", min = 2},
}

-- User and system seconds of a command of the shell, which must succeed.
local function cpu_seconds(command)
  local script = ("TIMEFORMAT='%%3U %%3S'; time %s >/dev/null 2>/dev/null"):format(command)
  local pipe = assert(io.popen("exec 2>&1; bash -c " .. "'" .. script:gsub("'", "'\\''") .. "'"))
  local text = pipe:read "a"
  local user, system = text:match "([%d.]+) ([%d.]+)"
  if not pipe:close() or not user then error(("%s: %s"):format(command, text), 0) end
  return tonumber(user) + tonumber(system)
end

local function run(cfg)
  local folder = os.tmpname()
  os.remove(folder)
  assert(core.make_folder(folder))
  local base = ("%s %s %s --quiet"):format(cfg.program, cfg.experiment, cfg.args)
  local commands = {
    with = ("%s --runs=%s/runs --log=%s/log.jsonl --tensorboard=%s/board"):format(base, folder,
      folder, folder),
    without = base .. " --no_record", again = base .. " --no_record",
  }
  local orders = {{"without", "with", "again"}, {"again", "with", "without"}}
  local costs, controls, times = {}, {}, {}
  for i = 1, cfg.pairs do
    local took = {}
    for _, name in ipairs(orders[i % 2 + 1]) do took[name] = cpu_seconds(commands[name]) end
    costs[i] = math.log(took.with / took.without)
    controls[i], times[i] = math.log(took.again / took.without), took.without
  end
  os.execute("chmod -R u+w " .. folder .. " && rm -rf " .. folder)
  print(("%s %s: %.2f s of processor time without records"):format(cfg.experiment, cfg.args,
    ratios.median(times)))
  print(bnn.table_text.render({ratios.row("with / without", {costs}),
    ratios.row("without / without", {controls})}, ratios.columns))
end

math.randomseed(1)
if flags.wants_help(arg) then
  io.write(usage.text({about = about, defaults = defaults}, "recording", run))
else
  run(bnn.assert_or_exit(flags.parse(arg, defaults)))
end
