--- One's own data: arrays, tables and pictures from files, and what is done to them before
-- training.
--
-- Everything here is handed out by bnn.data: bnn.data.read, bnn.data.save, bnn.data.split, ...
-- What the world refuses (a file) comes back as nil, message; misuse raises.
local core = require "bnn.core"
local number = require "bnn.number"
local options = require "bnn.options"
local strings = require "bnn.strings"

local M = {}

-- bnn.data requires this module.
local function part(opts) return require "bnn.data".part(opts) end

local function malformed(path, text, ...)
  return nil, strings.message("malformed input data: %s: " .. text, path, ...)
end

local function shape_text(x) return "[" .. table.concat(x:shape(), ", ") .. "]" end

-- ---- reading by kind ----

-- Images without colour or transparency as [h, w], as NumPy and Pillow have them.
local function read_png(path)
  local x, fault = core.png_read(path)
  if not x then return nil, fault end
  return x:size(3) == 1 and x:select(3, 1):contiguous() or x
end

local function read_csv(path, opts)
  opts = options.check("bnn.data.csv", opts, {
    label = "string|integer", header = "boolean", separator = "string",
  }, 4)
  local is_tsv = strings.lower(path):gsub("%.gz$", ""):find "%.tsv$"
  if is_tsv and not opts.separator then opts.separator = "\t" end
  local t, fault = core.csv_read(path, opts)
  if not t then return nil, fault end
  return part(t)
end

-- ending -> {read=, save=, map=}; `names` is what is told to those who come with another.
local kinds = {
  npy = {read = core.npy_read, save = core.npy_write, map = core.npy_map},
  npz = {read = core.npz_read},
  png = {read = read_png, save = core.png_write},
  csv = {read = read_csv},
  tsv = {read = read_csv},
  idx = {read = core.idx_read, map = core.idx_map},
}

-- What a file begins with, where its name does not say what it is.
local beginnings = {
  {"\x93NUMPY", "npy"}, {"PK", "npz"}, {"\x89PNG", "png"},
  {"\0\0[\8\9\11-\14][\1-\3]", "idx"},
}

local function kind_by_name(path)
  local name = strings.lower(path):gsub("%.gz$", "")
  if name:find "idx[1-3]%-ubyte$" then return "idx" end
  local ending = name:match "%.(%w+)$"
  return kinds[ending] and ending
end

local function kind_by_content(path)
  local file <close> = io.open(path, "rb")
  local head = file and file:read(8) or ""
  for _, row in ipairs(beginnings) do
    if head:find("^" .. row[1]) then return row[2] end
  end
end

local function kind_of(path) return kind_by_name(path) or kind_by_content(path) end

local function check_path(what, path)
  if type(path) == "string" then return path end
  error(strings.message("bnn.data.%s: a path is wanted, got a %s", what, type(path)), 3)
end

local function unknown_kind(path, wanted)
  local file, fault = io.open(path, "rb")
  if not file then return nil, "input/output error: " .. fault end
  file:close()
  return malformed(path, "neither name nor content tell its kind, wanted %s", wanted)
end

--- Reads a file by the ending of its name, or by its content where that says nothing.
--     bnn.data.read "x.npy"                 a tensor; also IDX (.idx, -ubyte, .gz)
--     bnn.data.read "x.npz"                 {name = tensor}, and the list of names
--     bnn.data.read "x.png"                 u8 [h, w], or [h, w, channels]
--     bnn.data.read("x.csv", {label = "y"})  a part, as bnn.data.csv gives it; also .tsv
-- @param path string
-- @param opts table: of bnn.data.csv, for a table
-- @return what the file holds; or nil, message
function M.read(path, opts)
  local kind = kind_of(check_path("read", path))
  if not kind then return unknown_kind(path, ".npy, .npz, .png, .csv, .tsv or IDX") end
  if kind ~= "csv" and kind ~= "tsv" then
    options.check("bnn.data.read", opts, {})
    opts = nil
  end
  return kinds[kind].read(path, opts)
end

--- A table of numbers in text (CSV, TSV, plain or gzip) as a part.
-- Labels that are integers become i32, other numbers real, text the classes 0, 1, ... in the order
-- of their names. A missing value or a cell that is no number is refused, with row and column.
-- @param path string
-- @param opts table: label= the labels' column, by name or position (negative: from the end);
--   header= true or false (found when left out: no cell of it is a number); separator= (found)
-- @return part: x real [n, d], y [n] or nil, names = of x's columns, classes = of labels that are
--   text; or nil, message
function M.csv(path, opts) return read_csv(check_path("csv", path), opts) end

