--- What the trials of a sweep have come to, as far as its sampler and its pruner may know: the same
-- question gets the same answer whenever it is asked.
--
-- Trial n of a sampler that learns is proposed from the trials before n; those among the last
-- `delay` of them count as running, whether they run or have ended, and the others must have ended.
-- So the proposals do not depend on how many workers there are, up to delay + 1.
local sweep_watch = require "bnn.sweep.sweep_watch"
local values = require "bnn.search.space_values"

local M = {}

local History = {}
History.__index = History

--- Makes the history of a plan, which is read from its book.
function M.new(plan, book)
  local learns = plan.sampler.learns
  return setmetatable({plan = plan, book = book, watches = {},
                       watch = sweep_watch.new(book, plan.seeds, learns and 1 or nil)}, History)
end

--- What a run whose pruner compares reports begins with: a watch of those of its seed, which has
-- read what has ended; or nil.
-- @param replicate integer: which of the seeds
function History:watch_of(replicate)
  if self.plan.pruner.needs ~= "reports" then return nil end
  local watch = self.watches[replicate] or sweep_watch.new(self.book, self.plan.seeds, replicate)
  self.watches[replicate] = watch
  watch:trials()
  return watch
end

--- Says that a run of a trial has ended.
function History:changed() self.list = nil end

--- The trials that have been proposed, in the order of their numbers.
function History:trials()
  self.list = self.list or self.watch:trials()
  return self.list
end

-- A trial as the sampler sees it. What a function of the user's does to it is not our trial's.
local function seen(trial, may_run)
  local config = values.copy(trial.config)
  if may_run then
    return {number = trial.number, config = config, state = "running", reports = {}, seeds = {}}
  end
  return {number = trial.number, config = config, state = trial.state, value = trial.value,
          values = values.copy(trial.values), reports = trial.reports, seeds = trial.seeds}
end

-- The trials that trial `number` is proposed from; nil if one of them has not ended.
local function known_before(self, number)
  local known, settled = {}, number - 1 - self.plan.delay
  self:changed() -- what others at the same sweep have entered counts
  for i, trial in ipairs(self:trials()) do
    if trial.number >= number then break end
    local may_run = trial.number > settled
    if not may_run and trial.state == "running" then return nil end
    known[i] = seen(trial, may_run)
  end
  return #known == number - 1 and known or nil
end

--- The configuration of a trial, which is proposed if it has none yet.
-- @return table; nil if it is to be proposed from trials that have not ended; or nil, message if
--   the sampler has no more
function History:proposal(number)
  local config = self.book:proposal(number)
  if config then return config end
  local sampler, known = self.plan.sampler, {}
  if sampler.learns then known = known_before(self, number) end
  if not known then return nil end
  local proposed, fault = sampler:propose(number, known)
  if not proposed then return nil, fault end
  self:changed()
  return self.book:propose(number, proposed)
end

-- The trial of a number, from a list.
local function find(list, number)
  for _, trial in ipairs(list) do
    if trial.number == number then return trial end
  end
end

--- Whether a run need not be made, as its trial is pruned.
-- @return state, why; or nil
function History:verdict(task)
  local pruner = self.plan.pruner
  if task.replicate == 1 or pruner.needs == "nothing" then return nil end
  self:changed() -- what others at the same sweep have entered counts
  local trials = self:trials()
  local own = find(trials, task.trial)
  if own.state == "pruned" then return "pruned", "another seed of the trial is pruned" end
  if pruner.needs ~= "seeds" then return nil end
  local prunes, reason = pruner:should_prune(own, trials)
  if prunes then return "pruned", reason end
end

--- Whether values a are better than b by the first objective.
function History:is_better(a, b) return self.plan:loss(a) < self.plan:loss(b) end

--- The best trial that is complete, by the first objective; the earliest of equals. nil: none is.
function History:best()
  local best
  for _, trial in ipairs(self:trials()) do
    if trial.state == "completed" and (not best or self:is_better(trial.values, best.values)) then
      best = trial
    end
  end
  return best
end

return M
