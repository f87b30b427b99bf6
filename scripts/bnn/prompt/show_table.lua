--- Tables as text that reads like Lua: sorted, indented, limited in depth and width; a table that
-- is already open above shows as <cycle>. Nothing of a table is called.
local core = require "bnn.core"
local number = require "bnn.base.number"
local show_names = require "bnn.prompt.show_names"
local show_object = require "bnn.prompt.show_object"
local strings = require "bnn.base.strings"

local M = {}

local DEEPEST, MOST_FIELDS, MOST_ITEMS, MOST_TEXT = 4, 40, 20, 200
local WORDS = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat "
  .. "return then true until while"):gmatch "%w+" do WORDS[word] = true end

local function quoted(text)
  return '"' .. strings.cut(core.shown(text), MOST_TEXT):gsub('"', '\\"') .. '"'
end

local function function_text(f)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return "function: builtin" end
  return ("function (%s:%d)"):format(info.short_src, info.linedefined)
end

local function scalar_text(v)
  if type(v) == "string" then return quoted(v) end
  if type(v) == "function" then return function_text(v) end
  if v ~= v then return "nan" end -- without the sign that it has on some machines
  return number.text(v) -- also what has no other form: "thread: 0x..."
end

local function key_text(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" and not WORDS[key] then return key end
  if type(key) == "table" or type(key) == "userdata" then
    return "[" .. (show_object.line(key) or type(key)) .. "]"
  end
  return "[" .. scalar_text(key) .. "]"
end

-- Numbers before strings before all else, each in order.
local RANK = {number = 1, string = 2}
local function before(a, b)
  local rank_a, rank_b = RANK[type(a)] or 3, RANK[type(b)] or 3
  if rank_a ~= rank_b then return rank_a < rank_b end
  if rank_a == 1 then return a < b end
  if rank_a == 2 then return strings.before(a, b) end
  return strings.before(type(a), type(b))
end

-- How long the list part is, and the other keys in order.
local function keys_of(t)
  local count, keys = 0, {}
  while rawget(t, count + 1) ~= nil do count = count + 1 end
  for key in next, t do
    local is_item = math.type(key) == "integer" and key >= 1 and key <= count
    if not is_item then keys[#keys + 1] = key end
  end
  table.sort(keys, before)
  return count, keys
end

local render

-- The texts of a table's entries: items and "key = value".
local function entries_of(t, room, open)
  local texts = {}
  local count, keys = keys_of(t)
  for i = 1, math.min(count, MOST_ITEMS) do texts[i] = render(rawget(t, i), room - 2, open) end
  if count > MOST_ITEMS then texts[#texts + 1] = ("... %d more"):format(count - MOST_ITEMS) end
  local items = #texts
  for i = 1, math.min(#keys, MOST_FIELDS) do
    local name = key_text(keys[i])
    texts[#texts + 1] = name .. " = " .. render(rawget(t, keys[i]), room - 2 - #name - 3, open)
  end
  if #keys > MOST_FIELDS then texts[#texts + 1] = ("... %d more"):format(#keys - MOST_FIELDS) end
  return texts, items
end

-- Items side by side as far as the room goes, each field on a line of its own.
local function lines_of(texts, items, room)
  local lines, line = {}, ""
  for i, text in ipairs(texts) do
    local joins = i <= items and not text:find "\n" and line ~= "" and #line + 2 + #text < room
    if joins then
      line = line .. ", " .. text
    else
      if line ~= "" then lines[#lines + 1] = line .. "," end
      line = text
    end
  end
  lines[#lines + 1] = line
  return lines
end

local function layout(texts, items, room)
  local line = "{" .. table.concat(texts, ", ") .. "}"
  if #line <= room and not line:find "\n" then return line end
  local body = table.concat(lines_of(texts, items, room - 2), "\n"):gsub("\n", "\n  ")
  return "{\n  " .. body .. "\n}"
end

-- The text of a value in `room` columns; `open` has the tables above, by which it is known how deep
-- this is.
function render(v, room, open)
  local line = show_object.line(v)
  if line then return open.depth == 0 and line or "<" .. line .. ">" end
  if type(v) ~= "table" then return scalar_text(v) end
  if open[v] then return "<cycle>" end
  if next(v) == nil then return "{}" end
  if open.depth >= open.deepest then return "{...}" end
  open[v], open.depth = true, open.depth + 1
  local texts, items = entries_of(v, room, open)
  open[v], open.depth = nil, open.depth - 1
  return layout(texts, items, room)
end

local SCREEN = 40 -- lines

--- The text of any value: as deep as it fits a screen.
function M.text(v)
  for deepest = DEEPEST, 1, -1 do
    local text = render(v, show_names.width(), {depth = 0, deepest = deepest})
    if deepest == 1 or select(2, text:gsub("\n", "")) < SCREEN then return text end
  end
end

return M
