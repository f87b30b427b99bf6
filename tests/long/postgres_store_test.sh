#!/usr/bin/env bash
# postgres_store_test.sh - bnn.core's databases on a PostgreSQL server that the test makes: values,
# faults, lost connections, read only, passwords, notifications, forks with and without TLS, leaks;
# Ctrl-C while it does not answer; kill -9 of the whole server; a pooler in front of it.
#
# Needs initdb and pg_ctl (Debian's package postgresql); without them, skipped with a word.
. "$(dirname "$0")/../shell/checks.sh"
. "$(dirname "$0")/../shell/postgres.sh"
unset PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSERVICE PGOPTIONS PGPASSFILE
HOME=$T # where no .pgpass is
export HOME

end_all() {
  [ ! -s "$postgres_folder/sock/pooler.pid" ] || kill "$(cat "$postgres_folder/sock/pooler.pid")"
  postgres_stop immediate
  rm -rf "$T"
}
trap end_all EXIT

if ! postgres_start "$T/pg" fsync=off max_connections=60; then
  echo "PostgreSQL does not start here ($postgres_missing): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi
if ! "$bnnlua" -e 'os.exit(require("bnn.core").engines()[1].version:find "^libpq" ~= nil)'; then
  echo "this program has no libpq: skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

# ---- a user with a password, TLS ----
postgres_ask "CREATE ROLE guarded LOGIN PASSWORD 'r1ght'"
printf '%s\n' 'host all guarded 127.0.0.1/32 scram-sha-256' 'host all all 127.0.0.1/32 trust' \
  'local all all trust' >"$postgres_folder/data/pg_hba.conf"
echo '*:*:*:*:r1ght' >"$T/pass_right"
echo '*:*:*:*:wr0ng' >"$T/pass_wrong"
chmod 600 "$T"/pass_*
tls_url=
if command -v openssl >/dev/null &&
  openssl req -new -x509 -days 2 -nodes -subj /CN=127.0.0.1 -out "$postgres_folder/data/server.crt" \
    -keyout "$postgres_folder/data/server.key" 2>/dev/null; then
  chmod 600 "$postgres_folder/data/server.key"
  [ "$(id -u)" != 0 ] || chown postgres "$postgres_folder/data/server.key"
  tls_url="$postgres_url?sslmode=require"
  postgres_ask "ALTER SYSTEM SET ssl = on"
fi
postgres_ask "SELECT pg_reload_conf()" >"$T/out"

# ---- the suite in Lua ----
export POSTGRES_URL=$postgres_url POSTGRES_SOCKET_URL=$postgres_socket_url
export RIGHT_PASSFILE=$T/pass_right WRONG_PASSFILE=$T/pass_wrong
[ -z "$tls_url" ] || export POSTGRES_TLS_URL=$tls_url
if timeout 300 "$bnnlua" "$tests/long/postgres_store.lua" >"$T/out" 2>&1; then pass; else
  fail "postgres_store.lua" "$T/out"
fi
count=$(sed -n 's/^Ran [0-9]* tests in .*, \([0-9]*\) success.*/\1/p' "$T/out")
passed=$((passed + ${count:-0}))
equal "notices of the server are not printed" "" \
  "$("$bnnlua" -e 'local db = require("bnn.core").sql_open(os.getenv "POSTGRES_URL", true)
    assert(db:run "DO $$ BEGIN RAISE NOTICE '"'hello'"'; END $$")' 2>&1)"

# ---- an interrupt ----
# A statement that is being answered is finished first; one that is not is given up.
open='local db = assert(require("bnn.core").sql_open(os.getenv "POSTGRES_URL", true))'
signalled INT "$open; ready(); db:run 'SELECT pg_sleep(60)'"
has "Ctrl-C ends a wait" "interrupted!" "$err"
signalled INT "$open; ready(); pcall(db.run, db, 'SELECT pg_sleep(0.4)')
  print(pcall(db.run, db, 'SELECT 1'))"
