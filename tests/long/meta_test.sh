#!/bin/sh
# meta_test.sh - the definition files of `bnnlua -m meta` as a language server of Lua reads them: a
# right script has no fault, the faults of a wrong one are found. Needs emmylua_ls (EMMYLUA_LS, or in
# PATH) and python3; skipped without. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
here=$(cd "$(dirname "$0")" && pwd)
cd "$T" || exit 1

out=$("$bnnlua" -m meta "$T/meta" 2>err)
equal "the paths" "$T/meta/bnn.lua
$T/meta/bnn_types.d.lua" "$out"
has "what an editor needs" '"workspace.library"' "$(cat err)"
"$bnnlua" -m meta >out 2>err
equal "without a folder: status" 1 $?
has "... and a message" "expected the folder to write" "$(cat err)"

server=${EMMYLUA_LS:-$(command -v emmylua_ls)}
if [ -z "$server" ] || ! command -v python3 >/dev/null; then
  echo "emmylua_ls is not installed: no language server reads the files"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
fi

mkdir work
"$bnnlua" -m meta "$T/meta" 2>&1 >/dev/null | sed -n '/^{/p' >work/.luarc.json
cat >work/good.lua <<'END'
local bnn = require "bnn"
local key = bnn.key(1)
local data = assert(bnn.data.load "glyphs")
local net = bnn.nn.mlp{64, 64, 10}
local q = bnn.posterior.meanfield(net:init(key:fold "init", data.train), {logvar = -7})
local objective = bnn.elbo{
  net = net, posterior = q, likelihood = "categorical", temperature = 1,
  data_size = data.train.size,
}
local state = bnn.train{
  objective = objective, optimizer = bnn.optim.adam{lr = 1e-3}, data = data.train,
  steps = 1000, batch_size = 128, key = key:fold "train", log_every = 100,
  lr = function(step) return 1 / step end,
}
local p = bnn.predict(objective, data.test.x, {num_samples = 100, key = key:fold "predict"})
local x = bnn.randn(key, 3, 4) * 2 + 1
local rule = bnn.ood.fit_threshold(p)
return state:steps(), p.mean:shape(), bnn.metrics.accuracy(p, data.test.y),
  (x:mm(x:t()) / 3):sum(1):item(), #x, x[1], bnn.sum(x, 1, true), -x, rule.threshold,
  bnn.ood.abstains(p, rule):mean()
END
cat >work/bad.lua <<'END'
local bnn = require "bnn"
local key = bnn.key(1)
bnn.no_such_function(1)
bnn.nn.mlp{64, 10}:init("x", bnn.zeros(2, 3))
bnn.train{steps = "many"}
key:folded "a"
bnn.zeros(2, 3):no_such_method()
bnn.linspace(0, 1)
bnn.optim.adam{lr = "fast"}
END
ask() { timeout 120 python3 "$here/lua_diagnostics.py" "$server" "$@"; }
ask work good.lua bad.lua >found
# The server has Lua's own library beside it, or not: require, assert.
grep '^good.lua' found | grep -v undefined-global >faults
[ -s faults ] && fail "a right script has faults" faults || pass
for line in 3 4 5 6 7 8 9; do
  grep -q "^bad.lua:$line " found && pass || fail "line $line of a wrong script" found
done
# The experiments are right: what is found in them is what no type can know, a few lines.
cp "$here"/../../experiments/*.lua work
ask work mnist.lua cubic.lua lenet.lua vae.lua mlp.lua ood.lua >found
grep -cE 'undefined-field|assign-type|param-type|missing-' found >count
[ "$(cat count)" -lt 20 ] && pass || fail "the experiments have many faults" found
ask meta bnn.lua bnn_types.d.lua | grep -E 'syntax-error|type-not-found' | grep -v 'file\*' >faults
[ -s faults ] && fail "annotations that are not understood" faults || pass

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
