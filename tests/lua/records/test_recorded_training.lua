--- Trainings on record: their checkpoints are in the run's folder, from which a next attempt goes
-- on to the bits of one that never stopped, and which bnn.run opens as models.
local lu = require "luaunit"
local bnn = require "bnn"
local core = require "bnn.core"
local recorded_run = require "bnn.run.recorded_run"
local run_folder = require "bnn.records.run_folder"

local SCRIPT = arg[0]
local STEPS = 12

-- A folder that is there while `use` runs.
local function in_folder(use)
  local folder = os.tmpname()
  os.remove(folder)
  assert(core.make_folder(folder))
  local ok, fault = pcall(use, folder)
  os.execute("rm -rf " .. folder)
  if not ok then error(fault, 0) end
end

TestTraining = {}

local stops_after -- the step that ends a training with an error, or nil

local experiment = {
  about = "learns a line", common = {"seed", "threads", "checkpoint"},
  defaults = {steps = {STEPS, "steps"}, scale = {2, "slope"}},
  run = function(cfg, log)
    local key = bnn.key(cfg.seed)
    local x = bnn.randn(key:fold "x", 40, 3)
    local data = bnn.data.from_tensors{x = x, y = cfg.scale * x:sum(2):view(40, 1)}
    local net = bnn.nn.mlp{5, 1}
    local posterior = bnn.posterior.meanfield(net:init(key:fold "init", data))
    local objective = bnn.elbo{net = net, posterior = posterior, data_size = 40,
      likelihood = bnn.likelihood.gaussian{sigma = 1.0}}
    bnn.train{
      objective = objective, optimizer = bnn.optim.adam{lr = 0.05}, data = data, steps = cfg.steps,
      batch_size = 10, key = key:fold "train", log = log, log_every = 2,
      evaluate = function() return {{"loss", -objective:evaluate(data, {key = key}).elbo}} end,
      on_step = function(step) if step == stops_after then error "pulled the plug" end end,
      checkpoint = bnn.checkpoint.from_flags(cfg, {monitor = "loss", mode = "min"}),
    }
    return {scale = cfg.scale}, {model = objective, x = x}
  end,
}

function TestTraining:setUp() bnn.main(experiment) end -- the main chunk would run it

-- Runs the experiment on record, up to an error after a step if that is given; the run, and what
-- the experiment returned besides metrics.
local function record(root, cfg, stop, id)
  stops_after = stop
  local ok, metrics, made = pcall(recorded_run.run, experiment, cfg,
    {root = root, script = SCRIPT, log = bnn.log.memory(), resume = id})
  stops_after = nil
  if stop then assert(not ok) else assert(ok and metrics, made or metrics) end
  return assert(bnn.run.open(id or "last", {runs = root})), made
end

local function bytes(run, name) return assert(run_folder.read(run.path .. "/" .. name)) end

function TestTraining.test_a_resumed_run_has_the_bits_of_one_that_never_stopped()
  in_folder(function(root)
    local cfg = {checkpoint_every = 4}
    local whole = record(root, cfg)
    for _, stops in ipairs{{3}, {6}, {9, 10}, {4, 8, 12}} do
      local run
      for i, stop in ipairs(stops) do run = record(root, cfg, stop, i > 1 and run.id or nil) end
      lu.assertEquals(run.status, "failed")
      run = record(root, cfg, nil, run.id)
      lu.assertEquals({run.status, run.about.attempt}, {"completed", #stops + 1})
      lu.assertEquals(run.metrics, whole.metrics)
      lu.assertEquals(run.extremes, whole.extremes)
      local steps, values = run:curve "loss"
      local want_steps, want = whole:curve "loss"
      lu.assertEquals({steps:totable(), values:totable()}, {want_steps:totable(), want:totable()})
      for _, name in ipairs{"best", "step_00000004", "step_00000008", "step_00000012"} do
        name = ("checkpoints/%s.safetensors"):format(name)
        lu.assertTrue(bytes(run, name) == bytes(whole, name), name)
      end
      lu.assertEquals(run:verify(), {})
    end
  end)
end

function TestTraining.test_the_record_says_where_it_went_on()
  in_folder(function(root)
    local run = record(root, {checkpoint_every = 4}, 6)
    lu.assertNil(run.about.resumed)
    run = record(root, {checkpoint_every = 4}, nil, run.id)
    lu.assertEquals(run.about.resumed,
      {step = 4, path = run.path .. "/checkpoints/step_00000004.safetensors"})
  end)
end

function TestTraining.test_without_a_checkpoint_it_begins_anew()
  in_folder(function(root)
    local whole = record(root, {})
    local run = record(root, {}, 6)
    run = record(root, {}, nil, run.id)
    lu.assertEquals({run.status, run.about.attempt}, {"completed", 2})
    lu.assertEquals(run.metrics, whole.metrics)
  end)
end

function TestTraining.test_its_model_predicts_as_the_trained_one()
  in_folder(function(root)
    local run, made = record(root, {checkpoint_every = 6})
    local model = assert(run:model())
    local key = bnn.key(9)
    for _, what in ipairs{"mean", "std"} do
      -- the last step is the best one here, or else the model is of another step
      lu.assertEquals(model.step, STEPS)
      local got = bnn.predict(model, made.x, {key = key, num_samples = 3})[what]
      local want = bnn.predict(made.model, made.x, {key = key, num_samples = 3})[what]
      lu.assertEquals(got:totable(), want:totable())
    end
    lu.assertEquals(model.config.scale, 2)
  end)
end

function TestTraining.test_a_run_without_a_model_says_how_to_get_one()
  in_folder(function(root)
    local run = record(root, {})
    local model, message = run:model()
    lu.assertNil(model)
    lu.assertEquals(message, run.id .. ": has no checkpoint: --checkpoint_every=STEPS keeps them "
      .. "in the record")
    assert(core.make_folder(run.path .. "/checkpoints"))
    lu.assertEquals(select(2, run:model()), message)
  end)
end

function TestTraining.test_a_damaged_checkpoint_is_named()
  in_folder(function(root)
    local run = record(root, {checkpoint_every = 6})
    os.execute("chmod -R u+w " .. run.path)
    local name = "checkpoints/best.safetensors"
    local text = bytes(run, name)
    local file <close> = assert(io.open(run.path .. "/" .. name, "wb"))
    file:write(text:sub(1, #text // 2))
    file:flush()
    local model, message = run:model()
    lu.assertNil(model)
    lu.assertStrContains(message, name)
    lu.assertEquals(run:verify(), {name .. ": changed"})
  end)
end

os.exit(lu.LuaUnit.run())
