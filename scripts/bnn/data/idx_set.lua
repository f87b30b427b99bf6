--- Folders of IDX files: MNIST and its kin, under the names by which they go around.
--
--     train-images-idx3-ubyte(.gz)  train-labels-idx1-ubyte  t10k-images-...  t10k-labels-...
--     train-images.idx3-ubyte       the same with a point
--     emnist-letters-train-images-idx3-ubyte  emnist-letters-test-...    EMNIST, one of six splits
--     qmnist-train-images-idx3-ubyte  qmnist-train-labels-idx2-int       QMNIST
--
-- EMNIST's files hold each image transposed; they are turned upright here, and the letters' labels,
-- 1 to 26 there, become 0 to 25. Images of four dimensions are n x h x w x channels and become
-- [n, channels, h, w], as networks take them; one channel becomes [n, h, w].
local core = require "bnn.core"
local idx_format = require "bnn.data.formats.idx_format"
local notice = require "bnn.base.notice"
local parts = require "bnn.data.part"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

-- ---- files ----

-- "emnist-letters", "train", "images" of a file's name; nil for another one.
local function parse(name)
  name = name:gsub("%.gz$", "")
  local front, what = name:match "^(.*)%-(images)[-.]idx[34]%-%w+$"
  if not front then front, what = name:match "^(.*)%-(labels)[-.]idx[12]%-%w+$" end
  if not front then return nil end
  for _, part in ipairs{"train", "t10k", "test"} do
    if front == part then return "", part, what end
    local set = front:match("^(.+)%-" .. part .. "$")
    if set then return set, part, what end
  end
end

