#!/usr/bin/env bash
# tensorboard_test.sh - event files of bnn.log.tensorboard as TensorBoard itself reads them: every
# scalar and step, texts, histograms, images, hyperparameters; a folder with the files of a run and of
# its continuation; a file cut off anywhere.
#
# Needs a python3 with tensorboard (TENSORBOARD_PYTHON=a venv's python, or one is made with pip);
# without it, skipped with a word.
set -u
: "${BNNLUA:=build/bnnlua}"

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

python=${TENSORBOARD_PYTHON:-python3}
if ! "$python" -c 'import tensorboard' 2>/dev/null; then
  python=$dir/venv/bin/python
  python3 -m venv "$dir/venv" >/dev/null 2>&1 && "$python" -m pip -q install tensorboard 2>/dev/null
fi
if ! "$python" -c 'import tensorboard' 2>/dev/null; then
  echo "no python3 with tensorboard here, nor pip install of it: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

cat >"$dir/write.lua" <<'END'
local bnn = require "bnn"
local folder = arg[1]
local key = bnn.key(1)
local config = {lr = 0.1, kl = "sum", on = true, hidden = {64, 64}}
for part = 0, 1 do -- a run, and what it is resumed as
  local log = assert(bnn.log.tensorboard(folder, {config = config, metrics = {"loss"}}))
  for i = 1, 100 do
    local step = part * 100 + i
    log:row(step, {{"loss", 1 / step}, {"test/accuracy", step / 256}, {"on", true},
                   {"note", "step " .. step}})
  end
  log:histogram(part, "weights", bnn.randn(key:fold(part), 10000) * 3)
  log:image(part, "digit", bnn.data.load "glyphs".test.x[1])
  log:close()
end
END
"$BNNLUA" "$dir/write.lua" "$dir/run" || exit 1

"$BNNLUA" experiments/mnist.lua --dataset=glyphs --steps=20 --log_interval=10 --no_record --quiet \
  --tensorboard="$dir/mnist" >/dev/null || exit 1

"$python" - "$dir/run" "$dir/mnist" <<'END'
import glob, os, struct, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

passed = failed = 0


def check(what, ok):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print("FAILED:", what)


def read(folder):
    sizes = {"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}
    a = EventAccumulator(folder, size_guidance=sizes)
    a.Reload()
    return a


folder = sys.argv[1]
a = read(folder)
check("scalars", sorted(a.Tags()["scalars"]) == ["loss", "on", "test/accuracy"])
check("steps", [e.step for e in a.Scalars("loss")] == list(range(1, 201)))
f32 = lambda x: struct.unpack("<f", struct.pack("<f", x))[0]
check("values", all(e.value == f32(1 / e.step) for e in a.Scalars("loss")))
check("booleans", all(e.value == 1 for e in a.Scalars("on")))
times = [e.wall_time for e in a.Scalars("loss")]
check("times", times == sorted(times) and times[0] > 1.6e9)
check("texts", [e.tensor_proto.string_val[0] for e in a.Tensors("note")][:2] == [b"step 1", b"step 2"])
h = [e.histogram_value for e in a.Histograms("weights")]
check("histograms", len(h) == 2 and all(x.num == 10000 and sum(x.bucket) == 10000 for x in h))
check("spread", all(abs(x.sum_squares / 1e4 - 9) < 0.5 and x.min < -6 and x.max > 6 for x in h))
check("images", [(e.width, e.height) for e in a.Images("digit")] == [(28, 28)] * 2)
plugin = lambda tag: plugin_data_pb2.HParamsPluginData.FromString(
    a.SummaryMetadata(tag).plugin_data.content)
start = plugin("_hparams_/session_start_info").session_start_info.hparams
check("hparams", start["lr"].number_value == 0.1 and start["kl"].string_value == "sum"
      and start["on"].bool_value and start["hidden"].string_value == "64,64")
experiment = plugin("_hparams_/experiment").experiment
check("metrics", [m.name.tag for m in experiment.metric_infos] == ["loss"])
check("end", plugin("_hparams_/session_end_info").session_end_info.status == 1)

# What an experiment writes without a word of code: its metrics, and the histograms of its posterior.
b = read(sys.argv[2])
layers = ["mlp/linear_%d/%s" % (i, p) for i in range(3) for p in "wb"]
check("tags", set(b.Tags()["histograms"]) == {q + "/" + w for q in ("mu", "sigma", "snr_db") for w in layers})
check("accuracy", [e.step for e in b.Scalars("test/accuracy")] == [0, 10, 20])
for q, low, high in (("mu", -1, 1), ("sigma", 0.02, 0.05), ("snr_db", -150, 40)):
    h = [e.histogram_value for e in b.Histograms(q + "/mlp/linear_0/w")]
    check(q, [e.step for e in b.Histograms(q + "/mlp/linear_0/w")] == [0, 10, 20]
          and all(x.num == 28 * 28 * 64 and low < x.min <= x.max < high for x in h))

check("sigmas are spread", len(b.Histograms("sigma/mlp/linear_0/w")[2].histogram_value.bucket) > 20)

# A file that a kill has cut short: what is whole is there.
first = sorted(glob.glob(folder + "/*tfevents*"))[0]
data = open(first, "rb").read()
for cut in range(len(data) - 1, 0, -len(data) // 20):
    os.makedirs(folder + "/../cut", exist_ok=True)
    for old in glob.glob(folder + "/../cut/*"):
        os.remove(old)
    with open(folder + "/../cut/" + os.path.basename(first), "wb") as out:
        out.write(data[:cut])
    b = read(folder + "/../cut")
    steps = [e.step for e in b.Scalars("loss")] if "loss" in b.Tags()["scalars"] else []
    check("cut at %d" % cut, steps == list(range(1, len(steps) + 1)))
print("%d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)
END
