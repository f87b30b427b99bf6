--- Classes in an order, by a cumulative logit (McCullagh, "Regression models for ordinal data",
-- JRSS B 1980): P(y <= k) = sigmoid(t_k - s) for a score s and thresholds t_0 < t_1 < ...
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local shapes = require "bnn.base.shapes"

-- Thresholds between which a score of 0 gives every class the same probability.
local function even(classes)
  local list = {}
  for k = 1, classes - 1 do list[k] = math.log(k / (classes - k)) end
  return list
end

local function check_thresholds(list, classes)
  local what = "bnn.likelihood.ordinal: thresholds"
  if #list ~= classes - 1 then
    fail("%s: expected %d for %d classes, got %d", what, classes - 1, classes, #list)
  end
  for k = 2, #list do
    if list[k] <= list[k - 1] then
      fail("%s: expected increasing numbers, got %s", what, kinds.show(list))
    end
  end
  return list
end

-- [1, C - 1]: the first, and each next one by e^raw above the one before.
local function learned(raw, classes)
  if raw:numel() ~= classes - 1 then
    fail("bnn.likelihood.ordinal: expected thresholds [%d] from the network, got %s", classes - 1,
      shapes.text(raw))
  end
  local row = raw:reshape(1, classes - 1)
  if classes == 2 then return row end
  local steps = core.ops.concat({row:narrow(2, 1, 1), row:narrow(2, 2, classes - 2):exp()}, 2)
  local upper = {}
  for i = 1, classes - 1 do
    upper[i] = {}
    for k = 1, classes - 1 do upper[i][k] = k >= i and 1 or 0 end
  end
  return steps:mm(core.tensor(upper))
end

-- The scores [n, 1] and the thresholds [1, C - 1] of a network's output.
local function parts(output, given, classes)
  local score, thresholds = output, given
  if type(output) == "table" then
    if #output ~= 2 then
      fail("bnn.likelihood.ordinal: expected scores, or scores and thresholds, from the network, "
        .. "got %d values", #output)
    end
    score, thresholds = output[1], learned(output[2], classes)
  end
  local n = score:dim() > 0 and score:size(1) or 0
  if score:numel() ~= n then
    fail("bnn.likelihood.ordinal: expected scores [n] or [n, 1] from the network, got %s",
      shapes.text(score))
  end
  return score:reshape(n, 1), thresholds
end

-- log P(y = k) [n, C]: by the difference of two sigmoids, whose logarithm is
-- log sigmoid(b) + log sigmoid(-a) + log(1 - e^(a - b)) for a < b.
local function log_probs(score, thresholds, classes)
  local b = thresholds - score
  local above, below = -(b:softplus()), -((-b):softplus()) -- log P(y > k), log P(y <= k)
  local list = {below:narrow(2, 1, 1)}
  if classes > 2 then
    local gap = thresholds:narrow(2, 1, classes - 2) - thresholds:narrow(2, 2, classes - 2)
    local inside = (-(gap:expm1())):log()
    list[2] = below:narrow(2, 2, classes - 2) + above:narrow(2, 1, classes - 2) + inside
  end
  list[#list + 1] = above:narrow(2, classes - 1, 1)
  return core.ops.concat(list, 2)
end

return {
  name = "ordinal",
  doc = [[
ordinal{...}: classes 0..C-1 that have an order, from a score for each example, [n] or [n, 1], by a
cumulative logit: P(y <= k) = sigmoid(threshold[k + 1] - score) (McCullagh 1980). y i32 [n];
predictions are probabilities.
    bnn.likelihood.ordinal{classes = 5}
@param classes integer of at least 2; required
@param thresholds list of C - 1 increasing numbers; by default a score of 0 gives all classes the
  same probability. They are learned if the network gives two values, scores and thresholds [C - 1]:
  the first, and the logarithm of the distance from each to the next
@return likelihood]],
  options = {
    classes = {type = "integer", min = 2, required = true},
    thresholds = {type = "number", list = true},
  },
  examples = {
    {options = {classes = 4}, targets = "labels"},
    {options = {classes = 4, thresholds = {-1, 0, 2}}, targets = "labels"},
    {options = {classes = 4}, second = 3, targets = "labels"},
  },
  make = function(opts)
    local classes = opts.classes
    local given = check_thresholds(opts.thresholds or even(classes), classes)
    local fixed = core.tensor{given}
    local function logits(output)
      local score, thresholds = parts(output, fixed, classes)
      return log_probs(score, thresholds, classes)
    end
    return {
      classes = true,
      log_prob = function(output, y)
        if y == nil then fail "bnn.likelihood.ordinal: expected labels y, the data have none" end
        return -core.ops.cross_entropy(logits(output), y)
      end,
      predict = function(output) return logits(output):exp() end,
      logits = logits,
    }
  end,
}
