#!/bin/sh
# mnist_test.sh - experiments/mnist.lua on the command line: what is refused and how, what goes to
# which stream, the same bytes for the same command, pipes and signals. The data are small sets that
# tests/lua/idx_files.lua writes. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_DATA

mnist=$tests/../experiments/mnist.lua

# Nothing is downloaded, nothing found in the user's cache or the system.
BNNLUA_OFFLINE=1 XDG_CACHE_HOME=$T/no XDG_DATA_DIRS=$T/no
export BNNLUA_OFFLINE XDG_CACHE_HOME XDG_DATA_DIRS

# ---------------------------------------------------------------- data
write_sets 'idx.set(T .. "/mnist", 300, 150)
  idx.make(T .. "/others") idx.part(T .. "/others", "t10k", {n = 40, seed = 9})
  idx.set(T .. "/counts", 300, 150) idx.part(T .. "/counts", "train", {n = 300, labels = 299})
  idx.set(T .. "/label", 300, 150, {label = function(i) return i == 77 and 10 or 1 end})
  idx.set(T .. "/one", 300, 150) os.remove(T .. "/one/train-labels-idx1-ubyte")
  idx.set(T .. "/cut", 300, 150) idx.make(T .. "/empty")'

# run ARGUMENTS: a short run; sets out, err, rc
run() {
  "$bnnlua" "$mnist" "$@" >"$T/out" 2>"$T/err" </dev/null
  rc=$?
  out=$(cat "$T/out") err=$(cat "$T/err")
}
small="--data_dir=$T/mnist --steps=30 --batch_size=50 --predict_samples=10"

# refused NAME PIECE ARGUMENTS: status 1 and one line on stderr that has the piece
refused() {
  name=$1 piece=$2
  shift 2
  run "$@"
  equal "$name: status" 1 "$rc"
  equal "$name: one line" 1 "$(wc -l <"$T/err")"
  has "$name" "bnnlua: " "$err"
  has "$name" "$piece" "$err"
}

# ---------------------------------------------------------------- a run
# shellcheck disable=SC2086 # $small is a list of words
{
  run $small
  equal "a run ends well and says nothing on stderr" "0 " "$rc $err"
  equal "the first line names the data" "data: MNIST, 300 training and 150 test images" \
    "$(head -1 "$T/out")"
  equal "figures are in their form" \
    "     30 | test/kl_divergence                  " "$(grep ' 30 | test/kl_div' "$T/out" | cut -c1-46)"
  equal "diagnostics at 0 and at the end" "10 10" \
    "$(grep -c '^      0 | ' "$T/out") $(grep -c '^     30 | ' "$T/out")"
  equal "a table of ten images" 10 "$(grep -c '^ *[0-9]* *[0-9] *[0-9]  [0-9.]*%  [0-9.]*' "$T/out")"
  has "the threshold" "99th percentile of the predicted class's std, half of the test images: 0." "$out"
  has "what it refuses of the other half" " of 75 images of MNIST, test, the other half (" \
    "$(tail -1 "$T/out")"
  cp "$T/out" "$T/first"

  run $small
  equal "the same command gives the same bytes" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  for threads in 1 2 3; do
    run $small --threads=$threads
    equal "and with --threads=$threads" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  done
  run $small --seed=2
  equal "another seed gives others" 1 "$(cmp -s "$T/first" "$T/out"; echo $?)"
  run --data_dir "$T/mnist" --steps 30 --batch_size 50 --predict_samples 10
  equal "--name value is --name=value" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  BNNLUA_DATA=$T && export BNNLUA_DATA # a folder that holds the files in mnist/
  run --steps=30 --batch_size=50 --predict_samples=10
  equal "\$BNNLUA_DATA is found and its path does not show" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  unset BNNLUA_DATA
  (cd "$T/empty" && "$bnnlua" "$mnist" --data_dir=../mnist --steps=0 >"$T/out" 2>"$T/err")
  equal "a relative folder" "0 " "$? $(cat "$T/err")"

  run $small --ood_data="$T/others"
  has "--ood_data counts what is refused" " of 40 images of others (" "$(tail -1 "$T/out")"
  has "--ood_data beside the test digits" " test, the other half (" "$(tail -2 "$T/out" | head -1)"
  (cd "$T" && "$bnnlua" "$mnist" $small --ood_data=others >"$T/out2" 2>&1)
  equal "--ood_data takes a name of a folder here" 0 "$(cmp "$T/out" "$T/out2" >&2; echo $?)"
}

