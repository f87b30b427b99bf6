--- many runs of an experiment, side by side, resumed by default
--
-- bnnlua -m sweep [--flag=value ...] EXPERIMENT NAME=SPACE ... [-- FLAGS]
-- bnnlua -m sweep --worker=RUNS|URL [--name=SWEEP] [--count=N] ...
local bnn = require "bnn"
local fail = require "bnn.base.fail"
local flags = require "bnn.run.flags"
local ledger_place = require "bnn.records.ledger_place"
local run_words = require "bnn.records.run_words"
local slurm_command = require "bnn.slurm.slurm_command"
local slurm_task = require "bnn.slurm.slurm_task"
local strings = require "bnn.base.strings"
local sweep = require "bnn.sweep.sweep"
local sweep_worker = require "bnn.sweep.sweep_worker"
local usage = require "bnn.run.usage"

local assert_or_exit = bnn.assert_or_exit
local PROGRAM = "bnnlua -m sweep"
local WORDS = " EXPERIMENT NAME=SPACE ... [-- FLAGS]"

local defaults = {
  trials = {nil, "how many trials (default: all of a grid)", type = "integer", min = 1},
  seeds = {1, "runs of each trial, with one seed after the other", min = 1},
  workers = {0, "runs side by side, each on one thread; 0: one for each available processor",
             min = 0},
  objective = {nil, "the metric to compare trials by, or several with commas (default: the "
                 .. "experiment's, else test/accuracy)", type = "string", list = true},
  mode = {nil, "max or min, for each objective (default max)", type = "string", list = true,
          choices = {"max", "min"}},
  sampler = {nil, "how trials are proposed: grid, random, sobol, halton, latin, tpe, cmaes, gp, "
               .. "with options as in tpe:startup_trials=20 (default: grid if the space is finite "
               .. "and there is no --trials, else sobol)", type = "string"},
  pruner = {"none", "which runs are ended early: none, median, percentile, asha, hyperband, "
              .. "wilcoxon, with options as in asha:eta=4", type = "string"},
  key = {1, "root of what samplers draw", type = "integer"},
  name = {nil, "a name for the sweep (default: one made from its settings)", type = "string"},
  runs = {nil, "the folder of records (default $BNNLUA_RUNS, else runs)", type = "string"},
  ledger = ledger_place.FLAG,
  retries = {2, "how often a run whose process died is tried again", min = 0},
  timeout = {nil, "seconds that a run may take", type = "number", above = 0},
  fail_fast = {false, "end with the first failure"},
  keep_checkpoints = {false, "keep the checkpoints of runs that have ended"},
  delay = {nil, "tpe, cmaes, gp: trials before the newest that they do not wait for; the same "
             .. "number gives the same trials for any --workers (default: workers - 1)",
           type = "integer", min = 0},
  worker = {nil, "join the sweeps of this folder of records, or of the ledger "
              .. "postgresql://host/db, instead: make the runs that are open, of the one of --name "
              .. "or of all, --workers side by side (default: as many as Slurm or HyperQueue gave "
              .. "processors, else 1)", type = "string"},
  count = {nil, "with --worker: how many runs to make at most", type = "integer", min = 1},
  wait = {0, "with --worker: seconds for which it looks for new runs after the last",
          type = "number", min = 0},
  top = {10, "how many trials the table shows", min = 1},
  report = {nil, "the report to write, an HTML file (default: in the folder of records)",
            type = "string"},
  quiet = {false, "show no progress on stderr"},
}
local ORDER = {"trials", "seeds", "workers", "objective", "mode", "sampler", "pruner", "key",
               "name", "runs", "ledger", "retries", "timeout", "fail_fast", "keep_checkpoints",
               "delay", "worker", "count", "wait", "top", "report", "quiet"}

local NOT_OPTIONS = {worker = true, count = true, wait = true, top = true, report = true,
                     quiet = true} -- of bnn.sweep

