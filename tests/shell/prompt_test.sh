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

export HOME="$T/home" XDG_CONFIG_HOME="$T/config" XDG_STATE_HOME="$T/state" BNNLUA_OFFLINE=1
mkdir -p "$HOME" "$XDG_CONFIG_HOME/bnnlua"
unset NO_COLOR 2>/dev/null
printf 'started = "from the " .. "start file"\n' >"$XDG_CONFIG_HOME/bnnlua/init.lua"

# at_prompt NAME [ARGUMENTS] <<PAIRS: a session of its own (prompt_session.py) with the settings `with`.
# Sessions run beside each other until `together` waits for all of them.
sessions=0 with=
at_prompt() {
  sessions=$((sessions + 1))
  echo "$1" >"name.$sessions"
  shift
  cat >"pairs.$sessions"
  # shellcheck disable=SC2086 # settings are words
  env LC_ALL=C.UTF-8 TERM=xterm $with python3 "$tests/shell/prompt_session.py" "pairs.$sessions" "$bnnlua" "$@" \
    >"said.$sessions" 2>&1 &
}

together() {
  wait
  for said in said.*; do
    equal "$(cat "name.${said#said.}")" "all came" "$(cat "$said")"
  done
  rm -f said.* name.* pairs.*
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
 ("local t = os.clock() while os.clock() < t + 0.15 do end\r", " s)\r\n")]
PAIRS

at_prompt "Ctrl-C ends what runs" <<'PAIRS'
[("\x03", "Ctrl-D or os.exit() leaves"),
 ("dropped (\x03", "> "),
 ("print('spi' .. 'ns') while true do end\r", "\nspins\r\n"), ("\x03", "interrupted!"),
 ("$ echo sle''eps; sleep 100\r", "\nsleeps\r\n"), ("\x03", "> "),
 ("a = bnn.zeros(6000, 6000) before = os.clock() print('multi' .. 'plies') c = a:mm(a)\r", "\nmultiplies\r\n"),
 ("\x03", "interrupted!"),
 ("c, os.clock() - before < 1.5\r", "\nnil\ttrue\r\n"),
 ("k = bnn.key(1) d = bnn.data.cubic{key = k} n = bnn.nn.mlp{3, 1} lik = bnn.likelihood.gaussian{sigma = 3}\r", "> "),
 ("q = bnn.posterior.meanfield(n:init(k, d.train.x)) adam = bnn.optim.adam{lr = 1e-3}\r", "> "),
 ("o = bnn.elbo{net = n, posterior = q, likelihood = lik, beta = 1}\r", "> "),
 ("function step(i) if i == 3 then print('st' .. 'eps') end end\r", "> "),
 ("s = bnn.train{objective = o, optimizer = adam, data = d.train, steps = 1000000000, batch_size = 10, key = k, on_step = step}\r", "\nsteps\r\n"),
 ("\x03", "s is its state"),
 ("s:steps() > 2\r", "\ntrue\r\n"),
 ("print('goes' .. ' on')\r", "\ngoes on\r\n")]
PAIRS

# ... wherever it comes between a prompt and the first key
at_prompt "Ctrl-C as soon as a line is edited" <<PAIRS
[$(for _ in 1 2 3 4 5 6 7 8 9 10; do
  printf '("\\x03", "leaves"), ("1\\r", "1\\r\\n"), ("\\x03", "leaves"), ("x\\x03", "> "),\n'
done)
 ("print('goes' .. ' on')\\r", "\\ngoes on\\r\\n")]
PAIRS

at_prompt "session.save" <<'PAIRS'
[("local width = 20\r", "> "), ("width * 2\r", "\n40\r\n"), ("bnn.trian{}\r", "did you mean"),
 ("_ + 1\r", "\n41\r\n"), ("who()\r", "width  20"),
 ("session.save '/dev/null'\r", "the file exists"),
 ("session.save 'notes.lua'\r", "\ntrue\r\n")]
PAIRS

# A paste comes between marks; it is one block, its locals live on, and it is one entry of the history.
with="XDG_STATE_HOME=$T/history"
at_prompt "a paste is one block" <<'PAIRS'
[("\x1b[200~local bnn = require 'bnn'\rlocal key = bnn.key(1)\rlocal function twice(n)\r\treturn 2 * n\rend\rprint('pasted ' .. twice(4))\r\x1b[201~", "twice(4))"),
 ("\r", "\npasted 8\r\n"),
 ("twice(21)\r", "\n42\r\n"),
 ("twice(21)\r", "\n42\r\n"),
 ("\x1b[A\x1b[A\r", "\npasted 8\r\n")]
PAIRS
with=

printf 'found = 3\n' >found.lua
at_prompt "Tab completes names, methods, options, files" <<'PAIRS'
[("x = bnn.ones(2, 3)\r", "> "),
 ("x:log_so\t", "x:log_softmax"), ("\x15", ""),
 ("bnn.opt\t", "bnn.optim"), ("\x15", ""),
 ("bnn.train{batch\t", "batch_size = "), ("\x15", ""),
 ("bnn.predict(m, x, {tol\t", "tolerance = "), ("\x15", ""),
 ("whi\t", "while"), ("\x15", ""),
 ("io.open 'foun\t", "found.lua"), ("\x15", ""),
 ("trap = setmetatable({}, {__index = function() print 'call' .. 'ed' end})\r", "> "),
 ("trap.x\t\x15'fi' .. 'ne'\r", "\nfine\r\n"),
 ("bnn.schedule.\t", "cosine"), ("\x15", "")]
PAIRS

# What the library's objects look like, in the width of the terminal, as it is.
at_prompt "values of the library" <<'PAIRS'
[("x = bnn.arange(1, 60000 * 40):view(60000, 40) print('filled')\r", "\nfilled\r\n"),
 ("x\r", "  2.4000e+06\r\n"),
 ((24, 40), ""),
 ("bnn.arange(1, 20)\r", " [20]: 1.0000  ...  20.0000\r\nmin 1,"),
 ((24, 80), ""),
 ("bnn.arange(1, 20)\r", "3.0000  ...  18.0000"),
 ("u = bnn.tensor({200, 100}, 'u8')\r", "> "),
 ("u + u, u:sum()\r", "\ntensor u8 [2]: 144  200\ttensor i64 []: 300"),
 ("u + 0.5\r", ":real() converts"),
 ("n = bnn.nn.mlp{3, 1}\r", "> "),
 ("n\r", "known after net:init"),
 ("k = bnn.key(1) p = n:init(k, bnn.ones(1, 2))\r", "> "),
 ("n\r", "linear(3)  [n, 3]           9  w [2, 3], b [3]\r\n"),
 ("for i, v in ipairs(bnn.ones(2)) do print('item ' .. i) end\r", "\nitem 1\r\nitem 2\r\n"),
 ("'é你'\x1b[D\x1b[D\x7f-\r", "\n-你\r\n"),
 ("#'é你'\r", "\n5\r\n")]
PAIRS

cat >editor <<'EDITOR'
#!/bin/sh
# Notes what it was called with, and writes a block in place of what it found.
echo "$@" >>editor.said
cat "$1" >>editor.found 2>/dev/null
[ ! -f editor.writes ] || cat editor.writes >"$1"
EDITOR
chmod +x editor
printf "print('edi' .. 'ted ' .. (width or 0))\n" >editor.writes
echo 'print "from a file"' >script.lua
with="EDITOR=./editor XDG_STATE_HOME=$T/edited"
at_prompt "edit() runs what an editor saves" <<'PAIRS'
[("width = 20\r", "> "),
 ("edit()\r", "\nedited 20\r\n"),
 ("\x1b[A\r", "\nedited 20\r\n"),
 ("function twice(n) return 2 * n end\r", "> "),
 ("edit 'twice'\r", "\nedited 20\r\n"),
 ("width = 30\r", "> "),
 ("edit 'script.lua'\r", "\nedited 30\r\n"),
 ("edit 'script.lua' print('unch' .. 'anged')\r", "\nunchanged\r\n"),
 ("edit(7)\r", "expected the name of a function or a file, got number"),
 ("edit 'absent.lua'\r", "absent.lua: No such file"),
 ("edit 'bnn.train'\r", "its source is not at hand")]
PAIRS
with="VISUAL= EDITOR="
at_prompt "edit() says that there is no editor" <<'PAIRS'
[("edit()\r", "VISUAL and EDITOR are not set")]
PAIRS
with=

with="PAGER=cat"
at_prompt "?, ??, help and apropos explain" <<'PAIRS'
[("?bnn.key\r", "the root key of a seed"), ('?"weight decay"\r', "bnn.optim.adamw decays"),
 ("??dropout\r", "\n  bnn.nn.dropout"), ("apropos 'gpu'\r", "There is no GPU"),
 ("x = bnn.ones(2)\r", "> "), ("?x.view\r", "Shares memory"), ("?x:sum\r", "sum over the axes"),
 ("steps = 20\r", "> "), ("?steps\r", "\nsteps is 20 here."),
 ("function own(a) return a end\r", "> "), ("?own\r", "\nown(a)\r\n"),
 ("help(string.format)\r", "#pdf-string.format"), ("help(timeit)\r", "Commands\r\n---")]
PAIRS
with="PAGER=no-such-pager"
at_prompt "long texts page by themselves, which Ctrl-C ends" <<'PAIRS'
[("help 'train'\r", "--More--"), ("\r", "--More--"), ("q\r", "> "), ("1 + 1\r", "\n2\r\n"),
 ("help 'train'\r", "--More--"), ("\x03", "\n> "), ("2 + 2\r", "\n4\r\n")]
PAIRS
printf '#!/bin/sh\nsed s/^/paged:/\n' >pager
chmod +x pager
with="PAGER=./pager"
at_prompt "long texts go through PAGER, short ones do not" <<'PAIRS'
[("help 'train'\r", "\npaged:bnn.train(opts)"), ("?bnn.ones\r", "\nones(")]
PAIRS
with=

at_prompt "-E skips the start-up file" -E <<'PAIRS'
[("started\r", "\nnil\r\n")]
PAIRS

mkdir -p failing/bnnlua
printf 'error "in the start file"\n' >failing/bnnlua/init.lua
with="XDG_CONFIG_HOME=$T/failing"
at_prompt "a start-up file that fails leaves a prompt" <<'PAIRS'
[("'al' .. 'ive'\r", "\nalive\r\n")]
PAIRS
with=

printf 'value = 7\nerror "in the script"\n' >fails.lua
at_prompt "-i after a script that failed is a prompt" -i fails.lua <<'PAIRS'
[("value * 6\r", "\n42\r\n")]
PAIRS

with=TERM=dumb
at_prompt "a dumb terminal" <<'PAIRS'
[("1 + 1\r", "\n2\r\n")]
PAIRS
with=

together
equal "what session.save wrote is a script" "$(printf '40\n41')" "$("$bnnlua" notes.lua 2>&1)"
found=$(cat editor.found)
has "an editor finds the last block" "width = 20" "$found"
has "... the block of a function" "function twice(n)" "$found"
has "... a script" 'print "from a file"' "$found"
has "the history lives on" "local function twice(n)" "$(cat "$T/history/bnnlua/history")"
equal "... for its user alone" "600" "$(stat -c %a "$T/history/bnnlua/history")"
with="XDG_STATE_HOME=$T/history"
at_prompt "the history of a session before" <<'PAIRS'
[("\x12pasted\r", "\npasted 8\r\n"), ("'en' .. 'd'\r", "\nend\r\n")]
PAIRS
together

printf 'error "in the start file"\n' >"$XDG_CONFIG_HOME/bnnlua/init.lua"
equal "scripts never read the start-up file" "1" "$("$bnnlua" -e 'print(1)' 2>&1)"
equal "nor does -i of a pipe" "1" "$(echo 1 | "$bnnlua" -i 2>&1 | sed '1,2d; /^>/d')"

cd / || exit 1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
