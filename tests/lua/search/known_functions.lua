--- Functions with known minima, for tests and benchmarks of searches.
local M = {}

--- Branin over x in [-5, 10], y in [0, 15]: 0.39788736 at (pi, 2.275), (-pi, 12.275) and
-- (9.42478, 2.475).
function M.branin(x, y)
  local b, c, t = 5.1 / (4 * math.pi ^ 2), 5 / math.pi, 1 / (8 * math.pi)
  return (y - b * x ^ 2 + c * x - 6) ^ 2 + 10 * (1 - t) * math.cos(x) + 10
end
M.branin_least = 0.39788735772973816

local ALPHA = {1, 1.2, 3, 3.2}
local A = {
  {10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8},
  {17, 8, 0.05, 10, 0.1, 14},
}
local P = {
  {1312, 1696, 5569, 124, 8283, 5886}, {2329, 4135, 8307, 3736, 1004, 9991},
  {2348, 1451, 3522, 2883, 3047, 6650}, {4047, 8828, 8732, 5743, 1091, 381},
}

--- Hartmann's function of a list of 6 numbers in [0, 1]: -3.32236801 at hartmann6_at.
function M.hartmann6(x)
  local sum = 0
  for i, alpha in ipairs(ALPHA) do
    local square = 0
    for k = 1, 6 do square = square + A[i][k] * (x[k] - 1e-4 * P[i][k]) ^ 2 end
    sum = sum - alpha * math.exp(-square)
  end
  return sum
end
M.hartmann6_least = -3.322368011415515
M.hartmann6_at = {0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730053}

return M
