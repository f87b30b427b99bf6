--- LRU caches: values by key, of which the least recently used are evicted. They hold recorded
-- programs, one for each set of input shapes.
local M = {}

local Cache = {__name = "bnn.lru_cache"}
Cache.__index = Cache

--- Makes an empty cache.
-- @param capacity integer: the largest number of values
function M.new(capacity)
  return setmetatable({capacity = capacity, size = 0, clock = 0, entries = {}}, Cache)
end

-- Marks an entry as the most recently used.
local function touch(self, entry)
  self.clock = self.clock + 1
  entry.used = self.clock
  return entry.value
end

--- Returns the value of a key, which becomes the most recently used; or nil.
function Cache:get(key)
  local entry = self.entries[key]
  return entry and touch(self, entry)
end

-- Removes the least recently used entry; a value with __close is closed, which frees its memory at
-- once.
local function evict(self)
  local lru
  for key, entry in pairs(self.entries) do
    if not lru or entry.used < self.entries[lru].used then lru = key end
  end
  local value = self.entries[lru].value
  self.entries[lru], self.size = nil, self.size - 1
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__close then meta.__close(value) end
end

--- Stores a value, evicting the least recently used one if the cache is full. It replaces a value
-- of the same key: two coroutines may both have made it.
-- @return value
function Cache:put(key, value)
  if not self.entries[key] then
    if self.size >= self.capacity then evict(self) end
    self.size = self.size + 1
  end
  local entry = {value = value}
  self.entries[key] = entry
  return touch(self, entry)
end

--- Lists the values in no particular order.
function Cache:values()
  local list = {}
  for _, entry in pairs(self.entries) do list[#list + 1] = entry.value end
  return list
end

return M
