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

--- Whether a connection that was open before a fork still serves the parent.
M.outlives_fork = true

local WAIT_MS = 10000 -- a statement takes milliseconds, unless the server is gone

--- Opens a connection.
-- @param url string
-- @param ms integer: how long the server may take to answer, or nil
-- @return connection; or nil, message
function M.open(url, may_write, ms) return core.sql_open(url, may_write, ms or WAIT_MS) end

--- What limits a statement to the rows of some runs, whose ids are in a column.
-- @param ids list
-- @return the clause; and its value, which is $1
function M.among(column, ids)
  return (" WHERE %s = ANY(CAST($1 AS TEXT[]))"):format(column),
    "{" .. table.concat(ids, ",") .. "}"
end

return M
