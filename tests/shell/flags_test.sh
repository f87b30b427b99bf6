#!/bin/sh
# flags_test.sh - the rooms that draw the same numbers on every processor are compiled without contraction
# of a * b + c, and no other is: as make would compile each file of the runtime.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"

env -u MAKEFLAGS -u MAKELEVEL BUILD="$T/build" CC="$CC" SAN="$SAN" REAL="$REAL" \
  make -C "$tests/.." -n all >"$T/commands" 2>"$T/err" || fail "make -n" "$T/err"
grep -o -- '-std=.*-c -o [^ ]*/runtime/[^ ]*\.o runtime/.*' "$T/commands" >"$T/compiled"
grep -e ' -ffp-contract=off ' "$T/compiled" | sed 's|.* runtime/||; s|/[^/]*$||' | sort -u >"$T/exact"
grep -v -e ' -ffp-contract=off ' "$T/compiled" | sed 's|.* runtime/||; s|/[^/]*$||' | sort -u >"$T/others"
equal "the exact rooms" "images noise tensor" "$(xargs <"$T/exact")"
equal "every file of them is compiled so" "" "$(comm -12 "$T/exact" "$T/others" | xargs)"
has "other rooms are not" "ops/densities" "$(cat "$T/others")"
copies=$(grep -c 'vec_noise\.[a-z0-9]*\.o' "$T/compiled")
has "a copy of vec_noise for each instruction set" "yes" "$([ "$copies" -ge 1 ] && echo yes)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
