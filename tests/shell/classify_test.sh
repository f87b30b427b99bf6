#!/bin/sh
# classify_test.sh - experiments/classify.lua on the command line, behind a training with checkpoints
# by experiments/mnist.lua: what goes to which stream, statuses, pipes. The data are a small set that
# tests/lua/idx_files.lua writes. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_DATA
BNNLUA_OFFLINE=1 XDG_CACHE_HOME=$T/no XDG_DATA_DIRS=$T/no
export BNNLUA_OFFLINE XDG_CACHE_HOME XDG_DATA_DIRS

experiments=$(cd "$tests/../experiments" && pwd)
classify=$experiments/classify.lua

if ! "$bnnlua" -e 'os.exit(require "bnn.core".json_encode(true) ~= nil)'; then
  echo "classify_test: this program is built without jansson: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi
if ! "$bnnlua" -e "local bnn = require 'bnn'
    os.exit(bnn.data.save('$T/probe.png', bnn.zeros(2, 2):to 'u8') ~= nil)"; then
  echo "classify_test: this program is built without libpng: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

# ---------------------------------------------------------------- a training to ask
write_sets 'idx.set(T .. "/mnist", 300, 150)
  local bnn = require "bnn"
  local x = bnn.data.load(T .. "/mnist").test.x
  for i = 1, 10 do
    assert(bnn.data.save(("%s/%d.png"):format(T, i - 1), x:select(1, i):contiguous()))
  end'
"$bnnlua" "$experiments/mnist.lua" --data_dir="$T/mnist" --steps=100 --batch_size=50 --hidden=16 \
  --predict_samples=20 --checkpoint="$T/night" --checkpoint_every=50 >"$T/out" 2>"$T/err" </dev/null
equal "the training ends well" "0 " "$? $(cat "$T/err")"
kept='local saved = bnn.checkpoint.load(arg[1])
  local fit = saved.extras and saved.extras.calibration
  print(fit and ("%s %g %d"):format(fit.rule.score, fit.rule.percentile, fit.n))'
echo "local bnn = require 'bnn' $kept" >"$T/kept.lua"
for name in best step_00000100; do
  equal "the checkpoint $name has its calibration" "class_std 0.99 75" \
    "$("$bnnlua" "$T/kept.lua" "$T/night/$name.safetensors")"
done
equal "an older one has none" nil "$("$bnnlua" "$T/kept.lua" "$T/night/step_00000050.safetensors")"

# ---------------------------------------------------------------- answers
# run ARGUMENTS: in the folder of the pictures; sets out, err, rc
run() {
  (cd "$T" && "$bnnlua" "$classify" "$@" >"$T/out" 2>"$T/err" </dev/null)
  rc=$?
  out=$(cat "$T/out") err=$(cat "$T/err")
}

# predictions: those of the last run
predictions() { awk '/png/ {printf "%s%s", s, $2; s = " "}' "$T/out"; }
digits="0.png 1.png 2.png 3.png 4.png 5.png 6.png 7.png 8.png 9.png"

