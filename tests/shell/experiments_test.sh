#!/bin/sh
# experiments_test.sh - the experiments beside mnist.lua on the command line: they run on small data,
# say the same bytes for the same command on any number of threads, draw what they promise, and
# refuse what is wrong in one line. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_DATA
BNNLUA_OFFLINE=1 XDG_CACHE_HOME=$T/no XDG_DATA_DIRS=$T/no
export BNNLUA_OFFLINE XDG_CACHE_HOME XDG_DATA_DIRS

folder=$(cd "$tests/../experiments" && pwd)
write_sets 'idx.set(T .. "/mnist", 300, 150)
  idx.make(T .. "/others") idx.part(T .. "/others", "t10k", {n = 40, seed = 9})'

# run NAME ARGUMENTS: sets out, err, rc; pictures go where it runs
mkdir "$T/here"
run() {
  script=$folder/$1.lua
  shift
  (cd "$T/here" && "$bnnlua" "$script" "$@" >"$T/out" 2>"$T/err" </dev/null)
  rc=$?
  out=$(cat "$T/out") err=$(cat "$T/err")
}

# short NAME: the arguments of a short run
short() {
  case $1 in
  cubic) echo --steps=40 --predict_samples=20 ;;
  tabular) echo --steps=40 --n=200 --predict_samples=20 ;;
  pruning) echo "--data_dir=$T/mnist --steps=6 --batch_size=50 --predict_samples=3 --fractions=0.5 --figures=" ;;
  lenet) echo "--data_dir=$T/mnist --epochs=1 --batch_size=50" ;;
  rnn) echo "--data_dir=$T/mnist --epochs=1 --batch_size=50 --units=8" ;;
  resnet) echo "--data_dir=$T/mnist --epochs=1 --batch_size=50 --channels=4" ;;
  *) echo "--data_dir=$T/mnist --steps=6 --batch_size=50" ;;
  esac
}

has_checkpoints=false
"$bnnlua" -e 'os.exit(require "bnn.core".json_encode(true) ~= nil)' && has_checkpoints=true

# is_png FILE WHAT: it has the shape that WHAT says
is_png() {
  got=$("$bnnlua" -e "print(table.concat(require 'bnn'.data.read('$1'):shape(), ' x '))" 2>&1)
  equal "$1" "$2" "$got"
}

# ---------------------------------------------------------------- each of them
# shellcheck disable=SC2046 # short gives a list of words
for name in mlp vae lenet resnet rnn cubic pruning tabular; do
  run $name $(short $name) --stop_patience=1 --monitor=max:test/none
  equal "$name: a metric that there is not" 1 "$rc"
  has "$name: it is named" "monitor = 'test/none', which evaluate does not return; it returns test/" "$err"
  run $name --threads=2 $(short $name)
  equal "$name: status" 0 "$rc"
  has "$name: the first line names the data" "data: " "$(head -1 "$T/out")"
  has "$name: diagnostics before the first step" "      0 | test/" "$out"
  cp "$T/out" "$T/first"
  for threads in 1 3; do
    run $name --threads=$threads $(short $name)
    equal "$name: the same bytes with --threads=$threads" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  done
  run $name --seed=2 $(short $name)
  equal "$name: another seed gives others" 1 "$(cmp -s "$T/first" "$T/out"; echo $?)"
  if $has_checkpoints; then
    rm -rf "$T/kept" "$T/kept2"
    run $name $(short $name) --checkpoint="$T/kept" --checkpoint_every=2
    equal "$name: checkpoints do not show" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
    equal "$name: the last three and the best are kept" 4 "$(find "$T/kept" -type f | wc -l)"
    cp -r "$T/kept" "$T/kept2"
    rm "$(find "$T/kept2" -name 'step_*' | sort | tail -1)"
    run $name $(short $name) --checkpoint="$T/kept2" --checkpoint_every=2 --resume --threads=3
    has "$name --resume" "resumed from $T/kept2/step_" "$err"
    equal "$name --resume: the same last lines" "$(tail -2 "$T/first")" "$(tail -2 "$T/out")"
    file=$(cd "$T/kept" && find . -name 'step_*' | sort | tail -1)
    equal "$name --resume: the same file" 0 "$(cmp "$T/kept/$file" "$T/kept2/$file" >&2; echo $?)"
  fi
  run $name --help
  equal "$name --help" "0 " "$rc $err"
  equal "$name --help keeps to 80 columns" 0 "$(long_lines "$T/out" "$script")"
  run $name --sede=3
  equal "$name: a wrong flag: status" 1 "$rc"
  has "$name: a wrong flag" "--seed" "$err"
  equal "$name: a wrong flag is one line" 1 "$(wc -l <"$T/err")"
  equal "$name through a closed pipe ends well" "" \
    "$(cd "$T/here" && "$bnnlua" "$folder/$name.lua" $(short $name) 2>&1 >/dev/full </dev/null |
      grep -c traceback | grep -v '^0$')"
