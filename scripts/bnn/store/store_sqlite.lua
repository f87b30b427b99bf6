--- How a ledger is kept in SQLite: root/runs.db, for the processes of one machine.
local core = require "bnn.core"

local M = {}

M.kind = "sqlite"

--- What statements say in words of their own: {now} and the like.
M.words = {
  now = "CAST(strftime('%s', 'now') AS BIGINT)", -- seconds since 1970, by the store's clock
  now_text = "CURRENT_TIMESTAMP",                -- the same, UTC: 2026-11-30 09:26:13
  text = "TEXT",
  open_tasks = "task INDEXED BY task_open", -- by another index the whole table is read
  skip_locked = "",                         -- one process writes at a time
}

--- How a transaction that writes begins: with the lock that the others wait for.
M.BEGIN = "BEGIN IMMEDIATE"

--- What tables are made under, within a transaction: nothing more than that.
M.LOCK_TABLES = nil

--- What a database begins with.
M.NEW = {"PRAGMA journal_mode = WAL"}

--- What a connection that may write begins with: a power cut may cost the last runs, whose folders
-- are there.
M.SETTINGS = {"PRAGMA synchronous = NORMAL"}

--- Statements that make more than the tables.
M.MORE = {}

--- The statement that gives the channel which tells of a sweep's tasks: there is none.
M.CHANNEL = nil

--- Whether a connection that was open before a fork still serves the parent.
M.outlives_fork = false

--- Opens a database.
-- @param path string
-- @param ms integer: how long to wait for other processes, or nil
-- @return connection; or nil, message
function M.open(path, may_write, ms) return core.sql_open(path, may_write, ms) end

--- What limits a statement to the rows of some runs: the database has those of one root.
-- @return the clause; and its value, which is $1
function M.among() return "", nil end

return M
