--- What the folders of runs hold of sweeps, and the ledger made of it: sweeps/NAME/sweep.json says
-- what a sweep is, and the run.json of each of its runs which trial it is and what was proposed for
-- it. What came out of a run follows from its status, its log and its results.
local core = require "bnn.core"
local folders = require "bnn.base.folders"
local json_codec = require "bnn.base.json_codec"
local ledger = require "bnn.records.ledger"
local metric_summary = require "bnn.records.metric_summary"
local notice = require "bnn.base.notice"
local run_folder = require "bnn.records.run_folder"
local run_life = require "bnn.records.run_life"
local strings = require "bnn.base.strings"
local task_queue = require "bnn.records.task_queue"
local trial_record = require "bnn.sweep.books.trial_record"

local M = {}

local function folder_of(root, name) return ("%s/sweeps/%s"):format(root, name) end

local function path_of(root, name) return folder_of(root, name) .. "/sweep.json" end

-- Removes what processes were writing when they were killed.
local function remove_parts(folder)
  for name in pairs(core.list_dir(folder) or {}) do
    local pid = name:match "%.(%d+)%.part$"
    local process <close> = pid and io.open(("/proc/%s/stat"):format(pid)) or nil
    if pid and not process then os.remove(folder .. "/" .. name) end
  end
end

--- Writes what a sweep is into its folder.
-- @param root string: the folder of runs
-- @param description table, with the sweep's name
-- @param created string: the time when it was entered, unless the folder has an earlier one
-- @return true; or nil, message
function M.write(root, description, created)
  local ok, fault = folders.make(folder_of(root, description.name))
  if not ok then return nil, fault end
  remove_parts(folder_of(root, description.name))
  local path = path_of(root, description.name)
  local before = run_folder.read_json(path)
  return run_folder.write_json(path, {
    format = 1, description = description, created = before and before.created or created,
  })
end

-- ---- reading ----

-- What sweep.json says, {description=, created=}; nil if there is none that can be read.
local function read_sweep(root, name)
  local about, fault = run_folder.read_json(path_of(root, name))
  if type(about) == "table" and type(about.description) == "table" then return about end
  notice.say("skipping %s: %s", path_of(root, name), fault or "is no sweep's")
end

-- The sweeps of a folder of runs by name.
local function read_sweeps(root)
  local sweeps = {}
  for name, kind in pairs(core.list_dir(root .. "/sweeps") or {}) do
    local file <close> = kind == "folder" and io.open(path_of(root, name)) or nil
    if file then sweeps[name] = read_sweep(root, name) end
  end
  return sweeps
end

local STATE_OF = {completed = "completed", pruned = "pruned", failed = "failed",
                  running = "running"} -- others are to go on

-- A run of a folder with the state of its task, what came out, and why it is not complete.
local function read_run(path, about, objectives)
  local record = trial_record.read(path)
  local run = {about = about, path = path}
  run.outcome = {metrics = record.metrics, step = record.step, seconds = record.seconds}
  run.state = STATE_OF[run_life.status(path, about)] or "interrupted"
  run.why = about.failure and about.failure:gsub("^pruned: ", "")
  if run.state ~= "completed" then return run end
  run.outcome.values, run.why = trial_record.values(objectives, run.outcome.metrics)
  if not run.outcome.values then run.state = "failed" end
  return run
end

local FINISHED = {completed = true, pruned = true}

-- Keeps a run of a trial unless there is one that counts more: the newest that has an outcome, or
-- else the newest.
local function keep(runs, run)
  local key = ("%d %d"):format(run.about.trial, run.about.replicate)
  local other = runs[key]
  if not other or FINISHED[run.state] or not FINISHED[other.state] then runs[key] = run end
end

local function is_run_of_trial(about)
  return type(about) == "table" and about.sweep ~= nil and math.type(about.trial) == "integer"
    and math.type(about.replicate) == "integer"
end

