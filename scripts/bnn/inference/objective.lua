--- Objectives: what a training step lowers,
--
--     L = mean over the batch of loss_n(w) + sum over tensors t of beta_t KL_t(q || prior)
--                                          + decay_t / 2 * sum of squares, for tensors outside of q
--
-- with the loss of each example written in Lua over ops, or -log p(y | x, w) of a network and a
-- likelihood (bnn.elbo). A step is one call into C that replays the recorded program.
--
-- This is what users see; a file for each part of it stands beside: options, loss, penalties, step,
-- evaluate, audit.
local audit = require "bnn.inference.audit"
local estimators = require "bnn.inference.estimators"
local evaluation = require "bnn.inference.objective_evaluate"
local expect_model = require "bnn.params.expect_model"
local number = require "bnn.base.number"
local objective_options = require "bnn.inference.objective_options"
local options = require "bnn.base.options"
local penalties = require "bnn.inference.objective_penalties"
local posteriors = require "bnn.posterior.posterior_class"
local priors = require "bnn.model.priors"
local steps = require "bnn.inference.objective_step"

local M = {}

local Objective = {__name = "bnn.objective"}
Objective.__index = Objective

--- The ELBO of a network, a posterior over its parameters, and a likelihood:
-- L = mean of -log p(y | x, w) + beta KL(q || prior), w ~ q, which is -ELBO / N for the exact
-- scaling beta = 1 / N (Graves 2011; Blundell et al. 2015). A temperature T stands for
-- beta = T / N.
--     local objective = bnn.elbo{
--       net = net, likelihood = "categorical", temperature = 1,
--       posterior = bnn.posterior.meanfield(net:init(key, data.train)),
--     }
--     print(objective)
-- @param opts table:
--   net         a network, with apply; required
--   posterior   bnn.posterior.meanfield(...); required. Tensors that it does not cover are point
--               estimates
--   likelihood  "categorical" (default), another name in help "bnn.likelihood",
--               bnn.likelihood.gaussian{sigma=}, or your own; of targets by name a table of these,
--               {class = "categorical", age = "gaussian"}, of a network that returns such a table
--   beta        weight of the KL beside the mean log-likelihood: a number, a function of the step,
--               or either by path: {["mlp/linear_2"] = 1e-3, default = 1e-4}; or
--   temperature beta = temperature / data_size; default 1
--   data_size   number of training examples; bnn.train sets it if it is missing
--   classes     names of the classes in their order, of targets by name by target; default those of
--   the first data that
--               check_data (and so bnn.train) sees. Checkpoints keep them
--   preprocess  what made the data of tables, bnn.data.preprocess{...}:fit(table); default that of
--               the data, as for classes
--   kl          "sum" (default): the KL divergence; "leading": each tensor's divided by its first
--               dimension (no ELBO: audit() says what it is, help "kl" why it is there)
--   prior       standard deviation s of the prior N(0, s^2), 1; a name ("laplace", see help
--               "bnn.prior"); bnn.prior.laplace{scale = 0.1}; function(w, path) -> its log density
--               at w, elementwise or summed; or a table of these by path. Unless it is a Gaussian
--               of mean 0 the KL is estimated with the weights that are drawn (Blundell et al.
--               2015, eq. 2), its entropy part in closed form
--   num_samples draws of the weights a step, 1
--   antithetic  whether draws come in pairs, sample 2i the mirror image of sample 2i - 1 around the
--               mean (Hammersley & Morton 1956), false. Needs an even num_samples. Odd powers of
--               the noise cancel in a pair: a loss that is nearly linear in the weights over the
--               posterior's width gives gradients of a much lower variance, one that is nearly
--               quadratic there the gradient of logvar of a single draw. The network's own noise,
--               such as dropout, stays that of each sample
--   estimator   of the gradient, whose mean is the same and whose variance is not:
--               "reparameterization" (default): one draw of the weights for the whole batch;
--               "local_reparameterization": the outputs of linear and conv2d are drawn for each
--               example from their means and variances, so that log-variances learn many times
--               faster (Kingma et al. 2015); of a mean-field posterior. Outputs at
--               several places (of a convolution, of a sequence) are drawn as if they shared no
--               weights, which is an approximation there;
--               "flipout": one draw whose deviations get random signs for each example (Wen et al.
--               2018); of a mean-field or radial posterior, exact for convolutions too.
--               Tensors that anything else reads get one draw for the batch: audit() says which.
--               Predictions and evaluate draw weights with each of the three
--   shards      parts of a batch, 1: rows [r m, (r + 1) m) with m = ceil(n / shards), whose
--               gradients are added in a binary tree. It decides how sums are rounded, as the batch
--               size does, whatever the number of threads: a number of the configuration. At least
--               32 rows a shard are advised, as smaller ones make a step slower. With more than one
--               a network that mixes the rows of a batch is refused
--   weight_decay lambda of lambda/2 sum(w^2) for tensors outside of the posterior, 0, or by path
-- @return objective
-- Raises if an option by path names no tensor or leaves one out, or beta= and temperature= are both
-- given.
function M.elbo(opts)
  return setmetatable(steps.init(objective_options.elbo(opts)), Objective)
