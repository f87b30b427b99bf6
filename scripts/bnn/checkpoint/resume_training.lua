--- Resumes a training from its folder of checkpoints, bit-identical to one that never stopped.
--
-- The newest readable file is compared with the training that resumes (resume_check); a difference
-- that changes the result is an error. Then parameters and the optimizer's state are copied in
-- place.
local best_checkpoint = require "bnn.checkpoint.best_checkpoint"
local checkpoint_file = require "bnn.checkpoint.checkpoint_file"
local checkpoint_folder = require "bnn.checkpoint.checkpoint_folder"
local checkpoint_model = require "bnn.checkpoint.checkpoint_model"
local configuration = require "bnn.base.configuration"
local core = require "bnn.core"
local load_params = require "bnn.checkpoint.load_params"
local observer = require "bnn.base.observer"
local refusal = require "bnn.base.refusal"
local resume_check = require "bnn.checkpoint.resume_check"
local strings = require "bnn.base.strings"

local M = {}

local assert_or_exit = refusal.assert_or_exit

local function say(...) strings.notice(strings.message(...)) end

-- ---- which file ----

-- Loads the newest checkpoint that can be read; the best one if no other can. The others are named
-- in warnings and forgotten: their steps will be done again.
local function newest(saver, has_best)
  local first_fault
  while #saver.written > 0 or has_best do
    local step = saver.written[#saver.written]
    local path = step and checkpoint_folder.step_path(saver.path, step)
      or checkpoint_folder.best_path(saver.path)
    local saved, fault = checkpoint_file.load(path)
    if saved and saved.step then
      if first_fault then say("WARNING: going back to %s, step %d", path, saved.step) end
      return saved, path
    end
    fault = fault or path .. ": has no step"
    first_fault = first_fault or fault
    say("WARNING: cannot read a checkpoint: %s", fault)
    if step then table.remove(saver.written) else has_best = false end
  end
  assert_or_exit(nil, first_fault .. "; the folder has no readable checkpoint")
end

local function load_best(saver, has_best)
  if not has_best then return nil end
  local saved, fault = checkpoint_file.load(checkpoint_folder.best_path(saver.path))
  if fault then say("WARNING: cannot read the best checkpoint: %s", fault) end
  return saved
end

-- ---- what differs ----

-- Adds what differs in the values of the schedules at the step of the checkpoint.
local function compare_rates(list, saver, saved)
  local theirs, ours, at = (saved.training or {}).rates, {}, {}
  if type(theirs) ~= "table" then return end
  for name, value in pairs(resume_check.rates(saver.train, saver.state, saved.step)) do
    local text = ("%s at step %d"):format(name, saved.step)
    ours[text], at[text] = value, theirs[name]
  end
  resume_check.compare(list, at, ours)
end

-- Adds what differs in the metric of the best: values of two metrics cannot be compared.
local function compare_best(list, best, known)
  if not (best.monitor and known and known.best) then return end
  resume_check.compare(list, {monitor = best_checkpoint.text(known.best, known.best_mode)},
    {monitor = best_checkpoint.text(best.monitor, best.mode)})
end

-- What a file says of its training that has a comparison of its own.
local NOT_COMPARED = {"best", "best_mode", "best_value", "objective", "rates", "stopper"}

-- What a file says of its training, with the defaults of options that its optimizer has had since.
local function training_of(saved)
  local training = {}
  for name, value in pairs(saved.training or {}) do training[name] = value end
  if saved.optimizer and training.optimizer_options then
    local made = saved.optimizer:state_dict()
    training.optimizer_options, training.optimizer_groups = made.options, made.groups
  end
  return training
end

-- Lists what differs. A difference would show again in what follows from it, so that later
-- comparisons are made only if the earlier ones found nothing.
local function differences(saver, saved, known)
  local list, training = {}, training_of(saved)
  if saved.config and saver.config then
    local theirs = configuration.with_new_names(saved.config, saver.config)
    resume_check.compare(list, theirs, saver.config, saver.may_change)
  end
  if #list > 0 then return list end
  local theirs, ours = saved.model or {}, checkpoint_model.describe(saver.objective)
  resume_check.compare(list, training, saver.training, NOT_COMPARED)
  resume_check.compare(list, {network = theirs.net, likelihood = theirs.likelihood},
    {network = ours.net, likelihood = ours.likelihood})
  if #list > 0 then return list end
  resume_check.compare(list, {objective = resume_check.objective_text(training.objective)},
    {objective = saver.training.objective})
  if #list == 0 then compare_rates(list, saver, saved) end
  compare_best(list, saver.best, known)
  return list
end

local function refuse_differences(list, path, resume_anyway)
  if #list == 0 then return end
  local text = table.concat(list, "; ")
  assert_or_exit(resume_anyway,
    strings.message("%s: cannot resume: %s (--resume_anyway overrides)", path, text))
  say("WARNING: %s: resuming although it differs: %s", path, text)
end

-- ---- copying ----

-- Refuses parameters of other names, shapes or order: the optimizer's moments lie in that order.
local function check_same_tensors(target, source, path)
  local mismatches = load_params.compare(target, source)
  assert_or_exit(#mismatches == 0, strings.message("%s: %s", path, table.concat(mismatches, "; ")))
  local names, theirs = target:names(), source:names()
  for i, name in ipairs(names) do
    assert_or_exit(theirs[i] == name,
      strings.message("%s: tensor %d: expected '%s', got '%s'", path, i, name, theirs[i]))
  end
end

-- Refuses an optimizer's state that is not of this training, and gives its record.
local function check_same_state(saver, saved, path)
  local optimizer = assert_or_exit(saved.optimizer, path .. ": has no optimizer state")
  local made, own = optimizer:state_dict(), saver.state:state_dict()
  assert_or_exit(made.name == own.name and made.size == own.size,
    ("%s: optimizer state: expected %s over %d elements, got %s over %d"):format(path, own.name,
      own.size, made.name, made.size))
  assert_or_exit(saved.step == made.steps,
    strings.message("%s: the checkpoint is of step %s, its optimizer state of step %d", path,
      tostring(saved.step), made.steps))
  return made
end

local function kind_of(posterior, params)
  return posterior and "a posterior" or params and "params" or "no parameters"
end

-- The buffers of a training and those of a file: list of {ours, theirs}; refuses a file whose
-- parameters are of another kind or family.
local function buffers_to_copy(objective, saved, path)
  local ours, theirs = objective.posterior, saved.posterior
  local wanted, got = kind_of(ours, objective.params), kind_of(theirs, saved.params)
  if ours and theirs then wanted, got = tostring(ours.family), tostring(theirs.family) end
  assert_or_exit(wanted == got, ("%s: expected %s, got %s"):format(path, wanted, got))
  if not ours then return {{objective.params, saved.params}} end
  return load_params.buffer_pairs(ours, theirs)
end

-- Goes on with what the training had collected.
local function restore_collector(collector, saved, path)
  if not (collector and saved.collector) then return end
  local ok, fault = collector:restore(saved.collector)
  assert_or_exit(ok, ("%s: %s"):format(path, tostring(fault)))
end

-- Copies the parameters of a checkpoint and the optimizer's state in place, after all checks.
local function restore(saver, saved, path)
  local pairs_of = buffers_to_copy(saver.objective, saved, path)
  for _, pair in ipairs(pairs_of) do check_same_tensors(pair[1], pair[2], path) end
  local made = check_same_state(saver, saved, path)
  for _, pair in ipairs(pairs_of) do core.overwrite(pair[1].flat, pair[2].flat) end
  restore_collector(saver.state.collector, saved, path)
  saver.state.moments:restore(made.steps, made.moments)
end

-- Warns if the products of the file's machine have other bits.
local function compare_kernels(saved, path)
  local there, here = resume_check.kernels(saved.versions), resume_check.own_kernels()
  if there ~= here then
    say("WARNING: %s: written with %s, this program has %s: bits may differ", path, there, here)
  end
end

--- Resumes from the newest checkpoint in the folder of a checkpointer; ends the program with one
-- line if none fits.
-- @param saver a checkpointer that has the lock; its state, parameters, rates and best change
-- @param has_best boolean: whether there is a best.safetensors
function M.resume(saver, has_best)
  local best = load_best(saver, has_best)
  local saved, path = newest(saver, has_best)
  local known = best_checkpoint.known(saved, best)
  refuse_differences(differences(saver, saved, known), path, saver.resume_anyway)
  restore(saver, saved, path)
  best_checkpoint.resume(saver.best, known, checkpoint_folder.best_path(saver.path))
  saver.rates = (saved.training or {}).rates
  if saver.train.stopper then saver.train.stopper:restore((saved.training or {}).stopper) end
  compare_kernels(saved, path)
  say("resumed from %s at step %d", path, saved.step)
  observer.tell("resumed", path, saved.step)
  if saver.on_resume then saver.on_resume(saved) end
end

return M
