--- One run of a trial, in the process that was forked for it: its record, its reports to the
-- ledger, the question whether it is pruned, and its outcome.
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local configuration = require "bnn.base.configuration"
local core = require "bnn.core"
local data_cache = require "bnn.data.data_cache"
local fail = require "bnn.base.fail"
local folders = require "bnn.base.folders"
local kinds = require "bnn.base.kinds"
local logs = require "bnn.log.log"
local number = require "bnn.base.number"
local progress = require "bnn.base.progress"
local recorded_run = require "bnn.run.recorded_run"
local recorder = require "bnn.records.recorder"
local refusal = require "bnn.base.refusal"
local run_folder = require "bnn.records.run_folder"
local signal = require "bnn.signal"
local strings = require "bnn.base.strings"
local task_queue = require "bnn.records.task_queue"
local trial_record = require "bnn.sweep.books.trial_record"

local M = {}

-- What ends a run that is pruned; it passes through the experiment as an error.
local Pruned = {__name = "bnn.pruned", run_status = "pruned"}

function Pruned.__tostring(self) return "pruned: " .. self.reason end

-- Progress lines go to the sweep, which shows them with those of the other runs.
local function send_progress(send)
  progress.host = {
    now = core.ticks, mark = function() end,
    columns = function() return 512 end,
    write = function(text)
      local line = text:gsub("[\r\n]", ""):gsub("\27%[K", "")
      if line ~= "" then send("progress " .. line) end
    end,
  }
end

-- ---- what a run reports ----

-- Raises if the run is pruned by what it and the others have reported so far.
local function prune(self, step)
  local plan, task, own = self.plan, self.task, nil
  local trials = self.watch:trials()
  for _, trial in ipairs(trials) do
    if trial.number == task.trial then own = trial end
  end
  local stops, reason = plan.pruner:should_prune(own, trials, step)
  if stops then error(setmetatable({reason = reason or "its value"}, Pruned), 0) end
end

local function note_row(self, step, rows)
  local objective, value = self.plan.objectives[1].name, nil
  for _, row in ipairs(rows) do
    self.metrics[row[1]] = row[2]
    if row[1] == objective then value = row[2] end
  end
  self.step = step
  if type(value) ~= "number" then return end
  self.book:report(self.task, step, value)
  if self.plan.pruner.needs == "reports" then prune(self, step) end
end

-- ---- what comes out of a run ----

-- The metrics that an experiment returned, as plain values.
local function plain_metrics(returned)
  if type(returned) ~= "table" then
    fail.expected("bnn.sweep: the experiment's result", "a table of metrics", returned)
  end
  local metrics = {}
  for name, v in pairs(returned) do
    local is_value = type(v) == "userdata" and kinds.is_object(v, "tensor") and v:numel() == 1
    if is_value then v = v:item() end
    local is_plain = type(v) == "number" or type(v) == "string" or type(v) == "boolean"
    if type(name) == "string" and is_plain then metrics[name] = v end
  end
  return metrics
end

-- ---- the run ----

-- Keeps the data of this process for the next ones: the sweep loads what its runs had to.
local function send_loads(send)
  for _, load in ipairs(data_cache.loads()) do
    local text = core.json_encode{name = load.name, options = load.options}
    if text then send("data " .. text) end
  end
end

-- Checkpoints are for runs that have not ended; what is done at the end of the experiment.
local function checkpoints_until_closed(self)
  local path = self.folder.path .. "/checkpoints"
  if self.plan.opts.keep_checkpoints then return nil end
  checkpoint_folder.set_temporary(path)
  return setmetatable({}, {__close = function(_, err)
    local has_ended = err == nil or getmetatable(err) == Pruned
    if has_ended then run_folder.remove(path) end
  end})
end

-- The configuration with the paths of what a run writes beside its record changed to places in the
-- record, as runs side by side would write the same files.
local function in_record(record, experiment, cfg)
  local flat = configuration.flatten(cfg, experiment.defaults)
  for _, name in ipairs(record.about.place_flags) do
    local path = flat[name]
    if type(path) == "string" and path ~= "" and name ~= "checkpoint" and name ~= "on_finish" then
      local is_figures = name == "figures"
      flat[name] = ("%s/%s"):format(record.folder.path, is_figures and name or "files/"
        .. path:match "([^/]*)/*$")
      refusal.assert_or_exit(folders.make_above(flat[name]))
    end
  end
  return flat
end

-- Begins a run, whose record is there, if it is still this attempt's to make.
local function begin(self)
  local record = recorder.current()
  self.record = record
  self.folder, self.earlier_seconds = record.folder, record.about.wall_seconds or 0
  local before = self.task.run == record.folder.id and trial_record.read(record.folder.path)
  for name, v in pairs(before and before.metrics or {}) do self.metrics[name] = v end
  if not self.book:begin(self.task, record.folder.id) then
    error("another process has taken it over", 0)
  end
end

-- The experiment as it is recorded: it says which run it is, and what it read and returned.
local function wrapped(self)
  local experiment = self.plan.source.experiment
  local copy = {}
  for name, v in pairs(experiment) do copy[name] = v end
  function copy.run(cfg, log)
    begin(self)
    local _ <close> = checkpoints_until_closed(self)
    -- What prunes a run is on record before it does.
    local watched = logs.tee{log, function(step, rows) note_row(self, step, rows) end}
    local returned, message = experiment.run(in_record(recorder.current(), experiment, cfg),
      watched)
    if returned == nil and type(message) == "string" then error(message, 0) end
    local metrics = plain_metrics(returned == nil and {} or returned)
    for name, v in pairs(metrics) do self.metrics[name] = v end
    send_loads(self.send)
    return metrics
  end
  return copy
