#!/bin/sh
# tabular_test.sh - experiments/tabular.lua on raw tables: numbers and classes in their own units,
# missing values, a checkpoint that predicts another file, and what is wrong in one line.
# experiments_test.sh runs it without a file. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_DATA

tabular=$(cd "$tests/../experiments" && pwd)/tabular.lua

# run ARGUMENTS: sets out, rc
run() {
  (cd "$T" && "$bnnlua" "$tabular" --steps=60 --predict_samples=10 --figures= "$@" >"$T/out" \
    2>"$T/err" </dev/null)
  rc=$?
  out=$(cat "$T/out")
}

# refused NAME PIECE ARGUMENTS: status 1, and its last line says it
refused() {
  name=$1 piece=$2
  shift 2
  run "$@"
  equal "$name: status" 1 "$rc"
  has "$name" "$piece" "$(tail -1 "$T/err")"
  equal "$name: no traceback" 0 "$(grep -c traceback "$T/err")"
}

# Semicolons, decimal commas, words, missing values; price is about 100 + 10 size.
awk 'BEGIN {
  print "id;size;kind;sold;price"
  for (i = 1; i <= 120; i++) {
    size = i % 10 + 0.5; kind = i % 3 ? "house" : "flat"
    text = i % 7 ? size : "NA"; sub("[.]", ",", text)
    price = i == 5 ? "?" : 100 + 10 * size + i % 4
    print "p" i ";" text ";" (i % 11 ? kind : "") ";" (size > 5 ? "yes" : "no") ";" price
  }
}' >"$T/houses.txt"

# ---------------------------------------------------------------- numbers
run --file=houses.txt --label=price --ignore=id,sold --checkpoint=kept
equal "numbers: status" 0 "$rc"
equal "numbers: the first line" "data: houses.txt, 120 rows, to predict price" "$(head -1 "$T/out")"
has "numbers: the columns" "  kind   category  2: flat, house, 10 missing" "$out"
has "numbers: rows without a target" "1 rows without price are left out" "$out"
has "numbers: what becomes of a column" "one_hot: flat, house, missing" "$out"
has "numbers: what is left out" "ignored" "$out"
has "numbers: units" "test rows, in the units of price" "$out"
has "numbers: intervals" "conformal intervals of 90%: mean +- " "$out"
equal "numbers: five examples" 5 "$(grep -c '^  price [0-9.]*, between .*; it is ' "$T/out")"
run --file=houses.txt --label=price --ignore=id --log_target
has "a logarithm: units" "test rows, in the units of price" "$out"
equal "a logarithm: five examples" 5 "$(grep -c '^  price [0-9.]*, between .*; it is ' "$T/out")"

# ---------------------------------------------------------------- weights of rows
awk -F';' 'NR == 1 { print $0 ";one;half" } NR > 1 { print $0 ";1;" NR % 2 * 2 }' "$T/houses.txt" \
  >"$T/weighed.txt"
metrics() { sed -n '/^test rows/,/^conformal/p' "$T/out"; }
for label in price sold; do
  run --file=weighed.txt --label=$label --ignore=id,one,half
  metrics >"$T/plain"
  run --file=weighed.txt --label=$label --ignore=id,half --weight=one
  equal "$label: rows that count once" "$(cat "$T/plain")" "$(metrics)"
  run --file=weighed.txt --label=$label --ignore=id,one --weight=half
  equal "$label: rows that count twice or not: status" 0 "$rc"
  equal "... make another network" different \
    "$([ "$(cat "$T/plain")" = "$(metrics)" ] || echo different)"
done
run --file=weighed.txt --label=price --ignore=id,one --weight=half --log_target
equal "weights beside a logarithm" 0 "$rc"
refused "another column of weights" "--weight: expected a column of the table" \
  --file=houses.txt --label=price --weight=heavy
refused "weights that are words" "'kind': expected weights, numbers, got categories" \
  --file=houses.txt --label=price --ignore=id --weight=kind
refused "the label as weights" "--weight: expected another column than the --label" \
  --file=houses.txt --label=price --ignore=id --weight=price