done

for name in mlp vae lenet resnet rnn; do
  run $name --data_dir="$T/no"
  equal "$name: no data: status" 1 "$rc"
  has "$name: no data" "$T/no" "$err"
done

# ---------------------------------------------------------------- what they draw
rm -rf "$T/here/figures"
run vae --data_dir="$T/mnist" --steps=6 --log_interval=3 --latent_size=2
has "vae says what it drew" "wrote figures/vae_plane.png" "$err"
for step in 000000 000003 000006; do
  equal "vae: samples at $step" 1 "$(find "$T/here/figures" -name "vae_samples_$step.png" | wc -l)"
done
is_png "$T/here/figures/vae_samples_000006.png" "345 x 345"
is_png "$T/here/figures/vae_reconstructions.png" "171 x 693"
is_png "$T/here/figures/vae_plane.png" "1737 x 1737"
rm -rf "$T/here/figures"
run vae --data_dir="$T/mnist" --steps=2 --figures=
equal "vae: no pictures where none are asked for" "0 0" "$rc $(find "$T/here" -name '*.png' | wc -l)"
equal "vae: and it says nothing" "" "$err"

run pruning "--data_dir=$T/mnist" --steps=2 --batch_size=50 --predict_samples=2 --fractions=0,0.5 --figures=a/p
has "pruning: a row for each share and way" "magnitude        50%" "$out"
equal "pruning draws the ratios" 1 "$(grep -c '</svg>' "$T/here/a/p/pruning_snr.svg")"
equal "pruning draws the accuracies" 1 "$(grep -c '</svg>' "$T/here/a/p/pruning.svg")"
run cubic --steps=20 --figures=a/b
equal "cubic draws into a folder that it makes" 1 "$(grep -c '</svg>' "$T/here/a/b/cubic.svg")"
: >"$T/here/file"
run cubic --steps=20 --figures=file
equal "cubic: a picture that fails does not stop the run" 0 "$rc"
has "cubic: but it is said" "cannot draw " "$err"

# ---------------------------------------------------------------- the transformer
tiny="--steps=3 --more_steps=2 --width=8 --blocks=1 --predict_samples=2"
small="$tiny --context=16 --heads=2"
# shellcheck disable=SC2086 # a list of words
{
  printf 'the quick brown fox jumps over the lazy dog\n%.0s' $(seq 40) >"$T/fox.txt"
  run transformer $small --write=12 --file="$T/fox.txt" --threads=2
  equal "transformer: status" 0 "$rc"
  equal "transformer: the first line names the text" \
    "data: $T/fox.txt, 1584 training and 176 test characters, 28 different ones" "$(head -1 "$T/out")"
  has "transformer: a table" "network    bits  accuracy" "$out"
  has "transformer: the text backwards" "AUROC of a stretch" "$out"
  equal "transformer: it writes as much as is asked for" 12 \
    "$(sed '1,/^it writes$/d' "$T/out" | head -c -1 | wc -c)"
  cp "$T/out" "$T/first"
  for threads in 1 3; do
    run transformer $small --write=12 --file="$T/fox.txt" --threads=$threads
    equal "transformer: the same bytes with --threads=$threads" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  done
  run transformer $small --write=0 --file="$T/fox.txt" --seed=2
  equal "transformer: another seed gives others" 1 "$(cmp -s "$T/first" "$T/out"; echo $?)"
  equal "transformer: --write=0 writes nothing" 0 "$(grep -c '^it writes' "$T/out")"
  run transformer $small --write=0
  has "transformer: it learns the guides where there is no file" "data: the guides of bnnlua, " \
    "$(head -1 "$T/out")"
  run transformer $small --file="$T/none.txt"
  equal "transformer: no file, one line" "1 1" "$rc $(wc -l <"$T/err")"
  has "transformer: no file" "$T/none.txt: No such file" "$err"
  run transformer $tiny --file="$T/fox.txt" --context=500
  has "transformer: a text that is too short" "fox.txt: too short for --context" "$err"
  run transformer $tiny --heads=3
  has "transformer: heads that do not divide" "--heads: expected a divisor of --width=8, got 3" "$err"
  run transformer --help
  equal "transformer --help" "0 0" "$rc $(long_lines "$T/out" "$script")"
}

