--- One's own data: arrays, tables and pictures from files, and what is done to them before
-- training.
--
-- Everything here is handed out by bnn.data: bnn.data.read, bnn.data.save, bnn.data.split, ...
-- What the world refuses (a file) comes back as nil, message; misuse raises.
local class_folders = require "bnn.data.class_folders"
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local csv = require "bnn.data.csv"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local notice = require "bnn.base.notice"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local malformed = strings.malformed

-- ---- reading by kind ----

-- Images without colour or transparency as [h, w], as NumPy and Pillow have them.
local function read_png(path)
  local x, fault = core.png_read(path)
  if not x then return nil, fault end
  return x:size(3) == 1 and x:select(3, 1):contiguous() or x
end

local function read_csv(path, opts, what) return csv.read(what or "bnn.data.csv", path, opts) end

--- Says which members of an archive are no arrays of numbers.
function M.say_skipped(path, skipped)
  local names = options.sorted_names(skipped)
  if not names[1] then return end
  notice.say("%s: skipped %s: no arrays of numbers", path, classes.words(names))
end

-- Tensors by name, and the list of names.
local function read_npz(path, opts)
  opts = options.check("bnn.data.read", opts, {arrays = {type = "string", list = true}})
  local arrays, names, skipped = core.npz_read(path, opts.arrays)
  if not arrays then return nil, names end
  if not opts.arrays then M.say_skipped(path, skipped) end
  return arrays, names
end

-- ending -> {read=, save=, map=}; `takes_options` of `read` are checked there.
local kinds = {
  npy = {read = core.npy_read, save = core.npy_write, map = core.npy_map},
  npz = {read = read_npz, takes_options = true},
  png = {read = read_png, save = core.png_write},
  csv = {read = read_csv, takes_options = true},
  tsv = {read = read_csv, takes_options = true},
  idx = {read = core.idx_read, map = core.idx_map},
}

-- What a file begins with, whatever its name.
local beginnings = {
  {"\x93NUMPY", "npy"}, {"PK\3\4", "npz"}, {"PK\5\6", "npz"}, {"\x89PNG", "png"},
  {"\0\0[\8\9\11-\14][\1-\8]", "idx"},
}

--- What a file is by its name alone, or nil.
function M.kind_by_name(path)
  local name = strings.lower(path):gsub("%.gz$", "")
  if name:find "idx[1-8]%-%w+$" then return "idx" end
  local ending = name:match "%.(%w+)$"
  return kinds[ending] and ending
end

local HEAD = 4096 -- bytes that are looked at

-- Whether the beginning of a file is text: no control characters but white space and the end mark
-- of DOS.
local function is_text(head) return not head:find "[\0-\8\14-\25\27-\31\127]" end

--- What a file is: by its first bytes, which cannot be mistaken; else by its name; else, as text, a
-- table.
-- @return "npy", "npz", "png", "idx", "csv" or "tsv"; or nil, and why it cannot be read
function M.kind_of(path)
  local head, fault = core.file_head(path, HEAD)
  for _, row in ipairs(beginnings) do
    if head and head:find("^" .. row[1]) then return row[2] end
  end
  local kind = M.kind_by_name(path)
  if kind then return kind end
  if not head then return nil, fault end
  if is_text(head) then return "csv" end
  local utf16 = head:find "^\xff\xfe" or head:find "^\xfe\xff"
  return malformed(path, utf16 and "is text in UTF-16, expected UTF-8"
    or "neither name nor content tell its kind, wanted .npy, .npz, .png, IDX or a table in text")
end

local function check_path(what, path)
  if type(path) == "string" then return path end
  error(strings.message("bnn.data.%s: a path is wanted, got a %s", what, type(path)), 3)
end

--- Reads a file by its content; where that says nothing, by the ending of its name; other text is a
-- table, whatever its name.
--     bnn.data.read "x.npy"                  -- a tensor; also IDX (.idx, -ubyte, .gz)
--     bnn.data.read "x.npz"                  -- {name = tensor}, and the list of names
--     bnn.data.read "x.png"                  -- u8 [h, w], or [h, w, channels]
--     bnn.data.read("x.csv", {label = "y"})  -- a part, as bnn.data.csv gives it; also .tsv, .txt
-- Members of a .npz that are no arrays of numbers are skipped, with a notice.
-- @param path string
-- @param opts table: of bnn.data.csv, for a table; arrays={"x", ...}, for a .npz: these alone, and
--   one that is missing or is no array of numbers is an error
-- @return what the file holds; or nil, message
function M.read(path, opts)
  local kind, fault = M.kind_of(check_path("read", path))
  if not kind then return nil, fault end
  if not kinds[kind].takes_options then
    options.check("bnn.data.read", opts, {})
    opts = nil
  end
  return kinds[kind].read(path, opts)
end

--- A table of numbers in text as a part: CSV, TSV or columns between blanks, plain or gzip.
--     local train = bnn.data.csv("train.csv", {label = "species"})
--     local test = bnn.data.csv("test.csv", {label = "species", like = train})
-- Labels that are integers become i32, other numbers real, text the classes 0, 1, ... in the order
-- of their names; with like= or classes= those numbers stay what they are there, and a new class is
-- an error. A missing value or a cell that is no number is refused, with row and column.
--
-- What the options leave open is found, and said on stderr in a line for each file: the delimiter
-- that cuts all rows alike; whether the first row is a header (all of its cells are names, or an
-- option calls a column by its name). A first column without a name that numbers the rows, as
-- pandas and R write it, is left out. What could be meant either way (a first row 0, 1, 2 over
-- numbers, two columns of one name) is an error that says which option settles it.
-- @param path string
-- @param opts table:
--   label      the labels' column, by name or position (negative: from the end)
--   header     true or false
--   delimiter  a character; " " stands for any number of blanks and tabs. separator= is the same
--   drop       columns to leave out, by name or position: one or a list
--   classes    the names of the classes in their order
--   like       whose classes these are: a part, a data set (its train), a model. Features must be
--              as many, and under a header have the same names, as those of a part
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
  local kind, fault = M.kind_of(check_path("map", path))
  if not kind then return nil, fault end
  if kinds[kind].map then return kinds[kind].map(path) end
  return malformed(path, ".npy and IDX files can be mapped, .%s only read", kind)
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
  local kind = M.kind_by_name(check_path("save", path))
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
  if not is_file then expect.tensor("bnn.data.image", source, "a path or a tensor") end
  if is_file then grey, fault = core.png_read(source, "grey") end
  if not grey then return nil, fault end
  local x, lack = make(grey:contiguous(), opts.ink)
  if not x then return nil, is_file and source .. ": " .. lack or lack end
  return x
