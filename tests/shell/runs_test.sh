#!/bin/sh
# runs_test.sh - runs are recorded, whatever their end, and `bnnlua -m runs` shows, checks and replays
# them. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"

cd "$T" || exit 1
unset BNNLUA_RUNS
cat >toy.lua <<'END'
local bnn = require "bnn"
local helper = require "helper"
local experiment = {
  about = "walks", common = {"seed", "threads"},
  defaults = {
    steps = {3, "steps"}, rate = {0.5, "rate"}, how = {"well", "how it ends"},
    out = {"out.txt", "a file to write", result = false},
  },
}
function experiment.run(cfg, log)
  log:say("how: " .. cfg.how)
  for step = 1, cfg.steps do log:row(step, {{"loss", helper.loss(cfg, step)}}) end
  local run = bnn.run.current()
  if run then
    run:note "noted"
    local file <close> = assert(io.open(run:file "made.txt", "w"))
    file:write "made\n"
  end
  if cfg.how == "draws" then
    for _, name in ipairs{"a/x.png", "b/x.png", "gone.png"} do
      bnn.plot.images{x = bnn.ones(1, 4, 4), path = "drawn/" .. name}
    end
    os.remove "drawn/gone.png"
  end
  if cfg.how == "badly" then local nothing = nil; return nothing.field end
  if cfg.how == "refused" then bnn.assert_or_exit(nil, "nothing to do") end
  if cfg.how == "exit" then os.exit(3) end
  if cfg.how == "forever" then io.open("ready", "w"):close() while true do end end
  print "printed"
  return {loss = helper.loss(cfg, cfg.steps), word = "x"}
end
return bnn.main(experiment)
END
echo 'return {loss = function(cfg, step) return cfg.seed / step ^ cfg.rate end}' >helper.lua

toy() { "$bnnlua" toy.lua "$@" >out 2>err </dev/null; rc=$?; }
runs() { "$bnnlua" -m runs "$@" >out 2>err </dev/null; rc=$?; out=$(cat out) err=$(cat err); }
last() { ls -d "$1"/2* | tail -1; }

# ---- recorded or not ----
toy --no_record
equal "a run that is not recorded ends well" 0 "$rc"
equal "and leaves nothing" "" "$(ls -d runs 2>/dev/null)"
cp out plain
BNNLUA_RUNS='' toy
equal "an empty name records nothing" "" "$(ls -d runs 2>/dev/null)"
toy
equal "a recorded run prints the same" "" "$(cmp out plain)"
equal "and nothing on stderr" "" "$(cat err)"
run=$(last runs)
equal "its output is in its folder" "" "$(cmp out "$run/output.txt")"
equal "its metrics" "$(printf '{"step":1,"loss":1}')" "$(head -1 "$run/metrics.jsonl")"
equal "its files" "code/helper.lua code/toy.lua config.json errors.txt files/made.txt \
manifest.sha256 metrics.jsonl notes.jsonl output.txt run.json" \
  "$(cd "$run" && find . -type f | sed 's|^\./||' | sort | tr '\n' ' ' | sed 's/ $//')"
equal "its script's copy" "" "$(cmp toy.lua "$run/code/toy.lua")"
equal "files are read-only" "" "$(find "$run" -type f ! -name notes.jsonl -perm /222)"
(cd "$run" && sha256sum --status -c manifest.sha256) && pass || fail "sha256sum agrees"
BNNLUA_RUNS=elsewhere toy --run_name=second
equal "the variable names the folder" 1 "$(ls -d elsewhere/2* | wc -l)"
toy --runs=elsewhere --seed=2
equal "and so does the flag" 2 "$(ls -d elsewhere/2* | wc -l)"
echo >file
toy --runs=file/below
equal "a folder that cannot be is in nobody's way" "0" "$rc"
equal "is said once" 1 "$(grep -c 'this run is not recorded' err)"
equal "and the output is the same" "" "$(cmp out plain)"

# ---- figures ----
toy --how=draws --runs=drawing
if [ -e drawn/a/x.png ]; then # with libpng
  equal "what is drawn elsewhere is in the record" "a/x.png b/x.png" \
    "$(cd "$(last drawing)/figures" && find . -type f | sed 's|^\./||' | sort | xargs)"
  equal "and said nowhere" "" "$(cat err)"
