--- What bnn.shift.evaluate returns: metrics for each shift and severity, as a table of text, rows
-- of a log, and figures.
local fail = require "bnn.base.fail"
local inputs = require "bnn.metrics.metric_inputs"
local kinds = require "bnn.base.kinds"
local metrics = require "bnn.metrics.metrics"
local plot = require "bnn.plot.plot"
local strings = require "bnn.base.strings"
local table_text = require "bnn.base.table_text"

local M = {}

local Report = {__name = "bnn.shift.report"}
Report.__index = Report

-- The mean over the examples, or nil for predictions that have none.
local function mutual_information(prediction)
  local known = type(prediction) == "table" and prediction.mutual_information
  return known and known:mean():item() or nil
end

-- field of a result, what it is called on an axis, how it is found from a prediction and labels.
local FIGURES = {
  {"accuracy", "accuracy", metrics.accuracy},
  {"nll", "negative log-likelihood (nats)", metrics.nll},
  {"ece", "expected calibration error", metrics.ece},
  {"mutual_information", "mean mutual information (nats)", mutual_information},
}

--- Raises unless data are images and their labels.
function M.check_data(what, data)
  if not kinds.is_object(data.x, "tensor") or data.x:dim() == 0 then
    fail.expected(what .. ": data.x", "images", data.x)
  end
  if data.y == nil then fail("%s: data.y: expected labels, got nothing", what) end
  inputs.labels(what .. ": data", data.y, data.x:size(1))
end

-- ---- rows of a log, and the table ----

--- Returns the numbers of bnn.shift.evaluate as rows for a log.
--     local report = bnn.shift.evaluate{predict = predict, data = data.test, key = key}
--     local row = report:rows()[1]
--     print(row[1], row[2])                             -- shift/none/0/accuracy  0.98
-- @return list of {name, value}
function Report:rows()
  local rows = {}
  for _, result in ipairs(self.results) do
    for _, figure in ipairs(FIGURES) do
      local name = ("shift/%s/%d/%s"):format(result.shift, result.severity, figure[1])
      rows[#rows + 1] = result[figure[1]] and {name, result[figure[1]]}
    end
  end
  return rows
end

--- Returns the report of bnn.shift.evaluate as a table of text; print(report) prints it.
--     local report = bnn.shift.evaluate{predict = predict, data = data.test, key = key}
--     log:say(report:text())
-- @return string of lines
function Report:text()
  local columns = {"shift", "severity", "amount"}
  for _, figure in ipairs(FIGURES) do
    if self.results[1][figure[1]] then
      columns[#columns + 1] = {(figure[1]:gsub("_", " ")), key = figure[1], decimals = 4}
    end
  end
  return table_text.render(self.results, columns)
end

Report.__tostring = Report.text

-- ---- figures ----

-- A line for each shift, which begins at the untouched images.
local function lines_of(results, names, field)
  local series = {}
  for i, name in ipairs(names) do
    local x, y = {0}, {results[1][field]}
    for _, result in ipairs(results) do
      if result.shift == name then x[#x + 1], y[#y + 1] = result.severity, result[field] end
    end
    series[i] = {x = x, y = y, style = "both", label = name}
  end
  return series
end

-- Draws all into a folder, and says on stderr which were written. Failing to draw one does not
-- raise.
local function draw(results, opts)
  local written = {}
  for _, figure in ipairs(FIGURES) do
    local field, path = figure[1], ("%s/shift_%s.svg"):format(opts.figures, figure[1])
    if results[1][field] then
      local ok, fault = plot.lines{
        series = lines_of(results, opts.shifts, field), path = path,
        title = opts.title, xlabel = "severity of the shift", ylabel = figure[2],
        yrange = field == "accuracy" and {0, 1} or nil, order = opts.order,
      }
      strings.notice(ok and "wrote " .. path or "cannot draw " .. fault)
      if not ok then break end -- the others would fail as well
      written[#written + 1] = path
    end
  end
  return written
end

-- ---- the work ----

local function measure(opts, name, severity, x, amount)
  local result = {shift = name, severity = severity, amount = amount}
  local prediction = opts.predict(x)
  for _, figure in ipairs(FIGURES) do result[figure[1]] = figure[3](prediction, opts.data.y) end
  return result
end

--- The report of bnn.shift.evaluate.
-- @param shifted function(name, severity) -> images, and how much that is in words
-- @param opts table: checked options of bnn.shift.evaluate, and order=, all names
function M.make(shifted, opts)
  local results = {measure(opts, "none", 0, opts.data.x)}
  table.sort(opts.severities)
  for _, name in ipairs(opts.shifts) do
    for _, severity in ipairs(opts.severities) do
      results[#results + 1] = measure(opts, name, severity, shifted(name, severity))
    end
  end
  local report = setmetatable({results = results, figures = {}}, Report)
  if opts.log then opts.log:row(opts.step, report:rows()) end
  local wants_figures = opts.figures and opts.figures ~= ""
  if wants_figures then report.figures = draw(results, opts) end
  return report
end

return M
