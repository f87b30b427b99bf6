#!/usr/bin/env bash
# postgres_ledger_test.sh - the ledger of records in PostgreSQL: what -m runs prints is what it prints with
# SQLite; a ledger moves both ways; roots share one; 8 processes record at once while connections and
# the server are killed, and no row is lost; a server that is away stops nothing. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
# shellcheck source=tests/shell/postgres.sh
. "$tests/shell/postgres.sh"
chmod 755 "$T"
postgres_start "$T/pg" || {
  echo "skipped: $postgres_missing"
  echo "0 passed, 0 failed"
  exit 0
}
trap 'postgres_stop immediate; rm -rf "$T"' EXIT
cd "$T" || exit 1
case $("$bnnlua" --version) in
*PostgreSQL*libpq*) ;;
*)
  echo "skipped: the program has no client library of PostgreSQL"
  echo "0 passed, 0 failed"
  exit 0
  ;;
esac

cat >toy.lua <<'END2'
local bnn, core = require "bnn", require "bnn.core"
return bnn.main{
  about = "a line", objective = {"loss", "min"}, common = {"seed"},
  defaults = {lr = {0.1, "rate", above = 0}, fails = {false, "raise an error"}, hidden = {{4, 4}, "units"},
              text = {"", "a text"}, seconds = {0, "how long", type = "number", min = 0}},
  run = function(cfg, log)
    local finish = core.ticks() + cfg.seconds
    for step = 1, 5 do log:row(step, {{"loss", cfg.lr * step + cfg.seed}, {"odd", step == 5 and 0 / 0 or step}}) end
    while core.ticks() < finish do log:row(6, {{"loss", cfg.lr * 6 + cfg.seed}}) end
    if cfg.fails then error "it's \"that\" \u{e9}" end
    return {loss = cfg.lr + cfg.seed, word = "w\u{f6}rd"}
  end,
}
END2

runs() { "$bnnlua" -m runs "$@"; }
toy() { "$bnnlua" toy.lua "$@" >/dev/null 2>&1; }

# ---------------------------------------------------------------- the same output
export BNNLUA_RUNS=here
for seed in 1 2 3; do
  toy --seed=$seed --lr=0.2 --text="it's; drop table run --"
  toy --seed=$seed --lr=0.01 --run_name=small
done
toy --fails
"$bnnlua" -m sweep toy.lua lr=0.1,0.3 --seeds=2 --name=s --quiet >/dev/null 2>&1
runs tag small:last x 2>/dev/null
id=$(runs sql "select id from run order by id limit 1" --format=csv | tail -1)
runs tag "$id" good "two words"
runs note "$id" "it's noted: ö"

# everything NAME: what -m runs prints, into a file
everything() {
  {
    runs list --all
    runs list status=completed 'lr<0.1' --columns=lr,loss,tag,folder
    runs list --all --sort=-loss
    runs list --group=lr
    runs compare --group=config
    runs best loss --mode=min
    runs show "$id"
    runs show last
    runs diff "$id" last
    runs curves loss 'lr<0.1'
    runs export
    runs export --format=json
    runs sql "select r.id, attempt, status, sweep, trial, replicate, folder, p.value, p.number
      from run r join param p on p.run = r.id order by r.id, p.name" --format=csv
    runs sql "select * from metric order by run, name" --format=csv
    runs sql "select * from outcome order by sweep, trial, replicate" --format=csv
    runs sql "select sweep, trial, replicate, state, attempt, run from task order by 1, 2, 3"
    runs sql "select * from note"
    runs sql "select * from tag order by run, tag"
    runs report --output=page.html --title=t
    sed 's/[0-9-]* [0-9:]* UTC//g' page.html
    runs list nothing=1
  } >"$1" 2>&1
}

everything sqlite
url=$postgres_url
lines=$(wc -l <sqlite)
[ "$lines" -gt 100 ] && pass || fail "there is something to compare" sqlite
has "it moves to the server" "$url: 11 runs, 1 sweep" "$(runs move --ledger="$url" 2>err)"
has "the old one is kept" "the old ledger is kept: here/runs.db.moved-" "$(cat err)"
equal "the folder says where it is" "$url" "$(cat here/ledger.txt)"
[ -e here/runs.db ] && fail "no database is left" || pass
everything server
cmp -s sqlite server && pass || { diff sqlite server >why; fail "all is printed as with SQLite" why; }
equal "a second move is refused" "bnnlua: the ledger of here is $url already" "$(runs move --ledger="$url" 2>&1)"
has "and back" "here/runs.db: 11 runs" "$(runs move --ledger=sqlite 2>&1)"
[ -e here/ledger.txt ] && fail "back: the folder says nothing" || pass
everything back
cmp -s sqlite back && pass || { diff sqlite back >why; fail "back: all is printed as before" why; }
equal "the server has nothing of it" "0 0 0 0" "$(postgres_ask "select (select count(*) from run) || ' ' ||
  (select count(*) from param) || ' ' || (select count(*) from task) || ' ' || (select count(*) from sweep)")"
