#!/usr/bin/env bash
# sweep_kill_test.sh - kill -9 at SWEEP_KILLS (20) random moments of a sweep, of a run, of the program or
# of all at once, for each sampler that does not learn; the program is started again each time. In the
# end the trials have the bits of a sweep that nobody disturbed, every run is complete once, and all
# records are whole. Also for two programs at the same sweep. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
cd "$T" || exit 1
export BNNLUA_RUNS=runs
exec 2>/dev/null # the shell tells of each process that was killed

# A training of some 100 ms with a checkpoint now and then.
cat >toy.lua <<'END'
local bnn = require "bnn"
local experiment = {
  about = "a line", objective = {"loss", "min"}, common = {"seed", "checkpoint"},
  defaults = {lr = {0.1, "rate", above = 0}, width = {2, "units", min = 1}, steps = {60, "steps"}},
}
function experiment.run(cfg, log)
  local key = bnn.key(cfg.seed)
  local x = bnn.randn(key:fold "x", 64, 3)
  local params = bnn.nn.mlp{cfg.width, 1}:init(key, x)
  local net = bnn.nn.mlp{cfg.width, 1}
  local objective = bnn.objective{params = params, loss = function(p, batch)
    return ((net:apply(p, batch.x) - 1) ^ 2):sum(2)
  end}
  bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = cfg.lr}, key = key, log = log,
    data = bnn.data.from_tensors{x = x}, batch_size = 8, steps = cfg.steps, log_every = 10,
    checkpoint = bnn.checkpoint.from_flags(cfg, {}),
    evaluate = function() return {{"first", params["mlp/linear_1/w"]:sum():item()}} end,
    on_step = function() bnn.randn(key, 200000):exp():sum():item() end,
  }
  return {loss = objective:value({x = x}, key).loss}
end
return bnn.main(experiment)
END
cat >sweep.lua <<'END'
local bnn = require "bnn"
local result = bnn.sweep{
  experiment = "toy.lua", config = {checkpoint_every = 10}, trials = 10, seeds = 2, retries = 1000,
  space = {lr = bnn.space.log(1e-3, 1e-1), width = bnn.space.integer(1, 8)}, sampler = arg[1],
  workers = 2, progress = false, name = "s", key = 3,
}
for _, trial in ipairs(result.list) do
  io.write(("%d %s %q %d %q"):format(trial.number, trial.state, trial.config.lr, trial.config.width,
    trial.value))
  for _, run in ipairs(trial.runs) do
    io.write((" %q %d"):format(run.outcome.values[1], run.outcome.step))
  end
  io.write "\n"
end
END

random() { od -An -N4 -tu4 /dev/urandom | awk -v n="$1" '{print $1 % n}'; } # RANDOM repeats in shells
pause() { sleep "$(random "$1" | awk '{printf "%.3f", $1 / 1000}')"; }       # up to so many ms

launch() { # SAMPLER [OUTPUT]; sets child
  "$bnnlua" sweep.lua "$1" >"${2:-out}" 2>>err </dev/null &
  child=$!
}

# disturb: kills something of the sweep that runs
disturb() {
  workers=$(pgrep -P "$child")
  case $(random 4) in
  0) kill -KILL "$child" 2>/dev/null ;;
  # shellcheck disable=SC2086 # a list
  1) kill -KILL "$child" $workers 2>/dev/null ;;
  *) kill -KILL "$(echo "$workers" | shuf -n 1)" 2>/dev/null ;;
  esac
}

# disturbed SAMPLER KILLS: a sweep that is killed so often and started again; its output is in `out`
disturbed() {
  local kills=$2
  started=1
  launch "$1"
  while [ "$kills" -gt 0 ]; do
    pause 250
    disturb
    kills=$((kills - 1))
    sleep 0.02
    if ! kill -0 "$child" 2>/dev/null; then
      wait "$child" 2>/dev/null
      rc=$?
      [ $rc -eq 0 ] && return # it had ended
      launch "$1"
      started=$((started + 1))
    fi
  done
  wait "$child" 2>/dev/null
  rc=$?
}

# completed: how many records of complete runs each run of a trial has, as "1 20": 20 have one
completed() {
  "$bnnlua" -m runs sql "select n, count(*) from (select trial, replicate, count(*) as n from run
    where sweep = 's' and status = 'completed' group by trial, replicate) group by n" --format=csv |
    tail -n +2 | tr ',' ' '
}

# whole NAME: what holds for the sweep in runs/
whole() {
  cmp -s want out && pass || { diff want out >why; fail "$1: the bits of one that was not disturbed" why; }
  equal "$1: each run is complete once" "1 20" "$(completed)"
  equal "$1: the ledger is whole" ok "$("$bnnlua" -m runs sql "pragma integrity_check" --format=csv | tail -1)"
  "$bnnlua" -m runs verify status=completed >verified 2>&1
  equal "$1: the records are sealed" "20" "$(grep -c '^ok' verified)"
  grep -v '^ok\|are not in the ledger' verified >why && fail "$1: records" why
  before=$(find runs -maxdepth 1 -name '2*' | wc -l)
  "$bnnlua" sweep.lua "$sampler" >again 2>/dev/null </dev/null
  cmp -s want again && pass || fail "$1: the same once more"
  equal "$1: which runs nothing" "$before" "$(find runs -maxdepth 1 -name '2*' | wc -l)"
  equal "$1: nothing temporary is left" "" "$(find runs \( -name '*.part' -o -name '*.next' \) -not -path '*/.new-*')"
}

for sampler in grid:points=4 random sobol halton; do
  rm -rf runs err
  "$bnnlua" sweep.lua $sampler >want 2>err </dev/null
  equal "$sampler: a sweep ends well" "0 10" "$? $(wc -l <want)"
  rm -rf runs
  disturbed $sampler "${SWEEP_KILLS:-20}"
  equal "$sampler: it ends well" 0 $rc
  whole $sampler
  records=$(find runs -maxdepth 1 -name '2*' | wc -l)
  echo "$sampler: started $started times, $records records of 20 runs, attempts: $("$bnnlua" -m runs sql \
    "select sum(attempt) from run" --format=csv | tail -1)"
done

# ---------------------------------------------------------------- two programs at the same sweep
rm -rf runs err
(
  disturbed $sampler "$((${SWEEP_KILLS:-20} / 2))"
  exit $rc
) &
other=$!
launch $sampler mine
wait "$child"
equal "two at once, one of which is killed: the other ends well" 0 $?
wait $other
equal "and so does the one" 0 $?
cmp -s want mine && pass || fail "the other: the bits of one that was not disturbed"
"$bnnlua" sweep.lua $sampler >out 2>err </dev/null
whole "two at once"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
