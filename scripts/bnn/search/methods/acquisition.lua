--- Finds the point with the largest expected improvement of a Gaussian process, over numbers in
-- [0, 1], numbers with steps, and choices.
--
-- As Optuna does: the best of a set of candidates, others of it drawn in proportion to their
-- improvement, and the best observation each start a local search, which alternates between BFGS on
-- the numbers without steps, in units of their length scales, and the values of one other input
-- after the other.
local bounded_bfgs = require "bnn.search.methods.bounded_bfgs"
local expected_improvement = require "bnn.search.methods.expected_improvement"

local M = {}

local ROUNDS, FEW, TOLERANCE, ITERATIONS = 10, 16, 1e-2, 60

-- log EI at points, as a list.
local function values_of(problem, points)
  local mean, variance = problem.process:predict(points)
  local list = {}
  for i = 1, #points do
    list[i] = expected_improvement.log_ei(mean[i], variance[i], problem.best)
  end
  return list
end

-- -log EI at x as a function of the scaled numbers without steps, with its slope.
local function objective(problem, x, scales)
  return function(z)
    for i, k in ipairs(problem.smooth) do x[k] = z[i] * scales[i] end
    local mean, variance, dmean, dvariance = problem.process:slopes(x)
    local value, by_mean, by_variance = expected_improvement.log_ei(mean, variance, problem.best)
    local slope = {}
    for i, k in ipairs(problem.smooth) do
      slope[i] = -(by_mean * dmean[k] + by_variance * dvariance[k]) * scales[i]
    end
    return -value, slope
  end
end

-- Climbs over the numbers without steps.
local function climb_smooth(problem, x, value)
  if #problem.smooth == 0 then return x, value, false end
  local z, low, high, scales = {}, {}, {}, {}
  for i, k in ipairs(problem.smooth) do
    scales[i] = problem.process:length(k)
    z[i], low[i], high[i] = x[k] / scales[i], 0.0, 1 / scales[i]
  end
  local found, negative = bounded_bfgs.minimise(
    objective(problem, table.move(x, 1, #x, 1, {}), scales), z,
    {low = low, high = high, tolerance = TOLERANCE, iterations = ITERATIONS})
  if not found or -negative <= value + 1e-9 then return x, value, false end
  local y = table.move(x, 1, #x, 1, {})
  for i, k in ipairs(problem.smooth) do y[k] = math.max(0, math.min(1, found[i] * scales[i])) end
  return y, -negative, true
end

-- Other values that an input with steps or choices may take next: all of a few, else some around.
local function others(problem, k, v)
  local all, list, at = problem.values[k], {}, 1
  for i, other in ipairs(all) do
    if other == v then at = i end
  end
  for i, other in ipairs(all) do
    local gap = math.abs(i - at)
    local is_near = problem.choices[k] or #all <= FEW or gap & (gap - 1) == 0 -- 1, 2, 4, 8, ...
    if gap > 0 and is_near then list[#list + 1] = other end
  end
  return list
end

-- Climbs over the values of input k until none around is better.
local function climb_steps(problem, x, value, k)
  local changed = false
  while true do
    local points = {}
    for i, v in ipairs(others(problem, k, x[k])) do
      points[i] = table.move(x, 1, #x, 1, {})
      points[i][k] = v
    end
    local best
    for i, v in ipairs(points[1] and values_of(problem, points) or {}) do
      if v > value + 1e-9 then best, value = i, v end
    end
    if not best then return x, value, changed end
    x, changed = points[best], true
  end
end

local function climb(problem, x, value)
  for _ = 1, ROUNDS do
    local any, changed
    x, value, any = climb_smooth(problem, x, value)
    for k in pairs(problem.values) do
      x, value, changed = climb_steps(problem, x, value, k)
      any = any or changed
    end
    if not any or next(problem.values) == nil or #problem.smooth == 0 then break end
  end
  return x, value
end

-- `count` different places in proportion to exp(value - most), beside the best one.
local function roulette(values, best, count, u)
  local chosen, weights, total = {}, {}, 0
  for i, v in ipairs(values) do
    weights[i] = i == best and 0 or math.exp(v - values[best])
    total = total + weights[i]
  end
  for c = 1, count do
    local rest, place = u[c] * total, nil
    for i, w in ipairs(weights) do
      if w > 0 then place = i end
      rest = rest - w
      if rest < 0 and w > 0 then break end
    end
    if not place or total <= 0 then break end
    chosen[#chosen + 1] = place
    total, weights[place] = total - weights[place], 0
  end
  return chosen
end

--- Finds the point.
-- @param problem table: process; best, the value to improve on; choices, list of booleans; values,
--   table: input -> list of the values of inputs with steps or choices; smooth, list of the others
-- @param candidates list of points
-- @param starts list of further points to start from
-- @param u list of numbers of [0, 1): as many searches start at candidates besides the best
-- @return point, its log EI
function M.maximise(problem, candidates, starts, u)
  local values, first = values_of(problem, candidates), 1
  for i, v in ipairs(values) do
    if v > values[first] then first = i end
  end
  local points = {candidates[first]}
  for _, i in ipairs(roulette(values, first, #u, u)) do points[#points + 1] = candidates[i] end
  table.move(starts, 1, #starts, #points + 1, points)
  values = values_of(problem, points)
  local best, most
  for i, point in ipairs(points) do
    local x, value = climb(problem, point, values[i])
    if not most or value > most then best, most = x, value end
  end
  return best, most
end

return M
