--- Notices on stderr: what the library decided about data, or left out of them.
local strings = require "bnn.base.strings"

local M = {}

local said = {}

--- Writes a line to stderr the first time that it is said in this process.
-- @param format, ... as for string.format
function M.say(format, ...)
  local line = strings.message(format, ...)
  if said[line] then return end
  said[line] = true
  strings.notice(line)
end

return M
