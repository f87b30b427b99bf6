--- One's own data: arrays, pictures and folders read and saved; splits, standardising, one-hot.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local idx = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"

local data = bnn.data
local HAS = {}
for _, v in ipairs(core.versions()) do HAS[v.name] = not v.version:find "^none" end

local folder

local function path(name) return folder .. "/" .. name end

local function write(name, bytes)
  local file = assert(io.open(path(name), "wb"))
  file:write(bytes)
  file:close()
  return path(name)
end

local function raises(text, f, ...) lu.assertErrorMsgContains(text, f, ...) end

--- Fails unless f(...) gives nil and a message with `text` and the name of the file.
local function refuses(text, f, name, ...)
  local value, message = f(name, ...)
  lu.assertNil(value)
  lu.assertStrContains(message, text)
  lu.assertStrContains(message, name)
end

local function in_folder(suite)
  function suite:setUp()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end
  function suite:tearDown() os.execute("rm -rf " .. folder) end
  return suite
end

local function letter(rows) return core.tensor(rows, "u8") end

TestArrays = in_folder{}

function TestArrays.test_every_type_comes_back_from_npy()
  for _, dtype in ipairs{"u8", "i32", "i64", "u64", "f32", "f64"} do
    local x = core.tensor({{1, 2, 3}, {4, 5, 6}}, dtype)
    lu.assertTrue(data.save(path "x.npy", x))
    local y = data.read(path "x.npy")
    lu.assertEquals({y:dtype(), y:totable()}, {dtype, x:totable()})
    lu.assertTrue(data.save(path "x.npy", x:t()))
    lu.assertEquals(data.read(path "x.npy"):totable(), x:t():totable())
  end
end

function TestArrays.test_numbers_and_lists_are_saved_as_tensors()
  lu.assertTrue(data.save(path "x.npy", {1, 2.5}))
  lu.assertEquals(data.read(path "x.npy"):totable(), {1, 2.5})
  lu.assertTrue(data.save(path "x.npy", 7))
  lu.assertEquals(data.read(path "x.npy"):shape(), {})
end

function TestArrays.test_npz_holds_tensors_by_name()
  if not HAS.libzip then return end
  for _, opts in ipairs{{compressed = true}, {compressed = false}, {}} do
    lu.assertTrue(data.save(path "x.npz", {b = core.tensor{1, 2}, a = letter{{3}}}, opts))
    local arrays, names = data.read(path "x.npz")
    lu.assertEquals(names, {"a", "b"})
    lu.assertEquals(arrays.b:totable(), {1, 2})
    lu.assertEquals(arrays.a:dtype(), "u8")
  end
  raises("name of a tensor: expected a string, got a number", data.save, path "x.npz",
    {core.tensor{1}})
  raises("bnn.data.save: samples: expected a tensor, got a number", data.save, path "x.npz",
    {mean = core.tensor{1}, samples = 1})
  raises("at least one tensor", data.save, path "x.npz", {})
  raises("the name '../a' leads out of a folder", data.save, path "x.npz", {["../a"] = letter{1}})
end

function TestArrays.test_content_tells_what_a_name_does_not()
  data.save(path "x.npy", {1, 2})
  os.rename(path "x.npy", path "array")
  lu.assertEquals(data.read(path "array"):totable(), {1, 2})
  write("digits", "\0\0\8\1\0\0\0\2\7\9")
  lu.assertEquals(data.read(path "digits"):totable(), {7, 9})
  write("t10k-labels-idx1-ubyte", "\0\0\8\1\0\0\0\2\7\9")
  lu.assertEquals(data.read(path "t10k-labels-idx1-ubyte"):totable(), {7, 9})
  lu.assertEquals(data.read(write("text", "5 6\n7 8\n")).x:totable(), {{5, 6}, {7, 8}})
  data.save(path "y.npy", {3})
  os.rename(path "y.npy", path "y.csv") -- its content is plain
  lu.assertEquals(data.read(path "y.csv"):totable(), {3})
  refuses("neither name nor content tell its kind", data.read, write("bytes", "\1\2\3\0"))
  refuses("is text in UTF-16", data.read, write("excel", "\xff\xfea\0,\0b\0"))
  if idx.has_gzip() then
    write("digits2", "\0\0\8\1\0\0\0\2\7\9")
    idx.gzip(path "digits2")
    os.rename(path "digits2.gz", path "compressed")
    lu.assertEquals(data.read(path "compressed"):totable(), {7, 9})
  end
