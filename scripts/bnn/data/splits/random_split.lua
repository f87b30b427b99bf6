--- Two parts of one at random.
local core = require "bnn.core"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local row_kinds = require "bnn.data.splits.row_kinds"
local stratified_groups = require "bnn.data.splits.stratified_groups"

local M = {}

local WHAT = "bnn.data.random_split"

-- How many rows of each class go to a second part of n rows: the whole part of their share, and one
-- more of those with the largest remainders.
local function shares(classes, size, n)
  local counts, order, left = {}, {}, n
  for i, kind in ipairs(classes) do
    counts[i] = #kind.rows * n // size
    order[i], left = i, left - counts[i]
  end
  local function remainder(i) return #classes[i].rows * n % size end
  table.sort(order, function(a, b)
    if remainder(a) ~= remainder(b) then return remainder(a) > remainder(b) end
    return a < b
  end)
  for i = 1, left do counts[order[i]] = counts[order[i]] + 1 end
  return counts
end

local function check_classes(part, classes, n)
  for _, kind in ipairs(classes) do
    if #kind.rows < 2 then
      fail("%s: stratified: expected at least 2 rows of each class, got %d of class %s", WHAT,
        #kind.rows, kind.text)
    end
  end
  local least = math.min(n, part.size - n)
  if least < #classes then
    fail("%s: fraction: expected parts of at least %d rows, one for each class, got one of %d",
      WHAT, #classes, least)
  end
end

local function stratified(part, classes, n, key)
  check_classes(part, classes, n)
  local first, second, counts = {}, {}, shares(classes, part.size, n)
  for i, kind in ipairs(classes) do
    local rows = row_kinds.shuffled(kind.rows, key:fold(i))
    table.move(rows, 1, counts[i], #second + 1, second)
    table.move(rows, counts[i] + 1, #rows, #first + 1, first)
  end
  return row_kinds.shuffled(first, key:fold "first"), row_kinds.shuffled(second, key:fold "second")
end

-- The part of each group: the second if that brings its size nearer to n rows; at least one group
-- in either.
local function deal_groups(groups, n)
  local part_of, size, taken = {}, 0, 0
  for i, group in ipairs(groups) do
    local is_nearer = math.abs(size + #group.rows - n) < math.abs(size - n)
    local is_last = i == #groups
    local takes = is_nearer and taken < #groups - 1 or is_last and taken == 0
    if takes then size, taken = size + #group.rows, taken + 1 end
    part_of[i] = takes and 2 or 1
  end
  return part_of
end

-- Groups in random order.
local function grouped(groups, classes, size, n, key)
  if #groups < 2 then
    fail("%s: groups: expected at least 2 groups, got %d", WHAT, #groups)
  end
  local list, sides = row_kinds.shuffled(groups, key), {{}, {}}
  local part_of = classes and stratified_groups.deal(list, classes, {1 - n / size, n / size})
    or deal_groups(list, n)
  for i, group in ipairs(list) do
    local side = sides[part_of[i]]
    table.move(group.rows, 1, #group.rows, #side + 1, side)
  end
  return row_kinds.shuffled(sides[1], key:fold "first"),
    row_kinds.shuffled(sides[2], key:fold "second")
end

-- The rows of both parts.
local function rows_of(part, opts, n)
  local key, classes, groups = opts.key:fold "split", row_kinds.of_options(WHAT, part, opts)
  if groups then return grouped(groups, classes, part.size, n, key) end
  if classes then return stratified(part, classes, n, key) end
  local rows = core.permutation(key, part.size)
  return rows:narrow(1, n + 1, part.size - n), rows:narrow(1, 1, n)
end

--- Splits a part in two at random. The split is a function of the key, of the number of rows, and
-- of their classes or groups.
--     local train, validation = bnn.data.random_split(data.train, {fraction = 0.1, key = key})
-- @param given part: x [n, ...]
-- @param opts table:
--   fraction    of the rows that the second part gets, rounded; with groups as near to it as whole
--               groups come, taken in random order
--   key         key
--   stratified  true: both parts have the classes in the proportions of the whole; with groups, as
--               near to them as whole groups come, so a class of one group is in one part. Of
--               targets by name the name of the one whose classes are meant
--   groups      tensor [n], or a list of numbers or strings: the group of each row. All rows of a
--               group are in one of the parts
-- @return part, part: each has at least one row
-- Raises if there are fewer than two rows or groups; stratified without groups, also if there are
-- fewer than two rows of a class, or a part would have fewer rows than there are classes.
function M.random_split(given, opts)
  opts = options.check(WHAT, opts, {
    fraction = {type = "number", above = 0, max = 1, required = true},
    key = {type = "key", required = true}, stratified = "boolean|string", groups = "any",
  })
  expect_model.part(WHAT, given)
  if given.size < 2 then fail("%s: expected at least 2 rows, got %d", WHAT, given.size) end
  local n = math.floor(given.size * opts.fraction + 0.5)
  n = math.max(1, math.min(n, given.size - 1))
  local first, second = rows_of(given, opts, n)
  return given:index(first), given:index(second)
end

return M
