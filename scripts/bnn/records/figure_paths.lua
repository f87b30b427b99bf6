--- The names under which a record keeps the figures that a run drew elsewhere.
local M = {}

local function parts_of(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do
    if part ~= "." then parts[#parts + 1] = part end
  end
  return parts
end

-- How many first parts all paths share, their last ones aside.
local function shared(list)
  local n = #list[1] - 1
  for _, parts in ipairs(list) do
    n = math.min(n, #parts - 1)
    for i = 1, n do
      if parts[i] ~= list[1][i] then
        n = i - 1
        break
      end
    end
  end
  return n
end

--- The names of figures below the folder that all of them share.
-- @param paths list of strings, in the order in which they were drawn; one may come several times
-- @param own string: the folder of the record; what is in it already is left out
-- @return list of {path=, name=}
function M.below(paths, own)
  local list, kept, seen = {}, {}, {}
  for _, path in ipairs(paths) do
    if not seen[path] and path:sub(1, #own + 1) ~= own .. "/" then
      seen[path] = true
      list[#list + 1] = parts_of(path)
      kept[#kept + 1] = {path = path}
    end
  end
  local first = list[1] and shared(list) + 1
  for i, parts in ipairs(list) do
    local name = table.concat(parts, "/", first):gsub("%.%.", "_")
    kept[i].name = name
  end
  return kept
end

return M
