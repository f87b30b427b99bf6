#!/usr/bin/env bash
# metrics_sklearn_test.sh - bnn.metrics is scikit-learn to 1e-6, on random scores with many ties, few,
# and none, with rare and common positives, constant scores, and as floats; with weights too.
#
# Needs a python3 with scikit-learn (Debian: python3-sklearn, or SKLEARN_PYTHON=a venv's python);
# without it, skipped with a word.
set -u
: "${BNNLUA:=build/bnnlua}"

python=
for candidate in "${SKLEARN_PYTHON:-python3}" python3 /usr/bin/python3; do
  "$candidate" -c 'import sklearn' 2>/dev/null && { python=$candidate; break; }
done
if [ -z "$python" ]; then
  echo "no python3 with scikit-learn here (apt-get install python3-sklearn): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# Draws the cases and writes each as .npy, and a line `case metric value` for each number.
"$python" - "$dir" >"$dir/want" <<'END' || exit 1
import sys, warnings
import numpy as np
from sklearn import metrics as m
warnings.simplefilter("ignore")
d = sys.argv[1]
rng = np.random.default_rng(7)


def say(case, name, value):
    print(case, name, repr(float(value)))


def fpr_at_95(y, s):
    fpr, tpr, _ = m.roc_curve(y, s, drop_intermediate=False)
    counts = np.round(tpr * y.sum()).astype(int)
    return fpr[np.argmax(20 * counts >= 19 * y.sum())]


def ece(conf, right, w=None, bins=15):
    w = np.ones(len(conf)) if w is None else w
    index = np.clip(np.ceil(conf * np.asarray(bins, conf.dtype)).astype(int) - 1, 0, bins - 1)
    gaps = [abs((w * (right - conf.astype("f8")))[index == b].sum()) for b in range(bins)]
    return sum(gaps) / w.sum()


# All points of a curve in one number.
def points(x, y):
    return (np.arange(len(x)) * (x + 2 * y)).sum() / len(x) ** 2


# in against out: levels of the score (0: no ties), share of positives
for i, (n, levels, share, kind) in enumerate([
        (5000, 10, .5, "f4"), (5000, 100, .3, "f8"), (5000, 0, .1, "f8"), (2000, 3, .02, "f4"),
        (300, 1, .3, "f4"), (40, 5, .5, "f8"), (20000, 1000, .9, "f4"), (5000, 0, .5, "f4")]):
    y = (rng.random(n) < share).astype("i4")
    y[:2] = 0, 1
    s = rng.normal(size=n) + y
    if levels:
        s = np.floor((s + 10) / 20 * levels) / levels
    s = s.astype(kind)
    case = f"rank{i}"
    np.save(f"{d}/{case}_s.npy", s)
    np.save(f"{d}/{case}_y.npy", y)
    say(case, "auroc", m.roc_auc_score(y, s))
    w = rng.integers(0, 4, n) * .7
    np.save(f"{d}/{case}_w.npy", w)
    say(case, "auroc/weighted", m.roc_auc_score(y, s, sample_weight=w))
    say(case, "average_precision/weighted", m.average_precision_score(y, s, sample_weight=w))
    for end, kind in (("", {}), ("/weighted", {"sample_weight": w})):
        fpr, tpr, _ = m.roc_curve(y, s, drop_intermediate=False, **kind)
        say(case, "roc_points" + end, points(fpr, tpr))
        precision, recall, _ = m.precision_recall_curve(y, s, **kind)
        say(case, "precision_recall_points" + end, points(recall[::-1], precision[::-1]))
    for name, yy, ss in (("out", y, s), ("in", 1 - y, -s)):
        say(case, "average_precision/" + name, m.average_precision_score(yy, ss))
        precision, recall, _ = m.precision_recall_curve(yy, ss)
        say(case, "aupr/" + name, m.auc(recall, precision))
        say(case, "fpr95/" + name, fpr_at_95(yy, ss))
    say(case, "quantile", np.quantile(s.astype("f8"), .93))

