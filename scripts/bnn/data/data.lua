--- Data sets: the examples for training and evaluation.
--
-- A data set is {train=, test=} (either may be nil). A part has x [n, ...] (uint8 for images),
-- y i32 [n], size, slice(from, to), and batches{size=, key=}.
--     local data = bnn.data.load "mnist"                -- or nil, message
--     print(data.train)                                 -- data: 60000 examples, x u8 ...
local character_image = require "bnn.data.character_image"
local class_folders = require "bnn.data.class_folders"
local class_weights = require "bnn.data.class_weights"
local csv = require "bnn.data.csv"
local files = require "bnn.data.files"
local formats = require "bnn.data.formats.formats"
local index_files = require "bnn.data.splits.index_files"
local load_data = require "bnn.data.load_data"
local options = require "bnn.base.options"
local parts = require "bnn.data.part"
local preprocess = require "bnn.data.preprocess"
local refusal = require "bnn.base.refusal"
local renamed = require "bnn.base.renamed"
local strings = require "bnn.base.strings"
local table_preprocess = require "bnn.data.table_preprocess"
local tables = require "bnn.data.table"
local toy = require "bnn.data.toy"

local M = {
  load = load_data.load, cubic = toy.cubic,
  from_tensors = parts.from_tensors, stream = require "bnn.data.stream".stream,
  read = files.read, mmap = files.mmap, save = files.save,
  formats = formats.list, docs = {formats = formats.doc},
  table = tables.table, sql = tables.sql,
  csv = csv.csv, folder = class_folders.folder, image = character_image.image,
  class_weights = class_weights.class_weights, weigh_classes = class_weights.weigh_classes,
  standardise = preprocess.standardise, unstandardise = preprocess.unstandardise,
  one_hot = preprocess.one_hot, preprocess = table_preprocess.preprocess,
  random_split = require "bnn.data.splits.random_split".random_split,
  k_fold = require "bnn.data.splits.k_fold".k_fold,
  index_file = index_files.index_file, index_splits = index_files.index_splits,
}

-- ---- data sets of an experiment ----

--- Holds the flags of an experiment that learns from a set of images: dataset= and data_dir=, which
-- `common = {"dataset"}` puts into its defaults. bnn.data.load_or_exit takes their values.
--     local experiment = {common = {"dataset"}, defaults = {lr = {1e-3, "learning rate"}}}
--     print(bnn.data.flags.dataset[2])                  -- mnist, fashion-mnist, glyphs, ...
M.flags = {
  dataset = {nil, "mnist, fashion-mnist, glyphs, or a file or folder (default: mnist; if it is "
               .. "unavailable, glyphs, digits that the program draws)", type = "string"},
  data_dir = {nil, "folder of the four files, or one that holds them in a folder named after the "
                .. "dataset (default: $BNNLUA_DATA, the system's, the cache, a download)",
              type = "string", result = false},
}
renamed.functions(M.flags, "bnn.data.flags", {data = "data_dir"})

-- The set; the second value says why it is not MNIST, if none was named.
local function load_or_draw(name, dir)
  local assert_or_exit = refusal.assert_or_exit
  local data, fault, cause = M.load(name or "mnist", {dir = dir})
  local drawn = not data and cause and not name and not dir and M.load "glyphs"
  if not drawn then return assert_or_exit(data, fault), "" end
  strings.notice(("no mnist data: %s; `bnnlua -m data get mnist` says more"):format(cause))
  return drawn, (": digits drawn by the program, as MNIST is not here and %s"):format(cause)
end

-- Ends the program if images have another size than those that a network learns from.
local function assert_size(data, train)
  local wanted = table.concat(train.x:shape(), " x ", 2)
  for _, name in ipairs{"train", "test"} do
    local size = data[name] and table.concat(data[name].x:shape(), " x ", 2) or wanted
    local fault = "%s: the %s images are %s, those to learn from %s"
    refusal.assert_or_exit(size == wanted,
      fault:format(data.dir or data.title, name, size, wanted))
  end
end

--- Loads the images that an experiment learns from; ends the program, with one line, if they are
-- unavailable. Without a name it loads MNIST, or digits that the program draws if MNIST is
-- unavailable.
--     local data = bnn.data.load_or_exit{dataset = "glyphs", log = log}
--     print(data.train.size, data.test.size)            -- 60000 10000
-- @param opts table:
--   dataset   name or path, as for bnn.data.load; nil: mnist or glyphs
--   dir       folder, as for bnn.data.load
--   log       log: its first line says which data are used, and why
--   like      another data set, whose images must have the same size: these are a set to compare
--             with, which may lack a part
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

--- Loads images that a network has not seen, of the size of those that it learns from, or ends the
-- program, with one line. Without a name they are notMNIST's letters, or where these are not
-- available, and beside digits that the program draws, letters unlike digits.
--     local letters = bnn.data.load_unseen_or_exit{dataset = "letters", like = data}
--     print(letters.x, letters.title)                   -- a tensor u8 [n, 28, 28], letters
-- @param opts table:
--   dataset   name or path, as for bnn.data.load; nil as above. A set that is left out is a line on
--             stderr
--   like      the data set that a network learns from; required
-- @return data set, of which x is the images of its test part, or of the only one
function M.load_unseen_or_exit(opts)
  opts = options.check("bnn.data.load_unseen_or_exit", opts, {
    dataset = "string", like = {type = "table", required = true},
  })
  local name, set = opts.dataset, nil
  if not name and opts.like.name ~= "glyphs" then
    local fault
    set, fault = M.load "notmnist"
    if not set then strings.notice("skipping notmnist: " .. fault) end
  end
  set = set or M.load_or_exit{dataset = name or "letters-unlike-digits", like = opts.like}
  return setmetatable({x = (set.test or set.train).x}, {__index = set})
end

renamed.functions(M, "bnn.data", {
  demand = "load_or_exit", part = "from_tensors", split = "random_split", map = "mmap",
})

return M
