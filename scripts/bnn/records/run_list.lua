--- Reads the runs of a folder: from the ledger, and from the folders where they are not in it.
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local ledger_place = require "bnn.records.ledger_place"
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
  "peak_bytes", "failure", "folder",
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
  run.folder = ledger_place.of_folder(path)
  run.status = run_life.status(path, about)
  return run
end

-- ---- the ledger ----

local RUNS = "SELECT " .. table.concat(M.FIELDS, ", ")
  .. ", {now_text} FROM run%s ORDER BY id"

local function add_params(book, by_id, ids)
  local rows, fault = book:ask_among("SELECT run, name, value, number FROM param%s", "run", ids)
  for _, row in ipairs(rows or {}) do
    local run = by_id[row[1]]
    if run then run.config[row[2]] = M.plain(row[3], row[4]) end
  end
  return rows, fault
end

local function add_metrics(book, by_id, ids)
  local rows, fault = book:ask_among([[SELECT run, name, value, text, step, least, least_step, most,
    most_step FROM metric%s]], "run", ids)
  for _, row in ipairs(rows or {}) do
    local run = by_id[row[1]]
    if run then
      run.metrics[row[2]] = {value = row[3] or row[4], step = row[5], least = row[6],
                             least_step = row[7], most = row[8], most_step = row[9]}
    end
  end
  return rows, fault
end

local function add_tags(book, by_id, ids)
  local rows, fault = book:ask_among("SELECT run, tag FROM tag%s", "run", ids)
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

