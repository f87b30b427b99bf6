#!/usr/bin/env bash
# lua_suite_test.sh - the official tests of Lua 5.4.4 with bnnlua as the interpreter: all.lua in its
# portable form (_U), and main.lua, which tries the stand-alone interpreter: options, -i, LUA_INIT,
# signals.
#
# LUA_TESTS=DIR has them (lua-5.4.4-tests, or `testes` of Lua's repository at v5.4.4). Else they come
# with the source of the Python package lupa 2.0, through pip; where that cannot be had, a skip with
# a word.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_SCRIPTS

skip() {
  echo "$1: skipped"
  echo "0 passed, 0 failed"
  exit 0
}

archive_sha256=ad3fef486be7adddd349fe9a9c393789061312cf98ebc533b489be34f484cb79
fetch() { # leaves the tests in $T/suite
  python3 -m pip download -q --no-deps --no-binary lupa -d "$T/archive" lupa==2.0 || return
  echo "$archive_sha256  $T/archive/lupa-2.0.tar.gz" | sha256sum --quiet -c || return
  mkdir "$T/suite" && tar -xzf "$T/archive/lupa-2.0.tar.gz" -C "$T/suite" --strip-components=4 \
    lupa-2.0/third-party/lua54/testes
}

if [ -n "${LUA_TESTS:-}" ]; then
  cp -r "$LUA_TESTS" "$T/suite" || exit 1
else
  fetch >"$T/log" 2>&1 || skip "no tests of Lua 5.4.4 here, and none through pip (LUA_TESTS=DIR)"
fi
[ -f "$T/suite/all.lua" ] && [ -f "$T/suite/main.lua" ] || skip "there is no all.lua in LUA_TESTS"
cd "$T/suite" || exit 1

# suite NAME LAST ARGUMENT...: it succeeds, and the last line that it means to print is there
suite() {
  timeout 600 "$bnnlua" "${@:3}" >"$T/out" 2>&1 </dev/null
  equal "$1: status" 0 $?
  has "$1: to its end" "$2" "$(tail -3 "$T/out")"
  [ "$failed" -eq 0 ] || tail -20 "$T/out"
}
suite "all.lua" "final OK !!!" -e '_U = true' all.lua
suite "main.lua" "OK" main.lua

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
