--- Notices on stderr: what was decided about data, or left out of them, that the user did not say.
local strings = require "bnn.base.strings"

local M = {}

local said = {}

--- Writes a line to stderr, the first time that it is said in this process.
-- @param format, ... as of string.format
function M.say(format, ...)
  local line = strings.message(format, ...)
  if said[line] then return end
  said[line] = true
  strings.notice(line)
end

return M
