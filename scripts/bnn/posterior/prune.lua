--- Pruning: a mean-field posterior without the weights that say least.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local param_options = require "bnn.params.param_options"
local parameters = require "bnn.params.params"
local posterior = require "bnn.posterior.posterior"

local M = {}

local spec = {
  posterior = {type = "posterior", required = true},
  fraction = {type = "number", min = 0, max = 1, required = true},
  by = {type = "string", choices = {"snr", "magnitude"}, default = "snr"},
  only = "table|function",
}

-- What a weight is sorted by, flat.
local function scores_of(q, by)
  local sigma = (q.logvar.flat / 2):exp()
  local size = q.mu.flat:narrow(1, 1, q.logvar:numel()):abs()
  if by == "snr" then size = size / sigma end
  return q.mask and size * q.mask.flat or size
end

-- Whether a tensor may lose weights: matrices and kernels by default.
local function may_lose(only, entry)
  if only == nil then return #entry.shape > 1 end
  return param_options.is_among(only, entry.name, entry.shape)
end

-- The positions of weights that may go, the first to go first; of equal ones the earlier.
local function in_order(q, scores, only)
  local order, list = {}, scores:totable()
  for _, entry in ipairs(parameters.layout_of(q.logvar)) do
    for i = entry.offset + 1, may_lose(only, entry) and entry.offset + entry.size or 0 do
      order[#order + 1] = i
    end
  end
  table.sort(order, function(a, b)
    if list[a] ~= list[b] then return list[a] < list[b] end
    return a < b
  end)
  return order
end

--- Takes the weights out of a mean-field posterior that have the lowest signal-to-noise ratio |mu|
-- / sigma, or the smallest |mu| (Graves 2011; Blundell et al. 2015, section 5.1, table 2). They are
-- 0 in every sample and no part of the KL: q:kl() is of those that are left.
--     local q = bnn.prune{posterior = objective.posterior, fraction = 0.75}
--     bnn.predict({net = net, posterior = q, likelihood = "categorical"}, x, {key = key})
-- @param opts table:
--   posterior  mean-field, or pruned: it stays as it is
--   fraction   how much of the weights that may go, 0 to 1; those that are out already count
--   by         "snr" or "magnitude"; "snr"
--   only       what may lose weights: a list of paths or layers, or function(path, shape) ->
--              boolean; default what has two axes or more, so that biases stay
-- @return posterior of the family "pruned", which predicts and is kept in checkpoints: mu, logvar
--   and mask, 1 of the weights that are left
-- Raises for another family, a path that matches nothing, and a weight that is NaN.
function M.prune(opts)
  local what = "bnn.prune"
  opts = options.check(what, opts, spec)
  local q = opts.posterior
  if q.family ~= "meanfield" and q.family ~= "pruned" then
    fail("%s: posterior: expected a meanfield one, got %s", what, q.family)
  end
  param_options.check_only(what, opts.only, q:covered())
  local scores = scores_of(q, opts.by)
  if core.find_nan(scores:to "f64") then fail("%s: posterior: a weight is NaN", what) end
  local order = in_order(q, scores, opts.only)
  local list = (q.mask and q.mask.flat or core.ones(scores:numel())):totable()
  for k = 1, math.floor(opts.fraction * #order + 0.5) do list[order[k]] = 0 end
  return posterior.from_buffers("pruned", {
    mu = q.mu:clone(), logvar = q.logvar:clone(),
    mask = parameters.new(parameters.layout_of(q.logvar), core.tensor(list)),
  })
end

return M
