--- Classes by name: the training part numbers them, everything else takes its numbers over.
local lu = require "luaunit"
package.path = ((arg[0]:match "^(.*/)" or "./") .. "..") .. "/?.lua;" .. package.path
local idx = require "idx_files"
local bnn = require "bnn"
local core = require "bnn.core"
local resume_check = require "bnn.checkpoint.resume_check"

local data = bnn.data
local HAS = {}
for _, v in ipairs(core.versions()) do HAS[v.name] = not v.version:find "^none" end

local folder

local function in_folder(suite)
  function suite:setUp() folder = idx.folder() end
  function suite:tearDown() idx.remove(folder) end
  return suite
end

local function path(name) return folder .. "/" .. name end

local function write(name, bytes)
  idx.write(path(name), bytes)
  return path(name)
end

local function refuses(texts, f, ...)
  local value, message = f(...)
  lu.assertNil(value)
  for _, text in ipairs(texts) do lu.assertStrContains(message, text) end
end

local function png(name, value)
  idx.make(path(name):match "^(.*)/")
  assert(data.save(path(name), core.full({4, 4}, value, "u8")))
end

TestTables = in_folder{}

local TRAIN = "a,kind\n1,cat\n2,ant\n3,bee\n"

function TestTables.test_a_test_table_takes_the_numbers_of_train()
  local train = data.csv(write("train.csv", TRAIN), {label = "kind"})
  lu.assertEquals({train.classes, train.y:totable()}, {{"ant", "bee", "cat"}, {2, 0, 1}})
  local file = write("test.csv", "a,kind\n5,cat\n6,bee\n")
  for _, like in ipairs{train, {train = train}, {classes = train.classes}, train.classes} do
    local test = data.csv(file, {label = "kind", like = like})
    lu.assertEquals({test.classes, test.y:totable()}, {train.classes, {2, 1}})
  end
  local test = data.csv(file, {label = "kind", classes = {"cat", "bee"}})
  lu.assertEquals({test.classes, test.y:totable()}, {{"cat", "bee"}, {0, 1}})
end

function TestTables.test_a_new_class_is_named_with_its_file_and_the_known_ones()
  local train = data.csv(write("train.csv", TRAIN), {label = "kind"})
  local file = write("test.csv", "a,kind\n5,cat\n6,eel\n")
  refuses({file, "row 2, column 2: class 'eel' is not one of the 3 known: ant, bee, cat"}, data.csv,
    file, {label = "kind", like = train})
end

function TestTables.test_classes_that_look_like_numbers_keep_theirs()
  local train = data.csv(write("train.csv", "a,k\n1,7\n2,x\n"), {label = "k"})
  local test = data.csv(write("test.csv", "a,k\n1,7\n2,7\n"), {label = "k", like = train})
  lu.assertEquals({train.classes, test.y:totable()}, {{"7", "x"}, {0, 0}})
end

function TestTables.test_a_table_has_the_columns_of_the_one_it_is_like()
  local train = data.csv(write("train.csv", "a,b,kind\n1,2,cat\n"), {label = "kind"})
  local opts = {label = "kind", like = train}
  refuses({"feature 1 is 'b', that of the other part is 'a'"}, data.csv,
    write("turned.csv", "b,a,kind\n1,2,cat\n"), opts)
  refuses({"has 1 features, the other part has [1, 2]"}, data.csv,
    write("less.csv", "a,kind\n1,cat\n"), opts)
  local numbered = data.csv(write("numbers.csv", "a,b,kind\n1,2,0\n"), {label = "kind"})
  refuses({"the labels are text (cat), those of the other part are numbers"}, data.csv,
    path "train.csv", {label = "kind", like = numbered})
  local unlabelled = data.csv(write("new.csv", "a,b\n1,2\n"), {like = train})
  lu.assertEquals(unlabelled.names, {"a", "b"})
end

