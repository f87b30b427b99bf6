#!/bin/sh
# program_test.sh - the stand-alone program: the same as lua5.4 on a table of invocations (standard
# output, standard error, exit status), then what it has besides. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_SCRIPTS

mkdir "$T/lua" "$T/bnn" "$T/work" "$T/empty"

# ---------------------------------------------------------------- the same as lua5.4
# Both are started as `prog`, each from its own folder, so that messages carry the same name.
ln -s "$bnnlua" "$T/bnn/prog"
cd "$T/work" || exit 1

echo 'print(...) for i = -9, 9 do if arg[i] then print(i, arg[i]) end end' >args.lua
printf '#!/usr/bin/env lua\nprint("first line skipped")\nerror("at line 3")\n' >fails.lua
echo 'x = = 1' >syntax.lua
echo 'return {value = 42}' >mod.lua
echo 'error("while loading")' >badmod.lua
echo 'print("file named -", ...)' >./-
echo 'init = "from file"' >init.lua
mkdir tools && echo 'return "own"' >tools/data.lua
printf 'local a <close> = setmetatable({}, {__close = function() print "closed" end})\nerror "x"\n' >close.lua
printf 'local function f(n) if n == 0 then error("deep") end f(n - 1) end f(50)\n' >deep.lua
printf 'print(1)\nos.exit(%s)\n' true >exit_true.lua

# run_both STDIN ARGUMENTS: leaves {lua,bnn}.{out,err,rc} in $T
run_both() {
  printf '%s' "$1" >"$T/stdin"
  shift
  for which in lua bnn; do
    PATH=$T/$which prog "$@" <"$T/stdin" >"$T/$which.out" 2>"$T/$which.err"
    echo $? >"$T/$which.rc"
  done
}

compare() { # NAME KINDS
  name=$1
  shift
  for kind in "$@"; do
    if ! diff "$T/lua.$kind" "$T/bnn.$kind" >"$T/why"; then
      fail "$name ($kind; < lua5.4, > bnnlua)" "$T/why"
      return
    fi
  done
  pass
}

same() { # ARGUMENTS
  run_both '' "$@"
  compare "same: $*" out err rc
}

same_stdin() { # STDIN ARGUMENTS
  run_both "$@"
  compare "same, from stdin: $*" out err rc
}

# Usage texts differ below their first line, which is the message.
same_refusal() {
  run_both '' "$@"
  for which in lua bnn; do sed -i 2,99d "$T/$which.err"; done
  compare "same: $*" out err rc
}

# lua5.4's readline echoes what it reads from a pipe: what is printed is compared, not the prompts.
same_prompt() { # STDIN ARGUMENTS
  run_both "$@"
  for which in lua bnn; do
    sed -e 's/^\(>>* \)*//' -e '/^out:/!d' "$T/$which.out" >"$T/$which.said"
  done
  [ -s "$T/lua.said" ] || fail "the row prints nothing: $*"
  compare "same at the prompt: $*" said err rc
}