refused "--beta and --temperature" "--beta and --temperature are two ways to say one thing" \
  --data_dir="$T/mnist" --beta=1 --temperature=1

# ---------------------------------------------------------------- --help
run --help
equal "--help ends well" "0 " "$rc $err"
for flag in lr batch_size steps beta temperature kl logvar prior_std hidden samples eval_samples \
  predict_samples log_interval seed dataset data_dir ood_data threads; do
  has "--help shows --$flag" "--$flag=" "$out"
done
for piece in "(default 0.001)" "(default 64,64)" "(default leading)" "(default 10000)" "BNNLUA_DATA"; do
  has "--help shows $piece" "$piece" "$out"
done
equal "--help keeps to 80 columns" 0 "$(long_lines "$T/out" "$mnist")"

# ---------------------------------------------------------------- what is refused
# stands_in NAME PIECE: the program's own digits, said in the first line; stderr has the piece
stands_in() {
  run --steps=0 --predict_samples=1 --eval_samples=1
  equal "$1: status" 0 "$rc"
  equal "$1: the first line" "data: glyphs, 60000 training and 10000 test images: digits drawn by \
the program, as MNIST is not here and BNNLUA_OFFLINE is set" "$(head -1 "$T/out")"
  equal "$1: one line on stderr" 1 "$(wc -l <"$T/err")"
  has "$1" "$2" "$err"
}
stands_in "no data" 'no mnist data: BNNLUA_OFFLINE is set; `bnnlua -m data get mnist` says more'
equal "no data: in a short line" yes "$([ "$(wc -c <"$T/err")" -le 100 ] && echo yes)"
refused "--dataset=mnist is not replaced" "no mnist data: looked in" --dataset=mnist
refused "--dataset that nobody knows" "no data set or folder 'mnits': did you mean 'mnist'?" \
  --dataset=mnits
refused "--dataset that is a folder without data" "$T/empty: no IDX files there" --dataset="$T/empty"
refused "--dataset and --data_dir, two folders" "expected a name if dir is given" --dataset="$T/mnist" \
  --data_dir="$T/mnist"
refused "--dataset in --data_dir" "$T/empty: no IDX files there, nor in $T/empty/fashion-mnist" \
  --dataset=fashion-mnist --data_dir="$T/empty"
run --dataset="$T/mnist" --steps=0
equal "--dataset=PATH: the first line" "data: mnist, 300 training and 150 test images" \
  "$(head -1 "$T/out")"
run --dataset=fashion-mnist --data_dir="$T/mnist" --steps=0
equal "--dataset=NAME: the first line" "data: Fashion-MNIST, 300 training and 150 test images" \
  "$(head -1 "$T/out")"
BNNLUA_DATA=$T/empty && export BNNLUA_DATA
stands_in "no data in \$BNNLUA_DATA" "no mnist data: BNNLUA_OFFLINE is set"
BNNLUA_DATA=$T/one
refused "broken data in \$BNNLUA_DATA are not replaced" "train-labels-idx1-ubyte is missing beside"
BNNLUA_DATA=$T/mnist
refused "--data_dir never falls through to \$BNNLUA_DATA" "$T/empty: no IDX files there" --data_dir="$T/empty"
refused "--data_dir that is not there" "$T/absent: no IDX files there" --data_dir="$T/absent"
refused "--data_dir without a name" "dir: expected the path of a folder" --data_dir=
refused "one file of a pair missing" "train-labels-idx1-ubyte is missing" --data_dir="$T/one"
refused "counts that differ" "$T/counts/train-images-idx3-ubyte" --data_dir="$T/counts"
has "counts that differ: both" "299" "$err"
refused "a label over 9" "label 10 of example 77 is outside 0..9" --data_dir="$T/label"
has "a label over 9: the file" "$T/label/train-labels-idx1-ubyte" "$err"
refused "--ood_data that lacks the set" "$T/empty: no IDX files there" --ood_data="$T/empty"
refused "--ood_data that is broken" "is missing beside" --ood_data="$T/one"
if command -v gzip >/dev/null; then
  gzip "$T/cut/train-images-idx3-ubyte"
  head -c 5000 "$T/cut/train-images-idx3-ubyte.gz" >"$T/half"
  mv "$T/half" "$T/cut/train-images-idx3-ubyte.gz"
  refused "a truncated gzip" "$T/cut/train-images-idx3-ubyte.gz: the gzip data are cut short" \
    --data_dir="$T/cut"
