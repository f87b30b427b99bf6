--- Base64 (RFC 4648), as data URIs have it.
local M = {}

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local digit = {}
for i = 0, 63 do digit[i] = DIGITS:sub(i + 1, i + 1) end

-- Three bytes as four digits.
local function group(bytes)
  local a, b, c = bytes:byte(1, 3)
  local bits = a << 16 | (b or 0) << 8 | (c or 0)
  return digit[bits >> 18] .. digit[bits >> 12 & 63] .. (b and digit[bits >> 6 & 63] or "=")
    .. (c and digit[bits & 63] or "=")
end

--- Encodes bytes.
-- @param bytes string
-- @return string without line ends
function M.encode(bytes) return (bytes:gsub("..?.?", group)) end

return M
