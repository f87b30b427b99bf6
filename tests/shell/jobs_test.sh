#!/bin/sh
# jobs_test.sh - child processes where the system is against them: no more processes, a child that closes
# its link, and what a child may not do to the record of its parent's run. BNNLUA is the binary, CC
# the compiler.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"
cd "$T" || exit 1

# ---------------------------------------------------------------- a link that closes before its child ends
cat >close.c <<'END_C'
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
int close_sockets(void *L);
int close_sockets(void *L) {
  struct stat about;
  (void)L;
  for (int fd = 3; fd < 64; fd++)
    if (fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode)) close(fd);
  return 0;
}
END_C
if ${CC:-cc} -shared -fPIC -o close.so close.c 2>err; then
  cat >closes.lua <<'END_LUA'
local core = require "bnn.core"
local close = assert(package.loadlib("./close.so", "close_sockets"))
local job = core.fork(function(send)
  send "last words"
  close()
  local _, fault = send "unheard"
  if fault ~= "send: nobody reads: Bad file descriptor" then os.exit(6) end
  core.run_program{"sleep", "0.3"}
  os.exit(5)
end)
print(core.wait_jobs({job}, 60)[1].message)
local start, usage = core.ticks(), core.usage()
print(core.wait_jobs({job}, 60)[1].status)
print(core.ticks() - start >= 0.2, core.usage() - usage < 0.1) -- waited, without spinning
END_LUA
  out=$("$bnnlua" closes.lua 2>&1)
  equal "a child that closes its link is waited for" "last words
5
true	true" "$out"
fi

# ---------------------------------------------------------------- a parent that ignores its children
cat >ignored.lua <<'END_LUA'
local core = require "bnn.core"
print(core.run_program{"sh", "-c", "exit 3"}.status)
print(core.wait_jobs({core.fork(function() os.exit(4) end)}, 60)[1].status)
END_LUA
out=$(bash -c 'trap "" CHLD; exec "$0" ignored.lua' "$bnnlua" 2>&1)
equal "the status of children is known where SIGCHLD was ignored" "3
4" "$out"

# ---------------------------------------------------------------- Ctrl-C, held: twice it is asked, then it kills
pause=0.6 signalled INT,INT,INT "
  local core, signal = require 'bnn.core', require 'bnn.signal'
  io.stdout:setvbuf 'no'
  signal.hold(function()
    local job = core.fork(function(send) send 'x' core.run_program{'sleep', '60'} end)
    core.wait_jobs{job}
    ready()
    while true do
      local events, number = core.wait_jobs{job}
      print(#events, number, job:kill(18), signal.take())
    end
  end)"
equal "two interrupts are given and the third one ends the program" "130 0	2	true	nil
0	2	true	nil" "$rc $out"

# ---------------------------------------------------------------- no more processes
if [ "$(id -u)" = 0 ] && command -v setpriv prlimit >/dev/null; then
  chmod 755 "$T"
  cp "$bnnlua" bnnlua
  cat >full.lua <<'END_LUA'
local core = require "bnn.core"
print(core.fork(function() end))
END_LUA
  out=$(ASAN_OPTIONS=detect_leaks=0 prlimit --nproc=1 setpriv --reuid=65534 --regid=65534 --clear-groups ./bnnlua full.lua 2>&1)
  equal "no more processes are refused" \
    "nil	a process: Resource temporarily unavailable" "$out"
fi

# ---------------------------------------------------------------- the record of a run is the parent's
cat >recorded.lua <<'END_LUA'
local bnn, core = require "bnn", require "bnn.core"
return bnn.main{
  defaults = {how = {"", "how the child ends"}},
  run = function(cfg)
    print "from the parent"
    local job = core.fork(function()
      print("from the child", bnn.run.current())
      if cfg.how == "exit" then os.exit(3) end
      if cfg.how == "error" then error "gone" end
    end)
    local last = core.wait_jobs({job}, 60)[1]
    print(bnn.run.current() ~= nil, last.status, last.error)
    return {status = last.status}
  end,
}
END_LUA
for row in end,0 exit,3 error,1; do
  how=${row%,*} status=${row#*,}
  rm -rf runs
  out=$("$bnnlua" recorded.lua --how="$how" --runs=runs 2>err)
  rc=$?
  has "a child that ends by $how: the parent goes on" "from the parent
from the child	nil
true	$status" "$out"
  equal "a child that ends by $how: the parent's status" 0 $rc
  has "a child that ends by $how: the record is complete" '"status":"completed"' \
    "$(cat runs/*/run.json)"
  lacks "a child that ends by $how: its output is not in the record" "from the child" \
    "$(cat runs/*/output.txt)"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
