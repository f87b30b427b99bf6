--- Densities of parameters over a grid, for PED-ANOVA: a kernel at each place that occurs, weighted
-- by how often it does, and one of weight 1 over all places.
--
-- Numbers are put on at most 50 places, evenly spaced in the logarithm of parameters that have one,
-- and have Gaussian kernels whose mass is taken between places, of the width of Scott's rule
-- (1.059 min(sd, IQR / 1.34) n^(-1/5), at least 0.5 / 1.64 places). Constants are Optuna's.
local normal = require "bnn.base.normal"

local M = {}

local MOST_PLACES = 50

-- How many places a column of numbers has.
local function count_places(column)
  local span = column.high - column.low
  local most = MOST_PLACES
  if column.step and column.log then
    most = math.ceil(math.log(span + 1, 2)) + 1
  elseif column.step then
    most = math.floor(span / column.step + 0.5) + 1
  end
  return math.min(most, MOST_PLACES)
end

-- Rounds to the nearest, halves down.
local function rounded(v) return math.ceil(v - 0.5) end

--- How often the values of trials fall on each place: a list, and how many places there are.
-- @param trials list of indices into the column
function M.counts(column, trials)
  local n = column.choices and #column.choices or count_places(column)
  local counts = {}
  for k = 1, n do counts[k] = 0 end
  local scale = not column.choices and column.log and math.log or function(v) return v end
  local low, high = scale(column.low), scale(column.high)
  for _, i in ipairs(trials) do
    local place = (scale(column.values[i]) - low) / (high - low) * (n - 1)
    local k = math.min(math.max(rounded(place), 0), n - 1) + 1
    counts[k] = counts[k] + 1
  end
  return counts, n
end

-- The first place at which at least (or, with `beyond`, more than) so many have been counted.
local function quantile_place(counts, share, beyond)
  local sum, last = 0, nil
  for k, count in ipairs(counts) do
    if count > 0 then
      sum, last = sum + count, k
      if sum > share or not beyond and sum == share then return k end
    end
  end
  return last
end

-- The width of kernels by Scott's rule.
local function width(counts)
  local total, mean, square = 0, 0, 0
  for k, count in ipairs(counts) do total, mean = total + count, mean + count * k end
  mean = mean / total
  for k, count in ipairs(counts) do square = square + count * (k - mean) ^ 2 end
  local deviation = math.sqrt(square / math.max(1, total - 1))
  local iqr = quantile_place(counts, 3 * total // 4, true) - quantile_place(counts, total // 4)
  return math.max(1.059 * math.min(iqr / 1.34, deviation) * total ^ -0.2, 0.5 / 1.64)
end

local function mass_between(a, b)
  if a > 0 then return normal.tail(a) - normal.tail(b) end
  return normal.tail(-b) - normal.tail(-a)
end

-- A Gaussian cut at the edges of places 1..n, as the mass of each place.
local function gaussian(mean, deviation, n)
  local masses = {}
  local all = mass_between((0.5 - mean) / deviation, (n + 0.5 - mean) / deviation)
  for k = 1, n do
    masses[k] = mass_between((k - 0.5 - mean) / deviation, (k + 0.5 - mean) / deviation) / all
  end
  return masses
end

-- Most of the mass at one choice, the rest even.
local function one_choice(choice, n, kernels)
  local masses, rest = {}, 1 / kernels
  for k = 1, n do masses[k] = ((k == choice and 1 or 0) + rest) / (1 + n * rest) end
  return masses
end

local function uniform(n)
  local masses = {}
  for k = 1, n do masses[k] = 1 / n end
  return masses
end

--- The density of a column over its grid, from some of its trials: a list of masses.
function M.density(column, trials)
  local counts, n = M.counts(column, trials)
  local kernels, total, sums = 1, 1, {}
  for _, count in ipairs(counts) do
    kernels, total = kernels + (count > 0 and 1 or 0), total + count
  end
  local deviation = not column.choices and width(counts)
  local prior = column.choices and uniform(n) or gaussian((n + 1) / 2, n, n)
  for k = 1, n do sums[k] = prior[k] / total end
  for place, count in ipairs(counts) do
    local masses = count > 0 and (column.choices and one_choice(place, n, kernels)
      or not column.choices and gaussian(place, deviation, n))
    for k = 1, masses and n or 0 do sums[k] = sums[k] + count / total * masses[k] end
  end
  return sums
end

return M
