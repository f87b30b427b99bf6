--- The file formats that bnn.data knows, a row each: to add one, write its file and add its row.
--
-- A row is a word in the list of names; what it stands for is what the format's file returns:
--   name, title, about   "npy"; what messages call it, ".npy"; a line for bnn.data.formats
--   endings              of names of its files, in small letters; name_pattern finds others
--   begins               patterns that its first bytes fit
--   is_text              true: no bytes tell it, so that only names do; any_text=true: text whose
--                        name says nothing is of this format
--   holds                what read returns: "tensor"; "image" (a tensor); "tensors" (by name, the
--                        list of names, and {member = why} of what was skipped); or "table" (the
--                        options of bnn.data.from_tensors)
--   read(what, path, opts)    the value; or nil, message. `what` is the function, for messages
--   options              the spec of read's options
--   save(path, value, opts)   true; or nil, message. save_options is the spec of its options
--   mmap(path)           the tensor over the file's bytes; or nil, message
--   read_image(path, form)    of images: u8 [h, w] ("grey") or [h, w, 3] ("rgb")
--   to_examples(x, path, layout)    of tensors: x as examples; layout= is the spec of that option
--   reads_gzip           true: a file may be compressed
--   library              what the build may lack
--   example()            a value for the tests: what save writes, or example_bytes hold
-- From the row follow reading by content and by name, saving, mapping, bnn.data.load, folders of
-- images, bnn.data.formats and its help, and the tests.
local core = require "bnn.core"
local strings = require "bnn.base.strings"

local M = {}

-- A word each: the format's file is WORD_format.lua.
local NAMES = {"npy", "npz", "png", "idx", "table"}

--- The rows, in the order of the list.
M.rows = {}
for i, name in ipairs(NAMES) do M.rows[i] = require("bnn.data.formats." .. name .. "_format") end

local malformed = strings.malformed

-- ---- finding ----

local by_ending = {}
for _, row in ipairs(M.rows) do
  for _, ending in ipairs(row.endings) do by_ending[ending] = row end
end

--- The format of a file by its name alone, or nil.
function M.by_name(path)
  local name = strings.lower(path):gsub("%.gz$", "")
  for _, row in ipairs(M.rows) do
    if row.name_pattern and name:find(row.name_pattern) then return row end
  end
  return by_ending[name:match "%.(%w+)$"]
end

local HEAD = 4096 -- bytes to look at

-- Whether the beginning of a file is text: no control characters but white space and the end mark
-- of DOS.
local function is_text(head) return not head:find "[\0-\8\14-\25\27-\31\127]" end

local function by_first_bytes(head)
  for _, row in ipairs(M.rows) do
    for _, pattern in ipairs(row.begins or {}) do
      if head:find("^" .. pattern) then return row end
    end
  end
end

local function of_text()
  for _, row in ipairs(M.rows) do
    if row.any_text then return row end
  end
end

--- The titles of the rows that `wanted` says yes to, in words: ".npy and IDX", ".npy, .npz or IDX".
-- @param last string: "and", "or"
-- @param wanted function(row), or nil: all
function M.words(last, wanted)
  local titles = {}
  for _, row in ipairs(M.rows) do
    if not wanted or wanted(row) then titles[#titles + 1] = row.title end
  end
  local tail = table.remove(titles)
  return titles[1] and ("%s %s %s"):format(table.concat(titles, ", "), last, tail) or tail
end

--- The format of a file: by its first bytes, which cannot be mistaken; else by its name; else, if
-- it is text, that of text.
-- @return row; or nil, and why the file cannot be read
function M.of_file(path)
  local head, fault = core.file_head(path, HEAD)
  local row = head and by_first_bytes(head) or M.by_name(path)
  if row then return row end
  if not head then return nil, fault end
  if is_text(head) then return of_text() end
  if head:find "^\xff\xfe" or head:find "^\xfe\xff" then
    return malformed(path, "is text in UTF-16, expected UTF-8")
  end
  return malformed(path, "neither name nor content tell its kind; expected %s", M.words "or")
end

--- Whether files of a format hold a data set.
function M.is_set(row) return row.holds ~= "image" end

--- Whether a name ends as those of images do.
function M.is_image_name(path)
  local row = M.by_name(path)
  return row ~= nil and row.read_image ~= nil
end

--- Reads an image.
-- @param form "grey" or "rgb"
-- @return tensor u8 [h, w] or [h, w, 3]; or nil, message
function M.read_image(path, form)
  local row, fault = M.of_file(path)
  if not row then return nil, fault end
  if row.read_image then return row.read_image(path, form) end
  local function is_image(other) return other.read_image end
  return malformed(path, "expected an image (%s), got %s", M.words("or", is_image), row.title)
end

-- ---- the list ----

-- The formats as users see them; M.doc documents it.
function M.list()
  local list = {}
  for i, row in ipairs(M.rows) do
    list[i] = {
      name = row.name, about = row.about, endings = {table.unpack(row.endings)}, holds = row.holds,
      saves = row.save ~= nil, maps = row.mmap ~= nil, gzip = row.reads_gzip or false,
    }
  end
  return list
end

-- "  .npy   read save mmap   a tensor, as NumPy writes it", a line for each row.
local function row_lines()
  local lines = {}
  for i, row in ipairs(M.rows) do
    local can = {"read"}
    if row.save then can[#can + 1] = "save" end
    if row.mmap then can[#can + 1] = "mmap" end
    local endings = "." .. table.concat(row.endings, " .")
    lines[i] = ("  %-9s  %-14s  %s"):format(endings, table.concat(can, " "), row.about)
  end
  return table.concat(lines, "\n")
end

--- The text of bnn.data.formats in help, written from the rows.
M.doc = [[formats(): lists the file formats that bnn.data reads, saves and maps
    for _, f in ipairs(bnn.data.formats()) do print(f.name, f.saves) end     -- npy true, ...
]] .. row_lines() .. "\n" .. [[
@return list of tables: name; about, in words; endings, a list; holds, "tensor", "image", "tensors"
  (by name) or "table"; saves, maps and gzip (a file may be compressed), booleans]]

return M
