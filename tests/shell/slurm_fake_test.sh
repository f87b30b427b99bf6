#!/usr/bin/env bash
# slurm_fake_test.sh - `bnnlua -m sweep --slurm` with programs in place of Slurm's that only take notes
# (slurm_fake.sh): what is submitted and what is not, lost answers, a controller that is down, several
# arrays, --dry_run, --status, --cancel, Ctrl-C. The real Slurm is tests/long/slurm_test.sh. BNNLUA is
# the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
# shellcheck source=tests/shell/slurm_fake.sh
. "$(dirname "$0")/slurm_fake.sh"
mkdir "$T/a b" && cd "$T/a b" || exit 1
export BNNLUA_RUNS=runs
unset BNNLUA_LEDGER

cat >toy.lua <<'END'
local bnn = require "bnn"
local experiment = {
  about = "a square", objective = {"loss", "min"}, common = {"seed"},
  defaults = {x = {1.5, "place"}, fail = {"", "at which x to fail"}},
}
function experiment.run(cfg)
  if tostring(cfg.x) == cfg.fail and not io.open "mended" then error "as asked" end
  return {loss = cfg.x ^ 2 + cfg.seed}
end
return bnn.main(experiment)
END

# sweep NAME ARGUMENTS: sets rc, out, err
sweep() {
  local name=$1
  shift
  "$bnnlua" -m sweep toy.lua x=0.5,1.5,2.5 --seeds=2 --name="$name" "$@" >out 2>err </dev/null
  rc=$? out=$(cat out) err=$(cat err)
}
slurm() {
  local name=$1
  shift
  sweep "$name" --slurm="--time=1:00:00 --comment='a b'" --workers="${workers:-2}" "$@"
}
jobs() { ls "$cluster/jobs" | wc -l; }
facts() { cat "$cluster/jobs/$1/array"; } # JOB
await() { # COMMAND...: until it succeeds
  local tries=0
  until "$@" 2>/dev/null; do
    [ $tries -lt 200 ] || return 1
    sleep 0.05
    tries=$((tries + 1))
  done
}

# ---------------------------------------------------------------- words
while IFS='|' read -r words want; do
  sweep no --slurm="$words"
  equal "--slurm=$words: refused" "1  1" "$rc $out $(wc -l <err)"
  has "--slurm=$words: says why" "$want" "$err"
done <<'END'
time=1|expected options of sbatch
--array=1-5|--array=1-5 is refused
--ar=1|is refused
-a1|is refused
--job-name=x|knows its jobs by their names
-Jx|is refused
--wait|--no_wait
--test-only|--dry_run
--comment='a|without its partner
END
sweep no --no_wait
has "--no_wait alone" "--no_wait: expected --slurm=OPTIONS too" "$err"
sweep no --status --cancel
equal "both: its status" "1 " "$rc $out"
equal "nothing was written for what was refused" "err out toy.lua" "$(ls | xargs)"

# ---------------------------------------------------------------- the script
slurm dry --dry_run
equal "a dry run: its status" "0 " "$rc $err"
equal "a dry run writes nothing" "0 err out toy.lua" "$(jobs) $(ls | xargs)"
for line in "#!/bin/bash" "#SBATCH --array=0-5%2" "#SBATCH --signal=B:USR2@90" "#SBATCH --requeue" \
  "#SBATCH --open-mode=append" '#SBATCH "--comment=a b"' "#SBATCH --time=1:00:00" \
  "#SBATCH \"--output=$T/a b/runs/sweeps/dry/slurm-%A_%a.out\"" "#SBATCH \"--chdir=$T/a b\"" \
  "export OPENBLAS_NUM_THREADS=1" \
  "exec $bnnlua -m sweep '--worker=$T/a b/runs' --name=dry --count=1"; do
  equal "a dry run: $line" 1 "$(grep -cxF -- "$line" out)"
done
equal "the user's options are the last" "--comment" "$(grep -o '^#SBATCH.*' out | tail -1 |
  grep -o -- --comment)"
bash -n out && pass || fail "the script is one of a shell" out
touch "$cluster/down"
slurm dry --dry_run
equal "a dry run without a cluster" "0 1" "$rc $(grep -c '#!/bin/bash' out)"
has "a dry run without a cluster says what it takes" "taking 1001 for the largest array" "$err"
slurm sw --no_wait
equal "a controller that is down: nothing is submitted" "1  0" "$rc $out $(jobs)"
rm "$cluster/down"
slurm no --no_wait --ledger=sqlite --runs=other
equal "SQLite is refused: its status" "1  0" "$rc $out $(jobs)"
has "SQLite is refused" "not safe on a folder that machines share" "$err"
env PATH="$T/nothing" "$bnnlua" -m sweep toy.lua x=0.5 --runs=other --slurm= >out 2>err </dev/null
equal "no Slurm" "1 bnnlua: sbatch: not found: this machine has no Slurm" "$? $(cat err)"
equal "nothing is written without Slurm" "" "$(ls -d other 2>/dev/null)"

