--- What earlier versions wrote: checkpoints resume, and fingerprints stay the same numbers.
local lu = require "luaunit"
local here = arg[0]:match "^(.*/)" or "./"
package.path = here .. "../?.lua;" .. package.path
local files = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"
local resume_check = require "bnn.checkpoint.resume_check"

if not core.json_encode(true) then -- test_safetensors.lua tells of it
  print "Ran 0 tests in 0.000 seconds, 0 successes, 0 failures"
  os.exit(true)
end

TestEarlier = {}

-- Checkpoints hold these numbers: another one would refuse to resume from the same data.
function TestEarlier.test_fingerprints_of_data_never_change()
  local function ramp(n) return core.arange(0, n - 1) end
  for _, row in ipairs{
    {"814a5b62ceff8672", {x = (ramp(21) / 8):to("f64"):reshape(7, 3)}},
    {"e7a131908947969e", {x = core.tensor({{0.1, -0.0, 1e-40}, {1 / 0, -1 / 0, 3}}, "f32")}},
    {"12dad51c0a0dac06",
      {x = (ramp(24) * 10):to("u8"):reshape(2, 3, 4), y = core.tensor({0, 2}, "i32")}},
    {"c36d0e54c8798579",
      {x = core.tensor({math.maxinteger, math.mininteger, (1 << 53) + 1, -3}, "i64")}},
    {"2a421f8e8d9cfb5a", {x = core.tensor({-1, 1 << 63, 5}, "u64")}},
    {"cea429aae43155e9", {x = ramp(40000):reshape(20000, 2)}},
    {"544c365d94f42767", {x = ramp(60000):reshape(3, 20000)}},
    {"3fdc61525f976661", {x = (core.zeros(300, 14, 14) + ramp(196):reshape(1, 14, 14)):to "u8"}},
    {"dc5d523bd432728f", {x = ramp(35):reshape(5, 7):t()}},
    {"04d45fb93191b909", {x = core.zeros(0, 5)}},
    {"21a00951b850d6c1", {y = core.tensor({1, 2, 3}, "i32"), x = 3}},
    {"a96996e0e83701e0", {x = ramp(4):reshape(2, 2), classes = {"A", "", "grün", "a\0b"}}},
  } do
    lu.assertEquals(resume_check.fingerprint(row[2]), row[1])
  end
  local once, again = core.fingerprint "a", core.fingerprint("b", core.fingerprint "a")
  lu.assertEquals(once, core.fingerprint("a", core.fingerprint()))
  lu.assertNotEquals(once, again)
  for _, wrong in ipairs{3, {}, true} do lu.assertFalse(pcall(core.fingerprint, wrong)) end
end

-- earlier.safetensors: three steps, with best = "error", before that was monitor.
function TestEarlier.test_a_checkpoint_resumes()
  local folder, said = files.folder(), {}
  local input <close> = assert(io.open(here .. "earlier.safetensors", "rb"))
  files.write(folder .. "/step_00000003.safetensors", input:read "a")
  local key = bnn.key(9)
  local x = bnn.arange(0, 7):reshape(8, 1) / 8
  local net = bnn.nn.linear(1)
  local objective = bnn.elbo{
    net = net, posterior = bnn.posterior.meanfield(net:init(key, x), {logvar = -4}),
    likelihood = bnn.likelihood.gaussian{sigma = 0.5}, temperature = 1,
  }
  local stderr = io.stderr
  rawset(io, "stderr", {write = function(_, text) said[#said + 1] = text end})
  local ok, state = pcall(bnn.train, {
    objective = objective, optimizer = bnn.optim.adam{lr = 0.1}, batch_size = 4, key = key,
    data = bnn.data.from_tensors{x = x, y = x * 2 + 1}, steps = 5, log = bnn.log.memory(),
    evaluate = function(step) return {error = 1 / (step + 1)} end,
    checkpoint = {
      path = folder, monitor = "error", mode = "min", config = {lr = 0.1, steps = 5}, resume = true,
      on_resume = function(saved) lu.assertEquals(saved.extras, {mark = 7}) end,
    },
  })
  rawset(io, "stderr", stderr)
  lu.assertTrue(ok, tostring(state))
  lu.assertEquals(state:steps(), 5)
  lu.assertStrContains(said[#said], "/step_00000003.safetensors at step 3")
  local training = bnn.checkpoint.load(folder .. "/step_00000005.safetensors").training
  lu.assertEquals(training.data_fingerprint,
    bnn.checkpoint.load(folder .. "/step_00000003.safetensors").training.data_fingerprint)
  lu.assertEquals({training.best, training.best_mode}, {"error", "min"})
  files.remove(folder)
end

-- Objectives printed samples= before; a training of such a file is the same one.
function TestEarlier.test_the_text_of_an_objective_is_read_in_the_words_of_today()
  local text = resume_check.objective_text
  lu.assertEquals(text "elbo{temperature=1, samples=3, 83 parameters}",
    "elbo{temperature=1, num_samples=3, 83 parameters}")
  lu.assertEquals(text "objective{samples=1, 2 parameters}",
    "objective{num_samples=1, 2 parameters}")
  lu.assertEquals(text "elbo{num_samples=3}", "elbo{num_samples=3}")
  lu.assertNil(text(nil))
end

os.exit(lu.LuaUnit.run(), true)
