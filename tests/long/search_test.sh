#!/usr/bin/env bash
# search_test.sh - the samplers of bnn.search are those of the packages that users know: TPE's
# suggestions for the same history agree with Optuna's in distribution and its densities in value,
# CMA-ES given the same points has cmaes's mean, step size, paths and covariance, the Sobol points
# are SciPy's.
#
# Needs a python3 with optuna, cmaes and scipy (SEARCH_PYTHON=a venv's python); where there is none,
# one is made in the test's own folder by pip, and without a network the test is skipped.
set -u
. "$(dirname "$0")/../shell/checks.sh"

modules='import optuna, cmaes, scipy'
python=
for candidate in "${SEARCH_PYTHON:-python3}" python3; do
  "$candidate" -c "$modules" 2>/dev/null && { python=$candidate; break; }
done
if [ -z "$python" ] && python3 -m venv "$T/venv" 2>/dev/null &&
  "$T/venv/bin/pip" install -q 'optuna>=5' cmaes scipy >/dev/null 2>&1; then
  python=$T/venv/bin/python
fi
if [ -z "$python" ]; then
  echo "no python3 with optuna, cmaes and scipy here (pip install optuna cmaes scipy): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

here=$(dirname "$0")
"$python" "$here/search_compare.py" "$bnnlua" "$here/search_proposals.lua" "$T" \
  >"$T/out" 2>"$T/err" && pass || fail 'the comparisons run to their end' "$T/err"
cat "$T/out"
while read -r verdict what; do
  [ "$verdict" = ok ] && pass || fail "$what"
done <"$T/out"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