# ---------------------------------------------------------------- out of distribution
ood="--data_dir=$T/mnist --steps=6 --batch_size=50 --predict_samples=5"
few="--ood_data=$T/others,noise --figures="
# shellcheck disable=SC2086 # lists of words
{
  run ood $ood $few --threads=2
  equal "ood: it says nothing on stderr" "0 " "$rc $err"
  equal "ood: the first line" "data: MNIST, 300 training and 150 test images" "$(head -1 "$T/out")"
  for network in bayesian plain dropout; do
    has "ood: diagnostics of $network" "      6 | test/$network/accuracy" "$out"
    has "ood: the report of $network" "$network network, in: MNIST, test, 150 examples" "$out"
  done
  has "ood: the sets" "out: others (40), noise (150)" "$out"
  equal "ood: it ends with a row for each network and score" 11 \
    "$(grep -A 20 "^AUROC" "$T/out" | grep -c '^[a-z]* *[a-z_]* *[01][.][0-9]* *[01][.][0-9]*$')"
  equal "ood: and what each refuses" 11 "$(tail -11 "$T/out" | grep -c '%.*%.*%$')"
  cp "$T/out" "$T/first"
  for threads in 1 3; do
    run ood $ood $few --threads=$threads
    equal "ood: the same bytes with --threads=$threads" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  done
  if $has_checkpoints; then
    run ood $ood $few --checkpoint="$T/kept_ood"
    equal "ood: checkpoints do not show" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
    for row in bayesian:class_std plain:entropy dropout:entropy; do
      equal "ood: the rule of the ${row%:*} network is kept" "${row#*:} 0.99 75" "$("$bnnlua" -e "
        local model = assert(require 'bnn'.checkpoint.open '$T/kept_ood/${row%:*}')
        local rule = model.extras.calibration.rule
        print(('%s %g %d'):format(rule.score, rule.percentile, rule.n))")"
    done
    run ood $ood $few --checkpoint="$T/kept_ood" --resume
    for network in bayesian plain dropout; do
      has "ood: $network is taken from its checkpoint" "resumed from $T/kept_ood/$network/" "$err"
    done
    equal "ood: ... and ends the same" "$(tail -28 "$T/first")" "$(tail -28 "$T/out")"
  fi
  run ood $ood --figures=
  has "ood: what is not found is skipped" "skipping notmnist: not found; bnnlua -m data get" "$err"
  has "ood: ... and said of each" "skipping fashion-mnist: " "$err"
  has "ood: letters and noise are always there" "out: letters unlike digits (10000), noise (150)" "$out"
  run ood $ood --ood_data=notmnits
  equal "ood: a set that was asked for: status" 1 "$rc"
  has "ood: a set that was asked for" "did you mean 'notmnist'?" "$err"
  equal "ood: a set that was asked for, one line" 1 "$(wc -l <"$T/err")"
  run ood $ood --ood_data=noise,noise
  equal "ood: a set twice, one line" "1 1" "$rc $(wc -l <"$T/err")"
  has "ood: a set twice" "--ood_data names noise twice" "$err"
  run ood --data_dir="$T/no"
  equal "ood: no data, one line" "1 1" "$rc $(wc -l <"$T/err")"
  run ood --help
  equal "ood --help" "0 0" "$rc $(long_lines "$T/out" "$script")"
  rm -rf "$T/here/figures"
  run ood $ood --ood_data="$T/others",noise
  equal "ood: what it draws" "$(find "$T/here/figures" -name 'ood_*.svg' | wc -l)" \
    "$(grep -c '^wrote figures/' "$T/err")"
  equal "ood: pictures do not show on stdout" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  (cd "$T/here" && PATH=$T/no "$bnnlua" "$folder/ood.lua" $ood --ood_data="$T/others",noise \
    >"$T/out" 2>"$T/err" </dev/null)
  equal "ood: without gnuplot the run goes on" 0 $?
  equal "... and ends the same" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  has "... and says so" "gnuplot is not installed" "$(cat "$T/err")"
  equal "... once a network" 3 "$(wc -l <"$T/err")"
}

