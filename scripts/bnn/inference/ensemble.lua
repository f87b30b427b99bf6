--- Ensembles: several networks trained from keys of their own, which predict together.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local param_samples = require "bnn.params.param_samples"
local parameters = require "bnn.params.params"
local progress = require "bnn.base.progress"
local posterior = require "bnn.posterior.posterior"
local side_by_side = require "bnn.inference.side_by_side"

local M = {}

local spec = {
  members = {type = "integer", min = 1, default = 5},
  fit = {type = "function", required = true},
  key = {type = "key", required = true},
  num_samples = {type = "integer", min = 1},
  threads = {type = "integer", min = 1, max = 256},
  progress = "boolean",
}

-- The parameters or the posterior that a fit returned: its own, or an objective's or a model's.
local function fitted(value, i)
  if type(value) == "table" and not parameters.is(value) and not kinds.is_object(value, "posterior")
  then
    value = value.posterior or value.params
  end
  if parameters.is(value) or kinds.is_object(value, "posterior") then return value end
  fail("bnn.ensemble: fit: expected params, a posterior, or an objective or model with one of them "
    .. "for member %d, got %s", i, kinds.show(value))
end

-- The networks of one member: itself; or draws from its posterior, unless that has fewer.
local function networks_of(member, key, num_samples)
  if parameters.is(member) then return {member} end
  local n = math.min(member:support(false) or num_samples, num_samples)
  local draws, list = member:samples(key:fold "eps", n), {}
  for s = 1, n do list[s] = draws[s] end
  return list
end

local function check_same_count(lists)
  for i, list in ipairs(lists) do
    if #list ~= #lists[1] then
      fail("bnn.ensemble: fit: expected %d networks of each member, as of the first, got %d of "
        .. "member %d", #lists[1], #list, i)
    end
  end
end

-- The mixture of members; nil if all are params.
local function mixture_of(members)
  local list, has_posterior = {}, false
  for i, member in ipairs(members) do
    has_posterior = has_posterior or not parameters.is(member)
    list[i] = parameters.is(member) and posterior.point(member) or member
  end
  return has_posterior and posterior.mixture(list) or nil
end

-- The bank of the members' networks.
local function bank_of(members, opts)
  local lists, all = {}, {}
  for i, member in ipairs(members) do
    local key = opts.key:fold("member"):fold(i)
    lists[i] = networks_of(member, key, opts.num_samples or 1)
  end
  check_same_count(lists)
  for _, list in ipairs(lists) do table.move(list, 1, #list, #all + 1, all) end
  return posterior.empirical(param_samples.stack(all))
end

--- Trains a deep ensemble (Lakshminarayanan et al. 2017): networks from different keys, each as
-- likely as any other, whose spread is the uncertainty. Members train side by side, a thread each,
-- over the same data in memory; the result does not depend on how many threads there are.
--     local q = bnn.ensemble{members = 5, key = bnn.key(1), fit = function(key, i)
--       local params = net:init(key:fold "init", data.train)
--       local objective = bnn.objective{net = net, params = params, likelihood = "categorical"}
--       bnn.train{objective = objective, optimizer = bnn.optim.adam{}, data = data.train,
--                 steps = 10, batch_size = 16, key = key}
--       return objective
--     end}
--     bnn.predict({net = net, posterior = q, likelihood = "categorical"}, x, {key = bnn.key(2)})
-- Where members are posteriors the ensemble is their mixture, such as MultiSWAG of fits that end in
-- `return bnn.train{..., collect = bnn.collect.swag{}}:posterior()` (Wilson and Izmailov 2020).
--
-- An ensemble that was stopped or killed goes on by its members if each has checkpoints of its own:
--     local function fit(key, i)
--       local params = net:init(key:fold "init", data.train)
--       local objective = bnn.objective{net = net, params = params, likelihood = "categorical"}
--       bnn.train{objective = objective, optimizer = bnn.optim.adam{}, data = data.train,
--                 steps = 10, batch_size = 16, key = key,
--                 checkpoint = {path = "night/member_" .. i, every = 5, resume = true}}
--       return objective
--     end
--     local same = bnn.ensemble{members = 2, key = bnn.key(1), fit = fit}
-- Members that had ended are read, the others resume, and the result has the same bits.
-- @param opts table:
--   members     how many, 5
--   fit         function(key, i) -> params, a posterior, an objective or a model; required. It
--               trains member i by objective:step or bnn.train, with key:fold("member"):fold(i)
--   key         required
--   num_samples of members that are posteriors: draws from each, which are the ensemble in place of
--               the mixture
--   threads     members at a time; default all threads (bnn.threads)
--   progress    false shows no progress on stderr
-- @return posterior: empirical, the networks of member 1 first; a mixture (bnn.posterior.mixture)
--   if members are posteriors and num_samples is not given
-- Raises what a fit raises; the others end at their next step.
function M.ensemble(opts)
  opts = options.check("bnn.ensemble", opts, spec)
  local functions, members, done = {}, {}, 0
  local bar <close> = progress.start("ensemble",
    {of = opts.members, unit = "members", parts = true, progress = opts.progress})
  for i = 1, opts.members do
    local key = opts.key:fold("member"):fold(i)
    functions[i] = function()
      local member = fitted(opts.fit(key, i), i)
      done = done + 1
      bar:update(done)
      return member
    end
  end
  local n = math.min(opts.threads or core.threads(), opts.members)
  for i, result in ipairs(require "bnn.signal".guard(side_by_side.run, functions, n)) do
    members[i] = result[1]
  end
  return not opts.num_samples and mixture_of(members) or bank_of(members, opts)
end

return M
