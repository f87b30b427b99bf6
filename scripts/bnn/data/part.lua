--- Parts of data sets: x and y, tensors of as many rows or such tensors by name, and the batches
-- drawn from them.
local augmented_part = require "bnn.data.augmented_part"
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local example_weights = require "bnn.model.example_weights"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local options = require "bnn.base.options"
local refusal = require "bnn.base.refusal"

local M = {}

local Part = {__name = "bnn.data"}
Part.__index = Part

local MOST = 15 -- tensors of x and y: with weights as many as feed a program

local function check_count(what, data)
  local tensors = named_tensors.sources{x = data.x, y = data.y}
  if #tensors <= MOST then return end
  fail("%s: expected at most %d tensors in x and y, got %d", what, MOST, #tensors)
end

local function contiguous(tensor) return tensor:contiguous() end

--- Makes a part of a data set from tensors.
--     local part = bnn.data.from_tensors{x = bnn.ones(4, 2), y = bnn.tensor({0, 1, 1, 0}, "i32")}
--     print(part.size, part)                            -- 4  data: 4 examples, x f32 [4, 2], y i32
-- Several inputs and targets are tables of tensors by name; a network gets x.image and x.table, a
-- loss y.class, and bnn.elbo a likelihood for each target (help "networks"):
--     local two = bnn.data.from_tensors{x = {image = bnn.ones(4, 8, 8), table = bnn.ones(4, 3)},
--                                       y = {class = bnn.tensor({0, 1, 1, 0}, "i32"),
--                                            age = bnn.ones(4, 1)}}
--     print(two:slice(1, 2).x.table:size(1))            -- 2
-- An objective multiplies the loss of each example by its weight, without dividing by their sum:
-- the likelihood of the data is the product of p(y | x, w)^weight, so an example of weight 2 counts
-- as two, and weights of mean 1 keep the balance of likelihood and prior. bnn.data.weigh_classes
-- makes such weights of classes.
-- @param opts table: x= [n, ...], or such tensors by name; y= [n, ...], the same, or nil; weight=
--   of each example, a tensor [n] or a list of numbers of at least 0, or nil; names= of x's columns
--   and classes= of y's, lists (of targets by name a table of such lists by target); origin= where
--   they come from, for messages; preprocess= what made them of a table, which checkpoints keep
-- @return part
-- Raises if x is a scalar, tensors have not as many rows, there are more than 15, or a weight is
-- not finite or below 0.
function M.from_tensors(opts)
  local what = "bnn.data.from_tensors"
  opts = options.check(what, opts, {
    x = {type = "any", required = true}, y = "any", weight = "any", origin = "string",
    names = {type = "string", list = true}, classes = "table", preprocess = "preprocess",
  })
  local n = named_tensors.rows(named_tensors.check(what .. ": x", opts.x))
  if opts.y ~= nil then named_tensors.check(what .. ": y", opts.y, n) end
  if opts.classes then classes.check_of(what, opts.classes, opts.y) end
  local weight = opts.weight
  if weight ~= nil then weight = example_weights.check(what, weight, n) end
  check_count(what, opts)
  return setmetatable({
    x = named_tensors.map(opts.x, contiguous), y = named_tensors.map(opts.y, contiguous),
    weight = weight, size = n, origin = opts.origin, names = opts.names, classes = opts.classes,
    preprocess = opts.preprocess,
  }, Part)
end

-- A part like this one, with other tensors where they are given, and without augmentation.
local function alike(self, x, y, weight)
  if weight == nil then weight = self.weight end
  return M.from_tensors{x = x or self.x, y = y or self.y, weight = weight, names = self.names,
                        classes = self.classes, origin = self.origin, preprocess = self.preprocess}
end

--- Returns the same part with other tensors; names, classes, origin, preprocess and augmentation
-- stay.
--     local scaled = part:with{x = part.x:real() / 128}
-- @param opts table: x=, y=, weight= (default: those of this part)
-- @return part
function Part:with(opts)
  opts = options.check("part:with", opts, {x = "any", y = "any", weight = "any"})
  local part = alike(self, opts.x, opts.y, opts.weight)
  local augmentation = self.augmentation
  return augmentation and part:augment(augmentation.list, {input = augmentation.input}) or part
end

--- Returns the same part, whose batches are augmented; x and y, and so evaluation and predictions,
-- stay as they are. Kinds that move pixels come first, as one map and one interpolation in their
-- order, then noise, then mixup.
--     local images = bnn.data.from_tensors{x = bnn.ones(20, 8, 8)}
--     local augmented = images:augment{bnn.augment.shift(1), bnn.augment.noise(0.1)}
--     for batch in augmented:batches{size = 10, key = key} do print(batch.x) end
-- @param list list of augmentations of bnn.augment
-- @param opts table: input= the name of the input that is augmented, where there are several
-- @return part
-- Raises if x has no pixels to move (images are [n, h, w] or [n, channels, h, w]) or no real
-- numbers, the list is out of order, or examples with weights, or with inputs or targets by name,
-- are to be mixed.
function Part:augment(list, opts)
  opts = options.check("part:augment", opts, {input = "string"})
  local made = alike(self)
  made.augmentation = augmented_part.new("part:augment", list, made, opts.input)
  return made
end

-- The same part of rows that f takes from each of its tensors.
local function taken(self, f)
  return self:with{x = named_tensors.map(self.x, f), y = named_tensors.map(self.y, f),
                   weight = self.weight and f(self.weight)}
end

--- Returns rows first..last, both included, as a part that shares memory; `last` may lie beyond the
-- end.
--     print(part:slice(1, 10).size)                     -- 10
-- @param first integer, from 1 (default 1)
-- @param last integer (default: the last row)
-- @return part
-- Raises if first is not in 1..size + 1, or last is below first - 1, of which slice makes no rows.
function Part:slice(first, last)
  local from, n = expect.row_range("part:slice", self.size, first, last)
  return taken(self, function(tensor) return tensor:narrow(1, from, n) end)
end

--- Returns some rows, in the order given, as a part with a copy of them.
--     local part = bnn.data.from_tensors{x = bnn.tensor{{10}, {20}, {30}}}
--     print(part:index{3, 1}.x:totable())                --> {{30}, {10}}
-- @param rows tensor of integers [m], or list: row numbers, counted from 1; a row may come twice
-- @return part
-- Raises if a row is outside of 1..n.
function Part:index(rows)
  if kinds.is_plain(rows) then
    rows = fail.within("part:index: rows", core.tensor, rows, "i32")
  end
  expect.tensor("part:index: rows", rows, "a tensor of integers or a list")
  return taken(self, function(tensor)
    return fail.within("part:index", tensor.index, tensor, rows)
  end)
end

-- A batch: rows of a part, gathered on first use (bnn.train never does: C gathers them).
local Batch = {__name = "bnn.batch"}

local FIELDS = {x = true, y = true, weight = true}

-- x, y and, mixed, weight of an augmented batch; of inputs by name one is augmented, and where
-- there are names nothing is mixed.
local function augmented_tensors(self)
  local source, input = self.source, self.source.augmentation.input
  if not input and not named_tensors.is_named(source.y) then
    return core.gather_augmented(source.x, source.y, self.rows, self.from, self.count,
      source.augmentation.mixes and source.weight or nil)
  end
  local function plain(tensor)
    return core.gather_rows(tensor, self.rows, self.from, self.count)
  end
  local x = named_tensors.map(source.x, function(tensor, name)
    if name ~= input then return plain(tensor) end
    return (core.gather_augmented(tensor, nil, self.rows, self.from, self.count))
  end)
  return x, named_tensors.map(source.y, plain)
end

function Batch.__index(self, name)
  if not FIELDS[name] then return nil end
  local source = self.source
  if source.augmentation and (name ~= "weight" or source.augmentation.mixes) then
    self.x, self.y, self.weight = augmented_tensors(self)
    return rawget(self, name)
  end
  local value = named_tensors.map(source[name], function(tensor)
    return core.gather_rows(tensor, self.rows, self.from, self.count)
  end)
  rawset(self, name, value)
  return value
end

-- What grad and compile see of a batch that is an argument.
function Batch:__parts() return {x = self.x, y = self.y, weight = self.weight} end

-- The permutation of epoch e, counted from 1: a function of the key and e alone.
local function epoch_rows(part, key, e)
  return core.permutation(key:fold("data"):fold(e), part.size)
end

--- Makes a batch of a part.
-- @param part part
-- @param rows tensor i32: row numbers, of which the batch has [from, from + count)
-- @param key key of the batches: one that is augmented draws with key:fold(i):fold("augment")
-- @param i integer: the batch's number, counted from 1
function M.batch(part, rows, from, count, key, i)
  local augmentation = part.augmentation
  if augmentation then
    rows = core.augmented_rows(rows, augmentation.core, key:fold(i):fold "augment",
      augmentation.input_at, augmentation.targets_at, augmentation.weights_at)
  end
  return setmetatable({source = part, rows = rows, from = from, count = count}, Batch)
end

--- Iterates over batches, each epoch in a new permutation that is a function of key and epoch.
--     for batch in data.train:batches{size = 128, key = key} do print(batch.x, batch.y) end
-- @param opts table: size=, key=, epochs=1 (math.huge: without end), drop_last=true (false: the
--   rest of an epoch is a smaller batch), skip=0 (batches to skip, to resume)
-- @return function() -> batch: x [b, ...] (u8 images as real numbers, / 255; other types unchanged)
--   and y [b], and weight [b] if the part has weights; batch i of an augmented part draws with
--   key:fold(i):fold("augment")
function Part:batches(opts)
  opts = options.check("part:batches", opts, {
    size = {type = "integer", min = 1, required = true},
    key = {type = "key", required = true},
    epochs = {type = "integer", min = 0, default = 1, infinite = true},
    drop_last = {type = "boolean", default = true},
    skip = {type = "integer", min = 0, default = 0},
  })
  local whole, rest = self.size // opts.size, self.size % opts.size
  local per_epoch = whole + (rest > 0 and not opts.drop_last and 1 or 0)
  if per_epoch == 0 then
    local message = ("batch_size is %d, the data have %d examples"):format(opts.size, self.size)
    refusal.assert_or_exit(nil, message)
  end
  local i, epoch, rows = opts.skip, 0, nil
  return function()
    local e = i // per_epoch + 1
    if e > opts.epochs then return nil end
    if e ~= epoch then epoch, rows = e, epoch_rows(self, opts.key, e) end
    local from = (i % per_epoch) * opts.size + 1
    i = i + 1
    local count = math.min(opts.size, self.size - from + 1)
    return M.batch(self, rows, from, count, opts.key, i)
  end
end

-- #part is how many examples it has.
function Part:__len() return self.size end

function Batch:__tostring()
  return ("batch: %d of %s"):format(self.count, tostring(self.source))
end

expect_model.check_methods(Part, "part", expect_model.has "x")

-- The types of targets: "i32", or "{age f32, class i32}".
local function types_text(y)
  local names = named_tensors.names(y)
  if not names then return y:dtype() end
  local parts = {}
  for i, name in ipairs(names) do parts[i] = name .. " " .. y[name]:dtype() end
  return "{" .. table.concat(parts, ", ") .. "}"
end

function Part.__tostring(self)
  return ("data: %d examples, x %s%s%s%s"):format(self.size, named_tensors.text(self.x),
    self.y and ", y " .. types_text(self.y) or "", self.weight and ", weight" or "",
    self.augmentation and ", augmented by " .. self.augmentation.text or "")
end

return M
