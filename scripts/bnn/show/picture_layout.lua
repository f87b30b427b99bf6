--- How images are laid out on a screen: how many, at which size, how many in a row.
--
-- Images are drawn as large as all of them fit: by whole factors, else shrunk to what has room, but
-- not below a size at which they can be told apart; of those that do not fit then, the first are
-- shown. With labels, each image takes whole columns of the terminal, so that the text stands over
-- it.
local M = {}

-- Pixels of the longer side: the greatest to which images are enlarged, and the least to which
-- several are shrunk.
local PICTURE, TEXT = {most = 280, least = 24}, {most = 40, least = 12}
local ROWS_LEFT = 3 -- of the terminal: the line before, and the prompt

-- Adds what has room, smaller than w, for 1, 2, ... of a length side by side.
local function add_shares(widths, room, gap, least, most, to_width)
  for count = 1, 1000 do
    local width = to_width((room + gap) // count - gap)
    if width < least then break end
    if width < most then widths[#widths + 1] = width end
  end
end

-- Widths at which images [h, w] may be drawn, from the greatest.
local function widths_of(space, h, w)
  local limits, widths, longer = space.limits, {}, math.max(h, w)
  local most = space.is_filled and space.width // w or limits.most // longer
  for k = math.max(1, most), 1, -1 do widths[#widths + 1] = k * w end
  local least = math.max(1, math.min(w, w * limits.least // longer))
  add_shares(widths, space.width, space.gap, least, w, function(size) return size end)
  add_shares(widths, space.height, space.gap, least, w, function(size) return size * w // h end)
  table.sort(widths, function(a, b) return a > b end)
  return widths
end

-- The width at which as many have room in a row as was asked for, or one, however small they are.
local function last_width(space, w)
  local width = (space.width + space.gap) // (space.across or 1) - space.gap
  return math.max(1, math.min(w, width))
end

local function up_to(size, unit) return (size + unit - 1) // unit * unit end

-- The grid of n images at a width.
local function grid_at(space, n, h, w, width)
  local cell = space.cell
  local height = math.max(1, (h * width + w // 2) // w)
  local pitch, down = width + space.gap, height + space.gap
  if space.letters then
    pitch = up_to(math.max(pitch, (space.letters + 1) * cell.width), cell.width)
    down = up_to(height, cell.height) + space.lines * cell.height
  end
  local across = math.max(1, math.min(n, space.across or (space.width + space.gap) // pitch))
  return {
    width = width, height = height, pitch = pitch, down = down, across = across,
    fits_across = across * pitch - space.gap <= space.width,
    rows_fit = (space.height + space.gap) // down, gap = space.gap,
  }
end

-- Enlarged images stand in a grid that is no taller than wide: two small ones beside each other.
local function is_wide(grid, n, w)
  return grid.width <= w or grid.across * grid.across >= n
end

-- Whether all n have room.
local function fits(space, grid, n)
  if not grid.fits_across then return false end
  if space.is_filled or space.across then return true end
  return (n + grid.across - 1) // grid.across <= grid.rows_fit
end

-- The screen as room for images, in pixels.
local function space_of(screen, n, opts)
  local cell, columns = screen.cell, math.min(opts.width or screen.columns, 1000)
  return {
    cell = cell, gap = screen.is_picture and 2 or 1, limits = screen.is_picture and PICTURE or TEXT,
    width = columns * cell.width, is_filled = opts.width and n == 1,
    across = opts.across and math.min(opts.across, n),
    height = math.max(8, screen.rows - ROWS_LEFT) * cell.height,
    letters = opts.letters, lines = opts.lines,
  }
end

--- Lays out n images of h by w pixels.
-- @param screen table, as show_screen.find returns it
-- @param opts table: width= in columns of the terminal, across= images in a row, count= how many at
--   most however many have room; letters= columns and lines= lines of a label, or nil
-- @return table: width=, height= of an image, gap=, pitch= from one to the next, in pixels; across=
--   images in a row, count= that are shown
function M.plan(screen, n, h, w, opts)
  local space, best = space_of(screen, n, opts), nil
  for _, width in ipairs(widths_of(space, h, w)) do
    local grid = grid_at(space, n, h, w, width)
    if grid.fits_across then best = grid end
    if fits(space, grid, n) and (space.across or is_wide(grid, n, w)) then break end
  end
  best = best or grid_at(space, n, h, w, last_width(space, w))
  local room = best.across * math.max(1, best.rows_fit)
  best.count = (fits(space, best, n) or opts.count) and n or math.min(n, room)
  return best
end

return M
