--- The ledger runs/runs.db: what the folders of runs hold, to be asked by SQL. SQLite on one
-- machine; the statements are those that PostgreSQL knows too. It can be made again from the
-- folders.
--
-- Every write names the attempt that it is of, so that a worker which was thought dead changes
-- nothing of its successor's. Heartbeats are the clock of the store, CURRENT_TIMESTAMP.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local number = require "bnn.base.number"
local task_queue = require "bnn.records.task_queue"

local M = {}

local Ledger = {__name = "bnn.ledger"}
Ledger.__index = Ledger

-- Of sweeps: what they are, what was proposed for each trial, what came out of each run, and what
-- runs reported on the way.
local SWEEP_TABLES = {
  "CREATE TABLE IF NOT EXISTS sweep (id TEXT PRIMARY KEY, description TEXT, created TEXT)",
  [[CREATE TABLE IF NOT EXISTS trial (sweep TEXT NOT NULL, number BIGINT NOT NULL, config TEXT,
    PRIMARY KEY (sweep, number))]],
  [[CREATE TABLE IF NOT EXISTS outcome (sweep TEXT NOT NULL, trial BIGINT NOT NULL,
    replicate BIGINT NOT NULL, outcome TEXT, PRIMARY KEY (sweep, trial, replicate))]],
  [[CREATE TABLE IF NOT EXISTS report (sweep TEXT NOT NULL, trial BIGINT NOT NULL,
    replicate BIGINT NOT NULL, step BIGINT NOT NULL, value DOUBLE PRECISION,
    PRIMARY KEY (sweep, trial, replicate, step))]],
}

local SCHEMA = {
  [[CREATE TABLE IF NOT EXISTS worker (id TEXT PRIMARY KEY, host TEXT, pid BIGINT, started TEXT,
    heartbeat TEXT)]],
  [[CREATE TABLE IF NOT EXISTS run (id TEXT PRIMARY KEY, attempt BIGINT NOT NULL, name TEXT,
    experiment TEXT, status TEXT NOT NULL, seed BIGINT, host TEXT, command TEXT, commit_id TEXT,
    started TEXT, ended TEXT, heartbeat TEXT, wall_seconds DOUBLE PRECISION,
    cpu_seconds DOUBLE PRECISION, peak_bytes BIGINT, failure TEXT, sweep TEXT, trial BIGINT,
    replicate BIGINT)]],
  [[CREATE TABLE IF NOT EXISTS attempt (run TEXT NOT NULL, number BIGINT NOT NULL, worker TEXT,
    status TEXT, started TEXT, heartbeat TEXT, ended TEXT, PRIMARY KEY (run, number))]],
  [[CREATE TABLE IF NOT EXISTS param (run TEXT NOT NULL, name TEXT NOT NULL, value TEXT,
    number DOUBLE PRECISION, PRIMARY KEY (run, name))]],
  [[CREATE TABLE IF NOT EXISTS metric (run TEXT NOT NULL, name TEXT NOT NULL,
    value DOUBLE PRECISION, text TEXT, step BIGINT, least DOUBLE PRECISION, least_step BIGINT,
    most DOUBLE PRECISION, most_step BIGINT, PRIMARY KEY (run, name))]],
  "CREATE TABLE IF NOT EXISTS tag (run TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (run, tag))",
  "CREATE TABLE IF NOT EXISTS note (run TEXT NOT NULL, written TEXT NOT NULL, text TEXT)",
  "CREATE TABLE IF NOT EXISTS ledger (name TEXT PRIMARY KEY, value TEXT)",
}

