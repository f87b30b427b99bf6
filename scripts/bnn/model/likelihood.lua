--- Likelihoods p(y | network output): what an objective and predictions need to know of the data.
--
-- A likelihood is a table {name=, log_prob=function(output, y) -> [n], predict=function(output)}:
-- the log-likelihood of each example in nats, and what a prediction averages over networks (the
-- output itself without predict). `classes = true` says that predictions are probabilities of
-- classes, logits=function(output) -> [n, C] what they are the softmax of (for the energy), sigma=
-- or variance=function(output) what the noise is. One of your own, over ops, works like those here.
local core = require "bnn.core"
local describe = require "bnn.base.describe"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"
local renamed = require "bnn.base.renamed"
local strings = require "bnn.base.strings"

local M = {}

-- The likelihoods that are made here: of these a name and sigma say everything.
local made_here = setmetatable({}, {__mode = "k"})

local function known(likelihood)
  made_here[likelihood] = true
  return describe.as("likelihood", likelihood)
end

-- Sums [n, ...] over all axes but the first.
local function per_example(x)
  if x:dim() == 1 then return x end
  local axes = {}
  for i = 2, x:dim() do axes[#axes + 1] = i end
  return x:sum(axes)
end

-- Raises unless the network gives one tensor: what it gives is a list when there are several.
local function check_one(name, output, wanted)
  if type(output) ~= "table" then return end
  fail("bnn.likelihood.%s: expected %s from the network, got %d values", name, wanted, #output)
end

-- Raises unless y has the shape of the output: [n, 1] against [n] would broadcast to [n, n].
local function check_targets(name, output, y)
  check_one(name, output, "one tensor of the shape of y")
  if y == nil then fail("bnn.likelihood.%s: expected targets y, the data have none", name) end
  if not shapes.equal(output, y) then
    fail("bnn.likelihood.%s: expected y %s, the shape of the network's output, got %s", name,
      shapes.text(output), shapes.text(y))
  end
end

local function check_logits(output)
  check_one("categorical", output, "one tensor of logits [n, C]")
end

--- Classes 0..C-1 from logits [n, C]; y i32 [n]. log p = log softmax(logits)[y]; predictions are
-- probabilities.
function M.categorical()
  return known{
    name = "categorical",
    classes = true,
    log_prob = function(logits, y)
      check_logits(logits)
      if y == nil then fail "bnn.likelihood.categorical: expected labels y, the data have none" end
      return -core.ops.cross_entropy(logits, y)
    end,
    predict = function(logits)
      check_logits(logits)
      return logits:softmax(-1)
    end,
    logits = function(logits) return logits end,
  }
end

--- Independent binary (or grey, in [0, 1]) targets from logits of the same shape; predictions are
-- probabilities.
function M.bernoulli()
  return known{
    name = "bernoulli",
    log_prob = function(logits, y)
      check_targets("bernoulli", logits, y)
      return per_example(core.ops.bernoulli_log_prob(logits, y))
    end,
    predict = function(logits)
      check_one("bernoulli", logits, "one tensor of logits")
      return logits:sigmoid()
    end,
  }
end

--- Counts y = 0, 1, 2, ... as real numbers, from the logarithms of their rates in the same shape,
-- [n] or [n, d]: y ~ Poisson(e^output); predictions are rates. y:real() converts counts of an
-- integer type (left as u8 they would be taken for intensities, y / 255).
function M.poisson()
  return known{
    name = "poisson",
    log_prob = function(log_rate, y)
      check_targets("poisson", log_rate, y)
      if y:dtype() ~= core.real then
        fail("bnn.likelihood.poisson: expected y of type %s, got %s: y:real() converts", core.real,
          y:dtype())
      end
      return per_example(core.ops.poisson_log_prob(y, log_rate))
    end,
    predict = function(log_rate)
      check_one("poisson", log_rate, "one tensor of logarithms of rates")
      return log_rate:exp()
    end,
  }
end

-- The two values of a network that gives its own noise; log sigma is [n, d] or broadcasts to it.
local function mean_and_log_sigma(output)
  if type(output) ~= "table" or #output ~= 2 then
    fail("bnn.likelihood.gaussian: expected two values from the network, mean and log sigma; "
      .. "gaussian{sigma = 1} has a given noise")
  end
  return output[1], output[2]
end

--- Gaussian targets: y ~ N(mean, sigma^2), y and mean [n, ...].
-- @param opts table: sigma > 0, the noise's standard deviation. Without it the noise is learned:
--   the network gives two values, mean and log sigma, of mean's shape or one that broadcasts to it
--   (a parameter of its own: bnn.nn.parameter("log_sigma", {1}, bnn.nn.zeros)); predictions then
--   have the mean variance as noise_std^2
function M.gaussian(opts)
  opts = options.check("bnn.likelihood.gaussian", opts, {sigma = {type = "number", above = 0}})
  local log_prob = opts.sigma and core.ops.gaussian_log_prob or core.ops.gaussian_log_prob_of_log
  local function parts(output)
    if not opts.sigma then return mean_and_log_sigma(output) end
    check_one("gaussian", output, "one tensor of means")
    return output, opts.sigma
  end
  local function variance(output)
    local mean, log_sigma = mean_and_log_sigma(output)
    return mean * 0 + (log_sigma * 2):exp()
  end
  return known{
    name = "gaussian",
    sigma = opts.sigma,
    log_prob = function(output, y)
      local mean, scale = parts(output)
      check_targets("gaussian", mean, y)
      return per_example(log_prob(y, mean, scale))
    end,
    predict = function(output) return (parts(output)) end,
    variance = not opts.sigma and variance or nil,
  }
end

--- The likelihoods that go by a name alone.
M.names = {categorical = true, bernoulli = true, gaussian = true, poisson = true}

-- What a likelihood may say of itself.
local FIELDS = {
  name = "string", log_prob = "function", predict = "function", logits = "function",
  variance = "function", classes = "boolean", sigma = {type = "number", above = 0},
}

--- Gives the likelihood of a name, or the value itself.
-- @param given string, or table with log_prob
-- @return likelihood
-- Raises for anything else.
function M.resolve(given)
  if type(given) == "table" and given.log_prob then
    return options.check("likelihood", given, FIELDS) and given
  end
  if M.names[given] then return M[given]() end
  local names = table.concat(options.sorted_names(M.names), "', '")
  fail("likelihood: expected '%s', bnn.likelihood.gaussian{sigma=} or a table with log_prob, "
    .. "got %s", names, kinds.show(given))
end

--- A likelihood as data, {name=, sigma=}, of which `of_data` makes it again; of one of your own
-- only the name is kept.
function M.describe(likelihood)
  if made_here[likelihood] then return {name = likelihood.name, sigma = likelihood.sigma} end
  local name = type(likelihood) == "table" and likelihood.name
  return {own = true, name = type(name) == "string" and name or nil}
end

--- The likelihood that data describe; or nil, message.
-- @param data as describe gives them, from anywhere
function M.of_data(data)
  if type(data) ~= "table" then return nil, "its likelihood is described by a " .. type(data) end
  if data.own or not M.names[data.name] then
    local name = type(data.name) == "string" and ("'%s' "):format(data.name) or ""
    return nil, strings.message("its likelihood %sis not one of bnn.likelihood", name)
  end
  local sigma = data.sigma
  if sigma == nil then return M[data.name]() end
  if data.name ~= "gaussian" or not options.accept(sigma, {type = "number", above = 0}) then
    return nil, strings.message("its likelihood %s has sigma = %s", data.name, number.text(sigma))
  end
  return M.gaussian{sigma = sigma}
end

renamed.functions(M, "bnn.likelihood", {of = "resolve"})

return M
