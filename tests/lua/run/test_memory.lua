--- Memory: garbage is collected in time, errors leak nothing, and all of it also under an
-- aggressive collector.
local lu = require "luaunit"
local core = require "bnn.core"

local MIB = 1 << 20

--- Blocks that are alive when all garbage is gone (a finalizer may make garbage of its own).
local function alive()
  collectgarbage()
  collectgarbage()
  return (core.memory())
end

--- Runs f under each of the collector's modes, and puts back the one there was.
local function in_every_mode(f)
  local modes = {
    {"generational"}, {"incremental", 200, 100}, {"incremental", 0, 1000}, {"generational", 1, 10},
  }
  local was = collectgarbage "incremental"
  for _, mode in ipairs(modes) do
    collectgarbage(table.unpack(mode))
    f(table.concat(mode, " "))
  end
  collectgarbage("incremental", 200, 100)
  collectgarbage(was)
end

--- The most bytes seen alive, above those at the beginning, while step(i) runs n times.
local function peak_of(n, step)
  alive()
  local _, from = core.memory()
  local most = 0
  for i = 1, n do
    step(i)
    if i % 64 == 0 then most = math.max(most, select(2, core.memory()) - from) end
  end
  return most
end

TestBounds = {}

function TestBounds.test_100000_dropped_tensors_stay_bounded()
  in_every_mode(function(mode)
    local most = peak_of(100000, function() core.zeros(2000) end) -- 8 kB each (16 in double)
    lu.assertTrue(most < 16 * MIB, mode .. ": " .. most)
  end)
end

function TestBounds.test_dropped_results_of_ops_stay_bounded()
  local x = core.ones(2000)
  in_every_mode(function(mode)
    local most = peak_of(20000, function() return (x + 1):exp() * 2 end)
    lu.assertTrue(most < 16 * MIB, mode .. ": " .. most)
  end)
end

