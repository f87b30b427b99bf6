--- The kinds of domains, each made from its arguments: uniform(low, high), choice{...}.
--
-- M.make(kind, arguments) returns a domain; or nil, what is expected and what was got. Both the
-- functions of bnn.space and the texts of a command line go through it, so that both say the same.
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local space_domain = require "bnn.search.space_domain"
local values = require "bnn.search.space_values"

local M = {}

-- nil, "low: expected a number, got "x""
local function refuse(name, wanted, got)
  return nil, ("%s: expected %s, got %s"):format(name, wanted, kinds.show(got))
end

local function bound(name, v, spec)
  local accepted, wanted = options.accept(v, spec)
  if wanted then return refuse(name, wanted, v) end
  return accepted
end

-- low and high of a kind; `low` is less than `high`, or not more for integers.
local function bounds(low, high, spec)
  local fault
  low, fault = bound("low", low, spec)
  if not low then return nil, fault end
  spec = {type = spec.type}
  spec[spec.type == "integer" and "min" or "above"] = low
  high, fault = bound("high", high, spec)
  if not high then return nil, fault end
  return low, high
end

local function continuous(kind, spec)
  return function(args)
    local low, high = bounds(args[1], args[2], spec)
    if not low then return nil, high end
    return {kind = kind, low = low + 0.0, high = high + 0.0, is_log = kind == "log"}
  end
end

-- The domain's greatest value is the last step that is not beyond `high`.
local function stepped(fields)
  local domain = space_domain.new(fields)
  domain.high = domain:value(domain:count())
  return domain
end

local function integer(args)
  local is_log = args[3] == "log"
  local low, high = bounds(args[1], args[2], {type = "integer", min = is_log and 1 or nil})
  if not low then return nil, high end
  local step = args[3] == nil and 1 or args[3]
  local is_step = is_log or options.accept(step, {type = "integer", min = 1})
  if not is_step then return refuse("step", "an integer of at least 1, or log", step) end
  return stepped{kind = "integer", low = low, high = high, is_log = is_log,
                 step = is_log and 1 or math.tointeger(step)}
end

local function range(args)
  local low, high = bounds(args[1], args[2], {type = "number"})
  if not low then return nil, high end
  local step, fault = bound("step", args[3], {type = "number", above = 0, max = high - low})
  if not step then return nil, fault end
  local is_integer = math.type(low) == "integer" and math.type(step) == "integer"
  if not is_integer then low, step = low + 0.0, step + 0.0 end
  return stepped{kind = "range", low = low, high = high, step = step, is_log = false}
end

local function choice(args)
  local list = {}
  if type(args) ~= "table" or #args == 0 and next(args) == nil then
    return nil, "choice: expected a list of values, got "
      .. (type(args) == "table" and "an empty one" or kinds.show(args))
  end
  for i, v in ipairs(args) do
    if not values.is_plain(v) then
      return refuse("choice " .. i, "a number, text, true, false or a list of these", v)
    end
    if values.index(v, list) then return nil, "choice: " .. values.text(v) .. " is there twice" end
    list[i] = values.copy(v)
  end
  return {kind = "choice", choices = list, is_log = false}
end

local MAKERS = {
  choice = choice, integer = integer, range = range, log = continuous("log",
    {type = "number", above = 0}), uniform = continuous("uniform", {type = "number"}),
}

--- The names of the kinds, sorted, and how many arguments each takes: least, most.
M.NAMES = {"choice", "integer", "log", "range", "uniform"}
M.COUNTS = {choice = {1, math.huge}, integer = {2, 3}, log = {2, 2}, range = {3, 3},
            uniform = {2, 2}}

--- Makes a domain.
-- @param kind string: one of NAMES
-- @param args list: what follows the kind
-- @return domain; or nil, message
function M.make(kind, args)
  local fields, fault = MAKERS[kind](args)
  if not fields then return nil, fault end
  return space_domain.is(fields) and fields or space_domain.new(fields)
end

--- A copy of a domain whose parameter exists only while its parent has one of some values.
function M.under(domain, parent, parent_values)
  local copy = {}
  for k, v in pairs(domain) do copy[k] = v end
  copy.parent, copy.parent_values = parent, values.copy(parent_values)
  return space_domain.new(copy)
end

return M