for _, list in ipairs{SWEEP_TABLES, task_queue.SCHEMA} do
  table.move(list, 1, #list, #SCHEMA + 1, SCHEMA)
end

-- What makes a ledger of an earlier version one of the next: the first row is that of version 1.
local UPGRADES = {
  {"ALTER TABLE run ADD COLUMN sweep TEXT", "ALTER TABLE run ADD COLUMN trial BIGINT",
   "ALTER TABLE run ADD COLUMN replicate BIGINT",
   "DROP TABLE sweep", "DROP TABLE trial", -- which were empty
   SWEEP_TABLES[1], SWEEP_TABLES[2]},
}
local VERSION = #UPGRADES + 1

-- The tables with a row for each thing of a run.
local OF_A_RUN = {"attempt", "param", "metric", "tag", "note"}

--- The path of the ledger of a folder of runs.
function M.path(root) return root .. "/runs.db" end

-- Runs a statement; raises its fault, which M.change and readers catch.
local function run(db, sql, ...)
  local rows, names = db:run(sql, ...)
  if not rows then error(names, 0) end
  return rows, names
end

-- f within a transaction, which is taken back if f raises.
local function transact(db, f)
  run(db, "BEGIN IMMEDIATE")
  local ok, fault = pcall(f)
  if ok then ok, fault = pcall(run, db, "COMMIT") end
  if ok then return true end
  db:run "ROLLBACK"
  error(fault, 0)
end

-- The version of a ledger; nil if it has no tables.
local function version_of(db)
  local rows = db:run "SELECT value FROM ledger WHERE name = 'version'"
  return rows and rows[1] and math.tointeger(number.parse(rows[1][1]))
end

-- Others may do the same at the same time: the transaction looks again.
local function make_or_upgrade(db)
  for _, statement in ipairs(SCHEMA) do run(db, statement) end
  for version = version_of(db) or VERSION, VERSION - 1 do
    for _, statement in ipairs(UPGRADES[version]) do run(db, statement) end
  end
  run(db, [[INSERT INTO ledger VALUES ('version', $1)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value]], tostring(VERSION))
end

local function make_tables(db)
  local version = version_of(db)
  if version == VERSION then return end
  if version and version > VERSION then error("it is of a later version of this program", 0) end
  if not version then run(db, "PRAGMA journal_mode = WAL") end
  transact(db, function() make_or_upgrade(db) end)
end

-- Whether a ledger is of an earlier version and can be made one of this, before it is read.
local function upgrade(path)
  local db = core.sql_open(path, true)
  if not db then return nil, "it is of an earlier version of this program, and read-only" end
  local ok, fault = pcall(make_tables, db)
  db:close()
  if not ok and type(fault) ~= "string" then error(fault, 0) end -- an interrupt
  return ok, fault
end

--- Opens the ledger of a folder of runs; to write, it is made if it is not there.
-- @param ms how long to wait for other processes, or nil
-- @return ledger; or nil, message
function M.open(root, may_write, ms)
  local path = M.path(root)
  local db, fault = core.sql_open(path, may_write, ms)
  if not db then return nil, fault end
  local ok, why = true, nil
  if may_write then
    ok, why = pcall(function()
      make_tables(db)
      -- A power cut may cost the last runs; the folders have them.
      run(db, "PRAGMA synchronous = NORMAL")
    end)
  elseif (version_of(db) or VERSION) < VERSION then
    ok, why = upgrade(path)
  end
  if ok then return setmetatable({db = db, path = path}, Ledger) end
  db:close()
  if type(why) ~= "string" then error(why, 0) end -- an interrupt
  return nil, ("%s: %s"):format(path, why)
end

--- Closes the ledger. Calling it twice is safe.
function Ledger:close() self.db:close() end

Ledger.__close = Ledger.close

--- Runs f(run) within a transaction, where run(sql, ...) runs a statement.
-- @return true; or nil, message, and nothing is changed
function Ledger:change(f)
  local ok, fault = fail.try(transact, self.db, function()
    f(function(sql, ...) return run(self.db, sql, ...) end)
  end)
  if ok then return true end
  return nil, ("%s: %s"):format(self.path, fault)
end

--- Runs one statement.
-- @return rows, names; or nil, message
function Ledger:ask(sql, ...) return self.db:run(sql, ...) end

-- ---- what is written of a run ----

-- A value of a configuration as text, lists with commas.
local function value_text(v)
  if math.type(v) == "float" then return number.exact(v) end
  if type(v) ~= "table" then return number.text(v) end
  local items = {}
  for i, item in ipairs(v) do items[i] = value_text(item) end
  for _, name in ipairs(options.sorted_names(v)) do
    items[#items + 1] = name .. "=" .. value_text(v[name])
  end
  return table.concat(items, ",")
end

M.value_text = value_text

-- Adds the entries of a configuration, nested ones under names with dots.
local function add_params(write, id, config, prefix)
  for _, name in ipairs(options.sorted_names(config)) do
    local v = config[name]
    if type(v) == "table" and next(v) ~= nil and #v == 0 then
      add_params(write, id, v, prefix .. name .. ".")
    else
      write("INSERT INTO param (run, name, value, number) VALUES ($1, $2, $3, $4)", id,
        prefix .. name, value_text(v), type(v) == "number" and v - v == 0 and v or nil)
    end
  end
end

-- Adds an attempt, or what is new of one that is there.
local function put_attempt(write, id, one)
  local worker = ("%s:%d"):format(one.host, one.pid)
  write([[INSERT INTO worker (id, host, pid, started, heartbeat)
    VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)
    ON CONFLICT (id) DO UPDATE SET heartbeat = CURRENT_TIMESTAMP]], worker, one.host, one.pid,
    one.started)
  write([[INSERT INTO attempt (run, number, worker, status, started, heartbeat, ended)
    VALUES ($1, $2, $3, $4, $5, CURRENT_TIMESTAMP, $6)
    ON CONFLICT (run, number) DO UPDATE SET status = excluded.status, ended = excluded.ended]], id,
    one.number, worker, one.status, one.started, one.ended)
end

local function put_attempts(write, about)
  for _, one in ipairs(about.earlier_attempts or {}) do put_attempt(write, about.id, one) end
  put_attempt(write, about.id, {number = about.attempt, host = about.host, pid = about.pid,
    status = about.status, started = about.attempt_started or about.started})
end

--- Enters a run that begins, or its next attempt.
-- @param write function(sql, ...), as `change` gives
-- @param about table: what run.json holds
-- @param config table
function M.enter(write, about, config)
  write([[INSERT INTO run (id, attempt, name, experiment, status, seed, host, command, commit_id,
    started, heartbeat, sweep, trial, replicate, wall_seconds, cpu_seconds)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CURRENT_TIMESTAMP, $11, $12, $13, $14, $15)
    ON CONFLICT (id) DO UPDATE SET attempt = excluded.attempt, status = excluded.status,
    host = excluded.host, heartbeat = excluded.heartbeat, wall_seconds = excluded.wall_seconds,
    cpu_seconds = excluded.cpu_seconds, ended = NULL, failure = NULL
    WHERE run.attempt < excluded.attempt]],
    about.id, about.attempt, about.name, about.experiment, about.status, about.seed, about.host,
    about.command, about.repository and about.repository.commit, about.started, about.sweep,
    about.trial, about.replicate, about.wall_seconds, about.cpu_seconds)
  put_attempts(write, about)
  if about.attempt > 1 then write("DELETE FROM param WHERE run = $1", about.id) end
  add_params(write, about.id, config, "")