has "and to the server again" "$url: 11 runs" "$(runs move --ledger="$url" 2>&1)"
everything server
cmp -s sqlite server && pass || { diff sqlite server >why; fail "again: all is printed as before" why; }

# the ledger made again from the folders; but for the time of the last sign of life
columns=id,status,lr,loss,sweep,trial,replicate,folder,failure
runs export --columns=$columns >before
equal "it is made again from the folders" "$url: 11 runs, 1 sweep" "$(runs rebuild)"
runs export --columns=$columns >after
cmp -s before after && pass || { diff before after >why; fail "with the same runs" why; }

# a sweep goes on with it, and knows what is done
"$bnnlua" -m sweep toy.lua lr=0.1,0.3 --seeds=2 --name=s --quiet >/dev/null 2>err
has "a sweep goes on" "4 of 4 runs are done" "$(cat err)"
runs delete "$id" --yes >/dev/null
equal "a run is deleted" "0 0" "$(postgres_ask "select (select count(*) from run where id = '$id') || ' ' ||
  (select count(*) from param where run = '$id')")"

# ---------------------------------------------------------------- one ledger of many roots
BNNLUA_RUNS=there BNNLUA_LEDGER=$url toy --lr=7
equal "another root by the variable" "$url" "$(cat there/ledger.txt)"
equal "the ledger has both" 11 "$(runs list --all --ledger="$url" 2>/dev/null | tail -n +2 | wc -l)"
equal "each root has its own" "1 10" "$(runs list --runs=there | tail -n +2 | wc -l) $(runs list --all | tail -n +2 | wc -l)"
runs rebuild >/dev/null
equal "rebuild leaves the others alone" 11 "$(postgres_ask "select count(*) from run")"
other=$(basename there/2*)
BNNLUA_RUNS=nowhere
has "a run of another root" "run       $other" "$(runs show "$other" --ledger="$url" 2>&1)"
postgres_ask "update run set folder = 'far:/data/runs/' || id, status = 'running', heartbeat = '2020-01-01 00:00:00'
  where id = '$other'"
has "one that nobody hears of is dead" "dead" "$(runs list lr=7 --ledger="$url" 2>&1)"
has "of one that is elsewhere it says where" "$other: its folder is not here: far:/data/runs/$other" \
  "$(runs show "$other" --ledger="$url" 2>&1)"
BNNLUA_RUNS=here
has "by its id too" "no run '$other' in here; its folder is far:/data/runs/$other" "$(runs show "$other" 2>&1)"
has "another place is refused" "\`bnnlua -m runs move --runs=here --ledger=sqlite\` moves it" \
  "$("$bnnlua" toy.lua --ledger=sqlite 2>&1)"
secret=postgresql://bnn:s3cret@127.0.0.1:$postgres_port/postgres
out=$(runs list --ledger="$secret" 2>&1
  "$bnnlua" toy.lua --ledger="$secret" --runs=new 2>&1
  BNNLUA_LEDGER="$secret" "$bnnlua" -m sweep toy.lua lr=1 --runs=new 2>&1)
has "a password is refused" "the password belongs in ~/.pgpass" "$out"
lacks "and not repeated" s3cret "$out"
[ -e new/ledger.txt ] && fail "and not written" || pass

# ---------------------------------------------------------------- one sweep of two roots
sweep() { BNNLUA_LEDGER=$url "$bnnlua" -m sweep toy.lua lr=1,2,3,4 --name=both --workers=2 --quiet --runs="$1" \
  -- --seconds=0.3 >"$1.out" 2>"$1.err"; }
sweep one &
sweep two
wait $!
cmp -s one.out two.out && pass || { diff one.out two.out >why; fail "both have the same results" why; }
equal "each run is made once" "4 4" "$(postgres_ask "select count(*) || ' ' || count(distinct trial) from run
  where sweep = 'both'")"
