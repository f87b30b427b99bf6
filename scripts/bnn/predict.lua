--- Predictions: the mean over networks drawn from the posterior, and how much they differ.
local core = require "bnn.core"
local kept = require "bnn.kept"
local likelihoods = require "bnn.likelihood"
local options = require "bnn.options"
local record = require "bnn.record"
local tree = require "bnn.tree"

local M = {}

-- Rows that go through the networks at a time; programs that are kept for a model.
local CHUNK, KEPT = 250, 16

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
    known = {made = kept.new(KEPT)}
    for _, field in ipairs(RECORDED) do known[field] = model[field] end
    programs[model] = known
  end
  return known.made
end

local function program_for(model, what, source, f)
  local known = programs_of(model)
  local rows = source.x:size(1)
  local n = math.min(rows, CHUNK)
  local name = what .. ":" .. record.shape_key(source, n)
  local made = known:get(name)
  if made then return made end
  local function outputs(params, batch, key) return {f(params, batch, key)} end
  local program, nodes = record.model(model, source, n, outputs, {})
  if not program:info().has_rows and rows ~= n then
    name = what .. ":" .. record.shape_key(source, rows) -- an op mixes rows: all at once
    program, nodes = record.model(model, source, rows, outputs, {})
  end
  return known:put(name, {program = program, nodes = nodes})
end

-- Mean and std [n, w] of f(params, batch, key) over sampled networks.
local function run(model, what, source, f, opts)
  local mu, logvar = record.parameters_of(model, what)
  local made = program_for(model, what, source, f)
  local spec = {x = made.nodes.x, y = made.nodes.y, key = made.nodes.key, samples = opts.samples,
                first = opts.first}
  local mean, std = core.predict(made.program, spec, mu.flat, logvar and logvar.flat, opts.key,
    source.x, source.y)
  if not mean then require "bnn.experiment".demand(nil, what:gsub("%+$", "") .. ": " .. std) end
  return mean, std
end

--- Means over a data set of what a function gives for each example, under one draw of the weights.
-- @param model table: posterior or params
-- @param what string: what the function computes, by which its program is found again
-- @param source table: x, y, contiguous
-- @param f function(params, batch, key) -> tensor [n, k]
-- @param opts table: key=
-- @return list of k numbers
function M.means(model, what, source, f, opts)
  local mean = run(model, what, source, f, {key = opts.key, samples = 1})
  return mean:mean(1):totable()
end

local function check_rows(x, what)
  if type(x) == "table" and x.x then x = x.x end
  if tree.leaf_kind(x) ~= "tensor" or x:dim() == 0 then
    error(what .. ": x is to be a tensor [n, ...] or a part of a data set", 3)
  end
  return x:contiguous()
end

-- Entropy of each row of probabilities in nats, 0 log 0 = 0.
local function entropy(p)
  local terms = p * core.ops.where(p:gt(0), p, 1):log()
  return -(terms:sum(-1))
end

