--- Predictions: the mean over networks drawn from the posterior, and how much they differ.
local core = require "bnn.core"
local likelihoods = require "bnn.likelihood"
local options = require "bnn.options"
local record = require "bnn.record"
local tree = require "bnn.tree"

local M = {}

-- Rows that go through the networks at a time.
local CHUNK = 250

-- model -> programs that have been recorded for it, by what they compute and the shapes.
local programs = setmetatable({}, {__mode = "k"})

local function program_for(model, what, source, output, opts)
  local known = programs[model]
  if not known or known.net ~= model.net or known.likelihood ~= model.likelihood then
    known = {net = model.net, likelihood = model.likelihood}
    programs[model] = known
  end
  local rows = source.x:size(1)
  local n = math.min(rows, CHUNK)
  local name = what .. ":" .. record.shape_key(source, n)
  if not known[name] then
    local program, nodes = record.model(model, source, n, output, opts)
    if not program:info().has_rows and rows ~= n then
      name = what .. ":" .. record.shape_key(source, rows) -- an op mixes rows: all at once
      program, nodes = record.model(model, source, rows, output, opts)
    end
    known[name] = {program = program, nodes = nodes}
  end
  return known[name]
end

-- Mean and std [n, w] of output(net(x), y) over sampled networks.
local function run(model, what, source, output, opts)
  local mu, logvar = record.parameters_of(model, what)
  local made = program_for(model, what, source, output, {train = opts.train})
  local spec = {x = made.nodes.x, y = made.nodes.y, key = made.nodes.key, samples = opts.samples,
                first = opts.first}
  local mean, std = core.predict(made.program, spec, mu.flat, logvar and logvar.flat, opts.key,
    source.x, source.y)
  if not mean then require "bnn.experiment".demand(nil, what:gsub("%+$", "") .. ": " .. std) end
  return mean, std
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

--- What a model says of inputs, over sampled networks; in constant memory whatever their number.
-- @param model an objective, or a table {net=, posterior= or params=, likelihood=}
-- @param x tensor [n, ...] or part of a data set; uint8 images are divided by 255
-- @param opts table: samples=100 (1 without a posterior), key=, train=false (true keeps dropout
--   on), first=1 (the first sample's number, to go on where another call ended)
-- @return table of tensors: mean and std [n, w], the mean and the population standard deviation
--   over samples of what the likelihood predicts (probabilities, means); for classes also class i32
--   [n] (0..C-1, the largest mean), probability [n], class_std [n] (the std of that class) and
--   entropy [n] (of the mean, nats); for a Gaussian likelihood total_std [n, w], noise included
function M.predict(model, x, opts)
  opts = options.check("bnn.predict", opts, {
    samples = {type = "integer", min = 1},
    key = {type = "key", required = true},
    train = {type = "boolean", default = false},
    first = {type = "integer", min = 1, default = 1},
  })
  x = check_rows(x, "bnn.predict")
  record.parameters_of(model, "bnn.predict")
  local likelihood = likelihoods.of(model.likelihood, 2)
  opts.samples = opts.samples or ((model.posterior or opts.train) and 100 or 1)
  local output = likelihood.predict or function(y) return y end
  local mean, std = run(model, "predict" .. (opts.train and "+" or ""), {x = x}, output, opts)
  local result = {mean = mean, std = std}
  if likelihood.classes then
    local best = mean:argmax(-1)
    local at = best:reshape(best:size(1), 1)
    result.class = (best:real() - 1):to("i32")
    result.probability = mean:gather(at, -1):reshape(best:size(1))
    result.class_std = std:gather(at, -1):reshape(best:size(1))
    result.entropy = entropy(mean)
  elseif likelihood.sigma then
    result.total_std = (std ^ 2 + likelihood.sigma ^ 2):sqrt()
  end
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
  local likelihood = likelihoods.of(model.likelihood, 2)
  local source = {x = data.x:contiguous(), y = data.y and data.y:contiguous()}
  local mean = run(model, "log_likelihood", source, likelihood.log_prob, opts)
  return mean:mean():item()
end

return M
