--- String functions that work the same in every locale, and text that is safe on terminals.
-- Lua's < and lower follow os.setlocale; names, labels, paths and cells come from files of others
-- and may contain anything.
local core = require "bnn.core"

local M = {}

--- Whether a sorts before b by bytes: an order for table.sort.
M.before = core.bytes_before

--- Converts A to Z to lower case and changes nothing else.
function M.lower(text)
  return (text:gsub("[A-Z]", function(c) return string.char(c:byte() + 32) end))
end

--- Escapes a text for terminals: control characters, bidirectional marks and bytes that are not
-- UTF-8 become \n, \x1b, \u{9b}. With `lines`, newlines and tabs stay.
M.shown = core.shown

--- Formats a message: string.format in the C locale, escaped for terminals.
function M.message(form, ...) return core.shown(core.format(form, ...), true) end

--- What a reader returns for a malformed file: nil, and the message.
function M.malformed(path, form, ...)
  return nil, M.message("malformed input data: %s: " .. form, path, ...)
end

--- Prints a notice on stderr.
function M.notice(text) io.stderr:write(core.shown(text, true), "\n") end

--- Quotes a word as a shell reads it, if it needs that.
function M.shell_word(word)
  if word:find "^[%w%-+./:=@_,]+$" then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- Converts a text to UTF-8: bytes that are not UTF-8 become \xe9.
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
