--- Reads the runs of a folder: from the ledger, and from the folders where they are not in it.
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local metric_summary = require "bnn.records.metric_summary"
local notice = require "bnn.base.notice"
local number = require "bnn.base.number"
local run_folder = require "bnn.records.run_folder"
local run_life = require "bnn.records.run_life"
local strings = require "bnn.base.strings"

local M = {}

--- The fields of a run besides its configuration and its metrics.
M.FIELDS = {
  "id", "attempt", "name", "experiment", "status", "seed", "sweep", "trial", "replicate", "host",
  "command", "commit_id", "started", "ended", "heartbeat", "wall_seconds", "cpu_seconds",
  "peak_bytes", "failure",
}

-- ---- folders ----

--- Reads the tags of a run's folder, as a set, and its notes, a list of {note=, written=}.
function M.read_notes(path)
  local tags, notes = {}, {}
  local text = run_folder.read(path .. "/" .. run_folder.NOTES) or ""
  for line in text:gmatch "[^\n]+" do
    local row = core.json_decode(line)
    if type(row) == "table" and row.tag then tags[row.tag] = true end
    if type(row) == "table" and row.untag then tags[row.untag] = nil end
    if type(row) == "table" and row.note then notes[#notes + 1] = row end
  end
  return tags, notes
end

--- Reads the folder of a run.
-- @return about (run.json), config, metrics by name as the ledger has them, tags, notes; or nil,
--   message
function M.read_folder(path)
  local about, fault = run_folder.read_json(path .. "/run.json")
  if not about then return nil, fault end
  if type(about) ~= "table" or type(about.id) ~= "string" then
    return nil, path .. "/run.json: is no run's"
  end
  local config, why = run_folder.read_json(path .. "/config.json")
  if not config then return nil, why end
  return about, config, metric_summary.read(path, about), M.read_notes(path)
end

-- Entries of a table under names with dots.
local function flat(config, prefix, into)
  for name, v in pairs(config) do
    if type(v) == "table" and next(v) ~= nil and #v == 0 then
      flat(v, prefix .. name .. ".", into)
    else
      into[prefix .. name] = type(v) == "number" and v or ledger.value_text(v)
    end
  end
  return into
end

-- The run of a folder as those of the ledger are.
local function from_folder(root, id)
  local path = root .. "/" .. id
  local about, config, metrics, tags = M.read_folder(path)
  if not about then
    notice.say("skipping %s: %s", path, config)
    return nil
  end
  local run = {path = path, config = flat(config, "", {}), metrics = metrics, tags = tags}
  for _, name in ipairs(M.FIELDS) do run[name] = about[name] end
  run.commit_id = about.repository and about.repository.commit
  run.status = run_life.status(path, about)
  return run
end

-- ---- the ledger ----

local RUNS = "SELECT " .. table.concat(M.FIELDS, ", ") .. ", CURRENT_TIMESTAMP FROM run ORDER BY id"

local function add_params(book, by_id)
  local rows, fault = book:ask "SELECT run, name, value, number FROM param"
  for _, row in ipairs(rows or {}) do
    local run = by_id[row[1]]
    if run then run.config[row[2]] = M.plain(row[3], row[4]) end
  end
  return rows, fault
end

local function add_metrics(book, by_id)
  local rows, fault = book:ask([[SELECT run, name, value, text, step, least, least_step, most,
    most_step FROM metric]])
  for _, row in ipairs(rows or {}) do
    local run = by_id[row[1]]
    if run then
      run.metrics[row[2]] = {value = row[3] or row[4], step = row[5], least = row[6],
                             least_step = row[7], most = row[8], most_step = row[9]}
    end
  end
  return rows, fault
end

local function add_tags(book, by_id)
  local rows, fault = book:ask "SELECT run, tag FROM tag"
  for _, row in ipairs(rows or {}) do
    if by_id[row[1]] then by_id[row[1]].tags[row[2]] = true end
  end
  return rows, fault
end

--- A value of a configuration: the number, an integer if its text says so, or else the text.
function M.plain(text, value)
  if value == nil then return text end
  return math.type(number.parse(text)) == "integer" and math.tointeger(value) or value
end

-- Whether the folder of a run that died says so too: it has ended if it was killed between that
-- and the ledger.
local function is_dead(path)
  local about = run_folder.read_json(path .. "/run.json")
  return not about or about.status == "running"
end

-- The runs of the ledger by id, those with a folder; or nil, message.
local function from_ledger(root, is_there)
  local file <close> = io.open(ledger.path(root), "rb")
  if not file or not core.sql_version() then return {} end
  local book <close>, fault = ledger.open(root, false)
  if not book then return nil, fault end
  local rows, why = book:ask(RUNS)
  if not rows then return nil, why end
  local by_id = {}
  for _, row in ipairs(rows) do
    if is_there[row[1]] then
      local run = {path = root .. "/" .. row[1], config = {}, metrics = {}, tags = {}}
      for i, name in ipairs(M.FIELDS) do run[name] = row[i] end
      run.status = run_life.status(run.path, run, run.heartbeat, row[#M.FIELDS + 1])
      if run.status ~= "dead" or is_dead(run.path) then by_id[run.id] = run end
    end
  end
  for _, add in ipairs{add_params, add_metrics, add_tags} do
    local ok, what = add(book, by_id)
    if not ok then return nil, what end
  end
  return by_id
end

--- Reads all runs of a folder, oldest first.
-- @return list of {id=, status=, ..., config=, metrics=, tags=, path=}; or nil, message
function M.read(root)
  if not core.is_folder(root) then
    return nil, strings.message("%s: no such folder of runs", root)
  end
  local ids, fault = run_folder.ids(root)
  if not ids then return nil, fault end
  local is_there = {}
  for _, id in ipairs(ids) do is_there[id] = true end
  local by_id, why = {}, nil
  if ids[1] then by_id, why = from_ledger(root, is_there) end
  if not by_id then notice.say("%s; reading the folders instead", why) end
  local runs, strays = {}, 0
  for _, id in ipairs(ids) do
    local run = by_id and by_id[id]
    if not run then run, strays = from_folder(root, id), strays + 1 end
    runs[#runs + 1] = run
  end
  if by_id and strays > 0 and core.sql_version() then
    notice.say("%d runs are not in the ledger: `bnnlua -m runs rebuild` enters them", strays)
  end
  return runs
end

--- Enters the run of a folder into the ledger, or what is new of one that is in it.
-- @param write function(sql, ...), as the ledger's `change` gives
-- @param path string: the folder
-- @return true; or nil, message
function M.enter(write, path)
  local about, config, metrics, tags, notes = M.read_folder(path)
  if not about then return nil, config end
  for _, of in ipairs{"param", "note"} do
    write(("DELETE FROM %s WHERE run = $1"):format(of), about.id)
  end
  ledger.enter(write, about, config)
  ledger.put_metrics(write, about, metrics)
  if about.status ~= "running" then ledger.finish(write, about) end
  for tag in pairs(tags) do ledger.annotate(write, about.id, {tag = tag}) end
  for _, row in ipairs(notes) do ledger.annotate(write, about.id, row) end
  return true
end

--- Makes the ledger again from the folders.
-- @return how many runs it has; or nil, message
function M.rebuild(root)
  local ids, fault = run_folder.ids(root)
  if not ids then return nil, fault end
  local book <close>, why = ledger.open(root, true)
  if not book then return nil, why end
  run_folder.remove_unborn(root)
  local count = 0
  local ok, message = book:change(function(write)
    for _, table_name in ipairs{"run", "attempt", "param", "metric", "tag", "note", "worker"} do
      write("DELETE FROM " .. table_name)
    end
    -- Again, now that no run can be entered: those that are in the ledger have a folder.
    for _, id in ipairs(run_folder.ids(root) or ids) do
      local entered, lack = M.enter(write, root .. "/" .. id)
      if entered then count = count + 1 else notice.say("skipping %s/%s: %s", root, id, lack) end
    end
  end)
  if not ok then return nil, message end
  return count
end

return M
