#!/usr/bin/env bash
# batch_norm_torch_test.sh - bnn.nn.batch_norm is PyTorch's BatchNorm1d and BatchNorm2d over random
# shapes: outputs and gradients while training, running statistics after several steps, and
# predictions; to 1e-5 in float, 1e-10 in double.
#
# Needs a python3 with torch (TORCH_PYTHON=a venv's python); without it, skipped with a word.
set -u
: "${BNNLUA:=build/bnnlua}"

python=${TORCH_PYTHON:-python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
  echo "no python3 with torch here: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

cat >"$dir/cases.lua" <<'END'
local bnn = require "bnn"
local core = require "bnn.core"
local folder = ...
local key = bnn.key(11)
local STEPS = 3
local shapes = {
  {8, 3}, {2, 1}, {17, 70}, {5, 129}, {4, 3, 5, 5}, {2, 1, 1, 1}, {3, 7, 9, 8}, {16, 2, 1, 3},
  {1, 4, 6, 6}, {6, 5, 11}, {64, 4, 14, 14},
}
for case, shape in ipairs(shapes) do
  local own, tensors = key:fold(case), {}
  local layer = bnn.nn.batch_norm{momentum = 0.3, eps = 1e-3}
  local x = bnn.randn(own, table.unpack(shape)) * 3 + 2
  local p = layer:init(own, x)
  local c = shape[2]
  local values = {["batch_norm/gain"] = bnn.rand(own:fold "gain", c) + 0.5,
                  ["batch_norm/bias"] = bnn.randn(own:fold "bias", c)}
  p = p:map(function(t, name) return values[name] or t end)
  tensors.gain, tensors.bias = p["batch_norm/gain"]:clone(), p["batch_norm/bias"]:clone()
  local objective = bnn.objective{params = p, loss = function(params, batch, _, train)
    local y = layer:apply(params, batch.x, {train = train})
    return y:reshape(shape[1], y:numel() // shape[1]):sum(2)
  end}
  local state = bnn.optim.sgd{lr = 0}:init(objective)
  for step = 1, STEPS do
    local h = x * step + bnn.randn(own:fold(step), table.unpack(shape))
    tensors["x" .. step] = h
    assert(objective:step(state, {x = h}, own))
  end
  tensors.running_mean = p["batch_norm/running_mean"]:clone()
  tensors.running_var = p["batch_norm/running_var"]:clone()
  tensors.predicted = layer:apply(p, x)
  tensors.x, tensors.dy = x, bnn.randn(own:fold "dy", table.unpack(shape))
  tensors.y = layer:apply(p, x, {train = true})
  local function loss(given)
    return (given.x:batch_norm(given.gain, given.bias, 1e-3) * tensors.dy):sum()
  end
  local d = bnn.grad(loss){x = x, gain = tensors.gain, bias = tensors.bias}
  tensors.dx, tensors.dgain, tensors.dbias = d.x, d.gain, d.bias
  for name, tensor in pairs(tensors) do tensors[name] = tensor:contiguous() end
  assert(bnn.safetensors.save(("%s/%d.safetensors"):format(folder, case), tensors))
end
print(core.real)
END
real=$("$BNNLUA" "$dir/cases.lua" "$dir") || exit 1

"$python" - "$dir" "$real" <<'END'
import glob, json, struct, sys
import numpy as np
import torch

folder, tolerance = sys.argv[1], {"f32": 1e-5, "f64": 1e-10}[sys.argv[2]]
TYPES = {"F32": np.float32, "F64": np.float64}
passed = failed = 0


def read(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    out = {}
    for name, row in header.items():
        if name == "__metadata__":
            continue
        a, b = row["data_offsets"]
        values = np.frombuffer(data[8 + n + a:8 + n + b], TYPES[row["dtype"]]).astype(np.float64)
        out[name] = torch.tensor(values.reshape(row["shape"]))
    return out


def compare(case, name, got, want):
    global passed, failed
    scale = max(1.0, want.abs().max().item())
    miss = (got - want).abs().max().item() / scale
    if miss <= tolerance and got.shape == want.shape:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {case} {name}: {miss:g} of {scale:g}")


for path in sorted(glob.glob(folder + "/*.safetensors")):
    t = read(path)
    case = str(tuple(t["x"].shape))
    rank = t["x"].dim()
    kind = torch.nn.BatchNorm2d if rank == 4 else torch.nn.BatchNorm1d
    layer = kind(t["x"].shape[1], eps=1e-3, momentum=0.3, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(t["gain"])
        layer.bias.copy_(t["bias"])
        layer.train()
        if t["x"].numel() // t["x"].shape[1] < 2:
            continue
        for step in (1, 2, 3):
            layer(t[f"x{step}"])
    compare(case, "running_mean", t["running_mean"], layer.running_mean)
    compare(case, "running_var", t["running_var"], layer.running_var)
    layer.eval()
    compare(case, "predicted", t["predicted"], layer(t["x"]).detach())
    layer.train()
    x = t["x"].clone().requires_grad_(True)
    y = layer(x)
    compare(case, "y", t["y"], y.detach())
    (y * t["dy"]).sum().backward()
    compare(case, "dx", t["dx"], x.grad)
    compare(case, "dgain", t["dgain"], layer.weight.grad)
    compare(case, "dbias", t["dbias"], layer.bias.grad)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
END
