--- The methods: kind, name, how the posterior is fitted, and settings for images and for numbers.
--
-- A fit gets the task (net, train, likelihood, steps), the method's settings and a key, and returns
-- a posterior over the task's parameters, or a model of its own; what it returns second are options
-- of bnn.predict. All have the prior N(0, 1) on weights and biases, at temperature 1. Budgets are
-- the same but for those of several networks, which take so many times as much.
local bnn = require "bnn"

local M = {}

-- ---- what methods share ----

-- Adam as the point estimates have it: at a constant rate for images, by half a cosine for numbers.
local function adam(task, s)
  return bnn.optim.adam{lr = task.rate(s.lr)}
end

local function point(task, key, net)
  net = net or task.net
  return bnn.objective{
    net = net, params = net:init(key:fold "init", task.train), likelihood = task.likelihood,
    prior = 1, temperature = task.temperature,
  }
end

-- An ELBO over a posterior of the weights; a noise that is learned stays a point.
local function elbo(task, s, key, make, more)
  local posterior = make(task.net:init(key:fold "init", task.train), {
    logvar = s.logvar, only = task.random, rank = s.rank, key = s.rank and key:fold "factor",
  })
  local opts = {net = task.net, posterior = posterior, likelihood = task.likelihood,
                temperature = 1}
  for name, v in pairs(more or {}) do opts[name] = v end
  return bnn.elbo(opts)
end

local function train(task, objective, optimizer, key, more)
  local opts = {objective = objective, optimizer = optimizer, data = task.train,
                steps = task.steps, batch_size = task.batch_size, key = key:fold "train"}
  for name, v in pairs(more or {}) do opts[name] = v end
  return bnn.train(opts)
end

