--- Streams: batches of rows that an iterator hands out, shuffled within windows, resumed, refused.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local files = require "idx_files"
local bnn = require "bnn"
local parts = require "bnn.data.part"
local core = require "bnn.core"

local raises = bits.raises
local key = bnn.key(41)

-- An opener of epochs of n rows 1, 2, ... in chunks of these sizes, again and again; y is ten times
-- x. Notes what was opened in `opened`.
local opened
local function opener(n, sizes)
  return function(epoch, from)
    opened[#opened + 1] = {epoch, from}
    local row, chunk = from or 1, 0
    return function()
      if row > n then return nil end
      local size = math.min(sizes[chunk % #sizes + 1], n - row + 1)
      local x = bnn.arange(row, row + size - 1):view(size, 1)
      row, chunk = row + size, chunk + 1
      return {x = x, y = x * 10}
    end
  end
end

local function stream_of(n, sizes, opts)
  opened = {}
  return bnn.data.stream(opener(n, sizes), opts)
end

-- The rows of each batch.
local function rows_of(stream, opts)
  opts.key = opts.key or key
  local lists = {}
  for batch in stream:batches(opts) do
    local rows = {}
    for i, row in ipairs(batch.x:totable()) do rows[i] = math.tointeger(row[1]) end
    lists[#lists + 1] = rows
    bits.assert_same(batch.y, batch.x * 10)
  end
  return lists
end

TestBatches = {}

function TestBatches.test_rows_stay_in_order_whatever_the_chunks()
  for _, sizes in ipairs{{10}, {3}, {1, 5, 2}, {100}} do
    lu.assertEquals(rows_of(stream_of(10, sizes), {size = 4}), {{1, 2, 3, 4}, {5, 6, 7, 8}})
    lu.assertEquals(rows_of(stream_of(10, sizes), {size = 4, drop_last = false}),
      {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10}})
  end
end

function TestBatches.test_chunks_may_be_parts()
  local rows = bnn.arange(1, 9):view(9, 1)
  local whole = bnn.data.from_tensors{x = rows, y = rows * 10, weight = rows:view(9)}
  local stream = bnn.data.stream(function()
    local first = -2
    return function()
      first = first + 3
      return first <= 9 and whole:slice(first, first + 2) or nil
    end
  end)
  lu.assertEquals(rows_of(stream, {size = 4}), {{1, 2, 3, 4}, {5, 6, 7, 8}})
  local batch = stream:batches{size = 4, key = key}()
  bits.assert_same(batch.weight, batch.x:view(4))
end

function TestBatches.test_windows_are_shuffled_and_cover_an_epoch()
  local lists = rows_of(stream_of(40, {7}, {shuffle = 18}), {size = 5, epochs = 2})
  lu.assertEquals(#lists, 16)
  local orders = {{}, {}}
  for i, rows in ipairs(lists) do
    local epoch, window = (i - 1) // 8, (i - 1) % 8 // 4 -- 18 rows are 4 batches of 5
    for _, row in ipairs(rows) do
      lu.assertEquals((row - 1) // 20, window)
      table.insert(orders[epoch + 1], row)
    end
  end
  lu.assertNotEquals(orders[1], orders[2])
  for _, order in ipairs(orders) do
    local sorted = table.move(order, 1, #order, 1, {})
    table.sort(sorted)
    lu.assertEquals(sorted, bnn.arange(1, 40):totable())
    lu.assertNotEquals(order, sorted)
  end
end

function TestBatches.test_skipping_ends_at_the_same_batches()
  for _, opts in ipairs{{}, {size = 23}, {size = 23, seeks = true}, {shuffle = 8},
                        {shuffle = 8, size = 23}, {shuffle = 8, size = 23, seeks = true}} do
    for _, drop_last in ipairs{true, false} do
      local all = rows_of(stream_of(23, {6}, opts), {size = 4, epochs = 3, drop_last = drop_last})
      for skip = 0, #all do
        local rest = rows_of(stream_of(23, {6}, opts),
          {size = 4, epochs = 3, skip = skip, drop_last = drop_last})
        lu.assertEquals(rest, table.move(all, skip + 1, #all, 1, {}))
      end
    end
  end
end

function TestBatches.test_a_stream_that_seeks_begins_where_it_goes_on()
  local stream = stream_of(40, {7}, {shuffle = 8, size = 40, seeks = true})
  stream:batches{size = 4, key = key, epochs = 9, skip = 23}()
  lu.assertEquals(opened, {{3, 9}}) -- 10 batches an epoch; the fourth of it is in its second window
end

function TestBatches.test_images_stay_bytes_until_a_batch_sees_them()
  local images = bnn.full({6, 2, 2}, 51):to "u8"
  local stream = bnn.data.stream(function()
    local is_given = false
    return function()
      if is_given then return nil end
      is_given = true
      return {x = images}
    end
  end, {classes = {"a", "b"}})
  local batch = stream:batches{size = 3, key = key}()
  lu.assertEquals(batch.x:dtype(), core.real)
  lu.assertAlmostEquals(batch.x:max():item(), 0.2, 1e-6)
  lu.assertNil(batch.y)
  local part = stream:head(4)
  lu.assertEquals({part.x:dtype(), part.size, part.classes}, {"u8", 4, {"a", "b"}})
end

function TestBatches.test_lists_are_rows_too()
  local stream = bnn.data.stream(function()
    local i = 0
    return function()
      i = i + 1
      if i <= 4 then return {x = {{i, -i}}, y = {{i}}} end
    end
  end)
  local batch = stream:batches{size = 4, key = key}()
  lu.assertEquals(batch.x:totable(), {{1, -1}, {2, -2}, {3, -3}, {4, -4}})
  lu.assertEquals(batch.y:totable(), {{1}, {2}, {3}, {4}})
end

function TestBatches.test_examples_have_weights()
  local stream = bnn.data.stream(function()
    local i = 0
    return function()
      i = i + 1
      if i <= 4 then return {x = bnn.full({3, 1}, i), weight = bnn.full({3}, i / 2)} end
    end
  end)
  for batch in stream:batches{size = 6, key = key} do
    bits.assert_same(batch.weight, batch.x:view(6) / 2)
  end
end

function TestBatches.test_what_the_iterator_does_to_its_chunk_later_changes_nothing()
  local stream = stream_of(8, {8})
  local batch = stream:batches{size = 8, key = key}()
  lu.assertEquals(batch.x:view(-1):totable(), bnn.arange(1, 8):totable())
end

function TestBatches.test_augmented_windows()
  local stream = stream_of(40, {7}, {size = 40}):augment{bnn.augment.noise(1)}
  lu.assertEquals(tostring(stream), "stream: 40 rows, augmented by noise(1)")
  local function batches(skip)
    local list = {}
    for batch in stream:batches{size = 10, key = key, skip = skip} do list[#list + 1] = batch.x end
    return list
  end
  local all = batches(0)
  lu.assertNotEquals(bits.of(all[1]), bits.of(bnn.arange(1, 10):view(10, 1)))
  bits.assert_same(batches(2)[1], all[3])
end

-- A window in its order is a part of these rows, and is mixed as one.
function TestBatches.test_examples_with_weights_are_mixed()
  local x, weight = bnn.arange(1, 12):real():view(12, 1), bnn.arange(1, 12):real()
  local y = bnn.arange(1, 12):real():fmod(3):to "i32"
  local list = {bnn.augment.mixup(1)}
  local function once()
    local is_given = false
    return function()
      if is_given then return nil end
      is_given = true
      return {x = x, y = y, weight = weight}
    end
  end
  local classes = {"a", "b", "c"}
  local stream = bnn.data.stream(once, {classes = classes}):augment(list)
  local batch = stream:batches{size = 12, key = key}()
  local rows = bnn.arange(1, 12):to "i32"
  local part = bnn.data.from_tensors{x = x, y = y, weight = weight, classes = classes}
  local want = parts.batch(part:augment(list), rows, 1, 12, key, 1)
  bits.assert_same(batch.y, want.y)
  bits.assert_same(batch.weight, want.weight)
  bits.assert_differ(batch.weight, weight)
end

TestTraining = {}

local N = 60

local function train(data, opts, checkpoint)
  local net = bnn.nn.mlp{6, 1}
  local objective = bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(net:init(key, bnn.ones(1, 1))),
    likelihood = bnn.likelihood.gaussian{sigma = 1}, beta = 0.01,
  }
  local all = {objective = objective, optimizer = bnn.optim.adam{lr = 0.01}, data = data,
               steps = 20, batch_size = 8, key = key, progress = false, checkpoint = checkpoint}
  for name, value in pairs(opts or {}) do all[name] = value end
  bnn.train(all)
  return bits.of(objective.posterior.mu.flat)
end

function TestTraining.test_a_stream_in_order_is_its_rows_as_batches()
  local x = bnn.arange(1, N):view(N, 1)
  local part = bnn.data.from_tensors{x = x, y = x * 10}
  local in_order = {size = N, batches = function(_, opts)
    local i = 0
    return function()
      i = i + 1
      local rows = part:slice((i - 1) % 7 * opts.size + 1, ((i - 1) % 7 + 1) * opts.size)
      return {x = rows.x, y = rows.y}
    end
  end, x = x, y = part.y}
  lu.assertEquals(train(stream_of(N, {11}, {size = N})), train(in_order))
end

function TestTraining.test_resumed_it_has_the_same_bits_and_other_rows_are_refused()
  if not core.json_encode(true) then lu.skip "no jansson: no checkpoints" end
  local dir, real = files.folder(), io.stderr
  rawset(io, "stderr", {write = function() end})
  local ok, fault = pcall(function()
    for i, opts in ipairs{{shuffle = 16}, {shuffle = 16, size = N}, {size = N, seeks = true}} do
      local function stream(sizes) return stream_of(N, sizes or {9, 4}, opts) end
      local path = ("%s/%d"):format(dir, i)
      train(stream(), {steps = 9}, {path = path})
      local resumed = train(stream{5}, {steps = 20}, {path = path, resume = true})
      lu.assertEquals(resumed, train(stream()))
      local other = bnn.data.stream(function() return function()
        return {x = bnn.ones(9, 1), y = bnn.ones(9, 1)}
      end end, {size = opts.size})
      local _, message = pcall(train, other, {steps = 22}, {path = path, resume = true})
      lu.assertStrContains(tostring(message), "data_fingerprint: ")
    end
  end)
  rawset(io, "stderr", real)
  files.remove(dir)
  if not ok then error(fault, 0) end
end

TestRefusals = {}

-- What a stream of these chunks, which begins anew each epoch, says.
local function fault_of(chunks, opts, batches)
  local stream = bnn.data.stream(function()
    local i = 0
    return function()
      i = i + 1
      return chunks[i]
    end
  end, opts)
  local all = {size = 2, key = key, epochs = 2}
  for name, value in pairs(batches or {}) do all[name] = value end
  local ok, message = pcall(function() for _ in stream:batches(all) do end end)
  lu.assertFalse(ok)
  return tostring(message)
end

function TestRefusals.test_chunks_that_do_not_fit_are_one_line()
  local x, y = bnn.ones(3, 2), bnn.ones(3)
  local rows = {
    {"x of chunk 2: expected f32 [*, 2] as in the first chunk, got f32 [*, 3]",
     {{x = x}, {x = bnn.ones(1, 3)}}},
    {"x of chunk 2: expected f32 [*, 2] as in the first chunk, got i32 [*, 2]",
     {{x = x}, {x = bnn.zeros({1, 2}, "i32")}}},
    {"y of chunk 2: expected a tensor as in the first chunk, got none",
     {{x = x, y = y}, {x = x}}},
    {"y of chunk 2: expected none as in the first chunk, got one", {{x = x}, {x = x, y = y}}},
    {"y of chunk 1: expected the 3 rows of x, got [2]", {{x = x, y = bnn.ones(2)}}},
    {"chunk 1: expected {x = tensor, y = tensor}, got", {7}},
    {"chunk 1: expected x, y and weight, got a field 'z'", {{x = x, z = y}}},
    {"weight of chunk 1: expected the 3 rows of x, got [2]", {{x = x, weight = bnn.ones(2)}}},
    {"weight of chunk 2: expected a tensor as in the first chunk, got none",
     {{x = x, weight = y}, {x = x}}},
    {"x of chunk 1: expected a tensor [n, ...] or a list, got a scalar", {{x = bnn.tensor(3)}}},
    {"x of chunk 1: expected a tensor [n, ...] or a list, got nil", {{y = y}}},
  }
  for _, row in ipairs(rows) do
    local message = fault_of(row[2]):gsub("f64", "f32")
    lu.assertStrContains(message, "bnn.data.stream: " .. row[1])
  end
end

function TestRefusals.test_epochs_that_end_early_are_one_line()
  local x = bnn.ones(3, 2)
  lu.assertStrContains(fault_of({{x = x}}, {size = 5}), "epoch 1: expected 5 rows, got 3")
  lu.assertStrContains(fault_of({{x = x}, {x = x}}, {size = 5}), "epoch 1: expected 5 rows, got 6")
  lu.assertStrContains(fault_of({{x = x}}, nil, {size = 4}),
    "epoch 1: expected at least the 4 rows of a batch, got 3")
  lu.assertStrContains(fault_of({}), "epoch 1: expected at least the 2 rows of a batch, got 0")
end

function TestRefusals.test_misuse_raises()
  raises("bnn.data.stream: open: expected a function, got a number", bnn.data.stream, 3)
  local stream = bnn.data.stream(function() return 3 end)
  raises("epoch 1: expected an iterator, got a number",
    function() stream:batches{size = 2, key = key}() end)
  local labels = bnn.data.stream(function()
    return function() return {x = bnn.ones(2, 2), y = bnn.zeros({2}, "i32")} end
  end)
  raises("part:augment: expected a list", labels.augment, labels)
  raises("stream:augment: mixup: expected classes=", labels.augment, labels,
    {bnn.augment.mixup(1)})
  raises("objective:evaluate: data: expected a part of a data set", function()
    local net = bnn.nn.mlp{1}
    bnn.elbo{net = net, posterior = bnn.posterior.meanfield(net:init(key, bnn.ones(1, 2))),
             beta = 1}:evaluate(labels, {key = key})
  end)
end

os.exit(lu.LuaUnit.run())
