#!/usr/bin/env bash
# runs_kill_test.sh - kill -9 at RUN_KILLS (25) random moments of a recorded mnist.lua that keeps its
# checkpoints in its record, on one thread and on two, up to three times each: the run is listed as
# dead and `bnnlua -m runs resume` ends it with the bits of one that never stopped. Then what may
# befall a resumed run: a flipped byte in any of its files, and a disk that fills up (a small tmpfs,
# where this may mount one). MNIST where BNNLUA_DATA has it, else digits that the program draws.
# BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
# shellcheck source=tests/shell/resume_checks.sh
. "$tests/shell/resume_checks.sh"
# shellcheck source=tests/shell/records_checks.sh
. "$tests/shell/records_checks.sh"

cd "$T" || exit 1
BNNLUA_OFFLINE=1 BNNLUA_RUNS=runs
export BNNLUA_OFFLINE BNNLUA_RUNS
training="--steps=1500 --log_interval=100 --eval_samples=1 --predict_samples=1 --checkpoint_every=50"

runs() { "$bnnlua" -m runs "$@" >out 2>err </dev/null; rc=$?; out=$(cat out) err=$(cat err); }
last() { ls -d runs/2* 2>/dev/null | tail -1; }
# shellcheck disable=SC2086 # $training is a list
train() { "$bnnlua" "$mnist" $training "$@" >out 2>err </dev/null; rc=$?; }

# one_of_each RUN: the log with each step once, as text
one_of_each() {
  "$bnnlua" -e "
    local summary = require 'bnn.records.metric_summary'
    local blocks = assert(summary.blocks('$1', {attempt = 2}))
    table.sort(blocks, function(a, b) return a.step < b.step end)
    local text = require 'bnn.log.log_text'
    for _, b in ipairs(blocks) do io.write(text.json_line(b.step, b.rows)) end"
}

# same_as_whole NAME RUN
same_as_whole() {
  one_of_each "$2" >got
  cmp -s want got && pass || { diff want got >why; fail "$1: its log" why; }
  for file in best step_00001500; do
    file=checkpoints/$file.safetensors
    cmp "$whole/$file" "$2/$file" >why 2>&1 && pass || fail "$1: $file" why
  done
  cmp -s "$whole/config.json" "$2/config.json" || [ "${3:-}" = threads ] || fail "$1: its flags"
}

started=$(now)
train
took=$(echo "$started $(now)" | awk '{printf "%.3f", $2 - $1}')
equal "the unbroken run ends well" 0 "$rc"
whole=$(last)
one_of_each "$whole" >want
equal "its log has all steps" 16 "$(wc -l <want)"
echo "$(head -1 out); unbroken: $took s"

# kill_after SECONDS COMMAND...: the command, killed
kill_after() {
  seconds=$1
  shift
  "$@" >out 2>err </dev/null &
  child=$!
  sleep "$seconds"
  kill -KILL $child 2>/dev/null
  wait $child 2>/dev/null
}

kills=${RUN_KILLS:-25}
with_checkpoint=0 without=0 ended=0
for threads in 1 2; do
  k=0
  while [ $k -lt "$kills" ]; do
    k=$((k + 1))
    before=$(last)
    after=$(moment "$took")
    # shellcheck disable=SC2086
    kill_after "$after" "$bnnlua" "$mnist" $training --threads=$threads
    run=$(last)
    [ "$run" != "$before" ] || continue # it died before it had a record
    n=1
    while [ $n -lt $((1 + k % 3)) ] && [ -n "$(ls "$run"/checkpoints/*.safetensors 2>/dev/null)" ]; do
      again=$(moment "$took")
      after="$after $again"
      kill_after "$again" "$bnnlua" -m runs resume last
      n=$((n + 1))
    done
    name="--threads=$threads, killed after $after s"
    runs list --all --columns=status
    equal "$name: all can be read" 0 "$rc"
    lacks "$name: nothing is skipped" "skipping" "$err"
    status=$(echo "$out" | tail -1 | awk '{print $2}')
    if [ "$status" = completed ]; then
      ended=$((ended + 1))
    elif [ -n "$(find "$run" -name '*.safetensors')" ]; then
      equal "$name: it is dead" dead "$status"
      with_checkpoint=$((with_checkpoint + 1))
      runs resume last
      equal "$name: it goes on" 0 "$rc"
    else
      equal "$name: it is dead" dead "$status"
      without=$((without + 1))
      runs resume last
      has "$name: it has no checkpoint" "--from_start" "$err"
      runs resume last --from_start
      equal "$name: it begins anew" 0 "$rc"
    fi
    same_as_whole "$name" "$run" threads
    runs verify last
    equal "$name: it is sealed" 0 "$rc"
  done
