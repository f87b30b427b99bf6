--- Streams: training data that a Lua iterator hands out in chunks, so that they need not fit into
-- memory nor be in files of any known format.
--
-- Rows are collected in windows of whole batches; within a window they are shuffled, and from there
-- on a window is a part like any other. A window and the chunk that it ends in are all that a
-- stream holds.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local options = require "bnn.base.options"
local parts = require "bnn.data.part"
local refusal = require "bnn.base.refusal"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local WHAT = "bnn.data.stream"

local Stream = {__name = "bnn.stream"}
Stream.__index = Stream

-- ---- chunks ----

-- Ends the program with one line: what an iterator hands out comes from the world.
local function refuse(text, ...)
  refusal.assert_or_exit(nil, ("%s: %s"):format(WHAT, strings.message(text, ...)))
end

-- "f32 [*, 28, 28]"
local function row_text(x)
  local shape = x:shape()
  shape[1] = "*"
  return ("%s %s"):format(x:dtype(), shapes.text(shape))
end

-- Refuses what is not as in the first chunk.
-- @param text string: "f32 [*, 28, 28]", or which tensors there are by name
local function check_rows(reader, name, text)
  local known = reader.stream.rows[name]
  if known == nil then
    reader.stream.rows[name] = text
  elseif known ~= text then
    refuse("%s of chunk %d: expected %s as in the first chunk, got %s", name, reader.chunks, known,
      text)
  end
end

local function tensor_of(reader, name, value)
  if kinds.is_plain(value) then value = core.tensor(value) end
  if not kinds.is_object(value, "tensor") or value:dim() == 0 then
    refuse("%s of chunk %d: expected a tensor [n, ...] or a list, got %s", name, reader.chunks,
      kinds.is_object(value, "tensor") and "a scalar" or kinds.shown(value))
  end
  check_rows(reader, name, row_text(value))
  return value
end

-- x, y or weight of a chunk: a tensor, or several by name.
local function tensors_of(reader, role, value)
  local names = named_tensors.names(value)
  if not names then return tensor_of(reader, role, value) end
  check_rows(reader, role, "tensors by name, " .. table.concat(names, ", "))
  return named_tensors.map(value, function(own, name)
    return tensor_of(reader, role .. "." .. name, own)
  end)
end

-- Refuses a chunk that has other fields than the first one.
local function check_fields(reader, chunk)
  local rows = reader.stream.rows
  for name in pairs(chunk) do
    if name ~= "x" and name ~= "y" and name ~= "weight" then
      refuse("chunk %d: expected x, y and weight, got a field '%s'", reader.chunks, tostring(name))
    end
  end
  for _, name in ipairs{"y", "weight"} do
    local has, had = chunk[name] ~= nil, rows[name] ~= nil
    if rows.x and has ~= had then
      refuse("%s of chunk %d: expected %s as in the first chunk, got %s", name, reader.chunks,
        had and "a tensor" or "none", has and "one" or "none")
    end
  end
end

-- A chunk as {x=, y=, weight=} with tensors of as many rows.
local function check_chunk(reader, chunk)
  if kinds.is_object(chunk, "data") then
    chunk = {x = chunk.x, y = chunk.y, weight = chunk.weight}
  elseif type(chunk) ~= "table" then
    refuse("chunk %d: expected {x = tensor, y = tensor}, got %s", reader.chunks, kinds.shown(chunk))
  end
  check_fields(reader, chunk)
  local checked = {}
  for _, name in ipairs{"y", "weight", "x"} do -- x last: it says that a first chunk was seen
    local is_there = name == "x" or chunk[name] ~= nil
    checked[name] = is_there and tensors_of(reader, name, chunk[name]) or nil
  end
  local rows = named_tensors.rows(checked.x)
  local function check_count(tensor, name)
    if tensor:size(1) == rows then return end
    refuse("%s of chunk %d: expected the %d rows of x, got %s", name, reader.chunks, rows,
      shapes.text(tensor))
  end
  for _, role in ipairs{"x", "y", "weight"} do
    named_tensors.each(role, checked[role], check_count)
  end
  return checked
end

-- ---- reading ----

-- A reader of an epoch, which begins behind `skipped` rows.
local function reader_of(stream, epoch, skipped)
  local iterator = stream.open(epoch, stream.seeks and skipped + 1 or nil)
  if not options.accept(iterator, "function") then
    refuse("epoch %d: expected an iterator, got %s", epoch, kinds.shown(iterator))
  end
  return {stream = stream, next = iterator, epoch = epoch, chunks = 0,
          given = stream.seeks and skipped or 0}
end

-- The next chunk with rows; nil at the end of the epoch.
local function next_chunk(reader)
  if reader.rest then
    local rest = reader.rest
    reader.rest = nil
    return rest
  end
  repeat
    local chunk = reader.next()
    if chunk == nil then return nil end
    reader.chunks = reader.chunks + 1
    chunk = check_chunk(reader, chunk)
    local rows = named_tensors.rows(chunk.x)
    reader.given = reader.given + rows
    if rows > 0 then return chunk end
  until false
