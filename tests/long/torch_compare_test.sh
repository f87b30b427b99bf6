#!/usr/bin/env bash
# torch_compare_test.sh - every op, function of tensors and layer is PyTorch's, value and gradient: at
# random shapes, strides of memory, types and attributes, at ties, kinks and numbers that are none.  To
# 1e-5 in float on every instruction set, and to 1e-10 in a build with REAL=double.
#
# torch_compare.py has the rows, and fails for an op or layer that has neither a row nor a reason.
# Needs a python3 with PyTorch (or TORCH_PYTHON=a venv's python); without one, skipped with a word.
set -u
. "$(dirname "$0")/../shell/checks.sh"
here=$(cd "$(dirname "$0")" && pwd)

python=
for candidate in "${TORCH_PYTHON:-python3}" python3 /usr/bin/python3; do
  "$candidate" -c 'import torch' 2>/dev/null && { python=$candidate; break; }
done
if [ -z "$python" ]; then
  echo "no python3 with PyTorch here (TORCH_PYTHON=a venv's python): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

# compare PROGRAM KIND WHAT: KIND is the type of real numbers, f4 or f8
compare() {
  mkdir -p "$T/$2"
  [ -f "$T/$2/cases.json" ] || "$python" "$here/torch_compare.py" draw "$T/$2" "$2" || exit 1
  if "$1" "$here/torch_compare.lua" "$T/$2" >"$T/out" 2>&1 &&
    "$python" "$here/torch_compare.py" check "$T/$2" >"$T/out" 2>&1; then
    pass
  else
    tail -1 "$T/out"
    fail "$3" "$T/out"
  fi
}

# A row is missing, a value or a gradient is another: that all of it shows.
"$python" - "$here" "$T" <<'END' || fail "differences show"
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import torch_compare as t
one = np.ones((2, 3))
assert t.differs(one, one + 1e-7, 1e-5) is None
assert t.differs(one, one + 1e-3, 1e-5) and t.differs(one, one * np.nan, 1e-5)
assert t.differs(one, np.ones(6), 1e-5) and t.differs(one * np.nan, one, 1e-5)
assert t.differs(one * np.nan, one * np.nan, 1e-5) is None
assert t.check_rows({"op": ["add", "no_such_op"], "layer": ["linear"]}) == ["op no_such_op"]
END

kind=f4 other=f8
[ "${REAL:-float}" = double ] && kind=f8 other=
for isa in avx512 avx2 baseline; do
  BNNLUA_ISA=$isa "$bnnlua" -e 'os.exit(true)' 2>/dev/null || continue # not on this processor
  BNNLUA_ISA=$isa compare "$bnnlua" $kind "PyTorch, $kind on $isa"
done
if [ -n "$other" ]; then
  if make -s -C "$tests/.." -j2 CC="${CC:-gcc}" REAL=double SAN= BUILD="$T/double" "$T/double/bnnlua" \
    >"$T/made" 2>&1; then
    compare "$T/double/bnnlua" f8 "PyTorch, f8"
  else
    fail "a build with REAL=double" "$T/made"
  fi
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