-- The flags in the order of --help: the sweep's own and those for Slurm.
local ALL = table.move(slurm_command.ORDER, 1, #slurm_command.ORDER, #ORDER + 1,
  table.move(ORDER, 1, #ORDER, 1, {}))
for name, entry in pairs(slurm_command.defaults) do defaults[name] = entry end

-- The words before and after `--`.
local function split(argv)
  local own, rest = {}, {}
  local to = own
  for _, word in ipairs(argv) do
    if word == "--" and to == own then to = rest else to[#to + 1] = word end
  end
  return own, rest
end

-- The flags behind `--` that are given, as values of the experiment's.
local function fixed_values(experiment, words)
  if not words[1] then return {} end
  local given = {}
  local all = assert_or_exit(flags.parse(words, experiment.defaults, nil, experiment.renamed))
  for name, spec in pairs(flags.specs(experiment.defaults)) do
    local is_new = all[name] ~= nil and not run_words.same(all[name], spec.default)
    if is_new then given[name] = all[name] end
  end
  return given
end

local EXAMPLES = [[

  bnnlua -m sweep experiments/mnist.lua beta=1,0.1,0.01 lr=log:1e-4:1e-2 \
    --trials=20 --seeds=3 -- --steps=2000

NAME=SPACE is a flag of the experiment and what to try for it:
  beta=1,0.1,0.01           one of a list
  logvar=uniform:-10:-1     a number; lr=log:1e-4:1e-2: as much in each decade
  layers=integer:1:4        an integer; range:0:0.5:0.1 has steps
  hidden=[64,64],[400,400]  lists; "a text",b or choice:a,b for texts
  momentum=0,0.9@opt=sgd    only in trials in which opt is sgd
FLAGS after -- are the experiment's own, the same in all runs.

The same command again makes the runs that are missing or have failed, and
nothing else; more --trials or --seeds extend it. Ctrl-C: the runs write their
checkpoints. `bnnlua -m runs list sweep=NAME` lists the runs, `bnnlua EXPERIMENT
--help` the experiment's flags, `bnnlua -m help sweeps` says more.

Workers join a sweep that has begun, on any machine that sees its folder of
records (with --ledger=folder, which is safe on NFS) or its ledger in
PostgreSQL; the experiment has the same path there. With RUNS=/shared/runs:
  by hand       ssh host "cd $PWD && bnnlua -m sweep --worker=$RUNS"
  GNU parallel  parallel --sshlogin a,b -j4 -N0 --wd . \
                  bnnlua -m sweep --worker=$RUNS ::: {1..8}
  HyperQueue    hq submit --array=1-8 -- bnnlua -m sweep --worker=$RUNS
  Slurm         sbatch --array=1-8 --wrap="bnnlua -m sweep --worker=$RUNS"
  PostgreSQL    bnnlua -m sweep --worker=postgresql://host/db --runs=/tmp/runs

On a cluster job arrays of Slurm make the runs, 50 at a time:
  bnnlua -m sweep --slurm="--partition=short --time=1:00:00" --workers=50 \
    experiments/mnist.lua beta=1,0.1,0.01 --seeds=20 -- --steps=20000
]]

local function print_help(out)
  out:write(usage.text({about = "Runs an experiment for many settings, side by side: each run is "
    .. "recorded, and a sweep that was cut short goes on.", defaults = defaults, order = ALL},
    PROGRAM, print_help):gsub("^[^\n]*", "%0" .. WORDS, 1), EXAMPLES)
end

-- Calls f; what is wrong with the words of the command line is one line, not an error of a script.
local function ask(f, ...)
  local ok, result = fail.try(f, ...)
  if ok then return result end
  local message = result:gsub("^%S*tools/sweep%.lua:%d+: ", ""):gsub("^bnn%.[%a_.]+: ", "")
  return assert_or_exit(nil, message)
end

-- Prints what came out and writes the report; the status is 1 if runs failed.
local function finish(cfg, result)
  io.write(result:text(cfg.top))
  local report = assert_or_exit(result:report(cfg.report))
  strings.notice("report: " .. report)
  local failed = result.counts.failed
  assert_or_exit(failed == 0, ("%d of %d runs failed; the same command makes them again"):format(
    failed, result.counts.total))
end

local function run(cfg, words, rest)
  local path = table.remove(words, 1)
  local experiment = ask(bnn.load_experiment, path)
  local space = assert_or_exit(bnn.space.parse(words))
  local opts = {experiment = path, space = space, config = fixed_values(experiment, rest),
                progress = not cfg.quiet}
  for _, name in ipairs(ORDER) do
    if not NOT_OPTIONS[name] then opts[name] = cfg[name] end
  end
  ask(sweep.check, opts)
  if cfg.status or cfg.cancel then return slurm_command.ask(cfg, sweep.plan(opts).name) end
  local result
  if cfg.slurm then result = slurm_command.run(cfg, opts) else result = bnn.sweep(opts) end
  if result then finish(cfg, result) end
end

-- ---- workers ----

local WITH_WORKER = {worker = true, name = true, workers = true, runs = true, count = true,
                     wait = true, quiet = true}

-- What a worker takes from the sweep itself is not said again, and what is a worker's is no
-- sweep's.
local function check_flags(cfg, words)
  local is_worker = cfg.worker ~= nil
  assert_or_exit(not (is_worker and words[1]), strings.message("--worker: expected no experiment, "
    .. "as the sweep has its own, got '%s'", words[1] or ""))
  for _, name in ipairs(ALL) do
    local is_given = not run_words.same(cfg[name], defaults[name][1])
    assert_or_exit(not (is_worker and is_given and not WITH_WORKER[name]), ("--%s: not with "
      .. "--worker, which takes it from the sweep"):format(name))
  end
  for _, name in ipairs{"count", "wait"} do
    local is_given = not run_words.same(cfg[name], defaults[name][1])
    assert_or_exit(is_worker or not is_given, ("--%s: only with --worker"):format(name))
  end
end

local function run_worker(cfg)
  local done = sweep_worker.run{root = cfg.worker, name = cfg.name, workers = cfg.workers,
    runs = cfg.runs, count = cfg.count, wait = cfg.wait, progress = not cfg.quiet}
  strings.notice(done.made == 0 and "there were no open runs" or ("%d run%s made"):format(done.made,
    done.made == 1 and "" or "s"))
  assert_or_exit(done.failed == 0, ("%d of %d runs failed; the sweep's own command makes them "
    .. "again"):format(done.failed, done.made))
end

local function main(argv)
  if not argv[1] or flags.wants_help(argv) then
    print_help(argv[1] and io.stdout or io.stderr)
    return assert_or_exit(argv[1], "expected an experiment: " .. PROGRAM .. WORDS)
  end
  local own, rest = split(argv)
  local cfg = assert_or_exit(flags.parse(own, defaults, true))
  local words = cfg.positional
  check_flags(cfg, words)
  slurm_command.check(cfg)
  if cfg.worker then return slurm_task.run(run_worker, cfg) end
  if not words[1] and (cfg.status or cfg.cancel) then return slurm_command.ask(cfg, cfg.name) end
  assert_or_exit(words[1] and not words[1]:find "=", "expected an experiment first: " .. PROGRAM
    .. WORDS)
  run(cfg, words, rest)
end

local _ <close> = setmetatable({}, {__close = function(_, err)
  require "bnn.run.experiment".explain_interrupt(err)
end})
require "bnn.signal".guard(main, arg)
