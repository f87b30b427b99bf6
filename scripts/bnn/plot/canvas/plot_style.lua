--- What series look like: their colours, dashes, marks and hatches, each taken in turn.
local fail = require "bnn.base.fail"
local nearest = require "bnn.base.nearest"
local number = require "bnn.base.number"
local options = require "bnn.base.options"

local M = {}

--- The colours by name: those of Okabe and Ito, which the colour-blind can tell apart, and a grey.
M.colours = {
  blue = "#0072b2", orange = "#e69f00", green = "#009e73", vermillion = "#d55e00",
  purple = "#cc79a7", sky = "#56b4e9", black = "#000000", yellow = "#f0e442", grey = "#7f7f7f",
}

--- The greys of lines and letters, of what is beside them, and of the grid.
M.INK, M.RULE, M.GRID = "#333333", "#666666", "#e4e4e4"

-- Neighbours differ in grey as well; yellow, which is hardly seen there, has no turn. What is
-- in-distribution comes first, and is blue.
local TURNS = {"blue", "orange", "green", "vermillion", "purple", "sky", "black", "grey"}

--- A colour as gnuplot reads it: one by name, "#rrggbb", or (nil) that of a turn.
function M.colour(what, colour, turn)
  if not colour then return M.colours[TURNS[(turn - 1) % #TURNS + 1]] end
  local known = M.colours[colour] or colour:match "^#%x%x%x%x%x%x$"
  if known then return known end
  local names = options.sorted_names(M.colours)
  local near = nearest.find(colour, names)
  fail("%s: colour: expected #rrggbb or one of %s%s, got %q", what, table.concat(names, ", "),
    near and (" (did you mean %s?)"):format(near) or "", colour)
end

--
-- Series differ in black and white as well: lines by their dashes, points by their marks, areas by
-- their hatching.

local DASHES = {"", "(9,4)", "(2,3)", "(9,3,2,3)", "(5,3)", "(9,3,2,3,2,3)", "(4,6)", "(14,4)"}
local MARKS = {7, 4, 9, 12, 11, 6, 5, 8} -- a filled circle, an open square, a filled triangle, ...
local HATCHES = {false, 4, 5, 1, 6, 2, 7, false} -- gnuplot's patterns; false: plain

local function in_turn(list, turn) return list[(turn - 1) % #list + 1] end

--- How a line is dashed in its turn, as an option of gnuplot's; the first is not.
function M.dashes(turn)
  local dashes = in_turn(DASHES, turn)
  return dashes ~= "" and " dt " .. dashes or ""
end

--- The number of a mark.
function M.mark(turn) return in_turn(MARKS, turn) end

--- How an area is filled: evenly, of so much opacity, or hatched.
function M.fill(turn, opacity)
  local hatch = in_turn(HATCHES, turn)
  return hatch and ("fs transparent pattern %d"):format(hatch)
    or number.format("fs transparent solid %g", opacity)
end

--- The turn of each series: its label's place in an order, and after that, or without one, as they
-- come.
-- @param series list of tables, label= string or nil
-- @param order list of strings, or nil
function M.turns(series, order)
  local places, turns, later = {}, {}, order and #order or 0
  for i, label in ipairs(order or {}) do places[label] = places[label] or i end
  for i, s in ipairs(series) do
    local place = places[s.label or ""]
    if not place then later = later + 1 end
    turns[i] = place or later
  end
  return turns
end

return M
