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

--- Quotes a text as one word of a shell's command line, if it needs quotes.
function M.shell_word(text)
  if text:find "^[%w%-+./:=@_,]+$" then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Cuts a text to so many characters, the last of which is an ellipsis if it was longer.
function M.cut(text, most)
  local length = utf8.len(text)
  if (length or #text) <= most then return text end
  return text:sub(1, length and utf8.offset(text, most) - 1 or most - 1) .. "\u{2026}"
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
