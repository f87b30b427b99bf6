--- The ledger of a folder of runs: what the folders hold, to be asked by SQL. It is in SQLite, for
-- one machine, or in PostgreSQL, for a group; the statements are the same, and what differs is a
-- word in braces, which bnn.store.store_sqlite and bnn.store.store_postgresql have. It can be
-- made again from the folders.
--
-- Every write names the attempt that it is of, so that a worker which was thought dead changes
-- nothing of its successor's, and may be repeated: a connection that is lost may have done it.
-- Heartbeats are of the clock of the store.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local ledger_place = require "bnn.records.ledger_place"
local options = require "bnn.base.options"
local number = require "bnn.base.number"
local store_link = require "bnn.store.store_link"
local store_postgresql = require "bnn.store.store_postgresql"
local store_sqlite = require "bnn.store.store_sqlite"
local strings = require "bnn.base.strings"
local task_queue = require "bnn.records.task_queue"

local M = {}

local Ledger = {__name = "bnn.ledger"}
Ledger.__index = Ledger

-- Of sweeps: what they are, what was proposed for each trial, what came out of each run, what runs
-- reported on the way, and the jobs that were submitted for them.
local SWEEP_TABLES = {
  "CREATE TABLE IF NOT EXISTS sweep (id {text} PRIMARY KEY, description {text}, created {text})",
  [[CREATE TABLE IF NOT EXISTS trial (sweep {text} NOT NULL, number BIGINT NOT NULL, config {text},
    PRIMARY KEY (sweep, number))]],
  [[CREATE TABLE IF NOT EXISTS outcome (sweep {text} NOT NULL, trial BIGINT NOT NULL,
    replicate BIGINT NOT NULL, outcome {text}, PRIMARY KEY (sweep, trial, replicate))]],
  [[CREATE TABLE IF NOT EXISTS report (sweep {text} NOT NULL, trial BIGINT NOT NULL,
    replicate BIGINT NOT NULL, step BIGINT NOT NULL, value DOUBLE PRECISION,
    PRIMARY KEY (sweep, trial, replicate, step))]],
  [[CREATE TABLE IF NOT EXISTS submission (sweep {text} NOT NULL, id {text} NOT NULL, facts {text},
    PRIMARY KEY (sweep, id))]],
}

local SCHEMA = {
  [[CREATE TABLE IF NOT EXISTS worker (id {text} PRIMARY KEY, host {text}, pid BIGINT,
    started {text}, heartbeat {text})]],
  [[CREATE TABLE IF NOT EXISTS run (id {text} PRIMARY KEY, attempt BIGINT NOT NULL, name {text},
    experiment {text}, status {text} NOT NULL, seed BIGINT, host {text}, command {text},
    commit_id {text}, started {text}, ended {text}, heartbeat {text},
    wall_seconds DOUBLE PRECISION, cpu_seconds DOUBLE PRECISION, peak_bytes BIGINT, failure {text},
    sweep {text}, trial BIGINT, replicate BIGINT, folder {text})]],
  [[CREATE TABLE IF NOT EXISTS attempt (run {text} NOT NULL, number BIGINT NOT NULL, worker {text},
    status {text}, started {text}, heartbeat {text}, ended {text}, PRIMARY KEY (run, number))]],
  [[CREATE TABLE IF NOT EXISTS param (run {text} NOT NULL, name {text} NOT NULL, value {text},
    number DOUBLE PRECISION, PRIMARY KEY (run, name))]],
  [[CREATE TABLE IF NOT EXISTS metric (run {text} NOT NULL, name {text} NOT NULL,
    value DOUBLE PRECISION, text {text}, step BIGINT, least DOUBLE PRECISION, least_step BIGINT,
    most DOUBLE PRECISION, most_step BIGINT, PRIMARY KEY (run, name))]],
  [[CREATE TABLE IF NOT EXISTS tag (run {text} NOT NULL, tag {text} NOT NULL,
    PRIMARY KEY (run, tag))]],
  "CREATE TABLE IF NOT EXISTS note (run {text} NOT NULL, written {text} NOT NULL, text {text})",
  "CREATE TABLE IF NOT EXISTS ledger (name {text} PRIMARY KEY, value {text})",
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
  {"ALTER TABLE run ADD COLUMN folder {text}"},
}
local VERSION = #UPGRADES + 1

