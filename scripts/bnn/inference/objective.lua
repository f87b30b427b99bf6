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
local evaluation = require "bnn.inference.objective_evaluate"
local expect_model = require "bnn.params.expect_model"
local number = require "bnn.base.number"
local objective_options = require "bnn.inference.objective_options"
local options = require "bnn.base.options"
local penalties = require "bnn.inference.objective_penalties"
local steps = require "bnn.inference.objective_step"

local M = {}

local Objective = {__name = "bnn.objective"}
Objective.__index = Objective

--- The ELBO of a network, a posterior over its parameters, and a likelihood:
-- L = mean of -log p(y | x, w) + beta KL(q || prior), w ~ q, which is -ELBO / N for the exact
-- scaling beta = 1 / N (Graves 2011; Blundell et al. 2015). A temperature T stands for
-- beta = T / N.
-- @param opts table:
--   net         what init and apply belong to
--   posterior   bnn.posterior.meanfield(...); where it covers only some tensors, the others are
--               point estimates
--   likelihood  "categorical", "bernoulli", "gaussian", "poisson", bnn.likelihood.gaussian{sigma=},
--               or one of your own
--   beta        weight of the KL beside the mean log-likelihood: a number or a function of the
--               step, or one for each path: {["mlp/linear_2"] = 1e-3, default = 1e-4}; or
--   temperature beta = temperature / data_size (1 when neither is given)
--   data_size   number of training examples; bnn.train fills it in when it is left out
--   classes     the names of the classes in their order; those of the first data that check_data
--               sees, as it does in bnn.train, when they are left out. Checkpoints keep them
--   kl          "sum": the KL divergence; "leading": each tensor's divided by its first dimension,
--               as the article has it (then this is no ELBO: audit() says what it is)
--   prior       standard deviation of the prior N(0, prior^2), 1; or function(w, path) -> its log
--               density at w, elementwise or summed (then the KL is estimated with the weights that
--               are drawn, Blundell et al. 2015, eq. 2, its entropy part in closed form); or a
--               table of these by path
--   samples     draws of the weights a step, 1
--   weight_decay lambda of lambda/2 sum(w^2) for tensors outside of the posterior, 0, or by path
function M.elbo(opts)
  return setmetatable(steps.init(objective_options.elbo(opts)), Objective)
end

--- An objective of one's own: point estimates or a posterior, any loss.
--     bnn.objective{params = net:init(key, x), weight_decay = 1e-4,
--                   loss = function(params, batch, key, train)
--                     local output = net:apply(params, batch.x, {key = key, train = train})
--                     return bnn.cross_entropy(output, batch.y), {largest = output:max(2)}
--                   end}
-- @param opts table:
--   params      Params that steps change (a point estimate); or posterior, weights drawn from it
--   loss        function(params, {x=, y=}, key, train) -> loss of each example [n] [, a table of
--               further figures by name: numbers, or tensors [] or [n], for evaluate]; uint8 inputs
--               come as x / 255; key draws the noise of this step (bnn.randn_like(x, key)), for
--               sample s it is the step's key:fold("noise"):fold(s); train is true in steps. The
--               names loss, penalty and, with a prior, kl_divergence are taken
--   net, likelihood instead of loss: -log p(y | x, w); bnn.predict wants both
--   weight_decay lambda of lambda/2 sum(w^2), 0, or by path
--   prior, beta, temperature, data_size, kl, samples as for bnn.elbo; with params and a prior the
--               penalty is -log prior(w) in place of the KL (a MAP estimate)
function M.objective(opts)
  return setmetatable(steps.init(objective_options.objective(opts)), Objective)
end

--- The weight of the KL at a step (counted from 1): a number; where it was given by path, a list by
-- tensor. 0 without a prior.
function Objective:beta_at(step) return penalties.beta_at(self, step) end

--- Elements of an optimizer's state for this objective.
function Objective:state_size()
  local mu, logvar = expect_model.parameters_of(self.what, self)
  return mu:numel() + (logvar and logvar:numel() or 0)
