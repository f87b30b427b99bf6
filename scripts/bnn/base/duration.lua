--- Durations for readers: "12 s", "3 min 20 s", "2 h 05 min".
local M = {}

--- The text of a duration.
-- @param seconds number
function M.text(seconds)
  local s = math.floor(math.min(seconds, 1e9) + 0.5)
  if s < 60 then return ("%d s"):format(s) end
  if s < 3600 then return ("%d min %02d s"):format(s // 60, s % 60) end
  return ("%d h %02d min"):format(s // 3600, s % 3600 // 60)
end

return M
