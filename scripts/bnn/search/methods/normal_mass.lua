--- Masses of intervals under the standard normal distribution, in the logarithm, with full
-- precision in both tails.
--
-- W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969):
-- relative error about 1e-16 in each of three ranges. Beyond, erfc underflows and only the scaled
-- erfcx(x) = exp(x^2) erfc(x) is used.
local normal = require "bnn.base.normal"

local M = {}

local exp, log, sqrt = math.exp, math.log, math.sqrt
local ROOT_HALF, ROOT_PI = sqrt(0.5), sqrt(math.pi)

-- Numerator and denominator, highest power first.
local SMALL = {
  {1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2,
   3.20937758913846947e3},
  {1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3},
}
local MIDDLE = {
  {2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
   2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
   1.23033935479799725e3},
  {1, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
   3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3},
}
local LARGE = {
  {1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
   1.60837851487422766e-2, 6.58749161529837803e-4},
  {1, 2.56852019228982242, 1.87295284992346047, 5.27905102951428412e-1, 6.05183413124413191e-2,
   2.33520497626869185e-3},
}

local function ratio(rows, x)
  local above, below, over, under = rows[1], rows[2], 0, 0
  for i = 1, #above do over = over * x + above[i] end
  for i = 1, #below do under = under * x + below[i] end
  return over / under
end

-- exp(x^2) erfc(x) for x >= 0.46875.
local function scaled_tail(x)
  if x <= 4 then return ratio(MIDDLE, x) end
  local r = 1 / (x * x)
  return (1 / ROOT_PI - r * ratio(LARGE, r)) / x
end

--- The logarithm of the probability that a standard normal is below z.
function M.log_below(z)
  local x = math.abs(z) * ROOT_HALF
  if x < 0.46875 then return log(0.5 + 0.5 * z * ROOT_HALF * ratio(SMALL, x * x)) end
  if z < 0 then return log(0.5 * scaled_tail(x)) - x * x end
  local tail = 0.5 * scaled_tail(x) * exp(-x * x)
  return tail > 1e-5 and log(1 - tail) or -tail - tail * tail / 2
end

--- The probability that a standard normal is below z.
function M.below(z) return exp(M.log_below(z)) end

--- The logarithm of the probability that a standard normal is in [a, b], a < b. Intervals in the
-- upper tail are mirrored, so that nothing cancels.
function M.log_between(a, b)
  if a > 0 then a, b = -b, -a end
  local upper = M.log_below(b)
  local difference = M.log_below(a) - upper -- below 0
  if difference > -1e-10 then return upper + log(-difference) end
  return upper + log(1 - exp(difference))
end

--- The standard normal that is truncated to [a, b], with a <= 0 <= b: its quantile of u in [0, 1).
function M.truncated_quantile(u, a, b)
  local p, q = M.below(a), M.below(-b) -- the tails that are cut off
  local lower, upper = p + u * (1 - p - q), q + (1 - u) * (1 - p - q)
  local z = lower < upper and normal.quantile(lower) or -normal.quantile(upper)
  return math.max(a, math.min(b, z))
end

return M
