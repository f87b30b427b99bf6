--- Metrics: numbers about predictions.
local normal = require "bnn.normal"
local tree = require "bnn.tree"

local M = {}

local function check_tensor(what, name, x)
  if tree.leaf_kind(x) == "tensor" then return end
  error(("%s: %s is a %s, a tensor is wanted"):format(what, name, type(x)), 3)
end

-- Shapes must be the same: [n, 1] against [n] would broadcast to [n, n].
local function check_same_shape(what, a, b)
  local shape_a, shape_b = table.concat(a:shape(), ", "), table.concat(b:shape(), ", ")
  if shape_a ~= shape_b then
    error(("%s: predictions are [%s], targets [%s]"):format(what, shape_a, shape_b), 3)
  end
  if a:numel() == 0 then error(what .. ": there are no predictions", 3) end
end

--- The share of right answers.
-- @param prediction tensor: classes [n] (0..C-1), scores [n, C], or what bnn.predict gives
-- @param labels tensor i32 [n]
function M.accuracy(prediction, labels)
  local class = type(prediction) == "table" and prediction.class or prediction
  check_tensor("accuracy", "the prediction", class)
  check_tensor("accuracy", "labels", labels)
  if class:dim() == 2 then class = class:argmax(-1):real() - 1 else class = class:real() end
  check_same_shape("accuracy", class, labels)
  return class:eq(labels:real()):sum():item() / labels:size(1)
end

--- The root of the mean squared difference, over all elements of two tensors of the same shape.
function M.rmse(prediction, target)
  check_tensor("rmse", "the prediction", prediction)
  check_tensor("rmse", "the target", target)
  check_same_shape("rmse", prediction, target)
  return ((prediction - target) ^ 2):mean():sqrt():item()
end

--- The share of targets within the central interval of probability `level` of N(mean, std^2):
-- `level` itself where the predictive distribution is right.
-- @param mean, std tensors [n, ...]: of the predictive distribution, noise included (total_std)
-- @param target tensor of the same shape
-- @param level number in (0, 1): 0.90
function M.coverage(mean, std, target, level)
  check_tensor("coverage", "the mean", mean)
  check_tensor("coverage", "the std", std)
  check_tensor("coverage", "the target", target)
  check_same_shape("coverage", mean, std)
  check_same_shape("coverage", mean, target)
  if type(level) ~= "number" or not (level > 0 and level < 1) then
    error(("coverage: level is %s, a number between 0 and 1 is wanted"):format(tostring(level)), 2)
  end
  local z = normal.quantile((1 + level) / 2)
  return (target - mean):abs():le(std * z):sum():item() / mean:numel()
end

--- The z below which a standard normal lies with probability p: 1.645 for 0.95.
M.normal_quantile = normal.quantile

--- The q-quantile of all elements by linear interpolation between order statistics (NumPy's
-- default).
-- @param x tensor or list of numbers, without NaN
-- @param q number in [0, 1]
function M.quantile(x, q)
  local is_tensor = tree.leaf_kind(x) == "tensor"
  if not is_tensor and type(x) ~= "table" then check_tensor("quantile", "x", x) end
  local values = is_tensor and x:reshape(x:numel()):totable() or table.move(x, 1, #x, 1, {})
  if #values == 0 then error("quantile: there are no values", 2) end
  if type(q) ~= "number" or not (q >= 0 and q <= 1) then
    error(("quantile: q is %s, a number in [0, 1] is wanted"):format(tostring(q)), 2)
  end
  for i, v in ipairs(values) do
    if v ~= v then error(("quantile: value %d is not a number"):format(i), 2) end
  end
  table.sort(values)
  local at = 1 + q * (#values - 1)
  local below = math.floor(at)
  if at == below then return values[below] end
  local above = below + 1
  return values[below] + (at - below) * (values[above] - values[below])
end

return M