# ---------------------------------------------------------------- sweeps
beta="--data_dir=$T/mnist --steps=6 --beta=1,0.01 --logvar=-1,-7 --kl=sum --hidden=8 --seeds=2
  --predict_samples=3 --no_record --ood_data=$T/others" # 40 images, where letters are 10,000
# shellcheck disable=SC2086 # a list of words
{
  run sweep_beta $beta --runs="$T/swept" --workers=2
  equal "sweep_beta: status" 0 "$rc"
  equal "sweep_beta: the first line" "data: MNIST, 300 training and 150 test images" "$(head -1 "$T/out")"
  has "sweep_beta: all is done" "4 trials: 4 completed" "$out"
  for title in accuracy "negative log-likelihood" "AUROC of others"; do
    has "sweep_beta: $title as a table" "$title, kl=sum
logvar " "$out"
  done
  has "sweep_beta: it has a report" "report: $T/swept/sweeps/sweep_beta-" "$err"
  equal "sweep_beta: heat maps" 3 "$(find "$T/here/figures" -name 'sweep_beta_*_sum.svg' | wc -l)"
  equal "sweep_beta: a record of each run, and no other" 8 "$(find "$T/swept" -name run.json | wc -l)"
  equal "sweep_beta: nothing beside the figures" figures "$(ls "$T/here" | grep -v -e '^file$' -e '^a$')"
  cp "$T/out" "$T/first"
  run sweep_beta $beta --runs="$T/swept" --workers=1 --figures=
  equal "sweep_beta again: the same bytes" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  has "sweep_beta again: nothing is run twice" "goes on: 8 of 8 runs are done" "$err"
  run sweep_beta $beta --runs="$T/swept1" --workers=1 --figures= --quiet
  equal "sweep_beta: the same bytes for one worker" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  run sweep_beta --data_dir="$T/mnist" --steps=1 --beta=1 --logvar=-7 --hidden=8 --seeds=1 --kl=sum \
    --predict_samples=1 --no_record --runs="$T/swept2" --workers=1 --figures=
  has "sweep_beta: what is not found is skipped" "skipping notmnist: " "$err"
  has "sweep_beta: and letters take its place" "AUROC of letters unlike digits, kl=sum" "$out"
  run sweep_beta --help
  equal "sweep_beta --help" "0 0" "$rc $(long_lines "$T/out" "$script")"
}

temperature="--data_dir=$T/mnist --steps=6 --batch_size=50 --temperatures=1,0.01 --hidden=8 --seeds=2
  --predict_samples=3 --no_record --ood_data=$T/others"
