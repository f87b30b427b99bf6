--- ROC and risk-coverage curves, from scores or from what bnn.metrics returns.
local fail = require "bnn.base.fail"
local figure = require "bnn.plot.canvas.figure"
local metrics_ood = require "bnn.metrics.metrics_ood"
local metrics_selective = require "bnn.metrics.metrics_selective"
local number = require "bnn.base.number"
local options = require "bnn.base.options"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local plot_lines = require "bnn.plot.plot_lines"
local plot_style = require "bnn.plot.canvas.plot_style"

local M = {}

local COLUMN = plot_columns.COLUMN

-- The lists of two fields of a curve.
local function columns_of(what, curve, x, y)
  local columns = {}
  for i, name in ipairs{x, y} do
    columns[i] = plot_columns.column(what, "curve." .. name, curve[name])
  end
  plot_columns.check_lengths(what, columns)
  return columns[1].values, columns[2].values
end

-- "MNIST: AUROC 0.9990", or one of the two.
local function with_area(label, name, area)
  local text = area and number.format("%s %.4f", name, area)
  return label and text and label .. ": " .. text or label or text
end

-- Series as plot_lines.commands takes them, read by read_one(what, given) -> x, y, label.
local function read_all(what, opts, read_one)
  figure.check_series(what, opts.series)
  local series, turns = {}, plot_style.turns(opts.series, opts.order)
  for i, given in ipairs(opts.series) do
    local name = plot_columns.series_name(what, given, i)
    local x, y, label = read_one(name, given)
    series[i] = {x = x, y = y, label = label, turn = opts.order and turns[i]}
    series[i].colour = plot_style.colour(name, given.colour, turns[i])
  end
  return series
end

-- ---- ROC ----

-- The area by trapezoids, which is the AUROC with half of each tie.
local function area_below(x, y)
  local area = 0
  for i = 2, #x do area = area + (x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2 end
  return area
end

local function read_roc(what, given)
  local s = options.check(what, given, {
    id = COLUMN, ood = COLUMN, weight = "table", curve = "table", label = "string",
    colour = "string", renamed = {inside = "id", outside = "ood"},
  })
  local has_scores = s.id ~= nil and s.ood ~= nil
  local is_one = has_scores ~= (s.curve ~= nil) and (s.id ~= nil) == (s.ood ~= nil)
  if not is_one or s.curve and s.weight then
    fail("%s: expected id= and ood=, or curve=; got %s", what,
      figure.given(s, {"id", "ood", "weight", "curve"}))
  end
  local curve = s.curve or metrics_ood.roc_curve({id = s.id, ood = s.ood}, {weight = s.weight})
  local x, y = columns_of(what, curve, "fpr", "tpr")
  return x, y, with_area(s.label, "AUROC", area_below(x, y))
end

local function least_positive(series)
  local least = 1
  for _, s in ipairs(series) do
    for _, v in ipairs(s.x) do
      if v > 0 then least = math.min(least, v) end
    end
  end
  return least < 1 and least or 1e-3
end

