#!/bin/sh
# runs_resume_test.sh - recorded runs keep their checkpoints and go on after a kill, a signal or an
# error, and `bnnlua -m runs rerun` replays them. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"

cd "$T" || exit 1
BNNLUA_RUNS=runs
export BNNLUA_RUNS
cat >line.lua <<'END'
local bnn = require "bnn"
local part = require "part"
local experiment = {
  about = "learns a line", common = {"seed", "threads", "checkpoint"},
  defaults = {steps = {20, "steps"}, slope = {2.0, "slope"}},
}
local ends = {
  hang = function() io.open("ready", "w"):close() while true do end end,
  fail = function() error "pulled the plug" end,
}
function experiment.run(cfg, log)
  local key, how = bnn.key(cfg.seed), os.getenv "HOW"
  local data = part.data(key, cfg.slope)
  local net = bnn.nn.mlp{5, 1}
  local objective = bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(net:init(key:fold "init", data)),
    likelihood = bnn.likelihood.gaussian{sigma = 1.0}, data_size = 40,
  }
  bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = 0.05}, data = data, steps = cfg.steps,
    batch_size = 10, key = key:fold "train", log = log, log_every = 2,
    evaluate = function() return {{"loss", -objective:evaluate(data, {key = key}).elbo}} end,
    on_step = function(step) if how and step == 13 then ends[how]() end end,
    checkpoint = bnn.checkpoint.from_flags(cfg, {monitor = "loss", mode = "min"}),
  }
  log:say "learned"
  return {slope = cfg.slope}
end
return bnn.main(experiment)
END
cat >part.lua <<'END'
local bnn = require "bnn"
return {data = function(key, slope)
  local x = bnn.randn(key:fold "x", 40, 3)
  return bnn.data.from_tensors{x = x, y = slope * x:sum(2):view(40, 1)}
end}
END

line() { "$bnnlua" line.lua "$@" >out 2>err </dev/null; rc=$?; }
runs() { "$bnnlua" -m runs "$@" >out 2>err </dev/null; rc=$?; out=$(cat out) err=$(cat err); }
last() { ls -d runs/2* | tail -1; }
wait_for_ready() { n=0; while [ ! -e ready ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n + 1)); done; }
# signalled_at_13 SIGNAL ARGUMENT...: a run that gets a signal at step 13
signalled_at_13() {
  signal=$1
  shift
  rm -f ready
  HOW=hang "$bnnlua" line.lua "$@" >out 2>err </dev/null &
  child=$!
  wait_for_ready
  kill "-$signal" $child
  wait $child 2>/dev/null
  rc=$?
}
# curve RUN: its log, each step once
curve() {
  "$bnnlua" -e "local steps, values = assert(require 'bnn'.log.read '$1/metrics.jsonl'):curve 'loss'
    for i = 1, #steps do print(steps[i], string.pack('>d', values[i]):byte(1, -1)) end"
}
# same_as_whole NAME RUN: its log and its checkpoints are those of the run that never stopped
same_as_whole() {
  equal "$1: its curve" "$(curve "$whole")" "$(curve "$2")"
  for file in best step_00000020; do
    file=checkpoints/$file.safetensors
    if cmp "$whole/$file" "$2/$file" >why 2>&1; then pass; else fail "$1: $file" why; fi
  done
}

# ---- the run that never stops ----
line --checkpoint_every=5
equal "checkpoints without a folder: the run ends well" "0 " "$rc $(cat err)"
whole=$(last)
equal "they are in its folder" "best step_00000010 step_00000015 step_00000020" \
  "$(cd "$whole/checkpoints" && echo *.safetensors | sed 's/\.safetensors//g')"
equal "its curve has all steps" 11 "$(curve "$whole" | wc -l)"
for threads in 1 2; do
  runs rerun last --threads=$threads
  has "its replay has the same bits, on $threads threads" "the bits agree" "$out"
  has "of the weights too" "step_00000020.safetensors the same" "$out"
done
line --no_record --checkpoint_every=5
equal "without a record they need a folder" "1 bnnlua: --checkpoint_every needs --checkpoint=DIR, or a record \
of the run, which keeps them" "$rc $(cat err)"
echo >file
line --runs=file/below --checkpoint_every=5
equal "a record that cannot be is in nobody's way" 0 "$rc"
has "and what is missing is said" "no checkpoints are written" "$(cat err)"

# ---- killed, interrupted, failed ----
for threads in 1 2; do
  signalled_at_13 KILL --checkpoint_every=5 --threads=$threads
  dead=$(last)
  runs list status=dead
  has "a killed run is dead" "${dead##*/}" "$out"
  runs rerun last
  has "its replay says what is compared" "the run died: it is compared with the beginning" "$out"
  has "and has the same bits" "the bits agree" "$out"
  runs resume last
  equal "it goes on" "0 learned" "$rc $(tail -1 out)"
  has "from its checkpoint" \
    "resumed from $T/$dead/checkpoints/step_00000010.safetensors at step 10" "$err"
  same_as_whole "killed, $threads threads" "$dead"
  runs verify last
  equal "it is sealed" 0 "$rc"
  runs rerun last --threads=$((3 - threads))
  has "its replay says that it was resumed" "the run had 2 attempts" "$out"
  has "and has the same weights" "step_00000020.safetensors the same" "$out"
  has "and the same bits" "the bits agree" "$out"