# ---------------------------------------------------------------- submitting
slurm sw --no_wait
equal "submitted: status and stdout" "0 " "$rc $out"
has "submitted: says so" "submitted array 1 (bnn-" "$err"
equal "submitted: one array of all runs" "0-5%2 1" "$(facts 1) $(jobs)"
equal "its job's name is on record before" 1 "$(grep -c "job-name=$(cat "$cluster/jobs/1/name")" \
  "$cluster/jobs/1/script")"
slurm sw --no_wait
equal "again: nothing is submitted twice" "0 1" "$rc $(jobs)"
"$bnnlua" -m sweep --status --name=sw >out 2>err
equal "--status" "0 sw: 6 runs: 6 open" "$? $(head -1 out)"
equal "--status: the jobs" "1 6 0 6 0 Priority" "$(awk '/bnn-/ {print $1, $3, $4, $5, $6, $7}' out)"
echo COMPLETED >"$cluster/jobs/1/task.0"
echo NODE_FAIL >"$cluster/jobs/1/task.1"
workers=0 slurm sw --no_wait
equal "two tasks are gone: two are submitted" "0-1 2" "$(facts 2) $(jobs)"

echo lost >"$cluster/answer"
slurm lost --no_wait
equal "a lost answer: its status" "1 3" "$rc $(jobs)"
has "a lost answer: what sbatch said" "sbatch: sbatch: error: Batch job submission failed" "$err"
rm "$cluster/answer"
slurm lost --no_wait
equal "a lost answer: the array is adopted" "0 3" "$rc $(jobs)"
has "a lost answer: says so" "is there as array 3" "$err"
echo refuse >"$cluster/answer"
slurm refused --no_wait
equal "refused: its status" "1  3" "$rc $out $(jobs)"
has "refused: what sbatch said" "invalid partition" "$err"
rm "$cluster/answer"
slurm refused --no_wait
equal "refused, then mended" "0 4" "$rc $(jobs)"
has "refused, then mended: says so" "did not reach Slurm" "$err"

echo 2 >"$cluster/largest"
workers=4 slurm many --no_wait
equal "more than MaxArraySize" "0-1%2 0-1%1 0-1%1" "$(facts 5) $(facts 6) $(facts 7)"
workers=1 slurm few --no_wait
equal "no more arrays than tasks that may run" "0-1%1 8" "$(facts 8) $(jobs)"
equal "which make more runs each" 1 "$(grep -c -- '--count=3$' "$cluster/jobs/8/script")"
rm "$cluster/largest"
slurm per --no_wait --runs_per_task=4
equal "--runs_per_task" "0-1%2 1" "$(facts 9) $(grep -c -- '--count=4$' "$cluster/jobs/9/script")"

# ---------------------------------------------------------------- cancelling
"$bnnlua" -m sweep --cancel >out 2>err
equal "--cancel without a name" "1 " "$? $(cat out)"
sweep many --cancel
equal "--cancel" "0 cancelled 3 arrays; 6 runs are set aside until the sweep's command is given again" \
  "$rc $out"
equal "--cancel: the sweep's own arrays alone" "CANCELLED CANCELLED CANCELLED PENDING PENDING" \
  "$(cat "$cluster"/jobs/{5,6,7,8,9}/state | xargs)"
sweep many --status
equal "--cancel: the runs" "many: 6 runs: 6 interrupted" "$out"
slurm many --no_wait
equal "the same command submits them again" "0-5%2 10" "$(facts 10) $(jobs)"
"$bnnlua" -m sweep --status --name=man >out 2>err
equal "no such sweep: status" "1 " "$? $(cat out)"
has "no such sweep: those that are there" "it has few, lost, many" "$(cat err)"

# ---------------------------------------------------------------- following
echo gone >"$cluster/answer"
slurm gone
equal "none of its jobs is left: its status" "1 " "$rc $out"
has "none of its jobs is left: says so" "none of its jobs is left, open runs: 6." "$err"
rm "$cluster/answer"
"$bnnlua" -m sweep toy.lua x=0.5,1.5,2.5 --seeds=2 --name=gone --slurm= >out 2>err </dev/null &
child=$!
await grep -q submitted err
sleep 0.3
kill -INT $child
wait $child
equal "Ctrl-C while it follows: its status" 130 "$?"
has "Ctrl-C while it follows: how to cancel" "--cancel --runs=runs --name=gone cancels them" \
  "$(cat err)"