compare_with_lua() {
  same -e 'print(1)' -e 'print(2)'
  same '-eprint(3)'
  same -e 'print(1)' -e 'error "z"' -e 'print(2)'
  same -e 'x = 1' -e 'print(x)'
  same -e ''
  same -e 'x ='
  same -e 'return 1, 2'
  same -e 'for i = -5, 5 do print(i, arg[i]) end'
  same -e 'error()'
  same -e 'error(nil)'
  same -e 'error {}'
  same -e 'error(1.5)'
  same -e 'error(true)'
  same -e 'error("no position", 0)'
  same -e 'error(setmetatable({}, {__tostring = function() return "as text" end}))'
  same -e 'error(setmetatable({}, {__tostring = function() return 1 end}))'
  same -e 'error(setmetatable({}, {__tostring = function() error "inner" end}))'
  same -e 'coroutine.wrap(function() error "inside" end)()'
  same -e 'coroutine.wrap(function() error {} end)()'
  same -e 'local function f() return f() + 1 end f()'
  same -e 'local function f() f() end print(pcall(f))'
  same -e 'string.rep("x", 1 << 40)'
  if sh -c 'ulimit -v 1000000; "$0" -e ""; exit $?' "$bnnlua" 2>/dev/null; then
    (ulimit -v 1000000 && run_both '' -e 'local s = ("x"):rep(1 << 31)')
    compare "same: out of memory" out err rc
  else
    echo "program_test: out of memory is skipped: this build needs more than 1 GB to start"
  fi
  same -e 'os.exit(true, true)'
  same -e 'os.exit(false)'
  same -e 'os.exit(7)'
  same -e 'setmetatable({}, {__gc = function() print "gc" end}) os.exit(3, true)'
  same -e 'setmetatable({}, {__gc = function() print "gc at close" end})'
  same -e 'setmetatable({}, {__gc = function() error "gc" end})'
  same -W -e 'setmetatable({}, {__gc = function() error "gc" end})'
  same -e 'warn "silent" warn "@on" warn("a", "b") warn "@off" warn "c"'
  same -W -e 'warn "heard"'
  same -e 'warn "before"' -W -e 'warn "after"'
  same -e 'print(collectgarbage "incremental")'
  same -e 'print(debug.traceback "here")'
  same -e 'print(bnn, help, _VERSION)'
  same -e 'print(#package.searchers > 3, package.path, package.cpath)'
  same -e 'print(os.setlocale())'
  same -e 'local n = 0 for _ in pairs(_G) do n = n + 1 end print(n)'
  same -l mod -e 'print(mod.value)'
  same -lmod -e 'print(mod.value)'
  same -l g=mod -e 'print(g.value, mod)'
  same -l g=string -e 'print(g == string)'
  same -l badmod
  same -l absent
  same -lx=y=z
  same -E -l mod -e 'print(mod.value)'
  same -e 'print(require "tools.data")'
  same -e 'print(pcall(require, "a.b.c"))'
  same args.lua
  same args.lua a b -c --help
  same -e 'x = 1' args.lua 'a b' ''
  same -W -E -l mod -- args.lua -x
  same fails.lua
  same syntax.lua
  same close.lua
  same deep.lua
  same exit_true.lua
  same absent.lua
  same -- -x
  same -- -
  same -- - a b
  same -e 'arg = nil' args.lua
  same -e 'arg = {1, 2}' args.lua
  same -e 'arg = {}; for i = 1, 300 do arg[i] = i end' -e 'print(#arg)' args.lua
  run_both '' -i absent.lua # the banners differ
  compare "same: -i absent.lua" err rc
  same "$T/work"
  same_refusal -x
  same_refusal -vv
  same_refusal -W-
  same_refusal -E1
  same_refusal -ifoo
  same_refusal --x
  same_refusal -e
  same_refusal -l
  same_refusal -e -v
  same_refusal -e 'print(1)' -z
  same_stdin 'print(arg[0], ...)' -
  same_stdin 'print(arg[0], arg[1], ...)' - a b
  same_stdin 'print(arg[0], ...)'
  same_stdin 'print(arg[0], ...)' --
  same_stdin 'print(arg[0], mod.value)' -lmod
  same_stdin 'print "not read"' -e 'print(1)'
  run_both 'error "in stdin"'
  compare "same: an error in stdin" out err
  equal "an error in stdin fails (under lua5.4 only with -)" 1 "$(cat "$T/bnn.rc")"
  same_stdin 'error "in stdin"' -
  same_stdin 'x = = 1' -
  same_stdin '# a comment for the shell
print "second line"'
  same_stdin 'first
second' -e 'print(io.read "L", io.read "a")'
  LUA_INIT='print "init"' && export LUA_INIT
  same -e 'print(1)'
  same -E -e 'print(1)'
  LUA_INIT='error "in init"' && same -e 'print(1)'
  LUA_INIT='x = = 1' && same args.lua
  LUA_INIT=@init.lua && same -e 'print(init)'
  LUA_INIT=@absent.lua && same -e 'print(1)'
  LUA_INIT_5_4='print "5.4"' && export LUA_INIT_5_4
  same -e 'print(1)'
  LUA_INIT_5_4='error "in 5.4"' && same
  unset LUA_INIT LUA_INIT_5_4
  LUA_PATH='/nowhere/?.lua;;' && export LUA_PATH
  same -e 'print(package.path)'
  same -E -e 'print(package.path)'
  unset LUA_PATH
  same_prompt 'x = "out:1"
print(x)
x
= x
if true then
print(x .. 2)
end
error {}
error "said"
x = = 1
error(setmetatable({}, {__tostring = function() return "as text" end}))
local y <close> = setmetatable({}, {__close = function() print "out:closed" end})
"out:3", 4' -i
  same_prompt '"out:", ...
print = nil
1
' -i args.lua a
  same_prompt 'print = error
2
print = io.write
"out:\n"
coroutine.wrap(error)("lost")
"out:" .. tostring(collectgarbage("incremental")) .. "\n"' -i -e 'x = 1'
  same_prompt '"out:here"
os.exit(5)' -i
}

