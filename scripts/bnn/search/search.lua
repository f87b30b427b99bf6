--- Samplers of sweeps: each proposes the configuration of trial 1, 2, ... of a search space.
--
--     local space = bnn.space{lr = bnn.space.log(1e-4, 1e-2), width = {32, 64, 128}}
--     local sampler = bnn.search.tpe(space, {key = 1, mode = "max"})
--     local history = {}
--     for number = 1, 20 do
--       local cfg = sampler:propose(number, history)
--       local value = -(math.log(cfg.lr) + 6) ^ 2 + cfg.width / 64
--       history[number] = {number = number, config = cfg, state = "completed", value = value}
--     end
--
-- Options of all: key (a key or a seed, 0), mode ("min", or "max"; a list for several objectives),
-- trials (how many are planned). A proposal follows from the key and the number; tpe, cmaes, gp and
-- functions (sampler.learns) also read the history, so their proposals depend on which trials had
-- finished, and hence on the number of workers. The guide `search` says when to use which.
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local pareto_set = require "bnn.search.pareto_set"
local sampler_function = require "bnn.search.sampler_function"
local sampler_text = require "bnn.search.sampler_text"
local samplers = require "bnn.search.sampler"

local M = {}

local methods = {}
for _, name in ipairs{"grid", "random", "sobol", "halton", "latin", "tpe", "cmaes", "gp"} do
  methods[name] = require("bnn.search.sampler_" .. name)
end

local function make(name, space, opts)
  return samplers.new("bnn.search." .. name, methods[name], space, opts)
end

--- Makes the sampler that tries every configuration once; sampler.count is how many there are. The
-- last parameter changes fastest. Configurations that a constraint excludes are left out.
--     local grid = bnn.search.grid{a = {1, 2}, b = {"x", "y", "z"}}
--     local count = grid.count --> 6
-- @param space space or table: see bnn.space
-- @param opts table: points= how many values continuous parameters have; key=, mode=, trials=
-- @return sampler
function M.grid(space, opts) return make("grid", space, opts) end

--- Makes the sampler that draws every parameter uniformly from its domain (Bergstra and
-- Bengio 2012).
--     local cfg = bnn.search.random({lr = "log:1e-4:1e-2"}, {key = 1}):propose(1)
-- @param space space or table: see bnn.space
-- @param opts table: key=, mode=, trials=
-- @return sampler
function M.random(space, opts) return make("random", space, opts) end

--- Makes the sampler of Sobol's sequence (Joe and Kuo 2008), with Owen's scrambling: points that
-- fill the space evenly however many there are, best if they are a power of two. At most 128
-- parameters.
--     local cfg = bnn.search.sobol({lr = "log:1e-4:1e-2"}, {key = 1}):propose(1)
-- @param space space or table: see bnn.space
-- @param opts table: scramble=true; key=, mode=, trials=
-- @return sampler
function M.sobol(space, opts) return make("sobol", space, opts) end

--- Makes the sampler of Halton's sequence, with permuted digits: as bnn.search.sobol, less even,
-- but for any number of parameters, and no number of trials is better than others.
--     local cfg = bnn.search.halton({lr = "log:1e-4:1e-2"}, {key = 1}):propose(1)
-- @param space space or table: see bnn.space
-- @param opts table: scramble=true; key=, mode=, trials=
-- @return sampler
function M.halton(space, opts) return make("halton", space, opts) end

--- Makes the sampler of Latin hypercubes (McKay et al. 1979): of `size` trials, each parameter has
-- one in every part of its range. The number of trials has to be known.
--     local cfg = bnn.search.latin({lr = "log:1e-4:1e-2"}, {size = 20}):propose(1)
-- @param space space or table: see bnn.space
-- @param opts table: size= the number of trials, default trials; key=, mode=, trials=
-- @return sampler
function M.latin(space, opts) return make("latin", space, opts) end

