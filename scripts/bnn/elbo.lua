--- The evidence lower bound as a training objective:
--
--     L = mean over the batch of -log p(y | x, w) + beta * KL(q || prior),   w ~ q
--
-- which is -ELBO / N for the exact scaling beta = 1 / N (Graves 2011; Blundell et al. 2015). A
-- temperature T stands for beta = T / N: 1 is the exact ELBO, below 1 a cold posterior.
local core = require "bnn.core"
local likelihoods = require "bnn.likelihood"
local options = require "bnn.options"
local parameters = require "bnn.params"
local predict = require "bnn.predict"
local record = require "bnn.record"
local schedule = require "bnn.schedule"
local table_text = require "bnn.table_text"
local tree = require "bnn.tree"

local M = {}

local Elbo = {__name = "bnn.elbo"}
Elbo.__index = Elbo

--- The ELBO of a network, a posterior over its parameters, and a likelihood.
-- @param opts table:
--   net         what init and apply belong to
--   posterior   bnn.posterior.meanfield(...)
--   likelihood  "categorical", "bernoulli", bnn.likelihood.gaussian{sigma=}, or one of your own
--   beta        weight of the KL beside the mean log-likelihood: a number or a function of the
--               step; or
--   temperature beta = temperature / data_size (1 when neither is given)
--   data_size   number of training examples; bnn.train fills it in when it is left out
--   kl          "sum": the KL divergence; "leading": each tensor's divided by its first dimension,
--               as the article has it (then this is no ELBO: audit() says what it is)
--   prior       standard deviation of the prior N(0, prior^2), 1
--   samples     draws of the weights a step, 1
function M.elbo(opts)
  opts = options.check("bnn.elbo", opts, {
    net = {type = "any", required = true},
    posterior = {type = "posterior", required = true},
    likelihood = {type = "any", default = "categorical"},
    beta = "schedule",
    temperature = "schedule",
    data_size = {type = "integer", min = 1},
    kl = {type = "string", choices = {"sum", "leading"}, default = "sum"},
    prior = {type = "number", above = 0, default = 1},
    samples = {type = "integer", min = 1, default = 1},
  })
  if opts.beta and opts.temperature then
    error("bnn.elbo: beta and temperature are two ways to say one thing; give one of them", 2)
  end
  if type(opts.net) ~= "table" or type(opts.net.apply) ~= "function" then
    error("bnn.elbo: net is to have apply(params, x, opts), as bnn.nn's have", 2)
  end
  opts.likelihood = likelihoods.of(opts.likelihood, 2)
  if not opts.beta then opts.temperature = opts.temperature or 1 end
  opts.steppers, opts.recorded = {}, {}
  return setmetatable(opts, Elbo)
end

-- -log p of each example. A likelihood of the user's own must give just that: a sum or a mean over
-- the batch would be another objective.
local function loss_of(likelihood, n)
  return function(output, y)
    local log_prob = likelihood.log_prob(output, y)
    local shape = tree.leaf_kind(log_prob) == "tensor" and log_prob:shape()
    if not shape or #shape ~= 1 or shape[1] ~= n then
      local found = shape and "[" .. table.concat(shape, ", ") .. "]" or "a " .. type(log_prob)
      local fault = "likelihood %s: log_prob gives %s, wanted one number an example: [%d]"
      error(fault:format(likelihood.name or "of your own", found, n), 0)
    end
    return -log_prob
  end
end

-- What a recorded step depends on besides shapes; when it is changed, steps are recorded again.
local RECORDED = {"net", "likelihood", "kl", "prior", "samples"}

-- The runtime's objective for batches of this shape: a whole step in one call.
local function stepper(self, source, n)
  for _, field in ipairs(RECORDED) do
    if self.recorded[field] ~= self[field] then
      self.steppers, self.recorded[field] = {}, self[field]
    end
  end
  local name = record.shape_key(source, n)
  if not self.steppers[name] then
    local loss = loss_of(self.likelihood, n)
    local program, spec = record.model(self, source, n, loss, {train = true, gradient = true})
    spec.sizes, spec.dim0 = parameters.sizes(parameters.layout_of(self.posterior.mu))
    spec.kl, spec.prior_std, spec.samples = self.kl, self.prior, self.samples
    self.steppers[name] = core.objective(program, spec)
  end
  return self.steppers[name]
end