lua=$(command -v lua5.4)
if [ -n "$lua" ]; then
  ln -s "$lua" "$T/lua/prog"
  compare_with_lua
else
  echo "program_test: lua5.4 is not installed: the comparison with it is skipped"
fi

# ---------------------------------------------------------------- what it has besides
# run ARGUMENTS: sets out, err, rc
run() {
  out=$("$bnnlua" "$@" 2>"$T/err")
  rc=$?
  err=$(cat "$T/err")
}

run --help
equal "--help succeeds" "0 " "$rc $err"
has "--help shows lua's options" "-l g=mod" "$out"
has "--help shows -m" "-m tool" "$out"
has "--help tells how to run an experiment" "experiments/mnist.lua" "$out"
run args.lua --help
equal "--help after the script's name is the script's" "$(printf -- '--help\n')" "$(echo "$out" | head -1)"
run --version
equal "--version succeeds" 0 "$rc"
has "--version names the program" "bnnlua " "$out"
has "--version has Lua's copyright" "Lua 5.4" "$out"
has "--version has the runtime's libraries" "OpenBLAS" "$out"
has "--version has the instruction set" "instruction set" "$out"
has "--version has line editing" "line editing" "$out"
run -v
equal "-v ends with Lua's line" "Lua 5.4" "$(echo "$out" | tail -1 | cut -c1-7)"
equal "-v reads no stdin" 0 "$rc"
run -x
has "a wrong option shows the usage" "usage: " "$err"

# how an experiment is started, as its --help has it: without the interpreter's own options
mkdir 'a folder'
echo 'return require "bnn".main{about = "a", defaults = {n = {1, "number"}}, run = function() end}' |
  tee own.lua "a folder/it's.lua" >/dev/null
for options in '' '-e x=1' '-ex=1' '-l mod' '-lmod' '-W' '-E' '-W -e x=1 -l mod' '-e x=1 --' '--'; do
  # shellcheck disable=SC2086
  run $options own.lua --help
  equal "usage with $options" "usage: ${bnnlua##*/} own.lua [--flag=value ...]" \
    "$(echo "$out" | head -1)"
done
run -e 'x = 1' "a folder/it's.lua" --help
equal "usage of a path that a shell would split" \
  "usage: ${bnnlua##*/} 'a folder/it'\\''s.lua' [--flag=value ...]" "$(echo "$out" | head -1)"
out=$("$bnnlua" -e 'x = 1' - --help <own.lua)
equal "usage of a script from stdin" "usage: ${bnnlua##*/} - [--flag=value ...]" \
  "$(echo "$out" | head -1)"
run -e 'x = 1' own.lua --help=1
equal "--help takes no value" "1 bnnlua: --help takes no value" "$rc $err"
run own.lua --n=3.5
has "an integer by its default refuses a fraction" "bnnlua: --n: expected an integer, as its default is, got '3.5'" "$rc $err"
echo 'require "own"' >requires.lua
run requires.lua --help
equal "an experiment that is required does not read the flags" "0 " "$rc $out$err"

# modules
cd "$T/empty" || exit 1
run -e 'assert(package.loaded.bnn == nil and package.loaded["bnn.core"] == nil) print(bnn)'
equal "nothing of bnn is loaded at the start" "nil" "$out"
run -e 'print(type(require "bnn"), bnn)'
equal "bnn is found anywhere and makes no global" "table	nil" "$out"
run -e 'local l = require "bnn.loader" for _, s in ipairs(l.list()) do if s.name == "bnn" then print(s.path) end end'
equal "loader.list has bnn" "scripts/bnn/init.lua" "$out"
run -e 'local l = require "bnn.loader" print(load(l.source "bnn") ~= nil, l.source "bnn.absent")'
equal "loader.source reads a script" "true	nil	no script 'bnn.absent' in the program" "$out"
run -e 'print(select(2, pcall(require, "bnn.absent")))'
has "an unknown module of ours is named" "no script 'bnn.absent' in the program" "$out"
run -l bnn -e 'print(type(bnn))'
equal "-l bnn makes the global" "table" "$out"