--- The tables with a row for each thing of a run, which they call `run`.
M.OF_A_RUN = {"attempt", "param", "metric", "tag", "note"}

--- Those with what a sweep has, which they call `sweep`.
M.OF_A_SWEEP = {"trial", "task", "outcome", "report", "submission"}

--- The path of the database of SQLite of a folder of runs.
function M.path(root) return root .. "/runs.db" end

--- What the ledger of a root is called: its URL, or the path of its database.
function M.name(root)
  local place = ledger_place.find(root)
  return place and ledger_place.is_url(place) and place or M.path(root)
end

-- Runs a statement; raises its fault, which M.change and readers catch.
local function run(link, sql, ...)
  local rows, names = link:run(sql, ...)
  if not rows then error(names, 0) end
  return rows, names
end

-- f within a transaction, which is taken back if f raises.
local function transact(link, f)
  run(link, link.store.BEGIN)
  local ok, fault = pcall(f)
  if ok then ok, fault = pcall(run, link, "COMMIT") end
  if ok then return true end
  link:run "ROLLBACK"
  error(fault, 0)
end

-- ---- versions ----

-- The version of a ledger; nil if it has no tables.
local function version_of(link)
  local rows, fault, kind = link:run "SELECT value FROM ledger WHERE name = 'version'"
  if kind then error(fault, 0) end
  return rows and rows[1] and math.tointeger(number.parse(rows[1][1]))
end

local function run_all(link, statements)
  for _, statement in ipairs(statements) do run(link, statement) end
end

-- Others may do the same at the same time: the transaction looks again.
local function make_or_upgrade(link)
  if link.store.LOCK_TABLES then run(link, link.store.LOCK_TABLES) end
  run_all(link, SCHEMA)
  for version = version_of(link) or VERSION, VERSION - 1 do
    run_all(link, UPGRADES[version])
  end
  run_all(link, link.store.MORE)
  run(link, [[INSERT INTO ledger VALUES ('version', $1)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value]], tostring(VERSION))
end

local function make_tables(link)
  local version = version_of(link)
  if version and version > VERSION then error("it is of a later version of this program", 0) end
  if not version then run_all(link, link.store.NEW) end
  if version ~= VERSION then transact(link, function() make_or_upgrade(link) end) end
  run_all(link, link.store.SETTINGS)
end

-- What a connection that only reads does with a ledger of an earlier version, or none.
local function check_version(link)
  local version = version_of(link)
  if not version and link.store.outlives_fork then
    error("it has no tables yet: `bnnlua -m runs rebuild` makes them", 0)
  elseif version and version < VERSION then
    local writer = store_link.new(link.store, link.place, {may_write = true, ms = link.ms,
      prepare = link.prepare})
    local ok = writer:connect()
    writer:close()
    if not ok then
      error("it is of an earlier version of this program, and read-only", 0)
    end
  end
end

-- What a new connection begins with: true; or nil, message.
local function prepare(link)
  local ok, fault = fail.try(link.may_write and make_tables or check_version, link)
  return ok or nil, fault
end

-- ---- ledgers ----

-- A message with where it comes from, unless it says so.
local function with_place(self, fault)
  return fault:find(self.path, 1, true) and fault or ("%s: %s"):format(self.path, fault)
end