--- The tensor in a plain .npy or IDX file, over the file's own bytes: they are read when they are
-- touched, so that it may be larger than memory. What is written to it stays out of the file. Where
-- another program cuts the file or writes to it, using the tensor is an error; a file that is
-- replaced or removed does no harm.
-- @param path string
-- @return tensor; or nil, message
function M.map(path)
  local kind = kind_of(check_path("map", path))
  if not kind or not kinds[kind].map then
    if kind then return malformed(path, ".npy and IDX files can be mapped, .%s only read", kind) end
    return unknown_kind(path, "a plain .npy or IDX file")
  end
  return kinds[kind].map(path)
end

-- ---- saving ----

-- Tensors by name, in alphabetical order.
local function save_npz(path, value, compressed)
  local names, tensors = options.sorted_names(value), {}
  local fault = "bnn.data.save: a .npz file holds tensors by name: {x = tensor, ...}, %s is a %s"
  for i, name in ipairs(names) do
    tensors[i] = value[name]
    if type(tensors[i]) ~= "userdata" then error(fault:format(name, type(tensors[i])), 3) end
  end
  for name in pairs(value) do
    if type(name) ~= "string" then error(fault:format("a name", type(name)), 3) end
  end
  if #names == 0 then error("bnn.data.save: a .npz file holds at least one tensor", 3) end
  return core.npz_write(path, names, tensors, compressed)
end

--- Writes tensors by the ending of the path, whole or not at all: a tensor as .npy, u8 [h, w] or
-- [h, w, 1 to 4] as .png, tensors by name as .npz. Lists of numbers become tensors.
-- @param path string
-- @param value tensor, number or list; for .npz a table {name = tensor}
-- @param opts table: compressed=true (of .npz)
-- @return true; or nil, message
function M.save(path, value, opts)
  opts = options.check("bnn.data.save", opts, {compressed = {type = "boolean", default = true}})
  local kind = kind_by_name(check_path("save", path))
  if kind == "npz" and type(value) == "table" then return save_npz(path, value, opts.compressed) end
  if not kind or not kinds[kind].save then
    local wanted = "wanted a tensor for .npy or .png, a table of tensors for .npz"
    error(strings.message("bnn.data.save: %s: %s", path, wanted), 2)
  end
  if type(value) ~= "userdata" then value = core.tensor(value) end
  return kinds[kind].save(path, value)
end

-- ---- pictures ----

-- A picture that has MNIST's size already, with light ink; or nil, fault.
local function as_it_is(grey, ink)
  if grey:dtype() ~= "u8" then
    error(strings.message("bnn.data.image: the image is %s, wanted u8", grey:dtype()), 3)
  end
  local size = table.concat(grey:shape(), " x ")
  if size ~= "28 x 28" then return nil, "is " .. size .. ", 28 x 28 is wanted without fitting" end
  return ink == "dark" and (255 - grey:real()):to "u8" or grey
end

--- A picture of a character made as MNIST's images are: u8 [28, 28], ink 255 on 0, fitted to
-- 20 x 20 and centred by mass. Light and size of the picture do not matter.
-- @param source string or tensor: a PNG file, or u8 [h, w]
-- @param opts table: ink="auto" ("dark" on light, "light" on dark); fit=true (false: a picture of
--   28 x 28 as it is, its ink light unless it is said to be dark)
-- @return tensor; or nil, message
function M.image(source, opts)
  opts = options.check("bnn.data.image", opts, {
    ink = {type = "string", default = "auto", choices = {"auto", "dark", "light"}},
    fit = {type = "boolean", default = true},
  })
  local make = opts.fit and core.image_character or as_it_is
  local is_file, fault = type(source) == "string", nil
  local grey = source
  if is_file then grey, fault = core.png_read(source, "grey") end
  if not grey then return nil, fault end
  local x, lack = make(grey:contiguous(), opts.ink)
  if not x then return nil, is_file and source .. ": " .. lack or lack end
  return x
end

