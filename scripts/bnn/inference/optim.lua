--- Optimizers, a function each: bnn.optim.adam{lr = 1e-3}. bnn.sampler has those that draw noise.
--
-- An optimizer is a value: optimizer:init(objective) gives the state that steps change. The
-- learning rate may be a number or a function of the step (bnn.schedule).
local core = require "bnn.core"
local define_optimizer = require "bnn.inference.define_optimizer"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local posteriors = require "bnn.posterior.posterior_class"
local renamed = require "bnn.base.renamed"
local schedule = require "bnn.inference.schedule"
local shapes = require "bnn.base.shapes"

local M = {docs = {}}

local CLIPPING = {"clip_norm", "clip_value"} -- options of every optimizer

local defined = {} -- names of optimizers that are defined in Lua

local Optimizer = {__name = "bnn.optimizer"}
Optimizer.__index = Optimizer

local State = {__name = "bnn.state"}
State.__index = State

local function new_moments(optimizer, size)
  local rule = optimizer.rule
  if rule.defined then
    return define_optimizer.new(rule, optimizer.values, size, optimizer.clip_norm,
      optimizer.clip_value)
  end
  return core.rule_state(optimizer.name, optimizer.values, size, optimizer.clip_norm,
    optimizer.clip_value)
end

-- The posterior that steps will change; nil of an objective of the user's own that has none.
local function target_of(target)
  if kinds.is_object(target, "posterior") then return target end
  if parameters.is(target) then target = {params = target} end
  if not (target.posterior or target.params) then return nil end
  return posteriors.of_model("optimizer:init", target)
end

-- Raises unless a posterior is all of the family that a rule is for.
local function check_family(self, posterior)
  local wanted = self.rule.family
  if not wanted or not posterior then return end
  local family, rest = posterior.family, posterior:points()
  if family ~= wanted or rest[1] then
    local got = family ~= wanted and "a " .. family .. " posterior"
      or ("points too: '%s'"):format(rest[1])
    fail("optimizer:init of %s: expected a %s posterior over all tensors, got %s", self.name,
      wanted, got)
  end
end

--- Creates the state of a training: the start values of its moments, and no steps done.
--     local state = bnn.optim.adam{lr = 1e-3}:init(objective)
-- @param target an objective, a posterior, or params
-- @return state
-- Raises of ivon for what is not mean-field.
function Optimizer:init(target)
  local size = parameters.is(target) and target:numel()
  if not size and type(target) == "table" and target.state_size then size = target:state_size() end
  if not size then
    fail.expected("optimizer:init of " .. self.name, "an objective, a posterior or params", target)
  end
  local posterior = target_of(target)
  check_family(self, posterior)
  return setmetatable({optimizer = self, moments = new_moments(self, size), target = posterior},
    State)
end

--- Returns the number of first steps in which a sampler adapts, so that their weights are no
-- samples: its option burn_in, 0 for those without. Collectors begin after them.
--     print(bnn.sampler.psgld{burn_in = 500}:burn_in())      -- 500
-- @return integer
function Optimizer:burn_in()
  for i, row in ipairs(self.options) do
    if row.name == "burn_in" then return math.tointeger(self.values[i]) end
  end
  return 0
end

