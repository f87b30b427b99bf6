--- CMA-ES: the covariance matrix adaptation evolution strategy, with the constants of N. Hansen,
-- "The CMA evolution strategy: a tutorial", arXiv 1604.00772 (equation numbers below are its).
--
-- A state has the mean m, the step size sigma and the covariance C of the normal that points are
-- drawn from, and the evolution paths. Updating it makes a new state.
local symmetric_eigen = require "bnn.search.methods.symmetric_eigen"

local M = {}

local sqrt, log = math.sqrt, math.log
local TINY, SIGMA_MOST = 1e-8, 1e32

-- (49) to (53): weights by rank; what their positive part selects.
local function weights_of(d, size)
  local raw, mu = {}, size // 2
  local sum, squares, sum_rest, squares_rest, plus, minus = 0, 0, 0, 0, 0, 0
  for i = 1, size do
    local w = log((size + 1) / 2) - log(i)
    raw[i] = w
    if i <= mu then
      sum, squares = sum + w, squares + w * w
    else
      sum_rest, squares_rest = sum_rest + w, squares_rest + w * w
    end
    if w > 0 then plus = plus + w else minus = minus - w end
  end
  local mueff, mueff_minus = sum * sum / squares, sum_rest * sum_rest / squares_rest
  local c1 = 2 / ((d + 1.3) ^ 2 + mueff)
  local cmu = math.min(1 - c1 - 1e-8, 2 * (mueff - 2 + 1 / mueff) / ((d + 2) ^ 2 + mueff))
  local scale = math.min(1 + c1 / cmu, 1 + 2 * mueff_minus / (mueff + 2),
    (1 - c1 - cmu) / (d * cmu))
  local weights = {}
  for i, w in ipairs(raw) do weights[i] = w >= 0 and w / plus or scale * w / minus end
  return {mu = mu, weights = weights, mueff = mueff, c1 = c1, cmu = cmu}
end

-- The constants of d dimensions and a population.
local function constants_of(d, size)
  local k = weights_of(d, size)
  local mueff = k.mueff
  k.size, k.sum = size, 0
  for _, w in ipairs(k.weights) do k.sum = k.sum + w end
  k.c_sigma = (mueff + 2) / (d + mueff + 5) -- (55)
  k.d_sigma = 1 + 2 * math.max(0, sqrt((mueff - 1) / (d + 1)) - 1) + k.c_sigma
  k.c_c = (4 + mueff / d) / (d + 4 + 2 * mueff / d) -- (56)
  k.norm = sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d)) -- E |N(0, I)|
  return k
end

local function constant(d, v)
  local list = {}
  for i = 1, d do list[i] = v end
  return list
end

local function identity(d)
  local c = {}
  for i = 1, d do
    c[i] = constant(d, 0.0)
    c[i][i] = 1.0
  end
  return c
end

--- The size of a population by Hansen's rule (48), 4 + floor(3 ln d).
function M.population_size(d) return 4 + math.floor(3 * log(d)) end

--- Makes the state before any point was seen.
-- @param d integer: dimensions
-- @param opts table: mean list [d], sigma number, size integer or nil for Hansen's
function M.new(d, opts)
  return {
    d = d, k = constants_of(d, opts.size or M.population_size(d)), generation = 0,
    mean = table.move(opts.mean, 1, d, 1, {}), sigma = opts.sigma, c = identity(d),
    p_sigma = constant(d, 0.0), p_c = constant(d, 0.0),
  }
end

-- C = B diag(D^2) B^T: D and B, which are worked out once for a state.
local function axes_of(state)
  if not state.b then
    local w
    w, state.b = symmetric_eigen.decompose(state.c)
    for i = 1, state.d do w[i] = sqrt(w[i] < 0 and TINY or w[i]) end
    state.lengths = w
  end
  return state.lengths, state.b
end

-- B diag(f(D)) B^T y, for f = 1 / D.
local function whiten(state, y)
  local lengths, b = axes_of(state)
  local d, out = state.d, constant(state.d, 0.0)
  for k = 1, d do
    local dot = 0
    for i = 1, d do dot = dot + b[i][k] * y[i] end
    dot = dot / lengths[k]
    for i = 1, d do out[i] = out[i] + b[i][k] * dot end
  end
  return out
end