end

local function options_of(self)
  local plan = self.plan
  return {
    root = plan.root, script = plan.source.script, name = plan.name, facts = self.facts,
    labels = {sweep = plan.name, trial = self.task.trial, replicate = self.task.replicate,
              proposal = self.proposal, is_within = not plan.source.is_file or nil},
    resume = self.task.run,
    log = logs.console(),
  }
end

local LOOKS = 1000 -- whoever lists runs holds their locks for microseconds

local function is_being_made(self)
  local path = self.plan.root .. "/" .. self.task.run
  for _ = 1, LOOKS do
    if not run_folder.is_locked(path) then return false end
  end
  return true
end

-- Runs it; if the record of an earlier attempt cannot be resumed, as a new run.
local function run_recorded(self)
  local config = self.plan:config_of(self.proposal, self.task.replicate)
  local opts = options_of(self)
  if opts.resume and is_being_made(self) then
    error(strings.message("%s, an earlier attempt, is still being made", opts.resume), 0)
  end
  local metrics, fault = recorded_run.run(wrapped(self), config, opts)
  if not metrics and not self.folder and opts.resume then
    opts.resume = nil
    metrics, fault = recorded_run.run(wrapped(self), config, opts)
  end
  if not metrics then error(fault, 0) end
end

-- What an error that ended a run makes of it: a state of the queue, and why.
local function state_of_error(self, err)
  if type(err) == "table" and getmetatable(err) == Pruned then return "pruned", err.reason end
  if not signal.is_interrupt(err) then return "failed", tostring(err) end
  local limit = self.plan.opts.timeout
  if limit and core.ticks() - self.began > limit then return "failed", M.late_text(limit) end
  return "interrupted", tostring(err)
end

--- Why a run failed that took longer than it may.
function M.late_text(limit) return number.format("took more than %g s", limit) end

-- The end of a run as its record has it, which the ledger need not know; or nil: it has not ended.
local function recorded_end(self, id)
  local run = trial_record.read(self.plan.root .. "/" .. id)
  if not run then return nil end
  local outcome = {metrics = run.metrics, step = run.step, seconds = run.seconds}
  if run.status == "pruned" then
    return "pruned", tostring(run.failure):match "^pruned: (.*)", outcome
  elseif run.status == "completed" then
    outcome.values = trial_record.values(self.plan.objectives, run.metrics)
    if outcome.values then return "completed", nil, outcome end
  end
end

-- Its end as the ledger has it: a state, why, and the outcome.
local function outcome_of(self, ok, err)
  local outcome = {metrics = self.metrics, step = self.step,
                   seconds = (self.earlier_seconds or 0) + core.ticks() - self.began}
  if not ok then
    local state, why = state_of_error(self, err)
    if state == "interrupted" and self.folder then -- while its record was being sealed
      local ended, reason, whole = recorded_end(self, self.folder.id)
      if ended then return ended, reason, whole end
    end
    return state, why, outcome
  end
  local values, why, is_lacking = trial_record.values(self.plan.objectives, self.metrics)
  outcome.values = values
  if is_lacking then self.send "lacks metric" end
  return values and "completed" or "failed", why, outcome
end

local function with_traceback(e)
  return type(e) == "string" and debug.traceback(e, 2) or e
end

-- Whether a run that is interrupted is open again: of a worker that joined the sweep, or of a
-- program that was killed, at which nobody meant the run to stop.
local function is_for_others(self)
  return self.gives_back or task_queue.is_dead(self.parent)
end

-- Makes it and enters what came out of it.
local function make(self)
  local ok, err = xpcall(signal.guard, with_traceback, run_recorded, self)
  signal.finish(function()
    local state, why, outcome = outcome_of(self, ok, err)
    if self.record and self.record:is_kept_back() then self.book:enter_record(self.folder.id) end
    if state == "interrupted" and is_for_others(self) then state, outcome = "open", nil end
    self.book:finish(self.task, state, outcome, why)
  end)
end

--- Makes a run of a trial; returns when its outcome is in the ledger.
-- @param task what the queue gave: trial, replicate, attempt, and run, the id of an earlier attempt
-- @param opts table: proposal, the configuration of the trial; facts, what the records of all runs
--   have in common; began, the time of its start by core.ticks; watch, of the trials, for a pruner
--   that compares reports; send, function(text), which tells the sweep of progress and of data that
--   were read; gives_back, whether the run is open again if it is interrupted; parent, the sweep's
--   process as bnn.records.task_queue names it
function M.run(plan, book, task, opts)
  assert(core.redirect "stdout")
  assert(core.redirect "stderr")
  send_progress(opts.send)
  local self = {plan = plan, book = book, task = task, proposal = opts.proposal, send = opts.send,
                facts = opts.facts, began = opts.began, watch = opts.watch, metrics = {},
                gives_back = opts.gives_back, parent = opts.parent}
  local state, why, outcome
  if task.run then state, why, outcome = recorded_end(self, task.run) end
  if state then
    book:enter_record(task.run)
    book:finish(task, state, outcome, why)
  else
    make(self)
  end
  book:close()
end

return M