-- Names in their order, so that a plain file is before its .gz.
local function sorted_files(dir)
  local names = {}
  for name, kind in pairs(core.list_dir(dir) or {}) do
    if kind == "file" then names[#names + 1] = name end
  end
  table.sort(names, strings.before)
  return names
end

-- The sets of a folder: {[set] = {train = {images = name, labels = name}, test = ...}}.
local function sets_of(dir)
  local sets = {}
  for _, name in ipairs(sorted_files(dir)) do
    local set, part, what = parse(name)
    if set then
      local key = part == "train" and "train" or "test"
      sets[set] = sets[set] or {}
      sets[set][key] = sets[set][key] or {prefix = set == "" and part or set .. "-" .. part}
      local files = sets[set][key]
      files[what] = files[what] or name
    end
  end
  return sets
end

-- ---- which set ----

-- Whether the files of a set are meant: emnist-letters by the split "letters" or its whole name, by
-- the name "emnist", or by no name at all.
local function is_meant(set, opts)
  if opts.split then return set == opts.split or set:match "^emnist%-(.+)$" == opts.split end
  if not opts.name then return true end
  if set == "" then return not opts.strict end
  return set == opts.name or set:sub(1, #opts.name + 1) == opts.name .. "-"
end

-- The name of the set that is meant, or nil; or nil, message.
local function choose(sets, dir, opts)
  local found = {}
  for set in pairs(sets) do
    if is_meant(set, opts) then found[#found + 1] = set end
  end
  table.sort(found, strings.before)
  if #found < 2 or found[1] == "" then return found[1] end
  local short = found[1]:match "^emnist%-(.+)$" or found[1]
  return nil, strings.message("%s: holds several sets, %s: split = \"%s\" chooses one", dir,
    table.concat(found, ", "), short)
end

-- ---- images and labels ----

local function letters(from, to)
  local list = {}
  for c = from:byte(), to:byte() do list[#list + 1] = string.char(c) end
  return list
end

local function joined(...)
  local all = {}
  for _, list in ipairs{...} do table.move(list, 1, #list, #all + 1, all) end
  return all
end

-- What EMNIST's labels stand for (Cohen et al. 2017, EMNIST: an extension of MNIST to handwritten
-- letters): bymerge and balanced have no small letters that look like their capitals.
local digits, capitals, small = letters("0", "9"), letters("A", "Z"), letters("a", "z")
local unlike = {"a", "b", "d", "e", "f", "g", "h", "n", "q", "r", "t"}
local emnist = {
  digits = {names = digits}, mnist = {names = digits},
  letters = {names = capitals, first = 1},
  byclass = {names = joined(digits, capitals, small)},
  bymerge = {names = joined(digits, capitals, unlike)},
  balanced = {names = joined(digits, capitals, unlike)},
}

-- EMNIST's images and labels as ours: upright, from 0; and the names of the classes.
local function from_emnist(x, y, set, path)
  local split = emnist[set:match "^emnist%-(%w+)$"]
  if not split then return x, y end
  local first = split.first or 0
  local last = first + #split.names - 1
  if x:dim() == 3 then x = x:permute(1, 3, 2):contiguous() end
  local least, most = y:real():min():item(), y:real():max():item()
  if least < first or most > last then
    local fault = "labels are %d to %d, those of %s are %d to %d"
    return strings.malformed(path, fault, least // 1, most // 1, set, first, last)
  end
  local shifted = ""
  if first > 0 then
    y = (y:real() - first):to "i32"
    shifted = (", labels %d to %d are numbered 0 to %d"):format(first, last, last - first)
  end
  notice.say("%s: %s: the images, which are stored transposed, were turned upright%s",
    path:match "^(.*)/" or ".", set, shifted)
  return x, y, split.names
end

-- ---- parts ----

-- Images over their file's bytes, and their labels; or nil, message.
local function map_pair(images, labels)
  local x, fault = core.idx_map(images)
  if not x then return nil, fault end
  local y, message = core.idx_read(labels)
  if not y then return nil, message end
  if y:dim() ~= 1 or y:size(1) ~= x:size(1) then
    return strings.malformed(labels, "has labels %s for images %s", shapes.text(y), shapes.text(x))
  end
  return x, y:to "i32"
end

-- Whether a set is mapped; refuses what would have to be copied.
local function check_mapped(x, set, layout, path)
  if set:match "^emnist%-(%w+)$" or x:dim() == 4 and layout ~= "nchw" then
    return nil, strings.message("%s: mmap: expected images as networks take them, got %s, which "
      .. "would be copied", path, x:dim() == 4 and "nhwc" or "transposed ones")
  end
  return true
end

-- One part: nil, nil when its files are not there; nil, message when it is broken.
local function read_part(dir, set, files, opts)
  if not files then return nil end
  if not files.images or not files.labels then
    local missing = files.images and "labels-idx1-ubyte" or "images-idx3-ubyte"
    return nil, strings.message("%s: %s-%s is missing beside %s/%s", dir, files.prefix, missing,
      dir, files.images or files.labels)
  end
  local images, path = dir .. "/" .. files.images, dir .. "/" .. files.labels
  local x, y = (opts.mmap and map_pair or core.idx_read_pair)(images, path)
  if not x then return nil, y end
  local fault, classes
  if opts.mmap then
    local ok, copied = check_mapped(x, set, opts.layout, images)
    if not ok then return nil, copied end
  end
  x, fault = idx_format.to_examples(x, images, opts.layout)
  if not x then return nil, fault end
  x, y, classes = from_emnist(x, y, set, path)
  if not x then return nil, y end
  return parts.from_tensors{x = x, y = y, classes = classes, origin = path}
end

--- The data set of a folder; nil when it holds no such files, nil, message when one is broken.
-- @param dir string
-- @param opts table: split= "letters", one of several sets, by a part of its files' names or all of
--   it; name= of the data set that is looked for, strict=true when files without a name in front do
--   not count as it; layout= "nhwc" or "nchw", of images of four dimensions;
--   mmap=true maps the images
function M.read(dir, opts)
  local sets = sets_of(dir)
  local set, several = choose(sets, dir, opts)
  if not set then return nil, several end
  local train, train_fault = read_part(dir, set, sets[set].train, opts)
  if train_fault then return nil, train_fault end
  local test, test_fault = read_part(dir, set, sets[set].test, opts)
  if test_fault then return nil, test_fault end
  return {train = train, test = test, dir = dir}
end

return M
