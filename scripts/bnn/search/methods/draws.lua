--- Random numbers of keys, in double: every draw is a function of its key only.
local core = require "bnn.core"
local normal = require "bnn.base.normal"

local M = {}

-- 53 of 64 bits as a multiple of 2^-53 in [0, 1).
local function unit_of(bits) return (bits >> 11) * 0x1p-53 end

--- A number of [0, 1).
function M.uniform(key) return unit_of(core.bits(key, 1):item()) end

--- A list of n numbers of [0, 1).
function M.uniforms(key, n)
  local list = core.bits(key, n):totable()
  for i = 1, n do list[i] = unit_of(list[i]) end
  return list
end

--- A list of n standard normal numbers: quantiles of the middles of the 2^53 intervals.
function M.normals(key, n)
  local list = M.uniforms(key, n)
  for i = 1, n do list[i] = normal.quantile(list[i] + 0x1p-54) end
  return list
end

--- The numbers 1 to n in random order.
function M.permutation(key, n)
  local list, u = {}, M.uniforms(key, n)
  for i = 1, n do
    local j = math.floor(u[i] * i) + 1
    list[i] = list[j]
    list[j] = i
  end
  return list
end

--- 32 bits of a key, as an integer.
function M.bits32(key) return key:bits() & 0xffffffff end

--- The key of a redraw: that of the trial itself first, then others.
-- @param attempt integer, from 0
function M.redraw_key(key, attempt)
  return attempt == 0 and key or key:fold "redraw":fold(attempt)
end

return M
