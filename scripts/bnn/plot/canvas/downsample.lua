--- Long lines made short without a difference to the eye: of the points that share a column of the
-- picture only those remain that shape it. (cairo's time for a noisy line grows with the square of
-- its points: on a busy machine 50,000 took 95 s, the 2,560 that are seen of them 0.35.)
local M = {}

local SHORT = 4 -- points to a column that are no trouble

-- Whether x never goes back; undrawable values count for nothing.
local function is_ordered(x, drawable)
  local last = -math.huge
  for _, v in ipairs(x) do
    if drawable(v) then
      if v < last then return false end
      last = v
    end
  end
  return true
end

-- The function that gives the column of a place on the axis, whole numbers.
local function column_of(x, drawable, opts)
  local function scale(v) return opts.is_log and math.log(v) or v end
  local least, most = math.huge, -math.huge
  for _, v in ipairs(opts.range or x) do
    if drawable(v) then least, most = math.min(least, v), math.max(most, v) end
  end
  if least >= most then return function() return 0 end end
  local from, per = scale(least), opts.columns / (scale(most) - scale(least))
  return function(v) return math.min(math.max((scale(v) - from) * per // 1, -1), opts.columns) end
end

-- Notes in `keep` what shapes columns of numbers in rows from..to: the ends, the extremes of each,
-- and a gap.
local function keep_shape(keep, columns, from, to, is_good)
  keep[from], keep[to] = true, true
  local gap
  for i = from, to do
    if not is_good(i) then gap = i break end
  end
  if gap then keep[gap] = true end
  for _, values in ipairs(columns) do
    local low, high
    for i = from, to do
      if is_good(i) then
        if not low or values[i] < values[low] then low = i end
        if not high or values[i] > values[high] then high = i end
      end
    end
    if low then keep[low], keep[high] = true, true end
  end
end

-- The rows first..last of each run that shares a column; what has no place belongs to the run.
local function runs(x, drawable, column)
  local list, first, at = {}, 1, nil
  for i, v in ipairs(x) do
    local here = drawable(v) and column(v) or at
    if at and here ~= at then
      list[#list + 1] = {first, i - 1}
      first = i
    end
    at = here
  end
  list[#list + 1] = {first, #x}
  return list
end

--- Columns of numbers with fewer rows; the same ones when they are short or x goes back.
-- @param columns list of lists: x first, the others along y
-- @param opts table: columns= of the picture, range= of x or nil, is_log= whether x is logarithms,
--   drawable_x=, drawable_y= functions of a number
function M.thin(columns, opts)
  local x = columns[1]
  if #x <= SHORT * opts.columns or not is_ordered(x, opts.drawable_x) then return columns end
  local others = table.move(columns, 2, #columns, 1, {})
  local function is_good(i)
    if not opts.drawable_x(x[i]) then return false end
    for _, values in ipairs(others) do
      if not opts.drawable_y(values[i]) then return false end
    end
    return true
  end
  local keep, thinned = {}, {}
  for _, run in ipairs(runs(x, opts.drawable_x, column_of(x, opts.drawable_x, opts))) do
    keep_shape(keep, others, run[1], run[2], is_good)
  end
  for k in ipairs(columns) do thinned[k] = {} end
  for i = 1, #x do
    if keep[i] then
      for k, values in ipairs(columns) do table.insert(thinned[k], values[i]) end
    end
  end
  return thinned
end

return M
