#!/bin/sh
# resume_test.sh - trainings that are killed, interrupted and resumed on the command line end with
# the bytes of one that was never stopped. RESUME_KILLS: how many are killed for each number
# of threads (3). The data are small sets that tests/lua/idx_files.lua writes. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
# shellcheck source=tests/shell/resume_checks.sh
. "$(dirname "$0")/resume_checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_DATA
BNNLUA_OFFLINE=1 XDG_CACHE_HOME=$T/no XDG_DATA_DIRS=$T/no
export BNNLUA_OFFLINE XDG_CACHE_HOME XDG_DATA_DIRS

if ! "$bnnlua" -e 'os.exit(require "bnn.core".json_encode(true) ~= nil)'; then
  echo "resume_test: this program is built without jansson: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

write_sets 'idx.set(T .. "/mnist", 300, 150)'
training="--data_dir=$T/mnist --steps=120 --batch_size=50 --predict_samples=10 --eval_samples=2 \
  --log_interval=20 --hidden=16 --checkpoint_every=7"
last=step_00000120.safetensors

# ---------------------------------------------------------------- a training with checkpoints
# shellcheck disable=SC2086
"$bnnlua" "$mnist" ${training% --checkpoint_every=*} >"$T/plain" 2>&1 </dev/null
started=$(now)
launch "$T/whole" --threads=1
took=$(echo "$started $(now)" | awk '{printf "%.3f", $2 - $1}')
equal "a training with checkpoints ends well and says nothing on stderr" "0 " \
  "$rc $(cat "$T/whole.err")"
equal "checkpoints do not show" 0 "$(cmp "$T/plain" "$T/whole.out" >&2; echo $?)"
equal "the last three and the best are kept" \
  "best.safetensors step_00000112.safetensors step_00000119.safetensors $last" \
  "$(cd "$T/whole" && echo *)"
launch "$T/two" --threads=2
equal "with two threads the same file" 0 "$(cmp "$T/whole/$last" "$T/two/$last" >&2; echo $?)"

# ---------------------------------------------------------------- killed
for threads in 1 2; do
  k=${RESUME_KILLS:-3}
  while [ "$k" -gt 0 ]; do
    kill_and_resume "kill -9, --threads=$threads" 1 "$took" --threads=$threads
    k=$((k - 1))
  done
  kill_and_resume "killed three times, --threads=$threads" 3 "$took" --threads=$threads
done

# ---------------------------------------------------------------- interrupted
for row in INT:130 TERM:143; do
  name=${row%:*}
  rm -rf "$T/run" && : >"$T/run.out"
  launch_behind "$T/run" --steps=100000000 --checkpoint_every=100000000
  wait_for '^ *20 | train/mean' "$T/run.out"
  kill "-$name" $child
  wait $child 2>/dev/null
  equal "SIG$name: status" "${row#*:}" $?
  step=$(newest "$T/run")
  has "SIG$name: says where" \
    "interrupted by SIG$name at step $step: the parameters are those of the last complete step; wrote $T/run/step_" \
    "$(cat "$T/run.err")"
  equal "SIG$name: in one line" 1 "$(wc -l <"$T/run.err")"
  equal "SIG$name: a last checkpoint" 1 "$(find "$T/run" -name 'step_*' | wc -l)"
  launch "$T/run" --resume --steps=$((step + 10))
  equal "SIG$name: it resumes" "0 resumed from" "$rc $(cut -c1-12 "$T/run.err")"
  cp "$T/run.out" "$T/resumed"
  launch "$T/plain2" --steps=$((step + 10)) --checkpoint_every=100000000 && rm -r "$T/plain2"
  lines_from "$step" "$T/plain2.out" >"$T/lines.want"
  lines_from "$step" "$T/resumed" >"$T/lines.got"
  equal "SIG$name: as if it had not been stopped" 0 "$(cmp "$T/lines.want" "$T/lines.got" >&2; echo $?)"
done

# ---------------------------------------------------------------- what is said
cp -r "$T/whole" "$T/again"
launch "$T/again" --resume
equal "a complete training ends well" "0 resumed from $T/again/$last at step 120" \
  "$rc $(cat "$T/again.err")"
lines_from 120 "$T/plain" >"$T/lines.want"
equal "... with its last figures" 0 "$(cmp "$T/lines.want" "$T/again.out" >&2; echo $?)"

