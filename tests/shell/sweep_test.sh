#!/bin/bash
# sweep_test.sh - `bnnlua -m sweep` as a program: help, wrong words, status and streams, Ctrl-C once
# and twice, what goes on from its checkpoint, the report and the list of runs. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
cd "$T" || exit 1
export BNNLUA_RUNS=runs

# An experiment that notes the steps it makes; while there is a file `hold`, it waits at step 30.
cat >toy.lua <<'END'
local bnn, core = require "bnn", require "bnn.core"
local experiment = {
  about = "a line", objective = {"test/loss", "min"}, common = {"seed", "checkpoint"},
  defaults = {lr = {0.1, "rate", above = 0}, steps = {40, "steps", min = 1},
              fail = {"", "at which lr to fail"}},
}
local function note(...)
  local file <close> = io.open("noted", "a")
  file:write(table.concat({...}, " "), "\n")
end
function experiment.run(cfg, log)
  print("the output of a run", os.time())
  if tostring(cfg.lr) == cfg.fail then error "as asked" end
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
      note(cfg.lr, step)
      local is_held = true
      while step == 30 and is_held do
        local file <close> = io.open "hold"
        is_held = file ~= nil
        core.wait_jobs({}, 0.01)
      end
    end,
  }
  return {["test/loss"] = objective:value({x = x}, key).loss}
end
return bnn.main(experiment)
END

# sweep ARGUMENTS: sets rc, out, err
sweep() {
  "$bnnlua" -m sweep "$@" >out 2>err </dev/null
  rc=$? out=$(cat out) err=$(cat err)
}
runs() { "$bnnlua" -m runs "$@" 2>&1 </dev/null; }

# ---------------------------------------------------------------- help and wrong words
sweep --help
equal "help: its status" "0 " "$rc $err"
for word in "EXPERIMENT NAME=SPACE" --trials= --seeds= --sampler= --pruner= --workers= \
  uniform:-10:-1; do
  has "help: $word" "$word" "$out"
done
equal "help: lines fit a terminal" 0 "$(awk 'length > 80' out | wc -l)"
sweep
equal "no words: its status" "1 " "$rc $out"
has "no words: the usage" "usage: bnnlua -m sweep" "$err"
while IFS='|' read -r words want; do
  # shellcheck disable=SC2086 # a list of words
  sweep $words
  equal "$words: refused" "1  1" "$rc $out $(wc -l <err)"
  has "$words: says why" "$want" "$err"
done <<'END'
lr=1|bnnlua: expected an experiment first
toy.lua|expected at least one parameter
nowhere.lua lr=1|cannot open nowhere.lua
toy.lua lrr=1|bnnlua: space: toy has no flag 'lrr': did you mean 'lr'?
toy.lua lr=0|space: lr: expected more than 0, got 0
toy.lua lr|lr: expected NAME=VALUES
toy.lua lr=lgo:1:2 --trials=3|did you mean log?
toy.lua lr=1 lr=2|lr: given twice
toy.lua lr=uniform:1:2|trials: expected how many
toy.lua lr=1 --trails=3|unknown flag --trails: did you mean --trials?
toy.lua lr=1 --trials=0|trials
toy.lua lr=1 --mode=least|mode
toy.lua lr=1 --sampler=rndom|did you mean random?
toy.lua lr=1 --pruner=ashaa|bnnlua: pruner: expected one of
toy.lua lr=1 -- --steps=0|--steps
toy.lua lr=1 -- --stps=3|did you mean --steps?
toy.lua lr=1 -- --checkpoint=here|the checkpoints of each run are in its record
toy.lua lr=1 -- --lr=2|lr is in the space and in config
toy.lua lr=1 --runs=|give runs=DIR or unset BNNLUA_RUNS
END
[ ! -e runs ] && pass || fail "nothing was written by these"

# ---------------------------------------------------------------- a sweep, and the same again
sweep toy.lua lr=0.1,0.01,0.001 --seeds=2 --name=one --workers=2 -- --steps=20
equal "a sweep: its status" 0 "$rc"
has "a sweep: what it has come to" "3 trials: 3 completed

trial     lr  test/loss " "$out"
has "a sweep: where the report is" "report: runs/sweeps/one/report.html" "$err"
[ -s runs/sweeps/one/report.html ] && pass || fail "the report is there"
equal "each step is made once" 120 "$(wc -l <noted)"
first=$out
sweep toy.lua lr=0.1,0.01,0.001 --seeds=2 --name=one --workers=1 --report=mine.html -- --steps=20
equal "again: the same bytes" "0 $first" "$rc $out"
has "again: nothing is left" "the sweep 'one' goes on: 6 of 6 runs are done" "$err"
equal "again: nothing is made" 120 "$(wc -l <noted)"
[ -s mine.html ] && pass || fail "--report: the report is there"
sweep toy.lua lr=0.1,0.01,0.001 --seeds=2 --name=one --report=toy.lua/x.html -- --steps=20
equal "--report that cannot be written: the table and the status" "1 $first" "$rc $out"
has "--report that cannot be written: why" "bnnlua: toy.lua" "$err"
sweep toy.lua lr=0.1,0.01,0.001 --seeds=2 --name=other --workers=1 --runs=elsewhere -- --steps=20
equal "elsewhere, with one worker: the same bytes" "0 $first" "$rc $out"
equal "the list of its runs" 6 "$(runs list sweep=one | grep -c ^2)"
equal "and of no other" 0 "$(runs list sweep=other | grep -c ^2)"
has "runs know their trial" "  3" "$(runs list sweep=one trial=3 --columns=trial)"
equal "checkpoints do not stay" "" "$(find runs -name '*.safetensors')"
sweep toy.lua lr=0.1 --name=kept --keep_checkpoints -- --steps=20
equal "unless they are kept" 1 "$(find runs -name '*.safetensors' | wc -l)"
equal "all is sealed" "" "$(for id in $(runs list | awk '/^2/ {print $1}'); do
  runs verify "$id" | grep -v '^ok'
