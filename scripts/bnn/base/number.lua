--- Converts numbers to text and back, the same in every locale.
-- After os.setlocale, or in a C module that calls it, Lua's string.format and tostring may write
-- 0,25 and tonumber may read it. Whatever the library writes and reads uses these functions.
local core = require "bnn.core"

local M = {}

--- format(form, ...): string.format in the C locale, for formats with %g, %f, %e or a number as %s.
--     bnn.number.format("%.2f", 0.25) --> "0.25"
M.format = core.format

--- text(v): tostring in the C locale, for messages: a number with 14 digits.
--     bnn.number.text(1 / 3) --> "0.33333333333333"
M.text = core.tostring

--- parse(text, base): tonumber in the C locale.
--     bnn.number.parse "0.25" --> 0.25
M.parse = core.tonumber

--- exact(x): the shortest decimal that reads back as the same number; "nan", "inf", "-inf".
--     bnn.number.exact(0.1) --> "0.1"
M.exact = core.number_text

-- Raises at the caller's caller; bnn.expect needs this module.
local function fail(name, wanted, value)
  error(("bnn.number.%s: expected %s, got a %s"):format(name, wanted, type(value)), 3)
end

local SMALL_DIGITS, GREAT, GREAT_DIGITS = 3, 1e9, 7

--- Formats a number for readers, with a fixed number of decimals. Numbers so small that fewer than
-- 2 digits would remain get 3 digits, and those beyond 1e9 get 7. With 3 decimals: 0.978, -0.426,
-- 314.388, 0.012, 0.00123, 1e-05, 1e+12, 0.000 for 0, nan, inf.
--     bnn.number.fixed(0.97812, 3) --> "0.978"
-- @param v number
-- @param decimals integer
-- @return string
-- Raises if v is not a number or decimals not an integer.
function M.fixed(v, decimals)
  if type(v) ~= "number" then fail("fixed", "a number", v) end
  if math.type(decimals) ~= "integer" then fail("fixed", "a number of decimals", decimals) end
  local size = math.abs(v)
  if v - v ~= 0 then return core.number_text(v) end
  if size >= GREAT then return core.format(("%%.%dg"):format(GREAT_DIGITS), v) end
  local is_small = size > 0 and size < 0.9995 * 10.0 ^ (1 - decimals)
  return core.format(("%%.%d%s"):format(is_small and SMALL_DIGITS or decimals,
    is_small and "g" or "f"), v)
end

local DIGITS, DECIMALS_MOST, NONE = 4, 6, 3

--- Finds how many decimals a column of numbers takes such that the greatest has some four digits.
--     bnn.number.decimals{0.978, 0.5} --> 4
--     bnn.number.decimals{17.5, 120} --> 1
-- @param values list; what is not a finite number does not count
-- @return integer from 0 to 6; 3 if there is no number but 0
-- Raises if it is no list.
function M.decimals(values)
  if type(values) ~= "table" then fail("decimals", "a list", values) end
  local most = 0
  for _, v in ipairs(values) do
    local size = type(v) == "number" and v - v == 0 and math.abs(v) or 0
    most = math.max(most, size)
  end
  if most == 0 then return NONE end
  local power = most == 1 and -1 or math.floor(math.log(most, 10)) -- 1 has as many as 0.9
  return math.min(math.max(DIGITS - 1 - power, 0), DECIMALS_MOST)
end

-- A list, or one of a configuration (kinds.is_plain, which needs this file).
local function is_list(values)
  local meta = type(values) == "table" and getmetatable(values)
  return meta == nil or type(meta) == "table" and meta.is_list == true
end

--- Joins numbers and strings as text, in every locale (table.concat follows the locale).
--     bnn.number.list{1, 0.5} --> "1, 0.5"
-- @param values list of numbers and strings
-- @param separator string: between two, ", " by default
-- @return string
-- Raises if it is no list, or the separator no string.
function M.list(values, separator)
  if not is_list(values) then fail("list", "a list", values) end
  if separator ~= nil and type(separator) ~= "string" then fail("list", "a string", separator) end
  local texts = {}
  for i = 1, #values do texts[i] = core.tostring(values[i]) end
  return table.concat(texts, separator or ", ")
end

return M
