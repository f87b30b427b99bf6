--- Objectives: what a training step lowers,
--
--     L = mean over the batch of loss_n(w) + sum over tensors t of beta_t KL_t(q || prior)
--                                          + decay_t / 2 * sum of squares, for tensors outside of q
--
-- with the loss of each example written in Lua over ops, or -log p(y | x, w) of a network and a
-- likelihood (bnn.elbo). A step is one call into C that replays the recorded program.
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local audit = require "bnn.inference.audit"
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local lru_cache = require "bnn.base.lru_cache"
local likelihoods = require "bnn.model.likelihood"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local param_options = require "bnn.params.param_options"
local predict = require "bnn.predict.predict"
local trace_model = require "bnn.autodiff.trace_model"
local schedule = require "bnn.inference.schedule"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"
local pytree = require "bnn.params.pytree"

local M = {}

local KEPT = 8         -- recorded steps, one for each shape of a batch
local FIRST_NOTICE = 9 -- recordings; then at twice as many each time

local Objective = {__name = "bnn.objective"}
Objective.__index = Objective

-- ---- making ----

local spec = {
  params = "params",
  posterior = "posterior",
  loss = "function",
  net = "any",
  likelihood = "any",
  beta = "schedule|table",
  temperature = "schedule|table",
  data_size = {type = "integer", min = 1},
  classes = {type = "string", list = true},
  kl = {type = "string", choices = {"sum", "leading"}, default = "sum"},
  prior = {type = "number|function|table", above = 0},
  samples = {type = "integer", min = 1, default = 1},
  weight_decay = {type = "number|table", min = 0, default = 0},
}

