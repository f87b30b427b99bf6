#!/bin/sh
# streams_test.sh - standard streams that are closed, full, without a reader or limited in size: what is
# printed lands nowhere else, nothing is lost in silence, and the exit status tells. BNNLUA is the
# binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
cd "$T" || exit 1
denied="cannot write to standard output: Bad file descriptor"

# ---------------------------------------------------------------- closed
# Every combination: the first file that a script opens holds what was written to it and no more.
cat >both.lua <<'END'
local file = assert(io.open("file", "w"))
print "printed"
io.stderr:write "warned\n"
file:write "kept\n"
file:close()
END
for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
  rm -f file out err
  case $closed in *' >&-'* | '>&-'*) want="1 " ;; *) want="0 printed" ;; esac
  case $closed in *'2>&-'*) said= ;; *) said="warned" ;; esac
  case $want$said in 1*warned) said="warned bnnlua: $denied" ;; esac
  (eval "exec \"$bnnlua\" both.lua $closed") >out 2>err </dev/null
  equal "closed $closed: status and output" "$want" "$? $(cat out)"
  equal "closed $closed: standard error" "$said" "$(tr '\n' ' ' <err | sed 's/ $//')"
  equal "closed $closed: a file" kept "$(cat file)"
done
equal "a closed standard input cannot be read" "nil	Bad file descriptor	9" \
  "$("$bnnlua" -e 'print(io.read())' <&-)"
"$bnnlua" <&- >out 2>err
equal "... nor run" "1 $bnnlua: cannot read stdin: Bad file descriptor" "$? $(cat err)"
equal "a program that was run has streams of its own" "printed
warned
0" "$("$bnnlua" -e 'local core = require "bnn.core"
  local p = core.run_program{"sh", "-c", "echo printed; echo warned >&2"}
  local out = io.open("out", "w") out:write(p.output, p.errors, p.status, "\n")' <&- >&- 2>&-
  cat out)"
"$bnnlua" -e 'return require "bnn".main{defaults = {}, run = function() end}' >&- 2>err
equal "nothing printed, nothing lost" "0 " "$? $(cat err)"

# ---------------------------------------------------------------- without a reader
# piped COMMAND...: its status and what it says, while what reads its output takes one line
piped() {
  { "$@" 2>err; echo $? >rc; } | head -1 >out
  echo "$(cat rc) $(cat err)"
}
lines='for i = 1, 2e5 do print(i) end'
equal "a plain script ends by SIGPIPE, as under lua" "141 " "$(piped "$bnnlua" -e "$lines")"
equal "... and so does an experiment" "141 " "$(piped "$bnnlua" -e \
  "require 'bnn.signal'.guard(function() $lines end)")"
equal "... which a pcall of its own does not keep" "141 " "$(piped "$bnnlua" -e \
  "require 'bnn.signal'.guard(function() pcall(function() $lines end) $lines end)")"
equal "where SIGPIPE is ignored it is one line" \
  "1 bnnlua: cannot write to standard output: Broken pipe" \
  "$(piped sh -c "trap '' PIPE; exec \"\$0\" -e '$lines'" "$bnnlua")"
equal "a --help that is not read to the end is fine" "usage: bnnlua e.lua" \
  "$(echo 'return require "bnn".main{defaults = {}, run = print}' >e.lua
    PATH=${bnnlua%/*}:$PATH bnnlua e.lua --help | head -1 | cut -c1-19)"

# ---------------------------------------------------------------- a limit of the file size
# In blocks of 512 or 1024 bytes.
limited() { # LIMIT ARGUMENTS: sets rc, out, err
  limit=$1
  shift
  rm -rf work && mkdir work
  # shellcheck disable=SC3045
  (cd work && ulimit -f "$limit" && exec "$bnnlua" "$@") >out 2>err </dev/null
  rc=$? out=$(head -c 300 out) err=$(cat err)
}
limited 8 -e 'local bnn = require "bnn" print(bnn.data.save("big.npy", bnn.ones(100000)))'
equal "a file that becomes too large is a failed write" "0 " "$rc $err"
has "... nil, message" "nil	" "$out"
has "... with the reason" "big.npy: File too large" "$out"
equal "... and nothing is left of it" "" "$(ls work)"
limited 8 -e 'local f = io.open("f", "w") f:setvbuf "no" print((select(2, f:write(("x"):rep(1e5)))))'
equal "... of Lua's own too" "0 File too large" "$rc $out"
limited 8 -e 'for i = 1, 1e5 do print(i) end'
equal "results beyond the limit are a failure" \
  "1 bnnlua: cannot write to standard output: File too large" "$rc $err"
limited 8 -e 'print(os.execute "exec head -c 100000 /dev/zero >f")
  print(io.popen("exec head -c 100000 /dev/zero >f"):close())'
equal "programs that are started keep the signal" "nil	signal	25
nil	signal	25" "$out"
limited 8 -e 'print(require "bnn.core".run_program{"sh", "-c", "exec head -c 100000 /dev/zero >f"}.signal)'
equal "... however they are started" 25 "$out"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
