--- Records the run of an experiment: its folder, its row in the ledger, its log.
--
-- Recording is never in the way: what cannot be written is one notice on stderr, and the run goes
-- on without that part of its record. What a server that is away is to have is kept, and written
-- at a later heartbeat or at the end. A recorder is of one attempt of its run: when another process
-- has begun the next one, it writes no more.
local core = require "bnn.core"
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local expect = require "bnn.base.expect"
local figure_paths = require "bnn.records.figure_paths"
local folders = require "bnn.base.folders"
local ledger = require "bnn.records.ledger"
local ledger_place = require "bnn.records.ledger_place"
local log_text = require "bnn.log.log_text"
local metric_summary = require "bnn.records.metric_summary"
local logs = require "bnn.log.log"
local observer = require "bnn.base.observer"
local run_about = require "bnn.records.run_about"
local run_attempt = require "bnn.records.run_attempt"
local run_facts = require "bnn.records.run_facts"
local run_folder = require "bnn.records.run_folder"
local run_life = require "bnn.records.run_life"
local strings = require "bnn.base.strings"

local M = {}

local BEAT_SECONDS, BEAT_WAIT_MS = 5, 50
local SERVER_WAIT_MS = 2000          -- that a server may take to answer while the run waits
local LONGEST_PAUSE = 60             -- seconds between two attempts to reach it
local END_PATIENCE, HURRY = 60, 5    -- seconds to wait for it at the end; of an interrupted run
local FIGURES_MOST = 200 -- that are copied into the record

local Recorder = {__name = "bnn.recorder"}
Recorder.__index = Recorder

local current -- the recorder of the run of this process, or nil

--- The recorder of the run that this process makes, or nil.
function M.current() return current end

-- The first fault of a record is said; those that follow from it are not.
local function give_up(self, fault)
  if self.fault then return end
  self.fault = fault
  strings.notice(("the record of this run is not complete: %s"):format(fault))
end

-- ---- the ledger ----

-- Writes what is to be in the ledger; what a server that does not answer is to have is kept.
local function flush(self)
  local kept = self.kept
  local ok, fault, kind = self.ledger:change(function(write)
    for _, f in ipairs(kept) do f(write) end
  end)
  if ok or kind ~= "lost" then self.kept = {} end
  if ok then
    self.pause = nil
  elseif kind == "lost" then
    self.pause = math.min(2 * (self.pause or BEAT_SECONDS / 2), LONGEST_PAUSE)
    self.next_flush = core.now() + self.pause
    if not self.is_behind then
      strings.notice(("the ledger is written later: %s"):format(fault))
    end
    self.is_behind = true
  else
    give_up(self, fault)
  end
  return ok
end

