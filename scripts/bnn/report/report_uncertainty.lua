--- What the best configuration of each experiment says of its uncertainty: the metrics of
-- calibration, abstention and out-of-distribution detection, a row for each score and data set.
local html = require "bnn.html.html"
local parts = require "bnn.report.report_parts"
local report_view = require "bnn.report.report_view"
local strings = require "bnn.base.strings"

local M = {}

local ROWS_MOST, COLUMNS_MOST, BLOCKS_MOST = 60, 8, 6

-- The last parts of names that are such metrics, in the order of their columns; the rest of those
-- that begin with a word follow.
local NAMES = {"auroc", "aupr_out", "aupr_in", "fpr95_out", "fpr95", "refused", "abstained",
               "kept_accuracy", "coverage", "size", "not_single", "ece", "brier", "nll",
               "threshold"}
local WORDS = {"refused", "abstain", "coverage", "ece", "mce", "aurc", "threshold"}

local place = {}
for i, name in ipairs(NAMES) do place[name] = i end

-- Whether a last part is that of such a metric.
local function is_known(last)
  if place[last] then return true end
  for _, word in ipairs(WORDS) do
    local rest = last:sub(1, #word) == word and last:sub(#word + 1)
    if rest and not rest:find "^%a" then return true end
  end
  return false
end

-- Rows by all parts of a name but the last one, columns by that: rows in order, as {name=, parts=
-- list, columns= names, at= column -> moments}.
local function rows_of(experiment, group)
  local rows, at = {}, {}
  for _, name in ipairs(experiment.metrics) do
    local path, last = name:match "^(.-)/?([^/]+)$"
    local moments = last and is_known(last) and report_view.moments(group, name)
    if moments then
      local row = at[path]
      if not row then
        row = {name = path, parts = {}, columns = {}, at = {}, place = #rows}
        for part in path:gmatch "[^/]+" do row.parts[#row.parts + 1] = part end
        rows[#rows + 1], at[path] = row, row
      end
      row.columns[#row.columns + 1], row.at[last] = last, moments
    end
  end
  return rows
end

local function fits(row, block)
  if #row.parts ~= #block[1].parts then return false end
  for _, name in ipairs(row.columns) do
    if not block[1].at[name] then return false end
  end
  return true
end

-- Rows that have the same columns, or some of them, as lists: a table for each, the first row of
-- which has all columns.
local function blocks_of(rows)
  local sorted, blocks = table.move(rows, 1, #rows, 1, {}), {}
  table.sort(sorted, function(a, b)
    if #a.columns ~= #b.columns then return #a.columns > #b.columns end
    return a.place < b.place
  end)
  for _, row in ipairs(sorted) do
    local home
    for _, block in ipairs(blocks) do home = home or fits(row, block) and block end
    if home then home[#home + 1] = row else blocks[#blocks + 1] = {row} end
  end
  return blocks
end

-- The names of columns in the order of NAMES.
local function in_order(columns)
  local sorted = table.move(columns, 1, #columns, 1, {})
  table.sort(sorted, function(a, b)
    local x, y = place[a] or math.huge, place[b] or math.huge
    if x == y then return strings.before(a, b) end
    return x < y
  end)
  return sorted
end

-- Which parts of names differ between rows; all of one row do.
local function telling_parts(rows)
  local telling = {}
  for i, part in ipairs(rows[1].parts) do
    local differs = #rows == 1
    for _, row in ipairs(rows) do differs = differs or row.parts[i] ~= part end
    if differs then telling[#telling + 1] = i end
  end
  return telling
end

local function column_of(rows, name)
  local means = {}
  for _, row in ipairs(rows) do
    if row.at[name] then means[#means + 1] = row.at[name].mean end
  end
  return {title = name, is_number = true}, parts.decimals(means)
end

local function block_table(block)
  local columns = in_order(block[1].columns)
  local telling, titles, lines = telling_parts(block), {}, {}
  table.sort(block, function(a, b) return a.place < b.place end)
  local rows = table.move(block, 1, math.min(#block, ROWS_MOST), 1, {})
  for k in ipairs(telling) do titles[k] = k == 1 and "of" or "" end
  for r, row in ipairs(rows) do
    lines[r] = {}
    for k, i in ipairs(telling) do lines[r][k] = row.parts[i] end
  end
  for c = 1, math.min(#columns, COLUMNS_MOST) do
    local title, decimals = column_of(rows, columns[c])
    titles[#titles + 1] = title
    for r, row in ipairs(rows) do
      local moments = row.at[columns[c]]
      lines[r][#titles] = moments and html.list{parts.mean_text(moments, decimals)} or nil
    end
  end
  return {parts.grid(titles, lines), parts.left_out(#rows, #block, "row"),
          parts.left_out(math.min(#columns, COLUMNS_MOST), #columns, "metric")}
end

local function tables_of(experiment)
  local group = experiment.groups[1]
  local rows = group.completed[1] and rows_of(experiment, group) or {}
  if not rows[1] then return nil end
  local label, blocks, drawn = report_view.group_label(experiment, group), blocks_of(rows), {}
  for i = 1, math.min(#blocks, BLOCKS_MOST) do drawn[i] = block_table(blocks[i]) end
  return {
    html.element("h3", nil, experiment.name),
    parts.note(label ~= "" and html.cut(label, 200) .. "; " or "",
      ("n = %d%s"):format(#group.completed, group.completed[2] and ", mean ± standard deviation"
        or "")),
    drawn, parts.left_out(#drawn, #blocks, "table"),
  }
end

--- The table of each experiment that has such metrics.
function M.section(view)
  local body = {}
  for _, experiment in ipairs(view.experiments) do body[#body + 1] = tables_of(experiment) end
  return parts.section("uncertainty", "Uncertainty", body)
end

return M
