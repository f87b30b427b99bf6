--- Writes HTML that foreign text cannot break out of.
--
-- Markup is a type of its own: whatever is a string or a number is text and gets escaped, so that
-- names, notes, tracebacks and titles of others are shown as they are. Markup comes from M.element
-- and M.list alone; M.trusted makes it of a string of the program's own.
--
--     html.element("p", {class = "note"}, "a < b: ", html.element("b", nil, name))
local base64 = require "bnn.base.base64"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local strings = require "bnn.base.strings"

local M = {}

local Markup = {__name = "bnn.markup"}
Markup.__index = Markup

function Markup:__tostring() return self.text end

local ENTITIES = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
                  ["'"] = "&#39;"}

--- Escapes a value as text of a page, within quotes of an attribute too. Control characters,
-- bidirectional marks and bytes that are not UTF-8 show as \x1b, \u{202e}, \xff; newlines stay.
-- @return string
function M.escape(v)
  return (strings.shown(number.text(v), true):gsub("[&<>\"']", ENTITIES))
end

--- Markup of a string that the program itself has written: it is not escaped.
function M.trusted(text) return setmetatable({text = text}, Markup) end

local function is_markup(v) return getmetatable(v) == Markup end

-- The length of a list that may have holes.
local function length_of(list)
  local n = 0
  for i in pairs(list) do
    if math.type(i) == "integer" and i > n then n = i end
  end
  return n
end

-- Adds the text of children: markup, values that are escaped, lists of both; nil and false are
-- none.
local function add(parts, child)
  if child == nil or child == false then return end
  if is_markup(child) then
    parts[#parts + 1] = child.text
  elseif type(child) == "table" then
    for i = 1, length_of(child) do add(parts, child[i]) end
  else
    parts[#parts + 1] = M.escape(child)
  end
end

--- Markup of several children, one after the other.
-- @param children list of markup, texts, numbers and lists of them; nil and false are none
function M.list(children)
  local parts = {}
  add(parts, children)
  return M.trusted(table.concat(parts))
end

-- Attributes that load or open something: within the page, or data that it holds.
local ADDRESSES = {href = "^#", src = "^data:image/"}

local function attribute(name, v)
  if v == true then return " " .. name end
  local wanted = ADDRESSES[name]
  assert(not wanted or v:find(wanted), "a page refers to itself alone")
  return (' %s="%s"'):format(name, M.escape(v))
end

local VOID = {meta = true, img = true, wbr = true, input = true, path = true, line = true,
              circle = true, rect = true}
local SELF_CLOSED = {path = true, line = true, circle = true, rect = true} -- of SVG

--- Makes an element.
-- @param name string: the program's own, as names of attributes are
-- @param attributes table or nil: values are escaped; true: without a value; false: left out
-- @param ... children: markup, values that are escaped, lists of them; nil and false are none
-- @return markup
function M.element(name, attributes, ...)
  local parts = {"<" .. name}
  for _, key in ipairs(options.sorted_names(attributes or {})) do
    if attributes[key] ~= false then parts[#parts + 1] = attribute(key, attributes[key]) end
  end
  parts[#parts + 1] = SELF_CLOSED[name] and "/>" or ">"
  if VOID[name] then return M.trusted(table.concat(parts)) end
  for i = 1, select("#", ...) do add(parts, (select(i, ...))) end
  parts[#parts + 1] = "</" .. name .. ">"
  return M.trusted(table.concat(parts))
end

local LINKS = {"^#[%w_.-]+$", "^[%w_.-]+%.html$", "^[%w_.-]+%.html#[%w_.-]+$", "^https?://[^%s]+$"}

--- Makes a link to a page beside this one, "page.html#part", or to an address of the web.
-- @param address string
-- @param attributes table or nil, as of element
-- @param ... children
-- @return markup
-- Raises for another address.
function M.link(address, attributes, ...)
  local known = false
  for _, form in ipairs(LINKS) do known = known or address:find(form) ~= nil end
  assert(known, "a link leads to a page beside this one, or to the web")
  local tag = tostring(M.element("a", attributes, ...))
  return M.trusted(('<a href="%s"%s'):format(M.escape(address), tag:sub(3)))
end

--- Shortens a text to so many characters; what was longer ends in an ellipsis.
function M.cut(text, most)
  return strings.cut(strings.shown(number.text(text), true), most)
end

--- A picture as an element that shows it, and never runs or loads anything of it.
-- @param type string: such as "image/png"
-- @param bytes string
-- @param label string: what it shows, for those who do not see it
function M.picture(type, bytes, label)
  return M.element("img", {alt = label, loading = "lazy",
                           src = ("data:%s;base64,%s"):format(type, base64.encode(bytes))})
end

return M
