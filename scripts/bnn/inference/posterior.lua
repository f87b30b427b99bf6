--- Posteriors over the parameters of a network.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local param_options = require "bnn.params.param_options"
local param_samples = require "bnn.params.param_samples"
local pytree = require "bnn.params.pytree"
local renamed = require "bnn.base.renamed"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

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
  if type(value) == "number" and math.abs(value) <= 80 then return core.full(shape, value) end
  fail("bnn.posterior.meanfield: logvar of '%s': expected a number within -80..80, got %s", path,
    kinds.show(value))
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
    if fault then fail("bnn.posterior.meanfield: %s", fault) end
  end
end

--- Makes the mean-field Gaussian q(w) = prod N(mu_i, exp(logvar_i)) around initial parameters
-- (Blundell et al. 2015). q.mu and q.logvar are Params; training steps change them in place.
-- @param params Params: the initial mean, copied
-- @param opts table:
--   logvar  initial log-variance, -7: a number, a table by path, or function(path, shape) -> number
--           or tensor of that shape
--   only    the random tensors: a list of paths or layers, or function(path, shape) -> boolean;
--           default all. {"mlp/linear_2"} is a Bayesian last layer. The rest are point estimates,
--           last in q.mu and not in q.logvar
-- @return posterior
-- Raises if a path matches no tensor or logvar is outside [-80, 80].
function M.meanfield(params, opts)
  opts = options.check("bnn.posterior.meanfield", opts, {
    logvar = {type = "number|table|function", default = -7},
    only = "table|function",
  })
  expect_model.params("bnn.posterior.meanfield: params", params)
  check_only(opts.only, params:names())
  local layout, n = split_layout(params, opts.only)
  if n == 0 then fail "bnn.posterior.meanfield: expected only= to cover a parameter, got none" end
  local covered, names, values = table.move(layout, 1, n, 1, {}), {}, {}
  for i, entry in ipairs(covered) do names[i] = entry.name end
  local fault = param_options.fault("logvar", opts.logvar, names)
  if fault then fail("bnn.posterior.meanfield: %s", fault) end
  for i, entry in ipairs(covered) do
    values[names[i]] = initial_logvar(opts.logvar, entry.name, entry.shape)
  end
  local mu, logvar = parameters.pack(layout, params), parameters.pack(covered, values)
  return setmetatable({mu = mu, logvar = logvar}, Posterior)
end

--- Makes the mean-field posterior around trained weights: sigma = fraction |w| (MOPED; Krishnan et
-- al. 2020), so that a plain network becomes a Bayesian one in a line:
--     local q = bnn.posterior.moped(assert(bnn.checkpoint.open "mlp.safetensors").params)
-- @param params Params: the mean, copied
-- @param opts table:
--   fraction    sigma beside |w|, 0.1
--   min_logvar  log-variance of weights near 0, -20
--   only        as for meanfield
-- @return posterior
-- Raises if a path matches no tensor.
function M.moped(params, opts)
  opts = options.check("bnn.posterior.moped", opts, {
    fraction = {type = "number", above = 0, default = 0.1},
    min_logvar = {type = "number", min = -80, max = 80, default = -20},
    only = "table|function",
    renamed = {least = "min_logvar"},
  })
  expect_model.params("bnn.posterior.moped: params", params)
  local function logvar(path)
    local size = params[path]:abs() * opts.fraction
    return (size:maximum(math.exp(opts.min_logvar / 2)):log() * 2)
  end
  return M.meanfield(params, {logvar = logvar, only = opts.only})
end

--- Makes a mean-field posterior of these parts, which it takes over. Checkpoints are read with it.
-- @param mu Params: the mean
-- @param logvar Params: log-variances of the first tensors of mu; the rest are points
-- @return posterior
-- Raises if a name or shape of logvar is not that of mu.
function M.from_params(mu, logvar)
  expect_model.buffer("bnn.posterior.from_params: mu", mu)
  expect_model.buffer("bnn.posterior.from_params: logvar", logvar)
  if #logvar == 0 then fail "bnn.posterior.from_params: expected a tensor in logvar, got none" end
  local names = mu:names()
  for i, name in ipairs(logvar:names()) do
    if not mu[name] then
      fail("bnn.posterior.from_params: expected tensors of mu in logvar, got '%s'", name)
    elseif names[i] ~= name then
      fail("bnn.posterior.from_params: expected '%s', as in mu, for tensor %d of logvar, got '%s'",
        names[i], i, name)
    elseif not shapes.equal(mu[name], logvar[name]) then
      fail("bnn.posterior.from_params: expected logvar '%s' %s, as in mu, got %s", name,
        shapes.text(mu[name]), shapes.text(logvar[name]))
    end
  end
  return setmetatable({mu = mu, logvar = logvar}, Posterior)
end

-- What grad and compile see of a posterior that is an argument.
function Posterior:__parts() return {mu = self.mu, logvar = self.logvar} end

