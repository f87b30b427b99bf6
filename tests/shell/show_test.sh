#!/bin/sh
# show_test.sh - bnn.show and bnn.plot on terminals that answer in different ways, which a program
# here plays. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
cd "$T" || exit 1

if ! python3 -c 'import os, pty; os.close(pty.openpty()[0])' 2>/dev/null; then
  echo "show_test: no terminal can be made here: pictures on terminals are skipped"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
fi

# terminal.py FILE PROGRAM ...: runs the program on a terminal of 80 x 24 cells.  FILE is a dict of
# Python: what the terminal answers to "kitty", "iterm2", "cell" and "attributes"; "keys", what is
# typed just before the answer; and "steps": pairs of what is typed and what must come after it.
cat >terminal.py <<'PYTHON'
import ast, fcntl, os, pty, re, select, signal, struct, sys, termios, time

script = ast.literal_eval(open(sys.argv[1]).read())
asks = [("kitty", b"a=q"), ("iterm2", b"ReportCellSize\x07"), ("cell", b"\x1b[16t"),
        ("attributes", b"\x1b[c")]
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
seen, answered = b"", 0

def answer():  # to each question once, in the order of the answers in a real terminal
    global answered
    at = seen.find(b"\x1b[c", answered)
    if at < 0:
        return
    asked, answered = seen[answered:at + 3], at + 3
    reply = script.get("keys", "")
    for name, mark in asks:
        if mark in asked:
            reply += script.get(name, "")
    os.write(fd, reply.encode())