-- What a likelihood makes of a network's output, one tensor with a row for each example.
local function predicted_value(likelihood, output, n)
  local value = output
  if likelihood.predict then value = likelihood.predict(output) end
  if tree.leaf_kind(value) ~= "tensor" then
    local what = type(output) == "table" and ("the network gives %d values"):format(#output)
      or "predict gives a " .. type(value)
    error(("bnn.predict: %s, and the likelihood is to make one tensor [n, ...] of its output: "
      .. "predict = function(output) ... end"):format(what), 0)
  end
  if value:dim() == 0 or value:size(1) ~= n then
    error(("bnn.predict: the prediction is [%s], wanted a row for each of %d examples"):format(
      table.concat(value:shape(), ", "), n), 0)
  end
  return value
end

-- What predictions average over networks [n, w]; for a likelihood whose noise the network gives,
-- its variance stands beside it [n, 2 w].
local function predicted(model, likelihood, train)
  return function(params, batch, key)
    local n = batch.x:size(1)
    local output = record.output(model.net, params, batch.x, {key = key, train = train})
    local value = predicted_value(likelihood, output, n)
    if not likelihood.variance then return value end
    local w = n > 0 and value:numel() // n or 0
    local variance = likelihood.variance(output):reshape(n, w)
    return core.ops.concat({value:reshape(n, w), variance}, 2)
  end
end

local function add_classes(result)
  local mean, std = result.mean, result.std
  local best = mean:argmax(-1)
  local at = best:reshape(best:size(1), 1)
  result.class = (best:real() - 1):to("i32")
  result.probability = mean:gather(at, -1):reshape(best:size(1))
  result.class_std = std:gather(at, -1):reshape(best:size(1))
  result.entropy = entropy(mean)
end

-- Epistemic and aleatoric deviation add up as variances (the law of total variance).
local function add_noise(result, variance)
  result.noise_std = variance:sqrt()
  result.total_std = (result.std ^ 2 + variance):sqrt()
end

local function check_model(model)
  record.parameters_of(model, "bnn.predict")
  if type(model.net) == "table" and type(model.net.apply) == "function" then return end
  error("bnn.predict: the model has no net= to predict with: {net=, posterior= or params=, "
    .. "likelihood=}", 3)
end

--- What a model says of inputs, over sampled networks; in constant memory whatever their number.
-- @param model an objective, or a table {net=, posterior= or params=, likelihood=}
-- @param x tensor [n, ...] or part of a data set; uint8 images are divided by 255
-- @param opts table: samples=100 (1 without a posterior), key=, train=false (true keeps dropout
--   on), first=1 (the first sample's number, to go on where another call ended)
-- @return table of tensors: mean and std [n, w], the mean and the population standard deviation
--   over samples of what the likelihood predicts (probabilities, means); for classes also class i32
--   [n] (0..C-1, the largest mean), probability [n], class_std [n] (the std of that class) and
--   entropy [n] (of the mean, nats); for a Gaussian likelihood noise_std [n, w], the root of the
--   mean variance of the noise (aleatoric), and total_std [n, w], of that and std (epistemic)
function M.predict(model, x, opts)
  opts = options.check("bnn.predict", opts, {
    samples = {type = "integer", min = 1},
    key = {type = "key", required = true},
    train = {type = "boolean", default = false},
    first = {type = "integer", min = 1, default = 1},
  })
  x = check_rows(x, "bnn.predict")
  check_model(model)
  local likelihood = likelihoods.of(model.likelihood, 2)
  opts.samples = opts.samples or ((model.posterior or opts.train) and 100 or 1)
  local what = "predict" .. (opts.train and "+" or "")
  local mean, std = run(model, what, {x = x}, predicted(model, likelihood, opts.train), opts)
  if likelihood.variance then
    local w = mean:size(2) // 2
    local result = {mean = mean:narrow(2, 1, w):clone(), std = std:narrow(2, 1, w):clone()}
    add_noise(result, mean:narrow(2, w + 1, w))
    return result
  end
  local result = {mean = mean, std = std}
  if likelihood.classes then add_classes(result) end
  if likelihood.sigma then add_noise(result, core.full(std:shape(), likelihood.sigma ^ 2)) end
  return result
end

--- The mean log-likelihood of a data set in nats an example, under one draw of the weights (or as
-- many as asked, averaged in log space: a bound on the log of the mean).
-- @param model as for predict
-- @param data part of a data set: x, y
-- @param opts table: key=, samples=1
function M.log_likelihood(model, data, opts)
  opts = options.check("log_likelihood", opts, {
    key = {type = "key", required = true},
    samples = {type = "integer", min = 1, default = 1},
  })
  check_model(model)
  local likelihood = likelihoods.of(model.likelihood, 2)
  local source = {x = data.x:contiguous(), y = data.y and data.y:contiguous()}
  local function log_prob(params, batch, key)
    return likelihood.log_prob(record.output(model.net, params, batch.x, {key = key}), batch.y)
  end
  local mean = run(model, "log_likelihood", source, log_prob, opts)
  return mean:mean():item()
end

return M
