#!/bin/sh
# embed.sh [--compiled DIR] FILE... - writes the C file that holds these scripts and guides
# (bindings/base/bind_scripts.h).
#
# scripts/bnn/nn/nn.lua becomes the module "bnn.nn.nn", scripts/bnn/init.lua the module "bnn", and
# scripts/help/data.md, which is no module, "help/data.md".
# DIR holds what compile_scripts.c made of the scripts; without it, in a build for another kind of
# processor, there is the text alone.
# The assembler takes the files in: as arrays of numbers they would be 9 MB of C.
set -eu

dir=
[ "$1" = --compiled ] && { dir=$2; shift 2; }

cat <<'C'
/* Made by scripts/build/embed.sh from the files in scripts/. */
#include "bind_scripts.h"

C
echo "const char bind_scripts_lua[] = \"${dir:+$(cat "$dir/lua_ident")}\";"
echo

# size path, of each file and of what it was compiled to
{
  wc -c "$@" | sed '$!b; / total$/d'
  [ -z "$dir" ] || (cd "$dir" && find scripts -name '*.luac' -exec wc -c {} + | sed '/ total$/d')
} | awk -v dir="$dir" '
  function module_of(path) {
    sub(/^scripts\//, "", path)
    if (path ~ /\.md$/) return path
    sub(/\.lua$/, "", path); sub(/\/init$/, "", path); gsub(/\//, ".", path)
    return path
  }
  function take_in(label, path) {
    printf "        \"%s: .incbin \\\"%s\\\"\\n .byte 0\\n\"\n", label, path
  }
  { size[$2] = $1 }
  $2 !~ /\.luac$/ { paths[++n] = $2 }
  END {
    for (i = 1; i <= n; i++) { # one for each, as clang warns of long strings
      print "__asm__(\".section .rodata\\n\""
      take_in("bind_text_" i, paths[i])
      code = paths[i] "c"
      if (code in size) take_in("bind_code_" i, dir "/" code)
      print "        \".text\\n\");"
    }
    for (i = 1; i <= n; i++) {
      printf "extern const unsigned char bind_text_%d[];\n", i
      if (paths[i] "c" in size) printf "extern const unsigned char bind_code_%d[];\n", i
    }
    print "\nconst bind_script bind_scripts[] = {"
    for (i = 1; i <= n; i++) {
      code = paths[i] "c"
      printf "  {\"%s\", \"%s\", bind_text_%d, %d, %s, %d},\n", module_of(paths[i]), paths[i], i,
        size[paths[i]], code in size ? "bind_code_" i : "NULL", size[code]
    }
    print "  {NULL, NULL, NULL, 0, NULL, 0},\n};"
    printf "const size_t bind_script_count = %d;\n", n
  }'
