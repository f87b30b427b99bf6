--- Estimators of an objective's gradient: local reparameterization and flipout against their
-- formulas, written out over ops with the same noise; against the mean of many gradients of the
-- shared draw, and their variances; bits; what they do to each tensor; refusals.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(8)
local N = 24
local LOCAL, FLIPOUT, SHARED = "local_reparameterization", "flipout", "reparameterization"

local x, images = bnn.randn(key:fold "x", N, 5), bnn.randn(key:fold "images", N, 2, 5, 5)

local function labels()
  local list = {}
  for i = 1, N do list[i] = i % 3 end
  return bnn.tensor(list, "i32")
end
local y = labels()

-- Networks with their inputs.
local make = {
  mlp = function() return bnn.nn.mlp{7, 3}, x end,
  without_bias = function() return bnn.nn.linear(3, {bias = false}), x end,
  conv = function()
    local conv = bnn.nn.conv2d(3, 3, {stride = 2, padding = 1})
    return bnn.nn.sequential{conv, bnn.nn.relu(), bnn.nn.flatten(), bnn.nn.linear(3)}, images
  end,
  transposed = function()
    local conv = bnn.nn.conv_transpose2d(3, 3, {stride = 2, padding = 1})
    return bnn.nn.sequential{conv, bnn.nn.relu(), bnn.nn.flatten(), bnn.nn.linear(3)}, images
  end,
  sequences = function() -- whose kernel is read through a view
    local conv = bnn.nn.conv1d(3, 3, {stride = 2, dilation = 2})
    return bnn.nn.sequential{conv, bnn.nn.relu(), bnn.nn.flatten(), bnn.nn.linear(3)},
      images:reshape(N, 2, 25)
  end,
  groups = function()
    local conv = bnn.nn.conv2d(4, 3, {groups = 2})
    return bnn.nn.sequential{conv, bnn.nn.relu(), bnn.nn.flatten(), bnn.nn.linear(3)}, images
  end,
}

local function elbo_of(which, estimator, opts)
  local net, inputs = make[which]()
  local params = net:init(key:fold "init", inputs)
  local all = {net = net, estimator = estimator, beta = 0.01, posterior = bnn.posterior.meanfield(
    params, {logvar = opts and opts.logvar or -2})}
  for name, value in pairs(opts or {}) do
    if name ~= "logvar" then all[name] = value end
  end
  return bnn.elbo(all), {x = inputs, y = y}
end

local function assert_near(got, want, tolerance, why)
  local miss = (got - want):abs():max():item()
  local scale = 1 + want:abs():max():item()
  if miss ~= miss or miss > tolerance * scale then
    lu.fail(("%s: off by %g of %g"):format(why, miss, scale))
  end
end

-- ---- the formulas, over ops ----

-- A layer's product with mean, variance and the noise of eps:fold(path of w), from its definition.
local products = {}

products[LOCAL] = function(f, h, p, path, eps)
  local mean = f(h, p.mu[path .. "/w"], p.b)
  local variance = f(h ^ 2, p.v[path .. "/w"]:exp(), p.b_variance)
  return mean + variance:sqrt() * bnn.randn(eps:fold(path .. "/w"), mean:shape())
end

-- Signs [n, c] in the shape of h, which has channels or features on axis `axis`.
local function signs(h, axis, noise)
  local shape = {}
  for i = 1, h:dim() do shape[i] = (i == 1 or i == axis) and h:size(i) or 1 end
  return bnn.ones(h:size(1), h:size(axis)):flip_signs(noise):view(shape)
end

products[FLIPOUT] = function(f, h, p, path, eps)
  local axis, noise = 2, eps:fold(path .. "/w")
  local deviation = f(h * signs(h, axis, noise:fold "in"), p.deviation[path .. "/w"],
    p.b_deviation)
  return f(h, p.mu[path .. "/w"], p.b) + deviation * signs(deviation, axis, noise:fold "out")
end

