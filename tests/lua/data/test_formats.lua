--- Every file format of bnn.data, by its row: read, saved, mapped, loaded, and what a broken,
-- empty, compressed or missing file says.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local bits = require "bits"
local idx = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"
local formats = require "bnn.data.formats.formats"

local data = bnn.data
local folder

local function path(name) return folder .. "/" .. name end

local function write(name, bytes)
  idx.write(path(name), bytes)
  return path(name)
end

-- Whether this build has the library that a format needs.
local function is_here(row)
  for _, v in ipairs(core.versions()) do
    if v.name == row.library then return not v.version:find "^none" end
  end
  return true
end

-- The bytes of a file with the example.
local function example_bytes(row)
  if row.example_bytes then return row.example_bytes end
  local name = path("example." .. row.endings[1])
  assert(data.save(name, row.example()))
  local file <close> = assert(io.open(name, "rb"))
  return file:read "a"
end

-- What is in a value, to compare: tensors as types and lists.
local function content(value)
  if type(value) ~= "table" and type(value) ~= "userdata" then return value end
  if type(value) == "userdata" then return {value:dtype(), value:shape(), value:totable()} end
  if value.size then value = {x = value.x, y = value.y, names = value.names} end -- a part
  local all = {}
  for name, v in pairs(value) do all[name] = content(v) end
  return all
end

local function quietly(f, ...)
  local arguments, results = table.pack(...), nil
  bits.notices_of(function() results = table.pack(f(table.unpack(arguments, 1, arguments.n))) end)
  return table.unpack(results, 1, results.n)
end

-- Fails unless the call gives nil and a message that names the file and has `text`.
local function refuses(text, f, name, ...)
  local value, message = quietly(f, name, ...)
  lu.assertNil(value, name)
  lu.assertStrContains(message, name)
  lu.assertStrContains(message, text)
end

TestTable = {}

-- A to Z in any locale, as string.upper is not.
local function upper(text)
  return (text:gsub("[a-z]", function(letter) return string.char(letter:byte() - 32) end))
end

