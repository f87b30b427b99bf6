--- Colour at the prompt: the sign before what is typed, where an error came from, and the class of
-- an object. None where the stream is no terminal, with NO_COLOR, or on a dumb terminal.
local core = require "bnn.core"

local M = {}

local CODES = {sign = "1", error = "31;1", class = "36"}

local function setting(name) return os.getenv(name) or "" end

--- Whether a stream shows colour.
-- @param stream string: "stdout" or "stderr"
function M.is_on(stream)
  local term = setting "TERM"
  return setting "NO_COLOR" == "" and term ~= "" and term ~= "dumb" and core.terminal(stream) ~= nil
end

--- A text in the colour of what it is, for a stream that shows it; else as it is.
-- @param kind string: "sign", "error" or "class"
function M.paint(stream, kind, text)
  if text == "" or not M.is_on(stream) then return text end
  return ("\27[%sm%s\27[0m"):format(CODES[kind], text)
end

--- An error's text with its first word, or where it came from, in colour.
function M.error(text)
  local first = text:match "^[^\n:]+:%d+:" or text:match "^%S+" or ""
  return M.paint("stderr", "error", first) .. text:sub(#first + 1)
end

--- The text of an object with its first word in colour.
function M.object(text)
  local first = text:match "^[%a][%w_.-]*" or ""
  return M.paint("stdout", "class", first) .. text:sub(#first + 1)
end

--- A prompt with its sign in colour; a mark that the line editor leaves out of the width is around
-- what does not show.
function M.prompt(text)
  if not M.is_on "stdout" then return text end
  return ("\1\27[%sm\1%s\1\27[0m\1"):format(CODES.sign, text)
end

return M
