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
local optimizer_groups = require "bnn.inference.optimizer_groups"
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

-- Raises unless an optimizer's tensors are of the family that its rule is for.
-- @param has function(path) -> whether it updates that tensor; nil: it updates all
local function check_family(self, posterior, has)
  local wanted, point = self.rule.family, nil
  if not wanted then return end
  for _, path in ipairs(posterior:points()) do
    if not point and (not has or has(path)) then point = path end
  end
  if posterior.family == wanted and not point then return end
  local got = posterior.family ~= wanted and "a " .. posterior.family .. " posterior"
    or ("points too: '%s'%s"):format(point, has and ""
      or " (bnn.optim.groups has another optimizer for these)")
  fail("optimizer:init of %s: expected a %s posterior over all %stensors, got %s", self.name,
    wanted, has and "its " or "", got)
end

-- The moments of several optimizers by path.
local function moments_of_groups(self, posterior)
  if not posterior then
    fail "optimizer:init of groups: expected an objective that has a posterior or params"
  end
  local tensors = posterior:trained_tensors()
  local of, sizes = optimizer_groups.assign(self, tensors)
  for i, member in ipairs(self.members) do
    local own = {}
    for t, tensor in ipairs(tensors) do own[tensor.path] = own[tensor.path] or of[t] == i end
    if sizes[i] > 0 then check_family(member, posterior, function(path) return own[path] end) end
  end
  return optimizer_groups.new_moments(self, of, sizes), of
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
  local state = setmetatable({optimizer = self, target = posterior}, State)
  if self.members then
    state.moments, state.of = moments_of_groups(self, posterior)
  else
    if posterior then check_family(self, posterior) end
    state.moments = new_moments(self, size)
  end
  return state
end

--- Returns the number of first steps in which a sampler adapts, so that their weights are no
-- samples: its option burn_in, 0 for those without; of groups the largest. Collectors begin after
-- them.
--     print(bnn.sampler.psgld{burn_in = 500}:burn_in())      -- 500
-- @return integer
function Optimizer:burn_in()
  local most = 0
  for _, member in ipairs(self.members or {}) do most = math.max(most, member:burn_in()) end
  if self.members then return most end
  for i, row in ipairs(self.options) do
    if row.name == "burn_in" then return math.tointeger(self.values[i]) end
  end
  return 0
end

-- A value of an option as users give it: of one that has choices its word.
local function value_of(row, value) return row.choices and row.choices[value + 1] or value end

local function value_text(row, value)
  return row.choices and value_of(row, value) or number.format("%g", value)
end

function Optimizer.__tostring(self)
  local parts = self.members and optimizer_groups.parts(self) or {}
  for i, row in ipairs(self.options) do
    parts[i] = ("%s=%s"):format(row.name, value_text(row, self.values[i]))
  end
  if self.lr and type(self.lr) ~= "number" then parts[1] = "lr=schedule" end
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
-- @param lr number: the optimizer's by default; of groups a table by path, as state:rate gives it
-- @param opts table: key= the step's key, for rules that draw noise; data_size= for rules that
--   need it
-- @return true; or nil, message: an element of the gradient is not finite (nothing changes)
function State:update(params, gradient, lr, opts)
  opts = options.check("state:update", opts, UPDATE)
  local g = type(gradient) == "table" and gradient.flat or gradient
  expect.tensor("state:update: gradient", g, "params, gradients of a posterior or a flat tensor")
  local rate, noise = optimizer_groups.rates(self, "state:update", self:steps() + 1, lr)
  return self.moments:update(core_of(params), g, rate, opts.key, opts.data_size, noise)
end

-- What a schedule of the optimizer gives at a step; of groups by path.
local function value_at(optimizer, name, step)
  if not optimizer.members then return schedule.value(optimizer[name] or 1, step, name) end
  return optimizer_groups.values_by_path(optimizer, function(member)
    return value_at(member, name, step)
  end)
end

--- Returns the learning rate at a step, counted from 1.
--     state:rate(1)                    -- 1e-3
-- @param step integer, from 1
-- @return number; of bnn.optim.groups a table of them by path
function State:rate(step) return value_at(self.optimizer, "lr", step) end

--- Returns the temperature of a sampler's noise at a step, counted from 1; 1 for other optimizers.
--     state:noise(1)                   -- 1
-- @param step integer, from 1
-- @return number; of bnn.optim.groups a table of them by path
function State:noise(step) return value_at(self.optimizer, "noise", step) end

