--- Positive targets whose logarithm is Gaussian.
local core = require "bnn.core"
local help = require "bnn.model.likelihoods.likelihood_help"

return {
  name = "log_normal",
  doc = [[
log_normal{...}: targets y > 0 with log y ~ N(output, scale^2), of the output's shape. Predictions
are means of y, e^(output + scale^2 / 2).
    bnn.likelihood.log_normal{scale = 0.5}
@param scale standard deviation of log y, above 0; without it the network gives two values, the mean
  and the logarithm of the deviation of log y
@return likelihood]],
  options = {scale = {type = "number", above = 0}},
  examples = {{options = {scale = 0.5}}, {second = 1}},
  make = function(opts)
    local parts = help.parts("log_normal", opts.scale, "mean and log deviation of log y",
      "log_normal{scale = 1} has a given one")
    local function mean_of(output)
      local location, scale = parts(output)
      return (location + scale * scale / 2):exp()
    end
    return {
      log_prob = function(output, y)
        local location, scale = parts(output)
        help.check_real_targets("log_normal", location, y)
        return help.per_example(core.ops.log_normal_log_prob(y, location, scale))
      end,
      predict = mean_of,
      variance = function(output)
        local _, scale = parts(output)
        local mean, v = mean_of(output), scale * scale
        local excess = type(v) == "number" and math.exp(v) - 1 or v:expm1()
        return mean * mean * excess
      end,
    }
  end,
}
