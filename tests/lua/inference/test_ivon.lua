--- IVON: where it ends on a Gaussian whose best mean-field posterior is known, and what it refuses.
-- Its single steps are compared with the paper's in tests/c/rules.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local linear_model = require "linear_model"

local raises = bits.raises
local key = bnn.key(5)

local N, SIGMA, PRIOR = linear_model.N, linear_model.SIGMA, linear_model.PRIOR
local model = linear_model.of(key)
local x, net, data = model.x, model.net, model.data

local function train(opts)
  local posterior = bnn.posterior.meanfield(net:init(key, x), {
    logvar = -math.log(N / (opts.temperature or 1) * opts.h0),
  })
  local objective = bnn.elbo{net = net, posterior = posterior, prior = opts.prior or PRIOR,
                             temperature = opts.temperature or 1, data_size = N, num_samples = 8,
                             likelihood = bnn.likelihood.gaussian{sigma = SIGMA}}
  local lr = bnn.schedule.cosine{from = opts.lr, steps = opts.steps}
  bnn.train{objective = objective, data = data, batch_size = N, steps = opts.steps, key = key,
            optimizer = bnn.optim.ivon{lr = lr, h0 = opts.h0, b2 = 0.9995}}
  return posterior
end

TestIvon = {}

-- The best mean-field posterior has the exact mean, and the precisions N B_ii (T = 1); with another
-- weight of the KL, that of a likelihood to the power 1 / T.
local function check_at_the_best(opts)
  local precision, _, m = linear_model.posterior(model, opts.temperature or 1)
  local q = train(opts)
  local mu, logvar = q.mu.flat:totable(), q.logvar.flat:totable()
  for i, exact in ipairs{precision[1][1], precision[2][2]} do
    lu.assertAlmostEquals(mu[i], m[i], 0.2 / math.sqrt(exact))
    -- The last 2 / (1 - b2) steps of 8 samples each, whose spread is about twice their size.
    lu.assertAlmostEquals(math.exp(-logvar[i]) / exact, 1, 0.1)
  end
end

function TestIvon.test_ends_at_the_best_meanfield_posterior()
  check_at_the_best{lr = 0.1, h0 = 1, steps = 5000}
end

function TestIvon.test_ends_there_from_a_start_far_off()
  check_at_the_best{lr = 0.1, h0 = 15, steps = 10000}
end

function TestIvon.test_temperature_is_the_weight_of_the_kl()
  check_at_the_best{lr = 0.1, h0 = 1, steps = 5000, temperature = 0.25}
end

function TestIvon.test_refusals()
  local params = net:init(key, x)
  local optimizer = bnn.optim.ivon{}
  local wanted = "optimizer:init of ivon: expected a meanfield posterior over all tensors, got "
  local function objective_of(posterior)
    return bnn.elbo{net = net, posterior = posterior, data_size = N,
                    likelihood = bnn.likelihood.gaussian{sigma = SIGMA}}
  end
  raises(wanted .. "a radial posterior", optimizer.init, optimizer,
    objective_of(bnn.posterior.radial(params)))
  raises(wanted .. "a point posterior", optimizer.init, optimizer,
    bnn.objective{net = net, params = params, likelihood = bnn.likelihood.gaussian{sigma = SIGMA}})
  local wide = bnn.nn.mlp{3, 1}
  local some = bnn.posterior.meanfield(wide:init(key, x), {only = {"mlp/linear_1/w"}})
  raises(wanted .. "points too: 'mlp/linear_0/w'", optimizer.init, optimizer, some)
  local state = bnn.optim.ivon{}:init(bnn.posterior.meanfield(params)) -- of 4 elements
  raises("ivon: expected a meanfield posterior over all tensors, got a point", state.update, state,
    bnn.nn.linear(1):init(key, bnn.zeros(1, 3)), bnn.zeros(4))
  raises("clip: expected a number in [0, inf), got -1", bnn.optim.ivon, {clip = -1})
end

os.exit(lu.LuaUnit.run())
