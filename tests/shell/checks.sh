# checks.sh - what the shell tests share; they source it. Sets `tests` (the folder above), `bnnlua` (the
# binary, from BNNLUA), `T` (a scratch folder, gone at the end), and the counts that the closing line
# wants: echo "$passed passed, $failed failed".
LC_ALL=C
BNNLUA_RUNS= # what tests run leaves no record, unless they ask for one
export LC_ALL BNNLUA_RUNS
tests=$(cd "$(dirname "$0")/.." && pwd)
bnnlua=${BNNLUA:-$tests/../build/bnnlua}
case $bnnlua in /*) ;; *) bnnlua=$PWD/$bnnlua ;; esac
[ -x "$bnnlua" ] || { echo "${0##*/}: no program at $bnnlua"; echo "0 passed, 1 failed"; exit 1; }

T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck disable=SC2034 # read by those who source this
passed=0 failed=0

pass() { passed=$((passed + 1)); }
fail() { # NAME [FILE with details]
  failed=$((failed + 1))
  echo "FAIL: $1"
  [ $# -lt 2 ] || sed 's/^/    /' "$2" | head -20
}

# equal NAME WANT GOT
equal() {
  if [ "$2" = "$3" ]; then pass; else
    printf 'want: %s\ngot:  %s\n' "$2" "$3" >"$T/why"
    fail "$1" "$T/why"
  fi
}

# long_lines FILE PATH: how many lines have over 80 columns, beside those that hold the path
long_lines() { awk -v path="$2" 'length($0) > 80 && !index($0, path)' "$1" | wc -l; }

# has NAME PIECE TEXT
has() {
  case $3 in
  *"$2"*) pass ;;
  *)
    printf 'want in it: %s\ngot: %s\n' "$2" "$3" >"$T/why"
    fail "$1" "$T/why"
    ;;
  esac
}

# lacks NAME PIECE TEXT
lacks() {
  case $3 in
  *"$2"*)
    printf 'unwanted: %s\ngot: %s\n' "$2" "$3" >"$T/why"
    fail "$1" "$T/why"
    ;;
  *) pass ;;
  esac
}

# write_sets CODE: runs it with `idx`, the writer of small IDX files (tests/lua/idx_files.lua), and
# `T`, the scratch folder
write_sets() {
  "$bnnlua" -e "package.path = '$tests/lua/?.lua;' .. package.path
    local idx, T = require 'idx_files', '$T' $1" || { echo "${0##*/}: cannot write the data"; exit 1; }
}

# signalled SIGNAL[,SIGNAL...] CODE: sends them once CODE has called ready(); sets out, err, rc. CODE ends by
# itself, at the latest by the limit on processor time.
signalled() {
  rm -f "$T/ready"
  (
    ulimit -t 10
    exec "$bnnlua" -e "local function ready() io.open('$T/ready', 'w'):close() end $2"
  ) >"$T/out" 2>"$T/err" </dev/null &
  child=$!
  tries=0
  while [ ! -e "$T/ready" ] && [ $tries -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
  sleep "${before:-0}"
  for sig in $(echo "$1" | sed 's/,/ pause /g'); do
    if [ "$sig" = pause ]; then
      sleep "${pause:-0.1}" # two that come before the first is handled are one
    else
      kill -"$sig" $child 2>/dev/null
    fi
  done
  wait $child 2>/dev/null
  rc=$?
  out=$(cat "$T/out") err=$(cat "$T/err")
}
