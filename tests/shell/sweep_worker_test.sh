#!/usr/bin/env bash
# sweep_worker_test.sh - bnnlua -m sweep --worker from the command line, in both stores of one machine:
# what it makes and says, its exit status, signals, and what it refuses.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
cd "$T" || exit 1
cat >toy.lua <<'END2'
local bnn = require "bnn"
return bnn.main{
  about = "a toy", objective = {"loss", "min"},
  defaults = {seed = {1, "seed"}, x = {1, "x"}, wait_for = {"", "a file", type = "string"}},
  run = function(cfg, log)
    log:row(1, {loss = cfg.x})
    for _ = 1, cfg.wait_for ~= "" and 1000 or 0 do
      local file <close> = io.open(cfg.wait_for)
      if file then break end
      require "bnn.core".run_program{"sleep", "0.02"}
    end
    if cfg.x == 13 then error "unlucky" end
    return {loss = (cfg.x - 2) ^ 2}
  end,
}
END2
begin() { # RUNS ARG...: a sweep whose program is killed with its first run
  local runs=$1
  shift
  "$bnnlua" -m sweep toy.lua "$@" --name=s --workers=1 --runs="$runs" --quiet -- --wait_for=go \
    >/dev/null 2>&1 </dev/null &
  local pid=$!
  for _ in $(seq 500); do
    grep -qs loss "$runs"/2*/metrics.jsonl && break
    sleep 0.02
  done
  kill -KILL $pid
  wait $pid 2>/dev/null
}
worker() { "$bnnlua" -m sweep --worker="$1" "${@:2}" </dev/null; }

for store in folder sqlite; do
  rm -rf runs go
  [ $store = sqlite ] || { mkdir runs && echo folder >runs/ledger.txt; }
  begin runs x=1,2,13,4
  # Its run waits for a file that is not there; USR2 as Slurm sends it, INT, TERM.
  for signal in INT TERM USR2; do
    "$bnnlua" -m sweep --worker=runs >out 2>err </dev/null &
    pid=$!
    for _ in $(seq 250); do
      pgrep -P $pid >/dev/null && break
      sleep 0.02
    done
    sleep 0.2
    kill -$signal $pid
    wait $pid
    rc=$?
    equal "$store: the status after SIG$signal" $((128 + $(kill -l $signal))) $rc
    has "$store: and what it says" "interrupted by SIG$signal" "$(cat err)"
  done
  touch go
  worker runs --count=2 --name=s --quiet >out 2>err
  equal "$store: two runs" "0  2 runs made" "$? $(cat out) $(cat err)"
  worker runs --quiet >out 2>err
  equal "$store: one of the others fails" 1 $?
  has "$store: which is said" "1 of 2 runs failed; the sweep's own command makes them again" "$(cat err)"
  worker runs --quiet >out 2>err
  equal "$store: nothing is left" "0  there were no open runs" "$? $(cat out) $(cat err)"
  equal "$store: four runs" "4" "$(find runs -maxdepth 1 -name '2*' | wc -l)"
  worker runs --name=other >out 2>err
  equal "$store: a sweep that is not there" "1 bnnlua: --name: there is no sweep 'other' in runs" "$? $(cat err)"
done

while IFS='|' read -r words want; do
  # shellcheck disable=SC2086 # several
  "$bnnlua" -m sweep $words >out 2>err </dev/null
  equal "$words: status" 1 $?
  has "$words" "$want" "$(cat err)"
done <<'END2'
--worker=nowhere|--worker: nowhere: no such folder of runs
--worker=runs toy.lua|--worker: expected no experiment, as the sweep has its own, got 'toy.lua'
--worker=runs --trials=3|--trials: not with --worker, which takes it from the sweep
--worker=runs --count=0|--count: expected at least 1, got '0'
--count=3 toy.lua x=1,2|--count: only with --worker
--wait=3 toy.lua x=1,2|--wait: only with --worker
--worker=postgresql://me:secret@host/db|the password belongs in
END2
equal "no password is said" "" "$(grep secret err)"

help=$("$bnnlua" -m sweep --help)
for word in "ssh host" "parallel --sshlogin" "hq submit --array" "sbatch --array"; do
  has "help: $word" "$word" "$help"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
