--- Minimises smooth functions of a few variables within bounds: BFGS on the variables that no bound
-- holds, with steps projected onto the bounds (D. Bertsekas, "Projected Newton methods", SIAM J.
-- Control Optim. 20, 1982).
local M = {}

local HALVINGS, DECREASE = 30, 1e-4

local function dot(a, b)
  local sum = 0
  for i = 1, #a do sum = sum + a[i] * b[i] end
  return sum
end

local function identity(n, scale)
  local h = {}
  for i = 1, n do
    h[i] = {}
    for j = 1, n do h[i][j] = i == j and scale or 0 end
  end
  return h
end

-- The gradient without what points out of the bounds.
local function projected(x, g, low, high)
  local free = {}
  for i = 1, #x do
    local is_held = low and (x[i] <= low[i] and g[i] > 0 or x[i] >= high[i] and g[i] < 0)
    free[i] = is_held and 0 or g[i]
  end
  return free
end

-- -H g for the free variables; the steepest descent where that would not descend.
local function direction(h, free)
  local p = {}
  for i = 1, #free do
    local sum = 0
    for j = 1, #free do sum = sum - h[i][j] * free[j] end
    p[i] = free[i] == 0 and 0 or sum
  end
  if dot(p, free) < 0 then return p, true end
  for i = 1, #free do p[i] = -free[i] end
  return p, false
end

local function moved(x, p, t, low, high)
  local y = {}
  for i = 1, #x do
    y[i] = x[i] + t * p[i]
    if low then y[i] = math.max(low[i], math.min(high[i], y[i])) end
  end
  return y
end

-- The first point of x + t p, x + t p / 2, ... with enough decrease; nil if there is none.
local function search(f, at, p, low, high)
  local t = 1
  for _ = 1, HALVINGS do
    local x = moved(at.x, p, t, low, high)
    local value, g = f(x)
    local bound = at.value
    for i = 1, #x do bound = bound + DECREASE * at.g[i] * (x[i] - at.x[i]) end
    if value and value <= bound then return {x = x, value = value, g = g} end
    t = t / 2
  end
end

-- The update of the inverse Hessian by a step s with the change of gradient y.
local function update(h, s, y, is_first)
  local n, sy, yy = #s, dot(s, y), dot(y, y)
  if sy <= 1e-10 * math.sqrt(dot(s, s) * yy) then return h end
  if is_first then h = identity(n, sy / yy) end
  local hy = {}
  for i = 1, n do hy[i] = dot(h[i], y) end
  local factor = (1 + dot(y, hy) / sy) / sy
  for i = 1, n do
    for j = 1, n do
      h[i][j] = h[i][j] + factor * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / sy
    end
  end
  return h
end

local function largest(g)
  local most = 0
  for i = 1, #g do most = math.max(most, math.abs(g[i])) end
  return most
end

local function difference(a, b)
  local list = {}
  for i = 1, #a do list[i] = a[i] - b[i] end
  return list
end

--- Minimises a function.
-- @param f function(x) -> value, gradient list; nil where it has no value
-- @param x list: where to start, within the bounds
-- @param opts table: low, high lists or nil; tolerance of the projected gradient's largest element;
--   iterations, at most
-- @return list x, its value; nil if f has no value at the start
function M.minimise(f, x, opts)
  local low, high, n = opts.low, opts.high, #x
  local value, g = f(x)
  if not value then return nil end
  local at, h, is_first = {x = x, value = value, g = g}, identity(n, 1), true
  for _ = 1, opts.iterations do
    local free = projected(at.x, at.g, low, high)
    local most = largest(free)
    if most < opts.tolerance then break end
    local p, is_quasi_newton = direction(h, free)
    if is_first or not is_quasi_newton then -- no scale is known: a step of at most 1
      for i = 1, n do p[i] = p[i] / math.max(1, most) end
    end
    local new = search(f, at, p, low, high)
    if not new then
      if is_first then break end
      h, is_first = identity(n, 1), true -- once more, downhill
    else
      h = update(h, difference(new.x, at.x), difference(new.g, at.g), is_first)
      at, is_first = new, false
    end
  end
  return at.x, at.value
end

return M
