#!/usr/bin/env bash
# densities_scipy_test.sh - log densities and their gradients are SciPy's, and PyTorch's where it is
# there, for random parameters over several orders of magnitude, on every instruction set.
#
# Needs a python3 with SciPy (Debian: python3-scipy, or SCIPY_PYTHON=a venv's python); where there is
# none, one is made in the test's own folder by pip, and without a network the test is skipped with a
# word.
set -u
. "$(dirname "$0")/../shell/checks.sh"

python=
for candidate in "${SCIPY_PYTHON:-python3}" python3 /usr/bin/python3; do
  "$candidate" -c 'import scipy' 2>/dev/null && { python=$candidate; break; }
done
if [ -z "$python" ] && python3 -m venv "$T/venv" 2>/dev/null &&
  "$T/venv/bin/pip" install -q scipy >/dev/null 2>&1; then
  python=$T/venv/bin/python
fi
if [ -z "$python" ]; then
  echo "no python3 with SciPy here (apt-get install python3-scipy): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

# A line for each number: op, which (0: the value, or the input whose slope), wanted, inputs, which are
# floats.
"$python" - >"$T/want" <<'END_OF_PYTHON' || exit 1
import sys
import numpy as np
from scipy import stats
from scipy.special import logsumexp, expit
rng = np.random.default_rng(11)
np.seterr(all="ignore")


def f32(x):
    return float(np.float32(x))


def size(lo=-2.0, hi=1.0):  # 10^lo to 10^hi
    return f32(10 ** rng.uniform(lo, hi))


def any_number(most=1.0):
    return f32(rng.choice([-1, 1]) * 10 ** rng.uniform(-2, most))


def share():
    return f32(rng.uniform(0.05, 0.95))


def mixture(kind):
    def log_pdf(x, pi, s1, s2):
        return logsumexp([np.log(pi) + kind.logpdf(x, 0, s1), np.log1p(-pi) + kind.logpdf(x, 0, s2)])
    return log_pdf


def horseshoe(x, scale):
    e = 2.0 ** -10
    norm = 2 * np.pi * scale * (np.sqrt(1 + e * e) - e)
    return np.log(np.log1p(1 / ((x / scale) ** 2 + e * e))) - np.log(norm)


def located():
    return [any_number(1.5), any_number(0.5), size()]


# op -> log density of the inputs, a draw of them, the first input that has a slope
densities = {
    "gaussian_log_prob": (stats.norm.logpdf, located, 1),
    "laplace_log_prob": (stats.laplace.logpdf, located, 1),
    "cauchy_log_prob": (stats.cauchy.logpdf, located, 1),
    "logistic_log_prob": (stats.logistic.logpdf, located, 1),
    "student_t_log_prob": (lambda x, df, loc, scale: stats.t.logpdf(x, df, loc, scale),
                           lambda: [any_number(1.5), size(-0.5, 2), any_number(0.5), size()], 1),
    "uniform_log_prob": (lambda x, low, high: stats.uniform.logpdf(x, low, high - low),
                         lambda: [f32(rng.uniform(-1, 1)), -size(0.1), size(0.1)], 1),
    "scale_mixture_log_prob": (mixture(stats.norm),
                               lambda: [any_number(0.5), share(), size(-1), size(-2.5, -1)], 1),
    "spike_and_slab_log_prob": (mixture(stats.laplace),
                                lambda: [any_number(0.5), share(), size(-1), size(-2.5, -1)], 1),
    "horseshoe_log_prob": (horseshoe, lambda: [any_number(3), size()], 1),
    "log_normal_log_prob": (lambda x, loc, s: stats.lognorm.logpdf(x, s, scale=np.exp(loc)),
                            lambda: [size(-1.5, 1.5), any_number(0.3), size(-1)], 1),
    "beta_log_prob": (stats.beta.logpdf, lambda: [share(), size(-1, 2), size(-1, 2)], 1),
    "gamma_log_prob": (lambda x, a, rate: stats.gamma.logpdf(x, a, scale=1 / rate),
                       lambda: [size(-1.5, 1.5), size(-1, 2), size()], 1),
    "poisson_log_prob": (lambda y, l: stats.poisson.logpmf(y, np.exp(l)),
                         lambda: [float(rng.integers(0, 40)), any_number(0.5)], 2),
    "negative_binomial_log_prob": (lambda y, l, r: stats.nbinom.logpmf(y, r, expit(-l)),
                                   lambda: [float(rng.integers(0, 40)), any_number(0.5), size(-1, 2)],
                                   2),
    "binomial_log_prob": (lambda y, l, n: stats.binom.logpmf(y, n, expit(l)),
                          lambda: [float(rng.integers(0, 13)), any_number(0.5), 12.0], 2),
}


