#!/usr/bin/env bash
# slurm_test.sh - sweeps by job arrays of a Slurm that this test starts on this host and stops again
# (tests/shell/slurm.sh): an array of 12 runs, a failed run made again alone, a checkpoint and one
# requeued task for USR2, a lost answer of sbatch, several arrays, a killed task, a controller that is
# killed and started again, --cancel. All results have the bits of a sweep on this machine. It says
# whether Slurm ran. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
# shellcheck source=tests/shell/slurm.sh
. "$(dirname "$0")/../shell/slurm.sh"
skip() {
  echo "slurm_test.sh: Slurm did NOT run: $1"
  echo "0 passed, 0 failed"
  exit 0
}
lack=$(slurm_lacks)
[ -z "$lack" ] || skip "$lack"
chmod 755 "$T"
trap 'slurm_stop 2>/dev/null; rm -rf "$T"' EXIT
slurm_start "$T/slurm" 13 >"$T/why" 2>&1 || skip "$(tail -n 3 "$T/why")"
echo "slurm_test.sh: $(scontrol --version) ran, started by this test"
mkdir "$T/w" && cd "$T/w" || exit 1
unset BNNLUA_RUNS BNNLUA_LEDGER

# An experiment that notes what it begins and each step; while there is a file `hold`, it waits at step
# 30; it fails at x = FAIL until there is a file `mended`.
cat >toy.lua <<'END'
local bnn, core = require "bnn", require "bnn.core"
local experiment = {
  about = "a line", objective = {"loss", "min"}, common = {"seed", "checkpoint"},
  defaults = {lr = {0.1, "rate", above = 0}, steps = {40, "steps", min = 1},
              fail = {"", "at which lr to fail"}},
}
local function is_there(name)
  local file <close> = io.open(name)
  return file ~= nil
end
local function note(...)
  local file <close> = io.open("noted", "a")
  file:setvbuf "full"
  file:write(table.concat({...}, " "), "\n")
end
function experiment.run(cfg, log)
  if tostring(cfg.lr) == cfg.fail and not is_there "mended" then error "as asked" end
  local key = bnn.key(cfg.seed)
  local x = bnn.randn(key:fold "x", 64, 3)
  local params = bnn.nn.linear(1):init(key, x)
  local objective = bnn.objective{params = params, loss = function(p, batch)
    return ((batch.x:mm(p["linear/w"]) - 1) ^ 2):sum(2)
  end}
  bnn.train{
    objective = objective, optimizer = bnn.optim.sgd{lr = cfg.lr}, key = key, log = log,
    data = bnn.data.from_tensors{x = x}, batch_size = 8, steps = cfg.steps, log_every = 10,
    checkpoint = bnn.checkpoint.from_flags(cfg, {}),
    on_step = function(step)
      note(cfg.lr, cfg.seed, step)
      while step == 30 and is_there "hold" do core.wait_jobs({}, 0.01) end
    end,
  }
  return {loss = objective:value({x = x}, key).loss}
end
return bnn.main(experiment)
END
# bits ROOT NAME SEEDS: each run of a sweep, with its state and value bit for bit
cat >bits.lua <<'END'
local root, name, n = arg[1], arg[2], tonumber(arg[3])
local seeds = {}
for i = 1, n do seeds[i] = i end
local book <close> = require "bnn.sweep.sweep_book".new(root, name)
for _, trial in ipairs(book:trials(seeds)) do
  for r, run in ipairs(trial.runs) do
    local value = run.outcome and run.outcome.values and run.outcome.values[1]
    io.write(("%d %d %s %q\n"):format(trial.number, r, run.state, value or 0 / 0))
  end
end
END
bits() { "$bnnlua" bits.lua "$@" 2>&1; }