local function norm(y)
  local sum = 0
  for i = 1, #y do sum = sum + y[i] * y[i] end
  return sqrt(sum)
end

--- The point of standard normal numbers z: m + sigma B D z.
function M.draw(state, z)
  local lengths, b = axes_of(state)
  local x = {}
  for i = 1, state.d do
    local sum = 0
    for k = 1, state.d do sum = sum + b[i][k] * lengths[k] * z[k] end
    x[i] = state.mean[i] + state.sigma * sum
  end
  return x
end

-- The steps (x - m) / sigma of points. Those of foreign points are cut to the length that
-- N. Hansen, "Injecting external solutions into CMA-ES", arXiv 1110.4181, allows.
local function steps_of(state, points)
  local steps, most = {}, sqrt(state.d) + 2 * state.d / (state.d + 2)
  for k, point in ipairs(points) do
    local y = {}
    for i = 1, state.d do y[i] = (point[1][i] - state.mean[i]) / state.sigma end
    local length = point.is_foreign and norm(whiten(state, y)) or 0
    for i = 1, length > most and state.d or 0 do y[i] = y[i] * most / length end
    steps[k] = y
  end
  return steps
end

-- (47): c <- decay * c + c1 p p^T + cmu sum_i w_i y_i y_i^T.
local function new_covariance(state, new, steps, h)
  local k, d, c = state.k, state.d, {}
  local decay = 1 + k.c1 * (1 - h) * k.c_c * (2 - k.c_c) - k.c1 - k.cmu * k.sum
  local weights = {}
  for r, w in ipairs(k.weights) do -- (46): bad steps have the length that keeps C positive
    weights[r] = w >= 0 and w or w * d / (norm(whiten(state, steps[r])) ^ 2 + TINY)
  end
  for i = 1, d do
    c[i] = {}
    for j = 1, d do
      local sum = 0
      for r = 1, k.size do sum = sum + weights[r] * steps[r][i] * steps[r][j] end
      c[i][j] = decay * state.c[i][j] + k.c1 * new.p_c[i] * new.p_c[j] + k.cmu * sum
    end
  end
  return c
end

-- The points from the best to the worst; of equal values the first is the better one.
local function ranked(points)
  local order = {}
  for i = 1, #points do order[i] = i end
  table.sort(order, function(a, b)
    if points[a][2] ~= points[b][2] then return points[a][2] < points[b][2] end
    return a < b
  end)
  for place, i in ipairs(order) do order[place] = points[i] end
  return order
end

-- (43), (44): the path of sigma and sigma. Returns whether the path is of usual length, 1 or 0.
local function adapt_sigma(state, new, mean_step)
  local k, c = state.k, state.k.c_sigma
  local white = whiten(state, mean_step)
  for i = 1, state.d do
    new.p_sigma[i] = (1 - c) * state.p_sigma[i] + sqrt(c * (2 - c) * k.mueff) * white[i]
  end
  local length = norm(new.p_sigma)
  local growth = math.exp(c / k.d_sigma * (length / k.norm - 1))
  new.sigma = math.min(SIGMA_MOST, state.sigma * growth)
  local usual = length / sqrt(1 - (1 - c) ^ (2 * (new.generation + 1)))
  return usual < (1.4 + 2 / (state.d + 1)) * k.norm and 1 or 0
end

--- Updates a state by the points of a generation.
-- @param points list of {point, value, is_foreign=}: as many as the population; less is better, and
--   of equal values the first; is_foreign: it was not drawn from this state
-- @return state
function M.update(state, points)
  local k, d = state.k, state.d
  local steps, mean_step = steps_of(state, ranked(points)), constant(d, 0.0)
  local new = {d = d, k = k, generation = state.generation + 1, mean = {}, p_sigma = {}, p_c = {}}
  for r = 1, k.mu do -- (41), (42)
    for i = 1, d do mean_step[i] = mean_step[i] + k.weights[r] * steps[r][i] end
  end
  for i = 1, d do new.mean[i] = state.mean[i] + state.sigma * mean_step[i] end
  local h, c = adapt_sigma(state, new, mean_step), k.c_c
  for i = 1, d do -- (45)
    new.p_c[i] = (1 - c) * state.p_c[i] + h * sqrt(c * (2 - c) * k.mueff) * mean_step[i]
  end
  new.c = new_covariance(state, new, steps, h)
  return new
end

return M
