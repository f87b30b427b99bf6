--- Writes the checkpoints of a training: one every so many steps, of which the last few are kept,
-- and the best one. bnn.train uses it.
--
-- One process at a time works in a folder. A resumed training is bit-identical to one that never
-- stopped (bnn.checkpoint.resume_training).
local best_checkpoint = require "bnn.checkpoint.best_checkpoint"
local checkpoint_file = require "bnn.checkpoint.checkpoint_file"
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local checkpoint_model = require "bnn.checkpoint.checkpoint_model"
local configuration = require "bnn.base.configuration"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local folders = require "bnn.base.folders"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local refusal = require "bnn.base.refusal"
local resume_check = require "bnn.checkpoint.resume_check"
local resume_training = require "bnn.checkpoint.resume_training"
local strings = require "bnn.base.strings"

local M = {}

local Checkpointer = {}
Checkpointer.__index = Checkpointer

local assert_or_exit, say = refusal.assert_or_exit, strings.notice

local spec = {
  path = {type = "string", required = true},
  every = {type = "integer", min = 1, default = 1000},
  keep = {type = "integer", min = 1, default = 3},
  monitor = "string",
  mode = {type = "string", choices = {"max", "min"}, default = "max"},
  config = "table",
  may_change = {type = "string", list = true, default = {"steps", "epochs"}},
  extras = "table|function",
  resume = {type = "boolean", default = false},
  resume_anyway = {type = "boolean", default = false},
  on_resume = "function",
  renamed = {best = "monitor", free = "may_change"},
}

--- Checks the checkpoint option of bnn.train.
-- @param given table
-- @param train table: bnn.train's own checked options
-- @return table: the checked option, for `new`
function M.check(given, train)
  given = options.check("bnn.train: checkpoint", given, spec)
  local objective = train.objective
  local has_parameters = options.accept(objective.posterior, "posterior")
    or parameters.is(objective.params)
  if not has_parameters then
    fail "bnn.train: checkpoint: expected an objective with posterior= or params=, got neither"
  end
  if given.monitor and not train.evaluate then
    fail("bnn.train: checkpoint: monitor = '%s': expected evaluate=, got nothing", given.monitor)
  end
  assert_or_exit(given.path ~= "", "bnn.train: checkpoint: the name of the folder is empty")
  if given.config then given.config = configuration.resulting(given.config) end
  return given
end

-- ---- the beginning ----

-- What a checkpoint of a step holds.
local function contents(self, step)
  local training = {
    best = self.best.monitor, best_mode = self.best.monitor and self.best.mode,
    best_value = self.best.value, rates = self.rates,
    stopper = self.train.stopper and self.train.stopper:state() or nil,
  }
  for name, value in pairs(self.training) do training[name] = value end
  local extras = self.extras
  if type(extras) == "function" then extras = extras(step) end
  return {
    posterior = self.objective.posterior, params = not self.objective.posterior
      and self.objective.params or nil,
    optimizer = self.state, collector = self.state.collector,
    key = self.train.key, step = step, config = self.config,
    extras = extras, training = training, model = checkpoint_model.describe(self.objective),
  }
end

-- Takes the folder, and resumes if that is asked for.
local function begin(self)
  assert_or_exit(folders.make(self.path))
  self.lock = assert_or_exit(core.lock_folder(self.path))
  local steps, has_best, remains = checkpoint_folder.list(self.path)
  self.written = steps
  local holds = #steps > 0 or has_best
  assert_or_exit(self.resume or not holds, self.path .. " holds checkpoints of an earlier "
    .. "training: pass --resume to resume it, or use another folder")
  for _, name in ipairs(remains) do os.remove(self.path .. "/" .. name) end
  if holds then
    resume_training.resume(self, has_best)
  elseif self.resume then
    say(strings.message("%s: nothing to resume from, starting a new training", self.path))
  end
end

