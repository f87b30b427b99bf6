--- Predictions: the mean over networks drawn from the posterior, and how much the networks differ.
local classes = require "bnn.model.classes"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local likelihoods = require "bnn.model.likelihood"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local prediction_result = require "bnn.predict.prediction_result"
local posteriors = require "bnn.posterior.posterior_class"
local prediction_sums = require "bnn.predict.prediction_sums"
local trace_model = require "bnn.autodiff.trace_model"

local M = {}

-- Probabilities need no scale: that a mean is known to 0.02; for 1000 samples at the most.
local TOLERANCE, MAX_SAMPLES = 0.02, 1000

local function contiguous(tensor) return tensor:contiguous() end

local function check_rows(x, what)
  if type(x) == "table" and x.x then x = x.x end
  if named_tensors.is_named(x) then
    named_tensors.check(what .. ": x", x)
  elseif not kinds.is_object(x, "tensor") or x:dim() == 0 then
    fail.expected(what .. ": x", "a tensor [n, ...], tensors by name or a part of a data set", x)
  end
  return named_tensors.map(x, contiguous)
end

local function check_model(what, model)
  expect_model.parameters_of(what, model)
  expect_model.net(what .. ": model.net", model.net)
end

local MOST = (1 << 31) - 1 -- samples, as the runtime counts them

local OPTIONS = {
  num_samples = {type = "number|string", min = 1, max = MOST},
  key = {type = "key", required = true},
  train = {type = "boolean"},
  first = {type = "integer", min = 1, max = MOST},
  tolerance = "number|table",
  max_samples = {type = "integer", min = 2, max = MOST},
  chunk = {type = "integer", min = 1, max = MOST},
  previous = "table",
  draws = "boolean",
  progress = "boolean",
  renamed = {samples = "num_samples", continue = "previous"},
}

-- How many networks there are to predict with, or nil: any number. With dropout on each draw of a
-- point is another.
local function support_of(model, opts)
  return posteriors.of_model("bnn.predict", model):support(opts.train)
end

local function keeps_dropout(what, model)
  return posteriors.of_model(what, model):keeps_dropout()
end

-- The members of an ensemble are each as likely as any other, so none counts twice. A point may:
-- its network may draw noise of its own.
local function check_support(opts, support)
  local done = opts.sums and opts.sums:samples() or 0
  if not support or support == 1 or done + opts.num_samples <= support then return end
  fail("bnn.predict: num_samples: expected at most %d, the number of networks in the "
    .. "posterior, got %d", support, done + opts.num_samples)
end

local TOLERANCE_SPEC = {type = "number", above = 0}

-- The tolerance of a head that may have a name: one for all, or by name; or raises.
local function tolerance_of(given, name, are_classes)
  local where = name and "bnn.predict: tolerance: " .. name or "bnn.predict: tolerance"
  if type(given) == "table" then given = name and given[name] end
  if given ~= nil then return expect.value(where, given, TOLERANCE_SPEC) end
  if are_classes then return TOLERANCE end
  fail("%s: expected the largest acceptable standard error of the mean "
    .. 'for num_samples = "auto", in the units of the prediction, got nothing', where)
end

-- Raises for tolerances by name that no target has.
local function check_tolerance_names(given, targets)
  for name in pairs(type(given) == "table" and given or {}) do
    if not (targets and targets[name]) then
      fail("bnn.predict: tolerance: expected %s, got an entry '%s'",
        targets and "the names of targets" or "a number", tostring(name))
    end
  end
end

-- The tolerances of all heads.
local function tolerances_of(opts, likelihood)
  check_tolerance_names(opts.tolerance, likelihood.targets)
  local list, names = prediction_result.likelihoods(likelihood)
  local tolerances = {}
  for h in ipairs(list) do
    tolerances[h] = tolerance_of(opts.tolerance, names and names[h], opts.classes[h])
  end
  return tolerances
end

