"""For search_test.sh: bnn.search against Optuna, cmaes and SciPy.

    search_compare.py BNNLUA PROPOSALS_LUA FOLDER     prints "ok WHAT" or "FAILED WHAT" lines
"""

import json
import math
import subprocess
import sys
import warnings

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution as Cat
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int
from optuna.trial import TrialState
from scipy import stats

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
bnnlua, proposals, folder = sys.argv[1:4]
rng = np.random.default_rng(20)
KEYS = 400
LEAST_P = 1e-4  # some 150 comparisons: a false alarm once in 60 runs, and the draws are fixed


class StableNumpy:
    """NumPy whose argsort keeps the order of equal values, which otherwise is arbitrary: of trials
    with the same value of a stepped parameter it decides which has the wider kernel."""

    def __getattr__(self, name):
        return getattr(np, name)

    @staticmethod
    def argsort(a):
        return np.argsort(a, kind="stable")


optuna.samplers._tpe.parzen_estimator.np = StableNumpy()


def ask(task, **arguments):
    path = folder + "/task.json"
    with open(path, "w") as file:
        json.dump({"task": task, **arguments}, file)
    done = subprocess.run([bnnlua, proposals, path], capture_output=True, text=True)
    if done.returncode != 0:
        print("FAILED", task, done.stderr)
        sys.exit(1)
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(what, ok, detail=""):
    print("ok" if ok else "FAILED", what, detail)


# ---- TPE: suggestions for the same history agree in distribution ----

SPACE = ("a=uniform:-5:10 b=log:1e-4:1e-1 c=range:0:1:0.25 d=integer:1:9 e=integer:1:64:log "
         "f=x,y,z")
DISTRIBUTIONS = {"a": Float(-5, 10), "b": Float(1e-4, 1e-1, log=True), "c": Float(0, 1, step=0.25),
                 "d": Int(1, 9), "e": Int(1, 64, log=True), "f": Cat(["x", "y", "z"])}


def random_config(distributions):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=int(rng.integers(2**31))))
    return dict(study.ask(distributions).params)


def objective(config):
    return ((config["a"] - 2) ** 2 + (math.log10(config["b"]) + 2) ** 2 + config["c"]
            + abs(config["d"] - 6) / 3 + math.log(config["e"]) + (config["f"] == "y"))


def make_history(n, conditional, objectives=1, others=True):
    history = []
    for number in range(1, n + 1):
        config = random_config(DISTRIBUTIONS)
        if conditional and config["f"] != "z":
            del config["a"]
        value = objective({"a": 0, **config})
        trial = {"number": number, "config": config, "state": "completed", "value": value}
        if objectives == 2:
            trial["values"] = [value, config["d"] + config["b"] * 10 + rng.uniform()]
        kind = rng.uniform()
        if others and kind < 0.15:
            trial = {"number": number, "config": config, "state": "pruned",
                     "reports": [[s, value + s] for s in range(1, int(rng.integers(1, 5)))]}
        elif others and kind < 0.2:
            trial = {"number": number, "config": config, "state": "failed"}
        elif others and kind < 0.25:
            trial = {"number": number, "config": config, "state": "running"}
        history.append(trial)
    return history


STATES = {"completed": TrialState.COMPLETE, "pruned": TrialState.PRUNED,
          "failed": TrialState.FAIL, "running": TrialState.RUNNING}


def study_of(history, directions):
    study = optuna.create_study(directions=directions)
    for t in history:
        state = STATES[t["state"]]
        more = {}
        if state == TrialState.COMPLETE:
            more = {"values": t["values"]} if len(directions) > 1 else {"value": t["value"]}
        study.add_trial(optuna.trial.create_trial(
            state=state, params=t["config"],
            distributions={k: DISTRIBUTIONS[k] for k in t["config"]},
            intermediate_values={s: v for s, v in t.get("reports", [])}, **more))
    return study


def optuna_suggestions(history, directions, conditional):
    study = study_of(history, directions)
    trial = study.ask()
    frozen = study._storage.get_trial(trial._trial_id)
    found = []
    for seed in range(KEYS):
        sampler = optuna.samplers.TPESampler(seed=seed)
        space = sampler.infer_relative_search_space(study, frozen)
        config = sampler.sample_relative(study, frozen, space)
        for name in sorted(DISTRIBUTIONS):
            if name not in config and not (conditional and name == "a"):
                config[name] = sampler.sample_independent(study, frozen, name, DISTRIBUTIONS[name])
        if conditional and config["f"] == "z":
            config["a"] = sampler.sample_independent(study, frozen, "a", DISTRIBUTIONS["a"])
        found.append(config)
    return found


def p_of_same(ours, theirs, name):
    x = [c[name] for c in ours if name in c]
    y = [c[name] for c in theirs if name in c]
    if isinstance(DISTRIBUTIONS[name], Float) and DISTRIBUTIONS[name].step is None:
        return stats.ks_2samp(x, y).pvalue
    values = sorted(set(x) | set(y))
    table = np.array([[sum(v == u for v in side) for u in values] for side in (x, y)])
    table = table[:, table.sum(axis=0) >= 10]
    return 1.0 if table.shape[1] < 2 else stats.chi2_contingency(table).pvalue