done)"
equal "--quiet says what stays to be said" "report: runs/sweeps/quiet/report.html" \
  "$(sweep toy.lua lr=0.1 --quiet --name=quiet && echo "$err")"
"$bnnlua" -m sweep toy.lua lr=0.1,0.01,0.001 --seeds=2 --name=one -- --steps=20 2>/dev/null | head -1 >out
equal "a pipe that closes" "3 trials: 3 completed" "$(cat out)"

# ---------------------------------------------------------------- failed runs
sweep toy.lua lr=0.1,0.01 --name=failing -- --fail=0.01
equal "a failed run: the status" 1 "$rc"
has "a failed run: its reason" "trial 2 failed: " "$err"
has "a failed run: its reason's text" "toy.lua:13: as asked" "$err"
has "a failed run: the last line" "bnnlua: 1 of 2 runs failed; the same command makes them again" \
  "$(tail -1 err)"
has "a failed run: the table is there" "2 trials: 1 completed, 1 failed" "$out"
sweep toy.lua lr=0.1 --name=typo --objective=test/los
equal "a metric that is not there: the status" 1 "$rc"
has "a metric that is not there" "did you mean 'test/loss'?" "$err"

# ---------------------------------------------------------------- Ctrl-C
# held ARGUMENTS: a sweep whose runs wait at step 30; sets child
held() {
  rm -f noted
  touch hold
  setsid "$bnnlua" -m sweep "$@" >out 2>err </dev/null &
  child=$!
  tries=0
  while [ "$(grep -c ' 30$' noted 2>/dev/null)" != 2 ] && [ $tries -lt 500 ]; do
    sleep 0.02
    tries=$((tries + 1))
  done
}
ended() {
  wait "$child"
  rc=$? out=$(cat out) err=$(cat err)
}

sweep toy.lua lr=0.1,0.01,0.001 --name=whole
whole=$out
held toy.lua lr=0.1,0.01,0.001 --name=stopped --workers=2
kill -INT "$child"
ended
equal "Ctrl-C: the status, and no result" "130 " "$rc $out"
has "Ctrl-C: what happens" "no more runs are started; those that run write a checkpoint" "$err"
has "Ctrl-C: how to go on" "stopped with 0 of 3 runs done; the same command goes on" "$err"
has "Ctrl-C: the last line" "interrupted by SIGINT" "$(tail -1 err)"
equal "Ctrl-C: the runs are interrupted" 2 "$(runs list sweep=stopped status=interrupted | grep -c ^2)"
equal "Ctrl-C: with a checkpoint" 2 "$(find runs -name 'step_00000030.safetensors' | wc -l)"
rm hold noted
sweep toy.lua lr=0.1,0.01,0.001 --name=stopped --workers=2
equal "the same command ends it as if it had never stopped" "0 $whole" "$rc $out"
equal "from the checkpoints" "31 31 1" "$(for lr in 0.1 0.01 0.001; do
  awk -v lr=$lr '$1 == lr {print $2; exit}' noted
done | xargs)"
equal "the runs are those that were interrupted" 3 "$(runs list sweep=stopped status=completed | grep -c ^2)"

held toy.lua lr=0.1,0.01,0.001 --name=twice --workers=2
# Runs that do not hear: the first Ctrl-C cannot end them.
for pid in $(pgrep -P "$child"); do kill -STOP "$pid"; done
kill -INT "$child"
sleep 0.7
kill -INT "$child"
ended
equal "Ctrl-C twice: the status" "130 " "$rc $out"
equal "Ctrl-C twice: the runs are dead" 2 "$(runs list sweep=twice status=dead | grep -c ^2)"
rm hold
sweep toy.lua lr=0.1,0.01,0.001 --name=twice --workers=2
equal "the same command ends it all the same" "0 $whole" "$rc $out"

held toy.lua lr=0.1,0.01,0.001 --name=term --workers=2
kill -TERM "$child"
ended
equal "SIGTERM: the status" 143 "$rc"
equal "SIGTERM: the runs are interrupted" 2 "$(runs list sweep=term status=interrupted | grep -c ^2)"
rm hold

# ---------------------------------------------------------------- a sweep of one's own
cat >own.lua <<'END'
local bnn = require "bnn"
local result = bnn.sweep{
  experiment = function(cfg) return {loss = (cfg.x - 2) ^ 2} end, space = {x = {1, 2, 3}},
  objective = "loss", mode = "min",
}
io.write(result:text(1))
END
out=$("$bnnlua" own.lua 2>err) rc=$?
equal "a script: its output" "0 3 trials: 3 completed

trial  x   loss
    2  2  0.000" "$rc $out"
BNNLUA_RUNS='' "$bnnlua" own.lua >out 2>err
rc=$?
equal "without records: the status" "1 " "$rc $(cat out)"
has "without records: why" "give runs=DIR or unset BNNLUA_RUNS" "$(cat err)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
