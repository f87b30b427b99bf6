--- Every family that can be trained, against its form in Lua over ops: the same samples, the same
-- gradients of a loss and of the KL. A new family fails here until its form stands in FORMS.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bnn = require "bnn"
local core = require "bnn.core"

local key = bnn.key(12)
local net, x = bnn.nn.mlp{6, 3}, bnn.randn(key:fold "x", 9, 5)
local start = net:init(key, x)
local layout = bnn.params.layout_of(start)
local SIZE, PRIOR, BETA = start:numel(), 0.8, 0.3

-- The weights by path, from one flat tensor.
local function by_path(flat)
  local w = {}
  for _, entry in ipairs(layout) do
    w[entry.name] = flat:narrow(1, entry.offset + 1, entry.size):view(entry.shape)
  end
  return w
end

local function scaled(phi, noise) return phi.mu.flat + (phi.logvar.flat / 2):exp() * noise end

-- sum of -log N(theta; 0, PRIOR^2), without its constant.
local function cross_entropy(theta) return (theta ^ 2):sum() / (2 * PRIOR ^ 2) end

-- The rows of a low-rank posterior's factor, [2, SIZE].
local function rows_of(phi)
  local parts = {}
  for t, entry in ipairs(layout) do parts[t] = phi.factor[entry.name]:reshape(2, entry.size) end
  return core.ops.concat(parts, 2)
end

-- name -> {constructor, sample(phi, key) -> flat weights, kl(phi, weights): up to a constant}
local FORMS = {
  point = {
    make = function(params) return bnn.posterior.point(params:clone()) end,
    sample = function(phi) return phi.mu.flat end,
    kl = function(_, theta) return cross_entropy(theta) end,
  },
  meanfield = {
    make = bnn.posterior.meanfield,
    sample = function(phi, own) return scaled(phi, bnn.randn(own, SIZE)) end,
    kl = function(phi)
      local variance = phi.logvar.flat:exp()
      return ((variance + phi.mu.flat ^ 2) / PRIOR ^ 2 - phi.logvar.flat):sum() / 2
    end,
  },
  radial = {
    make = bnn.posterior.radial,
    sample = function(phi, own)
      local eps, parts = bnn.randn(own, SIZE), {}
      for t, entry in ipairs(layout) do
        local part = eps:narrow(1, entry.offset + 1, entry.size)
        parts[t] = part * (bnn.randn(own:fold(t), 1) / (part ^ 2):sum():sqrt())
      end
      return scaled(phi, core.ops.concat(parts, 1))
    end,
    kl = function(phi, theta) return cross_entropy(theta) - phi.logvar.flat:sum() / 2 end,
  },
  lowrank = {
    make = function(params, opts)
      return bnn.posterior.lowrank(params, {logvar = opts.logvar, rank = 2, scale = 1})
    end,
    sample = function(phi, own)
      local z = bnn.randn(own:fold "rank", 2)
      return scaled(phi, bnn.randn(own, SIZE)) + z:view(1, 2):mm(rows_of(phi)):view(SIZE)
    end,
    kl = function(phi)
      local variance, rows = phi.logvar.flat:exp(), rows_of(phi)
      local a, b = rows:narrow(1, 1, 1):reshape(SIZE), rows:narrow(1, 2, 1):reshape(SIZE)
      local function product(v, w) return (v * w / variance):sum() end
      local det = (product(a, a) + 1) * (product(b, b) + 1) - product(a, b) ^ 2
      local spread = ((variance + phi.mu.flat ^ 2):sum() + (rows ^ 2):sum()) / PRIOR ^ 2
      return (spread - phi.logvar.flat:sum() - det:log()) / 2
    end,
  },
}

local function largest(a, b) return (a - b):abs():max():item() end

