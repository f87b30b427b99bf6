--- Checkpoints of a training: written every so many steps, the last few and the best one kept, and
-- gone on from, to the same bits as a training that never stopped. bnn.train works with it.
--
-- A folder holds step_00001000.safetensors, ... and best.safetensors, and one process at a time
-- works in it. What a file says of a training beside its parameters is compared with the one that
-- goes on from it (bnn.same_training). Schedules are functions of the step.
local checkpoint = require "bnn.checkpoint.checkpoint"
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local configuration = require "bnn.base.configuration"
local core = require "bnn.core"
local expect_model = require "bnn.params.expect_model"
local folders = require "bnn.base.folders"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local refusal = require "bnn.base.refusal"
local resume_check = require "bnn.run.resume_check"
local strings = require "bnn.base.strings"

local M = {}

local Checkpointer = {}
Checkpointer.__index = Checkpointer

local spec = {
  path = {type = "string", required = true},
  every = {type = "integer", min = 1, default = 1000},
  keep = {type = "integer", min = 1, default = 3},
  best = "string",
  mode = {type = "string", choices = {"max", "min"}, default = "max"},
  config = "table",
  free = {type = "string", list = true, default = {"steps", "epochs"}},
  extras = "table|function",
  resume = {type = "boolean", default = false},
  resume_anyway = {type = "boolean", default = false},
  on_resume = "function",
}

local function demand(value, message) return refusal.assert_or_exit(value, message) end

local say = strings.notice

-- ---- the folder ----

local function path_of(self, step) return self.path .. "/" .. checkpoint_folder.step_name(step) end

local function best_path(self) return self.path .. "/" .. checkpoint_folder.BEST end

-- ---- going on ----

-- Adds what differs in the values of the schedules at the step of the checkpoint.
local function compare_rates(self, list, saved)
  local theirs, ours, at = (saved.training or {}).rates, {}, {}
  if type(theirs) ~= "table" then return end
  for name, value in pairs(resume_check.rates(self.train, self.state, saved.step)) do
    local text = ("%s at step %d"):format(name, saved.step)
    ours[text], at[text] = value, theirs[name]
  end
  resume_check.compare(list, at, ours)
end

-- Which metric the best is chosen by, in words; nil when none is.
local function best_text(name, mode)
  return name and ("%s (%s)"):format(name, mode == "min" and "min" or "max") or nil
end

-- Adds what differs in the metric of the best, whose values are only compared with their own kind.
local function compare_best(self, list)
  local there = self.best_there
  if not (self.best and there and there.best) then return end
  resume_check.compare(list, {best = best_text(there.best, there.best_mode)},
    {best = best_text(self.best, self.mode)})
end

-- What a file says of its training that has a comparison of its own.
local NOT_COMPARED = {"best", "best_mode", "best_value", "objective", "rates"}

-- What differs; what follows from it would be said twice, so that later looks are only taken where
-- the earlier ones found nothing.
local function differences(self, saved)
  local list, training = {}, saved.training or {}
  if saved.config and self.config then
    resume_check.compare(list, saved.config, self.config, self.free)
  end
  if #list > 0 then return list end
  local theirs, ours = saved.model or {}, checkpoint.describe(self.objective)
  resume_check.compare(list, training, self.training, NOT_COMPARED)
  resume_check.compare(list, {network = theirs.net, likelihood = theirs.likelihood},
    {network = ours.net, likelihood = ours.likelihood})
  if #list > 0 then return list end
  resume_check.compare(list, {objective = training.objective},
    {objective = self.training.objective})
  if #list == 0 then compare_rates(self, list, saved) end
  compare_best(self, list)
  return list
end

local function refuse_differences(self, saved, path)
  local list = differences(self, saved)
  if #list == 0 then return end
  local text = table.concat(list, "; ")
  if self.resume_anyway then
    say(strings.message("WARNING: %s: going on although it differs: %s", path, text))
  else
    local fault = "%s: this is another training: %s; --resume_anyway goes on nevertheless"
    demand(nil, strings.message(fault, path, text))
  end
