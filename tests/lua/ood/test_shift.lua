--- Shifted images (bnn.shift): what the options mean, and the report of how a network takes them.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local core = require "bnn.core"

local shift, key = bnn.shift, bnn.key(11)

-- Two different images of 28 x 28.
local function some_images() return (core.glyphs("digits", key, 1, 2)) end

TestShift = {}

function TestShift.test_severity_0_is_the_identity()
  local x = some_images()
  for _, name in ipairs(shift.names) do
    local y = shift[name](x, {key = key, severity = 0})
    bits.assert_same(y, x, name)
  end
end

function TestShift.test_a_severity_is_its_documented_amount()
  local amounts = {
    rotate = {"degrees", 15, 30, 45, 60, 75}, translate = {"pixels", 1, 2, 3, 4, 5},
    noise = {"std", 0.1, 0.2, 0.3, 0.4, 0.5}, blur = {"sigma", 1, 1.5, 2, 2.5, 3},
    contrast = {"factor", 0.75, 0.6, 0.45, 0.3, 0.15}, occlude = {"side", 6, 9, 12, 15, 18},
  }
  local small = some_images():real() / 255
  local wide = bnn.concat({small, small:narrow(3, 1, 4)}, 3) -- [2, 28, 32]
  local large = bnn.concat({wide, wide}, 2) -- [2, 56, 32]: the shorter side is 32
  for name, row in pairs(amounts) do
    for severity = 1, 5 do
      local amount = row[severity + 1]
      lu.assertEquals({shift.amount(name, severity)}, {amount, row[1]})
      local by_severity = shift[name](small, {key = key, severity = severity})
      bits.assert_same(by_severity, shift[name](small, {key = key, [row[1]] = amount}), name)
      bits.assert_differ(by_severity, small, name)
      local in_pixels = name == "translate" or name == "blur" or name == "occlude"
      amount = in_pixels and amount * 32 / 28 or amount
      bits.assert_same(shift[name](large, {key = key, severity = severity}),
        shift[name](large, {key = key, [row[1]] = amount}), name)
    end
  end
end

function TestShift.test_channels_and_types_stay_as_they_are()
  local x = some_images()
  for _, name in ipairs(shift.names) do
    local y = shift[name](x, {key = key, severity = 2})
    lu.assertEquals({y:dtype(), y:shape()}, {"u8", {2, 28, 28}})
    local colours = x:view(2, 1, 28, 28):broadcast_to(2, 3, 28, 28) -- strided
    local z = shift[name](colours, {key = key, severity = 2})
    lu.assertEquals(z:shape(), {2, 3, 28, 28})
    bits.assert_same(z:select(2, 1), y, name)
    if name ~= "noise" then bits.assert_same(z:select(2, 3), y, name) end
    local real = shift[name](x:real() / 255, {key = key, severity = 2})
    lu.assertEquals(real:dtype(), bnn.zeros(1):dtype())
  end
end

function TestShift.test_draws_depend_on_the_key_and_not_on_threads_or_severity()
  local x = core.glyphs("digits", key, 1, 50)
  local threads = bnn.threads()
  for _, name in ipairs(shift.names) do
    local y = shift[name](x, {key = key, severity = 3})
    bnn.threads(3)
    bits.assert_same(shift[name](x, {key = key, severity = 3}), y, name)
    bnn.threads(threads)
    local other = shift[name](x, {key = key:fold(1), severity = 3})
    lu.assertEquals(bits.same(other, y), name == "blur" or name == "contrast", name)
  end
  -- all to one side without a key, and with one each to a side that stays
  local left = shift.rotate(x, {degrees = 20})
  bits.assert_differ(left, shift.rotate(x, {degrees = -20}))
  for i = 1, 50 do
    local function turned(degrees, k, j)
      return shift.rotate(x, {degrees = degrees, key = k}):narrow(1, j, 1)
    end
    local is_left = bits.same(turned(20, key, i), left:narrow(1, i, 1))
    bits.assert_same(turned(50, key, i), turned(is_left and 50 or -50, nil, i))
    if i == 3 then break end
  end
end

function TestShift.test_nan_goes_in_and_comes_out()
  local x = bnn.full({1, 28, 28}, 0 / 0)
  for _, name in ipairs(shift.names) do
    local y = shift[name](x, {key = key, severity = 5})
    local middle = y:select(1, 1):select(1, 14)[14]
    lu.assertNotEquals(middle, middle, name)
  end
