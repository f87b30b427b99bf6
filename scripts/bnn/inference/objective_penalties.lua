--- What an objective adds to the mean loss, and its weights:
--
--     sum over tensors t of beta_t w_t KL_t(q || prior) + decay_t / 2 * sum of squares
--
-- with w_t = 1, or 1 / first dimension for kl = "leading". Of priors by name C knows the KL in
-- closed form, or the gradient of their -log density; that of a density in Lua over ops goes into
-- the program. With params in place of a posterior, -log prior(w) stands in place of the KL.
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local param_options = require "bnn.params.param_options"
local parameters = require "bnn.params.params"
local posteriors = require "bnn.posterior.posterior_class"
local priors = require "bnn.model.priors"
local schedule = require "bnn.inference.schedule"

local M = {}

local function posterior_of(objective)
  return posteriors.of_model(objective.what, objective)
end

-- Names of the tensors that the prior is about: the posterior's, or all of a MAP estimate's.
local function prior_names(objective)
  if not objective.prior then return {} end
  return posterior_of(objective):covered()
end

-- name -> place among all tensors.
local function places_of(objective)
  local places = {}
  for i, name in ipairs(posterior_of(objective):names()) do places[name] = i end
  return places
end

-- ---- in a step ----

-- Of a posterior that is recorded: the first tensor's weight is that of its KL, which is in the
-- program.
local function one_weight(objective)
  local kl, none = {}, {}
  for i in ipairs(posterior_of(objective):program_layout()) do kl[i], none[i] = 0, 0 end
  kl[1] = objective.prior and 1 or 0
  return {kl = kl, precision = none, decay = none}
end

--- The lists by tensor that say how C weighs penalties: kl, w_t; precision, 1 / s^2 of a prior
-- N(0, s^2), else 0; priors, the others that C knows; decay.
function M.by_tensor(objective)
  local kl, precision, decay, others, has_prior = {}, {}, {}, {}, {}
  for _, name in ipairs(prior_names(objective)) do has_prior[name] = true end
  if posterior_of(objective).defined then return one_weight(objective) end
  local posterior, is_point = posterior_of(objective), {}
  for _, name in ipairs(posterior:points()) do is_point[name] = true end
  local names = prior_names(objective) -- the first of the layout
  for i, entry in ipairs(posterior:layout()) do
    local prior = has_prior[entry.name] and priors.at(objective.prior, entry.name)
    local first = objective.kl == "leading" and math.max(entry.shape[1] or 1, 1)
    kl[i] = not prior and 0 or first and 1 / first or 1
    precision[i], others[i] = 0, false
    if prior then precision[i], others[i] = priors.in_step(prior) end
    if prior and priors.joins(objective.prior, names, i) then others[i] = "joined" end
    decay[i] = is_point[entry.name] and param_options.value(objective.weight_decay, entry.name) or 0
  end
  return {kl = kl, precision = precision, decay = decay, priors = others}
end

--- What the program itself adds to the loss: for tensors whose prior is a function, a list of
-- {name=, place= among all tensors, prior=}; for a posterior that is recorded, its KL as {place =
-- 1}.
function M.recorded_terms(objective)
  if objective.prior and posterior_of(objective).defined then return {{place = 1}} end
  local places, terms = places_of(objective), {}
  for _, name in ipairs(prior_names(objective)) do
    local prior = priors.at(objective.prior, name)
    if prior.density then
      terms[#terms + 1] = {name = name, place = places[name], prior = prior}
    end
  end
  return terms
end

--- sum over these of weights[i] * -log prior_i(w_i), or weights[1] * KL, over ops.
-- @param terms list as recorded_terms gives it
-- @param weights tensor [#terms]
-- @param phi Params by buffer, of a posterior that is recorded
function M.weigh_terms(objective, terms, params, weights, phi)
  local list = {}
  if phi then
    return (posterior_of(objective):recorded_kl(phi, params, objective.prior) * weights):sum()
  end
  for i, term in ipairs(terms) do
    local value = priors.recorded_log_prob(term.prior, params[term.name], term.name)
    list[i] = value:sum():reshape(1)
  end
  return -((parameters.concat(list, 1) * weights):sum())
end

-- beta of one tensor at a step, from a number or function given for it.
local function beta_value(objective, given, step)
  local name = objective.beta and "beta" or "temperature"
  if not objective.beta and not objective.data_size then
    fail("%s: expected data_size=, the number of training examples, beside a temperature",
      objective.what)
  end
  local value = schedule.value(given, step, objective.what .. ": " .. name)
  if value < 0 then
    fail("%s: %s: expected at least 0 from its function at step %d, got %g", objective.what, name,
      step, value)
  end
  return objective.beta and value or value / objective.data_size
end

--- The weight of the KL at a step: a number; if it was given by path, a list by tensor. 0 without
-- a prior.
function M.beta_at(objective, step)
  local given = objective.beta or objective.temperature
  if given == nil then return 0 end
  if type(given) == "number" or options.accept(given, "schedule") then
    return beta_value(objective, given, step)
  end
  local betas, has_prior = {}, {}
  for _, name in ipairs(prior_names(objective)) do has_prior[name] = true end
  for i, name in ipairs(posterior_of(objective):names()) do
    local own = has_prior[name] and param_options.value(given, name)
    betas[i] = own and beta_value(objective, own, step) or 0
  end
  return betas
end

-- ---- as numbers ----

--- The KL of each tensor: list of {name=, kl= (nats; of params -log prior), weight= w_t}.
-- @param key key: for priors that are densities, whose part is an estimate
function M.terms(objective, key)
  if not objective.prior then return {} end
  return posterior_of(objective):kl_terms{prior = objective.prior, kl = objective.kl, key = key}
end

--- sum over tensors of w_t KL_t.
function M.kl(terms)
  local sum = 0
  for _, term in ipairs(terms) do sum = sum + term.kl * term.weight end
  return sum
end

--- sum over tensors of beta_t w_t KL_t.
-- @param beta number, or list by tensor
function M.weighted_kl(objective, terms, beta)
  if type(beta) == "number" then return beta * M.kl(terms) end
  local places, sum = places_of(objective), 0
  for _, term in ipairs(terms) do
    sum = sum + beta[places[term.name]] * term.kl * term.weight
  end
  return sum
end

--- decay / 2 * sum of squares over the points.
function M.decay(objective)
  local decay = M.by_tensor(objective).decay
  local posterior, sum = posterior_of(objective), 0
  local mean = posterior:mean()
  for i, name in ipairs(posterior:names()) do
    if decay[i] > 0 then sum = sum + decay[i] / 2 * (mean[name] ^ 2):sum():item() end
  end
  return sum
end

return M
