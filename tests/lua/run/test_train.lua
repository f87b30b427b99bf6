--- The training loop: what is logged and when, keys, schedules, stopping, continuing, refusals.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"
local signal = require "bnn.signal"

local raises = bits.raises
local key = bnn.key(9)
local N = 50
local net, x = bnn.nn.mlp{8, 3}, bnn.randn(key:fold "x", N, 6)
local params = net:init(key:fold "init", x)

local function labels(shift)
  local list = {}
  for i = 1, N do list[i] = (i - 1) % 3 + (shift or 0) end
  return bnn.tensor(list, "i32")
end

local data = bnn.data.from_tensors{x = x, y = labels()}

local function elbo(opts)
  opts = opts or {}
  opts.net, opts.posterior = net, bnn.posterior.meanfield(params, {logvar = -4})
  if not opts.beta and not opts.temperature then opts.beta = 0.01 end
  return bnn.elbo(opts)
end

-- Trains an objective with what `opts` changes; gives the objective and the state.
local function train(opts)
  local all = {objective = elbo(), optimizer = bnn.optim.adam{lr = 0.02}, data = data, steps = 12,
               batch_size = 16, key = key:fold "train"}
  for name, value in pairs(opts or {}) do all[name] = value end
  if opts and opts.optimizer == false then all.optimizer = nil end
  return all.objective, bnn.train(all)
end

local function assert_same_posterior(a, b, why)
  bits.assert_same(a.posterior.mu, b.posterior.mu, why)
  bits.assert_same(a.posterior.logvar, b.posterior.logvar, why)
end

TestLoop = {}

-- Step i uses key:fold(i), the permutation of epoch e key:fold("data"):fold(e).
function TestLoop.test_is_the_loop_that_a_user_would_write()
  local k = key:fold "train"
  local mine = elbo()
  local state = bnn.optim.adam{lr = 0.02}:init(mine)
  local losses = {}
  for step = 1, 12 do
    local epoch, at = (step - 1) // 3 + 1, (step - 1) % 3 -- 50 // 16 = 3 batches an epoch
    local rows = bnn.permutation(k:fold("data"):fold(epoch), N):narrow(1, 16 * at + 1, 16)
    losses[step] = mine:step(state, {x = x:index(1, rows), y = data.y:index(1, rows)}, k:fold(step))
  end
  local seen = {}
  local theirs, their_state = train{on_step = function(step, loss) seen[step] = loss end}
  assert_same_posterior(mine, theirs)
  lu.assertEquals(seen, losses)
  lu.assertEquals(their_state:steps(), 12)
end

function TestLoop.test_same_key_same_bits_whatever_was_drawn_before()
  local a = train()
  bnn.randn(bnn.key(1), 100)
  assert_same_posterior(a, (train()))
  lu.assertFalse(bits.same(a.posterior.mu, train{key = bnn.key(10)}.posterior.mu))
end

function TestLoop.test_the_number_of_threads_does_not_show()
  local before = bnn.threads()
  local results = {}
  for threads = 1, 3 do
    bnn.threads(threads)
    results[threads] = train{batch_size = 40}
  end
  bnn.threads(before)
  for threads = 2, 3 do
    assert_same_posterior(results[1], results[threads], threads .. " threads")
  end
end

function TestLoop.test_continuing_gives_the_bits_of_never_stopping()
  local whole = train{steps = 12}
  for _, first in ipairs{1, 5, 11} do -- within an epoch and at its end
    local objective, state = train{steps = first}
    train{objective = objective, state = state, steps = 12 - first}
    assert_same_posterior(objective, whole, "stopped at " .. first)
    lu.assertEquals(state:steps(), 12)
  end
end

