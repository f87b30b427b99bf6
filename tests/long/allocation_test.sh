#!/usr/bin/env bash
# allocation_test.sh [MOST [SCENARIO...]] - what becomes of operations in which an allocation fails, in
# Lua, in the runtime or in a library: up to MOST (400) allocations of each are tried.  See
# allocations.lua for what is asked of them; whole programs end with their result or with a word.
. "$(dirname "$0")/../shell/checks.sh"
most=${1:-400}
[ $# -eq 0 ] || shift

case ${SAN:-} in
*address*) echo "0 passed, 0 failed"; exit 0 ;; # which has an allocator of its own
esac
lua=$(pkg-config --cflags lua5.4 2>/dev/null || echo -I/usr/include/lua5.4)
# shellcheck disable=SC2086
if ! ${CC:-gcc} -shared -fPIC -O1 $lua -o "$T/fail_alloc.so" "$tests/long/fail_alloc.c" 2>"$T/log"; then
  fail "fail_alloc.c does not compile" "$T/log"
  echo "$passed passed, $failed failed"
  exit 1
fi
LUA_CPATH_5_4="$T/?.so;;"
export LUA_CPATH_5_4

# ---- operations ----
# PostgreSQL's among them, where a server can be started.
. "$tests/shell/postgres.sh"
trap 'postgres_stop immediate; rm -rf "$T"' EXIT
if [[ $# = 0 || " $* " == *" postgres "* ]] && postgres_start "$T/pg" fsync=off; then
  export POSTGRES_URL="$postgres_url?sslmode=disable&gssencmode=disable"
fi
mkdir "$T/files" "$T/files/steps" "$T/files/resume"
if LD_PRELOAD="$T/fail_alloc.so" "$bnnlua" "$tests/long/allocations.lua" "$T/files" "$most" "$@" \
  >"$T/out" 2>"$T/err"; then pass; else cat "$T/err" >>"$T/out"; fail "operations" "$T/out"; fi
counts=$(tail -n 1 "$T/out")
case $counts in
*" passed, "*" failed") passed=$((passed + ${counts%% *})) ;;
esac

# ---- whole programs, from their first allocation on ----
cat >"$T/program.lua" <<'END'
local bnn = require "bnn"
local core = require "bnn.core"
print(core.json_encode{1, "\u{fc}"}, bnn.ones(3):sum():item())
END
want=$("$bnnlua" "$T/program.lua")
tries=$((most < 60 ? most : 60))
n=1 k=0
while [ $k -lt "$tries" ]; do
  for from in "$n" "$n+"; do
    FAIL_ALLOC=$from LD_PRELOAD="$T/fail_alloc.so" timeout 60 "$bnnlua" "$T/program.lua" \
      >"$T/out" 2>"$T/err"
    status=$?
    if [ $status -eq 0 ]; then
      equal "a program whose allocation $from failed" "$want" "$(cat "$T/out")"
    elif [ $status -eq 1 ] && [ -s "$T/err" ]; then
      pass
    else
      fail "a program whose allocation $from failed ends with status $status" "$T/err"
    fi
  done
  k=$((k + 1)) n=$((n + 1 + n / 7))
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