end

--- One step, in place: the posterior's mu and logvar, or params, and the state change.
-- @param state as optimizer:init(objective) gives it
-- @param batch {x=, y=} tensors, or a batch of data:batches{...} (rows that C gathers)
-- @param key key: weight sample s is drawn with key:fold("eps"):fold(s), its noise (dropout) with
--   key:fold("noise"):fold(s)
-- @param opts table: beta=, lr= of this step; the objective's and the optimizer's own when left out
-- @return number: the mean loss over the batch, before the update and without KL and weight decay;
--   or nil, message when it is not finite or a label is out of range: nothing has changed then. A
--   gradient that is not finite beside a finite loss is nil, message too: nothing that is not
--   finite has been written, but the other tensors have been updated
function Objective:step(state, batch, key, opts)
  return steps.step(self, state, batch, key, opts)
end

--- The gradients of L on a batch for the weights that key draws.
-- @param opts table: beta=
-- @return dmu Params; dlogvar Params, nil for point estimates; the mean loss alone
function Objective:gradient(batch, key, opts) return steps.gradient(self, batch, key, opts) end

--- KL of the posterior from the prior as this objective counts it, in nats (of a MAP estimate
-- -log prior).
-- @param opts table: key=, for priors that are densities: their part is an estimate
function Objective:kl_divergence(opts)
  opts = options.check("objective:kl_divergence", opts, {key = "key"})
  return penalties.kl(penalties.terms(self, opts.key))
end

--- The objective on a data set under one draw of the weights (the article's diagnostics).
-- @param data part of a data set, or a batch {x=, y=}
-- @param opts table: key=; step= or beta=, for a beta that changes (that of the last step that was
--   made when both are left out)
-- @return table, in nats an example: loss, L without beta KL and weight decay, and what the loss
--   function gives by name, means over the data; kl_divergence where there is a prior; penalty, the
--   rest of L; for bnn.elbo elbo = log_likelihood - beta kl_divergence
function Objective:evaluate(data, opts) return evaluation.evaluate(self, data, opts) end

--- The same for one batch.
-- @param batch {x=, y=}
-- @param key key
-- @param opts table: step=, beta=
function Objective:value(batch, key, opts) return evaluation.value(self, batch, key, opts) end

--- Checks a data set against the likelihood before a training: nil, message for what does not fit.
-- Labels must be 0..C-1 for the C outputs of the network: whole numbers of any type, [n] or [n, 1].
-- Classes by name must be those of the objective, in its order; it takes over those of the first
-- data that have names.
function Objective:check_data(data) return evaluation.check_data(self, data) end

--- What the objective does to each tensor, as data: list of {name=, shape=, kl=, temperature=,
-- prior_std=}. With weight w_t beside a tensor's KL and N examples, beta stands for the temperature
-- T = beta w_t N there; weight T with prior deviation s has the same optimum as the whole
-- posterior, with prior deviation s / sqrt(T), raised to 1/T.
-- @param step integer: whose beta; the last step that was made when left out
function Objective:audit_rows(step) return audit.rows(self, step) end

--- Prints what the objective really is: for each tensor its shape, its KL in nats, the temperature
-- that beta stands for, and the effective deviation of the prior; then whether it is an exact ELBO.
-- @param opts table: step= whose beta (the last step that was made, or the first), out=io.stdout,
--   key= for priors that are densities, whose KL is an estimate
-- @return list: the rows, as audit_rows gives them
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
    say("prior", type(self.prior) == "function" and "density" or weight_text(self.prior))
  end
  if self.weight_decay ~= 0 then say("weight_decay", weight_text(self.weight_decay)) end
  say("samples", tostring(self.samples))
  if self.likelihood then say("likelihood", self.likelihood.name or "of your own") end
  parts[#parts + 1] = ("%d parameters"):format(expect_model.parameters_of(self.what, self):numel())
  return ("%s{%s}"):format(self.what:match "[^.]+$", table.concat(parts, ", "))
end

return M
