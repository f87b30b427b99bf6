--- Numbers as text and back, the same in every locale.
-- After os.setlocale, or a C module that calls it, Lua's string.format and tostring may write 0,25
-- and tonumber read it. What the library writes and reads goes through here, whatever it is for.
local core = require "bnn.core"

local M = {}

--- string.format in the C locale, for formats with %g, %f, %e or a number as %s.
M.format = core.format

--- tostring in the C locale: 14 digits of a number, for messages.
M.text = core.tostring

--- tonumber in the C locale.
M.parse = core.tonumber

--- The shortest decimal that reads back as the same number; "nan", "inf", "-inf".
M.exact = core.number_text

return M
