--- Progress: what is written when, on a terminal and elsewhere, by a clock of the test's own.
local lu = require "luaunit"
local bnn = require "bnn"
local progress = require "bnn.base.progress"

local own_host = progress.host
local now, written, stands

local function use(columns)
  now, written, stands = 100, {}, false
  progress.host = {
    now = function() return now end, columns = function() return columns end,
    write = function(text) written[#written + 1] = text end,
    mark = function(there) stands = there end,
  }
end

-- `n` updates, each of which takes `seconds`.
local function work(bar, n, seconds, loss)
  for i = 1, n do
    now = now + seconds
    bar:update(i, loss)
  end
end

TestProgress = {}

function TestProgress:tearDown()
  progress.host = own_host
  progress.set_quiet(false)
end

function TestProgress.test_short_work_shows_nothing()
  use(80)
  do
    local bar <close> = progress.start("train", {of = 90})
    work(bar, 90, 0.01, 1)
  end
  use(nil)
  do
    local bar <close> = progress.start("train", {of = 90})
    work(bar, 70, 0.125, 1)
  end
  lu.assertEquals(written, {})
end

function TestProgress.test_a_terminal_has_one_line_that_is_erased_at_the_end()
  use(80)
  local bar = progress.start("train", {of = 300})
  work(bar, 200, 0.01, 0.5)
  lu.assertTrue(#written > 8 and #written < 30)
  lu.assertStrContains(written[1], "\r\27[Ktrain: 10")
  lu.assertStrContains(written[1], " of 300 steps, loss 0.5, 100 steps/s, 2 s left")
  lu.assertNotStrContains(table.concat(written), "\n")
  lu.assertTrue(stands) -- the end of the program would erase it
  bar:finish()
  bar:finish()
  lu.assertFalse(stands)
  lu.assertEquals(written[#written], "\r\27[K")
  lu.assertNotEquals(written[#written - 1], "\r\27[K")
end

function TestProgress.test_a_narrow_terminal_gets_no_more_than_a_line()
  use(20)
  local bar <close> = progress.start("train", {of = 300})
  work(bar, 200, 0.01, 0.5)
  lu.assertEquals(#written[1], #"\r\27[K" + 19)
end

function TestProgress.test_elsewhere_there_are_lines_at_growing_intervals()
  use(nil)
  local bar <close> = progress.start("train", {of = 1000})
  work(bar, 900, 0.125, 0.25)
  local steps = {}
  for i, line in ipairs(written) do
    lu.assertStrMatches(line, "train: %d+ of 1000 steps, loss 0.25, 8 steps/s, .* left\n")
    steps[i] = tonumber(line:match "%d+")
  end
  lu.assertEquals(steps, {80, 160, 320, 640})
end

function TestProgress.test_time_left_is_in_readable_units()
  local function first(of)
    use(nil)
    local bar <close> = progress.start("train", {of = of})
    work(bar, 80, 0.125)
    return written[1]:match "/s, (.*) left"
  end
  lu.assertEquals(first(80 + 8 * 90), "1 min 30 s")
  lu.assertEquals(first(80 + 8 * (3 * 3600 + 60)), "3 h 01 min")
end

function TestProgress.test_the_loss_is_smoothed_and_starts_with_the_first()
  use(nil)
  local bar <close> = progress.start("train", {of = 1000})
  for i = 1, 100 do
    now = now + 0.125
    bar:update(i, i % 2 == 0 and 3 or 1)
  end
  local loss = tonumber(written[1]:match "loss ([%d.]+)")
  lu.assertTrue(loss > 1.9 and loss < 2.1)
end

function TestProgress.test_the_clock_is_looked_at_seldom()
  use(80)
  local looks, before = 0, progress.host.now
  progress.host.now = function()
    looks = looks + 1
    return before()
  end
  local bar <close> = progress.start("train", {of = 1e6})
  work(bar, 100000, 1e-5, 1)
  lu.assertTrue(looks < 250)
end

function TestProgress.test_quiet_and_false_show_nothing()
  use(80)
  local bar <close> = progress.start("train", {of = 300, progress = false})
  work(bar, 200, 0.01, 0.5)
  lu.assertFalse(progress.set_quiet(true))
  local other <close> = progress.start("train", {of = 300})
  work(other, 200, 0.01, 0.5)
  lu.assertTrue(progress.set_quiet(false))
  lu.assertEquals(written, {})
end

function TestProgress.test_work_inside_is_a_part_of_the_outer_work()
  use(nil)
  local bar <close> = progress.start("ensemble", {of = 4, unit = "members", parts = true})
  bar:update(1)
  do
    local inner <close> = progress.start("train", {of = 200})
    work(inner, 80, 0.125, 0.5)
  end
  lu.assertEquals(#written, 1)
  lu.assertStrContains(written[1], "ensemble: 1 of 4 members (35%), loss 0.5, ")
end

function TestProgress.test_work_that_is_no_part_is_shown_beside_it()
  use(nil)
  local bar <close> = progress.start("train", {of = 40})
  bar:update(10, 1)
  local inner <close> = progress.start("predict", {of = 200, unit = "samples"})
  work(inner, 80, 0.125)
  lu.assertStrContains(written[1], "train: 10 of 40 steps, loss 1, ")
  lu.assertStrContains(written[1], "; predict: 80 of 200 samples\n")
end

function TestProgress.test_whatever_is_written_erases_the_line_first()
  local own_print, own_write = print, io.write
  local files = getmetatable(io.stderr).__index
  local method = files.write
  use(80)
  do
    local bar <close> = progress.start("train", {of = 300})
    work(bar, 200, 0.01, 0.5)
    lu.assertNotEquals(written[#written], "\r\27[K")
    for _, write in ipairs{
      function() io.write "" end, function() io.stdout:write "" end,
      function() io.stderr:write "" end,
    } do
      now = now + 1
      for _ = 1, 1000 do bar:update(250, 0.5) end
      lu.assertNotEquals(written[#written], "\r\27[K")
      write()
      lu.assertEquals(written[#written], "\r\27[K")
    end
    lu.assertEquals(files.write, method)
    now = now + 1
    for _ = 1, 1000 do bar:update(250, 0.5) end
    lu.assertNotEquals(print, own_print)
  end
  lu.assertEquals({print, io.write, files.write}, {own_print, own_write, method})
end

function TestProgress.test_a_print_of_the_users_own_stays()
  local own_print, said = print, 0
  local function mine() said = said + 1 end
  use(80)
  do
    local bar <close> = progress.start("train", {of = 300})
    work(bar, 200, 0.01, 0.5)
    rawset(_G, "print", mine)
    now = now + 1
    for _ = 1, 1000 do bar:update(250, 0.5) end
    print()
    lu.assertEquals(written[#written], "\r\27[K")
  end
  local left = print
  rawset(_G, "print", own_print)
  lu.assertEquals({left, said}, {mine, 1})
end

-- ---- what shows it ----

local key = bnn.key(3)
local x = bnn.randn(key:fold "x", 32, 3)
local y = bnn.zeros(32):to "i32"
local net = bnn.nn.mlp{4, 2}

-- A clock that goes on by ten seconds at each look, so that all is long.
local function use_slow_clock()
  use(nil)
  progress.host.now = function()
    now = now + 10
    return now
  end
end

local function train(opts)
  local params = net:init(key:fold "init", x)
  local objective = bnn.objective{net = net, params = params, likelihood = "categorical"}
  local all = {objective = objective, optimizer = bnn.optim.adam{}, steps = 40, batch_size = 8,
               data = bnn.data.from_tensors{x = x, y = y}, key = key}
  for name, value in pairs(opts or {}) do all[name] = value end
  bnn.train(all)
  return objective
end

function TestProgress.test_training_shows_its_loss_without_evaluate()
  use_slow_clock()
  train()
  lu.assertStrMatches(written[1], "train: %d+ of 40 steps, loss [%d.]+, .* left\n")
  use_slow_clock()
  train{progress = false}
  lu.assertEquals(written, {})
end

function TestProgress.test_predicting_shows_its_samples_and_keeps_its_bits()
  local model = {net = net, likelihood = "categorical",
                 posterior = bnn.posterior.meanfield(net:init(key, x), {logvar = -2})}
  use_slow_clock()
  local shown = bnn.predict(model, x, {key = key, num_samples = 400})
  lu.assertStrMatches(written[1], "predict: %d+ of 400 samples, .*\n")
  use_slow_clock()
  local first = bnn.predict(model, x, {key = key, num_samples = 399, progress = false})
  local silent = bnn.predict(model, x,
    {key = key, num_samples = 1, previous = first, progress = false})
  lu.assertEquals(written, {})
  for _, name in ipairs{"mean", "std", "entropy", "mutual_information"} do
    lu.assertEquals(shown[name]:totable(), silent[name]:totable())
  end
end

function TestProgress.test_ensembles_and_evaluations_show_their_parts()
  use_slow_clock()
  local q = bnn.ensemble{members = 3, key = key, fit = function() return train() end}
  lu.assertStrMatches(written[1], "ensemble: %d of 3 members %(%d+%%%), loss .*\n")
  local model = {net = net, posterior = q, likelihood = "categorical"}
  local function predict(inputs) return bnn.predict(model, inputs, {key = key}) end
  use_slow_clock()
  bnn.ood.evaluate{predict = predict, id = {x = x, y = y}, ood = {other = x + 3}, key = key}
  lu.assertStrMatches(written[1], "ood.evaluate: %d of 2 sets %(%d+%%%).*\n")
end

os.exit(lu.LuaUnit.run())
