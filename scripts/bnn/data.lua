--- Data sets: what training and evaluation take their examples from.
--
-- A data set is {train=, test=} (either may be nil). A part has x [n, ...] (uint8 for images), y i32 [n],
-- size, slice(from, to), and batches{size=, key=}.
local core = require "bnn.core"
local files = require "bnn.files"
local options = require "bnn.options"

local M = {}

-- One's own data, from files.lua.
for _, name in ipairs{
  "read", "csv", "map", "save", "image", "folder", "standardise", "one_hot", "split",
} do
  M[name] = files[name]
end

local Part = {__name = "bnn.data"}
Part.__index = Part

--- A part of a data set from tensors.
-- @param opts table: x [n, ...], y [n, ...] or nil; names= of x's columns, classes= of y's, lists
function M.part(opts)
  opts = options.check("bnn.data.part", opts, {
    x = {type = "tensor", required = true}, y = "tensor",
    names = {type = "string", list = true}, classes = {type = "string", list = true},
  })
  local n = opts.x:dim() > 0 and opts.x:size(1)
  if not n then error("bnn.data.part: x is a scalar, wanted [n, ...]", 2) end
  if opts.y and (opts.y:dim() == 0 or opts.y:size(1) ~= n) then
    error(("bnn.data.part: x has %d rows, y is [%s]"):format(n, table.concat(opts.y:shape(), ", ")), 2)
  end
  return setmetatable({
    x = opts.x:contiguous(), y = opts.y and opts.y:contiguous(), size = n,
    names = opts.names, classes = opts.classes,
  }, Part)
end

--- The same part with other tensors; names and classes stay.
-- @param opts table: x=, y= (those of this part when left out)
function Part:with(opts)
  opts = options.check("with", opts, {x = "tensor", y = "tensor"})
  return M.part{x = opts.x or self.x, y = opts.y or self.y, names = self.names, classes = self.classes}
end

--- Rows from..to, both included, as a part that shares memory; `to` may lie beyond the end.
function Part:slice(from, to)
  from, to = from or 1, math.min(to or self.size, self.size)
  if from < 1 or from > self.size then
    error(("slice: row %s of %d"):format(tostring(from), self.size), 2)
  end
  local n = to - from + 1
  return self:with{x = self.x:narrow(1, from, n), y = self.y and self.y:narrow(1, from, n)}
end

-- A batch: rows of a part, gathered when they are asked for (bnn.train never asks: C gathers them).
local Batch = {__name = "bnn.batch"}

function Batch.__index(self, name)
  if name ~= "x" and name ~= "y" then return nil end
  local tensor = self.source[name]
  local value = tensor and core.gather_rows(tensor, self.rows, self.from, self.count)
  rawset(self, name, value)
  return value
end

-- The permutation of epoch e, counted from 1: a function of the key and e alone.
local function epoch_rows(part, key, e)
  return core.permutation(key:fold("data"):fold(e), part.size)
end

--- An iterator over batches, each epoch in a fresh permutation that is a function of key and epoch.
--     for batch in data.train:batches{size = 128, key = key, epochs = 1} do ... batch.x, batch.y ... end
-- @param opts table: size, key=, epochs= (for ever when left out), drop_last=true (false gives the
--   ragged rest of an epoch as a smaller batch), skip=0 (batches to pass over, to go on with)
-- @return function() -> batch: x real [b, ...] (images / 255) and y [b], and where they come from
function Part:batches(opts)
  opts = options.check("batches", opts, {
    size = {type = "integer", min = 1, required = true},
    key = {type = "key", required = true},
    epochs = {type = "integer", min = 0},
    drop_last = {type = "boolean", default = true},
    skip = {type = "integer", min = 0, default = 0},
  })
  local per_epoch = opts.drop_last and self.size // opts.size or (self.size + opts.size - 1) // opts.size
  if per_epoch == 0 then
    local message = ("batch_size is %d, the data have %d examples"):format(opts.size, self.size)
    require "bnn.experiment".demand(nil, message)
  end
  local i, epoch, rows = opts.skip, 0, nil
  return function()
    local e = i // per_epoch + 1
    if opts.epochs and e > opts.epochs then return nil end
    if e ~= epoch then epoch, rows = e, epoch_rows(self, opts.key, e) end
    local from = (i % per_epoch) * opts.size + 1
    i = i + 1
    local count = math.min(opts.size, self.size - from + 1)
    return setmetatable({source = self, rows = rows, from = from, count = count}, Batch)
  end
