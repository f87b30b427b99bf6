--- Summaries of networks: a row for each layer, and totals.
local parameters = require "bnn.params.params"
local shapes = require "bnn.base.shapes"
local table_text = require "bnn.base.table_text"

local M = {}

local Summary = {__name = "bnn.net_summary"}
Summary.__index = Summary

--- "[n, 64]" of a layer's output for one row; "" if that is no tensor.
function M.output_text(shape)
  return shape and "[" .. table.concat({"n", table.unpack(shape, 2)}, ", ") .. "]" or ""
end

--- "w [784, 64], b [64]"
function M.weights_text(weights)
  local texts = {}
  for i, weight in ipairs(weights) do texts[i] = weight[1] .. " " .. shapes.text(weight[2]) end
  return table.concat(texts, ", ")
end

--- The layers that are no containers of others, which would count twice.
-- @param layers list as net.layers gives it
function M.rows(layers)
  local rows = {}
  for _, l in ipairs(layers) do
    if not l.is_container then rows[#rows + 1] = l end
  end
  return rows
end

--- A number as a cell of a column: "" for 0.
function M.count_text(n) return n > 0 and ("%d"):format(n) or "" end

--- A summary of a network.
-- @param layers list as net.layers gives it
-- @param entries list of {name=, shape=}: its parameters and state
-- @param multiply_adds integer: of one example
function M.new(net, layers, entries, multiply_adds)
  local self = {layers = M.rows(layers), parameters = 0, state = 0, text = tostring(net),
                multiply_adds = multiply_adds, flops = 2 * multiply_adds}
  for _, entry in ipairs((parameters.layout(entries))) do
    local field = parameters.is_state(entry.name) and "state" or "parameters"
    self[field] = self[field] + entry.size
  end
  return setmetatable(self, Summary)
end

function Summary.__tostring(self)
  local rows = {}
  for i, l in ipairs(self.layers) do
    rows[i] = {l.path, l.text, M.output_text(l.shape), M.count_text(l.parameters),
               M.count_text(l.multiply_adds)}
  end
  local state = self.state > 0 and (", %d numbers of state"):format(self.state) or ""
  return ("%s\n%s\n%d parameters%s, %d multiply-adds (%d flops) an example"):format(self.text,
    table_text.render(rows, {"layer", "made by", "output", {"parameters", align = "right"},
      {"multiply-adds", align = "right"}}):gsub("\n$", ""), self.parameters, state,
    self.multiply_adds, self.flops)
end

return M
