#!/bin/sh
# faults_test.sh - every writer of files while system calls fail (strace injects it): the old file
# is there or the new one, whole, whichever the answer says, and nothing else is left. Skipped
# without strace, or where it may not trace. BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4

if ! strace -qq -o /dev/null -e inject=fsync:error=EIO true 2>/dev/null; then
  echo "faults_test: strace cannot inject faults here: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

# write.lua KIND PATH [old]: writes a file, and prints "true", or nil and a message in one line.
cat >"$T/write.lua" <<'END'
local bnn = require "bnn"
local kind, path, old = ...
local n, key = old and 3 or 500, bnn.key(1)
local function params() return bnn.nn.mlp{n, 2}:init(key, bnn.zeros(1, 4)) end
local writers = {
  npy = function() return bnn.data.save(path, bnn.ones(n)) end,
  npz = function() return bnn.data.save(path, {a = bnn.randn(key, n), b = bnn.ones(n)}) end,
  png = function() return bnn.data.save(path, bnn.zeros(n, 20):to "u8") end,
  svg = function() return bnn.plot.lines{x = {1, 2}, series = {{y = {1, n}}}, path = path} end,
  safetensors = function() return bnn.safetensors.save(path, {a = bnn.ones(n)}) end,
  checkpoint = function() return bnn.checkpoint.save(path, {params = params(), step = n}) end,
  update_extras = function()
    if old then return bnn.checkpoint.save(path, {params = params(), step = n}) end
    return bnn.checkpoint.update_extras(path, {extras = {a = bnn.ones(100)}})
  end,
}
print(writers[kind]())
END

# file_of KIND: the name that the kind wants
file_of() {
  case $1 in
  checkpoint | update_extras) echo x.safetensors ;;
  *) echo "x.$1" ;;
  esac
}

# begin KIND: a folder with the old file, whose path is `file`
begin() {
  rm -rf "$T/d" && mkdir "$T/d"
  file=$T/d/$(file_of "$1")
  cp "$T/$1.old" "$file"
}

# calls KIND CALL: how many of them writing takes; the last ones have to do with the file
calls() {
  begin "$1"
  strace -qq -o "$T/calls" -e "trace=$2" "$BNNLUA" "$T/write.lua" "$1" "$file" >/dev/null 2>&1
  grep -c "$2(" "$T/calls"
}

# faulty KIND CALL ERROR N: the N-th such call fails; says what is wrong, nothing when all is well
faulty() {
  begin "$1"
  strace -qq -o /dev/null -e "inject=$2:error=$3:when=$4" \
    "$BNNLUA" "$T/write.lua" "$1" "$file" >"$T/out" 2>"$T/err" </dev/null
  rc=$?
  answer=$(cat "$T/out" "$T/err")
  left=$(find "$T/d" -type f | wc -l)
  [ "$left" = 1 ] || echo "$left files are left"
  want=old
  case $answer in
  true* | *"is written, but its folder"* | *"cannot write to standard output"*) want=new ;;
  esac
  [ $rc -lt 126 ] || echo "status $rc"
  cmp -s "$T/$1.$want" "$file" || echo "the answer is '$answer', the file is not the $want one"
}

for kind in npy npz png svg safetensors checkpoint update_extras; do
  file=$T/$(file_of "$kind")
  if ! "$BNNLUA" "$T/write.lua" "$kind" "$file" old 2>/dev/null | grep -q true; then
    echo "faults_test: this program does not write $kind: skipped"
    continue
  fi
  cp "$file" "$T/$kind.old"
  "$BNNLUA" "$T/write.lua" "$kind" "$file" >/dev/null && mv "$file" "$T/$kind.new"
  for fault in fsync:EIO fsync:EINTR fsync:ENOSPC write:ENOSPC write:EINTR write:EIO rename:EACCES \
    rename:EIO close:EIO fchmod:EPERM fchown:EPERM openat:EMFILE; do
    n=$(calls "$kind" "${fault%:*}")
    for _ in 1 2 3; do # those before may be the program's own
      [ "$n" -gt 0 ] || break
      equal "$kind: $fault, call $n" "" "$(faulty "$kind" "${fault%:*}" "${fault#*:}" "$n")"
      n=$((n - 1))
    done
  done
done

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
