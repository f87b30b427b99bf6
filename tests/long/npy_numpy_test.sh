#!/usr/bin/env bash
# npy_numpy_test.sh - files that NumPy writes load and come back equal, for every type, order, byte
# order and version; what we write is what NumPy writes, and opens in NumPy and Pillow.
#
# Needs a python3 with NumPy (Debian: python3-numpy; pictures also python3-pil); without it, skipped
# with a word.
set -u
: "${BNNLUA:=build/bnnlua}"
passed=0 failed=0

python=
for candidate in python3 /usr/bin/python3; do
  "$candidate" -c 'import numpy' 2>/dev/null && { python=$candidate; break; }
done
if [ -z "$python" ]; then
  echo "no python3 with NumPy here (apt-get install python3-numpy): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

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

# NumPy writes in_*.npy, and as want_*.npy the same values in C order, little-endian, in our type.
write_numpy() {
  "$python" - "$dir" <<'END'
import sys, gzip, warnings
import numpy as np
warnings.simplefilter("ignore")
d = sys.argv[1]
ours = {"b1": "u1", "u1": "u1", "i1": "i4", "u2": "i4", "i2": "i4", "u4": "i8", "i4": "i4",
        "u8": "u8", "i8": "i8", "f2": "f4", "f4": "f4", "f8": "f8"}
shapes = {"scalar": (), "one": (1,), "list": (7,), "none": (0,), "matrix": (3, 4), "empty": (3, 0, 2),
          "cube": (2, 3, 4), "deep": (1, 2, 1, 3, 1, 2, 1, 2)}
rng = np.random.default_rng(1)
for kind, mine in ours.items():
    for order in "<>":
        for layout in "CF":
            for version in ((1, 0), (2, 0), (3, 0)):
                for name, shape in shapes.items():
                    t = np.dtype(order + kind)
                    n = int(np.prod(shape, dtype=int))
                    raw = rng.integers(0, 256, n * t.itemsize, dtype="u1").tobytes()
                    x = np.frombuffer(raw, t).reshape(shape)
                    if kind == "b1":
                        x = rng.integers(0, 2, n).astype("?").reshape(shape)
                    if kind[0] == "f":  # NaNs would not compare; the values as they are
                        x = np.where(np.isfinite(x), x, 0).astype(t)
                    x = np.asarray(x, order=layout)
                    stem = f"{kind}_{'le' if order == '<' else 'be'}_{layout}_{version[0]}_{name}"
                    with open(f"{d}/in_{stem}.npy", "wb") as f:
                        np.lib.format.write_array(f, x, version=version)
                    np.save(f"{d}/want_{stem}.npy", np.ascontiguousarray(x).astype("<" + mine).reshape(shape))
for name, x in {"object": np.array([None], dtype=object), "text": np.array(["a"]), "bytes": np.array([b"a"]),
                "complex": np.zeros(2, "c8"), "date": np.zeros(2, "M8[s]"), "long": np.zeros(2, "g"),
                "records": np.zeros(2, [("a", "f4"), ("b", "i2")])}.items():
    np.save(f"{d}/bad_{name}.npy", x, allow_pickle=True)
np.savez(f"{d}/stored.npz", x_train=np.arange(6, dtype="u1").reshape(2, 3), y_train=np.array([1, 2]))
np.savez_compressed(f"{d}/deflated.npz", x_train=np.arange(6, dtype="u1").reshape(2, 3), y_train=np.array([1, 2]))
END
}

