--- What Tab inserts and lists: globals, fields, methods, keywords, the options of the library's
-- functions, and files within a string.
local core = require "bnn.core"
local lua_tokens = require "bnn.prompt.lua_tokens"
local members = require "bnn.prompt.members"
local option_names = require "bnn.prompt.option_names"
local prompt_input = require "bnn.prompt.prompt_input"
local show_names = require "bnn.prompt.show_names"
local strings = require "bnn.base.strings"

local M = {}

local KEYWORDS = {"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto",
  "if", "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"}
local CLOSERS = {[")"] = "(", ["]"] = "[", ["}"] = "{"}
local INDENT = "  "

-- Those of a list that begin with `start`.
local function beginning(names, start)
  local found = {}
  for _, name in ipairs(names) do
    if name:sub(1, #start) == start then found[#found + 1] = name end
  end
  return found
end

local function common_start(names)
  local start = names[1]
  for _, name in ipairs(names) do
    while name:sub(1, #start) ~= start do start = start:sub(1, -2) end
  end
  while not utf8.len(start) do start = start:sub(1, -2) end
  return start
end

-- ---- files ----

local function files(start)
  local folder, name = start:match "^(.*/)([^/]*)$"
  folder, name = folder or "", name or start
  local home = os.getenv "HOME"
  local path = home and folder:gsub("^~/", function() return home .. "/" end) or folder
  local found = {}
  for _, file in ipairs(core.list_names(path == "" and "." or path) or {}) do
    local is_hidden = file:sub(1, 1) == "." and name:sub(1, 1) ~= "."
    if not is_hidden and file:sub(1, #name) == name then
      local mark = core.is_folder((path == "" and "./" or path) .. file) and "/" or ""
      found[#found + 1] = folder .. file .. mark
    end
  end
  table.sort(found, strings.before)
  return found
end

-- ---- names ----

-- The names before the dot or colon at token i, "bnn.optim" of `bnn.optim.ad`: a list, its text.
local function chain_before(tokens, i)
  local path, text = {}, ""
  local sign = tokens[i]
  while sign and sign.text:find "^[.:]$" and tokens[i - 1] and tokens[i - 1].kind == "name" do
    table.insert(path, 1, tokens[i - 1].text)
    text = tokens[i - 1].text .. (text == "" and "" or sign.text .. text)
    i = i - 2
    sign = tokens[i]
  end
  local is_whole = not (sign and sign.text:find "^[.:]$")
  return is_whole and path[1] and path or nil, text
end

-- The index of the bracket that encloses token i, which is open there.
local function opener(tokens, i)
  local closed = 0
  for k = i, 1, -1 do
    local text = tokens[k].kind == "symbol" and tokens[k].text or ""
    if CLOSERS[text] then closed = closed + 1 end
    if text == "(" or text == "[" or text == "{" then
      if closed == 0 then return k end
      closed = closed - 1
    end
  end
end

-- How help calls the function that is named before token i: "bnn.train", ":step".
local function function_before(tokens, i)
  local last = tokens[i]
  if not last or last.kind ~= "name" then return nil end
  local sign = tokens[i - 1] and tokens[i - 1].text
  if sign == ":" then return ":" .. last.text end
  if sign ~= "." then return last.text end
  local _, text = chain_before(tokens, i - 1)
  return text .. "." .. last.text
end

-- The function whose option table the text ends in, where a key may stand: f{ or f(x, {.
local function called_at(tokens, last)
  local before = tokens[last]
  if not before or not before.text:find "^[{,;]$" then return nil end
  local brace = opener(tokens, last)
  if not brace or tokens[brace].text ~= "{" then return nil end
  local name = function_before(tokens, brace - 1)
  local bracket = not name and opener(tokens, brace - 1)
  if bracket and tokens[bracket].text == "(" then name = function_before(tokens, bracket - 1) end
  return name
end

local function fields(tokens, last, start)
  local path = chain_before(tokens, last)
  local owner = path and members.follow(path)
  if owner == nil then return {} end
  return beginning(members.names(owner, tokens[last].text == ":"), start)
end

local function words(start)
  local names = beginning(members.names(_G), start)
  for _, word in ipairs(start ~= "" and beginning(KEYWORDS, start) or {}) do
    names[#names + 1] = word
  end
  table.sort(names, strings.before)
  return names
end

-- The candidates for what the text ends in, its start that is already there, and what follows one.
local function candidates(self, text)
  local tokens = lua_tokens.list(text)
  local last = tokens[#tokens]
  if last and last.open and last.kind == "comment" then return {}, "", "" end
  if last and last.open and last.kind == "string" then
    local start = last.text:gsub("^%[=*%[", ""):gsub("^[\"']", "")
    return files(start), start, ""
  end
  tokens = lua_tokens.code(text)
  last = tokens[#tokens]
  local is_partial = last and last.kind == "name" and last.to == #text
  local start = is_partial and last.text or ""
  local at = #tokens - (is_partial and 1 or 0)
  local sign = tokens[at] and tokens[at].text
  local is_field = sign == ":" or sign == "." and tokens[at - 1] and tokens[at - 1].text ~= "."
  if is_field then return fields(tokens, at, start), start, "" end
  local called = called_at(tokens, at)
  local options = called and beginning(self.options(called), start) or {}
  if options[1] then return options, start, " = " end
  return words(start), start, ""
end

local function complete(self, text)
  if not text:find "%S" or text:find "\n[ \t]*$" then return INDENT end
  local sign, command = prompt_input.command(text)
  local found, start, tail
  if sign == "$" then
    start, tail = command:match "%S*$", ""
    found = files(start)
  else
    found, start, tail = candidates(self, sign and text:gsub("?", " ", 1) or text)
  end
  if not found[1] then return nil end
  local added = common_start(found):sub(#start + 1)
  if #found == 1 then return added .. tail end
  return added ~= "" and added or nil, added == "" and show_names.columns(found) or nil
end

--- Makes the function that completes a line.
-- @param bnn table: the library
-- @return function(text before the cursor) -> text to insert or nil, text to list or nil
function M.new(bnn)
  local self = {options = option_names.finder(bnn)}
  return function(text) return complete(self, text) end
end

return M