-- Whether two optimizers differ in lr and noise alone.
local function are_alike(a, b)
  local same = a.name == b.name and #(a.members or {}) == #(b.members or {})
  for i = 2, same and #a.options or 0 do same = same and a.values[i] == b.values[i] end
  for _, name in ipairs(CLIPPING) do same = same and a[name] == b[name] end
  for i, member in ipairs(same and a.members or {}) do
    same = same and table.concat(a.paths[i], "\n") == table.concat(b.paths[i], "\n")
      and are_alike(member, b.members[i])
  end
  return same
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
  if not are_alike(self.optimizer, optimizer) then
    fail("state:set_optimizer: expected %s, as in the state, but for lr and noise, got %s",
      self.optimizer, optimizer)
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
                       target = self.target, of = self.of,
                       collector = self.collector and self.collector:clone()}, State)
end

-- The options of an optimizer by name.
local function options_of(optimizer)
  local values = {}
  for i, row in ipairs(optimizer.options) do
    values[row.name] = value_of(row, optimizer.values[i])
  end
  if type(optimizer.lr) ~= "number" then values.lr = nil end
  for _, name in ipairs(CLIPPING) do values[name] = optimizer[name] end
  if type(optimizer.noise) == "number" then values.noise = optimizer.noise end
  return values
end

