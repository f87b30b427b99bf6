--- Fashion-MNIST as Debian's package dataset-fashion-mnist installs it, which make test-long does:
-- its files are the known ones, a full run of experiments/mnist.lua learns it, and networks that
-- know digits alone refuse clothes. The OOD part needs $BNNLUA_DATA with mnist as well.
local lu = require "luaunit"
local bnn = require "bnn"
local fetch = require "bnn.data.fetch"
local sets = require "bnn.data.dataset_registry"

local folder = arg[0]:match "^(.*)/" or "."
local function experiment(name)
  return bnn.load_experiment(folder .. "/../../experiments/" .. name)
end

local data = bnn.data.load("fashion-mnist", {offline = true})
local digits = bnn.data.load("mnist", {offline = true})

local function need(set, words) lu.skipIf(not set, words) end

local function assert_within(value, low, high, what)
  if not (value >= low and value <= high) then
    lu.fail(("%s is %.6g, accepted is %g .. %g"):format(what, value, low, high))
  end
end

TestFashion = {}

function TestFashion.test_the_files_are_the_known_ones()
  need(data, "needs Debian's dataset-fashion-mnist")
  local row = sets.find "fashion-mnist"
  for _, file in ipairs(row.files) do
    assert(fetch.check_file(file, assert(fetch.path_of(file, data.dir))))
  end
  lu.assertEquals({data.train.size, data.test.size, data.title}, {60000, 10000, "Fashion-MNIST"})
  lu.assertEquals(data.train.y:narrow(1, 1, 8):totable(), {9, 0, 0, 3, 0, 2, 7, 2})
end

-- Five seeds reached 0.882 to 0.886.
function TestFashion.test_clothes_are_learned()
  need(data, "needs Debian's dataset-fashion-mnist")
  local metrics = experiment "mnist.lua".run({dataset = "fashion-mnist", log_interval = 10000},
    bnn.log.memory())
  assert_within(metrics.accuracy, 0.87, 0.90, "accuracy")
end

-- Three seeds reached 0.912 to 0.965, of a plain network 0.67 to 0.75, and refused 71% to 77%.
function TestFashion.test_networks_that_know_digits_refuse_clothes()
  need(data and digits, "needs Debian's dataset-fashion-mnist, and MNIST in $BNNLUA_DATA")
  local metrics = experiment "ood.lua".run({ood_data = {"fashion-mnist"}, figures = ""},
    bnn.log.memory())
  local name = "bayesian/ood/%s/Fashion-MNIST/%s"
  assert_within(metrics[name:format("class_std", "auroc")], 0.88, 0.99, "AUROC of class_std")
  assert_within(metrics[name:format("mutual_information", "auroc")], 0.88, 0.99, "AUROC of MI")
  assert_within(metrics[name:format("class_std", "refused")], 0.6, 0.9, "refused")
  assert_within(metrics["plain/ood/entropy/Fashion-MNIST/auroc"], 0.5, 0.82, "AUROC, plain")
end

os.exit(lu.LuaUnit.run(), true)
