--- Texts compared and cased the same in every locale: Lua's < and lower follow os.setlocale.
local core = require "bnn.core"

local M = {}

--- Whether a is before b in the order of their bytes: what table.sort takes for strings.
M.before = core.bytes_before

--- A text with A to Z in small letters, and nothing else changed.
function M.lower(text)
  return (text:gsub("[A-Z]", function(c) return string.char(c:byte() + 32) end))
end

return M
