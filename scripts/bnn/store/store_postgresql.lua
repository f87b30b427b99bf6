--- How a ledger is kept in PostgreSQL: one for a group, which many machines write at once. The rows
-- of all roots are in it, and sweeps are known by their names.
local core = require "bnn.core"

local M = {}

M.kind = "postgresql"

--- What statements say in words of their own: {now} and the like.
M.words = {
  now = "CAST(floor(extract(epoch FROM clock_timestamp())) AS BIGINT)",
  now_text = "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')",
  text = 'TEXT COLLATE "C"', -- sorts by bytes, as everywhere else
  open_tasks = "task",
  skip_locked = "FOR UPDATE SKIP LOCKED",
}

--- How a transaction begins.
M.BEGIN = "BEGIN"

--- What tables are made under: of two that make them at once, one fails.
M.LOCK_TABLES = "SELECT pg_advisory_xact_lock(hashtext('bnnlua ledger'))"

--- What a database begins with, and a connection that may write.
M.NEW, M.SETTINGS = {}, {}

-- The name of the channel of a sweep: names of sweeps may be longer, and hold anything.
local CHANNEL = "'bnnlua_' || left(encode(sha256(convert_to(%s, 'UTF8')), 'hex'), 32)"

--- The statement that gives the channel which tells of a sweep's tasks.
M.CHANNEL = "SELECT " .. CHANNEL:format "$1"

--- Statements that make more than the tables: tasks that are added, opened or ended are told of,
-- once for each transaction.
M.MORE = {
  ([[CREATE OR REPLACE FUNCTION bnnlua_tell_of_task() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN PERFORM pg_notify(%s, ''); RETURN NULL; END $body$]]):format(CHANNEL:format "NEW.sweep"),
  "DROP TRIGGER IF EXISTS bnnlua_task ON task",
  [[CREATE TRIGGER bnnlua_task AFTER INSERT OR UPDATE OF state ON task FOR EACH ROW
    WHEN (NEW.state <> 1) EXECUTE FUNCTION bnnlua_tell_of_task()]],
}

--- Whether a connection that was open before a fork still serves the parent.
M.outlives_fork = true

local WRITE_MS, READ_MS = 10000, 600000 -- a statement that writes takes milliseconds

--- Opens a connection.
-- @param url string
-- @param ms integer: how long the server may take to answer, or nil
-- @return connection; or nil, message
function M.open(url, may_write, ms)
  return core.sql_open(url, may_write, ms or may_write and WRITE_MS or READ_MS)
end

--- What limits a statement to the rows of some runs, whose ids are in a column.
-- @param ids list
-- @return the clause; and its value, which is $1
function M.among(column, ids)
  return (" WHERE %s = ANY(CAST($1 AS TEXT[]))"):format(column),
    "{" .. table.concat(ids, ",") .. "}"
end

return M
