#!/bin/sh
# data_tool_test.sh - `bnnlua -m data`: list, get, show, verify; and what only whole processes show of
# downloads: Ctrl-C, a full disk, a terminal. The mirror is tests/mirror.py on 127.0.0.1; nothing
# leaves the machine. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 BNNLUA_DATA SSL_CERT_FILE
unset NO_COLOR COLORTERM LC_CTYPE LANG http_proxy https_proxy all_proxy

server=
cleanup() {
  [ -n "$server" ] && kill "$server" 2>/dev/null
  umount "$T/disk" 2>/dev/null
  rm -rf "$T"
}
trap cleanup EXIT
XDG_CACHE_HOME=$T/cache XDG_DATA_DIRS=$T/share BNNLUA_OFFLINE=1
export XDG_CACHE_HOME XDG_DATA_DIRS BNNLUA_OFFLINE

# lua CODE: with `idx`, the writer of IDX files, and `T`, the scratch folder
lua() {
  "$bnnlua" -e "package.path = '$tests/lua/?.lua;' .. package.path
    local idx, T = require 'idx_files', '$T' $1"
}
lua 'idx.set(T .. "/served", 30, 20) idx.make(T .. "/empty")' || exit 1
cp -r "$T/served" "$T/plain"

# What every command starts with: a set called small, whose files are those in $T/plain.
cat >"$T/small.lua" <<'END'
local T = os.getenv "T"
local core, row = require "bnn.core", {name = "small", title = "Small", about = "for tests"}
row.files, row.mirrors = {}, {"http://127.0.0.1:1/never"}
for i, name in ipairs{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                      "t10k-labels-idx1-ubyte"} do
  local sha256, bytes = core.digest(T .. "/plain/" .. name)
  row.files[i] = {name .. ".gz", bytes, sha256}
end
table.insert(require "bnn.data.dataset_registry".rows, row)
END
export T

# data ARGUMENTS: the tool; sets out, err, rc
data() {
  "$bnnlua" -e 'dofile(os.getenv "T" .. "/small.lua")' -m data "$@" >"$T/out" 2>"$T/err" </dev/null
  rc=$?
  out=$(cat "$T/out") err=$(cat "$T/err")
}

# refused NAME PIECE ARGUMENTS: status 1, nothing on stdout, one line on stderr that has the piece
refused() {
  name=$1 piece=$2
  shift 2
  data "$@"
  equal "$name: status" "1 " "$rc $out"
  equal "$name: one line" 1 "$(wc -l <"$T/err")"
  has "$name" "$piece" "$err"
}

can_hash=$("$bnnlua" -e 'print(select(2, require "bnn.core".can_fetch()))')
can_fetch=$("$bnnlua" -e 'print((require "bnn.core".can_fetch()))')

# ---------------------------------------------------------------- the command line
data --help
equal "--help" "0 " "$rc $err"
for word in list get show verify BNNLUA_DATA BNNLUA_OFFLINE BNNLUA_MIRRORS fashion-mnist letters; do
  has "--help names $word" "$word" "$out"
done
equal "--help keeps to 80 columns" 0 "$(awk 'length($0) > 80' "$T/out" | wc -l)"
data show --help
has "show --help" "--part=train|test" "$out"
"$bnnlua" -m data >"$T/out" 2>"$T/err"
equal "no command" "1 bnnlua: expected a command: list, get, show, verify" "$? $(tail -1 "$T/err")"
equal "... the usage is no result" "usage: $(head -1 "$T/err" | cut -c8-)" "$(head -1 "$T/err")$(cat "$T/out")"
[ "$can_hash" = true ] || { echo "data_tool_test: built without libcrypto: the rest is skipped"
  echo "$passed passed, $failed failed"; exit $failed; }