row_of() { awk -v t="$1" '$1 == t { $1 = $1; print }' "$2"; } # its words
# shellcheck disable=SC2086 # a list of words
{
  run temperature $temperature --runs="$T/tempered" --workers=2 --figures=tempered
  equal "temperature: status" 0 "$rc"
  equal "temperature: the first line" "data: MNIST, 300 training and 150 test images" "$(head -1 "$T/out")"
  # beta N / first dimension: 1e-3 * 300 / 784, and / 10 for the last bias
  has "temperature: the tutorial's by tensor" "mlp/linear_0/w  784 x 8    0.0003827      51.12" "$out"
  equal "temperature: a row for each, and the tutorial's" "1 0.01 tutorial:" \
    "$(awk '/^temperature/ { on = 1; next } on { printf "%s%s", (n++ ? " " : ""), $1 }' "$T/out")"
  has "temperature: of the tutorial from the coldest to the hottest" "tutorial: 0.000383 to 0.0375" "$out"
  has "temperature: what no network has seen" "AUROC against others; se: standard error over 2 seeds" "$out"
  equal "temperature: a figure for each metric" 6 "$(find "$T/here/tempered" -name 'temperature_meanfield_*.svg' | wc -l)"
  equal "temperature: the tutorial is in it" 1 \
    "$(grep -c "the tutorial" "$T/here/tempered/temperature_meanfield_nll.svg" | grep -v '^0$' | sed 's/.*/1/')"
  equal "temperature: a record of each run" 6 "$(find "$T/tempered" -name run.json | wc -l)"
  cp "$T/out" "$T/first"
  run temperature $temperature --runs="$T/tempered" --workers=1 --figures=
  equal "temperature again: the same bytes" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  has "temperature again: nothing is run twice" "goes on: 6 of 6 runs are done" "$err"
  run temperature $temperature --runs="$T/tempered1" --workers=1 --figures= --quiet
  equal "temperature: the same bytes for one worker" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  run temperature $temperature --runs="$T/tempered2" --workers=2 --figures= --tempers=posterior
  equal "temperature of the posterior: at 1 they are the same" "$(row_of 1 "$T/first")" "$(row_of 1 "$T/out")"
  has "temperature of the posterior: there is one below" "0.01 0." "$(row_of 0.01 "$T/out")"
  [ "$(row_of 0.01 "$T/first")" != "$(row_of 0.01 "$T/out")" ]
  equal "temperature of the posterior: below 1 they differ" 0 $?
  lacks "temperature of the posterior: the tutorial has none" tutorial "$out"
  run temperature $temperature --runs="$T/tempered3" --workers=2 --figures=sampled --method=sghmc
  equal "temperature by sghmc" 0 "$rc"
  lacks "temperature by sghmc: no KL" " kl " "$out"
  equal "temperature by sghmc: figures" 5 "$(find "$T/here/sampled" -name 'temperature_sghmc_*.svg' | wc -l)"
  run temperature --help
  equal "temperature --help" "0 0" "$rc $(long_lines "$T/out" "$script")"
  run temperature --temperatures=0
  equal "temperature: 0 is none, one line" "1 1" "$rc $(wc -l <"$T/err")"
}

# ---------------------------------------------------------------- the variance of gradients
variance="--data_dir=$T/mnist --steps=6 --batch_size=50 --log_interval=3 --hidden=8 --batches=3 --draws=2
  --variance_batch_sizes=50,100"
# shellcheck disable=SC2086 # a list of words
{
  run gradient_variance $variance --threads=2 --figures=noise
  equal "gradient_variance: status" 0 "$rc"
  equal "gradient_variance: the first line" "data: MNIST, 300 training and 150 test images" "$(head -1 "$T/out")"
  for name in reparameterization two_samples antithetic local_reparameterization flipout; do
    has "gradient_variance: $name on the way" "      3 | noise/logvar/$name" "$out"
  done
  equal "gradient_variance: tables at both ends for both sizes" "0:50 0:100 6:50 6:100" \
    "$(sed -n 's/^after \([0-9]*\) steps, batches of \([0-9]*\); .*/\1:\2/p' "$T/out" | paste -sd ' ')"
  equal "gradient_variance: rows of both layers and of all" 120 \
    "$(grep -c '^\(mu\|logvar\) *\(mlp/linear_[01]/w\|all\) ' "$T/out")"
  equal "gradient_variance: what it draws" 4 "$(grep -l '</svg>' "$T/here/noise"/gradient_variance_*.svg | wc -l)"
  cp "$T/out" "$T/first"
  for threads in 1 3; do
    run gradient_variance $variance --threads=$threads --figures=
    equal "gradient_variance: the same bytes with --threads=$threads" 0 "$(cmp "$T/first" "$T/out" >&2; echo $?)"
  done
  run gradient_variance $(echo "$variance" | sed s/steps=6/steps=0/) --figures= --estimators=flipout --train_with=flipout
  equal "gradient_variance: one estimator, no step" 0 "$rc"
  equal "gradient_variance: a table for each size" 2 "$(grep -c '^after 0 steps' "$T/out")"
  run gradient_variance $variance --figures= --estimators=flip
  equal "gradient_variance: an estimator that there is not, one line" "1 1" "$rc $(wc -l <"$T/err")"
  has "gradient_variance: it is named" "no estimator 'flip'; there are reparameterization, " "$err"
  run gradient_variance --help
  equal "gradient_variance --help" "0 0" "$rc $(long_lines "$T/out" "$script")"
}