# Ours: reads each in_*, writes it as out_*, which must be want_* byte for byte; refuses each bad_*.
read_and_write() {
  cat >"$dir/copy.lua" <<'END'
local bnn, core = require "bnn", require "bnn.core"
local dir, count = arg[1], 0
local function bytes(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end
for name in pairs(assert(core.list_dir(dir))) do
  local stem = name:match "^in_(.*%.npy)$"
  if stem then
    local x = assert(bnn.data.read(dir .. "/" .. name))
    assert(bnn.data.save(dir .. "/out_" .. stem, x))
    assert(bytes(dir .. "/out_" .. stem) == bytes(dir .. "/want_" .. stem), name .. " differs")
    os.remove(dir .. "/" .. name)
    os.remove(dir .. "/want_" .. stem)
    count = count + 1
  elseif name:find "^bad_" then
    local x, message = bnn.data.read(dir .. "/" .. name)
    assert(x == nil and message:find(name, 1, true), name .. " was read")
    count = count + 1
  end
end
assert(count == 12 * 2 * 2 * 3 * 8 + 7, count .. " files")
print(count .. " files of NumPy's agree")
END
  "$BNNLUA" "$dir/copy.lua" "$dir"
}

read_archives() {
  cat >"$dir/npz.lua" <<'END'
local bnn = require "bnn"
for _, name in ipairs{"stored", "deflated"} do
  local train = assert(bnn.data.load(arg[1] .. "/" .. name .. ".npz")).train
  assert(train.x:dtype() == "u8" and train.x:totable()[2][3] == 5 and train.y:totable()[2] == 2)
end
local x, y = bnn.tensor{{1.5, 2}, {3, 4}}, bnn.tensor({1, 2}, "i64")
assert(bnn.data.save(arg[1] .. "/ours.npz", {x = x:t(), ["layer/y"] = y}))
assert(bnn.data.save(arg[1] .. "/plain.npz", {x = x:t(), ["layer/y"] = y}, {compressed = false}))
END
  "$BNNLUA" "$dir/npz.lua" "$dir" && "$python" - "$dir" <<'END'
import sys, zipfile
import numpy as np
for name in "ours", "plain":
    path = f"{sys.argv[1]}/{name}.npz"
    assert zipfile.ZipFile(path).testzip() is None
    z = np.load(path)
    assert sorted(z.files) == ["layer/y", "x"], z.files
    assert z["x"].tolist() == [[1.5, 3], [2, 4]] and z["layer/y"].tolist() == [1, 2]
END
}

# Pillow's own grey is the reference for ours.
exchange_pictures() {
  cat >"$dir/png.lua" <<'END'
local bnn, core = require "bnn", require "bnn.core"
local dir = arg[1]
local rows = {}
for i = 1, 40 do
  rows[i] = {}
  for j = 1, 30 do rows[i][j] = {(i * 7 + j) % 256, (i * j) % 256, (j * 8) % 256} end
end
local rgb = core.tensor(rows, "u8")
assert(bnn.data.save(dir .. "/rgb.png", rgb))
assert(bnn.data.save(dir .. "/grey.png", rgb:select(3, 2)))
assert(bnn.data.save(dir .. "/rgb.npy", rgb))
assert(bnn.data.save(dir .. "/our_grey.npy", core.png_read(dir .. "/rgb.png", "grey")))
END
  "$BNNLUA" "$dir/png.lua" "$dir" && "$python" - "$dir" <<'END'
import sys
import numpy as np
from PIL import Image
d = sys.argv[1]
x = np.load(d + "/rgb.npy")
rgb = Image.open(d + "/rgb.png")
assert rgb.mode == "RGB" and (np.asarray(rgb) == x).all()
grey = Image.open(d + "/grey.png")
assert grey.mode == "L" and (np.asarray(grey) == x[:, :, 1]).all()
assert (np.asarray(rgb.convert("L")) == np.load(d + "/our_grey.npy")).all()
rgb.convert("P").save(d + "/palette.png")
rgb.convert("RGBA").save(d + "/alpha.png")
Image.fromarray((x[:, :, 0].astype("u2") * 257)).save(d + "/deep.png")
np.save(d + "/palette.npy", np.asarray(Image.open(d + "/palette.png").convert("RGB")))
END
  [ $? -eq 0 ] || return 1
  cat >"$dir/back.lua" <<'END'
local bnn, core = require "bnn", require "bnn.core"
local dir = arg[1]
local function same(a, b) return a:real():eq(b:real()):min():item() == 1 end
local x = assert(bnn.data.read(dir .. "/rgb.npy"))
assert(same(core.png_read(dir .. "/palette.png", "rgb"), bnn.data.read(dir .. "/palette.npy")))
assert(same(core.png_read(dir .. "/alpha.png", "rgb"), x))
assert(same(bnn.data.read(dir .. "/deep.png"), x:select(3, 1)))
END
  "$BNNLUA" "$dir/back.lua" "$dir"
}

has() { "$BNNLUA" --version | grep -q "^  $1  *[0-9]"; }

check "NumPy writes" write_numpy
check "every type, order and version comes back as NumPy writes it" read_and_write
if has libzip; then check "archives go both ways" read_archives; else echo "no libzip: skipped"; fi
if ! has libpng || ! "$python" -c 'import PIL' 2>/dev/null; then
  echo "no libpng or no Pillow (apt-get install python3-pil): pictures skipped"
else
  check "pictures go both ways" exchange_pictures
fi
if has libpng && command -v pngcheck >/dev/null; then
  check "pngcheck finds our pictures good" pngcheck -q "$dir/rgb.png" "$dir/grey.png"
fi

echo
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
