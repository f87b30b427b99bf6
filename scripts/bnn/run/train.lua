--- The training loop, kept short so that users can write another in ten lines.
local checkpointer = require "bnn.checkpoint.checkpointer"
local early_stopping = require "bnn.run.early_stopping"
local fail = require "bnn.base.fail"
local number = require "bnn.base.number"
local observer = require "bnn.base.observer"
local options = require "bnn.base.options"
local progress = require "bnn.base.progress"
local posteriors = require "bnn.posterior.posterior_class"
local refusal = require "bnn.base.refusal"
local schedule = require "bnn.inference.schedule"
local side_by_side = require "bnn.inference.side_by_side"
local strings = require "bnn.base.strings"

local M = {}

local spec = {
  objective = {type = "any", required = true},
  optimizer = "optimizer",
  data = {type = "table", required = true},
  augment = "table",
  steps = {type = "integer", min = 0, required = true},
  batch_size = {type = "integer", min = 1, default = 128},
  key = {type = "key", required = true},
  beta = "schedule",
  lr = "schedule",
  state = "state",
  collect = "collector",
  log = "any",
  log_every = {type = "integer", min = 1},
  evaluate = "function",
  on_step = "function",
  checkpoint = "table",
  progress = "boolean",
  stop = "table",
}

-- Ends a training whose loss is not a number, or whose data do not fit, with one line.
local function stop(step, message, lr)
  local advice = ""
  if message:find "not a number" then
    local rate = type(lr) == "number" and number.format("learning rate than lr=%g", lr)
      or "learning rate"
    advice = ("; try a smaller %s or a lower initial log-variance, and look for values in the data "
      .. "that are not numbers"):format(rate)
  end
  refusal.assert_or_exit(nil, ("step %d: %s%s"):format(step, message, advice))
end

-- Evaluates and logs before the first step, at every multiple of log_every, and after the last.
-- Returns whether the training is to stop early.
local function report(opts, saver, step, first, last)
  if not opts.evaluate then return end
  local is_due = opts.log_every and step % opts.log_every == 0
  if not is_due and step ~= first and step ~= last then return end
  local rows = opts.evaluate(step)
  if rows then
    opts.log:row(step, rows)
    if opts.posterior then opts.log:posterior(step, opts.posterior) end
  end
  if rows and saver then saver:look_at(step, rows) end
  return rows and opts.stopper and opts.stopper:look_at(step, rows)
end

-- An object whose closing completes an interrupt that passes through: it adds the step to the
-- message and, if there is a checkpointer, writes the checkpoint of that step.
local function at_interrupt(saver, state)
  local is_member = side_by_side.is_inside()
  return setmetatable({}, {__close = function(_, err)
    local meta = type(err) == "table" and getmetatable(err)
    if type(meta) == "table" and meta.__name == "bnn.interrupt" then
      if not err.step then -- of the first training that it ends, of several side by side
        err.step = state:steps()
        if not is_member then err.state = state end
        require "bnn.run.experiment".explain_interrupt(err)
      end
      local path = saver and require "bnn.signal".finish(saver.save, saver, state:steps())
      if path then
        err.message, err.checkpoint = ("%s; wrote %s"):format(err.message, path), path
      end
    end
  end})
end

-- Makes one step, or ends the training. Returns the loss and the rates of the step.
local function make_step(opts, state, step, batch)
  local objective, rates = opts.objective, {}
  rates.lr = opts.lr and schedule.value(opts.lr, step, "lr") or state:rate(step)
  rates.beta = opts.beta and schedule.value(opts.beta, step, "beta") or objective:beta_at(step)
  local loss, message = objective:step(state, batch, opts.key:fold(step), rates)
  if not loss then stop(step, message, rates.lr) end
  return loss, rates
end

local function stop_early(opts, saver, state)
  opts.stopper:say()
  if saver then saver:save(state:steps()) end
end