-- The runs that count, of each sweep: name -> {key -> {about=, path=, state=, outcome=, why=}}.
local function read_runs(root, sweeps)
  local by_sweep = {}
  for name in pairs(sweeps) do by_sweep[name] = {} end
  for _, id in ipairs(run_folder.ids(root) or {}) do
    local path = root .. "/" .. id
    local about = run_folder.read_json(path .. "/run.json")
    local sweep = is_run_of_trial(about) and sweeps[about.sweep]
    if sweep then
      keep(by_sweep[about.sweep], read_run(path, about, sweep.description.objectives))
    end
  end
  return by_sweep
end

--- The names of the sweeps of a folder of runs, oldest first.
function M.names(root)
  local sweeps, names = read_sweeps(root), {}
  for name in pairs(sweeps) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    local x, y = sweeps[a].created or "", sweeps[b].created or ""
    if x ~= y then return strings.before(x, y) end
    return strings.before(a, b)
  end)
  return names
end

--- Reads what a sweep is.
-- @return {description=, created=}; nil: its folder does not say
function M.read(root, name)
  local file <close> = io.open(path_of(root, name))
  return file and read_sweep(root, name)
end

-- ---- the ledger ----

--- A value as the ledger has it: JSON that keeps integers and floats apart.
function M.to_json(value)
  return assert(core.json_encode(assert(json_codec.encode(value, "sweep"))))
end

