--- Trainings that resume from checkpoints end with the bits of one that never stopped; which files
-- are kept, what is refused, broken files, failed writes; parameters copied, models opened.
local lu = require "luaunit"
local folder_of_tests = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder_of_tests .. "/?.lua;" .. package.path
local bits = require "bits"
local files = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"
local networks = require "bnn.nn.nn"
local likelihoods = require "bnn.model.likelihood"
local options = require "bnn.base.options"
local signal = require "bnn.signal"

local checkpoint, raises = bnn.checkpoint, bits.raises
if not core.json_encode(true) then -- test_safetensors.lua tells of it
  print "Ran 0 tests in 0.000 seconds, 0 successes, 0 failures"
  os.exit(true)
end

local key = bnn.key(9)
local N = 53 -- no multiple of the batch: an epoch ends in a ragged rest, which is left out
local x = bnn.randn(key:fold "x", N, 6)
local function labels(shift)
  local list = {}
  for i = 1, N do list[i] = (i - 1 + shift) % 3 end
  return bnn.tensor(list, "i32")
end
local data = bnn.data.from_tensors{x = x, y = labels(0)}

-- Fresh objectives, the same each time.
local make = {}

function make.elbo(opts)
  local all = {net = bnn.nn.mlp{8, 3}, num_samples = 3, temperature = 1}
  for name, value in pairs(opts or {}) do all[name] = value end
  all.posterior = bnn.posterior.meanfield(all.net:init(key:fold "init", x), {
    logvar = -4, only = all.only,
  })
  all.only = nil
  return bnn.elbo(all)
end

function make.partial() return make.elbo{only = {"mlp/linear_1"}, weight_decay = 1e-3} end

function make.dropout()
  local net = bnn.nn.sequential{
    bnn.nn.linear(8), bnn.nn.relu(), bnn.nn.dropout(0.5), bnn.nn.linear(3),
  }
  return bnn.objective{net = net, params = net:init(key:fold "init", x), likelihood = "categorical"}
end

function make.own_loss()
  local net = bnn.nn.mlp{8, 3}
  return bnn.objective{
    params = net:init(key:fold "init", x), weight_decay = 1e-2,
    loss = function(params, batch, k, train)
      local y = net:apply(params, batch.x, {key = k, train = train})
      return bnn.cross_entropy(y + 0.1 * bnn.randn_like(y, k), batch.y)
    end,
  }
end

local folder, complaints