end

--- An objective of your own: point estimates or a posterior, any loss.
--     bnn.objective{params = net:init(key, x), weight_decay = 1e-4,
--                   loss = function(params, batch, key, train)
--                     local output = net:apply(params, batch.x, {key = key, train = train})
--                     return bnn.cross_entropy(output, batch.y), {largest = output:max(2)}
--                   end}
-- @param opts table:
--   params      Params that steps change (a point estimate); or
--   posterior   a posterior, from which weights are drawn
--   loss        function(params, {x=, y=}, key, train) -> loss of each example [n] [, a table of
--               further figures by name: numbers, or tensors [] or [n], for evaluate]. x and y are
--               tensors, or tables of them as the data have them; uint8 inputs are x / 255. key
--               draws the noise of this step (bnn.randn_like(x, key)), for sample s the step's
--               key:fold("noise"):fold(s); train is true in steps. The names loss, penalty and,
--               with a prior, kl_divergence are taken. Of data with weights the losses are
--               multiplied by them afterwards; the function does not see them
--   net, likelihood instead of loss: -log p(y | x, w); bnn.predict needs both
--   weight_decay lambda of lambda/2 sum(w^2), 0, or by path
--   prior, beta, temperature, data_size, kl, num_samples, antithetic, shards, estimator (of a
--               posterior) as for bnn.elbo; with params and a prior the penalty is -log prior(w) in
--               place of the KL (a MAP estimate)
-- @return objective
-- Raises unless it gets params or posterior, and loss or net and likelihood.
function M.objective(opts)
  return setmetatable(steps.init(objective_options.objective(opts)), Objective)
end

--- Returns the weight of the KL at a step.
--     objective:beta_at(1)            -- 1 / N at temperature 1
-- @param step integer, counted from 1
-- @return number; if beta or temperature is given by path, a list by tensor. 0 without a prior
function Objective:beta_at(step) return penalties.beta_at(self, step) end

--- Returns the number of elements of an optimizer's state for this objective: those of all trained
-- buffers.
--     objective:state_size()          -- two for each weight of a mean-field posterior
-- @return integer
function Objective:state_size()
  return posteriors.of_model(self.what, self):state_size()
end

--- Makes one step, in place: the posterior's buffers, or params, and the state change.
--     local batch = {x = x, y = y}
--     local loss = assert(objective:step(state, batch, key:fold(1)))
-- @param state as optimizer:init(objective) gives it
-- @param batch {x=, y=} tensors, or a batch of data:batches{...} (rows that C gathers)
-- @param key key: weight sample s is drawn with key:fold("eps"):fold(s), its noise (dropout) with
--   key:fold("noise"):fold(s). Of antithetic ones sample 2i is the mirror image of sample 2i - 1
-- @param opts table: beta=, lr=, noise= of this step; default the objective's and the optimizer's
-- @return number: the mean loss over the batch, before the update and without KL and weight decay;
--   or nil, message if it is not finite or a label is out of range (nothing changes), or if a
--   gradient is not finite beside a finite loss (nothing that is not finite is written, but the
--   other tensors are updated)
function Objective:step(state, batch, key, opts)
  return steps.step(self, state, batch, key, opts)
end

--- Computes the gradients of L on a batch for the weights that key draws.
--     local gradient, loss = objective:gradient({x = x, y = y}, key)
--     print(gradient.mu["mlp/linear_0/w"], gradient.flat, loss)
-- @param batch, key as for step
-- @param opts table: beta=
-- @return of params: Params; of a posterior: a table of Params by buffer, {mu=, logvar=} of a
--   mean-field one, with all in one tensor as flat; and the mean loss alone
function Objective:gradient(batch, key, opts) return steps.gradient(self, batch, key, opts) end

