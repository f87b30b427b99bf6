--- Predictions: the mean over networks drawn from the posterior, and how much they differ.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local describe = require "bnn.base.describe"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local lru_cache = require "bnn.base.lru_cache"
local likelihoods = require "bnn.model.likelihood"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local trace_model = require "bnn.autodiff.trace_model"
local refusal = require "bnn.base.refusal"
local renamed = require "bnn.base.renamed"
local shapes = require "bnn.base.shapes"
local pytree = require "bnn.params.pytree"

local M = {}

-- Rows that go through the networks at a time: a multiple of 16, so that with OpenBLAS's AVX-512
-- kernels no row falls into the rest of a tile, whose last digits may differ (with 250 rows they do
-- in narrow networks; its AVX2 kernels mind a row's place in any chunk).
-- Programs that are kept for a model.
local CHUNK, KEPT = 240, 16

-- With num_samples = "auto" the standard error is looked at whenever there are a multiple of so
-- many; a multiple of the networks that the runtime draws at once.
local LOOK = 16

-- Probabilities need no scale: that a mean is known to 0.02; for 1000 samples at the most.
local TOLERANCE, MAX_SAMPLES = 0.02, 1000

-- model -> programs that have been recorded for it, by what they compute and the shapes.
local programs = setmetatable({}, {__mode = "k"})

-- What a recorded program depends on besides shapes.
local RECORDED = {"net", "likelihood", "loss"}

local function programs_of(model)
  local known = programs[model]
  for _, field in ipairs(RECORDED) do
    if known and known[field] ~= model[field] then known = nil end
  end
  if not known then
    known = {made = lru_cache.new(KEPT)}
    for _, field in ipairs(RECORDED) do known[field] = model[field] end
    programs[model] = known
  end
  return known.made
end

local function program_for(model, what, source, f, chunk)
  local known = programs_of(model)
  local rows = source.x:size(1)
  local n = chunk or math.min(rows, CHUNK)
  local name = what .. ":" .. trace_model.shape_key(source, n)
  local made = known:get(name)
  if made then return made end
  local function outputs(params, batch, key) return {f(params, batch, key)} end
  local program, nodes = trace_model.model(model, source, n, outputs, {})
  if not program:info().has_rows and rows ~= n then
    name = what .. ":" .. trace_model.shape_key(source, rows) -- an op mixes rows: all at once
    program, nodes = trace_model.model(model, source, rows, outputs, {})
  end
  return known:put(name, {program = program, nodes = nodes})
end

-- Adds samples until the standard error is small enough or not a number, or there are max_samples.
-- It is looked at for numbers of samples that do not depend on where an earlier call ended.
local function add_until_sure(sums, add, opts)
  while true do
    local n = sums:samples()
    if n >= opts.max_samples then return end
    if n > 0 and n % LOOK == 0 then
      local is_over = sums:standard_error() > opts.tolerance -- a NaN is not: no sample mends it
      if not is_over then return end
    end
    add(math.min(LOOK - n % LOOK, opts.max_samples - n))
  end
end

-- No samples yet, or a copy of those so far, which are to be of the same call.
local function start(program, source, call, opts)
  if not opts.sums then return core.prediction(program, source.x:size(1), opts.classes or false) end
  local ok, fault = opts.sums:check(table.unpack(call, 1, 6))
  if not ok then fail("bnn.predict: previous: %s", fault) end
  return opts.sums:clone()
end

-- The running sums of f(params, batch, key) over sampled networks.
-- @param opts table: key=, num_samples= (a number, or "auto" with tolerance=, max_samples=),
--   first=1, chunk=, classes=, sums= (the samples so far)
local function run(model, what, source, f, opts)
  local name = what:gsub("%+$", "")
  local mu, logvar = expect_model.parameters_of(name, model)
  local made = program_for(model, what, source, f, opts.chunk)
  local spec = {x = made.nodes.x, y = made.nodes.y, key = made.nodes.key, first = opts.first}
  local call = table.pack(made.program, spec, mu.flat, logvar and logvar.flat, opts.key, source.x,
    source.y)
  local sums = start(made.program, source, call, opts)
  local function add(samples)
    spec.samples = samples
    local ok, fault = sums:add(table.unpack(call, 1, 7))
    if not ok then refusal.assert_or_exit(nil, name .. ": " .. fault) end
  end
  if opts.num_samples == "auto" then add_until_sure(sums, add, opts) else add(opts.num_samples) end
  return sums
end

--- Means over a data set of what a function gives for each example, under one draw of the weights.
-- @param model table: posterior or params
-- @param what string: what the function computes, by which its program is found again
-- @param source table: x, y, contiguous
-- @param f function(params, batch, key) -> tensor [n, k]
-- @param opts table: key=
-- @return list of k numbers
function M.means(model, what, source, f, opts)
  local mean = run(model, what, source, f, {key = opts.key, num_samples = 1}):moments()
  return mean:mean(1):totable()
end

local function check_rows(x, what)
  if type(x) == "table" and x.x then x = x.x end
  if pytree.leaf_kind(x) ~= "tensor" or x:dim() == 0 then
    fail.expected(what .. ": x", "a tensor [n, ...] or a part of a data set", x)
  end
  return x:contiguous()
end

-- Raises unless a likelihood's function gave one tensor with a row for each of n examples.
local function check_rows_of(value, name, output, n)
  if not kinds.is_object(value, "tensor") then
    local got = type(output) == "table" and ("%d values from the network"):format(#output)
      or kinds.shown(value)
    fail("bnn.predict: expected %s = function(output) ... end of the likelihood to give one tensor "
      .. "[n, ...], got %s", name, got)
  end
  if value:dim() == 0 or value:size(1) ~= n then
    fail("bnn.predict: %s: expected a row for each of %d examples, got %s", name, n,
      shapes.text(value))
  end
  return value
end

-- What predictions average over networks: a value whose deviation is wanted too and, beside it,
-- what has only a mean, the logits of classes or the variance of a noise that the network gives.
local function predicted(model, likelihood, train)
  return function(params, batch, key)
    local n = batch.x:size(1)
    local output = trace_model.output(model.net, params, batch.x, {key = key, train = train})
    local value = likelihood.predict and likelihood.predict(output) or output
    check_rows_of(value, "predict", output, n)
    if likelihood.variance then
      return value, likelihood.variance(output):reshape(n, n > 0 and value:numel() // n or 0)
    end
    if not (likelihood.classes and likelihood.logits) then return value end
    return value, check_rows_of(likelihood.logits(output), "logits", output, n)
  end
end

-- Where the mean of a row is not a number there is no class either: -1, which no label is.
local function add_classes(result, sums)
  local mean, std = result.mean, result.std
  local best = mean:argmax(-1)
  local at = best:reshape(best:size(1), 1)
  result.probability = mean:gather(at, -1):reshape(best:size(1)) -- a NaN is the largest
  local is_number = result.probability:eq(result.probability)
  result.class = core.ops.where(is_number, best:real() - 1, -1):to("i32")
  result.class_std = std:gather(at, -1):reshape(best:size(1))
  for name, score in pairs(sums:scores()) do result[name] = score end
end

-- Epistemic and aleatoric deviation add up as variances (the law of total variance).
local function add_noise(result, variance)
  result.noise_std = variance:sqrt()
  result.total_std = (result.std ^ 2 + variance):sqrt()
end

-- The old name of a field.
renamed.functions(describe.as("prediction", {}), "prediction", {samples = "num_samples"})

local function result_of(sums, likelihood, opts)
  local mean, std = sums:moments()
  local result = {mean = mean, std = std, num_samples = sums:samples()}
  if opts.classes then add_classes(result, sums) end
  if likelihood.variance then
    add_noise(result, sums:extra())
  elseif likelihood.sigma then
    add_noise(result, core.full(std:shape(), likelihood.sigma ^ 2))
  end
  if opts.num_samples == "auto" then
    result.standard_error = sums:standard_error()
    result.reached = result.standard_error <= opts.tolerance
  end
  return describe.as("prediction", result)
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
  tolerance = {type = "number", above = 0},
  max_samples = {type = "integer", min = 2, max = MOST},
  chunk = {type = "integer", min = 1, max = MOST},
  previous = "table",
  renamed = {samples = "num_samples", continue = "previous"},
}

-- num_samples= and what goes with "auto", in place.
local function check_samples(opts, model)
  local samples = opts.num_samples
  if samples ~= "auto" then
    for _, name in ipairs{"tolerance", "max_samples"} do
      if opts[name] then
        fail('bnn.predict: %s: expected num_samples = "auto" beside it, got %s', name,
          kinds.show(samples))
      end
    end
    if not samples then samples = (model.posterior or opts.train) and 100 or 1 end
    opts.num_samples = math.tointeger(samples)
    if opts.num_samples then return end
    fail('bnn.predict: num_samples: expected an integer or "auto", got %s', kinds.show(samples))
  end
  opts.max_samples = opts.max_samples or MAX_SAMPLES
  opts.tolerance = opts.tolerance or opts.classes and TOLERANCE
  if opts.tolerance then return end
  fail("bnn.predict: tolerance: expected the standard error of the mean that is small "
    .. 'enough for num_samples = "auto", in the units of what is predicted, got nothing')
end

-- prediction -> what a call that adds to it needs, {sums=, net=, likelihood=, train=, ...}.
local carried = setmetatable({}, {__mode = "k"})

-- Fills in what a call that adds to another has from it, and raises for what would be of another.
local function check_previous(opts, model)
  local earlier = carried[opts.previous]
  if not earlier then
    fail("bnn.predict: previous: expected what bnn.predict gave (no copy of that), got %s",
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
        was == nil and "left out" or number.text(was), n, number.text(opts[name]))
    end
  end
  opts.sums = earlier.sums
end

--- Predicts: mean and deviation over networks drawn from the posterior, in constant memory.
-- Sample s has the weights of key:fold(s) and the noise (dropout with train = true, a network that
-- draws) of key:fold("noise"):fold(s), as in a step. So the first S samples are the same however
-- many follow, and in however many calls (`previous`).
--
-- Rows go through the networks 240 at a time, or all of fewer. A set in parts that begin with rows
-- 1, 241, 481, ... gives the bits of the whole if chunk = 240 fills up parts of less than 240 rows.
-- In other parts the last digits may differ: OpenBLAS's AVX2 kernels mind a row's place in a
-- product, those for AVX-512 do not.
-- @param model an objective, or a table {net=, posterior= or params=, likelihood=}
-- @param x tensor [n, ...] or part of a data set; uint8 images are divided by 255
-- @param opts table:
--   num_samples how many networks, 100 (1 without a posterior); or "auto": until the standard error
--               of every mean over networks, sd / sqrt(num_samples) with ddof 1, is at most
--               tolerance, looked at every 16 samples
--   tolerance   of "auto", 0.02 for classes; must be given for other predictions
--   max_samples of "auto", 1000: the most in all
--   key         the draws' key; required
--   train       true keeps dropout on; default false
--   first       the first sample's number, 1
--   chunk       rows at a time; best a multiple of 16
--   previous    what an earlier call with this model, x and key gave: adds num_samples more to
--               its own. It stays as it is. A prediction holds its running sums for this while it
--               lives, 7 times the memory of its mean
-- @return table of tensors:
--   mean, std   [n, w] over samples of what the likelihood predicts (probabilities, means); std is
--               the population standard deviation: epistemic
--   class       i32 [n], of classes: 0..C-1, the largest mean; -1 if that is not a number, as of a
--               NaN among the inputs: every rule abstains
--   probability, class_std [n], of that class
--   entropy, expected_entropy, mutual_information [n] in nats, of classes: of the mean (total); the
--               mean of the samples' (aleatoric); their difference, at least 0 (epistemic)
--   energy      [n], of classes: -logsumexp of the mean logits; nil if the likelihood has no logits
--   variation_ratio [n], of classes: 1 - the largest share of samples that agree on their class
--   noise_std, total_std [n, w], of a Gaussian likelihood: the root of the mean variance of the
--               noise (aleatoric); of both
--   and numbers: num_samples, how many there are; with "auto" standard_error, the largest, and
--   reached, whether it is within the tolerance (never if a prediction is not a number)
-- Raises if the model lacks a network or a likelihood, or `previous` is of another call.
function M.predict(model, x, opts)
  opts = options.check("bnn.predict", opts, OPTIONS)
  check_model("bnn.predict", model)
  local rows = check_rows(x, "bnn.predict")
  classes.check_same("bnn.predict", model, x)
  x = rows
  local likelihood = likelihoods.resolve(model.likelihood)
  opts.classes = likelihood.classes and not likelihood.variance or false
  if opts.previous then check_previous(opts, model) end
  check_samples(opts, model)
  local what = "predict" .. (opts.train and "+" or "")
  local sums = run(model, what, {x = x}, predicted(model, likelihood, opts.train), opts)
  local result = result_of(sums, likelihood, opts)
  carried[result] = {
    sums = sums, net = model.net, likelihood = model.likelihood,
    train = opts.train or false, first = opts.first or 1, chunk = opts.chunk,
  }
  return result
end

--- The mean log-likelihood of a data set in nats an example, under one draw of the weights (or as
-- many as asked, averaged in log space: a bound on the log of the mean).
-- @param model as for predict
-- @param data part of a data set: x, y
-- @param opts table: key=, num_samples=1
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
  local source = {x = data.x:contiguous(), y = y and y:contiguous()}
  local function log_prob(params, batch, key)
    return likelihood.log_prob(trace_model.output(model.net, params, batch.x, {key = key}), batch.y)
  end
  local mean = run(model, "log_likelihood", source, log_prob, opts):moments()
  return mean:mean():item()
end

return M
