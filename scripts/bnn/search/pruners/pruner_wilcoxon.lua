--- Stops a trial whose values over instances (seeds, folds, splits) are worse than those of the
-- best trial on the same instances, by Wilcoxon's signed-rank test. Rule and constants are those of
-- Optuna's WilcoxonPruner: one-sided, zeros split, p below 0.1, at least 2 pairs, and never while
-- the trial's mean is at least as good as that of the best trial.
--
-- The p-value is that of SciPy's method "auto": exact up to 50 differences if no two are equal and
-- none is 0, and up to 13 in any case; else by the normal distribution, with its correction for
-- ties and without that for continuity. A test that is repeated after each instance errs more often
-- than p says.
local normal = require "bnn.base.normal"
local number = require "bnn.base.number"
local reports = require "bnn.search.pruners.pruner_reports"

local M = {}

-- ---- the test ----

-- Ranks of sizes, ties at their mean, doubled to be whole; and the sum of t^3 - t over ties.
local function doubled_ranks(sizes)
  local order, ranks, ties = {}, {}, 0
  for i = 1, #sizes do order[i] = i end
  table.sort(order, function(a, b) return sizes[a] < sizes[b] end)
  local first = 1
  while first <= #order do
    local last = first
    while last < #order and sizes[order[last + 1]] == sizes[order[first]] do last = last + 1 end
    for k = first, last do ranks[order[k]] = first + last end
    local t = last - first + 1
    ties, first = ties + t ^ 3 - t, last + 1
  end
  return ranks, ties
end

-- The probability that the sum of ranks with random signs is at least `sum`, by counting.
local function exact_tail(ranks, sum)
  local counts, most, above, all = {[0] = 1}, 0, 0, 0
  for _, rank in ipairs(ranks) do
    most = most + rank
    for total = most, rank, -1 do
      counts[total] = (counts[total] or 0) + (counts[total - rank] or 0)
    end
  end
  for total = 0, most do
    local count = counts[total] or 0
    all = all + count
    if total >= sum then above = above + count end
  end
  return above / all
end

local function normal_tail(n, sum, ties)
  local mean = n * (n + 1) / 4
  local deviation = math.sqrt((n * (n + 1) * (2 * n + 1) - ties / 2) / 24)
  return normal.tail((sum - mean) / deviation)
end

local MOST_EXACT, MOST_EXACT_WITH_TIES = 50, 13

--- The probability, if differences were as often above 0 as below, that the ranks of the positive
-- ones sum up to as much as they do.
-- @param differences list of finite numbers
function M.p_value(differences)
  local sizes, nonzero, zeros, positive = {}, {}, 0, 0
  for i, d in ipairs(differences) do sizes[i] = math.abs(d) end
  local ranks, ties = doubled_ranks(sizes)
  for i, d in ipairs(differences) do
    if d == 0 then
      zeros = zeros + ranks[i]
    else
      nonzero[#nonzero + 1] = ranks[i]
      if d > 0 then positive = positive + ranks[i] end
    end
  end
  local n = #differences
  local is_clean = ties == 0 and zeros == 0
  if n <= MOST_EXACT_WITH_TIES or is_clean and n <= MOST_EXACT then
    return exact_tail(nonzero, positive)
  end
  return normal_tail(n, (positive + zeros / 2) / 2, ties)
end

-- ---- the rule ----

-- The values of a trial over instances: a list of {instance, value}. Those that are reported as
-- steps come in any order, up to the report of `last`, if that is given.
local function instances(trial, opts, sign, last)
  local values = {}
  if opts.over == "steps" then
    for i, report in ipairs(trial.reports or {}) do
      values[i] = {report[1], sign * report[2]}
      if report[1] == last then break end
    end
    return values
  end
  for i, seed in ipairs(trial.seeds or {}) do values[i] = {seed.seed, sign * seed.value} end
  return values
end

local function are_finite(values)
  for _, v in ipairs(values) do
    if v[2] - v[2] ~= 0 then return false end
  end
  return #values > 0
end

local function mean(values)
  local sum = 0
  for _, v in ipairs(values) do sum = sum + v[2] end
  return sum / #values
end

-- The completed trial of the best value, the first of them, or nil.
local function best_of(trials, sign)
  local best
  for _, trial in ipairs(trials) do
    local value = trial.value and sign * trial.value
    local least = best and sign * best.value
    local is_better = value == value and value
      and (not best or value < least or value == least and trial.number < best.number)
    if is_better then best = trial end
  end
  return best
end

local function paired_differences(own, best)
  local others, differences = {}, {}
  for _, v in ipairs(best) do others[v[1]] = v[2] end
  for _, v in ipairs(own) do
    local other = others[v[1]]
    if other then differences[#differences + 1] = v[2] - other end
  end
  return differences
end

M.wilcoxon = {
  options = {
    p = {type = "number", min = 0, max = 1, default = 0.1},
    startup = {type = "integer", min = 0, default = 2},
    over = {type = "string", choices = {"seeds", "steps"}, default = "seeds"},
  },
  needs = function(opts) return opts.over == "seeds" and "seeds" or "reports" end,
  decide = function(opts, case)
    local own = instances(case.trial, opts, case.sign, case.asked)
    local best = best_of(reports.others(case.history, case.trial, "completed"), case.sign)
    local others = best and instances(best, opts, case.sign) or {}
    if not (are_finite(own) and are_finite(others)) then return false end
    local differences = paired_differences(own, others)
    if #differences < math.max(opts.startup, 2) then return false end
    local p = M.p_value(differences)
    if p >= opts.p or mean(own) <= mean(others) then return false end
    return true, number.format("worse than trial %s on %d %s, p = %.3g", best.number, #differences,
      opts.over, p)
  end,
}

return M
