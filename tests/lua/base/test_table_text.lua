--- Text tables (bnn.table_text).
local lu = require "luaunit"
local render = require "bnn.base.table_text".render

TestTable = {}

function TestTable.test_numbers_stand_to_the_right_and_words_to_the_left()
  local text = render({{1, "seven", 0.5}, {100, "one", 0.25}},
    {"image", "said", {"std", format = "%.2f"}})
  lu.assertEquals(text, [[
image  said    std
    1  seven  0.50
  100  one    0.25
]])
end

function TestTable.test_rows_by_key_missing_cells_and_floats_without_a_format()
  local text = render({{p = 0.97951, n = 3}, {n = 12}, {p = 0 / 0, n = 1}},
    {"n", {"probability", key = "p"}})
  lu.assertEquals(text, [[
 n  probability
 3        0.980
12            -
 1          nan
]])
end

function TestTable.test_alignment_can_be_said_and_lines_have_no_trailing_spaces()
  lu.assertEquals(render({{"é", "x"}, {"bbb", "y"}}, {{"a", align = "right"}, "word"}), [[
  a  word
  é  x
bbb  y
]])
end

function TestTable.test_small_numbers_keep_digits_and_cells_are_one_line()
  local text = render({{0.5, 0.00012, "a\nb"}, {1e-5, 1.5, "\27[2J"}, {0.0, 0 / 0, "\u{9b}"}},
    {"p", {"q", decimals = 4}, "word\27"})
  lu.assertEquals(text, [[
    p        q  word\x1b
0.500  0.00012  a\nb
1e-05   1.5000  \x1b[2J
0.000      nan  \u{9b}
]])
end

function TestTable.test_without_rows_the_titles_remain()
  lu.assertEquals(render({}, {"a", "b"}), "a  b\n")
end

os.exit(lu.LuaUnit.run())
