# postgres.sh - a PostgreSQL server of a test's own, in a folder, on loopback; tests source it.
#
#   . tests/shell/postgres.sh
#   postgres_start "$T/pg" || { echo "skipped: $postgres_missing"; ...; exit 0; }
#   trap 'postgres_stop; rm -rf "$T"' EXIT
#
# postgres_start makes a cluster, starts it and sets postgres_url (TCP), postgres_socket_url,
# postgres_port and postgres_folder; or fails with the reason in postgres_missing.  What follows the
# folder goes into postgresql.conf, a line each.  postgres_kill: kill -9 of the server, which leaves
# all as a power cut would; postgres_restart starts it again.
# The user is bnn, without a password; the server's own is `postgres` where root runs the test, as
# it refuses root.

# shellcheck shell=bash disable=SC2034 # what is set is read by those who source this
postgres_folder='' postgres_missing=''

# postgres_bin: prints the folder of the server's programs; Debian keeps them out of PATH.
postgres_bin() {
  local bin
  for bin in "$(pg_config --bindir 2>/dev/null)" $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V -r) \
    "$(dirname "$(command -v initdb)" 2>/dev/null)"; do
    [ -x "$bin/initdb" ] && [ -x "$bin/pg_ctl" ] && { echo "$bin"; return; }
  done
  return 1
}

# postgres_run COMMAND...: as the server's user, in an environment without ours
postgres_run() {
  local as=()
  [ "$(id -u)" != 0 ] || as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  (cd "$postgres_folder" &&
    "${as[@]}" env -i PATH="$PATH" LC_ALL=C HOME="$postgres_folder" "$@")
}

# Its log is no one's standard output, so that a pipe behind a test ends with the test.
postgres_ctl() {
  postgres_run "$postgres_programs/pg_ctl" -D "$postgres_folder/data" "$@" >"$postgres_folder/ctl" 2>&1
}

# postgres_start FOLDER [LINE of postgresql.conf]...
postgres_start() {
  postgres_folder=$1
  shift
  postgres_programs=$(postgres_bin) || { postgres_missing="no initdb and pg_ctl here"; return 1; }
  mkdir -p "$postgres_folder/data" "$postgres_folder/sock"
  postgres_folder=$(cd "$postgres_folder" && pwd)
  if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || { postgres_missing="root, and no user postgres"; return 1; }
    chmod 755 "$postgres_folder" "$(dirname "$postgres_folder")"
    chown postgres: "$postgres_folder" "$postgres_folder/data" "$postgres_folder/sock"
  fi
  chmod 700 "$postgres_folder/data"
  postgres_run "$postgres_programs/initdb" -D "$postgres_folder/data" -U bnn -A trust -E UTF8 \
    --locale=C --no-sync >"$postgres_folder/initdb" 2>&1 ||
    { postgres_missing="initdb: $(tail -n 1 "$postgres_folder/initdb")"; return 1; }
  printf '%s\n' "listen_addresses='127.0.0.1'" "unix_socket_directories='$postgres_folder/sock'" \
    max_connections=80 "$@" >>"$postgres_folder/data/postgresql.conf"
  postgres_find_port || { postgres_missing="pg_ctl: $(tail -n 3 "$postgres_folder/log")"; return 1; }
  postgres_url=postgresql://bnn@127.0.0.1:$postgres_port/postgres
  postgres_socket_url="postgresql:///postgres?host=$postgres_folder/sock&port=$postgres_port&user=bnn"
}

# Starts it on the first port that is free.
postgres_find_port() {
  local i
  for i in 0 1 2 3 4; do
    postgres_port=$((20000 + ($$ * 7 + i * 1009) % 12000))
    postgres_restart && return
  done
  return 1
}

postgres_restart() {
  postgres_ctl -l "$postgres_folder/log" -o "-p $postgres_port" -w -t 30 start
}

# postgres_stop [fast|immediate]
postgres_stop() {
  [ -s "$postgres_folder/data/postmaster.pid" ] || return 0
  postgres_ctl -m "${1:-fast}" -w stop
}

# All server processes end when their postmaster is gone; the next start recovers.  Where nobody
# reaps it, it stays as a zombie, which the next one would take for a server by the files of its
# number.
postgres_kill() {
  local pid
  pid=$(head -n 1 "$postgres_folder/data/postmaster.pid")
  kill -9 "$pid"
  while kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status"; do sleep 0.05; done
  rm -f "$postgres_folder"/data/postmaster.pid "$postgres_folder"/sock/.s.*.lock
}

# postgres_ask SQL: prints what psql answers, bare
postgres_ask() {
  "$postgres_programs/psql" -X -q -A -t -d "$postgres_url" -c "$1"
}