def wait_for(text, seconds=10):  # after what came last
    global seen, at
    end = time.time() + seconds
    while text not in plain()[at:]:
        if time.time() > end:
            return False
        if select.select([fd], [], [], 0.1)[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                break
            answer()
    found = plain().find(text, at)
    at = found + len(text) if found >= 0 else at
    return found >= 0

def plain():  # without what switches bracketed paste
    return re.sub(rb"\x1b\[\?2004[hl]", b"", seen)

at = 0
if script["steps"][0][0]:
    wait_for(b"> ")
for keys, text in script["steps"]:
    time.sleep(0.02)  # the line before is read, the next one's editing begins
    os.write(fd, keys.encode())
    if not wait_for(text.encode()):
        print("typed %r, no %r in %r" % (keys, text, plain()[at:][-300:]))
        break
else:
    missing = [t for t in script.get("never", []) if t.encode() in seen]
    print("seen what never should be: %r" % missing if missing else "all came")
end = time.time() + 10
while time.time() < end and os.waitpid(pid, os.WNOHANG) == (0, 0):
    try:
        os.write(fd, b"\x15\x04")  # a line that was begun while the terminal was not raw goes
        wait_for(b"\0", 0.1)
    except OSError:
        pass
PYTHON

export HOME="$T/home" XDG_CONFIG_HOME="$T/config" XDG_STATE_HOME="$T/state" BNNLUA_OFFLINE=1
export LC_ALL=C.UTF-8 TERM=xterm-256color COLORTERM=truecolor
unset NO_COLOR TMUX STY SSH_CONNECTION 2>/dev/null
mkdir -p "$HOME"

# on_terminal NAME [PROGRAM'S ARGUMENTS] <<SCRIPT
on_terminal() {
  name=$1
  shift
  cat >script
  equal "$name" "all came" "$(python3 terminal.py script "$bnnlua" "$@" 2>&1)"
}

on_terminal "kitty's protocol, where the terminal says that it knows it" <<'SCRIPT'
{"kitty": "\x1b_Gi=31;OK\x1b\\", "cell": "\x1b[6;16;8t", "attributes": "\x1b[?62;4c",
 "keys": "'typed' .. ' ahead'\r", "never": ["true", "tensor u8"],
 "steps": [("bnn.show(bnn.ones(2, 3));\r", "\x1b_Ga=T,f=100,q=2,m=0;iVBOR"),
           ("", "\ntyped ahead\r\n"),
           ("bnn.plot.images{x = bnn.ones(2, 2, 3)}\r", "\x1b_Ga=T"),
           ("1 + 1\r", "\n2\r\n")]}
SCRIPT
on_terminal "iTerm2's, by its own report" <<'SCRIPT'
{"iterm2": "\x1b]1337;ReportCellSize=17.5;8;2\x1b\\", "attributes": "\x1b[?62;4c",
 "steps": [("bnn.show(bnn.ones(2, 3));\r", "\x1b]1337;File=inline=1;size="), ("1 + 1\r", "\n2\r\n")]}
SCRIPT
on_terminal "sixels, by the attributes, and kitty's error is none of its pictures" <<'SCRIPT'
{"kitty": "\x1b_Gi=31;ENOTSUP:no\x1b\\", "attributes": "\x1b[?62;22;4c", "never": ["\x1b_Ga=T", "true"],
 "steps": [("bnn.show(bnn.ones(2, 3));\r", "\x1bP0;1q\"1;1;279;186#0;2;0;0;0"),
           ("bnn.show(bnn.ones(2, 3), {as = 'ascii', width = 3})\r", "\n@@@\r\n"),
           ("1 + 1\r", "\n2\r\n")]}
SCRIPT
on_terminal "half-blocks, where it says no more, and keys that wait are left alone" <<'SCRIPT'
{"attributes": "\x1b[?1;2c", "never": ["\x1bP", "\x1b_Ga=T"],
 "steps": [("bnn.show(bnn.ones(2, 2));\r'wai' .. 'ting'\r", "\x1b[38;2;255;255;255m\x1b[48;2;255;255;255m▀"),
           ("", "\nwaiting\r\n"),
           ("bnn.show(bnn.ones(2, 2));\r", "▀"),
           ("bnn.show{loss = {3, 2, 1}};\r", " loss"),
           ("for i = 1, 2 do bnn.plot.heatmap{z = bnn.eye(2)} end print('af' .. 'ter')\r", "▀"),
           ("", "\nafter\r\n"),
           ("bnn.show(print)\r", "expected images, numbers, data")]}
SCRIPT
if command -v gnuplot >/dev/null; then
  on_terminal "a figure without a path is a picture" <<'SCRIPT'
{"attributes": "\x1b[?62;4c", "never": ["true"],
 "steps": [("bnn.plot.lines{series = {{y = {1, 2}}}}\r", "\x1bP0;1q\"1;1;640;400#0"),
           ("for i = 1, 2 do bnn.plot.heatmap{z = bnn.eye(2)} end\r", "\x1bP0;1q\"1;1;640;400#0"),
           ("", "\x1bP0;1q\"1;1;640;400#0"), ("1 + 1\r", "\n2\r\n")]}
SCRIPT
  on_terminal "... or text, which is its value" <<'SCRIPT'
{"attributes": "\x1b[?62c", "steps": [
  ("t = bnn.plot.lines{series = {{y = {1, 2}}}} print(type(t))\r", " 2\r\nstring\r\n"),
  ("bnn.plot.lines{series = {{y = {1, 2}}}, height = 5}\r", " 2\r\n"), ("1 + 1\r", "\n2\r\n")]}
SCRIPT
fi
on_terminal "half-blocks, where nothing is answered" <<'SCRIPT'
{"steps": [("bnn.show(bnn.ones(2, 2));\r", "▀"), ("1 + 1\r", "\n2\r\n")]}
SCRIPT
TMUX=/tmp/tmux,1,0 && export TMUX
on_terminal "tmux is asked for its attributes alone" <<'SCRIPT'
{"attributes": "\x1b[?1;2;4c", "kitty": "\x1b_Gi=31;OK\x1b\\", "never": ["a=q", "1337"],
 "steps": [("bnn.show(bnn.ones(2, 2));\r", "\x1bP0;1q")]}
SCRIPT
unset TMUX
NO_COLOR=1 && export NO_COLOR
on_terminal "NO_COLOR asks nothing and gets characters" <<'SCRIPT'
{"attributes": "\x1b[?1;2;4c", "never": ["\x1b[c", "▀", "\x1b[38"],
 "steps": [("bnn.show(bnn.ones(2, 2));\r", "\n@@@@@@@@@@"), ("bnn.show{1, 2};\r", "+--")]}
SCRIPT
unset NO_COLOR

cat >shows.lua <<'LUA'
local bnn = require "bnn"
io.write "drawn: "
bnn.show(bnn.ones(2, 2))
print("read: " .. io.read())
LUA
on_terminal "a script on a terminal is shown pictures too, and reads what was typed meanwhile" shows.lua <<'SCRIPT'
{"attributes": "\x1b[?62;4c", "keys": "in between\n", "steps": [("", "\x1bP0;1q"), ("", "read: in between")]}
SCRIPT
equal "in a pipe it is characters" "drawn: $(printf '%40s' '' | tr ' ' @)" \
  "$(echo no | "$bnnlua" shows.lua 2>&1 | head -1)"
equal "... and what was asked for" "1" \
  "$("$bnnlua" -e 'require "bnn".show(require "bnn".ones(2, 2), {as = "sixel"})' | grep -c "$(printf '\033P0;1q')")"

cd / || exit 1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
