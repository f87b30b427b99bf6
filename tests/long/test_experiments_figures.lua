--- What the experiments beside mnist.lua reach at their defaults: the plain MLP, the VAE, pruning,
-- temperatures and the variance of gradients on the real MNIST (needs $BNNLUA_DATA with mnist), the
-- regression on its own points.
local lu = require "luaunit"
local bnn = require "bnn"

local folder = arg[0]:match "^(.*)/" or "."
local function load(name)
  return bnn.load_experiment(("%s/../../experiments/%s.lua"):format(folder, name))
end

local set = bnn.data.load "mnist"
local is_there = set and set.train and set.train.size == 60000

local function assert_within(value, low, high, what)
  if not (value >= low and value <= high) then
    lu.fail(("%s is %.6g, accepted is %g .. %g"):format(what, value, low, high))
  end
end

TestFigures = {}

-- PyTorch, the same definitions, two seeds: 0.976, 0.978. Measured: 0.974, 0.977.
function TestFigures.test_the_plain_mlp()
  lu.skipIf(not is_there, "needs MNIST in $BNNLUA_DATA")
  for seed = 1, 2 do
    local metrics = load "mlp".run({seed = seed}, bnn.log.memory())
    assert_within(metrics.accuracy, 0.973, 0.985, "accuracy")
  end
end

-- PyTorch: -105.7, -106.0 nats an image, KL 25.7 - 26.2. Measured: -105.5, KL 25.7.
function TestFigures.test_the_vae()
  lu.skipIf(not is_there, "needs MNIST in $BNNLUA_DATA")
  local log = bnn.log.memory()
  local metrics = load "vae".run({figures = ""}, log)
  assert_within(metrics.elbo, -107.5, -103, "ELBO")
  assert_within(log:last "test/kl_divergence", 24.5, 27, "KL")
end

-- A prototype in NumPy: a band 3.2 - 3.9 times as wide, coverage 0.89 - 0.92. Measured, seeds 1 to
-- 5: 3.8 - 4.9 and 0.88 - 0.93.
function TestFigures.test_the_regression()
  for seed = 1, 5 do
    local metrics = load "cubic".run({seed = seed, figures = ""}, bnn.log.memory())
    assert_within(metrics.widening, 2.5, 10, "the band at 6 over that at 0")
    assert_within(metrics.coverage90, 0.85, 0.95, "coverage")
  end
end

-- Measured, seed 1: 2.83 bits a character by either, AUROC 0.89. The guides, its text, change.
function TestFigures.test_the_transformer()
  local metrics = load "transformer".run({write = 0}, bnn.log.memory())
  assert_within(metrics.bits, 2.4, 3.2, "bits of the plain one")
  assert_within(metrics.bayesian_bits, 2.4, 3.2, "bits of the Bayesian one")
  assert_within(metrics.auroc, 0.75, 1, "AUROC of the text backwards")
end

-- Measured, seeds 1 to 5: 0.980 - 0.982, NLL 0.058 - 0.066, with --bayesian 0.980 - 0.982, 0.058 -
-- 0.066; AUROC at seed 1 0.974 and 0.969.
function TestFigures.test_the_recurrent_network()
  lu.skipIf(not (is_there and bnn.data.load "notmnist"),
    "needs MNIST and notMNIST in $BNNLUA_DATA")
  for _, bayesian in ipairs{false, true} do
    local metrics = load "rnn".run({bayesian = bayesian, ood_data = "notmnist"}, bnn.log.memory())
    assert_within(metrics.accuracy, 0.97, 0.99, "accuracy")
    assert_within(metrics.nll, 0.04, 0.1, "nll")
    assert_within(metrics.auroc, 0.9, 1, "AUROC of letters")
  end
end

