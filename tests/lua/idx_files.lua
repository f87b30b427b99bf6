--- For tests: writes small IDX files, the format of MNIST, and removes them.
local M = {}

--- The bytes of an IDX file. type is its byte (8 is u8), dims a list, bytes its elements.
function M.bytes(type_byte, dims, bytes)
  local parts = {string.char(0, 0, type_byte, #dims)}
  for _, d in ipairs(dims) do parts[#parts + 1] = string.pack(">I4", d) end
  parts[#parts + 1] = bytes
  return table.concat(parts)
end

function M.write(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(bytes))
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

--- A new empty folder.
function M.folder()
  local path = os.tmpname()
  os.remove(path)
  M.make(path)
  return path
end

function M.make(path) assert(os.execute("mkdir -p " .. quote(path))) end

function M.remove(path) assert(os.execute("rm -rf " .. quote(path))) end

function M.has_gzip() return os.execute "command -v gzip >/dev/null 2>&1" end

function M.gzip(path) assert(os.execute("gzip -f " .. quote(path))) end

-- A digit-like image: a bright block whose place says the class, over noise from a small
-- congruential generator (Numerical Recipes'), so that the files are the same everywhere.
local function image(class, side, noise)
  local pixels = {}
  local top, left = 1 + (class // 5) * (side // 2), 1 + (class % 5) * (side // 5)
  for row = 1, side do
    for column = 1, side do
      noise.state = (1664525 * noise.state + 1013904223) & 0xffffffff
      local inside = row >= top and row < top + side // 2 and column >= left
        and column < left + side // 5
      pixels[#pixels + 1] = string.char((noise.state >> 24) % 64 + (inside and 190 or 0))
    end
  end
  return table.concat(pixels)
end

--- Labels 0, 1, ..., 9, 0, ... of n examples, or `label(i)`, as a string of bytes.
function M.labels(n, label)
  local bytes = {}
  for i = 1, n do bytes[i] = string.char(label and label(i) or (i - 1) % 10) end
  return table.concat(bytes)
end

--- Images [n, side, side] that fit those labels, as a string of bytes.
function M.images(n, side, seed)
  local noise, images = {state = seed or 1}, {}
  for i = 1, n do images[i] = image((i - 1) % 10, side, noise) end
  return table.concat(images)
end

--- Writes images and labels of one part into a folder.
-- @param opts table: n=, side=28, seed=1, dot=false (train-images.idx3-ubyte), label=function(i)
function M.part(folder, prefix, opts)
  local side, mark = opts.side or 28, opts.dot and "." or "-"
  local images = ("%s/%s-images%sidx3-ubyte"):format(folder, prefix, mark)
  local labels = ("%s/%s-labels%sidx1-ubyte"):format(folder, prefix, mark)
  M.write(images, M.bytes(8, {opts.n, side, side}, M.images(opts.n, side, opts.seed)))
  M.write(labels, M.bytes(8, {opts.labels or opts.n}, M.labels(opts.labels or opts.n, opts.label)))
  return images, labels
end

--- Writes a whole set: `train` examples to train with and `test` to test with.
function M.set(folder, train, test, opts)
  M.make(folder)
  opts = opts or {}
  M.part(folder, "train", {n = train, side = opts.side, dot = opts.dot, label = opts.label})
  M.part(folder, "t10k", {n = test, side = opts.side, dot = opts.dot, seed = 2})
  return folder
end

return M
