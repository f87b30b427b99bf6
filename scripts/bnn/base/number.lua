--- Numbers as text and back, the same in every locale.
-- After os.setlocale, or a C module that calls it, Lua's string.format and tostring may write 0,25
-- and tonumber read it. What the library writes and reads goes through here, whatever it is for.
local core = require "bnn.core"

local M = {}

--- format(form, ...): string.format in the C locale, for formats with %g, %f, %e or a number as %s.
M.format = core.format

--- text(v): tostring in the C locale: 14 digits of a number, for messages.
M.text = core.tostring

--- parse(text, base): tonumber in the C locale.
M.parse = core.tonumber

--- exact(x): the shortest decimal that reads back as the same number; "nan", "inf", "-inf".
M.exact = core.number_text

-- Raises at the caller's caller; bnn.expect needs this module.
local function fail(name, wanted, value)
  error(("bnn.number.%s: expected %s, got a %s"):format(name, wanted, type(value)), 3)
end

local SMALL_DIGITS, GREAT, GREAT_DIGITS = 3, 1e9, 7

--- A number to be looked at: so many decimals, but 3 digits of one so small that decimals would
-- leave less than 2 of them, and 7 beyond 1e9. With 3 decimals: 0.978, -0.426, 314.388, 0.012,
-- 0.00123, 1e-05, 1e+12, 0.000 for 0, nan, inf.
function M.fixed(v, decimals)
  if type(v) ~= "number" then fail("fixed", "a number", v) end
  if math.type(decimals) ~= "integer" then fail("fixed", "how many decimals", decimals) end
  local size = math.abs(v)
  if v - v ~= 0 then return core.number_text(v) end
  if size >= GREAT then return core.format(("%%.%dg"):format(GREAT_DIGITS), v) end
  local is_small = size > 0 and size < 0.9995 * 10.0 ^ (1 - decimals)
  return core.format(("%%.%d%s"):format(is_small and SMALL_DIGITS or decimals,
    is_small and "g" or "f"), v)
end

--- A list of numbers and strings as text: "1, 0.5". (table.concat follows the locale.)
function M.list(values, separator)
  if type(values) ~= "table" or getmetatable(values) then fail("list", "a list", values) end
  if separator ~= nil and type(separator) ~= "string" then fail("list", "a string", separator) end
  local texts = {}
  for i = 1, #values do texts[i] = core.tostring(values[i]) end
  return table.concat(texts, separator or ", ")
end

return M
