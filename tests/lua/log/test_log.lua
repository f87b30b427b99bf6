--- Logs (bnn.log): lines on the console, memory, tee, CSV, JSON lines, own sinks.
local lu = require "luaunit"
local log = require "bnn.log.log"

-- A stand-in for a file: what was written, and how much of it had been flushed at the end.
local function recorder()
  local out = {text = "", flushed = ""}
  function out:write(text)
    self.text = self.text .. text
    return self
  end
  function out:flush()
    self.flushed = self.text
    return self
  end
  return out
end

local function with_file(make, use)
  local path = os.tmpname()
  local file = make(path)
  use(file)
  file:close()
  file:close()
  local handle <close> = assert(io.open(path, "rb"))
  local text = handle:read "a"
  os.remove(path)
  return text
end

TestConsole = {}

function TestConsole.test_a_line_has_its_form_to_the_byte()
  local out = recorder()
  log.console{out = out}:row(10000, {{"test/accuracy", 0.979}})
  lu.assertEquals(out.text, "  10000 | test/accuracy                       0.979\n")
end

function TestConsole.test_values_of_every_kind()
  local rows = {
    {0.9786, "0.979"}, {-0.421, "-0.421"}, {423.54, "423.540"}, {3, "3.000"}, {0 / 0, "nan"},
    {1e-5, "1e-05"}, {-0.0012345, "-0.00123"}, {0, "0.000"}, {123456789.0, "123456789.000"},
    {"\27[2Ja\nb\xe9", "\\x1b[2Ja\\nb\\xe9"},
    {-(0 / 0), "nan"}, {math.huge, "inf"}, {-math.huge, "-inf"}, {1e12, "1e+12"}, {"word", "word"},
    {true, "true"},
  }
  for _, row in ipairs(rows) do
    local out = recorder()
    log.console{out = out}:row(0, {{"x", row[1]}})
    lu.assertEquals(out.text, "      0 | x" .. (" "):rep(35) .. row[2] .. "\n")
  end
end

function TestConsole.test_a_long_name_keeps_a_space_before_its_value()
  local out = recorder()
  log.console{out = out}:row(1, {{("n"):rep(50), 1}})
  lu.assertEquals(out.text, "      1 | " .. ("n"):rep(50) .. " 1.000\n")
end

function TestConsole.test_a_name_is_one_line_that_obeys_nobody()
  local out = recorder()
  log.console{out = out}:row(1, {{"\27[31ma\nb\u{9b}2J", 1}})
  lu.assertEquals(out.text, ("      1 | %-35s 1.000\n"):format "\\x1b[31ma\\nb\\u{9b}2J")
end

