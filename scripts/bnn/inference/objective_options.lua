--- What bnn.elbo and bnn.objective take, checked: the fields of an objective.
local classes = require "bnn.model.classes"
local estimators = require "bnn.inference.estimators"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local likelihoods = require "bnn.model.likelihood"
local options = require "bnn.base.options"
local param_options = require "bnn.params.param_options"
local posteriors = require "bnn.posterior.posterior_class"
local priors = require "bnn.model.priors"

local M = {}

-- Of both; what only one of them takes is below.
local function both(own)
  local spec = {
    posterior = "posterior",
    net = "any",
    likelihood = "any",
    beta = "schedule|table",
    temperature = "schedule|table",
    data_size = {type = "integer", min = 1},
    classes = "table", preprocess = "preprocess",
    kl = {type = "string", choices = {"sum", "leading"}, default = "sum"},
    prior = {type = "number|string|function|table", above = 0},
    num_samples = {type = "integer", min = 1, default = 1},
    antithetic = {type = "boolean", default = false},
    shards = {type = "integer", min = 1, default = 1},
    estimator = {type = "string", choices = estimators.NAMES, default = estimators.NAMES[1]},
    weight_decay = {type = "number|table", min = 0, default = 0},
    renamed = {samples = "num_samples"},
  }
  for name, kind in pairs(own) do spec[name] = kind end
  return spec
end

local ELBO = both{
  net = {type = "any", required = true},
  posterior = {type = "posterior", required = true},
  likelihood = {type = "any", default = "categorical"},
}

local OBJECTIVE = both{params = "params", loss = "function"}

-- Names of the tensors that the posterior covers, and of those that are points.
local function names_of(opts)
  if not opts.posterior then return {}, posteriors.of_model("params", opts):points() end
  return opts.posterior:covered(), opts.posterior:points()
end

-- Options by path must name tensors, and leave none out.
local function check_paths(what, opts)
  local random, points = names_of(opts)
  local with_prior = opts.posterior and random or points
  for _, option in ipairs{
    {"beta", with_prior}, {"temperature", with_prior}, {"weight_decay", points},
  } do
    local name, paths = table.unpack(option)
    local fault = opts[name] and param_options.fault(name, opts[name], paths)
    if fault then fail("%s: %s", what, fault) end
  end
  if opts.prior then priors.check(what, opts.prior, with_prior) end
end

-- A weight of the KL that is a number must be one of at least 0, by path too.
local function check_weights(what, opts)
  for _, name in ipairs{"beta", "temperature"} do
    local given = opts[name]
    local is_table = type(given) == "table" and not options.accept(given, "schedule")
    for _, value in pairs(is_table and given or {given}) do
      if type(value) == "number" and (value < 0 or value ~= value) then
        fail("%s: %s: expected at least 0, got %s", what, name, value)
      end
    end
  end
end

-- The KL of a posterior that is recorded, or that couples its tensors, is one number.
local function check_joint(what, opts)
  if not (opts.posterior and opts.posterior:is_joint()) then return end
  local is_by_path = type(opts.beta or opts.temperature) == "table"
    and not options.accept(opts.beta or opts.temperature, "schedule")
  if is_by_path or opts.kl == "leading" then
    fail("%s: %s: expected one weight and the sum of a %s posterior, whose KL is one number", what,
      is_by_path and (opts.beta and "beta" or "temperature") or "kl", opts.posterior.family)
  end
end

-- Pairs of weights on opposite sides of the mean need two of them, of a family that mirrors them.
local function check_antithetic(what, opts)
  if not opts.antithetic then return end
  if opts.num_samples % 2 ~= 0 then
    fail("%s: antithetic: expected an even num_samples, as samples come in pairs, got %d", what,
      opts.num_samples)
  elseif not opts.posterior or opts.posterior:support() then
    fail("%s: antithetic: expected a posterior whose weights are drawn, got %s", what,
      opts.posterior and opts.posterior.family or "params")
  elseif opts.posterior.defined then
    fail("%s: antithetic: expected a family of the program, got %s, whose sample function draws "
      .. "its own noise", what, opts.posterior.family)
  end
end

-- The fields of an objective, in place; the likelihood by its name becomes its value.
local function complete(what, opts)
  if opts.beta and opts.temperature then
    fail("%s: expected beta= or temperature=, got both", what)
  end
  if opts.likelihood then
    expect_model.net(what .. ": net", opts.net)
    opts.likelihood = likelihoods.resolve(opts.likelihood)
  end
  if opts.classes then classes.check_given(what, opts.classes) end
  if opts.params then expect_model.buffer(what .. ": params", opts.params) end
  if opts.posterior and not opts.posterior.core:is_trainable() then
    fail("%s: posterior: expected one that can be trained, got %s, which predicts", what,
      opts.posterior.family)
  end
  if opts.posterior then opts.prior = opts.prior or 1 end
  if opts.prior and not opts.beta then opts.temperature = opts.temperature or 1 end
  estimators.check(what, opts.estimator, opts.posterior)
  check_paths(what, opts)
  check_weights(what, opts)
  check_joint(what, opts)
  check_antithetic(what, opts)
  opts.what = what
  return opts
end

--- The fields of an ELBO, or raises.
function M.elbo(given)
  local opts = complete("bnn.elbo", options.check("bnn.elbo", given, ELBO))
  opts.is_elbo = true
  return opts
end

--- The fields of any other objective, or raises.
function M.objective(given)
  local opts = options.check("bnn.objective", given, OBJECTIVE)
  if (opts.params == nil) == (opts.posterior == nil) then
    fail("bnn.objective: expected params= or posterior=, got %s",
      opts.params and "both" or "neither")
  elseif opts.loss and opts.likelihood then
    fail "bnn.objective: expected loss=, or net= and likelihood=, got both"
  elseif not opts.loss and not opts.likelihood then
    fail "bnn.objective: expected loss=, or net= and likelihood=, got neither"
  end
  return complete("bnn.objective", opts)
end

--- The options of an objective as it is now, of which bnn.elbo or bnn.objective makes another.
function M.given(objective)
  local given = {}
  for name in pairs(objective.is_elbo and ELBO or OBJECTIVE) do given[name] = objective[name] end
  return given
end

return M
