--- What the experiments beside mnist.lua reach at their defaults: the plain MLP and the VAE on the
-- real MNIST (needs $BNNLUA_DATA with mnist), the regression on its own points.
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

os.exit(lu.LuaUnit.run())