-- The standard normals behind a draw of the posterior, by path.
local function noise_of(q, eps)
  local w, noise = q:sample(eps), {}
  for _, name in ipairs(q:names()) do
    noise[name] = (w[name] - q.mu[name]) / (q.logvar[name] / 2):exp()
  end
  return noise
end

-- What a product reads of a layer's bias, zeros without one.
local function with_bias(p, path, out)
  local name = path .. "/b"
  local zeros = bnn.zeros(out)
  p.b = p.mu[name] or zeros
  p.b_variance = p.v[name] and p.v[name]:exp() or zeros
  p.b_deviation = p.deviation[name] or zeros
  return p
end

local function convolve(h, w, b) return bnn.conv2d(h, w, b, 2, 1) end
local function convolve_groups(h, w, b) return bnn.conv2d(h, w, b, 1, 0, 1, 2) end
local function transpose(h, w, b) return bnn.conv_transpose2d(h, w, b, 2, 1) end
local function convolve_rows(h, w, b)
  local made = bnn.conv2d(h:view(N, 2, 1, 25), w:view(3, 2, 1, 3), b, {1, 2}, 0, {1, 2})
  return made:view(N, 3, made:size(4))
end

-- The layers of each network: a list of {path, outputs, product}; what stands between them.
local layers = {
  mlp = {{"mlp/linear_0", 7, bnn.linear, "relu"}, {"mlp/linear_1", 3, bnn.linear}},
  without_bias = {{"linear", 3, bnn.linear}},
  conv = {{"sequential/conv2d_0", 3, convolve, "relu"}, {"sequential/linear_0", 3, bnn.linear}},
  transposed = {{"sequential/conv_transpose2d_0", 3, transpose, "relu"},
                {"sequential/linear_0", 3, bnn.linear}},
  sequences = {{"sequential/conv1d_0", 3, convolve_rows, "relu"},
               {"sequential/linear_0", 3, bnn.linear}},
  groups = {{"sequential/conv2d_0", 4, convolve_groups, "relu"},
            {"sequential/linear_0", 3, bnn.linear}},
}

