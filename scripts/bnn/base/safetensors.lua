--- Stores tensors by name in one file, in the safetensors format, which Python and others read too.
--
--     bnn.safetensors.save("w.safetensors", {w = w, b = b}, {metadata = {run = "7"}})
--     local file <close> = bnn.safetensors.open "w.safetensors"
--     print(file.metadata.run, file:shape "w", file:tensor "b")
--
-- A file holds data only, never code, and checksums of its content, which other programs see as a
-- metadata string. The format needs jansson: `bnnlua --version` says whether this build has it.
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

local open_spec = {
  mmap = {type = "boolean", default = false}, check = {type = "boolean", default = true},
  renamed = {map = "mmap"},
}

local function open(what, path, opts)
  what = "bnn.safetensors." .. what
  expect.string(what .. ": path", path, "a path")
  opts = options.check(what, opts, open_spec)
  return core.safetensors_open(path, opts.mmap, not opts.check)
end

--- Opens a file. Tensors are read on demand.
--     local file <close> = assert(bnn.safetensors.open "mlp.safetensors")
--     for name, tensor in pairs(file) do print(name, tensor) end
-- file:names(), file:tensor(name), file:shape(name), file:dtype(name), file.metadata (a table of
-- strings), #file, and pairs(file), which visits name, tensor in alphabetical order and raises at a
-- tensor that cannot be read. file:close() or <close> closes it; tensors that were read stay valid.
-- Opening checks the whole header; reading a tensor checks its data, if the file has checksums.
-- @param path string
-- @param opts table: mmap=false; true: tensors are views of the file's own bytes, as from
--   bnn.data.mmap, and are not checked against their checksums. check=true; false ignores
--   checksums, to read what is left of a damaged file
-- @return file; or nil, message
function M.open(path, opts) return open("open", path, opts) end

-- What is wrong with a name or a text; nil when nothing is.
local function text_fault(text)
  if type(text) ~= "string" then return "is not a string" end
  if not utf8.len(text) then return "is not UTF-8" end
end

local function name_fault(name)
  if name == "__metadata__" then return "cannot name a tensor" end
  if type(name) == "string" and name:find "\0" then return "holds a zero byte" end
  return text_fault(name)
end

local function is_tensor(value)
  local meta = type(value) == "userdata" and getmetatable(value)
  return type(meta) == "table" and meta.__name == "bnn.tensor"
end

-- Names in alphabetical order and their tensors, as two lists; or nil, fault.
local function tensor_lists(tensors)
  local by_name, list = {}, {}
  for name, x in pairs(tensors) do
    local fault = name_fault(name)
    if fault then return nil, strings.message("the name %q %s", tostring(name), fault) end
    if not is_tensor(x) then
      return nil, strings.message("%s: expected a tensor, got %s", name, kinds.shown(x))
    end
    by_name[name] = x
  end
  local names = options.sorted_names(by_name)
  for i, name in ipairs(names) do list[i] = by_name[name] end
  return names, list
end

local SUMS = "bnn.crc32"

-- Keys in alphabetical order and their values; or nil, fault.
local function metadata_lists(metadata)
  for key, value in pairs(metadata) do
    local fault = type(key) == "string" and key:find "\0" and "holds a zero byte" or text_fault(key)
    if fault then return nil, strings.message("the key %q %s", tostring(key), fault) end
    if key == SUMS then return nil, strings.message("'%s' is for the checksums", key) end
    fault = text_fault(value)
    if fault then return nil, strings.message("the value of '%s' %s", key, fault) end
  end
  local keys, values = options.sorted_names(metadata), {}
  for i, key in ipairs(keys) do values[i] = metadata[key] end
  return keys, values
end

local function has_pairs(value)
  local meta = getmetatable(value)
  return type(value) == "table" or type(meta) == "table" and meta.__pairs ~= nil
end

--- Writes tensors by name atomically: u8 as U8, i32 as I32, f32 as F32 and so on.
--     assert(bnn.safetensors.save("w.safetensors", {w = bnn.ones(2, 3)}, {metadata = {run = "7"}}))
-- @param path string
-- @param tensors table name -> tensor; Params and an open file work too
-- @param opts table: metadata={key = string, ...}; checksums=true, see open
-- @return true; or nil, message
-- Raises if a value is no tensor, or the metadata are not strings.
function M.save(path, tensors, opts)
  expect.string("bnn.safetensors.save: path", path, "a path")
  opts = options.check("bnn.safetensors.save", opts, {
    metadata = {type = "table", default = {}}, checksums = {type = "boolean", default = true},
  })
  if not has_pairs(tensors) then
    fail.expected("bnn.safetensors.save: tensors", "a table of tensors by name", tensors)
  end
  local names, list = tensor_lists(tensors)
  if not names then fail("bnn.safetensors.save: %s", list) end
  local keys, values = metadata_lists(opts.metadata)
  if not keys then fail("bnn.safetensors.save: metadata: %s", values) end
  return core.safetensors_save(path, names, list, keys, values, opts.checksums)
end

--- Reads all tensors of a file.
--     local tensors, metadata = assert(bnn.safetensors.load "mlp.safetensors")
-- @param path string
-- @param opts table: mmap=, check=, as for open
-- @return table name -> tensor, table of the metadata; or nil, message
function M.load(path, opts)
  local file <close>, fault = open("load", path, opts)
  if not file then return nil, fault end
  local tensors = {}
  for _, name in ipairs(file:names()) do
    local x, message = file:tensor(name)
    if not x then return nil, message end
    tensors[name] = x
  end
  return tensors, file.metadata
end

return M
