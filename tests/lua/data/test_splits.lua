--- Splits: random, stratified, grouped, folds, and those that were published as files.
local lu = require "luaunit"
local folder = (arg[0]:match "^(.*/)" or "./") .. ".."
package.path = folder .. "/?.lua;" .. package.path
local bits = require "bits"
local bnn = require "bnn"

local raises = bits.raises
local key = bnn.key(17)

-- A part whose x is the row number; labels is a list or nil.
local function part_of(n, labels, classes)
  return bnn.data.from_tensors{x = bnn.arange(1, n):view(n, 1), classes = classes,
                               y = labels and bnn.tensor(labels, "i32")}
end

-- Random labels 0..classes-1, each at least `least` times.
local function labels_of(k, n, classes, least)
  local list = {}
  for i, u in ipairs(bnn.rand(k, n):totable()) do
    list[i] = i <= least * classes and (i - 1) % classes or math.floor(u * u * classes)
  end
  return list
end

local function rows_of(part)
  local rows = {}
  for i, row in ipairs(part.x:totable()) do rows[i] = math.tointeger(row[1]) end
  return rows
end

local function counts_of(list)
  local counts = {}
  for _, v in ipairs(list) do counts[v] = (counts[v] or 0) + 1 end
  return counts
end

-- Raises unless the parts have each of n rows once.
local function assert_cover(n, ...)
  local seen, count = {}, 0
  for _, part in ipairs{...} do
    for _, row in ipairs(rows_of(part)) do
      lu.assertNil(seen[row])
      seen[row], count = true, count + 1
    end
  end
  lu.assertEquals(count, n)
end

-- The least and the largest of f over a list.
local function range(list, f)
  local least, most = math.huge, -math.huge
  for _, v in ipairs(list) do
    least, most = math.min(least, f(v)), math.max(most, f(v))
  end
  return least, most
end

local function numbers(part, name, i) -- whole numbers that differ by case
  return math.floor(bnn.rand(key:fold(part):fold(name):fold(i), 1):item() * 1000)
end

TestIndex = {}

function TestIndex.test_rows_are_copied_in_the_order_given()
  local part = part_of(5, {0, 1, 0, 1, 1}, {"ant", "bee"})
  local some = part:index{4, 1, 4}
  lu.assertEquals(rows_of(some), {4, 1, 4})
  lu.assertEquals({some.y:totable(), some.classes}, {{1, 0, 1}, {"ant", "bee"}})
  lu.assertEquals(rows_of(part:index(bnn.tensor({2}, "i32"))), {2})
  lu.assertNil(part_of(3):index{1}.y)
  local weighted = part:with{weight = bnn.arange(1, 5)}
  lu.assertEquals(weighted:index{4, 1}.weight:totable(), {4, 1})
  lu.assertEquals(bnn.data.k_fold(weighted, {key = key})[1].test.weight:numel(), 1)
  raises("6", part.index, part, {6})
  raises("part:index: rows: expected a tensor of integers or a list, got a number",
    part.index, part, 3)
end

TestKFold = {}

