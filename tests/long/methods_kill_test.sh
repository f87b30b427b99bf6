#!/bin/sh
# methods_kill_test.sh - kill -9 at random moments of a training by each kind of method (those of
# tests/lua/trained_methods.lua: variational, IVON, samplers, SWAG, snapshots, ensembles, MC dropout),
# on one thread and on two: what is found after METHOD_KILLS (2) kills is what a training found that
# was never stopped, byte for byte. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"

# shellcheck source=tests/shell/resume_checks.sh
. "$tests/shell/resume_checks.sh"

kills=${METHOD_KILLS:-2}
program=$tests/long/killed_methods.lua

# train METHOD FOLDER THREADS
train() {
  "$bnnlua" "$program" "$1" "$steps" "$2" "$3" >"$2.out" 2>"$2.err" </dev/null
}

# killed METHOD FOLDER THREADS SECONDS: the same, killed after a random time within so many seconds
killed() {
  "$bnnlua" "$program" "$1" "$steps" "$2" "$3" >"$2.out" 2>"$2.err" </dev/null &
  child=$!
  sleep "$(moment "$4")"
  kill -KILL $child 2>/dev/null
  wait $child 2>/dev/null
}

went_on=0
for method in $("$bnnlua" "$program"); do
  steps=600
  started=$(now)
  train "$method" "$T/$method" 1 || fail "$method: it trains" "$T/$method.err"
  took=$(echo "$started $(now)" | awk '{printf "%.3f", $2 - $1}')
  for threads in 1 2; do
    run=$T/${method}_$threads
    k=$kills
    while [ "$k" -gt 0 ]; do
      killed "$method" "$run" "$threads" "$took"
      k=$((k - 1))
    done
    train "$method" "$run" "$threads"
    equal "$method, $threads threads: it ends well" 0 $?
    ! grep -q "resumed from" "$run.err" || went_on=$((went_on + 1))
    equal "$method, $threads threads: the same bytes" "" \
      "$(cmp "$T/$method.safetensors" "$run.safetensors" 2>&1)"
  done
  rm -rf "${T:?}/$method"*
done
echo "$went_on trainings had written a checkpoint before they were killed"
[ "$went_on" -gt 0 ] || fail "a training goes on from a checkpoint"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
