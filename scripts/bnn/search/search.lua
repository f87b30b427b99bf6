--- Samplers of sweeps: each proposes the configuration of trial 1, 2, ... of a search space.
--
--     local space = bnn.space{lr = bnn.space.log(1e-4, 1e-2), width = {32, 64, 128}}
--     local sampler = bnn.search.sobol(space, {key = 1, mode = "max"})
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
local sampler_function = require "bnn.search.sampler_function"
local sampler_text = require "bnn.search.sampler_text"
local samplers = require "bnn.search.sampler"

local M = {}

local methods = {}
for _, name in ipairs{"grid", "random", "sobol", "halton", "latin"} do
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
function M.grid(space, opts) return make("grid", space, opts) end

--- Makes the sampler that draws every parameter uniformly from its domain.
--     local cfg = bnn.search.random({lr = "log:1e-4:1e-2"}, {key = 1}):propose(1)
-- @param space space or table: see bnn.space
-- @param opts table: key=, mode=, trials=
function M.random(space, opts) return make("random", space, opts) end

--- Makes the sampler of Sobol's sequence, with Owen's scrambling: points that fill the space evenly
-- however many there are, best if they are a power of two. At most 128 parameters.
--     local cfg = bnn.search.sobol({lr = "log:1e-4:1e-2"}, {key = 1}):propose(1)
-- @param space space or table: see bnn.space
-- @param opts table: scramble=true; key=, mode=, trials=
function M.sobol(space, opts) return make("sobol", space, opts) end

--- Makes the sampler of Halton's sequence, with permuted digits: as bnn.search.sobol, less even,
-- but for any number of parameters, and no number of trials is better than others.
--     local cfg = bnn.search.halton({lr = "log:1e-4:1e-2"}, {key = 1}):propose(1)
-- @param space space or table: see bnn.space
-- @param opts table: scramble=true; key=, mode=, trials=
function M.halton(space, opts) return make("halton", space, opts) end

--- Makes the sampler of Latin hypercubes: of `size` trials, each parameter has one in every part of
-- its range. The number of trials has to be known.
--     local cfg = bnn.search.latin({lr = "log:1e-4:1e-2"}, {size = 20}):propose(1)
-- @param space space or table: see bnn.space
-- @param opts table: size= the number of trials, default trials; key=, mode=, trials=
function M.latin(space, opts) return make("latin", space, opts) end

--- The names of the samplers, sorted.
--     for _, name in ipairs(bnn.search.names()) do print(name) end
function M.names() return options.sorted_names(methods) end

--- Makes a sampler from what a user gives for one.
--     bnn.search.sampler("random", {a = {1, 2}}, {key = 1})
--     bnn.search.sampler("sobol:scramble=false", {a = {1, 2}})
--     bnn.search.sampler({"sobol", scramble = false}, {a = {1, 2}})
--     bnn.search.sampler(function(history, space, key, number)
--       return {a = number % 2 + 1}
--     end, {a = {1, 2}})
-- @param given a name, a name with options as text or table, a function(history, space, key,
--   number) -> configuration or nil, or a sampler, which is returned as it is
-- @param space space or table: see bnn.space
-- @param opts table: key=, mode=, trials=
-- @return sampler; or nil, message if a text is wrong
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
  return make(name, space, own)
end

return M
