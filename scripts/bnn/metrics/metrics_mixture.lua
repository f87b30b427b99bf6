--- Metrics of numbers that are predicted as a distribution: a normal one, or the mixture of those
-- of a posterior's draws.
local bootstrap = require "bnn.metrics.metric_bootstrap"
local core = require "bnn.core"
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local options = require "bnn.base.options"
local pytree = require "bnn.params.pytree"

local M = {}

local PAIRS = 4000000 -- of draws, in one call: about a tenth of a second

local function check_std(what, std, least)
  for i, v in ipairs(std:reshape(std:numel()):totable()) do
    if v < 0 or v == 0 and least == "above 0" then
      fail("%s: std %d: expected %s, got %.6g", what, i, least, v)
    end
  end
end

-- The Gaussians of each draw, [draws, n, width], and targets [n, width].
local function as_mixture(mean, std, target, draws)
  local n = target:size(1)
  local width = target:numel() // n
  return {mean = mean:reshape(draws, n, width), std = std:reshape(draws, n, width),
          target = target:reshape(n, width), shape = target:shape(), n = n, draws = draws}
end

-- What bnn.predict{draws = true} gave.
local function of_prediction(what, prediction, target, least)
  if pytree.leaf_kind(prediction.draws) ~= "tensor" then
    fail("%s: prediction: expected one with its draws, as bnn.predict(model, x, {draws = true}) "
      .. "gives it, or mean, std", what)
  end
  if pytree.leaf_kind(prediction.draws_std) ~= "tensor" then
    fail("%s: prediction: expected one of numbers with a variance, got one of classes", what)
  end
  local mean = inputs.values(what, "draws", prediction.draws, "draw")
  local std = inputs.values(what, "draws_std", prediction.draws_std, "std")
  local y = inputs.values(what, "target", target, "target")
  local first = mean:narrow(1, 1, 1)
  local shape = first:shape()
  table.remove(shape, 1)
  local one = first:reshape(shape)
  inputs.check_same_shape(what, one, "target", y)
  check_std(what, std, least)
  return as_mixture(mean, std, y, mean:size(1))
end

local function of_normal(what, mean, std, target, least)
  local m, s, y = inputs.of_one_shape(what, {"mean", mean}, {"std", std}, {"target", target})
  check_std(what, s, least)
  return as_mixture(m, s, y, 1)
end

-- (prediction, target, opts) or (mean, std, target, opts): a mixture, and opts.
local function read(what, least, ...)
  local first = ...
  local is_prediction = type(first) == "table" and first.mean ~= nil
  local opts = select(is_prediction and 3 or 4, ...)
  if is_prediction then return of_prediction(what, first, select(2, ...), least), opts end
  local mean, std, target = ...
  return of_normal(what, mean, std, target, least), opts
end