LR="lr=0.001,0.002,0.005,0.01"
# sweep NAME ARGUMENTS: sets rc, out, err
sweep() {
  local name=$1
  shift
  timeout 300 "$bnnlua" -m sweep toy.lua "${space:-$LR}" --seeds="${seeds:-3}" --name="$name" "$@" \
    >out 2>err </dev/null
  rc=$? out=$(cat out) err=$(cat err)
}
slurm() {
  local name=$1
  shift
  sweep "$name" --runs=shared --workers="${workers:-2}" --slurm="--time=10" "$@"
}
array_of() { sed -n 's/^submitted array \([0-9]*\) .*/\1/p' err | head -1; }
submitted() { grep -c '^submitted array' err; }
of_job() { scontrol show job "$1" -o | grep -o " $2=[^ ]*" | cut -d= -f2; } # ID_TASK FIELD
steps() { touch noted && grep -c " $1\$" noted; } # runs that came to a step
are_at_30() { [ "$(steps 30)" -ge "$1" ]; }
is_gone() { [ -z "$(squeue -h -r --name="$1")" ]; }
# twice NAME: runs that are on record as complete more than once
twice() {
  "$bnnlua" -m runs list "sweep=$1" status=completed --runs=shared --columns=trial,replicate --all \
    2>/dev/null | awk 'NR > 1 {print $2, $3}' | sort | uniq -d | wc -l
}

# What comes out where nothing happens.
sweep here --runs=here
equal "a sweep on this machine" 0 "$rc"
bits here here 3 >want
equal "a sweep on this machine: 12 runs" 12 "$(grep -c completed want)"

# ---------------------------------------------------------------- an array
slurm plain
equal "an array: status" 0 "$rc"
equal "an array: one of 12 tasks" "1 1" "$(submitted) $(grep -c 'of 12 tasks' err)"
equal "an array: its throttle" 2 "$(of_job "$(array_of)" ArrayTaskThrottle | head -1)"
equal "an array: the same bits" "$(cat want)" "$(bits shared plain 3)"
equal "an array: its table is that of a sweep on this machine" \
  "$("$bnnlua" -m sweep toy.lua "$LR" --seeds=3 --name=here --runs=here 2>/dev/null | sed 1d)" \
  "$(sed 1d out)"
equal "an array: an output file for each task" 12 "$(ls shared/sweeps/plain/slurm-*.out | wc -l)"
slurm plain
equal "the same again submits nothing" "0 0" "$rc $(submitted)"

# ---------------------------------------------------------------- a failed run alone
space="lr=0.001,0.002" slurm failing -- --fail=0.002
equal "failing runs: status" 1 "$rc"
equal "failing runs" 3 "$(bits shared failing 3 | grep -c failed)"
touch mended
space="lr=0.001,0.002" slurm failing -- --fail=0.002
equal "mended: status" 0 "$rc"
equal "mended: the failed ones alone" "1 1" "$(submitted) $(grep -c 'of 3 tasks' err)"
equal "mended: the same bits" "$(head -6 want)" "$(bits shared failing 3)"

# ---------------------------------------------------------------- USR2: a checkpoint, requeued alone
touch hold
rm -f noted
space="lr=0.001" slurm warned --no_wait
array=$(array_of)
slurm_wait 30 are_at_30 2 || fail "two tasks run" err
scancel --signal=USR2 --batch "${array}_0"
is_requeued() { [ "$(of_job "${array}_0" Restarts)" = 1 ]; }
slurm_wait 20 is_requeued || fail "the task is requeued" "shared/sweeps/warned/slurm-${array}_0.out"
rm hold
space="lr=0.001" slurm warned
equal "USR2: the sweep's end" "0 0" "$rc $(submitted)"
equal "USR2: restarts of the three tasks" "1 0 0" \
  "$(for i in 0 1 2; do of_job "${array}_$i" Restarts; done | xargs)"
equal "USR2: the same bits" "$(head -3 want)" "$(bits shared warned 3)"
equal "USR2: no step was made twice" "120 0" "$(wc -l <noted) $(sort noted | uniq -d | wc -l)"