function TestTables.test_one_load_of_two_tables_numbers_them_alike()
  write("train.data", "1 2 cat\n3 4 ant\n5 6 bee\n")
  write("test.data", "7 8 cat\n")
  for _, set in ipairs{
    assert(data.load(folder, {label = 3})),
    assert(data.load(path "train.data", {label = 3, test = path "test.data"})),
  } do
    lu.assertEquals({set.train.size, set.test.size, set.test.y:totable()}, {3, 1, {2}})
    lu.assertEquals(set.test.classes, set.train.classes)
  end
  write("test.data", "7 8 eel\n")
  refuses({"test.data", "class 'eel'", "ant, bee, cat"}, data.load, folder, {label = 3})
  lu.assertErrorMsgContains("test: expected the path of a table", data.load, path "train.data",
    {label = 3, test = 5})
end

function TestTables.test_classes_that_are_given_hold_for_both_parts_of_a_load()
  local train, test = write("train.csv", TRAIN), write("test.csv", "a,kind\n5,cat\n6,bee\n")
  local names = {"cat", "bee", "ant"}
  for _, opts in ipairs{{classes = names}, {like = {classes = names}}} do
    opts.label, opts.test, opts.header = "kind", test, true
    local set = assert(data.load(train, opts))
    lu.assertEquals({set.train.y:totable(), set.test.y:totable()}, {{0, 2, 1}, {0, 1}})
    lu.assertEquals({set.train.classes, set.test.classes}, {names, names})
    lu.assertEquals(opts.test, test)
  end
end

function TestTables.test_what_a_table_is_like_has_to_know_its_classes()
  local file = write("test.csv", "a,kind\n5,cat\n6,bee\n")
  for _, like in ipairs{{}, {test = {classes = {"cat"}}}} do
    refuses({"the labels are text (bee, cat), those of the other part are not known"}, data.csv,
      file, {label = "kind", like = like})
  end
end

TestFolders = in_folder{}

function TestFolders.test_a_class_that_is_missing_keeps_its_number()
  if not HAS.libpng then return end
  for _, name in ipairs{"train/ant", "train/bee", "train/cat", "test/bee", "test/cat"} do
    png("set/" .. name .. "/1.png", 9)
  end
  local set = assert(data.load(path "set"))
  lu.assertEquals({set.train.y:totable(), set.test.y:totable()}, {{0, 1, 2}, {1, 2}})
  lu.assertEquals(set.test.classes, {"ant", "bee", "cat"})
  local test = data.folder(path "set/test", {classes = {"cat", "dog", "bee"}})
  lu.assertEquals({test.y:totable(), test.classes}, {{2, 0}, {"cat", "dog", "bee"}})
  lu.assertEquals(data.folder(path "set/test", {like = set}).y:totable(), {1, 2})
end

function TestFolders.test_parts_are_found_in_any_case_and_share_the_classes_of_train()
  if not HAS.libpng then return end
  for _, name in ipairs{"Train/ant", "Train/bee", "Test/bee", "val/ant"} do
    png("set/" .. name .. "/1.png", 9)
  end
  local set = assert(data.load(path "set"))
  lu.assertEquals({set.train.y:totable(), set.test.y:totable()}, {{0, 1}, {1}})
end

function TestFolders.test_what_a_folder_is_like_has_to_know_its_classes()
  if not HAS.libpng then return end
  png("set/test/bee/1.png", 9)
  lu.assertEquals(data.load(path "set").test.classes, {"bee"})
  refuses({"set/test", "has no classes"}, data.load, path "set", {like = {}})
end

function TestFolders.test_a_new_class_is_an_error()
  if not HAS.libpng then return end
  for _, name in ipairs{"train/ant", "train/bee", "test/bee", "test/eel"} do
    png("set/" .. name .. "/1.png", 9)
  end
  refuses({"set/test/eel",
    "class 'eel' is not one of the 2 known: ant, bee"}, data.load, path "set")
end

function TestFolders.test_a_table_and_a_folder_share_classes()
  if not HAS.libpng then return end
  png("images/cat/1.png", 1)
  local part = data.folder(path "images", {like = {"ant", "cat"}})
  lu.assertEquals(part.y:totable(), {1})
end

TestModels = in_folder{}

local key = bnn.key(3)
local net = bnn.nn.mlp{4, 3}

