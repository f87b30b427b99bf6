#!/usr/bin/env bash
# numerics_mpmath_test.sh - likelihoods, divergences and their gradients are mpmath's to a few units in
# the last place of each number, over scales from 1e-35 to 1e35, on every instruction set.
#
# Needs a python3 with mpmath (Debian: python3-mpmath, or MPMATH_PYTHON=a venv's python); without it,
# skipped with a word.
set -u
. "$(dirname "$0")/../shell/checks.sh"

python=
for candidate in "${MPMATH_PYTHON:-python3}" python3 /usr/bin/python3; do
  "$candidate" -c 'import mpmath' 2>/dev/null && { python=$candidate; break; }
done
if [ -z "$python" ]; then
  echo "no python3 with mpmath here (apt-get install python3-mpmath): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

# A line for each number: op, which (value, or the input whose slope), ulps, wanted, inputs. Inputs are
# floats; ulps counts what rounding within the formula may cost beside the result's own.
"$python" - >"$T/want" <<'END' || exit 1
import random, struct
from mpmath import mp, mpf, exp, log, log1p, expm1, pi, loggamma, psi, inf
mp.dps = 60
random.seed(5)
LARGEST, LEAST = mpf(2)**128 - mpf(2)**104, mpf(2) ** -126


def f32(x):
    return mpf(struct.unpack("f", struct.pack("f", float(x)))[0])


def text(x):
    if x == inf or x > LARGEST:
        return "inf"
    if x == -inf or x < -LARGEST:
        return "-inf"
    return mp.nstr(x, 20)


def say(op, which, ulps, want, inputs):
    print(op, which, ulps, text(want), *(repr(float(x)) for x in inputs))


def spread(most):
    return f32(random.choice([-1, 1]) * 10 ** random.uniform(-6, most))


for i in range(400):
    m, v = spread(random.choice([-3, 0, 1.5])), spread(random.choice([-3, 0, 1.5]))
    say("gaussian_kl", "value", 4, (expm1(v) - v + m * m) / 2, [m, v])
    say("gaussian_kl", 1, 2, m, [m, v])
    say("gaussian_kl", 2, 4, expm1(v) / 2, [m, v])

for i in range(400):
    l, t = spread(random.choice([0, 1.3, 1.9])), f32(random.choice([0, 1, random.random()]))
    tail = exp(-abs(l)) / (1 + exp(-abs(l)))
    miss = t - (1 if l > 0 else 0)
    say("bernoulli_log_prob", "value", 8, miss * l - log1p(exp(-abs(l))), [l, t])
    # (t - 1) + tail: of a grey t its digits are the larger one's
    near = 8 if t in (0, 1) else 8 * max(1, abs(miss) / abs(miss + (tail if l > 0 else -tail)))
    say("bernoulli_log_prob", 1, mp.nstr(near, 5), miss + (tail if l > 0 else -tail), [l, t])

for i in range(400):
    s = spread(random.choice([0, 1, 2.2]))
    mean = f32(random.uniform(-2, 2))
    y = f32(mean + f32(exp(s) * random.gauss(0, 1))) if abs(s) < 80 else mean
    z = (y - mean) * exp(-s)
    value = -z * z / 2 - s - log(2 * pi) / 2
    size = z * z / 2 + abs(s) + 1
    arg = 4 + 2 * abs(s) / 87
    say("gaussian_log_prob_of_log", "value", mp.nstr(arg * size / abs(value), 5), value, [y, mean, s])
    if abs(z * exp(-s)) > LEAST:
        say("gaussian_log_prob_of_log", 2, 12, z * exp(-s), [y, mean, s])
    say("gaussian_log_prob_of_log", 3, mp.nstr(12 * (z * z + 1) / abs(z * z - 1), 5), z * z - 1,
        [y, mean, s])

for i in range(300):
    k, l = mpf(random.choice([0, 1, 2, 7, 30])), spread(random.choice([0, 1, 1.8]))
    value = k * l - exp(l) - loggamma(k + 1)
    size = abs(k * l) + exp(l) + loggamma(k + 1)
    say("poisson_log_prob", "value", mp.nstr(4 * size / abs(value), 5), value, [k, l])
    say("poisson_log_prob", 2, mp.nstr(4 * (k + exp(l)) / abs(k - exp(l)), 5), k - exp(l), [k, l])

