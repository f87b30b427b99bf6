#!/usr/bin/env bash
# attention_torch_test.sh - attention and the transformer's block are PyTorch's, values and gradients,
# for random shapes, causal or not: to 1e-5 in float, 1e-10 in double. BNNLUA is the binary.
#
# Needs a python3 with PyTorch and NumPy (TORCH_PYTHON=a venv's python); without one it is skipped
# with a word.
set -u
. "$(dirname "$0")/../shell/checks.sh"

python=
for candidate in "${TORCH_PYTHON:-python3}" python3; do
  "$candidate" -c 'import torch, numpy' 2>/dev/null && { python=$candidate; break; }
done
if [ -z "$python" ]; then
  echo "no python3 with PyTorch here: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi
real=$("$bnnlua" -e 'print(require "bnn.core".real)')

# A folder for each case: its arrays, those that PyTorch makes of them, and what to call.
"$python" - "$T" "$real" >"$T/cases" <<'END_OF_PYTHON' || exit 1
import os
import sys
import numpy as np
import torch
from torch import nn
from torch.nn import functional

folder, real = sys.argv[1:]
torch.manual_seed(3)
torch.set_default_dtype(torch.float64 if real == "f64" else torch.float32)
rng = np.random.default_rng(5)


def save(case, arrays):
    os.mkdir(f"{folder}/{case}")
    for name, array in arrays.items():
        np.save(f"{folder}/{case}/{name}.npy", array.detach().contiguous().numpy())


def attention(case):
    n, t, s, heads = (int(rng.integers(1, most)) for most in (4, 150, 300, 5))
    d, e = heads * int(rng.integers(1, 9)), heads * int(rng.integers(1, 9))
    causal = bool(rng.integers(2))
    s = t if causal else s
    x = {"q": torch.randn(n, t, d), "k": torch.randn(n, s, d), "v": torch.randn(n, s, e)}
    split = {}
    for name, value in x.items():
        value.requires_grad_()
        split[name] = value.view(n, value.shape[1], heads, -1).transpose(1, 2)
    y = functional.scaled_dot_product_attention(split["q"], split["k"], split["v"],
                                                is_causal=causal)
    y = y.transpose(1, 2).reshape(n, t, e)
    weight = torch.randn(n, t, e)
    (y * weight).sum().backward()
    save(case, x | {"weight": weight, "y": y} | {"d" + name: v.grad for name, v in x.items()})
    print(case, "attention", heads, int(causal), 0, 0)


def block(case):
    n, t, heads = (int(rng.integers(1, most)) for most in (4, 80, 4))
    d, hidden = heads * int(rng.integers(4, 9)), int(rng.integers(1, 40))
    causal, norm_first = bool(rng.integers(2)), bool(rng.integers(2))
    layer = nn.TransformerEncoderLayer(d, heads, hidden, 0.0, "gelu", batch_first=True,
                                       norm_first=norm_first)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    mask = nn.Transformer.generate_square_subsequent_mask(t) if causal else None
    x = torch.randn(n, t, d, requires_grad=True)
    y, weight = layer(x, src_mask=mask), torch.randn(n, t, d)
    (y * weight).sum().backward()
    arrays = {"x": x, "dx": x.grad, "weight": weight, "y": y}

    def add(name, parameter, part=slice(None)):
        for sign, value in (("p.", parameter), ("dp.", parameter.grad)):
            arrays[sign + name.replace("/", ".")] = value[part].T if value.dim() > 1 else value[part]

    inside = layer.self_attn
    for i, name in enumerate(("query", "key", "value")):
        part = slice(i * d, (i + 1) * d)
        add(f"multi_head_attention_0/{name}/w", inside.in_proj_weight, part)
        add(f"multi_head_attention_0/{name}/b", inside.in_proj_bias, part)
    for name, linear in (("multi_head_attention_0/linear", inside.out_proj),
                         ("linear_0", layer.linear1), ("linear_1", layer.linear2)):
        add(name + "/w", linear.weight)
        add(name + "/b", linear.bias)
    for i, norm in enumerate((layer.norm1, layer.norm2)):
        add(f"layer_norm_{i}/gain", norm.weight)
        add(f"layer_norm_{i}/bias", norm.bias)
    save(case, arrays)
    print(case, "block", heads, int(causal), int(norm_first), hidden)


for i in range(30):
    attention(f"attention_{i}")
    block(f"block_{i}")
END_OF_PYTHON

cat >"$T/compare.lua" <<'END_OF_LUA'
local bnn = require "bnn"
local core = require "bnn.core"
local folder = arg[1]
local most = core.real == "f64" and 1e-10 or 1e-5

local function split(line)
  local words = {}
  for word in line:gmatch "%S+" do words[#words + 1] = word end
  return words
end

local function largest(x) return x:abs():max():item() end

for line in io.lines(folder .. "/cases") do
  local case, what, heads, causal, norm_first, hidden = table.unpack(split(line))
  heads, hidden, causal, norm_first = tonumber(heads), tonumber(hidden), causal == "1",
    norm_first == "1"
  local function array(name)
    return assert(bnn.data.read(("%s/%s/%s.npy"):format(folder, case, name)))
  end
  local at, f = {}, nil
  if what == "attention" then
    for _, name in ipairs{"q", "k", "v"} do at[name] = array(name) end
    f = function(x) return bnn.attention(x.q, x.k, x.v, heads, causal) end
  else
    local net = bnn.nn.transformer_block{
      heads = heads, hidden = hidden, causal = causal, norm_first = norm_first,
    }
    at.x = array "x"
    for path in pairs(net:init(bnn.key(1), at.x)) do
      at[path] = array("p." .. path:gsub("^transformer_block/", ""):gsub("/", "."))
    end
    f = function(x) return net:apply(x, x.x) end
  end
  local weight, y = array "weight", array "y"
  local worst, worst_of = largest(f(at) - y) / (1 + largest(y)), "y"
  local gradient = bnn.grad(function(x) return (f(x) * weight):sum() end)(at)
  local wanted, size = {}, 1 -- of the largest slope: that of a bias of keys is 0, of large terms
  for name in pairs(gradient) do
    wanted[name] = array("d" .. name:gsub("^transformer_block/", "p."):gsub("/", "."))
    size = math.max(size, largest(wanted[name]))
  end
  for name, got in pairs(gradient) do
    local miss = largest(got - wanted[name]) / size
    if miss > worst then worst, worst_of = miss, name end
  end
  print(worst <= most and "ok" or "MISS", case, worst_of, worst)
end
END_OF_LUA
"$bnnlua" "$T/compare.lua" "$T" >"$T/out" 2>"$T/err"
equal "the comparison runs" "0 " "$? $(cat "$T/err")"
equal "every case is PyTorch's" "" "$(grep -v '^ok' "$T/out")"
equal "and all were tried" 60 "$(wc -l <"$T/out")"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
