--- What the trials of a sweep have come to, as far as its sampler and its pruner may know: the same
-- question gets the same answer whenever it is asked.
--
-- Trial n of a sampler that learns is proposed from the trials before n; those among the last
-- `delay` of them count as running, whether they run or have ended, and the others must have ended.
-- So the proposals do not depend on how many workers there are, up to delay + 1.
local fail = require "bnn.base.fail"

local M = {}

local History = {}
History.__index = History

--- Makes the history of a plan, which is read from its book.
function M.new(plan, book) return setmetatable({plan = plan, book = book}, History) end

--- Says that a run of a trial has ended.
function History:changed() self.list = nil end

--- The trials that have been proposed, in the order of their numbers.
function History:trials()
  self.list = self.list or self.book:trials(self.plan.seeds)
  return self.list
end

-- A trial as the sampler sees one that may still run.
local function unfinished(trial)
  return {number = trial.number, config = trial.config, state = "running", reports = {}, seeds = {}}
end

-- The trials that trial `number` is proposed from; nil if one of them has not ended.
local function known_before(self, number)
  local known, settled = {}, number - 1 - self.plan.delay
  local n = 0
  for _, trial in ipairs(self:trials()) do
    if trial.number < number then
      n = n + 1
      if trial.number > settled then
        known[n] = unfinished(trial)
      elseif trial.state == "running" then
        return nil
      else
        known[n] = trial
      end
    end
  end
  return known, n
end

--- The configuration of a trial, which is proposed if it has none yet.
-- @return table; nil if it is to be proposed from trials that have not ended
function History:proposal(number)
  local config = self.book:proposal(number)
  if config then return config end
  local sampler, known = self.plan.sampler, {}
  if sampler.learns then
    local n
    known, n = known_before(self, number)
    if not known or n < number - 1 then return nil end
  end
  config = sampler:propose(number, known)
  if type(config) ~= "table" then fail.expected("bnn.sweep: sampler", "a configuration", config) end
  self:changed()
  return self.book:propose(number, config)
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
  if task.replicate == 1 then return nil end
  local trials = self:trials()
  local own = find(trials, task.trial)
  if own.state == "pruned" then return "pruned", "another seed of the trial is pruned" end
  local pruner = self.plan.pruner
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
