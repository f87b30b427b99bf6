--- bnn.safetensors: files of named tensors, what is refused and what raises.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local core = require "bnn.core"

local safetensors, raises = bnn.safetensors, bits.raises

if not core.json_encode(true) then
  TestWithout = {}

  function TestWithout.test_a_build_without_jansson_says_so()
    for _, f in ipairs{safetensors.open, safetensors.load, bnn.checkpoint.load} do
      local value, message = f "x"
      lu.assertNil(value)
      lu.assertStrContains(message, "x: this program was built without jansson")
    end
    local ok, message = safetensors.save("x", {})
    lu.assertNil(ok)
    lu.assertStrContains(message, "built without jansson")
    ok, message = bnn.checkpoint.save("x", {})
    lu.assertNil(ok)
    lu.assertStrContains(message, "x: this program was built without jansson")
  end

  os.exit(lu.LuaUnit.run(), true)
end

local path

local function in_file(suite)
  function suite:setUp() path = os.tmpname() end
  function suite:tearDown() os.remove(path) end
  return suite
end

local function write(bytes)
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
end

-- A file with this header, and `size` bytes 1, 2, 3, ... of data.
local function write_header(header, size)
  local data = {}
  for i = 1, size do data[i] = string.char(i) end
  write(string.pack("<s8", header) .. table.concat(data))
end

TestFiles = in_file{}

function TestFiles.test_every_type_comes_back()
  local saved = {}
  for _, dtype in ipairs{"u8", "i32", "i64", "u64", "f32", "f64"} do
    saved["x/" .. dtype] = core.tensor({{1, 2, 3}, {4, 5, 6}}, dtype)
    saved["t/" .. dtype] = saved["x/" .. dtype]:t()
    saved["scalar/" .. dtype] = core.tensor(7, dtype)
    saved["empty/" .. dtype] = core.zeros({2, 0}):to(dtype)
  end
  lu.assertTrue(safetensors.save(path, saved))
  local loaded, metadata = safetensors.load(path)
  lu.assertEquals(metadata, {})
  for name, x in pairs(saved) do
    lu.assertEquals(loaded[name]:dtype(), x:dtype())
    bits.assert_same(loaded[name], x:contiguous(), name)
    loaded[name] = nil
  end
  lu.assertNil(next(loaded))
end

