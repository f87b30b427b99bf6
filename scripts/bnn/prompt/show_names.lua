--- Lists of names in columns of the terminal's width.
local core = require "bnn.core"
local strings = require "bnn.base.strings"

local M = {}

local MOST = 200 -- names

--- The width of the terminal behind stdout, 80 if there is none.
function M.width()
  local width = core.terminal "stdout"
  return width and width >= 20 and width or 80
end

--- The names of a table's fields that are strings, in order.
function M.sorted(t)
  local names = {}
  for name in next, t do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names, strings.before)
  return names
end

--- The text of a list of names in columns, read downwards.
-- @param names list of strings
function M.columns(names)
  local wide = 1
  for _, name in ipairs(names) do wide = math.max(wide, #name + 2) end
  local count = math.min(#names, MOST)
  local per_line = math.max(1, M.width() // wide)
  local rows, lines = math.ceil(count / per_line), {}
  for row = 1, rows do
    local cells = {}
    for i = row, count, rows do
      cells[#cells + 1] = strings.shown(names[i]) .. (" "):rep(wide - #names[i])
    end
    lines[row] = table.concat(cells):gsub(" +$", "")
  end
  if count < #names then lines[#lines + 1] = ("... %d more"):format(#names - count) end
  return table.concat(lines, "\n")
end

return M
