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
                             temperature = opts.temperature or 1, data_size = N,
                             num_samples = opts.estimator and 1 or 8, estimator = opts.estimator,
                             likelihood = bnn.likelihood.gaussian{sigma = SIGMA}}
  local lr = bnn.schedule.cosine{from = opts.lr, steps = opts.steps}
  bnn.train{objective = objective, data = data, batch_size = N, steps = opts.steps, key = opts.key,
            optimizer = bnn.optim.ivon{lr = lr, h0 = opts.h0, b2 = 0.995}}
  return posterior
end

TestIvon = {}

local RUNS = 5

-- The mean of what the runs end at, and its error by their spread.
local function mean_and_error(values)
  local mean, squares = 0, 0
  for _, v in ipairs(values) do mean = mean + v / RUNS end
  for _, v in ipairs(values) do squares = squares + (v - mean) ^ 2 / (RUNS - 1) end
  return mean, math.sqrt(squares / RUNS)
end

-- The best mean-field posterior has the exact mean, and the precisions N B_ii (T = 1); with another
-- weight of the KL, that of a likelihood to the power 1 / T. Runs of other noise end around it,
-- within five Monte-Carlo errors of their mean: of the precision, whose estimate by K samples has a
-- variance of (2 + c^2) / K, c the correlation below 1, and is the mean of 2 / (1 - b2) steps, at
-- most sqrt(3 (1 - b2) / (2 K RUNS)) = 1.4%.
local function check_at_the_best(opts)
  local precision, _, m = linear_model.posterior(model, opts.temperature or 1)
  local mus, precisions = {{}, {}}, {{}, {}}
  for run = 1, RUNS do
    opts.key = key:fold "run":fold(run)
    local q = train(opts)
    for i = 1, 2 do
      mus[i][run], precisions[i][run] = q.mu.flat[i], math.exp(-q.logvar.flat[i])
    end
  end
  for i, exact in ipairs{precision[1][1], precision[2][2]} do
    local mu, error_of_mu = mean_and_error(mus[i])
    lu.assertAlmostEquals(mu, m[i], 5 * error_of_mu)
    lu.assertTrue(error_of_mu < 0.05 / math.sqrt(exact)) -- so it tells something
    local found, error_of_it = mean_and_error(precisions[i])
    lu.assertAlmostEquals(found / exact, 1, 5 * error_of_it / exact)
    lu.assertTrue(error_of_it < 0.03 * exact)
  end
end

function TestIvon.test_ends_at_the_best_meanfield_posterior()
  check_at_the_best{lr = 0.1, h0 = 1, steps = 1500}
end

function TestIvon.test_ends_there_from_a_start_far_off()
  check_at_the_best{lr = 0.1, h0 = 15, steps = 1500}
end

-- One sample a step, so that the gradients of means and spreads meet the update in one pass.
function TestIvon.test_ends_there_by_local_reparameterization()
  check_at_the_best{lr = 0.1, h0 = 1, steps = 1500, estimator = "local_reparameterization"}
end

function TestIvon.test_temperature_is_the_weight_of_the_kl()
  check_at_the_best{lr = 0.1, h0 = 1, steps = 1500, temperature = 0.25}
end

-- Algorithm 1 of the paper on two numbers, in m, h and delta, with both its estimates of the
-- Hessian over K samples: the gradient of the mean loss at each, its product with eps / sigma^2,
-- its square.
local function in_the_papers_words(opts, samples_at)
  local delta, b1, m = 1 / (N * PRIOR ^ 2), 0.9, {0, 0}
  local mu, h = opts.mu, {opts.h0, opts.h0}
  for t = 1, opts.steps do
    local g, products, squares = {0, 0}, {0, 0}, {0, 0}
    for _, theta in ipairs(samples_at(t)) do
      local miss = (x:mm(theta) - model.y) / SIGMA ^ 2
      local own, w = (x:t():mm(miss) / N):view(2):totable(), theta:view(2):totable()
      for i = 1, 2 do
        g[i] = g[i] + own[i] / opts.K
        products[i] = products[i] + (w[i] - mu[i]) * own[i] / opts.K
        squares[i] = squares[i] + own[i] ^ 2 / opts.K
      end
    end
    for i = 1, 2 do
      local d = h[i] + delta
      local hhat = opts.hessian == "gradsq" and N * squares[i] or N * d * products[i]
      m[i] = b1 * m[i] + (1 - b1) * g[i]
      local more = (1 - opts.b2) * (hhat - h[i])
      h[i] = h[i] + more + more ^ 2 / (2 * d)
      -- Its delta mu, beside m there, is part of the gradients that m is the mean of here.
      m[i] = m[i] + (1 - b1) * delta * mu[i]
      mu[i] = mu[i] - opts.lr * opts.h0 * m[i] / (1 - b1 ^ t) / (h[i] + delta)
    end
  end
  return mu, h, delta
