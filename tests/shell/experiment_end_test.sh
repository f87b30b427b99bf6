#!/bin/sh
# experiment_end_test.sh - how an experiment ends: the command of --on_finish, what --config refuses, and
# Ctrl-C at the prompt, which keeps the state of a training. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
cd "$T" || exit 1

cat >toy.lua <<'LUA'
local bnn = require "bnn"
local e = {defaults = {how = {"well", "how it ends"}, lr = {0.5, "rate"}}}
function e.run(cfg, log)
  if cfg.how == "error" then error "a fault of the script" end
  if cfg.how == "refused" then bnn.assert_or_exit(nil, "no data there") end
  if cfg.how == "late" then require "bnn.base.refusal".refuse_late "the log was not written" end
  if cfg.how == "INT" then
    io.popen "kill -INT $PPID":close()
    for _ = 1, 1e9 do _ = _ end
  end
  log:say "ran"
  return {accuracy = 0.5, loss = bnn.ones(1), name = "it's", worst = 1 / 0}
end
return bnn.main(e)
LUA

# shellcheck disable=SC2016 # the command is for the shell that on_finish starts
hook='echo "$BNNLUA_STATUS $BNNLUA_EXIT_CODE $BNNLUA_METRICS"; echo to stdout'
# ends HOW: sets rc, out, err
ends() {
  "$bnnlua" toy.lua --how="$1" --on_finish="$hook" >out 2>err </dev/null
  rc=$? out=$(cat out) err=$(cat err)
}
ends well
equal "complete: status and output" "0 ran" "$rc $out"
has "complete: what the command sees" 'completed 0 {"accuracy":0.5' "$err"
has "complete: text" "it's" "$err"
has "complete: its output is on stderr" "to stdout" "$err"
ends error
equal "an error: status" 1 "$rc"
has "an error: what the command sees" "failed 1 {}" "$err"
has "an error: the message is there too" "a fault of the script" "$err"
ends refused
has "a refusal: what the command sees" "failed 1 {}" "$err"
ends late
equal "a failure after the results: status" 1 "$rc"
has "a failure after the results: what the command sees" 'failed 1 {"accuracy"' "$err"
ends INT
equal "an interrupt: status" 130 "$rc"
has "an interrupt: what the command sees" "interrupted 130 {}" "$err"
hook='exit 3'
ends well
equal "a command that fails is a warning" "0 ran WARNING: --on_finish: exit status 3: exit 3" \
  "$rc $out $err"

# ---------------------------------------------------------------- files of values
printf '{\n  "lr": "high"\n}\n' >bad.json
out=$("$bnnlua" toy.lua --config=bad.json 2>&1)
equal "a bad file is one line" '1 bnnlua: bad.json:2: lr: expected a number, got "high"' "$? $out"
echo '{lr = 2, how = "well"} -- read, not run' >good.lua
"$bnnlua" toy.lua --config good.lua --show_config >shown.lua 2>err
equal "--show_config: its status" 0 $?
"$bnnlua" toy.lua --config=shown.lua --show_config >again.lua
equal "--show_config is read back" "$(cat shown.lua)" "$(cat again.lua)"
has "--show_config: the file's value" "lr = 2," "$(cat shown.lua)"

# ---------------------------------------------------------------- Ctrl-C at the prompt
cat >start.lua <<'LUA'
bnn = require "bnn"
local x = bnn.randn(bnn.key(2), 64, 3)
local params = bnn.nn.linear(1):init(bnn.key(1), x)
o = {
  objective = bnn.objective{params = params, loss = function(p, batch)
    return ((batch.x:mm(p["linear/w"]) - 1) ^ 2):sum(2)
  end},
  optimizer = bnn.optim.adam{lr = 1e-2}, data = bnn.data.from_tensors{x = x}, batch_size = 8,
  steps = 1000000000, key = bnn.key(1), progress = false,
  on_step = function(step) if step == 100 then print("at " .. step) end end,
}
LUA
cat >typed.py <<'PYTHON'
import os, pty, select, sys, time
steps = [("> ", "state = bnn.train(o)\n"), ("at 100", "\x03"),
         ("> ", "print('kept', state:steps() >= 100, getmetatable(state).__name)\n"), ("kept\t", ""),
         ("> ", "bnn.train(o)\n"), ("at 100", "\x03"),
         ("> ", "print('other', _state ~= state, _state:steps() >= 100)\n"), ("other\t", ""),
         ("> ", "\x04")]
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execv(sys.argv[1], sys.argv[1:])
seen, after, end = b"", 0, time.time() + 20
while time.time() < end:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            got = os.read(fd, 65536)
        except OSError:
            break
        if not got:
            break
        seen += got
    elif steps and seen.find(steps[0][0].encode(), after) >= 0:
        after = seen.find(steps[0][0].encode(), after) + len(steps[0][0])
        os.write(fd, steps.pop(0)[1].encode())
os.kill(pid, 9)
os.waitpid(pid, 0)
print(seen.decode(errors="replace").replace("\r", ""))
PYTHON
if python3 -c 'import os, pty; os.close(pty.openpty()[0])' 2>/dev/null; then
  python3 typed.py "$bnnlua" -i start.lua </dev/null >out 2>&1
  has "Ctrl-C in state = bnn.train: says so" "; state is its state (bnn.train{state = state" "$(cat out)"
  has "... and assigns it" "
kept	true	bnn.state" "$(sed 's/        /\t/g' out)"
  has "Ctrl-C in bnn.train: another name" "; _state is its state" "$(cat out)"
  has "... has the state" "other	true	true" "$(sed 's/        /\t/g' out)"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
