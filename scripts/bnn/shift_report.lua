--- What bnn.shift.evaluate finds: a row of figures for each shift and severity, as a table, in the
-- log and in figures.
local inputs = require "bnn.metric_inputs"
local logs = require "bnn.log"
local metrics = require "bnn.metrics"
local plot = require "bnn.plot"
local table_text = require "bnn.table_text"
local tree = require "bnn.tree"

local M = {}

-- The mean over the examples, or nil for predictions that have none.
local function mutual_information(prediction)
  local known = type(prediction) == "table" and prediction.mutual_information
  return known and known:mean():item() or nil
end

-- field of a row, what it is called on an axis, how it is found from a prediction and labels.
local FIGURES = {
  {"accuracy", "accuracy", metrics.accuracy},
  {"nll", "negative log-likelihood (nats)", metrics.nll},
  {"ece", "expected calibration error", metrics.ece},
  {"mutual_information", "mutual information (nats)", mutual_information},
}

--- Raises unless data are images and their labels.
function M.check_data(what, data)
  local is_part = type(data) == "table" and tree.leaf_kind(data.x) == "tensor"
  if not is_part then inputs.fail("%s: data is to be a part of a data set, {x=, y=}", what) end
  if data.y == nil then inputs.fail("%s: data has no labels y", what) end
end

local function measure(opts, name, severity, x, amount)
  local row = {shift = name, severity = severity, amount = amount}
  local prediction = opts.predict(x)
  for _, figure in ipairs(FIGURES) do row[figure[1]] = figure[3](prediction, opts.data.y) end
  return row
end

local function log_row(log, row)
  local values = {}
  for _, figure in ipairs(FIGURES) do
    local name, value = ("shift/%s/%s"):format(row.shift, figure[1]), row[figure[1]]
    if value then values[#values + 1] = {name, value} end
  end
  log:row(row.severity, values)
end

local function text_of(rows)
  local columns = {"shift", "severity", "amount"}
  for _, figure in ipairs(FIGURES) do
    if rows[1][figure[1]] then
      columns[#columns + 1] = {(figure[1]:gsub("_", " ")), key = figure[1], format = "%.4f"}
    end
  end
  return table_text.render(rows, columns)
end

-- ---- figures ----

-- A line for each shift, which begins at the untouched images.
local function lines_of(rows, names, field)
  local series = {}
  for i, name in ipairs(names) do
    local x, y = {0}, {rows[1][field]}
    for _, row in ipairs(rows) do
      if row.shift == name then x[#x + 1], y[#y + 1] = row.severity, row[field] end
    end
    series[i] = {x = x, y = y, style = "both", label = name}
  end
  return series
end

-- Draws one into the folder; what can not be drawn is said, and the run goes on.
local function draw(rows, opts, figure)
  local field = figure[1]
  local path = ("%s/shift_%s.svg"):format(opts.figures, field)
  local ok, fault = plot.lines{
    series = lines_of(rows, opts.shifts, field), path = path, xlabel = "severity",
    ylabel = figure[2], yrange = field == "accuracy" and {0, 1} or nil, order = opts.order,
  }
  if ok then return path end
  io.stderr:write("not drawn: ", fault, "\n")
end

--- The report of bnn.shift.evaluate.
-- @param shifted function(name, severity) -> images, and how much that is in words
-- @param opts table: checked options of bnn.shift.evaluate, and order=, all names
function M.make(shifted, opts)
  local log, rows, figures = opts.log and logs.of(opts.log), {}, {}
  local function add(name, severity, x, amount)
    rows[#rows + 1] = measure(opts, name, severity, x, amount)
    if log then log_row(log, rows[#rows]) end
  end
  table.sort(opts.severities)
  add("none", 0, opts.data.x)
  for _, name in ipairs(opts.shifts) do
    for _, severity in ipairs(opts.severities) do add(name, severity, shifted(name, severity)) end
  end
  for _, figure in ipairs(opts.figures and FIGURES or {}) do
    if rows[1][figure[1]] then figures[figure[1]] = draw(rows, opts, figure) end
  end
  return {rows = rows, text = text_of(rows), figures = figures}
end

return M
