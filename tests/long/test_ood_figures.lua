--- What experiments/ood.lua reaches on the real MNIST against notMNIST, three seeds: the accepted
-- ranges are PyTorch's over three seeds, the same definitions, with a little room. Needs
-- $BNNLUA_DATA with mnist and notmnist.
local lu = require "luaunit"
local bnn = require "bnn"

local folder = arg[0]:match "^(.*)/" or "."
local ood = bnn.load_experiment(folder .. "/../../experiments/ood.lua")

local function is_there(name, n)
  local set = bnn.data.load(name)
  return set and set.test and set.test.size == n
end
local has_data = is_there("mnist", 10000) and is_there("notmnist", 10000)

local function assert_within(value, low, high, what)
  if not (value >= low and value <= high) then
    lu.fail(("%s is %.6g, accepted is %g .. %g"):format(what, value, low, high))
  end
end

-- figure of a network -> its accepted range.
local RANGES = {
  ["bayesian/ood/accuracy"] = {0.972, 1},
  ["bayesian/ood/class_std/notMNIST/auroc"] = {0.998, 1}, -- PyTorch: 0.9987 - 0.9998
  ["bayesian/ood/mutual_information/notMNIST/auroc"] = {0.998, 1}, -- 0.9993 - 0.9999
  ["bayesian/ood/entropy/notMNIST/auroc"] = {0.993, 1}, -- 0.9944 - 0.9991
  ["bayesian/ood/class_std/threshold"] = {0.27, 0.38}, -- about 0.30; the tutorial: 0.37
  ["bayesian/ood/class_std/notMNIST/refused"] = {0.95, 1},
  -- 1% of one half; of the other 5,000, within four deviations of the two halves together
  ["bayesian/ood/class_std/MNIST, test/refused"] = {0.002, 0.018},
  -- at least 99% of labels, less four deviations of the two halves together
  ["bayesian/ood/conformal/MNIST, test/coverage"] = {0.982, 1},
  ["plain/ood/accuracy"] = {0.97, 1},
  ["plain/ood/entropy/notMNIST/auroc"] = {0.5, 0.72}, -- 0.57 - 0.67
  ["plain/ood/entropy/notMNIST/refused"] = {0, 0.15},
}

TestFigures = {}

function TestFigures.test_the_bayesian_network_tells_letters_from_digits_and_the_plain_one_does()
  lu.skipIf(not has_data, "needs MNIST and notMNIST in $BNNLUA_DATA")
  for seed = 1, 3 do
    local log = bnn.log.memory()
    local metrics = ood.run({seed = seed, ood_data = {"notmnist", "noise"}, figures = ""}, log)
    for name, range in pairs(RANGES) do
      assert_within(metrics[name], range[1], range[2], ("seed %d, %s"):format(seed, name))
    end
    local closing = table.concat(log.lines, "\n")
    local shown = ("%.4f"):format(metrics["plain/ood/entropy/notMNIST/auroc"])
    lu.assertStrMatches(closing, ".*plain +entropy +" .. shown .. " .*")
  end
end

os.exit(lu.LuaUnit.run())