end

function TestArrays.test_what_the_world_refuses_comes_back()
  refuses("No such file", data.read, path "no.npy")
  refuses("No such file", data.read, path "no")
  refuses("No such file", data.read, path "no.idx")
  refuses("an .npy file with 93", data.read, write("x.npy", "not NumPy's"))
  local ok, message = data.save(path "no/x.npy", {1})
  lu.assertNil(ok)
  lu.assertStrContains(message, "no/x.npy: No such file")
  if HAS.libzip then refuses("Not a zip archive", data.read, write("x.npz", "no archive here")) end
end

function TestArrays.test_misuse_raises()
  raises("bnn.data.read: path: expected a path, got a number", data.read, 1)
  raises("unknown option 'label'", data.read, path "x.npy", {label = "y"})
  raises("path: expected a path that ends in .npy",
    data.save, path "x.csv", {1})
  raises("path: expected a path that ends in .npy", data.save, path "x", {1})
  raises("bnn.data.save: value: expected a tensor or lists of numbers, got a part of a data set",
    data.save, path "x.npy", data.from_tensors{x = core.tensor{1}})
  raises("bnn.data.save: value: expected lists of numbers", data.save, path "x.npy", {a = 1})
  raises("unknown option", data.save, path "x.npy", {1}, {fast = true})
  raises("zero byte", data.read, "x\0.npy")
end

function TestArrays.test_mapped_tensors_outlive_their_files()
  data.save(path "x.npy", letter{{1, 2}, {3, 4}})
  local x = data.mmap(path "x.npy")
  local row = x[2]
  os.remove(path "x.npy")
  x = nil
  collectgarbage()
  lu.assertNil(x)
  lu.assertEquals(row:totable(), {3, 4})
  local y = data.mmap(write("x.idx", "\0\0\8\1\0\0\0\2\7\9"))
  lu.assertEquals(y:totable(), {7, 9})
  refuses("files can be mapped, .png only read", data.mmap, path "x.png")
  refuses("No such file", data.mmap, path "no.npy")
end

-- Writes bytes into a file that is there, from a position on; none: cuts it there.
local function change(name, position, bytes)
  if bytes then
    local file <close> = assert(io.open(path(name), "r+b"))
    file:seek("set", position)
    file:write(bytes)
  else
    local all <close> = assert(io.open(path(name), "rb"))
    write(name, all:read(position))
  end
end

-- Every use of a mapped tensor, or of a view of it, is an error when the file is another.
function TestArrays.test_a_mapped_file_that_changes_is_told()
  local n = 20000
  for _, bytes in ipairs{("\7"):rep(50), false} do
    data.save(path "x.npy", core.ones(n))
    local x = data.mmap(path "x.npy")
    local view = x:narrow(1, n - 9, 10)
    lu.assertEquals(x:sum():item(), n)
    change("x.npy", 5000, bytes)
    for _, use in ipairs{
      function() return x:sum() end, function() return view:totable() end,
      function() return x + 1 end, function() return core.ones(n) * x end,
      function() return x[n] end, function() return tostring(x) end,
      function() return data.save(path "y.npy", x) end,
      function() return data.save(path "y.npz", {x = x}) end,
      function() return bnn.safetensors.save(path "y", {x = view}) end,
    } do
      raises(path "x.npy" .. ": has been changed since it was mapped", use)
    end
    lu.assertNil(io.open(path "y.npy"))
  end