--- The weight of the KL at a step (counted from 1).
function Elbo:beta_at(step)
  if self.beta then return schedule.value(self.beta, step, "beta") end
  if not self.data_size then
    error("elbo: a temperature needs data_size, the number of training examples", 2)
  end
  return schedule.value(self.temperature, step, "temperature") / self.data_size
end

--- Elements of an optimizer's state for this objective.
function Elbo:state_size() return self.posterior:state_size() end

-- A batch of the user's own, contiguous.
local function check_batch(batch)
  for _, name in ipairs{"x", "y"} do
    local value = batch[name]
    if tree.leaf_kind(value) ~= "tensor" and (name == "x" or value ~= nil) then
      error(("step: the batch's %s is a %s, wanted {x = tensor, y = tensor}"):format(name,
        type(value)), 3)
    end
  end
  return {x = batch.x:contiguous(), y = batch.y and batch.y:contiguous()}
end

local step_spec = {beta = "any", lr = "any"} -- numbers: the runtime looks at them

--- One step, in place: posterior.mu, posterior.logvar and the state change.
-- @param state as optimizer:init(objective) gives it
-- @param batch {x=, y=} tensors, or a batch of data:batches{...} (rows that C gathers)
-- @param key key: weight sample s is drawn with key:fold("eps"):fold(s)
-- @param opts table: beta=, lr= of this step; the objective's and the optimizer's own when left out
-- @return number: the mean loss -log p over the batch, before the update; or nil, message when it
--   is not finite or a label is out of range: nothing has changed then
function Elbo:step(state, batch, key, opts)
  if not options.accept(state, "state") then
    error("step: a state is wanted, as optimizer:init(objective) gives it, got " .. type(state), 2)
  end
  if tree.leaf_kind(key) ~= "key" then error("step: a key is wanted, got " .. type(key), 2) end
  local rows, from = batch.rows, batch.from or 1
  local source = rows and batch.source or check_batch(batch)
  local count = batch.count or source.x:size(1)
  local step = state:steps() + 1
  opts = options.check("step", opts, step_spec)
  local beta, lr = opts.beta or self:beta_at(step), opts.lr or state:rate(step)
  self.last = {step = step, beta = beta} -- what audit speaks of
  return stepper(self, source, count):step(self.posterior.mu.flat, self.posterior.logvar.flat,
    state.moments, source.x, source.y, rows, from, count, key, beta, lr)
end

--- The gradients of L on a batch for the weights that key draws: dmu and dlogvar as Params, and the
-- mean loss without the KL.
-- @param opts table: beta=
function Elbo:gradient(batch, key, opts)
  local n, q = batch.x:size(1), self.posterior
  local layout = parameters.layout_of(q.mu)
  local beta = opts and opts.beta or self:beta_at(1)
  local dmu, dlogvar, loss = stepper(self, batch, n):gradient(q.mu.flat, q.logvar.flat, batch.x,
    batch.y, nil, 1, n, key, beta)
  return parameters.new(layout, dmu), parameters.new(layout, dlogvar), loss
end

--- KL of the posterior from the prior as this objective counts it, in nats.
function Elbo:kl_divergence()
  return self.posterior:kl{prior = self.prior, kl = self.kl}
end

