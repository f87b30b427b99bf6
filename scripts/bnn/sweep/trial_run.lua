--- One run of a trial, in the process that was forked for it: its record, its reports to the
-- ledger, the question whether it is pruned, and its outcome.
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local core = require "bnn.core"
local data_cache = require "bnn.data.data_cache"
local logs = require "bnn.log.log"
local progress = require "bnn.base.progress"
local recorded_run = require "bnn.run.recorded_run"
local recorder = require "bnn.records.recorder"
local run_folder = require "bnn.records.run_folder"
local signal = require "bnn.signal"
local trial_outcome = require "bnn.sweep.trial_outcome"

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
  local own
  local trials = self.book:trials(self.plan.seeds, {replicate = self.task.replicate})
  for _, trial in ipairs(trials) do
    if trial.number == self.task.trial then own = trial end
  end
  local stops, reason = self.plan.pruner:should_prune(own, trials, step)
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

-- ---- the run ----

-- Keeps the data of this process for the next ones: the sweep loads what its runs had to.
local function send_loads(send)
  for _, load in ipairs(data_cache.loads()) do
    local text = core.json_encode{name = load.name, options = load.options}
    if text then send("data " .. text) end
  end
end

-- What an error that ended a run makes of it: a state of the queue, and why.
local function state_of_error(err)
  if type(err) == "table" and getmetatable(err) == Pruned then return "pruned", err.reason end
  if signal.is_interrupt(err) then return "interrupted", tostring(err) end
  return "failed", tostring(err)
end

-- What has come out: a state of the queue, why, and the outcome.
local function judge(self, err)
  local outcome = {metrics = trial_outcome.metrics(self.metrics, self.returned), step = self.step,
                   seconds = core.ticks() - self.began}
  local state, why
  if err == nil then
    state, why = trial_outcome.judge(self.plan.objectives, outcome)
  else
    state, why = state_of_error(err)
  end
  return state, why, outcome
end

-- Writes the outcome into the record too, from which the ledger can be made again.
local function note_outcome(self, record, err)
  local state, why, outcome = judge(self, err)
  self.outcome = outcome
  record:outcome{state = state, why = why, values = outcome.values, metrics = outcome.metrics,
                 step = outcome.step, seconds = outcome.seconds}
  if (state == "completed" or state == "pruned") and not self.plan.opts.keep_checkpoints then
    run_folder.remove(self.folder.path .. "/checkpoints")
  end
end

-- Takes over what an earlier attempt has logged.
local function take_metrics(self, record)
  for name, metric in pairs(record.metrics) do self.metrics[name] = metric.value end
end

-- The experiment as it is recorded: it says which run it is, and what it read and returned.
local function wrapped(self)
  local experiment = self.plan.source.experiment
  local copy = {}
  for name, v in pairs(experiment) do copy[name] = v end
  function copy.run(cfg, log)
    local record = recorder.current()
    self.folder = record.folder
    self.book:beat(self.task, self.folder.id)
    if not self.plan.opts.keep_checkpoints then
      checkpoint_folder.set_temporary(self.folder.path .. "/checkpoints")
    end
    take_metrics(self, record)
    local _ <close> = setmetatable({}, {__close = function(_, err)
      signal.finish(note_outcome, self, record, err)
    end})
    self.returned = experiment.run(cfg, log)
    send_loads(self.send)
    return self.returned
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
    log = logs.tee{logs.console(), function(step, rows) note_row(self, step, rows) end},
  }
end

-- Runs it; if the record of an earlier attempt cannot be resumed, as a new run.
local function run_recorded(self)
  local config = self.plan:config_of(self.proposal, self.task.replicate)
  local opts = options_of(self)
  local metrics, fault = recorded_run.run(wrapped(self), config, opts)
  if metrics == nil and fault and opts.resume then
    opts.resume = nil
    metrics, fault = recorded_run.run(wrapped(self), config, opts)
  end
  if metrics == nil and fault and not self.folder then error(fault, 0) end
end

-- Enters what came out of it.
local function finish(self, ok, err)
  local state, why, outcome = judge(self, not ok and err or nil)
  self.book:finish(self.task, state, self.outcome or outcome, why)
end

--- Makes a run of a trial; returns when its outcome is in the ledger.
-- @param task what the queue gave: trial, replicate, attempt, and run, the id of an earlier attempt
-- @param proposal table: the configuration of the trial
-- @param facts what the records of all runs have in common
-- @param send function(text): tells the sweep of progress and of data that were read
function M.run(plan, book, task, proposal, facts, send)
  assert(core.redirect "stdout")
  assert(core.redirect "stderr")
  send_progress(send)
  local self = {plan = plan, book = book, task = task, proposal = proposal, facts = facts,
                send = send, metrics = {}, began = core.ticks()}
  local ok, err = xpcall(signal.guard, function(e)
    return type(e) == "string" and debug.traceback(e, 2) or e
  end, run_recorded, self)
  signal.finish(finish, self, ok, err)
  book:close()
end

return M