end

-- A function that was compiled holds the tensor and does not look at its file before it reads: then
-- it is the missing pages that tell, wherever they are touched.
function TestArrays.test_a_mapped_file_that_is_cut_while_it_is_read_is_told()
  local n = 20000
  for _, threads in ipairs{1, 2} do
    local before = core.threads()
    core.threads(threads)
    data.save(path "x.npy", core.ones(n))
    local x = data.mmap(path "x.npy")
    local sum = bnn.compile(function(y) return (x * y):sum() end)
    lu.assertEquals(sum(core.ones(n)):item(), n)
    change("x.npy", 5000)
    raises(path "x.npy" .. ": was cut short", function() sum(core.ones(n)):item() end)
    core.threads(before)
  end
  lu.assertEquals(core.ones(3):sum():item(), 3) -- said once, and all else goes on
end

function TestArrays.test_a_mapped_part_trains_as_any_other()
  data.save(path "x.npy", core.full({10, 4}, 51, "u8"))
  local part = data.from_tensors{x = data.mmap(path "x.npy"), y = core.zeros(10, "i32")}
  for batch in part:batches{size = 5, key = bnn.key(1), epochs = 1} do
    lu.assertAlmostEquals(batch.x:sum():item(), 20 * 0.2, 1e-5)
  end
end

TestPictures = in_folder{}

function TestPictures.test_grey_and_colour_come_back_from_png()
  if not HAS.libpng then return end
  local grey, rgb = letter{{0, 128}, {255, 1}}, letter{{{1, 2, 3}, {4, 5, 6}}}
  lu.assertTrue(data.save(path "x.png", grey))
  lu.assertEquals(data.read(path "x.png"):totable(), grey:totable())
  lu.assertTrue(data.save(path "x.png", rgb))
  lu.assertEquals(data.read(path "x.png"):totable(), rgb:totable())
  lu.assertEquals(core.png_encode(grey):sub(2, 4), "PNG")
  raises("expected an image of u8, got " .. core.tensor(0):dtype(), data.save, path "x.png", {{1}})
  refuses("a PNG with 89 50", data.read, write("x.png", "GIF89a"))
end

--- A picture of a bar of ink on paper, h x w.
local function bar(h, w, paper, ink)
  local rows = {}
  for i = 1, h do
    rows[i] = {}
    for j = 1, w do
      local inside = i > h // 5 and i <= h - h // 5 and j > w // 2 and j <= w // 2 + w // 10 + 1
      rows[i][j] = inside and ink or paper
    end
  end
  return letter(rows)
end

function TestPictures.test_a_picture_becomes_a_networks_input()
  local dark, light = data.image(bar(100, 80, 220, 30)), data.image(bar(100, 80, 10, 240))
  lu.assertEquals(dark:shape(), {28, 28})
  lu.assertEquals(dark:totable(), light:totable())
  lu.assertEquals(dark[14][15], 255)
  lu.assertEquals(dark[1][1], 0)
  local x, message = data.image(core.full({50, 50}, 200, "u8"))
  lu.assertNil(x)
  lu.assertStrContains(message, "no ink to be seen")
  raises("ink: expected one of", data.image, bar(9, 9, 0, 1), {ink = "red"})
  local small, as_it_is = bar(28, 28, 10, 240), {fit = false}
  lu.assertEquals(data.image(small, as_it_is):totable(), small:totable())
  lu.assertEquals(data.image(bar(28, 28, 245, 15), {fit = false, ink = "dark"}):totable(),
    small:totable())
  lu.assertEquals({data.image(bar(28, 30, 10, 240), as_it_is)},
    {nil, "expected 28 x 28 if fit is false, got 28 x 30"})
  raises("bnn.data.image: expected an image of u8, got f64", data.image, small:to "f64", as_it_is)
  if not HAS.libpng then return end
  data.save(path "x.png", bar(100, 80, 220, 30))
  lu.assertEquals(data.image(path "x.png"):totable(), dark:totable())
  data.save(path "blank.png", core.full({50, 50}, 200, "u8"))
  refuses("no ink to be seen", data.image, path "blank.png")
  data.save(path "small.png", small)
  lu.assertEquals(data.image(path "small.png", as_it_is):totable(), small:totable())
  refuses("x.png: expected 28 x 28 if fit is false, got 100 x 80",
    data.image, path "x.png", as_it_is)