function TestFiles.test_an_open_file_tells_what_it_holds()
  lu.assertTrue(safetensors.save(path, {b = core.tensor({1, 2}, "f32"), a = core.tensor(3, "i64")},
    {metadata = {run = "7", ["grün"] = "ja\0nein"}}))
  local file <close> = safetensors.open(path)
  lu.assertEquals(file:names(), {"a", "b"})
  lu.assertEquals(#file, 2)
  lu.assertEquals({file:shape "b", file:shape "a"}, {{2}, {}})
  lu.assertEquals({file:dtype "b"}, {"F32", "f32"})
  lu.assertEquals(file.metadata, {run = "7", ["grün"] = "ja\0nein"})
  lu.assertEquals(tostring(file), "safetensors: 2 tensors in " .. path)
  local seen = {}
  for name, x in pairs(file) do seen[#seen + 1] = {name, x:totable()} end
  lu.assertEquals(seen, {{"a", 3}, {"b", {1, 2}}})
  for _, f in ipairs{file.tensor, file.shape, file.dtype} do
    local value, message = f(file, "c")
    lu.assertNil(value)
    lu.assertEquals(message, path .. ": holds no tensor 'c'")
  end
end

function TestFiles.test_a_closed_file_says_so_and_its_tensors_stay()
  safetensors.save(path, {x = core.tensor{1, 2}})
  local file = safetensors.open(path)
  local x = file:tensor "x"
  file:close()
  file:close()
  os.remove(path)
  lu.assertEquals(x:totable(), {1, 2})
  lu.assertEquals(tostring(file), "safetensors: closed")
  for _, f in ipairs{
    file.names, file.tensor, file.shape, file.dtype, pairs, function(t) return #t end,
    function(t) return t.metadata end,
  } do
    raises("file is closed", f, file, "x")
  end
end

function TestFiles.test_writing_to_a_tensor_leaves_the_file()
  local w = bnn.params.new(bnn.params.layout{{name = "w", shape = {2}}}, core.tensor{1, 2})
  safetensors.save(path, w)
  local x = safetensors.load(path).w
  local p = bnn.params.new(bnn.params.layout{{name = "w", shape = {2}}}, x)
  bnn.optim.sgd{lr = 1}:init(p):update(p, core.tensor{1, 1})
  lu.assertEquals(x:totable(), {0, 1})
  lu.assertEquals(safetensors.load(path).w:totable(), {1, 2})
end

function TestFiles.test_params_and_open_files_are_saved_by_name()
  local p = bnn.nn.mlp{3, 2}:init(bnn.key(1), core.zeros(1, 4))
  lu.assertTrue(safetensors.save(path, p))
  local file <close> = safetensors.open(path)
  lu.assertEquals(#file, 4)
  bits.assert_same(file:tensor "mlp/linear_0/w", p["mlp/linear_0/w"])
  local other = os.tmpname()
  lu.assertTrue(safetensors.save(other, file))
  bits.assert_same(safetensors.load(other)["mlp/linear_1/b"], p["mlp/linear_1/b"])
  os.remove(other)
end

function TestFiles.test_the_same_tensors_give_the_same_bytes()
  local function bytes()
    safetensors.save(path, {c = core.ones(2), a = core.zeros(3), b = core.tensor(1, "u8")},
      {metadata = {z = "1", y = "2", x = "3"}})
    local file <close> = io.open(path, "rb")
    return file:read "a"
  end
  local first = bytes()
  for _ = 1, 5 do lu.assertEquals(bytes(), first) end
  lu.assertStrContains(first, '{"__metadata__":{"x":"3","y":"2","z":"1","bnn.crc32":"')
end

-- Without checksums the file is that of the format's own writer; and then nothing is found.
function TestFiles.test_checksums()
  local tensors = {a = core.ones(4), b = core.tensor({1, 2, 3}, "u8")}
  local function save(opts)
    assert(safetensors.save(path, tensors, opts))
    local file <close> = io.open(path, "rb")
    return file:read "a"
  end
  lu.assertNil(save{checksums = false}:find "bnn.crc32")
  local bytes = save{metadata = {run = "7"}}
  lu.assertEquals(safetensors.open(path).metadata, {run = "7"})
  write(bytes:sub(1, -2) .. "\7") -- the last element of b
  local file <close> = safetensors.open(path)
  lu.assertEquals(file:tensor "a":totable(), {1, 1, 1, 1})
  local x, message = file:tensor "b"
  lu.assertNil(x)
  lu.assertStrContains(message, path .. ": tensor 'b': its data are damaged")
  lu.assertStrContains(select(2, safetensors.load(path)), "tensor 'b': its data are damaged")
  raises("tensor 'b': its data are damaged", function() for _ in pairs(file) do end end)
  local loaded, metadata = safetensors.load(path, {check = false})
  lu.assertEquals({loaded.b:totable(), metadata}, {{1, 2, 7}, {run = "7"}})
  write((bytes:gsub('"run":"7"', '"run":"8"')))
  for _, f in ipairs{safetensors.open, safetensors.load} do
    lu.assertStrContains(select(2, f(path)), path .. ": its header is damaged")
  end
  lu.assertEquals(safetensors.open(path, {check = false}).metadata, {run = "8"})
end

-- A tensor that was loaded stays as it was, whatever becomes of the file; in the file that is open
-- what was changed is told.
function TestFiles.test_what_is_loaded_does_not_change_with_the_file()
  local n = 100000
  for _, change in ipairs{
    function() write "" end,
    function()
      local file <close> = io.open(path, "r+b")
      file:seek("set", 4096)
      file:write(("\0"):rep(10000))
    end,
  } do
    assert(safetensors.save(path, {a = core.ones(n)}))
    local x = safetensors.load(path).a
    local file <close> = safetensors.open(path)
    local y = file:tensor "a"
    change()
    lu.assertEquals({x:sum():item(), y:sum():item()}, {n, n})
    local z, message = file:tensor "a"
    lu.assertNil(z)
    lu.assertStrContains(message, path .. ": tensor 'a': ")
  end
end

TestTypes = in_file{}

local entry = '"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}'

function TestTypes.test_types_of_others_widen()
  local rows = {
    {"BOOL", "i32", 1, {1, 1}}, {"I8", "i32", 1, {1, 2}}, {"I16", "i32", 2, {0x201, 0x403}},
    {"U16", "i32", 2, {0x201, 0x403}}, {"U32", "i64", 4, {0x04030201, 0x08070605}},
    {"F16", "f32", 2, {0x201 * 2.0 ^ -24, (1024 + 3) * 2.0 ^ -24}},
    {"BF16", "f32", 2, {(128 + 1) * 2.0 ^ -130, (128 + 3) * 2.0 ^ -126}},
  }
  for _, row in ipairs(rows) do
    write_header("{" .. entry:format("x", row[1], "2", 0, 2 * row[3]) .. "}", 2 * row[3])
    local file <close> = safetensors.open(path)
    lu.assertEquals({file:dtype "x"}, {row[1], row[2]})
    local x = file:tensor "x"
    lu.assertEquals(x:dtype(), row[2])
    if row[1] ~= "BF16" then lu.assertEquals(x:totable(), row[4], row[1]) end
  end
end

function TestTypes.test_what_can_not_be_read_is_listed()
  write_header("{" .. entry:format("x", "F8_E4M3", "2,1", 0, 2) .. ","
    .. entry:format("y", "U8", "", 2, 3) .. "}", 3)
  local file <close> = safetensors.open(path)
  lu.assertEquals({file:names(), file:shape "x", file:dtype "x"}, {{"x", "y"}, {2, 1}, "F8_E4M3"})
  lu.assertNil((select(2, file:dtype "x")))
  local x, message = file:tensor "x"
  lu.assertNil(x)
  lu.assertStrContains(message, path .. ": tensor 'x': is of dtype F8_E4M3, which can be listed")
  lu.assertEquals(file:tensor "y":totable(), 3)
  raises("is of dtype F8_E4M3", function() for _ in pairs(file) do end end)
  lu.assertNil((safetensors.load(path)))
end

TestRefused = in_file{}

function TestRefused.test_what_the_world_refuses_comes_back()
  for bytes, words in pairs{
    [""] = "holds no data", ["short"] = "has 5 bytes", [("x"):rep(100)] = "is claimed",
    [string.pack("<s8", "[]")] = "got an array",
  } do
    write(bytes)
    for _, f in ipairs{safetensors.open, safetensors.load} do
      local value, message = f(path)
      lu.assertNil(value)
      lu.assertStrContains(message, path)
      lu.assertStrContains(message, words)
    end
  end
  local file, message = safetensors.open(path .. "/no")
  lu.assertNil(file)
  lu.assertStrContains(message, path .. "/no")
  local ok, fault = safetensors.save(path .. "/no", {x = core.ones(1)})
  lu.assertNil(ok)
  lu.assertStrContains(fault, path .. "/no")
end

function TestRefused.test_misuse_raises()
  local x = core.ones(1)
  raises("bnn.safetensors.open: path: expected a path, got a number", safetensors.open, 1)
  raises("load: path: expected a path, got nil", safetensors.load)
  raises("save: path: expected a path, got a table", safetensors.save, {})
  raises("tensors: expected a table of tensors by name, got a number", safetensors.save, path, 1)
  raises("the name \"1\" is not a string", safetensors.save, path, {x})
  raises("save: x: expected a tensor, got a number", safetensors.save, path, {x = 1})
  raises("the name \"__metadata__\" cannot name a tensor", safetensors.save, path,
    {__metadata__ = x})
  raises("is not UTF-8", safetensors.save, path, {["\xff"] = x})
  raises("zero byte", safetensors.save, path, {["a\0b"] = x})
  raises("unknown option 'meta'", safetensors.save, path, {x = x}, {meta = {}})
  raises("the value of 'k' is not a string", safetensors.save, path, {x = x}, {metadata = {k = 1}})
  raises("value of 'k' is not UTF-8", safetensors.save, path, {x = x}, {metadata = {k = "\xff"}})
  raises("the key \"1\" is not a string", safetensors.save, path, {x = x}, {metadata = {"v"}})
  raises("'bnn.crc32' is for the checksums", safetensors.save, path, {x = x},
    {metadata = {["bnn.crc32"] = ""}})
  raises("open: unknown option 'mapped'", safetensors.open, path, {mapped = true})
  raises("open: map is now mmap", safetensors.open, path, {map = true})
  raises("load: check: expected", safetensors.load, path, {check = 1})
  raises("zero byte", safetensors.open, "x\0y")
end

TestJson = {}

function TestJson.test_values_come_back_to_the_bit()
  local values = {
    true, false, 0, -1, math.maxinteger, math.mininteger, 0.1, -0.0, 1e-320, 2.0 ^ 1023, 1 / 3, 3.0,
    "", "grün\n\"\\\0\x7f", {1, 2, 3}, {a = {b = {}}, ["$"] = "x"}, {{}, {1}},
  }
  for _, v in ipairs(values) do
    local back = core.json_decode(core.json_encode(v))
    lu.assertEquals(back, v)
    lu.assertEquals(math.type(back), math.type(v))
    if math.type(v) == "float" then
      lu.assertEquals(string.pack("<d", back), string.pack("<d", v))
    end
  end
  lu.assertEquals(core.json_encode{b = 1, a = {2.0}}, '{"a":[2.0],"b":1}')
end

function TestJson.test_what_is_no_json_is_refused()
  for _, text in ipairs{"", "{", "[1,]", '{"a":1,"a":2}', "nan", "1e999", '"\xff"', "[1] x", "\0",
                        "9223372036854775808", ("["):rep(201) .. ("]"):rep(201), ("["):rep(1e6)} do
    local value, message = core.json_decode(text)
    lu.assertTrue(value == nil, text:sub(1, 40)) -- luaunit would print it
    lu.assertStrContains(message, "JSON")
  end
end

function TestJson.test_what_json_lacks_raises_and_leaks_nothing()
  local deep = {}
  for _ = 1, 300 do deep = {deep} end
  for words, v in pairs{
    ["cannot be a number in JSON"] = {x = 0 / 0}, ["in JSON"] = 1 / 0,
    ["a value that JSON has, got a function"] = {{print}}, ["both a list and named"] = {1, x = 2},
    ["expected UTF-8, got a string of other bytes"] = "\xff",
    ["expected UTF-8, got a key"] = {["\xff"] = 1},
    ["expected keys that are strings"] = {[{}] = 1}, ["zero byte"] = {["a\0"] = 1},
    ["nested more than 200 deep"] = deep,
  } do
    raises(words, core.json_encode, v)
  end
end

os.exit(lu.LuaUnit.run(), true)