function TestKFold.test_each_row_is_in_one_test_fold_and_folds_differ_by_one_row_at_most()
  for case = 1, 30 do
    local folds = 2 + numbers("plain", "folds", case) % 9
    local n = folds + numbers("plain", "n", case) % 60
    local splits, tests = bnn.data.k_fold(part_of(n), {folds = folds, key = key:fold(case)}), {}
    lu.assertEquals(#splits, folds)
    for i, split in ipairs(splits) do
      assert_cover(n, split.train, split.test)
      tests[i] = split.test
    end
    assert_cover(n, table.unpack(tests))
    local least, most = range(tests, function(part) return part.size end)
    lu.assertTrue(most - least <= 1)
  end
end

function TestKFold.test_stratified_folds_have_as_many_of_each_class_but_for_one()
  for case = 1, 30 do
    local folds, classes = 2 + case % 5, 2 + case % 4
    local n = folds * classes + numbers("stratified", "n", case) % 80
    local part = part_of(n, labels_of(key:fold(case), n, classes, folds))
    local splits = bnn.data.k_fold(part, {folds = folds, key = key:fold(case), stratified = true})
    local tests = {}
    for i, split in ipairs(splits) do tests[i] = split.test end
    assert_cover(n, table.unpack(tests))
    for class = 0, classes - 1 do
      local least, most = range(tests, function(test)
        return counts_of(test.y:totable())[class] or 0
      end)
      lu.assertTrue(most - least <= 1 and least >= 1)
    end
    local least, most = range(tests, function(test) return test.size end)
    lu.assertTrue(most - least <= 1)
  end
end

-- The groups of a part's rows, as a set.
local function groups_in(part, groups)
  local set = {}
  for _, row in ipairs(rows_of(part)) do set[groups[row]] = true end
  return set
end

function TestKFold.test_no_group_is_on_both_sides()
  for case = 1, 30 do
    local n, folds = 40 + case, 2 + case % 4
    local groups = labels_of(key:fold(case), n, 8, 1)
    local given = case % 2 == 0 and groups or bnn.tensor(groups, "i32")
    local splits = bnn.data.k_fold(part_of(n), {folds = folds, key = key, groups = given})
    for _, split in ipairs(splits) do
      assert_cover(n, split.train, split.test)
      local train = groups_in(split.train, groups)
      for group in pairs(groups_in(split.test, groups)) do lu.assertNil(train[group]) end
      lu.assertTrue(split.test.size > 0)
    end
  end
end

-- Twelve groups of 1, 2, 3 rows of classes 0, 1, 2: four to each of three folds, exactly.
function TestKFold.test_stratified_groups_that_can_be_dealt_evenly_are()
  local groups, labels = {}, {}
  for i = 1, 72 do groups[i], labels[i] = (i * 5) % 12, ({0, 1, 1, 2, 2, 2})[(i - 1) // 12 + 1] end
  for seed = 1, 10 do
    local splits = bnn.data.k_fold(part_of(72, labels),
      {folds = 3, key = bnn.key(seed), stratified = true, groups = groups})
    for _, split in ipairs(splits) do
      assert_cover(72, split.train, split.test)
      lu.assertEquals(counts_of(split.test.y:totable()), {[0] = 4, 8, 12})
      local train = groups_in(split.train, groups)
      for group in pairs(groups_in(split.test, groups)) do lu.assertNil(train[group]) end
    end
  end
end

-- The sum over parts and classes of the squared distance from the part's share.
local function unevenness(parts, shares, labels)
  local all, sum = counts_of(labels), 0
  for i, rows in ipairs(parts) do
    local some = {}
    for _, row in ipairs(rows) do some[labels[row]] = (some[labels[row]] or 0) + 1 end
    for class, n in pairs(all) do sum = sum + ((some[class] or 0) / n - shares[i]) ^ 2 end
  end
  return sum
end

-- The least there is of groups 1..count, none of the parts empty.
local function least_unevenness(groups, count, shares, labels)
  local best, side_of = math.huge, {}
  local function try(group)
    if group <= count then
      for p = 1, #shares do
        side_of[group] = p
        try(group + 1)
      end
      return
    end
    local parts = {}
    for p = 1, #shares do parts[p] = {} end
    for row, g in ipairs(groups) do table.insert(parts[side_of[g]], row) end
    for _, rows in ipairs(parts) do
      if not rows[1] then return end
    end
    best = math.min(best, unevenness(parts, shares, labels))
  end
  try(1)
  return best
end

-- Near the best that all deals have, found by trying them; and the same for one key.
function TestKFold.test_stratified_groups_are_near_the_best_deal()
  local excess, at_best = 0, 0
  for case = 1, 20 do
    local n, count = 24 + case, 6 + case % 2
    local groups = labels_of(key:fold(case), n, count, 1)
    local labels = labels_of(key:fold(-case), n, 3, 1)
    for i, g in ipairs(groups) do groups[i] = g + 1 end
    local opts = {folds = 3, key = key:fold(case), stratified = true, groups = groups}
    local parts, again = {}, bnn.data.k_fold(part_of(n, labels), opts)
    for i, split in ipairs(bnn.data.k_fold(part_of(n, labels), opts)) do
      parts[i] = split.rows.test:totable()
      lu.assertEquals(again[i].rows.test:totable(), parts[i])
      lu.assertTrue(#parts[i] > 0)
    end
    local thirds = {1 / 3, 1 / 3, 1 / 3}
    local got, best = unevenness(parts, thirds, labels),
      least_unevenness(groups, count, thirds, labels)
    excess, at_best = excess + (got - best) / 20, at_best + (got <= best + 1e-9 and 1 or 0)
  end
  lu.assertTrue(at_best >= 10 and excess < 0.05, at_best .. " " .. excess)
end

function TestKFold.test_groups_of_one_size_make_equal_folds()
  local groups = {}
  for i = 1, 24 do groups[i] = ("patient %d"):format((i - 1) // 4) end
  for _, split in ipairs(bnn.data.k_fold(part_of(24), {folds = 3, key = key, groups = groups})) do
    lu.assertEquals(split.test.size, 8)
  end
end

function TestKFold.test_folds_are_a_function_of_the_key()
  local function folds(k)
    local list = {}
    for i, split in ipairs(bnn.data.k_fold(part_of(40), {key = k})) do
      list[i] = split.rows.test:totable()
    end
    return list
  end
  lu.assertEquals(#folds(key), 5)
  lu.assertEquals(folds(key), folds(bnn.key(17)))
  lu.assertNotEquals(folds(key), folds(bnn.key(18)))
end

function TestKFold.test_parts_are_let_go_when_nobody_uses_them()
  local split = bnn.data.k_fold(part_of(40), {key = key})[1]
  local train = split.train
  lu.assertTrue(rawequal(train, split.train))
  lu.assertEquals(tostring(split), "split: 32 training and 8 test rows")
  local watched = setmetatable({split.train}, {__mode = "v"})
  train = nil -- luacheck: ignore 311
  collectgarbage()
  lu.assertNil(watched[1])
  lu.assertEquals(split.train.size, 32)
end

function TestKFold.test_refusals()
  local part = part_of(6, {0, 0, 0, 0, 1, 1}, {"ant", "bee"})
  local function fold(opts, of)
    opts.key = key
    return function() bnn.data.k_fold(of or part, opts) end
  end
  raises("bnn.data.k_fold: folds: expected at most the 6 rows, got 7", fold{folds = 7})
  raises("folds: expected at least 2, got 1", fold{folds = 1})
  raises("stratified: expected at least 3 rows of each class, one for each fold, got 2 of class "
    .. "'bee'", fold{folds = 3, stratified = true})
  raises("stratified: expected a part with labels y, got none",
    fold({stratified = true}, part_of(6)))
  raises("stratified: label 1 is 0.5, expected a whole number", fold({stratified = true},
    bnn.data.from_tensors{x = bnn.ones(6, 1), y = bnn.full({6}, 0.5)}))
  raises("groups: expected at least 3 groups, one for each fold, got 2",
    fold{folds = 3, groups = {1, 1, 1, 2, 2, 2}})
  raises("groups: expected one for each of the 6 rows, got 2", fold{folds = 2, groups = {1, 2}})
  raises("groups: expected only numbers or only strings, entry 2 is ",
    fold{folds = 2, groups = {1, "a", 1, 1, 1, 1}})
  raises("only strings, entry 2 is nil", fold{folds = 2, groups = {1, nil, 1, 1, 1, 1}})
  raises("groups: expected [n], got [6, 1]", fold{folds = 2, groups = bnn.ones(6, 1)})
  raises("groups: expected a tensor [n] or a list", fold{folds = 2, groups = 3})
  raises("groups: expected at least 3 groups, one for each fold, got 2",
    fold{folds = 3, stratified = true, groups = {1, 1, 1, 2, 2, 2}})
  raises("stratified: expected a part with labels y, got none",
    fold({folds = 2, stratified = true, groups = {1, 1, 1, 2, 2, 2}}, part_of(6)))
  raises("bnn.data.k_fold: expected a part", bnn.data.k_fold, {}, {key = key})
end

TestRandomSplit = {}

function TestRandomSplit.test_a_stratified_split_keeps_proportions_to_a_row()
  for case = 1, 30 do
    local classes, n = 2 + case % 4, 40 + numbers("split", "n", case) % 100
    local labels = labels_of(key:fold(case), n, classes, 2)
    local part, fraction = part_of(n, labels), 0.2 + case / 60
    local train, held = bnn.data.random_split(part,
      {fraction = fraction, key = key:fold(case), stratified = true})
    assert_cover(n, train, held)
    lu.assertEquals(held.size, math.floor(n * fraction + 0.5))
    local all, some = counts_of(labels), counts_of(held.y:totable())
    for class = 0, classes - 1 do
      lu.assertTrue(math.abs((some[class] or 0) - all[class] * held.size / n) < 1)
    end
  end
end

function TestRandomSplit.test_groups_stay_together_and_the_size_is_near()
  for case = 1, 30 do
    local n = 60 + case
    local groups = labels_of(key:fold(case), n, 12, 1)
    local train, held = bnn.data.random_split(part_of(n),
      {fraction = 0.3, key = key:fold(case), groups = groups})
    assert_cover(n, train, held)
    local of_train, largest = groups_in(train, groups), 0
    for group in pairs(groups_in(held, groups)) do lu.assertNil(of_train[group]) end
    for _, count in pairs(counts_of(groups)) do largest = math.max(largest, count) end
    lu.assertTrue(math.abs(held.size - 0.3 * n) <= largest)
  end
  for i = 1, 10 do -- neither part is empty, however unequal the groups
    local groups = {1, 2, 2, 2, 2, 2, 2, 2, 2, 2}
    local train, held = bnn.data.random_split(part_of(10),
      {fraction = i / 10, key = key:fold(i), groups = groups})
    lu.assertTrue(train.size > 0 and held.size > 0)
  end
end

function TestRandomSplit.test_stratified_groups_keep_both()
  for case = 1, 20 do
    local n = 200 + case
    local groups, labels = labels_of(key:fold(case), n, 40, 1), labels_of(key:fold(-case), n, 3, 1)
    local opts = {fraction = 0.25, key = key:fold(case), groups = groups, stratified = true}
    local train, held = bnn.data.random_split(part_of(n, labels), opts)
    assert_cover(n, train, held)
    local of_train = groups_in(train, groups)
    for group in pairs(groups_in(held, groups)) do lu.assertNil(of_train[group]) end
    local all, some = counts_of(labels), counts_of(held.y:totable())
    for class = 0, 2 do -- of 40 groups some five rows each
      lu.assertAlmostEquals(some[class] / all[class], 0.25, 0.03, class)
    end
    local _, again = bnn.data.random_split(part_of(n, labels), opts)
    lu.assertEquals(rows_of(again), rows_of(held))
    opts.key = key:fold "other"
    local _, other = bnn.data.random_split(part_of(n, labels), opts)
    lu.assertNotEquals(rows_of(other), rows_of(held))
  end
  for i = 1, 10 do -- neither part is empty, however unequal the groups
    local train, held = bnn.data.random_split(part_of(10, {0, 1, 1, 0, 1, 0, 1, 0, 1, 0}),
      {fraction = i / 10, key = key:fold(i), stratified = true,
       groups = {1, 2, 2, 2, 2, 2, 2, 2, 2, 2}})
    lu.assertTrue(train.size > 0 and held.size > 0)
  end
end

function TestRandomSplit.test_refusals()
  local function split(opts, labels, classes)
    opts.key = key
    return function() bnn.data.random_split(part_of(#labels, labels, classes), opts) end
  end
  raises("bnn.data.random_split: stratified: expected at least 2 rows of each class, got 1 of "
    .. "class 2", split({fraction = 0.5, stratified = true}, {0, 0, 1, 1, 2}))
  raises("fraction: expected parts of at least 2 rows, one for each class, got one of 1",
    split({fraction = 0.1, stratified = true}, {0, 0, 0, 0, 1, 1}))
  raises("groups: expected at least 2 groups, got 1",
    split({fraction = 0.5, groups = {7, 7, 7}}, {0, 0, 1}))
end

TestIndexFiles = {}

local here

function TestIndexFiles.setUp()
  here = os.tmpname()
  os.remove(here)
  assert(os.execute("mkdir " .. here))
end

function TestIndexFiles.tearDown() os.execute("rm -r " .. here) end

local function write(name, text)
  local file = assert(io.open(here .. "/" .. name, "w"))
  file:write(text)
  file:close()
  return here .. "/" .. name
end

function TestIndexFiles.test_row_numbers_count_from_0_in_whatever_form_they_are_written()
  local path = write("rows.txt", "0\n2.0\r\n  4.000e+00 1\n")
  lu.assertEquals(bnn.data.index_file(path):totable(), {1, 3, 5, 2})
end

function TestIndexFiles.test_published_splits_are_read_from_their_folder()
  write("index_train_0.txt", "0 1 2")
  write("index_test_0.txt", "3 4")
  write("index_train_1.txt", "4 3")
  write("index_test_1.txt", "0")
  local splits = assert(bnn.data.index_splits(part_of(5), here))
  lu.assertEquals(#splits, 2)
  lu.assertEquals({rows_of(splits[1].train), rows_of(splits[1].test)}, {{1, 2, 3}, {4, 5}})
  lu.assertEquals({rows_of(splits[2].train), rows_of(splits[2].test)}, {{5, 4}, {1}})
end

function TestIndexFiles.test_what_is_wrong_is_one_line()
  local function fault(...) return select(2, bnn.data.index_splits(...)) end
  local part = part_of(5)
  lu.assertStrContains(fault(part, here), "expected index_train_0.txt and index_test_0.txt")
  write("index_test_0.txt", "3 4")
  lu.assertStrContains(fault(part, here), "index_train_0.txt: No such file")
  write("index_train_0.txt", "0 5")
  lu.assertStrContains(fault(part, here), "index_train_0.txt: expected rows below 5, got 5")
  for text, words in pairs{
    ["0 x"] = "entry 2: expected a row number from 0, got 'x'", ["-1"] = "got '-1'",
    ["0.5"] = "got '0.5'", [""] = "has no row numbers", ["1e99"] = "got '1e99'",
  } do
    write("index_train_0.txt", text)
    lu.assertStrContains(fault(part, here), words)
  end
end

os.exit(lu.LuaUnit.run())
