--- Gaussian processes with a Matern 5/2 kernel (runtime/gp/gp.h), fitted as Optuna does: at the
-- largest posterior of the inverse squared lengths t, with the prior exp(-0.1 / t - 0.1 t) each, of
-- the variance, Gamma(2, 1), and of the noise's, Gamma(1.1, 30), at least 1e-6; all begin at 1.
local bounded_bfgs = require "bnn.search.methods.bounded_bfgs"
local core = require "bnn.core"

local M = {}

local LEAST_NOISE, LEAST_VARIANCE, TOLERANCE, ITERATIONS = 1e-6, 1e-12, 1e-2, 100
local BOUND = 20 -- of |theta|, logarithms

-- The log prior at theta, added to value and slope.
local function add_prior(theta, d, value, slope)
  for k = 1, d do
    local t = math.exp(theta[k])
    value, slope[k] = value - 0.1 / t - 0.1 * t, slope[k] + 0.1 / t - 0.1 * t
  end
  local s, raw = math.exp(theta[d + 1]), math.exp(theta[d + 2])
  local noise = raw + LEAST_NOISE
  value = value + theta[d + 1] - s + 0.1 * math.log(noise) - 30 * noise
  slope[d + 1] = slope[d + 1] + 1 - s
  slope[d + 2] = slope[d + 2] + (0.1 / noise - 30) * raw
  return value, slope
end

local function constants(n, v)
  local list = {}
  for i = 1, n do list[i] = v end
  return list
end

-- The theta with the largest posterior.
local function fit(x, is_choice, y, d)
  local function f(theta)
    local value, slope = core.gp_likelihood(x, is_choice, y, core.tensor(theta, "f64"), LEAST_NOISE)
    if not value then return nil end
    value, slope = add_prior(theta, d, value, slope:totable())
    for k = 1, d + 2 do slope[k] = -slope[k] end
    return -value, slope
  end
  local start = constants(d + 2, 0.0)
  start[d + 2] = math.log(1 - 0.99 * LEAST_NOISE)
  return bounded_bfgs.minimise(f, start, {
    low = constants(d + 2, -BOUND), high = constants(d + 2, BOUND), tolerance = TOLERANCE,
    iterations = ITERATIONS,
  }) or start
end

local Process = {}
Process.__index = Process

--- Fits a process.
-- @param rows list of points, lists of d numbers in [0, 1] or places of choices
-- @param values list of numbers, of mean 0 and variance 1
-- @param choices list of d booleans
-- @param fitted integer: how many rows, spread evenly, the hyperparameters are fitted to at most
-- @return process; nil if the covariance is not positive definite
function M.new(rows, values, choices, fitted)
  local flags, d, n = {}, #choices, #rows
  for k = 1, d do flags[k] = choices[k] and 1 or 0 end
  local some_rows, some_values = {}, {}
  for i = 1, math.min(n, fitted) do
    local place = n <= fitted and i or (i - 1) * n // fitted + 1
    some_rows[i], some_values[i] = rows[place], values[place]
  end
  local self = setmetatable({d = d, is_choice = core.tensor(flags, "u8")}, Process)
  self.theta = fit(core.tensor(some_rows, "f64"), self.is_choice, core.tensor(some_values, "f64"),
    d)
  self.packed = core.tensor(self.theta, "f64")
  return self:observe(rows, values)
end

--- Conditions the process on points, with the hyperparameters that it has.
-- @return process; nil if the covariance is not positive definite
function Process:observe(rows, values)
  local new = setmetatable({}, Process)
  for k, v in pairs(self) do new[k] = v end
  new.x = core.tensor(rows, "f64")
  new.u, new.alpha = core.gp_factor(new.x, self.is_choice, core.tensor(values, "f64"), self.packed,
    LEAST_NOISE)
  return new.u and new
end

--- The mean and variance, without noise, at points.
-- @param points list of lists
-- @return mean, variance: lists
function Process:predict(points)
  local mean, variance = core.gp_predict(self.x, self.is_choice, self.packed, self.u, self.alpha,
    core.tensor(points, "f64"), false)
  mean, variance = mean:totable(), variance:totable()
  for i = 1, #variance do variance[i] = math.max(variance[i], LEAST_VARIANCE) end
  return mean, variance
end

--- The mean and variance at a point, and their slopes.
-- @return mean, variance, dmean [d], dvariance [d]
function Process:slopes(point)
  local mean, variance, dmean, dvariance = core.gp_predict(self.x, self.is_choice, self.packed,
    self.u, self.alpha, core.tensor({point}, "f64"), true)
  return mean:totable()[1], math.max(variance:totable()[1], LEAST_VARIANCE), dmean:totable(),
    dvariance:totable()
end

--- The length scale of an input: 1 / sqrt(t).
function Process:length(k) return math.exp(-0.5 * self.theta[k]) end

return M