fi

# ---- ends ----
toy --how=badly
has "an error keeps its traceback" "stack traceback" "$(cat err)"
has "which is in the record" "toy.lua:25: attempt to index a nil value" "$(cat "$(last runs)/run.json")"
runs list status=failed --columns=status
has "it failed" "failed" "$out"
toy --how=refused
equal "a refusal is one line" 1 "$(wc -l <err)"
has "it failed too" '"failure":"nothing to do"' "$(cat "$(last runs)/run.json")"
toy --how=exit
equal "os.exit keeps its status" 3 "$rc"
has "and is recorded" '"failure":"os.exit(3)"' "$(cat "$(last runs)/run.json")"
wait_for_ready() { n=0; while [ ! -e ready ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n + 1)); done; }
rm -f ready; "$bnnlua" toy.lua --how=forever >out 2>err </dev/null & child=$!
wait_for_ready
runs list
has "a run that lives is running" "running" "$out"
runs delete status=running --yes
equal "and is not deleted" 1 "$rc"
kill -TERM $child; wait $child 2>/dev/null
equal "SIGTERM ends it" 143 $?
has "it was interrupted" '"status":"interrupted"' "$(cat "$(last runs)/run.json")"
rm -f ready; "$bnnlua" toy.lua --how=forever >out 2>err </dev/null & child=$!
wait_for_ready
kill -KILL $child; wait $child 2>/dev/null
runs list status=dead --columns=loss
has "a killed run is dead, with the metrics that it had" "0.577" "$(runs rebuild; runs list status=dead --columns=loss; echo "$out")"
equal "its folder says no less" '{"step":3,"loss":0.5773502691896258}' "$(tail -1 "$(last runs)/metrics.jsonl")"

# ---- the ledger while a run goes on ----
cat >live.lua <<'END'
local bnn, core = require "bnn", require "bnn.core"
local experiment = {about = "looks at itself", defaults = {}}
function experiment.run(_, log)
  log:row(1, {{"loss", 3}})
  local now = core.now
  core.now = function() return now() + 6 end -- the metrics are written every five seconds
  log:row(2, {{"loss", 2}})
  core.now = now
  os.execute(("%s -m runs sql --runs=live 'select status, m.name, value, step from run join metric m "
    .. "on run = id'"):format(os.getenv "BNNLUA"))
end
return bnn.main(experiment)
END
out=$(BNNLUA=$bnnlua "$bnnlua" live.lua --runs=live </dev/null 2>err)
has "the ledger has the metrics of a run that goes on" "running loss 2.0000 2" "$(echo "$out" | tr -s ' ')"

# ---- questions ----
runs list
equal "list shows all" 7 "$(echo "$out" | wc -l)"
runs list --runs=elsewhere
has "only what differs is shown" "seed" "$out"
lacks "and nothing else" "rate" "$out"
runs list --runs=elsewhere 'loss>1' --columns=loss,seed
equal "filters and columns" "2" "$(echo "$out" | tail -1 | awk '{print $3}')"
runs compare --runs=elsewhere --group=config
has "groups have mean, sd, se and n" "mean" "$out"
has "of both seeds" "0.8660  0.4082  0.2887" "$out"
runs show second --runs=elsewhere
has "show" "name      second" "$out"
has "shows notes" "noted" "$out"
runs diff second last --runs=elsewhere
has "diff" "--seed" "$out"
runs best loss --mode=min --runs=elsewhere
has "best" "0.5774" "$out"
runs curves loss --runs=elsewhere
has "curves are drawn as text" "step" "$out"
runs report --runs=elsewhere --output=pages/all.html
equal "report prints its path" "pages/all.html 0 " "$out $rc $err"
has "which is a page" "<!DOCTYPE html>" "$(head -1 pages/all.html)"
has "with both seeds" "0.8660 ± 0.4082" "$(cat pages/all.html)"
has "and its own command" "report</span> <span class=\"word\">--runs=elsewhere" "$(cat pages/all.html)"
runs report second rate=0.5 --runs=elsewhere --output=one.html
has "of one run" "1 run: " "$(cat one.html)"
runs tag second good --runs=elsewhere
runs list tag=good --columns=tag --runs=elsewhere
has "tags" "good" "$out"
runs note second "a b" --runs=elsewhere
runs show second --runs=elsewhere
has "notes" "a b" "$out"
runs export --columns=seed,loss --runs=elsewhere
equal "CSV" "seed,loss" "$(echo "$out" | head -1)"
runs export --format=json --runs=elsewhere
has "JSON" '"seed":2' "$out"
runs sql "select count(*) from run" --format=csv --runs=elsewhere
equal "SQL" "count(*) 2" "$(echo "$out" | tr '\n' ' ' | sed 's/ $//')"
runs sql "delete from run" --runs=elsewhere
equal "which only reads" 1 "$rc"
has "and says so" "readonly" "$err"