# ---------------------------------------------------------------- sbatch's answer is lost
mkdir "$T/bin"
cat >"$T/bin/sbatch" <<END
#!/bin/sh
[ "\$1" != --version ] || exec $(command -v sbatch) --version
$(command -v sbatch) "\$@" >/dev/null
exit 1
END
chmod +x "$T/bin/sbatch"
PATH=$T/bin:$PATH slurm lost
equal "a lost answer: what is said" "1 bnnlua: sbatch: status 1: the same command goes on from here" \
  "$rc $(tail -n 1 err)"
slurm lost
equal "a lost answer: the array is adopted" "0 0 1" \
  "$rc $(submitted) $(grep -c 'although sbatch had not said so' err)"
equal "a lost answer: the same bits" "$(cat want)" "$(bits shared lost 3)"
equal "a lost answer: nothing is made twice" "12 0" \
  "$(ls shared/sweeps/lost/slurm-*.out | wc -l) $(twice lost)"

# ---------------------------------------------------------------- more than MaxArraySize
workers=0 seeds=10 slurm many
equal "several arrays" "0 4 40" "$rc $(submitted) $(bits shared many 10 | grep -c completed)"

# ---------------------------------------------------------------- kill -9 of a task's process
touch hold
rm -f noted
space="lr=0.001" slurm killed --no_wait
array=$(array_of)
slurm_wait 30 are_at_30 2 || fail "two tasks run before the kill" err
kill -KILL "$(pgrep -of -- "--name=killed --count=1")" || fail "there is a process to kill"
rm hold
space="lr=0.001" slurm killed
equal "kill -9 of a task: its run is submitted again alone" "0 1 1" \
  "$rc $(submitted) $(grep -c 'of 1 task$' err)"
equal "kill -9 of a task: the same bits" "$(head -3 want)" "$(bits shared killed 3)"

# ---------------------------------------------------------------- --cancel
touch hold
rm -f noted
workers=1 space="lr=0.001" slurm other --no_wait
other=$(sed -n 's/.*(\(bnn-[^)]*\)).*/\1/p' err)
workers=1 space="lr=0.002" slurm cancelled --no_wait
name=$(sed -n 's/.*(\(bnn-[^)]*\)).*/\1/p' err)
slurm_wait 30 are_at_30 2 || fail "a task of both sweeps runs" err
space="lr=0.002" sweep cancelled --runs=shared --cancel
equal "--cancel: status" 0 "$rc"
equal "--cancel: its jobs are gone, the others not" "gone 3" \
  "$(is_gone "$name" && echo gone) $(squeue -h -r --name="$other" | wc -l)"
equal "--cancel: its runs are set aside" "cancelled: 3 runs: 3 interrupted" \
  "$(space=lr=0.002 sweep cancelled --runs=shared --status; head -1 out)"
rm hold
space="lr=0.002" slurm cancelled
equal "--cancel: the same command goes on" "0 3" "$rc $(bits shared cancelled 3 | grep -c completed)"
space="lr=0.001" slurm other
equal "--cancel: the other sweep" "0 0" "$rc $(submitted)"

# ---------------------------------------------------------------- the controller dies
touch hold
rm -f noted
slurm controller --no_wait
slurm_wait 30 are_at_30 2 || fail "two tasks run before the controller dies" err
sleep 10 # until it has written its state
slurm_kill_controller
slurm controller --no_wait
equal "a dead controller: nothing is submitted" "1 0" "$rc $(submitted)"
has "a dead controller: what squeue says" "squeue: " "$err"
rm hold
slurm_start_controller
slurm_wait 20 scontrol ping >/dev/null
slurm controller
equal "the controller is there again" 0 "$rc"
equal "the controller is there again: the same bits" "$(cat want)" "$(bits shared controller 3)"
equal "the controller is there again: nothing is made twice" 0 "$(twice controller)"

slurm_stop
equal "Slurm is stopped" "" "$(for f in slurmctld slurmd; do
  slurm_alive "$T/slurm/$f.pid" && echo "$f"
done)"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
