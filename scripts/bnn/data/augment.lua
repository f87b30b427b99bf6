--- Augmentation: examples changed at random while a batch is gathered, so that a network sees each
-- one differently in every epoch.
--
-- What happens to an example is a function of the training's key, of the step, and of the example's
-- place in the batch: the same bits on any number of threads, and resumed. Training alone sees it;
-- evaluation and predictions see the data as they are.
--     bnn.train{
--       objective = objective, optimizer = bnn.optim.adam{}, data = data.train, steps = 10,
--       key = key, augment = {bnn.augment.shift(2), bnn.augment.rotate(10)},
--     }
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local number = require "bnn.base.number"
local options = require "bnn.base.options"

local M = {}

local Augmentation = {__name = "bnn.augmentation"}
Augmentation.__index = Augmentation

local rows, specs = {}, {}
for _, row in ipairs(core.augmentations()) do
  rows[row.name] = row
  specs[row.name] = {type = row.whole and "integer" or "number",
                     min = math.tointeger(row.least) or row.least, max = math.tointeger(row.most)}
end

-- shift(2), crop(4, mode=reflect)
function Augmentation.__tostring(self)
  local words = {number.text(self.amount)}
  for _, name in ipairs(options.sorted_names(self.options)) do
    words[#words + 1] = ("%s=%s"):format(name, tostring(self.options[name]))
  end
  return ("%s(%s)"):format(self.name, table.concat(words, ", "))
end

-- An augmentation, its amount checked by the bounds of its row.
local function make(name, amount, opts)
  local what = ("bnn.augment.%s: %s"):format(name, rows[name].amount)
  amount = expect.value(what, amount, specs[name])
  return setmetatable({name = name, amount = amount, options = opts or {},
                       mixes = rows[name].mixes}, Augmentation)
end

--- Moves images by whole pixels, up and down and left and right, each way by 0 to `pixels` of them,
-- all equally likely. What comes from outside is 0.
--     print(bnn.augment.shift(2))                       -- shift(2)
-- @param pixels integer from 0
-- @return augmentation, for bnn.train{augment=} or part:augment
-- Raises if pixels is out of range.
function M.shift(pixels) return make("shift", pixels) end

--- Turns images about their middle by an angle that is uniform from -degrees to degrees, with
-- bilinear interpolation. What comes from outside is 0.
--     print(bnn.augment.rotate(15))                     -- rotate(15)
-- @param degrees number from 0 to 180
-- @return augmentation
-- Raises if degrees is out of range.
function M.rotate(degrees) return make("rotate", degrees) end

--- Exchanges left and right of an image, with a probability.
--     print(bnn.augment.flip())                         -- flip(0.5)
-- @param probability number from 0 to 1 (default 0.5)
-- @return augmentation
-- Raises if probability is out of range.
function M.flip(probability) return make("flip", probability == nil and 0.5 or probability) end

--- Cuts a window of the image's own size out of the image with a border around it, at a random
-- place.
--     print(bnn.augment.crop(4, {mode = "reflect"}))    -- crop(4, mode=reflect)
-- @param padding integer from 0: pixels of the border
-- @param opts table: mode= what the border holds: "zero" (default); "edge", the outermost pixels
--   again; "reflect", the image mirrored in its outermost pixels. With shift and rotate in the same
--   list it holds for these too
-- @return augmentation
-- Raises if padding is out of range.
function M.crop(padding, opts)
  opts = options.check("bnn.augment.crop", opts or {}, {
    mode = {type = "string", choices = {"zero", "edge", "reflect"}},
  })
  return make("crop", padding, opts)
end

--- Adds normal noise of a standard deviation to every element; of u8 images 1 is the whole range.
--     print(bnn.augment.noise(0.1))                     -- noise(0.1)
-- @param std number from 0
-- @return augmentation
-- Raises if std is out of range.
function M.noise(std) return make("noise", std) end

--- Mixes examples (Zhang et al. 2018): x becomes lambda x + (1 - lambda) x', with another example
-- x' of the batch, and lambda ~ Beta(alpha, alpha) for each example. Labels i32 become real rows
-- [n, classes], the shares of their classes, so that the categorical loss is
-- lambda l(y) + (1 - lambda) l(y'); a loss of your own sees them in batch.y. Real targets are mixed
-- as inputs are. Examples of weights w and w' become one of the weight W = lambda w +
-- (1 - lambda) w', of whose targets w has the share lambda w / W: the loss of both is then
-- lambda w l(y) + (1 - lambda) w' l(y').
--     print(bnn.augment.mixup(0.2))                     -- mixup(0.2)
-- @param alpha number from 0.001: 0.2 mixes most examples a little, 1 makes all lambdas equally
--   likely
-- @param opts table: classes= of labels (default: those of the data, else the largest label + 1)
-- @return augmentation, the last of a list
-- Raises if alpha is out of range.
function M.mixup(alpha, opts)
  opts = options.check("bnn.augment.mixup", opts or {}, {classes = {type = "integer", min = 1}})
  return make("mixup", alpha, opts)
end

return M