end

function TestShift.test_misuse_is_named_at_the_line_of_the_caller()
  local x = some_images()
  local function raises(text, f, ...)
    bits.raises({"test_shift.lua:", text}, f, ...)
  end
  local function call(name, ...)
    local args = table.pack(...)
    return function() return (shift[name](table.unpack(args, 1, args.n))) end
  end
  raises("bnn.shift.rotate: expected severity= or degrees=, got neither", call("rotate", x,
    {key = key}))
  raises("bnn.shift.blur: expected severity= or sigma=, got both",
    call("blur", x, {severity = 1, sigma = 1}))
  raises("shift.noise: key: expected", call("noise", x, {severity = 1}))
  raises("shift.noise: index or value out of range: std of noise: expected 0 to 1000, got -1",
    call("noise", x, {key = key, std = -1}))
  raises("severity: expected at most 5", call("rotate", x, {severity = 6}))
  raises("severity: expected an integer, got 1.5", call("rotate", x, {severity = 1.5}))
  raises("did you mean 'degrees'", call("rotate", x, {degree = 10}))
  raises("bnn.shift.rotate: x: expected a tensor [n, h, w] or [n, channels, h, w], got nil",
    call("rotate", nil, {severity = 1}))
  raises("x: expected [n, h, w] or [n, channels, h, w], got [28, 28]",
    call("blur", x:select(1, 1), {severity = 1}))
  raises("x: expected [n, h, w] or [n, channels, h, w], got [4]",
    call("blur", bnn.zeros(4), {severity = 1}))
  raises("x: image 1: expected values 0 to 1, got ", call("blur", x:real(), {severity = 1}))
  raises("x: expected u8 or", call("blur", x:to "i32", {severity = 1}))
  raises("bnn.shift.amount: name: expected one of rotate,", function() shift.amount("turn", 1) end)
  raises("severity: expected an integer from 0 to 5, got 9", function() shift.amount("rotate",
    9) end)
  for _, side in ipairs{"28", -1, 0 / 0} do
    raises("shift.amount: side: expected a number of pixels, got ", function() shift.amount("blur",
      1, side) end)
  end
end

-- ---- the report ----

