#!/bin/sh
# embed.sh FILE... - writes the C file that holds these scripts and guides (bindings/base/bind_scripts.h).
#
# scripts/bnn/nn/nn.lua becomes the module "bnn.nn.nn", scripts/bnn/init.lua the module "bnn", and
# scripts/help/data.md, which is no module, "help/data.md".
# od, as it is on every system; the extra 0 at the end keeps an empty file's array from being empty.
set -eu

module_of() {
  echo "$1" | sed -e 's|^scripts/||' -e '/\.md$/b' -e 's|\.lua$||' -e 's|/init$||' -e 's|/|.|g'
}

cat <<'C'
/* Made by scripts/build/embed.sh from the files in scripts/. */
#include "bind_scripts.h"

C
n=0
for script in "$@"; do
  n=$((n + 1))
  echo "static const unsigned char script_${n}[] = {"
  od -An -v -tx1 "$script" | sed 's/ \(..\)/0x\1,/g'
  echo "0};"
done

echo
echo "const bind_script bind_scripts[] = {"
n=0
for script in "$@"; do
  n=$((n + 1))
  echo "  {\"$(module_of "$script")\", \"$script\", script_$n, sizeof script_$n - 1},"
done
echo "  {NULL, NULL, NULL, 0},"
echo "};"
echo "const size_t bind_script_count = $n;"