local function part(names, labels)
  local n = #(labels or {0, 1, 2})
  return data.from_tensors{x = bnn.randn(key, n, 2), y = core.tensor(labels or {0, 1, 2}, "i32"),
                   classes = names, origin = "some.csv"}
end

local function objective(opts)
  opts = opts or {}
  opts.net, opts.beta = net, 1e-3
  opts.posterior = bnn.posterior.meanfield(net:init(key, bnn.zeros(1, 2)))
  return bnn.elbo(opts)
end

local ABC = {"ant", "bee", "cat"}
local OTHERS = {{"bee", "ant", "cat"}, {"ant", "bee"}, {"ant", "bee", "cat", "dog"}}

function TestModels.test_check_data_notices_other_classes()
  local fault = "some.csv: the classes are bee, ant, cat; those of the model are ant, bee, cat"
  local model = objective{classes = ABC}
  lu.assertTrue(model:check_data(part(ABC)))
  lu.assertTrue(model:check_data(part()))
  lu.assertEquals({model:check_data(part(OTHERS[1]))}, {nil, fault})
  local fresh = objective()
  lu.assertTrue(fresh:check_data(part(ABC)))
  for _, names in ipairs(OTHERS) do lu.assertNil((fresh:check_data(part(names)))) end
  lu.assertErrorMsgContains("'a' is there twice", objective, {classes = {"a", "a"}})
end

function TestModels.test_predicting_and_evaluating_notice_them_too()
  local model, other = objective{classes = ABC}, part(OTHERS[1])
  local words = "the classes are bee, ant, cat; those of the model are ant, bee, cat"
  local opts = {key = key}
  lu.assertErrorMsgContains(words, bnn.predict, model, other, opts)
  lu.assertErrorMsgContains(words, bnn.log_likelihood, model, other, opts)
  lu.assertErrorMsgContains(words, model.evaluate, model, other, opts)
  lu.assertEquals(bnn.predict(model, part(ABC), opts).class:shape(), {3})
  lu.assertEquals(bnn.predict(model, other.x, opts).class:shape(), {3})
end

function TestModels.test_a_fingerprint_is_of_the_classes_too()
  local seen = {[resume_check.fingerprint(part())] = true}
  for _, names in ipairs{ABC, {"antb", "ee", "cat"}, table.unpack(OTHERS)} do
    local print = resume_check.fingerprint(part(names))
    lu.assertNil(seen[print])
    seen[print] = true
  end
  lu.assertEquals(resume_check.fingerprint(part(ABC)), resume_check.fingerprint(part(ABC)))
end

local function train(names, opts)
  local model = objective()
  local given = {objective = model, optimizer = bnn.optim.adam{lr = 1e-2}, data = part(names),
                 steps = 2, batch_size = 2, key = key, log = function() end}
  for name, value in pairs(opts) do given[name] = value end
  bnn.train(given)
  return model
end

function TestModels.test_a_checkpoint_keeps_the_classes_and_reads_by_them()
  if not HAS.jansson then return end
  local model = train(ABC, {checkpoint = {path = path "run"}})
  lu.assertEquals(model.classes, ABC)
  local opened = assert(bnn.checkpoint.open(path "run"))
  lu.assertEquals(opened.classes, ABC)
  local test = data.csv(write("test.csv", "a,b,kind\n1,2,cat\n3,4,bee\n"),
    {label = "kind", like = opened})
  lu.assertEquals({test.y:totable(), test.classes}, {{2, 1}, ABC})
  lu.assertErrorMsgContains("those of the model are ant, bee, cat", bnn.predict, opened,
    part(OTHERS[1]), {key = key})
end

function TestModels.test_resuming_with_other_classes_is_another_training()
  if not HAS.jansson then return end
  train(ABC, {checkpoint = {path = path "run"}})
  local function resume(names)
    return train(names, {steps = 4, checkpoint = {path = path "run", resume = true}})
  end
  local message = select(2, pcall(resume, OTHERS[1]))
  lu.assertStrContains(tostring(message),
    "classes: {ant, bee, cat} in the checkpoint, {bee, ant, cat} here")
  lu.assertEquals(resume(ABC).classes, ABC)
end

os.exit(lu.LuaUnit.run(), true)
