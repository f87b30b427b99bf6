#!/usr/bin/env bash
# pruners_test.sh - bnn.pruner decides as Optuna's pruners do, report for report, over random sweeps:
# both modes, ties, nan, failed trials, reports that jump over rungs, trials side by side; Hyperband's
# brackets; and Wilcoxon's p-values are SciPy's to 1e-10.
#
# Needs a python3 with optuna 4 or later and scipy (OPTUNA_PYTHON=a venv's python; pip install optuna
# scipy); without it, skipped with a word.
set -u
: "${BNNLUA:=build/bnnlua}"

python=
for candidate in "${OPTUNA_PYTHON:-python3}" python3; do
  "$candidate" -c 'import optuna, scipy' 2>/dev/null && { python=$candidate; break; }
done
if [ -z "$python" ]; then
  echo "no python3 with optuna and scipy here (OPTUNA_PYTHON=a venv's python): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# Runs the sweeps in Optuna and writes them as Lua: a list of {spec=, events=}, an event is
# {"report", trial, step, value, decision} or {"end", trial, state, value}.
"$python" - "$dir" <<'END' || exit 1
import math, sys, warnings
import numpy as np
import optuna
import scipy.stats
from optuna.pruners import *
from optuna.trial import TrialState
warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
rng = np.random.default_rng(17)


def lua(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, str):
        return '"%s"' % v
    if isinstance(v, (list, tuple)):
        return "{" + ",".join(map(lua, v)) + "}"
    if v is None:
        return "nil"
    return "0/0" if math.isnan(v) else repr(v) if not isinstance(v, np.generic) else lua(v.item())


def pick(*choices):
    return choices[rng.integers(len(choices))]


def halving():
    eta, least = pick(2, 3, 4), pick(1, 2, 5, 10)
    s = pick(0, 0, 1)
    return (f"asha:eta={eta}:min={least}:s={s}",
            SuccessiveHalvingPruner(min_resource=least, reduction_factor=eta, min_early_stopping_rate=s))


def hyperband():
    eta, least = pick(2, 3, 4), pick(1, 2, 5)
    most = least * eta ** int(rng.integers(1, 4)) + 1  # 1 more: log(243, 3) is 4.999... in Python
    return (f"hyperband:eta={eta}:min={least}:max={most}",
            HyperbandPruner(min_resource=least, max_resource=most, reduction_factor=eta))


def percentile():
    p, start, warm = pick(0, 10, 25, 50, 75, 100), pick(0, 1, 5), pick(0, 3, 10)
    every, least = pick(1, 2, 7), pick(1, 3)
    opts = f"startup={start}:warmup={warm}:interval={every}:least={least}"
    more = dict(n_startup_trials=start, n_warmup_steps=warm, interval_steps=every, n_min_trials=least)
    if p == 50:
        return "median:" + opts, MedianPruner(**more)
    return f"percentile:percentile={p}:" + opts, PercentilePruner(float(p), **more)


def threshold():
    warm, every = pick(0, 4), pick(1, 3)
    low = float(rng.normal()) - 1
    high = low + 1 + float(rng.exponential())
    return (f"threshold:lower={low!r}:upper={high!r}:warmup={warm}:interval={every}",
            ThresholdPruner(lower=low, upper=high, n_warmup_steps=warm, interval_steps=every))


def patient():
    text, pruner = pick(percentile, threshold)()
    patience, delta = int(rng.integers(0, 5)), pick(0.0, 0.1)
    if rng.random() < 0.3:
        return f"patient:patience={patience}:delta={delta}", PatientPruner(None, patience, delta)
    return (f"{text}:patience={patience}:delta={delta}", PatientPruner(pruner, patience, delta))


def steps_of(total, workers):
    # Of trials side by side one report reaches one rung: with several, the order matters, and
    # bnn.pruner takes that of the numbers.
    every, first = pick(1, 1, 2, 5) if workers == 1 else 1, pick(0, 1)
    return list(range(first, total + 1, every))


def values_of(steps, level, nans, ties):
    v = level + np.exp(-np.array(steps) / 10) * rng.normal(1, .3) + rng.normal(0, .1, len(steps))
    if ties:
        v = np.round(v * 4) / 4
    v[rng.random(len(steps)) < nans] = np.nan
    if rng.random() < nans:
        v[:] = np.nan
    return [float(x) for x in v]


def sweep(make, workers):
    text, pruner = make()
    mode, name = pick("min", "max"), pick("a", "sweep of beta", "x_1")
    study = optuna.create_study(study_name=name, pruner=pruner,
                                direction={"min": "minimize", "max": "maximize"}[mode])
    nans, ties, events, running = pick(0, 0, .05), pick(True, False), [], []
    steps, jumps = steps_of(30, workers), workers == 1 and rng.random() < .5
    for _ in range(45):
        while len(running) < workers:
            own = sorted(rng.choice(60, 6, replace=False).tolist()) if jumps else steps
            values = values_of(own, rng.normal(), nans, ties)
            running.append((study.ask(), list(zip(own, values)), rng.random() < .1))
        trial, todo, fails = item = running[rng.integers(len(running))]

        def end(state, value=None):
            study.tell(trial, value, state=state)
            events.append(("end", trial.number, state.name.lower(), value))
            running.remove(item)
        # One at a time runs to its end, of several one report each.
        while True:
            if fails and len(todo) == 3:
                end(TrialState.FAIL)
                break
            step, value = todo.pop(0)
            trial.report(value, step)
            decision = trial.should_prune()
            events.append(("report", trial.number, step, value, decision))
            if decision:
                end(TrialState.PRUNED)
            elif not todo:
                end(TrialState.FAIL if math.isnan(value) else TrialState.COMPLETE,
                    None if math.isnan(value) else value)
            else:
                if workers > 1:
                    break
                continue
            break
    return text, mode, name, events


