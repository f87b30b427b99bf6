--- The results that examples give are right: `CODE --> VALUES` in an example of help.
--
-- VALUES are Lua expressions, a tensor's the nested list of its elements as printed with four
-- decimals, or [n, m] for a shape, after which words may follow. CODE is one line: a call,
-- print(EXPRESSION) or a local statement. Every function and every op that is written in C must
-- have an example, and so must the rooms below. tests/lua/help/test_examples.lua runs all examples;
-- the results of those that open files are not checked here.
local lu = require "luaunit"
local bnn = require "bnn"
local help = require "bnn.help.help"

local ROOMS = {"autodiff", "base", "checkpoint", "log", "params", "predict", "run"}

-- The lines of a docstring's example.
local function code_of(doc)
  local lines = {}
  for line in doc:gmatch "[^\n]*" do
    if line:find "^@" then break end
    lines[#lines + 1] = line:match "^    (.*)"
  end
  return lines
end

-- As run: CODE --> VALUES becomes a call of check(line number, values of CODE).
local function checked(line, number)
  local code = line:match "^(.-)%s*%-%-> "
  local names = code and code:match "^local ([%w_, ]-)%s*[<=]"
  if names then return ("%s check(%d, %s)"):format(code, number, names) end
  local shown = code and code:match "^print(%b())$" or code
  return code and ("check(%d, %s)"):format(number, shown) or line
end

local function plain(value)
  return getmetatable(value) and value.totable and value:totable() or value
end

-- Whether a value is what the example says, numbers to four decimals.
local function is_near(got, want)
  if type(got) == "number" and type(want) == "number" then
    return got == want or math.abs(got - want) <= 1e-4 * math.max(1, math.abs(want))
  end
  if type(got) ~= "table" or type(want) ~= "table" or #got ~= #want then return got == want end
  for k, v in pairs(want) do
    if not is_near(plain(got[k]), v) then return false end
  end
  return true
end

local function is_shape(got, sizes)
  local shape, want = got:shape(), {}
  for size in sizes:gmatch "%d+" do want[#want + 1] = math.tointeger(size) end
  return is_near(shape, want)
end

-- Lines of results that were checked.
local count = 0

local function check(name, line, ...)
  local text = line:match "%-%-> (.*)"
  count = count + 1
  local sizes = text:match "^%[([%d, ]*)%]"
  if sizes then return lu.assertTrue(is_shape(..., sizes), name .. ": " .. line) end
  local want = table.pack(assert(load("return " .. text, "=" .. name, "t", {}))())
  local got = table.pack(...)
  lu.assertEquals(got.n, want.n, name .. ": " .. line)
  for i = 1, want.n do
    local ok = is_near(plain(got[i]), want[i])
    lu.assertTrue(ok, ("%s: %s gives %s"):format(name, line, tostring(got[i])))
  end
end

local function run(name, lines)
  local code = {}
  for i, line in ipairs(lines) do code[i] = checked(line, i) end
  local env = setmetatable({
    bnn = bnn, check = function(i, ...) check(name, lines[i], ...) end,
  }, {__index = _G})
  local chunk, fault = load(table.concat(code, "\n"), "=" .. name, "t", env)
  lu.assertNotNil(chunk, fault)
  chunk()
end

local function is_in(room, module)
  return module:find("^bnn%." .. room .. "%.") ~= nil
end

-- Whether an entry must have an example: a function of C's, or one of the rooms'.
local function must_show(entry, is_function)
  if not entry.module then return not entry.name:find "^bnn%.[%w_]+%." end
  for _, room in ipairs(ROOMS) do
    if is_function and is_in(room, entry.module) then return true end
  end
  return false
end

TestResults = {}

for _, entry in ipairs(help.entries(bnn)) do
  local lines = not entry.internal and must_show(entry, true) and code_of(entry.doc or "") or {}
  local text = table.concat(lines, "\n")
  local needs_a_file = text:find "%.open" or text:find "load"
  if text:find("-->", 1, true) and not needs_a_file then
    TestResults["test_" .. entry.name] = function() run(entry.name, lines) end
  end
end

function TestResults.test_every_function_has_an_example()
  local without = {}
  for _, entry in ipairs(help.entries(bnn)) do
    local is_function = entry.call ~= nil
    if not entry.internal and must_show(entry, is_function) and not code_of(entry.doc or "")[1] then
      without[#without + 1] = entry.name
    end
  end
  lu.assertEquals(without, {})
end

os.exit(lu.LuaUnit.run())
