--- Kinds of values: whether a value is of a kind, and the names of kinds and values in messages.
--
-- Kinds: any number integer string boolean table function userdata schedule (a number or a function
-- of the step); any other word is an object whose metatable has that __name, with or without "bnn."
-- in front. "a|b" accepts either.
local number = require "bnn.base.number"
local strings = require "bnn.base.strings"

local M = {}

local function is_callable(v)
  if type(v) == "function" then return true end
  local meta = getmetatable(v)
  return type(meta) == "table" and meta.__call ~= nil
end

--- Whether a value is a finite number.
function M.is_finite(v)
  return type(v) == "number" and v == v and v ~= math.huge and v ~= -math.huge
end

local function is_schedule(v) return M.is_finite(v) or is_callable(v) end

local known_kinds = {
  any = {"a value", function() return true end},
  number = {"a number", M.is_finite},
  integer = {"an integer", function(v) return M.is_finite(v) and math.tointeger(v) ~= nil end},
  string = {"a string", function(v) return type(v) == "string" end},
  boolean = {"true or false", function(v) return type(v) == "boolean" end},
  table = {"a table", function(v) return type(v) == "table" end},
  ["function"] = {"a function", is_callable},
  userdata = {"an object", function(v) return type(v) == "userdata" end},
  schedule = {"a number or a function of the step", is_schedule},
}

--- Whether a value is an object whose metatable has this __name, with or without "bnn." in front.
function M.is_object(v, kind)
  local meta = getmetatable(v)
  local name = type(meta) == "table" and meta.__name
  return name == kind or name == "bnn." .. kind
end

--- Whether a value is a table without methods; the lists of a configuration are.
function M.is_plain(v)
  local meta = type(v) == "table" and getmetatable(v)
  return meta == nil or type(meta) == "table" and meta.is_list == true
end

--- Whether a value is of the kind spec.type, or with spec.infinite an infinite number.
function M.has(v, spec)
  for kind in spec.type:gmatch "[^|]+" do
    local known = known_kinds[kind]
    if known then
      if known[2](v) then return true end
    elseif M.is_object(v, kind) then
      return true
    end
  end
  return spec.infinite and type(v) == "number" and v == v
end

local PLURAL = {params = true, samples = true, variances = true}

--- Names a kind in a message: "integer" -> "an integer", "number|key" -> "... or ...".
function M.text(kind)
  local texts = {}
  for word in kind:gmatch "[^|]+" do
    local article = PLURAL[word] and ""
      or word:find "^[aeiou]" and "an " or "a "
    texts[#texts + 1] = known_kinds[word] and known_kinds[word][1] or article .. word
  end
  return table.concat(texts, " or ")
end

-- What objects are called, where that is not the last word of their __name.
local CALLED = {data = "part of a data set", batch = "batch", compiled = "compiled function",
                frame = "table of bnn.data.table"}

--- Names the kind of a value for messages: "a tensor", "params", "a table", "nil"; in the words of
-- its class, if that has some (bnn.base.describe).
function M.shown(v)
  if v == nil then return "nil" end
  local meta = (type(v) == "userdata" or type(v) == "table") and getmetatable(v)
  local name = type(meta) == "table" and meta.__name
  if type(name) ~= "string" then return M.text(type(v)) end
  name = name:gsub("^bnn%.", "")
  return meta.called and meta.called(v) or M.text(CALLED[name] or name)
end

--- Shows a value in messages: numbers, strings and short lists of them, else the kind of the value.
function M.show(v)
  if type(v) == "string" then return '"' .. strings.shown(v) .. '"' end
  if v ~= v then return "nan" end -- whatever its sign
  if type(v) == "number" or type(v) == "boolean" then return number.text(v) end
  local items = M.is_plain(v) and #v > 0 and #v <= 8 and {}
  for i = 1, items and #v or 0 do
    if type(v[i]) ~= "number" and type(v[i]) ~= "string" then return M.shown(v) end
    items[i] = M.show(v[i])
  end
  return items and "{" .. table.concat(items, ", ") .. "}" or M.shown(v)
end

return M