-- The mean loss of one draw with its KL, from mu, v = logvar.
local function formula(which, estimator, q, batch, step_key, beta, s)
  local eps = step_key:fold("eps"):fold(s)
  local noise = noise_of(q, eps)
  return function(phi)
    local mu, v = phi.mu, phi.v
    local p, h, kl = {mu = mu, v = v, deviation = {}}, batch.x, 0
    for name, unit in pairs(noise) do
      p.deviation[name] = (v[name] / 2):exp() * unit
      kl = kl + (v[name]:exp() + mu[name] ^ 2 - 1 - v[name]):sum() / 2
    end
    for _, layer in ipairs(layers[which]) do
      local path, out, f, act = table.unpack(layer)
      if h:dim() > 2 and f == bnn.linear then h = h:reshape(N, h:numel() // N) end
      h = products[estimator](f, h, with_bias(p, path, out), path, eps)
      if act then h = h[act](h) end
    end
    return h:cross_entropy(batch.y):mean() + beta * kl
  end
end

TestFormula = {}

-- Value and gradient of a step against the mean over its samples of the formula.
local function check_formula(which, estimator, samples)
  local o, batch = elbo_of(which, estimator, {num_samples = samples})
  local q = o.posterior
  local d, loss = o:gradient(batch, key:fold(3))
  local dmu, dv, value
  for s = 1, samples do
    local f = formula(which, estimator, q, batch, key:fold(3), 0.01, s)
    local own, g = bnn.value_and_grad(f){mu = q.mu, v = q.logvar}
    local gmu, gv = g.mu.flat / samples, g.v.flat / samples
    dmu, dv = dmu and dmu + gmu or gmu, dv and dv + gv or gv
    value = (value or 0) + own:item() / samples
  end
  local name = which .. ", " .. estimator
  assert_near(d.mu.flat, dmu, 1e-5, name .. ", mu")
  assert_near(d.logvar.flat, dv, 1e-5, name .. ", logvar")
  lu.assertAlmostEquals(loss + 0.01 * o:kl_divergence(), value, 1e-4)
end

function TestFormula.test_one_draw()
  for _, which in ipairs{"mlp", "without_bias", "conv", "transposed", "sequences", "groups"} do
    for _, estimator in ipairs{LOCAL, FLIPOUT} do check_formula(which, estimator, 1) end
  end
end

function TestFormula.test_several_draws()
  for _, estimator in ipairs{LOCAL, FLIPOUT} do check_formula("mlp", estimator, 3) end
end

-- A prior without a closed KL is met at weights drawn for it alone, eps:fold(s)'s own; one in Lua
-- at the shared draw of the program.
function TestFormula.test_priors_without_a_closed_form()
  local function check(estimator, prior, log_prob, draw)
    local o, batch = elbo_of("mlp", estimator, {prior = prior})
    local q, plain = o.posterior, elbo_of("mlp", estimator, {beta = 0})
    local d, own = o:gradient(batch, key:fold(3)), plain:gradient(batch, key:fold(3))
    local g = bnn.grad(function(phi)
      local sum = 0
      for name, w in pairs(draw(q, phi)) do
        sum = sum - log_prob(w):sum() - phi.v[name]:sum() / 2
      end
      return 0.01 * sum
    end){mu = q.mu, v = q.logvar}
    assert_near(d.mu.flat, own.mu.flat + g.mu.flat, 1e-5, estimator .. ", mu")
    assert_near(d.logvar.flat, own.logvar.flat + g.v.flat, 1e-5, estimator .. ", logvar")
  end
  local eps = key:fold(3):fold("eps"):fold(1)
  local function draw_by(noise)
    return function(q, phi)
      local w = {}
      for _, name in ipairs(q:names()) do
        w[name] = phi.mu[name] + (phi.v[name] / 2):exp() * noise(q, name)
      end
      return w
    end
  end
  local shared = draw_by(function(q, name) return noise_of(q, eps)[name] end)
  local own = draw_by(function(q, name)
    return bnn.randn(eps:fold(name):fold "draw", q.mu[name]:shape())
  end)
  local function laplace(w) return -w:abs() / 0.5 end
  local function smooth(w) return -((w ^ 2 + 0.1):sqrt()) end
  for _, estimator in ipairs{LOCAL, FLIPOUT} do
    check(estimator, bnn.prior.laplace{scale = 0.5}, laplace, shared)
    check(estimator, smooth, smooth, estimator == LOCAL and own or shared)
  end
end

-- A step whose updates follow in the jobs of the gradients, against one by the plain stages, which
-- a bound on the gradients asks for.
function TestFormula.test_steps_of_both_plans_agree()
  for _, estimator in ipairs{LOCAL, FLIPOUT} do
    local after = {}
    for i, clip in ipairs{false, 1e9} do
      local o, batch = elbo_of("conv", estimator)
      local state = bnn.optim.adam{lr = 0.01, clip_value = clip or nil}:init(o)
      for step = 1, 5 do assert(o:step(state, batch, key:fold(step))) end
      after[i] = o.posterior
    end
    assert_near(after[1].mu.flat, after[2].mu.flat, 1e-5, estimator .. ", mu")
    assert_near(after[1].logvar.flat, after[2].logvar.flat, 1e-5, estimator .. ", logvar")
  end
end

-- ---- many gradients ----

TestLaw = {}

-- Mean and variance of gradients, by element, over `count` keys.
local function moments(o, batch, count)
  local sum, squares = 0, 0
  for i = 1, count do
    local d = o:gradient(batch, key:fold(i)).flat
    sum, squares = sum + d, squares + d * d
  end
  local mean = sum / count
  return mean, squares / count - mean * mean
end

-- The sums over mu and over logvar.
local function halves(flat)
  local n = flat:numel() // 2
  return flat:narrow(1, 1, n):sum():item(), flat:narrow(1, n + 1, n):sum():item()
end

-- Differences of means in standard errors are standard normal: of a few hundred numbers the largest
-- is below 4.5 but once in a thousand times, and the mean of their squares 1 within 0.5, as
-- elements of one gradient are correlated.
local function assert_same_means(a, a_variance, b, b_variance, count, why)
  local z = (a - b) / ((a_variance + b_variance) / count + 1e-12):sqrt()
  lu.assertTrue(z:abs():max():item() < 4.5, why .. ", largest: " .. z:abs():max():item())
  local square = (z * z):mean():item()
  lu.assertTrue(square < 1.5, why .. ", mean square: " .. square)
end

local COUNT = 1200

-- Means are those of the shared draw; variances of log-variances fall from it to flipout to local
-- (Kingma et al. 2015, Table 1; Wen et al. 2018, Figure 1).
function TestLaw.test_means_and_variances()
  local mean, variance = {}, {}
  for _, estimator in ipairs{SHARED, FLIPOUT, LOCAL} do
    local o, batch = elbo_of("mlp", estimator, {beta = 0, logvar = -1})
    mean[estimator], variance[estimator] = moments(o, batch, COUNT)
  end
  for _, estimator in ipairs{FLIPOUT, LOCAL} do
    assert_same_means(mean[SHARED], variance[SHARED], mean[estimator], variance[estimator], COUNT,
      estimator)
  end
  local shared_mu, shared = halves(variance[SHARED])
  local flipout_mu, flipout = halves(variance[FLIPOUT])
  local local_mu, own = halves(variance[LOCAL])
  lu.assertTrue(shared > 1.3 * flipout and flipout > 2 * own,
    ("logvar: %g, %g, %g"):format(shared, flipout, own))
  lu.assertTrue(shared_mu > 1.3 * flipout_mu and flipout_mu > local_mu,
    ("mu: %g, %g, %g"):format(shared_mu, flipout_mu, local_mu))
end

-- Flipout is exact for any network; local reparameterization draws each place of an image by
-- itself, which is exact where the loss is a sum over places.
function TestLaw.test_means_of_convolutions()
  local net = bnn.nn.conv2d(2, 3)
  local params = net:init(key:fold "init", images)
  local function made(estimator)
    return bnn.objective{
      posterior = bnn.posterior.meanfield(params, {logvar = -1}), beta = 0, estimator = estimator,
      loss = function(p, batch) return net:apply(p, batch.x):tanh():exp():sum({2, 3, 4}) end,
    }
  end
  local batch = {x = images}
  local want, want_variance = moments(made(SHARED), batch, COUNT)
  for _, estimator in ipairs{FLIPOUT, LOCAL} do
    local mean, variance = moments(made(estimator), batch, COUNT)
    assert_same_means(want, want_variance, mean, variance, COUNT, estimator)
  end
end

-- Directions of a radial posterior are as likely with any signs.
function TestLaw.test_flipout_of_a_radial_posterior()
  local net, inputs = make.mlp()
  local params, mean, variance = net:init(key:fold "init", inputs), {}, {}
  for _, estimator in ipairs{SHARED, FLIPOUT} do
    local q = bnn.posterior.radial(params, {logvar = 1})
    local o = bnn.elbo{net = net, posterior = q, beta = 0, estimator = estimator}
    mean[estimator], variance[estimator] = moments(o, {x = inputs, y = y}, COUNT)
  end
  assert_same_means(mean[SHARED], variance[SHARED], mean[FLIPOUT], variance[FLIPOUT], COUNT,
    "radial")
  local _, shared = halves(variance[SHARED])
  local _, flipout = halves(variance[FLIPOUT])
  lu.assertTrue(shared > flipout, ("logvar: %g, %g"):format(shared, flipout))
end

-- ---- bits ----

TestBits = {}

-- The posterior after some steps of 3 shards on a number of threads.
local function trained(estimator, threads, opts)
  local before = bnn.threads()
  bnn.threads(threads)
  local o, batch = elbo_of("conv", estimator, opts)
  local state = bnn.optim.adam{lr = 0.01}:init(o)
  for step = 1, 4 do assert(o:step(state, batch, key:fold(step))) end
  bnn.threads(before)
  return o.posterior
end

-- 200 rows are several blocks.
local function many_rows()
  local rows, list = bnn.randn(key:fold "many", 200, 5), {}
  for i = 1, 200 do list[i] = i % 3 end
  return {x = rows, y = bnn.tensor(list, "i32")}
end

function TestBits.test_threads_do_not_change_them()
  for _, estimator in ipairs{LOCAL, FLIPOUT} do
    for _, opts in ipairs{{}, {shards = 3}, {num_samples = 2}} do
      local one, three = trained(estimator, 1, opts), trained(estimator, 3, opts)
      bits.assert_same(one.mu, three.mu, estimator)
      bits.assert_same(one.logvar, three.logvar, estimator)
    end
  end
end

-- The noise of a row is that of its place in the batch: shards, and so blocks, do not change it.
function TestBits.test_blocks_do_not_change_the_noise()
  local batch = many_rows()
  for _, estimator in ipairs{LOCAL, FLIPOUT} do
    local o = elbo_of("mlp", estimator)
    local want, want_loss = o:gradient(batch, key)
    for _, shards in ipairs{2, 7, 200} do
      o.shards = shards
      local d, loss = o:gradient(batch, key)
      assert_near(d.flat, want.flat, 1e-5, shards .. " shards")
      lu.assertAlmostEquals(loss, want_loss, 1e-5)
    end
  end
end

function TestBits.test_keys_decide()
  for _, estimator in ipairs{LOCAL, FLIPOUT} do
    local o, batch = elbo_of("mlp", estimator)
    local d = o:gradient(batch, key)
    bits.assert_same(o:gradient(batch, key).flat, d.flat)
    bits.assert_differ(o:gradient(batch, key:fold(1)).flat, d.flat)
  end
end

-- ---- which tensors ----

TestTensors = {}

-- What audit prints and how each tensor was drawn.
local function audited(o)
  local text = {}
  local rows = o:audit{out = {write = function(_, ...) text[#text + 1] = table.concat{...} end},
                       key = key}
  local how = {}
  for _, row in ipairs(rows) do how[row.name] = row.estimator end
  return how, table.concat(text)
end

local function normed()
  local net = bnn.nn.sequential{bnn.nn.linear(4), bnn.nn.layer_norm(), bnn.nn.linear(3)}
  return net, net:init(key:fold "init", x)
end

function TestTensors.test_audit_names_the_shared_draws()
  local net, params = normed()
  local o = bnn.elbo{net = net, posterior = bnn.posterior.meanfield(params), data_size = 100,
                     estimator = FLIPOUT}
  local how, text = audited(o)
  lu.assertNil(how["sequential/linear_0/w"])
  lu.assertStrContains(text, "Once a step was made, audit says which tensors flipout covers.")
  o:gradient({x = x, y = y}, key)
  how, text = audited(o)
  lu.assertEquals(how, {
    ["sequential/linear_0/w"] = "flipout", ["sequential/linear_0/b"] = "flipout",
    ["sequential/layer_norm_0/gain"] = "shared", ["sequential/layer_norm_0/bias"] = "shared",
    ["sequential/linear_1/w"] = "flipout", ["sequential/linear_1/b"] = "flipout",
  })
  lu.assertStrContains(text, "estimator")
  lu.assertNil(text:find "Once a step")
end

-- A prior of the user's own reads a tensor beside the product.
function TestTensors.test_a_tensor_may_have_both()
  local o, batch = elbo_of("mlp", LOCAL, {data_size = 100,
    prior = function(w) return -(w ^ 2) end})
  o:gradient(batch, key)
  lu.assertEquals(audited(o)["mlp/linear_0/w"], "local, shared")
end

-- A layer that is called twice has noise of its own each time (local), or the same draw (flipout).
function TestTensors.test_a_layer_used_twice()
  local layer = bnn.nn.linear(5, {bias = false})
  local net = bnn.transform(function(h) return layer(h) - layer(h) end)
  local params = net:init(key:fold "init", x)
  for estimator, is_zero in pairs{[LOCAL] = false, [FLIPOUT] = true} do
    local q = bnn.posterior.meanfield(params, {logvar = 0})
    local o = bnn.objective{posterior = q, beta = 0, estimator = estimator, loss = function(p, b)
      return (net:apply(p, b.x) ^ 2):sum(2)
    end}
    local _, loss = o:gradient({x = x}, key)
    lu.assertEquals(loss < 1e-8, is_zero, estimator)
  end
end

-- Points stay what they are, and learn as ever.
function TestTensors.test_points()
  for _, estimator in ipairs{LOCAL, FLIPOUT} do
    local net, inputs = make.mlp()
    local q = bnn.posterior.meanfield(net:init(key:fold "init", inputs),
      {only = {"mlp/linear_1"}, logvar = -30})
    local o = bnn.elbo{net = net, posterior = q, beta = 0, estimator = estimator}
    local shared = bnn.elbo{net = net, posterior = q, beta = 0}
    local batch = {x = inputs, y = y}
    assert_near(o:gradient(batch, key).flat, shared:gradient(batch, key).flat, 1e-4, estimator)
    local state = bnn.optim.adam{lr = 0.1}:init(o)
    local before = q:clone()
    assert(o:step(state, batch, key))
    for _, name in ipairs(q:names()) do
      bits.assert_differ(q.mu[name], before.mu[name], name)
    end
  end
end

-- IVON takes them too: a gradient of a log-variance is half of theta - mu times that of a weight.
function TestTensors.test_ivon()
  local net, inputs = make.mlp()
  local params = net:init(key:fold "init", inputs)
  local o = bnn.elbo{net = net, posterior = bnn.posterior.meanfield(params, {logvar = -4}),
                     data_size = N, estimator = LOCAL}
  local state = bnn.optim.ivon{lr = 0.1}:init(o)
  local batch, first, last = {x = inputs, y = y}, nil, nil
  for step = 1, 200 do
    last = assert(o:step(state, batch, key:fold(step)))
    first = first or last
  end
  lu.assertTrue(last < first, ("%g, then %g"):format(first, last))
end

-- ---- options ----

TestOptions = {}

-- Of outputs that are linear in the noise a pair's mean is the output at the means.
function TestOptions.test_antithetic_pairs_are_mirror_images()
  local net, inputs = make.without_bias()
  local params = net:init(key:fold "init", inputs)
  local q = bnn.posterior.meanfield(params, {logvar = 1})
  local function loss(w, batch) return net:apply(w, batch.x):sum(2) end
  local at_mean = net:apply(params, inputs):sum(2):mean():item()
  for _, estimator in ipairs{LOCAL, FLIPOUT} do
    local function of(opts)
      opts.posterior, opts.loss, opts.beta, opts.estimator = q, loss, 0, estimator
      return select(2, bnn.objective(opts):gradient({x = inputs}, key))
    end
    lu.assertAlmostEquals(of{num_samples = 4, antithetic = true}, at_mean, 1e-5, estimator)
    lu.assertTrue(math.abs(of{num_samples = 4} - at_mean) > 1e-2, estimator)
  end
end

function TestOptions.test_ivon_takes_them_by_its_first_estimate_only()
  local o, batch = elbo_of("mlp", LOCAL)
  o.data_size = N
  local state = bnn.optim.ivon{lr = 0.01}:init(o)
  lu.assertNotNil(o:step(state, batch, key))
  state = bnn.optim.ivon{lr = 0.01, hessian = "gradsq"}:init(o)
  local before = o.posterior.mu.flat:clone()
  local _, message = o:step(state, batch, key)
  lu.assertStrContains(message, "ivon: expected the estimator reparameterization, as these options "
    .. "need the gradient of each sample, got local_reparameterization")
  bits.assert_same(o.posterior.mu.flat, before)
end

function TestOptions.test_the_text_names_it()
  lu.assertStrContains(tostring(elbo_of("mlp", LOCAL)), "estimator=local_reparameterization, ")
  lu.assertNil(tostring(elbo_of("mlp", SHARED)):find "estimator")
end

-- Steps are recorded anew when it changes; the default has the bits of an objective without it.
function TestOptions.test_it_may_change()
  local o, batch = elbo_of("mlp", FLIPOUT)
  local d = o:gradient(batch, key)
  o.estimator = SHARED
  local plain = elbo_of("mlp", nil)
  bits.assert_same(o:gradient(batch, key).flat, plain:gradient(batch, key).flat)
  bits.assert_differ(o:gradient(batch, key).flat, d.flat)
  lu.assertEquals(o.recordings, 2)
end

function TestOptions.test_refusals()
  local net, inputs = make.mlp()
  local params = net:init(key:fold "init", inputs)
  local function made(estimator, posterior)
    return {net = net, estimator = estimator, posterior = posterior}
  end
  raises("estimator: expected one of reparameterization, local_reparameterization, flipout, got",
    bnn.elbo, made("lrt", bnn.posterior.meanfield(params)))
  raises("bnn.elbo: estimator: local_reparameterization needs a posterior of family meanfield, "
    .. "got radial", bnn.elbo, made(LOCAL, bnn.posterior.radial(params)))
  raises("bnn.objective: estimator: expected a posterior beside flipout, got params", bnn.objective,
    {params = params, net = net, likelihood = "categorical", estimator = FLIPOUT})
  local own = bnn.posterior.define{name = "own", buffers = {mu = "params"},
                                   sample = function(phi) return phi.mu end,
                                   kl = function() return 0 end}
  raises("flipout needs a posterior of family meanfield or radial, got own", bnn.elbo,
    made(FLIPOUT, own(params)))
  local o, batch = elbo_of("mlp", LOCAL)
  o.posterior = bnn.posterior.radial(params)
  raises("local_reparameterization does not suit a radial posterior", o.gradient, o, batch, key)
end

-- A user's own call of linear is one too, and its misuse is linear's.
function TestOptions.test_ops_in_a_loss()
  local params = bnn.nn.linear(3):init(key, x)
  local function of(b)
    return bnn.objective{
      posterior = bnn.posterior.meanfield(params), beta = 0, estimator = FLIPOUT, data_size = N,
      loss = function(p, batch) return bnn.linear(batch.x, p["linear/w"], b):sum(2) end,
    }
  end
  local o = of(bnn.zeros(3))
  o:gradient({x = x}, key)
  lu.assertEquals(audited(o), {["linear/w"] = "flipout", ["linear/b"] = "unused"})
  local bad = of(bnn.ones(2, 2))
  raises("linear: b: expected [3] for w [5, 3], got [2, 2]", bad.gradient, bad, {x = x}, key)
end

-- ---- what the runtime offers for them ----

TestRecording = {}

local core = require "bnn.core"

-- f stands in for the op, but not for those that it records itself without a result.
function TestRecording.test_a_function_stands_in_for_an_op()
  local rec, seen = core.recording(), {}
  local a, b = rec:input({2}), rec:input({2})
  rec:substitute{mul = function(u, v, ...)
    seen[#seen + 1] = select("#", ...)
    if #seen > 1 then return nil end
    return u * v + 1
  end}
  local product = a * b
  local program = rec:finish({product})
  lu.assertEquals(program:run{bnn.tensor{2, 3}, bnn.tensor{5, 7}}[1]:totable(), {11, 22})
  lu.assertEquals(seen, {0, 0})
  raises("the recording has ended", program.substitute, program, {})
  raises("table expected", rec.substitute, core.recording(), 5)
end

function TestRecording.test_what_a_program_uses()
  local rec = core.recording()
  local a = rec:input({2})
  local kept, dropped = a + 1, a * 2
  local program = rec:finish({kept})
  lu.assertEquals(program:uses{a, kept, dropped}, {true, true, false})
  lu.assertEquals(program:uses{}, {})
  raises("value 1: expected one of this program", program.uses, program, {bnn.ones(2)})
  raises("value 2: expected one of this program", program.uses, program,
    {a, core.recording():input({2})})
end

os.exit(lu.LuaUnit.run())
