--- Data sets from one's own files: an archive, a table or two, a folder of images by class.
local class_folders = require "bnn.data.class_folders"
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local files = require "bnn.data.files"
local formats = require "bnn.data.formats.formats"
local notice = require "bnn.base.notice"
local options = require "bnn.base.options"
local parts = require "bnn.data.part"
local strings = require "bnn.base.strings"

local M = {}

local WHAT = "bnn.data.load"

local malformed = strings.malformed

-- ---- archives ----

-- Why an array is not among those of an archive, if its member is; else nil.
local function why_skipped(archive, name)
  return archive.skipped[name] or archive.skipped[name .. ".npy"]
end

-- A part's array, under the names by which it goes around in .npz files; or nil, and why it is
-- there but is not an array.
local function array_of(archive, part_name, what)
  for _, name in ipairs{what .. "_" .. part_name, part_name .. "_" .. what} do
    if archive.arrays[name] then return archive.arrays[name] end
    local why = why_skipped(archive, name)
    if why then return malformed(archive.path, "array '%s': %s", name, why) end
  end
end

-- Arrays as a part's: u8 stays, the rest becomes real; labels that are integers become i32 [n].
local function part_of(path, x, y)
  if x:dtype() ~= "u8" and x:dtype() ~= core.real then x = x:real() end
  if y and y:dtype():find "^f" then
    y = y:real()
  elseif y then
    local labels, fault = classes.labels(y)
    if not labels then return malformed(path, "%s", fault) end
    y = labels
  end
  if y and y:size(1) ~= x:size(1) then
    return malformed(path, "has %d examples and %d labels", x:size(1), y:size(1))
  end
  return parts.from_tensors{x = x, y = y, origin = path}
end

-- A part of an archive; nil if it has none; nil, message if it is malformed.
local function archive_part(archive, name)
  local x, fault = array_of(archive, name, "x")
  if not x then return nil, fault end
  local y, message = array_of(archive, name, "y")
  if message then return nil, message end
  return part_of(archive.path, x, y)
end

local function from_tensors(row, path, opts)
  options.check(WHAT, opts, {})
  local arrays, names, skipped = files.read_as(row, WHAT, path, {})
  if not arrays then return nil, names end
  skipped = skipped or {}
  local archive, data = {path = path, arrays = arrays, skipped = skipped}, {}
  for _, name in ipairs{"train", "test"} do
    local made, fault = archive_part(archive, name)
    if fault then return nil, fault end
    data[name] = made
  end
  if not next(data) and arrays.x then
    local why = why_skipped(archive, "y")
    if why then return malformed(path, "array 'y': %s", why) end
    local made, fault = part_of(path, arrays.x, arrays.y)
    if not made then return nil, fault end
    data.train = made
  end
  if not next(data) then
    return malformed(path, "expected x_train, y_train, x_test, y_test, or x and y, got %s",
      table.concat(names, ", "))
  end
  files.say_skipped(path, skipped)
  return data
end

-- ---- two parts ----

-- The same options but for one.
local function without(opts, left_out)
  local copy = {}
  for name, value in pairs(opts or {}) do copy[name] = value end
  copy[left_out] = nil
  return copy
end

-- Options with `like` in the place of what they say of classes.
local function like_part(opts, like)
  local copy = without(opts, "classes")
  copy.like = like
  return copy
end

-- The training part, and the test part read like it; either path may be nil.
-- @param read function(what, path, opts) -> part; or nil, message
local function both(read, train, test, opts)
  local data = {}
  if train then
    local made, fault = read(WHAT, train, opts)
    if not made then return nil, fault end
    data.train, opts = made, like_part(opts, made)
  end
  if test then
    local made, fault = read(WHAT, test, opts)
    if not made then return nil, fault end
    if made.classes and not (opts and (opts.classes or opts.like)) then
      notice.say("%s: no training part, so its own classes are numbered: %s (like = or classes = "
        .. "has those of another part)", test, classes.words(made.classes))
    end
    data.test = made
  end
  return data
end

local function is_table(row) return row.holds == "table" end

-- A table as a part, in whichever format.
local function read_table(what, path, opts)
  local row, fault = formats.of_file(path)
  if not row then return nil, fault end
  if is_table(row) then return files.read_as(row, what, path, opts) end
  return malformed(path, "expected %s, got %s", formats.words("or", is_table), row.title)
end

-- A table, and another one for the test part in test=.
local function from_table(_, path, opts)
  local test = type(opts) == "table" and opts.test or nil
  if test ~= nil and type(test) ~= "string" then
    fail.expected(WHAT .. ": test", "the path of a table", test)
  end
  return both(read_table, path, test, test and without(opts, "test") or opts)