end

--- Makes a folder of classes; returns its path.
local function make_classes(name, classes)
  os.execute("mkdir -p " .. path(name))
  for class, images in pairs(classes) do
    os.execute(("mkdir '%s/%s'"):format(path(name), class))
    for i, image in ipairs(images) do
      assert(data.save(("%s/%s/%d.png"):format(path(name), class, i), image))
    end
  end
  return path(name)
end

function TestPictures.test_a_folder_of_classes_is_a_part()
  if not HAS.libpng then return end
  local dir = make_classes("letters", {
    B = {letter{{4, 5}}}, A = {letter{{0, 1}}, letter{{2, 3}}}, ["C c"] = {letter{{6, 7}}},
  })
  write("letters/A/notes.txt", "not an image")
  local part = data.folder(dir)
  lu.assertEquals(part.classes, {"A", "B", "C c"})
  lu.assertEquals(part.x:totable(), {{{0, 1}}, {{2, 3}}, {{4, 5}}, {{6, 7}}})
  lu.assertEquals(part.y:totable(), {0, 0, 1, 2})
  lu.assertEquals(part:slice(2, 3).classes, part.classes)
  lu.assertEquals(data.folder(dir .. "/", {channels = 3}).x:shape(), {4, 3, 1, 2})
  local set = data.load(dir)
  lu.assertEquals(set.train.size, 4)
  lu.assertNil(set.test)
end

function TestPictures.test_a_folder_may_have_train_and_test()
  if not HAS.libpng then return end
  make_classes("set/train", {A = {letter{{0, 1}}}, B = {letter{{2, 3}}}})
  make_classes("set/test", {A = {letter{{4, 5}}}, B = {letter{{6, 7}}}})
  local set = data.load(path "set")
  lu.assertEquals(set.train.x:totable(), {{{0, 1}}, {{2, 3}}})
  lu.assertEquals(set.test.x:totable(), {{{4, 5}}, {{6, 7}}})
end

function TestPictures.test_more_images_than_concat_takes_at_once()
  if not HAS.libpng then return end
  local images = {}
  for i = 1, 70 do images[i] = letter{{i}} end
  local sum = data.folder(make_classes("many", {a = images})).x:real():sum():item()
  lu.assertEquals(sum, 70 * 71 / 2)
end

function TestPictures.test_images_of_different_sizes_are_fitted_or_refused()
  if not HAS.libpng then return end
  local dir = make_classes("photos", {I = {bar(100, 80, 220, 30), bar(50, 60, 10, 250)}})
  refuses("expected [100, 80], the shape of the images before it, got [50, 60]; character = true",
    data.folder, dir)
  lu.assertEquals(data.folder(dir, {character = true}).x:shape(), {2, 28, 28})
end

function TestPictures.test_folders_that_hold_no_images_are_refused()
  os.execute("mkdir -p " .. path "empty/A " .. path "none")
  refuses("empty/A: holds no images; expected .png", data.folder, path "empty")
  refuses("holds no folders; expected one for each class", data.folder, path "none")
  refuses("No such file", data.folder, path "missing")
  refuses("no IDX files there", data.load, path "none")
  raises("channels: expected", data.folder, path "none", {channels = 2})
end

TestSets = in_folder{}