else
  echo "mnist_test: there is no gzip: a truncated one is skipped"
fi

while read -r flag piece; do
  refused "$flag" "$piece" "$flag" --steps=1
done <<'END'
--batch_size=0 --batch_size: expected at least 1
--batch_size=301 batch_size is 301, the data have 300 examples
--hidden=0 --hidden: expected at least 1
--hidden=64,x --hidden: expected an integer
--beta=abc --beta: expected a number
--beta=-1 --beta: expected at least 0
--beta=nan --beta: expected a number
--beat=1 unknown flag --beat: did you mean --beta?
--lr=0 --lr: expected more than 0
--kl=both one of leading, sum
--logvar=81 --logvar: expected at most 80
--seed=1.5 --seed: expected an integer
--samples=0 --samples: expected at least 1
--threads=-1 --threads: expected at least 0
extra unexpected argument extra
--beta --beta: expected a value
END
refused "a value that is no number" "--steps: expected an integer" --steps=many

# shellcheck disable=SC2086
refused "a loss that becomes NaN" "not a number: the loss is nan" $small --lr=1e6
has "NaN: the step" "bnnlua: step " "$err"
has "NaN: what to try" "try a smaller learning rate than lr=1e+06" "$err"
has "NaN: the diagnostics before it were shown" "      0 | test/accuracy" "$out"

cat >"$T/script.lua" <<'END'
local bnn = require "bnn"
local e = {about = "a mistake", defaults = {}}
function e.run()
  local net = bnn.transform(function(x) return bnn.nn.linear(3)(x) + bnn.zeros(4) end)
  net:init(bnn.key(1), bnn.zeros(2, 5))
end
return bnn.main(e)
END
"$bnnlua" "$T/script.lua" >"$T/out" 2>"$T/err"
equal "an error in a user's script: status" 1 $?
err=$(cat "$T/err")
has "... says what" "do not broadcast" "$(head -1 "$T/err")"
has "... and where" "script.lua:4:" "$(head -1 "$T/err")"
has "... with a traceback" "stack traceback:" "$err"
has "... that leads to the line" "script.lua:5:" "$err"

# ---------------------------------------------------------------- pipes
# shellcheck disable=SC2086
{
  equal "the first line through a pipe" "data: MNIST, 300 training and 150 test images" \
    "$("$bnnlua" "$mnist" $small 2>"$T/err" | head -1)"
  "$bnnlua" "$mnist" $small 2>/dev/null | cat >"$T/out"
  equal "the same bytes through a pipe" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  equal "head ends without a traceback" 0 "$(grep -c traceback "$T/err")"
  if [ -w /dev/full ]; then
    "$bnnlua" "$mnist" $small >/dev/full 2>"$T/err"
    equal "a full disk fails" 1 $?
    has "... and says so" "No space left" "$(head -1 "$T/err")"
    equal "... in one line" 1 "$(wc -l <"$T/err")"
  fi
}

# ---------------------------------------------------------------- signals
# signalled SIGNAL: sent once the training is under way
signalled() {
  : >"$T/out"
  (
    ulimit -t 20
    exec "$bnnlua" "$mnist" --data_dir="$T/mnist" --steps=100000000 --batch_size=50 \
      --log_interval=100000000
  ) >"$T/out" 2>"$T/err" </dev/null &
  child=$!
  tries=0
  while ! grep -q 'train/mean' "$T/out" && [ $tries -lt 200 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
  sleep 0.1
  kill -"$1" $child 2>/dev/null
  wait $child 2>/dev/null
  rc=$?
  err=$(cat "$T/err")
}
signalled INT
equal "Ctrl-C ends with 130" 130 $rc
has "... and a message" "interrupted by SIGINT at step " "$err"
has "... on the parameters" "the parameters are those of the last complete step" "$err"
equal "... in one line" 1 "$(wc -l <"$T/err")"
signalled TERM
equal "SIGTERM ends with 143" 143 $rc
has "... and a message" "interrupted by SIGTERM at step " "$err"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
