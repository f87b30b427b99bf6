--- Pictures and curves in the terminal, by whatever way it has to draw them.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local figure_screen = require "bnn.plot.canvas.figure_screen"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local picture_values = require "bnn.show.picture_values"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local prediction_captions = require "bnn.plot.prediction_captions"
local shapes = require "bnn.base.shapes"
local show_curves = require "bnn.show.show_curves"
local show_images = require "bnn.show.show_images"
local show_logs = require "bnn.show.show_logs"
local show_screen = require "bnn.show.show_screen"
local strings = require "bnn.base.strings"

local M = {}

local WHAT = "bnn.show"

-- ---- options ----

local size = {type = "integer", min = 1, max = 10000}

local function spec_of(more)
  local spec = {as = {type = "string", choices = show_screen.WAYS}, width = size, title = "string"}
  for name, kind in pairs(more) do spec[name] = kind end
  return spec
end

local images_spec = {
  labels = plot_columns.COLUMN, names = {type = "string", list = true},
  scale = {type = "number", list = true}, columns = size, count = size, colour = "boolean",
}

local function check_scale(scale)
  if not scale or #scale == 2 and scale[1] ~= scale[2] then return end
  fail("%s: scale: expected {black, white}, two numbers that differ, got {%s}", WHAT,
    number.list(scale))
end

-- ---- images ----

-- A label as text: the name of a class, or the number.
local function label_text(label, names)
  if type(label) == "string" then return label end
  local class = names and math.tointeger(label)
  return class and names[class + 1] or number.format("%.4g", label)
end

