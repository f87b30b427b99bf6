--- Calibration that is kept with checkpoints: what a folder gets, and that nothing else changes.
local lu = require "luaunit"
local folder_of_tests = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder_of_tests .. "/?.lua;" .. package.path
local bits = require "bits"
local files = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"

if not core.json_encode(true) then -- test_safetensors.lua tells of it
  print "Ran 0 tests in 0.000 seconds, 0 successes, 0 failures"
  os.exit(true)
end

local calibration, checkpoint = bnn.calibration, bnn.checkpoint
local key = bnn.key(3)
local N, CLASSES = 300, 3

-- Three overlapping clusters in the plane.
local function clusters(k)
  local y, centres = {}, {}
  for i = 1, N do
    y[i] = i % CLASSES
    centres[i] = {math.cos(2 * y[i]) * 1.5, math.sin(2 * y[i]) * 1.5}
  end
  local noise = bnn.randn(key:fold(k), N, 2)
  return bnn.data.from_tensors{x = bnn.tensor(centres) + noise, y = bnn.tensor(y, "i32")}
end
local train, validation = clusters "train", clusters "validation"

local folder

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- Trains in `folder`: the best step is the first, the last is 40.
local function trained(check)
  local net = bnn.nn.mlp{8, CLASSES}
  local objective = bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(net:init(key:fold "init", train)),
    likelihood = "categorical", temperature = 0.1,
  }
  local all = {path = folder, every = 20, monitor = "minus_step"}
  for name, value in pairs(check or {}) do all[name] = value end
  bnn.train{
    objective = objective, optimizer = bnn.optim.adam{lr = 0.05}, data = train, steps = 40,
    batch_size = 50, key = key, checkpoint = all, log = bnn.log.memory(), log_every = 20,
    evaluate = function(step) return {minus_step = -step} end,
  }
  return objective
end

local function keep(path, opts)
  local all = {validation = validation, key = key, num_samples = 20}
  for name, value in pairs(opts or {}) do all[name] = value end
  return calibration.keep(path, all)
end

local function fit_of(model, opts)
  local prediction = bnn.predict(model, validation, {num_samples = 20, key = key})
  local all = {prediction = prediction, labels = validation.y}
  for name, value in pairs(opts or {}) do all[name] = value end
  return calibration.fit(all)
end

TestKept = {}

function TestKept:setUp() folder = files.folder() end -- luacheck: ignore self
function TestKept:tearDown() files.remove(folder) end -- luacheck: ignore self

function TestKept.test_the_best_and_the_newest_get_each_its_own()
  local objective = trained{extras = {mine = 1}}
  local best, newest = folder .. "/best.safetensors", folder .. "/step_00000040.safetensors"
  local older = read(folder .. "/step_00000020.safetensors")
  local fits = assert(keep(folder))
  lu.assertEquals(#fits, 2)
  for i, path in ipairs{best, newest} do
    local model = assert(checkpoint.open(path))
    lu.assertEquals(model.extras, {mine = 1, calibration = fits[i]})
    lu.assertEquals(fits[i], fit_of(model))
  end
  lu.assertEquals(fits[2], fit_of(objective))
  lu.assertNotEquals(fits[1].temperature, fits[2].temperature)
  lu.assertTrue(read(folder .. "/step_00000020.safetensors") == older)

  local want = read(newest)
  assert(keep(folder)) -- again
  lu.assertTrue(read(newest) == want)
  local other = assert(keep(newest, {score = "entropy", percentile = 0.5}))
  lu.assertEquals(other, {fit_of(objective, {score = "entropy", percentile = 0.5})})
  lu.assertEquals(checkpoint.open(best).extras.calibration, fits[1])
end

-- What goes on from a checkpoint with a fit ends as if there were none.
function TestKept.test_a_training_goes_on_with_it()
  trained{}
  local want = read(folder .. "/step_00000040.safetensors")
  assert(os.remove(folder .. "/step_00000040.safetensors"))
  assert(keep(folder))
  local real = io.stderr
  rawset(io, "stderr", {write = function() end})
  local ok, fault = pcall(trained, {resume = true})
  rawset(io, "stderr", real)
  lu.assertTrue(ok, tostring(fault))
  lu.assertTrue(read(folder .. "/step_00000040.safetensors") == want)
end

function TestKept.test_a_prediction_of_the_opened_model_is_calibrated()
  trained{}
  keep(folder)
  local model = assert(checkpoint.open(folder))
  local prediction = bnn.predict(model, validation, {num_samples = 20, key = key})
  local p = calibration.apply(model.extras.calibration, prediction)
  lu.assertAlmostEquals(bnn.metrics.nll(p, validation.y), model.extras.calibration.nll, 1e-6)
  lu.assertEquals(p.abstains:sum():item(), 3) -- one in a hundred
end

function TestKept.test_networks_of_a_function_are_given()
  local mlp = bnn.nn.mlp{8, CLASSES}
  local net = bnn.transform(function(x) return mlp(x) end)
  local params = net:init(key, train)
  local path = folder .. "/x.safetensors"
  local model = {net = net, params = params, likelihood = bnn.likelihood.categorical()}
  assert(checkpoint.save(path, {params = params, model = checkpoint.describe(model)}))
  lu.assertEquals({keep(path)}, {nil, path
    .. ": its network was made by a function, which a file does not hold: give net="})
  local fits = assert(keep(path, {net = net}))
  lu.assertEquals(#fits, 1)
  lu.assertEquals(fits[1].rule.score, "entropy") -- the std of a network alone is 0
  lu.assertEquals(assert(keep(path, {net = net, score = "energy"}))[1].rule.score, "energy")
end

function TestKept.test_what_is_refused()
  local net = bnn.nn.mlp{1}
  local path = folder .. "/x.safetensors"
  local model = {net = net, likelihood = bnn.likelihood.gaussian{sigma = 1}}
  assert(checkpoint.save(path, {params = net:init(key, train),
    model = checkpoint.describe(model)}))
  lu.assertEquals({keep(path)},
    {nil, path .. ": cannot calibrate: its model predicts no classes"})
  os.remove(path)
  lu.assertEquals({keep(folder)}, {nil, folder .. ": no checkpoints found"})
  lu.assertStrContains(select(2, keep(path)), path .. ": No such file")
  local unlabelled = bnn.data.from_tensors{x = train.x}
  for words, opts in pairs{
    ["validation: expected a part of a data set with x and y, got one without y"] = {
      validation = unlabelled,
    },
    ["validation: expected a table, got 3"] = {validation = 3},
    ["percentile: expected at most 1"] = {percentile = 99},
    ["key: expected a key, got 3"] = {key = 3}, ["unknown option 'sample'"] = {sample = 3},
  } do
    bits.raises("bnn.calibration.keep: " .. words, keep, folder, opts)
  end
  bits.raises("bnn.calibration.keep: path: expected a string, got a number", keep, 3)
end

os.exit(lu.LuaUnit.run(), true)
