--- Domains: what values a parameter of a search space may take.
--
-- A domain maps the unit interval onto its values and back. Its values are equally likely under a
-- uniform u: each choice or step has an interval of the same length (in the logarithm, for "log"),
-- which for steps means that the range is widened by half a step on either side. Values of
-- continuous domains are rounded to 10 significant digits, so that they can be read and typed, and
-- last-bit differences between mathematical libraries do not show.
local number = require "bnn.base.number"
local values = require "bnn.search.space_values"

local M = {}

local Domain = {__name = "bnn.domain"}
Domain.__index = Domain

--- Makes a domain from its checked fields: kind, and choices or low and high, step, is_log.
function M.new(fields) return setmetatable(fields, Domain) end

--- Whether a value is a domain.
function M.is(v) return getmetatable(v) == Domain end

local function rounded(v, digits)
  return number.parse(number.format("%." .. digits .. "g", v)) + 0.0
end

--- How many values there are; nil if the domain is continuous.
function Domain:count()
  if self.choices then return #self.choices end
  return self.step and math.floor((self.high - self.low) / self.step + 1e-6) + 1
end

--- The value of a place, 1 to count.
function Domain:value(i)
  if self.choices then return values.copy(self.choices[i]) end
  local v = self.low + (i - 1) * self.step
  return math.type(v) == "integer" and v or rounded(v, 12) -- 0.3, not 0.30000000000000004
end

--- The place of a value, or nil if it is not one of the domain's.
function Domain:index(v)
  if self.choices then return values.index(v, self.choices) end
  if type(v) ~= "number" or not (v >= self.low and v <= self.high) then return nil end
  local place = (v - self.low) / self.step
  local i = math.floor(place + 0.5)
  return math.abs(place - i) < 1e-6 and i + 1 or nil
end

--- Whether a value is one of the domain's.
function Domain:has(v)
  if self:count() then return self:index(v) ~= nil end
  return type(v) == "number" and v >= self.low and v <= self.high
end

--- The interval in which numbers lie, in the logarithm for "log", half a step wider where there are
-- steps: low, high.
function Domain:interval()
  local half = (self.step or 0) / 2
  local low, high = self.low - half, self.high + half
  if self.is_log then return math.log(low), math.log(high) end
  return low, high
end

--- A number in the coordinate of the interval.
function Domain:coordinate(v) return self.is_log and math.log(v) or v + 0.0 end

--- The value at a coordinate of the interval: the nearest step, within the bounds.
function Domain:from_coordinate(c)
  local v = self.is_log and math.exp(c) or c
  v = math.max(self.low, math.min(self.high, v))
  if not self.step then return math.max(self.low, math.min(self.high, rounded(v, 10))) + 0.0 end
  local i = math.floor((v - self.low) / self.step + 0.5) + 1
  return self:value(math.min(i, self:count()))
end

--- The value at a number u of [0, 1): uniform, each choice and step equally likely.
function Domain:at(u)
  local n = self.choices and #self.choices
  if n then return self:value(math.min(math.floor(u * n) + 1, n)) end
  local low, high = self:interval()
  return self:from_coordinate(low + u * (high - low))
end

--- The number of [0, 1] at which a value is; the middle of its interval for choices and steps.
function Domain:unit(v)
  if self.choices then return (self:index(v) - 0.5) / #self.choices end
  local low, high = self:interval()
  return low == high and 0.5 or (self:coordinate(v) - low) / (high - low)
end

--- Evenly spaced values, ends included: all values, or `count` of a continuous domain.
function Domain:grid(count)
  local list, n = {}, self:count()
  for i = 1, n or 0 do list[i] = self:value(i) end
  if n then return list end
  local low, high = self:interval()
  for i = 1, count do
    local t = count == 1 and 0.5 or (i - 1) / (count - 1)
    list[i] = self:from_coordinate((1 - t) * low + t * high)
  end
  return list
end

-- "1,0.1,0.01"
local function choices_text(choices)
  local texts = {}
  for i, v in ipairs(choices) do texts[i] = values.text(v) end
  return table.concat(texts, ",")
end

-- The text of the domain, as the command line has it: "log:0.0001:0.01".
function Domain:__tostring()
  local text = self.choices and choices_text(self.choices)
  if not text then
    local write = self.step and values.text or number.exact -- a continuous bound is a float anyway
    text = table.concat({self.kind, write(self.low), write(self.high)}, ":")
    local is_plain = self.kind == "integer" and self.step == 1
    if self.step and not is_plain then text = text .. ":" .. values.text(self.step) end
    if self.kind == "integer" and self.is_log then text = text .. ":log" end
  end
  if not self.parent then return text end
  return ("%s@%s=%s"):format(text, self.parent, choices_text(self.parent_values))
end

--- The domain as plain data.
function Domain:describe()
  return values.copy{
    kind = self.kind, choices = self.choices, low = self.low, high = self.high, step = self.step,
    log = self.is_log or nil, parent = self.parent, parent_values = self.parent_values,
  }
end

return M
