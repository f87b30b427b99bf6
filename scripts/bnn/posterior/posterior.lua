--- Posteriors over the parameters of a network, a function for each family.
--     local q = bnn.posterior.meanfield(net:init(key, x), {logvar = -7})
--     print(q)                                          -- how many weights, in which tensors
local core = require "bnn.core"
local define_posterior = require "bnn.posterior.define_posterior"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local mixture = require "bnn.posterior.mixture"
local options = require "bnn.base.options"
local param_samples = require "bnn.params.param_samples"
local parameters = require "bnn.params.params"
local param_options = require "bnn.params.param_options"
local pytree = require "bnn.params.pytree"
local posteriors = require "bnn.posterior.posterior_class"
local renamed = require "bnn.base.renamed"
local shapes = require "bnn.base.shapes"

local M = {}

-- The initial log-variance of one tensor.
local function initial_logvar(what, logvar, path, shape)
  local value
  if options.accept(logvar, "function") then
    value = logvar(path, shape)
  else
    value = param_options.value(logvar, path)
  end
  if pytree.leaf_kind(value) == "tensor" then return value end
  if type(value) == "number" and math.abs(value) <= 80 then return core.full(shape, value) end
  fail("%s: logvar of '%s': expected a number within -80..80, got %s", what, path,
    kinds.show(value))
end

