--- Values of parameters: equality, copies, and the text in which a command line gives them.
--
-- Numbers, booleans and plain words are written as they are; whatever else is JSON: "a b",
-- [64, 64], {"width": 64}.
local core = require "bnn.core"
local json_codec = require "bnn.base.json_codec"
local number = require "bnn.base.number"
local options = require "bnn.base.options"

local M = {}

--- Whether two values are equal, tables by their contents.
function M.equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for k, v in pairs(a) do
    if not M.equal(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

--- Copies a value, tables with their contents.
function M.copy(v)
  if type(v) ~= "table" then return v end
  local copy = {}
  for k, item in pairs(v) do copy[k] = M.copy(item) end
  return copy
end

--- The place of a value in a list, or nil.
function M.index(v, list)
  for i, item in ipairs(list) do
    if M.equal(v, item) then return i end
  end
end

--- Whether a value can be written: a finite number, a boolean, text, or a table of these.
function M.is_plain(v)
  if type(v) == "function" or v == nil then return false end
  return json_codec.encode(v, "value") ~= nil and (type(v) ~= "number" or v - v == 0)
end

local WORDS = {["true"] = true, ["false"] = false}

-- A float is told from an integer: 1.0 reads back as 1.0.
local function number_text(v)
  local text = number.exact(v)
  return math.type(v) == "float" and not text:find "[.en]" and text .. ".0" or text
end

local function json_text(v)
  if type(v) == "number" then return number_text(v) end
  if type(v) ~= "table" then return core.json_encode(v) end
  local items = {}
  for i, item in ipairs(v) do items[i] = json_text(item) end
  if #items > 0 or next(v) == nil then return "[" .. table.concat(items, ",") .. "]" end
  for i, name in ipairs(options.sorted_names(v)) do
    items[i] = core.json_encode(name) .. ":" .. json_text(v[name])
  end
  return "{" .. table.concat(items, ",") .. "}"
end

--- Writes a value as M.read reads it.
function M.text(v)
  local is_word = type(v) == "string" and v:find "^[%w_./+-]+$" and WORDS[v] == nil
    and not number.parse(v)
  return is_word and v or json_text(v)
end

--- Reads a value: a number, true, false, JSON in brackets or quotes, else a word.
-- @return value; or nil, what is wrong
function M.read(text)
  if WORDS[text] ~= nil then return WORDS[text] end
  if text:find '^[%[{"]' then return core.json_decode(text) end
  local value = number.parse(text)
  if value and value - value == 0 then return value end
  if text == "" then return nil, "it is empty" end
  return text
end

-- The depth of brackets and the state of quotes after a character.
local function advance(c, state)
  if state.escaped then
    state.escaped = false
  elseif state.quoted then
    if c == "\\" then state.escaped = true elseif c == '"' then state.quoted = false end
  elseif c == '"' then
    state.quoted = true
  elseif c:find "[%[{]" then
    state.depth = state.depth + 1
  elseif c:find "[%]}]" then
    state.depth = state.depth - 1
  end
end

--- Splits a text at the characters of a set, such as "[,]", that are in no brackets or quotes.
function M.split(text, set)
  local parts, from, state = {}, 1, {depth = 0}
  for i = 1, #text do
    local c = text:sub(i, i)
    if c:find(set) and state.depth <= 0 and not state.quoted then
      parts[#parts + 1] = text:sub(from, i - 1)
      from = i + 1
    else
      advance(c, state)
    end
  end
  parts[#parts + 1] = text:sub(from)
  return parts
end

return M