end

-- The only table in a folder that is called `name`, with any ending; or nil, and message.
local function table_called(path, name)
  local found
  for _, file in ipairs(class_folders.names_in(path, "file", "^" .. name .. "%.?[%w.]*$") or {}) do
    local row = formats.of_file(path .. "/" .. file)
    if row and is_table(row) then
      if found then
        return malformed(path, "holds %s and %s: which of them is the %s part?", found, file, name)
      end
      found = file
    end
  end
  return found and path .. "/" .. found
end

-- A folder with the tables train.* and test.*; nil when it has none.
local function from_tables(path, opts)
  local train, fault = table_called(path, "train")
  if fault then return nil, fault end
  local test, message = table_called(path, "test")
  if message then return nil, message end
  if train or test then return both(read_table, train, test, opts) end
end

-- The folders of a folder: those called train and test, in any case, and the names of the others.
local function parts_in(path)
  local names, fault = class_folders.names_in(path, "folder", "")
  if not names then return nil, fault end
  local found, others = {}, {}
  for _, name in ipairs(names) do
    local part_name = strings.lower(name)
    if (part_name == "train" or part_name == "test") and not found[part_name] then
      found[part_name] = path .. "/" .. name
    else
      others[#others + 1] = name
    end
  end
  return found, others
end

-- A folder of images by class, or two of these called train and test.
local function from_images(path, opts)
  local found, others = parts_in(path)
  if not found then return nil, others end
  if not next(found) then return both(class_folders.read, path, nil, opts) end
  local data, fault = both(class_folders.read, found.train, found.test, opts)
  if data and others[1] then
    notice.say("%s: skipping %s: only train and test are read", path, classes.words(others))
  end
  return data, fault
end

local function from_image(_, path)
  return malformed(path, "expected a folder of images by class or a table, got one image")
end

-- ---- any path ----

local function from_tensor(row, path, opts)
  opts = options.check(WHAT, opts, {layout = row.layout, mmap = "boolean"})
  local x, fault
  if opts.mmap then
    x, fault = files.mmap(path)
  else
    x, fault = files.read_as(row, WHAT, path, {})
  end
  if not x then return nil, fault end
  if row.to_examples then
    x, fault = row.to_examples(x, path, opts.layout)
    if not x then return nil, fault end
  end
  if x:dim() == 0 then return malformed(path, "expected rows of examples, got a scalar") end
  local made, message = part_of(path, x)
  if not made then return nil, message end
  return {train = made}
end

-- What a format holds -> function(row, path, opts) that makes a data set of it; or nil, message.
local from_file = {
  tensor = from_tensor, tensors = from_tensors, table = from_table, image = from_image,
}

-- Endings of tables that say no more than that they are text.
local TEXT = {txt = true, data = true, dat = true}

--- Whether a name ends as those of files that M.load takes.
function M.is_file_name(path)
  local row = formats.by_name(path)
  if row then return formats.is_set(row) end
  return TEXT[strings.lower(path):gsub("%.gz$", ""):match "%.(%w+)$"] and not core.is_folder(path)
end

--- Whether a path is that of a file, by its name or because it is there.
function M.is_file(path)
  if M.is_file_name(path) then return true end
  local file = not core.is_folder(path) and io.open(path, "rb")
  if not file then return false end
  file:close()
  return true
end

--- Whether a folder holds tables or folders, so that M.load may take it.
function M.is_folder(path)
  for name, kind in pairs(core.list_dir(path) or {}) do
    local is_part = kind == "file" and (name:find "^train[%w.]*$" or name:find "^test[%w.]*$")
    if kind == "folder" or is_part then return true end
  end
  return false
end

--- A data set from one file or a folder; bnn.data.load calls it.
-- .npz: x_train, y_train, x_test, y_test, or x and y. A table: a part train; and a part test from
-- the table in test=, which has the classes and columns of train. .npy and IDX: x of train. A
-- folder: tables called train and test, with any ending; folders train and test (or Train, Test)
-- with a folder of images for each class in each, others beside them are left out; or the classes'
-- own. Classes that the test part lacks keep their
-- numbers, one that only it has is an error.
-- @param path string
-- @param opts table: of bnn.data.csv and test=, or of bnn.data.folder; layout= of IDX images
-- @return {train=, test=}; or nil, message
function M.load(path, opts)
  path = path:gsub("(.)/+$", "%1")
  if core.is_folder(path) then
    local data, fault = from_tables(path, opts)
    if data or fault then return data, fault end
    return from_images(path, opts)
  end
  local row, fault = formats.of_file(path)
  if not row then return nil, fault end
  return from_file[row.holds](row, path, opts)
end

return M
