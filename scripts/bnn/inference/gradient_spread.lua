--- The variance of a gradient, by tensor: what of it comes from the weights that are drawn, and
-- what from the choice of the batch.
--
-- With g_br the gradient for draw r of R on batch b of B, an analysis of variance with one way:
--
--     noise   mean over b of the variance over r of g_br
--     batch   variance over b of the mean over r of g_br, less noise / R
--
-- Both are unbiased, element by element, and add to the variance of one gradient on a fresh batch.
-- No gradient is stored: what Welford's (1962) update adds to the sum of squares is the square of a
-- residual from the mean of those before, (g_n - mean_(n-1)) sqrt((n - 1) / n). Each has the
-- variance of g, and they do not correlate: their scatter gives the standard errors.
local parameters = require "bnn.params.params"

local M = {}

--- Where each tensor lies in the gradient of a posterior, and "all" of each buffer, of which rows
-- count by themselves.
-- @return list of {buffer=, tensor=, from= (from 1), elements=}
function M.segments(posterior)
  local list, at = {}, 0
  for _, buffer in ipairs(posterior:rows_of_buffers()) do
    local size = buffer.params:numel()
    for _, entry in ipairs(parameters.layout_of(buffer.params)) do
      list[#list + 1] = {buffer = buffer.name, tensor = entry.name, from = at + entry.offset + 1,
                         elements = entry.size}
    end
    list[#list + 1] = {buffer = buffer.name, tensor = "all", from = at + 1, elements = size}
    at = at + size
  end
  return list
end

-- The mean of a flat tensor in each segment.
local function means_in(segments, flat)
  local means = {}
  for i, s in ipairs(segments) do
    means[i] = flat:narrow(1, s.from, s.elements):sum():item() / s.elements
  end
  return means
end

-- The squared residual of a gradient from the mean of those before, which it joins; of the first
-- there is none.
local function residual(so_far, gradient)
  local n = (so_far.n or 0) + 1
  so_far.n = n
  if n == 1 then
    so_far.mean = gradient
    return nil
  end
  local miss = gradient - so_far.mean
  so_far.mean = so_far.mean + miss * (1 / n)
  return miss * miss * ((n - 1) / n)
end

-- Averages of lists of numbers, with what their standard errors need.
local function new_averages(size)
  local averages = {n = 0, mean = {}, squares = {}}
  for i = 1, size do averages.mean[i], averages.squares[i] = 0, 0 end
  return averages
end

local function add(averages, values)
  averages.n = averages.n + 1
  for i, v in ipairs(values) do
    local miss = v - averages.mean[i]
    averages.mean[i] = averages.mean[i] + miss / averages.n
    averages.squares[i] = averages.squares[i] + miss * (v - averages.mean[i])
  end
end

--- The standard error of average i.
function M.standard_error(averages, i)
  local n = averages.n
  return math.sqrt(averages.squares[i] / (n * (n - 1)))
end

-- a + share * b, of lists.
local function combined(a, share, b)
  local list = {}
  for i = 1, #a do list[i] = a[i] + share * b[i] end
  return list
end

-- The variance over the draws on one batch, and their mean.
local function spread_within(segments, gradient_of, draws, b)
  local so_far, parts = {}, new_averages(#segments)
  for r = 1, draws do
    local square = residual(so_far, gradient_of(b, r))
    if square then add(parts, means_in(segments, square)) end
  end
  return parts, so_far.mean
end

--- Measures the variance in each segment.
-- @param segments list, as M.segments gives it
-- @param gradient_of function(b, r) -> flat tensor, new each time: draw r on batch b, which is
--   asked for once, in order
-- @param batches, draws integers: B, 1 or at least 3; R, at least 2
-- @return averages of the noise; of more than one batch also of batch, and of both together
function M.measure(segments, gradient_of, batches, draws)
  local size, between = #segments, {}
  local noise, batch, total = new_averages(size), new_averages(size), new_averages(size)
  for b = 1, batches do
    local parts, mean = spread_within(segments, gradient_of, draws, b)
    if batches == 1 then return parts end
    local square = residual(between, mean)
    add(noise, parts.mean)
    if square then
      local spread = means_in(segments, square)
      add(batch, combined(spread, -1 / draws, parts.mean))
      add(total, combined(spread, 1 - 1 / draws, parts.mean))
    end
  end
  return noise, batch, total
end

return M
