--- Arrays, tables and images from files, and tensors into files.
--
-- A file that cannot be read or written gives nil, message; misuse raises.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local formats = require "bnn.data.formats.formats"
local kinds = require "bnn.base.kinds"
local logs = require "bnn.log.log"
local notice = require "bnn.base.notice"
local options = require "bnn.base.options"
local parts = require "bnn.data.part"
local strings = require "bnn.base.strings"

local M = {}

local malformed = strings.malformed

local function check_path(what, path) return expect.string(what .. ": path", path, "a path") end

-- ---- reading ----

--- Reads a file of a format.
-- @param row a row of bnn.data.formats.formats
-- @param what string: the function, for messages
-- @return what the format holds, a table as a part; or nil, message
function M.read_as(row, what, path, opts)
  opts = options.check(what, opts, row.options or {})
  if row.holds ~= "table" then return row.read(what, path, opts) end
  local value, fault = row.read(what, path, opts)
  if not value then return nil, fault end
  value.origin = value.origin or path
  return parts.from_tensors(value)
end

--- Says which members of an archive are not arrays of numbers.
function M.say_skipped(path, skipped)
  local names = options.sorted_names(skipped)
  if not names[1] then return end
  notice.say("%s: skipping %s: not arrays of numbers", path, classes.words(names))
end

local LOG_HEADER = "step,name,value\n"

-- Whether a file is a log of bnn.log: by its name, or a table by the header that logs have.
local function is_log(path)
  local name = strings.lower(path)
  return name:find "%.jsonl$" or name:find "%.csv$"
    and core.file_head(path, #LOG_HEADER) == LOG_HEADER
end

--- Reads a file by its content; if that is ambiguous, by the ending of its name; other text is a
-- table, whatever its name. help "bnn.data.formats" lists the formats.
--     bnn.data.read "x.npy"                  -- a tensor; also IDX (.idx, -ubyte, .gz)
--     bnn.data.read "x.npz"                  -- {name = tensor}, and the list of names
--     bnn.data.read "x.png"                  -- u8 [h, w], or [h, w, channels]
--     bnn.data.read("x.csv", {label = "y"})  -- a part, as bnn.data.csv returns it; also .tsv, .txt
--     bnn.data.read "training.jsonl"         -- a log, as bnn.log.read returns it; also its .csv
-- Members of a .npz that are not arrays of numbers are skipped, with a notice.
-- @param path string
-- @param opts table: of bnn.data.csv, for a table; arrays={"x", ...}, for a .npz: only these, and
--   one that is missing or is not an array of numbers is an error
-- @return what the file holds; or nil, message
function M.read(path, opts)
  local what = "bnn.data.read"
  check_path(what, path)
  if opts == nil and is_log(path) then return logs.read(path) end
  local row, fault = formats.of_file(path)
  if not row then return nil, fault end
  if row.holds ~= "tensors" then return M.read_as(row, what, path, opts) end
  local arrays, names, skipped = M.read_as(row, what, path, opts)
  if arrays and skipped then M.say_skipped(path, skipped) end
  return arrays, names
end

local function is_mapped(row) return row.mmap end

--- Maps the tensor in a plain .npy or IDX file into memory: bytes are read on first use, so the
-- file may be larger than memory. Writing to the tensor does not change the file. Using it raises
-- if another program truncated or wrote the file; replacing or removing the file is safe.
--     bnn.data.save("x.npy", bnn.ones(2, 3))
--     print(bnn.data.mmap "x.npy")                      -- tensor [2, 3]
-- @param path string
-- @return tensor of the file's type and shape; or nil, message
function M.mmap(path)
  local row, fault = formats.of_file(check_path("bnn.data.mmap", path))
  if not row then return nil, fault end
  if row.mmap then return row.mmap(path) end
  return malformed(path, "%s files can be mapped, %s only read", formats.words("and", is_mapped),
    row.title)
end

-- ---- saving ----

-- What save expects of a path: "a path that ends in .npy or .png for a tensor, in .npz for ...".
local function expected_path()
  local function of_tensors(row) return row.save and row.holds == "tensors" end
  local function of_tensor(row) return row.save and row.holds ~= "tensors" end
  return ("a path that ends in %s for a tensor, in %s for a table of tensors"):format(
    formats.words("or", of_tensor), formats.words("or", of_tensors))
end

-- Whether a value is a table of tensors by name rather than a list of numbers.
local function fits(row, value) return row.holds ~= "tensors" or type(value) == "table" end

-- A tensor, or what a number or lists of numbers are as one.
local function as_tensor(what, value)
  if kinds.is_object(value, "tensor") then return value end
  if type(value) ~= "number" and not kinds.is_plain(value) then
    fail.expected(what, "a tensor or lists of numbers", value)
  end
  return fail.within(what, core.tensor, value)
end

--- Writes tensors in the format of the path's ending, atomically: a tensor as .npy, u8 [h, w] or
-- [h, w, 1 to 4] as .png, tensors by name as .npz. A list of numbers becomes a tensor.
--     bnn.data.save("x.npy", {{1, 2}, {3, 4}})                   -- true
--     bnn.data.save("x.npz", {x = bnn.ones(2, 3), y = bnn.zeros({2}, "i32")})
-- @param path string
-- @param value tensor [...], number or list; for .npz a table {name = tensor}
-- @param opts table: compressed=true (of .npz)
-- @return true; or nil, message
-- Raises if the path ends otherwise than the value can be written.
function M.save(path, value, opts)
  local what = "bnn.data.save"
  local row = formats.by_name(check_path(what, path))
  if not row or not row.save or not fits(row, value) or strings.lower(path):find "%.gz$" then
    fail("%s: path: expected %s, got %s", what, expected_path(), kinds.show(path))
  end
  opts = options.check(what, opts, row.save_options or {})
  if row.holds ~= "tensors" then value = as_tensor(what .. ": value", value) end
  return row.save(path, value, opts)
end

return M
