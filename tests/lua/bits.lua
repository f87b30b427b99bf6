--- For tests: whether values are the same to the last bit, and where they differ.
local lu = require "luaunit"

local M = {}

--- The elements of a tensor as a flat list of integers that hold their bits.
function M.of(x)
  local bits = {}
  for i, v in ipairs(x:reshape(x:numel()):totable()) do
    bits[i] = string.unpack("<i8", string.pack("<d", v))
  end
  return bits
end

--- Whether two tensors (or Params) have the same shape and the same bits.
function M.same(a, b)
  if a.flat and b.flat then a, b = a.flat, b.flat end
  if table.concat(a:shape(), ",") ~= table.concat(b:shape(), ",") then return false end
  local x, y = M.of(a), M.of(b)
  for i = 1, #x do
    if x[i] ~= y[i] then return false end
  end
  return true
end

function M.assert_same(a, b, why)
  if not M.same(a, b) then lu.fail((why or "") .. "\n" .. tostring(a) .. "\n" .. tostring(b)) end
end

function M.assert_differ(a, b, why)
  if M.same(a, b) then lu.fail((why or "the same bits") .. "\n" .. tostring(a)) end
end

--- Checks that f(...) raises a message that has each of the pieces; nothing live is left behind.
function M.raises(pieces, f, ...)
  local ok, message = pcall(f, ...)
  lu.assertFalse(ok, "no error, wanted: " .. tostring(pieces))
  for _, piece in ipairs(type(pieces) == "table" and pieces or {pieces}) do
    lu.assertStrContains(tostring(message), piece)
  end
end

--- What f() writes to stderr by the library.
function M.notices_of(f)
  local lines, stderr = {}, io.stderr
  io.stderr = {write = function(_, ...) lines[#lines + 1] = table.concat{...} end} -- luacheck: ignore
  local ok, fault = pcall(f)
  io.stderr = stderr -- luacheck: ignore
  if not ok then error(fault, 0) end
  return table.concat(lines)
end

return M