function TestBounds.test_tensors_that_grow_old_before_they_are_dropped_stay_bounded()
  in_every_mode(function(mode)
    local window = {}
    local most = peak_of(10000, function(i) window[i % 50] = core.zeros(20000) end) -- 4 MB held
    lu.assertEquals(#window, 49)
    lu.assertTrue(most < 100 * MIB, mode .. ": " .. most)
  end)
end

-- Half of what is alive, and what comes between two looks; each is old when it is dropped.
function TestBounds.test_old_garbage_beside_much_that_is_alive_stays_bounded()
  local held, window, size = {}, {}, 4 * MIB // (core.real == "f64" and 8 or 4)
  for i = 1, 32 do held[i] = core.zeros(size) end -- 128 MB
  local most = peak_of(320, function(i) window[i % 4] = core.zeros(size) end)
  lu.assertTrue(most < (128 // 2 + 4 * 4 + 8) * MIB, most)
  lu.assertEquals({#held, #window}, {32, 3})
end

function TestBounds.test_dropped_programs_stay_bounded()
  local most = peak_of(2000, function()
    local rec = core.recording()
    local x = rec:input{100, 100}
    rec:finish{(x:exp() + x):sum()}:run{core.zeros(100, 100)}
  end)
  lu.assertTrue(most < 64 * MIB, most)
end

function TestBounds.test_views_hold_what_they_look_into_and_no_more()
  local before = alive()
  local view = core.zeros(1000, 1000)[1]
  for _ = 1, 100 do view = view:view(1000, 1):select(2, 1) end
  lu.assertTrue(alive() - before <= 4)
  view = nil
  lu.assertEquals(alive(), before)
  lu.assertNil(view)
end

function TestBounds.test_a_stopped_collector_stays_stopped()
  local last = setmetatable({}, {__mode = "v"})
  collectgarbage()
  collectgarbage "stop"
  last[1] = core.zeros(10)
  for _ = 1, 1000 do core.zeros(2000) end
  lu.assertNotNil(last[1])
  collectgarbage "restart"
  alive()
end

TestErrors = {}

--- Calls that raise, each after something was made.
local function failures()
  local x, key = core.ones(2, 3), core.key(1)
  return {
    function() core.tensor{{1, 2}, {3}} end, function() core.tensor({1, 300}, "u8") end,
    function() core.zeros(1 << 55) end, function() core.randn(key, 1 << 55) end,
    function() x:view(4) end, function() x:t():view(6) end, function() x:to "x" end,
    function() (x / 2):to "i32" end, function() return x + core.tensor{1, 2} end,
    function() return x + "1" end, function() x:sum(3) end, function() core.concat({x, {1}}, 1) end,
    function() return x[{{1, 2}, 9}] end, function() x:index{3} end,
    function() x:cross_entropy{0, 9} end,
    function() core.recording():input{-1} end, function() core.recording():finish{} end,
    function() local r = core.recording() return r:input{2} + core.zeros(3) end,
    function()
      local r = core.recording()
      r:finish{r:input{2} * 3}:run{core.zeros(3)}
    end,
    function()
      local r = core.recording()
      local a = r:param(0, {2})
      r:finish({a:sum()}, {gradient = true}):run({}, {theta = core.zeros(1)})
    end,
    function() core.idx_read{} end, function() core.threads(-1) end, function() error "x" end,
  }
end

function TestErrors.test_errors_leak_nothing()
  local list = failures()
  local before = alive()
  for _ = 1, 3 do
    for i, f in ipairs(list) do lu.assertFalse(pcall(f), i) end
  end
  lu.assertEquals(alive(), before)
  lu.assertEquals(#list > 0, true)
end

function TestErrors.test_refusals_of_files_leak_nothing()
  local before = alive()
  for _ = 1, 10 do
    lu.assertNil(core.idx_read "/nonexistent")
    lu.assertNil(core.idx_read_pair("/nonexistent", "/nonexistent"))
  end
  lu.assertEquals(alive(), before)
end

function TestErrors.test_closing_gives_memory_back_at_once()
  local before = alive()
  do
    local x <close> = core.zeros(1000)
    local rec <close> = core.recording()
    local _ <close> = rec:input{2} + x:narrow(1, 1, 2)
    lu.assertTrue(core.memory() > before)
  end
  lu.assertTrue(core.memory() <= before + 3) -- a view that is garbage, and what it looks into
  lu.assertEquals(alive(), before)
end

TestAggressive = {}

--- A bit of everything; returns numbers that must not depend on the collector.
local function workload()
  local out = {}
  for i = 1, 20 do
    local key = core.key(i):fold "w"
    local x = core.randn(key, 4, 3)
    local rec = core.recording()
    local t, k, w = rec:rows{4, 3}, rec:key(), rec:param(0, {3, 2})
    local y = t:mm(w):dropout(k:fold(i), 0.25):softmax()
    local program = rec:finish({y[{{}, 1}]:log()}, {gradient = true})
    local value, gradient = program:run({x, key}, {theta = core.randn(key:fold(2), 6)})
    pcall(program.run, program, {x})
    local shared = core.recording()
    local product = shared:input{3}:add(shared:input{})
    local each = core.vmap(shared:finish{product}, {x, i}, {true, false}, 4)[1]
    local list = {}
    for n = 1, 10 do list[n] = (x[{{}, 1 + n % 3}] * n):view(2, -1):t() end
    out[i] = {value[1]:totable(), gradient:totable(), core.concat(list, 2):totable(), tostring(x),
              each:totable()}
  end
  return out
end

function TestAggressive.test_results_do_not_depend_on_the_collector()
  local want = workload()
  in_every_mode(function(mode) lu.assertEquals(workload(), want, mode) end)
end

function TestAggressive.test_finalizers_may_use_the_module()
  local sum, n = core.zeros(1), 0
  local meta = {__gc = function() n, sum = n + 1, sum + core.ones(1) end}
  for _ = 1, 500 do
    setmetatable({}, meta)
    core.zeros(1000)
  end
  meta = nil
  alive()
  lu.assertTrue(n > 0)
  lu.assertNil(meta)
  lu.assertEquals(sum:item(), n)
end

os.exit(lu.LuaUnit.run(), true)
