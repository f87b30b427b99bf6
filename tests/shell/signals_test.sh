#!/bin/sh
# signals_test.sh - the signals that ask a training to stop: the last checkpoint is written and the exit
# status is 128 + signal, whoever sends them, and twice as well. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
cd "$T" || exit 1

# A training of 40 steps that sends itself signals at step 7; arguments: folder, shell command, and
# code for the checkpoints' extras, which gets the step.
cat >train.lua <<'END'
local bnn = require "bnn"
local folder, command, extras = ...
local key, x = bnn.key(1), bnn.randn(bnn.key(2), 64, 3)
local params = bnn.nn.linear(1):init(key, x)
local objective = bnn.objective{params = params, loss = function(p, batch)
  return ((batch.x:mm(p["linear/w"]) - 1) ^ 2):sum(2)
end}
bnn.train{
  objective = objective, optimizer = bnn.optim.adam{lr = 1e-2}, key = key,
  data = bnn.data.from_tensors{x = x}, batch_size = 8, steps = 40,
  checkpoint = folder ~= "" and {path = folder, every = 1000, resume = true,
    extras = load(extras or "return {}")} or nil,
  on_step = function(step)
    if step == 7 and command ~= "" then io.popen(command):close() end
  end,
}
print(params["linear/w"]:sum():item())
END
# train FOLDER COMMAND [EXTRAS]: sets rc, out, err
train() {
  "$bnnlua" train.lua "$@" >out 2>err </dev/null
  rc=$? out=$(cat out) err=$(cat err)
}
train "" ""
whole=$out

stopped="the parameters are those of the last complete step; wrote"
for row in HUP,129 INT,130 USR1,138 USR2,140 PIPE,141 TERM,143 XCPU,152; do
  name=${row%,*}
  rm -rf run
  train run "kill -$name \$PPID"
  equal "SIG$name: its status" "${row#*,}" "$rc"
  has "SIG$name: a last checkpoint" "interrupted by SIG$name at step 7: $stopped run/step_" "$err"
  equal "SIG$name: one line" 1 "$(echo "$err" | grep -vc 'nothing to resume')"
done
train run ""
equal "what goes on ends as what never stopped" "0 $whole" "$rc $out"
train "" 'kill -USR1 $PPID'
equal "without checkpoints the step is told" \
  "138 bnnlua: interrupted by SIGUSR1 at step 7: the parameters are those of the last complete step" \
  "$rc $err"
train "" 'kill -PIPE $PPID'
equal "SIGPIPE without checkpoints is quiet" "141 " "$rc $err"

# ---------------------------------------------------------------- members of an ensemble
cat >ensemble.lua <<'END'
local bnn = require "bnn"
local x = bnn.randn(bnn.key(2), 64, 3)
bnn.ensemble{members = 3, threads = 2, key = bnn.key(1), fit = function(key, i)
  local params = bnn.nn.linear(1):init(key, x)
  local objective = bnn.objective{params = params, loss = function(p, batch)
    return ((batch.x:mm(p["linear/w"]) - 1) ^ 2):sum(2)
  end}
  bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = 1e-2}, key = key,
    data = bnn.data.from_tensors{x = x}, batch_size = 8, steps = 1000000,
    checkpoint = {path = "member_" .. i, every = 1000000},
    on_step = function(step)
      if i == 2 and step == 50 then io.popen("kill -INT $PPID"):close() end
    end,
  }
end}
END
"$bnnlua" ensemble.lua >out 2>err </dev/null
equal "an interrupted ensemble: its status" 130 $?
has "an interrupted ensemble: the step" "interrupted by SIGINT at step" "$(cat err)"
equal "an interrupted ensemble: each member has a last checkpoint" 3 \
  "$(ls member_*/step_*.safetensors 2>/dev/null | wc -l)"

# ---------------------------------------------------------------- ignored
for name in HUP USR1 USR2 XCPU PIPE; do
  out=$(trap '' $name; exec "$bnnlua" train.lua "" "kill -$name \$PPID" 2>&1)
  equal "an ignored SIG$name stays ignored (nohup)" "0 $whole" "$? $out"
done
for name in INT TERM; do # as the interpreter: what a shell starts in the background ignores SIGINT
  (trap '' $name; exec "$bnnlua" train.lua "" "kill -$name \$PPID" >out 2>&1)
  rc=$?
  has "SIG$name stops even where it was ignored" "interrupted by SIG$name" "$rc $(cat out)"
done

# ---------------------------------------------------------------- twice
rm -rf run
# SIGINT is also what the kernel hands over first, where several wait.
train run 'kill -INT $PPID; kill -TERM $PPID; kill -INT $PPID; kill -TERM $PPID'
equal "signals that come together are one request" 130 "$rc"
has "... and the checkpoint is written" "$stopped run/step_" "$err"
again() { # FIRST SECOND: the second comes while the last checkpoint is written, 0.6 s after the first
  rm -rf run
  train run "kill -$1 \$PPID" \
    "if ... == 7 then io.popen('sleep 0.6; kill -$2 \$PPID'):close() end return {}"
}
again TERM INT
equal "a second request while the last checkpoint is written ends at once" "130 " \
  "$rc $(echo "$err" | grep -v 'nothing to resume')"
cat >stubborn.lua <<'END'
local bnn = require "bnn"
local function ask(name) io.popen("kill -" .. name .. " $PPID"):close() end
return bnn.main{about = "takes every error for its own", defaults = {}, run = function()
  for _ = 1, 2 do
    print(pcall(function() ask "INT" while true do end end))
    os.execute "sleep 0.6"
  end
  io.stdout:flush()
  ask "TERM"
  while true do pcall(function() while true do end end) end
end}
END
out=$(timeout -s KILL 20 "$bnnlua" stubborn.lua 2>err)
equal "the third request ends a script whose pcall takes interrupts for errors" \
  "143 false interrupted by SIGINT false interrupted by SIGINT" "$? $(echo $out)"
equal "... and leaves no half of one" "" "$(find run -name 'step_*.safetensors')"
again USR1 XCPU
equal "... but not SIGXCPU, which comes every second" 138 "$rc"
has "... so that the checkpoint is there" "$stopped run/step_" "$err"

# ---------------------------------------------------------------- stopped and continued
("$bnnlua" train.lua "" 'kill -TSTP $PPID; sleep 0.05; kill -CONT $PPID' >out 2>err </dev/null)
equal "SIGTSTP and SIGCONT change nothing" "0 $whole" "$? $(cat out err)"

# ---------------------------------------------------------------- elsewhere
# shellcheck disable=SC2034 # read by signalled
pause=0
for row in HUP,129 USR1,138 XCPU,152 TERM,143; do
  name=${row%,*}
  signalled "$name" 'ready() while true do end'
  equal "SIG$name ends a plain script, as under lua" "${row#*,} " "$rc $err"
done
signalled HUP 'require "bnn.signal".guard(function() end) ready() while true do end'
equal "after a training too" "129 " "$rc $err"
equal "at the prompt a training that was asked to stop ends the program" 138 "$(
  { echo 'require "bnn.signal".guard(function() io.popen("kill -USR1 $PPID"):close() while true do end end)'
    echo 'print "goes on"'; } | "$bnnlua" -i >out 2>/dev/null; echo $?)"
equal "... and Ctrl-C does not" "goes on" "$(
  { echo 'require "bnn.signal".guard(function() io.popen("kill -INT $PPID"):close() while true do end end)'
    echo 'print "goes on"'; } | "$bnnlua" -i 2>/dev/null | grep -x 'goes on')"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
