--- Points of Halton's sequence with permuted digits.
--
-- Coordinate d of point i is the radical inverse of i in the d-th prime b: sum_j pi_j(a_j) b^(-j-1)
-- for the digits a_j of i, with a random permutation pi_j for each place j (random digit
-- scrambling; J. Matousek, "On the L2-discrepancy for anchored boxes", J. Complexity 14, 1998). It
-- breaks the correlation of high dimensions that plain Halton points are known for. Places go on,
-- with permuted zeros, until they are below the resolution of a double.
local draws = require "bnn.search.methods.draws"

local M = {}

local primes = {2}

local function is_prime(n)
  for _, p in ipairs(primes) do
    if p * p > n then return true end
    if n % p == 0 then return false end
  end
end

--- The d-th prime.
function M.prime(d)
  local n = primes[#primes]
  while not primes[d] do
    n = n + 1
    if is_prime(n) then primes[#primes + 1] = n end
  end
  return primes[d]
end

--- The digit permutations of a dimension, which are made when they are needed.
-- @param key key of the dimension
-- @return table: place from 0 -> list of the digits 0 to b - 1, at 1 to b
function M.permutations(key, d)
  local b = M.prime(d)
  return setmetatable({}, {__index = function(self, place)
    local list = draws.permutation(key:fold(place), b)
    for i = 1, b do list[i] = list[i] - 1 end
    self[place] = list
    return list
  end})
end

--- Coordinate d of point i.
-- @param i integer, from 0
-- @param permutations as above; without, the plain radical inverse
-- @return number in [0, 1)
function M.point(i, d, permutations)
  local b, u, scale, place = M.prime(d), 0.0, 1.0, 0
  while permutations and scale > 0x1p-53 or i > 0 do
    local digit = i % b
    i, scale = i // b, scale / b
    u = u + scale * (permutations and permutations[place][digit + 1] or digit)
    place = place + 1
  end
  return math.min(u, 1 - 0x1p-53)
end

return M