has "neither takes the sweep away" "the sweep 'both' has runs of other folders" \
  "$(runs move --runs=one --ledger=sqlite 2>&1)$(runs move --runs=two --ledger=folder 2>&1)"
for root in one two; do runs rebuild --runs=$root >/dev/null; done
equal "rebuild leaves it whole" "2 4" "$(postgres_ask "select state || ' ' || count(*) from task
  where sweep = 'both' group by state")"
sweep one
has "and it goes on" "4 of 4 runs are done" "$(cat one.err)"

# ---------------------------------------------------------------- plans
claim=$("$bnnlua" -e 'print(require "bnn.store.store_link".expand(require "bnn.store.store_postgresql",
  require "bnn.records.task_queue".CLAIM))')
plan=$(postgres_ask "begin; insert into task select 'big', i, 1, case when i <= 5000 then 2 else 0 end, 1
  from generate_series(1, 10000) as i; analyze task; prepare claim(text, text, bigint) as $claim;
  explain execute claim('big', 'w', 60); rollback")
has "a claim reads the index of open tasks" "Index Scan using task_open" "$plan"
has "and one row by its key" "Index Cond: ((sweep = \$2) AND (trial = \$3) AND (replicate = \$4))" "$plan"
lacks "and no table" "Seq Scan" "$plan"

# ---------------------------------------------------------------- a server that is away
postgres_stop
BNNLUA_RUNS=away
mkdir away
echo "$url" >away/ledger.txt
( sleep 3; postgres_restart ) &
"$bnnlua" toy.lua --seconds=1 >out 2>err
equal "a run whose server is away ends well" 0 $?
has "it says so" "the ledger is written later: " "$(cat err)"
wait $!
equal "its end waited for the server" "completed" "$(postgres_ask "select status from run where folder like '%/away/%'")"
equal "and has all" "1 6" "$(postgres_ask "select count(*) || ' ' || (select count(*) from param where run = run.id)
  from run where folder like '%/away/%' group by run.id")"
( sleep 1; postgres_stop immediate ) &
"$bnnlua" toy.lua --seconds=30 >out 2>err &
child=$!
sleep 3
kill -INT $child
wait $child
equal "an interrupted run waits for a short time" 130 $?
has "and says how it is entered" "\`bnnlua -m runs rebuild --runs=away\` enters it" "$(cat err)"
has "a list reads the folders" "interrupted" "$(runs list --all 2>err)"
has "and says that the server is away" "reading the folders instead" "$(cat err)"
postgres_restart
equal "rebuild enters it" "$url: 2 runs" "$(runs rebuild 2>&1)"

# ---------------------------------------------------------------- many at once, and kills
BNNLUA_RUNS=many
mkdir many
echo "$url" >many/ledger.txt
record() { for i in 1 2 3 4 5 6; do toy --seed="$i" --lr="$1" --seconds=0.2 || echo "lr=$1 seed=$i" >>failed; done; }
children=
for n in 1 2 3 4 5 6 7 8; do
  record "$n" &
  children="$children $!"
done
kills=0 restarts=0
while [ $kills -lt 20 ]; do
  sleep 0.2
  postgres_ask "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'bnnlua%'
    order by random() limit 2" >/dev/null 2>&1
  kills=$((kills + 1))
  case $kills in
  5 | 15) postgres_stop immediate; sleep 0.5; postgres_restart; restarts=$((restarts + 1)) ;;
  10) postgres_kill; sleep 0.5; postgres_restart; restarts=$((restarts + 1)) ;;
  esac
done
# shellcheck disable=SC2086 # a list
wait $children
[ -s failed ] && fail "all runs end well" failed || pass
equal "no run is lost" "48 completed" "$(postgres_ask "select count(*) || ' ' || status from run
  where folder like '%/many/%' group by status")"
equal "none of its rows" "48 6 3 1" "$(postgres_ask "select count(*) || ' ' || p || ' ' || m || ' ' || a from
  (select id, (select count(*) from param where run = id) as p, (select count(*) from metric where run = id) as m,
   (select count(*) from attempt where run = id) as a from run where folder like '%/many/%') as of group by p, m, a")"
runs export --columns=id,status,lr,loss,least:loss,word >before
runs rebuild >/dev/null
runs export --columns=id,status,lr,loss,least:loss,word >after
cmp -s before after && pass || { diff before after >why; fail "what is there is what the folders have" why; }
equal "all records are sealed" 48 "$(runs verify | grep -c '^ok')"
echo "48 runs by 8 processes, $kills times two connections killed, $restarts restarts"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