done
runs show last
has "show tells of attempts" "1: dead, 2" "$out"
has "and of the checkpoint" "resumed   at step 10 from" "$out"

signalled_at_13 TERM --checkpoint_every=5
equal "SIGTERM" 143 "$rc"
run=$(last)
[ -e "$run/checkpoints/step_00000013.safetensors" ] && pass || fail "it leaves a checkpoint in the record"
has "the run is interrupted" '"status":"interrupted"' "$(cat "$run/run.json")"
runs verify last
equal "and sealed" 0 "$rc"
runs rerun last
has "its replay says so" "the run was interrupted: it is compared with the beginning" "$out"
has "and has the same bits" "the bits agree" "$out"
runs resume last
has "it goes on" "at step 13" "$err"
same_as_whole "interrupted" "$run"

HOW=fail "$bnnlua" line.lua --checkpoint_every=5 >out 2>err </dev/null
run=$(last)
HOW=fail "$bnnlua" -m runs resume last >out 2>err </dev/null
equal "it fails again" 1 $?
runs resume last
equal "and goes on again" 0 "$rc"
same_as_whole "failed twice" "$run"
runs sql "select number, status from attempt where run = '${run##*/}' order by 1" --format=csv
equal "the ledger has all attempts" "number,status 1,failed 2,failed 3,completed" \
  "$(echo "$out" | xargs)"
has "its output is that of all" "learned" "$(cat "$run/output.txt")"
equal "one after the other" 3 "$(grep -c '^ *12 | ' "$run/output.txt")"

# ---- the recorded script, not what it has become ----
signalled_at_13 KILL --checkpoint_every=5
run=$(last)
cp line.lua line.old && mv part.lua part.old
sed 's/0\.05/0.5/' line.old >line.lua
mkdir elsewhere
(cd elsewhere && "$bnnlua" -m runs resume last --runs=../runs >../out 2>../err </dev/null)
equal "the recorded script goes on, from anywhere" 0 $?
same_as_whole "of the recorded script" "$run"
mv part.old part.lua
line --checkpoint_every=5
sed 's/0\.05/0.05 /' line.old >line.lua
signalled_at_13 KILL --checkpoint_every=5
cp line.old line.lua
line --checkpoint_every=5 --resume_run=last
equal "another script does not go on with it" 1 "$rc"
has "and why" "cannot resume with line.lua: it is not the recorded line.lua (\`bnnlua -m runs resume" \
  "$(cat err)"
signalled_at_13 KILL --checkpoint_every=5
line --checkpoint_every=5 --slope=3 --resume_run=last
has "nor other flags" "cannot resume: slope: 2 in the record, 3 here" "$(cat err)"
line --checkpoint_every=5 --resume_run=last
equal "its own do" 0 "$rc"
same_as_whole "by its flags" "$(last)"

# ---- checkpoints elsewhere ----
signalled_at_13 KILL --checkpoint=kept --checkpoint_every=5
run=$(last)
runs resume last
has "from the folder that was named" "resumed from kept/step_00000010.safetensors at step 10" "$err"
same_as_whole "from a folder of its own" "$run"
line --checkpoint=kept --resume --steps=22 --checkpoint_every=5
runs rerun last
equal "what went on from another run's checkpoint is not replayed" 1 "$rc"
has "and why" "went on at step 20 from kept/step_00000020.safetensors, which another run wrote" "$err"

# ---- refused ----
# refused NAME PIECE ARGUMENT...
refused() {
  name=$1 piece=$2
  shift 2
  runs "$@"
  has "$name" "$piece" "$err"
  equal "$name: one line and status 1" "1 1" "$(echo "$err" | wc -l) $rc"
}
line
refused "a completed run" "is completed: there is nothing to resume" resume last
HOW=fail "$bnnlua" line.lua >out 2>err </dev/null
refused "a run without checkpoints" \
  "no checkpoint in $(last)/checkpoints: --from_start runs it again" resume last
runs resume last --from_start
equal "begins anew if asked to" 0 "$rc"
equal "as a second attempt" 2 \
  "$("$bnnlua" -m runs list --columns=attempt 2>/dev/null | tail -1 | awk '{print $2}')"
HOW=fail "$bnnlua" line.lua --checkpoint_every=5 >out 2>err </dev/null
refused "one that has checkpoints" "resume it without --from_start" resume last --from_start
checkpoint=$(last)/checkpoints/step_00000010.safetensors
chmod u+w "$checkpoint"
printf X | dd of="$checkpoint" bs=1 seek=900 conv=notrunc 2>/dev/null
refused "a changed checkpoint" \
  "is not what it was: checkpoints/step_00000010.safetensors: changed" resume last
rm -f ready
HOW=hang "$bnnlua" line.lua --checkpoint_every=5 >out 2>err </dev/null &
child=$!
wait_for_ready
refused "a run that lives" "is still running" resume last
kill -KILL $child
wait $child 2>/dev/null
line --resume_run=none --checkpoint_every=5
equal "no such run" "1 bnnlua: no run 'none' in runs" "$rc $(cat err)"
line --no_record --resume_run=last
has "a run without a record" "--resume_run needs the folder of records" "$(cat err)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