# BNNLUA_SCRIPTS
mkdir -p "$T/dev/bnn" "$T/dev/tools"
echo 'return {where = ..., boom = function() error "boom" end}' >"$T/dev/bnn/init.lua"
echo 'return {new = true}' >"$T/dev/bnn/brand_new.lua"
echo 'print(arg[0], arg[-1], ...) return 1' >"$T/dev/tools/shout.lua"
echo 'x = = 1' >"$T/dev/bnn/broken.lua"
BNNLUA_SCRIPTS=$T/dev
export BNNLUA_SCRIPTS
run -e 'local b, path = require "bnn" print(b.where, path, require "bnn.brand_new".new)'
equal "scripts come from the folder" "bnn	$T/dev/bnn/init.lua	true" "$out"
run -e 'require "bnn".boom()'
has "tracebacks name the folder's file" "$T/dev/bnn/init.lua:1: boom" "$err"
run -E -e 'print(require "bnn".where == "bnn")'
equal "-E ignores the folder" "false" "$out"
run -e 'print((require "bnn.loader".source "bnn"):sub(1, 6))'
equal "loader.source reads the folder" "return" "$out"
run -m shout a -x
equal "-m runs a tool of the folder" "$T/dev/tools/shout.lua	-m	a	-x" "$out"
run -mshout a
equal "-mNAME is -m NAME" "$T/dev/tools/shout.lua	$bnnlua	a" "$out"
run -e 'print(1)' -m shout
equal "options before -m are obeyed" "1" "$(echo "$out" | head -1)"
run -l bnn.broken
has "a script that does not compile is named" "broken.lua:1:" "$err"
mkdir "$T/own" "$T/own/tools" "$T/own/bnn" && cd "$T/own" || exit 1
echo 'return {where = "own"}' | tee tools/shout.lua >bnn/init.lua
run -e 'print(require "tools.shout".where, require "bnn".where)'
equal "a user's tools are not shadowed, nor is bnn" "own	bnn" "$out"
cd "$T/empty" || exit 1
BNNLUA_SCRIPTS=$T/empty
run -e 'require "bnn"'
equal "a module missing in the folder is an error" 1 "$rc"
has "... that names the path" "$T/empty/bnn/init.lua" "$err"
has "... and the variable" "BNNLUA_SCRIPTS" "$err"
unset BNNLUA_SCRIPTS

equal "a statement that the input ends in is an error" "stdin:1: unexpected symbol near <eof>" \
  "$(printf 'print(1,\n' | "$bnnlua" -i 2>&1 >/dev/null)"

# tools
run -m no_such_tool
equal "an unknown tool fails" 1 "$rc"
has "... is named with the known ones" "no tool 'no_such_tool' (known: " "$err"
run -m
has "-m needs a name" "'-m' needs argument" "$err"

# output that cannot be written
if [ -w /dev/full ]; then
  full="bnnlua: cannot write to standard output: No space left on device"
  for code in 'print(1)' 'io.write "1"' 'print(1) os.exit(0)' 'io.write(("x"):rep(1e6))'; do
    equal "full disk: $code" "$full 1" \
      "$("$bnnlua" -e "$code" 2>&1 >/dev/full) $("$bnnlua" -e "$code" 2>/dev/null >/dev/full; echo $?)"
  done
fi
"$bnnlua" -e 'io.write "1"' >&- 2>/dev/null
equal "closed standard output fails" 1 $?
"$bnnlua" -e 'x = 1' >&- 2>"$T/err"
equal "closed standard output is fine when nothing is written" "0" "$?$(cat "$T/err")"

# refusals
run -e 'error(require "bnn.signal".refusal "no data here")'
equal "a refusal is one line" "1 bnnlua: no data here" "$rc $err"
run -e 'coroutine.wrap(function() error(require "bnn.signal".refusal("no data", 4)) end)()'
equal "a refusal has its status" "4 bnnlua: no data" "$rc $err"
run -e 'local s = require "bnn.signal" local _, e = pcall(error, s.refusal("m", 2))
  print(e, e.message, e.status, s.is_refusal(e), s.is_interrupt(e), s.is_refusal {})'