end

--- Says that a run lives.
function M.beat(write, about)
  write([[UPDATE run SET heartbeat = CURRENT_TIMESTAMP WHERE id = $1 AND attempt = $2]], about.id,
    about.attempt)
  write([[UPDATE attempt SET heartbeat = CURRENT_TIMESTAMP WHERE run = $1 AND number = $2]],
    about.id, about.attempt)
end

--- Whether a run is still of the attempt that `about` names.
function M.owns(write, about)
  local rows = write("SELECT 1 FROM run WHERE id = $1 AND attempt = $2", about.id, about.attempt)
  return rows[1] ~= nil
end

--- Writes the metrics of a run: name -> {value=, step=, least=, least_step=, most=, most_step=}.
function M.put_metrics(write, about, metrics)
  if not M.owns(write, about) then return end
  for _, name in ipairs(options.sorted_names(metrics)) do
    local m = metrics[name]
    local is_number = type(m.value) == "number"
    local value = is_number and m.value - m.value == 0 and m.value or nil
    write([[INSERT INTO metric (run, name, value, text, step, least, least_step, most, most_step)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (run, name) DO UPDATE SET
      value = excluded.value, text = excluded.text, step = excluded.step, least = excluded.least,
      least_step = excluded.least_step, most = excluded.most, most_step = excluded.most_step]],
      about.id, name, value, value == nil and number.text(m.value) or nil, m.step, m.least,
      m.least_step, m.most, m.most_step)
  end
end

--- Enters the end of a run.
function M.finish(write, about)
  write([[UPDATE run SET status = $1, ended = $2, wall_seconds = $3, cpu_seconds = $4,
    peak_bytes = $5, failure = $6, heartbeat = CURRENT_TIMESTAMP
    WHERE id = $7 AND attempt = $8]], about.status, about.ended, about.wall_seconds,
    about.cpu_seconds, about.peak_bytes, about.failure, about.id, about.attempt)
  write([[UPDATE attempt SET status = $1, ended = $2, heartbeat = CURRENT_TIMESTAMP
    WHERE run = $3 AND number = $4]], about.status, about.ended, about.id, about.attempt)
end

--- Adds a tag or a note, {tag=} or {note=, written=}.
function M.annotate(write, id, row)
  if row.tag then
    write("INSERT INTO tag VALUES ($1, $2) ON CONFLICT (run, tag) DO NOTHING", id, row.tag)
  elseif row.untag then
    write("DELETE FROM tag WHERE run = $1 AND tag = $2", id, row.untag)
  else
    write("INSERT INTO note VALUES ($1, $2, $3)", id, row.written, row.note)
  end
end

-- A run of a sweep is to be made again: what came out of it goes too.
local function lose_outcome(write, id)
  local sweep, trial, replicate = task_queue.lose_run(write, id)
  for _, name in ipairs(sweep and {"outcome", "report"} or {}) do
    write(("DELETE FROM %s WHERE sweep = $1 AND trial = $2 AND replicate = $3"):format(name), sweep,
      trial, replicate)
  end
end

--- Removes all that is written of a run; one of a sweep is to be made again.
function M.forget(write, id)
  lose_outcome(write, id)
  for _, name in ipairs(OF_A_RUN) do
    write(("DELETE FROM %s WHERE run = $1"):format(name), id)
  end
  write("DELETE FROM run WHERE id = $1", id)
end

return M