def instances():  # objectives that are means over instances, which come in any order
    p, start, mode = pick(.05, .1, .3), pick(0, 2, 4), pick("min", "max")
    study = optuna.create_study(pruner=WilcoxonPruner(p_threshold=p, n_startup_steps=start),
                                direction={"min": "minimize", "max": "maximize"}[mode])
    hardness, events, ties = rng.normal(size=pick(5, 12, 20, 60)), [], pick(True, False)
    for _ in range(25):
        trial, level, seen = study.ask(), rng.normal(0, .3), []
        state = TrialState.COMPLETE
        for step in rng.permutation(len(hardness)).tolist():
            value = float(hardness[step] + level + rng.normal(0, .3))
            value = round(value * 3) / 3 if ties else value
            seen.append(value)
            trial.report(value, step)
            decision = trial.should_prune()
            events.append(("report", trial.number, step, value, decision))
            if decision:
                state = TrialState.PRUNED
                break
        value = sum(seen) / len(seen) if state == TrialState.COMPLETE else None
        study.tell(trial, value, state=state)
        events.append(("end", trial.number, state.name.lower(), value))
    return f"wilcoxon:p={p}:startup={start}:over=steps", mode, "", events


with open(sys.argv[1] + "/sweeps.lua", "w") as f:
    f.write("return {\n")
    makers = [halving, hyperband, percentile, threshold, patient]
    for i in range(40):
        for make in makers:
            f.write(lua(sweep(make, pick(1, 1, 4))) + ",\n")
    for i in range(15):
        f.write(lua(instances()) + ",\n")
    f.write("}\n")

with open(sys.argv[1] + "/brackets.lua", "w") as f:
    f.write("return {\n")
    for eta, least, most in [(3, 1, 80), (3, 1, 82), (4, 10, 5000), (2, 1, 2000), (10, 7, 7)]:
        pruner = HyperbandPruner(min_resource=least, max_resource=most, reduction_factor=eta)
        study = optuna.create_study(study_name="sweep of beta", pruner=pruner)
        pruner._try_initialization(study)
        for n in range(500):
            trial = optuna.trial.create_trial(value=0.)
            trial.number = n
            f.write(lua((eta, least, most, n, pruner._get_bracket_id(study, trial))) + ",\n")
    f.write("}\n")

with open(sys.argv[1] + "/p_values.lua", "w") as f:
    f.write("return {\n")
    for i in range(600):
        n = int(rng.integers(2, 70))
        d = rng.normal(pick(0, .5, 2), 1, n)
        if i % 3:
            d = np.round(d * pick(1, 2, 10)) / 2
        p = scipy.stats.wilcoxon(d, alternative="greater", zero_method="zsplit").pvalue
        if not np.isnan(p):
            f.write(lua((d.tolist(), float(p))) + ",\n")
    f.write("}\n")
END

cat >"$dir/compare.lua" <<'END'
local bnn = require "bnn"
local halving = require "bnn.search.pruners.pruner_halving"
local wilcoxon = require "bnn.search.pruners.pruner_wilcoxon"
local dir = ...
local passed, failed = 0, 0

local function check(ok, form, ...)
  if ok then passed = passed + 1 else
    failed = failed + 1
    if failed <= 20 then print("FAILED: " .. form:format(...)) end
  end
end

local STATES = {complete = "completed", pruned = "pruned", fail = "failed"}

local function replay(text, mode, name, events)
  local p = bnn.pruner.new{text, mode = mode, name = name}
  local history, by_number = {}, {}
  local pruned = 0
  for _, event in ipairs(events) do
    local kind, n = event[1], event[2]
    local trial = by_number[n]
    if not trial then
      trial = {number = n, state = "running", reports = {}}
      by_number[n] = trial
      history[#history + 1] = trial
      table.sort(history, function(a, b) return a.number < b.number end)
    end
    if kind == "end" then
      trial.state, trial.value = STATES[event[3]], event[4]
    else
      table.insert(trial.reports, {event[3], event[4]})
      local says, why = p:should_prune(trial, history, event[3])
      check(says == event[5], "%s %s: trial %d, step %d, value %s: %s (%s), Optuna says %s", text,
        mode, n, event[3], event[4], says, why, event[5])
      pruned = pruned + (says and 1 or 0)
    end
  end
  return pruned
end

local counts = {}
for _, s in ipairs(dofile(dir .. "/sweeps.lua")) do
  local kind = s[1]:match "^%w+"
  local c = counts[kind] or {0, 0}
  counts[kind] = {c[1] + #s[4], c[2] + replay(table.unpack(s))}
end
for kind, c in pairs(counts) do
  print(("%s: %d events, %d pruned"):format(kind, c[1], c[2]))
  check(c[2] > 20, "%s: no more than %d pruned", kind, c[2])
end

for _, b in ipairs(dofile(dir .. "/brackets.lua")) do
  local eta, min, max, n, want = table.unpack(b)
  local got = halving.bracket("sweep of beta", n, {eta = eta, min = min, max = max})
  check(got == want, "bracket of %d with eta %d, %d to %d: %d, Optuna says %d", n, eta, min, max,
    got, want)
end

for _, row in ipairs(dofile(dir .. "/p_values.lua")) do
  local got = wilcoxon.p_value(row[1])
  check(math.abs(got - row[2]) <= 1e-10 * row[2], "p of %d differences: %.15g, SciPy says %.15g",
    #row[1], got, row[2])
end

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
END
"$BNNLUA" "$dir/compare.lua" "$dir"
