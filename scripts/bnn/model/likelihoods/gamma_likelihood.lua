--- Positive targets of a constant relative deviation.
local core = require "bnn.core"
local help = require "bnn.model.likelihoods.likelihood_help"

return {
  name = "gamma",
  doc = [[
gamma{...}: targets y > 0 of a gamma distribution, from the logarithms of their means in the same
shape; the standard deviation is mean / sqrt(shape). Predictions are means.
    bnn.likelihood.gamma{shape = 4}
@param shape number above 0; 1 is the exponential distribution. Without it the network gives two
  values, log mean and log shape
@return likelihood]],
  options = {shape = {type = "number", above = 0}},
  examples = {{options = {shape = 2}}, {second = 1}},
  make = function(opts)
    local parts = help.parts("gamma", opts.shape, "log mean and log shape",
      "gamma{shape = 1} has a given one")
    return {
      log_prob = function(output, y)
        local log_mean, shape = parts(output)
        help.check_real_targets("gamma", log_mean, y)
        return help.per_example(core.ops.gamma_log_prob(y, shape, (-log_mean):exp() * shape))
      end,
      predict = function(output) return (parts(output)):exp() end,
      variance = function(output)
        local log_mean, shape = parts(output)
        return (log_mean * 2):exp() / shape
      end,
    }
  end,
}
