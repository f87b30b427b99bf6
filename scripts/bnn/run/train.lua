--- The training loop: short, so that another can be written in ten lines.
local checkpointer = require "bnn.run.checkpointer"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local refusal = require "bnn.base.refusal"
local strings = require "bnn.base.strings"
local schedule = require "bnn.inference.schedule"

local M = {}

local spec = {
  objective = {type = "any", required = true},
  optimizer = {type = "optimizer", required = true},
  data = {type = "table", required = true},
  steps = {type = "integer", min = 0, required = true},
  batch_size = {type = "integer", min = 1, default = 128},
  key = {type = "key", required = true},
  beta = "schedule",
  lr = "schedule",
  state = "state",
  log = "any",
  log_every = {type = "integer", min = 1},
  evaluate = "function",
  on_step = "function",
  checkpoint = "table",
}

-- Ends a training whose loss is no number, or whose data do not fit: one line, no traceback.
local function stop(step, message, lr)
  local advice = ""
  if message:find "not a number" then
    advice = number.format("; try a smaller learning rate than lr=%g or a lower initial "
      .. "log-variance, and look for values in the data that are not numbers", lr)
  end
  refusal.assert_or_exit(nil, ("step %d: %s%s"):format(step, message, advice))
end

-- Logs before the first step, at every multiple of log_every, and after the last step; first may
-- be false.
local function report(opts, saver, step, first, last)
  if not opts.evaluate then return end
  local is_due = opts.log_every and step % opts.log_every == 0
  if not is_due and step ~= first and step ~= last then return end
  local rows = opts.evaluate(step)
  if rows and opts.log then opts.log:row(step, rows) end
  if rows and saver then saver:look_at(step, rows) end
end

-- What an interrupt that passes through leaves behind: its step in the message and, where
-- checkpoints are asked for, one of that step. The state knows how many steps are complete.
local function marker(saver, state)
  return setmetatable({}, {__close = function(_, err)
    local meta = type(err) == "table" and getmetatable(err)
    if type(meta) == "table" and meta.__name == "bnn.interrupt" and not err.step then
      err.step = state:steps()
      require "bnn.run.experiment".explain_interrupt(err)
      local path = saver and require "bnn.signal".finish(saver.save, saver, err.step)
      if path then
        err.message, err.checkpoint = ("%s; they are in %s"):format(err.message, path), path
      end
    end
  end})
end

-- One step; raises a refusal when it cannot be made.
local function make_step(opts, state, step, batch)
  local objective, with = opts.objective, {}
  with.lr = opts.lr and schedule.value(opts.lr, step, "lr") or state:rate(step)
  with.beta = opts.beta and schedule.value(opts.beta, step, "beta") or objective:beta_at(step)
  local loss, message = objective:step(state, batch, opts.key:fold(step), with)
  if not loss then stop(step, message, with.lr) end
  return loss, with
end

-- The checkpoint of a step is written before its figures are looked at: who goes on from it looks
-- at them again, and an error in `evaluate` costs no steps.
local function loop(opts, state)
  local first = state:steps()
  local last = first + opts.steps
  local saver <close> = opts.checkpoint and checkpointer.new(opts.checkpoint, opts, state) or nil
  local _ <close> = marker(saver, state)
  local done = state:steps() -- more than first when it goes on from a checkpoint
  if done > last then
    strings.notice(("%d steps are asked for, the checkpoint has %d: nothing is left to do")
      :format(opts.steps, done - first))
    last = done
  end
  local batches = {size = opts.batch_size, key = opts.key, skip = done, epochs = math.huge}
  local next_batch = done < last and opts.data:batches(batches)
  report(opts, saver, done, first, last)
  for step = done + 1, last do
    local loss, with = make_step(opts, state, step, next_batch())
    local goes_on = not opts.on_step or opts.on_step(step, loss) ~= false
    if saver then saver:after(step, with, step == last or not goes_on) end
    if not goes_on then break end
    report(opts, saver, step, first, last)
  end
  if saver then saver:finish(state:steps()) end
  return state
end

local function check_parts(opts)
  if type(opts.objective) ~= "table" or type(opts.objective.step) ~= "function" then
    error("bnn.train: objective is to have step(state, batch, key, opts), as bnn.elbo{} has", 3)
  end
  if type(opts.data.batches) ~= "function" then
    error("bnn.train: data is to have batches{size=, key=}: a part of a data set, such as its "
      .. "train, or bnn.data.from_tensors{x=, y=}", 3)
  end
end

--- Trains an objective in place and gives the optimizer's state.
-- @param opts table:
--   objective   bnn.elbo{...}, or anything with step(state, batch, key, {beta=, lr=}),
--               beta_at(step) and state_size()
--   optimizer   bnn.optim.adam{...}
--   data        the training part of a data set: x, y, size and batches{size=, key=}
--   steps       how many (more ones, with a state to go on from)
--   batch_size  128: a fresh permutation each epoch, the ragged rest is left out
--   key         step i uses key:fold(i), epoch e key:fold("data"):fold(e)
--   beta, lr    numbers or functions of the step, instead of the objective's and the optimizer's
--   state       to go on from: a state that train gave before
--   log         where the figures of evaluate go: a log of bnn.log, or a function of (step, rows);
--               the console when it is left out
--   evaluate    function(step) -> a list of {name, value}; called before the first step, at every
--               multiple of log_every, and after the last step
--   on_step     function(step, loss), after each step; false ends the training
--   checkpoint  table, or what bnn.checkpoint.of(cfg) gives:
--     path, every=1000, keep=3   a folder, steps between two checkpoints, how many of the last stay
--     best="test/accuracy"       a figure of evaluate: the step where it is best is kept as well;
--                                mode="max" or "min". Resuming with another is refused;
--                                resume_anyway looks for the best anew
--     resume=true                goes on from the last one that can be read, to the bits of a
--                                training that never stopped; `steps` is then the step to end at
--     config, free               the experiment's configuration, and what of it may differ when it
--                                goes on, {"steps", "epochs"}
--     resume_anyway=true         goes on although something differs that changes the result
--     extras, on_resume          a table of one's own to keep, or a function(step) -> table (asked
--                                before the first step as well); function(saved), which gets what
--                                bnn.checkpoint.load gave
--               A failed write is a warning on stderr, and an error at the end where the last or
--               the best checkpoint is not written by then; an interrupt writes a last one
-- @return state. SIGINT and SIGTERM, and SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2 and SIGPIPE where they
--   are not ignored or handled, end it between two steps, with exit status 128 + signal; SIGINT or
--   SIGTERM half a second later or more ends it at once
function M.train(opts)
  opts = options.check("bnn.train", opts, spec)
  check_parts(opts)
  if opts.checkpoint then opts.checkpoint = checkpointer.check(opts.checkpoint, opts) end
  local objective = opts.objective
  if objective.data_size == nil or objective.takes_data_size then
    objective.data_size, objective.takes_data_size = opts.data.size, true
  end
  if objective.check_data then refusal.assert_or_exit(objective:check_data(opts.data)) end
  if opts.log or opts.evaluate then opts.log = require "bnn.log.log".resolve(opts.log) end
  local state = opts.state or opts.optimizer:init(objective)
  return require "bnn.signal".guard(loop, opts, state)
end

return M
