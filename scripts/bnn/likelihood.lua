--- Likelihoods p(y | network output): what an objective and predictions need to know of the data.
--
-- A likelihood is a table {name=, log_prob=function(output, y) -> [n], predict=function(output)}:
-- the log-likelihood of each example in nats, and what a prediction averages over networks. One of
-- your own, over ops, works like those here.
local core = require "bnn.core"
local options = require "bnn.options"

local M = {}

-- Sums [n, ...] over all axes but the first.
local function per_example(x)
  if x:dim() == 1 then return x end
  local axes = {}
  for i = 2, x:dim() do axes[#axes + 1] = i end
  return x:sum(axes)
end

--- Classes 0..C-1 from logits [n, C]; y i32 [n]. log p = log softmax(logits)[y]; predictions are
-- probabilities.
function M.categorical()
  return {
    name = "categorical",
    classes = true,
    log_prob = function(logits, y) return -core.ops.cross_entropy(logits, y) end,
    predict = function(logits) return logits:softmax(-1) end,
  }
end

--- Independent binary (or grey, in [0, 1]) targets from logits of the same shape; predictions are
-- probabilities.
function M.bernoulli()
  return {
    name = "bernoulli",
    log_prob = function(logits, y) return per_example(core.ops.bernoulli_log_prob(logits, y)) end,
    predict = function(logits) return logits:sigmoid() end,
  }
end

--- Gaussian targets with a given standard deviation: y ~ N(output, sigma^2).
-- @param opts table: sigma > 0
function M.gaussian(opts)
  opts = options.check("bnn.likelihood.gaussian", opts, {sigma = {type = "number", above = 0, required = true}})
  return {
    name = "gaussian",
    sigma = opts.sigma,
    log_prob = function(mean, y) return per_example(core.ops.gaussian_log_prob(y, mean, opts.sigma)) end,
    predict = function(mean) return mean end,
  }
end

--- A likelihood by its name, or the value itself; raises for anything else.
function M.of(given, level)
  if type(given) == "table" and type(given.log_prob) == "function" then return given end
  if given == "categorical" or given == "bernoulli" then return M[given]() end
  error(("likelihood is %s, wanted 'categorical', 'bernoulli', bnn.likelihood.gaussian{sigma=} or a table with log_prob")
    :format(type(given) == "string" and "'" .. given .. "'" or "a " .. type(given)), (level or 1) + 1)
end

return M
