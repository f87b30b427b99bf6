"""search_bench.py - the problems of search_bench.lua for Optuna's samplers.

    python3 tests/bench/search_bench.py [random|tpe|cmaes|gp ...] [--keys=20] [--trials=100]

Needs optuna and cmaes, and for gp scipy and torch.
"""

import math
import sys
import time
import warnings

import numpy as np
import optuna

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)

ALPHA = np.array([1, 1.2, 3, 3.2])
A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8],
              [17, 8, 0.05, 10, 0.1, 14]])
P = 1e-4 * np.array([[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                     [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]])


def branin(trial):
    x, y = trial.suggest_float("x1", -5, 10), trial.suggest_float("x2", 0, 15)
    return ((y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6) ** 2
            + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


def hartmann(trial):
    x = np.array([trial.suggest_float(f"x{k}", 0, 1) for k in range(1, 7)])
    return float(-np.sum(ALPHA * np.exp(-np.sum(A * (x - P) ** 2, axis=1))))


MAKERS = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler,
          "cmaes": optuna.samplers.CmaEsSampler, "gp": optuna.samplers.GPSampler}
options = dict(word[2:].split("=") for word in sys.argv[1:] if word.startswith("--"))
keys, count = int(options.get("keys", 20)), int(options.get("trials", 100))
names = [w for w in sys.argv[1:] if not w.startswith("--")] or ["random", "tpe", "cmaes"]

for problem, f, least in (("branin", branin, 0.39788735772973816),
                          ("hartmann6", hartmann, -3.3223680114155156)):
    for name in names:
        regrets, start = [], time.process_time()
        for seed in range(1, keys + 1):
            study = optuna.create_study(sampler=MAKERS[name](seed=seed))
            study.optimize(f, n_trials=count)
            regrets.append(study.best_value - least)
        q = np.quantile(regrets, [0.5, 0.25, 0.75])
        ms = (time.process_time() - start) / keys / count * 1e3
        print(f"{problem:10} {name:8} median regret {q[0]:.4g}  quartiles {q[1]:.4g} {q[2]:.4g}  "
              f"{ms:.1f} ms a proposal", flush=True)
