--- The Pareto set of points with objectives to minimise or maximise.
local expect = require "bnn.base.expect"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local pareto = require "bnn.search.methods.pareto"

local M = {}

-- A point with the signs that make less better; nil if it has a NaN.
local function signed(what, point, modes, i)
  if type(point) ~= "table" or #point == 0 or #point ~= #modes then
    fail("%s: point %d: expected a list of %d numbers, got %s", what, i, #modes, kinds.show(point))
  end
  local list = {}
  for k, v in ipairs(point) do
    if type(v) ~= "number" then
      fail("%s: point %d: expected numbers, got %s", what, i, kinds.show(v))
    end
    if v ~= v then return nil end
    list[k] = modes[k] == "max" and -v or v
  end
  return list
end

--- Finds the places of the points that no other dominates.
-- @param what string: the function, for messages
-- @param points list of lists
-- @param mode "min", "max", or a list of these; nil for "min"
function M.find(what, points, mode)
  expect.plain_table(what .. ": points", points, "a list of points")
  local modes, list, places = {}, {}, {}
  local first = type(points[1]) == "table" and #points[1] or 1
  for k = 1, type(mode) == "table" and #mode or first do
    modes[k] = expect.value(what .. ": mode", type(mode) == "table" and mode[k] or mode or "min",
      {type = "string", choices = {"max", "min"}})
  end
  for i, point in ipairs(points) do
    list[i] = signed(what, point, modes, i)
    if list[i] then places[#places + 1] = i end
    list[i] = list[i] or {}
  end
  return pareto.front(list, places)
end

return M
