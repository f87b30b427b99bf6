--- Preprocessing before training: standardised columns, one-hot labels.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local notice = require "bnn.base.notice"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"

local M = {}

-- As batches see it: images of u8 are intensities.
local function as_real(x) return x:dtype() == "u8" and x:real() / 255 or x:real() end

-- Mean and standard deviation of each column; says which have none.
local function fit(x)
  local mean, rest, std, constant, first = core.fit_columns(x)
  local lost = (mean - mean):ne(0)
  local count = math.tointeger(lost:sum():item())
  if count > 0 then
    notice.say("bnn.data.standardise: %d of %d columns hold values that are not finite, the first "
      .. "is column %d; they become NaN", count, mean:numel(), lost:view(-1):argmax():item())
  end
  if constant > 0 then
    notice.say("bnn.data.standardise: %d of %d columns hold one value in all rows, the first is "
      .. "column %d; they lose their mean only", constant, mean:numel(), first)
  end
  return {mean = mean, std = std, rest = rest}
end

--- Shifts and scales columns to mean 0 and standard deviation 1. Fit on the training part, and
-- apply the fit to the others:
--     local train, stats = bnn.data.standardise(data.train)
--     local test = bnn.data.standardise(data.test, stats)
-- A constant column only loses its mean (its std is 1), one with a NaN or an infinity becomes NaN;
-- a line on stderr says how many of each there are.
-- @param given part: x [n, ...]
-- @param stats table: {mean=, std=} of an earlier call
-- @return part with x real; {mean=, std=, rest=}, tensors of a row's shape. rest is the
--   rounding error of mean, 0 if absent
-- Raises if there are no rows to fit on, or the stats are of other columns.
function M.standardise(given, stats)
  expect_model.part("bnn.data.standardise", given)
  local x = as_real(given.x):contiguous()
  if stats then
    stats = options.check("bnn.data.standardise", stats, {
      mean = {type = "tensor", required = true}, std = {type = "tensor", required = true},
      rest = "tensor",
    })
    local row = shapes.text(x, 2)
    for _, name in ipairs{"mean", "std", "rest"} do
      local shape = stats[name] and shapes.text(stats[name]) or row
      if shape ~= row then
        fail("bnn.data.standardise: stats: %s: expected %s, got %s", name, row, shape)
      end
    end
  elseif given.size == 0 then
    fail "bnn.data.standardise: expected rows to fit on, got none"
  else
    stats = fit(x)
  end
  local mean, std = as_real(stats.mean):contiguous(), as_real(stats.std):contiguous()
  local rest = stats.rest and as_real(stats.rest):contiguous()
  return given:with{x = core.standardise_columns(x, mean, rest, std)}, stats
end

--- Encodes labels as rows that are 1 at their class and 0 elsewhere.
--     bnn.data.one_hot({0, 2}, 3)                       -- {{1, 0, 0}, {0, 0, 1}}
-- @param y tensor or list [n] or [n, 1]: classes 0, 1, ...
-- @param count integer: the number of classes (default: the largest label + 1)
-- @return tensor real [n, count]
-- Raises if a label is no whole number, below 0 or not below count.
function M.one_hot(y, count)
  if not kinds.is_plain(y) or #y == 0 and next(y) ~= nil then
    expect.tensor("bnn.data.one_hot: y", y, "a tensor or a list of labels")
  end
  local labels, fault = classes.labels(type(y) == "userdata" and y or core.tensor(y))
  if not labels then fail("bnn.data.one_hot: y: %s", fault) end
  y = labels
  local real = y:real()
  local least, most = 0, -1
  if #y > 0 then least, most = real:min():item(), real:max():item() end
  count = count or math.tointeger(most + 1)
  if math.type(count) ~= "integer" or count < 1 then
    fail("bnn.data.one_hot: count: expected an integer of at least 1, got %s", kinds.show(count))
  end
  if least < 0 or most >= count then
    fail("bnn.data.one_hot: y: expected labels 0 to %d, got %g to %g", count - 1, least, most)
  end
  if #y == 0 then return core.zeros(0, count) end
  return core.eye(count):index((real + 1):to "i32")
end

return M
