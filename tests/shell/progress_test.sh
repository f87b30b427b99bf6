#!/bin/sh
# progress_test.sh - progress on a terminal: the line comes after a second, whatever else is written
# erases it, Ctrl-C and --quiet leave the terminal clean. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
cd "$T" || exit 1

if ! python3 -c 'import os, pty; os.close(pty.openpty()[0])' 2>/dev/null; then
  echo "progress_test: no terminal can be made here: skipped"
  echo "1 passed, 0 failed"
  exit 0
fi

# Runs a program on a terminal, types what the pairs TEXT KEYS say once TEXT has been written (+0.7:
# that many seconds after the keys before), and prints what the screen shows line by line at the end,
# and whether a line of progress was ever there.
cat >on_terminal.py <<'PYTHON'
import os, pty, re, select, signal, sys, time

at = sys.argv.index("--")
steps = list(zip(sys.argv[1:at:2], sys.argv[2:at:2]))
pid, fd = pty.fork()
if pid == 0:
    for number in signal.SIGINT, signal.SIGQUIT:  # which the shell ignores in the background
        signal.signal(number, signal.SIG_DFL)
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[at + 1], sys.argv[at + 1:])
seen, after, typed, end = b"", 0, time.time(), time.time() + 60
while time.time() < end:
    if select.select([fd], [], [], 0.2)[0]:
        try:
            got = os.read(fd, 65536)
        except OSError:
            break
        if not got:
            break
        seen += got
    if steps:
        text = steps[0][0]
        if time.time() >= typed + float(text) if text[0] == "+" else text.encode() in seen[after:]:
            after, typed = len(seen), time.time()
            os.write(fd, steps.pop(0)[1].encode().decode("unicode_escape").encode())
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
screen, column = [], 0
for line in seen.decode(errors="replace").split("\n"):
    shown = ""
    for part in re.split(r"(\r|\x1b\[K)", line):
        if part == "\r":
            column = 0
        elif part == "\x1b[K":
            shown = shown[:column]
        else:
            shown = shown[:column] + part + shown[column + len(part):]
            column += len(part)
    column = 0
    screen.append(shown.rstrip())
print("\n".join(screen))
print("progress lines:", len(re.findall(r"\x1b\[K[a-z.]+: \d", seen.decode(errors="replace"))) > 0)
print("status:", status)
PYTHON

# An experiment of 200 steps of 12 ms each; prints at step 150, and with --ends does that at step 120.
cat >slow.lua <<'LUA'
local bnn = require "bnn"
local experiment = {defaults = {steps = {200, "steps"}, ends = {"", "how it ends"}}}
local ways = {
  exit = function() os.exit(3) end,
  error = function() error "broken" end,
  wait = function() io.popen("trap '' INT; sleep 0.3; printf waiting >/dev/tty; sleep 2"):close() end,
}
function experiment.run(cfg, log)
  local key, x = bnn.key(1), bnn.randn(bnn.key(2), 64, 3)
  local params = bnn.nn.linear(1):init(key, x)
  local objective = bnn.objective{params = params, loss = function(p, batch)
    return ((batch.x:mm(p["linear/w"]) - 1) ^ 2):sum(2)
  end}
  bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = 1e-2}, key = key, batch_size = 8,
    data = bnn.data.from_tensors{x = x}, steps = cfg.steps, log = log, log_every = 190,
    evaluate = function(step) return {{"at", step}} end,
    on_step = function(step)
      require "bnn.core".wait_jobs({}, 0.012)
      if step == 120 and ways[cfg.ends] then ways[cfg.ends]() end
      if step == 150 then print "printed at 150" end
      if step == 160 then io.stderr:write "WARNING: noticed\n" end
    end,
  }
end
return bnn.main(experiment)
LUA

# Work in a plain script, outside of a training.
cat >plain.lua <<'LUA'
local bar = require "bnn.base.progress".start("plain", {of = 100})
local core = require "bnn.core"
local function work(seconds)
  local ends = core.ticks() + seconds
  while core.ticks() < ends do bar:update(1) core.wait_jobs({}, 0.005) end
end
work(1.2)
if arg[1] == "term" then io.popen("kill -TERM $PPID"):close() end
io.popen("trap '' INT; sleep 0.3; printf waiting >/dev/tty; sleep 2"):close()
LUA

# All of them wait more than they work: side by side. on NAME ARGUMENTS: the screen is in `NAME`
on() {
  name=$1
  shift
  python3 on_terminal.py "$@" </dev/null >"$name" 2>&1 &
}
on whole -- "$bnnlua" slow.lua
on quiet -- "$bnnlua" slow.lua --quiet
on interrupted "loss" '\x03' -- "$bnnlua" slow.lua --steps=100000
on exit -- "$bnnlua" slow.lua --no_record --ends=exit
on error -- "$bnnlua" slow.lua --no_record --ends=error
on wait waiting '\x03' +0.7 '\x03' -- "$bnnlua" slow.lua --no_record --ends=wait
on quit loss '\x1c' -- "$bnnlua" slow.lua --no_record --ends=quit
on term -- "$bnnlua" plain.lua term
on plain waiting '\x03' -- "$bnnlua" plain.lua
on twice waiting '\x03' +0.1 '\x03' -- "$bnnlua" plain.lua
"$bnnlua" slow.lua >out 2>err </dev/null &
wait

want="      0 | at                                  0.000
printed at 150
WARNING: noticed
    190 | at                                  190.000
    200 | at                                  200.000
"
equal "whatever is written erases the line" "$want
progress lines: True
status: 0" "$(cat whole)"
equal "--quiet shows none" "$want
progress lines: False
status: 0" "$(cat quiet)"
has "Ctrl-C: its status" "status: 130" "$(cat interrupted)"
has "Ctrl-C: a line was there" "progress lines: True" "$(cat interrupted)"
lacks "Ctrl-C: and is erased" "train:" "$(cat interrupted)"
has "Ctrl-C: what the program says stands at the start of a line" "
bnnlua: interrupted by SIGINT at step" "
$(sed 's/^\^C//' interrupted)"

# ends WAY STATUS: however it ends, no line is left
ends() {
  has "$1: its status" "status: $2" "$(cat "$1")"
  has "$1: a line was there" "progress lines: True" "$(cat "$1")"
  lacks "$1: and is erased" "train:" "$(cat "$1")"
}
ends exit 3
ends error 1
has "error: the message stands at the start of a line" "
$bnnlua: " "$(cat error)"
ends wait -2
lacks "a second Ctrl-C: nothing is left in the line" waiting "$(cat wait)"
ends quit -3

equal "SIGTERM in a plain script" "
progress lines: True
status: -15" "$(cat term)"
has "an error in a plain script: its message stands at the start of a line" "
$bnnlua: plain.lua:9: interrupted!" "
$(sed 's/^\^C//' plain)"
has "a second Ctrl-C in a plain script: its status" "status: -2" "$(cat twice)"
lacks "... no line is left" "plain:" "$(cat twice)"

equal "on a pipe short work shows nothing" "WARNING: noticed" "$(cat err)"
equal "... and results are the same" "$(echo "$want" | grep -v -e WARN -e '^$')" "$(cat out)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
