--- The variance of gradients by tensor, as bars.
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local options = require "bnn.base.options"
local plot_bars = require "bnn.plot.plot_bars"

local M = {}

local YLABELS = {
  noise_share = "share of the weights' noise in the variance",
  noise_ratio = "times less noise than with %s", total_ratio = "times less variance than with %s",
}

local spec = figure.spec{
  variances = {type = "variances", required = true}, buffer = "string",
  value = {type = "string", choices = options.sorted_names(YLABELS)},
}
for _, name in ipairs{"xrange", "logx", "logy"} do spec[name] = nil end

local LABEL_WIDTH = 56

-- The rows of one estimator that are drawn, in order.
local function rows_of(opts, estimator)
  local list = {}
  for _, row in ipairs(opts.variances.rows) do
    if row.estimator == estimator and (not opts.buffer or row.buffer == opts.buffer) then
      list[#list + 1] = row
    end
  end
  return list
end

-- Names below the axis: the buffer if there are several, and the last two parts of the path.
local function labels_of(rows, buffer)
  local labels = {}
  for i, row in ipairs(rows) do
    local name = row.tensor:match "([^/]+/[^/]+)$" or row.tensor
    labels[i] = buffer and name or ("%s %s"):format(row.buffer, name)
  end
  return labels
end

-- What is drawn of a row, which may be missing, and its standard error; NaN where there is none.
local function drawn(row, value)
  if row and value == "noise_share" then
    return row.total > 0 and row.noise / row.total or 0 / 0, 0 / 0
  end
  return row and row[value] or 0 / 0, row and row[value .. "_se"] or 0 / 0
end

-- The bars of one estimator, for the tensors of the first.
local function series_of(rows, own, value, label)
  local of, y, std = {}, {}, {}
  for _, row in ipairs(own) do of[row.buffer .. " " .. row.tensor] = row end
  for i, row in ipairs(rows) do
    y[i], std[i] = drawn(of[row.buffer .. " " .. row.tensor], value)
  end
  return {y = y, std = std, label = label}
end

-- What is drawn, or raises if it has not been measured.
local function value_of(what, opts)
  local v = opts.variances
  local value = opts.value or #v.estimators > 1 and "noise_ratio" or "noise_share"
  if value ~= "noise_share" and #v.estimators == 1 then
    fail("%s: value: expected several estimators for %s, got one", what, value)
  elseif value ~= "noise_ratio" and v.batches == 1 then
    fail("%s: value: expected several batches for %s, got one", what, value)
  end
  return value
end

--- Draws what bnn.gradient_variance measured, a bar for each tensor and estimator: how many times
-- less noise there is than with the first, on a logarithmic axis and with its standard error
-- (Kingma et al. 2015, table 1).
--     local v = bnn.gradient_variance{objective = objective, data = data.train, key = key,
--                                     estimators = {{num_samples = 1}, {num_samples = 2}},
--                                     batch_size = 16, batches = 3, draws = 2}
--     bnn.plot.gradient_variance{variances = v, buffer = "mu", path = "variance.svg"}
-- @param opts table:
--   variances= what bnn.gradient_variance returned
--   buffer="logvar" only that of the posterior's buffers
--   value="noise_ratio" or "total_ratio": of the first estimator to each other; "noise_share":
--     noise / total, of each. Default "noise_ratio", of one estimator "noise_share"
--   title=, xlabel=, ylabel=, yrange=, legend=, order=, path=, width=, height=, scale=, out=: as
--     for bnn.plot.lines
-- @return true, or the text if no path is given; or nil, message
-- Raises if there is no such buffer, or the value takes more estimators or batches.
function M.gradient_variance(opts)
  local what = "bnn.plot.gradient_variance"
  opts = options.check(what, opts, spec)
  figure.check(what, opts)
  local names, value = opts.variances.estimators, value_of(what, opts)
  local rows, is_ratio = rows_of(opts, names[1]), value ~= "noise_share"
  if #rows == 0 then
    fail("%s: buffer: expected one that was measured, got '%s'", what, opts.buffer)
  end
  opts.series, opts.labels, opts.logy = {}, labels_of(rows, opts.buffer), is_ratio
  for e = is_ratio and 2 or 1, #names do
    table.insert(opts.series, series_of(rows, rows_of(opts, names[e]), value, names[e]))
  end
  opts.order = opts.order or names -- an estimator looks the same whether the first is drawn or not
  opts.ylabel = opts.ylabel or YLABELS[value]:format(names[1])
  opts.width = opts.width or opts.path and math.max(640, 120 + LABEL_WIDTH * #rows) or nil
  return figure.render(plot_bars.bars(what, opts), opts)
end

return M
