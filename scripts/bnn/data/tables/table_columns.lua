--- Columns of a table made from lists and tensors of Lua.
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local notice = require "bnn.base.notice"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"
local strings = require "bnn.base.strings"

local M = {}

local NAN = 0 / 0

local SPEC = {
  name = {type = "string", required = true}, values = {type = "any", required = true},
  kind = {type = "string", choices = {"number", "category"}},
  categories = {type = "string", list = true},
}

-- ---- values ----

local function is_missing(v) return v == nil or v ~= v end

-- The length of a list with holes: its largest position.
local function length_of(what, values)
  local n = 0
  for i in pairs(values) do
    if math.type(i) ~= "integer" or i < 1 then
      fail("%s: expected a list, got the key %s", what, kinds.show(i))
    end
    n = math.max(n, i)
  end
  return n
end

-- The kind of a list: category when something in it is no number.
local function kind_of(what, values)
  local kind = "number"
  for i, v in pairs(values) do
    if type(v) == "string" or type(v) == "boolean" then
      kind = "category"
    elseif type(v) ~= "number" then
      fail("%s: entry %d: expected a number, a string or a boolean, got %s", what, i,
        kinds.shown(v))
    end
  end
  return kind
end

local function numbers(what, values, n)
  local list = {}
  for i = 1, n do
    local v = values[i]
    if v ~= nil and type(v) ~= "number" then
      fail("%s: entry %d: expected a number, got %s", what, i, kinds.show(v))
    end
    list[i] = v == nil and NAN or v + 0.0
  end
  return n > 0 and core.tensor(list) or core.zeros(0)
end

-- Numbers in their order, where all texts are numbers; else by their bytes.
local function sorted(texts)
  local all_numbers = true
  for _, text in ipairs(texts) do all_numbers = all_numbers and number.parse(text) ~= nil end
  table.sort(texts, all_numbers and function(a, b)
    local x, y = number.parse(a), number.parse(b)
    if x ~= y then return x < y end
    return strings.before(a, b)
  end or strings.before)
  return texts
end

local function text_of(v)
  if math.type(v) == "float" and math.tointeger(v) then v = math.tointeger(v) end
  return type(v) == "string" and v or number.text(v)
end

local function distinct(values, n)
  local seen, texts = {}, {}
  for i = 1, n do
    local text = not is_missing(values[i]) and text_of(values[i])
    if text and not seen[text] then seen[text], texts[#texts + 1] = true, text end
  end
  return sorted(texts)
end

-- The places of values in categories, and the categories.
local function codes(what, values, n, categories)
  categories = categories or distinct(values, n)
  local place, list = {}, {}
  for k, text in ipairs(categories) do
    if place[text] then fail("%s: categories: '%s' is there twice", what, text) end
    place[text] = k - 1
  end
  for i = 1, n do
    local text = not is_missing(values[i]) and text_of(values[i])
    if text and not place[text] then
      fail("%s: entry %d: '%s' is none of the %d categories", what, i, text, #categories)
    end
    list[i] = text and place[text] or -1
  end
  return n > 0 and core.tensor(list, "i32") or core.zeros({0}, "i32"), categories
end

-- ---- what is rounded ----

-- Whether a number is a whole one that may lose digits as a float; beyond 2^53 those of floats are
-- no counts or identifiers.
local function is_long(v)
  if math.type(v) == "integer" then return v >= 1 << 24 or v <= -1 << 24 end
  local size = math.abs(v or 0)
  return size >= 1 << 24 and size < 1 << 53 and v == math.floor(v)
end

-- Says which whole numbers of a list the values, real [n], do not hold.
local function say_rounded(what, list, values)
  local stored, count, first
  for i = 1, values:size(1) do
    if is_long(list[i]) then
      stored = stored or values:totable()
      if math.tointeger(list[i]) ~= math.tointeger(stored[i]) then
        count, first = (count or 0) + 1, first or i
      end
    end
  end
  if not count then return end
  local form = "%s: %d whole number%s rounded, in row %d %d to %.0f (as a category each keeps "
    .. "its own)"
  notice.say("%s", number.format(form, what, count, count == 1 and " is" or "s are", first,
    math.tointeger(list[first]), stored[first]))
end

-- ---- columns ----

-- Values that are places in the categories already.
local function given_codes(what, values, categories)
  local is_place = values:dtype() == "i32"
  if is_place and values:size(1) > 0 then
    is_place = values:min():item() >= -1 and values:max():item() < #categories
  end
  if not is_place then
    fail("%s: values: expected places in the %d categories, i32 from 0, or -1", what, #categories)
  end
  return values
end

local function from_tensor(what, c)
  if c.values:dim() ~= 1 then
    fail("%s: values: expected [n], got %s", what, shapes.text(c.values))
  end
  local n = c.values:size(1)
  if c.categories then
    return {name = c.name, kind = "category", categories = c.categories,
            values = given_codes(what, c.values:contiguous(), c.categories)}
  elseif c.kind == "category" then
    local values, categories = codes(what, c.values:totable(), n)
    return {name = c.name, kind = "category", values = values, categories = categories}
  end
  local values = fail.within(what .. ": values", c.values.real, c.values)
  return {name = c.name, kind = "number", values = values:contiguous()}
end

local function from_list(what, c, n)
  local kind = kind_of(what, c.values)
  if c.categories or c.kind == "category" then kind = "category" end
  if c.kind == "number" or kind == "number" then
    local values = numbers(what, c.values, n)
    say_rounded(what, c.values, values)
    return {name = c.name, kind = "number", values = values}
  end
  local values, categories = codes(what, c.values, n, c.categories)
  return {name = c.name, kind = "category", values = values, categories = categories}
end

local function checked(what, c)
  c = options.check(what, c, SPEC)
  what = strings.message("%s ('%s')", what, c.name)
  if c.kind == "number" and c.categories then
    fail("%s: expected kind = \"category\" beside categories", what)
  end
  if not kinds.is_object(c.values, "tensor") and not kinds.is_plain(c.values) then
    fail.expected(what .. ": values", "a list or a tensor", c.values)
  end
  return c, what
end

local function size_of(what, c)
  if type(c.values) == "userdata" then return c.values:dim() > 0 and c.values:size(1) or 1 end
  return length_of(what .. ": values", c.values)
end

--- Columns from a list of {name=, values=, kind=, categories=}; bnn.data.table documents it.
-- @param what string: the function, for messages
-- @param given list of tables
-- @param n integer or nil: rows, where lists end with what is missing
-- @return list of columns, and how many rows they have
function M.from_lua(what, given, n)
  local specs, whats, seen, least = {}, {}, {}, 0
  for i, c in ipairs(given) do
    specs[i], whats[i] = checked(("%s: column %d"):format(what, i), c)
    local name = specs[i].name
    if seen[name] then
      fail("%s: columns %d and %d are both called '%s'", what, seen[name], i, name)
    end
    seen[name] = i
    least = math.max(least, size_of(whats[i], specs[i]))
  end
  if #specs == 0 then fail("%s: expected columns, got none", what) end
  local columns = {}
  for i, c in ipairs(specs) do
    local size = n or least
    local own = size_of(whats[i], c)
    if own > size or own < size and (not n or type(c.values) == "userdata") then
      fail("%s: expected %d values, got %d%s", whats[i], size, own,
        own < size and " (n = says how many rows there are where a list ends with nil)" or "")
    end
    local make = type(c.values) == "userdata" and from_tensor or from_list
    columns[i] = make(whats[i], c, size)
  end
  return columns, n or least
end

return M