--- Draws parameters from the posterior: mu + exp(logvar / 2) eps, a function of the key. Points are
-- mu.
-- @return Params
function Posterior:sample(key)
  expect.key("posterior:sample: key", key)
  local layout = parameters.layout_of(self.mu)
  return parameters.new(layout, core.sample(self.mu.flat, self.logvar.flat, key))
end

--- Draws many times at once, for bnn.vmap: sample s has the bits of q:sample(key:fold(s)).
-- @param key key
-- @param count integer: how many, at least 1
-- @return Samples: [count, size] in one tensor; see help "bnn.samples"
function Posterior:samples(key, count)
  expect.key("posterior:samples: key", key)
  if math.type(count) ~= "integer" or count < 1 then
    fail("posterior:samples: count: expected an integer of at least 1, got %s", kinds.show(count))
  end
  local draws = {}
  for s = 1, count do draws[s] = self:sample(key:fold(s)) end
  return param_samples.stack(draws)
end

--- Copies the mean.
-- @return Params
function Posterior:mean() return self.mu:clone() end

--- Copies the posterior, so that later steps do not change it.
function Posterior:clone()
  return setmetatable({mu = self.mu:clone(), logvar = self.logvar:clone()}, Posterior)
end

--- Elements of an optimizer's state for it.
function Posterior:state_size() return self.mu:numel() + self.logvar:numel() end

local kl_spec = {
  prior = {type = "number|function|table", above = 0, default = 1},
  kl = {type = "string", choices = {"sum", "leading"}, default = "sum"},
  key = "key",
  num_samples = {type = "integer", min = 1, default = 1},
  renamed = {samples = "num_samples"},
}

-- KL of each tensor from Gaussian priors with these deviations.
local function gaussian_kl(self, stds)
  local sizes = parameters.sizes(parameters.layout_of(self.logvar))
  local mu = self.mu.flat:narrow(1, 1, self.logvar:numel())
  return core.kl(mu, self.logvar.flat, {sizes = sizes, prior = stds})
end

-- Adds the mean of -log prior(w) over samples, for tensors whose prior is a density.
local function add_cross_entropies(self, what, values, priors, opts)
  if not opts.key then
    fail("%s: key: expected a key, to draw weights for a prior that is a density, got nothing",
      what)
  end
  for s = 1, opts.num_samples do
    local w = self:sample(opts.key:fold(s))
    for i, name in ipairs(self.logvar:names()) do
      if type(priors[i]) ~= "number" then
        local value = priors[i](w[name], name)
        expect.tensor(strings.message("prior of '%s'", name), value, "its log density, a tensor")
        values[i] = values[i] - value:sum():item() / opts.num_samples
      end
    end
  end
end

-- sum of log sigma + log(2 pi e) / 2.
local function entropy(logvar)
  return (logvar:sum():item() + logvar:numel() * (1 + math.log(2 * math.pi))) / 2
end

local function kl_terms(self, what, opts)
  opts = options.check(what, opts, kl_spec)
  local layout, stds, priors = parameters.layout_of(self.logvar), {}, {}
  local fault = param_options.fault("prior", opts.prior, self.logvar:names())
  if fault then fail("%s: %s", what, fault) end
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
  if has_density then add_cross_entropies(self, what, values, priors, opts) end
  local terms = {}
  for i, entry in ipairs(layout) do
    local weight = opts.kl == "leading" and 1 / math.max(entry.shape[1] or 1, 1) or 1
    terms[i] = {name = entry.name, shape = entry.shape, kl = values[i], weight = weight}
  end
  return terms
end

--- Says what each tensor adds to the KL.
-- @param opts table:
--   prior       the prior's standard deviation, 1; or function(w, path) -> its log density; or a
--               table of these by path
--   kl          "sum" (default) or "leading"
--   key, num_samples of the estimate of the KL from a density, 1 (its entropy part is exact)
-- @return list of {name=, shape=, kl= (its sum over weights, nats), weight= (1, or 1/first dim)}
function Posterior:kl_terms(opts) return kl_terms(self, "posterior:kl_terms", opts) end

--- Computes KL(q || prior) in nats, of the tensors that q covers; kl="leading" divides each
-- tensor's by its first dimension, as the article does (no KL divergence, then).
-- @param opts table: prior=1, kl="sum", key=, num_samples=1: as for kl_terms
-- @return number
function Posterior:kl(opts)
  local sum = 0
  for _, term in ipairs(kl_terms(self, "posterior:kl", opts)) do
    sum = sum + term.kl * term.weight
  end
  return sum
end

expect_model.check_methods(Posterior, "posterior", expect_model.has "logvar")

function Posterior.__tostring(self)
  local text = ("mean-field posterior over %d parameters in %d tensors"):format(
    self.logvar:numel(), #self.logvar)
  local points = self.mu:numel() - self.logvar:numel()
  return points > 0 and ("%s, and %d that are points"):format(text, points) or text
end

renamed.functions(M, "bnn.posterior", {of = "from_params"})

return M
