--- A step: the program of an objective, recorded once for each shape of a batch, and called with
-- parameters, batch, key and the weight of the KL.
local batches = require "bnn.inference.objective_batch"
local core = require "bnn.core"
local estimators = require "bnn.inference.estimators"
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local frame = require "bnn.nn.base.frame"
local kinds = require "bnn.base.kinds"
local losses = require "bnn.inference.objective_loss"
local lru_cache = require "bnn.base.lru_cache"
local named_tensors = require "bnn.params.named_tensors"
local optimizer_groups = require "bnn.inference.optimizer_groups"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local penalties = require "bnn.inference.objective_penalties"
local posteriors = require "bnn.posterior.posterior_class"
local shapes = require "bnn.base.shapes"
local side_by_side = require "bnn.inference.side_by_side"
local strings = require "bnn.base.strings"
local trace_model = require "bnn.autodiff.trace_model"

local M = {}

local KEPT = 8         -- recorded steps, one for each shape of a batch
local FIRST_NOTICE = 9 -- recordings; then at twice as many each time

-- What a recorded step depends on besides shapes; when it is changed, steps are recorded again.
local RECORDED = {
  "net", "likelihood", "loss", "kl", "prior", "num_samples", "antithetic", "shards",
  "weight_decay", "estimator",
}

--- The fields of an objective in which its recorded steps are kept, in place.
function M.init(objective)
  objective.steppers, objective.latest = lru_cache.new(KEPT), {}
  objective.recorded, objective.recordings = {}, 0
  return objective
end

-- ---- recording ----

