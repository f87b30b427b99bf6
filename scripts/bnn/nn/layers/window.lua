--- Windows that slide over images and sequences: what convolutions and pools share.
--
-- A window is {size=, stride=, padding=, dilation=}, each {rows, columns}; over sequences it has a
-- single row.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local layer = require "bnn.nn.base.layer"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

-- A number for rows and columns, or a list of the two, as {rows, columns}.
local function read_pair(what, value, min)
  local spec = {type = "integer", min = min, max = layer.SIZE.max}
  local is_list = type(value) == "table" and #value == 2
  local rows = options.accept(is_list and value[1] or value, spec)
  local columns = options.accept(is_list and value[2] or value, spec)
  if rows and columns then return {rows, columns} end
  fail("%s: expected an integer of at least %d, or a list of two {rows, columns}, got %s", what,
    min, kinds.show(value))
end

-- The padding that keeps the size of images under a stride of 1.
local function same_padding(what, name, size, dilation)
  local both = {}
  for k = 1, 2 do
    local span = dilation[k] * (size[k] - 1)
    if span % 2 == 1 then
      fail('%s: %s: expected odd sizes for padding = "same", got %s', what, name, kinds.show(size))
    end
    both[k] = span // 2
  end
  return both
end

--- Reads the window of a layer; raises if it is none.
-- @param what string: "bnn.nn.conv2d"
-- @param name string: what the layer calls its size
-- @param opts table: stride= by default the size; padding= by default 0; "same" keeps the size of
--   images under a stride of 1; dilation= by default 1
function M.read(what, name, size, opts)
  size = read_pair(what .. ": " .. name, size, 1)
  local stride = read_pair(what .. ": stride", opts.stride or size, 1)
  local dilation = read_pair(what .. ": dilation", opts.dilation or 1, 1)
  local padding = opts.padding == "same" and same_padding(what, name, size, dilation)
    or read_pair(what .. ": padding", opts.padding or 0, 0)
  return {size = size, stride = stride, padding = padding, dilation = dilation}
end

--- Reads the window of a layer over sequences, whose numbers are integers: one of a single row.
function M.read_row(what, name, size, opts)
  local function row_of(option, value, other, min)
    if math.type(value) == "integer" and value >= min then return {other, value} end
    fail("%s: %s: expected an integer of at least %d, got %s", what, option, min, kinds.show(value))
  end
  local function option(key, other, min)
    local value = opts[key]
    if value == nil or value == "same" then return value end
    return row_of(key, value, other, min)
  end
  return M.read(what, name, row_of(name, size, 1, 1), {
    stride = option("stride", 1, 1), padding = option("padding", 0, 0),
    dilation = option("dilation", 1, 1),
  })
end

--- Returns [n, h, w] as images of one channel [n, 1, h, w], and the number of channels. Raises if x
-- is not images.
function M.images(x)
  local shape = x:shape()
  if #shape == 3 then
    x = x:reshape(shape[1], 1, shape[2], shape[3])
    shape = x:shape()
  end
  if #shape ~= 4 then
    fail("x: expected [n, channels, h, w] or [n, h, w], got %s", shapes.text(shape))
  end
  return x, shape[2]
end

--- Returns sequences [n, channels, t] or [n, t] as images [n, channels, 1, t] and the number of
-- channels. Raises if x is not sequences.
function M.sequences(x)
  local shape = x:shape()
  if #shape ~= 2 and #shape ~= 3 then
    fail("x: expected [n, channels, t] or [n, t], got %s", shapes.text(shape))
  end
  local channels = #shape == 3 and shape[2] or 1
  return x:reshape(shape[1], channels, 1, shape[#shape]), channels
end

--- Reads the groups of a convolution, which divide its `out` channels.
function M.read_groups(what, groups, out)
  if out % groups == 0 then return groups end
  fail("%s: groups: expected a divisor of out = %d, got %d", what, out, groups)
end

--- Raises unless groups divide the channels of images or sequences [n, channels, ...]; else returns
-- those of each.
function M.channels_of_group(x, channels, groups)
  if channels % groups == 0 then return channels // groups end
  fail("x: expected channels that groups = %d divides, got %s", groups, shapes.text(x))
end

--- Groups as an argument of a layer: nil for 1, as M.dilation_argument.
function M.groups_argument(groups) return groups > 1 and groups or nil end

--- Raises if images [n, channels, h, w] are smaller than the window.
-- @param row boolean: they stand for sequences
function M.check_fit(x, window, row)
  local is_less = false
  for k = 1, 2 do
    local span = window.dilation[k] * (window.size[k] - 1) + 1
    is_less = is_less or x:size(2 + k) + 2 * window.padding[k] < span
  end
  if not is_less then return end
  local show = row and function(pair) return pair[2] end or kinds.show
  local apart = window.dilation[1] * window.dilation[2] > 1
    and (", dilation %s"):format(show(window.dilation)) or ""
  fail("x: expected %s no smaller than a window of %s%s, with padding %s, got %s",
    row and "sequences" or "images", show(window.size), apart, show(window.padding),
    row and x:size(4) or shapes.text(x))
end

--- Reads the output_padding of a transposed convolution: less than its stride or its dilation.
function M.read_beyond(what, value, window)
  local beyond = read_pair(what .. ": output_padding", value, 0)
  for k = 1, 2 do
    if beyond[k] >= math.max(window.stride[k], window.dilation[k]) then
      fail("%s: output_padding: expected less than the stride or the dilation, got %s", what,
        kinds.show(beyond))
    end
  end
  return beyond
end

--- A pair as a layer shows it: one number for two that are equal.
function M.pair_text(pair)
  return pair[1] == pair[2] and tostring(pair[1]) or kinds.show(pair)
end

--- A window as a layer shows it: "3", "3, {stride=2, padding=1}".
-- @param stride the default, {rows, columns}
-- @param bias false is shown
-- @param show function(pair) -> text (default: one number for two that are equal)
-- @param more list: further rows {name, value, default}
function M.text(window, stride, bias, show, more)
  show = show or M.pair_text
  local rows = {
    {"stride", show(window.stride), show(stride)}, {"padding", show(window.padding), "0"},
    {"dilation", show(window.dilation), "1"}, {"bias", bias, true},
  }
  table.move(more or {}, 1, #(more or {}), #rows + 1, rows)
  return show(window.size) .. layer.changed_text(rows)
end

--- The columns' number of a pair: how windows over sequences are shown.
function M.row_text(pair) return tostring(pair[2]) end

--- A dilation as an argument of a layer: nil for 1, without which layers are described as ever.
function M.dilation_argument(dilation)
  return (dilation[1] > 1 or dilation[2] > 1) and dilation or nil
end

--- Options that read takes, and those of a layer with weights beside them.
-- @param w_init, b_init functions: the defaults
function M.layer_options(w_init, b_init)
  return {
    stride = {type = M.PAIR, default = 1},
    padding = {type = M.PAIR .. "|string", default = 0},
    dilation = {type = M.PAIR, default = 1},
    groups = {type = "integer", default = 1, min = 1},
    bias = {type = "boolean", default = true},
    w_init = {type = "function", default = w_init},
    b_init = {type = "function", default = b_init},
  }
end

--- The spec of an option that read takes.
M.PAIR = "integer|table"

return M
