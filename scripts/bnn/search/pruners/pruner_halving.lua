--- Asynchronous successive halving (Li et al. 2020, "A system for massively parallel hyperparameter
-- tuning"), and Hyperband (Li et al. 2018) over it.
--
-- Rung r is at step min * eta^(s + r). A trial joins it with the first value, nan left out, that it
-- reports there or later. It goes on if that value is within the best floor(n / eta) of the n
-- values that the rung holds, its own among them; if n < eta, if it is the best. Ties go on. No
-- trial waits for another. What a rung holds follows from the reports and states alone: it is what
-- it would hold had the trials run one after another. (Optuna keeps a record instead, in which
-- trials are missing that ran before a min or max of "auto" was known.)
--
-- Hyperband's bracket b halves with s = b. A trial's bracket is a hash of the sweep's name and of
-- the trial's number, so that workers agree without talking; of the trials bracket b has a share of
-- ceil(B eta^k / (k + 1)) with k = B - 1 - b, of B brackets.
local number = require "bnn.base.number"
local reports = require "bnn.search.pruners.pruner_reports"

local M = {}

-- ---- one bracket ----

-- Whether a value goes on from a rung that holds others, its place, how many go on, and of how
-- many.
local function promote(value, others, eta)
  local better = 0
  for _, other in ipairs(others) do
    if other < value then better = better + 1 end
  end
  local count = #others + 1
  local most = math.max(count // eta, 1)
  return better < most, better + 1, most, count
end

-- Adds the values of a trial to the rungs that it joined. One that was pruned did not join those
-- after the rung at which its last report, which may have reached several, ended it.
local function join(rungs, trial, case, eta)
  local last = trial.state == "pruned" and reports.last_step(trial)
  for _, rung in ipairs(rungs) do
    local value, at = reports.from(trial, case.sign, rung.step)
    if not value then return end
    local ends = at == last and not promote(value, rung, eta)
    rung[#rung + 1] = value
    if ends then return end
  end
end

-- The rungs that the trial of a case reaches with its last report, each a list of the values of
-- rivals, which joined in the order of their numbers.
-- @param is_rival function(number) -> whether a trial of the history is one
local function rungs_of(case, is_rival, halving)
  local earlier = {reports = table.move(case.reports, 1, #case.reports - 1, 1, {})}
  local rungs, step, first = {}, halving.min * halving.eta ^ halving.s, nil
  while step <= case.step do
    rungs[#rungs + 1] = {step = step}
    if not first and not reports.from(earlier, 1, step) then first = #rungs end
    step = step * halving.eta
  end
  if not first then return {} end
  for _, other in ipairs(reports.sort(reports.others(case.history, case.trial))) do
    if is_rival(other.number) then join(rungs, other, case, halving.eta) end
  end
  return table.move(rungs, first, #rungs, 1, {})
end

-- Whether the last report ends the trial at one of the rungs that it is the first to reach.
local function halve(case, is_rival, halving)
  local value = case.reports[#case.reports][2]
  for _, rung in ipairs(rungs_of(case, is_rival, halving)) do
    if reports.is_nan(value) then return true, "the value is nan" end
    local goes_on, place, most, count = promote(value, rung, halving.eta)
    if not goes_on then
      return true, number.format("value %.6g is number %d of %d at step %.0f; the best %d go on",
        case.sign * value, place, count, rung.step, most)
    end
  end
  return false
end

local AUTO_PART = 100 -- of a full trial is the first rung

M.asha = {
  options = {
    eta = {type = "integer", min = 2, default = 4}, min = {type = "integer", min = 1},
    s = {type = "integer", min = 0, default = 0},
  },
  auto = "min",
  decide = function(opts, case)
    local full = not opts.min and reports.full_length(case.history, case.trial)
    local min = opts.min or full and math.max(full // AUTO_PART, 1)
    if not min then return false end
    return halve(case, function() return true end, {min = min, eta = opts.eta, s = opts.s})
  end,
}

-- ---- brackets ----

-- CRC-32 as of zlib, PNG and Ethernet.
local function crc32(text)
  local crc = 0xffffffff
  for i = 1, #text do
    crc = crc ~ text:byte(i)
    for _ = 1, 8 do crc = crc >> 1 ~ 0xedb88320 & -(crc & 1) end
  end
  return crc ~ 0xffffffff
end

-- How many brackets there are: 1 + the whole part of log(max / min) to the base eta, without
-- rounding.
local function count_brackets(min, max, eta)
  local count = 1
  while min * eta ^ count <= max do count = count + 1 end
  return count
end

--- The bracket of a trial, 0, 1, ...; 0 is the one that stops trials the earliest.
function M.bracket(name, trial_number, opts)
  local count = count_brackets(opts.min, opts.max, opts.eta)
  local shares, total = {}, 0
  for b = 0, count - 1 do
    local k = count - 1 - b
    shares[b] = (count * math.tointeger(opts.eta ^ k) + k) // (k + 1)
    total = total + shares[b]
  end
  local at = crc32(name .. "_" .. number.text(trial_number)) % total
  for b = 0, count - 1 do
    at = at - shares[b]
    if at < 0 then return b end
  end
end

M.hyperband = {
  options = {
    eta = {type = "integer", min = 2, default = 3},
    min = {type = "integer", min = 1, default = 1},
    max = {type = "integer", min = 1, max = 1 << 40},
  },
  auto = "max",
  check = function(opts)
    if opts.max and opts.max < opts.min then
      return number.format("max: expected at least min, %d, got %d", opts.min, opts.max)
    end
  end,
  decide = function(opts, case)
    local full = not opts.max and reports.full_length(case.history, case.trial)
    local max = opts.max or full and math.max(full + 1, opts.min)
    if not max then return false end
    local brackets = {min = opts.min, max = max, eta = opts.eta}
    local own = M.bracket(case.name, case.trial.number, brackets)
    local function is_rival(n) return M.bracket(case.name, n, brackets) == own end
    local stops, reason = halve(case, is_rival, {min = opts.min, eta = opts.eta, s = own})
    return stops, reason and number.format("bracket %d: %s", own, reason)
  end,
}

return M
