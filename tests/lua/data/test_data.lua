--- Data sets: parts, batches, and folders of IDX files in every spelling, whole and broken.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local idx = require "idx_files"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(21)
local here = idx.folder()

-- Nothing is downloaded, nothing found in the user's cache or the system.
local no = here .. "/no"
local environment = {BNNLUA_OFFLINE = "1", XDG_CACHE_HOME = no, XDG_DATA_DIRS = no}
do
  local getenv = os.getenv
  os.getenv = function(name) return environment[name] or getenv(name) end -- luacheck: ignore 122
end

-- A value for $BNNLUA_DATA while f runs.
local function with_env(value, f)
  local getenv = os.getenv
  os.getenv = function(name) -- luacheck: ignore 122
    if name == "BNNLUA_DATA" then return value end
    return getenv(name)
  end
  local ok, fault = pcall(f)
  os.getenv = getenv -- luacheck: ignore 122
  if not ok then error(fault, 0) end
end

-- A new folder below `here`.
local made = 0
local function place()
  made = made + 1
  local path = ("%s/%d"):format(here, made)
  idx.make(path)
  return path
end

local x = bnn.arange(1, 60):reshape(20, 3)
local y = bnn.arange(0, 19):to "i32"
local data = bnn.data.from_tensors{x = x, y = y}

TestPart = {}

function TestPart.test_has_x_y_size_and_a_text()
  lu.assertEquals({data.size, data.x:shape(), data.y:dtype()}, {20, {20, 3}, "i32"})
  lu.assertEquals(tostring(data), "data: 20 examples, x " .. x:dtype() .. " [20, 3], y i32")
  lu.assertEquals(tostring(bnn.data.from_tensors{x = x}),
    "data: 20 examples, x " .. x:dtype() .. " [20, 3]")
end

function TestPart.test_slices_share_memory_and_end_with_the_data()
  local rows = {{{1, 5}, 1, 5}, {{6}, 6, 20}, {{}, 1, 20}, {{18, 99}, 18, 20}, {{7, 7}, 7, 7},
                {{2.0, 3.0}, 2, 3}}
  for i, row in ipairs(rows) do
    local part = data:slice(row[1][1], row[1][2])
    lu.assertEquals(part.size, row[3] - row[2] + 1, i)
    bits.assert_same(part.x, x:narrow(1, row[2], part.size))
    bits.assert_same(part.y, y:narrow(1, row[2], part.size))
  end
  lu.assertNil(bnn.data.from_tensors{x = x}:slice(1, 2).y)
  for _, bad in ipairs{{0, 3}, {5, 3}, {-3}, {22}, {1.5, 3}} do
    raises("part:slice: expected rows within 1..20, got ", data.slice, data, bad[1], bad[2])
  end
end

function TestPart.test_rows_that_are_none_are_refused()
  raises("part:index: index or value out of range", data.index, data, {21})
  raises("part:index: rows: ", data.index, data, {1.5})
  raises("part:index: rows: expected a tensor of integers or a list, got a number", data.index,
    data, 3)
end

