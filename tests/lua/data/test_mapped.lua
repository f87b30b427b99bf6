--- Parts over mapped files: trained, evaluated and predicted from without being read into memory.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local files = require "idx_files"
local bnn = require "bnn"

local key = bnn.key(51)
local dir

TestMapped = {}

function TestMapped.setUp() dir = files.folder() end

function TestMapped.tearDown() files.remove(dir) end

local function save(name, x)
  local path = dir .. "/" .. name
  assert(bnn.data.save(path, x))
  return path
end

-- What training, an evaluation and a prediction make of a part.
local function results_of(part)
  local net = bnn.nn.mlp{8, 3}
  local objective = bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(net:init(key, part.x:narrow(1, 1, 1))),
    temperature = 1,
  }
  bnn.train{objective = objective, optimizer = bnn.optim.adam{}, data = part, steps = 30,
            batch_size = 16, key = key, progress = false}
  local elbo = objective:evaluate(part, {key = key}).elbo
  local mean = bnn.predict(objective, part.x, {num_samples = 4, key = key}).mean
  return bits.of(objective.posterior.mu.flat), elbo, bits.of(mean)
end

function TestMapped.test_a_mapped_part_gives_the_bits_of_one_that_was_read()
  local y = bnn.arange(0, 299):to "i32"
  local labels = {}
  for i, v in ipairs(y:totable()) do labels[i] = v % 3 end
  y = bnn.tensor(labels, "i32")
  for _, x in ipairs{bnn.randn(key, 300, 4), (bnn.rand(key, 300, 5, 5) * 255):floor():to "u8"} do
    local path, of_y = save("x.npy", x), save("y.npy", y)
    local mapped = bnn.data.from_tensors{x = assert(bnn.data.mmap(path)),
                                         y = assert(bnn.data.mmap(of_y))}
    lu.assertEquals({results_of(mapped)}, {results_of(bnn.data.from_tensors{x = x, y = y})})
    for _, split in ipairs(bnn.data.k_fold(mapped, {folds = 3, key = key, stratified = true})) do
      bits.assert_same(split.test.x, x:index(split.rows.test))
    end
  end
end

function TestMapped.test_load_maps_folders_and_arrays()
  files.set(dir, 30, 20)
  local mapped = assert(bnn.data.load(dir, {mmap = true}))
  local read = assert(bnn.data.load(dir))
  for _, name in ipairs{"train", "test"} do
    bits.assert_same(mapped[name].x, read[name].x)
    bits.assert_same(mapped[name].y, read[name].y)
  end
  local path = save("x.npy", bnn.randn(key, 6, 2))
  bits.assert_same(assert(bnn.data.load(path, {mmap = true})).train.x, bnn.randn(key, 6, 2))
end

function TestMapped.test_what_cannot_be_mapped_is_one_line()
  local csv = assert(io.open(dir .. "/t.csv", "w"))
  csv:write "a,b\n1,2\n"
  csv:close()
  local ok, message = pcall(bnn.data.load, dir .. "/t.csv", {mmap = true})
  lu.assertFalse(ok)
  lu.assertStrContains(message, "unknown option 'mmap'")
  local function fault_of(name, make)
    local path = dir .. "/" .. name
    files.make(path)
    make(path)
    return tostring(select(2, bnn.data.load(path, {mmap = true})))
  end
  lu.assertStrContains(fault_of("emnist", function(path)
    files.part(path, "emnist-digits-train", {n = 10})
  end), "mmap: expected images as networks take them, got transposed ones, which would be copied")
  lu.assertStrContains(fault_of("colour", function(path)
    local images = files.part(path, "train", {n = 1, side = 2})
    files.write(images, files.bytes(8, {1, 2, 2, 3}, ("x"):rep(12)))
  end), "got nhwc, which would be copied")
  lu.assertStrContains(fault_of("few", function(path)
    files.part(path, "train", {n = 5, labels = 4})
  end), "has labels [4] for images [5, 28, 28]")
  if not files.has_gzip() then return end
  lu.assertStrContains(fault_of("gz", function(path)
    files.gzip((files.part(path, "train", {n = 5})))
  end), "train-images-idx3-ubyte.gz")
end

-- Kilobytes of memory that no file is behind; nil where the system does not say.
local function own_memory()
  local file = io.open "/proc/self/status"
  local text = file and file:read "a" or ""
  if file then file:close() end
  return tonumber(text:match "RssAnon:%s*(%d+) kB")
end

-- A file of zeros that takes no room on the disk: u8 [n, 28, 28].
local function sparse(name, n)
  local header = ("{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 28, 28), }"):format(n)
  header = header .. (" "):rep(-(#header + 11) % 64) .. "\n"
  local path = dir .. "/" .. name
  local file = assert(io.open(path, "wb"))
  file:write("\x93NUMPY\1\0", ("<I2"):pack(#header), header)
  file:seek("cur", n * 784 - 1)
  file:write "\0"
  file:close()
  return path
end

-- 118 MB, of which a copy in any form would show.
function TestMapped.test_nothing_of_the_size_of_the_file_is_allocated()
  if not own_memory() then lu.skip "no RssAnon here" end
  if (os.getenv "SAN" or "") ~= "" then lu.skip "sanitizers keep what is freed" end
  local n = 150000
  local part = bnn.data.from_tensors{x = assert(bnn.data.mmap(sparse("x.npy", n))),
                                     y = bnn.zeros({n}, "i32")}
  local before = own_memory()
  results_of(part)
  lu.assertTrue(own_memory() - before < 40000, own_memory() - before)
end

os.exit(lu.LuaUnit.run())
