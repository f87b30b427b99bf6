--- Recordings and programs: tracers, constants, replays, gradients, and how long values live.
local lu = require "luaunit"
local core = require "bnn.core"

local function raises(text, f, ...) lu.assertErrorMsgContains(text, f, ...) end

--- The program of `f` on whole inputs of these shapes.
local function record(shapes, f, options)
  local rec, inputs = core.recording(), {}
  for i, shape in ipairs(shapes) do inputs[i] = rec:input(shape) end
  return rec:finish({f(table.unpack(inputs))}, options), inputs
end

--- mean over the batch of (x w + b - y)^2, with w [3, 1] and b [1] as parameters.
local function regression(options)
  local rec = core.recording()
  local x, y = rec:rows{4, 3}, rec:rows{4, 1}
  local w, b = rec:param(0, {3, 1}), rec:param(3, {1})
  local loss = (x:linear(w, b) - y):square():sum(2)
  return rec:finish({loss}, options)
end

TestTracers = {}

function TestTracers.test_shape_questions_work()
  local rec <close> = core.recording()
  local x = rec:input{2, 3}
  lu.assertEquals({x:shape(), x:size(-1), x:dim(), #x, x:numel(), x:dtype()},
    {{2, 3}, 3, 2, 2, 6, core.tensor(0):dtype()})
  lu.assertStrContains(tostring(x), "[2, 3], being recorded")
  lu.assertEquals(rec:input({5}, "i32"):dtype(), "i32")
  lu.assertEquals(rec:input{}:shape(), {})
end

function TestTracers.test_reading_raises_with_the_line()
  local rec <close> = core.recording()
  local x, key = rec:input{3}, rec:key()
  local rows = {
    function() return x:item() end, function() return x:totable() end, function() return x[1] end,
    function() return x[{1}] end, function() return x < 1 end, function() return 1 <= x end,
    function() return core.tensor(x) end, function() return core.randn(key, 3) end,
    function() return key:bits() end, function() return key == core.key(1) end,
  }
  for i, f in ipairs(rows) do
    local ok, message = pcall(f)
    lu.assertFalse(ok, i)
    lu.assertTrue(message:find "test_program.lua:%d+: a value is read while recording: " ~= nil, i)
  end
end

function TestTracers.test_views_and_ops_give_what_they_give_eagerly()
  local key = core.key(3)
  local value = core.randn(key, 3, 4)
  local functions = {
    function(x) return x:view(4, 3) end, function(x) return x:view(-1) end,
    function(x) return x:reshape(2, 6) end, function(x) return x:narrow(2, 2, 2) end,
    function(x) return x:select(1, -1) end, function(x) return x:select(2, 3) end,
    function(x) return x:t() end, function(x) return x:permute(2, 1) end,
    function(x) return x:broadcast_to(2, 3, 4) end, function(x) return x[2] end,
    function(x) return x[{{}, 2}] end, function(x) return x[{{2, 3}, {-2, -1}}] end,
    function(x) return x[{{1}, {}}] end, function(x) return x[{}] + 0 end,
    function(x) return x:clone() + x:contiguous() end, function(x) return x:real() * 2 end,
    function(x) return 1 - x / 2 + (-x) ^ 2 end, function(x) return x:index{3, 1} end,
    function(x) return x:index(2, {4, 4}) end, function(x) return core.concat({x, x * 2}, 2) end,
    function(x) return core.stack({x, value}, 1) end, function(x) return x:max(1, true) end,
    function(x) return x:softmax() end, function(x) return x:mm(value:t()) end,
    function(x) return x:dropout(key, 0.5) end, function(x) return x:add{1, 2, 3, 4} end,
    function(x) return x:lt(0):where(x, 0) end,
  }
  for i, f in ipairs(functions) do
    local program = record({{3, 4}}, f)
    local out, gradient = program:run{value}
    lu.assertNil(gradient)
    lu.assertEquals(out[1]:totable(), f(value):totable(), i)
    lu.assertEquals(out[1]:shape(), f(value):shape(), i)
  end
end

function TestTracers.test_refused_calls_leave_the_recording_usable()
  local rec = core.recording()
  local x = rec:input{2, 3}
  raises("shapes do not agree: add", function() return x + core.tensor{1, 2} end)
  raises("axis: expected 1 to 2 or -2 to -1, got 3", x.sum, x, 3)
  raises("no op converts", x.to, x, "i32")
  raises("expected a matrix", function() return x:view(6):t() end)
  lu.assertEquals(rec:finish{x + 1}:run{core.zeros(2, 3)}[1]:sum():item(), 6)
end

function TestTracers.test_values_of_two_recordings_do_not_meet()
  local a <close> = core.recording()
  local b <close> = core.recording()
  local x, y, key = a:input{2}, b:input{2}, b:key()
  raises("it belongs to another recording", function() return x + y end)
  raises("it belongs to another recording", function() return x:dropout(key, 0.5) end)
  raises("it belongs to another recording", a.finish, a, {y})
  raises("it belongs to another recording", a.constant, a, y)
end

function TestTracers.test_values_die_with_their_recording()
  local ended = "this value belongs to a recording that has ended"
  for i, stop in ipairs{"finish", "abandon", "close"} do
    local rec = core.recording()
    local x, key = rec:input{2}, rec:key()
    if stop == "finish" then rec:finish{x + 1} end
    if stop == "abandon" then rec:abandon() end
    if stop == "close" then local _ <close> = rec end
    for _, f in ipairs{x.shape, x.sum, x.item, x.view, x.totable, x.clone} do
      raises(ended, f, x, 2)
    end
    raises(ended, function() return x + 1 end)
    raises(ended, function() return 1 - x end)
    raises(ended, function() return core.tensor{1} * x end)
    raises(ended, function() return x[1] end)
    raises(ended, function() return x < 1 end)
    raises(ended, function() return #x end)
    raises(ended, key.fold, key, 1)
    raises(ended, key.bits, key)
    raises(ended, core.rand, key, 1)
    raises(ended, core.ones(2).dropout, core.ones(2), key, 0.5)
    lu.assertStrContains(tostring(x), "ended", false, i)
  end
end

function TestTracers.test_a_value_keeps_its_recording_alive()
  local x = core.recording():input{2}
  collectgarbage()
  collectgarbage()
  lu.assertEquals((x + 1):shape(), {2})
end

TestRecording = {}

function TestRecording.test_inputs_are_checked()
  local rec <close> = core.recording()
  raises("table expected", rec.input, rec, 3)
  raises("dim 1: expected at least 0, got -1", rec.input, rec, {-1})
  raises("too large", rec.input, rec, {1 << 40, 1 << 40})
  raises("or f64, got 'x'", rec.input, rec, {1}, "x")
  raises("needs an axis of rows", rec.rows, rec, {})
  rec:rows{4, 2}
  raises("has 5 rows, another has 4", rec.rows, rec, {5, 2})
  raises("offset: expected at least 0, got -1", rec.param, rec, -1, {1})
  raises("at most", rec.param, rec, math.maxinteger, {1})
  raises("table expected", rec.param, rec, 0)
  raises("bad argument", rec.constant, rec)
  raises("bnn.program expected", rec.input, 1, {1})
end

function TestRecording.test_finish_is_checked()
  local rec <close> = core.recording()
  local x = rec:input{2}
  raises("expected an output at least", rec.finish, rec, {})
  raises("table expected", rec.finish, rec, x)
  raises("unknown option 'gradients'; known are gradient, wrt",
    rec.finish, rec, {x}, {gradients = true})
  raises("gradient: expected a boolean, got a number", rec.finish, rec, {x}, {gradient = 1})
  raises("wrt[1]: expected an input of the recording",
    rec.finish, rec, {x}, {gradient = true, wrt = {x + 1}})
  raises("wrt: expected a list of tracers", rec.finish, rec, {x}, {gradient = true, wrt = 1})
  raises("got string", rec.finish, rec, {"x"})
  raises("still being recorded", rec.run, rec, {})
  raises("still being recorded", rec.info, rec)
  lu.assertTrue(rawequal(rec:finish{x}, rec))
  raises("the recording has ended", rec.input, rec, {1})
  raises("the recording has ended", rec.finish, rec, {x})
end

function TestRecording.test_an_abandoned_recording_says_so_and_twice_is_fine()
  local rec = core.recording()
  rec:abandon()
  rec:abandon()
  raises("program is closed", rec.input, rec, {1})
  raises("program is closed", rec.run, rec, {})
  lu.assertStrContains(tostring(rec), "closed")
end

function TestRecording.test_constants_and_numbers_can_be_outputs()
  local rec = core.recording()
  local x = rec:input{}
  local c = rec:constant(core.tensor{1, 2})
  local out = rec:finish{c + x, c, core.tensor{3}, 4}:run{10}
  lu.assertEquals({out[1]:totable(), out[2]:totable(), out[3]:totable(), out[4]:item()},
    {{11, 12}, {1, 2}, {3}, 4})
end

TestRunning = {}

function TestRunning.test_inputs_are_given_in_the_order_they_were_made()
  local program = record({{2}, {}}, function(x, s) return x * s, x - s end)
  local out = program:run{core.tensor{1, 2}, 10}
  lu.assertEquals(out[1]:totable(), {10, 20})
  lu.assertEquals(out[2]:totable(), {-9, -8})
  lu.assertEquals(program:run{core.tensor{1, 2}, core.tensor(3)}[1]:totable(), {3, 6})
  lu.assertEquals(program:run{core.tensor{1, 2}, 5}[1]:totable(), {5, 10})
  lu.assertEquals(out[1]:totable(), {10, 20}) -- outputs of a run are its own
end

function TestRunning.test_views_are_inputs()
  local program = record({{3, 2}}, function(x) return x + 0 end)
  local x = core.tensor{{1, 2, 3}, {4, 5, 6}}
  lu.assertEquals(program:run{x:t()}[1]:totable(), {{1, 4}, {2, 5}, {3, 6}})
end

function TestRunning.test_wrong_inputs_name_both_shapes()
  local program = record({{2, 3}, {}}, function(x, s) return x * s end)
  local x = core.zeros(2, 3)
  local real = core.tensor(0):dtype()
  raises("input 1: expected " .. real .. " [2, 3], as it was recorded, got " .. real .. " [3, 2]",
    program.run, program, {core.zeros(3, 2), 1})
  raises("as it was recorded, got u8 [2, 3]", program.run, program, {core.zeros(2, 3, "u8"), 1})
  raises("as it was recorded, got a number", program.run, program, {1, 1})
  raises("as it was recorded, got a nil", program.run, program, {x})
  raises("as it was recorded, got a string", program.run, program, {x, "1"})
  raises("as it was recorded, got " .. real .. " [1]", program.run, program, {x, core.tensor{1}})
  raises("as it was recorded, got a userdata", program.run, program, {x, core.key(1)})
  raises("table expected", program.run, program, x)
  raises("unknown option 'sede'; known are theta, gradient, seed",
    program.run, program, {x, 1}, {sede = 1})
  raises("finished without gradient", program.run, program, {x, 1}, {gradient = true})
  raises("seed: expected a number, got a string", program.run, program, {x, 1}, {seed = "1"})
  local rec <close> = core.recording()
  raises("a value is read while recording", program.run, program, {rec:input{2, 3}, 1})
end

function TestRunning.test_labels_are_checked_when_they_are_known()
  local rec = core.recording()
  local logits, labels = rec:rows{2, 3}, rec:rows({2}, "i32")
  local program = rec:finish{logits:cross_entropy(labels)}
  local x = core.zeros(2, 3)
  lu.assertAlmostEquals(program:run{x, core.tensor({0, 2}, "i32")}[1][1], math.log(3), 1e-6)
  raises("index or value out of range", program.run, program, {x, core.tensor({0, 3}, "i32")})
  raises("index or value out of range", program.run, program, {x, core.tensor({-1, 0}, "i32")})
  lu.assertAlmostEquals(program:run{x, core.tensor({0, 2}, "i32")}[1][1], math.log(3), 1e-6)
end

function TestRunning.test_keys_are_folded_inside_as_outside()
  local rec = core.recording()
  local x, key = rec:input{100}, rec:key()
  local split = key:split(3)
  local program = rec:finish{
    x:dropout(key:fold "a":fold(-3), 0.5), x:dropout(split[2], 0.5), x:dropout(core.key(5), 0.5),
  }
  local ones = core.ones(100)
  for seed = 1, 3 do
    local k = core.key(seed)
    local out = program:run{ones, k}
    lu.assertEquals(out[1]:totable(), ones:dropout(k:fold "a":fold(-3), 0.5):totable())
    lu.assertEquals(out[2]:totable(), ones:dropout(k:split(3)[2], 0.5):totable())
    lu.assertEquals(out[3]:totable(), ones:dropout(core.key(5), 0.5):totable())
  end
end

function TestRunning.test_parameters_come_from_theta()
  local program = regression()
  local x, y = core.randn(core.key(1), 4, 3), core.randn(core.key(2), 4, 1)
  local theta = core.randn(core.key(3), 4)
  local w, b = theta:narrow(1, 1, 3):view(3, 1), theta:narrow(1, 4, 1)
  local want = (x:linear(w, b) - y):square():sum(2)
  lu.assertEquals(program:run({x, y}, {theta = theta})[1]:totable(), want:totable())
  raises("theta: expected the 4 parameters of the program, got none", program.run, program, {x, y})
  raises("[4], got ", program.run, program, {x, y}, {theta = core.zeros(3)})
  raises("[4], got ", program.run, program, {x, y}, {theta = core.zeros(4, 1)})
  raises("got i32 [4]", program.run, program, {x, y}, {theta = core.zeros(4, "i32")})
  raises("theta: expected a tensor, got a table", program.run, program, {x, y}, {theta = {}})
  raises("input 3 is a parameter", program.run, program, {x, y, x}, {theta = theta})
end

TestGradients = {}

function TestGradients.test_of_inputs_come_in_the_order_of_wrt()
  local rec = core.recording()
  local x, y = rec:input{3}, rec:input{}
  local program = rec:finish({(x:square() * y):sum()}, {gradient = true, wrt = {y, x}})
  local out, gradients = program:run{core.tensor{1, 2, 3}, 2}
  lu.assertEquals(out[1]:item(), 28)
  lu.assertEquals(gradients[1]:item(), 14)
  lu.assertEquals(gradients[2]:totable(), {4, 8, 12})
  out, gradients = program:run({core.tensor{1, 2, 3}, 2}, {seed = 0.5})
  lu.assertEquals({out[1]:item(), gradients[2]:totable()}, {28, {2, 4, 6}})
  out, gradients = program:run({core.tensor{1, 2, 3}, 2}, {gradient = false})
  lu.assertEquals(out[1]:item(), 28)
  lu.assertNil(gradients)
end

function TestGradients.test_of_parameters_are_one_flat_tensor()
  local program = regression{gradient = true}
  local x, y = core.randn(core.key(1), 4, 3), core.randn(core.key(2), 4, 1)
  local theta = core.randn(core.key(3), 4)
  local out, gradient = program:run({x, y}, {theta = theta, seed = 1 / 4})
  lu.assertEquals(out[1]:shape(), {4})
  lu.assertEquals(gradient:shape(), {4})
  local residual = x:linear(theta:narrow(1, 1, 3):view(3, 1), theta:narrow(1, 4, 1)) - y
  local want = core.concat{(x:t():mm(residual) / 2):view(3), residual:sum():view(1) / 2}
  lu.assertAlmostEquals(gradient:totable(), want:totable(), 1e-5)
end

function TestGradients.test_of_unused_parameters_are_zero()
  local rec = core.recording()
  local a = rec:param(2, {2})
  rec:param(0, {2})
  local program = rec:finish({a:square():sum()}, {gradient = true})
  local _, gradient = program:run({}, {theta = core.tensor{1, 2, 3, 4, 5}})
  lu.assertEquals(gradient:totable(), {0, 0, 6, 8, 0})
end

function TestGradients.test_of_parameters_and_inputs_together()
  local rec = core.recording()
  local x, w = rec:input{2}, rec:param(0, {2})
  local program = rec:finish({(x * w):sum()}, {gradient = true, wrt = {w, x}})
  local _, gradients = program:run({core.tensor{1, 2}}, {theta = core.tensor{3, 4}})
  lu.assertEquals({gradients[1]:totable(), gradients[2]:totable()}, {{1, 2}, {3, 4}})
end

function TestGradients.test_of_integers_are_refused()
  local rec <close> = core.recording()
  local x = rec:input{3}
  raises("wrong type of tensor", rec.finish, rec, {x:argmax()}, {gradient = true})
end

TestInfo = {}

function TestInfo.test_info_says_what_was_made()
  local info = regression{gradient = true}:info()
  lu.assertTrue(info.has_rows)
  lu.assertTrue(info.gradient)
  lu.assertNil(info.mixed_by)
  lu.assertEquals(info.params, 4)
  lu.assertEquals(info.inputs, 4)
  lu.assertEquals(info.flops, 12)
  lu.assertTrue(info.ops >= 4 and info.bytes > 0)
end

function TestInfo.test_an_op_that_mixes_rows_is_named()
  local rec = core.recording()
  local x = rec:rows{4, 2}
  local info = rec:finish{x - x:mean(1)}:info()
  lu.assertFalse(info.has_rows)
  lu.assertEquals(info.mixed_by, "mean")
end

os.exit(lu.LuaUnit.run(), true)
