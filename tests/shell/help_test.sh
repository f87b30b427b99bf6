#!/bin/sh
# help_test.sh - help as users meet it: `bnnlua -m help` in a shell, the prompt on a terminal of 80 x 24,
# the guides read from a folder. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_SCRIPTS
cd "$T" || exit 1

# fits NAME LINES TEXT: at most so many lines of at most 80 columns (bytes, of texts in ASCII)
fits() {
  lines=$(printf '%s\n' "$3" | wc -l)
  widest=$(printf '%s\n' "$3" | awk '{ if (length($0) > w) w = length($0) } END { print w + 0 }')
  if [ "$lines" -le "$2" ] && [ "$widest" -le 80 ]; then pass; else
    echo "$lines lines, the widest of $widest columns" >"$T/why"
    fail "$1" "$T/why"
  fi
}

out=$("$bnnlua" -m help)
fits "help() fits a screen" 23 "$out"
has "... and begins with topics" "start         From" "$out"
has "a guide" "Tensors and keys" "$("$bnnlua" -m help start)"
has "a function" "bnn.train(opts)" "$("$bnnlua" -m help bnn.train)"
out=$("$bnnlua" -m help learning rate)
fits "a search fits a screen" 23 "$out"
has "... and finds something" "bnn.schedule" "$out"
"$bnnlua" -m help sesame street >"$T/out" 2>"$T/err"
equal "what is unknown has status 1 and nothing on stdout" "1 0" "$? $(wc -c <"$T/out")"
has "... but a message" "nothing about 'sesame street'" "$(cat "$T/err")"
has "--search of a name" "bnn.nn.dropout" "$("$bnnlua" -m help --search dropout)"
has "its usage" "usage: bnnlua -m help" "$("$bnnlua" -m help --help)"
has "it is among the tools" "help        the help" "$("$bnnlua" --help)"

# -e: help and apropos are known where they come first, and nowhere else.
has "-e help" "bnn.train(opts)" "$("$bnnlua" -e 'help "train"')"
has "-e apropos" "bnn.schedule" "$("$bnnlua" -e ' apropos "learning rate"')"
equal "... are no globals" "nil nil" "$("$bnnlua" -e 'print(help, apropos)' | tr '\t' ' ')"
equal "... not even afterwards" "kl nil nil" \
  "$("$bnnlua" -e 'help "kl" name = "kl"' -e 'print(name, help, apropos)' | tail -1 | tr '\t' ' ')"
equal "... and a user's own come first" "mine" "$("$bnnlua" -e 'function help() print "mine" end' -e 'help()')"
"$bnnlua" -e 'help "sesame street"' >"$T/out" 2>"$T/err"
equal "-e help of what is unknown has status 1" "1 0" "$? $(wc -c <"$T/out")"
has "-e help with an error" "unexpected symbol" "$("$bnnlua" -e 'help = = 1' 2>&1)"

# At the prompt.
printf 'help\nhelp()\nhelp "kl"\nhelp(bnn.sum)\n' | "$bnnlua" -i >"$T/prompt" 2>&1
out=$(cat "$T/prompt")
has "help without brackets" "help() shows where to start" "$out"
has "help()" 'apropos "batch norm"' "$out"
has "a guide at the prompt" "beta * KL" "$out"
has "a value" "sum(x, axes" "$out"
has "apropos at the prompt" "searches the texts of help" "$(printf 'apropos\n' | "$bnnlua" -i 2>&1)"
lacks "no address" "function: 0x" "$out"
out=$(printf 'help\n' | "$bnnlua" -e 'help = "mine"' -i)
has "a script's own help stays" "mine" "$out"
lacks "... and no other" "where to start" "$out"

# From a folder, while one is being written.
mkdir "$T/dev"
cp -r "$tests/../scripts/." "$T/dev"
printf '# My title\n\nMy summary.\n\nMy text, `bnn.sum`.\n' >"$T/dev/help/keys.md"
out=$(BNNLUA_SCRIPTS=$T/dev "$bnnlua" -m help keys)
equal "a guide of BNNLUA_SCRIPTS" "My title
========

My summary.

My text, bnn.sum." "$out"

# As files: pages, and definitions for editors (tests/lua/reference has what is in them).
has "pages: usage" "--html=DIR writes" "$("$bnnlua" -m help --help)"
"$bnnlua" -m help --html= >"$T/out" 2>"$T/err"
equal "pages without a folder: status" 1 $?
has "definitions: usage" "usage: bnnlua -m meta DIR" "$("$bnnlua" -m meta --help)"
"$bnnlua" -m meta --what >"$T/out" 2>"$T/err"
equal "definitions of a wrong flag: status" 1 $?
equal "... and a message" "bnnlua: expected the folder to write: bnnlua -m meta DIR" "$(cat "$T/err")"
equal "definitions" "$T/defs/bnn.lua
$T/defs/bnn_types.d.lua" "$("$bnnlua" -m meta "$T/defs" 2>"$T/err")"
has "... and how an editor finds them" "workspace.library" "$(cat "$T/err")"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
