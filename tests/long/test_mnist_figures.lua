--- The figures of https://neptune.ai/blog/bayesian-neural-networks-with-jax on the real MNIST, by
-- full runs of experiments/mnist.lua: the accepted ranges are the tutorial's run and PyTorch's over
-- five seeds, with room for the one draw of the weights that the ELBO is taken under. Needs
-- $BNNLUA_DATA with mnist and notmnist.
local lu = require "luaunit"
local bnn = require "bnn"

local folder = arg[0]:match "^(.*)/" or "."
local mnist = bnn.load_experiment(folder .. "/../../experiments/mnist.lua")
local base = os.getenv "BNNLUA_DATA"
local letters = base and bnn.data.load(base .. "/notmnist") and base .. "/notmnist"

-- Whether $BNNLUA_DATA has MNIST, and no other set of that name.
local function has_mnist()
  local set = bnn.data.load "mnist"
  return set and set.train and set.train.size == 60000 and set.test and set.test.size == 10000
end
local is_there = has_mnist()

-- A full run; the figures at step 0 and at the end, by name, and the metrics.
local function run(cfg)
  lu.skipIf(not is_there, "needs MNIST in $BNNLUA_DATA")
  local log = bnn.log.memory()
  cfg.log_interval = 10000
  local metrics = mnist.run(cfg, log)
  local function figures(block)
    local named = {}
    for _, row in ipairs(block.rows) do named[row[1]] = row[2] end
    return named
  end
  lu.assertEquals({#log.blocks, log.blocks[2].step}, {2, 10000})
  return figures(log.blocks[1]), figures(log.blocks[2]), metrics
end

local function assert_within(value, low, high, what)
  if not (value >= low and value <= high) then
    lu.fail(("%s is %.6g, accepted is %g .. %g"):format(what, value, low, high))
  end
end

local function assert_ranges(figures, ranges, what)
  for name, range in pairs(ranges) do
    assert_within(figures[name], range[1], range[2], what .. ", " .. name)
  end
end

TestArticle = {}

function TestArticle.test_beta_1e_3_over_three_seeds()
  local sum = 0
  for seed = 1, 3 do
    local what = "seed " .. seed
    local before, after, metrics = run{seed = seed, ood_data = letters}
    assert_within(before["test/kl_divergence"], 423.49, 423.59, what .. ", KL before training")
    assert_ranges(after, {
      ["test/accuracy"] = {0.972, 1}, ["test/elbo"] = {-0.46, -0.39},
      ["test/log_likelihood"] = {-0.14, -0.07}, ["test/kl_divergence"] = {312, 321},
      ["test/mean_approximate_evidence"] = {math.exp(-0.046), math.exp(-0.039)},
      ["train/accuracy"] = {0.993, 1}, ["train/elbo"] = {-0.38, -0.32},
    }, what)
    assert_within(metrics.threshold, 0.27, 0.38, what .. ", 99th percentile of the std")
    -- 1% of one half; of the other 5,000, within four deviations of the two halves together
    assert_within(metrics.refused_test, 0.002, 0.018, what .. ", test digits refused")
    if letters then assert_within(metrics.refused, 0.95, 1, what .. ", notMNIST refused") end
    sum = sum + after["test/accuracy"]
  end
  assert_within(sum / 3, 0.975, 1, "mean test accuracy")
end

function TestArticle.test_beta_1_collapses_to_the_prior()
  local before, after = run{beta = 1, logvar = -1}
  assert_within(before["test/kl_divergence"], 26.38, 26.44, "KL before training")
  assert_within(after["test/kl_divergence"], 2.47, 2.57, "KL after training")
  assert_within(after["test/accuracy"], 0, 0.2, "test accuracy")
end

TestExactElbo = {}

function TestExactElbo.test_beta_1_over_n_and_temperature_1_are_the_exact_elbo()
  local accuracy = {}
  for i, cfg in ipairs{{kl = "sum", beta = 1.6667e-5}, {kl = "sum", temperature = 1}} do
    local _, after = run(cfg)
    assert_within(after["test/accuracy"], 0.973, 1, "test accuracy")
    assert_within(after["test/kl_divergence"], 68000, 73000, "KL")
    accuracy[i] = after["test/accuracy"]
  end
  lu.assertAlmostEquals(accuracy[1], accuracy[2], 0.005) -- beta differs in its fifth digit
end

os.exit(lu.LuaUnit.run())
