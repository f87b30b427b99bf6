--- Moves the ledger of a folder of runs to another store: all that the old one has of the runs and
-- the sweeps of this folder, in one transaction of the new one, counted; then ledger.txt. It may be
-- repeated: what the new one has of them is replaced. A database of SQLite is kept under another
-- name; from the ledger of a group the rows are removed, as others would make the sweeps' runs.
local core = require "bnn.core"
local ledger = require "bnn.records.ledger"
local ledger_place = require "bnn.records.ledger_place"
local run_folder = require "bnn.records.run_folder"
local run_list = require "bnn.records.run_list"
local strings = require "bnn.base.strings"
local task_queue = require "bnn.records.task_queue"

local M = {}

local BATCH = 50 -- rows of a statement

-- ---- what is of a root ----

local function first_column(rows)
  for i, row in ipairs(rows) do rows[i] = row[1] end
  return rows
end

-- The sweeps of a ledger that the folder has.
local function sweeps_of(book, read, root)
  local names = {}
  for _, name in ipairs(first_column(read "SELECT id FROM sweep ORDER BY id")) do
    local is_here = core.is_folder(root .. "/sweeps/" .. name)
    if is_here or not book:is_shared() then names[#names + 1] = name end
  end
  return names
end

-- Where the rows of a root are: {table, what selects them, the column of their key, the keys}.
local function parts_of(ids, sweeps)
  local parts = {{"run", "id", ids}}
  for _, name in ipairs(ledger.OF_A_RUN) do parts[#parts + 1] = {name, "run", ids} end
  parts[#parts + 1] = {"sweep", "id", sweeps}
  for _, name in ipairs(ledger.OF_A_SWEEP) do parts[#parts + 1] = {name, "sweep", sweeps} end
  return parts
end

-- Calls f(key) for each run or sweep of a part.
local function each_key(part, f)
  for _, key in ipairs(part[3]) do f(key) end
end

local function delete_rows(write, parts)
  for _, part in ipairs(parts) do
    local sql = ("DELETE FROM %s WHERE %s = $1"):format(part[1], part[2])
    each_key(part, function(key) write(sql, key) end)
  end
end

-- ---- copies ----

local function insert_sql(name, columns, n, ending)
  local rows, at = {}, 0
  for i = 1, n do
    local marks = {}
    for k = 1, #columns do marks[k] = ("$%d"):format(at + k) end
    rows[i], at = "(" .. table.concat(marks, ", ") .. ")", at + #columns
  end
  return ("INSERT INTO %s (%s) VALUES %s %s"):format(name, table.concat(columns, ", "),
    table.concat(rows, ", "), ending or "")
end

-- Inserts the rows from a place in a list on, so many.
local function insert(write, name, columns, rows, from, n)
  local values = {}
  for i = 0, n - 1 do
    for k = 1, #columns do values[i * #columns + k] = rows[from + i][k] end
  end
  local ending = name == "worker" and "ON CONFLICT (id) DO NOTHING" or ""
  write(insert_sql(name, columns, n, ending), table.unpack(values, 1, n * #columns))
end

local function insert_all(write, name, columns, rows)
  for from = 1, #rows, BATCH do
    insert(write, name, columns, rows, from, math.min(BATCH, #rows - from + 1))
  end
end

-- Rows of earlier versions do not say where the folder of a run is.
local function add_folders(rows, columns, root)
  local id, folder
  for i, name in ipairs(columns) do
    if name == "id" then id = i elseif name == "folder" then folder = i end
  end
  for _, row in ipairs(rows) do
    row[folder] = row[folder] or ledger_place.of_folder(root .. "/" .. row[id])
  end
end

-- Copies the rows of a part; raises if they are not as many as before.
local function copy_part(read, write, part, root)
  local name, column, count = part[1], part[2], 0
  each_key(part, function(key)
    local of_key = (" FROM %s WHERE %s = $1"):format(name, column)
    local rows, columns = read("SELECT *" .. of_key, key)
    if name == "run" then add_folders(rows, columns, root) end
    insert_all(write, name, columns, rows)
    local written = write("SELECT count(*)" .. of_key, key)[1][1]
    if written ~= #rows then
      error(strings.message("%d of %d rows of '%s' are there", written, #rows, name), 0)
    end
    count = count + #rows
  end)
  return count
end

local function copy_workers(read, write, ids)
  for _, id in ipairs(ids) do
    local rows, columns = read([[SELECT * FROM worker WHERE id IN (SELECT worker FROM attempt
      WHERE run = $1)]], id)
    insert_all(write, "worker", columns, rows)
  end
end

-- Raises if others take part in one of the sweeps that a ledger has.
local function check_own(ask, sweeps, ids)
  local is_own = {}
  for _, id in ipairs(ids) do is_own[id] = true end
  for _, name in ipairs(sweeps) do
    for _, row in ipairs(ask("SELECT run FROM task WHERE sweep = $1", name)) do
      if row[1] and not is_own[row[1]] then
        error(strings.message("the sweep '%s' has runs of other folders", name), 0)
      end
    end
  end
end

-- Raises if the new ledger has a sweep of that name that is not this one.
local function check_sweep(read, write, name)
  local own = read("SELECT description FROM sweep WHERE id = $1", name)[1]
  local other = write("SELECT description FROM sweep WHERE id = $1", name)[1]
  if other and own[1] ~= other[1] then
    error(strings.message("it has another sweep '%s'", name), 0)
  end
end

-- ---- whether it may be ----

-- Whether nobody makes runs; or nil, message. Tasks of processes that have died are opened.
local function check_idle(root, book)
  local runs, fault = run_list.read(root)
  if not runs then return nil, fault end
  for _, run in ipairs(runs) do
    if run.status == "running" then return nil, run.id .. ": is still running" end
  end
  if not book then return true end
  local queue, why = task_queue.new(book)
  if not queue then return nil, why end
  local rows, lack = book:ask "SELECT DISTINCT sweep FROM task WHERE state = 1"
  for _, row in ipairs(rows or {}) do
    local is_here = not book:is_shared() or core.is_folder(root .. "/sweeps/" .. row[1])
    local ok = not is_here or queue:reclaim(row[1])
    local counts = ok and is_here and queue:counts(row[1])
    if counts and counts.running > 0 then
      return nil, strings.message("the sweep '%s' has runs that are being made", row[1])
    end
  end
  return rows and true, lack
end

-- ---- moving ----

-- The name under which something is kept that nobody is to open.
local function kept_name(path)
  return ("%s.moved-%s"):format(path, os.date("!%Y%m%d-%H%M%S", math.floor(core.now())))
end

-- Sets the queues of sweeps aside that folders have in place of a ledger: they would be old when it
-- moves back.
local function set_queues_aside(root)
  local sweeps = root .. "/sweeps"
  for name in pairs(core.is_folder(sweeps) and core.list_dir(sweeps) or {}) do
    local queue = ("%s/%s/queue"):format(sweeps, name)
    if core.is_folder(queue) then os.rename(queue, kept_name(queue)) end
  end
end

-- Keeps a database under another name.
local function set_aside(root)
  local path = ledger.path(root)
  if not core.real_path(path) then return end
  local kept = kept_name(path)
  os.rename(path, kept)
  for _, ending in ipairs{"-wal", "-shm"} do os.rename(path .. ending, kept .. ending) end
  strings.notice(strings.message("the old ledger is kept: %s", kept))
end

local function write_place(root, place)
  local ok, fault = ledger_place.write(root, place)
  if not ok then error(fault, 0) end
end

-- Copies from one ledger to the other; what is written of it, as {runs=, sweeps=, rows=}.
local function copy(root, from, to, place)
  local done
  local ok, fault = from:change(function(read)
    local ids = run_list.ids_of_root(read, root, run_folder.ids(root) or {})
    local sweeps = sweeps_of(from, read, root)
    local parts = parts_of(ids, sweeps)
    if from:is_shared() then check_own(read, sweeps, ids) end
    local copied, why = to:change(function(write)
      for _, name in ipairs(sweeps) do check_sweep(read, write, name) end
      check_own(write, sweeps, ids)
      delete_rows(write, parts)
      copy_workers(read, write, ids)
      done = {sweeps = #sweeps, rows = 0}
      for _, part in ipairs(parts) do
        local n = copy_part(read, write, part, root)
        if part[1] == "run" then done.runs = n end
        done.rows = done.rows + n
      end
    end)
    if not copied then error(why, 0) end
    write_place(root, place)
    if from:is_shared() then delete_rows(read, parts) end
  end)
  return ok and done, fault
end

local function copy_to(root, book, place)
  if place == "sqlite" then set_aside(root) end -- one that ledger.txt has left unused
  local to <close>, fault = ledger.open_place(place, root, true)
  if not to then return nil, fault end
  local done, why = copy(root, book, to, place)
  if not done then return nil, why end
  if not book:is_shared() then
    book:close()
    set_aside(root)
  end
  return strings.message("%s: %d runs, %d sweep%s, %d rows", ledger.name(root), done.runs,
    done.sweeps, done.sweeps == 1 and "" or "s", done.rows)
end

-- To folders alone: they have all but what was proposed for trials that have not begun.
local function drop(root, book)
  local ok, fault = true, nil
  if book and book:is_shared() then
    ok, fault = book:change(function(write)
      local ids = run_list.ids_of_root(write, root, run_folder.ids(root) or {})
      local sweeps = sweeps_of(book, write, root)
      check_own(write, sweeps, ids)
      delete_rows(write, parts_of(ids, sweeps))
    end)
  end
  if ok then ok, fault = ledger_place.write(root, "folder") end
  if not ok then return nil, fault end
  if book and not book:is_shared() then
    book:close()
    set_aside(root)
  end
  return strings.message("%s: no ledger but its folders, which have all runs, tags and notes", root)
end

-- From a database.
local function move_database(root, place)
  local book <close>, fault = ledger.open(root, true)
  if not book then return nil, fault end
  local ok, why = check_idle(root, book)
  if not ok then return nil, why end
  if place == "folder" then return drop(root, book) end
  return copy_to(root, book, place)
end

--- Moves the ledger of a folder of runs.
-- @param place string: "sqlite", "folder" or a URL
-- @return what was done, as a text, and whether the ledger is still to be made from the folders; or
--   nil, message
function M.move(root, place)
  local now, fault = ledger_place.find(root)
  if fault then return nil, fault end
  if now == place then
    return nil, strings.message("the ledger of %s is %s already", root, place)
  end
  if now and now ~= "folder" then return move_database(root, place) end
  local ok, why = check_idle(root)
  if not ok then return nil, why end
  if place == "folder" then return drop(root) end
  ok, why = ledger_place.write(root, place)
  if not ok then return nil, why end
  set_queues_aside(root)
  return strings.message("the ledger of %s is %s", root, place), true
end

return M
