--- Whole groups dealt to parts such that each part has its share of the rows of every class.
--
-- What is made small is the sum over parts and classes of (share of the class's rows in the part -
-- share that the part is to have)^2, in which a rare class matters as much as a common one: each
-- group in its turn goes where it adds least, and then groups change places, one at a time or two
-- of different parts with each other, while that makes the sum smaller.
local M = {}

local LEAST = 1e-12 -- what a change must gain, above what the sums are rounded by
local MOST_PAIRS = 1 << 16 -- of groups that are tried with each other: a fraction of a second

-- {class, share of its rows} of each class in a group, and the number of rows.
local function composition(group, class_of, classes)
  local counts, parts = {}, {rows = #group.rows}
  for _, row in ipairs(group.rows) do
    local class = class_of[row]
    counts[class] = (counts[class] or 0) + 1
  end
  for class, kind in ipairs(classes) do
    if counts[class] then parts[#parts + 1] = {class, counts[class] / #kind.rows} end
  end
  return parts
end

local Deal = {}
Deal.__index = Deal

local function new_deal(groups, classes, shares)
  local self = setmetatable({shares = shares, items = {}, part_of = {}, have = {}, rows = {},
                             members = {}}, Deal)
  local class_of = {}
  for class, kind in ipairs(classes) do
    for _, row in ipairs(kind.rows) do class_of[row] = class end
  end
  for i, group in ipairs(groups) do self.items[i] = composition(group, class_of, classes) end
  for p = 1, #shares do
    self.have[p], self.rows[p], self.members[p] = {}, 0, 0
    for class = 1, #classes do self.have[p][class] = 0 end
  end
  return self
end

-- Puts group i into part p, or takes it out (sign -1).
function Deal:put(i, p, sign)
  local have = self.have[p]
  for _, part in ipairs(self.items[i]) do have[part[1]] = have[part[1]] + sign * part[2] end
  self.rows[p] = self.rows[p] + sign * self.items[i].rows
  self.members[p] = self.members[p] + sign
  self.part_of[i] = sign > 0 and p or nil
end

-- What the sum gains by group i in part p, which it is not in.
function Deal:cost(i, p)
  local have, share, sum = self.have[p], self.shares[p], 0
  for _, part in ipairs(self.items[i]) do
    sum = sum + part[2] * (2 * (have[part[1]] - share) + part[2])
  end
  return sum
end

-- The part in which group i costs least; of equals the one that is farthest from its rows.
function Deal:cheapest(i)
  local best, least
  for p, share in ipairs(self.shares) do
    local cost = self:cost(i, p)
    local is_less = not best or cost < least - LEAST
    local is_equal = best and not is_less and cost <= least + LEAST
    if is_less or is_equal and self.rows[p] / share < self.rows[best] / self.shares[best] then
      best, least = p, cost
    end
  end
  return best, least
end

-- Moves group i where it costs least; a part keeps its last group. Says whether it moved.
function Deal:move(i)
  local from = self.part_of[i]
  if self.members[from] == 1 then return false end
  self:put(i, from, -1)
  local stays, to, cost = self:cost(i, from), self:cheapest(i)
  if cost >= stays - LEAST then to = from end
  self:put(i, to, 1)
  return to ~= from
end

-- Exchanges groups i and j if that makes the sum smaller. Says whether they were.
function Deal:swap(i, j)
  local p, q = self.part_of[i], self.part_of[j]
  self:put(i, p, -1)
  self:put(j, q, -1)
  local stay = self:cost(i, p) + self:cost(j, q)
  local change = self:cost(i, q) + self:cost(j, p)
  if change < stay - LEAST then p, q = q, p end
  self:put(i, p, 1)
  self:put(j, q, 1)
  return change < stay - LEAST
end

-- One round over all groups; says whether anything changed.
function Deal:improve()
  local changed, n = false, #self.items
  for i = 1, n do changed = self:move(i) or changed end
  if n * n > MOST_PAIRS then return changed end
  for i = 1, n do
    for j = i + 1, n do
      if self.part_of[i] ~= self.part_of[j] then changed = self:swap(i, j) or changed end
    end
  end
  return changed
end

-- Gives a part that has no group the one that costs least to move there.
function Deal:fill(p)
  local best, least
  for i = 1, #self.items do
    local from = self.part_of[i]
    if self.members[from] > 1 then
      self:put(i, from, -1)
      local cost = self:cost(i, p) - self:cost(i, from)
      self:put(i, from, 1)
      if not best or cost < least then best, least = i, cost end
    end
  end
  self:put(best, self.part_of[best], -1)
  self:put(best, p, 1)
end

--- Deals groups to parts, each of which gets at least one.
-- @param groups list of {rows=}, at least as many as parts; earlier ones choose first
-- @param classes list of {rows=}: every row is in one
-- @param shares list of numbers above 0, of sum 1: of all rows, for each part
-- @return list: the part of each group, from 1
function M.deal(groups, classes, shares)
  local deal = new_deal(groups, classes, shares)
  for i = 1, #groups do deal:put(i, (deal:cheapest(i)), 1) end
  for p = 1, #shares do
    if deal.members[p] == 0 then deal:fill(p) end
  end
  while deal:improve() do end -- ends: the sum falls, and there are only so many deals
  return deal.part_of
end

return M