refused "a command that is none" "unknown command 'lsit': did you mean list?" lsit
refused "list takes no word" "usage: bnnlua -m data list" list all
refused "get wants a name" "usage: bnnlua -m data get NAME" get
refused "get of a name that is none" "did you mean 'mnist'?" get minst
refused "show wants a name" "usage: bnnlua -m data show NAME" show
refused "a flag that is none" "did you mean --part?" show letters --prat=test
refused "a part that is none" "expected one of train, test" show letters --part=tset
refused "verify wants a folder" "usage: bnnlua -m data verify DIR" verify
refused "verify of a folder that is not there" "$T/absent: no such folder" verify "$T/absent"
refused "verify of an empty folder" "$T/empty: no IDX files found" verify "$T/empty"

# ---------------------------------------------------------------- list
data list
equal "list" "0 " "$rc $err"
has "list: a set to download" "not here: \`bnnlua -m data get small\` downloads it" "$out"
has "list: a generated one" "drawn on demand" "$(grep '^glyphs ' "$T/out")"
mkdir -p "$T/share/datasets" "$T/cache/bnnlua/small"
cp -r "$T/plain" "$T/share/datasets/small"
cp "$T/plain/t10k-labels-idx1-ubyte" "$T/cache/bnnlua/small"
data list
has "list: the system's folder" "$T/share/datasets/small (system)" "$(grep '^small ' "$T/out")"
rm -r "$T/share"
data list
has "list: the cache, in part" "$T/cache/bnnlua/small (cache, without train-images-idx3-ubyte.gz)" "$out"
rm -r "$T/cache"
BNNLUA_DATA=$T/plain && export BNNLUA_DATA
data list
has "list: \$BNNLUA_DATA" "$T/plain (\$BNNLUA_DATA)" "$(grep '^small ' "$T/out")"
has "list: only of the set that it holds" "not here" "$(grep '^mnist ' "$T/out")"
unset BNNLUA_DATA

# ---------------------------------------------------------------- verify
data verify "$T/plain"
equal "verify: good files" "0 4 " "$rc $(grep -c '^ok ' "$T/out") $err"
cp -r "$T/plain" "$T/bad" && printf x | dd of="$T/bad/train-images-idx3-ubyte" bs=1 seek=99 conv=notrunc 2>/dev/null
rm "$T/bad/t10k-labels-idx1-ubyte"
data verify "$T/bad/"
equal "verify: status" 1 $rc
has "verify: another payload" "BAD  $T/bad/train-images-idx3-ubyte: differs: SHA-256 " "$out"
has "verify: a missing file" "BAD  $T/bad/t10k-labels-idx1-ubyte.gz: missing, it is part of small" "$out"
equal "verify: the others" 2 "$(grep -c '^ok ' "$T/out")"
equal "verify: in one line" "bnnlua: $T/bad: 2 of 4 files do not match" "$err"
mkdir "$T/all" && cp -r "$T/plain" "$T/all/small" && head -c 9 "$T/plain/t10k-labels-idx1-ubyte" >"$T/all/small/t10k-labels-idx1-ubyte"
data verify "$T/all"
has "verify: a folder of sets" "BAD  $T/all/small/t10k-labels-idx1-ubyte: " "$out"
lua 'idx.set(T .. "/other", 12, 12)'
data verify "$T/other"
equal "verify: a set that nobody knows" "1 4" "$rc $(grep -c 'belongs to no known data set, SHA-256' "$T/out")"

