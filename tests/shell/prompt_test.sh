#!/bin/sh
# prompt_test.sh - the prompt on a terminal: what is typed, pasted, completed and recalled, and that
# nothing of it reaches scripts. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
cd "$T" || exit 1

# ---- where no terminal is, all is as with lua ----
equal "a script has no globals of the prompt" "nil nil nil nil" \
  "$("$bnnlua" -e 'print(string.format("%s %s %s %s", _, _tb, timeit, session))')"
count='local C = 0; _PROMPT = setmetatable({}, {__tostring = function() C = C + 1 return C end})'
equal "-i echoes what a pipe says" "$(printf '1 --\n2a = 2\n3')" \
  "$(printf ' --\na = 2\n' | "$bnnlua" -e "$count" -i 2>&1 | sed 1,2d)"
equal "-i of a pipe keeps locals, semicolons and nil as lua does" "$(printf '1\nnil\nnil')" \
  "$(printf 'local x = 1\n1;\nx\nbnn.trian\n' | "$bnnlua" -i 2>/dev/null | sed '1,2d; /^> /d')"

if ! python3 -c 'import os, pty; os.close(pty.openpty()[0])' 2>/dev/null; then
  echo "prompt_test: no terminal can be made here: the prompt on a terminal is skipped"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
fi

# session FILE [ARGUMENTS]: runs the prompt, and for each pair of FILE, a list of Python, types the first
# and waits for the second to come after it.  Prints a line for each that does not, and the status.
cat >session.py <<'PYTHON'
import ast, fcntl, os, pty, re, select, signal, struct, sys, termios, time

