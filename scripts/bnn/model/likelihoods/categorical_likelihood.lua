--- Classes from logits.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local help = require "bnn.model.likelihoods.likelihood_help"
local shapes = require "bnn.base.shapes"

local function check_logits(output)
  return help.check_one("categorical", output, "one tensor of logits [n, C]")
end

local function log_shares(logits, y)
  if logits:size(-1) ~= y:size(2) then
    fail("bnn.likelihood.categorical: y: expected the shares of the %d classes of the outputs, "
      .. "got %s", logits:size(-1), shapes.text(y))
  end
  return (y * logits:log_softmax(-1)):sum(2)
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
predictions are probabilities. y real [n, C], the shares of the classes in an example (as mixup
makes them): log p = sum of y log softmax(logits). Of sequences, logits are [n, t, C] and y [n, t]:
log p of an example is the sum over its positions.
    bnn.likelihood.categorical{ignore_index = -100}     -- y has -100 where there is padding
@param ignore_index integer or nil: labels that are equal to it, as those of padding, count nothing;
  metrics expect classes, and are to be given the other positions
@return likelihood]],
  options = {ignore_index = "integer"},
  examples = {{outputs = 4, targets = "labels"},
              {options = {ignore_index = 2}, outputs = 4, targets = "labels"}},
  make = function(opts)
    local function cross_entropy(logits, y)
      return core.ops.cross_entropy(logits, of_positions(logits, y), opts.ignore_index)
    end
    return {
      classes = true,
      ignore_index = opts.ignore_index,
      log_prob = function(logits, y)
        check_logits(logits)
        if y == nil then
          fail "bnn.likelihood.categorical: expected labels y, the data have none"
        end
        local has_shares = logits:dim() == 2 and y:dim() == 2 and y:dtype() == core.real
        if has_shares then return log_shares(logits, y) end
        return help.per_example(-cross_entropy(logits, y))
      end,
      predict = function(logits) return check_logits(logits):softmax(-1) end,
      logits = function(logits) return logits end,
    }
  end,
}
