--- Reads what metrics are of: lists and tensors of numbers, classes, probabilities.
--
-- Everything becomes a contiguous tensor for bnn.core: f64 numbers, i32 classes, u8 flags.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local pytree = require "bnn.params.pytree"
local shapes = require "bnn.base.shapes"

local M = {}

-- Lists of true and false as 1 and 0.
local function numbers(list)
  if type(list) ~= "table" or type(list[1]) ~= "boolean" then return list end
  local copy = {}
  for i, v in ipairs(list) do
    copy[i] = type(v) == "boolean" and (v and 1 or 0) or v
  end
  return copy
end

--- A tensor or list as a contiguous tensor of `dtype`.
-- @return the tensor, and whether the numbers were floats
function M.tensor(what, name, x, dtype)
  if pytree.leaf_kind(x) == "tensor" then
    local was = x:dtype()
    if was == dtype then return x:contiguous(), false end
    return fail.within(what .. ": " .. name, x.to, x, dtype):contiguous(), was == "f32"
  end
  if type(x) ~= "table" or #x == 0 and next(x) ~= nil then
    fail.expected(what .. ": " .. name, "a tensor or a list", x)
  end
  return fail.within(what .. ": " .. name, core.tensor, numbers(x), dtype), false
end

--- Raises if b has another shape than a ([n, 1] against [n] would pair other elements), or both
-- are empty.
-- @param name string: of b
function M.check_same_shape(what, a, name, b)
  if not shapes.equal(a, b) then
    fail("%s: expected %s %s, got %s", what, name, shapes.text(a), shapes.text(b))
  end
  if a:numel() == 0 then fail("%s: expected at least one prediction, got none", what) end
end

--- Numbers of any shape, none of them NaN.
-- @param item string: what one of them is called, "score" in "score 3: expected a number, got nan"
function M.values(what, name, x, item)
  local values, is_single = M.tensor(what, name, x, "f64")
  local at = core.find_nan(values)
  if at then fail("%s: %s %d: expected a number, got nan", what, item, at) end
  return values, is_single
end

--- Numbers by name, without NaN and all of one shape.
-- @param ... {name, tensor or list} each
-- @return a tensor f64 for each
function M.of_one_shape(what, ...)
  local tensors = {}
  for i, given in ipairs{...} do
    tensors[i] = M.values(what, given[1], given[2], given[1])
    if i > 1 then M.check_same_shape(what, tensors[1], given[1], tensors[i]) end
  end
  return table.unpack(tensors)
end

--- A list of numbers without NaN, at least one.
function M.vector(what, name, x, item)
  local values, is_single = M.values(what, name, x, item)
  if values:dim() ~= 1 then
    fail("%s: %s: expected [n], got %s", what, name, shapes.text(values))
  end
  if values:size(1) == 0 then fail("%s: expected at least one %s, got none", what, item) end
  return values, is_single
end

--- Classes, or other whole numbers, for n predictions.
function M.labels(what, labels, n, name)
  name = name or "labels"
  local tensor = M.tensor(what, name, labels, "i32")
  if tensor:dim() == 2 and tensor:size(2) == 1 then tensor = tensor:view(tensor:size(1)) end
  if tensor:dim() ~= 1 or tensor:size(1) ~= n then
    fail("%s: expected %s [%d], got %s", what, name, n, shapes.text(tensor))
  end
  return tensor
end

--- 0 or 1 (false or true) for each of n.
function M.flags(what, labels, n)
  local list = M.labels(what, labels, n):totable()
  for i, v in ipairs(list) do
    if v ~= 0 and v ~= 1 then fail("%s: label %d: expected 0 or 1, got %d", what, i, v) end
  end
  return core.tensor(list, "u8")
end

--- What bnn.predict returns, a tensor [n, C] or [n], or a list: the numbers in it.
-- @return tensor f64, and whether the numbers were floats
function M.prediction(what, prediction)
  local x = prediction
  if type(x) == "table" and pytree.leaf_kind(x.mean) == "tensor" then x = x.mean end
  local values, is_single = M.tensor(what, "prediction", x, "f64")
  if values:numel() == 0 then fail("%s: expected at least one prediction, got none", what) end
  local at = core.find_nan(values)
  if not at then return values, is_single end
  if values:dim() ~= 2 then fail("%s: prediction %d: expected a number, got nan", what, at) end
  local classes = values:size(2)
  fail("%s: prediction %d: class %d: expected a number, got nan", what, (at - 1) // classes + 1,
    (at - 1) % classes)
end

--- The same as a matrix [n, C] of scores for each class.
function M.scores(what, prediction)
  local values, is_single = M.prediction(what, prediction)
  if values:dim() ~= 2 then
    fail("%s: prediction: expected [n, classes], got %s", what, shapes.text(values))
  end
  return values, is_single
end

--- The same, each row a distribution over the classes. Raises if one is not, within rounding;
-- probabilities that rounding took above 1 become 1.
function M.probabilities(what, prediction)
  local p, is_single = M.scores(what, prediction)
  local row, class, value = core.find_improper_row(p)
  if not row then return core.clip_above_1(p), is_single end
  fail("%s: prediction %d: expected probabilities (softmax of logits), got %.6g %s", what, row,
    value, class and ("for class %d"):format(class) or "as their sum")
end

--- Confidence and correctness of answers: from probabilities [n, C] (or what bnn.predict returns)
-- and labels, or from confidences [n] and flags that say which answers were right.
-- @return tensors f64 and u8 [n], and whether the confidences were floats
function M.answers(what, prediction, labels)
  local p, is_single = M.prediction(what, prediction)
  if p:dim() == 1 then return p, M.flags(what, labels, p:size(1)), is_single end
  p, is_single = M.probabilities(what, prediction)
  labels = M.labels(what, labels, p:size(1))
  M.check_classes(what, labels, p:size(2))
  local confidence, class = core.top_label(p)
  return confidence, core.equal_labels(class, labels), is_single
end

--- Raises if a label is outside 0..classes-1.
function M.check_classes(what, labels, classes)
  for i, v in ipairs(labels:totable()) do
    if v < 0 or v >= classes then
      fail("%s: label %d: expected a class in 0..%d, got %d", what, i, classes - 1, v)
    end
  end
end

return M
