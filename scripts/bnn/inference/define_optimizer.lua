--- Optimizers of one's own, in Lua over ops: bnn.optim.define.
local compile = require "bnn.autodiff.compile"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

-- What stands in a state in place of the runtime's: the same methods.
local Moments = {}
Moments.__index = Moments

--- The state of a defined rule over n elements, before the first step.
-- @param rule table: as define makes it
-- @param values list: the options' values
function M.new(rule, values, n, clip_norm, clip_value)
  local slots = {}
  for i, slot in ipairs(rule.slots) do slots[i] = core.full({n}, slot.start) end
  return setmetatable({rule = rule, values = values, n = n, t = 0, list = slots,
                       clip_norm = clip_norm, clip_value = clip_value}, Moments)
end

function Moments:steps() return self.t end
function Moments:size() return self.n end
function Moments:slots() return self.list end

function Moments:clone()
  local copy = M.new(self.rule, self.values, self.n, self.clip_norm, self.clip_value)
  copy:restore(self.t, self.list)
  return copy
end

function Moments:restore(steps, slots)
  for i in ipairs(self.list) do self.list[i] = slots[i]:clone() end
  self.t = steps
end

-- A tensor that update gave, or raises.
local function check_flat(self, name, value)
  local want = ("%s [%d]"):format(core.real, self.n)
  local got = kinds.is_object(value, "tensor") and value:dtype() .. " " .. shapes.text(value)
  if got == want then return value:contiguous() end
  fail("bnn.optim.%s: update: expected %s %s, got %s", self.rule.name, name, want,
    got or kinds.show(value))
end

--- One step on the buffers of the runtime's posterior.
-- @return true; or nil, message: an element of the gradient is not finite
function Moments:update(posterior, gradient, lr, key, data_size)
  local g, fault = posterior:clip(gradient, self.clip_norm, self.clip_value)
  if not g then return nil, fault end
  local rule, slots, step = self.rule, {}, {t = self.t + 1, lr = lr, data_size = data_size or 0}
  for i, row in ipairs(rule.options) do
    if row.name ~= "lr" then step[row.name] = self.values[i] end
  end
  step.key = (key or core.key(0)):fold "update"
  for i, slot in ipairs(rule.slots) do slots[slot.name] = self.list[i] end
  local w, after = rule.update(posterior:read(), g, slots, step)
  w = check_flat(self, "the parameters", w)
  local list = {}
  for i, slot in ipairs(rule.slots) do
    list[i] = check_flat(self, "slot " .. slot.name, type(after) == "table" and after[slot.name])
  end
  posterior:write(w)
  self.list, self.t = list, self.t + 1
  return true
end

local spec = {
  name = {type = "string", required = true},
  update = {type = "function", required = true},
  slots = {type = "table", default = {}},
  options = {type = "table", default = {}},
  doc = "string",
}

local function slots_of(what, given)
  local slots = {}
  for i, name in ipairs(options.sorted_names(given)) do
    if not kinds.is_finite(given[name]) then
      fail("%s: slots: %s: expected the number that it starts from, got %s", what, name,
        kinds.show(given[name]))
    end
    slots[i] = {name = name, start = given[name]}
  end
  return slots
end

-- Rows as the runtime's table has them, lr first.
local function options_of(what, given)
  local rows = {{name = "lr", doc = "learning rate", value = given.lr or 1e-3}}
  for _, name in ipairs(options.sorted_names(given)) do
    if not kinds.is_finite(given[name]) then
      fail("%s: options: %s: expected its default, a number, got %s", what, name,
        kinds.show(given[name]))
    end
    if name ~= "lr" then rows[#rows + 1] = {name = name, doc = name, value = given[name]} end
  end
  return rows
end

--- The rule that a definition makes.
-- @param what string: the function's name for messages
-- @return table {name=, doc=, options=, slots=, update= (recorded)}
function M.rule(what, given)
  given = options.check(what, given, spec)
  return {
    name = given.name, doc = given.doc or given.name, defined = true,
    options = options_of(what, given.options), slots = slots_of(what, given.slots),
    update = compile.compile(given.update),
  }
end

return M
