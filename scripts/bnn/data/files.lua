--- Arrays, tables and images from files, and tensors into files; handed out by bnn.data.
--
-- What the world refuses (a file) comes back as nil, message; misuse raises.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local csv = require "bnn.data.csv"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local notice = require "bnn.base.notice"
local options = require "bnn.base.options"
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

--- Says which members of an archive are not arrays of numbers.
function M.say_skipped(path, skipped)
  local names = options.sorted_names(skipped)
  if not names[1] then return end
  notice.say("%s: skipping %s: not arrays of numbers", path, classes.words(names))
end

-- Tensors by name, and the list of names.
local function read_npz(path, opts)
  opts = options.check("bnn.data.read", opts, {arrays = {type = "string", list = true}})
  local arrays, names, skipped = core.npz_read(path, opts.arrays)
  if not arrays then return nil, names end
  if not opts.arrays then M.say_skipped(path, skipped) end
  return arrays, names
end

-- ending -> {read=, save=, mmap=}; `takes_options` of `read` are checked there.
local formats = {
  npy = {read = core.npy_read, save = core.npy_write, mmap = core.npy_map},
  npz = {read = read_npz, takes_options = true},
  png = {read = read_png, save = core.png_write},
  csv = {read = csv.csv, takes_options = true},
  tsv = {read = csv.csv, takes_options = true},
  idx = {read = core.idx_read, mmap = core.idx_map},
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
  return formats[ending] and ending
end

local HEAD = 4096 -- bytes to look at

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
    or "neither name nor content tell its kind; expected .npy, .npz, .png, IDX or a table in text")
end

local function check_path(what, path)
  return expect.string(("bnn.data.%s: path"):format(what), path, "a path")
end

--- Reads a file by its content; if that is ambiguous, by the ending of its name; other text is a
-- table, whatever its name.
--     bnn.data.read "x.npy"                  -- a tensor; also IDX (.idx, -ubyte, .gz)
--     bnn.data.read "x.npz"                  -- {name = tensor}, and the list of names
--     bnn.data.read "x.png"                  -- u8 [h, w], or [h, w, channels]
--     bnn.data.read("x.csv", {label = "y"})  -- a part, as bnn.data.csv gives it; also .tsv, .txt
-- Members of a .npz that are not arrays of numbers are skipped, with a notice.
-- @param path string
-- @param opts table: of bnn.data.csv, for a table; arrays={"x", ...}, for a .npz: only these, and
--   one that is missing or is not an array of numbers is an error
-- @return what the file holds; or nil, message
function M.read(path, opts)
  local kind, fault = M.kind_of(check_path("read", path))
  if not kind then return nil, fault end
  if not formats[kind].takes_options then
    options.check("bnn.data.read", opts, {})
    opts = nil
  end
  return formats[kind].read(path, opts)
end

--- Maps the tensor in a plain .npy or IDX file into memory: bytes are read on first use, so the
-- file may be larger than memory. Writing to the tensor does not change the file. Using it raises
-- if another program truncated or wrote the file; replacing or removing the file is safe.
-- @param path string
-- @return tensor; or nil, message
function M.mmap(path)
  local kind, fault = M.kind_of(check_path("mmap", path))
  if not kind then return nil, fault end
  if formats[kind].mmap then return formats[kind].mmap(path) end
  return malformed(path, ".npy and IDX files can be mapped, .%s only read", kind)
end

-- ---- saving ----

-- Tensors by name, in alphabetical order.
local function save_npz(path, value, compressed)
  local names, tensors = options.sorted_names(value), {}
  for i, name in ipairs(names) do
    tensors[i] = expect.tensor("bnn.data.save: " .. name, value[name], "a tensor")
  end
  for name in pairs(value) do
    expect.string("bnn.data.save: name of a tensor", name)
  end
  if #names == 0 then fail "bnn.data.save: expected at least one tensor, got an empty table" end
  return core.npz_write(path, names, tensors, compressed)
end

--- Writes tensors in the format of the path's ending, atomically: a tensor as .npy, u8 [h, w] or
-- [h, w, 1 to 4] as .png, tensors by name as .npz. Lists of numbers become tensors.
-- @param path string
-- @param value tensor, number or list; for .npz a table {name = tensor}
-- @param opts table: compressed=true (of .npz)
-- @return true; or nil, message
function M.save(path, value, opts)
  opts = options.check("bnn.data.save", opts, {compressed = {type = "boolean", default = true}})
  local kind = M.kind_by_name(check_path("save", path))
  if kind == "npz" and type(value) == "table" then return save_npz(path, value, opts.compressed) end
  if not kind or not formats[kind].save then
    local expected = "a path that ends in .npy or .png for a tensor, in .npz for a table of tensors"
    fail("bnn.data.save: path: expected %s, got %s", expected, kinds.show(path))
  end
  if type(value) ~= "userdata" then value = core.tensor(value) end
  return formats[kind].save(path, value)
end

return M