pairs = ast.literal_eval(open(sys.argv[1]).read())
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("TERM", "xterm")
    os.execv(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
seen = b""

def plain(text):  # without what moves the cursor
    return re.sub(rb"\r(?!\n)", b"", re.sub(rb"\x1b\[[?0-9;]*[A-Za-z]", b"", text))

def wait_for(text, start, seconds=20):
    global seen
    end = time.time() + seconds
    while text not in plain(seen[start:]):
        if time.time() > end:
            return False
        if select.select([fd], [], [], 0.1)[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                return text in plain(seen[start:])
    return True

ok = wait_for(b"> ", 0)
for keys, text in pairs:
    start = len(seen)
    time.sleep(0.05)  # the line before is read, the next one's editing begins
    os.write(fd, keys.encode())
    if not wait_for(text.encode(), start):
        print("typed %r, no %r in %r" % (keys, text, plain(seen[start:])))
        break
else:
    print("all came")
end = time.time() + 10
while time.time() < end and os.waitpid(pid, os.WNOHANG) == (0, 0):
    try:
        os.write(fd, b"\x04")
        wait_for(b"\0", len(seen), 0.2)
    except OSError:
        pass
PYTHON

export HOME="$T/home" XDG_CONFIG_HOME="$T/config" XDG_STATE_HOME="$T/state" BNNLUA_OFFLINE=1
mkdir -p "$HOME" "$XDG_CONFIG_HOME/bnnlua"
unset NO_COLOR 2>/dev/null
printf 'started = "from the " .. "start file"\n' >"$XDG_CONFIG_HOME/bnnlua/init.lua"

# at_prompt NAME [ARGUMENTS] <<PAIRS
at_prompt() {
  name=$1
  shift
  cat >pairs
  equal "$name" "all came" "$(LC_ALL=C.UTF-8 python3 session.py pairs "$bnnlua" "$@" 2>&1)"
}

at_prompt "values, locals, errors and commands" <<'PAIRS'
[("started\r", "\nfrom the start file\r\n"),
 ("1 + 1\r", "\n2\r\n"),
 ("= 'a' .. 'b', 3\r", "\nab\t3\r\n"),
 ("'si' .. 'lent';\r", "> "),
 ("_ .. 'ly'\r", "\nsilently\r\n"),
 ("local width = 20\r", "> "),
 ("width * 2\r", "\n40\r\n"),
 ("{b = {2, 3}, a = 'x', 1}\r", '\n{1, a = "x", b = {2, 3}}\r\n'),
 ("loop = {} loop.own = loop\r", "> "),
 ("loop\r", "\n{own = <cycle>}\r\n"),
 ("setmetatable({}, {__tostring = function() error 'bad' end})\r", "its __tostring failed"),
 ("for i = 1, 2 do\r", ">> "), ("print('row ' .. i)\r", ">> "), ("end\r", "\nrow 1\r\nrow 2\r\n"),
 ("x = = 1\r", "unexpected symbol near '='"),
 ("bnn.trian\r", "did you mean bnn.train?"),
 ("bnn.trian{}\r", "did you mean bnn.train?"),
 ("function inner() error 'deep' end function outer() inner() return 1 end outer()\r", "\nstdin:1: deep"),
 ("bnn.train{steps = 'x'}\r", "\nstdin:1: bnn.train: steps: expected an integer"),
 ("#_tb > 20\r", "\ntrue\r\n"),
 ("$ echo sh''ell; exit 3\r", "\nshell\r\nexit status 3\r\n"),
 ("?bnn.sum\r", "sum over the axes"),
 ("timeit(function() end)\r", " a call (best of"),
 ("who()\r", "width"),
 ("local t = os.clock() while os.clock() < t + 0.15 do end\r", " s)\r\n"),
 ("\x03", "Ctrl-D or os.exit() leaves"),
 ("dropped (\x03", "> "),
 ("print('spi' .. 'ns') while true do end\r", "\nspins\r\n"), ("\x03", "interrupted!"),
 ("k = bnn.key(1) d = bnn.data.cubic{key = k} n = bnn.nn.mlp{3, 1} lik = bnn.likelihood.gaussian{sigma = 3}\r", "> "),
 ("q = bnn.posterior.meanfield(n:init(k, d.train.x)) adam = bnn.optim.adam{lr = 1e-3}\r", "> "),
 ("o = bnn.elbo{net = n, posterior = q, likelihood = lik, beta = 1}\r", "> "),
 ("function step(i) if i == 3 then print('st' .. 'eps') end end\r", "> "),
 ("s = bnn.train{objective = o, optimizer = adam, data = d.train, steps = 1000000000, batch_size = 10, key = k, on_step = step}\r", "\nsteps\r\n"),
 ("\x03", "s is its state"),
 ("s:steps() > 2\r", "\ntrue\r\n"),
 ("print('goes' .. ' on')\r", "\ngoes on\r\n")]
PAIRS

at_prompt "session.save" <<'PAIRS'
[("local width = 20\r", "> "), ("width * 2\r", "\n40\r\n"), ("bnn.trian{}\r", "did you mean"),
 ("_ + 1\r", "\n41\r\n"), ("who()\r", "width  20"),
 ("session.save '/dev/null'\r", "the file exists"),
 ("session.save 'notes.lua'\r", "\ntrue\r\n")]
PAIRS
equal "... writes what worked, as a script" "$(printf '40\n41')" "$("$bnnlua" notes.lua 2>&1)"

# A paste comes between marks; it is one block, its locals live on, and it is one entry of the history.
at_prompt "a paste is one block" <<'PAIRS'
[("\x1b[200~local bnn = require 'bnn'\rlocal key = bnn.key(1)\rlocal function twice(n)\r\treturn 2 * n\rend\rprint('pasted ' .. twice(4))\r\x1b[201~", "twice(4))"),
 ("\r", "\npasted 8\r\n"),
 ("twice(21)\r", "\n42\r\n"),
 ("\x1b[A\x1b[A\r", "\npasted 8\r\n")]
PAIRS

at_prompt "Tab completes names, methods, options, files" <<'PAIRS'
[("x = bnn.ones(2, 3)\r", "> "),
 ("x:log_so\t", "x:log_softmax"), ("\x15", ""),
 ("bnn.opt\t", "bnn.optim"), ("\x15", ""),
 ("bnn.train{batch\t", "batch_size = "), ("\x15", ""),
 ("bnn.predict(m, x, {tol\t", "tolerance = "), ("\x15", ""),
 ("whi\t", "while"), ("\x15", ""),
 ("io.open 'note\t", "notes.lua"), ("\x15", ""),
 ("trap = setmetatable({}, {__index = function() print 'call' .. 'ed' end})\r", "> "),
 ("trap.x\t\x15'fi' .. 'ne'\r", "\nfine\r\n"),
 ("bnn.schedule.\t", "cosine"), ("\x15", "")]
PAIRS

has "the history lives on" "local function twice(n)" "$(cat "$T/state/bnnlua/history")"
equal "... for its user alone" "600" "$("$bnnlua" -e "os.execute('stat -c %a $T/state/bnnlua/history')")"
at_prompt "the history of a session before" <<'PAIRS'
[("\x12pasted\r", "\npasted 8\r\n"), ("'en' .. 'd'\r", "\nend\r\n")]
PAIRS

at_prompt "-E skips the start-up file" -E <<'PAIRS'
[("started\r", "\nnil\r\n")]
PAIRS
printf 'error "in the start file"\n' >"$XDG_CONFIG_HOME/bnnlua/init.lua"
at_prompt "a start-up file that fails leaves a prompt" <<'PAIRS'
[("'al' .. 'ive'\r", "\nalive\r\n")]
PAIRS
equal "scripts never read it" "1" "$("$bnnlua" -e 'print(1)' 2>&1)"
equal "nor does -i of a pipe" "1" "$(echo 1 | "$bnnlua" -i 2>&1 | sed '1,2d; /^>/d')"

printf 'value = 7\nerror "in the script"\n' >fails.lua
at_prompt "-i after a script that failed is a prompt" -i fails.lua <<'PAIRS'
[("value * 6\r", "\n42\r\n")]
PAIRS
TERM=dumb && export TERM
at_prompt "a dumb terminal" <<'PAIRS'
[("1 + 1\r", "\n2\r\n")]
PAIRS

cd / || exit 1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