# shellcheck disable=SC2086 # $digits is a list of words
{
  run --checkpoint=night --no_preprocess $digits
  equal "a run ends well and says nothing on stderr" "0 " "$rc $err"
  equal "each digit is known" "0 1 2 3 4 5 6 7 8 9" "$(predictions)"
  has "the rule" "I don't know: std above 0." "$(tail -1 "$T/out")"
  has "the rule: where it is from" ", as on 1% of 75 validation images" "$(tail -1 "$T/out")"
  cp "$T/out" "$T/first"
  run --checkpoint=night/best.safetensors --no_preprocess --threads=3 $digits
  equal "a folder is its best, and threads change nothing" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  run --no_preprocess $digits --checkpoint night --seed 2
  equal "another seed gives others" 1 "$(cmp -s "$T/first" "$T/out"; echo $?)"
  run --checkpoint=night --threshold=0 --no_preprocess $digits
  equal "--threshold=0 answers nothing" 10 "$(grep -c "I don't know$" "$T/out")"
  run --checkpoint=night/step_00000050.safetensors --no_preprocess $digits
  equal "without a rule: status" 0 "$rc"
  equal "without a rule: it is said" \
    "night/step_00000050.safetensors: has no abstention rule, so every prediction is an answer (--threshold=T sets one)" \
    "$err"
  equal "without a rule: nothing is refused" "image  prediction  probability    std" "$(head -1 "$T/out")"
  run --checkpoint=night 3.png
  equal "pictures are fitted where nothing else is said" "0 image 3.png I" \
    "$rc $(awk '{printf "%s%s", s, $1; s = " "}' "$T/out")"
  run --checkpoint=night --show --no_preprocess 3.png
  has "--show draws it" "%%%%%" "$out"
  equal "--show on a pipe is plain text" 0 "$(grep -c "$(printf '\033')" "$T/out")"
  if command -v gnuplot >/dev/null; then
    run --checkpoint=night --no_preprocess $digits --figure=a/seen.png
    equal "--figure" "0 wrote a/seen.png" "$rc $err"
    equal "--figure does not change the answers" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
    equal "--figure is a picture" true "$("$bnnlua" -e "
      print(require 'bnn'.data.read('$T/a/seen.png'):size(1) > 3 * 84)")"
  fi
}

# ---------------------------------------------------------------- what is refused
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
echo "no picture" >"$T/text.png"
: >"$T/empty.png"
: >"$T/empty.safetensors"
mkdir "$T/pictures" "$T/nothing"
(cd "$T" && "$bnnlua" "$experiments/cubic.lua" --steps=2 --predict_samples=2 --figures= \
  --checkpoint=cubic >/dev/null 2>&1)
refused "no checkpoint is named" "--checkpoint: expected a value" 3.png
refused "no pictures" "no pictures are given" --checkpoint=night
refused "a checkpoint that is not there" "absent: No such file" --checkpoint=absent 3.png
refused "a folder without checkpoints" "nothing: no checkpoints found" --checkpoint=nothing 3.png
refused "an empty file" "empty.safetensors: " --checkpoint=empty.safetensors 3.png
refused "a picture as the checkpoint" "3.png: " --checkpoint=3.png 3.png
refused "a regression" "expected a classifier" --checkpoint=cubic 3.png
refused "a picture that is not there" "absent.png: No such file" --checkpoint=night absent.png
refused "what is no picture" "text.png: starts with" --checkpoint=night text.png
refused "an empty picture" "empty.png: " --checkpoint=night empty.png
refused "a folder of pictures" "pictures: Is a directory" --checkpoint=night pictures
refused "a figure of another kind" "--figure: expected a name that ends in" --checkpoint=night \
  --figure=seen.gif 3.png
refused "a wrong flag" "unknown flag --treshold: did you mean --threshold?" --treshold=1 3.png
refused "a threshold below 0" "--threshold: expected at least 0" --checkpoint=night --threshold=-1 3.png

run --checkpoint=night --no_preprocess absent.png 0.png text.png 1.png
equal "some pictures are broken: status" 1 "$rc"
equal "... each is told" "absent.png: text.png:" \
  "$(awk '{for (i = 1; i <= NF; i++) if ($i ~ /png:/) {printf "%s%s", s, $i; s = " "}}' "$T/err")"
equal "... and the others are answered" "0 1" "$(predictions)"

run --help
equal "--help" "0 " "$rc $err"
has "--help shows what the words are" "[--flag=value ...] image.png ..." \
  "$(head -3 "$T/out" | tr -s ' \n' ' ')"
equal "--help keeps to 80 columns" 0 "$(long_lines "$T/out" "$classify")"

# ---------------------------------------------------------------- pipes
equal "the first line through a pipe" "image  prediction  probability    std  answer" \
  "$(cd "$T" && "$bnnlua" "$classify" --checkpoint=night --no_preprocess 0.png 2>"$T/err" | head -1)"
equal "head ends without a word" "" "$(cat "$T/err")"
if [ -w /dev/full ]; then
  (cd "$T" && "$bnnlua" "$classify" --checkpoint=night 0.png >/dev/full 2>"$T/err")
  equal "a full disk fails" "1 1" "$? $(wc -l <"$T/err")"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
