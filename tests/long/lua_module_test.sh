#!/usr/bin/env bash
# lua_module_test.sh - bnn.so: require "bnn" from the stock lua5.4 gives the program's library, an
# experiment that it runs prints the same bytes, several Lua states share it, nothing of it is seen
# but luaopen_bnn, and the rockspec builds and installs it without a network.
#
# Needs lua5.4; luarocks for its part. What lacks is a skip with a word. The build takes some minutes.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
root=$(cd "$tests/.." && pwd)
cd "$root" || exit 1

skip() {
  echo "$1: skipped"
  echo "$passed passed, $failed failed"
  exit 0
}
command -v lua5.4 >/dev/null || skip "there is no lua5.4 here"
[ -z "${SAN:-}" ] || skip "a sanitizer must be in the host"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_SCRIPTS
unset MAKEFLAGS MAKELEVEL MFLAGS

build=$BUILD/module
if ! nice make -j2 CC="$CC" REAL="$REAL" BUILD="$BUILD" module >"$T/log" 2>&1; then
  fail "make module" "$T/log"
  echo "$passed passed, $failed failed"
  exit 1
fi
so=$(cd "$build" && pwd)/bnn.so
export LUA_CPATH="${so%/*}/?.so;;"
equal "one symbol is seen" luaopen_bnn "$(nm -D --defined-only "$so" | awk '{print $3}')"
equal "it brings no Lua" "" "$(ldd "$so" | grep -o 'liblua[^ ]*')"

# both CODE: what lua5.4 and the program print
both() {
  lua5.4 -e "$1" >"$T/module" 2>"$T/module.err"
  equal "status: $1" 0 $?
  "$bnnlua" -e "$1" >"$T/program" 2>&1
  equal "the same: $1" "$(cat "$T/program")" "$(cat "$T/module" "$T/module.err")"
}
both 'local names = {} for name, value in pairs(require "bnn") do
  names[#names + 1] = name .. " " .. type(value) end table.sort(names) print(table.concat(names, "\n"))'
both 'require "bnn".help()'
both 'require "bnn".help "train"'
both 'local bnn = require "bnn" local x = bnn.randn(bnn.key(1), 200, 300) print(x:mm(x:t()))'
both 'print(pcall(require "bnn".train, {}))'
both 'local bnn = require "bnn" for _, row in ipairs(bnn.versions()) do print(row.name, row.version) end'
equal "at the prompt too" 300 "$(printf 'bnn = require "bnn"\nio.write("", bnn.zeros(300):size(1), "\\n"); print()\n' |
  lua5.4 -i 2>/dev/null | grep -o '300$' | head -1)"
equal "nothing is taken over before something runs" same "$(lua5.4 -e '
  local function handlers() return io.open "/proc/self/status":read "a":match "SigIgn.*SigCgt[^\n]*" end
  local before = handlers() require "bnn" print(handlers() == before and "same" or "other")')"
equal "-E does not read BNNLUA_THREADS" 0 "$(BNNLUA_THREADS=none lua5.4 -E -e "
  package.cpath = '${so%/*}/?.so' require 'bnn'" >/dev/null 2>&1; echo $?)"
has "a tool says where it is" "the tools are run by the program: bnnlua -m runs" \
  "$(lua5.4 -l bnn -e 'require "tools.runs"' 2>&1)"
has "what needs the program says so" "this needs the program bnnlua" \
  "$(lua5.4 -l bnn -e 'print(require "bnn.loader".program())')"

# ---------------------------------------------------------------- experiments
export BNNLUA_OFFLINE=1 XDG_CACHE_HOME=$T/no XDG_DATA_DIRS=$T/no
write_sets 'idx.set(T .. "/mnist", 300, 150)'
experiments=$root/experiments
cd "$T" || exit 1
for row in "cubic --steps=40 --predict_samples=20" "mnist --data_dir=$T/mnist --steps=20" \
  "vae --data_dir=$T/mnist --steps=6 --batch_size=50 --figures=" "mnist --help"; do
  # shellcheck disable=SC2086 # words
  set -- $row
  for host in lua5.4 "$bnnlua"; do
    "$host" "$experiments/$1.lua" "${@:2}" 2>"$T/err" >"$T/out.${host##*/}"
    equal "$row under ${host##*/}: status" 0 $?
  done
  sed -i 's/^usage: lua5.4 /usage: bnnlua /' out.lua5.4
  if cmp "out.${bnnlua##*/}" out.lua5.4 >"$T/why" 2>&1; then pass; else fail "$row: the same bytes" "$T/why"; fi
done
lua5.4 "$experiments/mnist.lua" --sede=3 >out 2>err
equal "a wrong flag" "1 lua5.4: unknown flag --sede: did you mean --seed?" "$? $(cat err)"
lua5.4 -l bnn -e '
  local x = bnn.randn(bnn.key(1), 8, 3)
  local objective = bnn.objective{params = bnn.nn.linear(1):init(bnn.key(1), x),
    loss = function(p, batch) return ((batch.x:mm(p["linear/w"])) ^ 2):sum(2) end}
  bnn.train{objective = objective, optimizer = bnn.optim.sgd{lr = 0.01}, key = bnn.key(1), steps = 100000,
    data = bnn.data.from_tensors{x = x}, batch_size = 8, on_step = function(step)
      if step == 5 then io.popen "kill -INT $PPID":close() end end}' >out 2>err
equal "an interrupted training ends" 1 $?
has "... in one line" "lua5.4: interrupted by SIGINT" "$(tail -1 err)"

# ---------------------------------------------------------------- several states
flags=$(sed -n 's/^LUA_\(CFLAGS\|LIBS\) :=//p' "$root/$BUILD"/config-*.mk 2>/dev/null ||
  sed -n 's/^LUA_\(CFLAGS\|LIBS\) :=//p' "$BUILD"/config-*.mk)
want=$("$bnnlua" -e 'local bnn = require "bnn" local x = bnn.randn(bnn.key(1), 300, 300)
  print(("%.4f"):format(x:mm(x):sum():item()))')
# shellcheck disable=SC2086 # flags
if $CC -o two_states "$tests/long/two_states.c" $flags >log 2>&1; then
  equal "two states of one process" ok "$(timeout 60 ./two_states "${so%/*}/?.so" "$want" 2>&1)"
else
  fail "two_states.c does not compile" log
fi

# ---------------------------------------------------------------- the rock
command -v luarocks >/dev/null || skip "there is no luarocks here: the rockspec"
cd "$root" || exit 1
rock=scripts/build/bnn-scm-1.rockspec
rocks() { luarocks --lua-version 5.4 --tree "$T/tree" "$@" >"$T/log" 2>&1; }
if rocks lint "$rock"; then pass; else fail "luarocks lint" "$T/log"; fi
if rocks make --deps-mode=none "$rock" CC="$CC" BUILD="$BUILD"; then pass; else fail "luarocks make" "$T/log"; fi
equal "the rock's module loads" "table" "$(cd "$T" && LUA_CPATH="$T/tree/lib/lua/5.4/?.so" lua5.4 -e '
  print(type(require "bnn".train) == "function" and "table")')"
if rocks remove bnn; then pass; else fail "luarocks remove" "$T/log"; fi
make -s CC="$CC" BUILD="$BUILD" PREFIX="$T/usr" install-module >"$T/log" 2>&1
equal "make install-module" "$T/usr/lib/lua/5.4/bnn.so" "$(find "$T/usr" -type f)"

cd / || exit 1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