-- Names in a folder that have a kind, sorted; hidden ones left out.
local function names_in(path, kind, pattern)
  local entries, fault = core.list_dir(path)
  if not entries then return nil, fault end
  local names = {}
  for name, is in pairs(entries) do
    local hidden = name:find "^%."
    if is == kind and not hidden and strings.lower(name):find(pattern) then
      names[#names + 1] = name
    end
  end
  table.sort(names, strings.before)
  return names
end

-- One image of a folder: u8 [1, h, w] or [1, 3, h, w].
local function read_example(path, opts)
  if opts.character then
    local x, fault = M.image(path, {ink = opts.ink})
    return x and x:view(1, 28, 28), fault
  end
  local x, fault = core.png_read(path, opts.channels == 3 and "rgb" or "grey")
  if not x then return nil, fault end
  if opts.channels == 3 then x = x:permute(3, 1, 2):contiguous() end
  return x:view(1, table.unpack(x:shape()))
end

-- Tensors [1, ...] joined along their first axis, 32 at a time: so many concat takes.
local function join(list)
  while #list > 1 do
    local joined = {}
    for i = 1, #list, 32 do
      joined[#joined + 1] = core.concat(table.move(list, i, math.min(i + 31, #list), 1, {}), 1)
    end
    list = joined
  end
  return list[1]
end

-- Adds a class's images to lists x and y; true, or nil, message.
local function add_class(x, y, dir, label, opts)
  local files, fault = names_in(dir, "file", "%.png$")
  if not files then return nil, fault end
  if #files == 0 then return malformed(dir, "holds no PNG images") end
  for _, file in ipairs(files) do
    local path = dir .. "/" .. file
    local image, message = read_example(path, opts)
    if not image then return nil, message end
    if x[1] and shape_text(image) ~= shape_text(x[1]) then
      local advice = "character = true fits all to 28 x 28"
      return malformed(path, "is %s, the images before it are %s; %s", shape_text(image[1]),
        shape_text(x[1][1]), advice)
    end
    x[#x + 1], y[#y + 1] = image, label
  end
  return true
end

local folder_options = {
  channels = {type = "integer", default = 1, choices = {1, 3}},
  character = {type = "boolean", default = false},
  ink = {type = "string", default = "auto", choices = {"auto", "dark", "light"}},
}

local function read_classes(path, opts)
  local classes, fault = names_in(path, "folder", "")
  if not classes then return nil, fault end
  if #classes == 0 then
    return malformed(path, "holds no folders; one for each class is wanted, with PNG images")
  end
  local x, y = {}, {}
  for i, class in ipairs(classes) do
    local ok, message = add_class(x, y, path .. "/" .. class, i - 1, opts)
    if not ok then return nil, message end
  end
  return part{x = join(x), y = core.tensor(y, "i32"), classes = classes}
end

--- PNG images in a folder that has a folder for each class, as a part.
--     letters/A/1.png  letters/A/2.png  letters/B/1.png
-- @param path string
-- @param opts table: channels=1 (3: colour), character=false (true: each as bnn.data.image makes
--   it), ink="auto"
-- @return part: x u8 [n, h, w] or [n, 3, h, w], y i32 [n], classes = the folders' names, sorted; or
--   nil, message
function M.folder(path, opts)
  check_path("folder", path)
  opts = options.check("bnn.data.folder", opts, folder_options)
  return read_classes((path:gsub("(.)/+$", "%1")), opts)
end

-- ---- data sets ----

-- Names under which a part's arrays go around in .npz files.
local function array_named(arrays, part_name, what)
  for _, form in ipairs{what .. "_" .. part_name, part_name .. "_" .. what} do
    if arrays[form] then return arrays[form] end
  end
end

-- Arrays as a part's: u8 stays, the rest becomes real; labels that are integers become i32.
local function part_of(x, y)
  if x:dtype() ~= "u8" then x = x:real() end
  if y then y = y:dtype():find "^f" and y:real() or y:to "i32" end
  return part{x = x, y = y}
end

local function set_from_npz(path)
  local arrays, names = core.npz_read(path)
  if not arrays then return nil, names end
  local data = {}
  for _, name in ipairs{"train", "test"} do
    local x = array_named(arrays, name, "x")
    data[name] = x and part_of(x, array_named(arrays, name, "y"))
  end
  if not next(data) and arrays.x then data.train = part_of(arrays.x, arrays.y) end
  if next(data) then return data end
  return malformed(path, "holds %s; wanted x_train, y_train, x_test, y_test, or x and y",
    table.concat(names, ", "))
end

local function set_from_folder(path, opts)
  opts = options.check("bnn.data.load", opts, folder_options, 4)
  local parts, fault = names_in(path, "folder", "^t[re][as][it]n?$")
  if not parts then return nil, fault end
  local data = {}
  for _, name in ipairs(parts) do
    if name == "train" or name == "test" then
      data[name], fault = read_classes(path .. "/" .. name, opts)
      if fault then return nil, fault end
    end
  end
  if next(data) then return data end
  data.train, fault = read_classes(path, opts)
  if fault then return nil, fault end
  return data
end

--- Whether a path is a file that M.load takes.
function M.is_file(path)
  local kind = kind_by_name(path)
  return kind ~= nil and kind ~= "png"
end

--- A data set from one file or a folder of images; bnn.data.load calls it.
-- .npz: x_train, y_train, x_test, y_test, or x and y. .csv and .tsv: a part train. .npy and IDX: x
-- of train. A folder: folders train and test, with a folder for each class in each; or the classes'
-- own.
-- @param path string
-- @param opts table: of bnn.data.csv or bnn.data.folder
-- @return {train=, test=}; or nil, message
function M.load(path, opts)
  local kind = kind_of(path)
  if kind == "npz" then return set_from_npz(path) end
  if not kind or kind == "png" then return set_from_folder((path:gsub("(.)/+$", "%1")), opts) end
  local value, fault = M.read(path, opts)
  if not value then return nil, fault end
  return {train = type(value) == "table" and value or part_of(value)}
end

-- ---- before training ----

-- As batches see it: images of u8 are intensities.
local function as_real(x) return x:dtype() == "u8" and x:real() / 255 or x:real() end

-- Mean and standard deviation of each column; 1 where all rows agree but for rounding.
local function fit(x)
  local mean = x:mean(1)
  local std = ((x - mean) ^ 2):mean(1):sqrt()
  local varies = std:gt(mean:abs() * 1e-6)
  return {mean = mean, std = core.ops.where(varies, std, core.ones(std:shape()))}
end

--- Columns of mean 0 and standard deviation 1. Fit on the training part, and use what was fitted on
-- the others:
--     local train, stats = bnn.data.standardise(data.train)
--     local test = bnn.data.standardise(data.test, stats)
-- A column in which all rows agree loses its mean only.
-- @param given part: x [n, ...]
-- @param stats table: {mean=, std=} of an earlier call
-- @return part with x real; {mean=, std=}, tensors of a row's shape
function M.standardise(given, stats)
  local x = as_real(given.x)
  if stats then
    stats = options.check("bnn.data.standardise", stats, {
      mean = {type = "tensor", required = true}, std = {type = "tensor", required = true},
    })
    local row = "[" .. table.concat(x:shape(), ", ", 2) .. "]"
    if shape_text(stats.mean) ~= row or shape_text(stats.std) ~= row then
      error(strings.message(
        "bnn.data.standardise: a row of x is %s, the statistics are for %s and %s",
        row, shape_text(stats.mean), shape_text(stats.std)), 2)
    end
  elseif given.size == 0 then
    error("bnn.data.standardise: there are no rows to fit on", 2)
  else
    stats = fit(x)
  end
  return given:with{x = (x - stats.mean) / stats.std}, stats
end

--- Labels as rows that are 1 at their class and 0 elsewhere.
-- @param y tensor or list [n]: classes 0, 1, ...
-- @param classes integer: how many there are (the greatest label and 1 when left out)
-- @return tensor real [n, classes]
function M.one_hot(y, classes)
  if type(y) ~= "userdata" then y = core.tensor(y, "i32") end
  if y:dim() ~= 1 then
    error("bnn.data.one_hot: labels are " .. shape_text(y) .. ", wanted [n]", 2)
  end
  local real = y:real()
  local least, most = 0, -1
  if #y > 0 then least, most = real:min():item(), real:max():item() end
  classes = classes or math.tointeger(most + 1)
  if math.type(classes) ~= "integer" or classes < 1 then
    local text = "bnn.data.one_hot: classes = %s: an integer from 1 is wanted"
    error(text:format(number.text(classes)), 2)
  end
  if least < 0 or most >= classes then
    local text = "bnn.data.one_hot: labels are %g to %g, wanted 0 to %d"
    error(number.format(text, least, most, classes - 1), 2)
  end
  if #y == 0 then return core.zeros(0, classes) end
  return core.eye(classes):index((real + 1):to "i32")
end

--- Two parts of one: rows drawn by a key, the same for the same key and size.
--     local train, validation = bnn.data.split(data.train, {fraction = 0.1, key = key})
-- @param given part
-- @param opts table: fraction= of the second part, key=
-- @return part, part: each has at least one row
function M.split(given, opts)
  opts = options.check("bnn.data.split", opts, {
    fraction = {type = "number", above = 0, max = 1, required = true},
    key = {type = "key", required = true},
  })
  if given.size < 2 then
    error(("bnn.data.split: %d rows can not make two parts"):format(given.size), 2)
  end
  local n = math.floor(given.size * opts.fraction + 0.5)
  n = math.max(1, math.min(n, given.size - 1))
  local rows = core.permutation(opts.key:fold "split", given.size)
  local function take(from, count)
    local some = rows:narrow(1, from, count)
    return given:with{x = given.x:index(some), y = given.y and given.y:index(some)}
  end
  return take(n + 1, given.size - n), take(1, n)
end

return M
