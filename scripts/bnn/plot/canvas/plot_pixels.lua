--- Images in figures: their shape, and how gnuplot draws their pixels.
local fail = require "bnn.base.fail"
local gnuplot = require "bnn.plot.canvas.gnuplot"
local shapes = require "bnn.base.shapes"

local M = {}

--- x as [n, h, w]; raises unless it is that or [n, 1, h, w], with pixels.
function M.images(what, x)
  local shape = shapes.text(x)
  if x:dim() == 4 and x:size(2) == 1 then x = x:select(2, 1) end
  if x:dim() ~= 3 then
    fail("%s: x: expected [n, h, w] or [n, 1, h, w], got %s", what, shape)
  end
  if x:numel() == 0 then fail("%s: x: expected at least one pixel, got %s", what, shape) end
  return x
end

--- Each element of x [h, w] as a square of `scale` by `scale`.
function M.enlarge(x, scale)
  local h, w = x:size(1), x:size(2)
  local each = x:contiguous():view(h, 1, w, 1):broadcast_to(h, scale, w, scale)
  return each:contiguous():view(h * scale, w * scale)
end

--- How many pixels each way stand for one where gnuplot puts an image of h by w pixels into a path:
-- viewers of SVG blur where two meet, and gnuplot draws no image that is a single row or column.
function M.repeats(path, h, w)
  local least = math.min(h, w) == 1 and 2 or 1
  if gnuplot.kind_of(path) ~= "svg" then return least end
  return math.max(math.ceil(256 / math.max(h, w)), least)
end

--- What plots a block that is a matrix in colours, each element of which stands k times each way.
-- @param x string, y string: formats of a column and a row, counted from 0, as places on the axes
function M.image_item(name, k, x, y)
  local column, row = ("(($1+0.5)/%d-0.5)"):format(k), ("(($2+0.5)/%d-0.5)"):format(k)
  return ("plot $%s matrix using (%s):(%s):3 with image\n"):format(name, x:format(column),
    y:format(row))
end

return M
