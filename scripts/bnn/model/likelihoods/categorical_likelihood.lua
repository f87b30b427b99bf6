--- Classes from logits.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local help = require "bnn.model.likelihoods.likelihood_help"

local function check_logits(output)
  return help.check_one("categorical", output, "one tensor of logits [n, C]")
end

-- Labels [n] of sequences of one position, which are read as [n, 1].
local function of_positions(logits, y)
  if logits:dim() == 3 and y:dim() == 1 and logits:size(2) == 1 then return y:reshape(-1, 1) end
  return y
end

return {
  name = "categorical",
  doc = [[
categorical(): classes 0..C-1 from logits [n, C], y i32 [n]. log p = log softmax(logits)[y];
predictions are probabilities. Of sequences, logits are [n, t, C] and y [n, t]: log p of an example
is the sum over its positions.
    bnn.likelihood.categorical()
@return likelihood]],
  options = {},
  examples = {{outputs = 4, targets = "labels"}},
  make = function()
    return {
      classes = true,
      log_prob = function(logits, y)
        check_logits(logits)
        if y == nil then
          fail "bnn.likelihood.categorical: expected labels y, the data have none"
        end
        return help.per_example(-core.ops.cross_entropy(logits, of_positions(logits, y)))
      end,
      predict = function(logits) return check_logits(logits):softmax(-1) end,
      logits = function(logits) return logits end,
    }
  end,
}
