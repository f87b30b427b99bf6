--- Networks as a table of their layers, with what comes out of each and how many parameters it has.
local net = require "bnn.nn.base.net"
local net_summary = require "bnn.nn.base.net_summary"
local show_names = require "bnn.prompt.show_names"
local strings = require "bnn.base.strings"
local table_text = require "bnn.base.table_text"

local M = {}

local MOST = 60 -- layers

-- A row for each layer, and how many parameters they have.
local function rows_of(layers)
  local rows, total = {}, 0
  for i, l in ipairs(net_summary.rows(layers)) do
    total = total + l.parameters
    rows[i] = {l.path, l.text, net_summary.output_text(l.shape),
               net_summary.count_text(l.parameters), net_summary.weights_text(l.weights)}
  end
  return rows, total
end

--- The text of a network: a row for each layer, if net:init has seen what goes into it.
-- @param value a net or a layer
-- @param total integer or nil: how many parameters it has, of what no layer knows
function M.text(value, total)
  local layers = net.layers(value)
  local is_simple = rawget(value, "kind") and not value.container
  if not layers and is_simple then return tostring(value) end
  if not layers then
    return tostring(value) .. "\n  its layers and their shapes are known after net:init(key, x)"
  end
  local rows, sum = rows_of(layers)
  local more = #rows - MOST
  for i = #rows, MOST + 1, -1 do rows[i] = nil end
  local text = table_text.render(rows, {"layer", "made by", "output",
    {"parameters", align = "right"}, "weights"})
  local lines, room = {tostring(value)}, show_names.width() - 2
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = "  " .. strings.cut(line, room) end
  if more > 0 then lines[#lines + 1] = ("  ... %d more"):format(more) end
  lines[#lines + 1] = ("  %d parameters"):format(total or sum)
  return table.concat(lines, "\n")
end

return M