for i in range(400):
    a, b = spread(random.choice([0, 1.9, 30])), spread(random.choice([0, 1.9, 30]))
    most, apart = max(a, b), abs(a - b)
    value = most + log1p(exp(-apart))
    say("logaddexp", "value", mp.nstr(4 * (abs(most) + 1) / abs(value), 5), value, [a, b])
    slope = 1 / (1 + exp(b - a))
    if slope > LEAST * 2:
        say("logaddexp", 1, mp.nstr(8 + apart, 5), slope, [a, b])

for i in range(400):
    n = random.choice([2, 3, 10])
    offset, scale = random.choice([0, 100, -3e4, 1e6]), random.choice([0.01, 1, 12, 25])
    l = [f32(offset + f32(random.gauss(0, scale))) for _ in range(n)]
    e = [exp(x - max(l)) for x in l]
    total, label = sum(e), random.randrange(n)
    others = sum(e) - e[label]
    far = max(abs(x - max(l)) for x in l)
    # of a small number that is e^(l - max) the difference, whose size is `far`, is rounded
    say("cross_entropy", "value", mp.nstr(8 + far, 5), log(total) + max(l) - l[label], [label] + l)
    for c in range(n):
        slope = -others / total if c == label else e[c] / total
        if abs(slope) > LEAST * 4:
            say("cross_entropy", c + 1, mp.nstr(8 + far, 5), slope, [label] + l)
            say("log_softmax", c + 1, mp.nstr(16 + 2 * far, 5), slope, [label] + l)
        if e[c] / total > LEAST * 4:
            say("logsumexp", c + 1, mp.nstr(8 + far, 5), e[c] / total, [0] + l)
END

cat >"$T/check.lua" <<'END'
local bnn = require "bnn"
local ops, EPSILON = require "bnn.core".ops, 2 ^ -24

-- value, and a function that gives the slope in input i, or in score i of a row
local function elementwise(op)
  return function(inputs)
    local args = {}
    for i, v in ipairs(inputs) do args[i] = bnn.tensor{v} end
    local value, slopes = bnn.value_and_grad(function(p) return ops[op](table.unpack(p)):sum() end)(args)
    return value:item(), function(i) return slopes[i]:item() end
  end
end
local function of_row(f)
  return function(inputs)
    local label = bnn.tensor({math.tointeger(inputs[1])}, "i32")
    local row = bnn.tensor{table.move(inputs, 2, #inputs, 1, {})}
    local value, slope = bnn.value_and_grad(function(x) return f(x, label) end)(row)
    return value:item(), function(i) return slope[1][i] end
  end
end
local calls = {
  cross_entropy = of_row(function(x, label) return bnn.cross_entropy(x, label):sum() end),
  logsumexp = of_row(function(x) return x:logsumexp(-1):sum() end),
  log_softmax = of_row(function(x, label)
    return -(x:log_softmax(-1):gather((label:real() + 1):to("i32"):view(1, 1), -1):sum())
  end),
}

local passed, failed, last, value, slope = 0, 0, nil, nil, nil
for line in io.lines(arg[1]) do
  local op, which, ulps, want, rest = line:match "^(%S+) (%S+) (%S+) (%S+) (.*)$"
  if last ~= op .. rest then
    local inputs = {}
    for v in rest:gmatch "%S+" do inputs[#inputs + 1] = tonumber(v) end
    value, slope = (calls[op] or elementwise(op))(inputs)
    last = op .. rest
  end
  local got = which == "value" and value or which ~= "value" and slope(tonumber(which))
  want = want == "inf" and math.huge or want == "-inf" and -math.huge or tonumber(want)
  local bound = tonumber(ulps) * EPSILON * math.abs(want) + 2.0 ^ -125
  if got == want or math.abs(got - want) <= bound then
    passed = passed + 1
  else
    failed = failed + 1
    print(("%s: %s of (%s) is %.9g, not %.9g (%s ulp)"):format(op, which, rest, got, want, ulps))
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
    fail "numbers of mpmath on $isa" "$T/out"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