-- Weights of the second half of a sampler's steps.
local function second_half(task, s)
  local every = math.max(1, task.steps // (2 * s.draws))
  return bnn.collect.samples{from = task.steps // 2 + every, every = every, keep = s.draws}
end

-- ---- one network ----

local function fit_map(task, s, key)
  local objective = point(task, key)
  train(task, objective, adam(task, s), key)
  return bnn.posterior.point(objective.params)
end

-- The network's own dropout layers stay on when it predicts (Gal and Ghahramani 2016).
local function fit_dropout(task, s, key)
  local net = task.with_dropout(s.dropout)
  local objective = point(task, key, net)
  train(task, objective, adam(task, s), key)
  local posterior = bnn.posterior.mc_dropout(objective.params)
  return {net = net, posterior = posterior, likelihood = task.likelihood}, {num_samples = s.draws}
end

-- Half of the steps as MAP; then SGD at a constant rate, whose path is collected. A noise that was
-- learned is known in the second half, and scales the rate to that of a squared error.
local function explore(task, s, key, collect)
  local objective, first = point(task, key), task.steps // 2
  train(task, objective, adam(task, s), key, {steps = first})
  local known = task.at_known_noise(objective.params)
  local path = bnn.objective{net = known.net, params = known.params,
                             likelihood = known.likelihood, prior = 1}
  local optimizer = bnn.optim.sgd{lr = s.sgd_lr * known.variance, momentum = s.momentum}
  local state = train(task, path, optimizer, key:fold "explore",
    {steps = task.steps - first, collect = collect})
  return known.complete(state:posterior(), key:fold "complete", s.draws or 1)
end

local function fit_swa(task, s, key)
  return explore(task, s, key, bnn.collect.average{every = math.max(1, task.steps // 200)})
end

local function fit_swag(task, s, key)
  local collect = bnn.collect.swag{every = math.max(1, task.steps // 200), rank = s.rank}
  return explore(task, s, key, collect), {num_samples = s.draws}
end

-- ---- several networks ----

local function fit_ensemble(task, s, key)
  return bnn.ensemble{
    members = s.members, key = key, fit = function(own) return fit_map(task, s, own) end,
  }
end

-- One training whose rate falls to 0 and starts again; the weights at each end (Huang et al. 2017).
local function fit_snapshot(task, s, key)
  local period = math.max(1, task.steps // s.cycles)
  local rate = bnn.schedule.cyclical{period = period, from = s.lr}
  local collect = bnn.collect.snapshots{period = period, keep = s.cycles}
  local optimizer = bnn.optim.adam{lr = rate}
  return train(task, point(task, key), optimizer, key, {collect = collect}):posterior()
end

-- Networks from a Gaussian around each of several optima (Wilson and Izmailov 2020).
local function fit_multiswag(task, s, key)
  return bnn.ensemble{
    members = s.members, key = key, num_samples = s.draws // s.members,
    fit = function(own) return (fit_swag(task, s, own)) end,
  }
end

-- ---- variational ----

local function fit_variational(make, more)
  return function(task, s, key)
    local objective = elbo(task, s, key, make, more)
    train(task, objective, adam(task, s), key)
    return objective.posterior, {num_samples = s.draws}
  end
end

-- The posterior that starts where the Hessian is h0, as ivon's documentation says.
local function train_ivon(task, s, key)
  local start = {logvar = -math.log(task.train.size * s.h0 + 1)}
  local objective = elbo(task, start, key, bnn.posterior.meanfield)
  local optimizer = bnn.optim.ivon{
    lr = bnn.schedule.cosine{from = s.lr, steps = task.steps}, h0 = s.h0, b2 = s.b2, clip = s.clip,
  }
  train(task, objective, task.for_weights(optimizer), key)
  return objective.posterior
end

local function fit_ivon(task, s, key)
  return train_ivon(task, s, key), {num_samples = s.draws}
end

local function fit_ivon_mean(task, s, key)
  return bnn.posterior.point(train_ivon(task, s, key):mean())
end

-- ---- samplers ----

local function fit_sampler(make)
  return function(task, s, key)
    local optimizer = task.for_weights(make(task, s))
    local collect = {collect = second_half(task, s)}
    return train(task, point(task, key), optimizer, key, collect):posterior()
  end
end

local function sgld(_, s) return bnn.sampler.sgld{lr = s.lr} end

local function psgld(task, s) return bnn.sampler.psgld{lr = s.lr, burn_in = task.steps // 2} end

local function sghmc(_, s) return bnn.sampler.sghmc{lr = s.lr, alpha = s.alpha} end

local function adaptive_sghmc(task, s)
  return bnn.sampler.adaptive_sghmc{lr = s.lr, alpha = s.alpha, burn_in = task.steps // 2}
end

-- Cycles of the rate: without noise while it is large, then with it, and weights from there
-- (Zhang et al. 2020).
local function fit_cyclical(make)
  return function(task, s, key)
    local period = math.max(1, task.steps // s.cycles)
    local explores = math.floor(period * s.exploring)
    local every = math.max(1, (period - explores) * s.cycles // s.draws)
    local noise = bnn.schedule.piecewise{{1, 0}, {explores + 1, 1}}
    local optimizer = make{
      lr = bnn.schedule.cyclical{period = period, from = s.lr}, alpha = s.alpha,
      noise = bnn.schedule.cyclical{period = period, of = noise},
    }
    local collect = bnn.collect.samples{period = period, from = explores + every, every = every,
                                        keep = s.draws}
    return train(task, point(task, key), task.for_weights(optimizer, s.clip_norm), key,
      {collect = collect}):posterior()
  end
end

-- ---- all of them ----

local function both(settings, images, numbers)
  local function with(own)
    local all = {}
    for _, from in ipairs{settings, own} do
      for name, v in pairs(from) do all[name] = v end
    end
    return all
  end
  return with(images), numbers and with(numbers) or nil
end

local function add(kind, name, fit, settings, images, numbers)
  local row = {kind = kind, name = name, fit = fit}
  row.images, row.numbers = both(settings, images, numbers)
  M[#M + 1] = row
end

local IMAGES, NUMBERS = {lr = 1e-3}, {lr = 5e-3} -- Adam's

add("optima", "map", fit_map, {}, IMAGES, NUMBERS)
add("optima", "dropout", fit_dropout, {draws = 100}, {lr = 1e-3, dropout = 0.2},
  {lr = 5e-3, dropout = 0.05})
add("optima", "ensemble", fit_ensemble, {members = 5}, IMAGES, NUMBERS)
add("optima", "snapshot", fit_snapshot, {cycles = 5}, {lr = 5e-3}, {lr = 1e-2})

local SWA_IMAGES, SWA_NUMBERS = {lr = 1e-3, sgd_lr = 0.1}, {lr = 5e-3, sgd_lr = 0.002}
local SWAG = {momentum = 0.9, rank = 20, draws = 50}
local MULTISWAG = {momentum = 0.9, rank = 20, draws = 50, members = 5}

add("optima", "swa", fit_swa, {momentum = 0.9}, SWA_IMAGES, SWA_NUMBERS)
add("optima", "swag", fit_swag, SWAG, SWA_IMAGES, SWA_NUMBERS)
add("optima", "multiswag", fit_multiswag, MULTISWAG, SWA_IMAGES, SWA_NUMBERS)

local GAUSSIAN = {logvar = -7, draws = 100}
local IVON = {lr = 0.5, h0 = 0.1, b2 = 0.9995, clip = 0}
local IVON_NUMBERS = {lr = 0.3, h0 = 1, b2 = 0.999, clip = 0.03}

add("variational", "mfvi", fit_variational(bnn.posterior.meanfield), GAUSSIAN, IMAGES, NUMBERS)
add("variational", "lrt", fit_variational(bnn.posterior.meanfield,
  {estimator = "local_reparameterization"}), GAUSSIAN, IMAGES, NUMBERS)
add("variational", "flipout", fit_variational(bnn.posterior.meanfield, {estimator = "flipout"}),
  GAUSSIAN, IMAGES, NUMBERS)
add("variational", "lowrank", fit_variational(bnn.posterior.lowrank),
  {logvar = -7, draws = 100, rank = 5}, IMAGES, NUMBERS)
add("variational", "radial", fit_variational(bnn.posterior.radial), GAUSSIAN, IMAGES, NUMBERS)
add("variational", "ivon", fit_ivon, {draws = 100}, IVON, IVON_NUMBERS)
add("variational", "ivon_mean", fit_ivon_mean, {}, IVON, IVON_NUMBERS)

local CYCLES = {cycles = 4, exploring = 0.8, draws = 48}

add("samplers", "sgld", fit_sampler(sgld), {draws = 50}, {lr = 0.3}, {lr = 0.01})
add("samplers", "psgld", fit_sampler(psgld), {draws = 50}, {lr = 3e-3}, {lr = 1e-3})
add("samplers", "sghmc", fit_sampler(sghmc), {draws = 50}, {lr = 0.03, alpha = 0.05},
  {lr = 0.002, alpha = 0.05})
add("samplers", "adaptive_sghmc", fit_sampler(adaptive_sghmc), {draws = 50},
  {lr = 1e-4, alpha = 0.05}, {lr = 1e-4, alpha = 0.05})
add("samplers", "cyclical_sgld", fit_cyclical(bnn.sampler.sgld), CYCLES, {lr = 0.3},
  {lr = 0.05, clip_norm = 10})
add("samplers", "cyclical_sghmc", fit_cyclical(bnn.sampler.sghmc), CYCLES,
  {lr = 0.03, alpha = 0.05}, {lr = 0.002, alpha = 0.05, clip_norm = 10})

--- The method of a name, or nil.
function M.find(name)
  for _, row in ipairs(M) do
    if row.name == name then return row end
  end
end

--- All names, in the order of the table.
function M.names()
  local names = {}
  for i, row in ipairs(M) do names[i] = row.name end
  return names
end

return M
