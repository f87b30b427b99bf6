--- For search_test.sh: what samplers propose and their parts compute, as lines of JSON.
--
--     bnnlua search_proposals.lua FILE     FILE is JSON: {"task": ..., its arguments}
local bnn = require "bnn"
local cma = require "bnn.search.methods.cma"
local core = require "bnn.core"
local parzen = require "bnn.search.methods.parzen"
local pareto = require "bnn.search.methods.pareto"
local sobol_points = require "bnn.search.methods.sobol_points"

local function show(v) print(core.json_encode(v)) end

local tasks = {}

-- Proposals for keys 1 to `keys`.
function tasks.propose(t)
  local space = assert(bnn.space.parse(t.space))
  for key = 1, t.keys do
    local sampler = assert(bnn.search.sampler(t.sampler, space, {key = key, mode = t.mode}))
    show(sampler:propose(#t.history + 1, t.history))
  end
end

-- Log densities of points: axes are numbers [low, high] with a step or none, or counts of choices.
function tasks.density(t)
  local axes = {}
  for k, a in ipairs(t.axes) do
    axes[k] = {low = a.low, high = a.high, count = a.count}
    if a.step then
      axes[k].edges = function(x)
        if a.log then
          return math.log(math.exp(x) - a.step / 2), math.log(math.exp(x) + a.step / 2)
        end
        return x - a.step / 2, x + a.step / 2
      end
    end
  end
  local estimator = parzen.new(axes, t.rows)
  for _, point in ipairs(t.points) do show{estimator:log_density(point)} end
end

-- Sobol points: coordinates of all dimensions.
function tasks.sobol(t)
  for i = 0, t.count - 1 do
    local point = {}
    for d = 1, sobol_points.DIMENSIONS do point[d] = sobol_points.point(i, d) end
    show(point)
  end
end

-- The hypervolume of points, and a subset's.
function tasks.hypervolume(t) show{pareto.hypervolume(t.points, t.reference)} end

-- CMA-ES told generations of points: its mean, sigma, paths and covariance after each.
function tasks.cma(t)
  local state = cma.new(t.dim, {mean = t.mean, sigma = t.sigma})
  for _, generation in ipairs(t.generations) do
    state = cma.update(state, generation)
    show{mean = state.mean, sigma = state.sigma, c = state.c, p_sigma = state.p_sigma,
         p_c = state.p_c}
  end
end

local file <close> = assert(io.open(arg[1]))
local task = assert(core.json_decode(file:read "a"))
tasks[task.task](task)
