--- The messages in TensorBoard's event files, as bytes: protocol buffers with the field numbers of
-- tensorflow/core/util/event.proto, framework/summary.proto and tensorboard's hparams/plugin.proto.
-- Records and histograms come from C (core.tfevents_record, core.tfevents_histogram).
local M = {}

-- ---- protocol buffers ----

local VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

local function varint(n)
  local bytes = {}
  while n > 127 or n < 0 do
    bytes[#bytes + 1] = string.char(n & 127 | 128)
    n = n >> 7
  end
  return table.concat(bytes) .. string.char(n)
end

local function tag(field, wire) return varint(field << 3 | wire) end

local function integer(field, n) return tag(field, VARINT) .. varint(n) end
local function double(field, x) return tag(field, FIXED64) .. string.pack("<d", x) end
local function float(field, x) return tag(field, FIXED32) .. string.pack("<f", x) end
local function bytes(field, text) return tag(field, BYTES) .. varint(#text) .. text end

-- ---- values of a summary ----

--- A scalar. What a float cannot hold becomes an infinity.
function M.scalar(name, x)
  return bytes(1, bytes(1, name) .. float(2, x))
end

--- A histogram, from the bytes of its HistogramProto.
function M.histogram(name, histogram)
  return bytes(1, bytes(1, name) .. bytes(5, histogram))
end

--- An image, from the bytes of a PNG file.
function M.image(name, png, height, width, channels)
  local image = integer(1, height) .. integer(2, width) .. integer(3, channels) .. bytes(4, png)
  return bytes(1, bytes(1, name) .. bytes(4, image))
end

local DT_STRING = 7

local function metadata(plugin, content)
  return bytes(9, bytes(1, bytes(1, plugin) .. (content and bytes(2, content) or "")))
end

--- A text, which the plugin of that name shows as Markdown.
function M.text(name, text)
  local tensor = integer(1, DT_STRING) .. bytes(2, bytes(2, integer(1, 1))) .. bytes(8, text)
  return bytes(1, bytes(1, name) .. bytes(8, tensor) .. metadata "text")
end

-- ---- hyperparameters ----

-- A value of JSON's kinds: number, string or boolean.
local function value(x)
  if type(x) == "number" then return double(2, x) end
  if type(x) == "boolean" then return integer(4, x and 1 or 0) end
  return bytes(3, tostring(x))
end

local function plugin_data(name, content)
  return bytes(1, bytes(1, name) .. metadata("hparams", integer(1, 0) .. content))
end

--- What a run begins with.
-- @param hparams list of {name, value}
-- @param seconds since 1970
function M.session_start(hparams, group, seconds)
  local list = {}
  for i, h in ipairs(hparams) do list[i] = bytes(1, bytes(1, h[1]) .. bytes(2, value(h[2]))) end
  local info = table.concat(list) .. (group and bytes(4, group) or "") .. double(5, seconds)
  return plugin_data("_hparams_/session_start_info", bytes(3, info))
end

local STATUS = {completed = 1, failed = 2, running = 3}

--- What a run ends with.
-- @param status "completed", "failed" or "running"
function M.session_end(status, seconds)
  local info = integer(1, STATUS[status]) .. double(2, seconds)
  return plugin_data("_hparams_/session_end_info", bytes(4, info))
end

local DATA_TYPE = {string = 1, boolean = 2, number = 3}

--- The columns of the table of runs.
-- @param hparams list of {name, value}
-- @param metrics list of tags of scalars
function M.experiment(hparams, metrics)
  local list = {}
  for _, h in ipairs(hparams) do
    list[#list + 1] = bytes(4, bytes(1, h[1]) .. integer(4, DATA_TYPE[type(h[2])] or 1))
  end
  for _, metric in ipairs(metrics) do
    list[#list + 1] = bytes(5, bytes(1, bytes(2, metric)))
  end
  return plugin_data("_hparams_/experiment", bytes(2, table.concat(list)))
end

-- ---- events ----

--- An event with the values of a step.
-- @param values their bytes, one after the other
function M.summary(seconds, step, values)
  return double(1, seconds) .. integer(2, step) .. bytes(5, values)
end

--- The first event of a file.
function M.version(seconds) return double(1, seconds) .. bytes(3, "brain.Event:2") end

return M