equal "a refusal is a value" "m	m	2	true	false	false" "$out"
run -e 'require "bnn.signal".refusal("m", 0)'
has "a refusal is a failure" "bad argument #2 to 'refusal'" "$err"
equal "at the prompt a refusal is one line" "bnnlua: not so" \
  "$(echo 'error(require "bnn.signal".refusal "not so")' | "$bnnlua" -i 2>&1 >/dev/null)"

# idle: at the prompt the threads that a loop has used sleep, and nobody waits for input by spinning
equal "a program that waits at the prompt uses no processor time" true "$({
  echo 'bnn.threads(4) bnn.randn(bnn.key(1), 1 << 20)'
  sleep 0.3
  echo 'before = os.clock()'
  sleep 0.5
  echo 'print(os.clock() - before < 0.1)'
} | "$bnnlua" -i 2>/dev/null | grep -o true)"

# every instruction set that this processor has: the same noise from the same binary
for isa in baseline avx2 avx512; do
  case $(BNNLUA_ISA=$isa "$bnnlua" -e 'require "bnn"' 2>&1) in
  *"BNNLUA_ISA"*) continue ;; # not to be had here
  esac
  BNNLUA_ISA=$isa "$bnnlua" -e 'local bnn = require "bnn"
    local k = bnn.key(7)
    local q = bnn.posterior.meanfield(bnn.nn.mlp{3, 2}:init(k, bnn.zeros(1, 5)), {logvar = -7})
    for _, x in ipairs{bnn.randn(k, 999), q.mu.flat} do
      print(string.pack(("<d"):rep(x:numel()), table.unpack(x:totable())))
    end' >"$T/noise.$isa"
  [ -s "$T/noise.baseline" ] || fail "noise on $isa"
  equal "the noise on $isa is that of baseline" same \
    "$(cmp "$T/noise.baseline" "$T/noise.$isa" && echo same)"
done

# guard without a signal
run -e 'local g = require "bnn.signal".guard
  print(g(function(...) return ... end, 1, nil, 3)) print(g(select, "#", nil, nil)) print(pcall(g, error, "e"))
  local co = coroutine.wrap(function(a) return g(function(x) return coroutine.yield(x) + 1 end, a) end)
  print(co(5)) print(co(7)) print(pcall(g))'
equal "guard passes values, errors and yields" "1	nil	3
2
false	e
5
8
false	bad argument #1 to 'bnn.signal.guard' (value expected)" "$out"
run -e 'local t = {} require "bnn.signal".guard(function() t.x.y = 1 end)'
has "an error in guard keeps its traceback" "in function 'bnn.signal.guard'" "$err"
has "... from where it was raised" "in function <(command line):1>" "$err"
run -e 'local s = require "bnn.signal" s.raise_if_pending() print(s.pending())'
equal "nothing is pending" "nil" "$out"


spin='ready() while true do end'
guard='local s = require "bnn.signal"'
signalled INT "$spin"
equal "SIGINT in a plain script is an error" 1 "$rc"
has "... interrupted!" "interrupted!
stack traceback:" "$err"
signalled TERM "$spin"
equal "SIGTERM kills a plain script" "143 " "$rc $err"
signalled INT "$guard s.guard(function() $spin end)"
equal "SIGINT in guard" "130 bnnlua: interrupted (SIGINT)" "$rc $err"
signalled TERM "$guard s.guard(function() $spin end)"
equal "SIGTERM in guard" "143 bnnlua: interrupted (SIGTERM)" "$rc $err"
signalled INT "$guard local ok, e = pcall(s.guard, function() s.guard(function() $spin end) end)
  print(ok, e, e.signal, e.name, s.is_interrupt(e), s.pending()) e.message = 'stopped at step 3' error(e)"
equal "an interrupt is a value" "false	interrupted by SIGINT	2	SIGINT	true	nil" "$out"
equal "... with a message of its own" "130 bnnlua: stopped at step 3" "$rc $err"
signalled INT "$guard coroutine.wrap(function() s.guard(function() $spin end) end)()"
equal "SIGINT in guard in a coroutine" "130 bnnlua: interrupted (SIGINT)" "$rc $err"
signalled INT "$guard s.guard(function()
  local next = coroutine.wrap(function() while true do coroutine.yield(1) end end) ready() while next() do end end)"
