--- Files of configurations: JSON, or a Lua table, which is read as data and never run.
--
--     {                                       {
--       "lr": 1e-3,                             lr = 1e-3, -- a comment
--       "hidden": [64, 64],                     hidden = {64, 64},
--       "optimizer": {"momentum": 0.9}          optimizer = {momentum = 0.9},
--     }                                       }
--
-- One parser reads both: values are strings, numbers, true, false, null or nil, lists and tables by
-- name. Faults name the line.
local number = require "bnn.base.number"
local strings = require "bnn.base.strings"

local M = {}

local DEPTH_MAX = 20

-- ---- words of a text ----

local Reader = {}
Reader.__index = Reader

local function refuse(line, form, ...)
  error({line = line, message = strings.message(form, ...)}, 0)
end

-- Skips spaces and comments, and counts lines.
function Reader:skip()
  while true do
    local from, to = self.text:find("^%s+", self.at)
    if not from then from, to = self.text:find("^%-%-%[%[.-%]%]", self.at) end
    if not from then from, to = self.text:find("^%-%-[^\n]*", self.at) end
    if not from then return end
    local _, lines = self.text:sub(from, to):gsub("\n", "")
    self.line, self.at = self.line + lines, to + 1
  end
end

-- What comes next, for a fault.
function Reader:shown()
  if self.at > #self.text then return "the end of the file" end
  local word = self.text:match("^[%w_.+-]+", self.at) or self.text:sub(self.at, self.at)
  return "'" .. strings.shown(word:sub(1, 20)) .. "'"
end

-- Takes a piece of text that matches a pattern; nil if there is none.
function Reader:take(pattern)
  self:skip()
  local from, to = self.text:find("^" .. pattern, self.at)
  if not from then return nil end
  self.at = to + 1
  return self.text:sub(from, to)
end

local ESCAPES = {n = "\n", t = "\t", r = "\r", b = "\b", f = "\f", a = "\a", v = "\v"}

-- The character of an escape that begins at `at`, behind the backslash, and where it ends.
local function escaped(text, at)
  local hex = text:match("^u(%x%x%x%x)", at)
  local low = hex and text:match("^\\u([dD][c-fC-F]%x%x)", at + 5)
  if low and hex:find "^[dD][89abAB]" then
    local high = tonumber(hex, 16) - 0xD800
    return utf8.char(0x10000 + (high << 10) + tonumber(low, 16) - 0xDC00), at + 11
  end
  if hex then return utf8.char(tonumber(hex, 16)), at + 5 end
  hex = text:match("^u{(%x%x?%x?%x?%x?%x?)}", at)
  if hex then return utf8.char(tonumber(hex, 16)), at + 3 + #hex end
  hex = text:match("^x(%x%x)", at)
  if hex then return string.char(tonumber(hex, 16)), at + 3 end
  local digits = text:match("^%d%d?%d?", at)
  if digits and tonumber(digits) < 256 then return string.char(tonumber(digits)), at + #digits end
  local letter = text:sub(at, at)
  return ESCAPES[letter] or letter:match "^[\"'\\/]$", at + 1
end

