--- A few things kept by name, those that were used last: recorded steps and predictions, of which
-- every shape has its own.
local M = {}

local Kept = {}
Kept.__index = Kept

--- @param most integer: how many are kept
function M.new(most)
  return setmetatable({most = most, n = 0, uses = 0, entries = {}}, Kept)
end

--- The thing of a name, or nil.
function Kept:get(name)
  local entry = self.entries[name]
  if not entry then return nil end
  self.uses = self.uses + 1
  entry.used = self.uses
  return entry.value
end

local function forget_one(self)
  local oldest
  for name, entry in pairs(self.entries) do
    if not oldest or entry.used < self.entries[oldest].used then oldest = name end
  end
  local value = self.entries[oldest].value
  self.entries[oldest], self.n = nil, self.n - 1
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__close then meta.__close(value) end -- its memory goes at once
end

--- Keeps a thing, in place of the one that has not been used for the longest time, or of one with
-- its name: two coroutines that take turns may both have made it.
function Kept:put(name, value)
  if not self.entries[name] then
    if self.n >= self.most then forget_one(self) end
    self.n = self.n + 1
  end
  self.uses = self.uses + 1
  self.entries[name] = {value = value, used = self.uses}
  return value
end

return M