-- The layout with what the posterior covers in front, and how many tensors that are. State comes
-- last.
local function split_layout(params, only)
  local entries, rest = {}, {}
  for _, entry in ipairs(parameters.state_last(parameters.layout_of(params))) do
    local is_random = not parameters.is_state(entry.name)
      and param_options.is_among(only, entry.name, entry.shape)
    local list = is_random and entries or rest
    list[#list + 1] = {name = entry.name, shape = entry.shape}
  end
  local n = #entries
  table.move(rest, 1, #rest, n + 1, entries)
  return parameters.layout(entries), n
end

local AROUND = {
  logvar = {type = "number|table|function", default = -7},
  only = "table|function",
}

-- The mean and log-variance of a family that has them, around initial parameters, and the layout
-- of what it covers.
local function mean_and_logvar(what, params, opts)
  expect_model.params(what .. ": params", params)
  param_options.check_only(what, opts.only, params:names())
  local layout, n = split_layout(params, opts.only)
  if n == 0 then fail("%s: expected only= to cover a parameter, got none", what) end
  local covered, names, values = table.move(layout, 1, n, 1, {}), {}, {}
  for i, entry in ipairs(covered) do names[i] = entry.name end
  local fault = param_options.fault("logvar", opts.logvar, names)
  if fault then fail("%s: %s", what, fault) end
  for i, entry in ipairs(covered) do
    values[names[i]] = initial_logvar(what, opts.logvar, entry.name, entry.shape)
  end
  return parameters.pack(layout, params), parameters.pack(covered, values), covered
end

-- The posterior of a family with a mean and a log-variance.
local function around(family, params, opts)
  local what = "bnn.posterior." .. family
  opts = options.check(what, opts, AROUND)
  local mu, logvar = mean_and_logvar(what, params, opts)
  return posteriors.new(family, {mu, logvar})
end

--- Makes the mean-field Gaussian q(w) = prod N(mu_i, exp(logvar_i)) around initial parameters
-- (Blundell et al. 2015). q.mu and q.logvar are Params; training steps change them in place. The
-- posterior to start with, at two numbers a weight: bnn.elbo trains it by any optimizer.
--     local q = bnn.posterior.meanfield(net:init(key, x), {logvar = -7})
--     print(q.mu["mlp/linear_0/w"], q.logvar["mlp/linear_0/w"])
-- @param params Params: the initial mean, copied
-- @param opts table:
--   logvar  initial log-variance, -7: a number, a table by path, or function(path, shape) -> number
--           or tensor of that shape
--   only    the random tensors: a list of paths or layers, or function(path, shape) -> boolean;
--           default all. {"mlp/linear_2"} is a Bayesian last layer. The rest are point estimates,
--           last in q.mu and not in q.logvar
-- @return posterior
-- Raises if a path matches no tensor or logvar is outside [-80, 80].
function M.meanfield(params, opts) return around("meanfield", params, opts) end

--- Makes the radial posterior around initial parameters (Farquhar et al. 2020): of each
-- tensor w = mu + sigma r eps / |eps|, with r ~ N(0, 1) one number, so that samples stay near the
-- mean however many weights there are: for networks too wide for meanfield. Its KL has no closed
-- form: steps estimate its cross-entropy at the weights that they draw.
--     local q = bnn.posterior.radial(net:init(key, x), {logvar = -7})
-- @param params Params: the initial mean, copied
-- @param opts table: logvar, only: as for meanfield
-- @return posterior
-- Raises as meanfield does.
function M.radial(params, opts) return around("radial", params, opts) end

local LOWRANK = {
  rank = {type = "integer", min = 1, max = 64, default = 2},
  scale = {type = "number", above = 0, default = 0.1},
  key = "key",
  logvar = AROUND.logvar,
  only = AROUND.only,
}

--- Makes the low-rank Gaussian q(w) = N(mu, D + L L') over all weights together, D = diag(exp
-- logvar) and L [weights, rank], around initial parameters (Ong et al. 2018; of networks Tomczak et
-- al. 2020): w = mu + sigma eps + L z with z ~ N(0, 1) [rank], the same for all weights. q.mu and
-- q.logvar are Params, q.factor has a row for each column of L. Any optimizer but IVON trains it.
--
-- It can say that weights vary together, which a mean-field posterior cannot: that one becomes too
-- narrow where the true posterior has strong correlations. A step takes more time and memory, about
-- in proportion to rank, and gradients are noisier the larger it is: take several draws a step, or
-- more steps, and a learning rate that falls to 0.
--     local q = bnn.posterior.lowrank(net:init(key, x), {rank = 2, logvar = -7})
--     print(q.factor[1]["mlp/linear_0/w"]) -- [784, 64]
-- @param params Params: the initial mean, copied
-- @param opts table:
--   rank    columns of L, 1 to 64, 2: directions along which weights vary together
--   logvar, only as for meanfield
--   scale   size of the initial L, 0.1: its elements are drawn from N(0, scale^2 exp(logvar) /
--           rank), so that L L' adds scale^2 exp(logvar) to a variance. It is not 0, as L = 0 is
--           a stationary point: there the expected gradient of L is 0 too
--   key     what that is drawn with; default a key of its own, the same each time
-- @return posterior. Its KL is one number over all tensors: kl_terms has what each tensor adds to
--   those before it, and bnn.elbo takes one beta, and no kl = "leading", for it
-- Raises as meanfield does.
function M.lowrank(params, opts)
  local what = "bnn.posterior.lowrank"
  opts = options.check(what, opts, LOWRANK)
  local mu, logvar, covered = mean_and_logvar(what, params, opts)
  local own = (opts.key or core.key(0)):fold "factor"
  local noise = core.randn(own, opts.rank, logvar:numel())
  local size = (logvar.flat / 2):exp() * (opts.scale / math.sqrt(opts.rank))
  local factor = param_samples.new(parameters.layout(covered), noise * size)
  return posteriors.new("lowrank", {mu, logvar, factor})
end

--- Makes the posterior that is one point: the parameters themselves, as bnn.objective{params=} has
-- them. With a prior its penalty is -log prior in place of a KL: a MAP estimate.
--     local q = bnn.posterior.point(net:init(key, x))
-- @param params Params, not copied: training steps change them
-- @return posterior, of which q.mu is params
function M.point(params)
  expect_model.buffer("bnn.posterior.point: params", params)
  return posteriors.new("point", {params})
end

--- Makes the posterior that is a bank of weights, each as likely as any other: the members of an
-- ensemble, or what a sampler has drawn. It predicts with each of them, and is not trained.
--     local q = bnn.posterior.empirical{net:init(key, x), net:init(key:fold(2), x)}
--     q:support()                      -- 2
-- @param samples Samples, or a list of Params of the same layout
-- @return posterior, of which q.bank is samples
-- Raises if the list is empty, or the layouts differ.
function M.empirical(samples)
  if not param_samples.is(samples) then
    if type(samples) ~= "table" or parameters.is(samples) or #samples == 0 then
      fail.expected("bnn.posterior.empirical: samples", "samples, or a list of params", samples)
    end
    samples = param_samples.stack(samples)
  end
  if #samples == 0 then fail "bnn.posterior.empirical: samples: expected one or more, got none" end
  return posteriors.new("empirical", {samples})
end

--- Makes the posterior of MC dropout (Gal and Ghahramani 2016): one value for each weight, and a
-- network that keeps dropout on when it predicts, so that each sample is another thinned network.
-- It trains as a point does; with a prior and dropout that is variational inference, by that paper.
-- The rate is the one knob: 0.1 to 0.5 for classes, 0.005 to 0.1 for small regressions.
--     local thinned = bnn.nn.sequential{bnn.nn.flatten(), bnn.nn.linear(64), bnn.nn.relu(),
--                                       bnn.nn.dropout(0.2), bnn.nn.linear(10)}
--     local q = bnn.posterior.mc_dropout(thinned:init(key, x))
--     local model = {net = thinned, posterior = q, likelihood = "categorical"}
--     print(bnn.predict(model, x, {num_samples = 50, key = key}).mutual_information)
-- train = false of bnn.predict is the one prediction of the whole network.
-- @param params Params, not copied: training steps change them
-- @return posterior, of which q.mu is params
function M.mc_dropout(params)
  expect_model.buffer("bnn.posterior.mc_dropout: params", params)
  return posteriors.new("mc_dropout", {params})
end

--- Makes a mixture of posteriors over the same weights, which predict together: of the mean-field
-- members of an ensemble, of SWAGs (MultiSWAG: Wilson and Izmailov 2020), of points and of samples.
-- It predicts, and is not trained.
--     local p = net:init(key:fold(1), x)
--     local q = bnn.posterior.mixture{bnn.posterior.meanfield(p), bnn.posterior.point(p),
--                                     weights = {0.9, 0.1}}
--     print(q)
-- Sample s is of a component by s alone, by turns: after any number S of samples a component has
-- had its weight times S of them, give or take less than one, so that the mean over samples is an
-- estimate by proportional allocation, of less variance than one by random components. 20 of each
-- are num_samples = 20 * #q.components for equal weights. A component draws with the sample's
-- key; one that is finite goes through its own samples in turn. Where all are finite, q:support()
-- is the number of samples in which each has had its share (for equal weights and members all
-- once); nil if that is more than 100 and more than there are.
-- @param opts list of posteriors, not copied, and
--   weights  list of numbers above 0, one for each, of any sum; default equal; each at least 1e-4
--            of their sum
-- @return posterior: q.components and q.weights (of sum 1); q:mean() and q:std() are the
--   mixture's, by the law of total variance; q:sample(key) draws the component too
-- Raises if tensors differ, or their order does (bnn.posterior.meanfield with only=), for one of
-- bnn.posterior.define, and where some keep dropout and others do not.
function M.mixture(opts) return mixture.new(opts) end

--- Makes the mean-field posterior around trained weights: sigma = fraction |w| (MOPED; Krishnan et
-- al. 2020), so that a plain network becomes a Bayesian one in a line:
--     local q = bnn.posterior.moped(assert(bnn.checkpoint.open "mlp.safetensors").params)
-- @param params Params: the mean, copied
-- @param opts table:
--   fraction    sigma beside |w|, 0.1
--   min_logvar  log-variance of weights near 0, -20
--   only        as for meanfield
-- @return posterior
-- Raises if a path matches no tensor.
function M.moped(params, opts)
  opts = options.check("bnn.posterior.moped", opts, {
    fraction = {type = "number", above = 0, default = 0.1},
    min_logvar = {type = "number", min = -80, max = 80, default = -20},
    only = "table|function",
    renamed = {least = "min_logvar"},
  })
  expect_model.params("bnn.posterior.moped: params", params)
  local function logvar(path)
    local size = params[path]:abs() * opts.fraction
    return (size:maximum(math.exp(opts.min_logvar / 2)):log() * 2)
  end
  return M.meanfield(params, {logvar = logvar, only = opts.only})
end

-- Raises unless params have the names and shapes of the first tensors of `first`, in their order.
-- @param row the buffer's {name=, has_rows=}: of one with rows each is checked
local function check_parts(what, first, params, first_name, row)
  local name = row.name
  if row.has_rows then
    if not param_samples.is(params) or #params == 0 then
      fail.expected(("%s: %s"):format(what, name), "samples, one at least", params)
    end
    params = params[1]
  else
    expect_model.buffer(("%s: %s"):format(what, name), params)
  end
  if #params == 0 then fail("%s: expected a tensor in %s, got none", what, name) end
  local names = first:names()
  for i, path in ipairs(params:names()) do
    if not first[path] then
      fail("%s: expected tensors of %s in %s, got '%s'", what, first_name, name, path)
    elseif names[i] ~= path then
      fail("%s: expected '%s', as in %s, for tensor %d of %s, got '%s'", what, names[i],
        first_name, i, name, path)
    elseif not shapes.equal(first[path], params[path]) then
      fail("%s: expected %s '%s' %s, as in %s, got %s", what, name, path,
        shapes.text(first[path]), first_name, shapes.text(params[path]))
    end
  end
end

--- Makes a posterior of a family from its buffers, which it takes over: what reads checkpoints.
--     local q = bnn.posterior.from_buffers("point", {mu = net:init(key, x)})
-- @param family string: the name of a family
-- @param buffers table of Params by name, as q:buffers() has them (Samples of one with rows): the
--   first with all tensors, the others with those that the family covers, which come first
-- @return posterior
-- Raises for a family that there is not, a buffer that lacks, or names or shapes that differ.
function M.from_buffers(family, buffers)
  local what = "bnn.posterior.from_buffers"
  local row = posteriors.family(family)
  if not row then
    fail("%s: family: expected one of %s, got %s", what,
      table.concat(posteriors.family_names(), ", "), kinds.show(family))
  end
  local list, first_name = {}, row.buffers[1].name
  if row.buffers[1].has_rows then return M.empirical(buffers[first_name]) end
  expect_model.buffer(("%s: %s"):format(what, first_name), buffers[first_name])
  for i, buffer in ipairs(row.buffers) do
    list[i] = buffers[buffer.name]
    if i > 1 then check_parts(what, list[1], list[i], first_name, buffer) end
  end
  return posteriors.new(family, list)
end

--- Makes a mean-field posterior of these parts, which it takes over.
--     local mu = net:init(key, x)
--     local q = bnn.posterior.from_params(mu, mu:map(function(w) return w * 0 - 7 end))
-- @param mu Params: the mean
-- @param logvar Params: log-variances of the first tensors of mu; the rest are points
-- @return posterior
-- Raises if a name or shape of logvar is not that of mu.
function M.from_params(mu, logvar)
  expect_model.buffer("bnn.posterior.from_params: mu", mu)
  check_parts("bnn.posterior.from_params", mu, logvar, "mu", {name = "logvar"})
  return posteriors.new("meanfield", {mu, logvar})
end

--- Defines a family of posteriors in Lua. Its name is then known to checkpoints, which open where
-- it is defined.
--     local gaussian = bnn.posterior.define{
--       name = "gaussian", buffers = {mu = "params", rho = -3},
--       sample = function(phi, key)
--         local w = {}
--         for path, mu in pairs(phi.mu) do
--           w[path] = mu + bnn.randn_like(mu, key:fold(path)) * phi.rho[path]:exp()
--         end
--         return w
--       end,
--       kl = function(phi, prior)
--         local variance = (phi.rho.flat * 2):exp()
--         local spread = (variance + phi.mu.flat ^ 2) / prior ^ 2 - phi.rho.flat * 2 - 1
--         return spread:sum() / 2 + math.log(prior) * spread:numel()
--       end,
--     }
--     local q = gaussian(net:init(key, x), {rho = -4})
-- @param opts table:
--   name      of the family; not one that the program has
--   buffers   what is trained, by name: "params", the initial parameters (one at least, the first
--             of which has the mean's names), a number for all elements, or function(path, shape)
--             -> number or tensor, of any shape
--   sample    function(phi, key) -> Params or a table of tensors by path, over ops: the weights of
--             one draw. phi has Params by buffer, with phi.mu.flat for all of one. In a step and a
--             prediction the key is that of the program's noise, :fold("eps")
--   mean      function(phi) -> the same; default the first buffer
--   std       function(phi) -> the same: the standard deviation of each weight, which q:std() and
--             the histograms of logs show; without it there is none
--   kl        function(phi, prior) -> tensor [], in nats: KL(q || prior); prior is the
--   objective's; or
--   log_prob  function(phi, params) -> tensor []: log q(params); the KL is then estimated as log q
--             - log prior at the weights drawn (Blundell et al. 2015, eq. 2)
-- @return function(params, opts) -> posterior, where opts has first values of buffers by name
-- Raises for a name that is taken by a family of the program.
function M.define(opts) return define_posterior.define(opts) end

renamed.functions(M, "bnn.posterior", {of = "from_params"})

return M
