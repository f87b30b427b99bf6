--- What a posterior is: a family of the runtime's table (core.families) over the first tensors of a
-- network, and points for the rest; each of the family's buffers is Params, or Samples where it has
-- a row for each sample, by its name: q.mu, q.logvar, q.bank. No other file knows what a family is
-- made of.
--
-- A family that is defined in Lua (define_posterior.lua) is recorded: its buffers are the
-- parameters of the program, points to the runtime, and the weights are made of them inside of it.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local priors = require "bnn.model.priors"
local param_samples = require "bnn.params.param_samples"
local strings = require "bnn.base.strings"

local M = {}

local Posterior = {__name = "bnn.posterior"}
Posterior.__index = Posterior

local families = {} -- by name: rows of core.families
for _, row in ipairs(core.families()) do families[row.name] = row end

-- A point to the runtime, whose samples differ by the noise of the network.
families.mc_dropout = {
  name = "mc_dropout", doc = "mc_dropout: one value for each weight, and dropout in predictions",
  buffers = families.point.buffers, of = "point", keeps_dropout = true,
}

-- Whether a posterior is one value for each weight.
local function is_point(self)
  local row = families[self.family] -- none of a mixture
  return row ~= nil and (row.of or row.name) == "point"
end

--- The row of a family: {name=, doc=, buffers = list of {name=, doc=}}; nil if there is none.
function M.family(name) return families[name] end

--- Adds a family that is defined in Lua; one of the same name that was defined before goes.
-- @param row table {name=, doc=, buffers=, defined= (as bnn.posterior.define takes it)}
function M.add_family(row) families[row.name] = row end

--- Whether two posteriors are made of the same buffers, so that one can be copied into the other.
function M.is_alike(a, b)
  local one, other = a.components or {}, b.components or {}
  local is_same = a.family == b.family and #one == #other
  for i, q in ipairs(one) do
    is_same = is_same and a.weights[i] == b.weights[i] and M.is_alike(q, other[i])
  end
  return is_same
end

--- The names of all families.
function M.family_names() return options.sorted_names(families) end

-- Elements [from, from + count) of a flat tensor.
local function part(flat, from, count) return flat:narrow(1, from, count) end

-- The layout of a buffer, Params or Samples.
local function layout_of(buffer)
  return (param_samples.is(buffer) and param_samples or parameters).layout_of(buffer)
end

-- The elements of a buffer, flat.
local function flat_of(buffer)
  return param_samples.is(buffer) and buffer.flat:contiguous():view(-1) or buffer.flat
end

