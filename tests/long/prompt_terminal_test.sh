#!/bin/sh
# prompt_terminal_test.sh - the prompt in a real terminal, tmux: what its user sees of what is typed, pasted,
# completed, drawn anew after a resize, interrupted and recalled.  BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
if ! command -v tmux >/dev/null; then
  echo "prompt_terminal_test: there is no tmux here: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi
cd "$T" || exit 1
export HOME="$T/home" XDG_CONFIG_HOME="$T/config" XDG_STATE_HOME="$T/state" BNNLUA_OFFLINE=1
mkdir -p "$HOME"
unset NO_COLOR TMUX 2>/dev/null
PATIENCE=60 # seconds, of a machine that has much else to do
ESC=$(printf '\033')

tm() { tmux -S "$T/tmux" -f /dev/null "$@"; }
trap 'tm kill-server 2>/dev/null; rm -rf "$T"' EXIT

# open NAME [VARIABLE=VALUE...]: a prompt in a window of its own, which is the one that is meant from here on.
open() {
  window=$1
  shift
  LC_ALL=C.UTF-8 tm -u new-session -d -s "$window" -x 80 -y 40 env LC_ALL=C.UTF-8 "$@" "$bnnlua"
  sees "$window: a prompt" "> "
}
screen() { tm capture-pane -p -t "$window" "$@" 2>/dev/null; }
press() { tm send-keys -t "$window" "$@"; }
enter() { press -l -- "$1" && press Enter; }

# sees NAME TEXT: waits until the screen has the text.
sees() {
  left=$((PATIENCE * 20))
  while [ "$left" -gt 0 ]; do
    case $(screen -J) in *"$2"*) pass; return ;; esac
    sleep 0.05
    left=$((left - 1))
  done
  screen >"$T/why"
  fail "$1: no '$2'" "$T/why"
}
clear_screen() { press C-u C-l && sleep 0.1 && tm clear-history -t "$window"; }

tm new-session -d -s holder -x 80 -y 40 sleep 1000 # the server ends with its last session

# ---- typing ----
open first
enter "function twice(n)"
sees "what is incomplete goes on" ">> "
enter "return 2 * n"
enter "end"
enter "'got ' .. twice(21)"
sees "a block of several lines" "got 42"
enter "x = bnn.ones(2, 3)"
press -l "x:log_so"
press Tab
sees "Tab completes a method" "x:log_softmax"
press C-u
press -l "bnn.train{batch"
press Tab
sees "Tab completes an option" "batch_size = "
clear_screen
press -l "y = 'é你"
sees "UTF-8 is shown" "y = 'é你"
sleep 0.2
equal "... in its width" "10" "$(tm display-message -p -t first '#{cursor_x}')"
press BSpace BSpace
press -l "ü你' y .. #y"
press C-a C-d C-k
enter "y = 'ü你' print(y .. #y)"
sees "UTF-8 arrives" "ü你5"

# ---- values, in the width that the terminal has now ----
clear_screen
enter "t = bnn.zeros(60000, 784) print('fil' .. 'led')"
sees "a tensor of 60,000 rows" "filled"
sleep 0.2
clear_screen
enter "t"
sees "60,000 rows" " [60000, 784]"
lacks "... in a blink" " s)" "$(screen)"
tm resize-window -t first -x 50 -y 30
sleep 0.3
clear_screen
enter "bnn.arange(1, 1000)"
sees "after a resize" "std 288.7"
equal "... lines fit" "tensor f32 [1000]: 1.0000  ...  1000.0000" "$(screen | grep '^tensor' | sed s/f64/f32/)"
tm resize-window -t first -x 80 -y 40

# ---- a paste: the first example of the README, with fewer steps and drawn digits ----
awk '/^## Your experiment/ { section = 1 } section && /^```$/ { exit } code { print }
  section && /^```lua$/ { code = 1 }' "$tests/../README.md" |
  sed 's/"mnist"/"glyphs"/; s/steps = 5000/steps = 20/; s/num_samples = 100/num_samples = 2/' >example.lua
has "the README has its example" "bnn.metrics.accuracy" "$(cat example.lua)"
clear_screen
tm load-buffer -b example example.lua && tm paste-buffer -p -b example -t first
press Enter
sees "a paste is run as a whole" " [10000]"
clear_screen
enter "print(net, data.train.size)"
sees "its locals live on" "mlp{64, 64, 10} 60000"
press Up Up
sees "it is one entry of the history" "local bnn = require"
press C-c

# ---- Ctrl-C ----
clear_screen
press C-c
sees "at an empty prompt it hints" "Ctrl-D or os.exit() leaves"
enter "print('lo' .. 'ops') while true do end"
sees "a loop runs" "loops"
press C-c
sees "... and is interrupted" "interrupted!"
clear_screen
enter "a = bnn.ones(6000, 6000) before = os.clock() print('pro' .. 'duct') c = a:mm(a)"
sees "a product runs" "product"
press C-c
sees "... and is interrupted" "interrupted!"
enter "print('made: ' .. tostring(c), os.clock() - before < 2)"
sees "... before it is made" "made: nil       true"
clear_screen
enter "train = {objective = objective, optimizer = bnn.optim.adam{lr = 1e-3}, data = data.train, key = key}"
enter "train.steps = 100000000 function train.on_step(i) if i == 5 then print('fi' .. 'ves') end end"
enter "state = bnn.train(train)"
sees "a training runs" "fives"
press C-c
sees "... and leaves its state" "state is its state"
enter "train.on_step, train.steps, train.state = nil, 3, state"
enter "n = state:steps() print(bnn.train(train):steps() - n .. ' more')"
sees "... which goes on" "3 more"
press C-d

# ---- another session ----
open second
press C-r
press -l "twice(21)"
press Enter
sees "the history of a session before" "attempt to call a nil value"
sees "... with an error in colour" "stdin:1:"
has "... where it came from" "[31mstdin:1:" "$(screen -e | sed 's/.*31m/[31m/')"
equal "the history is for its user alone" "600" "$(stat -c %a "$T/state/bnnlua/history")"
press C-d
open plain NO_COLOR=1
enter "nosuch()"
sees "NO_COLOR" "attempt to call a nil value"
lacks "... has none" "$ESC" "$(screen -e)"
press C-d
open dumb TERM=dumb
enter "1 + 1"
sees "a dumb terminal" "2"
lacks "... gets no sequences" "[" "$(screen | grep -v help)"
press C-d
left=200
while [ "$(tm list-sessions | wc -l)" -gt 1 ] && [ "$left" -gt 0 ]; do
  sleep 0.05
  left=$((left - 1))
done
equal "Ctrl-D leaves" "holder" "$(tm list-sessions -F '#{session_name}')"

cd / || exit 1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