-- The checkpoint of a step is written before the step is evaluated: a run that resumes from it
-- evaluates again, and an error in `evaluate` costs no steps.
local function loop(opts, state)
  local first = state:steps()
  local last = first + opts.steps
  local saver <close> = opts.checkpoint and checkpointer.new(opts.checkpoint, opts, state) or nil
  local _ <close> = at_interrupt(saver, state)
  local done = state:steps() -- more than first if it resumed
  if done > last then
    strings.notice(("already at step %d (requested %d)"):format(done, last))
    last = done
  end
  local batches = {size = opts.batch_size, key = opts.key, skip = done, epochs = math.huge}
  local next_batch = done < last and opts.data:batches(batches)
  local bar <close> = progress.start("train", {of = last, at = done, progress = opts.progress})
  local is_over = report(opts, saver, done, first, last)
  for step = done + 1, is_over and done or last do
    local loss, rates = make_step(opts, state, step, next_batch())
    bar:update(step, loss)
    local stops = opts.on_step and opts.on_step(step, loss) == false
    if state.collector then state.collector:after(step) end
    observer.tell("pulse", step)
    if saver then saver:after(step, rates, stops or step == last) end
    if stops then break end
    is_over = report(opts, saver, step, first, last)
    if is_over then break end
  end
  if is_over then stop_early(opts, saver, state) end
  if saver then saver:finish(state:steps()) end
  return state
end

local function start_state(opts, objective)
  if not opts.state then
    if not opts.optimizer then
      fail.expected("bnn.train: optimizer", "an optimizer, such as bnn.optim.adam{}", nil)
    end
    return opts.optimizer:init(objective)
  end
  if opts.optimizer then opts.state:set_optimizer(opts.optimizer) end
  return opts.state
end

-- Groups have a learning rate each.
local function check_rate(opts, state)
  local optimizer = state.optimizer
  if opts.lr and type(optimizer) == "table" and optimizer.members then
    fail.expected("bnn.train: lr", "none beside bnn.optim.groups, whose optimizers have their own",
      opts.lr)
  end
end

-- A state that goes on collects as it did.
local function start_collecting(collect, state, objective)
  if not collect then return end
  local of = state.optimizer
  collect = collect:after_burn_in(type(of) == "table" and of.burn_in and of:burn_in() or 0)
  if not state.collector then
    state.collector = collect:start(posteriors.of_model("bnn.train", objective))
  elseif tostring(state.collector) ~= tostring(collect) then
    fail("bnn.train: collect: expected %s, as in the state, got %s", state.collector,
      collect)
  end
end

-- What logs show the histograms of; an objective of the user's may have none.
local function posterior_of(objective)
  local ok, posterior = fail.try(posteriors.of_model, "bnn.train", objective)
  return ok and posterior or nil
end

local function check_parts(opts)
  if type(opts.objective) ~= "table" or type(opts.objective.step) ~= "function" then
    fail.expected("bnn.train: objective",
      "one with step(state, batch, key, opts), such as bnn.elbo{}", opts.objective)
  end
  if type(opts.data.batches) ~= "function" then
    fail.expected("bnn.train: data",
      "a part of a data set, such as its train or bnn.data.from_tensors{x=, y=}", opts.data)
  end
  if opts.augment and type(opts.data.augment) ~= "function" then
    fail.expected("bnn.train: data", "a part, whose rows augment= changes", opts.data)
  end
end