-- f(...) while what it writes to stderr is caught: `complaints`.
local function quietly(f, ...)
  local real, said = io.stderr, {}
  rawset(io, "stderr", {write = function(_, ...) said[#said + 1] = table.concat{...} end})
  local results = table.pack(pcall(f, ...))
  rawset(io, "stderr", real)
  complaints = table.concat(said)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

local function with_folder(suite)
  function suite:setUp() folder = files.folder() end
  function suite:tearDown() files.remove(folder) end
  return suite
end

-- Trains; `opts` changes options of bnn.train, `check` those of its checkpoints (nil: none).
local function train(opts, check)
  local all = {objective = nil, optimizer = bnn.optim.adam{lr = 0.02}, data = data, steps = 40,
               batch_size = 16, key = key:fold "train"}
  for name, value in pairs(opts or {}) do all[name] = value end
  all.objective = all.objective or make.elbo()
  if check then
    all.checkpoint = {path = folder, every = 1000}
    for name, value in pairs(check) do all.checkpoint[name] = value end
  end
  local state = quietly(bnn.train, all)
  return all.objective, state
end

local function bits_of(objective, state)
  local q = objective.posterior
  local list = {q and bits.of(q.mu.flat) or bits.of(objective.params.flat)}
  if q then list[2] = bits.of(q.logvar.flat) end
  for _, moment in ipairs(state:state_dict().moments) do list[#list + 1] = bits.of(moment) end
  list[#list + 1] = state:steps()
  return list
end

local function names_in(path)
  local names = {}
  for name in pairs(core.list_dir(path)) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function steps_there()
  local steps = {}
  for _, name in ipairs(names_in(folder)) do
    steps[#steps + 1] = math.tointeger(tonumber(name:match "^step_(%d+)%.safetensors$"))
  end
  return steps
end

local function file_of(step) return ("%s/step_%08d.safetensors"):format(folder, step) end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

TestGoingOn = with_folder{}

local function shrinking(step) return 0.03 / step ^ 0.5 end

local runs = {
  elbo = function() return {objective = make.elbo()} end,
  local_draws = function()
    return {objective = make.elbo{estimator = "local_reparameterization"}}
  end,
  flipout = function() return {objective = make.elbo{estimator = "flipout", num_samples = 1}} end,
  dropout = function() return {objective = make.dropout()} end,
  partial = function() return {objective = make.partial()} end,
  own_loss = function() return {objective = make.own_loss()} end,
  sgd = function() return {objective = make.elbo(), optimizer = bnn.optim.sgd{lr = 0.1}} end,
  schedules = function()
    return {objective = make.elbo{temperature = bnn.schedule.linear{from = 0, to = 1, steps = 30}},
            optimizer = bnn.optim.adam{lr = shrinking}}
  end,
  rates_of_train = function()
    return {objective = make.elbo(), lr = shrinking, beta = function(step) return step / 1e4 end}
  end,
}

local function run(name, steps, check)
  local opts = runs[name]()
  opts.steps = steps
  return bits_of(train(opts, check))
end

-- Fails for each kind of training in turn when 20 steps and 20 more are not 40.
function TestGoingOn.test_gives_the_bits_of_never_stopping_on_any_threads()
  local before = bnn.threads()
  for _, name in ipairs(options.sorted_names(runs)) do
    bnn.threads(1)
    local whole = run(name, 40)
    for threads = 1, 3 do
      bnn.threads(threads)
      files.make(folder)
      run(name, 20, {})
      lu.assertEquals(steps_there(), {20}, name)
      bnn.threads(threads % 3 + 1)
      lu.assertEquals(run(name, 40, {resume = true}), whole, name .. ", threads " .. threads)
      lu.assertStrContains(complaints, "resumed from " .. file_of(20) .. " at step 20")
      lu.assertEquals(steps_there(), {20, 40})
      files.remove(folder)
    end
  end
  bnn.threads(before)
  files.make(folder)
end

function TestGoingOn.test_anywhere_within_an_epoch_and_again_and_again()
  local whole = bits_of(train())
  local _, state
  for _, steps in ipairs{1, 2, 3, 7, 24, 39} do train({steps = steps}, {resume = true}) end
  local objective
  objective, state = train({}, {resume = true})
  lu.assertEquals(bits_of(objective, state), whole)
  lu.assertEquals(steps_there(), {24, 39, 40})
end

-- The rows from the resumed step on are those of the unbroken run; the row of the step itself is
-- there again where it was due.
function TestGoingOn.test_logs_the_rows_of_the_unbroken_run()
  local function rows(steps, check)
    local log, objective = bnn.log.memory(), make.elbo()
    train({
      objective = objective, steps = steps, log = log, log_every = 4, evaluate = function(step)
        local f = objective:evaluate(data, {key = key:fold "eval", step = step})
        return {{"elbo", f.elbo}, {"kl", f.kl_divergence}}
      end,
    }, check)
    return log.blocks
  end
  local whole = rows(40)
  lu.assertEquals(#whole, 11)
  for _, at in ipairs{0, 1, 16, 18, 39, 40} do
    files.remove(folder)
    rows(at, {every = 1})
    local wanted = {}
    for _, block in ipairs(whole) do
      if block.step >= at then wanted[#wanted + 1] = block end
    end
    lu.assertEquals(rows(40, {resume = true}), wanted, "from " .. at)
  end
end

function TestGoingOn.test_a_complete_training_ends_with_its_last_figures()
  local objective, state = train({steps = 12}, {})
  local bytes, seen = read(file_of(12)), {}
  local again, again_state = train({steps = 12, evaluate = function(step)
    seen[#seen + 1] = step
  end}, {resume = true})
  lu.assertEquals(bits_of(again, again_state), bits_of(objective, state))
  lu.assertEquals(seen, {12})
  lu.assertEquals(read(file_of(12)), bytes)
  train({steps = 5}, {resume = true})
  lu.assertStrContains(complaints, "already at step 12 (requested 5)")
end

function TestGoingOn.test_with_a_state_of_an_earlier_training()
  local whole = bits_of(train{steps = 30})
  local function second(steps, check)
    local objective, state = train{steps = 10}
    return train({objective = objective, state = state, steps = steps}, check)
  end
  second(9, {})
  lu.assertEquals(steps_there(), {19})
  lu.assertEquals(bits_of(second(20, {resume = true})), whole)
end

function TestGoingOn.test_without_one_to_go_on_from_it_begins_with_a_word()
  local objective, state = train({steps = 4}, {path = folder .. "/new/er", resume = true})
  lu.assertStrContains(complaints, folder
    .. "/new/er: nothing to resume from, starting a new training")
  lu.assertEquals(bits_of(objective, state), bits_of(train{steps = 4}))
end

function TestGoingOn.test_extras_and_what_was_saved_come_back()
  train({steps = 3}, {extras = function(step) return {seen = step, x = bnn.ones(2)} end})
  local got
  train({steps = 4}, {resume = true, extras = {a = 1}, on_resume = function(s) got = s end})
  lu.assertEquals({got.step, got.extras.seen, got.extras.x:totable()}, {3, 3, {1, 1}})
  lu.assertEquals(checkpoint.load(file_of(4)).extras, {a = 1})
end

-- A step far into a training is reached at once.
function TestGoingOn.test_skipped_batches_cost_nothing()
  local function batch_after(skip)
    local start = os.clock()
    local batch = data:batches{size = 16, key = key, skip = skip, epochs = math.huge}()
    return batch.x, os.clock() - start
  end
  local _, time = batch_after(10 ^ 15)
  lu.assertTrue(time < 0.1, time)
  local next_batch = data:batches{size = 16, key = key, epochs = math.huge}
  for _ = 1, 7 do next_batch() end
  bits.assert_same(batch_after(7), next_batch().x)
end

TestKept = with_folder{}

function TestKept.test_every_and_keep()
  for _, row in ipairs{
    {{every = 5, keep = 2}, 12, {10, 12}}, {{every = 5, keep = 9}, 12, {5, 10, 12}},
    {{every = 4, keep = 1}, 12, {12}}, {{every = 100}, 12, {12}}, {{every = 3}, 12, {6, 9, 12}},
    {{every = 5}, 0, {}},
  } do
    files.remove(folder)
    train({steps = row[2]}, row[1])
    lu.assertEquals(steps_there(), row[3])
  end
  lu.assertEquals(names_in(folder), {})
end

function TestKept.test_keep_counts_those_of_before()
  train({steps = 20}, {every = 5, keep = 3})
  train({steps = 30}, {every = 5, keep = 2, resume = true})
  lu.assertEquals(steps_there(), {25, 30})
end

function TestKept.test_on_step_that_ends_the_training()
  train({on_step = function(step) return step < 7 end}, {})
  lu.assertEquals(steps_there(), {7})
  lu.assertEquals(bits_of(train({}, {resume = true})), bits_of(train()))
end

local NAN = 0 / 0

-- Figures by step, of which the best is to be kept; which step that is.
local function best_of(figures, mode, check)
  local objective, at = make.elbo(), {}
  local function evaluate(step)
    at[step] = bits.of(objective.posterior.mu.flat)
    return {{"other", -step}, {"figure", figures[step + 1] or 0}}
  end
  local all = {monitor = "figure", mode = mode}
  for name, value in pairs(check or {}) do all[name] = value end
  train({objective = objective, steps = #figures - 1, log_every = 1, evaluate = evaluate,
         log = bnn.log.memory()}, all)
  local saved = checkpoint.load(folder .. "/best.safetensors")
  if not saved then return nil end
  if at[saved.step] then lu.assertEquals(bits.of(saved.posterior.mu.flat), at[saved.step]) end
  return saved.step, saved.training.best_value
end

function TestKept.test_best()
  for i, row in ipairs{
    {{1, 3, 2}, "max", 1, 3}, {{1, 3, 2}, "min", 0, 1}, {{1, 3, 3, 3}, "max", 1, 3},
    {{2, 1, 1}, "min", 1, 1}, {{NAN, 1, NAN, 2, NAN}, "max", 3, 2}, {{NAN, 2, 1}, "min", 2, 1},
    {{-1 / 0, -5}, "max", 1, -5}, {{NAN, NAN}, "max", nil, nil}, {{5, 4}, nil, 0, 5},
  } do
    files.remove(folder)
    lu.assertEquals({best_of(row[1], row[2])}, {row[3], row[4]}, "row " .. i)
  end
end

function TestKept.test_best_across_a_resume()
  for i, row in ipairs{
    {{1, 5, 3}, {1, 5, 3, 4, 2}, 1, 5}, {{1, 5, 3}, {1, 5, 3, 6}, 3, 6},
    {{1, 5}, {1, 5, 5, 5}, 1, 5}, {{1, 2, 5}, {1, 2, 5, 4}, 2, 5},
  } do
    files.remove(folder)
    best_of(row[1], "max")
    lu.assertEquals({best_of(row[2], "max", {resume = true})}, {row[3], row[4]}, "row " .. i)
  end
end

-- Values of one metric are not compared with those of another: that is refused, or begins anew.
function TestKept.test_a_resume_with_another_metric_compares_nothing()
  local function look_for(steps, check)
    local objective = make.elbo()
    train({objective = objective, steps = steps, log_every = 1, log = bnn.log.memory(),
           evaluate = function(step) return {accuracy = step / 10, nll = 9 - step} end}, check)
    local training = checkpoint.load(folder .. "/best.safetensors").training
    return {training.best, training.best_mode, training.best_value}
  end
  lu.assertEquals(look_for(3, {monitor = "accuracy"}), {"accuracy", "max", 0.3})
  for _, row in ipairs{
    {"nll (min) here", {monitor = "nll", mode = "min"}}, {"nll (max) here", {monitor = "nll"}},
    {"accuracy (min) here", {monitor = "accuracy", mode = "min"}},
  } do
    row[2].resume = true
    local ok, err = pcall(look_for, 4, row[2])
    lu.assertFalse(ok)
    lu.assertStrContains(tostring(err), "monitor: accuracy (max) in the checkpoint, " .. row[1])
  end
  local by_nll = {monitor = "nll", mode = "min", resume_anyway = true}
  lu.assertEquals(look_for(4, by_nll), {"nll", "min", 5})
  lu.assertStrContains(complaints, "monitor: accuracy (max) in the checkpoint, nll (min) here")
  lu.assertStrContains(complaints, "best.safetensors: best by accuracy (max), now by nll (min): "
    .. "the search for the best starts anew")
  lu.assertEquals(look_for(6, {monitor = "nll", mode = "min", resume = true}), {"nll", "min", 3})
  lu.assertNil(complaints:find "WARNING")
end

-- A run in between that looks for no best keeps what is known of it.
function TestKept.test_the_best_outlives_a_resume_without_it()
  best_of({1, 5}, "max")
  train({steps = 2}, {resume = true})
  lu.assertEquals({best_of({1, 5, 0, 4}, "max", {resume = true})}, {1, 5})
end

-- A best that was found after the checkpoint was written is found again, at the same step.
function TestKept.test_a_best_of_steps_that_are_done_again_does_not_count_before_them()
  local last = folder .. "/step_00000002.safetensors"
  best_of({1, 2, 5}, "max", {every = 1})
  lu.assertEquals(checkpoint.load(last).training.best_value, 2)
  os.remove(last)
  lu.assertEquals({best_of({1, 2, 5}, "max", {every = 1, resume = true})}, {2, 5})
  lu.assertEquals(checkpoint.load(last).training.best_value, 2)
end

-- A file that does not say of which metric it is the best, as earlier ones did not, and one that is
-- damaged or gone.
function TestKept.test_a_best_that_cannot_be_compared_begins_anew()
  local best = folder .. "/best.safetensors"
  local function unname()
    for _, path in ipairs{best, folder .. "/step_00000001.safetensors"} do
      local tensors, metadata = bnn.safetensors.load(path)
      local text = metadata.training:gsub('"best":"figure",', "")
      metadata.training = text:gsub('"best_mode":"max",', "")
      assert(bnn.safetensors.save(path, tensors, {metadata = metadata}))
    end
  end
  for words, change in pairs{
    ["best.safetensors: best by a metric that it does not name, now by figure (max)"] = unname,
    ["cannot read the best checkpoint: malformed input data: " .. best] = function()
      files.write(best, "x")
    end,
    [""] = function() os.remove(best) end,
  } do
    files.remove(folder)
    best_of({1, 5}, "max")
    change()
    lu.assertEquals({best_of({1, 2, 4}, "max", {resume = true})}, {2, 4}, words)
    lu.assertStrContains(complaints, words)
  end
end

-- A user who links the best to the file of a step loses neither: the step is not taken away, and a
-- better one takes the place of the link.
function TestKept.test_a_best_that_is_a_link_to_a_step()
  local check = {every = 1, keep = 2, resume = true}
  best_of({1, 5, 0}, "max", {every = 1, keep = 2})
  os.remove(folder .. "/best.safetensors")
  os.execute(("ln -s step_00000001.safetensors '%s/best.safetensors'"):format(folder))
  lu.assertEquals({best_of({1, 5, 0, 0, 0}, "max", check)}, {1, 1}) -- a step knows those before it
  lu.assertEquals(steps_there(), {1, 3, 4})
  lu.assertEquals({best_of({1, 5, 0, 0, 0, 9}, "max", check)}, {5, 9})
  lu.assertEquals(checkpoint.load(file_of(1)).step, 1)
end

function TestKept.test_a_best_that_there_never_was_is_told_of()
  best_of({NAN, NAN}, "max")
  lu.assertStrContains(complaints, "WARNING: no best checkpoint: 'figure' was never a number")
  files.remove(folder)
  best_of({NAN, 1}, "max")
  lu.assertEquals(complaints, "")
end

function TestKept.test_figures_may_be_by_name_and_tensors()
  train({steps = 2, log_every = 1, log = bnn.log.memory(), evaluate = function(step)
    return {figure = bnn.tensor(step)}
  end}, {monitor = "figure"})
  lu.assertEquals(checkpoint.load(folder .. "/best.safetensors").step, 2)
end

TestRefused = with_folder{}

-- The one line with which a training is refused.
local function refusal(opts, check)
  local ok, err = pcall(train, opts, check)
  lu.assertFalse(ok)
  lu.assertTrue(signal.is_refusal(err), tostring(err))
  lu.assertNil(tostring(err):find "\n")
  return tostring(err)
end

-- Every difference is named, with both values, and goes through with resume_anyway.
function TestRefused.test_differences()
  local other_net = bnn.nn.mlp{8, 3, activation = "tanh"}
  local x2 = bnn.randn(key:fold "x2", N, 6)
  local config = {lr = 0.02, hidden = {64, 10}, steps = 5, name = "a"}
  local rows = {
    {"batch_size: 16 in the checkpoint, 10 here", {batch_size = 10}},
    {"data_size: 53 in the checkpoint, 30 here", {data = data:slice(1, 30)}},
    {"data_fingerprint: ", {data = bnn.data.from_tensors{x = x2, y = labels(0)}}},
    {"data_fingerprint: ", {data = bnn.data.from_tensors{x = x, y = labels(1)}}},
    {"key: ", {key = key}},
    {"optimizer_options: {b1=0.9, b2=0.999, eps=1e-08, lr=0.02} in the checkpoint, "
      .. "{b1=0.9, b2=0.999, eps=1e-08, lr=0.01} here", {optimizer = bnn.optim.adam{lr = 0.01}}},
    {"objective: elbo{temperature=1, kl=sum, prior=1, num_samples=3, likelihood=categorical, 83 "
      .. "parameters} in the checkpoint, elbo{temperature=1, kl=sum, prior=1, num_samples=2",
     {objective = function() return make.elbo{num_samples = 2} end}},
    {"objective: elbo{temperature=1, kl=sum, prior=1, num_samples=3, likelihood=categorical, 83 "
      .. "parameters} in the checkpoint, elbo{temperature=1, kl=sum, prior=1, num_samples=3, "
      .. "shards=4, likelihood=categorical, 83 parameters} here",
     {objective = function() return make.elbo{shards = 4} end}},
    {"num_samples=4, antithetic=true, likelihood=categorical, 83 parameters} here",
     {objective = function() return make.elbo{num_samples = 4, antithetic = true} end}},
    {"num_samples=3, estimator=flipout, likelihood=categorical, 83 parameters} here",
     {objective = function() return make.elbo{estimator = "flipout"} end}},
    {"network: mlp({8, 3, activation=relu}) in the checkpoint, mlp({8, 3, activation=tanh}) here",
     {objective = function() return make.elbo{net = other_net} end}},
    {"lr at step 5: 0.02 in the checkpoint, 0.5 here", {lr = 0.5}},
    {"beta at step 5: 0.01886792 in the checkpoint, 0.1 here", {beta = 0.1}},
    {"elbo{temperature=schedule, ", {objective = function()
      return make.elbo{temperature = bnn.schedule.linear{from = 0, to = 1, steps = 10}}
    end}},
    {"prior: 1 in the checkpoint, 1.0000001 here", {objective = function()
      return make.elbo{prior = 1.0000001}
    end}},
    {"lr: 0.02 in the checkpoint, 0.5 here", {}, {lr = 0.5}},
    {"lr: 0.02 in the checkpoint, 0.020000000000000004 here", {}, {lr = 0.020000000000000004}},
    {"hidden: {64, 10} in the checkpoint, {32, 10} here", {}, {hidden = {32, 10}}},
    {"name: a in the checkpoint, b here; new: not given in the checkpoint, true here", {},
     {name = "b", new = true}},
  }
  train({steps = 5}, {config = config})
  local bytes = read(file_of(5))
  for _, row in ipairs(rows) do
    local function options_of()
      local opts, cfg = {steps = 5}, {}
      for name, value in pairs(row[2]) do opts[name] = value end
      if opts.objective then opts.objective = opts.objective() end
      for name, value in pairs(config) do cfg[name] = value end
      for name, value in pairs(row[3] or {}) do cfg[name] = value end
      return opts, cfg
    end
    local opts, cfg = options_of()
    local objective = opts.objective or make.elbo()
    opts.objective = objective
    local before = bits.of(objective.posterior.mu.flat)
    local message = refusal(opts, {config = cfg, resume = true})
    lu.assertStrContains(message, file_of(5) .. ": cannot resume: ")
    lu.assertStrContains(message, row[1])
    lu.assertStrContains(message, " (--resume_anyway overrides)")
    lu.assertEquals(bits.of(objective.posterior.mu.flat), before) -- nothing has changed
    opts, cfg = options_of()
    local _, state = train(opts, {config = cfg, resume_anyway = true})
    lu.assertEquals(state:steps(), 5)
    lu.assertStrContains(complaints, "WARNING: " .. file_of(5)
      .. ": resuming although it differs: ")
    lu.assertStrContains(complaints, row[1])
    lu.assertEquals(read(file_of(5)), bytes)
  end
  config.steps = 6
  train({steps = 6}, {config = config, resume = true})
end

-- What says result=false in an experiment, and steps, may differ; in a plain table all counts.
function TestRefused.test_configurations_of_experiments()
  local e = {
    defaults = bnn.checkpoint.flags{
      lr = {0.1, "a"}, threads = {1, "b", result = false}, steps = {3, "c"},
    },
    run = function(cfg) train({steps = cfg.steps}, bnn.checkpoint.from_flags(cfg)) end,
  }
  bnn.main(e)
  e.run{checkpoint = folder}
  e.run{checkpoint = folder, resume = true, threads = 2, steps = 4, checkpoint_every = 7}
  lu.assertEquals(steps_there(), {3, 4})
  lu.assertEquals(checkpoint.load(file_of(4)).config, {lr = 0.1, steps = 4})
  local ok, err = pcall(e.run, {checkpoint = folder, resume = true, lr = 0.2})
  lu.assertFalse(ok)
  lu.assertStrContains(tostring(err), "lr: 0.1 in the checkpoint, 0.2 here")
  e.run{checkpoint = folder, resume_anyway = true, lr = 0.2}
  raises("--resume needs --checkpoint=DIR, the folder to resume from", e.run, {resume = true})
  files.remove(folder)
  for _, resume in ipairs{false, true} do -- a plain table of the user's own
    train({steps = 3}, bnn.checkpoint.from_flags{checkpoint = folder, lr = 1, resume = resume})
  end
  lu.assertEquals(checkpoint.load(file_of(3)).config, {lr = 1})
end

-- A checkpoint of an earlier version holds flags by the names that they had.
function TestRefused.test_flags_of_earlier_versions_count_by_their_names_of_today()
  train({steps = 3}, {config = {prior = 0.5, samples = 2, steps = 3}})
  local e = {
    renamed = {prior = "prior_std", samples = "predict_samples"}, common = {"checkpoint"},
    defaults = {prior_std = {0.5, "a"}, predict_samples = {2, "b"}, steps = {4, "c"}},
    run = function(cfg) train({steps = cfg.steps}, bnn.checkpoint.from_flags(cfg)) end,
  }
  bnn.main(e)
  local ok, err = pcall(e.run, {checkpoint = folder, resume = true, prior_std = 0.25})
  lu.assertFalse(ok)
  lu.assertStrContains(tostring(err), "prior_std: 0.5 in the checkpoint, 0.25 here")
  e.run{checkpoint = folder, resume = true}
  lu.assertEquals(checkpoint.load(file_of(4)).config,
    {prior_std = 0.5, predict_samples = 2, steps = 4})
end

-- Functions are compared by what they gave at the step of the checkpoint.
function TestRefused.test_other_schedules()
  local function with(steps, slope)
    return {steps = steps, lr = function(step) return slope / step end}
  end
  train(with(4, 0.5), {})
  lu.assertStrContains(refusal(with(6, 0.25), {resume = true}),
    "lr at step 4: 0.125 in the checkpoint, 0.0625 here")
  train(with(6, 0.5), {resume = true})
end

function TestRefused.test_what_resume_anyway_can_not_do()
  train({steps = 5}, {})
  local rows = {
    {"optimizer state: expected sgd over 166 elements, got adam over 166",
     {optimizer = bnn.optim.sgd{lr = 1}}},
    {"'mlp/linear_0/b': expected [9], got [8]; 'mlp/linear_0/w': expected [6, 9], got [6, 8]; "
      .. "'mlp/linear_1/w': expected [9, 3], got [8, 3]",
     {objective = make.elbo{net = bnn.nn.mlp{9, 3}}}},
    {"'mlp/linear_2/b': expected [3], got nothing",
     {objective = make.elbo{net = bnn.nn.mlp{8, 3, 3}}}},
    {"'linear/b': expected [3], got nothing", {objective = make.elbo{net = bnn.nn.linear(3)}}},
    {"'mlp/linear_0/b': expected nothing, got [8]",
     {objective = make.elbo{net = bnn.nn.linear(3)}}},
    {"expected params, got a posterior", {objective = make.own_loss()}},
    {"tensor 1: expected 'mlp/linear_1/w', got 'mlp/linear_0/w'", {objective = make.partial()}},
  }
  for _, row in ipairs(rows) do
    row[2].steps = 6
    local message = refusal(row[2], {resume_anyway = true})
    lu.assertStrContains(message, file_of(5) .. ": ")
    lu.assertStrContains(message, row[1])
  end
end

function TestRefused.test_a_folder_of_an_earlier_training()
  train({steps = 2}, {})
  local message = refusal({steps = 2}, {})
  lu.assertStrContains(message, folder .. " holds checkpoints of an earlier training: "
    .. "pass --resume to resume it, or use another folder")
  os.rename(file_of(2), folder .. "/best.safetensors")
  lu.assertStrContains(refusal({steps = 2}, {}), "holds checkpoints of an earlier training")
  local _, state = train({steps = 3}, {resume = true}) -- the best one will do
  lu.assertStrContains(complaints, "resumed from " .. folder .. "/best.safetensors at step 2")
  lu.assertEquals(state:steps(), 3)
end

function TestRefused.test_misuse_before_the_first_step()
  local asked = 0
  local function evaluate()
    asked = asked + 1
    return {{"a", 1}}
  end
  for words, check in pairs{
    ["checkpoint: unknown option 'pth': did you mean 'path'?"] = {pth = "x"},
    ["checkpoint: keep: expected at least 1, got 0"] = {keep = 0},
    ["checkpoint: every: expected at least 1, got 0"] = {every = 0},
    ["checkpoint: mode: expected one of max, min, got \"best\""] = {mode = "best"},
    ["checkpoint: best is now monitor"] = {best = "a"},
    ["checkpoint: free is now may_change"] = {free = {"steps"}},
    ["config/f: a function is not a plain value"] = {config = {f = print}},
    ["extras/f: a function is not a plain value"] = {extras = {f = print}},
    ["is not a plain value"] = {extras = function() return {f = print} end},
  } do
    raises({"bnn", words}, train, {evaluate = evaluate}, check)
  end
  raises("bnn.train: checkpoint: monitor = 'a': expected evaluate=, got nothing", train, {},
    {monitor = "a"})
  local own = {step = print, beta_at = print, state_size = function() return 1 end}
  raises("expected an objective with posterior= or params=, got neither", bnn.train,
    {objective = own, optimizer = bnn.optim.adam(), data = data, steps = 1, key = key,
     checkpoint = {path = folder}})
  lu.assertEquals(asked, 0)
  lu.assertStrContains(refusal({evaluate = evaluate, log = bnn.log.memory()}, {monitor = "b"}),
    "monitor = 'b', which evaluate does not return")
  lu.assertStrContains(refusal({evaluate = function() return {{"b", "x"}} end,
    log = bnn.log.memory()}, {monitor = "b"}),
    "monitor = 'b', which evaluate returns as a string")
  lu.assertStrContains(refusal({}, {path = ""}), "the name of the folder is empty")
  files.write(folder .. "/file", "")
  lu.assertStrContains(refusal({}, {path = folder .. "/file"}), folder .. "/file: Not a directory")
  lu.assertEquals(names_in(folder), {"file"})
end

-- An interrupt while resuming stays one, writes nothing and releases the lock of the folder.
function TestRefused.test_an_interrupt_before_the_first_step()
  train({steps = 3}, {})
  local bytes = read(file_of(3))
  local ok, err = pcall(train, {}, {resume = true, every = 1, on_resume = function()
    io.popen("kill -TERM $PPID"):close()
  end})
  lu.assertFalse(ok)
  lu.assertTrue(signal.is_interrupt(err), tostring(err))
  lu.assertEquals(err.name, "SIGTERM")
  lu.assertEquals(names_in(folder), {"step_00000003.safetensors"})
  lu.assertEquals(read(file_of(3)), bytes)
  lu.assertEquals(bits_of(train({}, {resume = true})), bits_of(train()))
end

-- One training at a time; the folder is free again when it has ended, however.
function TestRefused.test_two_trainings_in_one_folder()
  train({steps = 3, on_step = function(step)
    if step ~= 2 then return end
    local message = refusal({steps = 3}, {})
    lu.assertStrContains(message, folder .. ": another training is writing there")
  end}, {})
  raises("stopped", train, {steps = 9, on_step = function() error "stopped" end}, {resume = true})
  refusal({steps = 9, batch_size = 10}, {resume = true})
  lu.assertEquals(select(2, train({steps = 5}, {resume = true})):steps(), 5)
end

TestBroken = with_folder{}

function TestBroken.test_the_newest_that_can_be_read_is_gone_on_from()
  local whole = bits_of(train())
  for _, damage in ipairs{
    function(bytes) return bytes:sub(1, #bytes // 2) end, function() return "" end,
    function(bytes) return bytes:gsub("bnnlua checkpoint", "another programme", 1) end,
  } do
    files.remove(folder)
    train({steps = 20}, {every = 5})
    local bytes = read(file_of(20))
    files.write(file_of(20), damage(bytes))
    local objective, state = train({}, {resume = true, every = 5})
    lu.assertStrContains(complaints, "WARNING: cannot read a checkpoint: ")
    lu.assertStrContains(complaints, file_of(20) .. ": ")
    lu.assertStrContains(complaints, "WARNING: going back to " .. file_of(15) .. ", step 15")
    lu.assertEquals(bits_of(objective, state), whole)
    lu.assertEquals(steps_there(), {30, 35, 40})
  end
end

function TestBroken.test_a_broken_one_is_written_again_and_not_taken_for_the_newest()
  train({steps = 20}, {every = 10})
  files.write(file_of(20), "")
  train({steps = 20}, {every = 5, keep = 2, resume = true})
  lu.assertEquals(steps_there(), {15, 20})
  lu.assertEquals(checkpoint.load(file_of(20)).step, 20)
end

function TestBroken.test_when_none_can_be_read_the_newest_is_named()
  train({steps = 10}, {every = 5})
  for _, step in ipairs{5, 10} do files.write(file_of(step), "") end
  local message = refusal({}, {resume = true})
  lu.assertStrContains(message, file_of(10) .. ": holds no data")
  lu.assertStrContains(message, "the folder has no readable checkpoint")
  lu.assertEquals(names_in(folder), {"step_00000005.safetensors", "step_00000010.safetensors"})
end

-- What is inside may be anything; nothing raises but a refusal.
function TestBroken.test_strange_contents_are_told()
  train({steps = 3}, {})
  local tensors, metadata = bnn.safetensors.load(file_of(3))
  for i, row in ipairs{
    {"training", "{}", "cannot resume: "}, {"training", "[1,2]", "cannot resume: "},
    {"config", "[]"}, {"versions", "[1,{}]"}, {"versions", '{"a":{"name":[]}}'},
    {"model", "[]", "network: not given in the checkpoint"},
    {"model", '{"net":7,"likelihood":7}', "network: 7 in the checkpoint"},
    {"training", '{"best_value":"x","rates":7}', "cannot resume"},
  } do
    local changed = {}
    for name, text in pairs(metadata) do changed[name] = text end
    changed[row[1]] = row[2]
    assert(bnn.safetensors.save(file_of(3), tensors, {metadata = changed}))
    if row[3] then
      lu.assertStrContains(refusal({steps = 3}, {resume = true}), row[3], false, "row " .. i)
    else
      train({steps = 3}, {resume = true})
    end
  end
  local more = {}
  for name, tensor in pairs(tensors) do more[name] = tensor end
  more.step = core.tensor(4, "u64")
  assert(bnn.safetensors.save(file_of(3), more, {metadata = metadata}))
  lu.assertStrContains(refusal({steps = 3}, {resume_anyway = true}),
    "the checkpoint is of step 4, its optimizer state of step 3")
end

function TestBroken.test_what_killed_writers_left_is_taken_away_and_nothing_else()
  for _, name in ipairs{
    "step_00000005.safetensors.123-0.part", "best.safetensors.9-7.part", "mine.part",
    "notes.safetensors.1-1.part", "step_5.safetensors",
  } do
    files.write(folder .. "/" .. name, "x")
  end
  train({steps = 2}, {})
  lu.assertEquals(names_in(folder), {"mine.part", "notes.safetensors.1-1.part",
    "step_00000002.safetensors", "step_5.safetensors"})
end

TestCost = with_folder{}

-- The checkpoint of mnist.lua, 1.3 MB, costs less than 10 ms of the processor's time.
function TestCost.test_of_the_checkpoint_of_mnist()
  if os.getenv "SAN" and os.getenv "SAN" ~= "" then lu.skip "sanitizers take their time" end
  local net = bnn.nn.mlp{64, 64, 10}
  local q = bnn.posterior.meanfield(net:init(key, core.zeros{1, 784}), {logvar = -7})
  local objective = bnn.elbo{net = net, posterior = q, likelihood = "categorical"}
  local state, times = bnn.optim.adam():init(objective), {}
  for i = 1, 9 do
    local start = os.clock()
    assert(checkpoint.save(file_of(i), {posterior = q, optimizer = state, step = i, key = key}))
    times[i] = os.clock() - start
  end
  table.sort(times)
  lu.assertTrue(times[3] < 0.01, times[3])
end

TestFailedWrites = with_folder{}

function TestFailedWrites.test_a_folder_that_is_gone_and_comes_back()
  local whole = bits_of(train{steps = 12})
  local objective, state = train({steps = 12, on_step = function(step)
    if step == 3 then files.remove(folder) end
    if step == 9 then files.make(folder) end
  end}, {every = 2})
  lu.assertEquals(bits_of(objective, state), whole)
  lu.assertStrContains(complaints, "WARNING: checkpoint of step 4 not written: ")
  lu.assertStrContains(complaints, file_of(4) .. ": No such file or directory")
  lu.assertStrContains(complaints, "WARNING: checkpoint of step 8 not written")
  lu.assertNil(complaints:find "step 10")
  lu.assertEquals(steps_there(), {10, 12})
end

-- Extras that cannot be written any more are a warning too: the training has run for hours.
function TestFailedWrites.test_extras_that_fail_later()
  local _, state = train({steps = 4}, {every = 1, extras = function(step)
    if step == 2 then error "no extras today" end
    return {f = step == 3 and print or 1}
  end})
  lu.assertEquals(state:steps(), 4)
  lu.assertStrContains(complaints, "WARNING: checkpoint of step 2 not written: ")
  lu.assertStrContains(complaints, "no extras today")
  lu.assertStrContains(complaints, "extras/f: a function is not a plain value")
  lu.assertEquals(steps_there(), {1, 4})
end

-- Raises the refusal of a training whose end fails, and gives the objective.
local function fails_at_its_end(words, opts, check)
  opts.objective = make.elbo()
  local ok, err = pcall(train, opts, check)
  lu.assertFalse(ok)
  lu.assertTrue(require "bnn.signal".is_refusal(err))
  lu.assertStrContains(tostring(err), words)
  return opts.objective
end

-- All steps are made, and only then is it an error.
function TestFailedWrites.test_a_last_write_that_fails_is_an_error()
  local whole = bits.of(train{steps = 8}.posterior.mu.flat)
  for _, gone_at in ipairs{3, 6} do -- none was ever written, or an earlier one was
    files.make(folder)
    local words = "bnn.train: the last checkpoint was not written: input/output error: "
    local objective = fails_at_its_end(words .. file_of(8), {steps = 8, on_step = function(step)
      if step == gone_at then files.remove(folder) end
    end}, {every = 5})
    lu.assertEquals(bits.of(objective.posterior.mu.flat), whole)
    lu.assertStrContains(complaints, "WARNING: checkpoint of step 8 not written: ")
  end
end

-- Room that comes back in time is enough.
function TestFailedWrites.test_a_last_write_is_tried_once_more()
  train({steps = 4, log = bnn.log.memory(), on_step = function(step)
    if step == 4 then files.remove(folder) end
  end, evaluate = function(step)
    if step == 4 then files.make(folder) end
    return {}
  end}, {})
  lu.assertStrContains(complaints, "WARNING: checkpoint of step 4 not written: ")
  lu.assertEquals(steps_there(), {4})
end

function TestFailedWrites.test_a_best_that_is_never_written_is_an_error()
  local words = "bnn.train: the best checkpoint was not written: input/output error: "
  fails_at_its_end(words .. folder .. "/best.safetensors", {
    steps = 3, log_every = 1, log = bnn.log.memory(), evaluate = function(step)
      files[step == 1 and "remove" or "make"](folder)
      return {figure = step == 1 and 1 or 0}
    end,
  }, {monitor = "figure"})
end

-- A best one that failed does not count as kept.
function TestFailedWrites.test_a_best_one_that_failed()
  local figures = {[0] = 1, 9, 5, 4}
  train({steps = 3, log_every = 1, log = bnn.log.memory(), evaluate = function(step)
    files[step == 1 and "remove" or "make"](folder)
    return {{"figure", figures[step]}}
  end}, {monitor = "figure"})
  lu.assertStrContains(complaints, "WARNING: checkpoint of step 1 not written: ")
  lu.assertStrContains(complaints, folder .. "/best.safetensors: No such file")
  lu.assertEquals(checkpoint.load(folder .. "/best.safetensors").step, 2)
end

TestTaken = {}

local function params_of(net, fold) return net:init(key:fold(fold or "other"), x) end

function TestTaken.test_compare_names_what_differs()
  local a, b = params_of(bnn.nn.mlp{8, 3}), params_of(bnn.nn.mlp{9, 3, 2})
  lu.assertEquals(checkpoint.compare(a, b), {
    "'mlp/linear_0/b': expected [8], got [9]", "'mlp/linear_0/w': expected [6, 8], got [6, 9]",
    "'mlp/linear_1/w': expected [8, 3], got [9, 3]", "'mlp/linear_2/b': expected nothing, got [2]",
    "'mlp/linear_2/w': expected nothing, got [3, 2]",
  })
  lu.assertEquals(checkpoint.compare(b, {["mlp/linear_2/b"] = bnn.ones(2)})[1],
    "'mlp/linear_0/b': expected [9], got nothing")
  lu.assertEquals(checkpoint.compare(a, a:clone()), {})
  local flat = bnn.params.pack(bnn.params.layout{{name = "flat", shape = {2}}},
    {flat = bnn.ones(2)}) -- a name that Params has a method of
  lu.assertEquals(checkpoint.compare(flat, {flat = bnn.ones(2)}), {})
  lu.assertEquals(checkpoint.compare(flat, {}), {"'flat': expected [2], got nothing"})
end

function TestTaken.test_strict_takes_all_or_nothing()
  local a, b = params_of(bnn.nn.mlp{8, 3}), params_of(bnn.nn.mlp{8, 3}, "b")
  lu.assertEquals(checkpoint.load_into(a, b), {})
  bits.assert_same(a, b)
  local wide = params_of(bnn.nn.mlp{8, 4})
  local before = wide:clone()
  local ok, message = checkpoint.load_into(wide, b)
  lu.assertNil(ok)
  lu.assertEquals(message,
    "'mlp/linear_1/b': expected [4], got [3]; 'mlp/linear_1/w': expected [8, 4], got [8, 3]")
  bits.assert_same(wide, before)
end

function TestTaken.test_not_strict_takes_what_fits_and_reports_the_rest()
  local wide, b = params_of(bnn.nn.mlp{8, 4}), params_of(bnn.nn.mlp{8, 3}, "b")
  local before = wide:clone()
  lu.assertEquals(#checkpoint.load_into(wide, b, {strict = false}), 2)
  bits.assert_same(wide["mlp/linear_0/w"], b["mlp/linear_0/w"])
  bits.assert_same(wide["mlp/linear_1/w"], before["mlp/linear_1/w"])
  local some = {["mlp/linear_1/b"] = bnn.tensor{1, 2, 3, 4}, other = bnn.ones(1)}
  lu.assertEquals(#checkpoint.load_into(wide, some, {strict = false}), 4)
  lu.assertEquals(wide["mlp/linear_1/b"]:totable(), {1, 2, 3, 4})
  local mixed = {["mlp/linear_1/b"] = bnn.tensor({4, 3, 2, 1}, "i32")}
  checkpoint.load_into(wide, mixed, {strict = false})
  lu.assertEquals(wide["mlp/linear_1/b"]:totable(), {4, 3, 2, 1})
end

function TestTaken.test_posteriors()
  local q = bnn.posterior.meanfield(params_of(bnn.nn.mlp{8, 3}), {logvar = -3})
  local r = bnn.posterior.meanfield(params_of(bnn.nn.mlp{8, 3}, "r"), {logvar = -5})
  lu.assertEquals(checkpoint.load_into(q, r.mu), {})
  bits.assert_same(q.mu, r.mu)
  lu.assertEquals(q.logvar.flat:max():item(), -3) -- a mean alone leaves it
  lu.assertEquals(checkpoint.load_into(q, r), {})
  bits.assert_same(q.logvar, r.logvar)
  local p = params_of(bnn.nn.mlp{8, 3}, "p")
  lu.assertEquals(checkpoint.load_into(p, r), {}) -- of a posterior, params take the mean
  bits.assert_same(p, r.mu)
  local part = bnn.posterior.meanfield(p, {only = {"mlp/linear_1"}})
  local _, message = checkpoint.load_into(part, r)
  lu.assertStrContains(message, "'logvar/mlp/linear_0/b': expected nothing, got [8]")
  raises("source: expected params, a posterior or a table of tensors by name", checkpoint.load_into,
    p, 3)
  raises("target: expected params, a posterior or a table of tensors", checkpoint.load_into, nil, p)
end

function TestTaken.test_an_open_file_is_taken_from()
  local path <const> = os.tmpname()
  local p, b = params_of(bnn.nn.mlp{8, 3}), params_of(bnn.nn.mlp{8, 3}, "b")
  assert(bnn.safetensors.save(path, b))
  local file <close> = assert(bnn.safetensors.open(path))
  lu.assertEquals(checkpoint.load_into(p, file), {})
  bits.assert_same(p, b)
  os.remove(path)
end

-- ---- networks as data ----

TestDescribed = {}

local path
function TestDescribed.setUp() path = os.tmpname() end
function TestDescribed.tearDown() os.remove(path) end

local nn = bnn.nn
local shared = nn.linear(6)
local images = bnn.randn(key:fold "images", 4, 9, 9)
local nets = {
  linear = nn.linear(3), no_bias = nn.linear(3, {bias = false}), mlp = nn.mlp{5, 4, 3},
  tanh_mlp = nn.mlp{5, 3, activation = "tanh"}, layer_norm = nn.layer_norm{eps = 0.1},
  relu = nn.relu(), tanh = nn.tanh(), sigmoid = nn.sigmoid(), softplus = nn.softplus(),
  gelu = nn.gelu(), silu = nn.silu(), mish = nn.mish(), elu = nn.elu(0.5),
  leaky_relu = nn.leaky_relu(0.3), sin = nn.sin(), dropout = nn.dropout(0.25),
  flatten = nn.flatten(),
  nested = nn.sequential{nn.sequential{nn.linear(4), nn.relu()}, nn.mlp{3}, nn.dropout(0.5)},
  shared = nn.sequential{shared, nn.relu(), shared, nn.sequential{shared, nn.linear(2)}},
}
local image_nets = {
  conv2d = nn.conv2d(2, 3), conv_options = nn.conv2d(2, {3, 5}, {stride = {2, 1}, padding = 1,
    bias = false}), same = nn.conv2d(2, 3, {padding = "same"}), max_pool = nn.max_pool(2),
  max_options = nn.max_pool({3, 2}, {stride = 1, padding = {1, 0}}), avg_pool = nn.avg_pool(3),
  lenet = nn.sequential{nn.conv2d(3, 3), nn.relu(), nn.max_pool(2), nn.flatten(), nn.linear(3)},
}

-- The network that comes back from a file.
local function through_a_file(net)
  assert(checkpoint.save(path, {model = {net = assert(networks.to_config(net))}}))
  return assert(networks.from_config(assert(checkpoint.load(path)).model.net))
end

function TestDescribed.test_every_kind_comes_back_through_a_file()
  for _, group in ipairs{{nets, x}, {image_nets, images}} do
    for name, net in pairs(group[1]) do
      local back, input = through_a_file(net), group[2]
      local params = net:init(key, input)
      lu.assertEquals(tostring(back), tostring(net), name)
      lu.assertEquals(back:init(key, input):names(), params:names(), name)
      for _, train_it in ipairs{false, true} do
        local opts = {key = key, train = train_it}
        bits.assert_same(back:apply(params, input, opts), net:apply(params, input, opts), name)
      end
      lu.assertEquals(networks.to_config(back), networks.to_config(net), name)
    end
  end
end

function TestDescribed.test_functions_are_not_described()
  local function f(t) return t:relu() end
  for _, net in ipairs{
    bnn.transform(f), nn.sequential{nn.linear(2), f}, nn.sequential{nn.sequential{f}}, f, 3,
  } do
    lu.assertNil(networks.to_config(net))
  end
  lu.assertNil(networks.to_config(nil))
end

function TestDescribed.test_hostile_descriptions_are_refused()
  local deep = {kind = "relu", args = {}}
  for _ = 1, 100 do deep = {kind = "sequential", args = {{deep}}} end
  for i, row in ipairs{
    {nil, "no network"}, {"mlp", "no network"}, {{}, "no network"}, {{kind = 7}, "no network"},
    {{kind = "mlp"}, "layer 'mlp' has no args"}, {{kind = "mlp", args = 3}, "has no args"},
    {{kind = "transform", args = {}}, "no layer of bnn.nn is called 'transform'"},
    {{kind = "of", args = {}}, "no layer"}, {{kind = "docs", args = {}}, "no layer"},
    {{kind = "__index", args = {}}, "no layer"}, {{kind = "parameter", args = {"w"}}, "no layer"},
    {deep, "layers are nested more than 40 deep"},
    {{kind = "same", args = {1}}, "layer 1 comes before it is made"},
    {{kind = "same", args = {}}, "layer nil comes before"},
    {{kind = "same", args = {"count"}}, "its network: "},
    {{kind = "sequential", args = {{{kind = "same", args = {1}}}}}, "layer 1 comes before"},
    {{kind = "sequential", args = {{}}}, "expected a list of layers"},
    {{kind = "sequential", args = {{3}}}, "entry 1: expected a layer or a function"},
    {{kind = "sequential", args = {}}, "a list of layers"},
    {{kind = "linear", args = {}}, "got nil"}, {{kind = "linear", args = {-1}}, "got -1"},
    {{kind = "linear", args = {2 ^ 40}}, "at most"}, {{kind = "linear", args = {1.5}}, "got 1.5"},
    {{kind = "linear", args = {"x"}}, 'got "x"'}, {{kind = "linear", args = {{}}}, "got a table"},
    {{kind = "linear", args = {3, {w_init = 3}}}, "w_init"},
    {{kind = "linear", args = {3, 4}}, "a table of options"},
    {{kind = "mlp", args = {{}}}, "a list of layer sizes"},
    {{kind = "mlp", args = {{3, activation = "exit"}}}, "activation: expected one of"},
    {{kind = "conv2d", args = {3}}, "kernel: expected an integer"},
    {{kind = "conv2d", args = {3, {1, 2, 3}}}, "kernel: expected an integer"},
    {{kind = "max_pool", args = {2, {padding = 7}}}, "padding"},
    {{kind = "dropout", args = {1}}, "p: expected"},
    {{kind = "layer_norm", args = {{eps = -1}}}, "eps"},
  } do
    local net, message = networks.from_config(row[1])
    lu.assertNil(net, "row " .. i)
    lu.assertStrContains(message, row[2], false, "row " .. i)
    lu.assertNil(message:find "%.lua:", "row " .. i)
  end
end

-- Sizes that no file could hold cost no memory: parameters come from the file.
function TestDescribed.test_huge_sizes_cost_nothing()
  local net = assert(networks.from_config{kind = "mlp", args = {{2 ^ 31 - 1, 2 ^ 31 - 1}}})
  raises("mlp/linear_0: w: expected [6, 2147483647]", net.apply, net,
    params_of(nn.mlp{8, 3}), x)
end

function TestDescribed.test_likelihoods()
  for _, given in ipairs{
    likelihoods.categorical(), likelihoods.bernoulli(), likelihoods.poisson(),
    likelihoods.gaussian(), likelihoods.gaussian{sigma = 0.1 + 0.2},
  } do
    local back = assert(likelihoods.of_data(likelihoods.describe(given)))
    lu.assertEquals({back.name, back.sigma, back.classes, back.variance ~= nil},
      {given.name, given.sigma, given.classes, given.variance ~= nil})
  end
  local own = likelihoods.describe{name = "categorical", log_prob = print}
  for i, row in ipairs{
    {own, "its likelihood 'categorical' is not one of bnn.likelihood"},
    {likelihoods.describe{log_prob = print}, "its likelihood is not one"}, {{}, "is not one"},
    {{name = "describe"}, "'describe' is not one"}, {3, "described by a number"},
    {{name = {}}, "is not one"}, {{name = "gaussian", sigma = -1}, "sigma: expected more than 0"},
    {{name = "gaussian", sigma = "x"}, "gaussian is refused: sigma: expected a number"},
    {{name = "poisson", sigma = 1}, "sigma"},
  } do
    local likelihood, message = likelihoods.of_data(row[1])
    lu.assertNil(likelihood, "row " .. i)
    lu.assertStrContains(message, row[2], false, "row " .. i)
  end
end

TestOpened = with_folder{}

local function assert_same_predictions(a, b, why)
  local with = {num_samples = 5, key = key:fold "predict"}
  local one, two = bnn.predict(a, x, with), bnn.predict(b, x, with)
  for _, name in ipairs{"mean", "std"} do
    if one[name] then bits.assert_same(one[name], two[name], why) end
  end
  lu.assertEquals(one.class and bits.of(one.class), two.class and bits.of(two.class), why)
end

function TestOpened.test_predicts_what_the_trained_one_does()
  for _, name in ipairs{"elbo", "partial", "dropout"} do
    files.remove(folder)
    local objective = train({objective = make[name](), steps = 5},
      {config = {lr = 1}, extras = {threshold = 0.25}})
    local model = assert(checkpoint.open(file_of(5)))
    assert_same_predictions(model, objective, name)
    lu.assertEquals({model.step, model.config, model.extras}, {5, {lr = 1}, {threshold = 0.25}})
  end
end

function TestOpened.test_likelihoods_come_back()
  local y = bnn.rand(key, N, 2)
  for _, row in ipairs{
    {"gaussian", {likelihood = bnn.likelihood.gaussian{sigma = 0.3}}},
    {"poisson", {likelihood = "poisson"}}, {"bernoulli", {likelihood = "bernoulli"}},
  } do
    files.remove(folder)
    row[2].net = nn.mlp{4, 2}
    local objective = train({
      objective = make.elbo(row[2]), steps = 3,
      data = bnn.data.from_tensors{x = x, y = row[1] == "gaussian" and y or y:ge(0.5)},
    }, {})
    local model = assert(checkpoint.open(file_of(3)))
    lu.assertEquals({model.likelihood.name, model.likelihood.sigma},
      {row[1], objective.likelihood.sigma})
    assert_same_predictions(model, objective, row[1])
  end
end

function TestOpened.test_what_a_file_can_not_hold_is_asked_for()
  local mean = nn.mlp{4, 1}
  local net = bnn.transform(function(t)
    return mean(t), nn.parameter("log_sigma", {1}, nn.zeros)
  end)
  local targets = bnn.data.from_tensors{x = x, y = bnn.rand(key, N, 1)}
  local objective = train({objective = make.elbo{net = net, likelihood = "gaussian"}, steps = 3,
                           data = targets}, {})
  local model, message = checkpoint.open(file_of(3))
  lu.assertNil(model)
  lu.assertEquals(message, file_of(3)
    .. ": its network was made by a function, which a file does not hold: give net=")
  model = assert(checkpoint.open(file_of(3), {net = net}))
  assert_same_predictions(model, objective)

  files.remove(folder)
  local own = {name = "mine", log_prob = likelihoods.categorical().log_prob}
  objective = train({objective = make.elbo{likelihood = own}, steps = 3}, {})
  model, message = checkpoint.open(file_of(3))
  lu.assertNil(model)
  lu.assertEquals(message, file_of(3)
    .. ": its likelihood 'mine' is not one of bnn.likelihood: give likelihood=")
  assert_same_predictions(assert(checkpoint.open(file_of(3), {likelihood = own})), objective)
end

-- A folder stands for its best checkpoint, else for its newest.
function TestOpened.test_a_folder_opens_its_best_else_its_newest()
  lu.assertEquals({checkpoint.open(folder)}, {nil, folder .. ": no checkpoints found"})
  train({steps = 12}, {every = 5})
  lu.assertEquals(checkpoint.open(folder).step, 12)
  assert(os.rename(file_of(5), folder .. "/best.safetensors"))
  for _, name in ipairs{folder, folder .. "/", folder .. "//"} do
    lu.assertEquals(checkpoint.open(name).step, 5)
  end
  assert(os.rename(folder .. "/best.safetensors", file_of(5)))
  assert(io.open(file_of(12), "wb")):close()
  local _, message = checkpoint.open(folder .. "/")
  lu.assertStrContains(message, file_of(12) .. ": holds no data")
  raises("bnn.checkpoint.open: path: expected a string, got a number", checkpoint.open, 3)
end

function TestOpened.test_other_files_are_told()
  local file = folder .. "/x.safetensors"
  assert(checkpoint.save(file, {step = 1}))
  lu.assertEquals({checkpoint.open(file)}, {nil, file .. ": it has no parameters"})
  lu.assertStrContains(select(2, checkpoint.open(folder .. "/no")), "/no: No such file")
  assert(checkpoint.save(file, {params = params_of(nn.mlp{3}), model = {net = {kind = "of"}}}))
  lu.assertStrContains(select(2, checkpoint.open(file)), file .. ": its network: layer 'of'")
  raises("bnn.checkpoint.open: unknown option", checkpoint.open, file, {nett = 1})
end

TestMoped = {}

function TestMoped.test_deviations_are_a_fraction_of_the_weights()
  local w = {0.5, -2, 0, 1e-9, 3, -0.25}
  local p = bnn.params.pack(bnn.params.layout{{name = "a/w", shape = {2, 3}},
    {name = "b/w", shape = {1}}}, {["a/w"] = bnn.tensor(w), ["b/w"] = bnn.tensor{7}})
  for _, row in ipairs{{{}, 0.1, -20}, {{fraction = 0.5}, 0.5, -20},
    {{min_logvar = -9}, 0.1, -9}} do
    local q = bnn.posterior.moped(p, row[1])
    bits.assert_same(q.mu, p)
    for i, v in ipairs(q.logvar["a/w"]:reshape(6):totable()) do
      lu.assertAlmostEquals(v, math.max(2 * math.log(row[2] * math.abs(w[i])), row[3]), 1e-5)
    end
  end
  local q = bnn.posterior.moped(p, {only = {"b"}})
  lu.assertEquals(q.logvar:names(), {"b/w"})
  lu.assertEquals(q.mu:numel(), 7)
  lu.assertAlmostEquals(q.logvar["b/w"]:item(), 2 * math.log(0.7), 1e-6)
  core.overwrite(p.flat, core.zeros{7})
  lu.assertEquals(q.mu["a/w"]:totable()[1][1], 0.5) -- a copy
end

function TestMoped.test_what_is_refused()
  local p = params_of(nn.mlp{3})
  raises("bnn.posterior.moped: fraction: expected more than 0, got 0", bnn.posterior.moped, p,
    {fraction = 0})
  raises("min_logvar: expected", bnn.posterior.moped, p, {min_logvar = -81})
  raises("expected params", bnn.posterior.moped, {})
end

-- A plain network becomes a Bayesian one in a line, which trains.
function TestMoped.test_a_trained_network_becomes_bayesian()
  folder = files.folder()
  local plain = train({objective = make.dropout(), steps = 5}, {})
  local opened = assert(checkpoint.open(file_of(5)))
  local q = bnn.posterior.moped(opened.params)
  bits.assert_same(q.mu, plain.params)
  local objective = bnn.elbo{net = opened.net, posterior = q, likelihood = opened.likelihood}
  lu.assertEquals(select(2, train{objective = objective, steps = 3}):steps(), 3)
  files.remove(folder)
end

os.exit(lu.LuaUnit.run(), true)
