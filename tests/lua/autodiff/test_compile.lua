--- Compiled functions: the bits of eager work, what they report, when they are recorded again; and
--- gradients against central differences.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local core = require "bnn.core"

local raises = bits.raises
local key = bnn.key(11)
local nn = bnn.nn

-- What f writes to stderr.
local function stderr_of(f, ...)
  local was, text = io.stderr, {}
  io.stderr = {write = function(_, ...) -- luacheck: ignore 122
    for _, part in ipairs{...} do text[#text + 1] = part end
  end}
  local ok, fault = pcall(f, ...)
  io.stderr = was -- luacheck: ignore 122
  if not ok then error(fault, 0) end
  return table.concat(text)
end

local function sink()
  local text = {}
  return {write = function(_, ...)
    for _, part in ipairs{...} do text[#text + 1] = part end
  end}, text
end

TestBits = {}

local net = nn.sequential{nn.linear(16), nn.tanh(), nn.dropout(0.4), nn.linear(5)}
local wide = bnn.transform(function(x)
  local h = nn.linear(8)(x)
  return nn.linear(3)(h:relu() + nn.linear(8)(x):softplus()), h
end)

-- Functions of x [n, 6], labels [n] of 5 classes and a key.
local functions = {
  affine = function(x) return x * 2 - 1 end,
  elementwise = function(x) return (x:exp():log1p():sqrt() / 3 + x:sigmoid() ^ 2):tanh() end,
  sums = function(x) return x:sum(), x:sum(1), x:mean(2, true), x:max(1), x:min(2) end,
  spreads = function(x) return x:var(), x:std(1), x:std(2, true, 1), x:var({1, 2}, false, 1) end,
  logs = function(x) return x:logsumexp(2), x:logsumexp(), x:log_softmax(-1), x:softmax(1) end,
  shapes = function(x)
    return bnn.concat({x, x:t():t()}, 2), x:reshape(-1), x[{{1, 2}, {}}], x[1]
  end,
  products = function(x) return x:mm(x:t()):mm(x) end,
  choices = function(x) return bnn.where(x:gt(0), x, -x), x:clamp(-1, 1), x:argmax(2) end,
  losses = function(x, y) return x[{{}, {1, 5}}]:cross_entropy(y) end,
  noise = function(x, _, k) return bnn.randn_like(x, k) * x + x:rand_like(k:fold "u") end,
  dropout = function(x, _, k) return x:dropout(k:fold(3), 0.25) end,
  loops = function(x, _, k)
    for i = 1, 3 do x = (x + bnn.randn_like(x, k:fold(i))):tanh() end
    return x
  end,
}

local function inputs(n)
  local x = bnn.randn(key:fold(n), n, 6)
  local y = (x[{{}, {1, 5}}]:argmax(2):real() - 1):to "i32"
  return x, y, key:fold "noise"
end

local function assert_same_results(got, want, why)
  lu.assertEquals(got.n, want.n, why)
  for i = 1, want.n do bits.assert_same(got[i], want[i], why .. ", result " .. i) end
end

function TestBits.test_a_compiled_function_has_the_bits_of_eager_work()
  for name, f in pairs(functions) do
    local compiled = bnn.compile(f)
    for _, n in ipairs{2, 7, 64, 7} do
      local x, y, k = inputs(n)
      local want = table.pack(f(x, y, k))
      assert_same_results(table.pack(compiled(x, y, k)), want, name .. " of " .. n)
      assert_same_results(table.pack(compiled(x, y, k)), want, name .. " again")
    end
    lu.assertEquals(#compiled:info(), 3, name)
  end
end

function TestBits.test_a_compiled_network_has_the_bits_of_apply()
  for i, one in ipairs{net, wide, nn.mlp{12, 12, 3}} do
    local x = inputs(33)
    local params = one:init(key:fold "init", x)
    for _, train in ipairs{false, true} do
      local function f(p, a, k) return one:apply(p, a, {key = k, train = train}) end
      assert_same_results(table.pack(bnn.compile(f)(params, x, key)), table.pack(f(params, x, key)),
        "net " .. i)
    end
  end
end

-- A loss with everything random in it.
local function loss(p, x, y, k)
  local scores = net:apply(p, x, {key = k, train = true})
  scores = scores + 0.1 * bnn.randn_like(scores, k:fold "scores")
  return scores:cross_entropy(y):mean(), scores:std()
end

function TestBits.test_a_compiled_gradient_has_the_bits_of_the_gradient()
  for _, n in ipairs{3, 50} do
    local x, y, k = inputs(n)
    local params = net:init(key:fold "init", x)
    local f = bnn.value_and_grad(loss)
    local compiled = bnn.compile(f)
    for step = 1, 3 do
      local value, gradient, spread = f(params, x, y, k:fold(step))
      local value2, gradient2, spread2 = compiled(params, x, y, k:fold(step))
      bits.assert_same(value2, value)
      bits.assert_same(gradient2, gradient)
      bits.assert_same(spread2, spread)
      params = params - 0.5 * gradient
    end
  end
end

TestDifferences = {}

-- The slope of f's first result along `direction` at p, by central differences.
local function slope(f, p, direction, h)
  return (f(p + h * direction):item() - f(p - h * direction):item()) / (2 * h)
end

local function dot(a, b) return (a.flat * b.flat):sum():item() end

-- Errors of the differences: h^2 in truncation, eps / h in rounding.
function TestDifferences.test_gradients_are_the_slopes_along_random_directions()
  local double = core.real == "f64"
  local h, tolerance = double and 1e-5 or 1e-2, double and 1e-8 or 5e-3
  local x, y, k = inputs(20)
  local params = net:init(key:fold "init", x)
  local layout = bnn.params.layout_of(params)
  local losses = {
    noisy = function(p) return (loss(p, x, y, k)) end,
    spread = function(p) return net:apply(p, x):std(1):sum() end,
    scale = function(p)
      return (net:apply(p, x) * bnn.randn_like(x[{{}, {1, 5}}], k)):logsumexp()
    end,
  }
  for name, f in pairs(losses) do
    local gradient = bnn.compile(bnn.grad(f))(params)
    for i = 1, 3 do
      local direction = bnn.params.new(layout, bnn.randn(key:fold(i), params:numel()))
      local want, got = slope(f, params, direction, h), dot(gradient, direction)
      lu.assertTrue(math.abs(got - want) <= tolerance * (1 + math.abs(want)),
        ("%s, direction %d: %.12g, differences say %.12g"):format(name, i, got, want))
    end
  end
end

TestReport = {}

local function place_of(f)
  local info = debug.getinfo(f, "S")
  return ("function at %s:%d"):format(info.short_src, info.linedefined)
end

function TestReport.test_info_says_what_each_program_is()
  local function f(p, batch) return (batch.x:mm(p.w) - batch.y):square():mean(2) * p.scale end
  local compiled = bnn.compile(bnn.value_and_grad(function(p, batch) return f(p, batch):mean() end))
  lu.assertEquals(compiled:info(), {})
  local p = {w = bnn.ones(3, 2), scale = 2}
  compiled(p, {x = bnn.ones(8, 3), y = bnn.ones(8, 2)})
  compiled(p, {x = bnn.ones(5, 3), y = bnn.ones(5, 2)})
  local list = compiled:info()
  lu.assertEquals(#list, 2)
  local info = list[1]
  lu.assertEquals({info.ops, info.flops, info.gradient, info.mixer, info.batch},
    {6, 8 * 3 * 2, true, "mean over all axes", {rows = 8, arguments = {2}}})
  local texts = {}
  for i, input in ipairs(info.inputs) do
    texts[i] = ("%d %s %s [%s]"):format(input.argument, input.path, input.type,
      table.concat(input.shape, ", "))
  end
  local real = core.real
  lu.assertEquals(texts, {"1 scale number []", "1 w " .. real .. " [3, 2]",
    "2 x " .. real .. " [8, 3]", "2 y " .. real .. " [8, 2]"})
  lu.assertEquals(info.outputs, {{type = real, shape = {}}})
  lu.assertTrue(info.buffers >= info.ops and info.bytes >= info.buffers * 4)
  lu.assertEquals(list[2].batch.rows, 5)
end

function TestReport.test_the_op_that_mixes_rows_is_named()
  local x, w = bnn.ones(4, 3), bnn.ones(3, 3)
  local rows = {
    {nil, function(a) return a:softmax(2):sum(2) end},
    {"softmax over axis 1", function(a) return a:softmax(1) end},
    {"mean over axes 1, 2", function(a) return a:exp():mean({1, 2}) end},
    {"sum over all axes", function(a) return a:sum() end},
    {"permute", function(a) return a:t() end},
    {nil, function(a) return a:mm(w) end}, {"mm", function(a) return bnn.ones(2, 4):mm(a) end},
  }
  for i, row in ipairs(rows) do
    local f = bnn.compile(row[2])
    f(x)
    lu.assertEquals(f:info()[1].mixer, row[1], "row " .. i)
  end
  local f = bnn.compile(function(a, b, c) return a:mm(b) + c end, {batch = {1, 3}})
  f(x, w, bnn.ones(4, 3))
  lu.assertEquals(f:info()[1].batch, {rows = 4, arguments = {1, 3}})
  lu.assertNil(f:info()[1].mixer)
  raises('bnn.compile: batch: number of an argument: expected an integer, got "x"', bnn.compile,
    print, {batch = "x"})
  raises("batchs", bnn.compile, print, {batchs = 2})
end

function TestReport.test_report_prints_a_table_and_tostring_a_line()
  local function f(a, b) return a:mm(b):softmax(1) end
  local compiled, out, text = bnn.compile(f), sink()
  local name = "compiled " .. place_of(f)
  lu.assertEquals(tostring(compiled), name .. ": 0 programs, recorded 0 times")
  compiled(bnn.ones(4, 3), bnn.ones(3, 2))
  lu.assertEquals(tostring(compiled), name .. ": 1 program, recorded 1 time")
  local list = compiled:report{out = out}
  lu.assertEquals(#list, 1)
  text = table.concat(text)
  for _, piece in ipairs{
    tostring(compiled) .. "\nprogram 1: 2 ops in 4 buffers of " .. list[1].bytes
      .. " bytes, 24 multiply-adds\n",
    "argument  type  shape\n", "  1         " .. core.real .. "   [4, 3]\n",
    "  -> 1      " .. core.real .. "   [4, 2]\n",
    "  the batch of 3 rows, argument 2, is mixed by mm: an objective splits each op by itself\n",
  } do lu.assertStrContains(text, piece) end
  local out2, text2 = sink()
  local kept = bnn.compile(function(x) return x * 2 end)
  kept(bnn.ones(6))
  kept:report{out = out2}
  lu.assertStrContains(table.concat(text2), "6 rows, argument 1, keeps its rows separate")
  lu.assertStrContains(tostring(bnn.compile(math.sin)), "a C function")
end

TestNotice = {}

function TestNotice.test_the_ninth_recording_says_what_changed_and_what_helps()
  local function f(p, x) return p.w * x end
  local compiled = bnn.compile(f)
  local function call(n) return stderr_of(compiled, {w = 2}, bnn.ones(n)) end
  for n = 1, 8 do lu.assertEquals(call(n), "") end
  for n = 1, 8 do lu.assertEquals(call(n), "") end -- known shapes
  local line = call(9)
  for _, piece in ipairs{
    "bnn.compile: " .. place_of(f) .. " was recorded 9 times",
    ("argument 2 was %s [8], now %s [9]; pad to one shape"):format(core.real, core.real),
    "drop_last",
  } do lu.assertStrContains(line, piece) end
  lu.assertEquals(select(2, line:gsub("\n", "")), 1)
  for n = 10, 17 do lu.assertEquals(call(n), "") end
  lu.assertStrContains(call(18), "was recorded 18 times")
  lu.assertEquals(call(19), "")
end

-- The line after the ninth of these argument lists.
local function notice_for(f, argument)
  local compiled, line = bnn.compile(f), nil
  for i = 1, 9 do line = stderr_of(compiled, table.unpack(argument(i))) end
  return line
end

function TestNotice.test_it_names_fields_functions_strings_and_structure()
  local x = bnn.ones(3)
  local rows = {
    {"argument 1 (w.b) was f32 [8], now f32 [9]", function(p) return p.w.b end,
     function(i) return {{w = {a = x, b = bnn.ones({i}, "f32")}}} end},
    {"make them once, outside, and pass numbers", function(a, g) return g(a) end,
     function(i) return {x, function(a) return a * i end} end},
    {"argument 2 was string 8, now string 9; strings", function(a) return a end,
     function(i) return {x, tostring(i)} end},
    {"argument 1 had 8 leaves, now 9; give the tables the same fields", function(t) return t[1] end,
     function(i)
       local t = {}
       for k = 1, i do t[k] = k end
       return {t}
     end},
    {"argument 1 has another field, f9", function(t) return select(2, next(t)) end,
     function(i) return {{["f" .. i] = x}} end},
    {"argument 1 holds another string, function or object", function(t) return t.x end,
     function(i) return {{x = x, how = "h" .. i}} end},
    {"8 arguments were given, now 9", function(a) return a end,
     function(i) return table.move({x, x, x, x, x, x, x, x, x}, 1, i, 1, {}) end},
  }
  for i, row in ipairs(rows) do
    local line = notice_for(row[2], row[3]):gsub(core.real, "f32")
    lu.assertStrContains(line, row[1], false, "row " .. i)
  end
end

function TestNotice.test_values_of_numbers_tensors_and_keys_record_nothing()
  local f = bnn.compile(function(x, a, k) return x:dropout(k, 0.5) * a end)
  for i = 1, 30 do lu.assertEquals(stderr_of(f, bnn.full({4}, i), i / 3, key:fold(i)), "") end
  lu.assertEquals(#f:info(), 1)
end

function TestNotice.test_the_64_programs_that_were_used_last_are_kept()
  local calls = 0
  local f = bnn.compile(function(x)
    calls = calls + 1
    return x + 1
  end)
  local function call(n) return stderr_of(f, bnn.zeros(n)) end
  for n = 1, 64 do call(n) end
  call(1) -- used again: the oldest is now 2
  call(65)
  lu.assertEquals({calls, #f:info()}, {65, 64})
  call(1)
  lu.assertEquals(calls, 65)
  call(2)
  lu.assertEquals({calls, #f:info()}, {66, 64})
  lu.assertStrContains(tostring(f), "64 programs, recorded 66 times")
end

function TestNotice.test_forgotten_programs_die()
  local f = bnn.compile(function(x) return x + 1 end)
  local function live()
    collectgarbage()
    collectgarbage()
    return (bnn.memory())
  end
  for n = 1, 70 do stderr_of(f, bnn.zeros(n)) end
  local before = live()
  for n = 71, 140 do stderr_of(f, bnn.zeros(n)) end
  lu.assertEquals(live(), before)
end

os.exit(lu.LuaUnit.run())