end

-- Rows first..first + n - 1 of a chunk.
local function rows_of(chunk, first, n)
  local some = {}
  for role, value in pairs(chunk) do
    some[role] = named_tensors.map(value, function(tensor) return tensor:narrow(1, first, n) end)
  end
  return some
end

-- Takes up to n rows: a list of chunks, and how many rows these have.
local function take(reader, n)
  local list, count = {}, 0
  while count < n do
    local chunk = next_chunk(reader)
    if not chunk then break end
    local size = named_tensors.rows(chunk.x)
    if size > n - count then
      reader.rest = rows_of(chunk, n - count + 1, size - (n - count))
      chunk = rows_of(chunk, 1, n - count)
      size = n - count
    end
    list[#list + 1], count = chunk, count + size
  end
  return list, count
end

local function skip(reader, n)
  local before = reader.given
  while n > 0 do
    local _, count = take(reader, math.min(n, 4096))
    if count == 0 then
      refuse("epoch %d: expected at least the rows of the steps that were made, got %d",
        reader.epoch, before)
    end
    n = n - count
  end
end

-- x, y or weight of all chunks, one after the other.
local function joined(list, role)
  return named_tensors.map(list[1][role], function(first, name)
    if #list == 1 then return first:clone() end
    local tensors = {}
    for i, chunk in ipairs(list) do tensors[i] = name and chunk[role][name] or chunk[role] end
    return core.ops.concat(tensors, 1)
  end)
end

-- A window as a part; nil if the epoch has ended.
local function read_window(stream, reader, n)
  local list, count = take(reader, n)
  if count == 0 then return nil end
  local part = parts.from_tensors{
    x = joined(list, "x"), y = joined(list, "y"), weight = joined(list, "weight"),
    names = stream.names, classes = stream.classes,
  }
  if not stream.augmentations then return part end
  return part:augment(stream.augmentations, {input = stream.augmented_input})
end

-- ---- streams ----

--- Makes training data of an iterator. bnn.train takes it as data=; epochs follow each other as
-- steps ask for them.
--     local stream = bnn.data.stream(function(epoch)
--       local chunk = 0
--       return function()
--         chunk = chunk + 1
--         if chunk > 10 then return nil end
--         local x = bnn.rand(key:fold(chunk), 100, 3)
--         return {x = x, y = x:sum(2)}
--       end
--     end, {size = 1000, shuffle = 500})
--     for batch in stream:batches{size = 50, key = key} do print(batch.x:shape(), batch.y) end
-- A training that resumes opens the iterator of its epoch again and passes over the rows that were
-- used: the bits are those of one that never stopped if an epoch's rows are the same whenever it is
-- opened.
-- @param open function(epoch) -> iterator, a function() -> {x=, y=}, or nil at the end: chunks of
--   any number of rows, tensors x [n, ...] and, or not, y [n, ...] and weight [n], or lists of
--   numbers; x and y may be tables of them by name, and a part is a chunk too. The rows of all
--   chunks have one shape and type. Epochs count from 1
-- @param opts table:
--   size      rows of an epoch, if known: an epoch that has others is an error, and temperature=
--             needs it
--   shuffle   rows of the window in which rows are shuffled, 0: they stay in their order. It is
--             rounded up to whole batches
--   seeks     true: open is called as open(epoch, from) and begins with row `from`, so that a
--             training that resumes need not read what it passes over
--   names, classes  of x's columns and y's classes, lists (of targets by name, by target)
-- @return stream: size, batches{...} and augment{...} as a part has them, head(n) for net:init
-- Raises if open is not a function.
function M.stream(open, opts)
  expect.callable(WHAT .. ": open", open)
  opts = options.check(WHAT, opts or {}, {
    size = {type = "integer", min = 1}, shuffle = {type = "integer", min = 0, default = 0},
    seeks = "boolean", names = {type = "string", list = true},
    classes = "table",
  })
  return setmetatable({open = open, size = opts.size, shuffle = opts.shuffle,
                       seeks = opts.seeks, names = opts.names, classes = opts.classes, rows = {}},
    Stream)
end

--- Returns the first rows of the stream as a part, for what has to see data before a training.
--     local part = stream:head(2)
--     print(part.x)
-- @param n integer: rows; fewer if the stream has no more
-- @return part
-- Raises a refusal if there are none.
function Stream:head(n)
  n = expect.value("stream:head: n", n, {type = "integer", min = 1})
  local part = read_window(self, reader_of(self, 1, 0), n)
  if not part then refuse("epoch 1: expected rows, got none") end
  return part
end

--- Returns the same stream, whose batches are augmented, as part:augment does it.
--     local noisy = stream:augment{bnn.augment.noise(0.1)}
-- @param list list of augmentations of bnn.augment; mixup of labels needs its classes= or those of
--   the stream
-- @param opts table: input= the name of the input that is augmented, where there are several
-- @return stream
-- Raises if the list does not suit the rows.
function Stream:augment(list, opts)
  opts = options.check("stream:augment", opts, {input = "string"})
  local made = {}
  for name, value in pairs(self) do made[name] = value end
  made.augmentations = nil
  setmetatable(made, Stream)
  local sample = made:head(1)
  made.augmentation = {text = sample:augment(list, opts).augmentation.text}
  local last = list[#list]
  made.augmentations, made.augmented_input = list, opts.input
  local are_labels = last.mixes and sample.y and sample.y:dtype() == "i32"
  if are_labels and not self.classes and not last.options.classes then
    fail "stream:augment: mixup: expected classes=, as a stream does not know them, got nothing"
  end
  return made
end

-- Refuses an epoch that ends with another number of rows than was said.
local function check_end(stream, reader, size)
  if stream.size and reader.given ~= stream.size then
    refuse("epoch %d: expected %d rows, got %d", reader.epoch, stream.size, reader.given)
  elseif reader.given < size then
    refuse("epoch %d: expected at least the %d rows of a batch, got %d", reader.epoch, size,
      reader.given)
  end
end

-- Batches of one epoch: function() -> batch, or nil at the end.
local function epoch_batches(stream, opts, epoch, window_rows, skipped_windows)
  local reader = reader_of(stream, epoch, skipped_windows * window_rows)
  if not stream.seeks then skip(reader, skipped_windows * window_rows) end
  local window, part, rows, from = skipped_windows, nil, nil, 1
  return function(i)
    if not part or from > part.size then
      part, window, from = read_window(stream, reader, window_rows), window + 1, 1
      local key = opts.key:fold("data"):fold(epoch):fold(window)
      rows = part and (stream.shuffle > 0 and core.permutation(key, part.size)
        or core.arange(1, part.size):to "i32")
    end
    local count = part and math.min(opts.size, part.size - from + 1) or 0
    if count == 0 or count < opts.size and opts.drop_last then
      check_end(stream, reader, opts.size)
      return nil
    end
    from = from + count
    return parts.batch(part, rows, from - count, count, opts.key, i)
  end
end

-- The epoch, from 1, of batch i, from 0, and the batch's number in it, from 0; batch i of the first
-- epoch where the number of its rows is not known.
local function place_of(stream, opts, i)
  if not stream.size then return 1, i end
  local per_epoch = stream.size // opts.size
  if not opts.drop_last and stream.size % opts.size > 0 then per_epoch = per_epoch + 1 end
  if per_epoch == 0 then return 1, i end -- the epoch says so at its end
  return i // per_epoch + 1, i % per_epoch
end

--- Iterates over batches, as part:batches does. Epoch e of the stream is open(e); its window w is
-- permuted by key:fold("data"):fold(e):fold(w).
--     for batch in stream:batches{size = 50, key = key} do print(batch.x:shape()) end
-- @param opts table: size=, key=, epochs=1 (math.huge: without end), drop_last=true (false: the
--   rest of an epoch is a smaller batch), skip=0 (batches to skip, to resume: of a stream without
--   size all epochs before are read again)
-- @return function() -> batch
-- Raises a refusal, which ends the program with one line, if a chunk has other rows than the first,
-- or an epoch has fewer than a batch or others than size.
function Stream:batches(opts)
  opts = options.check("stream:batches", opts, {
    size = {type = "integer", min = 1, required = true},
    key = {type = "key", required = true},
    epochs = {type = "integer", min = 0, default = 1, infinite = true},
    drop_last = {type = "boolean", default = true},
    skip = {type = "integer", min = 0, default = 0},
  })
  local in_window = (math.max(self.shuffle, opts.size) + opts.size - 1) // opts.size
  local epoch, first = place_of(self, opts, opts.skip)
  local i, next_batch = opts.skip - first % in_window, nil
  if not self.size then i, first = 0, 0 end
  local function step()
    while epoch <= opts.epochs do
      next_batch = next_batch
        or epoch_batches(self, opts, epoch, in_window * opts.size, first // in_window)
      local batch = next_batch(i + 1)
      if batch then
        i = i + 1
        return batch
      end
      epoch, first, next_batch = epoch + 1, 0, nil
    end
  end
  return function()
    while i < opts.skip do step() end
    return step()
  end
end

expect_model.check_methods(Stream, "stream", expect_model.has "open")

function Stream:__tostring()
  return ("stream: %s rows%s%s"):format(self.size or "unknown number of",
    self.shuffle > 0 and ", shuffled in windows of " .. self.shuffle or "",
    self.augmentation and ", augmented by " .. self.augmentation.text or "")
end

return M
