--- Non-dominated points of several objectives, all minimised: ranks, hypervolumes, subsets.
--
-- Ranks are those of Goldberg (1989): rank 1 is not dominated, rank 2 only by rank 1, and so on.
-- Hypervolumes are exclusive volumes summed over the points (L. While et al., "A fast way of
-- calculating exact hypervolumes", IEEE Trans. Evol. Comput. 16, 2012). A subset is chosen
-- greedily, which gets at least 1 - 1/e of the best subset's volume (A. Guerreiro et al., 2016).
local M = {}

--- Whether a is nowhere worse than b and somewhere better. Points have no NaN.
function M.dominates(a, b)
  local better = false
  for i = 1, #a do
    if a[i] > b[i] then return false end
    better = better or a[i] < b[i]
  end
  return better
end

--- The places of the points that no other dominates.
-- @param places list of places to look at, default all
function M.front(points, places)
  local front = {}
  if not places then
    places = {}
    for i = 1, #points do places[i] = i end
  end
  for _, i in ipairs(places) do
    local is_dominated = false
    for _, j in ipairs(places) do
      is_dominated = is_dominated or M.dominates(points[j], points[i])
    end
    if not is_dominated then front[#front + 1] = i end
  end
  return front
end

--- The points by rank: a list of lists of places, the best first.
-- @param count integer: ranks beyond that many points are not worked out
function M.ranks(points, count)
  local ranks, left, done = {}, {}, 0
  for i = 1, #points do left[i] = i end
  while #left > 0 and done < (count or #points) do
    local front, is_front, rest = M.front(points, left), {}, {}
    for _, i in ipairs(front) do is_front[i] = true end
    for _, i in ipairs(left) do
      if not is_front[i] then rest[#rest + 1] = i end
    end
    ranks[#ranks + 1], left, done = front, rest, done + #front
  end
  return ranks
end

-- The volume between a point and the reference.
local function box(point, reference)
  local volume = 1
  for i = 1, #point do volume = volume * math.max(0, reference[i] - point[i]) end
  return volume
end

-- What of a point's box the given points cover: the volume of their boxes cut to it.
local function limited(point, points, from)
  local cut = {}
  for k = from, #points do
    local worst = {}
    for i = 1, #point do worst[i] = math.max(point[i], points[k][i]) end
    cut[#cut + 1] = worst
  end
  local front = {}
  for k, place in ipairs(M.front(cut)) do front[k] = cut[place] end
  return front
end

--- The volume that points dominate, up to a reference that is worse than all of them.
function M.hypervolume(points, reference)
  local volume = 0
  for k, point in ipairs(points) do
    local own = box(point, reference)
    if own > 0 and k < #points then
      own = own - M.hypervolume(limited(point, points, k + 1), reference)
    end
    volume = volume + own
  end
  return volume
end

--- Chooses `count` points with a large hypervolume, one after the other.
-- @param places list of places of points
-- @return list of places, in the order of choice
function M.subset(points, places, count, reference)
  local left, chosen, taken = table.move(places, 1, #places, 1, {}), {}, {}
  while #chosen < count and #left > 0 do
    local best, most = 1, -1
    for k, i in ipairs(left) do
      local gain = box(points[i], reference)
        - M.hypervolume(limited(points[i], taken, 1), reference)
      if gain > most then best, most = k, gain end
    end
    local i = table.remove(left, best)
    chosen[#chosen + 1], taken[#taken + 1] = i, points[i]
  end
  return chosen
end

--- A reference for points: a tenth beyond the worst value of each objective.
function M.reference(points, places)
  local reference = {}
  for i = 1, #points[places[1]] do
    local worst = -math.huge
    for _, place in ipairs(places) do worst = math.max(worst, points[place][i]) end
    local r = math.max(1.1 * worst, 0.9 * worst)
    reference[i] = r == 0 and 1e-12 or r
  end
  return reference
end

return M
