--- What metrics read: lists and tensors of numbers, classes, probabilities; and how they end: a
-- value, and an interval of it over resamples.
--
-- Everything becomes a contiguous tensor for bnn.core: f64 numbers, i32 classes, u8 flags. What is
-- wrong is raised at the line that called the metric, however deep the library was.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"
local pytree = require "bnn.params.pytree"

local M = {}

--- Raises a message at the first line outside the library.
M.fail = fail.raise

--- f(...), whose message is raised as the metric's.
M.call = fail.within

local BOOTSTRAP = {
  key = {type = "key", required = true},
  n = {type = "integer", min = 1, default = 1000},
  level = {type = "number", above = 0, default = 0.95},
}

--- An option table, to which `bootstrap` is added unless spec.bootstrap is false.
function M.options(what, given, spec)
  local all = {bootstrap = {type = "table"}}
  for name, kind in pairs(spec or {}) do all[name] = kind or nil end
  if spec and spec.bootstrap == false then all.bootstrap = nil end
  local opts = options.check(what, given, all)
  if not opts.bootstrap then return opts end
  opts.bootstrap = options.check(what .. ": bootstrap", opts.bootstrap, BOOTSTRAP)
  if opts.bootstrap.level >= 1 then
    M.fail("%s: bootstrap: level = %s: less than 1 is wanted", what, opts.bootstrap.level)
  end
  return opts
end

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
    return M.call(what .. ": " .. name, x.to, x, dtype):contiguous(), was == "f32"
  end
  if type(x) ~= "table" or #x == 0 and next(x) ~= nil then
    M.fail("%s: %s is a %s, a tensor or list is wanted", what, name, type(x))
  end
  return M.call(what .. ": " .. name, core.tensor, numbers(x), dtype), false
end

--- Refuses shapes that differ: [n, 1] against [n] would pair other elements.
function M.check_same_shape(what, a, b)
  if not shapes.equal(a, b) then
    M.fail("%s: predictions are %s, targets %s", what, shapes.text(a), shapes.text(b))
  end
  if a:numel() == 0 then M.fail("%s: there are no predictions", what) end
end

--- Numbers of any shape, none of them NaN.
-- @param item string: what one of them is called, as in "score 3 is not a number"
function M.values(what, name, x, item)
  local values, is_single = M.tensor(what, name, x, "f64")
  local at = core.find_nan(values)
  if at then M.fail("%s: %s %d is not a number", what, item, at) end
  return values, is_single
end

--- A list of numbers without NaN, at least one.
function M.vector(what, name, x, item)
  local values, is_single = M.values(what, name, x, item)
  if values:dim() ~= 1 then
    M.fail("%s: %s is %s, [n] is wanted", what, name, shapes.text(values))
  end
  if values:size(1) == 0 then M.fail("%s: there are no %ss", what, item) end
  return values, is_single
end

--- Classes, or other whole numbers, for n predictions.
function M.labels(what, labels, n, name)
  local tensor = M.tensor(what, name or "labels", labels, "i32")
  if tensor:dim() == 2 and tensor:size(2) == 1 then tensor = tensor:view(tensor:size(1)) end
  if tensor:dim() ~= 1 or tensor:size(1) ~= n then
    M.fail("%s: predictions are [%d], targets %s", what, n, shapes.text(tensor))
  end
  return tensor
end

--- 0 or 1 (false or true) for each of n.
function M.flags(what, labels, n)
  local list = M.labels(what, labels, n):totable()
  for i, v in ipairs(list) do
    if v ~= 0 and v ~= 1 then M.fail("%s: label %d is %d, 0 or 1 is wanted", what, i, v) end
  end
  return core.tensor(list, "u8")
end

--- What bnn.predict gives, a tensor [n, C] or [n], or a list: the numbers in it.
-- @return tensor f64, and whether the numbers were floats
function M.prediction(what, prediction)
  local name = "the prediction"
  local x = prediction
  if type(x) == "table" and pytree.leaf_kind(x.mean) == "tensor" then x = x.mean end
  local values, is_single = M.tensor(what, name, x, "f64")
  if values:numel() == 0 then M.fail("%s: there are no predictions", what) end
  local at = core.find_nan(values)
  if not at then return values, is_single end
  if values:dim() ~= 2 then M.fail("%s: prediction %d is not a number", what, at) end
  local classes = values:size(2)
  M.fail("%s: prediction %d is not a number for class %d", what, (at - 1) // classes + 1,
    (at - 1) % classes)
end

--- The same as a matrix [n, C] of scores for each class.
function M.scores(what, prediction)
  local values, is_single = M.prediction(what, prediction)
  if values:dim() ~= 2 then
    M.fail("%s: predictions are %s, [n, classes] is wanted", what, shapes.text(values))
  end
  return values, is_single
end

--- The same, each row a distribution over the classes: what rounding takes above 1 is 1, and what
-- is further from one is refused.
function M.probabilities(what, prediction)
  local p, is_single = M.scores(what, prediction)
  local row, class, value = core.find_improper_row(p)
  if not row then return core.clip_above_1(p), is_single end
  M.fail("%s: prediction %d %s %.6g: probabilities are wanted (softmax of logits)", what, row,
    class and ("gives class %d"):format(class) or "sums to", value)
end

--- Confidence and rightness of answers: from probabilities [n, C] (or what bnn.predict gives) and
-- labels, or from confidences [n] and flags that say which answers were right.
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

--- Refuses labels outside 0..classes-1.
function M.check_classes(what, labels, classes)
  for i, v in ipairs(labels:totable()) do
    if v < 0 or v >= classes then
      M.fail("%s: label %d is %d, predictions are of classes 0..%d", what, i, v, classes - 1)
    end
  end
end

-- The q-quantile of f64 numbers without NaN.
local function quantile(values, q)
  return core.rank_metric("quantile", values, core.zeros({values:numel()}, "u8"), q)
end

--- A metric's value and, where opts.bootstrap asks for it, {lo, hi}: f(..., key, resamples) gives
-- the value and those of the resamples. The interval is between their quantiles (percentile
-- bootstrap).
function M.evaluate(what, opts, f, ...)
  local boot = opts.bootstrap
  if not boot then return (M.call(what, f, ...)) end
  local args = table.pack(...)
  args[args.n + 1], args[args.n + 2] = boot.key, boot.n
  local value, samples = M.call(what, f, table.unpack(args, 1, args.n + 2))
  local tail = (1 - boot.level) / 2
  return value, {quantile(samples, tail), quantile(samples, 1 - tail)}
end

--- The intervals of a metric of several numbers, {lo, hi} of tensors f64 [groups]: percentiles over
-- resamples, those of every metric under this key, in which a number is not NaN.
-- @param boot table: bootstrap of checked options
-- @param sum string: "total" or "mean" of values by group; "total_to", "mean_to" with those before
-- @param group list or tensor i32 [n], from 0
-- @param values tensor or list of numbers [n]
-- @param groups integer: how many
function M.intervals(boot, sum, group, values, groups)
  if type(group) == "table" then group = core.tensor(group, "i32") end
  values = type(values) == "table" and core.tensor(values, "f64") or values:to "f64"
  return {core.group_intervals(sum, group, values, groups, boot.key, boot.n, boot.level)}
end

return M