-- Flat numbers as what a buffer is, Params or Samples.
local function like(buffer, flat)
  if not param_samples.is(buffer) then return parameters.new(layout_of(buffer), flat) end
  return param_samples.new(layout_of(buffer), flat:view(#buffer, -1))
end

-- The layout of all buffers of a recorded family, one after the other, and its points.
local function recorded_core(row, buffers)
  local entries, groups = {}, {}
  for b, buffer in ipairs(buffers) do
    for _, entry in ipairs(layout_of(buffer)) do
      entries[#entries + 1] = {name = row.buffers[b].name .. "/" .. entry.name, shape = entry.shape}
    end
    groups[b] = {family = "point", tensors = #buffer, buffers = {buffer.flat}}
  end
  local layout = parameters.layout(entries)
  return core.posterior(parameters.sizes(layout), groups), layout
end

-- A group of tensors [from, to] of the first buffer, which the family does not cover.
local function rest_of(buffer, layout, from, to, is_state)
  local first, last = layout[from], layout[to]
  local values = part(buffer.flat, first.offset + 1, last.offset + last.size - first.offset)
  return {family = "point", tensors = to - from + 1, buffers = {values}, state = is_state}
end

-- The runtime's posterior: a group of the family, and if it does not cover all one of points and
-- one of state.
local function make_core(family, layout, n, buffers)
  local own, groups = {}, {{family = family, tensors = n}}
  for b, buffer in ipairs(buffers) do own[b] = flat_of(buffer) end
  groups[1].buffers = own
  for _, buffer in ipairs(buffers) do
    if param_samples.is(buffer) then groups[1].rows = #buffer end
  end
  if n < #layout then
    local covered = layout[n + 1].offset
    own[1] = part(own[1], 1, covered)
    local _, weights = parameters.state_last(layout)
    if n < weights then groups[2] = rest_of(buffers[1], layout, n + 1, weights, false) end
    if weights < #layout then
      groups[#groups + 1] = rest_of(buffers[1], layout, weights + 1, #layout, true)
    end
  end
  return core.posterior(parameters.sizes(layout), groups)
end

-- How many tensors are no state; raises unless they come first.
local function count_weights(row, layout)
  local sorted, n = parameters.state_last(layout)
  for i, entry in ipairs(sorted) do
    if entry ~= layout[i] then
      fail("posterior %s: expected state after all parameters, as net:init has it, got '%s' before "
        .. "'%s'", row.name, layout[i].name, entry.name)
    end
  end
  return n
end

-- How many tensors a family covers: what its second buffer has, or all but state; all of a bank,
-- whose samples have their own state.
local function count_covered(row, layout, buffers)
  if row.buffers[1].has_rows then return #layout end
  local weights = count_weights(row, layout)
  local n = weights
  if row.defined then
    n = #layout
  elseif buffers[2] then
    n = #layout_of(buffers[2])
  end
  if n > weights then
    fail("posterior %s: expected a distribution of parameters alone, got one of state, '%s'",
      row.name, layout[weights + 1].name)
  end
  return n
end

--- Makes a posterior of a family, which takes the buffers over.
-- @param family string: a name of core.families()
-- @param buffers list of Params (or Samples) in the family's order: the first has all tensors, the
--   others the first ones, which the family covers
function M.new(family, buffers)
  local layout, row = layout_of(buffers[1]), families[family]
  local n = count_covered(row, layout, buffers)
  local self = {family = family, n_covered = n, defined = row.defined}
  for i, buffer in ipairs(row.buffers) do self[buffer.name] = buffers[i] end
  if row.defined then
    self.core, self.own_layout = recorded_core(row, buffers)
  else
    self.core = make_core(row.of or family, layout, n, buffers)
  end
  return setmetatable(self, Posterior)
end

local points = setmetatable({}, {__mode = "k"}) -- params -> their point posterior

--- The posterior of a model: its own, or the point of its params, made once.
-- @param model an objective, or a table {net=, posterior= or params=}
function M.of_model(what, model)
  local own = expect_model.parameters_of(what, model)
  if not parameters.is(own) then return own end
  local point = points[own]
  if not point then
    expect_model.buffer(what .. ": params", own)
    point = M.new("point", {own})
    points[own] = point
  end
  return point
end

--- What a program that is recorded for a model depends on in its posterior: the family. Where two
-- values differ, the programs do.
function M.form_of(model)
  local posterior = model.posterior
  return posterior and (posterior.defined or posterior.family)
end

-- ---- what it is made of ----

--- Lists the buffers of the family, in its order.
--     for _, buffer in ipairs(q:buffers()) do print(buffer.name, buffer.params) end
-- @return list of {name=, params=}
function Posterior:buffers()
  local list = {}
  for i, row in ipairs(families[self.family].buffers) do
    list[i] = {name = row.name, params = self[row.name]}
  end
  return list
end

-- The buffers where a row of one that has some is one by itself, "factor/1", as an optimizer's
-- state has them: list of {name=, params= Params}.
function Posterior:rows_of_buffers()
  local list = {}
  for _, buffer in ipairs(self:buffers()) do
    local has_rows = param_samples.is(buffer.params)
    for k = 1, has_rows and #buffer.params or 1 do
      list[#list + 1] = {name = has_rows and buffer.name .. "/" .. k or buffer.name,
                         params = has_rows and buffer.params[k] or buffer.params}
    end
  end
  return list
end

--- Describes all tensors, in order.
--     print(q:layout()[1].name, q:layout()[1].size)
-- @return list of {name=, shape=, size=, offset= (its first element, from 0)}
function Posterior:layout()
  return layout_of(self[families[self.family].buffers[1].name])
end

-- The layout of a program's parameters, which are those of the runtime's posterior: the weights;
-- of a recorded family all its buffers.
function Posterior:program_layout() return self.own_layout or self:layout() end

-- Params by buffer, of tensors by the names of program_layout.
local function buffers_of(self, tensors)
  local phi = {}
  for _, buffer in ipairs(self:buffers()) do
    local own = {}
    for _, name in ipairs(buffer.params:names()) do
      own[name] = tensors[buffer.name .. "/" .. name]
    end
    phi[buffer.name] = parameters.wrap(layout_of(buffer.params), own)
  end
  return phi
end

-- What sample and mean of a defined family gave, as Params of the network's layout.
local function as_params(self, what, value)
  local tensors, layout = {}, self:layout()
  local is_table = type(value) == "table"
  for _, entry in ipairs(layout) do
    local tensor = is_table and value[entry.name] or nil
    local name = strings.message("posterior %s: %s: '%s'", self.family, what, entry.name)
    expect.tensor(name, tensor, "a tensor of the weights")
    tensors[entry.name] = tensor
  end
  return parameters.wrap(layout, tensors)
end

-- The weights that a program computes with, while it is recorded.
-- @param tensors table: by the names of program_layout
-- @param key key: of the program's noise
-- @return Params; of a recorded family also its buffers, Params by name
function Posterior:weights_of(tensors, key)
  if not self.defined then return parameters.wrap(self:layout(), tensors) end
  local phi = buffers_of(self, tensors)
  return as_params(self, "sample", self.defined.sample(phi, key:fold "eps")), phi
end

-- The buffers as a defined family's functions take them.
local function phi_of(self)
  local phi = {}
  for _, buffer in ipairs(self:buffers()) do phi[buffer.name] = buffer.params end
  return phi
end

-- Names of tensors [from, to] of the layout.
local function names_of(self, from, to)
  local names, layout = {}, self:layout()
  for i = from, to or #layout do names[#names + 1] = layout[i].name end
  return names
end

--- Lists the names of all tensors, in order.
--     print(table.concat(q:names(), " "))
-- @return list of strings
function Posterior:names() return names_of(self, 1) end

--- Lists the names of the tensors that the family covers, which come first.
--     print(#q:covered())
-- @return list of strings
function Posterior:covered() return names_of(self, 1, self.n_covered) end

--- Lists the names of the tensors that are point estimates: those not covered, or all of a point;
-- without state, which is no estimate (bnn.nn.state).
--     print(#q:points())               -- 0 unless only= left some out
-- @return list of strings
function Posterior:points()
  if self.defined then return {} end
  local names = {}
  for _, name in ipairs(names_of(self, is_point(self) and 1 or self.n_covered + 1)) do
    if not parameters.is_state(name) then names[#names + 1] = name end
  end
  return names
end

--- Returns the number of weights.
--     print(q:numel())
-- @return integer
function Posterior:numel()
  local size = 0
  for _, entry in ipairs(self:layout()) do size = size + entry.size end
  return size
end

--- Whether predictions keep dropout on unless they are told otherwise, as those of
-- bnn.posterior.mc_dropout do.
--     q:keeps_dropout()                -- false of a mean-field posterior
-- @return boolean
function Posterior:keeps_dropout()
  local row = families[self.family]
  return row ~= nil and row.keeps_dropout or false
end

--- Returns the number of samples that there are: 1 of a point, the members of an ensemble; nil if
-- any number can be drawn.
--     q:support()                      -- nil of a mean-field posterior
-- @param train boolean: whether dropout is on, as for bnn.predict; default q:keeps_dropout()
-- @return integer, or nil
function Posterior:support(train)
  if self.defined then return nil end
  local n = self.core:support()
  if train == nil then train = self:keeps_dropout() end
  if n == 0 or n == 1 and train then return nil end
  return n
end

-- Whether its KL is one number, and no sum over tensors of which each may have a weight.
function Posterior:is_joint()
  return self.defined ~= nil or families[self.family].joint == true
end

--- Returns the number of elements of an optimizer's state for it.
--     q:state_size()
-- @return integer
-- Raises if it is not one that can be trained.
function Posterior:state_size()
  if not self.core:is_trainable() then
    fail("the %s posterior predicts, it is not trained", self.family)
  end
  return self.core:trained()
end

-- What a step changes of each tensor that the runtime knows, in its order (program_layout).
-- @return list of {path= of the weights, size= elements of its buffers}
function Posterior:trained_tensors()
  local list = {}
  for _, buffer in ipairs(self:buffers()) do
    local first = self.defined and #list or 0 -- recorded: a buffer has tensors of its own
    local rows = param_samples.is(buffer.params) and #buffer.params or 1
    for i, entry in ipairs(layout_of(buffer.params)) do
      local known = list[first + i]
      list[first + i] = {path = entry.name, size = rows * entry.size + (known and known.size or 0)}
    end
  end
  return list
end

-- What grad and compile see of a posterior that is an argument.
function Posterior:__parts()
  local parts = {}
  for _, buffer in ipairs(self:buffers()) do parts[buffer.name] = buffer.params end
  return parts
end

-- Views of flat numbers, one for each element of an optimizer's state, as Params by buffer: the
-- gradients of a posterior.
-- @param flat tensor [state_size]
-- @return table {mu = Params, ..., flat =}; Samples of a buffer with rows
function Posterior:parts_of(flat)
  local parts, from = {flat = flat}, 1
  for _, buffer in ipairs(self:buffers()) do
    local n = flat_of(buffer.params):numel()
    parts[buffer.name] = like(buffer.params, part(flat, from, n))
    from = from + n
  end
  return parts
end

-- ---- draws ----

--- Draws parameters from the posterior, a function of the key; points are what they are.
--     local params = q:sample(key)
--     net:apply(params, x)             -- logits [n, 10]
-- @param key key
-- @param s integer: which of a finite number of samples (an ensemble's members), 1; they begin
--   again after the last
-- @return Params
function Posterior:sample(key, s)
  expect.key("posterior:sample: key", key)
  if self.defined then
    local draw = as_params(self, "sample", self.defined.sample(phi_of(self), key))
    return parameters.pack(self:layout(), draw)
  end
  return parameters.new(self:layout(), self.core:sample(key, s))
end

--- Draws many times at once, for bnn.vmap: sample s has the bits of q:sample(key:fold(s), s).
--     local samples = q:samples(key, 10)
-- @param key key
-- @param count integer: how many, at least 1
-- @return Samples: [count, size] in one tensor; see help "bnn.samples"
-- Raises if count is below 1.
function Posterior:samples(key, count)
  expect.key("posterior:samples: key", key)
  if math.type(count) ~= "integer" or count < 1 then
    fail("posterior:samples: count: expected an integer of at least 1, got %s", kinds.show(count))
  end
  local draws = {}
  for s = 1, count do draws[s] = self:sample(key:fold(s), s) end
  return param_samples.stack(draws)
end

--- Returns the mean, in new memory.
--     net:apply(q:mean(), x)           -- logits [n, 10]
-- @return Params
function Posterior:mean()
  if not self.defined then return parameters.new(self:layout(), self.core:mean()) end
  local mean = self.defined.mean
  if not mean then return self:buffers()[1].params:clone() end
  return parameters.pack(self:layout(), as_params(self, "mean", mean(phi_of(self))))
end

--- Returns the standard deviation of each weight, in new memory: the population's of an ensemble's
-- members, 0 of points.
--     local sigma = q:std()
--     print(sigma["mlp/linear_0/w"]:mean())
-- @return Params; nil of a family that does not say it: one of bnn.posterior.define without std=
function Posterior:std()
  if self.defined then
    local std = self.defined.std
    return std and parameters.pack(self:layout(), as_params(self, "std", std(phi_of(self)))) or nil
  end
  local sigma = self.core:std()
  return sigma and parameters.new(self:layout(), sigma)
end

--- Returns the signal-to-noise ratio of each weight, |mean| / std, in new memory: what
-- bnn.prune sorts by (Blundell et al. 2015, section 5.1). 20 log10 of it is its decibels.
--     print(q:snr()["mlp/linear_0/w"]:max())
-- @return Params, of which a point's are infinite, or NaN where it is 0; nil of a family that does
--   not say its std
function Posterior:snr()
  local sigma = self:std()
  if not sigma then return nil end
  return parameters.new(self:layout(), (self:mean().flat / sigma.flat):abs())
end

--- Copies the posterior, so that later steps do not change it.
--     local before = q:clone()
-- @return posterior
function Posterior:clone()
  local buffers = {}
  for i, buffer in ipairs(self:buffers()) do buffers[i] = buffer.params:clone() end
  return M.new(self.family, buffers)
end

-- ---- KL ----

local kl_spec = {
  prior = {type = "number|string|function|table", above = 0, default = 1},
  kl = {type = "string", choices = {"sum", "leading"}, default = "sum"},
  key = "key",
  num_samples = {type = "integer", min = 1, default = 1},
  renamed = {samples = "num_samples"},
}

-- Adds the mean of -log prior(w) over samples, for the tensors whose KL is an estimate.
-- @param own list of the tensors' priors
local function add_cross_entropies(self, what, values, own, is_estimate, opts)
  local of_point = is_point(self)
  if not opts.key and not of_point then
    fail("%s: key: expected a key, to draw weights for a KL without a closed form, got nothing",
      what)
  end
  local count = of_point and 1 or opts.num_samples
  for s = 1, count do
    local w = of_point and self:mean() or self:sample(opts.key:fold(s), s)
    for i, name in ipairs(self:covered()) do
      if is_estimate[i] then
        values[i] = values[i] - priors.log_prob(own[i], w[name], name) / count
      end
    end
  end
end

-- log of the prior's density of all weights, over ops.
local function log_prior(self, prior, params)
  local sum
  for _, name in ipairs(self:names()) do
    local value = priors.recorded_log_prob(priors.at(prior, name), params[name], name)
    sum = sum and sum + value:sum() or value:sum()
  end
  return sum
end

-- The priors of the tensors that it covers, and their standard deviations: false where one is no
-- N(0, s^2). Takes a prior as kl_terms does; returns a list of priors, whose scale is a number if
-- it is fitted, and a list of numbers or false.
function Posterior:priors_of(prior)
  local list, stds, sizes = {}, {}, {}
  for i, entry in ipairs(self:layout()) do sizes[i] = entry.size end
  local rms = priors.fitted_rms(prior, self:covered(), self.core:rms(), sizes)
  for i, name in ipairs(self:covered()) do
    list[i] = priors.at(prior, name)
    stds[i] = priors.std(list[i], rms[i]) or false
    if stds[i] then list[i] = priors.resolve("prior", stds[i]) end
  end
  return list, stds
end

-- The KL of a recorded family as part of a program: its own, or log q - log prior at the weights.
-- @param phi Params by buffer
-- @param params Params: the weights drawn
-- @return tensor []
function Posterior:recorded_kl(phi, params, prior)
  local defined = self.defined
  local value = defined.kl and defined.kl(phi, prior)
    or defined.log_prob(phi, params) - log_prior(self, prior, params)
  local name = ("posterior %s: %s"):format(self.family, defined.kl and "kl" or "log_prob")
  return expect.tensor(name, value, "a number of nats, a tensor []"):reshape(1)
end

-- One term for all tensors, of a recorded family.
local function recorded_terms(self, what, opts)
  if not self.defined.kl and not opts.key then
    fail("%s: key: expected a key, to draw weights for a KL without a closed form, got nothing",
      what)
  end
  local sum, n = 0, self.defined.kl and 1 or opts.num_samples
  for s = 1, n do
    local w = not self.defined.kl and self:sample(opts.key:fold(s))
    sum = sum + self:recorded_kl(phi_of(self), w, opts.prior):item() / n
  end
  return {{name = self.family, shape = {self:numel()}, kl = sum, weight = 1}}
end

local function kl_terms(self, what, opts)
  opts = options.check(what, opts, kl_spec)
  if opts.kl == "leading" and self:is_joint() then
    fail('%s: kl: expected "sum" of the %s posterior, whose KL is one number', what, self.family)
  end
  if self.defined then return recorded_terms(self, what, opts) end
  local names = self:covered()
  priors.check(what, opts.prior, names)
  local own, stds = self:priors_of(opts.prior)
  local values, entropies = self.core:kl(stds), self.core:entropy()
  local is_estimate = {}
  for i in ipairs(names) do
    if not values[i] and not entropies[i] and not is_point(self) then
      fail("%s: expected a posterior with a KL divergence, got %s", what, self.family)
    end
    is_estimate[i] = not values[i] or nil
    values[i] = values[i] or -(entropies[i] or 0)
  end
  if next(is_estimate) then
    add_cross_entropies(self, what, values, own, is_estimate, opts)
  end
  local terms = {}
  for i, entry in ipairs(self:layout()) do
    if i > #names then break end
    local weight = opts.kl == "leading" and 1 / math.max(entry.shape[1] or 1, 1) or 1
    terms[i] = {name = entry.name, shape = entry.shape, kl = values[i], weight = weight}
  end
  return terms
end

--- Says what each tensor adds to the KL.
--     for _, term in ipairs(q:kl_terms()) do print(term.name, term.kl) end
-- @param opts table:
--   prior       as bnn.elbo takes it, 1: a number, a name, bnn.prior.laplace{...}, a function, or a
--               table of these by path
--   kl          "sum" (default) or "leading"
--   key, num_samples of the estimate of a KL without a closed form, 1: from a prior that is no
--               Gaussian of mean 0, or of a family that has none (its entropy part is exact)
-- @return list of {name=, shape=, kl= (its sum over weights, nats), weight= (1, or 1/first dim)}
function Posterior:kl_terms(opts) return kl_terms(self, "posterior:kl_terms", opts) end

--- Computes KL(q || prior) in nats, of the tensors that q covers; kl="leading" divides each
-- tensor's by its first dimension (no KL divergence, then). A point has no entropy: its KL is -log
-- prior.
--     q:kl{prior = 0.1}                -- nats
-- @param opts table: prior=1, kl="sum", key=, num_samples=1: as for kl_terms
-- @return number
function Posterior:kl(opts)
  local sum = 0
  for _, term in ipairs(kl_terms(self, "posterior:kl", opts)) do
    sum = sum + term.kl * term.weight
  end
  return sum
end

expect_model.check_methods(Posterior, "posterior", expect_model.has "core")

M.Posterior = Posterior -- the class, of which mixtures are another form

local NAMES = {meanfield = "mean-field", lowrank = "low-rank", mc_dropout = "MC dropout"}

-- ", of rank 5" of a family with rows that are no samples.
local function rank_text(self)
  local list = self.defined and {} or self:buffers()
  local last = list[#list]
  local has_rank = last and param_samples.is(last.params) and not self:support()
  return has_rank and (", of rank %d"):format(#last.params) or ""
end

function Posterior.__tostring(self)
  local layout, n = self:layout(), 0
  for i = 1, self.n_covered do n = n + layout[i].size end
  local support = self.core:support()
  local of = support > 1 and (" of %d networks"):format(support) or ""
  local text = ("%s posterior%s over %d parameters in %d tensors"):format(
    NAMES[self.family] or self.family, of, n, self.n_covered) .. rank_text(self)
  local fixed, state = 0, 0
  for i = self.n_covered + 1, #layout do
    local size = layout[i].size
    if parameters.is_state(layout[i].name) then state = state + size else fixed = fixed + size end
  end
  if fixed > 0 then text = ("%s, and %d that are points"):format(text, fixed) end
  return state > 0 and ("%s, beside %d numbers of state"):format(text, state) or text
end

return M