# ---------------------------------------------------------------- show
data show "$T/plain" 1 2 -1 --part=test
equal "show on a pipe" "0 " "$rc $err"
equal "show: titles" "1: 0                         2: 1" "$(head -1 "$T/out")"
has "show: the last" "20: 9" "$out"
equal "show: plain text" 0 "$(LC_ALL=C grep -c '[^ -~]' "$T/out")"
equal "show: two images side by side, one below" 30 "$(wc -l <"$T/out")"
equal "show: keeps to 80 columns" 0 "$(awk 'length($0) > 80' "$T/out" | wc -l)"
data show "$T/plain"
equal "show: the first ten" "10" "$(grep -o '[0-9]*: [0-9]' "$T/out" | wc -l)"
data show . 3 --data_dir="$T/plain" --colour=24bit
equal "show --data_dir" 0 $rc
has "show: 24-bit shades" "$(printf '\033[48;2;')" "$out"
data show "$T/plain" 3 --colour=256
has "show: 256 shades" "$(printf '\033[38;5;2')" "$out"
data show "$T/plain" 1..3 -2..-1
equal "show: ranges" "1: 2: 3: 29: 30: " "$(grep -o '[0-9][0-9]*: ' "$T/out" | tr -d '\n')"
data show "$T/plain" 3..1
equal "show: a range downwards" "3: 2: 1: " "$(grep -o '[0-9][0-9]*: ' "$T/out" | tr -d '\n')"
data show "$T/plain" 1..12 --png="$T/sheet.png" --columns=4
equal "show --png" "0 $T/sheet.png: 12 images" "$rc $out"
data show "$T/plain" 1 --png="$T/sheet.png/where.png"
equal "show --png into a file" 1 $rc
for index in 31 -31 0 x 1.5; do
  refused "show: index $index" "INDEX: expected 1 to 30, or -1 to -30 from the end, got $index" show "$T/plain" $index
done
refused "show: --png of another kind" "--png: expected a path that ends in .png, got '$T/x.jpg'" \
  show "$T/plain" 1 --png="$T/x.jpg"
refused "show: a folder without data" "$T/empty: no IDX files there" show "$T/empty"
refused "show: no data offline" "BNNLUA_OFFLINE is set" show small

# ---------------------------------------------------------------- get
refused "get offline" "BNNLUA_OFFLINE is set, so nothing is downloaded" get small
equal "get offline: nothing is made" 1 "$([ -e "$T/cache" ]; echo $?)"
data get glyphs
equal "get of a generated set" "0 glyphs: the program draws it; there is nothing to download" "$rc $out"