--- Makes the sampler of the tree-structured Parzen estimator (Bergstra et al. 2011), as Optuna 5
-- has it: it models where the best tenth of the trials lies and where the others do, and proposes
-- what is likelier among the best. It takes every kind of parameter, conditions, pruned trials and
-- several objectives.
--     local tpe = bnn.search.tpe({lr = "log:1e-4:1e-2", width = {32, 64}}, {key = 1, mode = "max"})
-- @param space space or table: see bnn.space
-- @param opts table: startup_trials=10, random ones at first; candidates=24, drawn for a proposal;
--   key=, mode=, trials=
-- @return sampler
function M.tpe(space, opts) return make("tpe", space, opts) end

--- Makes the sampler of CMA-ES, the covariance matrix adaptation evolution strategy with Hansen's
-- constants (Hansen 2016): for spaces of numbers and some hundreds of trials. Choices and
-- conditional parameters are drawn at random. It waits for whole generations of population_size
-- trials; workers should be fewer.
--     local cmaes = bnn.search.cmaes({a = "uniform:0:1", b = "log:1e-4:1e-2"}, {key = 1})
-- @param space space or table: see bnn.space
-- @param opts table: sigma=1/6, the first step size, a part of the ranges; population_size, default
--   4 + floor(3 ln d) for d numbers; key=, mode=, trials=
-- @return sampler
function M.cmaes(space, opts) return make("cmaes", space, opts) end

--- Makes the sampler of Bayesian optimisation: a Gaussian process and the largest expected
-- improvement (Jones et al. 1998). The most from few trials of an expensive objective, with up to
-- some 20 parameters; conditional parameters are drawn at random, pruned trials are not used.
--     local gp = bnn.search.gp({lr = "log:1e-4:1e-2", width = {32, 64}}, {key = 1, mode = "max"})
-- @param space space or table: see bnn.space
-- @param opts table: startup_trials=10, random ones at first; key=, mode=, trials=
-- @return sampler
function M.gp(space, opts) return make("gp", space, opts) end

--- Finds the Pareto set: the points that no other is at least as good as everywhere and better
-- somewhere.
--     local best = bnn.search.pareto({{1, 5}, {2, 2}, {3, 3}}) --> {1, 2}
--     bnn.search.pareto({{0.9, 10}, {0.8, 5}}, {"max", "min"})
-- @param points list of lists of numbers, one for each objective; with a NaN it is never in the set
-- @param mode "min" or "max", or a list of these, one for each objective; default "min"
-- @return list of integers: the places of the points in the set, rising
function M.pareto(points, mode)
  return pareto_set.find("bnn.search.pareto", points, mode)
end

--- The names of the samplers, sorted.
--     for _, name in ipairs(bnn.search.names()) do print(name) end
-- @return list of strings
function M.names() return options.sorted_names(methods) end

--- Makes a sampler from what a user gives for one.
--     bnn.search.sampler("tpe", {a = {1, 2}}, {key = 1})
--     bnn.search.sampler("tpe:candidates=48", {a = {1, 2}})
--     bnn.search.sampler({"tpe", candidates = 48}, {a = {1, 2}})
--     bnn.search.sampler(function(history, space, key, number)
--       return {a = number % 2 + 1}
--     end, {a = {1, 2}})
-- @param given a name, a name with options as text or table, a function(history, space, key,
--   number) -> configuration or nil, or a sampler, which is returned as it is
-- @param space space or table: see bnn.space
-- @param opts table: key=, mode=, trials=
-- @return sampler; or nil, message if a text is wrong or its sampler cannot take the space
-- Raises if given, the space or an option is of another kind.
function M.sampler(given, space, opts)
  local what = "bnn.search.sampler"
  if samplers.is(given) then return given end
  if options.accept(given, "function") then
    return samplers.new(what, sampler_function.of(given), space, opts)
  end
  local name, own = sampler_text.read(given, methods)
  if not name and type(given) == "string" then return nil, "sampler: " .. own end
  if not name then fail("%s: %s", what, own) end
  if opts ~= nil then expect.plain_table(what .. ": opts", opts, "a table of options") end
  for k, v in pairs(opts or {}) do own[k] = v end
  if type(given) ~= "string" then return make(name, space, own) end
  local ok, made = pcall(make, name, space, own) -- a text is the world's: it is refused, not raised
  if not ok and type(made) ~= "string" then error(made, 0) end -- an interrupt
  if not ok then return nil, "sampler: " .. fail.without_place(made):gsub("^bnn%.search%.", "") end
  return made
end

return M