done
echo "of $((2 * kills)): $with_checkpoint went on from a checkpoint, $without had none, $ended had ended"
runs sql "select count(*) from run where status <> 'completed'" --format=csv
equal "the ledger knows that all are complete" 0 "$(echo "$out" | tail -1)"
runs sql "pragma integrity_check" --format=csv
equal "and is whole" "ok" "$(echo "$out" | tail -1)"
"$bnnlua" -m runs export >before.csv
runs rebuild
equal "it can be made again" 0 "$rc"
"$bnnlua" -m runs export >after.csv
# by the folders: all but heartbeats
equal "and is the same" "" "$("$bnnlua" -e "
  local csv = {}
  for i, name in ipairs{'before.csv', 'after.csv'} do
    csv[i] = io.open(name):read 'a':gsub('%d+%-%d+%-%d+ %d+:%d+:%d+,', '')
  end
  print(csv[1] == csv[2] and '' or 'differs')")"

# ---- a byte flipped anywhere, in a run of several attempts and in one that may go on ----
resumed=runs/$("$bnnlua" -m runs list 'attempt>1' --columns=attempt 2>/dev/null | tail -1 | awk '{print $1}')
# flips_are_named RUN: also by the words of `resume` if the run may go on
flips_are_named() {
  for name in $(cd "$1" && find . -type f ! -name notes.jsonl -size +0 | sed 's|^\./||'); do
    cp "$1/$name" copy
    flip_byte "$1/$name"
    runs verify "${1##*/}"
    equal "a byte of $name: status" 1 "$rc"
    case $name in
    manifest.sha256) has "a byte of the manifest" "BAD" "$out" ;;
    *) has "a byte of $name: named" "$name: changed" "$out" ;;
    esac
    if [ -n "${2:-}" ] && [ "$name" != manifest.sha256 ]; then
      runs resume "${1##*/}"
      equal "a byte of $name: it does not go on" 1 "$rc"
      has "a byte of $name: why" "$name" "$err"
    fi
    cat copy >"$1/$name"
  done
  runs verify "${1##*/}"
  equal "put back, it is as it was" 0 "$rc"
}
flips_are_named "$resumed"

# interrupt_at_checkpoint ROOT: a run that SIGTERM ends after its first checkpoint
interrupt_at_checkpoint() {
  # shellcheck disable=SC2086
  "$bnnlua" "$mnist" $training --runs="$1" >out 2>err </dev/null &
  child=$!
  tries=0
  while ! ls "$1"/2*/checkpoints/step_* >/dev/null 2>&1 && [ $tries -lt 500 ]; do
    sleep 0.02
    tries=$((tries + 1))
  done
  kill -TERM $child
  wait $child 2>/dev/null
}
interrupt_at_checkpoint stopped
run=$(ls -d stopped/2*)
BNNLUA_RUNS=stopped flips_are_named "$run" resume
runs resume last --runs=stopped
equal "it goes on" 0 "$rc"
same_as_whole "interrupted, flipped and put back" "$run" threads

# ---- a full disk, and one that cannot be written ----
mkdir disk
if mount -t tmpfs -o size=24m tmpfs disk 2>/dev/null; then
  trap 'umount "$T/disk"; rm -rf "$T"' EXIT
  interrupt_at_checkpoint disk/r
  run=$(ls -d disk/r/2*)
  cp -a "$run" before
  mount -o remount,ro disk
  runs resume last --runs=disk/r
  equal "a disk that cannot be written: it does not go on" 1 "$rc"
  has "and why" "Read-only file system" "$err"
  mount -o remount,rw disk
  dd if=/dev/zero of=disk/filler bs=4096 >/dev/null 2>&1
  runs resume last --runs=disk/r
  equal "a full disk: it does not go on" 1 "$rc"
  has "and why" "No space left" "$err"
  rm disk/filler
  diff -r before "$run" >why && pass || fail "both leave it as it was" why
  runs verify last --runs=disk/r
  equal "and sealed" 0 "$rc"
  runs resume last --runs=disk/r
  equal "with room again it goes on" 0 "$rc"
  same_as_whole "after a full disk" "$run" threads
else
  echo "no tmpfs can be mounted here: the full disk is not tried"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
