#!/usr/bin/env bash
# safetensors_python_test.sh - files of Python's safetensors are read, for every dtype; it reads
# ours, and for the same tensors writes the same bytes; what it refuses we refuse, and the other way
# round.
#
# Needs a python3 with safetensors and NumPy, or pip and the package index to make one; without it,
# and without jansson, skipped with a word.
set -u
: "${BNNLUA:=build/bnnlua}"
passed=0 failed=0

skip() {
  echo "$1: skipped"
  echo "0 passed, 0 failed"
  exit 0
}

"$BNNLUA" --version | grep -q '^  jansson  *[0-9]' || skip "no jansson in this build (make deps)"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

python=python3
has_modules() { "$python" -c 'import safetensors, numpy' 2>/dev/null; }
if ! has_modules; then
  python3 -m venv "$dir/venv" >"$dir/log" 2>&1 &&
    "$dir/venv/bin/pip" install -q --timeout 20 --retries 1 safetensors numpy >>"$dir/log" 2>&1
  python=$dir/venv/bin/python
  has_modules || { tail -3 "$dir/log"; skip "no safetensors for python3 to be had"; }
fi

# check TITLE COMMAND...: one test.
check() {
  local title=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $title"
  fi
}

# Python writes in_DTYPE, and as want_DTYPE the same values in our type.
python_writes() {
  "$python" - "$dir" <<'END'
import sys
import numpy as np
import safetensors
from safetensors import serialize
from safetensors.numpy import save_file
d = sys.argv[1]

def spec(name, x):
    """x under a dtype that NumPy may not know; in the forms of this library's versions."""
    x = np.ascontiguousarray(x)
    width = {"bfloat16": 2, "complex64": 8}.get(name, 1)
    shape = list(x.shape[:-1]) + [x.shape[-1] * x.itemsize // width]
    if hasattr(safetensors, "TensorSpec"):
        return safetensors.TensorSpec(dtype=name, shape=shape, data_ptr=x.ctypes.data, data_len=x.nbytes)
    return {"dtype": name, "shape": shape, "data": x.tobytes()}

ours = {"bool": "i4", "u1": "u1", "i1": "i4", "i2": "i4", "u2": "i4", "i4": "i4", "u4": "i8", "i8": "i8",
        "u8": "u8", "f2": "f4", "f4": "f4", "f8": "f8"}
shapes = {"scalar": (), "one": (1,), "list": (7,), "none": (0,), "matrix": (3, 4), "empty": (3, 0, 2),
          "cube": (2, 3, 4), "deep": (1, 2, 1, 3, 1, 2, 1, 2)}
rng = np.random.default_rng(1)
notes = {"grün": "\"\\\n\x01 \U0001F600"}
for kind, mine in ours.items():
    t = np.dtype(kind)
    x = {}
    for name, shape in shapes.items():
        n = int(np.prod(shape, dtype=int))
        raw = rng.integers(0, 2 if kind == "bool" else 256, n * t.itemsize, dtype="u1")
        x[name] = raw.view(t).reshape(shape)
    if kind == "f2":
        x["all"] = np.arange(65536, dtype="u2").view("f2")
    save_file(x, f"{d}/in_{t.name}", metadata=notes)
    with np.errstate(invalid="ignore"):
        save_file({k: v.astype(mine) for k, v in x.items()}, f"{d}/want_{t.name}", metadata=notes)
half = np.arange(65536, dtype="u2")
with open(d + "/in_bfloat16", "wb") as f:
    f.write(serialize({"all": spec("bfloat16", half)}, notes))
save_file({"all": (half.astype("u4") << 16).view("f4")}, d + "/want_bfloat16", metadata=notes)
for name in ("complex64", "float8_e5m2", "float8_e4m3fn", "float8_e8m0fnu", "float8_e4m3fnuz",
             "float8_e5m2fnuz", "float4_e2m1fn_x2"):
    try:
        b = serialize({"x": spec(name, np.zeros((2, 8), "u1")), "y": spec("uint8", np.ones(3, "u1"))}, None)
    except Exception as e:
        print(f"this safetensors cannot write {name}: {e}")
        continue
    with open(f"{d}/list_{name}", "wb") as f:
        f.write(b)
END
}

# Ours: reads each in_*, writes it as out_*; lists each list_*.
we_read_and_write() {
  cat >"$dir/copy.lua" <<'END'
local bnn, core = require "bnn", require "bnn.core"
local dir, count = arg[1], 0
for name in pairs(assert(core.list_dir(dir))) do
  local stem = name:match "^in_(.*)$"
  if stem then
    local tensors, metadata = assert(bnn.safetensors.load(dir .. "/" .. name))
    local opts = {metadata = metadata, checksums = false}
    assert(bnn.safetensors.save(dir .. "/out_" .. stem, tensors, opts))
    count = count + 1
  elseif name:find "^list_" then
    local file <close> = assert(bnn.safetensors.open(dir .. "/" .. name))
    assert(#file == 2 and file:shape "x"[1] == 2 and file:tensor "y":totable()[3] == 1)
    local x, message = file:tensor "x"
    assert(x == nil and message:find("can be listed", 1, true), name)
  end
end
assert(count == 13, count)
END
  "$BNNLUA" "$dir/copy.lua" "$dir"
}

# Byte for byte what Python writes; NaNs that were widened may differ in their payload alone.
python_agrees() {
  "$python" - "$dir" <<'END'
import glob, sys
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file
d = sys.argv[1]
paths = glob.glob(d + "/want_*")
assert len(paths) == 13
same = 0
for want in paths:
    got = want.replace("want_", "out_")
    a, b = load_file(got), load_file(want)
    assert sorted(a) == sorted(b)
    for k in a:
        assert a[k].dtype == b[k].dtype and a[k].shape == b[k].shape, (want, k)
        assert np.array_equal(a[k], b[k], equal_nan=a[k].dtype.kind == "f"), (want, k)
    with safe_open(got, "np") as f, safe_open(want, "np") as g:
        assert f.metadata() == g.metadata() and len(f.metadata()) == 1
    same += open(got, "rb").read() == open(want, "rb").read()
print(f"{same} of {len(paths)} files are the same bytes")
assert same >= 12, same
END
}

# A checkpoint of ours, as Python sees it.
checkpoints_open_in_python() {
  cat >"$dir/checkpoint.lua" <<'END'
local bnn = require "bnn"
local key = bnn.key(3)
local q = bnn.posterior.meanfield(bnn.nn.mlp{8, 3}:init(key, bnn.zeros(1, 4)))
local state = bnn.optim.adam{lr = 0.1}:init(q.mu)
state:update(q.mu, bnn.ones(q.mu:numel()))
assert(bnn.checkpoint.save(arg[1] .. "/checkpoint", {
  posterior = q, optimizer = state, key = key, step = (1 << 53) + 1, config = {lr = 0.1, hidden = {8, 3}},
  extras = {standardisation = {mean = bnn.tensor{1, 2}}, temperature = 1.3},
}))
assert(bnn.data.save(arg[1] .. "/w.npy", q.mu["mlp/linear_0/w"]))
END
  "$BNNLUA" "$dir/checkpoint.lua" "$dir" && "$python" - "$dir" <<'END'
import json, sys
import numpy as np
from safetensors import safe_open
d = sys.argv[1]
with safe_open(d + "/checkpoint", "np") as f:
    m = f.metadata()
    assert m["format"] == "bnnlua checkpoint 1"
    assert json.loads(m["config"]) == {"lr": 0.1, "hidden": [8, 3]}
    extras = json.loads(m["extras"])
    assert extras["temperature"] == 1.3
    assert f.get_tensor(extras["standardisation"]["mean"]["$tensor"]).tolist() == [1, 2]
    assert json.loads(m["posterior"])["mu"] == ["mlp/linear_0/w", "mlp/linear_0/b", "mlp/linear_1/w", "mlp/linear_1/b"]
    assert np.array_equal(f.get_tensor("mu/mlp/linear_0/w"), np.load(d + "/w.npy"))
    step = f.get_tensor("step")
    assert step.dtype == np.uint64 and int(step) == 2**53 + 1
    assert int(f.get_tensor("optimizer/steps")) == 1
    assert f.get_tensor("logvar/mlp/linear_1/b").tolist() == [-7, -7, -7]
END
}

# What Python writes again with all metadata, in whatever order, has the right checksums; what it
# changed and wrote with the old ones is told.
checksums_pass_through_python() {
  "$python" - "$dir" <<'END' && "$BNNLUA" -e '
local bnn, dir = require "bnn", "'"$dir"'"
assert(assert(bnn.checkpoint.load(dir .. "/again")).step == (1 << 53) + 1)
local state, message = bnn.checkpoint.load(dir .. "/changed")
assert(state == nil and message:find("tensor .logvar/mlp/linear_1/b.: its data are damaged, or were changed"))'
import sys
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
d = sys.argv[1]
with safe_open(d + "/checkpoint", "np") as f:
    m = f.metadata()
tensors = load_file(d + "/checkpoint")
save_file(tensors, d + "/again", metadata=m)
tensors["logvar/mlp/linear_1/b"][0] = -6
save_file(tensors, d + "/changed", metadata=m)
END
}

# Every file of the corpus and every change of a byte in two of them: both readers take it or both
# refuse it, but for names that come twice or hold a zero byte, which only we refuse.
both_refuse_the_same() {
  cat >"$dir/open.lua" <<'END'
local core = require "bnn.core"
local dir = arg[1]
for name in pairs(assert(core.list_dir(dir))) do
  local file, message = core.safetensors_open(dir .. "/" .. name)
  print(name .. "\t" .. (file and "ok" or message))
end
END
  mkdir "$dir/both"
  "$python" - "$dir" <<'END'
import glob, os, subprocess, sys
from safetensors import deserialize
d = sys.argv[1]
files = {os.path.basename(p): open(p, "rb").read() for p in glob.glob("tests/corpus/safetensors/*")}
for name in "good_types", "good_unaligned":
    b = files[name]
    for i in range(len(b)):
        for mask in 1, 2, 4, 32, 64, 128, 255:
            files[f"{name}_{i}_{mask}"] = b[:i] + bytes([b[i] ^ mask]) + b[i + 1:]
        files[f"{name}_cut_{i}"] = b[:i]
for name, b in files.items():
    with open(f"{d}/both/{name}", "wb") as f:
        f.write(b)
lines = subprocess.run([os.environ["BNNLUA"], d + "/open.lua", d + "/both"], capture_output=True,
                       stdin=subprocess.DEVNULL, check=True).stdout.decode("utf-8", "replace")
ours = dict(line.split("\t", 1) for line in lines.splitlines() if "\t" in line)
bad = taken = 0
for name, b in files.items():
    try:
        deserialize(b)
        theirs = "ok"
    except Exception as e:
        theirs = repr(e)
    mine = ours[name]
    taken += mine == "ok"
    allowed = theirs == "ok" and (mine.endswith(" twice") or "NUL byte in object key" in mine
                                  or "holds no data" in mine)
    if (theirs == "ok") != (mine == "ok") and not allowed:
        bad += 1
        if bad <= 10:
            print(f"{name}: Python says {theirs}, we {mine}")
print(f"{len(files)} files, {taken} taken by both")
sys.exit(bad > 0)
END
}

export BNNLUA
check "Python writes" python_writes
check "every dtype is read" we_read_and_write
check "what we write is what Python writes" python_agrees
check "a checkpoint opens in Python" checkpoints_open_in_python
check "checksums pass through Python" checksums_pass_through_python
check "both refuse the same files" both_refuse_the_same

echo
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
