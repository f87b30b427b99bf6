--- Eigenvalues and eigenvectors of small symmetric matrices by Jacobi's rotations (Golub and Van
-- Loan, "Matrix Computations", 8.5): accurate to rounding, a few sweeps of n^3.
local M = {}

local SWEEPS, PRECISION = 60, 1e-30

-- The sum of squares beside the diagonal, and of all elements.
local function squares(a, n)
  local beside, all = 0, 0
  for i = 1, n do
    for j = 1, n do
      local square = a[i][j] * a[i][j]
      all = all + square
      if i ~= j then beside = beside + square end
    end
  end
  return beside, all
end

-- The rotation that makes a[p][q] 0: cosine, sine.
local function rotation(a, p, q)
  local theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
  local t = (theta >= 0 and 1 or -1) / (math.abs(theta) + math.sqrt(theta * theta + 1))
  local c = 1 / math.sqrt(t * t + 1)
  return c, t * c
end

-- a <- J^T a J and v <- v J, for the rotation J of the axes p and q.
local function rotate(a, v, n, p, q)
  local c, s = rotation(a, p, q)
  for k = 1, n do
    local x, y = a[k][p], a[k][q]
    a[k][p], a[k][q] = c * x - s * y, s * x + c * y
  end
  for k = 1, n do
    local x, y = a[p][k], a[q][k]
    a[p][k], a[q][k] = c * x - s * y, s * x + c * y
    x, y = v[k][p], v[k][q]
    v[k][p], v[k][q] = c * x - s * y, s * x + c * y
  end
end

--- Decomposes a symmetric matrix as V diag(w) V^T.
-- @param matrix list of rows [n, n]; only read
-- @return w, list of n eigenvalues; V, list of rows [n, n] whose columns are the eigenvectors
function M.decompose(matrix)
  local n, a, v, w = #matrix, {}, {}, {}
  for i = 1, n do
    a[i], v[i] = {}, {}
    for j = 1, n do
      a[i][j], v[i][j] = (matrix[i][j] + matrix[j][i]) / 2, i == j and 1 or 0
    end
  end
  for _ = 1, SWEEPS do
    local beside, all = squares(a, n)
    if beside <= PRECISION * all then break end
    for p = 1, n - 1 do
      for q = p + 1, n do
        if a[p][q] ~= 0 then rotate(a, v, n, p, q) end
      end
    end
  end
  for i = 1, n do w[i] = a[i][i] end
  return w, v
end

return M
