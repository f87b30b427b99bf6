# resume_checks.sh - what resume_test.sh and long/resume_kill_test.sh share; they source it after
# checks.sh. Trainings of experiments/mnist.lua are stopped and resumed.
mnist=$tests/../experiments/mnist.lua

# words ARGUMENTS: the words of $training but those of flags that are among the arguments
words() {
  for word in $training; do
    given=
    for argument in "$@"; do
      case $argument in "${word%%=*}="*) given=1 ;; esac
    done
    [ -n "$given" ] || printf '%s ' "$word"
  done
}

# launch FOLDER ARGUMENTS: the training with checkpoints in FOLDER; sets rc, "$1.out", "$1.err"
launch() {
  folder=$1
  shift
  # shellcheck disable=SC2046 # words gives a list
  "$bnnlua" "$mnist" $(words "$@") --checkpoint="$folder" "$@" >"$folder.out" 2>"$folder.err" </dev/null
  rc=$?
}

# launch_behind FOLDER ARGUMENTS: the same, in the background; sets child
launch_behind() {
  folder=$1
  shift
  # shellcheck disable=SC2046
  "$bnnlua" "$mnist" $(words "$@") --checkpoint="$folder" "$@" >"$folder.out" 2>"$folder.err" \
    </dev/null &
  child=$!
}

# wait_for PIECE FILE: until a line of the file has it, 10 seconds at most
wait_for() {
  tries=0
  while ! grep -q "$1" "$2" 2>/dev/null && [ $tries -lt 500 ]; do
    sleep 0.02
    tries=$((tries + 1))
  done
}

# launch_and_signal SIGNAL SECONDS FOLDER ARGUMENTS: the same, with a signal after so long
launch_and_signal() {
  signal=$1 seconds=$2 folder=$3
  shift 3
  launch_behind "$folder" "$@"
  sleep "$seconds"
  kill "-$signal" $child 2>/dev/null
  wait $child 2>/dev/null
  rc=$?
}

# newest FOLDER: the step of its newest checkpoint; 0 where there is none
newest() {
  name=$(find "$1" -name 'step_*.safetensors' 2>/dev/null | sort | tail -1)
  [ -n "$name" ] || { echo 0 && return; }
  name=${name##*/step_} name=${name%.safetensors}
  printf '%s\n' "$name" | sed 's/^0*\(.\)/\1/'
}

# lines_from STEP FILE: the lines of a log without those of earlier steps
lines_from() {
  awk -v from="$1" '!/^ *[0-9]+ \| / || $1 >= from' "$2"
}

# moment LIMIT: a random time within so many seconds, in thousandths
moment() {
  od -An -N4 -tu4 /dev/urandom | awk -v limit="$1" '{printf "%.3f", $1 / 4294967296 * limit}'
}

# now: in seconds
now() { date +%s.%N; }

# same_as_unbroken NAME FOLDER STEP: the log from STEP on, the last checkpoint and the best one are
# those of the training in "$T/whole"; nothing temporary is left
same_as_unbroken() {
  lines_from "$3" "$T/whole.out" >"$T/lines.want"
  lines_from "$3" "$2.out" >"$T/lines.got"
  if ! cmp -s "$T/lines.want" "$T/lines.got"; then
    diff "$T/lines.want" "$T/lines.got" >"$T/why"
    fail "$1: the lines from step $3 on" "$T/why"
  elif ! cmp "$T/whole/$last" "$2/$last" >"$T/why" 2>&1; then
    fail "$1: the final parameters" "$T/why"
  elif ! cmp "$T/whole/best.safetensors" "$2/best.safetensors" >"$T/why" 2>&1; then
    fail "$1: the best parameters" "$T/why"
  elif [ -n "$(find "$2" -name '*.part')" ]; then
    fail "$1: temporary files are left"
  else
    pass
  fi
}

# kill_and_resume NAME KILLS SECONDS ARGUMENTS: a training that is killed at so many random moments
# within so many seconds, and resumed each time; then it ends as the unbroken one does
kill_and_resume() {
  name=$1 kills=$2 limit=$3 told=
  shift 3
  rm -rf "$T/run"
  while [ "$kills" -gt 0 ]; do
    after=$(moment "$limit")
    told="$told $after"
    launch_and_signal KILL "$after" "$T/run" --resume "$@"
    kills=$((kills - 1))
  done
  step=$(newest "$T/run")
  launch "$T/run" --resume "$@"
  equal "$name: it ends well (killed after$told s)" 0 "$rc"
  if [ "$step" -gt 0 ]; then
    has "$name: it resumes" "resumed from $T/run/step_" "$(cat "$T/run.err")"
  fi
  same_as_unbroken "$name, killed after$told s, at step $step" "$T/run" "$step"
}
