--- Figures of a report of bnn.ood: for each score its histogram, in against out, and the ROC curve
-- against each set. A set looks the same in all of them.
local number = require "bnn.base.number"
local plot = require "bnn.plot.plot"
local plot_columns = require "bnn.plot.canvas.plot_columns"
local strings = require "bnn.base.strings"

local M = {}

-- What the axis of a score is called, where its name alone would not do.
local AXES = {
  class_std = "std of the predicted class's probability", entropy = "entropy (nats)",
  expected_entropy = "expected entropy (nats)", mutual_information = "mutual information (nats)",
  one_minus_probability = "1 - probability of the predicted class",
  variation_ratio = "variation ratio",
}

local function axis_of(score) return AXES[score] or score end

-- A name as part of a file's: letters, digits and _, in lower case; those that become the same get
-- a number.
local function file_name(name, taken)
  local plain = strings.lower(name):gsub("[^A-Za-z0-9]+", "_")
  local free, i = plain, 1
  while taken[free] do
    i = i + 1
    free = plain .. "_" .. i
  end
  taken[free] = true
  return free
end

-- By their place here a set has its colour and dashes.
local function order_of(report) return {report.id, table.unpack(report.ood)} end

local ENTRY = 21 -- the height of one of the legend

-- Each set with the share of it on which the rule abstains: what lies beyond the threshold.
local function histogram(report, score, path, title)
  local series, threshold = {}, report.rules[score].threshold
  for i, set in ipairs(order_of(report)) do
    local abstained = 100 * report.abstained[score][set]
    local label = number.format("%s: %.1f%% refused", set, abstained)
    series[i] = {x = report.values[score][set], label = label}
  end
  return plot.histogram{
    series = series, logy = true, path = path, title = title, xlabel = axis_of(score),
    height = 370 + ENTRY * (#series + 1),
    vlines = {plot_columns.is_drawable(threshold) and threshold or nil},
    vlabel = number.format("refused above %.3g", threshold),
  }
end

-- The false positive rate is on a logarithmic axis: what matters is the far left.
local function roc(report, score, path, title)
  local values, series = report.values[score], {}
  for i, set in ipairs(report.ood) do
    series[i] = {id = values[report.id], ood = values[set], label = set}
  end
  return plot.roc{
    series = series, order = order_of(report), path = path, logx = true,
    title = (title and title .. ": " or "") .. axis_of(score),
    xrange = {1 / report.n[report.id], 1}, width = 560,
    xlabel = ("share flagged of %s"):format(report.id), ylabel = "share flagged of the others",
  }
end

--- Draws all figures into a folder, and says on stderr which were written. Failing to draw one does
-- not raise.
-- @param title string or nil: of the figures
-- @return list of the files written
function M.draw(report, folder, title)
  local written, taken = {}, {}
  local function try(draw, kind, score, name)
    local path = ("%s/ood_%s_%s.svg"):format(folder, kind, name)
    local ok, fault = draw(report, score, path, title)
    strings.notice(ok and "wrote " .. path or "cannot draw " .. fault)
    if ok then written[#written + 1] = path end
    return ok
  end
  for _, score in ipairs(report.scores) do
    local name = file_name(score, taken)
    if not try(histogram, "histogram", score, name) then break end -- the others would fail as well
    if #report.ood > 0 then try(roc, "roc", score, name) end
  end
  return written
end

return M