-- Says class 1 with the probability of the mean pixel, so that everything can be told by hand.
local function predict(x)
  local p = x:real():mean(-1):mean(-1) / 255
  local mean = bnn.concat({(1 - p):reshape(#p, 1), p:reshape(#p, 1)}, 2)
  return {mean = mean, mutual_information = p * 2}
end

local function bright(level) return bnn.full({4, 28, 28}, level, "u8") end

TestEvaluate = {}

function TestEvaluate.test_a_row_for_each_shift_and_severity_and_one_for_none()
  local x = bnn.concat({bright(204), bright(51)}, 1)
  local y = bnn.tensor({1, 1, 1, 1, 0, 0, 0, 1}, "i32")
  local log = bnn.log.memory()
  local report = shift.evaluate{
    predict = predict, data = {x = x, y = y}, key = key, log = log, step = 7, figures = "",
    shifts = {"contrast", "occlude"}, severities = {5, 1},
  }
  local seen = {}
  for i, row in ipairs(report.results) do
    seen[i] = ("%s %d %s"):format(row.shift, row.severity, row.amount or "")
  end
  lu.assertEquals(seen, {"none 0 ", "contrast 1 factor 0.75", "contrast 5 factor 0.15",
                         "occlude 1 side 6", "occlude 5 side 18"})
  local none, occluded = report.results[1], report.results[5]
  lu.assertEquals(none.accuracy, 7 / 8)
  lu.assertAlmostEquals(none.nll, -(7 * math.log(0.8) + math.log(0.2)) / 8, 1e-6)
  lu.assertAlmostEquals(none.ece, 7 / 8 - 0.8, 1e-6)
  lu.assertAlmostEquals(none.mutual_information, 1, 1e-6)
  -- of even images contrast leaves everything, and a square takes its share of the mean
  lu.assertEquals(report.results[3].nll, none.nll)
  local share = 1 - (18 / 28) ^ 2
  lu.assertAlmostEquals(occluded.mutual_information, share, 1e-6)
  lu.assertEquals(occluded.accuracy, 3 / 8) -- 0.8 * share < 1/2
  lu.assertEquals({log:last "shift/occlude/5/accuracy"}, {3 / 8, 7})
  lu.assertEquals({log:last "shift/none/0/nll"}, {none.nll, 7})
  lu.assertEquals({#log.blocks, #report:rows()}, {1, 20})
  local text = report:text()
  lu.assertEquals(tostring(report), text)
  lu.assertStrContains(text, "shift     severity  amount       accuracy     nll     ece")
  lu.assertStrContains(text, "mutual information")
  lu.assertStrContains(text, "occlude          5  side 18        0.3750")
  lu.assertEquals(report.figures, {})
end

function TestEvaluate.test_all_shifts_and_severities_with_the_draws_of_the_functions()
  local x, seen = some_images(), {}
  local data = {x = x, y = bnn.tensor({0, 1}, "i32")}
  local report = shift.evaluate{data = data, key = key, predict = function(images)
    seen[#seen + 1] = images
    return bnn.full({2, 2}, 0.5) -- probabilities will do
  end}
  lu.assertEquals({#report.results, #seen}, {31, 31})
  bits.assert_same(seen[1], x)
  bits.assert_same(seen[4], shift.rotate(x, {key = key, severity = 3}))
  bits.assert_same(seen[31], shift.occlude(x, {key = key, severity = 5}))
  lu.assertNil(report.results[1].mutual_information)
  lu.assertNil(report:text():find "mutual")
  lu.assertEquals(#report:rows(), 31 * 3)
end

function TestEvaluate.test_a_figure_for_each_metric()
  lu.skipIf(not core.run_program{"gnuplot", "-V"}, "no gnuplot")
  local figures = os.tmpname()
  os.remove(figures)
  local report = shift.evaluate{
    predict = predict, data = {x = bright(204), y = bnn.tensor({1, 1, 1, 0}, "i32")}, key = key,
    shifts = {"blur", "noise"}, severities = {2}, figures = figures, title = "a network",
  }
  local names = {}
  for name in pairs(core.list_dir(figures)) do names[#names + 1] = name end
  table.sort(names)
  lu.assertEquals(names, {"shift_accuracy.svg", "shift_ece.svg", "shift_mutual_information.svg",
                          "shift_nll.svg"})
  lu.assertEquals({#report.figures, report.figures[2]}, {4, figures .. "/shift_nll.svg"})
  local file = io.open(report.figures[4])
  local svg = file:read "a"
  file:close()
  for _, text in ipairs{"blur", "noise", "severity", "a network", "mutual information (nats)"} do
    lu.assertStrContains(svg, text)
  end
  os.execute("rm -rf " .. figures)
end

function TestEvaluate.test_misuse_is_named()
  local good = {predict = predict, key = key, data = {x = bright(1), y = bnn.tensor({1, 1, 1, 0})}}
  local function raises(text, changes)
    local opts = {}
    for k, v in pairs(good) do opts[k] = v end
    for k, v in pairs(changes) do opts[k] = v or nil end
    local pieces = {"test_shift.lua:", "shift.evaluate: " .. text}
    bits.raises(pieces, function() shift.evaluate(opts) end)
  end
  raises("predict: expected", {predict = false})
  raises("key: expected", {key = false})
  raises("data: expected a table, got 3", {data = 3})
  raises("data.x: expected images, got nil", {data = {}})
  raises("data: expected labels [4], got [1]", {data = {x = bright(1), y = {0}}})
  raises("data.y: expected labels, got nothing", {data = {x = bright(1)}})
  raises("shifts: expected one of rotate, translate", {shifts = {"turn"}})
  raises("severities: expected at least 1", {severities = {0}})
  raises("shifts: expected at least one, got none", {shifts = {}})
  raises("severities: expected at least one, got none", {severities = {}})
  raises("shifts names blur twice", {shifts = {"blur", "noise", "blur"}})
  raises("severities names 2 twice", {severities = {2, 2}})
  raises("bnn.log: expected a function of (step, rows) or", {log = 5})
  raises("unknown option 'figure': did you mean 'figures'?", {figure = "x"})
end

os.exit(lu.LuaUnit.run(), true)
