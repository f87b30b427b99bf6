--- Calls of ops from Lua: inputs, attributes, operators, and what is refused.  (What each op
-- computes is tested in C, over the table.)
local lu = require "luaunit"
local core = require "bnn.core"

local ops = core.ops

local function raises(text, f, ...) lu.assertErrorMsgContains(text, f, ...) end
local function matrix() return core.tensor{{1, 2, 3}, {4, 5, 6}} end

TestOperators = {}

function TestOperators.test_numbers_stand_on_either_side()
  local x = core.tensor{1, 2, 4}
  local rows = {
    {x + 1, {2, 3, 5}}, {1 + x, {2, 3, 5}}, {x - 1, {0, 1, 3}}, {1 - x, {0, -1, -3}},
    {2 * x, {2, 4, 8}}, {x * 2, {2, 4, 8}}, {x / 2, {0.5, 1, 2}}, {4 / x, {4, 2, 1}},
    {x ^ 2, {1, 4, 16}}, {2 ^ x, {2, 4, 16}}, {-x, {-1, -2, -4}}, {x + x, {2, 4, 8}},
  }
  for i, row in ipairs(rows) do lu.assertAlmostEquals(row[1]:totable(), row[2], 1e-5, i) end
end

function TestOperators.test_shapes_are_broadcast()
  lu.assertEquals((matrix() + core.tensor{10, 20, 30}):totable(), {{11, 22, 33}, {14, 25, 36}})
  lu.assertEquals((matrix() * core.tensor{{1}, {2}}):totable(), {{1, 2, 3}, {8, 10, 12}})
  raises("shapes do not agree: add", function() return matrix() + core.tensor{1, 2} end)
  raises("[2, 3]", function() return matrix() + core.tensor{1, 2} end)
end

function TestOperators.test_other_values_are_refused()
  for _, bad in ipairs{"1", true, print, io.stdout} do
    raises("expected tensor, number or list of numbers", function() return matrix() + bad end)
    raises("expected tensor, number or list of numbers", function() return bad + matrix() end)
  end
  raises("got nil", function() return matrix() + nil end)
  raises("bitwise", function() return matrix() & 2 end)
  raises("wrong type of tensor: div", function() return core.tensor({1}, "u8") / 1 end)
end

function TestOperators.test_errors_carry_the_position_of_the_caller()
  local _, message = pcall(function() return matrix() + core.tensor{1, 2} end)
  lu.assertStrContains(message, "test_op.lua:")
  _, message = pcall(function() return matrix():sum(3) end)
  lu.assertStrContains(message, "test_op.lua:")
end

TestCalls = {}

function TestCalls.test_every_op_is_a_function_and_a_method()
  for _, doc in ipairs(core.op_docs()) do
    lu.assertEquals(type(ops[doc.name]), "function", doc.name)
    lu.assertEquals(type(matrix()[doc.name]), "function", doc.name)
  end
  lu.assertNil(ops.key_fold)
  lu.assertEquals(ops.exp(core.tensor{0}):totable(), {1})
  lu.assertEquals(core.tensor{0}:exp():totable(), {1})
  lu.assertEquals(ops.add(1, 2):item(), 3)
end

