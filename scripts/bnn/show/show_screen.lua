--- What there is to draw on: how, in how many columns and rows, and the pixels of a cell.
local core = require "bnn.core"
local terminal_answers = require "bnn.show.terminal_answers"
local text_image = require "bnn.plot.canvas.text_image"

local M = {}

--- The ways to draw that `as` names.
M.WAYS = {"kitty", "iterm2", "sixel", "blocks", "ascii"}

local PROTOCOLS = {kitty = true, iterm2 = true, sixel = true}
local COLUMNS, ROWS = 80, 24 -- of what is no terminal
local USUAL = {width = 10, height = 20} -- pixels of a cell, where nobody tells
local HALF_BLOCK = {width = 1, height = 2}

-- The size of a cell: what the terminal has answered, or by the size of its window.
local function cell_of(found, columns, rows, x, y)
  if found.cell then return found.cell end
  if not x or x < columns or y < rows then return USUAL end
  return {width = x // columns, height = y // rows}
end

-- What the terminal knows best; text without colours where it knows no more, and in a pipe.
local function best_way(depth)
  local plain = os.getenv "TERM" == "dumb" or (os.getenv "NO_COLOR" or "") ~= ""
  if plain or not core.terminal "stdout" then return "ascii", {} end
  local found = terminal_answers.find()
  return found.protocol or depth ~= "none" and "blocks" or "ascii", found
end

-- How deep the colours of blocks are, also where they were asked for and stdout has none.
local function depth_of(depth)
  if depth ~= "none" then return depth end
  local said = os.getenv "COLORTERM"
  return (said == "truecolor" or said == "24bit") and "24bit" or "256"
end

--- Finds out about the screen.
-- @param as string: one of WAYS, or nil for the best one
-- @return table: way=, is_picture= whether by a protocol for pictures, depth= "24bit", "256" or
--   "none" of colours in text; columns=, rows=, cell= {width=, height=} in pixels
function M.find(as)
  local depth = text_image.mode()
  local found = as and {} or nil
  local way = as
  if not as then way, found = best_way(depth) end
  if as and PROTOCOLS[as] and core.terminal "stdout" then found = terminal_answers.find() end
  local columns, rows, x, y = core.terminal_size()
  local screen = {
    way = way, is_picture = PROTOCOLS[way] or false, columns = columns or COLUMNS,
    rows = rows or ROWS, depth = way == "ascii" and "none" or way == "blocks" and depth_of(depth)
      or depth,
  }
  screen.cell = screen.is_picture and cell_of(found, columns, rows, x, y) or HALF_BLOCK
  return screen
end

return M