def slope(f, inputs, i):
    def central(h):
        up, down = list(inputs), list(inputs)
        up[i] += h
        down[i] -= h
        return (f(*up) - f(*down)) / (2 * h)
    h = 1e-4 * min(abs(inputs[i]), 1)  # Richardson's: the error is of the fourth order in h
    return (4 * central(h / 2) - central(h)) / 3


def say(op, which, want, inputs):
    if not np.isfinite(want):  # SciPy takes the logarithm of a Laplace density that has underflowed
        return
    print(op, which, repr(float(want)), *(repr(float(x)) for x in inputs))


for op, (f, draw, first) in densities.items():
    for _ in range(120):
        inputs = draw()
        say(op, 0, f(*inputs), inputs)
        last = 2 if op == "binomial_log_prob" else len(inputs)
        for i in range(first - 1, last):
            say(op, i + 1, slope(f, inputs, i), inputs)

try:
    import torch
except ImportError:
    print("no PyTorch beside SciPy: its gradients are left out", file=sys.stderr)
    sys.exit(0)

D = torch.distributions
torch.set_default_dtype(torch.float64)


def torch_mixture(kind):
    def log_prob(x, pi, s1, s2):
        weights = D.Categorical(torch.stack([pi, 1 - pi]))
        return D.MixtureSameFamily(weights, kind(torch.zeros(2), torch.stack([s1, s2]))).log_prob(x)
    return log_prob


of_torch = {
    "gaussian_log_prob": lambda x, m, s: D.Normal(m, s).log_prob(x),
    "laplace_log_prob": lambda x, m, s: D.Laplace(m, s).log_prob(x),
    "cauchy_log_prob": lambda x, m, s: D.Cauchy(m, s).log_prob(x),
    "student_t_log_prob": lambda x, df, m, s: D.StudentT(df, m, s).log_prob(x),
    "scale_mixture_log_prob": torch_mixture(D.Normal),
    "spike_and_slab_log_prob": torch_mixture(D.Laplace),
    "log_normal_log_prob": lambda x, m, s: D.LogNormal(m, s).log_prob(x),
    "beta_log_prob": lambda x, a, b: D.Beta(a, b).log_prob(x),
    "gamma_log_prob": lambda x, a, b: D.Gamma(a, b).log_prob(x),
    "poisson_log_prob": lambda y, l: D.Poisson(torch.exp(l)).log_prob(y),
    "negative_binomial_log_prob": lambda y, l, r: D.NegativeBinomial(r, logits=l).log_prob(y),
    "binomial_log_prob": lambda y, l, n: D.Binomial(n.detach(), logits=l).log_prob(y),
}
for op, f in of_torch.items():
    _, draw, first = densities[op]
    for _ in range(60):
        inputs = draw()
        x = [torch.tensor(v, requires_grad=True) for v in inputs]
        y = f(*x)
        y.backward()
        say(op, 0, y.item(), inputs)
        for i in range(first - 1, 2 if op == "binomial_log_prob" else len(inputs)):
            say(op, i + 1, x[i].grad.item(), inputs)
END_OF_PYTHON

# What rounding of floats costs: 2e-5 of a value or 3e-4 of a slope, as the digits of a distance over a
# scale are lost in its square and in an exponential of that.
cat >"$T/check.lua" <<'END'
local bnn = require "bnn"
local ops = require "bnn.core".ops

local passed, failed, last, value, slopes = 0, 0, nil, nil, nil
for line in io.lines(arg[1]) do
  local op, which, want, rest = line:match "^(%S+) (%S+) (%S+) (.*)$"
  if last ~= op .. rest then
    local args = {}
    for v in rest:gmatch "%S+" do args[#args + 1] = bnn.tensor{tonumber(v)} end
    local function sum(p) return ops[op](table.unpack(p)):sum() end
    value, slopes = bnn.value_and_grad(sum)(args)
    last = op .. rest
  end
  local i = math.tointeger(tonumber(which))
  local got = i == 0 and value:item() or slopes[i]:item()
  local tolerance = i == 0 and 2e-5 or 3e-4
  want = tonumber(want)
  if math.abs(got - want) <= tolerance * (1 + math.abs(want)) then
    passed = passed + 1
  else
    failed = failed + 1
    print(("%s: %d of (%s) is %.9g, not %.9g"):format(op, i, rest, got, want))
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
END

for isa in avx512 avx2 baseline; do
  BNNLUA_ISA=$isa "$bnnlua" -e 'os.exit(true)' 2>/dev/null || continue # not on this processor
  if BNNLUA_ISA=$isa "$bnnlua" "$T/check.lua" "$T/want" >"$T/out" 2>&1; then
    pass
  else
    fail "densities of SciPy on $isa" "$T/out"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
