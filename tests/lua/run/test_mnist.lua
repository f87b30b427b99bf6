--- experiments/mnist.lua as a function: short runs on a small set that is written here.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local idx = require "idx_files"
local bnn = require "bnn"

local mnist = bnn.load_experiment(folder .. "/../../experiments/mnist.lua")
local here = idx.folder()
local set = idx.set(here .. "/set", 300, 150)
local FIGURES = {"accuracy", "elbo", "log_likelihood", "kl_divergence", "mean_approximate_evidence"}

-- Runs the experiment on the small set with what `cfg` changes; its metrics, artefacts and log.
local function run(cfg)
  local all = {data_dir = set, steps = 40, batch_size = 50, log_interval = 20, predict_samples = 20}
  for name, value in pairs(cfg or {}) do all[name] = value end
  local log = bnn.log.memory()
  local metrics, artefacts = mnist.run(all, log)
  return metrics, artefacts, log
end

-- Everything that a run prints, as text.
local function text_of(log)
  local parts = {}
  for _, block in ipairs(log.blocks) do
    for _, row in ipairs(block.rows) do
      parts[#parts + 1] = ("%d %s %.17g"):format(block.step, row[1], row[2])
    end
  end
  return table.concat(parts, "\n") .. "\n" .. table.concat(log.lines, "\n")
end

TestRun = {}

function TestRun.test_logs_five_metrics_test_then_train()
  local names = {}
  for i, part in ipairs{"test", "train"} do
    for j, figure in ipairs(FIGURES) do names[5 * (i - 1) + j] = part .. "/" .. figure end
  end
  local _, _, log = run{steps = 50}
  local steps = {}
  for i, block in ipairs(log.blocks) do
    steps[i] = block.step
    for j, row in ipairs(block.rows) do lu.assertEquals(row[1], names[j]) end
    lu.assertEquals(#block.rows, 10)
  end
  lu.assertEquals(steps, {0, 20, 40, 50})
end

function TestRun.test_the_figures_agree_with_each_other_and_with_the_model()
  local _, made, log = run()
  for _, part in ipairs{"test", "train"} do
    local elbo, ll = log:last(part .. "/elbo"), log:last(part .. "/log_likelihood")
    local kl, mae = log:last(part .. "/kl_divergence"),
      log:last(part .. "/mean_approximate_evidence")
    lu.assertAlmostEquals(elbo, ll - 1e-3 * kl, 1e-9)
    lu.assertAlmostEquals(mae, math.exp(elbo / 10), 1e-9)
    lu.assertEquals(kl, made.model.posterior:kl{kl = "leading"})
    local key = bnn.key(1):fold "eval"
    local opts = {num_samples = 10, key = key:fold "accuracy"}
    local p = bnn.predict(made.model, made.data[part], opts)
    lu.assertEquals(log:last(part .. "/accuracy"), bnn.metrics.accuracy(p, made.data[part].y))
    local again = bnn.log_likelihood(made.model, made.data[part], {key = key:fold "elbo"})
    lu.assertAlmostEquals(ll, again, 1e-7) -- the same numbers, summed in another order
  end
end

function TestRun.test_starts_where_the_tutorial_does()
  for logvar, kl in pairs{[-7] = 423.54, [-1] = 26.41} do
    local _, _, log = run{steps = 0, logvar = logvar}
    lu.assertEquals(#log.blocks, 1)
    lu.assertAlmostEquals(log:last "test/kl_divergence", kl, 0.05)
    lu.assertEquals(log:last "train/kl_divergence", (log:last "test/kl_divergence"))
  end
end

function TestRun.test_learns()
  local metrics, _, log = run{steps = 200}
  lu.assertTrue(metrics.accuracy > 0.95)
  lu.assertAlmostEquals((log:last "test/accuracy"), metrics.accuracy, 0.02)
  lu.assertTrue(log:last "test/log_likelihood" > -0.5)
  lu.assertTrue(log.blocks[1].rows[1][2] < 0.4)
end

function TestRun.test_the_first_line_names_the_data_and_the_table_follows()
  local metrics, made, log = run{steps = 60}
  lu.assertEquals(log.lines[1], "data: MNIST, 300 training and 150 test images")
  lu.assertEquals(#log.lines, 4)
  local test, sampling = made.data.test, {num_samples = 20, key = bnn.key(1):fold "predict"}
  local p = bnn.predict(made.model, test:slice(1, 10), sampling)
  local rows = 0
  for line in log.lines[2]:gmatch "[^\n]+" do
    local i, label, class, percent, std, answer =
      line:match "^ *(%d+) +(%d+) +(%d+) +([%d.]+)%% +([%d.]+) *(%a*)$"
    if i then
      rows = rows + 1
      i = tonumber(i)
      lu.assertEquals(i, rows)
      lu.assertEquals({tonumber(label), tonumber(class)}, {test.y[i], p.class[i]})
      lu.assertEquals({percent, std},
        {("%.1f"):format(100 * p.probability[i]), ("%.3f"):format(p.class_std[i])})
      lu.assertEquals(answer, p.class_std[i] > metrics.threshold and "refused" or "")
    end
  end
  lu.assertEquals(rows, 10)
end

function TestRun.test_the_threshold_is_of_one_half_and_reported_on_the_other()
  local metrics, made, log = run()
  local sampling = {num_samples = 20, key = bnn.key(1):fold "predict"}
  local std = bnn.predict(made.model, made.data.test, sampling).class_std:totable()
  local halves = {{}, {}}
  for i, at in ipairs(bnn.permutation(bnn.key(1):fold("ood"):fold("half"), 150):totable()) do
    local half = halves[i <= 75 and 1 or 2]
    half[#half + 1] = std[at]
  end
  local threshold, refused = bnn.metrics.quantile(halves[1], 0.99), 0
  for _, v in ipairs(halves[2]) do refused = refused + (v > threshold and 1 or 0) end
  lu.assertEquals(metrics.threshold, threshold)
  lu.assertAlmostEquals(metrics.refused_test, refused / 75, 1e-12)
  lu.assertNil(metrics.refused)
  lu.assertEquals(log.lines[3],
    ("99th percentile of the predicted class's std, half of the test images: %.3f")
    :format(threshold))
  lu.assertEquals(log.lines[4],
    ("refused at that threshold: %d of 75 images of MNIST, test, the other half (%.1f%%)")
    :format(refused, 100 * refused / 75))
end

function TestRun.test_ood_counts_what_the_threshold_refuses()
  local other = here .. "/other"
  idx.make(other)
  -- Its labels do not matter.
  idx.part(other, "t10k", {n = 40, seed = 9, label = function() return 200 end})
  local metrics, made, log = run{ood_data = other}
  local sampling = {num_samples = 20, key = bnn.key(1):fold "predict"}
  local p = bnn.predict(made.model, bnn.data.load(other).test, sampling)
  local refused = p.class_std:gt(metrics.threshold):sum():item()
  lu.assertEquals(metrics.refused, refused / 40)
  lu.assertStrMatches(log.lines[4],
    "refused at that threshold: %d+ of 75 images of .+, test, the other half %(.+%%%)")
  lu.assertEquals(log.lines[5], ("refused at that threshold: %d of 40 images of other (%.1f%%)")
    :format(refused, 100 * refused / 40))
  metrics, made, log = run{ood_data = set} -- the test part where there is one
  lu.assertEquals(made.data.test.size, 150)
  lu.assertEquals(#log.lines, 5)
  lu.assertStrContains(log.lines[5], " of 150 images of ")
  -- the test set itself: 1% of one half by the threshold's definition, and what the other has
  lu.assertAlmostEquals(metrics.refused, (1 / 75 + metrics.refused_test) / 2, 1e-12)
end

-- The rule that is kept is the one that was told, and the same on a half by hand.
function TestRun.test_a_calibration_is_kept_with_the_checkpoints()
  lu.skipIf(not require "bnn.core".json_encode(true), "needs jansson")
  local kept = here .. "/kept"
  local metrics, made = run{checkpoint = kept, checkpoint_every = 20, steps = 60}
  local newest = assert(bnn.checkpoint.open(kept .. "/step_00000060.safetensors"))
  local rule = newest.extras.calibration.rule
  lu.assertEquals({rule.score, rule.percentile, rule.n}, {"class_std", 0.99, 75})
  lu.assertAlmostEquals(rule.threshold, metrics.threshold, 1e-6)
  local best = assert(bnn.checkpoint.open(kept .. "/best.safetensors"))
  lu.assertEquals(best.extras.calibration.n, 75)
  lu.assertNil(bnn.checkpoint.open(kept .. "/step_00000040.safetensors").extras)
  local fit = newest.extras.calibration
  local sampling = {num_samples = 20, key = bnn.key(1):fold "predict"}
  local p = bnn.calibration.apply(fit, bnn.predict(made.model, made.data.test, sampling))
  lu.assertEquals(bnn.metrics.accuracy(p, made.data.test.y), metrics.accuracy)
  lu.assertTrue(fit.nll <= fit.nll_before)
end

function TestRun.test_same_seed_same_bits_on_any_number_of_threads()
  local want
  for _, threads in ipairs{1, 2, 3, 1} do
    local _, made, log = run{threads = threads, batch_size = 150}
    want = want or {text_of(log), made.model.posterior}
    lu.assertEquals(text_of(log), want[1])
    bits.assert_same(made.model.posterior.mu, want[2].mu)
    bits.assert_same(made.model.posterior.logvar, want[2].logvar)
  end
  local _, _, other = run{seed = 2}
  lu.assertNotEquals(text_of(other), want[1])
  bnn.threads(0)
end

function TestRun.test_logging_does_not_change_the_training()
  local _, a = run{log_interval = 1000}
  local _, b = run{log_interval = 7, eval_samples = 3}
  bits.assert_same(a.model.posterior.mu, b.model.posterior.mu)
end

function TestRun.test_temperature_is_beta_times_the_number_of_images()
  local _, _, cold = run{temperature = 0.5, kl = "sum"}
  local _, _, beta = run{beta = 0.5 / 300, kl = "sum"}
  lu.assertEquals(text_of(cold), text_of(beta))
end

function TestRun.test_the_flags_reach_the_model()
  local _, made = run{
    steps = 1, hidden = {7, 5}, prior_std = 0.5, samples = 2, kl = "sum", logvar = -3, beta = 0.2}
  local q, objective = made.model.posterior, made.model
  lu.assertEquals(q.mu["mlp/linear_1/w"]:shape(), {7, 5})
  lu.assertEquals(q.mu["mlp/linear_2/w"]:shape(), {5, 10})
  lu.assertAlmostEquals(q.logvar.flat:mean():item(), -3, 0.01)
  lu.assertEquals({objective.prior, objective.num_samples, objective.kl, objective.beta},
    {0.5, 2, "sum", 0.2})
  _, made = run{steps = 1, hidden = {}}
  lu.assertEquals(made.model.posterior.mu:names(), {"mlp/linear_0/w", "mlp/linear_0/b"})
end

-- What a run is refused with: one line, without a traceback.
local function refusal(cfg)
  local ok, err = pcall(run, cfg)
  lu.assertFalse(ok)
  lu.assertTrue(require "bnn.signal".is_refusal(err), tostring(err))
  return tostring(err)
end

TestRefusals = {}

function TestRefusals.test_labels_over_9_name_the_file_in_either_part()
  for _, prefix in ipairs{"train", "t10k"} do
    local dir = idx.set(here .. "/label_" .. prefix, 100, 100)
    idx.part(dir, prefix, {n = 100, label = function(i) return i == 88 and 10 or 3 end})
    lu.assertEquals(refusal{data_dir = dir}, dir .. "/" .. prefix .. "-labels-idx1-ubyte: "
      .. "label 10 of example 88 is outside 0..9, the network's 10 classes")
  end
end

function TestRefusals.test_a_set_that_lacks_a_part()
  local dir = here .. "/half"
  idx.make(dir)
  idx.part(dir, "t10k", {n = 20})
  lu.assertEquals(refusal{data_dir = dir}, dir .. ": the data have no training images")
  local other = here .. "/other_half"
  idx.make(other)
  idx.part(other, "train", {n = 20})
  lu.assertEquals(refusal{data_dir = other}, other .. ": the data have no test images")
end

function TestRefusals.test_images_of_another_size()
  local small = idx.set(here .. "/small", 20, 20, {side = 20})
  lu.assertEquals(refusal{ood_data = small},
    small .. ": the train images are 20 x 20, those to learn from 28 x 28")
  idx.part(small, "train", {n = 60})
  lu.assertEquals(refusal{data_dir = small},
    small .. ": the test images are 20 x 20, those to learn from 28 x 28")
end

function TestRefusals.test_more_in_a_batch_than_there_are()
  lu.assertEquals(refusal{batch_size = 301}, "batch_size is 301, the data have 300 examples")
end

local status = lu.LuaUnit.run()
idx.remove(here)
os.exit(status)
