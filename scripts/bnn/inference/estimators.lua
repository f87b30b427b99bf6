--- Estimators of a step's gradient that compute with a mean and a spread for each weight in place
-- of one draw for the whole batch: what a program records for bnn.elbo{estimator=}.
--
-- The program's parameters are the means of all tensors, then the spreads of those that are random:
-- variances for local_reparameterization, deviations of one draw for flipout. The ops linear,
-- conv2d and conv_transpose2d take both of a kernel w, or of one behind the op view:
--
--     local_reparameterization   y = x mu + sqrt(x^2 sigma^2) E, E ~ N(0, 1) for each output
--     flipout                    y = x mu + ((x S) (sigma eps)) R, S and R signs of each example
--
-- (Kingma et al. 2015; Wen et al. 2018), and a bias with it. Whatever else reads a
-- tensor gets one draw for the whole batch.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local parameters = require "bnn.params.params"
local posteriors = require "bnn.posterior.posterior_class"

local M = {}

local PLAIN = "reparameterization"

--- The names of all estimators, the default first.
M.NAMES = core.estimators()

--- Whether an estimator computes with means and spreads.
function M.has_spread(name) return name ~= PLAIN end

--- Raises unless an estimator suits the posterior.
-- @param what string: for messages
-- @param posterior posterior, or nil of an objective with params
function M.check(what, name, posterior)
  if not M.has_spread(name) then return end
  if not posterior then
    fail("%s: estimator: expected a posterior beside %s, got params", what, name)
  end
  local suits = {}
  for _, family in ipairs(posteriors.family_names()) do
    for _, estimator in ipairs(posteriors.family(family).estimators or {}) do
      if estimator == name and family ~= "point" then suits[#suits + 1] = family end
    end
    if suits[#suits] == posterior.family then return end
  end
  fail("%s: estimator: %s needs a posterior of family %s, got %s", what, name,
    table.concat(suits, " or "), posterior.family)
end

-- ---- what stands in for an op ----

local ops = core.ops

-- Normal numbers in the shape of x, or their mirror image.
local function normals_like(x, key, sign)
  local e = x:randn_like(key)
  return sign and e * sign or e
end

local function local_product(product, x, w, b, key, noise)
  local mean, variance = product(x, w.mean, b.mean), product(x:square(), w.spread, b.spread)
  return ops.reparameterize(mean, variance, normals_like(mean, key, noise.sign))
end

-- Channels, or features, are on axis `axis` of x and of the result.
local function flipped_product(product, x, w, b, key, _, axis)
  local flipped = product(ops.flip_signs(x, key:fold "in", axis), w.spread, b.spread)
  return product(x, w.mean, b.mean) + ops.flip_signs(flipped, key:fold "out", axis)
end

-- By estimator: draw(mean, spread, key, noise), one draw of a tensor; product, of the ops linear
-- and conv2d; whether a tensor's second use has noise of its own.
local kinds = {
  local_reparameterization = {
    draw = function(mean, variance, key, noise)
      return ops.reparameterize(mean, variance, normals_like(mean, key, noise.sign))
    end,
    product = local_product,
    is_fresh = true,
  },
  flipout = {
    draw = function(mean, deviation) return mean + deviation end,
    product = flipped_product,
  },
}

-- Mean and spread of a bias, which may be no random tensor.
local function parts_of_bias(random, b)
  local own = random[b]
  if not own then return {mean = b, spread = core.zeros(b:shape())} end
  own.is_bias = true
  return own
end

-- The noise of a product's kernel w; of an estimator with noise of its own for each use a new one.
local function key_of(kind, w, eps)
  w = w.of or w
  w.uses = (w.uses or 0) + 1
  local key = eps:fold(w.name)
  return kind.is_fresh and w.uses > 1 and key:fold(w.uses) or key
end

-- The function that stands in for op `name` while this is recorded. It leaves the op as it is where
-- the kernel is not random, or where there is no batch to share a draw.
local function substitute(name, kind, random, views, noise)
  local axis = name == "linear" and -1 or 2
  return function(x, kernel, b, ...)
    local w, rest = random[kernel] or views[kernel], table.pack(...)
    if not w or x:dim() < 2 then return nil end
    local function product(input, weights, bias)
      return ops[name](input, weights, bias, table.unpack(rest, 1, rest.n))
    end
    local own = key_of(kind, w, noise.eps)
    return kind.product(product, x, w, parts_of_bias(random, b), own, noise, axis)
  end
end

-- The function that stands in for the op view: of a random tensor the same view of what it is made
-- of, as a product may have that for its kernel (conv1d's).
local function substitute_view(random, views)
  local is_inside = false
  return function(draw, ...)
    local own = random[draw] or views[draw]
    if is_inside or not own then return nil end
    is_inside = true
    local seen = ops.view(draw, ...)
    local mean, spread = ops.view(own.mean, ...), ops.view(own.spread, ...)
    is_inside = false
    views[seen] = {name = own.name, mean = mean, spread = spread, of = own.of or own}
    return seen
  end
end

-- ---- recording ----

-- The random tensors as draws, and by draw what each is made of.
local function record_draws(rec, posterior, kind, tensors, noise)
  local random, size = {}, posterior:numel()
  local is_covered = {}
  for _, name in ipairs(posterior:covered()) do is_covered[name] = true end
  for _, entry in ipairs(posterior:layout()) do
    if is_covered[entry.name] then
      local mean, spread = tensors[entry.name], rec:param(size + entry.offset, entry.shape)
      local draw = kind.draw(mean, spread, noise.eps:fold(entry.name):fold "draw", noise)
      random[draw] = {name = entry.name, mean = mean, spread = spread, draw = draw}
      tensors[entry.name] = draw
    end
  end
  return random
end

--- A recorder of the weights for an objective's program, as trace_model.model takes it; its field
-- `random` is then draw -> {name=, draw=, uses= (by products)} of the random tensors. Nil for
-- reparameterization.
-- @param name string: the estimator
-- @param antithetic boolean: whether noise.sign, 1 or -1, goes with its noise
-- @return table {antithetic=} with method record(rec, posterior, noise {eps=, sign=}) -> Params; or
--   nil
function M.recorder(name, antithetic)
  if not M.has_spread(name) then return nil end
  local recorder, kind = {random = {}, antithetic = antithetic}, kinds[name]
  function recorder:record(rec, posterior, noise)
    local layout, tensors = posterior:layout(), {}
    for _, entry in ipairs(layout) do tensors[entry.name] = rec:param(entry.offset, entry.shape) end
    self.random = record_draws(rec, posterior, kind, tensors, noise)
    local views, substitutes = {}, {}
    for _, op in ipairs{"linear", "conv2d", "conv_transpose2d"} do
      substitutes[op] = substitute(op, kind, self.random, views, noise)
    end
    substitutes.view = substitute_view(self.random, views)
    rec:substitute(substitutes)
    return parameters.wrap(layout, tensors)
  end
  return recorder
end

local SHORT = {local_reparameterization = "local", flipout = "flipout"}

--- Says how a finished program draws each random tensor: "local" or "flipout" in products, "shared"
-- where something else reads it, or both; "unused" where nothing does.
-- @return table: name of a tensor -> text
function M.report(name, recorder, program)
  local draws, texts = {}, {}
  for draw in pairs(recorder.random) do draws[#draws + 1] = draw end
  for i, is_used in ipairs(program:uses(draws)) do
    local tensor, parts = recorder.random[draws[i]], {}
    if tensor.is_bias or tensor.uses then parts[1] = SHORT[name] end
    if is_used then parts[#parts + 1] = "shared" end
    texts[tensor.name] = parts[1] and table.concat(parts, ", ") or "unused"
  end
  return texts
end

return M
