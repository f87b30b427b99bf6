--- Columns from rows of Lua: a table for each, {rooms = 3, kind = "flat"}, as pandas takes a list
-- of dicts.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local strings = require "bnn.base.strings"

local M = {}

--- Whether entries of a list are rows: columns {name=, values=} have their values in a list or a
-- tensor, of which a row has none.
function M.are_rows(given)
  for _, entry in ipairs(given) do
    if type(entry.values) == "table" or type(entry.values) == "userdata" then return false end
  end
  return #given > 0
end

local VALUES = {number = true, string = true, boolean = true}

local function check_cell(what, i, name, v)
  if type(name) ~= "string" then
    fail("%s: row %d: expected names of columns, got the key %s", what, i, kinds.show(name))
  elseif not VALUES[type(v)] then
    fail("%s: row %d: %s: expected a number, a string or a boolean, got %s (a column is {name =, "
      .. "values =})", what, i, name, kinds.show(v))
  end
end

--- Turns rows into columns, in the order of their names; what a row does not have is missing.
-- @param what string: the function, for messages
-- @param rows list of tables by the columns' names
-- @return list of {name=, values=}, with n=
function M.columns(what, rows)
  if rows.n then fail("%s: n: expected columns beside it, got rows, which are counted", what) end
  local by_name, columns = {}, {n = #rows}
  for i, row in ipairs(rows) do
    for name, v in pairs(row) do
      check_cell(what, i, name, v)
      local column = by_name[name] or {name = name, values = {}}
      column.values[i] = v
      if not by_name[name] then by_name[name], columns[#columns + 1] = column, column end
    end
  end
  table.sort(columns, function(a, b) return strings.before(a.name, b.name) end)
  return columns
end

return M
