--- The standard normal distribution: its quantiles and its tail.
--
-- Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics
-- 37 (1988), routine PPND16: a rational function in the middle and two in the tails, relative error
-- about 1e-16.
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"

local M = {}

-- Numerator and denominator, highest power first: |p - 1/2| <= 0.425; then in the tails
-- sqrt(-log p) <= 5, and beyond.
local MIDDLE = {
  {2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
   13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080},
  {5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
   5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1},
}
local NEAR = {
  {7.74545014278341407640e-4, 2.27238449892691845833e-2, 0.241780725177450611770,
   1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550,
   4.63033784615654529590, 1.42343711074968357734},
  {1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
   0.148103976427480074590, 0.689767334985100004550, 1.67638483018380384940,
   2.05319162663775882187, 1},
}
local FAR = {
  {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
   2.65321895265761230930e-2, 0.296560571828504891230, 1.78482653991729133580,
   5.46378491116411436990, 6.65790464350110377720},
  {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
   7.86869131145613259100e-4, 1.48753612908506148525e-2, 0.136929880922735805310,
   0.599832206555887937690, 1},
}

local function horner(coefficients, r)
  local sum = 0
  for _, c in ipairs(coefficients) do sum = sum * r + c end
  return sum
end

local function ratio(rows, r) return horner(rows[1], r) / horner(rows[2], r) end

--- Computes the z below which a standard normal lies with probability p; -inf at 0, inf at 1.
--     bnn.metrics.normal_quantile(0.975)                -- 1.960
-- @param p number in [0, 1]
-- @return number
-- Raises if p is not in [0, 1].
function M.quantile(p)
  if type(p) ~= "number" or not (p >= 0 and p <= 1) then
    fail("bnn.metrics.normal_quantile: p: expected a number in [0, 1], got %s", kinds.show(p))
  end
  local q = p - 0.5
  if math.abs(q) <= 0.425 then return q * ratio(MIDDLE, 0.180625 - q * q) end
  local tail = q < 0 and p or 1 - p
  if tail == 0 then return q < 0 and -math.huge or math.huge end
  local r = math.sqrt(-math.log(tail))
  local z = r <= 5 and ratio(NEAR, r - 1.6) or ratio(FAR, r - 5)
  return q < 0 and -z or z
end

local NEAR_0 = 2.5 -- where the series needs few terms and the fraction would need many

-- The integral of the density from 0 to x: x exp(-x^2/2) (1 + x^2/3 + x^4/(3 5) + ...), all terms
-- of one sign.
local function from_zero(x)
  local sum, term, k = 0, x, 1
  repeat
    sum, term, k = sum + term, term * x * x / (k + 2), k + 2
  until math.abs(term) < 1e-17 * math.abs(sum) or term == 0
  return sum * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
end

-- Laplace's continued fraction of the tail, 1 / (x + 1 / (x + 2 / (x + 3 / ...))), from its end.
local function far_tail(x)
  local fraction = x
  for k = 100, 1, -1 do fraction = x + k / fraction end
  return math.exp(-x * x / 2) / math.sqrt(2 * math.pi) / fraction
end

--- The probability that a standard normal is above x, to a relative error of 1e-13 for x up to 20.
function M.tail(x)
  if x < 0 then return 1 - M.tail(-x) end
  if x == math.huge then return 0 end
  return x <= NEAR_0 and 0.5 - from_zero(x) or far_tail(x)
end

return M