-- num_samples= and what goes with "auto", in place.
local function check_samples(opts, model, likelihood)
  local samples = opts.num_samples
  if samples ~= "auto" then
    for _, name in ipairs{"tolerance", "max_samples"} do
      if opts[name] then
        fail('bnn.predict: %s: expected num_samples = "auto" with it, got %s', name,
          kinds.show(samples))
      end
    end
    local support = support_of(model, opts)
    opts.num_samples = math.tointeger(samples or support or 100)
    if opts.num_samples then
      check_support(opts, support)
      return
    end
    fail('bnn.predict: num_samples: expected an integer or "auto", got %s', kinds.show(samples))
  end
  local support = support_of(model, opts)
  local most = support and support > 1 and support or MOST -- a point may have noise of its own
  opts.max_samples = math.min(opts.max_samples or MAX_SAMPLES, most)
  opts.tolerances = tolerances_of(opts, likelihood)
end

-- prediction -> what a call that adds to it needs, {sums=, net=, likelihood=, train=, ...}.
local carried = setmetatable({}, {__mode = "k"})

-- Fills in what a call that adds to another has from it, and raises for what would be of another.
local function check_previous(opts, model)
  local earlier = carried[opts.previous]
  if not earlier then
    fail("bnn.predict: previous: expected a result of bnn.predict itself (not a copy), got %s",
      kinds.shown(opts.previous))
  end
  local n = earlier.sums:samples()
  for _, name in ipairs{"net", "likelihood"} do
    if earlier[name] ~= model[name] then
      fail("bnn.predict: previous: expected the model's %s of the %d samples so far, got another",
        name, n)
    end
  end
  for _, name in ipairs{"train", "first", "chunk"} do
    local was = earlier[name]
    if opts[name] == nil then opts[name] = was end
    if opts[name] ~= was then
      fail("bnn.predict: previous: expected %s %s, as for the %d samples so far, got %s", name,
        was == nil and "not given" or number.text(was), n, number.text(opts[name]))
    end
  end
  opts.sums = earlier.sums
end

