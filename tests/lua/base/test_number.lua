--- Numbers as text (bnn.number), order and case of strings (bnn.strings), and that nothing of the
-- library follows a locale with another decimal point, another order or other letters.
local lu = require "luaunit"
local bnn = require "bnn"
local strings = require "bnn.base.strings"

local number = bnn.number

TestNumber = {}

function TestNumber.test_a_column_has_decimals_for_four_digits_of_its_greatest_number()
  for _, row in ipairs{{{0.978, 0.5}, 4}, {{1, 0.5}, 4}, {{-17.5, 3}, 2}, {{12345}, 0}, {{1e-9}, 6},
                       {{}, 3}, {{0, 0 / 0, math.huge, "9"}, 3}} do
    lu.assertEquals(bnn.number.decimals(row[1]), row[2])
  end
  lu.assertErrorMsgContains("bnn.number.decimals: expected a list, got a nil",
    function() bnn.number.decimals() end)
end

function TestNumber.test_a_small_number_keeps_its_digits_and_others_their_decimals()
  for _, row in ipairs{
    {0.97849, 3, "0.978"}, {-0.4262, 3, "-0.426"}, {314.3881, 3, "314.388"}, {1e-5, 3, "1e-05"},
    {-1.2345e-5, 3, "-1.23e-05"}, {0.0012345, 3, "0.00123"}, {0.012345, 3, "0.012"},
    {0, 3, "0.000"}, {-0.0, 3, "-0.000"}, {3, 3, "3.000"}, {123456789.0, 3, "123456789.000"},
    {1e12, 3, "1e+12"}, {1234567890.5, 3, "1.234568e+09"}, {5e-324, 3, "4.94e-324"},
    {0 / 0, 3, "nan"}, {-(0 / 0), 3, "nan"}, {math.huge, 3, "inf"}, {-math.huge, 3, "-inf"},
    {0.00999, 3, "0.00999"}, {0.009999, 3, "0.010"}, {0.05, 2, "0.05"}, {0.1, 2, "0.10"},
    {0.00412, 4, "0.0041"}, {0.000412, 4, "0.000412"},
  } do
    lu.assertEquals(number.fixed(row[1], row[2]), row[3])
  end
end

function TestNumber.test_the_exact_text_is_the_shortest_that_reads_back()
  for _, row in ipairs{
    {0.1, "0.1"}, {0.1 + 0.2, "0.30000000000000004"}, {1e22, "1e+22"}, {5e-324, "5e-324"},
    {3, "3"}, {3.0, "3"}, {math.mininteger, "-9223372036854775808"}, {0 / 0, "nan"},
    {math.huge, "inf"},
  } do
    lu.assertEquals(number.exact(row[1]), row[2])
  end
end

function TestNumber.test_lists_and_faults()
  lu.assertEquals(number.list({1, 0.5, "x"}), "1, 0.5, x")
  lu.assertEquals(number.list({1, 2}, ","), "1,2")
  lu.assertErrorMsgContains("bad argument #2", number.format, "%d", "x")
  lu.assertNil(number.parse "0,5")
  lu.assertEquals(number.parse("ff", 16), 255)
end

TestStrings = {}

function TestStrings.test_messages_and_texts_in_utf8()
  lu.assertEquals(strings.shown "a\n\27\xe9é", "a\\n\\x1b\\xe9é")
  lu.assertEquals(strings.shown("a\n\tb\r", true), "a\n\tb\\r")
  lu.assertEquals(strings.message("%s is %g", "\7", 0.5), "\\x07 is 0.5")
  lu.assertEquals(strings.utf8 "\xe9é\xff\27", "\\xe9é\\xff\27")
end

function TestStrings.test_order_is_that_of_the_bytes()
  local names = {"b", "a_b", "aB", "a", "ab", "é", "a\0b", ""}
  table.sort(names, strings.before)
  lu.assertEquals(names, {"", "a", "a\0b", "aB", "a_b", "ab", "b", "é"})
end

function TestStrings.test_only_letters_of_ascii_change()
  lu.assertEquals(strings.lower "TITLE.IDX É", "title.idx É")
end

-- ---- in other locales ----

local folder

