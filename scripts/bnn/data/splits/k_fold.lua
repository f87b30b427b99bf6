--- Cross-validation: each row is in the test part of one fold, and in the training part of the
-- others.
local core = require "bnn.core"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local options = require "bnn.base.options"
local row_kinds = require "bnn.data.splits.row_kinds"
local split_pair = require "bnn.data.splits.split_pair"
local stratified_groups = require "bnn.data.splits.stratified_groups"

local M = {}

local WHAT = "bnn.data.k_fold"

-- Rows are dealt to folds like cards, so that folds, and the rows of a class in them, differ by at
-- most one.
local function deal(rows, folds)
  local fold_of = {}
  for i, row in ipairs(rows) do fold_of[row] = (i - 1) % folds + 1 end
  return fold_of
end

local function stratified(classes, folds, key)
  for _, kind in ipairs(classes) do
    if #kind.rows < folds then
      fail("%s: stratified: expected at least %d rows of each class, one for each fold, got %d of "
        .. "class %s", WHAT, folds, #kind.rows, kind.text)
    end
  end
  return deal(row_kinds.shuffled_by_kind(classes, key), folds)
end

local function lightest(counts)
  local best = 1
  for i = 2, #counts do
    if counts[i] < counts[best] then best = i end
  end
  return best
end

-- Groups from the largest, those of one size in an order of the key's.
local function largest_first(groups, key)
  local list, place = row_kinds.shuffled(groups, key), {}
  for i, group in ipairs(list) do place[group] = i end
  table.sort(list, function(a, b)
    if #a.rows ~= #b.rows then return #a.rows > #b.rows end
    return place[a] < place[b]
  end)
  return list
end

-- The fold of each group: each in its turn into the one that has the fewest rows.
local function deal_groups(groups, folds)
  local counts, fold_of = {}, {}
  for i = 1, folds do counts[i] = 0 end
  for i, group in ipairs(groups) do
    fold_of[i] = lightest(counts)
    counts[fold_of[i]] = counts[fold_of[i]] + #group.rows
  end
  return fold_of
end

local function grouped(groups, classes, folds, key)
  if #groups < folds then
    fail("%s: groups: expected at least %d groups, one for each fold, got %d", WHAT, folds, #groups)
  end
  local list, shares, fold_of = largest_first(groups, key), {}, {}
  for i = 1, folds do shares[i] = 1 / folds end
  local fold_of_group = classes and stratified_groups.deal(list, classes, shares)
    or deal_groups(list, folds)
  for i, group in ipairs(list) do
    for _, row in ipairs(group.rows) do fold_of[row] = fold_of_group[i] end
  end
  return fold_of
end

-- The fold of each row.
local function folds_of(part, opts)
  local key = opts.key:fold "folds"
  local classes, groups = row_kinds.of_options(WHAT, part, opts)
  if groups then return grouped(groups, classes, opts.folds, key) end
  if classes then return stratified(classes, opts.folds, key) end
  return deal(core.permutation(key, part.size):totable(), opts.folds)
end

--- Splits a part into folds for cross-validation: in split i the test part is fold i, the training
-- part the rest. Rows keep their order. Folds differ in size by at most one row; stratified, so do
-- the rows of each class in them. With groups no group is on both sides of a split: the largest
-- groups come first, each into the fold that has the fewest rows; stratified too, folds have the
-- classes as near to the proportions of the whole as whole groups come (by exchanges, without a
-- promise of the best there is), so a class of few groups may be missing in some.
--     local y = bnn.tensor({0, 0, 0, 1, 1, 1}, "i32")
--     local part = bnn.data.from_tensors{x = bnn.arange(1, 6):view(6, 1), y = y}
--     for i, split in ipairs(bnn.data.k_fold(part, {folds = 3, key = key, stratified = true})) do
--       print(i, split.train.size, split.test.y:sum():item())      -- i  4  1
--     end
-- @param part part: x [n, ...]
-- @param opts table:
--   folds       integer from 2, default 5
--   key         key: the folds are a function of it, of n, and of the classes or groups
--   stratified  true: each fold has the classes in the proportions of the whole; of targets by name
--               the name of the one whose classes are meant
--   groups      tensor [n], or a list of numbers or strings: the group of each row, such as the
--               patient that an image is of
-- @return list of splits: split.train and split.test are parts, made when they are asked for;
--   split.rows.train and split.rows.test their rows, i32 tensors counted from 1
-- Raises if there are fewer rows or groups than folds, or, stratified without groups, fewer rows of
-- a class.
function M.k_fold(part, opts)
  opts = options.check(WHAT, opts, {
    folds = {type = "integer", min = 2, default = 5}, key = {type = "key", required = true},
    stratified = "boolean|string", groups = "any",
  })
  expect_model.part(WHAT, part)
  if part.size < opts.folds then
    fail("%s: folds: expected at most the %d rows, got %d", WHAT, part.size, opts.folds)
  end
  local fold_of, splits = folds_of(part, opts), {}
  for fold = 1, opts.folds do
    local train, test = {}, {}
    for row = 1, part.size do
      local side = fold_of[row] == fold and test or train
      side[#side + 1] = row
    end
    splits[fold] = split_pair.new(part, train, test)
  end
  return splits
end

return M