function TestPart.test_refusals()
  local rows = {
    {"x: expected a tensor, or tensors by name", {x = {1, 2}}}, {"x: expected", {y = y}},
    {"y: expected 20 rows, got [19]", {x = x, y = y:narrow(1, 1, 19)}},
    {"y: expected [n, ...], got a scalar", {x = x, y = bnn.tensor(3)}},
    {"x: expected [n, ...], got a scalar", {x = bnn.tensor(3)}},
    {"unknown option 'labels'", {x = x, labels = y}},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(bnn.data.from_tensors, row[2])
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
  end
end

function TestPart.test_old_names_say_the_new_ones()
  for old, new in pairs{part = "from_tensors", split = "random_split", map = "mmap"} do
    raises(("bnn.data.%s is now bnn.data.%s"):format(old, new), function() bnn.data[old]() end)
  end
end

TestBatches = {}

-- The labels of each batch, a list of lists.
local function labels_of(opts)
  opts.key = opts.key or key
  local lists = {}
  for batch in data:batches(opts) do lists[#lists + 1] = batch.y:totable() end
  return lists
end

local function sorted(lists)
  local all = {}
  for _, list in ipairs(lists) do table.move(list, 1, #list, #all + 1, all) end
  table.sort(all)
  return all
end

function TestBatches.test_an_epoch_covers_every_example_once()
  local batches = labels_of{size = 5, epochs = 1}
  lu.assertEquals(#batches, 4)
  lu.assertEquals(sorted(batches), y:totable())
  lu.assertNotEquals(table.concat(batches[1], ","), "0,1,2,3,4")
end

function TestBatches.test_the_ragged_rest_is_left_out_or_smaller()
  local batches = labels_of{size = 6, epochs = 1}
  lu.assertEquals({#batches, #batches[3]}, {3, 6})
  batches = labels_of{size = 6, epochs = 1, drop_last = false}
  lu.assertEquals({#batches, #batches[3], #batches[4]}, {4, 6, 2})
  lu.assertEquals(sorted(batches), y:totable())
  lu.assertEquals(#labels_of{size = 5, epochs = 1, drop_last = false}, 4)
  batches = labels_of{size = 50, epochs = 2, drop_last = false}
  lu.assertEquals({#batches, #batches[1]}, {2, 20})
end

function TestBatches.test_the_permutation_is_a_function_of_key_and_epoch()
  local two = labels_of{size = 10, epochs = 2}
  for epoch = 1, 2 do
    local rows = bnn.permutation(key:fold("data"):fold(epoch), 20):totable()
    for i = 1, 20 do rows[i] = rows[i] - 1 end
    local drawn = table.move(two[2 * epoch - 1], 1, 10, 1, {})
    lu.assertEquals(table.move(two[2 * epoch], 1, 10, 11, drawn), rows)
  end
  bnn.randn(key, 10)
  lu.assertEquals(labels_of{size = 10, epochs = 2}, two)
  lu.assertNotEquals(two[1], two[3])
  lu.assertNotEquals(labels_of{size = 10, epochs = 1, key = bnn.key(22)}[1], two[1])
end

function TestBatches.test_skip_goes_on_where_another_ended()
  local all = labels_of{size = 6, epochs = 3}
  for _, skip in ipairs{0, 1, 3, 5, 9} do
    lu.assertEquals(labels_of{size = 6, epochs = 3, skip = skip},
      table.move(all, skip + 1, #all, 1, {}))
  end
  lu.assertEquals(labels_of{size = 6, epochs = 0}, {})
end

function TestBatches.test_are_of_one_epoch_without_epochs()
  local count = 0
  for batch in data:batches{size = 6, key = key} do count = count + batch.count end
  lu.assertEquals(count, data.size // 6 * 6)
end

function TestBatches.test_go_on_for_ever_when_asked()
  local next_batch = data:batches{size = 20, key = key, epochs = math.huge}
  for _ = 1, 10 do lu.assertEquals(sorted{next_batch().y:totable()}, y:totable()) end
end

function TestBatches.test_x_and_y_are_the_rows()
  for batch in data:batches{size = 6, key = key, epochs = 1, drop_last = false} do
    local rows = batch.y:totable()
    for i = 1, #rows do rows[i] = rows[i] + 1 end
    bits.assert_same(batch.x, x:index(1, rows))
  end
  lu.assertNil(bnn.data.from_tensors{x = x}:batches{size = 2, key = key}().y)
end

function TestBatches.test_images_become_real_and_are_divided_by_255()
  local rows = {}
  for i = 1, 8 do rows[i] = {{i, 255}, {0, 31 * i}} end
  local images = bnn.data.from_tensors{x = bnn.tensor(rows, "u8"), y = bnn.arange(0, 7):to "i32"}
  local batch = images:batches{size = 4, key = key}()
  local at = {}
  for i, label in ipairs(batch.y:totable()) do at[i] = label + 1 end
  lu.assertEquals({batch.x:dtype(), batch.x:shape()}, {x:dtype(), {4, 2, 2}})
  bits.assert_same(batch.x, (images.x:real() / 255):index(1, at))
end

function TestBatches.test_refusals()
  raises("size: expected", data.batches, data, {key = key})
  raises("key: expected", data.batches, data, {size = 3})
  raises("size: expected at least 1", data.batches, data, {size = 0, key = key})
  raises("did you mean 'epochs'", data.batches, data, {size = 3, key = key, epoch = 1})
  local ok, err = pcall(data.batches, data, {size = 21, key = key})
  lu.assertFalse(ok)
  lu.assertTrue(require "bnn.signal".is_refusal(err))
  lu.assertEquals(tostring(err), "batch_size is 21, the data have 20 examples")
  raises("the data have 0 examples", data.slice(data, 1, 0).batches, data:slice(1, 0), {
    size = 1, key = key, drop_last = false,
  })
end

TestLoad = {}

local function assert_small_set(set, dir)
  lu.assertEquals({set.train.size, set.test.size, set.dir}, {30, 20, dir})
  lu.assertEquals({set.train.x:dtype(), set.train.x:shape()}, {"u8", {30, 10, 10}})
  lu.assertEquals({set.test.y:dtype(), set.test.y:shape()}, {"i32", {20}})
  lu.assertEquals(set.train.y:narrow(1, 1, 12):totable(), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1})
  local first = idx.images(30, 10):sub(1, 10)
  lu.assertEquals(set.train.x:view(-1):narrow(1, 1, 10):totable(), {first:byte(1, 10)})
end

function TestLoad.test_a_folder_that_holds_the_files_or_holds_them_in_one_of_the_name()
  local flat, nested = place(), place()
  idx.set(flat, 30, 20, {side = 10})
  idx.set(nested .. "/mnist", 30, 20, {side = 10})
  for dir, holds in pairs{
    [flat] = flat, [flat .. "/"] = flat, [nested] = nested .. "/mnist",
    [nested .. "//"] = nested .. "/mnist", [nested .. "/mnist"] = nested .. "/mnist",
  } do
    assert_small_set(bnn.data.load("mnist", {dir = dir}), holds)
    with_env(dir, function() assert_small_set(bnn.data.load "mnist", holds) end)
  end
  assert_small_set(bnn.data.load(flat), flat)
  assert_small_set(bnn.data.load(flat .. "/"), flat)
  assert_small_set(bnn.data.load(".", {dir = flat}), flat)
end

function TestLoad.test_both_spellings_and_gzip()
  local dotted = place()
  idx.set(dotted, 30, 20, {side = 10, dot = true})
  assert_small_set(bnn.data.load("mnist", {dir = dotted}), dotted)
  lu.skipIf(not idx.has_gzip(), "there is no gzip")
  for _, dot in ipairs{false, true} do
    local zipped = place()
    idx.set(zipped, 30, 20, {side = 10, dot = dot})
    local mark = dot and "." or "-"
    idx.gzip(zipped .. "/train-images" .. mark .. "idx3-ubyte")
    idx.gzip(zipped .. "/t10k-labels" .. mark .. "idx1-ubyte")
    assert_small_set(bnn.data.load("mnist", {dir = zipped}), zipped)
  end
end

function TestLoad.test_gzip_is_told_by_content_not_by_name()
  lu.skipIf(not idx.has_gzip(), "there is no gzip")
  local dir = place()
  idx.set(dir, 30, 20, {side = 10})
  idx.gzip(dir .. "/train-images-idx3-ubyte")
  os.rename(dir .. "/train-images-idx3-ubyte.gz", dir .. "/train-images-idx3-ubyte")
  os.rename(dir .. "/train-labels-idx1-ubyte", dir .. "/train-labels-idx1-ubyte.gz")
  assert_small_set(bnn.data.load("mnist", {dir = dir}), dir)
end

function TestLoad.test_either_part_may_be_missing()
  local dir = place()
  idx.part(dir, "t10k", {n = 20, side = 10})
  local set = bnn.data.load("notmnist", {dir = dir})
  lu.assertNil(set.train)
  lu.assertEquals(set.test.size, 20)
end

function TestLoad.test_other_names_look_in_folders_of_their_own()
  local dir = place()
  idx.set(dir .. "/mnist", 30, 20, {side = 10})
  idx.set(dir .. "/symbols", 10, 10, {side = 10})
  lu.assertEquals(bnn.data.load("symbols", {dir = dir}).train.size, 10)
  with_env(dir, function()
    lu.assertEquals(bnn.data.load("symbols").dir, dir .. "/symbols")
    lu.assertEquals(bnn.data.load("mnist").dir, dir .. "/mnist")
  end)
end

-- What load says, nil, in one line.
local function fault_of(...)
  local set, message = bnn.data.load(...)
  lu.assertNil(set)
  lu.assertFalse(message:find "\n" ~= nil)
  return message
end

function TestLoad.test_a_folder_of_the_user_that_lacks_the_set_never_falls_through()
  local good, empty = place(), place()
  idx.set(good, 30, 20, {side = 10})
  with_env(good, function()
    for _, dir in ipairs{empty, here .. "/absent"} do
      local message = fault_of("mnist", {dir = dir})
      lu.assertStrContains(message, dir .. ": no IDX files there")
      lu.assertStrContains(message, "nor in " .. dir .. "/mnist")
      lu.assertStrContains(message, "train-images-idx3-ubyte")
      lu.assertStrContains(fault_of(dir .. "/"), dir .. ": no IDX files there; ")
      lu.assertStrContains(fault_of(dir .. "/", {dir = good}), "expected a name if dir is given")
    end
    lu.assertStrContains(fault_of("mnist",
      {dir = ""}), "dir: expected the path of a folder, got \"\"")
  end)
end

function TestLoad.test_without_data_it_says_where_it_looked_and_how_to_get_it()
  with_env(nil, function()
    local message = fault_of "mnist"
    for _, piece in ipairs{"no mnist data", "$BNNLUA_DATA (not set)",
      "--data_dir DIR", "BNNLUA_DATA=DIR"} do
      lu.assertStrContains(message, piece)
    end
  end)
  with_env("", function() lu.assertStrContains(fault_of "mnist", "not set") end)
  local empty = place()
  with_env(empty, function()
    lu.assertStrContains(fault_of "mnist", "$BNNLUA_DATA (" .. empty .. ")")
  end)
end

function TestLoad.test_one_of_a_pair_that_is_missing()
  for missing, there in pairs{
    ["train-labels-idx1-ubyte"] = "train-images-idx3-ubyte",
    ["t10k-images-idx3-ubyte"] = "t10k-labels-idx1-ubyte",
  } do
    local dir = place()
    idx.set(dir, 30, 20, {side = 10})
    os.remove(dir .. "/" .. missing)
    local message = fault_of("mnist", {dir = dir})
    lu.assertStrContains(message, missing .. " is missing beside " .. dir .. "/" .. there)
    with_env(dir, function() lu.assertEquals(fault_of "mnist", message) end) -- broken is not absent
  end
end

-- Writes a good set, then lets `breaks(dir)` break it; the message names the file and has the text.
local function assert_broken(file, text, breaks)
  local dir, good = place(), place()
  idx.set(dir, 30, 20, {side = 10})
  idx.set(good, 30, 20, {side = 10})
  breaks(dir)
  with_env(good, function()
    local message = fault_of("mnist", {dir = dir})
    lu.assertStrContains(message, dir .. "/" .. file)
    lu.assertStrContains(message, text)
  end)
end

function TestLoad.test_files_that_are_broken()
  local images, labels = "/train-images-idx3-ubyte", "/t10k-labels-idx1-ubyte"
  local pixels = idx.images(30, 10)
  local rows = {
    {images, "", idx.bytes(8, {30, 10, 10}, pixels:sub(1, -2))},
    {images, "", idx.bytes(8, {30, 10, 10}, pixels .. "x")},
    {images, "", idx.bytes(8, {30, 10, 10}, pixels):sub(1, 9)},
    {images, "", "this is no IDX file"}, {images, "", ""},
    {images, "", idx.bytes(13, {30, 10, 10}, pixels)},
    {labels, "", idx.bytes(8, {4, 5}, idx.labels(20))},
    {images, "", idx.bytes(8, {0, 10, 10}, "")},
  }
  for i, row in ipairs(rows) do
    assert_broken(row[1]:sub(2), row[2], function(dir) idx.write(dir .. row[1], row[3]) end, i)
  end
end

function TestLoad.test_counts_that_differ()
  assert_broken("train-images-idx3-ubyte", "30", function(dir)
    idx.part(dir, "train", {n = 30, labels = 29, side = 10})
  end)
end

function TestLoad.test_a_truncated_gzip()
  lu.skipIf(not idx.has_gzip(), "there is no gzip")
  assert_broken("train-images-idx3-ubyte.gz", "cut short", function(dir)
    local path = dir .. "/train-images-idx3-ubyte"
    idx.gzip(path)
    local file = assert(io.open(path .. ".gz", "rb"))
    local bytes = file:read "a"
    file:close()
    idx.write(path .. ".gz", bytes:sub(1, #bytes // 2))
  end)
end

function TestLoad.test_a_broken_set_in_mnist_is_not_passed_over()
  local dir = place()
  idx.set(dir, 30, 20, {side = 10})
  idx.set(dir .. "/mnist", 30, 20, {side = 10})
  idx.write(dir .. "/mnist/train-images-idx3-ubyte", "broken")
  lu.assertStrContains(fault_of("mnist", {dir = dir}), dir .. "/mnist/train-images-idx3-ubyte")
end

function TestLoad.test_a_part_knows_where_its_labels_come_from()
  local dir = place()
  idx.set(dir, 30, 20, {side = 10})
  lu.assertEquals(bnn.data.load("mnist", {dir = dir}).test.origin, dir .. "/t10k-labels-idx1-ubyte")
end

function TestLoad.test_misuse_raises()
  raises("bnn.data.load: name: expected a name or a path, got nil", bnn.data.load)
  raises("bnn.data.load: name: expected a name or a path, got a table", bnn.data.load, {dir = here})
  raises("did you mean 'dir'", bnn.data.load, "mnist", {dri = here})
  raises("dir: expected a string, got 3", bnn.data.load, "mnist", {dir = 3})
end

TestUnseen = {}

-- 28 x 28 digits of one's own, beside which notMNIST would be looked for; and those that are drawn.
local function like(name, side)
  return {name = name, train = bnn.data.from_tensors{x = bnn.zeros(2, side or 28, side or 28)}}
end

function TestUnseen.test_notmnist_or_letters()
  with_env(no, function()
    local set
    local said = bits.notices_of(function()
      set = bnn.data.load_unseen_or_exit{like = like "mnist"}
    end)
    lu.assertStrContains(said, "skipping notmnist: ")
    lu.assertEquals(set.title, "letters unlike digits")
    lu.assertEquals(set.x:shape(), {10000, 28, 28})
    said = bits.notices_of(function()
      set = bnn.data.load_unseen_or_exit{like = like "glyphs"}
    end)
    lu.assertEquals({said, set.title}, {"", "letters unlike digits"})
  end)
end

function TestUnseen.test_the_one_that_is_asked_for()
  local dir = place()
  idx.set(dir .. "/notmnist", 30, 20)
  with_env(dir, function()
    lu.assertEquals(bnn.data.load_unseen_or_exit{like = like "mnist"}.x:size(1), 20)
    lu.assertEquals(bnn.data.load_unseen_or_exit{like = like "glyphs",
                                                 dataset = "notmnist"}.x:size(1), 20)
  end)
  raises("like: expected a table, got nothing", bnn.data.load_unseen_or_exit, {})
  raises("the train images are 28 x 28, those to learn from 9 x 9", bnn.data.load_unseen_or_exit,
    {like = like("glyphs", 9)})
end

TestMnist = {}

function TestMnist.test_the_real_one_has_its_published_first_labels()
  local set = bnn.data.load "mnist"
  lu.skipIf(not set or not set.train or set.train.size ~= 60000, "needs MNIST in $BNNLUA_DATA")
  lu.assertEquals(set.train.y:narrow(1, 1, 8):totable(), {5, 0, 4, 1, 9, 2, 1, 3})
  lu.assertEquals(set.test.y:narrow(1, 1, 8):totable(), {7, 2, 1, 0, 4, 1, 4, 9})
  lu.assertEquals(set.test.x:shape(), {10000, 28, 28})
end

local status = lu.LuaUnit.run()
idx.remove(here)
os.exit(status)