local function label_texts(labels, names, n)
  if not labels then return nil end
  local values = labels
  if type(labels) ~= "table" then values = plot_columns.column(WHAT, "labels", labels).values end
  if #values ~= n then
    fail("%s: labels: expected %d, one for each image, got %d", WHAT, n, #values)
  end
  local texts = {}
  for i, label in ipairs(values) do
    if type(label) ~= "number" and type(label) ~= "string" then
      fail.expected(("%s: labels[%d]"):format(WHAT, i), "a number or a string", label)
    end
    texts[i] = label_text(label, names)
  end
  return texts
end

local function draw_images(x, opts)
  check_scale(opts.scale)
  local images = picture_values.batch(WHAT, x, opts.colour)
  opts.labels = label_texts(opts.labels, opts.names, images:size(1))
  return show_images.draw(show_screen.find(opts.as), images, opts)
end

local function tensor_images(x, opts)
  return draw_images(x, options.check(WHAT, opts, spec_of(images_spec)))
end

-- Images of a list, one below the other.
local function list_of_images(list, opts)
  local images = {}
  for i, image in ipairs(list) do
    images[i] = image:contiguous():view(1, table.unpack(image:shape()))
    if shapes.text(image) ~= shapes.text(list[1]) or image:dtype() ~= list[1]:dtype() then
      fail("%s: x[%d]: expected %s %s, as x[1], got %s %s", WHAT, i, list[1]:dtype(),
        shapes.text(list[1]), image:dtype(), shapes.text(image))
    end
  end
  return tensor_images(core.concat(images, 1), opts)
end

-- ---- curves ----

local curves_spec = spec_of{
  height = size, x = plot_columns.COLUMN, xlabel = "string", ylabel = "string",
  points = "boolean",
}

-- The series of named or numbered columns: a list of {y=, label=}.
local function series_of(named, names)
  local list = {}
  for i, name in ipairs(names) do
    local y = plot_columns.column(WHAT, ("x.%s"):format(name), named[name])
    list[i] = {y = y, label = tostring(name)}
  end
  return list
end

local function draw_curves(list, opts)
  opts = options.check(WHAT, opts, curves_spec)
  for i, s in ipairs(list) do
    local x = opts.x and plot_columns.column(WHAT, "x=", opts.x) or plot_columns.count_up(s.y)
    plot_columns.check_lengths(WHAT, {s.y, s.x or x})
    list[i] = {
      x = s.x and s.x.values or x.values, y = s.y.values, label = s.label,
      style = (opts.points or s.style == "points") and "points" or "lines",
    }
  end
  return show_curves.draw(show_screen.find(opts.as), list, opts)
end

local function one_curve(x, opts)
  return draw_curves({{y = plot_columns.column(WHAT, "x", x)}}, opts)
end

local function named_curves(x, opts)
  return draw_curves(series_of(x, options.sorted_names(x)), opts)
end

local function listed_curves(x, opts)
  local names = {}
  for i in ipairs(x) do names[i] = i end
  return draw_curves(series_of(x, names), opts)
end

-- ---- data, predictions, files ----

local SAMPLE = 20 -- examples of a data set

-- A part with one number to an example is points; with images it is the first of them.
local function draw_part(part, opts, names)
  named_tensors.single(WHAT .. ": x", part.x)
  local d, one = part.x:dim(), named_tensors.first(part.y)
  if part.y and part.x:numel() == part.size and one:numel() == part.size then
    named_tensors.single(WHAT .. ": y", part.y)
    return draw_curves({{
      x = plot_columns.column(WHAT, "x", part.x), y = plot_columns.column(WHAT, "y", part.y),
      style = "points",
    }}, opts)
  end
  if d < 3 then
    fail("%s: x: expected data whose examples are images or one number, got x %s", WHAT,
      shapes.text(part.x))
  end
  opts = options.check(WHAT, opts, spec_of(images_spec))
  local n = math.min(opts.count or SAMPLE, part.size)
  opts.names = opts.names or part.classes or names
  local has_labels = part.y and not named_tensors.is_named(part.y) and part.y:dim() == 1
  opts.labels = opts.labels or has_labels and part.y:narrow(1, 1, n) or nil
  return draw_images(part.x:narrow(1, 1, n), opts)
end

local function draw_data(x, opts)
  local part = x.train or x.test
  if not part then fail("%s: x: expected a data set with a part, got none", WHAT) end
  return draw_part(part, opts, x.names)
end

local function draw_batch(x, opts)
  return draw_part({x = x.x, y = x.y, size = named_tensors.rows(x.x)}, opts)
end

local prediction_spec = spec_of(images_spec)
for name, kind in pairs{images = "tensor", threshold = "number", rule = "table"} do
  prediction_spec[name] = kind
end

local function draw_prediction(x, opts)
  opts = options.check(WHAT, opts, prediction_spec)
  if not opts.images then
    fail("%s: images: expected the images that the prediction is of, got nothing", WHAT)
  end
  local images = picture_values.batch(WHAT, opts.images, opts.colour)
  local asked = {
    prediction = x, labels = opts.labels, names = opts.names, threshold = opts.threshold,
    rule = opts.rule,
  }
  opts.labels, opts.names = prediction_captions.read(WHAT, asked, images:size(1), "\n"), nil
  return draw_images(images, opts)
end

local log_spec = spec_of{height = size, metrics = {type = "string", list = true}}

local function draw_log(log, opts)
  opts = options.check(WHAT, opts, log_spec)
  if not log.blocks then
    fail("%s: x: expected a log that stores, as of bnn.log.memory, got another", WHAT)
  end
  opts.title = opts.title and strings.shown(opts.title)
  return show_logs.draw(WHAT, show_screen.find(opts.as), log, opts)
end

local function draw_run(run, opts)
  local log, fault = run:log()
  if not log then return nil, fault end
  return draw_log(log, opts)
end

-- A text with lines is a figure of bnn.plot's; another a path.
local function draw_text(x, opts)
  if x:find "\n" then
    options.check(WHAT, opts, {})
    return strings.shown(x, true)
  end
  if not strings.lower(x):find "%.png$" then
    fail("%s: x: expected the path of a PNG, or a figure, got %s", WHAT, kinds.show(x))
  end
  opts = options.check(WHAT, opts, spec_of{})
  local image, fault = core.png_read(x, "rgb")
  if not image then return nil, fault end
  local images = picture_values.batch(WHAT, image, true)
  return show_images.draw(show_screen.find(opts.as), images, opts)
end

-- ---- what a value is ----

local function is_tensor(v) return kinds.is_object(v, "tensor") end

local function is_column(v)
  return is_tensor(v) and v:dim() == 1 or kinds.is_plain(v) and type(v[1]) == "number"
end

local function all_are(values, test)
  for _, v in pairs(values) do
    if not test(v) then return false end
  end
  return next(values) ~= nil
end

-- {whether a value is of the kind, what draws it(x, opts)}
local KINDS = {
  {function(x) return is_tensor(x) and x:dim() == 1 end, one_curve},
  {function(x) return is_tensor(x) and x:dim() > 1 end, tensor_images},
  {function(x) return type(x) == "string" end, draw_text},
  {function(x) return kinds.is_object(x, "data") end, draw_part},
  {function(x) return kinds.is_object(x, "batch") end, draw_batch},
  {function(x) return kinds.is_object(x, "data set") end, draw_data},
  {function(x) return kinds.is_object(x, "prediction") end, draw_prediction},
  {function(x) return kinds.is_object(x, "run") end, draw_run},
  {function(x) return kinds.is_object(x, "log") end, draw_log},
  {is_column, one_curve},
  {function(x) return kinds.is_plain(x) and #x > 0 and all_are(x, is_tensor) and x[1]:dim() > 1 end,
    list_of_images},
  {function(x) return kinds.is_plain(x) and #x > 0 and all_are(x, is_column) end, listed_curves},
  {function(x) return kinds.is_plain(x) and #x == 0 and all_are(x, is_column) end, named_curves},
}

local SHOWN = "images, numbers, data, a prediction, a run, a figure or the path of a PNG"

--- Draws images or curves in the terminal.
--     bnn.show(data.test.x:narrow(1, 1, 10))            -- images side by side
--     bnn.show(data.test, {count = 8})                  -- the first of a data set, with labels
--     bnn.show({loss = {3, 2, 1.5}, elbo = {-3, -2, -1.6}}, {title = "training"})
-- A terminal that answers that it knows kitty's or iTerm2's protocol or sixels gets pictures, and
-- curves as gnuplot draws them if that is installed. Others get half-blocks in colour (24 bits if
-- COLORTERM says truecolor, else 256) and curves in braille. A terminal without colours or UTF-8, a
-- pipe, and whoever sets NO_COLOR get characters, in a pipe for 80 columns and 24 lines.
-- Pixels of u8 are 0 (black) to 255. Other numbers are 0 to 1 if all lie between, else they go from
-- their least to their greatest, which a line below says. A NaN is a middle grey.
-- @param x tensor, table, string or object: one of
--   images      tensor [h, w] grey or [h, w, 3] RGB; [n, h, w], [n, 1, h, w], [n, 3, h, w] or
--               [n, h, w, 3], or a list of images: side by side, the first of them if not all
--               have room
--   curves      tensor [n] or a list of numbers, over 1, 2, ...; {loss = ..., elbo = ...} of
--               such, or a list of them
--   data        what bnn.data.load returns, a part of it or a batch: the first images with their
--               labels; points if an example is one number
--   prediction  what bnn.predict returns, with images=: each with its class, probability and std
--   run         what bnn.run.open returns, or a log of bnn.log.memory: a figure for each metric
--   path        of a PNG
--   figure      a text that a function of bnn.plot returned
-- @param opts table:
--   as         "kitty", "iterm2", "sixel", "blocks" or "ascii": this way (default: the best)
--   width      integer: columns of the terminal to fill
--   title      string: a line above
--   labels     of images: tensor [n] or a list of numbers or strings, which stand above them
--   names      list of strings: the names of classes, from class 0
--   scale      list {black, white}: the numbers that are, of images
--   columns    integer: images in a row
--   count      integer: images at most
--   colour     boolean: true reads [3, h, w] as RGB, false [n, h, 3] as n images
--   x          tensor [n] or list: the places of curves along x
--   xlabel, ylabel    strings: the names of the axes of curves
--   height     integer: lines of the terminal for curves
--   points     boolean: true draws points in place of curves
--   metrics    list of strings: those of a run that are drawn (default: the first 4 with a curve)
--   images     tensor: what a prediction is of; labels= the classes [n] that are right
--   threshold, rule   when a prediction abstains, as for bnn.plot.predictions
-- @return true; or nil, message if a file cannot be read, or a picture needs a PNG and this build
--   writes none
-- Raises if x is none of these, or an option does not go with it.
function M.show(x, opts)
  for _, kind in ipairs(KINDS) do
    if kind[1](x) then
      local text, fault = kind[2](x, opts)
      if not text then return nil, fault end
      io.stdout:write(text)
      io.stdout:flush()
      figure_screen.remember(true)
      return true
    end
  end
  fail.expected(WHAT .. ": x", SHOWN, x)
end

return M
