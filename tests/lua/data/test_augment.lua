--- Augmentation: batches and steps see the same changed rows, on any number of threads and resumed;
-- evaluation sees the data as they are.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local files = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"

local raises = bits.raises
local key = bnn.key(31)
local augment = bnn.augment

local N = 40
local x = (bnn.rand(key:fold "x", N, 6, 5) * 255):floor():to "u8"
local labels = {}
for i = 1, N do labels[i] = (i - 1) % 3 end
local data = bnn.data.from_tensors{x = x, y = bnn.tensor(labels, "i32")}

local lists = {
  {augment.shift(2)}, {augment.rotate(30)}, {augment.flip(0.5)},
  {augment.crop(1, {mode = "reflect"})}, {augment.noise(0.2)}, {augment.mixup(0.4)},
  {augment.shift(1), augment.rotate(15), augment.flip(), augment.noise(0.1), augment.mixup(1)},
}

-- The first batch of a part.
local function batch_of(part, size)
  return part:batches{size = size or N, key = key}()
end

local function elbo(likelihood, outputs)
  local net = bnn.nn.mlp{8, outputs or 3}
  local q = bnn.posterior.meanfield(net:init(key, data.x))
  return bnn.elbo{net = net, posterior = q, likelihood = likelihood, temperature = 1,
                  data_size = N}
end

TestBatches = {}

function TestBatches.test_without_an_augmentation_nothing_changes()
  local plain = batch_of(data)
  local still = batch_of(data:augment{augment.shift(0), augment.rotate(0), augment.flip(0),
                                      augment.crop(0), augment.noise(0)})
  bits.assert_same(still.x, plain.x)
  bits.assert_same(still.y, plain.y)
end

-- Row r of the images is r + 1: a shift by k lines makes them r + 1 - k.
function TestBatches.test_a_shift_moves_all_of_an_image()
  local lines = bnn.zeros(200, 5, 5) + bnn.arange(1, 5):view(1, 5, 1)
  local batch = batch_of(bnn.data.from_tensors{x = lines}:augment{augment.shift(2)}, 200)
  local seen = {}
  for _, image in ipairs(batch.x:totable()) do
    local middle = image[3][3]
    seen[middle] = true
    for r = 1, 5 do
      local want = r + middle - 3
      lu.assertEquals(image[r][3], want >= 1 and want <= 5 and want or 0)
    end
  end
  for middle = 1, 5 do lu.assertTrue(seen[middle]) end
end