--- Opens the ledger of a place.
-- @param place string: "sqlite" or a URL
-- @param root string: the folder of runs, for SQLite
-- @param ms integer: how long to wait for other processes or for an answer, or nil
-- @param patience number: seconds to wait for a server that is away (0)
-- @return ledger; or nil, message; or nil, message, "lost", ledger
function M.open_place(place, root, may_write, ms, patience)
  local is_url = ledger_place.is_url(place)
  local path = is_url and place or M.path(root)
  local link = store_link.new(is_url and store_postgresql or store_sqlite, path,
    {may_write = may_write, ms = ms, prepare = prepare})
  local self = setmetatable({db = link, path = path, root = root}, Ledger)
  self:set_patience(patience or 0)
  local ok, fault, kind = link:persist(function() return true end)
  self:set_patience(patience or store_link.PATIENCE)
  if ok then return self end
  if kind == "lost" then return nil, with_place(self, fault), kind, self end
  return nil, with_place(self, fault)
end

--- Opens the ledger of a folder of runs; to write, it is made if it is not there.
-- @param ms, patience as open_place takes them
-- @return ledger; or nil, message, kind: "none" if the root has no database; "lost" if its server
--   does not answer, with the ledger, which connects when it is used
function M.open(root, may_write, ms, patience)
  local place, fault
  if may_write then place, fault = ledger_place.settle(root) else
    place, fault = ledger_place.find(root)
  end
  if fault then return nil, fault end
  place = place or "sqlite"
  if place == "folder" then
    return nil, strings.message("%s: has no ledger but its folders (ledger.txt)", root), "none"
  elseif place == "sqlite" and not core.sql_version() then
    return nil, "this program was built without SQLite", "none"
  end
  return M.open_place(place, root, may_write, ms, patience)
end

--- Closes the ledger. Calling it twice is safe.
function Ledger:close() self.db:close() end

Ledger.__close = Ledger.close

--- Closes what does not outlive a fork; the next question opens it again.
function Ledger:before_fork() self.db:before_fork() end

--- Sets for how many seconds what is lost is tried again: what a server of many cannot do for the
-- moment (60).
function Ledger:set_patience(seconds)
  if self.db.store.outlives_fork then self.db.patience = seconds end
end

--- Whether many roots share it, each of which has rows of its own only.
function Ledger:is_shared() return self.db.store.outlives_fork end

--- Runs f(write, is_again) within a transaction, where write(sql, ...) runs a statement. If the
-- connection is lost, all of f is run again, with is_again if it may have been written before.
-- @return true; or nil, message, and nothing is changed
function Ledger:change(f)
  local function write(sql, ...) return run(self.db, sql, ...) end
  local ok, fault, kind = self.db:persist(function(is_again)
    return fail.try(transact, self.db, function() f(write, is_again) end)
  end)
  if ok then return true end
  return nil, with_place(self, fault), kind
end

--- Runs one statement, with the store's words in braces. If the connection is lost, it is run
-- again.
-- @return rows, names, whether it may have been run twice; or nil, message
function Ledger:ask(sql, ...)
  local n, values = select("#", ...), {...}
  local was_again = false
  local rows, names, kind = self.db:persist(function(is_again)
    was_again = is_again
    return self.db:run(sql, table.unpack(values, 1, n))
  end)
  if rows then return rows, names, was_again end
  return nil, names, kind
end

--- Runs one statement of a user's, as it is.
-- @return rows, names; or nil, message
function Ledger:ask_plain(sql) return self.db:run_plain(sql) end

--- Runs a statement that ends with a clause, on the rows of some runs: of a ledger that many roots
-- share these; of SQLite's, all.
-- @param sql string, for string.format, where %s is the clause
-- @param column string: the one that has the ids
-- @param ids list; nil: all, in each store
-- @param write function(sql, ...), within a transaction; nil: `ask`
-- @return rows, names; or nil, message
function Ledger:ask_among(sql, column, ids, write)
  local clause, value = "", nil
  if ids then clause, value = self.db.store.among(column, ids) end
  if write then return write(sql:format(clause), value) end
  return self:ask(sql:format(clause), value)
end

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
      write([[INSERT INTO param (run, name, value, number) VALUES ($1, $2, $3, $4)
        ON CONFLICT (run, name) DO UPDATE SET value = excluded.value, number = excluded.number]],
        id, prefix .. name, value_text(v), type(v) == "number" and v - v == 0 and v or nil)
    end
  end