-- A run of a row of RUNS; its path is nil if its folder is not here.
local function from_row(row, path)
  local run = {path = path, config = {}, metrics = {}, tags = {}}
  for i, name in ipairs(M.FIELDS) do run[name] = row[i] end
  run.status = run_life.status(path, run, run.heartbeat, row[#M.FIELDS + 1])
  return run
end

-- The runs of a ledger, a list and by id, with all that it has of them; or nil, message.
-- @param ids list of those that are asked for; nil: all
-- @param path_of function(row) -> the path, or nil; whether the run is one of those
local function read_rows(book, ids, path_of)
  local rows, fault = book:ask_among(RUNS, "id", ids)
  if not rows then return nil, fault end
  local list, by_id = {}, {}
  for _, row in ipairs(rows) do
    local path, is_one = path_of(row)
    local run = is_one and from_row(row, path)
    if run and (not path or run.status ~= "dead" or is_dead(path)) then
      list[#list + 1], by_id[run.id] = run, run
    end
  end
  for _, add in ipairs{add_params, add_metrics, add_tags} do
    local ok, why = add(book, by_id, ids)
    if not ok then return nil, why end
  end
  return list, by_id
end

-- The runs of the ledger by id, those with a folder; or nil, message.
local function from_ledger(root, ids)
  local place, lack = ledger_place.find(root)
  if not place then return not lack and {}, lack end
  local book <close>, fault, kind = ledger.open(root, false)
  if not book then return kind == "none" and {}, fault end
  local is_there = {}
  for _, id in ipairs(ids) do is_there[id] = true end
  local list, by_id = read_rows(book, ids, function(row)
    return root .. "/" .. row[1], is_there[row[1]]
  end)
  return list and by_id, by_id
end

local FOLDER = #M.FIELDS -- the field

-- The path of a folder of a ledger's row, if it is one of this machine.
local function path_here(row)
  local host, path = tostring(row[FOLDER]):match "^([^:]*):(.*)$"
  return host == core.host() and core.is_folder(path) and path or nil, true
end

--- Reads all runs of the ledger of a group, oldest first.
-- @param url string
-- @return list as `read` gives it, where path is nil of runs whose folder is not here; or nil,
--   message
function M.read_all(url)
  local book <close>, fault = ledger.open_place(url, nil, false)
  if not book then return nil, fault end
  return read_rows(book, nil, path_here)
end

--- Picks the run that a word means: an id, the start or the end of one, a name, or "last".
-- @param ids list, oldest first
-- @param name_of function(id) -> the name of a run, or nil
-- @return id; nil if there is none; or nil, message if there are several
function M.pick(word, ids, name_of)
  if word == "last" then return ids[#ids] end
  local found = {}
  for _, id in ipairs(ids) do
    local is_it = word ~= "" and (id:sub(1, #word) == word or id:sub(-#word) == word)
    if is_it then found[#found + 1] = id end
  end
  for _, id in ipairs(found[1] and {} or ids) do
    if name_of(id) == word then found[#found + 1] = id end
  end
  if #found <= 1 then return found[1] end
  return nil, strings.message("'%s' is the start of %d runs: %s%s", word, #found,
    table.concat(found, ", ", 1, math.min(#found, 4)), #found > 4 and ", ..." or "")
end

--- Where the folders of runs are that the ledger of a root has and the root has not, as a text:
-- "; it is at HOST:PATH".
-- @param word string: the id of one, or the start or the end of it
function M.elsewhere(root, word)
  local place = ledger_place.find(root)
  if not place or not ledger_place.is_url(place) or word == "" then return "" end
  local book <close> = ledger.open(root, false)
  local rows = book and book:ask([[SELECT folder FROM run WHERE folder IS NOT NULL
    AND (substr(id, 1, $2) = $1 OR substr(id, length(id) + 1 - $2) = $1) LIMIT 2]], word, #word)
  if not rows or #rows ~= 1 then return "" end
  return strings.message("; its folder is %s", rows[1][1])
end

--- Whether the folders of runs are on this machine; or nil, message: where the first is that is
-- not.
function M.check_here(runs)
  for _, run in ipairs(runs) do
    if not run.path then
      return nil, strings.message("%s: its folder is not here: %s", run.id,
        run.folder or "it is not known where")
    end
  end
  return true
end

--- Whether the ledger of a root is a database that this program can open.
function M.has_database(root)
  local place = ledger_place.find(root) or "sqlite"
  return ledger_place.is_url(place) or place == "sqlite" and core.sql_version() ~= nil
end

--- Reads all runs of a folder, oldest first.
-- @return list of {id=, status=, ..., config=, metrics=, tags=, path=}; or nil, message
function M.read(root)
  if not core.is_folder(root) then
    return nil, strings.message("%s: no such folder of runs", root)
  end
  local ids, fault = run_folder.ids(root)
  if not ids then return nil, fault end
  local by_id, why = {}, nil
  if ids[1] then by_id, why = from_ledger(root, ids) end
  if not by_id then notice.say("%s; reading the folders instead", why) end
  local runs, strays = {}, 0
  for _, id in ipairs(ids) do
    local run = by_id and by_id[id]
    if not run then run, strays = from_folder(root, id), strays + 1 end
    runs[#runs + 1] = run
  end
  if by_id and strays > 0 and M.has_database(root) then
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
  ledger.enter(write, about, config, path)
  ledger.put_metrics(write, about, metrics)
  if about.status ~= "running" then ledger.finish(write, about) end
  for tag in pairs(tags) do ledger.annotate(write, about.id, {tag = tag}) end
  for _, row in ipairs(notes) do ledger.annotate(write, about.id, row) end
  return true
end

--- Lists the ids of the runs that a ledger may have of a root: those of its folders, and those
-- whose folders it had.
-- @param write function(sql, ...)
-- @param ids list: of the folders
function M.ids_of_root(write, root, ids)
  local prefix, seen, all = ledger_place.of_folder(root) .. "/", {}, {}
  local rows = write("SELECT id FROM run WHERE substr(folder, 1, $1) = $2", #prefix, prefix)
  for i, row in ipairs(rows) do rows[i] = row[1] end
  for _, list in ipairs{ids, rows} do
    for _, id in ipairs(list) do
      if not seen[id] then seen[id], all[#all + 1] = true, id end
    end
  end
  return all
end

-- Takes the runs of a root out of the ledger.
local function clear(book, write, root)
  if not book:is_shared() then write "DELETE FROM worker" end
  local ids = M.ids_of_root(write, root, run_folder.ids(root) or {})
  book:ask_among("DELETE FROM run%s", "id", ids, write)
  for _, name in ipairs(ledger.OF_A_RUN) do
    book:ask_among("DELETE FROM " .. name .. "%s", "run", ids, write)
  end
end

--- Makes the ledger again from the folders: what it has of the runs of this root.
-- @return how many runs it has; or nil, message
function M.rebuild(root)
  local book <close>, fault = ledger.open(root, true)
  if not book then return nil, fault end
  run_folder.remove_unborn(root)
  local count
  local ok, message = book:change(function(write)
    count = 0
    clear(book, write, root)
    -- From now on those that are in the ledger have a folder.
    for _, id in ipairs(run_folder.ids(root) or {}) do
      local entered, lack = M.enter(write, root .. "/" .. id)
      if entered then count = count + 1 else notice.say("skipping %s/%s: %s", root, id, lack) end
    end
  end)
  if not ok then return nil, message end
  return count
end

return M