# sweep_custom.lua, with less to do
sed -e 's/{500, 1000, 2000}/{2, 3}/' -e 's/trials = 24/trials = 10/' "$folder/sweep_custom.lua" \
  >"$T/sweep_custom.lua"
cp "$folder/cubic.lua" "$T"
grep -q 'steps = {2, 3}' "$T/sweep_custom.lua" && grep -q 'trials = 10' "$T/sweep_custom.lua" || fail "sed"
(cd "$T/here" && BNNLUA_RUNS=$T/custom "$bnnlua" "$T/sweep_custom.lua" >"$T/out" 2>"$T/err" </dev/null)
equal "sweep_custom: status" 0 $?
has "sweep_custom: all is done" "10 trials: 10 completed" "$(cat "$T/out")"
has "sweep_custom: what mattered" "what mattered (PED-ANOVA): " "$(cat "$T/out")"
has "sweep_custom: its report" "report: $T/custom/sweeps/custom/report.html" "$(cat "$T/err")"

# ---------------------------------------------------------------- Bayesian or not
# shellcheck disable=SC2046
{
  run lenet --bayesian $(short lenet)
  has "a Bayesian LeNet has a KL" "test/kl_divergence" "$out"
  run lenet $(short lenet)
  lacks "a plain one has none" "test/kl_divergence" "$out"
  for flags in "" --bayesian "--norm=group --bayesian"; do
    # shellcheck disable=SC2086 # a list of words
    run resnet $flags $(short resnet) --predict_samples=3 --ood_data="$T/others"
    equal "resnet $flags: status" "0 " "$rc $err"
    for figure in test/accuracy test/nll test/ece ood/auroc; do
      has "resnet $flags: $figure" "      6 | $figure" "$out"
    done
  done
  run resnet "--data_dir=$T/mnist" --channels=6
  equal "resnet: channels that are no groups are one line" "1 1" "$rc $(wc -l <"$T/err")"
  has "resnet: channels that are no groups" "--channels: expected a multiple of 4, got 6" "$err"
  for flags in --bayesian "--cell=gru --bidirectional --bayesian" --cell=rnn; do
    # shellcheck disable=SC2086 # a list of words
    run rnn $flags $(short rnn) --predict_samples=3 --ood_data="$T/others"
    equal "rnn $flags: status" "0 " "$rc $err"
    for figure in test/accuracy test/nll test/ece ood/auroc; do
      has "rnn $flags: $figure" "      6 | $figure" "$out"
    done
    equal "rnn $flags: other figures than before" 1 "$(cmp -s "$T/first" "$T/out"; echo $?)"
    cp "$T/out" "$T/first"
  done
  "$bnnlua" -e "local bnn = require 'bnn'
    for name, shape in pairs{colour = {40, 8, 8, 3}, wide = {40, 6, 9}} do
      local x, y = bnn.rand(bnn.key(1), table.unpack(shape)), bnn.arange(0, 39)
      assert(bnn.data.save('$T/' .. name .. '.npz', {x_train = x, y_train = y, x_test = x, y_test = y}))
    end"
  run rnn --dataset="$T/wide.npz" --units=4 --epochs=1 --batch_size=10
  equal "rnn: images that are wider than high" "0 " "$rc $err"
  run rnn --dataset="$T/colour.npz"
  equal "rnn: images in colour are one line" "1 1" "$rc $(wc -l <"$T/err")"
  has "rnn: images in colour" "--dataset: expected images [n, rows, columns], got [40, 8, 8, 3]" "$err"
  run cubic --learn_noise $(short cubic)
  equal "cubic learns its noise" 0 "$rc"
}

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