end

--- PNG images in a folder that has a folder for each class, as a part.
--   letters/A/1.png  letters/A/2.png  letters/B/1.png
-- @param path string
-- @param opts table: channels=1 (3: colour), character=false (true: each as bnn.data.image makes
--   it), ink="auto"; classes={name, ...} or like= (a part, a data set, a model): the classes and
--   their numbers, of which the folders are some; another folder is an error
-- @return part: x u8 [n, h, w] or [n, 3, h, w], y i32 [n], classes = the folders' names, sorted, or
--   those given; or nil, message
function M.folder(path, opts)
  check_path("folder", path)
  return class_folders.read("bnn.data.folder", path, opts)
end

-- ---- before training ----

-- As batches see it: images of u8 are intensities.
local function as_real(x) return x:dtype() == "u8" and x:real() / 255 or x:real() end

-- Mean and standard deviation of each column; says which have none.
local function fit(x)
  local mean, rest, std, constant, first = core.fit_columns(x)
  local lost = (mean - mean):ne(0)
  local count = math.tointeger(lost:sum():item())
  if count > 0 then
    notice.say("bnn.data.standardise: %d of %d columns hold values that are not finite, the first "
      .. "is column %d; they become NaN", count, mean:numel(), lost:view(-1):argmax():item())
  end
  if constant > 0 then
    notice.say("bnn.data.standardise: %d of %d columns hold one value in all rows, the first is "
      .. "column %d; they lose their mean only", constant, mean:numel(), first)
  end
  return {mean = mean, std = std, rest = rest}
end

--- Columns of mean 0 and standard deviation 1. Fit on the training part, and use what was fitted on
-- the others:
--     local train, stats = bnn.data.standardise(data.train)
--     local test = bnn.data.standardise(data.test, stats)
-- A column with one value in all rows loses its mean only (its std is 1), and a line on stderr says
-- how many there are. One with a NaN or an infinity becomes NaN, which is said as well.
-- @param given part: x [n, ...]
-- @param stats table: {mean=, std=} of an earlier call
-- @return part with x real; {mean=, std=, rest=}, tensors of a row's shape. rest is what mean,
--   rounded to a real number, lacks of the mean; without it, it is 0
function M.standardise(given, stats)
  expect_model.part("bnn.data.standardise", given)
  local x = as_real(given.x):contiguous()
  if stats then
    stats = options.check("bnn.data.standardise", stats, {
      mean = {type = "tensor", required = true}, std = {type = "tensor", required = true},
      rest = "tensor",
    })
    local row = shapes.text(x, 2)
    local rest = stats.rest or stats.mean
    if shapes.text(stats.mean) ~= row or shapes.text(stats.std) ~= row
      or shapes.text(rest) ~= row then
      error(strings.message(
        "bnn.data.standardise: a row of x is %s, the statistics are for %s and %s",
        row, shapes.text(stats.mean), shapes.text(stats.std)), 2)
    end
  elseif given.size == 0 then
    error("bnn.data.standardise: there are no rows to fit on", 2)
  else
    stats = fit(x)
  end
  local mean, std = as_real(stats.mean):contiguous(), as_real(stats.std):contiguous()
  local rest = stats.rest and as_real(stats.rest):contiguous()
  return given:with{x = core.standardise_columns(x, mean, rest, std)}, stats
end

--- Labels as rows that are 1 at their class and 0 elsewhere.
-- @param y tensor or list [n] or [n, 1]: classes 0, 1, ...
-- @param count integer: how many there are (the greatest label and 1 when left out)
-- @return tensor real [n, count]
function M.one_hot(y, count)
  if type(y) ~= "table" or getmetatable(y) or #y == 0 and next(y) ~= nil then
    expect.tensor("bnn.data.one_hot: y", y, "a tensor or a list of labels")
  end
  local labels, fault = classes.labels(type(y) == "userdata" and y or core.tensor(y))
  if not labels then error("bnn.data.one_hot: " .. fault, 2) end
  y = labels
  local real = y:real()
  local least, most = 0, -1
  if #y > 0 then least, most = real:min():item(), real:max():item() end
  count = count or math.tointeger(most + 1)
  if math.type(count) ~= "integer" or count < 1 then
    local form = "bnn.data.one_hot: classes: expected an integer from 1, got %s"
    error(form:format(number.text(count)), 2)
  end
  if least < 0 or most >= count then
    local form = "bnn.data.one_hot: labels are %g to %g, wanted 0 to %d"
    error(number.format(form, least, most, count - 1), 2)
  end
  if #y == 0 then return core.zeros(0, count) end
  return core.eye(count):index((real + 1):to "i32")
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
  expect_model.part("bnn.data.split", given)
  if given.size < 2 then
    error(("bnn.data.split: %d rows cannot make two parts"):format(given.size), 2)
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