end

for _, hessian in ipairs{"price", "gradsq"} do
  for _, K in ipairs{1, 3, 6} do
    TestIvon["test_of_" .. K .. "_samples_" .. hessian .. "_is_what_the_paper_has"] = function()
      local opts = {K = K, hessian = hessian, steps = 8, lr = 0.05, h0 = 4, b2 = 0.98}
      local q = bnn.posterior.meanfield(net:init(key, x), {
        logvar = -math.log(N * opts.h0 + 1 / PRIOR ^ 2)})
      local objective = bnn.elbo{net = net, posterior = q, prior = PRIOR, data_size = N,
                                 num_samples = K,
                                 likelihood = bnn.likelihood.gaussian{sigma = SIGMA}}
      local optimizer = bnn.optim.ivon{lr = opts.lr, h0 = opts.h0, b2 = opts.b2, hessian = hessian}
      local state, draws = optimizer:init(objective), {}
      opts.mu = q.mu.flat:totable()
      for t = 1, opts.steps do
        draws[t] = {}
        for s = 1, K do
          draws[t][s] = q:sample(key:fold(t):fold "eps":fold(s)).flat:view(2, 1):clone()
        end
        assert(objective:step(state, {x = x, y = model.y}, key:fold(t)))
      end
      local mu, h, delta = in_the_papers_words(opts, function(t) return draws[t] end)
      for i = 1, 2 do
        lu.assertAlmostEquals(q.mu.flat[i], mu[i], 1e-4)
        lu.assertAlmostEquals(math.exp(-q.logvar.flat[i]) / N / (h[i] + delta), 1, 1e-3)
        lu.assertTrue(math.abs(h[i] / opts.h0 - 1) > 0.05) -- it moved
      end
    end
  end
end

-- Of squared gradients of whole batches no Hessian comes; they are far larger where noise is.
function TestIvon.test_squared_gradients_make_a_colder_posterior()
  local steps, h0, std = 3000, 1, {}
  for _, hessian in ipairs{"price", "gradsq"} do
    local q = bnn.posterior.meanfield(net:init(key, x), {logvar = -math.log(N * h0)})
    local objective = bnn.elbo{net = net, posterior = q, prior = PRIOR, data_size = N,
                               likelihood = bnn.likelihood.gaussian{sigma = SIGMA}}
    bnn.train{objective = objective, data = data, batch_size = 4, steps = steps, key = key,
              optimizer = bnn.optim.ivon{lr = bnn.schedule.cosine{from = 0.1, steps = steps},
                                         h0 = h0, b2 = 0.995, hessian = hessian}}
    std[hessian] = q:std().flat:mean():item()
  end
  -- Of noise alone N E g^2 over batches of 4 is N / 4 = 10 times the Hessian: a third of the std.
  lu.assertTrue(std.gradsq < 0.6 * std.price, std.gradsq .. " " .. std.price)
end

function TestIvon.test_squared_gradients_are_those_of_samples()
  local q = bnn.posterior.meanfield(net:init(key, x), {logvar = -4})
  local objective = bnn.elbo{net = net, posterior = q, data_size = N,
                             likelihood = bnn.likelihood.gaussian{sigma = SIGMA}}
  local state = bnn.optim.ivon{hessian = "gradsq"}:init(objective)
  local gradient = objective:gradient({x = x, y = model.y}, key)
  raises("ivon: expected a step of an objective, as these options need the gradient of each",
    state.update, state, q, gradient, nil, {data_size = N})
  local flipped = bnn.elbo{net = net, posterior = q, data_size = N, estimator = "flipout",
                           likelihood = bnn.likelihood.gaussian{sigma = SIGMA}}
  local loss, message = flipped:step(state, {x = x, y = model.y}, key)
  lu.assertNil(loss)
  lu.assertStrContains(message, "ivon: expected the estimator reparameterization")
  lu.assertEquals(state:steps(), 0)
  local record = state:state_dict()
  lu.assertEquals(record.options.hessian, "gradsq")
  lu.assertStrContains(tostring(bnn.optim.from_state_dict(record)), "hessian=gradsq}")
  record.options.hessian = nil -- of an earlier version
  lu.assertStrContains(tostring(bnn.optim.from_state_dict(record)), "hessian=price}")
  raises('hessian: expected one of price, gradsq (did you mean price?), got "pric"', bnn.optim.ivon,
    {hessian = "pric"})
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
