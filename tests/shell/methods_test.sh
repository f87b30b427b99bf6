#!/bin/sh
# methods_test.sh - experiments/methods.lua on the command line: rows for all methods, the same bytes
# for any number of workers, runs that are made once, refusals in one line. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_DATA
BNNLUA_OFFLINE=1 XDG_CACHE_HOME=$T/no XDG_DATA_DIRS=$T/no
export BNNLUA_OFFLINE XDG_CACHE_HOME XDG_DATA_DIRS

script=$(cd "$tests/../experiments" && pwd)/methods.lua
write_sets 'idx.set(T .. "/mnist", 300, 150)
  idx.make(T .. "/others") idx.part(T .. "/others", "t10k", {n = 40, seed = 9})'
mkdir "$T/here"

# run ARGUMENTS: sets out, err, rc
run() {
  (cd "$T/here" && "$bnnlua" "$script" "$@" >"$T/out" 2>"$T/err" </dev/null)
  rc=$?
  out=$(cat "$T/out") err=$(cat "$T/err")
}

# results FILE: what a run printed but for what its processes cost
results() { sed '/^cost of a run/,/^$/d' "$1"; }

names=$("$bnnlua" -e "package.path = '${script%.lua}/?.lua;' .. package.path
  print(table.concat(require 'method_list'.names(), ' '))")
few="--data_dir=$T/mnist --ood_data=$T/others --steps=8 --batch_size=50 --hidden=8 --no_record"

# ---------------------------------------------------------------- images
# shellcheck disable=SC2086 # a list of words
{
  run $few --seeds=2 --methods=map,ivon,sghmc --set=sghmc.draws=4,ivon.draws=4 --runs="$T/runs" --workers=2 --csv="$T/all.csv"
  equal "status" 0 "$rc"
  equal "the first line names the data" "data: MNIST, 300 training and 150 test images" "$(head -1 "$T/out")"
  for name in map ivon sghmc; do
    equal "$name: predictions, others, cost; no row of differences for the first" \
      "$([ $name = map ] && echo 3 || echo 5)" "$(grep -c "^$name " "$T/out")"
  done
  equal "lines keep to 120 columns" 0 "$(awk 'length($0) > 120' "$T/out" | wc -l)"
  equal "csv: a line for each value" "26" "$(grep -c -e '^map,' -e '^ivon,' -e '^sghmc,' "$T/all.csv")"
  has "figures are named" "wrote figures/methods_mnist/error.svg" "$err"
  for figure in error nll auroc_others cost_samplers reliability_of_variational reliability_ivon; do
    equal "$figure is drawn" 1 "$(grep -c '</svg>' "$T/here/figures/methods_mnist/$figure.svg")"
  done
  cp "$T/out" "$T/first"
  run $few --seeds=2 --methods=map,ivon,sghmc --set=sghmc.draws=4,ivon.draws=4 --runs="$T/runs" --figures=
  equal "again: the same bytes" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  equal "again: nothing is run twice" 3 "$(grep -c "goes on: 2 of 2 runs are done" "$T/err")"
  run $few --seeds=2 --methods=map,ivon,sghmc --set=sghmc.draws=4,ivon.draws=4 --runs="$T/runs1" --workers=1 --figures=
  results "$T/first" >"$T/want"
  results "$T/out" >"$T/got"
  equal "one worker: the same results" 0 "$(cmp "$T/want" "$T/got" >&2; echo $?)"
  run $few --seeds=3 --methods=map,mfvi --set=mfvi.draws=3 --runs="$T/runs" --figures= --status
  equal "--status: what is done of what there is" "map 2 0 0 3,mfvi 0 0 0 3," \
    "$(tail -3 "$T/out" | grep '^m.*[0-9]' | tr -s ' ' | tr '\n' ',')"
  equal "--status: runs nothing" 6 "$(find "$T/runs" -name run.json | wc -l)"
  run $few --seeds=3 --methods=map,mfvi --set=mfvi.draws=3 --runs="$T/runs" --figures=
  has "more seeds: what is there stays" "goes on: 2 of 3 runs are done" "$err"
  equal "more seeds: a record of each run" 10 "$(find "$T/runs" -name run.json | wc -l)"
  run $few --seeds=1 --methods=map --runs="$T/runs" --figures=
  equal "fewer seeds: the others do not count" 3 "$(grep -c '^map  *1 ' "$T/out")"

  run $few --methods=map,ivno
  equal "a method that there is not: one line" "1 1" "$rc $(wc -l <"$T/err")"
  has "a method that there is not: it is named" "no method 'ivno'; there are map, dropout, " "$err"
  run $few --methods=map,map
  equal "a method twice: one line" "1 1" "$rc $(wc -l <"$T/err")"
  for word in sghmc.rate=1 sghmc.lr=fast map lr=1 ivon.lr=1; do
    run $few --methods=map,sghmc --set=$word
    equal "--set=$word: one line" "1 1" "$rc $(wc -l <"$T/err")"
    has "--set=$word: what is expected" "expected METHOD.NAME=NUMBER" "$err"
  done
  run --data_dir="$T/no"
  equal "no data: one line" "1 1" "$rc $(wc -l <"$T/err")"
  run --help
  equal "--help" "0 0" "$rc $(long_lines "$T/out" "$script")"
}

# ---------------------------------------------------------------- a look at all of them
run --quick --data_dir="$T/mnist" --ood_data="$T/others" --runs="$T/quick" --no_record --steps=12 --figures= --hidden=8
equal "quick: status" 0 "$rc"
has "quick: it says what it is" "no comparison" "$out"
for name in $names; do
  equal "quick: a row of $name" 1 "$(sed -n '/^predictions$/,/^$/p' "$T/out" | grep -c "^$name ")"
done

# ---------------------------------------------------------------- numbers
run --dataset=energy --methods=map --no_record
equal "numbers that are not here: status" 1 "$rc"
has "numbers that are not here: where they are looked for" "in \$BNNLUA_DATA/uci or --data_dir, found none" "$err"
run --dataset=cubic --splits=2 --seeds=2 --steps=20 --methods=map,swag --runs="$T/numbers" \
  --no_record --workers=2
equal "numbers: status" 0 "$rc"
has "numbers: splits" "200 training and 1000 test rows in each of 2 splits" "$out"
equal "numbers: four runs of each" 1 "$(sed -n '/^predictions/,/^$/p' "$T/out" | grep -c '^swag  *4 ')"
has "numbers: paired by split" "difference to map, paired by split" "$out"
for figure in rmse log_density crps cost_optima; do
  equal "$figure is drawn" 1 "$(grep -c '</svg>' "$T/here/figures/methods_cubic/$figure.svg")"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
