--- The names of the options that functions of the library take, from their documentation.
local help = require "bnn.help.help"
local strings = require "bnn.base.strings"

local M = {}

local function add(names, name)
  if name:find "^[%a_][%w_]*$" and not names[name] then
    names[name] = true
    names[#names + 1] = name
  end
end

-- "@param opts table: ..." up to the next @ or the end.
local function option_text(doc)
  local _, from = doc:find "@param %w+ table:"
  if not from then return nil end
  local text = doc:sub(from + 1)
  return text:match "^(.-)\n@" or text
end

-- Rows "name  what it is", "a, b  what they are", whose indent is that of the first row.
local function add_rows(names, text)
  local indent = text:match "\n( +)%S"
  for line in indent and text:gmatch "[^\n]+" or function() end do
    local list = line:match("^" .. indent .. "([%a_][%w_, ]-)  +%S")
    for name in (list or ""):gmatch "[%w_]+" do add(names, name) end
  end
end

-- name= in running text, not those of tables within.
local function add_inline(names, text)
  for name in text:gsub("%b{}", "{}"):gmatch "%f[%w_]([%a_][%w_]*)=" do add(names, name) end
end

-- Rows of C and of tables: "adam{lr=1e-3, ...}: what it is" with a line for each option.
local function add_params(names, doc)
  if not doc:find "^[%w_.:]+{" then return end
  for name in doc:gmatch "@param ([%w_]+)" do add(names, name) end
end

local function read(entry)
  local names, doc = {}, entry.doc or ""
  local text = option_text(doc)
  if text then
    add_rows(names, text)
    add_inline(names, text)
  end
  add_params(names, doc)
  return names
end

--- Makes the function that finds options.
-- @param bnn table: the library
-- @return function(name) -> sorted list of names; name is "bnn.train", or ":step" of a method
function M.finder(bnn)
  local entries
  return function(name)
    entries = entries or help.entries(bnn)
    local found = {}
    for _, entry in ipairs(entries) do
      local is_meant = entry.name == name or name:find "^:" and entry.name:match ":%w+$" == name
      for _, option in ipairs(is_meant and read(entry) or {}) do add(found, option) end
    end
    table.sort(found, strings.before)
    return found
  end
end

return M