function TestBatches.test_batches_differ_by_their_number_and_skip_counts()
  local part, seen = data:augment{augment.noise(1)}, {}
  for batch in part:batches{size = N, key = key, epochs = 3} do seen[#seen + 1] = batch.x end
  lu.assertNotEquals(bits.of(seen[1]), bits.of(seen[2]))
  local resumed = part:batches{size = N, key = key, epochs = 3, skip = 2}()
  bits.assert_same(resumed.x, seen[3])
end

function TestBatches.test_mixed_labels_are_shares_of_their_classes()
  local part = data:augment{augment.mixup(1)}
  local batch = batch_of(part)
  lu.assertEquals(batch.y:shape(), {N, 3})
  for _, total in ipairs(batch.y:sum(2):totable()) do lu.assertAlmostEquals(total, 1, 1e-6) end
  local wide = data:augment{augment.mixup(1, {classes = 5})}
  lu.assertEquals(batch_of(wide).y:shape(), {N, 5})
  local named = bnn.data.from_tensors{x = x, y = data.y, classes = {"a", "b", "c", "d"}}
  lu.assertEquals(batch_of(named:augment{augment.mixup(1)}).y:shape(), {N, 4})
end

function TestBatches.test_real_targets_are_mixed_as_inputs_are()
  local rows = bnn.arange(1, N):view(N, 1)
  local part = bnn.data.from_tensors{x = rows, y = rows * 10}:augment{augment.mixup(1)}
  local batch = batch_of(part)
  lu.assertAlmostEquals((batch.y - batch.x * 10):abs():max():item(), 0, 1e-3)
  lu.assertNotEquals(bits.of(batch.x), bits.of(batch_of(bnn.data.from_tensors{x = rows}).x))
end

function TestBatches.test_parts_made_of_an_augmented_one_are_too()
  local part = data:augment{augment.noise(0.5)}
  lu.assertStrContains(tostring(part), "augmented by noise(0.5)")
  for _, made in ipairs{part:slice(1, 10), part:index{1, 2}, part:with{y = data.y}} do
    lu.assertStrContains(tostring(made), "augmented by noise(0.5)")
  end
  lu.assertNil(data.augmentation)
end

TestSteps = {}

-- A step's loss and parameters from a batch.
local function step(batch, likelihood)
  local objective = elbo(likelihood)
  local state = bnn.optim.adam{lr = 0.1}:init(objective)
  local loss = assert(objective:step(state, batch, key))
  return loss, bits.of(objective.posterior.mu.flat)
end

function TestSteps.test_a_step_sees_what_batches_hand_out()
  for i, list in ipairs(lists) do
    local batch = batch_of(data:augment(list), 16)
    local loss, mu = step(batch)
    local same, also = step{x = batch.x, y = batch.y}
    lu.assertEquals({loss, mu}, {same, also}, i)
    lu.assertNotEquals(mu, select(2, step(batch_of(data, 16))), i)
  end
end

function TestSteps.test_the_loss_of_mixed_labels_is_the_mixed_loss()
  local logits = bnn.randn(key, 4, 3)
  local shares = bnn.tensor{{0.3, 0.7, 0}, {1, 0, 0}, {0, 0.5, 0.5}, {0, 0, 1}}
  local log_prob = bnn.likelihood.categorical().log_prob
  local function of(list) return log_prob(logits, bnn.tensor(list, "i32")):totable() end
  local a, b, got = of{0, 0, 1, 2}, of{1, 0, 2, 2}, log_prob(logits, shares):totable()
  for i, lambda in ipairs{0.3, 1, 0.5, 1} do
    lu.assertAlmostEquals(got[i], lambda * a[i] + (1 - lambda) * b[i], 1e-6)
  end
  raises("expected the shares of the 3 classes of the outputs, got [4, 2]", log_prob, logits,
    bnn.ones(4, 2))
end

function TestSteps.test_a_loss_of_ones_own_sees_the_shares()
  local net = bnn.nn.mlp{8, 3}
  local function loss_of(batch, opts)
    opts.net, opts.params = opts.likelihood and net, net:init(key, x)
    local objective = bnn.objective(opts)
    return assert(objective:step(bnn.optim.adam{}:init(objective), batch, key))
  end
  local batch = batch_of(data:augment{augment.mixup(1)}, 16)
  local own = loss_of(batch, {loss = function(params, seen)
    return -(seen.y * net:apply(params, seen.x):log_softmax(-1)):sum(2)
  end})
  lu.assertAlmostEquals(own, loss_of(batch, {likelihood = "categorical"}), 1e-6)
end

function TestSteps.test_gradients_see_the_same()
  local batch = batch_of(data:augment{augment.mixup(1)}, 16)
  local function gradient(of) return bits.of(elbo():gradient(of, key).flat) end
  lu.assertEquals(gradient(batch), gradient{x = batch.x, y = batch.y})
end

function TestSteps.test_real_targets_are_learned_mixed()
  local y = bnn.randn(key, N, 1)
  local part = bnn.data.from_tensors{x = x, y = y}:augment{augment.mixup(1)}
  local function loss_of(batch)
    local objective = elbo(bnn.likelihood.gaussian{sigma = 1}, 1)
    return assert(objective:step(bnn.optim.adam{}:init(objective), batch, key))
  end
  local batch = batch_of(part, 16)
  lu.assertEquals(loss_of(batch), loss_of{x = batch.x, y = batch.y})
end

function TestSteps.test_labels_that_are_no_integers_cannot_be_mixed()
  local part = bnn.data.from_tensors{x = x, y = data.y:real()}:augment{augment.mixup(1)}
  raises("objective:step: batch.y: expected labels i32 [n] to mix, got f", step, batch_of(part))
end

function TestSteps.test_a_label_beyond_the_classes_is_named()
  local part = data:augment{augment.mixup(1, {classes = 2})}
  local objective = elbo(nil, 2)
  local loss, message = objective:step(bnn.optim.adam{}:init(objective), batch_of(part), key)
  lu.assertNil(loss)
  lu.assertStrContains(message, "label 2 is outside 0..1, in row ")
end

TestTraining = {}

local function train(list, opts, checkpoint)
  local objective = elbo()
  local all = {objective = objective, optimizer = bnn.optim.adam{lr = 0.05}, data = data,
               steps = 12, batch_size = 16, key = key, augment = list, progress = false,
               checkpoint = checkpoint}
  for name, value in pairs(opts or {}) do all[name] = value end
  bnn.train(all)
  return bits.of(objective.posterior.mu.flat), objective
end

function TestTraining.test_the_bits_do_not_depend_on_threads()
  local before = bnn.threads()
  for _, list in ipairs(lists) do
    bnn.threads(1)
    local one = train(list)
    bnn.threads(3)
    lu.assertEquals(train(list), one)
  end
  bnn.threads(before)
end

-- Steps on lanes, whose rows are Lua's while they are out.
function TestTraining.test_members_of_an_ensemble_are_those_trained_alone()
  local net = bnn.nn.mlp{8, 3}
  local function fit(k)
    local params = net:init(k, x)
    bnn.train{objective = bnn.objective{net = net, params = params, likelihood = "categorical"},
              optimizer = bnn.optim.adam{}, data = data, steps = 8, batch_size = 16, key = k,
              augment = lists[7]}
    return params
  end
  local q = bnn.ensemble{members = 3, key = key, fit = fit, threads = 2, progress = false}
  for i, sample in ipairs(q:samples(key, 3)) do
    local alone = fit(key:fold("member"):fold(i))
    bits.assert_same(sample["mlp/linear_0/w"], alone["mlp/linear_0/w"])
  end
end

function TestTraining.test_evaluation_sees_the_data_as_they_are()
  local _, objective = train(lists[7])
  local function elbo_of(part) return objective:evaluate(part, {key = key}).elbo end
  lu.assertEquals(elbo_of(data:augment(lists[7])), elbo_of(data))
end

function TestTraining.test_augment_is_that_of_the_part()
  lu.assertEquals(train(lists[7]), train(nil, {data = data:augment(lists[7])}))
  lu.assertNotEquals(train(lists[7]), train())
  raises("bnn.train: data: expected a part", train, lists[1],
    {data = {x = x, size = N, batches = function() end}})
end

function TestTraining.test_resumed_it_has_the_same_bits_and_another_one_is_refused()
  if not core.json_encode(true) then lu.skip "no jansson: no checkpoints" end
  local dir, real = files.folder(), io.stderr
  rawset(io, "stderr", {write = function() end})
  local ok, fault = pcall(function()
    train(lists[7], {steps = 5}, {path = dir})
    lu.assertEquals(train(lists[7], {steps = 12}, {path = dir, resume = true}), train(lists[7]))
    local _, message = pcall(train, lists[1], {steps = 14}, {path = dir, resume = true})
    lu.assertStrContains(tostring(message), "augment: shift(1), rotate(15), flip(0.5), noise(0.1), "
      .. "mixup(1) in the checkpoint, shift(2) here")
    _, message = pcall(train, nil, {steps = 14}, {path = dir, resume = true})
    lu.assertStrContains(tostring(message), "mixup(1) in the checkpoint, not given here")
  end)
  rawset(io, "stderr", real)
  files.remove(dir)
  if not ok then error(fault, 0) end
end

TestRefusals = {}

function TestRefusals.test_amounts_out_of_range()
  raises("bnn.augment.shift: pixels: expected an integer, got 1.5", augment.shift, 1.5)
  raises("bnn.augment.shift: pixels: expected at least 0, got -1", augment.shift, -1)
  raises("bnn.augment.rotate: degrees: expected at most 180, got 181", augment.rotate, 181)
  raises("bnn.augment.flip: probability: expected at most 1, got 2", augment.flip, 2)
  raises("bnn.augment.noise: std: expected a number", augment.noise)
  raises("bnn.augment.mixup: alpha: expected at least 0.001, got 0", augment.mixup, 0)
  raises("bnn.augment.crop: mode: expected one of zero, edge, reflect", augment.crop, 1,
    {mode = "mirror"})
end

function TestRefusals.test_lists_that_do_not_suit_the_part()
  local function of(list, part) return function() (part or data):augment(list) end end
  raises("part:augment: expected a list of augmentations", of{})
  raises("part:augment: entry 2: expected an augmentation", of{augment.flip(), "shift"})
  raises("expected flip before noise", of{augment.noise(1), augment.flip()})
  raises("x: expected images [n, h, w] or [n, channels, h, w], got [4, 3]",
    of({augment.flip()}, bnn.data.from_tensors{x = bnn.ones(4, 3)}))
  raises("x: expected u8 or f", of({augment.noise(1)},
    bnn.data.from_tensors{x = bnn.zeros({4, 3}, "i32")}))
end

os.exit(lu.LuaUnit.run())