end

function Part.__tostring(self)
  return ("data: %d examples, x %s [%s]%s"):format(self.size, self.x:dtype(),
    table.concat(self.x:shape(), ", "), self.y and ", y " .. self.y:dtype() or "")
end

-- ---- IDX folders ----

-- The spellings under which the four files of an IDX set go around.
local function idx_file(dir, prefix, what, rank)
  for _, form in ipairs{"%s/%s-%s-idx%d-ubyte", "%s/%s-%s.idx%d-ubyte"} do
    for _, ending in ipairs{"", ".gz"} do
      local path = form:format(dir, prefix, what, rank) .. ending
      local file = io.open(path, "rb")
      if file then
        file:close()
        return path
      end
    end
  end
end

-- One part of an IDX folder: nil, nil when neither file is there; nil, message when it is broken.
local function read_part(dir, prefix)
  local images, labels = idx_file(dir, prefix, "images", 3), idx_file(dir, prefix, "labels", 1)
  if not images and not labels then return nil end
  if not images or not labels then
    return nil, ("%s: %s-%s is missing beside %s"):format(dir, prefix, images and "labels-idx1-ubyte" or "images-idx3-ubyte",
      images or labels)
  end
  local x, y = core.idx_read_pair(images, labels)
  if not x then return nil, y end
  return M.part{x = x, y = y}
end

-- The data set of a folder; nil when it holds no IDX file, nil, message when one is broken.
local function read_folder(dir)
  local train, train_fault = read_part(dir, "train")
  if train_fault then return nil, train_fault end
  local test, test_fault = read_part(dir, "t10k")
  if test_fault then return nil, test_fault end
  if not train and not test then return nil end
  return {train = train, test = test, dir = dir}
end

-- Folders in which a named set may lie below `dir`: in one of its name, or in `dir` itself.
local function candidates(name, dir)
  dir = dir:gsub("(.)/+$", "%1")
  return {dir .. "/" .. name, dir}
end

local function wanted_files(dir)
  return ("%s: no IDX files there; wanted are train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (plain or .gz)")
    :format(dir)
end

-- A set that must be in a folder which the user named.
local function load_from(name, dir)
  for _, folder in ipairs(candidates(name, dir)) do
    local data, fault = read_folder(folder)
    if data or fault then return data, fault end
  end
  return nil, wanted_files(dir)
end

local function not_found(name, looked)
  return ("no %s data: looked in %s. Put the four IDX files (%s; sources: see README) into a folder and name it with --data DIR or BNNLUA_DATA=DIR")
    :format(name, table.concat(looked, ", "), "train- and t10k- images and labels")
end

-- A path: a file, a folder of IDX files, or one of images by class.
local function load_path(path, opts)
  if files.is_file(path) then return files.load(path, opts) end
  local data, fault = load_from("", path)
  if data or not fault:find "no IDX files" then return data, fault end
  local entries, missing = core.list_dir(path)
  if not entries then return nil, missing end
  for _, kind in pairs(entries) do
    if kind == "folder" then return files.load(path, opts) end
  end
  return nil, fault
end

--- Loads a data set of IDX files: images u8 [n, 28, 28] and labels i32 [n].
-- @param name string: "mnist" (or another name of a folder), or a path: a folder of IDX files, a folder
--   of PNG images by class, a .npz, .csv, .tsv or .npy file
-- @param opts table: dir= a folder that holds the files, or holds them in one called name; it must.
--   Without it $BNNLUA_DATA is searched in the same way. For a path: what bnn.data.csv or
--   bnn.data.folder take.
-- @return {train=, test=, dir=}, either part nil when the folder lacks it; or nil, message
function M.load(name, opts)
  if type(name) ~= "string" then error("bnn.data.load: a name or a path is wanted", 2) end
  if name:find "/" or name == "." or files.is_file(name) then return load_path(name, opts) end
  opts = options.check("bnn.data.load", opts, {dir = "string"})
  if opts.dir then return load_from(name, opts.dir) end
  local looked, env = {}, os.getenv "BNNLUA_DATA"
  if env and env ~= "" then
    looked[1] = ("$BNNLUA_DATA (%s)"):format(env)
    local data, fault = load_from(name, env)
    if data or not fault:find "no IDX files" then return data, fault end
  else
    looked[1] = "$BNNLUA_DATA (not set)"
  end
  return nil, not_found(name, looked)
end

return M
