--- Preprocessing before training: standardised columns, one-hot labels.
local classes = require "bnn.model.classes"
local core = require "bnn.core"
local expect = require "bnn.base.expect"
local expect_model = require "bnn.params.expect_model"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local named_tensors = require "bnn.params.named_tensors"
local notice = require "bnn.base.notice"
local options = require "bnn.base.options"
local shapes = require "bnn.base.shapes"
local target_units = require "bnn.data.preprocessing.target_units"

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

local STATS = {
  mean = "tensor", std = "tensor", rest = "tensor", y = "boolean|table",
}

-- Statistics of an earlier call, checked against rows of these columns.
local function check_stats(what, stats, x)
  local row = shapes.text(x, 2)
  for _, name in ipairs{"mean", "std", "rest"} do
    if not stats[name] and name ~= "rest" then
      fail("%s: %s: expected a tensor, got nothing", what, name)
    end
    local shape = stats[name] and shapes.text(stats[name]) or row
    if shape ~= row then fail("%s: %s: expected %s, got %s", what, name, row, shape) end
  end
  return stats
end

-- Columns by their statistics, or those fitted to them.
local function scale(what, given, stats)
  local x = as_real(given):contiguous()
  stats = stats and check_stats(what, stats, x) or fit(x)
  local mean, std = as_real(stats.mean):contiguous(), as_real(stats.std):contiguous()
  local rest = stats.rest and as_real(stats.rest):contiguous()
  return core.standardise_columns(x, mean, rest, std), stats
end

-- Targets by the statistics `given`, or true to fit; and the statistics.
local function scale_targets(part, given)
  local what = "bnn.data.standardise: stats: y"
  if not part.y or part.classes then
    fail("%s: expected a part with targets of numbers, got %s", what,
      part.y and "classes" or "none")
  end
  local stats = given ~= true and options.check(what, given, {
    mean = "tensor", std = "tensor", rest = "tensor",
  }) or nil
  return scale(what, named_tensors.single(what, part.y), stats)
end

--- Shifts and scales columns to mean 0 and standard deviation 1. Fit on the training part, and
-- apply the fit to the others:
--     local train, stats = bnn.data.standardise(data.train)
--     local test = bnn.data.standardise(data.test, stats)
-- With {y = true} in place of the statistics the targets of the training part are fitted too;
-- bnn.data.unstandardise takes predictions back to their units.
-- A constant column only loses its mean (its std is 1), one with a NaN or an infinity becomes NaN;
-- a line on stderr says how many of each there are.
-- @param given part: x [n, ...]
-- @param stats table: {mean=, std=} of an earlier call, whose y= are those of y; or {y = true}
-- @return part with x real; {mean=, std=, rest=}, tensors of a row's shape. rest is the
--   rounding error of mean, 0 if absent; y = {mean=, std=, rest=} of standardised targets
-- Raises if there are no rows to fit on, or the stats are of other columns.
function M.standardise(given, stats)
  local what = "bnn.data.standardise"
  expect_model.part(what, given)
  stats = options.check(what, stats, STATS)
  local is_fit = not (stats.mean or stats.std or stats.rest)
  if is_fit and given.size == 0 then fail("%s: expected rows to fit on, got none", what) end
  if is_fit and type(stats.y) == "table" then
    fail("%s: stats: expected mean= and std= beside y=, got none", what)
  end
  local only = named_tensors.single(what .. ": x", given.x)
  local x, own = scale(what .. ": stats", only, not is_fit and stats or nil)
  local result = {mean = own.mean, std = own.std, rest = own.rest}
  local y
  if stats.y then
    if not is_fit and stats.y == true then
      fail("%s: stats: y: expected {mean=, std=} beside mean=, got true", what)
    end
    y, result.y = scale_targets(given, stats.y)
  end
  return given:with{x = x, y = y}, result
end

-- Statistics of targets as units.
local function units_of(what, stats)
  local y = type(stats) == "table" and stats.y
  if type(y) ~= "table" or not kinds.is_object(y.mean, "tensor")
    or not kinds.is_object(y.std, "tensor") or y.mean:numel() ~= y.std:numel() then
    fail("%s: stats: expected those of bnn.data.standardise(part, {y = true}), got %s", what,
      kinds.shown(stats))
  end
  local k = y.mean:numel()
  return {mean = y.mean:reshape(k):totable(), std = y.std:reshape(k):totable()}
end

--- Takes targets, or a prediction of them, back to the units that they had before
-- bnn.data.standardise(part, {y = true}): means times the standard deviation plus the mean,
-- deviations times the standard deviation, so that all metrics are in these units.
--     local part = bnn.data.from_tensors{x = bnn.randn(key, 3, 2), y = bnn.tensor{10, 20, 60}}
--     local train, stats = bnn.data.standardise(part, {y = true})
--     print(bnn.data.unstandardise(train.y, stats))     -- tensor [3]: 10 20 60
-- @param x tensor [..., k] of values, such as y, means, samples or quantiles, [n] for y [n]; or
--   what bnn.predict returned of numbers: mean, std, noise_std, total_std and draws change
-- @param stats table, as bnn.data.standardise returned it
-- @return tensor of the shape of x, or prediction
-- Raises for predictions of classes, and statistics without y.
function M.unstandardise(x, stats)
  local what = "bnn.data.unstandardise"
  return target_units.invert(what, units_of(what, stats), x)
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
