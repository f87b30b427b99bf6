#!/usr/bin/env bash
# postgres_sweep_test.sh - one sweep of TRIALS (4,000) short trials whose ledger is in PostgreSQL, made by 32
# workers of 4 programs that share it, while runs, programs, connections and the server are killed
# (kill -9) at random. No row is lost, no run is complete twice, and the results are those of a sweep
# with SQLite that nobody disturbed. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
# shellcheck source=tests/shell/parabola.sh
. "$tests/shell/parabola.sh"
# shellcheck source=tests/shell/postgres.sh
. "$tests/shell/postgres.sh"
chmod 755 "$T"
case $("$bnnlua" --version) in
*libpq*) ;;
*)
  echo "skipped: the program has no client library of PostgreSQL"
  echo "0 passed, 0 failed"
  exit 0
  ;;
esac
postgres_start "$T/pg" max_connections=200 || {
  echo "skipped: $postgres_missing"
  echo "0 passed, 0 failed"
  exit 0
}
programs=
# shellcheck disable=SC2086 # a list
trap 'kill -KILL $programs 2>/dev/null; postgres_stop immediate; rm -rf "$T"' EXIT
cd "$T" || exit 1
exec 2>/dev/null # the shell tells of each process that was killed

trials=${TRIALS:-4000}
write_parabola toy.lua
cat >sweep.lua <<'END2'
local bnn = require "bnn"
local result = bnn.sweep{
  experiment = "toy.lua", trials = tonumber(arg[1]), retries = 1000, sampler = "sobol", name = "s", key = 3,
  space = {x = bnn.space.uniform(0, 4), n = bnn.space.integer(1, 8)}, workers = tonumber(arg[2]), progress = false,
}
for _, trial in ipairs(result.list) do
  io.write(("%d %s %q %d %q\n"):format(trial.number, trial.state, trial.config.x, trial.config.n, trial.value))
end
END2

began=$SECONDS
BNNLUA_RUNS=calm "$bnnlua" sweep.lua "$trials" 2 >want
equal "a sweep that nobody disturbs" "$trials" "$(wc -l <want)"
calm=$((SECONDS - began))

# ---------------------------------------------------------------- the disturbed one
export BNNLUA_RUNS=runs BNNLUA_LEDGER=$postgres_url
launch() { # K: starts program K
  "$bnnlua" sweep.lua "$trials" 8 >"out$1" 2>>"err$1" </dev/null &
  pid[$1]=$!
  programs="$programs $!"
}

# open: how many runs are left; nothing while the server is away
open() { postgres_ask "select count(*) from task where state not in (2, 4)"; }

began=$SECONDS
for k in 1 2 3 4; do launch $k; done
kills=0 servers=0 launches=4 next_server=$((SECONDS + 10))
while :; do
  sleep "0.$(random 5)"
  left=$(open)
  [ -n "$left" ] && [ "$left" -eq 0 ] && [ "$(postgres_ask "select count(*) from task")" -eq "$trials" ] && break
  [ $((SECONDS - began)) -lt $((calm * 5 + 300)) ] || break
  k=$((1 + $(random 4)))
  case $(random 8) in
  0) kill -KILL "${pid[$k]}" ;;
  1 | 2) postgres_ask "select pg_terminate_backend(pid) from pg_stat_activity
    where application_name like 'bnnlua%' order by random() limit 3" >/dev/null ;;
  *) kill -KILL "$(pgrep -P "${pid[$k]}" | shuf -n 1)" ;;
  esac
  kills=$((kills + 1))
  if [ $SECONDS -ge $next_server ]; then
    [ "$(random 2)" = 0 ] && postgres_kill || postgres_stop immediate
    sleep "0.$(random 9)"
    postgres_restart
    servers=$((servers + 1)) next_server=$((SECONDS + 15))
  fi
  for k in 1 2 3 4; do
    kill -0 "${pid[$k]}" && continue
    wait "${pid[$k]}"
    launch $k
    launches=$((launches + 1))
  done
done
for k in 1 2 3 4; do
  wait "${pid[$k]}"
  case $? in 0 | 137) ;; *) fail "program $k ends well" "err$k" ;; esac
done
took=$((SECONDS - began))

"$bnnlua" sweep.lua "$trials" 2 >out 2>err
cmp -s want out && pass || { diff want out >why; fail "the results are those of the other" why; }
equal "each run is complete once" "1 $trials" "$(postgres_ask "select n || ' ' || count(*) from
  (select trial, replicate, count(*) as n from run where sweep = 's' and status = 'completed'
   group by trial, replicate) as of group by n")"
equal "each run that the queue has is complete" "$trials" "$(postgres_ask "select count(*) from task join run
  on run.id = task.run where run.status = 'completed' and task.state = 2")"
equal "each has an outcome and its reports" "$trials $((trials * 3))" "$(postgres_ask "select (select count(*) from
  outcome) || ' ' || (select count(*) from report)")"
folders=$(find runs -maxdepth 1 -name '2*' | wc -l)
# A run that is killed between its folder and its row has none; it is not complete.
grep -lE '"status": *"completed"' runs/2*/run.json | cut -d / -f 2 >there
postgres_ask "select id from run where status = 'completed' order by id" >known
[ -s there ] && cmp -s there known && pass || { diff there known >why; fail "no row is lost" why; }
flags="select run, name, value from param where run in (select id from run where status = 'completed')
  union all select run, name, value || ' ' || step from metric where run in (select id from run
  where status = 'completed') order by 1, 2"
postgres_ask "$flags" >before
"$bnnlua" -m runs rebuild >/dev/null
postgres_ask "$flags" >after
cmp -s before after && pass || { diff before after >why; fail "the ledger has what the folders have" why; }
echo "$trials trials, undisturbed by 2 workers in $calm s; by 32 in $took s with $kills kills, $servers of the" \
  "server, $launches programs started, $folders records"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
