--- Toy data: small sets drawn from a known truth.
local core = require "bnn.core"
local describe = require "bnn.base.describe"
local fail = require "bnn.base.fail"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local parts = require "bnn.data.part"
local preprocess = require "bnn.data.preprocess"

local M = {}

-- n points of y = x^3 + noise with x uniform over a range.
local function cubic_part(key, n, opts)
  local from, to = table.unpack(opts.range)
  local x = core.rand(key:fold "x", n, 1) * (to - from) + from
  local y = x * x * x + core.randn(key:fold "noise", n, 1) * opts.noise
  return parts.from_tensors{x = x, y = y, origin = "bnn.data.cubic"}
end

-- Both parts with x and y standardised by the training part, and how to go back.
local function standardise(train, test)
  local x_of_train, x_scale = preprocess.standardise(train)
  local y_of_train, y_scale = preprocess.standardise(parts.from_tensors{x = train.y})
  local y_of_test = preprocess.standardise(parts.from_tensors{x = test.y}, y_scale)
  return x_of_train:with{y = y_of_train.x},
    preprocess.standardise(test, x_scale):with{y = y_of_test.x}, {x = x_scale, y = y_scale}
end

--- Draws the regression of Hernandez-Lobato and Adams (2015): y = x^3 + noise, x uniform over a
-- range.
--     local data = bnn.data.cubic{key = key:fold "data"}     -- 100 points on [-4, 4], noise 3
-- Train and test part are drawn from folds of the key, so they depend on nothing else.
-- @param opts table: key=; n=100 points to train on, test=1000 others; noise=3, the standard
--   deviation of y; range={-4, 4} of x; standardise=false: whether x and y have mean 0 and standard
--   deviation 1 on the training part
-- @return {train=, test=, name=, title=}: x real [n, 1], y real [n, 1]; if standardised also
--   scale= {x = {mean=, std=}, y = {mean=, std=}}, tensors [1]: y * scale.y.std + scale.y.mean is
--   in the units of the data
-- Raises if range is not {from, to} with from below to.
function M.cubic(opts)
  local what = "bnn.data.cubic"
  opts = options.check(what, opts, {
    key = {type = "key", required = true}, n = {type = "integer", min = 1, default = 100},
    test = {type = "integer", min = 1, default = 1000},
    noise = {type = "number", min = 0, default = 3},
    range = {type = "number", list = true, default = {-4, 4}},
    standardise = {type = "boolean", default = false},
  })
  local range = opts.range
  if #range ~= 2 or range[1] >= range[2] then
    fail("%s: range: expected {from, to} with from < to, got %s", what, kinds.show(range))
  end
  local train = cubic_part(opts.key:fold "train", opts.n, opts)
  local test = cubic_part(opts.key:fold "test", opts.test, opts)
  local scale
  if opts.standardise then train, test, scale = standardise(train, test) end
  return describe.as("data set",
    {train = train, test = test, scale = scale, name = "cubic", title = "cubic"})
end

return M
