--- Posteriors over the parameters of a network.
local core = require "bnn.core"
local expect_model = require "bnn.params.expect_model"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local param_options = require "bnn.params.param_options"
local param_samples = require "bnn.params.param_samples"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"
local pytree = require "bnn.params.pytree"

local M = {}

local Posterior = {__name = "bnn.posterior"}
Posterior.__index = Posterior

-- The initial log-variance of one tensor.
local function initial_logvar(logvar, path, shape)
  local value
  if options.accept(logvar, "function") then
    value = logvar(path, shape)
  else
    value = param_options.value(logvar, path)
  end
  if pytree.leaf_kind(value) == "tensor" then return value end
  if type(value) ~= "number" or value ~= value or math.abs(value) > 80 then
    local fault = "logvar of '%s' is %s, a number within -80..80 is wanted"
    error(fault:format(path, number.text(value)), 0)
  end
  return core.full(shape, value)
end

-- Whether the posterior covers a tensor.
local function is_covered(only, path, shape)
  if only == nil then return true end
  if type(only) ~= "table" then return only(path, shape) end
  for _, name in ipairs(only) do
    if param_options.covers(name, path) then return true end
  end
  return false
end

-- The layout with what the posterior covers in front, and how many tensors that are.
local function split_layout(params, only)
  local entries, rest = {}, {}
  for _, entry in ipairs(parameters.layout_of(params)) do
    local list = is_covered(only, entry.name, entry.shape) and entries or rest
    list[#list + 1] = {name = entry.name, shape = entry.shape}
  end
  local n = #entries
  table.move(rest, 1, #rest, n + 1, entries)
  return parameters.layout(entries), n
end

local function check_only(only, names)
  for _, name in ipairs(type(only) == "table" and only or {}) do
    local fault = param_options.fault("only", {[name] = true, default = true}, names)
    if fault then error("bnn.posterior.meanfield: " .. fault, 3) end
  end
end

--- The mean-field Gaussian q(w) = prod N(mu_i, exp(logvar_i)) around initial parameters
-- (Blundell et al. 2015). q.mu and q.logvar are Params; training steps change them in place.
-- @param params Params: the initial mean, copied
-- @param opts table:
--   logvar=-7, one number, a table by path, or a function(path, shape) that gives a number or a
--     tensor of that shape
--   only= the tensors that it covers, a list of paths or of the layers they lie in, or a
--     function(path, shape) -> boolean: {"mlp/linear_2"} is a Bayesian last layer. The others are
--     points: in q.mu, behind those that are covered, and not in q.logvar
function M.meanfield(params, opts)
  opts = options.check("bnn.posterior.meanfield", opts, {
    logvar = {type = "number|table|function", default = -7},
    only = "table|function",
  })
  if not parameters.is(params) then
    expect_model.params("bnn.posterior.meanfield: params", params)
  end
  check_only(opts.only, params:names())
  local layout, n = split_layout(params, opts.only)
  if n == 0 then error("bnn.posterior.meanfield: only= covers no parameter", 2) end
  local covered, names, values = table.move(layout, 1, n, 1, {}), {}, {}
  for i, entry in ipairs(covered) do names[i] = entry.name end
  local fault = param_options.fault("logvar", opts.logvar, names)
  if fault then error(fault, 2) end
  for i, entry in ipairs(covered) do
    values[names[i]] = initial_logvar(opts.logvar, entry.name, entry.shape)
  end
  local mu, logvar = parameters.pack(layout, params), parameters.pack(covered, values)
  return setmetatable({mu = mu, logvar = logvar}, Posterior)
end

--- The mean-field posterior around trained weights: sigma = fraction |w| (MOPED; Krishnan et al.
-- 2020), so that a plain network becomes a Bayesian one in a line:
--     local q = bnn.posterior.moped(assert(bnn.checkpoint.open "mlp.safetensors").params)
-- @param params Params: the mean, copied
-- @param opts table: fraction=0.1; least=-20, the log-variance of weights near 0; only=, as for
--   meanfield
function M.moped(params, opts)
  opts = options.check("bnn.posterior.moped", opts, {
    fraction = {type = "number", above = 0, default = 0.1},
    least = {type = "number", min = -80, max = 80, default = -20},
    only = "table|function",
  })
  expect_model.params("bnn.posterior.moped: params", params)
  local function logvar(path)
    local size = params[path]:abs() * opts.fraction
    return (size:maximum(math.exp(opts.least / 2)):log() * 2)
  end
  return M.meanfield(params, {logvar = logvar, only = opts.only})
end

--- The mean-field posterior of these parts, which it takes over. A checkpoint is read with it.
-- @param mu Params
-- @param logvar Params: the first names of mu, of the same shapes; those behind are points
function M.of(mu, logvar)
  expect_model.buffer("bnn.posterior.of: mu", mu)
  expect_model.buffer("bnn.posterior.of: logvar", logvar)
  if #logvar == 0 then error("bnn.posterior.of: logvar covers no parameter", 2) end
  local names = mu:names()
  for i, name in ipairs(logvar:names()) do
    if mu[name] and names[i] ~= name then
      error(strings.message("bnn.posterior.of: tensor %d of logvar is '%s', that of mu '%s'", i,
        name,
        names[i]), 2)
    end
  end
  for name, tensor in pairs(logvar) do
    local own = mu[name]
    if not own or not shapes.equal(own, tensor) then
      error(strings.message("bnn.posterior.of: logvar '%s' is %s, mu %s", name,
        shapes.text(tensor), own and shapes.text(own) or "has none"), 2)
    end
  end
  return setmetatable({mu = mu, logvar = logvar}, Posterior)
end

-- What grad and compile see of a posterior that is an argument.
function Posterior:__parts() return {mu = self.mu, logvar = self.logvar} end

--- Parameters drawn from the posterior: mu + exp(logvar / 2) eps, a function of the key; points are
-- mu.
function Posterior:sample(key)
  if pytree.leaf_kind(key) ~= "key" then error("sample: a key is wanted, got " .. type(key), 2) end
  local layout = parameters.layout_of(self.mu)
  return parameters.new(layout, core.sample(self.mu.flat, self.logvar.flat, key))
end

--- Many draws at once, for bnn.vmap: sample s has the bits of q:sample(key:fold(s)).
-- @param key key
-- @param count integer: how many, at least 1
-- @return Samples: [count, size] in one tensor; see help "bnn.samples"
function Posterior:samples(key, count)
  if pytree.leaf_kind(key) ~= "key" then error("samples: a key is wanted, got " .. type(key), 2) end
  if math.type(count) ~= "integer" or count < 1 then
    error(strings.message("samples: %s samples, an integer of at least 1 is wanted",
      number.text(count)), 2)
  end
  local draws = {}
  for s = 1, count do draws[s] = self:sample(key:fold(s)) end
  return param_samples.stack(draws)
end

--- The mean as parameters; a copy.
function Posterior:mean() return self.mu:clone() end

--- A copy that later steps do not change.
function Posterior:clone()
  return setmetatable({mu = self.mu:clone(), logvar = self.logvar:clone()}, Posterior)
end

--- Elements of an optimizer's state for it.
function Posterior:state_size() return self.mu:numel() + self.logvar:numel() end

local kl_spec = {
  prior = {type = "number|function|table", above = 0, default = 1},
  kl = {type = "string", choices = {"sum", "leading"}, default = "sum"},
  key = "key",
  samples = {type = "integer", min = 1, default = 1},
}

-- KL of each tensor from Gaussian priors with these deviations.
local function gaussian_kl(self, stds)
  local sizes = parameters.sizes(parameters.layout_of(self.logvar))
  local mu = self.mu.flat:narrow(1, 1, self.logvar:numel())
  return core.kl(mu, self.logvar.flat, {sizes = sizes, prior = stds})
end

-- Adds the mean of -log prior(w) over samples, for tensors whose prior is a density.
local function add_cross_entropies(self, values, priors, opts)
  if not opts.key then
    error("kl: a prior that is a density needs key=, to draw weights for its estimate", 4)
  end
  for s = 1, opts.samples do
    local w = self:sample(opts.key:fold(s))
    for i, name in ipairs(self.logvar:names()) do
      if type(priors[i]) ~= "number" then
        local value = priors[i](w[name], name)
        if pytree.leaf_kind(value) ~= "tensor" then
          local fault = "prior of '%s' gives a %s, wanted its log density, a tensor"
          error(fault:format(name, type(value)), 0)
        end
        values[i] = values[i] - value:sum():item() / opts.samples
      end
    end
  end
end

-- sum of log sigma + log(2 pi e) / 2.
local function entropy(logvar)
  return (logvar:sum():item() + logvar:numel() * (1 + math.log(2 * math.pi))) / 2
end

--- What each tensor adds to the KL.
-- @param opts table: prior=1, the prior's standard deviation, or function(w, path) -> its log
--   density, or a table of these by path; kl="sum" or "leading"; key=, samples=1 for the estimate
--   of the KL from a density (its entropy part is exact)
-- @return list of {name=, shape=, kl= (its sum over weights, nats), weight= (1, or 1/first dim)}
function Posterior:kl_terms(opts)
  opts = options.check("kl_terms", opts, kl_spec)
  local layout, stds, priors = parameters.layout_of(self.logvar), {}, {}
  local fault = param_options.fault("prior", opts.prior, self.logvar:names())
  if fault then error("kl_terms: " .. fault, 2) end
  local has_density = false
  for i, entry in ipairs(layout) do
    priors[i] = param_options.value(opts.prior, entry.name)
    local is_gaussian = type(priors[i]) == "number"
    stds[i], has_density = is_gaussian and priors[i] or 1, has_density or not is_gaussian
  end
  local values = gaussian_kl(self, stds)
  for i, entry in ipairs(layout) do
    if type(priors[i]) ~= "number" then values[i] = -entropy(self.logvar[entry.name]) end
  end
  if has_density then add_cross_entropies(self, values, priors, opts) end
  local terms = {}
  for i, entry in ipairs(layout) do
    local weight = opts.kl == "leading" and 1 / math.max(entry.shape[1] or 1, 1) or 1
    terms[i] = {name = entry.name, shape = entry.shape, kl = values[i], weight = weight}
  end
  return terms
end

--- KL(q || prior) in nats, of the tensors that q covers; kl="leading" divides each tensor's by its
-- first dimension, as the article does (no KL divergence, then).
-- @param opts table: prior=1, kl="sum", key=, samples=1: as for kl_terms
function Posterior:kl(opts)
  opts = options.check("kl", opts, kl_spec)
  local sum = 0
  for _, term in ipairs(self:kl_terms(opts)) do sum = sum + term.kl * term.weight end
  return sum
end

expect_model.check_methods(Posterior, "posterior", expect_model.has "logvar")

function Posterior.__tostring(self)
  local text = ("mean-field posterior over %d parameters in %d tensors"):format(
    self.logvar:numel(), #self.logvar)
  local points = self.mu:numel() - self.logvar:numel()
  return points > 0 and ("%s, and %d that are points"):format(text, points) or text
end

return M
