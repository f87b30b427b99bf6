--- Gaussian noise of a given deviation, or one that the network gives.
local core = require "bnn.core"
local help = require "bnn.model.likelihoods.likelihood_help"

return {
  name = "gaussian",
  doc = [[
gaussian{...}: y ~ N(mean, sigma^2), y and mean [n, ...]. Predictions are means.
    bnn.likelihood.gaussian{sigma = 0.1}
@param sigma the noise's standard deviation, above 0. Without it the noise is learned: the network
  gives two values, mean and log sigma, of mean's shape or one that broadcasts to it (a parameter of
  its own: bnn.nn.parameter("log_sigma", {1}, bnn.nn.zeros)); predictions then have the mean
  variance as noise_std^2
@return likelihood]],
  options = {sigma = {type = "number", above = 0}},
  examples = {{options = {sigma = 0.5}}, {second = 1}},
  -- name, option: as what users see it, "gaussian" with its "sigma"
  make = function(opts, name, option)
    name = name or "gaussian"
    local example = ("%s{%s = 1} has a given noise"):format(name, option or "sigma")
    local function mean_and_log_sigma(output)
      return help.check_two(name, output, "mean and log sigma", example)
    end
    local log_prob = opts.sigma and core.ops.gaussian_log_prob or core.ops.gaussian_log_prob_of_log
    local function parts(output)
      if not opts.sigma then return mean_and_log_sigma(output) end
      return help.check_one(name, output, "one tensor of means"), opts.sigma
    end
    local function variance(output)
      local mean, log_sigma = mean_and_log_sigma(output)
      return help.in_shape_of(mean, (log_sigma * 2):exp())
    end
    return {
      sigma = opts.sigma,
      log_prob = function(output, y)
        local mean, scale = parts(output)
        help.check_targets(name, mean, y)
        return help.per_example(log_prob(y, mean, scale))
      end,
      predict = function(output) return (parts(output)) end,
      variance = not opts.sigma and variance or nil,
    }
  end,
}