local trainable = {}
for _, row in ipairs(core.families()) do
  if row.trained then trainable[#trainable + 1] = row.name end
end

-- A posterior of the family with buffers that differ from element to element.
local function varied(form)
  return form.make(start, {
    logvar = function(path, shape) return bnn.randn(key:fold(path), shape) * 0.5 - 3 end,
  })
end

TestForms = {}

function TestForms.test_each_family_has_one()
  for _, name in ipairs(trainable) do lu.assertNotNil(FORMS[name], name) end
end

for _, name in ipairs(trainable) do
  local form = FORMS[name] or {}

  TestForms["test_samples_of_" .. name] = function()
    local q = varied(form)
    local own = bnn.posterior.define{
      name = "own_" .. name, buffers = {mu = "params", logvar = 0, factor = 0}, kl = print,
      sample = function(phi, k) return by_path(form.sample(phi, k)) end,
    }(start, {logvar = q.logvar and function(path) return q.logvar[path] end or 0,
              factor = q.factor and function(path) return q.factor[path] end or 0})
    for s = 1, 3 do
      lu.assertTrue(largest(q:sample(key:fold(s)).flat, own:sample(key:fold(s)).flat) < 1e-5)
    end
  end

  TestForms["test_gradients_of_" .. name] = function()
    local q, c = varied(form), bnn.randn(key:fold "c", SIZE)
    local function loss(params, batch)
      return batch.x:narrow(2, 1, 1):reshape(9) * 0 + (params.flat * c):sum()
    end
    local objective = bnn.objective{posterior = q, loss = loss, prior = PRIOR, beta = BETA}
    local got = objective:gradient({x = x}, key)
    local eps_key = key:fold("eps"):fold(1)
    local phi = {}
    for _, buffer in ipairs(q:buffers()) do
      local own = buffer.params
      phi[buffer.name] = bnn.samples.is(own) and {} or own
      for _, path in ipairs(bnn.samples.is(own) and own:names() or {}) do
        phi[buffer.name][path] = own[path]
      end
    end
    local want = bnn.grad(function(at)
      local theta = form.sample(at, eps_key)
      return (theta * c):sum() + form.kl(at, theta) * BETA
    end)(phi)
    for _, buffer in ipairs(q:buffers()) do
      local ours, theirs = got[buffer.name], want[buffer.name]
      for _, path in ipairs(buffer.params:names()) do
        lu.assertTrue(largest(ours[path], theirs[path]) < 1e-4, buffer.name .. path)
      end
    end
  end

  -- Predictions draw, files keep, and a clone is another.
  TestForms["test_the_rest_of_" .. name] = function()
    local q = varied(form)
    local model = {net = net, posterior = q, likelihood = "categorical"}
    local p = bnn.predict(model, x, {key = key, num_samples = 4})
    local mean = bnn.zeros(9, 3)
    for s = 1, 4 do
      mean = mean + net:apply(q:sample(key:fold(s), s), x):softmax(-1) / 4
    end
    lu.assertTrue(largest(p.mean, mean) < 1e-5)
    local path = os.tmpname()
    assert(bnn.checkpoint.save(path, {posterior = q, model = bnn.checkpoint.describe(model)}))
    local opened = assert(bnn.checkpoint.open(path)).posterior
    os.remove(path)
    lu.assertEquals(opened.family, name)
    for i, buffer in ipairs(q:buffers()) do
      lu.assertTrue(largest(opened:buffers()[i].params.flat, buffer.params.flat) == 0)
      lu.assertTrue(largest(q:clone():buffers()[i].params.flat, buffer.params.flat) == 0)
    end
    lu.assertTrue(q:kl{prior = PRIOR, key = key} > 0)
  end
end

-- An estimate of a KL without a closed form, beside one by numbers: of a tensor of one element the
-- radial family is a Gaussian.
function TestForms.test_kl_of_radial_in_one_dimension_is_a_gaussians()
  local one = bnn.nn.linear(1, {bias = false})
  local params = one:init(key, bnn.zeros(1, 1))
  local want = bnn.posterior.meanfield(params, {logvar = -1}):kl{prior = PRIOR}
  local q = bnn.posterior.radial(params, {logvar = -1})
  local n = 4000
  local got = q:kl{prior = PRIOR, key = key, num_samples = n}
  -- -log prior has a deviation of about sigma (|mu| + sigma) / PRIOR^2, below 2 nats here
  lu.assertAlmostEquals(got, want, 5 * 2 / math.sqrt(n))
end

os.exit(lu.LuaUnit.run())
