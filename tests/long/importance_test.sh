#!/usr/bin/env bash
# importance_test.sh - bnn.importance is Optuna's PED-ANOVA evaluator to 1e-9: numbers, logarithms,
# integers, steps, categories, conditional parameters, ties, both modes.
#
# Needs a python3 with optuna 5 or later (OPTUNA_PYTHON=a venv's python; pip install optuna); without
# it, skipped with a word.
set -u
: "${BNNLUA:=build/bnnlua}"

python=
for candidate in "${OPTUNA_PYTHON:-python3}" python3; do
  "$candidate" -c 'import optuna; assert int(optuna.__version__.split(".")[0]) >= 5' 2>/dev/null &&
    { python=$candidate; break; }
done
if [ -z "$python" ]; then
  echo "no python3 with optuna 5 here (OPTUNA_PYTHON=a venv's python): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

"$python" - >"$dir/cases.lua" <<'END' || exit 1
import warnings
import numpy as np
import optuna
from optuna.distributions import *
from optuna.importance import PedAnovaImportanceEvaluator
warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
rng = np.random.default_rng(5)


def lua(v):
    if v is None:
        return "nil"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, str):
        return '"%s"' % v
    if isinstance(v, dict):
        return "{" + ",".join(k + "=" + lua(x) for k, x in v.items()) + "}"
    if isinstance(v, (list, tuple)):
        return "{" + ",".join(map(lua, v)) + "}"
    return repr(v)


space = {
    "lr": (FloatDistribution(1e-5, 1e-1, log=True), dict(low=1e-5, high=1e-1, log=True)),
    "beta": (FloatDistribution(-2., 3.), dict(low=-2., high=3.)),
    "units": (IntDistribution(1, 400, log=True), dict(low=1, high=400, step=1, log=True)),
    "layers": (IntDistribution(1, 8), dict(low=1, high=8, step=1)),
    "width": (IntDistribution(0, 300, step=5), dict(low=0, high=300, step=5)),
    "rate": (FloatDistribution(0., 1., step=.1), dict(low=0., high=1., step=.1)),
    "opt": (CategoricalDistribution(("adam", "sgd", "ivon")), dict(choices=["adam", "sgd", "ivon"])),
    "flag": (CategoricalDistribution((True, False)), dict(choices=[True, False])),
    "momentum": (FloatDistribution(0., 1.), dict(low=0., high=1.)),  # under sgd
}


def draw(d):
    if isinstance(d, CategoricalDistribution):
        return d.choices[rng.integers(len(d.choices))]
    if isinstance(d, IntDistribution):
        if d.log:
            return int(np.exp(rng.uniform(np.log(d.low), np.log(d.high + 1))))
        return int(d.low + d.step * rng.integers((d.high - d.low) // d.step + 1))
    if d.step:
        return float(round(d.step * rng.integers(round((d.high - d.low) / d.step) + 1), 10))
    return float(np.exp(rng.uniform(np.log(d.low), np.log(d.high))) if d.log else rng.uniform(d.low, d.high))


print("return {")
for n in (10, 12, 40, 200, 1000):
    for quantile in (.1, .3):
        for mode in ("min", "max"):
            for ties in (False, True):
                study = optuna.create_study(direction={"min": "minimize", "max": "maximize"}[mode])
                columns, values = {k: [] for k in space}, []
                for _ in range(n):
                    params = {k: draw(d) for k, (d, _) in space.items()}
                    if params["opt"] != "sgd":
                        del params["momentum"]
                    value = (np.log10(params["lr"]) + 3) ** 2 + params["beta"] + params["layers"] / 4
                    value += params.get("momentum", 0) + (params["opt"] == "ivon") + rng.normal()
                    value = float(np.round(value) if ties else value)
                    study.add_trial(optuna.trial.create_trial(
                        params=params, value=value, distributions={k: space[k][0] for k in params}))
                    values.append(value)
                    for k in space:
                        columns[k].append(params.get(k))
                want = optuna.importance.get_param_importances(
                    study, evaluator=PedAnovaImportanceEvaluator(target_quantile=quantile))
                parameters = [dict(name=k, values=columns[k], **more) for k, (_, more) in space.items()]
                given = dict(values=values, mode=mode, quantile=quantile, parameters=parameters)
                print(lua([given, {k: float(v) for k, v in want.items()}]) + ",")
print("}")
END

cat >"$dir/compare.lua" <<'END'
local bnn = require "bnn"
local passed, failed = 0, 0
for i, case in ipairs(dofile(... .. "/cases.lua")) do
  local got, why = bnn.importance(case[1])
  if not got then
    failed = failed + 1
    print("FAILED: " .. why)
  end
  for _, p in ipairs(got or {}) do
    local want = case[2][p.name]
    if math.abs(p.importance - want) <= 1e-9 then passed = passed + 1 else
      failed = failed + 1
      print(("FAILED: case %d of %d trials: %s %.12g, Optuna has %.12g"):format(i,
        #case[1].values, p.name, p.importance, want))
    end
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
END
"$BNNLUA" "$dir/compare.lua" "$dir"