if "$bnnlua" -e 'os.exit(require "bnn.core".json_encode(true) ~= nil)'; then
  printf 'kind;size\nflat;3,5\nhouse;NA\n' >"$T/new.csv"
  cat >"$T/predict.lua" <<'EOF'
local bnn = require "bnn"
local model = assert(bnn.checkpoint.open "kept")
local part = model.preprocess:apply(assert(bnn.data.table("new.csv", {like = model})))
local p = model.preprocess:invert(bnn.predict(model, part, {key = bnn.key(1)}))
print(part.y, p.mean:size(1), p.mean:min():item() > 80, p.mean:max():item() < 250)
EOF
  equal "a checkpoint predicts another file in units" "nil	2	true	true" \
    "$(cd "$T" && "$bnnlua" predict.lua 2>/dev/null)"
fi

# ---------------------------------------------------------------- classes
run --file=houses.txt --label=sold --ignore=id,price
equal "classes: status" 0 "$rc"
has "classes: metrics" "accuracy" "$out"
has "classes: sets" "conformal sets of 90%: " "$out"
equal "classes: five examples" 5 "$(grep -c 'the set is {.*}; it is ' "$T/out")"
awk 'BEGIN { for (i = 1; i <= 60; i++) print i % 9 * 0.5, i % 7, i % 2 + 1 }' >"$T/plain.data"
run --file=plain.data --label=column_3 --classify
equal "numbers as classes: status" 0 "$rc"
has "numbers as classes" "column_3  target  classes: 1, 2" "$out"

# One row lacks its kind; whichever part it falls into, the run goes on.
awk 'BEGIN { print "kind,price"; for (i = 1; i <= 40; i++) print (i == 7 ? "" : "k" i % 3) "," i }' \
  >"$T/rare.csv"
for seed in 1 2 3 4 5 6; do
  run --file=rare.csv --label=price --level=0.8 --seed=$seed
  equal "a rare missing category, seed $seed: status" 0 "$rc"
done

# ---------------------------------------------------------------- hints name the flags
run --file=houses.txt --label=sold
has "a hint" "each row has a category of its own in id (--ignore=id leaves it out)" \
  "$(cat "$T/err")"
awk 'BEGIN { print "size,void,price"; for (i = 0; i < 40; i++) print i % 5 ",," i }' >"$T/none.csv"
refused "a column without values" \
  "no row to train on has a value of void (--ignore=void leaves it out)" --file=none.csv \
  --label=price --level=0.8
run --file=none.csv --label=price --level=0.8 --ignore=void
equal "a column without values, left out: status" 0 "$rc"

# ---------------------------------------------------------------- what is wrong
awk 'BEGIN { print "size,price"; for (i = 0; i < 40; i++) print i % 5 "," i }' >"$T/zero.csv"
refused "no file" "nowhere.csv" --file=nowhere.csv --label=a
refused "no label" "--label: expected a column of the table (id, size, kind, sold, price), got nothing" \
  --file=houses.txt
refused "another label" "got 'prise'" --file=houses.txt --label=prise
refused "another column to ignore" "--ignore: expected a column of the table" --file=houses.txt \
  --label=price --ignore=sise
refused "a logarithm of classes" "--log_target: expected a --label of numbers, sold is of categories" \
  --file=houses.txt --label=sold --log_target
refused "classes without a file" "--classify: expected a --file" --classify
refused "a logarithm of 0" "column 'column_2': log: expected numbers above 0, row " \
  --file=plain.data --label=column_2 --log_target
for seed in 1 2 3 4 5 6; do
  refused "a logarithm of one 0, seed $seed" "log: expected numbers above 0, row " \
    --file=zero.csv --label=price --log_target --level=0.8 --seed=$seed
done
refused "the label is left out" "--ignore: expected columns besides the --label, got price" \
  --file=houses.txt --label=price --ignore=price
refused "a level near 1" "got 0.9999" --file=houses.txt --label=sold --level=0.9999
refused "too few rows to promise so much" "--level: expected at most 0.96 with 24 rows to calibrate" \
  --file=houses.txt --label=sold --level=0.99
head -5 "$T/houses.txt" >"$T/few.txt"
refused "few rows" "expected at least 10 rows with price, got 4" --file=few.txt --label=price

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