-- The score of each row, f64 [n].
local function scores(name, m, pairs_of_row)
  local rows, parts = math.max(1, PAIRS // math.max(1, pairs_of_row)), {}
  for from = 0, m.n - 1, rows do
    parts[#parts + 1] = core.mixture_scores(name, m.mean, m.std, m.target, from,
      math.min(rows, m.n - from))
  end
  return #parts == 1 and parts[1] or core.ops.concat(parts, 1)
end

-- The sum of the logs of what the columns of targets were divided by.
local function log_scale(what, scale, width)
  if not scale then return 0 end
  local list, sum = scale, 0
  if type(scale) == "number" then
    list = {}
    for k = 1, width do list[k] = scale end
  elseif pytree.leaf_kind(scale) == "tensor" then
    list = scale:reshape(scale:numel()):totable()
  end
  if #list ~= width then
    fail("%s: scale: expected %d numbers, one for each column, got %d", what, width, #list)
  end
  for k, v in ipairs(list) do
    if not options.accept(v, {type = "number", above = 0}) then
      fail("%s: scale %d: expected a number above 0, got %s", what, k, kinds.show(v))
    end
    sum = sum + math.log(v)
  end
  return sum
end

--- Computes the mean over examples of the log predictive density of the targets, in nats: of a
-- prediction with draws that of their mixture, log(1/S sum_s N(y; mean_s, std_s^2)), the density of
-- all numbers of an example together; else that of N(mean, std^2).
--     bnn.metrics.log_predictive_density({0, 0}, {1, 1}, {0, 1})          -- -1.169
--     local p = {mean = bnn.zeros(3, 1), draws = bnn.randn(key, 5, 3, 1),
--                draws_std = bnn.ones(5, 3, 1)}                       -- as bnn.predict gives it
--     bnn.metrics.log_predictive_density(p, bnn.zeros(3, 1), {scale = 2})
-- @param prediction what bnn.predict returned with draws = true; or mean, std: tensors or lists
--   [n, ...], two arguments
-- @param target tensor or list [n, ...]
-- @param opts table: weight= [n], scale= what the targets were divided by, a number or one for each
--   column: the density is then in the targets' own units; bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap
-- Raises for a std of 0, and for a prediction without draws.
function M.log_predictive_density(...)
  local what = "bnn.metrics.log_predictive_density"
  local m, opts = read(what, "above 0", ...)
  opts = bootstrap.options(what, opts, {scale = "any"})
  local shift = log_scale(what, opts.scale, m.target:size(2))
  local value, edges = bootstrap.evaluate(what, opts, core.mean_metric,
    scores("log_density", m, m.draws * m.target:size(2)), false)
  if edges then edges = {edges[1] - shift, edges[2] - shift} end
  return value - shift, edges
end

--- Computes the mean over examples of the continuous ranked probability score, E|Y - y| - E|Y - Y'|
-- / 2 in the units of the targets, of the mixture of a prediction's draws, or of N(mean, std^2);
-- the mean over the numbers of an example (Gneiting & Raftery 2007, section 4.2; Grimit et al.
-- 2006). Of predictions without spread it is the mean absolute error.
--     bnn.metrics.crps({0}, {1}, {0})                                     -- 0.2337
-- @param prediction what bnn.predict returned with draws = true; or mean, std: tensors or lists
--   [n, ...], two arguments
-- @param target tensor or list [n, ...]
-- @param opts table: weight= [n], bootstrap={key=, n=1000, level=0.95}
-- @return number, and {lo, hi} with bootstrap. It takes draws^2 steps for each number
-- Raises for a std below 0, and for a prediction without draws.
function M.crps(...)
  local what = "bnn.metrics.crps"
  local m, opts = read(what, "at least 0", ...)
  opts = bootstrap.options(what, opts)
  return bootstrap.evaluate(what, opts, core.mean_metric,
    scores("crps", m, m.draws ^ 2 * m.target:size(2)), false)
end

-- The probability of at most the target, f64 [n, width], and the mixture.
local function cdf(what, ...)
  local m, opts = read(what, "at least 0", ...)
  return core.mixture_cdf(m.mean, m.std, m.target), m, opts
end

--- Computes the probability integral transform of each target, F(y): how likely the predictive
-- distribution makes at most the target (Dawid 1984). Of a prediction with draws F is that of their
-- mixture, else that of N(mean, std^2). The numbers are uniform on [0, 1] if the distributions are
-- right.
--     bnn.metrics.pit({0, 0}, {1, 1}, {0, 1.96})                          -- 0.5 0.975
-- @param prediction what bnn.predict returned with draws = true; or mean, std: tensors or lists
--   [n, ...], two arguments
-- @param target tensor or list [n, ...]
-- @return tensor f64 of the shape of target, in [0, 1]
-- Raises for a std below 0, and for a prediction without draws.
function M.pit(...)
  local what = "bnn.metrics.pit"
  local p, m, opts = cdf(what, ...)
  bootstrap.options(what, opts, {bootstrap = false, weight = false})
  return p:reshape(m.shape)
end

-- Numbers [n, width] as a sorted list of {number, weight of its row}, and the sum of these weights.
local function weighed(what, values, weight)
  local n, width, sum = values:size(1), values:size(2), 0
  if weight then fail.within(what, core.check_weights, weight, n) end
  local weights, list = weight and weight:totable(), values:reshape(n * width):totable()
  for i, v in ipairs(list) do
    list[i] = {v, weights and weights[(i - 1) // width + 1] or 1}
    sum = sum + list[i][2]
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list, sum
end

--- Counts the probability integral transforms of targets in bins of equal width over [0, 1]: flat
-- if predictive distributions are right, U-shaped if too narrow, a hump if too wide, sloped if
-- shifted (Gneiting et al. 2007). Bin b covers [(b - 1) / bins, b / bins), the last one its end.
--     local h = bnn.metrics.pit_histogram({0, 0, 0}, {1, 1, 1}, {-9, 0.1, 9}, {bins = 2})
--     print(h.n, h.density)                             -- 1 2, 0.667 1.333
-- bnn.plot.histogram draws the transforms themselves:
--     bnn.plot.histogram{series = {{x = bnn.metrics.pit({0, 0}, {1, 1}, {0.1, 2})}}, bins = 10,
--                        range = {0, 1}, xlabel = "PIT"}
-- @param prediction what bnn.predict returned with draws = true; or mean, std: tensors or lists
--   [n, ...], two arguments
-- @param target tensor or list [n, ...]; each number of an example counts
-- @param opts table: weight= [n], bins=10
-- @return table: tensors n [bins], i64, the targets in each bin, or f64, the sums of their weights;
--   density f64 [bins], their share over the bin's width, 1 where the distributions are right;
--   distance, the largest difference between the share of transforms up to a number and that number
--   (Kolmogorov and Smirnov's statistic), 0 to 1
-- Raises for a std below 0, and for a prediction without draws.
function M.pit_histogram(...)
  local what = "bnn.metrics.pit_histogram"
  local p, _, opts = cdf(what, ...)
  opts = bootstrap.options(what, opts, {
    bins = {type = "integer", min = 1, max = 1 << 20, default = 10},
    bootstrap = false,
  })
  local weight = bootstrap.weight(what, opts)
  local values, sum = weighed(what, p, weight)
  local n, density, distance, below = {}, {}, 0, 0
  for b = 1, opts.bins do n[b] = 0 end
  for _, value in ipairs(values) do
    local v, w = value[1], value[2]
    local b = math.min(math.floor(v * opts.bins), opts.bins - 1) + 1
    n[b] = n[b] + w
    distance = math.max(distance, v - below / sum, (below + w) / sum - v)
    below = below + w
  end
  for b, count in ipairs(n) do density[b] = count / sum * opts.bins end
  return {n = core.tensor(n, weight and "f64" or "i64"), density = core.tensor(density, "f64"),
          distance = distance}
end

return M