# classes: number, coarseness of the probabilities
for i, (n, classes, coarse, kind) in enumerate([
        (3000, 10, 0, "f4"), (3000, 4, 20, "f8"), (500, 2, 10, "f8"), (2000, 26, 0, "f8")]):
    if coarse:
        p = rng.multinomial(coarse - classes, np.ones(classes) / classes, n) + 1.
        p /= coarse
    else:
        p = rng.dirichlet(np.ones(classes), n)
    y = np.array([rng.choice(classes, p=row) for row in p]).astype("i4")
    p = p.astype(kind)
    case = f"class{i}"
    np.save(f"{d}/{case}_s.npy", p)
    np.save(f"{d}/{case}_y.npy", y)
    wide = p.astype("f8")
    right = p.argmax(1) == y
    say(case, "accuracy", m.accuracy_score(y, p.argmax(1)))
    say(case, "nll", -np.log(wide[np.arange(n), y]).mean())
    say(case, "brier", ((wide - np.eye(classes)[y]) ** 2).sum(1).mean())
    if classes == 2:
        say(case, "brier", 2 * m.brier_score_loss(y, wide[:, 1]))
    if not coarse and classes > 2:
        say(case, "top3", m.top_k_accuracy_score(y, p, k=3, labels=np.arange(classes)))
        say(case, "nll", m.log_loss(y, wide / wide.sum(1, keepdims=True), labels=np.arange(classes)))
        order = np.argsort(-p.max(1).astype("f8"))  # no ties here
        risk = np.cumsum(~right[order]) / np.arange(1, n + 1)
        say(case, "aurc", risk.mean())
        say(case, "augrc", np.cumsum(~right[order]).mean() / n)
        copies = rng.integers(0, 120, n)
        np.save(f"{d}/{case}_c.npy", copies)
        wrong = np.repeat(~right[order], copies[order])  # copies of one are all right or all wrong
        say(case, "aurc/copies", (np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).mean())
        say(case, "augrc/copies", np.cumsum(wrong).mean() / len(wrong))
    say(case, "ece", ece(p.max(1), right))
    matrix = m.confusion_matrix(y, p.argmax(1), labels=np.arange(classes))
    say(case, "confusion", (matrix * np.arange(matrix.size).reshape(matrix.shape)).sum())
    x, t = wide[:, 0], y / classes
    say(case, "rmse", np.sqrt(m.mean_squared_error(t, x)))
    w, a, every = rng.exponential(size=n) * (rng.random(n) > .2), p.argmax(1), np.arange(classes)
    np.save(f"{d}/{case}_w.npy", w)
    for weight, end in ((None, ""), (w, "/weighted")):
        kind = {"sample_weight": weight}
        say(case, "balanced_accuracy" + end, m.balanced_accuracy_score(y, a, **kind))
        for average in ("macro", "micro", "weighted"):
            say(case, "f1_" + average + end, m.f1_score(y, a, average=average, **kind))
        say(case, "f1_of_1" + end, m.f1_score(y, a, average=None, labels=every, **kind)[1])
        for distance in ("linear", "quadratic"):
            say(case, "kappa_" + distance + end,
                m.cohen_kappa_score(y, a, weights=distance, labels=every, **kind))
        say(case, "cohens_kappa" + end, m.cohen_kappa_score(y, a, labels=every, **kind))
        say(case, "rmse" + end, np.sqrt(m.mean_squared_error(t, x, **kind)))
        say(case, "mae" + end, m.mean_absolute_error(t, x, **kind))
        say(case, "r2" + end, m.r2_score(t, x, **kind))
    say(case, "ece/weighted", ece(p.max(1), right, w))
    say(case, "reliability/weighted", ece(p.max(1), right, w))
    say(case, "accuracy/weighted", m.accuracy_score(y, a, sample_weight=w))
    say(case, "nll/weighted", np.average(-np.log(wide[np.arange(n), y]), weights=w))
END

cat >"$dir/compare.lua" <<'END'
local bnn = require "bnn"
local M, dir = bnn.metrics, ...
local function of(name)
  return function(x, y, opts) return (M[name](x, y, opts)) end
end
local function of_numbers(name)
  return function(x, y, opts)
    return M[name](x:narrow(2, 1, 1):reshape(x:size(1)), y:to("f32"):real() / x:size(2), opts)
  end
end
-- With one more option.
local function with(name, option, value)
  return function(x, y, opts)
    opts[option] = value
    return (M[name](x, y, opts))
  end
end
-- All points of a curve in one number.
local function points_of(name, x, y)
  return function(...)
    local curve = M[name](...)
    local xs, ys, sum = curve[x]:totable(), curve[y]:totable(), 0
    for i = 1, #xs do sum = sum + (i - 1) * (xs[i] + 2 * ys[i]) end
    return sum / (#xs) ^ 2
  end
end
local made = {
  roc_points = points_of("roc_curve", "fpr", "tpr"),
  precision_recall_points = points_of("precision_recall_curve", "recall", "precision"),
  reliability = function(...)
    local bins, sum, n = M.reliability(...), 0, 0
    for b, w in ipairs(bins.n:totable()) do
      n = n + w
      if w > 0 then sum = sum + w * math.abs(bins.accuracy[b] - bins.confidence[b]) end
    end
    return sum / n
  end,
  average_precision = of "average_precision", aupr = of "aupr", fpr95 = of "fpr95",
  quantile = function(x) return M.quantile(x, 0.93) end,
  top3 = function(x, y) return M.top_k(x, y, 3) end,
  rmse = of_numbers "rmse", mae = of_numbers "mae", r2 = of_numbers "r2",
  f1_macro = of "f1", f1_micro = with("f1", "average", "micro"), f1_of_1 = with("f1", "class", 1),
  f1_weighted = with("f1", "average", "weighted"),
  kappa_linear = with("cohens_kappa", "distance", "linear"),
  kappa_quadratic = with("cohens_kappa", "distance", "quadratic"),
  confusion = function(x, y)
    local sum, at = 0, 0
    for _, row in ipairs(M.confusion_matrix(x, y, {classes = x:size(2)}):totable()) do
      for _, v in ipairs(row) do
        sum, at = sum + v * at, at + 1
      end
    end
    return sum
  end,
}
local passed, failed = 0, 0
for line in io.lines(dir .. "/want") do
  local case, metric, side, want = line:match "^(%S+) ([^%s/]+)/?(%S*) (%S+)$"
  local x = assert(bnn.data.read(("%s/%s_s.npy"):format(dir, case)))
  local y = assert(bnn.data.read(("%s/%s_y.npy"):format(dir, case)))
  local opts = {}
  if side == "weighted" or side == "copies" then
    opts.weight = assert(bnn.data.read(("%s/%s_%s.npy"):format(dir, case, side:sub(1, 1))))
  elseif side ~= "" then
    opts.positive = side
  end
  local got = (made[metric] or of(metric))(x, y, opts)
  if math.abs(got - tonumber(want)) <= 1e-6 * math.max(1, math.abs(got)) then
    passed = passed + 1
  else
    failed = failed + 1
    print(("FAILED: %s %s %s: %.10g, scikit-learn has %s"):format(case, metric, side, got, want))
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
END
"$BNNLUA" "$dir/compare.lua" "$dir"
