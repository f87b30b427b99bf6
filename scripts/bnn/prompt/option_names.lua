--- The names of the options that functions of the library take, from their documentation.
local entry_fields = require "bnn.help.entry_fields"
local help = require "bnn.help.help"
local strings = require "bnn.base.strings"

local M = {}

local function add(names, name)
  if name:find "^[%a_][%w_]*$" and not names[name] then
    names[name] = true
    names[#names + 1] = name
  end
end

-- The names that the documentation of a function lists.
local function read(entry)
  local names = {}
  for _, param in ipairs(entry_fields.read(entry).params) do
    for _, option in ipairs(param.options or {}) do add(names, option.name) end
  end
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