equal "Ctrl-C while it follows: the jobs are left alone" PENDING "$(cat "$cluster/jobs/12/state")"

# ---------------------------------------------------------------- tasks make runs
"$bnnlua" -m sweep toy.lua x=0.5,1.5,2.5 --seeds=2 --name=here --runs=local >want 2>/dev/null
: >err
"$bnnlua" -m sweep toy.lua x=0.5,1.5,2.5 --seeds=2 --name=here --slurm= >out 2>err </dev/null &
child=$!
await grep -q submitted err
run_tasks 13
wait $child
equal "followed to the end: its status" 0 "$?"
equal "followed to the end: the table" "$(cat want)" "$(cat out)"
has "followed to the end: the report" "report: runs/sweeps/here/report.html" "$(cat err)"
equal "each task made a run" "6 0" \
  "$(ls -d runs/2*/ | wc -l) $(cat "$cluster"/jobs/13/status.* | sort -u | xargs)"
slurm here
equal "the same again: nothing is left" "0 13" "$rc $(jobs)"
equal "the same again: the table" "$(cat want)" "$out"

# Two of the six tasks are not needed, as a sweep on this machine makes all that is left.
slurm spare --no_wait
run_tasks 14 0 1
"$bnnlua" -m sweep toy.lua x=0.5,1.5,2.5 --seeds=2 --name=spare >/dev/null 2>&1
slurm spare
equal "tasks that are not needed are cancelled" "0 14 CANCELLED COMPLETED" \
  "$rc $(jobs) $(cat "$cluster"/jobs/14/state "$cluster"/jobs/14/task.1 | xargs)"

slurm mend --no_wait -- --fail=1.5
run_tasks 15
equal "a task whose run failed: its status" "0 1" "$(cat "$cluster"/jobs/15/status.* | sort -u | xargs)"
slurm mend --status -- --fail=1.5
equal "failed runs" "mend: 6 runs: 4 completed, 2 failed" "$(head -1 out)"
touch mended
slurm mend --no_wait -- --fail=1.5
equal "failed runs are submitted alone" "0-1%2" "$(facts 16)"
run_tasks 16
slurm mend --status -- --fail=1.5
equal "failed runs are made again" "mend: 6 runs: 6 completed" "$(head -1 out)"

# ---------------------------------------------------------------- the warning of a time limit
cat >long.lua <<'END'
local bnn, core = require "bnn", require "bnn.core"
local experiment = {
  about = "waits while there is a file", objective = {"loss", "min"}, common = {"seed", "checkpoint"},
  defaults = {x = {1.5, "place"}, steps = {9, "steps"}},
}
function experiment.run(cfg, log)
  local key = bnn.key(cfg.seed)
  local x = bnn.randn(key, 8, 3)
  local params = bnn.nn.linear(1):init(key, x)
  local objective = bnn.objective{params = params, loss = function(p, batch)
    return ((batch.x:mm(p["linear/w"]) - cfg.x) ^ 2):sum(2)
  end}
  bnn.train{
    objective = objective, optimizer = bnn.optim.sgd{lr = 0.01}, key = key, log = log,
    data = bnn.data.from_tensors{x = x}, batch_size = 8, steps = cfg.steps,
    checkpoint = bnn.checkpoint.from_flags(cfg, {}),
    on_step = function(step)
      local file <close> = assert(io.open("steps", "a"))
      file:write(step, "\n")
      local is_held = step == 5
      while is_held do
        local hold <close> = io.open "hold"
        is_held = hold ~= nil
        core.wait_jobs({}, 0.01)
      end
    end,
  }
  return {loss = objective:value({x = x}, key).loss}
end
return bnn.main(experiment)
END
touch hold
"$bnnlua" -m sweep long.lua x=1.5 --name=long --slurm= --no_wait >out 2>err </dev/null
run_tasks 17 &
await grep -q 5 steps
pkill -USR2 -of -- "--name=long --count=1"
wait
equal "USR2: the task asks for itself alone" 17_0 "$(cat "$cluster/requeued")"
"$bnnlua" -m sweep --status --name=long >out 2>err
equal "USR2: its run is open" "long: 1 run: 1 open" "$(head -1 out)"
rm hold "$cluster/jobs/17/task.0"
run_tasks 17
"$bnnlua" -m sweep --status --name=long >out 2>err
equal "USR2: it is made when it starts again" "long: 1 run: 1 completed" "$(head -1 out)"
equal "USR2: it goes on from its checkpoint" "1 2 3 4 5 6 7 8 9" "$(xargs <steps)"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