-- What a program with this text prints where LC_NUMERIC is that of a locale.
local function printed(locale, text)
  local file = assert(io.open(folder .. "/in_locale.lua", "w"))
  file:write(("assert(os.setlocale(%q, 'numeric'))\n"):format(locale), text)
  file:close()
  -- (glibc's setlocale keeps the 29 bytes of a LOCPATH, which the sanitizer would tell of.)
  local command = "cd %s && ASAN_OPTIONS=detect_leaks=0 LOCPATH=%s %s in_locale.lua 2>&1"
  local pipe = assert(io.popen(command:format(folder, folder, os.getenv "BNNLUA")))
  local out = pipe:read "a"
  pipe:close()
  return out
end

TestLocale = {}

function TestLocale.setUp()
  folder = os.tmpname()
  os.remove(folder)
  if not os.execute("tests/shell/locales.sh " .. folder) then
    lu.skip "there is no localedef"
  end
end

function TestLocale.tearDown() os.execute("rm -rf " .. folder) end

-- Prints what the library writes and reads; the same in every locale. (Modules load in it as well.)
local PROGRAM = [[
local bnn = require "bnn"
local core = require "bnn.core"
local function file(name)
  local f <close> = assert(io.open(name, "rb"))
  return f:read "a"
end
for _, kind in ipairs{"jsonl", "csv"} do
  local log = bnn.log[kind]("log." .. kind)
  log:row(1, {{"a", 0.25}, {"b", 1e-30}})
  log:close()
  print(file("log." .. kind))
end
bnn.log.console():row(1, {{"a", 0.25}, {"b", 1e-5}, {"c", 1e12}})
print(bnn.table_text.render({{0.5, 1.25}}, {"a", {"b", format = "%.1f"}}))
print(bnn.tensor{0.5, 1.5}, bnn.tensor(0.125), bnn.tensor{1e-7, 1.5})
print(core.json_encode{x = 0.1, y = {1.5e300, -0.25}}, core.json_decode "[0.5, 1e-3]"[1] * 2 == 1)
print(bnn.optim.adam{lr = 1e-3}, bnn.nn.dropout(0.5), bnn.nn.conv2d(3, 3, {stride = 2}))
print(pcall(bnn.metrics.quantile, bnn.tensor{1}, 1.5))
print(pcall(bnn.optim.adam, {lr = -0.5}))
print(pcall(bnn.tensor{1}.view, bnn.tensor{1}, 0.5))
print(pcall(bnn.plot.lines, {series = {{y = {1}}}, xrange = {0.5, 0.5}}))
print(select(2, pcall(bnn.linspace, 0 / 0, 1, 2)):match "%(.*")
local data = io.open("data.csv", "w")
data:write "0.1234567890123456789,1.25e30\n0.5,-2.5\n"
data:close()
print(bnn.data.read("data.csv"))
print(bnn.tensor{0.25}:to "f64")
local params = bnn.nn.mlp{2, 1}:init(bnn.key(1), bnn.zeros(1, 3))
local objective = bnn.objective{
  params = params, loss = function(p, batch) return (batch.x:sum(2)) * 0.5 end,
}
assert(bnn.checkpoint.save("c.safetensors", {params = params, extras = {x = 0.1, y = {1e-9}}}))
print(bnn.checkpoint.load("c.safetensors").extras.x == 0.1, objective)
print(bnn.plot.lines{series = {{x = {0.5, 1.5}, y = {0.25, 1e-3}}}, path = "a.svg"}, file "a.svg")
local flags = require "bnn.run.flags"
print(flags.parse({"--lr=1.5e-3"}, {lr = {0.5, "rate", min = 0.1}}))
print(flags.parse({"--lr=0,5"}, {lr = {0.5, "rate"}}))
]]

-- The first lines that differ, of long texts.
local function first_difference(wanted, got)
  local next_line = got:gmatch "[^\n]*"
  for line in wanted:gmatch "[^\n]*" do
    local other = next_line()
    if other ~= line then return ("wanted %s, got %s"):format(line, other) end
  end
  return "there are more lines"
end

function TestLocale.test_the_library_writes_and_reads_the_same_under_any_decimal_point()
  local plain = printed("C", PROGRAM)
  lu.assertStrContains(plain, '{"step":1,"a":0.25,"b":1e-30}')
  lu.assertStrContains(plain, "1,a,0.25\n")
  lu.assertStrContains(plain, "lr=0.001")
  for _, locale in ipairs{"comma", "arabic"} do
    local got = printed(locale, PROGRAM)
    if got ~= plain then lu.fail(locale .. ": " .. first_difference(plain, got)) end
  end
end

function TestLocale.test_lua_itself_follows_the_locale()
  lu.assertEquals(printed("comma", "print(string.format('%g', 0.5))"), "0,5\n")
end

os.exit(lu.LuaUnit.run())
