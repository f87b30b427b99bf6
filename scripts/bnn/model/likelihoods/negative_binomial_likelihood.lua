--- Counts that vary more than those of a Poisson distribution.
local core = require "bnn.core"
local help = require "bnn.model.likelihoods.likelihood_help"

return {
  name = "negative_binomial",
  doc = [[
negative_binomial{...}: counts y = 0, 1, 2, ... as real numbers, from the logarithms of their means
in the same shape, with the variance mean + mean^2 / total_count. Predictions are means.
    bnn.likelihood.negative_binomial{total_count = 5}
@param total_count number above 0: the larger, the nearer to a Poisson distribution. Without it the
  network gives two values, log mean and log total_count
@return likelihood]],
  options = {total_count = {type = "number", above = 0}},
  examples = {{options = {total_count = 3}, targets = "counts"}, {second = 1, targets = "counts"}},
  make = function(opts)
    local parts = help.parts("negative_binomial", opts.total_count, "log mean and log total_count",
      "negative_binomial{total_count = 1} has a given one")
    return {
      log_prob = function(output, y)
        local log_mean, count = parts(output)
        help.check_real_targets("negative_binomial", log_mean, y)
        local log_count = type(count) == "number" and math.log(count) or output[2]
        return help.per_example(
          core.ops.negative_binomial_log_prob(y, log_mean - log_count, count))
      end,
      predict = function(output) return (parts(output)):exp() end,
      variance = function(output)
        local log_mean, count = parts(output)
        local mean = log_mean:exp()
        return mean + mean * mean / count
      end,
    }
  end,
}