-- Adds what a step makes of the state of params to a program's outputs: what layers say, or what it
-- is, as no rule of an optimizer changes it. Returns the places of these tensors.
local function add_state(outputs, params, new_value)
  local places = {}
  for i, entry in ipairs(parameters.layout_of(params)) do
    if parameters.is_state(entry.name) then
      local old = params[entry.name]
      places[#places + 1] = i
      outputs[#outputs + 1] = new_value(old) or old * 1
    end
  end
  return places
end

-- The runtime's objective for batches of n rows of this source.
local function make_stepper(self, what, source, n)
  batches.check_targets(self, what, source)
  local terms, places = penalties.recorded_terms(self), {}
  for i, term in ipairs(terms) do places[i] = term.place end
  local state = {}
  local function outputs(params, batch, key, weights, phi)
    local new_value, loss = frame.with_updates(nil, losses.of, self, params, batch, key, true)
    local list = {loss}
    if weights then
      list = {loss + penalties.weigh_terms(self, terms, params, weights, phi), loss}
    end
    state = add_state(list, params, new_value)
    return list
  end
  local recorder = estimators.recorder(self.estimator, self.antithetic)
  local program, made = trace_model.model(self, source, n, outputs,
    {gradient = true, weights = #terms, recorder = recorder})
  self.estimated = recorder and estimators.report(self.estimator, recorder, program)
  made.estimator = self.estimator
  for name, list in pairs(penalties.by_tensor(self)) do made[name] = list end
  made.samples, made.antithetic = self.num_samples, self.antithetic
  made.shards, made.state_params = self.shards, state
  made.loss, made.kl_weight_params = #terms > 0 and 1 or 0, places
  return core.objective(program, posteriors.of_model(self.what, self).core, made)
end

-- A line on stderr when the shapes of batches keep changing.
local function count_recording(self, name)
  self.recordings = self.recordings + 1
  local n = self.recordings / FIRST_NOTICE
  if n < 1 or math.log(n, 2) % 1 ~= 0 then return end
  local text = "%s: steps have been recorded for %d shapes of batches, last %s; each takes time "
    .. "and memory: batches of one size, or drop_last, are recorded once"
  strings.notice(text:format(self.what, self.recordings, name))
end

-- Forgets what was recorded when a field has changed on which it depends.
local function check_recorded(self)
  local recorded, form = self.recorded, posteriors.form_of(self)
  if recorded.form ~= form then
    self.steppers, self.latest, recorded.form = lru_cache.new(KEPT), {}, form
  end
  for i = 1, #RECORDED do
    local field = RECORDED[i]
    if recorded[field] ~= self[field] then
      self.steppers, self.latest, recorded[field] = lru_cache.new(KEPT), {}, self[field]
    end
  end
end

-- Whether something was made for the same x, y and weight.
local function is_of(made, source)
  return rawequal(made.x, source.x) and rawequal(made.y, source.y)
    and rawequal(made.weight, source.weight)
end

-- The recorded step for batches of n rows of a source. That of the step before is found without a
-- name of its shapes, which takes longer to write than the rest of step's Lua.
local function stepper(self, what, source, n)
  check_recorded(self)
  local latest = self.latest
  if latest.n == n and is_of(latest, source) then return latest.made end
  local name = trace_model.shape_key(source, n)
  local made = self.steppers:get(name)
  if not made then
    count_recording(self, name)
    made = self.steppers:put(name, make_stepper(self, what, source, n))
  end
  self.latest = {x = source.x, y = source.y, weight = source.weight, n = n, made = made}
  return made
end

-- The tensors of a source as a list, found once for each part of a data set.
local function tensors_of(self, source)
  local latest = self.latest_tensors
  if latest and is_of(latest, source) then return latest.tensors end
  local tensors = named_tensors.sources(source)
  self.latest_tensors = {x = source.x, y = source.y, weight = source.weight, tensors = tensors}
  return tensors
end

-- ---- calling ----

-- The rows of a batch: a source {x=, y=, weight=}, which of its rows in what order (nil: as they
-- stand), from and count of these, and {x=, y=, weight=} with the shapes and types that they are
-- gathered with.
local function rows_of(self, what, batch)
  local rows = type(batch) == "table" and batch.rows or nil
  local source = rows and batch.source or batches.check(what, batch)
  local given = source.y
  source = batches.with_labels(self, what, source)
  if not rows then return source, nil, 1, named_tensors.first(source.x):size(1), source end
  local augmentation = batch.source.augmentation
  local seen = augmentation and augmentation.seen or source
  if augmentation and augmentation.mixes and not rawequal(source.y, given) then
    fail("%s: batch.y: expected labels i32 [n] to mix, got %s %s", what, given:dtype(),
      shapes.text(given))
  end
  return source, rows, batch.from, batch.count, seen
end

-- The runtime's posterior, found once for each that the objective has.
local function core_of(self)
  local own, latest = self.posterior or self.params, self.latest_core
  if not latest or latest.own ~= own then
    latest = {own = own, core = posteriors.of_model(self.what, self).core}
    self.latest_core = latest
  end
  return latest.core
end

-- What the runtime takes of a step or a gradient, in its order.
local function arguments(self, key, beta, source, rows, from, count)
  return core_of(self), tensors_of(self, source), rows, from, count, key, beta
end

local STEP_OPTIONS = {beta = "any", lr = "any", noise = "any"} -- numbers: the runtime looks at them

-- The options of a step. bnn.options would take longer than the rest of step's Lua, every step.
local function step_options(opts)
  if type(opts) ~= "table" then return options.check("objective:step", opts, STEP_OPTIONS) end
  for name in next, opts do
    if not STEP_OPTIONS[name] then return options.check("objective:step", opts, STEP_OPTIONS) end
  end
  return opts
end

-- The runtime's message, with a tensor's name in place of its number.
local function with_name(message, layout)
  return (message:gsub("gradient of tensor (%d+)", function(i)
    return ("gradient of '%s'"):format(layout[math.tointeger(tonumber(i))].name)
  end))
end

-- A step by a rule that is defined in Lua: the gradients, then its update.
local function step_by_lua(self, made, moments, lr, key, posterior, ...)
  local gradient, loss = made:gradient(posterior, ...)
  if not gradient then return nil, loss end
  local ok, message = moments:update(posterior, gradient, lr, key, self.data_size)
  if not ok then return nil, message end
  made:write_state(posterior)
  return loss
end

-- A step, on a lane where trainings go side by side.
local function make_step(self, made, moments, lr, noise, key, ...)
  if type(moments) == "table" then return step_by_lua(self, made, moments, lr, key, ...) end
  local step = side_by_side.is_inside() and side_by_side.step or made.step
  return step(made, moments, lr, self.data_size, noise, ...)
end

--- One step, in place: objective:step.
function M.step(self, state, batch, key, opts)
  local what = "objective:step"
  if not kinds.is_object(state, "state") then
    fail.expected(what .. ": state", "a state, as optimizer:init(objective) gives it", state)
  end
  expect.key(what .. ": key", key)
  opts = step_options(opts)
  local source, rows, from, count, seen = rows_of(self, what, batch)
  local step = state:steps() + 1
  local beta = opts.beta or penalties.beta_at(self, step)
  local lr, noise = optimizer_groups.rates(state, what, step, opts.lr, opts.noise)
  self.last = {step = step, beta = beta} -- what audit speaks of
  local made = stepper(self, what, seen, count)
  local loss, message = make_step(self, made, state.moments, lr, noise, key, arguments(self, key,
    beta, source, rows, from, count))
  if loss then return loss end
  return nil, with_name(message, posteriors.of_model(self.what, self):program_layout())
end

--- The gradients of L on a batch: objective:gradient.
function M.gradient(self, batch, key, opts)
  local what = "objective:gradient"
  expect.key(what .. ": key", key)
  opts = options.check(what, opts, {beta = "any"})
  local beta = opts.beta or penalties.beta_at(self, 1)
  local source, rows, from, count, seen = rows_of(self, what, batch)
  local flat, loss = stepper(self, what, seen, count):gradient(
    arguments(self, key, beta, source, rows, from, count))
  if not flat then fail("%s: %s", what, loss) end
  if not self.posterior then
    return parameters.new(parameters.layout_of(self.params), flat), loss
  end
  return self.posterior:parts_of(flat), loss
end

return M
