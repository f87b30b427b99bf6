--- "did you mean bnn.train?" for a name that is nil.
local lua_tokens = require "bnn.prompt.lua_tokens"
local members = require "bnn.prompt.members"
local nearest = require "bnn.base.nearest"

local M = {}

-- The path that the tokens from `first` to `last` are, names with dots or colons between, and its
-- signs; nil if they are something else.
local function path_of(tokens, first, last)
  local path, signs = {}, {}
  for i = first, last do
    local token = tokens[i]
    local is_name = (i - first) % 2 == 0
    if is_name ~= (token.kind == "name") or not is_name and not token.text:find "^[.:]$" then
      return nil
    end
    table.insert(is_name and path or signs, token.text)
  end
  return path, signs
end

-- The hint for the last name of a path whose others lead to something.
local function hint_for(path, signs)
  if members.follow(path) ~= nil then return nil end
  local name = table.remove(path)
  local owner = members.follow(path)
  local near = owner ~= nil and nearest.find(name, members.names(owner))
  if not near then return nil end
  local text = ""
  for i, part in ipairs(path) do text = text .. part .. (signs[i] or "") end
  return ("did you mean %s%s?"):format(text, near)
end

--- The hint for an expression that is nil, with a space before it; or nil.
-- @param text string: the expression
function M.for_nil(text)
  local tokens = lua_tokens.code(text)
  local last = tokens[#tokens] and tokens[#tokens].kind == "name" and #tokens or 0
  local path, signs = path_of(tokens, 1, last)
  local hint = path and path[1] and hint_for(path, signs)
  return hint and "  -- " .. hint
end

-- The path that ends at token i.
local function path_before(tokens, i)
  local first = i
  while first > 2 and tokens[first - 1].text:find "^[.:]$" and tokens[first - 2].kind == "name" do
    first = first - 2
  end
  return path_of(tokens, first, i)
end

--- The hint for an error that names what was nil; or nil.
-- @param message string: Lua's
-- @param text string: what was entered
function M.for_error(message, text)
  local name = message:match "a nil value %(%a+ '([%w_]+)'%)"
  if not name then return nil end
  local tokens = lua_tokens.code(text)
  for i, token in ipairs(tokens) do
    if token.kind == "name" and token.text == name then
      local path, signs = path_before(tokens, i)
      local hint = path and hint_for(path, signs)
      if hint then return hint end
    end
  end
end

return M
