--- Splits a source text into Lua's tokens, also one that is not finished yet.
local M = {}

-- The end of a long string or comment whose brackets open at `at`, and whether it is missing.
local function long_end(text, at)
  local level = text:match("^%[(=*)%[", at)
  if not level then return nil end
  local _, stop = text:find("]" .. level .. "]", at, true)
  return stop or #text, not stop
end

-- The same of a quoted string.
local function quoted_end(text, at)
  local quote = text:sub(at, at)
  local i = at + 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == quote then return i, false end
    if c == "\n" then return i - 1, true end
    i = i + (c == "\\" and 2 or 1)
  end
  return #text, true
end

local function comment_end(text, at)
  local stop, open = long_end(text, at + 2)
  if stop then return stop, open end
  stop = text:find("\n", at, true)
  return stop and stop - 1 or #text, not stop
end

-- The kind of the token at `at`, its last byte, and whether it is unfinished.
local function read(text, at)
  local c = text:sub(at, at)
  if c:find "[%a_]" then return "name", select(2, text:find("^[%w_]+", at)), false end
  if text:find("^%.?%d", at) then
    return "number", select(2, text:find("^%.?%d[%w.]*", at)), false
  end
  if text:find("^%-%-", at) then return "comment", comment_end(text, at) end
  if c == '"' or c == "'" then return "string", quoted_end(text, at) end
  local stop, open = long_end(text, at)
  if stop then return "string", stop, open end
  return "symbol", at, false
end

--- Lists the tokens of a text.
-- @param text string
-- @return list of {kind = "name" | "number" | "string" | "comment" | "symbol", text=, from=, to=,
--   open = whether its end is missing}; keywords are names, a symbol is one byte
function M.list(text)
  local tokens, at = {}, text:find "%S"
  while at do
    local kind, to, open = read(text, at)
    tokens[#tokens + 1] = {kind = kind, text = text:sub(at, to), from = at, to = to, open = open}
    at = text:find("%S", to + 1)
  end
  return tokens
end

--- Lists the tokens without the comments.
function M.code(text)
  local code = {}
  for _, token in ipairs(M.list(text)) do
    if token.kind ~= "comment" then code[#code + 1] = token end
  end
  return code
end

return M