# ---- seals and replays ----
runs verify --runs=elsewhere
equal "both are as they were" 0 "$rc"
runs rerun last --runs=elsewhere
equal "a replay gives the same bits" 0 "$rc"
has "and says so" "the bits agree" "$out"
rm helper.lua
runs rerun last --threads=1 --runs=elsewhere
has "from the record's own modules" "the bits agree" "$out"
run=$(last elsewhere)
chmod u+w "$run/metrics.jsonl" && printf 'X' | dd of="$run/metrics.jsonl" bs=1 seek=12 conv=notrunc 2>/dev/null
runs verify --runs=elsewhere
equal "a changed byte is found" 1 "$rc"
has "and the file named" "BAD  ${run##*/}: metrics.jsonl: changed" "$out"
runs rerun last --runs=elsewhere
has "a replay finds it too" "metrics.jsonl  differs in line 1" "$out"
equal "with status 1" 1 "$rc"
runs delete last --runs=elsewhere
has "delete asks" "--yes" "$err"
runs delete last --yes --runs=elsewhere
equal "and deletes" 1 "$(ls -d elsewhere/2* | wc -l)"
runs rebuild --runs=elsewhere
equal "the ledger is made again" "elsewhere/runs.db: 1 runs" "$out"

# ---- wrong words ----
# refused NAME PIECE ARGUMENT...
refused() {
  name=$1 piece=$2
  shift 2
  runs "$@"
  has "$name" "$piece" "$err"
  equal "$name: one line and status 1" "1 1" "$(echo "$err" | wc -l) $rc"
}
refused "an unknown command" "no command 'lst': did you mean list?" lst
refused "an unknown flag" "unknown flag --colums: did you mean --columns?" list --colums=x
refused "an unknown name" "no run has 'rat': did you mean rate?" list 'rat<1'
refused "an unknown column" "no run has 'zzzz'" list --columns=zzzz
refused "no folder" "nowhere: no such folder of runs" list --runs=nowhere
refused "too few words" "usage: bnnlua -m runs diff ID ID" diff last
refused "no such run" "no run 'abc' in runs" show abc
refused "no such metric" "no run has 'los': did you mean loss?" report --metric=los
refused "no such way" "--mode: expected one of max, min, got 'best'" report --mode=best
refused "no page can be written" "one.html" report --output=one.html/x.html
refused "no name" "--output: expected the name of a file" report --output=
mkdir empty
refused "no runs" "empty: holds no runs" list --runs=empty
runs
equal "no command is a refusal" 1 "$rc"
has "after the usage" "usage: bnnlua -m runs" "$err"
runs --help
equal "--help is none" "0 " "$rc $err"
"$bnnlua" -m runs list 2>err | head -1 >/dev/null
equal "a pipe that closes" "" "$(grep -v 'the last\|more flags' err)"

# ---- many at once ----
echo 'return {loss = function(cfg, step) return cfg.seed / step end}' >helper.lua
i=0
while [ $i -lt 12 ]; do
  "$bnnlua" toy.lua --runs=many --seed=$i --threads=1 >"many.$i" 2>&1 </dev/null &
  i=$((i + 1))
done
wait
equal "no process says anything of its record" "" "$(cat many.* | grep -i 'record\|ledger\|locked')"
runs sql "select count(*), sum(seed) from run where status = 'completed'" --format=csv --runs=many
equal "no row is lost" "12,66" "$(echo "$out" | tail -1)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