-- What a run reported of an objective, by its log: a list of {step, value}.
local function reports_of(run, objective)
  local reports = {}
  for _, block in ipairs(metric_summary.blocks(run.path, run.about) or {}) do
    for _, row in ipairs(block.rows) do
      if row[1] == objective and type(row[2]) == "number" and block.step then
        reports[#reports + 1] = {block.step, row[2]}
      end
    end
  end
  return reports
end

local function put_reports(write, name, run, objective)
  local about = run.about
  for _, row in ipairs(reports_of(run, objective)) do
    write([[INSERT INTO report (sweep, trial, replicate, step, value)
      VALUES ($1, $2, $3, $4, $5) ON CONFLICT (sweep, trial, replicate, step)
      DO UPDATE SET value = excluded.value]], name, about.trial, about.replicate, row[1], row[2])
  end
end

--- Lists the runs that the folders have of a sweep.
-- @param description table: of the sweep
-- @return list of {trial=, replicate=, proposal=, state=, run=, failure=, outcome=, reports= list
--   of {step, value}}, where only those have an outcome that have ended
function M.runs(root, description)
  local name, list = description.name, {}
  for _, run in pairs(read_runs(root, {[name] = {description = description}})[name]) do
    local about, has_ended = run.about, run.state ~= "running" and run.state ~= "interrupted"
    list[#list + 1] = {
      trial = about.trial, replicate = about.replicate, proposal = about.proposal,
      state = run.state, run = about.id, failure = run.why, outcome = has_ended and run.outcome
      or nil, reports = reports_of(run, description.objectives[1].name),
    }
  end
  return list
end

local function put_run(write, name, run, objective)
  local about = run.about
  if about.proposal then
    write([[INSERT INTO trial (sweep, number, config) VALUES ($1, $2, $3)
      ON CONFLICT (sweep, number) DO NOTHING]], name, about.trial, M.to_json(about.proposal))
  end
  task_queue.restore(write, {
    sweep = name, trial = about.trial, replicate = about.replicate, state = run.state,
    attempt = about.attempt, run = about.id,
    failure = run.why,
  })
  put_reports(write, name, run, objective)
  if run.state == "running" or run.state == "interrupted" then return end
  write([[INSERT INTO outcome (sweep, trial, replicate, outcome) VALUES ($1, $2, $3, $4)
    ON CONFLICT (sweep, trial, replicate) DO UPDATE SET outcome = excluded.outcome]], name,
    about.trial, about.replicate, M.to_json(run.outcome))
end

-- The runs that a sweep is to have and that have no folder.
local function put_open_tasks(write, name, description)
  for trial = 1, description.trials do
    for replicate = 1, #description.seeds do
      task_queue.restore(write, {sweep = name, trial = trial, replicate = replicate,
                                 state = "open", attempt = 0})
    end
  end
end

local function put_sweep(write, name, sweep, runs)
  write([[INSERT INTO sweep (id, description, created) VALUES ($1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET description = excluded.description,
    created = excluded.created]], name, M.to_json(sweep.description), sweep.created)
  for _, run in pairs(runs) do
    put_run(write, name, run, sweep.description.objectives[1].name)
  end
  put_open_tasks(write, name, sweep.description)
end

-- Takes away what a ledger of many roots has of these runs, so that it is made again.
local function clear_runs(write, runs)
  for _, run in pairs(runs) do
    local sweep, trial, replicate = ledger.lose_run(write, run.about.id)
    if sweep then
      write([[DELETE FROM task WHERE sweep = $1 AND trial = $2 AND replicate = $3 AND state = 0]],
        sweep, trial, replicate)
    end
  end
end

-- Takes away what a ledger has of sweeps, but for the runs that are being made and what was
-- proposed for them.
local function clear(write)
  task_queue.clear(write)
  for _, row in ipairs{{"trial", "number"}, {"outcome", "trial"}, {"report", "trial"}} do
    write(([[DELETE FROM %s WHERE NOT EXISTS (SELECT 1 FROM task
      WHERE task.sweep = %s.sweep AND task.trial = %s.%s)]]):format(row[1], row[1], row[1],
      row[2]))
  end
  write "DELETE FROM sweep WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.sweep = sweep.id)"
end

local function put(root, sweeps, may_clear)
  local book <close>, fault = ledger.open(root, true)
  if not book then return nil, fault end
  local count
  local ok, why = book:change(function(write)
    count = 0
    local runs = read_runs(root, sweeps) -- SQLite: while no run can enter its end
    if may_clear and not book:is_shared() then clear(write) end
    for name, sweep in pairs(sweeps) do
      if may_clear and book:is_shared() then clear_runs(write, runs[name]) end
      put_sweep(write, name, sweep, runs[name])
      count = count + 1
    end
  end)
  if ok then return count end
  return nil, why
end

--- Makes what the ledger has of sweeps again from the folders.
-- @param root string: the folder of runs
-- @return how many sweeps it has; or nil, message
function M.rebuild(root) return put(root, read_sweeps(root), true) end

--- Enters a sweep from its folders, if it has one and the ledger does not know it.
-- @return whether it did; or nil, message
function M.restore(root, name)
  local sweep = M.read(root, name)
  if not sweep then return false end
  local count, fault = put(root, {[name] = sweep})
  return count and true, fault
end

-- ---- runs that are deleted ----

local function count_of(book, sql, name)
  local rows, fault = book:ask(sql, name)
  if not rows then return nil, fault end
  return rows[1][1]
end

--- Takes the description of a sweep out of its folder: reports stay.
-- @return string: what is to be said
function M.forget_folder(root, name)
  os.remove(path_of(root, name))
  os.remove(folder_of(root, name)) -- if it is empty
  return strings.message("the sweep '%s' has no runs left and is forgotten", name)
end

--- What is to be said of a sweep that has runs to make.
function M.left_text(name, open)
  return strings.message("the sweep '%s' has %d run%s to make: the same command goes on", name,
    open, open == 1 and "" or "s")
end

-- Takes a sweep out of the ledger and out of its folder.
local function forget(root, book, name)
  local ok, fault = book:change(function(write)
    for _, of in ipairs(ledger.OF_A_SWEEP) do
      write(("DELETE FROM %s WHERE sweep = $1"):format(of), name)
    end
    write("DELETE FROM sweep WHERE id = $1", name)
  end)
  if not ok then return nil, fault end
  return M.forget_folder(root, name)
end

--- Says what is left of a sweep some of whose runs have been deleted; one that has none left is
-- forgotten.
-- @param root string: the folder of runs
-- @param book a ledger that may be written
-- @return string; or nil, message
function M.after_deleting(root, book, name)
  local left, fault = count_of(book, "SELECT count(*) FROM run WHERE sweep = $1", name)
  local open, why = count_of(book,
    "SELECT count(*) FROM task WHERE sweep = $1 AND state IN (0, 1)", name)
  if not left or not open then return nil, fault or why end
  local busy = count_of(book, "SELECT count(*) FROM task WHERE sweep = $1 AND state = 1", name)
  if left == 0 and busy == 0 then return forget(root, book, name) end
  return M.left_text(name, open)
end

return M