--- Locks the folder until `close`, and resumes from its newest checkpoint if requested. Ends the
-- program now, not at the first checkpoint, if something cannot be saved.
-- @param given table as `check` returns it
-- @param train table: bnn.train's own options
-- @param state the optimizer's state; resuming changes it and the objective's parameters
function M.new(given, train, state)
  local self = setmetatable({}, Checkpointer)
  for name, value in pairs(given) do self[name] = value end
  self.train, self.objective, self.state = train, train.objective, state
  self.best = best_checkpoint.new(given.monitor, given.mode)
  self.resume = self.resume or self.resume_anyway
  self.training = resume_check.record(train, state)
  local is_good, lack = checkpoint_file.check(contents(self, state:steps()))
  assert_or_exit(is_good, "bnn.train: checkpoint: " .. tostring(lack))
  local ok, fault = pcall(begin, self)
  if ok then return self end
  self:close()
  error(fault, 0)
end

--- Releases the lock of the folder. Calling it twice is safe.
function Checkpointer:close()
  if self.lock then self.lock:release() end
end

Checkpointer.__close = Checkpointer.close

-- ---- writing ----

local function save_contents(self, path, step)
  return checkpoint_file.save(path, contents(self, step))
end

-- Calls f(...); returns its results, or nil, message if it raises. Interrupts pass.
local function attempt(f, ...)
  local results = table.pack(fail.try(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  return nil, results[2]
end

-- Whether a file holds this step after a write that failed: if the folder could not be synced, the
-- new contents are there all the same.
local function holds(self, path, step)
  local there = checkpoint_file.load(path)
  return there and there.step == step and (there.training or {}).best_value == self.best.value
end

-- Writes a file; a failure is a warning, and the training continues.
local function write(self, path, step)
  local ok, fault = attempt(save_contents, self, path, step)
  if ok then return true end
  say(strings.message("WARNING: checkpoint of step %d not written: %s", step, fault))
  return holds(self, path, step), fault
end

--- Writes the checkpoint of a step, unless it exists already.
-- @return its path, or nil
function Checkpointer:save(step)
  local path = checkpoint_folder.step_path(self.path, step)
  if self.written[#self.written] == step then return path end
  local ok, fault = write(self, path, step)
  self.fault = not ok and fault or nil
  if not ok then return nil end
  self.written[#self.written + 1] = step
  checkpoint_folder.prune(self.path, self.written, self.keep)
  return path
end

--- Writes the checkpoint of a step if one is due.
-- @param rates table {lr=, beta=} of the step
-- @param is_last boolean: whether this is the last step, after which one is due
function Checkpointer:after(step, rates, is_last)
  self.rates = rates
  if is_last or step % self.every == 0 then self:save(step) end
end

--- Writes best.safetensors if the metric is better than before. The first of equal values stays;
-- NaN is never better.
-- @param rows list of {name, value}, or table name -> value, as evaluate returns them
function Checkpointer:look_at(step, rows)
  local best = self.best
  if not best.monitor then return end
  local value, before = best_checkpoint.value_in(rows, best.monitor, "checkpoint"), best.value
  if not best_checkpoint.is_better(best, value) then return end
  local path = checkpoint_folder.best_path(self.path)
  -- a link to the file of a step goes, that file stays
  if checkpoint_folder.linked_best(self.path) then os.remove(path) end
  best.value = value
  local ok, fault = write(self, path, step)
  best.fault = not ok and fault or nil
  if not ok then best.value = before end
end

--- Ends a complete training. If the last or the best checkpoint still cannot be written, the
-- program ends with a refusal after its results.
function Checkpointer:finish(step)
  if self.fault then self:save(step) end
  local best = self.best
  if best.monitor and not best.value and not best.fault then
    say(strings.message("WARNING: no best checkpoint: '%s' was never a number", best.monitor))
  end
  local what = self.fault and "last" or best.fault and "best"
  if not what then return end
  local text = "bnn.train: the %s checkpoint was not written: %s"
  refusal.refuse_late(text:format(what, self.fault or best.fault))
end

return M
