--- The logarithm of the expected improvement, with its slopes, without underflow (S. Ament et al.,
-- "Unexpected improvements to expected improvement", NeurIPS 2023).
--
-- E max(0, Y - best) for Y ~ N(mean, sigma^2) is sigma h(z), z = (mean - best) / sigma,
-- h(z) = phi(z) + z Phi(z).
local normal_mass = require "bnn.search.methods.normal_mass"

local M = {}

local exp, log, sqrt = math.exp, math.log, math.sqrt
local LOG_ROOT_TWO_PI = 0.5 * log(2 * math.pi)

--- log h(z). Below -1 it is log phi(z) + log(1 - |z| Phi(z) / phi(z)), whose bracket tends to
-- 1 / z^2.
function M.log_h(z)
  local log_phi = -0.5 * z * z - LOG_ROOT_TWO_PI
  if z > -1 then return log(exp(log_phi) + z * normal_mass.below(z)) end
  if z < -1e4 then return log_phi - 2 * log(-z) end
  return log_phi + log(1 + z * exp(normal_mass.log_below(z) - log_phi))
end

--- log EI of a mean and a variance above `best`, and its slopes in both.
function M.log_ei(mean, variance, best)
  local sigma = sqrt(variance)
  local z = (mean - best) / sigma
  local log_h = M.log_h(z)
  local d_mean = exp(normal_mass.log_below(z) - log_h) / sigma
  local d_sigma = exp(-0.5 * z * z - LOG_ROOT_TWO_PI - log_h) / sigma
  return log(sigma) + log_h, d_mean, d_sigma / (2 * sigma)
end

return M
