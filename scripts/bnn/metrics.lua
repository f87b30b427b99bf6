--- Metrics: numbers about predictions.
local M = {}

local function check_same_rows(what, a, b)
  if a:size(1) ~= b:size(1) then
    error(("%s: %d predictions, %d targets"):format(what, a:size(1), b:size(1)), 3)
  end
  if a:size(1) == 0 then error(what .. ": there are no predictions", 3) end
end

--- The share of right answers.
-- @param prediction tensor: classes [n] (integers, 0..C-1), scores [n, C], or what bnn.predict gives
-- @param labels tensor i32 [n]
function M.accuracy(prediction, labels)
  local class = type(prediction) == "table" and prediction.class or prediction
  if class:dim() == 2 then class = class:argmax(-1):real() - 1 else class = class:real() end
  check_same_rows("accuracy", class, labels)
  return class:eq(labels:real()):mean():item()
end

--- The root of the mean squared difference, over all elements.
function M.rmse(prediction, target)
  check_same_rows("rmse", prediction, target)
  return ((prediction - target) ^ 2):mean():sqrt():item()
end

--- The q-quantile of all elements by linear interpolation between order statistics (NumPy's default).
-- @param x tensor or list of numbers, without NaN
-- @param q number in [0, 1]
function M.quantile(x, q)
  local values = type(x) == "userdata" and x:reshape(x:numel()):totable() or table.move(x, 1, #x, 1, {})
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
  local above = math.min(below + 1, #values)
  return values[below] + (at - below) * (values[above] - values[below])
end

return M
