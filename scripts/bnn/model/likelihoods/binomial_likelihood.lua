--- Successes in a number of trials.
local core = require "bnn.core"
local help = require "bnn.model.likelihoods.likelihood_help"

return {
  name = "binomial",
  doc = [[
binomial{...}: successes y = 0, 1, ..., trials as real numbers, from the logits of a success in the
same shape. Predictions are mean successes.
    bnn.likelihood.binomial{trials = 10}
@param trials integer of at least 1; required
@return likelihood]],
  options = {trials = {type = "integer", min = 1, required = true}},
  examples = {{options = {trials = 4}, targets = "counts"}},
  make = function(opts)
    local trials = opts.trials
    local function mean_of(logits)
      return help.check_one("binomial", logits, "one tensor of logits"):sigmoid() * trials
    end
    return {
      log_prob = function(logits, y)
        help.check_real_targets("binomial", logits, y)
        return help.per_example(core.ops.binomial_log_prob(y, logits, trials))
      end,
      predict = mean_of,
      variance = function(logits) return mean_of(logits) * (-logits):sigmoid() end,
    }
  end,
}
