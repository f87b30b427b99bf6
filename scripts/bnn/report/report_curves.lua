--- The learning curves of a report: a chart for each metric, a line for each configuration, which
-- is the mean over its seeds, with a band of one standard deviation.
local html = require "bnn.html.html"
local parts = require "bnn.report.report_parts"
local report_view = require "bnn.report.report_view"
local runs_curves = require "bnn.records.runs_curves"
local svg_chart = require "bnn.report.svg_chart"

local M = {}

local CHARTS_MOST, BYTES_MOST = 9, 250000 -- of an experiment; of all charts
local LABEL_MOST = 100 -- characters
local THIN_MOST = 5 -- runs whose single curves are drawn where they share no steps

local element = html.element

-- The runs of a group whose curves count: the completed ones, or all where none is.
local function counted(group)
  local runs = group.completed[1] and group.completed or group.runs
  return table.move(runs, 1, math.min(#runs, report_view.RUNS_OF_GROUP), 1, {})
end

local function curves_of(view, runs, metric)
  local curves = {}
  for _, run in ipairs(runs) do
    local curve = view:curves(run)[metric]
    if curve then curves[#curves + 1] = curve end
  end
  return curves
end

local function ends_at(label, y, sd, metric)
  local text = label ~= "" and label or html.cut(metric, LABEL_MOST)
  local decimals = parts.decimals{y}
  return ("%s: ends at %s%s"):format(text, parts.number(y, decimals),
    sd and " ± " .. parts.number(sd, decimals) or "")
end

-- The lines of a group: its mean with a band, or its runs one by one if they have no two steps in
-- common.
local function series_of(curves, turn, label, metric)
  local steps, means, sds = runs_curves.mean(curves)
  if #curves > 1 and #steps < 2 then
    local list = {}
    for i = 1, math.min(#curves, THIN_MOST) do
      local c = curves[i]
      list[i] = {x = c.x, y = c.y, turn = turn, label = ends_at(label, c.y[#c.y], nil, metric)}
    end
    return list
  end
  local s = {x = steps, y = means, turn = turn,
             label = ends_at(label, means[#means], #curves > 1 and sds[#sds], metric)}
  if #curves > 1 then
    s.low, s.high = {}, {}
    for i, mean in ipairs(means) do s.low[i], s.high[i] = mean - sds[i], mean + sds[i] end
  end
  return {s}
end

-- The groups that have a line, with their runs and labels.
local function groups_of(experiment)
  local list = {}
  for turn = 1, math.min(#experiment.groups, svg_chart.SERIES_MOST) do
    local group = experiment.groups[turn]
    local label = html.cut(report_view.group_label(experiment, group), LABEL_MOST)
    list[turn] = {runs = counted(group), label = label}
  end
  return list
end

-- The names of metrics that some run logged at two steps or more, in the order of tables.
local function charted(view, experiment, groups)
  local has_curve, names = {}, {}
  for _, group in ipairs(groups) do
    for _, run in ipairs(group.runs) do
      for name, curve in pairs(view:curves(run)) do
        has_curve[name] = has_curve[name] or #curve.x > 1
      end
    end
  end
  for _, name in ipairs(experiment.metrics) do
    if has_curve[name] then names[#names + 1] = name end
  end
  return names
end

local function chart(view, groups, metric)
  local series, labels = {}, {}
  for turn, group in ipairs(groups) do
    local curves = curves_of(view, group.runs, metric)
    local added = curves[1] and series_of(curves, turn, group.label, metric) or {}
    if added[1] then labels[#labels + 1] = added[1].label end
    table.move(added, 1, #added, #series + 1, series)
  end
  local title = html.cut(metric, LABEL_MOST)
  local drawn = svg_chart.lines(series, ("%s over steps. %s"):format(title,
    table.concat(labels, "; ")))
  return drawn and element("figure", {class = "card"}, element("h4", nil, title), drawn)
end

local function legend(groups)
  local items = {}
  for turn, group in ipairs(groups) do
    local n = #group.runs
    items[turn] = element("li", nil, svg_chart.swatch(turn), group.label,
      group.label ~= "" and " ", element("span", {class = "note"}, ("n = %d"):format(n)))
  end
  return element("ul", {class = "legend"}, items)
end

-- The charts of an experiment that fit into so many bytes, and how many bytes are left.
local function charts(view, experiment, bytes)
  local groups = groups_of(experiment)
  local names, drawn = charted(view, experiment, groups), {}
  for i = 1, math.min(#names, CHARTS_MOST) do
    local made = bytes > 0 and chart(view, groups, names[i])
    local size = made and #made.text or 0
    if made and size <= bytes then drawn[#drawn + 1], bytes = made, bytes - size end
  end
  if not drawn[1] then return nil, bytes end
  return {
    element("h3", nil, experiment.name), legend(groups), element("div", {class = "cards"}, drawn),
    parts.left_out(#drawn, #names, "metric"),
    parts.left_out(#groups, #experiment.groups, "configuration",
      experiment.metric and "the best" or "the newest"),
  }, bytes
end

--- The charts of each experiment.
function M.section(view)
  local body, bytes = {}, BYTES_MOST
  for _, experiment in ipairs(view.experiments) do
    body[#body + 1], bytes = charts(view, experiment, bytes)
  end
  if not body[1] then return nil end
  table.insert(body, 1, parts.note("A line is the mean over the runs of a configuration at the "
    .. "steps that all of them logged, its band ± one standard deviation."))
  if view.unread > 0 then
    body[#body + 1] = parts.note(("The logs of %s are too long to be drawn here; `bnnlua -m runs "
      .. "curves` draws them."):format(parts.count(view.unread, "run")))
  end
  return parts.section("curves", "Learning curves", body)
end

return M
