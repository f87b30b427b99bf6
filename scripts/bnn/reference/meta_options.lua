--- What definitions for editors say of options: their types, and the classes of the tables that
-- hold them.
local doc_types = require "bnn.reference.doc_types"
local meta_names = require "bnn.reference.meta_names"
local strings = require "bnn.base.strings"

local M = {}

-- What a default says: that of the option, or "default 128: ..." in its text.
local function of_default(item)
  local default = item.default or item.text:match "^default ([%w.%-]+)"
  return default and doc_types.of_default(default)
end

--- The type of a parameter or option. A text that several options share says less of each than its
-- name does.
-- @param item table: name, text, default
-- @param is_shared boolean
-- @param is_result boolean: whether a function returns it
-- @return string
function M.type_of(item, is_shared, is_result)
  if meta_names.is_fixed(item.name) then return meta_names.of(item.name) end
  local said = doc_types.of(item.text)
  if said == "any" then said = nil end
  if said == "bnn.Part" then said = "bnn.Part|table" end -- {x=, y=} often does
  if said and not is_result and said:find "^bnn%.Tensor" and not item.text:find "^tensor" then
    said = said .. "|table" -- a list of numbers does where a text says a shape alone
  end
  local known = of_default(item) or meta_names.of(item.name)
  local is_word = said and item.default and said:find '^"' and item.default:find '^"'
  if is_word and said ~= item.default then return item.default .. "|" .. said end
  if is_shared then return known or said or "any" end
  return said or known or "any"
end

local function is_shared(items, i)
  local text = items[i].text
  return items[i - 1] and items[i - 1].text == text or items[i + 1] and items[i + 1].text == text
end

--- A type that may be left out: "T?", or with alternatives "T|nil".
function M.optional(given)
  if given == "any" or given:find "%f[%a]nil%f[%A]" then return given end
  return given:find "[|(]" and given .. "|nil" or given .. "?"
end

--- An annotation with a text behind it, on one line.
function M.annotated(annotation, text)
  text = strings.cut(text:gsub("%s+", " "), 240)
  return text == "" and annotation or annotation .. " # " .. text
end

-- Whether a field is always there: of what a function returns, unless its text speaks of nil; of
-- options, if the text says that it is required.
local function is_there(item, is_result)
  if is_result then return not item.text:find "%f[%a]nil%f[%A]" end
  return item.text:find "required" and not item.text:find "required for"
end

--- The class of a table of options, its lines added to `types`.
-- @param types list of lists of lines, the third of each being that of the class
-- @param name string: of the class
-- @param items list of options, as entry_fields gives them
-- @param about string: its first line
-- @param is_result boolean: whether a function returns it
-- @param above string or nil: the class that it adds fields to
-- @return the name
function M.add(types, name, items, about, is_result, above)
  local lines = {"", "---" .. about, "---@class " .. name .. (above and ": " .. above or "")}
  types[#types + 1] = lines
  for i, item in ipairs(items) do
    local given = item.options and M.add(types, name .. "." .. item.name, item.options,
      "Options " .. item.name .. " of " .. name .. ".", is_result)
      or M.type_of(item, not is_result and is_shared(items, i), is_result)
    local is_needed = is_there(item, is_result)
    local field = is_needed and item.name or item.name .. "?"
    if not lines[item.name] then
      lines[item.name] = true
      lines[#lines + 1] = M.annotated(("---@field %s %s"):format(field, given), item.text)
    end
  end
  if is_result then lines[#lines + 1] = "---@field [string] any" end
  return name
end

return M
