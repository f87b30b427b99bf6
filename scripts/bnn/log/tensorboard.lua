--- The sink of TensorBoard's event files; handed out by bnn.log.
local core = require "bnn.core"
local event = require "bnn.log.event_messages"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local log_file = require "bnn.log.log_file"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local count = 0 -- of the files that this process has begun

-- A name that no other file of the folder has, not even one of the same second and process.
local function file_name()
  local host, process = core.host()
  count = count + 1
  return ("events.out.tfevents.%010d.%s.%d.%d"):format(math.floor(core.now()),
    host:gsub("[^%w%-.]", "_"), process, count)
end

-- Hyperparameters in order, as {name, value}: numbers, booleans and words; lists as text.
local function hparams_of(config)
  local list = {}
  for _, name in ipairs(options.sorted_names(config)) do
    local x = config[name]
    if type(x) == "table" then
      local items = {}
      for i, item in ipairs(x) do items[i] = tostring(item) end
      x = table.concat(items, ",")
    end
    list[#list + 1] = {strings.utf8(name), type(x) == "string" and strings.utf8(x) or x}
  end
  return list
end

-- The value of one row, as bytes.
local function value_of(name, x)
  name = strings.utf8(name)
  if type(x) == "number" then return event.scalar(name, x) end
  if type(x) == "boolean" then return event.scalar(name, x and 1 or 0) end
  return event.text(name, strings.utf8(x))
end

-- Images [h, w] or [h, w, channels] of u8 as the bytes of a PNG file, with their size.
local function encode_image(what, x)
  expect.tensor(what, x, "an image of u8, [h, w] or [h, w, channels]")
  local shape = x:shape()
  if x:dtype() ~= "u8" or #shape < 2 or #shape > 3 then
    fail("%s: expected u8 [h, w] or [h, w, channels], got %s %s", what, x:dtype(),
      shapes.text(x))
  end
  local png, message = core.png_encode(x)
  return png, message, shape[1], shape[2], shape[3] or 1
end

--- Makes the sink of bnn.log.tensorboard.
-- @param what string: the function that errors name
-- @return sink; or nil, message
function M.sink(what, dir, opts)
  expect.string(what, dir, "a folder")
  opts = options.check(what, opts, {
    config = "table", metrics = {type = "string", list = true}, group = "string",
  })
  local made, message = core.make_folder(dir)
  if made == nil then return nil, message end
  local path = dir:gsub("/*$", "/") .. file_name()
  local file
  file, message = log_file.open(path, true)
  if not file then return nil, message end
  local function add(message_bytes) file:put(core.tfevents_record(message_bytes)) end
  local function add_values(step, values) add(event.summary(core.now(), step, values)) end
  add(event.version(core.now()))
  if opts.config then
    local hparams = hparams_of(opts.config)
    add_values(0, event.experiment(hparams, opts.metrics or {}))
    add_values(0, event.session_start(hparams, opts.group, core.now()))
  end
  local sink = {path = path}
  function sink.write(_, step, rows)
    local values = {}
    for i, row in ipairs(rows) do values[i] = value_of(row[1], row[2]) end
    add_values(step, table.concat(values))
  end
  function sink.histogram(_, step, name, x)
    local histogram = core.tfevents_histogram(x)
    if histogram then add_values(step, event.histogram(strings.utf8(name), histogram)) end
  end
  function sink.image(_, step, name, x)
    local png, fault, height, width, channels = encode_image("log:image: " .. name, x)
    if not png then fail("log:image: %s", fault) end
    add_values(step, event.image(strings.utf8(name), png, height, width, channels))
  end
  local closed = false
  function sink.close()
    if opts.config and not closed then add_values(0, event.session_end("completed", core.now())) end
    closed = true
    file:close()
  end
  return sink
end

return M
