--- Loads a data set by its name or by its path.
local core = require "bnn.core"
local data_cache = require "bnn.data.data_cache"
local data_paths = require "bnn.data.data_paths"
local dataset_registry = require "bnn.data.dataset_registry"
local describe = require "bnn.base.describe"
local expect = require "bnn.base.expect"
local fetch = require "bnn.data.fetch"
local file_sets = require "bnn.data.file_sets"
local idx_format = require "bnn.data.formats.idx_format"
local idx_set = require "bnn.data.idx_set"
local observer = require "bnn.base.observer"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

local EXPECTED = "expected train-images-idx3-ubyte, train-labels-idx1-ubyte, "
  .. "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (plain or .gz)"

-- Whether a folder without a set's name on it holds another set, and what is said of that.
local function holds_another(row, folder)
  local other = row and fetch.other_set(row, folder)
  return other and ("%s: holds %s, not %s"):format(folder, other, row.name)
end

-- What idx_set.read gets for a set that is looked for by its name.
local function by_name(name, opts, strict)
  return {name = name, split = opts.split, layout = opts.layout, strict = strict,
          mmap = opts.mmap}
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
  if dir == "" then return nil, 'bnn.data.load: dir: expected the path of a folder, got ""' end
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
  return nil, strings.message("%s: no IDX files there%s; %s", folders[#folders], beside, EXPECTED)
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
  ca_file = "string", set = "table", limits = "table", split = "string", layout = idx_format.layout,
  mmap = "boolean",
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

-- The set of a name or path, as M.load describes it.
local function load_set(name, opts)
  local dir = type(opts) == "table" and opts.dir
  local is_path = names_path(name, type(opts) == "table" and opts or {})
  local data, fault, cause
  if is_path and not dir then
    data, fault = load_path(name, opts)
  else
    opts = options.check("bnn.data.load", opts, load_spec)
    if is_path and name ~= "." then
      return nil, strings.message("%s: expected a name if dir is given (%s), got a path", name, dir)
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

data_cache.load_by(load_set)

--- Loads a data set by name or path: for images x u8 [n, 28, 28] and labels y i32 [n].
--     local data = assert(bnn.data.load "mnist")        -- data.train, data.test
--     local own = bnn.data.load("flowers.csv", {label = "species", test = "flowers_test.csv"})
-- A known name ("mnist", "fashion-mnist", "notmnist") is searched for in $BNNLUA_DATA (DIR/NAME,
-- then DIR itself), the system's share/datasets/NAME, and the cache ($XDG_CACHE_HOME/bnnlua, or
-- ~/.cache/bnnlua). If it is in none of them, it is downloaded into the cache and checked, unless
-- BNNLUA_OFFLINE=1 forbids that. The program draws "glyphs", "letters" and "letters-unlike-digits".
-- A path is a folder of IDX files, a folder of images by class, or a file (bnn.data.formats lists
-- the formats); so is an unknown name of a file or folder that is here. If both parts come from
-- such files, the classes are those of train: test has the same numbers for them, and no others.
--
-- IDX files may have EMNIST's or QMNIST's names, and lie in torchvision's folders (MNIST/raw). A
-- folder with several of EMNIST's splits needs split=, or the path DIR/emnist-letters; its images
-- are turned upright, and its letters are 0 to 25. Images of four dimensions are n x h x w x
-- channels unless layout= says otherwise, and become [n, channels, h, w].
-- @param name string: a name or a path
-- @param opts table:
--   dir        folder that must hold the files, or hold them in a folder called `name`
--   offline    true: never downloads
--   mirrors    {url, ...}: asked for url/FILE instead of the known ones, as $BNNLUA_MIRRORS; {name}
--              in a url stands for the set's name
--   ca_file    certificates to trust, as $SSL_CERT_FILE
--   split      "letters": one of EMNIST's sets
--   layout     "nhwc" or "nchw": the order of images of four dimensions
--   mmap       true: maps images that lie in plain IDX files, or the .npy file that the path names,
--              as bnn.data.mmap does, so that they may be larger than memory
--   For a path: the options of bnn.data.csv (and test=, the table of the test part) or of
--   bnn.data.folder
-- @return {train=, test=, name=, title=, dir=}, a part nil if there is none; or nil, message; if
--   the set is unavailable also the cause in a few words
function M.load(name, opts)
  expect.string("bnn.data.load: name", name, "a name or a path")
  local set, fault, cause = data_cache.get(name, opts)
  if not set then return nil, fault, cause end
  observer.tell("data", set)
  return set
end

return M