--- The objective on a data set under one draw of the weights (the article's diagnostics).
-- @param data part of a data set
-- @param opts table: key=, step=1 (for a beta that changes)
-- @return table: elbo = log_likelihood - beta * kl_divergence, and the two, in nats an example
function Elbo:evaluate(data, opts)
  opts = options.check("evaluate", opts, {
    key = {type = "key", required = true},
    step = {type = "integer", min = 0, default = 1},
  })
  local log_likelihood = predict.log_likelihood(self, data, {key = opts.key})
  local kl = self:kl_divergence()
  return {
    elbo = log_likelihood - self:beta_at(math.max(opts.step, 1)) * kl,
    log_likelihood = log_likelihood,
    kl_divergence = kl,
  }
end

local function shape_text(shape) return "[" .. table.concat(shape, ", ") .. "]" end

-- How many outputs the network gives for an example.
local function output_width(self, data)
  local width
  record.model(self, {x = data.x}, 1, function(output)
    width = output:size(-1)
    return output
  end, {})
  return width
end

--- Checks a data set against the likelihood before a training: nil, message for what does not fit.
-- Labels must be 0..C-1 for the C outputs of the network.
function Elbo:check_data(data)
  if not self.likelihood.classes then return true end
  local labels, origin = data.y, data.origin and data.origin .. ": " or ""
  if not labels then return nil, origin .. "the data have no labels" end
  if labels:dtype() ~= "i32" or labels:dim() ~= 1 then
    return nil, ('%slabels are %s %s, wanted i32 [n]: y:to("i32") converts')
      :format(origin, labels:dtype(), shape_text(labels:shape()))
  end
  local classes = output_width(self, data)
  for i, label in ipairs(labels:totable()) do
    if label < 0 or label >= classes then
      return nil, ("%slabel %d of example %d is outside 0..%d, the network's %d classes")
        :format(origin, label, i, classes - 1, classes)
    end
  end
  return true
end

-- ---- what this objective is ----

-- The beta that audit speaks of, and the step it is of.
local function audited_beta(self, step)
  if step then return self:beta_at(step), step end
  if self.last then return self.last.beta, self.last.step end
  return self:beta_at(1), 1
end

--- What the objective does to each tensor, as data: list of {name=, shape=, kl=, temperature=,
-- prior_std=}. With weight w_t beside a tensor's KL and N examples, beta stands for the temperature
-- T = beta w_t N there; weight T with prior deviation s has the same optimum as the whole
-- posterior, with prior deviation s / sqrt(T), raised to 1/T.
-- @param step integer: whose beta; the last step that was made when left out
function Elbo:audit_rows(step)
  if not self.data_size then
    error("audit: data_size is needed, the number of training examples", 2)
  end
  local beta, rows = audited_beta(self, step), {}
  for i, term in ipairs(self.posterior:kl_terms{prior = self.prior, kl = self.kl}) do
    local temperature = beta * term.weight * self.data_size
    rows[i] = {name = term.name, shape = term.shape, kl = term.kl, temperature = temperature,
               prior_std = self.prior / math.sqrt(temperature)}
  end
  return rows
end

-- One sentence on whether these temperatures make an ELBO.
local function verdict(rows)
  local lowest, highest = math.huge, -math.huge
  for _, row in ipairs(rows) do
    lowest, highest = math.min(lowest, row.temperature), math.max(highest, row.temperature)
  end
  local function near(a, b) return math.abs(a - b) <= 1e-3 * math.abs(b) end
  if near(lowest, 1) and near(highest, 1) then
    return "This is an exact ELBO: every temperature is 1."
  end
  if near(lowest, highest) then
    local tempered = "This is not an exact ELBO: it is tempered, at temperature %.4g throughout."
    return tempered:format(lowest)
  end
  local mixed = "This is not an ELBO: its temperatures differ, from %.4g to %.4g."
  return mixed:format(lowest, highest)
end

--- Prints what the objective really is: for each tensor its shape, its KL in nats, the temperature
-- that beta stands for, and the effective deviation of the prior; then whether it is an exact ELBO.
-- @param opts table: step= whose beta (the last step that was made, or the first), out=io.stdout
-- @return list: the rows, as audit_rows gives them
function Elbo:audit(opts)
  opts = options.check("audit", opts, {
    step = {type = "integer", min = 1},
    out = {type = "any", default = io.stdout},
  })
  local rows, lines = self:audit_rows(opts.step), {}
  local beta, step = audited_beta(self, opts.step)
  for i, row in ipairs(rows) do
    lines[i] = {row.name, shape_text(row.shape), ("%.2f"):format(row.kl),
                ("%.4f"):format(row.temperature), ("%.2f"):format(row.prior_std)}
  end
  local text = table_text.render(lines, {"tensor", "shape", "KL", "temperature", "prior std"})
  local what = ("beta %.6g, as at step %d, with %d examples"):format(beta, step, self.data_size)
  opts.out:write(text, text:find "\n$" and "" or "\n", what, ". ", verdict(rows), "\n")
  return rows
end

function Elbo.__tostring(self)
  local name, value = "beta", self.beta
  if not value then name, value = "temperature", self.temperature end
  local weight = type(value) == "number" and ("%g"):format(value) or "schedule"
  return ("elbo{%s=%s, kl=%s, prior=%g, samples=%d, likelihood=%s, %d parameters}"):format(name,
    weight, self.kl, self.prior, self.samples, self.likelihood.name or "of your own",
    self.posterior.mu:numel())
end

return M