end

-- Raises unless the parameters have the same names, shapes and order: the optimizer's moments lie
-- in that order.
local function demand_same_tensors(target, source, path)
  local faults = checkpoint.compare(target, source)
  demand(#faults == 0, strings.message("%s: %s", path, table.concat(faults, "; ")))
  local names, theirs = target:names(), source:names()
  for i, name in ipairs(names) do
    demand(theirs[i] == name, strings.message("%s: tensor %d is '%s', wanted '%s'", path, i,
      theirs[i], name))
  end
end

-- Takes over the parameters of a checkpoint and the optimizer's state, in place; all is looked at
-- before anything changes.
local function take_over(self, saved, path)
  local mu, logvar = expect_model.parameters_of("bnn.train", self.objective)
  local holds = saved.posterior and "a posterior" or saved.params and "params" or "no parameters"
  demand((logvar and saved.posterior or not logvar and saved.params) ~= nil,
    ("%s: it holds %s, wanted %s"):format(path, holds, logvar and "a posterior" or "params"))
  local theirs = logvar and saved.posterior or {mu = saved.params}
  demand_same_tensors(mu, theirs.mu, path)
  if logvar then demand_same_tensors(logvar, theirs.logvar, path) end
  local made = demand(saved.optimizer, path .. ": it holds no optimizer's state"):state_dict()
  local own = self.state:state_dict()
  demand(made.name == own.name and made.size == own.size,
    ("%s: the optimizer's state is of %s over %d elements, wanted %s over %d"):format(path,
      made.name, made.size, own.name, own.size))
  demand(saved.step == made.steps,
    strings.message("%s: it is of step %s, its optimizer's state of step %d", path,
      tostring(saved.step), made.steps))
  core.overwrite(mu.flat, theirs.mu.flat)
  if logvar then core.overwrite(logvar.flat, theirs.logvar.flat) end
  self.state.moments:restore(made.steps, made.moments)
end

-- The newest checkpoint that can be read, and its path; the best one where no other can. Those that
-- cannot are told of, loudly, and forgotten: the steps after it will be done again.
local function newest(self, has_best)
  local first_fault
  while #self.written > 0 or has_best do
    local step = self.written[#self.written]
    local path = step and path_of(self, step) or best_path(self)
    local saved, fault = checkpoint.load(path)
    if saved and saved.step then
      if first_fault then
        say(strings.message("WARNING: going back to %s, step %d", path, saved.step))
      end
      return saved, path
    end
    fault = fault or path .. ": it holds no step"
    first_fault = first_fault or fault
    say("WARNING: a checkpoint that cannot be read: " .. fault)
    if step then table.remove(self.written) else has_best = false end
  end
  demand(nil, first_fault .. "; no checkpoint there can be read")
end

-- What a checkpoint says of its best: the value, and the metric that it is of; nil where it says
-- nothing.
local function best_of(saved)
  local training = saved and saved.training or {}
  return type(training.best_value) == "number" and training or nil
end

-- The best checkpoint, where it can be read.
local function read_best(self, has_best)
  local saved, fault
  if has_best then saved, fault = checkpoint.load(best_path(self)) end
  if fault then say("WARNING: the best checkpoint cannot be read: " .. fault) end
  return saved
end

-- The best by which the training that resumes from `saved` goes on. A best of that step or a later
-- one was found after `saved` was written: its step will be done, or looked at, again, so that the
-- value before counts.
local function best_before(best, saved)
  return best_of(best and best.step and best.step >= saved.step and saved or best)
end

-- Goes on from the value of the best there is, unless that is of another metric or the file does
-- not say of which: then the best is looked for anew, and the file is replaced at the next look.
local function resume_best(self)
  local there = self.best_there
  if not (self.best and there) then return end
  local theirs, ours = best_text(there.best, there.best_mode), best_text(self.best, self.mode)
  if theirs == ours then
    self.best_value = there.best_value
  else
    say(strings.message(
      "WARNING: %s: is the best by %s, here it is by %s: the best is looked for anew",
      best_path(self), theirs or "a metric that it does not name", ours))
  end
end

local function resume(self, has_best)
  local best = read_best(self, has_best)
  local saved, path = newest(self, has_best)
  self.best_there = best_before(best, saved)
  refuse_differences(self, saved, path)
  take_over(self, saved, path)
  local training = saved.training or {}
  resume_best(self)
  self.rates = training.rates
  local there, here = resume_check.kernels(saved.versions), resume_check.own_kernels()
  if there ~= here then
    say(strings.message("WARNING: %s: written with %s, here is %s: bits may differ", path, there,
      here))
  end
  say(strings.message("resumed from %s at step %d", path, saved.step))
  if self.on_resume then self.on_resume(saved) end
end

local function begin(self)
  demand(folders.make(self.path))
  self.lock = demand(core.lock_folder(self.path))
  local steps, has_best, remains = checkpoint_folder.look_into(self.path)
  self.written = steps
  local holds = #steps > 0 or has_best
  demand(self.resume or not holds, self.path .. " holds checkpoints of an earlier training: "
    .. "--resume goes on with it, another folder begins anew")
  for _, name in ipairs(remains) do os.remove(self.path .. "/" .. name) end
  if holds then
    resume(self, has_best)
  elseif self.resume then
    say(strings.message("%s: nothing to resume from, the training begins", self.path))
  end
end

-- ---- writing ----

local function contents(self, step)
  local training = {
    best = self.best, best_mode = self.best and self.mode, best_value = self.best_value,
    rates = self.rates,
  }
  for name, value in pairs(self.training) do training[name] = value end
  local extras = self.extras
  if type(extras) == "function" then extras = extras(step) end
  return {
    posterior = self.objective.posterior, params = not self.objective.posterior
      and self.objective.params or nil,
    optimizer = self.state, key = self.train.key, step = step, config = self.config,
    extras = extras, training = training, model = checkpoint.describe(self.objective),
  }
end

-- f(...) as it returns, or nil, message where it raises; what is no text (an interrupt) passes.
local function attempt(f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  if type(results[2]) ~= "string" then error(results[2], 0) end
  return nil, results[2]
end

local function save_contents(self, path, step)
  return checkpoint.save(path, contents(self, step))
end

-- Whether a file holds this step, after a write that failed: one whose folder could not be synced
-- has the new contents all the same.
local function stands(self, path, step)
  local there = checkpoint.load(path)
  return there and there.step == step and (there.training or {}).best_value == self.best_value
end

-- Writes a file; what fails is said loudly, and the training goes on.
local function write(self, path, step)
  local ok, fault = attempt(save_contents, self, path, step)
  if ok then return true end
  say(strings.message("WARNING: no checkpoint of step %d: %s", step, fault))
  return stands(self, path, step), fault
end

--- Checks the checkpoint option of bnn.train; misuse is raised where that was called.
-- @param given table
-- @param train table: bnn.train's own checked options
-- @return table: the checked option, for `new`
function M.check(given, train)
  given = options.check("bnn.train: checkpoint", given, spec)
  local objective = train.objective
  local has_parameters = options.accept(objective.posterior, "posterior")
    or parameters.is(objective.params)
  if not has_parameters then
    error("bnn.train: checkpoint: the objective has no posterior= or params= to keep", 3)
  end
  if given.best and not train.evaluate then
    error(strings.message("bnn.train: checkpoint: best = '%s' wants evaluate=", given.best), 3)
  end
  demand(given.path ~= "", "bnn.train: checkpoint: the name of the folder is empty")
  if given.config then given.config = configuration.resulting(given.config) end
  return given
end

--- Begins: goes on from what is in the folder, where that is asked for. The folder is this
-- training's until `close`, or until the object is closed. What cannot be kept is told now rather
-- than at the first checkpoint.
-- @param given table as `check` gives it
-- @param train table: bnn.train's own options
-- @param state the optimizer's state; it and the objective's parameters change
function M.new(given, train, state)
  local self = setmetatable({}, Checkpointer)
  for name, value in pairs(given) do self[name] = value end
  self.train, self.objective, self.state = train, train.objective, state
  self.resume = self.resume or self.resume_anyway
  self.training = resume_check.record(train, state)
  local is_good, lack = checkpoint.check(contents(self, state:steps()))
  demand(is_good, "bnn.train: checkpoint: " .. tostring(lack))
  local ok, fault = pcall(begin, self)
  if ok then return self end
  self:close()
  error(fault, 0)
end

--- Gives the folder back; twice is fine.
function Checkpointer:close()
  if self.lock then self.lock:release() end
end

Checkpointer.__close = Checkpointer.close

-- Where best.safetensors leads when it is a link to another file of the folder, such as that of a
-- step; else nil.
local function linked_best(self)
  local folder, best = core.real_path(self.path), core.real_path(best_path(self))
  if not folder or not best or best:match "^(.*)/" ~= folder then return nil end
  return best ~= folder .. "/" .. checkpoint_folder.BEST and best or nil
end

-- Takes away all but the newest, and what best.safetensors leads to.
local function prune(self)
  local best = linked_best(self)
  while #self.written > self.keep do
    local path = path_of(self, self.written[1])
    if not best or core.real_path(path) ~= best then os.remove(path) end
    table.remove(self.written, 1)
  end
end

-- Writes the best, in the place of a link to the file of a step, which stays what its name says.
local function write_best(self, step)
  if linked_best(self) then os.remove(best_path(self)) end
  return write(self, best_path(self), step)
end

--- Writes the checkpoint of a step, unless it has been written.
-- @return its path, or nil
function Checkpointer:save(step)
  local path = path_of(self, step)
  if self.written[#self.written] == step then return path end
  local ok, fault = write(self, path, step)
  self.fault = not ok and fault or nil
  if not ok then return nil end
  self.written[#self.written + 1] = step
  prune(self)
  return path
end

--- After a step: writes its checkpoint where one is due, or `last` says so.
-- @param rates table {lr=, beta=}: what the step was made with
function Checkpointer:after(step, rates, last)
  self.rates = rates
  if last or step % self.every == 0 then self:save(step) end
end

--- Ends a training that is complete: refuses, at the end of an experiment, when the last step is
-- not on the disk after another try, or the best one is not.
function Checkpointer:finish(step)
  if self.fault then self:save(step) end
  if self.best and not self.best_value and not self.best_fault then
    say(strings.message("WARNING: there is no best checkpoint: '%s' was no number at any step",
      self.best))
  end
  local what = self.fault and "last" or self.best_fault and "best"
  if not what then return end
  local text = "bnn.train: the %s checkpoint is not written: %s"
  refusal.refuse_late(text:format(what, self.fault or self.best_fault))
end

local function is_better(self, value)
  if value ~= value then return false end
  if self.best_value == nil then return true end
  if self.mode == "max" then return value > self.best_value end
  return value < self.best_value
end

-- The figure of that name; nil where it is not among them.
local function figure(rows, name)
  local value = rows[name]
  for _, row in ipairs(rows) do
    if row[1] == name then value = row[2] end
  end
  if type(value) == "userdata" and value.item then value = value:item() end
  return value
end

--- Looks at the figures of a step; the best one's parameters go to best.safetensors. Of equal ones
-- the first is kept, and NaN is never better.
-- @param rows list of {name, value}, or table name -> value
function Checkpointer:look_at(step, rows)
  if not self.best then return end
  local value = figure(rows, self.best)
  if type(value) ~= "number" then
    local fault = "bnn.train: checkpoint: best = '%s', which evaluate %s"
    local given = value == nil and "does not give" or "gives as a " .. type(value)
    demand(nil, fault:format(self.best, given))
  end
  if not is_better(self, value) then return end
  local before = self.best_value
  self.best_value = value
  local ok, fault = write_best(self, step)
  self.best_fault = not ok and fault or nil
  if not ok then self.best_value = before end
end

return M
