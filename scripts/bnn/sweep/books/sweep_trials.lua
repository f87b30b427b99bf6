--- What all books of sweeps make of what they hold: trials of proposals and runs, submissions in
-- their order.
local core = require "bnn.core"
local strings = require "bnn.base.strings"

local M = {}

-- The mean of each objective over the runs that have an outcome, in the order of the seeds.
local function mean_values(runs, replicates)
  local sums, n = {}, 0
  for r = 1, replicates do
    local values = runs[r] and runs[r].outcome and runs[r].outcome.values
    if values then n = n + 1 end
    for i, v in ipairs(values or {}) do sums[i] = (sums[i] or 0) + v end
  end
  for i, sum in ipairs(sums) do sums[i] = sum / n end
  return n > 0 and sums or nil
end

-- The state of a trial from those of its runs: it failed if one of them did.
local function state_of(runs, replicates)
  local seen, n = {}, 0
  for _, run in pairs(runs) do
    seen[run.state] = true
    n = n + (run.state == "completed" and 1 or 0)
  end
  if seen.failed then return "failed" end
  if seen.pruned then return "pruned" end
  return n >= replicates and "completed" or "running"
end

local function complete(trial, seeds)
  trial.values = mean_values(trial.runs, #seeds)
  trial.value = trial.values and trial.values[1]
  trial.state, trial.seeds = state_of(trial.runs, #seeds), {}
  for r, seed in ipairs(seeds) do
    local run = trial.runs[r]
    local values = run and run.outcome and run.outcome.values
    if values then trial.seeds[#trial.seeds + 1] = {seed = seed, value = values[1]} end
  end
end

-- The trials from a number on, by number, with their runs and the reports of one of the seeds,
-- which are compared with each other.
local function read(book, from, replicate)
  local trials = {}
  for number, config in pairs(book:proposals(from)) do
    trials[number] = {number = number, config = config, runs = {}, reports = {}}
  end
  for _, run in ipairs(book:runs(from)) do
    local trial = trials[run.trial]
    if trial then trial.runs[run.replicate] = run end
  end
  for number, list in pairs(replicate and book:reports(replicate, from) or {}) do
    if trials[number] then trials[number].reports = list end
  end
  return trials
end

--- Lists the trials of a book in the order of their numbers.
-- @param seeds list: of each trial
-- @param opts table: from= the first one (1); replicate= with its reports
-- @return list of {number=, config=, state="completed"|"pruned"|"failed"|"running", value=, values=
--   (means over the seeds), runs = {[replicate] = {state=, run=, outcome=, failure=}}, reports =
--   {{step, value}, ...}, seeds = {{seed=, value=}, ...}}
function M.list(book, seeds, opts)
  local list = {}
  for _, trial in pairs(read(book, opts and opts.from or 1, opts and opts.replicate)) do
    complete(trial, seeds)
    list[#list + 1] = trial
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

-- ---- submissions ----

--- A table with the entries of both; those of the second count.
function M.merge(a, b)
  local all = {}
  for _, t in ipairs{a or {}, b} do
    for name, v in pairs(t) do all[name] = v end
  end
  return all
end

--- The facts of a submission with the time of its entry.
function M.with_time(facts) return M.merge({created = core.now()}, facts) end

--- Sorts submissions, the oldest first.
function M.by_time(list)
  table.sort(list, function(a, b)
    if a.created ~= b.created then return a.created < b.created end
    return strings.before(a.id, b.id)
  end)
  return list
end

return M
