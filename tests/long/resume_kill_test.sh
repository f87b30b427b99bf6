#!/bin/sh
# resume_kill_test.sh - kill -9 at RESUME_KILLS (30) random moments of mnist.lua's training, with one
# thread and with two, and goes on from each: the lines of the log from there on, the last checkpoint
# and the best one are those of the training that was never stopped, byte for byte. MNIST where
# BNNLUA_DATA has it, else digits that the program draws. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"

# shellcheck source=tests/shell/resume_checks.sh
. "$tests/shell/resume_checks.sh"
BNNLUA_OFFLINE=1
export BNNLUA_OFFLINE

rounds=${RESUME_KILLS:-30}
training="--steps=2000 --log_interval=400 --eval_samples=1 --predict_samples=1 --checkpoint_every=50"
last=step_00002000.safetensors

started=$(now)
launch "$T/whole" --threads=1
took=$(echo "$started $(now)" | awk '{printf "%.3f", $2 - $1}')
equal "the unbroken training ends well" 0 "$rc"
echo "$(head -1 "$T/whole.out"); unbroken: $took s"

goes_on=0
for threads in 1 2; do
  k=$rounds
  while [ "$k" -gt 0 ]; do
    kill_and_resume "kill -9, --threads=$threads" 1 "$took" --threads=$threads
    [ "$step" -eq 0 ] || goes_on=$((goes_on + 1))
    k=$((k - 1))
  done
  kill_and_resume "killed five times, --threads=$threads" 5 "$took" --threads=$threads
done
echo "$goes_on of $((2 * rounds)) had written a checkpoint before they were killed"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