-- A string in quotes; nil if there is none.
function Reader:string()
  local quote, parts = self:take "[\"']", {}
  if not quote then return nil end
  while true do
    local plain = self.text:match("^[^\"'\\\n]*", self.at)
    self.at = self.at + #plain
    local c = self.text:sub(self.at, self.at)
    parts[#parts + 1] = plain
    self.at = self.at + 1
    if c == quote then return table.concat(parts) end
    if c == "" or c == "\n" then refuse(self.line, "a string that does not end") end
    if c == "\\" then
      c, self.at = escaped(self.text, self.at)
      if not c then refuse(self.line, "an unknown escape in a string") end
    end
    parts[#parts + 1] = c
  end
end

-- ---- values ----

local WORDS = {["true"] = true, ["false"] = false}
local INFINITIES = {inf = math.huge, ["-inf"] = -math.huge, ["math.huge"] = math.huge,
                    ["-math.huge"] = -math.huge}

-- A word that is no string and no table: a value, or nil and true for null.
function Reader:word()
  local line = self.line
  local text = self:take "[+-]?[%w_.]+[+-]?%d*" -- 1e-3 too
  if not text then refuse(self.line, "expected a value, got %s", self:shown()) end
  if WORDS[text] ~= nil then return WORDS[text] end
  if text == "null" or text == "nil" then return nil end
  local value = INFINITIES[text] or number.parse(text)
  if value == nil then refuse(line, "expected a value, got '%s'", text) end
  return value
end

-- The name before = or :, or nil if what comes is a value of a list.
function Reader:name()
  local at, line = self.at, self.line
  local name = self:take "[%a_][%w_]*"
  if not name and self:take "%[" then
    name = self:string()
    if not (name and self:take "%]") then name = nil end
  else
    name = name or self:string()
  end
  if name and (self:take "=" or self:take ":") then return name end
  self.at, self.line = at, line
end

local read_value

-- A table from its opening bracket on: {line =, items = {{name =, value =, line =}, ...}}.
function Reader:table(close)
  local node = {line = self.line, items = {}}
  self.depth = self.depth + 1
  if self.depth > DEPTH_MAX then refuse(self.line, "tables are nested too deep") end
  while not self:take(close) do
    self:skip()
    local item = {line = self.line}
    item.name = close == "}" and self:name() or nil
    item.value = read_value(self)
    if not item.name and item.value == nil then
      refuse(item.line, "expected a value in the list, got nothing")
    end
    node.items[#node.items + 1] = item
    if not self:take "[,;]" then
      self:skip()
      if self.text:sub(self.at, self.at) ~= close:sub(-1) then
        refuse(self.line, "expected ',' or '%s', got %s", close:sub(-1), self:shown())
      end
    end
  end
  self.depth = self.depth - 1
  return node
end

function read_value(self)
  if self:take "{" then return self:table "}" end
  if self:take "%[" then return self:table "%]" end
  local text = self:string()
  if text then return text end
  return self:word()
end

-- A node as a list of values; nil if it has names.
local function list_of(node)
  local list = {}
  for i, item in ipairs(node.items) do
    if item.name then return nil end
    list[i] = type(item.value) == "table" and list_of(item.value) or item.value
  end
  return list
end

-- Adds what a table has to `entries`, by full name and in order.
local function add_entries(node, prefix, entries, taken)
  for _, item in ipairs(node.items) do
    if not item.name then
      refuse(item.line, "expected a name before each value%s",
        prefix ~= "" and " of " .. prefix:sub(1, -2) or "")
    end
    local full, value = prefix .. item.name, item.value
    local list = type(value) == "table" and list_of(value)
    if taken[full] then refuse(item.line, "%s: given twice", full) end
    taken[full] = true
    if type(value) == "table" and not list then
      add_entries(value, full .. ".", entries, taken)
    elseif value ~= nil then
      if list then value = list end
      entries[#entries + 1] = {name = full, value = value, line = item.line}
    end
  end
end

local function read_text(text)
  local reader = setmetatable({text = text, at = 1, line = 1, depth = 0}, Reader)
  if text:sub(1, 3) == "\u{FEFF}" then reader.at = 4 end
  reader:take "return%f[%s{]"
  if not reader:take "{" then refuse(reader.line, "expected '{', got %s", reader:shown()) end
  local node, entries = reader:table "}", {}
  reader:skip()
  if reader.at <= #text then
    refuse(reader.line, "expected the end of the file, got %s", reader:shown())
  end
  add_entries(node, "", entries, {})
  return entries
end

--- Reads a text.
-- @return list of {name=, value=, line=} in its order, names with dots for nested tables, lists as
--   lists; or nil, what is wrong, line
function M.parse(text)
  local ok, result = pcall(read_text, text)
  if ok then return result end
  if type(result) ~= "table" or not result.line then error(result, 0) end
  return nil, result.message, result.line
end

--- Reads a file.
-- @return list as `parse` gives it; or nil, "FILE:LINE: what is wrong"
function M.read(path)
  local file, why = io.open(path, "rb")
  local text = file and file:read "a"
  if file then file:close() end
  if not text then return nil, strings.message("%s", why or path .. ": cannot be read") end
  local entries, fault, line = M.parse(text)
  if entries then return entries end
  return nil, strings.message("%s:%d: %s", path, line, fault)
end

-- ---- writing ----

local function quoted(text)
  text = text:gsub('[\\"]', "\\%0"):gsub("[\0-\31\127]", function(c)
    return ("\\x%02x"):format(c:byte())
  end)
  if not utf8.len(text) then
    text = text:gsub("[\128-\255]", function(c) return ("\\x%02x"):format(c:byte()) end)
  end
  return '"' .. text .. '"'
end

local function value_text(value)
  if type(value) == "string" then return quoted(value) end
  if type(value) == "number" then return number.exact(value) end
  if type(value) ~= "table" then return tostring(value) end
  local items = {}
  for i, item in ipairs(value) do items[i] = value_text(item) end
  return "{" .. table.concat(items, ", ") .. "}"
end

--- Writes values as a text that `parse` reads, a Lua table with a line for each.
-- @param flat table: values by full name
-- @param names list: their order; a name without a value is left out
function M.text(flat, names)
  local lines, open = {"{"}, ""
  for _, name in ipairs(names) do
    local group, own = name:match "^(.*)%.([^.]+)$"
    group, own = group or "", own or name
    if flat[name] ~= nil then
      if group ~= open and open ~= "" then lines[#lines + 1] = "  }," end
      if group ~= open and group ~= "" then
        lines[#lines + 1] = ("  [%s] = {"):format(quoted(group))
      end
      open = group
      local indent = group == "" and "  " or "    "
      lines[#lines + 1] = ("%s%s = %s,"):format(indent, own, value_text(flat[name]))
    end
  end
  if open ~= "" then lines[#lines + 1] = "  }," end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n") .. "\n"
end

return M
