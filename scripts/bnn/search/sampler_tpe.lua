--- The tree-structured Parzen estimator, as Optuna 5 has it.
--
-- The first trials, 10, are random. Then the n finished ones are divided: the best
-- min(ceil(n / 10), 25) and the rest, to which running trials are added, so that others do not go
-- where one is. Each part has a Parzen estimator (bnn.search.methods.parzen), l and g; of 24 points
-- drawn from l the one with the largest l / g is proposed. Parameters without a condition are drawn
-- together, each conditional one by itself from the trials that have it. Pruned trials rank after
-- completed ones, those with more steps first. With several objectives every parameter is drawn by
-- itself, the ceil(n / 10) best are those of the first ranks of dominance, the last rank being cut
-- by its hypervolume, and have equal weights (Y. Ozaki et al., "Multiobjective tree-structured
-- Parzen estimator", JAIR 73, 2022).
local draws = require "bnn.search.methods.draws"
local pareto = require "bnn.search.methods.pareto"
local parzen = require "bnn.search.methods.parzen"
local sampler = require "bnn.search.sampler"
local trials = require "bnn.search.trials"

local MOST_BELOW, ATTEMPTS = 25, 20

-- The axis of a domain for bnn.search.methods.parzen, and how values become its coordinates.
local function axis_of(domain)
  if domain.choices then return {count = domain:count()} end
  local low, high = domain:interval()
  local axis = {low = low, high = high}
  if domain.step then
    local half = domain.step / 2
    function axis.snap(x) return domain:coordinate(domain:from_coordinate(x)) end
    function axis.edges(x)
      local v = domain.is_log and math.exp(x) or x
      if domain.is_log then return math.log(v - half), math.log(v + half) end
      return v - half, v + half
    end
  end
  return axis
end

local function to_axis(domain, v)
  if not domain:has(v) then return nil end
  return domain.choices and domain:index(v) or domain:coordinate(v)
end

local function from_axis(domain, x)
  return domain.choices and domain:value(x) or domain:from_coordinate(x)
end

-- The first `count` of several objectives: by rank of dominance, the last rank by hypervolume.
local function best_of_several(completed, count)
  local points, places = {}, {}
  for i, trial in ipairs(completed) do points[i] = trial.losses end
  for _, rank in ipairs(pareto.ranks(points, count)) do
    local room = count - #places
    if #rank > room then
      rank = pareto.subset(points, rank, room, pareto.reference(points, rank))
    end
    table.move(rank, 1, #rank, #places + 1, places)
  end
  local best = {}
  for i, place in ipairs(places) do best[i] = completed[place] end
  return best
end

-- The set of the best trials.
local function below_of(finished, history, mode)
  local count = math.ceil(0.1 * #finished)
  local list = finished
  if #mode > 1 then
    list = best_of_several(trials.in_state(history, {completed = true}), count)
  else
    count = math.min(count, MOST_BELOW)
  end
  local set = {}
  for i = 1, math.min(count, #list) do set[list[i]] = true end
  return set
end

-- The coordinates of the trials of a part that have all parameters, by number.
local function rows_of(history, parameters, is_wanted)
  local rows = {}
  for _, trial in ipairs(history) do
    local row = trial.state ~= "failed" and is_wanted(trial) and {}
    for k, parameter in ipairs(row and parameters or {}) do
      row[k] = to_axis(parameter.domain, trial.config[parameter.name])
    end
    if row and #row == #parameters then rows[#rows + 1] = row end
  end
  return rows
end

local function ones(n)
  local list = {}
  for i = 1, n do list[i] = 1 end
  return list
end

-- A function (key) -> values by name of some parameters, drawn together.
local function proposer(parameters, history, below, opts)
  local axes = {}
  for k, parameter in ipairs(parameters) do axes[k] = axis_of(parameter.domain) end
  local good = rows_of(history, parameters, function(trial) return below[trial] end)
  local bad = rows_of(history, parameters, function(trial) return not below[trial] end)
  local l = parzen.new(axes, good, #opts.mode > 1 and ones(#good) or nil)
  local g = parzen.new(axes, bad)
  return function(key)
    local u, used = draws.uniforms(key, opts.candidates * (1 + #axes)), 0
    local function next_uniform()
      used = used + 1
      return u[used]
    end
    local best, most
    for _ = 1, opts.candidates do
      local point = l:draw(next_uniform)
      local gain = l:log_density(point) - g:log_density(point)
      if not best or gain > most then best, most = point, gain end
    end
    local found = {}
    for k, parameter in ipairs(parameters) do
      found[parameter.name] = from_axis(parameter.domain, best[k])
    end
    return found
  end
end

-- The parameters that are drawn together: those without a condition that have several values.
local function joint_parameters(space, mode)
  local list = {}
  for _, parameter in ipairs(#mode == 1 and space.parameters or {}) do
    local domain = parameter.domain
    if not domain.parent and domain:count() ~= 1 then list[#list + 1] = parameter end
  end
  return list
end

-- A function (key) -> configuration for a history.
local function learned(space, history, finished, joint, opts)
  local below = below_of(finished, history, opts.mode)
  local together, alone = joint[1] and proposer(joint, history, below, opts), {}
  return function(key)
    local found = together and together(key:fold "joint") or {}
    return space:build(function(name, domain)
      if found[name] ~= nil then return found[name] end
      if domain:count() == 1 then return domain:value(1) end
      alone[name] = alone[name] or proposer({{name = name, domain = domain}}, history, below, opts)
      return alone[name](key:fold(name))[name]
    end)
  end
end

local function new(space, opts)
  local joint = joint_parameters(space, opts.mode)
  return function(number, history)
    local key, finished = opts.key:fold(number), trials.ranked(history)
    if #finished < opts.startup_trials then return sampler.random(opts.what, space, key) end
    local draw = learned(space, history, finished, joint, opts)
    return sampler.redraw(opts.what, space, key, function(k, attempt)
      if attempt < ATTEMPTS then return draw(k) end
      return sampler.random(opts.what, space, k)
    end)
  end
end

return {
  name = "tpe", learns = true, new = new,
  options = {
    startup_trials = {type = "integer", min = 1, default = 10},
    candidates = {type = "integer", min = 1, default = 24},
  },
}