-- Writes the ledger, if there is one; returns whether it has all.
local function change_ledger(self, f)
  if not self.ledger then return true end
  self.kept[#self.kept + 1] = f
  return core.now() >= self.next_flush and flush(self)
end

local function say_life(self, write)
  ledger.beat(write, self.about)
  ledger.put_metrics(write, self.about, self.metrics)
end

-- The ledger of SQLite as heartbeats write it: they do not wait for others, the next one says the
-- same.
local function write_beat(self)
  if not self.ledger then return end
  if self.ledger:is_shared() then
    if core.now() < self.next_flush then return end
    if self.kept[1] and not flush(self) then return end
    change_ledger(self, function(write) say_life(self, write) end)
    self.kept = {} -- the next one says the same
    return
  end
  self.beats = self.beats or ledger.open(self.root, true, BEAT_WAIT_MS)
  if not self.beats then return end
  self.beats:change(function(write) say_life(self, write) end)
end

-- ---- the log ----

-- Whether the run is still of this attempt; if not, its record is no longer written.
local function owns(self)
  local about = run_folder.read_json(self.folder.path .. "/run.json")
  if not about or about.attempt == self.about.attempt then return true end
  give_up(self, ("attempt %d has taken it over"):format(about.attempt))
  self.is_lost = true
  return false
end

-- Says that the run lives, at most once in some seconds.
local function beat(self, step)
  local now = core.now()
  if now < self.next_beat or self.is_lost or not owns(self) then return end
  self.next_beat = now + BEAT_SECONDS
  run_life.write(self.folder.path, step)
  write_beat(self)
end

local function write_rows(self, step, rows)
  for _, row in ipairs(rows) do metric_summary.note(self.metrics, step, row[1], row[2]) end
  local ok, fault = self.rows:write(log_text.json_line(step, rows))
  if ok then ok, fault = self.rows:flush() end
  if not ok then give_up(self, "metrics.jsonl: " .. tostring(fault)) end
  beat(self, step)
end

-- The log of the run, to be written beside the console.
function Recorder:log()
  return logs.new{
    write = function(_, step, rows)
      if self.rows and not (self.is_finished or self.is_lost) then write_rows(self, step, rows) end
    end,
  }
end

-- ---- the beginning ----

-- The files that a run begins with.
local function write_beginning(self, opts, facts)
  local path, about = self.folder.hidden, self.about
  local sources, fault = run_facts.write_sources(path, facts.sources)
  if not sources then return nil, fault end
  about.sources = sources
  local ok = true
  if facts.diff then ok, fault = run_folder.write(path .. "/git.diff", facts.diff) end
  if ok then ok, fault = run_folder.write_json(path .. "/config.json", opts.config) end
  if ok then ok, fault = run_folder.write_json(path .. "/run.json", about) end
  if ok then ok, fault = run_folder.publish(self.folder) end
  return ok, fault
end

-- What is written on both outputs is in the folder too.
local function capture(self)
  for stream, name in pairs{stdout = "output.txt", stderr = "errors.txt"} do
    local ok, fault = core.capture(stream, self.folder.path .. "/" .. name)
    if not ok then give_up(self, fault) end
  end
end

-- A script that ends the program by os.exit ends its record.
local function watch_exit(self)
  local exit = os.exit
  self.exit = exit
  function os.exit(code, ...) -- luacheck: ignore 122
    local is_good = code == nil or code == true or code == 0
    self:finish(is_good and "completed" or "failed",
      not is_good and "os.exit(" .. tostring(code) .. ")" or nil)
    return exit(code, ...)
  end
end

local function enter_ledger(self, config)
  local place, lack = ledger_place.settle(self.root)
  if not place then return give_up(self, lack) end
  if place == "folder" then return end
  local ms = ledger_place.is_url(place) and SERVER_WAIT_MS or nil
  local book, fault, kind, late = ledger.open(self.root, true, ms)
  if kind == "none" then
    return strings.notice(fault .. ": the run is recorded in its folder only")
  end
  self.ledger = book or late
  if not self.ledger then return give_up(self, fault) end
  self.ledger:set_patience(0)
  change_ledger(self, function(write)
    ledger.enter(write, self.about, config, self.folder.path)
  end)
end

local function new_recorder(root, folder, about, config)
  return setmetatable({
    root = root, folder = folder, about = about, metrics = {}, figures = {},
    checkpoint = config.checkpoint, kept = {}, next_flush = 0,
    begun = {now = core.now(), cpu = core.usage()}, next_beat = core.now() + BEAT_SECONDS,
  }, Recorder)
end

-- The folder is there: from now on what happens is recorded.
local function begin(self, config)
  local fault
  self.rows, fault = io.open(self.folder.path .. "/metrics.jsonl", "ab")
  if not self.rows then give_up(self, strings.shown(fault)) end
  enter_ledger(self, config)
  watch_exit(self)
  observer.listen{
    data = function(set) self.about.data[#self.about.data + 1] = run_facts.data(set) end,
    figure = function(path) self.figures[#self.figures + 1] = path end,
    pulse = function(step) beat(self, step) end,
    resumed = function(path, step) self.about.resumed = {path = path, step = step} end,
  }
  current = self
  capture(self)
  return self
end

-- The record of a parent is not its child's to write: what it gets to see of it does nothing.
core.on_fork(function()
  if not current then return end
  current.is_finished, current = true, nil
end)

--- Begins the record of a run.
-- @param opts table: root, script, argv, config, about, name, result_flags (the names of the flags
--   that decide the result), place_flags (those that say where something else is written); labels
--   of a run of a sweep, {sweep=, trial=, replicate=, proposal = the trial's configuration,
--   is_within = whether the script is the sweep's and has the experiment in it}; facts, what
--   run_facts.gather returned for the script, if it is known already
-- @return recorder; or nil, message
function M.start(opts)
  if opts.script == "-" then return nil, "its script is the standard input" end
  local facts, fault = opts.facts, nil
  if not facts then facts, fault = run_facts.gather(opts.script) end
  if not facts then return nil, fault end
  local folder, why = run_folder.new(opts.root)
  if not folder then return nil, why end
  local self = new_recorder(opts.root, folder, run_about.new(folder.id, opts, facts), opts.config)
  local ok, lack = write_beginning(self, opts, facts)
  if not ok then
    run_folder.remove(folder.hidden)
    return nil, lack
  end
  return begin(self, opts.config)
end

--- Begins the next attempt of a run that died, failed or was interrupted.
-- @param opts table: root, id; machine, what run_facts.machine returned, or nil; check,
--   function(about, config) -> true; or nil, message: whether it is the run that is meant
-- @return recorder; or nil, message, and the run is as it was
function M.resume(opts)
  local path = opts.root .. "/" .. opts.id
  local about, config, lock = run_attempt.take(path)
  if not about then return nil, config end
  local ok, fault = true, nil
  if opts.check then ok, fault = opts.check(about, config) end
  if ok then ok, fault = run_attempt.begin(path, about, opts.machine or run_facts.machine()) end
  if not ok then
    lock:release()
    return nil, fault
  end
  local self = new_recorder(opts.root, {id = opts.id, path = path, lock = lock}, about, config)
  self.metrics = metric_summary.read(path, about)
  return begin(self, config)
end

-- ---- what scripts add ----

-- Copies a file that is there into a folder of the run, or gives the path for one that is not.
local function add_file(self, kind, path)
  local folder = self.folder.path .. "/" .. kind
  local ok, fault = folders.make(folder)
  local target = folder .. "/" .. path:match "[^/]+$"
  local file <close> = ok and io.open(path, "rb")
  if file then ok, fault = run_folder.copy(path, target) end
  if not ok then give_up(self, fault) end
  return target
end

--- Adds a figure to the run.
--     local run = bnn.run.current()
--     if run then bnn.plot.lines{curves, path = run:figure "loss.svg"} end
-- @param path string: a file, which is copied; or the name of one that is to be written
-- @return string: the path in the run's folder
function Recorder:figure(path)
  expect.string("recorder:figure: path", path, "a path")
  return add_file(self, "figures", path)
end

--- Adds a file to the run, as `figure` does.
--     local run = bnn.run.current()
--     local path = run and run:file "weights.csv" or "weights.csv"   -- where to write it
-- @param path string: a file, which is copied; or the name of one that is to be written
-- @return string: the path in the run's folder
function Recorder:file(path)
  expect.string("recorder:file: path", path, "a path")
  return add_file(self, "files", path)
end

--- Adds a note to the record of the run.
--     local run = bnn.run.current()
--     if run then run:note "trained on half of the data" end
-- @param text string
-- @return nothing if it is written; or nil, message
function Recorder:note(text)
  expect.string("recorder:note: text", text)
  local row = {note = text}
  local ok, fault = M.annotate(self.folder.path, nil, row)
  if not ok then return give_up(self, fault) end
  change_ledger(self, function(write) ledger.annotate(write, self.about.id, row) end)
end

--- Adds a tag or a note to a run, of whatever age.
-- @param path string: its folder
-- @param book a ledger that may be written, or nil
-- @param row {tag=}, {untag=} or {note=}
-- @return true; or nil, message
function M.annotate(path, book, row)
  row.written = run_folder.time_text(core.now())
  local text, fault = core.json_encode(row)
  if not text then return nil, fault end
  local file <close>, why = io.open(path .. "/" .. run_folder.NOTES, "ab")
  local ok = file and file:write(text .. "\n") and file:flush()
  if not ok then return nil, strings.shown(why or path .. ": no note can be written") end
  local id = path:match "[^/]+$"
  if book then return book:change(function(write) ledger.annotate(write, id, row) end) end
  return true
end

-- Keeps the metrics that an experiment returned, beside those of its log.
function Recorder:results(metrics)
  if type(metrics) ~= "table" then return end
  self.about.results = {}
  for name, v in pairs(metrics) do
    local is_plain = type(v) == "number" or type(v) == "string" or type(v) == "boolean"
    if type(name) == "string" and is_plain then self.about.results[name] = v end
  end
  metric_summary.note_results(self.metrics, self.about.results)
end

-- ---- the end ----

-- The best and the newest checkpoint, if the run wrote any.
local function copy_checkpoints(self)
  if type(self.checkpoint) ~= "string" or not core.is_folder(self.checkpoint) then return true end
  local ok, fault = folders.make(self.folder.path .. "/checkpoints")
  for _, from in ipairs(ok and checkpoint_folder.paths(self.checkpoint) or {}) do
    if ok then
      local to = self.folder.path .. "/checkpoints/" .. from:match "[^/]+$"
      ok, fault = run_folder.copy(from, to)
    end
  end
  return ok, fault
end

-- The figures that bnn.plot drew, under their paths below the folder that all share; as they are
-- at the end, and one that is gone is left out.
local function copy_figures(self)
  local kept, fault = figure_paths.below(self.figures, self.folder.path)
  for i, figure in ipairs(kept) do
    if i > FIGURES_MOST then
      strings.notice(("the record keeps %d of %d figures"):format(FIGURES_MOST, #kept))
      break
    end
    local to = self.folder.path .. "/figures/" .. figure.name
    local file <close> = io.open(figure.path, "rb")
    local ok = true
    if file then ok, fault = folders.make_above(to) end
    if ok and file then ok, fault = run_folder.copy(figure.path, to) end
    if not ok then return nil, fault end
  end
  return true
end

-- The files of the end, and the seal over all of them.
local function close_folder(self)
  local path = self.folder.path
  run_life.remove(path)
  for _, copy in ipairs{copy_checkpoints, copy_figures} do
    local done, why = copy(self)
    if not done then give_up(self, why) end
  end
  local ok, fault
  self.about.record_fault = self.fault
  ok, fault = run_folder.seal(path, self.about)
  if not ok then give_up(self, fault) end
end

local function end_captures(self)
  for _, stream in ipairs{"stdout", "stderr"} do
    local ok, fault = core.capture_end(stream)
    if not ok then give_up(self, stream .. ": " .. fault) end
  end
end

-- Writes the end into the ledger, for which a server that is away is waited for. An interrupt ends
-- the waiting, and is raised when the record is closed.
local function end_ledger(self, status)
  if not self.ledger then return end
  self.ledger:set_patience(status == "interrupted" and HURRY or END_PATIENCE)
  self.next_flush = 0
  local ok, has_all = pcall(change_ledger, self, function(write)
    ledger.put_metrics(write, self.about, self.metrics)
    ledger.finish(write, self.about)
  end)
  self.is_behind = not ok or not has_all
  if not ok then self.late_error = has_all end
  if not self.kept[1] then return end
  strings.notice(("the ledger does not have this run, as its server does not answer: `bnnlua -m "
    .. "runs rebuild --runs=%s` enters it"):format(strings.shell_word(self.root)))
end

-- Of a run that was resumed, rows that a later attempt has logged again do not count.
local function write_end(self, status, failure)
  run_about.finish(self.about, status, failure, self.begun)
  close_folder(self)
  if self.about.attempt > 1 then
    self.metrics = metric_summary.read(self.folder.path, self.about)
  end
  end_ledger(self, status)
end

-- Whether the ledger does not have the end of a run, as when its server did not answer.
function Recorder:is_kept_back() return self.is_finished and self.is_behind or false end

-- Ends the record, as "completed", "failed", "pruned" or "interrupted"; failure is the message
-- with its traceback, or nil. Calling it twice is safe.
function Recorder:finish(status, failure)
  if self.is_finished then return end
  self.is_finished, current = true, nil
  observer.listen(nil)
  os.exit = self.exit -- luacheck: ignore 122 (as it was before watch_exit)
  if self.rows then self.rows:close() end
  end_captures(self)
  if not self.is_lost and owns(self) then write_end(self, status, failure) end
  if self.beats then self.beats:close() end
  if self.ledger then self.ledger:close() end
  if self.folder.lock then self.folder.lock:release() end
  if self.late_error then error(self.late_error, 0) end
end

-- The status that an error gives a run: what its metatable says as run_status, if it does.
local function status_of(err)
  local signal = require "bnn.signal"
  if err == nil then return "completed" end
  local meta = getmetatable(err)
  local own = type(err) == "table" and type(meta) == "table" and meta.run_status
  return own or signal.is_interrupt(err) and "interrupted" or "failed"
end

-- An object whose closing ends the record, by the error that passes through. An interrupt waits
-- until the record is whole.
function Recorder:until_closed()
  local signal = require "bnn.signal"
  return setmetatable({}, {__close = function(_, err)
    signal.hold(self.finish, self, status_of(err), err ~= nil and tostring(err) or nil)
  end})
end

return M