function TestTable.test_endings_belong_to_one_format_each_and_so_do_first_bytes()
  local taken = {}
  for _, row in ipairs(formats.rows) do
    for _, ending in ipairs(row.endings) do
      lu.assertNil(taken[ending], ending)
      taken[ending] = true
      for _, name in ipairs{"x." .. ending, "A.B/X." .. upper(ending), "x." .. ending .. ".gz"} do
        lu.assertIs(formats.by_name(name), row, name)
      end
    end
  end
  for _, name in ipairs{"x", "x.", "x.gz", "npy", "a.npy/x", "x.npy.zip"} do
    lu.assertNil(formats.by_name(name), name)
  end
  local of_text = 0
  for _, row in ipairs(formats.rows) do of_text = of_text + (row.any_text and 1 or 0) end
  lu.assertEquals(of_text, 1)
  lu.assertTrue(#formats.rows >= 5)
end

function TestTable.test_the_list_and_its_text_have_all_of_them()
  local list = data.formats()
  lu.assertEquals(#list, #formats.rows)
  for i, row in ipairs(formats.rows) do
    lu.assertEquals({list[i].name, list[i].saves, list[i].maps},
      {row.name, row.save ~= nil, row.mmap ~= nil})
    lu.assertStrContains(data.docs.formats, row.about)
    for _, ending in ipairs(row.endings) do
      lu.assertStrContains(data.docs.formats, "." .. ending)
    end
  end
end

TestFormats = {}

function TestFormats:setUp() folder = idx.folder() end
function TestFormats:tearDown() idx.remove(folder) end

-- Adds a test for each row that `wanted` says yes to.
local function for_each(name, check, wanted)
  for _, row in ipairs(formats.rows) do
    if is_here(row) and (not wanted or wanted(row)) then
      TestFormats[("test_%s_%s"):format(row.name, name)] = function()
        check(row, example_bytes(row), "x." .. row.endings[1])
      end
    end
  end
end

for_each("is_read_by_its_name_and_by_its_content", function(row, bytes, name)
  local want = content(row.example())
  lu.assertEquals(content(quietly(data.read, write(name, bytes))), want)
  lu.assertTrue(row.begins ~= nil or row.is_text) -- something tells it
  if row.begins or row.any_text then
    lu.assertEquals(content(quietly(data.read, write("nameless", bytes))), want)
  end
  if row.begins then -- under the name of another format too
    lu.assertEquals(content(data.read(write("x.csv", bytes))), want)
  end
end)

for_each("is_what_was_saved", function(row, bytes, name)
  assert(data.save(path(name), row.example()))
  assert(data.save(path(name), row.example())) -- over the file that is there
  local file <close> = assert(io.open(path(name), "rb"))
  lu.assertEquals(file:read "a", bytes)
end, function(row) return row.save end)

for_each("is_saved_whole_or_not_at_all", function(row, _, name)
  local ok, message = data.save(path("missing/" .. name), row.example())
  lu.assertNil(ok)
  lu.assertStrContains(message, path("missing/" .. name) .. ": No such file")
  bits.raises({"bnn.data.save: ", "unknown option 'fast'"}, data.save, path(name), row.example(),
    {fast = true})
  bits.raises("bnn.data.save: path: expected a path that ends in", data.save,
    path(name .. ".gz"), row.example())
  lu.assertFalse((pcall(data.save, path(name), print)))
  lu.assertNil(io.open(path(name)))
end, function(row) return row.save end)

for_each("cannot_be_saved", function(row, _, name)
  bits.raises("bnn.data.save: path: expected a path that ends in", data.save, path(name),
    row.example())
end, function(row) return not row.save end)

for_each("is_mapped_or_only_read", function(row, bytes, name)
  local file = write(name, bytes)
  if not row.mmap then return refuses(row.title .. " only read", data.mmap, file) end
  lu.assertEquals(content(data.mmap(file)), content(row.example()))
end)

for_each("may_be_compressed_if_its_row_says_so", function(row, bytes, name)
  write(name, bytes)
  idx.gzip(path(name))
  refuses("", data.mmap, path(name .. ".gz"))
  if not row.reads_gzip then return refuses("", data.read, path(name .. ".gz")) end
  lu.assertEquals(content(quietly(data.read, path(name .. ".gz"))), content(row.example()))
end, function() return idx.has_gzip() end)

for_each("makes_a_data_set_or_says_why_not", function(row, bytes, name)
  local set, message = quietly(data.load, write(name, bytes))
  if row.holds == "image" then
    lu.assertNil(set)
    lu.assertStrContains(message, "expected a folder of images")
  else
    local value = row.example()
    lu.assertEquals(set.train.size, (row.holds == "tensor" and value or value.x):size(1))
  end
end)

for_each("makes_folders_of_classes", function(_, bytes, name)
  for _, class in ipairs{"A", "B"} do
    idx.make(path("set/" .. class))
    write(("set/%s/%s"):format(class, name), bytes)
  end
  local part = data.folder(path "set")
  lu.assertEquals({part.size, part.classes}, {2, {"A", "B"}})
  lu.assertEquals(data.folder(path "set", {channels = 3}).x:size(2), 3)
end, function(row) return row.read_image end)

-- Whatever is left of a file, reading gives a value, or nil and a message; never an error.
local function check_reading(file, must_refuse)
  for _, f in ipairs{data.read, data.load, data.mmap} do
    local ok, value, message = pcall(quietly, f, file)
    lu.assertTrue(ok, value)
    if value == nil or must_refuse then
      lu.assertNil(value)
      lu.assertStrContains(message, file)
    end
  end
end

for_each("that_is_cut_short_is_refused", function(row, bytes, name)
  for n = 0, #bytes - 1 do
    check_reading(write(name, bytes:sub(1, n)), not row.is_text)
  end
end)

for_each("with_other_bytes_is_refused_or_read", function(_, bytes, name)
  for i = 1, #bytes do
    for _, mask in ipairs{0xff, 0x01, 0x80} do
      local other = string.char(bytes:byte(i) ~ mask)
      check_reading(write(name, bytes:sub(1, i - 1) .. other .. bytes:sub(i + 1)), false)
    end
  end
  check_reading(write(name, bytes .. bytes), false)
end)

for_each("with_the_content_of_none_is_refused", function(_, _, name)
  for _, bytes in ipairs{"", "\0", "\1\2\3\0\255", ("\0"):rep(5000), "\xff\xfea\0,\0b\0"} do
    check_reading(write(name, bytes), true)
  end
end)

for_each("that_is_missing_or_a_folder_is_refused", function(row, _, name)
  refuses("No such file", data.read, path(name))
  refuses(row.mmap and "No such file" or "only read", data.mmap, path(name))
  idx.make(path(name))
  refuses("", data.read, path(name))
  refuses("", data.mmap, path(name))
end)

for_each("has_no_unknown_options", function(_, bytes, name)
  bits.raises({"bnn.data.read: ", "unknown option 'fast'"}, data.read, write(name, bytes),
    {fast = true})
end)

os.exit(lu.LuaUnit.run())