# refused NAME PIECE FOLDER ARGUMENTS: status 1 and one line on stderr that has the piece
refused() {
  name=$1 piece=$2
  shift 2
  launch "$@"
  equal "$name: status" 1 "$rc"
  equal "$name: one line" 1 "$(wc -l <"$folder.err")"
  has "$name" "$piece" "$(cat "$folder.err")"
}
refused "another configuration" \
  "cannot resume: hidden: {16} in the checkpoint, {8, 4} here; lr: 0.001 in the checkpoint, 0.01 here (--resume_anyway overrides)" \
  "$T/again" --resume --lr=0.01 --hidden=8,4
refused "another batch size" "batch_size: 50 in the checkpoint, 25 here" "$T/again" --resume \
  --batch_size=25
refused "a folder that is in use" "$T/again holds checkpoints of an earlier training" "$T/again"
launch "$T/again" --resume --threads=2 --log_interval=7 --checkpoint_every=9
equal "threads, the log and the distance of checkpoints may differ" 0 "$rc"
launch "$T/two" --resume_anyway --lr=0.01 --steps=125
equal "--resume_anyway resumes" 0 "$rc"
has "--resume_anyway says what differs" "resuming although it differs: lr: 0.001 in the checkpoint, 0.01 here" \
  "$(cat "$T/two.err")"
launch "$T/fresh" --resume --steps=3
equal "--resume without a checkpoint starts" "0 $T/fresh: nothing to resume from, starting a new training" \
  "$rc $(cat "$T/fresh.err")"
"$bnnlua" "$mnist" --data_dir="$T/mnist" --resume >"$T/out" 2>"$T/err" </dev/null
equal "--resume alone: status" 1 $?
has "--resume alone" "--resume needs --checkpoint=DIR" "$(cat "$T/err")"

# ---------------------------------------------------------------- broken files, failed writes
rm -rf "$T/run" && cp -r "$T/whole" "$T/run"
head -c 3000 "$T/whole/$last" >"$T/run/$last"
launch "$T/run" --resume
equal "a cut file: resumes from the one before" 0 "$rc"
has "... with a warning that names it" "$T/run/$last: " "$(cat "$T/run.err")"
same_as_unbroken "a cut file" "$T/run" 119

# A limit on the size of files stands for a disk that is full.
rm -rf "$T/run" && : >"$T/run.out"
# shellcheck disable=SC2086
(
  ulimit -f 8 # blocks of 1024 bytes in bash, of 512 elsewhere
  "$bnnlua" "$mnist" $training --checkpoint="$T/run"
  echo $? >"$T/status"
) 2>"$T/run.err" </dev/null | cat >"$T/run.out"
equal "a full disk: the training continues" 0 "$(cmp "$T/plain" "$T/run.out" >&2; echo $?)"
equal "a full disk: the status says so at the end" 1 "$(cat "$T/status")"
has "... and the last line" "bnnlua: bnn.train: the last checkpoint was not written: " \
  "$(tail -n 1 "$T/run.err")"
has "a full disk is said" "WARNING: checkpoint of step 7 not written: " "$(cat "$T/run.err")"
has "... with its reason" "File too large" "$(cat "$T/run.err")"
equal "a full disk: nothing is left behind" "" "$(ls "$T/run")"
rm -rf "$T/run" && cp -r "$T/whole" "$T/run"
# shellcheck disable=SC2046
(
  ulimit -f 8
  exec "$bnnlua" "$mnist" $(words --steps=) --checkpoint="$T/run" --resume --steps=140
) 2>"$T/run.err" </dev/null | cat >"$T/run.out"
equal "a full disk: the earlier ones are untouched" 0 \
  "$(diff -r "$T/whole" "$T/run" >&2; echo $?)"

# ---------------------------------------------------------------- two at the same time
rm -rf "$T/run" && : >"$T/run.out"
launch_behind "$T/run" --steps=100000000
wait_for '^ *20 | train/mean' "$T/run.out"
refused "a folder that another process works in" "$T/run: another training is writing there" \
  "$T/run" --resume
kill -9 $child
wait $child 2>/dev/null
step=$(newest "$T/run")
launch "$T/run" --resume --steps="$step"
equal "its folder is free when it has been killed" 0 "$rc"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