equal "SIGINT in guard that resumes a coroutine" "130 bnnlua: interrupted (SIGINT)" "$rc $err"
signalled INT "$guard local ok, e = pcall(s.guard, function()
  pcall(s.guard, function() end) pcall(s.guard, error) $spin end) print(ok, e)"
equal "an inner guard leaves the outer one armed" "false	interrupted by SIGINT" "$out"
signalled INT,INT "$guard local function once() local ok, e = pcall(s.guard, function() $spin end) print(e) end
  once() once()"
equal "a guard answers each time" "interrupted by SIGINT
interrupted by SIGINT" "$out"
# Another program that was run is killed and waited for.
signalled INT "$guard s.guard(function()
  ready() require 'bnn.core'.run_program{'sh', '-c', 'echo \$\$ >$T/pid; exec sleep 60'} end)"
equal "SIGINT while another program runs" "130 bnnlua: interrupted (SIGINT)" "$rc $err"
equal "... which it ends" no "$(kill -0 "$(cat "$T/pid")" 2>/dev/null && echo yes || echo no)"
signalled INT "$guard s.guard(function() end) pcall(s.guard, error) $spin"
has "after guard a script is plain again" "interrupted!" "$err"
signalled TERM "$guard s.guard(function() end) $spin"
equal "after guard SIGTERM kills again" "143 " "$rc $err"
# A C call that takes for ever (a pattern that backtracks): the second signal kills, in guard if it is
# not one with the first.
pause=0.7
stuck='ready() string.find(("a"):rep(60), ("a-"):rep(40) .. "b")'
signalled INT,INT "$guard s.guard(function() $stuck end)"
equal "the second SIGINT kills in a C call" "130 " "$rc $err"
signalled INT,INT "$stuck"
equal "the second SIGINT kills a plain script in a C call" "130 " "$rc $err"
pause=0.1
# Long calls of the library end early, and the next one works.
endless="local bnn = require 'bnn'
  local x = bnn.ones(512, 64)
  local net = bnn.nn.linear(64)
  local model = {net = net, params = net:init(bnn.key(1), x), likelihood = 'categorical'}
  local function predict(samples)
    if samples > 9 then ready() end
    return #bnn.predict(model, x, {num_samples = samples, key = bnn.key(2), train = true}).mean
  end
  local m = bnn.full({300, 300}, 0.1)
  local powers = bnn.vmap(function(s) return (m * s):mm(m):mm(m):mm(m):mm(m):mm(m):mm(m):sum() end)
  local function map(n)
    if n > 9 then ready() end
    return #powers(bnn.ones(n))
  end"
before=0.3 # from ready() into the call
for call in 'predict, 2147483647, 2' 'map, 200000, 2'; do
  f=${call%%,*} many=${call#*, } few=${call##*, }
  many=${many%,*}
  signalled INT "$endless $f($many)"
  equal "SIGINT in $f of a plain script is an error" 1 "$rc"
  has "... interrupted!" "interrupted!
stack traceback:" "$err"
  signalled INT "$endless print(pcall($f, $many)) print($f($few))"
  equal "after SIGINT in $f the next call works" 0 "$rc"
  has "... interrupted!, then a result" "interrupted!
" "$out
"
  signalled INT "$endless print(coroutine.wrap(function() return pcall($f, $many) end)()) print($f($few))"
  equal "SIGINT in $f in a coroutine" 0 "$rc"
  has "... interrupted!" "interrupted!" "$out"
  signalled INT "$endless $guard print(pcall(s.guard, $f, $many)) print($f($few))"
  has "SIGINT in $f in guard" "interrupted by SIGINT
" "$out
"
done
before=0
signalled INT "$endless pcall(function() $spin end) print(predict(2))"
equal "a signal between two calls does not end the next" "0 512" "$rc $out"
# Two signals that come together are one request; once Lua has answered, the next is another.
run -e 'local s = require "bnn.signal" s.guard(function()
  local signal = "kill -TERM $PPID; sleep 0.05; "
  print(select(2, pcall(function() os.execute(signal .. signal) end)))
  os.execute("sleep 0.5; " .. signal) end)'
equal "a guard that has answered is armed again" \
  "143 interrupted by SIGTERM bnnlua: interrupted (SIGTERM)" "$rc $out $err"