function TestConsole.test_a_list_keeps_its_order_and_a_map_goes_by_name()
  local out = recorder()
  local console = log.console{out = out}
  console:row(1, {{"b", 1}, {"a", 2}})
  console:row(2, {z = 1, y = 2, x = 3})
  local names = {}
  for name in out.text:gmatch "| (%w)" do names[#names + 1] = name end
  lu.assertEquals(names, {"b", "a", "x", "y", "z"})
end

function TestConsole.test_each_block_is_flushed()
  local out = recorder()
  local console = log.console{out = out}
  console:row(1, {{"a", 1}, {"b", 2}})
  lu.assertEquals(out.flushed, out.text)
  console:say "the end"
  lu.assertStrContains(out.flushed, "\nthe end\n")
end

function TestConsole.test_a_sink_that_cannot_be_written_ends_the_run_with_a_message()
  local full = {write = function() return nil, "No space left on device" end}
  local ok, fault = pcall(log.console{out = full}.row, log.console{out = full}, 1, {a = 1})
  lu.assertFalse(ok)
  lu.assertEquals(fault.message, "cannot write the log: No space left on device")
end

TestRow = {}

function TestRow.test_what_is_no_figure_is_refused_by_name()
  local memory = log.memory()
  local rows = {
    {1, {a = {}}, "log:row: a: expected a number or a string, got a table"},
    {1, {{"a"}}, "log:row: a: expected a number or a string, got nil"},
    {1, {{1, 2}}, "log:row: entry 1: expected {name, value}, got a table"},
    {1, {"a", 2}, "log:row: entry 1: expected {name, value}, got a string"},
    {1, 5, "log:row: values: expected a table, got a number"},
    {0.5, {a = 1}, "log:row: step: expected an integer, got 0.5"},
    {nil, {a = 1}, "log:row: step: expected an integer, got nil"},
    {1, {{"step", 9}}, "log:row: 'step' cannot be the name of a value"},
    {1, {step = 9}, "log:row: 'step' cannot be the name of a value"},
    {1, {{"a", 1}, {"b", 2}, {"a", 3}}, "log:row: 'a' appears twice"},
    {1, {{"\27a", {}}}, "log:row: \\x1ba: expected a number or a string, got a table"},
  }
  for _, row in pairs(rows) do
    lu.assertErrorMsgContains(row[3], memory.row, memory, row[1], row[2])
  end
end

function TestRow.test_a_whole_step_is_an_integer()
  local memory = log.memory()
  memory:row(1e3, {a = 1})
  lu.assertEquals(math.type(memory.blocks[1].step), "integer")
end

function TestRow.test_the_table_given_can_be_reused()
  local memory, figures = log.memory(), {{"a", 1}}
  memory:row(1, figures)
  figures[1][2] = 2
  lu.assertEquals(memory:last "a", 1)
end

TestSinks = {}

function TestSinks.test_memory_keeps_blocks_lines_and_the_last_value()
  local memory = log.memory()
  memory:row(0, {{"a", 1}, {"b", 5}})
  memory:row(10, {{"a", 2}})
  memory:say "done"
  lu.assertEquals(memory.blocks,
    {{step = 0, rows = {{"a", 1}, {"b", 5}}}, {step = 10, rows = {{"a", 2}}}})
  lu.assertEquals(memory.lines, {"done"})
  lu.assertEquals({memory:last "a"}, {2, 10})
  lu.assertEquals({memory:last "b"}, {5, 0})
  lu.assertNil(memory:last "c")
end

function TestSinks.test_a_function_and_a_table_with_write_are_sinks()
  local seen = {}
  log.resolve(function(step, rows) seen[1] = {step, rows} end):row(3, {a = 1})
  local sink = {write = function(self, step, rows) seen[2] = {self ~= nil, step, rows} end}
  log.resolve(sink):row(4, {a = 2})
  lu.assertEquals(seen, {{3, {{"a", 1}}}, {true, 4, {{"a", 2}}}})
end

function TestSinks.test_resolve_returns_a_log_as_it_is_and_raises_for_what_is_none()
  local memory, wanted = log.memory(), "a function of (step, rows) or a table with a method 'write'"
  lu.assertIs(log.resolve(memory), memory)
  local fault = ("bnn.log: expected %s, got "):format(wanted)
  lu.assertErrorMsgContains(fault .. "a number", log.resolve, 5)
  lu.assertErrorMsgContains(fault .. "a table", log.resolve, {})
  lu.assertErrorMsgContains("bnn.log.of is now bnn.log.resolve", function() return log.of end)
end

function TestSinks.test_tee_hands_everything_to_each()
  local memory, closed, count = log.memory(), 0, 0
  local file = {}
  function file.write() count = count + 1 end
  function file.close() closed = closed + 1 end
  local both = log.tee{memory, file, function() count = count + 10 end}
  both:row(1, {a = 1})
  both:say "x"
  both:close()
  lu.assertEquals({memory:last "a", memory.lines[1], count, closed}, {1, "x", 11, 1})
end

TestFiles = {}

function TestFiles.test_csv_has_a_line_for_each_figure_and_quotes_what_needs_it()
  local text = with_file(log.csv, function(csv)
    csv:row(0, {{"test/accuracy", 0.979}, {"note", 'a,"b"'}, {"bad", 0 / 0}})
    csv:say "not a figure"
    csv:row(5, {{"later", 3}})
  end)
  lu.assertEquals(text, 'step,name,value\n0,test/accuracy,0.979\n0,note,"a,""b"""\n'
    .. '0,bad,nan\n5,later,3\n')
end

function TestFiles.test_jsonl_has_an_object_for_each_block()
  local text = with_file(log.jsonl, function(jsonl)
    jsonl:row(0, {{"z", 0.979}, {"a", -3}, {"nan", 0 / 0}, {"inf", math.huge}})
    jsonl:row(1, {{'q"\\\n', "é\1"}, {"ok", true}})
  end)
  lu.assertEquals(text, '{"step":0,"z":0.979,"a":-3,"nan":null,"inf":null}\n'
    .. '{"step":1,"q\\u0022\\u005c\\u000a":"é\\u0001","ok":true}\n')
end

-- Names and texts of any bytes are lines of JSON in UTF-8, which differ where the names do.
function TestFiles.test_jsonl_is_json_whatever_the_bytes()
  local text = with_file(log.jsonl, function(jsonl)
    jsonl:row(1, {{"caf\xe9", "\xff\x9b"}, {"caf\xe8", "\0\31\127"},
                  {"\u{9b}é\u{2028}", "\xed\xa0\x80"}})
  end)
  lu.assertNotNil(utf8.len(text))
  lu.assertEquals(require "bnn.core".json_decode(text), {
    step = 1, ["caf\\xe9"] = "\\xff\\x9b", ["caf\\xe8"] = "\0\31\127",
    ["\u{9b}é\u{2028}"] = "\\xed\\xa0\\x80",
  })
end

function TestFiles.test_csv_names_of_any_kind_are_one_cell()
  local names = {"a,b", 'c"d', "e\nf", "g\rh", " i ", "é"}
  local text = with_file(log.csv, function(csv)
    for i, name in ipairs(names) do csv:row(i, {{name, i}}) end
  end)
  for i, name in ipairs(names) do
    local cell = name:find '[,"\r\n]' and '"' .. name:gsub('"', '""') .. '"' or name
    lu.assertStrContains(text, ("\n%d,%s,%d\n"):format(i, cell, i))
  end
end

function TestFiles.test_numbers_read_back_as_they_were()
  for _, v in ipairs{1 / 3, 0.1, 2 ^ 0.5 * 1e-300, 5e-324, 1e22, 0.1 + 0.2, -1e-7, 2 ^ 53 + 2.0} do
    local text = with_file(log.jsonl, function(jsonl) jsonl:row(1, {v = v}) end)
    lu.assertEquals(tonumber(text:match '"v":([^}]+)'), v)
    text = with_file(log.csv, function(csv) csv:row(1, {v = v}) end)
    lu.assertEquals(tonumber(text:match "1,v,([^\n]+)"), v)
  end
end

function TestFiles.test_lines_are_there_before_the_file_is_closed()
  local path = os.tmpname()
  local csv = log.csv(path)
  csv:row(1, {a = 1})
  local handle <close> = assert(io.open(path))
  lu.assertEquals(handle:read "a", "step,name,value\n1,a,1\n")
  csv:close()
  os.remove(path)
end

function TestFiles.test_a_file_that_cannot_be_made_is_nil_and_a_message()
  local made, message = log.csv "/no/such/folder/x.csv"
  lu.assertNil(made)
  lu.assertStrContains(message, "/no/such/folder/x.csv")
  made, message = log.jsonl "/no/such/folder/\27c"
  lu.assertNil(made)
  lu.assertStrContains(message, "/no/such/folder/\\x1bc: ")
end

os.exit(lu.LuaUnit.run())