function TestLoop.test_a_state_goes_on_with_the_rate_that_is_given()
  local function go_on(opts)
    local objective, state = train{steps = 6}
    opts.objective, opts.state, opts.steps = objective, state, 6
    return train(opts), state
  end
  local want = go_on{lr = 1e-3}
  local got, state = go_on{optimizer = bnn.optim.adam{lr = 1e-3}}
  assert_same_posterior(got, want)
  lu.assertEquals(state:rate(13), 1e-3)
  assert_same_posterior(go_on{optimizer = false}, train{steps = 12}) -- its own
  local refused = "state:set_optimizer: expected adam{lr=0.02, b1=0.9, b2=0.999, eps=1e-08}, as in "
    .. "the state, but for lr and noise, got "
  raises(refused .. "sgd{lr=0.01", go_on, {optimizer = bnn.optim.sgd{}})
  raises(refused .. "adam{lr=0.02, b1=0.5", go_on,
    {optimizer = bnn.optim.adam{lr = 0.02, b1 = 0.5}})
  raises(refused .. "adam{lr=0.02, b1=0.9, b2=0.999, eps=1e-08, clip_norm=1}", go_on,
    {optimizer = bnn.optim.adam{lr = 0.02, clip_norm = 1}})
  raises("bnn.train: optimizer: expected an optimizer, such as bnn.optim.adam{}, got nil", train,
    {optimizer = false})
end

function TestLoop.test_a_clone_of_posterior_and_state_goes_on_alone()
  local whole = train{steps = 12}
  local a, state = train{steps = 6}
  local b, copy = elbo(), state:clone()
  b.posterior = a.posterior:clone()
  train{objective = a, state = state, steps = 6}
  train{objective = b, state = copy, steps = 6}
  assert_same_posterior(a, whole)
  assert_same_posterior(b, whole)
end