--- Computes the KL of the posterior from the prior as this objective counts it, in nats (of a MAP
-- estimate -log prior).
--     objective:kl_divergence()       -- nats, of all tensors
-- @param opts table: key=, for priors that are densities: their part is an estimate
-- @return number, in nats
function Objective:kl_divergence(opts)
  opts = options.check("objective:kl_divergence", opts, {key = "key"})
  return penalties.kl(penalties.terms(self, opts.key))
end

--- Evaluates the objective on a data set under one draw of the weights.
--     local numbers = objective:evaluate(data.test, {key = key})
--     print(numbers.elbo, numbers.log_likelihood, numbers.kl_divergence)
-- @param data part of a data set, or a batch {x=, y=}
-- @param opts table:
--   key         required; weights are drawn with key:fold(1), noise with key:fold("noise"):fold(1)
--   step, beta  whose weight of the KL, or the weight; default that of the last step made
-- @return table, in nats an example:
--   loss        L without the penalty; what the loss function gives by name, means over the data
--   penalty     beta KL and weight decay
--   kl_divergence if there is a prior
--   log_likelihood, elbo of bnn.elbo: elbo = log_likelihood - penalty
-- Raises if there are no examples.
function Objective:evaluate(data, opts) return evaluation.evaluate(self, data, opts) end

--- Evaluates the objective on one batch, as `evaluate` does on a data set.
--     local numbers = objective:value({x = x, y = y}, key)
-- @param batch {x=, y=}
-- @param key key
-- @param opts table: step=, beta=
-- @return table as objective:evaluate returns it, in nats an example
function Objective:value(batch, key, opts) return evaluation.value(self, batch, key, opts) end

--- Checks a data set against the likelihood before a training.
-- Labels must be 0..C-1 for the C outputs of the network: whole numbers of any type, [n] or [n, 1].
-- Classes by name must be those of the objective, in its order; if it has none it takes those of
-- the data.
--     assert(objective:check_data(data.train))
-- @param data part of a data set: x, y
-- @return true; or nil, message for what does not fit
function Objective:check_data(data) return evaluation.check_data(self, data) end

--- Says what the objective does to each tensor, as data. With weight w_t beside a tensor's KL and N
-- examples, beta stands for the temperature T = beta w_t N there; weight T with prior deviation s
-- has the same optimum as the whole posterior, with prior deviation s / sqrt(T), raised to 1/T.
--     for _, row in ipairs(objective:audit_rows()) do print(row.name, row.temperature) end
-- @param step integer: whose beta; default the last step made
-- @return list of {name=, shape=, kl=, temperature=, prior_std=, estimator=}
function Objective:audit_rows(step) return audit.rows(self, step) end

--- Prints what the objective really is: for each tensor its shape, its KL in nats, the temperature
-- that beta stands for, and the effective deviation of the prior; then whether it is an exact ELBO.
-- Of an estimator other than reparameterization it says, once a step was made, which tensors it
-- covers: "local" or "flipout", and "shared" of those with one draw for the batch.
--     objective:audit()
-- @param opts table: step= whose beta, default the last step made, or the first; out=io.stdout;
--   key= for priors that are densities, whose KL is an estimate
-- @return list: the rows, as audit_rows gives them
-- Raises if the objective has no posterior or no data_size.
function Objective:audit(opts) return audit.print(self, opts) end

-- "1e-3", or "schedule", or "by path".
local function weight_text(value)
  if type(value) == "number" then return number.format("%g", value) end
  return options.accept(value, "schedule") and "schedule" or "by path"
end

expect_model.check_methods(Objective, "objective", expect_model.has "recordings")

function Objective.__tostring(self)
  local parts = {}
  local function say(name, text) parts[#parts + 1] = name .. "=" .. text end
  if self.beta then say("beta", weight_text(self.beta)) end
  if self.temperature then say("temperature", weight_text(self.temperature)) end
  if self.prior then
    say("kl", self.kl)
    say("prior", priors.text(self.prior))
  end
  if self.weight_decay ~= 0 then say("weight_decay", weight_text(self.weight_decay)) end
  say("num_samples", tostring(self.num_samples))
  if self.antithetic then say("antithetic", "true") end
  if estimators.has_spread(self.estimator) then say("estimator", self.estimator) end
  if self.shards ~= 1 then say("shards", tostring(self.shards)) end
  if self.likelihood then say("likelihood", self.likelihood.name or "of your own") end
  parts[#parts + 1] = ("%d parameters"):format(posteriors.of_model(self.what, self):numel())
  return ("%s{%s}"):format(self.what:match "[^.]+$", table.concat(parts, ", "))
end

return M
