--- Schedules (bnn.schedule): their values at the ends and between, and what they refuse.
local lu = require "luaunit"
local schedule = require "bnn.inference.schedule"

local TINY = 1e-15

TestSchedule = {}

function TestSchedule.test_values_at_steps()
  local linear = schedule.linear{from = 1, to = 3, steps = 5}
  local cosine = schedule.cosine{from = 1, to = 0.5, steps = 3}
  local warmup = schedule.warmup{steps = 4, to = 8}
  local after = schedule.warmup{steps = 2, after = schedule.linear{from = 6, to = 0, steps = 3}}
  local pieces = schedule.piecewise{{1, 5}, {3, 7}, {5, function(step) return step end}}
  local falling = schedule.exponential{from = 8, factor = 0.5, to = 3}
  local cycle = schedule.cyclical{period = 4, from = 2}
  local again = schedule.cyclical{period = 2, of = linear}
  local rows = {
    {schedule.constant(3), 1, 3}, {schedule.constant(3), 1000, 3},
    {linear, 1, 1}, {linear, 2, 1.5}, {linear, 5, 3}, {linear, 6, 3}, {linear, 1e6, 3},
    {schedule.linear{from = 1, to = 3, steps = 1}, 1, 3},
    {cosine, 1, 1}, {cosine, 2, 0.75}, {cosine, 3, 0.5}, {cosine, 9, 0.5},
    {warmup, 1, 2}, {warmup, 4, 8}, {warmup, 5, 8},
    {schedule.warmup{steps = 2, from = 2, to = 4}, 1, 3},
    {after, 1, 3}, {after, 2, 6}, {after, 3, 6}, {after, 4, 3}, {after, 5, 0}, {after, 9, 0},
    {pieces, 1, 5}, {pieces, 2, 5}, {pieces, 3, 7}, {pieces, 5, 5}, {pieces, 9, 9},
    {schedule.step{from = 1, factor = 0.5, every = 3}, 3, 1},
    {schedule.step{from = 1, factor = 0.5, every = 3}, 4, 0.5},
    {schedule.step{from = 1, factor = 0.5, every = 3}, 7, 0.25},
    {falling, 1, 8}, {falling, 2, 4}, {falling, 3, 3}, {falling, 99, 3},
    {schedule.exponential{from = 1, factor = 4, every = 2}, 2, 2},
    {schedule.exponential{from = 1, factor = 2, to = 3}, 9, 3},
    {cycle, 1, 2}, {cycle, 3, 1}, {cycle, 5, 2}, {cycle, 7, 1},
    {again, 1, 1}, {again, 2, 1.5}, {again, 3, 1},
    {schedule.blundell{batches = 2}, 1, 2 / 3}, {schedule.blundell{batches = 2}, 2, 1 / 3},
    {schedule.blundell{batches = 2}, 3, 2 / 3}, {schedule.blundell{batches = 1}, 1, 1},
  }
  for i, row in ipairs(rows) do
    lu.assertAlmostEquals(row[1](row[2]), row[3], TINY * 10, "row " .. i)
  end
end

function TestSchedule.test_the_end_of_a_line_is_exact()
  local from, to = 5 / 7, 5 / 3 + 0.1 -- from + (to - from) is not to here
  lu.assertEquals(schedule.linear{from = from, to = to, steps = 7}(7), to)
  lu.assertEquals(schedule.linear{from = to, to = from, steps = 7}(1), to)
end

-- 469 batches is MNIST at 128; 2^2000 overflows a double, the weights must not.
function TestSchedule.test_blundells_weights_add_up_to_one_for_any_number_of_batches()
  for _, batches in ipairs{1, 2, 469, 2000} do
    local weight, sum = schedule.blundell{batches = batches}, 0
    for step = 1, batches do sum = sum + weight(step) end
    lu.assertAlmostEquals(sum, 1, 1e-14)
  end
end

-- Over an epoch the betas average to 1/N, the exact ELBO's.
function TestSchedule.test_blundells_weights_with_a_data_size_are_betas_of_a_mean_likelihood()
  local beta, sum = schedule.blundell{batches = 10, data_size = 1000}, 0
  for step = 1, 10 do sum = sum + beta(step) end
  lu.assertAlmostEquals(sum / 10, 1 / 1000, 1e-17)
end

function TestSchedule.test_value_takes_numbers_functions_and_callable_objects()
  lu.assertEquals(schedule.value(3, 9), 3)
  lu.assertEquals(schedule.value(function(step) return 2 * step end, 9), 18)
  local object = setmetatable({}, {__call = function(_, step) return step + 1 end})
  lu.assertEquals(schedule.value(object, 9), 10)
end

function TestSchedule.test_value_names_what_is_no_schedule()
  lu.assertErrorMsgContains("beta: expected a number or a function of the step, got a string",
    schedule.value, "1", 1, "beta")
  lu.assertErrorMsgContains("beta: expected a number from its function at step 7, got nil",
    schedule.value, function() end, 7, "beta")
end

function TestSchedule.test_wrong_options_are_refused_by_name()
  local rows = {
    {"linear", {form = 1, to = 2, steps = 3}, "'form': did you mean 'from'?"},
    {"linear", {from = 1, to = 2}, "bnn.schedule.linear: steps: expected"},
    {"cosine", {from = 1, steps = 0}, "steps: expected at least 1, got 0"},
    {"warmup", {steps = 3}, "bnn.schedule.warmup: expected to= or after=, got neither"},
    {"piecewise", {}, "expected at least one piece, got none"},
    {"piecewise", {{2, 1}}, "piece 1: expected {step, value}, steps rising from 1"},
    {"piecewise", {{1, 1}, {1, 2}}, "piece 2: expected {step, value}, steps rising from 1"},
    {"piecewise", {{1, "x"}}, "piece 1:"},
    {"step", {from = 1, factor = 2}, "every: expected"},
    {"exponential", {from = 1, factor = 0}, "factor: expected more than 0, got 0"},
    {"cyclical", {period = 3}, "expected from= (and to=) or of=, one of the two"},
    {"cyclical", {period = 3, from = 1, of = 2}, "expected from= (and to=) or of="},
    {"blundell", {batches = 0.5}, "batches: expected an integer, got 0.5"},
    {"constant", "x", "bnn.schedule.constant: expected a number"},
  }
  for _, row in ipairs(rows) do
    lu.assertErrorMsgContains(row[3], schedule[row[1]], row[2])
  end
end

os.exit(lu.LuaUnit.run())
