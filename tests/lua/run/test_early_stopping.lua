--- Early stopping: when a training ends, what it is told by, and that a resumed one ends alike.
local lu = require "luaunit"
local folder_of_tests = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder_of_tests .. "/?.lua;" .. package.path
local bits = require "bits"
local files = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"

local raises = bits.raises
local key = bnn.key(9)
local x = bnn.randn(key:fold "x", 40, 3)
local net = bnn.nn.mlp{4, 2}
local data = bnn.data.from_tensors{x = x, y = bnn.zeros(40):to "i32"}

local said

-- Trains; evaluation i, every 2 steps from 0 on, returns values[i + 1].
local function train(values, stop, opts)
  local objective = bnn.objective{net = net, params = net:init(key, x), likelihood = "categorical"}
  local all = {
    objective = objective, optimizer = bnn.optim.adam{}, data = data, steps = 20, batch_size = 8,
    key = key, log_every = 2, stop = stop, log = bnn.log.memory(),
    evaluate = function(step) return {{"score", values[step // 2 + 1]}} end,
  }
  for name, value in pairs(opts or {}) do all[name] = value or nil end
  local real, lines = io.stderr, {}
  rawset(io, "stderr", {write = function(_, ...) lines[#lines + 1] = table.concat{...} end})
  local ok, result = pcall(bnn.train, all)
  rawset(io, "stderr", real)
  said = table.concat(lines)
  if not ok then error(result, 0) end
  return result:steps(), objective.params.flat, result
end

TestStop = {}

function TestStop.test_after_patience_evaluations_without_a_better_value()
  local nan = 0 / 0
  local rows = {
    {{1, 2, 3, 3, 2, 9, 9}, {patience = 2}, 8},
    {{1, 2, 3, 3, 2, 1, 9}, {patience = 3}, 10},
    {{9, 8, 7, 7, 8, 9, 9}, {patience = 2, mode = "min"}, 8},
    {{0, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5}, {patience = 1, min_delta = 0.4}, 20},
    {{0, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5}, {patience = 1, min_delta = 0.5}, 4},
    -- The gain is over the best, not over the last: small ones add up.
    {{0, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5}, {patience = 2, min_delta = 0.5}, 20},
    {{nan, nan, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {patience = 3}, 20},
    {{nan, nan, nan, 2}, {patience = 3}, 4},
  }
  for i, row in ipairs(rows) do
    row[2].monitor = "score"
    lu.assertEquals(train(row[1], row[2]), row[3], "row " .. i)
  end
end

function TestStop.test_it_says_why_on_stderr()
  train({1, 2, 3, 3, 2}, {monitor = "score", patience = 2})
  lu.assertEquals(said,
    "stopped at step 8: score has not improved on 3.000 of step 4 for 2 evaluations\n")
  train({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {monitor = "score", patience = 2})
  lu.assertEquals(said, "")
end

function TestStop.test_misuse_is_named()
  local what = "bnn.train: stop: "
  raises(what .. "patience: expected an integer, got nothing", train, {}, {monitor = "score"})
  raises(what .. "monitor: expected a metric of evaluate, got nothing", train, {}, {patience = 1})
  raises(what .. "expected evaluate= and log_every=, by which the metric is seen, got no evaluate",
    train, {}, {monitor = "score", patience = 1}, {evaluate = false})
  local _, fault = pcall(train, {1}, {monitor = "skore", patience = 1})
  lu.assertStrContains(tostring(fault),
    "bnn.train: stop: monitor = 'skore', which evaluate does not return; it returns score")
end

TestFlags = {}

local EXPERIMENTS = {"mnist", "mlp", "vae", "cubic", "lenet", "resnet", "rnn", "ood"}

function TestFlags.test_every_experiment_that_trains_has_them()
  for _, name in ipairs(EXPERIMENTS) do
    local e = bnn.load_experiment(folder_of_tests .. "/../../experiments/" .. name .. ".lua")
    for _, flag in ipairs{"stop_patience", "stop_min_delta", name ~= "ood" and "monitor" or nil} do
      lu.assertEquals(type(e.defaults[flag]), "table", name .. " --" .. flag)
    end
  end
end

function TestFlags.test_they_make_the_option_of_a_training()
  local from_flags = bnn.early_stopping.from_flags
  local own = {monitor = "score", mode = "min"}
  lu.assertNil(from_flags({}, own))
  lu.assertEquals(from_flags({stop_patience = 3}, own), {patience = 3, monitor = "score",
    mode = "min"})
  lu.assertEquals(from_flags({stop_patience = 3, stop_min_delta = 0.5, monitor = "max:a:b"}, own),
    {patience = 3, min_delta = 0.5, monitor = "a:b", mode = "max"})
  lu.assertEquals(from_flags({stop_patience = 3, monitor = "score"}, own).mode, "min")
  lu.assertEquals(train({1, 2, 3, 3, 2}, from_flags({stop_patience = 1}, {monitor = "score"})), 6)
  raises("monitor: expected a string, got nothing", from_flags, {}, {})
  raises("expected the configuration that an experiment's run gets, got", from_flags, 3, own)
end

function TestFlags.test_the_best_checkpoint_shares_the_metric()
  local option = bnn.checkpoint.from_flags({checkpoint = "x", monitor = "min:nll"},
    {monitor = "score"})
  lu.assertEquals({option.monitor, option.mode}, {"nll", "min"})
end

function TestFlags.test_what_cannot_be_meant_is_refused()
  local rows = {
    {{monitor = "nll", stop_patience = 1}, "--monitor=nll: expected max:NAME or min:NAME, by which "
      .. "is better, such as max:score"},
    {{monitor = "mix:nll", stop_patience = 1}, "expected max:NAME or min:NAME"},
    {{monitor = "max:nll"}, "--monitor needs --stop_patience=N or --checkpoint=DIR"},
    {{stop_min_delta = 1}, "--stop_min_delta needs --stop_patience=N"},
  }
  for _, row in ipairs(rows) do
    local _, fault = pcall(bnn.early_stopping.from_flags, row[1], {monitor = "score"})
    lu.assertStrContains(tostring(fault), row[2])
  end
end

TestWithCheckpoints = {}

local folder

function TestWithCheckpoints:setUp() folder = files.folder() end

function TestWithCheckpoints:tearDown() files.remove(folder) end

local values = {1, 2, 3, 3, 2, 1, 9}

-- The folder's checkpoint options.
local function saving(opts)
  local all = {path = folder, every = 100}
  for name, value in pairs(opts or {}) do all[name] = value end
  return {checkpoint = all}
end

function TestWithCheckpoints.test_the_metric_is_shared_and_the_best_is_kept()
  lu.assertEquals(train(values, {patience = 2}, saving{monitor = "score"}), 8)
  local best = assert(bnn.checkpoint.load(folder .. "/best.safetensors"))
  lu.assertEquals({best.step, best.training.best_value}, {4, 3})
  local last = assert(bnn.checkpoint.load(folder .. "/step_00000008.safetensors"))
  lu.assertEquals(last.step, 8)
end

function TestWithCheckpoints.test_a_resumed_training_stops_where_one_that_never_stopped_does()
  local stop = {monitor = "score", patience = 3}
  local steps, whole = train(values, stop)
  lu.assertEquals(steps, 10)
  for every = 1, 3 do
    for ends = 1, 9 do
      files.remove(folder)
      core.make_folder(folder)
      local opts = saving{every = every}
      opts.on_step = function(step) return step < ends end
      lu.assertEquals(train(values, stop, opts), ends)
      local there, params = train(values, stop, saving{every = every, resume = true})
      lu.assertEquals(there, 10, every .. " " .. ends)
      bits.assert_same(params, whole, every .. " " .. ends)
    end
  end
end

function TestWithCheckpoints.test_one_that_has_stopped_stays_stopped()
  local stop = {monitor = "score", patience = 3}
  for every = 1, 3 do
    files.remove(folder)
    core.make_folder(folder)
    lu.assertEquals(train(values, stop, saving{every = every}), 10)
    lu.assertEquals(train(values, stop, saving{every = every, resume = true}), 10)
  end
end

function TestWithCheckpoints.test_another_rule_is_a_difference()
  train(values, {monitor = "score", patience = 3}, saving())
  local _, fault = pcall(train, values, {monitor = "score", patience = 4}, saving{resume = true})
  lu.assertStrContains(tostring(fault), "stop: score (max), patience 3, min_delta 0 in the "
    .. "checkpoint, score (max), patience 4, min_delta 0 here")
end

os.exit(lu.LuaUnit.run())
