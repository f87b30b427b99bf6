--- Data sets: what training and evaluation take their examples from.
--
-- A data set is {train=, test=} (either may be nil). A part has x [n, ...] (uint8 for images),
-- y i32 [n], size, slice(from, to), and batches{size=, key=}.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local describe = require "bnn.base.describe"
local expect_model = require "bnn.params.expect_model"
local fetch = require "bnn.data.fetch"
local file_sets = require "bnn.data.file_sets"
local files = require "bnn.data.files"
local idx_set = require "bnn.data.idx_set"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local data_paths = require "bnn.data.data_paths"
local refusal = require "bnn.base.refusal"
local dataset_registry = require "bnn.data.dataset_registry"
local renamed = require "bnn.base.renamed"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"
local toy = require "bnn.data.toy"

local M = {}

-- One's own data, from files.lua.
for _, name in ipairs{
  "read", "csv", "map", "save", "image", "folder", "standardise", "one_hot", "split",
} do
  M[name] = files[name]
end

M.cubic = toy.cubic

local Part = {__name = "bnn.data"}
Part.__index = Part

--- A part of a data set from tensors.
-- @param opts table: x [n, ...], y [n, ...] or nil; names= of x's columns, classes= of y's, lists;
--   origin= where they come from, for messages
function M.part(opts)
  opts = options.check("bnn.data.part", opts, {
    x = {type = "tensor", required = true}, y = "tensor", origin = "string",
    names = {type = "string", list = true}, classes = {type = "string", list = true},
  })
  if opts.classes then classes.check("bnn.data.part", opts.classes, 3) end
  local n = opts.x:dim() > 0 and opts.x:size(1)
  if not n then error("bnn.data.part: x is a scalar, wanted [n, ...]", 2) end
  if opts.y and (opts.y:dim() == 0 or opts.y:size(1) ~= n) then
    error(strings.message("bnn.data.part: x has %d rows, y is %s", n, shapes.text(opts.y)), 2)
  end
  return setmetatable({
    x = opts.x:contiguous(), y = opts.y and opts.y:contiguous(), size = n, origin = opts.origin,
    names = opts.names, classes = opts.classes,
  }, Part)
end

--- The same part with other tensors; names, classes and origin stay.
-- @param opts table: x=, y= (those of this part when left out)
function Part:with(opts)
  opts = options.check("with", opts, {x = "tensor", y = "tensor"})
  return M.part{x = opts.x or self.x, y = opts.y or self.y, names = self.names,
                classes = self.classes, origin = self.origin}
end

--- Rows from..to, both included, as a part that shares memory; `to` may lie beyond the end.
function Part:slice(from, to)
  from, to = math.tointeger(from or 1), math.tointeger(to or self.size)
  to = to and math.min(to, self.size)
  if not from or not to or from < 1 or from > to + 1 then
    error(strings.message("slice: rows %s..%s of %d", number.text(from), number.text(to),
      self.size), 2)
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

-- What grad and compile see of a batch that is an argument.
function Batch:__parts() return {x = self.x, y = self.y} end

-- The permutation of epoch e, counted from 1: a function of the key and e alone.
local function epoch_rows(part, key, e)
  return core.permutation(key:fold("data"):fold(e), part.size)
end

--- An iterator over batches, each epoch in a fresh permutation that is a function of key and epoch.
--     for batch in data.train:batches{size = 128, key = key} do print(batch.x, batch.y) end
-- @param opts table: size, key=, epochs=1 (math.huge: for ever), drop_last=true (false gives the
--   ragged rest of an epoch as a smaller batch), skip=0 (batches to pass over, to go on with)
-- @return function() -> batch: x [b, ...] (u8 images as real numbers, / 255; other types as they
--   are) and y [b], and where they come from
function Part:batches(opts)
  opts = options.check("batches", opts, {
    size = {type = "integer", min = 1, required = true},
    key = {type = "key", required = true},
    epochs = {type = "integer", min = 0, default = 1, infinite = true},
    drop_last = {type = "boolean", default = true},
    skip = {type = "integer", min = 0, default = 0},
  })
  local whole, rest = self.size // opts.size, self.size % opts.size
  local per_epoch = whole + (rest > 0 and not opts.drop_last and 1 or 0)
  if per_epoch == 0 then
    local message = ("batch_size is %d, the data have %d examples"):format(opts.size, self.size)
    refusal.assert_or_exit(nil, message)
  end
  local i, epoch, rows = opts.skip, 0, nil
  return function()
    local e = i // per_epoch + 1
    if e > opts.epochs then return nil end
    if e ~= epoch then epoch, rows = e, epoch_rows(self, opts.key, e) end
    local from = (i % per_epoch) * opts.size + 1
    i = i + 1
    local count = math.min(opts.size, self.size - from + 1)
    return setmetatable({source = self, rows = rows, from = from, count = count}, Batch)
  end
