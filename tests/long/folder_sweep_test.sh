#!/usr/bin/env bash
# folder_sweep_test.sh - a sweep of TRIALS (500) short trials in a folder without a database, made by
# 8 workers that join it, 4 of them under GNU parallel if it is there and the others by hand as tasks of
# HyperQueue, while workers and runs are killed (kill -9) at random, and so is the program that began
# it. No run is lost, none is complete twice, and the results are those of a sweep that nobody
# disturbed. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
# shellcheck source=tests/shell/parabola.sh
. "$tests/shell/parabola.sh"
started=
# shellcheck disable=SC2086 # a list
trap 'kill -KILL $started $(members) 2>/dev/null; rm -rf "$T"' EXIT
cd "$T" || exit 1
exec 2>/dev/null # the shell tells of each process that was killed

trials=${TRIALS:-500}
write_parabola toy.lua
sweep() { # RUNS ARG...
  local runs=$1
  shift
  "$bnnlua" -m sweep toy.lua x=uniform:0:4 n=integer:1:8 --trials="$trials" --key=3 --name=s --retries=1000 \
    --top="$trials" --runs="$runs" --quiet "$@" </dev/null
}

# members: the processes of the workers, and those of their runs
members() {
  for pid in $(pgrep -f -- "--worker=$T/shared"); do
    [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$bnnlua")" ] && echo "$pid"
  done
}

# completed: how many runs have ended well
completed() { grep -ls '"state":"completed"' shared/sweeps/s/queue/*.end | wc -l; }

sweep calm --workers=2 >want
equal "a sweep that nobody disturbs" 0 $?

# ---------------------------------------------------------------- the disturbed one
mkdir shared
echo folder >shared/ledger.txt
sweep shared --workers=2 >/dev/null &
first=$!
for _ in $(seq 600); do
  [ "$(completed)" -ge 3 ] && break
  sleep 0.05
done
# shellcheck disable=SC2046 # a list
kill -KILL $first $(pgrep -P $first)
wait $first

worker=("$bnnlua" -m sweep "--worker=$T/shared" --quiet --wait=3)
by_hand=8
if command -v parallel >/dev/null; then
  by_hand=4
  parallel --will-cite -j4 --retries 1000 "${worker[@]}" --name={} ::: s s s s >/dev/null </dev/null &
  started="$started $!"
else
  echo "GNU parallel is not here: all workers are started by hand"
fi
launch() { # K: starts worker K
  HQ_JOB_ID=1 HQ_TASK_ID=$1 HQ_INSTANCE_ID=0 HQ_CPUS=0 "${worker[@]}" --count=60 2>>"err$1" </dev/null &
  hand[$1]=$!
}
for k in $(seq $by_hand); do launch "$k"; done
kills=0 began=$SECONDS
while [ "$(completed)" -lt "$trials" ] && [ $((SECONDS - began)) -lt 1200 ]; do
  sleep "0.$((1 + $(random 4)))"
  victim=$(members | shuf -n 1)
  [ -n "$victim" ] && kill -KILL "$victim" && kills=$((kills + 1))
  for k in $(seq $by_hand); do
    kill -0 "${hand[$k]}" && continue
    wait "${hand[$k]}"
    case $? in 0 | 137) ;; *) fail "worker $k ends well" "err$k" ;; esac
    launch "$k"
  done
done
took=$((SECONDS - began))
for k in $(seq $by_hand); do wait "${hand[$k]}"; done
wait

equal "all runs are complete" "$trials" "$(completed)"
find shared/sweeps -name '*.part' -exec touch -d '2 days ago' {} +
sweep shared >out 2>err
equal "the sweep's own command has nothing left to do" "0" "$?"
cmp -s want out && pass || { diff want out >why; fail "the results are those of the other" why; }
"$bnnlua" -m runs export --runs=shared --columns=trial,replicate status=completed | tail -n +2 | sort >all
equal "each run is complete once" "$trials $trials" "$(wc -l <all) $(uniq all | wc -l)"
equal "there is no database" "" "$(find shared -maxdepth 1 -name 'runs.db*')"
equal "and nothing old of those that were killed" "" "$(find shared/sweeps -name '*.part')"
"$bnnlua" -m runs verify --runs=shared status=completed >verified
equal "the records are sealed" "$trials" "$(grep -c '^ok' verified)"
equal "which say what placed them" "yes" "$(grep -lq '"hyperqueue"' shared/2*/run.json && echo yes)"
echo "$trials trials by 8 workers in $took s with $kills kills," \
  "$(find shared -maxdepth 1 -name '2*' | wc -l) records"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