--- Predicts: the mean and deviation over networks drawn from the posterior, in constant memory.
--     local p = bnn.predict(model, x, {key = key, num_samples = 100})
--     print(p.class, p.probability)            -- i32 [n], [n]
--     print(p.mean, p.std)                     -- [n, 10], [n, 10]
--     print(p.mutual_information)              -- [n] in nats: epistemic uncertainty
-- Dropout that stays on is a posterior too, bnn.posterior.mc_dropout (Gal and Ghahramani 2016);
-- mutual information is the disagreement of networks (Houlsby et al. 2011).
-- Sample s has the weights of key:fold(s) and the noise (dropout with train = true, a network that
-- draws) of key:fold("noise"):fold(s), as in a training step. So the first S samples are the same
-- however many follow, and in however many calls (`previous`).
--
-- Networks process 240 rows at a time. Predicting a set in parts gives the bits of the whole if the
-- parts begin with rows 1, 241, 481, ... and chunk = 240 pads parts of fewer rows. With other parts
-- the last digits may differ: in OpenBLAS's AVX2 kernels (not in those for AVX-512) a result
-- depends on the row's place in the product.
-- @param model an objective, or a table {net=, posterior= or params=, likelihood=}
-- @param x tensor [n, ...], tensors by name or part of a data set; uint8 images are divided by 255
-- @param opts table:
--   num_samples number of networks, default 100 (1 for point estimates, all members of an
--               ensemble); or "auto": until the standard error of every mean over networks, sd /
--               sqrt(num_samples) with ddof 1, is at most tolerance, checked every 16 samples
--   tolerance   for "auto"; default 0.02 for classes, required for other predictions. Of several
--               targets one number for all, or a table by target
--   max_samples for "auto"; default 1000: the largest number of samples
--   key         the key of the draws; required
--   train       true keeps dropout on; default false, true of bnn.posterior.mc_dropout
--   first       the number of the first sample, default 1
--   chunk       rows at a time; best a multiple of 16
--   progress    false shows no progress on stderr
--   draws       true keeps what each network says, in twice the time, for metrics of the mixture
--   previous    the result of an earlier call with this model, x and key, to which this call adds
--               num_samples more. It does not change. A prediction keeps its running sums for this
--               purpose: 7 times the memory of its mean
-- @return table of tensors:
--   mean, std   [n, w] over samples of what the likelihood predicts (probabilities, means); std is
--               the population standard deviation: epistemic
--   class       i32 [n], of classes: 0..C-1, the largest mean; -1 if the mean is NaN, such as for
--               inputs with NaN: every rule abstains
--   probability, class_std [n], of that class
--   entropy, expected_entropy, mutual_information [n] in nats, of classes: the entropy of the mean
--               (total); the mean entropy of the samples (aleatoric); their difference, at least 0
--               (epistemic)
--   energy      [n], of classes: -logsumexp of the mean logits; nil if the likelihood has no logits
--   variation_ratio [n], of classes: 1 - the largest share of samples that agree on their class
--               of sequences, mean and std are [n, t, C], class, probability and class_std [n, t];
--               entropies and mutual_information [n] are sums over positions; energy and
--               variation_ratio are nil
--   noise_std, total_std [n, w], of a likelihood of numbers that have a variance: the root of the
--               mean noise variance (aleatoric); the root of the total variance
--   draws       [samples, n, w] of each network, and draws_std, its noise's, of a likelihood of
--               numbers that have a variance; with draws = true
--   and numbers: num_samples, the number of samples; with "auto" standard_error, the largest one,
--   and reached, whether it is within the tolerance (never if a prediction is NaN).
--   Of targets by name it is a table of such predictions, p.class.mean, p.age.std, made in one pass
-- Raises if the model lacks a network or a likelihood, for draws with `previous`, or if that came
-- from a different call.
function M.predict(model, x, opts)
  opts = options.check("bnn.predict", opts, OPTIONS)
  check_model("bnn.predict", model)
  local rows = check_rows(x, "bnn.predict")
  classes.check_same("bnn.predict", model, x)
  local likelihood = likelihoods.resolve(model.likelihood)
  opts.classes = {}
  for h, own in ipairs((prediction_result.likelihoods(likelihood))) do
    opts.classes[h] = own.classes and not own.variance or false
  end
  if opts.previous and opts.draws then
    fail "bnn.predict: draws: expected none with previous=, whose draws were not kept"
  end
  if opts.previous then check_previous(opts, model) end
  if opts.train == nil then opts.train = keeps_dropout("bnn.predict", model) end
  check_samples(opts, model, likelihood)
  local what = "predict" .. (opts.train and "+" or "")
  local averaged = prediction_result.averaged(model, likelihood, opts.train)
  local sums, shapes = prediction_sums.run(model, what, {x = rows}, averaged, opts)
  local result = prediction_result.of(sums, likelihood, opts, shapes)
  if opts.draws then
    prediction_result.add_draws(result, likelihood, function(s)
      local one = {num_samples = 1, first = s, key = opts.key, chunk = opts.chunk, progress = false,
                   classes = opts.classes, train = opts.train}
      return (prediction_sums.run(model, what, {x = rows}, averaged, one))
    end, opts.first or 1)
  end
  carried[result] = {
    sums = sums, net = model.net, likelihood = model.likelihood,
    train = opts.train or false, first = opts.first or 1, chunk = opts.chunk,
  }
  return result
end

--- Computes the mean log-likelihood of a data set, in nats per example, under one draw of the
-- weights. Several draws are averaged in log space, which bounds the log of the mean from below.
--     print(bnn.log_likelihood(model, data.test, {key = key, num_samples = 10}))
-- @param model as for predict
-- @param data part of a data set: x, y
-- @param opts table: key=, required; num_samples=1
-- @return number
-- Raises if the data do not fit the likelihood.
function M.log_likelihood(model, data, opts)
  opts = options.check("bnn.log_likelihood", opts, {
    key = {type = "key", required = true},
    num_samples = {type = "integer", min = 1, default = 1},
    renamed = {samples = "num_samples"},
  })
  check_model("bnn.log_likelihood", model)
  expect_model.data("bnn.log_likelihood: data", data)
  local likelihood = likelihoods.resolve(model.likelihood)
  classes.check_same("bnn.log_likelihood", model, data)
  local y = classes.targets("bnn.log_likelihood", likelihood, data.y)
  local source = {x = named_tensors.map(data.x, contiguous),
                  y = named_tensors.map(y, contiguous)}
  local train = keeps_dropout("bnn.log_likelihood", model)
  opts.train = train
  local function log_prob(params, batch, key)
    local output = trace_model.prediction(model.net, params, batch.x, key, train)
    return {{(likelihood.log_prob(output, batch.y))}}
  end
  local mean = prediction_sums.run(model, "log_likelihood", source, log_prob, opts):moments()
  return mean:mean():item()
end

return M