--- Trains an objective in place.
--     local state = bnn.train{
--       objective = objective, optimizer = bnn.optim.adam{lr = 1e-3}, data = data.train,
--       steps = 1000, batch_size = 128, key = key:fold "train", log_every = 100,
--       evaluate = function()
--         return {{"test/elbo", objective:evaluate(data.test, {key = key}).elbo}}
--       end,
--     }
-- @param opts table:
--   objective   bnn.elbo{...}, or anything with step(state, batch, key, {beta=, lr=}),
--               beta_at(step) and state_size()
--   optimizer   bnn.optim.adam{...}; with a state its own by default, or one that differs in lr
--   data        the training part of a data set: x, y, size and batches{size=, key=}; or a stream
--               (bnn.data.stream)
--   augment     {bnn.augment.shift(2), ...}: how steps, and no evaluation, see the data changed at
--               random (part:augment), in step i by key:fold(i):fold("augment")
--   steps       number of steps (further ones, with a state)
--   batch_size  default 128: a new permutation each epoch; an incomplete last batch is left out
--   key         step i uses key:fold(i), epoch e key:fold("data"):fold(e)
--   beta, lr    numbers or functions of the step, instead of the objective's and the optimizer's
--   state       what an earlier bnn.train returned, to continue from, with its collector
--   collect     bnn.collect.samples{...} or average{...}, from which state:posterior() is made
--   log         gets the metrics that evaluate returns: a log of bnn.log, or a function of (step,
--               rows); default: the console. Logs that take histograms, as TensorBoard's do, get
--               those of the posterior too (log:posterior)
--   log_every   steps between two evaluations
--   evaluate    function(step) -> a list of {name, value}; called before the first step, at every
--               multiple of log_every, and after the last step
--   on_step     function(step, loss), called after each step; false ends the training
--   progress    false shows no progress on stderr; otherwise work of more than a second shows its
--               step, loss, rate and time left
--   stop        {monitor="test/nll", patience=5, mode="min", min_delta=0}: ends the training when a
--               metric of evaluate has not improved by more than min_delta for `patience`
--               evaluations. monitor and mode ("max") are by default those of checkpoint, whose
--               best file has the parameters of the best evaluation
--   checkpoint  table, or what bnn.checkpoint.from_flags(cfg) returns:
--     path, every=1000, keep=3   folder, steps between two checkpoints, number of latest ones kept
--     monitor="test/accuracy"    a metric of evaluate: the checkpoint with its best value is kept
--                                too; mode="max" or "min". Resuming with another is an error;
--                                resume_anyway starts the search for the best anew
--     resume=true                resumes from the last readable checkpoint, bit-identical to a
--                                training that never stopped; `steps` is then the step to end at
--     config, may_change         the experiment's configuration, and the list of its flags that may
--                                differ when resuming, {"steps", "epochs"}
--     resume_anyway=true         resumes even if something differs that changes the result
--     extras                     a table to save as well, or a function(step) -> table, called
--                                before the first step too
--     on_resume                  function(saved), called with what bnn.checkpoint.load returned
--               A failed write is a warning on stderr, and an error at the end if the last or the
--               best checkpoint is still not written; an interrupt writes a last checkpoint
-- @return state. SIGINT, SIGTERM and, unless ignored or handled, SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2
--   and SIGPIPE end the training between two steps, with exit status 128 + signal; a SIGINT or
--   SIGTERM at least half a second later ends it at once. At the prompt, Ctrl-C in
--   `state = bnn.train{...}` assigns the state that was reached
-- Raises if a state is to go on with another optimizer. Raises a refusal, which ends the program
-- with one line, if a loss or gradient is not finite, the
-- data do not fit the likelihood, or a checkpoint belongs to another training.
function M.train(opts)
  opts = options.check("bnn.train", opts, spec)
  check_parts(opts)
  if opts.augment then opts.data = opts.data:augment(opts.augment) end
  if opts.checkpoint then opts.checkpoint = checkpointer.check(opts.checkpoint, opts) end
  if opts.stop then opts.stopper = early_stopping.new(early_stopping.check(opts.stop, opts)) end
  local objective = opts.objective
  if objective.data_size == nil or objective.takes_data_size then
    objective.data_size, objective.takes_data_size = opts.data.size, true
  end
  if objective.check_data then
    local seen = opts.data.head and opts.data:head(opts.batch_size) or opts.data
    refusal.assert_or_exit(objective:check_data(seen))
  end
  if opts.log or opts.evaluate then opts.log = require "bnn.log.log".resolve(opts.log) end
  opts.posterior = posterior_of(objective)
  local state = start_state(opts, objective)
  check_rate(opts, state)
  start_collecting(opts.collect, state, objective)
  if side_by_side.is_inside() then return loop(opts, state) end -- whoever runs it is guarded
  return require "bnn.signal".guard(loop, opts, state)
end

return M
