--- Folders of IDX files as others name, lay out and write them: EMNIST, QMNIST, torchvision.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local idx = require "idx_files"
local bnn = require "bnn"

local folder

local function in_folder(suite)
  function suite:setUp() folder = idx.folder() end
  function suite:tearDown() idx.remove(folder) end
  return suite
end

local function refuses(text, f, ...)
  local value, message = f(...)
  lu.assertNil(value)
  lu.assertStrContains(message, text)
end

local function write(name, type_byte, dims, bytes)
  idx.make((folder .. "/" .. name):match "^(.*)/")
  idx.write(folder .. "/" .. name, idx.bytes(type_byte, dims, bytes))
end

--- Writes images [n, 2, 3] that count 0, 1, ... and labels; `front` is what their names begin with.
local function part(front, labels)
  local n, pixels = #labels, {}
  for i = 1, 6 * n do pixels[i] = string.char(i - 1) end
  write(front .. "-images-idx3-ubyte", 8, {n, 2, 3}, table.concat(pixels))
  write(front .. "-labels-idx1-ubyte", 8, {n}, string.char(table.unpack(labels)))
end

TestEmnist = in_folder{}

function TestEmnist.test_letters_are_upright_and_count_from_0()
  part("emnist-letters-train", {1, 26, 2})
  part("emnist-letters-test", {26})
  local set = assert(bnn.data.load(folder))
  lu.assertEquals(set.train.x:totable()[1], {{0, 3}, {1, 4}, {2, 5}})
  lu.assertEquals({set.train.y:dtype(), set.train.y:totable()}, {"i32", {0, 25, 1}})
  lu.assertEquals({set.test.y:totable(), set.test.classes}, {{25}, set.train.classes})
  lu.assertEquals(table.concat(set.train.classes), "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
end

function TestEmnist.test_every_split_has_its_classes()
  for split, last in pairs{digits = "9", mnist = "9", balanced = "t", bymerge = "t",
                           byclass = "z"} do
    local count = ({["9"] = 10, t = 47, z = 62})[last]
    part("emnist-" .. split .. "-train", {0, count - 1})
    local train = assert(bnn.data.load(folder, {split = split})).train
    lu.assertEquals({train.y:totable(), #train.classes, train.classes[count]},
      {{0, count - 1}, count, last}, split)
    part("emnist-" .. split .. "-train", {0, count})
    refuses(("labels are 0 to %d, those of emnist-%s are 0 to %d"):format(count, split, count - 1),
      bnn.data.load, folder, {split = split})
  end
  part("emnist-letters-train", {0})
  refuses("labels are 0 to 0, those of emnist-letters are 1 to 26", bnn.data.load, folder,
    {split = "letters"})
end

function TestEmnist.test_one_of_several_splits_is_chosen()
  part("emnist-letters-train", {1})
  part("emnist-digits-train", {7})
  refuses('holds several sets, emnist-digits, emnist-letters: split = "digits" chooses one',
    bnn.data.load, folder)
  lu.assertEquals(bnn.data.load(folder, {split = "digits"}).train.y:totable(), {7})
  lu.assertEquals(bnn.data.load(folder, {split = "emnist-letters"}).train.y:totable(), {0})
  lu.assertEquals(bnn.data.load(folder .. "/emnist-digits").train.y:totable(), {7})
  lu.assertEquals(bnn.data.load("emnist-digits", {dir = folder}).train.y:totable(), {7})
  refuses("no IDX files there", bnn.data.load, folder, {split = "balanced"})
  part("train", {3})
  lu.assertEquals(bnn.data.load(folder).train.y:totable(), {3})
end

function TestEmnist.test_a_set_is_found_by_the_beginning_of_its_names()
  part("emnist-digits-train", {7})
  local getenv = os.getenv
  os.getenv = function(name) -- luacheck: ignore 122
    if name == "BNNLUA_DATA" then return folder end
    return getenv(name)
  end
  local ok, set, fault = pcall(bnn.data.load, "emnist-digits")
  os.getenv = getenv -- luacheck: ignore 122
  lu.assertTrue(ok)
  lu.assertEquals(assert(set, fault).train.y:totable(), {7})
end

function TestEmnist.test_they_are_not_taken_for_mnist()
  part("emnist-mnist-train", {1})
  refuses("no IDX files there", bnn.data.load, "mnist", {dir = folder})
end

TestOthers = in_folder{}

function TestOthers.test_qmnist_labels_are_the_first_of_their_columns()
  local rows = {}
  for _, class in ipairs{7, 0} do
    for k = 0, 7 do rows[#rows + 1] = string.pack(">i4", k == 0 and class or 1000 + k) end
  end
  write("qmnist-train-labels-idx2-int", 0x0c, {2, 8}, table.concat(rows))
  write("qmnist-train-images-idx3-ubyte", 8, {2, 1, 1}, "ab")
  lu.assertEquals(bnn.data.load(folder).train.y:totable(), {7, 0})
end

function TestOthers.test_labels_may_be_a_column_or_whole_floats()
  write("train-images-idx3-ubyte", 8, {2, 1, 1}, "ab")
  write("train-labels-idx1-ubyte", 8, {2, 1}, "\3\4")
  lu.assertEquals(bnn.data.load(folder).train.y:totable(), {3, 4})
  write("train-labels-idx1-ubyte", 0x0d, {2}, string.pack(">ff", 3, 4))
  lu.assertEquals(bnn.data.load(folder).train.y:totable(), {3, 4})
  write("train-labels-idx1-ubyte", 0x0d, {2}, string.pack(">ff", 3, 4.5))
  refuses("labels are whole numbers: element [2] is 4.5", bnn.data.load, folder)
end

function TestOthers.test_images_of_four_dimensions_get_their_channels_first()
  local bytes = "\0\1\2\3\4\5\6\7\8\9\10\11"
  write("train-images-idx4-ubyte", 8, {1, 2, 2, 3}, bytes)
  write("train-labels-idx1-ubyte", 8, {1}, "\1")
  local x = bnn.data.load(folder).train.x
  lu.assertEquals({x:shape(), x:totable()[1][2]}, {{1, 3, 2, 2}, {{1, 4}, {7, 10}}})
  lu.assertEquals(bnn.data.load(folder .. "/train-images-idx4-ubyte").train.x:shape(), {1, 3, 2, 2})
  lu.assertEquals(bnn.data.read(folder .. "/train-images-idx4-ubyte"):shape(), {1, 2, 2, 3})
  write("train-images-idx4-ubyte", 8, {1, 3, 2, 2}, bytes)
  lu.assertEquals(bnn.data.load(folder, {layout = "nchw"}).train.x:shape(), {1, 3, 2, 2})
  write("train-images-idx4-ubyte", 8, {1, 2, 6, 1}, bytes)
  lu.assertEquals(bnn.data.load(folder).train.x:shape(), {1, 2, 6})
  write("train-images-idx4-ubyte", 8, {1, 1, 2, 6}, bytes)
  refuses('[1, 1, 2, 6] has 6 channels when it is nhwc (layout = "nchw" for the other order)',
    bnn.data.load, folder)
end

function TestOthers.test_torchvisions_folders()
  local root = folder
  part("MNIST/raw/train", {5})
  for _, path in ipairs{root, root .. "/MNIST", root .. "/MNIST/raw/"} do
    lu.assertEquals(bnn.data.load(path).train.y:totable(), {5}, path)
  end
  for _, dir in ipairs{root, root .. "/MNIST", root .. "/MNIST/", root .. "/MNIST/raw"} do
    lu.assertEquals(bnn.data.load("mnist", {dir = dir}).train.y:totable(), {5}, dir)
  end
  part("FashionMNIST/raw/train", {6})
  lu.assertEquals(bnn.data.load("fashion-mnist", {dir = root}).train.y:totable(), {6})
  refuses("FashionMNIST/raw and ", bnn.data.load, root)
  part("EMNIST/raw/emnist-letters-train", {2})
  lu.assertEquals(bnn.data.load("emnist-letters", {dir = root}).train.y:totable(), {1})
  lu.assertEquals(bnn.data.load("emnist", {dir = root, split = "letters"}).train.y:totable(), {1})
end

function TestOthers.test_padding_after_gzip_is_no_fault()
  if not idx.has_gzip() then return end
  part("train", {5, 6})
  for _, name in ipairs{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"} do
    idx.gzip(folder .. "/" .. name)
    local file <close> = io.open(folder .. "/" .. name .. ".gz", "ab")
    file:write(("\0"):rep(512))
  end
  lu.assertEquals(bnn.data.load(folder).train.y:totable(), {5, 6})
end

os.exit(lu.LuaUnit.run(), true)
