--- Strings that are the same in every locale, and that terminals and files of text may hold.
-- Lua's < and lower follow os.setlocale; names, labels, paths and cells come from files that others
-- wrote and may hold anything.
local core = require "bnn.core"

local M = {}

--- Whether a is before b in the order of their bytes: what table.sort takes for strings.
M.before = core.bytes_before

--- A text with A to Z in small letters, and nothing else changed.
function M.lower(text)
  return (text:gsub("[A-Z]", function(c) return string.char(c:byte() + 32) end))
end

--- A text as a terminal may show it: control characters, marks of direction and bytes that are not
-- UTF-8 become \n, \x1b, \u{9b}. With `lines` newlines and tabs stay.
M.shown = core.shown

--- What a message says: string.format in the C locale, as a terminal may show it.
function M.message(form, ...) return core.shown(core.format(form, ...), true) end

--- What a reader returns for a file that is not what it should be: nil, and the message.
function M.malformed(path, form, ...)
  return nil, M.message("malformed input data: %s: " .. form, path, ...)
end

--- Prints a notice on standard error, which is not for results.
function M.notice(text) io.stderr:write(core.shown(text, true), "\n") end

--- A text in UTF-8: bytes that are not become \xe9.
function M.utf8(text)
  if utf8.len(text) then return text end
  local parts, at = {}, 1
  while at <= #text do
    local _, bad = utf8.len(text, at)
    parts[#parts + 1] = text:sub(at, (bad or #text + 1) - 1)
    if bad then parts[#parts + 1] = ("\\x%02x"):format(text:byte(bad)) end
    at = bad and bad + 1 or #text + 1
  end
  return table.concat(parts)
end

return M