function Optimizer.__tostring(self)
  local parts = {}
  for i, row in ipairs(self.options) do
    parts[i] = number.format("%s=%g", row.name, self.values[i])
  end
  if type(self.lr) ~= "number" then parts[1] = "lr=schedule" end
  for _, name in ipairs(CLIPPING) do
    if self[name] then parts[#parts + 1] = number.format("%s=%g", name, self[name]) end
  end
  return ("%s{%s}"):format(self.name, table.concat(parts, ", "))
end

function State.__tostring(self)
  return ("state: %s after %d steps"):format(self.optimizer, self:steps())
end

--- Returns the number of steps done.
--     print(state:steps())             -- 0
-- @return integer
function State:steps() return self.moments:steps() end

local UPDATE = {key = "key", data_size = {type = "number", above = 0}}

-- The runtime's posterior over what a step changes.
local function core_of(target)
  if kinds.is_object(target, "posterior") then return target.core end
  if parameters.is(target) then
    return posteriors.of_model("state:update", {params = target}).core
  end
  expect.tensor("state:update: params", target, "params, a posterior or a flat tensor")
  local point = {family = "point", tensors = 1, buffers = {target}}
  return core.posterior({target:numel()}, {point})
end

--- One step by gradients of one's own, in place; with those of objective:gradient it is the step
-- that objective:step makes:
--     local gradient = objective:gradient({x = x, y = y}, key)
--     assert(state:update(q, gradient))
-- @param params Params, a posterior or a flat tensor [n]
-- @param gradient of the same form: of a posterior what objective:gradient gives. It stays as it is
--   where the optimizer clips
-- @param lr number: the optimizer's by default
-- @param opts table: key= the step's key, for rules that draw noise; data_size= for rules that
--   need it
-- @return true; or nil, message: an element of the gradient is not finite (nothing changes)
function State:update(params, gradient, lr, opts)
  opts = options.check("state:update", opts, UPDATE)
  local g = type(gradient) == "table" and gradient.flat or gradient
  expect.tensor("state:update: gradient", g, "params, gradients of a posterior or a flat tensor")
  local step = self:steps() + 1
  return self.moments:update(core_of(params), g, lr or self:rate(step), opts.key, opts.data_size,
    self:noise(step))
end

--- Returns the learning rate at a step, counted from 1.
--     state:rate(1)                    -- 1e-3
-- @param step integer, from 1
-- @return number
function State:rate(step)
  return schedule.value(self.optimizer.lr, step, "lr")
end

--- Returns the temperature of a sampler's noise at a step, counted from 1; 1 for other optimizers.
--     state:noise(1)                   -- 1
-- @param step integer, from 1
-- @return number
function State:noise(step)
  return schedule.value(self.optimizer.noise or 1, step, "noise")
end

--- Goes on with the learning rate of another optimizer, and its noise, as bnn.train{state =,
-- optimizer =} does. The rest, which the moments depend on, must be the same.
--     state:set_optimizer(bnn.optim.adam{lr = 1e-4})
-- @param optimizer of the same name and options, but for lr and noise
-- Raises if it is another.
function State:set_optimizer(optimizer)
  if not kinds.is_object(optimizer, "optimizer") then
    fail.expected("state:set_optimizer", "an optimizer, such as bnn.optim.adam{}", optimizer)
  end
  local own = self.optimizer
  local is_same = own.name == optimizer.name
  for i = 2, #own.options do is_same = is_same and own.values[i] == optimizer.values[i] end
  for _, name in ipairs(CLIPPING) do is_same = is_same and own[name] == optimizer[name] end
  if not is_same then
    fail("state:set_optimizer: expected %s, as in the state, but for lr and noise, got %s", own,
      optimizer)
  end
  self.optimizer = optimizer
end

--- Returns what a training has found: what its collector has, or else the posterior that it has
-- trained (of params the point that they are).
--     local q = state:posterior()
-- @return posterior, a copy
-- Raises if the collector has collected nothing yet.
function State:posterior()
  if self.collector then return self.collector:posterior() end
  if not self.target then
    fail "state:posterior: expected a state that an objective or a training has used"
  end
  return self.target:clone()
end

--- Copies the state, so that later steps do not change it.
--     local before = state:clone()
-- @return state
function State:clone()
  return setmetatable({optimizer = self.optimizer, moments = self.moments:clone(),
                       target = self.target,
                       collector = self.collector and self.collector:clone()}, State)
end

--- Describes the state as a table, from which bnn.optim.from_state_dict makes it again.
--     local saved = state:state_dict()
--     print(saved.name, saved.steps, #saved.moments)     -- adam  0  2
-- @return table:
--   name        of the optimizer
--   options     its options; without lr if that is a function of the step
--   size        number n of parameters
--   steps       done
--   moments     list of tensors [n] that later steps change
function State:state_dict()
  local optimizer, values = self.optimizer, {}
  for i, row in ipairs(optimizer.options) do values[row.name] = optimizer.values[i] end
  if type(optimizer.lr) ~= "number" then values.lr = nil end
  for _, name in ipairs(CLIPPING) do values[name] = optimizer[name] end
  if type(optimizer.noise) == "number" then values.noise = optimizer.noise end
  return {
    name = optimizer.name, options = values, size = self.moments:size(), steps = self:steps(),
    moments = self.moments:slots(),
  }
end

local count = {type = "integer", min = 0, required = true}
local record_spec = {
  name = {type = "string", required = true}, options = {type = "table", required = true},
  size = count, steps = count, moments = {type = "tensor", list = true, required = true},
}

-- Raises unless the moments are tensors [size] in the real type.
local function check_moments(record)
  for i, moment in ipairs(record.moments) do
    local got = moment:dtype() .. " " .. shapes.text(moment)
    local wanted = ("%s [%d]"):format(core.real, record.size)
    if got ~= wanted then
      fail("bnn.optim.from_state_dict: moment %d: expected %s, got %s", i, wanted, got)
    end
  end
end

local function unknown_rate()
  fail "lr: the learning rate was a function of the step, which a state_dict lacks: give lr"
end

--- Makes a state from a table of state:state_dict(); it resumes to the same bits.
--     local same = bnn.optim.from_state_dict(state:state_dict())
-- @param record table as state:state_dict() gives it; the moments are copied
-- @return state. If its learning rate was a function of the step, what resumes must be given lr
--   (bnn.train{lr =}, state:update)
-- Raises if no optimizer has that name, or the moments are not its own.
function M.from_state_dict(record)
  record = options.check("bnn.optim.from_state_dict", record, record_spec)
  local of = M.samplers.docs[record.name] and M.samplers or M
  if not of.docs[record.name] then
    fail("bnn.optim.from_state_dict: name: expected one of %s, %s, got '%s'",
      table.concat(options.sorted_names(M.docs), ", "),
      table.concat(options.sorted_names(M.samplers.docs), ", "), record.name)
  end
  check_moments(record)
  local optimizer = of[record.name](record.options)
  if record.options.lr == nil then optimizer.lr = unknown_rate end
  local moments = new_moments(optimizer, record.size)
  if #moments:slots() ~= #record.moments then
    fail("bnn.optim.from_state_dict: moments: expected %d of %s, got %d", #moments:slots(),
      record.name, #record.moments)
  end
  moments:restore(record.steps, record.moments)
  return setmetatable({optimizer = optimizer, moments = moments}, State)
end

expect_model.check_methods(Optimizer, "optimizer", expect_model.has "values")
expect_model.check_methods(State, "state", expect_model.has "moments")
renamed.methods(State, "state", {record = "state_dict"})
renamed.functions(M, "bnn.optim", {restore = "from_state_dict"})

-- "bnn.optim.adam", "bnn.sampler.sgld".
local function full_name(row)
  return (row.draws_noise and "bnn.sampler." or "bnn.optim.") .. row.name
end

local function options_text(row)
  local noise = "@param noise temperature of the noise: a number or a function of the step, 1; "
    .. "0 draws none"
  local lines = {row.doc, number.format("    local optimizer = %s{%s = %g}", full_name(row),
    row.options[1].name, row.options[1].value)}
  for i, option in ipairs(row.options) do
    lines[i + 2] = number.format("@param %s %s, %g by default", option.name, option.doc,
      option.value)
  end
  if row.draws_noise then lines[#lines + 1] = noise end
  lines[#lines + 1] = "@param clip_norm the largest norm of all gradients, none by default"
  lines[#lines + 1] = "@param clip_value the largest magnitude of one element, none by default"
  return table.concat(lines, "\n")
end

-- The function that makes a rule's optimizer.
local function maker(row)
  return function(opts)
    local spec = {}
    for _, option in ipairs(row.options) do
      spec[option.name] = {type = "number", default = option.value}
    end
    spec.lr = {type = "schedule", default = row.options[1].value}
    for _, name in ipairs(CLIPPING) do spec[name] = {type = "number", above = 0} end
    if row.draws_noise then spec.noise = {type = "schedule", default = 1} end
    opts = options.check(full_name(row), opts, spec)
    local values = {}
    for i, option in ipairs(row.options) do
      local value = opts[option.name]
      values[i] = type(value) == "number" and value or option.value
    end
    -- Refuses values outside their bounds now.
    local ok, fault = true, nil
    if not row.defined then ok, fault = fail.try(core.rule_state, row.name, values, 0) end
    if not ok then fail("%s", (fault:gsub("^.*out of range: " .. row.name, full_name(row)))) end
    local optimizer = {
      name = row.name, options = row.options, values = values, lr = opts.lr, rule = row,
      clip_norm = opts.clip_norm, clip_value = opts.clip_value, noise = opts.noise,
    }
    return setmetatable(optimizer, Optimizer)
  end
end

--- Samplers: the rules that draw noise, bnn.sampler.sgld{lr = 1e-3}, which train a point and whose
-- steps are samples; a collector keeps them (bnn.train{collect =}).
M.samplers = {docs = {}}

for _, row in ipairs(core.rules()) do
  local of = row.draws_noise and M.samplers or M
  of.docs[row.name], of[row.name] = options_text(row), maker(row)
end

--- Defines an optimizer in Lua. Its name is then known to checkpoints, which resume where it is
-- defined.
--     local lion = bnn.optim.define{
--       name = "my_lion", slots = {m = 0}, options = {lr = 1e-4, b1 = 0.9, b2 = 0.99},
--       update = function(w, g, slots, step)
--         local c = slots.m * step.b1 + g * (1 - step.b1)
--         local sign = bnn.ops.where(c:gt(0), 1, -1)
--         return w - sign * step.lr, {m = slots.m * step.b2 + g * (1 - step.b2)}
--       end,
--     }
--     local state = lion{lr = 3e-4}:init(objective)
-- @param opts table:
--   name      not one that the program has
--   update    function(w, g, slots, step) -> w, slots, over ops: what a step makes of the
--             parameters w [n], all buffers one after the other, with gradients g [n] (clipped,
--             where the optimizer says so). It is recorded once. step has t (from 1), lr, the
--             options, data_size (0 where it is not known) and key, of the step's noise
--   slots     table: the number that each array of state starts from, by name
--   options   table: the default of each option by name; lr = 1e-3
--   doc       string
-- @return function(opts) -> optimizer, which is bnn.optim[name] as well
-- Raises for a name that the program has.
function M.define(opts)
  local what = "bnn.optim.define"
  local rule = define_optimizer.rule(what, opts)
  local known = M[rule.name]
  if known and not defined[rule.name] then
    fail("%s: name: expected one that is free, got '%s'", what, rule.name)
  end
  defined[rule.name] = true
  M.docs[rule.name], M[rule.name] = options_text(rule), maker(rule)
  return M[rule.name]
end

return M
