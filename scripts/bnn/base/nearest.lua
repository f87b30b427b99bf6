--- Finds the known name nearest to a mistyped one.
-- Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours
-- each cost 1, so `beat` is one step from `beta`.
local strings = require "bnn.base.strings"

local M = {}

--- Computes the edit distance between two strings; a swap of neighbouring letters counts as one.
function M.distance(a, b)
  local before, above = nil, {}
  for j = 0, #b do above[j] = j end
  for i = 1, #a do
    local row = {[0] = i}
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (same and 0 or 1))
      local swapped = i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j)
      if swapped then row[j] = math.min(row[j], before[j - 2] + 1) end
    end
    before, above = above, row
  end
  return above[#b]
end

-- How far `word` is from `name`, or nil when nobody would call them near. The start of a longer
-- name counts as near (`batch` for `batch_size`), after real misspellings.
local function nearness(word, name)
  local limit = math.max(1, #word * 2 // 5)
  if math.abs(#word - #name) <= limit then
    local distance = M.distance(word, name)
    if distance <= limit and distance < #word then return distance end -- something must agree
  end
  if #word >= 3 and name:sub(1, #word) == word then return limit + 1 end
end

--- Lists the names that are near to `word`, the nearest first, at most `count` (default 3).
function M.list(word, names, count)
  local found = {}
  for _, name in ipairs(names) do
    local distance = nearness(strings.lower(word), strings.lower(name))
    if distance then found[#found + 1] = {name = name, distance = distance} end
  end
  table.sort(found, function(a, b)
    if a.distance ~= b.distance then return a.distance < b.distance end
    return strings.before(a.name, b.name)
  end)
  local near = {}
  for i = 1, math.min(count or 3, #found) do near[i] = found[i].name end
  return near
end

--- Returns the name of a list that is nearest to `word`, or nil if none is near.
function M.find(word, names)
  return M.list(word, names, 1)[1]
end

return M