function TestCalls.test_lists_of_numbers_are_inputs()
  lu.assertEquals(core.tensor{1, 2}:add{3, 4}:totable(), {4, 6})
  lu.assertEquals(matrix():index{2}:totable(), {{4, 5, 6}})
  lu.assertEquals(#core.zeros(2, 4):cross_entropy{0, 3}, 2)
end

function TestCalls.test_too_few_and_too_many_arguments_are_refused()
  raises("bad argument #2", ops.add, 1)
  raises("bad argument #1", ops.exp)
  raises("'exp' takes no more arguments", ops.exp, 1, 2)
  raises("'sum' takes no more arguments", ops.sum, matrix(), 1, true, 5)
  lu.assertEquals(ops.exp(core.tensor(0), nil):item(), 1)
  raises("expected a value", ops.clamp, 1, 0)
end

function TestCalls.test_axes_count_from_one_and_from_the_end()
  local x = matrix()
  lu.assertEquals(x:sum():item(), 21)
  lu.assertEquals(x:sum(1):totable(), {5, 7, 9})
  lu.assertEquals(x:sum(-1):totable(), {6, 15})
  lu.assertEquals(x:sum({1, 2}):item(), 21)
  lu.assertEquals(x:sum({}, true):shape(), {1, 1})
  lu.assertEquals(x:sum(nil, true):shape(), {1, 1})
  lu.assertEquals(x:max(2, true):totable(), {{3}, {6}})
  lu.assertEquals(x:argmax(2):totable(), {3, 3})
  lu.assertEquals(x:softmax():sum(-1):shape(), {2})
  for _, bad in ipairs{0, 3, -3, math.maxinteger, math.mininteger} do
    raises("axis: expected 1 to 2 or -2 to -1, got " .. bad, x.sum, x, bad)
    raises("axis: expected 1 to 2 or -2 to -1, got " .. bad, x.sum, x, {bad})
    raises("axis: expected 1 to 2 or -2 to -1, got " .. bad, x.argmax, x, bad)
  end
  raises("axis 2 is repeated", x.sum, x, {2, -1})
  raises("expected a list of axes", x.sum, x, {axis = 1})
  raises("expected axes that are integers, got x", x.sum, x, {"x"})
  raises("axis or list of axes", x.sum, x, true)
  raises("expected boolean", x.sum, x, 1, 1)
  raises("no integer representation", x.sum, x, 1.5)
end

function TestCalls.test_reals_and_defaults()
  local x = core.tensor{-2, 2}
  lu.assertEquals(x:clamp(-1, 1):totable(), {-1, 1})
  lu.assertAlmostEquals(x:leaky_relu():totable(), {-0.02, 2}, 1e-6)
  lu.assertAlmostEquals(x:leaky_relu(0.5):totable(), {-1, 2}, 1e-6)
  raises("expected number", x.clamp, x, {}, 1)
end

function TestCalls.test_shapes_orders_and_ranges()
  local x = matrix()
  lu.assertEquals(ops.view(x, 3, -1):totable(), {{1, 2}, {3, 4}, {5, 6}})
  lu.assertEquals(ops.view(x, {6}):shape(), {6})
  lu.assertEquals(ops.permute(x, 2, 1):totable(), {{1, 4}, {2, 5}, {3, 6}})
  lu.assertEquals(ops.narrow(x, 2, -2, 2):totable(), {{2, 3}, {5, 6}})
  lu.assertEquals(ops.broadcast(core.tensor{1, 2}, {2, 2}):totable(), {{1, 2}, {1, 2}})
  raises("within 1..3, got", ops.narrow, x, 2, 3, 2)
  raises("expected a value", ops.narrow, x, 2)
  raises("expected number", ops.narrow, x, 2, 1)
  raises("'view' takes no more arguments", ops.view, x, {6}, 1)
end

function TestCalls.test_pairs_are_one_number_or_two()
  local x, w = core.ones(1, 1, 5, 7), core.ones(2, 1, 3, 2)
  local function sizes(...) return table.concat(ops.conv2d(x, w, {0, 0}, ...):shape(), " ") end
  lu.assertEquals(sizes(), "1 2 3 6")
  lu.assertEquals(sizes(2), "1 2 2 3")
  lu.assertEquals(sizes({1, 2}, {1, 0}), "1 2 5 3")
  lu.assertEquals(sizes(nil, 1), "1 2 5 8")
  lu.assertEquals(sizes(nil, nil, {2, 3}), "1 2 1 4")
  raises("dilation: expected 1 or more, got [0, 0]", ops.conv2d, x, w, {0, 0}, 1, 0, 0)
  local up = x:conv_transpose2d(core.ones(1, 3, 3, 2), {0, 0, 0}, 2, {1, 0}, 1, 1)
  lu.assertEquals(up:shape(), {1, 3, 10, 15})
  for _, bad in ipairs{0, -1, 1.5, {1, 1}} do
    raises("expected an integer of 1 or more, got", ops.conv2d, x, w, {0, 0}, 1, 0, 1, bad)
  end
  lu.assertEquals(x:max_pool2d(2):shape(), {1, 1, 2, 3})
  lu.assertEquals(x:max_pool2d({2, 3}, 1, {0, 1}):shape(), {1, 1, 4, 7})
  lu.assertEquals(x:avg_pool2d(2, nil, 1):shape(), {1, 1, 3, 4})
  for _, bad in ipairs{-1, 1.5, 2 ^ 31, math.mininteger} do
    raises("expected an integer of 0 or more, or a list of two, got", ops.conv2d, x, w, {0, 0}, bad)
    raises("expected an integer of 0 or more", ops.conv2d, x, w, {0, 0}, {1, bad})
  end
  raises("{rows, columns}", x.max_pool2d, x, {2})
  raises("or a list of two, got true", x.max_pool2d, x, true)
  raises("expected a value", x.max_pool2d, x)
  raises("expected 1 or more, got [2, 2] and [0, 1]", x.max_pool2d, x, 2, {0, 1})
end

function TestCalls.test_index_takes_positions_before_or_behind_the_axis()
  local x = matrix()
  local at = core.tensor({3, 1}, "i64")
  lu.assertEquals(x:index(2, at):totable(), {{3, 1}, {6, 4}})
  lu.assertEquals(x:index(at, 2):totable(), {{3, 1}, {6, 4}})
  lu.assertEquals(x:index({2, 2}):totable(), {{4, 5, 6}, {4, 5, 6}})
  lu.assertEquals(ops.index(x, at, -1):totable(), {{3, 1}, {6, 4}})
  raises("index or value out of range: index", x.index, x, {3})
  raises("index or value out of range: index", x.index, x, {0})
  lu.assertEquals(x:gather({{1}, {3}}, 2):totable(), {{1}, {6}})
end

function TestCalls.test_lists_of_tensors()
  local a, b = core.tensor{1, 2}, core.tensor{3, 4}
  lu.assertEquals(core.concat({a, b}, 1):totable(), {1, 2, 3, 4})
  lu.assertEquals(core.concat{a, b}:totable(), {1, 2, 3, 4})
  lu.assertEquals(a:concat(b):totable(), {1, 2, 3, 4})
  lu.assertEquals(core.concat{a, {7}, b}:totable(), {1, 2, 7, 3, 4})
  lu.assertEquals(core.concat{core.tensor({1}, "u8"), {2}}:dtype(), "u8")
  lu.assertEquals(core.stack({a, b}, 2):totable(), {{1, 3}, {2, 4}})
  lu.assertEquals(core.stack({a, b}, -1):totable(), {{1, 3}, {2, 4}})
  lu.assertEquals(core.stack{a, b}:totable(), {{1, 2}, {3, 4}})
  raises("tensors, got 0", core.concat, {})
  local many = {}
  for i = 1, 33 do many[i] = a end
  raises("expected a list of 1 to 32 tensors, got 33", core.concat, many)
  raises("got string", core.concat, {a, "x"})
  raises("list of tensors", core.concat, 1)
  raises("axis: expected 1 to 2 or -2 to -1, got 3", core.stack, {a, b}, 3)
  raises("axis: expected 1 to 1 or -1 to -1, got 2", core.concat, {a, b}, 2)
  raises("shapes do not agree: concat", core.concat, {matrix(), core.zeros(1, 2)})
end

function TestCalls.test_keys_are_inputs()
  local x, key = core.ones(1000), core.key(1)
  lu.assertEquals(x:dropout(key, 0):totable(), x:totable())
  local y = x:dropout(key, 0.5)
  lu.assertEquals(y:totable(), x:dropout(key, 0.5):totable())
  lu.assertNotEquals(y:totable(), x:dropout(core.key(2), 0.5):totable())
  raises("expected tensor, number or list of numbers", x.dropout, x, "key", 0.5)
end

function TestCalls.test_empty_tensors_go_through()
  lu.assertEquals(core.zeros(0, 3):exp():shape(), {0, 3})
  lu.assertEquals(core.zeros(0, 3):sum():item(), 0)
  lu.assertEquals(core.zeros(0, 3):mm(core.zeros(3, 2)):shape(), {0, 2})
end

os.exit(lu.LuaUnit.run(), true)
