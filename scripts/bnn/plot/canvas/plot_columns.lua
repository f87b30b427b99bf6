--- Columns of numbers: how figures read them from tensors and lists, and give them to gnuplot.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local number = require "bnn.base.number"
local shapes = require "bnn.base.shapes"

local M = {}

--- What errors call series i: "bnn.plot.lines: series 2 (mean)".
function M.series_name(what, given, i)
  local label = type(given.label) == "string" and (" (%s)"):format(given.label) or ""
  return ("%s: series %d%s"):format(what, i, label)
end

--- The shape of a column as text: "[5]", "[5, 1]"; of a list its length.
function M.column_shape(v) return shapes.text(type(v) == "userdata" and v or {#v}) end

-- Whether all elements lie along one axis.
local function is_vector(x)
  local most = 0
  for i = 1, x:dim() do most = math.max(most, x:size(i)) end
  return x:dim() > 0 and most == x:numel()
end

local function values_of(what, name, v)
  if type(v) == "userdata" then
    if not is_vector(v) then
      fail("%s: %s: expected [n], got %s", what, name, M.column_shape(v))
    end
    return v:contiguous():view(v:numel()):totable()
  end
  if #v == 0 and next(v) ~= nil then
    fail("%s: %s: expected a tensor or a list, got a table of named entries", what, name)
  end
  for i = 1, #v do
    if type(v[i]) ~= "number" then
      fail.expected(("%s: %s[%d]"):format(what, name, i), "a number", v[i])
    end
  end
  return v
end

--- The kind of a column in an option table.
M.COLUMN = "tensor|table"

--- A column from a tensor [n] (or [n, 1]) or a list: {name=, given=, values= a list}.
function M.column(what, name, v)
  if type(v) ~= "userdata" and type(v) ~= "table" then
    fail("%s: %s: expected a tensor or a list, got %s", what, name,
      v == nil and "nothing" or kinds.shown(v))
  end
  return {name = name, given = v, values = values_of(what, name, v)}
end

--- 1, 2, ... as a column beside another.
function M.count_up(like)
  local x = {}
  for i = 1, #like.values do x[i] = i end
  return {name = "x", given = x, values = x}
end

--- Raises unless all columns are as long as the first.
function M.check_lengths(what, columns)
  local first = columns[1]
  for _, c in ipairs(columns) do
    if #c.values ~= #first.values then
      fail("%s: %s: expected %s, as %s, got %s", what, c.name, M.column_shape(first.given),
        first.name, M.column_shape(c.given))
    end
  end
end

local MOST = 1e300 -- gnuplot takes what is greater for undefined

--- Whether a number has a place on an axis.
function M.is_drawable(v, is_log) return math.abs(v) < MOST and not (is_log and v <= 0) end

--- A block of data, and how many rows it has; where a value cannot be drawn there is an empty
-- line, which parts a line or a band.
-- @param name string
-- @param columns list of lists: x first, the others along y
-- @param log table: x=, y= whether that axis is one of logarithms
function M.block(name, columns, log)
  local rows, count, parted = {("$%s << EOD"):format(name)}, 0, false
  for i = 1, #columns[1] do
    local cells, good = {}, true
    for k, column in ipairs(columns) do
      good = good and M.is_drawable(column[i], k == 1 and log.x or k > 1 and log.y)
      cells[k] = number.format("%.12g", column[i])
    end
    if good then
      if parted and count > 0 then rows[#rows + 1] = "" end
      rows[#rows + 1], count = table.concat(cells, " "), count + 1
    end
    parted = not good
  end
  rows[#rows + 1] = "EOD\n"
  return table.concat(rows, "\n"), count
end

return M
