--- Counts from the logarithms of their rates.
local core = require "bnn.core"
local help = require "bnn.model.likelihoods.likelihood_help"

local function rate_of(log_rate)
  return help.check_one("poisson", log_rate, "one tensor of logarithms of rates"):exp()
end

return {
  name = "poisson",
  doc = [[
poisson(): counts y = 0, 1, 2, ... as real numbers, from the logarithms of their rates in the same
shape, [n] or [n, d]: y ~ Poisson(e^output). Predictions are rates. y:real() converts counts of an
integer type.
    bnn.likelihood.poisson()
@return likelihood]],
  options = {},
  examples = {{targets = "counts"}},
  make = function()
    return {
      log_prob = function(log_rate, y)
        help.check_real_targets("poisson", log_rate, y)
        return help.per_example(core.ops.poisson_log_prob(y, log_rate))
      end,
      predict = rate_of,
      variance = rate_of,
    }
  end,
}
