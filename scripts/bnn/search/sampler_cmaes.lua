--- CMA-ES (bnn.search.methods.cma) over the numbers of a space, each mapped to [0, 1], logarithms
-- and steps as in its domain: first mean in the middle, first step size 1/6. Choices and
-- conditional parameters are drawn at random.
--
-- Trials (g - 1) lambda + 1 to g lambda are generation g. A generation is learned from when all its
-- trials have ended: completed ones rank by value, then pruned ones, those with more steps first,
-- then failed ones. A trial that begins while the generation before it is still running is drawn
-- from the distribution of that one; it then counts as a point from outside (N. Hansen, arXiv
-- 1110.4181), as any does that is not what the distribution gives for its number. With fewer
-- workers than lambda little is lost. A point outside of [0, 1] is drawn again, up to 100 times,
-- then moved to the bounds.
local cma = require "bnn.search.methods.cma"
local draws = require "bnn.search.methods.draws"
local fail = require "bnn.base.fail"
local sampler = require "bnn.search.sampler"
local trials = require "bnn.search.trials"

local ATTEMPTS, REDRAWS = 100, 100

-- The parameters that it adapts: numbers without a condition that have several values.
local function numbers_of(space)
  local list = {}
  for _, parameter in ipairs(space.parameters) do
    local domain = parameter.domain
    if not domain.choices and not domain.parent and domain:count() ~= 1 then
      list[#list + 1] = parameter
    end
  end
  return list
end

local function is_inside(x)
  for i = 1, #x do
    if x[i] < 0 or x[i] > 1 then return false end
  end
  return true
end

-- The point of a key within the unit cube.
local function draw_inside(state, key)
  local x
  for attempt = 0, ATTEMPTS do
    x = cma.draw(state, draws.normals(key:fold "cmaes":fold(attempt), state.d))
    if is_inside(x) then return x end
  end
  for i = 1, #x do x[i] = math.max(0, math.min(1, x[i])) end
  return x
end

-- The configuration of a point.
local function config_of(space, parameters, x, key)
  local place = {}
  for i, parameter in ipairs(parameters) do place[parameter.name] = i end
  return space:build(function(name, domain)
    local i = place[name]
    if not i then return domain:at(draws.uniform(key:fold(name))) end
    local low, high = domain:interval()
    return domain:from_coordinate(low + x[i] * (high - low))
  end)
end

-- The point of a configuration; nil if it is not one of the space.
local function point_of(parameters, cfg)
  local x = {}
  for i, parameter in ipairs(parameters) do
    local v = cfg[parameter.name]
    if v == nil or not parameter.domain:has(v) then return nil end
    x[i] = parameter.domain:unit(v)
  end
  return x
end

local function draw_config(space, parameters, state, key, opts)
  return sampler.redraw(opts.what, space, key, function(k, attempt)
    if attempt >= REDRAWS then return sampler.random(opts.what, space, k) end
    return config_of(space, parameters, draw_inside(state, k), k)
  end)
end

-- Whether points agree but for the rounding of values.
local function is_same(x, y)
  for i = 1, #x do
    if math.abs(x[i] - y[i]) > 1e-6 then return false end
  end
  return true
end

-- The trials of generation g as points with their rank as the value; nil if some have not ended.
local function generation_of(by_number, g, state, parameters, draw)
  local size, members, ranks = state.k.size, {}, {}
  for i = 1, size do
    local trial = by_number[(g - 1) * size + i]
    if not trial or trial.state == "running" then return nil end
    members[i] = trial
  end
  for rank, trial in ipairs(trials.ranked(members)) do ranks[trial] = rank end
  local points = {}
  for i, trial in ipairs(members) do
    local own = draw(state, trial.number)
    local x = point_of(parameters, trial.config) or own
    points[i] = {x, ranks[trial] or math.huge, is_foreign = not is_same(x, own)}
  end
  return points
end

local function new(space, opts)
  sampler.one_objective(opts.what, opts)
  local parameters = numbers_of(space)
  if #parameters == 0 then
    fail("%s: expected a parameter that is a number without a condition, got none", opts.what)
  end
  local d, mean = #parameters, {}
  for i = 1, d do mean[i] = 0.5 end
  local function draw(state, number)
    return point_of(parameters,
      draw_config(space, parameters, state, opts.key:fold(number), opts))
  end
  return function(number, history)
    local by_number = {}
    for _, trial in ipairs(history) do by_number[trial.number] = trial end
    local state = cma.new(d, {mean = mean, sigma = opts.sigma, size = opts.population_size})
    for g = 1, (number - 1) // state.k.size do
      local points = generation_of(by_number, g, state, parameters, draw)
      if not points then break end
      state = cma.update(state, points)
    end
    return draw_config(space, parameters, state, opts.key:fold(number), opts)
  end
end

return {
  name = "cmaes", learns = true, new = new,
  options = {
    sigma = {type = "number", above = 0, default = 1 / 6},
    population_size = {type = "integer", min = 4},
  },
}