rm -f "$T/fifo" && mkfifo "$T/fifo" && exec 4<>"$T/fifo"
signalled INT "$guard s.guard(function() local f = io.open '$T/fifo' ready() f:read() end)"
exec 4>&-
equal "SIGINT ends a read in guard" "130 bnnlua: interrupted (SIGINT)" "$rc $err"
signalled INT "$guard local co = coroutine.wrap(function() s.guard(function() coroutine.yield() end) end)
  co() co = nil collectgarbage() collectgarbage() $spin"
has "a guard dropped with its coroutine is gone" "interrupted!" "$err"

# ---------------------------------------------------------------- the prompt on a terminal
send() { (trap '' PIPE && printf "$1" >&3) 2>/dev/null; } # the program may have ended
await() { # TEXT: until the screen shows it
  tries=0
  while ! grep -qF -- "$1" "$T/screen" && [ $tries -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
  if [ $tries -lt 100 ]; then pass; else
    tr -d '\r' <"$T/screen" >"$T/why"
    fail "at the prompt: no '$1'" "$T/why"
  fi
}

prompt_session() {
  rm -f "$T/keys"
  mkfifo "$T/keys"
  NO_COLOR=1 TERM=xterm HOME=$T script -qefc "'$bnnlua'" /dev/null <"$T/keys" >"$T/screen" 2>&1 &
  child=$!
  exec 3>"$T/keys"
  await "> "
  send 'x = 41\n'
  send '"one " .. x + 1\n'
  await "one 42"
  send 'type(bnn), type(getmetatable(help).__call), "two"\n'
  await "table	function	two"
  send 'for i = 1, 2 do\n'
  await ">> "
  send 'print("three " .. i)\nend\n'
  await "three 2"
  send 'error "fo\\117r"\n'
  await "stdin:1: four"
  send 'print "fi\\118e" while true do end\n'
  await "five"
  send '\003'
  await "interrupted!"
  send 'dropped ('
  await "dropped ("
  send '\003'
  sleep 0.2
  send '"si" .. "x"\n'
  await "six"
  send 'print "se\\118en" require "bnn.signal".guard(function() while true do end end)\n'
  await "seven"
  send '\003'
  await "bnnlua: interrupted (SIGINT)"
  send '"eig" .. "ht"\n'
  await "eight"
  send 'x = bnn.ones(512, 64) net = bnn.nn.linear(3) model = {net = net, likelihood = "categorical"}\n'
  send 'model.params = net:init(bnn.key(1), x) opts = {num_samples = 2147483647, train = true, key = bnn.key(2)}\n'
  send 'print "ni\\110e" bnn.predict(model, x, opts)\n'
  await "nine"
  sleep 0.3
  send '\003'
  sleep 0.3
  send 'opts.num_samples = 2\n'
  send '"rows " .. #bnn.predict(model, x, opts).mean\n'
  await "rows 512"
  # The locale is C (checks.sh): any byte can be typed all the same, be recalled, and be in a prompt.
  send 'print("length " .. #"\303\244\342\202\254\360\237\231\202")\n'
  await "length 9"
  send 'print("raw", ("\377\303(\342\202"):byte(1, -1))\n'
  await "raw	255	195	40	226	130"
  send 'print("private", ("\364\217\274\200"):byte(1, -1))\n' # what stands for a byte inside
  await "private	244	143	188	128"
  send 'sum = (sum or 0) + #"\303\244\377\303" print("sum " .. sum)\n'
  await "sum 4"
  send '\033[A\n'
  await "sum 8"
  send '_PROMPT = "\303\244%%\377> " print("locale " .. os.setlocale())\n'
  await "locale C"
  await "$(printf '\303\244%%')"
  # Between two lines the terminal is not in the editor's mode, and an end of input there is lost.
  tries=0
  while kill -0 $child 2>/dev/null && [ $tries -lt 50 ]; do
    send '\004'
    sleep 0.1
    tries=$((tries + 1))
  done
  [ $tries -lt 50 ] || kill $child
  wait $child
  equal "end of input ends the prompt with success" 0 $?
  exec 3>&-
}

# A container without devpts has the command and no terminal for it.
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
  prompt_session
else
  echo "program_test: 'script' makes no terminal here: the prompt on a terminal is skipped"
fi

cd / || exit 1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
