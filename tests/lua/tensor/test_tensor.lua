--- Tensors in Lua: making, viewing, indexing, converting, reading, printing; every refusal.
local lu = require "luaunit"
local core = require "bnn.core"

local REAL = core.tensor(0):dtype()

--- Fails unless f(...) raises a message that contains `text`.
local function raises(text, f, ...) lu.assertErrorMsgContains(text, f, ...) end

--- {2, 3} filled with 1..6.
local function matrix() return core.tensor{{1, 2, 3}, {4, 5, 6}} end

TestMaking = {}

function TestMaking.test_lists_give_shape_and_elements()
  local rows = {
    {5, {}}, {{}, {0}}, {{1, 2}, {2}}, {{{}, {}}, {2, 0}}, {{{1, 2, 3}, {4, 5, 6}}, {2, 3}},
    {{{{1}, {2}}, {{3}, {4}}}, {2, 2, 1}}, {{{{{{{{{7}}}}}}}}, {1, 1, 1, 1, 1, 1, 1, 1}},
  }
  for _, row in ipairs(rows) do
    local x = core.tensor(row[1])
    lu.assertEquals(x:shape(), row[2])
    lu.assertEquals(x:totable(), row[1])
    lu.assertEquals(x:dtype(), REAL)
    lu.assertEquals(x:dim(), #row[2])
  end
end

function TestMaking.test_ragged_lists_are_refused_naming_the_place()
  raises("element [2] has 1 elements, those before it have 2", core.tensor, {{1, 2}, {3}})
  raises("element [2, 2] has 3 elements", core.tensor, {{{1, 2}, {1, 2}}, {{1, 2}, {1, 2, 3}}})
  raises("element [2] is a number, the elements before it are lists of 2", core.tensor, {{1, 2}, 3})
  raises("element [2]: expected a number, got a table", core.tensor, {1, {2}})
  raises("element [1, 2]: expected a number, got a string", core.tensor, {{1, "2"}})
  raises("nested more than 8 deep", core.tensor, {{{{{{{{{1}}}}}}}}})
  raises("expected number, lists of numbers or tensor, got string", core.tensor, "1")
  raises("tensor, got no value", core.tensor)
  raises("expected a number", core.tensor, {core.tensor(1)})
  raises("or f64, got 'f16'", core.tensor, {1}, "f16")
end

function TestMaking.test_objects_are_named_by_their_kind()
  raises("dim 1: expected an integer, got a table", core.zeros, {{}})
  raises("dim 2: expected an integer, got a function", core.zeros, {1, print})
  raises("expected an integer, got a table", core.ops.cross_entropy, matrix(),
    core.tensor({0, 1}, "i32"), {ignore_index = 1})
  raises("dim 1: expected an integer, got a tensor", core.zeros, {matrix()})
end

function TestMaking.test_every_type_holds_its_range_and_refuses_the_rest()
  local rows = {
    {"u8", {0, 255}, {-1, 256, 0.5, 0 / 0}},
    {"i32", {-2 ^ 31, 2 ^ 31 - 1}, {2 ^ 31, -2 ^ 31 - 1, 1.5, math.huge}},
    {"i64", {math.mininteger, math.maxinteger}, {2 ^ 63, 0.5, -math.huge}},
    {"u64", {0, math.maxinteger, -1}, {0.5, 2 ^ 64, 0 / 0}},
    {"f64", {1e300, -math.huge}, {}},
    {"f32", {2.0 ^ 127, math.huge}, {1e39, -1e300}},
  }
  for _, row in ipairs(rows) do
    local x = core.tensor(row[2], row[1])
    lu.assertEquals(x:dtype(), row[1])
    lu.assertEquals(x:totable(), row[2])
    for _, bad in ipairs(row[3]) do
      raises("which " .. row[1] .. " cannot hold", core.tensor, {1, bad}, row[1])
    end
  end
end

function TestMaking.test_u64_elements_are_the_integers_of_the_same_bits()
  local x = core.tensor({2.0 ^ 63, -1}, "u64")
  lu.assertEquals(x:totable(), {math.mininteger, -1})
  lu.assertEquals(tostring(x), "tensor u64 [2]: 9223372036854775808  18446744073709551615")
  lu.assertEquals(core.tensor(x:totable(), "u64"):totable(), x:totable())
end

function TestMaking.test_nan_stays_nan()
  local v = core.tensor{0 / 0}:totable()[1]
  lu.assertTrue(v ~= v)
end

function TestMaking.test_filled_tensors_take_integers_or_a_list_and_a_type()
  lu.assertEquals(core.zeros(2, 1):totable(), {{0}, {0}})
  lu.assertEquals(core.ones({1, 2}):totable(), {{1, 1}})
  lu.assertEquals(core.ones(3, "u8"):totable(), {1, 1, 1})
  lu.assertEquals(core.ones({3}, "i64"):dtype(), "i64")
  lu.assertEquals(core.zeros({}):shape(), {})
  lu.assertEquals(core.zeros(0, 3):shape(), {0, 3})
  lu.assertEquals(core.full({2, 2}, 7, "i32"):totable(), {{7, 7}, {7, 7}})
  lu.assertEquals(core.full({1000}, -2.5):sum():item(), -2500)
  lu.assertEquals(core.eye(2):totable(), {{1, 0}, {0, 1}})
  lu.assertEquals(core.eye(0):shape(), {0, 0})
end

function TestMaking.test_bad_shapes_are_refused()
  for _, make in ipairs{core.zeros, core.ones} do
    raises("dim 2: expected at least 0, got -1", make, 2, -1)
    raises("dim 1: expected an integer, got 1.5", make, 1.5)
    raises("expected an integer", make, 0 / 0)
    raises("dim 1: expected an integer, got 9.2233720368548e+18", make, 2 ^ 63)
    raises("dim 2: expected an integer, got x", make, {1, "x"})
    raises("dim 9: expected at most 8", make, 1, 1, 1, 1, 1, 1, 1, 1, 1)
    raises("shapes do not agree", make, 1 << 40, 1 << 40)
    raises("out of memory", make, 1 << 55)
    raises("expected integers or a list of them, got no value", make)
    raises("expected integers or a list of them, got nil", make, nil)
    raises("or f64, got 'f16'", make, 1, "f16")
    raises("bad argument #2", make, {1}, {})
  end
  raises("n: expected at least 0, got -1", core.eye, -1)
  raises("shapes do not agree", core.eye, math.maxinteger)
  raises("table expected", core.full, 3, 1)
  raises("value is 256, which u8 cannot hold", core.full, {1}, 256, "u8")
  raises("number expected", core.full, {1}, "1")
end

function TestMaking.test_arange_includes_its_end_and_adds_up_no_error()
  lu.assertEquals(core.arange(1, 5):totable(), {1, 2, 3, 4, 5})
  lu.assertEquals(core.arange(5, 1, -2):totable(), {5, 3, 1})
  lu.assertEquals(core.arange(1, 0):totable(), {})
  lu.assertEquals(#core.arange(0, 0.3, 0.1), 4)
  lu.assertEquals(#core.arange(0, 1, 0.001), 1001)
  raises("step: expected a number other than 0", core.arange, 1, 2, 0)
  raises("to: expected a finite number, got inf", core.arange, 1, math.huge)
  raises("from: expected a finite number", core.arange, 0 / 0, 1)
  raises("elements", core.arange, 0, 1e300)
end

function TestMaking.test_linspace_includes_both_ends()
  lu.assertEquals(core.linspace(0, 1, 5):totable(), {0, 0.25, 0.5, 0.75, 1})
  lu.assertEquals(core.linspace(2, 9, 1):totable(), {2})
  lu.assertEquals(core.linspace(2, 9, 0):totable(), {})
  lu.assertEquals(core.linspace(0, 0.7, 7)[7], core.tensor(0.7):item())
  raises("n: expected at least 0, got -1", core.linspace, 0, 1, -1)
end

function TestMaking.test_a_tensor_is_converted()
  local x = core.tensor({1, 2}, "u8")
  lu.assertEquals(core.tensor(x):dtype(), REAL)
  lu.assertEquals(core.tensor(x, "i64"):totable(), {1, 2})
  raises("cannot hold", core.tensor, core.tensor{0.5}, "i32")
end

TestShapes = {}

function TestShapes.test_queries()
  local x = matrix()
  lu.assertEquals({x:size(1), x:size(2), x:size(-1), #x, x:dim(), x:numel()}, {2, 3, 3, 2, 2, 6})
  raises("axis: expected 1 to 2 or -2 to -1, got 3", x.size, x, 3)
  raises("axis: expected 1 to 2 or -2 to -1, got 0", x.size, x, 0)
  raises("axis: expected 1 to 2 or -2 to -1, got -3", x.size, x, -3)
  raises("expected number", x.size, x)
  raises("a scalar has no length", function() return #core.tensor(1) end)
end

function TestShapes.test_view_shares_memory_and_takes_one_minus_one()
  local x = matrix()
  lu.assertEquals(x:view(6):totable(), {1, 2, 3, 4, 5, 6})
  lu.assertEquals(x:view(3, -1):totable(), {{1, 2}, {3, 4}, {5, 6}})
  lu.assertEquals(x:view{-1}:shape(), {6})
  lu.assertEquals(x:view(1, 2, 3, 1):shape(), {1, 2, 3, 1})
  lu.assertEquals(core.tensor(3):view(1, 1):totable(), {{3}})
  raises("shapes do not agree", x.view, x, 4)
  raises("only one dim can be -1", x.view, x, -1, -1)
  raises("6 elements do not divide by 4", x.view, x, 4, -1)
  raises("do not divide by 0", x.view, x, 0, -1)
  raises("dim 1: expected at least -1, got -2", x.view, x, -2)
  raises("not contiguous", function() return x:t():view(6) end)
  raises("shapes do not agree", x.view, x, 1 << 62, 1 << 62)
  raises("do not divide", x.view, x, 1 << 62, 1 << 62, -1)
end

function TestShapes.test_reshape_copies_where_view_can_not()
  lu.assertEquals(matrix():t():reshape(6):totable(), {1, 4, 2, 5, 3, 6})
  lu.assertEquals(matrix():reshape(-1, 2):totable(), {{1, 2}, {3, 4}, {5, 6}})
end

function TestShapes.test_narrow_and_select_count_from_one_and_from_the_end()
  local x = matrix()
  lu.assertEquals(x:narrow(2, 2, 2):totable(), {{2, 3}, {5, 6}})
  lu.assertEquals(x:narrow(-1, -1, 1):totable(), {{3}, {6}})
  lu.assertEquals(x:narrow(1, 1, 0):shape(), {0, 3})
  lu.assertEquals(x:narrow(1, 3, 0):shape(), {0, 3})
  lu.assertEquals(x:select(1, -1):totable(), {4, 5, 6})
  lu.assertEquals(x:select(2, 1):totable(), {1, 4})
  lu.assertEquals(core.tensor{7}:select(1, 1):shape(), {})
  for _, from in ipairs{0, 4, -4, math.mininteger, math.maxinteger} do
    raises("within 1..3, got", x.narrow, x, 2, from, 1)
  end
  raises("count: expected at least 0, got -1", x.narrow, x, 2, 1, -1)
  raises("count: expected at most 3, got 4", x.narrow, x, 2, 1, 4)
  raises("expected positions within 1..3, got 2 from 3", x.narrow, x, 2, 3, 2)
  for _, i in ipairs{0, 3, -3, math.mininteger, math.maxinteger} do
    raises("index: expected 1 to 2, got " .. i, x.select, x, 1, i)
  end
  raises("number has no integer representation", x.select, x, 1, 1.5)
end

function TestShapes.test_transpose_permute_and_broadcast()
  local x = matrix()
  lu.assertEquals(x:t():totable(), {{1, 4}, {2, 5}, {3, 6}})
  lu.assertEquals(x:view(1, 2, 3):permute(3, 1, 2):shape(), {3, 1, 2})
  lu.assertEquals(x:permute{-1, 1}:totable(), x:t():totable())
  lu.assertEquals(core.tensor{1, 2}:broadcast_to(2, 2):totable(), {{1, 2}, {1, 2}})
  lu.assertEquals(core.tensor(1):broadcast_to{3}:totable(), {1, 1, 1})
  raises("expected a matrix", x.t, x:view(6))
  raises("expected an order of 2 axes, as the tensor's rank, got 1", x.permute, x, 1)
  raises("repeated", x.permute, x, 1, 1)
  raises("axis: expected 1 to 2 or -2 to -1, got 3", x.permute, x, 1, 3)
  raises("axis: expected 1 to 2 or -2 to -1, got 0", x.permute, x, 0, 1)
  raises("[2, 3] does not broadcast to [3]", x.broadcast_to, x, 3)
end

function TestShapes.test_ops_take_views()
  local x = matrix()
  lu.assertEquals((x:t() + 1):totable(), {{2, 5}, {3, 6}, {4, 7}})
  lu.assertEquals(core.tensor{1, 2}:broadcast_to(2, 2):sum():item(), 6)
end

TestIndex = {}

-- As Lua's lists do, a tensor ends with one nil; what lies further outside is a fault.
function TestIndex.test_ipairs_ends_behind_the_last_position()
  local x, seen = matrix(), {}
  for i, row in ipairs(x) do seen[i] = row:totable() end
  lu.assertEquals(seen, {{1, 2, 3}, {4, 5, 6}})
  lu.assertNil(x[3])
  lu.assertNil(core.tensor({7}, "u8")[2])
  for _ in ipairs(core.zeros(0, 3)) do lu.fail "an empty tensor has no rows" end
  local rows = 0
  require "bnn.autodiff.autodiff".grad(function(y) -- while recording too
    for _ in ipairs(y) do rows = rows + 1 end
    return y:sum()
  end)(x)
  lu.assertEquals(rows, 2)
end

function TestIndex.test_a_number_gives_an_element_or_a_view()
  local x = matrix()
  lu.assertEquals(x[2]:totable(), {4, 5, 6})
  lu.assertEquals(x[-1]:totable(), {4, 5, 6})
  lu.assertEquals(x[1][3], 3)
  lu.assertEquals(x[1.0][3], 3)
  lu.assertEquals(math.type(core.tensor({3}, "i32")[1]), "integer")
  for _, i in ipairs{0, 4, -3, math.maxinteger, math.mininteger} do
    raises("position of axis 1: expected 1 to 2, got " .. i,
      function() return x[i] end)
  end
  raises("position of axis 1: expected an integer, got 1.5", function() return x[1.5] end)
  raises("position of axis 1: expected 1 to 2, got 3", function() return x[{3}] end)
  raises("a scalar has no positions", function() return core.tensor(1)[1] end)
  raises("numbers and ranges, got a boolean", function() return x[true] end)
end

function TestIndex.test_a_list_gives_ranges_and_positions()
  local x = core.arange(1, 24):view(2, 3, 4)
  lu.assertEquals(x[{1, 2, 3}], 7)
  lu.assertEquals(x[{-1, -1, -1}], 24)
  lu.assertEquals(x[{1, 2}]:totable(), {5, 6, 7, 8})
  lu.assertEquals(x[{{}, 2}]:totable(), {{5, 6, 7, 8}, {17, 18, 19, 20}})
  lu.assertEquals(x[{2, {2, 3}, {1, 2}}]:totable(), {{17, 18}, {21, 22}})
  lu.assertEquals(x[{{2}, {2}, {2}}]:shape(), {1, 1, 1})
  lu.assertEquals(x[{{}, {}, {-2, -1}}]:shape(), {2, 3, 2})
  lu.assertEquals(x[{{3, 2}}]:shape(), {0, 3, 4})
  lu.assertEquals(x[{{1, 0}}]:shape(), {0, 3, 4})
  lu.assertEquals(x[{}]:shape(), {2, 3, 4})
end

function TestIndex.test_bad_lists_are_refused()
  local x = matrix()
  local rows = {
    {{{0, 1}}, "range of axis 1: expected positions within 1..2, got 0..1"}, {{{1, 3}}, "got 1..3"},
    {{{2, 0}}, "got 2..0"}, {{1, 4}, "position of axis 2: expected 1 to 3, got 4"},
    {{1, 2, 3}, "an index of 3 axes"},
    {{{1, 2, 3}}, "range of axis 1: expected {}, {i} or {from, to}"},
    {{"a"}, "expected an integer, got a"},
    {{{1, "b"}}, "expected integers, got b"}, {{{1, 2 ^ 63}}, "expected integers"},
    {{{math.mininteger, 2}}, "range"}, {{{1, math.maxinteger}}, "range"},
  }
  for _, row in ipairs(rows) do raises(row[2], function() return x[row[1]] end) end
end

function TestIndex.test_names_find_methods_and_unknown_ones_nothing()
  lu.assertEquals(type(matrix().view), "function")
  lu.assertNil(matrix().vjew)
  raises("method 'vjew'", function() return matrix():vjew() end)
end

function TestIndex.test_assigning_raises()
  raises("tensors are values", function() matrix()[1] = 2 end)
  raises("tensors are values", function() matrix().name = 2 end)
end

TestReading = {}

function TestReading.test_item_wants_one_element()
  lu.assertEquals(core.tensor{{3}}:item(), 3)
  lu.assertEquals(math.type(core.tensor({3}, "u8"):item()), "integer")
  lu.assertEquals(math.type(core.tensor(3):item()), "float")
  raises("expected one element, got [2, 3]", matrix().item, matrix())
  raises("expected one element", function() return core.zeros(0):item() end)
end

function TestReading.test_conversions_are_exact_or_refused()
  local x = core.tensor({0, 128, 255}, "u8")
  lu.assertEquals(x:real():totable(), {0, 128, 255})
  lu.assertEquals(x:to("i64"):dtype(), "i64")
  lu.assertTrue(rawequal(x:to("u8"), x))
  raises("element [2] is 0.5, which i32 cannot hold", function() core.tensor{1, 0.5}:to "i32" end)
  raises("element [1] is -1, which u8 cannot hold", function() core.tensor{-1}:to "u8" end)
  raises("or f64, got 'int'", x.to, x, "int")
  raises("string expected", x.to, x)
end

function TestReading.test_clone_has_memory_of_its_own_and_contiguous_only_where_needed()
  local x = matrix()
  lu.assertTrue(rawequal(x:contiguous(), x))
  lu.assertFalse(rawequal(x:t():contiguous(), x))
  lu.assertEquals(x:t():contiguous():view(6):totable(), {1, 4, 2, 5, 3, 6})
  lu.assertEquals(x:clone():totable(), x:totable())
end

function TestReading.test_order_raises_and_equality_is_identity()
  local x, y = matrix(), matrix()
  raises("x:lt(y)", function() return x < y end)
  raises("x:lt(y)", function() return 1 <= y end)
  lu.assertFalse(x == y)
  lu.assertTrue(x == x)
end

TestPrinting = {}

function TestPrinting.test_small_tensors_are_shown_in_full()
  local real = "tensor " .. REAL
  lu.assertEquals(tostring(core.tensor(3.5)), real .. " []: 3.5")
  lu.assertEquals(tostring(core.tensor{1, -2}), real .. " [2]: 1.0000  -2.0000")
  lu.assertEquals(tostring(core.tensor{{1, 2}, {-3, 14}}),
    real .. " [2, 2]\n  1.0000   2.0000\n -3.0000  14.0000")
  lu.assertEquals(tostring(core.tensor({{1, 20}}, "i32")), "tensor i32 [1, 2]\n  1  20")
  lu.assertEquals(tostring(core.zeros(0, 3)), real .. " [0, 3]")
  lu.assertEquals(tostring(core.tensor{{{1}}, {{2}}}),
    real .. " [2, 1, 1]\n[1, :, :]\n 1.0000\n[2, :, :]\n 2.0000")
  lu.assertEquals(tostring(core.tensor{0 / 0, math.huge, -math.huge}),
    real .. " [3]: nan  inf  -inf")
end

function TestPrinting.test_extreme_numbers_are_shown_with_exponents()
  lu.assertStrContains(tostring(core.tensor{1e-6, 2e-6}), "1.0000e-06  2.0000e-06")
  lu.assertStrContains(tostring(core.tensor{1e20}), "1.0000e+20")
  lu.assertStrContains(tostring(core.tensor{3e38}), "3.0000e+38")
end

function TestPrinting.test_large_tensors_show_their_corners()
  local text = tostring(core.arange(1, 1e6):view(1000, 1000))
  lu.assertTrue(#text < 3000)
  lu.assertStrContains(text, "[1000, 1000]")
  lu.assertStrContains(text, "...")
  lu.assertStrContains(tostring(core.arange(1, 100)), "5.0000  ...  96.0000")
  lu.assertTrue(#tostring(core.zeros(50, 20, 20, 20)) < 5000)
  lu.assertStrContains(tostring(core.zeros(5, 2, 2)), "... 3 more")
end

TestClosing = {}

function TestClosing.test_a_closed_tensor_says_so_and_twice_is_fine()
  local kept
  do
    local x <close> = matrix()
    kept = x
  end
  raises("tensor is closed", kept.sum, kept)
  raises("tensor is closed", kept.shape, kept)
  raises("tensor is closed", function() return kept[1] end)
  raises("tensor is closed", function() return 1 + kept end)
  lu.assertEquals(tostring(kept), "tensor (closed)")
  local release = getmetatable(kept).__gc
  release(kept)
  raises("bnn.tensor expected", release, io.stdout)
end

function TestClosing.test_a_view_outlives_what_it_looks_into()
  local view
  do
    local x <close> = matrix()
    view = x[2]
  end
  collectgarbage()
  lu.assertEquals(view:totable(), {4, 5, 6})
end

function TestClosing.test_methods_refuse_other_values()
  local x = matrix()
  for _, name in ipairs{"shape", "view", "item", "totable", "clone", "t"} do
    raises("bnn.tensor expected", x[name], 1)
    raises("bnn.tensor expected", x[name], io.stdout)
  end
end

TestModule = {}

function TestModule.test_every_function_and_method_is_documented()
  local documented = {}
  for _, doc in ipairs(core.docs()) do
    local name = doc.name:match "[^.:]+$"
    documented[doc.name] = true
    if doc.name:find "^bnn%." then documented[name] = true end
    lu.assertStrContains(doc.doc:match "[^\n]*", name .. "(")
  end
  for _, doc in ipairs(core.op_docs()) do
    documented[doc.name], documented["tensor:" .. doc.name] = true, true
    lu.assertStrContains(doc.doc, doc.name .. "(")
  end
  for name, value in pairs(core) do
    if type(value) == "function" then lu.assertTrue(documented[name], name) end
  end
  local values = {
    ["tensor:"] = core.tensor(1), ["key:"] = core.key(1), ["program:"] = core.recording(),
  }
  for prefix, value in pairs(values) do
    local index = getmetatable(value).__index
    local methods = type(index) == "table" and index or select(2, debug.getupvalue(index, 1))
    for name in pairs(methods) do lu.assertTrue(documented[prefix .. name], prefix .. name) end
  end
end

function TestModule.test_the_docs_returned_are_a_copy()
  core.docs()[1].name = "changed"
  lu.assertNotEquals(core.docs()[1].name, "changed")
end

function TestModule.test_context_functions()
  local threads = core.threads()
  lu.assertEquals(core.threads(2), 2)
  lu.assertEquals(core.threads(), 2)
  lu.assertTrue(core.threads(0) >= 1)
  raises("n: expected at least 0, got -1", core.threads, -1)
  raises("n: expected at most 256, got 257", core.threads, 257)
  core.threads(threads)
  core.stop()
  lu.assertTrue(core.stopped())
  core.resume()
  lu.assertFalse(core.stopped())
end

function TestModule.test_instruction_sets_can_be_set_and_a_wrong_one_names_those_there_are()
  local was = core.isa()
  for _, name in ipairs(core.isas()) do lu.assertEquals(core.isa(name), name) end
  raises("baseline", core.isa, "z80")
  lu.assertEquals(core.isa(was), was)
end

function TestModule.test_versions_name_the_libraries()
  local version = {}
  for _, v in ipairs(core.versions()) do version[v.name] = v.version end
  lu.assertStrContains(version.Lua, "5.4")
  lu.assertStrContains(version["real type"], REAL)
  for _, name in ipairs{"OpenBLAS", "zlib", "instruction set", "threads"} do
    lu.assertTrue(#version[name] > 0, name)
  end
end

function TestModule.test_opening_again_gives_the_same_classes()
  local open = package.preload["bnn.core"]
  local again = open and open("bnn.core") or core
  lu.assertEquals(again.tensor{1}:totable(), {1})
  lu.assertEquals((again.tensor{1} + core.tensor{2}):totable(), {3})
end

function TestModule.test_idx_files_that_are_missing_or_malformed_give_nil_and_a_message()
  local x, message = core.idx_read("/nonexistent/file")
  lu.assertNil(x)
  lu.assertStrContains(message, "/nonexistent/file")
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write("\0\0\8\1\0\0\0\3abc")
  file:close()
  lu.assertEquals(core.idx_read(name):totable(), {97, 98, 99})
  x, message = core.idx_read_pair(name, name)
  lu.assertNil(x)
  lu.assertStrContains(message, name)
  os.remove(name)
  raises("expected a path without a zero byte", core.idx_read, "a\0b")
  raises("string expected", core.idx_read, {})
  local labels = core.tensor({0, 9}, "i32")
  lu.assertTrue(core.idx_check_labels(labels, 10, "labels"))
  x, message = core.idx_check_labels(labels, 9, "labels")
  lu.assertNil(x)
  lu.assertStrContains(message, "labels")
end

os.exit(lu.LuaUnit.run(), true)