function TestSets.test_keras_names_make_a_set()
  if not HAS.libzip then return end
  local x, y = letter{{{1, 2}}, {{3, 4}}}, letter{5, 6}
  data.save(path "mnist.npz", {x_train = x, y_train = y, x_test = x, y_test = y})
  local set = data.load(path "mnist.npz")
  lu.assertEquals({set.train.x:dtype(), set.train.y:dtype(), set.test.size}, {"u8", "i32", 2})
  data.save(path "own.npz", {x = core.tensor({{1}, {2}}, "f64"), y = core.tensor({0.5, 1}, "f64")})
  local own = data.load(path "own.npz").train
  lu.assertEquals({own.x:dtype(), own.y:totable()}, {core.tensor(0):dtype(), {0.5, 1}})
  data.save(path "other.npz", {a = x})
  refuses("expected x_train, y_train, x_test, y_test, or x and y, got a",
    data.load, path "other.npz")
end

local npz = {}

--- Writes a .npz of members {name, bytes}, stored.
function npz.write(name, members)
  local parts, directory, at = {}, {}, 0
  for _, member in ipairs(members) do
    local file, bytes = member[1], member[2]
    local about = string.pack("<I2I2I2I2I2I4I4I4I2I2", 20, 0, 0, 0, 0x21, npz.crc32(bytes), #bytes,
      #bytes, #file, 0)
    parts[#parts + 1] = "PK\3\4" .. about .. file .. bytes
    directory[#directory + 1] = "PK\1\2\20\0" .. about
      .. string.pack("<I2I2I2I4I4", 0, 0, 0, 0, at) .. file
    at = at + #parts[#parts]
  end
  local list = table.concat(directory)
  return write(name, table.concat(parts) .. list .. "PK\5\6"
    .. string.pack("<I2I2I2I2I4I4I2", 0, 0, #members, #members, #list, at, 0))
end

function npz.crc32(bytes)
  local crc = 0xffffffff
  for i = 1, #bytes do
    crc = crc ~ bytes:byte(i)
    for _ = 1, 8 do crc = crc >> 1 ~ (crc & 1) * 0xedb88320 end
  end
  return ~crc & 0xffffffff
end

function npz.array(descr, shape, bytes)
  local head = ("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }"):format(descr, shape)
  head = head .. (" "):rep(-(#head + 11) % 64) .. "\n"
  return "\x93NUMPY\1\0" .. string.pack("<I2", #head) .. head .. bytes
end

function TestSets.test_what_is_no_array_of_numbers_does_not_lose_the_others()
  if not HAS.libzip then return end
  local numbers, text = npz.array("|u1", "2,", "\5\6"), npz.array("<U1", "2,", "a\0\0\0b\0\0\0")
  npz.write("mixed.npz", {{"x.npy", numbers}, {"names.npy", text}, {"README", "about"}, {"g/", ""}})
  local arrays, names = data.read(path "mixed.npz")
  lu.assertEquals({names, arrays.x:totable()}, {{"x"}, {5, 6}})
  lu.assertEquals(data.load(path "mixed.npz").train.x:totable(), {5, 6})
  lu.assertEquals(data.read(path "mixed.npz", {arrays = {"x"}}).x:totable(), {5, 6})
  refuses("array 'names': expected b1, u1 to u8, i1 to i8, f2, f4 or f8, got '<U1', text",
    data.read, path "mixed.npz", {arrays = {"x", "names"}})
  refuses("has no array 'z'", data.read, path "mixed.npz", {arrays = {"z"}})
  npz.write("mac.npz", {{"__MACOSX/._x.npy", "\0\5\x16\7"}, {"x.npy", numbers}})
  lu.assertEquals(data.load(path "mac.npz").train.x:totable(), {5, 6})
  npz.write("labels.npz", {{"x_train.npy", numbers}, {"y_train.npy", text}})
  refuses("array 'y_train': expected b1, u1 to u8, i1 to i8, f2, f4 or f8, got '<U1', text",
    data.load, path "labels.npz")
  npz.write("label.npz", {{"x.npy", numbers}, {"y.npy", text}})
  refuses("array 'y': expected b1, u1 to u8, i1 to i8, f2, f4 or f8, got '<U1', text",
    data.load, path "label.npz")
end

function TestSets.test_names_of_arrays_may_be_anything()
  if not HAS.libzip then return end
  local given = {["dense/kernel:0"] = letter{1}, ["a\\b"] = letter{2}, ["/root"] = letter{3}}
  assert(data.save(path "x.npz", given))
  for name, x in pairs(data.read(path "x.npz")) do
    lu.assertEquals(x:totable(), given[name]:totable(), name)
    given[name] = nil
  end
  lu.assertNil(next(given))
end

function TestSets.test_labels_in_a_column_are_labels()
  if not HAS.libzip then return end
  data.save(path "x.npz", {x = core.tensor{{1}, {2}}, y = core.tensor({{3}, {4}}, "i64")})
  local part = data.load(path "x.npz").train
  lu.assertEquals({part.y:dtype(), part.y:totable()}, {"i32", {3, 4}})
  data.save(path "x.npz", {x = core.tensor{{1}, {2}}, y = core.tensor({3, 1 << 40}, "i64")})
  refuses("label 2 is 1099511627776, expected a whole number", data.load, path "x.npz")
end

function TestSets.test_a_table_makes_a_training_part()
  local set = data.load(write("t.csv", "a,b,y\n1,2,0\n3,4,1\n"), {label = "y"})
  lu.assertEquals(set.train.y:totable(), {0, 1})
  lu.assertEquals(set.train.names, {"a", "b"})
  for _, name in ipairs{"no.csv", "no.data", "no.txt", "no.dat.gz"} do
    refuses("No such file", data.load, path(name))
  end
end

function TestSets.test_a_table_may_end_in_anything()
  for _, name in ipairs{"t.data", "t.txt", "t.dat", "table"} do
    lu.assertEquals(data.load(write(name, " 1  2.5 3\n 4 5   6\n")).train.x:totable(),
      {{1, 2.5, 3}, {4, 5, 6}})
  end
end

function TestSets.test_folders_of_idx_files_load_as_before()
  write("train-images-idx3-ubyte", "\0\0\8\3\0\0\0\1\0\0\0\1\0\0\0\2\1\2")
  write("train-labels-idx1-ubyte", "\0\0\8\1\0\0\0\1\7")
  lu.assertEquals(data.load(folder).train.x:totable(), {{{1, 2}}})
end

TestBeforeTraining = {}

local function part(x,
  y) return data.from_tensors{x = core.tensor(x), y = y and core.tensor(y, "i32")} end

function TestBeforeTraining.test_standardising_is_fitted_once()
  local train, stats = data.standardise(part{{1, 10, 5}, {3, 30, 5}})
  lu.assertEquals(train.x:totable(), {{-1, -1, 0}, {1, 1, 0}})
  lu.assertEquals(stats.mean:totable(), {2, 20, 5})
  lu.assertEquals(stats.std:totable(), {1, 10, 1})
  local test = data.standardise(part{{2, 40, 6}}, stats)
  lu.assertEquals(test.x:totable(), {{0, 2, 1}})
  raises("standardise: stats: mean: expected [2], got [3]",
    data.standardise, part{{1, 2}}, stats)
  raises("unknown option 'sigma'", data.standardise, part{{1}}, {sigma = 1})
end

function TestBeforeTraining.test_columns_that_only_round_differently_are_constant()
  local x = {}
  for i = 1, 1000 do x[i] = {0.1, 1e6 + 0.1, i} end
  local train, stats = data.standardise(part(x))
  lu.assertEquals(stats.std[1], 1)
  lu.assertEquals(stats.std[2], 1)
  lu.assertAlmostEquals(stats.std[3], math.sqrt((1000 ^ 2 - 1) / 12), 1e-2)
  lu.assertTrue(train.x:select(2, 1):abs():max():item() < 1e-6)
end

-- Values far from 0 beside their spread, with squares that no float holds, and with a mean that
-- none does: what comes out are the same two or three numbers.
function TestBeforeTraining.test_columns_of_any_size_are_standardised()
  local far = math.sqrt(3 / 2)
  for _, case in ipairs{
    {{1e6}, {1e6 + 1}, std = 0.5}, {{1e-30}, {3e-30}, std = 1e-30}, {{1e8}, {1e8 + 8}, std = 4},
    {{-1e30}, {1e30}, std = 1e30}, {{-3e38}, {3e38}, std = 3e38}, {{0}, {1e-38}, std = 5e-39},
  } do
    local got, stats = data.standardise(part{case[1], case[2]})
    lu.assertAlmostEquals(got.x[1][1], -1, 1e-6, tostring(case[2][1]))
    lu.assertAlmostEquals(got.x[2][1], 1, 1e-6, tostring(case[2][1]))
    lu.assertAlmostEquals(stats.std[1] / case.std, 1, 1e-6)
    lu.assertEquals(data.standardise(part{case[1], case[2]}, stats).x:totable(), got.x:totable())
  end
  local got = data.standardise(part{{1e30}, {2e30}, {3e30}})
  lu.assertAlmostEquals(got.x[1][1], -far, 1e-6)
  lu.assertAlmostEquals(got.x[2][1], 0, 1e-6)
end

function TestBeforeTraining.test_a_column_that_is_not_finite_becomes_nan_alone()
  local got
  local said = bits.notices_of(function()
    got = data.standardise(part{{1, 0 / 0, math.huge}, {3, 1, 1}})
  end)
  lu.assertStrContains(said, "2 of 3 columns hold values that are not finite, "
    .. "the first is column 2")
  lu.assertEquals(got.x:select(2, 1):totable(), {-1, 1})
  for column = 2, 3 do
    for row = 1, 2 do lu.assertNaN(got.x[row][column]) end
  end
end

function TestBeforeTraining.test_statistics_without_a_rest_of_the_mean_are_taken()
  local got = data.standardise(part{{5}, {9}}, {mean = bnn.tensor{7}, std = bnn.tensor{2}})
  lu.assertEquals(got.x:totable(), {{-1}, {1}})
end

function TestBeforeTraining.test_images_are_standardised_as_intensities()
  local train, stats = data.standardise(data.from_tensors{x = letter{{{0, 255}}, {{255, 255}}}})
  lu.assertEquals(stats.mean:totable(), {{0.5, 1}})
  lu.assertEquals(train.x:totable(), {{{-1, 0}}, {{1, 0}}})
end

function TestBeforeTraining.test_one_hot_rows()
  lu.assertEquals(data.one_hot({0, 2}, 3):totable(), {{1, 0, 0}, {0, 0, 1}})
  lu.assertEquals(data.one_hot{1, 0}:totable(), {{0, 1}, {1, 0}})
  lu.assertEquals(data.one_hot(letter{1}, 2):totable(), {{0, 1}})
  lu.assertEquals(data.one_hot({}, 2):shape(), {0, 2})
  raises("y: expected labels 0 to 2, got 0 to 3", data.one_hot, {0, 3}, 3)
  raises("got -1 to 1", data.one_hot, {-1, 1}, 3)
  raises("count: expected an integer of at least 1", data.one_hot, {0}, 0)
  lu.assertEquals(data.one_hot(core.tensor{{1}, {0}}, 2):totable(), {{0, 1}, {1, 0}})
  raises("label 2 is 1.5, expected a whole number", data.one_hot, core.tensor{1, 1.5}, 3)
  raises("labels are [1, 2], expected [n] or [n, 1]", data.one_hot, letter{{1, 2}}, 3)
end

function TestBeforeTraining.test_a_split_is_a_function_of_the_key()
  local rows = {}
  for i = 1, 100 do rows[i] = {i} end
  local whole = data.from_tensors{x = core.tensor(rows, "u8"), y = core.arange(1, 100):to "i32",
                          classes = {"a", "b"}}
  local train, validation = data.random_split(whole, {fraction = 0.2, key = bnn.key(1)})
  lu.assertEquals({train.size, validation.size, train.x:dtype()}, {80, 20, "u8"})
  lu.assertEquals(train.classes, {"a", "b"})
  local seen = {}
  for _, p in ipairs{train, validation} do
    for i = 1, p.size do
      lu.assertEquals(p.x[i]:totable()[1], p.y[i])
      seen[p.y[i]] = true
    end
  end
  lu.assertEquals(#seen, 100)
  local again = data.random_split(whole, {fraction = 0.2, key = bnn.key(1)})
  lu.assertEquals(again.y:totable(), train.y:totable())
  local other = data.random_split(whole, {fraction = 0.2, key = bnn.key(2)})
  lu.assertNotEquals(other.y:totable(), train.y:totable())
  local most, least = data.random_split(whole:slice(1, 3), {fraction = 0.01, key = bnn.key(1)})
  lu.assertEquals({most.size, least.size}, {2, 1})
  raises("fraction: expected more than 0",
    data.random_split, whole, {fraction = 0, key = bnn.key(1)})
  raises("expected at least 2 rows, got 1", data.random_split, whole:slice(1, 1),
    {fraction = 0.5, key = bnn.key(1)})
end

TestLeaks = in_folder{}

function TestLeaks.test_files_and_refusals_leak_nothing()
  write("t.csv", "a,b\n1,cat\n2,dog\n")
  data.save(path "x.npy", {1, 2})
  if HAS.libzip then data.save(path "x.npz", {a = letter{1}}) end
  local function round()
    data.csv(path "t.csv", {label = "b"})
    data.csv(path "t.csv", {label = "c"})
    data.read(path "x.npy")
    data.mmap(path "x.npy")
    data.mmap(path "t.csv")
    data.read(path "x.npz")
    pcall(core.csv_read, path "t.csv", {separator = "ab"})
    pcall(core.npz_write, path "y.npz", {"a", "a"}, {letter{1}, letter{1}})
    pcall(core.npz_write, path "y.npz", {"a"}, {})
    pcall(core.png_encode, core.tensor{1})
    core.image_character(core.full({9, 9}, 1, "u8"))
    core.list_dir "/nonexistent"
  end
  round()
  collectgarbage()
  collectgarbage()
  local before = core.memory()
  for _ = 1, 5 do round() end
  collectgarbage()
  collectgarbage()
  lu.assertEquals((core.memory()), before)
end

TestShared = {} -- what processes at one folder do without locks
in_folder(TestShared)

function TestShared:test_one_writer_gets_a_name()
  lu.assertTrue(core.save_once(path "x", "first"))
  lu.assertFalse(core.save_once(path "x", "second"))
  local file <close> = assert(io.open(path "x", "rb"))
  lu.assertEquals(file:read "a", "first")
  lu.assertEquals(core.list_names(folder), {"x"})
  refuses("No such file", core.save_once, path "no/x", "")
  refuses("No such file", core.list_names, path "no")
end

function TestShared:test_signs_of_life_are_of_the_file_systems_clock()
  write("x", "")
  local first = core.modified(path "x")
  lu.assertAlmostEquals(first, core.now(), 60)
  core.run_program{"sleep", "0.02"}
  lu.assertTrue(core.touch(path "x"))
  lu.assertTrue(core.modified(path "x") > first)
  refuses("No such file", core.touch, path "no")
  refuses("No such file", core.modified, path "no")
end

os.exit(lu.LuaUnit.run(), true)