-- Names of the tensors that the posterior covers, and of those that are points.
local function names_of(opts)
  if not opts.posterior then return {}, opts.params:names() end
  local random, points = opts.posterior.logvar:names(), {}
  for _, name in ipairs(opts.posterior.mu:names()) do
    if not opts.posterior.logvar[name] then points[#points + 1] = name end
  end
  return random, points
end

-- Options by path must name tensors, and leave none out.
local function check_paths(what, opts)
  local random, points = names_of(opts)
  local with_prior = opts.posterior and random or points
  for name, wanted in pairs{
    beta = with_prior, temperature = with_prior, prior = with_prior, weight_decay = points,
  } do
    local fault = opts[name] and param_options.fault(name, opts[name], wanted)
    if fault then error(what .. ": " .. fault, 4) end
  end
end

-- A weight of the KL that is a number must be one, by path too.
local function check_weights(what, opts)
  for _, name in ipairs{"beta", "temperature"} do
    local given = opts[name]
    local is_table = type(given) == "table" and not options.accept(given, "schedule")
    for _, value in pairs(is_table and given or {given}) do
      if type(value) == "number" and (value < 0 or value ~= value) then
        error(number.format("%s: %s is %s, at least 0 is wanted", what, name, value), 4)
      end
    end
  end
end

-- An objective of checked options.
local function new(what, opts)
  if opts.beta and opts.temperature then
    error(what .. ": beta and temperature are two ways to say one thing; give one of them", 3)
  end
  if opts.likelihood then
    expect_model.net(what .. ": net", opts.net)
    opts.likelihood = likelihoods.of(opts.likelihood, 3)
  end
  if opts.classes then classes.check(what, opts.classes, 3) end
  if opts.params then expect_model.buffer(what .. ": params", opts.params) end
  if opts.posterior then opts.prior = opts.prior or 1 end
  if opts.prior and not opts.beta then opts.temperature = opts.temperature or 1 end
  check_paths(what, opts)
  check_weights(what, opts)
  opts.what, opts.steppers, opts.recorded, opts.recordings = what, lru_cache.new(KEPT), {}, 0
  opts.latest = {}
  return setmetatable(opts, Objective)
end

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
  local wanted = {}
  for name, kind in pairs(spec) do wanted[name] = kind end
  wanted.params, wanted.loss = nil, nil
  wanted.net = {type = "any", required = true}
  wanted.posterior = {type = "posterior", required = true}
  wanted.likelihood = {type = "any", default = "categorical"}
  local self = new("bnn.elbo", options.check("bnn.elbo", opts, wanted))
  self.is_elbo = true
  return self
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
  opts = options.check("bnn.objective", opts, spec)
  if (opts.params == nil) == (opts.posterior == nil) then
    error("bnn.objective: one of params= and posterior= is wanted", 2)
  end
  if opts.loss and opts.likelihood then
    error("bnn.objective: loss and likelihood are two ways to say one thing; give one of them", 2)
  end
  if not opts.loss and not opts.likelihood then
    error("bnn.objective: a loss= is wanted, or net= and likelihood=", 2)
  end
  return new("bnn.objective", opts)
end

-- ---- what is recorded ----

-- The mean of the parameters, and the log-variance of those that are drawn, or nil.
local function weights_of(self) return expect_model.parameters_of(self.what, self) end

-- A loss or log-likelihood must give one number an example: a sum or a mean over the batch would be
-- another objective.
local function check_per_example(what, x, n)
  local shape = pytree.leaf_kind(x) == "tensor" and x:shape()
  if shape and #shape == 1 and shape[1] == n then return x end
  local found = shape and shapes.text(shape) or "a " .. type(x)
  error(strings.message("%s gives %s, wanted one number an example: [%d]", what, found, n), 0)
end

-- Whether `evaluate` itself has a figure of that name.
local function is_taken(self, name)
  return name == "loss" or name == "penalty" or name == "kl_divergence" and self.prior ~= nil
end

-- The further figures of a loss function: a table of numbers and tensors [] or [n], by name.
local function check_figures(self, figures, n)
  if figures == nil then return {} end
  if type(figures) ~= "table" or getmetatable(figures) then
    error(strings.message("loss: its second value is a %s, wanted a table name -> figure",
      pytree.leaf_kind(figures) or type(figures)), 0)
  end
  for name, figure in pairs(figures) do
    local kind = pytree.leaf_kind(figure)
    if type(name) ~= "string" or is_taken(self, name) then
      error(strings.message("loss: a figure called '%s': that name is taken", tostring(name)), 0)
    elseif kind ~= "number" and kind ~= "tensor" then
      error(strings.message("loss: figure '%s' is a %s, wanted a number or a tensor [] or [%d]",
        name,
        type(figure), n), 0)
    elseif kind == "tensor" and figure:dim() > 0 then
      check_per_example("loss: figure '" .. name .. "'", figure, n)
    end
  end
  return figures
end

-- Targets that are bytes would be read as images, y / 255, which no count or class is.
local function check_targets(self, source)
  local likelihood = self.likelihood
  if not likelihood or likelihood.name == "bernoulli" or not source.y then return end
  if source.y:dtype() ~= "u8" then return end
  error(strings.message("%s: y is u8, which is for images (y / 255): y:real() converts",
    likelihood.name or "likelihood"), 0)
end

-- Inputs and targets as the likelihood takes them; mostly `source` itself.
local function with_labels(self, source)
  local y = source.y
  if rawequal(y, self.plain_y) then return source end
  local labels = classes.targets(self.what, self.likelihood, y, 3)
  if not rawequal(labels, y) then return {x = source.x, y = labels} end
  self.plain_y = y
  return source
end

-- The loss of each example, and a table of further figures.
local function loss_of(self, params, batch, key, train)
  local n = batch.x:size(1)
  if self.loss then
    local loss, figures = self.loss(params, batch, key, train)
    return check_per_example("loss", loss, n), check_figures(self, figures, n)
  end
  local likelihood = self.likelihood
  local output = trace_model.output(self.net, params, batch.x, {key = key, train = train})
  local log_prob = likelihood.log_prob(output, batch.y)
  local what = ("likelihood %s: log_prob"):format(likelihood.name or "of your own")
  check_per_example(what, log_prob, n)
  return -log_prob, {log_likelihood = log_prob}
end

-- Names of the tensors that the prior is about: the posterior's, or all of a MAP estimate's.
local function prior_names(self)
  if not self.prior then return {} end
  return self.posterior and self.posterior.logvar:names() or self.params:names()
end

-- Those whose prior is a density in Lua, with their places among all tensors.
local function density_terms(self)
  local place, terms = {}, {}
  for i, name in ipairs(weights_of(self):names()) do place[name] = i end
  for _, name in ipairs(prior_names(self)) do
    local density = param_options.value(self.prior, name)
    if type(density) ~= "number" then
      terms[#terms + 1] = {name = name, place = place[name], density = density}
    end
  end
  return terms
end

-- sum over terms of weights[i] * -log prior_i(w_i).
local function weigh_densities(terms, params, weights)
  local list = {}
  for i, term in ipairs(terms) do
    local value = term.density(params[term.name], term.name)
    if pytree.leaf_kind(value) ~= "tensor" then
      local fault = "prior of '%s' gives a %s, wanted its log density, a tensor"
      error(fault:format(term.name, type(value)), 0)
    end
    list[i] = value:sum():reshape(1)
  end
  return -((parameters.concat(list, 1) * weights):sum())
end

-- The lists by tensor that say how C weighs penalties.
local function runtime_terms(self)
  local kl, precision, decay, wanted = {}, {}, {}, {}
  for _, name in ipairs(prior_names(self)) do wanted[name] = true end
  local mu, logvar = weights_of(self)
  for i, entry in ipairs(parameters.layout_of(mu)) do
    local prior = wanted[entry.name] and param_options.value(self.prior, entry.name)
    kl[i] = not prior and 0 or self.kl == "leading" and 1 / math.max(entry.shape[1] or 1, 1) or 1
    precision[i] = type(prior) == "number" and 1 / prior / prior or 0
    local is_point = not (logvar and logvar[entry.name])
    decay[i] = is_point and param_options.value(self.weight_decay, entry.name) or 0
  end
  return kl, precision, decay
end

-- The runtime's objective for batches of n rows of this source.
local function make_stepper(self, source, n)
  check_targets(self, source)
  local terms, places = density_terms(self), {}
  for i, term in ipairs(terms) do places[i] = term.place end
  local function outputs(params, batch, key, weights)
    local loss = loss_of(self, params, batch, key, true)
    if not weights then return {loss} end
    return {loss + weigh_densities(terms, params, weights), loss}
  end
  local program, made =
    trace_model.model(self, source, n, outputs, {gradient = true, weights = #terms})
  local mu, logvar = weights_of(self)
  made.sizes = parameters.sizes(parameters.layout_of(mu))
  made.kl, made.precision, made.decay = runtime_terms(self)
  made.n_variational, made.samples = logvar and logvar:numel() or 0, self.samples
  made.loss, made.kl_weight_params = #terms > 0 and 1 or 0, places
  return core.objective(program, made)
end

-- What a recorded step depends on besides shapes; when it is changed, steps are recorded again.
local RECORDED = {"net", "likelihood", "loss", "kl", "prior", "samples", "weight_decay"}

-- A line on stderr when the shapes of batches keep changing.
local function count_recording(self, name)
  self.recordings = self.recordings + 1
  local n = self.recordings / FIRST_NOTICE
  if n < 1 or math.log(n, 2) % 1 ~= 0 then return end
  local text = "%s: steps have been recorded for %d shapes of batches, last %s; each takes time "
    .. "and memory: batches of one size, or drop_last, are recorded once"
  strings.notice(text:format(self.what, self.recordings, name))
end

-- Forgets what was recorded when a field has changed on which it depends.
local function check_recorded(self)
  local recorded = self.recorded
  for i = 1, #RECORDED do
    local field = RECORDED[i]
    if recorded[field] ~= self[field] then
      self.steppers, self.latest, recorded[field] = lru_cache.new(KEPT), {}, self[field]
    end
  end
end

-- The recorded step for batches of n rows of a source. That of the step before is found without a
-- name of its shapes, which takes longer to write than the rest of step's Lua.
local function stepper(self, source, n)
  check_recorded(self)
  local latest, x, y = self.latest, source.x, source.y
  if latest.n == n and rawequal(latest.x, x) and rawequal(latest.y, y) then return latest.made end
  local name = trace_model.shape_key(source, n)
  local made = self.steppers:get(name)
  if not made then
    count_recording(self, name)
    made = self.steppers:put(name, make_stepper(self, source, n))
  end
  self.latest = {x = x, y = y, n = n, made = made}
  return made
end

-- ---- beta ----

-- beta of one tensor at a step, from a number or function given for it.
local function beta_value(self, given, step)
  local name = self.beta and "beta" or "temperature"
  if not self.beta and not self.data_size then
    error(self.what:match "[^.]+$"
      .. ": a temperature needs data_size, the number of training examples", 3)
  end
  local value = schedule.value(given, step, name)
  if value < 0 then
    local fault = "%s: its function gave %g at step %d, at least 0 is wanted"
    error(number.format(fault, name, value, step), 3)
  end
  return self.beta and value or value / self.data_size
end

--- The weight of the KL at a step (counted from 1): a number; where it was given by path, a list by
-- tensor. 0 without a prior.
function Objective:beta_at(step)
  local given = self.beta or self.temperature
  if given == nil then return 0 end
  if type(given) ~= "number" and not options.accept(given, "schedule") then
    local betas, wanted = {}, {}
    for _, name in ipairs(prior_names(self)) do wanted[name] = true end
    for i, name in ipairs(weights_of(self):names()) do
      betas[i] = wanted[name] and beta_value(self, param_options.value(given, name), step) or 0
    end
    return betas
  end
  return beta_value(self, given, step)
end

-- ---- steps ----

--- Elements of an optimizer's state for this objective.
function Objective:state_size()
  local mu, logvar = weights_of(self)
  return mu:numel() + (logvar and logvar:numel() or 0)
end

local BATCH = "{x = tensor, y = tensor}"

-- A batch of the user's own, contiguous.
local function check_batch(batch)
  if type(batch) ~= "table" then fail.expected("step: batch", BATCH, batch) end
  for _, name in ipairs{"x", "y"} do
    local value = batch[name]
    if pytree.leaf_kind(value) ~= "tensor" and (name == "x" or value ~= nil) then
      error(strings.message("step: the batch's %s is a %s, wanted {x = tensor, y = tensor}", name,
        type(value)), 3)
    end
  end
  for name in pairs(getmetatable(batch) == nil and batch or {}) do
    if name ~= "x" and name ~= "y" then
      error(strings.message("step: the batch has a field '%s', only x and y are known",
        tostring(name)), 3)
    end
  end
  return {x = batch.x:contiguous(), y = batch.y and batch.y:contiguous()}
end

local step_spec = {beta = "any", lr = "any"} -- numbers: the runtime looks at them

-- The options of a step. bnn.options would take longer than the rest of step's Lua, every step.
local function step_options(opts)
  if type(opts) ~= "table" then return options.check("step", opts, step_spec) end
  for name in next, opts do
    if not step_spec[name] then return options.check("step", opts, step_spec) end
  end
  return opts
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
  if not kinds.is_object(state, "state") then
    error("step: a state is wanted, as optimizer:init(objective) gives it, got " .. type(state), 2)
  end
  if pytree.leaf_kind(key) ~= "key" then error("step: a key is wanted, got " .. type(key), 2) end
  if type(batch) ~= "table" then fail.expected("step: batch", BATCH, batch) end
  local rows, from = batch.rows, batch.from or 1
  local source = with_labels(self, rows and batch.source or check_batch(batch))
  local count = batch.count or source.x:size(1)
  local step = state:steps() + 1
  opts = step_options(opts)
  local beta, lr = opts.beta or self:beta_at(step), opts.lr or state:rate(step)
  self.last = {step = step, beta = beta} -- what audit speaks of
  if type(lr) ~= "number" then
    error("step: lr is a " .. type(lr) .. ", a number is wanted", 2)
  end
  local mu, logvar = weights_of(self)
  local loss, message = stepper(self, source, count):step(mu.flat, logvar and logvar.flat,
    state.moments, source.x, source.y, rows, from, count, key, beta, lr)
  if loss then return loss end
  return nil, (message:gsub("gradient of tensor (%d+)", function(i)
    return ("gradient of '%s'"):format(mu:names()[math.tointeger(tonumber(i))])
  end))
end

--- The gradients of L on a batch for the weights that key draws.
-- @param opts table: beta=
-- @return dmu Params; dlogvar Params, nil for point estimates; the mean loss alone
function Objective:gradient(batch, key, opts)
  local mu, logvar = weights_of(self)
  local beta = opts and opts.beta or self:beta_at(1)
  local source = with_labels(self, check_batch(batch))
  local dmu, dlogvar, loss = stepper(self, source, source.x:size(1)):gradient(mu.flat,
    logvar and logvar.flat, source.x, source.y, nil, 1, source.x:size(1), key, beta)
  dmu = parameters.new(parameters.layout_of(mu), dmu)
  return dmu, logvar and parameters.new(parameters.layout_of(logvar), dlogvar), loss
end

-- ---- evaluation ----

-- Rows of {name, kl or -log prior in nats, weight of its KL}.
local function prior_terms(self, opts)
  if self.posterior then
    return self.posterior:kl_terms{prior = self.prior, kl = self.kl, key = opts.key}
  end
  local terms = {}
  local weights, _, _ = runtime_terms(self)
  for i, name in ipairs(self.prior and self.params:names() or {}) do
    local prior, w = param_options.value(self.prior, name), self.params[name]
    local log_density = type(prior) ~= "number" and prior(w, name):sum():item()
      or core.ops.gaussian_log_prob(w, 0, prior):sum():item()
    terms[i] = {name = name, kl = -log_density, weight = weights[i]}
  end
  return terms
end

--- KL of the posterior from the prior as this objective counts it, in nats (of a MAP estimate
-- -log prior).
-- @param opts table: key=, for priors that are densities: their part is an estimate
function Objective:kl_divergence(opts)
  local sum = 0
  for _, term in ipairs(prior_terms(self, opts or {})) do sum = sum + term.kl * term.weight end
  return sum
end

-- decay / 2 * sum of squares over the points.
local function decay_penalty(self)
  local _, _, decay = runtime_terms(self)
  local sum = 0
  for i, name in ipairs(weights_of(self):names()) do
    if decay[i] > 0 then
      sum = sum + decay[i] / 2 * (weights_of(self)[name] ^ 2):sum():item()
    end
  end
  return sum
end

-- sum over tensors of beta_t KL_t, and of KL_t.
local function weighted_kl(self, terms, beta)
  local place, sum = {}, 0
  if type(beta) == "number" then
    for _, term in ipairs(terms) do sum = sum + term.kl * term.weight end
    return beta * sum, sum
  end
  for i, name in ipairs(weights_of(self):names()) do place[name] = i end
  local kl = 0
  for _, term in ipairs(terms) do
    sum = sum + beta[place[term.name]] * term.kl * term.weight
    kl = kl + term.kl * term.weight
  end
  return sum, kl
end

-- The loss and all figures of each example as the columns of one tensor [n, k].
local function columns(self, names)
  return function(params, batch, key)
    local n = batch.x:size(1)
    local loss, figures = loss_of(self, params, batch, key, false)
    local list = {loss:reshape(n, 1)}
    for i, name in ipairs(options.sorted_names(figures)) do
      names[i] = name
      local figure = figures[name]
      local has_rows = type(figure) ~= "number" and figure:dim() == 1
      list[i + 1] = (has_rows and figure or loss * 0 + figure):reshape(n, 1)
    end
    return core.ops.concat(list, 2)
  end
end

-- The weight of the KL that figures are given with: what is asked for, else that of the last step
-- that was made, else of the first.
local function beta_of_figures(self, opts)
  if opts.beta then return opts.beta end
  local last = self.last
  if last and (opts.step == nil or opts.step == last.step) then return last.beta end
  return self:beta_at(math.max(opts.step or 1, 1))
end

--- The objective on a data set under one draw of the weights (the article's diagnostics).
-- @param data part of a data set, or a batch {x=, y=}
-- @param opts table: key=; step= or beta=, for a beta that changes (that of the last step that was
--   made when both are left out)
-- @return table, in nats an example: loss, L without beta KL and weight decay, and what the loss
--   function gives by name, means over the data; kl_divergence where there is a prior; penalty, the
--   rest of L; for bnn.elbo elbo = log_likelihood - beta kl_divergence
function Objective:evaluate(data, opts)
  opts = options.check("evaluate", opts, {
    key = {type = "key", required = true},
    step = {type = "integer", min = 0},
    beta = {type = "number", min = 0},
  })
  expect_model.data("evaluate: data", data)
  if data.x:size(1) == 0 then error("evaluate: there are no examples", 2) end
  classes.check_same("evaluate", self, data, 2)
  local source = with_labels(self, {x = data.x:contiguous(), y = data.y and data.y:contiguous()})
  check_targets(self, source)
  local names = self.figure_names or {}
  self.figure_names = names
  local means = predict.means(self, "evaluate", source, columns(self, names), {key = opts.key})
  local figures = {loss = means[1]}
  for i, name in ipairs(names) do figures[name] = means[i + 1] end
  figures.penalty = decay_penalty(self)
  if self.prior then
    local terms = prior_terms(self, {key = opts.key:fold "prior"})
    local penalty, kl = weighted_kl(self, terms, beta_of_figures(self, opts))
    figures.penalty, figures.kl_divergence = figures.penalty + penalty, kl
  end
  if self.is_elbo then figures.elbo = -figures.loss - figures.penalty end
  return figures
end

--- The same for one batch.
-- @param batch {x=, y=}
-- @param key key
-- @param opts table: step=, beta=
function Objective:value(batch, key, opts)
  opts = options.check("value", opts, {step = "integer", beta = "number"})
  return self:evaluate(check_batch(batch), {key = key, step = opts.step, beta = opts.beta})
end

-- How many outputs the network gives for an example.
local function output_width(self, data)
  local width
  trace_model.model(self, {x = data.x}, 1, function(params, batch, key)
    local output = trace_model.output(self.net, params, batch.x, {key = key})
    width = output:size(-1)
    return {output}
  end, {})
  return width
end

-- What is wrong with the labels of a data set, or nil.
local function label_fault(self, data)
  if not data.y then return "the data have no labels" end
  local labels, fault = classes.labels(data.y)
  if not labels then return fault end
  local width = output_width(self, data)
  for i, label in ipairs(labels:totable()) do
    if label < 0 or label >= width then
      return ("label %d of example %d is outside 0..%d, the network's %d classes"):format(label, i,
        width - 1, width)
    end
  end
end

--- Checks a data set against the likelihood before a training: nil, message for what does not fit.
-- Labels must be 0..C-1 for the C outputs of the network: whole numbers of any type, [n] or [n, 1].
-- Classes by name must be those of the objective, in its order; it takes over those of the first
-- data that have names.
function Objective:check_data(data)
  expect_model.data("check_data: data", data)
  local fault = classes.difference(data.classes, self.classes)
  if not fault and self.likelihood and self.likelihood.classes then
    fault = label_fault(self, data)
  end
  if fault then
    return nil, strings.message("%s%s", data.origin and data.origin .. ": " or "", fault)
  end
  self.classes = self.classes or data.classes
  return true
end

-- ---- what it is ----

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
  parts[#parts + 1] = ("%d parameters"):format(weights_of(self):numel())
  return ("%s{%s}"):format(self.what:match "[^.]+$", table.concat(parts, ", "))
end

return M
