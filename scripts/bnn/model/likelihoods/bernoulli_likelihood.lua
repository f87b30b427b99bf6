--- Binary targets, and grey pixels, from logits.
local core = require "bnn.core"
local help = require "bnn.model.likelihoods.likelihood_help"

return {
  name = "bernoulli",
  doc = [[
bernoulli(): independent binary (or grey, in [0, 1]) targets from logits of the same shape; u8
targets are images, read as y / 255. Predictions are probabilities.
    bnn.likelihood.bernoulli()
@return likelihood]],
  options = {},
  examples = {{targets = "bits"}},
  make = function()
    return {
      u8_targets = true,
      log_prob = function(logits, y)
        help.check_targets("bernoulli", logits, y)
        return help.per_example(core.ops.bernoulli_log_prob(logits, y))
      end,
      predict = function(logits)
        return help.check_one("bernoulli", logits, "one tensor of logits"):sigmoid()
      end,
    }
  end,
}