if [ "$can_fetch" = true ] && command -v python3 >/dev/null && command -v gzip >/dev/null; then
  gzip "$T"/served/*
  python3 "$tests/mirror.py" "$T/served" >/dev/null 2>"$T/mirror.err" &
  server=$!
  tries=0
  while [ ! -e "$T/served/ports" ] && [ $tries -lt 200 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
  read -r _ port _ <"$T/served/ports"
  at=http://127.0.0.1:$port
else
  echo "data_tool_test: there is no python3, gzip, libcurl or libcrypto: downloads are skipped"
fi

# interrupted NAME STATUS MESSAGE ARGUMENTS: bnnlua gets SIGINT while it downloads; the cache is as
# it was
interrupted() {
  name=$1 status=$2 message=$3
  shift 3
  : >"$T/served/requests"
  # A shell's background job ignores SIGINT; python3 gives it back its default.
  python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$bnnlua" -e 'dofile(os.getenv "T" .. "/small.lua")' "$@" \
    >"$T/out" 2>"$T/err" </dev/null &
  child=$!
  tries=0
  while [ ! -s "$T/served/requests" ] && [ $tries -lt 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
  sleep 0.3
  equal "$name: is under way" 1 "$(find "$T/cache" -name '*.part' | wc -l)"
  kill -INT $child 2>/dev/null
  wait $child 2>/dev/null
  equal "$name: status" "$status" $?
  has "$name" "$message" "$(cat "$T/err")"
  equal "$name: the cache is as it was" "no such folder" "$([ -e "$T/cache" ] && find "$T/cache" || echo 'no such folder')"
}

# full NAME: get fails for want of room, and leaves nothing
full() {
  equal "$1: status" 1 $rc
  equal "$1: nothing is left" "" "$(find "$2" -type f)"
  has "$1: says what to do" "make room there, or name another folder with XDG_CACHE_HOME" "$err"
}

if [ -n "$server" ]; then
  unset BNNLUA_OFFLINE
  BNNLUA_MIRRORS=$at/slow && export BNNLUA_MIRRORS
  interrupted "Ctrl-C" 130 "bnnlua: interrupted by SIGINT" -m data get small
  interrupted "Ctrl-C in a plain script" 1 "interrupted!" -e 'require "bnn".data.load "small"'
  BNNLUA_MIRRORS=$at/mute
  interrupted "Ctrl-C while nothing comes" 130 "bnnlua: interrupted by SIGINT" -m data get small
  BNNLUA_MIRRORS=$at/good

  (
    ulimit -f 1
    exec "$bnnlua" -e 'dofile(os.getenv "T" .. "/small.lua")' -m data get small >"$T/out" 2>"$T/err"
  )
  rc=$?
  err=$(cat "$T/err")
  mkdir -p "$T/cache"
  full "a limit on the size of files" "$T/cache"
  has "... and why" "train-images-idx3-ubyte.gz: File too large" "$err"
  if mkdir "$T/disk" && mount -t tmpfs -o size=8k none "$T/disk" 2>/dev/null; then
    XDG_CACHE_HOME=$T/disk
    data get small
    full "a full disk" "$T/disk"
    has "... and why" "train-images-idx3-ubyte.gz: No space left on device" "$err"
    XDG_CACHE_HOME=$T/cache
  else
    echo "data_tool_test: no tmpfs can be mounted here: a full disk is skipped"
  fi

  BNNLUA_MIRRORS=$at/missing,$at/good
  data get small
  equal "get" "0 small: $T/cache/bnnlua/small (4 files downloaded)" "$rc $out"
  has "get: what failed before" "$at/missing/train-images-idx3-ubyte.gz: expected HTTP status 200, got 404; trying the next mirror" "$err"
  equal "get: a line a file and one a failure" 6 "$(wc -l <"$T/err")"
  data get small glyphs
  has "get again" "(already there)" "$out"
  data verify "$T/cache/bnnlua/small"
  equal "get: what came is verified" "0 4" "$rc $(grep -c '^ok ' "$T/out")"
  printf 'broken' >"$T/cache/bnnlua/small/t10k-labels-idx1-ubyte.gz"
  # What a killed download has left goes after a day; it may be another one's that is under way.
  touch "$T/cache/bnnlua/small/new.gz.1-2.part" "$T/cache/bnnlua/small/old"
  touch -d '2 days ago' "$T/cache/bnnlua/small/old.gz.1-2.part" "$T/cache/bnnlua/small/old"
  data get small
  has "get repairs" "(1 files downloaded)" "$out"
  equal "get clears up" "new.gz.1-2.part old " "$(cd "$T/cache/bnnlua/small" && echo *part* old* | tr '\n' ' ')"
  data show small 1 --part=train
  equal "show from the cache" "1: 0" "$(head -1 "$T/out")"

  # A terminal: a bar that goes away again, shades in half-blocks.
  rm -r "$T/cache"
  BNNLUA_MIRRORS=$at/good
  cat >"$T/on_terminal.py" <<'END'
import os, pty, sys
os.environ.update(TERM="xterm", LC_ALL="C.UTF-8", COLORTERM="truecolor")
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
END
  if python3 -c 'import os, pty; os.close(pty.openpty()[0])' 2>/dev/null; then
    python3 "$T/on_terminal.py" "$bnnlua" -e 'dofile(os.getenv "T" .. "/small.lua")' -m data get small \
      >"$T/out" 2>"$T/err" </dev/null
    equal "get on a terminal" 0 $?
    equal "... shows no addresses" 0 "$(grep -c http "$T/out")"
    python3 "$T/on_terminal.py" "$bnnlua" -e 'dofile(os.getenv "T" .. "/small.lua")' -m data show small 1 \
      >"$T/out" 2>"$T/err" </dev/null
    equal "show on a terminal" 0 $?
    has "... in shades" "$(printf '\033[38;2;')" "$(cat "$T/out")"
    has "... by half-blocks" "▀" "$(cat "$T/out")"
  else
    echo "data_tool_test: no terminal can be made here: skipped"
  fi
fi

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
