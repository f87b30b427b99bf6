--- Lets the local variables of a block that is entered at the prompt live on after it.
--
-- `local x = 1` at the top level of the block becomes `x = 1`, a global: functions of the block and
-- later lines mean the same variable. The lines stay where they are. What is to be closed at the
-- end of the block stays local, and so does _ENV.
local lua_tokens = require "bnn.prompt.lua_tokens"

local M = {}

local OPENS = {["do"] = 1, ["function"] = 1, ["if"] = 1, ["repeat"] = 1}
local CLOSES = {["end"] = 1, ["until"] = 1}

-- The names of the statement `local a <const>, b` whose names start at token i, the spans of their
-- attributes, and the token after them; nil if it is to stay as it is.
local function read_names(tokens, i)
  local names, attributes = {}, {}
  repeat
    names[#names + 1] = tokens[i].text
    if tokens[i].text == "_ENV" then return nil end
    i = i + 1
    if tokens[i] and tokens[i].text == "<" then
      if tokens[i + 1].text == "close" then return nil end
      attributes[#attributes + 1] = {tokens[i].from, tokens[i + 2].to, ""}
      i = i + 3
    end
    local more = tokens[i] and tokens[i].text == ","
    if more then i = i + 1 end
  until not more
  return names, attributes, i
end

-- Adds the edits {from, to, text} that make the statement at token i global.
local function edit_statement(tokens, i, edits)
  local word, after = tokens[i], tokens[i + 1]
  if after.text == "function" then
    edits[#edits + 1] = {word.from, word.to, ""}
    return
  end
  local names, attributes, next_token = read_names(tokens, i + 1)
  if not names then return end
  edits[#edits + 1] = {word.from, word.to, ""}
  table.move(attributes, 1, #attributes, #edits + 1, edits)
  local last = tokens[next_token - 1]
  if not tokens[next_token] or tokens[next_token].text ~= "=" then
    edits[#edits + 1] = {last.to + 1, last.to, " = nil"}
  end
end

-- The edits of a block. Words behind a dot are fields: t["end"] can be written only so, but
-- 1 .. x is two symbols before a name.
local function find_edits(tokens)
  local depth, edits = 0, {}
  for i, token in ipairs(tokens) do
    if token.kind == "name" then
      if token.text == "local" and depth == 0 then edit_statement(tokens, i, edits) end
      depth = depth + (OPENS[token.text] or 0) - (CLOSES[token.text] or 0)
    end
  end
  return edits
end

--- Returns the text with its top-level locals made globals.
-- @param text string: Lua that can be loaded
function M.release(text)
  local parts, at = {}, 1
  for _, edit in ipairs(find_edits(lua_tokens.code(text))) do
    parts[#parts + 1] = text:sub(at, edit[1] - 1)
    parts[#parts + 1] = edit[3]
    at = edit[2] + 1
  end
  parts[#parts + 1] = text:sub(at)
  return table.concat(parts)
end

return M
