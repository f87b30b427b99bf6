--- Definition files for editors: they are Lua, every public name is in them once, and every type
-- that they name is there.
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local doc_types = require "bnn.reference.doc_types"
local help = require "bnn.help.help"
local meta_files = require "bnn.reference.meta_files"

local files = meta_files.files(bnn, "bnnlua")
local module, types = files[1][2], files[2][2]

-- How often a text has each capture of a pattern.
local function count(text, pattern)
  local counts = setmetatable({}, {__index = function() return 0 end})
  for name in text:gmatch(pattern) do counts[name] = counts[name] + 1 end
  return counts
end

-- The annotations above a function, or the lines of a class.
local function block(text, last)
  local at = assert(text:find(last, 1, true), last)
  local from = at
  while text:sub(from - 2, from - 1) ~= "\n\n" and from > 2 do from = from - 1 end
  return text:sub(from, (text:find("\n\n", at, true) or #text) - 1)
end

TestFiles = {}

function TestFiles.test_they_are_lua_that_defines_and_does_nothing()
  for _, file in ipairs(files) do
    lu.assertEquals(file[2]:sub(1, 9), "---@meta\n")
    assert(load(file[2], "=" .. file[1], "t", {}))
  end
  local made = load(module, "=bnn.lua", "t", {})()
  lu.assertEquals(type(made.optim.adam), "function")
end

function TestFiles.test_every_public_name_is_there_once()
  local functions = count(module, "\nfunction ([%w_.]+)%(")
  local modules = count(module, "\n([%w_.]+) = {}\n")
  local methods = count(types, "\nfunction ([%w_:]+)%(")
  for _, entry in ipairs(help.entries(bnn)) do
    local class, method = entry.name:match "^([%w_]+):([%w_]+)$"
    local op = class == "x" and method
    local name = op and "bnn." .. op or entry.name
    if not class or op then
      local is_known = functions[name] + modules[name] == 1
      lu.assertTrue(is_known or name == "bnn" or not entry.call and entry.field ~= nil, name)
    else
      local title = class:gsub("^%l", string.upper)
      lu.assertEquals(methods[title .. ":" .. method], 1, entry.name)
    end
  end
end

-- Every bnn.X in an annotation, and those that are declared.
function TestFiles.test_every_type_is_declared()
  local declared = {}
  for _, file in ipairs(files) do
    for name in file[2]:gmatch "%-%-%-@%l+ (bnn[%w_.]*)" do declared[name] = true end
  end
  for _, file in ipairs(files) do
    for line in file[2]:gmatch "%-%-%-(@%l+ [^\n#]*)" do
      for name in line:gmatch "%f[%w_.](bnn%.[%w_.]+)" do
        lu.assertTrue(declared[name] or false, line)
      end
    end
  end
end

function TestFiles.test_most_types_are_known()
  local known, any = 0, 0
  for _, file in ipairs(files) do
    for given in file[2]:gmatch "%-%-%-@param %S+ (%S+)" do
      if given == "any" then any = any + 1 else known = known + 1 end
    end
  end
  lu.assertTrue(any < 0.1 * known, any .. " of " .. known)
end

TestTypes = {}

function TestTypes.test_functions_have_parameters_options_and_results()
  local train = block(module, "function bnn.train(opts) end")
  lu.assertStrContains(train, "---@param opts bnn.train.opts")
  lu.assertStrContains(train, "---@return bnn.State")
  local opts = block(types, "---@class bnn.train.opts\n")
  lu.assertStrContains(opts, "---@field steps? number # number of steps")
  lu.assertStrContains(opts, "---@field lr? bnn.Schedule")
  lu.assertStrContains(opts, "---@field evaluate? function")
  lu.assertStrContains(opts, "---@field checkpoint? bnn.train.opts.checkpoint")
  lu.assertStrContains(block(types, "---@class bnn.Prediction\n"), "---@field mean bnn.Tensor")
  local load_data = block(module, "function bnn.data.load(name, opts) end")
  lu.assertStrContains(load_data, "---@return bnn.DataSet?")
  lu.assertStrContains(load_data, "---@return string? message")
end

function TestTypes.test_ops_are_functions_and_methods()
  lu.assertStrContains(block(module, "function bnn.sum(x, axes, keepdims) end"),
    "---@param axes integer|integer[]|nil")
  lu.assertStrContains(types, "function Tensor:sum(axes, keepdims) end")
  lu.assertStrContains(block(types, "function Tensor:view(...) end"), "---@param ... integer")
  lu.assertStrContains(types, "---@operator add(bnn.Tensor|number): bnn.Tensor")
end

function TestTypes.test_texts_name_types()
  for text, want in pairs{
    ["string: its folder"] = "string", ["list of strings, or nil"] = "string[]|nil",
    ["tensor [n, d] or number"] = "bnn.Tensor|number", ["tensor or list [n]"] = "bnn.Tensor|table",
    ["function(step) -> number"] = "function",
    ["function of tensors, Params or tables"] = "function",
    ["numbers or functions of the step, instead of others"] = "bnn.Schedule",
    ["a key, or a seed"] = "bnn.Key|integer",
    ['"sum" or "leading"'] = '"sum"|"leading"|string', ["part of a data set"] = "bnn.Part",
    ["list of lists"] = "any[][]", ["list of functions, or function(x)"] = "function[]|function",
  } do
    lu.assertEquals(doc_types.of(text), want, text)
  end
  lu.assertNil(doc_types.of "images in a row")
  lu.assertNil(doc_types.of "objective of each trial")
  lu.assertEquals(doc_types.of_results "steps i64 [n], values real [n]; nil if not",
    {"bnn.Tensor", "bnn.Tensor"})
  lu.assertEquals(doc_types.of_results "true, or the text", {"boolean|string"})
  lu.assertEquals(doc_types.of_default "1e-3", "number")
  lu.assertNil(doc_types.of_default "size")
end

TestFolder = {}

function TestFolder.test_they_are_written_again_but_not_over_a_file_of_others()
  local folder = os.tmpname()
  os.remove(folder)
  core.make_folder(folder)
  assert(core.save_bytes(folder .. "/bnn.lua",
    "---@meta\n-- written by `bnnlua -m meta` of an older version\n"))
  lu.assertEquals(meta_files.write(bnn, folder), {folder .. "/bnn.lua",
                                                  folder .. "/bnn_types.d.lua"})
  local settings = core.json_decode(meta_files.settings(folder))
  lu.assertEquals(settings["workspace.library"], {core.real_path(folder)})
  assert(core.save_bytes(folder .. "/bnn.lua", "mine = 1"))
  local ok, message = meta_files.write(bnn, folder)
  lu.assertNil(ok)
  lu.assertStrContains(message, "bnn.lua: is there and was not written by this command")
  os.execute("rm -r " .. folder)
  ok, message = meta_files.write(bnn, "/proc/none")
  lu.assertNil(ok)
  lu.assertStrContains(message, "/proc/none")
end

os.exit(lu.LuaUnit.run())
