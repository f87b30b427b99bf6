--- Numbers of runs as numbers of methods: means and how sure they are, and differences between
-- methods, paired by what their runs have in common.
--
-- A value belongs to a unit: a split of the data, with the mean over its seeds; or, if there is one
-- split, a seed. Units are what standard errors count.
local M = {}

-- 97.5% quantiles of Student's t distribution for 1, 2, ... degrees of freedom.
local T = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010,
           2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860}
local Z = 1.959964

--- The 97.5% quantile of Student's t distribution: from a table, to 5e-5, up to 20 degrees of
-- freedom, then by Fisher's expansion in their inverse, to 1e-5 (Abramowitz and Stegun 26.7.5).
-- @param n integer: degrees of freedom, from 1
function M.t975(n)
  if T[n] then return T[n] end
  return Z + (Z ^ 3 + Z) / (4 * n) + (5 * Z ^ 5 + 16 * Z ^ 3 + 3 * Z) / (96 * n ^ 2)
    + (3 * Z ^ 7 + 19 * Z ^ 5 + 17 * Z ^ 3 - 15 * Z) / (384 * n ^ 3)
end

--- Mean, standard deviation (ddof 1), standard error and number of a list of numbers; deviation and
-- error are nil of fewer than two.
function M.moments(values)
  local n, sum, squares = #values, 0, 0
  if n == 0 then return {n = 0} end
  for _, v in ipairs(values) do sum = sum + v end
  local mean = sum / n
  for _, v in ipairs(values) do squares = squares + (v - mean) ^ 2 end
  local sd = n > 1 and math.sqrt(squares / (n - 1)) or nil
  return {mean = mean, sd = sd, se = sd and sd / math.sqrt(n), n = n}
end

-- The mean of a metric by what a run's field says: {[split] = mean}, and their keys in order.
local function means_by(runs, field, metric)
  local sums, counts, keys = {}, {}, {}
  for _, run in ipairs(runs) do
    local key, v = run[field], run.metrics[metric]
    if type(v) == "number" and v == v then
      if not sums[key] then keys[#keys + 1], sums[key], counts[key] = key, 0, 0 end
      sums[key], counts[key] = sums[key] + v, counts[key] + 1
    end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do sums[key] = sums[key] / counts[key] end
  return sums, keys
end

local function values_of(means, keys)
  local values = {}
  for i, key in ipairs(keys) do values[i] = means[key] end
  return values
end

--- What runs of a method have of a metric.
-- @param runs list of {split=, seed=, metrics=}
-- @param unit string: "split" or "seed"
-- @return {mean=, sd=, se=, n=} over units, and seeds_sd= of the means of each seed over its splits
function M.summary(runs, metric, unit)
  local all = M.moments(values_of(means_by(runs, unit, metric)))
  all.seeds_sd = M.moments(values_of(means_by(runs, "seed", metric))).sd
  return all
end

--- The mean difference of two methods in a metric, over the runs of the same split and seed.
-- @return {mean=, half=, n=}: half the width of the 95% interval by Student's t over units, nil of
--   fewer than two
function M.difference(runs, others, metric, unit)
  local by_place, both = {}, {}
  for _, run in ipairs(others) do by_place[run.split .. " " .. run.seed] = run.metrics[metric] end
  for _, run in ipairs(runs) do
    local v, other = run.metrics[metric], by_place[run.split .. " " .. run.seed]
    if type(v) == "number" and other then
      both[#both + 1] = {split = run.split, seed = run.seed, metrics = {difference = v - other}}
    end
  end
  local m = M.summary(both, "difference", unit)
  return {mean = m.mean, half = m.se and m.se * M.t975(m.n - 1), n = m.n}
end

return M