-- Measured, seeds 1 to 5: 0.990 - 0.992, NLL 0.025 - 0.030; group norm 0.982 - 0.985, 0.050 -
-- 0.063, and with --bayesian, seed 1, 0.984, 0.058.
function TestFigures.test_the_residual_network()
  lu.skipIf(not is_there, "needs MNIST in $BNNLUA_DATA")
  local metrics = load "resnet".run({}, bnn.log.memory())
  assert_within(metrics.accuracy, 0.987, 0.995, "accuracy")
  assert_within(metrics.nll, 0.018, 0.045, "nll")
  metrics = load "resnet".run({norm = "group", bayesian = true}, bnn.log.memory())
  assert_within(metrics.accuracy, 0.975, 0.99, "accuracy by groups")
  assert_within(metrics.nll, 0.035, 0.09, "nll by groups")
end

-- 400 test rows: the standard error of 90% is 1.5%.
function TestFigures.test_tabular()
  local metrics = load "tabular".run({figures = ""}, bnn.log.memory())
  lu.assertTrue(metrics.rmse < 145, metrics.rmse)
  lu.assertTrue(math.abs(metrics.conformal_coverage - 0.9) < 0.06, metrics.conformal_coverage)
  lu.assertTrue(metrics.coverage90 > 0.86 and metrics.coverage90 < 0.98, metrics.coverage90)
end

-- Measured, seed 1: 0.9783 with all weights, 0.9738 with a quarter of them.
function TestFigures.test_pruning()
  lu.skipIf(not is_there, "needs MNIST in $BNNLUA_DATA")
  local metrics = load "pruning".run({figures = "", fractions = {0, 0.75}}, bnn.log.memory())
  assert_within(metrics.accuracy, 0.974, 0.985, "accuracy")
  assert_within(metrics.accuracy_pruned, 0.965, 0.985, "accuracy with a quarter of the weights")
end

-- Measured, three seeds: nll 0.0671 (se 0.001) at 1 and 0.0782 (se 0.003) at 0.01; by SGHMC 0.0857
-- (se 0.0008) and 0.0661 (se 0.001): mean field is best at 1, samples are not. PyTorch at 1: 0.0671
-- and 0.0853.
function TestFigures.test_temperatures()
  lu.skipIf(not is_there, "needs MNIST in $BNNLUA_DATA")
  local runs = os.tmpname()
  os.remove(runs)
  for method, best in pairs{meanfield = 1, sghmc = 0.01} do
    local metrics = load "temperature".run({
      method = method, temperatures = {1, 0.01}, seeds = 2, tutorial = false, figures = "",
      runs = runs, quiet = true,
    }, bnn.log.memory())
    lu.assertEquals(metrics.temperature, best)
    assert_within(metrics.nll, 0.058, 0.074, "nll by " .. method)
  end
  os.execute("rm -r " .. runs)
end

-- Measured: 71 at the start and 14 after 10,000 steps of one draw for the batch, 25 after those of
-- local_reparameterization, standard errors 2; in batches of 1000: 341, 20, 39. PyTorch: 58 and 21;
-- flipout 1.1 to 2.7 in batches of 128, 1.6 to 15 in those of 1000.
function TestFigures.test_the_variance_of_gradients()
  lu.skipIf(not is_there, "needs MNIST in $BNNLUA_DATA")
  local function measure(train_with)
    return load "gradient_variance".run({figures = "", train_with = train_with, quiet = true,
      log_interval = 10000, estimators = {"reparameterization", "antithetic",
                                          "local_reparameterization", "flipout"}}, bnn.log.memory())
  end
  local m = measure "reparameterization"
  assert_within(m["logvar/local_reparameterization/128/start"], 60, 82, "local, start")
  assert_within(m["logvar/local_reparameterization/128/end"], 7, 22, "local, end")
  assert_within(m["logvar/local_reparameterization/1000/start"], 300, 380, "local, start, 1000")
  assert_within(m["mu/local_reparameterization/128/start"], 2.5, 3.2, "local, mu")
  assert_within(m["logvar/flipout/128/start"], 2.1, 2.7, "flipout")
  assert_within(m["mu/flipout/1000/start"], 9, 12, "flipout, mu, 1000")
  assert_within(m["logvar/antithetic/128/start"], 2.6, 3.5, "a pair")
  m = measure "local_reparameterization"
  assert_within(m["logvar/local_reparameterization/128/end"], 17, 33, "local, trained by it")
end

os.exit(lu.LuaUnit.run())