end

-- Adds an attempt, or what is new of one that is there.
local function put_attempt(write, id, one)
  local worker = ("%s:%d"):format(one.host, one.pid)
  write([[INSERT INTO worker (id, host, pid, started, heartbeat)
    VALUES ($1, $2, $3, $4, {now_text})
    ON CONFLICT (id) DO UPDATE SET heartbeat = {now_text}]], worker, one.host, one.pid,
    one.started)
  write([[INSERT INTO attempt (run, number, worker, status, started, heartbeat, ended)
    VALUES ($1, $2, $3, $4, $5, {now_text}, $6)
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
-- @param path string: its folder
function M.enter(write, about, config, path)
  write([[INSERT INTO run (id, attempt, name, experiment, status, seed, host, command, commit_id,
    started, heartbeat, sweep, trial, replicate, wall_seconds, cpu_seconds, folder)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, {now_text}, $11, $12, $13, $14, $15, $16)
    ON CONFLICT (id) DO UPDATE SET attempt = excluded.attempt, status = excluded.status,
    host = excluded.host, heartbeat = excluded.heartbeat, wall_seconds = excluded.wall_seconds,
    cpu_seconds = excluded.cpu_seconds, folder = excluded.folder, ended = NULL, failure = NULL
    WHERE run.attempt < excluded.attempt]],
    about.id, about.attempt, about.name, about.experiment, about.status, about.seed, about.host,
    about.command, about.repository and about.repository.commit, about.started, about.sweep,
    about.trial, about.replicate, about.wall_seconds, about.cpu_seconds,
    ledger_place.of_folder(path))
  put_attempts(write, about)
  if about.attempt > 1 then write("DELETE FROM param WHERE run = $1", about.id) end
  add_params(write, about.id, config, "")
end

--- Says that a run lives.
function M.beat(write, about)
  write([[UPDATE run SET heartbeat = {now_text} WHERE id = $1 AND attempt = $2]], about.id,
    about.attempt)
  write([[UPDATE attempt SET heartbeat = {now_text} WHERE run = $1 AND number = $2]],
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
    peak_bytes = $5, failure = $6, heartbeat = {now_text}
    WHERE id = $7 AND attempt = $8]], about.status, about.ended, about.wall_seconds,
    about.cpu_seconds, about.peak_bytes, about.failure, about.id, about.attempt)
  write([[UPDATE attempt SET status = $1, ended = $2, heartbeat = {now_text}
    WHERE run = $3 AND number = $4]], about.status, about.ended, about.id, about.attempt)
end

--- Adds a tag or a note, {tag=} or {note=, written=}.
function M.annotate(write, id, row)
  if row.tag then
    write("INSERT INTO tag VALUES ($1, $2) ON CONFLICT (run, tag) DO NOTHING", id, row.tag)
  elseif row.untag then
    write("DELETE FROM tag WHERE run = $1 AND tag = $2", id, row.untag)
  else
    write([[INSERT INTO note (run, written, text) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1
      FROM note WHERE run = $1 AND written = $2 AND text = $3)]], id, row.written, row.note)
  end
end

--- Opens the task of a run of a sweep again, unless its worker is at it; what came out of the run
-- goes.
-- @return sweep, trial, replicate; nil if there is no such task
function M.lose_run(write, id)
  local sweep, trial, replicate = task_queue.lose_run(write, id)
  for _, name in ipairs(sweep and {"outcome", "report"} or {}) do
    write(("DELETE FROM %s WHERE sweep = $1 AND trial = $2 AND replicate = $3"):format(name), sweep,
      trial, replicate)
  end
  return sweep, trial, replicate
end

--- Removes all that is written of a run; one of a sweep is to be made again.
function M.forget(write, id)
  M.lose_run(write, id)
  for _, name in ipairs(M.OF_A_RUN) do
    write(("DELETE FROM %s WHERE run = $1"):format(name), id)
  end
  write("DELETE FROM run WHERE id = $1", id)
end

return M
