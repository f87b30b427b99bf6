#!/bin/sh
# resume_test.sh - trainings that are killed and gone on with: after kill -9 at any moment the lines
# from the resumed step on and the final parameters are those of a training that was not, on one
# thread and on two; SIGINT and SIGTERM write a last checkpoint. KILLS moments (4) are tried on small
# data; BNNLUA is the binary.
set -u
# shellcheck source=tests/checks.sh
. "$(dirname "$0")/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_DATA
BNNLUA_OFFLINE=1 XDG_CACHE_HOME=$T/no XDG_DATA_DIRS=$T/no
export BNNLUA_OFFLINE XDG_CACHE_HOME XDG_DATA_DIRS

if "$bnnlua" --version | grep -q 'jansson *none'; then
  echo "no jansson: nothing to resume"
  echo "0 passed, 0 failed"
  exit 0
fi
mnist=$tests/../experiments/mnist.lua
write_sets 'idx.set(T .. "/mnist", 600, 100)'
options="--data=$T/mnist --steps=${STEPS:-1500} --batch_size=50 --log_interval=100 --eval_samples=2
  --predict_samples=5 --checkpoint_every=100"

# train FOLDER ARGUMENTS: writes to FOLDER.out and FOLDER.err
train() {
  to=$1
  shift
  # shellcheck disable=SC2086 # $options is a list of words
  "$bnnlua" "$mnist" $options --checkpoint="$to" "$@" >"$to.out" 2>"$to.err" </dev/null
}

# parameters FOLDER: a checksum of the last checkpoint's tensors
parameters() {
  "$bnnlua" -e "local saved = assert(require 'bnn'.checkpoint.load(
      '$1/step_' .. ('%08d'):format(${STEPS:-1500}) .. '.safetensors'))
    for _, params in ipairs{saved.posterior.mu, saved.posterior.logvar} do
      for i, v in ipairs(params.flat:totable()) do io.write(string.pack('<d', v)) end
    end" | cksum
}

# same_from FOLDER: its lines from the resumed step on are those of the whole training
same_from() {
  grep -v '^data: ' "$1.out" >"$T/rest"
  tail -n "$(wc -l <"$T/rest")" "$T/whole.out" | cmp - "$T/rest" >&2
  echo $?
}

start=$(date +%s%N)
train "$T/whole"
took=$((($(date +%s%N) - start) / 1000000)) # ms
want=$(parameters "$T/whole")

i=0
while [ $i -lt "${KILLS:-4}" ]; do
  i=$((i + 1))
  after=$((took * i * 37 % (took * 90 / 100) + 50))
  train "$T/killed" --threads=$((i % 2 + 1)) &
  pid=$!
  sleep "$(printf '%d.%03d' $((after / 1000)) $((after % 1000)))"
  pkill -KILL -f -- "--checkpoint=$T/killed" 2>/dev/null
  wait $pid 2>/dev/null
  train "$T/killed" --threads=$(((i + 1) % 2 + 1)) --resume
  equal "kill -9 after $after ms: status" 0 $?
  equal "kill -9 after $after ms: the same lines" 0 "$(same_from "$T/killed")"
  equal "kill -9 after $after ms: the same parameters" "$want" "$(parameters "$T/killed")"
  equal "kill -9 after $after ms: nothing half-written" "" \
    "$(find "$T/killed" -name '*.safetensors' -prune -o -type f -print)"
  rm -rf "$T/killed"
done

for signal in INT:130 TERM:143; do
  name=${signal%:*}
  # shellcheck disable=SC2086
  "$bnnlua" "$mnist" $options --checkpoint="$T/stopped" >"$T/stopped.out" 2>"$T/stopped.err" \
    </dev/null &
  pid=$!
  sleep "$(printf '%d.%03d' $((took / 2000)) $((took / 2 % 1000)))"
  kill -"$name" $pid
  wait $pid
  equal "SIG$name: status" "${signal#*:}" $?
  has "SIG$name says where it stopped" "they are in $T/stopped/step_" "$(cat "$T/stopped.err")"
  train "$T/stopped" --resume
  equal "SIG$name: it goes on" "0 $want" "$? $(parameters "$T/stopped")"
  rm -rf "$T/stopped"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
