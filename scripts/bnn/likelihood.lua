--- Likelihoods p(y | network output): what an objective and predictions need to know of the data.
--
-- A likelihood is a table {name=, log_prob=function(output, y) -> [n], predict=function(output)}:
-- the log-likelihood of each example in nats, and what a prediction averages over networks (the
-- output itself without predict). One of your own, over ops, works like those here.
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

-- Raises unless y has the shape of the output: [n, 1] against [n] would broadcast to [n, n].
local function check_targets(name, output, y)
  if y == nil then error(name .. ": the data have no targets y", 0) end
  local wanted, got = table.concat(output:shape(), ", "), table.concat(y:shape(), ", ")
  if got ~= wanted then
    error(("%s: the network's output is [%s], y is [%s]"):format(name, wanted, got), 0)
  end
end

--- Classes 0..C-1 from logits [n, C]; y i32 [n]. log p = log softmax(logits)[y]; predictions are
-- probabilities.
function M.categorical()
  return {
    name = "categorical",
    classes = true,
    log_prob = function(logits, y)
      if y == nil then error("categorical: the data have no labels y", 0) end
      return -core.ops.cross_entropy(logits, y)
    end,
    predict = function(logits) return logits:softmax(-1) end,
  }
end

--- Independent binary (or grey, in [0, 1]) targets from logits of the same shape; predictions are
-- probabilities.
function M.bernoulli()
  return {
    name = "bernoulli",
    log_prob = function(logits, y)
      check_targets("bernoulli", logits, y)
      return per_example(core.ops.bernoulli_log_prob(logits, y))
    end,
    predict = function(logits) return logits:sigmoid() end,
  }
end

--- Gaussian targets with a given standard deviation: y ~ N(output, sigma^2).
-- @param opts table: sigma > 0
function M.gaussian(opts)
  opts = options.check("bnn.likelihood.gaussian", opts, {
    sigma = {type = "number", above = 0, required = true},
  })
  return {
    name = "gaussian",
    sigma = opts.sigma,
    log_prob = function(mean, y)
      check_targets("gaussian", mean, y)
      return per_example(core.ops.gaussian_log_prob(y, mean, opts.sigma))
    end,
    predict = function(mean) return mean end,
  }
end

--- A likelihood by its name, or the value itself; raises for anything else.
function M.of(given, level)
  if type(given) == "table" and type(given.log_prob) == "function" then return given end
  if given == "categorical" or given == "bernoulli" then return M[given]() end
  local what = type(given) == "string" and "'" .. given .. "'" or given and "a " .. type(given)
  error(("likelihood is %s, wanted 'categorical', 'bernoulli', bnn.likelihood.gaussian{sigma=} "
    .. "or a table with log_prob"):format(what or "missing"), (level or 1) + 1)
end

return M
