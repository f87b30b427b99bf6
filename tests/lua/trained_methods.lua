--- For tests: a training by a method of each kind, of one small network on one small data set.
local bnn = require "bnn"

local key = bnn.key(31)
local x = bnn.randn(key:fold "x", 400, 60)
local y = (x:narrow(2, 1, 3)):argmax(2):to("i32") - bnn.ones(400):to("i32")
local data = bnn.data.from_tensors{x = x, y = y}
local PERIOD = 8

local net = bnn.nn.mlp{70, 3}
local thinned = bnn.nn.sequential{bnn.nn.linear(70), bnn.nn.relu(), bnn.nn.dropout(0.2),
                                  bnn.nn.linear(3)}

-- An objective by the exact ELBO of a posterior, or for params a MAP estimate.
local function elbo(make, of)
  of = of or {}
  return function(own)
    return bnn.elbo{net = of.net or net, posterior = make((of.net or net):init(own, x)),
                    likelihood = "categorical", temperature = 1, estimator = of.estimator,
                    antithetic = of.antithetic, num_samples = of.num_samples}
  end
end

local map = elbo(bnn.posterior.point)
local function momentum(lr) return bnn.optim.sgd{lr = lr, momentum = 0.9} end

-- Collects the weights of a sampler from step 6 on.
local function samples() return bnn.collect.samples{from = 6, every = 2, keep = 5} end

-- By name: what makes the objective, the optimizer, and the collector, if there is one.
local methods = {
  meanfield = {elbo(bnn.posterior.meanfield), bnn.optim.adam{lr = 1e-2}},
  antithetic = {elbo(bnn.posterior.meanfield, {antithetic = true, num_samples = 2}),
                bnn.optim.adam{lr = 1e-2}},
  local_reparameterization = {elbo(bnn.posterior.meanfield,
    {estimator = "local_reparameterization"}), bnn.optim.adam{lr = 1e-2}},
  flipout = {elbo(bnn.posterior.radial, {estimator = "flipout"}), bnn.optim.adam{lr = 1e-2}},
  radial = {elbo(bnn.posterior.radial), bnn.optim.adamw{lr = 1e-2}},
  lowrank = {elbo(function(params) return bnn.posterior.lowrank(params, {rank = 3}) end),
             bnn.optim.adam{lr = 1e-2}},
  ivon = {elbo(bnn.posterior.meanfield), bnn.optim.ivon{lr = 0.1}},
  sgld = {map, bnn.sampler.sgld{lr = 1e-2}, samples()},
  psgld = {map, bnn.sampler.psgld{lr = 1e-3, burn_in = 10}, bnn.collect.samples{keep = 5}},
  sghmc = {map, bnn.sampler.sghmc{lr = 1e-2}, samples()},
  adaptive_sghmc = {map, bnn.sampler.adaptive_sghmc{lr = 1e-4, burn_in = 10}, samples()},
  cyclical_sghmc = {map, bnn.sampler.sghmc{
    lr = bnn.schedule.cyclical{period = PERIOD, from = 1e-2},
    noise = function(step) return (step - 1) % PERIOD < PERIOD / 2 and 0 or 1 end,
  }, bnn.collect.samples{period = PERIOD, from = PERIOD // 2 + 1, keep = 8}},
  average = {map, momentum(1e-2), bnn.collect.average{from = 5}},
  swag = {map, momentum(1e-2), bnn.collect.swag{from = 5, rank = 4}},
  snapshots = {map, momentum(bnn.schedule.cyclical{period = PERIOD, from = 0.1}),
               bnn.collect.snapshots{period = PERIOD, keep = 2}},
  mc_dropout = {elbo(bnn.posterior.mc_dropout, {net = thinned}), bnn.optim.adam{lr = 1e-2}},
}

local M = {names = {"ensemble", "mixture"}}
for name in pairs(methods) do M.names[#M.names + 1] = name end
table.sort(M.names)

-- Trains by one of the methods; returns its posterior.
local function train(method, own, steps, checkpoint)
  local objective = method[1](own:fold "init")
  local state = bnn.train{
    objective = objective, optimizer = method[2], collect = method[3], data = data, steps = steps,
    batch_size = 50, key = own, checkpoint = checkpoint, progress = false,
  }
  return state:posterior()
end

-- Three members, each with checkpoints in a folder of its own.
local function train_members(method, steps, checkpoint)
  return bnn.ensemble{members = 3, key = key, progress = false, fit = function(own, i)
    local place
    if checkpoint then
      place = {path = ("%s/member_%d"):format(checkpoint.path, i), every = checkpoint.every,
               resume = checkpoint.resume}
    end
    local q = train(method, own, steps, place)
    return q.family == "point" and q.mu or q
  end}
end

--- Trains by a method.
-- @param name string: one of M.names
-- @param steps integer
-- @param checkpoint table or nil: as bnn.train takes it
-- @return the posterior that it found
function M.train(name, steps, checkpoint)
  if name == "ensemble" then
    return train_members({map, methods.meanfield[2]}, steps, checkpoint)
  end
  if name == "mixture" then return train_members(methods.swag, steps, checkpoint) end
  return train(methods[name], key, steps, checkpoint)
end

--- What a posterior of a method says of the data: a prediction by ten samples at most.
function M.predict(name, q)
  local model = {net = name == "mc_dropout" and thinned or net, posterior = q,
                 likelihood = "categorical"}
  local num_samples = math.min(q:support() or 10, 10)
  return bnn.predict(model, x, {key = key:fold "predict", num_samples = num_samples})
end

return M