function TestLoop.test_on_step_can_end_the_training()
  local steps = {}
  local objective, state = train{on_step = function(step, loss)
    lu.assertEquals(math.type(loss), "float")
    steps[#steps + 1] = step
    return step < 4
  end}
  lu.assertEquals(steps, {1, 2, 3, 4})
  lu.assertEquals(state:steps(), 4)
  assert_same_posterior(objective, (train{steps = 4}))
  lu.assertEquals(select(2, train{on_step = function() end}):steps(), 12) -- nil goes on
end

function TestLoop.test_no_steps_change_nothing()
  local objective, state = train{steps = 0, batch_size = 1000}
  bits.assert_same(objective.posterior.mu, params)
  lu.assertEquals(state:steps(), 0)
end

function TestLoop.test_the_data_size_is_filled_in()
  local objective = elbo{temperature = 1}
  train{objective = objective}
  lu.assertEquals(objective.data_size, N)
  assert_same_posterior(objective, (train{objective = elbo{beta = 1 / N}}))
  train{objective = objective, data = data:slice(1, 30), batch_size = 10}
  lu.assertEquals(objective.data_size, 30) -- it follows the data, unless it was given
  local given = elbo{temperature = 1, data_size = 7}
  train{objective = given}
  lu.assertEquals(given.data_size, 7)
end

function TestLoop.test_an_objective_of_the_user_is_any_table_with_step()
  local seen = {}
  local own = {
    beta_at = function(_, step) return step * 10 end,
    state_size = function() return 1 end,
    step = function(_, _, batch, k, opts)
      seen[#seen + 1] = {batch.x:size(1), k:bits(), opts.beta, opts.lr}
      return 0.5
    end,
  }
  train{objective = own, steps = 2}
  lu.assertEquals(seen, {{16, key:fold("train"):fold(1):bits(), 10, 0.02},
                         {16, key:fold("train"):fold(2):bits(), 20, 0.02}})
end

TestSchedules = {}

function TestSchedules.test_lr_and_beta_of_train_replace_the_others()
  local beta, lr = function(step) return step / 1000 end,
    bnn.schedule.step{from = 0.1, factor = 0.5, every = 3}
  local want = train{objective = elbo{beta = beta}, optimizer = bnn.optim.adam{lr = lr}}
  assert_same_posterior(want, (train{beta = beta, lr = lr}))
  assert_same_posterior((train{objective = elbo{beta = 0.3}, optimizer = bnn.optim.adam{lr = 0.1}}),
    (train{beta = 0.3, lr = 0.1}))
  assert_same_posterior((train{beta = 0}), (train{objective = elbo{beta = 0}}))
end

function TestSchedules.test_they_are_asked_for_steps_counted_from_1()
  local asked = {}
  local _, state = train{steps = 3, lr = function(step)
    asked[#asked + 1] = step
    return 0.01
  end}
  lu.assertEquals(asked, {1, 2, 3})
  asked = {}
  train{steps = 2, state = state, lr = function(step)
    asked[#asked + 1] = step
    return 0.01
  end}
  lu.assertEquals(asked, {4, 5})
end

function TestSchedules.test_what_is_no_number_is_refused()
  raises("lr: expected a number from its function at step 1, got a string", train,
    {lr = function() return "fast" end})
  raises("beta: expected a number from its function at step 1, got nil", train,
    {beta = function() end})
  raises({"step 1: ", "lr: expected a number in [0, inf), got -1"}, train, {lr = -1})
  local function beta(step) return step == 3 and -1 or 0 end
  raises({"step 3: ", "beta: expected a number of 0 or more, got -1"}, train, {beta = beta})
end

TestLogging = {}

-- The steps at which evaluate is called, and those that reach the log.
local function logged(opts)
  local asked, log = {}, bnn.log.memory()
  opts.evaluate = function(step)
    asked[#asked + 1] = step
    return {{"once", step}, {"twice", 2 * step}}
  end
  opts.log = log
  local _, state = train(opts)
  local steps = {}
  for i, block in ipairs(log.blocks) do
    steps[i] = block.step
    lu.assertEquals(block.rows, {{"once", block.step}, {"twice", 2 * block.step}})
  end
  lu.assertEquals(asked, steps)
  return steps, state
end

function TestLogging.test_at_the_start_every_log_every_and_at_the_end()
  local rows = {
    {{steps = 12, log_every = 5}, {0, 5, 10, 12}}, {{steps = 10, log_every = 5}, {0, 5, 10}},
    {{steps = 3, log_every = 5}, {0, 3}}, {{steps = 3}, {0, 3}}, {{steps = 0}, {0}},
    {{steps = 2, log_every = 1}, {0, 1, 2}},
  }
  for i, row in ipairs(rows) do lu.assertEquals(logged(row[1]), row[2], "row " .. i) end
end

function TestLogging.test_when_going_on_too()
  local _, state = logged{steps = 7, log_every = 5}
  lu.assertEquals(logged{steps = 7, log_every = 5, state = state}, {7, 10, 14})
  _, state = logged{steps = 7}
  lu.assertEquals(logged{steps = 9, state = state}, {7, 16})
end

function TestLogging.test_evaluate_sees_the_posterior_of_its_step()
  local objective, seen = elbo(), {}
  local function evaluate(step) seen[step] = objective.posterior.mu:clone() end
  train{objective = objective, steps = 2, log_every = 1, evaluate = evaluate}
  bits.assert_same(seen[0], params)
  assert_same_posterior(objective, (train{steps = 2}))
  bits.assert_same(seen[2], objective.posterior.mu)
  bits.assert_differ(seen[1], seen[2])
end

function TestLogging.test_evaluating_changes_no_bits()
  local function evaluate(_)
    bnn.randn(key, 10)
    return {{"a", 1}}
  end
  assert_same_posterior((train{evaluate = evaluate, log = bnn.log.memory(), log_every = 2}),
    (train()))
end

function TestLogging.test_the_log_may_be_a_function()
  local seen = {}
  train{steps = 2, evaluate = function() return {{"a", 1}} end, log = function(step, rows)
    seen[#seen + 1] = {step, rows[1][1], rows[1][2]}
  end}
  lu.assertEquals(seen, {{0, "a", 1}, {2, "a", 1}})
end

function TestLogging.test_without_a_log_the_figures_go_to_the_console()
  local log = require "bnn.log.log"
  local console, kept = log.console, log.memory()
  log.console = function() return kept end
  train{steps = 2, evaluate = function(step) return {{"a", step}} end}
  log.console = console
  lu.assertEquals({kept:last "a"}, {2, 2})
end

TestRefusals = {}

-- What is refused with one line: the message, its status 1 and no traceback.
local function refusal(opts)
  local ok, err = pcall(train, opts)
  lu.assertFalse(ok)
  lu.assertTrue(signal.is_refusal(err), tostring(err))
  lu.assertFalse(tostring(err):find "\n" ~= nil)
  return tostring(err)
end

function TestRefusals.test_nan_says_at_which_step_and_what_to_try()
  local rows = x:totable()
  rows[11][2] = 0 / 0
  local message = refusal{data = bnn.data.from_tensors{x = bnn.tensor(rows), y = labels()},
    batch_size = N}
  lu.assertStrContains(message,
    "step 1: not a number: the loss is nan; try a smaller learning rate than lr=0.02")
  lu.assertStrContains(message, "log-variance")
  message = refusal{lr = function(step) return step < 3 and 0.01 or 1e30 end}
  lu.assertTrue(message:find "^step 4: " ~= nil, message)
  lu.assertStrContains(message, "lr=1e+30")
end

function TestRefusals.test_nan_leaves_the_parameters_of_the_step_before()
  local objective = elbo()
  refusal{objective = objective, lr = function(step) return step < 3 and 0.01 or 1e30 end}
  local state = bnn.optim.adam{lr = 0.01}:init(elbo())
  lu.assertEquals(state:steps(), 0)
  local same = elbo()
  train{objective = same, steps = 3, lr = function(step) return step < 3 and 0.01 or 1e30 end}
  assert_same_posterior(objective, same)
end

function TestRefusals.test_labels_beyond_the_classes_before_the_first_evaluation()
  local asked = false
  local message = refusal{
    data = bnn.data.from_tensors{x = x, y = labels(1), origin = "a/file"},
    evaluate = function() asked = true end,
  }
  lu.assertEquals(message, "a/file: label 3 of example 3 is outside 0..2, the network's 3 classes")
  lu.assertFalse(asked)
  lu.assertEquals(refusal{data = bnn.data.from_tensors{x = x}}, "the data have no labels")
end

function TestRefusals.test_a_batch_larger_than_the_data_before_the_first_evaluation()
  local asked = false
  local message = refusal{batch_size = 51, evaluate = function() asked = true end}
  lu.assertEquals(message, "batch_size is 51, the data have 50 examples")
  lu.assertFalse(asked)
  lu.assertEquals(select(2, train{batch_size = 50, steps = 2}):steps(), 2)
end

function TestRefusals.test_misuse_raises_at_the_callers_line()
  local _, foreign = train{steps = 0}
  foreign = foreign.optimizer:init(bnn.nn.mlp{5}:init(key, x))
  local rows = {
    {"unknown option 'stpes': did you mean 'steps'?", {stpes = 1}},
    {"expected an optimizer", {optimizer = print}},
    {"optimizer: expected", {optimizer = false}},
    {"data: expected a part of a data set", {data = {x = x, y = labels()}}},
    {"data: expected a part of a data set, such as its train", {data = {train = data}}},
    {"bnn.train: objective: expected one with step(state, batch, key, opts)", {objective = {}}},
    {"bnn.train: objective: expected one with step(", {objective = net}},
    {"steps: expected at least 0", {steps = -1}}, {"steps: expected", {steps = 0.5}},
    {"batch_size: expected at least 1", {batch_size = 0}}, {"log_every: expected", {log_every = 0}},
    {"expected a key", {key = 3}}, {"expected a state", {state = {}}},
    {"beta: expected", {beta = "x"}},
  }
  for i, row in ipairs(rows) do
    local ok, message = pcall(train, row[2])
    lu.assertFalse(ok, "row " .. i)
    lu.assertStrContains(message, row[1], false, "row " .. i)
    lu.assertStrContains(message, "bnn.train: ", false, "row " .. i)
  end
  raises("optimizer's state: expected 166 elements, got 35", train, {state = foreign})
  raises("a function of (step, rows)", train, {log = 3, evaluate = print})
  raises("log:row: values: expected a table, got a number",
    train, {log = bnn.log.memory(), evaluate = function() return 3 end})
end

TestInterrupts = {}

local function send(name) io.popen("kill -" .. name .. " $PPID"):close() end

function TestInterrupts.test_end_between_two_steps_with_the_parameters_of_the_last()
  for _, name in ipairs{"INT", "TERM"} do
    local objective, last = elbo(), 0
    local ok, err = pcall(train, {objective = objective, steps = 1000, on_step = function(step)
      last = step
      if step == 5 then send(name) end
    end})
    lu.assertFalse(ok)
    lu.assertTrue(signal.is_interrupt(err), tostring(err))
    lu.assertEquals({err.name, err.step}, {"SIG" .. name, last})
    lu.assertTrue(last == 5 or last == 6, last)
    assert_same_posterior(objective, (train{steps = last}), name)
  end
  lu.assertEquals(select(2, train{steps = 3}):steps(), 3) -- training goes on working
end

os.exit(lu.LuaUnit.run())