--- Describes the state as a table, from which bnn.optim.from_state_dict makes it again.
--     local saved = state:state_dict()
--     print(saved.name, saved.steps, #saved.moments)     -- adam  0  2
-- @return table:
--   name        of the optimizer
--   options     its options; without lr if that is a function of the step
--   size        number n of parameters
--   steps       done
--   moments     list of tensors [n] that later steps change; of groups those of each optimizer, of
--               its own size
--   groups      of groups: list of {name=, options=, paths=, size=} by optimizer
--   of          of groups: list by tensor, the position of its optimizer among these
function State:state_dict()
  local optimizer, groups = self.optimizer, nil
  if optimizer.members then groups = optimizer_groups.describe(self, options_of) end
  return {
    name = optimizer.name, options = options_of(optimizer), size = self.moments:size(),
    steps = self:steps(), moments = self.moments:slots(), groups = groups, of = self.of,
  }
end

local count = {type = "integer", min = 0, required = true}
local record_spec = {
  name = {type = "string", required = true}, options = {type = "table", required = true},
  size = count, steps = count, moments = {type = "tensor", list = true, required = true},
  groups = {type = "table", list = true}, of = {type = "integer", list = true},
}

local group_spec = {
  name = {type = "string", required = true}, options = {type = "table", required = true},
  paths = {type = "string", list = true, required = true}, size = count,
}

-- Raises unless the moments are those that optimizers of these sizes have, in the real type: before
-- a state of such sizes is made.
local function check_moments(record, optimizers, sizes)
  local wanted = {}
  for i, optimizer in ipairs(optimizers) do
    for _ = 1, #new_moments(optimizer, 0):slots() do wanted[#wanted + 1] = sizes[i] end
  end
  for i, moment in ipairs(record.moments) do
    local got = moment:dtype() .. " " .. shapes.text(moment)
    local want = wanted[i] and ("%s [%d]"):format(core.real, wanted[i])
    if want and got ~= want then
      fail("bnn.optim.from_state_dict: moment %d: expected %s, got %s", i, want, got)
    end
  end
  if #wanted ~= #record.moments then
    fail("bnn.optim.from_state_dict: moments: expected %d of %s, got %d", #wanted, record.name,
      #record.moments)
  end
end

local function unknown_rate()
  fail "lr: the learning rate was a function of the step, which a state_dict lacks: give lr"
end

local function unknown_noise()
  fail("noise: the noise was a function of the step, which a state_dict lacks: "
    .. "state:set_optimizer takes the sampler that has it")
end

-- The optimizer of a name and options.
local function optimizer_of(name, given)
  local of = M.samplers.docs[name] and M.samplers or M
  if not of.docs[name] then
    fail("bnn.optim.from_state_dict: name: expected one of %s, %s, got '%s'",
      table.concat(options.sorted_names(M.docs), ", "),
      table.concat(options.sorted_names(M.samplers.docs), ", "), name)
  end
  local optimizer = of[name](given)
  if given.lr == nil then optimizer.lr = unknown_rate end
  if given.noise == nil and optimizer.noise then optimizer.noise = unknown_noise end
  return optimizer
end

-- Optimizers by path of a record, and the sizes of their states.
local function groups_of(record)
  local what, by_path, sizes = "bnn.optim.from_state_dict: groups", {}, {}
  for _, group in ipairs(record.groups or {}) do
    group = options.check(what, group, group_spec)
    local optimizer = optimizer_of(group.name, group.options)
    for _, path in ipairs(group.paths) do by_path[path] = optimizer end
    sizes[optimizer] = group.size
  end
  local optimizer, in_order = M.groups(by_path, record.options), {}
  for i, member in ipairs(optimizer.members) do in_order[i] = sizes[member] end
  return optimizer, in_order
end

--- Makes a state from a table of state:state_dict(); it resumes to the same bits.
--     local same = bnn.optim.from_state_dict(state:state_dict())
-- @param record table as state:state_dict() gives it; the moments are copied
-- @return state. If its learning rate was a function of the step, what resumes must be given lr
--   (bnn.train{lr =}, state:update), and a sampler whose noise was one
-- Raises if no optimizer has that name, or the moments are not its own.
function M.from_state_dict(record)
  record = options.check("bnn.optim.from_state_dict", record, record_spec)
  local optimizer, sizes, moments
  if record.name == "groups" then
    optimizer, sizes = groups_of(record)
    check_moments(record, optimizer.members, sizes)
    moments = optimizer_groups.new_moments(optimizer, record.of or {}, sizes)
  else
    optimizer = optimizer_of(record.name, record.options)
    check_moments(record, {optimizer}, {record.size})
    moments = new_moments(optimizer, record.size)
  end
  moments:restore(record.steps, record.moments)
  return setmetatable({optimizer = optimizer, moments = moments, of = record.of}, State)
end

expect_model.check_methods(Optimizer, "optimizer", expect_model.has "values")
expect_model.check_methods(State, "state", expect_model.has "moments")
renamed.methods(State, "state", {record = "state_dict"})
renamed.functions(M, "bnn.optim", {restore = "from_state_dict"})

-- "bnn.optim.adam", "bnn.sampler.sgld".
local function full_name(row)
  return (row.draws_noise and "bnn.sampler." or "bnn.optim.") .. row.name
end

-- '"price" (default) or "gradsq"'.
local function choices_text(option)
  local words = {}
  for i, word in ipairs(option.choices) do
    words[i] = ('"%s"%s'):format(word, i == option.value + 1 and " (default)" or "")
  end
  return table.concat(words, " or ")
end

local function options_text(row)
  local noise = "@param noise temperature of the noise: a number or a function of the step, 1; "
    .. "0 draws none"
  local lines = {row.doc, number.format("    local optimizer = %s{%s = %g}", full_name(row),
    row.options[1].name, row.options[1].value)}
  for i, option in ipairs(row.options) do
    lines[i + 2] = option.choices
      and ("@param %s %s: %s"):format(option.name, choices_text(option), option.doc)
      or number.format("@param %s %s, %g by default", option.name, option.doc, option.value)
  end
  if row.draws_noise then lines[#lines + 1] = noise end
  lines[#lines + 1] = "@param clip_norm the largest norm of all gradients, none by default"
  lines[#lines + 1] = "@param clip_value the largest magnitude of one element, none by default"
  return table.concat(lines, "\n")
end

-- What an option may be.
local function kind_of(option)
  if not option.choices then return {type = "number", default = option.value} end
  return {type = "string", choices = option.choices, default = value_of(option, option.value)}
end

-- The number that stands for a value of an option in the runtime; of a schedule the default.
local function number_of(option, value)
  for i, choice in ipairs(option.choices or {}) do
    if choice == value then return i - 1 end
  end
  return type(value) == "number" and value or option.value
end

-- The function that makes a rule's optimizer.
local function maker(row)
  return function(opts)
    local spec = {}
    for _, option in ipairs(row.options) do spec[option.name] = kind_of(option) end
    spec.lr = {type = "schedule", default = row.options[1].value}
    for _, name in ipairs(CLIPPING) do spec[name] = {type = "number", above = 0} end
    if row.draws_noise then spec.noise = {type = "schedule", default = 1} end
    opts = options.check(full_name(row), opts, spec)
    local values = {}
    for i, option in ipairs(row.options) do values[i] = number_of(option, opts[option.name]) end
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

--- Makes an optimizer of several, each for tensors of its own: a learned noise by Adam beside
-- weights by IVON or a sampler, another learning rate for a layer. They make a step together, from
-- one gradient.
--     local optimizer = bnn.optim.groups{
--       ["mlp/linear_1"] = bnn.optim.sgd{lr = 1e-2}, default = bnn.optim.adam{lr = 1e-3},
--     }
--     local state = optimizer:init(objective)
--     print(state:rate(1).default)                -- 1e-3
-- @param by_path table: path or layer -> optimizer. The longest path that fits a tensor counts, and
--   `default` is for the rest. Each has its own lr, which may be a schedule, noise and options;
--   bnn.train{lr =} is not for groups
-- @param opts table: clip_norm=, clip_value= of the gradients of all tensors together, none by
--   default
-- @return optimizer
-- Raises for a path that no tensor has or a tensor without an optimizer (by init), for optimizers
--   of bnn.optim.define, whose update is recorded for all parameters at once, and more than eight.
function M.groups(by_path, opts)
  return setmetatable(optimizer_groups.fields(by_path, opts), Optimizer)
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
