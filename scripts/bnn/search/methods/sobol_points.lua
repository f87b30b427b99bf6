--- Points of Sobol's sequence, and Owen's scrambling of them by hashes.
--
-- Point i (from 0) is the XOR of the direction integers at the bits of i's Gray code, so that the
-- order is that of the usual implementations; it needs no state. Scrambling follows B. Burley,
-- "Practical hash-based Owen scrambling", J. Comput. Graph. Tech. 9(4), 2020, the permutation being
-- that of S. Laine and T. Karras (2011): on the reversed bits, each bit is flipped by a hash of the
-- more significant ones and the seed, which keeps every property of the net. Seeds are to be hashed
-- well; here they are bits of keys.
local sobol_directions = require "bnn.search.methods.sobol_directions"

local M = {DIMENSIONS = sobol_directions.DIMENSIONS}

--- Coordinate d of point i, as a 32-bit integer.
-- @param i integer, from 0 to 2^32 - 1
-- @param d integer, 1 to DIMENSIONS
function M.point(i, d)
  local v, x, bit = sobol_directions.of(d), 0, 1
  local gray = i ~ i >> 1
  while gray ~= 0 do
    if gray & 1 == 1 then x = x ~ v[bit] end
    gray, bit = gray >> 1, bit + 1
  end
  return x
end

local function reverse_bits(x)
  x = (x >> 1 & 0x55555555) | (x & 0x55555555) << 1
  x = (x >> 2 & 0x33333333) | (x & 0x33333333) << 2
  x = (x >> 4 & 0x0f0f0f0f) | (x & 0x0f0f0f0f) << 4
  x = (x >> 8 & 0x00ff00ff) | (x & 0x00ff00ff) << 8
  return (x >> 16 | x << 16) & 0xffffffff
end

--- Scrambles a 32-bit integer.
-- @param seed integer of 32 random bits
function M.scramble(x, seed)
  x = reverse_bits(x)
  x = x + seed & 0xffffffff
  x = (x ~ x * 0x6c50b47c) & 0xffffffff
  x = (x ~ x * 0xb82f1e52) & 0xffffffff
  x = (x ~ x * 0xc7afe638) & 0xffffffff
  x = (x ~ x * 0x8d22f6e6) & 0xffffffff
  return reverse_bits(x)
end

--- Coordinate d of the first `count` points, scrambled, as numbers of [0, 1).
-- @param seed integer of 32 random bits
function M.column(count, d, seed)
  local v, x, list = sobol_directions.of(d), 0, {}
  for i = 1, count do
    list[i] = M.unit(M.scramble(x, seed))
    local bit, rest = 1, i -- point i differs from the one before by the lowest bit of i
    while rest & 1 == 0 do rest, bit = rest >> 1, bit + 1 end
    x = x ~ v[bit]
  end
  return list
end

--- A 32-bit integer as the middle of its interval in [0, 1).
function M.unit(x) return (x + 0.5) * 0x1p-32 end

return M
