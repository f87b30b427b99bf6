--- What a text that is entered at the prompt means: an expression, statements, or a command.
--
-- An expression needs neither = nor return; a semicolon at its end keeps its value from being
-- shown. A text is incomplete when Lua finds its end too soon.
local lua_tokens = require "bnn.prompt.lua_tokens"
local top_locals = require "bnn.prompt.top_locals"

local M = {}

local NAME = "=stdin" -- what messages call it

-- A quoted string that the line leaves open is wrong at once, unless a backslash ends the line.
local function ends_too_soon(text, message)
  if message:sub(-5) ~= "<eof>" then return false end
  local tokens = lua_tokens.list(text)
  local last = tokens[#tokens]
  local is_quoted = last and last.open and last.kind == "string" and last.text:find "^[\"']"
  return not is_quoted or text:find "\\z?%s*$" ~= nil
end

-- The last token that is no comment.
local function last_token(text)
  local tokens = lua_tokens.code(text)
  return tokens[#tokens] and tokens[#tokens].text
end

-- What is to be closed keeps the call from being a tail call: errors then name the line.
local RETURN = "local __at_prompt <close> = nil return "

local function load_expression(text)
  local chunk, message = load(RETURN .. text, NAME, "t")
  if not chunk then return nil, message end
  return {chunk = chunk, text = text, is_expression = true, is_silent = last_token(text) == ";"}
end

local function load_statements(text)
  local chunk, message = load(text, NAME, "t")
  if not chunk then return nil, message end
  return {chunk = load(top_locals.release(text), NAME, "t") or chunk, text = text,
    is_silent = last_token(text) == ";"}
end

--- Loads a text.
-- @param text string
-- @return {chunk = function, text=, is_expression=, is_silent=}; or nil, the message of Lua, and
--   whether more lines may complete it
function M.load(text)
  if text:find "^%s*=" then text = text:gsub("=", "", 1) end -- as Lua 5.1 wrote it
  if not lua_tokens.code(text)[1] then
    local _, message = load(text, NAME, "t") -- nothing, or an unfinished comment
    return not message and {chunk = function() end, text = text, is_silent = true} or nil,
      message, message and ends_too_soon(text, message)
  end
  local input, as_expression = load_expression(text)
  if input then return input end
  local statements, message = load_statements(text)
  if statements then return statements end
  return nil, message, ends_too_soon(text, message) or ends_too_soon(text, as_expression)
end

--- Splits a command: "?x" -> "?", "x"; "$ ls" -> "$", "ls"; nil for Lua.
function M.command(text)
  local sign, rest = text:match "^%s*([?$])%s*(.-)%s*$"
  return sign, rest
end

return M
