--- Parzen estimators over several axes: mixtures of products of kernels, one for each observation
-- and a wide one as the prior, as in the TPE of Optuna (J. Bergstra et al., "Algorithms for
-- hyper-parameter optimization", NIPS 2011; S. Watanabe, arXiv 2304.11127).
--
-- An axis of numbers is {low=, high=}: its kernels are normals truncated to [low, high] at the
-- observations, the prior's in the middle with the range as standard deviation. With steps it has
-- edges(x) -> left, right and snap(x): densities are then masses of intervals. The standard
-- deviation of an observation is the larger distance to its neighbours, the bounds not counting
-- where there are two observations or more, but at least range / min(100, n + 2).
-- An axis of choices is {count=}: a kernel has weight 1 at its observation and 1 / (n + 1)
-- everywhere.
local normal_mass = require "bnn.search.methods.normal_mass"

local M = {}

local log, exp, huge = math.log, math.exp, math.huge
local HALF_LOG_TWO_PI = 0.5 * log(2 * math.pi)

-- The larger distance of each number to its neighbours, or to the bounds.
local function gaps(mus, low, high)
  local order, n, gap = {}, #mus, {}
  for i = 1, n do order[i] = i end
  table.sort(order, function(a, b)
    if mus[a] ~= mus[b] then return mus[a] < mus[b] end
    return a < b
  end)
  for place, i in ipairs(order) do
    local left = place > 1 and mus[i] - mus[order[place - 1]] or n == 1 and mus[i] - low or 0
    local right = place < n and mus[order[place + 1]] - mus[i] or n == 1 and high - mus[i] or 0
    gap[i] = math.max(left, right)
  end
  return gap
end

local Numbers, Choices = {}, {}
Numbers.__index, Choices.__index = Numbers, Choices

local function numbers(axis, mus)
  local n, range = #mus, axis.high - axis.low
  local sigmas, least = gaps(mus, axis.low, axis.high), range / math.min(100, n + 2)
  for i = 1, n do sigmas[i] = math.max(least, math.min(range, sigmas[i])) end
  mus[n + 1], sigmas[n + 1] = (axis.low + axis.high) / 2, range
  local norms = {}
  for i = 1, n + 1 do
    local mu, sigma = mus[i], sigmas[i]
    norms[i] = normal_mass.log_between((axis.low - mu) / sigma, (axis.high - mu) / sigma)
    if not axis.edges then norms[i] = norms[i] + log(sigma) + HALF_LOG_TWO_PI end
  end
  return setmetatable({axis = axis, mus = mus, sigmas = sigmas, norms = norms}, Numbers)
end

-- A number of kernel i by a number u of [0, 1).
function Numbers:draw(i, u)
  local axis, mu, sigma = self.axis, self.mus[i], self.sigmas[i]
  local z = normal_mass.truncated_quantile(u, (axis.low - mu) / sigma, (axis.high - mu) / sigma)
  local x = mu + sigma * z
  return axis.snap and axis.snap(x) or x
end

-- Adds the log densities of all kernels at x.
function Numbers:add_to(sums, x)
  local mus, sigmas, norms, edges = self.mus, self.sigmas, self.norms, self.axis.edges
  local left, right
  if edges then left, right = edges(x) end
  for i = 1, #mus do
    local mu, sigma = mus[i], sigmas[i]
    if left then
      sums[i] = sums[i] + normal_mass.log_between((left - mu) / sigma, (right - mu) / sigma)
        - norms[i]
    else
      local z = (x - mu) / sigma
      sums[i] = sums[i] - 0.5 * z * z - norms[i]
    end
  end
end

local function choices(axis, places)
  local n, count = #places, axis.count
  local total = 1 + count / (n + 1)
  return setmetatable({
    count = count, places = places, n = n, hit = (1 + 1 / (n + 1)) / total,
    miss = 1 / (n + 1) / total,
  }, Choices)
end

function Choices:draw(i, u)
  local hit, miss, own = self.hit, self.miss, self.places[i]
  if not own then return math.min(self.count, math.floor(u * self.count) + 1) end
  for place = 1, self.count - 1 do
    u = u - (place == own and hit or miss)
    if u < 0 then return place end
  end
  return self.count
end

function Choices:add_to(sums, x)
  local log_hit, log_miss, places = log(self.hit), log(self.miss), self.places
  for i = 1, self.n do sums[i] = sums[i] + (places[i] == x and log_hit or log_miss) end
  sums[self.n + 1] = sums[self.n + 1] - log(self.count)
end

--- The weights of n observations in order of age: 1; from 25 on the newest 25 have 1 and the older
-- ones rise from 1 / n in a line.
function M.weights(n)
  local weights, ramp = {}, n - 25
  for i = 1, n do
    local t = ramp > 1 and (i - 1) / (ramp - 1) or 0
    weights[i] = (i <= ramp) and (1 - t) / n + t or 1
  end
  return weights
end

local Estimator = {}
Estimator.__index = Estimator

--- Makes the estimator of observations.
-- @param axes list, as above
-- @param rows list of observations: lists of a number or the place of a choice for each axis
-- @param weights list: their weights, default M.weights; the prior's is 1
function M.new(axes, rows, weights)
  local kernels, n = {}, #rows
  for k, axis in ipairs(axes) do
    local column = {}
    for i = 1, n do column[i] = rows[i][k] end
    kernels[k] = (axis.count and choices or numbers)(axis, column)
  end
  weights = weights or M.weights(n)
  weights[n + 1] = 1
  local total, log_weights = 0, {}
  for i = 1, n + 1 do total = total + weights[i] end
  for i = 1, n + 1 do
    weights[i] = weights[i] / total
    log_weights[i] = log(weights[i])
  end
  return setmetatable({kernels = kernels, weights = weights, log_weights = log_weights}, Estimator)
end

--- Draws a point by 1 + #axes numbers of [0, 1).
-- @param next_uniform function() -> number
function Estimator:draw(next_uniform)
  local i, u = 1, next_uniform()
  while u >= self.weights[i] and i < #self.weights do
    u = u - self.weights[i]
    i = i + 1
  end
  local point = {}
  for k, kernel in ipairs(self.kernels) do point[k] = kernel:draw(i, next_uniform()) end
  return point
end

--- The log density of a point.
function Estimator:log_density(point)
  local sums = table.move(self.log_weights, 1, #self.log_weights, 1, {})
  for k, kernel in ipairs(self.kernels) do kernel:add_to(sums, point[k]) end
  local most, sum = -huge, 0
  for _, v in ipairs(sums) do most = math.max(most, v) end
  if most == -huge then return most end
  for _, v in ipairs(sums) do sum = sum + exp(v - most) end
  return most + log(sum)
end

return M
