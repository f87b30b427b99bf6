#!/usr/bin/env bash
# goldens.sh TREE [OLD_TREE] - the SHA-256 of what short runs of a built tree's experiments print on
# standard output, and of the tensors of a checkpoint, with one thread and with two; beside another
# tree (an older commit, built in a folder of its own) the runs whose bytes differ. For changes that
# are to change no behaviour. Hashes of one kind of processor mean nothing on another.
# BNNLUA_DATA: the real data sets; without them the experiments draw their own.
set -euo pipefail
[ $# -eq 1 ] || [ $# -eq 2 ] || { echo "usage: ${0##*/} TREE [OLD_TREE]" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BNNLUA_RUNS= BNNLUA_OFFLINE=1 LC_ALL=C
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4

runs=(
  "mnist --steps=300 --log_interval=100"
  "mnist --steps=300 --kl=sum --temperature=1"
  "mlp --steps=200"
  "vae --steps=100"
  "lenet --epochs=1"
  "lenet --epochs=1 --bayesian"
  "cubic --steps=300 --predict_samples=50"
  "ood --steps=100 --predict_samples=10"
)

hash_of() { sha256sum <"$1" | cut -c1-64; }

# hashes TREE: a line for each run, "HASH NAME"
hashes() {
  local tree program run threads name words
  tree=$(cd "$1" && pwd) program=$tree/build/bnnlua
  [ -x "$program" ] || { echo "${0##*/}: no program at $program" >&2; return 1; }
  for run in "${runs[@]}"; do
    for threads in 1 2; do
      read -ra words <<<"$run"
      name="$run --threads=$threads"
      (cd "$work" && "$program" "$tree/experiments/${words[0]}.lua" "${words[@]:1}" \
        --threads=$threads >out 2>err) || { echo "$name:" >&2; cat "$work/err" >&2; return 1; }
      echo "$(hash_of "$work/out") $name"
    done
  done
  (cd "$work" && rm -rf kept && "$program" "$tree/experiments/mnist.lua" --steps=50 \
    --checkpoint=kept --checkpoint_every=25 >out 2>err) || { cat "$work/err" >&2; return 1; }
  # The header names flags and options, which may be renamed: the tensors follow it.
  tail -c "+$(($(od -An -t u8 -N 8 "$work/kept/step_00000025.safetensors") + 9))" \
    "$work/kept/step_00000025.safetensors" >"$work/out"
  echo "$(hash_of "$work/out") the tensors of a checkpoint of mnist, step 25"
}

hashes "$1" >"$work/new"
if [ $# -eq 1 ]; then
  cat "$work/new"
  exit
fi
hashes "$2" >"$work/old"
differing=$({ diff "$work/old" "$work/new" || true; } | sed -n 's/^> [0-9a-f]* /differs: /p')
[ -z "$differing" ] || { echo "$differing"; exit 1; }
echo "$(wc -l <"$work/new") runs, the same bytes"