has "a statement that is answered within a second keeps its connection" "true" "$out"
stopped=$(postgres_ask "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%'
  AND pid <> pg_backend_pid()" | tr '\n' ' ')
[ -z "$stopped" ] || postgres_ask "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()" >"$T/out"

# ---- a server that is stopped like a machine that hangs, and one that is killed ----
cat >"$T/hang.lua" <<'END'
local core = require "bnn.core"
local db = assert(core.sql_open(os.getenv "POSTGRES_URL", true, 1500))
local pid = db:run "SELECT pg_backend_pid()"[1][1]
assert(os.execute("kill -STOP " .. pid))
local _, message, kind = db:run "SELECT 1"
os.execute("kill -CONT " .. pid)
print(message, kind)
END
equal "a process that hangs" "the server has not answered for 1.5 s	lost" "$("$bnnlua" "$T/hang.lua" 2>&1)"

cat >"$T/survive.lua" <<'END'
local core = require "bnn.core"
local url = os.getenv "POSTGRES_URL"
local db = assert(core.sql_open(url, true, 5000))
assert(db:run "CREATE TABLE IF NOT EXISTS log (i BIGINT PRIMARY KEY)")
local done, lost, other = 0, 0, 0
io.open(arg[1], "w"):close()
while done < 400 do
  local rows, _, kind
  if db then
    rows, _, kind = db:run("INSERT INTO log VALUES ($1) ON CONFLICT DO NOTHING", done + 1)
  end
  if rows then
    done = done + 1
    core.wait_jobs({}, 0.005)
  else
    if kind == "lost" then lost = lost + 1 elseif db then other = other + 1 end
    if db then db:close() end
    db, _, kind = core.sql_open(url, true, 5000)
    if not db and kind ~= "lost" then other = other + 1 end
    if not db then core.wait_jobs({}, 0.05) end
  end
end
print(lost > 0, other, db:run "SELECT count(*) FROM log"[1][1])
END
timeout 60 "$bnnlua" "$T/survive.lua" "$T/begun" >"$T/out" 2>&1 &
child=$!
while [ ! -e "$T/begun" ]; do sleep 0.05; done
sleep 0.3
postgres_kill
postgres_restart || fail "the server does not start again" "$postgres_folder/log"
sleep 0.3
postgres_ctl -m fast -w -l "$postgres_folder/log" -o "-p $postgres_port" restart
wait $child
equal "a server killed and one restarted: every failure is lost, no row is" "true	0	400" "$(cat "$T/out")"

# ---- leaks, where there is valgrind ----
if command -v valgrind >/dev/null && [ -z "${SAN:-}" ]; then
  cat >"$T/leaks.lua" <<'END'
local core = require "bnn.core"
for i = 1, 5 do
  local db = assert(core.sql_open(os.getenv "POSTGRES_URL", i % 2 == 0))
  db:run("SELECT $1::bigint, repeat('x', 100)", i)
  db:run "SELEC"
  db:run "SELECT 1; SELECT 2"
  db:listen "x"
  db:notified()
  db:run("SELECT pg_terminate_backend(pg_backend_pid())")
  db:run "SELECT 1"
  core.sql_open("postgresql://127.0.0.1:1/x", true)
end
END
  timeout 300 valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --error-exitcode=9 "$bnnlua" "$T/leaks.lua" >"$T/out" 2>&1
  case $? in 0) pass ;; *) fail "valgrind" "$T/out" ;; esac
fi

# ---- a pooler that hands connections on after each transaction, where there is one ----
if command -v pgbouncer >/dev/null; then
  port=$((postgres_port + 1))
  printf '%s\n' '[databases]' "postgres = host=127.0.0.1 port=$postgres_port dbname=postgres user=bnn" \
    '[pgbouncer]' listen_addr=127.0.0.1 "listen_port=$port" auth_type=any pool_mode=transaction \
    default_pool_size=1 unix_socket_dir= "pidfile=$postgres_folder/sock/pooler.pid" \
    "logfile=$postgres_folder/sock/pooler.log" >"$postgres_folder/pooler.ini"
  postgres_run "$(command -v pgbouncer)" -q -d "$postgres_folder/pooler.ini" >"$T/pooler" 2>&1
  cat >"$T/pooled.lua" <<'END'
local core = require "bnn.core"
local url = ("postgresql://bnn@127.0.0.1:%s/postgres"):format(arg[1])
local function open(may_write)
  for _ = 1, 100 do
    local db = core.sql_open(url, may_write, 10000)
    if db then return db end
    core.wait_jobs({}, 0.05)
  end
  return assert(core.sql_open(url, may_write))
end
local reader, writer = open(false), open(true)
local refused = select(2, reader:run "CREATE TABLE pooled (i BIGINT)")
print((refused:gsub(" .*", "")))
assert(writer:run "CREATE TABLE pooled (i BIGINT)")
for i = 1, 20 do
  assert(writer:run "BEGIN")
  assert(writer:run("INSERT INTO pooled VALUES ($1)", i))
  assert(writer:run "COMMIT")
  assert(#assert(reader:run "SELECT i FROM pooled") == i)
end
print(writer:run "SHOW transaction_read_only"[1][1])
END
  equal "through a pooler" "$(printf 'cannot\noff')" "$(timeout 60 "$bnnlua" "$T/pooled.lua" $port 2>&1)"
fi

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