end

-- #part is how many examples it has.
function Part:__len() return self.size end

function Batch:__tostring()
  return ("batch: %d of %s"):format(self.count, tostring(self.source))
end

expect_model.check_methods(Part, "part", expect_model.has "x")

function Part.__tostring(self)
  return ("data: %d examples, x %s %s%s"):format(self.size, self.x:dtype(),
    shapes.text(self.x), self.y and ", y " .. self.y:dtype() or "")
end

-- ---- IDX folders ----

local WANTED = "wanted are train-images-idx3-ubyte, train-labels-idx1-ubyte, "
  .. "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (plain or .gz)"

-- Whether a folder without a set's name on it holds another set, and what is said of that.
local function holds_another(row, folder)
  local other = row and fetch.other_set(row, folder)
  return other and ("%s: holds %s, not %s"):format(folder, other, row.name)
end

-- What idx_set.read gets for a set that is looked for by its name.
local function by_name(name, opts, strict)
  return {name = name, split = opts.split, layout = opts.layout, strict = strict}
end

-- Folders below one in which torchvision keeps files.
local function raw_folders(dir)
  local list = {}
  if core.is_folder(dir .. "/raw") then list[1] = dir .. "/raw" end
  for name, kind in pairs(core.list_dir(dir) or {}) do
    local raw = ("%s/%s/raw"):format(dir, name)
    if kind == "folder" and core.is_folder(raw) then list[#list + 1] = raw end
  end
  table.sort(list, strings.before)
  return list
end

-- The set in one of torchvision's folders below `dir`; nil when none holds one.
local function load_raw(dir, opts)
  local found
  for _, folder in ipairs(raw_folders(dir)) do
    local data, fault = idx_set.read(folder, opts)
    if fault then return nil, fault end
    if data and found then
      return nil, strings.message("%s: %s and %s hold data sets; name one of them", dir,
        found.dir, folder)
    end
    found = found or data
  end
  return found
end

-- A set that must be in a folder which the user named; name nil: in the folder itself.
local function load_from(name, row, dir, opts)
  if dir == "" then return nil, "bnn.data.load: the name of the folder is empty" end
  local folders = data_paths.below(name, dir)
  for i, folder in ipairs(folders) do
    local another = name and i == #folders and holds_another(row, folder)
    if another then return nil, another end
    local data, fault = idx_set.read(folder, by_name(name, opts))
    if data or fault then return data, fault end
  end
  if not name then
    local data, fault = load_raw(folders[1], by_name(nil, opts))
    if data or fault then return data, fault end
  end
  local beside = name and (", nor in %s"):format(folders[1]) or ""
  return nil, strings.message("%s: no IDX files there%s; %s", folders[#folders], beside, WANTED)
end

-- Searches the places outside the cache: the set; or nil, and a message when a place is broken.
local function search(name, row, opts)
  for _, place in ipairs(data_paths.list(name, true)) do
    local is_cached = place.origin == "cache" and row
    if not is_cached and not (place.flat and holds_another(row, place.folder)) then
      local data, fault = idx_set.read(place.folder, by_name(name, opts, place.flat and not row))
      if data or fault then return data, fault end
    end
  end
end

-- The set of a row from the cache, downloaded when it is not there or broken; or nil, message, and
-- the cause in a few words.
local function load_cached(row, opts)
  local cache, broken = data_paths.cache(), nil
  if cache and #fetch.missing(row, cache .. "/" .. row.name) == 0 then
    local data, fault = idx_set.read(cache .. "/" .. row.name, by_name(row.name, opts))
    if data then return data end
    broken = fault
  end
  local folder, fault, cause = fetch.get(row, opts)
  if folder then return idx_set.read(folder, by_name(row.name, opts)) end
  if broken then return nil, strings.message("%s; %s", broken, fault), cause end
  local message = "no %s data: looked in %s; %s"
  return nil, message:format(row.name, data_paths.words(row.name), fault), cause
end

-- A set by its name, wherever it is found.
local function load_named(name, opts)
  local row = opts.set or dataset_registry.find(name)
  if opts.dir then return load_from(name, row, opts.dir, opts) end
  if row and row.generate then return row.generate(name) end
  local data, fault = search(name, row, opts)
  if data or fault then return data, fault end
  if row then return load_cached(row, opts) end
  return nil,
    strings.message("%s. Looked in %s", dataset_registry.unknown(name), data_paths.words(name))
end

-- Whether a name is a path: by its look, or that of a folder that is here and not known otherwise.
local function names_path(name, opts)
  if name == "" or name == "." or name:find "/" or file_sets.is_file_name(name) then return true end
  local may_be_here = not opts.dir and not opts.set and not dataset_registry.find(name)
  return may_be_here and (core.is_folder(name) or file_sets.is_file(name))
end

-- The last part of a path, as the name of a set.
local function base_name(path) return path:match "([^/]+)/*$" or path end

local load_spec = {
  dir = "string", offline = "boolean", mirrors = {type = "string", list = true},
  ca_file = "string", set = "table", limits = "table", split = "string", layout = idx_set.layout,
}

-- The set that files beside each other make whose names all begin with the end of a path, such as
-- DIR/emnist-letters; nil when there is none.
local function load_prefix(path, opts)
  local dir, name = path:match "^(.*)/([^/]+)$"
  if not dir or opts.split or not core.is_folder(dir) then return nil end
  return idx_set.read(dir, by_name(name, opts, true))
end

-- A path: a file, a folder of IDX files, one of images by class, or the beginning of the names of
-- IDX files. Options are those of its kind.
local function load_path(path, opts)
  if file_sets.is_file(path) then return file_sets.load(path, opts) end
  local own = type(opts) == "table" and opts or {}
  local data, fault = load_from(nil, nil, path, own)
  if not data and not core.is_folder(path) then
    local other, broken = load_prefix(path, own)
    if other or broken then data, fault = other, broken end
  end
  if data then options.check("bnn.data.load", opts, load_spec) end
  if not data and fault:find "no IDX files" and file_sets.is_folder(path) then
    return file_sets.load(path, opts)
  end
  return data, fault
end

--- Loads a data set: for images x u8 [n, 28, 28] and labels y i32 [n].
--
-- A known name ("mnist", "fashion-mnist", "notmnist") is looked for in $BNNLUA_DATA (DIR/NAME, else
-- DIR itself), the system's share/datasets/NAME, and the cache ($XDG_CACHE_HOME/bnnlua, else
-- ~/.cache/bnnlua); else it is downloaded into the cache and checked, which BNNLUA_OFFLINE=1
-- forbids. "glyphs", "letters" and "letters-unlike-digits" are drawn by the program. A path is a
-- folder of IDX files, a folder of PNG images by class, a .npz or .npy file, or a table in text; so
-- is an unknown name of a file or folder that is here. Where both parts come from such files, the
-- classes are those of train: test has the same numbers for them, and no other.
--
-- IDX files may have EMNIST's or QMNIST's names, and lie in torchvision's folders (MNIST/raw). A
-- folder with several of EMNIST's splits wants split=, or the path DIR/emnist-letters; its images
-- are turned upright, and its letters are 0 to 25. Images of four dimensions are n x h x w x
-- channels unless layout= says otherwise, and become [n, channels, h, w].
-- @param name string: a name or a path
-- @param opts table: dir= a folder that holds the files, or holds them in one called name; it must.
--   offline=true never downloads; mirrors={url, ...} are asked instead of the known ones, each for
--   url/FILE ({name} in it stands for the set's), as those in $BNNLUA_MIRRORS are; ca_file=
--   certificates to trust, as $SSL_CERT_FILE is. For tests: set= a row as in bnn.sets,
--   limits={connect_ms=, stall_s=}. split="letters" of EMNIST; layout="nhwc" or "nchw". For a path:
--   what bnn.data.csv (and test=, the table of the test part) or bnn.data.folder take.
-- @return {train=, test=, name=, title=, dir=}, either part nil when there is none; or nil,
--   message; when the set is just nowhere to be had also the cause in a few words
function M.load(name, opts)
  if type(name) ~= "string" then error("bnn.data.load: a name or a path is wanted", 2) end
  local dir = type(opts) == "table" and opts.dir
  local is_path = names_path(name, type(opts) == "table" and opts or {})
  local data, fault, cause
  if is_path and not dir then
    data, fault = load_path(name, opts)
  else
    opts = options.check("bnn.data.load", opts, load_spec)
    if is_path and name ~= "." then
      return nil, strings.message("%s: a path is given, and another one with dir, %s", name, dir)
    elseif is_path then
      data, fault = load_from(nil, nil, dir, opts)
    else
      data, fault, cause = load_named(name, opts)
    end
  end
  if not data then return nil, fault, cause end
  local row = not is_path and (opts and opts.set or dataset_registry.find(name)) or {}
  data.name = row.name or base_name(is_path and dir or name)
  data.title = row.title or data.name
  return describe.as("data set", data)
end

-- ---- data sets of an experiment ----

--- The flags of an experiment that learns from a set of images: dataset= and data=, to be put into
-- its defaults; `bnn.data.load_or_exit` takes what they hold.
M.flags = {
  dataset = {nil, "mnist, fashion-mnist, glyphs, or a file or folder (default: mnist; if it is "
               .. "unavailable, glyphs, digits that the program draws)", type = "string"},
  data = {nil, "folder of the four files, or one that holds them in a folder called as the dataset "
            .. "(default: $BNNLUA_DATA, the system's, the cache, a download)",
          type = "string", result = false},
}

-- The set; the second value says why it is not MNIST, where nobody asked for another.
local function load_or_draw(name, dir)
  local assert_or_exit = refusal.assert_or_exit
  local data, fault, cause = M.load(name or "mnist", {dir = dir})
  local drawn = not data and cause and not name and not dir and M.load "glyphs"
  if not drawn then return assert_or_exit(data, fault), "" end
  strings.notice(("no mnist data: %s; `bnnlua -m data get mnist` says more"):format(cause))
  return drawn, (": digits drawn by the program, as MNIST is not here and %s"):format(cause)
end

-- Ends the program when images have another size than those that a network learns from.
local function assert_size(data, train)
  local wanted = table.concat(train.x:shape(), " x ", 2)
  for _, name in ipairs{"train", "test"} do
    local size = data[name] and table.concat(data[name].x:shape(), " x ", 2) or wanted
    local fault = "%s: the %s images are %s, those to learn from %s"
    refusal.assert_or_exit(size == wanted,
      fault:format(data.dir or data.title, name, size, wanted))
  end
end

--- The images that an experiment learns from; ends the program, with one line, where they are not
-- to be had. Without a name it is MNIST, or digits that the program draws where that is not here.
-- @param opts table:
--   dataset   name or path, as for load; nil: mnist or glyphs
--   dir       folder, as for load
--   log       a log: its first line says which data are used, and why
--   like      another data set, whose images must have the same size: then these are a set to
--             compare with, of which one part will do
-- @return data set with train and test
function M.load_or_exit(opts)
  opts = options.check("bnn.data.load_or_exit", opts, {
    dataset = "string", dir = "string", log = "any", like = "table",
  })
  local assert_or_exit = refusal.assert_or_exit
  if opts.like then
    local data = assert_or_exit(M.load(opts.dataset, {dir = opts.dir}))
    assert_size(data, opts.like.train)
    return data
  end
  local data, why = load_or_draw(opts.dataset, opts.dir)
  local where = data.dir or data.title
  assert_or_exit(data.train, where .. ": the data have no training images")
  assert_or_exit(data.test, where .. ": the data have no test images")
  assert_size(data, data.train)
  local line = "data: %s, %d training and %d test images%s"
  if opts.log then opts.log:say(line:format(data.title, data.train.size, data.test.size, why)) end
  return data
end

renamed.functions(M, "bnn.data", {demand = "load_or_exit"})

return M
