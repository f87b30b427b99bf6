--- Proportions.
local core = require "bnn.core"
local help = require "bnn.model.likelihoods.likelihood_help"

return {
  name = "beta",
  doc = [[
beta{...}: proportions 0 < y < 1 of a beta distribution, from the logits of their means in the same
shape; the variance is mean (1 - mean) / (concentration + 1). Predictions are means.
    bnn.likelihood.beta{concentration = 20}
@param concentration number above 0: alpha + beta. Without it the network gives two values, logits
  and log concentration
@return likelihood]],
  options = {concentration = {type = "number", above = 0}},
  examples = {{options = {concentration = 4}}, {second = 1}},
  make = function(opts)
    local parts = help.parts("beta", opts.concentration, "logits and log concentration",
      "beta{concentration = 1} has a given one")
    return {
      log_prob = function(output, y)
        local logits, total = parts(output)
        help.check_real_targets("beta", logits, y)
        return help.per_example(
          core.ops.beta_log_prob(y, logits:sigmoid() * total, (-logits):sigmoid() * total))
      end,
      predict = function(output) return (parts(output)):sigmoid() end,
      variance = function(output)
        local logits, total = parts(output)
        return logits:sigmoid() * (-logits):sigmoid() / (total + 1)
      end,
    }
  end,
}
