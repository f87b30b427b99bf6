--- Every kind of object that holds C's memory reports its bytes to the collector: made and dropped
-- in a loop they do not pile up, though Lua sees a hundred bytes of each.
local lu = require "luaunit"
local core = require "bnn.core"

local MIB, TIMES, MOST = 1 << 20, 100, 64
local SIZE = core.real == "f64" and 8 or 4
local N = MIB // SIZE -- elements of a MiB
local key = core.key(1)

--- The most bytes seen alive, above those at the beginning, while make() runs TIMES times.
local function peak_of(make)
  collectgarbage()
  collectgarbage()
  local _, from = core.memory()
  local most = 0
  for _ = 1, TIMES do
    make()
    most = math.max(most, select(2, core.memory()) - from)
  end
  return most
end

-- ---- what makes them, 1 MiB or more each ----

local x = core.ones(N)
local matrix = core.ones(N // 64, 64)

--- A finished program: rows [2] times the sum of N parameters, node 1.
local function sum_program(gradient)
  local rec = core.recording()
  local rows = rec:rows{2}
  return rec:finish({rows * rec:param(0, {N}):sum()}, {gradient = gradient})
end

local trained, forward = sum_program(true), sum_program(false)

local function posterior(family, ...)
  return core.posterior({N}, {{family = family, tensors = 1, buffers = {...}}})
end

local two = core.ones(2)
local meanfield, point = posterior("meanfield", x, core.zeros(N)), posterior("point", x)

local function objective(q)
  return core.objective(trained, q, {feeds = {{"x", "x", 0}}, kl = {1}, precision = {1}})
end

local bayesian = objective(meanfield)
local state = core.rule_state("adam", {1e-3, 0.9, 0.999, 1e-8}, N)

local wide -- a program with an output and a gradient [N]
do
  local rec = core.recording()
  local input = rec:input{N}
  wide = rec:finish({input * 2}, {gradient = true, wrt = {input}})
end

local function prediction()
  return core.prediction(forward, N // 8, {{output = 0}})
end

local made = {
  {"zeros", function() return core.zeros(N) end},
  {"bits", function() return core.bits(key, MIB // 8) end},
  {"an op", function() return x + 1 end},
  {"clone", function() return x:clone() end},
  {"to", function() return x:to "i32" end},
  {"contiguous", function() return matrix:t():contiguous() end},
  {"reshape of what is not contiguous", function() return matrix:t():reshape(N) end},
  {"tensor of a tensor", function() return core.tensor(x) end},
  {"program:run", function() return wide:run{x} end},
  {"gradients of program:run", function() return (select(2, wide:run({x}))) end},
  {"flat gradients", function() return (select(2, trained:run({two}, {theta = x}))) end},
  {"inputs that are not contiguous", function()
    return forward:run({core.ones(2, 2):t()[1]}, {theta = matrix:t():reshape(N)})
  end},
  {"frames", function()
    local rec = core.recording()
    return rec:finish{rec:input{N} * 2}:run{x}
  end},
  {"vmap", function() return core.vmap(wide, {x:view(1, N)}, {true}, 1) end},
  {"objective", function() return objective(point) end},
  {"objective:gradient", function()
    return bayesian:gradient(meanfield, {two}, nil, 1, 2, key, 1)
  end},
  {"rule_state", function() return core.rule_state("sgd", {1, 0.9, 0, 0}, N) end},
  {"state:clone", function() return state:clone() end},
  {"posterior:sample", function() return meanfield:sample(key) end},
  {"posterior:mean", function() return meanfield:mean() end},
  {"gather_rows", function() return core.gather_rows(matrix, nil, 1, N // 64) end},
  {"prediction", prediction},
  {"prediction:clone", function() return prediction():clone() end},
  {"glyphs", function() return core.glyphs("digits", key, 1, 1400) end},
  {"shift", function() return core.shift(core.zeros(1, N // 64, 64), "contrast", 1) end},
  {"a metric's list", function() return core.negated(core.zeros({MIB // 8}, "f64")) end},
  {"fit_columns", function() return core.fit_columns(core.ones(2, N)) end},
}

TestBoxes = {}

for _, case in ipairs(made) do
  local name, make = case[1], case[2]
  TestBoxes["test_dropped_results_do_not_pile_up: " .. name] = function()
    local most = peak_of(make)
    lu.assertTrue(most >= MIB // 2, name .. " holds no memory")
    lu.assertTrue(most < MOST * MIB, ("%s: %d MiB at once"):format(name, most // MIB))
  end
end

-- ---- what files give ----

TestFiles = {}

function TestFiles:setUp()
  self.path = os.tmpname()
  os.remove(self.path)
end

function TestFiles:tearDown() os.remove(self.path) end

local function assert_bounded(make)
  local most = peak_of(make)
  lu.assertTrue(most >= MIB // 2 and most < MOST * MIB, ("%d MiB at once"):format(most // MIB))
end

function TestFiles:test_npy()
  assert(core.npy_write(self.path, x))
  assert_bounded(function() return assert(core.npy_read(self.path)) end)
end

function TestFiles:test_npz()
  if not core.npz_write(self.path, {"x"}, {x}, false) then return lu.skip "no libzip" end
  assert_bounded(function() return assert(core.npz_read(self.path)) end)
end

function TestFiles:test_csv()
  assert(core.save_bytes(self.path, ("1,2,3,4\n"):rep(N // 4)))
  assert_bounded(function() return assert(core.csv_read(self.path)) end)
end

function TestFiles:test_png()
  local image = core.zeros({1024, 1024}, "u8")
  if not core.png_write(self.path, image) then return lu.skip "no libpng" end
  assert_bounded(function() return assert(core.png_read(self.path)) end)
end

function TestFiles:test_idx()
  local header = string.pack(">I2BBI4", 0, 8, 1, MIB)
  assert(core.save_bytes(self.path, header .. ("\0"):rep(MIB)))
  assert_bounded(function() return assert(core.idx_read(self.path)) end)
end

function TestFiles:test_tensors_of_safetensors()
  if not core.safetensors_save(self.path, {"x"}, {x}, {}, {}, false) then
    return lu.skip "no jansson"
  end
  local file <close> = assert(core.safetensors_open(self.path))
  assert_bounded(function() return assert(file:tensor "x") end)
end

--- How many descriptors are open.
local function descriptors()
  local n = 0
  for _ in pairs(core.list_dir "/proc/self/fd" or {}) do n = n + 1 end
  return n
end

--- The most descriptors at once while open() runs 300 times and each result is dropped.
local function most_open(open)
  local most = 0
  for _ = 1, 300 do
    open()
    most = math.max(most, descriptors())
  end
  return most
end

function TestFiles:test_open_files_that_are_dropped_are_closed_before_descriptors_run_out()
  if not core.safetensors_save(self.path, {"x"}, {x}, {}, {}, false) then
    return lu.skip "no jansson"
  end
  if descriptors() == 0 then return lu.skip "no /proc" end
  local most = most_open(function() return assert(core.safetensors_open(self.path)) end)
  lu.assertTrue(most < 200, most)
end

function TestFiles:test_locks_that_are_dropped_are_given_back_before_descriptors_run_out()
  if descriptors() == 0 then return lu.skip "no /proc" end
  local n = 0
  local most = most_open(function()
    n = n + 1
    local folder = self.path .. "." .. n
    assert(core.make_folder(folder))
    local lock = assert(core.lock_folder(folder))
    os.remove(folder)
    return lock
  end)
  lu.assertTrue(most < 200, most)
end

os.exit(lu.LuaUnit.run(), true)
