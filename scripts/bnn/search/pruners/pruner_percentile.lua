--- Stops a trial whose best value so far is worse than a percentile of the values that completed
-- trials had at the same step: Google Vizier's median stopping rule (Golovin et al. 2017), with the
-- constants of Optuna's PercentilePruner. And the rule with fixed bounds.
local number = require "bnn.base.number"
local reports = require "bnn.search.pruners.pruner_reports"

local M = {}

local WHEN = {
  warmup = {type = "integer", min = 0, default = 0},
  interval = {type = "integer", min = 1, default = 1},
}

local function spec(more)
  for name, kind in pairs(WHEN) do more[name] = kind end
  return more
end

-- Whether the last report is after the warm-up, and the first one of its interval.
local function is_due(opts, case)
  if case.step < opts.warmup then return false end
  local start = (case.step - opts.warmup) // opts.interval * opts.interval + opts.warmup
  local before = case.reports[#case.reports - 1]
  return not before or before[1] < start
end

--- The percentile of numbers, nan left out, by linear interpolation; nan if there is no other.
-- @return number, and of how many
function M.percentile_of(values, percent)
  local sorted = {}
  for _, v in ipairs(values) do
    if not reports.is_nan(v) then sorted[#sorted + 1] = v end
  end
  if #sorted == 0 then return 0 / 0, 0 end
  table.sort(sorted)
  local place = percent / 100 * (#sorted - 1)
  local low = math.floor(place)
  local a, b, t = sorted[low + 1], sorted[math.min(low + 2, #sorted)], place - low
  if t == 0 or a == b then return a, #sorted end
  return t < 0.5 and a + (b - a) * t or b - (b - a) * (1 - t), #sorted
end

-- The values of trials at a step, a list.
local function values_at(trials, sign, step)
  local values = {}
  for _, trial in ipairs(trials) do values[#values + 1] = reports.at(trial, sign, step) end
  return values
end

local function decide(opts, case)
  if not is_due(opts, case) then return false end
  local completed = reports.others(case.history, case.trial, "completed")
  if #completed < math.max(opts.startup, 1) then return false end
  local best = reports.best(case.reports)
  if reports.is_nan(best) then return true, "all values are nan" end
  local values = values_at(completed, case.sign, case.step)
  if #values < opts.least then return false end
  local cut, count = M.percentile_of(values, opts.percentile)
  local is_worse = best > cut
  if not is_worse then return false end
  return true, number.format("best value %.6g is worse than %.6g, %s of %d trials at step %s",
    case.sign * best, case.sign * cut,
    opts.percentile == 50 and "the median" or number.format("percentile %g", opts.percentile),
    count, case.step)
end

local function percentile_rule(percentile)
  return {
    options = spec{
      percentile = percentile, startup = {type = "integer", min = 0, default = 5},
      least = {type = "integer", min = 1, default = 1},
    },
    decide = decide,
  }
end

M.percentile = percentile_rule{type = "number", min = 0, max = 100, default = 25}
M.median = percentile_rule(nil)
M.median.decide = function(opts, case)
  return decide(setmetatable({percentile = 50}, {__index = opts}), case)
end

M.threshold = {
  options = spec{lower = "number", upper = "number"},
  check = function(opts)
    if not (opts.lower or opts.upper) then return "expected lower= or upper=, got neither" end
    if (opts.lower or -math.huge) > (opts.upper or math.huge) then
      return number.format("upper: expected at least lower, %g, got %g", opts.lower, opts.upper)
    end
  end,
  decide = function(opts, case)
    if not is_due(opts, case) then return false end
    local value = case.sign * case.reports[#case.reports][2]
    if reports.is_nan(value) then return true, "the value is nan" end
    local text = "value %.6g is %s %.6g"
    if opts.lower and value < opts.lower then
      return true, number.format(text, value, "below", opts.lower)
    elseif opts.upper and value > opts.upper then
      return true, number.format(text, value, "above", opts.upper)
    end
    return false
  end,
}

return M
