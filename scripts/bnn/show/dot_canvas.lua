--- A canvas of dots in a terminal: braille, 2 by 4 dots a cell, or where that cannot be shown a
-- character a cell.
local M = {}

local Canvas = {}
Canvas.__index = Canvas

-- The bit of a dot in a braille cell, by column and row (Unicode 10.2: U+2800 and the dots' bits).
local BITS = {
  [0] = {[0] = 0x01, 0x02, 0x04, 0x40},
  {[0] = 0x08, 0x10, 0x20, 0x80},
}
local BRAILLE = 0x2800
local MARKS = {"*", "+", "o", "x", "#", "%", "@", "="}

--- The character that stands for a series where there is no braille.
function M.mark(turn) return MARKS[(turn - 1) % #MARKS + 1] end

--- Makes an empty canvas.
-- @param columns, rows integers
-- @param is_braille boolean
function M.new(columns, rows, is_braille)
  return setmetatable({
    columns = columns, rows = rows, is_braille = is_braille, across = is_braille and 2 or 1,
    down = is_braille and 4 or 1, bits = {}, turns = {},
  }, Canvas)
end

--- The size in dots.
function Canvas:size() return self.columns * self.across, self.rows * self.down end

--- Sets a dot, from 0, 0 in the upper left; what lies outside is left out.
-- @param turn integer: the series, which a later one covers
function Canvas:set(x, y, turn)
  local width, height = self:size()
  if x < 0 or y < 0 or x >= width or y >= height then return end
  local cell = y // self.down * self.columns + x // self.across
  local bit = self.is_braille and BITS[x % 2][y % 4] or 1
  self.bits[cell] = (self.bits[cell] or 0) | bit
  self.turns[cell] = turn
end

-- The part of a line from t = 0 to 1 at which v + t dv lies within 0..most, cut from `from`..`to`.
local function clip(v, dv, most, from, to)
  if dv == 0 then return from, v >= 0 and v <= most and to or -1 end
  local a, b = -v / dv, (most - v) / dv
  if a > b then a, b = b, a end
  return math.max(from, a), math.min(to, b)
end

--- Draws a line between two dots, of numbers that need not be whole nor inside.
function Canvas:line(x0, y0, x1, y1, turn)
  local width, height = self:size()
  local dx, dy = x1 - x0, y1 - y0
  local from, to = clip(x0, dx, width - 1, 0, 1)
  from, to = clip(y0, dy, height - 1, from, to)
  if from > to then return end
  local steps = math.max(1, math.ceil(math.max(math.abs(dx), math.abs(dy)) * (to - from)))
  for i = 0, steps do
    local t = from + (to - from) * i / steps
    self:set(math.floor(x0 + t * dx + 0.5), math.floor(y0 + t * dy + 0.5), turn)
  end
end

--- The text of a row of cells.
-- @param paint function(text, turn) -> the text in the colour of a series
function Canvas:row(y, paint)
  local parts, run, turn = {}, {}, nil
  local function finish()
    local text = table.concat(run)
    parts[#parts + 1] = turn and paint(text, turn) or text
    run = {}
  end
  for x = 0, self.columns - 1 do
    local cell = y * self.columns + x
    local bits, of = self.bits[cell], self.turns[cell]
    if of ~= turn then finish() turn = of end
    run[#run + 1] = not bits and " " or self.is_braille and utf8.char(BRAILLE + bits) or M.mark(of)
  end
  finish()
  return table.concat(parts)
end

return M
