--- The captions of images with their predictions: class, probability, standard deviation, refusal.
local abstention_rule = require "bnn.predict.abstention_rule"
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local pytree = require "bnn.params.pytree"

local M = {}

-- ---- reading ----

-- A field of a prediction as a list of n numbers.
local function field(what, prediction, name, n)
  if pytree.leaf_kind(prediction[name]) ~= "tensor" then
    fail("%s: prediction.%s: expected a tensor, as bnn.predict returns for classes, got %s", what,
      name, kinds.shown(prediction[name]))
  end
  local column = plot_columns.column(what, "prediction." .. name, prediction[name])
  if #column.values ~= n then
    fail("%s: prediction.%s: expected [%d], as x has images, got %s", what, name, n,
      plot_columns.column_shape(prediction[name]))
  end
  return column.values
end

-- Which abstain, as a list of n of 0 and 1, or nil without a rule. What is not a number does.
local function abstentions(what, opts, std)
  local ways = {"threshold", "rule", "abstains"}
  if figure.given(opts, ways):find "," then
    fail("%s: expected one of threshold=, rule= and abstains=, got %s", what,
      figure.given(opts, ways))
  end
  if opts.rule then return abstention_rule.abstains(what, opts.prediction, opts.rule):totable() end
  if opts.abstains then
    return inputs.flags(what .. ": abstains", opts.abstains, #std):totable()
  end
  if not opts.threshold then return nil end
  local flags = {}
  for i, v in ipairs(std) do flags[i] = v <= opts.threshold and 0 or 1 end
  return flags
end

local function check_names(what, names, classes)
  for _, class in ipairs(names and classes or {}) do
    if class >= 0 and not names[class + 1] then
      fail("%s: names: expected a name of class %d, got nothing", what, class)
    end
  end
end

-- What is read of the options: lists of n.
local function read(what, opts, n)
  local r = {}
  for _, name in ipairs{"class", "probability", "class_std"} do
    r[name] = field(what, opts.prediction, name, n)
  end
  r.abstains = abstentions(what, opts, r.class_std)
  r.labels = opts.labels and inputs.labels(what, opts.labels, n):totable() or r.class
  check_names(what, opts.names, r.class)
  check_names(what, opts.names, r.labels)
  return r
end

-- ---- captions ----

-- nan without the sign that it has on some machines.
local function number_text(format, v) return v == v and number.format(format, v) or "nan" end

-- The parts of caption i: "8? is 3, 57%", "std 0.45", "refused" (or nothing).
local function parts_of(r, i, names)
  local function name_of(class)
    if class < 0 then return "none" end -- the prediction is not a number
    return names and names[class + 1] or ("%d"):format(class)
  end
  local abstains = r.abstains and r.abstains[i] == 1
  local answer = name_of(r.class[i]) .. (abstains and "?" or "")
  local is_wrong = r.labels[i] ~= r.class[i]
  if is_wrong then answer = ("%s is %s,"):format(answer, name_of(r.labels[i])) end
  return ("%s %s%%"):format(answer, number_text("%.0f", 100 * r.probability[i])),
    "std " .. number_text("%.2f", r.class_std[i]), abstains and "refused" or nil
end

--- The captions of n images.
-- @param what string: the function's name for messages
-- @param opts table: prediction=, labels=, names=, threshold=, rule=, abstains= as for
--   bnn.plot.predictions
-- @param n integer: how many images there are
-- @param separator string: between the parts of a caption
-- @return list of n strings
function M.read(what, opts, n, separator)
  local r, captions = read(what, opts, n), {}
  for i = 1, n do captions[i] = table.concat({parts_of(r, i, opts.names)}, separator) end
  return captions
end

return M
