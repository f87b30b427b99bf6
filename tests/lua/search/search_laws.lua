--- For tests of samplers: statistics of points in the unit cube.
local M = {}

--- The distance of a sample of [0, 1] from the uniform distribution: Kolmogorov's statistic.
function M.kolmogorov(sample)
  local sorted, n, most = table.move(sample, 1, #sample, 1, {}), #sample, 0
  table.sort(sorted)
  for i, u in ipairs(sorted) do most = math.max(most, i / n - u, u - (i - 1) / n) end
  return most
end

--- The chi-square of counts against equal expectations.
function M.chi_square(counts)
  local n, sum = 0, 0
  for _, count in ipairs(counts) do n = n + count end
  local mean = n / #counts
  for _, count in ipairs(counts) do sum = sum + (count - mean) ^ 2 / mean end
  return sum
end

--- The squared centred L2 discrepancy of points (Hickernell 1998).
-- @param points list of lists
function M.discrepancy(points)
  local n, d = #points, #points[1]
  local single, double = 0, 0
  for _, x in ipairs(points) do
    local product = 1
    for k = 1, d do
      local a = math.abs(x[k] - 0.5)
      product = product * (1 + a / 2 - a * a / 2)
    end
    single = single + product
    for _, y in ipairs(points) do
      local p = 1
      for k = 1, d do
        p = p * (1 + (math.abs(x[k] - 0.5) + math.abs(y[k] - 0.5) - math.abs(x[k] - y[k])) / 2)
      end
      double = double + p
    end
  end
  return (13 / 12) ^ d - 2 / n * single + double / n ^ 2
end

--- The points of a sampler's first n proposals, as lists in the order of names.
function M.points(sampler, names, n)
  local points = {}
  for number = 1, n do
    local cfg = assert(sampler:propose(number))
    points[number] = {}
    for k, name in ipairs(names) do points[number][k] = cfg[name] end
  end
  return points
end

--- A column of points.
function M.column(points, k)
  local list = {}
  for i, x in ipairs(points) do list[i] = x[k] end
  return list
end

--- The space of d uniform parameters a, b, ... of [0, 1], and their names.
function M.cube(bnn, d)
  local given, names = {}, {}
  for k = 1, d do
    names[k] = ("x%03d"):format(k)
    given[names[k]] = bnn.space.uniform(0, 1)
  end
  return bnn.space(given), names
end

return M