def compare_tpe(what, n, conditional=False, directions=("minimize",)):
    space = SPACE.replace("uniform:-5:10", "uniform:-5:10@f=z") if conditional else SPACE
    history = make_history(n, conditional, len(directions), len(directions) == 1)
    mode = ["min" if d == "minimize" else "max" for d in directions]
    ours = ask("propose", space=space, sampler="tpe", keys=KEYS, mode=mode, history=history)
    theirs = optuna_suggestions(history, directions, conditional)
    ps = {name: p_of_same(ours, theirs, name) for name in DISTRIBUTIONS}
    if not conditional:  # that they are drawn together shows in differences
        x, y = ([c["a"] / 15 - math.log(c["b"]) / 7 for c in side] for side in (ours, theirs))
        ps["a, b"] = stats.ks_2samp(x, y).pvalue
    check("tpe " + what, min(ps.values()) > LEAST_P, {k: round(float(p), 4) for k, p in ps.items()})


for n in (14, 60, 300):
    compare_tpe(f"{n} trials", n)
    compare_tpe(f"{n} trials, conditional", n, conditional=True)
compare_tpe("80 trials, maximised", 80, directions=("maximize",))
compare_tpe("60 trials, two objectives", 60, directions=("minimize", "maximize"))
compare_tpe("random trials first", 8)


# ---- Parzen estimators: the same log densities ----

from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import default_weights


def coordinate(name, v):
    d = DISTRIBUTIONS[name]
    if isinstance(d, Cat):
        return d.choices.index(v) + 1
    return math.log(v) if d.log else v


def axis(d):
    if isinstance(d, Cat):
        return {"count": len(d.choices)}
    low, high, step = d.low, d.high, d.step
    half = (step or 0) / 2
    f = math.log if d.log else float
    made = {"low": f(low - half), "high": f(high + half), "log": d.log}
    if step is not None:
        made["step"] = step
    return made


names = sorted(DISTRIBUTIONS)
for n in (0, 1, 2, 30, 120):
    configs = [random_config(DISTRIBUTIONS) for _ in range(n + 40)]
    observed = {k: np.array([DISTRIBUTIONS[k].to_internal_repr(c[k]) for c in configs[:n]])
                for k in names}
    asked = {k: np.array([DISTRIBUTIONS[k].to_internal_repr(c[k]) for c in configs[n:]])
             for k in names}
    parameters = _ParzenEstimatorParameters(1.0, True, False, default_weights, True)
    want = _ParzenEstimator(observed, DISTRIBUTIONS, parameters).log_pdf(asked)
    rows = [[coordinate(k, c[k]) for k in names] for c in configs]
    got = ask("density", axes=[axis(DISTRIBUTIONS[k]) for k in names], rows=rows[:n],
              points=rows[n:])
    miss = max(abs(g[0] - w) / (1 + abs(w)) for g, w in zip(got, want))
    check(f"parzen densities of {n} observations", miss < 1e-9, f"miss {miss:.1e}")


# ---- Sobol's direction numbers, hypervolumes ----

want = (stats.qmc.Sobol(128, scramble=False, bits=32).random(256) * 2**32).astype(np.int64)
check("sobol points of 128 dimensions", ask("sobol", count=256) == want.tolist())

from optuna._hypervolume import compute_hypervolume

for d in (2, 3, 4):
    points = rng.uniform(size=(20, d))
    got = ask("hypervolume", points=points.tolist(), reference=[1.1] * d)[0][0]
    want = compute_hypervolume(points, np.full(d, 1.1))
    check(f"hypervolume of {d} objectives", abs(got - want) < 1e-12, f"{got} {want}")


# ---- CMA-ES told the same points ----

import cmaes

for d in (1, 2, 5, 12):
    own = cmaes.CMA(mean=np.full(d, 0.5), sigma=1 / 6, seed=3, bounds=np.array([[0, 1]] * d))
    generations, want = [], []
    for _ in range(30):
        points = [own.ask() for _ in range(own.population_size)]
        told = [(x, float(np.sum((x - 0.3) ** 2 * np.arange(1, d + 1) ** 2) + x[0] * x[-1]))
                for x in points]
        generations.append([[x.tolist(), v] for x, v in told])
        own.tell(list(told))
        want.append({"mean": own._mean.copy(), "sigma": own._sigma, "c": own._C.copy(),
                     "p_sigma": own._p_sigma.copy(), "p_c": own._pc.copy()})
    got = ask("cma", dim=d, mean=[0.5] * d, sigma=1 / 6, generations=generations)
    miss = max(np.max(np.abs(np.array(g[k]) - w[k]) / (1e-12 + np.max(np.abs(w[k]))))
               for g, w in zip(got, want) for k in w)
    check(f"cma-es of {d} dimensions, 30 generations", miss < 1e-6, f"miss {miss:.1e}")