-- The ROC curve of a score that says nothing: y = x; on a logarithmic axis a curve.
local function chance(from)
  local x, points = {}, 100
  for i = 0, points do
    x[#x + 1] = from > 0 and from ^ (1 - i / points) or i / points
  end
  local grey = plot_style.colours.grey
  return {x = x, y = x, label = "chance", colour = grey, style = "lines", width = 1}
end

local function fill_in(opts, defaults)
  for name, value in pairs(defaults) do
    if opts[name] == nil then opts[name] = value end
  end
end

local ENTRY = 21 -- the height of one of the legend

--- Draws ROC curves: the share of out-of-distribution examples flagged against that of
-- in-distribution ones, with the AUROC of each in the legend, and the diagonal of chance.
--     bnn.plot.roc{path = "roc.svg", series = {
--       {id = p.class_std, ood = q.class_std, label = "Bayesian"},
--       {curve = bnn.metrics.roc_curve(scores, labels), label = "plain MLP"},
--     }}
-- @param opts table:
--   series= a list of {id=, ood= (scores [n], higher = more out-of-distribution), with weight={id=,
--     ood=}, or curve= (as bnn.metrics.roc_curve returns it); label=, colour=}
--   logx=false: true shows what few false positives cost
--   title=, xlabel=, ylabel=, xrange=, yrange=, logy=, legend=, order=, path=, width=480, height=
--     (default: with room for the legend), scale=, out=: as for bnn.plot.lines
-- @return true, or the text if no path is given; or nil, message
function M.roc(opts)
  local what = "bnn.plot.roc"
  opts = options.check(what, opts, figure.spec{series = figure.SERIES})
  figure.check(what, opts)
  local series = read_all(what, opts, read_roc)
  local least = opts.logx and least_positive(series) or 0
  series[#series + 1] = chance(least)
  fill_in(opts, {
    xlabel = "false positive rate (ID, flagged)",
    ylabel = "true positive rate (OOD, flagged)",
    xrange = opts.logx and {least, 1} or {-0.02, 1.02},
    yrange = not opts.logy and {-0.02, 1.02} or nil,
    width = opts.path and 480 or nil, height = opts.path and 420 + ENTRY * #series or nil,
  })
  return figure.render(plot_lines.commands(series, opts), opts)
end

-- ---- risk and coverage ----

local function read_risk(what, given)
  local s = options.check(what, given, {
    prediction = COLUMN, labels = COLUMN, confidence = COLUMN, weight = COLUMN, curve = "table",
    label = "string", colour = "string",
  })
  if s.curve and not (s.prediction or s.labels or s.confidence or s.weight) then
    local x, y = columns_of(what, s.curve, "coverage", "risk")
    return x, y, s.label
  elseif s.curve or not (s.prediction and s.labels) then
    fail("%s: expected prediction= and labels=, or curve=; got %s", what,
      figure.given(s, {"prediction", "labels", "confidence", "weight", "curve"}))
  end
  local more = {confidence = s.confidence, weight = s.weight}
  local curve = metrics_selective.risk_coverage(s.prediction, s.labels, more)
  local x, y = columns_of(what, curve, "coverage", "risk")
  return x, y, with_area(s.label, "AURC", metrics_selective.aurc(s.prediction, s.labels, more))
end

local function greatest(series)
  local most = 0
  for _, s in ipairs(series) do
    for _, v in ipairs(s.y) do most = math.max(most, v) end
  end
  return most
end

--- Draws risk-coverage curves: the share of errors among the answers that remain if the least
-- confident ones abstain.
--     bnn.plot.risk_coverage{path = "risk.svg", series = {
--       {prediction = p, labels = y, label = "largest probability"},
--       {prediction = p, labels = y, confidence = -p.class_std, label = "std"},
--     }}
-- @param opts table:
--   series= a list of {prediction=, labels=, confidence=, weight= (as for bnn.metrics.aurc, which
--     the legend has), or curve= (as bnn.metrics.risk_coverage returns it); label=, colour=}
--   title=, xlabel=, ylabel=, xrange=, yrange=, logx=, logy=, legend=, order=, path=, width=,
--     height=, scale=, out=: as for bnn.plot.lines
-- @return true, or the text if no path is given; or nil, message
function M.risk_coverage(opts)
  local what = "bnn.plot.risk_coverage"
  opts = options.check(what, opts, figure.spec{series = figure.SERIES})
  figure.check(what, opts)
  local series = read_all(what, opts, read_risk)
  local most = greatest(series)
  fill_in(opts, {
    xlabel = "coverage (share of answers kept)", ylabel = "risk (share of errors among them)",
    xrange = not opts.logx and {0, 1} or nil,
    yrange = not opts.logy and {0, most > 0 and most * 1.05 or 1} or nil,
  })
  return figure.render(plot_lines.commands(series, opts), opts)
end

return M
