--- Optimizers by path: several in one training, each for tensors of its own (bnn.optim.groups).
--
-- Their fields: members, the distinct optimizers, in the order of the first of their paths; paths,
-- a list of these for each; by_path, as it was given.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local param_options = require "bnn.params.param_options"
local strings = require "bnn.base.strings"

local M = {}

local WHAT = "bnn.optim.groups"

local spec = {clip_norm = {type = "number", above = 0}, clip_value = {type = "number", above = 0}}

-- Raises unless an optimizer can be one of several.
local function check_member(path, optimizer)
  local what = strings.message("%s: '%s'", WHAT, path)
  if not kinds.is_object(optimizer, "optimizer") then
    fail.expected(what, "an optimizer, such as bnn.optim.adam{}", optimizer)
  elseif optimizer.members then
    fail("%s: expected one optimizer, got groups", what)
  elseif optimizer.rule.defined then
    fail("%s: expected an optimizer of the program, got %s of bnn.optim.define, whose update is "
      .. "recorded for all parameters at once", what, optimizer.name)
  elseif optimizer.clip_norm or optimizer.clip_value then
    fail("%s: expected clip_norm= and clip_value= beside the paths, as they are over all "
      .. "gradients: bnn.optim.groups({...}, {clip_norm = 1})", what)
  end
end

--- The runtime's state of all members.
-- @param of, sizes lists as assign gives them
function M.new_moments(self, of, sizes)
  local rules = {}
  for i, member in ipairs(self.members) do
    rules[i] = {member.name, member.values, sizes[i] or 0}
  end
  return core.rule_states(of, rules, self.clip_norm, self.clip_value)
end

--- The fields of an optimizer by path, or raises.
-- @param by_path table: path or "default" -> optimizer
function M.fields(by_path, given)
  if type(by_path) ~= "table" or getmetatable(by_path) or by_path[1] ~= nil or not next(by_path)
  then
    fail.expected(WHAT, "a table by path, such as {log_sigma = bnn.optim.adam{}, default = "
      .. "bnn.optim.ivon{}}", by_path)
  end
  local opts = options.check(WHAT, given, spec)
  local self = {name = "groups", members = {}, paths = {}, by_path = {}, options = {}, values = {},
                clip_norm = opts.clip_norm, clip_value = opts.clip_value}
  local place = {}
  for _, path in ipairs(options.sorted_names(by_path)) do
    local optimizer = by_path[path]
    check_member(path, optimizer)
    local i = place[optimizer] or #self.members + 1
    place[optimizer], self.members[i], self.paths[i] = i, optimizer, self.paths[i] or {}
    table.insert(self.paths[i], path)
    self.by_path[path] = optimizer
  end
  local ok, fault = fail.try(M.new_moments, self, {}, {}) -- there may be too many
  if not ok then fail("%s: %s", WHAT, (fault:gsub("^.*expected", "expected"))) end
  return self
end

-- The list by member of values by path, as state:rate gives them.
local function in_order(self, what, values)
  if type(values) ~= "table" then
    fail.expected(what, "a table of numbers by path, as state:rate gives it", values)
  end
  local list = {}
  for i, paths in ipairs(self.paths) do
    local value = values[paths[1]]
    if type(value) ~= "number" then
      fail.expected(strings.message("%s: '%s'", what, paths[1]), "a number", value)
    end
    list[i] = value
  end
  return list
end

--- A step's learning rate and noise as the runtime takes them: numbers, or lists by member.
-- @param lr, noise as objective:step takes them, or nil
function M.rates(state, what, step, lr, noise)
  local optimizer = state.optimizer
  lr = lr or state:rate(step)
  if optimizer.members then
    noise = noise or state:noise(step)
    return in_order(optimizer, what .. ": lr", lr), in_order(optimizer, what .. ": noise", noise)
  end
  if type(lr) ~= "number" then fail.expected(what .. ": lr", "a number", lr) end
  return lr, noise or optimizer.noise and state:noise(step)
end

--- The table by path of what f gives for each member.
function M.values_by_path(self, f)
  local values = {}
  for i, member in ipairs(self.members) do
    local value = f(member)
    for _, path in ipairs(self.paths[i]) do values[path] = value end
  end
  return values
end

--- Which member updates each tensor of a posterior.
-- @param tensors list of {path=, size=}: posterior:trained_tensors()
-- @return list of positions, and a list of the members' sizes
function M.assign(self, tensors)
  local names, place, of, sizes = {}, {}, {}, {}
  for t, tensor in ipairs(tensors) do names[t] = tensor.path end
  local fault = param_options.fault("groups", self.by_path, names)
  if fault then fail("bnn.optim.%s", fault) end
  for i, member in ipairs(self.members) do place[member], sizes[i] = i, 0 end
  for t, tensor in ipairs(tensors) do
    of[t] = place[param_options.value(self.by_path, tensor.path)]
    sizes[of[t]] = sizes[of[t]] + tensor.size
  end
  return of, sizes
end

--- What state_dict says of the members: list of {name=, options=, paths=, size=}.
-- @param options_of function(optimizer) -> its options by name
function M.describe(state, options_of)
  local list, sizes = {}, state.moments:sizes()
  for i, member in ipairs(state.optimizer.members) do
    list[i] = {name = member.name, options = options_of(member),
               paths = table.move(state.optimizer.paths[i], 1, #state.optimizer.paths[i], 1, {}),
               size = sizes[i]}
  end
  return list
end

--- "noise=adam{...}, default=ivon{...}", in parts.
function M.parts(self)
  local parts = {}
  for _, path in ipairs(options.sorted_names(self.by_path)) do
    parts[#parts + 1] = ("%s=%s"):format(path, self.by_path[path])
  end
  return parts
end

return M
