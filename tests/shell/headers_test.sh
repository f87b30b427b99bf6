#!/bin/sh
# headers_test.sh - the headers as `make install` lays them out, for a C program in strict C11: bnn.h
# as <bnnlua/bnn.h> and with its own folder in the path, and all of them. CC is the compiler.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"

env -u MAKEFLAGS -u MAKELEVEL make -s -C "$tests/.." CC="${CC:-cc}" install-headers DESTDIR="$T" PREFIX=
double=
[ "${REAL:-float}" != double ] || double=-DBNN_REAL_DOUBLE

# compiles NAME FLAG SOURCE: without a word of the compiler
compiles() {
  echo "$3" >"$T/program.c"
  # shellcheck disable=SC2086 # CC and double may be several words or none
  if ${CC:-cc} -std=c11 -pedantic -Wall -Wextra -Werror $double "$2" -fsyntax-only "$T/program.c" \
    >"$T/err" 2>&1; then pass; else fail "$1" "$T/err"; fi
}

use='int main(void) { bnn_context *context; return bnn_context_new(&context, 1, 0); }'
compiles "bnn.h below include" "-I$T/include" "#include <bnnlua/bnn.h>
$use"
compiles "bnn.h with its folder in the path" "-I$T/include/bnnlua" "#include \"bnn.h\"
$use"
all=$(cd "$T/include" && find bnnlua -name '*.h' -exec echo '#include <{}>' ';' | LC_ALL=C sort)
compiles "all of them" "-I$T/include" "$all
$use"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
