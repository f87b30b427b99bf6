--- Images with the prediction of each under it.
local abstention_rule = require "bnn.predict.abstention_rule"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_images = require "bnn.plot.plot_images"
local plot_pixels = require "bnn.plot.canvas.plot_pixels"
local pytree = require "bnn.params.pytree"
local text_image = require "bnn.plot.canvas.text_image"

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

local function captions_of(r, n, names, separator)
  local captions = {}
  for i = 1, n do captions[i] = table.concat({parts_of(r, i, names)}, separator) end
  return captions
end

-- ---- as text ----

-- Images as lists of rows of numbers from 0 to 1.
local function rows_of(x)
  local scale = x:dtype() == "u8" and 255 or 1
  local images = x:totable()
  for _, image in ipairs(images) do
    for _, row in ipairs(image) do
      for k, v in ipairs(row) do
        v = v / scale
        row[k] = v == v and math.min(math.max(v, 0), 1) or 0.5
      end
    end
  end
  return images
end

-- Adds columns of black, so that captions have room.
local function widen(images, width)
  for _, image in ipairs(images) do
    for _, row in ipairs(image) do
      for k = #row + 1, width do row[k] = 0 end
    end
  end
end

local function text_of(x, captions, opts)
  local images, width, widest = rows_of(x), core.terminal "stdout" or 80, 0
  for _, caption in ipairs(captions) do widest = math.max(widest, utf8.len(caption) or #caption) end
  widen(images, widest)
  if opts.columns then width = opts.columns * (#images[1][1] + 1) - 1 end
  local text = text_image.grid(images, captions, opts.out and text_image.mode() or "none", width)
  if opts.out then opts.out:write(text) end
  return text
end

--- Draws images with the prediction of each: the class and its probability, the standard deviation
-- of that over networks, and whether the answer abstains.
--     bnn.plot.predictions{x = x, prediction = bnn.predict(model, x, o), labels = y,
--                          threshold = 0.3, path = "predictions.png"}
-- "8? is 3, 57%", "std 0.45", "refused": the answer would be 8, with probability 57%, but abstains
-- (hence the ?), and the label is 3, which is shown only if it differs.
-- @param opts table:
--   x= tensor [n, h, w] or [n, 1, h, w]; u8, or real from 0 to 1
--   prediction= what bnn.predict returns for x: its class, probability and class_std
--   labels= [n] in 0..C-1; names= of the classes, a list from class 0 (default: their numbers)
--   threshold= a number: answers with a larger std, or one that is not a number, abstain; or rule=
--     as bnn.ood.fit_threshold returns it; or abstains= [n] of 1 (abstains) and 0
--   columns=, gap=, background=, scale=: as for bnn.plot.images
--   path= a file that ends in .png or .svg; without it the images are text
--   out= a file such as io.stdout that the text is written to, in shades if that is a terminal
--     which has them
-- @return true, or the text if no path is given; or nil, message
-- Raises if both path= and out= are given, or the lengths differ.
function M.predictions(opts)
  local what = "bnn.plot.predictions"
  opts = options.check(what, opts, {
    x = {type = "tensor", required = true}, prediction = {type = "table", required = true},
    labels = plot_columns.COLUMN, names = {type = "string", list = true}, threshold = "number",
    rule = "table", abstains = plot_columns.COLUMN, renamed = {refused = "abstains"},
    columns = {type = "integer", min = 1}, path = "string",
    gap = {type = "integer", min = 0, max = 1000}, background = {type = "number", min = 0, max = 1},
    scale = {type = "integer", min = 1, max = 100}, out = "userdata",
  })
  if opts.path and opts.out then fail("%s: expected path= or out=, got both", what) end
  local x = plot_pixels.images(what, opts.x)
  local r = read(what, opts, x:size(1))
  if not opts.path then
    return text_of(x, captions_of(r, x:size(1), opts.names, " "), opts)
  end
  return plot_images.images{
    x = x, captions = captions_of(r, x:size(1), opts.names, "\n"), path = opts.path,
    columns = opts.columns, gap = opts.gap, background = opts.background, scale = opts.scale,
  }
end

return M
