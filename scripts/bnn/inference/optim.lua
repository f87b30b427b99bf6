--- Optimizers: one function for each row of the runtime's optimizer table, bnn.optim.adam{lr=1e-3}.
--
-- An optimizer is a value: optimizer:init(objective) gives the state that steps change. The
-- learning rate may be a number or a function of the step (bnn.schedule).
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local parameters = require "bnn.params.params"
local renamed = require "bnn.base.renamed"
local schedule = require "bnn.inference.schedule"
local shapes = require "bnn.base.shapes"

local M = {docs = {}}

local Optimizer = {__name = "bnn.optimizer"}
Optimizer.__index = Optimizer

local State = {__name = "bnn.state"}
State.__index = State

--- Makes the state of a training: zero moments, no steps done.
-- @param target an objective, a posterior, or params
-- @return state
function Optimizer:init(target)
  local size = parameters.is(target) and target:numel()
  if not size and type(target) == "table" and target.state_size then size = target:state_size() end
  if not size then
    fail.expected("optimizer:init of " .. self.name, "an objective, a posterior or params", target)
  end
  local moments = core.optimizer_state(self.name, self.values, size)
  return setmetatable({optimizer = self, moments = moments}, State)
end

function Optimizer.__tostring(self)
  local parts = {}
  for i, row in ipairs(self.options) do
    parts[i] = number.format("%s=%g", row.name, self.values[i])
  end
  if type(self.lr) ~= "number" then parts[1] = "lr=schedule" end
  return ("%s{%s}"):format(self.name, table.concat(parts, ", "))
end

function State.__tostring(self)
  return ("state: %s after %d steps"):format(self.optimizer, self:steps())
end

--- Steps done.
function State:steps() return self.moments:steps() end

--- One step on parameters of one's own, in place: w <- w - rule(gradient).
-- @param params Params or flat tensor [n]
-- @param gradient of the same form
-- @param lr number: the optimizer's by default
function State:update(params, gradient, lr)
  if parameters.is(params) then expect_model.buffer("state:update: params", params) end
  local w = parameters.is(params) and params.flat or params
  local g = parameters.is(gradient) and gradient.flat or gradient
  expect.tensor("state:update: params", w, "params or a flat tensor")
  expect.tensor("state:update: gradient", g, "params or a flat tensor")
  self.moments:update(w, g, lr or self:rate(self:steps() + 1))
end

--- The learning rate at a step, counted from 1.
function State:rate(step)
  return schedule.value(self.optimizer.lr, step, "lr")
end

--- A copy that later steps do not change.
function State:clone()
  return setmetatable({optimizer = self.optimizer, moments = self.moments:clone()}, State)
end

--- Gives what a state is made of; bnn.optim.from_state_dict makes it again.
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

--- Makes a state again, which resumes to the same bits.
-- @param record table as state:state_dict() gives it; the moments are copied
-- @return state. If its learning rate was a function of the step, what resumes must be given lr
--   (bnn.train{lr =}, state:update)
-- Raises if no optimizer has that name, or the moments are not its own.
function M.from_state_dict(record)
  record = options.check("bnn.optim.from_state_dict", record, record_spec)
  if not M.docs[record.name] then
    fail("bnn.optim.from_state_dict: name: expected one of %s, got '%s'",
      table.concat(options.sorted_names(M.docs), ", "), record.name)
  end
  check_moments(record)
  local optimizer = M[record.name](record.options)
  if record.options.lr == nil then optimizer.lr = unknown_rate end
  local moments = core.optimizer_state(optimizer.name, optimizer.values, record.size)
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

local function options_text(row)
  local lines = {row.doc}
  for i, option in ipairs(row.options) do
    lines[i + 1] = number.format("@param %s %s, %g by default", option.name, option.doc,
      option.value)
  end
  return table.concat(lines, "\n")
end

for _, row in ipairs(core.optimizers()) do
  M.docs[row.name] = options_text(row)
  M[row.name] = function(opts)
    local spec = {}
    for _, option in ipairs(row.options) do
      spec[option.name] = {type = "number", default = option.value}
    end
    spec.lr = {type = "schedule", default = row.options[1].value}
    opts = options.check("bnn.optim." .. row.name, opts, spec)
    local values = {}
    for i, option in ipairs(row.options) do
      local value = opts[option.name]
      values[i] = type(value) == "number" and value or option.value
    end
    -- Refuses values outside their bounds now.
    local ok, fault = pcall(core.optimizer_state, row.name, values, 0)
    if not ok then fail("bnn.optim.%s", (fault:gsub("^.*out of range: ", ""))) end
    local optimizer = {name = row.name, options = row.options, values = values, lr = opts.lr}
    return setmetatable(optimizer, Optimizer)
  end
end

return M
