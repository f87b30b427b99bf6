--- Posteriors over the parameters of a network.
local core = require "bnn.core"
local options = require "bnn.options"
local parameters = require "bnn.params"
local tree = require "bnn.tree"

local M = {}

local MeanField = {__name = "bnn.posterior"}
MeanField.__index = MeanField

-- The initial log-variance of every parameter: a number, a table by path, or a function of path and
-- shape.
local function initial_logvar(params, logvar)
  return params:map(function(tensor, path)
    local value = logvar
    if type(logvar) == "table" then value = logvar[path] end
    if type(logvar) == "function" then value = logvar(path, tensor:shape()) end
    if type(value) ~= "number" or value ~= value or math.abs(value) > 80 then
      local fault = "logvar of '%s' is %s, a number within -80..80 is wanted"
      error(fault:format(path, tostring(value)), 0)
    end
    return core.full(tensor:shape(), value)
  end)
end

--- The mean-field Gaussian q(w) = prod N(mu_i, exp(logvar_i)) around initial parameters
-- (Blundell et al. 2015). q.mu and q.logvar are Params; training steps change them in place.
-- @param params Params: the initial mean, copied
-- @param opts table: logvar=-7, one number, a table path -> number, or a function(path, shape)
function M.meanfield(params, opts)
  opts = options.check("bnn.posterior.meanfield", opts, {
    logvar = {type = "number|table|function", default = -7},
  })
  if not parameters.is(params) then
    error("bnn.posterior.meanfield: params are wanted, as net:init gives them", 2)
  end
  if type(opts.logvar) == "table" then
    for path in pairs(opts.logvar) do
      if params[path] == nil then
        error(("logvar names '%s', which the parameters lack"):format(path), 2)
      end
    end
  end
  local logvar = initial_logvar(params, opts.logvar)
  return setmetatable({mu = params:clone(), logvar = logvar}, MeanField)
end

--- The mean-field posterior of these parts, which it takes over; logvar lacks the names whose
-- weights are certain. A checkpoint is read with it.
-- @param mu Params
-- @param logvar Params: for names of mu, of the same shapes
function M.of(mu, logvar)
  for name, tensor in pairs(logvar) do
    local own = mu[name]
    local got, wanted = table.concat(tensor:shape(), ", "), own and table.concat(own:shape(), ", ")
    if got ~= wanted then
      error(("bnn.posterior.of: logvar '%s' is [%s], mu %s"):format(name, got,
        wanted and "[" .. wanted .. "]" or "has none"), 2)
    end
  end
  return setmetatable({mu = mu, logvar = logvar}, MeanField)
end

-- What grad and compile see of a posterior that is an argument.
function MeanField:__parts() return {mu = self.mu, logvar = self.logvar} end

--- Parameters drawn from the posterior: mu + exp(logvar / 2) eps, a function of the key.
function MeanField:sample(key)
  if tree.leaf_kind(key) ~= "key" then error("sample: a key is wanted, got " .. type(key), 2) end
  local layout = parameters.layout_of(self.mu)
  return parameters.new(layout, core.sample(self.mu.flat, self.logvar.flat, key))
end

--- The mean as parameters; a copy.
function MeanField:mean() return self.mu:clone() end

--- A copy that later steps do not change.
function MeanField:clone()
  return setmetatable({mu = self.mu:clone(), logvar = self.logvar:clone()}, MeanField)
end

function MeanField:state_size() return 2 * self.mu:numel() end

local kl_spec = {
  prior = {type = "number", above = 0, default = 1},
  kl = {type = "string", choices = {"sum", "leading"}, default = "sum"},
}

--- What each tensor adds to the KL.
-- @param opts table: prior=1, the prior's standard deviation; kl="sum" or "leading"
-- @return list of {name=, shape=, kl= (its sum over weights, nats), weight= (1, or 1/first dim)}
function MeanField:kl_terms(opts)
  opts = options.check("kl_terms", opts, kl_spec)
  local layout = parameters.layout_of(self.mu)
  local sizes, dim0 = parameters.sizes(layout)
  local values = core.kl(self.mu.flat, self.logvar.flat, sizes, dim0, opts.prior)
  local terms = {}
  for i, entry in ipairs(layout) do
    local weight = opts.kl == "leading" and 1 / math.max(dim0[i], 1) or 1
    terms[i] = {name = entry.name, shape = entry.shape, kl = values[i], weight = weight}
  end
  return terms
end

--- KL(q || N(0, prior^2)) in nats; kl="leading" divides each tensor's by its first dimension, as
-- the article does (no KL divergence, then).
-- @param opts table: prior=1, kl="sum"
function MeanField:kl(opts)
  opts = options.check("kl", opts, kl_spec)
  local sum = 0
  for _, term in ipairs(self:kl_terms(opts)) do sum = sum + term.kl * term.weight end
  return sum
end

function MeanField.__tostring(self)
  return ("mean-field posterior over %d parameters in %d tensors"):format(self.mu:numel(), #self.mu)
end

return M
